//! Runs that wait: for a time, for an event, for a person.

mod harness;

use cronflow::ids::RunId;
use cronflow::machine::Secret;
use harness::{World, live, node, step};
use serde_json::{Value, json};

fn sleep(name: &str, duration_ms: i64) -> Value {
    node("sleep", name, json!({ "duration_ms": duration_ms }))
}

#[test]
fn a_sleep_wakes_when_its_time_has_come_and_not_before() {
    live(|world| {
        world.define_nodes("orders", json!([sleep("rest", 500), step("after")]));
        let run = world.start("orders");
        assert_eq!(world.status(&run), "waiting");
        assert_eq!(world.wake_at_ms, Some(1_500));
        world.advance(499);
        assert_eq!(world.status(&run), "waiting");
        world.advance(1);
        world.finish(&run, "after", 1);
        assert_eq!(world.output(&run), 1);
        assert_eq!(world.wake_at_ms, None);
    });
}

#[test]
fn a_sleep_lasts_as_long_as_its_function_says() {
    live(|world| {
        world.define_nodes("orders", json!([node("sleep", "rest", json!({})), step("after")]));
        let run = world.start("orders");
        world.advance(100);
        world.finish(&run, "rest:duration", 200.5);
        assert_eq!(world.wake_at_ms, Some(1_301), "never early");
        world.advance(200);
        assert_eq!(world.status(&run), "waiting");
        world.advance(1);
        world.finish(&run, "after", 1);
    });
}

#[test]
fn a_sleep_until_a_time_that_has_passed_is_no_sleep() {
    live(|world| {
        let past = node("sleep_until", "past", json!({ "until_ms": 1_000 }));
        world.define_nodes("orders", json!([past, node("sleep_until", "told", json!({})), step("after")]));
        let run = world.start("orders");
        world.finish(&run, "told:duration", -5);
        world.finish(&run, "after", 1);
        assert_eq!(
            world.history(&run),
            ["past completed", "told:duration completed", "told completed", "after completed"]
        );
    });
}

#[test]
fn a_sleep_until_a_time_ends_at_that_time() {
    live(|world| {
        let until = node("sleep_until", "until", json!({ "until_ms": 3_000 }));
        world.define_nodes("orders", json!([step("first"), until]));
        let run = world.start("orders");
        world.advance(500);
        world.finish(&run, "first", 1);
        world.advance(1_499);
        assert_eq!(world.status(&run), "waiting");
        world.advance(1);
        assert_eq!(world.status(&run), "completed");
    });
}

#[test]
fn a_time_to_sleep_that_is_none_fails_the_run() {
    for wrong in [json!("1s"), json!(null), json!(-1), json!(1e300)] {
        live(|world| {
            world.define_nodes("orders", json!([node("sleep", "rest", json!({}))]));
            let run = world.start("orders");
            world.finish(&run, "rest:duration", wrong.clone());
            assert_eq!(world.error(&run)["code"], "decision_invalid");
        });
    }
}

#[test]
fn sleeps_that_are_due_while_nobody_looked_all_end_at_the_next_look() {
    live(|world| {
        let branches = json!([[sleep("long", 300), sleep("more", 50), step("a")], [sleep("short", 100), step("b")]]);
        world.define_nodes("orders", json!([node("parallel", "all", json!({ "branches": branches }))]));
        let run = world.start("orders");
        world.advance_at_once(1_000);
        assert_eq!(world.executing(&run), ["b"]);
        world.advance(50);
        world.finish(&run, "a", 1);
        world.finish(&run, "b", 2);
        assert_eq!(world.output(&run), json!([1, 2]));
    });
}

#[test]
fn a_clock_that_jumps_back_makes_nothing_early_and_one_that_jumps_ahead_loses_nothing() {
    live(|world| {
        let retry = json!({ "attempts": 2, "strategy": "fixed", "delay_ms": 300 });
        let branches = json!([[sleep("rest", 500), step("a")], [node("step", "b", json!({ "retry": retry }))]]);
        world.define_nodes("orders", json!([node("parallel", "all", json!({ "branches": branches }))]));
        world.advance(9_000);
        let run = world.start("orders");
        world.advance_at_once(-8_000);
        world.fail(&run, "b", "no");
        world.advance(299);
        assert!(world.executing(&run).is_empty());
        world.advance(1);
        world.finish(&run, "b", 2);
        world.advance(8_199);
        assert_eq!(world.status(&run), "waiting");
        world.advance_at_once(1_000_000);
        world.finish(&run, "a", 1);
        assert_eq!(world.output(&run), json!([1, 2]));
    });
}

