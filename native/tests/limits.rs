//! What may execute, when, and how long it is kept.

mod harness;

use std::collections::BTreeSet;

use harness::{Mode, World, live, node, step};
use serde_json::{Value, json};

fn workflow(id: &str, more: Value) -> Value {
    let mut definition = json!({ "id": id, "nodes": [step("work")] });
    definition.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    definition
}

fn set<'a>(runs: impl IntoIterator<Item = &'a String>) -> BTreeSet<String> {
    runs.into_iter().cloned().collect()
}

/// Finishes whatever executes, until nothing does; gives the runs in the order in which they executed.
fn finish_all(world: &mut World) -> Vec<String> {
    let mut order = Vec::new();
    while let Some(run) = world.executing_runs().pop_first() {
        world.finish(&run, "work", 1);
        order.push(run);
    }
    order
}

#[test]
fn no_more_runs_execute_than_the_host_has_slots_for() {
    live(|world| {
        world.define(workflow("orders", json!({})));
        world.offer(2);
        let runs: Vec<String> = (0..5).map(|_| world.start("orders")).collect();
        assert_eq!(world.executing_runs(), set(&runs[..2]));
        world.finish(&runs[1], "work", 1);
        assert_eq!(world.executing_runs(), set([&runs[0], &runs[2]]));
        world.finish(&runs[0], "work", 1);
        assert_eq!(world.executing_runs(), set(&runs[2..4]));
        world.offer(3);
        assert_eq!(world.executing_runs(), set(&runs[2..]));
    });
}

#[test]
fn no_more_runs_of_a_workflow_execute_than_it_says() {
    live(|world| {
        world.define(workflow("orders", json!({ "concurrency": 2 })));
        world.define(workflow("mails", json!({})));
        let runs: Vec<String> = (0..4).map(|_| world.start("orders")).collect();
        let mail = world.start("mails");
        assert_eq!(world.executing_runs(), set([&runs[0], &runs[1], &mail]), "others are not held up");
        world.finish(&runs[0], "work", 1);
        assert_eq!(world.executing_runs(), set([&runs[1], &runs[2], &mail]));
        world.fail(&runs[1], "work", "no");
        assert_eq!(world.executing_runs(), set([&runs[2], &runs[3], &mail]));
    });
}

#[test]
fn every_concurrency_key_has_the_workflows_concurrency_to_itself() {
    live(|world| {
        world.define(workflow("orders", json!({ "concurrency": 1 })));
        let of =
            |world: &mut World, key: &str| world.start_with(json!({ "workflow": "orders", "concurrency_key": key }));
        let (a1, a2, b1) = (of(world, "a"), of(world, "a"), of(world, "b"));
        let without = world.start("orders");
        assert_eq!(world.executing_runs(), set([&a1, &b1, &without]));
        world.finish(&b1, "work", 1);
        assert_eq!(world.executing_runs(), set([&a1, &without]));
        world.finish(&a1, "work", 1);
        assert_eq!(world.executing_runs(), set([&a2, &without]));
    });
}

#[test]
fn a_run_that_waits_holds_no_place_and_takes_one_again_when_it_wakes() {
    live(|world| {
        let nodes = json!([step("work"), node("sleep", "rest", json!({ "duration_ms": 100 })), step("more")]);
        world.define(json!({ "id": "orders", "concurrency": 1, "nodes": nodes }));
        let (one, other) = (world.start("orders"), world.start("orders"));
        world.finish(&one, "work", 1);
        assert_eq!(world.executing_runs(), set([&other]));
        world.advance(100);
        assert_eq!(world.executing_runs().len(), 1, "the place is taken");
        // Another process may have taken up the older one first.
        let other_first = world.executing_runs() == set([&other]);
        if other_first {
            world.finish(&other, "work", 1);
        }
        world.finish(&one, "more", 1);
        if !other_first {
            world.finish(&other, "work", 1);
        }
        world.advance(100);
        world.finish(&other, "more", 2);
        assert_eq!((world.output(&one), world.output(&other)), (json!(1), json!(2)));
    });
}

