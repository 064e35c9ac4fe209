//! The events of a profile: a window of them, in order, a page at a time.

use std::cmp::Ordering;

use chrono::DateTime;
use export::{Export, FoundProfile, RequestError};
use serde_json::Value;
use xdm::{
    Class, FieldPath, FieldType, Fields, IDENTITY_MAP, Identity, TIME_SERIES_EVENTS, Timestamp,
    nearest,
};

use super::{Lookup, Lookups};
use crate::error::Result;
use store::Store;

/// What a cursor begins with that counts events, where an `_id` would not tell one from another.
const PLACE: char = '#';

/// Which events of a profile are looked up.
#[derive(Clone, Debug, PartialEq)]
pub struct EventQuery {
    /// Comma-separated field paths of events; all fields where it is missing or blank.
    pub fields: Option<String>,
    /// A merge policy's ID; the default where it is missing.
    pub merge_policy: Option<String>,
    /// From this moment on.
    pub start: Option<Timestamp>,
    /// Before this moment.
    pub end: Option<Timestamp>,
    /// Whether the latest come first.
    pub descends: bool,
    /// At the most so many.
    pub limit: usize,
    /// The cursor of the first, as an earlier page gave it.
    pub cursor: Option<String>,
    /// What has to hold of each.
    pub properties: Vec<Property>,
}

/// An event.
#[derive(Clone, Debug, PartialEq)]
pub struct FoundEvent {
    /// Its `_id`.
    pub id: String,
    /// When it happened.
    pub timestamp: Timestamp,
    /// When it came in.
    pub ingested: Timestamp,
    /// The fields that were asked for.
    pub entity: Value,
}

/// A page of events.
#[derive(Clone, Debug, PartialEq)]
pub struct EventPage {
    /// Its events.
    pub events: Vec<FoundEvent>,
    /// The cursor of the next page, if there is one.
    pub next: Option<String>,
}

/// A condition on a field of events: `commerce.order.priceTotal>=100`, `eventType="visit"`.
#[derive(Clone, Debug, PartialEq)]
pub struct Property {
    path: FieldPath,
    operator: Operator,
    value: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    Equal,
    Unequal,
    Less,
    AtMost,
    Greater,
    AtLeast,
}

/// Longer ones first: `<=` begins with `<`.
const OPERATORS: [(&str, Operator); 6] = [
    ("!=", Operator::Unequal),
    ("<=", Operator::AtMost),
    (">=", Operator::AtLeast),
    ("=", Operator::Equal),
    ("<", Operator::Less),
    (">", Operator::Greater),
];

impl Property {
    /// Reads a condition.
    ///
    /// # Errors
    /// No operator, no path or no value.
    pub fn parse(text: &str) -> Result<Self, RequestError> {
        let refused = |why: String| {
            RequestError::new(
                "property",
                format!(
                    "found {text:?}, {why}; allowed is a field, one of = != < <= > >=, and a value: eventType=\"visit\""
                ),
            )
        };
        let found = OPERATORS
            .iter()
            .filter_map(|(sign, operator)| Some((text.find(sign)?, *sign, *operator)));
        // The first in the text; of several there the longest.
        let first = found.min_by_key(|(at, sign, _)| (*at, usize::MAX - sign.len()));
        let (at, sign, operator) =
            first.ok_or_else(|| refused("which has no operator".to_owned()))?;
        let path =
            FieldPath::parse(text[..at].trim()).map_err(|error| refused(error.to_string()))?;
        let value = text[at + sign.len()..].trim();
        let quotes = ['"', '\''].into_iter();
        let mut opened = quotes.filter_map(|quote| Some((quote, value.strip_prefix(quote)?)));
        let value = match opened.next() {
            Some((quote, rest)) => rest.strip_suffix(quote).ok_or_else(|| {
                refused("whose value has a quote at its beginning alone".to_owned())
            })?,
            None if value.is_empty() => return Err(refused("which has no value".to_owned())),
            None => value,
        };
        Ok(Self {
            path,
            operator,
            value: value.to_owned(),
        })
    }

