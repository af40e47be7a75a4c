use std::collections::BTreeSet;

use super::*;

const DAY: i64 = 86_400_000;
const YEAR: i64 = 365 * DAY;
const FREE: Surroundings = Surroundings { is_paused: false, is_busy: false };
const BUSY: Surroundings = Surroundings { is_paused: false, is_busy: true };
const PAUSED: Surroundings = Surroundings { is_paused: true, is_busy: false };

fn spec(timing: Timing) -> ScheduleSpec {
    ScheduleSpec {
        name: "nightly".to_owned(),
        timing,
        misfire: Misfire::Once,
        overlap: Overlap::Allow,
        jitter_ms: 0,
        concurrency_key: None,
        rate_key: None,
    }
}

fn every(every_ms: u64) -> ScheduleSpec {
    spec(Timing::Interval { every_ms })
}

fn cron(pattern: &str, timezone: &str) -> ScheduleSpec {
    spec(Timing::Cron { pattern: pattern.to_owned(), timezone: timezone.to_owned() })
}

fn read(spec: &ScheduleSpec) -> Schedule<'_> {
    Schedule::new("orders", spec).unwrap()
}

/// The instants from one up to and with another.
fn tens(from: i64, to: i64) -> Vec<i64> {
    (from..=to).step_by(10).collect()
}

#[test]
fn an_interval_counts_from_when_it_began() {
    let spec = every(10);
    let mut progress = read(&spec).begin(1_003);
    assert_eq!(progress.next_at_ms, Some(1_013));
    assert!(read(&spec).decide(&mut progress, 1_012, FREE).is_empty(), "never early");
    assert_eq!(read(&spec).decide(&mut progress, 1_013, FREE), [1_013]);
    assert!(read(&spec).decide(&mut progress, 1_013, FREE).is_empty(), "once");
    assert_eq!(read(&spec).upcoming(&progress, 3), [1_023, 1_033, 1_043]);
}

#[test]
fn the_longest_interval_overflows_nothing() {
    let spec = ScheduleSpec { misfire: Misfire::All, jitter_ms: limits::DURATION_MS, ..every(limits::DURATION_MS) };
    let schedule = read(&spec);
    let hundred_years = limits::DURATION_MS as i64;
    for begin_ms in [0, 1_760_000_000_000, -hundred_years] {
        let mut progress = schedule.begin(begin_ms);
        assert_eq!(schedule.upcoming(&progress, 2), [begin_ms + hundred_years, begin_ms + 2 * hundred_years]);
        assert!(schedule.decide(&mut progress, begin_ms + hundred_years - 1, FREE).is_empty());
        let far = begin_ms + 3 * hundred_years;
        assert_eq!(
            schedule.decide(&mut progress, far, FREE)[..2],
            [begin_ms + hundred_years, begin_ms + 2 * hundred_years]
        );
    }
    let mut progress = schedule.begin(i64::MAX - 5);
    assert_eq!((progress.next_at_ms, schedule.due_at_ms(&progress)), (None, None), "it never comes");
    assert!(schedule.decide(&mut progress, i64::MAX, FREE).is_empty());
}

#[test]
fn a_cron_that_never_fires_again_has_nothing_to_come() {
    // The last second of the calendar.
    let spec = ScheduleSpec { misfire: Misfire::All, ..cron("59 59 23 31 12 *", "UTC") };
    let schedule = read(&spec);
    let last = 253_402_300_799_000;
    let mut progress = schedule.begin(last - 1);
    assert_eq!(schedule.upcoming(&progress, 5), Vec::<i64>::new());
    progress = schedule.begin(last - 366 * DAY);
    let next = progress.next_at_ms.unwrap();
    assert_eq!(schedule.decide(&mut progress, next, FREE), [next]);
    assert_eq!((progress.next_at_ms, schedule.due_at_ms(&progress)), (None, None));
    assert!(schedule.decide(&mut progress, last, FREE).is_empty());
    schedule.clock_went_back(&mut progress, next - 2 * YEAR);
    let before = progress.next_at_ms.unwrap();
    assert_eq!(schedule.decide(&mut progress, before, FREE), [before], "it comes to what it never had");
    assert_eq!(progress.next_at_ms, None, "and not to what it had");
}

