//! The simulator finds what it is built to find: every planted bug, in seeds that pass without it.

use cronflow::sim::{Bug, plant, simulate};

/// Every planted bug is found within so many seeds; most are found within ten.
const SEEDS: u64 = 400;

#[test]
fn every_planted_bug_is_found_in_seeds_that_pass_without_it() {
    for bug in Bug::ALL {
        plant(Some(bug));
        let found = (0..SEEDS).find_map(|seed| simulate(seed).failure);
        plant(None);
        let failure = found.unwrap_or_else(|| panic!("{bug:?} was not found in {SEEDS} seeds"));
        println!("{bug:?}: seed {}: {}", failure.seed, failure.violation.rule);
        if let Some(innocent) = simulate(failure.seed).failure {
            panic!("without {bug:?}:\n{innocent}");
        }
    }
}

/// Kinds of nodes, and functions of theirs, with the ways in which each must have ended somewhere.
const LIVED_THROUGH: &[(&str, &[&str], &[&str])] = &[
    ("step", &["body", "on_error"], &["completed", "failed", "interrupted interrupted"]),
    ("step", &["body"], &["timed_out step_timeout", "cancelled race_lost", "failed circuit_open"]),
    ("action", &["body", "on_error"], &["completed", "failed"]),
    ("if", &["condition", "on_error"], &["completed", "failed"]),
    ("parallel", &["body"], &["completed", "failed"]),
    ("race", &["body"], &["completed", "failed"]),
    ("while", &["condition", "body"], &["completed", "failed"]),
    ("while", &["body"], &["failed too_many_iterations"]),
    ("for_each", &["items", "body"], &["completed", "failed"]),
    ("sleep", &["duration", "body"], &["completed"]),
    ("sleep_until", &["duration", "body"], &["completed"]),
    ("wait_for_event", &["filter", "body"], &["completed"]),
    ("wait_for_event", &["filter"], &["failed", "interrupted interrupted"]),
    ("approval", &["on_pause", "on_timeout"], &["completed", "failed"]),
    ("approval", &["body"], &["completed", "cancelled cancelled"]),
    ("subflow", &["start", "input", "body"], &["completed"]),
    ("subflow", &["body"], &["failed", "failed workflow_not_found", "failed subflow_cancelled"]),
    ("run", &["on_success", "on_failure"], &["completed", "failed"]),
    ("run", &["retry"], &["completed"]),
];

/// What must have happened somewhere to schedules, polls, messages and events that start runs.
const STARTED_THROUGH: &[&str] = &[
    "an instant",
    "an instant with jitter",
    "misfire `once`",
    "misfire `all`",
    "misfire `all`, one after the other",
    "misfire `skip`, and the last one is late",
    "misfire `skip`, and the last one is not late",
    "more are missed than are made up for",
    "an instant comes while its workflow is paused",
    "the clock goes back",
    "overlap `skip`, and a run has not ended",
    "overlap `queue`, and a run has not ended",
    "overlap `queue`, and the run before has ended",
    "a schedule gets another timing",
    "what is queued stays queued under another timing",
    "a poll gives items",
    "a poll gives an item again",
    "a poll fails",
    "a poll that was not answered is asked again soon",
    "a message is delivered again",
    "a message is delivered again when it is forgotten",
    "an event starts several runs",
    "a question is to be asked again",
];

#[test]
fn everything_of_interest_is_lived_through() {
    let seen: std::collections::BTreeSet<String> = (0..SEEDS).flat_map(|seed| simulate(seed).lived_through).collect();
    for wanted in STARTED_THROUGH {
        assert!(seen.contains(*wanted), "`{wanted}` did not happen in {SEEDS} seeds: {seen:#?}");
    }
    for (kind, functions, ends) in LIVED_THROUGH {
        for (function, end) in functions.iter().flat_map(|function| ends.iter().map(move |end| (function, end))) {
            let wanted = format!("{kind} {function} {end}");
            assert!(seen.contains(&wanted), "`{wanted}` did not happen in {SEEDS} seeds: {seen:#?}");
        }
    }
}

#[test]
fn the_same_seed_is_the_same_world() {
    for seed in (0..30).chain([63]) {
        let (one, other) = (simulate(seed), simulate(seed));
        assert_eq!(one.trace, other.trace, "seed {seed}");
        assert_eq!(one.counts, other.counts, "seed {seed}");
    }
    assert_ne!(simulate(0).trace, simulate(1).trace);
}

#[test]
fn the_engine_keeps_its_promises() {
    for seed in 0..SEEDS {
        if let Some(failure) = simulate(seed).failure {
            panic!("{failure}");
        }
    }
}
