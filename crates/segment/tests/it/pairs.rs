//! Expressions with several variables: pairs that are never made are none that the interpreter would find.

use chrono::DateTime;
use profile_export_pql::Expression;
use profile_export_segment::{Evaluation, Segment};
use proptest::collection::vec;
use proptest::prelude::any;
use serde_json::{Value, json};

use crate::agree::{by_interpreter, now, runner};
use crate::generate::Dice;
use crate::people::schema;
use crate::rows::{pruned, rows};

/// The evaluation's time, in milliseconds.
fn at(minutes: i64) -> i64 {
    now().millis() + minutes * 60_000
}

fn event(number: usize, minutes: i64, kind: &str) -> Value {
    let time = DateTime::from_timestamp_millis(at(minutes)).unwrap();
    json!({"_id": format!("{number:06}"), "timestamp": time.to_rfc3339(), "type": kind,
           "productListItems": [{"SKU": kind, "quantity": number % 3}]})
}

/// Some events at the same minute, most within a few days.
fn person(dice: &mut Dice<'_>) -> Value {
    let mut minutes: Vec<i64> = (0..dice.below(7))
        .map(|_| {
            dice.pick(&[
                -4_000, -1_500, -1_440, -61, -60, -59, -30, -1, 0, 1, 30, 60, 1_440,
            ])
        })
        .collect();
    minutes.sort_unstable();
    let events = minutes.into_iter().enumerate();
    let events: Vec<Value> = events
        .map(|(number, minutes)| event(number, minutes, dice.pick(&["a", "b", "c"])))
        .collect();
    let orders = [
        json!([{"price": 2.0}, {"price": 1.0}]),
        json!([]),
        Value::Null,
    ];
    json!({"profile": {"orders": dice.pick(&orders), "emailAddress": dice.pick(&["a", "b"])}, "events": events,
           "segments": []})
}

const WINDOWS: [&str; 17] = [
    "<= 60 minutes after",
    "< 60 minutes after",
    "= 1 hour after",
    "!= 1 hour after",
    "> 1 hour after",
    ">= 1 hour after",
    "<= 60 minutes before",
    "< 1 day before",
    "= 1 day before",
    "!= 1 day before",
    "> 1 day before",
    ">= 1 day before",
    "<= 1 month after",
    "before",
    "after",
    "on",
    "<= 0 minutes after",
];

/// A condition on `inner`, of the variables outside of it.
fn part(dice: &mut Dice<'_>, inner: &str, outer: &[&str]) -> String {
    let other = dice.pick(outer);
    let window = dice.pick(&WINDOWS);
    match dice.below(9) {
        0 | 1 => format!("{inner}.timestamp occurs {window} {other}.timestamp"),
        2 => format!(
            "{inner}.timestamp occurs between {other}.timestamp and {}.timestamp",
            dice.pick(outer)
        ),
        3 => format!(r#"{inner}.type = "{}""#, dice.pick(&["a", "b"])),
        4 => format!("{inner}.type = {other}.type"),
        5 => format!("{inner}.type = emailAddress"),
        6 => format!("not ({inner}.timestamp occurs {window} {other}.timestamp)"),
        7 => format!("{inner}.timestamp occurs {window} now"),
        // A window that looks at the item itself.
        _ => format!("{other}.timestamp occurs {window} {inner}.timestamp"),
    }
}

fn range(dice: &mut Dice<'_>, inner: &str, outer: &[&str]) -> String {
    let source = match dice.below(4) {
        0 => r#"xEvent[type = "a"]"#.to_owned(),
        1 => r#"xEvent[not (type = "c")]"#.to_owned(),
        _ => "xEvent".to_owned(),
    };
    let parts: Vec<String> = (0..dice.below(4))
        .map(|_| part(dice, inner, outer))
        .collect();
    let word = dice.pick(&[" and ", " or "]);
    match parts.is_empty() {
        true => format!("{inner} from {source}"),
        false => format!("{inner} from {source} where {}", parts.join(word)),
    }
}

fn expression(dice: &mut Dice<'_>) -> String {
    let first = dice.pick(&["A from xEvent", r#"A from xEvent where A.type = "a""#]);
    let mut ranges = format!("{first}, {}", range(dice, "B", &["A"]));
    match dice.below(4) {
        0 => ranges = format!("{ranges}, {}", range(dice, "C", &["A", "B"])),
        1 => ranges = format!("{ranges}, O from orders where O.price > 1"),
        2 => ranges = format!("{ranges}, I from B.productListItems where I.SKU = A.type"),
        _ => {}
    }
    let n = dice.below(4);
    match dice.below(5) {
        0 => format!("(select {ranges}).count() > {n}"),
        1 => format!("exists {ranges}"),
        2 => format!("forall {ranges}"),
        3 => format!("(select {ranges}).A.timestamp.min() occurs before today"),
        _ => format!("select {ranges}"),
    }
}

#[test]
fn several_variables_are_what_the_interpreter_says() {
    let schema = schema();
    runner()
        .run(&vec(any::<u8>(), 0..300), |bytes| {
            let mut dice = Dice(&bytes);
            let text = expression(&mut dice);
            let people: Vec<Value> = (0..12).map(|_| person(&mut dice)).collect();
            let expression = Expression::parse(&text).unwrap_or_else(|e| panic!("{text}: {e}"));
            let checked = expression
                .check(&schema)
                .unwrap_or_else(|e| panic!("{text}: {e}"));
            let expected = by_interpreter(&expression, &people, &schema);
            let columns = checked.columns();
            let evaluation = Evaluation::new(vec![Segment::new("it", checked)], now()).unwrap();
            let rows = rows(&people, &schema);
            for rows in [&rows, &pruned(&rows, &columns)] {
                let members = evaluation.members(rows).unwrap();
                let found: Vec<bool> = members[0].iter().collect();
                assert_eq!(found, expected, "{text}: {people:?}");
            }
            Ok(())
        })
        .unwrap();
}

/// 400,000,000 pairs, of which a window leaves 100,000, and one variable's own condition none to speak of.
#[test]
fn pairs_outside_of_a_window_and_of_events_that_are_not_asked_for_are_never_made() {
    let schema = schema();
    let count = 20_000;
    let kind = |n: usize| if n == count / 2 { "b" } else { "a" };
    let events = (0..count).map(|n| event(n, n as i64 - count as i64, kind(n)));
    let people = [json!({"profile": {}, "events": events.collect::<Vec<_>>()})];
    let rows = rows(&people, &schema);
    for (text, expected) in [
        (
            "select A from xEvent, B from xEvent where B.timestamp occurs <= 5 minutes after A.timestamp",
            true,
        ),
        (
            r#"select A from xEvent where A.type = "b", B from xEvent where B.type = "b" and B.timestamp occurs = 1 minute after A.timestamp"#,
            false,
        ),
        (
            r#"select A from xEvent, B from xEvent where B.type = "b" and B.timestamp occurs after A.timestamp"#,
            true,
        ),
        (
            r#"select A from xEvent, B from xEvent[type = "b"] where B.type = A.type"#,
            true,
        ),
    ] {
        let segment =
            Segment::parse("pairs", text, &schema).unwrap_or_else(|e| panic!("{text}: {e}"));
        let evaluation = Evaluation::new(vec![segment], now()).unwrap();
        let evaluation = evaluation.with_most_combinations(100_000);
        let members = evaluation
            .members(&rows)
            .unwrap_or_else(|e| panic!("{text}: {e}"));
        assert_eq!(members[0].value(0), expected, "{text}");
    }
}
