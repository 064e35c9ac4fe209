use std::hash::{BuildHasher, Hash};

use hashbrown::hash_table::Entry;
use hashbrown::{DefaultHashBuilder, HashTable};

/// Up to this many items are scanned: measured, tables are faster from some 20 of them on.
pub(super) const MOST_SCANNED: usize = 16;

/// Finds items of a growing list by their keys: by a scan while they are few, with a table beyond.
///
/// The list stays with the caller, who says how long it is and what the key at a place is; an item
/// without a key is never found. It may grow between two questions, and must not shrink.
#[derive(Default)]
pub(super) struct Lookup {
    /// For each key, the first place among the first `listed` that has it.
    table: HashTable<u32>,
    hasher: DefaultHashBuilder,
    listed: usize,
}

impl Lookup {
    /// Makes it ready for another list.
    pub(super) fn clear(&mut self) {
        if self.listed > 0 {
            // To empty a table takes as long as it is large, and the next list may be short.
            self.table = HashTable::new();
            self.listed = 0;
        }
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
        self.find_listed(&key, length, key_at)
    }

    #[inline(never)]
    fn find_listed<K: Hash + Eq>(
        &mut self,
        key: &Option<K>,
        length: usize,
        key_at: impl Fn(usize) -> Option<K>,
    ) -> Option<usize> {
        self.list(length, &key_at);
        let hash = self.hasher.hash_one(key);
        let found = self.table.find(hash, |at| key_at(*at as usize) == *key);
        found.map(|at| *at as usize)
    }

    /// Enters the items that came since the last question.
    fn list<K: Hash + Eq>(&mut self, length: usize, key_at: &impl Fn(usize) -> Option<K>) {
        let Self {
            table,
            hasher,
            listed,
        } = self;
        let hash = |key: &Option<K>| hasher.hash_one(key);
        for at in *listed..length {
            let key = key_at(at);
            if key.is_none() {
                continue;
            }
            let entry = table.entry(
                hash(&key),
                |other| key_at(*other as usize) == key,
                |other| hash(&key_at(*other as usize)),
            );
            if let Entry::Vacant(entry) = entry {
                // Arrow's offsets count no further.
                entry.insert(at as u32);
            }
        }
        *listed = length;
    }
}
