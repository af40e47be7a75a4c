//! The statements that change the file.

use rusqlite::{Connection, OptionalExtension, Params, Result, params};

use crate::ids::RunId;
use crate::model::{DefinitionId, RunEnd, RunStatus, Write};
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
        Write::EndRun(end) => end_run(connection, end),
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

/// The output is read first and bound: with a subquery inside, SQLite builds a temporary table for each UPDATE, which
/// makes the end of a run cost more than all the rest of it.
fn end_run(connection: &Connection, end: &RunEnd<'_>) -> Result<()> {
    let run = end.run.to_integer();
    let output: Option<String> = match end.output_of {
        None => None,
        Some(sequence) => connection
            .prepare_cached("SELECT output FROM steps WHERE run_id = ?1 AND sequence = ?2")?
            .query_row(params![run, sequence], |row| row.get(0))?,
    };
    one(
        connection,
        "UPDATE workflow_runs SET status = ?2, output = ?3, error = ?4, finished_at_ms = ?5, open = ?6 WHERE id = ?1",
        params![run, end.status.as_str(), output, end.error.as_deref(), end.finished_at_ms, end.open],
    )
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

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    /// A temporary table per statement made the end of a run fifteen times as slow; see `end_run` and the schema.
    #[test]
    fn the_statements_of_every_run_build_no_temporary_tables() {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(include_str!("../migrations/0001_runs.sql")).unwrap();
        let source = include_str!("write.rs");
        let statements: Vec<&str> = source
            .split('"')
            .filter(|text| {
                ["INSERT INTO", "UPDATE ", "DELETE FROM"].iter().any(|verb| text.starts_with(verb)) && text.len() > 20
            })
            .collect();
        assert!(statements.len() >= 9, "{statements:?}");
        for sql in statements {
            let mut explain = connection.prepare(&format!("EXPLAIN {sql}")).unwrap();
            let count = explain.parameter_count();
            let operations: Vec<String> = explain
                .query_map(rusqlite::params_from_iter(std::iter::repeat_n(1, count)), |row| row.get(1))
                .unwrap()
                .collect::<rusqlite::Result<_>>()
                .unwrap();
            assert!(!operations.iter().any(|operation| operation == "OpenEphemeral"), "{sql}");
        }
    }
}
