//! Answers on their way to the host, and the byte that wakes it.

use std::collections::VecDeque;
use std::io::Write;
use std::sync::{Condvar, Mutex, PoisonError};

#[cfg(unix)]
use std::os::unix::net::UnixStream as Wake;

use super::lock;
use crate::error::Result;
use crate::limits;

#[cfg(not(unix))]
type Wake = std::io::Sink;

#[derive(Debug, Default)]
struct State {
    answers: VecDeque<Vec<u8>>,
    bytes: usize,
    armed: bool,
    closed: bool,
}

#[derive(Debug)]
pub struct Outbox {
    state: Mutex<State>,
    taken: Condvar,
    wake: Option<Wake>,
    /// Whether the host takes answers while `put` waits: an engine that works on the host's own thread waits for nobody.
    waits: bool,
}

impl Outbox {
    pub fn new(wake: Option<Wake>, waits: bool) -> Outbox {
        Outbox { state: Mutex::new(State::default()), taken: Condvar::new(), wake, waits }
    }

    /// Adds an answer, and wakes a host that has looked in vain. Waits while the host leaves too much lying.
    pub fn put(&self, answer: Vec<u8>) {
        let mut state = lock(&self.state);
        while self.waits && state.bytes as u64 > limits::ANSWER_BYTES_QUEUED && !state.closed {
            state = self.taken.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.bytes += answer.len();
        state.answers.push_back(answer);
        let wake = std::mem::take(&mut state.armed);
        drop(state);
        if wake && let Some(stream) = &self.wake {
            // A full socket already holds a wake-up; a closed one belongs to a host that has gone.
            let mut stream = stream;
            let _ = stream.write(&[1]);
        }
    }

    /// The next answer, or none, and then the next one wakes the host. An answer longer than `cap` stays.
    pub fn take(&self, cap: usize) -> std::result::Result<Option<Vec<u8>>, usize> {
        let mut state = lock(&self.state);
        match state.answers.pop_front() {
            None => {
                state.armed = true;
                Ok(None)
            }
            Some(answer) if answer.len() > cap => {
                let length = answer.len();
                state.answers.push_front(answer);
                Err(length)
            }
            Some(answer) => {
                state.bytes -= answer.len();
                self.taken.notify_all();
                Ok(Some(answer))
            }
        }
    }

    /// Puts an answer in front of the others.
    pub fn put_back(&self, answer: Vec<u8>) {
        let mut state = lock(&self.state);
        state.bytes += answer.len();
        state.answers.push_front(answer);
    }

    /// Drops what nobody has taken: the host it was for is dead.
    pub fn forget(&self) {
        let mut state = lock(&self.state);
        state.answers.clear();
        state.bytes = 0;
        self.taken.notify_all();
    }

    /// Nobody will take answers any more.
    pub fn close(&self) {
        lock(&self.state).closed = true;
        self.taken.notify_all();
    }
}

/// Our end of the wake-up, and the host's, which the host owns from then on. Both ends are non-blocking and
/// close-on-exec.
#[cfg(unix)]
pub fn wake_pair() -> Result<(Option<Wake>, Option<i32>)> {
    use std::os::fd::IntoRawFd;

    use crate::error::{Code, Error};

    let pair = || {
        let (ours, theirs) = Wake::pair()?;
        ours.set_nonblocking(true)?;
        theirs.set_nonblocking(true)?;
        Ok::<_, std::io::Error>((ours, theirs))
    };
    let (ours, theirs) =
        pair().map_err(|error| Error::new(Code::StorageFailed, format!("no socket pair for wake-ups: {error}")))?;
    Ok((Some(ours), Some(theirs.into_raw_fd())))
}

/// Without a socket pair the host looks by itself whether there is something to take.
#[cfg(not(unix))]
pub fn wake_pair() -> Result<(Option<Wake>, Option<i32>)> {
    Ok((None, None))
}
