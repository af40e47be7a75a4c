//! When runs of a workflow start by themselves.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::check::{at_least_one, at_most, check_duration, check_text, invalid};
use crate::cron::Cron;
use crate::error::Result;
use crate::limits;

/// A schedule of a workflow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScheduleSpec {
    /// Unique within the workflow; what is stored of a schedule is found by it.
    pub name: String,
    /// At which instants.
    pub timing: Timing,
    /// What becomes of instants that nobody was there for.
    #[serde(default)]
    pub misfire: Misfire,
    /// What becomes of an instant while a run of this schedule has not ended.
    #[serde(default)]
    pub overlap: Overlap,
    /// Each run begins up to so much later, by a hash of its instant, and before the next instant.
    #[serde(default)]
    pub jitter_ms: u64,
    /// Its runs share the workflow's concurrency with others of this key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency_key: Option<String>,
    /// Its runs share the workflow's rate limit with others of this key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate_key: Option<String>,
}

/// At which instants something happens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Timing {
    /// When the clock on the wall of a time zone shows something.
    Cron {
        /// Five fields, or six with seconds first.
        pattern: String,
        /// An IANA name.
        timezone: String,
    },
    /// Again and again, counted from when the schedule was first stored.
    Interval {
        /// How long in between.
        every_ms: u64,
    },
    /// The same, but the host is asked for new items, each of which starts a run.
    Poll {
        /// How long after the end of one poll the next begins.
        every_ms: u64,
    },
}

/// What becomes of instants that have passed when they are looked at: no process was there, or the clock has jumped.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Misfire {
    /// Nothing, unless the latest of them is hardly late.
    Skip,
    /// The latest of them starts a run.
    #[default]
    Once,
    /// Each of the latest `limits::MISFIRES` starts a run.
    All,
}

/// What becomes of an instant while a run of the same schedule has not ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Overlap {
    /// It starts a run beside it.
    #[default]
    Allow,
    /// It starts none.
    Skip,
    /// It starts one when that has ended.
    Queue,
}

/// The schedules of one workflow.
pub fn validate(workflow: &str, schedules: &[ScheduleSpec]) -> Result<()> {
    at_most("schedules of one workflow", schedules.len() as u64, limits::SCHEDULES_PER_WORKFLOW)?;
    let mut names = BTreeSet::new();
    for schedule in schedules {
        check_text("schedule name", &schedule.name)?;
        if !names.insert(&schedule.name) {
            return Err(invalid(format!("workflow `{workflow}` has two schedules named `{}`", schedule.name)));
        }
        check_duration("jitter_ms", Some(schedule.jitter_ms))?;
        match &schedule.timing {
            Timing::Cron { pattern, timezone } => {
                Cron::parse(pattern, timezone)
                    .map_err(|error| invalid(format!("workflow `{workflow}`, cron `{pattern}`: {error}")))?;
            }
            Timing::Interval { every_ms } | Timing::Poll { every_ms } => {
                at_least_one("every_ms", Some(*every_ms))?;
                check_duration("every_ms", Some(*every_ms))?;
            }
        }
    }
    Ok(())
}
