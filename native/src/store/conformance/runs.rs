//! Runs, their attempts, their timers and their keys.

use super::*;
use crate::model::RunFilter;

pub const CASES: &[Case] = &[
    ("stores a run as it was given", stores_a_run),
    ("stores where a run comes from", stores_origins),
    ("stores attempts as they were given, and pages through them", stores_attempts),
    ("summarises attempts by what the machine goes by", summarises_attempts),
    ("gives the output of one attempt", gives_outputs),
    ("refuses an output that is not put together", refuses_loose_outputs),
    ("refuses to store a run or an attempt twice", refuses_duplicates),
    ("refuses to change a run that is not stored", refuses_unknown_runs),
    ("numbers definitions by workflow and hash", numbers_definitions),
    ("gives timers by due time, up to a limit", orders_timers),
    ("keeps one timer per run", replaces_timers),
    ("finds what waits to begin and has no timer for it", finds_withheld_starts),
    ("gives the ready runs of a workflow, oldest first", finds_ready_runs),
    ("gives the parked runs of a workflow and a definition, oldest first", finds_parked_runs),
    ("counts the runs that are stuck, and the open ones of other workflows", counts_unattended_runs),
    ("gives a claimed key back to its first run", keeps_claims),
    ("ends a run with the output of an attempt", ends_runs),
    ("parks and closes runs", parks_and_closes),
    ("reopens a run as if it had not ended", reopens_runs),
    ("moves a run to another definition", changes_definitions),
    ("remembers that a hook queues", remembers_queued_hooks),
    ("deletes a run with all that is its own, and nothing else", deletes_runs),
    ("lists runs by filter, newest first, in pages", lists_runs),
    ("lists the same by every combination of filters, also when clocks have gone back", lists_by_every_filter),
    ("knows the greatest run id", knows_the_last_run),
];

