//! What the engine asks of a store, in domain words. Every store passes `conformance.rs`.

#[cfg(test)]
mod conformance;
mod files;
mod memory;
mod ownership;
mod presence;
mod sqlite;

pub use files::{random_secret, secret_beside};
pub use memory::MemoryStore;
pub use sqlite::{Durability, SqliteStore};

use crate::error::Result;
use crate::ids::RunId;
use crate::model::{
    ApprovalRow, CircuitRow, DefinitionId, Place, RunFilter, RunRow, RunSummary, ScheduleId, ScheduleRow, StateValue,
    StepRow, StoredEvent, Timer, Write,
};

/// An earlier use of an idempotency key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The run it started.
    pub run: RunId,
    /// What its body was told apart by.
    pub fingerprint: String,
}

/// A start under a rate limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Start {
    /// When.
    pub at_ms: i64,
    /// Whether the run has begun, or has only reserved the time.
    pub has_begun: bool,
}

/// The latest starts under a rate limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Starts {
    /// When the latest was.
    pub latest_ms: Option<i64>,
    /// When the one was that is `back` starts ago, counting the latest as the first.
    pub earlier_ms: Option<i64>,
}

/// A transactional store of runs. Reads see the writes of the open transaction.
///
/// An error of any verb but `begin` means: roll back. After a failed `commit` nothing of the transaction is visible,
/// though a crash before the next commit may still bring it back (a torn acknowledgement, never a torn state).
pub trait Store: Send {
    /// Opens the transaction.
    fn begin(&mut self) -> Result<()>;
    /// Makes it durable, as durable as the store is.
    fn commit(&mut self) -> Result<()>;
    /// Forgets it.
    fn rollback(&mut self);

