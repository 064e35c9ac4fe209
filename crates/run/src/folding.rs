//! A run that others are folded into, while it is written.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{AsArray, RecordBatch, UInt64Array};
use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, UInt64Type};
use gather::{Column, RowRef};
use rayon::prelude::*;
use xdm::{Class, digest128};

use crate::error::Result;
use crate::fold::RunLimit;
use crate::read::wrong_table;
use crate::write::{RunWriter, Unsynced, pack};
use crate::{BATCH_ROWS, RunFiles, system};

/// A run that is being folded: what is not written yet, and where the rest went.
pub(crate) struct Folding {
    class: Class,
    writer: RunWriter,
    /// The persons so far, stretch by stretch.
    persons: Vec<RecordBatch>,
    /// How many records the persons so far have.
    records: u64,
    /// Records that do not fill a batch yet.
    rest: Vec<RecordBatch>,
    /// The digests of the events' `_id`s so far.
    ids: Vec<u128>,
}

impl Folding {
    /// Begins a run in a new folder; `like` is a batch of its records' types and dictionaries.
    pub(crate) fn create(folder: &Path, class: Class, like: &RecordBatch) -> Result<Self> {
        Ok(Self {
            class,
            writer: RunWriter::create(folder, class, like)?,
            persons: Vec::new(),
            records: 0,
            rest: Vec::new(),
            ids: Vec::new(),
        })
    }

    /// Adds the persons of a stretch and their records, behind all before them.
    pub(crate) fn add(&mut self, persons: RecordBatch, records: Vec<RecordBatch>) -> Result<()> {
        self.add_persons(persons)?;
        if self.class == Class::Event {
            let ids = records
                .par_iter()
                .map(digests)
                .collect::<Result<Vec<_>>>()?;
            self.ids.extend(ids.into_iter().flatten());
        }
        self.add_records(records)
    }

    /// Whether it is as large as a run may be.
    pub(crate) fn is_full(&self, limit: RunLimit) -> bool {
        let persons: usize = self.persons.iter().map(RecordBatch::num_rows).sum();
        persons as u64 >= limit.persons || self.records >= limit.records
    }

    /// Adds the persons of a stretch, whose first records are counted from its own first.
    fn add_persons(&mut self, persons: RecordBatch) -> Result<()> {
        let (at, _) =
            (persons.schema_ref().column_with_name("firstRecord")).ok_or_else(wrong_table)?;
        let mut columns = persons.columns().to_vec();
        if let Some(column) = columns.get_mut(at) {
            let firsts = column.as_primitive::<UInt64Type>().values();
            let firsts = firsts.iter().map(|first| first + self.records);
            *column = Arc::new(UInt64Array::from_iter_values(firsts));
        }
        self.persons
            .push(RecordBatch::try_new(persons.schema(), columns)?);
        Ok(())
    }

    /// Writes the records of a stretch in full batches; what is left of them waits for the next.
    fn add_records(&mut self, stretch: Vec<RecordBatch>) -> Result<()> {
        let mut full = Vec::new();
        let mut waiting: usize = self.rest.iter().map(RecordBatch::num_rows).sum();
        for batch in stretch {
            self.records += batch.num_rows() as u64;
            let mut start = 0;
            while start < batch.num_rows() {
                let count = (BATCH_ROWS - waiting).min(batch.num_rows() - start);
                self.rest.push(batch.slice(start, count));
                start += count;
                waiting += count;
                if waiting == BATCH_ROWS {
                    full.extend(self.take_rest()?);
                    waiting = 0;
                }
            }
        }
        self.writer.write(pack(&full)?)
    }

    /// Writes what waits, and the tables behind the records.
    pub(crate) fn end(mut self) -> Result<(RunFiles, Unsynced)> {
        let last: Vec<RecordBatch> = self.take_rest()?.into_iter().collect();
        self.writer.write(pack(&last)?)?;
        self.ids.par_sort_unstable();
        let first = self.persons.first().ok_or_else(wrong_table)?;
        let persons = concat_batches(&first.schema(), &self.persons)?;
        self.writer.finish(&persons, &self.ids)
    }

    /// What waits as one batch.
    fn take_rest(&mut self) -> Result<Option<RecordBatch>> {
        let rest = std::mem::take(&mut self.rest);
        Ok(match &rest[..] {
            [] => None,
            [one] => Some(one.clone()),
            [first, ..] => Some(concat_batches(&first.schema(), &rest)?),
        })
    }
}

/// The digests of the `_id`s of a batch of events.
fn digests(events: &RecordBatch) -> Result<Vec<u128>> {
    let record = events.column_by_name(system::RECORD);
    let ids = record.and_then(|record| record.as_struct_opt()?.column_by_name("_id"));
    let ids = Column::new(&DataType::Utf8, &[ids.cloned()])?;
    let digest = |row: u32| {
        let id = ids.text(RowRef::new(0, row)).ok_or_else(wrong_table)?;
        Ok(digest128(id.as_bytes()))
    };
    (0..events.num_rows() as u32).map(digest).collect()
}
