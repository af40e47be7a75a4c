//! A model of the host: it sends requests until they are answered, executes handlers, and reports how they ended.
//! It dies with its engine; the next generation knows nothing.

use std::collections::{BTreeMap, VecDeque};

use super::messages::{Answer, Answered, CommandResult, Effect, Execute};
use super::random::Random;
use super::workload::{Intent, Mark};
use crate::graph::Definition;
use crate::ids::RunId;
use crate::limits;

/// A run and the sequence of one of its attempts.
pub type Attempt = (RunId, u32);

/// What the host asks for in one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wish {
    /// Nothing but the time.
    Tick,
    /// To make a workflow known.
    Define { workflow: usize },
    /// To be given work.
    Offer { capacity: u32 },
    /// A run.
    Start { workflow: usize, intent: Intent },
    /// To record the end of an attempt.
    Resolve { attempt: Attempt, mark: Mark, fails: bool },
    /// The end of a run.
    Cancel { run: RunId },
    /// To compare notes.
    Heartbeat { executing: Vec<Attempt> },
    /// To stop.
    Release,
}

impl Wish {
    /// The request, as text.
    pub fn request(&self, seq: u64, now_ms: i64, workflows: &[Definition]) -> Vec<u8> {
        use serde_json::json;
        let command = match self {
            Wish::Tick => None,
            Wish::Offer { capacity } => {
                return json!({ "seq": seq, "now_ms": now_ms, "capacity": capacity }).to_string().into_bytes();
            }
            Wish::Define { workflow } => Some(json!({ "define": workflows[*workflow] })),
            Wish::Start { workflow, intent } => {
                let mut start = json!({ "workflow": workflows[*workflow].id, "payload": intent });
                if let (Some(key), Some(fingerprint)) = (&intent.key, &intent.fingerprint) {
                    start["idempotency"] = json!({ "key": key, "fingerprint": fingerprint });
                }
                Some(json!({ "start": start }))
            }
            Wish::Resolve { attempt: (run, sequence), mark, fails: false } => {
                Some(json!({ "resolve": { "run": run, "sequence": sequence, "output": mark } }))
            }
            Wish::Resolve { attempt: (run, sequence), mark, fails: true } => Some(json!({
                "resolve": { "run": run, "sequence": sequence, "error": mark, "retryable": mark.retryable }
            })),
            Wish::Cancel { run } => Some(json!({ "cancel": { "run": run } })),
            Wish::Heartbeat { executing } => Some(json!({ "heartbeat": { "executing": executing } })),
            Wish::Release => Some(json!({ "release": {} })),
        };
        let commands: Vec<_> = command.into_iter().collect();
        json!({ "seq": seq, "now_ms": now_ms, "commands": commands }).to_string().into_bytes()
    }
}

/// How a handler will end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plan {
    /// It returns.
    Completes,
    /// It throws.
    Fails { retryable: bool },
    /// It never returns; the engine must time it out.
    Hangs,
    /// It takes the process down.
    Kills,
}

/// A handler that executes.
#[derive(Debug, Clone)]
pub struct Execution {
    /// What was asked for.
    pub execute: Execute,
    /// How it will end.
    pub plan: Plan,
    /// When, on the stopwatch of the world.
    pub ends_at_ms: u64,
    /// Its end was sent, and is not acknowledged.
    pub reported: bool,
}

/// A request on its way.
#[derive(Debug, Clone)]
pub struct Message {
    /// Its number.
    pub seq: u64,
    /// When it was sent, by the host's clock.
    pub now_ms: i64,
    /// What it asks for.
    pub wish: Wish,
}

/// One generation of the host.
#[derive(Debug, Default)]
pub struct Host {
    last_seq: u64,
    /// Requests that are not answered, by number.
    pub unanswered: BTreeMap<u64, Wish>,
    /// Requests on their way to the engine.
    pub outgoing: VecDeque<Message>,
    /// Answers on their way to the host.
    pub incoming: VecDeque<Answer>,
    /// Handlers it executes and has no acknowledgement for.
    pub executing: BTreeMap<Attempt, Execution>,
    /// Handlers that were aborted and have not noticed.
    pub aborted: Vec<Execution>,
    /// The earliest timer it was told of.
    pub wake_at_ms: Option<i64>,
    /// A request failed, so effects may be lost.
    pub suspicious: bool,
}

