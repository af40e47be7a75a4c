//! Runs between memory and disk: they are loaded, moved by the machine, put where their stage says, and fired by timers.

use std::borrow::Cow;

use super::{Active, Engine, query};
use crate::error::Result;
use crate::graph::Graph;
use crate::ids::RunId;
use crate::limits;
use crate::machine::{self, Ended, Event, Slot, Stage, Transition, Turn};
use crate::model::{Output, RunStatus, Write};
use crate::protocol::Effect;

/// Why a stored run is made one in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Occasion {
    /// It goes on where it stands.
    Load,
    /// It was just stored as taken up.
    TakeUp,
}

impl Engine {
    /// Ends attempts that have taken too long.
    pub(super) fn end_late_attempts(&mut self, now_ms: i64) -> Result<()> {
        while let Some(&(due_at_ms, run, fence)) = self.attempt_deadlines.first()
            && due_at_ms <= now_ms
        {
            self.attempt_deadlines.pop_first();
            if let Some(active) = self.active.remove(&run) {
                debug_assert!(active.run.is_executing(fence));
                self.transition(active, Event::AttemptTimedOut { fence }, now_ms, false)?;
                self.meet_needs(now_ms)?;
            }
        }
        Ok(())
    }

    /// Fires what is due. Timers are never early: due means at or before the host's clock (P6).
    pub(super) fn fire_timers(&mut self, now_ms: i64) -> Result<()> {
        let now_or_early = if planted!(EarlyTimer) { now_ms + 400 } else { now_ms };
        if !self.timers_changed && self.next_timer.is_none_or(|due_at_ms| due_at_ms > now_or_early) {
            return Ok(());
        }
        self.store.expire_state(now_ms, limits::EXPIRED_PER_COMMIT as u32)?;
        for timer in self.store.due_timers(now_or_early, limits::TIMERS_PER_COMMIT as u32)? {
            let Some(active) = self.activate(timer.run, now_ms)? else { continue };
            if active.run.timer_due_at_ms != Some(timer.due_at_ms) {
                // An earlier timer of this batch has moved it.
                self.settle(active.run.stage, active);
            } else if active.run.stage == Stage::Ended {
                match self.has_stuck_parent(&active)? {
                    true => {
                        let due_at_ms = machine::later(now_ms, limits::STUCK_CHILD_MS);
                        self.store.write(&Write::SetTimer(timer.run, Some(due_at_ms)))?;
                    }
                    false => self.store.delete_run(timer.run)?,
                }
            } else if let Some(active) = self.begin_limited(active, now_ms)? {
                let slot_free = self.slots.is_free_for(&active) && self.is_defined(&active);
                self.transition(active, Event::Ticked, now_ms, slot_free)?;
                self.meet_needs(now_ms)?;
            }
        }
        self.timers_changed = true;
        Ok(())
    }

    /// Whether a run may have ended without the one that waits for it having been told.
    fn has_stuck_parent(&mut self, active: &Active) -> Result<bool> {
        let Some(parent) = active.run.parent else { return Ok(false) };
        Ok(self.store.run(parent)?.is_some_and(|row| row.status == RunStatus::Stuck))
    }

    pub(super) fn admit(&mut self, now_ms: i64) -> Result<()> {
        while let Some(run) = self.slots.next(now_ms) {
            match self.active.remove(&run) {
                Some(active) if active.run.stage == Stage::Queued => {
                    self.transition(active, Event::Admitted, now_ms, true)?;
                    self.meet_needs(now_ms)?;
                }
                moved_on => {
                    self.slots.skipped(run);
                    self.active.extend(moved_on.map(|active| (run, active)));
                }
            }
        }
        Ok(())
    }

    /// Applies one event to a run taken out of memory, and puts it where it belongs afterwards.
    pub(super) fn transition(
        &mut self,
        mut active: Active,
        event: Event<'_>,
        now_ms: i64,
        slot_free: bool,
    ) -> Result<Ended> {
        let before = active.run.stage;
        let (graph, secret) = (active.graph.clone(), self.secret.clone());
        let circuits = std::mem::take(&mut self.circuits);
        let slot = self.slot_of(&graph, slot_free);
        let mut turn = Turn { graph: &graph, now_ms, slot, secret: &secret, circuits, out: Transition::default() };
        let applied = machine::apply(&mut active.run, event, &mut turn);
        self.circuits = turn.circuits;
        let ended = turn.out.ended;
        let carried_out = if applied.is_ok() { self.carry_out(active.run.id, turn.out) } else { Ok(()) };
        // Even if the store has failed: since when the host has its attempts is known here only.
        self.settle(before, active);
        carried_out?;
        applied.map(|()| ended)
    }

    pub(super) fn slot_of(&self, graph: &Graph, is_free: bool) -> Slot {
        match is_free {
            _ if self.slots.is_paused(graph.workflow_id()) => Slot::Withheld,
            true => Slot::Free,
            false => Slot::Taken,
        }
    }

