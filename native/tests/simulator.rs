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
