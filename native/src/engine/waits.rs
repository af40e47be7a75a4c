//! What a run waits for, for people and for tests. Reads, and moves nothing.

use std::sync::Arc;

use serde::Serialize;

use super::{Engine, query};
use crate::error::{Error, Result};
use crate::graph::Graph;
use crate::ids::RunId;
use crate::machine::{self, Waiting};

#[derive(Serialize)]
struct WaitsJson {
    waits: Vec<Waiting>,
}

impl Engine {
    pub(super) fn waits_json(&mut self, id: RunId) -> Result<String> {
        let waits = match self.active.get(&id) {
            Some(active) => machine::waits(&active.run, &active.graph),
            None => self.stored_waits(id)?,
        };
        serde_json::to_string(&WaitsJson { waits }).map_err(|error| Error::bug(error.to_string()))
    }

    /// Of a run that is not in memory. One that its workflow has changed under waits for nothing that could come.
    fn stored_waits(&mut self, id: RunId) -> Result<Vec<Waiting>> {
        let summary = self.store.summary(id)?.ok_or_else(|| query::run_not_found(id))?;
        if summary.status.is_final() {
            return Ok(Vec::new());
        }
        let graph: Arc<Graph> = self.catalog.followed(&summary.workflow_id, summary.definition, &mut *self.store)?;
        let run = machine::restore(&summary, &graph, &self.secret);
        Ok(run.map_or_else(|_| Vec::new(), |run| machine::waits(&run, &graph)))
    }
}
