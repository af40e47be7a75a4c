//! Which runs schedules must have started, by the auditor's own reckoning: it goes through the requests of every
//! transaction that is stored, knows when the engine looked at which schedule, and reckons from the instants that lay
//! between two looks which of them had to start a run. It remembers every run there was, so it needs no stretches.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::timetable::Timetable;
use super::{Auditor, Verdict, Violation, ensure, read};
use crate::definition::{Definition, Misfire, Overlap, ScheduleSpec, Timing};
use crate::ids::RunId;
use crate::limits;
use crate::sim::disk::Disk;
use crate::sim::host::Message;
use crate::sim::messages::{Answer, Effect};
use crate::sim::wish::{PollEnding, Wish};
use crate::sim::workload::workflow_id;

/// A workflow and the name of one of its schedules.
pub type Key = (String, String);

const ONCE: &str = "P4 an instant starts one run, if and only if the clock has come to it";

/// A request, as far as schedules are concerned.
#[derive(Debug, Clone)]
struct Asked {
    seq: u64,
    now_ms: i64,
    what: What,
}

#[derive(Debug, Clone)]
enum What {
    Offer,
    Release,
    Define(String, Vec<ScheduleSpec>),
    Pause(String, bool),
    Polled(Key, bool),
    Other,
}

/// A schedule, and how far it should have come.
#[derive(Debug)]
struct Known {
    spec: ScheduleSpec,
    table: Timetable,
    /// When it was first stored with this timing.
    began_at_ms: i64,
    /// Every instant up to this one lies behind.
    behind_ms: i64,
    /// The last instant that ever lay behind.
    furthest_ms: i64,
    /// When it was last looked at.
    seen_at_ms: i64,
    /// How often instants were left out between others: the engine remembers some of these gaps, not all.
    gaps: u64,
    /// Instants that wait for the end of a run.
    queued: VecDeque<i64>,
    /// Those of them of which the engine may not know.
    perhaps: BTreeSet<i64>,
    /// Instants that were decided, since it has this timing: they start a run, or never will.
    decided: BTreeSet<i64>,
    /// When a poll is to be asked.
    poll_at_ms: i64,
    failures: u32,
    /// It was other before, or its workflow was paused, or the clock has gone back.
    is_troubled: bool,
    /// What has happened to it, in words.
    lived_through: BTreeSet<&'static str>,
}

/// What one look at a schedule led to.
#[derive(Debug, Default)]
struct Look {
    accepted: Vec<i64>,
    /// The engine may have forgotten that these were passed over.
    unsure: BTreeSet<i64>,
}

/// The runs of instants.
#[derive(Debug, Default)]
struct Past {
    /// The run of every instant that ever had one.
    runs: BTreeMap<(Key, i64), RunId>,
    /// Instants that had a run, of schedules that have begun anew since.
    forgotten: BTreeSet<(Key, i64)>,
    /// Runs that were first seen in this transaction.
    fresh: BTreeMap<RunId, (Key, i64)>,
}

impl Past {
    /// Whether an instant had its run before this transaction.
    fn has_run(&self, place: &(Key, i64)) -> bool {
        self.runs.get(place).is_some_and(|run| !self.fresh.contains_key(run))
    }
}

/// What is known of the schedules of a world.
#[derive(Debug, Default)]
pub struct Schedules {
    known: BTreeMap<Key, Known>,
    past: Past,
    of_runs: BTreeMap<RunId, Key>,
    /// Runs that had not ended before this transaction.
    open: BTreeMap<Key, BTreeSet<RunId>>,
    paused: BTreeSet<String>,
    /// The requests of transactions that may still be stored, by the disk's number.
    asked: BTreeMap<u64, Vec<Asked>>,
    current: u64,
    /// Polls to be asked because of this transaction.
    polls: BTreeMap<Key, u32>,
    /// Of this generation.
    answered: BTreeSet<u64>,
    defined: BTreeSet<String>,
    is_open: bool,
    is_stale: bool,
    clock_ms: i64,
    /// What has happened to schedules, in words.
    lived_through: BTreeSet<&'static str>,
}

