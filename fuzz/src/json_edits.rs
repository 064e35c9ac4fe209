//! Changes of JSON that leave it JSON: one with a byte changed is mostly refused by its syntax, and nothing behind
//! that is reached.

use libfuzzer_sys::fuzzer_mutate;
use serde_json::{Map, Value, json};

use crate::dice::Dice;

/// Names of properties, and texts that mean something as a value.
const WORDS: [&str; 87] = [
    "",
    ".",
    "*",
    "_id",
    "id",
    "ids",
    "op",
    "path",
    "value",
    "name",
    "type",
    "order",
    "default",
    "version",
    "description",
    "schema",
    "schemaRef",
    "contentType",
    "tags",
    "class",
    "fields",
    "filter",
    "segments",
    "segmentId",
    "segmentNs",
    "status",
    "segmentQualificationTime",
    "fromIngestTimestamp",
    "toIngestTimestamp",
    "fromTimestamp",
    "toTimestamp",
    "startTime",
    "endTime",
    "emptyProfiles",
    "additionalFields",
    "eventList",
    "mergePolicy",
    "mergePolicyId",
    "destination",
    "datasetId",
    "dataSetId",
    "segmentPerBatch",
    "evaluationInfo",
    "segmentation",
    "identityGraph",
    "attributeMerge",
    "isActiveOnEdge",
    "imsOrgId",
    "sandbox",
    "updateEpoch",
    "inputFormat",
    "format",
    "isMultiLineJson",
    "enableErrorDiagnostics",
    "partialIngestionPercentage",
    "fileDescription",
    "persisted",
    "containerFormat",
    "aspect",
    "primaryIdentity",
    "ingestedAtField",
    "maps",
    "placeholderIdentities",
    "created",
    "properties",
    "items",
    "additionalProperties",
    "meta:xdmType",
    "allOf",
    "$ref",
    "definitions",
    "object",
    "array",
    "string",
    "integer",
    "number",
    "boolean",
    "date",
    "date-time",
    "map",
    "pdg",
    "none",
    "timestampOrdered",
    "dataSetPrecedence",
    "realized",
    "existing",
    "exited",
];
/// More of such texts, which hold what one word does not.
const TEXTS: [&str; 16] = [
    "mine",
    "latest",
    "s1",
    "s2",
    "ups",
    "AAM",
    "profile",
    "event",
    "json",
    "parquet",
    "_xdm.context.profile",
    "0000000000000000000000a1",
    "0000000000000000000000b1",
    "2018-10-22T00:00:00Z",
    "personalEmail.address,segmentMembership.ups",
    "/attributeMerge.type",
];

/// Changes an input of the target `body` and returns its length.
pub fn edit(data: &mut [u8], size: usize, max_size: usize, seed: u32) -> usize {
    let mut dice = Dice::new(seed);
    let edited = match dice.roll(6) {
        0 => None,
        _ => data.get(1..size).and_then(|body| edited(body, &mut dice)),
    };
    match edited {
        Some(body) if body.len() < max_size => {
            let end = body.len() + 1;
            data[1..end].copy_from_slice(&body);
            end
        }
        _ => fuzzer_mutate(data, size, max_size),
    }
}

fn edited(body: &[u8], dice: &mut Dice) -> Option<Vec<u8>> {
    let mut value: Value = serde_json::from_slice(body).ok()?;
    for _ in 0..=dice.roll(3) {
        let other = node(&mut value, dice).clone();
        let made = made(other, dice);
        let place = node(&mut value, dice);
        match (place, dice.roll(3)) {
            (Value::Object(object), 0) => {
                object.insert(WORDS[dice.roll(WORDS.len())].to_owned(), made);
            }
            (Value::Object(object), 1) => {
                let number = dice.roll(object.len());
                if let Some(name) = object.keys().nth(number).cloned() {
                    object.remove(&name);
                }
            }
            (Value::Array(items), 0) => items.push(made),
            (Value::Array(items), 1) => {
                items.truncate(dice.roll(items.len() + 1));
            }
            (place, _) => *place = made,
        }
    }
    serde_json::to_vec(&value).ok()
}

/// Any value of a document, itself among them.
fn node<'a>(value: &'a mut Value, dice: &mut Dice) -> &'a mut Value {
    let inner = match value {
        Value::Array(items) => items.len(),
        Value::Object(object) => object.len(),
        _ => 0,
    };
    if inner == 0 || dice.roll(3) == 0 {
        return value;
    }
    let number = dice.roll(inner);
    match value {
        Value::Array(items) => node(&mut items[number], dice),
        Value::Object(object) => match object.values_mut().nth(number) {
            Some(inner) => node(inner, dice),
            None => unreachable!("it has so many"),
        },
        _ => value,
    }
}

/// A value to put somewhere.
fn made(other: Value, dice: &mut Dice) -> Value {
    let word = |dice: &mut Dice| WORDS[dice.roll(WORDS.len())];
    match dice.roll(12) {
        0 => Value::Null,
        1 => json!(dice.roll(2) == 0),
        2 => json!([0, 1, -1, i64::MAX, i64::MIN, 1_540_000_000_000][dice.roll(6)]),
        3 => json!([0.5, 1e300, -0.0, 1e-300][dice.roll(4)]),
        4 => json!([other]),
        5 => json!({word(dice): other}),
        6 => Value::Object(Map::new()),
        7 => json!([]),
        8 => json!(word(dice)),
        9 => json!(TEXTS[dice.roll(TEXTS.len())]),
        10 => json!(format!("{}.{}", word(dice), word(dice))),
        _ => other,
    }
}
