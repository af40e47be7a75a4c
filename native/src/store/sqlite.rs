//! The store on disk: one SQLite file in WAL mode. Opening, committing, and what its errors mean.
//! The statements are in `sqlite/write.rs` and `sqlite/read.rs`.

mod list;
mod read;
mod write;

use std::path::Path;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::files::prepare_path;
use super::ownership::Ownership;
use super::presence::Presence;
use super::{Claim, Start, Starts, Store};
use crate::error::{Code, Error, Result};
use crate::ids::RunId;
use crate::model::{
    ApprovalRow, CircuitRow, DefinitionId, Place, RunFilter, RunRow, RunSummary, ScheduleId, ScheduleRow, StateValue,
    StepRow, StoredEvent, Timer, Write,
};

/// `PRAGMA application_id`: "crnf". A file with another one is not ours.
const APPLICATION_ID: i32 = 0x6372_6E66;

/// One script per version of the file; a file at version n has had the first n applied.
const MIGRATIONS: &[&str] = &[
    include_str!("migrations/0001_runs.sql"),
    include_str!("migrations/0002_flow.sql"),
    include_str!("migrations/0003_schedules.sql"),
    include_str!("migrations/0004_lists.sql"),
];

/// Pages in the write-ahead log after which a commit also moves them into the database file.
const CHECKPOINT_PAGES: u32 = 4_000;

/// What a commit survives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Durability {
    /// A power cut: `synchronous=FULL`, and on macOS `fullfsync`.
    #[default]
    Full,
    /// A process death. A power cut may take the last commits: `synchronous=NORMAL`.
    Relaxed,
}

/// A store in a SQLite file.
#[derive(Debug)]
pub struct SqliteStore {
    connection: Connection,
    // Dropped after the connection, in this order.
    presence: Option<Presence>,
    _ownership: Ownership,
}

impl Drop for SqliteStore {
    fn drop(&mut self) {
        let Some(presence) = &self.presence else { return };
        // Before the log may be taken away all of it is in the database. Where that fails, it is kept and read again.
        let busy = self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0));
        if busy.is_ok_and(|busy: i64| busy == 0) {
            presence.hide();
        }
    }
}

impl SqliteStore {
    /// Opens or creates a database file, and becomes its owner.
    pub fn open(path: &Path, durability: Durability) -> Result<SqliteStore> {
        let path = prepare_path(path)?;
        let ownership = Ownership::take(&path)?;
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&path, flags)
            .map_err(Failure::Sqlite)
            .and_then(|connection| may_write(&path, &connection).map(|()| connection))
            .map_err(|failure| failure.at(&path))?;
        let mut store = SqliteStore { connection, presence: None, _ownership: ownership };
        store.configure(durability).and_then(|()| store.migrate(&path)).map_err(|failure| failure.at(&path))?;
        store.presence = Some(Presence::show(&path)?);
        Ok(store)
    }

    fn configure(&mut self, durability: Durability) -> std::result::Result<(), Failure> {
        let connection = &self.connection;
        connection.set_prepared_statement_cache_capacity(128);
        connection.busy_timeout(std::time::Duration::from_secs(5))?;
        // The first statement that reads the file: here a file that is no database shows.
        connection.pragma_update(None, "journal_mode", "WAL")?;
        let synchronous = match durability {
            Durability::Full => "FULL",
            Durability::Relaxed => "NORMAL",
        };
        connection.pragma_update(None, "synchronous", synchronous)?;
        // On macOS `fsync` does not reach the medium; only there this says that it must.
        connection.pragma_update(None, "fullfsync", durability == Durability::Full)?;
        connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
        // Definitions are never deleted, so the one reference of the schema holds without being checked.
        connection.pragma_update(None, "foreign_keys", false)?;
        // One plan for each statement, whatever is bound to it: else it is compiled again for every value of a LIMIT.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
        Ok(())
    }

    fn migrate(&mut self, path: &Path) -> std::result::Result<(), Failure> {
        let pragma = |name| self.connection.pragma_query_value(None, name, |row| row.get::<_, i32>(0));
        let version = pragma("user_version")?;
        let application = pragma("application_id")?;
        let tables: i64 = self.connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
        if application != APPLICATION_ID && (application != 0 || tables > 0) {
            let message = format!("{} is a database of another application", path.display());
            return Err(Failure::Ours(Error::new(Code::DatabaseForeign, message)));
        }
        let known = MIGRATIONS.len() as i32;
        if version > known {
            let message = format!(
                "{} has version {version}, this cronflow-ffi knows versions up to {known}: use a newer cronflow-ffi",
                path.display()
            );
            return Err(Failure::Ours(Error::new(Code::DatabaseNewer, message)));
        }
        if version < known {
            let transaction = self.connection.transaction()?;
            for migration in &MIGRATIONS[version.max(0) as usize..] {
                transaction.execute_batch(migration)?;
            }
            transaction.pragma_update(None, "user_version", known)?;
            transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
            transaction.commit()?;
        }
        Ok(())
    }
}

