//! What runs need of each other and of stored events. A transition asks for it; it is met before the next command.

use std::sync::Arc;

use super::{Active, Engine};
use crate::error::{Code, Error, Result};
use crate::ids::RunId;
use crate::limits;
use crate::machine::{self, Beginning, Event, Need, Transition, Turn};
use crate::model::{Origin, Place, RunRow, RunStatus};

impl Engine {
    /// Meets what the last transitions asked for, and what that leads to.
    pub(super) fn meet_needs(&mut self, now_ms: i64) -> Result<()> {
        while let Some((run, need)) = self.needs.pop_front() {
            match need {
                Need::Child { name, scope, workflow, payload_of } => {
                    let place = Place { run, name, scope };
                    self.start_child(&place, &workflow, payload_of, now_ms)?;
                }
                Need::CancelChild(child) => self.cancel_child(run, child, now_ms)?,
                Need::NextEvent { name, scope, event } => {
                    let place = Place { run, name, scope };
                    if let Some(stored) = self.store.next_event(&place, &event)? {
                        self.tell_event(&place, &stored, now_ms)?;
                    }
                }
                Need::TellParent(parent) => self.tell_parent(parent, run, now_ms)?,
                Need::TellSchedule(name) => self.tell_schedule(run, &name, now_ms)?,
            }
        }
        Ok(())
    }

