//! Which records link an identity that is not their own.

use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{Array, AsArray};
use decode::Progress;
use xdm::PersonKey;

use crate::error::Result;
use crate::read::Run;

/// The first 32 bits of the key of each identity that a record links beside whose the record is, and the record's row
/// behind them, sorted. Eight bytes a link; the few that begin alike are told apart by the records themselves.
///
/// A run never changes, so its index holds as long as it is open, whatever happens to the store.
#[derive(Default)]
pub(crate) struct LinkIndex(Mutex<Option<Arc<[u64]>>>);

fn entry(key: PersonKey, row: u32) -> u64 {
    u64::from(prefix(key)) << 32 | u64::from(row)
}

fn prefix(key: PersonKey) -> u32 {
    (key.0 >> 96) as u32
}

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
            let rows: Vec<u32> = of_batch.iter().map(|entry| *entry as u32).collect();
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

    /// The index; `None` where it was cancelled.
    fn indexed_links(&self, progress: &Progress) -> Result<Option<Arc<[u64]>>> {
        let LinkIndex(kept) = self.link_index();
        // Who makes it has others wait, so that it is made once.
        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(index) = &*kept {
            return Ok(Some(Arc::clone(index)));
        }
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
        index.sort_unstable();
        index.dedup();
        let index: Arc<[u64]> = index.into();
        *kept = Some(Arc::clone(&index));
        Ok(Some(index))
    }
}

/// The entries of an index whose identities begin as one does.
fn with_prefix(index: &[u64], key: PersonKey) -> Range<usize> {
    let wanted = prefix(key);
    let of = |entry: &u64| (*entry >> 32) as u32;
    let start = index.partition_point(|entry| of(entry) < wanted);
    let end = index.partition_point(|entry| of(entry) <= wanted);
    start..end
}

fn batch_of(entry: u64) -> u32 {
    Run::locate(entry as u32).0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_of_one_prefix_stand_together_in_the_order_of_rows() {
        let key = |first: u128| PersonKey(first << 96 | 7);
        let mut index = [
            entry(key(5), 9),
            entry(key(u128::from(u32::MAX)), u32::MAX),
            entry(key(5), 3),
            entry(key(0), 1),
        ];
        index.sort_unstable();
        let rows = |key| {
            let found = index[with_prefix(&index, key)].iter();
            found.map(|entry| *entry as u32).collect::<Vec<_>>()
        };
        assert_eq!(rows(key(5)), [3, 9]);
        assert_eq!(rows(key(0)), [1]);
        assert_eq!(rows(key(u128::from(u32::MAX))), [u32::MAX]);
        assert!(rows(key(4)).is_empty());
    }
}
