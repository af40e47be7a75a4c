//! A store whose commits fail when they are told to.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use cronflow::error::{Code, Error, Result};
use cronflow::ids::RunId;
use cronflow::model::{
    ApprovalRow, CircuitRow, DefinitionId, Place, RunFilter, RunRow, RunSummary, ScheduleId, ScheduleRow, StateValue,
    StepRow, StoredEvent, Timer, Write,
};
use cronflow::store::{Claim, Start, Starts, Store};

/// The store behind it does the work.
pub struct FailingStore {
    pub inner: Box<dyn Store>,
    pub commits_fail: Arc<AtomicBool>,
}

macro_rules! pass_on {
    ($(fn $name:ident($($argument:ident: $type:ty),*) -> $result:ty;)+) => {
        $(fn $name(&mut self, $($argument: $type),*) -> $result {
            self.inner.$name($($argument),*)
        })+
    };
}

impl Store for FailingStore {
    fn commit(&mut self) -> Result<()> {
        if self.commits_fail.load(Ordering::Relaxed) {
            return Err(Error::new(Code::DiskFull, "the disk is full, because the test says so"));
        }
        self.inner.commit()
    }

    fn rollback(&mut self) {
        self.inner.rollback();
    }

    pass_on! {
        fn begin() -> Result<()>;
        fn write(write: &Write<'_>) -> Result<()>;
        fn define(workflow_id: &str, hash: &str, definition: &str, now_ms: i64) -> Result<DefinitionId>;
        fn definition(id: DefinitionId) -> Result<Option<String>>;
        fn claim(workflow_id: &str, key: &str, claim: &Claim) -> Result<Option<Claim>>;
        fn delete_run(run: RunId) -> Result<()>;
        fn summary(run: RunId) -> Result<Option<RunSummary>>;
        fn ready_runs(workflow_id: &str) -> Result<Vec<RunId>>;
        fn parked_runs(workflow_id: &str, definition: DefinitionId) -> Result<Vec<RunId>>;
        fn withheld_starts(workflow_id: &str) -> Result<Vec<Timer>>;
        fn stuck_counts() -> Result<Vec<(String, u32)>>;
        fn open_counts_but(known: &[String]) -> Result<Vec<(String, u32)>>;
        fn due_timers(now_ms: i64, limit: u32) -> Result<Vec<Timer>>;
        fn next_timer() -> Result<Option<i64>>;
        fn last_run() -> Result<Option<RunId>>;
        fn run(id: RunId) -> Result<Option<RunRow>>;
        fn history(run: RunId, after: u32, limit: u32) -> Result<Vec<StepRow>>;
        fn output(run: RunId, sequence: u32) -> Result<Option<String>>;
        fn list(filter: &RunFilter) -> Result<Vec<RunRow>>;
        fn insert_event(name: &str, payload: Option<&str>, now_ms: i64) -> Result<i64>;
        fn events() -> Result<Vec<(String, StoredEvent)>>;
        fn next_event(place: &Place, name: &str) -> Result<Option<StoredEvent>>;
        fn is_awaited(name: &str) -> Result<bool>;
        fn waits(name: &str, event: i64, after: Option<&Place>, limit: u32) -> Result<Vec<Place>>;
        fn forget_events(name: &str) -> Result<u64>;
        fn approval(token_hash: &str) -> Result<Option<ApprovalRow>>;
        fn approvals(workflow_id: Option<&str>, limit: u32) -> Result<Vec<ApprovalRow>>;
        fn state(space: &str, key: &str, now_ms: i64) -> Result<Option<StateValue>>;
        fn set_state(space: &str, key: &str, value: Option<&StateValue>) -> Result<()>;
        fn expire_state(now_ms: i64, limit: u32) -> Result<()>;
        fn next_expiry() -> Result<Option<i64>>;
        fn circuits() -> Result<Vec<(String, CircuitRow)>>;
        fn paused() -> Result<Vec<String>>;
        fn set_paused(workflow_id: &str, paused: bool) -> Result<()>;
        fn starts(workflow_id: &str, key: &str, back: u32) -> Result<Starts>;
        fn add_start(workflow_id: &str, key: &str, start: Start, keep: u32, until_ms: i64) -> Result<()>;
        fn begin_start(workflow_id: &str, key: &str, at_ms: i64) -> Result<bool>;
        fn drop_starts(workflow_id: &str, key: &str, from_ms: i64) -> Result<()>;
        fn reservations(workflow_id: &str, after_ms: i64) -> Result<Vec<(String, i64)>>;
        fn limited_runs(workflow_id: &str, after_ms: i64) -> Result<Vec<(String, Timer)>>;
        fn move_begun_starts(workflow_id: &str, after_ms: i64, to_ms: i64) -> Result<()>;
        fn schedules(workflow_id: Option<&str>, after: ScheduleId, limit: u32) -> Result<Vec<ScheduleRow>>;
        fn schedule(id: ScheduleId) -> Result<Option<ScheduleRow>>;
        fn schedule_named(workflow_id: &str, name: &str) -> Result<Option<ScheduleRow>>;
        fn put_schedule(row: &ScheduleRow) -> Result<ScheduleId>;
        fn remove_schedule(id: ScheduleId) -> Result<()>;
        fn run_of_instant(workflow_id: &str, name: &str, instant_ms: i64) -> Result<Option<RunId>>;
        fn open_run_of(workflow_id: &str, name: &str) -> Result<Option<RunId>>;
    }
}
