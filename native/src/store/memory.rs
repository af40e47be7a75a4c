//! The store of tests: ordered maps, with an undo log per transaction.

use std::collections::BTreeMap;

use super::{Claim, Start, Starts, Store};
use crate::error::{Error, Result};
use crate::ids::RunId;
use crate::model::{
    ApprovalRow, ApprovalStatus, CircuitRow, DefinitionId, Output, Place, RunFilter, RunRow, RunStatus, RunSummary,
    ScheduleId, ScheduleRow, StateValue, StepRow, StepStatus, StepSummary, StoredEvent, Timer, Write,
};

/// A map that can take back what was changed since the last commit.
#[derive(Debug, Clone)]
struct Table<K, V> {
    rows: BTreeMap<K, V>,
    undo: Vec<(K, Option<V>)>,
}

impl<K, V> Default for Table<K, V> {
    fn default() -> Self {
        Table { rows: BTreeMap::new(), undo: Vec::new() }
    }
}

impl<K: Ord + Clone, V: Clone> Table<K, V> {
    fn put(&mut self, key: K, value: V) {
        let before = self.rows.insert(key.clone(), value);
        self.undo.push((key, before));
    }

    fn remove(&mut self, key: &K) {
        if let Some(before) = self.rows.remove(key) {
            self.undo.push((key.clone(), Some(before)));
        }
    }
}

/// What a table does at the end of a transaction.
trait Transactional {
    fn commit(&mut self);
    fn rollback(&mut self);
}

impl<K: Ord + Clone, V: Clone> Transactional for Table<K, V> {
    fn commit(&mut self) {
        self.undo.clear();
    }

    fn rollback(&mut self) {
        while let Some((key, before)) = self.undo.pop() {
            match before {
                Some(value) => self.rows.insert(key, value),
                None => self.rows.remove(&key),
            };
        }
    }
}

/// Keeps everything in memory; nothing outlives the process.
#[derive(Debug, Clone, Default)]
pub struct MemoryStore {
    definitions: Table<DefinitionId, (String, String, String)>,
    runs: Table<RunId, Stored>,
    steps: Table<(RunId, u32), StepRow>,
    timers: Table<RunId, i64>,
    claims: Table<(String, String), Claim>,
    events: Table<i64, (String, Option<String>)>,
    last_event: Table<(), i64>,
    last_removed: Table<(), RunId>,
    waits: Table<(String, Place), i64>,
    approvals: Table<Place, Approval>,
    state: Table<(String, String), StateValue>,
    circuits: Table<String, CircuitRow>,
    paused: Table<String, ()>,
    starts: Table<StartKey, bool>,
    schedules: Table<ScheduleId, ScheduleRow>,
    last_schedule: Table<(), ScheduleId>,
}

/// A workflow, a key of its rate limit, a time, and a number that tells those of one time apart.
type StartKey = (String, String, i64, u32);

/// A run, with what only the machine reads.
#[derive(Debug, Clone)]
struct Stored {
    row: RunRow,
    hook_queued: bool,
    priority: i32,
    concurrency_key: Option<String>,
    rate_key: Option<String>,
    idempotency_key: Option<String>,
    depth: u32,
    mocks: Option<String>,
    instant: Option<(String, i64)>,
}

#[derive(Debug, Clone)]
struct Approval {
    token_hash: String,
    status: ApprovalStatus,
    opened_at_ms: i64,
    expires_at_ms: Option<i64>,
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> MemoryStore {
        MemoryStore::default()
    }

    /// How many runs are of a kind, by workflow.
    fn count(&self, is_meant: impl Fn(&RunRow) -> bool) -> Vec<(String, u32)> {
        let mut counts = BTreeMap::new();
        for stored in self.runs.rows.values().filter(|stored| is_meant(&stored.row)) {
            *counts.entry(stored.row.workflow_id.clone()).or_default() += 1;
        }
        counts.into_iter().collect()
    }

