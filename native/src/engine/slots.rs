//! Which runs may execute. A run holds a slot from its first handler until it waits or ends; the others queue.
//!
//! Whoever was started first goes first, and one level of priority is worth `PRIORITY_MS` of having been started
//! earlier: so a run of low priority waits longer, and not for ever.
//!
//! Runs of one workflow and concurrency key are a **group**, which may hold no more slots than the workflow says;
//! workflows that name the same **queue** share its slots besides. Only the head of a group that has room competes: with
//! the other groups of its queue, and the first of those with everybody else while the queue has room. So what one run
//! takes or gives back concerns its group and its queue, however many groups share it.
//!
//! A run whose step has seen several process deaths is a suspect, and is executed when it may be tried (`suspects`).

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::Active;
use super::suspects::{Suspects, is_suspect};
use crate::definition::Queue;
use crate::error::{Code, Error, Result};
use crate::graph::Graph;
use crate::ids::RunId;
use crate::limits;
use crate::machine::Stage;

/// A workflow and a concurrency key.
type GroupKey = (Arc<str>, Option<Arc<str>>);

/// Who goes first: the smaller.
type Turn = (i64, RunId);

#[derive(Debug, Default)]
struct Group {
    limit: Option<u32>,
    queue: Option<Arc<str>>,
    held: u32,
    waiting: BTreeSet<Turn>,
    /// Its head, if it competes: in its queue, or with everybody.
    shown: Option<Turn>,
}

/// A queue that several workflows share.
#[derive(Debug, Default)]
struct Shared {
    limit: Option<u32>,
    /// The workflow that said so.
    limit_of: Option<String>,
    held: u32,
    /// The heads of its groups that have room of their own.
    heads: BTreeMap<Turn, GroupKey>,
    /// The first of them, if it competes with everybody.
    shown: Option<Turn>,
}

/// Where a run that holds a slot is counted.
#[derive(Debug)]
struct Held {
    group: GroupKey,
    /// The queue of which the place was taken: another version of the workflow may name another.
    queue: Option<Arc<str>>,
}

#[derive(Debug, Default)]
pub struct Slots {
    capacity: usize,
    /// Runs that hold a slot, with the places of those that are counted.
    holders: HashMap<RunId, Option<Held>>,
    groups: HashMap<GroupKey, Group>,
    shared: HashMap<Arc<str>, Shared>,
    /// The heads of the groups that have room, of each queue the first.
    heads: BTreeMap<Turn, GroupKey>,
    queued: usize,
    paused: BTreeSet<String>,
    suspects: Suspects<(GroupKey, Limits)>,
    /// How often a group was looked at.
    #[cfg(test)]
    looks: u64,
}

/// What a workflow says of its slots.
#[derive(Debug, Clone, Default)]
struct Limits {
    concurrency: Option<u32>,
    queue: Option<Arc<str>>,
}

impl Limits {
    fn of(graph: &Graph) -> Limits {
        let queue = graph.definition.queue.as_ref().map(|queue| queue.name.clone());
        Limits { concurrency: graph.definition.concurrency, queue }
    }

    fn is_none(&self) -> bool {
        self.concurrency.is_none() && self.queue.is_none()
    }
}

fn group_of(active: &Active) -> GroupKey {
    (active.graph.workflow.clone(), active.run.concurrency_key.clone())
}

fn turn_of(active: &Active) -> Turn {
    let head_start_ms = i64::from(active.run.priority) * limits::PRIORITY_MS as i64;
    (active.run.id.millisecond() - head_start_ms, active.run.id)
}

impl Slots {
    pub fn set_capacity(&mut self, capacity: u32, now_ms: i64) {
        self.capacity = (capacity as usize).min(limits::CAPACITY as usize);
        if self.is_open() {
            self.suspects.are_offered_slots(now_ms);
        }
    }

    /// Whether the host offers slots at all.
    pub fn is_open(&self) -> bool {
        self.capacity > 0
    }