    /// Refuses a field that no event has, and a value that no value of it can be compared with.
    fn check(&self, union: &Fields) -> Result<(), RequestError> {
        let name = self.path.parts().join(".");
        let refused = |problem: String| RequestError::new("property", problem);
        let mut among = Some(union);
        let mut found: Option<&FieldType> = None;
        for part in self.path.parts() {
            let fields = match among {
                Some(fields) => fields,
                // What is in a map goes by keys, which are data.
                None if matches!(found, Some(FieldType::Map(_))) => return Ok(()),
                None => {
                    return Err(refused(format!(
                        "found {name:?}, which is no field of events"
                    )));
                }
            };
            found = fields.get(part);
            if found.is_none() {
                let near = nearest(part, fields.iter().map(|(name, _)| name));
                let near = near.first().map(|near| format!("; did you mean {near:?}?"));
                let near = near.unwrap_or_default();
                return Err(refused(format!(
                    "found {name:?}, which is no field of events{near}"
                )));
            }
            while let Some(FieldType::List(item)) = found {
                found = Some(item);
            }
            among = match found {
                Some(FieldType::Object(fields)) => Some(fields),
                _ => None,
            };
        }
        let value = self.value.as_str();
        let (fits, expected) = match found {
            Some(
                FieldType::Byte
                | FieldType::Short
                | FieldType::Int
                | FieldType::Long { .. }
                | FieldType::Double,
            ) => (value.parse::<f64>().is_ok_and(f64::is_finite), "a number"),
            Some(FieldType::Boolean) => (value.parse::<bool>().is_ok(), "true or false"),
            Some(FieldType::DateTime) => {
                (Timestamp::parse(value).is_some(), "an RFC 3339 timestamp")
            }
            Some(FieldType::Object(_) | FieldType::Map(_)) => {
                (false, "a field with a single value")
            }
            _ => (true, ""),
        };
        match fits {
            true => Ok(()),
            false => Err(refused(format!(
                "found {value:?} for {name:?}; allowed is {expected}"
            ))),
        }
    }

    /// Whether it holds. A field that is not there is unequal to everything, and nothing else; in lists one item is
    /// enough.
    fn holds(&self, event: &Value) -> bool {
        let mut found = Vec::new();
        collect(event, self.path.parts(), &mut found);
        match self.operator {
            Operator::Unequal => found
                .iter()
                .all(|value| compare(value, &self.value) != Some(Ordering::Equal)),
            operator => found.iter().any(|value| {
                compare(value, &self.value).is_some_and(|order| match operator {
                    Operator::Equal => order.is_eq(),
                    Operator::Less => order.is_lt(),
                    Operator::AtMost => order.is_le(),
                    Operator::Greater => order.is_gt(),
                    Operator::AtLeast => order.is_ge(),
                    Operator::Unequal => order.is_ne(),
                })
            }),
        }
    }
}

/// The values at a path, through lists.
fn collect<'a>(value: &'a Value, path: &[String], found: &mut Vec<&'a Value>) {
    match (value, path) {
        (Value::Array(items), _) => items.iter().for_each(|item| collect(item, path, found)),
        (Value::Null, _) => {}
        (value, []) => found.push(value),
        (Value::Object(object), [name, rest @ ..]) => {
            object
                .iter()
                .filter(|(key, _)| *key == name)
                .for_each(|(_, inner)| collect(inner, rest, found));
        }
        _ => {}
    }
}

/// How a value stands to a text: as numbers, moments or texts, whichever both are.
fn compare(value: &Value, text: &str) -> Option<Ordering> {
    match value {
        Value::Number(number) => number.as_f64()?.partial_cmp(&text.parse().ok()?),
        Value::Bool(value) => Some(value.cmp(&text.parse().ok()?)),
        Value::String(value) => {
            let moments = [value, text].map(|text| DateTime::parse_from_rfc3339(text).ok());
            match moments {
                [Some(value), Some(text)] => Some(value.cmp(&text)),
                _ => Some(value.as_str().cmp(text)),
            }
        }
        _ => None,
    }
}

