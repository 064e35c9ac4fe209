//! What the lists of the catalog, of datasets and of batches, understand of a query alike.

use profile_export::xdm::Timestamp;
use serde_json::{Map, Value};

use crate::problem::{Answer, Problem};
use crate::query::Query;

/// The platform's default and largest page.
const USUAL_PAGE: u32 = 20;
const LARGEST_PAGE: u32 = 100;

/// The page that a query asks for: at the most how many, and after how many.
pub(crate) fn page(query: &Query) -> Answer<(u32, u32)> {
    let limit = query.number("limit", 1, LARGEST_PAGE)?;
    let start = query.number("start", 0, u32::MAX)?;
    Ok((limit.unwrap_or(USUAL_PAGE), start.unwrap_or(0)))
}

/// The properties of an object that a query asks for; all where it does not say.
pub(crate) fn some(mut object: Value, properties: Option<&str>) -> Value {
    if let (Some(properties), Value::Object(object)) = (properties, &mut object) {
        let wanted: Vec<&str> = properties.split(',').map(str::trim).collect();
        object.retain(|name, _| wanted.contains(&name.as_str()));
    }
    object
}

/// Values of which a property has one, or none: `a,b` or `!a,b`.
pub(crate) struct Choice {
    pub(crate) values: Vec<String>,
    pub(crate) is_inverted: bool,
}

impl Choice {
    /// # Errors
    /// The parameter is empty.
    pub(crate) fn of(query: &Query, name: &str) -> Answer<Option<Self>> {
        Ok(query.filter(name)?.map(Self::parse))
    }

    pub(crate) fn parse(text: &str) -> Self {
        let inverted = text.strip_prefix('!');
        let values = inverted.unwrap_or(text).split(',').map(str::trim);
        Self {
            values: values.map(str::to_owned).collect(),
            is_inverted: inverted.is_some(),
        }
    }

    /// The same for milliseconds since 1970.
    ///
    /// # Errors
    /// A value that is no such number; an empty parameter.
    pub(crate) fn of_times(query: &Query, name: &str) -> Answer<Option<Self>> {
        let Some(mut choice) = Self::of(query, name)? else {
            return Ok(None);
        };
        for value in &mut choice.values {
            *value = millis(name, value)?.to_string();
        }
        Ok(Some(choice))
    }

    pub(crate) fn takes(&self, value: &str) -> bool {
        self.values.iter().any(|known| known == value) != self.is_inverted
    }
}

/// A moment, as milliseconds since 1970 or as a date-time of RFC 3339.
///
/// # Errors
/// A text that is neither; an empty parameter.
pub(crate) fn time(query: &Query, name: &str) -> Answer<Option<i64>> {
    query
        .filter(name)?
        .map(|text| millis(name, text))
        .transpose()
}

fn millis(name: &str, text: &str) -> Answer<i64> {
    let number = text.parse::<i64>().ok();
    let moment = || Timestamp::parse(text).map(Timestamp::millis);
    number.or_else(moment).ok_or_else(|| {
        Problem::bad_request(format!(
            "{name}: found {text:?}; allowed are milliseconds since 1970 and date-times of RFC 3339"
        ))
    })
}

/// Properties that a list is sorted by, each with whether downwards: `name,desc:created`.
///
/// # Errors
/// A property that is not among these.
pub(crate) fn order<P: Copy>(query: &Query, known: &[(&str, P)]) -> Answer<Vec<(P, bool)>> {
    let Some(text) = query.get("orderBy") else {
        return Ok(Vec::new());
    };
    let parts = text.split(',').map(str::trim).map(|part| {
        let (property, down) = if let Some(property) = part.strip_prefix("desc:") {
            (property, true)
        } else if let Some(property) = part.strip_prefix('-') {
            (property, true)
        } else {
            let up = part.strip_prefix("asc:").or(part.strip_prefix('+'));
            (up.unwrap_or(part), false)
        };
        let found = known.iter().find(|(name, _)| *name == property);
        found.map(|(_, known)| (*known, down)).ok_or_else(|| {
            let known: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
            Problem::bad_request(format!(
                "orderBy: found {text:?}; allowed are {}, each with asc: or desc: before it",
                known.join(", ")
            ))
        })
    });
    parts.collect()
}

/// Labels that must be there, each with its value, in which `*` stands for any text: `name:value,other:*`.
///
/// # Errors
/// A part without a colon; an empty parameter.
pub(crate) fn tags(query: &Query) -> Answer<Vec<(String, String)>> {
    let Some(text) = query.filter("tags")? else {
        return Ok(Vec::new());
    };
    let parts = text.split(',').map(str::trim).map(|part| {
        let (name, value) = part.split_once(':').ok_or_else(|| {
            Problem::bad_request(format!(
                "tags: found {part:?}; allowed is a name, a colon and a value, such as source:crm or source:*"
            ))
        })?;
        Ok((name.to_owned(), value.to_owned()))
    });
    parts.collect()
}

/// Whether an object's labels have one of this name with a value like this.
pub(crate) fn has_tag(tags: &Map<String, Value>, name: &str, like: &str) -> bool {
    match tags.get(name) {
        Some(Value::Array(values)) => values
            .iter()
            .any(|value| value.as_str().is_some_and(|value| is_like(value, like))),
        Some(Value::String(value)) => is_like(value, like),
        _ => false,
    }
}

/// Whether a text is a pattern's, in which `*` stands for any text.
fn is_like(text: &str, like: &str) -> bool {
    let Some((start, rest)) = like.split_once('*') else {
        return text == like;
    };
    let Some(mut text) = text.strip_prefix(start) else {
        return false;
    };
    let (middle, end) = rest.rsplit_once('*').unwrap_or(("", rest));
    for part in middle.split('*') {
        match text.find(part) {
            Some(at) => text = &text[at + part.len()..],
            None => return false,
        }
    }
    text.ends_with(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_text_and_nothing_else_does() {
        for (text, like) in [
            ("abc", "abc"),
            ("abc", "*"),
            ("", "*"),
            ("abc", "a*"),
            ("abc", "*c"),
            ("abc", "a*c"),
            ("abcabc", "a*b*c"),
            ("ä*", "ä*"),
        ] {
            assert!(is_like(text, like), "{text} {like}");
        }
        for (text, like) in [
            ("abc", "ab"),
            ("abc", "b*"),
            ("abc", "*b"),
            ("ab", "ab*b"),
            ("abc", "a?c"),
            ("ac", "a*b*c"),
        ] {
            assert!(!is_like(text, like), "{text} {like}");
        }
    }
}
