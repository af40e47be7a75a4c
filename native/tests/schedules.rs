//! Schedules: at which instants runs start, and at which they do not.

mod harness;

use std::collections::BTreeSet;

use harness::{Mode, World, live, node, step};
use serde_json::{Value, json};

const SECOND: i64 = 1_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
const YEAR: i64 = 365 * DAY;
/// 2025-01-01T00:00:00Z, when every scenario begins.
const NEW_YEAR: i64 = 1_735_689_600_000;

fn lived(scenario: impl Fn(&mut World)) {
    live(|world| {
        world.now_ms = NEW_YEAR;
        scenario(world);
    });
}

/// Lives through what only processes that end can show.
fn restarted(scenario: impl Fn(&mut World)) {
    for mode in [Mode::Stopped, Mode::Killed] {
        println!("--- {mode:?}");
        let mut world = World::new(mode);
        world.now_ms = NEW_YEAR;
        scenario(&mut world);
    }
}

/// A node that has ended as soon as it begins.
fn passed() -> Value {
    node("sleep_until", "past", json!({ "until_ms": 0 }))
}

fn with(base: Value, more: Value) -> Value {
    let mut all = base;
    all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    all
}

fn cron(name: &str, pattern: &str, more: Value) -> Value {
    with(json!({ "name": name, "timing": { "cron": { "pattern": pattern, "timezone": "UTC" } } }), more)
}

fn every(name: &str, every_ms: i64, more: Value) -> Value {
    with(json!({ "name": name, "timing": { "interval": { "every_ms": every_ms } } }), more)
}

/// A workflow whose runs end as soon as they begin.
fn brief(schedules: Value) -> Value {
    json!({ "id": "orders", "schedules": schedules, "nodes": [passed()] })
}

/// A workflow whose runs have a step to do.
fn working(schedules: Value) -> Value {
    json!({ "id": "orders", "schedules": schedules, "nodes": [step("work")] })
}

fn multiples(of: i64, numbers: impl IntoIterator<Item = i64>) -> Vec<i64> {
    numbers.into_iter().map(|number| NEW_YEAR + number * of).collect()
}

fn finish_one(world: &mut World) {
    let run = world.executing_runs().pop_first().expect("a run executes");
    world.finish(&run, "work", 1);
}

#[test]
fn every_schedule_of_a_workflow_starts_a_run_at_each_of_its_instants() {
    lived(|world| {
        let poll = json!({ "name": "inbox", "timing": { "poll": { "every_ms": HOUR } } });
        world.define(brief(json!([
            cron("hourly", "0 * * * *", json!({})),
            every("often", 25 * MINUTE, json!({})),
            poll,
            cron("seconds", "30 59 * * * *", json!({})),
        ])));
        assert_eq!(world.instants("orders", "hourly"), [0; 0], "not at once");
        world.advance(2 * HOUR);
        assert_eq!(world.instants("orders", "hourly"), multiples(HOUR, [1, 2]));
        assert_eq!(world.instants("orders", "often"), multiples(25 * MINUTE, 1..=4));
        assert_eq!(
            world.instants("orders", "seconds"),
            [59, 119].map(|minute| NEW_YEAR + minute * MINUTE + 30 * SECOND)
        );
        assert!(world.effects.iter().any(|effect| effect["poll"]["name"] == "inbox"));
        assert_eq!(world.runs_of("orders").len(), 8);
    });
}

#[test]
fn a_schedule_is_told_with_what_it_says_what_was_and_what_comes() {
    lived(|world| {
        world.define(brief(json!([
            every("often", 10 * MINUTE, json!({ "misfire": "all", "overlap": "queue", "jitter_ms": 0 })),
            cron("yearly", "0 0 1 1 *", json!({})),
        ])));
        world.advance(20 * MINUTE);
        let told = world.schedule("orders", "often");
        assert_eq!(told["next_ms"], json!(multiples(10 * MINUTE, 3..=7)));
        assert_eq!(told["last_at_ms"], NEW_YEAR + 20 * MINUTE);
        let last = world.runs_of("orders").pop().unwrap();
        assert_eq!(told["last_run"], last);
        assert_eq!(told["timing"], json!({ "interval": { "every_ms": 10 * MINUTE } }));
        assert_eq!((&told["misfire"], &told["overlap"]), (&json!("all"), &json!("queue")));
        assert_eq!((&told["workflow"], &told["paused"], &told["queued"]), (&json!("orders"), &json!(false), &json!(0)));
        let told = world.schedule("orders", "yearly");
        assert_eq!(told["next_ms"][0], NEW_YEAR + YEAR);
        assert_eq!((&told["last_at_ms"], &told["last_run"]), (&Value::Null, &Value::Null));
        world.command(json!({ "pause": "orders" }));
        assert_eq!(world.schedule("orders", "yearly")["paused"], true);
    });
}

