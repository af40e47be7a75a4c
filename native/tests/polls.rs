//! Polls: when the host is asked for items, and that each item starts one run.

mod harness;

use harness::{Mode, World, live, node, step};
use serde_json::{Value, json};

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
const YEAR: i64 = 365 * 24 * HOUR;
/// 2025-01-01T00:00:00Z, when every scenario begins.
const NEW_YEAR: i64 = 1_735_689_600_000;

fn inbox() -> Value {
    json!({ "name": "inbox", "timing": { "poll": { "every_ms": 10 * MINUTE } } })
}

fn orders(schedules: Value) -> Value {
    let passed = node("sleep_until", "past", json!({ "until_ms": 0 }));
    json!({ "id": "orders", "schedules": schedules, "nodes": [passed] })
}

/// Lives through a scenario of a workflow with one poll.
fn lived(scenario: impl Fn(&mut World)) {
    live(|world| {
        world.now_ms = NEW_YEAR;
        world.define(orders(json!([inbox()])));
        world.advance(0);
        scenario(world);
    });
}

/// How often the host was asked.
fn asked(world: &World) -> usize {
    world.effects.iter().filter(|effect| effect.get("poll").is_some()).count()
}

fn number(world: &mut World) -> i64 {
    world.schedule("orders", "inbox")["id"].as_i64().unwrap()
}

fn polled(world: &mut World, more: Value) -> Value {
    let mut polled = json!({ "schedule": number(world) });
    polled.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    world.command(json!({ "polled": polled }))
}

/// The poll gives items of these ids; the number of runs they start.
fn gives(world: &mut World, ids: &[&str]) -> usize {
    let items: Vec<Value> = ids.iter().map(|id| json!({ "id": id, "payload": { "item": id } })).collect();
    let result = polled(world, json!({ "items": items }));
    result["runs"].as_array().unwrap_or_else(|| panic!("{result}")).len()
}

