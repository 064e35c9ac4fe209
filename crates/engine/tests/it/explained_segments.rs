//! Why somebody is in a segment: steps, variables, and the events that decided.

use std::sync::Arc;

use profile_export::platform::{ExplainedPart, explain_segment, policy_of_segment};
use profile_export::segment::Expression;
use profile_export::xdm::{Class, Timestamp};
use serde_json::{Value, json};

use crate::scratch::Scratch;

const CRM: &str = "0000000000000000000000c1";
const VISITS: &str = "0000000000000000000000e1";

/// Ann, with events at these minutes of an hour.
fn ann(events: &[(&str, u32, &str, f64)]) -> Scratch {
    let scratch = Scratch::new();
    scratch.dataset(CRM, Class::Profile, json!({"primaryIdentity": "id=CRMID"}));
    scratch.dataset(VISITS, Class::Event, json!({}));
    let items = json!([{"sku": "a"}, {"sku": "b"}]);
    let person =
        json!({"id": "ann", "person": {"age": 20}, "orders": [{"id": "o1", "items": items}]});
    scratch.load(CRM, &[person]).unwrap();
    let map = json!({"CRMID": [{"id": "ann", "primary": true}]});
    let events = events.iter().map(|(id, minute, kind, price)| {
        json!({"_id": id, "timestamp": format!("2026-01-01T10:{minute:02}:00Z"), "eventType": kind,
            "commerce": {"order": {"priceTotal": price}}, "identityMap": map})
    });
    let events: Vec<Value> = events.collect();
    scratch.load(VISITS, &events).unwrap();
    scratch
}

fn explained(scratch: &Scratch, expression: &str) -> ExplainedPart {
    let expression = Expression::parse(expression).unwrap();
    let policy = policy_of_segment(scratch.store.catalog(), None, None).unwrap();
    let found = explain_segment(
        &scratch.store,
        policy,
        ("it", &expression, None),
        ("CRMID", "ann"),
        Timestamp::parse("2026-01-02T00:00:00Z").unwrap(),
        &Arc::default(),
    );
    let found = found.unwrap().unwrap();
    assert_eq!(found.is_in, found.expression.holds);
    found.expression
}

fn ids(part: &ExplainedPart) -> String {
    let ids = part
        .events
        .iter()
        .map(|event| event["_id"].as_str().unwrap());
    ids.collect::<Vec<_>>().join(" ")
}

/// The text, whether it holds, the events that fit and those that are taken, and which are shown.
fn told(part: &ExplainedPart) -> (&str, bool, Option<u64>, Option<u64>, String) {
    let (fit, taken) = (part.event_count, part.taken_count);
    (&part.text, part.holds, fit, taken, ids(part))
}

