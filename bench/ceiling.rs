//! The ceiling: the rows of the engine written by a bare SQLite loop, at the same batch sizes, with nothing else.
//!
//! `ceiling DATABASE DURABILITY RUNS STEPS IN_FLIGHT`: a wave of runs is inserted in one transaction, each of their
//! steps in one more, the last together with the ends of the runs. Prints `SECONDS COMMITS`.

use std::time::Instant;

use rusqlite::{Connection, params};

const SCHEMA: &str = include_str!("../native/src/store/migrations/0001_runs.sql");

fn main() -> rusqlite::Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let number = |place: usize| arguments[place].parse::<i64>().expect("a number");
    let (runs, steps, in_flight) = (number(3), number(4), number(5));
    let connection = Connection::open(&arguments[1])?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", if arguments[2] == "full" { "FULL" } else { "NORMAL" })?;
    connection.pragma_update(None, "wal_autocheckpoint", 4_000)?;
    connection.pragma_update(None, "foreign_keys", false)?;
    connection.execute_batch(SCHEMA)?;
    let now_ms = 1_760_000_000_000i64;
    let mut commits = 0;
    let began = Instant::now();
    for first in (0..runs).step_by(in_flight as usize) {
        let wave = || (first..(first + in_flight).min(runs)).map(|run| (now_ms << 21) + run);
        for step in 0..=steps {
            connection.execute_batch("BEGIN")?;
            for run in wave() {
                if step == 0 {
                    connection
                        .prepare_cached(
                            "INSERT INTO workflow_runs (id, definition_id, workflow_id, status, open, payload, trigger, created_at_ms)
                             VALUES (?1, 1, 'bench', 'running', 1, NULL, '{\"type\":\"manual\"}', ?2)",
                        )?
                        .execute(params![run, now_ms])?;
                    continue;
                }
                connection
                    .prepare_cached(
                        "INSERT INTO steps (run_id, sequence, name, handler, attempt, status, started_at_ms, finished_at_ms)
                         VALUES (?1, ?2, ?3, 'body', 1, 'completed', ?4, ?4)",
                    )?
                    .execute(params![run, step, "step-1", now_ms])?;
                if step == steps {
                    connection
                        .prepare_cached(
                            "UPDATE workflow_runs SET status = 'completed', finished_at_ms = ?2, open = 0 WHERE id = ?1",
                        )?
                        .execute(params![run, now_ms])?;
                }
            }
            connection.execute_batch("COMMIT")?;
            commits += 1;
        }
    }
    println!("{} {commits}", began.elapsed().as_secs_f64());
    Ok(())
}
