//! Conditions on fields of events.

use std::cmp::Ordering;

use chrono::DateTime;
use export::RequestError;
use serde_json::Value;
use xdm::{FieldPath, FieldType, Fields, Timestamp, nearest, quote_part};

use crate::error::Result;

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

    /// The path of what is read of events to know whether it holds. Refuses a field that no event has, and a value that no
    /// value of it can be compared with.
    pub(super) fn check(&self, union: &Fields) -> Result<String, RequestError> {
        let name = self.path.parts().join(".");
        let refused = |problem: String| RequestError::new("property", problem);
        let mut among = Some(union);
        let mut found: Option<&FieldType> = None;
        let path = |parts: &[String]| {
            let quoted: Vec<String> = parts.iter().map(|part| quote_part(part)).collect();
            quoted.join(".")
        };
        for (at, part) in self.path.parts().iter().enumerate() {
            let fields = match among {
                Some(fields) => fields,
                // What is in a map goes by keys, which are data.
                None if matches!(found, Some(FieldType::Map(_))) => {
                    return Ok(path(&self.path.parts()[..at]));
                }
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
            true => Ok(path(self.path.parts())),
            false => Err(refused(format!(
                "found {value:?} for {name:?}; allowed is {expected}"
            ))),
        }
    }

    /// Whether it holds. A field that is not there is unequal to everything, and nothing else; in lists one item is
    /// enough.
    pub(super) fn holds(&self, event: &Value) -> bool {
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
