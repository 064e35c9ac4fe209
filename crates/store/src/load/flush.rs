use std::sync::Arc;

use arrow::array::{Array, ArrayRef};
use gather::RowRef;
use rayon::prelude::*;
use xdm::{Class, Fields};

use super::system::Keyed;
use crate::error::Result;
use crate::run::{Entry, Run, RunRows, SortedIds, in_run_order};

/// Parsed bytes after which a run is written. A load holds twice as much: while one run is written the
/// records of the next are parsed.
const FULL_BYTES: usize = 80 << 20;
/// Rows after which a run is written, whatever they weigh.
const FULL_ROWS: usize = 1 << 23;

/// Parsed records that wait to be written as a run.
#[derive(Default)]
pub(super) struct Accumulator {
    parts: Vec<Keyed>,
    bytes: usize,
    rows: usize,
}

impl Accumulator {
    pub(super) fn push(&mut self, part: Keyed) {
        self.bytes += part.rows.get_buffer_memory_size();
        self.rows += part.keys.len();
        self.parts.push(part);
    }

    pub(super) fn is_full(&self) -> bool {
        self.bytes >= FULL_BYTES || self.rows >= FULL_ROWS
    }

    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    /// Hands the records, sorted as a run, to `f`; `None` where nothing is left of them.
    pub(super) fn into_run<T>(
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

    fn entries(&self, keep: impl Fn(usize, usize) -> bool) -> Vec<Entry> {
        let mut entries = Vec::with_capacity(self.rows);
        for (source, part) in self.parts.iter().enumerate() {
            let columns = part.keys.iter().zip(&part.times).zip(&part.sequences);
            for (row, ((person, time), sequence)) in columns.enumerate() {
                if keep(source, row) {
                    entries.push(Entry {
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
