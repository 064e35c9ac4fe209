use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{AsArray, BooleanArray, RecordBatch, StringArray, UInt64Array};
use arrow::compute::{concat_batches, filter_record_batch};
use arrow::datatypes::UInt64Type;
use membership::MembershipIndex;

use crate::BATCH_ROWS;
use crate::error::Result;
use crate::pack::PackFile;
use crate::read::wrong_table;
use crate::records::Records;

/// Who is in which segment.
pub(crate) enum Members {
    /// The whole index.
    Whole(Box<MembershipIndex>),
    /// In the packed file of the records: which segments there are, and for each where its members begin, and
    /// behind the last where they end.
    Packed(RecordBatch, Vec<u64>, Recent),
}

/// The batches of members that were unpacked last. Exports of many segments ask for one after the other, and a batch has
/// the members of many.
#[derive(Default)]
pub(crate) struct Recent(Mutex<VecDeque<(usize, RecordBatch)>>);

/// Segments of a few namespaces take turns, and those of each lie together.
const MOST_RECENT: usize = 4;

impl Recent {
    /// A batch of the members.
    fn batch(&self, file: &PackFile, number: usize) -> Result<RecordBatch> {
        if let Some(batch) = self.known(number) {
            return Ok(batch);
        }
        // Others need not wait for it.
        let batch = file.batch("members", number)?;
        let mut batches = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        batches.truncate(MOST_RECENT - 1);
        batches.push_front((number, batch.clone()));
        Ok(batch)
    }

    /// One of those that are there, which goes to the front.
    fn known(&self, number: usize) -> Option<RecordBatch> {
        let mut batches = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let at = batches.iter().position(|(known, _)| *known == number)?;
        let found = batches.remove(at)?;
        let batch = found.1.clone();
        batches.push_front(found);
        Some(batch)
    }
}

impl Members {
    /// The index of a packed file.
    pub(crate) fn of_file(file: &PackFile) -> Result<Self> {
        let segments = file.single_batch("segments")?;
        let rows = file.batch_rows("members")?;
        let firsts = segments.columns().get(2);
        let firsts = firsts.and_then(|c| c.as_primitive_opt::<UInt64Type>());
        let mut bounds = firsts.ok_or_else(wrong_table)?.values().to_vec();
        bounds.push(rows.iter().sum::<usize>() as u64);
        let (_, full) = rows.split_last().unwrap_or((&0, &[]));
        if bounds.first() != Some(&0)
            || !bounds.is_sorted()
            || full.iter().any(|n| *n != BATCH_ROWS)
        {
            return Err(wrong_table().into());
        }
        Ok(Self::Packed(segments, bounds, Recent::default()))
    }

    /// The namespaces and IDs of all segments.
    pub(crate) fn segments(&self) -> Result<Vec<(&str, &str)>> {
        match self {
            Self::Whole(index) => Ok(index
                .segments()
                .map(|one| (one.namespace, one.id))
                .collect()),
            Self::Packed(segments, ..) => {
                let (namespaces, ids) = (text(segments, 0)?, text(segments, 1)?);
                let named = namespaces.iter().zip(ids);
                Ok(named
                    .filter_map(|(namespace, id)| Some((namespace?, id?)))
                    .collect())
            }
        }
    }

    /// Who is in those segments that `is_wanted` says of.
    pub(crate) fn of_segments(
        &self,
        records: &Records,
        is_wanted: impl Fn(&str, &str) -> bool,
    ) -> Result<MembershipIndex> {
        let (segments, bounds, recent) = match self {
            Self::Whole(index) => return Ok(MembershipIndex::clone(index)),
            Self::Packed(segments, bounds, recent) => (segments, bounds, recent),
        };
        let Records::Packed(file) = records else {
            unreachable!("a packed run has its records in the same file");
        };
        let (namespaces, ids) = (text(segments, 0)?, text(segments, 1)?);
        let wanted: BooleanArray = (namespaces.iter().zip(ids))
            .map(|(namespace, id)| Some(is_wanted(namespace?, id?)))
            .collect();
        let mut parts = Vec::new();
        let mut firsts = Vec::new();
        let mut total = 0;
        for (i, bounds) in bounds.windows(2).enumerate() {
            let [start, end] = *bounds else { continue };
            if !wanted.value(i) {
                continue;
            }
            firsts.push(total);
            total += end - start;
            let (mut start, end) = (start as usize, end as usize);
            while start < end {
                let number = start / BATCH_ROWS;
                let batch = recent.batch(file, number)?;
                let stop = end.min((number + 1) * BATCH_ROWS);
                parts.push(batch.slice(start % BATCH_ROWS, stop - start));
                start = stop;
            }
        }
        let members = concat_batches(file.schema("members")?, &parts)?;
        let kept = filter_record_batch(segments, &wanted)?;
        let mut columns = kept.columns().to_vec();
        if let Some(column) = columns.get_mut(2) {
            *column = Arc::new(UInt64Array::from(firsts));
        }
        let kept = RecordBatch::try_new(segments.schema(), columns)?;
        Ok(MembershipIndex::from_batches(&kept, &members)?)
    }
}

/// A column of text of the table of segments.
fn text(segments: &RecordBatch, i: usize) -> Result<&StringArray> {
    let column = segments.columns().get(i);
    let column = column.and_then(|c| c.as_string_opt::<i32>());
    Ok(column.ok_or_else(wrong_table)?)
}
