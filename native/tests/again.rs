//! Runs that go on from what was recorded: the same run again, or a new one.

mod harness;

use harness::{World, live, node, step};
use serde_json::{Value, json};

fn retry(world: &mut World, run: &str) {
    let result = world.command(json!({ "retry": { "run": run } }));
    assert!(result.is_null(), "{result}");
}

fn action(name: &str) -> Value {
    node("action", name, json!({}))
}

#[test]
fn a_retried_run_goes_on_from_the_step_that_failed() {
    live(|world| {
        world.define(json!({ "id": "orders", "on_failure": true, "nodes": [step("a"), step("b"), step("c")] }));
        let run = world.start("orders");
        world.finish(&run, "a", 1);
        world.fail(&run, "b", "no");
        assert_eq!(world.refused(json!({ "retry": { "run": run } })), "run_not_retryable", "its hook is still owed");
        world.finish(&run, "on_failure", 1);
        retry(world, &run);
        assert_eq!(world.given(&run, "b")["last"], "a");
        assert_eq!(world.refused(json!({ "retry": { "run": run } })), "run_not_retryable");
        world.finish(&run, "b", 2);
        world.finish(&run, "c", 3);
        assert_eq!(world.output(&run), 3);
        let history =
            ["a completed", "b failed", "on_failure completed", "retry completed", "b completed", "c completed"];
        assert_eq!(world.history(&run), history);
        assert_eq!(world.refused(json!({ "retry": { "run": run } })), "run_not_retryable");
    });
}

#[test]
fn a_run_that_is_retried_may_fail_and_be_retried_again() {
    live(|world| {
        let policy = json!({ "attempts": 2, "strategy": "fixed", "delay_ms": 10 });
        world.define_nodes(
            "orders",
            json!([step("a"), node("step", "b", json!({ "retry": policy, "on_error": true }))]),
        );
        let run = world.start("orders");
        world.finish(&run, "a", 1);
        for _ in 0..3 {
            world.fail(&run, "b", "no");
            world.advance(10);
            assert_eq!(world.given(&run, "b")["error"], Value::Null);
            world.fail(&run, "b", "still no");
            world.fail(&run, "b:on_error", "worse");
            assert_eq!(world.status(&run), "failed");
            retry(world, &run);
        }
        world.finish(&run, "b", 2);
        assert_eq!(world.output(&run), 2);
    });
}

#[test]
fn what_was_completed_keeps_its_place_when_attempts_before_it_had_failed() {
    live(|world| {
        let policy = json!({ "attempts": 5, "strategy": "fixed", "delay_ms": 0 });
        let a = node("step", "a", json!({ "retry": policy }));
        world.define_nodes("child", json!([step("work")]));
        let call = node("subflow", "call", json!({ "workflow": "child" }));
        world.define_nodes("orders", json!([a, action("b"), call, action("c")]));
        let run = world.start("orders");
        world.fail(&run, "a", "no");
        world.fail(&run, "a", "no");
        world.finish(&run, "a", "A");
        world.fail(&run, "b", "no");
        retry(world, &run);
        world.finish(&run, "b", 1);
        let listed = world.query(json!({ "runs": { "workflow": "child" } }));
        let child = listed["runs"][0]["run"].as_str().unwrap().to_owned();
        assert_eq!(world.inspect(&child)["payload"], "A");
        world.finish(&child, "work", "W");
        world.fail(&run, "c", "no");
        retry(world, &run);
        world.finish(&run, "c", 1);
        assert_eq!(world.output(&run), "W");
    });
}

#[test]
fn the_branches_of_a_parallel_that_have_completed_stay_done() {
    live(|world| {
        let branches = json!([[step("a")], [step("b"), step("c")], [step("d")]]);
        world.define_nodes("orders", json!([node("parallel", "all", json!({ "branches": branches })), step("after")]));
        let run = world.start("orders");
        world.fail(&run, "a", "no");
        world.finish(&run, "b", "B");
        world.finish(&run, "d", "D");
        world.fail(&run, "c", "no");
        retry(world, &run);
        assert_eq!(world.executing(&run), ["a", "c"]);
        world.finish(&run, "c", "C");
        world.finish(&run, "a", "A");
        assert_eq!(world.recorded(&run, "all"), json!(["A", "C", "D"]));
        world.fail(&run, "after", "no");
        retry(world, &run);
        assert_eq!(world.given(&run, "after")["last"], "all");
        world.finish(&run, "after", 1);
        assert_eq!(world.output(&run), 1);
    });
}

