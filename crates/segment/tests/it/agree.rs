//! The evaluation and the interpreter agree on everybody.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, DictionaryArray, RecordBatch, StructArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Int32Type, Schema as ArrowSchema};
use chrono::{DateTime, Utc};
use profile_export_pql::{Expression, Schema, Type};
use profile_export_segment::{Evaluation, Segment};
use proptest::collection::vec;
use proptest::prelude::any;
use proptest::test_runner::{Config, TestRunner};
use serde_json::Value;
use xdm::Timestamp;

use crate::acceptance::SEGMENTS;
use crate::generate::Dice;
use crate::interpreter::{World, read};
use crate::people::{NOW, schema};
use crate::rows::{pruned, rows};
use crate::well_typed::condition;

const PEOPLE: &str = include_str!("../../../pql/tests/it/fixtures/people.json");
/// Set to run thousands of cases instead of some hundreds.
const DEEP: &str = "PROFILE_EXPORT_DEEP_TESTS";

pub fn runner() -> TestRunner {
    TestRunner::new(Config {
        cases: if std::env::var_os(DEEP).is_some() {
            10_000
        } else {
            300
        },
        failure_persistence: None,
        ..Config::default()
    })
}

pub fn now() -> Timestamp {
    Timestamp::parse(NOW).unwrap()
}

fn known() -> Vec<Value> {
    let people: Value = serde_json::from_str(PEOPLE).unwrap();
    people.as_object().unwrap().values().cloned().collect()
}

/// People with fields of some and events of others.
fn mixed(dice: &mut Dice<'_>, known: &[Value], count: usize) -> Vec<Value> {
    let names: Vec<String> = (known.iter())
        .flat_map(|person| person["profile"].as_object().unwrap().keys().cloned())
        .collect();
    let events: Vec<Value> = known
        .iter()
        .flat_map(|person| person["events"].as_array().unwrap().clone())
        .collect();
    let person = |dice: &mut Dice<'_>| {
        let mut profile = serde_json::Map::new();
        for _ in 0..dice.below(12) {
            let name = dice.pick(&names);
            profile.insert(name.clone(), dice.pick(known)["profile"][&name].clone());
        }
        profile.retain(|_, value| !value.is_null());
        let mut own: Vec<Value> = (0..dice.below(6)).map(|_| dice.pick(&events)).collect();
        let time = |event: &Value| match event["timestamp"].as_i64() {
            Some(millis) => millis,
            None => DateTime::parse_from_rfc3339(event["timestamp"].as_str().unwrap())
                .unwrap()
                .timestamp_millis(),
        };
        own.sort_by_key(|event| (time(event), event["_id"].to_string()));
        own.dedup();
        serde_json::json!({"profile": profile, "events": own, "segments": dice.pick(known)["segments"]})
    };
    (0..count).map(|_| person(dice)).collect()
}

/// What the interpreter says of each.
pub fn by_interpreter(expression: &Expression, people: &[Value], schema: &Schema) -> Vec<bool> {
    let checked = expression.check(schema).unwrap();
    let is_true = |person: &Value| {
        let is_in = |id: &str| {
            person["segments"]
                .as_array()
                .is_some_and(|all| all.iter().any(|s| s == id))
        };
        let event = Type::Object(schema.event.clone());
        World {
            profile: read(
                Some(&person["profile"]),
                &Type::Object(schema.profile.clone()),
            ),
            events: person["events"]
                .as_array()
                .unwrap()
                .iter()
                .map(|e| read(Some(e), &event))
                .collect(),
            now: NOW.parse::<DateTime<Utc>>().unwrap(),
            segments: &is_in,
        }
        .is_true(checked.condition())
    };
    people.iter().map(is_true).collect()
}

/// The same rows with all text in dictionaries.
fn packed(rows: &RecordBatch) -> RecordBatch {
    let columns: Vec<ArrayRef> = rows
        .columns()
        .iter()
        .map(|column| packed_array(column))
        .collect();
    let fields = rows
        .schema()
        .fields()
        .iter()
        .zip(&columns)
        .map(|(field, column)| Field::new(field.name(), column.data_type().clone(), true))
        .collect::<Vec<_>>();
    RecordBatch::try_new(Arc::new(ArrowSchema::new(fields)), columns).unwrap()
}

fn packed_array(array: &ArrayRef) -> ArrayRef {
    match array.data_type() {
        DataType::Utf8 => {
            let ty = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
            let packed = cast(array, &ty).unwrap();
            assert!(packed.as_any().is::<DictionaryArray<Int32Type>>());
            packed
        }
        DataType::Struct(_) => {
            let object = array.as_struct();
            let columns: Vec<ArrayRef> = object.columns().iter().map(packed_array).collect();
            let fields = object.fields().iter().zip(&columns);
            let fields = fields
                .map(|(field, column)| Field::new(field.name(), column.data_type().clone(), true));
            Arc::new(StructArray::new(
                fields.collect(),
                columns,
                object.nulls().cloned(),
            ))
        }
        _ => Arc::clone(array),
    }
}

