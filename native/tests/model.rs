//! Random nested flows, executed by the engine in random order, against a reference that reads the definition and says
//! what must have happened: the same steps, in an order that the flow allows, with the same outputs.

use std::collections::{BTreeMap, BTreeSet};

use cronflow::engine::Engine;
use cronflow::machine::Secret;
use cronflow::store::MemoryStore;
use serde_json::{Value, json};

/// Flows to compare.
const FLOWS: u64 = 4_000;

/// SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}

// --- What the functions of the host do: everything follows from where they are called and what `ctx.last` is.

fn hash(text: &str) -> u64 {
    text.bytes().fold(17, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3)) >> 7
}

fn key_of(name: &str, scope: &str) -> String {
    if scope.is_empty() { name.to_owned() } else { format!("{name}@{scope}") }
}

fn output(key: &str, last: &Value) -> Value {
    json!(format!("{key} {}", hash(&last.to_string()) % 1_000))
}

fn branch(key: &str, branches: usize) -> usize {
    (hash(key) % (branches as u64 + 1)) as usize
}

fn repetitions(key: &str) -> u64 {
    hash(key) % 4
}

fn items(key: &str) -> Vec<u64> {
    (0..hash(key) % 6).collect()
}

// --- The reference.

/// In which order rows may come.
enum Trace {
    Row(String),
    Then(Vec<Trace>),
    Beside(Vec<Trace>),
}

type Outcome = Result<Value, ()>;

/// A block: its nodes one after the other, until one fails for good.
fn block(nodes: &Value, scope: &str, mut last: Value) -> (Outcome, Trace) {
    let mut traces = Vec::new();
    for node in nodes.as_array().unwrap() {
        let (outcome, trace) = node_with_rescue(node, scope, &last);
        traces.push(trace);
        match outcome {
            Ok(value) => last = value,
            Err(()) => return (Err(()), Trace::Then(traces)),
        }
    }
    (Ok(last), Trace::Then(traces))
}

fn node_with_rescue(node: &Value, scope: &str, last: &Value) -> (Outcome, Trace) {
    let (outcome, trace) = one_node(node, scope, last);
    if outcome.is_ok() || node["on_error"] != json!(true) {
        return (outcome, trace);
    }
    let key = key_of(node["name"].as_str().unwrap(), scope);
    let rescued = if node["kind"] == "action" { last.clone() } else { json!(format!("rescue {key}")) };
    (Ok(rescued), Trace::Then(vec![trace, Trace::Row(format!("{key} on_error"))]))
}

