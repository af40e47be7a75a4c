//! Where a run may stand: threads that go through the tree of its definition, one for the run itself and one for
//! every branch and iteration that is under way.

use std::collections::BTreeMap;
use std::rc::Rc;

use crate::definition::{NodeKind, NodeSpec};
use crate::ids::RunId;
use crate::model::{Handler, StepStatus};

/// Nodes that follow each other.
pub type Block = Rc<[Rc<Part>]>;

/// A node and the blocks inside it.
#[derive(Debug)]
pub struct Part {
    /// What the definition says.
    pub spec: NodeSpec,
    /// Branches, or the body of a loop; of an `if`, the last is what is done when no condition holds.
    pub blocks: Vec<Block>,
}

impl Part {
    /// Whether its completion by this function gives `ctx.last` a new value.
    pub fn owns_last(&self, handler: Handler) -> bool {
        match self.spec.kind {
            NodeKind::Action | NodeKind::Sleep | NodeKind::SleepUntil | NodeKind::Cancel => false,
            NodeKind::If => handler == Handler::OnError,
            _ => true,
        }
    }
}

/// The blocks of a definition.
pub fn block(nodes: &[NodeSpec]) -> Block {
    let part = |spec: &NodeSpec| {
        let mut blocks: Vec<Block> =
            spec.branches.iter().flatten().chain(&spec.body).map(|nodes| block(nodes)).collect();
        if spec.kind == NodeKind::If {
            blocks.push(block(spec.otherwise.as_deref().unwrap_or_default()));
        }
        Rc::new(Part { spec: spec.clone(), blocks })
    };
    nodes.iter().map(part).collect()
}

/// A function that is to be called.
#[derive(Debug, Clone)]
pub struct Call {
    /// Which.
    pub handler: Handler,
    /// Failed attempts so far.
    pub failures: u32,
    /// Process deaths so far.
    pub deaths: u32,
    /// The next attempt must not begin earlier.
    pub not_before_ms: i64,
}

impl Call {
    /// A call that may be made at once.
    pub fn new(handler: Handler) -> Call {
        Call { handler, failures: 0, deaths: 0, not_before_ms: i64::MIN }
    }

    /// The number of the next attempt.
    pub fn number(&self) -> u32 {
        self.failures + self.deaths + 1
    }
}

/// What `ctx.last` is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Last {
    /// Whose output.
    pub key: String,
    /// Which.
    pub output: Option<String>,
}

/// Why something failed for good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Failed or timed out.
    pub status: StepStatus,
    /// JSON.
    pub error: String,
}

/// What a thread does at its node.
#[derive(Debug, Clone)]
pub enum At {
    /// A function is called.
    Call(Call),
    /// Nothing, until then.
    Sleep(i64),
    /// It waits for an event; a filter may look at one.
    Event { until_ms: Option<i64>, call: Option<Call> },
    /// It waits for a person; somebody may be told.
    Approval { until_ms: Option<i64>, call: Option<Call> },
    /// It waits for a child, which must have been started with this payload.
    Child { run: Option<RunId>, payload: Option<String> },
    /// The parts of a block are under way.
    Block(Inner),
    /// The run must end.
    Cancel,
    /// The node must complete with this.
    Mocked(String),
    /// It was ended from outside.
    Abandoned,
    /// It is at its end.
    Over(Result<(), Failure>),
}

/// A block whose parts are under way.
#[derive(Debug, Clone, Default)]
pub struct Inner {
    /// Its branches and iterations, by number.
    pub threads: Vec<(u32, Thread)>,
    /// Begun so far.
    pub begun: u32,
    /// To be begun in all; of `while`, as many as it likes.
    pub total: u32,
    /// What each gave.
    pub results: Vec<Option<String>>,
    /// The first failure.
    pub failed: Option<Failure>,
    /// What the first branch of a race to complete gave.
    pub winner: Option<Option<String>>,
    /// The condition of a `while`.
    pub call: Option<Call>,
    /// The condition has said that it is over.
    pub done: bool,
    /// The condition has said that it goes on once too often.
    pub too_many: bool,
}