    /// Whether nothing of a workflow is executed.
    pub fn is_paused(&self, workflow_id: &str) -> bool {
        self.paused.contains(workflow_id)
    }

    /// A workflow says how many slots a queue has. All that say so must agree; those that only name the queue share it.
    pub fn set_queue(&mut self, queue: &Queue, workflow_id: &str) -> Result<()> {
        let Some(limit) = queue.concurrency else { return Ok(()) };
        let shared = self.shared.entry(queue.name.clone()).or_default();
        match &shared.limit_of {
            Some(other) if other != workflow_id && shared.limit != Some(limit) => {
                let (name, before) = (&queue.name, shared.limit.unwrap_or(0));
                let message = format!(
                    "workflow `{workflow_id}` gives the queue `{name}` a concurrency of {limit}, `{other}` one of {before}"
                );
                Err(Error::new(Code::DefinitionInvalid, message))
            }
            _ => {
                shared.limit = Some(limit);
                shared.limit_of = Some(workflow_id.to_owned());
                Ok(())
            }
        }
    }

    /// Whether a run that becomes ready may execute before anything queued does.
    pub fn is_free(&self, graph: &Graph, concurrency_key: Option<&Arc<str>>) -> bool {
        if self.holders.len() >= self.capacity || !self.heads.is_empty() || !self.suspects.is_empty() {
            return false;
        }
        if self.paused.contains(graph.workflow_id()) {
            return false;
        }
        if Limits::of(graph).is_none() && self.queued == 0 {
            return true;
        }
        let key = (graph.workflow.clone(), concurrency_key.cloned());
        self.groups.get(&key).is_none_or(|group| group.waiting.is_empty()) && self.has_room(&key, &Limits::of(graph))
    }

    /// Whether this run may execute when it is woken. A suspect always queues.
    pub fn is_free_for(&self, active: &Active) -> bool {
        !is_suspect(active.run.interruptions()) && self.is_free(&active.graph, active.run.concurrency_key.as_ref())
    }

    /// Runs executing, and runs queued.
    pub fn counts(&self) -> (usize, usize) {
        (self.holders.len(), self.queued + self.suspects.len())
    }

    /// Keeps the books after a run has moved.
    pub fn moved(&mut self, active: &Active) {
        let run = &active.run;
        let holds = run.stage == Stage::Executing;
        match (holds, self.holders.contains_key(&run.id)) {
            (true, false) => self.take(active),
            (false, true) => self.give_back(run.id),
            // It was admitted and took no slot after all, for its circuit is open: the next of its group competes.
            (false, false) if self.queued > 0 => self.show(&group_of(active)),
            _ => {}
        }
        self.suspects.moved(run.id, run.interruptions(), holds);
        if run.stage == Stage::Ended && self.queued + self.suspects.len() > 0 {
            self.leave(active);
        }
    }

    /// Queues a run that is ready.
    pub fn queue(&mut self, active: &Active) {
        let (key, limits) = (group_of(active), Limits::of(&active.graph));
        let deaths = active.run.interruptions();
        if is_suspect(deaths) {
            return self.suspects.wait(deaths, active.run.id, (key, limits));
        }
        if self.group(&key, &limits).waiting.insert(turn_of(active)) {
            self.queued += 1;
        }
        self.show(&key);
    }

    /// A run that has ended, or waits, no longer queues.
    pub fn leave(&mut self, active: &Active) {
        let (key, turn) = (group_of(active), turn_of(active));
        if let Some(group) = self.groups.get_mut(&key)
            && group.waiting.remove(&turn)
        {
            self.queued -= 1;
            self.show(&key);
        }
        self.suspects.leave(active.run.id);
    }

