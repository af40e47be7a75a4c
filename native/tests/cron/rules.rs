//! Each rule by an example.

use crate::instants::{at, cron, fires, show};

fn next(pattern: &str, zone: &str, after: &str) -> String {
    cron(pattern, zone).next(at(after)).map_or("never".into(), show)
}

#[test]
fn next_is_after_the_given_instant_which_need_not_be_a_whole_second() {
    let daily = cron("30 2 * * *", "UTC");
    let half_past_two = at("2025-01-01T02:30Z");
    let tomorrow = at("2025-01-02T02:30Z");
    assert_eq!(daily.next(half_past_two - 1), Some(half_past_two));
    assert_eq!(daily.next(half_past_two), Some(tomorrow));
    assert_eq!(daily.next(half_past_two + 1), Some(tomorrow));
    assert_eq!(daily.next(at("1969-12-31T23:59:59.999Z")), Some(at("1970-01-01T02:30Z")));
}

#[test]
fn latest_includes_both_ends_and_is_in_order() {
    let hourly = cron("0 * * * *", "UTC");
    let (one, four) = (at("2025-01-01T01:00Z"), at("2025-01-01T04:00Z"));
    let hour_ms = 3_600_000;
    assert_eq!(hourly.latest(one, four, 10), [one, one + hour_ms, one + 2 * hour_ms, four]);
    assert_eq!(hourly.latest(one, four, 2), [one + 2 * hour_ms, four]);
    assert_eq!(hourly.latest(one + 1, four - 1, 10), [one + hour_ms, one + 2 * hour_ms]);
    assert!(hourly.latest(one, four, 0).is_empty());
    assert!(hourly.latest(four, one, 10).is_empty());
    assert!(hourly.latest(one + 1, one + 2, 10).is_empty());
}

#[test]
fn a_time_in_the_gap_fires_when_the_gap_ends() {
    let berlin = |pattern| fires(pattern, "Europe/Berlin", "2025-03-29T12:00Z", "2025-03-30T12:00Z");
    assert_eq!(berlin("30 2 * * *"), ["2025-03-30T01:00:00Z"]);
    assert_eq!(berlin("*/15 2 * * *"), ["2025-03-30T01:00:00Z"]);
    assert_eq!(berlin("15 2,3 * * *"), ["2025-03-30T01:00:00Z", "2025-03-30T01:15:00Z"]);
    assert_eq!(berlin("*/30 2,3 * * *"), ["2025-03-30T01:00:00Z", "2025-03-30T01:30:00Z"]);
    assert_eq!(berlin("30 59 2 * * *"), ["2025-03-30T01:00:00Z"]);
}

#[test]
fn a_time_that_occurs_twice_fires_the_first_time() {
    let berlin = |pattern| fires(pattern, "Europe/Berlin", "2025-10-25T12:00Z", "2025-10-26T12:00Z");
    assert_eq!(berlin("30 2 * * *"), ["2025-10-26T00:30:00Z"]);
    assert_eq!(
        berlin("*/30 2-3 * * *"),
        ["2025-10-26T00:00:00Z", "2025-10-26T00:30:00Z", "2025-10-26T02:00:00Z", "2025-10-26T02:30:00Z"]
    );
    // From within the second pass.
    assert_eq!(next("30 2 * * *", "Europe/Berlin", "2025-10-26T01:10Z"), "2025-10-27T01:30:00Z");
    assert_eq!(next("* * 1-3 * * *", "Europe/Berlin", "2025-10-26T00:59:59Z"), "2025-10-26T02:00:00Z");
}

#[test]
fn hourly_patterns_follow_real_hours() {
    let spring = |pattern| fires(pattern, "Europe/Berlin", "2025-03-30T00:00Z", "2025-03-30T02:00Z");
    let autumn = |pattern| fires(pattern, "Europe/Berlin", "2025-10-26T00:00Z", "2025-10-26T02:00Z");
    for hourly in ["30 * * * *", "30 */1 * * *", "30 0-23 * * *", "30 0-11,12-23 * * *", "0 30 * * * *"] {
        assert_eq!(spring(hourly), ["2025-03-30T00:30:00Z", "2025-03-30T01:30:00Z"], "{hourly}");
        assert_eq!(autumn(hourly), ["2025-10-26T00:30:00Z", "2025-10-26T01:30:00Z"], "{hourly}");
    }
    // One hour less, and it is about wall-clock times again.
    assert_eq!(autumn("30 0-22 * * *"), ["2025-10-26T00:30:00Z"]);
    assert_eq!(spring("30 0-22 * * *"), ["2025-03-30T00:30:00Z", "2025-03-30T01:00:00Z", "2025-03-30T01:30:00Z"]);
}

