//! What each row may say, and where it leads the thread it is about.

use super::Fact;
use super::blocks::Due;
use super::marks::{check_own, delay_bounds, error_code, expect, is_own, mark};
use super::tree::{At, Call, Failure, Part, Scene, Thread};
use crate::definition::NodeKind;
use crate::ids::RunId;
use crate::limits;
use crate::model::{Handler, StepRow, StepStatus};

/// What an approval gives that nobody has answered.
const NOBODY: &str = r#"{"approved":false,"timedOut":true,"status":"timeout"}"#;

/// What a wait gives that was over before an event came.
const NO_EVENT: &str = r#"{"timedOut":true}"#;

type Checked = Result<(), String>;

/// Whether a row says that a node was ended from outside.
pub fn is_abandonment(row: &StepRow) -> bool {
    row.handler == Handler::Body
        && match row.status {
            StepStatus::Cancelled => true,
            StepStatus::TimedOut => error_code(row.error.as_deref()) == "run_timeout",
            _ => false,
        }
}

impl Thread {
    /// Finds the thread a row is about, and moves it; false if there is none.
    pub fn pass(&mut self, row: &StepRow, scene: &mut Scene<'_>) -> Result<bool, String> {
        if matches!(self.at, At::Over(_) | At::Abandoned) {
            return Ok(false);
        }
        if scene.is_known && row.handler == Handler::OnError && self.is_inside(&row.name, &row.scope) {
            self.go_back(&row.name);
            self.complete(row.output.clone(), row.handler, scene);
            return Ok(true);
        }
        let Some(part) = self.part() else { return Ok(false) };
        if *part.spec.name == *row.name && self.scope == row.scope {
            self.own(&part, row, scene)?;
            return Ok(true);
        }
        let At::Block(inner) = &mut self.at else { return Ok(false) };
        let was_lost = scene.is_lost;
        scene.is_lost |= inner.winner.is_some();
        let mut found = false;
        for (_, thread) in &mut inner.threads {
            if thread.pass(row, scene)? {
                found = true;
                break;
            }
        }
        scene.is_lost = was_lost;
        if found {
            self.fold(&part, scene);
        }
        Ok(found)
    }

    /// Whether a row is about the node it is at.
    pub fn is_at(&self, row: &StepRow) -> bool {
        self.part().is_some_and(|part| *part.spec.name == *row.name) && self.scope == row.scope
    }

    fn own(&mut self, part: &Part, row: &StepRow, scene: &mut Scene<'_>) -> Checked {
        self.has_rows = true;
        let is_called = matches!(part.spec.kind, NodeKind::Step | NodeKind::Action);
        if is_abandonment(row) {
            return self.abandoned(row, scene);
        }
        match (row.handler, row.status) {
            (Handler::Body, StepStatus::Completed) => self.done(part, row, scene),
            (Handler::Body, StepStatus::Failed | StepStatus::TimedOut) if !is_called => self.undone(part, row, scene),
            (_, StepStatus::Completed) => self.returned(part, row, scene),
            (_, StepStatus::Failed | StepStatus::TimedOut) => self.threw(part, row, scene),
            (handler, StepStatus::Interrupted) => {
                let call = self.adopt(part, row)?;
                call.deaths += 1;
                call.not_before_ms = i64::MIN;
                if u64::from(call.deaths) > limits::CRASH_LOOP_DEATHS {
                    return Err(format!("{handler:?} has seen too many process deaths"));
                }
                if u64::from(call.deaths) == limits::CRASH_LOOP_DEATHS {
                    scene.facts.push(Fact::Crashed);
                    // A wait beside which it was called ends with a row of its own.
                    match &mut self.at {
                        At::Event { call, .. } | At::Approval { call, .. } => *call = None,
                        at => *at = At::Abandoned,
                    }
                }
                Ok(())
            }
            (Handler::Filter | Handler::OnPause, StepStatus::Cancelled) => {
                self.adopt(part, row)?;
                self.forget_call();
                Ok(())
            }
            _ => Err("no attempt ends like this".to_owned()),
        }
    }