/// A path of control.
#[derive(Debug, Clone)]
pub struct Thread {
    /// The block it goes through, and those of the `if`s around it, outermost first, with the place in each.
    pub frames: Vec<(Block, usize)>,
    /// The iterations it is inside of.
    pub scope: String,
    /// What `ctx.last` is.
    pub last: Option<Last>,
    /// What it does.
    pub at: At,
    /// When it came to its node.
    pub arrived_at_ms: i64,
    /// Whether a row says that it did.
    pub has_rows: bool,
    /// What `onError` is told.
    pub failure: Option<Failure>,
}

/// What a thread must know of its run while it moves.
#[derive(Debug)]
pub struct Scene<'a> {
    /// The run.
    pub run: RunId,
    /// Outputs of nodes that are not executed.
    pub mocks: &'a BTreeMap<String, String>,
    /// The time of the row.
    pub now_ms: i64,
    /// Only what was completed is looked at, and it was checked before.
    pub is_known: bool,
    /// Inside of a race that another branch has won.
    pub is_lost: bool,
    /// What the row says of the world outside its run.
    pub facts: Vec<super::Fact>,
}

impl Thread {
    /// A thread at the beginning of a block.
    pub fn begin(block: &Block, scope: String, last: Option<Last>, scene: &Scene<'_>) -> Thread {
        let mut thread = Thread {
            frames: vec![(block.clone(), 0)],
            scope,
            last,
            at: At::Over(Ok(())),
            arrived_at_ms: scene.now_ms,
            has_rows: false,
            failure: None,
        };
        thread.arrive(scene);
        thread
    }

    /// The node it is at. Not for one that is over.
    pub fn part(&self) -> Option<Rc<Part>> {
        self.frames.last().map(|(block, place)| block[*place].clone())
    }

    /// It comes to a node.
    fn arrive(&mut self, scene: &Scene<'_>) {
        (self.arrived_at_ms, self.has_rows, self.failure) = (scene.now_ms, false, None);
        let Some(part) = self.part() else { return };
        let spec = &part.spec;
        let after = |ms: Option<u64>| ms.map(|ms| scene.now_ms + ms as i64);
        if let Some(mock) = scene.mocks.get(&*spec.name) {
            self.at = At::Mocked(mock.clone());
            return;
        }
        self.at = match spec.kind {
            NodeKind::Step | NodeKind::Action => {
                let not_before_ms = after(spec.delay_ms.filter(|delay_ms| *delay_ms > 0)).unwrap_or(i64::MIN);
                At::Call(Call { not_before_ms, ..Call::new(Handler::Body) })
            }
            NodeKind::If => At::Call(Call::new(Handler::Condition)),
            NodeKind::ForEach => At::Call(Call::new(Handler::Items)),
            NodeKind::While => At::Block(Inner { call: Some(Call::new(Handler::Condition)), ..Inner::default() }),
            NodeKind::Parallel | NodeKind::Race => {
                let mut inner = Inner { total: part.blocks.len() as u32, ..Inner::default() };
                inner.results = vec![None; part.blocks.len()];
                for block in &part.blocks {
                    inner.begin(block, self.scope.clone(), self.last.clone(), scene);
                }
                At::Block(inner)
            }
            NodeKind::Sleep => match after(spec.duration_ms) {
                Some(until_ms) => At::Sleep(until_ms),
                None => At::Call(Call::new(Handler::Duration)),
            },
            NodeKind::SleepUntil => match spec.until_ms {
                Some(until_ms) => At::Sleep(until_ms),
                None => At::Call(Call::new(Handler::Duration)),
            },
            NodeKind::WaitForEvent => At::Event { until_ms: after(spec.wait_ms), call: None },
            NodeKind::Approval => {
                let call = spec.on_pause.then(|| Call::new(Handler::OnPause));
                At::Approval { until_ms: after(spec.wait_ms), call }
            }
            NodeKind::Subflow if spec.input => At::Call(Call::new(Handler::Input)),
            NodeKind::Subflow => {
                At::Child { run: None, payload: self.last.as_ref().and_then(|last| last.output.clone()) }
            }
            NodeKind::Cancel => At::Cancel,
        };
    }