fn stores_a_run(store: &mut dyn Store) {
    commit(store, &[Write::InsertRun(new_run(1))]);
    let row = store.run(id(1)).unwrap().unwrap();
    assert_eq!((row.id, &*row.workflow_id, row.definition), (id(1), "orders", 1));
    assert_eq!((row.status, row.open, row.created_at_ms, row.finished_at_ms), (RunStatus::Running, true, 1_001, None));
    assert_eq!((row.payload.as_deref(), row.trigger.as_deref()), (Some(r#"{"a": 1}"#), Some("null")));
    assert_eq!((row.output, row.error), (None, None));
    assert_eq!((row.parent, row.replay_of, row.start_at_ms), (None, None, None));
    commit(store, &[Write::SetStatus(id(1), RunStatus::Waiting)]);
    let summary = store.summary(id(1)).unwrap().unwrap();
    assert_eq!((summary.id, summary.definition, &*summary.workflow_id), (id(1), 1, "orders"));
    assert_eq!((summary.status, summary.open, summary.created_at_ms), (RunStatus::Waiting, true, 1_001));
    assert_eq!((summary.hook_queued, summary.priority, summary.depth, summary.parent), (false, 0, 0, None));
    assert_eq!((summary.start_at_ms, summary.timer_due_at_ms), (None, None));
    assert_eq!((summary.concurrency_key, summary.mocks, summary.error), (None, None, None));
    assert!(summary.steps.is_empty());
    assert!(store.run(id(2)).unwrap().is_none());
    assert!(store.summary(id(2)).unwrap().is_none());
}

fn stores_origins(store: &mut dyn Store) {
    let from = Origin {
        payload: None,
        trigger: None,
        start_at_ms: Some(8_000),
        priority: -3,
        concurrency_key: Some("tenant".into()),
        rate_key: Some("account".into()),
        idempotency_key: Some("key".into()),
        parent: Some(id(1)),
        depth: 2,
        replay_of: Some(id(3)),
        mocks: Some(r#"{"pack":1}"#.into()),
        instant: None,
    };
    commit(store, &[Write::InsertRun(run_from(4, from)), Write::SetTimer(id(4), Some(8_000))]);
    let row = store.run(id(4)).unwrap().unwrap();
    assert_eq!((row.payload, row.trigger), (None, None));
    assert_eq!((row.parent, row.replay_of, row.start_at_ms), (Some(id(1)), Some(id(3)), Some(8_000)));
    let summary = store.summary(id(4)).unwrap().unwrap();
    assert_eq!((summary.priority, summary.depth, summary.parent), (-3, 2, Some(id(1))));
    assert_eq!((summary.start_at_ms, summary.timer_due_at_ms), (Some(8_000), Some(8_000)));
    assert_eq!(summary.concurrency_key.as_deref(), Some("tenant"));
    assert_eq!(summary.mocks.as_deref(), Some(r#"{"pack":1}"#));
    assert_eq!(summary.rate_key.as_deref(), Some("account"));
    commit(store, &[Write::Reserve(id(4), 9_000)]);
    let summary = store.summary(id(4)).unwrap().unwrap();
    assert_eq!((summary.start_at_ms, summary.rate_key.as_deref()), (Some(9_000), Some("account")));
    commit(store, &[Write::Begin(id(4))]);
    let summary = store.summary(id(4)).unwrap().unwrap();
    assert_eq!((summary.start_at_ms, summary.rate_key), (Some(9_000), None));
}

/// An attempt with everything that the usual one does not have.
fn failed_step(sequence: u32) -> NewStep<'static> {
    NewStep {
        name: "ship",
        scope: "3.17".into(),
        handler: Handler::OnError,
        attempt: 3,
        status: StepStatus::Failed,
        output: Output::Absent,
        decision: Some(-7),
        error: Some(r#""no""#.into()),
        retry_at_ms: Some(9_000),
        started_at_ms: None,
        ..new_step(1, sequence)
    }
}

fn stores_attempts(store: &mut dyn Store) {
    commit(store, &[Write::InsertRun(new_run(1)), Write::InsertRun(new_run(2))]);
    commit(store, &[new_step(1, 1), failed_step(2), new_step(1, 3), new_step(2, 1)].map(Write::InsertStep));
    let history = store.history(id(1), 0, 10).unwrap();
    assert_eq!(history.iter().map(|step| step.sequence).collect::<Vec<_>>(), [1, 2, 3]);
    let step = &history[1];
    assert_eq!((&*step.name, &*step.scope, step.handler, step.attempt), ("ship", "3.17", Handler::OnError, 3));
    assert_eq!((step.status, step.output.as_deref(), step.decision), (StepStatus::Failed, None, Some(-7)));
    assert_eq!((step.error.as_deref(), step.retry_at_ms), (Some(r#""no""#), Some(9_000)));
    assert_eq!((step.started_at_ms, step.finished_at_ms), (None, 3_000));
    let step = &history[0];
    assert_eq!((&*step.scope, step.output.as_deref(), step.decision), ("", Some(r#"{"b": 2}"#), None));
    assert_eq!(step.started_at_ms, Some(2_000));
    let page = |store: &mut dyn Store, after, limit| {
        store.history(id(1), after, limit).unwrap().iter().map(|step| step.sequence).collect::<Vec<_>>()
    };
    assert_eq!(page(store, 0, 2), [1, 2]);
    assert_eq!(page(store, 2, 2), [3]);
    assert!(page(store, 3, 2).is_empty());
    assert!(page(store, u32::MAX, 2).is_empty());
}

fn summarises_attempts(store: &mut dyn Store) {
    let error = || Some(r#""no""#.into());
    let for_good = |status| NewStep { status, retry_at_ms: None, ..failed_step(0) };
    let steps = [
        NewStep { output: Output::Text(r#""ü€""#.into()), decision: Some(4), ..new_step(1, 1) },
        NewStep { output: Output::Absent, ..new_step(1, 2) },
        failed_step(3),
        NewStep { sequence: 4, ..for_good(StepStatus::Failed) },
        NewStep { sequence: 5, ..for_good(StepStatus::TimedOut) },
        NewStep { status: StepStatus::Interrupted, error: error(), output: Output::Absent, ..new_step(1, 6) },
        NewStep { status: StepStatus::Cancelled, error: error(), output: Output::Absent, ..new_step(1, 7) },
    ];
    commit(store, &[Write::InsertRun(new_run(1))]);
    commit(store, &steps.map(Write::InsertStep));
    let steps = store.summary(id(1)).unwrap().unwrap().steps;
    assert_eq!(steps.iter().map(|step| step.sequence).collect::<Vec<_>>(), [1, 2, 3, 4, 5, 6, 7]);
    let (first, third) = (&steps[0], &steps[2]);
    assert_eq!((&*first.name, &*first.scope, first.handler, first.finished_at_ms), ("pack", "", Handler::Body, 3_000));
    assert_eq!((first.decision, first.output_bytes), (Some(4), Some(7)), "bytes, not characters");
    assert_eq!(steps[1].output_bytes, None);
    assert_eq!((&*third.name, &*third.scope, third.handler), ("ship", "3.17", Handler::OnError));
    assert_eq!((third.status, third.decision, third.retry_at_ms), (StepStatus::Failed, Some(-7), Some(9_000)));
    // Only what failed for good has its error read: the others' errors no longer matter.
    let errors: Vec<bool> = steps.iter().map(|step| step.error.as_deref() == Some(r#""no""#)).collect();
    assert_eq!(errors, [false, false, false, true, true, false, false]);
    assert!(steps.iter().all(|step| step.error.is_none() || step.error.as_deref() == Some(r#""no""#)));
}

fn gives_outputs(store: &mut dyn Store) {
    commit(store, &[Write::InsertRun(new_run(1)), Write::InsertRun(new_run(2)), Write::InsertStep(new_step(1, 1))]);
    commit(store, &[Write::InsertStep(NewStep { output: Output::Absent, ..new_step(1, 2) })]);
    assert_eq!(store.output(id(1), 1).unwrap().as_deref(), Some(r#"{"b": 2}"#));
    assert_eq!(store.output(id(1), 2).unwrap(), None);
    assert!(store.output(id(1), 3).is_err());
    assert!(store.output(id(2), 1).is_err());
}

fn refuses_loose_outputs(store: &mut dyn Store) {
    commit(store, &[Write::InsertRun(new_run(1)), Write::InsertStep(new_step(1, 1))]);
    for output in [Output::Copy(1), Output::List(vec![Some(1)]), Output::Object(Vec::new())] {
        refused(store, &Write::InsertStep(NewStep { output, ..new_step(1, 2) }));
    }
}

fn refuses_duplicates(store: &mut dyn Store) {
    commit(store, &[Write::InsertRun(new_run(1)), Write::InsertStep(new_step(1, 1))]);
    refused(store, &Write::InsertRun(run_from(1, Origin::default())));
    refused(store, &Write::InsertStep(NewStep { output: Output::Absent, ..new_step(1, 1) }));
    assert!(store.run(id(1)).unwrap().unwrap().payload.is_some());
    assert!(store.history(id(1), 0, 10).unwrap()[0].output.is_some());
}

fn refuses_unknown_runs(store: &mut dyn Store) {
    refused(store, &Write::SetStatus(id(1), RunStatus::Waiting));
    refused(store, &Write::CloseRun(id(1)));
    refused(store, &Write::SetHookQueued(id(1), true));
    refused(store, &Write::SetDefinition(id(1), 1));
    refused(store, &Write::ParkRun(id(1), "null".into()));
    refused(store, &Write::ReopenRun(id(1)));
    refused(store, &Write::EndRun(end(1, RunStatus::Failed, false)));
    // What is gone already may be taken away again.
    commit(store, &[Write::SetTimer(id(1), None)]);
    committed(store, |store| store.delete_run(id(1)).unwrap());
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
    let runs: Vec<_> = (1..=4).map(|number| Write::InsertRun(new_run(number))).collect();
    commit(store, &runs);
    let timers = [(10, 4), (20, 1), (20, 3), (30, 2)].map(|(due_at_ms, run)| Timer { due_at_ms, run: id(run) });
    let writes = [3, 2, 0, 1].map(|place: usize| timers[place]);
    commit(store, &writes.map(|timer| Write::SetTimer(timer.run, Some(timer.due_at_ms))));
    assert_eq!(store.next_timer().unwrap(), Some(10));
    assert!(store.due_timers(9, 10).unwrap().is_empty());
    assert_eq!(store.due_timers(10, 10).unwrap(), timers[..1]);
    assert_eq!(store.due_timers(29, 10).unwrap(), timers[..3]);
    assert_eq!(store.due_timers(i64::MAX, 10).unwrap(), timers);
    assert_eq!(store.due_timers(i64::MAX, 2).unwrap(), timers[..2]);
}

fn finds_withheld_starts(store: &mut dyn Store) {
    let limited =
        |start_at_ms| Origin { start_at_ms: Some(start_at_ms), rate_key: Some("".into()), ..Origin::default() };
    let waiting = |run, origin| NewRun { status: RunStatus::Waiting, ..run_from(run, origin) };
    commit(
        store,
        &[
            Write::InsertRun(waiting(1, limited(9_000))),
            Write::InsertRun(waiting(2, limited(8_000))),
            Write::InsertRun(waiting(3, limited(8_000))),
            // This one has a timer, but not for its beginning.
            Write::SetTimer(id(3), Some(8_001)),
            Write::InsertRun(waiting(4, limited(8_000))),
            Write::SetTimer(id(4), Some(8_000)),
            // No rate limit, and one that has begun.
            Write::InsertRun(waiting(5, Origin { rate_key: None, ..limited(8_000) })),
            Write::InsertRun(waiting(6, limited(8_000))),
            Write::Begin(id(6)),
            Write::InsertRun(NewRun { workflow_id: "mails", ..waiting(7, limited(8_000)) }),
            Write::InsertRun(NewRun { status: RunStatus::Pending, ..waiting(8, limited(8_000)) }),
        ],
    );
    let timer = |due_at_ms, run| Timer { due_at_ms, run: id(run) };
    assert_eq!(store.withheld_starts("orders").unwrap(), [timer(8_000, 2), timer(8_000, 3), timer(9_000, 1)]);
    let limited = |due_at_ms, run| (String::new(), timer(due_at_ms, run));
    let all = [limited(8_000, 2), limited(8_000, 3), limited(8_000, 4), limited(9_000, 1)];
    assert_eq!(store.limited_runs("orders", 7_999).unwrap(), all);
    assert_eq!(store.limited_runs("orders", 8_000).unwrap(), all[3..]);
}

fn replaces_timers(store: &mut dyn Store) {
    let set = |due_at_ms| Write::SetTimer(id(1), Some(due_at_ms));
    commit(store, &[Write::InsertRun(new_run(1)), set(20), set(10), set(30)]);
    assert_eq!(store.due_timers(100, 10).unwrap(), [Timer { due_at_ms: 30, run: id(1) }]);
    assert_eq!(store.next_timer().unwrap(), Some(30));
    assert_eq!(store.summary(id(1)).unwrap().unwrap().timer_due_at_ms, Some(30));
    commit(store, &[Write::SetTimer(id(1), None)]);
    assert!(store.due_timers(100, 10).unwrap().is_empty());
    assert_eq!(store.next_timer().unwrap(), None);
    assert_eq!(store.summary(id(1)).unwrap().unwrap().timer_due_at_ms, None);
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

fn finds_parked_runs(store: &mut dyn Store) {
    let other = committed(store, |store| store.define("orders", "changed", "{}", 0).unwrap());
    let mut writes: Vec<_> = [5, 1, 2, 4].map(|number| Write::InsertRun(new_run(number))).into();
    writes.push(Write::InsertRun(NewRun { definition: other, ..new_run(3) }));
    writes.push(Write::InsertRun(NewRun { workflow_id: "mails", ..new_run(6) }));
    writes.extend([6, 5, 3, 2].map(|number| Write::ParkRun(id(number), "null".into())));
    writes.push(Write::EndRun(end(4, RunStatus::Failed, false)));
    commit(store, &writes);
    assert_eq!(store.parked_runs("orders", 1).unwrap(), [id(2), id(5)]);
    assert_eq!(store.parked_runs("orders", other).unwrap(), [id(3)]);
    assert!(store.parked_runs("orders", 999).unwrap().is_empty());
    commit(store, &[Write::ReopenRun(id(2))]);
    assert_eq!(store.parked_runs("orders", 1).unwrap(), [id(5)]);
}

fn counts_unattended_runs(store: &mut dyn Store) {
    let counts = |store: &mut dyn Store, known: &[&str]| {
        let known: Vec<String> = known.iter().map(|id| (*id).to_owned()).collect();
        (store.stuck_counts().unwrap(), store.open_counts_but(&known).unwrap())
    };
    let of = |workflow: &str, count: u32| (workflow.to_owned(), count);
    assert_eq!(counts(store, &[]), (vec![], vec![]));
    let mut writes: Vec<_> = [1, 2, 3, 4, 5].map(|number| Write::InsertRun(new_run(number))).into();
    let mails = committed(store, |store| store.define("mails", "hash", "{}", 0).unwrap());
    let of_mails = |number| NewRun { workflow_id: "mails", definition: mails, ..new_run(number) };
    writes.extend([6, 7].map(|number| Write::InsertRun(of_mails(number))));
    writes.push(Write::SetStatus(id(2), RunStatus::Waiting));
    writes.extend([3, 7].map(|number| Write::ParkRun(id(number), "null".into())));
    writes.push(Write::EndRun(end(4, RunStatus::Failed, false)));
    // One that has ended, and whose hook is still to be called.
    writes.push(Write::EndRun(end(5, RunStatus::Failed, true)));
    commit(store, &writes);
    let stuck = vec![of("mails", 1), of("orders", 1)];
    assert_eq!(counts(store, &[]), (stuck.clone(), vec![of("mails", 1), of("orders", 3)]));
    assert_eq!(counts(store, &["mails"]), (stuck.clone(), vec![of("orders", 3)]));
    assert_eq!(counts(store, &["mails", "orders", "other"]), (stuck, vec![]));
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
    let output = |text: &'static str| Output::Text(text.into());
    commit(
        store,
        &[
            Write::InsertRun(new_run(1)),
            Write::InsertRun(new_run(2)),
            Write::InsertStep(NewStep { output: output("1"), ..new_step(1, 1) }),
            Write::InsertStep(NewStep { output: output("2"), ..new_step(1, 2) }),
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
    assert_eq!(store.summary(id(2)).unwrap().unwrap().error.as_deref(), Some(r#"{"code":"no"}"#));
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

fn reopens_runs(store: &mut dyn Store) {
    commit(
        store,
        &[
            Write::InsertRun(new_run(1)),
            Write::InsertRun(new_run(2)),
            Write::EndRun(end(1, RunStatus::Failed, true)),
            Write::SetHookQueued(id(1), true),
            Write::ParkRun(id(2), "null".into()),
            Write::ReopenRun(id(1)),
            Write::ReopenRun(id(2)),
        ],
    );
    for number in [1, 2] {
        let row = store.run(id(number)).unwrap().unwrap();
        assert_eq!((row.status, row.open, row.error, row.finished_at_ms), (RunStatus::Pending, true, None, None));
        assert!(!store.summary(id(number)).unwrap().unwrap().hook_queued);
    }
    assert_eq!(store.ready_runs("orders").unwrap(), [id(1), id(2)]);
}

fn changes_definitions(store: &mut dyn Store) {
    let other = committed(store, |store| store.define("orders", "changed", "{}", 0).unwrap());
    commit(store, &[Write::InsertRun(new_run(1)), Write::InsertRun(new_run(2)), Write::SetDefinition(id(1), other)]);
    assert_eq!(store.summary(id(1)).unwrap().unwrap().definition, other);
    assert_eq!(store.run(id(1)).unwrap().unwrap().definition, other);
    assert_eq!(store.run(id(2)).unwrap().unwrap().definition, 1);
}

fn remembers_queued_hooks(store: &mut dyn Store) {
    let ended = Write::EndRun(end(1, RunStatus::Failed, true));
    commit(store, &[Write::InsertRun(new_run(1)), ended, Write::SetHookQueued(id(1), true)]);
    assert!(store.summary(id(1)).unwrap().unwrap().hook_queued);
    commit(store, &[Write::SetHookQueued(id(1), false)]);
    assert!(!store.summary(id(1)).unwrap().unwrap().hook_queued);
}

fn deletes_runs(store: &mut dyn Store) {
    let keyed = |number, key: &'static str| run_from(number, Origin { idempotency_key: Some(key.into()), ..origin() });
    let claim = |number| Claim { run: id(number), fingerprint: "one".to_owned() };
    let is_free = |store: &mut dyn Store, key| {
        store.begin().unwrap();
        let earlier = store.claim("orders", key, &claim(9)).unwrap();
        store.rollback();
        earlier.is_none()
    };
    committed(store, |store| {
        for (number, key) in [(1, "one"), (2, "two")] {
            assert_eq!(store.claim("orders", key, &claim(number)).unwrap(), None);
            for write in [
                Write::InsertRun(keyed(number, key)),
                Write::InsertStep(new_step(number, 1)),
                Write::InsertStep(new_step(number, 2)),
                Write::SetTimer(id(number), Some(number)),
                Write::OpenApproval(place(number, "ask", "3"), format!("hash of {number}"), 1, None),
                Write::EndRun(end(number, RunStatus::Failed, false)),
            ] {
                store.write(&write).unwrap();
            }
        }
        // A key of the same name of another workflow is not the run's.
        assert_eq!(store.claim("mails", "one", &claim(5)).unwrap(), None);
    });
    committed(store, |store| store.delete_run(id(1)).unwrap());
    assert!(store.run(id(1)).unwrap().is_none());
    assert!(store.summary(id(1)).unwrap().is_none());
    assert!(store.history(id(1), 0, 10).unwrap().is_empty());
    assert!(store.approval("hash of 1").unwrap().is_none());
    assert!(is_free(store, "one"));
    assert_eq!(store.due_timers(9, 9).unwrap(), [Timer { due_at_ms: 2, run: id(2) }]);
    assert_eq!(store.list(&RunFilter { limit: 9, ..RunFilter::default() }).unwrap().len(), 1);
    assert_eq!(store.history(id(2), 0, 10).unwrap().len(), 2);
    assert!(store.approval("hash of 2").unwrap().is_some());
    assert!(!is_free(store, "two"));
    store.begin().unwrap();
    assert_eq!(store.claim("mails", "one", &claim(9)).unwrap(), Some(claim(5)));
    store.rollback();
}

fn lists_runs(store: &mut dyn Store) {
    let mut writes: Vec<_> = (1..=6).map(|number| Write::InsertRun(new_run(number))).collect();
    writes.push(Write::InsertRun(NewRun { workflow_id: "mails", ..new_run(7) }));
    writes.push(Write::EndRun(end(2, RunStatus::Failed, false)));
    writes.push(Write::EndRun(end(4, RunStatus::Failed, false)));
    writes.push(Write::EndRun(end(5, RunStatus::Completed, false)));
    commit(store, &writes);
    let mut list = |filter: RunFilter| -> Vec<i64> {
        let rows = store.list(&filter).unwrap();
        assert!(rows.iter().all(|row| (&row.payload, &row.trigger, &row.output) == (&None, &None, &None)));
        rows.iter().map(|row| row.id.to_integer()).collect()
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

/// Runs of several workflows and statuses, of which the clock stood still, went back and had been ahead.
fn listed_runs() -> Vec<NewRun<'static>> {
    let created = [5, 5, 6, 9, 9, 40, 41, 7, 7, 8, 12, 13, 13, 44, 45, 46, 46, 30, 50, 51];
    let mut ids = crate::ids::IdSource::new(1, None);
    let mut runs: Vec<_> = (0..60).map(|place| (ids.next(created[place / 3]), created[place / 3])).collect();
    // No engine makes such: a run that was created later than its id says.
    runs.push((id(9), 43));
    let run = |(place, (id, created_at_ms)): (usize, (RunId, i64))| NewRun {
        id,
        workflow_id: ["orders", "mails", "orders", "order", "bills"][place % 5],
        status: [RunStatus::Pending, RunStatus::Running, RunStatus::Waiting][place % 3],
        created_at_ms,
        ..new_run(0)
    };
    runs.into_iter().enumerate().map(run).collect()
}

fn lists_by_every_filter(store: &mut dyn Store) {
    let mut expected: Vec<(RunId, &str, RunStatus, i64)> = Vec::new();
    committed(store, |store| {
        for (place, run) in listed_runs().into_iter().enumerate() {
            let (id, workflow_id, mut status, created_at_ms) = (run.id, run.workflow_id, run.status, run.created_at_ms);
            store.write(&Write::InsertRun(run)).unwrap();
            if let Some(ended) = [RunStatus::Completed, RunStatus::Failed, RunStatus::Cancelled].get(place % 7) {
                status = *ended;
                store.write(&Write::EndRun(RunEnd { run: id, ..end(0, status, place % 2 == 0) })).unwrap();
            } else if place % 7 == 5 {
                status = RunStatus::Stuck;
                store.write(&Write::ParkRun(id, "null".into())).unwrap();
            }
            expected.push((id, workflow_id, status, created_at_ms));
        }
    });
    expected.sort_by_key(|(id, ..)| std::cmp::Reverse(*id));
    let statuses = || [None].into_iter().chain(RunStatus::ALL.iter().copied().map(Some));
    for workflow_id in [None, Some("orders"), Some("order"), Some("bills"), Some("nobody")] {
        for status in statuses() {
            for since_ms in [None, Some(-1), Some(0), Some(6), Some(8), Some(41), Some(43), Some(52), Some(i64::MAX)] {
                for before in [None, Some(id(0)), Some(expected[0].0), Some(expected[30].0), Some(id(9)), Some(id(10))]
                {
                    for limit in [0, 1, 7, 100] {
                        let filter =
                            RunFilter { workflow_id: workflow_id.map(str::to_owned), status, since_ms, before, limit };
                        let listed: Vec<_> = store.list(&filter).unwrap().iter().map(|row| row.id).collect();
                        let wanted = expected.iter().filter(|(id, workflow, is, created_at_ms)| {
                            workflow_id.is_none_or(|workflow_id| workflow_id == *workflow)
                                && status.is_none_or(|status| status == *is)
                                && since_ms.is_none_or(|since_ms| *created_at_ms >= since_ms)
                                && before.is_none_or(|before| *id < before)
                        });
                        let wanted: Vec<_> = wanted.take(limit as usize).map(|(id, ..)| *id).collect();
                        assert_eq!(listed, wanted, "{filter:?}");
                    }
                }
            }
        }
    }
}

fn knows_the_last_run(store: &mut dyn Store) {
    assert_eq!(store.last_run().unwrap(), None);
    commit(store, &[Write::InsertRun(new_run(9)), Write::InsertRun(new_run(4))]);
    assert_eq!(store.last_run().unwrap(), Some(id(9)));
    commit(store, &[Write::EndRun(end(9, RunStatus::Completed, false))]);
    assert_eq!(store.last_run().unwrap(), Some(id(9)));
}
