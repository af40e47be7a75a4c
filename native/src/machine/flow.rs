//! Where a path goes: from node to node, into blocks, and out of them.

use std::sync::Arc;

use super::attempt::{self, Ending, Value};
use super::path::{Block, Failure, Last, Path, Paths, Wait};
use super::{PathId, Run, Turn, error_json, later, run, wait};
use crate::graph::{Kind, NodeId};
use crate::limits;
use crate::model::{Handler, Output, StepStatus};
use crate::protocol::{AbortReason, Effect};

/// The path has come to a node.
pub fn arrive(run: &mut Run, at: PathId, turn: &mut Turn<'_>) {
    let graph = turn.graph;
    let node = graph.node(run.paths[at].node);
    if let Some(output) = run.mocks.as_ref().and_then(|mocks| mocks.get(&*node.name)).cloned() {
        return attempt::complete(run, at, Handler::Body, Value::owned(output.to_string()), true, turn);
    }
    match &node.kind {
        Kind::Step | Kind::Action => {
            let not_before_ms = node.delay_ms.map(|delay_ms| later(turn.now_ms, delay_ms));
            attempt::begin(run, at, Handler::Body, not_before_ms, turn);
        }
        Kind::If { .. } => attempt::begin(run, at, Handler::Condition, None, turn),
        Kind::While { .. } => {
            run.paths[at].wait = Wait::Block(Block::default());
            attempt::begin(run, at, Handler::Condition, None, turn);
        }
        Kind::ForEach { .. } => attempt::begin(run, at, Handler::Items, None, turn),
        Kind::Parallel { branches, .. } | Kind::Race { branches } => take_all(run, at, branches, turn),
        Kind::Sleep(Some(duration_ms)) => wait::sleep(run, at, later(turn.now_ms, *duration_ms), turn),
        Kind::SleepUntil(Some(until_ms)) => wait::sleep(run, at, *until_ms, turn),
        Kind::Sleep(None) | Kind::SleepUntil(None) => attempt::begin(run, at, Handler::Duration, None, turn),
        Kind::WaitForEvent { event, wait_ms, .. } => wait::for_event(run, at, event.clone(), *wait_ms, turn),
        Kind::Approval { wait_ms, on_pause, .. } => wait::for_approval(run, at, *wait_ms, *on_pause, turn),
        Kind::Subflow { input: true, .. } => attempt::begin(run, at, Handler::Input, None, turn),
        Kind::Subflow { input: false, .. } => {
            let payload_of = run.paths[at].last.as_ref().map(|last| last.sequence);
            wait::want_child(run, at, payload_of);
        }
        Kind::Cancel { reason } => run::cancelled(run, reason.as_deref().unwrap_or("the run was cancelled"), turn),
    }
}

/// The path goes on to what follows the node it is at.
pub fn advance(run: &mut Run, at: PathId, turn: &mut Turn<'_>) {
    match turn.graph.node(run.paths[at].node).next {
        Some(next) => go(run, at, next),
        None => leave(run, at, Ok(()), turn),
    }
}

fn go(run: &mut Run, at: PathId, node: NodeId) {
    let path = &mut run.paths[at];
    path.node = node;
    path.wait = Wait::Nothing;
    path.failure = None;
    (path.failures, path.interruptions) = (0, 0);
    run.arrivals.push_back(at);
}

/// The node has failed for good: its `onError` is called, or that of the `if` it is in. `may_rescue`: its own has not
/// been called for that yet.
pub fn give_up(run: &mut Run, at: PathId, failure: Failure, may_rescue: bool, turn: &mut Turn<'_>) {
    wait::leave(run, at, turn);
    let path = &mut run.paths[at];
    path.attempt = None;
    path.wait = Wait::Nothing;
    let node = turn.graph.node(path.node);
    let rescuer = if may_rescue && node.on_error { Some(path.node) } else { node.guard };
    match rescuer {
        Some(rescuer) => {
            path.node = rescuer;
            path.failure = Some(failure);
            attempt::begin(run, at, Handler::OnError, None, turn);
        }
        None => leave(run, at, Err(failure), turn),
    }
}

