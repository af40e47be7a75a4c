//! The transaction script: take requests, load runs, ask the machine, apply its writes, commit, answer.
//!
//! The engine keeps the runs that execute or queue in memory; a run that waits is read again when its timer is due.
//! What is in memory is a view of what is stored: after a failed commit it is thrown away and read again.

mod answer;
mod catalog;
mod query;
mod repeats;
mod slots;

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use answer::{ResultList, Results};
use catalog::Catalog;
use repeats::Repeats;
use serde_json::value::RawValue;
use slots::Slots;

use crate::error::{Class, Code, Error, Result};
use crate::graph::{Definition, Graph};
use crate::ids::{IdSource, RunId};
use crate::limits;
use crate::machine::{self, Context, Event, Outcome, Run, Stage, Transition};
use crate::model::{RunFilter, TimerKind, Write};
use crate::protocol::{Cancel, Command, CommandResult, Effect, Heartbeat, Idempotency, Query, Request, Resolve, Start};
use crate::store::{Claim, Store};
use crate::value;

/// A run in memory, with the definition it follows.
#[derive(Debug)]
struct Active {
    run: Run,
    graph: Arc<Graph>,
}

/// The engine over one store.
pub struct Engine {
    store: Box<dyn Store>,
    about: serde_json::Value,
    ids: IdSource,
    catalog: Catalog,
    active: HashMap<RunId, Active>,
    slots: Slots,
    /// Deadlines of executing attempts: (time, run, sequence).
    attempt_deadlines: BTreeSet<(i64, RunId, u32)>,
    /// The earliest stored timer, unless `timers_changed`.
    next_timer: Option<i64>,
    timers_changed: bool,
    repeats: Repeats,
    /// What is in memory may differ from what is stored.
    stale: bool,
    /// What the open transaction has caused.
    effects: Vec<Effect>,
    defined: Vec<(String, Option<Arc<Graph>>)>,
}

impl Engine {
    /// An engine over a store, with its clock not yet started and no workflow defined. `about` is what it says of
    /// itself; `node` tells its run ids from those of other engines over the same store.
    pub fn open(mut store: Box<dyn Store>, node: u8, about: serde_json::Value) -> Result<Engine> {
        let ids = IdSource::new(node, store.last_run()?);
        Ok(Engine {
            store,
            about,
            ids,
            catalog: Catalog::default(),
            active: HashMap::new(),
            slots: Slots::default(),
            attempt_deadlines: BTreeSet::new(),
            next_timer: None,
            timers_changed: true,
            repeats: Repeats::default(),
            stale: false,
            effects: Vec::new(),
            defined: Vec::new(),
        })
    }

    /// Applies requests in one transaction and gives the answers: one text per commit.
    ///
    /// When a rule or the data breaks, every request is tried again alone, so that one does not spoil the others.
    pub fn process(&mut self, requests: &[&[u8]]) -> Vec<Vec<u8>> {
        match self.transact(requests) {
            Ok(answer) => vec![answer],
            Err(error) if requests.len() > 1 && matches!(error.code.class(), Class::Bug | Class::Corrupt) => {
                requests.iter().flat_map(|request| self.process(&[request])).collect()
            }
            Err(error) => {
                let refused: Vec<_> = requests.iter().map(|text| (seq_of(text), Err(error.clone()))).collect();
                vec![answer::render(&refused, &[], self.wake_at_ms())]
            }
        }
    }

    fn transact(&mut self, requests: &[&[u8]]) -> Result<Vec<u8>> {
        let mut answered: Vec<(u64, Results)> = Vec::with_capacity(requests.len());
        self.effects.clear();
        self.defined.clear();
        self.store.begin()?;
        let outcome = self.apply_all(requests, &mut answered).and_then(|()| self.store.commit());
        if let Err(error) = outcome {
            self.store.rollback();
            self.stale = true;
            for (workflow_id, before) in std::mem::take(&mut self.defined).into_iter().rev() {
                self.catalog.set_current(workflow_id, before)?;
            }
            if !planted!(AnswerBeforeCommit) {
                return Err(error);
            }
        }
        self.drop_outdated_effects();
        for (seq, results) in &answered {
            self.repeats.remember(*seq, results);
        }
        Ok(answer::render(&answered, &self.effects, self.wake_at_ms()))
    }

