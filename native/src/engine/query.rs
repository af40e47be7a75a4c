//! Questions: what is stored, as JSON. Recorded values are put into the answer as they were recorded.

use serde::Serialize;
use serde_json::value::RawValue;

use crate::cron::Cron;
use crate::definition::ScheduleSpec;
use crate::error::{Code, Error, Result};
use crate::ids::RunId;
use crate::limits;
use crate::model::{Handler, RunFilter, RunRow, RunStatus, ScheduleId, ScheduleRow, StepRow, StepStatus};
use crate::store::Store;

#[derive(Serialize)]
struct RunJson<'a> {
    run: RunId,
    workflow: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<&'a str>,
    status: RunStatus,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent: Option<RunId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    replay_of: Option<RunId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    start_at_ms: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trigger: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a RawValue>,
    created_at_ms: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    finished_at_ms: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    steps: Option<Vec<StepJson<'a>>>,
    /// Ask again with `after` set to this for the rest of a long history.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_after: Option<u32>,
}

#[derive(Serialize)]
struct StepJson<'a> {
    sequence: u32,
    name: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    scope: &'a str,
    handler: Handler,
    attempt: u32,
    status: StepStatus,
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_at_ms: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    started_at_ms: Option<i64>,
    finished_at_ms: i64,
}

#[derive(Serialize)]
struct RunsJson<'a> {
    runs: Vec<RunJson<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cursor: Option<RunId>,
}

/// Attempts read at a time, so that few large values are in memory at once.
const PAGE_ROWS: u32 = 16;

/// One run with its history.
pub fn run(store: &mut dyn Store, row: &RunRow, version: Option<&str>, after: u32) -> Result<String> {
    let (history, next_after) = history(store, row.id, after, limits::HISTORY_ROWS, limits::HISTORY_BYTES)?;
    render_run(row, version, &history, next_after)
}

/// The same for a run of which there is little; none if there is more.
pub fn short_run(store: &mut dyn Store, row: &RunRow, version: Option<&str>) -> Result<Option<String>> {
    let (history, next_after) = history(store, row.id, 0, limits::LONG_HISTORY, limits::KNOWN_BYTES)?;
    let bytes = size_of(&row.payload) + size_of(&row.trigger);
    if next_after.is_some() || bytes as u64 > limits::KNOWN_BYTES {
        return Ok(None);
    }
    // Of what is damaged the host learns when it asks: the run goes on without being asked of.
    Ok(render_run(row, version, &history, None).ok())
}

/// Ended attempts after a sequence, and where the next page begins if that is not all.
fn history(
    store: &mut dyn Store,
    run: RunId,
    after: u32,
    rows_most: u64,
    bytes_most: u64,
) -> Result<(Vec<StepRow>, Option<u32>)> {
    let mut history = Vec::new();
    let mut bytes = 0;
    loop {
        let last = history.last().map_or(after, |step: &StepRow| step.sequence);
        let page = store.history(run, last, PAGE_ROWS)?;
        bytes += page.iter().map(|step| size_of(&step.output) + size_of(&step.error)).sum::<usize>();
        let is_last = page.len() < PAGE_ROWS as usize;
        history.extend(page);
        if is_last {
            return Ok((history, None));
        }
        if history.len() as u64 >= rows_most || bytes as u64 >= bytes_most {
            let next_after = history.last().map(|step| step.sequence);
            return Ok((history, next_after));
        }
    }
}

fn render_run(row: &RunRow, version: Option<&str>, history: &[StepRow], next_after: Option<u32>) -> Result<String> {
    let steps = history.iter().map(step_json).collect::<Result<_>>()?;
    render(&RunJson { version, steps: Some(steps), next_after, ..run_json(row)? })
}

fn size_of(value: &Option<String>) -> usize {
    value.as_ref().map_or(0, String::len)
}