fn one_node(node: &Value, scope: &str, last: &Value) -> (Outcome, Trace) {
    let name = node["name"].as_str().unwrap();
    let key = key_of(name, scope);
    let done = |trace: Vec<Trace>| Trace::Then(trace.into_iter().chain([Trace::Row(format!("{key} body"))]).collect());
    let asked = |handler: &str| Trace::Row(format!("{key} {handler}"));
    let fails = name.ends_with("fails");
    match node["kind"].as_str().unwrap() {
        "step" | "action" if fails => (Err(()), Trace::Then(vec![])),
        "step" => (Ok(output(&key, last)), done(vec![])),
        "action" | "sleep" => (Ok(last.clone()), done(vec![])),
        "wait_for_event" => (Ok(json!({ "timedOut": true })), done(vec![])),
        "approval" => (Ok(json!({ "approved": false, "timedOut": true, "status": "timeout" })), done(vec![])),
        "subflow" => (Ok(output("child", last)), done(vec![asked("start")])),
        "if" => {
            let branches = node["branches"].as_array().unwrap();
            let chosen = branches.get(branch(&key, branches.len())).or(node.get("otherwise"));
            let nothing = json!([]);
            let (outcome, trace) = block(chosen.unwrap_or(&nothing), scope, last.clone());
            (outcome, Trace::Then(vec![asked("condition"), trace]))
        }
        "parallel" | "race" => {
            let branches = node["branches"].as_array().unwrap();
            // The second branch of a race waits for what never comes.
            let taken = if node["kind"] == "race" { &branches[..1] } else { &branches[..] };
            let all: Vec<_> = taken.iter().map(|nodes| block(nodes, scope, last.clone())).collect();
            let (outcomes, traces): (Vec<_>, Vec<_>) = all.into_iter().unzip();
            let beside = Trace::Beside(traces);
            match outcomes.into_iter().collect::<Result<Vec<_>, ()>>() {
                Err(()) => (Err(()), beside),
                Ok(mut values) if node["kind"] == "race" => (Ok(values.remove(0)), done(vec![beside])),
                Ok(values) => match node.get("keys").and_then(Value::as_array) {
                    None => (Ok(json!(values)), done(vec![beside])),
                    Some(keys) => {
                        let named = keys.iter().map(|key| key.as_str().unwrap().to_owned()).zip(values);
                        (Ok(Value::Object(named.collect())), done(vec![beside]))
                    }
                },
            }
        }
        "while" => {
            let (mut last, mut traces) = (last.clone(), vec![asked("condition")]);
            for number in 0..repetitions(&key) {
                let (outcome, trace) = block(&node["body"], &inner(scope, number), last);
                traces.push(trace);
                match outcome {
                    Ok(value) => last = value,
                    Err(()) => return (Err(()), Trace::Then(traces)),
                }
                traces.push(asked("condition"));
            }
            (Ok(last), done(traces))
        }
        "for_each" => {
            let size = node["size"].as_u64().unwrap_or(1) as usize;
            let (mut values, mut traces) = (Vec::new(), Vec::new());
            for number in 0..items(&key).len().div_ceil(size) {
                let (outcome, trace) = block(&node["body"], &inner(scope, number as u64), Value::Null);
                traces.push(trace);
                match outcome {
                    Ok(value) => values.push(value),
                    Err(()) => return (Err(()), Trace::Then(vec![asked("items"), Trace::Beside(traces)])),
                }
            }
            (Ok(json!(values)), done(vec![asked("items"), Trace::Beside(traces)]))
        }
        kind => unreachable!("{kind}"),
    }
}

fn inner(scope: &str, number: u64) -> String {
    if scope.is_empty() { number.to_string() } else { format!("{scope}.{number}") }
}

/// Takes the rows of a trace out of the history, and gives the first and the last position.
fn check(trace: &Trace, rows: &mut BTreeMap<String, Vec<u64>>) -> Option<(u64, u64)> {
    let join = |a: Option<(u64, u64)>, b: (u64, u64)| a.map_or(b, |a| (a.0.min(b.0), a.1.max(b.1)));
    match trace {
        Trace::Row(key) => {
            let places = rows.get_mut(key).unwrap_or_else(|| panic!("`{key}` is missing"));
            let place = places.remove(0);
            if places.is_empty() {
                rows.remove(key);
            }
            Some((place, place))
        }
        Trace::Then(parts) => parts.iter().filter_map(|part| check(part, rows)).fold(None, |before, span| {
            assert!(before.is_none_or(|before| before.1 < span.0), "{before:?} comes before {span:?}");
            Some(join(before, span))
        }),
        Trace::Beside(parts) => {
            let spans: Vec<_> = parts.iter().filter_map(|part| check(part, rows)).collect();
            spans.into_iter().fold(None, |all, span| Some(join(all, span)))
        }
    }
}

// --- Random flows.

/// `may_fail`: whether what happens besides is the same whenever something fails.
fn flow(random: &mut Random, depth: u64, names: &mut u64, may_fail: bool) -> Value {
    (0..=random.below(3)).map(|_| node(random, depth, names, may_fail)).collect()
}

