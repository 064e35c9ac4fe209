//! The records of one dataset as they lie in a store, unmerged.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, RecordBatch, TimestampMicrosecondArray, new_null_array,
};
use arrow::compute::filter_record_batch;
use arrow::datatypes::{Field, Schema, SchemaRef};
use gather::{Column, RowRef};
use merge::MergePolicy;
use run::{Run, Snapshot};
use xdm::{Class, FieldType, Fields, SEGMENT_MEMBERSHIP};

use crate::chunks::unpack;
use crate::error::Result;
use crate::plan::Plan;
use crate::request::{ExportRequest, RequestError};
use crate::sources::Sources;
use crate::times::Times;
use crate::unions::UnionSchemas;

/// The column that says when each record came into the store.
pub const INGESTED_AT: &str = "_acp_ingested_at";

/// The records of one dataset, in parts that are read by themselves: its events, or those of its fragments that no
/// later one of the same identity replaced. Cheap to clone, and shared between threads.
#[derive(Clone)]
pub struct DatasetRows {
    sources: Arc<Sources>,
    fields: Fields,
    schema: SchemaRef,
    parts: Arc<[(u32, u32)]>,
}

impl DatasetRows {
    /// The records of a dataset of a snapshot, with the top-level fields that any of them has, or that it declares, by
    /// the types of the union schema; behind them [`INGESTED_AT`], unless a field has its name.
    ///
    /// # Errors
    /// There is no such dataset in the snapshot; a damaged run.
    pub fn new(snapshot: &Snapshot, dataset: &str) -> Result<Self> {
        let known = snapshot.datasets.iter().find(|known| known.id == dataset);
        let known = known.ok_or_else(|| {
            RequestError::new("dataset", format!("there is no dataset {dataset:?}"))
        })?;
        let union = snapshot.union(known.class);
        let declared = known.declared_fields().map_err(decode::Error::from)?;
        let own = Snapshot {
            runs: (snapshot.runs.iter())
                .filter(|run| run.dataset == dataset)
                .cloned()
                .collect(),
            ..snapshot.clone()
        };
        let mut fields = Fields::default();
        for (name, ty) in union.iter() {
            let is_declared = declared.get(name).is_some();
            if is_declared || has(&own.runs, name, ty)? {
                fields.insert(name, ty.clone());
            }
        }
        Self::of_fields(&own, fields)
    }

    fn of_fields(own: &Snapshot, fields: Fields) -> Result<Self> {
        let [policy, _] = MergePolicy::built_in();
        // All runs are looked at: of events and of evaluated memberships, too.
        let request = ExportRequest {
            fields: Some(SEGMENT_MEMBERSHIP.to_owned()),
            ..ExportRequest::default()
        };
        let mut plan = Plan::new(&request, policy, &UnionSchemas::from(own))?;
        plan.profiles.empty_profiles = true;
        let sources = Sources::new(own, &plan);
        let batches = sources.all.iter().zip(0..).flat_map(|(source, number)| {
            (0..source.run.batch_count() as u32).map(move |batch| (number, batch))
        });
        Ok(Self {
            parts: batches.collect(),
            schema: Arc::new(Schema::new(columns(&fields))),
            sources: Arc::new(sources),
            fields,
        })
    }

    /// The schema of all rows.
    #[must_use]
    pub fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    /// How many parts there are, of at most some thousands of records each.
    #[must_use]
    pub fn parts(&self) -> usize {
        self.parts.len()
    }

    /// How many records the parts have together, those among them that were replaced.
    #[must_use]
    pub fn records(&self) -> usize {
        self.sources
            .all
            .iter()
            .map(|source| source.run.rows())
            .sum()
    }

    /// The columns with these numbers of a part's rows, in the order of their persons' keys.
    ///
    /// # Errors
    /// A damaged run.
    ///
    /// # Panics
    /// There is no such part or column.
    pub fn part(&self, number: usize, columns: &[usize]) -> Result<RecordBatch> {
        let at = self.parts[number];
        let run = &self.sources.all[at.0 as usize].run;
        let first = Run::first_row(at.1);
        let rows = Run::first_row(at.1 + 1).min(run.rows() as u32) - first;
        let schema = Arc::new(self.schema.project(columns)?);
        let arrays = columns
            .iter()
            .map(|column| match self.fields.iter().nth(*column) {
                Some((name, ty)) => self.field(at, name, ty, rows),
                None => {
                    let times = self.sources.batch_ingest_times(at)?;
                    let times = TimestampMicrosecondArray::new((*times).clone(), None);
                    Ok(Arc::new(times.with_timezone("UTC")) as ArrayRef)
                }
            });
        let arrays = arrays.collect::<Result<Vec<_>>>()?;
        let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(rows as usize));
        let types = std::iter::zip(schema.fields(), &arrays)
            .map(|(field, array)| Field::clone(field).with_data_type(array.data_type().clone()));
        let as_they_lie = Arc::new(Schema::new(types.collect::<Vec<_>>()));
        let batch = RecordBatch::try_new_with_options(as_they_lie, arrays, &options)?;
        let batch = match self.live(at, first..first + rows)? {
            None => batch,
            Some(live) => filter_record_batch(&batch, &live)?,
        };
        self.sources.check_whole()?;
        unpack(&batch, &schema)
    }

    fn field(&self, at: (u32, u32), name: &str, ty: &FieldType, rows: u32) -> Result<ArrayRef> {
        let run = &self.sources.all[at.0 as usize].run;
        let ty = ty.data_type();
        match run.batch_field(at.1, name, &ty)? {
            None => Ok(new_null_array(&ty, rows as usize)),
            Some(array) => {
                let column = Column::new(&ty, &[Some(array)])?;
                let rows: Vec<RowRef> = (0..rows).map(|row| RowRef::new(0, row)).collect();
                Ok(column.interleave(&rows)?)
            }
        }
    }

    /// Which records no later one replaced; `None` where that holds for all.
    fn live(
        &self,
        (source, _): (u32, u32),
        rows: std::ops::Range<u32>,
    ) -> Result<Option<BooleanArray>> {
        let class = self.sources.all[source as usize].run.class;
        if class == Class::Event || self.sources.all.len() == 1 {
            return Ok(None);
        }
        let mut times = Times::new(&self.sources);
        let live = rows.map(|row| self.sources.is_live(source as usize, row, &mut times));
        let live = live.collect::<Result<Vec<bool>>>()?;
        Ok(Some(live.into()))
    }
}

fn has(runs: &[Arc<Run>], name: &str, ty: &FieldType) -> Result<bool> {
    for run in runs {
        if run.field_prototype(name, &ty.data_type())?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

fn columns(fields: &Fields) -> Vec<Field> {
    let own = fields.iter();
    let own = own.map(|(name, ty)| Field::new(name, ty.data_type(), true));
    let mut columns: Vec<Field> = own.collect();
    if fields.get(INGESTED_AT).is_none() {
        let ty = FieldType::DateTime.data_type();
        columns.push(Field::new(INGESTED_AT, ty, false));
    }
    columns
}
