//! A run begins, becomes ready, waits, and ends. The only place that moves a run's status.

use std::collections::VecDeque;
use std::sync::Arc;

use super::path::{Failure, Path, Paths, Wait};
use super::{
    Clock, Clocks, DefinitionChanged, Mocks, Need, Run, Secret, Slot, Stage, Transition, Turn, attempt, error_json,
    flow, later, wait,
};
use crate::error::Code;
use crate::graph::Graph;
use crate::ids::RunId;
use crate::limits;
use crate::model::{Handler, NewRun, Origin, RunEnd, RunStatus, StepStatus, Write};
use crate::protocol::{AbortReason, Effect};

/// What a run begins with, apart from what is only stored.
#[derive(Debug, Clone)]
pub struct Beginning {
    /// Its id.
    pub id: RunId,
    /// When it was started.
    pub created_at_ms: i64,
    /// It does not begin before this time.
    pub start_at_ms: Option<i64>,
    /// Which queued run goes first.
    pub priority: i32,
    /// Runs of one key share the workflow's concurrency.
    pub concurrency_key: Option<Arc<str>>,
    /// Under which key of its workflow's rate limit it begins, if it does not begin at once.
    pub rate_key: Option<Arc<str>>,
    /// The run that waits for it.
    pub parent: Option<RunId>,
    /// How many runs it is inside of.
    pub depth: u32,
    /// The schedule that started it.
    pub schedule: Option<Arc<str>>,
    /// Outputs of steps that are not to be executed.
    pub mocks: Option<Box<Mocks>>,
}

impl Run {
    /// A run before anything has happened to it.
    pub(super) fn new(beginning: Beginning, graph: &Graph) -> Run {
        let mut run = Run {
            id: beginning.id,
            status: RunStatus::Pending,
            stage: Stage::Queued,
            hook_queued: false,
            parent: beginning.parent,
            depth: beginning.depth,
            schedule: beginning.schedule,
            priority: beginning.priority,
            concurrency_key: beginning.concurrency_key,
            rate_key: beginning.rate_key,
            sequence: 1,
            timer_due_at_ms: None,
            mocks: beginning.mocks,
            deadline_ms: graph.definition.timeout_ms.map(|timeout_ms| later(beginning.created_at_ms, timeout_ms)),
            epoch: 0,
            paths: Paths::default(),
            completed_at: None,
            arrivals: VecDeque::new(),
        };
        // It may be before the run was started: by a clock that was ahead.
        let begins_later = beginning.start_at_ms;
        let wait = begins_later.map_or(Wait::Nothing, |until_ms| Wait::Start { until_ms });
        let root = run.paths.add(Path { node: graph.first(), wait, ..Path::default() });
        if begins_later.is_none() {
            run.arrivals.push_back(root);
        }
        run
    }
}

/// Starts a run.
pub fn start<'a>(beginning: Beginning, origin: Origin<'a>, turn: &mut Turn<'a>) -> Run {
    let graph = turn.graph;
    let (id, created_at_ms) = (beginning.id, beginning.created_at_ms);
    let mut run = Run::new(beginning, graph);
    settle(&mut run, turn);
    // Its first status is stored with it, not after it.
    let mut status = RunStatus::Pending;
    turn.out.writes.retain(|write| match write {
        Write::SetStatus(_, first) => {
            status = *first;
            false
        }
        _ => true,
    });
    let (definition, workflow_id, origin) = (graph.id, graph.workflow_id(), Box::new(origin));
    let new = NewRun { id, definition, workflow_id, status, created_at_ms, origin };
    turn.out.writes.insert(0, Write::InsertRun(new));
    run
}

/// Begins what is begun, hands out what is ready if there is a slot, and stores where the run then stands.
pub fn settle(run: &mut Run, turn: &mut Turn<'_>) {
    loop {
        begin_arrivals(run, turn);
        let has_slot = match turn.slot {
            Slot::Free => run.stage != Stage::Ended,
            Slot::Taken => run.stage == Stage::Executing,
            Slot::Withheld => false,
        };
        let ready: Vec<_> = run.paths.iter().filter(|(_, path)| path.is_ready()).map(|(id, _)| id).collect();
        if ready.is_empty() || !has_slot {
            break;
        }
        run.stage = Stage::Executing;
        for at in ready {
            // What a circuit has failed may have ended others.
            if run.paths.get(at).is_some_and(Path::is_ready) {
                attempt::hand_out(run, at, turn);
            }
        }
    }
    if run.stage != Stage::Ended {
        take_stock(run, turn);
    }
}

