//! What every store does, whatever it is made of: one list of behaviours, run against each of them.

mod runs;
mod schedules;
mod values;
mod waits;

use std::sync::Arc;

use super::{Claim, Durability, MemoryStore, SqliteStore, Start, Starts, Store};
use crate::error::Code;
use crate::ids::RunId;
use crate::model::{
    Handler, NewRun, NewStep, Origin, Output, Place, RunEnd, RunStatus, StateValue, StepStatus, Timer, Write,
};

type Case = (&'static str, fn(&mut dyn Store));

const CASES: &[Case] = &[
    ("reads the writes of the open transaction", reads_own_writes),
    ("takes every kind of change back with a rollback", takes_back_what_was_rolled_back),
];

fn check(name: &str, mut new_store: impl FnMut() -> Box<dyn Store>) {
    for (case, behaviour) in [CASES, runs::CASES, waits::CASES, values::CASES, schedules::CASES].concat() {
        println!("{name}: {case}");
        behaviour(&mut *new_store());
    }
}

#[test]
fn the_store_in_memory_conforms() {
    check("memory", || Box::new(MemoryStore::new()));
}

#[test]
fn the_store_on_disk_conforms_at_every_durability() {
    for durability in [Durability::Full, Durability::Relaxed] {
        let directory = tempfile::tempdir().unwrap();
        let mut number = 0;
        check(&format!("SQLite, {durability:?}"), || {
            number += 1;
            Box::new(SqliteStore::open(&directory.path().join(format!("{number}.db")), durability).unwrap())
        });
    }
}

fn id(number: i64) -> RunId {
    RunId::from_integer(number).unwrap()
}

fn origin() -> Origin<'static> {
    Origin { payload: Some(r#"{"a": 1}"#.into()), trigger: Some("null".into()), ..Origin::default() }
}

fn new_run(number: i64) -> NewRun<'static> {
    run_from(number, origin())
}

fn run_from(number: i64, origin: Origin<'_>) -> NewRun<'_> {
    NewRun {
        id: id(number),
        definition: 1,
        workflow_id: "orders",
        status: RunStatus::Running,
        created_at_ms: 1_000 + number,
        origin: Box::new(origin),
    }
}

fn new_step(number: i64, sequence: u32) -> NewStep<'static> {
    NewStep {
        run: id(number),
        sequence,
        name: "pack",
        scope: Arc::default(),
        handler: Handler::Body,
        attempt: 1,
        status: StepStatus::Completed,
        output: Output::Text(r#"{"b": 2}"#.into()),
        decision: None,
        error: None,
        retry_at_ms: None,
        started_at_ms: Some(2_000),
        finished_at_ms: 3_000,
        is_news: false,
    }
}

fn end(number: i64, status: RunStatus, open: bool) -> RunEnd {
    let error = (status != RunStatus::Completed).then(|| r#"{"code":"no"}"#.into());
    RunEnd { run: id(number), status, output_of: None, error, finished_at_ms: 9_000, open }
}

fn place(number: i64, name: &str, scope: &str) -> Place {
    Place { run: id(number), name: name.into(), scope: scope.into() }
}

fn value(text: &str, expires_at_ms: Option<i64>) -> StateValue {
    StateValue { value: text.to_owned(), expires_at_ms }
}

/// Commits what a function does, with a definition for the runs to point to.
fn committed<T>(store: &mut dyn Store, change: impl FnOnce(&mut dyn Store) -> T) -> T {
    store.begin().unwrap();
    assert_eq!(store.define("orders", "hash", "{}", 0).unwrap(), 1);
    let done = change(store);
    store.commit().unwrap();
    done
}

fn commit(store: &mut dyn Store, writes: &[Write<'_>]) {
    committed(store, |store| writes.iter().for_each(|write| store.write(write).unwrap()));
}

fn refused(store: &mut dyn Store, write: &Write<'_>) {
    store.begin().unwrap();
    assert_eq!(store.write(write).unwrap_err().code, Code::InvariantBroken, "{write:?}");
    store.rollback();
}

/// One of everything a store can keep about run 1, and about the run of this number.
fn one_of_everything(store: &mut dyn Store, number: i64) {
    let claim = Claim { run: id(number), fingerprint: "one".to_owned() };
    assert_eq!(store.claim("orders", "key", &claim).unwrap(), None);
    for write in [
        Write::InsertRun(run_from(number, Origin { idempotency_key: Some("key".into()), ..origin() })),
        Write::InsertStep(new_step(number, 1)),
        Write::SetTimer(id(number), Some(5)),
        Write::OpenWait(place(number, "wait", ""), "paid".into()),
        Write::OpenApproval(place(number, "ask", ""), format!("hash of {number}"), 10, Some(20)),
        Write::SetCircuit("bank".into(), crate::model::CircuitRow { failures: 1, open_until_ms: Some(7) }),
    ] {
        store.write(&write).unwrap();
    }
    store.insert_event("paid", Some("1"), 0).unwrap();
    store.set_state("orders", "count", Some(&value("1", Some(50)))).unwrap();
    store.set_paused("orders", true).unwrap();
    store.add_start("orders", "", Start { at_ms: 30, has_begun: true }, 5, 0).unwrap();
}

fn reads_own_writes(store: &mut dyn Store) {
    store.begin().unwrap();
    let definition = store.define("orders", "hash", "{}", 0).unwrap();
    one_of_everything(store, 1);
    assert_eq!(store.definition(definition).unwrap().as_deref(), Some("{}"));
    assert!(store.run(id(1)).unwrap().is_some());
    assert_eq!(store.summary(id(1)).unwrap().unwrap().steps.len(), 1);
    assert_eq!(store.history(id(1), 0, 10).unwrap().len(), 1);
    assert_eq!(store.output(id(1), 1).unwrap().as_deref(), Some(r#"{"b": 2}"#));
    assert_eq!(store.ready_runs("orders").unwrap(), [id(1)]);
    assert_eq!(store.due_timers(5, 10).unwrap(), [Timer { due_at_ms: 5, run: id(1) }]);
    assert_eq!(store.next_timer().unwrap(), Some(5));
    assert_eq!(store.last_run().unwrap(), Some(id(1)));
    let claim = Claim { run: id(1), fingerprint: "one".to_owned() };
    assert_eq!(store.claim("orders", "key", &claim).unwrap(), Some(claim));
    assert_eq!(store.list(&crate::model::RunFilter { limit: 10, ..Default::default() }).unwrap().len(), 1);
    assert_eq!(store.events().unwrap().len(), 1);
    assert!(store.is_awaited("paid").unwrap());
    assert_eq!(store.waits("paid", 1, None, 10).unwrap(), [place(1, "wait", "")]);
    assert!(store.next_event(&place(1, "wait", ""), "paid").unwrap().is_some());
    assert!(store.approval("hash of 1").unwrap().is_some());
    assert_eq!(store.approvals(None, 10).unwrap().len(), 1);
    assert_eq!(store.state("orders", "count", 49).unwrap(), Some(value("1", Some(50))));
    assert_eq!(store.next_expiry().unwrap(), Some(50));
    assert_eq!(store.circuits().unwrap().len(), 1);
    assert_eq!(store.paused().unwrap(), ["orders"]);
    assert_eq!(store.starts("orders", "", 1).unwrap().latest_ms, Some(30));
    store.commit().unwrap();
}

/// Everything that was there before is there again, and nothing else.
fn takes_back_what_was_rolled_back(store: &mut dyn Store) {
    committed(store, |store| one_of_everything(store, 1));
    let before = picture(store);

    store.begin().unwrap();
    let definition = store.define("orders", "other hash", "{}", 0).unwrap();
    for write in [
        Write::InsertRun(new_run(2)),
        Write::InsertStep(new_step(1, 2)),
        Write::SetTimer(id(1), Some(7)),
        Write::SetTimer(id(1), None),
        Write::SetTimer(id(2), Some(1)),
        Write::SetHookQueued(id(1), true),
        Write::SetDefinition(id(1), definition),
        Write::SetStatus(id(1), RunStatus::Waiting),
        Write::EndRun(end(1, RunStatus::Failed, true)),
        Write::CloseRun(id(1)),
        Write::ReopenRun(id(1)),
        Write::ParkRun(id(1), "1".into()),
        Write::OpenWait(place(2, "wait", "3"), "paid".into()),
        Write::AdvanceWait(place(1, "wait", ""), "paid".into(), 2),
        Write::CloseWait(place(1, "wait", ""), "paid".into()),
        Write::OpenApproval(place(2, "ask", ""), "hash of 2".to_owned(), 10, None),
        Write::CloseApproval(place(1, "ask", ""), crate::model::ApprovalStatus::Approved),
        Write::SetCircuit("bank".into(), crate::model::CircuitRow { failures: 2, open_until_ms: None }),
        Write::SetCircuit("post".into(), crate::model::CircuitRow { failures: 1, open_until_ms: None }),
    ] {
        store.write(&write).unwrap();
    }
    let claim = Claim { run: id(2), fingerprint: "one".to_owned() };
    assert_eq!(store.claim("orders", "other key", &claim).unwrap(), None);
    store.insert_event("paid", None, 1).unwrap();
    store.forget_events("paid").unwrap();
    store.set_state("orders", "count", Some(&value("2", None))).unwrap();
    store.set_state("orders", "other", Some(&value("3", Some(1)))).unwrap();
    store.expire_state(60, 10).unwrap();
    store.set_state("orders", "count", None).unwrap();
    store.set_paused("orders", false).unwrap();
    store.set_paused("mails", true).unwrap();
    store.add_start("orders", "", Start { at_ms: 40, has_begun: true }, 1, 35).unwrap();
    store.delete_run(id(1)).unwrap();
    store.rollback();

    assert_eq!(picture(store), before);
    assert_eq!(store.definition(definition).unwrap(), None);
    assert!(store.run(id(2)).unwrap().is_none());
    assert_eq!(store.last_run().unwrap(), Some(id(1)));
    store.begin().unwrap();
    assert_eq!(store.claim("orders", "other key", &claim).unwrap(), None);
    assert_eq!(store.insert_event("paid", None, 1).unwrap(), 2);
    store.rollback();
    // Rolling back when nothing is open is harmless: a failed `begin` or `commit` may have done so already.
    store.rollback();
}

/// All that a store says of run 1 and of what is not of one run.
fn picture(store: &mut dyn Store) -> String {
    let claim = Claim { run: id(1), fingerprint: "one".to_owned() };
    store.begin().unwrap();
    let key = store.claim("orders", "key", &claim).unwrap();
    store.rollback();
    let about_run = (
        store.run(id(1)).unwrap(),
        store.summary(id(1)).unwrap(),
        store.history(id(1), 0, 10).unwrap(),
        store.due_timers(i64::MAX, 10).unwrap(),
        store.next_timer().unwrap(),
        store.approval("hash of 1").unwrap(),
        store.approval("hash of 2").unwrap(),
        store.approvals(None, 10).unwrap(),
        key,
    );
    let about_all = (
        store.events().unwrap(),
        store.waits("paid", i64::MAX, None, 10).unwrap(),
        store.next_event(&place(1, "wait", ""), "paid").unwrap(),
        store.state("orders", "count", 0).unwrap(),
        store.state("orders", "other", 0).unwrap(),
        store.next_expiry().unwrap(),
        store.circuits().unwrap(),
        store.paused().unwrap(),
        store.starts("orders", "", 1).unwrap(),
    );
    format!("{about_run:#?} {about_all:#?}")
}
