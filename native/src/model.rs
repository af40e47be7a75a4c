//! The nouns of storage: statuses, rows, and the writes the machine asks for. No behaviour.

use std::borrow::Cow;

use crate::ids::RunId;

macro_rules! words {
    ($(#[$meta:meta])* $name:ident { $($(#[doc = $doc:literal])+ $variant:ident = $text:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum $name { $($(#[doc = $doc])+ $variant,)+ }

        impl $name {
            /// The word as it stands in SQL and JSON.
            pub fn as_str(self) -> &'static str {
                match self { $($name::$variant => $text,)+ }
            }

            /// The value of a stored word.
            pub fn parse(text: &str) -> Option<$name> {
                match text { $($text => Some($name::$variant),)+ _ => None }
            }
        }
    };
}

words! {
    /// Where a run stands.
    RunStatus {
        /// Ready, but no slot is free or its workflow is not defined in this process yet.
        Pending = "pending",
        /// It holds a slot: a handler executes.
        Running = "running",
        /// It waits on a timer; it is not in memory.
        Waiting = "waiting",
        /// It ended with an output.
        Completed = "completed",
        /// It ended with an error.
        Failed = "failed",
        /// It was cancelled, which is not a failure.
        Cancelled = "cancelled",
        /// It cannot continue without a decision: its workflow changed under it.
        Stuck = "stuck",
    }
}

impl RunStatus {
    /// Whether the run has ended for good.
    pub fn is_final(self) -> bool {
        matches!(self, RunStatus::Completed | RunStatus::Failed | RunStatus::Cancelled)
    }
}

words! {
    /// How an attempt ended.
    StepStatus {
        /// The handler returned.
        Completed = "completed",
        /// The handler threw.
        Failed = "failed",
        /// The handler took longer than the step, or the run, may take.
        TimedOut = "timed_out",
        /// The process died while the handler executed.
        Interrupted = "interrupted",
        /// The run was cancelled while the handler executed.
        Cancelled = "cancelled",
    }
}

words! {
    /// Which of the user's functions an attempt executes.
    Handler {
        /// The step itself.
        Body = "body",
        /// The step's `onError`, after its last attempt failed.
        OnError = "on_error",
        /// The workflow's hook, after the run completed.
        OnSuccess = "on_success",
        /// The workflow's hook, after the run failed.
        OnFailure = "on_failure",
    }
}

impl Handler {
    /// Whether it executes after the run has ended.
    pub fn is_hook(self) -> bool {
        matches!(self, Handler::OnSuccess | Handler::OnFailure)
    }
}

words! {
    /// What a stored timer is for. A run has at most one of each kind.
    TimerKind {
        /// The run continues: a retry or a step's delay.
        Wake = "wake",
        /// The whole run has taken too long.
        Deadline = "deadline",
    }
}

/// A stored workflow definition.
pub type DefinitionId = i64;

/// A run as it is first stored.
#[derive(Debug, Clone, PartialEq)]
pub struct NewRun<'a> {
    /// Its id.
    pub id: RunId,
    /// The definition it is pinned to.
    pub definition: DefinitionId,
    /// The workflow's id, for those who read the table.
    pub workflow_id: &'a str,
    /// Pending, running or waiting.
    pub status: RunStatus,
    /// What it was started with, JSON.
    pub payload: Option<&'a str>,
    /// What started it, JSON.
    pub trigger: Option<&'a str>,
    /// When.
    pub created_at_ms: i64,
}

/// An ended attempt, as it is stored: a row that never changes.
#[derive(Debug, Clone, PartialEq)]
pub struct NewStep<'a> {
    /// The run.
    pub run: RunId,
    /// Position in the run's history, from 1.
    pub sequence: u32,
    /// The step's name.
    pub name: &'a str,
    /// The function that was executed.
    pub handler: Handler,
    /// The number of this attempt of this handler, from 1.
    pub attempt: u32,
    /// How it ended.
    pub status: StepStatus,
    /// What it returned, JSON; an action's is dropped.
    pub output: Option<&'a str>,
    /// Why it failed, JSON.
    pub error: Option<Cow<'a, str>>,
    /// When the next attempt is due, if there is one.
    pub retry_at_ms: Option<i64>,
    /// When it was handed to the host; unknown for an interrupted attempt.
    pub started_at_ms: Option<i64>,
    /// When its end was known.
    pub finished_at_ms: i64,
}

