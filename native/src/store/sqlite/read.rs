//! The statements that read the file.

use rusqlite::types::{FromSqlError, Type};
use rusqlite::{Connection, Error, OptionalExtension, Result, Row, params};

use crate::ids::RunId;
use crate::model::{
    ApprovalRow, ApprovalStatus, CircuitRow, DefinitionId, Handler, Place, Progress, RunRow, RunStatus, RunSummary,
    ScheduleId, ScheduleRow, StateValue, StepRow, StepStatus, StepSummary, StoredEvent, Timer,
};
use crate::store::Starts;

pub fn definition(connection: &Connection, id: DefinitionId) -> Result<Option<String>> {
    connection
        .prepare_cached("SELECT definition FROM workflows WHERE definition_id = ?1")?
        .query_row([id], |row| row.get(0))
        .optional()
}

pub fn summary(connection: &Connection, run: RunId) -> Result<Option<RunSummary>> {
    let found = connection
        .prepare_cached(
            "SELECT definition_id, workflow_id, status, open, hook_queued, created_at_ms, start_at_ms, priority,
                    concurrency_key, parent_run_id, depth, mocks, error, rate_key, schedule,
                    (SELECT due_at_ms FROM timers WHERE run_id = ?1)
             FROM workflow_runs WHERE id = ?1",
        )?
        .query_row([run.to_integer()], |row| {
            Ok(RunSummary {
                id: run,
                definition: row.get(0)?,
                workflow_id: row.get(1)?,
                status: word(row, 2, RunStatus::parse)?,
                open: row.get(3)?,
                hook_queued: row.get(4)?,
                created_at_ms: row.get(5)?,
                start_at_ms: row.get(6)?,
                priority: row.get(7)?,
                concurrency_key: row.get(8)?,
                parent: optional_run_id(row, 9)?,
                depth: row.get(10)?,
                mocks: row.get(11)?,
                error: row.get(12)?,
                rate_key: row.get(13)?,
                schedule: row.get(14)?,
                timer_due_at_ms: row.get(15)?,
                steps: Vec::new(),
            })
        })
        .optional()?;
    let Some(mut summary) = found else { return Ok(None) };
    summary.steps = connection
        .prepare_cached(
            "SELECT sequence, name, scope, handler, status, decision, octet_length(output),
                    CASE WHEN retry_at_ms IS NULL AND (status = 'failed' OR status = 'timed_out') THEN error END,
                    retry_at_ms, finished_at_ms
             FROM steps WHERE run_id = ?1 ORDER BY sequence",
        )?
        .query_map([run.to_integer()], |row| {
            Ok(StepSummary {
                sequence: row.get(0)?,
                name: row.get(1)?,
                scope: row.get(2)?,
                handler: word(row, 3, Handler::parse)?,
                status: word(row, 4, StepStatus::parse)?,
                decision: row.get(5)?,
                output_bytes: row.get(6)?,
                error: row.get(7)?,
                retry_at_ms: row.get(8)?,
                finished_at_ms: row.get(9)?,
            })
        })?
        .collect::<Result<_>>()?;
    Ok(Some(summary))
}

pub fn ready_runs(connection: &Connection, workflow_id: &str) -> Result<Vec<RunId>> {
    connection
        .prepare_cached(
            "SELECT id FROM workflow_runs WHERE workflow_id = ?1 AND status = 'pending'
             UNION ALL SELECT id FROM workflow_runs WHERE workflow_id = ?1 AND status = 'running'
             UNION ALL SELECT id FROM workflow_runs WHERE workflow_id = ?1
               AND open = 1 AND (status = 'completed' OR status = 'failed' OR status = 'cancelled')
             ORDER BY id",
        )?
        .query_map([workflow_id], |row| run_id(row, 0))?
        .collect()
}

pub fn parked_runs(connection: &Connection, workflow_id: &str, definition: DefinitionId) -> Result<Vec<RunId>> {
    connection
        .prepare_cached(
            "SELECT id FROM workflow_runs WHERE workflow_id = ?1 AND status = 'stuck' AND definition_id = ?2 ORDER BY id",
        )?
        .query_map(params![workflow_id, definition], |row| run_id(row, 0))?
        .collect()
}

pub fn stuck_counts(connection: &Connection) -> Result<Vec<(String, u32)>> {
    connection
        .prepare_cached(
            "SELECT workflow_id, count(*) FROM workflow_runs INDEXED BY stuck_runs WHERE status = 'stuck'
             GROUP BY workflow_id ORDER BY workflow_id",
        )?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect()
}

