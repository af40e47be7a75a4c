//! A workflow that changes between two processes, while runs of it wait.

use std::path::Path;

use cronflow::engine::Engine;
use cronflow::machine::Secret;
use cronflow::store::{Durability, SqliteStore};
use serde_json::{Value, json};

fn open(path: &Path) -> Engine {
    let store = SqliteStore::open(path, Durability::Relaxed).unwrap();
    Engine::open(Box::new(store), 1, Secret::new([0; 32]), json!({})).unwrap()
}

fn ask(engine: &mut Engine, now_ms: i64, commands: &Value) -> Value {
    let request = json!({ "now_ms": now_ms, "capacity": 5, "commands": commands }).to_string();
    serde_json::from_slice(&engine.process(&[request.as_bytes()])[0]).unwrap()
}

fn define(nodes: &Value) -> Value {
    json!({ "define": { "id": "orders", "nodes": nodes } })
}

/// Defines the workflow in a new process, and starts a run of it.
fn start(path: &Path, nodes: &Value) -> Value {
    let answer = ask(&mut open(path), 0, &json!([define(nodes), { "start": { "workflow": "orders" } }]));
    answer["requests"][0]["results"][1]["run"].clone()
}

fn inspect(engine: &mut Engine, now_ms: i64, run: &Value) -> Value {
    let answer = ask(engine, now_ms, &json!([{ "query": { "run": { "run": run } } }]));
    answer["requests"][0]["results"][0].clone()
}

fn executed(answer: &Value) -> Vec<String> {
    let effects = answer["effects"].as_array().cloned().unwrap_or_default();
    effects.iter().filter_map(|effect| effect["execute"]["step"].as_str().map(str::to_owned)).collect()
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
    let woken = ask(&mut engine, 500, &json!([define(&nodes)]));
    let effects = woken["effects"].as_array().unwrap();
    let execute = effects.iter().find_map(|effect| effect.get("execute")).unwrap();
    assert_eq!(execute["run"], run, "{woken}");
    let resolve = json!({ "run": run, "fence": execute["fence"], "output": 1 });
    let done = ask(&mut engine, 600, &json!([{ "resolve": resolve }]));
    assert!(done["effects"].as_array().unwrap().iter().any(|effect| effect["finished"]["run"] == run), "{done}");
    assert_eq!(inspect(&mut engine, 600, &run)["status"], "completed");
    ask(&mut engine, 1_000, &json!([]));
    let idle = ask(&mut engine, 1_001, &json!([]));
    assert_eq!(idle.get("wake_at_ms"), None, "{idle}");
}

#[test]
fn a_run_continues_under_a_definition_that_begins_with_what_it_has_passed() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("cronflow.db");
    let sleep = json!({ "kind": "sleep", "name": "rest", "duration_ms": 500 });
    let pause = json!({ "kind": "sleep", "name": "pause", "duration_ms": 500 });
    let run = start(&path, &json!([sleep, pause, { "kind": "step", "name": "old" }]));
    let mut engine = open(&path);
    let nodes = json!([sleep, pause, { "kind": "step", "name": "new" }]);
    ask(&mut engine, 100, &json!([define(&nodes)]));
    ask(&mut engine, 500, &json!([]));
    let woken = ask(&mut engine, 1_000, &json!([]));
    assert_eq!(executed(&woken), ["new"], "{woken}");
    assert_eq!(inspect(&mut engine, 1_000, &run)["status"], "running");
}