/// A block, a wait or a child run has failed.
pub fn node_failed(run: &mut Run, at: PathId, failure: Failure, turn: &mut Turn<'_>) {
    let ending = Ending { status: failure.status, error: Some(failure.error.clone()), ..Ending::completed(run, at) };
    attempt::record(run, at, ending, turn);
    give_up(run, at, failure, true, turn);
}

/// The path is at its end: the run ends, or the block it is a part of hears of it.
fn leave(run: &mut Run, at: PathId, result: Result<(), Failure>, turn: &mut Turn<'_>) {
    if at == Paths::ROOT {
        return match result {
            Ok(()) => run::completed(run, turn),
            Err(failure) => run::failed(run, failure.error, StepStatus::Cancelled, AbortReason::Ended, turn),
        };
    }
    let Some(path) = run.paths.remove(at) else { return };
    let Some(parent) = path.parent else { return };
    match &turn.graph.node(run.paths[parent].node).kind {
        Kind::Parallel { .. } => branch_ended(run, parent, &path, result, turn),
        Kind::Race { .. } => runner_ended(run, parent, &path, result, turn),
        Kind::While { .. } => repetition_ended(run, parent, path, result, turn),
        Kind::ForEach { .. } => iteration_ended(run, parent, &path, result, turn),
        _ => debug_assert!(false, "the block of a path is where the path began"),
    }
}

fn block(run: &mut Run, at: PathId) -> &mut Block {
    let path = &mut run.paths[at];
    if !matches!(path.wait, Wait::Block(_)) {
        path.wait = Wait::Block(Block::default());
    }
    match &mut path.wait {
        Wait::Block(block) => block,
        _ => unreachable!("it has just been made one"),
    }
}

/// Begins a branch or an iteration.
fn begin(run: &mut Run, parent: PathId, place: u32, node: NodeId, scope: Arc<str>, last: Option<Last>) {
    let path = Path { parent: Some(parent), place, scope, node, last, ..Path::default() };
    let id = run.paths.add(path);
    run.arrivals.push_back(id);
    let block = block(run, parent);
    block.begun += 1;
    block.live += 1;
}

/// Whether there is room for so many more paths; else the node fails.
fn has_room(run: &mut Run, at: PathId, more: usize, turn: &mut Turn<'_>) -> bool {
    if (run.paths.len() + more) as u64 <= limits::PATHS_PER_RUN {
        return true;
    }
    let message = format!("a run has at most {} branches and iterations at the same time", limits::PATHS_PER_RUN);
    let error = error_json("too_many_paths", &message);
    node_failed(run, at, Failure { status: StepStatus::Failed, error }, turn);
    false
}

fn take_all(run: &mut Run, at: PathId, branches: &[NodeId], turn: &mut Turn<'_>) {
    if !has_room(run, at, branches.len(), turn) {
        return;
    }
    let total = branches.len() as u32;
    *block(run, at) = Block { total, results: vec![None; branches.len()], ..Block::default() };
    let (scope, last) = (run.paths[at].scope.clone(), run.paths[at].last.clone());
    for (place, node) in (0..).zip(branches) {
        begin(run, at, place, *node, scope.clone(), last.clone());
    }
}

/// What a branch or iteration gave is a result of its block.
fn keep_result(block: &mut Block, path: &Path, result: Result<(), Failure>) {
    block.live -= 1;
    match result {
        Ok(()) => {
            block.results[path.place as usize] = path.last.as_ref().map(|last| last.sequence);
            // A comma, a quote or two, or `null` comes with it.
            block.bytes += path.last.as_ref().map_or(0, |last| u64::from(last.bytes)) + 5;
            if block.bytes > limits::COMPOSED_BYTES {
                let message = format!("the results together have more than {} bytes", limits::COMPOSED_BYTES);
                let error = error_json("value_too_large", &message);
                block.failed.get_or_insert(Failure { status: StepStatus::Failed, error });
            }
        }
        Err(failure) => drop(block.failed.get_or_insert(failure)),
    }
}

