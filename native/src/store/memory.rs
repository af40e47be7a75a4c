//! The store of tests: ordered maps, with an undo log per transaction.

use std::collections::BTreeMap;

use super::{Claim, Store};
use crate::error::{Error, Result};
use crate::ids::RunId;
use crate::model::{
    DefinitionId, RunFilter, RunRow, RunStatus, RunSummary, StepRow, StepSummary, Timer, TimerKind, Write,
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
    runs: Table<RunId, RunRow>,
    steps: Table<(RunId, u32), StepRow>,
    timers: Table<(RunId, TimerKind), i64>,
    claims: Table<(String, String), Claim>,
    queued_hooks: Table<RunId, ()>,
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> MemoryStore {
        MemoryStore::default()
    }

    fn change_run(&mut self, id: RunId, change: impl FnOnce(&mut RunRow)) -> Result<()> {
        let row = self.runs.rows.get(&id).ok_or_else(|| Error::bug(format!("run {id} is not stored")))?;
        let mut row = row.clone();
        change(&mut row);
        self.runs.put(id, row);
        Ok(())
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
        self.definitions.commit();
        self.runs.commit();
        self.steps.commit();
        self.timers.commit();
        self.claims.commit();
        self.queued_hooks.commit();
        Ok(())
    }

    fn rollback(&mut self) {
        self.definitions.rollback();
        self.runs.rollback();
        self.steps.rollback();
        self.timers.rollback();
        self.claims.rollback();
        self.queued_hooks.rollback();
    }

    fn write(&mut self, write: &Write<'_>) -> Result<()> {
        match write {
            Write::InsertRun(new) => {
                if self.runs.rows.contains_key(&new.id) {
                    return Err(Error::bug(format!("run {} is already stored", new.id)));
                }
                let row = RunRow {
                    id: new.id,
                    workflow_id: new.workflow_id.to_owned(),
                    definition: new.definition,
                    status: new.status,
                    open: true,
                    payload: new.payload.map(str::to_owned),
                    trigger: new.trigger.map(str::to_owned),
                    output: None,
                    error: None,
                    created_at_ms: new.created_at_ms,
                    finished_at_ms: None,
                };
                self.runs.put(new.id, row);
            }
            Write::InsertStep(new) => {
                let key = (new.run, new.sequence);
                if self.steps.rows.contains_key(&key) {
                    return Err(Error::bug(format!("attempt {} of run {} is already stored", new.sequence, new.run)));
                }
                let row = StepRow {
                    sequence: new.sequence,
                    name: new.name.to_owned(),
                    handler: new.handler,
                    attempt: new.attempt,
                    status: new.status,
                    output: new.output.map(str::to_owned),
                    error: new.error.as_deref().map(str::to_owned),
                    retry_at_ms: new.retry_at_ms,
                    started_at_ms: new.started_at_ms,
                    finished_at_ms: new.finished_at_ms,
                };
                self.steps.put(key, row);
            }
            Write::SetStatus(run, status) => self.change_run(*run, |row| row.status = *status)?,
            Write::SetHookQueued(run, queued) => {
                self.change_run(*run, |_| {})?;
                if *queued {
                    self.queued_hooks.put(*run, ());
                } else {
                    self.queued_hooks.remove(run);
                }
            }
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
                row.error = Some(error.clone().into_owned());
                row.open = false;
            })?,
            Write::CloseRun(run) => self.change_run(*run, |row| row.open = false)?,
            Write::SetTimer(run, kind, due_at_ms) => self.timers.put((*run, *kind), *due_at_ms),
            Write::ClearTimer(run, kind) => self.timers.remove(&(*run, *kind)),
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

    fn summary(&mut self, run: RunId) -> Result<Option<RunSummary>> {
        let Some(row) = self.runs.rows.get(&run) else { return Ok(None) };
        let steps = self.steps_of(run, 0).map(|step| StepSummary {
            sequence: step.sequence,
            name: step.name.clone(),
            handler: step.handler,
            status: step.status,
            retried: step.retry_at_ms.is_some(),
        });
        Ok(Some(RunSummary {
            id: run,
            definition: row.definition,
            workflow_id: row.workflow_id.clone(),
            status: row.status,
            open: row.open,
            hook_queued: self.queued_hooks.rows.contains_key(&run),
            created_at_ms: row.created_at_ms,
            steps: steps.collect(),
        }))
    }

    fn ready_runs(&mut self, workflow_id: &str) -> Result<Vec<RunId>> {
        let ready = |row: &&RunRow| row.open && row.status != RunStatus::Waiting && row.workflow_id == workflow_id;
        Ok(self.runs.rows.values().filter(ready).map(|row| row.id).collect())
    }

    fn due_timers(&mut self, now_ms: i64, limit: u32) -> Result<Vec<Timer>> {
        let all = self.timers.rows.iter().map(|(&(run, kind), &due_at_ms)| Timer { due_at_ms, run, kind });
        let mut due: Vec<Timer> = all.filter(|timer| timer.due_at_ms <= now_ms).collect();
        due.sort();
        due.truncate(limit as usize);
        Ok(due)
    }

    fn next_timer(&mut self) -> Result<Option<i64>> {
        Ok(self.timers.rows.values().min().copied())
    }

    fn last_run(&mut self) -> Result<Option<RunId>> {
        Ok(self.runs.rows.last_key_value().map(|(id, _)| *id))
    }

    fn run(&mut self, id: RunId) -> Result<Option<RunRow>> {
        Ok(self.runs.rows.get(&id).cloned())
    }

    fn history(&mut self, run: RunId, after: u32, limit: u32) -> Result<Vec<StepRow>> {
        Ok(self.steps_of(run, after).take(limit as usize).cloned().collect())
    }

    fn list(&mut self, filter: &RunFilter) -> Result<Vec<RunRow>> {
        let wanted = |row: &&RunRow| {
            filter.workflow_id.as_ref().is_none_or(|id| *id == row.workflow_id)
                && filter.status.is_none_or(|status| status == row.status)
                && filter.since_ms.is_none_or(|since| row.created_at_ms >= since)
                && filter.before.is_none_or(|before| row.id < before)
        };
        Ok(self.runs.rows.values().rev().filter(wanted).take(filter.limit as usize).map(summary).collect())
    }
}

/// A run as it is listed: without its values.
fn summary(row: &RunRow) -> RunRow {
    RunRow { payload: None, trigger: None, output: None, ..row.clone() }
}