fn wait(more: Value) -> Value {
    let mut all = json!({ "event": "paid" });
    all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    node("wait_for_event", "pay", all)
}

fn publish(world: &mut World, payload: impl Into<Value>) -> Value {
    world.command(json!({ "publish": { "name": "paid", "payload": payload.into() } }))["event"].clone()
}

#[test]
fn an_event_ends_the_wait_of_every_run_that_waits_for_one_of_its_name() {
    live(|world| {
        world.define_nodes("orders", json!([wait(json!({})), step("after")]));
        let (one, other) = (world.start("orders"), world.start("orders"));
        assert!(world.command(json!({ "publish": { "name": "sent" } }))["event"].is_null());
        assert_eq!(world.status(&one), "waiting");
        assert_eq!(publish(world, json!({ "amount": 3 })), 1);
        for run in [&one, &other] {
            assert_eq!(world.given(run, "after")["last"], "pay");
            assert_eq!(world.recorded(run, "pay"), json!({ "amount": 3 }));
            world.finish(run, "after", 1);
        }
        assert!(publish(world, 4).is_null(), "nobody waits");
    });
}

#[test]
fn an_event_without_a_payload_gives_no_output() {
    live(|world| {
        world.define_nodes("orders", json!([wait(json!({}))]));
        let run = world.start("orders");
        world.command(json!({ "publish": { "name": "paid" } }));
        assert_eq!(world.output(&run), Value::Null);
    });
}

#[test]
fn events_published_before_the_wait_began_do_not_count() {
    live(|world| {
        world.define_nodes("orders", json!([step("first"), wait(json!({ "filter": true }))]));
        let (early, late) = (world.start("orders"), world.start("orders"));
        world.finish(&early, "first", 1);
        publish(world, "one");
        assert_eq!(world.given(&early, "pay:filter")["event"], "one");
        // `one` is still stored, because `early` has not seen it yet.
        world.finish(&late, "first", 1);
        assert_eq!(world.status(&late), "waiting");
        publish(world, "two");
        assert_eq!(world.given(&late, "pay:filter")["event"], "two");
        world.finish(&early, "pay:filter", false);
        assert_eq!(world.given(&early, "pay:filter")["event"], "two");
        world.finish(&late, "pay:filter", true);
        world.finish(&early, "pay:filter", true);
        assert_eq!(world.output(&late), "two");
        assert_eq!(world.output(&early), "two");
    });
}

#[test]
fn a_filter_sees_the_events_one_after_the_other_in_order() {
    live(|world| {
        world.define_nodes("orders", json!([wait(json!({ "filter": true }))]));
        let run = world.start("orders");
        publish(world, 1);
        publish(world, 2);
        publish(world, 3);
        assert_eq!(world.given(&run, "pay:filter")["event"], 1);
        world.finish(&run, "pay:filter", false);
        assert_eq!(world.given(&run, "pay:filter")["event"], 2);
        world.finish(&run, "pay:filter", true);
        assert_eq!(world.output(&run), 2);
    });
}

#[test]
fn a_filter_that_refuses_every_event_goes_on_waiting() {
    live(|world| {
        world.define_nodes("orders", json!([wait(json!({ "filter": true }))]));
        let run = world.start("orders");
        for number in 0..3 {
            publish(world, number);
            world.finish(&run, "pay:filter", false);
            assert_eq!(world.status(&run), "waiting");
        }
        publish(world, "right");
        world.finish(&run, "pay:filter", true);
        assert_eq!(world.output(&run), "right");
    });
}

