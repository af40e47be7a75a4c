//! Which runs may execute. A run holds a slot from its first handler until it waits or ends; the others queue in
//! order.
//!
//! A run whose step has seen `SUSPECT_DEATHS` process deaths is a suspect: at most one suspect executes at a time,
//! so that a poison step is found out without taking the innocent runs beside it along (P8).

use std::collections::{BTreeSet, HashSet, VecDeque};

use crate::ids::RunId;
use crate::limits;
use crate::machine::{Run, Stage};

#[derive(Debug, Default)]
pub struct Slots {
    capacity: usize,
    /// Runs that hold a slot.
    holders: HashSet<RunId>,
    queue: VecDeque<RunId>,
    /// (deaths, run): those with the fewest deaths come first, so that a process that is killed from outside, again
    /// and again, does not wear down the same innocent run each time.
    suspects: BTreeSet<(u32, RunId)>,
    executing_suspect: Option<RunId>,
}

fn is_suspect(run: &Run) -> bool {
    u64::from(run.interruptions) >= limits::SUSPECT_DEATHS
}

impl Slots {
    pub fn set_capacity(&mut self, capacity: u32) {
        self.capacity = (capacity as usize).min(limits::CAPACITY as usize);
    }

    /// Whether a run that becomes ready may execute before anything queued does.
    pub fn is_free(&self) -> bool {
        self.holders.len() < self.capacity && self.queue.is_empty()
    }

    /// Whether this run may execute when it is woken. A suspect always queues, to be executed alone of its kind.
    pub fn is_free_for(&self, run: &Run) -> bool {
        self.is_free() && !is_suspect(run)
    }

    /// Runs executing, and runs queued.
    pub fn counts(&self) -> (usize, usize) {
        (self.holders.len(), self.queue.len() + self.suspects.len())
    }

    /// Keeps the books after a run has moved.
    pub fn moved(&mut self, run: &Run) {
        let holds = run.stage == Stage::Executing;
        if holds {
            self.holders.insert(run.id);
        } else {
            self.holders.remove(&run.id);
        }
        if holds && is_suspect(run) {
            // Also when it comes from the store, after a failed commit.
            self.executing_suspect.get_or_insert(run.id);
        } else if self.executing_suspect == Some(run.id) {
            self.executing_suspect = None;
        }
    }

    /// Queues a run that is ready.
    pub fn queue(&mut self, run: &Run) {
        if is_suspect(run) {
            self.suspects.insert((run.interruptions, run.id));
        } else {
            self.queue.push_back(run.id);
        }
    }

    /// The next queued run, if a slot is free. The caller skips one that has moved on since it was queued.
    pub fn next(&mut self) -> Option<RunId> {
        if self.holders.len() >= self.capacity {
            return None;
        }
        if self.executing_suspect.is_none()
            && let Some((_, suspect)) = self.suspects.pop_first()
        {
            self.executing_suspect = Some(suspect);
            return Some(suspect);
        }
        self.queue.pop_front()
    }

    /// A suspect that `next` gave was no longer queued.
    pub fn skipped(&mut self, run: RunId) {
        if self.executing_suspect == Some(run) {
            self.executing_suspect = None;
        }
    }

    /// Forgets every run, and keeps the capacity.
    pub fn clear(&mut self) {
        *self = Slots { capacity: self.capacity, ..Slots::default() };
    }
}
