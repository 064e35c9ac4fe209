use std::hash::{BuildHasher, Hash};

use hashbrown::hash_table::Entry;
use hashbrown::{DefaultHashBuilder, HashTable};

/// Up to this many items are scanned; measured, a table is faster from some 20 to 30 of them on.
pub(super) const MOST_SCANNED: usize = 16;

/// Finds items of a growing list by their keys: by a scan while they are few, with a table beyond.
///
/// The list stays with the caller, who says how long it is and what the key at a place is; an item
/// without a key is never found. It may grow between two questions, and must not shrink.
#[derive(Default)]
pub(super) struct Lookup {
    /// For each key, its hash and the first place among the first `entered` that has it; where there are
    /// none, what an earlier list left.
    table: HashTable<(u64, u32)>,
    hasher: DefaultHashBuilder,
    entered: usize,
}

impl Lookup {
    /// Makes it ready for another list.
    pub(super) fn clear(&mut self) {
        self.entered = 0;
    }

    /// Whether one of the list's `length` items has the key.
    #[inline]
    pub(super) fn contains<K: Hash + Eq>(
        &mut self,
        key: K,
        length: usize,
        key_at: impl Fn(usize) -> Option<K>,
    ) -> bool {
        self.find(key, length, key_at).is_some()
    }

    /// The first place of the list's `length` that has the key.
    #[inline]
    pub(super) fn find<K: Hash + Eq>(
        &mut self,
        key: K,
        length: usize,
        key_at: impl Fn(usize) -> Option<K>,
    ) -> Option<usize> {
        let key = Some(key);
        if length <= MOST_SCANNED {
            return (0..length).find(|at| key_at(*at) == key);
        }
        self.find_in_table(&key, length, key_at)
    }

    #[inline(never)]
    fn find_in_table<K: Hash + Eq>(
        &mut self,
        key: &Option<K>,
        length: usize,
        key_at: impl Fn(usize) -> Option<K>,
    ) -> Option<usize> {
        self.enter(length, &key_at);
        let hash = self.hasher.hash_one(key);
        let is_key = |(other, at): &(u64, u32)| *other == hash && key_at(*at as usize) == *key;
        self.table.find(hash, is_key).map(|(_, at)| *at as usize)
    }

    /// Enters the items that came since the last question.
    fn enter<K: Hash + Eq>(&mut self, length: usize, key_at: &impl Fn(usize) -> Option<K>) {
        let Self {
            table,
            hasher,
            entered,
        } = self;
        if *entered == 0 {
            // To empty a table takes as long as it is large, and this list may be short.
            *table = HashTable::with_capacity(2 * length);
        }
        for at in *entered..length {
            let key = key_at(at);
            let hash = hasher.hash_one(&key);
            let is_key = |(other, at): &(u64, u32)| *other == hash && key_at(*at as usize) == key;
            let entry = table.entry(hash, is_key, |(hash, _)| *hash);
            if let Entry::Vacant(entry) = entry {
                // Arrow's offsets count no further.
                entry.insert((hash, at as u32));
            }
        }
        *entered = length;
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn a_list_that_grows_by_each_question_is_looked_at_a_few_times_however_long_it_gets() {
        let (mut lookup, mut list, looks) = (Lookup::default(), Vec::new(), Cell::new(0));
        let many = 10_000;
        for round in 0..2 {
            for item in 0..many {
                let key_at = |at: usize| {
                    looks.set(looks.get() + 1);
                    list.get(at).copied()
                };
                let found = lookup.find(item, list.len(), key_at);
                assert_eq!(found, (round == 1).then_some(item));
                if found.is_none() {
                    list.push(item);
                }
            }
        }
        assert!(looks.get() < 5 * many, "{} looks", looks.get());
    }
}
