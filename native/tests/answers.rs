//! An answer has a bound: who asks for more is told to ask again, and what a commit causes comes in several texts.

mod harness;

use cronflow::limits;
use harness::{Mode, World, step};
use serde_json::{Value, json};

/// Bytes of a payload, and of the narrow bound: two answers about such a run are more than that.
const PAYLOAD: usize = 1_000;
const BOUND: u64 = 1_500;

fn world_with_runs(count: usize, payload_bytes: usize) -> (World, Vec<String>) {
    let mut world = World::new(Mode::Straight);
    world.define_nodes("orders", json!([step("work")]));
    let payload = "x".repeat(payload_bytes);
    let start = || json!({ "workflow": "orders", "payload": payload });
    let runs = (0..count).map(|_| world.start_with(start())).collect();
    (world, runs)
}

fn ask_for(runs: &[String]) -> Value {
    let questions: Vec<Value> = runs.iter().map(|run| json!({ "query": { "run": { "run": run } } })).collect();
    json!({ "now_ms": 1_000, "commands": questions })
}

fn results(answer: &Value) -> Vec<Value> {
    let requests = answer["requests"].as_array().unwrap();
    requests.iter().flat_map(|request| request["results"].as_array().unwrap().clone()).collect()
}

fn is_refused(result: &Value) -> bool {
    let refused = &result["refused"];
    assert!(refused.is_null() || (refused["code"] == "answers_full" && refused["class"] == "busy"), "{result}");
    !refused.is_null()
}

#[test]
fn questions_beyond_the_bound_are_to_be_asked_again_and_then_are_answered() {
    let (mut world, mut open) = world_with_runs(5, PAYLOAD);
    world.bound_answers(BOUND);
    let mut rounds = 0;
    while !open.is_empty() {
        let answers = results(&world.answers(&[ask_for(&open)])[0]);
        let answered = answers.iter().take_while(|result| !is_refused(result)).count();
        assert!(answers[answered..].iter().all(is_refused), "in order");
        assert!(answers[..answered].iter().zip(&open).all(|(result, run)| result["run"] == **run));
        assert_eq!(answered, open.len().min(2));
        open.drain(..answered);
        rounds += 1;
    }
    assert_eq!(rounds, 3);
}

#[test]
fn the_bound_is_that_of_the_commit_and_concerns_nothing_but_questions() {
    let (mut world, runs) = world_with_runs(4, PAYLOAD);
    world.bound_answers(BOUND);
    let start = json!({ "now_ms": 1_000, "commands": [{ "start": { "workflow": "orders" } }] });
    let requests = [ask_for(&runs[..1]), ask_for(&runs[1..2]), start, ask_for(&runs[2..])];
    let answers = results(&world.answers(&requests)[0]);
    let refused: Vec<bool> = answers.iter().map(is_refused).collect();
    assert_eq!(refused, [false, false, false, true, true]);
    assert_eq!(world.runs_of("orders").len(), 5);
}

#[test]
fn as_many_of_the_largest_values_as_are_asked_for_stay_within_the_bound() {
    let (mut world, runs) = world_with_runs(20, limits::VALUE_BYTES as usize - 2);
    let texts = world.answers(&[ask_for(&runs)]);
    let bytes = texts[0].to_string().len() as u64;
    assert!(bytes > limits::ANSWER_BYTES && bytes < limits::ANSWER_BYTES + 2 * limits::VALUE_BYTES, "{bytes}");
    assert_eq!(results(&texts[0]).iter().filter(|result| is_refused(result)).count(), 4);
}

#[test]
fn what_a_commit_causes_is_told_in_several_texts() {
    let tell = |bound: u64| {
        let mut world = World::new(Mode::Straight);
        let wait = json!({ "name": "wait", "kind": "wait_for_event", "event": "paid" });
        world.define_nodes("orders", json!([wait, step("ship")]));
        for _ in 0..5 {
            world.start("orders");
        }
        world.bound_answers(bound);
        let publish = json!({ "publish": { "name": "paid", "payload": "x".repeat(PAYLOAD), "starts": [] } });
        world.answers(&[json!({ "seq": 7, "now_ms": 1_000, "commands": [publish] })])
    };
    let effects =
        |texts: &[Value]| texts.iter().flat_map(|text| text["effects"].as_array().unwrap().clone()).collect::<Vec<_>>();
    let (whole, parts) = (tell(limits::ANSWER_BYTES), tell(BOUND));
    assert_eq!(whole.len(), 1);
    assert_eq!(effects(&parts), effects(&whole));
    assert!(effects(&whole).iter().filter(|effect| !effect["execute"].is_null()).count() == 5);
    assert!(parts.len() > 2, "{parts:?}");
    assert_eq!(parts[0]["requests"][0]["seq"], 7);
    for part in &parts {
        assert!(part.to_string().len() as u64 <= BOUND + PAYLOAD as u64 + 200, "{part}");
        assert_eq!(part["wake_at_ms"], whole[0]["wake_at_ms"]);
    }
    assert!(parts[1..].iter().all(|part| part["requests"] == json!([])));
}
