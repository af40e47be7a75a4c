//! A run begins, becomes ready, waits, and ends. The only place that moves a run's status.

use std::borrow::Cow;

use super::{Context, DefinitionChanged, Run, Stage, Transition, error_json, step};
use crate::ids::RunId;
use crate::model::{Handler, NewRun, RunEnd, RunStatus, StepStatus, TimerKind, Write};
use crate::protocol::{AbortReason, Effect};

/// Begins a run at the first step of its definition.
pub fn start<'a>(
    id: RunId,
    payload: Option<&'a str>,
    trigger: Option<&'a str>,
    context: Context<'a>,
    out: &mut Transition<'a>,
) -> Run {
    let definition = &context.graph.definition;
    let delayed = definition.nodes.first().is_some_and(|node| node.delay_ms.unwrap_or(0) > 0);
    let status = match (delayed, context.slot_free) {
        (true, _) => RunStatus::Waiting,
        (false, true) => RunStatus::Running,
        (false, false) => RunStatus::Pending,
    };
    out.writes.push(Write::InsertRun(NewRun {
        id,
        definition: context.graph.id,
        workflow_id: &definition.id,
        status,
        payload,
        trigger,
        created_at_ms: context.now_ms,
    }));
    if let Some(timeout_ms) = definition.timeout_ms {
        out.writes.push(Write::SetTimer(id, TimerKind::Deadline, later(context.now_ms, timeout_ms)));
    }
    let mut run = Run::new(id, status);
    enter(&mut run, context, out);
    run
}

/// Arrives at the step of `run.node`, or past the last one.
pub fn enter<'a>(run: &mut Run, context: Context<'a>, out: &mut Transition<'a>) {
    run.handler = Handler::Body;
    run.failures = 0;
    run.interruptions = 0;
    match context.graph.node(run.node) {
        None => end(run, RunStatus::Completed, None, context, out),
        Some(node) => match node.delay_ms {
            Some(delay_ms) if delay_ms > 0 => wait_until(run, later(context.now_ms, delay_ms), out),
            _ => ready(run, context, out),
        },
    }
}

/// Executes if the run holds a slot or may have one; else it queues for one.
pub fn ready<'a>(run: &mut Run, context: Context<'a>, out: &mut Transition<'a>) {
    if run.stage == Stage::Executing || context.slot_free {
        step::execute(run, context, out);
    } else {
        queue(run, out);
    }
}

/// Waits for a slot.
pub fn queue(run: &mut Run, out: &mut Transition<'_>) {
    leave_attempt(run, Stage::Queued);
    set_status(run, RunStatus::Pending, out);
}

/// Waits for a time.
pub fn wait_until(run: &mut Run, due_at_ms: i64, out: &mut Transition<'_>) {
    leave_attempt(run, Stage::Waiting);
    set_status(run, RunStatus::Waiting, out);
    if !planted!(LostTimer) {
        out.writes.push(Write::SetTimer(run.id, TimerKind::Wake, due_at_ms));
    }
    out.effects.push(Effect::Waiting { run: run.id });
}

/// The whole run has taken too long.
pub fn deadline_passed<'a>(run: &mut Run, context: Context<'a>, out: &mut Transition<'a>) {
    let error = error_json("run_timeout", "the run took longer than its workflow's timeout");
    step::abandon(run, StepStatus::TimedOut, error.clone(), AbortReason::RunTimeout, context, out);
    end(run, RunStatus::Failed, Some(error), context, out);
}

/// Someone cancels the run.
pub fn cancelled<'a>(run: &mut Run, reason: Option<&str>, context: Context<'a>, out: &mut Transition<'a>) {
    let error = error_json("cancelled", reason.unwrap_or("the run was cancelled"));
    step::abandon(run, StepStatus::Cancelled, error.clone(), AbortReason::Cancelled, context, out);
    end(run, RunStatus::Cancelled, Some(error), context, out);
}

/// The run's outcome is decided. If its workflow has a hook for it, the hook is owed and executes next.
pub fn end<'a>(
    run: &mut Run,
    status: RunStatus,
    error: Option<Cow<'a, str>>,
    context: Context<'a>,
    out: &mut Transition<'a>,
) {
    let definition = &context.graph.definition;
    if definition.timeout_ms.is_some() {
        out.writes.push(Write::ClearTimer(run.id, TimerKind::Deadline));
    }
    if run.status == RunStatus::Waiting {
        out.writes.push(Write::ClearTimer(run.id, TimerKind::Wake));
    }
    let hook = match status {
        RunStatus::Completed if definition.on_success => Some(Handler::OnSuccess),
        RunStatus::Failed if definition.on_failure => Some(Handler::OnFailure),
        _ => None,
    };
    out.writes.push(Write::EndRun(RunEnd {
        run: run.id,
        status,
        output_of: run.last.filter(|_| status == RunStatus::Completed),
        error,
        finished_at_ms: context.now_ms,
        open: hook.is_some() && !planted!(LostHook),
    }));
    out.effects.push(Effect::Finished { run: run.id, status });
    run.status = status;
    match hook {
        None => leave_attempt(run, Stage::Ended),
        Some(handler) => {
            run.handler = handler;
            run.failures = 0;
            run.interruptions = 0;
            ready(run, context, out);
        }
    }
}

/// Nothing more is owed to an ended run.
pub fn close(run: &mut Run, out: &mut Transition<'_>) {
    leave_attempt(run, Stage::Ended);
    out.writes.push(Write::CloseRun(run.id));
}

/// The run cannot continue under the workflow's new definition: a person decides.
pub fn park<'a>(id: RunId, changed: &DefinitionChanged, out: &mut Transition<'a>) {
    out.writes.push(Write::ParkRun(id, error_json("definition_changed", &changed.message)));
    out.writes.push(Write::ClearTimer(id, TimerKind::Wake));
    out.writes.push(Write::ClearTimer(id, TimerKind::Deadline));
    out.effects.push(Effect::Finished { run: id, status: RunStatus::Stuck });
}

/// Stores the status of an open run. An ended one keeps its own while its hook queues and executes; what is stored
/// then is whether the hook queues, because a process death interrupts only what executes.
pub fn set_status(run: &mut Run, status: RunStatus, out: &mut Transition<'_>) {
    if run.status.is_final() {
        let queued = status == RunStatus::Pending;
        if run.hook_queued != queued {
            run.hook_queued = queued;
            out.writes.push(Write::SetHookQueued(run.id, queued));
        }
    } else if run.status != status {
        run.status = status;
        out.writes.push(Write::SetStatus(run.id, status));
    }
}

fn leave_attempt(run: &mut Run, stage: Stage) {
    run.stage = stage;
    run.attempt_deadline_ms = None;
}

/// A time after `now_ms`. Durations are bounded (limits.rs), so this cannot overflow for any sane clock.
pub fn later(now_ms: i64, duration_ms: u64) -> i64 {
    now_ms.saturating_add(i64::try_from(duration_ms).unwrap_or(i64::MAX))
}
