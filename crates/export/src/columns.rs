//! The columns of a chunk: the batches that its rows are in, unpacked for it.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef};
use arrow::datatypes::DataType;
use gather::{Column, RowRef};
use run::Run;
use xdm::{Class, Fields};

use crate::cache::Weigh;
use crate::error::Result;
use crate::sources::{Source, Sources};

/// Columns by the names of their fields.
pub(crate) type Columns = Vec<(String, Column)>;

/// Which of an export's sets of fields one is: what was unpacked for one is no other's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Set {
    Profiles,
    IdentityMaps,
    Memberships,
    Persons,
    Events,
    EventTimes,
    EventIds,
    EventTypes,
    CountedIdentities,
    CountedTimes,
}

/// Fields that are gathered together.
pub(crate) struct FieldSet {
    set: Set,
    fields: Vec<(String, DataType)>,
    /// For each field an array of each run that has part in it. They stand before the batches of every chunk, so that
    /// all chunks have the same types and dictionaries. None for look-ups, whose rows are no chunks of one file.
    prototypes: Vec<Vec<Option<ArrayRef>>>,
}

/// Fields of one batch of a source.
pub(crate) struct BatchFields(Vec<Option<ArrayRef>>);

impl Weigh for BatchFields {
    fn bytes(&self) -> usize {
        let arrays = self.0.iter().flatten();
        arrays.map(|array| array.get_array_memory_size()).sum()
    }
}

/// A batch: its source and its number there.
pub(crate) type BatchRef = (u32, u32);

impl FieldSet {
    /// A set of fields of the runs of some classes.
    pub(crate) fn new(
        set: Set,
        classes: &[Class],
        fields: &Fields,
        sources: &Sources,
    ) -> Result<Self> {
        let fields: Vec<(String, DataType)> = (fields.iter())
            .map(|(name, ty)| (name.to_owned(), ty.data_type()))
            .collect();
        let has_part = |source: &Source| source.takes_part() && classes.contains(&source.run.class);
        let prototypes = fields.iter().map(|(name, ty)| {
            let runs = sources.all.iter();
            let runs = runs.filter(|source| sources.blocks.is_none() && has_part(source));
            runs.map(|source| Ok(source.run.field_prototype(name, ty)?))
                .collect()
        });
        Ok(Self {
            set,
            prototypes: prototypes.collect::<Result<_>>()?,
            fields,
        })
    }

    /// Columns of no rows of interest: they have the types of all.
    pub(crate) fn prototypes(&self, sources: &Sources) -> Result<Columns> {
        self.columns(sources, &[])
    }

    /// The columns that rows of sources are in; the rows become those of the columns.
    pub(crate) fn gather(&self, sources: &Sources, rows: &mut [RowRef]) -> Result<Arc<Columns>> {
        let batches = place(rows, self.prototype_count());
        if let Some(kept) = &sources.blocks {
            let windows = windows(rows, batches.len());
            let read = std::iter::zip(&batches, windows).map(|(batch, rows)| {
                let run = &sources.all[batch.0 as usize].run;
                let fields = self.fields.iter();
                let fields = fields
                    .map(|(name, ty)| run.field_of_rows(batch.1, rows.clone(), name, ty, kept));
                Ok(Arc::new(BatchFields(fields.collect::<Result<_, _>>()?)))
            });
            let read: Vec<Arc<BatchFields>> = read.collect::<Result<_>>()?;
            return Ok(Arc::new(self.columns_over(sources, &read)?));
        }
        for of_source in batches.chunk_by(|a, b| a.0 == b.0) {
            let missing: Vec<u32> = (of_source.iter())
                .filter(|(source, batch)| !sources.fields.has(&(self.set, *source, *batch)))
                .map(|(_, batch)| *batch)
                .collect();
            if let Some((source, _)) = of_source.first().filter(|_| !missing.is_empty()) {
                let run = &sources.all[*source as usize].run;
                run.will_need(&missing, &self.fields)?;
            }
        }
        Ok(Arc::new(self.columns(sources, &batches)?))
    }

    fn prototype_count(&self) -> usize {
        self.prototypes.first().map_or(0, Vec::len)
    }

