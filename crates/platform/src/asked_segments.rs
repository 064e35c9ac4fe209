//! Which segments ask for which, by `inSegment`.

use std::collections::{BTreeMap, BTreeSet};

use catalog::{Catalog, DocumentKind};
use export::RequestError;
use serde_json::Value;

use crate::error::{Error, Result};
use crate::evaluation::{expression_of, id_of};
use crate::segments::segments;

/// The segments that each definition asks for by `inSegment`, by the definition's ID, whether or not the store has the
/// fields that it reads. One without an expression, or with one that can't be read, asks for none.
///
/// # Errors
/// The catalog can't be read.
pub fn asked_segments(catalog: &Catalog) -> Result<BTreeMap<String, Vec<String>>> {
    let mut asked = BTreeMap::new();
    for definition in segments(catalog)? {
        if let (Some(id), Ok(expression)) = (id_of(&definition), expression_of(&definition)) {
            asked.insert(id, expression.segments());
        }
    }
    Ok(asked)
}

/// Refuses definitions that can't be evaluated for what they ask for, themselves or by others.
///
/// # Errors
/// A segment that has no definition; a circle.
pub(crate) fn check_asked(catalog: &Catalog, definitions: &[Value]) -> Result<()> {
    let refused = |problem: String| Error::Request(RequestError::new("expression", problem));
    let asks = |one: &&Value| expression_of(one).is_ok_and(|one| !one.segments().is_empty());
    let ids = definitions.iter().filter(asks);
    let mut left: Vec<String> = ids.filter_map(id_of).collect();
    if left.is_empty() {
        return Ok(());
    }
    let asked = asked_segments(catalog)?;
    let of = |id: &str| asked.get(id).map_or(&[][..], Vec::as_slice);
    // What is found behind these, as long as it is there.
    let mut found = BTreeSet::new();
    while let Some(id) = left.pop() {
        for other in of(&id) {
            if catalog
                .document(DocumentKind::Segment, other, None)?
                .is_none()
            {
                return Err(refused(format!(
                    "segment {id:?} asks for inSegment({other:?}), which is not there; create that one first, or both in \
                     one list"
                )));
            }
        }
        if found.insert(id.clone()) {
            left.extend_from_slice(of(&id));
        }
    }
    // Those that ask for nothing that is left go, until nobody does.
    loop {
        let is_ready = |id: &&String| !of(id).iter().any(|other| found.contains(other));
        let ready: BTreeSet<String> = found.iter().filter(is_ready).cloned().collect();
        if ready.is_empty() {
            break;
        }
        found.retain(|id| !ready.contains(id));
    }
    let Some(first) = found.first() else {
        return Ok(());
    };
    // Each that is left asks for one that is left.
    let mut way = vec![first.clone()];
    loop {
        let next = way.last().into_iter().flat_map(|last| of(last));
        let Some(next) = next.into_iter().find(|id| found.contains(*id)) else {
            return Err(Error::Panic("a circle that has an end".to_owned()));
        };
        if let Some(start) = way.iter().position(|id| id == next) {
            let circle = way.get(start..).unwrap_or_default();
            let circle: Vec<String> = circle
                .iter()
                .chain([next])
                .map(|id| format!("{id:?}"))
                .collect();
            return Err(refused(format!(
                "segments ask for each other by inSegment, in a circle: {}",
                circle.join(" asks for ")
            )));
        }
        way.push(next.clone());
    }
}

