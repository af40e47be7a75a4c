//! Where runs come from: users, messages, events, schedules, polls, and other runs. What the auditor must know of a run
//! is its payload, or follows from what started it.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::{Auditor, Verdict, Violation, broken, ensure};
use crate::ids::RunId;
use crate::model::RunRow;
use crate::sim::report::Counts;
use crate::sim::wish::PollEnding;
use crate::sim::workload::{Intent, Polled};

/// A workflow, the name of its poll, and an item.
type Item = (String, String, String);

/// What is known of messages, events that start runs, and items.
#[derive(Debug, Default)]
pub struct Beginnings {
    /// The last run of each message, by workflow and id.
    deliveries: BTreeMap<(String, String), RunId>,
    /// How many runs each wish of a publication has started.
    listeners: BTreeMap<u64, BTreeMap<u64, u32>>,
    /// The run of each item, or none yet.
    items: BTreeMap<Item, Option<RunId>>,
    scheduled: u64,
    /// What has happened, in words.
    lived_through: BTreeSet<&'static str>,
}

impl Beginnings {
    /// Something has happened that not every world lives through.
    pub fn saw(&mut self, what: &'static str) {
        self.lived_through.insert(what);
    }

    /// What has happened, in words.
    pub fn lived_through(&self) -> impl Iterator<Item = &'static str> {
        self.lived_through.iter().copied()
    }
}

/// What the engine says has started a run by itself.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
enum Trigger {
    Schedule {
        name: String,
        #[serde(rename = "scheduledAt")]
        scheduled_at: String,
    },
    Interval {
        name: String,
        #[serde(rename = "scheduledAt")]
        scheduled_at: String,
    },
    Poll {
        name: String,
        id: String,
    },
}

impl Auditor {
    /// What is known of a run that was first seen.
    pub(super) fn first_intent(&mut self, row: &RunRow) -> Result<Intent, Violation> {
        if row.parent.is_some() {
            return Ok(Intent::default());
        }
        if let Some(origin) = row.replay_of {
            let origin = self.runs.get(&origin);
            let origin = origin.ok_or_else(|| broken("a replay is of a stored run", format!("{row:?}")))?;
            ensure(row.payload == origin.row.payload, "a replay has the payload of its origin", || format!("{row:?}"))?;
            return Ok(Intent { key: None, delivery: None, publication: None, ..origin.intent.clone() });
        }
        match &row.trigger {
            Some(trigger) => self.started_by_itself(row, trigger),
            None => self.started_by_user(row),
        }
    }

    fn started_by_itself(&mut self, row: &RunRow, trigger: &str) -> Result<Intent, Violation> {
        let wrong = |error: serde_json::Error| broken("a run says what has started it", format!("{trigger}: {error}"));
        let rate_key = match serde_json::from_str(trigger).map_err(wrong)? {
            Trigger::Schedule { name, scheduled_at } | Trigger::Interval { name, scheduled_at } => {
                self.beginnings.scheduled += 1;
                let key = (row.workflow_id.clone(), name);
                let rate_key = self.schedules.spec(&key).and_then(|spec| spec.rate_key.clone());
                let runs = &self.runs;
                let is_gone = |run| runs.get(&run).is_some_and(|seen| seen.is_gone);
                let instant: jiff::Timestamp = scheduled_at
                    .parse()
                    .map_err(|_| broken("a run says what has started it", format!("{scheduled_at} is no time")))?;
                self.schedules.started(key, instant.as_millisecond(), row.id, is_gone)?;
                rate_key
            }
            Trigger::Poll { name, id } => {
                let item = (row.workflow_id.clone(), name, id);
                let earlier = self.beginnings.items.get(&item).copied();
                ensure(earlier == Some(None), "an item that a poll has given starts one run", || {
                    format!("{earlier:?} and {} are of {item:?}", row.id)
                })?;
                let polled: Polled = serde_json::from_str(row.payload.as_deref().unwrap_or("null"))
                    .map_err(|error| broken("a payload is stored as it was sent", error.to_string()))?;
                ensure(polled.item == item.2, "a payload is stored as it was sent", || format!("{row:?}"))?;
                self.beginnings.items.insert(item, Some(row.id));
                polled.rate_key
            }
        };
        Ok(Intent { rate_key, ..Intent::default() })
    }

    fn started_by_user(&mut self, row: &RunRow) -> Result<Intent, Violation> {
        let intent: Intent = serde_json::from_str(row.payload.as_deref().unwrap_or("null"))
            .map_err(|error| broken("a payload is stored as it was sent", error.to_string()))?;
        let other = match (&intent.key, &intent.delivery) {
            (Some(key), _) => self.keys.insert((row.workflow_id.clone(), key.clone()), row.id),
            (_, Some(delivery)) => self.first_delivered(row, delivery),
            _ => self.tokens.insert(intent.token, row.id).filter(|_| !self.ambiguous.contains(&intent.token)),
        };
        ensure(other.is_none(), "P5 one wish starts one run", || {
            format!("{other:?} and {} are of {intent:?}", row.id)
        })?;
        if let Some(publication) = intent.publication {
            let listeners = self.beginnings.listeners.entry(publication).or_default();
            *listeners.entry(intent.token).or_default() += 1;
        }
        let begins_at_ms = row.start_at_ms.unwrap_or(row.created_at_ms);
        // Without a delay it may begin before it was started: by a clock that was ahead then.
        let delay_is_over = begins_at_ms >= row.created_at_ms + intent.delay_ms as i64;
        ensure(intent.delay_ms == 0 || delay_is_over, "P6 timers are never early", || {
            format!("{row:?} was to begin {} ms later", intent.delay_ms)
        })?;
        Ok(intent)
    }

