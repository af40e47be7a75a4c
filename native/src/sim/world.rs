//! One simulated world: the network between a host and an engine, and the processes that live and die.

mod heal;
mod users;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};

use super::auditor::{Auditor, Violation};
use super::disk::{Disk, lock};
use super::faults::{Fate, Rates};
use super::flows;
use super::handlers::{Plan, plan};
use super::host::{Execution, Host, Message, Polling};
use super::messages::{Answer, Effect, Execute};
use super::random::Random;
use super::report::{Counts, Trace};
use super::schedules::{Calendar, revised};
use super::store::{FaultyStore, ProcessDied};
use super::wish::{PollEnding, Requested, Wish};
use super::workload::{Intent, Polled};
use crate::definition::{Definition, NodeSpec};
use crate::engine::Engine;
use crate::limits;
use crate::machine::Secret;
use crate::model::{Handler, StepStatus};

const ONE_HOUR_MS: i64 = 3_600_000;

/// Items that polls give in one world, each of them perhaps several times.
const ITEMS_MOST: u64 = 12;

type Verdict = Result<(), Violation>;

/// What the tokens of all worlds are made of.
pub fn secret() -> Secret {
    Secret::new([7; 32])
}

/// A world of one seed.
pub struct World {
    random: Random,
    /// What the host's clock shows; it may jump.
    now_ms: i64,
    /// What a stopwatch shows; it never jumps.
    elapsed_ms: u64,
    rates: Rates,
    only_poison_kills: bool,
    calendar: Calendar,
    workflows: Vec<Definition>,
    disk: Arc<Mutex<Disk>>,
    engine: Option<Engine>,
    host: Host,
    /// Wishes of users so far, of any kind.
    wishes: u64,
    starts: u64,
    /// Items that polls have given so far.
    items: u64,
    /// The faults are over.
    is_healed: bool,
    /// What has happened since.
    healed_actions: u64,
    /// Requests for approval that were seen.
    requested: Vec<Requested>,
    /// What was counted.
    pub counts: Counts,
    /// What happened.
    pub trace: Trace,
    auditor: Auditor,
}

impl World {
    /// The world of this seed, before anything has happened in it.
    pub fn new(seed: u64, on_file: bool, events: usize) -> World {
        let mut random = Random::new(seed);
        let only_poison_kills = random.chance(120);
        let mut rates = Rates::random(&mut random);
        if only_poison_kills {
            rates.death = 0;
        }
        let calendar = Calendar::random(&mut random);
        let workflows = flows::workflows(&mut random, &calendar);
        World {
            now_ms: calendar.begins_at_ms,
            elapsed_ms: 0,
            rates,
            only_poison_kills,
            calendar,
            auditor: Auditor::new(&workflows),
            workflows,
            disk: Disk::new(on_file),
            engine: None,
            host: Host::default(),
            wishes: 0,
            starts: 0,
            items: 0,
            is_healed: false,
            healed_actions: 0,
            requested: Vec::new(),
            counts: Counts::default(),
            trace: Trace::new(events),
            random,
        }
    }

    /// Safety, then liveness.
    pub fn live(&mut self) -> Verdict {
        for workflow in &self.workflows {
            self.trace.note(|| serde_json::to_string(workflow).unwrap_or_default());
            self.trace.note(|| format!("with {:?}", workflow.schedules));
        }
        self.boot()?;
        for _ in 0..self.random.between(100, 1_200) {
            self.counts.actions += 1;
            self.happen()?;
        }
        self.recover()?;
        self.auditor.conclude(&mut lock(&self.disk), self.only_poison_kills)?;
        let [completed, failed, cancelled] = self.auditor.ends();
        self.counts.completed += completed;
        self.counts.failed += failed;
        self.counts.cancelled += cancelled;
        let is_done = |step: &crate::model::StepRow| step.status == StepStatus::Completed;
        self.auditor.count_beginnings(&mut self.counts);
        self.counts.rows += self.auditor.rows(|_| true);
        self.counts.children += self.auditor.rows(|step| step.handler == Handler::Start);
        self.counts.retried += self.auditor.rows(|step| step.handler == Handler::Retry);
        self.counts.approved +=
            self.auditor.rows(|step| is_done(step) && step.output.as_deref().is_some_and(|o| o.contains("\"answer\"")));
        self.counts.taken += self
            .auditor
            .rows(|step| is_done(step) && step.output.as_deref().is_some_and(|o| o.starts_with("{\"publication\"")));
        Ok(())
    }

    /// What happened to which kind of node.
    pub fn lived_through(&self) -> std::collections::BTreeSet<String> {
        self.auditor.lived_through()
    }