    /// It goes on to what follows its node.
    pub fn advance(&mut self, scene: &Scene<'_>) {
        while let Some((block, place)) = self.frames.last_mut() {
            *place += 1;
            if *place < block.len() {
                return self.arrive(scene);
            }
            self.frames.pop();
        }
        self.at = At::Over(Ok(()));
    }

    /// It takes a branch of the `if` it is at.
    pub fn enter(&mut self, block: &Block, scene: &Scene<'_>) {
        if block.is_empty() {
            return self.advance(scene);
        }
        self.frames.push((block.clone(), 0));
        self.arrive(scene);
    }

    /// Its node is done.
    pub fn complete(&mut self, output: Option<String>, handler: Handler, scene: &Scene<'_>) {
        if let Some(part) = self.part()
            && part.owns_last(handler)
        {
            self.last = Some(Last { key: key(&part.spec.name, &self.scope), output });
        }
        self.advance(scene);
    }

    /// Its node has failed for good: its `onError` is called, or that of the innermost `if` around it that has one.
    pub fn fail(&mut self, failure: Failure, may_rescue: bool) {
        let has_rescue = |thread: &Thread| thread.part().is_some_and(|part| part.spec.on_error);
        if !(may_rescue && has_rescue(self)) {
            self.frames.pop();
            while !self.frames.is_empty() && !has_rescue(self) {
                self.frames.pop();
            }
        }
        self.at = match self.frames.is_empty() {
            true => At::Over(Err(failure)),
            false => {
                self.failure = Some(failure);
                At::Call(Call::new(Handler::OnError))
            }
        };
    }

    /// It goes back to an `if` it is inside of.
    pub fn go_back(&mut self, name: &str) {
        while self.part().is_some_and(|part| *part.spec.name != *name) {
            self.frames.pop();
        }
    }

    /// Whether it is at a node, or inside a branch of it if that is an `if`.
    pub fn is_inside(&self, name: &str, scope: &str) -> bool {
        self.scope == scope && self.frames.iter().any(|(block, place)| *block[*place].spec.name == *name)
    }

    /// It was taken up again: what says nothing in the history begins anew, and who waits waits as long as at first.
    pub fn begin_anew(&mut self, scene: &Scene<'_>) {
        let wait_ms = self.part().and_then(|part| part.spec.wait_ms);
        let renewed = wait_ms.map(|wait_ms| scene.now_ms + wait_ms as i64);
        if !self.has_rows {
            self.arrived_at_ms = scene.now_ms;
        }
        match &mut self.at {
            At::Block(inner) => inner.threads.iter_mut().for_each(|(_, thread)| thread.begin_anew(scene)),
            At::Over(_) => {}
            _ if !self.has_rows => self.arrive(scene),
            At::Event { until_ms, .. } | At::Approval { until_ms, .. } => *until_ms = renewed,
            _ => {}
        }
    }

    /// The function that is to be called, if one is.
    pub fn call(&self) -> Option<&Call> {
        match &self.at {
            At::Call(call) => Some(call),
            At::Event { call, .. } | At::Approval { call, .. } | At::Block(Inner { call, .. }) => call.as_ref(),
            _ => None,
        }
    }

    /// The same, to change it.
    pub fn call_mut(&mut self) -> Option<&mut Call> {
        match &mut self.at {
            At::Call(call) => Some(call),
            At::Event { call, .. } | At::Approval { call, .. } | At::Block(Inner { call, .. }) => call.as_mut(),
            _ => None,
        }
    }
}

/// What an output is named by.
pub fn key(name: &str, scope: &str) -> String {
    if scope.is_empty() { name.to_owned() } else { format!("{name}@{scope}") }
}
