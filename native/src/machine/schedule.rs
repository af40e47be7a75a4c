//! When a schedule starts runs: which instants are due, and what becomes of each. A pure function of what its workflow
//! says, how far it has come, and the clock.
//!
//! An instant is **decided** once: it starts a run, waits for the run before it, or is skipped because that has not
//! ended. Instants that lie behind when the schedule is looked at are **missed** but for the latest, and the misfire
//! policy says which of them are decided; the others are passed over. So the engine never starts two runs for one
//! instant, and a clock that jumps ahead and back again leaves nothing out.

use super::retry::unit;
use crate::cron::Cron;
use crate::definition::{Misfire, Overlap, ScheduleSpec, Timing};
use crate::error::{Error, Result};
use crate::limits;
use crate::model::Progress;

/// A schedule whose timing has been read.
#[derive(Debug)]
pub struct Schedule<'a> {
    spec: &'a ScheduleSpec,
    instants: Instants,
    /// Makes its jitter differ from that of others.
    seed: u64,
}

#[derive(Debug)]
enum Instants {
    Cron(Box<Cron>),
    Every(i64),
}

/// What goes on around a schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Surroundings {
    /// Nothing of its workflow is executed.
    pub is_paused: bool,
    /// A run of it has not ended.
    pub is_busy: bool,
}

