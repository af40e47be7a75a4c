//! The engine's thread: an inbox, group commit, an outbox, a wake-up.
//!
//! The thread takes everything that is queued, applies it in one transaction, and puts the answer into the outbox.
//! A host that found the outbox empty is woken with one byte on a socket pair: `take` arms before it looks, under
//! the same lock under which answers are put, so that no wake-up is lost and none is sent in vain.

mod config;
mod inbox;
mod outbox;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

pub use config::Config;
pub use inbox::Refused;
use inbox::{Inbox, Item};
use outbox::Outbox;

use crate::engine::Engine;
use crate::error::{Code, Error};
use crate::limits;
use crate::protocol::ErrorBody;

/// One open engine, or the reason why it could not be opened.
pub struct Core {
    body: Body,
    outbox: Arc<Outbox>,
}

enum Body {
    Failed(Error),
    Inline(Box<Mutex<Option<Engine>>>),
    Threaded(Arc<Inbox>),
}

impl Core {
    /// Opens an engine as its configuration says. A core that failed to open answers every call with its error.
    pub fn open(config: &[u8]) -> Core {
        match Config::parse(config).and_then(Core::start) {
            Ok(core) => core,
            Err(error) => Core::failed(error),
        }
    }

    /// A core that answers every call with this error.
    pub fn failed(error: Error) -> Core {
        Core { body: Body::Failed(error), outbox: Arc::new(Outbox::new(None, false)) }
    }

    fn start(config: Config) -> crate::error::Result<Core> {
        let store = config.open_store()?;
        let tells = config.wake_up && !config.inline;
        let (wake, wake_fd) = if tells { outbox::wake_pair()? } else { (None, None) };
        let engine = Engine::open(store, config.node, config.secret()?, config.about(wake_fd))?;
        let outbox = Arc::new(Outbox::new(wake, !config.inline));
        if config.inline {
            return Ok(Core { body: Body::Inline(Box::new(Mutex::new(Some(engine)))), outbox });
        }
        let inbox = Arc::new(Inbox::default());
        let (thread_inbox, thread_outbox) = (inbox.clone(), outbox.clone());
        std::thread::Builder::new()
            .name("cronflow".into())
            .spawn(move || run(engine, &thread_inbox, &thread_outbox))
            .map_err(|error| Error::new(Code::StorageFailed, format!("the engine thread did not start: {error}")))?;
        Ok(Core { body: Body::Threaded(inbox), outbox })
    }

    /// Applies one request and waits for its answer.
    pub fn call(&self, request: &[u8]) -> Vec<u8> {
        let answered = match &self.body {
            Body::Failed(error) => Err(error.clone()),
            Body::Inline(engine) => self.call_inline(engine, request),
            Body::Threaded(inbox) => call_thread(inbox, request),
        };
        answered.unwrap_or_else(|error| error_json(&error))
    }

    /// Queues one request and returns at once.
    pub fn submit(&self, request: Vec<u8>) -> Result<(), Refused> {
        match &self.body {
            Body::Failed(_) => Err(Refused::OpenFailed),
            Body::Inline(engine) => {
                let work = |engine: &mut Engine| engine.process(&[&request]);
                let answers = inline(engine, work).and_then(|answers| self.restart(engine).map(|()| answers));
                let answers = answers.map_err(|error| match error.code {
                    Code::Closed => Refused::Closed,
                    _ => Refused::Poisoned,
                })?;
                answers.into_iter().for_each(|answer| self.outbox.put(answer));
                Ok(())
            }
            Body::Threaded(inbox) => inbox.put(Item { request, reply: None }),
        }
    }

    /// Without a thread: what the commit has caused besides is for the next `take`.
    fn call_inline(&self, engine: &Mutex<Option<Engine>>, request: &[u8]) -> crate::error::Result<Vec<u8>> {
        let (answer, news) = inline(engine, |engine| engine.process_call(request))?;
        news.into_iter().for_each(|news| self.outbox.put(news));
        self.restart(engine)?;
        Ok(answer)
    }