#[test]
fn schedules_are_told_in_pages() {
    lived(|world| {
        let of = |id: &str| {
            let schedules: Vec<Value> =
                (0..3).map(|number| every(&format!("{id}-{number}"), HOUR, json!({}))).collect();
            json!({ "id": id, "schedules": schedules, "nodes": [passed()] })
        };
        world.define(of("mails"));
        world.define(of("orders"));
        let mut names = Vec::new();
        let mut cursor = Value::Null;
        loop {
            let page = world.query(json!({ "schedules": { "limit": 2, "cursor": cursor } }));
            let page_names = page["schedules"].as_array().unwrap().iter();
            names.extend(page_names.map(|schedule| schedule["name"].as_str().unwrap().to_owned()));
            cursor = page["cursor"].clone();
            if cursor.is_null() {
                break;
            }
        }
        assert_eq!(names, ["mails-0", "mails-1", "mails-2", "orders-0", "orders-1", "orders-2"]);
    });
}

#[test]
fn a_run_says_which_schedule_has_started_it_and_for_when() {
    lived(|world| {
        world.define(brief(json!([
            cron("nightly", "30 3 * * *", json!({})),
            every("3/4 of a day, \"exactly\" ⏰", 18 * HOUR, json!({})),
        ])));
        world.advance(DAY);
        let runs = world.runs_of("orders");
        let row = world.inspect(&runs[0]);
        let trigger = json!({ "type": "schedule", "name": "nightly", "scheduledAt": "2025-01-01T03:30:00Z" });
        assert_eq!((&row["trigger"], &row["payload"]), (&trigger, &Value::Null));
        assert_eq!(row["created_at_ms"], NEW_YEAR + 3 * HOUR + 30 * MINUTE);
        let row = world.inspect(&runs[1]);
        let name = "3/4 of a day, \"exactly\" ⏰";
        let trigger = json!({ "type": "interval", "name": name, "scheduledAt": "2025-01-01T18:00:00Z" });
        assert_eq!(row["trigger"], trigger);
    });
}

#[test]
fn its_runs_have_the_priority_and_the_concurrency_of_their_workflow() {
    lived(|world| {
        let keyed = |name: &str, key: &str| every(name, MINUTE, json!({ "concurrency_key": key }));
        let schedules = json!([keyed("a", "one"), keyed("b", "one"), keyed("c", "other")]);
        world.define(with(working(schedules), json!({ "concurrency": 1, "priority": 50 })));
        world.define_nodes("mails", json!([step("work")]));
        world.offer(1);
        let first = world.start_with(json!({ "workflow": "mails", "priority": 100 }));
        let second = world.start("mails");
        world.advance(MINUTE);
        assert_eq!(world.executing_runs(), BTreeSet::from([first.clone()]));
        world.finish(&first, "work", 1);
        let runs = world.runs_of("orders");
        assert_eq!(runs.len(), 3);
        assert_eq!(
            world.executing_runs(),
            BTreeSet::from([runs[0].clone()]),
            "its priority is higher than that of mails"
        );
        world.offer(3);
        let expected = BTreeSet::from([runs[0].clone(), runs[2].clone(), second]);
        assert_eq!(world.executing_runs(), expected, "the second one has the key of the first");
    });
}

#[test]
fn its_runs_keep_the_rate_limit_of_their_workflow_by_key() {
    lived(|world| {
        let keyed = |name: &str, key: &str| every(name, 10 * MINUTE, json!({ "rate_key": key }));
        let schedules = json!([keyed("a", "one"), keyed("b", "one"), keyed("c", "other")]);
        world.define(with(working(schedules), json!({ "rate_limit": { "count": 1, "per_ms": MINUTE } })));
        world.advance(10 * MINUTE);
        let runs = world.runs_of("orders");
        assert_eq!(world.executing_runs(), BTreeSet::from([runs[0].clone(), runs[2].clone()]));
        world.advance(MINUTE);
        assert!(world.executing_runs().contains(&runs[1]));
    });
}

#[test]
fn nothing_starts_until_the_host_offers_slots() {
    lived(|world| {
        world.define(brief(json!([every("often", MINUTE, json!({ "misfire": "all" }))])));
        world.offer(0);
        assert_eq!(world.wake_at_ms, None);
        world.advance(3 * MINUTE);
        assert!(world.runs_of("orders").is_empty());
        world.offer(1);
        assert_eq!(world.instants("orders", "often"), multiples(MINUTE, 1..=3));
    });
}