#[test]
fn what_a_parked_run_was_waiting_for_does_not_come_early() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("cronflow.db");
    // The event makes the engine read the run, and find that it is stuck.
    let wait = json!({ "kind": "parallel", "name": "both", "branches": [
        [{ "kind": "wait_for_event", "name": "paid", "event": "paid" }],
        [{ "kind": "step", "name": "late", "delay_ms": 5_000 }],
        [{ "kind": "approval", "name": "ask", "wait_ms": 5_000, "on_timeout": true }],
    ] });
    let nodes = json!([{ "kind": "sleep", "name": "rest", "duration_ms": 10 }, wait]);
    let run = start(&path, &nodes);
    ask(&mut open(&path), 10, &json!([define(&nodes)]));
    let mut engine = open(&path);
    let publish = json!({ "publish": { "name": "paid", "payload": 7 } });
    ask(&mut engine, 20, &json!([define(&json!([{ "kind": "step", "name": "other" }])), publish]));
    let stuck = inspect(&mut engine, 20, &run);
    assert_eq!((&stuck["status"], &stuck["error"]["code"]), (&json!("stuck"), &json!("definition_changed")), "{stuck}");
    assert!(stuck["error"]["message"].as_str().unwrap().contains("`rest`"), "{stuck}");
    drop(engine);

    let mut engine = open(&path);
    let taken_up = ask(&mut engine, 700, &json!([define(&nodes)]));
    assert!(executed(&taken_up).is_empty(), "{taken_up}");
    let later = ask(&mut engine, 5_009, &json!([]));
    assert!(executed(&later).is_empty(), "{later}");
    let row = inspect(&mut engine, 5_009, &run);
    let paid = row["steps"].as_array().unwrap().iter().find(|step| step["name"] == "paid");
    assert_eq!(paid.map(|step| &step["output"]), Some(&json!(7)), "published while the run was stuck: {row}");
    let due = ask(&mut engine, 5_010, &json!([]));
    let mut steps = executed(&due);
    steps.sort();
    assert_eq!(steps, ["ask", "late"], "{due}");
}

#[test]
fn a_parked_run_hears_of_its_child_that_has_ended_meanwhile() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("cronflow.db");
    let rest = json!({ "kind": "sleep", "name": "rest", "duration_ms": 10 });
    let call = json!({ "kind": "subflow", "name": "call", "workflow": "child" });
    let nodes = json!([rest, call]);
    let child = json!({ "define": { "id": "child", "nodes": [{ "kind": "sleep", "name": "nap", "duration_ms": 500 }, { "kind": "step", "name": "work" }] } });
    let run = start(&path, &nodes);
    ask(&mut open(&path), 10, &json!([child, define(&nodes)]));
    let mut engine = open(&path);
    let other = json!([{ "kind": "step", "name": "other" }]);
    let woken = ask(&mut engine, 600, &json!([child, define(&other)]));
    let effects = woken["effects"].as_array().unwrap();
    let execute = effects.iter().find_map(|effect| effect.get("execute")).unwrap();
    let resolve = json!({ "run": execute["run"], "fence": execute["fence"], "output": 7 });
    ask(&mut engine, 700, &json!([{ "resolve": resolve }]));
    assert_eq!(inspect(&mut engine, 700, &run)["status"], "stuck");
    drop(engine);
    let mut engine = open(&path);
    ask(&mut engine, 800, &json!([define(&nodes)]));
    let row = inspect(&mut engine, 800, &run);
    assert_eq!((&row["status"], &row["output"]), (&json!("completed"), &json!(7)), "{row}");
}

#[test]
fn a_stuck_run_that_is_retried_waits_anew() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("cronflow.db");
    let rest = json!({ "kind": "sleep", "name": "rest", "duration_ms": 10 });
    let wait = json!({ "kind": "wait_for_event", "name": "pay", "event": "paid" });
    let run = start(&path, &json!([rest, wait]));
    ask(&mut open(&path), 10, &define_all(&json!([rest, wait])));
    let mut engine = open(&path);
    let other = json!([wait]);
    let publish = |payload: i64| json!({ "publish": { "name": "paid", "payload": payload } });
    ask(&mut engine, 20, &json!([define(&other), publish(1)]));
    assert_eq!(inspect(&mut engine, 20, &run)["status"], "stuck");
    // Retried, it goes on under the new definition, as far as that has what it has completed.
    let retried = ask(&mut engine, 30, &json!([{ "retry": { "run": run } }]));
    assert!(retried["requests"][0]["results"][0].is_null(), "{retried}");
    assert_eq!(inspect(&mut engine, 30, &run)["status"], "waiting");
    ask(&mut engine, 40, &json!([publish(2)]));
    assert_eq!(inspect(&mut engine, 40, &run)["output"], 2);
}

