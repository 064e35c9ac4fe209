//! Which rows have something to do with an identity.

use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use xdm::PersonKey;

use crate::error::Result;

/// The first 32 bits of the key of each identity that a record has to do with, and the record's row behind them, sorted.
/// Eight bytes an entry; the few that begin alike are told apart by the records themselves.
///
/// A run never changes, so its index holds as long as it is open, whatever happens to the store.
#[derive(Default)]
pub(crate) struct RowIndex(Mutex<Option<Arc<[u64]>>>);

impl RowIndex {
    /// The index; made of these entries at the first question. `None` where that made none, as it was cancelled.
    pub(crate) fn get(
        &self,
        make: impl FnOnce() -> Result<Option<Vec<u64>>>,
    ) -> Result<Option<Arc<[u64]>>> {
        // Who makes it has others wait, so that it is made once.
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(index) = &*kept {
            return Ok(Some(Arc::clone(index)));
        }
        let Some(mut index) = make()? else {
            return Ok(None);
        };
        index.sort_unstable();
        index.dedup();
        let index: Arc<[u64]> = index.into();
        *kept = Some(Arc::clone(&index));
        Ok(Some(index))
    }
}

/// The entry of an identity and a record's row.
pub(crate) fn entry(key: PersonKey, row: u32) -> u64 {
    u64::from(prefix(key)) << 32 | u64::from(row)
}

/// The row of an entry.
pub(crate) fn row_of(entry: u64) -> u32 {
    entry as u32
}

fn prefix(key: PersonKey) -> u32 {
    (key.0 >> 96) as u32
}

/// The entries of an index whose identities begin as one does.
pub(crate) fn with_prefix(index: &[u64], key: PersonKey) -> Range<usize> {
    let wanted = prefix(key);
    let of = |entry: &u64| (*entry >> 32) as u32;
    let start = index.partition_point(|entry| of(entry) < wanted);
    let end = index.partition_point(|entry| of(entry) <= wanted);
    start..end
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_of_one_prefix_stand_together_in_the_order_of_rows() {
        let key = |first: u128| PersonKey(first << 96 | 7);
        let entries = vec![
            entry(key(5), 9),
            entry(key(u128::from(u32::MAX)), u32::MAX),
            entry(key(5), 3),
            entry(key(0), 1),
            entry(key(5), 3),
        ];
        let index = RowIndex::default();
        let index = index.get(|| Ok(Some(entries))).expect("whole");
        let index = index.expect("an index");
        let rows = |key| {
            let found = index[with_prefix(&index, key)].iter();
            found.map(|entry| row_of(*entry)).collect::<Vec<_>>()
        };
        assert_eq!(rows(key(5)), [3, 9]);
        assert_eq!(rows(key(0)), [1]);
        assert_eq!(rows(key(u128::from(u32::MAX))), [u32::MAX]);
        assert!(rows(key(4)).is_empty());
    }
}
