//! A host for scenarios: it keeps what the engine has given it to execute, and says how that ends when a test tells it.
//!
//! [`live`] lives through a scenario several times: once straight, and once for each way in which a host can be lost
//! or its storage fail, after every single request. What a scenario asserts must hold each time, and what is recorded
//! in the end must be the same, but for the attempts that were interrupted.

// Every file of tests uses a part of it.
#![allow(dead_code)]

mod failing;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use cronflow::engine::Engine;
use cronflow::machine::Secret;
use cronflow::store::{Durability, MemoryStore, SqliteStore, Store};
use failing::FailingStore;
use serde_json::{Value, json};
use tempfile::TempDir;

/// What happens after every request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Nothing.
    Straight,
    /// The process dies, and another one opens the file.
    Killed,
    /// The process stops in order, and another one opens the file.
    Stopped,
    /// A commit fails, so that the engine reads again what it kept in memory.
    Failed,
    /// What the test says: the process dies, or a commit fails.
    AsTold,
}

/// An attempt that the host has been given.
#[derive(Debug, Clone)]
struct Given {
    fence: u64,
    effect: Value,
}

/// The host and its engine.
pub struct World {
    mode: Mode,
    engine: Option<Engine>,
    directory: TempDir,
    commits_fail: Arc<AtomicBool>,
    definitions: Vec<Value>,
    capacity: u32,
    /// The host's clock.
    pub now_ms: i64,
    /// When the engine wants to be asked again.
    pub wake_at_ms: Option<i64>,
    /// Every effect so far, but those that give an attempt.
    pub effects: Vec<Value>,
    given: BTreeMap<(String, String), Given>,
    /// Attempts that a process death has interrupted: a second one would make a suspect of their run.
    killed: BTreeSet<(String, String)>,
    runs: Vec<String>,
}

/// Lives through a scenario in every mode.
pub fn live(scenario: impl Fn(&mut World)) {
    let mut straight = None;
    for mode in [Mode::Straight, Mode::Failed, Mode::Stopped, Mode::Killed] {
        println!("--- {mode:?}");
        let mut world = World::new(mode);
        scenario(&mut world);
        let picture = world.picture();
        let expected = straight.get_or_insert_with(|| picture.clone());
        assert_eq!(&picture, expected, "{mode:?} ended otherwise");
    }
}

impl World {
    /// An empty one, at the time 1,000.
    pub fn new(mode: Mode) -> World {
        let mut world = World {
            mode,
            engine: None,
            directory: tempfile::tempdir().unwrap(),
            commits_fail: Arc::default(),
            definitions: Vec::new(),
            capacity: 100,
            now_ms: 1_000,
            wake_at_ms: None,
            effects: Vec::new(),
            given: BTreeMap::new(),
            killed: BTreeSet::new(),
            runs: Vec::new(),
        };
        world.open();
        world
    }

    fn open(&mut self) {
        // Two engines on one file are refused.
        drop(self.engine.take());
        let inner: Box<dyn Store> = match self.mode {
            Mode::Straight | Mode::Failed => Box::new(MemoryStore::new()),
            Mode::Killed | Mode::Stopped | Mode::AsTold => {
                let path = self.directory.path().join("cronflow.db");
                Box::new(SqliteStore::open(&path, Durability::Relaxed).unwrap())
            }
        };
        let store = Box::new(FailingStore { inner, commits_fail: self.commits_fail.clone() });
        self.engine = Some(Engine::open(store, 1, Secret::new([0; 32]), json!({})).unwrap());
    }

    /// Whether processes end in this one.
    pub fn restarts(&self) -> bool {
        matches!(self.mode, Mode::Killed | Mode::Stopped)
    }

    /// Makes a workflow known, now and to every process after this one.
    pub fn define(&mut self, definition: Value) {
        let id = definition["id"].clone();
        self.definitions.retain(|known| known["id"] != id);
        self.definitions.push(definition.clone());
        let result = self.command(json!({ "define": definition }));
        assert!(result.get("refused").is_none(), "{result}");
    }

    /// Makes a workflow known that has only an id and nodes.
    pub fn define_nodes(&mut self, id: &str, nodes: Value) {
        self.define(json!({ "id": id, "nodes": nodes }));
    }

