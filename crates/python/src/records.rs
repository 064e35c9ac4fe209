//! Exports of record batches that never see a store.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::Schema;
use platform::{Error, PolicyChoice, Prepared};
use profile_export::export::{
    DatasetBatches, Export as EngineExport, Plan, UnionSchemas, snapshot_of,
};
use profile_export::request::{ExportRequest, MergePolicy, RequestError};
use profile_export::store::{DecodeError, new_id};
use profile_export::xdm::{Dataset, Timestamp};
use pyo3::prelude::*;

use crate::capsule::{Reader, reader_of, schema_of};
use crate::errors::Result;
use crate::export::Export;
use crate::ingest::{class_of, moment};
use crate::sources::Sources;
use crate::work::Workers;

/// The records of one dataset: a dict of Python's.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub(crate) struct Records<'py> {
    data: Bound<'py, PyAny>,
    name: String,
    id: Option<String>,
    class: String,
    primary_identity: Option<String>,
    ingested_at_field: Option<String>,
    ingested_at: Option<String>,
    /// The schema of all records of the dataset, of which these may be a part.
    schema: Option<Bound<'py, PyAny>>,
}

/// The same, read from Python: what is left is to take its rows.
struct Part {
    dataset: Dataset,
    reader: Reader,
    schema: Schema,
    ingested_at: Timestamp,
}

impl Part {
    fn new(records: &Records<'_>, sources: &mut Sources) -> Result<Self> {
        let reader = sources.stand_in(reader_of(&records.data)?);
        let schema = match &records.schema {
            None => reader.schema().as_ref().clone(),
            Some(schema) => schema_of(schema)?,
        };
        let id = records.id.clone().unwrap_or_else(new_id);
        let dataset = Dataset {
            primary_identity: records.primary_identity.clone(),
            ingested_at_field: records.ingested_at_field.clone(),
            ..Dataset::new(&id, &records.name, class_of(&records.class)?)
        };
        dataset
            .check()
            .map_err(|error| Error::from(DecodeError::from(error)))?;
        Ok(Self {
            dataset,
            reader,
            schema,
            ingested_at: moment("ingested_at", records.ingested_at.as_deref())?
                .unwrap_or_else(Timestamp::now),
        })
    }

    fn read(self) -> Result<DatasetBatches, Error> {
        let name = &self.dataset.name;
        let batches: Vec<RecordBatch> = self.reader.collect::<Result<_, _>>().map_err(|error| {
            Error::from(DecodeError::Input {
                name: name.clone(),
                problem: error.to_string(),
            })
        })?;
        Ok(DatasetBatches {
            dataset: self.dataset,
            batches,
            ingested_at: self.ingested_at,
        })
    }
}

/// Prepares the export of record batches: by all the rules of loading, in memory.
#[pyfunction]
pub(crate) fn export_batches(
    py: Python<'_>,
    request: &str,
    records: Vec<Records<'_>>,
    merge_policy: Option<&str>,
    threads: Option<usize>,
) -> Result<Export> {
    let request = ExportRequest::from_json(request.as_bytes())?;
    let asked = request
        .merge_policy
        .as_ref()
        .map(|policy| policy.id.as_str());
    let (policy, choice) = match merge_policy.or(asked) {
        None => {
            let [policy, _] = MergePolicy::built_in();
            (policy, PolicyChoice::Default)
        }
        Some(text) => (read_policy(text)?, PolicyChoice::Asked),
    };
    let mut sources = Sources::new();
    let parts = records.iter().map(|part| Part::new(part, &mut sources));
    let parts: Vec<Part> = parts.collect::<Result<_>>()?;
    let workers = Workers::new(threads)?;
    let prepared = workers.run_over(py, (None, 0), sources, |progress| {
        let schemas = parts.iter().map(|part| (&part.dataset, &part.schema));
        let unions = UnionSchemas::of(schemas)?;
        let plan = Plan::new(&request, policy.clone(), &unions)?;
        let mut batches = Vec::new();
        for part in parts {
            progress.check()?;
            batches.push(part.read()?);
        }
        let export = EngineExport::new(&snapshot_of(&batches, &unions)?, &plan)?;
        Ok(Prepared {
            segment_names: segment_ids(&request),
            request,
            policy,
            choice,
            generation: 0,
            export: export.with_progress(Arc::clone(progress)),
        })
    })?;
    Ok(Export::new(workers, prepared))
}

/// What the segments of a request are called where no definition says it.
fn segment_ids(request: &ExportRequest) -> Vec<String> {
    let segments = request
        .filter
        .iter()
        .filter_map(|filter| filter.segments.as_ref());
    segments
        .flatten()
        .map(|segment| segment.segment_id.clone())
        .collect()
}

/// A merge policy: one that every store has, by its ID, or one of the caller's own, as JSON.
fn read_policy(text: &str) -> Result<MergePolicy> {
    if let Some(known) = MergePolicy::built_in()
        .into_iter()
        .find(|policy| policy.id == text)
    {
        return Ok(known);
    }
    let policy: MergePolicy = serde_json::from_str(text).map_err(|error| {
        let known = MergePolicy::built_in().map(|policy| policy.id).join(", ");
        let problem = format!("neither one of {known}, nor a merge policy as JSON: {error}");
        RequestError::new("merge_policy", problem)
    })?;
    match policy.problem() {
        None => Ok(policy),
        Some(problem) => Err(RequestError::new(problem.path, problem.text).into()),
    }
}