impl<'a> Schedule<'a> {
    /// Reads the timing of a stored schedule, which was valid when it was stored.
    pub fn new(workflow: &str, spec: &'a ScheduleSpec) -> Result<Schedule<'a>> {
        let instants = match &spec.timing {
            Timing::Cron { pattern, timezone } => {
                let damaged = |error| Error::corrupt(format!("the schedule `{}` of `{workflow}`: {error}", spec.name));
                Instants::Cron(Box::new(Cron::parse(pattern, timezone).map_err(damaged)?))
            }
            Timing::Interval { every_ms } | Timing::Poll { every_ms } => Instants::Every(*every_ms as i64),
        };
        let seed = hash(workflow.bytes().chain(spec.name.bytes()));
        Ok(Schedule { spec, instants, seed })
    }

    /// A schedule that is new at this time. A poll is due at once.
    pub fn begin(&self, now_ms: i64) -> Progress {
        let is_poll = matches!(self.spec.timing, Timing::Poll { .. });
        let next_at_ms = if is_poll { Some(now_ms) } else { self.after(now_ms, now_ms) };
        Progress { anchor_at_ms: now_ms, since_at_ms: now_ms, next_at_ms, seen_at_ms: now_ms, ..Progress::default() }
    }

    /// The same schedule with other instants: from now on those count. What is queued stays.
    pub fn changed(&self, before: Progress, now_ms: i64) -> Progress {
        let Progress { queued, last_at_ms, last_run, .. } = before;
        Progress { queued, last_at_ms, last_run, ..self.begin(now_ms) }
    }

    /// The clock went back: what it comes to again is decided unless it was before. It goes on behind what was decided
    /// last before this time: what came since then was jumped over, and is missed.
    pub fn clock_went_back(&self, progress: &mut Progress, now_ms: i64) {
        close_stretch(progress);
        let is_in_stretch = is_decided(progress, now_ms);
        let behind = progress.stretches.iter().map(|(_, end)| *end).rfind(|end| *end <= now_ms);
        let after_ms = behind.filter(|_| !is_in_stretch).map_or(now_ms, |end| end - 1);
        self.go_on_at(progress, self.after(progress.anchor_at_ms, after_ms), now_ms);
        progress.seen_at_ms = now_ms;
    }

    /// When it is to be looked at.
    pub fn due_at_ms(&self, progress: &Progress) -> Option<i64> {
        progress.next_at_ms.map(|next_at_ms| self.begins_at_ms(progress.anchor_at_ms, next_at_ms))
    }

    /// Decides what is due, and gives the instants that start runs now, in order.
    pub fn decide(&self, progress: &mut Progress, now_ms: i64, around: Surroundings) -> Vec<i64> {
        progress.seen_at_ms = now_ms;
        let most = match self.spec.misfire {
            Misfire::All if !around.is_paused => limits::MISFIRES as usize,
            _ => 1,
        };
        let due = self.due(progress, now_ms, most);
        let accepted = self.accept(progress, due, most, now_ms);
        if around.is_paused {
            // What has come has come, and starts nothing.
            return Vec::new();
        }
        // Something is queued whatever the policy, if it was another one before.
        match self.spec.overlap {
            Overlap::Allow => std::mem::take(&mut progress.queued).into_iter().chain(accepted).collect(),
            Overlap::Skip if around.is_busy && !planted!(OverlapIgnored) => Vec::new(),
            Overlap::Skip => self.next_queued(progress, around).into_iter().chain(accepted).take(1).collect(),
            Overlap::Queue => {
                let room = (limits::INSTANTS_QUEUED as usize).saturating_sub(progress.queued.len());
                progress.queued.extend(accepted.into_iter().take(room));
                self.next_queued(progress, around).into_iter().collect()
            }
        }
    }

    /// The instant that starts a run because the run before has ended.
    pub fn next_queued(&self, progress: &mut Progress, around: Surroundings) -> Option<i64> {
        let may = !around.is_busy && !around.is_paused && !progress.queued.is_empty();
        may.then(|| progress.queued.remove(0))
    }

    /// The next instants from where it is, for people.
    pub fn upcoming(&self, progress: &Progress, count: usize) -> Vec<i64> {
        let mut instants: Vec<i64> = progress.next_at_ms.into_iter().collect();
        while !instants.is_empty() && instants.len() < count {
            match self.undecided_after(progress, instants[instants.len() - 1]) {
                Some(next) => instants.push(next),
                None => break,
            }
        }
        instants
    }

    /// The latest instants that are due, as many as are decided at most; one more if there are that many.
    fn due(&self, progress: &Progress, now_ms: i64, most: usize) -> Vec<i64> {
        let (Some(next_at_ms), anchor_at_ms) = (progress.next_at_ms, progress.anchor_at_ms) else { return Vec::new() };
        let mut due = self.latest(anchor_at_ms, next_at_ms, now_ms, most + 1);
        // The jitter of the others is over, for it ends before the next instant.
        due.pop_if(|last| self.begins_at_ms(anchor_at_ms, *last) > now_ms);
        due
    }

    /// Which of the due instants are decided. They and those before them lie behind afterwards.
    fn accept(&self, progress: &mut Progress, mut due: Vec<i64>, most: usize, now_ms: i64) -> Vec<i64> {
        let Some(&last) = due.last() else { return due };
        let lateness_ms = now_ms - self.begins_at_ms(progress.anchor_at_ms, last);
        if self.spec.misfire == Misfire::Skip && lateness_ms > limits::MISFIRE_LATE_MS as i64 {
            self.pass_over(progress, last);
            return Vec::new();
        }
        due.drain(..due.len().saturating_sub(most));
        if due.first() != progress.next_at_ms.as_ref() {
            close_stretch(progress);
            self.go_on_at(progress, due.first().copied(), now_ms);
        }
        due.retain(|instant| !is_decided(progress, *instant));
        self.advance(progress, last);
        due
    }

    /// Every instant up to this one lies behind, undecided.
    fn pass_over(&self, progress: &mut Progress, last: i64) {
        let next = self.undecided_after(progress, last);
        close_stretch(progress);
        progress.next_at_ms = next;
        progress.since_at_ms = next.unwrap_or(i64::MAX);
    }

    /// A new stretch begins at this instant, or at the first undecided one after it.
    fn go_on_at(&self, progress: &mut Progress, instant: Option<i64>, now_ms: i64) {
        let is_free = instant.filter(|instant| !is_decided(progress, *instant));
        progress.next_at_ms = is_free.or_else(|| instant.and_then(|instant| self.undecided_after(progress, instant)));
        progress.since_at_ms = progress.next_at_ms.unwrap_or(now_ms);
    }

    /// The present stretch goes on behind this instant. A stretch it comes to becomes part of it.
    fn advance(&self, progress: &mut Progress, last: i64) {
        let mut next = self.after(progress.anchor_at_ms, last);
        while let Some(instant) = next
            && let Some(place) = stretch_of(progress, instant)
        {
            let (begin, end) = progress.stretches.remove(place);
            progress.since_at_ms = progress.since_at_ms.min(begin);
            next = self.after(progress.anchor_at_ms, end - 1);
        }
        progress.next_at_ms = next;
    }

    fn undecided_after(&self, progress: &Progress, instant: i64) -> Option<i64> {
        let mut next = self.after(progress.anchor_at_ms, instant)?;
        while let Some(place) = stretch_of(progress, next) {
            next = self.after(progress.anchor_at_ms, progress.stretches[place].1 - 1)?;
        }
        Some(next)
    }

    /// The first instant after a time.
    fn after(&self, anchor_at_ms: i64, after_ms: i64) -> Option<i64> {
        match &self.instants {
            Instants::Cron(cron) => cron.next(after_ms),
            Instants::Every(every_ms) => {
                // Backwards, too: a clock that was wrong when the schedule was stored goes back behind its beginning.
                let passed = after_ms.saturating_sub(anchor_at_ms).div_euclid(*every_ms);
                passed.checked_add(1)?.checked_mul(*every_ms)?.checked_add(anchor_at_ms)
            }
        }
    }

    /// The latest instants of a stretch of time, in order.
    fn latest(&self, anchor_at_ms: i64, from_ms: i64, until_ms: i64, count: usize) -> Vec<i64> {
        match &self.instants {
            _ if until_ms < from_ms => Vec::new(),
            Instants::Cron(cron) => cron.latest(from_ms, until_ms, count),
            Instants::Every(every_ms) => {
                let last = (until_ms - anchor_at_ms).div_euclid(*every_ms);
                let first = (from_ms - anchor_at_ms + every_ms - 1).div_euclid(*every_ms);
                let first = first.max(last.saturating_sub(count as i64 - 1));
                (first..=last).map(|number| anchor_at_ms + number * every_ms).collect()
            }
        }
    }

    /// When the run of an instant begins: up to the jitter later, by a hash, and before the next instant. So instants
    /// keep their order, and none is taken for missed because another one is due at the same time.
    fn begins_at_ms(&self, anchor_at_ms: i64, instant: i64) -> i64 {
        if self.spec.jitter_ms == 0 {
            return instant;
        }
        let until_next_ms = self.after(anchor_at_ms, instant).map_or(i64::MAX, |next| next - instant);
        let longest_ms = until_next_ms.saturating_sub(1).min(self.spec.jitter_ms as i64);
        let share = unit(self.seed ^ (instant as u64).rotate_left(17));
        instant.saturating_add((share * (longest_ms + 1) as f64) as i64)
    }
}

/// When a poll that failed is tried again: the interval, doubled with each failure.
pub fn poll_backoff_ms(every_ms: u64, failures: u32) -> u64 {
    let factor = 1u64.checked_shl(failures.saturating_sub(1)).unwrap_or(u64::MAX);
    every_ms.saturating_mul(factor).min(limits::POLL_BACKOFF_MS.max(every_ms))
}

fn stretch_of(progress: &Progress, instant: i64) -> Option<usize> {
    progress.stretches.iter().position(|(from, to)| (*from..*to).contains(&instant))
}

fn is_decided(progress: &Progress, instant: i64) -> bool {
    stretch_of(progress, instant).is_some()
}

/// Remembers the present stretch as an earlier one. Those that touch become one; of too many the two oldest, with what
/// lies between.
fn close_stretch(progress: &mut Progress) {
    let end = progress.next_at_ms.unwrap_or(i64::MAX);
    if end > progress.since_at_ms {
        progress.stretches.push((progress.since_at_ms, end));
        progress.stretches.sort_unstable();
    }
    progress.stretches.dedup_by(|later, earlier| {
        let touches = later.0 <= earlier.1;
        earlier.1 = if touches { earlier.1.max(later.1) } else { earlier.1 };
        touches
    });
    while progress.stretches.len() as u64 > limits::STRETCHES_REMEMBERED {
        let (_, end) = progress.stretches.remove(1);
        progress.stretches[0].1 = end;
    }
}

/// FNV-1a, the hash of Fowler, Noll and Vo.
fn hash(bytes: impl Iterator<Item = u8>) -> u64 {
    bytes.fold(0xcbf2_9ce4_8422_2325, |state, byte| (state ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests;
