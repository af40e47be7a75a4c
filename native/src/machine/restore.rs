//! Continues a stored run: its rows are applied again, by the same functions that made them.
//!
//! A row is a **cause** (an attempt, a wait or a child has ended) or a **consequence** (a block has ended because its
//! last branch has). Applying a cause makes its consequences again, which must be those that are stored.
//!
//! A run that was taken up again has a row of handler `retry`. Before it only what was completed counts: what had
//! failed, or was given up, is done anew.

use std::collections::{HashSet, VecDeque};

use super::attempt::{self, Value};
use super::path::{Failure, Path, Paths, Wait};
use super::run::Beginning;
use super::{Circuits, PathId, Run, Secret, Stage, Transition, Turn, flow, later, wait};
use crate::graph::{Graph, Kind, NodeId};
use crate::model::{Handler, NewStep, Output, RunStatus, RunSummary, StepStatus, StepSummary, Write};
use crate::value;

/// The definition does not have the steps the run has passed, in the same order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DefinitionChanged {
    /// What changed, for people.
    pub message: String,
}

/// Continues a stored run under a definition: the one it is pinned to, or a newer one that begins with what the run
/// has already passed.
pub fn restore(summary: &RunSummary, graph: &Graph, secret: &Secret) -> Result<Run, DefinitionChanged> {
    read(summary, graph, secret, false)
}

/// The same for a run whose last row says that it is taken up again, and which has not moved since: what it comes to
/// next is left for the transition, so that it is stored.
pub fn take_up(summary: &RunSummary, graph: &Graph, secret: &Secret) -> Result<Run, DefinitionChanged> {
    read(summary, graph, secret, true)
}

/// The same for a run that is stuck and does not fit even its own definition: it goes on with nothing, and can be ended.
pub fn stuck(summary: &RunSummary, graph: &Graph) -> Run {
    let mut run = Run::new(Beginning::of(summary), graph);
    run.arrivals.clear();
    run.status = summary.status;
    run.stage = Stage::Ended;
    run.timer_due_at_ms = summary.timer_due_at_ms;
    run.sequence = summary.steps.last().map_or(1, |step| step.sequence + 1);
    run
}

fn read(summary: &RunSummary, graph: &Graph, secret: &Secret, is_new: bool) -> Result<Run, DefinitionChanged> {
    let mut turn = Turn {
        graph,
        now_ms: summary.created_at_ms,
        slot: super::Slot::Taken,
        secret,
        circuits: Circuits::new(),
        out: Transition::default(),
    };
    let mut run = Run::new(Beginning::of(summary), graph);
    if summary.open || !summary.status.is_final() {
        match pass(&mut run, summary, is_new, &mut turn) {
            // What a run that has ended would do next does not matter.
            Err(_) if summary.status.is_final() => {}
            passed => passed?,
        }
    }
    stand(&mut run, summary, &mut turn);
    Ok(run)
}

/// Goes through the history.
fn pass(run: &mut Run, summary: &RunSummary, is_new: bool, turn: &mut Turn<'_>) -> Result<(), DefinitionChanged> {
    let taken_up = summary.steps.iter().rposition(|step| step.handler == Handler::Retry);
    let (before, after) = summary.steps.split_at(taken_up.map_or(0, |place| place + 1));
    let mut goes_on_at_ms = before.last().map_or(summary.created_at_ms, |marker| marker.finished_at_ms);
    if let Some(start_at_ms) = summary.start_at_ms
        && matches!(run.paths[Paths::ROOT].wait, Wait::Start { .. })
    {
        // One that was ended before it began has rows, and still begins at its time when it is taken up again.
        let has_completed = retried_steps(before, turn.graph).next().is_some();
        // What the rate limit has not let begin yet is not let begin by being taken up again either.
        let is_over = match is_new {
            true => start_at_ms <= goes_on_at_ms && summary.rate_key.is_none(),
            false => has_fired(start_at_ms, summary) && summary.rate_key.is_none(),
        };
        if is_over || !after.is_empty() || has_completed {
            run.paths[Paths::ROOT].wait = Wait::Nothing;
            run.arrivals.push_back(Paths::ROOT);
            if !has_completed {
                goes_on_at_ms = start_at_ms;
            }
        }
    }
    let mut expected = Expected::new();
    if let Some(marker) = before.last() {
        pass_completed(run, before, turn)?;
        run.sequence = marker.sequence + 1;
        run.epoch = marker.sequence;
        turn.now_ms = marker.finished_at_ms;
        refresh(run, turn);
    }
    turn.now_ms = goes_on_at_ms;
    if !is_new {
        settle(run, turn, &mut expected)?;
    }
    for step in after {
        match expected.pop_front() {
            Some(consequence) if consequence == Row::of(step) => continue,
            Some(_) => return Err(changed(step)),
            None => {}
        }
        run.sequence = step.sequence;
        let is_applied = apply(run, step, true, turn)?;
        settle(run, turn, &mut expected)?;
        if is_applied {
            // The first row that a cause makes is its own.
            expected.pop_front();
        }
        run.sequence = run.sequence.max(step.sequence + 1);
    }
    Ok(())
}

