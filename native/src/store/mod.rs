//! What the engine asks of a store: a dozen verbs in domain words. Every store passes `conformance.rs`.

#[cfg(test)]
mod conformance;
mod files;
mod memory;
mod ownership;
mod sqlite;

pub use memory::MemoryStore;
pub use sqlite::{Durability, SqliteStore};

use crate::error::Result;
use crate::ids::RunId;
use crate::model::{DefinitionId, RunFilter, RunRow, RunSummary, StepRow, Timer, Write};

/// An earlier use of an idempotency key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The run it started.
    pub run: RunId,
    /// What its body was told apart by.
    pub fingerprint: String,
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

    /// What the machine needs to continue a run.
    fn summary(&mut self, run: RunId) -> Result<Option<RunSummary>>;
    /// The open runs of a workflow that do not wait on a timer, oldest first.
    fn ready_runs(&mut self, workflow_id: &str) -> Result<Vec<RunId>>;
    /// Timers due by now, earliest first.
    fn due_timers(&mut self, now_ms: i64, limit: u32) -> Result<Vec<Timer>>;
    /// When the earliest timer is due.
    fn next_timer(&mut self) -> Result<Option<i64>>;
    /// The greatest run id stored.
    fn last_run(&mut self) -> Result<Option<RunId>>;

    /// One run, whole.
    fn run(&mut self, id: RunId) -> Result<Option<RunRow>>;
    /// Its attempts after a sequence, in order.
    fn history(&mut self, run: RunId, after: u32, limit: u32) -> Result<Vec<StepRow>>;
    /// Several runs, newest first, without payload, trigger and output.
    fn list(&mut self, filter: &RunFilter) -> Result<Vec<RunRow>>;
}
