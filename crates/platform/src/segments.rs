//! Segment definitions, as the catalog keeps them.

use catalog::{Catalog, DocumentKind, Kind, new_id};
use export::{RequestError, read_json};
use serde_json::Value;

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
/// There is no such segment.
pub fn delete_segment(catalog: &Catalog, id: &str) -> Result<()> {
    segment(catalog, id)?;
    catalog.delete_document(DocumentKind::Segment, id)?;
    Ok(())
}

/// Adds a segment definition or replaces it.
///
/// # Errors
/// A definition that is no object, has names that are no strings, or a merge policy that there isn't.
pub fn put_segment(catalog: &Catalog, mut segment: Value) -> Result<Value> {
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
