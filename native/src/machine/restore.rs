//! Finds out from a stored run where it stands, by going through its history once.

use super::{Run, Stage};
use crate::graph::{Graph, NodeKind};
use crate::model::{Handler, RunStatus, RunSummary, StepStatus};

/// The definition does not have the steps the run has passed, in the same order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DefinitionChanged {
    /// What changed, for people.
    pub message: String,
}

/// Continues a stored run under a definition: the one it is pinned to, or a newer one that begins with the steps
/// the run has already passed.
pub fn restore(summary: &RunSummary, graph: &Graph) -> Result<Run, DefinitionChanged> {
    let mut run = Run::new(summary.id, summary.status);
    for step in &summary.steps {
        run.sequence = step.sequence + 1;
        if step.handler.is_hook() {
            run.interruptions += u32::from(step.status == StepStatus::Interrupted);
            continue;
        }
        let node = graph.node(run.node);
        let is_here = node.is_some_and(|node| *node.name == *step.name);
        match (step.status, node) {
            (StepStatus::Completed, Some(node)) if is_here => {
                if node.kind == NodeKind::Step {
                    run.last = Some(step.sequence);
                }
                run.node += 1;
                run.handler = Handler::Body;
                run.failures = 0;
                run.interruptions = 0;
            }
            (StepStatus::Completed, node) => return Err(changed(run.node, &step.name, node.map(|node| &*node.name))),
            (StepStatus::Interrupted, _) => run.interruptions += u32::from(is_here),
            (StepStatus::Failed | StepStatus::TimedOut, Some(node)) if is_here => {
                if step.retried {
                    run.failures += 1;
                } else if step.handler == Handler::Body && node.on_error {
                    run.handler = Handler::OnError;
                    run.interruptions = 0;
                }
            }
            // An attempt of a step that a newer definition no longer has here, or one that ended with its run.
            (StepStatus::Failed | StepStatus::TimedOut | StepStatus::Cancelled, _) => {}
        }
    }
    run.hook_queued = summary.hook_queued;
    run.stage = match summary.status {
        RunStatus::Pending => Stage::Queued,
        RunStatus::Completed | RunStatus::Failed if summary.open && summary.hook_queued => Stage::Queued,
        RunStatus::Running => Stage::Executing,
        RunStatus::Waiting => Stage::Waiting,
        RunStatus::Completed | RunStatus::Failed if summary.open => Stage::Executing,
        RunStatus::Completed | RunStatus::Failed | RunStatus::Cancelled | RunStatus::Stuck => Stage::Ended,
    };
    if summary.open && summary.status.is_final() {
        let completed = summary.status == RunStatus::Completed;
        run.handler = if completed { Handler::OnSuccess } else { Handler::OnFailure };
        run.failures = 0;
        run.interruptions = summary
            .steps
            .iter()
            .filter(|step| step.handler == run.handler && step.status == StepStatus::Interrupted)
            .count() as u32;
    }
    Ok(run)
}

fn changed(position: u32, was: &str, is: Option<&str>) -> DefinitionChanged {
    let now = is.map_or("is no longer there".to_owned(), |is| format!("is now `{is}`"));
    DefinitionChanged { message: format!("step {} of the run was `{was}` and {now}", position + 1) }
}