fn evaluated(
    expression: &Expression,
    rows: &RecordBatch,
    schema: &Schema,
    asked: &[String],
) -> Vec<bool> {
    let checked = expression.check(schema).unwrap();
    let mut segments = vec![Segment::new("it", checked)];
    for id in asked {
        // Membership by a field of its own, so that the interpreter's and ours are the same.
        segments.push(Segment::parse(id, "1 = 2", schema).unwrap());
    }
    let evaluation = Evaluation::new(segments, now()).unwrap();
    evaluation.members(rows).unwrap()[0].iter().collect()
}

#[test]
fn an_evaluation_is_what_the_interpreter_says() {
    let schema = schema();
    let known = known();
    runner()
        .run(&vec(any::<u8>(), 0..500), |bytes| {
            let mut dice = Dice(&bytes);
            let text = condition(&mut dice);
            let mut people = known.clone();
            people.extend(mixed(&mut dice, &known, 20));
            for person in &mut people {
                person["segments"] = Value::Array(Vec::new());
            }
            let expression = Expression::parse(&text).unwrap_or_else(|e| panic!("{text}: {e}"));
            let expected = by_interpreter(&expression, &people, &schema);
            let asked = expression.check(&schema).unwrap().segments().to_vec();
            let rows = rows(&people, &schema);
            let columns = expression.check(&schema).unwrap().columns();
            let named = pruned(&rows, &columns);
            assert_eq!(
                evaluated(&expression, &named, &schema, &asked),
                expected,
                "with the columns alone that are read: {text}"
            );
            assert_eq!(
                evaluated(&expression, &rows, &schema, &asked),
                expected,
                "{text}"
            );
            assert_eq!(
                evaluated(&expression, &packed(&rows), &schema, &asked),
                expected,
                "{text}"
            );
            // Chunks may begin anywhere.
            let later = rows.slice(3, rows.num_rows() - 3);
            assert_eq!(
                evaluated(&expression, &later, &schema, &asked),
                expected[3..],
                "{text}"
            );
            Ok(())
        })
        .unwrap();
}

/// The fifty expressions of the documents, all at once: whom each takes is written down.
#[test]
fn the_expressions_of_the_documents_take_the_people_they_should() {
    let schema = schema();
    let people: Value = serde_json::from_str(PEOPLE).unwrap();
    let mut people: Vec<(&String, &Value)> = people.as_object().unwrap().iter().collect();
    people.sort_by_key(|(name, _)| *name);
    let all: Vec<Value> = people.iter().map(|(_, person)| (*person).clone()).collect();
    let rows = rows(&all, &schema);
    let mut segments = Vec::new();
    for (number, text, _) in SEGMENTS {
        segments.push(Segment::parse(number.to_string(), text, &schema).unwrap());
    }
    let asked: Vec<String> = segments
        .iter()
        .flat_map(|s| s.checked().segments().to_vec())
        .collect();
    // Of the fixture's people one alone is in those.
    let here = r#"emailAddress = "ann@uni.edu""#;
    segments.extend(
        asked
            .iter()
            .map(|id| Segment::parse(id, here, &schema).unwrap()),
    );
    let members = Evaluation::new(segments, now())
        .unwrap()
        .members(&rows)
        .unwrap();
    for ((number, text, expected), members) in SEGMENTS.iter().zip(members) {
        let names = people
            .iter()
            .zip(members.iter())
            .filter(|(_, is_in)| *is_in);
        let names: Vec<&str> = names.map(|((name, _), _)| name.as_str()).collect();
        assert_eq!(names.join(" "), *expected, "{number}: {text}");
    }
}

/// What generated expressions seldom have.
#[test]
fn objects_and_lists_of_one_place_or_another_and_records_that_are_not_there() {
    let schema = schema();
    let people = known();
    let rows = rows(&people, &schema);
    for text in [
        r"(select A from xEvent, B from A.productListItems where false = true).head().isNotNull()",
        r"(select A from xEvent, B from A.productListItems).head().isNotNull()",
        r#"if(person.gender = "female", orders, orders[price > 20]).count() > 1"#,
        r#"if(person.gender = "female", person.favoriteColors, offer.tags).includes("a")"#,
        r#"if(homeAddress.countryISO = "US", homeAddress, homeAddress).stateProvinceISO = "CA""#,
        r#"if(person.gender = "female", numbers, [1, 2]).sum() > 2"#,
    ] {
        let expression = Expression::parse(text).unwrap_or_else(|e| panic!("{text}: {e}"));
        let checked = expression
            .check(&schema)
            .unwrap_or_else(|e| panic!("{text}: {e}"));
        let expected = by_interpreter(&expression, &people, &schema);
        let evaluation = Evaluation::new(vec![Segment::new("it", checked)], now()).unwrap();
        let found = evaluation.members(&rows);
        // A list of objects can't be of either place, and says so.
        match found {
            Ok(members) => assert_eq!(members[0].iter().collect::<Vec<_>>(), expected, "{text}"),
            Err(error) => assert!(text.contains("orders["), "{text}: {error}"),
        }
    }
}

