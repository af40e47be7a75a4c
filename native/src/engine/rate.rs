//! Rate limits: at most so many runs begin in any stretch of time, in the order in which they were started.
//!
//! A run that is started reserves the earliest time that is allowed: not before the one before it, and not within
//! `per_ms` of the one that is `count` starts ago. So nothing queues, and the limit holds across restarts. A run with
//! a delay does so when its delay is over.
//!
//! A run that could not begin when its time came, because no process was there, takes back its reservation and all
//! later ones; whoever has none when its time comes reserves again. So what was held up does not begin all at once.
//! While its workflow is paused nothing reserves and nothing begins: it is late when the pause is over.
//!
//! The host's clock may have been ahead, in this process or in one before. What has begun then counts as having begun
//! when that is noticed, and what is reserved later than the limit can have led to is taken back.

use std::collections::BTreeMap;

use super::{Active, Engine};
use crate::error::Result;
use crate::graph::Graph;
use crate::limits;
use crate::machine::Event;
use crate::model::Write;
use crate::store::Start;

impl Engine {
    /// When a run may begin that is ready to: now or later. The workflow has a rate limit.
    pub(super) fn reserve_start(&mut self, graph: &Graph, key: &str, now_ms: i64) -> Result<i64> {
        let Some(limit) = graph.definition.rate_limit else { return Ok(now_ms) };
        let starts = self.store.starts(graph.workflow_id(), key, limit.count)?;
        let per_ms = i64::try_from(limit.per_ms).unwrap_or(i64::MAX);
        let free_at_ms = starts.earlier_ms.map(|earlier_ms| earlier_ms.saturating_add(per_ms));
        let at_ms = [Some(now_ms), starts.latest_ms, free_at_ms].into_iter().flatten().max().unwrap_or(now_ms);
        let until_ms = now_ms.saturating_sub(per_ms);
        let start = Start { at_ms, has_begun: at_ms == now_ms };
        self.store.add_start(graph.workflow_id(), key, start, limit.count, until_ms)?;
        Ok(at_ms)
    }

    /// When a run would begin that is started in a pause: later than now, and not before those that have reserved.
    pub(super) fn withheld_start(&mut self, graph: &Graph, key: &str, now_ms: i64) -> Result<i64> {
        let Some(limit) = graph.definition.rate_limit else { return Ok(now_ms) };
        let latest_ms = self.store.starts(graph.workflow_id(), key, limit.count)?.latest_ms;
        Ok(latest_ms.unwrap_or(now_ms).max(now_ms + 1))
    }

    /// A run that is to begin has a reservation for now, or makes one. Gives it back if its time has come.
    pub(super) fn begin_limited(&mut self, active: Active, now_ms: i64) -> Result<Option<Active>> {
        let due_at_ms = active.run.begins_at_ms().filter(|begins_at_ms| *begins_at_ms <= now_ms);
        if self.slots.is_paused(active.graph.workflow_id()) {
            return Ok(Some(active));
        }
        let (Some(key), Some(due_at_ms)) = (active.run.rate_key.clone(), due_at_ms) else { return Ok(Some(active)) };
        let (id, graph) = (active.run.id, active.graph.clone());
        if now_ms - due_at_ms > limits::RATE_LATE_MS as i64 {
            self.store.drop_starts(graph.workflow_id(), &key, due_at_ms)?;
        } else if self.store.begin_start(graph.workflow_id(), &key, due_at_ms)? {
            return Ok(Some(active));
        }
        let at_ms = self.reserve_start(&graph, &key, now_ms)?;
        self.transition(active, Event::Reserved { at_ms }, now_ms, false)?;
        if at_ms > now_ms { Ok(None) } else { self.activate(id, now_ms) }
    }

    /// Puts right what was recorded under the limit of a workflow while the host's clock was ahead of now.
    pub(super) fn put_starts_right(&mut self, workflow_id: &str, now_ms: i64) -> Result<()> {
        let graph = self.catalog.versions(workflow_id).and_then(|versions| versions.last());
        let Some(limit) = graph.and_then(|graph| graph.definition.rate_limit) else { return Ok(()) };
        let soon_ms = now_ms.saturating_add(limits::CLOCK_BACK_MS as i64);
        self.store.move_begun_starts(workflow_id, soon_ms, now_ms)?;
        let per_ms = i64::try_from(limit.per_ms).unwrap_or(i64::MAX);
        let mut reserved: BTreeMap<String, i64> = BTreeMap::new();
        let mut taken_back: BTreeMap<(String, i64), u64> = BTreeMap::new();
        for (key, at_ms) in self.store.reservations(workflow_id, soon_ms)? {
            // So many may begin in each stretch of time from now on: the first is at most one stretch away.
            let earlier = reserved.entry(key.clone()).or_default();
            let latest_ms = soon_ms.saturating_add(per_ms.saturating_mul(*earlier / i64::from(limit.count) + 1));
            *earlier += 1;
            if at_ms > latest_ms {
                *taken_back.entry((key, at_ms)).or_default() += 1;
            }
        }
        for (key, at_ms) in taken_back.keys() {
            self.store.drop_starts(workflow_id, key, *at_ms)?;
        }
        if taken_back.is_empty() {
            return Ok(());
        }
        for (key, timer) in self.store.limited_runs(workflow_id, soon_ms)? {
            // One without a reservation has a delay, which is not over.
            let Some(left) = taken_back.get_mut(&(key, timer.due_at_ms)).filter(|left| **left > 0) else { continue };
            *left -= 1;
            // It is read again, and reserves again.
            self.active.remove(&timer.run);
            self.store.write(&Write::Reserve(timer.run, now_ms))?;
            self.store.write(&Write::SetTimer(timer.run, Some(now_ms)))?;
            self.timers_changed = true;
        }
        Ok(())
    }

    /// What a pause has kept from beginning is due again.
    pub(super) fn give_withheld_their_timers(&mut self, workflow_id: &str) -> Result<()> {
        for timer in self.store.withheld_starts(workflow_id)? {
            // It is read again, with its timer.
            self.active.remove(&timer.run);
            self.store.write(&Write::SetTimer(timer.run, Some(timer.due_at_ms)))?;
            self.timers_changed = true;
        }
        Ok(())
    }
}
