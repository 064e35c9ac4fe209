//! Several runs as one, a stretch of persons at a time.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::{ArrayRef, StructArray};
use arrow::buffer::ScalarBuffer;
use arrow::datatypes::Field;
use gather::{Column, Dictionaries, RowRef};
use rayon::prelude::*;
use xdm::{Class, Fields, PersonKey};

use crate::error::{Error, Result};
use crate::folding::Folding;
use crate::order::{RunEntry, in_run_order};
use crate::read::{RecordTimes, Run};
use crate::system::run_type;
use crate::write::{RowTaker, Unsynced, persons_batch};
use crate::{BATCH_ROWS, RunFiles};

/// Writes the live records of several runs of a dataset as one, or as several of different persons where they are
/// more than `limit` allows: into the folders that `folder` names by their numbers.
///
/// Of each run the batches are in memory that the persons at hand have records in, of a result some batches, its
/// persons, their memberships and the digests of its events. `go_on` is asked between stretches of persons.
///
/// # Errors
/// A damaged run, a full disk; what `go_on` returns.
pub fn fold<E: From<Error>>(
    runs: &[Run],
    class: Class,
    types: &Fields,
    limit: RunLimit,
    folder: impl Fn(usize) -> PathBuf,
    go_on: impl Fn() -> Result<(), E>,
) -> Result<Vec<(RunFiles, Unsynced)>, E> {
    let rows = FoldedRows {
        dictionaries: &Dictionaries::default(),
        is_left_out: &|_| false,
    };
    fold_rows(runs, &rows, class, types, limit, folder, go_on)
}

/// Which rows of runs are folded.
pub(crate) struct FoldedRows<'a> {
    /// Where their dictionaries are united.
    pub(crate) dictionaries: &'a Dictionaries,
    /// Rows of any of the runs that are left out.
    pub(crate) is_left_out: &'a dyn Fn(u32) -> bool,
}

/// The same of some of their rows.
pub(crate) fn fold_rows<E: From<Error>>(
    runs: &[Run],
    folded: &FoldedRows<'_>,
    class: Class,
    types: &Fields,
    limit: RunLimit,
    folder: impl Fn(usize) -> PathBuf,
    go_on: impl Fn() -> Result<(), E>,
) -> Result<Vec<(RunFiles, Unsynced)>, E> {
    let ty = run_type(types);
    // Each stretch is gathered beside one row of every run, so that all have the same types and dictionaries.
    let prototypes = runs.iter().map(|run| Ok(Some(run.prototype(types)?)));
    let prototypes: Vec<Option<ArrayRef>> = prototypes.collect::<Result<_>>()?;
    let taker = |sources: &[Option<ArrayRef>]| -> Result<RowTaker> {
        let column = Column::with_dictionaries(&ty, sources, folded.dictionaries)?;
        Ok(RowTaker::of(column))
    };
    let like = taker(&prototypes)?.like()?;
    let mut parts: Vec<Part<'_>> = runs.iter().map(Part::new).collect();
    let mut written = Vec::new();
    let mut folding: Option<Folding> = None;
    for end in stretches(runs, limit) {
        go_on()?;
        let mut sources = prototypes.clone();
        let mut entries = Vec::new();
        for part in &mut parts {
            part.take(class, end, folded.is_left_out, &mut sources, &mut entries)?;
        }
        if entries.is_empty() {
            continue;
        }
        let rows = in_run_order(class, entries, &sources)?;
        let taker = taker(&sources)?;
        let mut at_hand = match folding.take() {
            Some(folding) => folding,
            None => Folding::create(&folder(written.len()), class, &like)?,
        };
        let persons = persons_batch(&taker.column, &rows).map_err(Error::from)?;
        at_hand.add(persons, taker.batches(&rows)?)?;
        if at_hand.is_full(limit) {
            written.push(at_hand.end()?);
        } else {
            folding = Some(at_hand);
        }
    }
    if let Some(folding) = folding {
        written.push(folding.end()?);
    }
    runs.iter().try_for_each(Run::check_whole)?;
    Ok(written)
}

/// The keys that stretches of persons end before; the last one ends with the last person. Stretches have some
/// batches of records each, or one person; but never much of what a run may have.
fn stretches(runs: &[Run], limit: RunLimit) -> Vec<Option<PersonKey>> {
    let rows: usize = runs.iter().map(Run::rows).sum();
    let persons: usize = runs.iter().map(Run::persons).sum();
    let of = |all: usize, most: usize| all.div_ceil(most.max(1)).max(1);
    let wanted = of(rows, BATCH_ROWS * rayon::current_num_threads())
        .max(of(rows, limit.records as usize / 8))
        .max(of(persons, limit.persons as usize / 8));
    let largest = runs.iter().max_by_key(|run| run.persons());
    let ends = largest.into_iter().flat_map(|run| {
        let step = run.persons().div_ceil(wanted).max(1);
        let ends = (step..run.persons()).step_by(step);
        ends.map(|person| Some(run.person(person)))
    });
    ends.chain([None]).collect()
}

/// How large a run becomes that others are folded into: beyond either another one begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunLimit {
    /// Persons.
    pub persons: u64,
    /// Fragments or events.
    pub records: u64,
}

impl Default for RunLimit {
    /// What bounds a fold's memory: the tables of persons, memberships and event digests of a run this large take
    /// some hundred megabytes.
    fn default() -> Self {
        Self {
            persons: 1 << 19,
            records: 1 << 22,
        }
    }
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

    /// Takes the records of all persons before `end`, without those that are left out.
    fn take(
        &mut self,
        class: Class,
        end: Option<PersonKey>,
        is_left_out: &dyn Fn(u32) -> bool,
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
            for row in run.rows_of(person).filter(|row| !is_left_out(*row)) {
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
pub(crate) fn with_identities(run: &Run, number: u32) -> Result<ArrayRef> {
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
    for (name, column) in run.identities()? {
        let ty = column.data_type().clone();
        fields.push(Arc::new(Field::new(name, ty, false)));
        arrays.push(column.interleave(&rows)?);
    }
    fields.extend(batch.schema().fields().iter().cloned());
    arrays.extend(batch.columns().iter().cloned());
    Ok(Arc::new(StructArray::try_new(fields.into(), arrays, None)?))
}