/// A page of runs, newest first, without their values.
pub fn runs(store: &mut dyn Store, filter: &RunFilter) -> Result<String> {
    let rows = store.list(filter)?;
    let cursor = rows.last().filter(|_| rows.len() == filter.limit as usize).map(|row| row.id);
    render(&RunsJson { runs: rows.iter().map(run_json).collect::<Result<_>>()?, cursor })
}

fn run_json(row: &RunRow) -> Result<RunJson<'_>> {
    Ok(RunJson {
        run: row.id,
        workflow: &row.workflow_id,
        version: None,
        parent: row.parent,
        replay_of: row.replay_of,
        start_at_ms: row.start_at_ms,
        status: row.status,
        payload: value(row.payload.as_deref())?,
        trigger: value(row.trigger.as_deref())?,
        output: value(row.output.as_deref())?,
        error: value(row.error.as_deref())?,
        created_at_ms: row.created_at_ms,
        finished_at_ms: row.finished_at_ms,
        steps: None,
        next_after: None,
    })
}

fn step_json(row: &StepRow) -> Result<StepJson<'_>> {
    Ok(StepJson {
        sequence: row.sequence,
        name: &row.name,
        scope: &row.scope,
        handler: row.handler,
        attempt: row.attempt,
        status: row.status,
        output: value(row.output.as_deref())?,
        error: value(row.error.as_deref())?,
        retry_at_ms: row.retry_at_ms,
        started_at_ms: row.started_at_ms,
        finished_at_ms: row.finished_at_ms,
    })
}

#[derive(Serialize)]
struct ScheduleJson<'a> {
    id: ScheduleId,
    workflow: &'a str,
    #[serde(flatten)]
    spec: &'a ScheduleSpec,
    paused: bool,
    next_ms: Vec<i64>,
    queued: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_at_ms: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_run: Option<RunId>,
    failures: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a RawValue>,
}

/// One schedule, with the instants to come.
pub fn schedule(row: &ScheduleRow, spec: &ScheduleSpec, paused: bool, next_ms: Vec<i64>) -> Result<String> {
    render(&ScheduleJson {
        id: row.id,
        workflow: &row.workflow_id,
        spec,
        paused,
        next_ms,
        queued: row.progress.queued.len(),
        last_at_ms: row.progress.last_at_ms,
        last_run: row.progress.last_run,
        failures: row.progress.failures,
        error: value(row.progress.error.as_deref())?,
    })
}

/// Counts of runs by workflow.
pub fn unattended(stuck: &[(String, u32)], orphaned: &[(String, u32)]) -> String {
    let by_workflow = |counts: &[(String, u32)]| -> serde_json::Value {
        counts.iter().map(|(workflow, runs)| serde_json::json!({ "workflow": workflow, "runs": runs })).collect()
    };
    serde_json::json!({ "stuck": by_workflow(stuck), "orphaned": by_workflow(orphaned) }).to_string()
}

/// The next instants of a cron expression.
pub fn fires(pattern: &str, timezone: &str, after_ms: i64, count: usize) -> Result<String> {
    let cron = Cron::parse(pattern, timezone)
        .map_err(|error| Error::new(Code::DefinitionInvalid, format!("cron `{pattern}`: {error}")))?;
    let fires = std::iter::successors(cron.next(after_ms), |instant| cron.next(*instant));
    render(&serde_json::json!({ "next_ms": fires.take(count).collect::<Vec<_>>() }))
}

/// A recorded value that is no longer JSON is damage, and is reported instead of served (P9).
fn value(text: Option<&str>) -> Result<Option<&RawValue>> {
    text.map(|text| serde_json::from_str(text).map_err(|_| Error::corrupt("a recorded value is not JSON"))).transpose()
}

fn render(json: &impl Serialize) -> Result<String> {
    serde_json::to_string(json).map_err(|error| Error::bug(error.to_string()))
}

/// What a call hears that names a run which is not there.
pub fn run_not_found(run: RunId) -> Error {
    Error::new(Code::RunNotFound, format!("no run {run} is stored"))
}
