//! The core without a store: record batches in, export rows out.

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use store::{DatasetBatches, Snapshot};

use crate::error::Result;
use crate::pipeline::{Graph, Pipeline};
use crate::plan::Plan;
use crate::request::ExportRequest;
use crate::sources::Sources;
use merge::MergePolicy;

/// Exports some people's records: for each batch of the request, one record batch of its rows.
///
/// `records` holds all fragments and events of these people (with the identity graph `pdg`: of all
/// people whom the graph joins), in the order in which they came; a pipeline that holds more than
/// fits in memory calls this for one partition of its people after the other. No file is read or
/// written. Rows come in the order of their persons' keys.
///
/// # Errors
/// A request that can't be done as asked, or a bad record.
pub fn export_rows(
    request: &ExportRequest,
    policy: MergePolicy,
    records: &[DatasetBatches],
) -> Result<Vec<RecordBatch>> {
    let snapshot = Snapshot::in_memory(records)?;
    let plan = Plan::new(
        request,
        policy,
        &snapshot.profile_union,
        &snapshot.event_union,
    )?;
    let sources = Sources::new(&snapshot, &plan)?;
    let pipeline = Pipeline::new(&plan, &sources)?;
    let graph = Graph::of(&plan, &sources)?;
    let indexes = sources.indexes();
    plan.batches
        .iter()
        .map(|membership| {
            let matches = (!membership.is_open()).then(|| membership.scan(&indexes));
            let people = pipeline.people(matches.as_ref(), graph.as_ref());
            let chunks = (0..people.chunks())
                .map(|n| {
                    Ok(pipeline
                        .rows(&people.rows(n, &sources), matches.as_ref())?
                        .rows)
                })
                .collect::<Result<Vec<_>>>()?;
            Ok(concat_batches(pipeline.schema(), &chunks)?)
        })
        .collect()
}
