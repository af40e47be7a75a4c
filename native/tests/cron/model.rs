//! Random patterns, and what they mean by walking every second. Shares the zones with the core, and nothing else.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;

/// SplitMix64 (Steele, Lea, Flood, OOPSLA 2014).
pub struct Random(pub u64);

impl Random {
    /// From 0 to below `bound`.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % bound
    }

    pub fn one_in(&mut self, bound: u64) -> bool {
        self.below(bound) == 0
    }

    /// A few numbers from `low` to `high`, in order.
    fn numbers(&mut self, low: i8, high: i8) -> Vec<i8> {
        let count = 1 + self.below(4);
        let mut numbers: Vec<i8> = (0..count).map(|_| low + self.below((high - low + 1) as u64) as i8).collect();
        numbers.sort_unstable();
        numbers.dedup();
        numbers
    }

    /// As `numbers`, but often all of them, which is `None`.
    fn numbers_or_all(&mut self, low: i8, high: i8, all_one_in: u64) -> Option<Vec<i8>> {
        if self.one_in(all_one_in) { None } else { Some(self.numbers(low, high)) }
    }
}

/// Which days of the week match.
#[derive(Debug, Clone)]
enum Weekdays {
    Any,
    Each(Vec<i8>),
    Nth(i8, i8),
    Last(i8),
}

/// Which days of the month match.
#[derive(Debug, Clone)]
enum Days {
    Any,
    Each(Vec<i8>),
    Last,
}

/// A pattern as what it means. Fields that match everything are `None`.
#[derive(Debug, Clone)]
pub struct Pattern {
    seconds: Option<Vec<i8>>,
    minutes: Option<Vec<i8>>,
    hours: Option<Vec<i8>>,
    days: Days,
    months: Option<Vec<i8>>,
    weekdays: Weekdays,
}

impl Pattern {
    /// One that fires on some date.
    pub fn random(random: &mut Random) -> Pattern {
        let seconds = if random.one_in(2) { Some(vec![0]) } else { random.numbers_or_all(0, 59, 4) };
        let days = match random.below(8) {
            0..5 => Days::Any,
            5..7 => Days::Each(random.numbers(1, 28)),
            _ => Days::Last,
        };
        let weekdays = match random.below(10) {
            0..7 => Weekdays::Any,
            7 => Weekdays::Each(random.numbers(0, 6)),
            8 => Weekdays::Nth(random.below(7) as i8, 1 + random.below(5) as i8),
            _ => Weekdays::Last(random.below(7) as i8),
        };
        Pattern {
            seconds,
            minutes: random.numbers_or_all(0, 59, 4),
            hours: random.numbers_or_all(0, 23, 3),
            days,
            months: if random.one_in(5) { Some(random.numbers(1, 12)) } else { None },
            weekdays,
        }
    }

    /// As it is written.
    pub fn text(&self) -> String {
        let list = |numbers: &[i8]| numbers.iter().map(i8::to_string).collect::<Vec<_>>().join(",");
        let field = |numbers: &Option<Vec<i8>>| numbers.as_deref().map_or("*".into(), list);
        let days = match &self.days {
            Days::Any => "*".into(),
            Days::Each(numbers) => list(numbers),
            Days::Last => "L".into(),
        };
        let weekdays = match &self.weekdays {
            Weekdays::Any => "*".into(),
            Weekdays::Each(numbers) => list(numbers),
            Weekdays::Nth(day, nth) => format!("{day}#{nth}"),
            Weekdays::Last(day) => format!("{day}L"),
        };
        let (seconds, minutes, hours) = (field(&self.seconds), field(&self.minutes), field(&self.hours));
        format!("{seconds} {minutes} {hours} {days} {} {weekdays}", field(&self.months))
    }

    /// Whether it follows real hours.
    pub fn is_hourly(&self) -> bool {
        self.hours.is_none()
    }

    /// Whether it matches this date.
    pub fn has_date(&self, date: Date) -> bool {
        let day = match &self.days {
            Days::Any => true,
            Days::Each(numbers) => numbers.contains(&date.day()),
            Days::Last => date.day() == date.days_in_month(),
        };
        let of_week = date.weekday().to_sunday_zero_offset();
        let weekday = match &self.weekdays {
            Weekdays::Any => true,
            Weekdays::Each(numbers) => numbers.contains(&of_week),
            Weekdays::Nth(day, nth) => *day == of_week && (date.day() - 1) / 7 + 1 == *nth,
            Weekdays::Last(day) => *day == of_week && date.day() + 7 > date.days_in_month(),
        };
        let is_either = !matches!(self.days, Days::Any) && !matches!(self.weekdays, Weekdays::Any);
        let is_day = if is_either { day || weekday } else { day && weekday };
        is_day && has(&self.months, date.month())
    }

    /// Whether it matches what the wall shows.
    pub fn has(&self, wall: DateTime) -> bool {
        has(&self.seconds, wall.second())
            && has(&self.minutes, wall.minute())
            && has(&self.hours, wall.hour())
            && self.has_date(wall.date())
    }

    /// The instants within `from..until`, in seconds since 1970: every second is looked at, from so long before that it
    /// is known what the wall has shown already.
    pub fn walk(&self, zone: &TimeZone, from: i64, until: i64) -> Vec<i64> {
        const LONGEST_FOLD_S: i64 = 26 * 3_600;
        let wall_at = |instant: i64| instant + i64::from(zone.to_offset(second(instant)).seconds());
        let mut furthest = wall_at(from - LONGEST_FOLD_S);
        let mut instants = Vec::new();
        for instant in from - LONGEST_FOLD_S + 1..until {
            let wall = wall_at(instant);
            let fires = || match self.is_hourly() {
                true => self.has(calendar(wall)),
                false => (furthest + 1..=wall).any(|new| self.has(calendar(new))),
            };
            if instant >= from && fires() {
                instants.push(instant);
            }
            furthest = furthest.max(wall);
        }
        instants
    }
}

fn has(numbers: &Option<Vec<i8>>, number: i8) -> bool {
    numbers.as_ref().is_none_or(|numbers| numbers.contains(&number))
}

/// The instant of a number of seconds since 1970.
pub fn second(instant: i64) -> Timestamp {
    Timestamp::from_second(instant).unwrap()
}

fn calendar(wall: i64) -> DateTime {
    TimeZone::UTC.to_datetime(second(wall))
}
