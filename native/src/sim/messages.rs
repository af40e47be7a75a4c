//! The host's side of the protocol: what an answer looks like to the one who reads it.

use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::ids::RunId;
use crate::model::{Handler, RunStatus, ScheduleId};

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

impl Answered {
    /// The result of its only command.
    pub fn result(&self) -> Option<&CommandResult> {
        self.results.first().and_then(Option::as_ref)
    }

    /// The code of its refusal.
    pub fn refusal(&self) -> Option<&str> {
        let refused = self.error.as_ref().or(self.result().and_then(|result| result.refused.as_ref()));
        refused.map(|error| error.code.as_str())
    }
}

/// The result of one command, whatever it was.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct CommandResult {
    /// Of a start or a replay.
    #[serde(default)]
    pub run: Option<RunId>,
    /// Of a recall: whether there was an output.
    #[serde(default)]
    pub hit: Option<bool>,
    /// Of a publication: the event's number.
    #[serde(default)]
    pub event: Option<i64>,
    /// Of a publication or a poll: the runs it has started.
    #[serde(default)]
    pub runs: Vec<RunId>,
    /// Of an inspection: the run's status and what is recorded of it.
    #[serde(default)]
    pub status: Option<RunStatus>,
    #[serde(default)]
    pub steps: Vec<IgnoredAny>,
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
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Effect {
    /// Call a handler.
    Execute(Execute),
    /// Abort one.
    Abort {
        /// The run.
        run: RunId,
        /// The attempt.
        fence: u64,
        /// Why.
        #[serde(rename = "reason")]
        _reason: String,
    },
    /// The engine has made an output.
    Recorded(Recorded),
    /// An iteration is over.
    Left {
        /// The run.
        run: RunId,
        /// The loop.
        step: String,
        /// The iteration.
        scope: String,
    },
    /// A run has ended.
    Finished {
        /// The run.
        run: RunId,
        /// How.
        status: RunStatus,
        /// Whose output is the run's.
        #[serde(default)]
        last: Option<String>,
    },
    /// What is recorded of a run that goes on; the model host remembers nothing, so it needs none of it.
    Known(Known),
    /// A poll is due.
    Poll(Poll),
    /// A run waits.
    Waiting {
        /// The run.
        run: RunId,
    },
}

/// Which poll.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Poll {
    /// The schedule.
    pub schedule: ScheduleId,
    /// Its workflow.
    pub workflow: String,
    /// Its name.
    pub name: String,
}

/// What is recorded of a run: only whose it is matters here.
#[derive(Debug, Clone, Deserialize)]
pub struct Known {
    /// The run.
    pub run: RunId,
}

/// Which handler to call.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Execute {
    /// The run.
    pub run: RunId,
    /// The node; absent for a hook.
    #[serde(default)]
    pub step: Option<String>,
    /// The iterations it is inside of.
    #[serde(default)]
    pub scope: String,
    /// The function.
    #[serde(default = "body")]
    pub handler: Handler,
    /// The number of the attempt.
    pub attempt: u32,
    /// What its result must carry.
    pub fence: u64,
    /// Whose output `ctx.last` is.
    #[serde(default)]
    pub last: Option<String>,
    /// Of a filter: the event.
    #[serde(default, deserialize_with = "text")]
    pub event: Option<String>,
    /// Of `on_pause`: what approves.
    #[serde(default)]
    pub token: Option<String>,
    /// What went wrong.
    #[serde(default, deserialize_with = "text")]
    pub error: Option<String>,
}

/// An output the engine has made.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recorded {
    /// The run.
    pub run: RunId,
    /// The node.
    pub step: String,
    /// The iterations it is inside of.
    #[serde(default)]
    pub scope: String,
    /// What.
    #[serde(default, deserialize_with = "text")]
    pub output: Option<String>,
}

fn body() -> Handler {
    Handler::Body
}

/// A recorded value, as it was recorded.
fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Box::<RawValue>::deserialize(deserializer).map(|value| Some(value.get().to_owned()))
}
