//! What the host must do.

use std::sync::Arc;

use serde::Serialize;
use serde_json::value::RawValue;

use super::is_empty;
use crate::ids::RunId;
use crate::model::{Handler, RunStatus, ScheduleId};

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
        fence: u64,
        /// Why.
        reason: AbortReason,
    },
    /// The engine has made an output itself: of a block, a wait or a child run.
    Recorded {
        /// The run.
        run: RunId,
        /// The node.
        step: Arc<str>,
        /// The iterations it is inside of.
        #[serde(skip_serializing_if = "is_empty")]
        scope: Arc<str>,
        /// What; absent for `undefined`.
        #[serde(skip_serializing_if = "Option::is_none", serialize_with = "raw")]
        output: Option<Arc<str>>,
    },
    /// What is recorded of a run that was read to go on: the host need not ask for it.
    Known(#[serde(serialize_with = "raw_text")] Arc<str>),
    /// An iteration of a loop is over: the outputs inside it are not needed any more.
    Left {
        /// The run.
        run: RunId,
        /// The loop.
        step: Arc<str>,
        /// The iteration, and those it is inside of.
        scope: Arc<str>,
    },
    /// A run has ended.
    Finished {
        /// The run.
        run: RunId,
        /// How.
        status: RunStatus,
        /// Of a completed run: whose output is its output.
        #[serde(skip_serializing_if = "Option::is_none")]
        last: Option<Key>,
    },
    /// Ask a workflow's poll for items and report them. While it is being asked, it need not be asked again.
    Poll {
        /// The schedule.
        schedule: ScheduleId,
        /// Its workflow.
        workflow: String,
        /// Its name.
        name: String,
    },
    /// A run waits, and needs no memory until it goes on.
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
    /// The node; absent for a hook of the run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step: Option<Arc<str>>,
    /// The iterations it is inside of, like `3.17`; absent outside loops.
    #[serde(skip_serializing_if = "is_empty")]
    pub scope: Arc<str>,
    /// The function; absent for the step itself.
    #[serde(skip_serializing_if = "is_body")]
    pub handler: Handler,
    /// The number of this attempt of this handler, from 1.
    pub attempt: u32,
    /// Tells this attempt from all others of the run: what its result must carry.
    pub fence: u64,
    /// Whose output `ctx.last` is; absent for `undefined`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last: Option<Key>,
    /// Of `filter`: the event.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "raw")]
    pub event: Option<Arc<str>>,
    /// Of `on_pause`: what approves.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// Of `on_error`, `on_failure`: what went wrong.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "raw")]
    pub error: Option<Arc<str>>,
}

/// Names an output of a run: `name`, or `name@scope` inside loops.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// The node.
    pub name: Arc<str>,
    /// The iterations it is inside of.
    pub scope: Arc<str>,
}

impl std::fmt::Display for Key {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.name)?;
        if self.scope.is_empty() { Ok(()) } else { write!(formatter, "@{}", self.scope) }
    }
}

impl Serialize for Key {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

fn raw_text<S: serde::Serializer>(text: &Arc<str>, serializer: S) -> Result<S::Ok, S::Error> {
    let value: &RawValue = serde_json::from_str(text).map_err(serde::ser::Error::custom)?;
    value.serialize(serializer)
}

/// Recorded text stands in a message as it is.
fn raw<S: serde::Serializer>(text: &Option<Arc<str>>, serializer: S) -> Result<S::Ok, S::Error> {
    let value: Option<&RawValue> =
        text.as_deref().map(serde_json::from_str).transpose().map_err(serde::ser::Error::custom)?;
    value.serialize(serializer)
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
    /// Another branch of its race has won, or the attempt has ended in another way.
    Ended,
}
