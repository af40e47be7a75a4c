//! The rules of a run's life, as a pure function: (definition, run, event, now) → writes and effects.
//!
//! No clock, no randomness, no storage: time and a free slot are arguments, a retry's jitter is a hash.
//!
//! ```text
//!            start ┐                        ┌── Ended: next step, retry at once ──┐
//!                  ▼     Admitted           ▼                                     │
//!               Queued ────────────────► Executing ───────────────────────────────┘
//!                  ▲  ▲                   │  │  └─ Ended, Cancelled, DeadlinePassed ─► Ended (or its hook executes)
//!        Woken     │  └─ Interrupted, ────┘  │
//!                  │     Released            │ retry later, delay
//!               Waiting ◄────────────────────┘
//! ```
//!
//! A run that is `Executing` holds a slot of the host until it waits or ends; so what is stored as `running` is
//! exactly what a process death interrupts, and dispatching a step costs no write.

mod restore;
mod retry;
mod run;
mod step;

use std::borrow::Cow;

pub use restore::{DefinitionChanged, restore};
pub use run::{park, start};
pub use step::{begin_attempt, execute_effect};

use crate::error::{Code, Error, Result};
use crate::graph::Graph;
use crate::ids::RunId;
use crate::model::{Handler, RunStatus, Write};
use crate::protocol::Effect;

/// What a run is doing now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Ready for a slot.
    Queued,
    /// Holding a slot; the host executes a handler.
    Executing,
    /// On a timer.
    Waiting,
    /// Nothing is left to do.
    Ended,
}

/// A run as the engine keeps it while it is active: where it stands, and none of its values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// Its id.
    pub id: RunId,
    /// Its status, as stored.
    pub status: RunStatus,
    /// What it is doing now.
    pub stage: Stage,
    /// Whether its hook waits for a slot, as stored.
    pub hook_queued: bool,
    /// The position of the step it is at.
    pub node: u32,
    /// The function that executes, or will.
    pub handler: Handler,
    /// The position in its history that the current attempt will have: the fence of its result.
    pub sequence: u32,
    /// Failed attempts of the step it is at.
    pub failures: u32,
    /// Process deaths during the handler it is at.
    pub interruptions: u32,
    /// The attempt whose output is `ctx.last`.
    pub last: Option<u32>,
    /// When the current attempt was handed out.
    pub attempt_started_at_ms: i64,
    /// When the current attempt has taken too long. It dies with the process, as the attempt does.
    pub attempt_deadline_ms: Option<i64>,
}

impl Run {
    fn new(id: RunId, status: RunStatus) -> Run {
        Run {
            id,
            status,
            stage: Stage::Queued,
            hook_queued: false,
            node: 0,
            handler: Handler::Body,
            sequence: 1,
            failures: 0,
            interruptions: 0,
            last: None,
            attempt_started_at_ms: 0,
            attempt_deadline_ms: None,
        }
    }

    /// The number of the current attempt of the current handler, from 1.
    pub fn attempt(&self) -> u32 {
        match self.handler {
            Handler::Body => self.failures + self.interruptions + 1,
            _ => self.interruptions + 1,
        }
    }
}

/// What happens to a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event<'a> {
    /// A slot is free for it.
    Admitted,
    /// The host reports the end of an attempt.
    Ended {
        /// The attempt.
        sequence: u32,
        /// How it ended.
        outcome: Outcome<'a>,
    },
    /// The current attempt has taken too long.
    AttemptTimedOut,
    /// Its wake timer is due.
    Woken,
    /// Its deadline timer is due.
    DeadlinePassed,
    /// Someone cancels it.
    Cancelled {
        /// Why, for people.
        reason: Option<&'a str>,
    },
    /// The process died while it was executing.
    Interrupted,
    /// The host stops before it could finish.
    Released,
}

/// How a handler ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome<'a> {
    /// It returned.
    Completed {
        /// What, JSON; absent for `undefined`.
        output: Option<&'a str>,
    },
    /// It threw.
    Failed {
        /// What, JSON.
        error: &'a str,
        /// Whether another attempt may help.
        retryable: bool,
    },
}

/// What the machine may know of the world.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// The run's definition.
    pub graph: &'a Graph,
    /// The time.
    pub now_ms: i64,
    /// Whether a run that becomes ready may execute at once.
    pub slot_free: bool,
}

/// What a transition asks for.
#[derive(Debug, Default, PartialEq)]
pub struct Transition<'a> {
    /// Changes to store, in order.
    pub writes: Vec<Write<'a>>,
    /// What the host must do after the commit, in order.
    pub effects: Vec<Effect>,
    /// When the failed attempt is tried again.
    pub retry_at_ms: Option<i64>,
}

/// Applies one event to a run. An event that comes too late changes nothing and is refused.
pub fn apply<'a>(run: &mut Run, event: Event<'a>, context: Context<'a>, out: &mut Transition<'a>) -> Result<()> {
    match event {
        Event::Admitted => {
            expect(run, Stage::Queued)?;
            step::execute(run, context, out);
            Ok(())
        }
        Event::Ended { sequence, outcome } => {
            let current = run.stage == Stage::Executing && run.sequence == sequence;
            let accepted = current || (planted!(LateResultAccepted) && run.stage != Stage::Ended);
            if !accepted {
                return Err(attempt_ended(run, sequence));
            }
            step::ended(run, outcome, context, out);
            Ok(())
        }
        Event::AttemptTimedOut => {
            expect(run, Stage::Executing)?;
            step::timed_out(run, context, out);
            Ok(())
        }
        Event::Woken => {
            expect(run, Stage::Waiting)?;
            out.writes.push(Write::ClearTimer(run.id, crate::model::TimerKind::Wake));
            run::ready(run, context, out);
            Ok(())
        }
        Event::DeadlinePassed => {
            refuse_final(run)?;
            run::deadline_passed(run, context, out);
            Ok(())
        }
        Event::Cancelled { reason } => {
            refuse_final(run)?;
            run::cancelled(run, reason, context, out);
            Ok(())
        }
        Event::Interrupted => {
            expect(run, Stage::Executing)?;
            step::interrupted(run, context, out);
            Ok(())
        }
        Event::Released => {
            expect(run, Stage::Executing)?;
            run::queue(run, out);
            Ok(())
        }
    }
}

fn expect(run: &Run, stage: Stage) -> Result<()> {
    if run.stage == stage {
        return Ok(());
    }
    Err(Error::bug(format!("run {} is {:?}, not {stage:?}", run.id, run.stage)))
}

fn refuse_final(run: &Run) -> Result<()> {
    if run.status.is_final() {
        return Err(Error::new(Code::RunEnded, format!("run {} is already {}", run.id, run.status.as_str())));
    }
    Ok(())
}

/// The refusal of a result that comes after its attempt has ended.
pub fn attempt_ended(run: &Run, sequence: u32) -> Error {
    Error::new(Code::AttemptEnded, format!("attempt {sequence} of run {} has already ended", run.id))
}

/// An error the machine itself gives, in the shape the host gives a thrown one.
fn error_json(code: &str, message: &str) -> Cow<'static, str> {
    serde_json::json!({ "name": "WorkflowError", "code": code, "message": message }).to_string().into()
}
