//! Since when the host has an attempt does not change because the storage fails.

mod harness;

use harness::{Mode, World, node, step};
use serde_json::{Value, json};

fn world(more: Value) -> (World, String) {
    let mut world = World::new(Mode::AsTold);
    world.define_nodes("orders", more);
    let run = world.start("orders");
    (world, run)
}

#[test]
fn a_step_has_no_more_time_because_commits_fail() {
    let (mut world, run) = world(json!([node("step", "work", json!({ "timeout_ms": 1_000 }))]));
    world.advance(900);
    world.fail_a_commit();
    world.fail_a_commit();
    world.advance(99);
    assert_eq!(world.executing(&run), ["work"]);
    world.fail_a_commit();
    world.advance(1);
    assert_eq!(world.error(&run)["code"], "step_timeout");
}

#[test]
fn nor_because_the_commit_fails_that_ends_it_or_another_of_its_run() {
    let limited = |name: &str| node("step", name, json!({ "timeout_ms": 1_000 }));
    let branches = json!([[limited("one")], [limited("other")]]);
    let (mut world, run) = world(json!([node("parallel", "both", json!({ "branches": branches }))]));
    world.advance_at_once(900);
    world.fail_a_commit();
    // The time-out itself is what fails.
    world.now_ms += 100;
    world.fail_a_commit();
    assert_eq!(world.error(&run)["code"], "step_timeout");
}

#[test]
fn a_row_says_since_when_the_host_had_the_attempt() {
    let (mut world, run) = world(json!([step("work")]));
    world.advance(500);
    world.fail_a_commit();
    world.finish(&run, "work", 1);
    assert_eq!(world.inspect(&run)["steps"][0]["started_at_ms"], 1_000);
}