/// Only the runs of workflows that are not known are counted: of the others there may be very many.
pub fn open_counts_but(connection: &Connection, known: &[String]) -> Result<Vec<(String, u32)>> {
    let mut stored = connection.prepare_cached("SELECT DISTINCT workflow_id FROM workflows ORDER BY workflow_id")?;
    let mut count = connection.prepare_cached(
        "SELECT (SELECT count(*) FROM workflow_runs WHERE workflow_id = ?1 AND status = 'pending')
              + (SELECT count(*) FROM workflow_runs WHERE workflow_id = ?1 AND status = 'running')
              + (SELECT count(*) FROM workflow_runs WHERE workflow_id = ?1 AND status = 'waiting')
              + (SELECT count(*) FROM workflow_runs WHERE workflow_id = ?1
                 AND open = 1 AND (status = 'completed' OR status = 'failed' OR status = 'cancelled'))",
    )?;
    let mut counts = Vec::new();
    for workflow_id in stored.query_map([], |row| row.get::<_, String>(0))? {
        let workflow_id = workflow_id?;
        if known.contains(&workflow_id) {
            continue;
        }
        let open = count.query_row([&workflow_id], |row| row.get(0))?;
        if open > 0 {
            counts.push((workflow_id, open));
        }
    }
    Ok(counts)
}

pub fn due_timers(connection: &Connection, now_ms: i64, limit: u32) -> Result<Vec<Timer>> {
    connection
        .prepare_cached(
            "SELECT due_at_ms, run_id FROM timers WHERE due_at_ms <= ?1 ORDER BY due_at_ms, run_id LIMIT ?2",
        )?
        .query_map(params![now_ms, limit], |row| Ok(Timer { due_at_ms: row.get(0)?, run: run_id(row, 1)? }))?
        .collect()
}

pub fn withheld_starts(connection: &Connection, workflow_id: &str) -> Result<Vec<Timer>> {
    connection
        .prepare_cached(
            "SELECT run.start_at_ms, run.id FROM workflow_runs AS run LEFT JOIN timers ON timers.run_id = run.id
             WHERE run.status = 'waiting' AND run.workflow_id = ?1 AND run.rate_key IS NOT NULL
               AND (timers.due_at_ms IS NULL OR timers.due_at_ms > run.start_at_ms)
             ORDER BY run.start_at_ms, run.id",
        )?
        .query_map([workflow_id], |row| Ok(Timer { due_at_ms: row.get(0)?, run: run_id(row, 1)? }))?
        .collect()
}

pub fn next_timer(connection: &Connection) -> Result<Option<i64>> {
    connection.prepare_cached("SELECT min(due_at_ms) FROM timers")?.query_row([], |row| row.get(0))
}

pub fn last_run(connection: &Connection) -> Result<Option<RunId>> {
    // Each by itself: SQLite looks for the greatest id of a compound of both by going through all of them.
    connection
        .prepare_cached("SELECT (SELECT max(id) FROM workflow_runs), (SELECT run_id FROM last_removed)")?
        .query_row([], |row| Ok(optional_run_id(row, 0)?.max(optional_run_id(row, 1)?)))
}

pub const RUN_COLUMNS: &str = "id, workflow_id, definition_id, status, open, payload, trigger, output, error, created_at_ms, \
                           finished_at_ms, parent_run_id, replay_of, start_at_ms";

pub fn run(connection: &Connection, id: RunId) -> Result<Option<RunRow>> {
    connection
        .prepare_cached(&format!("SELECT {RUN_COLUMNS} FROM workflow_runs WHERE id = ?1"))?
        .query_row([id.to_integer()], run_row)
        .optional()
}

pub fn history(connection: &Connection, run: RunId, after: u32, limit: u32) -> Result<Vec<StepRow>> {
    connection
        .prepare_cached(
            "SELECT sequence, name, scope, handler, attempt, status, output, decision, error, retry_at_ms,
                    started_at_ms, finished_at_ms
             FROM steps WHERE run_id = ?1 AND sequence > ?2 ORDER BY sequence LIMIT ?3",
        )?
        .query_map(params![run.to_integer(), after, limit], |row| {
            Ok(StepRow {
                sequence: row.get(0)?,
                name: row.get(1)?,
                scope: row.get(2)?,
                handler: word(row, 3, Handler::parse)?,
                attempt: row.get(4)?,
                status: word(row, 5, StepStatus::parse)?,
                output: row.get(6)?,
                decision: row.get(7)?,
                error: row.get(8)?,
                retry_at_ms: row.get(9)?,
                started_at_ms: row.get(10)?,
                finished_at_ms: row.get(11)?,
            })
        })?
        .collect()
}

