//! Unpacked blocks that are kept for who reads rows here and there.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// A block: the number of its opened file, and where it is there. No two files that were ever opened have one number, so a
/// block is never taken for another file's.
pub(super) type BlockId = (u64, u64);

/// Blocks that were unpacked, within a bound in bytes: what was not used for long goes. For many look-ups of few rows, which
/// would unpack the same blocks ever again.
pub struct BlockCache {
    half: usize,
    kept: Mutex<Kept>,
}

/// What was used since the last half of the room was full, and what was used in the half before.
#[derive(Default)]
struct Kept {
    young: HashMap<BlockId, Arc<[u8]>>,
    old: HashMap<BlockId, Arc<[u8]>>,
    bytes_of_young: usize,
}

impl BlockCache {
    /// One of so many bytes of blocks at the most, and a block beyond.
    #[must_use]
    pub fn new(bytes: usize) -> Self {
        Self {
            half: bytes / 2,
            kept: Mutex::default(),
        }
    }

    /// Lets go of all blocks.
    pub fn clear(&self) {
        *self.kept.lock().unwrap_or_else(PoisonError::into_inner) = Kept::default();
    }

    /// A block that is kept.
    pub(super) fn get(&self, id: BlockId) -> Option<Arc<[u8]>> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(block) = kept.young.get(&id) {
            return Some(Arc::clone(block));
        }
        let block = kept.old.remove(&id)?;
        kept.put(id, Arc::clone(&block), self.half);
        Some(block)
    }

    /// Keeps a block, unless it alone is too large.
    pub(super) fn put(&self, id: BlockId, block: Arc<[u8]>) {
        if block.len() <= self.half {
            let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            kept.put(id, block, self.half);
        }
    }
}

impl Kept {
    fn put(&mut self, id: BlockId, block: Arc<[u8]>, half: usize) {
        self.bytes_of_young += block.len();
        if self.bytes_of_young > half {
            self.old = std::mem::take(&mut self.young);
            self.bytes_of_young = block.len();
        }
        if let Some(same) = self.young.insert(id, block) {
            self.bytes_of_young -= same.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_used_for_long_goes_and_the_bound_holds() {
        let cache = BlockCache::new(100);
        let block = |n: u8| -> Arc<[u8]> { vec![n; 10].into() };
        let bytes = || {
            let kept = cache.kept.lock().expect("a lock");
            let all = kept.young.values().chain(kept.old.values());
            all.map(|block| block.len()).sum::<usize>()
        };
        for n in 0..=20u8 {
            cache.put((1, u64::from(n)), block(n));
            assert!(bytes() <= 100, "{n}");
            // This one is used all the time.
            assert_eq!(cache.get((1, 0)), Some(block(0)), "{n}");
        }
        assert_eq!(cache.get((1, 20)), Some(block(20)));
        assert_eq!(cache.get((1, 1)), None);
        assert_eq!(cache.get((2, 20)), None, "of another file");
        cache.put((1, 99), vec![0; 51].into());
        assert_eq!(cache.get((1, 99)), None, "too large");
        cache.put((1, 20), block(20));
        assert!(bytes() <= 100);
        cache.clear();
        assert_eq!((bytes(), cache.get((1, 20))), (0, None));
    }
}
