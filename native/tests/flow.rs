//! Blocks: which of their branches and iterations run, in which order, and what they give.

mod harness;

use harness::{live, node, step};
use serde_json::{Value, json};

fn if_node() -> Value {
    let branches = json!([[step("high")], [step("middle"), step("and")], []]);
    node("if", "amount", json!({ "branches": branches, "otherwise": [step("low")] }))
}

#[test]
fn an_if_takes_the_branch_its_condition_names_and_goes_on_after_it() {
    for (chosen, branch) in [(0, &["high"][..]), (1, &["middle", "and"]), (2, &[]), (3, &["low"])] {
        live(|world| {
            world.define_nodes("orders", json!([step("first"), if_node(), step("after")]));
            let run = world.start("orders");
            world.finish(&run, "first", "one");
            assert_eq!(world.given(&run, "amount:condition")["last"], "first");
            world.finish(&run, "amount:condition", chosen);
            for name in branch {
                assert_eq!(world.executing(&run), [*name]);
                world.finish(&run, name, *name);
            }
            // `ctx.last` is what the branch gave, or what was there before it.
            assert_eq!(world.given(&run, "after")["last"], *branch.last().unwrap_or(&"first"));
            world.finish(&run, "after", "done");
            assert_eq!(world.output(&run), "done");
        });
    }
}

#[test]
fn an_if_at_the_end_gives_what_its_branch_gave() {
    live(|world| {
        let node = node("if", "amount", json!({ "branches": [[step("high")]] }));
        world.define_nodes("orders", json!([step("first"), node]));
        let (one, other) = (world.start("orders"), world.start("orders"));
        for (run, chosen) in [(&one, 0), (&other, 1)] {
            world.finish(run, "first", "one");
            world.finish(run, "amount:condition", chosen);
        }
        world.finish(&one, "high", "two");
        assert_eq!(world.output(&one), "two");
        assert_eq!(world.output(&other), "one");
    });
}

#[test]
fn a_condition_that_names_no_branch_fails_the_run() {
    for wrong in [json!(4), json!(-1), json!(true), json!("0"), json!(0.5)] {
        live(|world| {
            world.define_nodes("orders", json!([if_node()]));
            let run = world.start("orders");
            world.finish(&run, "amount:condition", wrong.clone());
            assert_eq!(world.error(&run)["code"], "decision_invalid");
        });
    }
}

#[test]
fn a_condition_is_tried_again_as_the_node_says() {
    live(|world| {
        let retry = json!({ "attempts": 2, "strategy": "fixed", "delay_ms": 50 });
        let node = node("if", "amount", json!({ "branches": [[step("high")]], "retry": retry }));
        world.define_nodes("orders", json!([node]));
        let run = world.start("orders");
        let failed = world.fail(&run, "amount:condition", "no");
        assert_eq!(failed["retry_at_ms"], 1_050);
        assert_eq!(world.status(&run), "waiting");
        world.advance(49);
        assert!(world.executing(&run).is_empty());
        world.advance(1);
        world.finish(&run, "amount:condition", 0);
        world.finish(&run, "high", 1);
        assert_eq!(world.output(&run), 1);
    });
}

#[test]
fn parallel_gives_a_list_in_the_order_of_its_branches() {
    live(|world| {
        let branches = json!([[step("a")], [step("b"), step("c")], [node("action", "d", json!({}))]]);
        world.define_nodes("orders", json!([node("parallel", "all", json!({ "branches": branches })), step("after")]));
        let run = world.start("orders");
        assert_eq!(world.executing(&run), ["a", "b", "d"]);
        world.finish(&run, "d", "dropped");
        world.finish(&run, "b", 1);
        assert_eq!(world.given(&run, "c")["last"], "b");
        world.finish(&run, "c", json!({ "c": [1] }));
        world.finish(&run, "a", Value::Null);
        assert_eq!(world.recorded(&run, "all"), json!([null, { "c": [1] }, null]));
        assert_eq!(world.given(&run, "after")["last"], "all");
        world.finish(&run, "after", 0);
        let mut told = world.effects.iter().filter(|effect| effect["recorded"]["step"] == "all");
        assert_eq!(told.next_back().unwrap()["recorded"]["output"], json!([null, { "c": [1] }, null]));
    });
}

