//! A workflow definition as the host sends it and as it is stored: a tree of nodes, validated once.

mod check;
mod schedule;

use std::collections::BTreeMap;
use std::sync::Arc;

use check::{at_least_one, at_most, check_duration, check_name, check_text, invalid};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

pub use schedule::{Misfire, Overlap, ScheduleSpec, Timing};

use crate::error::Result;
use crate::limits;

/// A whole workflow.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Definition {
    /// The workflow's id.
    pub id: String,
    /// The user's word for this state of the code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// How long the whole run may take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
    /// Whether the host has a function to call once after a run completed.
    #[serde(default)]
    pub on_success: bool,
    /// Whether the host has a function to call once after a run failed.
    #[serde(default)]
    pub on_failure: bool,
    /// How many runs (per concurrency key) may execute at the same time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<u32>,
    /// How many runs (per rate key) may begin in any stretch of time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate_limit: Option<RateLimit>,
    /// The queue it shares with other workflows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue: Option<Queue>,
    /// Which queued run goes first: the higher.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub priority: i32,
    /// How long ended runs are kept. Default: for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retention_ms: Option<u64>,
    /// When runs of it start by themselves. Not part of what a run is pinned to, so it is neither stored nor hashed.
    #[serde(default, skip_serializing)]
    pub schedules: Vec<ScheduleSpec>,
    /// The steps, in order.
    pub nodes: Vec<NodeSpec>,
}

/// At most `count` runs begin in any `per_ms`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RateLimit {
    /// How many.
    pub count: u32,
    /// In how long.
    pub per_ms: u64,
}

/// A queue that several workflows share.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Queue {
    /// Its name.
    pub name: Arc<str>,
    /// How many of its runs may execute at the same time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<u32>,
}

/// What a node does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NodeKind {
    /// Its output is recorded and becomes `ctx.last`.
    Step,
    /// Its output is dropped; `ctx.last` passes through.
    Action,
    /// Takes the first branch whose condition holds.
    If,
    /// Takes all branches, and waits for all.
    Parallel,
    /// Takes all branches; the first that completes wins.
    Race,
    /// Repeats its body as long as its condition holds.
    While,
    /// Repeats its body for each item, or for each batch of items.
    ForEach,
    /// Waits for some time.
    Sleep,
    /// Waits until a time.
    SleepUntil,
    /// Waits for an event.
    WaitForEvent,
    /// Waits for a person.
    Approval,
    /// Starts a run of another workflow, and waits for it.
    Subflow,
    /// Ends the run as cancelled.
    Cancel,
}

