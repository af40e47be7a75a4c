//! The nouns of storage: statuses, rows, and the writes the machine asks for. No behaviour.

use std::borrow::Cow;
use std::sync::Arc;

use crate::ids::RunId;

macro_rules! words {
    ($(#[$meta:meta])* $name:ident { $($(#[doc = $doc:literal])+ $variant:ident = $text:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum $name { $($(#[doc = $doc])+ $variant,)+ }

        impl $name {
            /// All of them, in this order.
            pub const ALL: &[$name] = &[$($name::$variant),+];

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
        /// It waits for a time, an event, a person or a child.
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
        /// The run was cancelled, or another branch of a race won.
        Cancelled = "cancelled",
    }
}

words! {
    /// Which of the user's functions an attempt executes.
    Handler {
        /// The step itself. Of a block, a wait or a child run: its end, for which nothing is called.
        Body = "body",
        /// The step's `onError`, after its last attempt failed.
        OnError = "on_error",
        /// The workflow's hook, after the run completed.
        OnSuccess = "on_success",
        /// The workflow's hook, after the run failed.
        OnFailure = "on_failure",
        /// Which branch of an `if` is taken; whether a `while` goes on.
        Condition = "condition",
        /// The items of a loop.
        Items = "items",
        /// How long, or until when, a sleep lasts.
        Duration = "duration",
        /// The payload of a child run.
        Input = "input",
        /// Whether an event is the one that is waited for.
        Filter = "filter",
        /// Tells somebody that an approval is wanted.
        OnPause = "on_pause",
        /// Tells somebody that nobody has approved in time.
        OnTimeout = "on_timeout",
        /// A child run has been started; nothing is called.
        Start = "start",
        /// The run was taken up again from what it had completed; nothing is called.
        Retry = "retry",
    }
}

impl Handler {
    /// Whether it executes after the run has ended.
    pub fn is_hook(self) -> bool {
        matches!(self, Handler::OnSuccess | Handler::OnFailure)
    }
}

words! {
    /// What became of a request for approval.
    ApprovalStatus {
        /// Nobody has answered yet.
        Open = "open",
        /// Somebody said yes.
        Approved = "approved",
        /// Somebody said no.
        Rejected = "rejected",
        /// Nobody answered in time.
        Expired = "expired",
        /// Its run went on, or ended, without it.
        Cancelled = "cancelled",
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
    /// When.
    pub created_at_ms: i64,
    /// Where it comes from.
    pub origin: Box<Origin<'a>>,
}

/// Where a run comes from, and what was said of it when it was started.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Origin<'a> {
    /// What it was started with, JSON.
    pub payload: Option<Cow<'a, str>>,
    /// What started it, JSON.
    pub trigger: Option<Cow<'a, str>>,
    /// It does not begin before this time.
    pub start_at_ms: Option<i64>,
    /// Which queued run goes first: the higher.
    pub priority: i32,
    /// Runs of one key share the workflow's concurrency.
    pub concurrency_key: Option<Cow<'a, str>>,
    /// Under which key of its workflow's rate limit it begins, if it does not begin at once.
    pub rate_key: Option<Cow<'a, str>>,
    /// Under which key a repeated start finds it.
    pub idempotency_key: Option<Cow<'a, str>>,
    /// The run that waits for it.
    pub parent: Option<RunId>,
    /// How many runs it is inside of.
    pub depth: u32,
    /// The run whose results it uses again.
    pub replay_of: Option<RunId>,
    /// Outputs of steps that are not to be executed, a JSON object.
    pub mocks: Option<Cow<'a, str>>,
    /// The schedule that started it, and for which instant.
    pub instant: Option<(&'a str, i64)>,
}

/// Where the output of a row comes from.
#[derive(Debug, Clone, PartialEq)]
pub enum Output<'a> {
    /// There is none.
    Absent,
    /// JSON text.
    Text(Cow<'a, str>),
    /// The output of another attempt of the run.
    Copy(u32),
    /// A list of such outputs; `null` where there is none.
    List(Vec<Option<u32>>),
    /// An object of such outputs.
    Object(Vec<(Arc<str>, Option<u32>)>),
}

impl<'a> Output<'a> {
    /// An output that may be absent.
    pub fn text(text: Option<impl Into<Cow<'a, str>>>) -> Output<'a> {
        text.map_or(Output::Absent, |text| Output::Text(text.into()))
    }
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
    /// The iterations it is inside of, like `3.17`; empty outside loops.
    pub scope: Arc<str>,
    /// The function that was executed.
    pub handler: Handler,
    /// The number of this attempt of this handler, from 1.
    pub attempt: u32,
    /// How it ended.
    pub status: StepStatus,
    /// What it returned, JSON; an action's is dropped.
    pub output: Output<'a>,
    /// The number the machine goes by: a branch, a count of items, a time, a child run.
    pub decision: Option<i64>,
    /// Why it failed, JSON.
    pub error: Option<Arc<str>>,
    /// When the next attempt is due, if there is one.
    pub retry_at_ms: Option<i64>,
    /// When it was handed to the host; unknown for an interrupted attempt.
    pub started_at_ms: Option<i64>,
    /// When its end was known.
    pub finished_at_ms: i64,
    /// Whether the host must be told the output, because the engine made it.
    pub is_news: bool,
}

/// How a run ends.
#[derive(Debug, Clone, PartialEq)]
pub struct RunEnd {
    /// The run.
    pub run: RunId,
    /// Completed, failed or cancelled.
    pub status: RunStatus,
    /// The attempt whose output is the run's output.
    pub output_of: Option<u32>,
    /// Why it failed or was cancelled, JSON.
    pub error: Option<Arc<str>>,
    /// When.
    pub finished_at_ms: i64,
    /// Whether the engine still owes it something: a hook.
    pub open: bool,
}

/// A place in a run: a node, and the iterations it is inside of.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The run.
    pub run: RunId,
    /// The node.
    pub name: Arc<str>,
    /// The iterations.
    pub scope: Arc<str>,
}

/// The state of a circuit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CircuitRow {
    /// Consecutive failures.
    pub failures: u32,
    /// Until when nothing is called; none while it is closed.
    pub open_until_ms: Option<i64>,
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
    /// A run has reserved the time at which it begins.
    Reserve(RunId, i64),
    /// A run whose workflow has a rate limit has begun.
    Begin(RunId),
    /// A run continues under another definition of its workflow.
    SetDefinition(RunId, DefinitionId),
    /// A run has ended.
    EndRun(RunEnd),
    /// A run cannot continue without a decision.
    ParkRun(RunId, Arc<str>),
    /// A parked or failed run continues after all.
    ReopenRun(RunId),
    /// Nothing more is owed to an ended run.
    CloseRun(RunId),
    /// The run's earliest timer is set, or it has none.
    SetTimer(RunId, Option<i64>),
    /// A run begins to wait for an event of this name.
    OpenWait(Place, Arc<str>),
    /// Events up to this one are not the one it waits for.
    AdvanceWait(Place, Arc<str>, i64),
    /// It no longer waits for one of this name.
    CloseWait(Place, Arc<str>),
    /// A run asks for approval: the hash of its token, when, until when.
    OpenApproval(Place, String, i64, Option<i64>),
    /// The request is over.
    CloseApproval(Place, ApprovalStatus),
    /// A circuit has changed.
    SetCircuit(Arc<str>, CircuitRow),
}

/// What the machine needs of a stored attempt to continue a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepSummary {
    /// Position in the run's history.
    pub sequence: u32,
    /// The step's name.
    pub name: String,
    /// The iterations it is inside of.
    pub scope: String,
    /// The function that was executed.
    pub handler: Handler,
    /// How it ended.
    pub status: StepStatus,
    /// The number the machine goes by.
    pub decision: Option<i64>,
    /// Bytes of its output, if it has one.
    pub output_bytes: Option<u32>,
    /// Why it failed, if no other attempt follows.
    pub error: Option<String>,
    /// When the next attempt is due, if there is one.
    pub retry_at_ms: Option<i64>,
    /// When its end was known.
    pub finished_at_ms: i64,
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
    /// When it was started.
    pub created_at_ms: i64,
    /// It does not begin before this time.
    pub start_at_ms: Option<i64>,
    /// Which queued run goes first.
    pub priority: i32,
    /// Runs of one key share the workflow's concurrency.
    pub concurrency_key: Option<String>,
    /// Under which key of its workflow's rate limit it has still to begin.
    pub rate_key: Option<String>,
    /// The run that waits for it.
    pub parent: Option<RunId>,
    /// How many runs it is inside of.
    pub depth: u32,
    /// Outputs of steps that are not to be executed, a JSON object.
    pub mocks: Option<String>,
    /// The schedule that started it.
    pub schedule: Option<String>,
    /// Why it failed, JSON.
    pub error: Option<String>,
    /// Its earliest timer, as stored.
    pub timer_due_at_ms: Option<i64>,
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
}

/// A stored event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredEvent {
    /// Its number; numbers only grow.
    pub id: i64,
    /// Its payload, JSON.
    pub payload: Option<String>,
}

