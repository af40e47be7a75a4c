//! Messages whose sender may deliver them again: each starts one run.

mod harness;

use harness::{World, live, node, step};
use serde_json::{Value, json};

fn start(id: &str, fingerprint: &str, more: Value) -> Value {
    let mut start = json!({ "workflow": "orders", "delivery": { "id": id, "fingerprint": fingerprint } });
    start.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    json!({ "start": start })
}

fn kept_for(id: &str, fingerprint: &str, ttl_ms: u64) -> Value {
    start(id, fingerprint, json!({ "delivery": { "id": id, "fingerprint": fingerprint, "ttl_ms": ttl_ms } }))
}

fn run_of(result: &Value) -> String {
    result["run"].as_str().unwrap_or_else(|| panic!("no run: {result}")).to_owned()
}

fn lived(scenario: impl Fn(&mut World)) {
    live(|world| {
        world.define_nodes("orders", json!([step("work")]));
        scenario(world);
    });
}

#[test]
fn a_message_that_is_delivered_again_finds_its_run() {
    lived(|world| {
        let first = world.command(start("m1", "body", json!({ "payload": 1 })));
        assert!(first.get("repeated").is_none_or(|repeated| repeated == false), "{first}");
        for _ in 0..3 {
            let again = world.command(start("m1", "body", json!({ "payload": 1 })));
            assert_eq!(again, json!({ "run": first["run"], "repeated": true }));
        }
        assert_ne!(world.command(start("m2", "body", json!({})))["run"], first["run"], "another message");
        assert_eq!(world.runs_of("orders").len(), 2);
        world.finish(&run_of(&first), "work", 1);
        world.advance(1_000_000_000_000);
        assert_eq!(world.command(start("m1", "body", json!({})))["run"], first["run"], "for ever");
    });
}

#[test]
fn two_deliveries_in_one_commit_start_one_run() {
    lived(|world| {
        let now_ms = world.now_ms;
        let results = world.batch(&[(now_ms, start("m", "body", json!({}))), (now_ms, start("m", "body", json!({})))]);
        assert_eq!(results[0]["run"], results[1]["run"]);
        assert_eq!(results[1]["repeated"], true);
        assert_eq!(world.runs_of("orders").len(), 1);
    });
}

#[test]
fn a_message_of_the_same_id_with_another_body_is_refused() {
    lived(|world| {
        let first = world.command(start("m", "body", json!({})));
        let refused = world.command(start("m", "other body", json!({})))["refused"].clone();
        assert_eq!(refused["code"], "delivery_conflict");
        assert!(refused["message"].as_str().unwrap().contains(first["run"].as_str().unwrap()), "{refused}");
        assert_eq!(world.runs_of("orders").len(), 1);
    });
}

#[test]
fn every_workflow_has_its_own_messages() {
    lived(|world| {
        world.define_nodes("mails", json!([step("work")]));
        let first = world.command(start("m", "body", json!({})));
        let other = world.command(start("m", "other body", json!({ "workflow": "mails" })));
        assert_ne!(first["run"], other["run"]);
        assert_eq!(world.runs_of("mails").len(), 1);
    });
}

#[test]
fn a_message_is_remembered_as_long_as_it_says() {
    lived(|world| {
        let first = world.command(kept_for("m", "body", 5_000));
        world.advance(4_999);
        assert_eq!(world.command(kept_for("m", "body", 5_000))["run"], first["run"]);
        assert_eq!(world.refused(kept_for("m", "other body", 5_000)), "delivery_conflict");
        // Being delivered again does not make it last longer.
        world.advance(1);
        let second = world.command(kept_for("m", "other body", 5_000));
        assert_ne!(second["run"], first["run"]);
        assert_eq!(world.command(kept_for("m", "other body", 5_000))["run"], second["run"]);
    });
}

#[test]
fn a_message_is_remembered_though_its_run_is_deleted() {
    live(|world| {
        let passed = node("sleep_until", "past", json!({ "until_ms": 0 }));
        world.define(json!({ "id": "orders", "retention_ms": 1_000, "nodes": [passed] }));
        let first = world.command(start("m", "body", json!({})));
        world.advance(5_000);
        assert!(world.runs_of("orders").is_empty());
        assert_eq!(world.command(start("m", "body", json!({}))), json!({ "run": first["run"], "repeated": true }));
        assert!(world.runs_of("orders").is_empty());
    });
}

fn keyed(key: &str, fingerprint: &str) -> Value {
    json!({ "idempotency": { "key": key, "fingerprint": fingerprint } })
}

#[test]
fn a_message_and_its_idempotency_key_are_remembered_together_or_not_at_all() {
    lived(|world| {
        let first = world.command(start("m1", "body", keyed("key", "print")));
        // Another message with the same key is the same order.
        let second = world.command(start("m2", "body", keyed("key", "print")));
        assert_eq!(second, json!({ "run": first["run"], "repeated": true }));
        assert_eq!(world.command(start("m2", "body", json!({})))["run"], first["run"], "it is remembered, too");
        // One that is refused for its key is not remembered.
        assert_eq!(world.refused(start("m3", "body", keyed("key", "other print"))), "idempotency_conflict");
        let third = world.command(start("m3", "another body", json!({})));
        assert_ne!(third["run"], first["run"]);
        // One that is refused for its body claims no key.
        assert_eq!(world.refused(start("m1", "other body", keyed("free", "print"))), "delivery_conflict");
        let free = world.command(
            json!({ "start": { "workflow": "orders", "idempotency": { "key": "free", "fingerprint": "x" } } }),
        );
        assert_ne!(free["run"], first["run"]);
        // One that was delivered before does not look at its key.
        assert_eq!(world.command(start("m1", "body", keyed("key", "other print")))["run"], first["run"]);
        assert_eq!(world.runs_of("orders").len(), 3);
    });
}

#[test]
fn a_start_that_is_refused_remembers_no_message() {
    lived(|world| {
        let long = "x".repeat(513);
        for (refused, code) in [
            (start("m", "body", json!({ "workflow": "nobody" })), "workflow_not_found"),
            (start("m", "body", json!({ "rate_key": "" })), "text_invalid"),
            (start("m", "body", json!({ "delay_ms": u64::MAX })), "text_invalid"),
            (start("", "body", json!({})), "text_invalid"),
            (start("m", "", json!({})), "text_invalid"),
            (start(&long, "body", json!({})), "text_invalid"),
            (start("m", &long, json!({})), "text_invalid"),
            (start("m", "body", json!({ "delivery": { "id": "m" } })), "request_invalid"),
        ] {
            assert_eq!(world.refused(refused), code);
        }
        let first = world.command(start("m", "another body", json!({})));
        assert!(first["run"].is_string(), "{first}");
        assert_eq!(world.runs_of("orders").len(), 1);
    });
}
