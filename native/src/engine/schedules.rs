//! Schedules: which are due, and the runs they start. An instant is decided, and its run stored, in one transaction.

use std::collections::VecDeque;

use super::{Engine, polls, query};
use crate::definition::{Overlap, ScheduleSpec, Timing};
use crate::error::{Code, Error, Result};
use crate::ids::RunId;
use crate::limits;
use crate::machine::{Schedule, Surroundings};
use crate::model::{Origin, ScheduleId, ScheduleRow};

/// How long a schedule waits that is due while no more runs may be active.
const FULL_PAUSE_MS: i64 = 1_000;

impl Engine {
    /// A workflow says which schedules it has. What is stored of those it had before stays, as long as their name does.
    pub(super) fn define_schedules(&mut self, workflow_id: &str, specs: &[ScheduleSpec], now_ms: i64) -> Result<()> {
        let mut stored = self.store.schedules(Some(workflow_id), 0, u32::MAX)?;
        for spec in specs {
            let before = stored.iter().position(|row| row.name == spec.name).map(|place| stored.swap_remove(place));
            self.define_schedule(workflow_id, spec, before, now_ms)?;
        }
        for row in stored {
            self.store.remove_schedule(row.id)?;
        }
        Ok(())
    }

    fn define_schedule(
        &mut self,
        workflow_id: &str,
        spec: &ScheduleSpec,
        before: Option<ScheduleRow>,
        now_ms: i64,
    ) -> Result<()> {
        let text = serde_json::to_string(spec).map_err(|error| Error::bug(error.to_string()))?;
        let row = match before {
            Some(row) if timing_of(&row)? == spec.timing && !planted!(InstantLost) => {
                let mut progress = row.progress.clone();
                if let Timing::Poll { every_ms } = spec.timing {
                    polls::again_soon(&mut progress, every_ms);
                }
                if row.spec == text && row.progress == progress {
                    return self.take_in(row, now_ms);
                }
                ScheduleRow { spec: text, progress, ..row }
            }
            Some(row) => {
                let progress = Schedule::new(workflow_id, spec)?.changed(row.progress, now_ms);
                ScheduleRow { spec: text, progress, ..row }
            }
            None => {
                let progress = Schedule::new(workflow_id, spec)?.begin(now_ms);
                let (workflow_id, name) = (workflow_id.to_owned(), spec.name.clone());
                ScheduleRow { id: 0, workflow_id, name, spec: text, progress }
            }
        };
        let id = self.store.put_schedule(&row)?;
        self.take_in(ScheduleRow { id, ..row }, now_ms)
    }

    /// The schedules of a defined workflow, as they are stored.
    pub(super) fn recall_schedules(&mut self, workflow_id: &str, now_ms: i64) -> Result<()> {
        for row in self.store.schedules(Some(workflow_id), 0, u32::MAX)? {
            self.take_in(row, now_ms)?;
        }
        Ok(())
    }

    /// Watches a stored schedule. If the clock has gone back since it was last looked at, it is reckoned anew.
    fn take_in(&mut self, mut row: ScheduleRow, now_ms: i64) -> Result<()> {
        if went_back(row.progress.seen_at_ms, now_ms) {
            let spec = spec_of(&row)?;
            if !matches!(spec.timing, Timing::Poll { .. }) {
                Schedule::new(&row.workflow_id, &spec)?.clock_went_back(&mut row.progress, now_ms);
            } else {
                row.progress.next_at_ms = Some(now_ms);
                row.progress.seen_at_ms = now_ms;
            }
            self.store.put_schedule(&row)?;
        }
        if !row.progress.queued.is_empty() {
            // The run before may have ended, or got stuck, while nobody was there to tell.
            self.schedules_due.insert((now_ms, row.id));
        }
        self.watch(&row)
    }

    fn watch(&mut self, row: &ScheduleRow) -> Result<()> {
        let due_at_ms = match row.progress.next_at_ms {
            Some(next_at_ms) if spec_of(row)?.jitter_ms == 0 => Some(next_at_ms),
            Some(_) => Schedule::new(&row.workflow_id, &spec_of(row)?)?.due_at_ms(&row.progress),
            None => None,
        };
        self.schedules_due.extend(due_at_ms.map(|due_at_ms| (due_at_ms, row.id)));
        Ok(())
    }

