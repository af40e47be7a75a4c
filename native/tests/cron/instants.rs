//! Instants as people write them.

use cronflow::cron::Cron;
use jiff::Timestamp;

/// A pattern that is right.
pub fn cron(pattern: &str, zone: &str) -> Cron {
    Cron::parse(pattern, zone).unwrap_or_else(|error| panic!("`{pattern}` in {zone}: {error}"))
}

/// `2025-03-30T01:00Z` in milliseconds since 1970.
pub fn at(text: &str) -> i64 {
    text.parse::<Timestamp>().unwrap_or_else(|error| panic!("{text}: {error}")).as_millisecond()
}

/// Milliseconds since 1970 as `2025-03-30T01:00:00Z`.
pub fn show(instant_ms: i64) -> String {
    Timestamp::from_millisecond(instant_ms).unwrap().to_string()
}

/// All instants within `from..until`, by `next`.
pub fn fires_between(cron: &Cron, from_ms: i64, until_ms: i64) -> Vec<i64> {
    let first = cron.next(from_ms - 1);
    std::iter::successors(first, |&last| cron.next(last)).take_while(|&instant| instant < until_ms).collect()
}

/// The instants within `from..until`, by `next` and, which must say the same, by `latest`.
pub fn fires(pattern: &str, zone: &str, from: &str, until: &str) -> Vec<String> {
    let (cron, from, until) = (cron(pattern, zone), at(from), at(until));
    let instants = fires_between(&cron, from, until);
    assert_eq!(cron.latest(from, until - 1, usize::MAX), instants, "`{pattern}` in {zone}");
    instants.into_iter().map(show).collect()
}
