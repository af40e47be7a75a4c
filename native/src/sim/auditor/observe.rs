//! What became of a run in a transaction.

use std::collections::{BTreeMap, BTreeSet};

use super::{Auditor, Seen, Verdict, Violation, broken, ensure, read};
use crate::ids::RunId;
use crate::limits;
use crate::model::{Handler, RunFilter, RunRow, RunStatus, RunSummary, StepRow, StepStatus};
use crate::sim::disk::Disk;
use crate::sim::oracle::{Awaited, Fact, Walk, completed, marks};

/// What a request for approval is called among the events that are waited for.
pub(super) const APPROVAL: &str = "an approval";

/// How far the clock may go back without anything being put right.
const BACK_MS: i64 = limits::CLOCK_BACK_MS as i64;

impl Auditor {
    /// The process died, with these things stored.
    pub fn process_died(&mut self, disk: &mut Disk) -> Verdict {
        let all = RunFilter { limit: u32::MAX, ..RunFilter::default() };
        let mut runs: BTreeSet<RunId> = read(disk.store().list(&all))?.iter().map(|row| row.id).collect();
        runs.extend(self.runs.keys());
        for run in runs {
            self.observe(run, disk)?;
        }
        self.settle(disk)?;
        for (run, seen) in self.runs.iter().filter(|(_, seen)| seen.executing && !seen.is_gone) {
            for ready in seen.walk.ready().into_iter().filter(|ready| ready.not_before_ms <= self.latest_ms) {
                let name = ready.name.unwrap_or_else(|| ready.handler.as_str().to_owned());
                self.died.insert((*run, name, ready.scope, ready.handler, ready.attempt, seen.walk.taken_up));
            }
        }
        Ok(())
    }

    /// What became of a run.
    pub fn observe(&mut self, run: RunId, disk: &mut Disk) -> Verdict {
        self.touched.insert(run);
        let stored = read(disk.store().run(run))?;
        if self.runs.get(&run).is_some_and(|seen| seen.is_gone) {
            return ensure(stored.is_none(), "an id is of one run", || format!("{stored:?} has the id of another"));
        }
        if let Some(row) = stored {
            let steps = read(disk.store().history(run, 0, u32::MAX))?;
            let summary = read(disk.store().summary(run))?;
            return self.observe_row(row, steps, summary);
        }
        match (disk.removed.remove(&run), self.runs.contains_key(&run)) {
            (Some((row, steps, summary)), _) => self.observe_removed(row, steps, summary),
            (None, is_known) => ensure(!is_known, "P1 what is committed stays", || format!("{run} is gone")),
        }
    }

    /// A run that is no longer stored, as it was when it was removed.
    fn observe_removed(&mut self, row: RunRow, steps: Vec<StepRow>, summary: Option<RunSummary>) -> Verdict {
        let run = row.id;
        let retention_ms = self.plans.get(&row.workflow_id).and_then(|plan| plan.definition.retention_ms);
        // By the clock of its last row: a hook may end after the clock has jumped back.
        let last_ms = steps.last().map_or(i64::MAX, |step| step.finished_at_ms);
        let ended_at_ms = row.finished_at_ms.filter(|_| row.status.is_final() && !row.open);
        let ended_at_ms = ended_at_ms.map(|ended_at_ms| ended_at_ms.min(last_ms));
        let may_go = ended_at_ms.zip(retention_ms).is_some_and(|(ended_at_ms, retention_ms)| {
            ended_at_ms.saturating_add(retention_ms as i64) <= self.latest_ms
        });
        ensure(may_go, "only ended runs go, and not before their time", || format!("{row:?} is gone"))?;
        self.observe_row(row, steps, summary)?;
        if let Some(seen) = self.runs.get_mut(&run) {
            seen.is_gone = true;
            seen.executing = false;
        }
        let owned = self.keys.iter().filter(|(_, owner)| **owner == run);
        self.freed.extend(owned.map(|(key, _)| (key.clone(), self.transaction)));
        self.keys.retain(|_, owner| *owner != run);
        Ok(())
    }

