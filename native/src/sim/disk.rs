//! A disk that outlives processes.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::faults::{CommitFate, Fate};
use crate::error::{Code, Error, Result};
use crate::ids::RunId;
use crate::model::{RunRow, RunSummary, StepRow};
use crate::store::{Durability, MemoryStore, SqliteStore, Store};

static DISKS: AtomicU64 = AtomicU64::new(0);

enum Medium {
    Memory(Box<MemoryStore>),
    File { directory: PathBuf, store: Option<SqliteStore> },
}

/// Runs that are no longer stored, as they last were.
pub type Removed = BTreeMap<RunId, (RunRow, Vec<StepRow>, Option<RunSummary>)>;

/// What is stored, and what happens to those who store it.
pub struct Disk {
    medium: Medium,
    /// What happens to the transaction.
    pub fate: Fate,
    /// Operations of it so far.
    pub operations: u64,
    /// Whether it defines a workflow.
    pub defines: bool,
    /// The number of the transaction, of all that were prepared.
    pub number: u64,
    /// The number of the last transaction that is stored, until it is asked for.
    applied: Option<u64>,
    /// Runs written to.
    pub touched: BTreeSet<RunId>,
    /// Runs that the open transaction removes, as they were before.
    pub removes: Removed,
    /// Runs that were removed.
    pub removed: Removed,
    /// The outcome of a failed commit that a process death would bring back, and what it removed.
    ghost: Option<(Box<MemoryStore>, Removed, u64)>,
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
            Medium::Memory(Box::default())
        };
        Arc::new(Mutex::new(Disk {
            medium,
            fate: Fate::default(),
            operations: 0,
            defines: false,
            number: 0,
            applied: None,
            touched: BTreeSet::new(),
            removes: Removed::new(),
            removed: Removed::new(),
            ghost: None,
            failed: 0,
            ambiguous: false,
        }))
    }

    /// Decides what happens to the next transaction.
    pub fn prepare(&mut self, fate: Fate) {
        (self.fate, self.operations) = (fate, 0);
        self.number += 1;
        (self.failed, self.ambiguous) = (0, false);
    }

    /// How many operations failed since `prepare`, and whether a failed commit may have been applied.
    pub fn failures(&self) -> (u64, bool) {
        (self.failed, self.ambiguous)
    }

    /// The process died: what was not committed is gone, and a failed commit may be back.
    pub fn process_died(&mut self, ghost_returns: bool) {
        self.removes.clear();
        match &mut self.medium {
            Medium::Memory(store) => {
                store.rollback();
                if let Some((ghost, removed, number)) = self.ghost.take().filter(|_| ghost_returns) {
                    *store = ghost;
                    self.removed.extend(removed);
                    self.applied = Some(number);
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
            Medium::Memory(store) => &mut **store,
            Medium::File { store, .. } => store.as_mut().expect("a file is open between deaths"),
        }
    }

    /// Runs written to since the last call; some of it may have been rolled back.
    pub fn take_touched(&mut self) -> BTreeSet<RunId> {
        std::mem::take(&mut self.touched)
    }

    /// The transaction that was stored since the last call, if one was.
    pub fn take_applied(&mut self) -> Option<u64> {
        self.applied.take()
    }

    /// Ends the transaction as its fate says.
    pub fn commit(&mut self) -> Result<()> {
        match self.fate.commit {
            CommitFate::FailsButIsApplied if !self.defines => {
                self.ambiguous = true;
                self.store().commit()?;
                self.applied = Some(self.number);
                self.removed.append(&mut self.removes);
                self.ghost = None;
            }
            CommitFate::FailsAndReturns => {
                if let Medium::Memory(store) = &self.medium {
                    let mut ghost = store.clone();
                    ghost.commit()?;
                    self.ghost = Some((ghost, self.removes.clone(), self.number));
                    self.ambiguous = true;
                }
            }
            CommitFate::Fails | CommitFate::FailsButIsApplied | CommitFate::DiesBefore => {}
            CommitFate::Succeeds | CommitFate::DiesAfter => {
                self.ghost = None;
                self.removed.append(&mut self.removes);
                self.applied = Some(self.number);
                return self.store().commit();
            }
        }
        Err(self.fail())
    }

    /// Something fails.
    pub fn fail(&mut self) -> Error {
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
