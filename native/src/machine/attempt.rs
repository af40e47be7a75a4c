//! An attempt begins and ends: its row, and what follows from how it ended.

use std::sync::Arc;

use super::circuit::{self, Verdict};
use super::path::{Attempt, Failure, Last, Wait};
use super::{Clock, Outcome, PathId, Run, Turn, error_json, flow, later, retry, run, wait};
use crate::graph::{Graph, Kind};
use crate::ids::RunId;
use crate::limits;
use crate::model::{Handler, NewStep, Output, StepStatus, Write};
use crate::protocol::{AbortReason, Effect, Execute, Key};
use crate::value;

/// An output, and how many bytes it has; none where the output is absent.
pub struct Value<'a> {
    pub output: Output<'a>,
    pub bytes: Option<u32>,
}

impl<'a> Value<'a> {
    pub const ABSENT: Value<'static> = Value { output: Output::Absent, bytes: None };

    pub fn text(text: Option<&'a str>) -> Value<'a> {
        Value { bytes: text.map(|text| text.len() as u32), output: Output::text(text) }
    }

    pub fn owned(text: String) -> Value<'static> {
        Value { bytes: Some(text.len() as u32), output: Output::Text(text.into()) }
    }
}

/// The path comes to another of its node's functions, or to a new node: it has failed at nothing yet.
pub fn begin(run: &mut Run, at: PathId, handler: Handler, not_before_ms: Option<i64>, turn: &Turn<'_>) {
    let path = &mut run.paths[at];
    (path.failures, path.interruptions) = (0, 0);
    again(run, at, handler, not_before_ms, turn);
}

/// The next attempt of the same function.
pub fn again(run: &mut Run, at: PathId, handler: Handler, not_before_ms: Option<i64>, turn: &Turn<'_>) {
    let event = run.paths[at].attempt.take().and_then(|attempt| attempt.event);
    let fence = fence(run, at, handler, event.as_ref().map_or(0, |(id, _)| *id), turn);
    run.paths[at].attempt =
        Some(Attempt { handler, fence, not_before_ms, handed_out: false, started_at_ms: 0, deadline_ms: None, event });
}

/// Tells an attempt from all others of its run: a hash of what it is, so that a run that is read again numbers its
/// attempts as before. 53 bits, which is what a JSON number carries (FNV-1a, <http://www.isthe.com/chongo/tech/comp/fnv/>).
fn fence(run: &Run, at: PathId, handler: Handler, event: i64, turn: &Turn<'_>) -> u64 {
    let path = &run.paths[at];
    let name = if handler.is_hook() { "" } else { &turn.graph.node(path.node).name };
    let mut hash = 0xCBF2_9CE4_8422_2325_u64;
    let mut add = |bytes: &[u8]| {
        for byte in bytes {
            hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01B3);
        }
    };
    add(name.as_bytes());
    add(b"\0");
    add(path.scope.as_bytes());
    add(&[0, handler as u8]);
    add(&path.attempt_number().to_le_bytes());
    add(&run.epoch.to_le_bytes());
    add(&event.to_le_bytes());
    if let Wait::Block(block) = &path.wait {
        // The condition of a `while` is asked again after each repetition.
        add(&block.begun.to_le_bytes());
    }
    (hash ^ (hash >> 53)) & ((1 << 53) - 1)
}

/// Hands an attempt to the host; or its circuit fails it at once.
pub fn hand_out(run: &mut Run, at: PathId, turn: &mut Turn<'_>) {
    let Some(attempt) = &run.paths[at].attempt else { return };
    let (handler, attempt_id) = (attempt.handler, (run.id, attempt.fence));
    let mut timeout_ms = None;
    if handler == Handler::Body {
        let node = turn.graph.node(run.paths[at].node);
        timeout_ms = node.timeout_ms;
        if let Some(policy) = &node.circuit
            && !circuit::enter(policy, attempt_id, turn)
        {
            let message = format!("the circuit `{}` is open after {} failures", policy.name, policy.threshold);
            let failure = Failure { status: StepStatus::Failed, error: error_json("circuit_open", &message) };
            return failed(run, at, handler, failure, true, turn);
        }
    }
    mark_handed_out(run, at, Clock::start(turn.now_ms, timeout_ms), turn);
    if let Some(effect) = execute_effect(run, at, turn.graph, turn.secret) {
        turn.effect(effect);
    }
}

