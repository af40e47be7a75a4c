//! The safety phase: what users want, and what goes wrong meanwhile, in any order.

use super::{ONE_HOUR_MS, Verdict, World};
use crate::ids::RunId;
use crate::model::RunStatus;
use crate::sim::faults::Rates;
use crate::sim::flows::EVENTS;
use crate::sim::oracle::Awaited;
use crate::sim::wish::{Requested, Wish};
use crate::sim::workload::{Intent, Told, workflow_id};

/// Runs that are started in one world, apart from children and replays.
const STARTS_MOST: u64 = 14;

/// Runs stored in one world beyond which none is replayed.
const RUNS_MOST: usize = 30;

const ONE_YEAR_MS: i64 = 365 * 24 * ONE_HOUR_MS;

impl World {
    /// One thing of the safety phase.
    pub(super) fn happen(&mut self) -> Verdict {
        let Rates { death, clock_jump, .. } = self.rates;
        let polls = 2 * self.host.polling.len().min(30) as u64;
        let network = [120, 200, 280, 240, 60, 20, 50, 10, clock_jump / 4, death / 2, death / 4, 10 * polls];
        // Users come when all workflows are defined.
        let users = if self.host.undefined.is_empty() { [70, 12, 50, 45, 14, 10, 12, 4, 20] } else { [0; 9] };
        let weights = [&network[..], &users[..]].concat();
        match self.random.weighted(&weights) {
            0 => self.pass_time(),
            1 => return self.end_handler(),
            2 => return self.deliver_requests(),
            3 => return self.deliver_answer(),
            4 => self.resend(),
            5 if self.host.has_room() => self.host.heartbeat(self.now_ms),
            5 => {}
            6 => self.wish(Wish::Tick),
            7 => self.report_late(),
            8 => self.jump_clock(),
            9 => return self.die(),
            10 => return self.restart(),
            11 => self.end_poll(),
            12 => self.start(),
            13 => self.cancel(),
            14 => self.publish(),
            15 => self.approve(),
            16 => self.retry(),
            17 => self.replay(),
            18 => self.pause(),
            20 => self.inspect(),
            _ => self.wish(Wish::Share),
        }
        Ok(())
    }

    /// The next number of a wish.
    pub(super) fn number(&mut self) -> u64 {
        self.wishes += 1;
        self.wishes
    }

    fn workflow(&mut self) -> usize {
        self.random.below(self.workflows.len() as u64) as usize
    }