#[test]
fn a_day_that_begins_with_a_gap_has_a_midnight() {
    // Cairo, Beirut and Asunción (then) go from 00:00 to 01:00.
    let cairo = |pattern| fires(pattern, "Africa/Cairo", "2025-04-24T12:00Z", "2025-04-25T12:00Z");
    assert_eq!(cairo("0 0 * * *"), ["2025-04-24T22:00:00Z"]);
    assert_eq!(cairo("0,30 0 * * *"), ["2025-04-24T22:00:00Z"]);
    assert_eq!(cairo("0 0,1 * * *"), ["2025-04-24T22:00:00Z"]);
    assert_eq!(fires("30 0 * * *", "Asia/Beirut", "2025-03-29T12:00Z", "2025-03-30T12:00Z"), ["2025-03-29T22:00:00Z"]);
    assert_eq!(
        fires("0 0 * * *", "America/Asuncion", "2023-10-01T00:00Z", "2023-10-02T00:00Z"),
        ["2023-10-01T04:00:00Z"]
    );
    // And one that ends with a fold has one 23:30: Cairo goes from 24:00 back to 23:00.
    assert_eq!(
        fires("30 23 * * *", "Africa/Cairo", "2025-10-30T12:00Z", "2025-10-31T12:00Z"),
        ["2025-10-30T20:30:00Z"]
    );
}

#[test]
fn a_fold_over_midnight_shows_a_date_twice() {
    // St. John's went from 00:01 back to 23:01, so there it is the 7th for a minute, and then again.
    let newfoundland = |pattern| fires(pattern, "America/St_Johns", "2010-11-07T00:00Z", "2010-11-07T04:00Z");
    assert_eq!(newfoundland("0 * 7 11 *"), ["2010-11-07T02:30:00Z", "2010-11-07T03:30:00Z"]);
    assert_eq!(newfoundland("0 0 7 11 *"), ["2010-11-07T02:30:00Z"]);
    assert_eq!(newfoundland("30 23,0 * * *"), ["2010-11-07T02:00:00Z"]);
}

#[test]
fn a_shift_of_half_an_hour() {
    let spring = |pattern| fires(pattern, "Australia/Lord_Howe", "2025-10-04T15:00Z", "2025-10-04T16:30Z");
    assert_eq!(spring("15 2 * * *"), ["2025-10-04T15:30:00Z"]);
    assert_eq!(spring("*/15 2 * * *"), ["2025-10-04T15:30:00Z", "2025-10-04T15:45:00Z"]);
    assert_eq!(spring("15 * * * *"), ["2025-10-04T16:15:00Z"]);
    let autumn = |pattern| fires(pattern, "Australia/Lord_Howe", "2025-04-05T14:00Z", "2025-04-05T16:00Z");
    assert_eq!(autumn("45 1 * * *"), ["2025-04-05T14:45:00Z"]);
    assert_eq!(autumn("45 * * * *"), ["2025-04-05T14:45:00Z", "2025-04-05T15:15:00Z"]);
}

#[test]
fn a_whole_day_that_never_was_fires_once_when_the_next_begins() {
    let apia = |pattern| fires(pattern, "Pacific/Apia", "2011-12-29T20:00Z", "2011-12-31T09:59Z");
    assert_eq!(apia("0 9 30 12 *"), ["2011-12-30T10:00:00Z"]);
    assert_eq!(
        apia("0 */6 * * *"),
        [
            "2011-12-29T22:00:00Z",
            "2011-12-30T04:00:00Z",
            "2011-12-30T10:00:00Z",
            "2011-12-30T16:00:00Z",
            "2011-12-30T22:00:00Z",
            "2011-12-31T04:00:00Z"
        ]
    );
    assert_eq!(apia("0 * 30 12 *"), [""; 0]);
}

#[test]
fn offsets_of_half_hours_and_negative_summer_time() {
    assert_eq!(next("0 9 * * *", "Asia/Kolkata", "2025-06-01T00:00Z"), "2025-06-01T03:30:00Z");
    assert_eq!(next("30 1 * * *", "Europe/Dublin", "2025-03-29T12:00Z"), "2025-03-30T01:00:00Z");
    assert_eq!(next("30 1 * * *", "Europe/Dublin", "2025-10-25T12:00Z"), "2025-10-26T00:30:00Z");
    assert_eq!(next("0 9 1 1 *", "Europe/Dublin", "2025-06-01T00:00Z"), "2026-01-01T09:00:00Z");
}

