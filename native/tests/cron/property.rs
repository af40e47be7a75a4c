//! What holds for every zone, pattern and time.

use jiff::civil::Date;
use jiff::tz::{AmbiguousOffset, TimeZone, TimeZoneDatabase};

use crate::instants::{cron, fires_between};
use crate::model::{Pattern, Random, second};

const HOUR_S: i64 = 3_600;
const DAY_S: i64 = 24 * HOUR_S;
/// From 1970 to 2100.
const YEARS_S: u64 = 130 * 365 * DAY_S as u64;

fn zone_names() -> Vec<String> {
    TimeZoneDatabase::bundled().available().map(|name| name.to_string()).collect()
}

fn zone(name: &str) -> TimeZone {
    TimeZoneDatabase::bundled().get(name).unwrap()
}

fn milliseconds(seconds: &[i64]) -> Vec<i64> {
    seconds.iter().map(|second| second * 1_000).collect()
}

#[test]
fn around_transitions_next_and_latest_are_what_a_walk_through_every_second_finds() {
    let mut random = Random(1);
    let mut fired = 0;
    for (place, name) in zone_names().iter().cycle().take(1_500).enumerate() {
        let zone = zone(name);
        let somewhen = random.below(YEARS_S) as i64;
        let transition = zone.following(second(somewhen)).next().map_or(somewhen, |next| next.timestamp().as_second());
        let from = transition - random.below(4 * HOUR_S as u64) as i64;
        let until = transition + random.below(28 * HOUR_S as u64) as i64;
        let pattern = Pattern::random(&mut random);
        let expected = milliseconds(&pattern.walk(&zone, from, until));
        let case = format!("case {place}: `{}` in {name}, seconds {from}..{until}", pattern.text());
        let cron = cron(&pattern.text(), name);
        assert_eq!(fires_between(&cron, from * 1_000, until * 1_000), expected, "{case}");
        let count = random.below(expected.len() as u64 + 3) as usize;
        let latest = &expected[expected.len().saturating_sub(count)..];
        assert_eq!(cron.latest(from * 1_000, until * 1_000 - 1, count), latest, "{case}, latest {count}");
        fired += usize::from(!expected.is_empty());
    }
    assert!(fired > 500, "only {fired} cases fire at all");
}

#[test]
fn far_apart_instants_have_nothing_between_them() {
    let mut random = Random(2);
    for (place, name) in zone_names().iter().cycle().take(3_000).enumerate() {
        let zone = zone(name);
        let pattern = Pattern::random(&mut random);
        let cron = cron(&pattern.text(), name);
        let case = format!("case {place}: `{}` in {name}", pattern.text());
        let from = random.below(YEARS_S * 1_000) as i64;
        let mut before = from;
        let mut found = Vec::new();
        for _ in 0..5 {
            let next = cron.next(before).unwrap();
            assert!(next > before, "{case}");
            assert_eq!(next % 1_000, 0, "{case}");
            assert!(stands_for_a_match(&pattern, &zone, next / 1_000), "{case}, {next}");
            assert_eq!(missed_day(&pattern, &zone, before.div_euclid(1_000), next / 1_000), None, "{case}");
            found.push(next);
            before = next;
        }
        assert_eq!(cron.latest(from + 1, before, usize::MAX), found, "{case}");
        assert_eq!(cron.latest(i64::MIN, before, 5), found, "{case}");
    }
}

/// Whether the wall shows a time of the pattern, or has just skipped one.
fn stands_for_a_match(pattern: &Pattern, zone: &TimeZone, instant: i64) -> bool {
    if pattern.has(zone.to_datetime(second(instant))) {
        return true;
    }
    let is_after_gap = zone.to_offset(second(instant)).seconds() > zone.to_offset(second(instant - 1)).seconds();
    !pattern.is_hourly() && is_after_gap && pattern.walk(zone, instant, instant + 1) == [instant]
}

/// A date of the pattern that begins after the first instant and ends before the second one.
fn missed_day(pattern: &Pattern, zone: &TimeZone, after: i64, before: i64) -> Option<Date> {
    let date = |instant| zone.to_datetime(second(instant)).date();
    // One date more at each end, where the wall may have been set back over midnight.
    let (first, last) = (date(after).tomorrow().unwrap().tomorrow().unwrap(), date(before).yesterday().unwrap());
    let mut between = first.series(jiff::Span::new().days(1)).take_while(|day| *day < last);
    // On a day that a zone skips as a whole, real hours do not happen.
    let exists =
        |day: Date| !matches!(zone.to_ambiguous_timestamp(day.at(12, 0, 0, 0)).offset(), AmbiguousOffset::Gap { .. });
    between.find(|day| pattern.has_date(*day) && (exists(*day) || !pattern.is_hourly()))
}
