//! What a recorded value must say: whose it is (P7), or which error of the engine.

use super::tree::Scene;
use crate::definition::{RetryPolicy, Strategy};
use crate::model::StepRow;
use crate::sim::workload::Mark;

/// An error unless two values are equal.
pub fn expect<T: PartialEq + std::fmt::Debug>(what: &str, found: T, wanted: T) -> Result<(), String> {
    if found == wanted { Ok(()) } else { Err(format!("{what} is {found:?} instead of {wanted:?}")) }
}

/// The mark in a value.
pub fn mark(value: &str) -> Result<Mark, String> {
    serde_json::from_str(value).map_err(|error| format!("not what the handler gave ({error})"))
}

/// Whether a value is of the attempt whose row has it.
pub fn is_own(value: &str, row: &StepRow, scene: &Scene<'_>) -> Result<bool, String> {
    let mark = mark(value)?;
    let of_step = mark.step.as_deref().unwrap_or(mark.handler.as_str()) == row.name;
    Ok(of_step
        && mark.run == scene.run
        && mark.scope == row.scope
        && mark.handler == row.handler
        && mark.attempt == row.attempt)
}

/// A value that only the attempt itself can have given.
pub fn check_own(value: &str, row: &StepRow, scene: &Scene<'_>) -> Result<(), String> {
    if is_own(value, row, scene)? { Ok(()) } else { Err("the value is of another attempt".to_owned()) }
}

/// The code of an error the engine itself recorded, or nothing.
pub fn error_code(error: Option<&str>) -> String {
    let parsed = error.and_then(|error| serde_json::from_str::<serde_json::Value>(error).ok());
    parsed.and_then(|error| Some(error.get("code")?.as_str()?.to_owned())).unwrap_or_default()
}

/// The shortest and the longest delay a policy allows after so many failures.
pub fn delay_bounds(policy: &RetryPolicy, failures: u32) -> (i64, i64) {
    let first = policy.delay_ms as f64;
    let grown = match policy.strategy {
        Strategy::Fixed => first,
        Strategy::Linear => first * f64::from(failures),
        Strategy::Exponential => (1..failures).fold(first, |delay, _| delay * policy.multiplier),
    };
    let most = grown.min(policy.max_delay_ms as f64);
    ((most * (1.0 - policy.jitter)) as i64, most as i64)
}
