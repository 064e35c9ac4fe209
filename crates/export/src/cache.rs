use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

/// What was made for chunks that are at work, and may serve those beside them, up to so many bytes.
///
/// Chunks go through a store in the order of keys, so what was not used for longest is not used again.
pub(crate) struct Cache<K, V> {
    most: usize,
    entries: Mutex<Entries<K, V>>,
}

struct Entries<K, V> {
    by_key: HashMap<K, Entry<V>>,
    bytes: usize,
    clock: u64,
}

struct Entry<V> {
    /// Empty until it is made; who makes it holds the lock, so that nobody else does.
    slot: Arc<Mutex<Option<Arc<V>>>>,
    bytes: usize,
    used: u64,
}

impl<K: Hash + Eq + Copy, V> Cache<K, V> {
    /// A cache of at the most so many bytes, and what is in use.
    pub(crate) fn new(most: usize) -> Self {
        Self {
            most,
            entries: Mutex::new(Entries {
                by_key: HashMap::new(),
                bytes: 0,
                clock: 0,
            }),
        }
    }

    /// Whether something is there under a key, or is being made.
    pub(crate) fn has(&self, key: &K) -> bool {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.by_key.contains_key(key)
    }

    /// What is there under a key; it is made, with its size in bytes, where there is nothing.
    pub(crate) fn get<E>(
        &self,
        key: K,
        make: impl FnOnce() -> Result<(V, usize), E>,
    ) -> Result<Arc<V>, E> {
        let slot = self.slot(key);
        let mut slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(value) = &*slot {
            return Ok(Arc::clone(value));
        }
        let (value, bytes) = make()?;
        let value = Arc::new(value);
        *slot = Some(Arc::clone(&value));
        drop(slot);
        self.count(key, bytes);
        Ok(value)
    }

    fn slot(&self, key: K) -> Arc<Mutex<Option<Arc<V>>>> {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.clock += 1;
        let used = entries.clock;
        let entry = entries.by_key.entry(key).or_insert_with(|| Entry {
            slot: Arc::default(),
            bytes: 0,
            used,
        });
        entry.used = used;
        Arc::clone(&entry.slot)
    }

    /// Counts what was made, and lets go of what is beyond the most.
    fn count(&self, key: K, bytes: usize) {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let entries = &mut *entries;
        if let Some(entry) = entries.by_key.get_mut(&key) {
            entries.bytes = entries.bytes - entry.bytes + bytes;
            entry.bytes = bytes;
        }
        while entries.bytes > self.most {
            // What is not made yet takes nothing.
            let made = entries
                .by_key
                .iter()
                .filter(|(k, e)| **k != key && e.bytes > 0);
            let Some((oldest, _)) = made.min_by_key(|(_, entry)| entry.used) else {
                return;
            };
            let oldest = *oldest;
            if let Some(entry) = entries.by_key.remove(&oldest) {
                entries.bytes -= entry.bytes;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn get(cache: &Cache<u32, u32>, key: u32, made: &mut Vec<u32>) {
        let value = cache.get::<()>(key, || {
            made.push(key);
            Ok((key * 10, 4))
        });
        assert_eq!(*value.expect("a value"), key * 10);
    }

    #[test]
    fn what_was_not_used_for_longest_is_let_go_of() {
        let cache = Cache::new(8);
        let mut made = Vec::new();
        for key in [1, 2, 1, 3, 1, 2, 2] {
            get(&cache, key, &mut made);
        }
        assert_eq!(made, [1, 2, 3, 2]);
    }

    #[test]
    fn what_could_not_be_made_is_tried_again() {
        let cache: Cache<u32, u32> = Cache::new(8);
        assert_eq!(cache.get(1, || Err("no")).err(), Some("no"));
        get(&cache, 1, &mut Vec::new());
    }

    #[test]
    fn more_than_the_most_is_kept_while_it_is_in_use() {
        let cache = Cache::new(1);
        let mut made = Vec::new();
        get(&cache, 1, &mut made);
        get(&cache, 1, &mut made);
        assert_eq!(made, [1]);
    }
}