    fn change_run(&mut self, id: RunId, change: impl FnOnce(&mut RunRow)) -> Result<()> {
        self.change(id, |stored| change(&mut stored.row))
    }

    fn change(&mut self, id: RunId, change: impl FnOnce(&mut Stored)) -> Result<()> {
        let stored = self.runs.rows.get(&id).ok_or_else(|| Error::bug(format!("run {id} is not stored")))?;
        let mut stored = stored.clone();
        change(&mut stored);
        self.runs.put(id, stored);
        Ok(())
    }

    fn starts_of(&self, workflow_id: &str, key: &str) -> impl DoubleEndedIterator<Item = (&StartKey, &bool)> {
        let of = |at_ms, number| (workflow_id.to_owned(), key.to_owned(), at_ms, number);
        self.starts.rows.range(of(i64::MIN, 0)..=of(i64::MAX, u32::MAX))
    }

    fn put_start(&mut self, workflow_id: String, key: String, start: Start) {
        let same_time = self.starts_of(&workflow_id, &key).filter(|(key, _)| key.2 == start.at_ms);
        let number = same_time.map(|(key, _)| key.3 + 1).max().unwrap_or(0);
        self.starts.put((workflow_id, key, start.at_ms, number), start.has_begun);
    }

    fn approval_row(&self, place: &Place, approval: &Approval) -> Option<ApprovalRow> {
        let run = &self.runs.rows.get(&place.run)?.row;
        Some(ApprovalRow {
            place: place.clone(),
            workflow_id: run.workflow_id.clone(),
            definition: run.definition,
            status: approval.status,
            opened_at_ms: approval.opened_at_ms,
            expires_at_ms: approval.expires_at_ms,
        })
    }

    /// Every table, so that none is forgotten at the end of a transaction.
    fn tables(&mut self) -> [&mut dyn Transactional; 16] {
        [
            &mut self.definitions,
            &mut self.runs,
            &mut self.steps,
            &mut self.timers,
            &mut self.claims,
            &mut self.events,
            &mut self.last_event,
            &mut self.last_removed,
            &mut self.waits,
            &mut self.approvals,
            &mut self.state,
            &mut self.circuits,
            &mut self.paused,
            &mut self.starts,
            &mut self.schedules,
            &mut self.last_schedule,
        ]
    }

    fn steps_of(&self, run: RunId, after: u32) -> impl Iterator<Item = &StepRow> {
        self.steps.rows.range((run, after.saturating_add(1))..=(run, u32::MAX)).map(|(_, step)| step)
    }
}

impl Store for MemoryStore {
    fn begin(&mut self) -> Result<()> {
        Ok(())
    }

    fn commit(&mut self) -> Result<()> {
        self.tables().into_iter().for_each(Transactional::commit);
        Ok(())
    }

    fn rollback(&mut self) {
        self.tables().into_iter().for_each(Transactional::rollback);
    }

