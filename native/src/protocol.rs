//! The messages between the host and the engine: serde types only.
//!
//! A request carries the host's clock, the slots it offers and a list of commands. One commit answers with the
//! results of every request it took, in order, the effects it caused, and the earliest timer (engine/answer.rs).

use std::borrow::Cow;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

use crate::error::{Class, Code, Error};
use crate::ids::RunId;
use crate::model::{Handler, RunStatus};

/// The version of the six functions and of this protocol.
pub const ABI_VERSION: u32 = 1;

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

/// One thing to do.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Command<'a> {
    /// Answers with the same JSON. Touches nothing.
    #[serde(borrow)]
    Echo(&'a RawValue),
    /// Makes a workflow known, and its open runs continue.
    #[serde(borrow)]
    Define(&'a RawValue),
    /// Starts a run.
    #[serde(borrow)]
    Start(Start<'a>),
    /// A handler has ended.
    #[serde(borrow)]
    Resolve(Resolve<'a>),
    /// Ends a run as cancelled.
    #[serde(borrow)]
    Cancel(Cancel<'a>),
    /// Says which attempts the host executes, so that lost effects are given again.
    Heartbeat(Heartbeat),
    /// The host stops: attempts it could not finish go to the next start and are not counted as deaths.
    Release {},
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

/// The end of an attempt: an output, or an error.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resolve<'a> {
    /// The run.
    pub run: RunId,
    /// The attempt, by its position in the run's history.
    pub sequence: u32,
    /// What the handler returned; absent for `undefined`.
    #[serde(default, borrow, deserialize_with = "present")]
    pub output: Option<&'a RawValue>,
    /// What the handler threw.
    #[serde(default, borrow, deserialize_with = "present")]
    pub error: Option<&'a RawValue>,
    /// Whether another attempt may help. Default true.
    #[serde(default = "yes")]
    pub retryable: bool,
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
    /// Run and sequence of every attempt it has been given and has not reported.
    pub executing: Vec<(RunId, u32)>,
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
}

fn yes() -> bool {
    true
}

/// Tells an absent field from a JSON `null`, which is a value.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

/// An error as the host sees it.
#[derive(Debug, Serialize)]
pub struct ErrorBody<'a> {
    /// The stable code.
    pub code: Code,
    /// What the caller can do.
    pub class: Class,
    /// A sentence for people.
    pub message: &'a str,
}

impl<'a> From<&'a Error> for ErrorBody<'a> {
    fn from(error: &'a Error) -> ErrorBody<'a> {
        ErrorBody { code: error.code, class: error.code.class(), message: &error.message }
    }
}

/// The result of one command.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum CommandResult<'a> {
    /// Done; there is nothing to say.
    Done,
    /// The echoed JSON.
    Echoed(&'a RawValue),
    /// The workflow is known.
    Defined {
        /// The hash of its definition.
        hash: String,
        /// How many runs were taken up again.
        resumed: u64,
    },
    /// The run exists.
    Started {
        /// Its id.
        run: RunId,
        /// Whether the idempotency key was used before.
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        repeated: bool,
    },
    /// The failed attempt will be followed by another.
    Retried {
        /// When.
        retry_at_ms: i64,
    },
    /// Not done.
    Refused {
        /// Why.
        refused: ErrorBody<'a>,
    },
}

/// What the host must do. A view of committed state: losing or repeating one is harmless.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// Call a handler and report its end.
    Execute(Execute),
    /// Abort a handler; its result will be refused.
    Abort {
        /// The run.
        run: RunId,
        /// The attempt.
        sequence: u32,
        /// Why.
        reason: AbortReason,
    },
    /// A run has ended.
    Finished {
        /// The run.
        run: RunId,
        /// How.
        status: RunStatus,
    },
    /// A run waits on a timer and needs no memory until then.
    Waiting {
        /// The run.
        run: RunId,
    },
}

/// Which handler to call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Execute {
    /// The run.
    pub run: RunId,
    /// The step; absent for a hook of the run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step: Option<Arc<str>>,
    /// The function; absent for the step itself.
    #[serde(skip_serializing_if = "is_body")]
    pub handler: Handler,
    /// The number of this attempt of this handler, from 1.
    pub attempt: u32,
    /// The attempt's position in the run's history: what its result must carry.
    pub sequence: u32,
}

fn is_body(handler: &Handler) -> bool {
    *handler == Handler::Body
}

/// Why a handler is aborted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AbortReason {
    /// The attempt took too long.
    StepTimeout,
    /// The run took too long.
    RunTimeout,
    /// The run was cancelled.
    Cancelled,
    /// The attempt has ended in another way.
    Ended,
}