/// A node, with what is said of its kind.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeSpec {
    /// What it does.
    pub kind: NodeKind,
    /// Unique within the workflow.
    pub name: Arc<str>,
    /// How long an attempt may take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
    /// How long to wait before the first attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delay_ms: Option<u64>,
    /// When its functions are tried again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<RetryPolicy>,
    /// Whether the host has a function to call after it failed for good.
    #[serde(default)]
    pub on_error: bool,
    /// Of a step: whether the host asks for a cached output first.
    #[serde(default, skip_serializing_if = "is_false")]
    pub cache: bool,
    /// Of a step: its circuit breaker.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub circuit: Option<CircuitPolicy>,
    /// Of `if`, `parallel`, `race`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branches: Option<Vec<Vec<NodeSpec>>>,
    /// Of `if`: what is done when no condition holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub otherwise: Option<Vec<NodeSpec>>,
    /// Of `parallel`: names of the branches; the output is an object then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keys: Option<Vec<Arc<str>>>,
    /// Of `while`, `for_each`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Vec<NodeSpec>>,
    /// Of `while`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_iterations: Option<u32>,
    /// Of `for_each`: iterations at the same time. Default 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<u32>,
    /// Of `for_each`: items per iteration. Default: one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u32>,
    /// Of `sleep`; else its function tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<u64>,
    /// Of `sleep_until`; else its function tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until_ms: Option<i64>,
    /// Of `wait_for_event`: the event's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<Arc<str>>,
    /// Of `wait_for_event`: whether the host says which events count.
    #[serde(default, skip_serializing_if = "is_false")]
    pub filter: bool,
    /// Of `wait_for_event`, `approval`: how long to wait. Default: for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait_ms: Option<u64>,
    /// Of `approval`: whether the host has a function that tells somebody.
    #[serde(default, skip_serializing_if = "is_false")]
    pub on_pause: bool,
    /// Of `approval`: whether the host has a function to call when nobody has answered.
    #[serde(default, skip_serializing_if = "is_false")]
    pub on_timeout: bool,
    /// Of `approval`: what is to be approved, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Of `approval`: what else is to be shown, JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Box<RawValue>>,
    /// Of `subflow`: the workflow of the child.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workflow: Option<Arc<str>>,
    /// Of `subflow`: whether the host makes the child's payload; without it that is `ctx.last`.
    #[serde(default, skip_serializing_if = "is_false")]
    pub input: bool,
    /// Of `cancel`: why, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// When a step that keeps failing is no longer called.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CircuitPolicy {
    /// Steps that name the same circuit share it.
    pub name: Arc<str>,
    /// Consecutive failures that open it.
    pub threshold: u32,
    /// How long it stays open before one attempt probes it.
    pub recovery_ms: u64,
}

/// How the delay between attempts grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Strategy {
    /// Always `delay_ms`.
    Fixed,
    /// `delay_ms × attempt`.
    Linear,
    /// `delay_ms × multiplier ^ (attempt − 1)`.
    Exponential,
}

/// When a failed step is tried again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RetryPolicy {
    /// Attempts in all, the first included.
    pub attempts: u32,
    /// How the delay grows.
    pub strategy: Strategy,
    /// The first delay.
    pub delay_ms: u64,
    /// No delay is longer. Default: one hour.
    #[serde(default = "RetryPolicy::default_max_delay_ms")]
    pub max_delay_ms: u64,
    /// The factor of `exponential`. Default 2.
    #[serde(default = "RetryPolicy::default_multiplier")]
    pub multiplier: f64,
    /// The part of the delay that is random, from 0 (none) to 1 (all of it).
    #[serde(default)]
    pub jitter: f64,
}

impl RetryPolicy {
    fn default_multiplier() -> f64 {
        2.0
    }

    fn default_max_delay_ms() -> u64 {
        3_600_000
    }
}

fn is_false(value: &bool) -> bool {
    !*value
}

fn is_zero(value: &i32) -> bool {
    *value == 0
}

impl Definition {
    /// Reads and validates a definition.
    pub fn parse(text: &str) -> Result<Definition> {
        if text.len() as u64 > limits::DEFINITION_BYTES {
            return Err(invalid(format!(
                "a definition has at most {} bytes, this one {}",
                limits::DEFINITION_BYTES,
                text.len()
            )));
        }
        let definition: Definition = serde_json::from_str(text).map_err(|error| invalid(error.to_string()))?;
        definition.validate()?;
        Ok(definition)
    }

    /// Reads all versions of one workflow: a definition, or a list of them, the current one last.
    pub fn parse_versions(text: &str) -> Result<Vec<Definition>> {
        let texts: Vec<&RawValue> = match text.starts_with('[') {
            true => serde_json::from_str(text).map_err(|error| invalid(error.to_string()))?,
            false => return Ok(vec![Definition::parse(text)?]),
        };
        let versions = texts.iter().map(|text| Definition::parse(text.get())).collect::<Result<Vec<_>>>()?;
        let Some(current) = versions.last() else { return Err(invalid("a workflow has at least one version")) };
        for (place, version) in versions.iter().enumerate() {
            if version.id != current.id {
                return Err(invalid(format!("`{}` and `{}` are not versions of one workflow", version.id, current.id)));
            }
            if versions[..place].iter().any(|earlier| earlier.version == version.version) {
                let shown = version.version.as_deref().unwrap_or("none");
                return Err(invalid(format!("workflow `{}` is defined twice with version {shown}", version.id)));
            }
        }
        Ok(versions)
    }