pub fn run_row(row: &Row<'_>) -> Result<RunRow> {
    Ok(RunRow {
        id: run_id(row, 0)?,
        workflow_id: row.get(1)?,
        definition: row.get(2)?,
        status: word(row, 3, RunStatus::parse)?,
        open: row.get(4)?,
        payload: row.get(5)?,
        trigger: row.get(6)?,
        output: row.get(7)?,
        error: row.get(8)?,
        created_at_ms: row.get(9)?,
        finished_at_ms: row.get(10)?,
        parent: optional_run_id(row, 11)?,
        replay_of: optional_run_id(row, 12)?,
        start_at_ms: row.get(13)?,
    })
}

pub fn output(connection: &Connection, run: RunId, sequence: u32) -> Result<Option<String>> {
    connection
        .prepare_cached("SELECT output FROM steps WHERE run_id = ?1 AND sequence = ?2")?
        .query_row(params![run.to_integer(), sequence], |row| row.get(0))
}

pub fn events(connection: &Connection) -> Result<Vec<(String, StoredEvent)>> {
    connection
        .prepare_cached("SELECT event_id, payload, name FROM events ORDER BY event_id")?
        .query_map([], |row| Ok((row.get(2)?, event(row)?)))?
        .collect()
}

pub fn next_event(connection: &Connection, place: &Place, name: &str) -> Result<Option<StoredEvent>> {
    connection
        .prepare_cached(
            "SELECT event_id, payload FROM events WHERE name = ?1 AND event_id >
               (SELECT after_event_id FROM waits WHERE event = ?1 AND run_id = ?2 AND name = ?3 AND scope = ?4)
             ORDER BY event_id LIMIT 1",
        )?
        .query_row(params![name, place.run.to_integer(), &*place.name, &*place.scope], event)
        .optional()
}

fn event(row: &Row<'_>) -> Result<StoredEvent> {
    Ok(StoredEvent { id: row.get(0)?, payload: row.get(1)? })
}

pub fn is_awaited(connection: &Connection, name: &str) -> Result<bool> {
    connection
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM waits WHERE event = ?1)")?
        .query_row([name], |row| row.get(0))
}

pub fn waits(connection: &Connection, event: &str, id: i64, after: Option<&Place>, limit: u32) -> Result<Vec<Place>> {
    let (run, name, scope) = match after {
        Some(place) => (place.run.to_integer(), &*place.name, &*place.scope),
        None => (-1, "", ""),
    };
    connection
        .prepare_cached(
            "SELECT run_id, name, scope FROM waits
             WHERE event = ?1 AND (run_id, name, scope) > (?2, ?3, ?4) AND after_event_id < ?5
             ORDER BY run_id, name, scope LIMIT ?6",
        )?
        .query_map(params![event, run, name, scope, id, limit], place)?
        .collect()
}

fn place(row: &Row<'_>) -> Result<Place> {
    let text = |column| row.get_ref(column)?.as_str().map(Into::into).map_err(Error::from);
    Ok(Place { run: run_id(row, 0)?, name: text(1)?, scope: text(2)? })
}

const APPROVALS: &str = "SELECT approvals.run_id, name, scope, workflow_id, definition_id, approvals.status, \
                         opened_at_ms, expires_at_ms \
                         FROM approvals JOIN workflow_runs ON workflow_runs.id = approvals.run_id";

fn approval_row(row: &Row<'_>) -> Result<ApprovalRow> {
    Ok(ApprovalRow {
        place: place(row)?,
        workflow_id: row.get(3)?,
        definition: row.get(4)?,
        status: word(row, 5, ApprovalStatus::parse)?,
        opened_at_ms: row.get(6)?,
        expires_at_ms: row.get(7)?,
    })
}

pub fn approval(connection: &Connection, token_hash: &str) -> Result<Option<ApprovalRow>> {
    connection
        .prepare_cached(&format!("{APPROVALS} WHERE token_hash = ?1"))?
        .query_row([token_hash], approval_row)
        .optional()
}

pub fn approvals(connection: &Connection, workflow_id: Option<&str>, limit: u32) -> Result<Vec<ApprovalRow>> {
    let filter = "WHERE approvals.status = 'open' AND (?1 IS NULL OR workflow_id = ?1)";
    connection
        .prepare_cached(&format!("{APPROVALS} {filter} ORDER BY approvals.run_id, name, scope LIMIT ?2"))?
        .query_map(params![workflow_id, limit], approval_row)?
        .collect()
}