#[test]
fn an_action_in_a_branch_passes_on_what_was_there_before_the_block() {
    live(|world| {
        let branches = json!([[node("action", "a", json!({}))]]);
        world.define_nodes("orders", json!([step("first"), node("parallel", "all", json!({ "branches": branches }))]));
        let run = world.start("orders");
        world.finish(&run, "first", 7);
        world.finish(&run, "a", 8);
        assert_eq!(world.output(&run), json!([7]));
    });
}

#[test]
fn parallel_with_keys_gives_an_object() {
    live(|world| {
        let more = json!({ "branches": [[step("a")], [step("b")]], "keys": ["left", "\"ri\nght"] });
        world.define_nodes("orders", json!([node("parallel", "all", more)]));
        let run = world.start("orders");
        world.finish(&run, "b", "B");
        world.resolve(&run, "a", json!({}));
        assert_eq!(world.output(&run), json!({ "left": null, "\"ri\nght": "B" }));
    });
}

#[test]
fn one_failing_branch_fails_the_block_after_the_others_have_settled() {
    live(|world| {
        let branches = json!([[step("a")], [step("b")], [step("c"), step("d")]]);
        world.define_nodes("orders", json!([node("parallel", "all", json!({ "branches": branches }))]));
        let run = world.start("orders");
        world.fail(&run, "a", "first");
        assert_eq!(world.executing(&run), ["b", "c"]);
        world.finish(&run, "c", 1);
        world.fail(&run, "b", "second");
        assert_eq!(world.status(&run), "running");
        world.finish(&run, "d", 1);
        assert_eq!(world.error(&run)["message"], "first");
        let history = ["a failed", "c completed", "b failed", "d completed", "all failed"];
        assert_eq!(world.history(&run), history);
    });
}

#[test]
fn a_branch_that_fails_for_now_is_tried_again_while_the_others_go_on() {
    live(|world| {
        let retry = json!({ "attempts": 3, "strategy": "fixed", "delay_ms": 100 });
        let branches = json!([[node("step", "a", json!({ "retry": retry }))], [step("b"), step("c")]]);
        world.define_nodes("orders", json!([node("parallel", "all", json!({ "branches": branches }))]));
        let run = world.start("orders");
        world.fail(&run, "a", "no");
        assert_eq!(world.executing(&run), ["b"]);
        world.advance(60);
        world.finish(&run, "b", 1);
        world.advance(40);
        assert_eq!(world.executing(&run), ["a", "c"]);
        world.fail(&run, "a", "no");
        world.finish(&run, "c", 2);
        assert_eq!(world.status(&run), "waiting");
        world.advance(100);
        world.finish(&run, "a", 3);
        assert_eq!(world.output(&run), json!([3, 2]));
    });
}

#[test]
fn the_on_error_of_a_block_gives_its_output() {
    live(|world| {
        let more = json!({ "branches": [[step("a")], [step("b")]], "on_error": true });
        world.define_nodes("orders", json!([node("parallel", "all", more), step("after")]));
        let run = world.start("orders");
        world.fail(&run, "b", "no");
        world.finish(&run, "a", 1);
        let given = world.given(&run, "all:on_error");
        assert_eq!(given["error"]["message"], "no");
        world.finish(&run, "all:on_error", "instead");
        assert_eq!(world.given(&run, "after")["last"], "all");
        world.finish(&run, "after", 2);
        assert_eq!(world.recorded(&run, "all:on_error"), "instead");
        assert_eq!(world.output(&run), 2);
    });
}

#[test]
fn an_on_error_that_fails_fails_the_run_with_its_own_error() {
    live(|world| {
        let more = json!({ "branches": [[step("a")]], "on_error": true });
        world.define_nodes("orders", json!([node("parallel", "all", more)]));
        let run = world.start("orders");
        world.fail(&run, "a", "no");
        world.fail(&run, "all:on_error", "worse");
        assert_eq!(world.error(&run)["message"], "worse");
    });
}