    fn apply_all(&mut self, requests: &[&[u8]], answered: &mut Vec<(u64, Results)>) -> Result<()> {
        for text in requests {
            let request = match parse_request(text) {
                Ok(request) => request,
                Err(error) => {
                    answered.push((seq_of(text), Err(error)));
                    continue;
                }
            };
            let seen = self.repeats.answer(request.seq);
            let earlier = || answered.iter().find(|(seq, _)| *seq == request.seq && *seq != 0).cloned();
            let results = match seen.or_else(|| earlier().map(|(_, results)| results)) {
                Some(results) => results,
                None => Ok(self.apply(&request)?),
            };
            answered.push((request.seq, results));
        }
        if self.timers_changed {
            self.next_timer = self.store.next_timer()?;
            self.timers_changed = false;
        }
        Ok(())
    }

    fn apply(&mut self, request: &Request<'_>) -> Result<Vec<u8>> {
        if let Some(capacity) = request.capacity {
            self.slots.set_capacity(capacity);
        }
        if self.stale {
            self.reload(request.now_ms)?;
        }
        self.fire_timers(request.now_ms)?;
        let mut results = ResultList::new();
        for text in &request.commands {
            self.command(text, request.now_ms, &mut results)?;
        }
        self.admit(request.now_ms)?;
        Ok(results.finish())
    }