#[test]
fn segments_are_evaluated_after_those_that_they_ask_for() {
    let schema = schema();
    let rows = rows(&known(), &schema);
    let of = |id: &str, text: &str| Segment::parse(id, text, &schema).unwrap();
    let evaluation = |segments| Evaluation::new(segments, now());
    let members = evaluation(vec![
        of("c", r#"not inSegment("b")"#),
        of("b", r#"inSegment("a") and xEvent"#),
        of("a", r#"homeAddress.countryISO = "US""#),
        of("same", r#"homeAddress.countryISO = "US" and xEvent"#),
    ]);
    let members = members.unwrap().members(&rows).unwrap();
    assert_eq!(members[1], members[3]);
    assert_eq!(members[0], !&members[1]);
    assert!(members[2].count_set_bits() > 0);
    let circle = evaluation(vec![
        of("a", r#"inSegment("b")"#),
        of("b", r#"inSegment("a")"#),
    ]);
    assert!(circle.unwrap_err().to_string().contains("circle"));
    let unknown = evaluation(vec![of("a", r#"inSegment("x")"#)]);
    assert!(unknown.unwrap_err().to_string().contains(r#""x""#));
}

/// A list that is written out is held against the events, not beside each of them; and a value against a list's items.
#[test]
fn lists_that_are_written_out_are_sets_to_which_each_value_is_held_once() {
    let schema = schema();
    let mut people = known();
    let events = (0..40).map(|n| serde_json::json!({"_id": format!("{n:02}"), "timestamp": "2024-03-15T03:00:00Z", "type": (["A", "B", "C"][n % 3]),
            "productListItems": [{"SKU": "x", "quantity": n}]}));
    people.push(serde_json::json!({"profile": {"person": {"favoriteColors": ["red", "blue"]}, "numbers": [1, 2]},
        "events": events.collect::<Vec<_>>(), "segments": []}));
    let plain = rows(&people, &schema);
    let mut taken = 0;
    for text in [
        r#"xEvent[type in ["A", "B", "D", "E"]].count() > 20"#,
        r#"xEvent[type notIn ["A", "B", "D", "E"]].count() = 13"#,
        r#"xEvent[productListItems.quantity in [1, 2, 3, 50]].count() = 3"#,
        r#"xEvent[productListItems.quantity notIn [1, 2, 3, 50]].count() = 37"#,
        r#"xEvent[type in [homeAddress.countryISO, "A"]]"#,
        r#"orders.price in [10.5, 20]"#,
        r#"person.isMember in [true]"#,
        r#"person.favoriteColors.includes("red")"#,
        r#""red" notIn person.favoriteColors"#,
        r#"numbers.includes(2)"#,
        r#"emailAddress notIn ["ann@uni.edu", "nobody"]"#,
    ] {
        let expression = Expression::parse(text).unwrap_or_else(|e| panic!("{text}: {e}"));
        let expected = by_interpreter(&expression, &people, &schema);
        taken += expected.iter().filter(|is_in| **is_in).count();
        let checked = expression.check(&schema).unwrap();
        let evaluation = Evaluation::new(vec![Segment::new("it", checked)], now()).unwrap();
        // Fewer than events and values together have.
        let evaluation = evaluation.with_most_combinations(100);
        for rows in [&plain, &packed(&plain)] {
            let members = evaluation.members(rows);
            let members = members.unwrap_or_else(|e| panic!("{text}: {e}"));
            assert_eq!(members[0].iter().collect::<Vec<_>>(), expected, "{text}");
        }
    }
    assert!(taken > 10, "{taken}");
}

#[test]
fn too_many_combinations_of_one_profile_are_named_and_of_many_are_worked_out() {
    let schema = schema();
    let event = |n: usize| {
        let time = DateTime::from_timestamp_millis(1_700_000_000_000 + n as i64).unwrap();
        serde_json::json!({"_id": format!("{n:06}"), "timestamp": time.to_rfc3339(), "type": "A"})
    };
    let person = |events: usize| {
        let events: Vec<Value> = (0..events).map(event).collect();
        serde_json::json!({"profile": {}, "events": events})
    };
    let text = r#"select A from xEvent where A.type = "A", B from xEvent where B.type = A.type and B.timestamp occurs after A.timestamp"#;
    let evaluation =
        Evaluation::new(vec![Segment::parse("pairs", text, &schema).unwrap()], now()).unwrap();
    let evaluation = evaluation.with_most_combinations(1 << 14);
    // 20,160 pairs, and one person has none.
    let mut some: Vec<Value> = (0..10).map(|_| person(64)).collect();
    some.push(person(1));
    let members = evaluation.members(&rows(&some, &schema)).unwrap();
    assert_eq!(members[0].count_set_bits(), 10);
    let error = evaluation
        .members(&rows(&[person(200)], &schema))
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("segment pairs") && error.contains("19900 combinations"),
        "{error}"
    );
}
