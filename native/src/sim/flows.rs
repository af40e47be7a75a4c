//! Random workflows of every kind of node, small enough to be lived through thousands of times.

use super::random::Random;
use super::schedules::{Calendar, schedules};
use super::workload::workflow_id;
use crate::definition::{
    CircuitPolicy, Definition, NodeKind as Kind, NodeSpec, Queue, RateLimit, RetryPolicy, Strategy,
};

/// Names of events.
pub const EVENTS: [&str; 2] = ["paid", "sent"];

/// Blocks inside blocks.
const DEPTH: u32 = 3;

/// A few random workflows; a later one may be the child of an earlier one.
pub fn workflows(random: &mut Random, calendar: &Calendar) -> Vec<Definition> {
    if calendar.is_flooded {
        return vec![flooded(random, calendar)];
    }
    let many = random.between(1, 3);
    let queue = Queue { name: "line".into(), concurrency: random.chance(800).then(|| random.between(1, 2) as u32) };
    // Some worlds are as simple as can be: what goes wrong in them is easy to follow.
    let simple = random.chance(150);
    let mut workflows = Vec::new();
    for number in 0..many {
        let children = (number + 1..many).map(|child| workflow_id(child as usize)).collect();
        let left = random.between(2, 12) as u32;
        let mut maker = Maker { next: 0, left, children, simple, begins_at_ms: calendar.begins_at_ms, random };
        let nodes = maker.block(0, false);
        let schedules = schedules(calendar, random);
        workflows.push(Definition { schedules, ..workflow(number as usize, nodes, &queue, random) });
    }
    workflows
}

/// A workflow whose runs end as soon as they begin, so that a thousand of them cost nothing.
fn flooded(random: &mut Random, calendar: &Calendar) -> Definition {
    let mut node = blank(Kind::Cancel, 1);
    node.reason = Some("enough".to_owned());
    let retention_ms = random.chance(500).then(|| random.between(1_000, 400_000));
    let queue = Queue { name: "line".into(), concurrency: None };
    let schedules = schedules(calendar, random);
    let plain = workflow(0, vec![node], &queue, random);
    Definition { on_success: false, on_failure: false, rate_limit: None, retention_ms, schedules, ..plain }
}

fn workflow(number: usize, nodes: Vec<NodeSpec>, queue: &Queue, random: &mut Random) -> Definition {
    Definition {
        id: workflow_id(number),
        version: None,
        timeout_ms: random.chance(120).then(|| random.between(1_000, 300_000)),
        on_success: random.chance(300),
        on_failure: random.chance(400),
        concurrency: random.chance(300).then(|| random.between(1, 2) as u32),
        rate_limit: random
            .chance(200)
            .then(|| RateLimit { count: random.between(1, 2) as u32, per_ms: random.between(500, 60_000) }),
        queue: random.chance(250).then(|| queue.clone()),
        priority: random.between(0, 4) as i32 - 2,
        retention_ms: random.chance(200).then(|| random.between(1_000, 400_000)),
        schedules: Vec::new(),
        nodes,
    }
}

struct Maker<'a> {
    next: u32,
    /// Nodes that may still be made.
    left: u32,
    children: Vec<String>,
    simple: bool,
    begins_at_ms: i64,
    random: &'a mut Random,
}

