//! Values that outlive runs: `ctx.state`, the state all share, and cached outputs.

mod harness;

use harness::{World, live, node, step};
use serde_json::{Value, json};

fn value(world: &mut World, workflow: &str, key: &str) -> Value {
    world.query(json!({ "state": { "workflow": workflow, "keys": [key] } }))["values"][0]["value"].clone()
}

fn started(world: &mut World, more: Value) -> String {
    world.define_nodes("orders", json!([node("step", "a", more), step("b")]));
    world.start("orders")
}

#[test]
fn what_a_step_does_to_the_state_is_done_when_it_completes() {
    live(|world| {
        let run = started(world, json!({}));
        let changes = json!([
            { "set": { "key": "name", "value": { "first": "Ann" } } },
            { "incr": { "key": "count", "by": 2 } },
            { "incr": { "key": "count", "by": 0.5 } },
            { "set": { "key": "gone", "value": 1 } },
            { "delete": "gone" },
            { "set": { "key": "sum", "value": 10 } },
            { "incr": { "key": "sum", "by": -3 } },
        ]);
        let result = world.resolve(&run, "a", json!({ "output": 1, "state": changes }));
        let expected = json!([["name", null, { "first": "Ann" }], ["count", null, 2.5], ["gone"], ["sum", null, 7]]);
        assert_eq!(result["state"], expected);
        assert_eq!(value(world, "orders", "name"), json!({ "first": "Ann" }));
        assert_eq!(value(world, "orders", "count"), 2.5);
        assert_eq!(value(world, "orders", "gone"), Value::Null);
        assert_eq!(value(world, "orders", "sum"), 7);
        assert_eq!(value(world, "mails", "sum"), Value::Null, "per workflow");
        world.resolve(&run, "b", json!({ "state": [{ "incr": { "key": "sum", "by": 1 } }, { "delete": "name" }] }));
        assert_eq!(value(world, "orders", "sum"), 8);
        assert_eq!(value(world, "orders", "name"), Value::Null);
    });
}

#[test]
fn what_a_failed_attempt_did_to_the_state_is_forgotten() {
    live(|world| {
        let retry = json!({ "attempts": 3, "strategy": "fixed", "delay_ms": 10 });
        let run = started(world, json!({ "retry": retry }));
        let state = json!([{ "incr": { "key": "count", "by": 1 } }]);
        for _ in 0..2 {
            world.resolve(&run, "a", json!({ "error": "no", "state": state }));
            assert_eq!(value(world, "orders", "count"), Value::Null);
            world.advance(10);
        }
        world.resolve(&run, "a", json!({ "output": 1, "state": state }));
        assert_eq!(value(world, "orders", "count"), 1);
        world.resolve(&run, "b", json!({ "cancel": "enough", "state": state }));
        assert_eq!(value(world, "orders", "count"), 1);
    });
}

#[test]
fn a_late_result_changes_nothing() {
    live(|world| {
        let run = started(world, json!({ "timeout_ms": 100 }));
        let fence = world.given(&run, "a")["fence"].clone();
        world.advance(100);
        let state = json!([{ "incr": { "key": "count", "by": 1 } }]);
        let late = json!({ "resolve": { "run": run, "fence": fence, "output": 1, "state": state } });
        assert_eq!(world.refused(late), "attempt_ended");
        assert_eq!(value(world, "orders", "count"), Value::Null);
    });
}

#[test]
fn a_result_whose_state_cannot_be_changed_is_refused_whole() {
    live(|world| {
        let run = started(world, json!({}));
        world.command(json!({ "state": [] }));
        let fence = world.given(&run, "a")["fence"].clone();
        let changes = json!([{ "set": { "key": "name", "value": "Ann" } }, { "incr": { "key": "name", "by": 1 } }]);
        let resolve = json!({ "resolve": { "run": run, "fence": fence, "output": 1, "state": changes } });
        // The attempt goes on: the host reports its end in another way.
        let result = world.refused_resolve(&run, "a", resolve);
        assert_eq!(result, "not_a_number");
        assert_eq!(value(world, "orders", "name"), Value::Null);
        world.fail(&run, "a", "`name` of the state is not a number");
        assert_eq!(world.status(&run), "failed");
    });
}