/// Goes through what was completed before a run was taken up again. What it comes to then is not begun yet.
fn pass_completed(run: &mut Run, before: &[StepSummary], turn: &mut Turn<'_>) -> Result<(), DefinitionChanged> {
    let completed = before.iter().filter(|step| step.status == StepStatus::Completed);
    let positions = completed.map(|step| ((step.name.clone(), step.scope.clone(), step.handler), step.sequence));
    run.completed_at = Some(Box::new(positions.collect()));
    for step in retried_steps(before, turn.graph) {
        come_to(run, step, turn);
        apply(run, step, false, turn)?;
    }
    let recorded = run.completed_at.take().unwrap_or_default();
    let out = std::mem::take(&mut turn.out);
    // What was completed led to this under the definition that the run had, or it would be recorded as well.
    let is_new = |step: &NewStep<'_>| {
        let place = (step.name.to_owned(), step.scope.to_string(), step.handler);
        step.status == StepStatus::Completed && !recorded.contains_key(&place)
    };
    if out.writes.iter().any(|write| matches!(write, Write::EndRun(_))) {
        return Err(ends_here());
    }
    let mut made = out.writes.iter().filter_map(|write| match write {
        Write::InsertStep(step) => Some(step),
        _ => None,
    });
    match made.find(|step| is_new(step)) {
        Some(step) => Err(DefinitionChanged {
            message: format!(
                "what the run has completed ends `{}` in the workflow of now, and did not before",
                step.name
            ),
        }),
        None => Ok(()),
    }
}

/// Begins the nodes that lead to the one of a row, and no others: what has no row is begun when the run goes on.
fn come_to(run: &mut Run, step: &StepSummary, turn: &mut Turn<'_>) {
    let (paths, graph) = (&run.paths, turn.graph);
    let encloses = |scope: &str| {
        scope.is_empty() || step.scope.strip_prefix(scope).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    let leads = |at: &PathId| {
        let Some(path) = paths.get(*at) else { return false };
        let node = graph.node(path.node);
        let is_it = *node.name == *step.name && *path.scope == *step.scope;
        let is_block = matches!(node.kind, Kind::Parallel { .. } | Kind::Race { .. }) && encloses(&path.scope);
        let is_inside = || graph.definition.find(&node.name).is_some_and(|block| block.find(&step.name).is_some());
        is_it || is_block && is_inside()
    };
    if let Some(at) = run.arrivals.iter().position(leads).and_then(|place| run.arrivals.remove(place)) {
        // Only a mock can have completed a node that ends the run.
        if !matches!(graph.node(run.paths[at].node).kind, Kind::Cancel { .. }) {
            flow::arrive(run, at, turn);
        }
        come_to(run, step, turn);
    }
}

/// Of the rows before a run was taken up again: those that count.
pub fn retried_steps<'a>(steps: &'a [StepSummary], graph: &'a Graph) -> impl Iterator<Item = &'a StepSummary> {
    let counts = |step: &&StepSummary| {
        step.status == StepStatus::Completed && !step.handler.is_hook() && step.handler != Handler::Retry
    };
    // A child that did not complete is started anew.
    let has_children = steps.iter().any(|step| step.handler == Handler::Start);
    let bodies = steps
        .iter()
        .filter(|step| has_children && step.handler == Handler::Body && step.status == StepStatus::Completed);
    let completed: HashSet<(&str, &str)> = bodies.map(|step| (&*step.name, &*step.scope)).collect();
    let ended = move |child: &StepSummary| completed.contains(&(&*child.name, &*child.scope));
    // Nor does what led a block beyond its bounds: it may lead elsewhere when it is done anew.
    let led_too_far = |place: usize| steps.get(place + 1).is_some_and(|next| went_too_far(&steps[place], next, graph));
    let all = steps.iter().enumerate().filter(move |(place, step)| counts(step) && !led_too_far(*place));
    all.map(|(_, step)| step).filter(move |step| step.handler != Handler::Start || ended(step))
}

/// Whether a block failed for no failure of its parts, but because of what was completed before.
fn went_too_far(step: &StepSummary, block: &StepSummary, graph: &Graph) -> bool {
    #[derive(serde::Deserialize)]
    struct Coded<'a> {
        code: &'a str,
    }
    let Some(error) = block.error.as_deref().filter(|_| block.handler == Handler::Body) else { return false };
    let has_decided = step.name == block.name && step.scope == block.scope && step.handler != Handler::Body;
    let is_composed = matches!(
        graph.find(&block.name).map(|node| &graph.node(node).kind),
        Some(Kind::Parallel { .. } | Kind::ForEach { .. })
    );
    match serde_json::from_str::<Coded<'_>>(error).map_or("", |error| error.code) {
        "too_many_iterations" | "too_many_paths" => has_decided,
        "value_too_large" => is_composed,
        _ => false,
    }
}