impl Maker<'_> {
    /// A block; `starts_anew`: it begins with a step, so that it has an output of its own, and what is put together
    /// from outputs does not grow without end.
    fn block(&mut self, depth: u32, starts_anew: bool) -> Vec<NodeSpec> {
        let many = if depth == 0 { self.random.between(1, 4) } else { self.random.between(1, 2) };
        let mut nodes = Vec::new();
        for place in 0..many {
            if place > 0 && self.left == 0 {
                break;
            }
            let kind = if starts_anew && place == 0 { Kind::Step } else { self.kind(depth) };
            nodes.push(self.node(kind, depth));
        }
        nodes
    }

    fn kind(&mut self, depth: u32) -> Kind {
        if self.simple {
            return if self.random.chance(750) { Kind::Step } else { Kind::Action };
        }
        const LEAVES: [Kind; 8] = [
            Kind::Step,
            Kind::Action,
            Kind::Sleep,
            Kind::SleepUntil,
            Kind::WaitForEvent,
            Kind::Approval,
            Kind::Subflow,
            Kind::Cancel,
        ];
        const BLOCKS: [Kind; 5] = [Kind::If, Kind::Parallel, Kind::Race, Kind::While, Kind::ForEach];
        if depth < DEPTH && self.left > 1 && self.random.chance(400) {
            return *self.random.pick(&BLOCKS);
        }
        LEAVES[self.random.weighted(&[40, 10, 9, 6, 12, 12, 20, 2])]
    }

    fn node(&mut self, kind: Kind, depth: u32) -> NodeSpec {
        self.next += 1;
        self.left = self.left.saturating_sub(1);
        let mut node = blank(kind, self.next);
        node.retry = self.random.chance(400).then(|| policy(self.random));
        node.on_error = self.random.chance(250);
        match kind {
            Kind::Step | Kind::Action => self.called(&mut node),
            Kind::If => {
                node.branches = Some((0..self.random.between(1, 2)).map(|_| self.branch_of_if(depth)).collect());
                node.otherwise = self.random.chance(500).then(|| self.branch_of_if(depth));
            }
            Kind::Parallel | Kind::Race => {
                let branches: Vec<_> = (0..self.random.between(1, 3)).map(|_| self.block(depth + 1, true)).collect();
                let keys = || (0..branches.len()).map(|place| format!("key-{place}").into()).collect();
                node.keys = (kind == Kind::Parallel && self.random.chance(500)).then(keys);
                node.branches = Some(branches);
            }
            Kind::While => {
                node.max_iterations = Some(self.random.between(1, 3) as u32);
                node.body = Some(self.block(depth + 1, false));
            }
            Kind::ForEach => {
                node.concurrency = self.random.chance(600).then(|| self.random.between(1, 3) as u32);
                node.size = self.random.chance(300).then(|| self.random.between(1, 3) as u32);
                node.body = Some(self.block(depth + 1, false));
            }
            _ => self.waiting(&mut node),
        }
        node
    }

    fn branch_of_if(&mut self, depth: u32) -> Vec<NodeSpec> {
        if self.random.chance(200) { Vec::new() } else { self.block(depth + 1, false) }
    }

    fn called(&mut self, node: &mut NodeSpec) {
        let random = &mut *self.random;
        node.timeout_ms = random.chance(300).then(|| random.between(50, 5_000));
        node.delay_ms = random.chance(200).then(|| random.below(60_000));
        node.cache = node.kind == Kind::Step && random.chance(150);
        node.circuit = random.chance(200).then(|| {
            // One name has one policy: which one counts is not said otherwise.
            let name = *random.pick(&["bank", "post"]);
            let (threshold, recovery_ms) = if name == "bank" { (2, 5_000) } else { (3, 40_000) };
            CircuitPolicy { name: name.into(), threshold, recovery_ms }
        });
    }

    fn waiting(&mut self, node: &mut NodeSpec) {
        let random = &mut *self.random;
        let is_static = random.chance(500);
        match node.kind {
            Kind::Sleep => node.duration_ms = is_static.then(|| *random.pick(&[0, 1, 700, 20_000])),
            Kind::SleepUntil => node.until_ms = is_static.then(|| self.begins_at_ms + random.below(400_000) as i64),
            Kind::WaitForEvent => {
                node.event = Some((*random.pick(&EVENTS)).into());
                node.filter = random.chance(500);
                node.wait_ms = random.chance(400).then(|| random.between(100, 60_000));
            }
            Kind::Approval => {
                node.on_pause = random.chance(500);
                node.on_timeout = random.chance(500);
                node.wait_ms = random.chance(500).then(|| random.between(100, 60_000));
            }
            Kind::Subflow => {
                let child = (!self.children.is_empty() && random.chance(900)).then(|| random.pick(&self.children));
                node.workflow = Some(child.map_or("nowhere", String::as_str).into());
                node.input = random.chance(500);
            }
            _ => node.reason = is_static.then(|| "enough".to_owned()),
        }
    }
}

fn blank(kind: Kind, number: u32) -> NodeSpec {
    NodeSpec {
        kind,
        name: format!("{}-{number}", format!("{kind:?}").to_lowercase()).into(),
        timeout_ms: None,
        delay_ms: None,
        retry: None,
        on_error: false,
        cache: false,
        circuit: None,
        branches: None,
        otherwise: None,
        keys: None,
        body: None,
        max_iterations: None,
        concurrency: None,
        size: None,
        duration_ms: None,
        until_ms: None,
        event: None,
        filter: false,
        wait_ms: None,
        on_pause: false,
        on_timeout: false,
        description: None,
        metadata: None,
        workflow: None,
        input: false,
        reason: None,
    }
}

fn policy(random: &mut Random) -> RetryPolicy {
    RetryPolicy {
        attempts: random.between(1, 4) as u32,
        strategy: *random.pick(&[Strategy::Fixed, Strategy::Linear, Strategy::Exponential]),
        delay_ms: *random.pick(&[0, 1, 250, 1_000, 10_000]),
        max_delay_ms: *random.pick(&[500, 5_000, 3_600_000]),
        multiplier: *random.pick(&[1.0, 1.5, 2.0, 10.0]),
        jitter: *random.pick(&[0.0, 0.25, 1.0]),
    }
}