#[test]
fn what_was_missed_while_nobody_was_there_is_made_up_for_by_its_misfire_policy() {
    lived(|world| {
        world.define(brief(json!([
            every("once", 10 * MINUTE, json!({})),
            every("skip", 10 * MINUTE, json!({ "misfire": "skip" })),
            every("all", 10 * MINUTE, json!({ "misfire": "all" })),
            cron("cron-all", "*/10 * * * *", json!({ "misfire": "all" })),
        ])));
        world.sleep_through(65 * MINUTE);
        world.advance(MINUTE);
        assert_eq!(world.instants("orders", "once"), multiples(10 * MINUTE, [6]));
        assert!(world.instants("orders", "skip").is_empty(), "five minutes late");
        assert_eq!(world.instants("orders", "all"), multiples(10 * MINUTE, 1..=6));
        assert_eq!(world.instants("orders", "cron-all"), multiples(10 * MINUTE, 1..=6));
        world.sleep_through(4 * MINUTE + 30 * SECOND);
        world.advance(10 * MINUTE);
        assert_eq!(world.instants("orders", "skip"), multiples(10 * MINUTE, [7, 8]), "half a minute late");
        assert_eq!(world.instants("orders", "once"), multiples(10 * MINUTE, [6, 7, 8]));
    });
}

#[test]
fn a_clock_that_goes_back_starts_nothing_twice_and_new_instants_go_on() {
    for back in [30 * SECOND, HOUR, YEAR] {
        lived(|world| {
            let all = json!({ "misfire": "all" });
            world.define(brief(json!([
                cron("cron", "*/10 * * * *", json!({})),
                every("interval", 10 * MINUTE, json!({})),
                cron("all", "*/10 * * * *", all),
            ])));
            world.advance(2 * HOUR);
            world.advance_at_once(-back);
            let went_back_to = world.now_ms;
            world.advance(HOUR);
            for name in ["cron", "interval", "all"] {
                let instants = world.instants("orders", name);
                let distinct: BTreeSet<i64> = instants.iter().copied().collect();
                assert_eq!(distinct.len(), instants.len(), "{name}, {back} back: {instants:?}");
                assert_eq!(instants[..12], multiples(10 * MINUTE, 1..=12));
                // Whatever it had not had before begins, as if the clock had always been right.
                let new: Vec<i64> = (1..=6)
                    .map(|number| went_back_to / (10 * MINUTE) * (10 * MINUTE) + number * 10 * MINUTE)
                    .filter(|instant| *instant <= world.now_ms && !instants[..12].contains(instant))
                    .collect();
                assert_eq!(instants[12..], new, "{name}, {back} back");
            }
        });
    }
}

#[test]
fn a_clock_that_goes_back_in_small_steps_has_gone_back() {
    lived(|world| {
        world.define(brief(json!([every("often", 10 * SECOND, json!({}))])));
        world
            .define(json!({ "id": "mails", "schedules": [cron("late", "0 1 * * *", json!({}))], "nodes": [passed()] }));
        world.advance(20 * SECOND);
        for _ in 0..100 {
            world.advance_at_once(-900);
        }
        let back_to = world.now_ms;
        world.advance(30 * SECOND);
        let instants = world.instants("orders", "often");
        assert_eq!(instants[..2], multiples(10 * SECOND, [1, 2]));
        assert!(instants.len() > 2, "it is not dead until the clock is where it was");
        assert!(instants[2..].iter().all(|instant| (back_to..=world.now_ms).contains(instant)), "{instants:?}");
    });
}

#[test]
fn a_clock_that_jumps_ahead_a_year_and_back_again_leaves_nothing_out_and_repeats_nothing() {
    lived(|world| {
        world.define(brief(json!([
            cron("all", "0 * * * *", json!({ "misfire": "all" })),
            cron("once", "0 * * * *", json!({})),
            every("interval", HOUR, json!({ "misfire": "all" })),
        ])));
        world.advance(3 * HOUR + 59 * MINUTE);
        world.advance_at_once(YEAR);
        // It comes back after an instant that it was not there for.
        world.advance_at_once(2 * MINUTE - YEAR);
        world.advance(5 * HOUR);
        for (name, ahead) in [("all", 1_000), ("once", 1), ("interval", 1_000)] {
            let instants = world.instants("orders", name);
            let distinct: BTreeSet<i64> = instants.iter().copied().collect();
            assert_eq!(distinct.len(), instants.len(), "{name}: {instants:?}");
            let (near, far): (Vec<i64>, Vec<i64>) = instants.iter().partition(|instant| **instant < NEW_YEAR + DAY);
            assert_eq!(near, multiples(HOUR, 1..=9), "{name}");
            let year = YEAR / HOUR;
            assert_eq!(far, multiples(HOUR, year + 4 - ahead..=year + 3), "{name}");
        }
    });
}

#[test]
fn what_a_clock_came_to_too_early_is_not_started_when_it_comes_there_again() {
    lived(|world| {
        world.define(brief(json!([cron("daily", "0 12 * * *", json!({ "misfire": "all" }))])));
        world.advance_at_once(10 * DAY);
        world.advance_at_once(-10 * DAY);
        world.sleep_through(10 * DAY);
        world.advance_at_once(-5 * DAY);
        world.advance(6 * DAY);
        let noon = |day: i64| NEW_YEAR + day * DAY + 12 * HOUR;
        assert_eq!(world.instants("orders", "daily"), (0..=10).map(noon).collect::<Vec<_>>());
    });
}

