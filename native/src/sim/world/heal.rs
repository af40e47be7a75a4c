//! The liveness phase: the world is healed, the clock goes from timer to timer, everybody answers, and every run ends.

use super::{Verdict, World};
use crate::sim::auditor::Violation;
use crate::sim::disk::lock;
use crate::sim::faults::Rates;
use crate::sim::flows::EVENTS;
use crate::sim::handlers::Plan;
use crate::sim::oracle::Awaited;
use crate::sim::schedules::{exhausted, is_never};
use crate::sim::wish::Wish;
use crate::sim::workload::Told;

/// What can happen in the healed world before it must have come to rest.
const LIVENESS_ACTIONS: u64 = 60_000;

impl World {
    /// The faults end, and what was begun is brought to its end.
    pub(super) fn recover(&mut self) -> Verdict {
        self.trace.note(|| "the world is healed".to_owned());
        self.rates = Rates::default();
        self.is_healed = true;
        self.host.suspicious = true;
        self.catch_up()?;
        self.exhaust()?;
        for _ in 0..LIVENESS_ACTIONS {
            if !self.proceed()? && !self.answer_all()? {
                return Ok(());
            }
        }
        Err(self.not_ended("is still busy"))
    }

    /// What the clock has come to is done, and what is paused goes on, before more time passes.
    fn catch_up(&mut self) -> Verdict {
        loop {
            while self.exchange()? {}
            let paused = lock(&self.disk).store().paused().unwrap_or_default();
            let paused = self.numbers_of(&paused);
            if paused.is_empty() {
                break;
            }
            paused.into_iter().for_each(|workflow| self.wish(Wish::Pause { workflow, paused: false }));
        }
        self.wish(Wish::Tick);
        while self.exchange()? {}
        self.auditor.check_schedules()
    }

    /// From now on no instants come, so that the world may come to rest.
    fn exhaust(&mut self) -> Verdict {
        for number in 0..self.workflows.len() {
            self.workflows[number].schedules = exhausted(&self.workflows[number].schedules);
            self.wish(Wish::Define { workflow: number });
            while self.exchange()? {}
        }
        Ok(())
    }

    fn not_ended(&self, what: &str) -> Violation {
        let open: Vec<_> = self.auditor.open_runs().collect();
        Violation { rule: "every run ends", detail: format!("the healed world {what}, with {open:?} open") }
    }

    /// One message; false when host and engine have nothing to tell each other.
    fn exchange(&mut self) -> Result<bool, Violation> {
        self.counts.actions += 1;
        self.healed_actions += 1;
        if self.healed_actions > LIVENESS_ACTIONS {
            return Err(self.not_ended("is still busy"));
        }
        if !self.host.outgoing.is_empty() {
            self.deliver_requests()?;
        } else if !self.host.incoming.is_empty() {
            self.deliver_answer()?;
        } else if let Some(&seq) = self.host.unanswered.keys().next() {
            self.host.resend(seq, self.now_ms);
        } else if self.host.suspicious {
            self.host.heartbeat(self.now_ms);
        } else {
            return Ok(false);
        }
        Ok(true)
    }

    /// One thing that happens by itself; false when nothing does any more.
    fn proceed(&mut self) -> Result<bool, Violation> {
        if self.exchange()? {
            return Ok(true);
        }
        let wake_at_ms = self.host.wake_at_ms.filter(|wake_at_ms| !is_never(*wake_at_ms, self.now_ms));
        if let Some(wait_ms) = self.next_end() {
            self.elapsed_ms += wait_ms;
            self.now_ms += wait_ms as i64;
            self.end_handler()?;
            self.end_poll();
        } else if let Some(wake_at_ms) = wake_at_ms {
            let wait_ms = (wake_at_ms - self.now_ms).max(0);
            self.elapsed_ms += wait_ms as u64;
            self.now_ms += wait_ms;
            self.wish(Wish::Tick);
        } else {
            return Ok(false);
        }
        Ok(true)
    }

    /// How long until a handler ends, if that is before the next timer.
    fn next_end(&self) -> Option<u64> {
        let running = self.host.executing.values().filter(|execution| !execution.reported && !execution.asks);
        let ends = running.filter(|execution| execution.plan != Plan::Hangs).map(|execution| execution.ends_at_ms);
        let polling = self.host.polling.values().filter(|polling| !polling.reported);
        let ends = ends.chain(polling.map(|polling| polling.ends_at_ms));
        let wait_ms = ends.min()?.saturating_sub(self.elapsed_ms);
        let timer_first = self.host.wake_at_ms.is_some_and(|wake_at_ms| wake_at_ms < self.now_ms + wait_ms as i64);
        (!timer_first).then_some(wait_ms)
    }

    /// Runs that still wait do so for somebody: what is paused goes on, what is awaited is told, what is asked is
    /// answered. False when nobody waits.
    fn answer_all(&mut self) -> Result<bool, Violation> {
        self.auditor.check_waits()?;
        let paused = lock(&self.disk).store().paused().unwrap_or_default();
        let paused = self.numbers_of(&paused);
        if !paused.is_empty() {
            paused.into_iter().for_each(|workflow| self.wish(Wish::Pause { workflow, paused: false }));
            return Ok(true);
        }
        let awaited = self.auditor.awaited();
        let is_awaited =
            |name: &str| awaited.iter().any(|(.., what)| matches!(what, Awaited::Event(event, _) if event == name));
        let mut names = EVENTS.into_iter().filter(|name| is_awaited(name));
        if let Some(name) = names.next() {
            let told = Told { publication: self.number(), suits_all: true };
            self.wish(Wish::Publish { name, told, starts: Vec::new() });
            return Ok(true);
        }
        if let Some(place) = self.open_requests().into_iter().next() {
            let number = self.number();
            self.wish(Wish::Approve { place, approved: true, number });
            return Ok(true);
        }
        if self.auditor.open_runs().next().is_some() {
            return Err(self.not_ended("has come to rest"));
        }
        Ok(false)
    }
}
