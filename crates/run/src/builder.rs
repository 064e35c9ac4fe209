use std::path::Path;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, StructArray};
use arrow::datatypes::DataType;
use gather::RowRef;
use rayon::prelude::*;
use xdm::{Class, Fields};

use decode::IdentifiedRows;

use crate::RunFiles;
use crate::error::Result;
use crate::keys::SortedIds;
use crate::order::{RunEntry, in_run_order};
use crate::read::Run;
use crate::system::system_columns;
use crate::write::{RunRows, RunTables, Unsynced, write_run};

/// What a null of a field counts that other records have: about half of what it takes.
const NULL_BYTES: usize = 4;
/// Rows after which a run is written, whatever they weigh.
const FULL_ROWS: usize = 1 << 23;

/// Decoded records of one dataset on their way into a run.
#[derive(Default)]
pub struct RunBuilder {
    parts: Vec<Part>,
    bytes: usize,
    rows: usize,
}

impl RunBuilder {
    /// Adds records, which came behind those before them.
    ///
    /// # Errors
    /// Columns of different lengths.
    pub fn push(&mut self, rows: IdentifiedRows) -> Result<()> {
        let part = Part {
            rows: system_columns(&rows)?,
            keys: rows.keys,
            times: rows.times,
            sequences: rows.sequences,
            event_ids: rows.event_ids,
        };
        self.bytes += content_bytes(&part.rows);
        self.rows += part.keys.len();
        self.parts.push(part);
        Ok(())
    }

    /// Whether there is enough for a run of so many bytes, where these are the types of its columns.
    ///
    /// The records and types alone decide, not what was known when they were decoded.
    #[must_use]
    pub fn is_full(&self, types: &Fields, bytes: usize) -> bool {
        let nulls = self.rows * types.leaves() * NULL_BYTES;
        self.bytes + nulls >= bytes || self.rows >= FULL_ROWS
    }

    /// How many records there are.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Writes the records as a run into a new folder, those that an `earlier` run has left out; `None`
    /// where nothing is left of them.
    ///
    /// # Errors
    /// A full disk, a damaged earlier run.
    pub fn write(
        self,
        class: Class,
        types: &Fields,
        earlier: &[&Run],
        folder: &Path,
    ) -> Result<Option<(RunFiles, Unsynced)>> {
        self.into_run(class, types, earlier, |run| write_run(folder, run))
    }

    /// A run of the records that stays in memory; `None` where nothing is left of them.
    ///
    /// # Errors
    /// More text than an array's offsets can count.
    pub fn in_memory(
        self,
        dataset: &str,
        class: Class,
        types: &Fields,
        earlier: &[&Run],
    ) -> Result<Option<Run>> {
        let tables = self.into_run(class, types, earlier, RunTables::new)?;
        tables
            .map(|tables| Run::in_memory(dataset, class, tables))
            .transpose()
    }

    fn into_run<T>(
        self,
        class: Class,
        types: &Fields,
        earlier: &[&Run],
        f: impl FnOnce(&RunRows<'_>) -> Result<T>,
    ) -> Result<Option<T>> {
        let mut ids = Vec::new();
        let entries = match class {
            Class::Profile => self.entries(|_, _| true),
            Class::Event => {
                let (kept, sorted) = self.new_events(earlier)?;
                ids = sorted;
                self.entries(|source, row| kept.get(source).is_some_and(|k| k.contains(row)))
            }
        };
        if entries.is_empty() {
            return Ok(None);
        }
        let sources: Vec<Option<ArrayRef>> = self
            .parts
            .into_iter()
            .map(|part| Some(Arc::new(part.rows) as ArrayRef))
            .collect();
        let rows = in_run_order(class, entries, &sources)?;
        let run = RunRows {
            class,
            types,
            sources: &sources,
            rows: &rows,
            ids: &ids,
        };
        f(&run).map(Some)
    }

    fn entries(&self, keep: impl Fn(usize, usize) -> bool) -> Vec<RunEntry> {
        let mut entries = Vec::with_capacity(self.rows);
        for (source, part) in self.parts.iter().enumerate() {
            let columns = part.keys.iter().zip(&part.times).zip(&part.sequences);
            for (row, ((person, time), sequence)) in columns.enumerate() {
                if keep(source, row) {
                    entries.push(RunEntry {
                        person: *person,
                        time: *time,
                        sequence: *sequence,
                        at: RowRef::new(source as u32, row as u32),
                    });
                }
            }
        }
        entries
    }

    /// Which events the dataset does not have yet, and their sorted `_id` digests. Of several with
    /// one `_id` the first stays.
    fn new_events(&self, earlier: &[&Run]) -> Result<(Vec<Kept>, Vec<u128>)> {
        let mut ids: Vec<(u128, u64, RowRef)> = Vec::with_capacity(self.rows);
        for (source, part) in self.parts.iter().enumerate() {
            for (row, (id, sequence)) in part.event_ids.iter().zip(&part.sequences).enumerate() {
                let at = RowRef::new(source as u32, row as u32);
                ids.push((*id, *sequence, at));
            }
        }
        ids.par_sort_unstable();
        ids.dedup_by_key(|(id, ..)| *id);
        for run in earlier {
            drop_known(&mut ids, &run.event_ids()?);
        }
        let mut kept: Vec<Kept> = self
            .parts
            .iter()
            .map(|part| Kept(vec![false; part.keys.len()]))
            .collect();
        for (_, _, at) in &ids {
            if let Some(kept) = kept.get_mut(at.source as usize)
                && let Some(slot) = kept.0.get_mut(at.row as usize)
            {
                *slot = true;
            }
        }
        Ok((kept, ids.into_iter().map(|(id, ..)| id).collect()))
    }
}

/// Some decoded records, with the system columns in `rows`.
struct Part {
    rows: StructArray,
    keys: Vec<u128>,
    /// Ingest times of fragments, event times of events.
    times: Vec<i64>,
    sequences: Vec<u64>,
    event_ids: Vec<u128>,
}

/// What the values of an array take. A field without a value takes nothing: it has a column where its type
/// was known before, and none elsewhere.
fn content_bytes(array: &dyn Array) -> usize {
    if array.logical_null_count() == array.len() {
        return 0;
    }
    let offsets = size_of::<i32>() * (array.len() + 1);
    match array.data_type() {
        DataType::Struct(_) => {
            let columns = array.as_struct().columns().iter();
            columns.map(|column| content_bytes(column.as_ref())).sum()
        }
        DataType::List(_) => offsets + content_bytes(array.as_list::<i32>().values()),
        DataType::Map(..) => offsets + content_bytes(array.as_map().entries()),
        // An array of ours is no part of a larger one: it takes what its buffers do.
        _ => array
            .to_data()
            .get_slice_memory_size()
            .unwrap_or_else(|_| array.len()),
    }
}

struct Kept(Vec<bool>);

impl Kept {
    fn contains(&self, row: usize) -> bool {
        self.0.get(row).copied().unwrap_or(false)
    }
}

/// Drops the events that are known: by search where there are few, side by side where there are many.
fn drop_known(ids: &mut Vec<(u128, u64, RowRef)>, known: &SortedIds) {
    if ids.len() < known.len() / 16 {
        ids.retain(|(id, ..)| !known.contains(*id));
        return;
    }
    let mut known = known.iter().peekable();
    ids.retain(|(id, ..)| {
        while known.next_if(|k| k < id).is_some() {}
        known.peek() != Some(id)
    });
}
