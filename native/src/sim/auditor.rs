//! Knows what the workload wanted, reads what is committed, and says which promise was broken.

use std::collections::{BTreeMap, BTreeSet};

use super::host::{Attempt, Wish, refusal};
use super::messages::{Answer, Answered, Effect, Execute};
use super::oracle::{self, error_code};
use super::workload::Intent;
use crate::graph::Definition;
use crate::ids::RunId;
use crate::limits;
use crate::model::{Handler, RunFilter, RunRow, RunStatus, StepRow, StepStatus};
use crate::store::Store;

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

/// A run as it was last seen.
#[derive(Debug)]
struct Seen {
    row: RunRow,
    intent: Intent,
    steps: Vec<StepRow>,
    /// The transaction in which each row was first seen.
    recorded_in: Vec<u64>,
    /// A process death now would interrupt it.
    executing: bool,
    /// The last attempt that was seen to wait for no time: it executes, or will as soon as a slot is free.
    woken: u32,
    /// Process deaths during the handler it is at.
    deaths: u32,
}

impl Seen {
    fn sequence(&self) -> u32 {
        self.steps.len() as u32 + 1
    }
}

/// The auditor of one world.
#[derive(Debug)]
pub struct Auditor {
    definitions: BTreeMap<String, Definition>,
    runs: BTreeMap<RunId, Seen>,
    acknowledged: BTreeSet<RunId>,
    tokens: BTreeMap<u64, RunId>,
    keys: BTreeMap<(String, String), RunId>,
    /// Wishes without a key whose commit failed and may have been applied: repeating one may start a second run.
    ambiguous: BTreeSet<u64>,
    /// Attempts that were executing when a process died.
    died: BTreeSet<Attempt>,
    transaction: u64,
    /// Of this generation: requests with a final answer, runs that were handed out, slots that were offered.
    answered: BTreeSet<u64>,
    handed_out: BTreeSet<RunId>,
    capacity: usize,
}

impl Auditor {
    /// An auditor for these workflows.
    pub fn new(workflows: &[Definition]) -> Auditor {
        Auditor {
            definitions: workflows.iter().map(|workflow| (workflow.id.clone(), workflow.clone())).collect(),
            runs: BTreeMap::new(),
            acknowledged: BTreeSet::new(),
            tokens: BTreeMap::new(),
            keys: BTreeMap::new(),
            ambiguous: BTreeSet::new(),
            died: BTreeSet::new(),
            transaction: 0,
            answered: BTreeSet::new(),
            handed_out: BTreeSet::new(),
            capacity: 0,
        }
    }

    /// A transaction begins.
    pub fn begin(&mut self) {
        self.transaction += 1;
    }

