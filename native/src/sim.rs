//! The deterministic simulator (feature `sim`): the real engine in a world where everything goes wrong.
//!
//! A world is one seed: a clock, a generator of chance, a model of the host and of its users, and the engine over a
//! disk. In the safety phase, some hundred things happen in random order, faults among them, and after every transaction
//! the auditor compares what is committed and what was answered with what the workload wanted. Then the world is healed:
//! the clock goes from timer to timer, who waits for an event or a person gets one, and every run must end. The same
//! seed always gives the same world.
//!
//! The workload: workflows of every kind of node, nested three deep (`flows`); functions that return, throw, decide,
//! decide nonsense, hang, cancel and change the state (`handlers`); users who start, cancel, retry, replay, publish,
//! approve, pause, and change what all share (`world/users`). Messages are delivered again, events start runs, and
//! workflows have schedules and polls (`schedules`), in zones in which the clocks on the walls are about to be changed;
//! between two generations a workflow may get other schedules. Every value says whose it is (`workload`), so that the
//! auditor can tell.
//!
//! The faults:
//!
//! - **Process deaths**: in any operation of a transaction, before the commit, after it and before its answer, and
//!   between messages. Host and engine die together. The next generation opens what is stored, defines its
//!   workflows, and then offers slots and lets its users in. An orderly stop (`release`) is a death with a warning. A
//!   poison node kills the process whenever one of its functions is called, also in the healed world.
//! - **Messages** are lost and repeated in both directions; what arrives arrives in order. The host repeats a request
//!   under its number until it is answered, ignores answers it does not wait for, and finds lost effects by heartbeat.
//! - **Storage** fails in any operation or at the commit. A failed commit stored nothing; or stored everything; or
//!   stored nothing that anyone sees until a process death brings it back, as `Store::commit` allows. A transaction
//!   that defines a workflow is never applied under an error: only a store that breaks that contract could do so, and
//!   the interrupted attempts it takes up would be counted twice.
//! - **The clock** jumps by up to an hour, in some worlds by a year, in either direction; requests that were held up bring
//!   an old time along.
//! - **Polls** fail, give an item again, take long, and never answer.
//! - **Handlers** fail with and without hope, take long, hang until they are timed out, and report after that.
//!
//! What must hold is read from the rows by the `oracle`, which goes through the tree of the definition by itself and
//! shares no code with the machine; the `auditor` compares runs with each other, with the limits, and with the answers.
//! Of the schedules it knows when the engine looked at which one, and reckons by itself which instants had to start a
//! run then: these, and no others, must have theirs.
//!
//! Not modelled: a disk that lies about what it stored, two engines on one disk, damaged bytes (`tests/sqlite_files.rs`
//! covers those), workflows whose nodes change between generations, values too large to be recorded, and which queued run of
//! several goes first.
//!
//! Most worlds store in memory, where a commit is atomic by construction; one in [`SEEDS_PER_FILE`] uses a real
//! SQLite file, which a death closes and the next generation opens again.

mod auditor;
mod disk;
mod faults;
mod flows;
mod handlers;
mod host;
mod messages;
mod oracle;
mod random;
mod report;
mod schedules;
mod store;
mod wish;
mod workload;
mod world;

use std::cell::Cell;

pub use auditor::Violation;
pub use report::{Counts, Failure};

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
    /// A wait for an event is not stored, so what is published after it is not told.
    LostEvent,
    /// A request for approval can be answered twice.
    TokenReused,
    /// The child of a cancelled run goes on.
    ChildOrphaned,
    /// What a failed attempt did to the state is kept (P3).
    StateCountedTwice,
    /// A run that a process death interrupted goes on although its workflow's concurrency is used up.
    LimitExceeded,
    /// A process that begins forgets how far a schedule had come (P4).
    InstantLost,
    /// How far a schedule has come is not stored with the runs it starts (P4).
    InstantTwice,
    /// `overlap: "skip"` does not look whether a run of the schedule has ended.
    OverlapIgnored,
    /// Suspects execute as soon as there is a slot (P8).
    SuspectsTogether,
    /// Questions are answered however much has been read for their commit.
    AnswersUnbounded,
    /// A run with a rate limit begins while its workflow is paused, and executes with all others afterwards.
    PauseGathers,
}

impl Bug {
    /// All of them.
    pub const ALL: [Bug; 18] = [
        Bug::LateResultAccepted,
        Bug::LostTimer,
        Bug::LostHook,
        Bug::DeathNotCounted,
        Bug::AnswerBeforeCommit,
        Bug::KeyIgnored,
        Bug::EarlyTimer,
        Bug::LostEvent,
        Bug::TokenReused,
        Bug::ChildOrphaned,
        Bug::StateCountedTwice,
        Bug::LimitExceeded,
        Bug::InstantLost,
        Bug::InstantTwice,
        Bug::OverlapIgnored,
        Bug::SuspectsTogether,
        Bug::AnswersUnbounded,
        Bug::PauseGathers,
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

/// One seed in so many stores in a file.
pub const SEEDS_PER_FILE: u64 = 64;

/// What became of a world.
#[derive(Debug, Clone)]
pub struct Report {
    /// What happened in it, in numbers.
    pub counts: Counts,
    /// What happened to which kind of node: its kind, the function, how it ended, and the engine's code if it failed.
    pub lived_through: std::collections::BTreeSet<String>,
    /// A hash of everything that happened.
    pub trace: u64,
    /// The promise that was broken, if one was.
    pub failure: Option<Failure>,
}

/// Events shown with a failure.
const EVENTS_SHOWN: usize = 60;

/// Lives through the world of a seed.
pub fn simulate(seed: u64) -> Report {
    relive(seed, EVENTS_SHOWN)
}

/// The same, with this many events shown if a promise is broken.
pub fn relive(seed: u64, events: usize) -> Report {
    let mut world = world::World::new(seed, seed % SEEDS_PER_FILE == SEEDS_PER_FILE - 1, events);
    let verdict = world.live();
    let failure = verdict.err().map(|violation| Failure::new(seed, violation, &world.trace));
    let lived_through = world.lived_through();
    Report { counts: world.counts, lived_through, trace: world.trace.hash(), failure }
}
