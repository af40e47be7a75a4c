//! Which runs schedules must have started, by the auditor's own reckoning: it goes through the requests of every
//! transaction that is stored, knows when the engine looked at which schedule, and reckons from the instants that lay
//! between two looks which of them had to start a run. It remembers every run there was, so it needs no stretches.

mod compare;
mod known;
mod settle;

use std::collections::{BTreeMap, BTreeSet};

use super::{Verdict, Violation, ensure};
use crate::definition::{Definition, ScheduleSpec};
use crate::ids::RunId;
use crate::limits;
use crate::sim::host::Message;
use crate::sim::wish::Wish;
use crate::sim::workload::workflow_id;
use known::{Known, Look};

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
    /// Nothing but a question, which is answered again whenever it comes again.
    Ask,
    Define(String, Vec<ScheduleSpec>),
    Pause(String, bool),
    Polled(Key, bool),
    Other,
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

/// What an engine has in memory.
#[derive(Debug, Clone, Copy, Default)]
struct Moment {
    /// It has slots.
    is_open: bool,
    /// It will read again what is stored.
    is_stale: bool,
    clock_ms: i64,
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
    /// The requests of transactions that may still be stored, by the disk's number, and what was so before them.
    asked: BTreeMap<u64, (Vec<Asked>, Moment)>,
    current: u64,
    /// Polls to be asked because of this transaction.
    polls: BTreeMap<Key, u32>,
    /// Of this generation.
    answered: BTreeSet<u64>,
    defined: BTreeSet<String>,
    moment: Moment,
    /// What has happened to schedules, in words.
    lived_through: BTreeSet<&'static str>,
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
                Wish::Inspect { .. } => What::Ask,
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
        self.asked.insert(number, (batch.iter().map(asked).collect(), self.moment));
        self.current = number;
        self.polls.clear();
    }

    /// The engine has answered that a transaction succeeded, or failed.
    pub fn processed(&mut self, has_succeeded: bool) {
        let asked = self.asked.get(&self.current).into_iter().flat_map(|(asked, _)| asked);
        if has_succeeded {
            self.answered.extend(asked.map(|asked| asked.seq));
            self.asked.clear();
            return;
        }
        // Slots are not stored: they are as they were offered last.
        for asked in asked.filter(|asked| !self.answered.contains(&asked.seq)) {
            match asked.what {
                What::Offer => self.moment.is_open = true,
                What::Release => self.moment.is_open = false,
                _ => {}
            }
        }
        self.moment.is_stale = true;
    }

    /// A new process, with the stored schedules.
    pub fn new_generation(&mut self) {
        self.asked.clear();
        self.answered.clear();
        self.defined.clear();
        self.moment = Moment { clock_ms: i64::MIN, ..Moment::default() };
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
        let Some((batch, before)) = self.asked.get(&number).cloned() else { return Ok(looks) };
        // One that failed long ago, and is back after the death of the process, was applied to what was so then.
        self.moment = before;
        for asked in batch {
            let is_repeated = self.answered.contains(&asked.seq) || !seen.insert(asked.seq);
            if is_repeated && !matches!(asked.what, What::Ask) {
                continue;
            }
            self.apply(&asked, &mut looks)?;
        }
        Ok(looks)
    }

    fn apply(&mut self, asked: &Asked, looks: &mut BTreeMap<Key, Vec<Look>>) -> Verdict {
        let now_ms = asked.now_ms;
        if matches!(asked.what, What::Offer) {
            self.moment.is_open = true;
        }
        let went_back = now_ms + (limits::CLOCK_BACK_MS as i64) < self.moment.clock_ms;
        if std::mem::take(&mut self.moment.is_stale) || went_back {
            let defined = &self.defined;
            for (_, known) in self.known.iter_mut().filter(|((workflow, _), _)| defined.contains(workflow)) {
                known.hear(now_ms);
            }
        }
        self.moment.clock_ms = if went_back { now_ms } else { self.moment.clock_ms.max(now_ms) };
        if let What::Define(workflow, specs) = &asked.what {
            self.define(workflow, specs, now_ms)?;
        }
        if self.moment.is_open {
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
                if self.moment.is_open {
                    self.look_at(Some(workflow), now_ms, looks);
                }
            }
            What::Polled(key, has_failed) if self.defined.contains(&key.0) => {
                if let Some(known) = self.known.get_mut(key).filter(|known| known.poll_every_ms().is_some()) {
                    known.polled(*has_failed, now_ms);
                }
            }
            What::Release => self.moment.is_open = false,
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
                    known.follow(workflow, spec)?;
                    known.poll_again();
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
