//! Recognises requests that are sent twice, so that repeating one is harmless whatever it asks for (law 2).
//!
//! A request that only asks is not remembered: it is answered again. Of the others the numbers are, and the answers as
//! long as they are not too large together: without its answer a repeated request is still not applied again.

use std::collections::BTreeMap;

use crate::error::{Code, Error};
use crate::limits;

use super::answer::Results;

/// The results of the last requests, by number; none of those that were too large to be kept.
#[derive(Debug, Default)]
pub struct Repeats {
    results: BTreeMap<u64, Option<Vec<u8>>>,
    /// Of all results that are kept.
    bytes: usize,
    forgotten: u64,
}

impl Repeats {
    /// The answer to a request that was applied before.
    pub fn answer(&self, seq: u64) -> Option<Results> {
        if seq == 0 {
            return None;
        }
        if let Some(Some(results)) = self.results.get(&seq) {
            return Some(Ok(results.clone()));
        }
        (seq <= self.forgotten || self.results.contains_key(&seq)).then(|| {
            let message = format!("request {seq} was applied before, and its answer is no longer remembered");
            Err(Error::new(Code::RequestRepeated, message))
        })
    }

    /// Remembers a request that is committed.
    pub fn remember(&mut self, seq: u64, results: &Results) {
        let Ok(results) = results else { return };
        if seq == 0 || self.results.contains_key(&seq) {
            return;
        }
        self.bytes += results.len();
        self.results.insert(seq, Some(results.clone()));
        while self.results.len() as u64 > limits::ANSWERS_REMEMBERED {
            if let Some((oldest, results)) = self.results.pop_first() {
                self.bytes -= results.map_or(0, |results| results.len());
                self.forgotten = oldest;
            }
        }
        for results in self.results.values_mut() {
            if self.bytes as u64 <= limits::ANSWER_BYTES_REMEMBERED {
                break;
            }
            self.bytes -= results.take().map_or(0, |results| results.len());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gives_the_same_answer_again_and_refuses_what_it_forgot() {
        let mut repeats = Repeats::default();
        for seq in 1..=limits::ANSWERS_REMEMBERED + 2 {
            assert!(repeats.answer(seq).is_none());
            repeats.remember(seq, &Ok(seq.to_string().into_bytes()));
        }
        assert_eq!(repeats.answer(1).unwrap().unwrap_err().code, Code::RequestRepeated);
        assert_eq!(repeats.answer(2).unwrap().unwrap_err().code, Code::RequestRepeated);
        assert_eq!(repeats.answer(3).unwrap().unwrap(), b"3");
        assert!(repeats.answer(0).is_none());
    }

    #[test]
    fn keeps_only_so_many_bytes_and_still_knows_the_numbers() {
        let mut repeats = Repeats::default();
        let half = limits::ANSWER_BYTES_REMEMBERED as usize / 2;
        for (seq, bytes) in [(1, 10), (3, half), (4, half), (5, 10), (6, 3 * half), (7, 10)] {
            repeats.remember(seq, &Ok(vec![b'x'; bytes]));
            assert!(repeats.bytes as u64 <= limits::ANSWER_BYTES_REMEMBERED);
        }
        for seq in [1, 3, 4, 5, 6] {
            assert_eq!(repeats.answer(seq).unwrap().unwrap_err().code, Code::RequestRepeated, "{seq}");
        }
        assert_eq!(repeats.answer(7).unwrap().unwrap().len(), 10);
        // One that failed, and was not applied.
        assert!(repeats.answer(2).is_none());
    }
}