/// What tells a row from another one.
#[derive(Debug, PartialEq, Eq)]
struct Row {
    name: String,
    scope: String,
    handler: Handler,
    status: StepStatus,
}

impl Row {
    fn of(step: &StepSummary) -> Row {
        Row { name: step.name.clone(), scope: step.scope.clone(), handler: step.handler, status: step.status }
    }
}

/// Rows that the history must have next.
type Expected = VecDeque<Row>;

/// Begins what has been come to, and keeps the rows that were made.
fn settle(run: &mut Run, turn: &mut Turn<'_>, expected: &mut Expected) -> Result<(), DefinitionChanged> {
    while let Some(at) = run.arrivals.pop_front() {
        if run.paths.get(at).is_some() {
            flow::arrive(run, at, turn);
        }
    }
    for write in std::mem::take(&mut turn.out).writes {
        match write {
            Write::InsertStep(step) => {
                let (name, scope) = (step.name.to_owned(), step.scope.to_string());
                expected.push_back(Row { name, scope, handler: step.handler, status: step.status });
            }
            Write::EndRun(_) => return Err(ends_here()),
            _ => {}
        }
    }
    Ok(())
}

/// A run that has not ended would have: what it was at was the end of the workflow, and is gone.
fn ends_here() -> DefinitionChanged {
    let message = "the run has passed all steps that the workflow has now, and was at another one; add a step at the end, or cancel it";
    DefinitionChanged { message: message.to_owned() }
}

/// Applies a row; false when it says nothing of where the run stands. A row that was not completed may be of a step
/// that a newer definition no longer has here.
fn apply(run: &mut Run, step: &StepSummary, strict: bool, turn: &mut Turn<'_>) -> Result<bool, DefinitionChanged> {
    if step.handler.is_hook() || step.handler == Handler::Retry {
        return Ok(false);
    }
    turn.now_ms = step.finished_at_ms;
    let is_completed = step.status == StepStatus::Completed;
    let at = turn.graph.find(&step.name).and_then(|node| match run.paths.at(node, &step.scope) {
        None if step.handler == Handler::OnError => rescued(run, node, &step.scope, turn),
        at => at,
    });
    let Some(at) = at else {
        return if is_completed && (strict || is_ahead(run, step, turn.graph)) {
            Err(changed(step))
        } else {
            Ok(false)
        };
    };
    match step.status {
        StepStatus::Completed => return completed(run, at, step, strict, turn),
        StepStatus::Cancelled => {
            // Nobody had answered while somebody was still being told: what comes next has no row before it.
            if step.handler == Handler::OnPause && wait::is_expired(run, at, turn) {
                adopt(run, at, Handler::OnTimeout, turn);
            }
            return Ok(false);
        }
        StepStatus::Interrupted => {
            adopt(run, at, step.handler, turn);
            run.paths[at].interruptions += 1;
            attempt::again(run, at, step.handler, None, turn);
            return Ok(false);
        }
        StepStatus::Failed | StepStatus::TimedOut => {}
    }
    let error = step.error.as_deref().unwrap_or("null").into();
    let failure = Failure { status: step.status, error };
    let is_called = matches!(turn.graph.node(run.paths[at].node).kind, Kind::Step | Kind::Action);
    if step.handler == Handler::Body && !is_called {
        run.paths[at].wait = Wait::Nothing;
        flow::node_failed(run, at, failure, turn);
    } else {
        adopt(run, at, step.handler, turn);
        attempt::gave_up_or_retries(run, at, step.handler, failure, step.retry_at_ms, turn);
    }
    Ok(true)
}

