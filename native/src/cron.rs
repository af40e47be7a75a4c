//! When does a cron expression in a time zone fire? A pure leaf: no clock, and the zones are compiled in, so that the
//! answer is the same on every machine.
//!
//! A pattern is about wall-clock time. Where a zone skips or repeats wall-clock time, this is what happens:
//!
//! * a time that does not exist fires at the first instant after the gap, several of them once;
//! * a time that occurs twice fires once, the first time;
//! * a pattern for all 24 hours follows real hours: it fires whenever the clock on the wall shows a time that matches,
//!   in both passes of a repeated hour, and nothing is made up for a skipped one.

mod error;
mod fields;
mod pattern;
mod zone;

pub use error::{CronError, Field};

use pattern::{Direction, Pattern};
use zone::{REACH_S, Zone};

const SECOND_MS: i64 = 1_000;

/// A cron expression in a time zone, parsed.
#[derive(Debug, Clone)]
pub struct Cron {
    pattern: Pattern,
    zone: Zone,
}

impl Cron {
    /// Reads a pattern of 5 fields (minute, hour, day of month, month, day of week) or 6 (with the second first), or one
    /// of `@yearly @monthly @weekly @daily @hourly`, and the name of an IANA time zone.
    ///
    /// A date matches if the day of month or the day of week does, when both are restricted; both must with a `+` before
    /// the day of week. Fields take lists, ranges and steps; names of months and days of the week; `L` (last day of the
    /// month, `5L`: last Friday), `15W` (the weekday nearest to the 15th) and `2#1` (the first Tuesday).
    ///
    /// # Errors
    /// The first field that is wrong, with what it may be; a zone that is not known; a pattern that never fires.
    pub fn parse(pattern: &str, zone: &str) -> Result<Cron, CronError> {
        Ok(Cron { pattern: Pattern::parse(pattern)?, zone: Zone::named(zone)? })
    }

    /// The first instant after `after_ms` (exclusive) at which it fires, in milliseconds since 1970. None if there is
    /// none in years up to 9999, whose last two days do not count, or if `after_ms` is outside of the calendar.
    pub fn next(&self, after_ms: i64) -> Option<i64> {
        let from = after_ms.div_euclid(SECOND_MS) + 1;
        let next = if self.pattern.is_hourly() { self.next_real(from) } else { self.next_mapped(from) };
        next.map(|second| second * SECOND_MS)
    }

    /// The latest `count` instants within `from_ms..=until_ms` at which it fires, in order. The work is in proportion to
    /// `count`, not to the span.
    pub fn latest(&self, from_ms: i64, until_ms: i64, count: usize) -> Vec<i64> {
        let mut instants = Vec::new();
        let mut until = until_ms.div_euclid(SECOND_MS).min(zone::last_second());
        while instants.len() < count {
            let previous =
                if self.pattern.is_hourly() { self.previous_real(until) } else { self.previous_mapped(until) };
            let Some(second) = previous.filter(|second| second * SECOND_MS >= from_ms) else { break };
            instants.push(second * SECOND_MS);
            until = second - 1;
        }
        instants.reverse();
        instants
    }

    /// The first instant from `from` on for which a wall-clock time stands that is one of the pattern's.
    ///
    /// A wall-clock time stands for the first instant at which the wall shows it or something later. All those that the
    /// wall has reached before `from` stand for earlier instants, all others for `from` or later ones.
    fn next_mapped(&self, from: i64) -> Option<i64> {
        let wall = self.pattern.nearest(self.zone.furthest_wall(from - 1)? + 1, Direction::Forward)?;
        self.zone.instant(wall)
    }

    /// The last instant until `until` for which a wall-clock time stands that is one of the pattern's.
    fn previous_mapped(&self, until: i64) -> Option<i64> {
        let wall = self.pattern.nearest(self.zone.furthest_wall(until)?, Direction::Backward)?;
        self.zone.instant(wall)
    }

    /// The first instant from `from` on at which the wall shows a time of the pattern.
    fn next_real(&self, mut from: i64) -> Option<i64> {
        loop {
            let stretch = self.zone.stretch(from)?;
            let here = from + stretch.offset;
            let wall = self.pattern.nearest(here, Direction::Forward)?;
            if wall - stretch.offset < stretch.end {
                return Some(wall - stretch.offset);
            }
            // No time from `here` until `wall` matches, and at every instant farther than REACH_S from both the wall
            // shows such a time. So the search for a 29 February does not visit the transitions on the way.
            let is_beyond_reach = stretch.end >= here + REACH_S;
            from = if is_beyond_reach { stretch.end.max(wall - REACH_S) } else { stretch.end };
        }
    }

    /// The last instant until `until` at which the wall shows a time of the pattern.
    fn previous_real(&self, mut until: i64) -> Option<i64> {
        loop {
            let stretch = self.zone.stretch(until)?;
            let here = until + stretch.offset;
            let wall = self.pattern.nearest(here, Direction::Backward)?;
            if wall - stretch.offset >= stretch.start {
                return Some(wall - stretch.offset);
            }
            let is_beyond_reach = stretch.start <= here - REACH_S;
            until = if is_beyond_reach { (stretch.start - 1).min(wall + REACH_S) } else { stretch.start - 1 };
        }
    }
}
