//! What the host is told to do follows from what is committed.

use std::collections::BTreeMap;

use super::{Auditor, Seen, Verdict, broken, ensure};
use crate::definition::NodeKind;
use crate::ids::RunId;
use crate::model::{Handler, RunStatus, StepStatus};
use crate::sim::messages::{Effect, Execute, Known, Recorded};
use crate::sim::oracle::Ready;
use crate::sim::workload::Told;

const FOLLOWS: &str = "what is executed follows from what is committed";

impl Auditor {
    pub(super) fn effect(&mut self, effect: &Effect) -> Verdict {
        match effect {
            Effect::Execute(execute) => self.execute(execute),
            Effect::Finished { run, status, last } => {
                let seen = self.runs.get(run);
                let moved_on = seen.is_some_and(|seen| seen.was_taken_up_in(self.transaction));
                let committed = seen.map(|seen| seen.row.status);
                let holds = moved_on || committed == Some(*status) && status.is_final();
                ensure(holds, "`finished` tells of a committed end", || {
                    format!("{run} is {committed:?}, not {status:?}")
                })?;
                let named = seen.and_then(|seen| seen.walk.last()).filter(|_| *status == RunStatus::Completed);
                ensure(moved_on || *last == named, "`last` names what was last", || {
                    format!("{effect:?}, not {named:?}")
                })
            }
            Effect::Left { run, step, scope } => {
                let seen = self.runs.get(run);
                let plan = seen.and_then(|seen| self.plans.get(&seen.row.workflow_id));
                let node = plan.and_then(|plan| plan.definition.find(step));
                let is_loop = node.is_some_and(|node| matches!(node.kind, NodeKind::While | NodeKind::ForEach));
                ensure(is_loop && !scope.is_empty(), "`left` tells of an iteration", || {
                    format!("{step}@{scope} of {run}")
                })
            }
            Effect::Recorded(recorded) => self.recorded_by_engine(recorded),
            // How often which is asked is compared for the whole answer.
            Effect::Poll(_) => Ok(()),
            Effect::Waiting { run } | Effect::Abort { run, .. } | Effect::Known(Known { run }) => {
                ensure(self.runs.contains_key(run), "an effect tells of a stored run", || run.to_string())
            }
        }
    }

    fn recorded_by_engine(&self, recorded: &Recorded) -> Verdict {
        let is_it = |step: &crate::model::StepRow| {
            step.name == recorded.step
                && step.scope == recorded.scope
                && step.status == StepStatus::Completed
                && step.output == recorded.output
        };
        let seen = self.runs.get(&recorded.run);
        ensure(
            seen.is_some_and(|seen| seen.rows_of(self.transaction).any(is_it)),
            "`recorded` tells of a committed output",
            || format!("{recorded:?}"),
        )
    }

    fn execute(&mut self, execute: &Execute) -> Verdict {
        let run = execute.run;
        let seen = self.runs.get(&run).filter(|seen| !seen.is_gone);
        let seen = seen.ok_or_else(|| broken(FOLLOWS, format!("{run} is not stored: {execute:?}")))?;
        let all = seen.walk.ready();
        let is_it = |ready: &&Ready| {
            ready.name == execute.step
                && ready.scope == execute.scope
                && ready.handler == execute.handler
                && ready.attempt == execute.attempt
        };
        let ready = all.iter().find(is_it);
        let ready = ready.ok_or_else(|| broken(FOLLOWS, format!("{execute:?} is none of {all:?}")))?;
        ensure(ready.not_before_ms <= self.latest_ms, "P6 timers are never early", || {
            format!("{execute:?} at {}, before {}", self.latest_ms, ready.not_before_ms)
        })?;
        ensure(execute.handler.is_hook() || ready.last == execute.last, "`last` names what was last", || {
            format!("{execute:?}, not {:?}", ready.last)
        })?;
        self.check_told(seen, ready, execute)?;
        let (transaction, before) = &seen.executed_before;
        let executed_before = if *transaction == self.transaction { before.contains(ready) } else { seen.executing };
        let identity = self.identity(seen, ready, execute.event.clone());
        let first = self.fences.insert((run, execute.fence), identity.clone());
        ensure(first.as_ref().is_none_or(|first| *first == identity), "P7 one fence is of one attempt", || {
            format!("{execute:?} is {identity:?} and {first:?}")
        })?;
        let fence = *self.numbers.entry((run, identity.clone())).or_insert(execute.fence);
        ensure(fence == execute.fence, "P7 one attempt has one fence", || format!("{execute:?} and {fence}"))?;
        // What the host was to execute before may finish, though it hears of it only now.
        if first.is_none() && !executed_before {
            self.check_paused(execute)?;
            self.check_circuit(execute)?;
        }
        if self.handed_out.insert(run) && executed_before {
            self.trials.began_unheard(run);
        }
        Ok(())
    }

