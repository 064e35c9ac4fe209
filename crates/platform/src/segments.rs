//! Segment definitions, as the catalog keeps them.

use catalog::{Catalog, DocumentKind, Kind, new_id};
use export::{RequestError, read_json};
use serde_json::Value;

use crate::asked_segments::{check_asked, dependent_of};
use crate::error::Result;
use crate::policies::named_policy;

/// A segment definition.
///
/// # Errors
/// There is no such segment.
pub fn segment(catalog: &Catalog, id: &str) -> Result<Value> {
    catalog
        .document(DocumentKind::Segment, id, None)?
        .map(|segment| segment.value().clone())
        .ok_or_else(|| catalog::Error::not_found(Kind::Segment, id).into())
}

/// Deletes a segment definition; the memberships of profiles stay.
///
/// # Errors
/// There is no such segment, or another one asks for it by `inSegment`.
pub fn delete_segment(catalog: &Catalog, id: &str) -> Result<()> {
    catalog.atomically(|catalog| {
        segment(catalog, id)?;
        if let Some(dependent) = dependent_of(catalog, id)? {
            return Err(catalog::Error::Conflict(format!(
                "the segment {dependent:?} asks for {id:?} by inSegment; delete or change that one first"
            ))
            .into());
        }
        catalog.delete_document(DocumentKind::Segment, id)?;
        Ok(())
    })
}

/// Adds a segment definition or replaces it.
///
/// # Errors
/// As for [`put_segments`].
pub fn put_segment(catalog: &Catalog, segment: Value) -> Result<Value> {
    catalog.atomically(|catalog| {
        let kept = put_called(catalog, segment)?;
        check_asked(catalog, std::slice::from_ref(&kept))?;
        Ok(kept)
    })
}

/// Adds segment definitions or replaces them, all or none: they may ask for each other in any order.
///
/// # Errors
/// As for a definition that data brings along; a name that another definition has; one that asks by `inSegment` for a
/// segment that has no definition, or in a circle.
pub fn put_segments(catalog: &Catalog, segments: Vec<Value>) -> Result<Vec<Value>> {
    catalog.atomically(|catalog| {
        let kept = segments.into_iter().map(|one| put_called(catalog, one));
        let kept = kept.collect::<Result<Vec<_>>>()?;
        check_asked(catalog, &kept)?;
        Ok(kept)
    })
}

/// Adds a definition whose name is its own.
fn put_called(catalog: &Catalog, segment: Value) -> Result<Value> {
    if let Some(other) = namesake(catalog, &segment)? {
        let name = segment.get("name").unwrap_or(&Value::Null);
        return Err(catalog::Error::Conflict(format!(
            "name: found {name}, which the segment definition {other:?} has already; change that one, or take another name"
        ))
        .into());
    }
    load_segment(catalog, segment)
}

/// The ID of another definition that is called as this one is, if there is one. A definition that has had its name before
/// keeps it, and those without a name are called nothing.
///
/// # Errors
/// The catalog can't be read.
pub fn namesake(catalog: &Catalog, segment: &Value) -> Result<Option<String>> {
    let Some(name) = name_of(segment) else {
        return Ok(None);
    };
    let own = segment.get("id").and_then(Value::as_str);
    let known = segments(catalog)?;
    let called_so = || known.iter().filter(|one| name_of(one) == Some(name));
    let mut ids = called_so().filter_map(|one| one.get("id")?.as_str());
    if ids.clone().any(|id| Some(id) == own) {
        return Ok(None);
    }
    Ok(ids.next().map(str::to_owned))
}

fn name_of(segment: &Value) -> Option<&str> {
    let name = segment.get("name")?.as_str()?;
    Some(name).filter(|name| !name.is_empty())
}

/// Adds a segment definition that data brings along, or replaces it, whatever it is called.
///
/// # Errors
/// A definition that is no object, has names that are no strings, or a merge policy that there isn't.
pub(crate) fn load_segment(catalog: &Catalog, mut segment: Value) -> Result<Value> {
    let Some(object) = segment.as_object_mut() else {
        return Err(RequestError::new(".", "a segment definition is an object").into());
    };
    for name in ["id", "name", "description", "mergePolicyId"] {
        if let Some(other) = object.get(name)
            && (!other.is_string() || (name == "id" && other == ""))
        {
            return Err(
                RequestError::new(name, format!("found {other}; allowed is a string")).into(),
            );
        }
        if let ("id", Some(id)) = (name, object.get(name).and_then(Value::as_str))
            && id.starts_with(' ')
        {
            let problem = format!("found {id:?}; allowed is a string that begins with no blank");
            return Err(RequestError::new(name, problem).into());
        }
    }
    let id = match object.get("id").and_then(Value::as_str) {
        Some(id) => id.to_owned(),
        None => {
            let id = new_id();
            object.insert("id".to_owned(), id.clone().into());
            id
        }
    };
    if let Some(policy) = policy_of(&segment) {
        named_policy(catalog, policy, None, "mergePolicyId")?;
    }
    catalog.put_document(DocumentKind::Segment, &id, 1, &segment.clone().into())?;
    Ok(segment)
}

/// All segment definitions.
///
/// # Errors
/// The catalog can't be read.
pub fn segments(catalog: &Catalog) -> Result<Vec<Value>> {
    let segments = catalog.documents(DocumentKind::Segment)?;
    Ok(segments.iter().map(|s| s.value().clone()).collect())
}

/// Reads a definition, or a list of definitions.
///
/// # Errors
/// Broken JSON.
pub fn read_segments(text: &[u8]) -> Result<Vec<Value>, RequestError> {
    Ok(match read_json::<Value>(text)? {
        Value::Array(list) => list,
        one => vec![one],
    })
}

/// The merge policy that a definition names.
pub(crate) fn policy_of(segment: &Value) -> Option<&str> {
    let id = segment
        .get("mergePolicyId")
        .or_else(|| segment.get("mergePolicy")?.get("id"))?;
    id.as_str().filter(|id| !id.is_empty())
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use store::{Scope, Store};

    use super::*;
    use crate::error::ErrorKind;

    #[test]
    fn a_name_belongs_to_one_definition_unless_data_brings_it_along() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Store::open(folder.path(), Scope::default()).expect("a store");
        let catalog = store.catalog();
        let of = |id: &str, name: &str| json!({"id": id, "name": name});
        for kept in [
            of("a", "Gold"),
            of("b", ""),
            of("c", ""),
            json!({"id": "d"}),
        ] {
            put_segment(catalog, kept).expect("it is kept");
        }
        let taken = |definition| {
            let error = put_segment(catalog, definition).expect_err("its name is taken");
            assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
            assert!(error.to_string().contains("\"a\""), "{error}");
        };
        taken(of("b", "Gold"));
        taken(json!({"name": "Gold"}));
        assert_eq!(segments(catalog).expect("definitions").len(), 4);
        // Its own name it keeps, whoever has it, too.
        load_segment(catalog, of("b", "Gold")).expect("data brings it along");
        for id in ["a", "b"] {
            put_segment(catalog, of(id, "Gold")).expect("it has had the name before");
        }
        taken(of("c", "Gold"));
    }
}
