//! Steps in an order: the same whatever else is read, and however close events are.

use profile_export_pql::{Expression, Fields, Schema, Type};
use profile_export_segment::{Evaluation, Segment};
use proptest::collection::vec;
use proptest::prelude::any;
use serde_json::{Value, json};

use crate::agree::{by_interpreter, now, runner};
use crate::generate::Dice;
use crate::rows::{pruned, rows};

fn schema() -> Schema {
    let item = || {
        Fields::new([
            ("_id", Type::String),
            ("timestamp", Type::Timestamp),
            ("at", Type::Timestamp),
            ("kind", Type::String),
            ("size", Type::Integer),
        ])
    };
    Schema {
        profile: Fields::new([("orders", Type::array_of(Type::Object(item())))]),
        event: item(),
    }
}

/// Microseconds of which three are within a millisecond.
const TIMES: [&str; 5] = [
    "2024-03-15T11:00:00.000000Z",
    "2024-03-15T11:00:00.000001Z",
    "2024-03-15T11:00:00.000999Z",
    "2024-03-15T11:00:00.001Z",
    "2024-03-15T11:00:02Z",
];

fn item(dice: &mut Dice<'_>) -> Value {
    let at = match dice.below(6) {
        0 => Value::Null,
        _ => json!(dice.pick(&TIMES)),
    };
    json!({"_id": dice.pick(&["a", "b", "c", "d"]), "timestamp": dice.pick(&TIMES), "at": at,
           "kind": dice.pick(&["x", "y", "z"]), "size": dice.below(3)})
}

/// Events in the order of the store, other things in any.
fn person(dice: &mut Dice<'_>) -> Value {
    let mut events: Vec<Value> = (0..dice.below(6)).map(|_| item(dice)).collect();
    events.sort_by_key(|event| (event["timestamp"].to_string(), event["_id"].to_string()));
    let orders: Vec<Value> = (0..dice.below(6)).map(|_| item(dice)).collect();
    json!({"profile": {"orders": orders}, "events": events, "segments": []})
}

fn expression(dice: &mut Dice<'_>) -> String {
    let (source, order) = dice.pick(&[
        ("xEvent", "timestamp"),
        (r#"xEvent[kind != "z"]"#, "timestamp"),
        ("xEvent.topN(size, 4)", "timestamp"),
        ("xEvent", "at"),
        ("orders", "at"),
        ("orders", "timestamp"),
    ]);
    let steps: Vec<String> = (0..2 + dice.below(2))
        .map(|number| {
            let count = match dice.below(3) {
                0 => " COUNT(2)",
                _ => "",
            };
            let kind = dice.pick(&["x", "y", "z"]);
            format!(r#"S{number}: WHAT(kind = "{kind}"){count}"#)
        })
        .collect();
    format!("CHAIN({source}, {order}, [{}])", steps.join(", "))
}

#[test]
fn steps_are_in_the_order_that_the_interpreter_says_whatever_else_is_read() {
    let schema = schema();
    runner()
        .run(&vec(any::<u8>(), 0..400), |bytes| {
            let mut dice = Dice(&bytes);
            let text = expression(&mut dice);
            let people: Vec<Value> = (0..12).map(|_| person(&mut dice)).collect();
            let expression = Expression::parse(&text).unwrap_or_else(|e| panic!("{text}: {e}"));
            let checked = expression
                .check(&schema)
                .unwrap_or_else(|e| panic!("{text}: {e}"));
            let expected = by_interpreter(&expression, &people, &schema);
            let rows = rows(&people, &schema);
            let named = pruned(&rows, &checked.columns());
            let evaluation = Evaluation::new(vec![Segment::new("it", checked)], now()).unwrap();
            for rows in [&rows, &named] {
                let members = evaluation.members(rows).unwrap();
                let found: Vec<bool> = members[0].iter().collect();
                assert_eq!(found, expected, "{text}: {people:?}");
            }
            Ok(())
        })
        .unwrap();
}

/// Events of one millisecond: what the store keeps of them says which comes first, and a window can't.
#[test]
fn events_within_a_millisecond_are_in_their_order_to_steps_and_at_once_to_windows() {
    let schema = schema();
    let event = |id: &str, micros: &str, kind: &str| json!({"_id": id, "timestamp": format!("2024-03-15T11:00:00.{micros}Z"), "kind": kind});
    let people = [
        json!({"profile": {}, "events": [event("b", "000001", "x"), event("a", "000002", "y")]}),
        json!({"profile": {}, "events": [event("b", "000001", "y"), event("a", "000002", "x")]}),
        // Of one microsecond the smaller ID is first.
        json!({"profile": {}, "events": [event("a", "000001", "x"), event("b", "000001", "y")]}),
    ];
    let chain = r#"CHAIN(xEvent, timestamp, [A: WHAT(kind = "x"), B: WHAT(kind = "y")])"#;
    let window = r#"select A from xEvent where A.kind = "x", B from xEvent where B.kind = "y" and B.timestamp occurs after A.timestamp"#;
    let segments = [("chain", chain), ("window", window), ("ids", "xEvent._id")];
    let segments = segments.map(|(id, text)| Segment::parse(id, text, &schema).unwrap());
    let columns = segments[0].checked().columns();
    let named: Vec<String> = (columns.events.unwrap().iter())
        .map(|column| column.path.join("."))
        .collect();
    assert_eq!(named, ["kind"], "neither times nor IDs are read");
    let evaluation = Evaluation::new(segments.to_vec(), now()).unwrap();
    let members = evaluation.members(&rows(&people, &schema)).unwrap();
    assert_eq!(members[0].iter().collect::<Vec<_>>(), [true, false, true]);
    assert_eq!(members[1].count_set_bits(), 0);
}
