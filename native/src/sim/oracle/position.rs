//! Where a run must stand, once all that follows from its last row by itself has followed.

use super::Walk;
use super::marks::expect;
use super::tree::{At, Call, Thread};
use crate::ids::RunId;
use crate::model::{Handler, RunRow, RunStatus};

/// A function that may be called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ready {
    /// The node; none for a hook.
    pub name: Option<String>,
    /// The iterations it is inside of.
    pub scope: String,
    /// The function.
    pub handler: Handler,
    /// The number of the attempt.
    pub attempt: u32,
    /// Process deaths before it.
    pub deaths: u32,
    /// Not before this time.
    pub not_before_ms: i64,
    /// Whether it is to be called; else it depends on the time, or on an event.
    pub is_certain: bool,
    /// Whose output `ctx.last` is.
    pub last: Option<String>,
    /// What went wrong before.
    pub error: Option<String>,
}

/// Something that ends a wait.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Awaited {
    /// An event of this name; whether a filter looks at it.
    Event(String, bool),
    /// A person, until this time.
    Approval(Option<i64>),
    /// A child run.
    Child(RunId),
    /// That the workflow of its child is defined in this process.
    Definition(String),
}

impl Walk {
    /// All functions that may be called.
    pub fn ready(&self) -> Vec<Ready> {
        let mut all = Vec::new();
        if let Some(handler) = self.owed() {
            let error = match &self.root.at {
                At::Over(Err(failure)) => Some(failure.error.clone()),
                _ => None,
            };
            all.push(Ready {
                name: None,
                scope: String::new(),
                handler,
                attempt: self.hook_deaths + 1,
                deaths: self.hook_deaths,
                not_before_ms: i64::MIN,
                is_certain: true,
                last: None,
                error,
            });
        } else if self.decided().is_none() {
            ready(&self.root, &mut all);
        }
        all
    }

    /// What it waits for, with the node and the iterations.
    pub fn awaited(&self) -> Vec<(String, String, Awaited)> {
        if self.is_asleep { Vec::new() } else { self.awaited_once_begun() }
    }

    /// The same, also for one that may not have begun.
    pub fn awaited_once_begun(&self) -> Vec<(String, String, Awaited)> {
        let mut all = Vec::new();
        if self.decided().is_none() {
            awaited(&self.root, &mut all);
        }
        all
    }

    /// Whose output is the run's.
    pub fn last(&self) -> Option<String> {
        self.root.last.as_ref().map(|last| last.key.clone())
    }

    /// Whether a thread has come to a node that ends the run.
    pub fn is_at_cancel(&self) -> bool {
        is_at_cancel(&self.root)
    }

    /// The run's stored status agrees with its history, and nothing is left undone.
    pub fn check_rest(&self, run: &RunRow) -> Result<(), String> {
        if self.is_asleep {
            return expect("status", run.status, RunStatus::Waiting);
        }
        let decided = self.decided();
        match decided {
            Some(decided) => expect("status", run.status, decided)?,
            None => {
                at_rest(&self.root)?;
                expect("its end", self.crashed, false)?;
                let is_open = matches!(run.status, RunStatus::Pending | RunStatus::Running | RunStatus::Waiting);
                expect("an open status", is_open, true).map_err(|wrong| format!("{wrong}: {:?}", run.status))?;
            }
        }
        if self.ending.is_some() && !self.root.is_abandoned(self.latest_ms) {
            return Err(format!("not everything has ended: {:?}", self.root));
        }
        expect("open", run.open, decided.is_none() || self.owed().is_some())?;
        self.check_error(run)?;
        let output = self.root.last.as_ref().and_then(|last| last.output.as_ref());
        expect("the run's output", run.output.as_ref(), output.filter(|_| decided == Some(RunStatus::Completed)))?;
        let ready = self.ready();
        let certain = ready.iter().any(|ready| ready.is_certain && ready.not_before_ms == i64::MIN);
        match run.status {
            RunStatus::Waiting if certain => Err("the run waits with something to execute".to_owned()),
            RunStatus::Running | RunStatus::Pending if ready.is_empty() => {
                Err("the run has nothing to execute".to_owned())
            }
            _ => Ok(()),
        }
    }
}

fn children(thread: &Thread) -> impl Iterator<Item = &Thread> {
    let threads = match &thread.at {
        At::Block(inner) => &inner.threads[..],
        _ => &[],
    };
    threads.iter().map(|(_, thread)| thread)
}

fn ready(thread: &Thread, all: &mut Vec<Ready>) {
    let Some(part) = thread.part() else { return };
    let name = &*part.spec.name;
    if let Some(call) = thread.call() {
        all.push(call.ready(thread, name));
    }
    match &thread.at {
        At::Event { call: None, .. } if part.spec.filter => {
            all.push(Ready { is_certain: false, ..Call::new(Handler::Filter).ready(thread, name) });
        }
        At::Approval { until_ms: Some(until_ms), .. } if part.spec.on_timeout => {
            let call = Call { not_before_ms: *until_ms, ..Call::new(Handler::OnTimeout) };
            all.push(Ready { is_certain: false, ..call.ready(thread, name) });
        }
        _ => children(thread).for_each(|child| ready(child, all)),
    }
}

fn awaited(thread: &Thread, all: &mut Vec<(String, String, Awaited)>) {
    let Some(part) = thread.part() else { return };
    let what = match &thread.at {
        At::Event { .. } => {
            Some(Awaited::Event(part.spec.event.as_deref().unwrap_or_default().to_owned(), part.spec.filter))
        }
        At::Approval { until_ms, .. } => Some(Awaited::Approval(*until_ms)),
        At::Child { run: Some(run), .. } => Some(Awaited::Child(*run)),
        At::Child { run: None, .. } => {
            Some(Awaited::Definition(part.spec.workflow.as_deref().unwrap_or_default().to_owned()))
        }
        _ => None,
    };
    all.extend(what.map(|what| (part.spec.name.to_string(), thread.scope.clone(), what)));
    children(thread).for_each(|child| awaited(child, all));
}

fn is_at_cancel(thread: &Thread) -> bool {
    matches!(thread.at, At::Cancel) || children(thread).any(is_at_cancel)
}

/// Nothing is left that follows by itself.
fn at_rest(thread: &Thread) -> Result<(), String> {
    let Some(part) = thread.part() else { return Ok(()) };
    let due = match &thread.at {
        At::Mocked(_) => true,
        At::Sleep(until_ms) => *until_ms <= thread.arrived_at_ms,
        At::Block(inner) => inner.due(&part, thread.last.as_ref()).is_some(),
        _ => false,
    };
    if due {
        return Err(format!("`{}` should be done: {:?}", part.spec.name, thread.at));
    }
    children(thread).try_for_each(at_rest)
}