#[test]
fn steps_say_which_were_reached_and_by_which_events() {
    let scratch = ann(&[
        ("e1", 1, "buy", 1.0),
        ("e2", 2, "view", 2.0),
        ("e3", 3, "view", 3.0),
        ("e4", 4, "cart", 4.0),
        ("e5", 5, "view", 5.0),
    ]);
    let chain = explained(
        &scratch,
        r#"CHAIN(xEvent, timestamp, [A: WHAT(eventType = "view") COUNT(2), B: WHAT(eventType = "cart") WHEN(before now),
           C: WHAT(eventType = "buy"), D: WHAT(eventType = "view")])"#,
    );
    assert!(!chain.holds);
    assert_eq!((chain.event_count, ids(&chain)), (None, String::new()));
    let right = [
        (
            r#"A: WHAT(eventType = "view") COUNT(2)"#,
            true,
            Some(3),
            Some(2),
            "e2 e3".to_owned(),
        ),
        (
            r#"B: WHAT(eventType = "cart") WHEN(before now)"#,
            true,
            Some(1),
            Some(1),
            "e4".to_owned(),
        ),
        // The only one came too early, and nothing comes behind a step that was not reached.
        (
            r#"C: WHAT(eventType = "buy")"#,
            false,
            Some(1),
            Some(0),
            "e1".to_owned(),
        ),
        (
            r#"D: WHAT(eventType = "view")"#,
            false,
            Some(3),
            Some(0),
            "e2 e3 e5".to_owned(),
        ),
    ];
    let steps: Vec<_> = chain.parts.iter().map(told).collect();
    assert_eq!(steps, right);
    // By another order it is told which fit, and which steps are reached.
    let by_price = explained(
        &scratch,
        r#"CHAIN(xEvent.topN(commerce.order.priceTotal, 5), timestamp, [A: WHAT(eventType = "view"), B: WHAT(eventType = "buy")])"#,
    );
    let steps: Vec<_> = by_price.parts.iter().map(told).collect();
    let right = [
        (
            r#"A: WHAT(eventType = "view")"#,
            true,
            Some(3),
            None,
            "e2 e3 e5".to_owned(),
        ),
        (
            r#"B: WHAT(eventType = "buy")"#,
            false,
            Some(1),
            None,
            "e1".to_owned(),
        ),
    ];
    assert_eq!(steps, right);
    // Within other parts, and about some of the events.
    let both = explained(
        &scratch,
        r#"person and not CHAIN(xEvent[eventType != "cart"], timestamp, [A: WHAT(eventType = "view") COUNT(4)])"#,
    );
    let chain = &both.parts[1].parts[0];
    assert!(both.holds && !chain.holds);
    let step = told(&chain.parts[0]);
    assert_eq!(
        step,
        (
            r#"A: WHAT(eventType = "view") COUNT(4)"#,
            false,
            Some(3),
            Some(3),
            "e2 e3 e5".to_owned()
        )
    );
}

#[test]
fn variables_say_what_each_is_asked_alone() {
    let scratch = ann(&[
        ("e1", 1, "view", 1.0),
        ("e2", 2, "buy", 2.0),
        ("e3", 3, "buy", 30.0),
    ]);
    let pairs = r#"select A from xEvent where A.eventType = "buy", B from xEvent where B.eventType = "view" and B.commerce.order.priceTotal < 5 and B.timestamp occurs after A.timestamp"#;
    for (expression, holds) in [
        (pairs.to_owned(), false),
        (format!("({pairs}).count() = 0"), true),
    ] {
        let whole = explained(&scratch, &expression);
        assert_eq!(
            (whole.holds, whole.event_count),
            (holds, None),
            "{expression}"
        );
        let parts: Vec<_> = whole.parts.iter().map(told).collect();
        let right = [
            (
                r#"exists A from xEvent where A.eventType = "buy""#,
                true,
                Some(2),
                None,
                "e2 e3".to_owned(),
            ),
            (
                r#"exists B from xEvent where B.eventType = "view" and B.commerce.order.priceTotal < 5"#,
                true,
                Some(1),
                None,
                "e1".to_owned(),
            ),
        ];
        assert_eq!(parts, right);
    }
    // Every first one must be met by itself.
    let all = explained(
        &scratch,
        r#"forall A from xEvent where A.eventType = "buy", B from xEvent where B.commerce.order.priceTotal > 1"#,
    );
    let parts: Vec<_> = all.parts.iter().map(told).collect();
    assert_eq!(
        parts,
        [
            (
                r#"forall A from xEvent where A.eventType = "buy""#,
                false,
                Some(2),
                None,
                "e2 e3".to_owned()
            ),
            (
                "forall B from xEvent where B.commerce.order.priceTotal > 1",
                false,
                Some(2),
                None,
                "e2 e3".to_owned()
            ),
        ]
    );
}

