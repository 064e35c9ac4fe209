//! Several runs as one, a stretch of persons at a time.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use arrow::array::AsArray;
use arrow::array::{ArrayRef, RecordBatch, StructArray, UInt64Array};
use arrow::buffer::ScalarBuffer;
use arrow::compute::concat_batches;
use arrow::datatypes::{Field, UInt64Type};
use gather::{Column, Dictionaries, RowRef};
use rayon::prelude::*;
use xdm::{Class, Fields, PersonKey};

use crate::error::Result;
use crate::order::{RunEntry, in_run_order};
use crate::read::{RecordTimes, Run, wrong_table};
use crate::system::run_type;
use crate::write::{RowTaker, RunWriter, Unsynced, pack, persons_batch};
use crate::{BATCH_ROWS, RunFiles};

/// Writes the live records of several runs as one.
///
/// Of each run the batches are in memory that the persons at hand have records in, of the result some batches, its
/// persons, their memberships and the digests of its events.
///
/// # Errors
/// A damaged run, a full disk.
pub fn fold(
    runs: &[Run],
    class: Class,
    types: &Fields,
    folder: &Path,
) -> Result<(RunFiles, Unsynced)> {
    let ty = run_type(types);
    let dictionaries = Dictionaries::default();
    // Each stretch is gathered beside one row of every run, so that all have the same types and dictionaries.
    let prototypes = runs.iter().map(|run| Ok(Some(run.prototype(types)?)));
    let prototypes: Vec<Option<ArrayRef>> = prototypes.collect::<Result<_>>()?;
    let taker = |sources: &[Option<ArrayRef>]| -> Result<RowTaker> {
        let column = Column::with_dictionaries(&ty, sources, &dictionaries)?;
        Ok(RowTaker::of(column))
    };
    let like = taker(&prototypes)?.like()?;
    let mut writer = RunWriter::create(folder, class, &like)?;
    let mut parts: Vec<Part<'_>> = runs.iter().map(Part::new).collect();
    let mut folded = Folded::default();
    for end in stretches(runs) {
        let mut sources = prototypes.clone();
        let mut entries = Vec::new();
        for part in &mut parts {
            part.take(class, end, &mut sources, &mut entries)?;
        }
        let rows = in_run_order(class, entries, &sources)?;
        let taker = taker(&sources)?;
        folded.add_persons(persons_batch(&taker.column, &rows)?)?;
        folded.add_records(&mut writer, taker.batches(&rows)?)?;
    }
    folded.end(&mut writer)?;
    let mut ids: Vec<u128> = Vec::new();
    for run in runs {
        ids.extend(run.event_ids()?.iter());
    }
    ids.par_sort_unstable();
    let written = writer.finish(&folded.persons()?, &ids)?;
    runs.iter().try_for_each(Run::check_whole)?;
    Ok(written)
}

/// The keys that stretches of persons end before; the last one ends with the last person. Stretches have some
/// batches of records each, or one person.
fn stretches(runs: &[Run]) -> Vec<Option<PersonKey>> {
    let rows: usize = runs.iter().map(Run::rows).sum();
    let wanted = rows
        .div_ceil(BATCH_ROWS * rayon::current_num_threads())
        .max(1);
    let largest = runs.iter().max_by_key(|run| run.persons());
    let ends = largest.into_iter().flat_map(|run| {
        let step = run.persons().div_ceil(wanted).max(1);
        let ends = (step..run.persons()).step_by(step);
        ends.map(|person| Some(run.person(person)))
    });
    ends.chain([None]).collect()
}

/// What is left to do of a run.
struct Part<'a> {
    run: &'a Run,
    /// The first person of those that are left.
    person: usize,
    /// The batches at hand, by their numbers.
    batches: BTreeMap<u32, Arc<Batch>>,
}

/// A batch of a run, unpacked.
struct Batch {
    rows: ArrayRef,
    times: RecordTimes,
    /// When its events happened.
    happened: Option<ScalarBuffer<i64>>,
}

impl<'a> Part<'a> {
    fn new(run: &'a Run) -> Self {
        Self {
            run,
            person: 0,
            batches: BTreeMap::new(),
        }
    }

