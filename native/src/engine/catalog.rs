//! The workflows this process has handlers for, and the stored definitions that open runs are pinned to.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::error::{Code, Error, Result};
use crate::graph::{Definition, Graph};
use crate::limits;
use crate::model::DefinitionId;
use crate::store::Store;

#[derive(Debug, Default)]
pub struct Catalog {
    current: BTreeMap<String, Arc<Graph>>,
    stored: BTreeMap<DefinitionId, Arc<Graph>>,
}

impl Catalog {
    /// The definition the host has given for a workflow.
    pub fn current(&self, workflow_id: &str) -> Option<&Arc<Graph>> {
        self.current.get(workflow_id)
    }

    /// The same, for a call that names it.
    pub fn require(&self, workflow_id: &str) -> Result<&Arc<Graph>> {
        self.current(workflow_id).ok_or_else(|| {
            let shown: String = workflow_id.chars().take(limits::NAME_LENGTH as usize).collect();
            Error::new(Code::WorkflowNotFound, format!("no workflow `{shown}` is defined in this process"))
        })
    }

    /// Ids of all workflows the host has given, in order.
    pub fn workflow_ids(&self) -> Vec<String> {
        self.current.keys().cloned().collect()
    }

    /// Sets or takes back the definition of a workflow.
    pub fn set_current(&mut self, workflow_id: String, graph: Option<Arc<Graph>>) -> Result<()> {
        match graph {
            Some(_) if !self.current.contains_key(&workflow_id) && self.current.len() as u64 >= limits::WORKFLOWS => {
                let message = format!("at most {} workflows can be defined in one engine", limits::WORKFLOWS);
                return Err(Error::new(Code::TooManyWorkflows, message));
            }
            Some(graph) => drop(self.current.insert(workflow_id, graph)),
            None => drop(self.current.remove(&workflow_id)),
        }
        Ok(())
    }

    /// A stored definition.
    pub fn stored(&mut self, id: DefinitionId, store: &mut dyn Store) -> Result<Arc<Graph>> {
        if let Some(graph) = self.stored.get(&id) {
            return Ok(graph.clone());
        }
        let missing = || Error::corrupt(format!("definition {id} is missing or damaged"));
        let text = store.definition(id)?.ok_or_else(missing)?;
        let definition = Definition::parse(&text).map_err(|_| missing())?;
        let graph = Arc::new(Graph { id, definition });
        self.stored.insert(id, graph.clone());
        Ok(graph)
    }
}