    /// Offers so many slots.
    pub fn offer(&mut self, capacity: u32) {
        self.capacity = capacity;
        self.request(&json!([]));
    }

    /// Starts a run.
    pub fn start(&mut self, workflow: &str) -> String {
        self.start_with(json!({ "workflow": workflow }))
    }

    /// Starts a run in a certain way.
    pub fn start_with(&mut self, start: Value) -> String {
        let result = self.command(json!({ "start": start }));
        result["run"].as_str().unwrap_or_else(|| panic!("not started: {result}")).to_owned()
    }

    /// Does one thing, and gives its result.
    pub fn command(&mut self, command: Value) -> Value {
        self.request(&json!([command])).remove(0)
    }

    /// The code of the refusal of a command.
    pub fn refused(&mut self, command: Value) -> String {
        let result = self.command(command);
        result["refused"]["code"].as_str().unwrap_or_else(|| panic!("not refused: {result}")).to_owned()
    }

    /// Lets time pass; what becomes due on the way happens when it is due.
    pub fn advance(&mut self, ms: i64) {
        let until_ms = self.now_ms + ms;
        for _ in 0..10_000 {
            match self.wake_at_ms.filter(|wake_at_ms| *wake_at_ms <= until_ms) {
                Some(wake_at_ms) => self.now_ms = self.now_ms.max(wake_at_ms),
                None => break,
            }
            self.request(&json!([]));
        }
        self.now_ms = until_ms;
        self.request(&json!([]));
        assert!(
            self.wake_at_ms.is_none_or(|wake_at_ms| wake_at_ms > until_ms),
            "wakes without end: {:?}",
            self.wake_at_ms
        );
    }

    /// Lets time pass while no process is there, if processes end in this world.
    pub fn sleep_through(&mut self, ms: i64) {
        self.now_ms += ms;
        if self.restarts() {
            self.begin_anew();
        } else {
            self.request(&json!([]));
        }
    }

    /// Lets time pass while nobody looks at the clock.
    pub fn advance_at_once(&mut self, ms: i64) {
        self.now_ms += ms;
        self.request(&json!([]));
    }

    /// Several requests that one commit applies, each with its clock; gives the result of the first command of each.
    pub fn batch(&mut self, requests: &[(i64, Value)]) -> Vec<Value> {
        let texts: Vec<String> = requests
            .iter()
            .map(|(now_ms, command)| {
                json!({ "now_ms": now_ms, "capacity": self.capacity, "commands": [command] }).to_string()
            })
            .collect();
        let texts: Vec<&[u8]> = texts.iter().map(String::as_bytes).collect();
        let answers = self.engine.as_mut().unwrap().process(&texts);
        let answer: Value = serde_json::from_slice(&answers[0]).unwrap();
        self.now_ms = requests.last().unwrap().0;
        self.effects_of_a_question(&answer);
        let requests = answer["requests"].as_array().unwrap();
        let results = requests.iter().map(|request| request["results"][0].clone()).collect();
        self.happens();
        results
    }

    /// The process dies, and somebody changes its file before another one begins.
    pub fn tamper(&mut self, sql: &str) {
        drop(self.engine.take());
        let path = self.directory.path().join("cronflow.db");
        let connection = rusqlite::Connection::open(path).unwrap();
        connection.execute_batch(sql).unwrap();
        drop(connection);
        self.kill();
    }

    /// Sends a request as it is, and gives its part of the answer.
    pub fn send(&mut self, request: &Value) -> Value {
        self.ask_raw(request)["requests"][0].clone()
    }

    /// Another process begins, which does not define a workflow. Only where processes end.
    pub fn undefine(&mut self, workflow: &str) {
        assert!(self.restarts());
        self.definitions.retain(|known| known["id"] != workflow);
        self.begin_anew();
    }

    /// The runs of a workflow, oldest first.
    pub fn runs_of(&mut self, workflow: &str) -> Vec<String> {
        let mut runs = Vec::new();
        let mut cursor = Value::Null;
        loop {
            let page = self.query(json!({ "runs": { "workflow": workflow, "limit": 1000, "cursor": cursor } }));
            runs.extend(page["runs"].as_array().unwrap().iter().map(|run| run["run"].as_str().unwrap().to_owned()));
            cursor = page["cursor"].clone();
            if cursor.is_null() {
                break;
            }
        }
        runs.reverse();
        runs
    }