pub fn state(connection: &Connection, space: &str, key: &str, now_ms: i64) -> Result<Option<StateValue>> {
    connection
        .prepare_cached(
            "SELECT value, expires_at_ms FROM state
             WHERE space = ?1 AND key = ?2 AND (expires_at_ms IS NULL OR expires_at_ms > ?3)",
        )?
        .query_row(params![space, key, now_ms], |row| Ok(StateValue { value: row.get(0)?, expires_at_ms: row.get(1)? }))
        .optional()
}

pub fn next_expiry(connection: &Connection) -> Result<Option<i64>> {
    connection
        .prepare_cached("SELECT min(expires_at_ms) FROM state WHERE expires_at_ms IS NOT NULL")?
        .query_row([], |row| row.get(0))
}

pub fn circuits(connection: &Connection) -> Result<Vec<(String, CircuitRow)>> {
    connection
        .prepare_cached("SELECT name, failures, open_until_ms FROM circuits")?
        .query_map([], |row| Ok((row.get(0)?, CircuitRow { failures: row.get(1)?, open_until_ms: row.get(2)? })))?
        .collect()
}

pub fn paused(connection: &Connection) -> Result<Vec<String>> {
    connection.prepare_cached("SELECT workflow_id FROM paused_workflows")?.query_map([], |row| row.get(0))?.collect()
}

pub fn starts(connection: &Connection, workflow_id: &str, key: &str, back: u32) -> Result<Starts> {
    let nth = |back: u32| {
        connection
            .prepare_cached(
                "SELECT at_ms FROM rate_starts WHERE workflow_id = ?1 AND key = ?2 ORDER BY at_ms DESC LIMIT 1 OFFSET ?3",
            )?
            .query_row(params![workflow_id, key, back - 1], |row| row.get(0))
            .optional()
    };
    Ok(Starts { latest_ms: nth(1)?, earlier_ms: nth(back)? })
}