/// What is started of the instants 10, 20, … 100, all due at 105.
fn missed(misfire: Misfire, overlap: Overlap, around: Surroundings) -> (Vec<i64>, Vec<i64>) {
    let spec = ScheduleSpec { misfire, overlap, ..every(10) };
    let mut progress = read(&spec).begin(0);
    let started = read(&spec).decide(&mut progress, 105, around);
    assert_eq!(progress.next_at_ms, Some(110), "{misfire:?}, {overlap:?}, {around:?}");
    (started, progress.queued)
}

#[test]
fn what_was_missed_is_decided_by_misfire_and_overlap() {
    let all = tens(10, 100);
    let none = Vec::<i64>::new;
    for misfire in [Misfire::Skip, Misfire::Once] {
        assert_eq!(missed(misfire, Overlap::Allow, FREE), (vec![100], none()));
        assert_eq!(missed(misfire, Overlap::Allow, BUSY), (vec![100], none()));
        assert_eq!(missed(misfire, Overlap::Skip, FREE), (vec![100], none()));
        assert_eq!(missed(misfire, Overlap::Skip, BUSY), (none(), none()));
        assert_eq!(missed(misfire, Overlap::Queue, FREE), (vec![100], none()));
        assert_eq!(missed(misfire, Overlap::Queue, BUSY), (none(), vec![100]));
    }
    assert_eq!(missed(Misfire::All, Overlap::Allow, FREE), (all.clone(), none()));
    assert_eq!(missed(Misfire::All, Overlap::Allow, BUSY), (all.clone(), none()));
    assert_eq!(missed(Misfire::All, Overlap::Skip, FREE), (vec![10], none()), "the others come while it runs");
    assert_eq!(missed(Misfire::All, Overlap::Skip, BUSY), (none(), none()));
    assert_eq!(missed(Misfire::All, Overlap::Queue, FREE), (vec![10], tens(20, 100)));
    assert_eq!(missed(Misfire::All, Overlap::Queue, BUSY), (none(), all));
    for misfire in [Misfire::Skip, Misfire::Once, Misfire::All] {
        for overlap in [Overlap::Allow, Overlap::Skip, Overlap::Queue] {
            assert_eq!(missed(misfire, overlap, PAUSED), (none(), none()), "{misfire:?}, {overlap:?}");
        }
    }
}

#[test]
fn skip_forgives_an_instant_that_is_hardly_late() {
    let late = limits::MISFIRE_LATE_MS as i64;
    for (misfire, late_by, expected) in [
        (Misfire::Skip, late, vec![YEAR]),
        (Misfire::Skip, late + 1, vec![]),
        (Misfire::Once, late + 1, vec![YEAR]),
        (Misfire::All, late + 1, vec![YEAR]),
    ] {
        let spec = ScheduleSpec { misfire, ..every(YEAR as u64) };
        let mut progress = read(&spec).begin(0);
        assert_eq!(read(&spec).decide(&mut progress, YEAR + late_by, FREE), expected, "{misfire:?} {late_by}");
        assert_eq!(progress.next_at_ms, Some(2 * YEAR));
    }
}

#[test]
fn all_makes_up_for_so_many_and_the_latest_ones() {
    let most = limits::MISFIRES as i64;
    for spec in [every(1_000), cron("* * * * * *", "UTC")] {
        let spec = ScheduleSpec { misfire: Misfire::All, ..spec };
        let mut progress = read(&spec).begin(0);
        let started = read(&spec).decide(&mut progress, 5_000_000, FREE);
        assert_eq!(started, ((5_001 - most)..=5_000).map(|second| second * 1_000).collect::<Vec<_>>());
        assert_eq!(progress.next_at_ms, Some(5_001_000));
    }
}

