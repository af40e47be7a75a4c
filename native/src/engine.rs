//! The transaction script: take requests, load runs, ask the machine, apply its writes, commit, answer.
//!
//! The engine keeps the runs that execute or queue in memory; a run that waits is read again when its timer is due.
//! What is in memory is a view of what is stored: after a failed commit it is thrown away and read again.

mod answer;
mod approvals;
mod catalog;
mod circuits;
mod commands;
mod deliveries;
mod events;
mod needs;
mod polls;
mod query;
mod rate;
mod repeats;
mod restart;
mod retry;
mod runs;
mod schedules;
mod slots;
mod state;
mod suspects;
mod waits;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::Arc;

use answer::{ResultList, Results};
use catalog::{Catalog, Versions};
use events::Delivery;
use repeats::Repeats;
use slots::Slots;

use crate::error::{Class, Code, Error, Result};
use crate::graph::Graph;
use crate::ids::{IdSource, NOT_A_RUN_ID, RunId};
use crate::limits;
use crate::machine::{Circuit, Circuits, Clocks, Need, Run, Secret};
use crate::model::ScheduleId;
use crate::protocol::{Command, Effect, Request};
use crate::store::Store;

/// A run in memory, with the definition it follows.
#[derive(Debug)]
struct Active {
    run: Run,
    graph: Arc<Graph>,
}

/// The engine over one store.
pub struct Engine {
    store: Box<dyn Store>,
    about: serde_json::Value,
    node: u8,
    ids: IdSource,
    catalog: Catalog,
    active: HashMap<RunId, Active>,
    slots: Slots,
    /// Deadlines of executing attempts: (time, run, fence).
    attempt_deadlines: BTreeSet<(i64, RunId, u64)>,
    /// Runs that were read, and of which the host has not been given anything since.
    read: HashSet<RunId>,
    /// Waiting runs that are kept in memory because of their long history, oldest first.
    kept: VecDeque<RunId>,
    /// The earliest stored timer, unless `timers_changed`.
    next_timer: Option<i64>,
    timers_changed: bool,
    /// The earliest timer that the host was last told of.
    told_wake_at_ms: Option<i64>,
    /// What tokens are made of.
    secret: Arc<Secret>,
    circuits: Circuits,
    /// What runs need that is not their own, in the order in which they asked.
    needs: VecDeque<(RunId, Need)>,
    /// Events that not all who wait for them have been told.
    deliveries: VecDeque<Delivery>,
    /// How many events are stored by name, and the names of those that may be of no more use.
    events_stored: BTreeMap<Arc<str>, u64>,
    events_seen: BTreeSet<Arc<str>>,
    /// The clocks of attempts that have ended in the open transaction.
    clocks_over: Clocks,
    /// Those of all that the host had when a transaction failed, until the next one that does not.
    clocks: Clocks,
    /// Schedules of defined workflows by when they are due. One that has been moved since is looked at for nothing.
    schedules_due: BTreeSet<(i64, ScheduleId)>,
    /// The host's clock, to notice when it goes back.
    clock_ms: i64,
    repeats: Repeats,
    /// The most bytes that one commit reads for those who ask, and of one answer.
    answer_bytes: u64,
    /// Bytes that were read for those who ask in the open transaction.
    asked_bytes: u64,
    /// What is in memory may differ from what is stored.
    stale: bool,
    /// What is in memory is to be forgotten.
    restarts: bool,
    /// What the open transaction has caused.
    effects: Vec<Effect>,
    defined: Vec<(String, Option<Versions>)>,
}

impl Engine {
    /// An engine over a store, with its clock not yet started and no workflow defined. `about` is what it says of
    /// itself; `node` tells its run ids from those of other engines over the same store; `secret` is what tokens are
    /// made of.
    pub fn open(store: Box<dyn Store>, node: u8, secret: Secret, about: serde_json::Value) -> Result<Engine> {
        Engine::over(store, node, Arc::new(secret), about)
    }

    fn over(mut store: Box<dyn Store>, node: u8, secret: Arc<Secret>, about: serde_json::Value) -> Result<Engine> {
        let ids = IdSource::new(node, store.last_run()?);
        let mut engine = Engine {
            store,
            about,
            node,
            ids,
            catalog: Catalog::default(),
            active: HashMap::new(),
            slots: Slots::default(),
            attempt_deadlines: BTreeSet::new(),
            read: HashSet::new(),
            kept: VecDeque::new(),
            next_timer: None,
            timers_changed: true,
            told_wake_at_ms: None,
            secret,
            circuits: BTreeMap::new(),
            needs: VecDeque::new(),
            deliveries: VecDeque::new(),
            events_stored: BTreeMap::new(),
            events_seen: BTreeSet::new(),
            clocks_over: Clocks::new(),
            clocks: Clocks::new(),
            schedules_due: BTreeSet::new(),
            clock_ms: i64::MIN,
            repeats: Repeats::default(),
            answer_bytes: limits::ANSWER_BYTES,
            asked_bytes: 0,
            stale: false,
            restarts: false,
            effects: Vec::new(),
            defined: Vec::new(),
        };
        engine.recall()?;
        Ok(engine)
    }

