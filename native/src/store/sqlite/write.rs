//! The statements that change the file.

use rusqlite::{Connection, OptionalExtension, Params, Result, params};

use crate::ids::RunId;
use crate::model::{DefinitionId, Output, RunEnd, RunStatus, ScheduleId, ScheduleRow, StateValue, Write};
use crate::store::{Claim, Start};

/// Applies one change. A change of a row that is not there is an error, so that nothing is lost silently.
pub fn write(connection: &Connection, write: &Write<'_>) -> Result<()> {
    match write {
        Write::InsertRun(run) => one(
            connection,
            "INSERT INTO workflow_runs (id, definition_id, workflow_id, status, open, payload, trigger, created_at_ms,
                                        parent_run_id, depth, replay_of, start_at_ms, priority, concurrency_key,
                                        rate_key, idempotency_key, mocks, schedule, instant_at_ms)
             VALUES (?1, ?2, ?3, ?4, 1, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18)",
            params![
                run.id.to_integer(),
                run.definition,
                run.workflow_id,
                run.status.as_str(),
                run.origin.payload,
                run.origin.trigger,
                run.created_at_ms,
                run.origin.parent.map(RunId::to_integer),
                run.origin.depth,
                run.origin.replay_of.map(RunId::to_integer),
                run.origin.start_at_ms,
                run.origin.priority,
                run.origin.concurrency_key,
                run.origin.rate_key,
                run.origin.idempotency_key,
                run.origin.mocks,
                run.origin.instant.map(|(schedule, _)| schedule),
                run.origin.instant.map(|(_, instant_ms)| instant_ms)
            ],
        ),
        Write::InsertStep(step) => one(
            connection,
            "INSERT INTO steps (run_id, sequence, name, scope, handler, attempt, status, output, decision, error,
                                retry_at_ms, started_at_ms, finished_at_ms)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
            params![
                step.run.to_integer(),
                step.sequence,
                step.name,
                &*step.scope,
                step.handler.as_str(),
                step.attempt,
                step.status.as_str(),
                text(&step.output)?,
                step.decision,
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
        Write::Reserve(run, at_ms) => one(
            connection,
            "UPDATE workflow_runs SET start_at_ms = ?2 WHERE id = ?1",
            params![run.to_integer(), at_ms],
        ),
        Write::Begin(run) => one(
            connection,
            "UPDATE workflow_runs SET rate_key = NULL WHERE id = ?1",
            params![run.to_integer()],
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
            params![run.to_integer(), RunStatus::Stuck.as_str(), &**error],
        ),
        Write::ReopenRun(run) => one(
            connection,
            "UPDATE workflow_runs SET status = 'pending', error = NULL, finished_at_ms = NULL, open = 1, hook_queued = 0
             WHERE id = ?1",
            params![run.to_integer()],
        ),
        Write::CloseRun(run) => {
            one(connection, "UPDATE workflow_runs SET open = 0 WHERE id = ?1", params![run.to_integer()])
        }
        Write::SetTimer(run, Some(due_at_ms)) => one(
            connection,
            "INSERT OR REPLACE INTO timers (run_id, due_at_ms) VALUES (?1, ?2)",
            params![run.to_integer(), due_at_ms],
        ),
        Write::SetTimer(run, None) => {
            any(connection, "DELETE FROM timers WHERE run_id = ?1", params![run.to_integer()])
        }
        // A stuck run that is taken up again waits anew.
        Write::OpenWait(place, event) => one(
            connection,
            "INSERT OR REPLACE INTO waits (event, run_id, name, scope, after_event_id)
             VALUES (?1, ?2, ?3, ?4, coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'events'), 0))",
            params![&**event, place.run.to_integer(), &*place.name, &*place.scope],
        ),
        Write::AdvanceWait(place, event, seen) => any(
            connection,
            "UPDATE waits SET after_event_id = ?5 WHERE event = ?1 AND run_id = ?2 AND name = ?3 AND scope = ?4",
            params![&**event, place.run.to_integer(), &*place.name, &*place.scope, seen],
        ),
        Write::CloseWait(place, event) => any(
            connection,
            "DELETE FROM waits WHERE event = ?1 AND run_id = ?2 AND name = ?3 AND scope = ?4",
            params![&**event, place.run.to_integer(), &*place.name, &*place.scope],
        ),
        // A step that a retried run comes to again asks under the same token again.
        Write::OpenApproval(place, token_hash, opened_at_ms, expires_at_ms) => one(
            connection,
            "INSERT OR REPLACE INTO approvals (run_id, name, scope, token_hash, status, opened_at_ms, expires_at_ms)
             VALUES (?1, ?2, ?3, ?4, 'open', ?5, ?6)",
            params![place.run.to_integer(), &*place.name, &*place.scope, token_hash, opened_at_ms, expires_at_ms],
        ),
        Write::CloseApproval(place, status) => any(
            connection,
            "UPDATE approvals SET status = ?4 WHERE run_id = ?1 AND name = ?2 AND scope = ?3 AND status = 'open'",
            params![place.run.to_integer(), &*place.name, &*place.scope, status.as_str()],
        ),
        Write::SetCircuit(name, circuit) => one(
            connection,
            "INSERT OR REPLACE INTO circuits (name, failures, open_until_ms) VALUES (?1, ?2, ?3)",
            params![&**name, circuit.failures, circuit.open_until_ms],
        ),
    }
}