    fn write(&mut self, write: &Write<'_>) -> Result<()> {
        match write {
            Write::InsertRun(new) => {
                let origin = &new.origin;
                if self.runs.rows.contains_key(&new.id) {
                    return Err(Error::bug(format!("run {} is already stored", new.id)));
                }
                let row = RunRow {
                    id: new.id,
                    workflow_id: new.workflow_id.to_owned(),
                    definition: new.definition,
                    status: new.status,
                    open: true,
                    parent: origin.parent,
                    replay_of: origin.replay_of,
                    start_at_ms: origin.start_at_ms,
                    payload: origin.payload.as_deref().map(str::to_owned),
                    trigger: origin.trigger.as_deref().map(str::to_owned),
                    output: None,
                    error: None,
                    created_at_ms: new.created_at_ms,
                    finished_at_ms: None,
                };
                let stored = Stored {
                    row,
                    hook_queued: false,
                    priority: origin.priority,
                    concurrency_key: origin.concurrency_key.as_deref().map(str::to_owned),
                    rate_key: origin.rate_key.as_deref().map(str::to_owned),
                    idempotency_key: origin.idempotency_key.as_deref().map(str::to_owned),
                    depth: origin.depth,
                    mocks: origin.mocks.as_deref().map(str::to_owned),
                    instant: origin.instant.map(|(schedule, instant_ms)| (schedule.to_owned(), instant_ms)),
                };
                self.runs.put(new.id, stored);
            }
            Write::InsertStep(new) => {
                let key = (new.run, new.sequence);
                if self.steps.rows.contains_key(&key) {
                    return Err(Error::bug(format!("attempt {} of run {} is already stored", new.sequence, new.run)));
                }
                let row = StepRow {
                    sequence: new.sequence,
                    name: new.name.to_owned(),
                    scope: new.scope.to_string(),
                    handler: new.handler,
                    attempt: new.attempt,
                    status: new.status,
                    output: match &new.output {
                        Output::Absent => None,
                        Output::Text(text) => Some(text.clone().into_owned()),
                        _ => return Err(Error::bug("an output was not put together before it was stored")),
                    },
                    decision: new.decision,
                    error: new.error.as_deref().map(str::to_owned),
                    retry_at_ms: new.retry_at_ms,
                    started_at_ms: new.started_at_ms,
                    finished_at_ms: new.finished_at_ms,
                };
                self.steps.put(key, row);
            }
            Write::SetStatus(run, status) => self.change_run(*run, |row| row.status = *status)?,
            Write::SetHookQueued(run, queued) => self.change(*run, |stored| stored.hook_queued = *queued)?,
            Write::Begin(run) => self.change(*run, |stored| stored.rate_key = None)?,
            Write::Reserve(run, at_ms) => self.change_run(*run, |row| row.start_at_ms = Some(*at_ms))?,
            Write::SetDefinition(run, definition) => self.change_run(*run, |row| row.definition = *definition)?,
            Write::EndRun(end) => {
                let output = end
                    .output_of
                    .and_then(|sequence| self.steps.rows.get(&(end.run, sequence)))
                    .and_then(|step| step.output.clone());
                self.change_run(end.run, |row| {
                    row.status = end.status;
                    row.output = output;
                    row.error = end.error.as_deref().map(str::to_owned);
                    row.finished_at_ms = Some(end.finished_at_ms);
                    row.open = end.open;
                })?;
            }
            Write::ParkRun(run, error) => self.change_run(*run, |row| {
                row.status = RunStatus::Stuck;
                row.error = Some(error.to_string());
                row.open = false;
            })?,
            Write::ReopenRun(run) => self.change(*run, |stored| {
                stored.hook_queued = false;
                stored.row.status = RunStatus::Pending;
                stored.row.error = None;
                stored.row.finished_at_ms = None;
                stored.row.open = true;
            })?,
            Write::CloseRun(run) => self.change_run(*run, |row| row.open = false)?,
            Write::SetTimer(run, Some(due_at_ms)) => self.timers.put(*run, *due_at_ms),
            Write::SetTimer(run, None) => self.timers.remove(run),
            Write::OpenWait(place, event) => {
                let last = self.last_event.rows.get(&()).copied().unwrap_or(0);
                self.waits.put((event.to_string(), place.clone()), last);
            }
            Write::AdvanceWait(place, event, seen) => {
                let key = (event.to_string(), place.clone());
                if self.waits.rows.contains_key(&key) {
                    self.waits.put(key, *seen);
                }
            }
            Write::CloseWait(place, event) => self.waits.remove(&(event.to_string(), place.clone())),
            Write::OpenApproval(place, token_hash, opened_at_ms, expires_at_ms) => {
                let approval = Approval {
                    token_hash: token_hash.clone(),
                    status: ApprovalStatus::Open,
                    opened_at_ms: *opened_at_ms,
                    expires_at_ms: *expires_at_ms,
                };
                self.approvals.put(place.clone(), approval);
            }
            Write::CloseApproval(place, status) => {
                let open = self.approvals.rows.get(place).filter(|approval| approval.status == ApprovalStatus::Open);
                if let Some(approval) = open.cloned() {
                    self.approvals.put(place.clone(), Approval { status: *status, ..approval });
                }
            }
            Write::SetCircuit(name, circuit) => self.circuits.put(name.to_string(), *circuit),
        }
        Ok(())
    }