    fn abandoned(&mut self, row: &StepRow, scene: &mut Scene<'_>) -> Checked {
        let code = error_code(row.error.as_deref());
        if matches!(&self.at, At::Block(inner) if inner.call.is_none()) {
            return Err("a block has nothing of its own to end".to_owned());
        }
        self.at = At::Abandoned;
        if scene.is_lost && code == "race_lost" {
            return Ok(());
        }
        expect("a run-wide end", code == "race_lost", false)?;
        scene.facts.push(Fact::Ending { code });
        Ok(())
    }

    fn forget_call(&mut self) {
        if let At::Event { call, .. } | At::Approval { call, .. } = &mut self.at {
            *call = None;
        }
    }

    /// The call a row is of. Two begin without a row: a filter when an event comes, `onTimeout` when time is over.
    fn adopt(&mut self, part: &Part, row: &StepRow) -> Result<&mut Call, String> {
        match (row.handler, &mut self.at) {
            (Handler::Filter, At::Event { call, .. }) if part.spec.filter => {
                call.get_or_insert(Call::new(Handler::Filter));
            }
            (Handler::OnTimeout, At::Approval { until_ms: Some(until_ms), .. }) if part.spec.on_timeout => {
                let not_before_ms = *until_ms;
                self.at = At::Call(Call { not_before_ms, ..Call::new(Handler::OnTimeout) });
            }
            _ => {}
        }
        let call = self.call_mut().ok_or("nothing is called here")?;
        expect("handler", row.handler, call.handler)?;
        expect("attempt", row.attempt, call.number())?;
        Ok(call)
    }

    /// A node is done.
    fn done(&mut self, part: &Part, row: &StepRow, scene: &mut Scene<'_>) -> Checked {
        let output = row.output.clone();
        if scene.is_known {
            self.complete(output, row.handler, scene);
            return Ok(());
        }
        if !matches!(self.at, At::Call(_)) {
            expect("attempt", row.attempt, 1)?;
        }
        match &self.at {
            At::Call(_) => {
                self.adopt(part, row)?;
                check_output(part, row, scene)?;
            }
            At::Mocked(mock) => {
                let mock = Some(mock).filter(|_| part.owns_last(row.handler));
                expect("output", output.as_ref(), mock)?;
            }
            At::Sleep(until_ms) => {
                expect("output", output.as_ref(), None)?;
                not_early(row.finished_at_ms, *until_ms)?;
            }
            At::Event { until_ms, .. } if output.as_deref() == Some(NO_EVENT) => {
                not_early(row.finished_at_ms, until_ms.ok_or("it waits for ever")?)?;
            }
            At::Event { .. } => {
                let event = part.spec.event.as_deref().unwrap_or_default().to_owned();
                let (name, scope) = (row.name.clone(), row.scope.clone());
                scene.facts.push(Fact::Taken { event, name, scope, payload: output.clone() });
            }
            At::Approval { until_ms, .. } if output.as_deref() == Some(NOBODY) => {
                expect("onTimeout", part.spec.on_timeout, false)?;
                not_early(row.finished_at_ms, until_ms.ok_or("it waits for ever")?)?;
            }
            At::Approval { .. } => {
                let (name, scope) = (row.name.clone(), row.scope.clone());
                scene.facts.push(Fact::Answered { name, scope, output: output.clone().unwrap_or_default() });
            }
            At::Child { run: Some(child), .. } => {
                scene.facts.push(Fact::ChildGave { child: *child, result: Ok(output.clone()) });
            }
            At::Block(inner) => match inner.due(part, self.last.as_ref()) {
                Some(Due::Output(wanted)) => {
                    expect("output", &output, &wanted)?;
                    let all = inner.threads.iter().all(|(_, thread)| thread.is_abandoned(row.finished_at_ms));
                    expect("the others were ended", all, true)?;
                }
                due => return Err(format!("the block is not done: {due:?}")),
            },
            _ => return Err(format!("it is not done: {:?}", self.at)),
        }
        self.complete(output, row.handler, scene);
        Ok(())
    }