#[test]
fn workflows_that_name_one_queue_share_its_places() {
    live(|world| {
        let queue = |id: &str| workflow(id, json!({ "queue": { "name": "mail", "concurrency": 2 } }));
        world.define(queue("letters"));
        world.define(queue("parcels"));
        let runs = [world.start("letters"), world.start("parcels"), world.start("parcels"), world.start("letters")];
        assert_eq!(world.executing_runs(), set(&runs[..2]));
        world.finish(&runs[0], "work", 1);
        assert_eq!(world.executing_runs(), set(&runs[1..3]), "the oldest goes first, whichever workflow it is of");
        world.finish(&runs[1], "work", 1);
        assert_eq!(world.executing_runs(), set(&runs[2..]));
        finish_all(world);
        assert_eq!(world.status(&runs[3]), "completed");
    });
}

#[test]
fn a_shared_queue_and_a_workflows_own_concurrency_both_hold() {
    live(|world| {
        let queue = json!({ "name": "mail", "concurrency": 3 });
        world.define(workflow("letters", json!({ "queue": queue, "concurrency": 1 })));
        world.define(workflow("parcels", json!({ "queue": queue })));
        let letters = [world.start("letters"), world.start("letters")];
        let parcels = [world.start("parcels"), world.start("parcels"), world.start("parcels")];
        assert_eq!(world.executing_runs(), set([&letters[0], &parcels[0], &parcels[1]]));
        world.finish(&letters[0], "work", 1);
        assert_eq!(world.executing_runs(), set([&letters[1], &parcels[0], &parcels[1]]));
        finish_all(world);
        assert_eq!(world.status(&parcels[2]), "completed");
    });
}

#[test]
fn the_groups_of_a_queue_go_by_age_and_priority_with_everybody_else() {
    live(|world| {
        let queue = json!({ "name": "mail", "concurrency": 2 });
        world.define(workflow("letters", json!({ "queue": queue, "concurrency": 1 })));
        world.define(workflow("parcels", json!({ "queue": queue })));
        world.define(workflow("orders", json!({})));
        world.offer(0);
        let letter = |world: &mut World, key: &str, priority: i32| {
            world.start_with(json!({ "workflow": "letters", "concurrency_key": key, "priority": priority }))
        };
        let a = [letter(world, "a", 0), letter(world, "a", 0)];
        let order = world.start("orders");
        let b = [letter(world, "b", 0), letter(world, "b", 5)];
        let parcel = world.start("parcels");
        world.offer(1);
        assert_eq!(finish_all(world), [&b[1], &a[0], &a[1], &order, &b[0], &parcel].map(String::clone));
        // The queue is full before the capacity is: who has no queue passes it, and who comes next in it is the oldest.
        world.offer(0);
        let a = [letter(world, "a", 0), letter(world, "a", 0)];
        let b = [letter(world, "b", 0), letter(world, "c", 0)];
        let order = world.start("orders");
        world.offer(3);
        assert_eq!(world.executing_runs(), set([&a[0], &b[0], &order]));
        world.finish(&b[0], "work", 1);
        assert_eq!(world.executing_runs(), set([&a[0], &b[1], &order]), "the other one of `a` has no room of its own");
        world.finish(&a[0], "work", 1);
        assert_eq!(world.executing_runs(), set([&a[1], &b[1], &order]));
        finish_all(world);
    });
}

#[test]
fn a_run_gives_back_the_place_of_the_queue_that_it_has_taken_it_of() {
    let mut world = World::new(Mode::AsTold);
    let of_queue = |name: &str| workflow("orders", json!({ "queue": { "name": name, "concurrency": 1 } }));
    world.define(of_queue("mail"));
    let first = world.start("orders");
    world.define(of_queue("post"));
    let runs = [world.start("orders"), world.start("orders"), world.start("orders")];
    assert_eq!(world.executing_runs(), set([&first, &runs[0]]));
    world.finish(&first, "work", 1);
    assert_eq!(world.executing_runs(), set([&runs[0]]), "nothing has become free in its queue");
    world.finish(&runs[0], "work", 1);
    assert_eq!(world.executing_runs(), set([&runs[1]]));
    world.finish(&runs[1], "work", 1);
    assert_eq!(finish_all(&mut world), runs[2..]);
}