/// The host has an attempt.
pub fn mark_handed_out(run: &mut Run, at: PathId, clock: Clock, turn: &mut Turn<'_>) {
    let Some(attempt) = &mut run.paths[at].attempt else { return };
    attempt.handed_out = true;
    (attempt.started_at_ms, attempt.deadline_ms) = (clock.started_at_ms, clock.deadline_ms);
    if let Some(deadline_ms) = attempt.deadline_ms {
        turn.out.deadlines.push((deadline_ms, attempt.fence));
    }
}

/// What the host calls an output.
pub fn key_of(last: &Last, graph: &Graph) -> Key {
    Key { name: graph.node(last.node).name.clone(), scope: last.scope.clone() }
}

/// The effect that hands out an attempt. Giving it again is harmless.
pub fn execute_effect(run: &Run, at: PathId, graph: &Graph, secret: &super::Secret) -> Option<Effect> {
    let path = &run.paths[at];
    let attempt = path.attempt.as_ref()?;
    let is_hook = attempt.handler.is_hook();
    let name = &graph.node(path.node).name;
    let wants_error = matches!(attempt.handler, Handler::OnError | Handler::OnFailure);
    let token = || secret.token(run.id, name, &path.scope);
    Some(Effect::Execute(Execute {
        run: run.id,
        step: (!is_hook).then(|| name.clone()),
        scope: path.scope.clone(),
        handler: attempt.handler,
        attempt: path.attempt_number(),
        fence: attempt.fence,
        last: path.last.as_ref().map(|last| key_of(last, graph)),
        event: attempt.event.as_ref().and_then(|(_, payload)| payload.clone()),
        token: (attempt.handler == Handler::OnPause).then(token),
        error: path.failure.as_ref().filter(|_| wants_error).map(|failure| failure.error.clone()),
    }))
}

/// The host reports how an attempt ended.
pub fn ended<'a>(run: &mut Run, at: PathId, outcome: Outcome<'a>, turn: &mut Turn<'a>) {
    let Some(attempt) = &run.paths[at].attempt else { return };
    let handler = attempt.handler;
    match outcome {
        Outcome::Completed { output } => match decide(run, at, handler, output, turn) {
            Ok(decision) => {
                turn.out.ended.completed = true;
                leave_circuit(run, at, Verdict::Works, turn);
                finished(run, at, handler, decision, Value::text(output), turn);
            }
            Err((code, message)) => {
                let failure = Failure { status: StepStatus::Failed, error: error_json(code, &message) };
                failed(run, at, handler, failure, false, turn);
            }
        },
        Outcome::Failed { error, retryable, expected } => {
            let failure = Failure { status: StepStatus::Failed, error: error.into() };
            leave_circuit(run, at, if expected { Verdict::Works } else { Verdict::Fails }, turn);
            failed(run, at, handler, failure, retryable, turn);
        }
        Outcome::Cancel { reason } => {
            leave_circuit(run, at, Verdict::Works, turn);
            if handler.is_hook() {
                return finished(run, at, handler, None, Value::ABSENT, turn);
            }
            run::cancelled(run, reason, turn);
        }
    }
}

/// An attempt ends with an output that another run has recorded.
pub fn recalled<'a>(run: &mut Run, at: PathId, output: &'a str, turn: &mut Turn<'a>) {
    complete(run, at, Handler::Body, Value::text(Some(output)), true, turn);
}

