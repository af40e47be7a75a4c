//! The deterministic simulator (feature `sim`).

use std::cell::Cell;

/// A bug planted on purpose, to prove that the simulator finds bugs of its kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bug {
    /// The result of an attempt that has ended is recorded (P7).
    LateResultAccepted,
    /// The timer of a wait is not stored.
    LostTimer,
    /// A hook that is owed is not executed.
    LostHook,
    /// A process death is not counted against the step it interrupted (P8).
    DeathNotCounted,
    /// A failed commit is answered as if it had succeeded (P1).
    AnswerBeforeCommit,
    /// A claimed idempotency key starts another run (P5).
    KeyIgnored,
    /// Timers fire before they are due (P6).
    EarlyTimer,
}

impl Bug {
    /// All of them.
    pub const ALL: [Bug; 7] = [
        Bug::LateResultAccepted,
        Bug::LostTimer,
        Bug::LostHook,
        Bug::DeathNotCounted,
        Bug::AnswerBeforeCommit,
        Bug::KeyIgnored,
        Bug::EarlyTimer,
    ];
}

thread_local! {
    // Of the thread, so that tests with and without a bug run side by side.
    static PLANTED: Cell<Option<Bug>> = const { Cell::new(None) };
}

/// Whether this bug is planted in the engine of this thread.
pub fn is_planted(bug: Bug) -> bool {
    PLANTED.get() == Some(bug)
}

/// Plants a bug in the engine of this thread, or takes it out.
pub fn plant(bug: Option<Bug>) {
    PLANTED.set(bug);
}
