//! A cron pattern over wall-clock time. Croner reads it and knows which days match; the search is ours, because it must
//! go both ways, be fast, and know nothing of zones.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime, Time};
use jiff::tz::Offset;

use super::error::{CronError, Field};
use super::fields;

/// Where to look for the nearest time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    Forward,
    Backward,
}

/// Which seconds, minutes, hours and months match, one bit for each, and which days.
#[derive(Debug, Clone)]
pub(super) struct Pattern {
    seconds: u64,
    minutes: u64,
    hours: u64,
    months: u64,
    days: croner::Cron,
}

const ALL_HOURS: u64 = (1 << 24) - 1;

/// Croner's mark of a number that matches by itself.
const PLAIN: u8 = 1;

impl Pattern {
    pub fn parse(text: &str) -> Result<Pattern, CronError> {
        let pattern = Pattern::from(fields::read(text)?);
        if !pattern.fires() {
            let wrong = format!("the pattern `{}` never fires: no date has what it asks for", text.trim());
            let remedy = "change its day of month, month or day of week";
            return Err(CronError { field: Field::Pattern, message: format!("{wrong}; {remedy}") });
        }
        Ok(pattern)
    }

    /// Whether it is for all 24 hours, however that is written.
    pub fn is_hourly(&self) -> bool {
        self.hours == ALL_HOURS
    }

    /// The nearest time of the pattern from this wall-clock time on (in seconds), itself included.
    pub fn nearest(&self, wall: i64, direction: Direction) -> Option<i64> {
        let wall = Offset::UTC.to_datetime(Timestamp::from_second(wall).ok()?);
        let found = match self.time_of(wall, direction) {
            Some(time) => wall.date().to_datetime(time),
            None => self.date_beyond(wall.date(), direction)?.to_datetime(self.outermost(direction)?),
        };
        Some(Offset::UTC.to_timestamp(found).ok()?.as_second())
    }

    /// The nearest time of the pattern on the same day.
    fn time_of(&self, wall: DateTime, direction: Direction) -> Option<Time> {
        if !self.has_month(wall.date()) || !self.has_day(wall.date()) {
            return None;
        }
        let (hour, minute, second) = (wall.hour(), wall.minute(), wall.second());
        let is_hour = has(self.hours, hour);
        let is_minute = is_hour && has(self.minutes, minute);
        if is_minute && let Some(second) = direction.from(self.seconds, second) {
            return Time::new(hour, minute, second, 0).ok();
        }
        if is_hour && let Some(minute) = direction.beyond(self.minutes, minute) {
            return Time::new(hour, minute, direction.outermost(self.seconds)?, 0).ok();
        }
        let hour = direction.beyond(self.hours, hour)?;
        Time::new(hour, direction.outermost(self.minutes)?, direction.outermost(self.seconds)?, 0).ok()
    }

    /// The first time of a day, or the last one.
    fn outermost(&self, direction: Direction) -> Option<Time> {
        let part = |mask| direction.outermost(mask);
        Time::new(part(self.hours)?, part(self.minutes)?, part(self.seconds)?, 0).ok()
    }

    /// The nearest date of the pattern, this one excluded. It ends because a pattern that never fires is not parsed.
    fn date_beyond(&self, date: Date, direction: Direction) -> Option<Date> {
        let mut date = direction.day_beyond(date)?;
        loop {
            if !self.has_month(date) {
                date = direction.month_beyond(date)?;
            } else if !self.has_day(date) {
                date = direction.day_beyond(date)?;
            } else {
                return Some(date);
            }
        }
    }

    fn has_month(&self, date: Date) -> bool {
        has(self.months, date.month())
    }

    fn has_day(&self, date: Date) -> bool {
        let (year, month, day) = (i32::from(date.year()), date.month() as u32, date.day() as u32);
        // Its error is a date that does not exist; these come from a calendar.
        matches!(self.days.pattern.day_match(year, month, day), Ok(true))
    }

    /// Whether any date matches. The calendar repeats after 400 years.
    fn fires(&self) -> bool {
        let cycle = Date::constant(2000, 1, 1).series(jiff::Span::new().days(1)).take_while(|date| date.year() < 2400);
        cycle.into_iter().any(|date| self.has_month(date) && self.has_day(date))
    }
}

impl From<croner::Cron> for Pattern {
    fn from(mut cron: croner::Cron) -> Pattern {
        let parts = &mut cron.pattern;
        let mask = |values: Vec<u16>| values.into_iter().fold(0, |mask, value| mask | 1 << value);
        let seconds = mask(parts.seconds.get_set_values(PLAIN));
        let minutes = mask(parts.minutes.get_set_values(PLAIN));
        let hours = mask(parts.hours.get_set_values(PLAIN));
        let months = mask(parts.months.get_set_values(PLAIN));
        // Only the days are asked of croner. Its list of years alone is 5 KB, and there may be 100,000 schedules.
        for unused in [&mut parts.seconds, &mut parts.minutes, &mut parts.hours, &mut parts.months, &mut parts.years] {
            *unused = Default::default();
        }
        Pattern { seconds, minutes, hours, months, days: cron }
    }
}

impl Direction {
    /// The nearest number of a set from this one on.
    fn from(self, mask: u64, number: i8) -> Option<i8> {
        match self {
            Direction::Forward => first(mask >> number << number),
            Direction::Backward => last(mask & (u64::MAX >> (63 - number))),
        }
    }

    /// The nearest number of a set, this one excluded.
    fn beyond(self, mask: u64, number: i8) -> Option<i8> {
        self.from(mask & !(1 << number), number)
    }

    /// The number of a set that comes first.
    fn outermost(self, mask: u64) -> Option<i8> {
        match self {
            Direction::Forward => first(mask),
            Direction::Backward => last(mask),
        }
    }

    fn day_beyond(self, date: Date) -> Option<Date> {
        match self {
            Direction::Forward => date.tomorrow().ok(),
            Direction::Backward => date.yesterday().ok(),
        }
    }

    fn month_beyond(self, date: Date) -> Option<Date> {
        match self {
            Direction::Forward => date.last_of_month().tomorrow().ok(),
            Direction::Backward => date.first_of_month().yesterday().ok(),
        }
    }
}

fn has(mask: u64, number: i8) -> bool {
    mask >> number & 1 == 1
}

fn first(mask: u64) -> Option<i8> {
    (mask != 0).then(|| mask.trailing_zeros() as i8)
}

fn last(mask: u64) -> Option<i8> {
    (mask != 0).then(|| 63 - mask.leading_zeros() as i8)
}