    fn define(&mut self, workflow_id: &str, hash: &str, definition: &str, _now_ms: i64) -> Result<DefinitionId> {
        let known = self.definitions.rows.iter().find(|(_, (id, stored, _))| id == workflow_id && stored == hash);
        if let Some((id, _)) = known {
            return Ok(*id);
        }
        let id = self.definitions.rows.last_key_value().map_or(1, |(last, _)| last + 1);
        self.definitions.put(id, (workflow_id.to_owned(), hash.to_owned(), definition.to_owned()));
        Ok(id)
    }

    fn definition(&mut self, id: DefinitionId) -> Result<Option<String>> {
        Ok(self.definitions.rows.get(&id).map(|(_, _, text)| text.clone()))
    }

    fn claim(&mut self, workflow_id: &str, key: &str, claim: &Claim) -> Result<Option<Claim>> {
        let key = (workflow_id.to_owned(), key.to_owned());
        if let Some(earlier) = self.claims.rows.get(&key) {
            return Ok(Some(earlier.clone()));
        }
        self.claims.put(key, claim.clone());
        Ok(None)
    }

    fn delete_run(&mut self, run: RunId) -> Result<()> {
        let Some(stored) = self.runs.rows.get(&run).cloned() else { return Ok(()) };
        if let Some(key) = stored.idempotency_key {
            self.claims.remove(&(stored.row.workflow_id, key));
        }
        let steps: Vec<_> = self.steps_of(run, 0).map(|step| (run, step.sequence)).collect();
        steps.iter().for_each(|step| self.steps.remove(step));
        let places: Vec<_> = self.approvals.rows.keys().filter(|place| place.run == run).cloned().collect();
        places.iter().for_each(|place| self.approvals.remove(place));
        self.timers.remove(&run);
        self.runs.remove(&run);
        let before = self.last_removed.rows.get(&()).copied();
        self.last_removed.put((), before.map_or(run, |before| before.max(run)));
        Ok(())
    }

    fn summary(&mut self, run: RunId) -> Result<Option<RunSummary>> {
        let Some(stored) = self.runs.rows.get(&run) else { return Ok(None) };
        let failed_for_good = |step: &StepRow| {
            step.retry_at_ms.is_none() && matches!(step.status, StepStatus::Failed | StepStatus::TimedOut)
        };
        let steps = self.steps_of(run, 0).map(|step| StepSummary {
            sequence: step.sequence,
            name: step.name.clone(),
            scope: step.scope.clone(),
            handler: step.handler,
            status: step.status,
            decision: step.decision,
            output_bytes: step.output.as_ref().map(|output| output.len() as u32),
            error: step.error.clone().filter(|_| failed_for_good(step)),
            retry_at_ms: step.retry_at_ms,
            finished_at_ms: step.finished_at_ms,
        });
        Ok(Some(RunSummary {
            id: run,
            definition: stored.row.definition,
            workflow_id: stored.row.workflow_id.clone(),
            status: stored.row.status,
            open: stored.row.open,
            hook_queued: stored.hook_queued,
            created_at_ms: stored.row.created_at_ms,
            start_at_ms: stored.row.start_at_ms,
            priority: stored.priority,
            concurrency_key: stored.concurrency_key.clone(),
            rate_key: stored.rate_key.clone(),
            parent: stored.row.parent,
            depth: stored.depth,
            mocks: stored.mocks.clone(),
            schedule: stored.instant.as_ref().map(|(schedule, _)| schedule.clone()),
            error: stored.row.error.clone(),
            timer_due_at_ms: self.timers.rows.get(&run).copied(),
            steps: steps.collect(),
        }))
    }

