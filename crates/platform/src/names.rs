//! A request as people write it: names in the places of IDs, and no target dataset.

use std::collections::HashMap;

use catalog::{Catalog, new_id};
use export::{ExportRequest, RequestError};
use serde_json::Value;
use store::Store;
use xdm::Dataset;

use crate::error::Result;
use crate::policies::merge_policies;
use crate::resolve::plan_of;
use crate::segments::segments;

/// The dataset that exports go to where a request names none.
const DEFAULT_TARGET: &str = "Profile exports";

/// The request with IDs where it has names of segment definitions, merge policies and datasets. What is neither
/// stays as it is: profiles may carry memberships of segments that are defined elsewhere.
///
/// # Errors
/// A name that several have.
pub fn with_ids(catalog: &Catalog, request: &ExportRequest) -> Result<ExportRequest> {
    let mut request = request.clone();
    let wanted = (request.filter.as_mut()).and_then(|filter| filter.segments.as_mut());
    if let Some(wanted) = wanted.filter(|wanted| !wanted.is_empty()) {
        let known = segments(catalog)?;
        let known = ids_and_names(&known);
        for (i, segment) in wanted.iter_mut().enumerate() {
            let path = format!("filter.segments[{i}].segmentId");
            segment.segment_id = id_of(&segment.segment_id, &known, &path)?;
        }
    }
    if let Some(policy) = &mut request.merge_policy {
        policy.id = policy_id(catalog, &policy.id, "mergePolicy.id")?;
    }
    request.destination.dataset_id = dataset_id(catalog, &request.destination.dataset_id)?;
    Ok(request)
}

/// What the segments of a request are called, in its order; one that has no definition by its ID.
///
/// # Errors
/// The catalog can't be read.
pub(crate) fn segment_names(catalog: &Catalog, request: &ExportRequest) -> Result<Vec<String>> {
    let wanted = (request.filter.as_ref()).and_then(|filter| filter.segments.as_deref());
    let known = segments(catalog)?;
    let known: HashMap<&str, &str> = ids_and_names(&known).into_iter().collect();
    let name = |id: &str| known.get(id).copied().filter(|name| !name.is_empty());
    let wanted = wanted.unwrap_or_default().iter();
    let names = wanted.map(|one| name(&one.segment_id).unwrap_or(&one.segment_id).to_owned());
    Ok(names.collect())
}

/// The ID of the merge policy that is called so, or has this ID; the word itself where there is none. `path` is where
/// the word stands, for errors.
///
/// # Errors
/// A name that several have.
pub fn policy_id(catalog: &Catalog, word: &str, path: &str) -> Result<String> {
    let known = merge_policies(catalog)?;
    let known: Vec<(&str, &str)> = (known.iter())
        .map(|p| (p.id.as_str(), p.name.as_str()))
        .collect();
    Ok(id_of(word, &known, path)?)
}

/// The same of a segment definition.
///
/// # Errors
/// A name that several have.
pub fn segment_id(catalog: &Catalog, word: &str, path: &str) -> Result<String> {
    let known = segments(catalog)?;
    Ok(id_of(word, &ids_and_names(&known), path)?)
}

/// The ID of the dataset that is called so, or has this ID; the word itself where there is none.
///
/// # Errors
/// The catalog can't be read.
pub fn dataset_id(catalog: &Catalog, word: &str) -> Result<String> {
    let found = catalog.dataset(word)?;
    Ok(found.map_or_else(|| word.to_owned(), |dataset| dataset.id))
}

/// The request with a target dataset: where it names none, the one called "Profile exports", which is made where it is
/// missing, unless the request can't be done as asked.
///
/// # Errors
/// Such a request; a dataset of that name that is no target; the catalog can't be written.
pub fn with_target(store: &Store, request: &ExportRequest) -> Result<ExportRequest> {
    let mut request = request.clone();
    if !request.destination.dataset_id.is_empty() {
        return Ok(request);
    }
    let catalog = store.catalog();
    request.destination.dataset_id = match default_target(catalog)? {
        Some(id) => id,
        None => {
            plan_of(catalog, &request.at_once())?;
            match catalog.create_dataset(Dataset::target(&new_id(), DEFAULT_TARGET)) {
                Ok(made) => made.id,
                // Somebody else may have made it meanwhile.
                Err(error) => default_target(catalog)?.ok_or(error)?,
            }
        }
    };
    Ok(request)
}

fn default_target(catalog: &Catalog) -> Result<Option<String>> {
    let Some(dataset) = catalog.dataset(DEFAULT_TARGET)? else {
        return Ok(None);
    };
    match dataset.why_no_target() {
        None => Ok(Some(dataset.id)),
        Some(problem) => {
            let problem = format!(
                "missing, and the usual one can't be it: {problem}; name another (--dataset)"
            );
            Err(RequestError::new("destination.datasetId", problem).into())
        }
    }
}

/// The ID of what is called so; the word itself where it is an ID, or nobody's name.
fn id_of(word: &str, known: &[(&str, &str)], path: &str) -> Result<String, RequestError> {
    if known.iter().any(|(id, _)| *id == word) {
        return Ok(word.to_owned());
    }
    let named: Vec<&str> = (known.iter())
        .filter(|(_, name)| *name == word)
        .map(|(id, _)| *id)
        .collect();
    match named[..] {
        [] => Ok(word.to_owned()),
        [id] => Ok(id.to_owned()),
        _ => {
            let problem = format!(
                "{word:?} is the name of several: {}; give an ID",
                named.join(", ")
            );
            Err(RequestError::new(path, problem))
        }
    }
}

fn ids_and_names(segments: &[Value]) -> Vec<(&str, &str)> {
    let segments = segments.iter();
    let segments = segments.map(|segment| (text(segment, "id"), text(segment, "name")));
    segments.collect()
}

fn text<'a>(object: &'a Value, name: &str) -> &'a str {
    object.get(name).and_then(Value::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_becomes_the_id_of_whoever_has_it_alone() {
        let known = [
            ("1", "gold"),
            ("2", "silver"),
            ("3", "silver"),
            ("gold", "odd"),
        ];
        let of = |word: &str| id_of(word, &known, "there").map_err(|e| e.to_string());
        // An ID comes before a name.
        assert_eq!(of("gold"), Ok("gold".to_owned()));
        assert_eq!(of("odd"), Ok("gold".to_owned()));
        assert_eq!(of("bronze"), Ok("bronze".to_owned()));
        let refused = of("silver").expect_err("several");
        assert!(
            refused.contains("there") && refused.contains("2, 3"),
            "{refused}"
        );
    }
}
