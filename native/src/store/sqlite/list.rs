//! Lists of runs: a page costs a page, however many runs are stored.

use std::collections::BinaryHeap;

use rusqlite::{Connection, OptionalExtension, Result, params};

use super::read::{RUN_COLUMNS, run_row};
use crate::ids::RunId;
use crate::model::{RunFilter, RunRow, RunStatus};

/// Which runs a list is about, whatever their workflow and status: their ids, and when they were created.
struct Range {
    from: i64,
    to: i64,
    since_ms: i64,
}

/// Little more is read than is given, however many runs are stored: those of one workflow and status lie in the index by
/// their ids, and a list that is about several of those takes the newest of each.
pub fn list(connection: &Connection, filter: &RunFilter) -> Result<Vec<RunRow>> {
    let range = Range {
        from: filter.since_ms.map_or(Ok(i64::MIN), |since_ms| earliest_since(connection, since_ms))?,
        to: filter.before.map_or(i64::MAX, |before| before.to_integer() - 1),
        since_ms: filter.since_ms.unwrap_or(i64::MIN),
    };
    let sources: Vec<Source> = match (&filter.workflow_id, filter.status) {
        (None, None) => return list_all(connection, &range, filter.limit),
        (None, Some(status)) => {
            workflows_with_runs(connection)?.into_iter().map(|workflow_id| (workflow_id, status)).collect()
        }
        (Some(workflow_id), None) => RunStatus::ALL.iter().map(|status| (workflow_id.clone(), *status)).collect(),
        (Some(workflow_id), Some(status)) => vec![(workflow_id.clone(), status)],
    };
    list_merged(connection, sources, &range, filter.limit)
}

/// Runs of one workflow and status.
type Source = (String, RunStatus);

/// No run that was created since then has a smaller id. An id says when its run was created, or a later time when the
/// clock had gone back; what may be otherwise is in an index of its own.
fn earliest_since(connection: &Connection, since_ms: i64) -> Result<i64> {
    let earliest = RunId::earliest_at(since_ms).to_integer();
    let later_than_id: Option<i64> =
        connection.prepare_cached(FIRST_LATER_THAN_ID)?.query_row([], |row| row.get(0)).optional()?;
    Ok(later_than_id.map_or(earliest, |later_than_id| later_than_id.min(earliest)))
}

const FIRST_LATER_THAN_ID: &str = "SELECT id FROM workflow_runs INDEXED BY runs_later_than_ids
     WHERE created_at_ms > id >> 21 ORDER BY id LIMIT 1";

/// The workflows that have runs: each is found by a search for the one after the one before.
fn workflows_with_runs(connection: &Connection) -> Result<Vec<String>> {
    connection.prepare_cached(WORKFLOWS_WITH_RUNS)?.query_map([], |row| row.get(0))?.collect()
}

const WORKFLOWS_WITH_RUNS: &str = "WITH RECURSIVE found (workflow_id) AS (
       SELECT min(workflow_id) FROM workflow_runs
       UNION ALL
       SELECT (SELECT min(workflow_id) FROM workflow_runs WHERE workflow_id > found.workflow_id)
       FROM found WHERE found.workflow_id IS NOT NULL
     )
     SELECT workflow_id FROM found WHERE workflow_id IS NOT NULL";

fn list_sql(of: &str) -> String {
    let columns = RUN_COLUMNS.replace("payload, trigger, output", "NULL, NULL, NULL");
    format!(
        "SELECT {columns} FROM workflow_runs WHERE {of} id >= ?1 AND id <= ?2 AND created_at_ms >= ?3
         ORDER BY id DESC LIMIT ?4"
    )
}

const OF_ALL: &str = "";
const OF_SOURCE: &str = "workflow_id = ?5 AND status = ?6 AND";

fn list_all(connection: &Connection, range: &Range, limit: u32) -> Result<Vec<RunRow>> {
    connection
        .prepare_cached(&list_sql(OF_ALL))?
        .query_map(params![range.from, range.to, range.since_ms, limit], run_row)?
        .collect()
}

/// The newest runs of several sources. Of each is known which id its next run has at most; the one that may have the
/// newest is read until another may.
fn list_merged(connection: &Connection, sources: Vec<Source>, range: &Range, limit: u32) -> Result<Vec<RunRow>> {
    let mut statement = connection.prepare_cached(&list_sql(OF_SOURCE))?;
    let mut sources: BinaryHeap<(i64, Source)> = sources.into_iter().map(|source| (range.to, source)).collect();
    let mut list = Vec::new();
    while let Some((to, (workflow_id, status))) = sources.pop() {
        let others = sources.peek().map_or(i64::MIN, |(to, _)| *to);
        let left = limit - list.len() as u32;
        let mut rows = statement.query(params![range.from, to, range.since_ms, left, workflow_id, status.as_str()])?;
        while let Some(row) = rows.next()? {
            let id: i64 = row.get(0)?;
            if id < others {
                sources.push((id, (workflow_id, status)));
                break;
            }
            list.push(run_row(row)?);
        }
        if list.len() == limit as usize {
            break;
        }
    }
    Ok(list)
}

#[cfg(test)]
mod tests {
    use super::super::read::tests::{new_file, plan};
    use super::*;

    /// With a million runs a list that looks at all of them holds the engine up for half a second.
    #[test]
    fn lists_of_runs_read_what_they_give_and_sort_nothing() {
        let connection = new_file();
        let by_source = plan(&connection, &list_sql(OF_SOURCE));
        let index =
            "SEARCH workflow_runs USING INDEX runs_by_status (workflow_id=? AND status=? AND rowid>? AND rowid<?)";
        assert_eq!(by_source, [index]);
        let by_id = plan(&connection, &list_sql(OF_ALL));
        assert_eq!(by_id, ["SEARCH workflow_runs USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)"]);
        for sql in [FIRST_LATER_THAN_ID, WORKFLOWS_WITH_RUNS] {
            let plan = plan(&connection, sql);
            let reads = plan.iter().filter(|step| step.contains("workflow_runs"));
            assert!(reads.clone().count() > 0, "{sql}: {plan:?}");
            let is_bounded = |step: &str| step.starts_with("SEARCH") || step.ends_with("runs_later_than_ids");
            assert!(reads.clone().all(|step| is_bounded(step)), "{sql}: {plan:?}");
            assert!(!plan.iter().any(|step| step.contains("TEMP B-TREE")), "{sql}: {plan:?}");
        }
    }
}
