//! What a run's history must look like: an independent reading of the rules, which goes through the rows once and
//! finds where the run must stand.

use super::workload::Mark;
use crate::graph::{Definition, Node, NodeKind, RetryPolicy, Strategy};
use crate::limits;
use crate::model::{Handler, RunRow, RunStatus, StepRow, StepStatus};

/// Where a history says that its run stands.
#[derive(Debug, Clone)]
pub struct Position {
    /// The node the run is at, or the number of nodes.
    pub node: usize,
    /// The function that is executed next, unless the run is over.
    pub handler: Handler,
    /// Failed attempts of the node's body.
    pub failures: u32,
    /// Process deaths during the handler.
    pub deaths: u32,
    /// The next attempt must not begin earlier.
    pub not_before_ms: i64,
    /// How the history has decided the run, if it has.
    pub decided: Option<RunStatus>,
    /// The output of the last completed step.
    pub output: Option<String>,
}

/// Goes through a history, or its beginning; an error says what is wrong with it.
pub fn position(definition: &Definition, run: &RunRow, rows: &[StepRow]) -> Result<Position, String> {
    let mut position = Position {
        node: 0,
        handler: Handler::Body,
        failures: 0,
        deaths: 0,
        not_before_ms: i64::MIN,
        decided: None,
        output: None,
    };
    position.arrive(definition, run.created_at_ms);
    for (place, row) in rows.iter().enumerate() {
        let checked = if row.sequence as usize == place + 1 {
            position.pass(definition, run, row)
        } else {
            Err("sequences have a gap".to_owned())
        };
        checked.map_err(|wrong| format!("{wrong}: {row:?}"))?;
    }
    Ok(position)
}

impl Position {
    /// What the attempt after the history is of: the name of the step and the number of the attempt.
    pub fn next_attempt<'a>(&self, definition: &'a Definition) -> (Option<&'a str>, u32) {
        let node = definition.nodes.get(self.node).filter(|_| !self.handler.is_hook());
        let failures = if self.handler == Handler::Body { self.failures } else { 0 };
        (node.map(|node| &*node.name), failures + self.deaths + 1)
    }

    /// The run's stored status agrees with its whole history.
    pub fn check_status(&self, run: &RunRow) -> Result<(), String> {
        let agrees = match self.decided {
            Some(decided) => decided == run.status,
            None => !matches!(run.status, RunStatus::Completed | RunStatus::Stuck),
        };
        if !agrees {
            return Err(format!("the run is {:?}, its history says {:?}", run.status, self.decided));
        }
        let output = self.output.as_ref().filter(|_| run.status == RunStatus::Completed);
        expect("the run's output", run.output.as_ref(), output)
    }

    /// A run that failed while nothing was executing has no row that says so.
    pub fn decide_without_row(&mut self, run: &RunRow) {
        if self.decided.is_none() && run.status == RunStatus::Failed {
            self.decide(RunStatus::Failed);
        }
    }

    fn arrive(&mut self, definition: &Definition, now_ms: i64) {
        (self.handler, self.failures, self.deaths) = (Handler::Body, 0, 0);
        match definition.nodes.get(self.node) {
            Some(node) => self.not_before_ms = node.delay_ms.map_or(i64::MIN, |delay_ms| now_ms + delay_ms as i64),
            None => self.decide(RunStatus::Completed),
        }
    }

    fn decide(&mut self, status: RunStatus) {
        self.decided = Some(status);
        self.deaths = 0;
        self.not_before_ms = i64::MIN;
        self.handler = if status == RunStatus::Completed { Handler::OnSuccess } else { Handler::OnFailure };
    }

    fn pass(&mut self, definition: &Definition, run: &RunRow, row: &StepRow) -> Result<(), String> {
        if row.handler.is_hook() {
            self.decide_without_row(run);
        }
        let (name, attempt) = self.next_attempt(definition);
        expect("handler", row.handler, self.handler)?;
        expect("name", row.name.as_str(), name.unwrap_or(self.handler.as_str()))?;
        expect("attempt", row.attempt, attempt)?;
        if row.status == StepStatus::Interrupted {
            return self.interrupted(row);
        }
        check_mark(run, row)?;
        match definition.nodes.get(self.node).filter(|_| self.decided.is_none()) {
            Some(node) => self.passed_step(definition, node, run, row),
            None => Ok(()),
        }
    }

    fn interrupted(&mut self, row: &StepRow) -> Result<(), String> {
        self.deaths += 1;
        self.not_before_ms = i64::MIN;
        let deaths = u64::from(self.deaths);
        if deaths > limits::CRASH_LOOP_DEATHS {
            return Err("one step has seen too many process deaths".to_owned());
        }
        if deaths == limits::CRASH_LOOP_DEATHS && !row.handler.is_hook() {
            self.decide(RunStatus::Failed);
        }
        Ok(())
    }

    fn passed_step(&mut self, definition: &Definition, node: &Node, run: &RunRow, row: &StepRow) -> Result<(), String> {
        match row.status {
            StepStatus::Completed => {
                expect("output recorded", row.output.is_some(), node.kind == NodeKind::Step)?;
                if node.kind == NodeKind::Step {
                    self.output.clone_from(&row.output);
                }
                self.node += 1;
                self.arrive(definition, row.finished_at_ms);
            }
            StepStatus::Cancelled => self.decide(RunStatus::Cancelled),
            StepStatus::TimedOut if error_code(row.error.as_deref()) == "run_timeout" => {
                let timeout_ms = definition.timeout_ms.ok_or("the run has no timeout")?;
                if row.finished_at_ms < run.created_at_ms + timeout_ms as i64 {
                    return Err("the run timed out early".to_owned());
                }
                self.decide(RunStatus::Failed);
            }
            StepStatus::TimedOut | StepStatus::Failed => self.failed(node, row)?,
            StepStatus::Interrupted => unreachable!("handled by `pass`"),
        }
        Ok(())
    }

    fn failed(&mut self, node: &Node, row: &StepRow) -> Result<(), String> {
        if row.status == StepStatus::TimedOut {
            let timeout_ms = node.timeout_ms.ok_or("the step has no timeout")?;
            let started_at_ms = row.started_at_ms.ok_or("an attempt that timed out has started")?;
            if row.finished_at_ms < started_at_ms + timeout_ms as i64 {
                return Err("the step timed out early".to_owned());
            }
        }
        self.not_before_ms = i64::MIN;
        if self.handler == Handler::Body {
            self.failures += 1;
            let retryable = row.status == StepStatus::TimedOut || mark(row.error.as_deref())?.retryable;
            let attempts = node.retry.as_ref().map_or(1, |policy| policy.attempts);
            let retried = retryable && self.failures < attempts;
            expect("retry", row.retry_at_ms.is_some(), retried)?;
            if let (Some(retry_at_ms), Some(policy)) = (row.retry_at_ms, &node.retry) {
                let (least, most) = delay_bounds(policy, self.failures);
                if !(least..=most).contains(&(retry_at_ms - row.finished_at_ms)) {
                    return Err(format!("the retry is not {least} to {most} ms later"));
                }
                self.not_before_ms = retry_at_ms;
                return Ok(());
            }
            if node.on_error {
                (self.handler, self.deaths) = (Handler::OnError, 0);
                return Ok(());
            }
        }
        self.decide(RunStatus::Failed);
        Ok(())
    }
}

