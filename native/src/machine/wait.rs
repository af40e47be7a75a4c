//! What a path waits for without executing anything: a time, an event, a person, a child run.

use std::sync::Arc;

use super::attempt::{self, Ending, Value};
use super::path::{Failure, Path, Wait};
use super::{PathId, Run, Secret, Stage, Turn, error_json, flow, later, token};
use crate::error::{Code, Error, Result};
use crate::graph::{Graph, Kind};
use crate::ids::RunId;
use crate::model::{ApprovalStatus, Handler, Place, StepStatus, StoredEvent, Write};
use crate::protocol::AbortReason;

/// The output of a request for approval that nobody has answered in time.
pub const NOBODY_APPROVED: &str = r#"{"approved":false,"timedOut":true,"status":"timeout"}"#;

/// The output of a wait for an event that did not come in time.
const NO_EVENT: &str = r#"{"timedOut":true}"#;

/// The path sleeps until a time; one that has passed is no sleep.
pub fn sleep(run: &mut Run, at: PathId, until_ms: i64, turn: &mut Turn<'_>) {
    if until_ms <= turn.now_ms {
        return attempt::complete(run, at, Handler::Body, Value::ABSENT, false, turn);
    }
    run.paths[at].wait = Wait::Sleep { until_ms };
}

/// The path waits for an event that is published from now on.
pub fn for_event(run: &mut Run, at: PathId, event: Arc<str>, wait_ms: Option<u64>, turn: &mut Turn<'_>) {
    let until_ms = wait_ms.map(|wait_ms| later(turn.now_ms, wait_ms));
    run.paths[at].wait = Wait::Event { until_ms, has_looked: true };
    if !planted!(LostEvent) {
        turn.write(Write::OpenWait(place(run, at, turn), event));
    }
}

/// The path waits for a person.
pub fn for_approval(run: &mut Run, at: PathId, wait_ms: Option<u64>, on_pause: bool, turn: &mut Turn<'_>) {
    let until_ms = wait_ms.map(|wait_ms| later(turn.now_ms, wait_ms));
    let place = place(run, at, turn);
    let token = turn.secret.token(place.run, &place.name, &place.scope);
    run.paths[at].wait = Wait::Approval { until_ms };
    turn.write(Write::OpenApproval(place, token::hash(&token), turn.now_ms, until_ms));
    if on_pause {
        attempt::begin(run, at, Handler::OnPause, None, turn);
    }
}

/// The path waits for a child run, which the engine starts.
pub fn want_child(run: &mut Run, at: PathId, payload_of: Option<u32>) {
    run.paths[at].wait = Wait::Child { run: None, payload_of, is_asked: false };
}

/// A wait of a run that is taken up again is as long as if it had just begun.
pub fn renew(run: &mut Run, at: PathId, turn: &Turn<'_>) {
    let path = &mut run.paths[at];
    let wait_ms = match &turn.graph.node(path.node).kind {
        Kind::WaitForEvent { wait_ms, .. } | Kind::Approval { wait_ms, .. } => *wait_ms,
        _ => return,
    };
    if let Wait::Event { until_ms, .. } | Wait::Approval { until_ms } = &mut path.wait {
        *until_ms = wait_ms.map(|wait_ms| later(turn.now_ms, wait_ms));
    }
}

/// What a run that is taken up again waits for is stored again.
pub fn reopen(run: &Run, turn: &mut Turn<'_>) {
    let ids: Vec<PathId> = run.paths.iter().map(|(id, _)| id).collect();
    for at in ids {
        match (&run.paths[at].wait, &turn.graph.node(run.paths[at].node).kind) {
            (Wait::Event { .. }, Kind::WaitForEvent { event, .. }) => {
                turn.write(Write::OpenWait(place(run, at, turn), event.clone()));
            }
            (Wait::Approval { until_ms }, _) => {
                let place = place(run, at, turn);
                let token = turn.secret.token(place.run, &place.name, &place.scope);
                turn.write(Write::OpenApproval(place, token::hash(&token), turn.now_ms, *until_ms));
            }
            _ => {}
        }
    }
}

fn place(run: &Run, at: PathId, turn: &Turn<'_>) -> Place {
    let path = &run.paths[at];
    Place { run: run.id, name: turn.graph.node(path.node).name.clone(), scope: path.scope.clone() }
}

/// The path no longer waits, whatever for.
pub fn leave(run: &mut Run, at: PathId, turn: &mut Turn<'_>) {
    match std::mem::take(&mut run.paths[at].wait) {
        Wait::Event { .. } => {
            if let Kind::WaitForEvent { event, .. } = &turn.graph.node(run.paths[at].node).kind {
                turn.write(Write::CloseWait(place(run, at, turn), event.clone()));
            }
        }
        Wait::Approval { .. } => {
            turn.write(Write::CloseApproval(place(run, at, turn), ApprovalStatus::Cancelled));
        }
        Wait::Child { run: Some(child), .. } if !planted!(ChildOrphaned) => {
            turn.out.needs.push(super::Need::CancelChild(child));
        }
        Wait::Nothing | Wait::Start { .. } | Wait::Sleep { .. } | Wait::Child { .. } | Wait::Block(_) => {}
    }
}