    /// The node of a name, wherever it is.
    pub fn find(&self, name: &str) -> Option<&NodeSpec> {
        find(&self.nodes, name)
    }

    /// The canonical text, which is stored, and its hash, by which definitions are told apart.
    pub fn canonical(&self) -> Result<(String, String)> {
        let text = serde_json::to_string(self).map_err(|error| invalid(error.to_string()))?;
        let digest = Sha256::digest(text.as_bytes());
        let hash = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        Ok((text, hash))
    }

    fn validate(&self) -> Result<()> {
        check_name("workflow id", &self.id)?;
        check_duration("timeout_ms", self.timeout_ms)?;
        check_duration("retention_ms", self.retention_ms)?;
        at_least_one("concurrency", self.concurrency.map(u64::from))?;
        if let Some(limit) = &self.rate_limit {
            at_least_one("rate_limit.count", Some(limit.count.into()))?;
            at_least_one("rate_limit.per_ms", Some(limit.per_ms))?;
            at_most("rate_limit.count", limit.count.into(), limits::RATE_COUNT)?;
            check_duration("rate_limit.per_ms", Some(limit.per_ms))?;
        }
        if let Some(queue) = &self.queue {
            check_name("queue", &queue.name)?;
            at_least_one("queue.concurrency", queue.concurrency.map(u64::from))?;
        }
        if u64::from(self.priority.unsigned_abs()) > limits::PRIORITY {
            return Err(invalid(format!("priority is from -{0} to {0}", limits::PRIORITY)));
        }
        if self.nodes.is_empty() {
            return Err(invalid(format!("workflow `{}` has no steps", self.id)));
        }
        schedule::validate(&self.id, &self.schedules)?;
        let mut names = Names { workflow: &self.id, seen: BTreeMap::new() };
        names.block("steps", &self.nodes, 0)
    }
}

fn find<'a>(nodes: &'a [NodeSpec], name: &str) -> Option<&'a NodeSpec> {
    nodes.iter().find_map(|node| {
        let blocks = node.branches.iter().flatten().chain(&node.otherwise).chain(&node.body);
        if *node.name == *name { Some(node) } else { blocks.into_iter().find_map(|block| find(block, name)) }
    })
}

/// Looks that no two nodes of a tree have one name, and that the tree is of a size that can be worked with.
struct Names<'a> {
    workflow: &'a str,
    seen: BTreeMap<&'a str, String>,
}

impl<'a> Names<'a> {
    fn block(&mut self, place: &str, nodes: &'a [NodeSpec], depth: u64) -> Result<()> {
        at_most("nesting of blocks", depth, limits::BLOCK_DEPTH)?;
        for (number, node) in nodes.iter().enumerate() {
            let place = format!("{place} number {}", number + 1);
            node.validate()?;
            if let Some(first) = self.seen.insert(&node.name, place.clone()) {
                return Err(invalid(format!(
                    "workflow `{}` has two nodes named `{}`: {first} and {place}",
                    self.workflow, node.name
                )));
            }
            if self.seen.len() as u64 > limits::NODES_PER_WORKFLOW {
                let most = limits::NODES_PER_WORKFLOW;
                return Err(invalid(format!("workflow `{}` has more than {most} nodes", self.workflow)));
            }
            for (number, branch) in node.branches.iter().flatten().enumerate() {
                self.block(&format!("`{}` branch {},", node.name, number + 1), branch, depth + 1)?;
            }
            for branch in [&node.otherwise, &node.body].into_iter().flatten() {
                self.block(&format!("in `{}`,", node.name), branch, depth + 1)?;
            }
        }
        Ok(())
    }
}

