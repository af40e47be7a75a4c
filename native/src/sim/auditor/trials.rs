//! P8: how suspects are tried.

use std::collections::BTreeMap;

use super::{Verdict, ensure};
use crate::ids::RunId;
use crate::limits;

/// What is suspicious in this process: itself, and the suspects it executes, by when they may have begun.
#[derive(Debug, Default)]
pub struct Trials {
    begun_at_ms: BTreeMap<RunId, i64>,
    process_at_ms: Option<i64>,
    /// The earliest time of the requests of this transaction: with which of them a trial began is not told.
    earliest_ms: i64,
}

impl Trials {
    /// A transaction begins. Where the clock goes back, all has begun earlier than it had shown.
    pub fn begin(&mut self, earliest_ms: i64) {
        self.earliest_ms = earliest_ms;
        let all = self.begun_at_ms.values_mut().chain(&mut self.process_at_ms);
        all.for_each(|begun_at_ms| *begun_at_ms = earliest_ms.min(*begun_at_ms));
        self.process_at_ms.get_or_insert(earliest_ms);
    }

    /// A run executes since a transaction that the host heard nothing of.
    pub fn began_unheard(&mut self, run: RunId) {
        self.begun_at_ms.entry(run).or_insert(i64::MIN);
    }

    /// The runs that execute, each with its deaths, at the latest time that the clock has shown.
    pub fn check(&mut self, executing: impl Iterator<Item = (RunId, u64)>, latest_ms: i64) -> Verdict {
        let suspects: BTreeMap<RunId, u64> =
            executing.filter(|(_, deaths)| *deaths >= limits::SUSPECT_DEATHS).collect();
        self.begun_at_ms.retain(|run, _| suspects.contains_key(run));
        for (run, deaths) in &suspects {
            if self.begun_at_ms.contains_key(run) {
                continue;
            }
            let since_ms = self.begun_at_ms.values().copied().chain(self.process_at_ms).max().unwrap_or(i64::MIN);
            let quiet_ms = limits::SUSPECT_QUIET_MS * 2_u64.pow((deaths - limits::SUSPECT_DEATHS) as u32);
            ensure(
                latest_ms >= since_ms.saturating_add(quiet_ms as i64),
                "P8 a suspect begins after a quiet while",
                || format!("{run} after {deaths} deaths at {latest_ms}, {self:?}"),
            )?;
            self.begun_at_ms.insert(*run, self.earliest_ms);
        }
        let is_last = suspects.values().any(|deaths| deaths + 1 >= limits::CRASH_LOOP_DEATHS);
        ensure(!is_last || suspects.len() == 1, "P8 the last trial has no other beside it", || format!("{suspects:?}"))
    }
}