    fn ready_runs(&mut self, workflow_id: &str) -> Result<Vec<RunId>> {
        let ready = |row: &&RunRow| row.open && row.status != RunStatus::Waiting && row.workflow_id == workflow_id;
        Ok(self.runs.rows.values().map(|stored| &stored.row).filter(ready).map(|row| row.id).collect())
    }

    fn parked_runs(&mut self, workflow_id: &str, definition: DefinitionId) -> Result<Vec<RunId>> {
        let parked = |row: &&RunRow| {
            row.status == RunStatus::Stuck && row.workflow_id == workflow_id && row.definition == definition
        };
        Ok(self.runs.rows.values().map(|stored| &stored.row).filter(parked).map(|row| row.id).collect())
    }

    fn stuck_counts(&mut self) -> Result<Vec<(String, u32)>> {
        Ok(self.count(|row| row.status == RunStatus::Stuck))
    }

    fn open_counts_but(&mut self, known: &[String]) -> Result<Vec<(String, u32)>> {
        let is_meant = |row: &RunRow| row.open && row.status != RunStatus::Stuck && !known.contains(&row.workflow_id);
        Ok(self.count(is_meant))
    }

    fn withheld_starts(&mut self, workflow_id: &str) -> Result<Vec<Timer>> {
        let has_timer = |timer: &Timer| self.timers.rows.get(&timer.run).is_some_and(|at_ms| *at_ms <= timer.due_at_ms);
        let waits = |stored: &&Stored| {
            let row = &stored.row;
            row.status == RunStatus::Waiting && row.workflow_id == workflow_id && stored.rate_key.is_some()
        };
        let start = |stored: &Stored| Some(Timer { due_at_ms: stored.row.start_at_ms?, run: stored.row.id });
        let all = self.runs.rows.values().filter(waits).filter_map(start);
        let mut withheld: Vec<Timer> = all.filter(|timer| !has_timer(timer)).collect();
        withheld.sort_unstable_by_key(|timer| (timer.due_at_ms, timer.run));
        Ok(withheld)
    }

    fn due_timers(&mut self, now_ms: i64, limit: u32) -> Result<Vec<Timer>> {
        let all = self.timers.rows.iter().map(|(&run, &due_at_ms)| Timer { due_at_ms, run });
        let mut due: Vec<Timer> = all.filter(|timer| timer.due_at_ms <= now_ms).collect();
        due.sort();
        due.truncate(limit as usize);
        Ok(due)
    }

    fn next_timer(&mut self) -> Result<Option<i64>> {
        Ok(self.timers.rows.values().min().copied())
    }

    fn last_run(&mut self) -> Result<Option<RunId>> {
        let stored = self.runs.rows.last_key_value().map(|(id, _)| *id);
        Ok(stored.max(self.last_removed.rows.get(&()).copied()))
    }

    fn run(&mut self, id: RunId) -> Result<Option<RunRow>> {
        Ok(self.runs.rows.get(&id).map(|stored| stored.row.clone()))
    }

    fn history(&mut self, run: RunId, after: u32, limit: u32) -> Result<Vec<StepRow>> {
        Ok(self.steps_of(run, after).take(limit as usize).cloned().collect())
    }

    fn output(&mut self, run: RunId, sequence: u32) -> Result<Option<String>> {
        let step = self.steps.rows.get(&(run, sequence));
        let missing = || Error::bug(format!("attempt {sequence} of run {run} is not stored"));
        step.map(|step| step.output.clone()).ok_or_else(missing)
    }

