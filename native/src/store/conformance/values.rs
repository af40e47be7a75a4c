//! Values that outlive runs: state, circuits, what is paused, and starts under a rate limit.

use super::*;
use crate::model::CircuitRow;

pub const CASES: &[Case] = &[
    ("keeps values by space and key", keeps_values),
    ("hides a value whose time is over", hides_expired_values),
    ("removes values whose time is over, up to a limit", expires_values),
    ("keeps circuits by name", keeps_circuits),
    ("keeps which workflows are paused", keeps_paused_workflows),
    ("finds the start that is exactly so many ago", finds_earlier_starts),
    ("forgets starts that are long ago, and keeps counting", forgets_starts),
    ("keeps starts that are not long ago, and takes later ones back", takes_starts_back),
    ("moves what began when the clock was ahead", moves_what_began_ahead),
    ("moves what began when the clock was ahead", moves_what_began_ahead),
    ("counts starts of every workflow and key apart", keeps_starts_apart),
];

fn set(store: &mut dyn Store, space: &str, key: &str, new: Option<StateValue>) {
    committed(store, |store| store.set_state(space, key, new.as_ref()).unwrap());
}

fn keeps_values(store: &mut dyn Store) {
    set(store, "orders", "count", Some(value("1", None)));
    set(store, "", "count", Some(value("2", None)));
    set(store, "@orders", "count", Some(value(r#"{"a": 3}"#, None)));
    set(store, "orders", "other", Some(value("4", None)));
    let text = |store: &mut dyn Store, space, key| store.state(space, key, 0).unwrap().map(|value| value.value);
    assert_eq!(text(store, "orders", "count").as_deref(), Some("1"));
    assert_eq!(text(store, "", "count").as_deref(), Some("2"));
    assert_eq!(text(store, "@orders", "count").as_deref(), Some(r#"{"a": 3}"#));
    assert_eq!(text(store, "mails", "count"), None);
    set(store, "orders", "count", Some(value("5", None)));
    assert_eq!(text(store, "orders", "count").as_deref(), Some("5"));
    set(store, "orders", "count", None);
    set(store, "orders", "count", None);
    assert_eq!(text(store, "orders", "count"), None);
    assert_eq!(text(store, "", "count").as_deref(), Some("2"));
    assert_eq!(text(store, "orders", "other").as_deref(), Some("4"));
}

fn hides_expired_values(store: &mut dyn Store) {
    set(store, "orders", "count", Some(value("1", Some(50))));
    assert_eq!(store.state("orders", "count", 49).unwrap(), Some(value("1", Some(50))));
    assert_eq!(store.state("orders", "count", 50).unwrap(), None);
    set(store, "orders", "count", Some(value("1", None)));
    assert_eq!(store.state("orders", "count", i64::MAX).unwrap(), Some(value("1", None)));
}

fn expires_values(store: &mut dyn Store) {
    assert_eq!(store.next_expiry().unwrap(), None);
    for (key, expires_at_ms) in [("a", Some(10)), ("b", Some(30)), ("c", Some(20)), ("d", None), ("e", Some(99))] {
        set(store, "orders", key, Some(value("1", expires_at_ms)));
        set(store, "", key, Some(value("1", None)));
    }
    let left = |store: &mut dyn Store| {
        ["a", "b", "c", "d", "e"].iter().filter(|key| store.state("orders", key, 0).unwrap().is_some()).count()
    };
    let expire =
        |store: &mut dyn Store, now_ms, limit| committed(store, |store| store.expire_state(now_ms, limit).unwrap());
    assert_eq!(store.next_expiry().unwrap(), Some(10));
    expire(store, 9, 100);
    assert_eq!(left(store), 5);
    expire(store, 30, 2);
    assert_eq!(left(store), 3);
    expire(store, 30, 2);
    assert_eq!(left(store), 2);
    assert_eq!(store.next_expiry().unwrap(), Some(99));
    assert!(["a", "b", "c"].iter().all(|key| store.state("", key, i64::MAX).unwrap().is_some()));
}

fn keeps_circuits(store: &mut dyn Store) {
    assert!(store.circuits().unwrap().is_empty());
    let circuit = |failures, open_until_ms| CircuitRow { failures, open_until_ms };
    let set = |name: &str, circuit| Write::SetCircuit(name.into(), circuit);
    commit(store, &[set("bank", circuit(1, None)), set("post", circuit(5, Some(70))), set("bank", circuit(2, None))]);
    let mut all = store.circuits().unwrap();
    all.sort_by(|one, other| one.0.cmp(&other.0));
    assert_eq!(all, [("bank".to_owned(), circuit(2, None)), ("post".to_owned(), circuit(5, Some(70)))]);
}

fn keeps_paused_workflows(store: &mut dyn Store) {
    let pause =
        |store: &mut dyn Store, workflow, paused| committed(store, |store| store.set_paused(workflow, paused).unwrap());
    assert!(store.paused().unwrap().is_empty());
    for (workflow, paused) in [("orders", true), ("mails", true), ("orders", true), ("mails", false), ("never", false)]
    {
        pause(store, workflow, paused);
    }
    assert_eq!(store.paused().unwrap(), ["orders"]);
    pause(store, "orders", false);
    assert!(store.paused().unwrap().is_empty());
}

/// Adds starts at these times, of which so many are kept.
fn add(store: &mut dyn Store, key: &str, times: impl IntoIterator<Item = i64>, keep: u32) {
    for at_ms in times {
        let start = Start { at_ms, has_begun: true };
        committed(store, |store| store.add_start("orders", key, start, keep, i64::MAX - 1).unwrap());
    }
}

fn finds_earlier_starts(store: &mut dyn Store) {
    assert_eq!(store.starts("orders", "", 3).unwrap(), Starts::default());
    add(store, "", [10, 20, 30, 30], 100);
    for (back, earlier_ms) in [(1, Some(30)), (2, Some(30)), (3, Some(20)), (4, Some(10)), (5, None)] {
        let expected = Starts { latest_ms: Some(30), earlier_ms };
        assert_eq!(store.starts("orders", "", back).unwrap(), expected, "{back}");
    }
}

fn forgets_starts(store: &mut dyn Store) {
    add(store, "", (1..=10).map(|number| number * 10), 3);
    for (back, earlier_ms) in [(1, Some(100)), (3, Some(80)), (4, None)] {
        let expected = Starts { latest_ms: Some(100), earlier_ms };
        assert_eq!(store.starts("orders", "", back).unwrap(), expected, "{back}");
    }
}

fn keeps_starts_apart(store: &mut dyn Store) {
    add(store, "", [10, 20], 1);
    add(store, "tenant", [30], 1);
    assert_eq!(store.starts("orders", "", 1).unwrap(), Starts { latest_ms: Some(20), earlier_ms: Some(20) });
    assert_eq!(store.starts("orders", "tenant", 1).unwrap().latest_ms, Some(30));
    assert_eq!(store.starts("orders", "other", 1).unwrap(), Starts::default());
    assert_eq!(store.starts("mails", "", 1).unwrap(), Starts::default());
}

fn moves_what_began_ahead(store: &mut dyn Store) {
    committed(store, |store| {
        for (key, at_ms, has_begun) in
            [("", 100, true), ("", 500, true), ("", 500, true), ("", 600, false), ("", 700, false), ("a", 800, false)]
        {
            store.add_start("orders", key, Start { at_ms, has_begun }, 9, 0).unwrap();
        }
        store.add_start("mails", "", Start { at_ms: 900, has_begun: true }, 9, 0).unwrap();
    });
    let of = |key: &str, at_ms: i64| (key.to_owned(), at_ms);
    assert_eq!(store.reservations("orders", 0).unwrap(), [of("", 600), of("", 700), of("a", 800)]);
    assert_eq!(store.reservations("orders", 600).unwrap(), [of("", 700), of("a", 800)]);
    assert_eq!(store.reservations("mails", 0).unwrap(), []);
    committed(store, |store| {
        store.move_begun_starts("orders", 400, 100).unwrap();
        store.drop_starts("orders", "", 600).unwrap();
    });
    let all = |store: &mut dyn Store| [1, 2, 3, 4].map(|back| store.starts("orders", "", back).unwrap().earlier_ms);
    assert_eq!(all(store), [Some(100), Some(100), Some(100), None]);
    assert_eq!(store.starts("mails", "", 1).unwrap().latest_ms, Some(900));
}

fn takes_starts_back(store: &mut dyn Store) {
    committed(store, |store| {
        for (at_ms, has_begun) in [(100, true), (200, true), (300, true), (300, false), (400, false)] {
            store.add_start("orders", "", Start { at_ms, has_begun }, 1, 150).unwrap();
        }
        store.add_start("orders", "other", Start { at_ms: 300, has_begun: false }, 1, 150).unwrap();
    });
    let earlier = |store: &mut dyn Store, back| store.starts("orders", "", back).unwrap().earlier_ms;
    assert_eq!((earlier(store, 4), earlier(store, 5)), (Some(200), None), "100 is not kept, and not after 150");
    committed(store, |store| {
        assert!(store.begin_start("orders", "", 400).unwrap());
        assert!(!store.begin_start("orders", "", 400).unwrap(), "it has begun");
        assert!(!store.begin_start("orders", "", 350).unwrap(), "nobody has reserved that");
        store.drop_starts("orders", "", 250).unwrap();
    });
    assert_eq!((earlier(store, 1), earlier(store, 2), earlier(store, 3)), (Some(400), Some(300), Some(200)));
    assert_eq!(earlier(store, 4), None, "the reservation of 300 is taken back");
    assert_eq!(store.starts("orders", "other", 1).unwrap().latest_ms, Some(300));
}
