//! The commands: what each asks of the runs.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::value::RawValue;

use super::answer::ResultList;
use super::{Active, Engine, query, retry, state};
use crate::definition::Definition;
use crate::error::{Code, Error, Result};
use crate::graph::Graph;
use crate::ids::RunId;
use crate::limits;
use crate::machine::{self, Event, Need, Outcome, Stage};
use crate::model::{Origin, RunFilter, Write};
use crate::protocol::{
    AbortReason, Cancel, Command, CommandResult, Effect, Heartbeat, Idempotency, Query, Recall, Resolve, Start,
};
use crate::store::Claim;
use crate::value;

impl Engine {
    pub(super) fn dispatch(&mut self, command: Command<'_>, now_ms: i64, results: &mut ResultList) -> Result<()> {
        let shared;
        let result = match command {
            Command::Echo(json) => CommandResult::Echoed(json),
            Command::Define(definition) => self.define(definition, now_ms)?,
            Command::Start(start) => self.start(&start, now_ms)?,
            Command::Resolve(resolve) => return self.resolve(&resolve, now_ms, results),
            Command::Recall(recall) => self.recall_output(&recall, now_ms)?,
            Command::Cancel(cancel) => self.cancel(&cancel, now_ms)?,
            Command::Retry { run } => self.retry(run, now_ms)?,
            Command::Replay(replay) => self.replay(&replay, now_ms)?,
            Command::Publish(publish) => self.publish(&publish, now_ms)?,
            Command::Approve(approve) => self.approve(&approve, now_ms)?,
            Command::Pause(workflow) => self.set_paused(&workflow, true, now_ms)?,
            Command::Unpause(workflow) => self.set_paused(&workflow, false, now_ms)?,
            Command::State(changes) => {
                shared = changes;
                self.change_shared(&shared, now_ms)?
            }
            Command::Polled(polled) => self.polled(&polled, now_ms)?,
            Command::Heartbeat(heartbeat) => self.heartbeat(&heartbeat),
            Command::Release {} => self.release(now_ms)?,
            Command::Restart {} => self.want_restart()?,
            Command::Query(query) => {
                self.check_answer_has_room()?;
                let json = self.query(query, now_ms)?;
                self.asked_bytes += json.len() as u64;
                results.push_json(&json);
                return Ok(());
            }
        };
        results.push(&result);
        Ok(())
    }