fn branch_ended(run: &mut Run, at: PathId, path: &Path, result: Result<(), Failure>, turn: &mut Turn<'_>) {
    let block = block(run, at);
    keep_result(block, path, result);
    if block.live > 0 {
        return;
    }
    let block = std::mem::take(block);
    let keys = match &turn.graph.node(run.paths[at].node).kind {
        Kind::Parallel { keys, .. } => keys.as_ref(),
        _ => None,
    };
    let output = match keys {
        Some(keys) => Output::Object(keys.iter().cloned().zip(block.results).collect()),
        None => Output::List(block.results),
    };
    block_ended(run, at, block.failed, output, block.bytes, turn);
}

fn block_ended<'a>(
    run: &mut Run,
    at: PathId,
    failed: Option<Failure>,
    output: Output<'a>,
    bytes: u64,
    turn: &mut Turn<'a>,
) {
    match failed {
        Some(failure) => node_failed(run, at, failure, turn),
        None => {
            let value = Value { output, bytes: Some(u32::try_from(bytes).unwrap_or(u32::MAX)) };
            attempt::complete(run, at, Handler::Body, value, true, turn);
        }
    }
}

/// What `ctx.last` was at the end of a path, as the output of the block it belongs to.
fn copy_of(last: Option<&Last>) -> (Output<'static>, u64) {
    last.map_or((Output::Absent, 0), |last| (Output::Copy(last.sequence), last.bytes.into()))
}

fn runner_ended(run: &mut Run, at: PathId, path: &Path, result: Result<(), Failure>, turn: &mut Turn<'_>) {
    let is_last = {
        let block = block(run, at);
        block.live -= 1;
        block.live == 0
    };
    match result {
        Ok(()) => {
            let error = error_json("race_lost", "another branch of the race has won");
            abandon_children(run, at, StepStatus::Cancelled, &error, AbortReason::Ended, turn);
            let (output, bytes) = copy_of(path.last.as_ref());
            block_ended(run, at, None, output, bytes, turn);
        }
        Err(failure) => {
            let block = block(run, at);
            let failed = block.failed.get_or_insert(failure).clone();
            if is_last {
                node_failed(run, at, failed, turn);
            }
        }
    }
}

/// A condition has chosen: the branch of an `if`, or whether a `while` goes on.
pub fn chosen(run: &mut Run, at: PathId, decision: i64, turn: &mut Turn<'_>) {
    match &turn.graph.node(run.paths[at].node).kind {
        Kind::If { branches } => {
            let branch = usize::try_from(decision).ok().and_then(|branch| branches.get(branch)).copied().flatten();
            match branch {
                Some(first) => go(run, at, first),
                None => leave(run, at, Ok(()), turn),
            }
        }
        Kind::While { body, max_iterations } => {
            let (body, max_iterations) = (*body, *max_iterations);
            let begun = block(run, at).begun;
            if decision == 0 {
                let (output, bytes) = copy_of(run.paths[at].last.as_ref());
                attempt::complete(run, at, Handler::Body, Value { output, bytes: Some(bytes as u32) }, true, turn);
            } else if begun >= max_iterations {
                let message = format!("the loop did not end within {max_iterations} iterations");
                let error = error_json("too_many_iterations", &message);
                node_failed(run, at, Failure { status: StepStatus::Failed, error }, turn);
            } else if has_room(run, at, 1, turn) {
                let scope = inner(&run.paths[at].scope, begun);
                let last = run.paths[at].last.clone();
                begin(run, at, begun, body, scope, last);
            }
        }
        _ => {}
    }
}

/// The scope of an iteration inside a scope.
fn inner(scope: &str, number: u32) -> Arc<str> {
    if scope.is_empty() { number.to_string().into() } else { format!("{scope}.{number}").into() }
}

