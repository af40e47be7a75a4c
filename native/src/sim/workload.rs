//! What the simulated users want, and what their code gives: values that say whose they are.

use serde::{Deserialize, Serialize};

use crate::ids::RunId;
use crate::model::Handler;

/// The payload of a run: what the auditor must know of it, stored with it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Intent {
    /// Tells one wish of a user from another.
    pub token: u64,
    /// The idempotency key of the wish.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The id of the message that is delivered, perhaps again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delivery: Option<String>,
    /// For how long that is remembered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ttl_ms: Option<u64>,
    /// The event that starts it, with others.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub publication: Option<u64>,
    /// What tells two bodies under one key, or of one message, apart.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
    /// The node whose functions kill the process every time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub poison: Option<String>,
    /// How long it is to wait before it begins.
    #[serde(skip_serializing_if = "is_zero")]
    pub delay_ms: u64,
    /// With which runs it shares its workflow's concurrency.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub concurrency_key: Option<String>,
    /// With which runs it shares its workflow's rate limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate_key: Option<String>,
    /// Whether it goes before others.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority: Option<i32>,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// What a handler returns or throws: whose it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mark {
    /// The run.
    pub run: RunId,
    /// The node; absent for a hook.
    pub step: Option<String>,
    /// The iterations it is inside of.
    pub scope: String,
    /// The function.
    pub handler: Handler,
    /// The number of the attempt.
    pub attempt: u32,
    /// Its fence.
    pub fence: u64,
    /// For an error: whether the handler said that another attempt may help.
    #[serde(default)]
    pub retryable: bool,
}

/// The payload of an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Told {
    /// Tells one publication from another.
    pub publication: u64,
    /// Every filter says yes to it.
    pub suits_all: bool,
}

/// An item that a poll has given: the payload of the run it starts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Polled {
    /// What tells it from other items.
    pub item: String,
    /// Under which key of the rate limit its run begins.
    pub rate_key: Option<String>,
}

/// The key of a workflow's state to which attempts add.
pub const COUNT: &str = "count";

/// The key to which they write their mark.
pub const LATEST: &str = "latest";

/// The key of the shared state to which users add.
pub const SHARED: &str = "shared";

/// What an attempt adds to its workflow's count if it completes: of all attempts of one function of one place the
/// same, so that the auditor can tell it from the row.
pub fn increment(run: RunId, name: &str, scope: &str, handler: Handler) -> u64 {
    let mut hash = 0xCBF2_9CE4_8422_2325_u64 ^ run.to_integer() as u64;
    for byte in name.bytes().chain([0]).chain(scope.bytes()).chain([handler as u8]) {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3);
    }
    match (hash >> 7) % 10 {
        small @ 1..=4 if handler != Handler::Filter => small,
        _ => 0,
    }
}

/// The id of a workflow.
pub fn workflow_id(number: usize) -> String {
    format!("workflow-{number}")
}
