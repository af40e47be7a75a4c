//! Polls: the host is asked for items when a poll is due, and each item that is new starts a run. Which were seen is
//! stored with the runs.

use super::Engine;
use super::schedules::{schedule_not_found, spec_of};
use crate::definition::Timing;
use crate::error::{Code, Error, Result};
use crate::ids::RunId;
use crate::limits;
use crate::machine::poll_backoff_ms;
use crate::model::{Origin, Progress, ScheduleRow, StateValue};
use crate::protocol::{CommandResult, Effect, Item, Polled};
use crate::value;

/// Where the items of a poll are remembered; `#` is in no name of a workflow.
fn space(row: &ScheduleRow) -> String {
    format!("#poll/{}/{}", row.workflow_id, row.name)
}

impl Engine {
    /// A poll is due. Should its answer never come, it is asked again after its interval, or sooner by the next process
    /// (`again_soon`).
    pub(super) fn ask_for_items(
        &mut self,
        row: &mut ScheduleRow,
        every_ms: u64,
        is_paused: bool,
        now_ms: i64,
    ) -> Result<()> {
        if row.progress.next_at_ms.is_none_or(|due_at_ms| due_at_ms > now_ms) {
            return Ok(());
        }
        row.progress.next_at_ms = Some(now_ms.saturating_add(every_ms as i64));
        row.progress.seen_at_ms = now_ms;
        self.store.put_schedule(row)?;
        if !is_paused {
            let (workflow, name) = (row.workflow_id.clone(), row.name.clone());
            self.effects.push(Effect::Poll { schedule: row.id, workflow, name });
        }
        Ok(())
    }

    /// A poll has given items, or failed.
    pub(super) fn polled(&mut self, polled: &Polled<'_>, now_ms: i64) -> Result<CommandResult<'static>> {
        let mut row = self.store.schedule(polled.schedule)?.ok_or_else(|| schedule_not_found(polled.schedule))?;
        let Timing::Poll { every_ms } = spec_of(&row)?.timing else { return Err(schedule_not_found(polled.schedule)) };
        let error = value::check_optional("error", polled.error)?;
        check_items(&polled.items)?;
        let runs = self.take_items(&row, &polled.items, now_ms)?;
        if let Some(last) = runs.last() {
            row.progress.last_run = Some(*last);
        }
        row.progress.last_at_ms = Some(now_ms);
        row.progress.failures = if error.is_some() { row.progress.failures.saturating_add(1) } else { 0 };
        row.progress.error = error.map(str::to_owned);
        let pause_ms = if error.is_some() { poll_backoff_ms(every_ms, row.progress.failures) } else { every_ms };
        row.progress.next_at_ms = Some(now_ms.saturating_add(pause_ms as i64));
        row.progress.seen_at_ms = now_ms;
        self.store.put_schedule(&row)?;
        if self.catalog.is_defined(&row.workflow_id) {
            self.schedules_due.extend(row.progress.next_at_ms.map(|due_at_ms| (due_at_ms, row.id)));
        }
        Ok(CommandResult::Polled { runs })
    }

    /// Starts a run for each item that was not seen. Those for which there is no room now are new the next time.
    fn take_items(&mut self, row: &ScheduleRow, items: &[Item<'_>], now_ms: i64) -> Result<Vec<RunId>> {
        let space = space(row);
        let priority = self.catalog.require(&row.workflow_id)?.definition.priority;
        let mut runs = Vec::new();
        for item in items {
            if self.store.state(&space, &item.id, now_ms)?.is_some() {
                continue;
            }
            if self.check_room().is_err() {
                break;
            }
            let run = self.ids.next(now_ms);
            let trigger = serde_json::json!({ "type": "poll", "name": row.name, "id": item.id }).to_string();
            let origin = Origin {
                payload: item.payload.map(|payload| payload.get().into()),
                trigger: Some(trigger.into()),
                priority,
                concurrency_key: item.concurrency_key.as_deref().map(Into::into),
                rate_key: Some(item.rate_key.as_deref().unwrap_or("").into()),
                ..Origin::default()
            };
            self.read.insert(run);
            self.begin_run(run, &row.workflow_id, origin, now_ms)?;
            let seen = StateValue { value: format!("\"{run}\""), expires_at_ms: None };
            self.store.set_state(&space, &item.id, Some(&seen))?;
            runs.push(run);
        }
        Ok(runs)
    }
}

/// The process that was asked may have ended before it answered. A poll that takes its process with it is not asked at once.
pub(super) fn again_soon(progress: &mut Progress, every_ms: u64) {
    let is_answered = progress.last_at_ms == Some(progress.seen_at_ms);
    if !is_answered {
        let again_at_ms = progress.seen_at_ms.saturating_add(every_ms.min(limits::POLL_AGAIN_MS) as i64);
        progress.next_at_ms = progress.next_at_ms.map(|next_at_ms| next_at_ms.min(again_at_ms));
    }
}

/// What is wrong with items, if anything is. Nothing is stored yet.
fn check_items(items: &[Item<'_>]) -> Result<()> {
    if items.len() as u64 > limits::POLL_ITEMS {
        let message = format!("a poll gives at most {} items, not {}", limits::POLL_ITEMS, items.len());
        return Err(Error::new(Code::ValueInvalid, message));
    }
    for item in items {
        value::check_text("id of an item", &item.id, limits::STATE_KEY_BYTES)?;
        value::check_optional("item", item.payload)?;
        value::check_limit_keys(item.concurrency_key.as_deref(), item.rate_key.as_deref())?;
    }
    Ok(())
}
