//! How many members each segment has, by status, of all that records name.

use std::collections::BTreeMap;
use std::sync::Arc;

use decode::Progress;
use export::{ExportRequest, Members, MergePolicyRef, NamedSegment, UnionSchemas};
use store::Store;
use xdm::SEGMENT_MEMBERSHIP;

use crate::error::Result;
use crate::export_file::Prepared;
use crate::policies::merge_policies;

/// Segments whose members are to be counted, by the default merge policy: definitions may name different ones, and all are
/// counted side by side.
pub struct SegmentsToCount {
    /// The export whose profiles are looked at.
    pub prepared: Prepared,
}

impl SegmentsToCount {
    /// All that records name; `None` where there are none.
    ///
    /// # Errors
    /// A damaged store.
    pub fn of(store: &Store, progress: &Arc<Progress>) -> Result<Option<Self>> {
        let unions = UnionSchemas::from(&store.snapshot(None)?);
        if unions.profile.get(SEGMENT_MEMBERSHIP).is_none() {
            return Ok(None);
        }
        let request = ExportRequest {
            fields: Some(SEGMENT_MEMBERSHIP.to_owned()),
            merge_policy: (merge_policies(store.catalog())?.into_iter())
                .find(|policy| policy.default)
                .map(|policy| MergePolicyRef {
                    id: policy.id,
                    version: None,
                }),
            ..ExportRequest::default()
        };
        Ok(Some(Self {
            prepared: Prepared::by_ids(store, (request, None), None, progress)?,
        }))
    }

    /// Counts the members of each, by namespace, in lower case, and ID.
    ///
    /// # Errors
    /// A damaged store; the progress was cancelled.
    pub fn count(&self) -> Result<BTreeMap<NamedSegment, Members>> {
        Ok(self.prepared.export.members()?)
    }
}

/// The members of all segments that records name, by ID: those of several namespaces together.
///
/// # Errors
/// A damaged store; the progress was cancelled.
pub fn members_by_segment(
    store: &Store,
    progress: &Arc<Progress>,
) -> Result<BTreeMap<String, Members>> {
    let mut all: BTreeMap<String, Members> = BTreeMap::new();
    let Some(wanted) = SegmentsToCount::of(store, progress)? else {
        return Ok(all);
    };
    for ((_, id), members) in wanted.count()? {
        let sum = all.entry(id).or_default();
        sum.realized += members.realized;
        sum.existing += members.existing;
        sum.exited += members.exited;
    }
    Ok(all)
}