#[test]
fn paths_and_functions_of_events_show_the_events_that_fit() {
    let scratch = ann(&[
        ("e1", 1, "view", 1.0),
        ("e2", 2, "buy", 200.0),
        ("e3", 3, "buy", 300.0),
    ]);
    for (expression, holds, count, events) in [
        ("xEvent.commerce.order.priceTotal > 100", true, 2, "e2 e3"),
        ("xEvent.commerce.order.priceTotal > 1000", false, 0, ""),
        (
            r#"xEvent[eventType = "buy"].commerce.order.priceTotal > 250"#,
            true,
            1,
            "e3",
        ),
        (r#"xEvent.eventType in ["view", "x"]"#, true, 1, "e1"),
        (
            r#"xEvent.timestamp occurs before "2026-01-01T10:02:00Z""#,
            true,
            1,
            "e1",
        ),
        (r#"xEvent.exists(eventType = "view")"#, true, 1, "e1"),
        (
            r#"xEvent[eventType = "buy"][commerce.order.priceTotal > 250].count() > 1"#,
            false,
            1,
            "e3",
        ),
        (
            r#"xEvent[eventType = "buy"].sum(commerce.order.priceTotal) > 1000"#,
            false,
            2,
            "e2 e3",
        ),
        (
            r#"(sum A.commerce.order.priceTotal over A from xEvent where A.eventType = "view") > 0"#,
            true,
            1,
            "e1",
        ),
        (
            r#"forall A from xEvent where A.eventType = "view""#,
            false,
            1,
            "e1",
        ),
        ("xEvent.count() > 5", false, 3, "e1 e2 e3"),
    ] {
        let part = explained(&scratch, expression);
        assert_eq!(part.holds, holds, "{expression}");
        assert_eq!(
            (part.event_count, ids(&part).as_str()),
            (Some(count), events),
            "{expression}"
        );
    }
    let none = explained(&scratch, "person.age > 3");
    assert_eq!((none.event_count, none.values.len()), (None, 1));
}

/// What stands in a binder is no part by itself: it names what is not there outside.
#[test]
fn what_looks_at_an_item_or_a_variable_around_it_is_explained_as_a_whole() {
    let scratch = ann(&[("e1", 1, "buy", 1.0), ("e2", 2, "view", 2.0)]);
    for expression in [
        "forall O from orders where (exists A from O.items, B from O.items where A.sku != B.sku)",
        "orders[exists A from items, B from items where A.sku != B.sku].count() = 1",
        r#"exists O from orders where O.id = "o1" and CHAIN(xEvent, timestamp, [A: WHAT(eventType = "buy"), B: WHAT(O.id = "o1")])"#,
    ] {
        let found = explained(&scratch, expression);
        assert!(found.holds, "{expression}");
        assert!(found.parts.is_empty(), "{expression}: {found:?}");
    }
}

#[test]
fn two_chains_beside_each_other_are_walked_each_by_itself() {
    let scratch = ann(&[("e1", 1, "buy", 1.0), ("e2", 2, "view", 2.0)]);
    let chain =
        r#"CHAIN(xEvent, timestamp, [A: WHAT(eventType = "buy"), B: WHAT(eventType = "view")])"#;
    let found = explained(&scratch, &format!("({chain}) = ({chain})"));
    assert!(found.holds);
    let taken = |part: &ExplainedPart| -> Vec<Option<u64>> {
        part.parts.iter().map(|step| step.taken_count).collect()
    };
    let chains: Vec<_> = found.parts.iter().map(taken).collect();
    assert_eq!(chains, [[Some(1), Some(1)], [Some(1), Some(1)]]);
}

/// No count is better than a false one.
#[test]
fn what_compares_events_with_each_other_says_nothing_of_one_alone() {
    let scratch = ann(&[("e1", 1, "view", 1.0), ("e2", 2, "view", 300.0)]);
    let chain = explained(
        &scratch,
        "CHAIN(xEvent, timestamp, [A: WHAT(commerce.order.priceTotal > $1.xEvent.average(commerce.order.priceTotal))])",
    );
    let step = &chain.parts[0];
    assert!(chain.holds && step.holds);
    assert_eq!((step.event_count, step.taken_count), (None, None));
    let all = explained(&scratch, r#""view" notIn xEvent.eventType"#);
    assert_eq!((all.holds, all.event_count), (false, None));
}
