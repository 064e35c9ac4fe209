//! Merge policies, as the catalog keeps them.

use catalog::{Catalog, Document, DocumentKind, Kind, new_id};
use export::{RequestError, read_json};
use merge::MergePolicy;
use serde_json::Value;
use xdm::{Timestamp, nearest};

use crate::error::{Error, ErrorKind, Result};
use crate::segments::{policy_of, segments};

/// All merge policies, each in its newest version, the built-in ones last.
///
/// # Errors
/// The catalog can't be read.
pub fn merge_policies(catalog: &Catalog) -> Result<Vec<MergePolicy>> {
    let mut policies = catalog
        .documents(DocumentKind::MergePolicy)?
        .iter()
        .map(read)
        .collect::<Result<Vec<_>>>()?;
    let has_default = policies.iter().any(|policy| policy.default);
    for mut built_in in MergePolicy::built_in() {
        built_in.default &= !has_default;
        policies.push(built_in);
    }
    Ok(policies)
}

/// Adds a merge policy, or a new version of one that exists.
///
/// # Errors
/// A policy that contradicts itself, or the name of a built-in one.
pub fn put_merge_policy(
    catalog: &Catalog,
    mut policy: MergePolicy,
    now: Timestamp,
) -> Result<MergePolicy> {
    if policy.id.is_empty() {
        policy.id = new_id();
    }
    if MergePolicy::built_in().iter().any(|b| b.id == policy.id) {
        return Err(RequestError::new("id", format!("{:?} is built in", policy.id)).into());
    }
    if let Some(problem) = policy.problem() {
        return Err(RequestError::new(problem.path, problem.text).into());
    }
    let known = catalog.document(DocumentKind::MergePolicy, &policy.id, None)?;
    policy.version = match known {
        Some(known) => read(&known)?.version + 1,
        None => 1,
    };
    policy.update_epoch = now.seconds();
    if policy.default {
        end_other_default(catalog, &policy)?;
    }
    catalog.put_document(
        DocumentKind::MergePolicy,
        &policy.id,
        policy.version,
        &document(&policy)?,
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
            catalog.put_document(kind, &other.id, other.version, &document(&other)?)?;
        }
    }
    Ok(())
}

/// A merge policy, in a version of it or the newest.
///
/// # Errors
/// There is no such policy or version; the error names those that there are.
pub fn merge_policy(catalog: &Catalog, id: &str, version: Option<i64>) -> Result<MergePolicy> {
    let stored = catalog.document(DocumentKind::MergePolicy, id, version)?;
    if let Some(stored) = stored {
        return read(&stored);
    }
    let policies = merge_policies(catalog)?;
    let known = policies.iter().find(|policy| policy.id == id);
    if let (Some(policy), None | Some(1)) = (known, version)
        && MergePolicy::built_in().iter().any(|b| b.id == id)
    {
        return Ok(policy.clone());
    }
    let hint = match (known, version) {
        (Some(policy), Some(version)) => {
            let newest = policy.version;
            format!(" in version {version}; the newest is {newest}")
        }
        _ => {
            let ids: Vec<&str> = policies.iter().map(|p| p.id.as_str()).collect();
            let near = nearest(id, ids.iter().copied());
            let near = match near.first() {
                Some(near) => format!("; did you mean {near:?}?"),
                None => String::new(),
            };
            format!("{near} (there are {})", ids.join(", "))
        }
    };
    Err(catalog::Error::NotFound {
        kind: Kind::MergePolicy,
        id: id.to_owned(),
        hint,
    }
    .into())
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
        if policy_of(&segment) == Some(id) {
            let name = segment.get("id").unwrap_or(&Value::Null);
            return refuse(format!("segment {name} names merge policy {id:?}"));
        }
    }
    if !catalog.delete_document(DocumentKind::MergePolicy, id)? {
        merge_policy(catalog, id, None)?;
    }
    Ok(())
}

/// Reads a policy, or a list of policies.
///
/// # Errors
/// As [`read_json`] says.
pub fn read_merge_policies(text: &[u8]) -> Result<Vec<MergePolicy>, RequestError> {
    if text.trim_ascii_start().starts_with(b"[") {
        read_json(text)
    } else {
        Ok(vec![read_json(text)?])
    }
}

fn read(stored: &Document) -> Result<MergePolicy> {
    stored.read().map_err(|e| damaged(stored, &e))
}

fn document(policy: &MergePolicy) -> Result<Document> {
    Document::of(policy).map_err(|e| damaged(&Value::Null.into(), &e))
}

fn damaged(stored: &Document, problem: &serde_json::Error) -> Error {
    let id = stored.value().get("id").unwrap_or(&Value::Null);
    catalog::Error::Damaged {
        kind: Kind::MergePolicy,
        id: id.to_string(),
        problem: problem.to_string(),
    }
    .into()
}

/// A merge policy that the property at a path names.
pub(crate) fn named_policy(
    catalog: &Catalog,
    id: &str,
    version: Option<i64>,
    path: &str,
) -> Result<MergePolicy> {
    merge_policy(catalog, id, version).map_err(|error| match error.kind() {
        ErrorKind::NotFound => RequestError::new(path, error.to_string()).into(),
        _ => error,
    })
}
