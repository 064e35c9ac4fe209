//! Profiles and events by an identity: the platform's Profile Access.

mod events;
mod xid;

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use export::{
    AdditionalFields, EventList, Explanation, Export, ExportRequest, FilterRequest, FoundProfile,
    Plan, UnionSchemas,
};
use merge::MergePolicy;
use store::{Scope, Store};
use xdm::Identity;

use crate::error::Result;
use crate::policies::named_policy;
use crate::resolve::resolve_policy;

pub use events::{EventPage, EventQuery, FoundEvent, Property};
pub use xid::{identity_of_xid, xid_of};

/// How many prepared look-ups are kept: each holds the columns that it reads, and what it read last of them.
const MOST: usize = 8;

/// What is looked up of profiles.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lookup {
    /// Comma-separated field paths; all fields where it is missing or blank.
    pub fields: Option<String>,
    /// The events' fields, where events are looked up; all where that is blank.
    pub event_fields: Option<String>,
    /// A merge policy's ID; the default where it is missing.
    pub merge_policy: Option<String>,
}

/// What a look-up is prepared for: where, of which state, by which policy, and what.
#[derive(PartialEq)]
struct Key {
    scope: Scope,
    generation: i64,
    policy: MergePolicy,
    lookup: Lookup,
}

/// Look-ups that are prepared, the one that was used last in front.
///
/// What a look-up needs before it reads the first record (the runs' columns, an identity graph) is the same for
/// everybody, and kept until the store changes.
#[derive(Default)]
pub struct Lookups {
    kept: Mutex<VecDeque<(Key, Export)>>,
    /// Held by who prepares one: others that want the same find it then.
    preparing: Mutex<()>,
}

impl Lookups {
    /// The profile of an identity; `None` where there is none. A policy without an identity graph knows primary identities,
    /// one with a graph all that records link.
    ///
    /// # Errors
    /// A merge policy or a field that there isn't, a damaged store.
    pub fn find(
        &self,
        store: &Store,
        lookup: &Lookup,
        identity: &Identity,
    ) -> Result<Option<FoundProfile>> {
        let (_, export) = self.prepared(store, lookup)?;
        Ok(export.look_up(&identity.namespace, &identity.id)?)
    }

    /// The same with how its fragments compete, and which of them each field is from.
    ///
    /// # Errors
    /// As for [`Lookups::find`].
    pub fn explain(
        &self,
        store: &Store,
        lookup: &Lookup,
        identity: &Identity,
    ) -> Result<Option<(FoundProfile, Option<Explanation>)>> {
        let (_, export) = self.prepared(store, lookup)?;
        let Some(found) = export.look_up(&identity.namespace, &identity.id)? else {
            return Ok(None);
        };
        let explained = match found.identities.first() {
            Some((namespace, id)) => export.explain(namespace, id)?,
            None => None,
        };
        Ok(Some((found, explained)))
    }

    /// What is looked up in the store as it is now, and the generation of that.
    fn prepared(&self, store: &Store, lookup: &Lookup) -> Result<(i64, Export)> {
        let catalog = store.catalog();
        let policy = match &lookup.merge_policy {
            Some(id) => named_policy(catalog, id, None, "mergePolicyId")?,
            None => resolve_policy(catalog, &ExportRequest::default())?,
        };
        let key = |generation| Key {
            scope: catalog.scope().clone(),
            generation,
            policy: policy.clone(),
            lookup: lookup.clone(),
        };
        let now = catalog.generation()?;
        if let Some(export) = self.take(&key(now)) {
            return Ok((now, export));
        }
        let _preparing = self
            .preparing
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let now = catalog.generation()?;
        if let Some(export) = self.take(&key(now)) {
            return Ok((now, export));
        }
        let snapshot = store.snapshot(None)?;
        let request = request_of(lookup);
        let plan = Plan::new(&request, policy.clone(), &UnionSchemas::from(&snapshot))?;
        let export = Export::new(&snapshot, &plan)?.for_look_ups();
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        // All sandboxes have their generations from one count: what is older is nobody's any more.
        kept.retain(|(other, _)| other.generation == snapshot.generation);
        kept.push_front((key(snapshot.generation), export.clone()));
        kept.truncate(MOST);
        Ok((snapshot.generation, export))
    }

    fn take(&self, wanted: &Key) -> Option<Export> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let at = kept.iter().position(|(key, _)| key == wanted)?;
        let found = kept.remove(at)?;
        let export = found.1.clone();
        kept.push_front(found);
        Some(export)
    }
}

/// The export whose row a profile is.
fn request_of(lookup: &Lookup) -> ExportRequest {
    let some = |fields: &String| Some(fields.clone()).filter(|fields| !fields.trim().is_empty());
    ExportRequest {
        fields: lookup.fields.as_ref().and_then(some),
        filter: Some(FilterRequest {
            empty_profiles: Some(true),
            ..FilterRequest::default()
        }),
        additional_fields: lookup.event_fields.as_ref().map(|fields| AdditionalFields {
            event_list: Some(EventList {
                fields: some(fields),
                filter: None,
            }),
        }),
        ..ExportRequest::default()
    }
}
