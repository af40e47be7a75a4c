//! Runs inside runs.

mod harness;

use harness::{Mode, World, live, node, step};
use serde_json::{Value, json};

fn subflow(more: Value) -> Value {
    let mut all = json!({ "workflow": "child" });
    all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    node("subflow", "call", all)
}

/// A parent that has come to its child.
fn family(world: &mut World, call: Value) -> (String, String) {
    world.define_nodes("child", json!([step("work")]));
    world.define_nodes("parent", json!([step("first"), call, step("after")]));
    let parent = world.start("parent");
    world.finish(&parent, "first", json!({ "a": 1 }));
    let child = child_of(world, &parent);
    (parent, child)
}

fn child_of(world: &mut World, parent: &str) -> String {
    children_of(world, parent).pop().unwrap_or_else(|| panic!("no child"))
}

/// Oldest first.
fn children_of(world: &mut World, parent: &str) -> Vec<String> {
    let listed = world.query(json!({ "runs": {} }));
    let children = listed["runs"].as_array().unwrap().iter().rev().filter(|run| run["parent"] == parent);
    children.map(|run| run["run"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn the_output_of_a_child_is_the_output_of_its_node() {
    live(|world| {
        let (parent, child) = family(world, subflow(json!({})));
        assert_eq!(world.status(&parent), "waiting");
        let row = world.inspect(&child);
        assert_eq!(row["payload"], json!({ "a": 1 }), "without an input function, the payload is what came last");
        assert_eq!(row["trigger"], json!({ "type": "subflow", "parent": parent }));
        world.finish(&child, "work", "done");
        assert_eq!(world.given(&parent, "after")["last"], "call");
        assert_eq!(world.recorded(&parent, "call"), "done");
        world.finish(&parent, "after", 2);
        assert_eq!(world.output(&parent), 2);
    });
}

#[test]
fn the_input_function_makes_the_payload_of_the_child() {
    live(|world| {
        world.define_nodes("child", json!([step("work")]));
        world.define_nodes("parent", json!([subflow(json!({ "input": true }))]));
        let (one, other) = (world.start("parent"), world.start("parent"));
        world.finish(&one, "call:input", json!([1, 2]));
        world.resolve(&other, "call:input", json!({}));
        let (first, second) = (child_of(world, &one), child_of(world, &other));
        assert_eq!(world.inspect(&first)["payload"], json!([1, 2]));
        assert_eq!(world.inspect(&second).get("payload"), None);
        world.resolve(&first, "work", json!({}));
        world.finish(&second, "work", 0);
        assert_eq!(world.output(&one), Value::Null);
        assert_eq!(world.output(&other), 0);
    });
}

#[test]
fn the_failure_of_a_child_is_the_failure_of_its_node() {
    live(|world| {
        let (parent, child) = family(world, subflow(json!({})));
        world.fail(&child, "work", "no");
        assert_eq!(world.error(&child)["message"], "no");
        assert_eq!(world.error(&parent)["message"], "no");
    });
}

#[test]
fn the_on_error_of_a_child_run_gives_its_output() {
    live(|world| {
        let (parent, child) = family(world, subflow(json!({ "on_error": true })));
        world.fail(&child, "work", "no");
        assert_eq!(world.given(&parent, "call:on_error")["error"]["message"], "no");
        world.finish(&parent, "call:on_error", "instead");
        world.finish(&parent, "after", 1);
        assert_eq!(world.recorded(&parent, "call:on_error"), "instead");
    });
}

#[test]
fn cancelling_the_parent_cancels_the_child() {
    live(|world| {
        let (parent, child) = family(world, subflow(json!({})));
        world.command(json!({ "cancel": { "run": parent, "reason": "enough" } }));
        assert_eq!(world.status(&parent), "cancelled");
        assert_eq!(world.status(&child), "cancelled");
        assert!(world.executing(&child).is_empty());
    });
}

#[test]
fn cancelling_a_grandparent_cancels_all_the_way_down() {
    live(|world| {
        world.define_nodes("child", json!([step("work")]));
        world.define_nodes("middle", json!([subflow(json!({}))]));
        world.define_nodes("top", json!([node("subflow", "down", json!({ "workflow": "middle" }))]));
        let top = world.start("top");
        let middle = child_of(world, &top);
        let child = child_of(world, &middle);
        world.command(json!({ "cancel": { "run": top } }));
        for run in [&top, &middle, &child] {
            assert_eq!(world.status(run), "cancelled");
        }
        assert!(world.executing(&child).is_empty());
    });
}

#[test]
fn a_child_that_is_cancelled_fails_its_node() {
    live(|world| {
        let (parent, child) = family(world, subflow(json!({})));
        world.command(json!({ "cancel": { "run": child } }));
        assert_eq!(world.status(&child), "cancelled");
        assert_eq!(world.status(&parent), "failed");
        assert_eq!(world.error(&parent)["code"], "subflow_cancelled");
    });
}

#[test]
fn a_child_whose_branch_has_lost_its_race_is_cancelled() {
    live(|world| {
        world.define_nodes("child", json!([step("work")]));
        let race = node("race", "race", json!({ "branches": [[subflow(json!({}))], [step("a")]] }));
        world.define_nodes("parent", json!([race]));
        let parent = world.start("parent");
        let child = child_of(world, &parent);
        world.finish(&parent, "a", 1);
        assert_eq!(world.status(&child), "cancelled");
        assert_eq!(world.output(&parent), 1);
    });
}

#[test]
fn a_parent_that_takes_too_long_cancels_its_child() {
    live(|world| {
        world.define_nodes("child", json!([step("work")]));
        world.define(json!({ "id": "parent", "timeout_ms": 500, "nodes": [subflow(json!({}))] }));
        let parent = world.start("parent");
        let child = child_of(world, &parent);
        world.advance(500);
        assert_eq!(world.error(&parent)["code"], "run_timeout");
        assert_eq!(world.status(&child), "cancelled");
    });
}

#[test]
fn a_child_of_an_unknown_workflow_fails_its_node() {
    live(|world| {
        world.define_nodes("parent", json!([subflow(json!({ "on_error": true }))]));
        let parent = world.start("parent");
        assert_eq!(world.given(&parent, "call:on_error")["error"]["code"], "workflow_not_found");
        world.finish(&parent, "call:on_error", 1);
        assert_eq!(world.output(&parent), 1);
    });
}

#[test]
fn a_workflow_that_calls_itself_is_stopped_at_the_deepest_level() {
    live(|world| {
        world.define_nodes("child", json!([subflow(json!({}))]));
        let top = world.start("child");
        assert_eq!(world.error(&top)["code"], "subflow_too_deep");
        let listed = world.query(json!({ "runs": { "limit": 1000 } }));
        assert_eq!(listed["runs"].as_array().unwrap().len(), 33, "one, and 32 inside of it");
        assert!(listed["runs"].as_array().unwrap().iter().all(|run| run["status"] == "failed"));
    });
}

#[test]
fn a_loop_calls_a_child_per_item() {
    live(|world| {
        world.define_nodes("child", json!([step("work")]));
        let each = node("for_each", "each", json!({ "body": [step("make"), subflow(json!({}))], "concurrency": 2 }));
        world.define_nodes("parent", json!([each]));
        let parent = world.start("parent");
        world.finish(&parent, "each:items", json!([1, 2, 3]));
        world.finish(&parent, "make@1", "one");
        world.finish(&parent, "make@0", "zero");
        let children = children_of(world, &parent);
        assert_eq!(children.len(), 2);
        assert_eq!(world.inspect(&children[0])["payload"], "one");
        world.finish(&children[0], "work", "B");
        world.finish(&parent, "make@2", "two");
        let third = child_of(world, &parent);
        world.finish(&children[1], "work", "A");
        world.finish(&third, "work", "C");
        assert_eq!(world.output(&parent), json!(["A", "B", "C"]));
    });
}

#[test]
fn a_child_that_sleeps_wakes_its_parent_when_it_ends() {
    live(|world| {
        world.define_nodes("child", json!([node("sleep", "rest", json!({ "duration_ms": 500 }))]));
        world.define_nodes("parent", json!([subflow(json!({})), step("after")]));
        let parent = world.start("parent");
        world.advance(499);
        assert_eq!(world.status(&parent), "waiting");
        world.advance(1);
        world.finish(&parent, "after", 1);
        assert_eq!(world.output(&parent), 1);
    });
}

#[test]
fn a_parent_waits_for_a_slot_when_its_child_has_ended_and_another_run_has_it() {
    live(|world| {
        world.define_nodes("child", json!([step("work")]));
        world.define_nodes("parent", json!([subflow(json!({})), step("after")]));
        world.offer(1);
        let parent = world.start("parent");
        let child = child_of(world, &parent);
        world.finish(&child, "work", 1);
        world.finish(&parent, "after", 2);
        assert_eq!(world.output(&parent), 2);
    });
}

#[test]
fn a_child_is_found_when_its_parent_wakes_in_a_process_that_has_just_begun() {
    live(|world| {
        // Known after the workflow that calls it.
        let nodes = json!([node("sleep", "rest", json!({ "duration_ms": 100 })), subflow(json!({}))]);
        world.define_nodes("parent", nodes);
        world.define_nodes("child", json!([step("work")]));
        let parent = world.start("parent");
        world.sleep_through(100);
        let child = child_of(world, &parent);
        world.finish(&child, "work", 1);
        assert_eq!(world.output(&parent), 1);
    });
}

/// A parent that is stuck, with a child that has ended since.
fn stuck_family(world: &mut World) -> (String, String) {
    world.define(json!({ "id": "child", "retention_ms": 1_000, "nodes": [step("work")] }));
    world.define(parent_with("first"));
    let parent = world.start("parent");
    world.finish(&parent, "first", 1);
    let child = child_of(world, &parent);
    // A release that no longer has the step the parent has passed.
    world.define(parent_with("other"));
    world.kill();
    world.finish(&child, "work", 7);
    assert_eq!(world.status(&parent), "stuck");
    (parent, child)
}

fn parent_with(first: &str) -> Value {
    json!({ "id": "parent", "nodes": [step(first), subflow(json!({})), step("after")] })
}

#[test]
fn a_child_is_kept_until_its_stuck_parent_can_be_told() {
    let mut world = World::new(Mode::AsTold);
    let (parent, child) = stuck_family(&mut world);
    world.advance(10_000_000);
    assert_eq!(world.status(&child), "completed");
    world.define(parent_with("first"));
    world.kill();
    assert_eq!(world.recorded(&parent, "call"), 7);
    world.advance(3_600_000);
    assert_eq!(world.status(&child), "gone");
    world.finish(&parent, "after", 9);
    assert_eq!(world.output(&parent), 9);
}

#[test]
fn a_child_that_is_gone_before_its_parent_could_be_told_fails_the_parents_node() {
    let mut world = World::new(Mode::AsTold);
    let (parent, child) = stuck_family(&mut world);
    // As a version did that removed it when its time was over.
    world.tamper(
        "DELETE FROM timers WHERE run_id IN (SELECT id FROM workflow_runs WHERE workflow_id = 'child');
         DELETE FROM steps WHERE run_id IN (SELECT id FROM workflow_runs WHERE workflow_id = 'child');
         DELETE FROM workflow_runs WHERE workflow_id = 'child';",
    );
    world.define(parent_with("first"));
    world.kill();
    let error = world.error(&parent);
    assert_eq!(error["code"], "subflow_removed", "{error}");
    assert!(error["message"].as_str().unwrap().contains(&child), "{error}");
    // It can be taken up again, with a new child.
    world.command(json!({ "retry": { "run": parent } }));
    let again = child_of(&mut world, &parent);
    world.finish(&again, "work", 8);
    world.finish(&parent, "after", 9);
    assert_eq!(world.output(&parent), 9);
}
