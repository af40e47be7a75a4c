//! Recorded values are opaque: their text is checked once for size and nesting, and carried as it is.

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
            b'"' => {
                while let Some(inside) = bytes.next() {
                    match inside {
                        b'"' => break,
                        b'\\' => drop(bytes.next()),
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }
    deepest
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
}
