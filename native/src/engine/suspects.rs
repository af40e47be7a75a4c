//! Runs whose step has seen `SUSPECT_DEATHS` process deaths. One of them may be the step that kills its process (P8).
//!
//! Nobody can tell that step from an innocent one that executed beside it, or that executed when the process was
//! killed by somebody else. So a suspect is on **trial** while it executes, and trials are held apart:
//!
//! - A trial begins when nothing suspicious has begun for a while: neither the process nor another trial that goes on.
//!   The while is `SUSPECT_QUIET_MS` and doubles with each further death. A process that is killed from outside every
//!   moment tries nobody, and a process that kills itself does other work first.
//! - The last trial, after which a run would be given up, has no other beside it.
//! - Those with the fewest deaths are tried first, so that no innocent run is there each time.
//!
//! What is innocent and takes long holds the others up for the while only, not until it ends.

use std::collections::BTreeMap;

use crate::ids::RunId;
use crate::limits::{CRASH_LOOP_DEATHS, SUSPECT_DEATHS, SUSPECT_QUIET_MS};

/// Whether a run with so many deaths is one.
pub fn is_suspect(deaths: u32) -> bool {
    u64::from(deaths) >= SUSPECT_DEATHS
}

/// How long nothing suspicious must have begun before a run with so many deaths executes.
pub fn quiet_ms(deaths: u32) -> i64 {
    (SUSPECT_QUIET_MS as i64) << (u64::from(deaths).clamp(SUSPECT_DEATHS, CRASH_LOOP_DEATHS) - SUSPECT_DEATHS)
}

/// Whether one more death of a run is the last.
pub fn is_last_trial(deaths: u32) -> bool {
    u64::from(deaths) + 1 >= CRASH_LOOP_DEATHS
}

#[derive(Debug)]
struct Trial {
    deaths: u32,
    began_at_ms: i64,
}

/// The suspects, each with what its slot depends on.
#[derive(Debug, Default)]
pub struct Suspects<T> {
    waiting: BTreeMap<(u32, RunId), T>,
    trials: BTreeMap<RunId, Trial>,
    /// When this process has begun to offer slots.
    offers_since_ms: Option<i64>,
    /// The clock at the last look.
    now_ms: i64,
}

impl<T> Suspects<T> {
    /// Slots are offered. Time is counted from the first.
    pub fn are_offered_slots(&mut self, now_ms: i64) {
        self.offers_since_ms.get_or_insert(now_ms);
    }

    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    pub fn wait(&mut self, deaths: u32, run: RunId, slot: T) {
        self.waiting.insert((deaths, run), slot);
    }

    /// A run waits no longer.
    pub fn leave(&mut self, run: RunId) {
        self.waiting.retain(|(_, waiting), _| *waiting != run);
    }

    /// A run executes, or no longer does. One that comes from the store, after a failed commit, is on trial from now.
    pub fn moved(&mut self, run: RunId, deaths: u32, executes: bool) {
        if executes && is_suspect(deaths) {
            self.trials.entry(run).or_insert(Trial { deaths, began_at_ms: self.now_ms });
        } else if !self.trials.is_empty() {
            self.trials.remove(&run);
        }
    }

    /// The trial that begins now, if one may. `has_slot` says whether there is a slot for it.
    pub fn next(&mut self, now_ms: i64, has_slot: impl Fn(&T) -> bool) -> Option<RunId> {
        self.now_ms = now_ms;
        if self.waiting.is_empty() {
            return None;
        }
        // Where the clock has gone back, the time before is not waited for once more.
        let trials = self.trials.values_mut().map(|trial| &mut trial.began_at_ms);
        trials.chain(&mut self.offers_since_ms).for_each(|since_ms| *since_ms = now_ms.min(*since_ms));
        let ((deaths, run), due_at_ms) = self.first(has_slot)?;
        if due_at_ms > now_ms {
            return None;
        }
        self.waiting.remove(&(deaths, run));
        self.trials.insert(run, Trial { deaths, began_at_ms: now_ms });
        Some(run)
    }

    /// When the next trial begins, if it is only time that is waited for.
    pub fn due_at_ms(&self, has_slot: impl Fn(&T) -> bool) -> Option<i64> {
        self.first(has_slot).map(|(_, due_at_ms)| due_at_ms).filter(|due_at_ms| *due_at_ms > self.now_ms)
    }

    /// The first for which there is a slot. Those after it have as many deaths or more, and begin no earlier.
    fn first(&self, has_slot: impl Fn(&T) -> bool) -> Option<((u32, RunId), i64)> {
        let (&(deaths, run), _) = self.waiting.iter().find(|(_, slot)| has_slot(slot))?;
        let must_be_alone = is_last_trial(deaths) || self.trials.values().any(|trial| is_last_trial(trial.deaths));
        if must_be_alone && !self.trials.is_empty() {
            return None;
        }
        let trials = self.trials.values().map(|trial| trial.began_at_ms);
        let since_ms = trials.chain(self.offers_since_ms).max()?;
        let quiet_ms = if planted!(SuspectsTogether) { 0 } else { quiet_ms(deaths) };
        Some(((deaths, run), since_ms.saturating_add(quiet_ms)))
    }

    /// Forgets every run, and keeps since when slots are offered.
    pub fn clear(&mut self, now_ms: i64) {
        self.now_ms = now_ms;
        self.waiting.clear();
        self.trials.clear();
    }
}