    /// Stores the writes, and keeps the effects for after the commit.
    pub(super) fn carry_out(&mut self, run: RunId, mut out: Transition<'_>) -> Result<()> {
        for (fence, clock) in out.clocks_over.drain(..) {
            if let Some(due_at_ms) = clock.deadline_ms {
                self.attempt_deadlines.remove(&(due_at_ms, run, fence));
            }
            self.clocks_over.insert((run, fence), clock);
        }
        for write in &mut out.writes {
            match write {
                Write::InsertStep(step) => {
                    let output = std::mem::replace(&mut step.output, Output::Absent);
                    step.output = self.put_together(run, output)?;
                    if step.is_news {
                        let output = match &step.output {
                            Output::Text(text) => Some(text.as_ref().into()),
                            _ => None,
                        };
                        let (step, scope) = (step.name.into(), step.scope.clone());
                        self.effects.push(Effect::Recorded { run, step, scope, output });
                    }
                }
                Write::SetTimer(..) => self.timers_changed = true,
                Write::CloseWait(_, event) | Write::AdvanceWait(_, event, _)
                    if self.events_stored.contains_key(event) =>
                {
                    self.events_seen.insert(event.clone());
                }
                _ => {}
            }
            self.store.write(write)?;
        }
        let executes = out.effects.iter().any(|effect| matches!(effect, Effect::Execute(_)));
        if executes && self.read.remove(&run) {
            let known = self.known(run)?;
            self.effects.extend(known.map(|json| Effect::Known(json.into())));
        }
        self.effects.append(&mut out.effects);
        self.attempt_deadlines.extend(out.deadlines.iter().map(|(due_at_ms, fence)| (*due_at_ms, run, *fence)));
        self.needs.extend(out.needs.into_iter().map(|need| (run, need)));
        Ok(())
    }

    /// What the host needs of a run, unless that is so much that it is better asked for in pages.
    fn known(&mut self, run: RunId) -> Result<Option<String>> {
        let Some(row) = self.store.run(run)? else { return Ok(None) };
        let graph = self.catalog.stored(row.definition, &mut *self.store)?;
        query::short_run(&mut *self.store, &row, graph.definition.version.as_deref())
    }