#[test]
fn the_output_of_a_block_is_read_where_it_was_recorded() {
    live(|world| {
        let race = node("race", "race", json!({ "branches": [[step("a")], [step("b")], [step("c")]] }));
        let outer = node("parallel", "outer", json!({ "branches": [[race], [action("d")]] }));
        world.define_nodes("orders", json!([outer]));
        let run = world.start("orders");
        world.fail(&run, "a", "no");
        world.finish(&run, "b", "B");
        world.fail(&run, "d", "no");
        retry(world, &run);
        world.finish(&run, "d", 1);
        assert_eq!(world.output(&run), json!(["B", null]));
    });
}

#[test]
fn a_for_each_goes_on_with_the_items_that_are_not_done() {
    live(|world| {
        let each = node("for_each", "each", json!({ "body": [step("x"), step("y")], "concurrency": 2 }));
        world.define_nodes("orders", json!([each]));
        let run = world.start("orders");
        world.finish(&run, "each:items", json!([1, 2, 3]));
        world.finish(&run, "x@1", 1);
        world.fail(&run, "x@0", "no");
        world.finish(&run, "y@1", "one");
        assert_eq!(world.status(&run), "failed");
        retry(world, &run);
        assert_eq!(world.executing(&run), ["x@0", "x@2"]);
        world.finish(&run, "x@2", 2);
        world.finish(&run, "y@2", "two");
        world.finish(&run, "x@0", 0);
        world.finish(&run, "y@0", "zero");
        assert_eq!(world.output(&run), json!(["zero", "one", "two"]));
    });
}

#[test]
fn a_while_goes_on_in_the_iteration_that_failed() {
    live(|world| {
        let body = json!([step("x"), step("y")]);
        world.define_nodes("orders", json!([node("while", "loop", json!({ "body": body, "max_iterations": 3 }))]));
        let run = world.start("orders");
        world.finish(&run, "loop:condition", 1);
        world.finish(&run, "x@0", 0);
        world.finish(&run, "y@0", 0);
        world.finish(&run, "loop:condition", 1);
        world.finish(&run, "x@1", 1);
        world.fail(&run, "y@1", "no");
        retry(world, &run);
        assert_eq!(world.given(&run, "y@1")["last"], "x@1");
        world.finish(&run, "y@1", "one");
        world.finish(&run, "loop:condition", 0);
        assert_eq!(world.output(&run), "one");
    });
}

#[test]
fn a_cancelled_run_can_be_retried() {
    live(|world| {
        world.define_nodes("orders", json!([step("a"), step("b")]));
        let run = world.start("orders");
        world.finish(&run, "a", 1);
        world.command(json!({ "cancel": { "run": run } }));
        retry(world, &run);
        world.finish(&run, "b", 2);
        assert_eq!(world.output(&run), 2);
    });
}

#[test]
fn a_run_that_comes_to_a_cancel_node_again_is_cancelled_again() {
    live(|world| {
        world.define_nodes("orders", json!([step("a"), node("cancel", "stop", json!({})), step("b")]));
        let run = world.start("orders");
        world.finish(&run, "a", 1);
        assert_eq!(world.status(&run), "cancelled");
        retry(world, &run);
        assert_eq!(world.status(&run), "cancelled");
    });
}

#[test]
fn a_run_that_took_too_long_has_all_its_time_again() {
    live(|world| {
        world.define(json!({ "id": "orders", "timeout_ms": 1_000, "nodes": [step("a"), step("b")] }));
        let run = world.start("orders");
        world.finish(&run, "a", 1);
        world.advance(5_000);
        assert_eq!(world.error(&run)["code"], "run_timeout");
        retry(world, &run);
        world.advance(999);
        assert_eq!(world.executing(&run), ["b"]);
        world.advance(1);
        assert_eq!(world.status(&run), "failed");
    });
}

