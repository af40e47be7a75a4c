//! A file that an older version has written opens, keeps every row, and its runs go on.

use std::path::{Path, PathBuf};

use cronflow::engine::Engine;
use cronflow::ids::RunId;
use cronflow::machine::Secret;
use cronflow::model::{Handler, RunFilter, RunStatus, StepStatus};
use cronflow::store::{Claim, Durability, SqliteStore, Store};
use serde_json::{Value, json};

const VERSION_1: &str = include_str!("../src/store/migrations/0001_runs.sql");
const VERSION_2: &str = include_str!("../src/store/migrations/0002_flow.sql");
const VERSION_3: &str = include_str!("../src/store/migrations/0003_schedules.sql");
/// What this version writes.
const VERSION: i32 = 4;

/// As version 1 wrote it.
const DEFINITION: &str = r#"{"id":"orders","timeout_ms":100000,"on_success":false,"on_failure":true,"nodes":[{"kind":"step","name":"a","retry":{"attempts":3,"strategy":"fixed","delay_ms":1000,"max_delay_ms":3600000,"multiplier":2.0,"jitter":0.0},"on_error":false},{"kind":"step","name":"b","delay_ms":500,"on_error":false},{"kind":"action","name":"c","on_error":false}]}"#;

/// Runs of every kind, as version 1 left them when its process died at 4,400.
const RUNS: &str = r#"
INSERT INTO workflows VALUES (1, 'orders', 'the hash of version 1', '{definition}', 900);
INSERT INTO workflow_runs VALUES
  (1, 1, 'orders', 'waiting',   1, 0, '{"n":1}', 'null', NULL,  NULL,                 1000, NULL),
  (2, 1, 'orders', 'running',   1, 0, NULL,      NULL,   NULL,  NULL,                 1000, NULL),
  (3, 1, 'orders', 'waiting',   1, 0, NULL,      NULL,   NULL,  NULL,                 1000, NULL),
  (4, 1, 'orders', 'failed',    1, 1, NULL,      NULL,   NULL,  '{"message":"no"}',   1000, 4200),
  (5, 1, 'orders', 'completed', 0, 0, NULL,      NULL,   '"B"', NULL,                 1000, 3000),
  (6, 1, 'orders', 'pending',   1, 0, NULL,      NULL,   NULL,  NULL,                 1000, NULL),
  (7, 1, 'orders', 'running',   1, 0, NULL,      NULL,   NULL,  NULL,                 1000, NULL);
INSERT INTO steps VALUES
  (1, 1, 'a', 'body', 1, 'failed',      NULL,  '{"message":"1"}', 5000, 3900, 4000),
  (2, 1, 'a', 'body', 1, 'timed_out',   NULL,  '{"message":"2"}', 4300, 3200, 3300),
  (3, 1, 'a', 'body', 1, 'completed',   '"A"', NULL,              NULL, 1000, 4000),
  (4, 1, 'a', 'body', 1, 'failed',      NULL,  '{"message":"no"}',NULL, 4100, 4200),
  (5, 1, 'a', 'body', 1, 'completed',   '"A"', NULL,              NULL, 1000, 1000),
  (5, 2, 'b', 'body', 1, 'completed',   '"B"', NULL,              NULL, 2000, 2000),
  (5, 3, 'c', 'body', 1, 'completed',   NULL,  NULL,              NULL, 3000, 3000),
  (7, 1, 'a', 'body', 1, 'interrupted', NULL,  '{"code":"interrupted"}', NULL, NULL, 2000);
INSERT INTO timers VALUES
  (1, 'wake', 5000), (1, 'deadline', 101000), (2, 'deadline', 101000), (3, 'wake', 4500), (3, 'deadline', 101000),
  (6, 'deadline', 101000), (7, 'deadline', 101000);
INSERT INTO idempotency VALUES ('orders', 'key', 'print', 5), ('mails', 'key', 'other', 99);
PRAGMA application_id = 0x63726E66;
PRAGMA user_version = 1;
"#;

fn old_file(directory: &Path) -> PathBuf {
    let path = directory.join("cronflow.db");
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection.execute_batch(VERSION_1).unwrap();
    connection.execute_batch(&RUNS.replace("{definition}", DEFINITION)).unwrap();
    path
}

fn id(number: i64) -> RunId {
    RunId::from_integer(number).unwrap()
}

fn open(path: &Path) -> SqliteStore {
    SqliteStore::open(path, Durability::Relaxed).unwrap()
}

