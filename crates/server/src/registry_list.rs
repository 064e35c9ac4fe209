//! Lists of the schema registry: which of its objects, in what order, and from where on.

use std::cmp::Ordering;

use serde_json::{Value, json};

use crate::problem::{Answer, Problem};
use crate::query::Query;

/// The most on a page; who asks for more gets these.
const MOST: u32 = 500;
/// How many there are where nobody says.
const PAGE: usize = 300;
/// What compares, the longer ones first.
const OPERATORS: [&str; 6] = ["==", "!=", "<=", ">=", "<", ">"];

/// What a list is asked for.
pub(crate) struct Listing {
    conditions: Vec<Condition>,
    order: Vec<(String, bool)>,
    start: Option<String>,
    limit: Option<usize>,
    /// What the link to the next page says beside where that begins.
    others: Vec<(String, String)>,
}

/// What must hold of an object's member.
struct Condition {
    member: String,
    /// How it compares with what; that it is there, where it does not.
    compared: Option<(&'static str, String)>,
}

/// A page of a list.
pub(crate) struct Page<T> {
    pub(crate) items: Vec<T>,
    /// What `_page` says.
    pub(crate) page: Value,
    /// The query of the next one.
    pub(crate) next_query: Option<String>,
}

impl Listing {
    /// What a query asks for of objects that may have these members.
    pub(crate) fn of(query: &Query, members: &[&str]) -> Answer<Self> {
        let check = |parameter: &str, member: &str| match members.contains(&member) {
            true => Ok(()),
            false => Err(Problem::bad_request(format!(
                "{parameter}: found {member:?}, which none of these has; known are {}",
                members.join(", ")
            ))),
        };
        let mut conditions = Vec::new();
        for property in query.all("property") {
            for text in parts(property) {
                let condition = Condition::of(text.trim())?;
                check("property", &condition.member)?;
                conditions.push(condition);
            }
        }
        let order = query.get("orderby").unwrap_or_default().split(',');
        let order = order.map(str::trim).filter(|name| !name.is_empty());
        let order = order.map(|name| match name.strip_prefix('-') {
            Some(name) => (name.to_owned(), true),
            None => (name.trim_start_matches('+').to_owned(), false),
        });
        let order: Vec<(String, bool)> = order.collect();
        for (member, _) in &order {
            check("orderby", member)?;
        }
        Ok(Self {
            conditions,
            order,
            start: query.text("start"),
            limit: query.number("limit", 1, MOST)?.map(|limit| limit as usize),
            others: (query.pairs())
                .filter(|(name, _)| *name != "start")
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
        })
    }

    /// Whether a page is asked for, and not the list.
    pub(crate) fn is_of_page(&self) -> bool {
        self.limit.is_some() || self.start.is_some()
    }

    /// The same with everything on one page, where no page is asked for.
    pub(crate) fn whole(self) -> Self {
        let limit = match self.is_of_page() {
            true => self.limit,
            false => Some(usize::MAX),
        };
        Self { limit, ..self }
    }