#[test]
fn waits_of_a_retried_run_begin_anew_and_are_not_early() {
    live(|world| {
        let ask = node("approval", "ask", json!({ "wait_ms": 500, "on_timeout": true }));
        let wait = node("wait_for_event", "pay", json!({ "event": "paid", "wait_ms": 500 }));
        let late = node("step", "late", json!({ "delay_ms": 500 }));
        let branches = json!([[ask], [wait], [late], [step("z"), step("a")]]);
        world.define_nodes("orders", json!([node("race", "race", json!({ "branches": branches }))]));
        let run = world.start("orders");
        world.advance(100);
        world.finish(&run, "z", 1);
        world.command(json!({ "cancel": { "run": run } }));
        world.advance(300);
        retry(world, &run);
        assert_eq!(world.executing(&run), ["a"]);
        world.advance(400);
        let executing = world.executing(&run);
        assert!(!executing.iter().any(|key| key == "ask:on_timeout"), "{executing:?}");
        assert_eq!(world.command(json!({ "publish": { "name": "paid", "payload": 7 } }))["event"], 1);
        assert_eq!(world.output(&run), 7);
    });
}

#[test]
fn a_child_that_failed_is_started_anew() {
    live(|world| {
        world.define_nodes("child", json!([step("work")]));
        world.define_nodes("orders", json!([node("subflow", "call", json!({ "workflow": "child" }))]));
        let run = world.start("orders");
        let child = |world: &mut World| {
            let listed = world.query(json!({ "runs": { "workflow": "child" } }));
            listed["runs"][0]["run"].as_str().unwrap().to_owned()
        };
        let first = child(world);
        world.fail(&first, "work", "no");
        assert_eq!(world.status(&run), "failed");
        retry(world, &run);
        let second = child(world);
        assert_ne!(first, second);
        world.finish(&second, "work", 1);
        assert_eq!(world.output(&run), 1);
        assert_eq!(world.status(&first), "failed");
    });
}

#[test]
fn late_results_of_a_run_before_it_was_retried_are_refused() {
    live(|world| {
        world.define_nodes("orders", json!([step("a")]));
        let run = world.start("orders");
        let fence = world.given(&run, "a")["fence"].clone();
        world.command(json!({ "cancel": { "run": run } }));
        retry(world, &run);
        assert_ne!(world.given(&run, "a")["fence"], fence);
        let late = json!({ "resolve": { "run": run, "fence": fence, "output": 1 } });
        assert_eq!(world.refused(late), "attempt_ended");
        world.finish(&run, "a", 2);
        assert_eq!(world.output(&run), 2);
    });
}

#[test]
fn an_unknown_run_is_not_retried() {
    live(|world| {
        assert_eq!(world.refused(json!({ "retry": { "run": "run_0000000000001" } })), "run_not_found");
    });
}

fn replay(world: &mut World, replay: Value) -> String {
    let result = world.command(json!({ "replay": replay }));
    result["run"].as_str().unwrap_or_else(|| panic!("not replayed: {result}")).to_owned()
}

/// A run of three steps that has completed.
fn completed(world: &mut World) -> String {
    world.define_nodes("orders", json!([step("a"), step("b"), step("c")]));
    let run = world.start_with(json!({ "workflow": "orders", "payload": 1, "trigger": { "type": "manual" } }));
    for name in ["a", "b", "c"] {
        world.finish(&run, name, name.to_uppercase());
    }
    run
}

#[test]
fn a_replay_is_a_new_run_with_the_payload_of_the_old_one() {
    live(|world| {
        let run = completed(world);
        let new = replay(world, json!({ "run": run }));
        let row = world.inspect(&new);
        assert_eq!(
            (&row["replay_of"], &row["payload"], &row["trigger"]),
            (&json!(run), &json!(1), &json!({ "type": "manual" }))
        );
        assert_eq!(world.executing(&new), ["a"]);
        for name in ["a", "b", "c"] {
            world.finish(&new, name, 2);
        }
        assert_eq!(world.output(&new), 2);
        assert_eq!(world.output(&run), "C");
    });
}

#[test]
fn a_replay_from_a_step_uses_what_was_recorded_before_it() {
    live(|world| {
        let run = completed(world);
        let new = replay(world, json!({ "run": run, "from_step": "b", "payload": null }));
        assert_eq!(world.inspect(&new)["payload"], Value::Null);
        assert_eq!(world.given(&new, "b")["last"], "a");
        assert_eq!(world.recorded(&new, "a"), "A");
        world.finish(&new, "b", 2);
        world.finish(&new, "c", 3);
        assert_eq!(world.output(&new), 3);
        assert_eq!(world.history(&new), ["a completed", "retry completed", "b completed", "c completed"]);
    });
}