#[test]
fn the_higher_priority_goes_first_and_a_level_is_worth_ten_seconds() {
    live(|world| {
        world.define(workflow("low", json!({ "priority": -1 })));
        world.define(workflow("orders", json!({})));
        world.offer(0);
        let with =
            |world: &mut World, priority: i32| world.start_with(json!({ "workflow": "orders", "priority": priority }));
        let low = world.start("low");
        let (normal, high, higher) = (world.start("orders"), with(world, 5), with(world, 50));
        world.advance(9_999);
        let almost = world.start("orders");
        world.advance(2);
        let late = world.start("orders");
        let capped = with(world, 1_000_000);
        world.offer(1);
        assert_eq!(finish_all(world), [capped, higher, high, normal, almost, low, late]);
    });
}

/// When each of so many runs begins.
fn begin_times(world: &mut World, start: impl Fn(&mut World) -> String, count: usize) -> Vec<i64> {
    let runs: Vec<String> = (0..count).map(|_| start(world)).collect();
    runs.iter().map(|run| world.inspect(run)["start_at_ms"].as_i64().unwrap_or(1_000)).collect()
}

#[test]
fn a_rate_limit_lets_so_many_runs_begin_in_any_stretch_of_time() {
    live(|world| {
        world.define(workflow("orders", json!({ "rate_limit": { "count": 3, "per_ms": 1_000 } })));
        let first = world.start("orders");
        world.advance(400);
        let rest: Vec<String> = (0..5).map(|_| world.start("orders")).collect();
        assert_eq!(world.executing_runs(), set([&first, &rest[0], &rest[1]]));
        // In the thousand milliseconds from 1,400 on, those of 1,400, 1,400 and 2,000 begin, and no others.
        world.advance(599);
        assert_eq!(world.executing_runs().len(), 3);
        world.advance(1);
        assert_eq!(world.executing_runs().len(), 4);
        world.advance(399);
        assert_eq!(world.executing_runs().len(), 4);
        world.advance(1);
        assert_eq!(world.executing_runs().len(), 6);
        let late = world.start("orders");
        world.advance(599);
        assert!(world.executing(&late).is_empty());
        world.advance(1);
        assert_eq!(world.executing(&late), ["work"]);
    });
}

#[test]
fn a_run_that_is_started_with_a_delay_does_not_hold_up_those_started_after_it() {
    live(|world| {
        world.define(workflow("orders", json!({ "rate_limit": { "count": 10, "per_ms": 1_000 } })));
        world.start_with(json!({ "workflow": "orders", "delay_ms": 3_600_000 }));
        let run = world.start("orders");
        assert_eq!(world.executing(&run), ["work"]);
    });
}

#[test]
fn a_delayed_run_takes_its_place_under_the_rate_limit_when_its_delay_is_over() {
    live(|world| {
        world.define(workflow("orders", json!({ "rate_limit": { "count": 1, "per_ms": 1_000 } })));
        let delayed = world.start_with(json!({ "workflow": "orders", "delay_ms": 500 }));
        let first = world.start("orders");
        assert_eq!(world.executing(&first), ["work"]);
        world.advance(500);
        assert!(world.executing(&delayed).is_empty(), "the rate is used up until 2,000");
        world.advance(499);
        assert!(world.executing(&delayed).is_empty());
        world.advance(1);
        assert_eq!(world.executing(&delayed), ["work"]);
    });
}

#[test]
fn runs_whose_time_came_while_no_process_was_there_do_not_begin_all_at_once() {
    live(|world| {
        world.define(workflow("orders", json!({ "rate_limit": { "count": 1, "per_ms": 1_000 } })));
        let runs: Vec<String> = (0..4).map(|_| world.start("orders")).collect();
        // Those of 2,000 and 3,000 are late, the one of 4,000 is not.
        world.now_ms = 3_500;
        let mut begun = Vec::new();
        while begun.len() < runs.len() {
            world.offer(100);
            for run in &runs {
                if !begun.iter().any(|(known, _)| known == run) && !world.executing(run).is_empty() {
                    begun.push((run.clone(), world.now_ms));
                }
            }
            world.now_ms = world.wake_at_ms.unwrap_or(world.now_ms);
        }
        let order: Vec<&String> = begun.iter().map(|(run, _)| run).collect();
        assert_eq!(order, runs.iter().collect::<Vec<_>>());
        let times: Vec<i64> = begun.iter().skip(1).map(|(_, at_ms)| *at_ms).collect();
        assert!(times.windows(2).all(|pair| pair[1] - pair[0] >= 1_000), "{times:?}");
    });
}

const YEAR_MS: i64 = 365 * 24 * 3_600_000;