#[test]
fn the_first_branch_of_a_race_that_succeeds_wins_and_the_others_are_cancelled() {
    live(|world| {
        let branches = json!([
            [step("a"), step("b")],
            [step("c")],
            [node("sleep", "rest", json!({ "duration_ms": 500 })), step("d")],
            [node("parallel", "inner", json!({ "branches": [[step("e")], [step("f")]] }))],
        ]);
        world.define_nodes("orders", json!([node("race", "first", json!({ "branches": branches })), step("after")]));
        let run = world.start("orders");
        world.finish(&run, "a", 1);
        world.finish(&run, "e", 2);
        assert_eq!(world.executing(&run), ["b", "c", "f"]);
        world.finish(&run, "c", "won");
        assert_eq!(world.executing(&run), ["after"]);
        assert_eq!(world.given(&run, "after")["last"], "first");
        world.advance(1_000);
        world.finish(&run, "after", 3);
        assert_eq!(world.recorded(&run, "first"), "won");
        let mut cancelled: Vec<_> = world.history(&run).into_iter().filter(|row| row.ends_with("cancelled")).collect();
        cancelled.sort();
        assert_eq!(cancelled, ["b cancelled", "f cancelled", "rest cancelled"]);
    });
}

#[test]
fn the_host_is_told_to_abort_what_has_lost_a_race() {
    live(|world| {
        let branches = json!([[step("a")], [step("b")]]);
        world.define_nodes("orders", json!([node("race", "first", json!({ "branches": branches }))]));
        let run = world.start("orders");
        let fence = world.given(&run, "b")["fence"].clone();
        world.finish(&run, "a", 1);
        let abort = json!({ "abort": { "run": run, "fence": fence, "reason": "ended" } });
        assert!(world.effects.contains(&abort), "{:?}", world.effects);
        let late = json!({ "resolve": { "run": run, "fence": fence, "output": 2 } });
        assert_eq!(world.refused(late), "attempt_ended");
        assert_eq!(world.output(&run), 1);
    });
}

#[test]
fn a_race_that_nobody_wins_fails_with_the_first_failure() {
    live(|world| {
        let branches = json!([[step("a")], [step("b")]]);
        world.define_nodes("orders", json!([node("race", "first", json!({ "branches": branches }))]));
        let run = world.start("orders");
        world.fail(&run, "b", "one");
        assert_eq!(world.status(&run), "running");
        world.fail(&run, "a", "two");
        assert_eq!(world.error(&run)["message"], "one");
    });
}

#[test]
fn a_while_repeats_its_body_until_its_condition_no_longer_holds() {
    live(|world| {
        let body = json!([step("body"), node("action", "note", json!({}))]);
        world.define_nodes(
            "orders",
            json!([step("first"), node("while", "loop", json!({ "body": body, "max_iterations": 9 })), step("after")]),
        );
        let run = world.start("orders");
        world.finish(&run, "first", 0);
        for number in 0..3 {
            // The first iteration begins with what was there before the loop, the others with what the last one gave.
            let last = if number == 0 { "first".to_owned() } else { format!("body@{}", number - 1) };
            assert_eq!(world.given(&run, "loop:condition")["last"], last);
            world.finish(&run, "loop:condition", 1);
            assert_eq!(world.given(&run, &format!("body@{number}"))["last"], last);
            world.finish(&run, &format!("body@{number}"), number);
            world.finish(&run, &format!("note@{number}"), "dropped");
        }
        world.finish(&run, "loop:condition", 0);
        assert_eq!(world.recorded(&run, "loop"), 2);
        assert_eq!(world.given(&run, "after")["last"], "loop");
        world.finish(&run, "after", "end");
        let left: Vec<_> = world.effects.iter().filter_map(|effect| effect["left"]["scope"].as_str()).collect();
        assert!(left.contains(&"0") && left.contains(&"1"), "{left:?}");
    });
}

#[test]
fn a_while_that_never_begins_passes_on_what_was_there() {
    live(|world| {
        world.define_nodes("orders", json!([step("first"), node("while", "loop", json!({ "body": [step("body")] }))]));
        let run = world.start("orders");
        world.finish(&run, "first", "one");
        world.finish(&run, "loop:condition", 0);
        assert_eq!(world.output(&run), "one");
    });
}

#[test]
fn a_while_that_does_not_end_fails_after_its_iterations() {
    live(|world| {
        let more = json!({ "body": [step("body")], "max_iterations": 2, "on_error": true });
        world.define_nodes("orders", json!([node("while", "loop", more)]));
        let run = world.start("orders");
        for number in 0..2 {
            world.finish(&run, "loop:condition", 1);
            world.finish(&run, &format!("body@{number}"), number);
        }
        world.finish(&run, "loop:condition", 1);
        assert_eq!(world.given(&run, "loop:on_error")["error"]["code"], "too_many_iterations");
        world.finish(&run, "loop:on_error", "enough");
        assert_eq!(world.output(&run), "enough");
    });
}

