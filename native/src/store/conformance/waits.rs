//! Events, who waits for them, and requests for approval.

use super::*;
use crate::model::ApprovalStatus;

pub const CASES: &[Case] = &[
    ("stores events with names and payloads, oldest first", stores_events),
    ("never uses the number of an event again", numbers_events),
    ("shows a wait what was published after it was opened", shows_later_events),
    ("shows a wait the next event until it has seen it", advances_waits),
    ("tells waits of different events, runs, nodes and iterations apart", keeps_waits_apart),
    ("moves a wait that is opened again behind what is there", opens_waits_again),
    ("gives the waits for an event by place, in pages", pages_waits),
    ("forgets events that every wait has seen, and no others", forgets_events),
    ("finds a request for approval by the hash of its token", finds_approvals),
    ("lists open requests for approval, oldest first", lists_approvals),
    ("closes a request for approval once", closes_approvals),
    ("opens a request for approval again under its token", opens_approvals_again),
];

fn open(number: i64, name: &str, scope: &str, event: &str) -> Write<'static> {
    Write::OpenWait(place(number, name, scope), event.into())
}

fn publish(store: &mut dyn Store, name: &str, payload: Option<&str>) -> i64 {
    committed(store, |store| store.insert_event(name, payload, 5).unwrap())
}

fn next(store: &mut dyn Store, place: &Place, name: &str) -> Option<i64> {
    store.next_event(place, name).unwrap().map(|event| event.id)
}

