//! Paths of control: where each is, and what it waits for.

use std::sync::Arc;

use crate::graph::NodeId;
use crate::ids::RunId;
use crate::model::{Handler, StepStatus};

/// The number of a path in its run; free numbers are used again.
pub type PathId = usize;

/// One path of control through a run: the run itself, a branch, or an iteration.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Path {
    /// The path whose block this is a part of.
    pub parent: Option<PathId>,
    /// The number of the branch or iteration in that block, from 0.
    pub place: u32,
    /// The iterations it is inside of, like `3.17`; empty outside loops.
    pub scope: Arc<str>,
    /// The node it is at.
    pub node: NodeId,
    /// What `ctx.last` is.
    pub last: Option<Last>,
    /// What executes, or will.
    pub attempt: Option<Attempt>,
    /// What it waits for besides.
    pub wait: Wait,
    /// Failed attempts of the function it is at.
    pub failures: u32,
    /// Process deaths during it.
    pub interruptions: u32,
    /// What `onError` is told.
    pub failure: Option<Failure>,
}

impl Path {
    /// The number of the current attempt of the current function, from 1.
    pub fn attempt_number(&self) -> u32 {
        self.failures + self.interruptions + 1
    }

    /// A function of its node has returned. What it has failed at, or died in, is not held against what follows.
    pub fn has_returned(&mut self) {
        self.attempt = None;
        (self.failures, self.interruptions) = (0, 0);
    }

    /// Whether an attempt may be handed out.
    pub fn is_ready(&self) -> bool {
        let may = |attempt: &Attempt| !attempt.handed_out && attempt.not_before_ms.is_none() && !attempt.wants_event();
        self.attempt.as_ref().is_some_and(may)
    }

    /// When the next thing happens by itself.
    pub fn due_at_ms(&self) -> Option<i64> {
        let attempt = self.attempt.as_ref().and_then(|attempt| attempt.not_before_ms);
        let wait = match self.wait {
            Wait::Start { until_ms } | Wait::Sleep { until_ms } => Some(until_ms),
            Wait::Event { until_ms, .. } | Wait::Approval { until_ms } => until_ms,
            Wait::Nothing | Wait::Child { .. } | Wait::Block(_) => None,
        };
        attempt.into_iter().chain(wait).min()
    }
}

/// A call of one of the user's functions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// Which.
    pub handler: Handler,
    /// Tells it from all others of the run.
    pub fence: u64,
    /// It waits until then: a retry, or a step's delay.
    pub not_before_ms: Option<i64>,
    /// Whether the host has it.
    pub handed_out: bool,
    /// When it was handed out.
    pub started_at_ms: i64,
    /// When it has taken too long. It dies with the process, as the attempt does.
    pub deadline_ms: Option<i64>,
    /// Of `filter`: the event's number and payload.
    pub event: Option<(i64, Option<Arc<str>>)>,
}

impl Attempt {
    /// Since when the host has it.
    pub fn clock(&self) -> super::Clock {
        super::Clock { started_at_ms: self.started_at_ms, deadline_ms: self.deadline_ms }
    }

    /// A filter of a run that was read has yet to be given its event: the history has only its failures.
    pub fn wants_event(&self) -> bool {
        self.handler == Handler::Filter && self.event.is_none()
    }
}

/// What a path waits for, besides an attempt.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Wait {
    /// Nothing.
    #[default]
    Nothing,
    /// The time at which its run begins.
    Start {
        /// When.
        until_ms: i64,
    },
    /// A time.
    Sleep {
        /// When.
        until_ms: i64,
    },
    /// An event.
    Event {
        /// Until when.
        until_ms: Option<i64>,
        /// Whether all stored events have been looked at.
        has_looked: bool,
    },
    /// A person.
    Approval {
        /// Until when.
        until_ms: Option<i64>,
    },
    /// A child run.
    Child {
        /// The child, once it is started.
        run: Option<RunId>,
        /// The row whose output is its payload.
        payload_of: Option<u32>,
        /// Whether it has been asked for.
        is_asked: bool,
    },
    /// The paths of its block.
    Block(Block),
}

/// A block whose branches or iterations are under way.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Block {
    /// Branches or iterations in all. Of `while`: begun so far.
    pub total: u32,
    /// Begun so far.
    pub begun: u32,
    /// Under way.
    pub live: u32,
    /// The row whose output is the result of each, where there is one.
    pub results: Vec<Option<u32>>,
    /// Bytes of the results.
    pub bytes: u64,
    /// The first failure.
    pub failed: Option<Failure>,
}

/// Whose output `ctx.last` is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Last {
    /// The row.
    pub sequence: u32,
    /// The node.
    pub node: NodeId,
    /// The iterations it is inside of.
    pub scope: Arc<str>,
    /// Bytes of the output.
    pub bytes: u32,
}

/// Why something failed for good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Failed or timed out.
    pub status: StepStatus,
    /// JSON.
    pub error: Arc<str>,
}

/// The live paths of a run, in the order of their numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Paths {
    slots: Vec<Option<Path>>,
    free: Vec<PathId>,
}

impl Paths {
    /// The path a run begins with.
    pub const ROOT: PathId = 0;

    /// Adds a path.
    pub fn add(&mut self, path: Path) -> PathId {
        match self.free.pop() {
            Some(id) => {
                self.slots[id] = Some(path);
                id
            }
            None => {
                self.slots.push(Some(path));
                self.slots.len() - 1
            }
        }
    }

    /// Takes a path away.
    pub fn remove(&mut self, id: PathId) -> Option<Path> {
        let path = self.slots.get_mut(id)?.take();
        if path.is_some() {
            self.free.push(id);
        }
        path
    }

    /// A path, if it is live.
    pub fn get(&self, id: PathId) -> Option<&Path> {
        self.slots.get(id)?.as_ref()
    }

    /// The same, to change it.
    pub fn get_mut(&mut self, id: PathId) -> Option<&mut Path> {
        self.slots.get_mut(id)?.as_mut()
    }

    /// All live paths.
    pub fn iter(&self) -> impl Iterator<Item = (PathId, &Path)> {
        self.slots.iter().enumerate().filter_map(|(id, path)| path.as_ref().map(|path| (id, path)))
    }

    /// All live paths, to change them.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut Path> {
        self.slots.iter_mut().flatten()
    }

    /// How many are live.
    pub fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// The path that is at a node, inside these iterations.
    pub fn at(&self, node: NodeId, scope: &str) -> Option<PathId> {
        self.iter().find(|(_, path)| path.node == node && &*path.scope == scope).map(|(id, _)| id)
    }
}

impl std::ops::Index<PathId> for Paths {
    type Output = Path;

    /// A path known to be live; anything else is a broken rule.
    fn index(&self, id: PathId) -> &Path {
        self.get(id).expect("the path is live")
    }
}

impl std::ops::IndexMut<PathId> for Paths {
    fn index_mut(&mut self, id: PathId) -> &mut Path {
        self.get_mut(id).expect("the path is live")
    }
}