    /// A commit of these wishes failed, and may have been applied.
    pub fn outcome_unknown<'a>(&mut self, wishes: impl Iterator<Item = &'a Wish>) {
        self.ambiguous.extend(wishes.filter_map(|wish| match wish {
            Wish::Start { intent, .. } => Some(intent.token),
            _ => None,
        }));
    }

    /// The process died, with these things stored.
    pub fn process_died(&mut self, store: &mut dyn Store) -> Verdict {
        let all = RunFilter { limit: u32::MAX, ..RunFilter::default() };
        let stored: BTreeSet<RunId> = read(store.list(&all))?.iter().map(|row| row.id).collect();
        for run in stored.iter().copied().chain(self.runs.keys().copied().collect::<Vec<_>>()) {
            // When a failed commit came back, nobody can tell at what time it was made.
            self.observe(run, store, i64::MAX)?;
        }
        for (run, seen) in self.runs.iter().filter(|(_, seen)| seen.executing) {
            self.died.insert((*run, seen.sequence()));
        }
        Ok(())
    }

    /// A new host offers so many slots.
    pub fn new_generation(&mut self, capacity: u32) {
        self.answered.clear();
        self.handed_out.clear();
        self.capacity = capacity as usize;
    }

    /// What became of a run in a transaction at this time.
    pub fn observe(&mut self, run: RunId, store: &mut dyn Store, now_ms: i64) -> Verdict {
        let Some(row) = read(store.run(run))? else {
            return ensure(!self.runs.contains_key(&run), "P1 what is committed stays", || format!("{run} is gone"));
        };
        let steps = read(store.history(run, 0, u32::MAX))?;
        let summary = read(store.summary(run))?;
        let hook_queued = summary.is_some_and(|summary| summary.hook_queued);
        let executing = row.open && (row.status == RunStatus::Running || row.status.is_final() && !hook_queued);
        let before = match self.runs.remove(&run) {
            Some(before) => before,
            None => self.first_seen(&row)?,
        };
        self.check_growth(&before, &row, &steps)?;
        let mut position = self
            .definition(&row)
            .and_then(|definition| oracle::position(definition, &row, &steps))
            .and_then(|position| position.check_status(&row).map(|()| position))
            .map_err(|wrong| broken("the history follows the definition", format!("{run}: {wrong}")))?;
        position.decide_without_row(&row);
        check_end(self.definition(&row).ok(), &before.intent, &row, &steps)?;
        let mut seen = Seen { row, steps, executing, deaths: position.deaths, ..before };
        seen.recorded_in.resize(seen.steps.len(), self.transaction);
        if seen.row.status != RunStatus::Waiting && !seen.row.status.is_final() && seen.sequence() > seen.woken {
            seen.woken = seen.sequence();
            ensure(now_ms >= position.not_before_ms, "P6 timers are never early", || {
                format!("attempt {} of {run} was woken at {now_ms}, not {}", seen.woken, position.not_before_ms)
            })?;
        }
        self.runs.insert(run, seen);
        Ok(())
    }

    fn first_seen(&mut self, row: &RunRow) -> Result<Seen, Violation> {
        let intent: Intent = serde_json::from_str(row.payload.as_deref().unwrap_or("null"))
            .map_err(|error| broken("a payload is stored as it was sent", error.to_string()))?;
        let other = match &intent.key {
            Some(key) => self.keys.insert((row.workflow_id.clone(), key.clone()), row.id),
            None => self.tokens.insert(intent.token, row.id).filter(|_| !self.ambiguous.contains(&intent.token)),
        };
        ensure(other.is_none(), "P5 one wish starts one run", || {
            format!("{other:?} and {} are of {intent:?}", row.id)
        })?;
        Ok(Seen {
            row: RunRow { status: RunStatus::Pending, open: true, ..row.clone() },
            intent,
            steps: Vec::new(),
            recorded_in: Vec::new(),
            executing: false,
            woken: 0,
            deaths: 0,
        })
    }

    fn check_growth(&self, before: &Seen, row: &RunRow, steps: &[StepRow]) -> Verdict {
        let run = row.id;
        let unchanged = steps.starts_with(&before.steps);
        ensure(unchanged, "P2 a recorded attempt never changes", || {
            format!("{run}: {:?} became {steps:?}", before.steps)
        })?;
        let ended = before.row.status.is_final();
        ensure(!ended || row.status == before.row.status, "a final status never changes", || {
            format!("{run} was {:?} and is {:?}", before.row.status, row.status)
        })?;
        let closed = !before.row.open;
        ensure(!closed || steps.len() == before.steps.len(), "a closed run never moves", || format!("{run} moved"))?;
        for step in &steps[before.steps.len()..] {
            let backed = step.status != StepStatus::Interrupted || self.died.contains(&(run, step.sequence));
            ensure(backed, "P8 only a process death interrupts", || format!("{run}: {step:?}"))?;
        }
        Ok(())
    }

    fn definition(&self, row: &RunRow) -> Result<&Definition, String> {
        self.definitions.get(&row.workflow_id).ok_or_else(|| format!("workflow {} is unknown", row.workflow_id))
    }

    /// What the engine answers to these wishes is true of what is committed.
    pub fn answer(&mut self, answer: &Answer, wishes: &BTreeMap<u64, Wish>) -> Verdict {
        for answered in &answer.requests {
            // The echo of a request the host no longer waits for says nothing.
            let Some(wish) = wishes.get(&answered.seq) else { continue };
            if let Some(error) = &answered.error {
                ensure(error.class == "unavailable", "only the storage makes a request fail", || format!("{error:?}"))?;
            } else if self.answered.insert(answered.seq) {
                self.granted(wish, answered)?;
            }
        }
        answer.effects.iter().try_for_each(|effect| self.effect(effect))?;
        let (runs, handed_out) = (&self.runs, &mut self.handed_out);
        handed_out.retain(|run| runs.get(run).is_some_and(|seen| seen.executing));
        let suspect = |run: &&RunId| runs.get(run).is_some_and(|seen| u64::from(seen.deaths) >= limits::SUSPECT_DEATHS);
        let suspects: Vec<&RunId> = handed_out.iter().filter(suspect).collect();
        ensure(suspects.len() <= 1, "P8 suspects execute one at a time", || format!("{suspects:?}"))?;
        ensure(self.handed_out.len() <= self.capacity, "no more runs execute than there are slots", || {
            format!("{} execute in {} slots", self.handed_out.len(), self.capacity)
        })
    }

    fn granted(&mut self, wish: &Wish, answered: &Answered) -> Verdict {
        let result = answered.results.first().and_then(Option::as_ref);
        let refused = refusal(answered, result);
        match (wish, refused) {
            (Wish::Start { workflow, intent }, None) => {
                self.started(*workflow, intent, result.and_then(|result| result.run))
            }
            (Wish::Start { workflow, intent }, Some("idempotency_conflict")) => {
                let earlier = intent.key.clone().and_then(|key| self.keys.get(&(workflow_id(*workflow), key)));
                let earlier = earlier.and_then(|run| self.runs.get(run));
                ensure(
                    earlier.is_some_and(|seen| seen.intent.fingerprint != intent.fingerprint),
                    "P5 another body is a conflict, the same is not",
                    || format!("{intent:?} was refused because of {earlier:?}"),
                )
            }
            (Wish::Start { .. }, Some("workflow_not_found")) => Ok(()),
            (Wish::Resolve { attempt, fails, .. }, None) => self.recorded(*attempt, *fails),
            (Wish::Resolve { attempt: (run, sequence), .. }, Some("attempt_ended")) => {
                let current = self.runs.get(run).is_some_and(|seen| seen.executing && seen.sequence() == *sequence);
                ensure(!current, "P7 only a stale result is refused", || format!("attempt {sequence} of {run}"))
            }
            (Wish::Cancel { run }, None) => {
                let cancelled = self.runs.get(run).is_some_and(|seen| seen.row.status == RunStatus::Cancelled);
                ensure(cancelled, "P1 an acknowledged cancel is stored", || run.to_string())
            }
            (Wish::Cancel { run }, Some("run_ended")) => {
                let ended = self.runs.get(run).is_some_and(|seen| seen.row.status.is_final());
                ensure(ended, "only an ended run cannot be cancelled", || run.to_string())
            }
            (_, None) => Ok(()),
            (_, Some(code)) => Err(broken("a sound request is granted", format!("{code}: {wish:?}"))),
        }
    }

    fn started(&mut self, workflow: usize, intent: &Intent, run: Option<RunId>) -> Verdict {
        let run = run.ok_or_else(|| broken("a start is answered with a run", format!("{intent:?}")))?;
        let seen = self.runs.get(&run);
        let seen = seen.ok_or_else(|| broken("P1 an acknowledged start is stored", format!("{run} of {intent:?}")))?;
        let same = match &intent.key {
            Some(_) => seen.intent.key == intent.key && seen.intent.fingerprint == intent.fingerprint,
            None => seen.intent == *intent,
        };
        ensure(same && seen.row.workflow_id == workflow_id(workflow), "P5 a wish gets its own run", || {
            format!("{intent:?} got {run} of {:?}", seen.intent)
        })?;
        self.acknowledged.insert(run);
        Ok(())
    }

    fn recorded(&self, (run, sequence): Attempt, fails: bool) -> Verdict {
        let place = sequence as usize - 1;
        let found = self.runs.get(&run).and_then(|seen| Some((seen.steps.get(place)?, seen.recorded_in.get(place)?)));
        let (step, transaction) = found
            .ok_or_else(|| broken("P1 an acknowledged result is stored", format!("attempt {sequence} of {run}")))?;
        ensure(*transaction == self.transaction, "P7 a late result is refused", || {
            format!("attempt {sequence} of {run} had ended before: {step:?}")
        })?;
        let wanted = if fails { StepStatus::Failed } else { StepStatus::Completed };
        ensure(step.status == wanted, "P1 an acknowledged result is stored", || format!("{run}: {step:?}"))
    }

    fn effect(&mut self, effect: &Effect) -> Verdict {
        match effect {
            Effect::Execute(execute) => self.handed_out(execute),
            Effect::Finished { run, status } => {
                let committed = self.runs.get(run).map(|seen| seen.row.status);
                ensure(committed == Some(*status) && status.is_final(), "`finished` tells of a committed end", || {
                    format!("{run} is {committed:?}, not {status:?}")
                })
            }
            Effect::Waiting { run } | Effect::Abort { run, .. } => {
                ensure(self.runs.contains_key(run), "an effect tells of a stored run", || run.to_string())
            }
        }
    }

    fn handed_out(&mut self, execute: &Execute) -> Verdict {
        let rule = "what is executed follows from what is committed";
        let Execute { run, sequence, .. } = *execute;
        let seen = self.runs.get(&run).ok_or_else(|| broken(rule, format!("{run} is not stored: {execute:?}")))?;
        let done = sequence as usize - 1;
        ensure(done <= seen.steps.len(), rule, || format!("{execute:?} comes before the attempt it follows"))?;
        let again = seen.steps.get(done).is_some_and(|step| step.status == StepStatus::Completed);
        ensure(!again, "P2 a recorded body never runs again", || format!("{execute:?}"))?;
        let definition = self.definition(&seen.row).map_err(|wrong| broken(rule, wrong))?;
        let mut position =
            oracle::position(definition, &seen.row, &seen.steps[..done]).map_err(|wrong| broken(rule, wrong))?;
        if execute.handler.is_hook() {
            position.decide_without_row(&seen.row);
            ensure(seen.row.status.is_final(), "a hook follows a committed end", || format!("{execute:?}"))?;
        }
        let (step, attempt) = position.next_attempt(definition);
        let fits = execute.step.as_deref() == step && execute.handler == position.handler && execute.attempt == attempt;
        ensure(fits, rule, || format!("{execute:?}, but the run is at {position:?}"))?;
        self.handed_out.insert(run);
        Ok(())
    }

    /// The runs that are open, of those that are stored.
    pub fn open_runs(&self) -> impl Iterator<Item = &RunRow> {
        self.runs.values().map(|seen| &seen.row).filter(|row| row.open)
    }

    /// Every run seen so far.
    pub fn run_ids(&self) -> Vec<RunId> {
        self.runs.keys().copied().collect()
    }

    /// The intent behind a run.
    pub fn intent(&self, run: RunId) -> Option<&Intent> {
        self.runs.get(&run).map(|seen| &seen.intent)
    }

    /// The healed world has come to rest. `only_poison_kills`: no process died of anything else.
    pub fn conclude(&mut self, store: &mut dyn Store, only_poison_kills: bool) -> Verdict {
        for run in self.acknowledged.iter().copied().collect::<Vec<_>>() {
            let stored = read(store.run(run))?.is_some();
            ensure(stored, "P1 an acknowledged start is stored", || run.to_string())?;
        }
        for run in self.run_ids() {
            self.observe(run, store, i64::MAX)?;
        }
        for (run, seen) in &self.runs {
            ensure(!seen.row.open, "every run ends", || format!("{run} is open: {:?}", seen.row))?;
            let accused = error_code(seen.row.error.as_deref()) == "crash_loop";
            ensure(!accused || !only_poison_kills || seen.intent.poison.is_some(), "P8 the innocent survive", || {
                format!("{run} was given up: {:?}", seen.steps)
            })?;
        }
        Ok(())
    }

    /// How the runs ended: completed, failed, cancelled.
    pub fn ends(&self) -> [u64; 3] {
        [RunStatus::Completed, RunStatus::Failed, RunStatus::Cancelled]
            .map(|status| self.runs.values().filter(|seen| seen.row.status == status).count() as u64)
    }
}