impl NodeSpec {
    /// The node of a name: this one, or one inside it.
    pub fn find(&self, name: &str) -> Option<&NodeSpec> {
        find(std::slice::from_ref(self), name)
    }

    /// Fields that belong to certain kinds only: whether each is there, and whose it is.
    fn fields(&self) -> [(&'static str, bool, &'static [NodeKind]); 20] {
        use NodeKind as K;
        const BODY: &[NodeKind] = &[K::Step, K::Action];
        [
            ("timeout_ms", self.timeout_ms.is_some(), BODY),
            ("delay_ms", self.delay_ms.is_some(), BODY),
            ("cache", self.cache, &[K::Step]),
            ("circuit", self.circuit.is_some(), BODY),
            ("branches", self.branches.is_some(), &[K::If, K::Parallel, K::Race]),
            ("otherwise", self.otherwise.is_some(), &[K::If]),
            ("keys", self.keys.is_some(), &[K::Parallel]),
            ("body", self.body.is_some(), &[K::While, K::ForEach]),
            ("max_iterations", self.max_iterations.is_some(), &[K::While]),
            ("concurrency", self.concurrency.is_some(), &[K::ForEach]),
            ("size", self.size.is_some(), &[K::ForEach]),
            ("duration_ms", self.duration_ms.is_some(), &[K::Sleep]),
            ("until_ms", self.until_ms.is_some(), &[K::SleepUntil]),
            ("event", self.event.is_some(), &[K::WaitForEvent]),
            ("wait_ms", self.wait_ms.is_some(), &[K::WaitForEvent, K::Approval]),
            ("filter", self.filter, &[K::WaitForEvent]),
            ("on_pause", self.on_pause || self.on_timeout, &[K::Approval]),
            ("description", self.description.is_some() || self.metadata.is_some(), &[K::Approval]),
            ("workflow", self.workflow.is_some() || self.input, &[K::Subflow]),
            ("reason", self.reason.is_some(), &[K::Cancel]),
        ]
    }

    /// Fields without which a kind means nothing.
    fn required(&self) -> Option<(&'static str, bool)> {
        match self.kind {
            NodeKind::If | NodeKind::Parallel | NodeKind::Race => {
                Some(("branches", self.branches.as_ref().is_some_and(|branches| !branches.is_empty())))
            }
            NodeKind::While | NodeKind::ForEach => Some(("body", self.body.is_some())),
            NodeKind::WaitForEvent => Some(("event", self.event.is_some())),
            NodeKind::Subflow => Some(("workflow", self.workflow.is_some())),
            _ => None,
        }
    }

    fn validate(&self) -> Result<()> {
        let name = &self.name;
        check_name("step name", name)?;
        let refuse = |what: String| Err(invalid(format!("node `{name}`: {what}")));
        for (field, is_there, kinds) in self.fields() {
            if is_there && !kinds.contains(&self.kind) {
                return refuse(format!("{field} does not belong to a node of kind {:?}", self.kind));
            }
        }
        if let Some((field, false)) = self.required() {
            return refuse(format!("{field} is missing"));
        }
        let blocks = self.branches.iter().flatten().chain(&self.body);
        if self.kind != NodeKind::If && blocks.into_iter().any(Vec::is_empty) {
            return refuse("a branch or body has no steps".to_owned());
        }
        if let Some(branches) = &self.branches {
            at_most("branches", branches.len() as u64, limits::BRANCHES)?;
        }
        if let (Some(keys), Some(branches)) = (&self.keys, &self.branches)
            && keys.len() != branches.len()
        {
            return refuse("there are as many keys as branches".to_owned());
        }
        for (field, value) in [
            ("timeout_ms", self.timeout_ms),
            ("delay_ms", self.delay_ms),
            ("duration_ms", self.duration_ms),
            ("wait_ms", self.wait_ms),
        ] {
            check_duration(field, value)?;
        }
        at_least_one("timeout_ms", self.timeout_ms)?;
        at_least_one("size", self.size.map(u64::from))?;
        at_least_one("concurrency", self.concurrency.map(u64::from))?;
        at_most("concurrency", self.concurrency.unwrap_or(1).into(), limits::LOOP_CONCURRENCY)?;
        at_most("max_iterations", self.max_iterations.unwrap_or(1).into(), limits::ITERATIONS)?;
        if let Some(event) = &self.event {
            check_text("event", event)?;
        }
        if let Some(circuit) = &self.circuit {
            check_name("circuit", &circuit.name)?;
            at_least_one("circuit.threshold", Some(circuit.threshold.into()))?;
            check_duration("circuit.recovery_ms", Some(circuit.recovery_ms))?;
        }
        match &self.retry {
            Some(retry) => retry.validate(name),
            None => Ok(()),
        }
    }
}

