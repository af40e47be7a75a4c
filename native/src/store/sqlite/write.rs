//! The statements that change the file.

use rusqlite::{Connection, OptionalExtension, Params, Result, params};

use crate::ids::RunId;
use crate::model::{DefinitionId, RunStatus, Write};
use crate::store::Claim;

/// Applies one change. A change of a row that is not there is an error, so that nothing is lost silently.
pub fn write(connection: &Connection, write: &Write<'_>) -> Result<()> {
    match write {
        Write::InsertRun(run) => one(
            connection,
            "INSERT INTO workflow_runs (id, definition_id, workflow_id, status, open, payload, trigger, created_at_ms)
             VALUES (?1, ?2, ?3, ?4, 1, ?5, ?6, ?7)",
            params![
                run.id.to_integer(),
                run.definition,
                run.workflow_id,
                run.status.as_str(),
                run.payload,
                run.trigger,
                run.created_at_ms
            ],
        ),
        Write::InsertStep(step) => one(
            connection,
            "INSERT INTO steps (run_id, sequence, name, handler, attempt, status, output, error, retry_at_ms,
                                started_at_ms, finished_at_ms)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
            params![
                step.run.to_integer(),
                step.sequence,
                step.name,
                step.handler.as_str(),
                step.attempt,
                step.status.as_str(),
                step.output,
                step.error.as_deref(),
                step.retry_at_ms,
                step.started_at_ms,
                step.finished_at_ms
            ],
        ),
        Write::SetStatus(run, status) => one(
            connection,
            "UPDATE workflow_runs SET status = ?2 WHERE id = ?1",
            params![run.to_integer(), status.as_str()],
        ),
        Write::SetHookQueued(run, queued) => one(
            connection,
            "UPDATE workflow_runs SET hook_queued = ?2 WHERE id = ?1",
            params![run.to_integer(), queued],
        ),
        Write::SetDefinition(run, definition) => one(
            connection,
            "UPDATE workflow_runs SET definition_id = ?2 WHERE id = ?1",
            params![run.to_integer(), definition],
        ),
        Write::EndRun(end) => one(
            connection,
            "UPDATE workflow_runs SET status = ?2, error = ?4, finished_at_ms = ?5, open = ?6,
                    output = (SELECT output FROM steps WHERE run_id = ?1 AND sequence = ?3)
             WHERE id = ?1",
            params![
                end.run.to_integer(),
                end.status.as_str(),
                end.output_of,
                end.error.as_deref(),
                end.finished_at_ms,
                end.open
            ],
        ),
        Write::ParkRun(run, error) => one(
            connection,
            "UPDATE workflow_runs SET status = ?2, error = ?3, open = 0 WHERE id = ?1",
            params![run.to_integer(), RunStatus::Stuck.as_str(), error],
        ),
        Write::CloseRun(run) => {
            one(connection, "UPDATE workflow_runs SET open = 0 WHERE id = ?1", params![run.to_integer()])
        }
        Write::SetTimer(run, kind, due_at_ms) => one(
            connection,
            "INSERT OR REPLACE INTO timers (run_id, kind, due_at_ms) VALUES (?1, ?2, ?3)",
            params![run.to_integer(), kind.as_str(), due_at_ms],
        ),
        Write::ClearTimer(run, kind) => connection
            .prepare_cached("DELETE FROM timers WHERE run_id = ?1 AND kind = ?2")?
            .execute(params![run.to_integer(), kind.as_str()])
            .map(drop),
    }
}

/// Stores a definition unless it is known, and tells its number.
pub fn define(
    connection: &Connection,
    workflow_id: &str,
    hash: &str,
    definition: &str,
    now_ms: i64,
) -> Result<DefinitionId> {
    let known = connection
        .prepare_cached("SELECT definition_id FROM workflows WHERE workflow_id = ?1 AND hash = ?2")?
        .query_row(params![workflow_id, hash], |row| row.get(0))
        .optional()?;
    if let Some(id) = known {
        return Ok(id);
    }
    one(
        connection,
        "INSERT INTO workflows (workflow_id, hash, definition, created_at_ms) VALUES (?1, ?2, ?3, ?4)",
        params![workflow_id, hash, definition, now_ms],
    )?;
    Ok(connection.last_insert_rowid())
}

/// Claims an idempotency key, or tells whose it is.
pub fn claim(connection: &Connection, workflow_id: &str, key: &str, claim: &Claim) -> Result<Option<Claim>> {
    let claimed = connection
        .prepare_cached(
            "INSERT INTO idempotency (workflow_id, key, fingerprint, run_id) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT DO NOTHING",
        )?
        .execute(params![workflow_id, key, claim.fingerprint, claim.run.to_integer()])?;
    if claimed == 1 {
        return Ok(None);
    }
    connection
        .prepare_cached("SELECT run_id, fingerprint FROM idempotency WHERE workflow_id = ?1 AND key = ?2")?
        .query_row(params![workflow_id, key], |row| {
            let run = RunId::from_integer(row.get(0)?).ok_or(rusqlite::Error::IntegralValueOutOfRange(0, -1))?;
            Ok(Some(Claim { run, fingerprint: row.get(1)? }))
        })
}

fn one(connection: &Connection, sql: &str, params: impl Params) -> Result<()> {
    match connection.prepare_cached(sql)?.execute(params)? {
        1 => Ok(()),
        changed => Err(rusqlite::Error::StatementChangedRows(changed)),
    }
}
