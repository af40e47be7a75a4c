//! Runs that go on from what was recorded: the same run again, or a new one.

use std::sync::Arc;

use super::{Engine, query};
use crate::definition::NodeSpec;
use crate::error::{Code, Error, Result};
use crate::graph::{Graph, Kind};
use crate::ids::RunId;
use crate::limits;
use crate::machine::{self, Event, Stage};
use crate::model::{Handler, NewRun, NewStep, Origin, Output, RunStatus, StepRow, StepStatus, StepSummary, Write};
use crate::protocol::{CommandResult, Replay};
use crate::value;

impl Engine {
    /// Takes a run up again that has failed, was cancelled or is stuck: what it has completed stays done.
    pub(super) fn retry(&mut self, run: RunId, now_ms: i64) -> Result<CommandResult<'static>> {
        let summary = self.store.summary(run)?.ok_or_else(|| query::run_not_found(run))?;
        if !matches!(summary.status, RunStatus::Failed | RunStatus::Cancelled | RunStatus::Stuck) {
            let message = format!(
                "run {run} is {}; only one that has failed, was cancelled or is stuck is taken up again",
                summary.status.as_str()
            );
            return Err(Error::new(Code::RunNotRetryable, message));
        }
        if summary.open {
            let message = format!("the hook of run {run} has not ended yet; take the run up again after that");
            return Err(Error::new(Code::RunNotRetryable, message));
        }
        let graph = self.catalog.followed(&summary.workflow_id, summary.definition, &mut *self.store)?;
        self.catalog.require(&summary.workflow_id)?;
        let sequence = summary.steps.last().map_or(1, |step| step.sequence + 1);
        self.store.write(&Write::ReopenRun(run))?;
        self.store.write(&passed(run, now_ms))?;
        self.store.write(&Write::InsertStep(marker(run, sequence, now_ms)))?;
        let has_completed = machine::retried_steps(&summary.steps, &graph).next().is_some();
        let was_due = summary.start_at_ms.is_some_and(|start_at_ms| start_at_ms < now_ms);
        if was_due && summary.rate_key.is_none() && !has_completed {
            // It begins now, and not at the time at which it was to begin before.
            self.store.write(&Write::Reserve(run, now_ms))?;
        }
        self.go_on(run, now_ms)?;
        Ok(CommandResult::Done)
    }

    /// Starts a run that begins with what another has recorded before a step.
    pub(super) fn replay(&mut self, replay: &Replay<'_>, now_ms: i64) -> Result<CommandResult<'static>> {
        let origin = self.store.run(replay.run)?.ok_or_else(|| query::run_not_found(replay.run))?;
        let summary = self.store.summary(replay.run)?.ok_or_else(|| query::run_not_found(replay.run))?;
        let graph = self.catalog.require(&origin.workflow_id)?.clone();
        self.check_room()?;
        let mocks = replay.mocks.map(|mocks| value::check("mocks", mocks)).transpose()?;
        let named = mocks.map(|mocks| value::mocks(mocks).ok_or_else(|| invalid("mocks are an object"))).transpose()?;
        let steps = named.iter().flat_map(|mocks| mocks.keys().map(String::as_str));
        for step in steps.chain(replay.from_step.as_deref()) {
            if graph.find(step).is_none() {
                let message = format!("workflow `{}` has no step `{step}`", origin.workflow_id);
                return Err(Error::new(Code::StepNotFound, message));
            }
        }
        let payload = match value::check_optional("payload", replay.payload)? {
            Some(payload) => Some(payload.to_owned()),
            None => origin.payload,
        };
        let kept = match replay.from_step.as_deref() {
            None => Vec::new(),
            Some(step)
                if origin.status == RunStatus::Completed && !summary.steps.iter().any(|row| row.name == step) =>
            {
                return Err(Error::new(Code::StepNotFound, format!("run {} never came to step `{step}`", replay.run)));
            }
            Some(step) => {
                // What is mocked was not executed, and what followed from it may not follow from the mock.
                let names = named.iter().flat_map(|mocks| mocks.keys().map(String::as_str)).chain([step]);
                let anew: Vec<&NodeSpec> = names.filter_map(|name| graph.definition.find(name)).collect();
                self.recorded_before(replay.run, &anew, &graph, &summary.steps)?
            }
        };
        let id = self.ids.next(now_ms);
        let replayed = Origin {
            payload: payload.map(Into::into),
            trigger: origin.trigger.map(Into::into),
            priority: summary.priority,
            concurrency_key: summary.concurrency_key.map(Into::into),
            replay_of: Some(replay.run),
            mocks: mocks.map(Into::into),
            ..Origin::default()
        };
        let new = NewRun {
            id,
            definition: graph.id,
            workflow_id: graph.workflow_id(),
            status: RunStatus::Pending,
            created_at_ms: now_ms,
            origin: Box::new(replayed),
        };
        self.store.write(&Write::InsertRun(new))?;
        for (step, sequence) in kept.iter().zip(1..) {
            self.store.write(&Write::InsertStep(copy(step, id, sequence)))?;
        }
        if !kept.is_empty() {
            self.store.write(&Write::InsertStep(marker(id, kept.len() as u32 + 1, now_ms)))?;
        }
        self.store.write(&passed(id, now_ms))?;
        self.go_on(id, now_ms)?;
        Ok(CommandResult::Started { run: id, repeated: false })
    }

    /// A run that was just stored as pending queues, and begins what it has come to.
    fn go_on(&mut self, run: RunId, now_ms: i64) -> Result<()> {
        let Some(active) = self.load_taken_up(run)? else { return Ok(()) };
        let slot_free = self.slots.is_free_for(&active) && self.is_defined(&active);
        self.transition(active, Event::TakenUp, now_ms, slot_free)?;
        let queues = self.active.get(&run).filter(|active| active.run.stage == Stage::Queued);
        if let Some(active) = queues {
            self.slots.queue(active);
        }
        Ok(())
    }

    /// What a run has completed before it first came to one of these nodes.
    fn recorded_before(
        &mut self,
        run: RunId,
        anew: &[&NodeSpec],
        graph: &Graph,
        summary: &[StepSummary],
    ) -> Result<Vec<StepRow>> {
        // The row of a block comes after those of its parts, which are executed again with it.
        let is_again = |row: &&StepSummary| anew.iter().any(|node| node.find(&row.name).is_some());
        let first = summary.iter().position(|row| is_again(&row)).unwrap_or(summary.len());
        let first = before_race(graph, summary, first);
        let first = summary.get(first).map_or(u32::MAX, |row| row.sequence);
        let before: Vec<_> = summary.iter().take_while(|row| row.sequence < first).cloned().collect();
        let counts: Vec<u32> = machine::retried_steps(&before, graph).map(|row| row.sequence).collect();
        let mut kept = Vec::with_capacity(counts.len());
        let mut after = 0;
        loop {
            let page = self.store.history(run, after, limits::HISTORY_ROWS as u32)?;
            let Some(last) = page.last() else { break };
            after = last.sequence;
            kept.extend(page.into_iter().filter(|row| counts.binary_search(&row.sequence).is_ok()));
        }
        Ok(kept)
    }
}