#[test]
fn mocked_steps_of_a_replay_are_not_executed() {
    live(|world| {
        let run = completed(world);
        let new = replay(world, json!({ "run": run, "mocks": { "a": { "mocked": 1 }, "c": null } }));
        assert_eq!(world.given(&new, "b")["last"], "a");
        assert_eq!(world.recorded(&new, "a"), json!({ "mocked": 1 }));
        world.finish(&new, "b", 2);
        assert_eq!(world.output(&new), Value::Null);
        let all = replay(world, json!({ "run": run, "mocks": { "a": 1, "b": 2, "c": 3 } }));
        assert_eq!(world.output(&all), 3);
        assert_eq!(world.history(&all), ["a completed", "b completed", "c completed"]);
        let later = replay(world, json!({ "run": run, "from_step": "b", "mocks": { "b": 9 } }));
        assert_eq!(world.given(&later, "c")["last"], "b");
        world.finish(&later, "c", 10);
        assert_eq!(world.recorded(&later, "b"), 9);
    });
}

#[test]
fn a_replay_from_inside_a_loop_uses_the_iterations_before() {
    live(|world| {
        let each = node("for_each", "each", json!({ "body": [step("x")] }));
        world.define_nodes("orders", json!([step("a"), each, step("b")]));
        let run = world.start("orders");
        world.finish(&run, "a", 1);
        world.finish(&run, "each:items", json!([1, 2]));
        world.finish(&run, "x@0", "zero");
        world.finish(&run, "x@1", "one");
        world.fail(&run, "b", "no");
        let new = replay(world, json!({ "run": run, "from_step": "b" }));
        assert_eq!(world.given(&new, "b")["last"], "each");
        assert_eq!(world.recorded(&new, "each"), json!(["zero", "one"]));
        world.finish(&new, "b", 2);
        assert_eq!(world.output(&new), 2);
        let new = replay(world, json!({ "run": run, "from_step": "x" }));
        world.finish(&new, "x@0", "new zero");
        world.finish(&new, "x@1", "new one");
        assert_eq!(world.recorded(&new, "each"), json!(["new zero", "new one"]));
    });
}

#[test]
fn a_replay_that_begins_with_a_wait_waits() {
    live(|world| {
        let nodes = json!([
            node("sleep", "rest", json!({ "duration_ms": 100 })),
            node("approval", "ask", json!({ "wait_ms": 100, "on_timeout": true })),
            node("step", "late", json!({ "delay_ms": 100 })),
        ]);
        world.define_nodes("orders", nodes);
        let run = world.start("orders");
        world.command(json!({ "cancel": { "run": run } }));
        world.advance(1_000);
        let new = replay(world, json!({ "run": run }));
        world.advance(199);
        assert!(world.executing(&new).is_empty());
        world.advance(1);
        world.finish(&new, "ask:on_timeout", 1);
        let another = replay(world, json!({ "run": new, "from_step": "ask" }));
        world.advance(99);
        assert!(world.executing(&another).is_empty());
        world.advance(1);
        assert_eq!(world.executing(&another), ["ask:on_timeout"]);
        assert_eq!(world.executing(&new), ["late"]);
    });
}

#[test]
fn a_replay_names_steps_that_are_there() {
    live(|world| {
        let run = completed(world);
        assert_eq!(world.refused(json!({ "replay": { "run": run, "from_step": "z" } })), "step_not_found");
        assert_eq!(world.refused(json!({ "replay": { "run": run, "mocks": { "z": 1 } } })), "step_not_found");
        assert_eq!(world.refused(json!({ "replay": { "run": run, "mocks": [1] } })), "value_invalid");
        assert_eq!(world.refused(json!({ "replay": { "run": "run_0000000000001" } })), "run_not_found");
    });
}

#[test]
fn a_replay_from_a_step_that_a_completed_run_never_came_to_is_refused() {
    live(|world| {
        let choose = node("if", "choose", json!({ "branches": [[step("yes")]], "otherwise": [step("no")] }));
        world.define_nodes("orders", json!([choose]));
        let run = world.start("orders");
        world.finish(&run, "choose:condition", 0);
        world.finish(&run, "yes", 1);
        assert_eq!(world.refused(json!({ "replay": { "run": run, "from_step": "no" } })), "step_not_found");
    });
}