    /// The instants for which a schedule has started the runs that are stored, in the order in which they were started.
    pub fn instants(&mut self, workflow: &str, schedule: &str) -> Vec<i64> {
        let mut instants = Vec::new();
        for run in self.runs_of(workflow) {
            let trigger = self.inspect(&run)["trigger"].clone();
            if trigger["name"] == schedule {
                let at: jiff::Timestamp = trigger["scheduledAt"].as_str().unwrap().parse().unwrap();
                instants.push(at.as_millisecond());
            }
        }
        instants
    }

    /// What is told of a schedule.
    pub fn schedule(&mut self, workflow: &str, name: &str) -> Value {
        let told = self.query(json!({ "schedules": { "workflow": workflow } }));
        let schedules = told["schedules"].as_array().unwrap();
        let found = schedules.iter().find(|schedule| schedule["name"] == name);
        found.unwrap_or_else(|| panic!("no schedule `{name}`: {told}")).clone()
    }

    fn request(&mut self, commands: &Value) -> Vec<Value> {
        let results = self.ask(commands);
        self.happens();
        results
    }

    /// What happens after every request.
    fn happens(&mut self) {
        match self.mode {
            Mode::Straight | Mode::AsTold => {}
            Mode::Failed => self.fail_a_commit(),
            Mode::Stopped => self.stop(),
            Mode::Killed if self.given.keys().any(|given| self.killed.contains(given)) => self.stop(),
            Mode::Killed => {
                self.killed.extend(self.given.keys().cloned());
                self.begin_anew();
            }
        }
    }

    /// The process dies, whatever it was executing.
    pub fn kill(&mut self) {
        self.begin_anew();
    }

    fn stop(&mut self) {
        self.ask_raw(&json!({ "now_ms": self.now_ms, "commands": [{ "release": {} }] }));
        self.begin_anew();
    }

    fn begin_anew(&mut self) {
        self.given.clear();
        self.open();
        let defines: Vec<Value> = self.definitions.iter().map(|known| json!({ "define": known })).collect();
        self.ask(&Value::from(defines));
    }

    /// A commit fails, and the engine reads again what it kept in memory.
    pub fn fail_a_commit(&mut self) {
        self.commits_fail.store(true, Ordering::Relaxed);
        let failed = self.ask_raw(&json!({ "now_ms": self.now_ms, "commands": [] }));
        assert_eq!(failed["requests"][0]["error"]["class"], "unavailable", "{failed}");
        self.commits_fail.store(false, Ordering::Relaxed);
        // What the engine reads again shows with the next request.
        let executing: Vec<Value> = self.given.iter().map(|((run, _), given)| json!([run, given.fence])).collect();
        self.ask(&json!([{ "heartbeat": { "executing": executing } }]));
    }

    fn ask(&mut self, commands: &Value) -> Vec<Value> {
        let answer = self.ask_raw(&json!({ "now_ms": self.now_ms, "capacity": self.capacity, "commands": commands }));
        let request = &answer["requests"][0];
        let results = request["results"].as_array().unwrap_or_else(|| panic!("{commands} failed: {request}")).clone();
        for result in results.iter().filter_map(|result| result["run"].as_str()) {
            self.runs.push(result.to_owned());
        }
        self.wake_at_ms = answer["wake_at_ms"].as_i64();
        for effect in answer["effects"].as_array().into_iter().flatten() {
            self.take(effect);
        }
        results
    }

    fn ask_raw(&mut self, request: &Value) -> Value {
        let mut answers = self.answers(std::slice::from_ref(request));
        assert_eq!(answers.len(), 1);
        answers.remove(0)
    }

    /// Bounds the answers of this process more narrowly than it must.
    pub fn bound_answers(&mut self, bytes: u64) {
        self.engine.as_mut().unwrap().bound_answers(bytes);
    }