fn define_all(nodes: &Value) -> Value {
    json!([define(nodes)])
}

fn body_of(engine: &mut Engine, run: &Value) -> (Value, Value) {
    let row = inspect(engine, 9_000_000, run);
    (row["status"].clone(), row["error"]["code"].clone())
}

fn while_of(body: &[&str]) -> Value {
    let body: Vec<Value> = body.iter().map(|name| json!({ "kind": "step", "name": name })).collect();
    json!([
        { "kind": "while", "name": "loop", "max_iterations": 100, "body": body },
        { "kind": "step", "name": "mid" },
        { "kind": "step", "name": "end" }
    ])
}

fn for_each_of(body: &[&str]) -> Value {
    let body: Vec<Value> = body.iter().map(|name| json!({ "kind": "step", "name": name })).collect();
    json!([{ "kind": "for_each", "name": "loop", "concurrency": 1, "body": body }])
}

/// Ends what the last answer gives to execute, one after the other: each with what is given for it.
fn end_in_turn(engine: &mut Engine, first: Value, ends: &[(&str, Value)]) -> Value {
    let mut answer = first;
    for (step, end) in ends {
        let effects = answer["effects"].as_array().cloned().unwrap_or_default();
        let mut given = effects.iter().map(|effect| &effect["execute"]).filter(|execute| !execute.is_null());
        let execute = given.next().unwrap_or_else(|| panic!("`{step}` is not given: {answer}"));
        assert_eq!(execute["step"], **step, "{answer}");
        let mut resolve = json!({ "run": execute["run"], "fence": execute["fence"] });
        resolve.as_object_mut().unwrap().extend(end.as_object().unwrap().clone());
        answer = ask(engine, 0, &json!([{ "resolve": resolve }]));
        assert_eq!(answer["requests"][0]["results"][0].get("refused"), None, "{answer}");
    }
    answer
}

/// A process of its own: a run of these nodes, which ends as is said.
fn run_of(path: &Path, nodes: &Value, ends: &[(&str, Value)]) -> Value {
    let mut engine = open(path);
    let answer = ask(&mut engine, 0, &json!([define(nodes), { "start": { "workflow": "orders" } }]));
    let run = answer["requests"][0]["results"][1]["run"].clone();
    end_in_turn(&mut engine, answer, ends);
    run
}

fn output(value: Value) -> Value {
    json!({ "output": value })
}

fn failure() -> Value {
    json!({ "error": { "message": "no" }, "retryable": false })
}

/// Two repetitions are over, the third has failed.
fn in_third_repetition() -> Vec<(&'static str, Value)> {
    let mut ends = Vec::new();
    for _ in 0..2 {
        ends.extend([("loop", output(json!(1))), ("charge", output(json!(1)))]);
    }
    ends.extend([("loop", output(json!(1))), ("charge", failure())]);
    ends
}

#[test]
fn a_longer_repetition_is_no_way_on_for_a_run_inside_it_nor_does_it_harm_others() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("cronflow.db");
    let run = run_of(&path, &while_of(&["charge"]), &in_third_repetition());
    for process in 0..3 {
        let mut engine = open(&path);
        ask(&mut engine, 0, &json!([define(&while_of(&["charge", "audit"]))]));
        if process == 0 {
            let answer = ask(&mut engine, 0, &json!([{ "retry": { "run": run } }]));
            assert!(executed(&answer).is_empty(), "{answer}");
        }
        assert_eq!(body_of(&mut engine, &run), (json!("stuck"), json!("definition_changed")));
        let answer = ask(&mut engine, 0, &json!([{ "start": { "workflow": "orders" } }]));
        assert_eq!(executed_handlers(&answer), ["condition"], "others go on");
    }
}

fn executed_handlers(answer: &Value) -> Vec<String> {
    let effects = answer["effects"].as_array().cloned().unwrap_or_default();
    effects.iter().filter_map(|effect| effect["execute"]["handler"].as_str().map(str::to_owned)).collect()
}