    fn define(&mut self, definitions: &RawValue, now_ms: i64) -> Result<CommandResult<'static>> {
        let definitions = Definition::parse_versions(definitions.get())?;
        let mut versions = Vec::with_capacity(definitions.len());
        let (mut workflow_id, mut last_hash, mut schedules) = (String::new(), String::new(), Vec::new());
        for mut definition in definitions {
            schedules = std::mem::take(&mut definition.schedules);
            if let Some(queue) = &definition.queue {
                self.slots.set_queue(queue, &definition.id)?;
            }
            let (text, hash) = definition.canonical()?;
            let id = self.store.define(&definition.id, &hash, &text, now_ms)?;
            (workflow_id, last_hash) = (definition.id.clone(), hash);
            versions.push(Arc::new(Graph::new(id, definition)));
        }
        let before = self.catalog.versions(&workflow_id).cloned();
        self.catalog.set_versions(workflow_id.clone(), Some(versions.into()))?;
        self.defined.push((workflow_id.clone(), before.clone()));
        self.define_schedules(&workflow_id, &schedules, now_ms)?;
        self.put_starts_right(&workflow_id, now_ms)?;
        self.put_circuits_right(now_ms)?;
        if before.is_none() {
            self.take_up(&workflow_id, now_ms)?;
        }
        Ok(CommandResult::Defined { hash: last_hash })
    }

    /// The open runs of a workflow that has just become known go on.
    fn take_up(&mut self, workflow_id: &str, now_ms: i64) -> Result<()> {
        let versions = self.catalog.versions(workflow_id).cloned();
        let mut reopened = BTreeSet::new();
        for graph in versions.iter().flat_map(|versions| versions.iter()) {
            // Parked because this definition was missing.
            for run in self.store.parked_runs(workflow_id, graph.id)? {
                self.store.write(&Write::ReopenRun(run))?;
                self.store.write(&retry::passed(run, now_ms))?;
                self.timers_changed = true;
                reopened.insert(run);
            }
        }
        for run in self.store.ready_runs(workflow_id)? {
            let Some(active) = self.load(run)? else { continue };
            if reopened.contains(&run) {
                self.tell_of_children(&active)?;
            }
            if active.run.stage == Stage::Executing {
                // Nothing of this workflow can be executing yet: the process that executed it died.
                self.transition(active, Event::Interrupted, now_ms, false)?;
                self.meet_needs(now_ms)?;
            } else {
                self.settle(Stage::Ended, active);
            }
        }
        Ok(())
    }

    /// Children that ended while their run was stuck have told nobody. One that is gone has ended, too.
    fn tell_of_children(&mut self, active: &Active) -> Result<()> {
        for child in active.run.children() {
            if self.store.run(child)?.is_none_or(|row| row.status.is_final()) {
                self.needs.push_back((child, Need::TellParent(active.run.id)));
            }
        }
        Ok(())
    }

    fn start(&mut self, start: &Start<'_>, now_ms: i64) -> Result<CommandResult<'static>> {
        self.check_start(start)?;
        self.check_room()?;
        if let Some(delivery) = &start.delivery
            && let Some(earlier) = self.delivered(&start.workflow, delivery, now_ms)?
        {
            return Ok(CommandResult::Started { run: earlier, repeated: true });
        }
        let id = self.ids.next(now_ms);
        let earlier = match &start.idempotency {
            Some(idempotency) => self.claim(&start.workflow, idempotency, id)?,
            None => None,
        };
        if let Some(delivery) = &start.delivery {
            self.remember_delivery(&start.workflow, delivery, earlier.unwrap_or(id), now_ms)?;
        }
        if let Some(earlier) = earlier {
            return Ok(CommandResult::Started { run: earlier, repeated: true });
        }
        self.begin_start(id, start, now_ms)?;
        Ok(CommandResult::Started { run: id, repeated: false })
    }

    /// What is wrong with a start, if anything is. Nothing is stored yet.
    pub(super) fn check_start(&self, start: &Start<'_>) -> Result<()> {
        self.catalog.require(&start.workflow)?;
        value::check_optional("payload", start.payload)?;
        value::check_optional("trigger", start.trigger)?;
        value::check_limit_keys(start.concurrency_key.as_deref(), start.rate_key.as_deref())?;
        if start.delay_ms > limits::DURATION_MS {
            return Err(Error::new(Code::TextInvalid, "the delay is longer than 100 years"));
        }
        Ok(())
    }

    /// Begins the run of a start that was checked.
    pub(super) fn begin_start(&mut self, id: RunId, start: &Start<'_>, now_ms: i64) -> Result<()> {
        let priority = self.catalog.require(&start.workflow)?.definition.priority;
        let most = limits::PRIORITY as i32;
        let origin = Origin {
            payload: start.payload.map(|payload| payload.get().into()),
            trigger: start.trigger.map(|trigger| trigger.get().into()),
            start_at_ms: Some(now_ms + start.delay_ms as i64).filter(|_| start.delay_ms > 0),
            priority: start.priority.unwrap_or(priority).clamp(-most, most),
            concurrency_key: start.concurrency_key.as_deref().map(Cow::Borrowed),
            rate_key: Some(Cow::Borrowed(start.rate_key.as_deref().unwrap_or(""))),
            idempotency_key: start.idempotency.as_ref().map(|idempotency| Cow::Borrowed(&*idempotency.key)),
            ..Origin::default()
        };
        self.begin_run(id, &start.workflow, origin, now_ms)
    }

    fn claim(&mut self, workflow: &str, idempotency: &Idempotency<'_>, run: RunId) -> Result<Option<RunId>> {
        value::check_text("idempotency key", &idempotency.key, limits::KEY_BYTES)?;
        value::check_text("fingerprint", &idempotency.fingerprint, limits::KEY_BYTES)?;
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

    fn resolve(&mut self, resolve: &Resolve<'_>, now_ms: i64, results: &mut ResultList) -> Result<()> {
        let outcome = outcome(resolve)?;
        let Some(active) = self.active.get(&resolve.run) else {
            // Executing runs are in memory; whatever else the run does, this attempt is over.
            return Err(machine::attempt_ended(resolve.run));
        };
        let workflow = active.graph.workflow.clone();
        let step = active.run.step_of(resolve.fence, &active.graph);
        if let Some(cache) = &resolve.cache {
            value::check_text("cache key", &cache.key, limits::STATE_KEY_BYTES)?;
        }
        let may_complete = matches!(outcome, Outcome::Completed { .. }) || planted!(StateCountedTwice);
        let changes = if may_complete { &resolve.state[..] } else { &[] };
        let planned = self.plan_changes(&workflow, changes, now_ms)?;
        let Some(active) = self.active.remove(&resolve.run) else {
            return Err(machine::attempt_ended(resolve.run));
        };
        let ended = self.transition(active, Event::Ended { fence: resolve.fence, outcome }, now_ms, false)?;
        // What was decided may have made no sense: then the attempt has failed after all.
        let counts = ended.completed || planted!(StateCountedTwice);
        let planned = if counts { planned } else { Vec::new() };
        self.store_changes(&workflow, &planned)?;
        if let (Some(cache), Some(output), Some(step), true) = (&resolve.cache, resolve.output, step, ended.completed) {
            self.cache(&state::cache_space(&workflow, &step), cache, output, now_ms)?;
        }
        results.push(&match ended.retry_at_ms {
            Some(retry_at_ms) => CommandResult::Retried { retry_at_ms },
            None if planned.is_empty() => CommandResult::Done,
            None => state::changed(planned),
        });
        Ok(())
    }

    /// An attempt asks for an output that is kept under a key; if there is one, it ends with it.
    fn recall_output(&mut self, recall: &Recall<'_>, now_ms: i64) -> Result<CommandResult<'static>> {
        value::check_text("cache key", &recall.key, limits::STATE_KEY_BYTES)?;
        let active = self.active.get(&recall.run);
        let step = active.and_then(|active| active.run.step_of(recall.fence, &active.graph));
        let (Some(active), Some(step)) = (active, step) else {
            return Err(machine::attempt_ended(recall.run));
        };
        let space = state::cache_space(&active.graph.workflow, &step);
        let Some(kept) = self.store.state(&space, &recall.key, now_ms)? else {
            return Ok(CommandResult::Recalled { hit: false });
        };
        if let Some(active) = self.active.remove(&recall.run) {
            let event = Event::Recalled { fence: recall.fence, output: &kept.value };
            self.transition(active, event, now_ms, false)?;
        }
        Ok(CommandResult::Recalled { hit: true })
    }

    fn cancel(&mut self, cancel: &Cancel<'_>, now_ms: i64) -> Result<CommandResult<'static>> {
        if let Some(reason) = &cancel.reason {
            value::check_text("reason", reason, limits::REASON_BYTES)?;
        }
        let active = self.activate(cancel.run, now_ms)?.ok_or_else(|| query::run_not_found(cancel.run))?;
        self.transition(active, Event::Cancelled { reason: cancel.reason.as_deref() }, now_ms, false)?;
        Ok(CommandResult::Done)
    }

    /// Gives again what the host should be executing and is not, and aborts what it should not be.
    fn heartbeat(&mut self, heartbeat: &Heartbeat) -> CommandResult<'static> {
        let host: BTreeSet<(RunId, u64)> = heartbeat.executing.iter().copied().collect();
        // In order, whatever the order in memory: what the engine says depends on what it was told, and on nothing else.
        let mut mine = BTreeMap::new();
        for (run, active) in self.active.iter().filter(|(_, active)| active.run.stage == Stage::Executing) {
            let executed = machine::execute_effects(&active.run, &active.graph, &self.secret);
            mine.extend(executed.into_iter().map(|(fence, effect)| ((*run, fence), effect)));
        }
        let unknown = host.iter().filter(|attempt| !mine.contains_key(attempt));
        let aborts: Vec<Effect> =
            unknown.map(|&(run, fence)| Effect::Abort { run, fence, reason: AbortReason::Ended }).collect();
        mine.retain(|attempt, _| !host.contains(attempt));
        self.effects.extend(mine.into_values());
        self.effects.extend(aborts);
        CommandResult::Done
    }

    fn release(&mut self, now_ms: i64) -> Result<CommandResult<'static>> {
        self.slots.set_capacity(0, now_ms);
        let executing = self.active.iter().filter(|(_, active)| active.run.stage == Stage::Executing);
        let executing: BTreeSet<RunId> = executing.map(|(run, _)| *run).collect();
        for run in executing {
            if let Some(active) = self.active.remove(&run) {
                self.transition(active, Event::Released, now_ms, false)?;
            }
        }
        Ok(CommandResult::Done)
    }

    fn set_paused(&mut self, workflow: &str, paused: bool, now_ms: i64) -> Result<CommandResult<'static>> {
        self.catalog.require(workflow)?;
        if !paused {
            // What has come due meanwhile was paused, too.
            self.look_at_schedules(workflow, true, now_ms)?;
        }
        self.store.set_paused(workflow, paused)?;
        self.slots.set_paused(self.store.paused()?);
        if !paused {
            self.look_at_schedules(workflow, false, now_ms)?;
            self.give_withheld_their_timers(workflow)?;
            // Runs that still hold a slot go on with what was withheld from them; the others queue.
            let holds =
                |active: &Active| active.run.stage == Stage::Executing && active.graph.workflow_id() == workflow;
            let holders: BTreeSet<RunId> =
                self.active.iter().filter(|(_, active)| holds(active)).map(|(run, _)| *run).collect();
            for run in holders {
                if let Some(active) = self.active.remove(&run) {
                    self.transition(active, Event::Ticked, now_ms, false)?;
                }
            }
        }
        Ok(CommandResult::Done)
    }

    /// What is read is as large as what was recorded: without a bound a few hundred questions would fill the memory. The
    /// first one of a commit is always answered.
    fn check_answer_has_room(&self) -> Result<()> {
        let bytes = self.asked_bytes;
        if bytes <= self.answer_bytes || planted!(AnswersUnbounded) {
            return Ok(());
        }
        let message = format!("the answers before this one have {bytes} bytes together; ask again");
        Err(Error::new(Code::AnswersFull, message))
    }

    fn query(&mut self, query: Query<'_>, now_ms: i64) -> Result<String> {
        match query {
            Query::About {} => {
                let (executing, queued) = self.slots.counts();
                let mut about = self.about.clone();
                about["executing"] = executing.into();
                about["queued"] = queued.into();
                about["workflows"] = self.catalog.workflow_ids().into();
                about["paused"] = self.store.paused()?.into();
                Ok(about.to_string())
            }
            Query::Run { run, after } => {
                let row = self.store.run(run)?.ok_or_else(|| query::run_not_found(run))?;
                let graph = self.catalog.stored(row.definition, &mut *self.store)?;
                query::run(&mut *self.store, &row, graph.definition.version.as_deref(), after)
            }
            Query::Waits { run } => self.waits_json(run),
            Query::Runs { workflow, status, since_ms, limit, cursor } => {
                let workflow_id = workflow.map(Cow::into_owned);
                let limit = limit.unwrap_or(100).clamp(1, limits::LIST_ROWS as u32);
                query::runs(&mut *self.store, &RunFilter { workflow_id, status, since_ms, before: cursor, limit })
            }
            Query::State { workflow, keys } => self.state_json(&workflow, &keys, now_ms),
            Query::Approvals { workflow, limit } => {
                let limit = limit.unwrap_or(100).clamp(1, limits::LIST_ROWS as u32);
                let rows = self.store.approvals(workflow.as_deref(), limit)?;
                let json = self.approvals_json(&rows)?;
                Ok(format!(r#"{{"approvals":{json}}}"#))
            }
            Query::Schedules { workflow, limit, cursor } => {
                let limit = limit.unwrap_or(100).clamp(1, limits::LIST_ROWS as u32);
                self.schedules_json(workflow.as_deref(), cursor.unwrap_or(0), limit)
            }
            Query::Unattended {} => {
                let orphaned = self.store.open_counts_but(&self.catalog.workflow_ids())?;
                Ok(query::unattended(&self.store.stuck_counts()?, &orphaned))
            }
            Query::Cron { pattern, timezone, limit } => {
                let limit = limit.unwrap_or(5).clamp(1, limits::LIST_ROWS as u32);
                query::fires(&pattern, &timezone, now_ms, limit as usize)
            }
            Query::Approval { token } => {
                let row = self.approval(&token)?;
                let json = self.approvals_json(&[row])?;
                Ok(format!(r#"{{"approvals":{json}}}"#))
            }
        }
    }
}

fn outcome<'a>(resolve: &'a Resolve<'a>) -> Result<Outcome<'a>> {
    match (value::check_optional("output", resolve.output)?, resolve.error, &resolve.cancel) {
        (output, None, None) => Ok(Outcome::Completed { output }),
        (None, Some(error), None) => Ok(Outcome::Failed {
            error: value::check("error", error)?,
            retryable: resolve.retryable,
            expected: resolve.expected,
        }),
        (None, None, Some(reason)) => {
            value::check_text("reason", reason, limits::REASON_BYTES)?;
            Ok(Outcome::Cancel { reason })
        }
        _ => {
            let message = "an attempt ends with an output, an error or a wish to cancel, not with several of them";
            Err(Error::new(Code::RequestInvalid, message))
        }
    }
}
