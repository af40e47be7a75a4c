//! Run ids: time-ordered 63-bit integers, so that they append at the end of the run table's tree.
//!
//! `42 bits milliseconds since 1970 | 8 bits node | 13 bits sequence`. People see `run_` and 13 characters of
//! Crockford's base 32 (<https://www.crockford.com/base32.html>), which sort like the integers.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::error::{Code, Error, Result};

/// What is said of a text that is no run id.
pub const NOT_A_RUN_ID: &str = "a run id is `run_` and 13 characters";
const PREFIX: &str = "run_";
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const CHARACTERS: usize = 13;
const SEQUENCE_BITS: u32 = 13;
const NODE_BITS: u32 = 8;
const MILLISECOND_BITS: u32 = 42;

/// Identifies a run. Orders by creation time.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunId(u64);

impl RunId {
    fn first_of(millisecond: u64, node: u8) -> RunId {
        let millisecond = millisecond & ((1 << MILLISECOND_BITS) - 1);
        RunId((millisecond << (NODE_BITS + SEQUENCE_BITS)) | (u64::from(node) << SEQUENCE_BITS))
    }

    fn successor(self, node: u8) -> RunId {
        let full = (1 << SEQUENCE_BITS) - 1;
        let millisecond = self.0 >> (NODE_BITS + SEQUENCE_BITS);
        let next = if self.0 & full < full { RunId(self.0 + 1) } else { RunId::first_of(millisecond + 1, node) };
        // A node that follows another in the same millisecond may have the smaller number.
        if next > self { next } else { RunId::first_of(millisecond + 1, node) }
    }

    /// When it was given out, in milliseconds since 1970; later if the clock had jumped back.
    pub fn millisecond(self) -> i64 {
        (self.0 >> (NODE_BITS + SEQUENCE_BITS)) as i64
    }

    /// The smallest id that may be given out at this time or later, by any node.
    pub fn earliest_at(at_ms: i64) -> RunId {
        RunId::first_of(at_ms.clamp(0, (1 << MILLISECOND_BITS) - 1) as u64, 0)
    }

    /// The integer that is stored.
    pub fn to_integer(self) -> i64 {
        self.0 as i64
    }

    /// The id behind a stored integer. Negative integers are not ids.
    pub fn from_integer(integer: i64) -> Option<RunId> {
        u64::try_from(integer).ok().map(RunId)
    }

    /// Reads the form people see. Case does not matter; `O`, `I` and `L` are read as `0`, `1` and `1`.
    pub fn parse(text: &str) -> Result<RunId> {
        let wrong = || Error::new(Code::RunIdInvalid, NOT_A_RUN_ID);
        let digits = text.strip_prefix(PREFIX).filter(|d| d.len() == CHARACTERS).ok_or_else(wrong)?;
        let mut value: u64 = 0;
        for (place, byte) in digits.bytes().enumerate() {
            let digit = digit_of(byte).ok_or_else(wrong)?;
            if place == 0 && digit > 7 {
                return Err(wrong());
            }
            value = (value << 5) | u64::from(digit);
        }
        Ok(RunId(value))
    }
}

fn digit_of(byte: u8) -> Option<u8> {
    let upper = match byte.to_ascii_uppercase() {
        b'O' => b'0',
        b'I' | b'L' => b'1',
        other => other,
    };
    ALPHABET.iter().position(|&c| c == upper).map(|p| p as u8)
}

impl fmt::Display for RunId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = [0u8; PREFIX.len() + CHARACTERS];
        text[..PREFIX.len()].copy_from_slice(PREFIX.as_bytes());
        for (place, slot) in text[PREFIX.len()..].iter_mut().rev().enumerate() {
            *slot = ALPHABET[(self.0 >> (5 * place)) as usize & 31];
        }
        formatter.write_str(std::str::from_utf8(&text).map_err(|_| fmt::Error)?)
    }
}

impl fmt::Debug for RunId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl Serialize for RunId {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for RunId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<RunId, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = RunId;
            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a run id")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> std::result::Result<RunId, E> {
                RunId::parse(text).map_err(|error| E::custom(error.message))
            }
        }
        deserializer.deserialize_str(Visitor)
    }
}

/// Gives out run ids that only grow, also when the clock jumps back or a millisecond is full.
#[derive(Debug, Clone)]
pub struct IdSource {
    node: u8,
    last: Option<RunId>,
}

impl IdSource {
    /// A source that continues after `last`, the greatest id stored.
    pub fn new(node: u8, last: Option<RunId>) -> IdSource {
        IdSource { node, last }
    }

    /// The next id at this time.
    pub fn next(&mut self, now_ms: i64) -> RunId {
        let earliest = RunId::first_of(now_ms.max(0) as u64, self.node);
        let id = match self.last {
            Some(last) if last >= earliest => last.successor(self.node),
            _ => earliest,
        };
        self.last = Some(id);
        id
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_integer_forms_agree() {
        for integer in [0, 1, 31, 32, 1 << 41, i64::MAX] {
            let id = RunId::from_integer(integer).unwrap();
            assert_eq!(RunId::parse(&id.to_string()).unwrap(), id);
            assert_eq!(id.to_integer(), integer);
        }
        assert_eq!(RunId::from_integer(i64::MAX).unwrap().to_string(), "run_7ZZZZZZZZZZZZ");
        assert!(RunId::from_integer(-1).is_none());
    }

    #[test]
    fn reads_what_people_mistype_and_refuses_the_rest() {
        assert_eq!(RunId::parse("run_00000000000oL").unwrap(), RunId::parse("run_0000000000001").unwrap());
        for wrong in [
            "",
            "run_",
            "run_000000000000",
            "run_00000000000000",
            "run_8000000000000",
            "RUN_0000000000000",
            "run_000000000000U",
        ] {
            assert_eq!(RunId::parse(wrong).unwrap_err().code, Code::RunIdInvalid, "{wrong}");
        }
    }

    #[test]
    fn ids_grow_when_the_clock_jumps_back_and_when_a_millisecond_is_full() {
        let mut source = IdSource::new(3, None);
        let mut last = source.next(1_000_000);
        for step in 0..20_000 {
            let next = source.next(1_000_000 - step);
            assert!(next > last);
            last = next;
        }
        let mut other_node = IdSource::new(0, Some(last));
        assert!(other_node.next(0) > last);
    }

    #[test]
    fn no_id_is_smaller_than_the_earliest_of_its_time() {
        let earliest = RunId::earliest_at;
        assert_eq!(earliest(5), IdSource::new(0, None).next(5));
        for last in [None, Some(earliest(4)), Some(earliest(9))] {
            assert!(IdSource::new(255, last).next(5) >= earliest(5));
        }
        assert!(IdSource::new(255, None).next(4) < earliest(5));
        assert_eq!((earliest(-1), earliest(i64::MIN)), (earliest(0), RunId(0)));
        assert_eq!(earliest(i64::MAX).millisecond(), (1 << 42) - 1);
    }
}