#[test]
fn requests_of_one_commit_may_each_have_another_clock() {
    lived(|world| {
        let tick = |minutes: i64| (NEW_YEAR + minutes * MINUTE, json!({ "echo": minutes }));
        world.define(brief(json!([every("often", 10 * MINUTE, json!({ "misfire": "all" }))])));
        let echoed = world.batch(&[tick(21), tick(20), tick(35), tick(11), tick(40), tick(5), tick(42)]);
        assert_eq!(echoed[6], json!(42));
        assert_eq!(world.instants("orders", "often"), multiples(10 * MINUTE, 1..=4));
        world.advance(8 * MINUTE);
        assert_eq!(world.instants("orders", "often"), multiples(10 * MINUTE, 1..=5));
    });
}

#[test]
fn another_timing_counts_from_now_on() {
    lived(|world| {
        world.define(brief(json!([every("often", 10 * MINUTE, json!({ "misfire": "all" }))])));
        world.advance(15 * MINUTE);
        world.define(brief(json!([every("often", 20 * MINUTE, json!({ "misfire": "all" }))])));
        world.advance(20 * MINUTE);
        let expected = [10, 35].map(|minute| NEW_YEAR + minute * MINUTE);
        assert_eq!(world.instants("orders", "often"), expected);
        world.define(brief(json!([cron("often", "*/10 * * * *", json!({ "misfire": "all" }))])));
        world.advance(5 * MINUTE);
        assert_eq!(world.instants("orders", "often").last(), Some(&(NEW_YEAR + 40 * MINUTE)));
        assert_eq!(world.instants("orders", "often").len(), 3);
    });
}

#[test]
fn another_policy_leaves_how_far_a_schedule_has_come() {
    lived(|world| {
        world.define(brief(json!([every("often", 10 * MINUTE, json!({}))])));
        world.advance(15 * MINUTE);
        let changed = json!({ "misfire": "all", "overlap": "queue", "rate_key": "key" });
        world.define(brief(json!([every("often", 10 * MINUTE, changed)])));
        world.advance(10 * MINUTE);
        assert_eq!(
            world.instants("orders", "often"),
            multiples(10 * MINUTE, [1, 2]),
            "still counted from its beginning"
        );
        world.advance_at_once(-10 * MINUTE);
        world.advance(10 * MINUTE);
        assert_eq!(world.instants("orders", "often").len(), 2);
    });
}

#[test]
fn instants_that_wait_start_runs_though_the_policy_is_another_one() {
    for (overlap, starts) in [("allow", 3), ("skip", 2)] {
        lived(|world| {
            let define = |world: &mut World, overlap: &str| {
                world.define(working(json!([every("often", 10 * MINUTE, json!({ "overlap": overlap }))])));
            };
            define(world, "queue");
            world.advance(35 * MINUTE);
            assert_eq!(world.schedule("orders", "often")["queued"], 2);
            define(world, overlap);
            if overlap == "skip" {
                finish_one(world);
            }
            world.advance(0);
            assert_eq!(world.instants("orders", "often"), multiples(10 * MINUTE, 1..=starts));
        });
    }
}

#[test]
fn a_schedule_that_is_removed_starts_nothing_and_begins_anew_when_it_is_there_again() {
    lived(|world| {
        let often = || every("often", 10 * MINUTE, json!({ "misfire": "all" }));
        world.define(brief(json!([often(), cron("other", "0 * * * *", json!({}))])));
        world.advance(15 * MINUTE);
        world.define(brief(json!([cron("other", "0 * * * *", json!({}))])));
        world.advance(60 * MINUTE);
        assert_eq!(world.instants("orders", "often").len(), 1);
        assert_eq!(world.instants("orders", "other").len(), 1, "the others stay");
        world.define(brief(json!([often()])));
        world.advance(10 * MINUTE);
        assert_eq!(world.instants("orders", "often"), [10, 85].map(|minute| NEW_YEAR + minute * MINUTE));
        world.define(json!({ "id": "orders", "nodes": [passed()] }));
        assert_eq!(world.query(json!({ "schedules": {} }))["schedules"], json!([]));
        world.advance(HOUR);
        assert_eq!((world.instants("orders", "often").len(), world.wake_at_ms), (2, None));
    });
}

#[test]
fn a_schedule_that_is_there_again_after_the_clock_went_back_repeats_no_instant() {
    for overlap in ["allow", "skip", "queue"] {
        lived(|world| {
            let hourly =
                || brief(json!([cron("hourly", "0 * * * *", json!({ "misfire": "all", "overlap": overlap }))]));
            world.define(hourly());
            world.advance(5 * HOUR);
            world.define(brief(json!([])));
            world.advance_at_once(-3 * HOUR - 30 * MINUTE);
            world.define(hourly());
            world.advance(5 * HOUR);
            assert_eq!(world.instants("orders", "hourly"), multiples(HOUR, 1..=6), "{overlap}");
        });
    }
}