#[test]
fn a_filter_that_fails_is_tried_again_with_the_same_event() {
    live(|world| {
        let retry = json!({ "attempts": 3, "strategy": "fixed", "delay_ms": 100 });
        world.define_nodes("orders", json!([wait(json!({ "filter": true, "retry": retry }))]));
        let run = world.start("orders");
        publish(world, "one");
        publish(world, "two");
        for _ in 0..2 {
            world.fail(&run, "pay:filter", "no");
            assert!(world.executing(&run).is_empty());
            world.advance(99);
            assert!(world.executing(&run).is_empty());
            world.advance(1);
            assert_eq!(world.given(&run, "pay:filter")["event"], "one");
        }
        world.finish(&run, "pay:filter", true);
        assert_eq!(world.output(&run), "one");
    });
}

#[test]
fn a_filter_that_keeps_failing_fails_the_run_after_its_attempts() {
    live(|world| {
        let retry = json!({ "attempts": 2, "strategy": "fixed", "delay_ms": 0 });
        world.define_nodes("orders", json!([wait(json!({ "filter": true, "retry": retry }))]));
        let run = world.start("orders");
        publish(world, "one");
        world.fail(&run, "pay:filter", "no");
        world.fail(&run, "pay:filter", "still no");
        assert_eq!(world.error(&run)["message"], "still no");
    });
}

#[test]
fn a_filter_gives_true_or_false() {
    live(|world| {
        world.define_nodes("orders", json!([wait(json!({ "filter": true }))]));
        let run = world.start("orders");
        publish(world, 1);
        world.finish(&run, "pay:filter", "yes");
        assert_eq!(world.error(&run)["code"], "decision_invalid");
    });
}

#[test]
fn a_filter_that_keeps_killing_its_process_is_given_up() {
    let mut world = World::new(harness::Mode::AsTold);
    world.define_nodes("orders", json!([wait(json!({ "filter": true }))]));
    let run = world.start("orders");
    publish(&mut world, 1);
    for _ in 0..10 {
        world.kill();
        world.advance(10_000);
    }
    assert_eq!(world.error(&run)["code"], "crash_loop");
}

#[test]
fn a_wait_that_is_over_gives_a_time_out() {
    live(|world| {
        world.define_nodes("orders", json!([wait(json!({ "wait_ms": 100 }))]));
        let run = world.start("orders");
        world.advance(99);
        assert_eq!(world.status(&run), "waiting");
        world.advance(1);
        assert_eq!(world.output(&run), json!({ "timedOut": true }));
        assert!(publish(world, 1).is_null());
    });
}

#[test]
fn a_wait_that_is_over_while_its_filter_looks_gives_a_time_out() {
    live(|world| {
        world.define_nodes("orders", json!([wait(json!({ "wait_ms": 100, "filter": true })), step("after")]));
        let run = world.start("orders");
        world.advance(50);
        publish(world, 1);
        let fence = world.given(&run, "pay:filter")["fence"].clone();
        world.advance(50);
        assert_eq!(world.executing(&run), ["after"]);
        assert_eq!(
            world.refused(json!({ "resolve": { "run": run, "fence": fence, "output": true } })),
            "attempt_ended"
        );
        assert_eq!(world.recorded(&run, "pay"), json!({ "timedOut": true }));
        world.finish(&run, "after", 1);
    });
}

#[test]
fn waits_in_a_loop_are_waits_of_their_own() {
    live(|world| {
        let more = json!({ "body": [wait(json!({}))], "concurrency": 2 });
        world.define_nodes("orders", json!([node("for_each", "each", more)]));
        let run = world.start("orders");
        world.finish(&run, "each:items", json!([1, 2, 3]));
        publish(world, "a");
        assert_eq!(world.status(&run), "waiting");
        publish(world, "b");
        assert_eq!(world.output(&run), json!(["a", "a", "b"]));
    });
}

#[test]
fn a_wait_that_lost_its_race_hears_nothing_any_more() {
    live(|world| {
        world.define_nodes(
            "orders",
            json!([node("race", "race", json!({ "branches": [[wait(json!({}))], [step("a")]] }))]),
        );
        let run = world.start("orders");
        world.finish(&run, "a", 1);
        assert_eq!(world.output(&run), 1);
        assert!(publish(world, 1).is_null());
    });
}