fn node(random: &mut Random, depth: u64, names: &mut u64, may_fail: bool) -> Value {
    *names += 1;
    let mut name = format!("n{names}");
    let kinds = if depth == 0 { 6 } else { 13 };
    let on_error = random.below(4) == 0;
    let mut inside = |random: &mut Random, may_fail| flow(random, depth - 1, names, may_fail);
    let mut node = match random.below(kinds) {
        0..=2 => {
            if may_fail && random.below(8) == 0 {
                name.push_str("-fails");
            }
            json!({ "kind": if random.below(4) == 0 { "action" } else { "step" } })
        }
        3 => json!({ "kind": "sleep", "duration_ms": random.below(50) }),
        4 if random.below(2) == 0 => json!({ "kind": "wait_for_event", "event": "never", "wait_ms": 20 }),
        4 => json!({ "kind": "approval", "wait_ms": 30 }),
        5 => json!({ "kind": "subflow", "workflow": "child" }),
        6 | 7 => {
            let branches: Vec<_> = (0..=random.below(2)).map(|_| inside(random, may_fail)).collect();
            let mut node = json!({ "kind": "if", "branches": branches });
            if random.below(2) == 0 {
                node["otherwise"] = inside(random, may_fail);
            }
            node
        }
        8 | 9 => {
            let branches: Vec<_> = (0..=random.below(3)).map(|_| inside(random, may_fail)).collect();
            let keys: Vec<_> = (0..branches.len()).map(|number| format!("k{number}")).collect();
            let mut node = json!({ "kind": "parallel", "branches": branches });
            if random.below(2) == 0 {
                node["keys"] = json!(keys);
            }
            node
        }
        10 => {
            let runs = inside(random, false);
            json!({ "kind": "race", "branches": [runs, [{ "kind": "wait_for_event", "name": format!("{name}-w"), "event": "never" }]] })
        }
        11 => json!({ "kind": "while", "body": inside(random, may_fail), "max_iterations": 9 }),
        _ => {
            let concurrency = 1 + random.below(3);
            let body = inside(random, may_fail && concurrency == 1);
            let mut node = json!({ "kind": "for_each", "body": body, "concurrency": concurrency });
            if random.below(2) == 0 {
                node["size"] = json!(2);
            }
            node
        }
    };
    node["name"] = json!(name);
    if on_error {
        node["on_error"] = json!(true);
    }
    node
}

// --- The engine's side.

struct Host {
    engine: Engine,
    now_ms: i64,
    wake_at_ms: Option<i64>,
    given: Vec<Value>,
    outputs: BTreeMap<(String, String), Value>,
    asked: BTreeMap<String, u64>,
}

impl Host {
    fn define(&mut self, definition: &Value) {
        self.ask(json!([{ "define": { "id": "child", "nodes": [{ "kind": "step", "name": "child" }] } }]));
        let defined = self.ask(json!([{ "define": definition }]));
        assert!(defined.get("refused").is_none(), "{definition}: {defined}");
    }

    /// Another process, with another definition.
    fn redefine(self, definition: &Value) -> Host {
        let mut next = Host { engine: self.engine.restarted().unwrap(), given: Vec::new(), ..self };
        next.define(definition);
        next
    }

    fn inspect(&mut self, run: &Value) -> Value {
        self.ask(json!([{ "query": { "run": { "run": run } } }]))
    }

    fn ask(&mut self, commands: Value) -> Value {
        let request = json!({ "now_ms": self.now_ms, "capacity": 100, "commands": commands }).to_string();
        let answer: Value = serde_json::from_slice(&self.engine.process(&[request.as_bytes()])[0]).unwrap();
        assert!(answer["requests"][0]["error"].is_null(), "{answer}");
        self.wake_at_ms = answer["wake_at_ms"].as_i64();
        for effect in answer["effects"].as_array().into_iter().flatten() {
            self.given.extend(effect.get("execute").cloned());
            if let Some(recorded) = effect.get("recorded") {
                self.record(recorded, recorded["output"].clone());
            }
        }
        answer["requests"][0]["results"][0].clone()
    }

    fn record(&mut self, place: &Value, output: Value) {
        let key = key_of(place["step"].as_str().unwrap(), place["scope"].as_str().unwrap_or(""));
        self.outputs.insert((place["run"].to_string(), key), output);
    }

