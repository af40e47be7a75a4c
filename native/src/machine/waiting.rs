//! What the paths of a run wait for, to be shown. Nothing is decided by it.

use std::sync::Arc;

use serde::Serialize;

use super::Run;
use super::path::{Path, Wait};
use crate::graph::{Graph, Kind};
use crate::ids::RunId;
use crate::model::Handler;

/// What one path waits for, or executes.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Waiting {
    /// The node it is at.
    pub step: Arc<str>,
    /// The iterations it is inside of.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub scope: Arc<str>,
    /// What for.
    #[serde(rename = "for")]
    pub what: What,
    /// Which of the node's functions is to be called, or executes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub handler: Option<Handler>,
    /// Of a function: the number of the attempt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempt: Option<u32>,
    /// When it goes on by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until_ms: Option<i64>,
    /// The name of the event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event: Option<Arc<str>>,
    /// The child run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub child: Option<RunId>,
}

/// What can be waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// The time at which the run begins.
    Start,
    /// A time.
    Sleep,
    /// An event.
    Event,
    /// A person.
    Approval,
    /// A child run.
    Child,
    /// The delay of a step.
    Delay,
    /// The time of the next attempt.
    Retry,
    /// A slot: the attempt is ready.
    Slot,
    /// The end of a function that executes.
    Handler,
}

/// What an open run waits for, in the order of its paths.
pub fn waits(run: &Run, graph: &Graph) -> Vec<Waiting> {
    if run.status.is_final() {
        return Vec::new();
    }
    run.paths.iter().flat_map(|(_, path)| attempt(path, graph).into_iter().chain(wait(path, graph))).collect()
}

fn at(path: &Path, graph: &Graph, what: What) -> Waiting {
    let step = graph.node(path.node).name.clone();
    let scope = path.scope.clone();
    Waiting { step, scope, what, handler: None, attempt: None, until_ms: None, event: None, child: None }
}

fn attempt(path: &Path, graph: &Graph) -> Option<Waiting> {
    let attempt = path.attempt.as_ref()?;
    let what = match attempt.not_before_ms {
        Some(_) if path.failures > 0 => What::Retry,
        Some(_) => What::Delay,
        None if attempt.handed_out => What::Handler,
        None => What::Slot,
    };
    Some(Waiting {
        handler: Some(attempt.handler),
        attempt: Some(path.attempt_number()),
        until_ms: attempt.not_before_ms.or(attempt.deadline_ms),
        ..at(path, graph, what)
    })
}

fn wait(path: &Path, graph: &Graph) -> Option<Waiting> {
    Some(match &path.wait {
        Wait::Nothing | Wait::Block(_) => return None,
        Wait::Start { until_ms } => Waiting { until_ms: Some(*until_ms), ..at(path, graph, What::Start) },
        Wait::Sleep { until_ms } => Waiting { until_ms: Some(*until_ms), ..at(path, graph, What::Sleep) },
        Wait::Approval { until_ms } => Waiting { until_ms: *until_ms, ..at(path, graph, What::Approval) },
        Wait::Child { run, .. } => Waiting { child: *run, ..at(path, graph, What::Child) },
        Wait::Event { until_ms, .. } => {
            let event = match &graph.node(path.node).kind {
                Kind::WaitForEvent { event, .. } => Some(event.clone()),
                _ => None,
            };
            Waiting { until_ms: *until_ms, event, ..at(path, graph, What::Event) }
        }
    })
}