/// The ids of the items that have started the stored runs, oldest first.
fn items(world: &mut World) -> Vec<String> {
    let runs = world.runs_of("orders");
    runs.iter().map(|run| world.inspect(run)["trigger"]["id"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn the_host_is_asked_at_once_and_again_an_interval_after_each_answer() {
    lived(|world| {
        assert_eq!(asked(world), 1);
        let id = number(world);
        assert_eq!(
            world.effects.last().unwrap()["poll"],
            json!({ "schedule": id, "workflow": "orders", "name": "inbox" })
        );
        world.advance(3 * MINUTE);
        assert_eq!(gives(world, &[]), 0);
        // Each process that ends before it has answered leaves the question to the next.
        let by_others = if world.restarts() { 3 } else { 0 };
        world.advance(10 * MINUTE - 1);
        assert_eq!(asked(world), 1 + by_others);
        world.advance(1);
        assert_eq!(asked(world), 2 + by_others);
        let told = world.schedule("orders", "inbox");
        assert_eq!((&told["last_at_ms"], &told["failures"]), (&json!(NEW_YEAR + 3 * MINUTE), &json!(0)));
    });
}

#[test]
fn a_question_that_is_never_answered_is_asked_again_after_the_interval_and_in_a_minute_by_the_next_process() {
    lived(|world| {
        world.advance(35 * MINUTE);
        assert_eq!(asked(world), if world.restarts() { 36 } else { 4 });
    });
}

#[test]
fn a_poll_that_takes_its_process_with_it_is_not_asked_at_once() {
    let mut world = World::new(Mode::AsTold);
    world.now_ms = NEW_YEAR;
    world.define(orders(json!([inbox()])));
    world.advance(0);
    for seconds in [0, 1, 58] {
        world.now_ms += seconds * 1_000;
        world.kill();
        world.advance(0);
        assert_eq!(asked(&world), 1);
    }
    world.advance(1_000);
    assert_eq!(asked(&world), 2);
    // One that was answered is asked when it is due.
    assert_eq!(gives(&mut world, &[]), 0);
    world.kill();
    world.advance(10 * MINUTE - 1);
    assert_eq!(asked(&world), 2);
    world.advance(1);
    assert_eq!(asked(&world), 3);
}

#[test]
fn a_poll_more_often_than_every_minute_keeps_its_interval() {
    let mut world = World::new(Mode::AsTold);
    world.now_ms = NEW_YEAR;
    let poll = json!({ "name": "inbox", "timing": { "poll": { "every_ms": 5_000 } } });
    world.define(orders(json!([poll])));
    world.advance(0);
    world.kill();
    world.advance(4_999);
    assert_eq!(asked(&world), 1);
    world.advance(1);
    assert_eq!(asked(&world), 2);
}

#[test]
fn every_new_item_starts_a_run_with_its_payload() {
    lived(|world| {
        let given =
            json!({ "items": [{ "id": "b", "payload": [1, null] }, { "id": "a" }, { "id": "c", "payload": null }] });
        let runs: Vec<String> = polled(world, given)["runs"]
            .as_array()
            .unwrap()
            .iter()
            .map(|run| run.as_str().unwrap().to_owned())
            .collect();
        assert_eq!(runs, world.runs_of("orders"), "in their order");
        let row = world.inspect(&runs[0]);
        assert_eq!(row["trigger"], json!({ "type": "poll", "name": "inbox", "id": "b" }));
        assert_eq!(row["payload"], json!([1, null]));
        let row = world.inspect(&runs[1]);
        assert!(row.get("payload").is_none(), "{row}");
        let row = world.inspect(&runs[2]);
        assert_eq!(row.get("payload"), Some(&Value::Null));
        assert_eq!(world.schedule("orders", "inbox")["last_run"], runs[2]);
    });
}

#[test]
fn an_item_starts_one_run_for_ever() {
    lived(|world| {
        assert_eq!(gives(world, &["a", "b", "a"]), 2);
        assert_eq!(gives(world, &["b", "a"]), 0, "an answer that comes twice");
        world.advance(10 * MINUTE);
        assert_eq!(gives(world, &["c", "b"]), 1);
        world.advance_at_once(100 * YEAR);
        assert_eq!(gives(world, &["a", "b", "c"]), 0);
        // Also when the poll was gone, and when it is another one under its name.
        world.define(orders(json!([])));
        world.define(orders(json!([inbox()])));
        assert_eq!(gives(world, &["a", "d"]), 1);
        let hourly = json!({ "name": "inbox", "timing": { "poll": { "every_ms": HOUR } } });
        world.define(orders(json!([hourly])));
        assert_eq!(gives(world, &["a", "d"]), 0);
        assert_eq!(items(world), ["a", "b", "c", "d"]);
    });
}

#[test]
fn an_item_is_remembered_though_its_run_is_deleted() {
    live(|world| {
        world.now_ms = NEW_YEAR;
        let mut definition = orders(json!([inbox()]));
        definition["retention_ms"] = json!(MINUTE);
        world.define(definition);
        assert_eq!(gives(world, &["a"]), 1);
        world.advance(5 * MINUTE);
        assert!(world.runs_of("orders").is_empty());
        assert_eq!(gives(world, &["a"]), 0);
    });
}

#[test]
fn items_of_one_id_are_others_in_another_poll_or_workflow() {
    lived(|world| {
        let outbox = json!({ "name": "inbox/orders", "timing": { "poll": { "every_ms": 10 * MINUTE } } });
        world.define(orders(json!([inbox(), outbox])));
        let other = world.schedule("orders", "inbox/orders")["id"].clone();
        assert_eq!(gives(world, &["a"]), 1);
        let answer = world.command(json!({ "polled": { "schedule": other, "items": [{ "id": "a" }] } }));
        assert_eq!(answer["runs"].as_array().unwrap().len(), 1);
        let mut mails = orders(json!([inbox()]));
        mails["id"] = json!("mails");
        world.define(mails);
        let of_mails = world.schedule("mails", "inbox")["id"].clone();
        let answer = world.command(json!({ "polled": { "schedule": of_mails, "items": [{ "id": "a" }] } }));
        assert_eq!(answer["runs"].as_array().unwrap().len(), 1);
    });
}

#[test]
fn the_runs_of_items_keep_the_limits_of_their_workflow() {
    live(|world| {
        world.now_ms = NEW_YEAR;
        let definition = json!({ "id": "orders", "concurrency": 1, "schedules": [inbox()], "nodes": [step("work")] });
        world.define(definition);
        let item = |id: &str, key: &str| json!({ "id": id, "concurrency_key": key });
        polled(world, json!({ "items": [item("a", "one"), item("b", "one"), item("c", "other")] }));
        let runs = world.runs_of("orders");
        assert_eq!(world.executing_runs(), [runs[0].clone(), runs[2].clone()].into());
    });
}

#[test]
fn a_poll_that_fails_is_tried_again_ever_later_and_says_why() {
    lived(|world| {
        let error = json!({ "name": "Error", "message": "no connection" });
        let mut pause = 10 * MINUTE;
        for failures in 1..=6 {
            assert_eq!(polled(world, json!({ "error": error }))["runs"], json!([]));
            let told = world.schedule("orders", "inbox");
            assert_eq!((&told["failures"], &told["error"]), (&json!(failures), &error));
            assert_eq!(told["next_ms"], json!([world.now_ms + pause]));
            let before = asked(world);
            world.advance(pause - 1);
            assert_eq!(asked(world), before);
            world.advance(1);
            assert_eq!(asked(world), before + 1);
            pause = (pause * 2).min(HOUR);
        }
        gives(world, &["a"]);
        let told = world.schedule("orders", "inbox");
        assert_eq!((&told["failures"], &told["error"]), (&json!(0), &Value::Null));
        assert_eq!(told["next_ms"], json!([world.now_ms + 10 * MINUTE]));
    });
}

#[test]
fn what_a_poll_gave_before_it_failed_starts_runs() {
    lived(|world| {
        polled(world, json!({ "items": [{ "id": "a" }], "error": "the second page is missing" }));
        assert_eq!(
            (items(world), world.schedule("orders", "inbox")["failures"].clone()),
            (vec!["a".to_owned()], json!(1))
        );
    });
}

#[test]
fn an_answer_that_makes_no_sense_is_refused_and_remembers_nothing() {
    live(|world| {
        world.now_ms = NEW_YEAR;
        let hourly = json!({ "name": "hourly", "timing": { "interval": { "every_ms": HOUR } } });
        world.define(orders(json!([inbox(), hourly])));
        let id = number(world);
        let many: Vec<Value> = (0..10_001).map(|number| json!({ "id": number.to_string() })).collect();
        for (items, code) in [
            (json!(many), "value_invalid"),
            (json!([{ "id": "a" }, { "id": "" }]), "text_invalid"),
            (json!([{ "id": "a" }, { "id": "x".repeat(513) }]), "text_invalid"),
            (json!([{ "id": "a" }, { "id": "b", "rate_key": "" }]), "text_invalid"),
            (json!([{ "id": "a", "concurrency_key": "x".repeat(513) }]), "text_invalid"),
            (json!([{ "id": "a" }, { "id": 1 }]), "request_invalid"),
            (json!([{ "id": "a" }, {}]), "request_invalid"),
        ] {
            assert_eq!(world.refused(json!({ "polled": { "schedule": id, "items": items } })), code);
        }
        let interval = world.schedule("orders", "hourly")["id"].clone();
        for schedule in [interval, json!(999), json!(0), json!(-1)] {
            let answer = json!({ "polled": { "schedule": schedule, "items": [{ "id": "a" }] } });
            assert_eq!(world.refused(answer), "schedule_not_found");
        }
        assert_eq!(gives(world, &["a"]), 1, "nothing of what was refused is remembered");
    });
}

#[test]
fn the_poll_of_a_workflow_that_is_not_defined_is_not_asked() {
    for mode in [Mode::Stopped, Mode::Killed] {
        let mut world = World::new(mode);
        world.now_ms = NEW_YEAR;
        world.define(orders(json!([inbox()])));
        world.define_nodes("mails", json!([step("work")]));
        gives(&mut world, &["a"]);
        world.undefine("orders");
        let before = asked(&world);
        world.advance(HOUR);
        assert_eq!(asked(&world), before);
        let id = number(&mut world);
        let answer = json!({ "polled": { "schedule": id, "items": [{ "id": "b" }] } });
        assert_eq!(world.refused(answer), "workflow_not_found");
        world.define(orders(json!([inbox()])));
        world.advance(0);
        assert!(asked(&world) > before);
        assert_eq!(gives(&mut world, &["a", "b"]), 1);
    }
}

#[test]
fn a_paused_workflow_is_not_asked() {
    lived(|world| {
        world.command(json!({ "pause": "orders" }));
        world.advance(HOUR);
        assert_eq!(asked(world), 1);
        assert_eq!(gives(world, &["a"]), 1, "what was asked before may be answered");
        world.advance(HOUR);
        world.command(json!({ "unpause": "orders" }));
        world.advance(10 * MINUTE);
        assert_eq!(asked(world), 1 + if world.restarts() { 10 } else { 1 });
    });
}

#[test]
fn nobody_is_asked_until_the_host_offers_slots() {
    live(|world| {
        world.now_ms = NEW_YEAR;
        world.offer(0);
        world.define(orders(json!([inbox()])));
        world.advance(HOUR);
        assert_eq!(asked(world), 0);
        world.offer(1);
        assert_eq!(asked(world), 1);
    });
}

#[test]
fn a_clock_that_goes_back_or_ahead_holds_up_no_poll() {
    for (there, back) in [(0, -HOUR), (0, -YEAR), (YEAR, -YEAR)] {
        lived(|world| {
            gives(world, &["a"]);
            world.advance_at_once(there);
            gives(world, &["b"]);
            let before = asked(world);
            world.advance_at_once(back);
            assert!(asked(world) > before, "asked at once, {there} {back}");
            assert_eq!(gives(world, &["a", "b", "c"]), 1);
            let before = asked(world);
            world.advance(10 * MINUTE);
            assert!(asked(world) > before);
        });
    }
}