/// Begins what paths have come to.
fn begin_arrivals(run: &mut Run, turn: &mut Turn<'_>) {
    while let Some(at) = run.arrivals.pop_front() {
        if u64::from(run.sequence) > limits::STEPS_PER_RUN {
            let message = format!("the run has had {} steps", limits::STEPS_PER_RUN);
            let error = error_json("too_many_steps", &message);
            failed(run, error, StepStatus::Cancelled, AbortReason::Ended, turn);
        } else if run.paths.get(at).is_some() {
            flow::arrive(run, at, turn);
        }
    }
}

/// The stage follows from what the paths do.
fn take_stock(run: &mut Run, turn: &mut Turn<'_>) {
    let (mut executes, mut is_ready, mut due_at_ms) = (false, false, run.deadline_ms);
    for (_, path) in run.paths.iter() {
        executes |= path.attempt.as_ref().is_some_and(|attempt| attempt.handed_out);
        is_ready |= path.is_ready();
        due_at_ms = due_at_ms.into_iter().chain(due(run, path, turn)).min();
        if let Some(need) = need(path, turn.graph) {
            turn.out.needs.push(need);
        }
    }
    mark_asked(run);
    let was_waiting = run.stage == Stage::Waiting;
    let (stage, status) = match (executes, is_ready) {
        (true, _) => (Stage::Executing, RunStatus::Running),
        (false, true) => (Stage::Queued, RunStatus::Pending),
        (false, false) => (Stage::Waiting, RunStatus::Waiting),
    };
    run.stage = stage;
    set_status(run, status, turn);
    if stage == Stage::Waiting && !was_waiting {
        turn.effect(Effect::Waiting { run: run.id });
    }
    set_timer(run, due_at_ms, turn);
}

/// When the next thing happens to a path by itself. What a rate limit is to let begin is not due while its workflow is
/// paused: it would begin with all the others when the pause is over.
fn due(run: &Run, path: &Path, turn: &Turn<'_>) -> Option<i64> {
    let is_limited = matches!(path.wait, Wait::Start { .. }) && run.rate_key.is_some();
    path.due_at_ms().filter(|_| !is_limited || turn.slot != Slot::Withheld || planted!(PauseGathers))
}

fn need(path: &Path, graph: &Graph) -> Option<Need> {
    match (&path.wait, &graph.node(path.node).kind) {
        (Wait::Child { run: None, payload_of, is_asked: false }, crate::graph::Kind::Subflow { workflow, .. }) => {
            let (name, scope) = (graph.node(path.node).name.clone(), path.scope.clone());
            Some(Need::Child { name, scope, workflow: workflow.clone(), payload_of: *payload_of })
        }
        (Wait::Event { has_looked: false, .. }, crate::graph::Kind::WaitForEvent { event, .. })
            if path.attempt.is_none() =>
        {
            let name = graph.node(path.node).name.clone();
            Some(Need::NextEvent { name, scope: path.scope.clone(), event: event.clone() })
        }
        _ => None,
    }
}

fn mark_asked(run: &mut Run) {
    for path in run.paths.iter_mut() {
        match &mut path.wait {
            Wait::Child { is_asked, .. } => *is_asked = true,
            Wait::Event { has_looked, .. } if path.attempt.is_none() => *has_looked = true,
            _ => {}
        }
    }
}

/// Stores the status of an open run. An ended one keeps its own while its hook queues and executes; what is stored
/// then is whether the hook queues, because a process death interrupts only what executes.
fn set_status(run: &mut Run, status: RunStatus, turn: &mut Turn<'_>) {
    if run.status.is_final() {
        let queued = status == RunStatus::Pending;
        if run.hook_queued != queued {
            run.hook_queued = queued;
            turn.write(Write::SetHookQueued(run.id, queued));
        }
    } else if run.status != status {
        run.status = status;
        turn.write(Write::SetStatus(run.id, status));
    }
}

fn set_timer(run: &mut Run, due_at_ms: Option<i64>, turn: &mut Turn<'_>) {
    if run.timer_due_at_ms != due_at_ms && !(planted!(LostTimer) && due_at_ms.is_some()) {
        run.timer_due_at_ms = due_at_ms;
        turn.write(Write::SetTimer(run.id, due_at_ms));
    }
}

/// Its delay is over, and it begins when the rate limit lets it.
pub fn reserved(run: &mut Run, at_ms: i64, turn: &mut Turn<'_>) {
    run.paths[Paths::ROOT].wait = Wait::Start { until_ms: at_ms };
    turn.write(Write::Reserve(run.id, at_ms));
}