#[test]
fn so_many_instants_are_queued_and_the_rest_is_skipped() {
    let most = limits::INSTANTS_QUEUED as i64;
    let spec = ScheduleSpec { overlap: Overlap::Queue, ..every(10) };
    let mut progress = read(&spec).begin(0);
    for number in 1..=most + 5 {
        assert!(read(&spec).decide(&mut progress, number * 10, BUSY).is_empty());
    }
    assert_eq!(progress.queued, tens(10, most * 10));
    // The oldest goes first; one that comes takes its place at the end.
    assert_eq!(read(&spec).decide(&mut progress, (most + 6) * 10, FREE), [10]);
    assert_eq!(progress.queued.len() as i64, most - 1, "there was no room when it came");
    assert!(read(&spec).decide(&mut progress, (most + 7) * 10, BUSY).is_empty());
    assert_eq!(progress.queued.last(), Some(&((most + 7) * 10)));
}

#[test]
fn what_is_queued_waits_while_it_is_paused() {
    let spec = ScheduleSpec { overlap: Overlap::Queue, ..every(10) };
    let mut progress = read(&spec).begin(0);
    assert!(read(&spec).decide(&mut progress, 10, BUSY).is_empty());
    assert!(read(&spec).decide(&mut progress, 20, PAUSED).is_empty());
    assert_eq!(progress.queued, [10]);
    assert_eq!(read(&spec).decide(&mut progress, 21, FREE), [10]);
}

#[test]
fn what_is_queued_is_started_when_the_policy_is_another_one() {
    let queue = ScheduleSpec { overlap: Overlap::Queue, ..every(10) };
    let mut queued = read(&queue).begin(0);
    for now_ms in [10, 20] {
        assert!(read(&queue).decide(&mut queued, now_ms, BUSY).is_empty());
    }
    let allow = every(10);
    let mut progress = queued.clone();
    assert!(read(&allow).decide(&mut progress, 21, PAUSED).is_empty());
    assert_eq!(read(&allow).decide(&mut progress, 30, BUSY), [10, 20, 30]);
    assert!(progress.queued.is_empty());
    let skip = ScheduleSpec { overlap: Overlap::Skip, ..every(10) };
    let mut progress = queued;
    assert!(read(&skip).decide(&mut progress, 21, BUSY).is_empty());
    assert_eq!(read(&skip).decide(&mut progress, 22, FREE), [10]);
    assert_eq!(read(&skip).decide(&mut progress, 30, FREE), [20], "30 comes while that runs");
    assert!(progress.queued.is_empty());
}

#[test]
fn a_clock_that_goes_back_starts_nothing_again_and_leaves_nothing_out() {
    for back_to in [0, 3, 35, 50, 54] {
        let spec = ScheduleSpec { misfire: Misfire::All, ..every(10) };
        let mut progress = read(&spec).begin(0);
        assert_eq!(read(&spec).decide(&mut progress, 55, FREE), tens(10, 50));
        read(&spec).clock_went_back(&mut progress, back_to);
        assert_eq!(progress.next_at_ms, Some(60), "{back_to}");
        assert!(read(&spec).decide(&mut progress, 59, FREE).is_empty());
        assert_eq!(read(&spec).decide(&mut progress, 60, FREE), [60]);
    }
}

#[test]
fn an_interval_goes_on_when_the_clock_goes_back_behind_its_beginning() {
    let spec = every(10);
    let mut progress = read(&spec).begin(YEAR + 3);
    assert_eq!(read(&spec).decide(&mut progress, YEAR + 13, FREE), [YEAR + 13]);
    read(&spec).clock_went_back(&mut progress, 1_000);
    let next = progress.next_at_ms.unwrap();
    assert!((1_001..=1_010).contains(&next), "{next} is not a year away");
    assert_eq!((YEAR + 3 - next) % 10, 0, "and still one of its instants");
    assert_eq!(read(&spec).decide(&mut progress, next, FREE), [next]);
}

