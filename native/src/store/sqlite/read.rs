//! The statements that read the file.

use rusqlite::types::{FromSqlError, Type};
use rusqlite::{Connection, Error, OptionalExtension, Result, Row, ToSql, params};

use crate::ids::RunId;
use crate::model::{
    DefinitionId, Handler, RunFilter, RunRow, RunStatus, RunSummary, StepRow, StepStatus, StepSummary, Timer, TimerKind,
};

pub fn definition(connection: &Connection, id: DefinitionId) -> Result<Option<String>> {
    connection
        .prepare_cached("SELECT definition FROM workflows WHERE definition_id = ?1")?
        .query_row([id], |row| row.get(0))
        .optional()
}

pub fn summary(connection: &Connection, run: RunId) -> Result<Option<RunSummary>> {
    let found = connection
        .prepare_cached(
            "SELECT definition_id, workflow_id, status, open, hook_queued, created_at_ms FROM workflow_runs WHERE id = ?1",
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
                steps: Vec::new(),
            })
        })
        .optional()?;
    let Some(mut summary) = found else { return Ok(None) };
    summary.steps = connection
        .prepare_cached(
            "SELECT sequence, name, handler, status, retry_at_ms IS NOT NULL FROM steps WHERE run_id = ?1
             ORDER BY sequence",
        )?
        .query_map([run.to_integer()], |row| {
            Ok(StepSummary {
                sequence: row.get(0)?,
                name: row.get(1)?,
                handler: word(row, 2, Handler::parse)?,
                status: word(row, 3, StepStatus::parse)?,
                retried: row.get(4)?,
            })
        })?
        .collect::<Result<_>>()?;
    Ok(Some(summary))
}

pub fn ready_runs(connection: &Connection, workflow_id: &str) -> Result<Vec<RunId>> {
    connection
        .prepare_cached(
            "SELECT id FROM workflow_runs WHERE open = 1 AND workflow_id = ?1 AND status <> 'waiting' ORDER BY id",
        )?
        .query_map([workflow_id], |row| run_id(row, 0))?
        .collect()
}

pub fn due_timers(connection: &Connection, now_ms: i64, limit: u32) -> Result<Vec<Timer>> {
    connection
        .prepare_cached(
            "SELECT due_at_ms, run_id, kind FROM timers WHERE due_at_ms <= ?1 ORDER BY due_at_ms, run_id, kind DESC LIMIT ?2",
        )?
        .query_map(params![now_ms, limit], |row| {
            Ok(Timer { due_at_ms: row.get(0)?, run: run_id(row, 1)?, kind: word(row, 2, TimerKind::parse)? })
        })?
        .collect()
}

pub fn next_timer(connection: &Connection) -> Result<Option<i64>> {
    connection.prepare_cached("SELECT min(due_at_ms) FROM timers")?.query_row([], |row| row.get(0))
}

pub fn last_run(connection: &Connection) -> Result<Option<RunId>> {
    connection
        .prepare_cached("SELECT id FROM workflow_runs ORDER BY id DESC LIMIT 1")?
        .query_row([], |row| run_id(row, 0))
        .optional()
}

const RUN_COLUMNS: &str =
    "id, workflow_id, definition_id, status, open, payload, trigger, output, error, created_at_ms, finished_at_ms";

pub fn run(connection: &Connection, id: RunId) -> Result<Option<RunRow>> {
    connection
        .prepare_cached(&format!("SELECT {RUN_COLUMNS} FROM workflow_runs WHERE id = ?1"))?
        .query_row([id.to_integer()], run_row)
        .optional()
}

pub fn history(connection: &Connection, run: RunId, after: u32, limit: u32) -> Result<Vec<StepRow>> {
    connection
        .prepare_cached(
            "SELECT sequence, name, handler, attempt, status, output, error, retry_at_ms, started_at_ms, finished_at_ms
             FROM steps WHERE run_id = ?1 AND sequence > ?2 ORDER BY sequence LIMIT ?3",
        )?
        .query_map(params![run.to_integer(), after, limit], |row| {
            Ok(StepRow {
                sequence: row.get(0)?,
                name: row.get(1)?,
                handler: word(row, 2, Handler::parse)?,
                attempt: row.get(3)?,
                status: word(row, 4, StepStatus::parse)?,
                output: row.get(5)?,
                error: row.get(6)?,
                retry_at_ms: row.get(7)?,
                started_at_ms: row.get(8)?,
                finished_at_ms: row.get(9)?,
            })
        })?
        .collect()
}

/// The conditions repeat those of the partial indexes, which is how SQLite knows it may use them.
pub fn list(connection: &Connection, filter: &RunFilter) -> Result<Vec<RunRow>> {
    let mut conditions = vec!["1"];
    let mut values: Vec<(&str, &dyn ToSql)> = vec![(":limit", &filter.limit)];
    if let Some(workflow_id) = &filter.workflow_id {
        conditions.push("workflow_id = :workflow_id");
        values.push((":workflow_id", workflow_id));
    }
    let status = filter.status.map(RunStatus::as_str);
    if let Some(wanted) = filter.status {
        conditions.push("status = :status");
        values.push((":status", &status));
        conditions.push(match wanted {
            RunStatus::Pending | RunStatus::Running | RunStatus::Waiting => "open = 1",
            RunStatus::Failed | RunStatus::Cancelled | RunStatus::Stuck => {
                "(status = 'failed' OR status = 'cancelled' OR status = 'stuck')"
            }
            RunStatus::Completed => "1",
        });
    }
    let before = filter.before.map(RunId::to_integer);
    if before.is_some() {
        conditions.push("id < :before");
        values.push((":before", &before));
    }
    if filter.since_ms.is_some() {
        conditions.push("created_at_ms >= :since_ms");
        values.push((":since_ms", &filter.since_ms));
    }
    let conditions = conditions.join(" AND ");
    let columns = RUN_COLUMNS.replace("payload, trigger, output", "NULL, NULL, NULL");
    let sql = format!("SELECT {columns} FROM workflow_runs WHERE {conditions} ORDER BY id DESC LIMIT :limit");
    connection.prepare_cached(&sql)?.query_map(&*values, run_row)?.collect()
}

fn run_row(row: &Row<'_>) -> Result<RunRow> {
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
    })
}

fn run_id(row: &Row<'_>, column: usize) -> Result<RunId> {
    let integer: i64 = row.get(column)?;
    RunId::from_integer(integer).ok_or(Error::IntegralValueOutOfRange(column, integer))
}

fn word<T>(row: &Row<'_>, column: usize, parse: fn(&str) -> Option<T>) -> Result<T> {
    let text = row.get_ref(column)?.as_str()?;
    parse(text).ok_or_else(|| Error::FromSqlConversionFailure(column, Type::Text, Box::new(FromSqlError::InvalidType)))
}
