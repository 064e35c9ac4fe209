//! One profile: looked up, or deleted.

use profile_export::platform::{Lookup, delete_profile as delete, policy_id};
use profile_export::xdm::Identity;
use pyo3::prelude::*;
use serde_json::json;

use crate::errors::Result;
use crate::objects::{to_python, told};
use crate::store::{Store, Watcher};

/// A profile as it is merged; `None` where nobody has the identity.
#[pyfunction]
pub(crate) fn profile<'py>(
    py: Python<'py>,
    store: &Store,
    identity: (String, String),
    fields: Option<String>,
    events: Option<String>,
    merge_policy: Option<String>,
) -> Result<Bound<'py, PyAny>> {
    let identity = identity_of(identity);
    let lookups = store.lookups();
    let found = store.work(py, (None, 0), |store, progress| {
        let policy = merge_policy.map(|word| policy_id(store.catalog(), &word, "merge_policy"));
        let lookup = Lookup {
            fields,
            event_fields: events,
            merge_policy: policy.transpose()?,
        };
        lookups.find(store, &lookup, &identity, progress)
    })?;
    let told = found.map(|found| {
        let identities = found.identities.iter();
        let identities: Vec<String> = identities
            .map(|(namespace, id)| format!("{namespace}:{id}"))
            .collect();
        json!({"identities": identities, "sources": found.datasets,
               "lastModifiedAt": found.last_modified.to_string(), "entity": found.row})
    });
    Ok(to_python(py, &told)?)
}

/// Deletes the records that bear an identity; returns what went.
#[pyfunction]
pub(crate) fn delete_profile<'py>(
    py: Python<'py>,
    store: &Store,
    identity: (String, String),
    merge_policy: Option<String>,
    watcher: Watcher<'py>,
) -> Result<Bound<'py, PyAny>> {
    let identity = identity_of(identity);
    let deleted = store.work(py, (watcher.as_ref(), 0), |store, progress| {
        let policy = merge_policy.map(|word| policy_id(store.catalog(), &word, "merge_policy"));
        delete(
            store,
            &identity,
            None,
            policy.transpose()?.as_deref(),
            progress,
        )
    });
    told(py, deleted)
}

fn identity_of((namespace, id): (String, String)) -> Identity {
    Identity { namespace, id }
}
