//! Events: stored while somebody who waits has not been told, told in order, forgotten when all have.

use std::sync::Arc;

use super::Engine;
use crate::error::{Code, Error, Result};
use crate::ids::RunId;
use crate::limits;
use crate::machine::Event;
use crate::model::{Place, StoredEvent};
use crate::protocol::{CommandResult, Publish, Start};
use crate::value;

/// An event on its way to those who wait for it.
#[derive(Debug)]
pub struct Delivery {
    name: Arc<str>,
    event: StoredEvent,
    /// The last one that was told.
    after: Option<Place>,
    /// Since when the rest waits.
    pub since_ms: i64,
}

impl Engine {
    pub(super) fn publish(&mut self, publish: &Publish<'_>, now_ms: i64) -> Result<CommandResult<'static>> {
        value::check_text("event name", &publish.name, limits::NAME_LENGTH)?;
        let payload = value::check_optional("payload", publish.payload)?;
        self.check_listeners(&publish.starts)?;
        let is_awaited = self.store.is_awaited(&publish.name)?;
        if is_awaited {
            self.check_room_for_event(&publish.name)?;
        }
        // From here on nothing is refused: who listens is started and who waits is told, or nobody. It is stored first:
        // what it starts does not wait for it.
        let event = match is_awaited {
            true => Some(self.store_event(&publish.name, payload, now_ms)?),
            false => None,
        };
        let runs = self.start_listeners(&publish.starts, now_ms)?;
        if event.is_some() {
            self.deliver_events(now_ms)?;
        }
        Ok(CommandResult::Published { event, runs })
    }

    /// A run that does not go on keeps what is published from being forgotten: it holds up its own events, not others.
    fn check_room_for_event(&mut self, name: &str) -> Result<()> {
        if self.events_stored.get(name).is_none_or(|stored| *stored < limits::EVENTS_PER_NAME) {
            return Ok(());
        }
        let run = self.store.waits(name, i64::MAX, None, 1)?.first().map(|place| place.run.to_string());
        let message = format!(
            "{} events `{name}` are kept for runs that wait and have not seen them, like {}: let them go on, or cancel them",
            limits::EVENTS_PER_NAME,
            run.unwrap_or_default()
        );
        Err(Error::new(Code::TooManyEvents, message))
    }

    fn store_event(&mut self, name: &str, payload: Option<&str>, now_ms: i64) -> Result<i64> {
        let id = self.store.insert_event(name, payload, now_ms)?;
        *self.events_stored.entry(name.into()).or_default() += 1;
        let event = StoredEvent { id, payload: payload.map(str::to_owned) };
        self.deliveries.push_back(Delivery { name: name.into(), event, after: None, since_ms: now_ms });
        Ok(id)
    }

    fn check_listeners(&self, starts: &[Start<'_>]) -> Result<()> {
        if starts.len() as u64 > limits::STARTS_PER_EVENT {
            let message = format!("an event starts runs of at most {} workflows", limits::STARTS_PER_EVENT);
            return Err(Error::new(Code::RequestInvalid, message));
        }
        for start in starts {
            self.check_start(start)?;
            if start.idempotency.is_some() || start.delivery.is_some() {
                return Err(Error::new(Code::RequestInvalid, "what an event starts has no key of its own"));
            }
        }
        self.check_room_for(starts.len())
    }

    fn start_listeners(&mut self, starts: &[Start<'_>], now_ms: i64) -> Result<Vec<RunId>> {
        let mut runs = Vec::with_capacity(starts.len());
        for start in starts {
            let id = self.ids.next(now_ms);
            self.begin_start(id, start, now_ms)?;
            runs.push(id);
        }
        Ok(runs)
    }

    /// Tells events to those who wait for them, as many as one commit may.
    pub(super) fn deliver_events(&mut self, now_ms: i64) -> Result<()> {
        let mut room = limits::DELIVERIES_PER_COMMIT as u32;
        while let Some(mut delivery) = self.deliveries.pop_front() {
            let places = self.store.waits(&delivery.name, delivery.event.id, delivery.after.as_ref(), room)?;
            room -= places.len() as u32;
            let rest = room == 0;
            for place in places {
                self.tell_event(&place, &delivery.event, now_ms)?;
                self.meet_needs(now_ms)?;
                delivery.after = Some(place);
            }
            if rest {
                self.deliveries.push_front(delivery);
                return Ok(());
            }
            self.events_seen.insert(delivery.name);
        }
        Ok(())
    }

    /// Tells an event to one who waits.
    pub(super) fn tell_event(&mut self, place: &Place, event: &StoredEvent, now_ms: i64) -> Result<()> {
        let Some(active) = self.active_or_read(place.run, now_ms)? else { return Ok(()) };
        let slot_free = self.slots.is_free_for(&active) && self.is_defined(&active);
        let event = Event::EventArrived { name: &place.name, scope: &place.scope, event };
        self.transition(active, event, now_ms, slot_free).map(drop)
    }

    /// Removes events that everybody has seen.
    pub(super) fn forget_events(&mut self) -> Result<()> {
        if !self.deliveries.is_empty() {
            return Ok(());
        }
        for name in std::mem::take(&mut self.events_seen) {
            let forgotten = self.store.forget_events(&name)?;
            let Some(stored) = self.events_stored.get_mut(&name) else { continue };
            *stored = stored.saturating_sub(forgotten);
            if *stored == 0 {
                self.events_stored.remove(&name);
            }
        }
        Ok(())
    }

    /// Events that were stored and not told to all before the process ended, or before a commit failed.
    pub(super) fn recall_events(&mut self) -> Result<()> {
        let events = self.store.events()?;
        self.events_stored.clear();
        for (name, _) in &events {
            *self.events_stored.entry(name.as_str().into()).or_default() += 1;
        }
        self.events_seen.clear();
        let delivery =
            |(name, event): (String, StoredEvent)| Delivery { name: name.into(), event, after: None, since_ms: 0 };
        self.deliveries = events.into_iter().map(delivery).collect();
        Ok(())
    }
}
