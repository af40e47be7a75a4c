//! The commands: what each asks of the runs.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::value::RawValue;

use super::answer::ResultList;
use super::{Active, Engine, query};
use crate::error::{Code, Error, Result};
use crate::graph::{Definition, Graph};
use crate::ids::RunId;
use crate::limits;
use crate::machine::{self, Context, Event, Outcome, Stage, Transition};
use crate::model::RunFilter;
use crate::protocol::{
    AbortReason, Cancel, Command, CommandResult, Effect, Heartbeat, Idempotency, Query, Resolve, Start,
};
use crate::store::Claim;
use crate::value;

impl Engine {
    pub(super) fn dispatch(&mut self, command: Command<'_>, now_ms: i64, results: &mut ResultList) -> Result<()> {
        let result = match command {
            Command::Echo(json) => CommandResult::Echoed(json),
            Command::Define(definition) => self.define(definition, now_ms)?,
            Command::Start(start) => self.start(&start, now_ms)?,
            Command::Resolve(resolve) => self.resolve(&resolve, now_ms)?,
            Command::Cancel(cancel) => self.cancel(&cancel, now_ms)?,
            Command::Heartbeat(heartbeat) => self.heartbeat(&heartbeat),
            Command::Release {} => self.release(now_ms)?,
            Command::Query(query) => {
                let json = self.query(query)?;
                results.push_json(&json);
                return Ok(());
            }
        };
        results.push(&result);
        Ok(())
    }

