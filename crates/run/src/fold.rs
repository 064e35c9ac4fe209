use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, StructArray};
use arrow::datatypes::Field;
use gather::RowRef;
use xdm::{Class, Fields};

use crate::RunFiles;
use crate::error::Result;
use crate::order::{RunEntry, in_run_order};
use crate::read::Run;
use crate::write::{RunRows, Unsynced, write_run};

/// Writes the live records of several runs as one.
///
/// # Errors
/// A damaged run, a full disk.
pub fn fold(
    runs: &[Run],
    class: Class,
    types: &Fields,
    folder: &Path,
) -> Result<(RunFiles, Unsynced)> {
    let mut sources: Vec<Option<ArrayRef>> = Vec::new();
    let mut entries: Vec<RunEntry> = Vec::new();
    let mut ids: Vec<u128> = Vec::new();
    for run in runs {
        let first_source = sources.len() as u32;
        ids.extend(run.event_ids()?.iter());
        let mut rows = rows_with_person(run);
        for batch in 0..run.batch_count() as u32 {
            let times = run.batch_times(batch)?;
            let order = match class {
                Class::Profile => times.ingested,
                Class::Event => run.batch_event_times(batch)?,
            };
            let rows = std::iter::zip(order.iter().zip(&times.sequences), rows.by_ref());
            for (in_batch, ((time, sequence), (person, _))) in rows.enumerate() {
                entries.push(RunEntry {
                    person: run.person(person).0,
                    time: *time,
                    sequence: *sequence,
                    at: RowRef::new(first_source + batch, in_batch as u32),
                });
            }
        }
        sources.extend(whole_rows(run)?.into_iter().map(Some));
    }
    ids.sort_unstable();
    let rows = in_run_order(class, entries, &sources)?;
    let rows = RunRows {
        class,
        types,
        sources: &sources,
        rows: &rows,
        ids: &ids,
    };
    let written = write_run(folder, &rows)?;
    runs.iter().try_for_each(Run::check_whole)?;
    Ok(written)
}

fn rows_with_person(run: &Run) -> impl Iterator<Item = (usize, u32)> + '_ {
    (0..run.persons()).flat_map(|person| run.rows_of(person).map(move |row| (person, row)))
}

/// The batches of a run with the identity columns that the file keeps apart.
fn whole_rows(run: &Run) -> Result<Vec<ArrayRef>> {
    let identities = run.identities()?.columns();
    let mut persons = rows_with_person(run).map(|(person, _)| RowRef::new(0, person as u32));
    (0..run.batch_count())
        .map(|number| {
            let batch = run.whole_batch(number)?;
            let rows: Vec<RowRef> = persons.by_ref().take(batch.num_rows()).collect();
            let mut fields = Vec::new();
            let mut arrays = Vec::new();
            for (name, column) in identities {
                let ty = column.data_type().clone();
                fields.push(Arc::new(Field::new(name, ty, false)));
                arrays.push(column.interleave(&rows)?);
            }
            fields.extend(batch.schema().fields().iter().cloned());
            arrays.extend(batch.columns().iter().cloned());
            let whole = StructArray::try_new(fields.into(), arrays, None)?;
            Ok(Arc::new(whole) as ArrayRef)
        })
        .collect()
}
