//! The answer of one commit, as JSON text:
//!
//! ```json
//! { "requests": [{ "seq": 7, "results": [null, {"run": "run_…"}] }, { "seq": 8, "error": {…} }],
//!   "effects": [{ "execute": {…} }], "wake_at_ms": 1760000000000 }
//! ```

use serde::Serialize;

use crate::error::Error;
use crate::protocol::{CommandResult, Effect, ErrorBody};

/// The results of one request as JSON text, or why none of it was done.
pub type Results = std::result::Result<Vec<u8>, Error>;

/// Collects the results of one request's commands.
#[derive(Debug)]
pub struct ResultList(Vec<u8>);

impl ResultList {
    pub fn new() -> ResultList {
        ResultList(vec![b'['])
    }

    pub fn push(&mut self, result: &CommandResult<'_>) {
        self.separate();
        write(&mut self.0, result);
    }

    /// A result that is already JSON.
    pub fn push_json(&mut self, json: &str) {
        self.separate();
        self.0.extend_from_slice(json.as_bytes());
    }

    pub fn push_error(&mut self, error: &Error) {
        self.push(&CommandResult::Refused { refused: ErrorBody::from(error) });
    }

    pub fn finish(mut self) -> Vec<u8> {
        self.0.push(b']');
        self.0
    }

    fn separate(&mut self) {
        if self.0.len() > 1 {
            self.0.push(b',');
        }
    }
}

/// The text of a whole answer.
pub fn render(requests: &[(u64, Results)], effects: &[Effect], wake_at_ms: Option<i64>) -> Vec<u8> {
    let size = requests.iter().map(|(_, results)| results.as_ref().map_or(256, Vec::len) + 32).sum::<usize>();
    let mut out = Vec::with_capacity(size + effects.len() * 96 + 64);
    out.extend_from_slice(br#"{"requests":["#);
    for (place, (seq, results)) in requests.iter().enumerate() {
        if place > 0 {
            out.push(b',');
        }
        out.extend_from_slice(br#"{"seq":"#);
        write(&mut out, seq);
        match results {
            Ok(results) => {
                out.extend_from_slice(br#","results":"#);
                out.extend_from_slice(results);
            }
            Err(error) => {
                out.extend_from_slice(br#","error":"#);
                write(&mut out, &ErrorBody::from(error));
            }
        }
        out.push(b'}');
    }
    out.push(b']');
    if !effects.is_empty() {
        out.extend_from_slice(br#","effects":"#);
        write(&mut out, effects);
    }
    if let Some(wake_at_ms) = wake_at_ms {
        out.extend_from_slice(br#","wake_at_ms":"#);
        write(&mut out, &wake_at_ms);
    }
    out.push(b'}');
    out
}

fn write(out: &mut Vec<u8>, value: &(impl Serialize + ?Sized)) {
    // Writing plain data to memory cannot fail; if it ever does, the boundary turns the panic into `poisoned`.
    serde_json::to_writer(out, value).expect("an answer is plain data");
}
