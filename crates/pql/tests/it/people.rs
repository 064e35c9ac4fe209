//! The people of the fixture, and who an expression takes of them.

use chrono::{DateTime, Utc};
use profile_export_pql::{Expression, Fields, Schema, Type};
use serde_json::Value;

use crate::interpreter::{Held, World, read};

const SCHEMA: &str = include_str!("fixtures/schema.json");
const PEOPLE: &str = include_str!("fixtures/people.json");

/// A Friday, noon.
pub const NOW: &str = "2024-03-15T12:00:00Z";

/// The schema of the fixture: `["X"]` is an array, `{"*": "X"}` a map.
pub fn schema() -> Schema {
    let json: Value = serde_json::from_str(SCHEMA).unwrap();
    Schema {
        profile: fields(&json["profile"]),
        event: fields(&json["event"]),
    }
}

fn fields(json: &Value) -> Fields {
    let members = json.as_object().unwrap().iter();
    Fields::new(members.map(|(name, json)| (name.clone(), ty(json))))
}

fn ty(json: &Value) -> Type {
    match json {
        Value::String(name) => match name.as_str() {
            "String" => Type::String,
            "Boolean" => Type::Boolean,
            "Integer" => Type::Integer,
            "Double" => Type::Double,
            "Timestamp" => Type::Timestamp,
            "Date" => Type::Date,
            other => panic!("{other}"),
        },
        Value::Array(item) => Type::array_of(ty(&item[0])),
        Value::Object(members) if members.contains_key("*") => Type::map_of(ty(&json["*"])),
        json => Type::Object(fields(json)),
    }
}

/// The people's names and worlds, in the order of the names.
pub fn people<T>(now: &str, each: impl Fn(&str, &World<'_>) -> T) -> Vec<T> {
    let schema = schema();
    let json: Value = serde_json::from_str(PEOPLE).unwrap();
    let mut people: Vec<(&String, &Value)> = json.as_object().unwrap().iter().collect();
    people.sort_by_key(|(name, _)| *name);
    let event = Type::Object(schema.event.clone());
    people
        .into_iter()
        .map(|(name, person)| {
            let is_in = |id: &str| {
                let segments = person["segments"].as_array();
                segments.is_some_and(|segments| segments.iter().any(|s| s == id))
            };
            let events = person["events"].as_array().unwrap();
            let world = World {
                profile: read(
                    Some(&person["profile"]),
                    &Type::Object(schema.profile.clone()),
                ),
                events: events.iter().map(|e| read(Some(e), &event)).collect(),
                now: now.parse::<DateTime<Utc>>().unwrap(),
                segments: &is_in,
            };
            each(name, &world)
        })
        .collect()
}

/// The names of those whom an expression takes, with blanks between.
pub fn taken(text: &str) -> String {
    taken_at(text, NOW)
}

pub fn taken_at(text: &str, now: &str) -> String {
    let expression = Expression::parse(text).unwrap_or_else(|e| panic!("{text}: {e}"));
    let checked = expression
        .check(&schema())
        .unwrap_or_else(|e| panic!("{text}: {e}"));
    let names = people(now, |name, world| {
        world.is_true(checked.condition()).then(|| name.to_owned())
    });
    names.into_iter().flatten().collect::<Vec<_>>().join(" ")
}

/// What an expression gives for one person.
pub fn value_of(text: &str, person: &str) -> Held {
    let expression = Expression::parse(text).unwrap_or_else(|e| panic!("{text}: {e}"));
    let checked = expression
        .check_value(&schema())
        .unwrap_or_else(|e| panic!("{text}: {e}"));
    let values = people(NOW, |name, world| {
        (name == person).then(|| world.work_out(checked.value()))
    });
    values.into_iter().flatten().next().unwrap()
}

/// The message with which an expression is refused, as a segment.
pub fn refusal(text: &str) -> String {
    let refused = Expression::parse(text).and_then(|e| e.check(&schema()).map(|_| ()));
    match refused {
        Ok(()) => panic!("{text} is not refused"),
        Err(error) => error.to_string(),
    }
}
