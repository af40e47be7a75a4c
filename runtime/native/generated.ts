// Generated from native/src by native/tests/generated.rs. Do not edit.

export const VERSION = "0.1.0";
export const ABI_VERSION = 2;

/** Every error code of the core, its class and its meaning. */
export const CODES = {
  request_invalid: { class: "invalid", meaning: "The request is not UTF-8 JSON of the protocol's shape." },
  request_too_large: { class: "invalid", meaning: "The request is larger than the limit." },
  config_invalid: { class: "invalid", meaning: "A configuration is wrong: of the engine, a service, or a secret." },
  definition_invalid: { class: "invalid", meaning: "The workflow definition is wrong." },
  value_invalid: { class: "invalid", meaning: "A value cannot be recorded as JSON." },
  value_too_large: { class: "invalid", meaning: "A recorded value is larger than the limit." },
  value_too_deep: { class: "invalid", meaning: "A recorded value is nested deeper than the limit." },
  not_a_number: { class: "invalid", meaning: "A value that is to be added to is not a number." },
  run_id_invalid: { class: "invalid", meaning: "A run id is not of the form `run_…`." },
  text_invalid: { class: "invalid", meaning: "An idempotency key, reason or other text is empty or too long." },
  path_invalid: { class: "invalid", meaning: "The database path cannot be used: it is a directory, or its directory, which is made if it is missing, cannot be made." },
  not_a_database: { class: "invalid", meaning: "The file is not a SQLite database." },
  database_foreign: { class: "invalid", meaning: "The file is a SQLite database of another application." },
  database_newer: { class: "invalid", meaning: "The file was written by a newer version of the engine." },
  not_writable: { class: "invalid", meaning: "The file or its directory may not be written by this process." },
  handle_invalid: { class: "invalid", meaning: "The handle was never given out, or is closed." },
  workflow_not_found: { class: "not_found", meaning: "No workflow of this id is defined." },
  run_not_found: { class: "not_found", meaning: "No run of this id is stored." },
  step_not_found: { class: "not_found", meaning: "The workflow has no step of this name." },
  token_unknown: { class: "not_found", meaning: "No request for approval has this token." },
  schedule_not_found: { class: "not_found", meaning: "No schedule of this number is stored." },
  attempt_ended: { class: "conflict", meaning: "The attempt has already ended; its late result is refused." },
  run_ended: { class: "conflict", meaning: "The run has already ended." },
  run_not_retryable: { class: "conflict", meaning: "Only a run that has failed, was cancelled or is stuck, and whose hook has ended, can be taken up again." },
  token_used: { class: "conflict", meaning: "The request for approval was answered before, or its run went on without it." },
  run_stuck: { class: "conflict", meaning: "The run is stuck: what it waits for can be answered when it goes on." },
  token_expired: { class: "conflict", meaning: "Nobody answered the request for approval in time." },
  idempotency_conflict: { class: "conflict", meaning: "The idempotency key was used with another body." },
  delivery_conflict: { class: "conflict", meaning: "A message of this id was delivered before, with another body." },
  request_repeated: { class: "conflict", meaning: "The request was applied before, and its answer is no longer remembered." },
  queue_full: { class: "busy", meaning: "Too many requests wait for the engine." },
  answers_full: { class: "busy", meaning: "So many bytes were read for this commit that nothing more is: ask again." },
  too_many_runs: { class: "busy", meaning: "Too many runs are active." },
  too_many_events: { class: "busy", meaning: "Too many events of this name are kept for waits that have not seen them." },
  subflow_too_deep: { class: "busy", meaning: "A run is inside of too many others." },
  too_many_workflows: { class: "busy", meaning: "Too many workflows are defined." },
  too_many_cores: { class: "busy", meaning: "Too many engines are open in this process." },
  database_owned: { class: "unavailable", meaning: "Another process, or another engine of this process, owns the database file." },
  disk_full: { class: "unavailable", meaning: "The disk is full; nothing of the batch was recorded." },
  storage_failed: { class: "unavailable", meaning: "The storage failed; nothing of the batch was recorded." },
  closed: { class: "unavailable", meaning: "The engine is closed." },
  call_timeout: { class: "unknown_outcome", meaning: "The engine thread did not answer in time; the command may still be applied." },
  database_corrupt: { class: "corrupt", meaning: "The database file is damaged." },
  poisoned: { class: "bug", meaning: "A panic was caught; the engine refuses further work." },
  invariant_broken: { class: "bug", meaning: "A rule of the engine was broken; nothing of the batch was recorded." },
} as const;

