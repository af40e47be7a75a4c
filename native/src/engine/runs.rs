//! Runs between memory and disk: they are loaded, moved by the machine, put where their stage says, and fired by timers.

use super::{Active, Engine};
use crate::error::{Error, Result};
use crate::ids::RunId;
use crate::limits;
use crate::machine::{self, Context, Event, Stage, Transition};
use crate::model::{TimerKind, Write};

impl Engine {
    /// Fires what is due. Timers are never early: due means at or before the host's clock (P6).
    pub(super) fn fire_timers(&mut self, now_ms: i64) -> Result<()> {
        while let Some(&(due_at_ms, run, sequence)) = self.attempt_deadlines.first()
            && due_at_ms <= now_ms
        {
            self.attempt_deadlines.pop_first();
            if let Some(active) = self.active.remove(&run) {
                debug_assert_eq!(active.run.sequence, sequence);
                self.transition(active, Event::AttemptTimedOut, now_ms, false)?;
            }
        }
        let now_or_early = if planted!(EarlyTimer) { now_ms + 400 } else { now_ms };
        if !self.timers_changed && self.next_timer.is_none_or(|due_at_ms| due_at_ms > now_or_early) {
            return Ok(());
        }
        for timer in self.store.due_timers(now_or_early, limits::TIMERS_PER_COMMIT as u32)? {
            // An earlier timer of this batch may have ended the run and cleared this one.
            let Some(active) = self.activate(timer.run)? else { continue };
            match (timer.kind, active.run.stage) {
                (TimerKind::Wake, Stage::Waiting) => {
                    let slot_free = self.slots.is_free_for(&active.run) && self.is_defined(&active);
                    self.transition(active, Event::Woken, now_ms, slot_free)?;
                }
                (TimerKind::Deadline, _) if !active.run.status.is_final() => {
                    let slot_free = self.slots.is_free_for(&active.run) && self.is_defined(&active);
                    self.transition(active, Event::DeadlinePassed, now_ms, slot_free)?;
                }
                // Left by an earlier definition of the workflow. It would be due for ever.
                (kind, _) => {
                    self.store.write(&Write::ClearTimer(timer.run, kind))?;
                    self.settle(active.run.stage, active.run.attempt_deadline_ms, active);
                }
            }
        }
        self.timers_changed = true;
        Ok(())
    }

    pub(super) fn admit(&mut self, now_ms: i64) -> Result<()> {
        while let Some(run) = self.slots.next() {
            match self.active.remove(&run) {
                Some(active) if active.run.stage == Stage::Queued => {
                    self.transition(active, Event::Admitted, now_ms, true)?;
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
    ) -> Result<Option<i64>> {
        let before = (active.run.stage, active.run.attempt_deadline_ms, active.run.sequence);
        let graph = active.graph.clone();
        let mut out = Transition::default();
        let applied = machine::apply(&mut active.run, event, Context { graph: &graph, now_ms, slot_free }, &mut out);
        if applied.is_ok() {
            self.carry_out(&mut out)?;
            if let Some(deadline) = before.1 {
                self.attempt_deadlines.remove(&(deadline, active.run.id, before.2));
            }
            self.settle(before.0, None, active);
        } else {
            self.settle(before.0, before.1, active);
        }
        applied.map(|()| out.retry_at_ms)
    }

    /// Stores the writes and keeps the effects for after the commit.
    pub(super) fn carry_out(&mut self, out: &mut Transition<'_>) -> Result<()> {
        for write in &out.writes {
            self.timers_changed |= matches!(write, Write::SetTimer(..) | Write::ClearTimer(..));
            self.store.write(write)?;
        }
        self.effects.append(&mut out.effects);
        Ok(())
    }

    /// Puts a run where its stage says: in memory, in the queue, or nowhere.
    pub(super) fn settle(&mut self, before: Stage, known_deadline: Option<i64>, active: Active) {
        let run = &active.run;
        self.slots.moved(run);
        match run.stage {
            Stage::Executing => {
                if let Some(deadline) = run.attempt_deadline_ms
                    && known_deadline != run.attempt_deadline_ms
                {
                    self.attempt_deadlines.insert((deadline, run.id, run.sequence));
                }
            }
            // Without handlers in this process it stays on disk until its workflow is defined.
            Stage::Queued if !self.is_defined(&active) => return,
            Stage::Queued if before != Stage::Queued => self.slots.queue(run),
            Stage::Queued => {}
            Stage::Waiting | Stage::Ended => return,
        }
        self.active.insert(run.id, active);
    }

    pub(super) fn is_defined(&self, active: &Active) -> bool {
        self.catalog.current(active.graph.workflow_id()).is_some()
    }

    /// Takes a run out of memory, or reads it. A run that was executing and is not in memory belongs to a workflow
    /// that is not defined yet: it holds no slot, and its interruption is counted when it is.
    pub(super) fn activate(&mut self, id: RunId) -> Result<Option<Active>> {
        if let Some(active) = self.active.remove(&id) {
            return Ok(Some(active));
        }
        let mut loaded = self.load(id)?;
        if let Some(active) = &mut loaded
            && active.run.stage == Stage::Executing
        {
            active.run.stage = Stage::Queued;
        }
        Ok(loaded)
    }

    /// Reads a run. An open run follows the definition this process has, if it begins with the steps the run has
    /// passed; if not, the run is parked as stuck.
    pub(super) fn load(&mut self, id: RunId) -> Result<Option<Active>> {
        let Some(summary) = self.store.summary(id)? else { return Ok(None) };
        let current =
            self.catalog.current(&summary.workflow_id).filter(|_| summary.open && !summary.status.is_final()).cloned();
        let graph = match current {
            Some(graph) => graph,
            None => self.catalog.stored(summary.definition, &mut *self.store)?,
        };
        match machine::restore(&summary, &graph) {
            Ok(run) => {
                if graph.id != summary.definition {
                    self.store.write(&Write::SetDefinition(id, graph.id))?;
                }
                Ok(Some(Active { run, graph }))
            }
            Err(changed) => {
                let stored = self.catalog.stored(summary.definition, &mut *self.store)?;
                if graph.id == stored.id {
                    return Err(Error::corrupt(format!("run {id} does not fit its definition: {}", changed.message)));
                }
                let mut out = Transition::default();
                machine::park(id, &changed, &mut out);
                self.carry_out(&mut out)?;
                Ok(None)
            }
        }
    }

    /// Reads every ready run again after a failed commit. What was executing still is: the host did not die. If the
    /// host never heard of it, its next heartbeat shows.
    pub(super) fn reload(&mut self, now_ms: i64) -> Result<()> {
        self.active.clear();
        self.slots.clear();
        self.attempt_deadlines.clear();
        self.timers_changed = true;
        for workflow_id in self.catalog.workflow_ids() {
            for id in self.store.ready_runs(&workflow_id)? {
                let Some(mut active) = self.load(id)? else { continue };
                if active.run.stage == Stage::Executing {
                    machine::begin_attempt(&mut active.run, Context { graph: &active.graph, now_ms, slot_free: false });
                }
                self.settle(Stage::Ended, None, active);
            }
        }
        self.stale = false;
        Ok(())
    }
}
