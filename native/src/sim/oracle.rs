//! What a run's history must look like: an independent reading of the rules. It goes through the rows in order, moves
//! threads through the tree of the definition as they say, and finds where the run must stand.

mod blocks;
pub mod marks;
mod position;
mod rows;
mod tree;

use std::collections::BTreeMap;
use std::rc::Rc;

use marks::{check_own, error_code, expect};
pub use position::{Awaited, Ready};
use tree::{At, Block, Call, Scene, Thread};

use super::workload::increment;
use crate::definition::Definition;
use crate::ids::RunId;
use crate::limits;
use crate::model::{Handler, RunRow, RunStatus, StepRow, StepStatus};

/// A definition, as the oracle goes through it.
#[derive(Debug)]
pub struct Plan {
    /// What it says.
    pub definition: Definition,
    nodes: Block,
}

impl Plan {
    /// The plan of a definition.
    pub fn new(definition: &Definition) -> Plan {
        Plan { definition: definition.clone(), nodes: tree::block(&definition.nodes) }
    }
}

/// What a row says of the world outside its run, or of the run as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fact {
    /// An attempt completed, and what it added to its workflow's count counts.
    Added(u64),
    /// The output is one that another run has recorded.
    Recalled { output: String, at_ms: i64 },
    /// A wait ended with an event.
    Taken { event: String, name: String, scope: String, payload: Option<String> },
    /// Somebody answered a request for approval.
    Answered { name: String, scope: String, output: String },
    /// A child was started with this payload.
    ChildStarted { child: RunId, payload: Option<String> },
    /// A child has ended.
    ChildGave { child: RunId, result: Result<Option<String>, String> },
    /// An attempt was not made because its circuit was open.
    CircuitOpen { circuit: String },
    /// What a thread did was ended because the run ends.
    Ending { code: String },
    /// A step has seen as many process deaths as it may.
    Crashed,
    /// The run was taken up again.
    TakenUp,
}

/// Where the rows so far have led a run.
#[derive(Debug, Clone)]
pub struct Walk {
    plan: Rc<Plan>,
    mocks: BTreeMap<String, String>,
    root: Thread,
    /// Why the run ends although its threads are not at their end: the code of its error.
    ending: Option<String>,
    crashed: bool,
    /// The hook: process deaths, and whether it is over.
    hook_deaths: u32,
    hook_is_over: bool,
    /// When it was last taken up again.
    pub taken_up: Option<u32>,
    /// From when on its timeout counts.
    since_ms: i64,
    /// Rows gone through.
    pub rows: usize,
    /// The time of the last row.
    pub latest_ms: i64,
    /// Rows at the beginning that were copied from another run.
    pub copied: usize,
    /// It may not have begun yet: nothing says that it has.
    pub is_asleep: bool,
    /// It was ended before it began.
    pub never_began: bool,
}

impl Walk {
    /// A run before anything has happened to it. `copied`: rows it has taken over from another run, the mark that it
    /// was taken up included.
    pub fn new(plan: &Rc<Plan>, row: &RunRow, mocks: BTreeMap<String, String>, copied: usize) -> Walk {
        let begins_at_ms = Walk::begins_at_ms(row);
        let root = Walk::begin(plan, &mocks, row.id, begins_at_ms);
        Walk {
            plan: plan.clone(),
            mocks,
            root,
            ending: None,
            crashed: false,
            hook_deaths: 0,
            hook_is_over: false,
            taken_up: None,
            since_ms: row.created_at_ms,
            rows: 0,
            latest_ms: begins_at_ms,
            copied,
            is_asleep: row.start_at_ms.is_some(),
            never_began: false,
        }
    }

    /// When a run begins, as far as is known.
    pub fn begins_at_ms(row: &RunRow) -> i64 {
        row.start_at_ms.unwrap_or(row.created_at_ms)
    }

    fn begin(plan: &Plan, mocks: &BTreeMap<String, String>, run: RunId, now_ms: i64) -> Thread {
        let scene = Scene { run, mocks, now_ms, is_known: false, is_lost: false, facts: Vec::new() };
        Thread::begin(&plan.nodes, String::new(), None, &scene)
    }

    /// Goes through the rows it has not seen; an error says what is wrong with one.
    pub fn pass_all(&mut self, run: &RunRow, rows: &[StepRow]) -> Result<Vec<(usize, Fact)>, String> {
        let mut facts = Vec::new();
        let begins_at_ms = Walk::begins_at_ms(run);
        if self.is_asleep && !self.root.has_rows {
            // Its time may have been moved by the rate limit.
            self.root = Walk::begin(&self.plan, &self.mocks, run.id, begins_at_ms);
        }
        let is_silent = rows.len() == self.rows;
        self.is_asleep &= !(is_silent && matches!(run.status, RunStatus::Running | RunStatus::Pending));
        while let Some(row) = rows.get(self.rows) {
            let place = self.rows;
            let new = self.pass(run, rows, row).map_err(|wrong| format!("{wrong}: {row:?}"))?;
            facts.extend(new.into_iter().map(|fact| (place, fact)));
            self.rows += 1;
        }
        self.is_asleep &= run.status == RunStatus::Waiting;
        Ok(facts)
    }

