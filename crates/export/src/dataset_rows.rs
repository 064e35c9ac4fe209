//! The records of one dataset as they lie in a store, unmerged.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, RecordBatch, RecordBatchOptions, TimestampMicrosecondArray, new_null_array,
};
use arrow::datatypes::{Field, Schema, SchemaRef};
use gather::{Column, RowRef};
use merge::MergePolicy;
use run::{BlockCache, Run, Snapshot};
use xdm::{Class, FieldType, Fields, Identity, PersonKey, SEGMENT_MEMBERSHIP};

use crate::chunks::unpack;
use crate::columns::BatchRef;
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

    /// The columns with these numbers of a part's rows, in the order of their persons' keys: of those alone whose times are
    /// within all of `times`, which are looked at before anything else is read.
    ///
    /// # Errors
    /// A damaged run.
    ///
    /// # Panics
    /// There is no such part or column.
    pub fn part(
        &self,
        number: usize,
        columns: &[usize],
        times: &[TimeRange],
    ) -> Result<RecordBatch> {
        // Who keeps a dataset's rows keeps what few parts need of it.
        self.sources.begin_chunk();
        let at = self.parts[number];
        let run = self.run_of(at);
        let rows = Run::first_row(at.1 + 1).min(run.rows() as u32) - Run::first_row(at.1);
        let mut rows: Vec<u32> = (0..rows).collect();
        for time in times {
            self.retain(at, &mut rows, time)?;
        }
        let rows = self.live(at, rows)?;
        self.read(at, &rows, columns, None)
    }

    /// Keeps those of a batch's rows whose times are within a range.
    fn retain(&self, at: BatchRef, rows: &mut Vec<u32>, time: &TimeRange) -> Result<()> {
        let Some((name, ty)) = self.fields.iter().nth(time.column) else {
            let times = self.sources.batch_ingest_times(at)?;
            rows.retain(|row| time.has(times[*row as usize]));
            return Ok(());
        };
        let ty = ty.data_type();
        let column = Column::new(&ty, &[self.run_of(at).batch_field(at.1, name, &ty)?])?;
        rows.retain(|row| {
            let micros = column.micros(RowRef::new(0, *row));
            micros.is_some_and(|micros| time.has(micros))
        });
        Ok(())
    }

    /// Where the records are in whose identity map one of these identities stands, or whose own it is, whatever the case of its
    /// namespace and whether the id tells somebody from others or not. There may be others among them.
    ///
    /// # Errors
    /// A damaged run.
    pub fn naming(&self, identities: &[Identity]) -> Result<FoundRecords> {
        let mut found = Vec::new();
        for (source, number) in self.sources.all.iter().zip(0..) {
            let mut rows = Vec::new();
            for identity in identities {
                let key = PersonKey::of(&identity.namespace, &identity.id);
                rows.extend(source.run.rows_naming(key)?);
            }
            rows.sort_unstable();
            rows.dedup();
            for of_batch in rows.chunk_by(|a, b| Run::locate(*a).0 == Run::locate(*b).0) {
                if let Some((batch, _)) = of_batch.first().map(|row| Run::locate(*row)) {
                    let rows = of_batch.iter().map(|row| Run::locate(*row).1);
                    found.push(((number, batch), rows.collect()));
                }
            }
        }
        self.sources.check_whole()?;
        Ok(FoundRecords(found))
    }

    /// The columns with these numbers of records that were found, a batch at a time: those rows are read alone. Blocks are
    /// unpacked unless they are kept, and are kept then.
    pub fn records_at<'a>(
        &'a self,
        found: &'a FoundRecords,
        columns: &'a [usize],
        kept: &'a BlockCache,
    ) -> impl Iterator<Item = Result<RecordBatch>> + 'a {
        found.0.iter().map(move |(at, rows)| {
            self.sources.begin_chunk();
            let rows = self.live(*at, rows.clone())?;
            self.read(*at, &rows, columns, Some(kept))
        })
    }

    fn run_of(&self, at: BatchRef) -> &Run {
        &self.sources.all[at.0 as usize].run
    }

    /// The columns with these numbers of rows of a batch; of these alone where blocks are kept.
    fn read(
        &self,
        at: BatchRef,
        rows: &[u32],
        columns: &[usize],
        kept: Option<&BlockCache>,
    ) -> Result<RecordBatch> {
        let schema = Arc::new(self.schema.project(columns)?);
        if rows.is_empty() {
            return Ok(RecordBatch::new_empty(schema));
        }
        let window = match (kept, rows) {
            (Some(kept), [first, .., last] | [first @ last]) => Some((*first..*last + 1, kept)),
            _ => None,
        };
        let first = window.as_ref().map_or(0, |(window, _)| window.start);
        let places: Vec<RowRef> = (rows.iter().map(|row| RowRef::new(0, row - first))).collect();
        let arrays = columns
            .iter()
            .map(|column| match self.fields.iter().nth(*column) {
                Some((name, ty)) => self.field(at, name, ty, &places, window.clone()),
                None => self.ingest_times(at, &places, window.clone()),
            });
        let arrays = arrays.collect::<Result<Vec<_>>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(rows.len()));
        let types = std::iter::zip(schema.fields(), &arrays)
            .map(|(field, array)| Field::clone(field).with_data_type(array.data_type().clone()));
        let as_they_lie = Arc::new(Schema::new(types.collect::<Vec<_>>()));
        let batch = RecordBatch::try_new_with_options(as_they_lie, arrays, &options)?;
        self.sources.check_whole()?;
        unpack(&batch, &schema)
    }

    fn field(
        &self,
        at: BatchRef,
        name: &str,
        ty: &FieldType,
        rows: &[RowRef],
        window: Option<(Range<u32>, &BlockCache)>,
    ) -> Result<ArrayRef> {
        let (run, ty) = (self.run_of(at), ty.data_type());
        let array = match window {
            None => run.batch_field(at.1, name, &ty)?,
            Some((window, kept)) => run.field_of_rows(at.1, window, name, &ty, kept)?,
        };
        match array {
            None => Ok(new_null_array(&ty, rows.len())),
            Some(array) => Ok(Column::new(&ty, &[Some(array)])?.interleave(rows)?),
        }
    }

    fn ingest_times(
        &self,
        at: BatchRef,
        rows: &[RowRef],
        window: Option<(Range<u32>, &BlockCache)>,
    ) -> Result<ArrayRef> {
        let times = match window {
            None => (*self.sources.batch_ingest_times(at)?).clone(),
            Some((window, kept)) => self.run_of(at).times_of_rows(at.1, window, kept)?.ingested,
        };
        let times: TimestampMicrosecondArray =
            rows.iter().map(|at| Some(times[at.row as usize])).collect();
        Ok(Arc::new(times.with_timezone("UTC")))
    }

    /// Those of a batch's rows whose records no later one replaced.
    fn live(&self, at: BatchRef, mut rows: Vec<u32>) -> Result<Vec<u32>> {
        if self.run_of(at).class == Class::Event || self.sources.all.len() == 1 {
            return Ok(rows);
        }
        let mut times = Times::new(&self.sources);
        let mut live = Vec::with_capacity(rows.len());
        for row in &rows {
            let row = Run::first_row(at.1) + row;
            live.push(self.sources.is_live(at.0 as usize, row, &mut times)?);
        }
        let mut live = live.into_iter();
        rows.retain(|_| live.next() == Some(true));
        Ok(rows)
    }
}

/// From when to when, both included, a record's time is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimeRange {
    /// The number of a column of times, such as `timestamp` or [`INGESTED_AT`].
    pub column: usize,
    /// In microseconds since 1970.
    pub first: i64,
    /// The same.
    pub last: i64,
}

impl TimeRange {
    fn has(&self, micros: i64) -> bool {
        (self.first..=self.last).contains(&micros)
    }
}

/// Records of a dataset that were looked up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FoundRecords(Vec<(BatchRef, Vec<u32>)>);

impl FoundRecords {
    /// How many there are, replaced ones among them.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.iter().map(|(_, rows)| rows.len()).sum()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
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
