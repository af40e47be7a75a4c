//! A time zone: stretches of time with one offset from UTC, and between them transitions that skip or repeat
//! wall-clock time.
//!
//! Instants are seconds since 1970 in UTC. Wall-clock times are the same number made of what the clock on the wall
//! shows. Outside of the calendar (years -9999 to 9999) there are none.

use std::sync::LazyLock;

use jiff::Timestamp;
use jiff::tz::{Offset, TimeZone, TimeZoneDatabase};

use super::error::{CronError, Field};

/// What is compiled in, never what the machine has.
static ZONES: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);

/// More than any wall clock differs from UTC, in seconds.
pub(super) const REACH_S: i64 = Offset::MAX.seconds() as i64 + 1;

/// The last second for which there is a wall-clock time in every zone.
pub(super) fn last_second() -> i64 {
    Timestamp::MAX.as_second() - REACH_S
}

/// From `start` until before `end`, the wall shows UTC and `offset` seconds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stretch {
    pub start: i64,
    pub end: i64,
    pub offset: i64,
}

#[derive(Debug, Clone)]
pub(super) struct Zone(TimeZone);

impl Zone {
    /// The zone of this IANA name, which is case-sensitive here: what is stored is what others can read.
    pub fn named(name: &str) -> Result<Zone, CronError> {
        if name.is_empty() {
            return Err(CronError::new(Field::TimeZone, "the time zone is empty"));
        }
        let zone = ZONES.get(name).ok().filter(|zone| !zone.is_unknown());
        match zone.as_ref().and_then(TimeZone::iana_name) {
            None => Err(CronError::new(Field::TimeZone, format_args!("the time zone `{name}` is not known"))),
            Some(right) if right != name => Err(CronError {
                field: Field::TimeZone,
                message: format!("the time zone `{name}` is not known; write `{right}`"),
            }),
            Some(_) => Ok(Zone(zone.unwrap_or(TimeZone::UTC))),
        }
    }

    /// The stretch around an instant.
    pub fn stretch(&self, instant: i64) -> Option<Stretch> {
        let after = Timestamp::from_second(instant + 1).ok()?;
        let start = self.0.preceding(after).next().map_or(i64::MIN, |transition| transition.timestamp().as_second());
        self.stretches(instant)?.next().map(|stretch| Stretch { start, ..stretch })
    }

    /// The first instant at which the wall shows this time or something later: the end of the gap if it is skipped, the
    /// first time if it occurs twice.
    pub fn instant(&self, wall: i64) -> Option<i64> {
        self.stretches(wall - REACH_S)?.find_map(|stretch| {
            let instant = stretch.start.max(wall - stretch.offset);
            (instant < stretch.end).then_some(instant)
        })
    }

    /// The latest time that the wall has shown at this instant or before it: more than it shows now, if it has been set
    /// back.
    pub fn furthest_wall(&self, instant: i64) -> Option<i64> {
        self.stretches(instant - 2 * REACH_S)?
            .take_while(|stretch| stretch.start <= instant)
            .map(|stretch| instant.min(stretch.end - 1) + stretch.offset)
            .max()
    }

    /// The stretches from an instant on; the first one is cut off there.
    fn stretches(&self, from: i64) -> Option<impl Iterator<Item = Stretch>> {
        let first = Timestamp::from_second(from).ok()?;
        let mut transitions = self.0.following(first);
        let mut next = Some((from, i64::from(self.0.to_offset(first).seconds())));
        Some(std::iter::from_fn(move || {
            let (start, offset) = next?;
            next = transitions.next().map(|to| (to.timestamp().as_second(), i64::from(to.offset().seconds())));
            Some(Stretch { start, end: next.map_or(i64::MAX, |(end, _)| end), offset })
        }))
    }
}
