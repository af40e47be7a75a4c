//! Schedules, and the runs they have started.

use super::*;
use crate::model::{Progress, ScheduleRow};

pub const CASES: &[Case] = &[
    ("stores a schedule as it was given, and as it was changed", stores_schedules),
    ("stores a schedule of which little is known", stores_new_schedules),
    ("never uses the number of a schedule again", numbers_schedules),
    ("finds a schedule by its workflow and name", finds_named_schedules),
    ("gives schedules in the order in which they were stored, in pages", pages_schedules),
    ("removes a schedule, and leaves the runs it has started", removes_schedules),
    ("takes changes of schedules back with a rollback", takes_schedules_back),
    ("finds the run of an instant", finds_runs_of_instants),
    ("finds an open run of a schedule", finds_open_runs),
    ("says which schedule has started a run", tells_the_schedule_of_a_run),
];

fn schedule(workflow_id: &str, name: &str) -> ScheduleRow {
    ScheduleRow {
        id: 0,
        workflow_id: workflow_id.to_owned(),
        name: name.to_owned(),
        spec: r#"{"name":"nightly"}"#.to_owned(),
        progress: Progress {
            anchor_at_ms: 1,
            since_at_ms: 2,
            next_at_ms: Some(3),
            seen_at_ms: 4,
            ..Progress::default()
        },
    }
}

/// Every field of it differs from `schedule`.
fn much_later(id: i64, name: &str) -> ScheduleRow {
    let progress = Progress {
        anchor_at_ms: -5,
        since_at_ms: i64::MAX,
        next_at_ms: None,
        stretches: vec![(i64::MIN, 10), (20, i64::MAX)],
        queued: vec![30, -40, 50],
        seen_at_ms: 60,
        last_at_ms: Some(70),
        last_run: Some(super::id(8)),
        failures: u32::MAX,
        error: Some(r#"{"message":"\u0000 \"no\""}"#.to_owned()),
    };
    ScheduleRow { id, spec: "{}".to_owned(), progress, ..schedule("orders", name) }
}

fn put(store: &mut dyn Store, row: &ScheduleRow) -> i64 {
    committed(store, |store| store.put_schedule(row).unwrap())
}

fn stores_schedules(store: &mut dyn Store) {
    let id = put(store, &schedule("orders", "nightly"));
    assert_eq!(store.schedule(id).unwrap(), Some(ScheduleRow { id, ..schedule("orders", "nightly") }));
    let later = much_later(id, "nightly");
    assert_eq!(put(store, &later), id);
    assert_eq!(store.schedule(id).unwrap(), Some(later));
    assert_eq!(store.schedules(None, 0, 10).unwrap().len(), 1);
}

fn stores_new_schedules(store: &mut dyn Store) {
    let row = ScheduleRow { progress: Progress::default(), ..schedule("orders", "a \"name\" / of ⏰'s own") };
    let id = put(store, &row);
    assert_eq!(store.schedule(id).unwrap(), Some(ScheduleRow { id, ..row }));
    assert_eq!(store.schedule(id + 1).unwrap(), None);
}

fn numbers_schedules(store: &mut dyn Store) {
    let first = put(store, &schedule("orders", "a"));
    assert!(first > 0);
    let second = put(store, &schedule("orders", "b"));
    committed(store, |store| store.remove_schedule(second).unwrap());
    let third = put(store, &schedule("orders", "b"));
    assert!(first < second && second < third, "{first} {second} {third}");
}

fn finds_named_schedules(store: &mut dyn Store) {
    let nightly = put(store, &schedule("orders", "nightly"));
    let other = put(store, &schedule("mails", "nightly"));
    put(store, &schedule("orders", "hourly"));
    let mut number = |workflow, name| store.schedule_named(workflow, name).unwrap().map(|row| row.id);
    assert_eq!(number("orders", "nightly"), Some(nightly));
    assert_eq!(number("mails", "nightly"), Some(other));
    assert_eq!(number("mails", "hourly"), None);
    assert_eq!(number("orders", "Nightly"), None);
}

fn pages_schedules(store: &mut dyn Store) {
    let numbers: Vec<i64> = ["z", "a", "m", "b"].iter().map(|name| put(store, &schedule("orders", name))).collect();
    let mail = put(store, &schedule("mails", "a"));
    put(store, &much_later(numbers[0], "z"));
    let page = |store: &mut dyn Store, workflow, after, limit| -> Vec<i64> {
        store.schedules(workflow, after, limit).unwrap().iter().map(|row| row.id).collect()
    };
    let all = [&numbers[..], &[mail]].concat();
    assert_eq!(page(store, None, 0, u32::MAX), all);
    assert_eq!(page(store, None, 0, 2), all[..2]);
    assert_eq!(page(store, None, all[1], 2), all[2..4]);
    assert_eq!(page(store, None, mail, 2), [0; 0]);
    assert_eq!(page(store, Some("orders"), numbers[1], 10), numbers[2..]);
    assert_eq!(page(store, Some("mails"), 0, 10), [mail]);
    assert_eq!(page(store, Some("nobody"), 0, 10), [0; 0]);
}

/// A run that a schedule has started.
fn scheduled<'a>(number: i64, name: &'a str, instant_ms: i64) -> Write<'a> {
    Write::InsertRun(run_from(number, Origin { instant: Some((name, instant_ms)), ..origin() }))
}

