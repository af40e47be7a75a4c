//! What is damaged of one run stops that run, and no other.

mod harness;

use harness::{Mode, World, node, step};
use serde_json::json;

/// A run that has passed `a` and `b`, and whose file then says that it had passed `x` instead of `a`.
fn damaged(more: serde_json::Value) -> (World, String, String) {
    let mut world = World::new(Mode::AsTold);
    world.define_nodes("orders", json!([step("a"), step("b"), more, step("c")]));
    let (run, sound) = (world.start("orders"), world.start("orders"));
    for run in [&run, &sound] {
        world.finish(run, "a", 1);
        world.finish(run, "b", 2);
    }
    world.tamper("UPDATE steps SET name = 'x' WHERE name = 'a' AND run_id = (SELECT min(id) FROM workflow_runs)");
    (world, run, sound)
}

#[test]
fn a_run_that_does_not_fit_its_own_definition_is_stuck_and_the_others_go_on() {
    // It is read when its workflow is defined, or when its timer is due.
    for more in [step("d"), node("sleep", "d", json!({ "duration_ms": 1_000 }))] {
        let (mut world, run, sound) = damaged(more);
        world.advance(1_000);
        assert_eq!(world.status(&run), "stuck");
        let error = world.error(&run);
        assert_eq!(error["code"], "database_corrupt");
        assert!(error["message"].as_str().unwrap().contains("`x`"), "{error}");
        if !world.executing(&sound).contains(&"c".to_owned()) {
            world.finish(&sound, "d", 3);
        }
        world.finish(&sound, "c", 4);
        assert_eq!(world.output(&sound), 4);
        let next = world.start("orders");
        assert_eq!(world.executing(&next), ["a"]);
    }
}

#[test]
fn a_damaged_run_is_stuck_in_every_process_and_can_be_cancelled() {
    let (mut world, run, _) = damaged(step("d"));
    for _ in 0..2 {
        world.kill();
        assert_eq!(world.status(&run), "stuck");
    }
    world.command(json!({ "retry": { "run": run } }));
    world.command(json!({ "cancel": { "run": run } }));
    assert_eq!(world.status(&run), "cancelled");
    world.kill();
    assert_eq!(world.status(&run), "cancelled");
}

#[test]
fn an_output_that_is_not_json_stops_nobody_but_who_asks_for_it() {
    let mut world = World::new(Mode::AsTold);
    world.define_nodes("orders", json!([step("a"), step("b")]));
    let (run, sound) = (world.start("orders"), world.start("orders"));
    world.finish(&run, "a", 1);
    world.tamper("UPDATE steps SET output = '{' WHERE name = 'a'");
    assert_eq!((world.executing(&run), world.executing(&sound)), (vec!["b".to_owned()], vec!["a".to_owned()]));
    let asked = world.send(&json!({ "now_ms": world.now_ms, "commands": [{ "query": { "run": { "run": run } } }] }));
    assert_eq!(asked["error"]["code"], "database_corrupt", "{asked}");
}