fn approval(more: Value) -> Value {
    node("approval", "ask", more)
}

/// The token of the request of a run.
fn token(run: &str) -> String {
    Secret::new([0; 32]).token(RunId::parse(run).unwrap(), "ask", "")
}

fn approve(token: &str, approved: bool, payload: Value) -> Value {
    json!({ "approve": { "token": token, "approved": approved, "payload": payload } })
}

#[test]
fn an_approval_ends_with_what_was_said() {
    live(|world| {
        world.define_nodes("orders", json!([approval(json!({ "on_pause": true })), step("after")]));
        let (yes, no) = (world.start("orders"), world.start("orders"));
        for run in [&yes, &no] {
            let given = world.given(run, "ask:on_pause");
            assert_eq!(given["token"], token(run));
            world.finish(run, "ask:on_pause", "dropped");
            assert_eq!(world.status(run), "waiting");
        }
        assert!(world.command(approve(&token(&yes), true, json!({ "by": "ann", "n": [1] }))).is_null());
        assert!(world.command(approve(&token(&no), false, Value::Null)).is_null());
        let said = json!({ "approved": true, "timedOut": false, "status": "approved", "by": "ann", "n": [1] });
        assert_eq!(world.recorded(&yes, "ask"), said);
        assert_eq!(world.recorded(&no, "ask"), json!({ "approved": false, "timedOut": false, "status": "rejected" }));
        for run in [&yes, &no] {
            assert_eq!(world.given(run, "after")["last"], "ask");
            world.finish(run, "after", 1);
        }
    });
}

#[test]
fn a_token_is_good_for_one_answer() {
    live(|world| {
        world.define_nodes("orders", json!([approval(json!({}))]));
        let run = world.start("orders");
        assert_eq!(world.refused(approve("wrong", true, Value::Null)), "token_unknown");
        assert_eq!(world.refused(approve(&token(&run), true, json!([1]))), "value_invalid");
        world.command(approve(&token(&run), true, Value::Null));
        assert_eq!(world.refused(approve(&token(&run), false, Value::Null)), "token_used");
        assert_eq!(world.output(&run)["approved"], true);
    });
}

#[test]
fn a_token_is_used_when_its_run_has_ended_without_it() {
    live(|world| {
        let race = node("race", "race", json!({ "branches": [[approval(json!({}))], [step("a")]] }));
        world.define_nodes("orders", json!([race]));
        let (one, other) = (world.start("orders"), world.start("orders"));
        world.finish(&one, "a", 1);
        world.command(json!({ "cancel": { "run": other } }));
        for run in [&one, &other] {
            assert_eq!(world.refused(approve(&token(run), true, Value::Null)), "token_used");
        }
        assert_eq!(world.query(json!({ "approvals": {} })), json!({ "approvals": [] }));
    });
}

#[test]
fn an_approval_that_nobody_gives_in_time_gives_a_time_out() {
    live(|world| {
        world.define_nodes("orders", json!([approval(json!({ "wait_ms": 100 }))]));
        let run = world.start("orders");
        world.advance(100);
        assert_eq!(world.output(&run), json!({ "approved": false, "timedOut": true, "status": "timeout" }));
        assert_eq!(world.refused(approve(&token(&run), true, Value::Null)), "token_expired");
    });
}

#[test]
fn an_answer_in_the_last_millisecond_counts_and_one_after_it_does_not() {
    live(|world| {
        world.define_nodes("orders", json!([approval(json!({ "wait_ms": 100 }))]));
        let (one, other) = (world.start("orders"), world.start("orders"));
        world.advance(99);
        world.command(approve(&token(&one), true, Value::Null));
        world.advance_at_once(1);
        assert_eq!(world.refused(approve(&token(&other), true, Value::Null)), "token_expired");
        assert_eq!(world.output(&one)["approved"], true);
        assert_eq!(world.output(&other)["timedOut"], true);
    });
}