    fn end(&mut self, execute: Value, definition: &Value) {
        let name = execute["step"].as_str().unwrap();
        let key = key_of(name, execute["scope"].as_str().unwrap_or(""));
        let run = execute["run"].to_string();
        let last = execute["last"].as_str().and_then(|last| self.outputs.get(&(run.clone(), last.to_owned())));
        let last = last.cloned().unwrap_or(Value::Null);
        let mut resolve = json!({ "run": execute["run"], "fence": execute["fence"] });
        let value = match execute["handler"].as_str().unwrap_or("body") {
            "body" if name.ends_with("fails") => {
                resolve["error"] = json!({ "message": key });
                return drop(self.ask(json!([{ "resolve": resolve }])));
            }
            "on_error" => json!(format!("rescue {key}")),
            "condition" => match find(&definition["nodes"], name).unwrap() {
                node if node["kind"] == "if" => {
                    let branches = node["branches"].as_array().unwrap().len();
                    json!(branch(&key, branches))
                }
                _ => {
                    let asked = self.asked.entry(format!("{run} {key}")).or_default();
                    *asked += 1;
                    json!(u64::from(*asked <= repetitions(&key)))
                }
            },
            "items" => json!(items(&key)),
            // The child's only step sees the payload, which is what its parent's `ctx.last` was.
            _ if name == "child" => {
                let run = self.ask(json!([{ "query": { "run": { "run": execute["run"] } } }]));
                output("child", &run["payload"])
            }
            _ => output(&key, &last),
        };
        let keeps = find(&definition["nodes"], name).is_none_or(|node| node["kind"] != "action");
        if keeps {
            resolve["output"] = value.clone();
            if matches!(execute["handler"].as_str(), None | Some("on_error")) {
                self.record(&execute, value);
            }
        }
        self.ask(json!([{ "resolve": resolve }]));
    }
}

fn find<'a>(nodes: &'a Value, name: &str) -> Option<&'a Value> {
    nodes.as_array()?.iter().find_map(|node| {
        let blocks = node["branches"].as_array().into_iter().flatten().chain([&node["body"], &node["otherwise"]]);
        if node["name"] == name { Some(node) } else { blocks.into_iter().find_map(|block| find(block, name)) }
    })
}

fn host(definition: &Value) -> Host {
    let engine = Engine::open(Box::new(MemoryStore::new()), 1, Secret::new([0; 32]), json!({})).unwrap();
    let (given, outputs, asked) = Default::default();
    let mut host = Host { engine, now_ms: 0, wake_at_ms: None, given, outputs, asked };
    host.define(definition);
    host
}

#[test]
fn random_flows_do_what_the_reference_says() {
    let mut kinds = BTreeSet::new();
    let mut failed = 0;
    for seed in 0..FLOWS {
        let mut random = Random(seed);
        let definition = json!({ "id": "flow", "nodes": flow(&mut random, 3, &mut 0, true) });
        kinds.extend(definition.to_string().split("\"kind\":\"").skip(1).map(|rest| rest[..4].to_owned()));
        let mut host = host(&definition);
        let run = host.ask(json!([{ "start": { "workflow": "flow" } }]))["run"].clone();
        let record = loop {
            if host.given.is_empty() {
                let record = host.ask(json!([{ "query": { "run": { "run": run } } }]));
                if record["status"] == "completed" || record["status"] == "failed" {
                    break record;
                }
                host.now_ms = host.wake_at_ms.unwrap_or_else(|| panic!("seed {seed}: the run rests: {record}"));
                host.ask(json!([]));
            } else {
                let place = random.below(host.given.len() as u64) as usize;
                let execute = host.given.swap_remove(place);
                host.end(execute, &definition);
            }
        };
        let (outcome, trace) = block(&definition["nodes"], "", Value::Null);
        let shown = || format!("seed {seed}\n{definition}\n{record:#}");
        assert_eq!(record["status"], if outcome.is_ok() { "completed" } else { "failed" }, "{}", shown());
        failed += u64::from(outcome.is_err());
        if let Ok(value) = outcome {
            assert_eq!(record["output"], value, "{}", shown());
        }
        let mut rows = BTreeMap::<String, Vec<u64>>::new();
        for step in record["steps"].as_array().unwrap().iter().filter(|step| step["status"] == "completed") {
            let key = key_of(step["name"].as_str().unwrap(), step["scope"].as_str().unwrap_or(""));
            let row = format!("{key} {}", step["handler"].as_str().unwrap());
            rows.entry(row).or_default().push(step["sequence"].as_u64().unwrap());
        }
        println!("{}", shown());
        check(&trace, &mut rows);
        assert!(rows.is_empty(), "{rows:?} happened, too: {}", shown());
    }
    assert!(kinds.len() >= 11, "every kind of node is there: {kinds:?}");
    assert!((200..FLOWS - 200).contains(&failed), "{failed} of {FLOWS} flows fail");
}

// --- Definitions that change while runs are under way.