    fn pass(&mut self, run: &RunRow, rows: &[StepRow], row: &StepRow) -> Result<Vec<Fact>, String> {
        expect("sequence", row.sequence as usize, self.rows + 1)?;
        if row.handler == Handler::Retry {
            return self.take_up(run, rows, row);
        }
        if self.rows < self.copied {
            return Ok(Vec::new());
        }
        self.latest_ms = row.finished_at_ms;
        if row.handler.is_hook() {
            return self.hook(run, row);
        }
        if self.decided().is_some() && !(self.ending.is_some() || self.is_at_cancel()) {
            return Err("the run has ended before".to_owned());
        }
        if std::mem::take(&mut self.is_asleep) && rows::is_abandonment(row) && self.root.is_at(row) {
            self.root.at = At::Abandoned;
            self.never_began = row.started_at_ms.is_none();
            self.ending = Some(error_code(row.error.as_deref()));
            return Ok(vec![Fact::Ending { code: error_code(row.error.as_deref()) }]);
        }
        let mut scene = Scene {
            run: run.id,
            mocks: &self.mocks,
            now_ms: row.finished_at_ms,
            is_known: false,
            is_lost: false,
            facts: Vec::new(),
        };
        if !self.root.pass(row, &mut scene)? {
            return Err("the flow has not come to this node".to_owned());
        }
        let mut facts = std::mem::take(&mut scene.facts);
        let is_ending = facts.iter().any(|fact| matches!(fact, Fact::Ending { .. }));
        if self.ending.is_some() && !is_ending {
            return Err("the run is ending".to_owned());
        }
        for fact in &facts {
            match fact {
                Fact::Ending { code } => {
                    let before = self.ending.get_or_insert_with(|| code.clone());
                    expect("why it ends", code, before)?;
                    self.check_ending(row, code)?;
                }
                Fact::Crashed => {
                    self.crashed = true;
                    self.ending = Some("crash_loop".to_owned());
                }
                _ => {}
            }
        }
        let is_recalled = facts.iter().any(|fact| matches!(fact, Fact::Recalled { .. }));
        if row.status == StepStatus::Completed && !is_recalled && self.was_called(row) {
            facts.push(Fact::Added(increment(run.id, &row.name, &row.scope, row.handler)));
        }
        Ok(facts)
    }

    /// Whether the host has executed the attempt of a row.
    fn was_called(&self, row: &StepRow) -> bool {
        use crate::definition::NodeKind::{Action, Step};
        match row.handler {
            Handler::Body => {
                let kind = self.plan.definition.find(&row.name).map(|node| node.kind);
                matches!(kind, Some(Step | Action)) && !self.mocks.contains_key(&row.name)
            }
            Handler::Start | Handler::Retry => false,
            _ => true,
        }
    }

    fn check_ending(&self, row: &StepRow, code: &str) -> Result<(), String> {
        match (code, row.status) {
            ("run_timeout", StepStatus::TimedOut) => {
                let timeout_ms = self.plan.definition.timeout_ms.ok_or("the run has no timeout")?;
                let is_over = row.finished_at_ms >= self.since_ms + timeout_ms as i64;
                if is_over { Ok(()) } else { Err("P6 the run timed out early".to_owned()) }
            }
            ("crash_loop", StepStatus::Cancelled) if self.crashed => Ok(()),
            ("cancelled", StepStatus::Cancelled) => Ok(()),
            _ => Err("no run ends like this".to_owned()),
        }
    }

    fn hook(&mut self, run: &RunRow, row: &StepRow) -> Result<Vec<Fact>, String> {
        let handler = self.owed().ok_or("no hook is owed")?;
        expect("hook", row.handler, handler)?;
        expect("name", row.name.as_str(), handler.as_str())?;
        expect("attempt", row.attempt, self.hook_deaths + 1)?;
        expect("output", row.output.as_ref(), None)?;
        let mut facts = Vec::new();
        match row.status {
            StepStatus::Interrupted => {
                self.hook_deaths += 1;
                self.hook_is_over = u64::from(self.hook_deaths) >= limits::CRASH_LOOP_DEATHS;
            }
            StepStatus::Completed | StepStatus::Failed => {
                self.hook_is_over = true;
                if let Some(error) = &row.error {
                    let none = BTreeMap::new();
                    let scene = Scene {
                        run: run.id,
                        mocks: &none,
                        now_ms: row.finished_at_ms,
                        is_known: false,
                        is_lost: false,
                        facts: Vec::new(),
                    };
                    check_own(error, row, &scene)?;
                }
                if row.status == StepStatus::Completed {
                    facts.push(Fact::Added(increment(run.id, &row.name, "", handler)));
                }
            }
            _ => return Err("no hook ends like this".to_owned()),
        }
        Ok(facts)
    }