/// What ended a race, and the ends of its losers, are one: of a loser's end, the place of what ended it. Otherwise the
/// winner's result would be kept, and the end of the race would not.
fn before_race(graph: &Graph, steps: &[StepSummary], first: usize) -> usize {
    let is_loser = |step: &StepSummary| step.status == StepStatus::Cancelled && step.handler == Handler::Body;
    let kind = |step: &StepSummary| graph.find(&step.name).map(|node| &graph.node(node).kind);
    let ends = steps[first..].iter().find(|step| !is_loser(step));
    let ends_race = ends.is_some_and(|step| matches!(kind(step), Some(Kind::Race { .. })));
    if !ends_race || !is_loser(&steps[first]) {
        return first;
    }
    let is_consequence = |place: &usize| {
        let step = &steps[*place];
        let ends_by_itself = match kind(step) {
            Some(Kind::Race { .. } | Kind::Parallel { .. } | Kind::While { .. } | Kind::ForEach { .. }) => true,
            // A sleep until a time that had passed.
            Some(Kind::Sleep(_) | Kind::SleepUntil(_)) => {
                place.checked_sub(1).is_some_and(|before| steps[before].finished_at_ms == step.finished_at_ms)
            }
            _ => false,
        };
        is_loser(step) || step.handler == Handler::Body && ends_by_itself
    };
    (0..first).rev().find(|place| !is_consequence(place)).unwrap_or(first)
}

/// What a run was waiting for when it was given up is not due because its timer is gone: a timer says that all before
/// it has been done, and nothing after it.
pub(super) fn passed(run: RunId, now_ms: i64) -> Write<'static> {
    Write::SetTimer(run, Some(now_ms))
}

/// The row that says where a run was taken up again.
fn marker(run: RunId, sequence: u32, now_ms: i64) -> NewStep<'static> {
    NewStep {
        run,
        sequence,
        name: Handler::Retry.as_str(),
        scope: Arc::default(),
        handler: Handler::Retry,
        attempt: 1,
        status: StepStatus::Completed,
        output: Output::Absent,
        decision: None,
        error: None,
        retry_at_ms: None,
        started_at_ms: None,
        finished_at_ms: now_ms,
        is_news: false,
    }
}

fn copy(step: &StepRow, run: RunId, sequence: u32) -> NewStep<'_> {
    NewStep {
        run,
        sequence,
        name: &step.name,
        scope: step.scope.as_str().into(),
        handler: step.handler,
        attempt: step.attempt,
        status: step.status,
        output: Output::text(step.output.as_deref()),
        decision: step.decision,
        error: None,
        retry_at_ms: None,
        started_at_ms: step.started_at_ms,
        finished_at_ms: step.finished_at_ms,
        is_news: false,
    }
}

fn invalid(message: &str) -> Error {
    Error::new(Code::ValueInvalid, message)
}