    /// The event, the token and the error are what the handler is to see.
    fn check_told(&self, seen: &Seen, ready: &Ready, execute: &Execute) -> Verdict {
        let rule = "a handler sees what it is about";
        let told: Option<Told> = execute.event.as_deref().and_then(|event| serde_json::from_str(event).ok());
        let plan = self.plans.get(&seen.row.workflow_id);
        let node = plan.zip(execute.step.as_deref()).and_then(|(plan, step)| plan.definition.find(step));
        let event = node.and_then(|node| node.event.as_deref()).filter(|_| execute.handler == Handler::Filter);
        let published = told.and_then(|told| self.published.get(&told.publication));
        ensure(published.map(|published| published.name.as_str()) == event, rule, || {
            format!("{execute:?}: {event:?}")
        })?;
        let secret = crate::sim::world::secret();
        let name = execute.step.as_deref().unwrap_or_default();
        let token = (execute.handler == Handler::OnPause).then(|| secret.token(execute.run, name, &execute.scope));
        ensure(execute.token == token, rule, || format!("{execute:?}"))?;
        let error = match execute.handler {
            Handler::OnError => ready.error.as_ref(),
            Handler::OnFailure => seen.row.error.as_ref(),
            _ => None,
        };
        ensure(execute.error.as_ref() == error, rule, || format!("{execute:?}, not {error:?}"))
    }

    fn check_paused(&self, execute: &Execute) -> Verdict {
        let Some(seen) = self.runs.get(&execute.run) else { return Ok(()) };
        let workflow = &seen.row.workflow_id;
        ensure(!self.is_paused(workflow), "nothing of a paused workflow begins", || {
            format!("{execute:?} of {workflow}")
        })
    }

    /// Whether a workflow is paused in all of this transaction.
    pub(super) fn is_paused(&self, workflow: &str) -> bool {
        let was_unpaused = self.unpaused_in.get(workflow) == Some(&self.transaction);
        self.paused.contains(workflow) && self.paused_before.contains(workflow) && !was_unpaused
    }

    /// Nothing goes through an open circuit, and one attempt through a half-open one.
    fn check_circuit(&mut self, execute: &Execute) -> Verdict {
        let rule = "an open circuit lets one attempt through, after its time";
        let Some(seen) = self.runs.get(&execute.run) else { return Ok(()) };
        let plan = self.plans.get(&seen.row.workflow_id);
        let node = plan.zip(execute.step.as_deref()).and_then(|(plan, step)| plan.definition.find(step));
        let policy = node.and_then(|node| node.circuit.as_ref()).filter(|_| execute.handler == Handler::Body);
        let Some(name) = policy.map(|policy| policy.name.to_string()) else { return Ok(()) };
        let (before, after) = (self.circuits_before.get(&name), self.circuits.get(&name));
        let Some(until_ms) = after.filter(|_| before == after).and_then(|row| row.open_until_ms) else {
            self.probes.remove(&name);
            return Ok(());
        };
        ensure(until_ms <= self.latest_ms, rule, || format!("{execute:?} goes through {name}, open until {until_ms}"))?;
        let probe = self.probes.get(&name).copied();
        ensure(!probe.is_some_and(|probe| self.is_current(probe)), rule, || format!("{execute:?} and {probe:?}"))?;
        self.probes.insert(name, (execute.run, execute.fence));
        Ok(())
    }

    /// No more runs execute than there are slots, as there may be of one workflow and key, and of one queue.
    pub(super) fn check_limits(&mut self) -> Verdict {
        let is_withheld = |run: &&RunId| self.runs.get(run).is_some_and(|seen| self.is_paused(&seen.row.workflow_id));
        let withheld = self.limited_begun.iter().find(is_withheld);
        ensure(withheld.is_none(), "a pause keeps what is limited from beginning", || format!("{withheld:?}"))?;
        let (runs, handed_out) = (&self.runs, &mut self.handed_out);
        handed_out.retain(|run| runs.get(run).is_some_and(|seen| seen.executing));
        let deaths = |run: &RunId| runs.get(run).map_or(0, |seen| u64::from(seen.walk.deaths()));
        let suspects = handed_out.iter().map(|run| (*run, deaths(run)));
        self.trials.check(suspects, self.latest_ms)?;
        ensure(handed_out.len() <= self.capacity, "no more runs execute than there are slots", || {
            format!("{} execute in {} slots", handed_out.len(), self.capacity)
        })?;
        let mut groups: BTreeMap<String, (u32, u32)> = BTreeMap::new();
        for seen in handed_out.iter().filter_map(|run| runs.get(run)) {
            let Some(plan) = self.plans.get(&seen.row.workflow_id) else { continue };
            let definition = &plan.definition;
            if let Some(most) = definition.concurrency {
                let key = format!("workflow {} {:?}", definition.id, seen.concurrency_key);
                groups.entry(key).or_insert((0, most)).0 += 1;
            }
            if let Some(most) = definition.queue.as_ref().and_then(|queue| queue.concurrency) {
                groups.entry("the queue".to_owned()).or_insert((0, most)).0 += 1;
            }
        }
        let over = groups.iter().find(|(_, (held, most))| held > most);
        ensure(over.is_none(), "no more runs execute than their limits allow", || format!("{over:?} of {handed_out:?}"))
    }
}