impl Host {
    /// Sends a request.
    pub fn send(&mut self, wish: Wish, now_ms: i64) -> u64 {
        self.last_seq += 1;
        self.unanswered.insert(self.last_seq, wish.clone());
        self.outgoing.push_back(Message { seq: self.last_seq, now_ms, wish });
        self.last_seq
    }

    /// Whether it may send a new request: it keeps the numbers of open ones closer together than the engine's memory
    /// of answers is long.
    pub fn has_room(&self) -> bool {
        let oldest = self.unanswered.keys().next();
        oldest.is_none_or(|oldest| self.last_seq + 1 - oldest < limits::ANSWERS_REMEMBERED)
    }

    /// Sends a request that is not answered again.
    pub fn resend(&mut self, seq: u64, now_ms: i64) {
        let wish = self.unanswered.get(&seq).cloned();
        self.outgoing.extend(wish.map(|wish| Message { seq, now_ms, wish }));
    }

    /// Compares notes with the engine.
    pub fn heartbeat(&mut self, now_ms: i64) {
        self.suspicious = false;
        let executing = self.executing.keys().copied().collect();
        self.send(Wish::Heartbeat { executing }, now_ms);
    }

    /// Takes an answer, and gives the handlers to execute now. An answer to no open request is an echo: ignored.
    pub fn receive(&mut self, answer: &Answer) -> Vec<Execute> {
        if !answer.requests.iter().any(|request| self.unanswered.contains_key(&request.seq)) {
            return Vec::new();
        }
        for answered in &answer.requests {
            self.acknowledge(answered);
        }
        self.wake_at_ms = answer.wake_at_ms;
        let mut new: Vec<Execute> = answer.effects.iter().filter_map(|effect| self.obey(effect)).collect();
        // A heartbeat may give what the same transaction has just handed out.
        new.sort_by_key(|execute| (execute.run, execute.sequence));
        new.dedup();
        new
    }

    fn acknowledge(&mut self, answered: &Answered) {
        if answered.error.as_ref().is_some_and(|error| error.class == "unavailable") {
            self.suspicious = true;
            return;
        }
        if let Some(Wish::Resolve { attempt, .. }) = self.unanswered.remove(&answered.seq) {
            self.executing.remove(&attempt);
        }
    }

    fn obey(&mut self, effect: &Effect) -> Option<Execute> {
        match effect {
            Effect::Execute(execute) if !self.executing.contains_key(&(execute.run, execute.sequence)) => {
                Some(execute.clone())
            }
            Effect::Abort { run, sequence } => {
                self.aborted.extend(self.executing.remove(&(*run, *sequence)).filter(|execution| !execution.reported));
                None
            }
            Effect::Execute(_) | Effect::Finished { .. } | Effect::Waiting { .. } => None,
        }
    }

    /// Begins to execute a handler that will end as the world has decided.
    pub fn begin(&mut self, execution: Execution) {
        self.executing.insert((execution.execute.run, execution.execute.sequence), execution);
    }

    /// Reports the end of a handler, in time or late.
    pub fn report(&mut self, execution: &Execution, now_ms: i64) -> u64 {
        let Execute { run, sequence, step, handler, .. } = execution.execute.clone();
        let retryable = execution.plan == Plan::Fails { retryable: true };
        let mark = Mark { run, sequence, step, handler, retryable };
        if let Some(current) = self.executing.get_mut(&(run, sequence)) {
            current.reported = true;
        }
        let fails = matches!(execution.plan, Plan::Fails { .. });
        self.send(Wish::Resolve { attempt: (run, sequence), mark, fails }, now_ms)
    }
}

/// Whether a command was refused, and with which code.
pub fn refusal<'a>(answered: &'a Answered, result: Option<&'a CommandResult>) -> Option<&'a str> {
    let refused = answered.error.as_ref().or(result.and_then(|result| result.refused.as_ref()));
    refused.map(|error| error.code.as_str())
}

/// How a handler will end, and after how long.
pub fn plan(random: &mut Random, kills: bool, timeout_ms: Option<u64>) -> (Plan, u64) {
    if kills {
        return (Plan::Kills, 0);
    }
    if let Some(timeout_ms) = timeout_ms
        && random.chance(200)
    {
        return if random.chance(500) { (Plan::Hangs, 0) } else { (Plan::Completes, timeout_ms * 2) };
    }
    let takes_ms = if random.chance(800) { random.below(200) } else { random.below(20_000) };
    let plan = match random.below(100) {
        0..70 => Plan::Completes,
        70..92 => Plan::Fails { retryable: true },
        _ => Plan::Fails { retryable: false },
    };
    (plan, takes_ms)
}