/// Something of the path is due.
pub fn due(run: &mut Run, at: PathId, turn: &mut Turn<'_>) {
    let now_ms = turn.now_ms;
    let path = &mut run.paths[at];
    if let Some(attempt) = &mut path.attempt
        && attempt.not_before_ms.is_some()
    {
        attempt.not_before_ms = attempt.not_before_ms.filter(|not_before_ms| *not_before_ms > now_ms);
    }
    let is_over = |until_ms: Option<i64>| until_ms.is_some_and(|until_ms| until_ms <= now_ms);
    match path.wait {
        Wait::Sleep { until_ms } if is_over(Some(until_ms)) => {
            attempt::complete(run, at, Handler::Body, Value::ABSENT, false, turn);
        }
        Wait::Event { until_ms, .. } if is_over(until_ms) => {
            stop_asking(run, at, "timed_out", "the wait was over", turn);
            attempt::complete(run, at, Handler::Body, Value::text(Some(NO_EVENT)), true, turn);
        }
        Wait::Approval { until_ms } if is_over(until_ms) => expire(run, at, turn),
        _ => {}
    }
}

/// Whether nobody has approved in time, and a function is called for that.
pub fn is_expired(run: &Run, at: PathId, turn: &Turn<'_>) -> bool {
    let path = &run.paths[at];
    let calls = matches!(turn.graph.node(path.node).kind, Kind::Approval { on_timeout: true, .. });
    calls && matches!(path.wait, Wait::Approval { until_ms: Some(until_ms) } if until_ms <= turn.now_ms)
}

fn expire(run: &mut Run, at: PathId, turn: &mut Turn<'_>) {
    stop_asking(run, at, "timed_out", "nobody answered in time", turn);
    run.paths[at].wait = Wait::Nothing;
    turn.write(Write::CloseApproval(place(run, at, turn), ApprovalStatus::Expired));
    match turn.graph.node(run.paths[at].node).kind {
        Kind::Approval { on_timeout: true, .. } => attempt::begin(run, at, Handler::OnTimeout, None, turn),
        _ => attempt::complete(run, at, Handler::Body, Value::text(Some(NOBODY_APPROVED)), true, turn),
    }
}

/// A function that executes beside a wait is over with it; what the host makes of it no longer matters.
fn stop_asking(run: &mut Run, at: PathId, code: &str, message: &str, turn: &mut Turn<'_>) {
    let Some(attempt) = &run.paths[at].attempt else { return };
    let (handler, handed_out) = (attempt.handler, attempt.handed_out);
    if handed_out {
        attempt::abort(run, at, AbortReason::Ended, turn);
        let ending = Ending {
            handler,
            status: StepStatus::Cancelled,
            error: Some(error_json(code, message)),
            ..Ending::completed(run, at)
        };
        attempt::record(run, at, ending, turn);
    }
    run.paths[at].has_returned();
}

fn find(run: &Run, name: &str, scope: &str, turn: &Turn<'_>) -> Option<PathId> {
    run.paths.at(turn.graph.find(name)?, scope)
}

/// An event of the name it waits for: it is the one, or the host is asked.
pub fn event_arrived<'a>(run: &mut Run, name: &str, scope: &str, event: &'a StoredEvent, turn: &mut Turn<'a>) {
    let Some(at) = find(run, name, scope, turn) else { return };
    let path = &run.paths[at];
    // One that has yet to look at what is stored does so first: this may not be the first event it has not seen. A
    // filter that executes will look at the next one when it has ended.
    if !matches!(path.wait, Wait::Event { has_looked: true, .. }) || path.attempt.is_some() {
        return;
    }
    let Kind::WaitForEvent { filter, .. } = turn.graph.node(path.node).kind else { return };
    if !filter {
        return attempt::complete(run, at, Handler::Body, Value::text(event.payload.as_deref()), true, turn);
    }
    attempt::begin(run, at, Handler::Filter, None, turn);
    give_event(run, at, event, turn);
}

/// Its fence tells events apart.
fn give_event(run: &mut Run, at: PathId, event: &StoredEvent, turn: &Turn<'_>) {
    let Some(attempt) = &mut run.paths[at].attempt else { return };
    attempt.event = Some((event.id, event.payload.as_deref().map(Arc::from)));
    let not_before_ms = attempt.not_before_ms;
    attempt::again(run, at, Handler::Filter, not_before_ms, turn);
}