#[test]
fn an_instant_that_had_its_run_before_does_not_hold_up_those_that_wait() {
    lived(|world| {
        let define = |world: &mut World, pattern: &str| {
            world.define(working(json!([cron("often", pattern, json!({ "misfire": "all", "overlap": "queue" }))])));
        };
        define(world, "*/10 * * * *");
        world.advance(30 * MINUTE);
        let first = world.runs_of("orders").remove(0);
        // With another timing it knows nothing of what it had, and the clock comes to that again.
        define(world, "*/20 * * * *");
        world.advance_at_once(-20 * MINUTE);
        world.advance(40 * MINUTE);
        assert_eq!(world.schedule("orders", "often")["queued"], 4, "10 executes; 20, 30, 20 again, 40");
        world.finish(&first, "work", 1);
        while !world.executing_runs().is_empty() {
            finish_one(world);
        }
        assert_eq!(world.instants("orders", "often"), multiples(10 * MINUTE, 1..=4));
        assert_eq!(world.schedule("orders", "often")["queued"], 0);
    });
}

#[test]
fn an_instant_whose_run_was_deleted_is_not_repeated_when_the_clock_goes_back() {
    lived(|world| {
        let definition = brief(json!([cron("often", "*/10 * * * *", json!({ "misfire": "all" }))]));
        world.define(with(definition, json!({ "retention_ms": MINUTE })));
        world.advance(25 * MINUTE);
        assert!(world.runs_of("orders").is_empty(), "they are deleted");
        world.advance_at_once(-25 * MINUTE);
        world.advance(25 * MINUTE);
        world.advance(4 * MINUTE);
        assert!(world.runs_of("orders").is_empty());
        assert_eq!(world.schedule("orders", "often")["last_at_ms"], NEW_YEAR + 20 * MINUTE);
        world.advance(MINUTE);
        assert_eq!(world.instants("orders", "often"), multiples(10 * MINUTE, [3]));
    });
}

#[test]
fn a_wall_clock_time_that_does_not_exist_starts_one_run_after_the_gap() {
    live(|world| {
        // 2025-03-30T00:00:00Z: an hour before the clocks in Berlin go from 02:00 to 03:00.
        world.now_ms = 1_743_292_800_000;
        let berlin = |name: &str, pattern: &str| json!({ "name": name, "timing": { "cron": { "pattern": pattern, "timezone": "Europe/Berlin" } } });
        world.define(brief(json!([berlin("half past two", "30 2 * * *"), berlin("quarters", "*/15 2 * * *")])));
        let gap = world.now_ms + HOUR;
        assert_eq!(world.schedule("orders", "half past two")["next_ms"][1], gap + 23 * HOUR + 30 * MINUTE);
        world.advance(DAY - MINUTE);
        assert_eq!(world.instants("orders", "half past two"), [gap]);
        assert_eq!(world.instants("orders", "quarters"), [gap]);
        // At 00:00Z it is 02:00 in Berlin from now on.
        world.advance(HOUR);
        assert_eq!(world.instants("orders", "half past two").len(), 2);
        assert_eq!(world.instants("orders", "quarters").len(), 5);
    });
}

#[test]
fn a_wall_clock_time_that_comes_twice_starts_one_run() {
    live(|world| {
        // 2025-10-26T00:00:00Z: an hour before the clocks in Berlin go from 03:00 to 02:00.
        world.now_ms = 1_761_436_800_000;
        let timing = json!({ "cron": { "pattern": "30 2 * * *", "timezone": "Europe/Berlin" } });
        world.define(brief(json!([{ "name": "nightly", "timing": timing }])));
        let first = world.now_ms + 30 * MINUTE;
        world.advance(5 * HOUR);
        assert_eq!(world.instants("orders", "nightly"), [first]);
    });
}

#[test]
fn a_run_begins_up_to_the_jitter_after_its_instant() {
    lived(|world| {
        let jittered = |name: &str, overlap: &str| {
            every(name, 10 * MINUTE, json!({ "jitter_ms": 5 * MINUTE, "misfire": "skip", "overlap": overlap }))
        };
        world.define(brief(json!([jittered("a", "allow"), jittered("b", "skip"), jittered("c", "queue")])));
        world.advance(100 * MINUTE + 5 * MINUTE);
        for name in ["a", "b", "c"] {
            assert_eq!(world.instants("orders", name), multiples(10 * MINUTE, 1..=10));
        }
        let mut offsets = BTreeSet::new();
        for run in world.runs_of("orders") {
            let row = world.inspect(&run);
            let offset = (row["created_at_ms"].as_i64().unwrap() - NEW_YEAR) % (10 * MINUTE);
            assert!(offset <= 5 * MINUTE, "{row}");
            offsets.insert(offset);
        }
        assert!(offsets.len() > 20, "they differ: {offsets:?}");
    });
}