export type Code = keyof typeof CODES;
export type ErrorClass = (typeof CODES)[Code]["class"];

/** Every bound of the core. */
export const LIMITS = {
  /** Bytes of one request (one `cronflow_call` or `cronflow_submit`). */
  REQUEST_BYTES: 67108864,
  /** Commands in one request. */
  COMMANDS_PER_REQUEST: 16384,
  /** Requests waiting for the engine thread; one more is answered `queue_full`. */
  REQUESTS_QUEUED: 4096,
  /** Bytes of all requests waiting for the engine thread. */
  REQUEST_BYTES_QUEUED: 268435456,
  /** Bytes of requests taken into one commit (at least one request is always taken). */
  REQUEST_BYTES_PER_COMMIT: 16777216,
  /** Bytes of answers the host has not taken yet; beyond it the engine thread waits before it takes more work. */
  ANSWER_BYTES_QUEUED: 268435456,
  /** Bytes that one commit reads for those who ask, after which questions are refused with `answers_full`; and of one answer, after which the rest of what the commit has caused follows in another one. The last of them may be longer. */
  ANSWER_BYTES: 67108864,
  /** Answers kept, to be given again to a repeated request; not of requests that only ask. */
  ANSWERS_REMEMBERED: 64,
  /** Bytes of all answers kept; without its answer a repeated request is refused with `request_repeated`. */
  ANSWER_BYTES_REMEMBERED: 16777216,
  /** Bytes of one recorded value: a payload, an output, an error. */
  VALUE_BYTES: 4194304,
  /** Nesting of one recorded value. */
  VALUE_DEPTH: 128,
  /** Bytes of a workflow definition. */
  DEFINITION_BYTES: 1048576,
  /** Nodes of one workflow, nested ones included. */
  NODES_PER_WORKFLOW: 1000,
  /** Blocks inside blocks. */
  BLOCK_DEPTH: 32,
  /** Branches of one `if`, `parallel` or `race`. */
  BRANCHES: 256,
  /** Items of one `forEach`. */
  ITEMS: 100000,
  /** Iterations that a `while` may be allowed. */
  ITERATIONS: 1000000,
  /** Iterations of one `forEach` that a workflow may ask for at the same time. */
  LOOP_CONCURRENCY: 1000,
  /** Paths of one run at the same time: branches and iterations, nested ones included. */
  PATHS_PER_RUN: 10000,
  /** Ended attempts and decisions of one run. */
  STEPS_PER_RUN: 2000000,
  /** Bytes of an output that the engine puts together: of `parallel` or of a loop. */
  COMPOSED_BYTES: 33554432,
  /** Runs inside runs: a subflow of a subflow and so on. */
  SUBFLOW_DEPTH: 32,
  /** Runs that a workflow's rate limit may let begin in one stretch of time. */
  RATE_COUNT: 10000,
  /** Milliseconds after which a run that could not begin at its reserved time reserves another. */
  RATE_LATE_MS: 50,
  /** The highest priority; the lowest is its negative. */
  PRIORITY: 100,
  /** Milliseconds of waiting that one level of priority is worth. */
  PRIORITY_MS: 10000,
  /** Characters of a key of `ctx.state`, of the cache, or of a concurrency or rate limit. */
  STATE_KEY_BYTES: 512,
  /** Bytes of one value of `ctx.state`. */
  STATE_VALUE_BYTES: 262144,
  /** Changes of `ctx.state` by one attempt. */
  STATE_CHANGES: 1024,
  /** Values removed in one commit because their time is over. */
  EXPIRED_PER_COMMIT: 1024,
  /** Events of one name that are kept for waits which have not seen them. */
  EVENTS_PER_NAME: 100000,
  /** Waits that one commit tells of an event; the rest follow in the next. */
  DELIVERIES_PER_COMMIT: 4096,
  /** Waiting runs with a long history that are kept in memory, because reading them again takes time. */
  RUNS_KEPT: 1000,
  /** Ended attempts from which on a history is long. */
  LONG_HISTORY: 256,
  /** Schedules, intervals and polls of one workflow. */
  SCHEDULES_PER_WORKFLOW: 1000,
  /** Schedules that one commit looks at because they are due; the rest follow in the next. */
  SCHEDULES_PER_COMMIT: 1024,
  /** Milliseconds an instant may be late before `misfire: "skip"` skips it. */
  MISFIRE_LATE_MS: 60000,
  /** Missed instants of one schedule that `misfire: "all"` makes up for, the latest ones. */
  MISFIRES: 1000,
  /** Instants of one schedule that wait because of `overlap: "queue"`; further ones are skipped. */
  INSTANTS_QUEUED: 1000,
  /** Milliseconds the host's clock may go back before schedules are reckoned anew. */
  CLOCK_BACK_MS: 1000,
  /** Stretches of instants that are remembered as decided for each schedule, besides the present one. */
  STRETCHES_REMEMBERED: 8,
  /** The longest time in milliseconds between two polls because polling fails, unless the interval is longer. */
  POLL_BACKOFF_MS: 3600000,
  /** Milliseconds after which a poll that a process was asked for and did not report is asked of the next process, unless the interval is shorter. */
  POLL_AGAIN_MS: 60000,
  /** Items that one poll may give. */
  POLL_ITEMS: 10000,
  /** Workflows that one event may start runs of. */
  STARTS_PER_EVENT: 10000,
  /** Workflows defined in one engine. */
  WORKFLOWS: 10000,
  /** Characters of a workflow id or a step name. */
  NAME_LENGTH: 128,
  /** Bytes of an idempotency key. */
  KEY_BYTES: 512,
  /** Bytes of a cancellation reason. */
  REASON_BYTES: 1024,
  /** Runs that execute, or wait for a free slot. Runs that wait on a timer are not counted: they cost disk only. */
  RUNS_ACTIVE: 1000000,
  /** Slots a host may offer: runs whose handlers execute at the same time. */
  CAPACITY: 100000,
  /** Attempts of one step that a retry policy may ask for. */
  RETRY_ATTEMPTS: 1000,
  /** The longest duration in milliseconds: 100 years of 365 days. */
  DURATION_MS: 3153600000000,
  /** Process deaths during one step after which its run is failed with code `crash_loop`. */
  CRASH_LOOP_DEATHS: 5,
  /** Process deaths during one step after which its run is a suspect: it is executed apart from other suspects. */
  SUSPECT_DEATHS: 2,
  /** Milliseconds for which neither the process nor another suspect must have begun before a suspect executes; twice as long with each further death. */
  SUSPECT_QUIET_MS: 500,
  /** Timers fired in one commit; the rest follow in the next. */
  TIMERS_PER_COMMIT: 4096,
  /** Milliseconds for which an ended run is kept on, again and again, while the run that waits for it is stuck. */
  STUCK_CHILD_MS: 3600000,
  /** Runs in one page of a list. */
  LIST_ROWS: 1000,
  /** Attempts in one page of a run's history. */
  HISTORY_ROWS: 10000,
  /** Bytes of recorded values in one page of a run's history (one more is read before the page ends). */
  HISTORY_BYTES: 16777216,
  /** Bytes of recorded values of a run that the host is told without asking, when the run is read to go on. */
  KNOWN_BYTES: 65536,
  /** Engines open at the same time in one process. */
  CORES: 256,
  /** Milliseconds a synchronous call waits for the engine thread before it answers `call_timeout`. */
  CALL_MS: 30000,
} as const;