    fn list(&mut self, filter: &RunFilter) -> Result<Vec<RunRow>> {
        let wanted = |row: &&RunRow| {
            filter.workflow_id.as_ref().is_none_or(|id| *id == row.workflow_id)
                && filter.status.is_none_or(|status| status == row.status)
                && filter.since_ms.is_none_or(|since| row.created_at_ms >= since)
                && filter.before.is_none_or(|before| row.id < before)
        };
        let rows = self.runs.rows.values().rev().map(|stored| &stored.row).filter(wanted);
        Ok(rows.take(filter.limit as usize).map(summary).collect())
    }

    fn insert_event(&mut self, name: &str, payload: Option<&str>, _now_ms: i64) -> Result<i64> {
        let id = self.last_event.rows.get(&()).map_or(1, |last| last + 1);
        self.last_event.put((), id);
        self.events.put(id, (name.to_owned(), payload.map(str::to_owned)));
        Ok(id)
    }

    fn events(&mut self) -> Result<Vec<(String, StoredEvent)>> {
        let event = |(&id, (name, payload)): (&i64, &(String, Option<String>))| {
            (name.clone(), StoredEvent { id, payload: payload.clone() })
        };
        Ok(self.events.rows.iter().map(event).collect())
    }

    fn next_event(&mut self, place: &Place, name: &str) -> Result<Option<StoredEvent>> {
        let Some(&after) = self.waits.rows.get(&(name.to_owned(), place.clone())) else { return Ok(None) };
        let mut later = self.events.rows.range(after + 1..).filter(|(_, (stored, _))| stored == name);
        Ok(later.next().map(|(&id, (_, payload))| StoredEvent { id, payload: payload.clone() }))
    }

    fn is_awaited(&mut self, name: &str) -> Result<bool> {
        Ok(self.waits.rows.keys().any(|(event, _)| event == name))
    }

    fn waits(&mut self, name: &str, event: i64, after: Option<&Place>, limit: u32) -> Result<Vec<Place>> {
        let waiting = self.waits.rows.iter().filter(|((waits_for, place), seen)| {
            waits_for == name && **seen < event && after.is_none_or(|after| place > after)
        });
        Ok(waiting.take(limit as usize).map(|((_, place), _)| place.clone()).collect())
    }

    fn forget_events(&mut self, name: &str) -> Result<u64> {
        let waits = self.waits.rows.iter().filter(|((event, _), _)| event == name);
        let seen = waits.map(|(_, seen)| *seen).min().unwrap_or(i64::MAX);
        let old = self.events.rows.iter().filter(|(id, (stored, _))| stored == name && **id <= seen);
        let old: Vec<i64> = old.map(|(id, _)| *id).collect();
        old.iter().for_each(|id| self.events.remove(id));
        Ok(old.len() as u64)
    }

    fn approval(&mut self, token_hash: &str) -> Result<Option<ApprovalRow>> {
        let found = self.approvals.rows.iter().find(|(_, approval)| approval.token_hash == token_hash);
        Ok(found.and_then(|(place, approval)| self.approval_row(place, approval)))
    }

    fn approvals(&mut self, workflow_id: Option<&str>, limit: u32) -> Result<Vec<ApprovalRow>> {
        let open = self.approvals.rows.iter().filter(|(_, approval)| approval.status == ApprovalStatus::Open);
        let rows = open.filter_map(|(place, approval)| self.approval_row(place, approval));
        let wanted = rows.filter(|row| workflow_id.is_none_or(|workflow_id| workflow_id == row.workflow_id));
        Ok(wanted.take(limit as usize).collect())
    }

    fn state(&mut self, space: &str, key: &str, now_ms: i64) -> Result<Option<StateValue>> {
        let value = self.state.rows.get(&(space.to_owned(), key.to_owned()));
        Ok(value.filter(|value| value.expires_at_ms.is_none_or(|expires_at_ms| expires_at_ms > now_ms)).cloned())
    }

    fn set_state(&mut self, space: &str, key: &str, value: Option<&StateValue>) -> Result<()> {
        let key = (space.to_owned(), key.to_owned());
        match value {
            Some(value) => self.state.put(key, value.clone()),
            None => self.state.remove(&key),
        }
        Ok(())
    }