#[test]
fn a_while_fails_when_an_iteration_fails() {
    live(|world| {
        world.define_nodes("orders", json!([node("while", "loop", json!({ "body": [step("body")] }))]));
        let run = world.start("orders");
        world.finish(&run, "loop:condition", 1);
        world.finish(&run, "body@0", 1);
        world.finish(&run, "loop:condition", 1);
        world.fail(&run, "body@1", "no");
        assert_eq!(world.error(&run)["message"], "no");
    });
}

#[test]
fn a_for_each_runs_one_item_after_the_other_and_gives_a_list() {
    live(|world| {
        world.define_nodes(
            "orders",
            json!([step("first"), node("for_each", "each", json!({ "body": [step("body")] })), step("after")]),
        );
        let run = world.start("orders");
        world.finish(&run, "first", 0);
        world.finish(&run, "each:items", json!(["a", "b", "c"]));
        for number in 0..3 {
            let key = format!("body@{number}");
            assert_eq!(world.executing(&run), std::slice::from_ref(&key));
            assert_eq!(world.given(&run, &key).get("last"), None, "an iteration has a last of its own");
            world.finish(&run, &key, number * 10);
        }
        assert_eq!(world.recorded(&run, "each"), json!([0, 10, 20]));
        assert_eq!(world.given(&run, "after")["last"], "each");
        world.finish(&run, "after", 1);
    });
}

#[test]
fn a_for_each_runs_as_many_items_at_the_same_time_as_it_may_and_keeps_their_order() {
    live(|world| {
        let more = json!({ "body": [step("body"), step("more")], "concurrency": 2 });
        world.define_nodes("orders", json!([node("for_each", "each", more)]));
        let run = world.start("orders");
        world.finish(&run, "each:items", json!([1, 2, 3, 4]));
        assert_eq!(world.executing(&run), ["body@0", "body@1"]);
        world.finish(&run, "body@1", "one");
        assert_eq!(world.executing(&run), ["body@0", "more@1"]);
        world.finish(&run, "more@1", "B");
        assert_eq!(world.executing(&run), ["body@0", "body@2"]);
        world.finish(&run, "body@2", "two");
        world.finish(&run, "more@2", "C");
        world.finish(&run, "body@3", "three");
        world.finish(&run, "more@3", "D");
        assert_eq!(world.executing(&run), ["body@0"]);
        world.finish(&run, "body@0", "zero");
        world.finish(&run, "more@0", "A");
        assert_eq!(world.output(&run), json!(["A", "B", "C", "D"]));
    });
}

#[test]
fn a_for_each_with_a_size_runs_once_per_batch() {
    live(|world| {
        world.define_nodes("orders", json!([node("for_each", "each", json!({ "body": [step("body")], "size": 2 }))]));
        let run = world.start("orders");
        world.finish(&run, "each:items", json!([[1, 2], "a,b", { "c": [3, 4] }, null, 5]));
        for number in 0..3 {
            world.finish(&run, &format!("body@{number}"), number);
        }
        assert_eq!(world.output(&run), json!([0, 1, 2]));
    });
}

#[test]
fn a_for_each_of_nothing_gives_an_empty_list() {
    live(|world| {
        world.define_nodes(
            "orders",
            json!([node("for_each", "each", json!({ "body": [step("body")] })), step("after")]),
        );
        let run = world.start("orders");
        world.finish(&run, "each:items", json!([]));
        assert_eq!(world.recorded(&run, "each"), json!([]));
        world.finish(&run, "after", 1);
    });
}

#[test]
fn items_that_are_no_array_fail_the_loop() {
    for wrong in [json!({ "length": 1 }), json!("[1]"), json!(null), json!(3)] {
        live(|world| {
            world.define_nodes("orders", json!([node("for_each", "each", json!({ "body": [step("body")] }))]));
            let run = world.start("orders");
            world.finish(&run, "each:items", wrong.clone());
            assert_eq!(world.error(&run)["code"], "items_invalid");
        });
    }
    live(|world| {
        world.define_nodes("orders", json!([node("for_each", "each", json!({ "body": [step("body")] }))]));
        let run = world.start("orders");
        world.resolve(&run, "each:items", json!({}));
        assert_eq!(world.error(&run)["code"], "items_invalid");
    });
}

