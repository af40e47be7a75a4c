//! The rules of a run's life, as a pure function: (definition, run, event, now) → writes and effects.
//!
//! No clock, no randomness, no storage: time, a free slot and the secret of tokens are arguments, a retry's jitter is
//! a hash.
//!
//! ```text
//!        start, Admitted ──► arrive at a node (flow) ──► attempt (attempt) ──┐ Ended: record, decide
//!                              ▲    │                       ▲   retry, delay │
//!                              │    ├─► wait (wait) ── Ticked, EventArrived, Approved, ChildEnded
//!                              │    └─► block: its branches and iterations are paths of their own
//!                              └──────────── the next node, or the end of the path (flow) ──► the end of the run (run)
//! ```
//!
//! A run is one or more **paths** of control. Its stage follows from what they do:
//!
//! | stage | status | when |
//! | --- | --- | --- |
//! | `Queued` | pending | an attempt is ready, and the run has no slot |
//! | `Executing` | running | it has a slot; the host executes at least one attempt |
//! | `Waiting` | waiting | every path waits: for a time, an event, a person, a child |
//! | `Ended` | final | nothing is left to do |
//!
//! Every change of a run is caused by something that is stored with it: the end of an attempt, of a wait or of a
//! child is a row. So a stored run is continued by applying its rows again (`restore`), and what is stored as `running`
//! is exactly what a process death interrupts.

mod attempt;
mod circuit;
mod flow;
mod path;
mod restore;
mod retry;
mod run;
mod schedule;
mod token;
mod wait;
mod waiting;

use std::sync::Arc;

pub use circuit::{Circuit, Circuits};
use path::Paths;
pub use path::{Attempt, Path, PathId, Wait};
pub use restore::{DefinitionChanged, restore, retried_steps, stuck, take_up};
pub use run::{Beginning, begin_attempts, execute_effects, park, park_damaged, settle, start};
pub use schedule::{Schedule, Surroundings, poll_backoff_ms};
pub use token::{Secret, hash as token_hash};
pub use wait::{filters, look_again};
pub use waiting::{Waiting, What, waits};

use crate::error::{Code, Error, Result};
use crate::graph::Graph;
use crate::ids::RunId;
use crate::model::{Handler, RunStatus, StoredEvent, Write};
use crate::protocol::Effect;

/// What a run is doing now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Ready for a slot.
    Queued,
    /// Holding a slot; the host executes handlers.
    Executing,
    /// Nothing to execute before something happens.
    Waiting,
    /// Nothing is left to do.
    Ended,
}

/// Outputs of steps that are not to be executed, by name.
pub type Mocks = std::collections::BTreeMap<String, Arc<str>>;

/// Positions in a history by name, scope and handler.
type CompletedAt = std::collections::BTreeMap<(String, String, Handler), u32>;

/// A run as the engine keeps it while it is active: where it stands, and none of its values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// Its id.
    pub id: RunId,
    /// Its status, as stored.
    pub status: RunStatus,
    /// What it is doing now.
    pub stage: Stage,
    /// Whether its hook waits for a slot, as stored.
    pub hook_queued: bool,
    /// The run that waits for it.
    pub parent: Option<RunId>,
    /// How many runs it is inside of.
    pub depth: u32,
    /// The schedule that started it.
    pub schedule: Option<Arc<str>>,
    /// Which queued run goes first.
    pub priority: i32,
    /// Runs of one key share the workflow's concurrency.
    pub concurrency_key: Option<Arc<str>>,
    /// Under which key of its workflow's rate limit it has still to begin.
    pub rate_key: Option<Arc<str>>,
    /// The position in its history that the next row will have.
    pub sequence: u32,
    /// Its earliest timer, as stored.
    pub timer_due_at_ms: Option<i64>,
    mocks: Option<Box<Mocks>>,
    /// When the whole run has taken too long.
    deadline_ms: Option<i64>,
    /// Told by the fences of its attempts from those before it was last taken up again.
    epoch: u32,
    paths: Paths,
    /// While its history is applied again: where in it what was completed stands.
    completed_at: Option<Box<CompletedAt>>,
    /// Paths that have come to a node and not yet begun it.
    arrivals: std::collections::VecDeque<PathId>,
}

