//! One simulated world: what can happen in it, and in which order it does.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};

use super::auditor::{Auditor, Violation};
use super::faults::{Disk, Fate, FaultyStore, ProcessDied, Rates, lock};
use super::host::{Execution, Host, Message, Plan, Wish, plan};
use super::messages::{Answer, Effect, Execute};
use super::random::Random;
use super::report::{Counts, Trace};
use super::workload::{self, Intent};
use crate::engine::Engine;
use crate::graph::Definition;
use crate::model::Handler;

/// What can happen in the healed world before it must have come to rest.
const LIVENESS_ACTIONS: u64 = 20_000;

/// Runs that are started in one world.
const STARTS_MOST: u64 = 14;

const ONE_HOUR_MS: i64 = 3_600_000;

type Verdict = Result<(), Violation>;

/// A world of one seed.
pub struct World {
    random: Random,
    /// What the host's clock shows; it may jump.
    now_ms: i64,
    /// What a stopwatch shows; it never jumps.
    elapsed_ms: u64,
    rates: Rates,
    only_poison_kills: bool,
    workflows: Vec<Definition>,
    disk: Arc<Mutex<Disk>>,
    engine: Option<Engine>,
    host: Host,
    starts: u64,
    /// What was counted.
    pub counts: Counts,
    /// What happened.
    pub trace: Trace,
    auditor: Auditor,
}

impl World {
    /// The world of this seed, before anything has happened in it.
    pub fn new(seed: u64, on_file: bool) -> World {
        let mut random = Random::new(seed);
        let only_poison_kills = random.chance(120);
        let mut rates = Rates::random(&mut random);
        if only_poison_kills {
            rates.death = 0;
        }
        let workflows = workload::workflows(&mut random);
        World {
            now_ms: 1_700_000_000_000,
            elapsed_ms: 0,
            rates,
            only_poison_kills,
            auditor: Auditor::new(&workflows),
            workflows,
            disk: Disk::new(on_file),
            engine: None,
            host: Host::default(),
            starts: 0,
            counts: Counts::default(),
            trace: Trace::default(),
            random,
        }
    }

    /// Safety, then liveness.
    pub fn live(&mut self) -> Verdict {
        self.boot()?;
        for _ in 0..self.random.between(100, 500) {
            self.counts.actions += 1;
            self.happen()?;
        }
        self.trace.note(|| "the world is healed".to_owned());
        self.rates = Rates::default();
        self.host.suspicious = true;
        let mut rested = false;
        for _ in 0..LIVENESS_ACTIONS {
            self.counts.actions += 1;
            if !self.proceed()? {
                rested = true;
                break;
            }
        }
        if !rested {
            return Err(self.not_ended("is still busy"));
        }
        self.auditor.conclude(lock(&self.disk).store(), self.only_poison_kills)?;
        let [completed, failed, cancelled] = self.auditor.ends();
        self.counts.completed += completed;
        self.counts.failed += failed;
        self.counts.cancelled += cancelled;
        Ok(())
    }

    fn not_ended(&self, what: &str) -> Violation {
        let open: Vec<_> = self.auditor.open_runs().collect();
        Violation { rule: "every run ends", detail: format!("the healed world {what}, with {open:?} open") }
    }

    /// A new process: an engine over what is stored, and a host that knows its workflows and nothing else.
    fn boot(&mut self) -> Verdict {
        lock(&self.disk).prepare(Fate::default());
        let store = Box::new(FaultyStore(self.disk.clone()));
        let engine = Engine::open(store, 1, serde_json::json!({}));
        self.engine = Some(engine.map_err(|error| Violation { rule: "an engine opens", detail: error.to_string() })?);
        self.host = Host::default();
        let capacity = self.random.between(1, 5) as u32;
        self.auditor.new_generation(capacity);
        for workflow in 0..self.workflows.len() {
            self.host.send(Wish::Define { workflow }, self.now_ms);
        }
        self.host.send(Wish::Offer { capacity }, self.now_ms);
        self.trace.note(|| format!("a host with {capacity} slots"));
        Ok(())
    }

    fn die(&mut self) -> Verdict {
        self.counts.deaths += 1;
        self.engine = None;
        let ghost_returns = self.random.chance(500);
        let mut disk = lock(&self.disk);
        disk.process_died(ghost_returns);
        self.auditor.process_died(disk.store())?;
        drop(disk);
        self.trace.note(|| "the process dies".to_owned());
        self.boot()
    }