#[test]
fn more_items_than_a_loop_may_have_fail_it() {
    live(|world| {
        world.define_nodes("orders", json!([node("for_each", "each", json!({ "body": [step("body")] }))]));
        let run = world.start("orders");
        world.finish(&run, "each:items", vec![0; 100_001]);
        assert_eq!(world.error(&run)["code"], "too_many_items");
    });
}

#[test]
fn a_failing_iteration_fails_the_loop_after_those_under_way_and_begins_no_other() {
    live(|world| {
        let more = json!({ "body": [step("body")], "concurrency": 2, "on_error": true });
        world.define_nodes("orders", json!([node("for_each", "each", more)]));
        let run = world.start("orders");
        world.finish(&run, "each:items", json!([1, 2, 3]));
        world.fail(&run, "body@0", "no");
        assert_eq!(world.executing(&run), ["body@1"]);
        world.finish(&run, "body@1", 1);
        assert_eq!(world.given(&run, "each:on_error")["error"]["message"], "no");
        world.finish(&run, "each:on_error", "instead");
        assert_eq!(world.output(&run), "instead");
    });
}

#[test]
fn loops_inside_loops_number_their_iterations_from_outside_in() {
    live(|world| {
        let inner = node("for_each", "inner", json!({ "body": [step("body")], "concurrency": 2 }));
        let choose = node("if", "choose", json!({ "branches": [[step("extra")]] }));
        let outer = node("for_each", "outer", json!({ "body": [inner, choose], "concurrency": 2 }));
        world.define_nodes("orders", json!([outer]));
        let run = world.start("orders");
        world.finish(&run, "outer:items", json!([1, 2]));
        world.finish(&run, "inner@1:items", json!([1, 2]));
        world.finish(&run, "inner@0:items", json!([1]));
        assert_eq!(world.executing(&run), ["body@0.0", "body@1.0", "body@1.1"]);
        world.finish(&run, "body@1.1", "11");
        world.finish(&run, "body@1.0", "10");
        assert_eq!(world.given(&run, "choose@1:condition")["last"], "inner@1");
        world.finish(&run, "choose@1:condition", 0);
        world.finish(&run, "body@0.0", "00");
        world.finish(&run, "choose@0:condition", 1);
        world.finish(&run, "extra@1", "extra");
        assert_eq!(world.recorded(&run, "inner@1"), json!(["10", "11"]));
        assert_eq!(world.output(&run), json!([["00"], "extra"]));
    });
}

#[test]
fn a_while_inside_a_for_each_asks_its_condition_in_each_iteration() {
    live(|world| {
        let inner = node("while", "inner", json!({ "body": [step("body")] }));
        world.define_nodes("orders", json!([node("for_each", "outer", json!({ "body": [inner] }))]));
        let run = world.start("orders");
        world.finish(&run, "outer:items", json!([1, 2]));
        for outer in 0..2 {
            for number in 0..2 {
                world.finish(&run, &format!("inner@{outer}:condition"), 1);
                world.finish(&run, &format!("body@{outer}.{number}"), outer * 10 + number);
            }
            world.finish(&run, &format!("inner@{outer}:condition"), 0);
        }
        assert_eq!(world.output(&run), json!([1, 11]));
    });
}

#[test]
fn blocks_inside_blocks_give_their_outputs_outward() {
    live(|world| {
        let race = node("race", "race", json!({ "branches": [[step("a")], [step("b")]] }));
        let inner = node("parallel", "inner", json!({ "branches": [[race], [step("c")]], "keys": ["race", "c"] }));
        world.define_nodes("orders", json!([node("parallel", "outer", json!({ "branches": [[inner], [step("d")]] }))]));
        let run = world.start("orders");
        world.finish(&run, "b", "B");
        world.finish(&run, "d", "D");
        world.finish(&run, "c", "C");
        assert_eq!(world.output(&run), json!([{ "race": "B", "c": "C" }, "D"]));
    });
}

#[test]
fn a_cancel_node_ends_the_run_and_all_it_was_doing() {
    live(|world| {
        let branches = json!([[step("a"), node("cancel", "stop", json!({ "reason": "enough" }))], [step("b")]]);
        world.define(json!({ "id": "orders", "on_failure": true, "nodes": [node("parallel", "all", json!({ "branches": branches }))] }));
        let run = world.start("orders");
        world.finish(&run, "a", 1);
        assert_eq!(world.status(&run), "cancelled");
        assert_eq!(world.error(&run)["message"], "enough");
        assert!(world.executing(&run).is_empty());
        assert!(world.history(&run).contains(&"b cancelled".to_owned()));
    });
}

