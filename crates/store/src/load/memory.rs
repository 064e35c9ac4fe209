//! Loading record batches into runs in memory: the store's rules without a store.

use std::sync::Arc;

use arrow::array::{RecordBatch, StructArray};
use xdm::{Class, FieldType};

use super::LoadTarget;
use super::flush::Accumulator;
use super::input::{Chunk, ChunkRecords};
use super::parse::{Records, exported_types, parse};
use super::system::set_type;
use crate::catalog::Dataset;
use crate::error::{Result, StoreError};
use crate::run::{Run, RunTables};
use crate::store::Snapshot;

/// Records of one dataset as Arrow record batches: a column for each top-level XDM field.
#[derive(Clone, Debug)]
pub struct DatasetBatches {
    /// The dataset; its ID and class decide how the records are merged.
    pub dataset: Dataset,
    /// The records, in the order in which they came.
    pub batches: Vec<RecordBatch>,
    /// When they came (microseconds since 1970), where the dataset names no field that says so.
    pub ingested_at: i64,
}

impl Snapshot {
    /// A snapshot of these records alone, in memory, by all the rules of loading.
    ///
    /// # Errors
    /// A bad record, named by its dataset and its row among the dataset's, counted from 1.
    pub fn in_memory(parts: &[DatasetBatches]) -> Result<Self> {
        let mut unions = Class::ALL.map(Class::standard_fields);
        let mut runs: Vec<Run> = Vec::new();
        let mut sequence = 0;
        for part in parts {
            let dataset = &part.dataset;
            let [profile, event] = &mut unions;
            let union = match dataset.class {
                Class::Profile => profile,
                Class::Event => event,
            };
            let conflict =
                |e: xdm::TypeConflict| StoreError::Refused(format!("{}: {e}", dataset.name));
            let mut types = union.clone();
            types.unite(&dataset.declared_fields()?).map_err(conflict)?;
            let target = LoadTarget {
                dataset: &dataset.id,
                class: dataset.class,
                primary_identity: dataset.primary()?,
                ingested_at: part.ingested_at,
                ingested_at_field: dataset.ingest_field()?,
                types: types.clone(),
                keep: None,
                first_sequence: sequence,
            };
            if let Some(path) = &target.ingested_at_field {
                set_type(&mut types, path, FieldType::DateTime);
            }
            let mut accumulator = Accumulator::default();
            let mut next_line = 1;
            for batch in &part.batches {
                let chunk = Chunk {
                    file: Arc::from(dataset.name.as_str()),
                    starts_input: false,
                    records: ChunkRecords::Batch(StructArray::from(batch.clone())),
                };
                let mut records = Records::new(&chunk);
                next_line = records.begin_at(next_line);
                let parsed = parse(&records, &target, &types, sequence)?;
                if let Some(bad) = parsed.bad.first() {
                    return Err(StoreError::BadRecord {
                        file: dataset.name.clone(),
                        line: bad.line,
                        problem: bad.error.to_string(),
                    });
                }
                types = parsed.types;
                accumulator.push(parsed.keyed);
                sequence += batch.num_rows() as u64;
            }
            *union = exported_types(&types, &target);
            let earlier: Vec<&Run> = runs.iter().filter(|r| r.dataset == dataset.id).collect();
            let class = dataset.class;
            let tables = accumulator.into_run(class, union, &earlier, RunTables::new)?;
            if let Some(tables) = tables {
                runs.push(Run::in_memory(&dataset.id, dataset.class, tables)?);
            }
        }
        let [profile_union, event_union] = unions;
        Ok(Self {
            generation: 0,
            profile_union,
            event_union,
            datasets: parts.iter().map(|part| part.dataset.clone()).collect(),
            runs,
        })
    }
}