/// A stored schedule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScheduleRow {
    /// Its number.
    pub id: ScheduleId,
    /// Its workflow.
    pub workflow_id: String,
    /// Its name, unique within the workflow.
    pub name: String,
    /// What its workflow says of it, JSON.
    pub spec: String,
    /// How far it has come.
    pub progress: Progress,
}

/// The number of a stored schedule.
pub type ScheduleId = i64;

/// How far a schedule has come: which instants are decided, so that each of them is decided once.
///
/// Every instant from `since_at_ms` up to `next_at_ms` is decided, and every one in an earlier stretch; others that lie
/// before were passed over, because nobody was there, and are decided if the clock ever comes to them again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Progress {
    /// What intervals are counted from.
    pub anchor_at_ms: i64,
    /// Where the present stretch of decided instants begins.
    pub since_at_ms: i64,
    /// The next instant to decide; of a poll, when it is due. None if there is none any more.
    pub next_at_ms: Option<i64>,
    /// Earlier stretches, each with its first instant and the one after its last, in order.
    pub stretches: Vec<(i64, i64)>,
    /// Instants that are to start a run when the run before has ended, in order.
    pub queued: Vec<i64>,
    /// The host's clock when it was last looked at.
    pub seen_at_ms: i64,
    /// The last instant that started a run; of a poll, when it was last answered.
    pub last_at_ms: Option<i64>,
    /// That run.
    pub last_run: Option<RunId>,
    /// Of a poll: how often it has failed since it last succeeded.
    pub failures: u32,
    /// Of a poll: why, JSON.
    pub error: Option<String>,
}

/// A stored request for approval.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApprovalRow {
    /// Whose.
    pub place: Place,
    /// The workflow of the run.
    pub workflow_id: String,
    /// The definition of the run.
    pub definition: DefinitionId,
    /// What became of it.
    pub status: ApprovalStatus,
    /// When it was made.
    pub opened_at_ms: i64,
    /// When it is too late.
    pub expires_at_ms: Option<i64>,
}

/// A value of `ctx.state` or of the cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateValue {
    /// JSON text.
    pub value: String,
    /// When it vanishes.
    pub expires_at_ms: Option<i64>,
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
    /// The run that waits for it.
    pub parent: Option<RunId>,
    /// The run whose results it uses again.
    pub replay_of: Option<RunId>,
    /// It does not begin before this time.
    pub start_at_ms: Option<i64>,
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
    /// The iterations it is inside of.
    pub scope: String,
    /// The function that was executed.
    pub handler: Handler,
    /// The number of this attempt of this handler, from 1.
    pub attempt: u32,
    /// How it ended.
    pub status: StepStatus,
    /// What it returned, JSON.
    pub output: Option<String>,
    /// The number the machine goes by.
    pub decision: Option<i64>,
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
