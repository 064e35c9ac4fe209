//! Lists of the query service: their order, their pages, and what is chosen of them.

use std::cmp::Ordering;

use profile_export::xdm::Timestamp;
use serde_json::{Value, json};

use crate::problem::{Answer, Problem};
use crate::query::Query;

/// What a list can be ordered by and filtered with.
pub(crate) trait Listed {
    /// When it was created and last changed: milliseconds since 1970.
    fn times(&self) -> (i64, i64);

    fn id(&self) -> &str;

    /// A property's values by its name: times as texts in RFC 3339. `None` where there is no such property.
    fn property(&self, name: &str) -> Option<Vec<String>>;
}

/// Which things a list has, and in which order.
pub(crate) struct Listing {
    order: Order,
    limit: usize,
    start: Option<(i64, Option<String>)>,
    conditions: Vec<Condition>,
    /// What stood in the query, for the link to the next page.
    asked: Vec<(String, String)>,
}

#[derive(Clone, Copy)]
struct Order {
    by_update: bool,
    descends: bool,
}

struct Condition {
    name: String,
    operator: &'static str,
    value: String,
}

/// In the order in which they are looked for: none begins with one before it.
const OPERATORS: [&str; 7] = [">=", "<=", "==", "!=", ">", "<", "~"];
/// Parameters that go along into the link to the next page.
const KEPT: [&str; 4] = ["limit", "property", "excludeSoftDeleted", "excludeHidden"];

impl Listing {
    /// What a query asks for, of properties with these names.
    ///
    /// # Errors
    /// A parameter that is none.
    pub(crate) fn of(query: &Query, usual: u32, names: &[&str]) -> Answer<Self> {
        let order = match query.get("orderby") {
            None | Some("-created") => ("created", true),
            // An escape that was forgotten.
            Some("created" | "+created") => ("created", false),
            Some("updated" | "+updated") => ("updated", false),
            Some("-updated") => ("updated", true),
            Some(other) => {
                return Err(Problem::bad_request(format!(
                    "orderby: found {other:?}; allowed are created and updated, with + or - before it"
                )));
            }
        };
        if query.flag("isPrevLink")? == Some(true) {
            return Err(Problem::bad_request(
                "isPrevLink: there are no links back; allowed is false",
            ));
        }
        let limit = query.number("limit", 1, 1000)?.unwrap_or(usual);
        let start = query.get("start").map(start).transpose()?;
        let mut conditions = Vec::new();
        query.filter("property")?;
        for property in query.all("property") {
            for part in parts(property) {
                conditions.push(condition(part, names)?);
            }
        }
        let kept = KEPT.iter().flat_map(|name| {
            let said = query.all(name);
            said.map(|said| ((*name).to_owned(), said.to_owned()))
        });
        Ok(Self {
            order: Order {
                by_update: order.0 == "updated",
                descends: order.1,
            },
            limit: limit as usize,
            start,
            conditions,
            asked: kept.collect(),
        })
    }

    /// The page of what there is.
    pub(crate) fn page<T: Listed>(
        &self,
        (path, name): (&str, &str),
        all: Vec<T>,
        shown: impl Fn(&T) -> Value,
    ) -> Value {
        let mut found: Vec<T> = all.into_iter().filter(|one| self.takes(one)).collect();
        found.sort_by(|a, b| self.order.compare(self.order.key(a), self.order.key(b)));
        let mut found = found.into_iter();
        let page: Vec<T> = found.by_ref().take(self.limit).collect();
        let orderby = self.order.word();
        let mut next = json!({});
        let mut cursor = String::new();
        if let Some(behind) = found.next() {
            let (time, id) = self.order.key(&behind);
            cursor = format!("{},{id}", Timestamp::from_millis(time));
            // As they are: clients take these two out of a link without decoding them.
            let mut link =
                form_urlencoded::Serializer::new(format!("orderby={orderby}&start={cursor}"));
            for (name, value) in &self.asked {
                link.append_pair(name, value);
            }
            next["href"] = json!(format!("{path}?{}", link.finish()));
        }
        let first = page
            .first()
            .map(|one| Timestamp::from_millis(self.order.key(one).0).to_string());
        json!({
            name: page.iter().map(shown).collect::<Vec<_>>(),
            "_page": {"orderby": orderby, "start": first.unwrap_or_default(), "next": cursor, "count": page.len()},
            "_links": {"next": next},
            "version": 1,
        })
    }