fn removes_schedules(store: &mut dyn Store) {
    let id = put(store, &schedule("orders", "nightly"));
    commit(store, &[scheduled(1, "nightly", 100)]);
    committed(store, |store| {
        store.remove_schedule(id).unwrap();
        store.remove_schedule(id).unwrap();
    });
    assert_eq!(store.schedule(id).unwrap(), None);
    assert_eq!(store.schedule_named("orders", "nightly").unwrap(), None);
    assert_eq!(store.run_of_instant("orders", "nightly", 100).unwrap(), Some(super::id(1)));
}

fn takes_schedules_back(store: &mut dyn Store) {
    let kept = put(store, &schedule("orders", "kept"));
    let removed = put(store, &schedule("orders", "removed"));
    let before = store.schedules(None, 0, 10).unwrap();
    store.begin().unwrap();
    store.put_schedule(&much_later(kept, "kept")).unwrap();
    store.remove_schedule(removed).unwrap();
    let new = store.put_schedule(&schedule("orders", "new")).unwrap();
    assert_eq!(store.schedules(None, 0, 10).unwrap().len(), 2, "what is not committed yet is read");
    store.rollback();
    assert_eq!(store.schedules(None, 0, 10).unwrap(), before);
    assert_eq!(store.schedule_named("orders", "new").unwrap(), None);
    assert_eq!(put(store, &schedule("orders", "newer")), new, "its number was not used");
}

fn finds_runs_of_instants(store: &mut dyn Store) {
    commit(store, &[scheduled(1, "nightly", 100), scheduled(2, "nightly", 200), scheduled(3, "hourly", 100)]);
    commit(store, &[Write::InsertRun(new_run(4))]);
    let run = |store: &mut dyn Store, name, instant_ms| store.run_of_instant("orders", name, instant_ms).unwrap();
    assert_eq!(run(store, "nightly", 100), Some(id(1)));
    assert_eq!(run(store, "nightly", 200), Some(id(2)));
    assert_eq!(run(store, "hourly", 100), Some(id(3)));
    assert_eq!(run(store, "hourly", 200), None);
    assert_eq!(store.run_of_instant("mails", "nightly", 100).unwrap(), None);
    commit(store, &[Write::EndRun(end(1, RunStatus::Completed, false))]);
    assert_eq!(run(store, "nightly", 100), Some(id(1)), "though it has ended");
    committed(store, |store| store.delete_run(id(1)).unwrap());
    assert_eq!(run(store, "nightly", 100), None);
}

fn finds_open_runs(store: &mut dyn Store) {
    let open = |store: &mut dyn Store| store.open_run_of("orders", "nightly").unwrap();
    commit(store, &[scheduled(1, "hourly", 100), Write::InsertRun(new_run(2))]);
    assert_eq!(open(store), None);
    commit(store, &[scheduled(3, "nightly", 100)]);
    for status in [RunStatus::Running, RunStatus::Pending, RunStatus::Waiting] {
        commit(store, &[Write::SetStatus(id(3), status)]);
        assert_eq!(open(store), Some(id(3)), "{status:?}");
    }
    assert_eq!(store.open_run_of("mails", "nightly").unwrap(), None);
    // Also when a hook of it is still owed.
    for (status, is_open) in [
        (RunStatus::Completed, false),
        (RunStatus::Completed, true),
        (RunStatus::Failed, true),
        (RunStatus::Cancelled, false),
    ] {
        commit(store, &[Write::EndRun(end(3, status, is_open))]);
        assert_eq!(open(store), None, "{status:?}");
        commit(store, &[Write::ReopenRun(id(3))]);
        assert_eq!(open(store), Some(id(3)));
    }
    commit(store, &[Write::ParkRun(id(3), "1".into())]);
    assert_eq!(open(store), None);
    commit(store, &[scheduled(4, "nightly", 200)]);
    assert_eq!(open(store), Some(id(4)));
}

fn tells_the_schedule_of_a_run(store: &mut dyn Store) {
    commit(store, &[scheduled(1, "nightly", 100), Write::InsertRun(new_run(2))]);
    assert_eq!(store.summary(id(1)).unwrap().unwrap().schedule.as_deref(), Some("nightly"));
    assert_eq!(store.summary(id(2)).unwrap().unwrap().schedule, None);
}
