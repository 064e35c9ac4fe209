use std::sync::atomic::{AtomicU64, Ordering};

use parquet::errors::{ParquetError, Result};

/// What any file may unfold to at once, in bytes.
pub(super) const LEAST_BUDGET: u64 = 256 << 20;
/// How many times its own size a larger file may unfold to.
const MOST_TIMES: u64 = 100;

/// What a file of so many bytes may unfold to.
pub(crate) fn most_of(length: u64) -> u64 {
    LEAST_BUDGET.max(length.saturating_mul(MOST_TIMES))
}

/// The memory that a file's open pages take.
#[derive(Debug)]
pub(super) struct Budget {
    taken: AtomicU64,
    /// What the lists and maps of the batch that is being read take.
    batch: AtomicU64,
    most: u64,
}

impl Budget {
    pub(super) fn of_file(length: u64) -> Self {
        Self {
            taken: AtomicU64::new(0),
            batch: AtomicU64::new(0),
            most: most_of(length),
        }
    }

    pub(super) fn take(&self, bytes: u64) -> Result<()> {
        let before = self.taken.fetch_add(bytes, Ordering::Relaxed);
        let all = before.saturating_add(bytes);
        if all > self.most {
            return Err(ParquetError::General(format!(
                "its pages unfold to {} MiB at once; beyond {} MiB they may be {MOST_TIMES} times the file",
                all >> 20,
                LEAST_BUDGET >> 20
            )));
        }
        Ok(())
    }

    /// Says that the next batch is read; the one before is out of the reader.
    pub(super) fn begin_batch(&self) {
        self.batch.store(0, Ordering::Relaxed);
    }

    pub(super) fn take_of_batch(&self, bytes: u64) -> Result<()> {
        let before = self.batch.fetch_add(bytes, Ordering::Relaxed);
        let all = before.saturating_add(bytes);
        if all > self.most {
            return Err(ParquetError::General(format!(
                "the lists and maps of records that are read at once unfold to {} MiB; beyond {} MiB they may \
                 be {MOST_TIMES} times the file",
                all >> 20,
                LEAST_BUDGET >> 20
            )));
        }
        Ok(())
    }

    pub(super) fn give_back(&self, bytes: u64) {
        self.taken.fetch_sub(bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_grows_with_the_file() {
        let small = Budget::of_file(1 << 10);
        small.take(LEAST_BUDGET).expect("as much as any may");
        assert!(small.take(1).is_err());
        let large = Budget::of_file(1 << 30);
        large.take(MOST_TIMES << 30).expect("a hundred times");
        large.give_back(1);
        large.take(1).expect("it was given back");
    }

    #[test]
    fn each_batch_has_the_whole_budget_for_its_lists() {
        let budget = Budget::of_file(1);
        budget
            .take_of_batch(LEAST_BUDGET)
            .expect("as much as any may");
        assert!(budget.take_of_batch(1).is_err());
        budget.begin_batch();
        budget.take_of_batch(LEAST_BUDGET).expect("another batch");
    }
}