/// How a run ends.
#[derive(Debug, Clone, PartialEq)]
pub struct RunEnd<'a> {
    /// The run.
    pub run: RunId,
    /// Completed, failed or cancelled.
    pub status: RunStatus,
    /// The attempt whose output is the run's output.
    pub output_of: Option<u32>,
    /// Why it failed or was cancelled, JSON.
    pub error: Option<Cow<'a, str>>,
    /// When.
    pub finished_at_ms: i64,
    /// Whether the engine still owes it something: a hook.
    pub open: bool,
}

/// A change the machine asks for. The store applies it inside the transaction of the command that caused it.
#[derive(Debug, Clone, PartialEq)]
pub enum Write<'a> {
    /// A run begins.
    InsertRun(NewRun<'a>),
    /// An attempt has ended.
    InsertStep(NewStep<'a>),
    /// An open run moves between pending, running and waiting.
    SetStatus(RunId, RunStatus),
    /// The hook of an ended run waits for a slot, or no longer does.
    SetHookQueued(RunId, bool),
    /// A run continues under another definition of its workflow.
    SetDefinition(RunId, DefinitionId),
    /// A run has ended.
    EndRun(RunEnd<'a>),
    /// A run cannot continue without a decision.
    ParkRun(RunId, Cow<'a, str>),
    /// Nothing more is owed to an ended run.
    CloseRun(RunId),
    /// A run's timer of this kind is set.
    SetTimer(RunId, TimerKind, i64),
    /// A run's timer of this kind is removed.
    ClearTimer(RunId, TimerKind),
}

/// What the machine needs of a stored attempt to continue a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepSummary {
    /// Position in the run's history.
    pub sequence: u32,
    /// The step's name.
    pub name: String,
    /// The function that was executed.
    pub handler: Handler,
    /// How it ended.
    pub status: StepStatus,
    /// Whether another attempt follows.
    pub retried: bool,
}

/// What the machine needs of a stored run to continue it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunSummary {
    /// The run.
    pub id: RunId,
    /// The definition it is pinned to.
    pub definition: DefinitionId,
    /// Its workflow.
    pub workflow_id: String,
    /// Where it stands.
    pub status: RunStatus,
    /// Whether the engine still owes it something.
    pub open: bool,
    /// Whether what it owes is a hook that is not executing: a process death does not interrupt it.
    pub hook_queued: bool,
    /// When it began.
    pub created_at_ms: i64,
    /// Its ended attempts, in order.
    pub steps: Vec<StepSummary>,
}

/// A due timer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timer {
    /// When.
    pub due_at_ms: i64,
    /// Whose.
    pub run: RunId,
    /// What for.
    pub kind: TimerKind,
}

/// The whole of a stored run, for people.
#[derive(Debug, Clone, PartialEq)]
pub struct RunRow {
    /// The run.
    pub id: RunId,
    /// Its workflow.
    pub workflow_id: String,
    /// The definition it is pinned to.
    pub definition: DefinitionId,
    /// Where it stands.
    pub status: RunStatus,
    /// Whether the engine still owes it something.
    pub open: bool,
    /// What it was started with, JSON.
    pub payload: Option<String>,
    /// What started it, JSON.
    pub trigger: Option<String>,
    /// What it returned, JSON.
    pub output: Option<String>,
    /// Why it failed, was cancelled or is stuck, JSON.
    pub error: Option<String>,
    /// When it began.
    pub created_at_ms: i64,
    /// When it ended.
    pub finished_at_ms: Option<i64>,
}

/// The whole of a stored attempt, for people.
#[derive(Debug, Clone, PartialEq)]
pub struct StepRow {
    /// Position in the run's history, from 1.
    pub sequence: u32,
    /// The step's name.
    pub name: String,
    /// The function that was executed.
    pub handler: Handler,
    /// The number of this attempt of this handler, from 1.
    pub attempt: u32,
    /// How it ended.
    pub status: StepStatus,
    /// What it returned, JSON.
    pub output: Option<String>,
    /// Why it failed, JSON.
    pub error: Option<String>,
    /// When the next attempt is due, if there is one.
    pub retry_at_ms: Option<i64>,
    /// When it was handed to the host.
    pub started_at_ms: Option<i64>,
    /// When its end was known.
    pub finished_at_ms: i64,
}

/// Which runs to list, newest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RunFilter {
    /// Only runs of this workflow.
    pub workflow_id: Option<String>,
    /// Only runs of this status.
    pub status: Option<RunStatus>,
    /// Only runs created at or after this time.
    pub since_ms: Option<i64>,
    /// Only runs older than this one.
    pub before: Option<RunId>,
    /// At most this many.
    pub limit: u32,
}