#[test]
fn an_instant_starts_a_run_beside_one_that_has_not_ended_or_not() {
    lived(|world| {
        world.define(working(json!([
            every("allow", 10 * MINUTE, json!({})),
            every("skip", 10 * MINUTE, json!({ "overlap": "skip" })),
            every("queue", 10 * MINUTE, json!({ "overlap": "queue" })),
        ])));
        world.advance(30 * MINUTE);
        let instants = |world: &mut World| ["allow", "skip", "queue"].map(|name| world.instants("orders", name));
        let tens = |numbers: &[i64]| multiples(10 * MINUTE, numbers.iter().copied());
        assert_eq!(instants(world), [tens(&[1, 2, 3]), tens(&[1]), tens(&[1])]);
        assert_eq!(world.schedule("orders", "queue")["queued"], 2);
        while world.executing_runs().len() > 1 {
            finish_one(world);
        }
        assert_eq!(instants(world)[2], tens(&[1, 2]), "when the one before had ended");
        finish_one(world);
        assert_eq!(instants(world)[2], tens(&[1, 2, 3]));
        world.advance(10 * MINUTE);
        assert_eq!(instants(world)[1], tens(&[1, 4]));
        assert_eq!(world.schedule("orders", "queue")["queued"], 1, "the run of the third still executes");
        while !world.executing_runs().is_empty() {
            finish_one(world);
        }
        assert_eq!(instants(world)[2], tens(&[1, 2, 3, 4]));
    });
}

#[test]
fn a_run_that_waits_or_queues_has_not_ended_and_one_that_failed_or_was_cancelled_has() {
    lived(|world| {
        let nodes = json!([step("work"), node("wait_for_event", "pay", json!({ "event": "paid" }))]);
        let schedules = json!([every("often", 10 * MINUTE, json!({ "overlap": "queue" }))]);
        world.define(json!({ "id": "orders", "schedules": schedules, "nodes": nodes }));
        world.advance(10 * MINUTE);
        let run = |world: &mut World| world.runs_of("orders").pop().unwrap();
        let first = run(world);
        world.finish(&first, "work", 1);
        world.advance(20 * MINUTE);
        assert_eq!((world.runs_of("orders").len(), world.status(&first).as_str()), (1, "waiting"));
        world.command(json!({ "publish": { "name": "paid" } }));
        assert_eq!(world.status(&first), "completed");
        let second = run(world);
        world.fail(&second, "work", "no");
        assert_eq!(world.status(&second), "failed");
        let third = run(world);
        assert_eq!(world.runs_of("orders").len(), 3);
        world.offer(0);
        world.advance(10 * MINUTE);
        world.offer(100);
        world.command(json!({ "cancel": { "run": third } }));
        assert_eq!(world.instants("orders", "often"), multiples(10 * MINUTE, 1..=4));
    });
}

#[test]
fn a_run_that_is_retried_holds_up_the_instants_of_its_schedule_again() {
    lived(|world| {
        world.define(working(json!([every("often", 10 * MINUTE, json!({ "overlap": "skip" }))])));
        world.advance(10 * MINUTE);
        let run = world.runs_of("orders").remove(0);
        world.fail(&run, "work", "no");
        world.command(json!({ "retry": { "run": run } }));
        world.advance(10 * MINUTE);
        assert_eq!(world.instants("orders", "often"), multiples(10 * MINUTE, [1]));
        world.finish(&run, "work", 1);
        world.advance(10 * MINUTE);
        assert_eq!(world.instants("orders", "often"), multiples(10 * MINUTE, [1, 3]));
    });
}

#[test]
fn a_run_that_was_started_otherwise_holds_up_nothing() {
    lived(|world| {
        world.define(working(json!([
            every("often", 10 * MINUTE, json!({ "overlap": "skip" })),
            every("other", 9 * MINUTE, json!({})),
        ])));
        world.start("orders");
        world.advance(10 * MINUTE);
        assert_eq!(world.instants("orders", "often").len(), 1);
        let run = world.runs_of("orders").pop().unwrap();
        world.finish(&run, "work", 1);
        let replayed = world.command(json!({ "replay": { "run": run } }));
        assert!(replayed["run"].is_string(), "{replayed}");
        world.advance(10 * MINUTE);
        // A replay has the trigger of its run, and is no run of the schedule.
        assert_eq!(world.instants("orders", "often"), multiples(10 * MINUTE, [1, 1, 2]));
    });
}

#[test]
fn a_run_that_is_stuck_holds_up_nothing() {
    for overlap in ["skip", "queue"] {
        restarted(|world| {
            let often = json!([every("often", 10 * MINUTE, json!({ "overlap": overlap }))]);
            world.define(json!({ "id": "orders", "schedules": often, "nodes": [step("work"), step("more")] }));
            world.advance(10 * MINUTE);
            let first = world.runs_of("orders").remove(0);
            world.finish(&first, "work", 1);
            world.advance(10 * MINUTE);
            assert_eq!(world.runs_of("orders").len(), 1);
            // The next process finds that its run does not fit.
            world.define(json!({ "id": "orders", "schedules": often, "nodes": [step("other")] }));
            assert_eq!(world.status(&first), "stuck");
            world.advance(MINUTE);
            let started = if overlap == "queue" { vec![1, 2] } else { vec![1] };
            assert_eq!(world.instants("orders", "often"), multiples(10 * MINUTE, started), "what waits begins at once");
            world.advance(9 * MINUTE);
            let started = if overlap == "queue" { vec![1, 2] } else { vec![1, 3] };
            assert_eq!(world.instants("orders", "often"), multiples(10 * MINUTE, started));
        });
    }
}

