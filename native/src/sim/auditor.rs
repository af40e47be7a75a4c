//! Knows what the workload wanted, reads what is committed, and says which promise was broken.
//!
//! Every transaction goes through it in three steps: what became of the runs it touched (`observe`, with the `oracle`),
//! how that fits together (`settle`), and whether what was answered is true of it (`answers`, `effects`).

mod answers;
mod beginnings;
mod conclude;
mod effects;
mod facts;
mod observe;
mod schedules;
mod settle;
mod timetable;
mod trials;

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use beginnings::Beginnings;
use schedules::Schedules;
use trials::Trials;

use super::host::Message;
use super::oracle::{Fact, Plan, Ready, Walk};
use super::wish::{Attempt, Requested, Wish};
use super::workload::{Intent, workflow_id};
use crate::definition::Definition;
use crate::ids::RunId;
use crate::limits;
use crate::model::{CircuitRow, Handler, RunRow, StepRow};

/// A broken promise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The promise.
    pub rule: &'static str,
    /// What was seen instead.
    pub detail: String,
}

type Verdict = Result<(), Violation>;

fn broken(rule: &'static str, detail: impl Into<String>) -> Violation {
    Violation { rule, detail: detail.into() }
}

fn ensure(holds: bool, rule: &'static str, detail: impl FnOnce() -> String) -> Verdict {
    if holds { Ok(()) } else { Err(broken(rule, detail())) }
}

fn read<T>(outcome: crate::error::Result<T>) -> Result<T, Violation> {
    outcome.map_err(|error| broken("what is stored can be read", error.to_string()))
}

/// A run as it was last seen.
#[derive(Debug)]
struct Seen {
    row: RunRow,
    intent: Intent,
    concurrency_key: Option<String>,
    steps: Vec<StepRow>,
    /// The transaction in which it last changed.
    moved_in: u64,
    /// The transaction in which each row was first seen.
    recorded_in: Vec<u64>,
    walk: Walk,
    /// A process death now would interrupt it.
    executing: bool,
    /// What it was executing before a transaction, and which.
    executed_before: (u64, Vec<Ready>),
    /// It is to begin when the rate limit lets it.
    is_to_begin: bool,
    /// It was removed when its time was over.
    is_gone: bool,
    /// Since which transaction it waits for an event or a person, by the event's name, the node and the iterations.
    waits: BTreeMap<(String, String, String), u64>,
    /// The same for the waits that were there before its last change.
    waited: BTreeMap<(String, String, String), u64>,
}

impl Seen {
    /// Whether it was taken up again in a transaction.
    fn was_taken_up_in(&self, transaction: u64) -> bool {
        let rows = self.steps.iter().zip(&self.recorded_in);
        rows.skip(self.walk.copied).any(|(step, in_)| step.handler == Handler::Retry && *in_ == transaction)
    }

    fn rows_of(&self, transaction: u64) -> impl Iterator<Item = &StepRow> {
        self.steps.iter().zip(&self.recorded_in).filter(move |(_, in_)| **in_ == transaction).map(|(step, _)| step)
    }
}

/// An attempt, whatever its fence.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Identity {
    name: String,
    scope: String,
    handler: Handler,
    attempt: u32,
    /// The row at which the run was last taken up again.
    taken_up: Option<u32>,
    /// How often the function has returned before.
    before: usize,
    event: Option<String>,
}

/// An event that was told.
#[derive(Debug, Default)]
struct Published {
    name: String,
    /// The transaction and its number there, if it was acknowledged with one.
    stored: Option<(u64, i64)>,
    /// Its commit was answered as failed, and may have been applied.
    is_ambiguous: bool,
}