    fn takes<T: Listed>(&self, one: &T) -> bool {
        let from_start = match &self.start {
            None => true,
            Some((time, id)) => {
                let (own, own_id) = self.order.key(one);
                let own_id = id.as_ref().map_or("", |_| own_id);
                let start = (*time, id.as_deref().unwrap_or_default());
                self.order.compare((own, own_id), start) != Ordering::Less
            }
        };
        from_start && self.conditions.iter().all(|condition| condition.holds(one))
    }
}

impl Order {
    fn key<T: Listed>(self, one: &T) -> (i64, &str) {
        let (created, updated) = one.times();
        (if self.by_update { updated } else { created }, one.id())
    }

    fn compare(self, a: (i64, &str), b: (i64, &str)) -> Ordering {
        match self.descends {
            true => b.cmp(&a),
            false => a.cmp(&b),
        }
    }

    fn word(self) -> &'static str {
        match (self.by_update, self.descends) {
            (false, true) => "-created",
            (false, false) => "created",
            (true, true) => "-updated",
            (true, false) => "updated",
        }
    }
}

/// Where a page begins: a moment, and in links of ours the ID of what is first.
fn start(text: &str) -> Answer<(i64, Option<String>)> {
    let (time, id) = match text.split_once(',') {
        Some((time, id)) => (time, Some(id.to_owned())),
        None => (text, None),
    };
    match Timestamp::parse(time) {
        Some(time) => Ok((time.millis(), id)),
        None => Err(Problem::bad_request(format!(
            "start: found {text:?}; allowed is what a link has, or a time such as 2026-11-30T06:00:00Z"
        ))),
    }
}

/// The conditions of a property, comma-separated. What is behind that for SQL is its value, which may have commas in it.
fn parts(mut property: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    loop {
        let is_sql = property
            .trim_start()
            .get(..3)
            .is_some_and(|name| name.eq_ignore_ascii_case("sql"));
        match property.split_once(',') {
            Some((part, rest)) if !is_sql => {
                parts.push(part);
                property = rest;
            }
            _ => {
                parts.push(property);
                return parts;
            }
        }
    }
}

fn condition(text: &str, names: &[&str]) -> Answer<Condition> {
    let found = text.char_indices().find_map(|(at, _)| {
        let rest = text.get(at..)?;
        let operator = OPERATORS
            .into_iter()
            .find(|operator| rest.starts_with(operator))?;
        Some((text.get(..at)?, operator, rest.get(operator.len()..)?))
    });
    let refused = || {
        Problem::bad_request(format!(
            "property: found {text:?}; allowed are {} with {} and a value, comma-separated",
            names.join(", "),
            OPERATORS.join(" ")
        ))
    };
    let (name, operator, value) = found.ok_or_else(refused)?;
    let known = names
        .iter()
        .find(|known| known.eq_ignore_ascii_case(name.trim()));
    Ok(Condition {
        name: (*known.ok_or_else(refused)?).to_owned(),
        operator,
        value: value.trim().to_owned(),
    })
}

impl Condition {
    fn holds<T: Listed>(&self, one: &T) -> bool {
        let Some(values) = one.property(&self.name) else {
            return false;
        };
        // Of several that are allowed one has to be.
        let wanted: Vec<&str> = self.value.split("||").map(str::trim).collect();
        let is = |value: &String| {
            wanted
                .iter()
                .any(|wanted| compared(value, wanted) == Ordering::Equal)
        };
        let any = |wants: fn(Ordering) -> bool| {
            values
                .iter()
                .any(|value| wants(compared(value, &self.value)))
        };
        match self.operator {
            "==" => values.iter().any(is),
            "!=" => !values.iter().any(is),
            ">" => any(Ordering::is_gt),
            "<" => any(Ordering::is_lt),
            ">=" => any(Ordering::is_ge),
            "<=" => any(Ordering::is_le),
            _ => {
                let part = self.value.to_lowercase();
                values
                    .iter()
                    .any(|value| value.to_lowercase().contains(&part))
            }
        }
    }
}