/// The clock is corrected: while the process lives, or while none does.
fn correct_clock(world: &mut World, back_ms: i64, is_down: bool) {
    world.now_ms -= back_ms;
    if is_down { world.kill() } else { world.offer(100) }
}

#[test]
fn what_began_while_the_clock_was_ahead_counts_as_begun_when_it_is_corrected() {
    for is_down in [false, true] {
        let mut world = World::new(Mode::AsTold);
        world.define(workflow("orders", json!({ "rate_limit": { "count": 2, "per_ms": 1_000 } })));
        world.now_ms += YEAR_MS;
        for _ in 0..2 {
            let run = world.start("orders");
            world.finish(&run, "work", 1);
        }
        correct_clock(&mut world, YEAR_MS, is_down);
        let run = world.start("orders");
        assert!(world.executing(&run).is_empty(), "two have just begun");
        world.advance(1_000);
        assert_eq!(world.executing(&run), ["work"]);
    }
}

#[test]
fn what_was_reserved_while_the_clock_was_ahead_is_reserved_again_when_it_is_corrected() {
    for is_down in [false, true] {
        let mut world = World::new(Mode::AsTold);
        world.define(workflow("orders", json!({ "rate_limit": { "count": 1, "per_ms": 1_000 } })));
        world.now_ms += YEAR_MS;
        let first = world.start("orders");
        world.finish(&first, "work", 1);
        let delayed = world.start_with(json!({ "workflow": "orders", "delay_ms": 3_600_000 }));
        let other = world.start_with(json!({ "workflow": "orders", "rate_key": "other" }));
        world.finish(&other, "work", 1);
        let mut runs = vec![world.start("orders"), world.start("orders")];
        correct_clock(&mut world, YEAR_MS, is_down);
        runs.push(world.start("orders"));
        let began_at_ms = world.now_ms;
        let began = begin_as_time_goes(&mut world, &runs, began_at_ms + 5_000);
        let after = |ms: i64| began_at_ms + ms;
        assert_eq!(began, [(0, after(1_000)), (1, after(2_000)), (2, after(3_000))]);
        assert!(world.executing(&delayed).is_empty(), "a delay is not over before its time");
        // They begin the same way in the next process, and do all that follows.
        world.kill();
        for run in &runs {
            world.finish(run, "work", 1);
            assert_eq!(world.status(run), "completed");
        }
    }
}

#[test]
fn a_clock_that_steps_back_a_little_takes_no_reservation_back() {
    let mut world = World::new(Mode::AsTold);
    world.define(workflow("orders", json!({ "rate_limit": { "count": 2, "per_ms": 1_000 } })));
    world.now_ms = 10_000;
    let runs: Vec<String> = (0..6).map(|_| world.start("orders")).collect();
    correct_clock(&mut world, 900, true);
    let at_ms: Vec<i64> = runs[2..].iter().map(|run| world.inspect(run)["start_at_ms"].as_i64().unwrap()).collect();
    assert_eq!(at_ms, [11_000, 11_000, 12_000, 12_000]);
}

#[test]
fn a_run_that_was_reserved_ahead_sleeps_for_as_long_as_it_is_to() {
    let mut world = World::new(Mode::AsTold);
    let nodes = json!([node("sleep", "rest", json!({ "duration_ms": 100 })), step("work")]);
    world.define(json!({ "id": "orders", "nodes": nodes, "rate_limit": { "count": 1, "per_ms": 1_000 } }));
    world.now_ms += YEAR_MS;
    let runs = [world.start("orders"), world.start("orders"), world.start("orders")];
    correct_clock(&mut world, YEAR_MS, false);
    world.advance(1_000);
    world.kill();
    world.advance(100);
    assert_eq!(world.executing(&runs[1]), ["work"]);
}

#[test]
fn a_rate_limit_counts_every_rate_key_apart() {
    live(|world| {
        world.define(workflow("orders", json!({ "rate_limit": { "count": 1, "per_ms": 100 } })));
        let of = |key: &'static str| {
            move |world: &mut World| world.start_with(json!({ "workflow": "orders", "rate_key": key }))
        };
        assert_eq!(begin_times(world, of("a"), 3), [1_000, 1_100, 1_200]);
        assert_eq!(begin_times(world, of("b"), 2), [1_000, 1_100]);
    });
}

