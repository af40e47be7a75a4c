//! Whether the runs that were started are those that had to be, by how runs of a schedule may overlap.

use std::collections::BTreeSet;

use super::super::{Verdict, ensure};
use super::known::{Known, Look};
use super::{Key, ONCE};
use crate::definition::Overlap;
use crate::limits;

/// What is around the looks at one schedule in one transaction.
pub struct Around<'a> {
    pub key: &'a Key,
    /// Runs that were first seen, in the order in which they were started.
    pub fresh: Vec<i64>,
    /// A run of it had not ended before.
    pub was_busy: bool,
    /// The same run has not ended since.
    pub stays_busy: bool,
    /// A run of it has not ended now.
    pub is_busy: bool,
    /// A run of it was taken up again.
    pub is_reopened: bool,
    /// Its workflow is paused now.
    pub is_paused: bool,
}

impl Known {
    /// The runs that were started are those that had to be.
    pub fn compare(&mut self, looks: &[Look], around: &Around<'_>) -> Verdict {
        match self.spec.overlap {
            Overlap::Allow => self.compare_all(looks, around),
            Overlap::Skip => self.compare_skipping(looks, around),
            Overlap::Queue => self.compare_queue(looks, around),
        }
    }

    fn compare_all(&mut self, looks: &[Look], around: &Around<'_>) -> Verdict {
        let mut wanted: BTreeSet<i64> = looks.iter().flat_map(|look| look.accepted.iter().copied()).collect();
        if !looks.is_empty() {
            wanted.extend(self.queued.drain(..));
        }
        let fresh: BTreeSet<i64> = around.fresh.iter().copied().collect();
        self.perhaps.extend(looks.iter().flat_map(|look| &look.unsure));
        let is_unsure = |instant: &i64| self.perhaps.contains(instant);
        let missing: Vec<&i64> = wanted.difference(&fresh).filter(|instant| !is_unsure(instant)).collect();
        let extra: Vec<&i64> = fresh.difference(&wanted).collect();
        ensure(missing.is_empty() && extra.is_empty(), ONCE, || {
            format!("{:?} has no runs for {missing:?} and has some for {extra:?}: {:?}", around.key, self.spec)
        })
    }

    fn compare_skipping(&mut self, looks: &[Look], around: &Around<'_>) -> Verdict {
        let rule = "overlap `skip`: an instant starts a run unless one has not ended";
        let wrong = |wrong: &str| {
            format!("{:?} {wrong}: {looks:?} after {:?} started {:?}", around.key, self.queued, around.fresh)
        };
        let first = looks.iter().find(|look| !look.accepted.is_empty() || !self.queued.is_empty());
        let heads = looks.iter().filter_map(|look| look.accepted.first());
        let may: BTreeSet<i64> = heads.chain(self.queued.iter()).copied().collect();
        ensure(around.fresh.iter().all(|instant| may.contains(instant)), rule, || wrong("has too many"))?;
        ensure(!around.stays_busy || around.fresh.is_empty(), rule, || wrong("was busy"))?;
        if around.stays_busy && looks.iter().any(|look| !look.accepted.is_empty()) {
            self.lived_through.insert("overlap `skip`, and a run has not ended");
        }
        if let Some(look) = first.filter(|_| !around.was_busy && !around.is_reopened) {
            let head = self.queued.front().or(look.accepted.first());
            let is_sure = head.is_some_and(|head| !look.unsure.contains(head));
            ensure(!is_sure || around.fresh.first() == head, rule, || wrong("was not busy"))?;
        }
        self.queued.retain(|instant| !around.fresh.contains(instant));
        Ok(())
    }

    fn compare_queue(&mut self, looks: &[Look], around: &Around<'_>) -> Verdict {
        let rule = "overlap `queue`: every instant starts a run when that of the one before has ended";
        for instant in looks.iter().flat_map(|look| &look.accepted) {
            if (self.queued.len() as u64) < limits::INSTANTS_QUEUED {
                self.queued.push_back(*instant);
            }
        }
        self.perhaps.extend(looks.iter().flat_map(|look| &look.unsure));
        for instant in &around.fresh {
            while self.queued.front().is_some_and(|front| front != instant && self.perhaps.contains(front)) {
                self.queued.pop_front();
            }
            let next = self.queued.pop_front();
            ensure(next == Some(*instant), rule, || {
                format!("{:?} started {:?}, but {next:?} was next", around.key, around.fresh)
            })?;
        }
        if around.is_busy && !self.queued.is_empty() {
            self.lived_through.insert("overlap `queue`, and a run has not ended");
        }
        if around.was_busy && !around.fresh.is_empty() {
            self.lived_through.insert("overlap `queue`, and the run before has ended");
        }
        let is_queued = self.queued.iter().any(|instant| !self.perhaps.contains(instant));
        let waits_for_nobody = !looks.is_empty() && !around.is_busy && !around.is_paused && is_queued;
        ensure(!waits_for_nobody, rule, || format!("{:?} does not start {:?}", around.key, self.queued))
    }
}
