//! Circuit breakers: what keeps failing is left alone for a while.

mod harness;

use harness::{Mode, World, live, node};
use serde_json::{Value, json};

fn define(world: &mut World, more: Value) {
    let circuit = json!({ "name": "bank", "threshold": 2, "recovery_ms": 1_000 });
    let mut all = json!({ "circuit": circuit });
    all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    world.define_nodes("orders", json!([node("step", "pay", all.clone())]));
    world.define_nodes("refunds", json!([node("action", "refund", all)]));
}

/// Fails so many runs at the circuit.
fn fail_runs(world: &mut World, count: usize) {
    for _ in 0..count {
        let run = world.start("orders");
        world.fail(&run, "pay", "down");
    }
}

fn code(world: &mut World, run: &str) -> String {
    world.error(run)["code"].as_str().unwrap_or("none").to_owned()
}

#[test]
fn a_circuit_opens_after_so_many_failures_in_a_row_for_all_who_name_it() {
    live(|world| {
        define(world, json!({}));
        fail_runs(world, 1);
        let run = world.start("orders");
        world.finish(&run, "pay", 1);
        fail_runs(world, 2);
        let (one, other) = (world.start("orders"), world.start("refunds"));
        assert!(world.executing_runs().is_empty());
        assert_eq!(code(world, &one), "circuit_open");
        assert_eq!(code(world, &other), "circuit_open");
        assert_eq!(world.history(&one), ["pay failed"]);
    });
}

#[test]
fn one_attempt_probes_a_circuit_whose_time_is_over_and_closes_it() {
    live(|world| {
        define(world, json!({}));
        fail_runs(world, 2);
        world.advance(999);
        let early = world.start("orders");
        assert_eq!(code(world, &early), "circuit_open");
        world.advance(1);
        let probe = world.start("orders");
        assert_eq!(world.executing(&probe), ["pay"]);
        let beside = world.start("orders");
        assert_eq!(code(world, &beside), "circuit_open");
        world.finish(&probe, "pay", 1);
        let (one, other) = (world.start("orders"), world.start("orders"));
        world.finish(&one, "pay", 1);
        world.fail(&other, "pay", "once is no reason");
        assert_eq!(world.start("orders").len(), 17);
        assert_eq!(world.executing_runs().len(), 1);
    });
}

#[test]
fn a_probe_that_fails_opens_the_circuit_again() {
    live(|world| {
        define(world, json!({}));
        fail_runs(world, 2);
        world.advance(1_000);
        fail_runs(world, 1);
        world.advance(999);
        let early = world.start("orders");
        assert_eq!(code(world, &early), "circuit_open");
        world.advance(1);
        let probe = world.start("orders");
        world.finish(&probe, "pay", 1);
        assert_eq!(world.output(&probe), 1);
    });
}

#[test]
fn a_retry_waits_for_the_circuit_to_close() {
    live(|world| {
        let retry = json!({ "attempts": 4, "strategy": "fixed", "delay_ms": 600 });
        define(world, json!({ "retry": retry }));
        let run = world.start("orders");
        world.fail(&run, "pay", "down");
        world.advance(600);
        world.fail(&run, "pay", "down");
        // At 2,200 the circuit, which opened at 1,600, refuses; at 2,800 it lets one through.
        world.advance(600);
        assert!(world.executing(&run).is_empty());
        world.advance(600);
        world.finish(&run, "pay", "up again");
        assert_eq!(world.output(&run), "up again");
        assert_eq!(world.history(&run), ["pay failed", "pay failed", "pay failed", "pay completed"]);
    });
}

#[test]
fn the_on_error_of_a_step_is_called_when_its_circuit_is_open() {
    live(|world| {
        define(world, json!({ "on_error": true }));
        for _ in 0..2 {
            let run = world.start("orders");
            world.fail(&run, "pay", "down");
            world.finish(&run, "pay:on_error", 0);
        }
        let run = world.start("orders");
        assert_eq!(world.given(&run, "pay:on_error")["error"]["code"], "circuit_open");
        world.finish(&run, "pay:on_error", "later");
        assert_eq!(world.output(&run), "later");
    });
}

#[test]
fn errors_that_are_expected_do_not_count() {
    live(|world| {
        define(world, json!({}));
        fail_runs(world, 1);
        for _ in 0..5 {
            let run = world.start("orders");
            world.resolve(&run, "pay", json!({ "error": "no such account", "expected": true }));
        }
        fail_runs(world, 1);
        let run = world.start("orders");
        assert_eq!(world.executing(&run), ["pay"]);
    });
}

#[test]
fn time_outs_count() {
    live(|world| {
        define(world, json!({ "timeout_ms": 100 }));
        for _ in 0..2 {
            let run = world.start("orders");
            world.advance(100);
            assert_eq!(world.status(&run), "failed");
        }
        let run = world.start("orders");
        assert_eq!(code(world, &run), "circuit_open");
    });
}

#[test]
fn a_probe_that_is_cancelled_lets_the_next_one_probe() {
    live(|world| {
        define(world, json!({}));
        fail_runs(world, 2);
        world.advance(1_000);
        let probe = world.start("orders");
        world.command(json!({ "cancel": { "run": probe } }));
        let next = world.start("orders");
        world.finish(&next, "pay", 1);
        assert_eq!(world.output(&next), 1);
    });
}

#[test]
fn a_circuit_that_opened_while_the_clock_was_ahead_is_open_for_its_time_when_it_is_corrected() {
    for is_down in [false, true] {
        let mut world = World::new(Mode::AsTold);
        define(&mut world, json!({}));
        world.now_ms += 365 * 24 * 3_600_000;
        fail_runs(&mut world, 2);
        world.now_ms -= 365 * 24 * 3_600_000;
        if is_down {
            world.kill()
        } else {
            world.advance(0)
        }
        world.advance(999);
        let early = world.start("orders");
        assert_eq!(code(&mut world, &early), "circuit_open");
        world.advance(1);
        let probe = world.start("orders");
        world.finish(&probe, "pay", 1);
        assert_eq!(world.output(&probe), 1);
    }
}
