//! What every store does, whatever it is made of: one list of behaviours, run against each of them.

use std::borrow::Cow;

use super::{Claim, Durability, MemoryStore, SqliteStore, Store};
use crate::error::Code;
use crate::ids::RunId;
use crate::model::{Handler, NewRun, NewStep, RunEnd, RunFilter, RunStatus, StepStatus, Timer, TimerKind, Write};

type Case = (&'static str, fn(&mut dyn Store));

const CASES: &[Case] = &[
    ("stores a run as it was given", stores_a_run),
    ("stores attempts as they were given, and pages through them", stores_attempts),
    ("refuses to store a run or an attempt twice", refuses_duplicates),
    ("refuses to change a run that is not stored", refuses_unknown_runs),
    ("reads the writes of the open transaction", reads_own_writes),
    ("forgets everything that was rolled back", forgets_what_was_rolled_back),
    ("numbers definitions by workflow and hash", numbers_definitions),
    ("gives timers by due time, up to a limit", orders_timers),
    ("keeps one timer of each kind per run", replaces_timers),
    ("gives the ready runs of a workflow, oldest first", finds_ready_runs),
    ("gives a claimed key back to its first run", keeps_claims),
    ("ends a run with the output of an attempt", ends_runs),
    ("parks and closes runs", parks_and_closes),
    ("remembers that a hook queues", remembers_queued_hooks),
    ("lists runs by filter, newest first, in pages", lists_runs),
    ("knows the greatest run id", knows_the_last_run),
];

fn check(name: &str, mut new_store: impl FnMut() -> Box<dyn Store>) {
    for (case, behaviour) in CASES {
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

fn new_run(number: i64) -> NewRun<'static> {
    NewRun {
        id: id(number),
        definition: 1,
        workflow_id: "orders",
        status: RunStatus::Running,
        payload: Some(r#"{"a": 1}"#),
        trigger: Some("null"),
        created_at_ms: 1_000 + number,
    }
}

fn new_step(number: i64, sequence: u32) -> NewStep<'static> {
    NewStep {
        run: id(number),
        sequence,
        name: "pack",
        handler: Handler::Body,
        attempt: 1,
        status: StepStatus::Completed,
        output: Some(r#"{"b": 2}"#),
        error: None,
        retry_at_ms: None,
        started_at_ms: Some(2_000),
        finished_at_ms: 3_000,
    }
}

/// Commits these writes, with a definition for the runs to point to.
fn commit(store: &mut dyn Store, writes: &[Write<'_>]) {
    store.begin().unwrap();
    assert_eq!(store.define("orders", "hash", "{}", 0).unwrap(), 1);
    for write in writes {
        store.write(write).unwrap();
    }
    store.commit().unwrap();
}

fn refused(store: &mut dyn Store, write: &Write<'_>) {
    store.begin().unwrap();
    assert_eq!(store.write(write).unwrap_err().code, Code::InvariantBroken, "{write:?}");
    store.rollback();
}

fn stores_a_run(store: &mut dyn Store) {
    commit(store, &[Write::InsertRun(new_run(1))]);
    let row = store.run(id(1)).unwrap().unwrap();
    assert_eq!((row.id, &*row.workflow_id, row.definition), (id(1), "orders", 1));
    assert_eq!((row.status, row.open, row.created_at_ms, row.finished_at_ms), (RunStatus::Running, true, 1_001, None));
    assert_eq!((row.payload.as_deref(), row.trigger.as_deref()), (Some(r#"{"a": 1}"#), Some("null")));
    assert_eq!((row.output, row.error), (None, None));
    commit(store, &[Write::SetStatus(id(1), RunStatus::Waiting)]);
    let summary = store.summary(id(1)).unwrap().unwrap();
    assert_eq!((summary.id, summary.definition, &*summary.workflow_id), (id(1), 1, "orders"));
    assert_eq!((summary.status, summary.open, summary.created_at_ms), (RunStatus::Waiting, true, 1_001));
    assert!(summary.steps.is_empty());
    assert!(store.run(id(2)).unwrap().is_none());
    assert!(store.summary(id(2)).unwrap().is_none());
}

fn stores_attempts(store: &mut dyn Store) {
    let failed = NewStep {
        sequence: 2,
        name: "ship",
        handler: Handler::OnError,
        attempt: 3,
        status: StepStatus::Failed,
        output: None,
        error: Some(Cow::Borrowed(r#""no""#)),
        retry_at_ms: Some(9_000),
        started_at_ms: None,
        ..new_step(1, 2)
    };
    let writes = [new_step(1, 1), failed, new_step(1, 3), new_step(2, 1)].map(Write::InsertStep);
    commit(store, &[Write::InsertRun(new_run(1)), Write::InsertRun(new_run(2))]);
    commit(store, &writes);
    let history = store.history(id(1), 0, 10).unwrap();
    assert_eq!(history.iter().map(|step| step.sequence).collect::<Vec<_>>(), [1, 2, 3]);
    let step = &history[1];
    assert_eq!((&*step.name, step.handler, step.attempt), ("ship", Handler::OnError, 3));
    assert_eq!((step.status, step.output.as_deref()), (StepStatus::Failed, None));
    assert_eq!((step.error.as_deref(), step.retry_at_ms), (Some(r#""no""#), Some(9_000)));
    assert_eq!((step.started_at_ms, step.finished_at_ms), (None, 3_000));
    assert_eq!(history[0].output.as_deref(), Some(r#"{"b": 2}"#));
    assert_eq!(history[0].started_at_ms, Some(2_000));
    let page = |store: &mut dyn Store, after, limit| {
        store.history(id(1), after, limit).unwrap().iter().map(|step| step.sequence).collect::<Vec<_>>()
    };
    assert_eq!(page(store, 0, 2), [1, 2]);
    assert_eq!(page(store, 2, 2), [3]);
    assert!(page(store, 3, 2).is_empty());
    assert!(page(store, u32::MAX, 2).is_empty());
    let steps = store.summary(id(1)).unwrap().unwrap().steps;
    assert_eq!(
        steps.iter().map(|step| (step.sequence, step.retried)).collect::<Vec<_>>(),
        [(1, false), (2, true), (3, false)]
    );
    assert_eq!((&*steps[1].name, steps[1].handler, steps[1].status), ("ship", Handler::OnError, StepStatus::Failed));
}

fn refuses_duplicates(store: &mut dyn Store) {
    commit(store, &[Write::InsertRun(new_run(1)), Write::InsertStep(new_step(1, 1))]);
    refused(store, &Write::InsertRun(NewRun { payload: None, ..new_run(1) }));
    refused(store, &Write::InsertStep(NewStep { output: None, ..new_step(1, 1) }));
    assert!(store.run(id(1)).unwrap().unwrap().payload.is_some());
    assert!(store.history(id(1), 0, 10).unwrap()[0].output.is_some());
}

fn refuses_unknown_runs(store: &mut dyn Store) {
    refused(store, &Write::SetStatus(id(1), RunStatus::Waiting));
    refused(store, &Write::CloseRun(id(1)));
    refused(store, &Write::SetHookQueued(id(1), true));
    refused(store, &Write::ParkRun(id(1), "null".into()));
    store.begin().unwrap();
    store.write(&Write::ClearTimer(id(1), TimerKind::Wake)).unwrap();
    store.commit().unwrap();
}

fn reads_own_writes(store: &mut dyn Store) {
    store.begin().unwrap();
    let definition = store.define("orders", "hash", "{}", 0).unwrap();
    store.write(&Write::InsertRun(new_run(1))).unwrap();
    store.write(&Write::InsertStep(new_step(1, 1))).unwrap();
    store.write(&Write::SetTimer(id(1), TimerKind::Wake, 5)).unwrap();
    let claim = Claim { run: id(1), fingerprint: "one".to_owned() };
    assert_eq!(store.claim("orders", "key", &claim).unwrap(), None);
    assert_eq!(store.definition(definition).unwrap().as_deref(), Some("{}"));
    assert!(store.run(id(1)).unwrap().is_some());
    assert_eq!(store.summary(id(1)).unwrap().unwrap().steps.len(), 1);
    assert_eq!(store.history(id(1), 0, 10).unwrap().len(), 1);
    assert_eq!(store.ready_runs("orders").unwrap(), [id(1)]);
    assert_eq!(store.due_timers(5, 10).unwrap().len(), 1);
    assert_eq!(store.next_timer().unwrap(), Some(5));
    assert_eq!(store.last_run().unwrap(), Some(id(1)));
    assert_eq!(store.claim("orders", "key", &claim).unwrap(), Some(claim));
    assert_eq!(store.list(&RunFilter { limit: 10, ..RunFilter::default() }).unwrap().len(), 1);
    store.commit().unwrap();
}

fn forgets_what_was_rolled_back(store: &mut dyn Store) {
    commit(store, &[Write::InsertRun(new_run(1)), Write::SetTimer(id(1), TimerKind::Wake, 5)]);
    let claim = Claim { run: id(2), fingerprint: "one".to_owned() };
    store.begin().unwrap();
    let definition = store.define("orders", "other hash", "{}", 0).unwrap();
    assert_eq!(store.claim("orders", "key", &claim).unwrap(), None);
    for write in [
        Write::InsertRun(new_run(2)),
        Write::InsertStep(new_step(1, 1)),
        Write::SetTimer(id(1), TimerKind::Wake, 7),
        Write::SetTimer(id(1), TimerKind::Deadline, 3),
        Write::ClearTimer(id(1), TimerKind::Wake),
        Write::SetHookQueued(id(1), true),
        Write::SetStatus(id(1), RunStatus::Waiting),
        Write::EndRun(RunEnd {
            run: id(1),
            status: RunStatus::Failed,
            output_of: None,
            error: Some("1".into()),
            finished_at_ms: 9,
            open: false,
        }),
    ] {
        store.write(&write).unwrap();
    }
    store.rollback();
    assert_eq!(store.definition(definition).unwrap(), None);
    assert!(store.run(id(2)).unwrap().is_none());
    assert_eq!(store.last_run().unwrap(), Some(id(1)));
    let row = store.run(id(1)).unwrap().unwrap();
    assert_eq!((row.status, row.open, row.error, row.finished_at_ms), (RunStatus::Running, true, None, None));
    assert!(!store.summary(id(1)).unwrap().unwrap().hook_queued);
    assert!(store.history(id(1), 0, 10).unwrap().is_empty());
    assert_eq!(store.due_timers(100, 10).unwrap(), [Timer { due_at_ms: 5, run: id(1), kind: TimerKind::Wake }]);
    store.begin().unwrap();
    assert_eq!(store.claim("orders", "key", &claim).unwrap(), None);
    store.rollback();
    // Rolling back when nothing is open is harmless: a failed `begin` or `commit` may have done so already.
    store.rollback();
}

fn numbers_definitions(store: &mut dyn Store) {
    store.begin().unwrap();
    let one = store.define("orders", "hash", "first", 0).unwrap();
    assert_eq!(store.define("orders", "hash", "ignored", 1).unwrap(), one);
    let changed = store.define("orders", "changed", "second", 2).unwrap();
    let other = store.define("mails", "hash", "third", 3).unwrap();
    assert!(one != changed && one != other && changed != other);
    store.commit().unwrap();
    assert_eq!(store.definition(one).unwrap().as_deref(), Some("first"));
    assert_eq!(store.definition(other).unwrap().as_deref(), Some("third"));
    assert_eq!(store.definition(999).unwrap(), None);
}

fn orders_timers(store: &mut dyn Store) {
    assert_eq!(store.next_timer().unwrap(), None);
    let runs: Vec<_> = (1..=3).map(|number| Write::InsertRun(new_run(number))).collect();
    commit(store, &runs);
    let timers = [
        Timer { due_at_ms: 10, run: id(2), kind: TimerKind::Deadline },
        Timer { due_at_ms: 20, run: id(1), kind: TimerKind::Wake },
        Timer { due_at_ms: 20, run: id(1), kind: TimerKind::Deadline },
        Timer { due_at_ms: 20, run: id(3), kind: TimerKind::Wake },
        Timer { due_at_ms: 30, run: id(2), kind: TimerKind::Wake },
    ];
    let writes = [4, 2, 0, 3, 1].map(|place: usize| timers[place]);
    commit(store, &writes.map(|timer| Write::SetTimer(timer.run, timer.kind, timer.due_at_ms)));
    assert_eq!(store.next_timer().unwrap(), Some(10));
    assert!(store.due_timers(9, 10).unwrap().is_empty());
    assert_eq!(store.due_timers(10, 10).unwrap(), timers[..1]);
    assert_eq!(store.due_timers(29, 10).unwrap(), timers[..4]);
    assert_eq!(store.due_timers(i64::MAX, 10).unwrap(), timers);
    assert_eq!(store.due_timers(i64::MAX, 2).unwrap(), timers[..2]);
}

fn replaces_timers(store: &mut dyn Store) {
    let set = |due_at_ms| Write::SetTimer(id(1), TimerKind::Wake, due_at_ms);
    commit(store, &[Write::InsertRun(new_run(1)), set(10), set(20), Write::SetTimer(id(1), TimerKind::Deadline, 30)]);
    assert_eq!(store.due_timers(100, 10).unwrap().len(), 2);
    assert_eq!(store.next_timer().unwrap(), Some(20));
    commit(store, &[Write::ClearTimer(id(1), TimerKind::Wake)]);
    assert_eq!(store.due_timers(100, 10).unwrap(), [Timer { due_at_ms: 30, run: id(1), kind: TimerKind::Deadline }]);
}

fn end(number: i64, status: RunStatus, open: bool) -> RunEnd<'static> {
    let error = (status != RunStatus::Completed).then_some(Cow::Borrowed(r#"{"code":"no"}"#));
    RunEnd { run: id(number), status, output_of: None, error, finished_at_ms: 9_000, open }
}

fn finds_ready_runs(store: &mut dyn Store) {
    store.begin().unwrap();
    let mails = store.define("mails", "hash", "{}", 0).unwrap();
    store.rollback();
    commit(
        store,
        &[
            Write::InsertRun(NewRun { status: RunStatus::Pending, ..new_run(5) }),
            Write::InsertRun(new_run(1)),
            Write::InsertRun(NewRun { status: RunStatus::Waiting, ..new_run(2) }),
            Write::InsertRun(new_run(3)),
            Write::InsertRun(new_run(4)),
            Write::InsertRun(NewRun { workflow_id: "mails", definition: mails, ..new_run(6) }),
            Write::InsertRun(new_run(7)),
            Write::EndRun(end(3, RunStatus::Completed, false)),
            Write::EndRun(end(4, RunStatus::Failed, true)),
            Write::ParkRun(id(7), "null".into()),
        ],
    );
    assert_eq!(store.ready_runs("orders").unwrap(), [id(1), id(4), id(5)]);
    assert_eq!(store.ready_runs("mails").unwrap(), [id(6)]);
    assert!(store.ready_runs("unknown").unwrap().is_empty());
}

fn keeps_claims(store: &mut dyn Store) {
    let first = Claim { run: id(1), fingerprint: "one".to_owned() };
    let second = Claim { run: id(2), fingerprint: "two".to_owned() };
    store.begin().unwrap();
    assert_eq!(store.claim("orders", "key", &first).unwrap(), None);
    assert_eq!(store.claim("mails", "key", &second).unwrap(), None);
    assert_eq!(store.claim("orders", "other key", &second).unwrap(), None);
    store.commit().unwrap();
    store.begin().unwrap();
    assert_eq!(store.claim("orders", "key", &second).unwrap(), Some(first));
    assert_eq!(store.claim("mails", "key", &second).unwrap(), Some(second));
    store.rollback();
}

fn ends_runs(store: &mut dyn Store) {
    commit(
        store,
        &[
            Write::InsertRun(new_run(1)),
            Write::InsertRun(new_run(2)),
            Write::InsertStep(NewStep { output: Some("1"), ..new_step(1, 1) }),
            Write::InsertStep(NewStep { output: Some("2"), ..new_step(1, 2) }),
            Write::InsertStep(new_step(2, 1)),
            Write::EndRun(RunEnd { output_of: Some(1), ..end(1, RunStatus::Completed, false) }),
            Write::EndRun(end(2, RunStatus::Failed, true)),
        ],
    );
    let completed = store.run(id(1)).unwrap().unwrap();
    assert_eq!(
        (completed.status, completed.open, completed.finished_at_ms),
        (RunStatus::Completed, false, Some(9_000))
    );
    assert_eq!((completed.output.as_deref(), completed.error), (Some("1"), None));
    let failed = store.run(id(2)).unwrap().unwrap();
    assert_eq!((failed.status, failed.open, failed.output), (RunStatus::Failed, true, None));
    assert_eq!(failed.error.as_deref(), Some(r#"{"code":"no"}"#));
}

fn parks_and_closes(store: &mut dyn Store) {
    let writes = [Write::InsertRun(new_run(1)), Write::InsertRun(new_run(2))];
    commit(store, &writes);
    commit(store, &[Write::ParkRun(id(1), r#"{"code":"definition_changed"}"#.into())]);
    let parked = store.run(id(1)).unwrap().unwrap();
    assert_eq!((parked.status, parked.open, parked.finished_at_ms), (RunStatus::Stuck, false, None));
    assert_eq!(parked.error.as_deref(), Some(r#"{"code":"definition_changed"}"#));
    commit(store, &[Write::EndRun(end(2, RunStatus::Completed, true))]);
    assert_eq!(store.ready_runs("orders").unwrap(), [id(2)]);
    commit(store, &[Write::CloseRun(id(2))]);
    assert!(store.ready_runs("orders").unwrap().is_empty());
    assert_eq!(store.run(id(2)).unwrap().unwrap().status, RunStatus::Completed);
}

fn remembers_queued_hooks(store: &mut dyn Store) {
    let ended = Write::EndRun(end(1, RunStatus::Failed, true));
    commit(store, &[Write::InsertRun(new_run(1)), ended, Write::SetHookQueued(id(1), true)]);
    assert!(store.summary(id(1)).unwrap().unwrap().hook_queued);
    commit(store, &[Write::SetHookQueued(id(1), false)]);
    assert!(!store.summary(id(1)).unwrap().unwrap().hook_queued);
}

fn lists_runs(store: &mut dyn Store) {
    let mut writes: Vec<_> = (1..=6).map(|number| Write::InsertRun(new_run(number))).collect();
    writes.push(Write::InsertRun(NewRun { workflow_id: "mails", ..new_run(7) }));
    writes.push(Write::EndRun(end(2, RunStatus::Failed, false)));
    writes.push(Write::EndRun(end(4, RunStatus::Failed, false)));
    writes.push(Write::EndRun(end(5, RunStatus::Completed, false)));
    commit(store, &writes);
    let mut list = |filter: RunFilter| -> Vec<i64> {
        store.list(&filter).unwrap().iter().map(|row| row.id.to_integer()).collect()
    };
    let all = RunFilter { limit: 100, ..RunFilter::default() };
    assert_eq!(list(all.clone()), [7, 6, 5, 4, 3, 2, 1]);
    assert_eq!(list(RunFilter { workflow_id: Some("mails".to_owned()), ..all.clone() }), [7]);
    assert_eq!(list(RunFilter { status: Some(RunStatus::Failed), ..all.clone() }), [4, 2]);
    assert_eq!(list(RunFilter { status: Some(RunStatus::Completed), ..all.clone() }), [5]);
    assert_eq!(list(RunFilter { status: Some(RunStatus::Running), ..all.clone() }), [7, 6, 3, 1]);
    assert_eq!(list(RunFilter { since_ms: Some(1_006), ..all.clone() }), [7, 6]);
    let page = RunFilter { workflow_id: Some("orders".to_owned()), limit: 2, ..RunFilter::default() };
    assert_eq!(list(page.clone()), [6, 5]);
    assert_eq!(list(RunFilter { before: Some(id(5)), ..page.clone() }), [4, 3]);
    assert_eq!(list(RunFilter { before: Some(id(1)), ..page.clone() }), [] as [i64; 0]);
    let everything = RunFilter { status: Some(RunStatus::Failed), before: Some(id(4)), since_ms: Some(1_002), ..page };
    assert_eq!(list(everything), [2]);
}

fn knows_the_last_run(store: &mut dyn Store) {
    assert_eq!(store.last_run().unwrap(), None);
    commit(store, &[Write::InsertRun(new_run(9)), Write::InsertRun(new_run(4))]);
    assert_eq!(store.last_run().unwrap(), Some(id(9)));
    commit(store, &[Write::EndRun(end(9, RunStatus::Completed, false))]);
    assert_eq!(store.last_run().unwrap(), Some(id(9)));
}