impl Run {
    /// Attempts of steps and hooks that the host has been given.
    pub fn executing(&self) -> impl Iterator<Item = &Attempt> {
        self.paths.iter().filter_map(|(_, path)| path.attempt.as_ref()).filter(|attempt| attempt.handed_out)
    }

    /// Whether this attempt is with the host.
    pub fn is_executing(&self, fence: u64) -> bool {
        self.executing().any(|attempt| attempt.fence == fence)
    }

    /// The step that an attempt which is with the host is of.
    pub fn step_of(&self, fence: u64, graph: &Graph) -> Option<Arc<str>> {
        let is_it =
            |path: &Path| path.attempt.as_ref().is_some_and(|attempt| attempt.fence == fence && attempt.handed_out);
        self.paths.iter().find(|(_, path)| is_it(path)).map(|(_, path)| graph.node(path.node).name.clone())
    }

    /// When its delay is over, if it waits for that.
    pub fn begins_at_ms(&self) -> Option<i64> {
        match self.paths.get(Paths::ROOT)?.wait {
            Wait::Start { until_ms } => Some(until_ms),
            _ => None,
        }
    }

    /// Whether a node waits for a child that is not started yet. A run that was read again may have asked twice.
    pub fn wants_child(&self, name: &str, scope: &str, graph: &Graph) -> bool {
        let at = graph.find(name).and_then(|node| self.paths.at(node, scope));
        at.is_some_and(|at| matches!(self.paths[at].wait, Wait::Child { run: None, .. }))
    }

    /// Child runs it waits for.
    pub fn children(&self) -> impl Iterator<Item = RunId> {
        self.paths.iter().filter_map(|(_, path)| match path.wait {
            Wait::Child { run, .. } => run,
            _ => None,
        })
    }

    /// The most process deaths that one of its attempts has seen.
    pub fn interruptions(&self) -> u32 {
        self.paths.iter().map(|(_, path)| path.interruptions).max().unwrap_or(0)
    }
}

/// What happens to a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event<'a> {
    /// A slot is free for it.
    Admitted,
    /// The host reports the end of an attempt.
    Ended {
        /// The attempt.
        fence: u64,
        /// How it ended.
        outcome: Outcome<'a>,
    },
    /// A cached output was found for an attempt.
    Recalled {
        /// The attempt.
        fence: u64,
        /// The output, JSON.
        output: &'a str,
    },
    /// An attempt has taken too long.
    AttemptTimedOut {
        /// The attempt.
        fence: u64,
    },
    /// It is to begin, and its workflow's rate limit lets it at this time.
    Reserved {
        /// When.
        at_ms: i64,
    },
    /// Its timer is due.
    Ticked,
    /// An event of a name that a path waits for.
    EventArrived {
        /// The node that waits.
        name: &'a str,
        /// The iterations it is inside of.
        scope: &'a str,
        /// The event.
        event: &'a StoredEvent,
    },
    /// Somebody has answered a request for approval.
    Approved {
        /// The node that waits.
        name: &'a str,
        /// The iterations it is inside of.
        scope: &'a str,
        /// Yes or no.
        approved: bool,
        /// The output of the node, JSON.
        output: &'a str,
    },
    /// A child run was started, or could not be.
    ChildStarted {
        /// The node that waits for it.
        name: &'a str,
        /// The iterations it is inside of.
        scope: &'a str,
        /// Its id, or why there is none, JSON.
        child: std::result::Result<RunId, &'a str>,
    },
    /// A child run has ended.
    ChildEnded {
        /// Its id.
        child: RunId,
        /// Its output, or why it has none, JSON.
        result: std::result::Result<Option<&'a str>, &'a str>,
    },
    /// Someone cancels it.
    Cancelled {
        /// Why, for people.
        reason: Option<&'a str>,
    },
    /// The process died while it was executing.
    Interrupted,
    /// The host stops before it could finish.
    Released,
    /// It goes on from what it has completed.
    TakenUp,
}

