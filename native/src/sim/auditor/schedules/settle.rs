//! What schedules and polls have led to in a transaction, and in the end.

use std::collections::{BTreeMap, BTreeSet};

use super::super::{Auditor, Verdict, Violation, ensure, read};
use super::compare::Around;
use super::{Key, ONCE};
use crate::definition::{Misfire, Overlap};
use crate::ids::RunId;
use crate::limits;
use crate::sim::disk::Disk;
use crate::sim::messages::{Answer, Effect};
use crate::sim::wish::PollEnding;

impl Auditor {
    /// The runs that schedules have started in this transaction are those that they had to start.
    pub(in super::super) fn settle_schedules(&mut self, disk: &mut Disk) -> Verdict {
        let looks = match disk.take_applied() {
            Some(number) => self.schedules.replay(number)?,
            None => BTreeMap::new(),
        };
        let fresh = std::mem::take(&mut self.schedules.past.fresh);
        let mut open: BTreeMap<Key, BTreeSet<RunId>> = BTreeMap::new();
        let mut reopened = BTreeSet::new();
        for (run, key) in &self.schedules.of_runs {
            let Some(seen) = self.runs.get(run) else { continue };
            if !seen.row.status.is_final() && !seen.is_gone {
                open.entry(key.clone()).or_default().insert(*run);
            }
            if seen.was_taken_up_in(self.transaction) {
                reopened.insert(key.clone());
            }
        }
        let mut keys: BTreeSet<Key> = looks.keys().cloned().collect();
        keys.extend(fresh.values().map(|(key, _)| key.clone()));
        for key in &keys {
            let of_key = fresh.iter().filter(|(_, (of, _))| of == key);
            let of_key: Vec<(i64, RunId)> = of_key.map(|(run, (_, instant_ms))| (*instant_ms, *run)).collect();
            self.check_instants(key, &of_key)?;
            let nothing = BTreeSet::new();
            let (before, after) = (self.schedules.open.get(key).unwrap_or(&nothing), open.get(key).unwrap_or(&nothing));
            let around = Around {
                key,
                fresh: of_key.iter().map(|(instant, _)| *instant).collect(),
                was_busy: !before.is_empty(),
                stays_busy: before.intersection(after).next().is_some() && !reopened.contains(key),
                is_busy: !after.is_empty(),
                is_reopened: reopened.contains(key),
                is_paused: self.paused.contains(&key.0),
            };
            if let Some(known) = self.schedules.known.get_mut(key) {
                let verdict = known.compare(looks.get(key).map_or(&[], Vec::as_slice), &around);
                verdict.map_err(|broken| with_stored(broken, key, disk))?;
            }
        }
        for (key, open) in &open {
            let overlaps = self.schedules.spec(key).is_none_or(|spec| spec.overlap == Overlap::Allow);
            let own = open.iter().filter(|run| self.runs.get(run).is_some_and(|seen| seen.walk.taken_up.is_none()));
            let had = self.schedules.open.get(key).map_or(0, BTreeSet::len);
            ensure(overlaps || own.count() <= 1.max(had), "runs of one schedule do not overlap", || {
                format!("{open:?} of {key:?}")
            })?;
        }
        self.schedules.open = open;
        ensure(self.schedules.paused == self.paused, "P1 what is acknowledged is stored", || {
            format!("{:?} is paused, not {:?}", self.paused, self.schedules.paused)
        })?;
        let rows = read(disk.store().schedules(None, 0, u32::MAX))?;
        let stored: BTreeSet<Key> = rows.into_iter().map(|row| (row.workflow_id, row.name)).collect();
        ensure(stored.iter().eq(self.schedules.known.keys()), "schedules are those of the workflows", || {
            format!("{stored:?}, not {:?}", self.schedules.known.keys())
        })
    }

    /// Every run is for an instant of its schedule that has come.
    fn check_instants(&self, key: &Key, fresh: &[(i64, RunId)]) -> Verdict {
        let Some(known) = self.schedules.known.get(key) else {
            return ensure(fresh.is_empty(), ONCE, || format!("{fresh:?} are of {key:?}, which is no schedule"));
        };
        for (instant, run) in fresh.iter().filter(|(instant, _)| !known.queued.contains(instant)) {
            let created_at_ms = self.runs.get(run).map_or(i64::MIN, |seen| seen.row.created_at_ms);
            let due_at_ms = known.table.due_at_ms(*instant);
            ensure(known.table.has(*instant), ONCE, || format!("{instant} is no instant of {key:?}"))?;
            ensure(due_at_ms <= created_at_ms, "P6 timers are never early", || {
                format!("{run} of {key:?} {instant} is due at {due_at_ms}, not {created_at_ms}")
            })?;
        }
        Ok(())
    }

    /// Where nothing was amiss, every instant from the beginning up to now has its run.
    pub fn check_schedules(&self) -> Verdict {
        for (key, known) in &self.schedules.known {
            let is_plain = known.spec.misfire == Misfire::All && known.spec.overlap == Overlap::Allow;
            if !is_plain || known.is_troubled || known.poll_every_ms().is_some() {
                continue;
            }
            let most = limits::MISFIRES as usize;
            let due = known.table.due(known.began_at_ms, self.schedules.moment.clock_ms, most + 1);
            let missing = due.iter().find(|instant| !self.schedules.past.runs.contains_key(&(key.clone(), **instant)));
            ensure(due.len() > most || missing.is_none(), ONCE, || format!("{key:?} has none for {missing:?}"))?;
        }
        Ok(())
    }

    /// Polls are asked when they are due, and only then.
    pub(in super::super) fn check_polls(&mut self, answers: &[Answer]) -> Verdict {
        let mut polls: BTreeMap<Key, u32> = BTreeMap::new();
        for effect in answers.iter().flat_map(|answer| &answer.effects) {
            if let Effect::Poll(poll) = effect {
                *polls.entry((poll.workflow.clone(), poll.name.clone())).or_default() += 1;
            }
        }
        let wanted = std::mem::take(&mut self.schedules.polls);
        let is_answered = answers.iter().flat_map(|answer| &answer.requests).all(|request| request.error.is_none());
        ensure(!is_answered || polls == wanted, "a poll is asked when it is due", || {
            format!("{polls:?}, not {wanted:?}")
        })
    }

    /// A poll that nobody has is refused.
    pub(in super::super) fn is_no_poll(&self, ending: &PollEnding) -> Verdict {
        let known = self.schedules.known.get(&(ending.workflow.clone(), ending.name.clone()));
        ensure(known.is_none_or(|known| known.poll_every_ms().is_none()), "a sound request is granted", || {
            format!("{ending:?} is of {known:?}")
        })
    }

    /// The healed world has come to rest: no instant waits for a run that has ended.
    pub(in super::super) fn conclude_schedules(&self, disk: &mut Disk) -> Verdict {
        let rows = read(disk.store().schedules(None, 0, u32::MAX))?;
        let waiting = rows.iter().find(|row| !row.progress.queued.is_empty());
        ensure(waiting.is_none(), "nothing stays queued when nothing runs", || format!("{waiting:?}"))
    }
}

/// The same, with what the engine has stored of the schedule.
fn with_stored(broken: Violation, key: &Key, disk: &mut Disk) -> Violation {
    let row = disk.store().schedule_named(&key.0, &key.1);
    Violation { detail: format!("{}; stored: {row:?}", broken.detail), ..broken }
}
