//! The export itself: a request becomes a [`Plan`], a plan over a snapshot an [`Export`], and an export
//! streams record batches.
//!
//! Every refusal happens before the first row. The schema is the plan's, so it is the same for every
//! store, partition and shard. Rows come in the order of their persons' keys, whatever the number of
//! threads. rayon's current pool does the work; memory is bounded by the chunks in flight, or where an identity
//! graph makes one profile of several persons by the leaves that are asked for.
//!
//! ```
//! use std::sync::Arc;
//! use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
//! use profile_export_export::{DatasetBatches, Export, ExportRequest, Plan, UnionSchemas, snapshot_of};
//! use merge::MergePolicy;
//! use xdm::{Class, Dataset, Timestamp};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let emails: ArrayRef = Arc::new(StringArray::from(vec!["ann@example.com", "bob@example.com"]));
//! let points: ArrayRef = Arc::new(Int64Array::from(vec![30, 7]));
//! let batch = RecordBatch::try_from_iter([("email", emails), ("points", points)])?;
//! let mut dataset = Dataset::new("5b020a27e7040801dedba61a", "loyalty", Class::Profile);
//! dataset.primary_identity = Some("email=Email".to_owned());
//!
//! // The union schema is said once, whatever part of the data is at hand.
//! let unions = UnionSchemas::of([(&dataset, batch.schema().as_ref())])?;
//! let [policy, _] = MergePolicy::built_in();
//! let request = ExportRequest { fields: Some("points".to_owned()), ..ExportRequest::default() };
//! let plan = Plan::new(&request, policy, &unions)?;
//!
//! let part = DatasetBatches { dataset, batches: vec![batch], ingested_at: Timestamp::now() };
//! let export = Export::new(&snapshot_of(&[part], &unions)?, &plan)?;
//! let mut rows = 0;
//! for chunk in export.batch(0).chunks() {
//!     rows += chunk?.num_rows();
//! }
//! assert_eq!(rows, 2);
//! # Ok(())
//! # }
//! ```

mod cache;
mod chunks;
mod columns;
mod components;
mod composition;
mod counts;
mod dataset_rows;
mod dedupe;
mod digests;
mod directory;
mod error;
mod event_order;
mod explain;
mod export;
mod files;
mod graph;
mod identity_rows;
mod links;
mod lookup;
mod map_keys;
mod members;
mod naming;
mod people;
mod persons;
mod pipeline;
mod plan;
mod profile_events;
mod records;
mod request;
mod rows;
mod shard;
mod since_job;
mod sources;
mod strict;
mod times;
mod union_find;
mod unions;
mod values;

pub use chunks::Chunks;
pub use composition::{Composition, Unstitched};
pub use counts::BatchCounts;
pub use dataset_rows::{DatasetRows, FoundRecords, INGESTED_AT, TimeRange};
pub use dedupe::Deduplication;
pub use digests::row_digests;
pub use error::{Error, Result};
pub use explain::{
    BatchMemberships, Condition, EventPart, Explanation, FieldOrigin, FragmentPart, LostValue,
    MembershipSeen, RecordWithoutPart,
};
pub use export::{Export, ExportBatch, UnknownSegment};
pub use graph::{GraphReport, LargeComponent};
pub use lookup::{FoundProfile, ProfileReader};
pub use map_keys::MapKeys;
pub use members::{Members, NamedSegment};
pub use persons::{PersonRows, ToldPersons};
pub use plan::{EventPlan, IdentityRows, Plan};
pub use profile_events::{FoundEvent, ProfileEvents};
pub use records::{DatasetBatches, export_rows, snapshot_of};
pub use request::{
    AdditionalFields, Destination, EvaluationInfo, EventFilterRequest, EventList, ExportRequest,
    FilterRequest, MergePolicyRef, RequestError, SchemaRef, SegmentRequest, TimeWindow, read_json,
    read_value,
};
pub use run::BlockCache;
pub use shard::Shard;
pub use since_job::SinceJob;
pub use unions::UnionSchemas;
pub use values::{json_values, leaves};