    /// Reads what is kept in memory besides runs.
    fn recall(&mut self) -> Result<()> {
        self.slots.set_paused(self.store.paused()?);
        let circuits = self.store.circuits()?;
        let circuit = |(name, row): (String, _)| (name.into(), Circuit { row, probe: None });
        self.circuits = circuits.into_iter().map(circuit).collect();
        self.recall_events()
    }

    /// Bounds answers more narrowly than `limits::ANSWER_BYTES` does, to show what happens then.
    pub fn bound_answers(&mut self, bytes: u64) {
        self.answer_bytes = bytes;
    }

    /// Applies requests in one transaction and gives the answers: one text per commit, if that is not too long.
    ///
    /// When a rule or the data breaks, every request is tried again alone, so that one does not spoil the others.
    pub fn process(&mut self, requests: &[&[u8]]) -> Vec<Vec<u8>> {
        let answers = match self.transact(requests) {
            Ok(answered) => answer::render(&answered, &self.effects, self.wake_at_ms(), self.answer_bytes),
            Err(error) if requests.len() > 1 && matches!(error.code.class(), Class::Bug | Class::Corrupt) => {
                return requests.iter().flat_map(|request| self.process(&[request])).collect();
            }
            Err(error) => answer::render(&refused(requests, &error), &[], self.wake_at_ms(), self.answer_bytes),
        };
        self.told_wake_at_ms = self.wake_at_ms();
        answers
    }

    /// The same for a request whose answer goes to its caller alone: the results are for the caller, and what the
    /// commit has caused besides is for the host, in answers of its own.
    pub fn process_call(&mut self, request: &[u8]) -> (Vec<u8>, Vec<Vec<u8>>) {
        let requests = &[request];
        let answered = match self.transact(requests) {
            Ok(answered) => answered,
            Err(error) => return (answer::render_results(&refused(requests, &error)), Vec::new()),
        };
        let wake_at_ms = self.wake_at_ms();
        let has_news = !self.effects.is_empty() || wake_at_ms != self.told_wake_at_ms;
        self.told_wake_at_ms = wake_at_ms;
        let news = match has_news {
            true => answer::render(&[], &self.effects, wake_at_ms, self.answer_bytes),
            false => Vec::new(),
        };
        (answer::render_results(&answered), news)
    }

    fn transact(&mut self, requests: &[&[u8]]) -> Result<Vec<(u64, Results)>> {
        let mut answered: Vec<(u64, Results)> = Vec::with_capacity(requests.len());
        // Which of them may have changed something.
        let mut changed = Vec::with_capacity(requests.len());
        self.effects.clear();
        self.defined.clear();
        self.needs.clear();
        self.clocks_over.clear();
        self.asked_bytes = 0;
        self.store.begin()?;
        let outcome = self.apply_all(requests, &mut answered, &mut changed).and_then(|()| self.store.commit());
        if let Err(error) = outcome {
            self.store.rollback();
            self.stale = true;
            self.keep_clocks();
            for (workflow_id, before) in std::mem::take(&mut self.defined).into_iter().rev() {
                self.catalog.set_versions(workflow_id, before)?;
            }
            if !planted!(AnswerBeforeCommit) {
                return Err(error);
            }
        }
        self.clocks.clear();
        self.drop_outdated_effects();
        for (seq, results) in changed.iter().filter_map(|place| answered.get(*place)) {
            self.repeats.remember(*seq, results);
        }
        Ok(answered)
    }

    fn apply_all(
        &mut self,
        requests: &[&[u8]],
        answered: &mut Vec<(u64, Results)>,
        changed: &mut Vec<usize>,
    ) -> Result<()> {
        for text in requests {
            let request = match parse_request(text) {
                Ok(request) => request,
                Err(error) => {
                    answered.push((seq_of(text), Err(error)));
                    continue;
                }
            };
            let only_asks = request.only_asks();
            let earlier = || answered.iter().find(|(seq, _)| *seq == request.seq && *seq != 0).cloned();
            let seen = || self.repeats.answer(request.seq).or_else(|| earlier().map(|(_, results)| results));
            let results = match (!only_asks).then(seen).flatten() {
                Some(results) => results,
                None => Ok(self.apply(&request)?),
            };
            if !only_asks {
                changed.push(answered.len());
            }
            answered.push((request.seq, results));
        }
        if self.timers_changed {
            let expiry = self.store.next_expiry()?;
            self.next_timer = self.store.next_timer()?.into_iter().chain(expiry).min();
            self.timers_changed = false;
        }
        Ok(())
    }

