//! Random schedules, and when the world begins: near the times at which clocks on walls are changed.

use super::random::Random;
use crate::definition::{Misfire, Overlap, ScheduleSpec, Timing};

const SECOND_MS: u64 = 1_000;
const MINUTE_MS: u64 = 60 * SECOND_MS;
const HOUR_MS: u64 = 60 * MINUTE_MS;

/// 100 years of 365 days: nothing comes of it while a world lives.
const NEVER_MS: u64 = 100 * 365 * 24 * HOUR_MS;

/// Some minutes before the clock of a zone of [`ZONES`] is changed, or before nothing in particular.
const BEGINNINGS: [i64; 7] = [
    1_700_000_000_000, // 14 November 2023
    1_710_053_400_000, // New York, an hour is skipped
    1_730_612_400_000, // New York, an hour is repeated
    1_711_846_200_000, // Berlin, an hour is skipped
    1_729_989_000_000, // Berlin, an hour is repeated
    1_728_141_600_000, // Lord Howe Island, half an hour is skipped
    1_712_415_000_000, // Lord Howe Island, half an hour is repeated
];

/// One without changes, and some with.
const ZONES: [&str; 5] = ["UTC", "Asia/Kolkata", "America/New_York", "Europe/Berlin", "Australia/Lord_Howe"];

/// Patterns, with the shortest time between two of their instants.
const OFTEN: [(&str, u64); 6] = [
    ("*/20 * * * * *", 20 * SECOND_MS),
    ("* * * * *", MINUTE_MS),
    ("15 */2 * * * *", 2 * MINUTE_MS),
    ("*/5 * * * *", 5 * MINUTE_MS),
    ("*/7 * * * *", 4 * MINUTE_MS),
    ("0,1,30 1-3 * * *", MINUTE_MS),
];
const HOURLY: [(&str, u64); 5] = [
    ("*/15 * * * *", 15 * MINUTE_MS),
    ("*/30 0-3 * * *", 15 * MINUTE_MS),
    ("@hourly", 30 * MINUTE_MS),
    ("30 59 * * * *", 30 * MINUTE_MS),
    ("10 1,2,3 * * *", 30 * MINUTE_MS),
];
const SELDOM: [(&str, u64); 6] = [
    ("30 2 * * SUN", 24 * HOUR_MS),
    ("0 30 1 * * 0", 24 * HOUR_MS),
    ("0 0 1,15 * *", 24 * HOUR_MS),
    ("30 2 L * *", 24 * HOUR_MS),
    ("15 2 * 3,11 SUN", 24 * HOUR_MS),
    ("0 12 15W */2 *", 24 * HOUR_MS),
];

/// When a world lives, and how its clock may jump.
#[derive(Debug, Clone, Copy)]
pub struct Calendar {
    /// What the clock shows at first.
    pub begins_at_ms: i64,
    /// Workflows have schedules.
    has_schedules: bool,
    /// The clock may jump by a year.
    pub jumps_years: bool,
    /// A schedule misses more instants than are made up for.
    pub is_flooded: bool,
}

impl Calendar {
    /// Some calendar.
    pub fn random(random: &mut Random) -> Calendar {
        let has_schedules = random.chance(600);
        let is_flooded = has_schedules && random.chance(8);
        let jumps_years = is_flooded || has_schedules && random.chance(300);
        Calendar { begins_at_ms: *random.pick(&BEGINNINGS), has_schedules, jumps_years, is_flooded }
    }
}

/// The schedules of one workflow.
pub fn schedules(calendar: &Calendar, random: &mut Random) -> Vec<ScheduleSpec> {
    if calendar.is_flooded {
        let misfire = Misfire::All;
        let overlap = if random.chance(700) { Overlap::Allow } else { Overlap::Queue };
        let timing = Timing::Interval { every_ms: random.between(1, 30) * MINUTE_MS };
        return vec![ScheduleSpec { misfire, overlap, ..named(0, timing) }];
    }
    let many = if calendar.has_schedules { random.below(4) } else { 0 };
    (0..many).map(|number| schedule(number, calendar, random)).collect()
}