    /// The page of what is asked for. Each object is known by its member `id`, by which those are in order that `orderby` does
    /// not tell apart; a page begins at the one of this ID that `start` is, or where the first member of `orderby` is what
    /// `start` is.
    pub(crate) fn page<T>(&self, objects: Vec<(Value, T)>, id: &str) -> Answer<Page<T>> {
        let mut objects = objects;
        objects.retain(|(object, _)| self.conditions.iter().all(|one| one.holds(object)));
        objects.sort_by(|(a, _), (b, _)| {
            let by_order = self.order.iter().map(|(member, down)| {
                let order = compared(&a[member], &b[member]);
                if *down { order.reverse() } else { order }
            });
            let mut by_order = by_order.filter(|order| order.is_ne());
            let by_id = || compared(&a[id], &b[id]);
            by_order.next().unwrap_or_else(by_id)
        });
        let first = match &self.start {
            None => 0,
            Some(start) => self.first(&objects, start, id)?,
        };
        let limit = self.limit.unwrap_or(PAGE);
        let next = objects.get(first.saturating_add(limit));
        let next = next.and_then(|(object, _)| object[id].as_str());
        let next = next.map(str::to_owned);
        let items = objects.into_iter().skip(first).take(limit);
        let items: Vec<T> = items.map(|(_, item)| item).collect();
        let order: Vec<String> = (self.order.iter())
            .map(|(member, down)| format!("{}{member}", if *down { "-" } else { "" }))
            .collect();
        let order = match order.is_empty() {
            true => id.to_owned(),
            false => order.join(","),
        };
        Ok(Page {
            page: json!({"orderby": order, "next": next, "count": items.len()}),
            items,
            next_query: next.map(|next| {
                let mut query = form_urlencoded::Serializer::new(String::new());
                query.extend_pairs(&self.others);
                query.append_pair("start", &next);
                query.finish()
            }),
        })
    }

    fn first<T>(&self, objects: &[(Value, T)], start: &str, id: &str) -> Answer<usize> {
        if let Some(at) = objects.iter().position(|(object, _)| object[id] == start) {
            return Ok(at);
        }
        let Some((member, down)) = self.order.first() else {
            return Err(Problem::bad_request(format!(
                "start: found {start:?}; allowed is what _page.next of the page before says, or with orderby a value of its \
                 first property"
            )));
        };
        let start = json!(start);
        let is_before = |object: &Value| {
            let order = compared(&object[member], &start);
            if *down { order.is_gt() } else { order.is_lt() }
        };
        Ok(objects.partition_point(|(object, _)| is_before(object)))
    }
}

/// The conditions of a text with several. A comma is part of a value where none begins behind it: titles have some.
fn parts(text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut start = 0;
    for (at, _) in text.match_indices(',') {
        let has_value = OPERATORS.iter().any(|one| text[start..at].contains(one));
        let rest = text[at + 1..].trim_start();
        let behind_name = rest.trim_start_matches(is_of_name);
        let begins = behind_name.len() < rest.len()
            && (OPERATORS.iter()).any(|one| behind_name.trim_start().starts_with(one));
        if !has_value || begins || rest.is_empty() {
            parts.push(&text[start..at]);
            start = at + 1;
        }
    }
    if start == 0 || !text[start..].trim().is_empty() {
        parts.push(&text[start..]);
    }
    parts
}

fn is_of_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || ":$@_".contains(c)
}

impl Condition {
    fn of(text: &str) -> Answer<Self> {
        let found = OPERATORS
            .iter()
            .filter_map(|operator| Some((text.find(operator)?, *operator)));
        // The first one in the text; of those that begin at one place the longest.
        let found = found.min_by_key(|(at, operator)| (*at, usize::MAX - operator.len()));
        let (member, compared) = match found {
            None => (text, None),
            Some((at, operator)) => {
                let value = text[at + operator.len()..].trim();
                (text[..at].trim(), Some((operator, value.to_owned())))
            }
        };
        let is_name = |member: &str| !member.is_empty() && member.chars().all(is_of_name);
        if !is_name(member) || compared.as_ref().is_some_and(|(_, value)| value.is_empty()) {
            return Err(Problem::bad_request(format!(
                "property: found {text:?}; allowed is a name, as \"title\", or one with ==, !=, <, >, <= or >= and a value"
            )));
        }
        Ok(Self {
            member: member.to_owned(),
            compared,
        })
    }

