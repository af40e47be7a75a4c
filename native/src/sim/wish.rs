//! What the host asks for in one request, and how it says so.

use serde_json::{Value, json};

use super::workload::{COUNT, Intent, LATEST, Polled, SHARED, Told};
use crate::definition::Definition;
use crate::ids::RunId;
use crate::model::{Handler, ScheduleId};

/// A run and the fence of one of its attempts.
pub type Attempt = (RunId, u64);

/// What the host asks for in one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wish {
    /// Nothing but the time.
    Tick,
    /// To make a workflow known.
    Define { workflow: usize },
    /// To be given work.
    Offer { capacity: u32 },
    /// A run.
    Start { workflow: usize, intent: Intent },
    /// To record the end of an attempt.
    Resolve(Box<Ending>),
    /// An output that another run has recorded.
    Recall { attempt: Attempt, key: String },
    /// The end of a run.
    Cancel { run: RunId },
    /// That a run goes on after all.
    Retry { run: RunId },
    /// To see what is recorded of a run.
    Inspect { run: RunId },
    /// A run like another one.
    Replay { run: RunId, from_step: Option<String>, mocked: Option<String> },
    /// To tell an event, and to start runs of these workflows with it.
    Publish { name: &'static str, told: Told, starts: Vec<(usize, Intent)> },
    /// To take in what a poll has given, or that it has failed.
    Polled(Box<PollEnding>),
    /// To answer a request for approval.
    Approve { place: Requested, approved: bool, number: u64 },
    /// That nothing of a workflow is executed, or that it is again.
    Pause { workflow: usize, paused: bool },
    /// To add one to the state all share.
    Share,
    /// To compare notes.
    Heartbeat { executing: Vec<Attempt> },
    /// To stop.
    Release,
}

/// A request for approval, as far as the host knows it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Requested {
    /// The run.
    pub run: RunId,
    /// The node.
    pub name: String,
    /// The iterations it is inside of.
    pub scope: String,
    /// The token; a wrong one if the place is none.
    pub token: String,
}

/// The end of a poll.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PollEnding {
    /// The schedule.
    pub schedule: ScheduleId,
    /// Its workflow.
    pub workflow: String,
    /// Its name.
    pub name: String,
    /// What it has given; nothing if it has failed.
    pub items: Option<Vec<Polled>>,
}

/// The end of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ending {
    /// The attempt.
    pub attempt: Attempt,
    /// Its node.
    pub step: Option<String>,
    /// Its scope.
    pub scope: String,
    /// Its function.
    pub handler: Handler,
    /// Its number.
    pub number: u32,
    /// How it ended.
    pub outcome: Outcome,
    /// What it adds to the state, if it completes.
    pub adds: u64,
    /// Under which key its output is kept, and for how long.
    pub cache: Option<(String, Option<u64>)>,
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It returned this JSON, or nothing.
    Returned(Option<String>),
    /// It threw this JSON.
    Threw { error: String, retryable: bool, expected: bool },
    /// It asked that the run end.
    Cancelled,
}