/// A schedule that a workflow has in addition, or instead.
pub fn schedule(number: u64, calendar: &Calendar, random: &mut Random) -> ScheduleSpec {
    let misfire = *random.pick(&[Misfire::Skip, Misfire::Once, Misfire::Once, Misfire::All]);
    let (timing, gap_ms) = timing(calendar, misfire, random);
    let is_poll = matches!(timing, Timing::Poll { .. });
    ScheduleSpec {
        misfire,
        overlap: *random.pick(&[Overlap::Allow, Overlap::Allow, Overlap::Skip, Overlap::Queue]),
        jitter_ms: if !is_poll && random.chance(300) { random.between(1, 2 * gap_ms) } else { 0 },
        concurrency_key: random.chance(200).then(|| "tenant-0".to_owned()),
        rate_key: random.chance(200).then(|| "tenant-0".to_owned()),
        ..named(number, timing)
    }
}

/// When, and the shortest time in between. Where everything that was missed is made up for, that is not too much.
fn timing(calendar: &Calendar, misfire: Misfire, random: &mut Random) -> (Timing, u64) {
    let (patterns, intervals_ms): (&[(&str, u64)], _) = match (misfire, calendar.jumps_years) {
        (Misfire::All, true) => (&SELDOM, (7 * 24 * HOUR_MS, 60 * 24 * HOUR_MS)),
        (Misfire::All, false) => (&HOURLY, (5 * MINUTE_MS, 2 * HOUR_MS)),
        _ if random.chance(600) => (&OFTEN, (5 * SECOND_MS, 10 * MINUTE_MS)),
        _ if random.chance(700) => (&HOURLY, (5 * MINUTE_MS, 2 * HOUR_MS)),
        _ => (&SELDOM, (24 * HOUR_MS, 60 * 24 * HOUR_MS)),
    };
    let every_ms = random.between(intervals_ms.0, intervals_ms.1);
    match random.below(10) {
        0..5 => {
            let (pattern, gap_ms) = *random.pick(patterns);
            (Timing::Cron { pattern: pattern.to_owned(), timezone: (*random.pick(&ZONES)).to_owned() }, gap_ms)
        }
        5..8 => (Timing::Interval { every_ms }, every_ms),
        _ => (Timing::Poll { every_ms: random.between(5 * SECOND_MS, 5 * MINUTE_MS) }, 0),
    }
}

fn named(number: u64, timing: Timing) -> ScheduleSpec {
    ScheduleSpec {
        name: format!("schedule-{number}"),
        timing,
        misfire: Misfire::Once,
        overlap: Overlap::Allow,
        jitter_ms: 0,
        concurrency_key: None,
        rate_key: None,
    }
}

/// What a workflow says of its schedules in another release: some are other, or gone, or new.
pub fn revised(before: &[ScheduleSpec], calendar: &Calendar, random: &mut Random) -> Vec<ScheduleSpec> {
    let mut after = Vec::new();
    for spec in before {
        match random.below(6) {
            0 => {}
            1 => after.push(ScheduleSpec { overlap: *random.pick(&[Overlap::Allow, Overlap::Skip]), ..spec.clone() }),
            2 => after.push(ScheduleSpec { name: spec.name.clone(), ..schedule(0, calendar, random) }),
            _ => after.push(spec.clone()),
        }
    }
    let number = random.below(4);
    let new = schedule(number, calendar, random);
    if random.chance(300) && after.iter().all(|spec| spec.name != new.name) {
        after.push(new);
    }
    after
}

/// What a workflow says when no more instants are to come: what is queued is still started.
pub fn exhausted(before: &[ScheduleSpec]) -> Vec<ScheduleSpec> {
    let queues = before.iter().filter(|spec| spec.overlap == Overlap::Queue);
    let ended = |spec: &ScheduleSpec| ScheduleSpec { timing: Timing::Interval { every_ms: NEVER_MS }, ..spec.clone() };
    queues.map(ended).collect()
}

/// Whether a timer is one of a schedule that is exhausted.
pub fn is_never(wake_at_ms: i64, now_ms: i64) -> bool {
    wake_at_ms.saturating_sub(now_ms) > NEVER_MS as i64 / 2
}