/// Verbs that are one statement or a few: each is the function of its name in `write` or `read`.
macro_rules! statements {
    ($($room:ident fn $name:ident($($argument:ident: $type:ty),*) -> $result:ty;)+) => {
        $(fn $name(&mut self, $($argument: $type),*) -> Result<$result> {
            $room::$name(&self.connection, $($argument),*).map_err(|error| sqlite_error(&error))
        })+
    };
}

impl Store for SqliteStore {
    fn begin(&mut self) -> Result<()> {
        self.execute("BEGIN")
    }

    fn commit(&mut self) -> Result<()> {
        self.execute("COMMIT")
    }

    fn rollback(&mut self) {
        // SQLite has already rolled back after some errors; then there is nothing to do.
        if !self.connection.is_autocommit() && self.execute("ROLLBACK").is_err() {
            debug_assert!(self.connection.is_autocommit());
        }
    }

    statements! {
        write fn write(write: &Write<'_>) -> ();
        write fn define(workflow_id: &str, hash: &str, definition: &str, now_ms: i64) -> DefinitionId;
        write fn claim(workflow_id: &str, key: &str, claim: &Claim) -> Option<Claim>;
        write fn delete_run(run: RunId) -> ();
        read fn definition(id: DefinitionId) -> Option<String>;
        read fn summary(run: RunId) -> Option<RunSummary>;
        read fn ready_runs(workflow_id: &str) -> Vec<RunId>;
        read fn withheld_starts(workflow_id: &str) -> Vec<Timer>;
        read fn parked_runs(workflow_id: &str, definition: DefinitionId) -> Vec<RunId>;
        read fn stuck_counts() -> Vec<(String, u32)>;
        read fn open_counts_but(known: &[String]) -> Vec<(String, u32)>;
        read fn due_timers(now_ms: i64, limit: u32) -> Vec<Timer>;
        read fn next_timer() -> Option<i64>;
        read fn last_run() -> Option<RunId>;
        read fn run(id: RunId) -> Option<RunRow>;
        read fn history(run: RunId, after: u32, limit: u32) -> Vec<StepRow>;
        read fn output(run: RunId, sequence: u32) -> Option<String>;
        list fn list(filter: &RunFilter) -> Vec<RunRow>;
        write fn insert_event(name: &str, payload: Option<&str>, now_ms: i64) -> i64;
        read fn events() -> Vec<(String, StoredEvent)>;
        read fn next_event(place: &Place, name: &str) -> Option<StoredEvent>;
        read fn is_awaited(name: &str) -> bool;
        read fn waits(name: &str, event: i64, after: Option<&Place>, limit: u32) -> Vec<Place>;
        write fn forget_events(name: &str) -> u64;
        read fn approval(token_hash: &str) -> Option<ApprovalRow>;
        read fn approvals(workflow_id: Option<&str>, limit: u32) -> Vec<ApprovalRow>;
        read fn state(space: &str, key: &str, now_ms: i64) -> Option<StateValue>;
        write fn set_state(space: &str, key: &str, value: Option<&StateValue>) -> ();
        write fn expire_state(now_ms: i64, limit: u32) -> ();
        read fn next_expiry() -> Option<i64>;
        read fn circuits() -> Vec<(String, CircuitRow)>;
        read fn paused() -> Vec<String>;
        write fn set_paused(workflow_id: &str, paused: bool) -> ();
        read fn starts(workflow_id: &str, key: &str, back: u32) -> Starts;
        write fn add_start(workflow_id: &str, key: &str, start: Start, keep: u32, until_ms: i64) -> ();
        write fn begin_start(workflow_id: &str, key: &str, at_ms: i64) -> bool;
        write fn drop_starts(workflow_id: &str, key: &str, from_ms: i64) -> ();
        read fn reservations(workflow_id: &str, after_ms: i64) -> Vec<(String, i64)>;
        read fn limited_runs(workflow_id: &str, after_ms: i64) -> Vec<(String, Timer)>;
        write fn move_begun_starts(workflow_id: &str, after_ms: i64, to_ms: i64) -> ();
        read fn schedules(workflow_id: Option<&str>, after: ScheduleId, limit: u32) -> Vec<ScheduleRow>;
        read fn schedule(id: ScheduleId) -> Option<ScheduleRow>;
        read fn schedule_named(workflow_id: &str, name: &str) -> Option<ScheduleRow>;
        write fn put_schedule(row: &ScheduleRow) -> ScheduleId;
        write fn remove_schedule(id: ScheduleId) -> ();
        read fn run_of_instant(workflow_id: &str, name: &str, instant_ms: i64) -> Option<RunId>;
        read fn open_run_of(workflow_id: &str, name: &str) -> Option<RunId>;
    }
}

impl SqliteStore {
    fn execute(&self, sql: &str) -> Result<()> {
        let run = || self.connection.prepare_cached(sql)?.execute([]);
        run().map(drop).map_err(|error| sqlite_error(&error))
    }
}

enum Failure {
    Ours(Error),
    Sqlite(rusqlite::Error),
}

impl Failure {
    fn at(self, path: &Path) -> Error {
        match self {
            Failure::Ours(error) => error,
            Failure::Sqlite(error) => open_error(path, &error),
        }
    }
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Failure {
        Failure::Sqlite(error)
    }
}

/// A file that may only be read is opened by SQLite all the same, and the first run that is started would fail.
fn may_write(path: &Path, connection: &Connection) -> std::result::Result<(), Failure> {
    match connection.is_readonly(rusqlite::MAIN_DB)? {
        false => Ok(()),
        true => {
            let message = format!("{} may not be written by this process", path.display());
            Err(Failure::Ours(Error::new(Code::NotWritable, message)))
        }
    }
}

fn open_error(path: &Path, error: &rusqlite::Error) -> Error {
    let mapped = sqlite_error(error);
    if error.sqlite_error_code() == Some(ErrorCode::NotADatabase) {
        return Error::new(Code::NotADatabase, format!("{} is not a SQLite database", path.display()));
    }
    Error::new(mapped.code, format!("{}: {}", path.display(), mapped.message))
}

/// What an error of SQLite means. Values of a wrong type or word in a column are damage, like a broken page.
pub(super) fn sqlite_error(error: &rusqlite::Error) -> Error {
    use rusqlite::Error as E;
    let code = match error {
        E::FromSqlConversionFailure(..) | E::IntegralValueOutOfRange(..) | E::InvalidColumnType(..) => {
            Code::DatabaseCorrupt
        }
        // A write to a row that is not there: no later attempt will find it.
        E::StatementChangedRows(_) => Code::InvariantBroken,
        _ => match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Code::DiskFull,
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Code::DatabaseCorrupt,
            Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => Code::NotWritable,
            Some(ErrorCode::ConstraintViolation | ErrorCode::ApiMisuse | ErrorCode::TypeMismatch) => {
                Code::InvariantBroken
            }
            _ => Code::StorageFailed,
        },
    };
    Error::new(code, format!("the database answered: {error}"))
}