    fn start(&mut self) {
        if self.starts >= STARTS_MOST {
            return;
        }
        self.starts += 1;
        let token = self.number();
        let workflow = self.workflow();
        let random = &mut self.random;
        let keyed = random.chance(300);
        let delivered = !keyed && random.chance(300);
        let poisoned =
            if self.only_poison_kills { self.starts == 2 } else { random.chance(60) } && !keyed && !delivered;
        let mut names = Vec::new();
        for node in &self.workflows[workflow].nodes {
            all_names(node, &mut names);
        }
        let intent = Intent {
            token,
            key: keyed.then(|| format!("key-{}", random.below(3))),
            delivery: delivered.then(|| format!("message-{}", random.below(3))),
            ttl_ms: (delivered && random.chance(400)).then(|| random.between(1_000, 100_000)),
            fingerprint: (keyed || delivered).then(|| format!("body-{}", random.below(8) / 7)),
            publication: None,
            poison: poisoned.then(|| random.pick(&names).clone()),
            delay_ms: if random.chance(150) { random.between(1, 20_000) } else { 0 },
            concurrency_key: random.chance(400).then(|| format!("tenant-{}", random.below(2))),
            rate_key: random.chance(300).then(|| format!("tenant-{}", random.below(2))),
            priority: random.chance(200).then(|| random.between(0, 20) as i32 - 10),
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
        let far_ms = if self.calendar.jumps_years { ONE_YEAR_MS } else { ONE_HOUR_MS };
        let jump_ms = match self.random.below(10) {
            0..7 => self.random.below(2 * ONE_HOUR_MS as u64) as i64 - ONE_HOUR_MS,
            7 => self.random.below(4_000) as i64 - 2_000,
            8 => far_ms,
            _ => -far_ms,
        };
        self.now_ms += jump_ms;
        self.trace.note(|| format!("the clock jumps by {jump_ms} ms"));
    }

    /// A handler that was aborted, and did not notice, reports its end.
    fn report_late(&mut self) {
        if self.host.has_room()
            && let Some(execution) = self.host.aborted.pop()
        {
            let seq = self.host.report(&execution, self.now_ms);
            self.sent(seq);
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

    fn any_run(&mut self) -> Option<RunId> {
        let runs = self.auditor.run_ids();
        (!runs.is_empty()).then(|| *self.random.pick(&runs))
    }

    fn cancel(&mut self) {
        if let Some(run) = self.any_run() {
            self.wish(Wish::Cancel { run });
        }
    }

    /// Several at once, so that their answers are many bytes.
    fn inspect(&mut self) {
        for _ in 0..self.random.between(1, 4) {
            if let Some(run) = self.any_run() {
                self.wish(Wish::Inspect { run });
            }
        }
    }

    /// A run that has ended is taken up again. Where only poison is to kill, poison is not given a second chance.
    fn retry(&mut self) {
        let Some(run) = self.any_run() else { return };
        let Some((row, steps, intent)) = self.auditor.run(run) else { return };
        let may = matches!(row.status, RunStatus::Failed | RunStatus::Cancelled) || steps.len() % 4 == 0;
        if may && !(self.only_poison_kills && intent.poison.is_some()) {
            self.wish(Wish::Retry { run });
        }
    }

    fn replay(&mut self) {
        let Some(run) = self.any_run() else { return };
        let Some((row, _, intent)) = self.auditor.run(run) else { return };
        if self.auditor.run_ids().len() >= RUNS_MOST || (self.only_poison_kills && intent.poison.is_some()) {
            return;
        }
        let Some(workflow) = self.workflows.iter().find(|workflow| workflow.id == row.workflow_id) else { return };
        let mut names = Vec::new();
        workflow.nodes.iter().for_each(|node| all_names(node, &mut names));
        let from_step = self.random.chance(700).then(|| self.random.pick(&names).clone());
        let mocked = self.random.chance(300).then(|| self.random.pick(&names).clone());
        self.wish(Wish::Replay { run, from_step, mocked });
    }

    fn publish(&mut self) {
        let told = Told { publication: self.number(), suits_all: false };
        let name = *self.random.pick(&EVENTS);
        let starts = if self.random.chance(250) { self.listeners(told.publication) } else { Vec::new() };
        self.wish(Wish::Publish { name, told, starts });
    }

    /// Runs that an event starts.
    fn listeners(&mut self, publication: u64) -> Vec<(usize, Intent)> {
        let many = self.random.between(1, 3).min(STARTS_MOST.saturating_sub(self.starts));
        self.starts += many;
        let listener = |world: &mut World| {
            let (workflow, token) = (world.workflow(), world.number());
            let delay_ms = if world.random.chance(150) { world.random.between(1, 20_000) } else { 0 };
            (workflow, Intent { token, publication: Some(publication), delay_ms, ..Intent::default() })
        };
        (0..many).map(|_| listener(self)).collect()
    }

    /// The right token, for the first time or again; or a wrong one.
    fn approve(&mut self) {
        let open = self.open_requests();
        for place in open {
            if !self.requested.contains(&place) {
                self.requested.push(place);
            }
        }
        if self.requested.is_empty() {
            return;
        }
        let mut place = self.random.pick(&self.requested).clone();
        if self.random.chance(100) {
            place = Requested { scope: "nowhere".to_owned(), token: "f".repeat(64), ..place };
        }
        let number = self.number();
        let approved = self.random.chance(600);
        self.wish(Wish::Approve { place, approved, number });
    }

    /// Requests for approval that are open.
    pub(super) fn open_requests(&self) -> Vec<Requested> {
        let awaited = self.auditor.awaited().into_iter();
        let approvals = awaited.filter(|(.., what)| matches!(what, Awaited::Approval(_)));
        let request = |(run, name, scope, _): (RunId, String, String, Awaited)| {
            let token = super::secret().token(run, &name, &scope);
            Requested { run, name, scope, token }
        };
        approvals.map(request).collect()
    }

    fn pause(&mut self) {
        let workflow = self.workflow();
        let paused = self.random.chance(400);
        self.wish(Wish::Pause { workflow, paused });
    }

    /// The host stops in an orderly way, as far as the faults let it.
    fn restart(&mut self) -> Verdict {
        self.wish(Wish::Release);
        while !self.host.outgoing.is_empty() {
            self.deliver_requests()?;
        }
        self.die()
    }

    /// The numbers of all workflows that are paused, by their ids.
    pub(super) fn numbers_of(&self, ids: &[String]) -> Vec<usize> {
        (0..self.workflows.len()).filter(|number| ids.contains(&workflow_id(*number))).collect()
    }
}

fn all_names(node: &crate::definition::NodeSpec, names: &mut Vec<String>) {
    names.push(node.name.to_string());
    let blocks = node.branches.iter().flatten().chain(&node.otherwise).chain(&node.body);
    blocks.flatten().for_each(|node| all_names(node, names));
}