/// An attempt has taken longer than its step may take.
pub fn timed_out(run: &mut Run, at: PathId, turn: &mut Turn<'_>) {
    let Some(attempt) = &run.paths[at].attempt else { return };
    let (handler, fence) = (attempt.handler, attempt.fence);
    turn.effect(Effect::Abort { run: run.id, fence, reason: AbortReason::StepTimeout });
    let timeout_ms = turn.graph.node(run.paths[at].node).timeout_ms.unwrap_or(0);
    let error = error_json("step_timeout", &format!("the step took longer than its timeout of {timeout_ms} ms"));
    leave_circuit(run, at, Verdict::Fails, turn);
    failed(run, at, handler, Failure { status: StepStatus::TimedOut, error }, true, turn);
}

/// The number the machine goes by, read from what a function returned; or what is wrong with it.
fn decide(
    run: &Run,
    at: PathId,
    handler: Handler,
    output: Option<&str>,
    turn: &Turn<'_>,
) -> Result<Option<i64>, (&'static str, String)> {
    let text = output.unwrap_or("undefined").trim();
    let shown = || text.chars().take(80).collect::<String>();
    let kind = &turn.graph.node(run.paths[at].node).kind;
    match handler {
        Handler::Condition => {
            let most = match kind {
                Kind::If { branches } => branches.len() as i64 - 1,
                _ => 1,
            };
            let branch = text.parse::<i64>().ok().filter(|branch| (0..=most).contains(branch));
            branch.map(Some).ok_or_else(|| ("decision_invalid", format!("a condition gave {}", shown())))
        }
        Handler::Items => match value::count_items(text) {
            None => Err(("items_invalid", format!("the items of a loop are an array, not {}", shown()))),
            Some(count) if count > limits::ITEMS => {
                let message = format!("a loop has at most {} items, not {count}: split the work up", limits::ITEMS);
                Err(("too_many_items", message))
            }
            Some(count) => Ok(Some(count as i64)),
        },
        Handler::Duration => {
            let given = text.parse::<f64>().ok().filter(|ms| ms.is_finite() && ms.abs() <= limits::DURATION_MS as f64);
            let given = given.ok_or_else(|| ("decision_invalid", format!("a time to sleep was {}", shown())))?;
            match kind {
                Kind::Sleep(_) if given < 0.0 => Err(("decision_invalid", format!("a time to sleep was {}", shown()))),
                Kind::Sleep(_) => Ok(Some(later(turn.now_ms, given.ceil() as u64))),
                _ => Ok(Some(given.ceil() as i64)),
            }
        }
        Handler::Filter => match text {
            "true" => Ok(Some(1)),
            "false" => Ok(Some(0)),
            _ => Err(("decision_invalid", format!("a filter gives true or false, not {}", shown()))),
        },
        _ => Ok(None),
    }
}

/// A function has done what it is for. The same for an attempt that ends now and for the row of one that has.
pub fn finished<'a>(
    run: &mut Run,
    at: PathId,
    handler: Handler,
    decision: Option<i64>,
    value: Value<'a>,
    turn: &mut Turn<'a>,
) {
    match handler {
        Handler::OnSuccess | Handler::OnFailure => {
            record(run, at, Ending { handler, ..Ending::completed(run, at) }, turn);
            run.paths[at].attempt = None;
            run::close(run, turn);
        }
        Handler::Body | Handler::OnError => complete(run, at, handler, value, false, turn),
        Handler::OnTimeout => complete(run, at, handler, Value::text(Some(wait::NOBODY_APPROVED)), true, turn),
        Handler::Condition | Handler::Items | Handler::Duration | Handler::Input => {
            let ending = Ending { handler, decision, output: value.output, ..Ending::completed(run, at) };
            let row = record(run, at, ending, turn);
            run.paths[at].has_returned();
            match handler {
                Handler::Condition => flow::chosen(run, at, decision.unwrap_or(0), turn),
                Handler::Items => flow::items(run, at, decision.unwrap_or(0), turn),
                Handler::Duration => wait::sleep(run, at, decision.unwrap_or(0), turn),
                _ => wait::want_child(run, at, value.bytes.map(|_| row)),
            }
        }
        Handler::Filter => wait::filtered(run, at, decision, turn),
        Handler::OnPause => {
            record(run, at, Ending { handler, ..Ending::completed(run, at) }, turn);
            run.paths[at].has_returned();
        }
        Handler::Start => {
            record(run, at, Ending { handler, decision, ..Ending::completed(run, at) }, turn);
            run.paths[at].wait =
                Wait::Child { run: decision.and_then(RunId::from_integer), payload_of: None, is_asked: true };
        }
        Handler::Retry => {}
    }
}