/// Times as times, however they are written; all else as texts.
fn compared(a: &str, b: &str) -> Ordering {
    match (Timestamp::parse(a), Timestamp::parse(b)) {
        (Some(a), Some(b)) => a.cmp(&b),
        _ => a.cmp(b),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct One(i64, &'static str);

    impl Listed for One {
        fn times(&self) -> (i64, i64) {
            (self.0, 7)
        }

        fn id(&self) -> &str {
            self.1
        }

        fn property(&self, name: &str) -> Option<Vec<String>> {
            match name {
                "created" => Some(vec![Timestamp::from_millis(self.0).to_string()]),
                "id" => Some(vec![self.1.to_owned()]),
                _ => None,
            }
        }
    }

    fn ids(query: &str) -> (Vec<String>, String) {
        let query = Query::of_text(query);
        let listing = Listing::of(&query, 20, &["created", "id"]).expect("a list");
        let all = vec![One(1000, "a"), One(3000, "c"), One(2000, "b")];
        let page = listing.page(("/x", "all"), all, |one| json!(one.1));
        let ids = page["all"].as_array().expect("a list").iter();
        let ids = ids.map(|id| id.as_str().unwrap_or_default().to_owned());
        let next = page["_links"]["next"]["href"].as_str().unwrap_or_default();
        (
            ids.collect(),
            next.split_once('?')
                .map_or(String::new(), |(_, query)| query.to_owned()),
        )
    }

    #[test]
    fn pages_follow_each_other_in_any_order() {
        for (order, right) in [
            ("", "cba"),
            ("created", "abc"),
            ("-updated", "cba"),
            ("updated", "abc"),
        ] {
            let mut query = format!("limit=1&orderby={order}");
            let mut seen = String::new();
            for _ in 0..3 {
                let (ids, next) = ids(&query);
                seen.push_str(&ids.concat());
                query = next;
            }
            assert_eq!((seen.as_str(), query.as_str()), (right, ""), "{order}");
        }
        assert_eq!(ids("start=1970-01-01T00:00:02Z").0, ["b", "a"]);
    }

    #[test]
    fn each_of_several_properties_counts_and_links_keep_them() {
        let (found, next) = ids("limit=1&property=id!=a&property=created<1970-01-01T00:00:03Z");
        assert_eq!((found.concat().as_str(), next.as_str()), ("b", ""));
        let (found, next) = ids("limit=1&property=id!=a&property=id!=x");
        assert_eq!(found, ["c"]);
        assert_eq!(ids(&next).0, ["b"]);
        assert_eq!(parts("id==a,sql~SELECT a, b"), ["id==a", "sql~SELECT a, b"]);
    }

    #[test]
    fn properties_are_filtered_by_all_operators() {
        for (property, right) in [
            ("created>1970-01-01T00:00:01.000Z", "cb"),
            ("created>=1970-01-01T00:00:02Z,id!=c", "b"),
            ("id==a||c", "ca"),
            ("id~B", "b"),
            ("created<1970-01-01T00:00:02Z", "a"),
        ] {
            let mut query = form_urlencoded::Serializer::new(String::new());
            query.append_pair("property", property);
            assert_eq!(ids(&query.finish()).0.concat(), right, "{property}");
        }
        for wrong in [
            "property=colour==red",
            "property=created",
            "property=",
            "property=id==a,",
            "orderby=name",
            "start=yesterday",
        ] {
            let query = Query::of_text(wrong);
            assert!(
                Listing::of(&query, 20, &["created", "id"]).is_err(),
                "{wrong}"
            );
        }
    }
}