    fn observe_row(&mut self, row: RunRow, steps: Vec<StepRow>, summary: Option<RunSummary>) -> Verdict {
        let run = row.id;
        let hook_queued = summary.as_ref().is_some_and(|summary| summary.hook_queued);
        let is_to_begin = summary.as_ref().is_some_and(|summary| summary.rate_key.is_some());
        let executing = row.open && (row.status == RunStatus::Running || row.status.is_final() && !hook_queued);
        let mut seen = match self.runs.remove(&run) {
            Some(seen) => seen,
            None => self.first_seen(&row, &steps, summary)?,
        };
        self.check_growth(&seen, &row, &steps)?;
        if seen.executed_before.0 < self.transaction {
            let ready = if seen.executing { seen.walk.ready() } else { Vec::new() };
            seen.executed_before = (self.transaction, ready);
        }
        let wrong = |wrong: String| broken("the history follows the definition", format!("{run}: {wrong}"));
        let facts = seen.walk.pass_all(&row, &steps).map_err(wrong)?;
        seen.walk.check_rest(&row).map_err(|wrong| {
            let last = steps.last();
            broken("a run stands where its history leads", format!("{run}: {wrong}; {row:?}; its last row is {last:?}"))
        })?;
        seen.recorded_in.resize(steps.len(), self.transaction);
        if seen.row != row || seen.steps.len() < steps.len() {
            seen.moved_in = self.transaction;
        }
        (seen.row, seen.steps, seen.executing) = (row, steps, executing);
        if std::mem::replace(&mut seen.is_to_begin, is_to_begin) && !is_to_begin {
            self.keep_begin(&seen)?;
        }
        self.check_time(&seen)?;
        self.check_poison(&seen)?;
        self.keep_waits(&mut seen);
        self.facts.extend(facts.into_iter().map(|(_, fact)| (run, fact)));
        self.runs.insert(run, seen);
        Ok(())
    }

    fn first_seen(&mut self, row: &RunRow, steps: &[StepRow], summary: Option<RunSummary>) -> Result<Seen, Violation> {
        let plan = self.plans.get(&row.workflow_id).cloned();
        let plan = plan.ok_or_else(|| broken("a run is of a workflow", format!("{row:?}")))?;
        let intent = self.first_intent(row)?;
        let mocks = summary.as_ref().and_then(|summary| summary.mocks.as_deref());
        let mocks: BTreeMap<String, serde_json::Value> =
            mocks.and_then(|mocks| serde_json::from_str(mocks).ok()).unwrap_or_default();
        let mocks = mocks.into_iter().map(|(name, mock)| (name, mock.to_string())).collect();
        let marker = steps.iter().position(|step| step.handler == Handler::Retry);
        let copied = marker.filter(|_| row.replay_of.is_some()).map_or(0, |place| place + 1);
        self.check_copies(row, &steps[..copied])?;
        Ok(Seen {
            row: RunRow { status: RunStatus::Pending, open: true, ..row.clone() },
            intent,
            concurrency_key: summary.and_then(|summary| summary.concurrency_key),
            steps: Vec::new(),
            moved_in: self.transaction,
            recorded_in: Vec::new(),
            walk: Walk::new(&plan, row, mocks, copied),
            executing: false,
            executed_before: (0, Vec::new()),
            is_to_begin: true,
            is_gone: false,
            waits: BTreeMap::new(),
            waited: BTreeMap::new(),
        })
    }