    /// The next queued run, if a slot is free. The caller skips one that has moved on since it was queued.
    pub fn next(&mut self, now_ms: i64) -> Option<RunId> {
        if self.holders.len() >= self.capacity {
            return None;
        }
        let mut suspects = std::mem::take(&mut self.suspects);
        let suspect = suspects.next(now_ms, |slot| self.may_compete(slot));
        self.suspects = suspects;
        if suspect.is_some() {
            return suspect;
        }
        let (turn, key) = self.heads.first_key_value().map(|(turn, key)| (*turn, key.clone()))?;
        self.show_head(&key, None);
        if let Some(group) = self.groups.get_mut(&key)
            && group.waiting.remove(&turn)
        {
            self.queued -= 1;
        }
        // The next of the group shows when this one has taken its slot.
        Some(turn.1)
    }

    /// When a queued run may execute though nothing else moves.
    pub fn wake_at_ms(&self) -> Option<i64> {
        let has_slot = self.holders.len() < self.capacity;
        self.suspects.due_at_ms(|slot| self.may_compete(slot)).filter(|_| has_slot)
    }

    /// A run that `next` gave was no longer queued.
    pub fn skipped(&mut self, run: RunId) {
        self.suspects.moved(run, 0, false);
        let keys: Vec<GroupKey> = self.groups.keys().cloned().collect();
        keys.iter().for_each(|key| self.show(key));
    }

    /// Nothing of these workflows is executed.
    pub fn set_paused(&mut self, workflows: impl IntoIterator<Item = String>) {
        self.paused = workflows.into_iter().collect();
        let keys: Vec<GroupKey> = self.groups.keys().cloned().collect();
        keys.iter().for_each(|key| self.show(key));
    }

    /// Forgets every run, and keeps the capacity, what is paused and what was said of queues.
    pub fn clear(&mut self, now_ms: i64) {
        let mut suspects = std::mem::take(&mut self.suspects);
        suspects.clear(now_ms);
        let paused = std::mem::take(&mut self.paused);
        let mut shared = std::mem::take(&mut self.shared);
        for queue in shared.values_mut() {
            queue.held = 0;
            queue.heads.clear();
            queue.shown = None;
        }
        *self = Slots { capacity: self.capacity, paused, shared, suspects, ..Slots::default() };
    }

    fn take(&mut self, active: &Active) {
        let limits = Limits::of(&active.graph);
        let key = group_of(active);
        if limits.is_none() {
            self.holders.insert(active.run.id, None);
            if self.queued > 0 {
                self.show(&key);
            }
            return;
        }
        self.group(&key, &limits).held += 1;
        if let Some(name) = &limits.queue {
            self.shared.entry(name.clone()).or_default().held += 1;
        }
        self.holders.insert(active.run.id, Some(Held { group: key.clone(), queue: limits.queue }));
        self.show(&key);
    }

    fn give_back(&mut self, run: RunId) {
        let Some(Some(Held { group: key, queue })) = self.holders.remove(&run) else { return };
        if let Some(group) = self.groups.get_mut(&key) {
            group.held -= 1;
        }
        self.show(&key);
        if let Some(name) = queue {
            if let Some(shared) = self.shared.get_mut(&name) {
                shared.held -= 1;
            }
            self.show_queue(&name);
        }
    }

    fn group(&mut self, key: &GroupKey, limits: &Limits) -> &mut Group {
        if self.groups.get(key).is_some_and(|group| group.queue != limits.queue) {
            self.show_head(key, None);
        }
        let group = self.groups.entry(key.clone()).or_default();
        group.limit = limits.concurrency;
        group.queue.clone_from(&limits.queue);
        group
    }

    fn has_room(&self, key: &GroupKey, limits: &Limits) -> bool {
        self.has_room_itself(key, limits) && limits.queue.as_ref().is_none_or(|name| self.queue_has_room(name))
    }

    fn has_room_itself(&self, key: &GroupKey, limits: &Limits) -> bool {
        let held = self.groups.get(key).map_or(0, |group| group.held);
        planted!(LimitExceeded) || limits.concurrency.is_none_or(|limit| held < limit)
    }

    fn queue_has_room(&self, name: &Arc<str>) -> bool {
        let shared = self.shared.get(name);
        planted!(LimitExceeded) || shared.is_none_or(|shared| shared.limit.is_none_or(|limit| shared.held < limit))
    }