/// A node is done: its output becomes `ctx.last`, and the path goes on.
pub fn complete<'a>(run: &mut Run, at: PathId, handler: Handler, value: Value<'a>, is_news: bool, turn: &mut Turn<'a>) {
    let has_output = turn.graph.node(run.paths[at].node).has_output(handler);
    let output = if has_output { value.output } else { Output::Absent };
    let ending = Ending { handler, output, is_news: is_news && has_output, ..Ending::completed(run, at) };
    let sequence = record(run, at, ending, turn);
    wait::leave(run, at, turn);
    let path = &mut run.paths[at];
    path.attempt = None;
    if has_output {
        path.last =
            Some(Last { sequence, node: path.node, scope: path.scope.clone(), bytes: value.bytes.unwrap_or(0) });
    }
    flow::advance(run, at, turn);
}

/// An attempt has failed: it is tried again as its policy says, or given up.
pub fn failed(run: &mut Run, at: PathId, handler: Handler, failure: Failure, retryable: bool, turn: &mut Turn<'_>) {
    let path = &run.paths[at];
    let policy = match handler {
        Handler::OnError | Handler::OnSuccess | Handler::OnFailure => None,
        _ => turn.graph.node(path.node).retry.as_ref(),
    };
    let policy = policy.filter(|policy| retryable && path.failures + 1 < policy.attempts);
    let retry_at_ms =
        policy.map(|policy| later(turn.now_ms, retry::delay_ms(policy, path.failures + 1, run.id, path.node)));
    turn.out.ended.retry_at_ms = retry_at_ms;
    gave_up_or_retries(run, at, handler, failure, retry_at_ms, turn);
}

/// The same for an attempt that fails now and for the row of one that has.
pub fn gave_up_or_retries(
    run: &mut Run,
    at: PathId,
    handler: Handler,
    failure: Failure,
    retry_at_ms: Option<i64>,
    turn: &mut Turn<'_>,
) {
    let ending = Ending {
        handler,
        status: failure.status,
        error: Some(failure.error.clone()),
        retry_at_ms,
        ..Ending::completed(run, at)
    };
    record(run, at, ending, turn);
    if let Some(retry_at_ms) = retry_at_ms {
        run.paths[at].failures += 1;
        let not_before_ms = Some(retry_at_ms).filter(|retry_at_ms| *retry_at_ms > turn.now_ms);
        return again(run, at, handler, not_before_ms, turn);
    }
    if handler.is_hook() {
        run.paths[at].attempt = None;
        return run::close(run, turn);
    }
    flow::give_up(run, at, failure, handler != Handler::OnError, turn);
}

/// The process died while an attempt executed. A step that keeps killing its host is given up.
pub fn interrupted(run: &mut Run, at: PathId, turn: &mut Turn<'_>) {
    let Some(attempt) = &run.paths[at].attempt else { return };
    let handler = attempt.handler;
    let message = "the process ended while the step was executing";
    if !planted!(DeathNotCounted) {
        let ending = Ending {
            handler,
            status: StepStatus::Interrupted,
            error: Some(error_json("interrupted", message)),
            ..Ending::completed(run, at)
        };
        record(run, at, ending, turn);
    }
    run.paths[at].interruptions += 1;
    again(run, at, handler, None, turn);
    let deaths = u64::from(run.paths[at].interruptions);
    if deaths < limits::CRASH_LOOP_DEATHS {
        return;
    }
    run.paths[at].attempt = None;
    if handler.is_hook() {
        return run::close(run, turn);
    }
    let message = format!("the process ended {deaths} times while this step was executing");
    run::failed(run, error_json("crash_loop", &message), StepStatus::Cancelled, AbortReason::Ended, turn);
}

