//! The user's code: how each function ends, and what it gives.

use super::messages::Execute;
use super::random::Random;
use super::workload::{Intent, Told};
use crate::definition::{NodeKind, NodeSpec};
use crate::model::Handler;

/// How a handler will end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Plan {
    /// It returns what it was given, or else its mark.
    Completes(Returns),
    /// It throws.
    Fails {
        /// Whether another attempt may help.
        retryable: bool,
        /// Whether a circuit does not count it.
        expected: bool,
    },
    /// It asks that the run end.
    Cancels,
    /// It never returns; the engine must time it out.
    Hangs,
    /// It takes the process down.
    Kills,
}

/// What a handler returns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Returns {
    /// Its mark.
    Mark,
    /// Nothing.
    Nothing,
    /// This JSON.
    Json(String),
}

/// How this call will end, and after how long. The world began at `begins_at_ms`.
pub fn plan(
    random: &mut Random,
    execute: &Execute,
    node: Option<&NodeSpec>,
    intent: &Intent,
    begins_at_ms: i64,
) -> (Plan, u64) {
    if node.is_some() && execute.step == intent.poison {
        return (Plan::Kills, 0);
    }
    let suits_all = execute.event.as_deref().is_some_and(suits_all);
    if suits_all {
        return (Plan::Completes(Returns::Json("true".to_owned())), random.below(50));
    }
    let timeout_ms = node.filter(|_| execute.handler == Handler::Body).and_then(|node| node.timeout_ms);
    let completes = Plan::Completes(returns(random, execute.handler, node, begins_at_ms));
    if let Some(timeout_ms) = timeout_ms
        && random.chance(200)
    {
        return if random.chance(500) { (Plan::Hangs, 0) } else { (completes, timeout_ms * 2) };
    }
    let takes_ms = if random.chance(800) { random.below(200) } else { random.below(20_000) };
    let plan = match random.below(100) {
        0..74 => completes,
        74..91 => Plan::Fails { retryable: true, expected: random.chance(200) },
        91..98 => Plan::Fails { retryable: false, expected: false },
        _ if execute.handler.is_hook() => completes,
        _ => Plan::Cancels,
    };
    (plan, takes_ms)
}

/// Whether every filter says yes to an event.
pub fn suits_all(event: &str) -> bool {
    serde_json::from_str::<Told>(event).is_ok_and(|told| told.suits_all)
}

fn returns(random: &mut Random, handler: Handler, node: Option<&NodeSpec>, begins_at_ms: i64) -> Returns {
    let Some(node) = node else { return Returns::Mark };
    let decides = matches!(handler, Handler::Condition | Handler::Items | Handler::Duration | Handler::Filter);
    if decides && random.chance(30) {
        let nonsense = ["-1", "99", "\"soon\"", "{}", "null"];
        return Returns::Json((*random.pick(&nonsense)).to_owned());
    }
    match handler {
        Handler::Condition => Returns::Json(condition(random, node).to_string()),
        Handler::Items => {
            let items: Vec<u64> = (0..random.below(5)).map(|_| random.below(100)).collect();
            Returns::Json(format!("{items:?}"))
        }
        Handler::Duration if node.kind == NodeKind::Sleep => {
            Returns::Json((*random.pick(&["0", "12.5", "900", "30000"])).to_owned())
        }
        Handler::Duration => Returns::Json(format!("{}.5", begins_at_ms + random.below(400_000) as i64)),
        Handler::Filter => Returns::Json(random.chance(400).to_string()),
        _ if random.chance(80) => Returns::Nothing,
        _ => Returns::Mark,
    }
}

fn condition(random: &mut Random, node: &NodeSpec) -> u64 {
    match node.kind {
        NodeKind::While => u64::from(random.chance(600)),
        _ => random.below(node.branches.as_ref().map_or(0, Vec::len) as u64 + 1),
    }
}