    /// The columns over the prototypes and some batches.
    fn columns(&self, sources: &Sources, batches: &[BatchRef]) -> Result<Columns> {
        let batches = batches.iter().map(|batch| self.batch(sources, *batch));
        let batches: Vec<Arc<BatchFields>> = batches.collect::<Result<_>>()?;
        self.columns_over(sources, &batches)
    }

    fn columns_over(&self, sources: &Sources, batches: &[Arc<BatchFields>]) -> Result<Columns> {
        let columns = std::iter::zip(&self.fields, &self.prototypes).enumerate();
        let columns = columns.map(|(i, ((name, ty), prototypes))| {
            let mut arrays = prototypes.clone();
            arrays.extend(batches.iter().map(|batch| batch.0[i].clone()));
            let column = Column::with_dictionaries(ty, &arrays, &sources.dictionaries)?;
            Ok((name.clone(), column))
        });
        columns.collect()
    }

    fn batch(&self, sources: &Sources, (source, batch): BatchRef) -> Result<Arc<BatchFields>> {
        let run = &sources.all[source as usize].run;
        sources.fields.get((self.set, source, batch), || {
            let fields = self.fields.iter();
            let fields = fields.map(|(name, ty)| run.batch_field(batch, name, ty));
            Ok(BatchFields(fields.collect::<Result<_, _>>()?))
        })
    }
}

/// Turns rows of sources into rows of the batches that they are in, behind so many others; returns those in order.
fn place(rows: &mut [RowRef], others: usize) -> Vec<BatchRef> {
    let batch_of = |at: &RowRef| (at.source, Run::locate(at.row).0);
    let mut batches: Vec<BatchRef> = Vec::new();
    for at in rows.iter() {
        let batch = batch_of(at);
        // Neighbours are mostly in one batch.
        if !batches.iter().rev().take(8).any(|known| *known == batch) {
            batches.push(batch);
        }
    }
    batches.sort_unstable();
    batches.dedup();
    let mut last = (0, BatchRef::default());
    for at in rows {
        let batch = batch_of(at);
        if batches.get(last.0) != Some(&batch) || last.1 != batch {
            last = match batches.binary_search(&batch) {
                Ok(number) => (number, batch),
                Err(_) => unreachable!("all batches were collected"),
            };
        }
        *at = RowRef::new((others + last.0) as u32, Run::locate(at.row).1);
    }
    batches
}

/// Which rows of each of so many batches are wanted: from the first of these to the last. The rows become those behind
/// the first.
fn windows(rows: &mut [RowRef], batches: usize) -> Vec<Range<u32>> {
    let mut windows = vec![(u32::MAX, 0); batches];
    for at in rows.iter() {
        let (first, end) = &mut windows[at.source as usize];
        (*first, *end) = ((*first).min(at.row), (*end).max(at.row + 1));
    }
    for at in rows {
        *at = RowRef::new(at.source, at.row - windows[at.source as usize].0);
    }
    windows.into_iter().map(|(first, end)| first..end).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_placed_in_the_batches_that_they_are_in() {
        let row = RowRef::new;
        let mut rows = [
            row(2, 40_000),
            row(0, 5),
            row(2, 3),
            row(2, 40_001),
            row(0, 6),
        ];
        assert_eq!(place(&mut rows, 0), [(0, 0), (2, 0), (2, 4)]);
        assert_eq!(
            rows,
            [
                row(2, 7_232),
                row(0, 5),
                row(1, 3),
                row(2, 7_233),
                row(0, 6)
            ]
        );
        assert_eq!(place(&mut [], 0), []);
        let mut rows = [row(1, 9)];
        assert_eq!(place(&mut rows, 3), [(1, 0)]);
        assert_eq!(rows, [row(3, 9)]);
    }

    #[test]
    fn of_a_batch_the_rows_between_the_first_and_the_last_are_read() {
        let row = RowRef::new;
        let mut rows = [row(1, 40), row(0, 5), row(1, 42), row(1, 39)];
        assert_eq!(windows(&mut rows, 2), [5..6, 39..43]);
        assert_eq!(rows, [row(1, 1), row(0, 0), row(1, 3), row(1, 0)]);
    }
}