#[test]
fn a_value_vanishes_when_its_time_is_over() {
    live(|world| {
        let run = started(world, json!({}));
        let state = json!([{ "set": { "key": "count", "value": 5, "ttl_ms": 100 } }]);
        let result = world.resolve(&run, "a", json!({ "state": state }));
        assert_eq!(result["state"], json!([["count", 1_100, 5]]));
        world.advance(50);
        // Adding to a value leaves its time as it is.
        world.resolve(&run, "b", json!({ "state": [{ "incr": { "key": "count", "by": 1 } }] }));
        world.advance(49);
        assert_eq!(value(world, "orders", "count"), 6);
        world.advance(1);
        assert_eq!(value(world, "orders", "count"), Value::Null);
        assert_eq!(world.wake_at_ms, None);
    });
}

#[test]
fn a_number_whose_time_is_over_is_counted_from_nothing() {
    live(|world| {
        world.command(json!({ "state": [{ "set": { "key": "n", "value": 5, "ttl_ms": 100 } }] }));
        world.advance_at_once(100);
        let result = world.command(json!({ "state": [{ "incr": { "key": "n", "by": 1 } }] }));
        assert_eq!(result["state"], json!([["n", null, 1]]));
    });
}

#[test]
fn the_shared_state_belongs_to_no_workflow() {
    live(|world| {
        let run = started(world, json!({}));
        let changes = json!([{ "set": { "key": "n", "value": [1] } }, { "incr": { "key": "m", "by": 1 } }]);
        let result = world.command(json!({ "state": changes }));
        assert_eq!(result["state"], json!([["n", null, [1]], ["m", null, 1]]));
        world.resolve(&run, "a", json!({ "state": [{ "incr": { "key": "m", "by": 10 } }] }));
        assert_eq!((value(world, "", "m"), value(world, "orders", "m")), (json!(1), json!(10)));
        assert_eq!(world.refused(json!({ "state": [{ "incr": { "key": "n", "by": 1 } }] })), "not_a_number");
        assert_eq!(world.refused(json!({ "state": [{ "delete": "" }] })), "text_invalid");
        world.command(json!({ "state": [{ "delete": "n" }] }));
        assert_eq!(value(world, "", "n"), Value::Null);
    });
}

#[test]
fn a_cached_output_ends_the_attempt_of_another_run() {
    live(|world| {
        let one = started(world, json!({ "cache": true }));
        assert!(!world.recall(&one, "a", "k"));
        world.resolve(&one, "a", json!({ "output": { "x": 1 }, "cache": { "key": "k", "ttl_ms": 100 } }));
        let other = world.start("orders");
        assert!(world.recall(&other, "a", "k"));
        assert_eq!(world.executing(&other), ["b"]);
        assert_eq!(world.given(&other, "b")["last"], "a");
        assert_eq!(world.recorded(&other, "a"), json!({ "x": 1 }));
        assert!(world.effects.iter().any(|effect| effect["recorded"]["output"] == json!({ "x": 1 })));
        world.advance(100);
        let late = world.start("orders");
        assert!(!world.recall(&late, "a", "k"));
        assert_eq!(world.executing(&late), ["a"]);
    });
}

#[test]
fn a_failed_attempt_is_not_cached() {
    live(|world| {
        let run = started(world, json!({ "cache": true }));
        world.resolve(&run, "a", json!({ "error": "no", "cache": { "key": "k" } }));
        let other = world.start("orders");
        assert!(!world.recall(&other, "a", "k"));
    });
}

#[test]
fn a_cached_output_is_of_one_workflow() {
    live(|world| {
        let run = started(world, json!({ "cache": true }));
        world.resolve(&run, "a", json!({ "output": 1, "cache": { "key": "k", "ttl_ms": u64::MAX } }));
        let again = world.start("orders");
        assert!(world.recall(&again, "a", "k"), "the longest time is not over at once");
        world.define_nodes("mails", json!([node("step", "a", json!({ "cache": true }))]));
        let other = world.start("mails");
        assert!(!world.recall(&other, "a", "k"));
    });
}