#[test]
fn a_run_behind_a_repetition_that_is_longer_now_does_nothing_more_in_it() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("cronflow.db");
    let ends = [("loop", output(json!(1))), ("charge", output(json!(1))), ("loop", output(json!(0)))];
    let run = run_of(&path, &while_of(&["charge"]), &ends);
    let mut engine = open(&path);
    let answer = ask(&mut engine, 0, &json!([define(&while_of(&["charge", "audit"]))]));
    assert!(executed(&answer).is_empty(), "{answer}");
    assert_eq!(body_of(&mut engine, &run), (json!("stuck"), json!("definition_changed")));
}

#[test]
fn a_replay_from_behind_a_repetition_that_is_longer_now_does_nothing_more_in_it() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("cronflow.db");
    let mut ends = vec![("loop", output(json!(1))), ("charge", output(json!(1)))];
    ends.extend([("loop", output(json!(1))), ("charge", output(json!(2))), ("loop", output(json!(0)))]);
    ends.extend([("mid", output(json!(3))), ("end", output(json!(4)))]);
    let run = run_of(&path, &while_of(&["charge"]), &ends);
    let mut engine = open(&path);
    ask(&mut engine, 0, &json!([define(&while_of(&["charge", "audit"]))]));
    let answer = ask(&mut engine, 0, &json!([{ "replay": { "run": run, "from_step": "mid" } }]));
    assert!(executed(&answer).is_empty(), "{answer}");
    let replay = answer["requests"][0]["results"][0]["run"].clone();
    assert_eq!(body_of(&mut engine, &replay), (json!("stuck"), json!("definition_changed")));
}

#[test]
fn items_that_are_completed_are_not_done_again_by_a_run_that_is_taken_up_with_a_longer_body() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("cronflow.db");
    let items = ("loop", output(json!([1, 2, 3])));
    let ends = [items, ("charge", output(json!(1))), ("charge", output(json!(2))), ("charge", failure())];
    let run = run_of(&path, &for_each_of(&["charge"]), &ends);
    let mut engine = open(&path);
    ask(&mut engine, 0, &json!([define(&for_each_of(&["charge", "audit"]))]));
    let answer = ask(&mut engine, 0, &json!([{ "retry": { "run": run } }]));
    assert!(executed(&answer).is_empty(), "{answer}");
    assert_eq!(body_of(&mut engine, &run), (json!("stuck"), json!("definition_changed")));
    // Its own definition takes it up where it was.
    drop(engine);
    let mut engine = open(&path);
    ask(&mut engine, 0, &json!([define(&for_each_of(&["charge"]))]));
    assert_eq!(body_of(&mut engine, &run).0, json!("running"));
}

#[test]
fn the_approval_of_a_run_that_is_stuck_can_be_given_when_the_run_goes_on() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("cronflow.db");
    let nodes = json!([
        { "kind": "step", "name": "first" },
        { "kind": "approval", "name": "boss", "on_pause": true },
        { "kind": "step", "name": "last" }
    ]);
    let mut engine = open(&path);
    let answer = ask(&mut engine, 0, &json!([define(&nodes), { "start": { "workflow": "orders" } }]));
    let run = answer["requests"][0]["results"][1]["run"].clone();
    let answer = end_in_turn(&mut engine, answer, &[("first", output(json!(1)))]);
    let token = answer["effects"].as_array().unwrap().iter().find_map(|effect| effect["execute"]["token"].as_str());
    let approve = json!({ "approve": { "token": token.unwrap(), "approved": true } });
    end_in_turn(&mut engine, answer.clone(), &[("boss", json!({}))]);
    drop(engine);

    let mut engine = open(&path);
    let other = json!([{ "kind": "step", "name": "other" }]);
    // The first time finds that it is stuck, the second knows.
    for _ in 0..2 {
        let answer = ask(&mut engine, 1, &json!([define(&other), approve]));
        assert_eq!(answer["requests"][0]["results"][1]["refused"]["code"], "run_stuck", "{answer}");
    }
    assert_eq!(body_of(&mut engine, &run), (json!("stuck"), json!("definition_changed")));
    drop(engine);

    let mut engine = open(&path);
    let answer = ask(&mut engine, 2, &json!([define(&nodes), approve]));
    assert_eq!(executed(&answer), ["last"], "{answer}");
}