/// Whether the flow has not come to what a row says was completed: going on, it would be done once more. What ends by
/// itself when something else does has ended with that, what is mocked has been passed, and what the definition no
/// longer has is not done again.
fn is_ahead(run: &Run, step: &StepSummary, graph: &Graph) -> bool {
    let Some(node) = graph.find(&step.name) else { return false };
    let ends_by_itself = match &graph.node(node).kind {
        Kind::Parallel { .. } | Kind::Race { .. } | Kind::While { .. } | Kind::ForEach { .. } | Kind::If { .. } => {
            matches!(step.handler, Handler::Body | Handler::OnError)
        }
        Kind::Sleep(_) | Kind::SleepUntil(_) => step.handler == Handler::Body,
        _ => false,
    };
    let is_mocked = run
        .mocks
        .iter()
        .flat_map(|mocks| mocks.keys())
        .any(|mocked| graph.definition.find(mocked).is_some_and(|mocked| mocked.find(&step.name).is_some()));
    !ends_by_itself && !is_mocked
}

/// The path that the `onError` of an `if` has rescued, when the row of what had failed does not count.
fn rescued(run: &mut Run, guard: NodeId, scope: &str, turn: &Turn<'_>) -> Option<PathId> {
    let is_guarded = |node: NodeId| {
        std::iter::successors(Some(node), |node| turn.graph.node(*node).guard).skip(1).any(|node| node == guard)
    };
    let inside = run.paths.iter().find(|(_, path)| &*path.scope == scope && is_guarded(path.node));
    let at = inside.map(|(id, _)| id)?;
    run.paths[at].node = guard;
    Some(at)
}

fn completed(
    run: &mut Run,
    at: PathId,
    step: &StepSummary,
    strict: bool,
    turn: &mut Turn<'_>,
) -> Result<bool, DefinitionChanged> {
    let value = Value { output: Output::Absent, bytes: step.output_bytes };
    let is_block = matches!(&run.paths[at].wait, Wait::Block(block) if block.live > 0);
    match step.handler {
        Handler::Filter => wait::rejected(run, at, step.decision.unwrap_or(0), turn),
        // Its parts had all ended then, and now there are more of them.
        Handler::Body if is_block && strict => return Err(changed(step)),
        // It ended before its parts did: it was rescued, or mocked in the run whose results these are.
        Handler::OnError | Handler::Body if is_block || step.handler == Handler::OnError => {
            let error = "null".into();
            let reason = crate::protocol::AbortReason::Ended;
            flow::abandon_children(run, at, StepStatus::Cancelled, &error, reason, turn);
            turn.out.writes.clear();
            // It may have come to a node inside the `if` whose `onError` this was.
            run.arrivals.retain(|pending| *pending != at);
            attempt::complete(run, at, step.handler, value, false, turn);
        }
        Handler::Body => {
            run.paths[at].wait = Wait::Nothing;
            attempt::complete(run, at, Handler::Body, value, false, turn);
        }
        _ if is_block => return Err(changed(step)),
        handler => {
            adopt(run, at, handler, turn);
            attempt::finished(run, at, handler, step.decision, value, turn);
        }
    }
    Ok(true)
}

/// The path is at this function: it may have come to it without a row, as to `onTimeout` when the time was over.
fn adopt(run: &mut Run, at: PathId, handler: Handler, turn: &Turn<'_>) {
    let is_at_it = run.paths[at].attempt.as_ref().is_some_and(|attempt| attempt.handler == handler);
    if handler == Handler::OnTimeout {
        run.paths[at].wait = Wait::Nothing;
    }
    if !is_at_it && handler != Handler::Start {
        attempt::begin(run, at, handler, None, turn);
    }
}

/// When a run is taken up again, the fences of its attempts change, who waits for something waits anew, and the run
/// has all its time again.
fn refresh(run: &mut Run, turn: &Turn<'_>) {
    run.deadline_ms = turn.graph.definition.timeout_ms.map(|timeout_ms| later(turn.now_ms, timeout_ms));
    let ids: Vec<PathId> = run.paths.iter().map(|(id, _)| id).collect();
    for at in ids {
        wait::renew(run, at, turn);
    }
    let attempts: Vec<(PathId, Handler, Option<i64>)> = run
        .paths
        .iter()
        .filter_map(|(id, path)| path.attempt.as_ref().map(|attempt| (id, attempt.handler, attempt.not_before_ms)))
        .collect();
    for (at, handler, not_before_ms) in attempts {
        attempt::again(run, at, handler, not_before_ms, turn);
    }
}

