//! What the simulated users want: random workflows, and runs of them that carry their intent in their payload.

use serde::{Deserialize, Serialize};

use super::random::Random;
use crate::graph::{Definition, Node, NodeKind, RetryPolicy, Strategy};
use crate::ids::RunId;
use crate::model::Handler;

/// The payload of a run: what the auditor must know of it, stored with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intent {
    /// Tells one wish of a user from another.
    pub token: u64,
    /// The idempotency key of the wish.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// What tells two bodies under one key apart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
    /// The position of the node whose body kills the process every time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub poison: Option<u32>,
}

/// What a handler returns or throws: whose it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// The run.
    pub run: RunId,
    /// The attempt.
    pub sequence: u32,
    /// The step; absent for a hook.
    pub step: Option<String>,
    /// The function.
    pub handler: Handler,
    /// For an error: whether the handler said that another attempt may help.
    #[serde(default)]
    pub retryable: bool,
}

/// A few random workflows.
pub fn workflows(random: &mut Random) -> Vec<Definition> {
    (0..random.between(1, 3)).map(|number| workflow(number, random)).collect()
}

fn workflow(number: u64, random: &mut Random) -> Definition {
    Definition {
        id: format!("workflow-{number}"),
        version: None,
        timeout_ms: random.chance(200).then(|| random.between(1_000, 300_000)),
        on_success: random.chance(350),
        on_failure: random.chance(500),
        nodes: (0..random.between(1, 5)).map(|number| node(number, random)).collect(),
    }
}

fn node(number: u64, random: &mut Random) -> Node {
    Node {
        kind: if random.chance(750) { NodeKind::Step } else { NodeKind::Action },
        name: format!("node-{number}").into(),
        timeout_ms: random.chance(350).then(|| random.between(50, 5_000)),
        delay_ms: random.chance(250).then(|| random.below(60_000)),
        retry: random.chance(550).then(|| policy(random)),
        on_error: random.chance(250),
    }
}

fn policy(random: &mut Random) -> RetryPolicy {
    RetryPolicy {
        attempts: random.between(1, 4) as u32,
        strategy: *random.pick(&[Strategy::Fixed, Strategy::Linear, Strategy::Exponential]),
        delay_ms: *random.pick(&[0, 1, 250, 1_000, 10_000]),
        max_delay_ms: *random.pick(&[500, 5_000, 3_600_000]),
        multiplier: *random.pick(&[1.0, 1.5, 2.0, 10.0]),
        jitter: *random.pick(&[0.0, 0.25, 1.0]),
    }
}