    pub(super) fn define(&mut self, definition: &RawValue, now_ms: i64) -> Result<CommandResult<'static>> {
        let definition = Definition::parse(definition.get())?;
        let (text, hash) = definition.canonical()?;
        let workflow_id = definition.id.clone();
        let before = self.catalog.current(&workflow_id).cloned();
        let id = self.store.define(&workflow_id, &hash, &text, now_ms)?;
        self.catalog.set_current(workflow_id.clone(), Some(Arc::new(Graph { id, definition })))?;
        self.defined.push((workflow_id.clone(), before.clone()));
        let mut resumed = 0;
        if before.is_none() {
            for run in self.store.ready_runs(&workflow_id)? {
                let Some(active) = self.load(run)? else { continue };
                resumed += 1;
                if active.run.stage == Stage::Executing {
                    // Nothing of this workflow can be executing yet: the process that executed it died.
                    self.transition(active, Event::Interrupted, now_ms, false)?;
                } else {
                    self.settle(Stage::Ended, None, active);
                }
            }
        }
        Ok(CommandResult::Defined { hash, resumed })
    }

    pub(super) fn start(&mut self, start: &Start<'_>, now_ms: i64) -> Result<CommandResult<'static>> {
        let graph = self.catalog.require(&start.workflow)?.clone();
        let payload = value::check_optional("payload", start.payload)?;
        let trigger = value::check_optional("trigger", start.trigger)?;
        if self.active.len() as u64 >= limits::RUNS_ACTIVE {
            let message = format!("{} runs are executing or queued; try again when some have ended", self.active.len());
            return Err(Error::new(Code::TooManyRuns, message));
        }
        let id = self.ids.next(now_ms);
        if let Some(idempotency) = &start.idempotency
            && let Some(earlier) = self.claim(&start.workflow, idempotency, id)?
        {
            return Ok(CommandResult::Started { run: earlier, repeated: true });
        }
        let context = Context { graph: &graph, now_ms, slot_free: self.slots.is_free() };
        let mut out = Transition::default();
        let run = machine::start(id, payload, trigger, context, &mut out);
        self.carry_out(&mut out)?;
        self.settle(Stage::Ended, None, Active { run, graph: graph.clone() });
        Ok(CommandResult::Started { run: id, repeated: false })
    }

    pub(super) fn claim(&mut self, workflow: &str, idempotency: &Idempotency<'_>, run: RunId) -> Result<Option<RunId>> {
        check_text("idempotency key", &idempotency.key, limits::KEY_BYTES)?;
        check_text("fingerprint", &idempotency.fingerprint, limits::KEY_BYTES)?;
        let claim = Claim { run, fingerprint: idempotency.fingerprint.clone().into_owned() };
        match self.store.claim(workflow, &idempotency.key, &claim)? {
            Some(earlier) if planted!(KeyIgnored) => Ok(earlier).map(|_| None),
            Some(earlier) if earlier.fingerprint != claim.fingerprint => Err(Error::new(
                Code::IdempotencyConflict,
                format!("the idempotency key was used with another body, by {}", earlier.run),
            )),
            earlier => Ok(earlier.map(|earlier| earlier.run)),
        }
    }

    pub(super) fn resolve(&mut self, resolve: &Resolve<'_>, now_ms: i64) -> Result<CommandResult<'static>> {
        let outcome = match (value::check_optional("output", resolve.output)?, resolve.error) {
            (output, None) => Outcome::Completed { output },
            (None, Some(error)) => {
                Outcome::Failed { error: value::check("error", error)?, retryable: resolve.retryable }
            }
            (Some(_), Some(_)) => {
                return Err(Error::new(Code::RequestInvalid, "an attempt ends with an output or an error, not both"));
            }
        };
        let Some(active) = self.active.remove(&resolve.run) else {
            // Executing runs are in memory; whatever else the run does, this attempt is over.
            let message = format!("attempt {} of run {} has already ended", resolve.sequence, resolve.run);
            return Err(Error::new(Code::AttemptEnded, message));
        };
        let event = Event::Ended { sequence: resolve.sequence, outcome };
        match self.transition(active, event, now_ms, false)? {
            Some(retry_at_ms) => Ok(CommandResult::Retried { retry_at_ms }),
            None => Ok(CommandResult::Done),
        }
    }

    pub(super) fn cancel(&mut self, cancel: &Cancel<'_>, now_ms: i64) -> Result<CommandResult<'static>> {
        if let Some(reason) = &cancel.reason {
            check_text("reason", reason, limits::REASON_BYTES)?;
        }
        let active = self.activate(cancel.run)?.ok_or_else(|| query::run_not_found(cancel.run))?;
        self.transition(active, Event::Cancelled { reason: cancel.reason.as_deref() }, now_ms, false)?;
        Ok(CommandResult::Done)
    }

    /// Gives again what the host should be executing and is not, and aborts what it should not be.
    pub(super) fn heartbeat(&mut self, heartbeat: &Heartbeat) -> CommandResult<'static> {
        let host: BTreeSet<(RunId, u32)> = heartbeat.executing.iter().copied().collect();
        let mine = self.executing();
        for &(run, sequence) in mine.difference(&host) {
            let active = &self.active[&run];
            debug_assert_eq!(active.run.sequence, sequence);
            self.effects.push(machine::execute_effect(&active.run, &active.graph));
        }
        for &(run, sequence) in host.difference(&mine) {
            self.effects.push(Effect::Abort { run, sequence, reason: AbortReason::Ended });
        }
        CommandResult::Done
    }

    pub(super) fn executing(&self) -> BTreeSet<(RunId, u32)> {
        let executing = self.active.values().filter(|active| active.run.stage == Stage::Executing);
        executing.map(|active| (active.run.id, active.run.sequence)).collect()
    }

    pub(super) fn release(&mut self, now_ms: i64) -> Result<CommandResult<'static>> {
        self.slots.set_capacity(0);
        for (run, _) in self.executing() {
            if let Some(active) = self.active.remove(&run) {
                self.transition(active, Event::Released, now_ms, false)?;
            }
        }
        Ok(CommandResult::Done)
    }

    pub(super) fn query(&mut self, query: Query<'_>) -> Result<String> {
        match query {
            Query::About {} => {
                let (executing, queued) = self.slots.counts();
                let mut about = self.about.clone();
                about["executing"] = executing.into();
                about["queued"] = queued.into();
                about["workflows"] = self.catalog.workflow_ids().into();
                Ok(about.to_string())
            }
            Query::Run { run, after } => query::run(&mut *self.store, run, after),
            Query::Runs { workflow, status, since_ms, limit, cursor } => {
                let workflow_id = workflow.map(Cow::into_owned);
                let limit = limit.unwrap_or(100).clamp(1, limits::LIST_ROWS as u32);
                query::runs(&mut *self.store, &RunFilter { workflow_id, status, since_ms, before: cursor, limit })
            }
        }
    }
}

fn check_text(what: &str, text: &str, bytes: u64) -> Result<()> {
    if text.is_empty() || text.len() as u64 > bytes {
        return Err(Error::new(Code::TextInvalid, format!("the {what} has from 1 to {bytes} bytes")));
    }
    Ok(())
}
