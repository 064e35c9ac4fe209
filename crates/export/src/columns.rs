//! The columns of a chunk: the batches that its rows are in, unpacked for it.

use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::datatypes::DataType;
use gather::{Column, RowRef};
use run::Run;
use xdm::{Class, Fields};

use crate::error::Result;
use crate::sources::Sources;

/// Fields that are gathered together.
pub(crate) struct FieldSet {
    /// Which of an export's sets it is.
    number: u8,
    /// Whose fields they are.
    classes: &'static [Class],
    fields: Vec<(String, DataType)>,
}

/// Fields of one batch of a source.
pub(crate) struct BatchFields(Vec<Option<ArrayRef>>);

/// A batch: its source and its number there.
pub(crate) type BatchRef = (u32, u32);

impl FieldSet {
    pub(crate) fn new(number: u8, classes: &'static [Class], fields: &Fields) -> Self {
        let fields = fields.iter();
        Self {
            number,
            classes,
            fields: fields
                .map(|(name, ty)| (name.to_owned(), ty.data_type()))
                .collect(),
        }
    }

    /// Columns of no rows that have the types and dictionaries of all sources that take part.
    pub(crate) fn prototypes(&self, sources: &Sources) -> Result<Vec<(String, Column)>> {
        let runs: Vec<&Arc<Run>> = (sources.all.iter())
            .filter(|source| source.takes_part() && self.classes.contains(&source.run.class))
            .map(|source| &source.run)
            .collect();
        let columns = self.fields.iter().map(|(name, ty)| {
            let arrays = runs.iter().map(|run| Ok(run.field_prototype(name, ty)?));
            let arrays = arrays.collect::<Result<Vec<_>>>()?;
            let column = Column::with_dictionaries(ty, &arrays, &sources.dictionaries)?;
            Ok((name.clone(), column))
        });
        columns.collect()
    }

    /// The columns over some batches.
    pub(crate) fn columns(
        &self,
        sources: &Sources,
        batches: &[BatchRef],
    ) -> Result<Vec<(String, Column)>> {
        for of_source in batches.chunk_by(|a, b| a.0 == b.0) {
            let Some((source, _)) = of_source.first() else {
                continue;
            };
            let missing: Vec<u32> = (of_source.iter())
                .filter(|(source, batch)| !sources.fields.has(&(self.number, *source, *batch)))
                .map(|(_, batch)| *batch)
                .collect();
            let run = &sources.all[*source as usize].run;
            run.will_need(&missing, &self.fields)?;
        }
        let batches = batches.iter().map(|batch| self.batch(sources, *batch));
        let batches: Vec<Arc<BatchFields>> = batches.collect::<Result<_>>()?;
        let columns = self.fields.iter().enumerate().map(|(i, (name, ty))| {
            let arrays: Vec<_> = batches.iter().map(|batch| batch.0[i].clone()).collect();
            let column = Column::with_dictionaries(ty, &arrays, &sources.dictionaries)?;
            Ok((name.clone(), column))
        });
        columns.collect()
    }

    fn batch(&self, sources: &Sources, (source, batch): BatchRef) -> Result<Arc<BatchFields>> {
        let run = &sources.all[source as usize].run;
        sources.fields.get((self.number, source, batch), || {
            let fields = self.fields.iter();
            let fields = fields.map(|(name, ty)| run.batch_field(batch, name, ty));
            Ok(BatchFields(fields.collect::<Result<_, _>>()?))
        })
    }
}

/// Turns rows of sources into rows of the batches that they are in; returns those in order.
pub(crate) fn place(rows: &mut [RowRef]) -> Vec<BatchRef> {
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
        *at = RowRef::new(last.0 as u32, Run::locate(at.row).1);
    }
    batches
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
        assert_eq!(place(&mut rows), [(0, 0), (2, 0), (2, 4)]);
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
        assert_eq!(place(&mut []), []);
    }
}