    /// Applies one change the machine asked for.
    fn write(&mut self, write: &Write<'_>) -> Result<()>;
    /// The number of a definition, stored now if this hash is new for the workflow.
    fn define(&mut self, workflow_id: &str, hash: &str, definition: &str, now_ms: i64) -> Result<DefinitionId>;
    /// The text of a stored definition.
    fn definition(&mut self, id: DefinitionId) -> Result<Option<String>>;
    /// Claims an idempotency key for a run, or tells whose it is.
    fn claim(&mut self, workflow_id: &str, key: &str, claim: &Claim) -> Result<Option<Claim>>;
    /// Removes a run and everything that belongs to it.
    fn delete_run(&mut self, run: RunId) -> Result<()>;

    /// What the machine needs to continue a run.
    fn summary(&mut self, run: RunId) -> Result<Option<RunSummary>>;
    /// The open runs of a workflow that do not wait, oldest first.
    fn ready_runs(&mut self, workflow_id: &str) -> Result<Vec<RunId>>;
    /// The parked runs of a workflow that are pinned to a definition, oldest first.
    fn parked_runs(&mut self, workflow_id: &str, definition: DefinitionId) -> Result<Vec<RunId>>;
    /// How many runs are stuck, by workflow.
    fn stuck_counts(&mut self) -> Result<Vec<(String, u32)>>;
    /// How many runs have not ended and are not stuck, by workflow, of all but these workflows.
    fn open_counts_but(&mut self, known: &[String]) -> Result<Vec<(String, u32)>>;
    /// Timers due by now, earliest first.
    fn due_timers(&mut self, now_ms: i64, limit: u32) -> Result<Vec<Timer>>;
    /// Runs that are to begin under a rate limit and have no timer for it, by when they would begin.
    fn withheld_starts(&mut self, workflow_id: &str) -> Result<Vec<Timer>>;
    /// When the earliest timer is due.
    fn next_timer(&mut self) -> Result<Option<i64>>;
    /// The greatest run id that was ever stored, also of a run that was removed.
    fn last_run(&mut self) -> Result<Option<RunId>>;

    /// One run, whole.
    fn run(&mut self, id: RunId) -> Result<Option<RunRow>>;
    /// Its attempts after a sequence, in order.
    fn history(&mut self, run: RunId, after: u32, limit: u32) -> Result<Vec<StepRow>>;
    /// The output of one of its attempts.
    fn output(&mut self, run: RunId, sequence: u32) -> Result<Option<String>>;
    /// Several runs, newest first, without payload, trigger and output.
    fn list(&mut self, filter: &RunFilter) -> Result<Vec<RunRow>>;

    /// Stores an event, and gives its number, which is greater than that of any event before.
    fn insert_event(&mut self, name: &str, payload: Option<&str>, now_ms: i64) -> Result<i64>;
    /// The stored events, with their names, oldest first.
    fn events(&mut self) -> Result<Vec<(String, StoredEvent)>>;
    /// The first stored event that a wait has not seen.
    fn next_event(&mut self, place: &Place, name: &str) -> Result<Option<StoredEvent>>;
    /// Whether anybody waits for events of this name.
    fn is_awaited(&mut self, name: &str) -> Result<bool>;
    /// Waits for an event of this name that began before it and have not seen it, after a place, in order.
    fn waits(&mut self, name: &str, event: i64, after: Option<&Place>, limit: u32) -> Result<Vec<Place>>;
    /// Removes the events of this name that every wait has seen, and tells how many.
    fn forget_events(&mut self, name: &str) -> Result<u64>;

    /// A request for approval, by the hash of its token.
    fn approval(&mut self, token_hash: &str) -> Result<Option<ApprovalRow>>;
    /// Open requests for approval, oldest first.
    fn approvals(&mut self, workflow_id: Option<&str>, limit: u32) -> Result<Vec<ApprovalRow>>;

    /// A value, if its time is not over.
    fn state(&mut self, space: &str, key: &str, now_ms: i64) -> Result<Option<StateValue>>;
    /// Sets or removes a value.
    fn set_state(&mut self, space: &str, key: &str, value: Option<&StateValue>) -> Result<()>;
    /// Removes values whose time is over, at most so many.
    fn expire_state(&mut self, now_ms: i64, limit: u32) -> Result<()>;
    /// When the time of the first value is over.
    fn next_expiry(&mut self) -> Result<Option<i64>>;

    /// All circuits that are not as new.
    fn circuits(&mut self) -> Result<Vec<(String, CircuitRow)>>;
    /// Workflows of which nothing is executed.
    fn paused(&mut self) -> Result<Vec<String>>;
    /// Pauses or unpauses a workflow.
    fn set_paused(&mut self, workflow_id: &str, paused: bool) -> Result<()>;

    /// The latest starts of a workflow under a key of its rate limit.
    fn starts(&mut self, workflow_id: &str, key: &str, back: u32) -> Result<Starts>;
    /// Adds a start, and forgets those that are neither among the latest `keep` nor after `until_ms`.
    fn add_start(&mut self, workflow_id: &str, key: &str, start: Start, keep: u32, until_ms: i64) -> Result<()>;
    /// The run that has reserved this time begins; false when there is no such reservation.
    fn begin_start(&mut self, workflow_id: &str, key: &str, at_ms: i64) -> Result<bool>;
    /// Takes back the reservations from this time on. What has begun stays.
    fn drop_starts(&mut self, workflow_id: &str, key: &str, from_ms: i64) -> Result<()>;
    /// The reservations of a workflow after a time, with their keys, by key and time.
    fn reservations(&mut self, workflow_id: &str, after_ms: i64) -> Result<Vec<(String, i64)>>;
    /// The runs of a workflow that are to begin under its rate limit after a time, with their keys, by when.
    fn limited_runs(&mut self, workflow_id: &str, after_ms: i64) -> Result<Vec<(String, Timer)>>;
    /// What has begun after a time, under any key of a workflow, counts as having begun at another.
    fn move_begun_starts(&mut self, workflow_id: &str, after_ms: i64, to_ms: i64) -> Result<()>;

    /// Schedules after this one, in the order in which they were stored.
    fn schedules(&mut self, workflow_id: Option<&str>, after: ScheduleId, limit: u32) -> Result<Vec<ScheduleRow>>;
    /// One schedule.
    fn schedule(&mut self, id: ScheduleId) -> Result<Option<ScheduleRow>>;
    /// The schedule of a workflow that has this name.
    fn schedule_named(&mut self, workflow_id: &str, name: &str) -> Result<Option<ScheduleRow>>;
    /// Stores a schedule, and gives its number: a new one if the row's is 0.
    fn put_schedule(&mut self, row: &ScheduleRow) -> Result<ScheduleId>;
    /// Forgets a schedule. The runs it has started stay.
    fn remove_schedule(&mut self, id: ScheduleId) -> Result<()>;
    /// The run that a schedule has started for an instant.
    fn run_of_instant(&mut self, workflow_id: &str, name: &str, instant_ms: i64) -> Result<Option<RunId>>;
    /// A run of a schedule that is pending, executes or waits.
    fn open_run_of(&mut self, workflow_id: &str, name: &str) -> Result<Option<RunId>>;
}