#[test]
fn a_repeated_start_takes_nothing_from_the_rate() {
    live(|world| {
        world.define(workflow("orders", json!({ "rate_limit": { "count": 1, "per_ms": 100 } })));
        let idempotency = json!({ "key": "k", "fingerprint": "f" });
        let once = json!({ "workflow": "orders", "idempotency": idempotency });
        let first = world.start_with(once.clone());
        assert_eq!(world.start_with(once.clone()), first);
        let next = world.start("orders");
        assert_eq!(world.inspect(&next)["start_at_ms"], 1_100);
        let other = json!({ "workflow": "orders", "idempotency": { "key": "k", "fingerprint": "g" } });
        assert_eq!(world.refused(json!({ "start": other })), "idempotency_conflict");
    });
}

#[test]
fn nothing_of_a_paused_workflow_begins_until_it_is_unpaused() {
    live(|world| {
        world.define(workflow("orders", json!({})));
        world.define(workflow("mails", json!({})));
        world.command(json!({ "pause": "orders" }));
        assert_eq!(world.query(json!({ "about": {} }))["paused"], json!(["orders"]));
        let (one, other) = (world.start("orders"), world.start("orders"));
        let mail = world.start("mails");
        world.advance(1_000);
        assert_eq!(world.executing_runs(), set([&mail]));
        assert_eq!(world.status(&one), "pending");
        world.command(json!({ "unpause": "orders" }));
        assert_eq!(world.executing_runs(), set([&one, &other, &mail]));
        assert_eq!(world.query(json!({ "about": {} }))["paused"], json!([]));
    });
}

#[test]
fn what_wakes_in_a_paused_workflow_waits_until_it_is_unpaused() {
    live(|world| {
        let nodes = json!([node("sleep", "rest", json!({ "duration_ms": 100 })), step("work")]);
        world.define(json!({ "id": "orders", "nodes": nodes }));
        let run = world.start("orders");
        world.command(json!({ "pause": "orders" }));
        world.advance(200);
        assert!(world.executing(&run).is_empty());
        world.command(json!({ "unpause": "orders" }));
        world.finish(&run, "work", 1);
        assert_eq!(world.output(&run), 1);
    });
}

/// When these runs begin from now on, each of them by itself.
fn begin_as_time_goes(world: &mut World, runs: &[String], until_ms: i64) -> Vec<(usize, i64)> {
    let mut begun: Vec<(usize, i64)> = Vec::new();
    world.advance(0);
    while world.now_ms < until_ms {
        for (place, run) in runs.iter().enumerate() {
            if !begun.iter().any(|(known, _)| *known == place) && !world.executing(run).is_empty() {
                begun.push((place, world.now_ms));
            }
        }
        world.advance(10);
    }
    begun
}

#[test]
fn what_a_rate_limit_lets_begin_does_not_begin_all_at_once_when_a_pause_is_over() {
    for (before, meanwhile) in [(0, 4), (4, 0), (2, 2)] {
        live(|world| {
            world.define(workflow("orders", json!({ "rate_limit": { "count": 1, "per_ms": 1_000 } })));
            // It is not among those that the pause holds up.
            let first = world.start("orders");
            let mut runs: Vec<String> = (0..before).map(|_| world.start("orders")).collect();
            world.command(json!({ "pause": "orders" }));
            runs.extend((0..meanwhile).map(|_| world.start("orders")));
            world.advance(10_000);
            assert_eq!(world.executing_runs(), if world.restarts() { set([]) } else { set([&first]) });
            world.command(json!({ "unpause": "orders" }));
            let began = begin_as_time_goes(world, &runs, 15_000);
            assert_eq!(began, [(0, 11_000), (1, 12_000), (2, 13_000), (3, 14_000)]);
        });
    }
}

#[test]
fn a_pause_that_is_over_before_a_run_is_to_begin_does_not_hold_it_up() {
    live(|world| {
        world.define(workflow("orders", json!({ "rate_limit": { "count": 1, "per_ms": 1_000 } })));
        world.start("orders");
        let runs = vec![world.start("orders"), world.start("orders")];
        world.command(json!({ "pause": "orders" }));
        world.advance(500);
        world.command(json!({ "unpause": "orders" }));
        assert_eq!(begin_as_time_goes(world, &runs, 4_000), [(0, 2_000), (1, 3_000)]);
    });
}