/// The auditor of one world.
#[derive(Debug)]
pub struct Auditor {
    plans: BTreeMap<String, Rc<Plan>>,
    runs: BTreeMap<RunId, Seen>,
    /// Facts of this transaction that are compared when all of it is known.
    facts: Vec<(RunId, Fact)>,
    acknowledged: BTreeSet<RunId>,
    tokens: BTreeMap<u64, RunId>,
    keys: BTreeMap<(String, String), RunId>,
    /// Wishes without a key whose commit failed and may have been applied: repeating one may start a second run.
    ambiguous: BTreeSet<u64>,
    /// Attempts that were executing when a process died.
    died: BTreeSet<(RunId, String, String, Handler, u32, Option<u32>)>,
    transaction: u64,
    /// The latest time of any request, and the earliest to which the clock has jumped back since.
    latest_ms: i64,
    lowest_ms: i64,
    children: BTreeMap<RunId, BTreeSet<RunId>>,
    /// Of each workflow: what its completed attempts have added.
    counts: BTreeMap<String, u64>,
    /// When runs begin, by workflow and key of the rate limit.
    begins: BTreeMap<(String, String), Vec<i64>>,
    /// The latest that the clock has shown since it went back.
    begins_clock_ms: i64,
    /// The earliest time to which it has gone back in this transaction.
    back_to_ms: Option<i64>,
    published: BTreeMap<u64, Published>,
    /// Answers that were sent, by number, with what they say.
    answers: BTreeMap<u64, (Requested, bool)>,
    /// Keys that are free again, and since which transaction.
    freed: BTreeMap<(String, String), u64>,
    asked_to_cancel: BTreeSet<RunId>,
    asked_to_retry: BTreeSet<RunId>,
    /// For how long the outputs of attempts are kept for others.
    kept: BTreeMap<Attempt, Option<u64>>,
    shared_least: u64,
    shared_most: u64,
    circuits: BTreeMap<String, CircuitRow>,
    /// What it was before this transaction.
    circuits_before: BTreeMap<String, CircuitRow>,
    paused: BTreeSet<String>,
    paused_before: BTreeSet<String>,
    fences: BTreeMap<Attempt, Identity>,
    numbers: BTreeMap<(RunId, Identity), u64>,
    /// Of this generation: requests with a final answer, runs that were handed out, slots that were offered.
    answered: BTreeSet<u64>,
    /// Runs that this transaction has written to, though it may have left them as they were.
    touched: BTreeSet<RunId>,
    /// The bound of answers in this process.
    answer_bytes: u64,
    defined: BTreeSet<String>,
    handed_out: BTreeSet<RunId>,
    trials: Trials,
    /// Runs with a rate limit that have begun in this transaction.
    limited_begun: Vec<RunId>,
    unpaused_in: BTreeMap<String, u64>,
    probes: BTreeMap<String, Attempt>,
    capacity: usize,
    schedules: Schedules,
    beginnings: Beginnings,
}

impl Auditor {
    /// An auditor for these workflows.
    pub fn new(workflows: &[Definition]) -> Auditor {
        let plan = |workflow: &Definition| (workflow.id.clone(), Rc::new(Plan::new(workflow)));
        Auditor {
            plans: workflows.iter().map(plan).collect(),
            runs: BTreeMap::new(),
            facts: Vec::new(),
            acknowledged: BTreeSet::new(),
            tokens: BTreeMap::new(),
            keys: BTreeMap::new(),
            ambiguous: BTreeSet::new(),
            died: BTreeSet::new(),
            transaction: 0,
            latest_ms: i64::MIN,
            lowest_ms: i64::MAX,
            children: BTreeMap::new(),
            counts: BTreeMap::new(),
            begins: BTreeMap::new(),
            begins_clock_ms: i64::MIN,
            back_to_ms: None,
            published: BTreeMap::new(),
            answers: BTreeMap::new(),
            freed: BTreeMap::new(),
            asked_to_cancel: BTreeSet::new(),
            asked_to_retry: BTreeSet::new(),
            kept: BTreeMap::new(),
            shared_least: 0,
            shared_most: 0,
            circuits: BTreeMap::new(),
            circuits_before: BTreeMap::new(),
            paused: BTreeSet::new(),
            paused_before: BTreeSet::new(),
            fences: BTreeMap::new(),
            numbers: BTreeMap::new(),
            answered: BTreeSet::new(),
            touched: BTreeSet::new(),
            answer_bytes: limits::ANSWER_BYTES,
            defined: BTreeSet::new(),
            handed_out: BTreeSet::new(),
            trials: Trials::default(),
            limited_begun: Vec::new(),
            unpaused_in: BTreeMap::new(),
            probes: BTreeMap::new(),
            capacity: 0,
            schedules: Schedules::default(),
            beginnings: Beginnings::default(),
        }
    }

    /// The host will ask for this.
    pub fn asked(&mut self, wish: &Wish) {
        match wish {
            Wish::Cancel { run } => drop(self.asked_to_cancel.insert(*run)),
            Wish::Retry { run } => drop(self.asked_to_retry.insert(*run)),
            Wish::Resolve(ending) if ending.outcome == super::wish::Outcome::Cancelled => {
                self.asked_to_cancel.insert(ending.attempt.0);
            }
            Wish::Publish { name, told, starts } => {
                let published = Published { name: (*name).to_owned(), ..Published::default() };
                self.published.insert(told.publication, published);
                self.asked_to_listen(told.publication, starts.iter().map(|(_, intent)| intent));
            }
            Wish::Polled(ending) => self.asked_to_take(ending),
            Wish::Approve { place, approved, number } => {
                self.answers.insert(*number, (place.clone(), *approved));
            }
            Wish::Share => self.shared_most += 1,
            Wish::Resolve(ending) => {
                if let Some((_, ttl_ms)) = &ending.cache {
                    self.kept.insert(ending.attempt, *ttl_ms);
                }
            }
            _ => {}
        }
    }

