//! What the host sends.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::ids::RunId;
use crate::model::{RunStatus, ScheduleId};

/// What the host sends.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request<'a> {
    /// Numbers the requests of one host from 1, so that a repeated one is recognised. 0: not remembered.
    #[serde(default)]
    pub seq: u64,
    /// The host's clock: milliseconds since 1970.
    pub now_ms: i64,
    /// How many runs may execute at the same time, if that changes.
    #[serde(default)]
    pub capacity: Option<u32>,
    /// What to do, in order.
    #[serde(default, borrow)]
    pub commands: Vec<&'a RawValue>,
}

impl Request<'_> {
    /// Whether it only asks, so that it may simply be answered again. Without commands it lets time pass.
    pub fn only_asks(&self) -> bool {
        // A command is an object of one member, which says what it is.
        let is_query = |text: &&RawValue| {
            let member = text.get().trim_start_matches(['{', ' ', '\t', '\r', '\n']);
            member.starts_with("\"query\"")
        };
        self.capacity.is_none() && !self.commands.is_empty() && self.commands.iter().all(is_query)
    }
}

/// One thing to do.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Command<'a> {
    /// Answers with the same JSON. Touches nothing.
    #[serde(borrow)]
    Echo(&'a RawValue),
    /// Makes a workflow known (a definition, or a list of its versions, the current one last); its open runs continue.
    #[serde(borrow)]
    Define(&'a RawValue),
    /// Starts a run.
    #[serde(borrow)]
    Start(Start<'a>),
    /// A handler has ended.
    #[serde(borrow)]
    Resolve(Resolve<'a>),
    /// A step asks for an output that another run has recorded under this key.
    #[serde(borrow)]
    Recall(Recall<'a>),
    /// Ends a run as cancelled.
    #[serde(borrow)]
    Cancel(Cancel<'a>),
    /// Takes a failed, cancelled or stuck run up again, from what it has completed.
    Retry {
        /// The run.
        run: RunId,
    },
    /// Starts a run that uses the recorded results of another.
    #[serde(borrow)]
    Replay(Replay<'a>),
    /// Tells an event to the runs that wait for one of its name, and starts the runs that listen.
    #[serde(borrow)]
    Publish(Publish<'a>),
    /// Answers a request for approval.
    #[serde(borrow)]
    Approve(Approve<'a>),
    /// Nothing of a workflow is executed until it is unpaused; what executes may finish.
    #[serde(borrow)]
    Pause(Cow<'a, str>),
    /// A paused workflow goes on.
    #[serde(borrow)]
    Unpause(Cow<'a, str>),
    /// Changes values that all workflows share.
    #[serde(borrow)]
    State(Vec<Change<'a>>),
    /// A poll has ended.
    #[serde(borrow)]
    Polled(Polled<'a>),
    /// Says which attempts the host executes, so that lost effects are given again.
    Heartbeat(Heartbeat),
    /// The host stops: attempts it could not finish go to the next start and are not counted as deaths.
    Release {},
    /// Forgets, once this request is committed, all that is not stored, as the death of the process does: workflows are
    /// to be defined and slots to be offered again. Only an engine without a thread does it, for tests.
    Restart {},
    /// Reads, and changes nothing.
    #[serde(borrow)]
    Query(Query<'a>),
}

/// Starts a run of a defined workflow.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Start<'a> {
    /// Its id.
    #[serde(borrow)]
    pub workflow: Cow<'a, str>,
    /// What `ctx.payload` is. `null` is a payload.
    #[serde(default, borrow, deserialize_with = "present")]
    pub payload: Option<&'a RawValue>,
    /// What `ctx.trigger` is.
    #[serde(default, borrow, deserialize_with = "present")]
    pub trigger: Option<&'a RawValue>,
    /// Makes a repeated start find the first run.
    #[serde(default, borrow)]
    pub idempotency: Option<Idempotency<'a>>,
    /// Makes a message that is delivered again find the run it has started.
    #[serde(default, borrow)]
    pub delivery: Option<Delivery<'a>>,
    /// How long to wait before it begins.
    #[serde(default)]
    pub delay_ms: u64,
    /// Which queued run goes first; default: the workflow's priority.
    #[serde(default)]
    pub priority: Option<i32>,
    /// Runs of one key share the workflow's concurrency.
    #[serde(default, borrow)]
    pub concurrency_key: Option<Cow<'a, str>>,
    /// Runs of one key share the workflow's rate limit.
    #[serde(default, borrow)]
    pub rate_key: Option<Cow<'a, str>>,
}

/// An idempotency key, unique per workflow, and what tells two bodies apart.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Idempotency<'a> {
    /// The key.
    #[serde(borrow)]
    pub key: Cow<'a, str>,
    /// A hash of the body, made by the host.
    #[serde(borrow)]
    pub fingerprint: Cow<'a, str>,
}

/// A message whose sender may deliver it again, unique per workflow.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Delivery<'a> {
    /// Its id.
    #[serde(borrow)]
    pub id: Cow<'a, str>,
    /// A hash of the body, made by the host.
    #[serde(borrow)]
    pub fingerprint: Cow<'a, str>,
    /// How long it is remembered. Default: for ever.
    #[serde(default)]
    pub ttl_ms: Option<u64>,
}

/// The end of an attempt: an output, an error, or the wish that the run be cancelled.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resolve<'a> {
    /// The run.
    pub run: RunId,
    /// The attempt, by its fence.
    pub fence: u64,
    /// What the handler returned; absent for `undefined`.
    #[serde(default, borrow, deserialize_with = "present")]
    pub output: Option<&'a RawValue>,
    /// What the handler threw.
    #[serde(default, borrow, deserialize_with = "present")]
    pub error: Option<&'a RawValue>,
    /// Whether another attempt may help. Default true.
    #[serde(default = "yes")]
    pub retryable: bool,
    /// Whether the error is one that a circuit does not count.
    #[serde(default)]
    pub expected: bool,
    /// The handler asked that the run end as cancelled.
    #[serde(default, borrow)]
    pub cancel: Option<Cow<'a, str>>,
    /// What the handler changed in its workflow's state; done if the attempt completes.
    #[serde(default, borrow)]
    pub state: Vec<Change<'a>>,
    /// Under which key the output is kept for other runs.
    #[serde(default, borrow)]
    pub cache: Option<Cache<'a>>,
}

/// A change of a stored value.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Change<'a> {
    /// Sets it.
    #[serde(borrow)]
    Set(Set<'a>),
    /// Adds to a number; an absent one is 0.
    #[serde(borrow)]
    Incr(Incr<'a>),
    /// Removes it.
    #[serde(borrow)]
    Delete(Cow<'a, str>),
}

/// Sets a stored value.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Set<'a> {
    /// Which.
    #[serde(borrow)]
    pub key: Cow<'a, str>,
    /// To what.
    #[serde(borrow)]
    pub value: &'a RawValue,
    /// For how long. Default: for ever.
    #[serde(default)]
    pub ttl_ms: Option<u64>,
}

/// Adds to a stored number.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Incr<'a> {
    /// Which.
    #[serde(borrow)]
    pub key: Cow<'a, str>,
    /// How much.
    pub by: f64,
}

/// Where an output is kept for other runs of the workflow.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cache<'a> {
    /// The key.
    #[serde(borrow)]
    pub key: Cow<'a, str>,
    /// For how long. Default: for ever.
    #[serde(default)]
    pub ttl_ms: Option<u64>,
}

/// Asks for an output under a key.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recall<'a> {
    /// The run.
    pub run: RunId,
    /// The attempt, by its fence.
    pub fence: u64,
    /// The key.
    #[serde(borrow)]
    pub key: Cow<'a, str>,
}

/// Starts a run that uses the recorded results of another.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Replay<'a> {
    /// The other run.
    pub run: RunId,
    /// The first step to execute again. Default: the first of all.
    #[serde(default, borrow)]
    pub from_step: Option<Cow<'a, str>>,
    /// What `ctx.payload` is instead.
    #[serde(default, borrow, deserialize_with = "present")]
    pub payload: Option<&'a RawValue>,
    /// Outputs of steps that are not to be executed.
    #[serde(default, borrow)]
    pub mocks: Option<&'a RawValue>,
}

/// An event.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Publish<'a> {
    /// Its name.
    #[serde(borrow)]
    pub name: Cow<'a, str>,
    /// What it says.
    #[serde(default, borrow, deserialize_with = "present")]
    pub payload: Option<&'a RawValue>,
    /// Runs it starts: of the workflows that listen. All of them are started, or none.
    #[serde(default, borrow)]
    pub starts: Vec<Start<'a>>,
}

/// What a poll has given: items, or an error.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Polled<'a> {
    /// The schedule that polls.
    pub schedule: ScheduleId,
    /// Each item that was not seen before starts a run.
    #[serde(default, borrow)]
    pub items: Vec<Item<'a>>,
    /// Why it failed.
    #[serde(default, borrow, deserialize_with = "present")]
    pub error: Option<&'a RawValue>,
}

/// An item that a poll has given.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Item<'a> {
    /// What it is remembered by.
    #[serde(borrow)]
    pub id: Cow<'a, str>,
    /// The payload of the run it starts.
    #[serde(default, borrow, deserialize_with = "present")]
    pub payload: Option<&'a RawValue>,
    /// Runs of one key share the workflow's concurrency.
    #[serde(default, borrow)]
    pub concurrency_key: Option<Cow<'a, str>>,
    /// Runs of one key share the workflow's rate limit.
    #[serde(default, borrow)]
    pub rate_key: Option<Cow<'a, str>>,
}

/// The answer to a request for approval.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Approve<'a> {
    /// The token of the request.
    #[serde(borrow)]
    pub token: Cow<'a, str>,
    /// Yes or no.
    #[serde(default = "yes")]
    pub approved: bool,
    /// What else is said, an object.
    #[serde(default, borrow)]
    pub payload: Option<&'a RawValue>,
}

/// Ends a run as cancelled.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cancel<'a> {
    /// The run.
    pub run: RunId,
    /// Why, for people.
    #[serde(default, borrow)]
    pub reason: Option<Cow<'a, str>>,
}

/// What the host executes now.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Heartbeat {
    /// Run and fence of every attempt it has been given and has not reported.
    pub executing: Vec<(RunId, u64)>,
}