/// Its timer is due: whatever has waited for this time goes on, earliest first.
pub fn ticked(run: &mut Run, turn: &mut Turn<'_>) {
    let now_or_early = if planted!(EarlyTimer) { turn.now_ms + 400 } else { turn.now_ms };
    let now_ms = std::mem::replace(&mut turn.now_ms, now_or_early);
    if run.deadline_ms.is_some_and(|deadline_ms| deadline_ms <= turn.now_ms) {
        let error = error_json("run_timeout", "the run took longer than its workflow's timeout");
        failed(run, error, StepStatus::TimedOut, AbortReason::RunTimeout, turn);
    } else {
        let is_over = |due_at_ms: &i64| *due_at_ms <= turn.now_ms;
        let due = run.paths.iter().filter_map(|(id, path)| Some((due(run, path, turn).filter(is_over)?, id)));
        let mut all: Vec<_> = due.collect();
        all.sort_unstable();
        for (due_at_ms, at) in all {
            // An earlier one may have ended it: a race.
            let Some(path) = run.paths.get_mut(at).filter(|path| path.due_at_ms() == Some(due_at_ms)) else { continue };
            if matches!(path.wait, Wait::Start { .. }) {
                begin(run, due_at_ms, turn);
            } else {
                wait::due(run, at, turn);
            }
            // What follows at once from one comes before the next, as it does when the history is applied again.
            begin_arrivals(run, turn);
        }
    }
    turn.now_ms = now_ms;
}

/// A delayed run begins; it counts from when it was due, so that it goes the same way when it is read again.
fn begin(run: &mut Run, start_at_ms: i64, turn: &mut Turn<'_>) {
    run.paths[Paths::ROOT].wait = Wait::Nothing;
    if run.rate_key.take().is_some() {
        turn.write(Write::Begin(run.id));
    }
    let now_ms = std::mem::replace(&mut turn.now_ms, start_at_ms);
    flow::arrive(run, Paths::ROOT, turn);
    begin_arrivals(run, turn);
    turn.now_ms = now_ms;
}

/// The process died while the run was executing.
pub fn interrupted(run: &mut Run, turn: &mut Turn<'_>) {
    run.stage = Stage::Queued;
    let with_host = |path: &Path| path.attempt.as_ref().is_some_and(|attempt| attempt.handed_out);
    let all: Vec<_> = run.paths.iter().filter(|(_, path)| with_host(path)).map(|(id, _)| id).collect();
    for at in all {
        if run.paths.get(at).is_some_and(with_host) {
            attempt::interrupted(run, at, turn);
        }
    }
}

/// The host stops: what it executes is to be executed by the next one.
pub fn released(run: &mut Run, turn: &mut Turn<'_>) {
    run.stage = Stage::Queued;
    for path in run.paths.iter_mut() {
        if let Some(attempt) = &mut path.attempt {
            if std::mem::take(&mut attempt.handed_out) {
                turn.out.clocks_over.push((attempt.fence, attempt.clock()));
            }
            attempt.deadline_ms = None;
        }
    }
}

/// Someone cancels the run, or it cancels itself.
pub fn cancelled(run: &mut Run, reason: &str, turn: &mut Turn<'_>) {
    let error = error_json("cancelled", reason);
    abandon_all(run, StepStatus::Cancelled, &error, AbortReason::Cancelled, turn);
    end(run, RunStatus::Cancelled, Some(error), turn);
}

/// The run has failed; what else it was doing is over.
pub fn failed(run: &mut Run, error: Arc<str>, status: StepStatus, reason: AbortReason, turn: &mut Turn<'_>) {
    abandon_all(run, status, &error, reason, turn);
    end(run, RunStatus::Failed, Some(error), turn);
}

/// The run has come to its end.
pub fn completed(run: &mut Run, turn: &mut Turn<'_>) {
    end(run, RunStatus::Completed, None, turn);
}

fn abandon_all(run: &mut Run, status: StepStatus, error: &Arc<str>, reason: AbortReason, turn: &mut Turn<'_>) {
    if run.paths.get(Paths::ROOT).is_some() {
        flow::abandon(run, Paths::ROOT, status, error, reason, turn);
    }
}