    fn holds(&self, object: &Value) -> bool {
        let found = &object[&self.member];
        let Some((operator, value)) = &self.compared else {
            return !found.is_null();
        };
        let is = |found: &Value| match found {
            Value::String(text) => text == value,
            Value::Null => false,
            other => {
                let text = other.to_string();
                text == *value
            }
        };
        let is_equal = match found {
            Value::Array(items) => items.iter().any(is),
            one => is(one),
        };
        let order = || match found {
            Value::Number(number) => {
                let both = number.as_f64().zip(value.parse::<f64>().ok());
                both.and_then(|(a, b)| a.partial_cmp(&b))
            }
            Value::String(text) => Some(text.as_str().cmp(value)),
            _ => None,
        };
        match *operator {
            "==" => is_equal,
            "!=" => !is_equal,
            "<" => order().is_some_and(Ordering::is_lt),
            ">" => order().is_some_and(Ordering::is_gt),
            "<=" => order().is_some_and(Ordering::is_le),
            _ => order().is_some_and(Ordering::is_ge),
        }
    }
}

/// Numbers before texts, and these before what is neither.
fn compared(a: &Value, b: &Value) -> Ordering {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => {
            let both = a.as_f64().zip(b.as_f64());
            both.map_or(Ordering::Equal, |(a, b)| a.total_cmp(&b))
        }
        (Value::String(a), Value::String(b)) => a.cmp(b),
        (a, b) => rank(a).cmp(&rank(b)),
    }
}

fn rank(value: &Value) -> u8 {
    match value {
        Value::Number(_) => 0,
        Value::String(_) => 1,
        _ => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn titles(query: &str) -> Result<(Vec<&'static str>, Value), String> {
        let objects = [
            json!({"$id": "1", "title": "b", "n": 2, "tags": ["union"]}),
            json!({"$id": "2", "title": "a", "n": 10}),
            json!({"$id": "3", "title": "b"}),
        ];
        let names = ["1", "2", "3"];
        let objects = objects.into_iter().zip(names).collect();
        let listed = Listing::of(
            &Query::of_text(query),
            &["$id", "title", "n", "tags", "other"],
        )
        .and_then(|listing| listing.page(objects, "$id"));
        listed
            .map(|page| (page.items, page.page["next"].clone()))
            .map_err(|problem| problem.detail)
    }

    #[test]
    fn conditions_hold_of_members_and_of_items() {
        for (query, right) in [
            ("", &["1", "2", "3"][..]),
            ("property=title==b", &["1", "3"]),
            ("property=title!=b", &["2"]),
            ("property=tags==union", &["1"]),
            ("property=tags!=union", &["2", "3"]),
            ("property=n", &["1", "2"]),
            ("property=n>2", &["2"]),
            ("property=n>=2&property=n<10", &["1"]),
            ("property=title==b,n<=2", &["1"]),
            ("property=other==x", &[]),
            ("property=n,tags", &["1"]),
            ("property=title==b,", &["1", "3"]),
            ("property=title!=a, b", &["1", "2", "3"]),
            ("property=title!=a, b,n>2", &["2"]),
        ] {
            assert_eq!(titles(query).expect(query).0, right, "{query}");
        }
        for wrong in [
            "property=title~b",
            "property===b",
            "property=title==",
            "limit=0",
            "property=none",
            "property=title==b,none!=c",
            "orderby=none",
            "orderby=title,-none",
        ] {
            titles(wrong).expect_err(wrong);
        }
    }

    #[test]
    fn pages_follow_each_other_to_the_end() {
        let first = titles("orderby=-title&limit=2").expect("a page");
        assert_eq!(first, (vec!["1", "3"], json!("2")));
        let second = titles("orderby=-title&limit=2&start=2").expect("a page");
        assert_eq!(second, (vec!["2"], Value::Null));
        assert_eq!(titles("start=3").expect("a page").0, ["3"]);
        assert_eq!(
            titles("orderby=title&start=b").expect("a page").0,
            ["1", "3"]
        );
        assert_eq!(titles("orderby=-title&start=aa").expect("a page").0, ["2"]);
        assert!(
            titles("start=none")
                .expect_err("no such one")
                .contains("_page.next")
        );
    }
}