impl Wish {
    /// The request, as text.
    pub fn request(&self, seq: u64, now_ms: i64, workflows: &[Definition]) -> Vec<u8> {
        let command = match self {
            Wish::Tick => None,
            Wish::Offer { capacity } => {
                return json!({ "seq": seq, "now_ms": now_ms, "capacity": capacity }).to_string().into_bytes();
            }
            Wish::Define { workflow } => {
                // What is stored of a definition does not have its schedules; the request does.
                let mut definition = json!(workflows[*workflow]);
                definition["schedules"] = json!(workflows[*workflow].schedules);
                Some(json!({ "define": definition }))
            }
            Wish::Start { workflow, intent } => Some(json!({ "start": start(&workflows[*workflow].id, intent) })),
            Wish::Resolve(ending) => Some(json!({ "resolve": resolve(ending) })),
            Wish::Recall { attempt: (run, fence), key } => {
                Some(json!({ "recall": { "run": run, "fence": fence, "key": key } }))
            }
            Wish::Cancel { run } => Some(json!({ "cancel": { "run": run } })),
            Wish::Retry { run } => Some(json!({ "retry": { "run": run } })),
            Wish::Inspect { run } => Some(json!({ "query": { "run": { "run": run } } })),
            Wish::Replay { run, from_step, mocked } => {
                let mut replay = json!({ "run": run });
                if let Some(step) = from_step {
                    replay["from_step"] = json!(step);
                }
                if let Some(step) = mocked {
                    replay["mocks"] = json!({ step.as_str(): { "mock": step } });
                }
                Some(json!({ "replay": replay }))
            }
            Wish::Publish { name, told, starts } => {
                let starts: Vec<_> =
                    starts.iter().map(|(workflow, intent)| start(&workflows[*workflow].id, intent)).collect();
                Some(json!({ "publish": { "name": name, "payload": told, "starts": starts } }))
            }
            Wish::Polled(ending) => Some(json!({ "polled": polled(ending) })),
            Wish::Approve { place, approved, number } => {
                let payload = json!({ "answer": number });
                Some(json!({ "approve": { "token": place.token, "approved": approved, "payload": payload } }))
            }
            Wish::Pause { workflow, paused: true } => Some(json!({ "pause": workflows[*workflow].id })),
            Wish::Pause { workflow, paused: false } => Some(json!({ "unpause": workflows[*workflow].id })),
            Wish::Share => Some(json!({ "state": [{ "incr": { "key": SHARED, "by": 1 } }] })),
            Wish::Heartbeat { executing } => Some(json!({ "heartbeat": { "executing": executing } })),
            Wish::Release => Some(json!({ "release": {} })),
        };
        let commands: Vec<_> = command.into_iter().collect();
        json!({ "seq": seq, "now_ms": now_ms, "commands": commands }).to_string().into_bytes()
    }
}

fn start(workflow_id: &str, intent: &Intent) -> Value {
    let mut start = json!({ "workflow": workflow_id, "payload": intent, "delay_ms": intent.delay_ms });
    if let (Some(key), Some(fingerprint)) = (&intent.key, &intent.fingerprint) {
        start["idempotency"] = json!({ "key": key, "fingerprint": fingerprint });
    }
    if let (Some(id), Some(fingerprint)) = (&intent.delivery, &intent.fingerprint) {
        start["delivery"] = json!({ "id": id, "fingerprint": fingerprint, "ttl_ms": intent.ttl_ms });
    }
    for (field, key) in [("concurrency_key", &intent.concurrency_key), ("rate_key", &intent.rate_key)] {
        if let Some(key) = key {
            start[field] = json!(key);
        }
    }
    if let Some(priority) = intent.priority {
        start["priority"] = json!(priority);
    }
    start
}

fn polled(ending: &PollEnding) -> Value {
    let Some(items) = &ending.items else {
        return json!({ "schedule": ending.schedule, "error": { "message": "nobody answers" } });
    };
    let item = |polled: &Polled| {
        let mut item = json!({ "id": polled.item, "payload": polled });
        if let Some(key) = &polled.rate_key {
            item["rate_key"] = json!(key);
        }
        item
    };
    json!({ "schedule": ending.schedule, "items": items.iter().map(item).collect::<Vec<_>>() })
}

fn resolve(ending: &Ending) -> Value {
    let (run, fence) = ending.attempt;
    let mut resolve = json!({ "run": run, "fence": fence });
    let json = |text: &str| serde_json::from_str::<Value>(text).unwrap_or_default();
    match &ending.outcome {
        Outcome::Returned(Some(output)) => resolve["output"] = json(output),
        Outcome::Returned(None) => {}
        Outcome::Threw { error, retryable, expected } => {
            resolve["error"] = json(error);
            resolve["retryable"] = json!(retryable);
            resolve["expected"] = json!(expected);
        }
        Outcome::Cancelled => resolve["cancel"] = json!("the handler has had enough"),
    }
    if ending.adds > 0 {
        let incr = json!({ "incr": { "key": COUNT, "by": ending.adds } });
        let set = json!({ "set": { "key": LATEST, "value": fence, "ttl_ms": 30_000 } });
        resolve["state"] = json!([incr, set]);
    }
    if let Some((key, ttl_ms)) = &ending.cache {
        resolve["cache"] = json!({ "key": key, "ttl_ms": ttl_ms });
    }
    resolve
}