    /// The run of an earlier delivery of the same message, unless it was to be forgotten by now.
    fn first_delivered(&mut self, row: &RunRow, delivery: &str) -> Option<RunId> {
        let earlier = self.beginnings.deliveries.insert((row.workflow_id.clone(), delivery.to_owned()), row.id)?;
        let seen = self.runs.get(&earlier)?;
        let until_ms = seen.intent.ttl_ms.map(|ttl_ms| seen.row.created_at_ms + ttl_ms as i64);
        let is_forgotten = until_ms.is_some_and(|until_ms| until_ms <= self.latest_ms);
        if is_forgotten {
            self.beginnings.lived_through.insert("a message is delivered again when it is forgotten");
        }
        (!is_forgotten).then_some(earlier)
    }

    /// Whether a message may be refused: one of its id was delivered with another body.
    pub(super) fn is_other_delivery(&self, workflow: &str, intent: &Intent) -> bool {
        self.runs.values().any(|seen| {
            seen.row.workflow_id == workflow
                && seen.intent.delivery == intent.delivery
                && seen.intent.fingerprint != intent.fingerprint
        })
    }

    /// The run that a message is answered with: the one of its first delivery.
    pub(super) fn check_delivery(&mut self, workflow: String, intent: &Intent, run: RunId) -> Verdict {
        let Some(delivery) = &intent.delivery else { return Ok(()) };
        if self.runs.get(&run).is_some_and(|seen| seen.intent.token != intent.token) {
            self.beginnings.lived_through.insert("a message is delivered again");
        }
        let last = self.beginnings.deliveries.get(&(workflow, delivery.clone()));
        // One that was forgotten and delivered anew in this transaction was answered before.
        let is_new = last.and_then(|last| self.runs.get(last)).is_some_and(|seen| seen.moved_in == self.transaction);
        ensure(last == Some(&run) || is_new, "P5 a message that is delivered again starts nothing", || {
            format!("{intent:?} got {run}, not {last:?}")
        })
    }

    /// An event will be published that starts runs.
    pub(super) fn asked_to_listen<'a>(&mut self, publication: u64, starts: impl Iterator<Item = &'a Intent>) {
        let wanted = starts.map(|intent| (intent.token, 0)).collect();
        self.beginnings.listeners.insert(publication, wanted);
    }

    /// An event starts all its runs, or none.
    pub(super) fn check_listeners(&self) -> Verdict {
        let is_same = |runs: &&BTreeMap<u64, u32>| {
            let first = runs.values().next();
            runs.values().any(|runs| Some(runs) != first)
        };
        let torn = self.beginnings.listeners.values().find(is_same);
        ensure(torn.is_none(), "an event starts all its runs or none", || format!("{torn:?}"))
    }

    /// The runs that an acknowledged publication has started.
    pub(super) fn listened(&mut self, starts: &[(usize, Intent)], runs: &[RunId]) -> Verdict {
        let rule = "P1 an acknowledged start is stored";
        ensure(starts.len() == runs.len(), rule, || format!("{starts:?} got {runs:?}"))?;
        if runs.len() > 1 {
            self.beginnings.lived_through.insert("an event starts several runs");
        }
        starts.iter().zip(runs).try_for_each(|((workflow, intent), run)| self.started(*workflow, intent, Some(*run)))
    }

    /// A poll will give these items.
    pub(super) fn asked_to_take(&mut self, ending: &PollEnding) {
        for polled in ending.items.iter().flatten() {
            let item = (ending.workflow.clone(), ending.name.clone(), polled.item.clone());
            self.beginnings.items.entry(item).or_default();
        }
    }

    /// What a poll has given was taken in.
    pub(super) fn took(&mut self, ending: &PollEnding, runs: &[RunId]) -> Verdict {
        let rule = "every item of an acknowledged poll has its run";
        for polled in ending.items.iter().flatten() {
            let item = (ending.workflow.clone(), ending.name.clone(), polled.item.clone());
            let run = self.beginnings.items.get(&item).copied().flatten();
            ensure(run.is_some(), rule, || format!("{item:?} has none"))?;
        }
        if ending.items.as_ref().is_some_and(|items| items.len() > runs.len()) {
            self.beginnings.lived_through.insert("a poll gives an item again");
        }
        let is_unknown = |run: &&RunId| !self.beginnings.items.values().any(|of| of.as_ref() == Some(run));
        let unknown = runs.iter().find(is_unknown);
        ensure(unknown.is_none(), rule, || format!("{unknown:?} is of none"))
    }

    /// What has started how many runs.
    pub fn count_beginnings(&self, counts: &mut Counts) {
        counts.scheduled += self.beginnings.scheduled;
        counts.polled += self.beginnings.items.values().flatten().count() as u64;
        counts.listened +=
            self.beginnings.listeners.values().flat_map(BTreeMap::values).map(|runs| u64::from(*runs)).sum::<u64>();
    }
}