#[test]
fn a_paused_workflow_starts_nothing_whatever_the_misfire_policy() {
    for misfire in ["skip", "once", "all"] {
        lived(|world| {
            world.define(brief(json!([
                every("often", 10 * MINUTE, json!({ "misfire": misfire })),
                cron("cron", "*/10 * * * *", json!({ "misfire": misfire })),
            ])));
            world.advance(10 * MINUTE);
            world.command(json!({ "pause": "orders" }));
            world.advance(20 * MINUTE);
            // Also what nobody was there for, and what is due when it goes on.
            world.sleep_through(30 * MINUTE);
            world.command(json!({ "unpause": "orders" }));
            world.advance(9 * MINUTE);
            for name in ["often", "cron"] {
                assert_eq!(world.instants("orders", name), multiples(10 * MINUTE, [1]), "{name}");
            }
            world.advance(MINUTE);
            for name in ["often", "cron"] {
                assert_eq!(world.instants("orders", name), multiples(10 * MINUTE, [1, 7]), "{name}");
            }
        });
    }
}

#[test]
fn unpausing_a_workflow_that_is_not_paused_loses_nothing() {
    lived(|world| {
        world.define(brief(json!([every("often", 10 * MINUTE, json!({ "misfire": "all" }))])));
        world.offer(0);
        world.advance(30 * MINUTE);
        world.command(json!({ "unpause": "orders" }));
        assert!(world.runs_of("orders").is_empty());
        world.offer(100);
        assert_eq!(world.instants("orders", "often"), multiples(10 * MINUTE, 1..=3));
    });
}

#[test]
fn what_is_queued_waits_for_slots_to_be_offered() {
    for is_paused in [false, true] {
        lived(|world| {
            world.define(working(json!([every("often", 10 * MINUTE, json!({ "overlap": "queue" }))])));
            world.advance(20 * MINUTE);
            let first = world.runs_of("orders").remove(0);
            if is_paused {
                world.command(json!({ "pause": "orders" }));
            }
            world.offer(0);
            world.command(json!({ "cancel": { "run": first } }));
            if is_paused {
                world.command(json!({ "unpause": "orders" }));
            }
            assert_eq!(world.instants("orders", "often"), multiples(10 * MINUTE, [1]));
            world.offer(100);
            world.advance(MINUTE);
            let started = world.instants("orders", "often");
            assert_eq!(started, multiples(10 * MINUTE, [1, 2]), "and not for the next instant");
        });
    }
}

#[test]
fn what_is_queued_waits_for_a_paused_workflow_to_go_on() {
    lived(|world| {
        world.define(working(json!([every("often", 10 * MINUTE, json!({ "overlap": "queue" }))])));
        world.advance(20 * MINUTE);
        world.command(json!({ "pause": "orders" }));
        world.advance(10 * MINUTE);
        let first = world.runs_of("orders").remove(0);
        world.command(json!({ "cancel": { "run": first } }));
        world.advance(10 * MINUTE);
        assert_eq!(world.instants("orders", "often"), multiples(10 * MINUTE, [1]));
        assert_eq!(world.schedule("orders", "often")["queued"], 1, "what came meanwhile does not queue");
        world.command(json!({ "unpause": "orders" }));
        assert_eq!(world.instants("orders", "often"), multiples(10 * MINUTE, [1, 2]));
        finish_one(world);
        world.advance(10 * MINUTE);
        assert_eq!(world.instants("orders", "often"), multiples(10 * MINUTE, [1, 2, 5]));
    });
}

#[test]
fn the_schedules_of_a_workflow_that_is_not_defined_wait_for_it() {
    restarted(|world| {
        let often = || brief(json!([every("often", 10 * MINUTE, json!({ "misfire": "all" }))]));
        world.define(often());
        world.define_nodes("mails", json!([step("work")]));
        world.advance(10 * MINUTE);
        world.undefine("orders");
        assert_eq!(world.wake_at_ms, None);
        world.advance(20 * MINUTE);
        assert_eq!(world.instants("orders", "often"), multiples(10 * MINUTE, [1]));
        assert_eq!(world.schedule("orders", "often")["next_ms"][0], NEW_YEAR + 20 * MINUTE, "it is not forgotten");
        world.define(often());
        world.advance(0);
        assert_eq!(world.instants("orders", "often"), multiples(10 * MINUTE, 1..=3));
    });
}