    /// A transaction of requests begins, of this number on the disk.
    pub fn begin(&mut self, number: u64, batch: &[Message], workflows: &[Definition]) {
        self.transaction += 1;
        self.schedules.begin(number, batch, workflows);
        let now_ms = batch.iter().map(|message| message.now_ms).max().unwrap_or(self.latest_ms);
        if now_ms < self.latest_ms {
            self.lowest_ms = self.lowest_ms.min(now_ms);
        }
        self.latest_ms = self.latest_ms.max(now_ms);
        self.bring_begins_back(batch.iter().map(|message| message.now_ms));
        self.trials.begin(batch.iter().map(|message| message.now_ms).min().unwrap_or(self.latest_ms));
        for message in batch.iter().filter(|message| !self.answered.contains(&message.seq)) {
            if let Wish::Pause { workflow, paused: false } = &message.wish {
                self.unpaused_in.insert(workflow_id(*workflow), self.transaction);
            }
        }
        self.touched.clear();
        self.circuits_before.clone_from(&self.circuits);
        self.paused_before.clone_from(&self.paused);
        self.limited_begun.clear();
    }

    /// All runs of a transaction were observed, and the engine has answered that it succeeded, or failed.
    pub fn processed(&mut self, has_succeeded: bool) {
        self.schedules.processed(has_succeeded);
    }

    /// A commit of these wishes failed, and may have been applied.
    pub fn outcome_unknown<'a>(&mut self, wishes: impl Iterator<Item = &'a Wish>) {
        for wish in wishes {
            match wish {
                Wish::Start { intent, .. } => drop(self.ambiguous.insert(intent.token)),
                Wish::Publish { told, starts, .. } => {
                    self.ambiguous.extend(starts.iter().map(|(_, intent)| intent.token));
                    if let Some(published) = self.published.get_mut(&told.publication) {
                        published.is_ambiguous = true;
                    }
                }
                Wish::Share => self.shared_most += 1,
                _ => {}
            }
        }
    }

    /// A new host offers so many slots.
    pub fn new_generation(&mut self, capacity: u32, answer_bytes: u64) {
        self.answer_bytes = answer_bytes;
        self.schedules.new_generation();
        self.answered.clear();
        self.defined.clear();
        self.handed_out.clear();
        self.trials = Trials::default();
        self.probes.clear();
        self.capacity = capacity as usize;
    }

    /// Whether an attempt is one that may end now.
    fn is_current(&self, (run, fence): Attempt) -> bool {
        let Some(seen) = self.runs.get(&run).filter(|seen| seen.executing && !seen.is_gone) else { return false };
        let Some(identity) = self.fences.get(&(run, fence)) else { return false };
        // Where the clock has jumped back behind the time for which an attempt had waited, the engine may take it to
        // wait still when it has read the run again: then its result is refused, and it is executed once more.
        let mut ready = seen.walk.ready().into_iter().filter(|ready| ready.not_before_ms <= self.lowest_ms);
        ready.any(|ready| self.identity(seen, &ready, identity.event.clone()) == *identity)
    }

    fn identity(&self, seen: &Seen, ready: &Ready, event: Option<String>) -> Identity {
        let name = ready.name.clone().unwrap_or_default();
        let is_same = |step: &&StepRow| {
            step.name == name && step.scope == ready.scope && step.handler == ready.handler && step.attempt > 0
        };
        let since = seen.walk.taken_up.unwrap_or(0) as usize;
        let before = seen.steps.iter().skip(since).filter(is_same);
        let before = before.filter(|step| step.status == crate::model::StepStatus::Completed).count();
        Identity {
            scope: ready.scope.clone(),
            handler: ready.handler,
            attempt: ready.attempt,
            taken_up: seen.walk.taken_up,
            before,
            event,
            name,
        }
    }

    /// Every run that is stored, as far as is known.
    pub fn run_ids(&self) -> Vec<RunId> {
        self.runs.iter().filter(|(_, seen)| !seen.is_gone).map(|(run, _)| *run).collect()
    }

    /// The runs that are open, of those that are stored.
    pub fn open_runs(&self) -> impl Iterator<Item = &RunRow> {
        self.runs.values().filter(|seen| seen.row.open && !seen.is_gone).map(|seen| &seen.row)
    }

    /// A run as it is stored, its history, and the intent behind it.
    pub fn run(&self, run: RunId) -> Option<(&RunRow, &[StepRow], &Intent)> {
        self.runs.get(&run).filter(|seen| !seen.is_gone).map(|seen| (&seen.row, &seen.steps[..], &seen.intent))
    }

    /// What runs wait for, with the run, the node and the iterations.
    pub fn awaited(&self) -> Vec<(RunId, String, String, super::oracle::Awaited)> {
        let live = self.runs.iter().filter(|(_, seen)| !seen.is_gone);
        live.flat_map(|(run, seen)| {
            seen.walk
                .awaited_once_begun()
                .into_iter()
                .map(|(name, scope, what)| (*run, name, scope, what))
                .collect::<Vec<_>>()
        })
        .collect()
    }
}