    fn apply(&mut self, request: &Request<'_>) -> Result<Vec<u8>> {
        if let Some(capacity) = request.capacity {
            self.slots.set_capacity(capacity, request.now_ms);
        }
        if self.stale {
            self.reload(request.now_ms)?;
        }
        self.watch_clock(request.now_ms)?;
        let mut results = ResultList::new();
        let mut has_caught_up = false;
        for text in &request.commands {
            let command = serde_json::from_str(text.get());
            // A process that begins defines its workflows first: what is due may start children of any of them.
            if !has_caught_up && !matches!(command, Ok(Command::Define(_))) {
                self.catch_up(request.now_ms)?;
                has_caught_up = true;
            }
            self.command(command, request.now_ms, &mut results)?;
            self.meet_needs(request.now_ms)?;
        }
        if !has_caught_up {
            self.catch_up(request.now_ms)?;
        }
        self.forget_events()?;
        self.admit(request.now_ms)?;
        Ok(results.finish())
    }

    /// What is due, and what has not been told yet. A host that offers no slots has not defined its workflows yet, or
    /// stops: only what it executes is watched.
    fn catch_up(&mut self, now_ms: i64) -> Result<()> {
        self.end_late_attempts(now_ms)?;
        if self.slots.is_open() {
            self.fire_timers(now_ms)?;
            self.fire_schedules(now_ms)?;
            self.deliver_events(now_ms)?;
        }
        Ok(())
    }

    /// One command. What the caller did wrong becomes its result; what the store or the engine did wrong fails the
    /// whole transaction.
    fn command(
        &mut self,
        command: serde_json::Result<Command<'_>>,
        now_ms: i64,
        results: &mut ResultList,
    ) -> Result<()> {
        let outcome = match command {
            Ok(command) => self.dispatch(command, now_ms, results),
            Err(error) => Err(malformed(&error)),
        };
        match outcome {
            Err(error) if matches!(error.code.class(), Class::Unavailable | Class::Corrupt | Class::Bug) => Err(error),
            Err(error) => {
                results.push_error(&error);
                Ok(())
            }
            Ok(()) => Ok(()),
        }
    }

    /// An attempt that a later request of the transaction has ended is not handed out: its body must not run again.
    fn drop_outdated_effects(&mut self) {
        let active = &self.active;
        self.effects.retain(|effect| match effect {
            Effect::Execute(execute) => {
                active.get(&execute.run).is_some_and(|active| active.run.is_executing(execute.fence))
            }
            _ => true,
        });
    }

    fn wake_at_ms(&self) -> Option<i64> {
        let deadline = self.attempt_deadlines.first().map(|(due_at_ms, ..)| *due_at_ms);
        // Who has not been told an event is told with the next request, which is wanted at once.
        let delivery = self.deliveries.front().map(|delivery| delivery.since_ms);
        let schedule = self.schedules_due.first().map(|(due_at_ms, _)| *due_at_ms);
        let stored = delivery.into_iter().chain(schedule).chain(self.next_timer).chain(self.slots.wake_at_ms());
        let stored = stored.filter(|_| self.slots.is_open());
        deadline.into_iter().chain(stored).min()
    }
}

fn parse_request(text: &[u8]) -> Result<Request<'_>> {
    let invalid = |message: String| Error::new(Code::RequestInvalid, message);
    if text.len() as u64 > limits::REQUEST_BYTES {
        let message = format!("a request has at most {} bytes, this one {}", limits::REQUEST_BYTES, text.len());
        return Err(Error::new(Code::RequestTooLarge, message));
    }
    let text = std::str::from_utf8(text).map_err(|error| invalid(format!("a request is UTF-8: {error}")))?;
    let request: Request<'_> =
        serde_json::from_str(text).map_err(|error| invalid(format!("not a request: {error}")))?;
    if request.commands.len() as u64 > limits::COMMANDS_PER_REQUEST {
        return Err(invalid(format!("a request has at most {} commands", limits::COMMANDS_PER_REQUEST)));
    }
    Ok(request)
}

/// What is wrong with a command that could not be read. A run id comes from the user, the rest from the host.
fn malformed(error: &serde_json::Error) -> Error {
    let text = error.to_string();
    match text.contains(NOT_A_RUN_ID) {
        true => Error::new(Code::RunIdInvalid, NOT_A_RUN_ID),
        false => Error::new(Code::RequestInvalid, format!("unknown or malformed command: {text}")),
    }
}

/// What every request hears when none of them was done.
fn refused(requests: &[&[u8]], error: &Error) -> Vec<(u64, Results)> {
    requests.iter().map(|text| (seq_of(text), Err(error.clone()))).collect()
}

/// The number of a request that may be damaged otherwise: so that its sender hears of it.
fn seq_of(text: &[u8]) -> u64 {
    #[derive(serde::Deserialize)]
    struct Numbered {
        #[serde(default)]
        seq: u64,
    }
    std::str::from_utf8(text).ok().and_then(|text| serde_json::from_str::<Numbered>(text).ok()).map_or(0, |n| n.seq)
}