    fn expire_state(&mut self, now_ms: i64, limit: u32) -> Result<()> {
        let is_over = |value: &StateValue| value.expires_at_ms.is_some_and(|expires_at_ms| expires_at_ms <= now_ms);
        let over = self.state.rows.iter().filter(|(_, value)| is_over(value)).take(limit as usize);
        let over: Vec<_> = over.map(|(key, _)| key.clone()).collect();
        over.iter().for_each(|key| self.state.remove(key));
        Ok(())
    }

    fn next_expiry(&mut self) -> Result<Option<i64>> {
        Ok(self.state.rows.values().filter_map(|value| value.expires_at_ms).min())
    }

    fn circuits(&mut self) -> Result<Vec<(String, CircuitRow)>> {
        Ok(self.circuits.rows.iter().map(|(name, circuit)| (name.clone(), *circuit)).collect())
    }

    fn paused(&mut self) -> Result<Vec<String>> {
        Ok(self.paused.rows.keys().cloned().collect())
    }

    fn set_paused(&mut self, workflow_id: &str, paused: bool) -> Result<()> {
        match paused {
            true => self.paused.put(workflow_id.to_owned(), ()),
            false => self.paused.remove(&workflow_id.to_owned()),
        }
        Ok(())
    }

    fn starts(&mut self, workflow_id: &str, key: &str, back: u32) -> Result<Starts> {
        let latest_ms = self.starts_of(workflow_id, key).next_back().map(|(key, _)| key.2);
        let earlier_ms = self.starts_of(workflow_id, key).nth_back(back as usize - 1).map(|(key, _)| key.2);
        Ok(Starts { latest_ms, earlier_ms })
    }

    fn add_start(&mut self, workflow_id: &str, key: &str, start: Start, keep: u32, until_ms: i64) -> Result<()> {
        self.put_start(workflow_id.to_owned(), key.to_owned(), start);
        let last_kept = self.starts_of(workflow_id, key).nth_back(keep as usize - 1).map(|(key, _)| key.2);
        let Some(last_kept) = last_kept else { return Ok(()) };
        let before_ms = last_kept.min(until_ms.saturating_add(1));
        let old = self.starts_of(workflow_id, key).filter(|(key, _)| key.2 < before_ms);
        let old: Vec<_> = old.map(|(key, _)| key.clone()).collect();
        old.iter().for_each(|key| self.starts.remove(key));
        Ok(())
    }

    fn begin_start(&mut self, workflow_id: &str, key: &str, at_ms: i64) -> Result<bool> {
        let reserved = self.starts_of(workflow_id, key).find(|(key, has_begun)| key.2 == at_ms && !**has_begun);
        let Some(reserved) = reserved.map(|(key, _)| key.clone()) else { return Ok(false) };
        self.starts.put(reserved, true);
        Ok(true)
    }

    fn schedules(&mut self, workflow_id: Option<&str>, after: ScheduleId, limit: u32) -> Result<Vec<ScheduleRow>> {
        let later = self.schedules.rows.range(after + 1..).map(|(_, row)| row);
        let wanted = later.filter(|row| workflow_id.is_none_or(|workflow_id| row.workflow_id == workflow_id));
        Ok(wanted.take(limit as usize).cloned().collect())
    }

    fn schedule(&mut self, id: ScheduleId) -> Result<Option<ScheduleRow>> {
        Ok(self.schedules.rows.get(&id).cloned())
    }

    fn schedule_named(&mut self, workflow_id: &str, name: &str) -> Result<Option<ScheduleRow>> {
        let is_it = |row: &&ScheduleRow| row.workflow_id == workflow_id && row.name == name;
        Ok(self.schedules.rows.values().find(is_it).cloned())
    }

