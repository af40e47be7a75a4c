//! What may be said in a definition.

use crate::error::{Code, Error, Result};
use crate::limits;

pub fn invalid(message: impl Into<String>) -> Error {
    Error::new(Code::DefinitionInvalid, message)
}

pub fn at_least_one(field: &str, value: Option<u64>) -> Result<()> {
    if value == Some(0) { Err(invalid(format!("{field} must be at least 1"))) } else { Ok(()) }
}

pub fn at_most(what: &str, value: u64, most: u64) -> Result<()> {
    if value > most { Err(invalid(format!("{what}: at most {most}, not {value}"))) } else { Ok(()) }
}

pub fn check_duration(field: &str, value: Option<u64>) -> Result<()> {
    match value {
        Some(ms) if ms > limits::DURATION_MS => Err(invalid(format!("{field} is longer than 100 years"))),
        _ => Ok(()),
    }
}

/// Names of events are the user's own words.
pub fn check_text(what: &str, text: &str) -> Result<()> {
    match text.is_empty() || text.len() as u64 > limits::NAME_LENGTH {
        true => Err(invalid(format!("{what} {text:?} has from 1 to {} bytes", limits::NAME_LENGTH))),
        false => Ok(()),
    }
}

/// Names are `[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}`.
pub fn check_name(what: &str, name: &str) -> Result<()> {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let starts_well = name.chars().next().is_some_and(word);
    let goes_on_well = name.chars().all(|c| word(c) || c == '.' || c == '-');
    if starts_well && goes_on_well && name.len() as u64 <= limits::NAME_LENGTH {
        return Ok(());
    }
    let shown: String = name.chars().take(40).collect();
    Err(invalid(format!("{what} {shown:?} is not of the form [A-Za-z0-9_][A-Za-z0-9_.-]{{0,127}}")))
}
