//! A disk that outlives processes, and a store on it that fails and dies where it is told to.

use std::collections::BTreeSet;
use std::panic::resume_unwind;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::random::Random;
use crate::error::{Code, Error, Result};
use crate::ids::RunId;
use crate::model::{DefinitionId, RunFilter, RunRow, RunSummary, StepRow, Timer, Write};
use crate::store::{Claim, Durability, MemoryStore, SqliteStore, Store};

/// What unwinds out of the engine when its process dies.
#[derive(Debug)]
pub struct ProcessDied;

/// What happens to the commit of a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CommitFate {
    /// It succeeds.
    #[default]
    Succeeds,
    /// The process dies first.
    DiesBefore,
    /// The process dies after it, before anyone hears of it.
    DiesAfter,
    /// It fails, and nothing is stored.
    Fails,
    /// It fails, and yet everything is stored.
    FailsButIsApplied,
    /// It fails, and what it wrote is back if the process dies before the next commit (`Store::commit`).
    FailsAndReturns,
}

/// What happens to one transaction.
#[derive(Debug, Clone, Copy, Default)]
pub struct Fate {
    /// The process dies in this operation.
    pub dies_at: Option<u64>,
    /// This operation fails.
    pub fails_at: Option<u64>,
    /// The commit.
    pub commit: CommitFate,
}

/// How often each fault happens, in a thousand.
#[derive(Debug, Clone, Copy, Default)]
pub struct Rates {
    /// The process dies inside a transaction, around its commit, or between messages.
    pub death: u64,
    /// An operation or a commit fails.
    pub failure: u64,
    /// A request or an answer is lost.
    pub loss: u64,
    /// A request or an answer comes twice.
    pub repeat: u64,
    /// The clock jumps.
    pub clock_jump: u64,
}

impl Rates {
    /// Some kinds of faults, each as often as it likes: worlds differ more than if all faults were always on
    /// (swarm testing, Groce et al., ISSTA 2012).
    pub fn random(random: &mut Random) -> Rates {
        let mut rate = |most| if random.chance(700) { random.between(1, most) } else { 0 };
        Rates { death: rate(60), failure: rate(120), loss: rate(200), repeat: rate(200), clock_jump: rate(150) }
    }

    /// What happens to the next transaction.
    pub fn fate(&self, random: &mut Random) -> Fate {
        let mut fate = Fate::default();
        if random.chance(self.death) {
            match random.below(3) {
                0 => fate.dies_at = Some(random.between(1, 25)),
                1 => fate.commit = CommitFate::DiesBefore,
                _ => fate.commit = CommitFate::DiesAfter,
            }
        } else if random.chance(self.failure) {
            match random.below(4) {
                0 => fate.fails_at = Some(random.between(1, 25)),
                1 => fate.commit = CommitFate::Fails,
                2 => fate.commit = CommitFate::FailsButIsApplied,
                _ => fate.commit = CommitFate::FailsAndReturns,
            }
        }
        fate
    }
}

static DISKS: AtomicU64 = AtomicU64::new(0);

enum Medium {
    Memory(MemoryStore),
    File { directory: PathBuf, store: Option<SqliteStore> },
}

/// What is stored, and what happens to those who store it.
pub struct Disk {
    medium: Medium,
    fate: Fate,
    operations: u64,
    defines: bool,
    touched: BTreeSet<RunId>,
    /// The outcome of a failed commit that a process death would bring back.
    ghost: Option<MemoryStore>,
    failed: u64,
    ambiguous: bool,
}

impl Disk {
    /// A new disk; a real file if `on_file`.
    pub fn new(on_file: bool) -> Arc<Mutex<Disk>> {
        let medium = if on_file {
            // The same seed may be simulated by two threads at the same time.
            let number = DISKS.fetch_add(1, Ordering::Relaxed);
            let directory = std::env::temp_dir().join(format!("cronflow-sim-{}-{number}", std::process::id()));
            Medium::File { store: Some(open_file(&directory)), directory }
        } else {
            Medium::Memory(MemoryStore::new())
        };
        Arc::new(Mutex::new(Disk {
            medium,
            fate: Fate::default(),
            operations: 0,
            defines: false,
            touched: BTreeSet::new(),
            ghost: None,
            failed: 0,
            ambiguous: false,
        }))
    }

    /// Decides what happens to the next transaction.
    pub fn prepare(&mut self, fate: Fate) {
        (self.fate, self.operations) = (fate, 0);
        (self.failed, self.ambiguous) = (0, false);
    }

    /// How many operations failed since `prepare`, and whether a failed commit may have been applied.
    pub fn failures(&self) -> (u64, bool) {
        (self.failed, self.ambiguous)
    }