    /// A transaction begins. Where the clock has gone back, what has begun later counts as having begun now; but not
    /// what was too long ago to count, by the clock as it was before.
    pub(super) fn bring_begins_back(&mut self, clock: impl Iterator<Item = i64> + Clone) {
        let (mut highest_ms, mut back_to_ms) = (self.begins_clock_ms, None);
        for now_ms in clock.clone() {
            highest_ms = highest_ms.max(now_ms);
            if now_ms.saturating_add(BACK_MS) < highest_ms {
                back_to_ms = back_to_ms.into_iter().chain([now_ms]).min();
            }
        }
        self.back_to_ms = back_to_ms;
        self.begins_clock_ms = if back_to_ms.is_some() { clock.last().unwrap_or(highest_ms) } else { highest_ms };
        let Some(back_to_ms) = back_to_ms else { return };
        for ((workflow, _), begins) in &mut self.begins {
            let limit = self.plans.get(workflow).and_then(|plan| plan.definition.rate_limit);
            let per_ms = limit.map_or(0, |limit| limit.per_ms as i64);
            let is_ahead = |at_ms: i64| at_ms.saturating_sub(BACK_MS) > back_to_ms;
            begins.retain(|at_ms| !is_ahead(*at_ms) || at_ms.saturating_add(per_ms) > highest_ms);
            begins.iter_mut().filter(|at_ms| is_ahead(**at_ms)).for_each(|at_ms| *at_ms = back_to_ms);
        }
    }

    /// At most so many runs begin in any stretch of time.
    fn keep_begin(&mut self, seen: &Seen) -> Verdict {
        let row = &seen.row;
        let limit = self.plans.get(&row.workflow_id).and_then(|plan| plan.definition.rate_limit);
        // What is replayed has begun before.
        let Some(limit) = limit.filter(|_| row.replay_of.is_none()) else { return Ok(()) };
        self.limited_begun.push(row.id);
        let key = (row.workflow_id.clone(), seen.intent.rate_key.clone().unwrap_or_default());
        let begins = self.begins.entry(key).or_default();
        let begins_at_ms = Walk::begins_at_ms(row);
        // Whether it began before or after the clock went back within this transaction is not told.
        if self.back_to_ms.is_some_and(|back_to_ms| back_to_ms + BACK_MS < begins_at_ms) {
            return Ok(());
        }
        begins.push(begins_at_ms);
        begins.sort_unstable();
        // Not of those before: what began while the clock was ahead counts as now, whatever else has begun by then.
        let is_full = |window: &&[i64]| {
            let (first, last) = (window[0], window[limit.count as usize]);
            last - first < limit.per_ms as i64 && (first..=last).contains(&begins_at_ms)
        };
        let too_many = begins.windows(limit.count as usize + 1).find(is_full);
        ensure(too_many.is_none(), "the rate limit holds", || format!("{too_many:?} begin under {limit:?}: {row:?}"))
    }

    /// What a replayed run has taken over is what its origin had completed before some step.
    fn check_copies(&self, row: &RunRow, copies: &[StepRow]) -> Verdict {
        let Some((_, copies)) = copies.split_last() else { return Ok(()) };
        let origin = row.replay_of.and_then(|origin| self.runs.get(&origin));
        let Some(origin) = origin else { return Err(broken("a replay is of a stored run", format!("{row:?}"))) };
        let same = |(one, other): (&StepRow, &StepRow)| {
            StepRow { sequence: 0, error: None, ..one.clone() } == StepRow { sequence: 0, error: None, ..other.clone() }
        };
        let fits = |end: usize| {
            let kept: Vec<&StepRow> = completed(&origin.steps[..end]).collect();
            kept.len() == copies.len() && kept.into_iter().zip(copies).all(same)
        };
        ensure((0..=origin.steps.len()).any(fits), "a replay takes over exactly what was completed", || {
            format!("{copies:?} are not the first of {:?}", origin.steps)
        })
    }

