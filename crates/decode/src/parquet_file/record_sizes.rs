//! How many values the records of a page have, by its repetition levels: each record begins with a level 0.
//!
//! A batch is so many records, and how many values those have is not in the footer. Levels come in runs, so a page
//! of some bytes can hold one record of 2³¹ nulls.
//!
//! ```text
//!   levels   a header each: run      length << 1,       the level
//!                           packed   groups << 1 | 1,   8 levels a group, the lowest bits first
//! ```
//!
//! Source: parquet-format's Encodings.md.

use super::thrift::Compact;

/// Counts values record by record.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct RecordSizes {
    /// Values so far of the record at hand, which may go on on the next page.
    current: u64,
    /// The most values of a record on this page.
    longest: u64,
    records: u64,
    values: u64,
}

impl RecordSizes {
    /// Goes through a page's levels; none where they end too early or make no sense.
    pub(super) fn take_page(&mut self, levels: &[u8], highest: i16, values: u64) -> Option<()> {
        let width = (i16::BITS - highest.leading_zeros()) as usize;
        *self = Self {
            current: self.current,
            longest: self.current,
            ..Self::default()
        };
        let mut levels = Compact::new(levels);
        while self.values < values {
            let left = values - self.values;
            let header = levels.varint()?;
            let length = header >> 1;
            if header & 1 == 0 {
                let level = levels.bytes(width.div_ceil(8))?;
                let begins = level.iter().all(|byte| *byte == 0);
                self.add(begins, length.min(left));
                continue;
            }
            // A writer may leave out the bytes of levels behind the last.
            let whole = usize::try_from(length).ok()?.checked_mul(width)?;
            let packed = levels.bytes(whole.min(levels.rest()))?;
            let count = (packed.len() * 8 / width) as u64;
            for number in 0..count.min(left) {
                self.add(is_zero(packed, number as usize * width, width), 1);
            }
            if count == 0 {
                return None;
            }
        }
        Some(())
    }

    /// A page whose levels are not looked at: as if one record had all its values.
    pub(super) fn take_unseen(&mut self, values: u64) {
        self.current += values;
        self.longest = self.current;
        self.records = 0;
        self.values = values;
    }

    fn add(&mut self, begins: bool, count: u64) {
        self.values += count;
        if begins && count > 0 {
            self.records += count;
            self.current = 1;
        } else {
            self.current += count;
        }
        self.longest = self.longest.max(self.current);
    }

    /// How many values of the page may be in one batch of so many rows, beside one for each row.
    pub(super) fn most_of_batch(&self, rows: u64) -> u64 {
        let beside = self.longest.saturating_sub(1).saturating_mul(rows);
        beside.min(self.values - self.records)
    }
}

/// Whether so many bits from a place on are zeros.
fn is_zero(bytes: &[u8], at: usize, width: usize) -> bool {
    (at..at + width).all(|bit| {
        bytes
            .get(bit / 8)
            .is_none_or(|byte| byte >> (bit % 8) & 1 == 0)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(sizes: &mut RecordSizes, levels: &[u8], values: u64) -> (u64, u64) {
        sizes.take_page(levels, 1, values).expect("levels");
        (sizes.records, sizes.longest)
    }

    #[test]
    fn records_are_counted_over_runs_groups_and_pages() {
        let mut sizes = RecordSizes::default();
        // A run of two 0, a run of 70 times 1; then 0b0110_0101 packed.
        let levels = [4, 0, 0x8c, 1, 1, 3, 0b0110_0101];
        assert_eq!(page(&mut sizes, &levels, 80), (2 + 4, 71 + 1));
        assert_eq!(sizes.current, 1);
        // The record at hand goes on.
        assert_eq!(page(&mut sizes, &[6, 1], 3), (0, 4));
        assert_eq!(sizes.most_of_batch(1), 3);
        assert_eq!(page(&mut sizes, &[4, 0], 2), (2, 4));
        assert_eq!(sizes.most_of_batch(1_000), 0);
    }

    #[test]
    fn levels_that_end_too_early_are_none() {
        for levels in [&[][..], &[4], &[3], &[0x80]] {
            assert_eq!(RecordSizes::default().take_page(levels, 1, 9), None);
        }
        // Fewer bytes than groups: the last levels are 0.
        assert_eq!(RecordSizes::default().take_page(&[5, 1], 1, 9), None);
        assert_eq!(RecordSizes::default().take_page(&[5, 1], 1, 8), Some(()));
    }
}