fn stores_events(store: &mut dyn Store) {
    assert!(store.events().unwrap().is_empty());
    let one = publish(store, "paid", Some(r#"{"a": 1}"#));
    let two = publish(store, "sent", None);
    let three = publish(store, "paid", Some("null"));
    assert!(one < two && two < three);
    let events = store.events().unwrap();
    let seen: Vec<_> = events.iter().map(|(name, event)| (&**name, event.id, event.payload.as_deref())).collect();
    assert_eq!(seen, [("paid", one, Some(r#"{"a": 1}"#)), ("sent", two, None), ("paid", three, Some("null"))]);
}

fn numbers_events(store: &mut dyn Store) {
    let first = publish(store, "paid", None);
    committed(store, |store| store.forget_events("paid").unwrap());
    assert!(store.events().unwrap().is_empty());
    let second = publish(store, "paid", None);
    assert!(second > first);
    // What was rolled back was seen by nobody.
    store.begin().unwrap();
    store.insert_event("paid", None, 0).unwrap();
    store.rollback();
    assert!(publish(store, "sent", None) > second);
}

fn shows_later_events(store: &mut dyn Store) {
    let wait = place(1, "wait", "");
    publish(store, "paid", Some("1"));
    commit(store, &[open(1, "wait", "", "paid")]);
    assert_eq!(next(store, &wait, "paid"), None);
    let later = publish(store, "paid", Some("2"));
    publish(store, "paid", Some("3"));
    let event = store.next_event(&wait, "paid").unwrap().unwrap();
    assert_eq!((event.id, event.payload.as_deref()), (later, Some("2")));
    // The same when all that was there before has been forgotten.
    commit(store, &[Write::CloseWait(wait.clone(), "paid".into())]);
    committed(store, |store| store.forget_events("paid").unwrap());
    assert!(store.events().unwrap().is_empty());
    commit(store, &[open(1, "wait", "", "paid")]);
    let newest = publish(store, "paid", None);
    assert_eq!(next(store, &wait, "paid"), Some(newest));
    assert_eq!(store.waits("paid", newest, None, 10).unwrap(), [wait]);
}

fn advances_waits(store: &mut dyn Store) {
    let wait = place(1, "wait", "");
    commit(store, &[open(1, "wait", "", "paid")]);
    let one = publish(store, "paid", None);
    publish(store, "sent", None);
    let two = publish(store, "paid", None);
    assert_eq!(next(store, &wait, "paid"), Some(one));
    assert_eq!(next(store, &wait, "paid"), Some(one));
    commit(store, &[Write::AdvanceWait(wait.clone(), "paid".into(), one)]);
    assert_eq!(next(store, &wait, "paid"), Some(two));
    assert!(store.waits("paid", one, None, 10).unwrap().is_empty());
    assert_eq!(store.waits("paid", two, None, 10).unwrap(), std::slice::from_ref(&wait));
    commit(store, &[Write::AdvanceWait(wait.clone(), "paid".into(), two)]);
    assert_eq!(next(store, &wait, "paid"), None);
    // A wait that is over has nothing to see, and nothing to lose.
    commit(store, &[Write::CloseWait(wait.clone(), "paid".into())]);
    commit(store, &[Write::CloseWait(wait.clone(), "paid".into())]);
    commit(store, &[Write::AdvanceWait(wait.clone(), "paid".into(), 0)]);
    assert_eq!(next(store, &wait, "paid"), None);
    assert!(!store.is_awaited("paid").unwrap());
}

fn keeps_waits_apart(store: &mut dyn Store) {
    let all = [
        place(1, "wait", ""),
        place(1, "wait", "2"),
        place(1, "wait", "2.1"),
        place(1, "other", ""),
        place(2, "wait", ""),
    ];
    for place in &all {
        commit(store, &[Write::OpenWait(place.clone(), "paid".into())]);
    }
    commit(store, &[open(1, "wait", "", "sent")]);
    assert!(store.is_awaited("paid").unwrap() && store.is_awaited("sent").unwrap());
    assert!(!store.is_awaited("pai").unwrap());
    let event = publish(store, "paid", None);
    commit(store, &[Write::CloseWait(place(1, "wait", "2"), "paid".into())]);
    commit(store, &[Write::AdvanceWait(place(1, "other", ""), "paid".into(), event)]);
    let seen = all.each_ref().map(|place| next(store, place, "paid").is_some());
    assert_eq!(seen, [true, false, true, false, true]);
    assert_eq!(next(store, &place(1, "wait", ""), "sent"), None);
    commit(store, &[Write::CloseWait(place(1, "wait", ""), "sent".into())]);
    assert!(store.is_awaited("paid").unwrap() && !store.is_awaited("sent").unwrap());
}

fn opens_waits_again(store: &mut dyn Store) {
    let wait = place(1, "wait", "");
    commit(store, &[open(1, "wait", "", "paid")]);
    let event = publish(store, "paid", None);
    assert_eq!(next(store, &wait, "paid"), Some(event));
    commit(store, &[open(1, "wait", "", "paid")]);
    assert_eq!(next(store, &wait, "paid"), None);
    assert_eq!(store.waits("paid", i64::MAX, None, 10).unwrap(), [wait]);
}

fn pages_waits(store: &mut dyn Store) {
    let sorted = [place(1, "a", ""), place(1, "a", "10"), place(1, "a", "2"), place(1, "b", ""), place(10, "a", "")];
    for at in [3, 0, 4, 2, 1] {
        commit(store, &[Write::OpenWait(sorted[at].clone(), "paid".into())]);
    }
    commit(store, &[open(1, "a", "", "sent")]);
    let event = publish(store, "paid", None);
    assert_eq!(store.waits("paid", event, None, 10).unwrap(), sorted);
    assert_eq!(store.waits("paid", event, None, 2).unwrap(), sorted[..2]);
    assert_eq!(store.waits("paid", event, Some(&sorted[1]), 2).unwrap(), sorted[2..4]);
    assert_eq!(store.waits("paid", event, Some(&sorted[3]), 2).unwrap(), sorted[4..]);
    assert!(store.waits("paid", event, Some(&sorted[4]), 2).unwrap().is_empty());
    // The last one told may be gone by then.
    assert_eq!(store.waits("paid", event, Some(&place(1, "aa", "")), 9).unwrap(), sorted[3..]);
    // A wait that began after the event is not told of it.
    commit(store, &[open(5, "a", "", "paid")]);
    assert_eq!(store.waits("paid", event, None, 10).unwrap(), sorted);
    let later = publish(store, "paid", None);
    assert_eq!(store.waits("paid", later, None, 10).unwrap().len(), 6);
}

fn forgets_events(store: &mut dyn Store) {
    let ids =
        |store: &mut dyn Store| -> Vec<i64> { store.events().unwrap().iter().map(|(_, event)| event.id).collect() };
    let forget = |store: &mut dyn Store| committed(store, |store| store.forget_events("paid").unwrap());
    commit(store, &[open(1, "wait", "", "paid"), open(2, "wait", "", "paid"), open(1, "wait", "", "sent")]);
    let one = publish(store, "paid", None);
    let sent = publish(store, "sent", None);
    let two = publish(store, "paid", None);
    forget(store);
    assert_eq!(ids(store), [one, sent, two]);
    commit(store, &[Write::AdvanceWait(place(1, "wait", ""), "paid".into(), two)]);
    forget(store);
    assert_eq!(ids(store), [one, sent, two]);
    commit(store, &[Write::AdvanceWait(place(2, "wait", ""), "paid".into(), one)]);
    forget(store);
    assert_eq!(ids(store), [sent, two]);
    commit(store, &[Write::CloseWait(place(2, "wait", ""), "paid".into())]);
    forget(store);
    assert_eq!(ids(store), [sent]);
}

fn ask(number: i64, name: &str, scope: &str, expires_at_ms: Option<i64>) -> Write<'static> {
    let hash = format!("hash of {number} {name} {scope}");
    Write::OpenApproval(place(number, name, scope), hash, 100 + number, expires_at_ms)
}

fn finds_approvals(store: &mut dyn Store) {
    commit(store, &[Write::InsertRun(new_run(1)), ask(1, "ask", "", Some(900)), ask(1, "ask", "3.17", None)]);
    let row = store.approval("hash of 1 ask ").unwrap().unwrap();
    assert_eq!((row.place, &*row.workflow_id, row.definition), (place(1, "ask", ""), "orders", 1));
    assert_eq!((row.status, row.opened_at_ms, row.expires_at_ms), (ApprovalStatus::Open, 101, Some(900)));
    let row = store.approval("hash of 1 ask 3.17").unwrap().unwrap();
    assert_eq!((row.place, row.expires_at_ms), (place(1, "ask", "3.17"), None));
    assert!(store.approval("hash of 2 ask ").unwrap().is_none());
}

fn lists_approvals(store: &mut dyn Store) {
    commit(
        store,
        &[
            Write::InsertRun(new_run(2)),
            Write::InsertRun(new_run(1)),
            Write::InsertRun(NewRun { workflow_id: "mails", ..new_run(3) }),
            ask(3, "ask", "", None),
            ask(2, "ask", "", None),
            ask(1, "ask", "", None),
            ask(1, "also", "", None),
            Write::CloseApproval(place(1, "also", ""), ApprovalStatus::Rejected),
        ],
    );
    let places = |store: &mut dyn Store, workflow: Option<&str>, limit| -> Vec<i64> {
        store.approvals(workflow, limit).unwrap().iter().map(|row| row.place.run.to_integer()).collect()
    };
    assert_eq!(places(store, None, 10), [1, 2, 3]);
    assert_eq!(places(store, None, 2), [1, 2]);
    assert_eq!(places(store, Some("orders"), 10), [1, 2]);
    assert_eq!(places(store, Some("mails"), 10), [3]);
    assert!(places(store, Some("unknown"), 10).is_empty());
}

fn closes_approvals(store: &mut dyn Store) {
    let close = |status| Write::CloseApproval(place(1, "ask", ""), status);
    commit(store, &[Write::InsertRun(new_run(1)), ask(1, "ask", "", None), ask(1, "ask", "1", None)]);
    commit(store, &[close(ApprovalStatus::Expired)]);
    commit(store, &[close(ApprovalStatus::Cancelled)]);
    assert_eq!(store.approval("hash of 1 ask ").unwrap().unwrap().status, ApprovalStatus::Expired);
    assert_eq!(store.approval("hash of 1 ask 1").unwrap().unwrap().status, ApprovalStatus::Open);
    assert_eq!(store.approvals(None, 10).unwrap().len(), 1);
    // One that was never opened is closed already.
    commit(store, &[Write::CloseApproval(place(7, "ask", ""), ApprovalStatus::Cancelled)]);
}

fn opens_approvals_again(store: &mut dyn Store) {
    let again = Write::OpenApproval(place(1, "ask", ""), "hash of 1 ask ".to_owned(), 700, Some(800));
    commit(store, &[Write::InsertRun(new_run(1)), ask(1, "ask", "", None)]);
    commit(store, &[Write::CloseApproval(place(1, "ask", ""), ApprovalStatus::Cancelled), again]);
    let row = store.approval("hash of 1 ask ").unwrap().unwrap();
    assert_eq!((row.status, row.opened_at_ms, row.expires_at_ms), (ApprovalStatus::Open, 700, Some(800)));
    assert_eq!(store.approvals(None, 10).unwrap().len(), 1);
}