    /// One thing of the safety phase.
    fn happen(&mut self) -> Verdict {
        let Rates { death, clock_jump, .. } = self.rates;
        let weights = [90, 120, 160, 260, 220, 60, 20, 50, 15, 10, clock_jump / 4, death / 2, death / 4];
        match self.random.weighted(&weights) {
            0 => self.start(),
            1 => self.pass_time(),
            2 => return self.end_handler(),
            3 => return self.deliver_requests(),
            4 => return self.deliver_answer(),
            5 => self.resend(),
            6 if self.host.has_room() => self.host.heartbeat(self.now_ms),
            6 => {}
            7 => self.wish(Wish::Tick),
            8 => self.cancel(),
            9 => self.report_late(),
            10 => self.jump_clock(),
            11 => return self.die(),
            _ => return self.restart(),
        }
        Ok(())
    }

    /// One thing of the liveness phase; false when nothing is left to do.
    fn proceed(&mut self) -> Result<bool, Violation> {
        if !self.host.outgoing.is_empty() {
            self.deliver_requests()?;
        } else if !self.host.incoming.is_empty() {
            self.deliver_answer()?;
        } else if let Some(&seq) = self.host.unanswered.keys().next() {
            self.host.resend(seq, self.now_ms);
        } else if self.host.suspicious {
            self.host.heartbeat(self.now_ms);
        } else if let Some(wait_ms) = self.next_end() {
            self.elapsed_ms += wait_ms;
            self.now_ms += wait_ms as i64;
            self.end_handler()?;
        } else if let Some(wake_at_ms) = self.host.wake_at_ms {
            let wait_ms = (wake_at_ms - self.now_ms).max(0);
            self.elapsed_ms += wait_ms as u64;
            self.now_ms += wait_ms;
            self.wish(Wish::Tick);
        } else if self.auditor.open_runs().next().is_some() {
            return Err(self.not_ended("has come to rest"));
        } else {
            return Ok(false);
        }
        Ok(true)
    }

    /// How long until a handler ends, if that is before the next timer.
    fn next_end(&self) -> Option<u64> {
        let running = self.host.executing.values().filter(|execution| !execution.reported);
        let ends = running.filter(|execution| execution.plan != Plan::Hangs).map(|execution| execution.ends_at_ms);
        let wait_ms = ends.min()?.saturating_sub(self.elapsed_ms);
        let timer_first = self.host.wake_at_ms.is_some_and(|wake_at_ms| wake_at_ms < self.now_ms + wait_ms as i64);
        (!timer_first).then_some(wait_ms)
    }

    fn wish(&mut self, wish: Wish) {
        if self.host.has_room() {
            let seq = self.host.send(wish, self.now_ms);
            let wish = &self.host.unanswered[&seq];
            self.trace.note(|| format!("request {seq}: {wish:?}"));
        }
    }

    fn start(&mut self) {
        if self.starts >= STARTS_MOST {
            return;
        }
        self.starts += 1;
        let workflow = self.random.below(self.workflows.len() as u64) as usize;
        let keyed = self.random.chance(400);
        let poisoned = if self.only_poison_kills { self.starts == 3 } else { self.random.chance(60) };
        let intent = Intent {
            token: self.starts,
            key: keyed.then(|| format!("key-{}", self.random.below(3))),
            fingerprint: keyed.then(|| format!("body-{}", self.random.below(8) / 7)),
            poison: (poisoned && !keyed).then(|| self.random.below(self.workflows[workflow].nodes.len() as u64) as u32),
        };
        self.wish(Wish::Start { workflow, intent });
    }

    fn pass_time(&mut self) {
        let most = *self.random.pick(&[10, 500, 5_000, 60_000]);
        let passed_ms = self.random.below(most);
        self.elapsed_ms += passed_ms;
        self.now_ms += passed_ms as i64;
    }

    fn jump_clock(&mut self) {
        let jump_ms = self.random.below(2 * ONE_HOUR_MS as u64) as i64 - ONE_HOUR_MS;
        self.now_ms += jump_ms;
        self.trace.note(|| format!("the clock jumps by {jump_ms} ms"));
    }