impl Known {
    fn new(workflow: &str, spec: &ScheduleSpec, now_ms: i64) -> Result<Known, Violation> {
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
            failures: 0,
            is_troubled: false,
            lived_through: BTreeSet::new(),
        })
    }

    fn poll_every_ms(&self) -> Option<u64> {
        match self.spec.timing {
            Timing::Poll { every_ms } => Some(every_ms),
            _ => None,
        }
    }

    /// The engine hears a time that may lie before the last look. What has come since the last instant before that
    /// time that was decided, is missed.
    fn hear(&mut self, now_ms: i64) {
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
    fn look(&mut self, now_ms: i64, is_paused: bool) -> Look {
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

    fn polled(&mut self, has_failed: bool, now_ms: i64) {
        let every_ms = self.poll_every_ms().unwrap_or_default();
        self.lived_through.insert(if has_failed { "a poll fails" } else { "a poll gives items" });
        self.failures = if has_failed { self.failures + 1 } else { 0 };
        let most_ms = limits::POLL_BACKOFF_MS.max(every_ms);
        let mut pause_ms = every_ms;
        for _ in 1..self.failures {
            pause_ms = (pause_ms * 2).min(most_ms);
        }
        self.poll_at_ms = now_ms + pause_ms as i64;
        self.seen_at_ms = now_ms;
    }
}

impl Schedules {
    /// A transaction of these requests begins.
    pub fn begin(&mut self, number: u64, batch: &[Message], workflows: &[Definition]) {
        let asked = |message: &Message| Asked {
            seq: message.seq,
            now_ms: message.now_ms,
            what: match &message.wish {
                Wish::Offer { .. } => What::Offer,
                Wish::Release => What::Release,
                Wish::Define { workflow } => {
                    What::Define(workflow_id(*workflow), workflows[*workflow].schedules.clone())
                }
                Wish::Pause { workflow, paused } => What::Pause(workflow_id(*workflow), *paused),
                Wish::Polled(ending) => {
                    What::Polled((ending.workflow.clone(), ending.name.clone()), ending.items.is_none())
                }
                _ => What::Other,
            },
        };
        self.asked.insert(number, batch.iter().map(asked).collect());
        self.current = number;
        self.polls.clear();
    }

    /// The engine has answered that a transaction succeeded, or failed.
    pub fn processed(&mut self, has_succeeded: bool) {
        let asked = self.asked.get(&self.current).into_iter().flatten();
        if has_succeeded {
            self.answered.extend(asked.map(|asked| asked.seq));
            self.asked.clear();
            return;
        }
        // Slots are not stored: they are as they were offered last.
        for asked in asked.filter(|asked| !self.answered.contains(&asked.seq)) {
            match asked.what {
                What::Offer => self.is_open = true,
                What::Release => self.is_open = false,
                _ => {}
            }
        }
        self.is_stale = true;
    }

    /// A new process, with the stored schedules.
    pub fn new_generation(&mut self) {
        self.asked.clear();
        self.answered.clear();
        self.defined.clear();
        self.is_open = false;
        self.is_stale = false;
        self.clock_ms = i64::MIN;
    }

    /// A run was first seen that a schedule has started.
    pub fn started(&mut self, key: Key, instant_ms: i64, run: RunId, is_gone: impl Fn(RunId) -> bool) -> Verdict {
        let place = (key.clone(), instant_ms);
        let earlier = self.past.runs.insert(place.clone(), run);
        let is_forgotten = earlier.is_some_and(is_gone) && self.past.forgotten.contains(&place);
        ensure(earlier.is_none() || is_forgotten, ONCE, || {
            format!("{earlier:?} and {run} are of {key:?} {instant_ms}")
        })?;
        self.of_runs.insert(run, key.clone());
        self.past.fresh.insert(run, (key, instant_ms));
        Ok(())
    }

    /// What has happened to schedules, in words.
    pub fn lived_through(&self) -> impl Iterator<Item = &'static str> {
        self.known.values().flat_map(|known| &known.lived_through).chain(&self.lived_through).copied()
    }

    /// What the workflow says of a schedule.
    pub fn spec(&self, key: &Key) -> Option<&ScheduleSpec> {
        self.known.get(key).map(|known| &known.spec)
    }

    /// Goes through the requests of a stored transaction: which schedule was looked at, and what that led to.
    fn replay(&mut self, number: u64) -> Result<BTreeMap<Key, Vec<Look>>, Violation> {
        let mut looks = BTreeMap::new();
        let mut seen = BTreeSet::new();
        for asked in self.asked.remove(&number).unwrap_or_default() {
            if self.answered.contains(&asked.seq) || !seen.insert(asked.seq) {
                continue;
            }
            self.apply(&asked, &mut looks)?;
            if number == self.current {
                self.asked.entry(number).or_default().push(asked);
            }
        }
        Ok(looks)
    }

    fn apply(&mut self, asked: &Asked, looks: &mut BTreeMap<Key, Vec<Look>>) -> Verdict {
        let now_ms = asked.now_ms;
        if matches!(asked.what, What::Offer) {
            self.is_open = true;
        }
        let went_back = now_ms + (limits::CLOCK_BACK_MS as i64) < self.clock_ms;
        if std::mem::take(&mut self.is_stale) || went_back {
            let defined = &self.defined;
            for (_, known) in self.known.iter_mut().filter(|((workflow, _), _)| defined.contains(workflow)) {
                known.hear(now_ms);
            }
        }
        self.clock_ms = if went_back { now_ms } else { self.clock_ms.max(now_ms) };
        if let What::Define(workflow, specs) = &asked.what {
            self.define(workflow, specs, now_ms)?;
        }
        if self.is_open {
            self.look_at(None, now_ms, looks);
        }
        match &asked.what {
            What::Pause(workflow, true) if self.defined.contains(workflow) => {
                self.paused.insert(workflow.clone());
            }
            What::Pause(workflow, false) if self.paused.contains(workflow) && self.defined.contains(workflow) => {
                self.look_at(Some(workflow), now_ms, looks);
                self.seen(workflow, now_ms);
                self.paused.remove(workflow);
                if self.is_open {
                    self.look_at(Some(workflow), now_ms, looks);
                }
            }
            What::Polled(key, has_failed) if self.defined.contains(&key.0) => {
                if let Some(known) = self.known.get_mut(key).filter(|known| known.poll_every_ms().is_some()) {
                    known.polled(*has_failed, now_ms);
                }
            }
            What::Release => self.is_open = false,
            _ => {}
        }
        Ok(())
    }

    fn define(&mut self, workflow: &str, specs: &[ScheduleSpec], now_ms: i64) -> Verdict {
        self.defined.insert(workflow.to_owned());
        let is_named = |name: &str| specs.iter().any(|spec| spec.name == name);
        let keys: Vec<Key> = self.known.keys().filter(|(of, _)| of == workflow).cloned().collect();
        for key in keys.into_iter().filter(|(_, name)| !is_named(name)) {
            let removed = self.known.remove(&key);
            self.lived_through.extend(removed.into_iter().flat_map(|known| known.lived_through));
            self.begins_anew(&key);
        }
        for spec in specs {
            let key = (workflow.to_owned(), spec.name.clone());
            match self.known.get_mut(&key) {
                Some(known) if known.spec.timing == spec.timing => {
                    known.is_troubled |= known.spec != *spec;
                    let began_at_ms = known.began_at_ms;
                    known.table = Timetable::new(workflow, spec, began_at_ms)?;
                    known.spec = spec.clone();
                    known.hear(now_ms);
                }
                Some(known) => {
                    let (queued, perhaps) = (std::mem::take(&mut known.queued), std::mem::take(&mut known.perhaps));
                    self.lived_through.append(&mut known.lived_through);
                    self.lived_through.insert("a schedule gets another timing");
                    if !queued.is_empty() {
                        self.lived_through.insert("what is queued stays queued under another timing");
                    }
                    *known = Known { queued, perhaps, is_troubled: true, ..Known::new(workflow, spec, now_ms)? };
                    self.begins_anew(&key);
                }
                None => drop(self.known.insert(key, Known::new(workflow, spec, now_ms)?)),
            }
        }
        Ok(())
    }

    /// What its instants were does not count any more, but for the runs that are stored.
    fn begins_anew(&mut self, key: &Key) {
        let old = self.past.runs.keys().filter(|(of, _)| of == key);
        self.past.forgotten.extend(old.cloned());
    }

    fn seen(&mut self, workflow: &str, now_ms: i64) {
        for known in self.known.iter_mut().filter(|((of, _), _)| of == workflow).map(|(_, known)| known) {
            if known.poll_every_ms().is_none() {
                known.seen_at_ms = now_ms;
            }
        }
    }

    /// The schedules of one workflow, or of all that are defined, are looked at.
    fn look_at(&mut self, only: Option<&String>, now_ms: i64, looks: &mut BTreeMap<Key, Vec<Look>>) {
        for (key, known) in &mut self.known {
            if !self.defined.contains(&key.0) || only.is_some_and(|only| *only != key.0) {
                continue;
            }
            let is_paused = self.paused.contains(&key.0);
            if let Some(every_ms) = known.poll_every_ms() {
                if known.poll_at_ms <= now_ms {
                    known.poll_at_ms = now_ms + every_ms as i64;
                    known.seen_at_ms = now_ms;
                    if !is_paused {
                        *self.polls.entry(key.clone()).or_default() += 1;
                    }
                }
                continue;
            }
            let mut look = known.look(now_ms, is_paused);
            // It had one under an earlier timing, which may be gone by now.
            let had_one = look.accepted.iter().filter(|instant| self.past.has_run(&(key.clone(), **instant)));
            look.unsure.extend(had_one.copied().collect::<Vec<_>>());
            if !is_paused {
                looks.entry(key.clone()).or_default().push(look);
            }
        }
    }
}

