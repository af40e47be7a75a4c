//! The workflows this process has handlers for, and the stored definitions that open runs are pinned to.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::definition::Definition;
use crate::error::{Code, Error, Result};
use crate::graph::Graph;
use crate::limits;
use crate::model::DefinitionId;
use crate::store::Store;

/// The versions of one workflow, the current one last.
pub type Versions = Arc<[Arc<Graph>]>;

#[derive(Debug, Default)]
pub struct Catalog {
    defined: BTreeMap<String, Versions>,
    stored: BTreeMap<DefinitionId, Arc<Graph>>,
}

impl Catalog {
    /// The definitions the host has given for a workflow.
    pub fn versions(&self, workflow_id: &str) -> Option<&Versions> {
        self.defined.get(workflow_id)
    }

    /// Whether the host has functions for a workflow.
    pub fn is_defined(&self, workflow_id: &str) -> bool {
        self.defined.contains_key(workflow_id)
    }

    /// The definition that new runs of a workflow begin with.
    pub fn require(&self, workflow_id: &str) -> Result<&Arc<Graph>> {
        self.versions(workflow_id).and_then(|versions| versions.last()).ok_or_else(|| {
            let shown: String = workflow_id.chars().take(limits::NAME_LENGTH as usize).collect();
            Error::new(Code::WorkflowNotFound, format!("no workflow `{shown}` is defined in this process"))
        })
    }

    /// Ids of all workflows the host has given, in order.
    pub fn workflow_ids(&self) -> Vec<String> {
        self.defined.keys().cloned().collect()
    }

    /// All definitions the host has given.
    pub fn graphs(&self) -> impl Iterator<Item = &Graph> {
        self.defined.values().flat_map(|versions| versions.iter()).map(|graph| &**graph)
    }

    /// Sets or takes back the definitions of a workflow.
    pub fn set_versions(&mut self, workflow_id: String, versions: Option<Versions>) -> Result<()> {
        match versions {
            Some(_) if !self.is_defined(&workflow_id) && self.defined.len() as u64 >= limits::WORKFLOWS => {
                let message = format!("at most {} workflows can be defined in one engine", limits::WORKFLOWS);
                return Err(Error::new(Code::TooManyWorkflows, message));
            }
            Some(versions) => drop(self.defined.insert(workflow_id, versions)),
            None => drop(self.defined.remove(&workflow_id)),
        }
        Ok(())
    }

    /// The definition an open run follows: the one it is pinned to, or the one of the same version, or the current
    /// one; the pinned one also when the host has none.
    pub fn followed(&mut self, workflow_id: &str, pinned: DefinitionId, store: &mut dyn Store) -> Result<Arc<Graph>> {
        let Some(versions) = self.versions(workflow_id).cloned() else { return self.stored(pinned, store) };
        if let Some(same) = versions.iter().find(|graph| graph.id == pinned) {
            return Ok(same.clone());
        }
        let version = self.stored(pinned, store)?.definition.version.clone();
        let same_version = versions.iter().find(|graph| graph.definition.version == version);
        match same_version.or(versions.last()) {
            Some(graph) => Ok(graph.clone()),
            None => self.stored(pinned, store),
        }
    }

    /// A stored definition.
    pub fn stored(&mut self, id: DefinitionId, store: &mut dyn Store) -> Result<Arc<Graph>> {
        if let Some(graph) = self.stored.get(&id) {
            return Ok(graph.clone());
        }
        let missing = || Error::corrupt(format!("definition {id} is missing or damaged"));
        let text = store.definition(id)?.ok_or_else(missing)?;
        let definition = Definition::parse(&text).map_err(|_| missing())?;
        let graph = Arc::new(Graph::new(id, definition));
        self.stored.insert(id, graph.clone());
        Ok(graph)
    }
}
