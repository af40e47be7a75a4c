//! The store the engine is given: the disk's, which fails and dies where it is told to.

use std::panic::resume_unwind;
use std::sync::{Arc, Mutex};

use super::disk::{Disk, lock};
use super::faults::{CommitFate, Fate};
use crate::error::Result;
use crate::ids::RunId;
use crate::model::{
    ApprovalRow, CircuitRow, DefinitionId, Place, RunFilter, RunRow, RunSummary, ScheduleId, ScheduleRow, StateValue,
    StepRow, StoredEvent, Timer, Write,
};
use crate::store::{Claim, Start, Starts, Store};

/// What unwinds out of the engine when its process dies.
#[derive(Debug)]
pub struct ProcessDied;

/// The store the engine is given.
pub struct FaultyStore(pub Arc<Mutex<Disk>>);

impl FaultyStore {
    /// One operation, which may fail or be the last thing the process does.
    fn operate<T>(&self, operation: impl FnOnce(&mut Disk) -> Result<T>) -> Result<T> {
        let mut disk = lock(&self.0);
        disk.operations += 1;
        if disk.fate.dies_at == Some(disk.operations) {
            drop(disk);
            resume_unwind(Box::new(ProcessDied));
        }
        if disk.fate.fails_at == Some(disk.operations) {
            return Err(disk.fail());
        }
        operation(&mut disk)
    }
}

/// Verbs that are handed on as they are.
macro_rules! hand_on {
    ($(fn $verb:ident(&mut self $(, $name:ident: $type:ty)*) -> $result:ty;)+) => {
        $(fn $verb(&mut self $(, $name: $type)*) -> $result {
            self.operate(|disk| disk.store().$verb($($name),*))
        })+
    };
}

impl Store for FaultyStore {
    fn begin(&mut self) -> Result<()> {
        lock(&self.0).defines = false;
        self.operate(|disk| disk.store().begin())
    }

    fn commit(&mut self) -> Result<()> {
        let fate = lock(&self.0).fate.commit;
        let outcome = match fate {
            CommitFate::DiesBefore => resume_unwind(Box::new(ProcessDied)),
            _ => self.operate(Disk::commit),
        };
        if fate == CommitFate::DiesAfter {
            resume_unwind(Box::new(ProcessDied));
        }
        // One fault per transaction: what follows it is part of the same batch of requests.
        lock(&self.0).fate = Fate::default();
        outcome
    }

    fn rollback(&mut self) {
        let mut disk = lock(&self.0);
        disk.store().rollback();
        disk.removes.clear();
        disk.fate = Fate::default();
    }

    fn write(&mut self, write: &Write<'_>) -> Result<()> {
        self.operate(|disk| {
            disk.touched.extend(run_of(write));
            disk.store().write(write)
        })
    }

    fn define(&mut self, workflow_id: &str, hash: &str, definition: &str, now_ms: i64) -> Result<DefinitionId> {
        self.operate(|disk| {
            disk.defines = true;
            disk.store().define(workflow_id, hash, definition, now_ms)
        })
    }

    fn delete_run(&mut self, run: RunId) -> Result<()> {
        self.operate(|disk| {
            disk.touched.insert(run);
            if let Some(row) = disk.store().run(run)? {
                let steps = disk.store().history(run, 0, u32::MAX)?;
                let summary = disk.store().summary(run)?;
                disk.removes.insert(run, (row, steps, summary));
            }
            disk.store().delete_run(run)
        })
    }

