//! What both kinds of objects share: documents under an ID, one of each, with a version that goes up.

use std::cmp::Reverse;

use catalog::{Catalog, Document, DocumentKind, Kind};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::Result;

/// The longest name of a projection, and of a data center, in bytes.
pub(super) const LONGEST_NAME: usize = 200;

/// What is kept in the catalog under an ID and a version.
pub(super) trait Kept: Serialize + DeserializeOwned {
    const DOCUMENT: DocumentKind;
    const KIND: Kind;

    fn id(&self) -> &str;
    fn created(&self) -> i64;
}

pub(super) fn is_name(name: &str) -> bool {
    !name.trim().is_empty() && name.len() <= LONGEST_NAME
}

/// The version behind the one that is replaced, where that is the one that the sender knows.
pub(super) fn next_version(known: Option<i64>, said: Option<i64>) -> Result<i64> {
    match (known, said) {
        (Some(known), Some(said)) if known != said => {
            let problem = format!("currentVersion: found {said}; the newest is {known}");
            Err(catalog::Error::Conflict(problem).into())
        }
        (known, _) => Ok(known.unwrap_or(0) + 1),
    }
}

pub(super) fn all<T: Kept>(catalog: &Catalog) -> Result<Vec<T>> {
    let documents = catalog.documents(T::DOCUMENT)?;
    let mut all: Vec<T> = documents.iter().map(read).collect::<Result<_>>()?;
    all.sort_by_key(|one| Reverse(one.created()));
    Ok(all)
}

pub(super) fn one<T: Kept>(catalog: &Catalog, id: &str) -> Result<T> {
    let document = catalog.document(T::DOCUMENT, id, None)?;
    let document = document.ok_or_else(|| catalog::Error::not_found(T::KIND, id))?;
    read(&document)
}

pub(super) fn put<T: Kept>(catalog: &Catalog, one: &T) -> Result<()> {
    let document = Document::of(one).map_err(|error| damaged::<T>(one.id(), &error))?;
    // Nobody asks for an earlier version of it.
    Ok(catalog.put_document(T::DOCUMENT, one.id(), 1, &document)?)
}

pub(super) fn delete<T: Kept>(catalog: &Catalog, id: &str) -> Result<()> {
    match catalog.delete_document(T::DOCUMENT, id)? {
        true => Ok(()),
        false => Err(catalog::Error::not_found(T::KIND, id).into()),
    }
}

fn read<T: Kept>(document: &Document) -> Result<T> {
    document.read().map_err(|error| {
        let id = document.value()["id"].as_str().unwrap_or("without an ID");
        damaged::<T>(id, &error).into()
    })
}

fn damaged<T: Kept>(id: &str, problem: &serde_json::Error) -> catalog::Error {
    catalog::Error::Damaged {
        kind: T::KIND,
        id: id.to_owned(),
        problem: problem.to_string(),
    }
}