fn expect<T: PartialEq + std::fmt::Debug>(what: &str, found: T, wanted: T) -> Result<(), String> {
    if found == wanted { Ok(()) } else { Err(format!("{what} is {found:?} instead of {wanted:?}")) }
}

/// A recorded value carries the attempt it came from (P7).
fn check_mark(run: &RunRow, row: &StepRow) -> Result<(), String> {
    let value = match row.status {
        StepStatus::Completed => row.output.as_deref(),
        StepStatus::Failed => row.error.as_deref(),
        StepStatus::TimedOut | StepStatus::Interrupted | StepStatus::Cancelled => None,
    };
    let Some(value) = value else { return Ok(()) };
    let mark = mark(Some(value))?;
    expect("recorded run", mark.run, run.id)?;
    expect("recorded sequence", mark.sequence, row.sequence)?;
    expect("recorded handler", mark.handler, row.handler)?;
    match mark.step {
        Some(step) => expect("recorded step", step.as_str(), row.name.as_str()),
        None => expect("recorded hook", row.handler.is_hook(), true),
    }
}

fn mark(value: Option<&str>) -> Result<Mark, String> {
    serde_json::from_str(value.unwrap_or("null")).map_err(|error| format!("not what the handler gave ({error})"))
}

/// The code of an error the engine itself recorded, or nothing.
pub fn error_code(error: Option<&str>) -> String {
    let parsed = error.and_then(|error| serde_json::from_str::<serde_json::Value>(error).ok());
    parsed.and_then(|error| Some(error.get("code")?.as_str()?.to_owned())).unwrap_or_default()
}

/// The shortest and the longest delay a policy allows after so many failures.
fn delay_bounds(policy: &RetryPolicy, failures: u32) -> (i64, i64) {
    let first = policy.delay_ms as f64;
    let grown = match policy.strategy {
        Strategy::Fixed => first,
        Strategy::Linear => first * f64::from(failures),
        Strategy::Exponential => (1..failures).fold(first, |delay, _| delay * policy.multiplier),
    };
    let most = grown.min(policy.max_delay_ms as f64);
    ((most * (1.0 - policy.jitter)) as i64, most as i64)
}