    /// Notices that the host's clock has gone back.
    pub(super) fn watch_clock(&mut self, now_ms: i64) -> Result<()> {
        if !went_back(self.clock_ms, now_ms) {
            // The latest it has shown: it may go back in many small steps.
            self.clock_ms = self.clock_ms.max(now_ms);
            return Ok(());
        }
        self.clock_ms = now_ms;
        self.schedules_due.clear();
        for workflow_id in self.catalog.workflow_ids() {
            self.recall_schedules(&workflow_id, now_ms)?;
            self.put_starts_right(&workflow_id, now_ms)?;
        }
        self.put_circuits_right(now_ms)
    }

    /// Looks at the schedules that are due, as many as one commit may.
    pub(super) fn fire_schedules(&mut self, now_ms: i64) -> Result<()> {
        for _ in 0..limits::SCHEDULES_PER_COMMIT {
            let Some(&(due_at_ms, id)) = self.schedules_due.first().filter(|(due_at_ms, _)| *due_at_ms <= now_ms)
            else {
                break;
            };
            self.schedules_due.pop_first();
            let Some(row) = self.store.schedule(id)? else { continue };
            if !self.catalog.is_defined(&row.workflow_id) {
                continue;
            }
            if self.check_room_for(limits::MISFIRES as usize).is_err() {
                self.schedules_due.insert((now_ms.max(due_at_ms) + FULL_PAUSE_MS, id));
                continue;
            }
            let is_paused = self.slots.is_paused(&row.workflow_id);
            let row = self.look_at(row, is_paused, now_ms)?;
            self.watch(&row)?;
            self.meet_needs(now_ms)?;
        }
        Ok(())
    }

    /// Decides what is due of a schedule, and stores it with the runs that start.
    fn look_at(&mut self, mut row: ScheduleRow, is_paused: bool, now_ms: i64) -> Result<ScheduleRow> {
        let spec = spec_of(&row)?;
        if let Timing::Poll { every_ms } = spec.timing {
            self.ask_for_items(&mut row, every_ms, is_paused, now_ms)?;
            return Ok(row);
        }
        let schedule = Schedule::new(&row.workflow_id, &spec)?;
        let before = row.progress.clone();
        let is_busy = spec.overlap != Overlap::Allow && self.is_busy(&row)?;
        let around = Surroundings { is_paused, is_busy };
        let mut instants = VecDeque::from(schedule.decide(&mut row.progress, now_ms, around));
        while let Some(instant_ms) = instants.pop_front() {
            if !self.start_scheduled(&mut row, &spec, instant_ms, now_ms)? {
                instants.extend(schedule.next_queued(&mut row.progress, around));
            }
        }
        if row.progress != before && !planted!(InstantTwice) {
            self.store.put_schedule(&row)?;
        }
        Ok(row)
    }

    /// Starts the run of an instant; false if it has had one, under a schedule of the same name before this one.
    fn start_scheduled(
        &mut self,
        row: &mut ScheduleRow,
        spec: &ScheduleSpec,
        instant_ms: i64,
        now_ms: i64,
    ) -> Result<bool> {
        let earlier = self.store.run_of_instant(&row.workflow_id, &row.name, instant_ms)?;
        if earlier.is_some() && !planted!(InstantTwice) {
            return Ok(false);
        }
        let id = self.ids.next(now_ms);
        let kind = if matches!(spec.timing, Timing::Interval { .. }) { "interval" } else { "schedule" };
        let scheduled_at = jiff::Timestamp::from_millisecond(instant_ms)
            .map_err(|_| Error::bug(format!("{instant_ms} ms is no instant")))?
            .to_string();
        let trigger = serde_json::json!({ "type": kind, "name": row.name, "scheduledAt": scheduled_at }).to_string();
        let origin = Origin {
            trigger: Some(trigger.into()),
            priority: self.catalog.require(&row.workflow_id)?.definition.priority,
            concurrency_key: spec.concurrency_key.as_deref().map(Into::into),
            rate_key: Some(spec.rate_key.as_deref().unwrap_or("").into()),
            instant: Some((&row.name, instant_ms)),
            ..Origin::default()
        };
        self.read.insert(id);
        self.begin_run(id, &row.workflow_id, origin, now_ms)?;
        row.progress.last_at_ms = Some(instant_ms);
        row.progress.last_run = Some(id);
        Ok(true)
    }

