//! Merge policies and segment definitions, as the catalog keeps them.

use merge::MergePolicy;
use serde_json::{Value, json};
use store::{Catalog, DocumentKind, new_id};
use xdm::nearest;

use crate::error::Result;
use crate::request::{ExportRequest, RequestError, read_json};

/// All merge policies, each in its newest version, the built-in ones last.
///
/// # Errors
/// The catalog can't be read.
pub fn merge_policies(catalog: &Catalog) -> Result<Vec<MergePolicy>> {
    let mut policies: Vec<MergePolicy> = catalog
        .documents(DocumentKind::MergePolicy)?
        .into_iter()
        .filter_map(|body| serde_json::from_value(body).ok())
        .collect();
    let has_default = policies.iter().any(|policy| policy.default);
    for mut built_in in MergePolicy::built_in() {
        built_in.default &= !has_default;
        policies.push(built_in);
    }
    Ok(policies)
}

/// Adds a merge policy, or a new version of one that exists.
///
/// `now` is milliseconds since 1970.
///
/// # Errors
/// A policy that contradicts itself, or the name of a built-in one.
pub fn put_merge_policy(
    catalog: &Catalog,
    mut policy: MergePolicy,
    now: i64,
) -> Result<MergePolicy> {
    if policy.id.is_empty() {
        policy.id = new_id();
    }
    if MergePolicy::built_in().iter().any(|b| b.id == policy.id) {
        return Err(RequestError::new("id", format!("{:?} is built in", policy.id)).into());
    }
    if let Some(problem) = policy.problem() {
        let (path, problem) = problem.split_once(": ").unwrap_or((".", &problem));
        return Err(RequestError::new(path, problem).into());
    }
    let known = catalog.document(DocumentKind::MergePolicy, &policy.id, None)?;
    policy.version = match known
        .as_ref()
        .and_then(|k| k.get("version"))
        .and_then(Value::as_i64)
    {
        Some(version) => version + 1,
        None => 1,
    };
    policy.update_epoch = now / 1000;
    if policy.default {
        end_other_default(catalog, &policy)?;
    }
    catalog.put_document(
        DocumentKind::MergePolicy,
        &policy.id,
        policy.version,
        &json!(policy),
    )?;
    Ok(policy)
}

/// A schema has one default: making another the default ends the first.
fn end_other_default(catalog: &Catalog, policy: &MergePolicy) -> Result<()> {
    for mut other in merge_policies(catalog)? {
        let built_in = MergePolicy::built_in().iter().any(|b| b.id == other.id);
        if other.default && other.id != policy.id && !built_in {
            other.default = false;
            let kind = DocumentKind::MergePolicy;
            catalog.put_document(kind, &other.id, other.version, &json!(other))?;
        }
    }
    Ok(())
}

/// A merge policy, in a version of it or the newest.
///
/// # Errors
/// There is no such policy or version; the error names those that there are.
pub fn merge_policy(catalog: &Catalog, id: &str, version: Option<i64>) -> Result<MergePolicy> {
    find_policy(catalog, id, version, "id")
}

/// Deletes a merge policy with all its versions; jobs that were created with it still use it.
///
/// # Errors
/// There is no such policy, it is built in, or a segment's definition names it.
pub fn delete_merge_policy(catalog: &Catalog, id: &str) -> Result<()> {
    let refuse = |problem: String| Err(RequestError::new("id", problem).into());
    if MergePolicy::built_in().iter().any(|b| b.id == id) {
        return refuse(format!("{id:?} is built in"));
    }
    for segment in segments(catalog)? {
        if policy_of(&segment).as_deref() == Some(id) {
            let name = segment.get("id").unwrap_or(&Value::Null);
            return refuse(format!("segment {name} names merge policy {id:?}"));
        }
    }
    if !catalog.delete_document(DocumentKind::MergePolicy, id)? {
        find_policy(catalog, id, None, "id")?;
    }
    Ok(())
}

