//! A workflow that changes between two processes, while a run of it waits.

use std::path::Path;

use cronflow::engine::Engine;
use cronflow::store::{Durability, SqliteStore};
use serde_json::{Value, json};

fn open(path: &Path) -> Engine {
    let store = SqliteStore::open(path, Durability::Relaxed).unwrap();
    Engine::open(Box::new(store), 1, json!({})).unwrap()
}

fn ask(engine: &mut Engine, now_ms: i64, commands: &Value) -> Value {
    let request = json!({ "now_ms": now_ms, "capacity": 1, "commands": commands }).to_string();
    serde_json::from_slice(&engine.process(&[request.as_bytes()])[0]).unwrap()
}

#[test]
fn the_deadline_of_a_timeout_that_is_gone_does_not_wake_the_host_for_ever() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("cronflow.db");
    let nodes = json!([{ "kind": "step", "name": "pack", "delay_ms": 500 }]);
    let mut engine = open(&path);
    let before = json!({ "define": { "id": "orders", "timeout_ms": 1_000, "nodes": nodes } });
    let started = ask(&mut engine, 0, &json!([before, { "start": { "workflow": "orders" } }]));
    let run = started["requests"][0]["results"][1]["run"].clone();
    drop(engine);

    let mut engine = open(&path);
    let woken = ask(&mut engine, 500, &json!([{ "define": { "id": "orders", "nodes": nodes } }]));
    assert_eq!(woken["effects"][0]["execute"]["run"], run, "{woken}");
    let done = ask(&mut engine, 600, &json!([{ "resolve": { "run": run, "sequence": 1, "output": 1 } }]));
    assert_eq!(done["effects"][0]["finished"]["status"], "completed", "{done}");
    ask(&mut engine, 1_000, &json!([]));
    let idle = ask(&mut engine, 1_001, &json!([]));
    assert_eq!(idle.get("wake_at_ms"), None, "{idle}");
}