/// A definition other than this one that asks for it, if there is one.
pub(crate) fn dependent_of(catalog: &Catalog, id: &str) -> Result<Option<String>> {
    let mut all = asked_segments(catalog)?.into_iter();
    let found = all.find(|(own, asked)| own != id && asked.iter().any(|one| one == id));
    Ok(found.map(|(own, _)| own))
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use store::{Scope, Store};

    use super::*;
    use crate::error::ErrorKind;
    use crate::segments::{delete_segment, load_segment, put_segment, put_segments};

    fn definition(id: &str, expression: &str) -> Value {
        json!({"id": id, "expression": {"type": "PQL", "value": expression}})
    }

    fn store() -> (tempfile::TempDir, Store) {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Store::open(folder.path(), Scope::default()).expect("a store");
        (folder, store)
    }

    /// What of the definitions is there.
    fn known(store: &Store) -> Vec<String> {
        let all = segments(store.catalog()).expect("definitions");
        let ids = all.iter().filter_map(|one| one.get("id")?.as_str());
        ids.map(str::to_owned).collect()
    }

    #[test]
    fn definitions_say_whom_they_ask_for_whatever_fields_they_read() {
        let (_folder, store) = store();
        for (id, expression) in [
            ("a", "true"),
            ("b", r#"inSegment("a") and not inSegment("x")"#),
            (
                "odd",
                r#"inSegment("a") and (let y = nothing.like.it in (inSegment("a")))"#,
            ),
        ] {
            load_segment(store.catalog(), definition(id, expression)).expect("it is kept");
        }
        put_segment(store.catalog(), json!({"id": "none"})).expect("it is kept");
        let asked = asked_segments(store.catalog()).expect("expressions");
        let right = [
            ("a", vec![]),
            ("b", vec!["a".to_owned(), "x".to_owned()]),
            ("odd", vec!["a".to_owned()]),
        ];
        assert_eq!(
            asked,
            right.map(|(id, asked)| (id.to_owned(), asked)).into()
        );
    }

    #[test]
    fn what_asks_for_nobody_or_in_a_circle_is_refused_and_a_list_is_looked_at_as_a_whole() {
        let (_folder, store) = store();
        let catalog = store.catalog();
        let refused = |list: Vec<Value>, says: &[&str]| {
            let before = known(&store);
            let error = put_segments(catalog, list).expect_err("it is refused");
            assert_eq!(error.kind(), ErrorKind::BadRequest, "{error}");
            for part in says {
                assert!(error.to_string().contains(part), "{error}: {part}");
            }
            assert_eq!(known(&store), before);
        };
        refused(
            vec![definition("b", r#"inSegment("a")"#)],
            &[r#"segment "b" asks for inSegment("a"), which is not there"#],
        );
        refused(
            vec![definition("a", r#"not inSegment("a")"#)],
            &[r#"in a circle: "a" asks for "a""#],
        );
        // The first asks for what comes later.
        let both = [
            definition("b", r#"inSegment("a")"#),
            definition("a", "no.such.field"),
        ];
        put_segments(catalog, both.to_vec()).expect("they are kept");
        refused(
            vec![
                definition("c", r#"inSegment("b")"#),
                definition("a", r#"inSegment("c")"#),
            ],
            &[r#""a" asks for "c" asks for "b" asks for "a""#],
        );
        refused(
            vec![
                definition("c", "true"),
                definition("d", r#"inSegment("x")"#),
            ],
            &["\"d\"", "\"x\""],
        );
        put_segment(
            catalog,
            definition("c", r#"inSegment("b") or inSegment("a")"#),
        )
        .expect("two ways to one segment are no circle");
        // One without an expression stands for memberships that data brings along.
        put_segment(catalog, json!({"id": "brought"})).expect("it is kept");
        put_segment(catalog, definition("of-data", r#"inSegment("brought")"#)).expect("it is kept");
    }

    #[test]
    fn what_data_brought_in_a_circle_is_refused_to_whoever_asks_for_it_and_can_be_mended() {
        let (_folder, store) = store();
        let catalog = store.catalog();
        for (id, other) in [("a", "b"), ("b", "a")] {
            let expression = format!("inSegment({other:?})");
            load_segment(catalog, definition(id, &expression)).expect("in any order");
        }
        let asks = definition("c", r#"inSegment("a")"#);
        let error = put_segment(catalog, asks.clone()).expect_err("it is refused");
        assert!(error.to_string().contains("circle"), "{error}");
        put_segment(catalog, definition("d", "true")).expect("others are fine");
        put_segment(catalog, definition("b", "true")).expect("it is mended");
        put_segment(catalog, asks).expect("it is kept");
    }

    #[test]
    fn one_that_others_ask_for_stays_whatever_fields_they_read() {
        let (_folder, store) = store();
        let catalog = store.catalog();
        put_segment(catalog, definition("a", "true")).expect("it is kept");
        let asks = definition("b", r#"inSegment("a") and nothing.like.it"#);
        put_segment(catalog, asks).expect("it is kept");
        let error = delete_segment(catalog, "a").expect_err("it is asked for");
        assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
        assert!(error.to_string().contains(r#""b" asks for "a""#), "{error}");
        assert_eq!(known(&store), ["a", "b"]);
        delete_segment(catalog, "b").expect("nobody asks for it");
        delete_segment(catalog, "a").expect("nobody does any more");
        // One that asks for itself is in nobody's way.
        load_segment(catalog, definition("own", r#"inSegment("own")"#)).expect("it is kept");
        delete_segment(catalog, "own").expect("it is gone");
    }
}
