//! What the host is answered.

use serde::Serialize;
use serde_json::value::RawValue;

use super::is_empty;
use crate::error::{Class, Code, Error};
use crate::ids::RunId;
use crate::model::ApprovalStatus;

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

/// A key of the state after a change.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum ChangedValue<'a> {
    /// The key, until when it has its value, and which.
    Is(&'a str, Option<i64>, Box<RawValue>),
    /// The key that has no value any more.
    Gone((&'a str,)),
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
        /// The hash of its current definition.
        hash: String,
    },
    /// The run exists.
    Started {
        /// Its id.
        run: RunId,
        /// Whether the idempotency key was used before.
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        repeated: bool,
    },
    /// The attempt has ended, and its workflow's state has changed.
    Changed {
        /// Each changed key.
        state: Vec<ChangedValue<'a>>,
    },
    /// Whether an output was found under the key; if so the attempt has ended with it.
    Recalled {
        /// Whether.
        hit: bool,
    },
    /// The event is told.
    Published {
        /// Its number, if anybody waits for one of its name.
        event: Option<i64>,
        /// The runs it has started, in the order in which they were asked for.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        runs: Vec<RunId>,
    },
    /// The items of a poll are taken in.
    Polled {
        /// The runs they have started.
        runs: Vec<RunId>,
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

/// A request for approval, as it is shown.
#[derive(Debug, Serialize)]
pub struct ApprovalJson<'a> {
    /// The run.
    pub run: RunId,
    /// Its workflow.
    pub workflow: &'a str,
    /// The node.
    pub step: &'a str,
    /// The iterations it is inside of.
    #[serde(skip_serializing_if = "is_empty")]
    pub scope: &'a str,
    /// What became of it.
    pub status: ApprovalStatus,
    /// What is to be approved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<&'a str>,
    /// What else is to be shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata: Option<&'a RawValue>,
    /// When it was made.
    pub opened_at_ms: i64,
    /// When it is too late.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at_ms: Option<i64>,
}