    /// Restarts an engine that was asked to, and drops what nobody has taken. One that cannot read its store again
    /// stays closed.
    fn restart(&self, engine: &Mutex<Option<Engine>>) -> crate::error::Result<()> {
        let mut engine = lock(engine);
        if let Some(asked) = engine.take_if(|open| open.wants_restart()) {
            *engine = Some(asked.restarted()?);
            self.outbox.forget();
        }
        Ok(())
    }

    /// The next answer, if it is not longer than `cap`; else its length.
    pub fn take(&self, cap: usize) -> Result<Option<Vec<u8>>, usize> {
        self.outbox.take(cap)
    }

    /// Keeps an answer for the next `take`, because the caller's buffer was too small for it.
    pub fn keep(&self, answer: Vec<u8>) {
        self.outbox.put_back(answer);
    }

    /// Ends the engine. What is queued is committed first; closing twice does nothing.
    pub fn close(&self) {
        self.outbox.close();
        match &self.body {
            Body::Failed(_) => {}
            Body::Inline(engine) => drop(lock(engine).take()),
            Body::Threaded(inbox) => inbox.close(Duration::from_millis(limits::CALL_MS)),
        }
    }

    /// Refuses further work after a panic at the boundary.
    pub fn poison(&self) {
        match &self.body {
            Body::Failed(_) => {}
            Body::Inline(engine) => drop(lock(engine).take()),
            Body::Threaded(inbox) => inbox.poison(),
        }
    }
}

/// The life of the engine thread.
fn run(mut engine: Engine, inbox: &Inbox, outbox: &Outbox) {
    while let Some(batch) = inbox.take_batch() {
        let worked = catch_unwind(AssertUnwindSafe(|| process_batch(&mut engine, &batch, outbox)));
        if worked.is_err() {
            // The transaction is rolled back with the engine; nothing of it was answered.
            inbox.poison();
            for item in &batch {
                match &item.reply {
                    Some(reply) => drop(reply.try_send(error_json(&poisoned()))),
                    None => outbox.put(error_json(&poisoned())),
                }
            }
            break;
        }
    }
    drop(engine);
    inbox.ended();
}

/// Requests share a commit; a synchronous call has one of its own, because its answer goes to its caller alone.
fn process_batch(engine: &mut Engine, batch: &[Item], outbox: &Outbox) {
    for part in batch.chunk_by(|one, next| one.reply.is_none() && next.reply.is_none()) {
        if let Some(reply) = &part[0].reply {
            let (answer, news) = engine.process_call(&part[0].request);
            // A caller that has given up finds the outcome out by itself.
            drop(reply.try_send(answer));
            news.into_iter().for_each(|news| outbox.put(news));
            continue;
        }
        let requests: Vec<&[u8]> = part.iter().map(|item| item.request.as_slice()).collect();
        for answer in engine.process(&requests) {
            outbox.put(answer);
        }
    }
}

fn call_thread(inbox: &Inbox, request: &[u8]) -> crate::error::Result<Vec<u8>> {
    let (reply, answer): (SyncSender<Vec<u8>>, _) = sync_channel(1);
    inbox.put(Item { request: request.to_vec(), reply: Some(reply) }).map_err(Refused::error)?;
    answer.recv_timeout(Duration::from_millis(limits::CALL_MS)).map_err(|error| match error {
        RecvTimeoutError::Timeout => {
            let message =
                format!("the engine did not answer within {} ms; it may still do what was asked", limits::CALL_MS);
            Error::new(Code::CallTimeout, message)
        }
        RecvTimeoutError::Disconnected => poisoned(),
    })
}

/// The engine at work on the calling thread.
fn inline<T>(engine: &Mutex<Option<Engine>>, work: impl FnOnce(&mut Engine) -> T) -> crate::error::Result<T> {
    lock(engine).as_mut().map(work).ok_or_else(|| Error::new(Code::Closed, "the engine is closed"))
}

fn poisoned() -> Error {
    Error::new(
        Code::Poisoned,
        "the engine stopped after an internal error; nothing unanswered was recorded. Restart it",
    )
}

fn error_json(error: &Error) -> Vec<u8> {
    serde_json::json!({ "error": ErrorBody::from(error) }).to_string().into_bytes()
}

/// A panic while a lock was held poisons the core by other means; the data behind it is still whole.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