#[cfg(test)]
mod tests {
    use rusqlite::StatementStatus;

    use super::*;

    #[test]
    fn a_file_that_is_open_for_reading_only_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("cronflow.db");
        drop(SqliteStore::open(&path, Durability::Full).unwrap());
        let is_refused = |flags| {
            let connection = Connection::open_with_flags(&path, flags).unwrap();
            may_write(&path, &connection).map_err(|failure| failure.at(&path))
        };
        assert_eq!(is_refused(OpenFlags::SQLITE_OPEN_READ_WRITE), Ok(()));
        let error = is_refused(OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap_err();
        assert_eq!(error.code, Code::NotWritable);
        assert!(error.message.contains(&*path.to_string_lossy()), "{error}");
    }

    /// SQLite compiles a statement again when a parameter that its plan looks at is bound to another value, and a plan
    /// looks at a bound LIMIT. Half of the time of a run's record went into that.
    #[test]
    fn a_statement_is_compiled_once_whatever_is_bound_to_it() {
        let directory = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(&directory.path().join("cronflow.db"), Durability::Full).unwrap();
        let sql = "SELECT name FROM steps WHERE run_id = ?1 AND sequence > ?1 ORDER BY sequence LIMIT ?1";
        let mut statement = store.connection.prepare(sql).unwrap();
        for value in 1..=10 {
            assert!(statement.query([value]).unwrap().next().unwrap().is_none());
        }
        assert_eq!(statement.get_status(StatementStatus::RePrepare), 0);
    }
}
