//! Values that outlive runs: `ctx.state` per workflow, the state all share, and cached outputs.

use serde_json::value::RawValue;

use super::Engine;
use crate::error::{Code, Error, Result};
use crate::limits;
use crate::model::StateValue;
use crate::protocol::{Cache, Change, ChangedValue, CommandResult};
use crate::value;

/// The space of the state that all workflows share.
pub const SHARED: &str = "";

/// The space of a step's cached outputs; `@` and `/` are in no name.
pub fn cache_space(workflow_id: &str, step: &str) -> String {
    format!("@{workflow_id}/{step}")
}

/// What a key will be.
pub type Planned<'a> = Vec<(&'a str, Option<StateValue>)>;

impl Engine {
    /// What changes lead to; nothing is stored yet. Later changes see earlier ones.
    pub(super) fn plan_changes<'a>(
        &mut self,
        space: &str,
        changes: &'a [Change<'a>],
        now_ms: i64,
    ) -> Result<Planned<'a>> {
        if changes.len() as u64 > limits::STATE_CHANGES {
            let message = format!("an attempt changes at most {} values of the state", limits::STATE_CHANGES);
            return Err(Error::new(Code::ValueInvalid, message));
        }
        let mut planned: Planned<'a> = Vec::with_capacity(changes.len());
        for change in changes {
            let (key, after) = match change {
                Change::Set(set) => {
                    let text = value::check("value", set.value)?.to_owned();
                    (&set.key, Some(stored(text, set.ttl_ms, now_ms)?))
                }
                Change::Delete(key) => (key, None),
                Change::Incr(incr) => {
                    let before = match planned.iter().rev().find(|(key, _)| *key == incr.key) {
                        Some((_, before)) => before.clone(),
                        None => self.store.state(space, &incr.key, now_ms)?,
                    };
                    (&incr.key, Some(added(before, &incr.key, incr.by)?))
                }
            };
            value::check_text("key", key, limits::STATE_KEY_BYTES)?;
            planned.retain(|(earlier, _)| earlier != key);
            planned.push((key, after));
        }
        Ok(planned)
    }

    /// Stores what was planned.
    pub(super) fn store_changes(&mut self, space: &str, planned: &Planned<'_>) -> Result<()> {
        for (key, after) in planned {
            self.store.set_state(space, key, after.as_ref())?;
            self.timers_changed |= after.as_ref().is_some_and(|value| value.expires_at_ms.is_some());
        }
        Ok(())
    }

    /// Changes the state all workflows share.
    pub(super) fn change_shared<'a>(&mut self, changes: &'a [Change<'a>], now_ms: i64) -> Result<CommandResult<'a>> {
        let planned = self.plan_changes(SHARED, changes, now_ms)?;
        self.store_changes(SHARED, &planned)?;
        Ok(changed(planned))
    }

    /// Keeps the output of an attempt for other runs of its workflow.
    pub(super) fn cache(&mut self, space: &str, cache: &Cache<'_>, output: &RawValue, now_ms: i64) -> Result<()> {
        let value = StateValue { value: output.get().to_owned(), expires_at_ms: expiry(cache.ttl_ms, now_ms) };
        self.timers_changed |= value.expires_at_ms.is_some();
        self.store.set_state(space, &cache.key, Some(&value))
    }

    /// Values as JSON: a list in the order of the keys, `null` for those that are not there.
    pub(super) fn state_json(&mut self, space: &str, keys: &[String], now_ms: i64) -> Result<String> {
        let mut text = String::from(r#"{"values":["#);
        for (place, key) in keys.iter().enumerate() {
            let value = self.store.state(space, key, now_ms)?;
            text.push_str(if place > 0 { "," } else { "" });
            match value {
                None => text.push_str("null"),
                Some(StateValue { value, expires_at_ms }) => {
                    let expires = expires_at_ms.map_or(String::new(), |at| format!(r#","expires_at_ms":{at}"#));
                    text.push_str(&format!(r#"{{"value":{value}{expires}}}"#));
                }
            }
        }
        text.push_str("]}");
        Ok(text)
    }
}

/// What the host is told: the changed keys and what they now are.
pub fn changed<'a>(planned: Planned<'a>) -> CommandResult<'a> {
    let changed = |(key, value): (&'a str, Option<StateValue>)| {
        let expires_at_ms = value.as_ref().and_then(|value| value.expires_at_ms);
        // What was planned is JSON: it was checked, or is a number.
        let raw = value.and_then(|value| RawValue::from_string(value.value).ok());
        raw.map_or(ChangedValue::Gone((key,)), |raw| ChangedValue::Is(key, expires_at_ms, raw))
    };
    CommandResult::Changed { state: planned.into_iter().map(changed).collect() }
}

fn stored(text: String, ttl_ms: Option<u64>, now_ms: i64) -> Result<StateValue> {
    if text.len() as u64 > limits::STATE_VALUE_BYTES {
        let message =
            format!("a value of the state has at most {} bytes, not {}", limits::STATE_VALUE_BYTES, text.len());
        return Err(Error::new(Code::ValueTooLarge, message));
    }
    Ok(StateValue { value: text, expires_at_ms: expiry(ttl_ms, now_ms) })
}

/// When a value of this time to live vanishes.
pub fn expiry(ttl_ms: Option<u64>, now_ms: i64) -> Option<i64> {
    ttl_ms.map(|ttl_ms| now_ms.saturating_add(ttl_ms.min(limits::DURATION_MS) as i64))
}

/// The sum, with the time to live that the number had.
fn added(before: Option<StateValue>, key: &str, by: f64) -> Result<StateValue> {
    let number = match &before {
        None => 0.0,
        Some(before) => before.value.parse::<f64>().map_err(|_| {
            Error::new(Code::NotANumber, format!("`{key}` of the state is not a number, so nothing can be added to it"))
        })?,
    };
    let sum = number + by;
    if !sum.is_finite() {
        return Err(Error::new(Code::NotANumber, format!("`{key}` of the state would be {sum}")));
    }
    // As JavaScript writes it: whole numbers have no point.
    let is_whole = sum.fract() == 0.0 && sum.abs() < 9_007_199_254_740_992.0;
    let value = if is_whole { (sum as i64).to_string() } else { serde_json::Value::from(sum).to_string() };
    Ok(StateValue { value, expires_at_ms: before.and_then(|before| before.expires_at_ms) })
}
