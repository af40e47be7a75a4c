//! P8: which runs execute again after their process has died, and which are given up.

mod harness;

use harness::{Mode, World};
use serde_json::{Value, json};

/// How long nothing suspicious must have begun before a run with two, three and four deaths executes.
const QUIET_MS: [i64; 3] = [500, 1_000, 2_000];

fn world() -> World {
    let mut world = World::new(Mode::AsTold);
    world.define_nodes("orders", json!([{ "kind": "step", "name": "pay" }]));
    world
}

fn start(world: &mut World, count: usize) -> Vec<String> {
    (0..count).map(|_| world.start("orders")).collect()
}

fn executing(world: &World, runs: &[String]) -> Vec<usize> {
    (0..runs.len()).filter(|run| !world.executing(&runs[*run]).is_empty()).collect()
}

/// The process dies so many times, each time while all of the runs execute.
fn die(world: &mut World, runs: &[String], deaths: usize) {
    for quiet_ms in [&[0, 0], &QUIET_MS[..]].concat().into_iter().take(deaths) {
        world.advance(quiet_ms * runs.len() as i64);
        assert_eq!(executing(world, runs).len(), runs.len());
        world.kill();
    }
}

#[test]
fn the_first_death_costs_no_time() {
    let mut world = world();
    let runs = start(&mut world, 3);
    die(&mut world, &runs, 1);
    assert_eq!(executing(&world, &runs), [0, 1, 2]);
}

#[test]
fn a_run_that_saw_more_deaths_waits_until_its_process_has_lived_for_a_while() {
    for (deaths, quiet_ms) in (2..).zip(QUIET_MS) {
        let mut world = world();
        let runs = start(&mut world, 1);
        die(&mut world, &runs, deaths);
        world.advance(quiet_ms - 1);
        assert!(executing(&world, &runs).is_empty(), "{deaths} deaths");
        world.advance(1);
        assert_eq!(executing(&world, &runs), [0], "{deaths} deaths");
        world.finish(&runs[0], "pay", 1);
        assert_eq!(world.status(&runs[0]), "completed");
    }
}

#[test]
fn a_process_that_is_killed_every_moment_accuses_nobody() {
    let mut world = world();
    let runs = start(&mut world, 3);
    for _ in 0..100 {
        world.advance(QUIET_MS[0] - 1);
        world.kill();
    }
    assert!(runs.iter().all(|run| world.status(run) != "failed"));
    world.advance(10 * QUIET_MS[0]);
    for run in &runs {
        world.finish(run, "pay", 1);
        assert_eq!(world.status(run), "completed");
    }
}

#[test]
fn a_short_trial_is_followed_by_the_next_at_once() {
    let mut world = world();
    let runs = start(&mut world, 3);
    die(&mut world, &runs, 2);
    world.advance(QUIET_MS[0]);
    for run in 0..3 {
        assert_eq!(executing(&world, &runs), [run]);
        world.finish(&runs[run], "pay", 1);
    }
}

#[test]
fn a_long_trial_does_not_hold_up_the_others_until_it_ends() {
    let mut world = world();
    let runs = start(&mut world, 3);
    die(&mut world, &runs, 2);
    for trials in 1..=3 {
        world.advance(QUIET_MS[0] - 1);
        assert_eq!(executing(&world, &runs).len(), trials - 1);
        world.advance(1);
        assert_eq!(executing(&world, &runs).len(), trials);
    }
}

#[test]
fn those_with_the_fewest_deaths_are_tried_first() {
    let mut world = world();
    let runs = start(&mut world, 3);
    die(&mut world, &runs, 2);
    world.advance(QUIET_MS[0]);
    world.kill();
    world.advance(QUIET_MS[0]);
    assert_eq!(executing(&world, &runs), [1]);
    world.kill();
    world.advance(QUIET_MS[0]);
    assert_eq!(executing(&world, &runs), [2]);
    world.finish(&runs[2], "pay", 1);
    world.advance(QUIET_MS[1]);
    assert_eq!(executing(&world, &runs), [0]);
}

#[test]
fn the_last_trial_has_no_other_beside_it() {
    let mut world = world();
    let runs = start(&mut world, 2);
    die(&mut world, &runs, 4);
    world.advance(3_600_000);
    assert_eq!(executing(&world, &runs), [0]);
    world.finish(&runs[0], "pay", 1);
    assert_eq!(executing(&world, &runs), [1]);
    world.kill();
    assert_eq!(world.error(&runs[1])["code"], "crash_loop");
    assert_eq!(world.status(&runs[0]), "completed");
}

#[test]
fn a_step_that_always_kills_its_process_takes_nobody_along() {
    let mut world = world();
    let runs = start(&mut world, 20);
    let poison = &runs[7];
    let mut deaths = 0;
    for _ in 0..10_000 {
        world.advance(100);
        let executing = executing(&world, &runs);
        if executing.contains(&7) {
            deaths += 1;
            world.kill();
        } else {
            executing.iter().for_each(|run| drop(world.finish(&runs[*run], "pay", 1)));
        }
    }
    assert_eq!(deaths, 5);
    assert_eq!(world.error(poison)["code"], "crash_loop");
    for run in runs.iter().filter(|run| *run != poison) {
        assert_eq!(world.status(run), "completed");
    }
}

#[test]
fn a_clock_that_goes_back_costs_no_more_than_the_while() {
    let mut world = world();
    let runs = start(&mut world, 2);
    die(&mut world, &runs, 2);
    world.advance(QUIET_MS[0]);
    assert_eq!(executing(&world, &runs), [0]);
    world.now_ms -= 300;
    world.advance(0);
    assert_eq!(executing(&world, &runs), [0]);
    world.advance(QUIET_MS[0]);
    assert_eq!(executing(&world, &runs), [0, 1]);
}

#[test]
fn a_failed_commit_does_not_end_a_trial() {
    let mut world = world();
    let runs = start(&mut world, 2);
    die(&mut world, &runs, 2);
    world.advance(QUIET_MS[0]);
    assert_eq!(executing(&world, &runs), [0]);
    world.fail_a_commit();
    assert_eq!(executing(&world, &runs), [0]);
    world.advance(QUIET_MS[0] - 1);
    assert_eq!(executing(&world, &runs), [0]);
    world.advance(1);
    assert_eq!(executing(&world, &runs), [0, 1]);
}

#[test]
fn what_is_paused_holds_up_no_other() {
    let mut world = world();
    world.define_nodes("paused", json!([{ "kind": "step", "name": "pay" }]));
    let runs = vec![world.start("paused"), world.start("orders")];
    die(&mut world, &runs, 2);
    world.command(json!({ "pause": "paused" }));
    world.advance(3_600_000);
    assert_eq!(executing(&world, &runs), [1]);
    world.finish(&runs[1], "pay", Value::Null);
    world.command(json!({ "unpause": "paused" }));
    assert_eq!(executing(&world, &runs), [0]);
}