    /// One of the handlers whose time has come ends, and says so; or takes the process with it.
    fn end_handler(&mut self) -> Verdict {
        let over = |execution: &&Execution| {
            !execution.reported && execution.plan != Plan::Hangs && execution.ends_at_ms <= self.elapsed_ms
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
        self.trace.note(|| format!("request {seq}: {:?} {:?}", execution.plan, execution.execute));
        Ok(())
    }

    /// A handler that was aborted, and did not notice, reports its end.
    fn report_late(&mut self) {
        if self.host.has_room()
            && let Some(execution) = self.host.aborted.pop()
        {
            let seq = self.host.report(&execution, self.now_ms);
            self.trace.note(|| format!("request {seq}, late: {:?}", execution.execute));
        }
    }

    fn resend(&mut self) {
        let seqs: Vec<u64> = self.host.unanswered.keys().copied().collect();
        if !seqs.is_empty() {
            let seq = *self.random.pick(&seqs);
            self.host.resend(seq, self.now_ms);
            self.trace.note(|| format!("request {seq} again"));
        }
    }

    fn cancel(&mut self) {
        let runs = self.auditor.run_ids();
        if !runs.is_empty() {
            let run = *self.random.pick(&runs);
            self.wish(Wish::Cancel { run });
        }
    }

    /// The host stops in an orderly way, as far as the faults let it.
    fn restart(&mut self) -> Verdict {
        self.wish(Wish::Release);
        while !self.host.outgoing.is_empty() {
            self.deliver_requests()?;
        }
        self.die()
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
        let text = |message: &Message| message.wish.request(message.seq, message.now_ms, &self.workflows);
        let texts: Vec<Vec<u8>> = batch.iter().map(text).collect();
        match batch.iter().map(|message| message.now_ms).max() {
            Some(now_ms) => self.process(&texts, now_ms),
            None => Ok(()),
        }
    }

    fn process(&mut self, requests: &[Vec<u8>], now_ms: i64) -> Verdict {
        let fate = self.rates.fate(&mut self.random);
        lock(&self.disk).prepare(fate);
        self.auditor.begin();
        let Some(engine) = &mut self.engine else { return Ok(()) };
        let texts: Vec<&[u8]> = requests.iter().map(Vec::as_slice).collect();
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
                self.trace.note(|| format!("in a transaction at {now_ms}, {fate:?}:"));
                return self.die();
            }
            Err(_) => return Err(Violation { rule: "the engine never panics", detail: "see above".to_owned() }),
        };
        for run in disk.take_touched() {
            self.auditor.observe(run, disk.store(), now_ms)?;
        }
        drop(disk);
        answers.iter().try_for_each(|text| self.answered(text))
    }

    fn answered(&mut self, text: &[u8]) -> Verdict {
        self.trace.note(|| format!("answer {}", String::from_utf8_lossy(text)));
        let answer: Answer = serde_json::from_slice(text)
            .map_err(|error| Violation { rule: "an answer is of the protocol's shape", detail: error.to_string() })?;
        self.auditor.answer(&answer, &self.host.unanswered)?;
        self.host.incoming.push_back(answer);
        Ok(())
    }

    fn deliver_answer(&mut self) -> Verdict {
        let Some(answer) = self.host.incoming.pop_front() else { return Ok(()) };
        if self.random.chance(self.rates.loss) {
            self.counts.lost += 1;
            self.trace.note(|| "an answer is lost".to_owned());
            return Ok(());
        }
        if self.random.chance(self.rates.repeat) {
            self.counts.repeated += 1;
            self.host.incoming.push_back(answer.clone());
        }
        let finished = answer.effects.iter().filter(|effect| matches!(effect, Effect::Finished { .. }));
        self.counts.finished += finished.count() as u64;
        for execute in self.host.receive(&answer) {
            self.begin(execute);
        }
        Ok(())
    }

    fn begin(&mut self, execute: Execute) {
        self.counts.executions += 1;
        let row = lock(&self.disk).store().run(execute.run).ok().flatten();
        let workflow = row.and_then(|row| self.workflows.iter().find(|workflow| workflow.id == row.workflow_id));
        let mut nodes = workflow.iter().flat_map(|workflow| workflow.nodes.iter().enumerate());
        // Only bodies are poisonous, and only bodies have a timeout.
        let body =
            nodes.find(|(_, node)| execute.handler == Handler::Body && execute.step.as_deref() == Some(&node.name));
        let poison = self.auditor.intent(execute.run).and_then(|intent| intent.poison);
        let kills = body.is_some_and(|(place, _)| poison == Some(place as u32));
        let timeout_ms = body.and_then(|(_, node)| node.timeout_ms);
        let (plan, takes_ms) = plan(&mut self.random, kills, timeout_ms);
        self.trace.note(|| format!("{execute:?} begins and {plan:?} after {takes_ms} ms"));
        self.host.begin(Execution { execute, plan, ends_at_ms: self.elapsed_ms + takes_ms, reported: false });
    }
}
