//! Requests on their way to the engine thread.

use std::collections::VecDeque;
use std::sync::mpsc::SyncSender;
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use super::lock;
use crate::error::{Code, Error};
use crate::limits;

/// A request, and where its answer goes if not into the outbox.
#[derive(Debug)]
pub struct Item {
    pub request: Vec<u8>,
    pub reply: Option<SyncSender<Vec<u8>>>,
}

/// Why a request was not queued.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    Full,
    Closed,
    Poisoned,
    OpenFailed,
}

impl Refused {
    pub fn error(self) -> Error {
        match self {
            Refused::Full => Error::new(Code::QueueFull, "too many requests wait for the engine; try again later"),
            Refused::Closed => Error::new(Code::Closed, "the engine is closed"),
            Refused::Poisoned | Refused::OpenFailed => super::poisoned(),
        }
    }
}

#[derive(Debug, Default)]
struct State {
    items: VecDeque<Item>,
    bytes: usize,
    refuses: Option<Refused>,
    ended: bool,
    /// The engine thread sleeps. Waking one that does not costs a system call for nothing.
    sleeps: bool,
}

#[derive(Debug, Default)]
pub struct Inbox {
    state: Mutex<State>,
    changed: Condvar,
}

impl Inbox {
    pub fn put(&self, item: Item) -> Result<(), Refused> {
        let mut state = lock(&self.state);
        if let Some(refused) = state.refuses {
            return Err(refused);
        }
        let bytes = state.bytes + item.request.len();
        let full = state.items.len() as u64 >= limits::REQUESTS_QUEUED || bytes as u64 > limits::REQUEST_BYTES_QUEUED;
        if full && !state.items.is_empty() {
            return Err(Refused::Full);
        }
        state.bytes = bytes;
        state.items.push_back(item);
        let wakes = std::mem::take(&mut state.sleeps);
        drop(state);
        if wakes {
            self.changed.notify_all();
        }
        Ok(())
    }

    /// Waits for work, and takes what fits into one commit. None when closed and empty.
    pub fn take_batch(&self) -> Option<Vec<Item>> {
        let mut state = lock(&self.state);
        while state.items.is_empty() {
            if state.refuses.is_some() {
                return None;
            }
            state.sleeps = true;
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        let mut bytes = 0;
        let mut batch = Vec::with_capacity(state.items.len());
        while let Some(item) = state.items.pop_front() {
            bytes += item.request.len();
            batch.push(item);
            if bytes as u64 >= limits::REQUEST_BYTES_PER_COMMIT {
                break;
            }
        }
        state.bytes -= bytes;
        Some(batch)
    }

    /// Takes no more requests, and waits until those that are queued are done, or for `patience`.
    pub fn close(&self, patience: Duration) {
        let mut state = lock(&self.state);
        state.refuses.get_or_insert(Refused::Closed);
        self.changed.notify_all();
        drop(self.changed.wait_timeout_while(state, patience, |state| !state.ended));
    }

    /// Takes no more requests after an internal error.
    pub fn poison(&self) {
        lock(&self.state).refuses = Some(Refused::Poisoned);
        self.changed.notify_all();
    }

    /// The engine thread is done: whoever still waits for an answer learns that none comes.
    pub fn ended(&self) {
        let mut state = lock(&self.state);
        state.ended = true;
        state.items.clear();
        self.changed.notify_all();
    }
}
