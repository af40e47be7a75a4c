//! The closed list of error codes. A code never changes its meaning; adding one here regenerates the TypeScript side.

use serde::Serialize;

/// What the caller can do about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// The call is wrong: change it.
    Invalid,
    /// What the call names does not exist.
    NotFound,
    /// The call comes too late, or contradicts what is recorded: drop it.
    Conflict,
    /// The engine has too much to do: try again later.
    Busy,
    /// The engine cannot do it now: try again later.
    Unavailable,
    /// It may or may not have happened: repeat the same call.
    UnknownOutcome,
    /// The stored data is damaged.
    Corrupt,
    /// The engine broke one of its own rules.
    Bug,
}

macro_rules! codes {
    ($($class:ident { $($(#[doc = $doc:literal])+ $name:ident = $text:literal,)+ })+) => {
        /// A stable error code.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
        pub enum Code {
            $($($(#[doc = $doc])+ #[serde(rename = $text)] $name,)+)+
        }

        impl Code {
            /// Every code, grouped by class.
            pub const ALL: &'static [Code] = &[$($(Code::$name),+),+];

            /// The class of this code.
            pub fn class(self) -> Class {
                match self { $($(Code::$name)|+ => Class::$class,)+ }
            }

            /// The code as it stands in JSON.
            pub fn as_str(self) -> &'static str {
                match self { $($(Code::$name => $text,)+)+ }
            }

            /// What the code means, in one sentence.
            pub fn meaning(self) -> &'static str {
                match self { $($(Code::$name => concat!($($doc),+),)+)+ }
            }
        }
    };
}

codes! {
    Invalid {
        /// The request is not UTF-8 JSON of the protocol's shape.
        RequestInvalid = "request_invalid",
        /// The request is larger than the limit.
        RequestTooLarge = "request_too_large",
        /// A configuration is wrong: of the engine, a service, or a secret.
        ConfigInvalid = "config_invalid",
        /// The workflow definition is wrong.
        DefinitionInvalid = "definition_invalid",
        /// A value cannot be recorded as JSON.
        ValueInvalid = "value_invalid",
        /// A recorded value is larger than the limit.
        ValueTooLarge = "value_too_large",
        /// A recorded value is nested deeper than the limit.
        ValueTooDeep = "value_too_deep",
        /// A value that is to be added to is not a number.
        NotANumber = "not_a_number",
        /// A run id is not of the form `run_…`.
        RunIdInvalid = "run_id_invalid",
        /// An idempotency key, reason or other text is empty or too long.
        TextInvalid = "text_invalid",
        /// The database path cannot be used: it is a directory, or its directory, which is made if it is missing, cannot be made.
        PathInvalid = "path_invalid",
        /// The file is not a SQLite database.
        NotADatabase = "not_a_database",
        /// The file is a SQLite database of another application.
        DatabaseForeign = "database_foreign",
        /// The file was written by a newer version of the engine.
        DatabaseNewer = "database_newer",
        /// The file or its directory may not be written by this process.
        NotWritable = "not_writable",
        /// The handle was never given out, or is closed.
        HandleInvalid = "handle_invalid",
    }
    NotFound {
        /// No workflow of this id is defined.
        WorkflowNotFound = "workflow_not_found",
        /// No run of this id is stored.
        RunNotFound = "run_not_found",
        /// The workflow has no step of this name.
        StepNotFound = "step_not_found",
        /// No request for approval has this token.
        TokenUnknown = "token_unknown",
        /// No schedule of this number is stored.
        ScheduleNotFound = "schedule_not_found",
    }
    Conflict {
        /// The attempt has already ended; its late result is refused.
        AttemptEnded = "attempt_ended",
        /// The run has already ended.
        RunEnded = "run_ended",
        /// Only a run that has failed, was cancelled or is stuck, and whose hook has ended, can be taken up again.
        RunNotRetryable = "run_not_retryable",
        /// The request for approval was answered before, or its run went on without it.
        TokenUsed = "token_used",
        /// The run is stuck: what it waits for can be answered when it goes on.
        RunStuck = "run_stuck",
        /// Nobody answered the request for approval in time.
        TokenExpired = "token_expired",
        /// The idempotency key was used with another body.
        IdempotencyConflict = "idempotency_conflict",
        /// A message of this id was delivered before, with another body.
        DeliveryConflict = "delivery_conflict",
        /// The request was applied before, and its answer is no longer remembered.
        RequestRepeated = "request_repeated",
    }
    Busy {
        /// Too many requests wait for the engine.
        QueueFull = "queue_full",
        /// So many bytes were read for this commit that nothing more is: ask again.
        AnswersFull = "answers_full",
        /// Too many runs are active.
        TooManyRuns = "too_many_runs",
        /// Too many events of this name are kept for waits that have not seen them.
        TooManyEvents = "too_many_events",
        /// A run is inside of too many others.
        SubflowTooDeep = "subflow_too_deep",
        /// Too many workflows are defined.
        TooManyWorkflows = "too_many_workflows",
        /// Too many engines are open in this process.
        TooManyCores = "too_many_cores",
    }
    Unavailable {
        /// Another process, or another engine of this process, owns the database file.
        DatabaseOwned = "database_owned",
        /// The disk is full; nothing of the batch was recorded.
        DiskFull = "disk_full",
        /// The storage failed; nothing of the batch was recorded.
        StorageFailed = "storage_failed",
        /// The engine is closed.
        Closed = "closed",
    }
    UnknownOutcome {
        /// The engine thread did not answer in time; the command may still be applied.
        CallTimeout = "call_timeout",
    }
    Corrupt {
        /// The database file is damaged.
        DatabaseCorrupt = "database_corrupt",
    }
    Bug {
        /// A panic was caught; the engine refuses further work.
        Poisoned = "poisoned",
        /// A rule of the engine was broken; nothing of the batch was recorded.
        InvariantBroken = "invariant_broken",
    }
}

/// An expected failure: what is wrong, where, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("{message} ({})", code.as_str())]
pub struct Error {
    /// The stable code.
    pub code: Code,
    /// A sentence for people.
    pub message: String,
}

impl Error {
    /// An error of this code, with a sentence for people.
    pub fn new(code: Code, message: impl Into<String>) -> Error {
        Error { code, message: message.into() }
    }

    /// The state contradicts a rule of the engine.
    pub fn bug(message: impl Into<String>) -> Error {
        Error::new(Code::InvariantBroken, message)
    }

    /// The stored data contradicts itself.
    pub fn corrupt(message: impl Into<String>) -> Error {
        Error::new(Code::DatabaseCorrupt, message)
    }
}

/// The result of everything here that can fail in an expected way.
pub type Result<T> = std::result::Result<T, Error>;