    /// A run has ended that a schedule has started: perhaps an instant waits for that.
    pub(super) fn tell_schedule(&mut self, run: RunId, name: &str, now_ms: i64) -> Result<()> {
        let ended = self.store.run(run)?.ok_or_else(|| query::run_not_found(run))?;
        let row = self.store.schedule_named(&ended.workflow_id, name)?;
        // Without its workflow it waits until that is defined.
        let Some(row) = row.filter(|row| !row.progress.queued.is_empty()) else { return Ok(()) };
        if !self.slots.is_open() {
            self.schedules_due.insert((now_ms, row.id));
        } else if self.catalog.is_defined(&row.workflow_id) {
            let is_paused = self.slots.is_paused(&row.workflow_id);
            let row = self.look_at(row, is_paused, now_ms)?;
            self.watch(&row)?;
        }
        Ok(())
    }

    /// Looks at all schedules of a workflow that is paused, and is about to go on, or goes on.
    pub(super) fn look_at_schedules(&mut self, workflow_id: &str, is_paused: bool, now_ms: i64) -> Result<()> {
        if is_paused != self.slots.is_paused(workflow_id) {
            // It was not paused: what has come due meanwhile is not lost.
            return Ok(());
        }
        if !is_paused && !self.slots.is_open() {
            return self.recall_schedules(workflow_id, now_ms);
        }
        for row in self.store.schedules(Some(workflow_id), 0, u32::MAX)? {
            let row = self.look_at(row, is_paused, now_ms)?;
            self.watch(&row)?;
        }
        Ok(())
    }

    fn is_busy(&mut self, row: &ScheduleRow) -> Result<bool> {
        Ok(self.store.open_run_of(&row.workflow_id, &row.name)?.is_some())
    }

    /// One page of schedules, with what comes next of each.
    pub(super) fn schedules_json(
        &mut self,
        workflow_id: Option<&str>,
        after: ScheduleId,
        limit: u32,
    ) -> Result<String> {
        let rows = self.store.schedules(workflow_id, after, limit)?;
        let mut texts = Vec::with_capacity(rows.len());
        for row in &rows {
            let spec = spec_of(row)?;
            let upcoming = match spec.timing {
                Timing::Poll { .. } => row.progress.next_at_ms.into_iter().collect(),
                _ => Schedule::new(&row.workflow_id, &spec)?.upcoming(&row.progress, UPCOMING),
            };
            texts.push(query::schedule(row, &spec, self.slots.is_paused(&row.workflow_id), upcoming)?);
        }
        let cursor = rows.last().filter(|_| rows.len() == limit as usize);
        let cursor = cursor.map_or(String::new(), |row| format!(r#","cursor":{}"#, row.id));
        Ok(format!(r#"{{"schedules":[{}]{cursor}}}"#, texts.join(",")))
    }
}

/// Instants to come that are told of each schedule.
const UPCOMING: usize = 5;

fn went_back(seen_at_ms: i64, now_ms: i64) -> bool {
    now_ms.saturating_add(limits::CLOCK_BACK_MS as i64) < seen_at_ms
}

fn timing_of(row: &ScheduleRow) -> Result<Timing> {
    spec_of(row).map(|spec| spec.timing)
}

/// What the workflow said of a stored schedule.
pub fn spec_of(row: &ScheduleRow) -> Result<ScheduleSpec> {
    let damaged = |_| Error::corrupt(format!("the schedule `{}` of `{}` is damaged", row.name, row.workflow_id));
    serde_json::from_str(&row.spec).map_err(damaged)
}

/// What a call hears that names a schedule which is not there.
pub fn schedule_not_found(id: ScheduleId) -> Error {
    Error::new(Code::ScheduleNotFound, format!("no schedule has the number {id}"))
}
