//! Objects that are documents of the catalog under an ID, one of each.

use std::cmp::Reverse;

use catalog::{Catalog, Document, DocumentKind, Kind};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::Result;

/// What is kept in the catalog under an ID.
pub(crate) trait Kept: Serialize + DeserializeOwned {
    const DOCUMENT: DocumentKind;
    const KIND: Kind;

    fn id(&self) -> &str;
    fn created(&self) -> i64;
}

pub(crate) fn all<T: Kept>(catalog: &Catalog) -> Result<Vec<T>> {
    let documents = catalog.documents(T::DOCUMENT)?;
    let mut all: Vec<T> = documents.iter().map(read).collect::<Result<_>>()?;
    all.sort_by_key(|one| Reverse(one.created()));
    Ok(all)
}

/// How many objects of a kind that people make a sandbox has: each list reads all of them.
const MOST: usize = 1000;

/// The first moment behind that of all that there are: pages of lists begin at such a moment.
///
/// # Errors
/// There are as many as there may be.
pub(crate) fn next_moment<T: Kept>(catalog: &Catalog) -> Result<i64> {
    let known = all::<T>(catalog)?;
    if known.len() >= MOST {
        let kind = T::KIND;
        let problem = format!(
            "there are {MOST} already, which are all that a sandbox has; delete a {kind} first"
        );
        return Err(catalog::Error::Conflict(problem).into());
    }
    Ok(known.first().map_or(0, |newest| newest.created() + 1))
}

pub(crate) fn one<T: Kept>(catalog: &Catalog, id: &str) -> Result<T> {
    let document = catalog.document(T::DOCUMENT, id, None)?;
    let document = document.ok_or_else(|| catalog::Error::not_found(T::KIND, id))?;
    read(&document)
}

pub(crate) fn put<T: Kept>(catalog: &Catalog, one: &T) -> Result<()> {
    let document = Document::of(one).map_err(|error| damaged::<T>(one.id(), &error))?;
    // Nobody asks for an earlier version of it.
    Ok(catalog.put_document(T::DOCUMENT, one.id(), 1, &document)?)
}

pub(crate) fn delete<T: Kept>(catalog: &Catalog, id: &str) -> Result<()> {
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
