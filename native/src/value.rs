//! Recorded values are opaque: their text is checked once for size and nesting, and carried as it is.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::value::RawValue;

use crate::error::{Code, Error, Result};
use crate::limits;

/// The text of a value that may be recorded. JSON `null` is a value; an absent one is not.
pub fn check<'a>(what: &str, value: &'a RawValue) -> Result<&'a str> {
    let text = value.get();
    if text.len() as u64 > limits::VALUE_BYTES {
        let message = format!("the {what} has {} bytes, at most {} are recorded", text.len(), limits::VALUE_BYTES);
        return Err(Error::new(Code::ValueTooLarge, message));
    }
    if depth(text) > limits::VALUE_DEPTH {
        let message = format!("the {what} is nested deeper than {} levels", limits::VALUE_DEPTH);
        return Err(Error::new(Code::ValueTooDeep, message));
    }
    Ok(text)
}

/// The same for a value that may be absent.
pub fn check_optional<'a>(what: &str, value: Option<&'a RawValue>) -> Result<Option<&'a str>> {
    value.map(|value| check(what, value)).transpose()
}

/// A key, a name or another text of the user's, which is stored as it is.
pub fn check_text(what: &str, text: &str, bytes: u64) -> Result<()> {
    if text.is_empty() || text.len() as u64 > bytes {
        return Err(Error::new(Code::TextInvalid, format!("the {what} has from 1 to {bytes} bytes")));
    }
    Ok(())
}

/// The keys by which a run counts against its workflow's limits.
pub fn check_limit_keys(concurrency_key: Option<&str>, rate_key: Option<&str>) -> Result<()> {
    for (what, key) in [("concurrency key", concurrency_key), ("rate key", rate_key)] {
        key.map_or(Ok(()), |key| check_text(what, key, limits::STATE_KEY_BYTES))?;
    }
    Ok(())
}

/// The nesting of valid JSON text: brackets outside strings.
fn depth(text: &str) -> u64 {
    let (mut depth, mut deepest) = (0u64, 0u64);
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'{' | b'[' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            b'"' => skip_string(&mut bytes),
            _ => {}
        }
    }
    deepest
}

fn skip_string(bytes: &mut std::str::Bytes<'_>) {
    while let Some(inside) = bytes.next() {
        match inside {
            b'"' => break,
            b'\\' => drop(bytes.next()),
            _ => {}
        }
    }
}

/// The elements of a JSON array, or none when the text is not one.
pub fn count_items(text: &str) -> Option<u64> {
    let inside = text.trim().strip_prefix('[')?.strip_suffix(']')?;
    if inside.trim().is_empty() {
        return Some(0);
    }
    let (mut depth, mut items) = (0u64, 1);
    let mut bytes = inside.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            b',' if depth == 0 => items += 1,
            b'"' => skip_string(&mut bytes),
            _ => {}
        }
    }
    Some(items)
}

/// The members of a JSON object, each as its text; none when the text is not one.
pub fn mocks(text: &str) -> Option<BTreeMap<String, Arc<str>>> {
    let members: BTreeMap<String, Box<RawValue>> = serde_json::from_str(text).ok()?;
    Some(members.into_iter().map(|(name, value)| (name, value.get().into())).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_brackets_outside_strings_only() {
        for (text, expected) in
            [("1", 0), ("[]", 1), (r#"{"a":[{}]}"#, 3), (r#""[[[""#, 0), (r#"["\"[",[]]"#, 2), (r#"["\\",[]]"#, 2)]
        {
            assert_eq!(depth(text), expected, "{text}");
        }
    }

    #[test]
    fn counts_the_elements_of_an_array_only() {
        for (text, expected) in [
            ("[]", Some(0)),
            (" [ ] ", Some(0)),
            ("[1]", Some(1)),
            (r#"[[1,2],{"a":[3,4]},"],",null]"#, Some(4)),
            ("{}", None),
            ("\"[]\"", None),
            ("null", None),
        ] {
            assert_eq!(count_items(text), expected, "{text}");
        }
    }
}