/// How a handler ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome<'a> {
    /// It returned.
    Completed {
        /// What, JSON; absent for `undefined`.
        output: Option<&'a str>,
    },
    /// It threw.
    Failed {
        /// What, JSON.
        error: &'a str,
        /// Whether another attempt may help.
        retryable: bool,
        /// Whether a circuit does not count it.
        expected: bool,
    },
    /// It asked that the run end as cancelled.
    Cancel {
        /// Why, for people.
        reason: &'a str,
    },
}

/// Whether there is a slot for what becomes ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Slot {
    /// For any run.
    Free,
    /// For a run that holds one.
    Taken,
    /// For none: its workflow is paused. What executes may finish.
    Withheld,
}

/// One transition: what the machine may know of the world, and what it asks for.
#[derive(Debug)]
pub struct Turn<'a> {
    /// The run's definition.
    pub graph: &'a Graph,
    /// The time.
    pub now_ms: i64,
    /// Whether a run that becomes ready may execute at once.
    pub slot: Slot,
    /// What tokens are made of.
    pub secret: &'a Secret,
    /// The circuits of all workflows.
    pub circuits: Circuits,
    /// What the transition asks for.
    pub out: Transition<'a>,
}

impl<'a> Turn<'a> {
    fn write(&mut self, write: Write<'a>) {
        self.out.writes.push(write);
    }

    fn effect(&mut self, effect: Effect) {
        self.out.effects.push(effect);
    }
}

/// What a transition asks for.
#[derive(Debug, Default, PartialEq)]
pub struct Transition<'a> {
    /// Changes to store, in order.
    pub writes: Vec<Write<'a>>,
    /// What the host must do after the commit, in order.
    pub effects: Vec<Effect>,
    /// What it needs of the engine, of other runs and of stored events.
    pub needs: Vec<Need>,
    /// Attempts handed out that may take too long: when, and which.
    pub deadlines: Vec<(i64, u64)>,
    /// Attempts that the host had and that have ended, each with its clock.
    pub clocks_over: Vec<(u64, Clock)>,
    /// What became of the attempt that has ended.
    pub ended: Ended,
}

/// Since when the host has had an attempt, and when it has taken too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Clock {
    /// Since when.
    pub started_at_ms: i64,
    /// When it has taken too long.
    pub deadline_ms: Option<i64>,
}

impl Clock {
    /// That of an attempt which is handed out now.
    fn start(now_ms: i64, timeout_ms: Option<u64>) -> Clock {
        Clock { started_at_ms: now_ms, deadline_ms: timeout_ms.map(|timeout_ms| later(now_ms, timeout_ms)) }
    }
}

/// The clocks of attempts by run and fence.
pub type Clocks = std::collections::HashMap<(RunId, u64), Clock>;

/// What became of an attempt whose end was reported.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Ended {
    /// It has completed: what else it did counts. Not if what its function decided makes no sense.
    pub completed: bool,
    /// It has failed, and this is when it is tried again.
    pub retry_at_ms: Option<i64>,
}

/// What a run needs that is not its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Need {
    /// A child run.
    Child {
        /// The node that waits for it.
        name: Arc<str>,
        /// The iterations it is inside of.
        scope: Arc<str>,
        /// Its workflow.
        workflow: Arc<str>,
        /// The row whose output is its payload.
        payload_of: Option<u32>,
    },
    /// The end of a child run whose outcome no longer matters.
    CancelChild(RunId),
    /// The next stored event that a wait has not seen.
    NextEvent {
        /// The node that waits.
        name: Arc<str>,
        /// The iterations it is inside of.
        scope: Arc<str>,
        /// The event's name.
        event: Arc<str>,
    },
    /// That the run which waits for this one be told of its end.
    TellParent(RunId),
    /// That the schedule which started it be told of its end.
    TellSchedule(Arc<str>),
}

