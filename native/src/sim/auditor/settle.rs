//! How what became of the runs of a transaction fits together, and with what else is stored.

use super::{Auditor, Verdict, ensure, read};
use crate::ids::RunId;
use crate::model::RunStatus;
use crate::sim::disk::Disk;
use crate::sim::oracle::Awaited;
use crate::sim::workload::COUNT;

impl Auditor {
    /// All runs of a transaction were observed.
    pub fn settle(&mut self, disk: &mut Disk) -> Verdict {
        let store = disk.store();
        self.circuits = read(store.circuits())?.into_iter().collect();
        self.paused = read(store.paused())?.into_iter().collect();
        self.settle_schedules(disk)?;
        self.check_listeners()?;
        let store = disk.store();
        for (run, fact) in self.take_facts() {
            self.check_fact(run, fact)?;
        }
        let parents: Vec<RunId> = self.children.keys().copied().collect();
        parents.into_iter().try_for_each(|parent| self.check_children(parent))?;
        for (run, seen) in self.runs.iter().filter(|(_, seen)| !seen.is_gone) {
            let awaited = seen.walk.awaited().into_iter();
            let wanted = awaited.filter_map(|(.., what)| match what {
                Awaited::Definition(workflow) => Some(workflow),
                _ => None,
            });
            let late = wanted.into_iter().find(|workflow| self.defined.contains(workflow));
            ensure(late.is_none(), "a child is started when it is wanted", || format!("{run} wants one of {late:?}"))?;
        }
        for (workflow, count) in &self.counts {
            let stored = read(store.state(workflow, COUNT, self.latest_ms))?;
            let stored = stored.map_or(0, |stored| stored.value.parse().unwrap_or(u64::MAX));
            ensure(stored == *count, "P3 what completed attempts add is added once", || {
                format!("the count of {workflow} is {stored}, not {count}")
            })?;
        }
        Ok(())
    }

    /// A parent that waits has a child that goes on; one that does not wait has none.
    fn check_children(&self, parent: RunId) -> Verdict {
        let Some(seen) = self.runs.get(&parent).filter(|seen| !seen.is_gone) else { return Ok(()) };
        let awaited = seen.walk.awaited();
        for child in self.children.get(&parent).into_iter().flatten() {
            let Some(child) = self.runs.get(child) else { continue };
            if child.walk.taken_up.is_some() {
                // Somebody has taken it up again for its own sake.
                continue;
            }
            let goes_on = !child.row.status.is_final() && !child.is_gone && child.row.status != RunStatus::Stuck;
            let is_awaited = awaited.iter().any(|(.., what)| *what == Awaited::Child(child.row.id));
            ensure(goes_on == is_awaited, "a child goes on as long as its parent waits for it", || {
                format!("{:?} of {:?}, which waits for {awaited:?}", child.row, seen.row)
            })?;
        }
        Ok(())
    }
}