#[test]
fn every_row_is_kept() {
    let directory = tempfile::tempdir().unwrap();
    let path = old_file(directory.path());
    let mut store = open(&path);
    assert_eq!(store.definition(1).unwrap().as_deref(), Some(DEFINITION));
    let run = store.run(id(1)).unwrap().unwrap();
    assert_eq!((&*run.workflow_id, run.definition, run.status, run.open), ("orders", 1, RunStatus::Waiting, true));
    assert_eq!((run.payload.as_deref(), run.trigger.as_deref()), (Some(r#"{"n":1}"#), Some("null")));
    assert_eq!((run.created_at_ms, run.parent, run.replay_of, run.start_at_ms), (1_000, None, None, None));
    let run = store.run(id(5)).unwrap().unwrap();
    assert_eq!((run.status, run.open, run.output.as_deref()), (RunStatus::Completed, false, Some("\"B\"")));
    assert_eq!(run.finished_at_ms, Some(3_000));
    let summary = store.summary(id(4)).unwrap().unwrap();
    assert_eq!((summary.status, summary.hook_queued, summary.open), (RunStatus::Failed, true, true));
    assert_eq!((summary.priority, summary.depth, summary.concurrency_key, summary.mocks), (0, 0, None, None));

    let history = |store: &mut SqliteStore, run| store.history(id(run), 0, 100).unwrap();
    assert_eq!((1..=7).map(|run| history(&mut store, run).len()).collect::<Vec<_>>(), [1, 1, 1, 1, 3, 0, 1]);
    let step = history(&mut store, 2).remove(0);
    assert_eq!((&*step.name, &*step.scope, step.handler, step.attempt), ("a", "", Handler::Body, 1));
    assert_eq!((step.status, step.error.as_deref()), (StepStatus::TimedOut, Some(r#"{"message":"2"}"#)));
    assert_eq!((step.retry_at_ms, step.started_at_ms, step.finished_at_ms), (Some(4_300), Some(3_200), 3_300));
    assert_eq!(history(&mut store, 5)[1].output.as_deref(), Some("\"B\""));

    // Of two timers, the earlier one wakes the run.
    let timers = store.due_timers(i64::MAX, 100).unwrap();
    let timers: Vec<_> = timers.iter().map(|timer| (timer.due_at_ms, timer.run.to_integer())).collect();
    assert_eq!(timers, [(4_500, 3), (5_000, 1), (101_000, 2), (101_000, 6), (101_000, 7)]);
    drop(store);
    let version: i32 =
        rusqlite::Connection::open(&path).unwrap().pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
    assert_eq!(version, VERSION);
    open(&path);
}

#[test]
fn keys_still_find_their_runs_and_are_free_when_those_are_deleted() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = open(&old_file(directory.path()));
    let new = Claim { run: id(50), fingerprint: "new".to_owned() };
    let claim = |store: &mut SqliteStore, workflow| {
        store.begin().unwrap();
        let earlier = store.claim(workflow, "key", &new).unwrap();
        store.rollback();
        earlier
    };
    assert_eq!(claim(&mut store, "orders"), Some(Claim { run: id(5), fingerprint: "print".to_owned() }));
    store.begin().unwrap();
    store.delete_run(id(5)).unwrap();
    store.commit().unwrap();
    assert_eq!(claim(&mut store, "orders"), None);
    assert!(claim(&mut store, "mails").is_some());
}

struct Host {
    engine: Engine,
    given: Vec<Value>,
}

impl Host {
    fn ask(&mut self, now_ms: i64, commands: Value) -> Value {
        let request = json!({ "now_ms": now_ms, "capacity": 100, "commands": commands }).to_string();
        let answer: Value = serde_json::from_slice(&self.engine.process(&[request.as_bytes()])[0]).unwrap();
        let effects = answer["effects"].as_array().cloned().unwrap_or_default();
        self.given.extend(effects.iter().filter_map(|effect| effect.get("execute").cloned()));
        answer["requests"][0]["results"][0].clone()
    }

    /// Takes what the host was given to execute of a run.
    fn given(&mut self, run: i64) -> Option<Value> {
        let place = self.given.iter().position(|given| given["run"] == id(run).to_string())?;
        Some(self.given.remove(place))
    }

    fn resolve(&mut self, now_ms: i64, given: &Value, end: Value) -> Value {
        let mut resolve = json!({ "run": given["run"], "fence": given["fence"] });
        resolve.as_object_mut().unwrap().extend(end.as_object().unwrap().clone());
        self.ask(now_ms, json!([{ "resolve": resolve }]))
    }

    fn inspect(&mut self, now_ms: i64, run: i64) -> Value {
        self.ask(now_ms, json!([{ "query": { "run": { "run": id(run).to_string() } } }]))
    }
}

#[test]
fn its_runs_go_on() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&old_file(directory.path()));
    let engine = Engine::open(Box::new(store), 1, Secret::new([0; 32]), json!({})).unwrap();
    let mut host = Host { engine, given: Vec::new() };
    let definition: Value = serde_json::from_str(DEFINITION).unwrap();
    host.ask(4_400, json!([{ "define": definition }]));

    // Those that wait go on waiting.
    assert_eq!((host.given(1), host.given(3)), (None, None));
    // Those that were executing have been interrupted, and their failures and deaths are still counted.
    let given = host.given(2).unwrap();
    assert_eq!((&given["step"], &given["attempt"]), (&json!("a"), &json!(3)));
    let row = host.inspect(4_400, 2);
    assert_eq!((&row["steps"][1]["status"], &row["steps"][1]["attempt"]), (&json!("interrupted"), &json!(2)), "{row}");
    let retried = host.resolve(4_400, &given, json!({ "error": "again" }));
    assert_eq!(retried["retry_at_ms"], 5_400, "the second failure of three");
    assert_eq!(host.given(7), None, "it was interrupted once by version 1, and once now: it is a suspect");
    // What queued is executed, and a hook that queued is not interrupted.
    let given = host.given(6).unwrap();
    assert_eq!(given["attempt"], 1);
    let hook = host.given(4).unwrap();
    assert_eq!(
        (&hook["handler"], &hook["attempt"], &hook["error"]["message"]),
        (&json!("on_failure"), &json!(1), &json!("no"))
    );
    host.resolve(4_400, &hook, json!({}));
    assert_eq!(host.inspect(4_400, 4)["steps"].as_array().unwrap().len(), 2);

    // A timer is neither early nor lost.
    host.ask(4_499, json!([]));
    assert_eq!(host.given(3), None);
    host.ask(4_500, json!([]));
    let given = host.given(3).unwrap();
    assert_eq!((&given["step"], &given["last"]), (&json!("b"), &json!("a")));
    host.resolve(4_500, &given, json!({ "output": "B" }));
    let given = host.given(3).unwrap();
    host.resolve(4_500, &given, json!({ "output": "dropped" }));
    assert_eq!(host.inspect(4_500, 3)["output"], "B");

    // A suspect executes when its process has lived for a while.
    host.ask(4_900, json!([]));
    let given = host.given(7).unwrap();
    assert_eq!(given["attempt"], 3);

    // The retries of a step go on counting.
    host.ask(5_000, json!([]));
    let given = host.given(1).unwrap();
    assert_eq!((&given["step"], &given["attempt"]), (&json!("a"), &json!(2)));
    assert_eq!(host.resolve(5_000, &given, json!({ "error": "two" }))["retry_at_ms"], 6_000);
    host.ask(6_000, json!([]));
    let given = host.given(1).unwrap();
    host.resolve(6_000, &given, json!({ "error": "three" }));
    assert_eq!(host.given(1).unwrap()["handler"], "on_failure");
    assert_eq!(host.inspect(6_000, 1)["error"], "three");

    // The time of a whole run still counts from its beginning.
    host.ask(100_999, json!([]));
    assert_eq!(host.inspect(100_999, 6)["status"], "running");
    host.ask(101_000, json!([]));
    assert_eq!(host.inspect(101_000, 6)["error"]["code"], "run_timeout");
    let start = json!({ "workflow": "orders", "idempotency": { "key": "key", "fingerprint": "print" } });
    let started = host.ask(101_000, json!([{ "start": start }]));
    assert_eq!(started, json!({ "run": id(5).to_string(), "repeated": true }));
}

/// A file that version 2 has written at 4,400: with a run that waits for an event and one that executes.
const RUNS_OF_VERSION_2: &str = r#"
INSERT INTO workflows VALUES (1, 'orders', 'the hash of version 2', '{definition}', 900);
INSERT INTO workflow_runs (id, definition_id, workflow_id, status, open, payload, created_at_ms, priority, error, finished_at_ms)
VALUES
  (1, 1, 'orders', 'waiting', 1, '{"n":1}', 1000, 7, NULL,               NULL),
  (2, 1, 'orders', 'running', 1, NULL,      1000, 0, NULL,               NULL),
  (3, 1, 'orders', 'failed',  0, NULL,      1000, 0, '{"message":"no"}', 3000);
INSERT INTO steps VALUES
  (1, 1, 'a', '', 'body', 1, 'completed', '"A"', NULL, NULL, NULL, 1000, 2000),
  (3, 1, 'a', '', 'body', 1, 'failed',    NULL,  NULL, '{"message":"no"}', NULL, 1000, 3000);
INSERT INTO waits VALUES ('paid', 1, 'pay', '', 0);
INSERT INTO state VALUES ('orders', 'count', '5', NULL);
INSERT INTO paused_workflows VALUES ('mails');
PRAGMA application_id = 0x63726E66;
PRAGMA user_version = 2;
"#;

const DEFINITION_OF_VERSION_2: &str =
    r#"{"id":"orders","nodes":[{"kind":"step","name":"a"},{"kind":"wait_for_event","name":"pay","event":"paid"}]}"#;

fn file_of_version_2(directory: &Path) -> PathBuf {
    let path = directory.join("cronflow.db");
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection.execute_batch(VERSION_1).unwrap();
    connection.execute_batch(VERSION_2).unwrap();
    connection.execute_batch(&RUNS_OF_VERSION_2.replace("{definition}", DEFINITION_OF_VERSION_2)).unwrap();
    path
}

#[test]
fn a_file_of_version_2_is_kept_and_its_runs_are_no_schedules() {
    let directory = tempfile::tempdir().unwrap();
    let path = file_of_version_2(directory.path());
    let mut store = open(&path);
    let summary = store.summary(id(1)).unwrap().unwrap();
    assert_eq!((summary.status, summary.priority, summary.schedule), (RunStatus::Waiting, 7, None));
    assert_eq!(store.run(id(3)).unwrap().unwrap().error.as_deref(), Some(r#"{"message":"no"}"#));
    assert_eq!(store.history(id(1), 0, 10).unwrap()[0].output.as_deref(), Some("\"A\""));
    assert_eq!(store.state("orders", "count", 0).unwrap().unwrap().value, "5");
    assert_eq!(store.paused().unwrap(), ["mails"]);
    assert_eq!(store.schedules(None, 0, 10).unwrap(), []);
    assert_eq!(store.open_run_of("orders", "nightly").unwrap(), None);
    drop(store);
    let connection = rusqlite::Connection::open(&path).unwrap();
    let version: i32 = connection.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
    assert_eq!(version, VERSION);
}

#[test]
fn the_runs_of_a_file_of_version_2_go_on_beside_new_schedules() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&file_of_version_2(directory.path()));
    let engine = Engine::open(Box::new(store), 1, Secret::new([0; 32]), json!({})).unwrap();
    let mut host = Host { engine, given: Vec::new() };
    let mut definition: Value = serde_json::from_str(DEFINITION_OF_VERSION_2).unwrap();
    definition["schedules"] =
        json!([{ "name": "often", "timing": { "interval": { "every_ms": 1_000 } }, "overlap": "skip" }]);
    host.ask(4_400, json!([{ "define": definition }]));
    let given = host.given(2).unwrap();
    assert_eq!((&given["step"], &given["attempt"]), (&json!("a"), &json!(2)), "the death of its process is counted");
    host.resolve(4_400, &given, json!({ "output": "A" }));
    host.ask(4_400, json!([{ "publish": { "name": "paid", "payload": 9 } }]));
    assert_eq!(host.inspect(4_400, 1)["output"], 9);
    assert_eq!(host.inspect(4_400, 2)["output"], 9);
    // Two instants: the run of the first has not ended when the second comes.
    host.ask(5_400, json!([]));
    host.ask(6_400, json!([]));
    let runs = host.ask(6_400, json!([{ "query": { "runs": {} } }]));
    assert_eq!(runs["runs"].as_array().unwrap().len(), 4, "{runs}");
    let schedules = host.ask(6_400, json!([{ "query": { "schedules": {} } }]));
    assert_eq!(schedules["schedules"][0]["last_at_ms"], 5_400);
}

#[test]
fn the_runs_of_a_file_of_version_3_are_listed_by_workflow_and_status() {
    let directory = tempfile::tempdir().unwrap();
    let path = file_of_version_2(directory.path());
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection.execute_batch(VERSION_3).unwrap();
    connection.execute_batch("PRAGMA user_version = 3").unwrap();
    drop(connection);
    let mut store = open(&path);
    let mut list = |status, since_ms| -> Vec<i64> {
        let filter = RunFilter { workflow_id: Some("orders".to_owned()), status, since_ms, before: None, limit: 10 };
        store.list(&filter).unwrap().iter().map(|row| row.id.to_integer()).collect()
    };
    assert_eq!(list(None, None), [3, 2, 1]);
    assert_eq!(list(Some(RunStatus::Waiting), None), [1]);
    assert_eq!(list(Some(RunStatus::Failed), None), [3]);
    assert_eq!(list(Some(RunStatus::Completed), None), [] as [i64; 0]);
    assert_eq!((list(None, Some(1_000)), list(None, Some(1_001))), (vec![3, 2, 1], vec![]));
    assert_eq!(store.ready_runs("orders").unwrap(), [id(2)]);
}