    fn may_compete(&self, (key, limits): &(GroupKey, Limits)) -> bool {
        !self.paused.contains(&*key.0) && self.has_room(key, limits)
    }

    /// The head of a group competes if the group has room.
    fn show(&mut self, key: &GroupKey) {
        #[cfg(test)]
        {
            self.looks += 1;
        }
        let Some(group) = self.groups.get(key) else { return };
        let limits = Limits { concurrency: group.limit, queue: group.queue.clone() };
        let competes = !self.paused.contains(&*key.0) && self.has_room_itself(key, &limits);
        let head = group.waiting.first().copied().filter(|_| competes);
        let is_over = group.waiting.is_empty() && group.held == 0;
        self.show_head(key, head);
        if is_over {
            self.groups.remove(key);
        }
    }

    /// This is what competes of a group, in the place of what did before.
    fn show_head(&mut self, key: &GroupKey, head: Option<Turn>) {
        let Some(group) = self.groups.get_mut(key) else { return };
        let before = std::mem::replace(&mut group.shown, head);
        let queue = group.queue.clone();
        let heads = match &queue {
            Some(name) => &mut self.shared.entry(name.clone()).or_default().heads,
            None => &mut self.heads,
        };
        if before != head {
            before.map(|before| heads.remove(&before));
            head.map(|head| heads.insert(head, key.clone()));
        }
        if let Some(name) = queue {
            self.show_queue(&name);
        }
    }

    /// The first of the heads of a queue competes with everybody if the queue has room.
    fn show_queue(&mut self, name: &Arc<str>) {
        let has_room = self.queue_has_room(name);
        let Some(shared) = self.shared.get_mut(name) else { return };
        let first = shared.heads.first_key_value().filter(|_| has_room);
        if shared.shown == first.map(|(turn, _)| *turn) {
            return;
        }
        if let Some(before) = shared.shown.take() {
            self.heads.remove(&before);
        }
        if let Some((turn, key)) = first {
            shared.shown = Some(*turn);
            self.heads.insert(*turn, key.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::engine::Engine;
    use crate::machine::Secret;
    use crate::store::MemoryStore;

    fn ask(engine: &mut Engine, commands: Value) -> Value {
        let request = json!({ "now_ms": 1_000, "capacity": 100, "commands": commands }).to_string();
        serde_json::from_slice(&engine.process(&[request.as_bytes()])[0]).unwrap()
    }

    /// How often a group is looked at until as many runs of as many groups of one queue have ended.
    fn looks_for(groups: u64) -> u64 {
        let mut engine = Engine::open(Box::new(MemoryStore::new()), 1, Secret::new([0; 32]), json!({})).unwrap();
        let definition = json!({
            "id": "orders",
            "concurrency": 1,
            "queue": { "name": "shared", "concurrency": 5 },
            "nodes": [{ "kind": "step", "name": "work" }]
        });
        ask(&mut engine, json!([{ "define": definition }]));
        let start =
            |number| json!({ "start": { "workflow": "orders", "concurrency_key": format!("tenant {number}") } });
        let mut answer = ask(&mut engine, (0..groups).map(start).collect());
        let mut ended = 0;
        loop {
            let effects = answer["effects"].as_array().cloned().unwrap_or_default();
            let executes: Vec<&Value> = effects.iter().filter_map(|effect| effect.get("execute")).collect();
            assert!(executes.len() <= 5);
            if executes.is_empty() {
                break;
            }
            ended += executes.len() as u64;
            let resolve = |given: &&Value| json!({ "resolve": { "run": given["run"], "fence": given["fence"] } });
            let commands = executes.iter().map(resolve).collect();
            answer = ask(&mut engine, commands);
        }
        assert_eq!(ended, groups);
        engine.slots.looks
    }

    #[test]
    fn a_run_of_a_queue_is_a_matter_of_its_group_however_many_share_the_queue() {
        for groups in [100, 400] {
            let looks = looks_for(groups);
            assert!(looks <= 4 * groups, "{looks} for {groups}");
        }
    }
}