/// How a run ended fits its history, its definition and its intent.
fn check_end(definition: Option<&Definition>, intent: &Intent, row: &RunRow, steps: &[StepRow]) -> Verdict {
    let Some(definition) = definition.filter(|_| row.status.is_final()) else { return Ok(()) };
    let run = row.id;
    let poison = intent.poison.and_then(|place| definition.nodes.get(place as usize)).map(|node| &*node.name);
    let survived = |step: &&StepRow| {
        Some(&*step.name) == poison && step.handler == Handler::Body && step.status == StepStatus::Completed
    };
    ensure(!steps.iter().any(|step| survived(&step)), "P8 a poison step does not complete", || run.to_string())?;
    let own: Vec<&StepRow> = steps.iter().filter(|step| !step.handler.is_hook()).collect();
    let deaths = own.iter().rev().take_while(|step| step.status == StepStatus::Interrupted).count() as u64;
    let gave_up = error_code(row.error.as_deref()) == "crash_loop";
    let killed = row.status == RunStatus::Failed && deaths >= limits::CRASH_LOOP_DEATHS;
    // Failures do not count as deaths, and do not forgive them either.
    ensure(gave_up || !killed, "P8 a crash loop ends with its code", || format!("{run}: {:?}", row.error))?;
    if error_code(row.error.as_deref()) == "run_timeout" {
        let timeout_ms = definition.timeout_ms.unwrap_or(u64::MAX >> 1) as i64;
        let due = row.finished_at_ms.is_some_and(|finished_at_ms| finished_at_ms >= row.created_at_ms + timeout_ms);
        ensure(due, "P6 timers are never early", || format!("{run} timed out at {:?}", row.finished_at_ms))?;
    }
    let hook = match row.status {
        RunStatus::Completed if definition.on_success => Some(Handler::OnSuccess),
        RunStatus::Failed if definition.on_failure => Some(Handler::OnFailure),
        _ => None,
    };
    let hooks = || steps.iter().filter(|step| step.handler.is_hook());
    ensure(row.open || hook.is_none() || hooks().count() > 0, "an owed hook is executed", || run.to_string())?;
    let finished = hooks().filter(|step| step.status != StepStatus::Interrupted).count();
    ensure(finished <= 1, "P2 a hook's end is recorded once", || run.to_string())
}

fn read<T>(outcome: crate::error::Result<T>) -> Result<T, Violation> {
    outcome.map_err(|error| broken("what is stored can be read", error.to_string()))
}

fn workflow_id(number: usize) -> String {
    format!("workflow-{number}")
}
