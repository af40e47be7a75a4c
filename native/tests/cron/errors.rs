//! Each error says which field is wrong and what to write.

use cronflow::cron::{Cron, Field};

fn error(pattern: &str, zone: &str) -> (Field, String) {
    match Cron::parse(pattern, zone) {
        Ok(_) => panic!("`{pattern}` in `{zone}` was taken"),
        Err(error) => (error.field, error.to_string()),
    }
}

fn begins(pattern: &str, field: Field, beginning: &str) {
    let (named, message) = error(pattern, "UTC");
    assert_eq!(named, field, "{message}");
    assert!(message.starts_with(beginning), "{message}");
}

#[test]
fn the_wrong_field_is_named_as_the_user_counts() {
    begins("60 * * * *", Field::Minute, "field 1 (minute) is `60`; write numbers from 0 to 59");
    begins("* 25 * * *", Field::Hour, "field 2 (hour) is `25`; write numbers from 0 to 23");
    begins("* * 32 * *", Field::DayOfMonth, "field 3 (day of month) is `32`; write numbers from 1 to 31");
    begins("* * * 13 *", Field::Month, "field 4 (month) is `13`; write numbers from 1 to 12 or JAN to DEC");
    begins("* * * * 8", Field::DayOfWeek, "field 5 (day of week) is `8`; write numbers from 0 to 7");
    begins("60 * * * * *", Field::Second, "field 1 (second) is `60`; write numbers from 0 to 59");
    begins("* * 25 * * *", Field::Hour, "field 3 (hour) is `25`; write");
    begins("* * * * * blah", Field::DayOfWeek, "field 6 (day of week) is `blah`; write");
    // The first of two.
    begins("0 24 0 * *", Field::Hour, "field 2 (hour) is `24`; write");
}

#[test]
fn what_croner_would_take_and_not_do_is_refused() {
    for (pattern, field) in [
        // Empty items of a list.
        (", * * * *", Field::Minute),
        ("1,,2 * * * *", Field::Minute),
        ("* * 1, * *", Field::DayOfMonth),
        ("* * * * +", Field::DayOfWeek),
        // Names where they do not belong, and glued to others.
        ("* SAT * * *", Field::Hour),
        ("* * MON * *", Field::DayOfMonth),
        ("* * * SUN *", Field::Month),
        ("* * * * MAR", Field::DayOfWeek),
        ("* * * MAY1 *", Field::Month),
        ("* * * * 1MON", Field::DayOfWeek),
        ("* * * * MONTUE", Field::DayOfWeek),
        ("* * * * ſun", Field::DayOfWeek),
        // `W`, `L` and `#` where they mean nothing.
        ("* * 15W5 * *", Field::DayOfMonth),
        ("* * W * *", Field::DayOfMonth),
        ("* * 5L * *", Field::DayOfMonth),
        ("* * 2#1 * *", Field::DayOfMonth),
        ("* * * * L", Field::DayOfWeek),
        ("* * * * 15W", Field::DayOfWeek),
        ("* * * * 1#6", Field::DayOfWeek),
        ("* * * * 1#0", Field::DayOfWeek),
        ("* * * * 1#2L", Field::DayOfWeek),
        ("* * * * #2", Field::DayOfWeek),
        ("L * * * *", Field::Minute),
        ("? * * * *", Field::Minute),
        // Ranges and steps.
        ("10-5 * * * *", Field::Minute),
        ("* 22-6 * * *", Field::Hour),
        ("* 22- * * *", Field::Hour),
        ("*/0 * * * *", Field::Minute),
        ("*/ * * * *", Field::Minute),
        ("*/5/5 * * * *", Field::Minute),
        ("-5 * * * *", Field::Minute),
        ("+5 * * * *", Field::Minute),
        ("1.5 * * * *", Field::Minute),
        ("99999999999999999999 * * * *", Field::Minute),
        ("* * * DEC-FEB *", Field::Month),
    ] {
        assert_eq!(error(pattern, "UTC").0, field, "{pattern}");
    }
}

#[test]
fn the_number_of_fields() {
    begins(
        "",
        Field::Pattern,
        "the pattern is empty; write 5 fields (minute hour day-of-month month day-of-week), or 6",
    );
    begins("  \t ", Field::Pattern, "the pattern is empty; write 5 fields");
    begins("*", Field::Pattern, "the pattern has 1 field; write 5 fields");
    begins("* * * *", Field::Pattern, "the pattern has 4 fields; write 5 fields");
    begins("0 0 0 1 1 * 2025", Field::Pattern, "the pattern has 7 fields; write 5 fields");
    begins("@midnight", Field::Pattern, "`@midnight` is not known; write `@yearly`, `@monthly`");
    begins("@daily *", Field::Pattern, "`@daily *` is not known; write `@yearly`");
    begins("* * * * @daily", Field::DayOfWeek, "field 5 (day of week) is `@daily`; write");
}

#[test]
fn a_pattern_that_never_fires_is_an_error() {
    let never = "the pattern `0 0 30 2 *` never fires: no date has what it asks for; change its day of month, month or day of week";
    assert_eq!(error(" 0 0 30 2 * ", "UTC"), (Field::Pattern, never.into()));
    for pattern in ["0 0 31 2,4,6,9,11 *", "* * * 30 FEB *", "0 0 1-7 * +5L", "0 0 31W 2 *"] {
        begins(pattern, Field::Pattern, &format!("the pattern `{pattern}` never fires: "));
    }
    assert!(Cron::parse("0 0 29 2 +1", "UTC").is_ok());
}

#[test]
fn zones_are_iana_names() {
    let zone = |name| {
        let (field, message) = error("* * * * *", name);
        assert_eq!(field, Field::TimeZone, "{message}");
        message
    };
    assert_eq!(
        zone("Mars/Base"),
        "the time zone `Mars/Base` is not known; write an IANA name such as `Europe/Berlin`, or `UTC`"
    );
    assert_eq!(zone(""), "the time zone is empty; write an IANA name such as `Europe/Berlin`, or `UTC`");
    assert_eq!(zone("europe/berlin"), "the time zone `europe/berlin` is not known; write `Europe/Berlin`");
    assert_eq!(zone("utc"), "the time zone `utc` is not known; write `UTC`");
    for name in
        ["+02:00", "UTC+2", "local", "localtime", "Etc/Unknown", "Europe/Berlin ", "../UTC", "CEST", "CET-1CEST"]
    {
        assert!(zone(name).starts_with(&format!("the time zone `{name}` is not known; write")), "{name}");
    }
    for name in ["UTC", "Etc/UTC", "Etc/GMT+5", "Asia/Calcutta", "America/Argentina/Buenos_Aires", "GMT"] {
        assert!(Cron::parse("* * * * *", name).is_ok(), "{name}");
    }
    // The pattern comes first.
    assert_eq!(error("60 * * * *", "Mars/Base").0, Field::Minute);
}