#[test]
fn a_clock_that_jumps_ahead_and_back_again_leaves_nothing_out() {
    // Before any instant, between two, and behind those that came meanwhile.
    for (had, back_to) in [(0, 5), (0, 10), (0, 25), (50, 55), (50, 60), (50, 85)] {
        for spec in [every(10), ScheduleSpec { misfire: Misfire::All, ..every(10) }] {
            let is_all = spec.misfire == Misfire::All;
            let mut progress = read(&spec).begin(0);
            let mut started = Vec::new();
            for now_ms in (0..=had).step_by(10) {
                started.extend(read(&spec).decide(&mut progress, now_ms, FREE));
            }
            assert_eq!(started, tens(10, had));
            let ahead = read(&spec).decide(&mut progress, YEAR + 5, FREE);
            assert_eq!(ahead.len() as u64, if is_all { limits::MISFIRES } else { 1 });
            assert_eq!(ahead.last(), Some(&YEAR));
            read(&spec).clock_went_back(&mut progress, back_to);
            let caught_up = read(&spec).decide(&mut progress, back_to, FREE);
            let come = tens(had + 10, back_to);
            assert_eq!(caught_up, if is_all { come } else { come.last().copied().into_iter().collect() });
            for now_ms in (back_to..=1_000).filter(|now_ms| now_ms % 10 == 0 && *now_ms > back_to) {
                assert_eq!(read(&spec).decide(&mut progress, now_ms, FREE), [now_ms], "had {had}, back to {back_to}");
            }
            // A year later it comes to what it has had.
            let first = ahead[0];
            read(&spec).decide(&mut progress, first - 15, FREE);
            assert_eq!(read(&spec).decide(&mut progress, first - 5, FREE), [first - 10]);
            assert!(read(&spec).decide(&mut progress, YEAR + 5, FREE).is_empty());
            assert_eq!(progress.next_at_ms, Some(YEAR + 10));
        }
    }
}

#[test]
fn what_came_while_it_was_paused_starts_nothing_when_the_clock_comes_to_it_again() {
    let spec = ScheduleSpec { misfire: Misfire::All, ..every(10) };
    let mut progress = read(&spec).begin(0);
    assert_eq!(read(&spec).decide(&mut progress, 10, FREE), [10]);
    for now_ms in [20, 30, 40] {
        assert!(read(&spec).decide(&mut progress, now_ms, PAUSED).is_empty());
    }
    assert_eq!(read(&spec).decide(&mut progress, 50, FREE), [50]);
    read(&spec).clock_went_back(&mut progress, 35);
    assert_eq!(progress.next_at_ms, Some(60));
    // A year that it jumped over in a pause was not paused.
    assert!(read(&spec).decide(&mut progress, YEAR + 5, PAUSED).is_empty());
    read(&spec).clock_went_back(&mut progress, 55);
    assert_eq!(read(&spec).decide(&mut progress, 60, FREE), [60]);
}

#[test]
fn changed_instants_count_from_now_on_and_what_is_queued_stays() {
    let spec = ScheduleSpec { overlap: Overlap::Queue, ..every(10) };
    let mut progress = read(&spec).begin(0);
    assert_eq!(read(&spec).decide(&mut progress, 10, FREE), [10]);
    progress.last_at_ms = Some(10);
    assert!(read(&spec).decide(&mut progress, 20, BUSY).is_empty());
    let other = ScheduleSpec { overlap: Overlap::Queue, ..every(7) };
    let changed = read(&other).changed(progress, 25);
    assert_eq!((changed.next_at_ms, changed.anchor_at_ms, changed.seen_at_ms), (Some(32), 25, 25));
    assert_eq!((changed.queued, changed.last_at_ms, changed.stretches), (vec![20], Some(10), vec![]));
}