/// The lists of nodes of a flow, by where they are.
fn lists(nodes: &Value, at: &str, all: &mut Vec<String>) {
    all.push(at.to_owned());
    for (number, node) in nodes.as_array().into_iter().flatten().enumerate() {
        for (branch, inside) in node["branches"].as_array().into_iter().flatten().enumerate() {
            lists(inside, &format!("{at}/{number}/branches/{branch}"), all);
        }
        for field in ["body", "otherwise"] {
            if node[field].is_array() {
                lists(&node[field], &format!("{at}/{number}/{field}"), all);
            }
        }
    }
}

/// The same flow with one node more, or one less.
fn changed(definition: &Value, random: &mut Random) -> Value {
    let mut changed = definition.clone();
    let mut all = Vec::new();
    lists(&definition["nodes"], "/nodes", &mut all);
    let at = &all[random.below(all.len() as u64) as usize];
    let nodes = changed.pointer_mut(at).unwrap().as_array_mut().unwrap();
    if random.below(3) > 0 || nodes.len() < 2 {
        let kind = if random.below(2) == 0 { "step" } else { "sleep" };
        let place = random.below(nodes.len() as u64 + 1) as usize;
        nodes.insert(place, json!({ "kind": kind, "name": "new", "duration_ms": 5 }));
        if kind == "step" {
            nodes[place].as_object_mut().unwrap().remove("duration_ms");
        }
    } else {
        nodes.remove(random.below(nodes.len() as u64) as usize);
    }
    changed
}

/// What of a run's own steps was completed.
fn completed_steps(record: &Value, definition: &Value) -> BTreeSet<String> {
    let is_called = |name: &str| {
        find(&definition["nodes"], name).is_some_and(|node| node["kind"] == "step" || node["kind"] == "action")
    };
    let completed = |step: &&Value| {
        step["status"] == "completed" && step["handler"] == "body" && is_called(step["name"].as_str().unwrap())
    };
    let key = |step: &Value| key_of(step["name"].as_str().unwrap(), step["scope"].as_str().unwrap_or(""));
    record["steps"].as_array().unwrap().iter().filter(completed).map(key).collect()
}

#[test]
fn a_run_whose_definition_changes_goes_on_or_is_stuck_and_repeats_nothing() {
    let (mut ended, mut stuck) = (0, 0);
    for seed in 0..FLOWS {
        let mut random = Random(seed ^ 0x5EED);
        let before = json!({ "id": "flow", "nodes": flow(&mut random, 3, &mut 0, true) });
        let after = changed(&before, &mut random);
        let mut host = host(&before);
        let run = host.ask(json!([{ "start": { "workflow": "flow" } }]))["run"].clone();
        for _ in 0..random.below(30) {
            if host.given.is_empty() {
                let Some(wake_at_ms) = host.wake_at_ms else { break };
                host.now_ms = wake_at_ms;
                host.ask(json!([]));
            } else {
                let place = random.below(host.given.len() as u64) as usize;
                let execute = host.given.swap_remove(place);
                host.end(execute, &before);
            }
        }
        let mut host = host.redefine(&after);
        if host.inspect(&run)["status"] == "failed" {
            host.ask(json!([{ "retry": { "run": run } }]));
        }
        let done = completed_steps(&host.inspect(&run), &before);
        let record = loop {
            let record = host.inspect(&run);
            if ["completed", "failed", "stuck"].iter().any(|end| record["status"] == *end) {
                break record;
            }
            if let Some(execute) = host.given.pop() {
                let key = key_of(execute["step"].as_str().unwrap(), execute["scope"].as_str().unwrap_or(""));
                let is_again = execute["run"] == run && execute.get("handler").is_none() && done.contains(&key);
                assert!(!is_again, "seed {seed}: `{key}` is executed again\n{before}\n{after}\n{record:#}");
                host.end(execute, &after);
            } else {
                host.now_ms = host.wake_at_ms.unwrap_or_else(|| panic!("seed {seed}: the run rests: {record}"));
                host.ask(json!([]));
            }
        };
        stuck += u64::from(record["status"] == "stuck");
        ended += u64::from(record["status"] != "stuck");
    }
    assert!(stuck > FLOWS / 20 && ended > FLOWS / 20, "{stuck} are stuck, {ended} have ended");
}
