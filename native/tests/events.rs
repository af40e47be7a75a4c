//! Events that start runs: of all workflows that listen, or of none.

mod harness;

use cronflow::limits;
use harness::{Mode, World, live, node, step};
use serde_json::{Value, json};

fn wait() -> Value {
    node("wait_for_event", "pay", json!({ "event": "paid" }))
}

fn publish(starts: Value) -> Value {
    json!({ "publish": { "name": "paid", "payload": { "amount": 3 }, "starts": starts } })
}

fn lived(scenario: impl Fn(&mut World)) {
    live(|world| {
        world.define_nodes("orders", json!([step("work")]));
        world.define_nodes("mails", json!([step("work")]));
        world.define_nodes("waiting", json!([wait(), step("after")]));
        scenario(world);
    });
}

#[test]
fn an_event_starts_a_run_of_every_workflow_that_listens() {
    lived(|world| {
        let trigger = json!({ "type": "event", "name": "paid" });
        let of = |id: &str| json!({ "workflow": id, "payload": { "amount": 3 }, "trigger": trigger });
        let published = world.command(publish(json!([of("orders"), of("mails"), of("orders")])));
        assert!(published["event"].is_null(), "nobody waits for it: {published}");
        let runs = published["runs"].as_array().unwrap();
        assert_eq!(runs.len(), 3);
        assert_eq!((world.runs_of("orders").len(), world.runs_of("mails").len()), (2, 1));
        let row = world.inspect(runs[1].as_str().unwrap());
        assert_eq!(
            (&row["workflow"], &row["payload"]["amount"], &row["trigger"]),
            (&json!("mails"), &json!(3), &trigger)
        );
        assert_eq!(world.executing_runs().len(), 3);
    });
}

#[test]
fn an_event_starts_runs_and_is_told_to_those_who_wait() {
    lived(|world| {
        let run = world.start("waiting");
        let published = world.command(publish(json!([{ "workflow": "orders" }])));
        assert!(published["event"].is_number(), "{published}");
        assert_eq!(published["runs"].as_array().unwrap().len(), 1);
        assert_eq!(world.recorded(&run, "pay"), json!({ "amount": 3 }));
        assert_eq!(world.runs_of("orders").len(), 1);
    });
}

#[test]
fn what_an_event_starts_keeps_its_delay_its_priority_and_its_limits() {
    live(|world| {
        world.define(json!({ "id": "orders", "concurrency": 1, "nodes": [step("work")] }));
        let of = |key: &str| json!({ "workflow": "orders", "concurrency_key": key });
        let late = json!({ "workflow": "orders", "concurrency_key": "c", "delay_ms": 500 });
        let published = world.command(publish(json!([of("a"), of("a"), of("b"), late])));
        let runs: Vec<String> =
            published["runs"].as_array().unwrap().iter().map(|run| run.as_str().unwrap().to_owned()).collect();
        assert_eq!(world.executing_runs(), [runs[0].clone(), runs[2].clone()].into());
        world.advance(500);
        assert!(world.executing_runs().contains(&runs[3]));
    });
}

#[test]
fn if_one_start_is_refused_nothing_is_started_and_nobody_is_told() {
    let fine = json!({ "workflow": "orders" });
    let key = json!({ "key": "key", "fingerprint": "print" });
    let many: Vec<Value> = std::iter::repeat_n(fine.clone(), 10_001).collect();
    for (starts, code) in [
        (json!([fine, { "workflow": "nobody" }]), "workflow_not_found"),
        (json!([fine, { "workflow": "mails", "rate_key": "" }]), "text_invalid"),
        (json!([fine, { "workflow": "mails", "delay_ms": u64::MAX }]), "text_invalid"),
        (json!([fine, { "workflow": "mails", "idempotency": key }]), "request_invalid"),
        (json!([fine, { "workflow": "mails", "delivery": { "id": "m", "fingerprint": "f" } }]), "request_invalid"),
        (json!([fine, { "workflow": "mails", "another": 1 }]), "request_invalid"),
        (json!(many), "request_invalid"),
    ] {
        lived(|world| {
            let run = world.start("waiting");
            assert_eq!(world.refused(publish(starts.clone())), code);
            assert!(world.runs_of("orders").is_empty() && world.runs_of("mails").is_empty());
            assert_eq!(world.status(&run), "waiting");
        });
    }
}

#[test]
fn a_run_that_an_event_starts_does_not_wait_for_that_same_event() {
    for somebody_waits in [false, true] {
        lived(|world| {
            if somebody_waits {
                world.start("waiting");
            }
            let published = world.command(publish(json!([{ "workflow": "waiting" }])));
            let run = published["runs"][0].as_str().unwrap().to_owned();
            assert_eq!(world.status(&run), "waiting", "the event was published before its wait began");
            world.command(publish(json!([])));
            assert_eq!(world.recorded(&run, "pay"), json!({ "amount": 3 }));
        });
    }
}

#[test]
fn a_run_that_sees_no_events_holds_up_those_of_its_name_and_no_others() {
    let mut world = World::new(Mode::AsTold);
    let wait = |name: &str, event: &str| node("wait_for_event", name, json!({ "event": event, "filter": true }));
    world.define_nodes("left", json!([wait("wait", "updated")]));
    world.define_nodes("other", json!([node("wait_for_event", "wait", json!({ "event": "paid" }))]));
    world.define_nodes("listens", json!([step("work")]));
    let left = world.start("left");
    // A workflow that is paused sees nothing.
    world.command(json!({ "pause": "left" }));
    world.tamper(&format!(
        "WITH RECURSIVE number (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < {})
         INSERT INTO events (name, published_at_ms) SELECT 'updated', 0 FROM number",
        limits::EVENTS_PER_NAME
    ));
    world.advance(0);
    let result = world.command(json!({ "publish": { "name": "updated" } }));
    assert_eq!(result["refused"]["code"], "too_many_events");
    assert!(result["refused"]["message"].as_str().unwrap().contains(&left), "{result}");
    let other = world.start("other");
    world.command(json!({ "publish": { "name": "paid" } }));
    assert_eq!(world.status(&other), "completed");
    world.command(json!({ "cancel": { "run": left } }));
    assert!(world.command(json!({ "publish": { "name": "updated" } }))["refused"].is_null());
}
