//! The host's side of the protocol: what an answer looks like to the one who reads it.

use serde::Deserialize;

use crate::ids::RunId;
use crate::model::{Handler, RunStatus};

/// The answer of one commit.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// One per request of the transaction.
    pub requests: Vec<Answered>,
    /// What the host must do.
    #[serde(default)]
    pub effects: Vec<Effect>,
    /// The earliest timer.
    #[serde(default)]
    pub wake_at_ms: Option<i64>,
}

/// The answer to one request.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answered {
    /// Which.
    pub seq: u64,
    /// One per command.
    #[serde(default)]
    pub results: Vec<Option<CommandResult>>,
    /// Why nothing of it was done.
    #[serde(default)]
    pub error: Option<Refusal>,
}

/// The result of one command, whatever it was.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct CommandResult {
    /// Of a start.
    #[serde(default)]
    pub run: Option<RunId>,
    /// Of a command that was refused.
    #[serde(default)]
    pub refused: Option<Refusal>,
}

/// An error.
#[derive(Debug, Clone, Deserialize)]
pub struct Refusal {
    /// Its stable code.
    pub code: String,
    /// What the caller can do.
    pub class: String,
}

/// What the host must do.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// Call a handler.
    Execute(Execute),
    /// Abort one.
    Abort {
        /// The run.
        run: RunId,
        /// The attempt.
        sequence: u32,
    },
    /// A run has ended.
    Finished {
        /// The run.
        run: RunId,
        /// How.
        status: RunStatus,
    },
    /// A run waits.
    Waiting {
        /// The run.
        run: RunId,
    },
}

/// Which handler to call.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Execute {
    /// The run.
    pub run: RunId,
    /// The step; absent for a hook.
    #[serde(default)]
    pub step: Option<String>,
    /// The function.
    #[serde(default = "body")]
    pub handler: Handler,
    /// The number of the attempt.
    pub attempt: u32,
    /// The fence of its result.
    pub sequence: u32,
}

fn body() -> Handler {
    Handler::Body
}
