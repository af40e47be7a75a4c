//! Blocks: when they are over, and what comes of their parts.

use super::tree::{At, Block, Failure, Inner, Last, Part, Scene, Thread};
use crate::definition::NodeKind;
use crate::model::Handler;

/// What the row of a block must say now.
#[derive(Debug)]
pub enum Due {
    /// It completed with this.
    Output(Option<String>),
    /// It failed for the reason of one of its parts.
    Failed(Failure),
    /// It did not end within its iterations.
    TooMany,
}

impl Inner {
    /// Begins a branch or an iteration.
    pub fn begin(&mut self, block: &Block, scope: String, last: Option<Last>, scene: &Scene<'_>) {
        let number = self.begun;
        self.begun += 1;
        self.threads.push((number, Thread::begin(block, scope, last, scene)));
    }

    /// Whether its row is due.
    pub fn due(&self, part: &Part, last: Option<&Last>) -> Option<Due> {
        let failed = || self.failed.clone().map(Due::Failed);
        let all_over = self.threads.is_empty();
        match part.spec.kind {
            NodeKind::While if self.too_many => Some(Due::TooMany),
            NodeKind::While if self.done => Some(Due::Output(last.and_then(|last| last.output.clone()))),
            NodeKind::While => failed(),
            NodeKind::Race => match &self.winner {
                Some(output) => Some(Due::Output(output.clone())),
                None if all_over => failed(),
                None => None,
            },
            _ if !all_over => None,
            NodeKind::ForEach if self.failed.is_none() && self.begun < self.total => None,
            _ => failed().or_else(|| Some(Due::Output(Some(self.composed(part))))),
        }
    }

    fn composed(&self, part: &Part) -> String {
        let texts = self.results.iter().map(|result| result.as_deref().unwrap_or("null"));
        match &part.spec.keys {
            Some(keys) => {
                let members: Vec<String> =
                    keys.iter().zip(texts).map(|(key, text)| format!("\"{key}\":{text}")).collect();
                format!("{{{}}}", members.join(","))
            }
            None => format!("[{}]", texts.collect::<Vec<_>>().join(",")),
        }
    }
}

impl Thread {
    /// A branch or iteration of its block may have come to its end.
    pub fn fold(&mut self, part: &Part, scene: &Scene<'_>) {
        let At::Block(inner) = &mut self.at else { return };
        let is_over = |(_, thread): &(u32, Thread)| matches!(thread.at, At::Over(_));
        while let Some(place) = inner.threads.iter().position(is_over) {
            let (number, thread) = inner.threads.remove(place);
            match (thread.at, part.spec.kind) {
                (At::Over(Err(failure)), _) => drop(inner.failed.get_or_insert(failure)),
                (_, NodeKind::Race) => {
                    inner.winner.get_or_insert(thread.last.and_then(|last| last.output));
                }
                (_, NodeKind::While) => {
                    self.last = thread.last;
                    inner.call = Some(super::tree::Call::new(Handler::Condition));
                }
                _ => inner.results[number as usize] = thread.last.and_then(|last| last.output),
            }
            if part.spec.kind == NodeKind::ForEach && inner.failed.is_none() && inner.begun < inner.total {
                let scope = inside(&self.scope, inner.begun);
                inner.begin(&part.blocks[0], scope, None, scene);
            }
        }
    }

    /// The items of a loop are known.
    pub fn take_items(&mut self, part: &Part, count: u32, scene: &Scene<'_>) {
        let total = count.div_ceil(part.spec.size.unwrap_or(1));
        let mut inner = Inner { total, results: vec![None; total as usize], ..Inner::default() };
        for number in 0..total.min(part.spec.concurrency.unwrap_or(1)) {
            inner.begin(&part.blocks[0], inside(&self.scope, number), None, scene);
        }
        self.at = At::Block(inner);
    }

    /// The condition of a `while` has spoken.
    pub fn repeat(&mut self, part: &Part, goes_on: bool, scene: &Scene<'_>) {
        let (scope, last) = (self.scope.clone(), self.last.clone());
        let At::Block(inner) = &mut self.at else { return };
        inner.call = None;
        if !goes_on {
            inner.done = true;
        } else if inner.begun >= part.spec.max_iterations.unwrap_or(1_000) {
            inner.too_many = true;
        } else {
            inner.begin(&part.blocks[0], inside(&scope, inner.begun), last, scene);
        }
    }

    /// Whether everything it did has been ended from outside. Who has only just come to its node, at the same time,
    /// may have had nothing to end.
    pub fn is_abandoned(&self, now_ms: i64) -> bool {
        match &self.at {
            At::Abandoned => true,
            At::Block(inner) if inner.call.is_none() => {
                inner.threads.iter().all(|(_, thread)| thread.is_abandoned(now_ms))
            }
            At::Cancel => true,
            _ => !self.has_rows && self.arrived_at_ms == now_ms,
        }
    }
}

/// The scope of an iteration.
fn inside(scope: &str, number: u32) -> String {
    if scope.is_empty() { number.to_string() } else { format!("{scope}.{number}") }
}