#[test]
fn on_timeout_is_called_when_nobody_has_answered() {
    live(|world| {
        let retry = json!({ "attempts": 2, "strategy": "fixed", "delay_ms": 50 });
        let more = json!({ "wait_ms": 100, "on_timeout": true, "on_pause": true, "retry": retry });
        world.define_nodes("orders", json!([approval(more), step("after")]));
        let run = world.start("orders");
        world.finish(&run, "ask:on_pause", 1);
        world.advance(100);
        assert_eq!(world.refused(approve(&token(&run), true, Value::Null)), "token_expired");
        world.fail(&run, "ask:on_timeout", "no");
        assert!(world.executing(&run).is_empty());
        world.advance(50);
        world.finish(&run, "ask:on_timeout", "dropped");
        let timeout = json!({ "approved": false, "timedOut": true, "status": "timeout" });
        assert_eq!(world.given(&run, "after")["last"], "ask");
        assert_eq!(world.recorded(&run, "ask:on_timeout"), timeout);
        world.finish(&run, "after", 1);
    });
}

/// Found by the simulator, seed 118884.
#[test]
fn an_approval_that_expired_while_it_was_being_told_does_not_wait_again_when_the_clock_goes_back() {
    live(|world| {
        let more = json!({ "wait_ms": 100, "on_timeout": true, "on_pause": true });
        world.define_nodes("orders", json!([approval(more), step("after")]));
        let run = world.start("orders");
        assert_eq!(world.executing(&run), ["ask:on_pause"]);
        world.advance(100);
        assert_eq!(world.executing(&run), ["ask:on_timeout"]);
        world.now_ms -= 90;
        world.advance(1);
        assert_eq!(world.executing(&run), ["ask:on_timeout"]);
        world.finish(&run, "ask:on_timeout", 1);
        world.finish(&run, "after", 1);
    });
}

#[test]
fn on_pause_is_tried_again_with_the_same_token() {
    live(|world| {
        let retry = json!({ "attempts": 2, "strategy": "fixed", "delay_ms": 50 });
        world.define_nodes("orders", json!([approval(json!({ "on_pause": true, "retry": retry }))]));
        let run = world.start("orders");
        world.fail(&run, "ask:on_pause", "the mail server is down");
        world.advance(50);
        assert_eq!(world.given(&run, "ask:on_pause")["token"], token(&run));
        world.finish(&run, "ask:on_pause", 1);
        world.command(approve(&token(&run), true, Value::Null));
        assert_eq!(world.output(&run)["approved"], true);
    });
}

#[test]
fn an_answer_between_two_attempts_of_on_pause_counts() {
    live(|world| {
        let retry = json!({ "attempts": 2, "strategy": "fixed", "delay_ms": 50 });
        world.define_nodes("orders", json!([approval(json!({ "on_pause": true, "retry": retry })), step("after")]));
        let run = world.start("orders");
        world.fail(&run, "ask:on_pause", "the mail was sent, but the answer was lost");
        world.command(approve(&token(&run), true, Value::Null));
        assert_eq!(world.executing(&run), ["after"]);
        world.advance(1_000);
        world.finish(&run, "after", 1);
        assert_eq!(world.output(&run), 1);
    });
}

#[test]
fn an_answer_while_on_pause_executes_aborts_it() {
    live(|world| {
        world.define_nodes("orders", json!([approval(json!({ "on_pause": true })), step("after")]));
        let run = world.start("orders");
        let fence = world.given(&run, "ask:on_pause")["fence"].clone();
        world.command(approve(&token(&run), true, Value::Null));
        assert_eq!(world.executing(&run), ["after"]);
        assert!(world.effects.iter().any(|effect| effect["abort"]["fence"] == fence));
        world.finish(&run, "after", 1);
        assert_eq!(world.history(&run), ["ask:on_pause cancelled", "ask completed", "after completed"]);
    });
}

#[test]
fn an_on_pause_that_fails_for_good_fails_the_node() {
    live(|world| {
        world.define_nodes("orders", json!([approval(json!({ "on_pause": true, "on_error": true }))]));
        let run = world.start("orders");
        world.fail(&run, "ask:on_pause", "no");
        assert_eq!(world.refused(approve(&token(&run), true, Value::Null)), "token_used");
        world.finish(&run, "ask:on_error", "instead");
        assert_eq!(world.output(&run), "instead");
    });
}

