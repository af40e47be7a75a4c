//! Every bound of the engine, in one place. Exceeding one is an error with its own code, never a crash or a silent cut.
//!
//! `runtime/native/generated.ts` and `docs/limits.md` are generated from this table.

macro_rules! limits {
    ($($(#[doc = $doc:literal])+ $name:ident = $value:expr;)+) => {
        $($(#[doc = $doc])+ pub const $name: u64 = $value;)+

        /// Name, value and meaning of every limit, in the order of this file.
        pub const ALL: &[(&str, u64, &str)] = &[$((stringify!($name), $value, concat!($($doc),+))),+];
    };
}

limits! {
    /// Bytes of one request (one `cronflow_call` or `cronflow_submit`).
    REQUEST_BYTES = 64 << 20;
    /// Commands in one request.
    COMMANDS_PER_REQUEST = 16_384;
    /// Requests waiting for the engine thread; one more is answered `queue_full`.
    REQUESTS_QUEUED = 4_096;
    /// Bytes of all requests waiting for the engine thread.
    REQUEST_BYTES_QUEUED = 256 << 20;
    /// Bytes of requests taken into one commit (at least one request is always taken).
    REQUEST_BYTES_PER_COMMIT = 16 << 20;
    /// Bytes of answers the host has not taken yet; beyond it the engine thread waits before it takes more work.
    ANSWER_BYTES_QUEUED = 256 << 20;
    /// Bytes that one commit reads for those who ask, after which questions are refused with `answers_full`; and of one
    /// answer, after which the rest of what the commit has caused follows in another one. The last of them may be longer.
    ANSWER_BYTES = 64 << 20;
    /// Answers kept, to be given again to a repeated request; not of requests that only ask.
    ANSWERS_REMEMBERED = 64;
    /// Bytes of all answers kept; without its answer a repeated request is refused with `request_repeated`.
    ANSWER_BYTES_REMEMBERED = 16 << 20;
    /// Bytes of one recorded value: a payload, an output, an error.
    VALUE_BYTES = 4 << 20;
    /// Nesting of one recorded value.
    VALUE_DEPTH = 128;
    /// Bytes of a workflow definition.
    DEFINITION_BYTES = 1 << 20;
    /// Nodes of one workflow, nested ones included.
    NODES_PER_WORKFLOW = 1_000;
    /// Blocks inside blocks.
    BLOCK_DEPTH = 32;
    /// Branches of one `if`, `parallel` or `race`.
    BRANCHES = 256;
    /// Items of one `forEach`.
    ITEMS = 100_000;
    /// Iterations that a `while` may be allowed.
    ITERATIONS = 1_000_000;
    /// Iterations of one `forEach` that a workflow may ask for at the same time.
    LOOP_CONCURRENCY = 1_000;
    /// Paths of one run at the same time: branches and iterations, nested ones included.
    PATHS_PER_RUN = 10_000;
    /// Ended attempts and decisions of one run.
    STEPS_PER_RUN = 2_000_000;
    /// Bytes of an output that the engine puts together: of `parallel` or of a loop.
    COMPOSED_BYTES = 32 << 20;
    /// Runs inside runs: a subflow of a subflow and so on.
    SUBFLOW_DEPTH = 32;
    /// Runs that a workflow's rate limit may let begin in one stretch of time.
    RATE_COUNT = 10_000;
    /// Milliseconds after which a run that could not begin at its reserved time reserves another.
    RATE_LATE_MS = 50;
    /// The highest priority; the lowest is its negative.
    PRIORITY = 100;
    /// Milliseconds of waiting that one level of priority is worth.
    PRIORITY_MS = 10_000;
    /// Characters of a key of `ctx.state`, of the cache, or of a concurrency or rate limit.
    STATE_KEY_BYTES = 512;
    /// Bytes of one value of `ctx.state`.
    STATE_VALUE_BYTES = 256 << 10;
    /// Changes of `ctx.state` by one attempt.
    STATE_CHANGES = 1_024;
    /// Values removed in one commit because their time is over.
    EXPIRED_PER_COMMIT = 1_024;
    /// Events of one name that are kept for waits which have not seen them.
    EVENTS_PER_NAME = 100_000;
    /// Waits that one commit tells of an event; the rest follow in the next.
    DELIVERIES_PER_COMMIT = 4_096;
    /// Waiting runs with a long history that are kept in memory, because reading them again takes time.
    RUNS_KEPT = 1_000;
    /// Ended attempts from which on a history is long.
    LONG_HISTORY = 256;
    /// Schedules, intervals and polls of one workflow.
    SCHEDULES_PER_WORKFLOW = 1_000;
    /// Schedules that one commit looks at because they are due; the rest follow in the next.
    SCHEDULES_PER_COMMIT = 1_024;
    /// Milliseconds an instant may be late before `misfire: "skip"` skips it.
    MISFIRE_LATE_MS = 60_000;
    /// Missed instants of one schedule that `misfire: "all"` makes up for, the latest ones.
    MISFIRES = 1_000;
    /// Instants of one schedule that wait because of `overlap: "queue"`; further ones are skipped.
    INSTANTS_QUEUED = 1_000;
    /// Milliseconds the host's clock may go back before schedules are reckoned anew.
    CLOCK_BACK_MS = 1_000;
    /// Stretches of instants that are remembered as decided for each schedule, besides the present one.
    STRETCHES_REMEMBERED = 8;
    /// The longest time in milliseconds between two polls because polling fails, unless the interval is longer.
    POLL_BACKOFF_MS = 3_600_000;
    /// Milliseconds after which a poll that a process was asked for and did not report is asked of the next process,
    /// unless the interval is shorter.
    POLL_AGAIN_MS = 60_000;
    /// Items that one poll may give.
    POLL_ITEMS = 10_000;
    /// Workflows that one event may start runs of.
    STARTS_PER_EVENT = 10_000;
    /// Workflows defined in one engine.
    WORKFLOWS = 10_000;
    /// Characters of a workflow id or a step name.
    NAME_LENGTH = 128;
    /// Bytes of an idempotency key.
    KEY_BYTES = 512;
    /// Bytes of a cancellation reason.
    REASON_BYTES = 1_024;
    /// Runs that execute, or wait for a free slot. Runs that wait on a timer are not counted: they cost disk only.
    RUNS_ACTIVE = 1_000_000;
    /// Slots a host may offer: runs whose handlers execute at the same time.
    CAPACITY = 100_000;
    /// Attempts of one step that a retry policy may ask for.
    RETRY_ATTEMPTS = 1_000;
    /// The longest duration in milliseconds: 100 years of 365 days.
    DURATION_MS = 100 * 365 * 24 * 3_600_000;
    /// Process deaths during one step after which its run is failed with code `crash_loop`.
    CRASH_LOOP_DEATHS = 5;
    /// Process deaths during one step after which its run is a suspect: it is executed apart from other suspects.
    SUSPECT_DEATHS = 2;
    /// Milliseconds for which neither the process nor another suspect must have begun before a suspect executes; twice
    /// as long with each further death.
    SUSPECT_QUIET_MS = 500;
    /// Timers fired in one commit; the rest follow in the next.
    TIMERS_PER_COMMIT = 4_096;
    /// Milliseconds for which an ended run is kept on, again and again, while the run that waits for it is stuck.
    STUCK_CHILD_MS = 3_600_000;
    /// Runs in one page of a list.
    LIST_ROWS = 1_000;
    /// Attempts in one page of a run's history.
    HISTORY_ROWS = 10_000;
    /// Bytes of recorded values in one page of a run's history (one more is read before the page ends).
    HISTORY_BYTES = 16 << 20;
    /// Bytes of recorded values of a run that the host is told without asking, when the run is read to go on.
    KNOWN_BYTES = 64 << 10;
    /// Engines open at the same time in one process.
    CORES = 256;
    /// Milliseconds a synchronous call waits for the engine thread before it answers `call_timeout`.
    CALL_MS = 30_000;
}