    /// A block, a wait or a child has failed.
    fn undone(&mut self, part: &Part, row: &StepRow, scene: &mut Scene<'_>) -> Checked {
        expect("attempt", row.attempt, 1)?;
        let error = row.error.clone().unwrap_or_default();
        let code = error_code(Some(&error));
        let failure = Failure { status: row.status, error };
        match &self.at {
            At::Block(inner) => match inner.due(part, self.last.as_ref()) {
                Some(Due::Failed(wanted)) => expect("failure", &failure, &wanted)?,
                Some(Due::TooMany) => expect("code", code.as_str(), "too_many_iterations")?,
                due => return Err(format!("the block has not failed: {due:?}")),
            },
            At::Child { run: None, .. } => {
                expect("code", code.as_str(), "workflow_not_found")?;
                expect("child", part.spec.workflow.as_deref(), Some("nowhere"))?;
            }
            At::Child { run: Some(child), .. } => {
                let result = Err(failure.error.clone());
                scene.facts.push(Fact::ChildGave { child: *child, result });
            }
            at => return Err(format!("it cannot fail: {at:?}")),
        }
        self.fail(failure, true);
        Ok(())
    }

    /// A function has returned, and what it gave is not the node's own output.
    fn returned(&mut self, part: &Part, row: &StepRow, scene: &mut Scene<'_>) -> Checked {
        if row.handler == Handler::Start {
            return self.started(row, scene);
        }
        if scene.is_known {
            if row.handler == Handler::OnError || row.handler == Handler::OnTimeout {
                self.complete(row.output.clone(), row.handler, scene);
                return Ok(());
            }
        } else {
            self.adopt(part, row)?;
        }
        match row.handler {
            Handler::OnError => {
                check_output(part, row, scene)?;
                self.complete(row.output.clone(), row.handler, scene);
            }
            Handler::OnTimeout => {
                expect("output", row.output.as_deref(), Some(NOBODY))?;
                self.complete(row.output.clone(), row.handler, scene);
            }
            Handler::Filter => {
                expect("output", row.output.as_ref(), None)?;
                row.decision.ok_or("a filter looks at an event")?;
                self.forget_call();
            }
            Handler::OnPause => {
                expect("output", row.output.as_ref(), None)?;
                self.forget_call();
            }
            _ => self.decided(part, row, scene)?,
        }
        Ok(())
    }

    fn decided(&mut self, part: &Part, row: &StepRow, scene: &mut Scene<'_>) -> Checked {
        let given = row.output.as_deref().and_then(|output| serde_json::from_str::<serde_json::Value>(output).ok());
        let number = given.as_ref().and_then(serde_json::Value::as_f64);
        match (row.handler, part.spec.kind) {
            (Handler::Condition, kind) => {
                let decision = row.decision.ok_or("a condition decides")?;
                expect("decision", Some(decision as f64), number)?;
                if kind == NodeKind::While {
                    self.repeat(part, decision == 1, scene);
                } else {
                    let block = part.blocks.get(decision as usize).ok_or("there is no such branch")?;
                    self.enter(block, scene);
                }
            }
            (Handler::Items, _) => {
                let count = given.as_ref().and_then(serde_json::Value::as_array).ok_or("items are a list")?.len();
                expect("decision", row.decision, Some(count as i64))?;
                self.take_items(part, count as u32, scene);
            }
            (Handler::Duration, kind) => {
                let given_ms = number.ok_or("a duration is a number")?.ceil() as i64;
                let until_ms = if kind == NodeKind::Sleep { row.finished_at_ms + given_ms } else { given_ms };
                expect("decision", row.decision, Some(until_ms))?;
                self.at = At::Sleep(until_ms);
                // Who sleeps until now has come to a new place.
                self.arrived_at_ms = row.finished_at_ms;
            }
            (Handler::Input, _) => {
                if !scene.is_known {
                    row.output.as_deref().map_or(Ok(()), |output| check_own(output, row, scene))?;
                }
                self.at = At::Child { run: None, payload: row.output.clone() };
            }
            _ => return Err("no function of this kind".to_owned()),
        }
        Ok(())
    }