#[test]
fn more_stretches_than_are_remembered_lose_runs_and_repeat_none() {
    for misfire in [Misfire::Once, Misfire::All] {
        let spec = ScheduleSpec { misfire, ..every(10) };
        let mut progress = read(&spec).begin(0);
        let mut had = BTreeSet::new();
        let mut look = |progress: &mut Progress, now_ms: i64| {
            for instant in read(&spec).decide(progress, now_ms, FREE) {
                assert!(had.insert(instant), "{instant} twice, {misfire:?}");
            }
        };
        // Stretches that overlap, lie apart and lie inside of one another.
        for round in 0..40 {
            let far = [100, 70_000, 400, 30_000, 5_000][round % 5] + round as i64 * 60;
            look(&mut progress, far);
            read(&spec).clock_went_back(&mut progress, far / 3);
            look(&mut progress, far / 3 + 20);
            look(&mut progress, far / 2);
            read(&spec).clock_went_back(&mut progress, far / 4);
            assert!(progress.stretches.len() as u64 <= limits::STRETCHES_REMEMBERED);
        }
        for now_ms in tens(0, 100_000) {
            look(&mut progress, now_ms);
        }
        assert!(had.contains(&100_000));
    }
}

#[test]
fn jitter_is_the_same_each_time_within_its_bounds_and_differs_between_schedules() {
    let spec = ScheduleSpec { jitter_ms: 5_000, ..every(10_000) };
    let other = ScheduleSpec { name: "hourly".to_owned(), ..spec.clone() };
    let jitters = |workflow: &str, spec: &ScheduleSpec| -> Vec<i64> {
        let schedule = Schedule::new(workflow, spec).unwrap();
        (1..=1_000).map(|number| number * 10_000).map(|instant| schedule.begins_at_ms(0, instant) - instant).collect()
    };
    let mine = jitters("orders", &spec);
    assert_eq!(mine, jitters("orders", &spec));
    assert_ne!(mine, jitters("mails", &spec));
    assert_ne!(mine, jitters("orders", &other));
    assert!(mine.iter().all(|jitter| (0..=5_000).contains(jitter)));
    let mean = mine.iter().sum::<i64>() / 1_000;
    assert!((2_200..=2_800).contains(&mean), "{mean}");
    assert!(mine.iter().any(|jitter| *jitter < 100) && mine.iter().any(|jitter| *jitter > 4_900));
}

#[test]
fn a_run_begins_after_its_instant_and_its_jitter_and_not_before() {
    let spec = ScheduleSpec { jitter_ms: 5_000, misfire: Misfire::Skip, ..every(10_000) };
    let schedule = read(&spec);
    let mut progress = schedule.begin(0);
    for number in 1..=100 {
        let due = schedule.due_at_ms(&progress).unwrap();
        assert!((number * 10_000..=number * 10_000 + 5_000).contains(&due));
        assert!(schedule.decide(&mut progress, due - 1, FREE).is_empty());
        assert_eq!(schedule.decide(&mut progress, due, FREE), [number * 10_000]);
    }
}

#[test]
fn a_jitter_longer_than_the_interval_loses_no_instant() {
    for misfire in [Misfire::Skip, Misfire::Once, Misfire::All] {
        for spec in [every(10_000), cron("*/10 * * * * *", "UTC")] {
            let spec = ScheduleSpec { jitter_ms: limits::DURATION_MS, misfire, ..spec };
            let schedule = read(&spec);
            let mut progress = schedule.begin(0);
            let mut started = Vec::new();
            while started.len() < 100 {
                let due = schedule.due_at_ms(&progress).unwrap();
                started.extend(schedule.decide(&mut progress, due, FREE));
            }
            assert_eq!(started, (1..=100).map(|number| number * 10_000).collect::<Vec<_>>(), "{misfire:?}");
        }
    }
}

#[test]
fn a_long_jitter_after_a_long_absence_is_no_long_work() {
    let spec = ScheduleSpec { jitter_ms: limits::DURATION_MS, misfire: Misfire::All, ..cron("* * * * * *", "UTC") };
    let mut progress = read(&spec).begin(0);
    // Thirty years of seconds: one by one they would take minutes.
    assert_eq!(read(&spec).decide(&mut progress, 30 * YEAR, FREE).len() as u64, limits::MISFIRES);
}