/// The run's outcome is decided. If its workflow has a hook for it, the hook is owed and executes next.
fn end(run: &mut Run, status: RunStatus, error: Option<Arc<str>>, turn: &mut Turn<'_>) {
    let definition = &turn.graph.definition;
    let hook = match status {
        RunStatus::Completed if definition.on_success => Some(Handler::OnSuccess),
        RunStatus::Failed if definition.on_failure => Some(Handler::OnFailure),
        _ => None,
    };
    let last = run.paths[Paths::ROOT].last.clone();
    turn.write(Write::EndRun(RunEnd {
        run: run.id,
        status,
        output_of: last.as_ref().map(|last| last.sequence).filter(|_| status == RunStatus::Completed),
        error: error.clone(),
        finished_at_ms: turn.now_ms,
        open: hook.is_some() && !planted!(LostHook),
    }));
    let key = |last: &super::path::Last| attempt::key_of(last, turn.graph);
    let output_of = last.as_ref().filter(|_| status == RunStatus::Completed).map(key);
    turn.effect(Effect::Finished { run: run.id, status, last: output_of });
    if let Some(parent) = run.parent {
        turn.out.needs.push(Need::TellParent(parent));
    }
    if let Some(schedule) = &run.schedule {
        turn.out.needs.push(Need::TellSchedule(schedule.clone()));
    }
    run.status = status;
    run.deadline_ms = None;
    run.arrivals.clear();
    run.paths = Paths::default();
    let failure = error.map(|error| Failure { status: StepStatus::Failed, error });
    let root = run.paths.add(Path { node: turn.graph.first(), last, failure, ..Path::default() });
    match hook {
        None => ended_for_good(run, turn),
        Some(handler) => attempt::begin(run, root, handler, None, turn),
    }
}

/// Nothing more is owed to an ended run.
pub fn close(run: &mut Run, turn: &mut Turn<'_>) {
    turn.write(Write::CloseRun(run.id));
    ended_for_good(run, turn);
}

/// Its last timer is the one that deletes it.
fn ended_for_good(run: &mut Run, turn: &mut Turn<'_>) {
    run.stage = Stage::Ended;
    let kept_until_ms = turn.graph.definition.retention_ms.map(|retention_ms| later(turn.now_ms, retention_ms));
    set_timer(run, kept_until_ms, turn);
}

/// The run cannot continue under the workflow's new definition: a person decides.
pub fn park(id: RunId, changed: &DefinitionChanged) -> Transition<'static> {
    stop(id, "definition_changed", &changed.message)
}

/// The run does not fit the definition that it has followed: what is stored of it is damaged, and of no other run.
pub fn park_damaged(id: RunId, misfit: &DefinitionChanged) -> Transition<'static> {
    let message = format!(
        "what is stored of the run does not fit its own definition: {}; cancel it, or restore the database from a backup",
        misfit.message
    );
    stop(id, Code::DatabaseCorrupt.as_str(), &message)
}

fn stop(id: RunId, code: &str, message: &str) -> Transition<'static> {
    Transition {
        writes: vec![Write::ParkRun(id, error_json(code, message)), Write::SetTimer(id, None)],
        effects: vec![Effect::Finished { run: id, status: RunStatus::Stuck, last: None }],
        ..Transition::default()
    }
}

/// The host has the attempts of a run that was read: since when these clocks say, or from now on.
pub fn begin_attempts(run: &mut Run, clocks: &Clocks, turn: &mut Turn<'_>) {
    let with_host: Vec<_> = run.paths.iter().filter(|(_, path)| path.attempt.is_some()).map(|(id, _)| id).collect();
    for at in with_host {
        let Some(attempt) = run.paths[at].attempt.as_ref().filter(|attempt| attempt.handed_out) else { continue };
        let timeout_ms = match attempt.handler {
            Handler::Body => turn.graph.node(run.paths[at].node).timeout_ms,
            _ => None,
        };
        let known = clocks.get(&(run.id, attempt.fence)).copied();
        let clock = known.unwrap_or_else(|| Clock::start(turn.now_ms, timeout_ms));
        attempt::mark_handed_out(run, at, clock, turn);
        attempt::enter_circuit(run, at, turn);
    }
}

/// The effects that hand out what the host should be executing, by fence.
pub fn execute_effects(run: &Run, graph: &Graph, secret: &Secret) -> Vec<(u64, Effect)> {
    let with_host =
        |path: &Path| path.attempt.as_ref().filter(|attempt| attempt.handed_out).map(|attempt| attempt.fence);
    let fences = run.paths.iter().filter_map(|(id, path)| with_host(path).map(|fence| (id, fence)));
    fences
        .filter_map(|(id, fence)| attempt::execute_effect(run, id, graph, secret).map(|effect| (fence, effect)))
        .collect()
}