/// A segment definition.
///
/// # Errors
/// There is no such segment.
pub fn segment(catalog: &Catalog, id: &str) -> Result<Value> {
    catalog
        .document(DocumentKind::Segment, id, None)?
        .ok_or_else(|| RequestError::new("id", format!("no segment {id:?}")).into())
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
            object.insert("id".to_owned(), json!(id));
            id
        }
    };
    if let Some(policy) = policy_of(&segment) {
        find_policy(catalog, &policy, None, "mergePolicyId")?;
    }
    catalog.put_document(DocumentKind::Segment, &id, 1, &segment)?;
    Ok(segment)
}

/// All segment definitions.
///
/// # Errors
/// The catalog can't be read.
pub fn segments(catalog: &Catalog) -> Result<Vec<Value>> {
    Ok(catalog.documents(DocumentKind::Segment)?)
}

/// Reads a list of documents, or a single one.
///
/// # Errors
/// Broken JSON.
pub fn read_list(text: &[u8]) -> Result<Vec<Value>, RequestError> {
    Ok(match read_json::<Value>(text)? {
        Value::Array(list) => list,
        one => vec![one],
    })
}

/// The merge policy that a request uses: the one that it names; else the one that its segments'
/// definitions name; else the default.
///
/// # Errors
/// A policy that there isn't; segments whose definitions name different ones.
pub(crate) fn resolve_policy(catalog: &Catalog, request: &ExportRequest) -> Result<MergePolicy> {
    if let Some(named) = &request.merge_policy {
        return find_policy(catalog, &named.id, named.version, "mergePolicy");
    }
    let wanted = request.filter.as_ref().and_then(|f| f.segments.as_deref());
    let mut found: Option<(String, String)> = None;
    for segment in wanted.unwrap_or_default() {
        let id = &segment.segment_id;
        let Some(policy) = catalog
            .document(DocumentKind::Segment, id, None)?
            .as_ref()
            .and_then(policy_of)
        else {
            continue;
        };
        match &found {
            None => found = Some((id.clone(), policy)),
            Some((_, known)) if *known == policy => {}
            Some((first, known)) => {
                return Err(RequestError::new(
                    "mergePolicy",
                    format!(
                        "missing, and the segments name different merge policies: {first} names \
                         {known:?}, {id} names {policy:?}; say which one"
                    ),
                )
                .into());
            }
        }
    }
    match found {
        Some((_, policy)) => find_policy(catalog, &policy, None, "mergePolicy"),
        None => merge_policies(catalog)?
            .into_iter()
            .find(|policy| policy.default)
            .ok_or_else(|| {
                RequestError::new("mergePolicy", "missing, and there is no default").into()
            }),
    }
}

fn policy_of(segment: &Value) -> Option<String> {
    let id = segment
        .get("mergePolicyId")
        .or_else(|| segment.get("mergePolicy")?.get("id"))?;
    id.as_str().filter(|id| !id.is_empty()).map(str::to_owned)
}

fn find_policy(
    catalog: &Catalog,
    id: &str,
    version: Option<i64>,
    path: &str,
) -> Result<MergePolicy> {
    let stored = catalog.document(DocumentKind::MergePolicy, id, version)?;
    if let Some(policy) = stored.and_then(|body| serde_json::from_value(body).ok()) {
        return Ok(policy);
    }
    let policies = merge_policies(catalog)?;
    let known = policies.iter().find(|policy| policy.id == id);
    if let (Some(policy), None | Some(1)) = (known, version)
        && MergePolicy::built_in().iter().any(|b| b.id == id)
    {
        return Ok(policy.clone());
    }
    let problem = match (known, version) {
        (Some(policy), Some(version)) => format!(
            "merge policy {id:?} has no version {version}; the newest is {}",
            policy.version
        ),
        _ => {
            let ids: Vec<&str> = policies.iter().map(|p| p.id.as_str()).collect();
            let near = nearest(id, ids.iter().copied());
            let hint = match near.first() {
                Some(near) => format!("; did you mean {near:?}?"),
                None => String::new(),
            };
            format!(
                "no merge policy {id:?}{hint} (there are {})",
                ids.join(", ")
            )
        }
    };
    Err(RequestError::new(path, problem).into())
}
