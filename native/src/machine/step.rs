//! An attempt begins and ends: its row, and where the run goes from there.

use std::borrow::Cow;

use super::run::{close, end, enter, later, set_status, wait_until};
use super::{Context, Outcome, Run, Stage, Transition, error_json, retry};
use crate::graph::{Graph, NodeKind};
use crate::limits;
use crate::model::{Handler, NewStep, RunStatus, StepStatus, Write};
use crate::protocol::{AbortReason, Effect, Execute};

/// Hands the current attempt to the host.
pub fn execute(run: &mut Run, context: Context<'_>, out: &mut Transition<'_>) {
    run.stage = Stage::Executing;
    set_status(run, RunStatus::Running, out);
    begin_attempt(run, context);
    out.effects.push(execute_effect(run, context.graph));
}

/// Starts the clock of the current attempt.
pub fn begin_attempt(run: &mut Run, context: Context<'_>) {
    run.attempt_started_at_ms = context.now_ms;
    run.attempt_deadline_ms = match (run.handler, context.graph.node(run.node)) {
        (Handler::Body, Some(node)) => node.timeout_ms.map(|timeout_ms| later(context.now_ms, timeout_ms)),
        _ => None,
    };
}

/// The effect that hands out the current attempt. Giving it again is harmless.
pub fn execute_effect(run: &Run, graph: &Graph) -> Effect {
    Effect::Execute(Execute {
        run: run.id,
        step: graph.node(run.node).filter(|_| !run.handler.is_hook()).map(|node| node.name.clone()),
        handler: run.handler,
        attempt: run.attempt(),
        sequence: run.sequence,
    })
}

/// The host reports how the current attempt ended.
pub fn ended<'a>(run: &mut Run, outcome: Outcome<'a>, context: Context<'a>, out: &mut Transition<'a>) {
    match outcome {
        Outcome::Completed { output } => completed(run, output, context, out),
        Outcome::Failed { error, retryable } => {
            failed(run, StepStatus::Failed, error.into(), retryable, context, out);
        }
    }
}

/// The current attempt has taken longer than its step may take.
pub fn timed_out<'a>(run: &mut Run, context: Context<'a>, out: &mut Transition<'a>) {
    out.effects.push(Effect::Abort { run: run.id, sequence: run.sequence, reason: AbortReason::StepTimeout });
    let timeout_ms = context.graph.node(run.node).and_then(|node| node.timeout_ms).unwrap_or(0);
    let error = error_json("step_timeout", &format!("the step took longer than its timeout of {timeout_ms} ms"));
    failed(run, StepStatus::TimedOut, error, true, context, out);
}

/// The process died while the current attempt executed. A step that keeps killing its host is given up.
pub fn interrupted<'a>(run: &mut Run, context: Context<'a>, out: &mut Transition<'a>) {
    let message = "the process ended while the step was executing";
    let error = error_json("interrupted", message);
    run.interruptions += 1;
    let deaths = u64::from(run.interruptions);
    if !planted!(DeathNotCounted) {
        let attempt = run.attempt() - 1;
        record(run, Ending { attempt, ..Ending::new(run, StepStatus::Interrupted, Some(error)) }, context, out);
    }
    run.stage = Stage::Queued;
    if deaths < limits::CRASH_LOOP_DEATHS {
        super::run::ready(run, context, out);
    } else if run.handler.is_hook() {
        close(run, out);
    } else {
        let message = format!("the process ended {deaths} times while this step was executing");
        end(run, RunStatus::Failed, Some(error_json("crash_loop", &message)), context, out);
    }
}

/// The run ends while an attempt may be executing: the attempt ends with it.
pub fn abandon<'a>(
    run: &mut Run,
    status: StepStatus,
    error: Cow<'a, str>,
    reason: AbortReason,
    context: Context<'a>,
    out: &mut Transition<'a>,
) {
    if run.stage == Stage::Executing {
        out.effects.push(Effect::Abort { run: run.id, sequence: run.sequence, reason });
        record(run, Ending::new(run, status, Some(error)), context, out);
    }
}

fn completed<'a>(run: &mut Run, output: Option<&'a str>, context: Context<'a>, out: &mut Transition<'a>) {
    if run.handler.is_hook() {
        record(run, Ending::new(run, StepStatus::Completed, None), context, out);
        return close(run, out);
    }
    let is_step = context.graph.node(run.node).is_some_and(|node| node.kind == NodeKind::Step);
    if is_step {
        run.last = Some(run.sequence);
    }
    let output = output.filter(|_| is_step);
    record(run, Ending { output, ..Ending::new(run, StepStatus::Completed, None) }, context, out);
    run.node += 1;
    enter(run, context, out);
}

fn failed<'a>(
    run: &mut Run,
    status: StepStatus,
    error: Cow<'a, str>,
    retryable: bool,
    context: Context<'a>,
    out: &mut Transition<'a>,
) {
    if run.handler.is_hook() {
        record(run, Ending::new(run, status, Some(error)), context, out);
        return close(run, out);
    }
    let node = context.graph.node(run.node);
    let is_body = run.handler == Handler::Body;
    let policy = node
        .and_then(|node| node.retry.as_ref())
        .filter(|policy| is_body && retryable && run.failures + 1 < policy.attempts);
    if let Some(policy) = policy {
        let retry_at_ms = later(context.now_ms, retry::delay_ms(policy, run.failures + 1, run.id, run.node));
        let ending = Ending { retry_at_ms: Some(retry_at_ms), ..Ending::new(run, status, Some(error)) };
        record(run, ending, context, out);
        run.failures += 1;
        out.retry_at_ms = Some(retry_at_ms);
        if retry_at_ms > context.now_ms {
            wait_until(run, retry_at_ms, out);
        } else {
            execute(run, context, out);
        }
        return;
    }
    record(run, Ending::new(run, status, Some(error.clone())), context, out);
    if is_body && node.is_some_and(|node| node.on_error) {
        run.handler = Handler::OnError;
        run.interruptions = 0;
        execute(run, context, out);
    } else {
        end(run, RunStatus::Failed, Some(error), context, out);
    }
}

struct Ending<'a> {
    attempt: u32,
    status: StepStatus,
    output: Option<&'a str>,
    error: Option<Cow<'a, str>>,
    retry_at_ms: Option<i64>,
}

impl<'a> Ending<'a> {
    fn new(run: &Run, status: StepStatus, error: Option<Cow<'a, str>>) -> Ending<'a> {
        Ending { attempt: run.attempt(), status, output: None, error, retry_at_ms: None }
    }
}

/// Writes the row of the current attempt; the next one has the next sequence.
fn record<'a>(run: &mut Run, ending: Ending<'a>, context: Context<'a>, out: &mut Transition<'a>) {
    let node = context.graph.node(run.node).filter(|_| !run.handler.is_hook());
    out.writes.push(Write::InsertStep(NewStep {
        run: run.id,
        sequence: run.sequence,
        name: node.map_or(run.handler.as_str(), |node| &node.name),
        handler: run.handler,
        attempt: ending.attempt,
        status: ending.status,
        output: ending.output,
        error: ending.error,
        retry_at_ms: ending.retry_at_ms,
        started_at_ms: Some(run.attempt_started_at_ms).filter(|_| ending.status != StepStatus::Interrupted),
        finished_at_ms: context.now_ms,
    }));
    run.sequence += 1;
}
