//! Lists in the platform's form with `children`, and objects that are asked for by their IDs.

use serde_json::{Map, Value, json};

use crate::body::Ids;
use crate::problem::Answer;
use crate::query::Query;

/// How many there are on a page where nobody says.
const PAGE: u32 = 100;

/// A page of what was found, by the parameters `start` and `limit`; the link to the next has the `others` that were asked,
/// too.
///
/// # Errors
/// A parameter that is no number.
pub(crate) fn page(path: &str, query: &Query, others: &[&str], found: Vec<Value>) -> Answer<Value> {
    let start = query.number("start", 0, u32::MAX)?.unwrap_or(0) as usize;
    let limit = query.number("limit", 1, u32::MAX)?.unwrap_or(PAGE) as usize;
    let total = found.len();
    let children: Vec<Value> = found.into_iter().skip(start).take(limit).collect();
    let behind = start.saturating_add(children.len());
    let mut next = json!({});
    if behind < total {
        let mut asked = form_urlencoded::Serializer::new(String::new());
        asked.append_pair("start", &behind.to_string());
        asked.append_pair("limit", &limit.to_string());
        for name in others {
            if let Some(value) = query.get(name) {
                asked.append_pair(name, value);
            }
        }
        next["href"] = json!(format!("{path}?{}", asked.finish()));
    }
    Ok(json!({
        "_page": {"totalCount": total, "pageSize": children.len()},
        "children": children,
        "_links": {"next": next},
    }))
}

/// What `look` has by these IDs; those that there are not are named, by a code of the platform and what they would be.
///
/// # Errors
/// What `look` returns.
pub(crate) fn by_ids(
    wanted: &Ids,
    (code, kind): (&str, &str),
    look: impl Fn(&str) -> Answer<Option<Value>>,
) -> Answer<Value> {
    let (mut results, mut missing) = (Map::new(), Vec::new());
    for id in wanted.all() {
        match look(id)? {
            Some(found) => drop(results.insert(id.to_owned(), found)),
            None => {
                missing.push(json!({"code": code, "message": format!("no {kind} {id:?}")}));
            }
        }
    }
    let mut found = json!({"results": results});
    if !missing.is_empty() {
        found["errors"] = json!({"404": missing});
    }
    Ok(found)
}
