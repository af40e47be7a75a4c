//! A definition laid flat for the machine: nodes by number, each with the one that follows it.

use std::collections::HashMap;
use std::sync::Arc;

use crate::definition::{CircuitPolicy, Definition, NodeKind, NodeSpec, RetryPolicy};
use crate::model::{DefinitionId, Handler};

/// The number of a node in its graph.
pub type NodeId = u32;

/// What a node does, with all that the machine needs to do it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// Calls a function; its output is recorded.
    Step,
    /// Calls a function; `ctx.last` passes through.
    Action,
    /// Takes one branch; an empty one leads to what follows.
    If {
        /// The first node of each branch; the last is what is done when no condition holds.
        branches: Vec<Option<NodeId>>,
    },
    /// Takes all branches.
    Parallel {
        /// The first node of each.
        branches: Vec<NodeId>,
        /// What the branches are called in the output, which is a list without it.
        keys: Option<Vec<Arc<str>>>,
    },
    /// Takes all branches until one completes.
    Race {
        /// The first node of each.
        branches: Vec<NodeId>,
    },
    /// Repeats its body while a condition holds.
    While {
        /// The body's first node.
        body: NodeId,
        /// Iterations after which it fails.
        max_iterations: u32,
    },
    /// Repeats its body for each item.
    ForEach {
        /// The body's first node.
        body: NodeId,
        /// Iterations at the same time.
        concurrency: u32,
        /// Items per iteration.
        size: u32,
    },
    /// Waits for milliseconds, or for as long as its function says.
    Sleep(Option<u64>),
    /// Waits until milliseconds since 1970, or until its function says.
    SleepUntil(Option<i64>),
    /// Waits for an event.
    WaitForEvent {
        /// Its name.
        event: Arc<str>,
        /// Whether the host says if it counts.
        filter: bool,
        /// How long.
        wait_ms: Option<u64>,
    },
    /// Waits for a person.
    Approval {
        /// How long.
        wait_ms: Option<u64>,
        /// Whether the host tells somebody.
        on_pause: bool,
        /// Whether the host is told when nobody answered.
        on_timeout: bool,
    },
    /// Starts a child run and waits for it.
    Subflow {
        /// Its workflow.
        workflow: Arc<str>,
        /// Whether the host makes its payload.
        input: bool,
    },
    /// Ends the run as cancelled.
    Cancel {
        /// Why.
        reason: Option<String>,
    },
}

/// A node.
#[derive(Debug, Clone)]
pub struct Node {
    /// Unique within the workflow.
    pub name: Arc<str>,
    /// What it does.
    pub kind: Kind,
    /// What follows it on the same path, if anything does. The last node of a branch of an `if` leads on to what
    /// follows the `if`.
    pub next: Option<NodeId>,
    /// How long an attempt may take.
    pub timeout_ms: Option<u64>,
    /// How long to wait before the first attempt.
    pub delay_ms: Option<u64>,
    /// When its functions are tried again.
    pub retry: Option<RetryPolicy>,
    /// Whether the host has a function to call after it failed for good.
    pub on_error: bool,
    /// The innermost `if` around it, on the same path, that has such a function.
    pub guard: Option<NodeId>,
    /// The circuit its attempts go through.
    pub circuit: Option<CircuitPolicy>,
}

impl Node {
    /// Whether its completion gives `ctx.last` a new value. An `if` has none of its own, but its `onError` has.
    pub fn has_output(&self, handler: Handler) -> bool {
        match self.kind {
            Kind::Action | Kind::Sleep(_) | Kind::SleepUntil(_) | Kind::Cancel { .. } => false,
            Kind::If { .. } => handler == Handler::OnError,
            _ => true,
        }
    }
}

/// A validated definition, under the number it is stored with.
#[derive(Debug, Clone)]
pub struct Graph {
    /// Its number in the store.
    pub id: DefinitionId,
    /// What it says.
    pub definition: Definition,
    /// The id of its workflow, to be shared.
    pub workflow: Arc<str>,
    nodes: Vec<Node>,
    by_name: HashMap<Arc<str>, NodeId>,
    first: NodeId,
}

impl Graph {
    /// Lays a definition flat.
    pub fn new(id: DefinitionId, definition: Definition) -> Graph {
        let mut nodes = Vec::new();
        let first = lay(&definition.nodes, None, &mut nodes).unwrap_or(0);
        let by_name = nodes.iter().zip(0..).map(|(node, number)| (node.name.clone(), number)).collect();
        let workflow = definition.id.as_str().into();
        Graph { id, definition, workflow, nodes, by_name, first }
    }

    /// The id of the workflow.
    pub fn workflow_id(&self) -> &str {
        &self.definition.id
    }

    /// Where a run begins.
    pub fn first(&self) -> NodeId {
        self.first
    }

    /// A node. Numbers come from this graph only.
    pub fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id as usize]
    }

    /// What its nodes say of circuits.
    pub fn circuits(&self) -> impl Iterator<Item = &CircuitPolicy> {
        self.nodes.iter().filter_map(|node| node.circuit.as_ref())
    }

    /// The node of a name.
    pub fn find(&self, name: &str) -> Option<NodeId> {
        self.by_name.get(name).copied()
    }
}