/// The engine has put outputs together before they come here.
fn text<'a>(output: &'a Output<'_>) -> Result<Option<&'a str>> {
    match output {
        Output::Absent => Ok(None),
        Output::Text(text) => Ok(Some(text)),
        Output::Copy(_) | Output::List(_) | Output::Object(_) => Err(rusqlite::Error::StatementChangedRows(0)),
    }
}

/// The output is read first and bound: with a subquery inside, SQLite builds a temporary table for each UPDATE, which
/// makes the end of a run cost more than all the rest of it.
fn end_run(connection: &Connection, end: &RunEnd) -> Result<()> {
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

/// Removes a run and everything that belongs to it. Its waits are gone since it ended.
pub fn delete_run(connection: &Connection, run: RunId) -> Result<()> {
    let run = params![run.to_integer()];
    // Two scalars, because SQLite builds a temporary table for `IN`.
    let idempotency = "DELETE FROM idempotency
                       WHERE workflow_id = (SELECT workflow_id FROM workflow_runs WHERE id = ?1)
                         AND key = (SELECT idempotency_key FROM workflow_runs WHERE id = ?1)";
    any(connection, idempotency, run)?;
    any(connection, "DELETE FROM steps WHERE run_id = ?1", run)?;
    any(connection, "DELETE FROM approvals WHERE run_id = ?1", run)?;
    any(connection, "DELETE FROM timers WHERE run_id = ?1", run)?;
    let last_removed = "INSERT INTO last_removed (id, run_id) VALUES (1, ?1)
                        ON CONFLICT (id) DO UPDATE SET run_id = max(run_id, excluded.run_id)";
    any(connection, last_removed, run)?;
    any(connection, "DELETE FROM workflow_runs WHERE id = ?1", run)
}

pub fn insert_event(connection: &Connection, name: &str, payload: Option<&str>, now_ms: i64) -> Result<i64> {
    one(
        connection,
        "INSERT INTO events (name, payload, published_at_ms) VALUES (?1, ?2, ?3)",
        params![name, payload, now_ms],
    )?;
    Ok(connection.last_insert_rowid())
}

pub fn forget_events(connection: &Connection, name: &str) -> Result<u64> {
    let forgotten = connection
        .prepare_cached(
            "DELETE FROM events WHERE name = ?1 AND event_id <=
               (SELECT ifnull(min(after_event_id), 9223372036854775807) FROM waits WHERE event = ?1)",
        )?
        .execute(params![name])?;
    Ok(forgotten as u64)
}

pub fn set_state(connection: &Connection, space: &str, key: &str, value: Option<&StateValue>) -> Result<()> {
    match value {
        Some(StateValue { value, expires_at_ms }) => one(
            connection,
            "INSERT OR REPLACE INTO state (space, key, value, expires_at_ms) VALUES (?1, ?2, ?3, ?4)",
            params![space, key, value, expires_at_ms],
        ),
        None => any(connection, "DELETE FROM state WHERE space = ?1 AND key = ?2", params![space, key]),
    }
}

pub fn expire_state(connection: &Connection, now_ms: i64, limit: u32) -> Result<()> {
    let over: Vec<(String, String)> = connection
        .prepare_cached("SELECT space, key FROM state WHERE expires_at_ms <= ?1 ORDER BY expires_at_ms LIMIT ?2")?
        .query_map(params![now_ms, limit], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_>>()?;
    over.iter().try_for_each(|(space, key)| set_state(connection, space, key, None))
}

/// Stretches and queued instants are kept as JSON: they are few, and read only with the row.
pub fn put_schedule(connection: &Connection, row: &ScheduleRow) -> Result<ScheduleId> {
    let json = |list: serde_json::Value| list.to_string();
    let progress = &row.progress;
    let id = Some(row.id).filter(|id| *id != 0);
    one(
        connection,
        "INSERT OR REPLACE INTO schedules (schedule_id, workflow_id, name, spec, anchor_at_ms, since_at_ms, next_at_ms,
                                           stretches, queued, seen_at_ms, last_at_ms, last_run_id, failures, error)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
        params![
            id,
            row.workflow_id,
            row.name,
            row.spec,
            progress.anchor_at_ms,
            progress.since_at_ms,
            progress.next_at_ms,
            json(progress.stretches.iter().map(|&(from, to)| serde_json::json!([from, to])).collect()),
            json(progress.queued.iter().copied().collect()),
            progress.seen_at_ms,
            progress.last_at_ms,
            progress.last_run.map(RunId::to_integer),
            progress.failures,
            progress.error
        ],
    )?;
    Ok(id.unwrap_or_else(|| connection.last_insert_rowid()))
}

pub fn remove_schedule(connection: &Connection, id: ScheduleId) -> Result<()> {
    any(connection, "DELETE FROM schedules WHERE schedule_id = ?1", params![id])
}

pub fn set_paused(connection: &Connection, workflow_id: &str, paused: bool) -> Result<()> {
    let sql = match paused {
        true => "INSERT OR IGNORE INTO paused_workflows (workflow_id) VALUES (?1)",
        false => "DELETE FROM paused_workflows WHERE workflow_id = ?1",
    };
    any(connection, sql, params![workflow_id])
}

pub fn add_start(
    connection: &Connection,
    workflow_id: &str,
    key: &str,
    start: Start,
    keep: u32,
    until_ms: i64,
) -> Result<()> {
    one(
        connection,
        "INSERT INTO rate_starts (workflow_id, key, at_ms, has_begun) VALUES (?1, ?2, ?3, ?4)",
        params![workflow_id, key, start.at_ms, start.has_begun],
    )?;
    let last_kept: Option<i64> = connection
        .prepare_cached(
            "SELECT at_ms FROM rate_starts WHERE workflow_id = ?1 AND key = ?2 ORDER BY at_ms DESC LIMIT 1 OFFSET ?3",
        )?
        .query_row(params![workflow_id, key, keep - 1], |row| row.get(0))
        .optional()?;
    let Some(last_kept) = last_kept else { return Ok(()) };
    any(
        connection,
        "DELETE FROM rate_starts WHERE workflow_id = ?1 AND key = ?2 AND at_ms < ?3",
        params![workflow_id, key, last_kept.min(until_ms.saturating_add(1))],
    )
}

pub fn begin_start(connection: &Connection, workflow_id: &str, key: &str, at_ms: i64) -> Result<bool> {
    let reserved: Option<i64> = connection
        .prepare_cached(
            "SELECT start_id FROM rate_starts WHERE workflow_id = ?1 AND key = ?2 AND at_ms = ?3 AND has_begun = 0",
        )?
        .query_row(params![workflow_id, key, at_ms], |row| row.get(0))
        .optional()?;
    let Some(start_id) = reserved else { return Ok(false) };
    one(connection, "UPDATE rate_starts SET has_begun = 1 WHERE start_id = ?1", params![start_id])?;
    Ok(true)
}

pub fn drop_starts(connection: &Connection, workflow_id: &str, key: &str, from_ms: i64) -> Result<()> {
    any(
        connection,
        "DELETE FROM rate_starts WHERE workflow_id = ?1 AND key = ?2 AND at_ms >= ?3 AND has_begun = 0",
        params![workflow_id, key, from_ms],
    )
}

pub fn move_begun_starts(connection: &Connection, workflow_id: &str, after_ms: i64, to_ms: i64) -> Result<()> {
    let begun: Vec<i64> = connection
        .prepare_cached("SELECT start_id FROM rate_starts WHERE workflow_id = ?1 AND at_ms > ?2 AND has_begun = 1")?
        .query_map(params![workflow_id, after_ms], |row| row.get(0))?
        .collect::<Result<_>>()?;
    let to = |start_id: &i64| {
        one(connection, "UPDATE rate_starts SET at_ms = ?2 WHERE start_id = ?1", params![start_id, to_ms])
    };
    begun.iter().try_for_each(to)
}

fn any(connection: &Connection, sql: &str, params: impl Params) -> Result<()> {
    connection.prepare_cached(sql)?.execute(params).map(drop)
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
        for migration in crate::store::sqlite::MIGRATIONS {
            connection.execute_batch(migration).unwrap();
        }
        let source = include_str!("write.rs");
        let statements: Vec<&str> = source
            .split('"')
            .filter(|text| {
                ["INSERT INTO", "INSERT OR ", "UPDATE ", "DELETE FROM"].iter().any(|verb| text.starts_with(verb))
                    && text.len() > 20
            })
            .collect();
        for table in ["workflow_runs", "steps", "timers", "state", "schedules"] {
            assert!(statements.iter().any(|sql| sql.contains(&format!("INTO {table} "))), "{table}: {statements:?}");
        }
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