#[test]
fn a_poll_is_due_at_once_and_backs_off() {
    let spec = spec(Timing::Poll { every_ms: 1_000 });
    assert_eq!(read(&spec).begin(50).next_at_ms, Some(50));
    let backoff = |every_ms| (0..=4).map(|failures| poll_backoff_ms(every_ms, failures)).collect::<Vec<_>>();
    assert_eq!(backoff(1_000), [1_000, 1_000, 2_000, 4_000, 8_000]);
    assert_eq!(backoff(limits::POLL_BACKOFF_MS * 2), [limits::POLL_BACKOFF_MS * 2; 5], "never shorter than it is");
    for failures in [20, 63, 64, 65, u32::MAX] {
        assert_eq!(poll_backoff_ms(1_000, failures), limits::POLL_BACKOFF_MS);
    }
}

/// The same rules with sets of instants instead of stretches, of an interval of 10 that began at 0.
struct Model {
    misfire: Misfire,
    decided: BTreeSet<i64>,
    next: i64,
}

impl Model {
    fn decide(&mut self, now_ms: i64, is_paused: bool) -> Vec<i64> {
        let due: Vec<i64> = (self.next..=now_ms).step_by(10).collect();
        let Some(&last) = due.last() else { return Vec::new() };
        let all = self.misfire == Misfire::All && !is_paused;
        let is_missed = |instant: i64| instant != last && !all;
        let accepted: Vec<i64> =
            due.into_iter().filter(|instant| !is_missed(*instant) && !self.decided.contains(instant)).collect();
        self.decided.extend(&accepted);
        self.next = self.undecided_from(last + 10);
        if is_paused { Vec::new() } else { accepted }
    }

    fn clock_went_back(&mut self, now_ms: i64) {
        let last = now_ms.div_euclid(10) * 10;
        let behind = self.decided.range(..=last).next_back().map_or(last, |decided| *decided);
        self.next = self.undecided_from(behind + 10);
    }

    fn undecided_from(&self, mut instant: i64) -> i64 {
        while self.decided.contains(&instant) {
            instant += 10;
        }
        instant
    }
}

#[test]
fn stretches_say_what_sets_of_instants_would() {
    let mut followed = 0;
    'seeds: for seed in 0..3_000_u64 {
        let mut number = 0;
        let mut below = |most: i64| {
            number += 1;
            (unit(seed << 20 | number) * most as f64) as i64
        };
        let misfire = [Misfire::Once, Misfire::All][seed as usize % 2];
        let spec = ScheduleSpec { misfire, ..every(10) };
        let mut progress = read(&spec).begin(0);
        let mut model = Model { misfire, decided: BTreeSet::from([0]), next: 10 };
        let mut now_ms = 0;
        for _ in 0..below(7) {
            for _ in 0..=below(4) {
                now_ms += [0, 7, 30, 1_000][below(4) as usize];
                let is_paused = below(4) == 0;
                let started = read(&spec).decide(&mut progress, now_ms, Surroundings { is_paused, is_busy: false });
                if progress.stretches.len() as u64 == limits::STRETCHES_REMEMBERED {
                    // From here on some are one that were not.
                    continue 'seeds;
                }
                assert_eq!(started, model.decide(now_ms, is_paused), "seed {seed} at {now_ms}: {progress:?}");
                assert_eq!(progress.next_at_ms, Some(model.next), "seed {seed} at {now_ms}: {progress:?}");
            }
            now_ms -= below(now_ms.min(1_500) + 1);
            read(&spec).clock_went_back(&mut progress, now_ms);
            model.clock_went_back(now_ms);
            assert_eq!(progress.next_at_ms, Some(model.next), "seed {seed} back to {now_ms}: {progress:?}");
        }
        followed += 1;
    }
    assert!(followed > 2_000, "{followed}");
}
