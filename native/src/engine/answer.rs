//! The answer of one commit, as JSON text; or as several texts, when its effects are many bytes:
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

/// The texts of a whole answer: one, unless its effects make it longer than `most` bytes.
pub fn render(
    mut requests: &[(u64, Results)],
    mut effects: &[Effect],
    wake_at_ms: Option<i64>,
    most: u64,
) -> Vec<Vec<u8>> {
    let mut texts = Vec::with_capacity(1);
    loop {
        let (text, told) = render_one(requests, effects, wake_at_ms, most);
        texts.push(text);
        (requests, effects) = (&[], &effects[told..]);
        if effects.is_empty() {
            return texts;
        }
    }
}

/// The answer to a caller who is told of no effects.
pub fn render_results(requests: &[(u64, Results)]) -> Vec<u8> {
    render_one(requests, &[], None, 0).0
}

/// One text, and how many of the effects it has room for: at least one.
fn render_one(requests: &[(u64, Results)], effects: &[Effect], wake_at_ms: Option<i64>, most: u64) -> (Vec<u8>, usize) {
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
    let mut told = 0;
    for effect in effects {
        if told > 0 && out.len() as u64 > most {
            break;
        }
        out.extend_from_slice(if told == 0 { br#","effects":["# } else { b"," });
        write(&mut out, effect);
        told += 1;
    }
    if told > 0 {
        out.push(b']');
    }
    if let Some(wake_at_ms) = wake_at_ms {
        out.extend_from_slice(br#","wake_at_ms":"#);
        write(&mut out, &wake_at_ms);
    }
    out.push(b'}');
    (out, told)
}

fn write(out: &mut Vec<u8>, value: &(impl Serialize + ?Sized)) {
    // Writing plain data to memory cannot fail; if it ever does, the boundary turns the panic into `poisoned`.
    serde_json::to_writer(out, value).expect("an answer is plain data");
}