    /// The run goes on from what it has completed, and from nothing else.
    fn take_up(&mut self, run: &RunRow, rows: &[StepRow], marker: &StepRow) -> Result<Vec<Fact>, String> {
        let before = &rows[..self.rows];
        let again = Walk::new(&self.plan, run, std::mem::take(&mut self.mocks), self.copied);
        // One that has not begun still begins at its time, or when the rate limit lets it.
        let is_limited = self.never_began && self.plan.definition.rate_limit.is_some();
        let has_begun = completed(before).next().is_some();
        let is_asleep = again.is_asleep && !has_begun && (again.latest_ms > marker.finished_at_ms || is_limited);
        let latest_ms = marker.finished_at_ms;
        let taken_up = Some(marker.sequence);
        *self = Walk { rows: self.rows, taken_up, since_ms: latest_ms, latest_ms, is_asleep, ..again };
        let mut scene =
            Scene { run: run.id, mocks: &self.mocks, now_ms: 0, is_known: true, is_lost: false, facts: Vec::new() };
        for row in completed(before) {
            scene.now_ms = row.finished_at_ms;
            self.root.pass(row, &mut scene)?;
        }
        scene.now_ms = marker.finished_at_ms;
        self.root.begin_anew(&scene);
        Ok(vec![Fact::TakenUp])
    }

    /// The hook that is owed, if the run has ended.
    fn owed(&self) -> Option<Handler> {
        let definition = &self.plan.definition;
        match self.decided() {
            _ if self.hook_is_over => None,
            Some(RunStatus::Completed) if definition.on_success => Some(Handler::OnSuccess),
            Some(RunStatus::Failed) if definition.on_failure => Some(Handler::OnFailure),
            _ => None,
        }
    }

    /// How the history has decided the run, if it has.
    pub fn decided(&self) -> Option<RunStatus> {
        match (&self.ending, &self.root.at) {
            (Some(code), _) if code == "cancelled" => Some(RunStatus::Cancelled),
            (Some(_), _) => Some(RunStatus::Failed),
            (None, At::Over(Ok(()))) => Some(RunStatus::Completed),
            (None, At::Over(Err(_))) => Some(RunStatus::Failed),
            (None, _) if self.is_at_cancel() => Some(RunStatus::Cancelled),
            _ => None,
        }
    }

    /// Process deaths of the function that has seen most.
    pub fn deaths(&self) -> u32 {
        let ready = self.ready();
        let is_same = |one: &Ready, other: &Ready| one.name == other.name && one.scope == other.scope;
        // Once nobody has answered in time, `onTimeout` is called, and what `onPause` has seen is forgotten.
        let may_be_over = |call: &Ready| {
            let times_out = |other: &Ready| other.handler == Handler::OnTimeout && is_same(call, other);
            call.handler == Handler::OnPause && ready.iter().any(times_out)
        };
        ready.iter().filter(|call| !may_be_over(call)).map(|call| call.deaths).max().unwrap_or(0)
    }

    /// What the run's error must be, as far as the history says: the text, or the code.
    fn check_error(&self, run: &RunRow) -> Result<(), String> {
        let code = error_code(run.error.as_deref());
        match (&self.ending, &self.root.at, run.status) {
            (Some(ending), ..) => expect("code", &code, ending),
            (None, At::Over(Err(failure)), RunStatus::Failed) => {
                expect("error", run.error.as_deref(), Some(failure.error.as_str()))
            }
            (None, _, RunStatus::Cancelled) => expect("code", code.as_str(), "cancelled"),
            _ => expect("error", run.error.as_ref(), None),
        }
    }
}

/// Of the rows before a run was taken up again: those of what was completed. A child that did not complete is none.
pub fn completed(rows: &[StepRow]) -> impl Iterator<Item = &StepRow> {
    fn is_done(row: &StepRow) -> bool {
        row.status == StepStatus::Completed && !row.handler.is_hook()
    }
    let gave = |child: &StepRow| {
        let same = |row: &&StepRow| row.name == child.name && row.scope == child.scope;
        rows.iter().filter(same).any(|row| row.handler == Handler::Body && is_done(row))
    };
    // The condition that let a loop go on once too often is asked again.
    let too_often = |place: usize| {
        let next = rows.get(place + 1).filter(|next| next.handler == Handler::Body);
        next.is_some_and(|next| error_code(next.error.as_deref()) == "too_many_iterations")
    };
    let all = rows.iter().enumerate().filter(move |(place, _)| !too_often(*place)).map(|(_, row)| row);
    all.filter(move |row| is_done(row) && row.handler != Handler::Retry && (row.handler != Handler::Start || gave(row)))
}

impl Call {
    fn ready(&self, thread: &Thread, name: &str) -> Ready {
        Ready {
            name: Some(name.to_owned()),
            scope: thread.scope.clone(),
            handler: self.handler,
            attempt: self.number(),
            deaths: self.deaths,
            not_before_ms: self.not_before_ms,
            is_certain: true,
            last: thread.last.as_ref().map(|last| last.key.clone()),
            error: thread.failure.as_ref().map(|failure| failure.error.clone()),
        }
    }
}