    fn put_schedule(&mut self, row: &ScheduleRow) -> Result<ScheduleId> {
        let id = match row.id {
            0 => self.last_schedule.rows.get(&()).copied().unwrap_or(0) + 1,
            id => id,
        };
        if row.id == 0 {
            self.last_schedule.put((), id);
        }
        self.schedules.put(id, ScheduleRow { id, ..row.clone() });
        Ok(id)
    }

    fn remove_schedule(&mut self, id: ScheduleId) -> Result<()> {
        self.schedules.remove(&id);
        Ok(())
    }

    fn run_of_instant(&mut self, workflow_id: &str, name: &str, instant_ms: i64) -> Result<Option<RunId>> {
        let is_it = |stored: &&Stored| {
            stored.row.workflow_id == workflow_id
                && stored.instant.as_ref().is_some_and(|(schedule, at_ms)| schedule == name && *at_ms == instant_ms)
        };
        Ok(self.runs.rows.values().find(is_it).map(|stored| stored.row.id))
    }

    fn open_run_of(&mut self, workflow_id: &str, name: &str) -> Result<Option<RunId>> {
        let is_open = |status| matches!(status, RunStatus::Pending | RunStatus::Running | RunStatus::Waiting);
        let is_it = |stored: &&Stored| {
            is_open(stored.row.status)
                && stored.row.workflow_id == workflow_id
                && stored.instant.as_ref().is_some_and(|(schedule, _)| schedule == name)
        };
        Ok(self.runs.rows.values().find(is_it).map(|stored| stored.row.id))
    }

    fn drop_starts(&mut self, workflow_id: &str, key: &str, from_ms: i64) -> Result<()> {
        let reserved = self.starts_of(workflow_id, key).filter(|(key, has_begun)| key.2 >= from_ms && !**has_begun);
        let reserved: Vec<_> = reserved.map(|(key, _)| key.clone()).collect();
        reserved.iter().for_each(|key| self.starts.remove(key));
        Ok(())
    }

    fn reservations(&mut self, workflow_id: &str, after_ms: i64) -> Result<Vec<(String, i64)>> {
        let is_it = |key: &StartKey, has_begun: bool| key.0 == workflow_id && key.2 > after_ms && !has_begun;
        let reserved = self.starts.rows.iter().filter(|(key, has_begun)| is_it(key, **has_begun));
        Ok(reserved.map(|(key, _)| (key.1.clone(), key.2)).collect())
    }

    fn limited_runs(&mut self, workflow_id: &str, after_ms: i64) -> Result<Vec<(String, Timer)>> {
        let is_it = |row: &RunRow| row.status == RunStatus::Waiting && row.workflow_id == workflow_id;
        let limited = |stored: &Stored| {
            let due_at_ms = stored.row.start_at_ms.filter(|at_ms| *at_ms > after_ms && is_it(&stored.row))?;
            Some((stored.rate_key.clone()?, Timer { due_at_ms, run: stored.row.id }))
        };
        let mut runs: Vec<(String, Timer)> = self.runs.rows.values().filter_map(limited).collect();
        runs.sort_unstable_by_key(|(_, timer)| (timer.due_at_ms, timer.run));
        Ok(runs)
    }

    fn move_begun_starts(&mut self, workflow_id: &str, after_ms: i64, to_ms: i64) -> Result<()> {
        let is_it = |key: &StartKey, has_begun: bool| key.0 == workflow_id && key.2 > after_ms && has_begun;
        let begun = self.starts.rows.iter().filter(|(key, has_begun)| is_it(key, **has_begun));
        for key in begun.map(|(key, _)| key.clone()).collect::<Vec<_>>() {
            self.starts.remove(&key);
            self.put_start(key.0, key.1, Start { at_ms: to_ms, has_begun: true });
        }
        Ok(())
    }
}

/// A run as it is listed: without its values.
fn summary(row: &RunRow) -> RunRow {
    RunRow { payload: None, trigger: None, output: None, ..row.clone() }
}