    /// A new process: an engine over what is stored, and a host that knows its workflows and nothing else.
    fn boot(&mut self) -> Verdict {
        lock(&self.disk).prepare(Fate::default());
        let store = Box::new(FaultyStore(self.disk.clone()));
        let engine = Engine::open(store, 1, secret(), serde_json::json!({}));
        self.engine = Some(engine.map_err(|error| Violation { rule: "an engine opens", detail: error.to_string() })?);
        let answer_bytes = self.random.chance(300).then(|| self.random.below(1_500));
        if let (Some(bytes), Some(engine)) = (answer_bytes, &mut self.engine) {
            engine.bound_answers(bytes);
        }
        let capacity = self.random.between(1, 5) as u32;
        self.host = Host { capacity, undefined: (0..self.workflows.len()).collect(), ..Host::default() };
        self.auditor.new_generation(capacity, answer_bytes.unwrap_or(limits::ANSWER_BYTES));
        for workflow in 0..self.workflows.len() {
            self.host.send(Wish::Define { workflow }, self.now_ms);
        }
        self.trace.note(|| format!("a host with {capacity} slots, answers of {answer_bytes:?} bytes"));
        Ok(())
    }

    fn die(&mut self) -> Verdict {
        self.counts.deaths += 1;
        self.engine = None;
        let ghost_returns = self.random.chance(500);
        let mut disk = lock(&self.disk);
        disk.process_died(ghost_returns);
        self.auditor.process_died(&mut disk)?;
        drop(disk);
        self.trace.note(|| "the process dies".to_owned());
        self.release();
        self.boot()
    }

    /// Between two generations, a workflow may get other schedules.
    fn release(&mut self) {
        if self.is_healed || !self.random.chance(150) {
            return;
        }
        let number = self.random.below(self.workflows.len() as u64) as usize;
        let schedules = revised(&self.workflows[number].schedules, &self.calendar, &mut self.random);
        self.trace.note(|| format!("{} has other schedules: {schedules:?}", self.workflows[number].id));
        self.workflows[number].schedules = schedules;
    }

    /// One of the handlers whose time has come ends, and says so; or takes the process with it.
    fn end_handler(&mut self) -> Verdict {
        let over = |execution: &&Execution| {
            !execution.reported
                && !execution.asks
                && execution.plan != Plan::Hangs
                && execution.ends_at_ms <= self.elapsed_ms
        };
        let over: Vec<Execution> = self.host.executing.values().filter(over).cloned().collect();
        if over.is_empty() || !self.host.has_room() {
            return Ok(());
        }
        let execution = self.random.pick(&over);
        if execution.plan == Plan::Kills {
            self.counts.poisoned += 1;
            self.trace.note(|| format!("poison: {:?}", execution.execute));
            return self.die();
        }
        let seq = self.host.report(execution, self.now_ms);
        self.sent(seq);
        Ok(())
    }

    /// A poll that was asked long enough ago gives items, new ones and others, or fails.
    fn end_poll(&mut self) {
        let over = |polling: &&Polling| !polling.reported && polling.ends_at_ms <= self.elapsed_ms;
        let over: Vec<Polling> = self.host.polling.values().filter(over).cloned().collect();
        if over.is_empty() || !self.host.has_room() {
            return;
        }
        let poll = self.random.pick(&over).poll.clone();
        let has_failed = self.random.chance(250);
        let items = (!has_failed).then(|| (0..self.random.below(5)).filter_map(|_| self.item()).collect());
        if let Some(polling) = self.host.polling.get_mut(&poll.schedule) {
            polling.reported = true;
        }
        let ending = PollEnding { schedule: poll.schedule, workflow: poll.workflow, name: poll.name, items };
        self.wish(Wish::Polled(Box::new(ending)));
    }

    fn item(&mut self) -> Option<Polled> {
        if self.items < ITEMS_MOST && self.random.chance(600) {
            self.items += 1;
        }
        let number = self.items.checked_sub(1 + self.random.below(self.items))?;
        // What is said of an item is always the same.
        let rate_key = number.is_multiple_of(3).then(|| "tenant-1".to_owned());
        Some(Polled { item: format!("item-{number}"), rate_key })
    }

    /// The auditor hears of a request.
    fn sent(&mut self, seq: u64) {
        if let Some(wish) = self.host.unanswered.get(&seq) {
            self.auditor.asked(wish);
            self.trace.note(|| format!("request {seq}: {wish:?}"));
        }
    }

    fn wish(&mut self, wish: Wish) {
        if self.host.has_room() {
            let seq = self.host.send(wish, self.now_ms);
            self.sent(seq);
        }
    }

    fn deliver_requests(&mut self) -> Verdict {
        let mut batch = Vec::new();
        for _ in 0..self.random.between(1, 4) {
            let Some(message) = self.host.outgoing.pop_front() else { break };
            if self.random.chance(self.rates.loss) {
                self.counts.lost += 1;
                self.trace.note(|| format!("request {} is lost", message.seq));
                continue;
            }
            if self.random.chance(self.rates.repeat) {
                self.counts.repeated += 1;
                self.host.outgoing.push_back(message.clone());
            }
            batch.push(message);
        }
        if batch.is_empty() {
            return Ok(());
        }
        self.trace.note(|| {
            let sent: Vec<(u64, i64)> = batch.iter().map(|message| (message.seq, message.now_ms)).collect();
            format!("requests {sent:?}")
        });
        self.process(&batch)
    }

