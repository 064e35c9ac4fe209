//! Columns of 16-byte keys, sorted.

use arrow::array::{Array, AsArray, FixedSizeBinaryArray, RecordBatch};
use arrow::error::ArrowError;
use xdm::PersonKey;

use crate::read::wrong_table;

/// Sorted digests of event `_id`s.
pub(crate) struct SortedIds(pub(crate) FixedSizeBinaryArray);

impl SortedIds {
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn contains(&self, id: u128) -> bool {
        let at = lower_bound(&self.0, id);
        at < self.0.len() && key_at(&self.0, at).0 == id
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = u128> + '_ {
        (0..self.0.len()).map(|i| key_at(&self.0, i).0)
    }
}

/// The keys of a table's column.
pub(crate) fn keys_of(batch: &RecordBatch, name: &str) -> Result<FixedSizeBinaryArray, ArrowError> {
    let column = batch.column_by_name(name);
    let keys = column.and_then(|c| c.as_fixed_size_binary_opt());
    keys.cloned().ok_or_else(wrong_table)
}

/// The key in a row.
///
/// # Panics
/// Beyond the last one.
#[inline]
pub(crate) fn key_at(keys: &FixedSizeBinaryArray, i: usize) -> PersonKey {
    match keys.value(i).as_array::<16>() {
        Some(bytes) => PersonKey::from_bytes(*bytes),
        None => unreachable!("keys have 16 bytes"),
    }
}

/// The first row whose key is not below `key`.
pub(crate) fn lower_bound(keys: &FixedSizeBinaryArray, key: u128) -> usize {
    let (keys, _) = keys.value_data().as_chunks::<16>();
    keys.partition_point(|bytes| u128::from_be_bytes(*bytes) < key)
}

/// The same from a row on, where it is not far from that.
pub(crate) fn lower_bound_from(keys: &FixedSizeBinaryArray, start: usize, key: u128) -> usize {
    let (keys, _) = keys.value_data().as_chunks::<16>();
    let (_, keys) = keys.split_at(start);
    start + partition_point_near(keys, |bytes| u128::from_be_bytes(*bytes) < key)
}

/// As `partition_point` of a slice, where the point is near the front.
pub fn partition_point_near<T>(sorted: &[T], is_before: impl Fn(&T) -> bool) -> usize {
    let mut end = 1;
    while sorted.get(end - 1).is_some_and(&is_before) {
        end *= 2;
    }
    let (near, _) = sorted.split_at(end.min(sorted.len()));
    near.partition_point(is_before)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_is_found_from_the_front() {
        let sorted = [2, 4, 4, 6, 8, 10, 12];
        for key in 0..14 {
            let right = sorted.partition_point(|found| *found < key);
            let near = partition_point_near(&sorted, |found| *found < key);
            assert_eq!(near, right, "{key}");
        }
        assert_eq!(partition_point_near(&[], |found: &i32| *found < 3), 0);
    }

    #[test]
    fn a_search_from_a_row_finds_what_one_from_the_start_finds() {
        let keys: Vec<[u8; 16]> = (0..40u128).map(|key| (key / 3).to_be_bytes()).collect();
        let keys = FixedSizeBinaryArray::try_from_iter(keys.into_iter()).expect("keys");
        for key in 0..15 {
            let right = lower_bound(&keys, key);
            for start in 0..=right {
                assert_eq!(lower_bound_from(&keys, start, key), right);
            }
        }
    }

    #[test]
    fn a_search_finds_the_first_key_that_is_not_below() {
        let keys = [3u128, 3, 7].map(u128::to_be_bytes);
        let keys = FixedSizeBinaryArray::try_from_iter(keys.into_iter()).expect("keys");
        let found = [0, 3, 4, 7, 8].map(|key| lower_bound(&keys, key));
        assert_eq!(found, [0, 0, 2, 2, 3]);
        assert_eq!(key_at(&keys, 2).0, 7);
    }
}
