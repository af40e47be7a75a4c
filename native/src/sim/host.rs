//! A model of the host: it sends requests until they are answered, executes handlers, and reports how they ended.
//! It dies with its engine; the next generation knows nothing.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::handlers::{Plan, Returns};
use super::messages::{Answer, Answered, Effect, Execute, Poll};
use super::wish::{Attempt, Ending, Outcome, Wish};
use super::workload::{Mark, increment};
use crate::limits;
use crate::model::{Handler, ScheduleId};

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
    /// Under which key its output is kept for others, and for how long; it asks for one first.
    pub cache: Option<(String, Option<u64>)>,
    /// It waits for the answer to that question.
    pub asks: bool,
}

/// A poll that is asked for items.
#[derive(Debug, Clone)]
pub struct Polling {
    /// Which.
    pub poll: Poll,
    /// When it answers, on the stopwatch of the world.
    pub ends_at_ms: u64,
    /// Its answer was sent, and is not acknowledged.
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
    /// The number of the last request.
    pub last_seq: u64,
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
    /// Polls that are asked for items.
    pub polling: BTreeMap<ScheduleId, Polling>,
    /// Polls that it has still to ask.
    pub polls: Vec<Poll>,
    /// The earliest timer it was told of.
    pub wake_at_ms: Option<i64>,
    /// A request failed, so effects may be lost.
    pub suspicious: bool,
    /// Workflows the engine does not know yet. Slots are offered when there are none.
    pub undefined: BTreeSet<usize>,
    /// The slots it will offer.
    pub capacity: u32,
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

    /// Takes an answer, and gives the handlers to execute now. An answer to no open request is an echo: ignored. The
    /// further texts of a long answer answer no request.
    pub fn receive(&mut self, answer: &Answer, now_ms: i64) -> Vec<Execute> {
        if !answer.requests.is_empty()
            && !answer.requests.iter().any(|request| self.unanswered.contains_key(&request.seq))
        {
            return Vec::new();
        }
        for answered in &answer.requests {
            self.acknowledge(answered, now_ms);
        }
        self.wake_at_ms = answer.wake_at_ms;
        let mut new: Vec<Execute> = answer.effects.iter().filter_map(|effect| self.obey(effect)).collect();
        // A heartbeat may give what the same transaction has just handed out.
        new.sort_by_key(|execute| (execute.run, execute.fence));
        new.dedup();
        new
    }

    fn acknowledge(&mut self, answered: &Answered, now_ms: i64) {
        if answered.error.as_ref().is_some_and(|error| error.class == "unavailable") {
            self.suspicious = true;
            return;
        }
        match self.unanswered.remove(&answered.seq) {
            Some(Wish::Resolve(ending)) => drop(self.executing.remove(&ending.attempt)),
            Some(Wish::Recall { attempt, .. }) => {
                let missed = answered.result().is_some_and(|result| result.hit == Some(false));
                match self.executing.get_mut(&attempt).filter(|_| missed) {
                    Some(execution) => execution.asks = false,
                    None => drop(self.executing.remove(&attempt)),
                }
            }
            Some(wish @ Wish::Inspect { .. }) if answered.refusal() == Some("answers_full") => {
                self.send(wish, now_ms);
            }
            Some(Wish::Polled(ending)) => drop(self.polling.remove(&ending.schedule)),
            Some(Wish::Define { workflow }) => self.defined(workflow, now_ms),
            _ => {}
        }
    }

    /// A workflow is known; when all are, slots are offered.
    fn defined(&mut self, workflow: usize, now_ms: i64) {
        if self.undefined.remove(&workflow) && self.undefined.is_empty() {
            self.send(Wish::Offer { capacity: self.capacity }, now_ms);
        }
    }

    fn obey(&mut self, effect: &Effect) -> Option<Execute> {
        match effect {
            Effect::Execute(execute) if !self.executing.contains_key(&(execute.run, execute.fence)) => {
                Some(execute.clone())
            }
            Effect::Abort { run, fence, .. } => {
                let aborted = self.executing.remove(&(*run, *fence));
                self.aborted.extend(aborted.filter(|execution| !execution.reported && !execution.asks));
                None
            }
            Effect::Poll(poll) if !self.polling.contains_key(&poll.schedule) => {
                self.polls.push(poll.clone());
                None
            }
            _ => None,
        }
    }

    /// Begins to execute a handler that will end as the world has decided.
    pub fn begin(&mut self, mut execution: Execution, now_ms: i64) {
        let attempt = (execution.execute.run, execution.execute.fence);
        if let Some((key, _)) = &execution.cache {
            execution.asks = true;
            self.send(Wish::Recall { attempt, key: key.clone() }, now_ms);
        }
        self.executing.insert(attempt, execution);
    }

    /// Reports the end of a handler, in time or late.
    pub fn report(&mut self, execution: &Execution, now_ms: i64) -> u64 {
        let Execute { run, fence, step, scope, handler, attempt, .. } = execution.execute.clone();
        if let Some(current) = self.executing.get_mut(&(run, fence)) {
            current.reported = true;
        }
        let mark = |retryable| {
            let mark = Mark { run, step: step.clone(), scope: scope.clone(), handler, attempt, fence, retryable };
            // In the order in which the request will have it.
            serde_json::to_value(mark).expect("a mark is plain data").to_string()
        };
        let outcome = match &execution.plan {
            Plan::Completes(Returns::Nothing) => Outcome::Returned(None),
            Plan::Completes(Returns::Json(json)) => Outcome::Returned(Some(json.clone())),
            Plan::Fails { retryable, expected } => {
                Outcome::Threw { error: mark(*retryable), retryable: *retryable, expected: *expected }
            }
            Plan::Cancels => Outcome::Cancelled,
            Plan::Completes(Returns::Mark) | Plan::Hangs | Plan::Kills => Outcome::Returned(Some(mark(false))),
        };
        let name = step.as_deref().unwrap_or(handler.as_str());
        let adds = if handler == Handler::Filter { 0 } else { increment(run, name, &scope, handler) };
        let cache = execution.cache.clone();
        let ending = Ending { attempt: (run, fence), step, scope, handler, number: attempt, outcome, adds, cache };
        self.send(Wish::Resolve(Box::new(ending)), now_ms)
    }
}
