//! A workflow definition: parsed, validated, indexed. What the machine reads and never changes.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::error::{Code, Error, Result};
use crate::limits;
use crate::model::DefinitionId;

/// A workflow definition as the host sends it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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
    /// The steps, in order.
    pub nodes: Vec<Node>,
}

/// What a node does with what its handler returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NodeKind {
    /// Its output is recorded and becomes `ctx.last`.
    Step,
    /// Its output is dropped; `ctx.last` passes through.
    Action,
}

/// A step or an action.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Node {
    /// Step or action.
    pub kind: NodeKind,
    /// Unique within the workflow.
    pub name: Arc<str>,
    /// How long an attempt may take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
    /// How long to wait before the first attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delay_ms: Option<u64>,
    /// When to try again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<RetryPolicy>,
    /// Whether the host has a function to call after the last attempt failed.
    #[serde(default)]
    pub on_error: bool,
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

/// A validated definition, under the number it is stored with.
#[derive(Debug, Clone, PartialEq)]
pub struct Graph {
    /// Its number in the store.
    pub id: DefinitionId,
    /// What it says.
    pub definition: Definition,
}

impl Graph {
    /// The id of the workflow.
    pub fn workflow_id(&self) -> &str {
        &self.definition.id
    }

    /// The node at this position, or none past the end.
    pub fn node(&self, position: u32) -> Option<&Node> {
        self.definition.nodes.get(position as usize)
    }
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
        if self.nodes.is_empty() {
            return Err(invalid(format!("workflow `{}` has no steps", self.id)));
        }
        if self.nodes.len() as u64 > limits::NODES_PER_WORKFLOW {
            return Err(invalid(format!(
                "workflow `{}` has {} nodes, at most {} are allowed",
                self.id,
                self.nodes.len(),
                limits::NODES_PER_WORKFLOW
            )));
        }
        let mut seen = std::collections::BTreeMap::new();
        for (position, node) in self.nodes.iter().enumerate() {
            node.validate()?;
            if let Some(first) = seen.insert(&*node.name, position) {
                return Err(invalid(format!(
                    "workflow `{}` has two nodes named `{}`: number {} and number {}",
                    self.id,
                    node.name,
                    first + 1,
                    position + 1
                )));
            }
        }
        Ok(())
    }
}

impl Node {
    fn validate(&self) -> Result<()> {
        check_name("step name", &self.name)?;
        check_duration("timeout_ms", self.timeout_ms)?;
        check_duration("delay_ms", self.delay_ms)?;
        if self.timeout_ms == Some(0) {
            return Err(invalid(format!("step `{}`: timeout_ms must be at least 1", self.name)));
        }
        match &self.retry {
            Some(retry) => retry.validate(&self.name),
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

fn invalid(message: impl Into<String>) -> Error {
    Error::new(Code::DefinitionInvalid, message)
}

fn check_duration(field: &str, value: Option<u64>) -> Result<()> {
    match value {
        Some(ms) if ms > limits::DURATION_MS => Err(invalid(format!("{field} is longer than 100 years"))),
        _ => Ok(()),
    }
}

/// Names are `[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}`.
fn check_name(what: &str, name: &str) -> Result<()> {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let starts_well = name.chars().next().is_some_and(word);
    let goes_on_well = name.chars().all(|c| word(c) || c == '.' || c == '-');
    if starts_well && goes_on_well && name.len() as u64 <= limits::NAME_LENGTH {
        return Ok(());
    }
    let shown: String = name.chars().take(40).collect();
    Err(invalid(format!("{what} {shown:?} is not of the form [A-Za-z0-9_][A-Za-z0-9_.-]{{0,127}}")))
}

#[cfg(test)]
mod tests {
    use super::*;

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
                .contains("number 1 and number 3")
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