fn left(run: &Run, at: PathId, number: u32, turn: &mut Turn<'_>) {
    let step = turn.graph.node(run.paths[at].node).name.clone();
    turn.effect(Effect::Left { run: run.id, step, scope: inner(&run.paths[at].scope, number) });
}

/// One repetition of a `while` has ended; its result is what the condition and the next one see.
fn repetition_ended(run: &mut Run, at: PathId, path: Path, result: Result<(), Failure>, turn: &mut Turn<'_>) {
    block(run, at).live -= 1;
    match result {
        Ok(()) => {
            run.paths[at].last = path.last;
            if let Some(before) = path.place.checked_sub(1) {
                left(run, at, before, turn);
            }
            attempt::begin(run, at, Handler::Condition, None, turn);
        }
        Err(failure) => node_failed(run, at, failure, turn),
    }
}

/// The items of a `for_each` are counted.
pub fn items(run: &mut Run, at: PathId, count: i64, turn: &mut Turn<'_>) {
    let Kind::ForEach { concurrency, size, .. } = turn.graph.node(run.paths[at].node).kind else { return };
    let total = u32::try_from(count).unwrap_or(0).div_ceil(size);
    *block(run, at) = Block { total, results: vec![None; total as usize], bytes: 2, ..Block::default() };
    if total == 0 {
        return block_ended(run, at, None, Output::List(Vec::new()), 2, turn);
    }
    if has_room(run, at, concurrency.min(total) as usize, turn) {
        for _ in 0..concurrency.min(total) {
            begin_iteration(run, at, turn);
        }
    }
}

fn begin_iteration(run: &mut Run, at: PathId, turn: &Turn<'_>) {
    let Kind::ForEach { body, .. } = turn.graph.node(run.paths[at].node).kind else { return };
    let number = block(run, at).begun;
    let scope = inner(&run.paths[at].scope, number);
    begin(run, at, number, body, scope, None);
}

fn iteration_ended(run: &mut Run, at: PathId, path: &Path, result: Result<(), Failure>, turn: &mut Turn<'_>) {
    left(run, at, path.place, turn);
    let block = block(run, at);
    keep_result(block, path, result);
    if block.failed.is_none() && block.begun < block.total {
        return begin_iteration(run, at, turn);
    }
    if block.live == 0 {
        let block = std::mem::take(block);
        block_ended(run, at, block.failed, Output::List(block.results), block.bytes, turn);
    }
}

/// Everything inside a block is over, without a result. What waited or was to be executed is recorded so.
pub fn abandon_children(
    run: &mut Run,
    at: PathId,
    status: StepStatus,
    error: &Arc<str>,
    reason: AbortReason,
    turn: &mut Turn<'_>,
) {
    let children: Vec<PathId> =
        run.paths.iter().filter(|(_, path)| path.parent == Some(at)).map(|(id, _)| id).collect();
    for child in children {
        abandon(run, child, status, error, reason, turn);
        run.paths.remove(child);
        run.arrivals.retain(|id| *id != child);
    }
}

/// A path is over, without a result.
pub fn abandon(
    run: &mut Run,
    at: PathId,
    status: StepStatus,
    error: &Arc<str>,
    reason: AbortReason,
    turn: &mut Turn<'_>,
) {
    abandon_children(run, at, status, error, reason, turn);
    let path = &run.paths[at];
    let waits = !matches!(path.wait, Wait::Nothing | Wait::Block(_));
    if path.attempt.is_some() || waits {
        attempt::abort(run, at, reason, turn);
        // Of the node as a whole: which of its functions was called is not always in the history.
        let ending = Ending { status, error: Some(error.clone()), ..Ending::completed(run, at) };
        attempt::record(run, at, ending, turn);
    }
    wait::leave(run, at, turn);
    let path = &mut run.paths[at];
    path.attempt = None;
    path.wait = Wait::Nothing;
}