/// An attempt that is with the host may be the one that probes its circuit.
pub fn enter_circuit(run: &Run, at: PathId, turn: &mut Turn<'_>) {
    let graph = turn.graph;
    let attempt = run.paths[at].attempt.as_ref().filter(|attempt| attempt.handler == Handler::Body);
    if let (Some(attempt), Some(policy)) = (attempt, &graph.node(run.paths[at].node).circuit) {
        circuit::enter(policy, (run.id, attempt.fence), turn);
    }
}

/// An attempt that is with the host has ended: its circuit hears how.
fn leave_circuit(run: &Run, at: PathId, verdict: Verdict, turn: &mut Turn<'_>) {
    let Some(attempt) = run.paths[at].attempt.as_ref().filter(|attempt| attempt.handler == Handler::Body) else {
        return;
    };
    let graph = turn.graph;
    if let Some(policy) = &graph.node(run.paths[at].node).circuit {
        circuit::leave(policy, (run.id, attempt.fence), verdict, turn);
    }
}

/// An attempt is over before it has ended by itself; the host is told if it has it.
pub fn abort(run: &mut Run, at: PathId, reason: AbortReason, turn: &mut Turn<'_>) {
    leave_circuit(run, at, Verdict::Unknown, turn);
    if let Some(attempt) = &run.paths[at].attempt
        && attempt.handed_out
    {
        turn.effect(Effect::Abort { run: run.id, fence: attempt.fence, reason });
    }
}

/// How an attempt, or a node for which nothing is called, ended.
pub struct Ending<'a> {
    pub handler: Handler,
    pub attempt: u32,
    pub status: StepStatus,
    pub output: Output<'a>,
    pub decision: Option<i64>,
    pub error: Option<Arc<str>>,
    pub retry_at_ms: Option<i64>,
    pub is_news: bool,
}

impl Ending<'_> {
    pub fn completed(run: &Run, at: PathId) -> Ending<'static> {
        Ending {
            handler: Handler::Body,
            attempt: run.paths[at].attempt_number(),
            status: StepStatus::Completed,
            output: Output::Absent,
            decision: None,
            error: None,
            retry_at_ms: None,
            is_news: false,
        }
    }
}

/// Writes a row, and gives its position in the history.
pub fn record<'a>(run: &mut Run, at: PathId, ending: Ending<'a>, turn: &mut Turn<'a>) -> u32 {
    let path = &run.paths[at];
    let graph = turn.graph;
    let is_hook = ending.handler.is_hook();
    let attempt = path.attempt.as_ref().filter(|attempt| attempt.handed_out && attempt.handler == ending.handler);
    turn.out.clocks_over.extend(attempt.map(|attempt| (attempt.fence, attempt.clock())));
    let started_at_ms =
        attempt.filter(|_| ending.status != StepStatus::Interrupted).map(|attempt| attempt.started_at_ms);
    // What was completed before a run was taken up again keeps its place, for its output is read from there.
    let is_completed = ending.status == StepStatus::Completed;
    let known = run.completed_at.as_ref().filter(|_| is_completed).and_then(|known| {
        let name = graph.node(path.node).name.to_string();
        known.get(&(name, path.scope.to_string(), ending.handler)).copied()
    });
    let sequence = known.unwrap_or(run.sequence);
    let step = NewStep {
        run: run.id,
        sequence,
        name: if is_hook { ending.handler.as_str() } else { &graph.node(path.node).name },
        scope: path.scope.clone(),
        handler: ending.handler,
        attempt: ending.attempt,
        status: ending.status,
        output: ending.output,
        decision: ending.decision,
        error: ending.error,
        retry_at_ms: ending.retry_at_ms,
        started_at_ms,
        finished_at_ms: turn.now_ms,
        is_news: ending.is_news,
    };
    turn.write(Write::InsertStep(step));
    run.sequence += 1;
    sequence
}