#[test]
fn dates_match_by_day_of_month_or_day_of_week() {
    let utc = |pattern| fires(pattern, "UTC", "2025-06-01T00:00Z", "2025-07-01T00:00Z");
    let days = |days: &[u32]| days.iter().map(|day| format!("2025-06-{day:02}T00:00:00Z")).collect::<Vec<_>>();
    assert_eq!(utc("0 0 13 * *"), days(&[13]));
    assert_eq!(utc("0 0 13 * FRI"), days(&[6, 13, 20, 27]));
    assert_eq!(utc("0 0 1 * FRI"), days(&[1, 6, 13, 20, 27]));
    assert_eq!(utc("0 0 13 * +SUN"), days(&[]));
    assert_eq!(utc("0 0 13 * +FRI"), days(&[13]));
    assert_eq!(utc("0 0 L * *"), days(&[30]));
    assert_eq!(utc("0 0 15W * *"), days(&[16]));
    assert_eq!(utc("0 0 1W,L * ?"), days(&[2, 30]));
    assert_eq!(utc("0 0 * * 2#2"), days(&[10]));
    assert_eq!(utc("0 0 ? * tue#1,5L"), days(&[3, 27]));
    for last_sunday in ["0 0 * * 0L", "0 0 * * 7L", "0 0 * * 7#L", "0 0 * * SUNL", "0 0 * * sun#l"] {
        assert_eq!(utc(last_sunday), days(&[29]), "{last_sunday}");
    }
    for sundays in ["0 0 * * 0", "0 0 * * 7", "0 0 * * SUN", "0 0 * 6 sun", "0 0 * jun Sun"] {
        assert_eq!(utc(sundays), days(&[1, 8, 15, 22, 29]), "{sundays}");
    }
    assert_eq!(utc("0 0 * * FRI-SUN")[..4], days(&[1, 6, 7, 8]));
    assert_eq!(utc("0 0 1-10/3 * *"), days(&[1, 4, 7, 10]));
    assert_eq!(utc("0 0 25/2 * *"), days(&[25, 27, 29]));
}

#[test]
fn blanks_and_nicknames() {
    let after = "2025-06-05T12:34Z";
    assert_eq!(next("  30\t2  * *   * ", "UTC", after), "2025-06-06T02:30:00Z");
    assert_eq!(next("@hourly", "UTC", after), "2025-06-05T13:00:00Z");
    assert_eq!(next("@Daily", "Europe/Berlin", after), "2025-06-05T22:00:00Z");
    assert_eq!(next(" @weekly ", "UTC", after), "2025-06-08T00:00:00Z");
    assert_eq!(next("@monthly", "UTC", after), "2025-07-01T00:00:00Z");
    assert_eq!(next("@yearly", "UTC", after), "2026-01-01T00:00:00Z");
}

#[test]
fn rare_dates_are_found() {
    assert_eq!(next("0 0 29 2 *", "UTC", "2025-01-01T00:00Z"), "2028-02-29T00:00:00Z");
    assert_eq!(next("* * * 29 2 *", "Europe/Berlin", "2025-01-01T00:00Z"), "2028-02-28T23:00:00Z");
    assert_eq!(next("0 0 29 2 1", "UTC", "2025-01-01T00:00Z"), "2025-02-03T00:00:00Z");
    assert_eq!(next("0 0 29 2 +1", "UTC", "2025-01-01T00:00Z"), "2044-02-29T00:00:00Z");
    assert_eq!(next("0 * * 2 1#5", "America/New_York", "2025-01-01T00:00Z"), "2044-02-29T05:00:00Z");
    // 2100 is not a leap year.
    assert_eq!(next("0 0 29 2 *", "UTC", "2096-03-01T00:00Z"), "2104-02-29T00:00:00Z");
    let leap_mondays =
        cron("0 * 29 2 +1", "Europe/Berlin").latest(at("1970-01-01T00:00Z"), at("2040-01-01T00:00Z"), 25);
    assert_eq!(leap_mondays.len(), 25);
    assert_eq!(show(leap_mondays[1]), "2016-02-28T23:00:00Z");
    assert_eq!(show(leap_mondays[0]), "1988-02-29T22:00:00Z");
}

#[test]
fn the_ends_of_the_calendar_are_ends() {
    for zone in ["UTC", "Europe/Berlin", "Pacific/Apia", "America/Santiago"] {
        for pattern in ["* * * * * *", "0 0 29 2 *", "30 2 * * *", "0 * 31 12 *", "* * * 29 2 *"] {
            let cron = cron(pattern, zone);
            for beyond in [i64::MIN, i64::MIN + 1, at("9999-12-30T21:59:59Z"), i64::MAX - 1, i64::MAX] {
                assert_eq!(cron.next(beyond).filter(|&instant| instant <= beyond), None, "`{pattern}` in {zone}");
            }
            assert_eq!(cron.next(i64::MIN), None);
            assert_eq!(cron.next(i64::MAX), None);
            assert!(cron.next(0).is_some());
            assert!(cron.latest(i64::MIN, i64::MIN + 5_000, 3).is_empty());
            assert_eq!(cron.latest(i64::MIN, i64::MAX, 3).len(), 3);
            assert!(cron.latest(i64::MIN, at("-009998-03-01T00:00Z"), 3).len() <= 3);
            assert!(cron.latest(i64::MAX, i64::MIN, 3).is_empty());
        }
    }
    assert_eq!(next("0 0 1 1 *", "UTC", "9998-06-01T00:00Z"), "9999-01-01T00:00:00Z");
    assert_eq!(next("0 0 1 1 *", "UTC", "9999-06-01T00:00Z"), "never");
}
