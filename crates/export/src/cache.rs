use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::buffer::ScalarBuffer;
use run::RecordTimes;

/// What was made for chunks that are at work, and may serve those beside them.
///
/// Chunks go through a store in the order of keys, so what some chunks in a row did not use is not used again, but by
/// another batch: it stays where there is room for all.
pub(crate) struct Cache<K, V> {
    /// How many chunks those are.
    kept: u64,
    entries: Mutex<Entries<K, V>>,
}

struct Entries<K, V> {
    by_key: HashMap<K, Entry<V>>,
    /// How many chunks were begun.
    chunks: u64,
    /// What all together take.
    bytes: usize,
    /// What they may take, beside what is in use.
    room: usize,
}

/// What takes memory.
pub(crate) trait Weigh {
    /// About how many bytes it takes.
    fn bytes(&self) -> usize;
}

impl Weigh for ScalarBuffer<i64> {
    fn bytes(&self) -> usize {
        size_of_val(&self[..])
    }
}

impl Weigh for RecordTimes {
    fn bytes(&self) -> usize {
        // Most records have no updated time but the ingest time, whose buffer is the same.
        self.ingested.bytes() + size_of_val(&self.sequences[..])
    }
}

struct Entry<V> {
    /// Empty until it is made; who makes it holds the lock, so that nobody else does.
    slot: Arc<Mutex<Option<Arc<V>>>>,
    /// The chunk that was begun last when it was used last.
    used: u64,
    bytes: usize,
}

impl<K: Hash + Eq + Copy, V: Weigh> Cache<K, V> {
    /// A cache that lets go of what so many chunks in a row did not use, where all takes more than `room` bytes.
    pub(crate) fn new(kept: u64, room: usize) -> Self {
        Self {
            kept,
            entries: Mutex::new(Entries {
                by_key: HashMap::new(),
                chunks: 0,
                bytes: 0,
                room,
            }),
        }
    }

    /// Says that another chunk begins.
    pub(crate) fn begin_chunk(&self) {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.chunks += 1;
        let now = entries.chunks;
        if entries.bytes > entries.room {
            let by_key = &mut entries.by_key;
            by_key.retain(|_, entry| entry.used + self.kept >= now);
            entries.bytes = by_key.values().map(|entry| entry.bytes).sum();
        }
    }

    /// Lets go of nothing from now on.
    pub(crate) fn keep_all(&self) {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.room = usize::MAX;
    }

    /// Whether something is there under a key, or is being made.
    pub(crate) fn has(&self, key: &K) -> bool {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.by_key.contains_key(key)
    }

    /// What is there under a key; it is made where there is nothing.
    pub(crate) fn get<E>(&self, key: K, make: impl FnOnce() -> Result<V, E>) -> Result<Arc<V>, E> {
        let slot = self.slot(key);
        let mut slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(value) = &*slot {
            return Ok(Arc::clone(value));
        }
        let value = Arc::new(make()?);
        *slot = Some(Arc::clone(&value));
        let bytes = value.bytes();
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        // It may be gone already, with this the last who has it.
        if let Some(entry) = entries.by_key.get_mut(&key) {
            entry.bytes = bytes;
            entries.bytes += bytes;
        }
        drop(entries);
        Ok(value)
    }

    fn slot(&self, key: K) -> Arc<Mutex<Option<Arc<V>>>> {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let used = entries.chunks;
        let entry = entries.by_key.entry(key).or_insert_with(|| Entry {
            slot: Arc::default(),
            used,
            bytes: 0,
        });
        entry.used = used;
        Arc::clone(&entry.slot)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Weigh for u32 {
        fn bytes(&self) -> usize {
            10
        }
    }

    fn get(cache: &Cache<u32, u32>, key: u32, made: &mut Vec<u32>) {
        let value = cache.get::<()>(key, || {
            made.push(key);
            Ok(key * 10)
        });
        assert_eq!(*value.expect("a value"), key * 10);
    }

    #[test]
    fn what_some_chunks_in_a_row_did_not_use_is_let_go_of() {
        let cache = Cache::new(2, 5);
        let mut made = Vec::new();
        for keys in [&[1, 2][..], &[1], &[1, 2], &[1], &[1], &[1, 2]] {
            cache.begin_chunk();
            for key in keys {
                get(&cache, *key, &mut made);
            }
        }
        assert_eq!(made, [1, 2, 2]);
        assert!(cache.has(&1) && !cache.has(&3));
    }

    #[test]
    fn what_there_is_room_for_stays() {
        let cache = Cache::new(0, 20);
        let mut made = Vec::new();
        for keys in [&[1][..], &[2], &[1], &[3], &[4], &[1]] {
            cache.begin_chunk();
            for key in keys {
                get(&cache, *key, &mut made);
            }
        }
        // With three there is too much: what is in use stays, and the rest goes.
        assert_eq!(made, [1, 2, 3, 4, 1]);
    }

    #[test]
    fn all_is_kept_where_that_is_asked_for() {
        let cache = Cache::new(0, 5);
        cache.keep_all();
        let mut made = Vec::new();
        get(&cache, 1, &mut made);
        (0..10).for_each(|_| cache.begin_chunk());
        get(&cache, 1, &mut made);
        assert_eq!(made, [1]);
    }

    #[test]
    fn what_could_not_be_made_is_tried_again() {
        let cache: Cache<u32, u32> = Cache::new(2, 5);
        assert_eq!(cache.get(1, || Err("no")).err(), Some("no"));
        get(&cache, 1, &mut Vec::new());
    }
}