impl RetryPolicy {
    fn validate(&self, step: &str) -> Result<()> {
        check_duration("delay_ms", Some(self.delay_ms))?;
        check_duration("max_delay_ms", Some(self.max_delay_ms))?;
        if self.attempts < 1 || u64::from(self.attempts) > limits::RETRY_ATTEMPTS {
            return Err(invalid(format!("step `{step}`: retry.attempts must be from 1 to {}", limits::RETRY_ATTEMPTS)));
        }
        if !(self.multiplier >= 1.0 && self.multiplier <= 1_000.0) {
            return Err(invalid(format!("step `{step}`: retry.multiplier must be from 1 to 1000")));
        }
        if !(self.jitter >= 0.0 && self.jitter <= 1.0) {
            return Err(invalid(format!("step `{step}`: retry.jitter must be from 0 to 1")));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Code;

    fn refused(json: &str) -> String {
        let error = Definition::parse(json).unwrap_err();
        assert_eq!(error.code, Code::DefinitionInvalid);
        error.message
    }

    #[test]
    fn the_hash_depends_on_the_meaning_and_not_on_the_spelling() {
        let one = Definition::parse(r#"{"id":"a","nodes":[{"kind":"step","name":"x","on_error":false}]}"#).unwrap();
        let same = Definition::parse(r#"{ "nodes": [{"name":"x","kind":"step"}], "id": "a" }"#).unwrap();
        let other = Definition::parse(r#"{"id":"a","nodes":[{"kind":"action","name":"x"}]}"#).unwrap();
        assert_eq!(one.canonical().unwrap(), same.canonical().unwrap());
        assert_ne!(one.canonical().unwrap().1, other.canonical().unwrap().1);
    }

    #[test]
    fn refuses_what_cannot_run_and_says_why() {
        assert!(refused(r#"{"id":"a","nodes":[]}"#).contains("no steps"));
        assert!(refused(r#"{"id":"-a","nodes":[{"kind":"step","name":"x"}]}"#).contains("workflow id \"-a\""));
        assert!(
            refused(r#"{"id":"a","nodes":[{"kind":"step","name":"x"},{"kind":"step","name":"y"},{"kind":"action","name":"x"}]}"#)
                .contains("steps number 1 and steps number 3")
        );
        assert!(refused(r#"{"id":"a","nodes":[{"kind":"step","name":"x","colour":1}]}"#).contains("colour"));
        let retry = |policy: &str| format!(r#"{{"id":"a","nodes":[{{"kind":"step","name":"x","retry":{policy}}}]}}"#);
        assert!(refused(&retry(r#"{"attempts":0,"strategy":"fixed","delay_ms":1}"#)).contains("attempts"));
        assert!(refused(&retry(r#"{"attempts":2,"strategy":"fixed","delay_ms":1,"jitter":2}"#)).contains("jitter"));
        assert!(
            refused(&retry(r#"{"attempts":2,"strategy":"fixed","delay_ms":9000000000000000}"#)).contains("delay_ms")
        );
        assert!(refused("[".repeat(10_000).as_str()).len() < 200);
    }
}