#[test]
fn a_step_may_cancel_its_run() {
    live(|world| {
        world.define_nodes("orders", json!([step("a"), step("b")]));
        let run = world.start("orders");
        world.resolve(&run, "a", json!({ "cancel": "not today" }));
        assert_eq!(world.status(&run), "cancelled");
        assert_eq!(world.error(&run)["message"], "not today");
    });
}

#[test]
fn a_run_that_takes_too_long_fails_with_all_its_branches() {
    live(|world| {
        let rest = node("sleep", "rest", json!({ "duration_ms": 5_000 }));
        let all = node("parallel", "all", json!({ "branches": [[step("a")], [rest]], "on_error": true }));
        world.define(json!({ "id": "orders", "timeout_ms": 1_000, "on_failure": true, "nodes": [all] }));
        let run = world.start("orders");
        world.advance(999);
        assert_eq!(world.executing(&run), ["a"]);
        world.advance(1);
        assert_eq!(world.executing(&run), ["on_failure"]);
        assert_eq!(world.given(&run, "on_failure")["error"]["code"], "run_timeout");
        world.finish(&run, "on_failure", 1);
        assert_eq!(world.error(&run)["code"], "run_timeout");
        assert_eq!(world.history(&run), ["a timed_out", "rest timed_out", "on_failure completed"]);
        world.advance(10_000);
        assert_eq!(world.wake_at_ms, None);
    });
}

#[test]
fn a_step_that_takes_too_long_is_aborted_and_tried_again() {
    live(|world| {
        let retry = json!({ "attempts": 2, "strategy": "fixed", "delay_ms": 10 });
        world.define_nodes("orders", json!([node("step", "a", json!({ "timeout_ms": 100, "retry": retry }))]));
        let run = world.start("orders");
        let fence = world.given(&run, "a")["fence"].clone();
        world.advance(100);
        assert!(world.executing(&run).is_empty());
        let late = json!({ "resolve": { "run": run, "fence": fence, "output": 1 } });
        assert_eq!(world.refused(late), "attempt_ended");
        world.advance(10);
        world.finish(&run, "a", 2);
        assert_eq!(world.output(&run), 2);
        assert_eq!(world.history(&run), ["a timed_out", "a completed"]);
    });
}

#[test]
fn a_step_with_a_delay_begins_when_it_is_over() {
    live(|world| {
        world.define_nodes("orders", json!([node("step", "a", json!({ "delay_ms": 100 }))]));
        let run = world.start("orders");
        assert_eq!(world.status(&run), "waiting");
        world.advance(99);
        assert!(world.executing(&run).is_empty());
        world.advance(1);
        world.finish(&run, "a", 2);
        assert_eq!(world.output(&run), 2);
    });
}

#[test]
fn a_run_started_with_a_delay_begins_when_it_is_over() {
    live(|world| {
        world.define_nodes("orders", json!([step("a")]));
        let run = world.start_with(json!({ "workflow": "orders", "delay_ms": 100 }));
        world.advance(99);
        assert_eq!(world.status(&run), "waiting");
        world.advance(1);
        world.finish(&run, "a", 2);
        assert_eq!(world.output(&run), 2);
    });
}

#[test]
fn a_run_with_a_long_history_goes_on_as_any_other() {
    live(|world| {
        let body = json!([step("x"), node("sleep", "rest", json!({ "duration_ms": 10 }))]);
        let each = node("for_each", "each", json!({ "body": body, "concurrency": 50 }));
        let wait = node("wait_for_event", "pay", json!({ "event": "paid" }));
        world.define_nodes("orders", json!([each, wait, step("after")]));
        let run = world.start("orders");
        world.finish(&run, "each:items", vec![0; 150]);
        while let Some(key) = world.executing(&run).first().cloned() {
            let number: u32 = key.trim_start_matches("x@").parse().unwrap();
            world.finish(&run, &key, number);
            if world.executing(&run).is_empty() {
                world.advance(10);
            }
        }
        assert_eq!(world.recorded(&run, "each"), json!((0..150).collect::<Vec<_>>()));
        assert_eq!(world.status(&run), "waiting");
        world.command(json!({ "publish": { "name": "paid", "payload": 7 } }));
        assert_eq!(world.given(&run, "after")["last"], "pay");
        world.finish(&run, "after", 8);
        assert_eq!(world.output(&run), 8);
    });
}
