//! How many members each segment has, by status, of all that records name.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use decode::Progress;
use export::{
    Destination, ExportRequest, FilterRequest, MergePolicyRef, SegmentRequest, UnionSchemas,
};
use store::{Store, StoreError};

use crate::error::Result;
use crate::export_file::Prepared;
use crate::policies::merge_policies;

/// The statuses of memberships, as they are counted.
const STATUSES: [&str; 3] = ["realized", "existing", "exited"];

/// The members of a segment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Members {
    /// Those who have entered.
    pub realized: u64,
    /// Those who have stayed.
    pub existing: u64,
    /// Those who have left.
    pub exited: u64,
}

/// Segments whose members are to be counted, by the default merge policy: segments may name different ones, and are
/// counted side by side.
pub struct SegmentsToCount {
    /// The export that has a batch for each status of each.
    pub prepared: Prepared,
    /// Their namespaces, in lower case, and IDs.
    pub segments: Vec<(String, String)>,
    /// Those beyond as many as were to be counted.
    pub left_out: Vec<(String, String)>,
}

impl SegmentsToCount {
    /// The segments that records name, by namespace and ID, at the most so many; `None` where there are none. A look at
    /// who is in them, not at the profiles.
    ///
    /// # Errors
    /// A damaged store.
    pub fn of(store: &Store, most: usize, progress: &Arc<Progress>) -> Result<Option<Self>> {
        let snapshot = store.snapshot(None)?;
        let mut known: BTreeSet<(String, String)> = BTreeSet::new();
        for run in &snapshot.runs {
            let of_run = run.segments().map_err(StoreError::from)?.into_iter();
            known.extend(of_run.map(|(namespace, id)| (namespace.to_owned(), id.to_owned())));
        }
        let unions = UnionSchemas::from(&snapshot);
        let first = unions.profile.iter().next();
        let (Some((first, _)), false) = (first, known.is_empty()) else {
            return Ok(None);
        };
        let mut segments: Vec<(String, String)> = known.into_iter().collect();
        let left_out = segments.split_off(most.min(segments.len()));
        let wanted = segments.iter().flat_map(|(namespace, id)| {
            STATUSES.map(|status| SegmentRequest {
                segment_id: id.clone(),
                segment_ns: Some(namespace.clone()),
                status: Some(vec![status.to_owned()]),
            })
        });
        let request = ExportRequest {
            // No more than one field is made: there is no export of none.
            fields: Some(xdm::quote_part(first)),
            filter: Some(FilterRequest {
                segments: Some(wanted.collect()),
                ..FilterRequest::default()
            }),
            destination: Destination {
                segment_per_batch: Some(true),
                ..Destination::default()
            },
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
            segments,
            left_out,
        }))
    }

    /// Counts the members of each, in their order.
    ///
    /// # Errors
    /// A damaged store; the progress was cancelled.
    pub fn count(&self) -> Result<Vec<Members>> {
        let counts = self.prepared.counts()?;
        let of_segment = counts.chunks(STATUSES.len()).map(|counts| {
            let [realized, existing, exited] = counts else {
                unreachable!("each segment has a batch for each status");
            };
            Members {
                realized: realized.profiles,
                existing: existing.profiles,
                exited: exited.profiles,
            }
        });
        Ok(of_segment.collect())
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
    let Some(wanted) = SegmentsToCount::of(store, usize::MAX, progress)? else {
        return Ok(all);
    };
    for ((_, id), members) in wanted.segments.iter().zip(wanted.count()?) {
        let sum = all.entry(id.clone()).or_default();
        sum.realized += members.realized;
        sum.existing += members.existing;
        sum.exited += members.exited;
    }
    Ok(all)
}