    /// Sends requests that share a commit as they are, and gives all texts of the answer.
    pub fn answers(&mut self, requests: &[Value]) -> Vec<Value> {
        let texts: Vec<String> = requests.iter().map(Value::to_string).collect();
        let texts: Vec<&[u8]> = texts.iter().map(String::as_bytes).collect();
        let answers = self.engine.as_mut().unwrap().process(&texts);
        answers.iter().map(|text| serde_json::from_slice(text).unwrap()).collect()
    }

    fn take(&mut self, effect: &Value) {
        let run = |effect: &Value| effect["run"].as_str().unwrap().to_owned();
        if let Some(execute) = effect.get("execute") {
            let fence = execute["fence"].as_u64().unwrap();
            let given = Given { fence, effect: execute.clone() };
            self.given.insert((run(execute), key_of(execute)), given);
            return;
        }
        if let Some(abort) = effect.get("abort") {
            let (run, fence) = (run(abort), abort["fence"].as_u64().unwrap());
            self.given.retain(|(of, _), given| *of != run || given.fence != fence);
        }
        self.effects.push(effect.clone());
    }

    /// What the host executes of a run, in order: `pack`, `pack@3:on_error`.
    pub fn executing(&self, run: &str) -> Vec<String> {
        self.given.keys().filter(|(of, _)| of == run).map(|(_, key)| key.clone()).collect()
    }

    /// The runs of which the host executes something.
    pub fn executing_runs(&self) -> BTreeSet<String> {
        self.given.keys().map(|(run, _)| run.clone()).collect()
    }

    /// The effect that gave an attempt.
    pub fn given(&self, run: &str, key: &str) -> Value {
        match self.given.get(&(run.to_owned(), key.to_owned())) {
            Some(given) => given.effect.clone(),
            None => panic!("`{key}` does not execute, but {:?}; {}", self.executing(run), self.status_of(run)),
        }
    }

    fn status_of(&self, run: &str) -> String {
        format!(
            "effects: {:?}",
            self.effects.iter().rev().filter(|effect| effect.to_string().contains(run)).take(5).collect::<Vec<_>>()
        )
    }

    /// An attempt ends in a certain way.
    pub fn resolve(&mut self, run: &str, key: &str, how: Value) -> Value {
        let fence = self.given(run, key)["fence"].clone();
        self.given.remove(&(run.to_owned(), key.to_owned()));
        let mut resolve = json!({ "run": run, "fence": fence });
        resolve.as_object_mut().unwrap().extend(how.as_object().unwrap().clone());
        let result = self.command(json!({ "resolve": resolve }));
        assert!(result.get("refused").is_none(), "{key}: {result}");
        result
    }

    /// The code of the refusal of a result, after which its attempt goes on.
    pub fn refused_resolve(&mut self, run: &str, key: &str, resolve: Value) -> String {
        assert!(!self.given(run, key).is_null());
        self.refused(resolve)
    }

    /// An attempt asks for a cached output; if there is one, it has ended.
    pub fn recall(&mut self, run: &str, key: &str, cache_key: &str) -> bool {
        let fence = self.given(run, key)["fence"].clone();
        let given = self.given.remove_entry(&(run.to_owned(), key.to_owned()));
        let results = self.ask(&json!([{ "recall": { "run": run, "fence": fence, "key": cache_key } }]));
        let hit = results[0]["hit"].as_bool().unwrap();
        self.given.extend(given.filter(|_| !hit));
        self.happens();
        hit
    }

    /// An attempt ends with an output.
    pub fn finish(&mut self, run: &str, key: &str, output: impl Into<Value>) -> Value {
        self.resolve(run, key, json!({ "output": output.into() }))
    }

    /// An attempt throws.
    pub fn fail(&mut self, run: &str, key: &str, message: &str) -> Value {
        self.resolve(run, key, json!({ "error": { "message": message } }))
    }

    /// All that is recorded of a run. Asking changes nothing.
    pub fn inspect(&mut self, run: &str) -> Value {
        let request = json!({ "now_ms": self.now_ms, "commands": [{ "query": { "run": { "run": run } } }] });
        let answer = self.ask_raw(&request);
        self.effects_of_a_question(&answer);
        answer["requests"][0]["results"][0].clone()
    }

