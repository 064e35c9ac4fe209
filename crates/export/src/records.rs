//! Exporting records of the caller's own: the store's rules without a store.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use decode::{InputChunk, RecordSpans, RecordSpec, decode};
use merge::MergePolicy;
use run::{Run, RunBuilder, Snapshot};
use xdm::{Dataset, FieldType, Fields, Timestamp};

use crate::error::{Error, Result};
use crate::export::Export;
use crate::plan::Plan;
use crate::request::ExportRequest;
use crate::unions::UnionSchemas;

/// Records of one dataset as Arrow record batches: a column for each top-level XDM field.
#[derive(Clone, Debug)]
pub struct DatasetBatches {
    /// The dataset; its ID and class decide how the records are merged.
    pub dataset: Dataset,
    /// The records, in the order in which they came.
    pub batches: Vec<RecordBatch>,
    /// When they came, where the dataset names no field that says so.
    pub ingested_at: Timestamp,
}

/// A snapshot of these records alone, in memory, by all the rules of loading.
///
/// The union schemas are those of all the caller's data, of which this may be a part.
///
/// # Errors
/// A bad record, named by its dataset and its row among the dataset's, counted from 1; a field or type
/// that the union schemas do not have.
pub fn snapshot_of(parts: &[DatasetBatches], unions: &UnionSchemas) -> Result<Snapshot> {
    let mut runs: Vec<Arc<Run>> = Vec::new();
    let mut namespaces = unions.namespaces.clone();
    let mut sequence = 0;
    for part in parts {
        let dataset = &part.dataset;
        let union = unions.of_class(dataset.class);
        let spec = RecordSpec::new(dataset, union, part.ingested_at)?;
        let mut types = spec.types.clone();
        let mut builder = RunBuilder::default();
        let mut next_line = 1;
        for batch in &part.batches {
            let chunk = InputChunk::of_batch(&dataset.name, batch.clone());
            let mut records = RecordSpans::new(&chunk);
            next_line = records.begin_at(next_line);
            let decoded = decode(&records, &spec, &types, sequence)?;
            if let Some(bad) = decoded.bad.first() {
                return Err(decode::Error::BadRecord {
                    file: dataset.name.clone(),
                    line: bad.line,
                    problem: bad.error.to_string(),
                }
                .into());
            }
            types = decoded.types;
            for code in &decoded.rows.map_keys {
                namespaces.add(code);
            }
            builder.push(decoded.rows)?;
            sequence += batch.num_rows() as u64;
        }
        let found = spec.exported_types(&types);
        if let Some(problem) = beyond(union, &found, "") {
            return Err(Error::BeyondUnion {
                dataset: dataset.name.clone(),
                problem,
            });
        }
        let earlier: Vec<&Run> = runs
            .iter()
            .filter(|run| run.dataset == dataset.id)
            .map(|run| &**run)
            .collect();
        let run = builder.in_memory(&dataset.id, dataset.class, union, &earlier)?;
        runs.extend(run.map(Arc::new));
    }
    Ok(Snapshot {
        generation: 0,
        profile_union: unions.profile.clone(),
        event_union: unions.event.clone(),
        namespaces,
        datasets: parts.iter().map(|part| part.dataset.clone()).collect(),
        runs,
    })
}

/// What `found` has that the union lacks, if anything.
fn beyond(union: &Fields, found: &Fields, parent: &str) -> Option<String> {
    found.iter().find_map(|(name, ty)| {
        let path = format!("{parent}{}", xdm::quote_part(name));
        match (union.get(name), ty) {
            // Nothing was ever there.
            (None, FieldType::Unknown) => None,
            (None, _) => Some(format!("field {path}")),
            (Some(FieldType::Object(known)), FieldType::Object(found)) => {
                beyond(known, found, &format!("{path}."))
            }
            (Some(known), ty) if known.data_type() != ty.data_type() => {
                Some(format!("{path} as {ty}, where it is {known}"))
            }
            _ => None,
        }
    })
}

/// Exports some people's records: for each batch of the request, one record batch of its rows.
///
/// `records` holds all fragments and events of these people (with the identity graph `pdg`: of all
/// people whom the graph joins), in the order in which they came; a pipeline that holds more than
/// fits in memory calls this for one partition of its people after the other, with the union schemas
/// of all of them, and gets the same schema each time. No file is read or written. Rows come in the
/// order of their persons' keys.
///
/// # Errors
/// A request that can't be done as asked, or a bad record.
pub fn export_rows(
    request: &ExportRequest,
    policy: MergePolicy,
    unions: &UnionSchemas,
    records: &[DatasetBatches],
) -> Result<Vec<RecordBatch>> {
    let plan = Plan::new(request, policy, unions)?;
    let export = Export::new(&snapshot_of(records, unions)?, &plan)?;
    export
        .batches()
        .map(|batch| {
            let rows = batch.chunks().collect::<Result<Vec<_>>>()?;
            Ok(concat_batches(&batch.schema(), &rows)?)
        })
        .collect()
}