impl Lookups {
    /// A page of the events of an identity's profile; `None` where there is no such profile.
    ///
    /// # Errors
    /// As for [`Lookups::find`]; a cursor that no page gave.
    pub fn events(
        &self,
        store: &Store,
        query: &EventQuery,
        identity: &Identity,
    ) -> Result<Option<EventPage>> {
        let unions = store.catalog().union(Class::Event, None)?;
        for property in &query.properties {
            property.check(&unions)?;
        }
        // What decides is read with what is shown.
        let whole = Lookup {
            fields: Some(IDENTITY_MAP.to_owned()),
            event_fields: Some(String::new()),
            merge_policy: query.merge_policy.clone(),
        };
        let fields = query
            .fields
            .as_ref()
            .filter(|fields| !fields.trim().is_empty());
        let Some(fields) = fields else {
            let found = self.find(store, &whole, identity)?;
            return found.map(|found| page(query, found, None)).transpose();
        };
        let shown = Lookup {
            event_fields: Some(format!("{fields},_id,timestamp")),
            ..whole.clone()
        };
        loop {
            let (generation, whole) = self.prepared(store, &whole)?;
            let (other, shown) = self.prepared(store, &shown)?;
            // Both have the same events, one by one, only of the same state of the store.
            if other != generation {
                continue;
            }
            let of = |export: &Export| export.look_up(&identity.namespace, &identity.id);
            return match (of(&whole)?, of(&shown)?) {
                (Some(found), Some(shown)) => page(query, found, Some(shown)).map(Some),
                _ => Ok(None),
            };
        }
    }
}

/// The page of a profile's events; `shown` has them with the fields alone that are asked for.
fn page(query: &EventQuery, found: FoundProfile, shown: Option<FoundProfile>) -> Result<EventPage> {
    let entities = |mut profile: FoundProfile| match profile.row[TIME_SERIES_EVENTS].take() {
        Value::Array(events) => events,
        _ => Vec::new(),
    };
    let ingested = found.events_ingested.clone();
    let all = entities(found);
    let shown = shown.map_or_else(|| all.clone(), entities);
    let mut events = Vec::new();
    for ((whole, entity), ingested) in all.into_iter().zip(shown).zip(ingested) {
        let timestamp = whole["timestamp"].as_str().and_then(Timestamp::parse);
        let timestamp = timestamp.unwrap_or_default();
        let is_in = query.start.is_none_or(|start| timestamp >= start)
            && query.end.is_none_or(|end| timestamp < end);
        if is_in
            && query
                .properties
                .iter()
                .all(|property| property.holds(&whole))
        {
            events.push(FoundEvent {
                id: whole["_id"].as_str().unwrap_or_default().to_owned(),
                timestamp,
                ingested,
                entity,
            });
        }
    }
    if query.descends {
        events.reverse();
    }
    let first = match &query.cursor {
        None => 0,
        Some(cursor) => place_of(&events, cursor)?,
    };
    let next = first.saturating_add(query.limit);
    let next = (next < events.len()).then(|| cursor_of(&events, next));
    let events = events.into_iter().skip(first).take(query.limit);
    Ok(EventPage {
        events: events.collect(),
        next,
    })
}

/// What names the event at a place: its `_id`, unless one before it has the same.
fn cursor_of(events: &[FoundEvent], at: usize) -> String {
    let id = events.get(at).map_or("", |event| &event.id);
    let is_first = events.iter().position(|event| event.id == id) == Some(at);
    match is_first && !id.is_empty() && !id.starts_with(PLACE) {
        true => id.to_owned(),
        false => format!("{PLACE}{at}"),
    }
}

fn place_of(events: &[FoundEvent], cursor: &str) -> Result<usize> {
    let counted = cursor
        .strip_prefix(PLACE)
        .and_then(|at| at.parse::<usize>().ok());
    let found = counted.or_else(|| events.iter().position(|event| event.id == cursor));
    found.ok_or_else(|| {
        let problem = format!("found {cursor:?}, which is the _id of none of these events");
        RequestError::new("start", problem).into()
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn properties_compare_numbers_texts_and_moments() {
        let event = json!({"eventType": "visit", "timestamp": "2026-01-02T00:00:00Z",
            "commerce": {"order": {"priceTotal": 12.5}}, "items": [{"sku": "a"}, {"sku": "b"}]});
        for (text, expected) in [
            ("eventType=\"visit\"", true),
            ("eventType='visit'", true),
            ("eventType != visit", false),
            ("nothing!=x", true),
            ("nothing=x", false),
            ("commerce.order.priceTotal>=12.5", true),
            ("commerce.order.priceTotal < 2", false),
            ("timestamp>=\"2026-01-01T23:00:00-01:00\"", true),
            ("timestamp<2026-01-02T00:00:00Z", false),
            ("items.sku=b", true),
            ("items.sku=c", false),
        ] {
            let property = Property::parse(text).expect(text);
            assert_eq!(property.holds(&event), expected, "{text}");
        }
        for wrong in [
            "eventType",
            "=x",
            "eventType=",
            "",
            "eventType=\"",
            "eventType=\"a'",
        ] {
            Property::parse(wrong).expect_err(wrong);
        }
    }
}