    fn start_child(&mut self, place: &Place, workflow: &str, payload_of: Option<u32>, now_ms: i64) -> Result<()> {
        let parent = place.run;
        let Some(active) = self.active_or_read(parent, now_ms)? else { return Ok(()) };
        if !active.run.wants_child(&place.name, &place.scope, &active.graph) {
            self.settle(active.run.stage, active);
            return Ok(());
        }
        let depth = active.run.depth + 1;
        let room = self.room_for_child(workflow, depth);
        let payload = payload_of.map(|sequence| self.store.output(parent, sequence)).transpose()?.flatten();
        let id = self.ids.next(now_ms);
        let refused = room.err().map(|error| machine::error_json(error.code.as_str(), &error.message));
        let child = refused.as_deref().map_or(Ok(id), Err);
        self.transition(active, Event::ChildStarted { name: &place.name, scope: &place.scope, child }, now_ms, false)?;
        if refused.is_some() {
            return Ok(());
        }
        let trigger = format!(r#"{{"type":"subflow","parent":"{parent}"}}"#);
        let origin = Origin {
            payload: payload.map(Into::into),
            trigger: Some(trigger.into()),
            parent: Some(parent),
            depth,
            rate_key: Some("".into()),
            ..Origin::default()
        };
        self.begin_run(id, workflow, origin, now_ms)
    }

    fn room_for_child(&self, workflow: &str, depth: u32) -> Result<()> {
        self.catalog.require(workflow)?;
        self.check_room()?;
        if u64::from(depth) > limits::SUBFLOW_DEPTH {
            let message =
                format!("a run is inside of at most {} others: does a subflow start itself?", limits::SUBFLOW_DEPTH);
            return Err(Error::new(Code::SubflowTooDeep, message));
        }
        Ok(())
    }

    /// Whether one more run may be active.
    pub(super) fn check_room(&self) -> Result<()> {
        self.check_room_for(1)
    }

    /// Whether so many more runs may be active.
    pub(super) fn check_room_for(&self, more: usize) -> Result<()> {
        if (self.active.len() + more) as u64 > limits::RUNS_ACTIVE {
            let message = format!("{} runs are executing or queued; try again when some have ended", self.active.len());
            return Err(Error::new(Code::TooManyRuns, message));
        }
        Ok(())
    }

    /// Begins a run of a defined workflow, not before its rate limit and its delay allow.
    pub(super) fn begin_run(&mut self, id: RunId, workflow: &str, mut origin: Origin<'_>, now_ms: i64) -> Result<()> {
        let graph = self.catalog.require(workflow)?.clone();
        let rate_key = origin.rate_key.take().filter(|_| graph.definition.rate_limit.is_some());
        if origin.start_at_ms.is_none()
            && let Some(key) = rate_key.as_deref().filter(|_| self.slots.is_paused(workflow))
        {
            origin.start_at_ms = Some(self.withheld_start(&graph, key, now_ms)?);
        }
        if origin.start_at_ms.is_some() {
            // It takes its place in the order when its delay is over, so that it holds up nobody until then.
            origin.rate_key = rate_key;
        } else if let Some(key) = rate_key {
            origin.start_at_ms = Some(self.reserve_start(&graph, &key, now_ms)?).filter(|at_ms| *at_ms > now_ms);
            origin.rate_key = Some(key).filter(|_| origin.start_at_ms.is_some());
        }
        let beginning = Beginning {
            id,
            created_at_ms: now_ms,
            start_at_ms: origin.start_at_ms,
            priority: origin.priority,
            concurrency_key: origin.concurrency_key.as_deref().map(Arc::from),
            rate_key: origin.rate_key.as_deref().map(Arc::from),
            parent: origin.parent,
            depth: origin.depth,
            schedule: origin.instant.map(|(schedule, _)| schedule.into()),
            mocks: origin.mocks.as_deref().and_then(crate::value::mocks).map(Box::new),
        };
        let slot_free = self.slots.is_free(&graph, beginning.concurrency_key.as_ref());
        let circuits = std::mem::take(&mut self.circuits);
        let secret = self.secret.clone();
        let slot = self.slot_of(&graph, slot_free);
        let mut turn = Turn { graph: &graph, now_ms, slot, secret: &secret, circuits, out: Transition::default() };
        let run = machine::start(beginning, origin, &mut turn);
        self.circuits = turn.circuits;
        self.carry_out(id, turn.out)?;
        self.settle(machine::Stage::Ended, Active { run, graph: graph.clone() });
        Ok(())
    }

    fn cancel_child(&mut self, parent: RunId, child: RunId, now_ms: i64) -> Result<()> {
        let Some(active) = self.active_or_read(child, now_ms)? else { return Ok(()) };
        if active.run.status.is_final() {
            self.settle(active.run.stage, active);
            return Ok(());
        }
        let reason = format!("run {parent}, which waited for it, went on without it");
        self.transition(active, Event::Cancelled { reason: Some(&reason) }, now_ms, false).map(drop)
    }

    fn tell_parent(&mut self, parent: RunId, child: RunId, now_ms: i64) -> Result<()> {
        let row = self.store.run(child)?;
        let Some(active) = self.active_or_read(parent, now_ms)? else { return Ok(()) };
        let error = row.as_ref().map_or_else(|| child_gone(child), child_error);
        let result = match &row {
            Some(row) if row.status == RunStatus::Completed => Ok(row.output.as_deref()),
            _ => Err(&*error),
        };
        let slot_free = self.slots.is_free_for(&active) && self.is_defined(&active);
        self.transition(active, Event::ChildEnded { child, result }, now_ms, slot_free).map(drop)
    }

    /// A run in memory, or as it is stored; none if it is parked.
    pub(super) fn active_or_read(&mut self, id: RunId, now_ms: i64) -> Result<Option<Active>> {
        let active = self.activate(id, now_ms)?;
        Ok(active.filter(|active| active.run.status != RunStatus::Stuck))
    }
}

/// Why the node of a child has failed of which nobody knows any more how it ended.
fn child_gone(child: RunId) -> Arc<str> {
    let message = format!(
        "run {child} is no longer stored, and this run was stuck when it ended: nobody knows how; retry this run to start \
         the subflow again"
    );
    machine::error_json("subflow_removed", &message)
}

/// Why the node of a child that did not complete has failed: for the child's own reason, unless it was cancelled.
fn child_error(row: &RunRow) -> Arc<str> {
    match (row.status, &row.error) {
        (RunStatus::Failed, Some(error)) => error.as_str().into(),
        (_, error) => {
            let error: Option<serde_json::Value> = error.as_deref().and_then(|text| serde_json::from_str(text).ok());
            let reason = error.as_ref().and_then(|error| error["message"].as_str()).unwrap_or("it was not said why");
            machine::error_json("subflow_cancelled", &format!("run {} was cancelled: {reason}", row.id))
        }
    }
}