    hand_on! {
        fn definition(&mut self, id: DefinitionId) -> Result<Option<String>>;
        fn claim(&mut self, workflow_id: &str, key: &str, claim: &Claim) -> Result<Option<Claim>>;
        fn summary(&mut self, run: RunId) -> Result<Option<RunSummary>>;
        fn ready_runs(&mut self, workflow_id: &str) -> Result<Vec<RunId>>;
        fn parked_runs(&mut self, workflow_id: &str, definition: DefinitionId) -> Result<Vec<RunId>>;
        fn withheld_starts(&mut self, workflow_id: &str) -> Result<Vec<Timer>>;
        fn stuck_counts(&mut self) -> Result<Vec<(String, u32)>>;
        fn open_counts_but(&mut self, known: &[String]) -> Result<Vec<(String, u32)>>;
        fn due_timers(&mut self, now_ms: i64, limit: u32) -> Result<Vec<Timer>>;
        fn next_timer(&mut self) -> Result<Option<i64>>;
        fn last_run(&mut self) -> Result<Option<RunId>>;
        fn run(&mut self, id: RunId) -> Result<Option<RunRow>>;
        fn history(&mut self, run: RunId, after: u32, limit: u32) -> Result<Vec<StepRow>>;
        fn output(&mut self, run: RunId, sequence: u32) -> Result<Option<String>>;
        fn list(&mut self, filter: &RunFilter) -> Result<Vec<RunRow>>;
        fn insert_event(&mut self, name: &str, payload: Option<&str>, now_ms: i64) -> Result<i64>;
        fn events(&mut self) -> Result<Vec<(String, StoredEvent)>>;
        fn next_event(&mut self, place: &Place, name: &str) -> Result<Option<StoredEvent>>;
        fn is_awaited(&mut self, name: &str) -> Result<bool>;
        fn waits(&mut self, name: &str, event: i64, after: Option<&Place>, limit: u32) -> Result<Vec<Place>>;
        fn forget_events(&mut self, name: &str) -> Result<u64>;
        fn approval(&mut self, token_hash: &str) -> Result<Option<ApprovalRow>>;
        fn approvals(&mut self, workflow_id: Option<&str>, limit: u32) -> Result<Vec<ApprovalRow>>;
        fn state(&mut self, space: &str, key: &str, now_ms: i64) -> Result<Option<StateValue>>;
        fn set_state(&mut self, space: &str, key: &str, value: Option<&StateValue>) -> Result<()>;
        fn expire_state(&mut self, now_ms: i64, limit: u32) -> Result<()>;
        fn next_expiry(&mut self) -> Result<Option<i64>>;
        fn circuits(&mut self) -> Result<Vec<(String, CircuitRow)>>;
        fn paused(&mut self) -> Result<Vec<String>>;
        fn set_paused(&mut self, workflow_id: &str, paused: bool) -> Result<()>;
        fn starts(&mut self, workflow_id: &str, key: &str, back: u32) -> Result<Starts>;
        fn add_start(&mut self, workflow_id: &str, key: &str, start: Start, keep: u32, until_ms: i64) -> Result<()>;
        fn begin_start(&mut self, workflow_id: &str, key: &str, at_ms: i64) -> Result<bool>;
        fn drop_starts(&mut self, workflow_id: &str, key: &str, from_ms: i64) -> Result<()>;
        fn reservations(&mut self, workflow_id: &str, after_ms: i64) -> Result<Vec<(String, i64)>>;
        fn limited_runs(&mut self, workflow_id: &str, after_ms: i64) -> Result<Vec<(String, Timer)>>;
        fn move_begun_starts(&mut self, workflow_id: &str, after_ms: i64, to_ms: i64) -> Result<()>;
        fn schedules(&mut self, workflow_id: Option<&str>, after: ScheduleId, limit: u32) -> Result<Vec<ScheduleRow>>;
        fn schedule(&mut self, id: ScheduleId) -> Result<Option<ScheduleRow>>;
        fn schedule_named(&mut self, workflow_id: &str, name: &str) -> Result<Option<ScheduleRow>>;
        fn put_schedule(&mut self, row: &ScheduleRow) -> Result<ScheduleId>;
        fn remove_schedule(&mut self, id: ScheduleId) -> Result<()>;
        fn run_of_instant(&mut self, workflow_id: &str, name: &str, instant_ms: i64) -> Result<Option<RunId>>;
        fn open_run_of(&mut self, workflow_id: &str, name: &str) -> Result<Option<RunId>>;
    }
}

fn run_of(write: &Write<'_>) -> Option<RunId> {
    match write {
        Write::InsertRun(run) => Some(run.id),
        Write::InsertStep(step) => Some(step.run),
        Write::EndRun(end) => Some(end.run),
        Write::SetStatus(run, _)
        | Write::SetHookQueued(run, _)
        | Write::SetDefinition(run, _)
        | Write::ParkRun(run, _)
        | Write::ReopenRun(run)
        | Write::CloseRun(run)
        | Write::SetTimer(run, ..)
        | Write::Begin(run)
        | Write::Reserve(run, ..) => Some(*run),
        Write::OpenWait(place, ..)
        | Write::AdvanceWait(place, ..)
        | Write::CloseWait(place, ..)
        | Write::OpenApproval(place, ..)
        | Write::CloseApproval(place, ..) => Some(place.run),
        Write::SetCircuit(..) => None,
    }
}