    /// The process died: what was not committed is gone, and a failed commit may be back.
    pub fn process_died(&mut self, ghost_returns: bool) {
        match &mut self.medium {
            Medium::Memory(store) => {
                store.rollback();
                if let Some(ghost) = self.ghost.take().filter(|_| ghost_returns) {
                    *store = ghost;
                }
            }
            Medium::File { directory, store } => {
                // One process owns the file: the dead one is gone before the next one opens it.
                drop(store.take());
                *store = Some(open_file(directory));
            }
        }
    }

    /// The store as an auditor reads it.
    pub fn store(&mut self) -> &mut dyn Store {
        match &mut self.medium {
            Medium::Memory(store) => store,
            Medium::File { store, .. } => store.as_mut().expect("a file is open between deaths"),
        }
    }

    /// Runs written to since the last call; some of it may have been rolled back.
    pub fn take_touched(&mut self) -> BTreeSet<RunId> {
        std::mem::take(&mut self.touched)
    }

    fn commit(&mut self) -> Result<()> {
        match self.fate.commit {
            CommitFate::FailsButIsApplied if !self.defines => {
                self.ambiguous = true;
                self.store().commit()?;
                self.ghost = None;
            }
            CommitFate::FailsAndReturns => {
                if let Medium::Memory(store) = &self.medium {
                    let mut ghost = store.clone();
                    ghost.commit()?;
                    self.ghost = Some(ghost);
                    self.ambiguous = true;
                }
            }
            CommitFate::Fails | CommitFate::FailsButIsApplied | CommitFate::DiesBefore => {}
            CommitFate::Succeeds | CommitFate::DiesAfter => {
                self.ghost = None;
                return self.store().commit();
            }
        }
        Err(self.fail())
    }

    fn fail(&mut self) -> Error {
        self.failed += 1;
        Error::new(Code::StorageFailed, "the simulated disk failed")
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        if let Medium::File { directory, store } = &mut self.medium {
            drop(store.take());
            // A directory that stays behind in the temporary directory harms nobody.
            let _ = std::fs::remove_dir_all(directory);
        }
    }
}

fn open_file(directory: &std::path::Path) -> SqliteStore {
    SqliteStore::open(&directory.join("simulated.db"), Durability::Relaxed).expect("the temporary directory is usable")
}

/// The disk, whatever became of a thread that held it.
pub fn lock(disk: &Mutex<Disk>) -> MutexGuard<'_, Disk> {
    disk.lock().unwrap_or_else(PoisonError::into_inner)
}

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
        disk.fate = Fate::default();
    }

    fn write(&mut self, write: &Write<'_>) -> Result<()> {
        self.operate(|disk| {
            disk.touched.insert(run_of(write));
            disk.store().write(write)
        })
    }

    fn define(&mut self, workflow_id: &str, hash: &str, definition: &str, now_ms: i64) -> Result<DefinitionId> {
        self.operate(|disk| {
            disk.defines = true;
            disk.store().define(workflow_id, hash, definition, now_ms)
        })
    }

    fn definition(&mut self, id: DefinitionId) -> Result<Option<String>> {
        self.operate(|disk| disk.store().definition(id))
    }

    fn claim(&mut self, workflow_id: &str, key: &str, claim: &Claim) -> Result<Option<Claim>> {
        self.operate(|disk| disk.store().claim(workflow_id, key, claim))
    }

    fn summary(&mut self, run: RunId) -> Result<Option<RunSummary>> {
        self.operate(|disk| disk.store().summary(run))
    }

    fn ready_runs(&mut self, workflow_id: &str) -> Result<Vec<RunId>> {
        self.operate(|disk| disk.store().ready_runs(workflow_id))
    }

    fn due_timers(&mut self, now_ms: i64, limit: u32) -> Result<Vec<Timer>> {
        self.operate(|disk| disk.store().due_timers(now_ms, limit))
    }

    fn next_timer(&mut self) -> Result<Option<i64>> {
        self.operate(|disk| disk.store().next_timer())
    }

    fn last_run(&mut self) -> Result<Option<RunId>> {
        self.operate(|disk| disk.store().last_run())
    }

    fn run(&mut self, id: RunId) -> Result<Option<RunRow>> {
        self.operate(|disk| disk.store().run(id))
    }

    fn history(&mut self, run: RunId, after: u32, limit: u32) -> Result<Vec<StepRow>> {
        self.operate(|disk| disk.store().history(run, after, limit))
    }

    fn list(&mut self, filter: &RunFilter) -> Result<Vec<RunRow>> {
        self.operate(|disk| disk.store().list(filter))
    }
}

fn run_of(write: &Write<'_>) -> RunId {
    match write {
        Write::InsertRun(run) => run.id,
        Write::InsertStep(step) => step.run,
        Write::EndRun(end) => end.run,
        Write::SetStatus(run, _)
        | Write::SetHookQueued(run, _)
        | Write::SetDefinition(run, _)
        | Write::ParkRun(run, _)
        | Write::CloseRun(run)
        | Write::SetTimer(run, ..)
        | Write::ClearTimer(run, _) => *run,
    }
}