/// Lays a block, last node first, so that each knows what follows it. Gives the block's first node.
fn lay(block: &[NodeSpec], after: Option<NodeId>, nodes: &mut Vec<Node>) -> Option<NodeId> {
    block.iter().rev().fold(after, |next, spec| {
        let first_inside = nodes.len();
        let kind = kind(spec, next, nodes);
        let is_guard = spec.on_error && matches!(kind, Kind::If { .. });
        let id = nodes.len() as NodeId;
        nodes.push(Node {
            name: spec.name.clone(),
            kind,
            next,
            timeout_ms: spec.timeout_ms,
            delay_ms: spec.delay_ms.filter(|delay_ms| *delay_ms > 0),
            retry: spec.retry.clone(),
            on_error: spec.on_error,
            guard: None,
            circuit: spec.circuit.clone(),
        });
        if is_guard {
            guard(id, first_inside, nodes);
        }
        Some(id)
    })
}

/// An `if` with an `onError` guards what is on its branches; an inner one has done so already for what is its own.
fn guard(id: NodeId, first_inside: usize, nodes: &mut [Node]) {
    let branches = match &nodes[id as usize].kind {
        Kind::If { branches } => branches.clone(),
        _ => return,
    };
    let after = nodes[id as usize].next;
    let mut open: Vec<NodeId> = branches.into_iter().flatten().collect();
    while let Some(at) = open.pop() {
        let is_inside = (first_inside as NodeId..id).contains(&at) && Some(at) != after;
        if !is_inside || nodes[at as usize].guard.is_some() {
            continue;
        }
        nodes[at as usize].guard = Some(id);
        open.extend(nodes[at as usize].next);
        if let Kind::If { branches } = &nodes[at as usize].kind {
            open.extend(branches.iter().flatten());
        }
    }
}

fn kind(spec: &NodeSpec, next: Option<NodeId>, nodes: &mut Vec<Node>) -> Kind {
    // Validation has seen to it that these blocks are there and not empty.
    let branches = |nodes: &mut Vec<Node>| -> Vec<NodeId> {
        spec.branches.iter().flatten().filter_map(|branch| lay(branch, None, nodes)).collect()
    };
    let body = |nodes: &mut Vec<Node>| lay(spec.body.as_deref().unwrap_or_default(), None, nodes).unwrap_or(0);
    match spec.kind {
        NodeKind::Step => Kind::Step,
        NodeKind::Action => Kind::Action,
        NodeKind::If => {
            let otherwise = spec.otherwise.as_deref().unwrap_or_default();
            let all = spec.branches.iter().flatten().map(Vec::as_slice).chain([otherwise]);
            Kind::If { branches: all.map(|branch| lay(branch, next, nodes)).collect() }
        }
        NodeKind::Parallel => Kind::Parallel { branches: branches(nodes), keys: spec.keys.clone() },
        NodeKind::Race => Kind::Race { branches: branches(nodes) },
        NodeKind::While => {
            Kind::While { body: body(nodes), max_iterations: spec.max_iterations.unwrap_or(DEFAULT_ITERATIONS) }
        }
        NodeKind::ForEach => Kind::ForEach {
            body: body(nodes),
            concurrency: spec.concurrency.unwrap_or(1),
            size: spec.size.unwrap_or(1),
        },
        NodeKind::Sleep => Kind::Sleep(spec.duration_ms),
        NodeKind::SleepUntil => Kind::SleepUntil(spec.until_ms),
        NodeKind::WaitForEvent => Kind::WaitForEvent {
            event: spec.event.clone().unwrap_or_default(),
            filter: spec.filter,
            wait_ms: spec.wait_ms,
        },
        NodeKind::Approval => {
            Kind::Approval { wait_ms: spec.wait_ms, on_pause: spec.on_pause, on_timeout: spec.on_timeout }
        }
        NodeKind::Subflow => Kind::Subflow { workflow: spec.workflow.clone().unwrap_or_default(), input: spec.input },
        NodeKind::Cancel => Kind::Cancel { reason: spec.reason.clone() },
    }
}

/// Iterations of a `while` that says nothing of it.
const DEFAULT_ITERATIONS: u32 = 1_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_branches_of_an_if_lead_on_to_what_follows_it() {
        let json = r#"{"id":"a","nodes":[{"kind":"if","name":"i","branches":[[{"kind":"step","name":"x"}],[]]},
            {"kind":"parallel","name":"p","branches":[[{"kind":"step","name":"y"}]]},{"kind":"step","name":"z"}]}"#;
        let graph = Graph::new(1, Definition::parse(json).unwrap());
        let next = |name: &str| graph.node(graph.find(name).unwrap()).next;
        assert_eq!(graph.first(), graph.find("i").unwrap());
        assert_eq!(next("x"), graph.find("p"));
        assert_eq!(next("p"), graph.find("z"));
        assert_eq!(next("y"), None);
        let branches = vec![graph.find("x"), graph.find("p"), graph.find("p")];
        assert_eq!(graph.node(graph.first()).kind, Kind::If { branches });
    }
}