/// Whether what was due then has gone on: the run's stored timer is the earliest of all that have not.
fn has_fired(due_at_ms: i64, summary: &RunSummary) -> bool {
    summary.timer_due_at_ms.is_none_or(|timer_due_at_ms| timer_due_at_ms > due_at_ms)
}

/// The run stands where its history has led it, as far as its status says.
fn stand(run: &mut Run, summary: &RunSummary, turn: &mut Turn<'_>) {
    run.status = summary.status;
    run.hook_queued = summary.hook_queued;
    run.timer_due_at_ms = summary.timer_due_at_ms;
    // Of a run that has ended, more rows may have been made than there are: what ended everything was no failure.
    run.sequence = summary.steps.last().map_or(1, |step| step.sequence + 1);
    if summary.status.is_final() {
        owe_hook(run, summary, turn);
    }
    let ids: Vec<PathId> = run.paths.iter().map(|(id, _)| id).collect();
    for at in ids {
        let path = &mut run.paths[at];
        if let Some(attempt) = &mut path.attempt {
            attempt.not_before_ms = attempt.not_before_ms.filter(|due_at_ms| !has_fired(*due_at_ms, summary));
        }
        match (&mut path.wait, &turn.graph.node(path.node).kind) {
            (Wait::Approval { until_ms: Some(until_ms) }, Kind::Approval { on_timeout: true, .. })
                if has_fired(*until_ms, summary) =>
            {
                path.wait = Wait::Nothing;
                attempt::begin(run, at, Handler::OnTimeout, None, turn);
            }
            // What was published while the run was stuck has not been told.
            (Wait::Event { has_looked, .. }, _) if summary.status == RunStatus::Pending => *has_looked = false,
            _ => {}
        }
    }
    let executes = match summary.status {
        RunStatus::Running => true,
        RunStatus::Completed | RunStatus::Failed => summary.open && !summary.hook_queued,
        _ => false,
    };
    for path in run.paths.iter_mut().filter(|path| executes && path.is_ready()) {
        if let Some(attempt) = &mut path.attempt {
            attempt.handed_out = true;
        }
    }
    run.stage = match summary.status {
        RunStatus::Running => Stage::Executing,
        RunStatus::Pending => Stage::Queued,
        RunStatus::Waiting => Stage::Waiting,
        RunStatus::Completed | RunStatus::Failed if summary.open && summary.hook_queued => Stage::Queued,
        RunStatus::Completed | RunStatus::Failed if summary.open => Stage::Executing,
        RunStatus::Completed | RunStatus::Failed | RunStatus::Cancelled | RunStatus::Stuck => Stage::Ended,
    };
}

/// A run that has ended does nothing but call the hook it still owes.
fn owe_hook(run: &mut Run, summary: &RunSummary, turn: &Turn<'_>) {
    let last = run.paths.get(Paths::ROOT).and_then(|path| path.last.clone());
    let failure = summary.error.as_deref().map(|error| Failure { status: StepStatus::Failed, error: error.into() });
    run.deadline_ms = None;
    run.arrivals.clear();
    run.paths = Paths::default();
    let root = run.paths.add(Path { node: turn.graph.first(), last, failure, ..Path::default() });
    if summary.open {
        let completed = summary.status == RunStatus::Completed;
        let handler = if completed { Handler::OnSuccess } else { Handler::OnFailure };
        let died = |step: &&StepSummary| step.handler == handler && step.status == StepStatus::Interrupted;
        let since = summary.steps.iter().rposition(|step| step.handler == Handler::Retry).unwrap_or(0);
        run.paths[root].interruptions = summary.steps[since..].iter().filter(died).count() as u32;
        attempt::again(run, root, handler, None, turn);
    }
}

impl Beginning {
    /// How a stored run began.
    fn of(summary: &RunSummary) -> Beginning {
        Beginning {
            id: summary.id,
            created_at_ms: summary.created_at_ms,
            start_at_ms: summary.start_at_ms,
            priority: summary.priority,
            concurrency_key: summary.concurrency_key.as_deref().map(Into::into),
            rate_key: summary.rate_key.as_deref().map(Into::into),
            schedule: summary.schedule.as_deref().map(Into::into),
            parent: summary.parent,
            depth: summary.depth,
            mocks: summary.mocks.as_deref().and_then(value::mocks).map(Box::new),
        }
    }
}

fn changed(step: &StepSummary) -> DefinitionChanged {
    let inside = if step.scope.is_empty() { String::new() } else { format!(" (iteration {})", step.scope) };
    let message = format!(
        "the run has passed `{}`{inside} as its number {}, and the workflow no longer has it there",
        step.name, step.sequence
    );
    DefinitionChanged { message }
}