/// What is around the looks at one schedule in one transaction.
struct Around<'a> {
    key: &'a Key,
    /// Runs that were first seen, in the order in which they were started.
    fresh: Vec<i64>,
    /// A run of it had not ended before.
    was_busy: bool,
    /// The same run has not ended since.
    stays_busy: bool,
    /// A run of it has not ended now.
    is_busy: bool,
    /// A run of it was taken up again.
    is_reopened: bool,
    /// Its workflow is paused now.
    is_paused: bool,
}

impl Known {
    /// The runs that were started are those that had to be.
    fn compare(&mut self, looks: &[Look], around: &Around<'_>) -> Verdict {
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

impl Auditor {
    /// The runs that schedules have started in this transaction are those that they had to start.
    pub(super) fn settle_schedules(&mut self, disk: &mut Disk) -> Verdict {
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
            let due = known.table.due(known.began_at_ms, self.schedules.clock_ms, most + 1);
            let missing = due.iter().find(|instant| !self.schedules.past.runs.contains_key(&(key.clone(), **instant)));
            ensure(due.len() > most || missing.is_none(), ONCE, || format!("{key:?} has none for {missing:?}"))?;
        }
        Ok(())
    }

    /// Polls are asked when they are due, and only then.
    pub(super) fn check_polls(&mut self, answer: &Answer) -> Verdict {
        let mut polls: BTreeMap<Key, u32> = BTreeMap::new();
        for effect in &answer.effects {
            if let Effect::Poll(poll) = effect {
                *polls.entry((poll.workflow.clone(), poll.name.clone())).or_default() += 1;
            }
        }
        let wanted = std::mem::take(&mut self.schedules.polls);
        let is_answered = answer.requests.iter().all(|request| request.error.is_none());
        ensure(!is_answered || polls == wanted, "a poll is asked when it is due", || {
            format!("{polls:?}, not {wanted:?}")
        })
    }

    /// A poll that nobody has is refused.
    pub(super) fn is_no_poll(&self, ending: &PollEnding) -> Verdict {
        let known = self.schedules.known.get(&(ending.workflow.clone(), ending.name.clone()));
        ensure(known.is_none_or(|known| known.poll_every_ms().is_none()), "a sound request is granted", || {
            format!("{ending:?} is of {known:?}")
        })
    }

    /// The healed world has come to rest: no instant waits for a run that has ended.
    pub(super) fn conclude_schedules(&self, disk: &mut Disk) -> Verdict {
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