    fn started(&mut self, row: &StepRow, scene: &mut Scene<'_>) -> Checked {
        let At::Child { run, payload } = &mut self.at else { return Err("no child is wanted".to_owned()) };
        let child = row.decision.and_then(RunId::from_integer).ok_or("a child has an id")?;
        if !scene.is_known {
            expect("child before", *run, None)?;
            scene.facts.push(Fact::ChildStarted { child, payload: payload.clone() });
        }
        *run = Some(child);
        Ok(())
    }

    /// A function has failed, or taken too long.
    fn threw(&mut self, part: &Part, row: &StepRow, scene: &mut Scene<'_>) -> Checked {
        let error = row.error.clone().ok_or("a failure has an error")?;
        let code = error_code(Some(&error));
        let retryable = match (row.status, code.as_str()) {
            (StepStatus::TimedOut, "step_timeout") if row.handler == Handler::Body => {
                let timeout_ms = part.spec.timeout_ms.ok_or("the step has no timeout")?;
                let started_at_ms = row.started_at_ms.ok_or("an attempt that timed out has started")?;
                not_early(row.finished_at_ms, started_at_ms + timeout_ms as i64)?;
                true
            }
            (StepStatus::Failed, "circuit_open") => {
                let circuit = part.spec.circuit.as_ref().ok_or("the step has no circuit")?;
                scene.facts.push(Fact::CircuitOpen { circuit: circuit.name.to_string() });
                true
            }
            (StepStatus::Failed, "decision_invalid" | "items_invalid") => false,
            (StepStatus::Failed, "") => {
                check_own(&error, row, scene)?;
                mark(&error)?.retryable
            }
            _ => return Err("no function fails like this".to_owned()),
        };
        let call = self.adopt(part, row)?;
        call.failures += 1;
        let policy = part.spec.retry.as_ref().filter(|_| row.handler != Handler::OnError);
        let policy = policy.filter(|policy| retryable && call.failures < policy.attempts);
        expect("another attempt", row.retry_at_ms.is_some(), policy.is_some())?;
        if let (Some(retry_at_ms), Some(policy)) = (row.retry_at_ms, policy) {
            let (least, most) = delay_bounds(policy, call.failures);
            if !(least..=most).contains(&(retry_at_ms - row.finished_at_ms)) {
                return Err(format!("the retry is not {least} to {most} ms later"));
            }
            call.not_before_ms = retry_at_ms;
            return Ok(());
        }
        self.fail(Failure { status: row.status, error }, row.handler != Handler::OnError);
        Ok(())
    }
}

/// The output of a step is what its attempt gave, or what another run has recorded; an action's is dropped.
fn check_output(part: &Part, row: &StepRow, scene: &mut Scene<'_>) -> Checked {
    let Some(output) = &row.output else { return Ok(()) };
    if !part.owns_last(row.handler) {
        return Err("the output of an action, or of a sleep, is dropped".to_owned());
    }
    if is_own(output, row, scene)? {
        return Ok(());
    }
    let is_cached = part.spec.cache && row.handler == Handler::Body && mark(output)?.step.as_deref() == Some(&row.name);
    if !is_cached {
        return Err("the output is of another attempt".to_owned());
    }
    scene.facts.push(Fact::Recalled { output: output.clone(), at_ms: row.finished_at_ms });
    Ok(())
}

fn not_early(now_ms: i64, due_at_ms: i64) -> Checked {
    if now_ms >= due_at_ms { Ok(()) } else { Err(format!("P6 timers are never early: {now_ms} is before {due_at_ms}")) }
}