    /// Asks something that changes nothing.
    pub fn query(&mut self, query: Value) -> Value {
        let answer = self.ask_raw(&json!({ "now_ms": self.now_ms, "commands": [{ "query": query }] }));
        self.effects_of_a_question(&answer);
        answer["requests"][0]["results"][0].clone()
    }

    fn effects_of_a_question(&mut self, answer: &Value) {
        for effect in answer["effects"].as_array().into_iter().flatten() {
            self.take(effect);
        }
        self.wake_at_ms = answer["wake_at_ms"].as_i64();
    }

    /// The status of a run.
    pub fn status(&mut self, run: &str) -> String {
        self.inspect(run)["status"].as_str().unwrap_or("gone").to_owned()
    }

    /// The output of a completed run; null where it has none.
    #[track_caller]
    pub fn output(&mut self, run: &str) -> Value {
        let row = self.inspect(run);
        assert_eq!(row["status"], "completed", "{row:#}");
        row["output"].clone()
    }

    /// Why a run has failed, was cancelled or is stuck.
    #[track_caller]
    pub fn error(&mut self, run: &str) -> Value {
        let row = self.inspect(run);
        assert!(row["error"].is_object(), "{row:#}");
        row["error"].clone()
    }

    /// What ended in a run, in order, without what was interrupted: `pack@3:on_error failed`.
    pub fn history(&mut self, run: &str) -> Vec<String> {
        let row = self.inspect(run);
        let steps = row["steps"].as_array().cloned().unwrap_or_default();
        let kept = steps.iter().filter(|step| step["status"] != "interrupted");
        kept.map(|step| format!("{} {}", key_of(step), step["status"].as_str().unwrap())).collect()
    }

    /// The recorded output of a node.
    pub fn recorded(&mut self, run: &str, key: &str) -> Value {
        let row = self.inspect(run);
        let steps = row["steps"].as_array().cloned().unwrap_or_default();
        let found = steps.iter().find(|step| key_of(step) == key && step["status"] == "completed");
        found.unwrap_or_else(|| panic!("`{key}` has not completed: {row:#}"))["output"].clone()
    }

    /// All runs as they ended.
    fn picture(&mut self) -> Vec<Value> {
        let listed = self.query(json!({ "runs": { "limit": 1000 } }));
        let mut runs: Vec<String> =
            listed["runs"].as_array().unwrap().iter().map(|run| run["run"].as_str().unwrap().to_owned()).collect();
        runs.reverse();
        let mut picture = Vec::new();
        for run in runs {
            let row = self.inspect(&run);
            let steps: Vec<Value> = row["steps"]
                .as_array()
                .unwrap()
                .iter()
                .filter(|step| step["status"] != "interrupted")
                .map(|step| json!([key_of(step), step["status"], step["output"], step["error"], step["retry_at_ms"]]))
                .collect();
            // A run that the host executes may queue for a moment, in another process.
            let status = match row["status"].as_str().unwrap() {
                "pending" => "running",
                status => status,
            };
            picture.push(json!({
                "workflow": row["workflow"], "status": status, "output": row["output"], "error": row["error"],
                "finished_at_ms": row["finished_at_ms"], "steps": steps,
            }));
        }
        picture
    }
}

/// `name`, `name@scope`, `name:handler`, `name@scope:handler`; a hook of the run by its handler alone.
fn key_of(of: &Value) -> String {
    let text = |field: &str| of[field].as_str().unwrap_or("");
    let name = if of.get("step").is_some() { text("step") } else { text("name") };
    let scope = if text("scope").is_empty() { String::new() } else { format!("@{}", text("scope")) };
    match text("handler") {
        "" | "body" => format!("{name}{scope}"),
        handler if name.is_empty() || name == handler => handler.to_owned(),
        handler => format!("{name}{scope}:{handler}"),
    }
}

/// A step.
pub fn step(name: &str) -> Value {
    json!({ "kind": "step", "name": name })
}

/// A node of a kind, with what is said of it.
pub fn node(kind: &str, name: &str, more: Value) -> Value {
    let mut node = json!({ "kind": kind, "name": name });
    node.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    node
}