/// The filters of a run that was read, which may be at work: where each is, and the name of its event.
pub fn filters(run: &Run, graph: &Graph) -> Vec<(PathId, Place, Arc<str>)> {
    let filter = |(at, path): (PathId, &Path)| match (&path.wait, &graph.node(path.node).kind) {
        (Wait::Event { .. }, Kind::WaitForEvent { event, filter: true, .. }) => {
            let name = graph.node(path.node).name.clone();
            Some((at, Place { run: run.id, name, scope: path.scope.clone() }, event.clone()))
        }
        _ => None,
    };
    run.paths.iter().filter_map(filter).collect()
}

/// The first event that such a filter has not seen: the one it is at work with, for it looks at each when it comes.
pub fn look_again(run: &mut Run, at: PathId, event: &StoredEvent, graph: &Graph, secret: &Secret) {
    let (circuits, out) = Default::default();
    let turn = Turn { graph, now_ms: 0, slot: super::Slot::Taken, secret, circuits, out };
    if run.paths[at].attempt.is_none() {
        attempt::begin(run, at, Handler::Filter, None, &turn);
    }
    give_event(run, at, event, &turn);
    let executes = run.stage == Stage::Executing && run.paths[at].is_ready();
    if let Some(attempt) = &mut run.paths[at].attempt {
        attempt.handed_out = executes;
    }
}

/// The host has said whether an event is the one.
pub fn filtered(run: &mut Run, at: PathId, decision: Option<i64>, turn: &mut Turn<'_>) {
    let Some((id, payload)) = run.paths[at].attempt.as_ref().and_then(|attempt| attempt.event.clone()) else { return };
    if decision == Some(1) {
        let value = payload.map_or(Value::ABSENT, |payload| Value::owned(payload.to_string()));
        run.paths[at].has_returned();
        return attempt::complete(run, at, Handler::Body, value, true, turn);
    }
    rejected(run, at, id, turn);
}

/// An event is not the one; the wait goes on with the next.
pub fn rejected(run: &mut Run, at: PathId, event: i64, turn: &mut Turn<'_>) {
    let ending = Ending { handler: Handler::Filter, decision: Some(event), ..Ending::completed(run, at) };
    attempt::record(run, at, ending, turn);
    if let Kind::WaitForEvent { event: name, .. } = &turn.graph.node(run.paths[at].node).kind {
        turn.write(Write::AdvanceWait(place(run, at, turn), name.clone(), event));
    }
    let path = &mut run.paths[at];
    path.has_returned();
    if let Wait::Event { has_looked, .. } = &mut path.wait {
        *has_looked = false;
    }
}

/// Somebody has answered a request for approval.
pub fn approved<'a>(
    run: &mut Run,
    name: &str,
    scope: &str,
    approved: bool,
    output: &'a str,
    turn: &mut Turn<'a>,
) -> Result<()> {
    let at = find(run, name, scope, turn).filter(|at| matches!(run.paths[*at].wait, Wait::Approval { .. }));
    let Some(at) = at else {
        return Err(Error::new(Code::TokenUsed, format!("run {} no longer waits for this approval", run.id)));
    };
    stop_asking(run, at, "answered", "the request was answered before its onPause ended", turn);
    run.paths[at].wait = Wait::Nothing;
    let status = if approved { ApprovalStatus::Approved } else { ApprovalStatus::Rejected };
    turn.write(Write::CloseApproval(place(run, at, turn), status));
    attempt::complete(run, at, Handler::Body, Value::text(Some(output)), true, turn);
    Ok(())
}

/// The child a path waits for was started, or could not be.
pub fn child_started(
    run: &mut Run,
    name: &str,
    scope: &str,
    child: std::result::Result<RunId, &str>,
    turn: &mut Turn<'_>,
) {
    let Some(at) = find(run, name, scope, turn) else { return };
    match child {
        Ok(child) => {
            attempt::finished(run, at, Handler::Start, Some(child.to_integer()), Value::ABSENT, turn);
        }
        Err(error) => {
            run.paths[at].wait = Wait::Nothing;
            flow::node_failed(run, at, Failure { status: StepStatus::Failed, error: error.into() }, turn);
        }
    }
}

/// A child has ended. One that nobody waits for any longer is none of the run's business.
pub fn child_ended<'a>(
    run: &mut Run,
    child: RunId,
    result: std::result::Result<Option<&'a str>, &'a str>,
    turn: &mut Turn<'a>,
) {
    let waits = |wait: &Wait| matches!(wait, Wait::Child { run: Some(run), .. } if *run == child);
    let Some(at) = run.paths.iter().find(|(_, path)| waits(&path.wait)).map(|(id, _)| id) else { return };
    run.paths[at].wait = Wait::Nothing;
    match result {
        Ok(output) => attempt::complete(run, at, Handler::Body, Value::text(output), true, turn),
        Err(error) => {
            flow::node_failed(run, at, Failure { status: StepStatus::Failed, error: error.into() }, turn);
        }
    }
}