    /// Takes the records of all persons before `end`.
    fn take(
        &mut self,
        class: Class,
        end: Option<PersonKey>,
        sources: &mut Vec<Option<ArrayRef>>,
        entries: &mut Vec<RunEntry>,
    ) -> Result<()> {
        let run = self.run;
        let first = self.person;
        self.person = end.map_or(run.persons(), |end| run.lower_bound(end));
        if first == self.person {
            return Ok(());
        }
        let rows = run.rows_of(first).start..run.rows_of(self.person - 1).end;
        let (first_batch, _) = Run::locate(rows.start);
        let (last_batch, _) = Run::locate(rows.end - 1);
        self.batches.retain(|number, _| *number >= first_batch);
        let missing: Vec<u32> = (first_batch..=last_batch)
            .filter(|number| !self.batches.contains_key(number))
            .collect();
        let read = missing.into_par_iter();
        let read = read.map(|number| Ok((number, Arc::new(Batch::read(run, class, number)?))));
        self.batches.extend(read.collect::<Result<Vec<_>>>()?);
        run.release();
        let first_source = sources.len() as u32;
        sources.extend(self.batches.values().map(|batch| Some(batch.rows.clone())));
        let batches: Vec<&Batch> = self.batches.values().map(Arc::as_ref).collect();
        for person in first..self.person {
            for row in run.rows_of(person) {
                let (number, in_batch) = Run::locate(row);
                let source = number - first_batch;
                let (batch, at) = (batches[source as usize], in_batch as usize);
                entries.push(RunEntry {
                    person: run.person(person).0,
                    time: match &batch.happened {
                        Some(happened) => happened[at],
                        None => batch.times.ingested[at],
                    },
                    sequence: batch.times.sequences[at],
                    at: RowRef::new(first_source + source, in_batch),
                });
            }
        }
        Ok(())
    }
}

impl Batch {
    fn read(run: &Run, class: Class, number: u32) -> Result<Self> {
        let happened = match class {
            Class::Profile => None,
            Class::Event => Some(run.batch_event_times(number)?),
        };
        Ok(Self {
            rows: with_identities(run, number)?,
            times: run.batch_times(number)?,
            happened,
        })
    }
}

/// A batch of a run with the identity columns that the file keeps apart.
fn with_identities(run: &Run, number: u32) -> Result<ArrayRef> {
    let batch = run.whole_batch(number)?;
    let first = number * BATCH_ROWS as u32;
    let mut person = run.person_of_row(first);
    let rows: Vec<RowRef> = (first..first + batch.num_rows() as u32)
        .map(|row| {
            if run.rows_of(person).end <= row {
                person += 1;
            }
            RowRef::new(0, person as u32)
        })
        .collect();
    let mut fields = Vec::new();
    let mut arrays = Vec::new();
    for (name, column) in run.identities()?.columns() {
        let ty = column.data_type().clone();
        fields.push(Arc::new(Field::new(name, ty, false)));
        arrays.push(column.interleave(&rows)?);
    }
    fields.extend(batch.schema().fields().iter().cloned());
    arrays.extend(batch.columns().iter().cloned());
    Ok(Arc::new(StructArray::try_new(fields.into(), arrays, None)?))
}

/// What is folded, and not written yet.
#[derive(Default)]
struct Folded {
    /// The persons so far, stretch by stretch.
    persons: Vec<RecordBatch>,
    /// How many records the persons so far have.
    records: u64,
    /// Records that do not fill a batch yet.
    rest: Vec<RecordBatch>,
}

impl Folded {
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
    fn add_records(&mut self, writer: &mut RunWriter, stretch: Vec<RecordBatch>) -> Result<()> {
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
        writer.write(pack(&full)?)
    }

    /// Writes what waits.
    fn end(&mut self, writer: &mut RunWriter) -> Result<()> {
        let last: Vec<RecordBatch> = self.take_rest()?.into_iter().collect();
        writer.write(pack(&last)?)
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

    fn persons(&self) -> Result<RecordBatch> {
        let first = self.persons.first().ok_or_else(wrong_table)?;
        Ok(concat_batches(&first.schema(), &self.persons)?)
    }
}