/// A question.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Query<'a> {
    /// What this engine is.
    About {},
    /// One run with its history.
    Run {
        /// The run.
        run: RunId,
        /// Only attempts after this sequence.
        #[serde(default)]
        after: u32,
    },
    /// What a run waits for or executes now.
    Waits {
        /// The run.
        run: RunId,
    },
    /// Several runs, newest first.
    Runs {
        /// Only runs of this workflow.
        #[serde(default, borrow)]
        workflow: Option<Cow<'a, str>>,
        /// Only runs of this status.
        #[serde(default)]
        status: Option<RunStatus>,
        /// Only runs created at or after this time.
        #[serde(default)]
        since_ms: Option<i64>,
        /// At most this many; default 100.
        #[serde(default)]
        limit: Option<u32>,
        /// Continue after this run.
        #[serde(default)]
        cursor: Option<RunId>,
    },
    /// Values of a workflow's state, or of the one that all share.
    State {
        /// The workflow; empty for the shared one.
        #[serde(borrow)]
        workflow: Cow<'a, str>,
        /// Which.
        keys: Vec<String>,
    },
    /// Requests for approval that are open, oldest first.
    Approvals {
        /// Only of this workflow.
        #[serde(default, borrow)]
        workflow: Option<Cow<'a, str>>,
        /// At most this many; default 100.
        #[serde(default)]
        limit: Option<u32>,
    },
    /// Schedules, in the order in which they were stored.
    Schedules {
        /// Only of this workflow.
        #[serde(default, borrow)]
        workflow: Option<Cow<'a, str>>,
        /// At most this many; default 100.
        #[serde(default)]
        limit: Option<u32>,
        /// Continue after this schedule.
        #[serde(default)]
        cursor: Option<ScheduleId>,
    },
    /// How many runs nothing is done for: those that are stuck, and the orphaned ones, open and of a workflow that is not
    /// defined in this process; each by workflow.
    Unattended {},
    /// When a cron expression fires next; what is wrong with it, if anything is.
    Cron {
        /// Five fields, or six with seconds first.
        #[serde(borrow)]
        pattern: Cow<'a, str>,
        /// An IANA name.
        #[serde(borrow)]
        timezone: Cow<'a, str>,
        /// How many instants; default 5, at most 1,000.
        #[serde(default)]
        limit: Option<u32>,
    },
    /// One request for approval.
    Approval {
        /// Its token.
        #[serde(borrow)]
        token: Cow<'a, str>,
    },
}

fn yes() -> bool {
    true
}

/// Tells an absent field from a JSON `null`, which is a value.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}
