//! What is wrong with a cron expression, and what it may be instead.

use std::fmt;

/// What of a schedule is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    /// The pattern as a whole: the number of its fields, or that no date matches it.
    Pattern,
    /// The second, in patterns of 6 fields.
    Second,
    /// The minute.
    Minute,
    /// The hour.
    Hour,
    /// The day of the month.
    DayOfMonth,
    /// The month.
    Month,
    /// The day of the week.
    DayOfWeek,
    /// The time zone.
    TimeZone,
}

impl Field {
    /// What people call it.
    pub fn name(self) -> &'static str {
        match self {
            Field::Pattern => "pattern",
            Field::Second => "second",
            Field::Minute => "minute",
            Field::Hour => "hour",
            Field::DayOfMonth => "day of month",
            Field::Month => "month",
            Field::DayOfWeek => "day of week",
            Field::TimeZone => "time zone",
        }
    }

    /// What may be written there.
    pub(super) fn form(self) -> &'static str {
        match self {
            Field::Pattern => "write 5 fields (minute hour day-of-month month day-of-week), or 6 with the second first",
            Field::Second | Field::Minute => "write numbers from 0 to 59, as in `30`, `0,30`, `10-20`, `*/5` or `*`",
            Field::Hour => "write numbers from 0 to 23, as in `8`, `8,20`, `8-17`, `*/2` or `*`",
            Field::DayOfMonth => {
                "write numbers from 1 to 31, as in `15`, `1,15`, `1-7`, `*/2` or `*`, or `L` for the last day, \
                 or `15W` for the weekday nearest to the 15th"
            }
            Field::Month => "write numbers from 1 to 12 or JAN to DEC, as in `1`, `JAN,JUL`, `6-8`, `*/3` or `*`",
            Field::DayOfWeek => {
                "write numbers from 0 to 7 (0 and 7 are Sunday) or SUN to SAT, as in `1`, `SAT,SUN`, `1-5` or `*`, \
                 or `2#1` for the first Tuesday, or `5L` for the last Friday"
            }
            Field::TimeZone => "write an IANA name such as `Europe/Berlin`, or `UTC`",
        }
    }
}

/// Why a cron expression or its time zone cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CronError {
    /// What is wrong.
    pub field: Field,
    /// A sentence for people: what is wrong, and what to write.
    pub message: String,
}

impl CronError {
    pub(super) fn new(field: Field, wrong: impl fmt::Display) -> CronError {
        CronError { field, message: format!("{wrong}; {}", field.form()) }
    }
}

impl fmt::Display for CronError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl std::error::Error for CronError {}