    /// The text of an output that is made of others.
    fn put_together<'a>(&mut self, run: RunId, output: Output<'a>) -> Result<Output<'a>> {
        let mut text = String::new();
        match output {
            Output::Absent | Output::Text(_) => return Ok(output),
            Output::Copy(sequence) => return Ok(Output::text(self.store.output(run, sequence)?)),
            Output::List(parts) => {
                text.push('[');
                for (place, part) in parts.into_iter().enumerate() {
                    text.push_str(if place > 0 { "," } else { "" });
                    self.add_part(run, part, &mut text)?;
                }
                text.push(']');
            }
            Output::Object(parts) => {
                text.push('{');
                for (place, (key, part)) in parts.into_iter().enumerate() {
                    text.push_str(if place > 0 { "," } else { "" });
                    text.push_str(&serde_json::Value::from(&*key).to_string());
                    text.push(':');
                    self.add_part(run, part, &mut text)?;
                }
                text.push('}');
            }
        }
        Ok(Output::Text(Cow::Owned(text)))
    }

    fn add_part(&mut self, run: RunId, part: Option<u32>, text: &mut String) -> Result<()> {
        let part = part.map(|sequence| self.store.output(run, sequence)).transpose()?.flatten();
        text.push_str(part.as_deref().unwrap_or("null"));
        Ok(())
    }

    /// Puts a run where its stage says: in memory, in the queue, or nowhere.
    pub(super) fn settle(&mut self, before: Stage, active: Active) {
        self.slots.moved(&active);
        let run = &active.run;
        match run.stage {
            // Without handlers in this process it stays on disk until its workflow is defined.
            Stage::Queued if !self.is_defined(&active) => return self.forget(run.id),
            Stage::Queued if before != Stage::Queued => self.slots.queue(&active),
            Stage::Waiting if u64::from(run.sequence) <= limits::LONG_HISTORY => return self.forget(run.id),
            Stage::Waiting => self.keep(run.id),
            Stage::Ended => return self.forget(run.id),
            Stage::Queued | Stage::Executing => {}
        }
        self.active.insert(run.id, active);
    }

    fn forget(&mut self, run: RunId) {
        if !self.read.is_empty() {
            self.read.remove(&run);
        }
    }

    /// A waiting run stays in memory while it is one of the latest.
    fn keep(&mut self, run: RunId) {
        self.kept.push_back(run);
        if self.kept.len() as u64 > limits::RUNS_KEPT
            && let Some(oldest) = self.kept.pop_front()
            && !self.kept.contains(&oldest)
            && self.active.get(&oldest).is_some_and(|active| active.run.stage == Stage::Waiting)
        {
            self.active.remove(&oldest);
        }
    }

    pub(super) fn is_defined(&self, active: &Active) -> bool {
        self.catalog.is_defined(active.graph.workflow_id())
    }

    /// Takes a run out of memory, or reads it. A run that was executing and is not in memory was interrupted by the
    /// death of the process before, and its workflow is not taken up yet: that is counted first.
    pub(super) fn activate(&mut self, id: RunId, now_ms: i64) -> Result<Option<Active>> {
        if let Some(active) = self.active.remove(&id) {
            return Ok(Some(active));
        }
        let Some(active) = self.load(id)? else { return Ok(None) };
        if active.run.stage != Stage::Executing {
            return Ok(Some(active));
        }
        self.transition(active, Event::Interrupted, now_ms, false)?;
        match self.active.remove(&id) {
            Some(active) => Ok(Some(active)),
            None => self.load(id),
        }
    }

    /// Reads a run. An open run follows the definition this process has, if it begins with the steps the run has
    /// passed; if not, or if it does not fit its own definition, the run is parked as stuck.
    pub(super) fn load(&mut self, id: RunId) -> Result<Option<Active>> {
        self.read(id, Occasion::Load)
    }

    /// The same for a run that has just been stored as taken up.
    pub(super) fn load_taken_up(&mut self, id: RunId) -> Result<Option<Active>> {
        self.read(id, Occasion::TakeUp)
    }

    fn read(&mut self, id: RunId, occasion: Occasion) -> Result<Option<Active>> {
        let Some(summary) = self.store.summary(id)? else { return Ok(None) };
        let pinned = summary.definition;
        let graph = match summary.open && !summary.status.is_final() {
            true => self.catalog.followed(&summary.workflow_id, pinned, &mut *self.store)?,
            false => self.catalog.stored(pinned, &mut *self.store)?,
        };
        let restored = match occasion {
            Occasion::Load => machine::restore(&summary, &graph, &self.secret),
            Occasion::TakeUp => machine::take_up(&summary, &graph, &self.secret),
        };
        match restored {
            Ok(mut run) => {
                for (at, place, event) in machine::filters(&run, &graph) {
                    if let Some(event) = self.store.next_event(&place, &event)? {
                        machine::look_again(&mut run, at, &event, &graph, &self.secret);
                    }
                }
                if graph.id != pinned {
                    self.store.write(&Write::SetDefinition(id, graph.id))?;
                }
                self.read.insert(id);
                Ok(Some(Active { run, graph }))
            }
            Err(_) if summary.status == RunStatus::Stuck => {
                Ok(Some(Active { run: machine::stuck(&summary, &graph), graph }))
            }
            // The rows of a run that is taken up may be of another definition, or of another run.
            Err(misfit) if graph.id == pinned && occasion == Occasion::Load => {
                self.carry_out(id, machine::park_damaged(id, &misfit))?;
                Ok(None)
            }
            Err(changed) => {
                self.carry_out(id, machine::park(id, &changed))?;
                Ok(None)
            }
        }
    }

    /// A transaction has failed: the host has what it had, since when it has had it.
    pub(super) fn keep_clocks(&mut self) {
        let attempts = self
            .active
            .values()
            .flat_map(|active| active.run.executing().map(|attempt| ((active.run.id, attempt.fence), attempt.clock())));
        self.clocks.extend(attempts);
        self.clocks.extend(self.clocks_over.drain());
    }

    /// Reads every ready run again after a failed commit. What was executing still is: the host did not die. If the
    /// host never heard of it, its next heartbeat shows.
    pub(super) fn reload(&mut self, now_ms: i64) -> Result<()> {
        self.active.clear();
        self.kept.clear();
        self.read.clear();
        self.slots.clear(now_ms);
        self.attempt_deadlines.clear();
        self.schedules_due.clear();
        self.timers_changed = true;
        let before = std::mem::take(&mut self.circuits);
        self.recall()?;
        // That the clock has gone back may have been noticed by a transaction that failed.
        self.put_circuits_right(now_ms)?;
        for workflow_id in self.catalog.workflow_ids() {
            self.recall_schedules(&workflow_id, now_ms)?;
            self.put_starts_right(&workflow_id, now_ms)?;
            for id in self.store.ready_runs(&workflow_id)? {
                let Some(mut active) = self.load(id)? else { continue };
                if active.run.stage == Stage::Executing {
                    let (graph, secret) = (active.graph.clone(), self.secret.clone());
                    let circuits = std::mem::take(&mut self.circuits);
                    let out = Transition::default();
                    let mut turn = Turn { graph: &graph, now_ms, slot: Slot::Taken, secret: &secret, circuits, out };
                    machine::begin_attempts(&mut active.run, &self.clocks, &mut turn);
                    self.circuits = turn.circuits;
                    self.carry_out(id, turn.out)?;
                }
                self.settle(Stage::Ended, active);
            }
        }
        for (name, circuit) in before {
            let executes = |&(run, fence): &(RunId, u64)| {
                self.active.get(&run).is_some_and(|active| active.run.is_executing(fence))
            };
            if let (Some(probe), Some(now)) = (circuit.probe.filter(executes), self.circuits.get_mut(&name)) {
                now.probe = Some(probe);
            }
        }
        self.stale = false;
        Ok(())
    }
}
