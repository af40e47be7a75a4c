//! What must hold when the healed world has come to rest.

use std::collections::BTreeSet;

use super::{Auditor, Verdict, ensure, read};
use crate::model::Handler;
use crate::model::RunStatus;
use crate::sim::disk::Disk;
use crate::sim::oracle::marks::error_code;
use crate::sim::workload::SHARED;

impl Auditor {
    /// Nothing happens by itself any more: whoever still waits for an event has looked at all there were.
    pub fn check_waits(&self) -> Verdict {
        for (run, seen) in self.runs.iter().filter(|(_, seen)| seen.row.status == RunStatus::Waiting && !seen.is_gone) {
            for ((event, name, scope), since) in &seen.waits {
                let told = self.published.values().filter(|published| published.name == *event);
                let after = told.filter_map(|published| published.stored).filter(|(told_in, _)| told_in > since);
                for (_, number) in after {
                    let is_it = |step: &crate::model::StepRow| {
                        step.handler == Handler::Filter
                            && step.decision == Some(number)
                            && step.name == *name
                            && step.scope == *scope
                    };
                    ensure(
                        seen.steps.iter().any(is_it),
                        "no event is lost that is told after the commit of a wait",
                        || format!("{run} still waits for {event} at {name}@{scope} and has not seen number {number}"),
                    )?;
                }
            }
        }
        Ok(())
    }

    /// The healed world has come to rest. `only_poison_kills`: no process died of anything else.
    pub fn conclude(&mut self, disk: &mut Disk, only_poison_kills: bool) -> Verdict {
        for run in self.runs.keys().copied().collect::<Vec<_>>() {
            self.observe(run, disk)?;
        }
        self.settle(disk)?;
        self.conclude_schedules(disk)?;
        for run in &self.acknowledged {
            ensure(self.runs.contains_key(run), "P1 an acknowledged start is stored", || run.to_string())?;
        }
        for (run, seen) in &self.runs {
            ensure(!seen.row.open, "every run ends", || format!("{run} is open: {:?}", seen.row))?;
            let accused = error_code(seen.row.error.as_deref()) == "crash_loop";
            ensure(!accused || !only_poison_kills || seen.intent.poison.is_some(), "P8 the innocent survive", || {
                format!("{run} was given up: {:?}", seen.steps)
            })?;
            let plan = self.plans.get(&seen.row.workflow_id);
            let goes = plan.is_some_and(|plan| plan.definition.retention_ms.is_some());
            ensure(seen.is_gone || !goes, "ended runs go when their time is over", || format!("{:?}", seen.row))?;
        }
        let shared = read(disk.store().state("", SHARED, self.latest_ms))?;
        let shared = shared.map_or(0, |shared| shared.value.parse().unwrap_or(u64::MAX));
        let fits = (self.shared_least..=self.shared_most).contains(&shared);
        ensure(fits, "P1 an acknowledged change is stored, once", || {
            format!("{shared} is not from {} to {}", self.shared_least, self.shared_most)
        })
    }

    /// How the runs ended: completed, failed, cancelled.
    pub fn ends(&self) -> [u64; 3] {
        [RunStatus::Completed, RunStatus::Failed, RunStatus::Cancelled]
            .map(|status| self.runs.values().filter(|seen| seen.row.status == status).count() as u64)
    }

    /// What happened to which kind of node: its kind, the function, and how it ended.
    pub fn lived_through(&self) -> BTreeSet<String> {
        let word = |kind: crate::definition::NodeKind| serde_json::to_value(kind).unwrap_or_default();
        let mut all: BTreeSet<String> = self.schedules.lived_through().map(str::to_owned).collect();
        all.extend(self.beginnings.lived_through().map(str::to_owned));
        for seen in self.runs.values() {
            let Some(plan) = self.plans.get(&seen.row.workflow_id) else { continue };
            for step in seen.steps.iter().skip(seen.walk.copied) {
                let kind = plan.definition.find(&step.name).map(|node| word(node.kind));
                let kind = kind.as_ref().and_then(|kind| kind.as_str()).unwrap_or("run");
                let code = error_code(step.error.as_deref());
                all.insert(
                    format!("{kind} {} {} {code}", step.handler.as_str(), step.status.as_str()).trim_end().to_owned(),
                );
            }
        }
        all
    }

    /// How often something of interest happened: rows that were recorded.
    pub fn rows(&self, is_it: impl Fn(&crate::model::StepRow) -> bool) -> u64 {
        let rows = self.runs.values().flat_map(|seen| seen.steps.iter().skip(seen.walk.copied));
        rows.filter(|step| is_it(step)).count() as u64
    }
}
