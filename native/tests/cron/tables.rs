//! Every instant of years in many zones, compared with tables that `expected.ts` has made from another source of zones
//! and by walking every minute.

use std::fs;
use std::path::Path;

use crate::instants::{at, cron, fires_between, show};

#[test]
fn every_instant_is_as_expected() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cron/expected");
    let tables: Vec<_> = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(tables.len() >= 10, "tables are missing");
    let compared: usize = tables.iter().map(|path| compare(&fs::read_to_string(path).unwrap())).sum();
    assert!(compared > 1_000_000, "only {compared} instants");
}

/// A table: a line with the zone and the span, then for each pattern its line and its instants.
fn compare(table: &str) -> usize {
    let (head, sections) = table.split_once("\n\n").unwrap();
    let [zone, from, until] = *head.split(' ').collect::<Vec<_>>() else { panic!("not a head: {head}") };
    let midnight = |date: &str| at(&format!("{date}T00:00Z"));
    let compare_section = |section: &str| {
        let (pattern, lines) = section.trim_start_matches('[').split_once(']').unwrap();
        let expected: Vec<i64> = lines.trim().lines().flat_map(instants).collect();
        compare_instants(pattern, zone, (midnight(from), midnight(until)), &expected);
        expected.len()
    };
    sections.split("\n\n").map(compare_section).sum()
}

fn compare_instants(pattern: &str, zone: &str, (from, until): (i64, i64), expected: &[i64]) {
    let cron = cron(pattern, zone);
    for found in [fires_between(&cron, from, until), cron.latest(from, until - 1, usize::MAX)] {
        let differing = (0..expected.len().max(found.len())).find(|&place| expected.get(place) != found.get(place));
        if let Some(place) = differing {
            let text = |instants: &[i64]| instants.get(place).map_or("none".into(), |&instant| show(instant));
            panic!("`{pattern}` in {zone}, instant {place}: expected {}, is {}", text(expected), text(&found));
        }
    }
}

/// A line is the first of a run of equal days, their number, and their times, in UTC.
fn instants(line: &str) -> impl Iterator<Item = i64> {
    const DAY_MS: i64 = 86_400_000;
    let mut words = line.split(' ');
    let (first, count) = (words.next().unwrap(), words.next().unwrap().parse::<i64>().unwrap());
    let times: Vec<i64> = words.map(|time| at(&format!("{first}T{time}Z"))).collect();
    (0..count).flat_map(move |day| times.clone().into_iter().map(move |time| time + day * DAY_MS))
}
