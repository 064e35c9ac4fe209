//! Pages of a profile's events, held to plain lists.

use profile_export::export::Progress;
use profile_export::platform::{EventQuery, Lookups, Property};
use profile_export::xdm::{Class, Identity, Timestamp};
use serde_json::{Value, json};

use crate::generate::PROFILES;
use crate::scratch::Scratch;

const VISITS: &str = "5b020a27e7040801dedbe001";
const CALLS: &str = "5b020a27e7040801dedbe002";
/// More than a batch of a run has.
const COUNT: usize = 9_000;
const START: i64 = 1_700_000_000_000;

/// An event of one person: they lie apart by a second, and the runs' lie between each other.
fn event(dataset: &str, n: usize) -> Value {
    let at = Timestamp::from_millis(START + n as i64 * 1_000);
    let kind = ["visit", "click"][n % 2];
    json!({"_id": format!("e{n}"), "timestamp": at.to_string(), "eventType": kind,
        "n": n, "from": dataset, "items": [{"sku": format!("s{}", n % 3)}, null],
        "identityMap": {"Email": [{"id": "ann@x.org", "primary": true}]}})
}

fn loaded() -> (Scratch, Vec<Value>) {
    let scratch = Scratch::new();
    scratch.dataset(PROFILES[0], Class::Profile, json!({}));
    scratch.dataset(VISITS, Class::Event, json!({}));
    scratch.dataset(CALLS, Class::Event, json!({}));
    let other = json!({"_id": "o", "timestamp": "2023-01-01T00:00:00Z", "eventType": "visit", "n": 7,
        "identityMap": {"Email": [{"id": "bo@x.org", "primary": true}]}});
    let visits: Vec<Value> = (0..COUNT).map(|n| event(VISITS, n)).collect();
    // Of one run a few, of the next most, and of another dataset some that have the same ids at the same times.
    let (some, rest): (Vec<Value>, Vec<Value>) = visits
        .iter()
        .cloned()
        .partition(|event| event["n"].as_u64().unwrap() % 17 == 3);
    scratch.load(VISITS, &some).unwrap();
    scratch.load(VISITS, &[rest, vec![other]].concat()).unwrap();
    let calls: Vec<Value> = (0..COUNT).step_by(1_000).map(|n| event(CALLS, n)).collect();
    scratch.load(CALLS, &calls).unwrap();
    let mut all = [visits, calls].concat();
    let key = |event: &Value| {
        let text = |name: &str| event[name].as_str().unwrap().to_owned();
        (text("timestamp"), text("_id"), text("from"))
    };
    all.sort_by_key(key);
    (scratch, all)
}

fn query(limit: usize) -> EventQuery {
    EventQuery {
        fields: Some("n,from,items.sku".to_owned()),
        merge_policy: None,
        start: None,
        end: None,
        descends: false,
        limit,
        cursor: None,
        properties: Vec::new(),
    }
}

fn ann() -> Identity {
    Identity {
        namespace: "EMAIL".to_owned(),
        id: "ann@x.org".to_owned(),
    }
}

/// The `n` and dataset of the events of all pages, as far as `most` pages go.
fn walked(
    scratch: &Scratch,
    lookups: &Lookups,
    mut query: EventQuery,
    most: usize,
) -> Vec<(u64, String)> {
    let mut found = Vec::new();
    for _ in 0..most {
        let page = lookups
            .events(&scratch.store, &query, &ann(), &Progress::default())
            .unwrap()
            .unwrap();
        assert!(page.events.len() <= query.limit);
        for event in page.events {
            let n = event.row["n"].as_u64().unwrap();
            assert_eq!(event.id, format!("e{n}"));
            assert_eq!(event.timestamp.millis(), START + n as i64 * 1_000);
            assert_eq!(event.ingested, Timestamp::from_millis(1_000));
            assert_eq!(event.row["items"][0]["sku"], format!("s{}", n % 3));
            assert!(event.row.get("eventType").is_none());
            found.push((n, event.row["from"].as_str().unwrap().to_owned()));
        }
        match page.next {
            Some(next) => query.cursor = Some(next),
            None => break,
        }
    }
    found
}

fn expected<'a>(events: impl Iterator<Item = &'a Value>) -> Vec<(u64, String)> {
    let of = |event: &Value| {
        let from = event["from"].as_str().unwrap().to_owned();
        (event["n"].as_u64().unwrap(), from)
    };
    events.map(of).collect()
}

#[test]
fn pages_of_events_are_the_list_whatever_asks_for_them() {
    let (scratch, all) = loaded();
    let lookups = Lookups::default();
    for is_compacted in [false, true] {
        if is_compacted {
            scratch.store.compact().unwrap();
        }
        let found = walked(&scratch, &lookups, query(1_000), usize::MAX);
        assert_eq!(found, expected(all.iter()));

        let descending = EventQuery {
            descends: true,
            ..query(499)
        };
        let found = walked(&scratch, &lookups, descending.clone(), 3);
        assert_eq!(found, expected(all.iter().rev().take(3 * 499)));

        let at = |n: i64| Some(Timestamp::from_millis(START + n * 1_000));
        let window = EventQuery {
            start: at(4_000),
            end: at(8_500),
            properties: ["eventType=\"click\"", "n>=5000", "items.sku=s1"]
                .map(|text| Property::parse(text).unwrap())
                .to_vec(),
            ..query(100)
        };
        let is_in = |event: &&Value| {
            let n = event["n"].as_u64().unwrap();
            (5_000..8_500).contains(&n) && n % 2 == 1 && n % 3 == 1
        };
        let found = walked(&scratch, &lookups, window.clone(), usize::MAX);
        assert_eq!(found, expected(all.iter().filter(is_in)));
        let found = walked(
            &scratch,
            &lookups,
            EventQuery {
                descends: true,
                ..window
            },
            usize::MAX,
        );
        assert_eq!(found, expected(all.iter().filter(is_in).rev()));
    }
}

#[test]
fn a_cursor_behind_the_last_event_has_none_and_an_unknown_one_is_refused() {
    let (scratch, _) = loaded();
    let lookups = Lookups::default();
    let page = |cursor: &str| {
        let query = EventQuery {
            cursor: Some(cursor.to_owned()),
            ..query(3)
        };
        lookups.events(&scratch.store, &query, &ann(), &Progress::default())
    };
    let behind = page("#1000000").unwrap().unwrap();
    assert!(behind.events.is_empty() && behind.next.is_none());
    let error = page("nothing").unwrap_err().to_string();
    assert!(error.contains("none of these events"), "{error}");
    let bo = Identity {
        id: "nobody@x.org".to_owned(),
        ..ann()
    };
    let progress = Progress::default();
    assert!(
        lookups
            .events(&scratch.store, &query(3), &bo, &progress)
            .unwrap()
            .is_none()
    );
    progress.cancel();
    let error = lookups.events(&scratch.store, &query(3), &ann(), &progress);
    assert!(error.unwrap_err().is_cancelled());
}