    fn check_growth(&self, before: &Seen, row: &RunRow, steps: &[StepRow]) -> Verdict {
        let run = row.id;
        let unchanged = steps.starts_with(&before.steps);
        ensure(unchanged, "P2 a recorded attempt never changes", || {
            format!("{run}: {:?} became {steps:?}", before.steps)
        })?;
        let is_new = before.recorded_in.is_empty();
        let new = &steps[before.steps.len()..];
        let own = &new[if is_new { before.walk.copied } else { 0 }..];
        let taken_up = own.iter().any(|step| step.handler == Handler::Retry);
        ensure(!taken_up || self.asked_to_retry.contains(&run), "nobody is retried unasked", || {
            format!("{run}: {row:?}")
        })?;
        let ended = before.row.status.is_final() && !taken_up;
        ensure(!ended || row.status == before.row.status, "a final status never changes", || {
            format!("{run} was {:?} and is {:?}", before.row.status, row.status)
        })?;
        let closed = !before.row.open && !taken_up;
        ensure(!closed || new.is_empty(), "a closed run never moves", || format!("{run} moved"))?;
        let mut epoch = before.walk.taken_up;
        for step in own {
            let death = (run, step.name.clone(), step.scope.clone(), step.handler, step.attempt, epoch);
            let backed = step.status != StepStatus::Interrupted || self.died.contains(&death);
            ensure(backed, "P8 only a process death interrupts", || format!("{run}: {step:?}"))?;
            if step.handler == Handler::Retry {
                epoch = Some(step.sequence);
            }
        }
        Ok(())
    }

    /// Nothing happens before its time, and nothing comes from the future.
    fn check_time(&self, seen: &Seen) -> Verdict {
        let rule = "P6 timers are never early";
        let row = &seen.row;
        let future = seen.rows_of(self.transaction).find(|step| step.finished_at_ms > self.latest_ms);
        ensure(future.is_none(), rule, || format!("{}: {future:?} after {}", row.id, self.latest_ms))?;
        if !matches!(row.status, RunStatus::Pending | RunStatus::Running) {
            return Ok(());
        }
        let begins_at_ms = row.start_at_ms.unwrap_or(i64::MIN);
        let earliest_ms = seen.walk.ready().iter().map(|ready| ready.not_before_ms).min().unwrap_or(i64::MAX);
        ensure(earliest_ms.max(begins_at_ms) <= self.latest_ms, rule, || {
            format!("{} was woken at {}, not {}", row.id, self.latest_ms, earliest_ms.max(begins_at_ms))
        })
    }

    /// What kills the process whenever it is called has not returned.
    fn check_poison(&self, seen: &Seen) -> Verdict {
        let Some(poison) = &seen.intent.poison else { return Ok(()) };
        let own = seen.steps.iter().skip(seen.walk.copied);
        let survived = |step: &&StepRow| {
            let is_called = !matches!(step.handler, Handler::Start | Handler::Retry | Handler::Body)
                || poison.starts_with("step")
                || poison.starts_with("action");
            let mark = step.output.as_deref().and_then(|output| marks::mark(output).ok());
            let is_recalled = mark.is_some_and(|mark| (mark.run, mark.attempt) != (seen.row.id, step.attempt));
            step.name == *poison && step.status == StepStatus::Completed && is_called && !is_recalled
        };
        let survived = own.into_iter().find(survived);
        let is_mocked = seen.row.replay_of.is_some();
        ensure(survived.is_none() || is_mocked, "P8 a poison step does not complete", || format!("{survived:?}"))
    }

    fn keep_waits(&self, seen: &mut Seen) {
        let now = seen.walk.awaited().into_iter().filter_map(|(name, scope, what)| match what {
            Awaited::Event(event, _) => Some((event, name, scope)),
            Awaited::Approval(_) => Some((APPROVAL.to_owned(), name, scope)),
            _ => None,
        });
        let before = std::mem::take(&mut seen.waits);
        // One who has gone on and waits again, or was taken up again, waits anew.
        let anew = seen.was_taken_up_in(self.transaction);
        let since = |key: &(String, String, String)| before.get(key).copied().filter(|_| !anew);
        seen.waited.clone_from(&before);
        seen.waits = now.map(|key| (key.clone(), since(&key).unwrap_or(self.transaction))).collect();
    }

    /// Facts of a transaction that are compared with each other.
    pub(super) fn take_facts(&mut self) -> Vec<(RunId, Fact)> {
        std::mem::take(&mut self.facts)
    }
}
