//! Which records link an identity that is not their own.

use std::sync::Arc;

use arrow::array::{Array, AsArray};
use decode::Progress;
use xdm::PersonKey;

use crate::error::Result;
use crate::read::Run;
use crate::row_index::{entry, row_of, with_prefix};

impl Run {
    /// Hands out the rows of a batch, by their numbers in the run, each with the keys of the identities that it links.
    ///
    /// # Errors
    /// A damaged file.
    ///
    /// # Panics
    /// There is no such batch.
    pub fn each_link(&self, batch: u32, mut take: impl FnMut(u32, &[[u8; 16]])) -> Result<()> {
        let lists = self.batch_links(batch)?;
        if lists.values().is_empty() {
            return Ok(());
        }
        let (keys, _) = lists
            .values()
            .as_fixed_size_binary()
            .value_data()
            .as_chunks::<16>();
        for (row, range) in (Self::first_row(batch)..).zip(lists.value_offsets().windows(2)) {
            let [start, end] = *range else { continue };
            take(row, &keys[start as usize..end as usize]);
        }
        Ok(())
    }

    /// Makes ready what [`Run::rows_linking`] looks into, unless it is there or `progress` is cancelled meanwhile.
    ///
    /// # Errors
    /// A damaged file.
    pub fn index_links(&self, progress: &Progress) -> Result<()> {
        self.indexed_links(progress).map(drop)
    }

    /// The rows of the records that link an identity beside whose they are, with all that each links, sorted. The first
    /// question looks at all records, those behind it at these alone.
    ///
    /// # Errors
    /// A damaged file.
    pub fn rows_linking(&self, key: PersonKey) -> Result<Vec<(u32, Vec<PersonKey>)>> {
        let Some(index) = self.indexed_links(&Progress::default())? else {
            unreachable!("nobody cancels it");
        };
        let candidates = with_prefix(&index, key);
        let mut found = Vec::new();
        for of_batch in index[candidates].chunk_by(|a, b| batch_of(*a) == batch_of(*b)) {
            let Some(first) = of_batch.first() else {
                continue;
            };
            let rows: Vec<u32> = of_batch.iter().map(|entry| row_of(*entry)).collect();
            self.each_link(batch_of(*first), |row, own| {
                if rows.binary_search(&row).is_ok() {
                    let own: Vec<PersonKey> =
                        own.iter().map(|key| PersonKey::from_bytes(*key)).collect();
                    if own.contains(&key) {
                        found.push((row, own));
                    }
                }
            })?;
        }
        Ok(found)
    }

    /// The index of the identities that records link beside whose they are; `None` where it was cancelled.
    fn indexed_links(&self, progress: &Progress) -> Result<Option<Arc<[u64]>>> {
        self.link_index().get(|| {
            let mut index = Vec::new();
            for batch in 0..self.batch_count() as u32 {
                if progress.is_cancelled() {
                    return Ok(None);
                }
                self.each_link(batch, |row, own| {
                    let person = self.person(self.person_of_row(row));
                    let others = own.iter().map(|key| PersonKey::from_bytes(*key));
                    let others = others.filter(|key| *key != person);
                    index.extend(others.map(|key| entry(key, row)));
                })?;
            }
            Ok(Some(index))
        })
    }
}

fn batch_of(entry: u64) -> u32 {
    Run::locate(row_of(entry)).0
}
