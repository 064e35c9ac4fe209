//! Profiles and events by an identity: the platform's Profile Access.

mod events;
mod property;
mod state;
mod xid;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use decode::Progress;
use export::{BlockCache, Explanation, ExportRequest, FoundProfile};
use merge::MergePolicy;
use store::Store;
use xdm::Identity;

use crate::error::Result;
use crate::policies::named_policy;
use crate::resolve::resolve_policy;
use state::State;

pub use events::{EventPage, EventQuery};
pub use property::Property;
pub use xid::{identity_of_xid, xid_of};

/// Of how many sandboxes something is kept.
const MOST: usize = 8;
/// How many bytes of unpacked blocks are kept.
const BLOCKS: usize = 128 << 20;

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

/// What look-ups need before they read the first record, kept until the store changes: open runs, identity graphs, plans.
/// Shared by all who look up.
pub struct Lookups {
    /// One a sandbox, the one that was used last in front.
    kept: Mutex<VecDeque<Arc<State>>>,
    /// Held by who opens runs: others that want the same find it then.
    opening: Mutex<()>,
    blocks: Arc<BlockCache>,
}

impl Default for Lookups {
    fn default() -> Self {
        Self {
            kept: Mutex::default(),
            opening: Mutex::default(),
            blocks: Arc::new(BlockCache::new(BLOCKS)),
        }
    }
}

impl Lookups {
    /// The profile of an identity; `None` where there is none. A policy without an identity graph knows primary identities,
    /// one with a graph all that records link.
    ///
    /// # Errors
    /// A merge policy or a field that there isn't, a damaged store; it was cancelled.
    pub fn find(
        &self,
        store: &Store,
        lookup: &Lookup,
        identity: &Identity,
        progress: &Progress,
    ) -> Result<Option<FoundProfile>> {
        let policy = policy_of(store, lookup.merge_policy.as_deref())?;
        let reader = self.state(store)?.reader(policy, lookup)?;
        Ok(reader.look_up(&identity.namespace, &identity.id, progress)?)
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
        progress: &Progress,
    ) -> Result<Option<(FoundProfile, Option<Explanation>)>> {
        let policy = policy_of(store, lookup.merge_policy.as_deref())?;
        let reader = self.state(store)?.reader(policy, lookup)?;
        let Some(found) = reader.look_up(&identity.namespace, &identity.id, progress)? else {
            return Ok(None);
        };
        let explained = match found.identities.first() {
            Some((namespace, id)) => reader.explain(namespace, id)?,
            None => None,
        };
        Ok(Some((found, explained)))
    }

    /// The codes of the namespaces that identities of records have, each in its spelling, in no order.
    pub(crate) fn namespaces_of_records(&self, store: &Store) -> Result<Arc<[String]>> {
        self.state(store)?.namespaces_of_records()
    }

    /// The store as it is now.
    fn state(&self, store: &Store) -> Result<Arc<State>> {
        let scope = store.catalog().scope();
        let kept = || self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let current = || -> Result<Option<Arc<State>>> {
            let now = store.catalog().generation()?;
            let mut kept = kept();
            let at = kept.iter().position(|state| state.is_of(scope, now));
            let Some(found) = at.and_then(|at| kept.remove(at)) else {
                return Ok(None);
            };
            kept.push_front(Arc::clone(&found));
            Ok(Some(found))
        };
        if let Some(state) = current()? {
            return Ok(state);
        }
        let _opening = self.opening.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(state) = current()? {
            return Ok(state);
        }
        let earlier = kept()
            .iter()
            .find(|state| state.scope == *scope)
            .map(Arc::clone);
        let state = Arc::new(State::open(store, earlier.as_deref(), &self.blocks)?);
        let mut kept = kept();
        // What a sandbox was like before is nobody's any more, nor what was read of it: it may be deleted.
        let before = kept.len();
        kept.retain(|other| other.scope != *scope);
        if kept.len() < before {
            self.blocks.clear();
        }
        kept.push_front(Arc::clone(&state));
        kept.truncate(MOST);
        Ok(state)
    }
}

/// The merge policy of an ID, or the default.
fn policy_of(store: &Store, id: Option<&str>) -> Result<MergePolicy> {
    match id {
        Some(id) => named_policy(store.catalog(), id, None, "mergePolicyId"),
        None => resolve_policy(store.catalog(), &ExportRequest::default()),
    }
}
