//! One schedule: which instants a look at it accepts.

use std::collections::{BTreeSet, VecDeque};

use super::super::Violation;
use super::super::timetable::Timetable;
use crate::definition::{Misfire, Overlap, ScheduleSpec, Timing};
use crate::limits;

/// A schedule, and how far it should have come.
#[derive(Debug)]
pub struct Known {
    pub spec: ScheduleSpec,
    pub table: Timetable,
    /// When it was first stored with this timing.
    pub began_at_ms: i64,
    /// Every instant up to this one lies behind.
    pub behind_ms: i64,
    /// The last instant that ever lay behind.
    pub furthest_ms: i64,
    /// When it was last looked at.
    pub seen_at_ms: i64,
    /// How often instants were left out between others: the engine remembers some of these gaps, not all.
    pub gaps: u64,
    /// Instants that wait for the end of a run.
    pub queued: VecDeque<i64>,
    /// Those of them of which the engine may not know.
    pub perhaps: BTreeSet<i64>,
    /// Instants that were decided, since it has this timing: they start a run, or never will.
    pub decided: BTreeSet<i64>,
    /// When a poll is to be asked.
    pub poll_at_ms: i64,
    /// When it was last answered.
    pub polled_at_ms: Option<i64>,
    pub failures: u32,
    /// It was other before, or its workflow was paused, or the clock has gone back.
    pub is_troubled: bool,
    /// What has happened to it, in words.
    pub lived_through: BTreeSet<&'static str>,
}

/// What one look at a schedule led to.
#[derive(Debug, Default)]
pub struct Look {
    pub accepted: Vec<i64>,
    /// The engine may have forgotten that these were passed over.
    pub unsure: BTreeSet<i64>,
}

impl Known {
    /// A schedule that is new at this time.
    pub fn new(workflow: &str, spec: &ScheduleSpec, now_ms: i64) -> Result<Known, Violation> {
        Ok(Known {
            table: Timetable::new(workflow, spec, now_ms)?,
            spec: spec.clone(),
            began_at_ms: now_ms,
            behind_ms: now_ms,
            furthest_ms: now_ms,
            seen_at_ms: now_ms,
            gaps: 0,
            queued: VecDeque::new(),
            perhaps: BTreeSet::new(),
            // What comes when it is stored has come before.
            decided: BTreeSet::from([now_ms]),
            poll_at_ms: now_ms,
            polled_at_ms: None,
            failures: 0,
            is_troubled: false,
            lived_through: BTreeSet::new(),
        })
    }

    /// The workflow says something else of the same instants.
    pub fn follow(&mut self, workflow: &str, spec: &ScheduleSpec) -> Result<(), Violation> {
        self.is_troubled |= self.spec != *spec;
        self.table = Timetable::new(workflow, spec, self.began_at_ms)?;
        self.spec = spec.clone();
        Ok(())
    }

    /// The interval, if it is a poll.
    pub fn poll_every_ms(&self) -> Option<u64> {
        match self.spec.timing {
            Timing::Poll { every_ms } => Some(every_ms),
            _ => None,
        }
    }

    /// The engine hears a time that may lie before the last look. What has come since the last instant before that
    /// time that was decided, is missed.
    pub fn hear(&mut self, now_ms: i64) {
        if now_ms + (limits::CLOCK_BACK_MS as i64) < self.seen_at_ms {
            self.lived_through.insert("the clock goes back");
            self.behind_ms = self.decided.range(..=now_ms).next_back().copied().unwrap_or(now_ms);
            self.seen_at_ms = now_ms;
            self.poll_at_ms = now_ms;
            self.gaps += 1;
            self.is_troubled = true;
        }
    }

    /// Which instants are accepted now.
    pub fn look(&mut self, now_ms: i64, is_paused: bool) -> Look {
        let mut due = self.table.due(self.behind_ms, now_ms, limits::MISFIRES as usize + 1);
        let Some(&last) = due.last() else { return Look::default() };
        if due.iter().any(|instant| !self.decided.contains(instant)) {
            self.seen_at_ms = now_ms;
        }
        let was_furthest_ms = self.furthest_ms;
        self.behind_ms = last;
        self.furthest_ms = self.furthest_ms.max(last);
        let is_late = now_ms - self.table.due_at_ms(last) > limits::MISFIRE_LATE_MS as i64;
        let most = match self.spec.misfire {
            Misfire::Skip if is_late => 0,
            Misfire::All if !is_paused => limits::MISFIRES as usize,
            _ => 1,
        };
        self.note_look(due.len(), is_late, is_paused);
        self.gaps += u64::from(due.len() > most);
        self.is_troubled |= is_paused;
        due.drain(..due.len().saturating_sub(most));
        due.retain(|instant| self.decided.insert(*instant));
        if is_paused {
            // It has come, and starts nothing.
            return Look::default();
        }
        let is_unsure = |instant: &&i64| **instant <= was_furthest_ms && self.gaps >= limits::STRETCHES_REMEMBERED;
        Look { unsure: due.iter().filter(is_unsure).copied().collect(), accepted: due }
    }

    fn note_look(&mut self, due: usize, is_late: bool, is_paused: bool) {
        self.lived_through.insert(match (self.spec.misfire, self.spec.overlap) {
            _ if is_paused => "an instant comes while its workflow is paused",
            _ if due as u64 > limits::MISFIRES => "more are missed than are made up for",
            (Misfire::Skip, _) if is_late => "misfire `skip`, and the last one is late",
            (Misfire::Skip, _) if due > 1 => "misfire `skip`, and the last one is not late",
            (Misfire::Once, _) if due > 1 => "misfire `once`",
            (Misfire::All, Overlap::Queue) if due > 1 => "misfire `all`, one after the other",
            (Misfire::All, _) if due > 1 => "misfire `all`",
            _ if self.spec.jitter_ms > 0 => "an instant with jitter",
            _ => "an instant",
        });
    }

    /// A poll was answered.
    pub fn polled(&mut self, has_failed: bool, now_ms: i64) {
        let every_ms = self.poll_every_ms().unwrap_or_default();
        self.lived_through.insert(if has_failed { "a poll fails" } else { "a poll gives items" });
        self.failures = if has_failed { self.failures + 1 } else { 0 };
        let most_ms = limits::POLL_BACKOFF_MS.max(every_ms);
        let mut pause_ms = every_ms;
        for _ in 1..self.failures {
            pause_ms = (pause_ms * 2).min(most_ms);
        }
        self.poll_at_ms = now_ms + pause_ms as i64;
        self.polled_at_ms = Some(now_ms);
        self.seen_at_ms = now_ms;
    }

    /// Its workflow is defined again, perhaps by the next process: of what was not answered that is asked soon.
    pub fn poll_again(&mut self) {
        let Some(every_ms) = self.poll_every_ms() else { return };
        if self.polled_at_ms != Some(self.seen_at_ms) {
            let again_at_ms = self.seen_at_ms + every_ms.min(limits::POLL_AGAIN_MS) as i64;
            if again_at_ms < self.poll_at_ms {
                self.lived_through.insert("a poll that was not answered is asked again soon");
                self.poll_at_ms = again_at_ms;
            }
        }
    }
}