#[test]
fn an_instant_that_waits_is_started_though_the_run_before_ended_without_its_workflow() {
    restarted(|world| {
        let daily = || working(json!([every("daily", DAY, json!({ "overlap": "queue" }))]));
        world.define(daily());
        world.advance(2 * DAY);
        let first = world.runs_of("orders").remove(0);
        world.undefine("orders");
        world.command(json!({ "cancel": { "run": first } }));
        assert_eq!(world.runs_of("orders").len(), 1);
        world.define(daily());
        world.advance(MINUTE);
        assert_eq!(world.instants("orders", "daily"), multiples(DAY, [1, 2]), "not a day later");
    });
}

fn two_thousand(world: &mut World) {
    world.now_ms = NEW_YEAR;
    for id in ["a", "b"] {
        let schedules: Vec<Value> = (0..1_000).map(|number| every(&number.to_string(), MINUTE, json!({}))).collect();
        world.define(json!({ "id": id, "schedules": schedules, "nodes": [passed()] }));
    }
}

#[test]
fn more_schedules_than_one_commit_looks_at_all_start_their_runs() {
    live(|world| {
        two_thousand(world);
        world.advance(MINUTE);
        for id in ["a", "b"] {
            assert_eq!(world.runs_of(id).len(), 1_000, "{id}");
        }
    });
}

#[test]
fn the_host_is_asked_at_once_for_the_schedules_that_one_commit_has_left() {
    let mut world = World::new(Mode::Straight);
    two_thousand(&mut world);
    world.advance_at_once(MINUTE);
    assert_eq!(world.wake_at_ms, Some(NEW_YEAR + MINUTE));
    world.advance_at_once(0);
    assert_eq!(world.wake_at_ms, Some(NEW_YEAR + 2 * MINUTE));
}

#[test]
fn what_a_run_is_pinned_to_is_not_when_others_start() {
    lived(|world| {
        let define =
            |world: &mut World, definition: Value| world.command(json!({ "define": definition }))["hash"].clone();
        let one = define(world, json!({ "id": "orders", "nodes": [step("work")] }));
        let other = define(world, working(json!([every("often", MINUTE, json!({}))])));
        assert_eq!(one, other);
        assert_eq!(world.schedule("orders", "often")["timing"]["interval"]["every_ms"], MINUTE);
    });
}

#[test]
fn the_current_version_says_when_runs_start() {
    lived(|world| {
        let version = |version: &str, schedule: &str| {
            with(brief(json!([every(schedule, 10 * MINUTE, json!({}))])), json!({ "version": version }))
        };
        let defined = world.command(json!({ "define": [version("1", "old"), version("2", "new")] }));
        assert!(defined["hash"].is_string(), "{defined}");
        let told = world.query(json!({ "schedules": {} }));
        assert_eq!(told["schedules"].as_array().unwrap().len(), 1, "{told}");
        assert_eq!(told["schedules"][0]["name"], "new");
    });
}

#[test]
fn a_schedule_that_makes_no_sense_is_refused_with_what_is_wrong() {
    let zone = json!({ "cron": { "pattern": "0 * * * *", "timezone": "Europe/Atlantis" } });
    for (schedules, said) in [
        (json!([cron("a", "61 * * * *", json!({}))]), "minute"),
        (json!([cron("a", "0 25 * * *", json!({}))]), "hour"),
        (json!([cron("a", "0 0 30 2 *", json!({}))]), "0 0 30 2 *"),
        (json!([cron("a", "every day", json!({}))]), "every day"),
        (json!([{ "name": "a", "timing": zone }]), "Europe/Atlantis"),
        (json!([every("a", 1, json!({})), every("a", 2, json!({}))]), "two schedules named `a`"),
        (json!([every("a", 0, json!({}))]), "every_ms"),
        (json!([every("a", 101 * YEAR, json!({}))]), "every_ms"),
        (json!([{ "name": "a", "timing": { "poll": { "every_ms": 0 } } }]), "every_ms"),
        (json!([every("a", 1, json!({ "jitter_ms": 101 * YEAR }))]), "jitter_ms"),
        (json!([every("", 1, json!({}))]), "schedule name"),
        (json!([every(&"x".repeat(129), 1, json!({}))]), "schedule name"),
        (json!([every("a", 1, json!({ "misfire": "never" }))]), "never"),
        (json!([every("a", 1, json!({ "overlap": "never" }))]), "never"),
        (json!([every("a", 1, json!({ "another": 1 }))]), "another"),
        (json!([{ "name": "a", "timing": { "interval": { "every_ms": -1 } } }]), "-1"),
        (Value::from((0..1_001).map(|number| every(&number.to_string(), 1, json!({}))).collect::<Vec<_>>()), "1000"),
    ] {
        lived(|world| {
            let refused = world.command(json!({ "define": brief(schedules.clone()) }))["refused"].clone();
            assert_eq!(refused["code"], "definition_invalid", "{refused}");
            let message = refused["message"].as_str().unwrap();
            assert!(message.contains(said), "`{said}` is not in: {message}");
            assert_eq!(world.query(json!({ "schedules": {} }))["schedules"], json!([]));
        });
    }
}