#[test]
fn approvals_in_a_loop_have_tokens_of_their_own() {
    live(|world| {
        let more = json!({ "body": [approval(json!({ "on_pause": true }))], "concurrency": 2 });
        world.define_nodes("orders", json!([node("for_each", "each", more)]));
        let run = world.start("orders");
        world.finish(&run, "each:items", json!([1, 2]));
        let first = world.given(&run, "ask@0:on_pause")["token"].as_str().unwrap().to_owned();
        let second = world.given(&run, "ask@1:on_pause")["token"].as_str().unwrap().to_owned();
        assert_ne!(first, second);
        world.finish(&run, "ask@0:on_pause", 1);
        world.finish(&run, "ask@1:on_pause", 1);
        world.command(approve(&second, false, Value::Null));
        world.command(approve(&first, true, Value::Null));
        let output = world.output(&run);
        assert_eq!((&output[0]["approved"], &output[1]["approved"]), (&json!(true), &json!(false)));
    });
}

#[test]
fn open_requests_are_listed_with_what_is_to_be_shown() {
    live(|world| {
        let more = json!({ "description": "Approve it", "metadata": { "a": 1 }, "wait_ms": 500 });
        world.define_nodes("orders", json!([approval(more)]));
        world.define_nodes("mails", json!([node("approval", "ask", json!({}))]));
        let run = world.start("orders");
        let other = world.start("mails");
        let shown = json!({ "run": run, "workflow": "orders", "step": "ask", "status": "open", "description": "Approve it",
            "metadata": { "a": 1 }, "opened_at_ms": 1_000, "expires_at_ms": 1_500 });
        assert_eq!(world.query(json!({ "approvals": { "workflow": "orders" } })), json!({ "approvals": [shown] }));
        assert_eq!(world.query(json!({ "approval": { "token": token(&run) } })), json!({ "approvals": [shown] }));
        let all = world.query(json!({ "approvals": {} }));
        assert_eq!(all["approvals"].as_array().unwrap().len(), 2);
        world.command(approve(&token(&other), true, Value::Null));
        assert_eq!(world.query(json!({ "approvals": { "limit": 5 } })), json!({ "approvals": [shown] }));
    });
}

#[test]
fn a_sleep_passes_on_what_came_before_it() {
    live(|world| {
        world.define_nodes(
            "orders",
            json!([step("first"), sleep("rest", 10), node("sleep_until", "past", json!({ "until_ms": 0 }))]),
        );
        let run = world.start("orders");
        world.finish(&run, "first", "one");
        world.advance(10);
        assert_eq!(world.output(&run), "one");
    });
}

#[test]
fn what_follows_at_once_from_waits_that_end_together_is_read_again_in_the_same_order() {
    live(|world| {
        let branch = |name: &str| json!([sleep(&format!("{name}-1"), 100), sleep(&format!("{name}-2"), 0), step(name)]);
        let branches = json!([branch("a"), branch("b"), branch("c")]);
        world.define_nodes("orders", json!([node("parallel", "all", json!({ "branches": branches }))]));
        let run = world.start("orders");
        world.advance(100);
        for name in ["b", "a", "c"] {
            world.finish(&run, name, name);
        }
        assert_eq!(world.output(&run), json!(["a", "b", "c"]));
    });
}

#[test]
fn a_run_that_begins_late_counts_from_when_it_was_to_begin() {
    live(|world| {
        let branches = json!([[sleep("rest", 300), step("a")], [step("b")]]);
        world.define_nodes("orders", json!([node("parallel", "all", json!({ "branches": branches }))]));
        let run = world.start_with(json!({ "workflow": "orders", "delay_ms": 100 }));
        world.advance_at_once(200);
        assert_eq!(world.wake_at_ms, Some(1_400));
        world.finish(&run, "b", 1);
        assert_eq!(world.wake_at_ms, Some(1_400));
        world.advance(199);
        assert!(world.executing(&run).is_empty());
        world.advance(1);
        world.finish(&run, "a", 2);
        assert_eq!(world.output(&run), json!([2, 1]));
    });
}