    /// One command. What the caller did wrong becomes its result; what the store or the engine did wrong fails the
    /// whole transaction.
    fn command(&mut self, text: &RawValue, now_ms: i64, results: &mut ResultList) -> Result<()> {
        let outcome = match serde_json::from_str::<Command<'_>>(text.get()) {
            Ok(command) => self.dispatch(command, now_ms, results),
            Err(error) => Err(Error::new(Code::RequestInvalid, format!("unknown or malformed command: {error}"))),
        };
        match outcome {
            Err(error) if matches!(error.code.class(), Class::Unavailable | Class::Corrupt | Class::Bug) => Err(error),
            Err(error) => {
                results.push_error(&error);
                Ok(())
            }
            Ok(()) => Ok(()),
        }
    }

    fn dispatch(&mut self, command: Command<'_>, now_ms: i64, results: &mut ResultList) -> Result<()> {
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

    fn define(&mut self, definition: &RawValue, now_ms: i64) -> Result<CommandResult<'static>> {
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

    fn start(&mut self, start: &Start<'_>, now_ms: i64) -> Result<CommandResult<'static>> {
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

    fn claim(&mut self, workflow: &str, idempotency: &Idempotency<'_>, run: RunId) -> Result<Option<RunId>> {
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

    fn resolve(&mut self, resolve: &Resolve<'_>, now_ms: i64) -> Result<CommandResult<'static>> {
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

    fn cancel(&mut self, cancel: &Cancel<'_>, now_ms: i64) -> Result<CommandResult<'static>> {
        if let Some(reason) = &cancel.reason {
            check_text("reason", reason, limits::REASON_BYTES)?;
        }
        let active = self.activate(cancel.run)?.ok_or_else(|| run_not_found(cancel.run))?;
        self.transition(active, Event::Cancelled { reason: cancel.reason.as_deref() }, now_ms, false)?;
        Ok(CommandResult::Done)
    }

    /// Gives again what the host should be executing and is not, and aborts what it should not be.
    fn heartbeat(&mut self, heartbeat: &Heartbeat) -> CommandResult<'static> {
        let host: BTreeSet<(RunId, u32)> = heartbeat.executing.iter().copied().collect();
        let mine = self.executing();
        for &(run, sequence) in mine.difference(&host) {
            let active = &self.active[&run];
            debug_assert_eq!(active.run.sequence, sequence);
            self.effects.push(machine::execute_effect(&active.run, &active.graph));
        }
        for &(run, sequence) in host.difference(&mine) {
            self.effects.push(Effect::Abort { run, sequence, reason: crate::protocol::AbortReason::Ended });
        }
        CommandResult::Done
    }

    /// An attempt that a later request of the transaction has ended is not handed out: its body must not run again.
    fn drop_outdated_effects(&mut self) {
        let active = &self.active;
        self.effects.retain(|effect| match effect {
            Effect::Execute(execute) => active
                .get(&execute.run)
                .is_some_and(|active| active.run.stage == Stage::Executing && active.run.sequence == execute.sequence),
            _ => true,
        });
    }

    fn executing(&self) -> BTreeSet<(RunId, u32)> {
        let executing = self.active.values().filter(|active| active.run.stage == Stage::Executing);
        executing.map(|active| (active.run.id, active.run.sequence)).collect()
    }

    fn release(&mut self, now_ms: i64) -> Result<CommandResult<'static>> {
        self.slots.set_capacity(0);
        for (run, _) in self.executing() {
            if let Some(active) = self.active.remove(&run) {
                self.transition(active, Event::Released, now_ms, false)?;
            }
        }
        Ok(CommandResult::Done)
    }

    fn query(&mut self, query: Query<'_>) -> Result<String> {
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

    /// Fires what is due. Timers are never early: due means at or before the host's clock (P6).
    fn fire_timers(&mut self, now_ms: i64) -> Result<()> {
        while let Some(&(due_at_ms, run, sequence)) = self.attempt_deadlines.first()
            && due_at_ms <= now_ms
        {
            self.attempt_deadlines.pop_first();
            if let Some(active) = self.active.remove(&run) {
                debug_assert_eq!(active.run.sequence, sequence);
                self.transition(active, Event::AttemptTimedOut, now_ms, false)?;
            }
        }
        let now_or_early = if planted!(EarlyTimer) { now_ms + 400 } else { now_ms };
        if !self.timers_changed && self.next_timer.is_none_or(|due_at_ms| due_at_ms > now_or_early) {
            return Ok(());
        }
        for timer in self.store.due_timers(now_or_early, limits::TIMERS_PER_COMMIT as u32)? {
            // An earlier timer of this batch may have ended the run and cleared this one.
            let Some(active) = self.activate(timer.run)? else { continue };
            match (timer.kind, active.run.stage) {
                (TimerKind::Wake, Stage::Waiting) => {
                    let slot_free = self.slots.is_free_for(&active.run) && self.is_defined(&active);
                    self.transition(active, Event::Woken, now_ms, slot_free)?;
                }
                (TimerKind::Deadline, _) if !active.run.status.is_final() => {
                    let slot_free = self.slots.is_free_for(&active.run) && self.is_defined(&active);
                    self.transition(active, Event::DeadlinePassed, now_ms, slot_free)?;
                }
                // Left by an earlier definition of the workflow. It would be due for ever.
                (kind, _) => {
                    self.store.write(&Write::ClearTimer(timer.run, kind))?;
                    self.settle(active.run.stage, active.run.attempt_deadline_ms, active);
                }
            }
        }
        self.timers_changed = true;
        Ok(())
    }

    fn admit(&mut self, now_ms: i64) -> Result<()> {
        while let Some(run) = self.slots.next() {
            match self.active.remove(&run) {
                Some(active) if active.run.stage == Stage::Queued => {
                    self.transition(active, Event::Admitted, now_ms, true)?;
                }
                moved_on => {
                    self.slots.skipped(run);
                    self.active.extend(moved_on.map(|active| (run, active)));
                }
            }
        }
        Ok(())
    }

    /// Applies one event to a run taken out of memory, and puts it where it belongs afterwards.
    fn transition(
        &mut self,
        mut active: Active,
        event: Event<'_>,
        now_ms: i64,
        slot_free: bool,
    ) -> Result<Option<i64>> {
        let before = (active.run.stage, active.run.attempt_deadline_ms, active.run.sequence);
        let graph = active.graph.clone();
        let mut out = Transition::default();
        let applied = machine::apply(&mut active.run, event, Context { graph: &graph, now_ms, slot_free }, &mut out);
        if applied.is_ok() {
            self.carry_out(&mut out)?;
            if let Some(deadline) = before.1 {
                self.attempt_deadlines.remove(&(deadline, active.run.id, before.2));
            }
            self.settle(before.0, None, active);
        } else {
            self.settle(before.0, before.1, active);
        }
        applied.map(|()| out.retry_at_ms)
    }

    /// Stores the writes and keeps the effects for after the commit.
    fn carry_out(&mut self, out: &mut Transition<'_>) -> Result<()> {
        for write in &out.writes {
            self.timers_changed |= matches!(write, Write::SetTimer(..) | Write::ClearTimer(..));
            self.store.write(write)?;
        }
        self.effects.append(&mut out.effects);
        Ok(())
    }

    /// Puts a run where its stage says: in memory, in the queue, or nowhere.
    fn settle(&mut self, before: Stage, known_deadline: Option<i64>, active: Active) {
        let run = &active.run;
        self.slots.moved(run);
        match run.stage {
            Stage::Executing => {
                if let Some(deadline) = run.attempt_deadline_ms
                    && known_deadline != run.attempt_deadline_ms
                {
                    self.attempt_deadlines.insert((deadline, run.id, run.sequence));
                }
            }
            // Without handlers in this process it stays on disk until its workflow is defined.
            Stage::Queued if !self.is_defined(&active) => return,
            Stage::Queued if before != Stage::Queued => self.slots.queue(run),
            Stage::Queued => {}
            Stage::Waiting | Stage::Ended => return,
        }
        self.active.insert(run.id, active);
    }

    fn is_defined(&self, active: &Active) -> bool {
        self.catalog.current(active.graph.workflow_id()).is_some()
    }

    /// Takes a run out of memory, or reads it. A run that was executing and is not in memory belongs to a workflow
    /// that is not defined yet: it holds no slot, and its interruption is counted when it is.
    fn activate(&mut self, id: RunId) -> Result<Option<Active>> {
        if let Some(active) = self.active.remove(&id) {
            return Ok(Some(active));
        }
        let mut loaded = self.load(id)?;
        if let Some(active) = &mut loaded
            && active.run.stage == Stage::Executing
        {
            active.run.stage = Stage::Queued;
        }
        Ok(loaded)
    }

    /// Reads a run. An open run follows the definition this process has, if it begins with the steps the run has
    /// passed; if not, the run is parked as stuck.
    fn load(&mut self, id: RunId) -> Result<Option<Active>> {
        let Some(summary) = self.store.summary(id)? else { return Ok(None) };
        let current = self.catalog.current(&summary.workflow_id).filter(|_| summary.open).cloned();
        let graph = match current {
            Some(graph) => graph,
            None => self.catalog.stored(summary.definition, &mut *self.store)?,
        };
        match machine::restore(&summary, &graph) {
            Ok(run) => {
                if graph.id != summary.definition {
                    self.store.write(&Write::SetDefinition(id, graph.id))?;
                }
                Ok(Some(Active { run, graph }))
            }
            Err(changed) => {
                let stored = self.catalog.stored(summary.definition, &mut *self.store)?;
                if graph.id == stored.id {
                    return Err(Error::corrupt(format!("run {id} does not fit its definition: {}", changed.message)));
                }
                let mut out = Transition::default();
                machine::park(id, &changed, &mut out);
                self.carry_out(&mut out)?;
                Ok(None)
            }
        }
    }

    /// Reads every ready run again after a failed commit. What was executing still is: the host did not die. If the
    /// host never heard of it, its next heartbeat shows.
    fn reload(&mut self, now_ms: i64) -> Result<()> {
        self.active.clear();
        self.slots.clear();
        self.attempt_deadlines.clear();
        self.timers_changed = true;
        for workflow_id in self.catalog.workflow_ids() {
            for id in self.store.ready_runs(&workflow_id)? {
                let Some(mut active) = self.load(id)? else { continue };
                if active.run.stage == Stage::Executing {
                    machine::begin_attempt(&mut active.run, Context { graph: &active.graph, now_ms, slot_free: false });
                }
                self.settle(Stage::Ended, None, active);
            }
        }
        self.stale = false;
        Ok(())
    }

    fn wake_at_ms(&self) -> Option<i64> {
        let deadline = self.attempt_deadlines.first().map(|(due_at_ms, ..)| *due_at_ms);
        deadline.into_iter().chain(self.next_timer).min()
    }
}

fn parse_request(text: &[u8]) -> Result<Request<'_>> {
    let invalid = |message: String| Error::new(Code::RequestInvalid, message);
    if text.len() as u64 > limits::REQUEST_BYTES {
        let message = format!("a request has at most {} bytes, this one {}", limits::REQUEST_BYTES, text.len());
        return Err(Error::new(Code::RequestTooLarge, message));
    }
    let text = std::str::from_utf8(text).map_err(|error| invalid(format!("a request is UTF-8: {error}")))?;
    let request: Request<'_> =
        serde_json::from_str(text).map_err(|error| invalid(format!("not a request: {error}")))?;
    if request.commands.len() as u64 > limits::COMMANDS_PER_REQUEST {
        return Err(invalid(format!("a request has at most {} commands", limits::COMMANDS_PER_REQUEST)));
    }
    Ok(request)
}

/// The number of a request that may be damaged otherwise: so that its sender hears of it.
fn seq_of(text: &[u8]) -> u64 {
    #[derive(serde::Deserialize)]
    struct Numbered {
        #[serde(default)]
        seq: u64,
    }
    std::str::from_utf8(text).ok().and_then(|text| serde_json::from_str::<Numbered>(text).ok()).map_or(0, |n| n.seq)
}

fn check_text(what: &str, text: &str, bytes: u64) -> Result<()> {
    if text.is_empty() || text.len() as u64 > bytes {
        return Err(Error::new(Code::TextInvalid, format!("the {what} has from 1 to {bytes} bytes")));
    }
    Ok(())
}

fn run_not_found(run: RunId) -> Error {
    Error::new(Code::RunNotFound, format!("no run {run} is stored"))
}
