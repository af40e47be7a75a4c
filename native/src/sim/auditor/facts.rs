//! Whether what a row says of the world outside its run is true.

use serde_json::Value;

use super::{Auditor, Verdict, broken, ensure};
use crate::ids::RunId;
use crate::model::{RunStatus, StepStatus};
use crate::sim::oracle::{Fact, marks};
use crate::sim::workload::Told;

impl Auditor {
    pub(super) fn check_fact(&mut self, run: RunId, fact: Fact) -> Verdict {
        match fact {
            Fact::Added(count) => {
                if let Some(seen) = self.runs.get(&run) {
                    *self.counts.entry(seen.row.workflow_id.clone()).or_default() += count;
                }
                Ok(())
            }
            Fact::Recalled { output, at_ms } => self.recalled(run, &output, at_ms),
            Fact::Taken { event, name, scope, payload } => self.taken(run, (event, name, scope), payload.as_deref()),
            Fact::Answered { name, scope, output } => self.was_answered(run, &name, &scope, &output),
            Fact::ChildStarted { child, payload } => self.child_started(run, child, payload.as_deref()),
            Fact::ChildGave { child, result } => self.child_gave(run, child, &result),
            Fact::CircuitOpen { circuit } => {
                let is_open =
                    |row: Option<&crate::model::CircuitRow>| row.is_some_and(|row| row.open_until_ms.is_some());
                let was = is_open(self.circuits_before.get(&circuit)) || is_open(self.circuits.get(&circuit));
                // One that opened and closed again within this transaction has left no other trace than a failure.
                let moved =
                    self.circuits_before.get(&circuit) != self.circuits.get(&circuit) || self.has_failed(&circuit);
                ensure(was || moved, "only an open circuit refuses", || format!("{circuit} refused {run}"))
            }
            Fact::Ending { code } => self.ending(run, &code),
            Fact::Crashed | Fact::TakenUp => Ok(()),
        }
    }

    /// Whether an attempt has failed behind a circuit in this transaction.
    fn has_failed(&self, circuit: &str) -> bool {
        self.runs.values().any(|seen| {
            let plan = self.plans.get(&seen.row.workflow_id);
            let is_behind = |step: &crate::model::StepRow| {
                let node = plan.and_then(|plan| plan.definition.find(&step.name));
                node.and_then(|node| node.circuit.as_ref()).is_some_and(|policy| *policy.name == *circuit)
            };
            let failed = |step: &crate::model::StepRow| {
                matches!(step.status, StepStatus::Failed | StepStatus::TimedOut)
                    && marks::error_code(step.error.as_deref()) != "circuit_open"
            };
            seen.rows_of(self.transaction).any(|step| is_behind(step) && failed(step))
        })
    }

    fn recalled(&self, run: RunId, output: &str, at_ms: i64) -> Verdict {
        let rule = "what is recalled was recorded";
        let mark = marks::mark(output).map_err(|wrong| broken(rule, wrong))?;
        let workflow = self.runs.get(&run).map(|seen| &seen.row.workflow_id);
        let made = self.runs.get(&mark.run).filter(|seen| Some(&seen.row.workflow_id) == workflow);
        let is_it = |step: &&crate::model::StepRow| {
            step.status == StepStatus::Completed && step.output.as_deref() == Some(output)
        };
        let recorded = made.and_then(|seen| seen.steps.iter().find(is_it));
        let recorded = recorded.ok_or_else(|| broken(rule, format!("{run} recalled {output}")))?;
        let ttl_ms = self.kept.get(&(mark.run, mark.fence)).copied().flatten();
        let is_over = ttl_ms.is_some_and(|ttl_ms| recorded.finished_at_ms + ttl_ms as i64 <= at_ms);
        ensure(!is_over, "what is kept for a while is not recalled after it", || {
            format!("{run} recalled at {at_ms} what was kept for {ttl_ms:?} ms: {recorded:?}")
        })
    }

    fn taken(&self, run: RunId, wait: (String, String, String), payload: Option<&str>) -> Verdict {
        let rule = "a wait ends with an event that was told after it began";
        let event = wait.0.as_str();
        let since = self.runs.get(&run).and_then(|seen| seen.waited.get(&wait));
        let told: Option<Told> = payload.and_then(|payload| serde_json::from_str(payload).ok());
        let published = told.as_ref().and_then(|told| self.published.get(&told.publication));
        let fits = |published: &super::Published| {
            let was_before = published.stored.zip(since).is_some_and(|((told_in, _), since)| told_in < *since);
            published.name == event && !was_before
        };
        ensure(published.is_some_and(fits), rule, || format!("{run} waited for {wait:?} and got {payload:?}"))
    }

    fn was_answered(&self, run: RunId, name: &str, scope: &str, output: &str) -> Verdict {
        let value: Value = serde_json::from_str(output).unwrap_or_default();
        let answer = value["answer"].as_u64().and_then(|number| self.answers.get(&number));
        let is_it = answer.is_some_and(|(place, approved)| {
            let status = if *approved { "approved" } else { "rejected" };
            place.run == run
                && place.name == name
                && place.scope == scope
                && value["approved"] == *approved
                && value["timedOut"] == false
                && value["status"] == status
        });
        ensure(is_it, "an approval gives what was answered", || format!("{run}: {output} at {name}@{scope}"))
    }

    fn child_started(&mut self, run: RunId, child: RunId, payload: Option<&str>) -> Verdict {
        let rule = "a parent that waits has a child";
        let seen = self.runs.get(&child).ok_or_else(|| broken(rule, format!("{child} of {run} is not stored")))?;
        let fits = seen.row.parent == Some(run) && seen.row.payload.as_deref() == payload;
        ensure(fits, rule, || format!("{:?} is not what {run} wanted, with {payload:?}", seen.row))?;
        self.children.entry(run).or_default().insert(child);
        Ok(())
    }

    fn child_gave(&self, run: RunId, child: RunId, result: &Result<Option<String>, String>) -> Verdict {
        let rule = "a parent gets what its child gave";
        let seen = self.runs.get(&child).ok_or_else(|| broken(rule, format!("{child} of {run} is not stored")))?;
        if seen.was_taken_up_in(self.transaction) {
            return Ok(());
        }
        let fits = match (result, seen.row.status) {
            (Ok(output), RunStatus::Completed) => *output == seen.row.output,
            (Err(error), RunStatus::Failed) => Some(error) == seen.row.error.as_ref(),
            (Err(error), RunStatus::Cancelled) => marks::error_code(Some(error)) == "subflow_cancelled",
            _ => false,
        };
        ensure(fits, rule, || format!("{run} got {result:?} of {:?}", seen.row))
    }

    fn ending(&self, run: RunId, code: &str) -> Verdict {
        let Some(seen) = self.runs.get(&run) else { return Ok(()) };
        let asked = code != "cancelled"
            || self.asked_to_cancel.contains(&run)
            || seen.row.parent.is_some()
            || seen.walk.is_at_cancel();
        ensure(asked, "nobody is cancelled unasked", || format!("{:?}", seen.row))
    }
}
