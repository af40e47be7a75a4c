//! Recognises requests that are sent twice, so that repeating one is harmless whatever it asks for (law 2).

use std::collections::BTreeMap;

use crate::error::{Code, Error};
use crate::limits;

use super::answer::Results;

/// The results of the last requests, by number.
#[derive(Debug, Default)]
pub struct Repeats {
    results: BTreeMap<u64, Vec<u8>>,
    forgotten: u64,
}

impl Repeats {
    /// The answer to a request that was applied before.
    pub fn answer(&self, seq: u64) -> Option<Results> {
        if seq == 0 {
            return None;
        }
        if let Some(results) = self.results.get(&seq) {
            return Some(Ok(results.clone()));
        }
        (seq <= self.forgotten).then(|| {
            let message = format!("request {seq} was applied before, and its answer is no longer remembered");
            Err(Error::new(Code::RequestRepeated, message))
        })
    }

    /// Remembers a request that is committed.
    pub fn remember(&mut self, seq: u64, results: &Results) {
        let Ok(results) = results else { return };
        if seq == 0 {
            return;
        }
        self.results.insert(seq, results.clone());
        while self.results.len() as u64 > limits::ANSWERS_REMEMBERED {
            if let Some((oldest, _)) = self.results.pop_first() {
                self.forgotten = oldest;
            }
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
}