#[test]
fn a_pause_does_not_stop_the_time_of_a_run_that_it_keeps_from_beginning() {
    live(|world| {
        let limited = json!({ "rate_limit": { "count": 1, "per_ms": 1_000 }, "timeout_ms": 5_000 });
        world.define(workflow("orders", limited));
        let before = [world.start("orders"), world.start("orders")];
        world.command(json!({ "pause": "orders" }));
        let meanwhile = world.start("orders");
        world.advance(4_999);
        assert_eq!(world.status(&meanwhile), "waiting");
        world.advance(1);
        for run in before.iter().chain([&meanwhile]) {
            assert_eq!(world.error(run)["code"], "run_timeout");
        }
    });
}

#[test]
fn an_unknown_workflow_is_not_paused() {
    live(|world| {
        assert_eq!(world.refused(json!({ "pause": "orders" })), "workflow_not_found");
    });
}

#[test]
fn an_ended_run_is_deleted_when_its_time_is_over() {
    live(|world| {
        world.define(workflow("orders", json!({ "retention_ms": 500, "on_success": true })));
        let once = json!({ "workflow": "orders", "idempotency": { "key": "k", "fingerprint": "f" } });
        let (one, failed, open) = (world.start_with(once.clone()), world.start("orders"), world.start("orders"));
        world.finish(&one, "work", 1);
        world.fail(&failed, "work", "no");
        world.advance(100);
        // The time counts from when the hook has ended.
        world.finish(&one, "on_success", 1);
        world.advance(400);
        assert_eq!(world.status(&failed), "gone");
        world.advance(99);
        assert_eq!(world.status(&one), "completed");
        assert_eq!(world.start_with(once.clone()), one);
        world.advance(1);
        assert_eq!(world.status(&one), "gone");
        assert_ne!(world.start_with(once.clone()), one, "its key is free again");
        assert_eq!(world.status(&open), "running");
    });
}

#[test]
fn a_workflow_without_retention_keeps_its_runs() {
    live(|world| {
        world.define(workflow("orders", json!({})));
        let run = world.start("orders");
        world.finish(&run, "work", 1);
        world.advance(1_000_000_000);
        assert_eq!(world.status(&run), "completed");
    });
}

#[test]
fn what_a_pause_withheld_from_a_run_that_still_executes_goes_on_when_it_is_unpaused() {
    // Not across a restart: then nothing of a paused workflow executes any more.
    let mut world = World::new(Mode::Straight);
    let branches = json!([[step("long")], [step("first"), step("second")]]);
    world.define_nodes("orders", json!([node("parallel", "both", json!({ "branches": branches }))]));
    let run = world.start("orders");
    world.command(json!({ "pause": "orders" }));
    world.finish(&run, "first", 1);
    assert_eq!(world.executing(&run), ["long"]);
    world.command(json!({ "unpause": "orders" }));
    assert_eq!(world.executing(&run), ["long", "second"]);
    world.finish(&run, "second", 2);
    world.finish(&run, "long", 3);
    assert_eq!(world.output(&run), json!([3, 2]));
}

#[test]
fn a_run_that_is_taken_up_before_it_has_begun_goes_the_same_way_in_the_next_process() {
    live(|world| {
        let nodes = json!([node("sleep_until", "rest", json!({ "until_ms": 50_000 })), step("work")]);
        world.define(json!({ "id": "orders", "nodes": nodes, "rate_limit": { "count": 1, "per_ms": 1_000 } }));
        world.start("orders");
        let run = world.start("orders");
        assert_eq!(world.inspect(&run)["start_at_ms"], 2_000, "it begins a second after the other one");
        // Nobody is there when its time comes, and it is cancelled before anybody looks at the clock.
        world.now_ms = 40_000;
        world.offer(0);
        world.command(json!({ "cancel": { "run": run } }));
        world.now_ms = 60_000;
        world.command(json!({ "retry": { "run": run } }));
        // The clock was ahead: its time comes once more, and it is not yet to have rested.
        world.now_ms = 1_500;
        world.offer(100);
        world.advance(10_000);
        assert_eq!(world.history(&run), ["rest cancelled", "retry completed"]);
        world.advance(40_000);
        assert_eq!(world.history(&run), ["rest cancelled", "retry completed", "rest completed"]);
        assert_eq!(world.executing(&run), ["work"]);
    });
}
