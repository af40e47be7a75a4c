//! What a world did: counts, a trace with a hash, and what went wrong.

use std::collections::VecDeque;
use std::fmt;

use super::auditor::Violation;

/// What happened in one world or several.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// Things that happened.
    pub actions: u64,
    /// Transactions the engine tried.
    pub transactions: u64,
    /// Transactions in which the storage failed.
    pub failed_transactions: u64,
    /// Process deaths of any kind.
    pub deaths: u64,
    /// Process deaths by a poison step.
    pub poisoned: u64,
    /// Requests and answers that were lost.
    pub lost: u64,
    /// Requests and answers that came twice.
    pub repeated: u64,
    /// Handlers that were called.
    pub executions: u64,
    /// Ends of runs the host heard of.
    pub finished: u64,
    /// Runs that completed.
    pub completed: u64,
    /// Runs that failed.
    pub failed: u64,
    /// Runs that were cancelled.
    pub cancelled: u64,
    /// Attempts and decisions that were recorded.
    pub rows: u64,
    /// Child runs.
    pub children: u64,
    /// Runs that were taken up again.
    pub retried: u64,
    /// Requests for approval that were answered.
    pub approved: u64,
    /// Waits that ended with an event.
    pub taken: u64,
    /// Runs that a schedule has started.
    pub scheduled: u64,
    /// Runs that an item of a poll has started.
    pub polled: u64,
    /// Runs that an event has started.
    pub listened: u64,
}

impl Counts {
    /// Adds those of another world.
    pub fn add(&mut self, other: &Counts) {
        for ((_, sum), (_, count)) in self.named_mut().into_iter().zip(other.clone().named_mut()) {
            *sum += *count;
        }
    }

    /// Every count with its name.
    pub fn named(&self) -> Vec<(&'static str, u64)> {
        self.clone().named_mut().into_iter().map(|(name, count)| (name, *count)).collect()
    }

    fn named_mut(&mut self) -> [(&'static str, &mut u64); 20] {
        [
            ("actions", &mut self.actions),
            ("transactions", &mut self.transactions),
            ("failed transactions", &mut self.failed_transactions),
            ("process deaths", &mut self.deaths),
            ("  by a poison step", &mut self.poisoned),
            ("lost messages", &mut self.lost),
            ("repeated messages", &mut self.repeated),
            ("handlers executed", &mut self.executions),
            ("ends heard of", &mut self.finished),
            ("runs completed", &mut self.completed),
            ("runs failed", &mut self.failed),
            ("runs cancelled", &mut self.cancelled),
            ("rows recorded", &mut self.rows),
            ("child runs", &mut self.children),
            ("taken up again", &mut self.retried),
            ("approvals answered", &mut self.approved),
            ("events taken", &mut self.taken),
            ("runs of schedules", &mut self.scheduled),
            ("runs of polls", &mut self.polled),
            ("runs of events", &mut self.listened),
        ]
    }
}

/// What happened, in order: the last events as text, all of them as a hash.
#[derive(Debug)]
pub struct Trace {
    last: VecDeque<String>,
    kept: usize,
    hash: u64,
}

impl Trace {
    /// A trace that keeps the last events.
    pub fn new(events: usize) -> Trace {
        Trace { last: VecDeque::new(), kept: events, hash: 0xCBF2_9CE4_8422_2325 }
    }

    /// Adds an event.
    pub fn note(&mut self, event: impl FnOnce() -> String) {
        let event = event();
        // FNV-1a: the same for the same events on every machine.
        for byte in event.bytes() {
            self.hash = (self.hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3);
        }
        self.last.push_back(event);
        if self.last.len() > self.kept {
            self.last.pop_front();
        }
    }

    /// The hash of all events.
    pub fn hash(&self) -> u64 {
        self.hash
    }
}

/// A world in which a promise was broken.
#[derive(Debug, Clone)]
pub struct Failure {
    /// Replays it.
    pub seed: u64,
    /// The promise.
    pub violation: Violation,
    /// The last things that happened.
    pub events: Vec<String>,
}

impl Failure {
    /// The failure of the world with this trace.
    pub fn new(seed: u64, violation: Violation, trace: &Trace) -> Failure {
        Failure { seed, violation, events: trace.last.iter().cloned().collect() }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for event in &self.events {
            writeln!(formatter, "  {event}")?;
        }
        let Violation { rule, detail } = &self.violation;
        writeln!(formatter, "seed {}: broken: {rule}\n  {detail}", self.seed)?;
        write!(formatter, "  replay: cargo run --features sim --bin simulate -- --seed {} --events 1000", self.seed)
    }
}