    fn process(&mut self, batch: &[Message]) -> Verdict {
        let fate = self.rates.fate(&mut self.random).for_batch(batch);
        lock(&self.disk).prepare(fate);
        let number = lock(&self.disk).number;
        self.auditor.begin(number, batch, &self.workflows);
        let Some(engine) = &mut self.engine else { return Ok(()) };
        let text = |message: &Message| message.wish.request(message.seq, message.now_ms, &self.workflows);
        let texts: Vec<Vec<u8>> = batch.iter().map(text).collect();
        let texts: Vec<&[u8]> = texts.iter().map(Vec::as_slice).collect();
        let outcome = catch_unwind(AssertUnwindSafe(|| engine.process(&texts)));
        let mut disk = lock(&self.disk);
        let (failed, ambiguous) = disk.failures();
        self.counts.transactions += 1;
        self.counts.failed_transactions += u64::from(failed > 0);
        if ambiguous {
            self.auditor.outcome_unknown(self.host.unanswered.values());
        }
        let answers = match outcome {
            Ok(answers) => answers,
            Err(panic) if panic.is::<ProcessDied>() => {
                drop(disk);
                self.trace.note(|| format!("in a transaction, {fate:?}:"));
                return self.die();
            }
            Err(_) => return Err(Violation { rule: "the engine never panics", detail: "see above".to_owned() }),
        };
        if failed > 0 {
            self.trace.note(|| format!("the disk failed, {fate:?}"));
        }
        for text in &answers {
            self.trace.note(|| format!("answer {}", String::from_utf8_lossy(text)));
        }
        for run in disk.take_touched() {
            self.auditor.observe(run, &mut disk)?;
        }
        self.auditor.settle(&mut disk)?;
        self.auditor.processed(failed == 0);
        drop(disk);
        self.answered(&answers)
    }

    /// What one commit is answered with.
    fn answered(&mut self, texts: &[Vec<u8>]) -> Verdict {
        let rule = "an answer is of the protocol's shape";
        let mut answers: Vec<Answer> = Vec::with_capacity(texts.len());
        for text in texts {
            self.auditor.check_bound(text)?;
            let answer = serde_json::from_slice(text);
            answers.push(answer.map_err(|error| Violation { rule, detail: error.to_string() })?);
        }
        self.auditor.answer(&answers, &self.host.unanswered)?;
        self.host.incoming.extend(answers);
        Ok(())
    }

    fn deliver_answer(&mut self) -> Verdict {
        let Some(answer) = self.host.incoming.pop_front() else { return Ok(()) };
        if self.random.chance(self.rates.loss) {
            self.counts.lost += 1;
            self.trace.note(|| "an answer is lost".to_owned());
            return Ok(());
        }
        // The host tells echoes by the requests that they answer: the rest of a long answer comes once.
        if !answer.requests.is_empty() && self.random.chance(self.rates.repeat) {
            self.counts.repeated += 1;
            self.host.incoming.push_back(answer.clone());
        }
        let finished = answer.effects.iter().filter(|effect| matches!(effect, Effect::Finished { .. }));
        self.counts.finished += finished.count() as u64;
        for execute in self.host.receive(&answer, self.now_ms) {
            self.begin(execute);
        }
        self.begin_polls();
        Ok(())
    }

    /// Polls are asked; some of them never answer.
    fn begin_polls(&mut self) {
        for poll in std::mem::take(&mut self.host.polls) {
            if self.random.chance(150) {
                continue;
            }
            let takes_ms = if self.random.chance(800) { self.random.below(500) } else { self.random.below(20_000) };
            let polling = Polling { ends_at_ms: self.elapsed_ms + takes_ms, reported: false, poll };
            self.host.polling.insert(polling.poll.schedule, polling);
        }
    }

    fn begin(&mut self, execute: Execute) {
        self.counts.executions += 1;
        let run = self.auditor.run(execute.run);
        let workflow = run.and_then(|(row, ..)| self.workflows.iter().find(|workflow| workflow.id == row.workflow_id));
        let node: Option<&NodeSpec> =
            workflow.zip(execute.step.as_deref()).and_then(|(workflow, step)| workflow.find(step));
        let intent = run.map_or_else(Intent::default, |(.., intent)| intent.clone());
        let (plan, takes_ms) = plan(&mut self.random, &execute, node, &intent, self.calendar.begins_at_ms);
        self.trace.note(|| format!("{execute:?} begins and {plan:?} after {takes_ms} ms"));
        let cached = node.filter(|node| node.cache && execute.handler == Handler::Body && self.host.has_room());
        let cache = cached.map(|node| {
            let ttl_ms = self.random.chance(400).then(|| self.random.between(100, 60_000));
            (format!("cached-{}", node.name), ttl_ms)
        });
        let ends_at_ms = self.elapsed_ms + takes_ms;
        let execution = Execution { execute, plan, ends_at_ms, reported: false, cache, asks: false };
        self.host.begin(execution, self.now_ms);
    }
}
