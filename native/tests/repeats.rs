//! Requests that are sent twice.

mod harness;

use harness::{Mode, World, step};
use serde_json::{Value, json};

fn world() -> World {
    let mut world = World::new(Mode::AsTold);
    world.define_nodes("orders", json!([step("work")]));
    world
}

fn request(seq: u64, commands: Value) -> Value {
    json!({ "seq": seq, "now_ms": 1_000, "commands": commands })
}

#[test]
fn what_changes_something_is_done_once_and_answered_alike() {
    let mut world = world();
    let start = request(1, json!([{ "start": { "workflow": "orders" } }, { "query": { "runs": {} } }]));
    let first = world.send(&start);
    assert_eq!(world.send(&start), first);
    assert_eq!(world.runs_of("orders").len(), 1);
}

#[test]
fn what_only_asks_is_not_remembered_but_answered_again() {
    let mut world = world();
    let ask = request(1, json!([{ "query": { "runs": {} } }, { "query": { "about": {} } }]));
    let count = |answer: &Value| answer["results"][0]["runs"].as_array().unwrap().len();
    assert_eq!(count(&world.send(&ask)), 0);
    for seq in 2..100 {
        world.send(&request(seq, json!([{ "start": { "workflow": "orders" } }])));
    }
    assert_eq!(count(&world.send(&ask)), 98);
}
