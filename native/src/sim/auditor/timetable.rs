//! The instants of a schedule, and when the run of each is due, as the contract says it.

use super::{Violation, broken};
use crate::cron::Cron;
use crate::definition::{ScheduleSpec, Timing};

/// Which instants there are.
#[derive(Debug)]
enum Instants {
    Cron(Box<Cron>),
    Every { every_ms: i64, anchor_at_ms: i64 },
}

/// The instants of one schedule.
#[derive(Debug)]
pub struct Timetable {
    instants: Instants,
    jitter_ms: u64,
    seed: u64,
}

impl Timetable {
    /// The instants of a schedule that began at this time.
    pub fn new(workflow: &str, spec: &ScheduleSpec, anchor_at_ms: i64) -> Result<Timetable, Violation> {
        let instants = match &spec.timing {
            Timing::Cron { pattern, timezone } => {
                let cron = Cron::parse(pattern, timezone);
                Instants::Cron(Box::new(cron.map_err(|error| broken("a pattern is one", error.to_string()))?))
            }
            Timing::Interval { every_ms } | Timing::Poll { every_ms } => {
                Instants::Every { every_ms: *every_ms as i64, anchor_at_ms }
            }
        };
        Ok(Timetable { instants, jitter_ms: spec.jitter_ms, seed: seed(workflow, &spec.name) })
    }

    /// Whether this is one of them.
    pub fn has(&self, instant_ms: i64) -> bool {
        match &self.instants {
            Instants::Cron(cron) => cron.next(instant_ms - 1) == Some(instant_ms),
            Instants::Every { every_ms, anchor_at_ms } => (instant_ms - anchor_at_ms) % every_ms == 0,
        }
    }

    /// The latest of those that are due at this time and lie after another, in order.
    pub fn due(&self, after_ms: i64, now_ms: i64, count: usize) -> Vec<i64> {
        // A run begins before the next instant: at most one instant has passed and is not due.
        let mut instants = self.between(after_ms, now_ms, count + 1);
        if instants.last().is_some_and(|last| self.due_at_ms(*last) > now_ms) {
            instants.pop();
        }
        instants.drain(..instants.len().saturating_sub(count));
        instants
    }

    fn between(&self, after_ms: i64, until_ms: i64, count: usize) -> Vec<i64> {
        match &self.instants {
            _ if until_ms <= after_ms => Vec::new(),
            Instants::Cron(cron) => cron.latest(after_ms.saturating_add(1), until_ms, count),
            Instants::Every { every_ms, anchor_at_ms } => {
                let last = (until_ms - anchor_at_ms).div_euclid(*every_ms);
                let down = (0..count as i64).map(|back| anchor_at_ms + (last - back) * every_ms);
                let mut instants: Vec<i64> = down.take_while(|instant_ms| *instant_ms > after_ms).collect();
                instants.reverse();
                instants
            }
        }
    }

    /// When its run is due: up to the jitter later, and before the next instant, by a hash of whose instant it is.
    pub fn due_at_ms(&self, instant_ms: i64) -> i64 {
        if self.jitter_ms == 0 {
            return instant_ms;
        }
        let next_ms = match &self.instants {
            Instants::Cron(cron) => cron.next(instant_ms).unwrap_or(i64::MAX),
            Instants::Every { every_ms, .. } => instant_ms + every_ms,
        };
        let most_ms = (next_ms - instant_ms - 1).min(self.jitter_ms as i64);
        let hash = mixed(self.seed ^ (instant_ms as u64).rotate_left(17));
        let part = (hash >> 11) as f64 / (1u64 << 53) as f64;
        instant_ms + (part * (most_ms + 1) as f64) as i64
    }
}

/// FNV-1a of the workflow and the schedule.
fn seed(workflow: &str, name: &str) -> u64 {
    let add = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3);
    workflow.bytes().chain(name.bytes()).fold(0xCBF2_9CE4_8422_2325, add)
}

/// The output function of SplitMix64.
fn mixed(seed: u64) -> u64 {
    let z = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
