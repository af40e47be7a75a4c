//! Which runs may execute. A run holds a slot from its first handler until it waits or ends; the others queue in
//! order.
//!
//! A run whose step has seen `SUSPECT_DEATHS` process deaths is a suspect: at most one suspect executes at a time,
//! so that a poison step is found out without taking the innocent runs beside it along (P8).

use std::collections::VecDeque;

use crate::ids::RunId;
use crate::limits;
use crate::machine::{Run, Stage};

#[derive(Debug, Default)]
pub struct Slots {
    capacity: usize,
    used: usize,
    queue: VecDeque<RunId>,
    suspects: VecDeque<RunId>,
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
        self.used < self.capacity && self.queue.is_empty()
    }

    /// Runs executing, and runs queued.
    pub fn counts(&self) -> (usize, usize) {
        (self.used, self.queue.len() + self.suspects.len())
    }

    /// Keeps the books after a run has moved.
    pub fn moved(&mut self, before: Stage, run: &Run) {
        let (held, holds) = (before == Stage::Executing, run.stage == Stage::Executing);
        if holds && !held {
            self.used += 1;
        }
        if held && !holds {
            self.used -= 1;
        }
        if self.executing_suspect == Some(run.id) && !(holds && is_suspect(run)) {
            self.executing_suspect = None;
        }
    }

    /// Queues a run that is ready.
    pub fn queue(&mut self, run: &Run) {
        let queue = if is_suspect(run) { &mut self.suspects } else { &mut self.queue };
        queue.push_back(run.id);
    }

    /// The next queued run, if a slot is free. The caller skips one that has moved on since it was queued.
    pub fn next(&mut self) -> Option<RunId> {
        if self.used >= self.capacity {
            return None;
        }
        if self.executing_suspect.is_none()
            && let Some(suspect) = self.suspects.pop_front()
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