/// Applies one event to a run. An event that comes too late changes nothing and is refused.
pub fn apply<'a>(run: &mut Run, event: Event<'a>, turn: &mut Turn<'a>) -> Result<()> {
    match event {
        Event::Admitted => {
            expect(run, Stage::Queued)?;
            run.stage = Stage::Executing;
        }
        Event::Ended { fence, outcome } => {
            let path = find_attempt(run, fence)?;
            attempt::ended(run, path, outcome, turn);
        }
        Event::Recalled { fence, output } => {
            let path = find_attempt(run, fence)?;
            attempt::recalled(run, path, output, turn);
        }
        Event::AttemptTimedOut { fence } => {
            let path = find_attempt(run, fence)?;
            attempt::timed_out(run, path, turn);
        }
        Event::Reserved { at_ms } => run::reserved(run, at_ms, turn),
        Event::Ticked => run::ticked(run, turn),
        Event::EventArrived { name, scope, event } => wait::event_arrived(run, name, scope, event, turn),
        Event::Approved { name, scope, approved, output } => {
            wait::approved(run, name, scope, approved, output, turn)?;
        }
        Event::ChildStarted { name, scope, child } => wait::child_started(run, name, scope, child, turn),
        Event::ChildEnded { child, result } => wait::child_ended(run, child, result, turn),
        Event::Cancelled { reason } => {
            refuse_final(run)?;
            run::cancelled(run, reason.unwrap_or("the run was cancelled"), turn);
        }
        Event::Interrupted => {
            expect(run, Stage::Executing)?;
            run::interrupted(run, turn);
        }
        Event::Released => {
            expect(run, Stage::Executing)?;
            run::released(run, turn);
        }
        Event::TakenUp => wait::reopen(run, turn),
    }
    run::settle(run, turn);
    Ok(())
}

fn find_attempt(run: &Run, fence: u64) -> Result<PathId> {
    let found = run
        .paths
        .iter()
        .find(|(_, path)| path.attempt.as_ref().is_some_and(|attempt| attempt.fence == fence && attempt.handed_out));
    if planted!(LateResultAccepted) && found.is_none() && run.stage == Stage::Executing {
        let any = run.paths.iter().find(|(_, path)| path.attempt.as_ref().is_some_and(|attempt| attempt.handed_out));
        return any.map(|(id, _)| id).ok_or_else(|| attempt_ended(run.id));
    }
    found.map(|(id, _)| id).ok_or_else(|| attempt_ended(run.id))
}

fn expect(run: &Run, stage: Stage) -> Result<()> {
    if run.stage == stage {
        return Ok(());
    }
    Err(Error::bug(format!("run {} is {:?}, not {stage:?}", run.id, run.stage)))
}

fn refuse_final(run: &Run) -> Result<()> {
    if run.status.is_final() {
        return Err(Error::new(Code::RunEnded, format!("run {} is already {}", run.id, run.status.as_str())));
    }
    Ok(())
}

/// The refusal of a result that comes after its attempt has ended.
pub fn attempt_ended(run: RunId) -> Error {
    Error::new(Code::AttemptEnded, format!("the attempt of run {run} has already ended"))
}

/// An error the machine itself gives, in the shape the host gives a thrown one.
pub fn error_json(code: &str, message: &str) -> Arc<str> {
    serde_json::json!({ "name": "WorkflowError", "code": code, "message": message }).to_string().into()
}

/// A time after `now_ms`. Durations are bounded (limits.rs), so this cannot overflow for any sane clock.
pub fn later(now_ms: i64, duration_ms: u64) -> i64 {
    now_ms.saturating_add(i64::try_from(duration_ms).unwrap_or(i64::MAX))
}