pub fn reservations(connection: &Connection, workflow_id: &str, after_ms: i64) -> Result<Vec<(String, i64)>> {
    connection
        .prepare_cached(
            "SELECT key, at_ms FROM rate_starts WHERE workflow_id = ?1 AND at_ms > ?2 AND has_begun = 0
             ORDER BY key, at_ms",
        )?
        .query_map(params![workflow_id, after_ms], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect()
}

pub fn limited_runs(connection: &Connection, workflow_id: &str, after_ms: i64) -> Result<Vec<(String, Timer)>> {
    connection
        .prepare_cached(
            "SELECT rate_key, start_at_ms, id FROM workflow_runs
             WHERE status = 'waiting' AND workflow_id = ?1 AND rate_key IS NOT NULL AND start_at_ms > ?2
             ORDER BY start_at_ms, id",
        )?
        .query_map(params![workflow_id, after_ms], |row| {
            Ok((row.get(0)?, Timer { due_at_ms: row.get(1)?, run: run_id(row, 2)? }))
        })?
        .collect()
}

const SCHEDULES: &str = "SELECT schedule_id, workflow_id, name, spec, anchor_at_ms, since_at_ms, next_at_ms, stretches, \
                         queued, seen_at_ms, last_at_ms, last_run_id, failures, error FROM schedules";

fn schedule_row(row: &Row<'_>) -> Result<ScheduleRow> {
    Ok(ScheduleRow {
        id: row.get(0)?,
        workflow_id: row.get(1)?,
        name: row.get(2)?,
        spec: row.get(3)?,
        progress: Progress {
            anchor_at_ms: row.get(4)?,
            since_at_ms: row.get(5)?,
            next_at_ms: row.get(6)?,
            stretches: json(row, 7)?,
            queued: json(row, 8)?,
            seen_at_ms: row.get(9)?,
            last_at_ms: row.get(10)?,
            last_run: optional_run_id(row, 11)?,
            failures: row.get(12)?,
            error: row.get(13)?,
        },
    })
}

pub fn schedules(
    connection: &Connection,
    workflow_id: Option<&str>,
    after: ScheduleId,
    limit: u32,
) -> Result<Vec<ScheduleRow>> {
    // Two statements, so that each has its index.
    match workflow_id {
        Some(workflow_id) => connection
            .prepare_cached(&format!(
                "{SCHEDULES} WHERE workflow_id = ?1 AND schedule_id > ?2 ORDER BY schedule_id LIMIT ?3"
            ))?
            .query_map(params![workflow_id, after, limit], schedule_row)?
            .collect(),
        None => connection
            .prepare_cached(&format!("{SCHEDULES} WHERE schedule_id > ?1 ORDER BY schedule_id LIMIT ?2"))?
            .query_map(params![after, limit], schedule_row)?
            .collect(),
    }
}

pub fn schedule(connection: &Connection, id: ScheduleId) -> Result<Option<ScheduleRow>> {
    connection.prepare_cached(&format!("{SCHEDULES} WHERE schedule_id = ?1"))?.query_row([id], schedule_row).optional()
}

pub fn schedule_named(connection: &Connection, workflow_id: &str, name: &str) -> Result<Option<ScheduleRow>> {
    connection
        .prepare_cached(&format!("{SCHEDULES} WHERE workflow_id = ?1 AND name = ?2"))?
        .query_row([workflow_id, name], schedule_row)
        .optional()
}

pub fn run_of_instant(
    connection: &Connection,
    workflow_id: &str,
    name: &str,
    instant_ms: i64,
) -> Result<Option<RunId>> {
    connection
        .prepare_cached(
            "SELECT id FROM workflow_runs
             WHERE workflow_id = ?1 AND schedule IS NOT NULL AND schedule = ?2 AND instant_at_ms = ?3",
        )?
        .query_row(params![workflow_id, name, instant_ms], |row| run_id(row, 0))
        .optional()
}

pub fn open_run_of(connection: &Connection, workflow_id: &str, name: &str) -> Result<Option<RunId>> {
    connection
        .prepare_cached(
            "SELECT id FROM workflow_runs
             WHERE workflow_id = ?1 AND schedule IS NOT NULL AND schedule = ?2 AND open = 1
               AND (status = 'pending' OR status = 'running' OR status = 'waiting') LIMIT 1",
        )?
        .query_row([workflow_id, name], |row| run_id(row, 0))
        .optional()
}

/// A list that is kept as JSON.
fn json<T: serde::de::DeserializeOwned>(row: &Row<'_>, column: usize) -> Result<T> {
    let text = row.get_ref(column)?.as_str()?;
    serde_json::from_str(text).map_err(|error| Error::FromSqlConversionFailure(column, Type::Text, Box::new(error)))
}

fn optional_run_id(row: &Row<'_>, column: usize) -> Result<Option<RunId>> {
    let integer: Option<i64> = row.get(column)?;
    integer
        .map(|integer| RunId::from_integer(integer).ok_or(Error::IntegralValueOutOfRange(column, integer)))
        .transpose()
}

fn run_id(row: &Row<'_>, column: usize) -> Result<RunId> {
    let integer: i64 = row.get(column)?;
    RunId::from_integer(integer).ok_or(Error::IntegralValueOutOfRange(column, integer))
}

fn word<T>(row: &Row<'_>, column: usize, parse: fn(&str) -> Option<T>) -> Result<T> {
    let text = row.get_ref(column)?.as_str()?;
    parse(text).ok_or_else(|| Error::FromSqlConversionFailure(column, Type::Text, Box::new(FromSqlError::InvalidType)))
}

#[cfg(test)]
pub mod tests {
    use rusqlite::Connection;

    use super::*;

    /// How SQLite goes about a statement, in words.
    pub fn plan(connection: &Connection, sql: &str) -> Vec<String> {
        let mut explain = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let count = explain.parameter_count();
        let values = rusqlite::params_from_iter(std::iter::repeat_n(1, count));
        explain.query_map(values, |row| row.get(3)).unwrap().collect::<Result<_>>().unwrap()
    }

    pub fn new_file() -> Connection {
        let connection = Connection::open_in_memory().unwrap();
        for migration in crate::store::sqlite::MIGRATIONS {
            connection.execute_batch(migration).unwrap();
        }
        connection
    }

    /// No other question goes through all runs either, or through all that a workflow has ever had.
    #[test]
    fn no_question_scans_the_runs() {
        let connection = new_file();
        let is_of_runs = |sql: &&str| sql.starts_with("SELECT") && sql.contains("workflow_runs") && !sql.contains('{');
        let source = concat!(include_str!("read.rs"), include_str!("list.rs")).replace("\\\n", "");
        let statements: Vec<&str> = source.split('"').filter(is_of_runs).collect();
        assert!(statements.len() >= 11, "{statements:?}");
        for sql in statements {
            for step in plan(&connection, sql) {
                // Few runs are stuck, and none is later than its id: those indexes may be gone through.
                let is_short =
                    ["INDEX stuck_runs", "INDEX runs_later_than_ids"].iter().any(|index| step.contains(index));
                let reads_all = step.starts_with("SCAN workflow_runs")
                    || step.starts_with("SCAN run ")
                    || step.ends_with("runs_by_status (workflow_id=?)");
                assert!(!reads_all || is_short, "{sql}: {step}");
            }
        }
    }
}
