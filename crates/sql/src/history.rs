//! What `history_meta` tells of a table.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Int64Array, RecordBatch, StringArray, TimestampMillisecondArray,
};
use datafusion::catalog::{MemTable, TableProvider};
use datafusion::error::Result;
use profile_export::store::Batch;

/// The snapshots of a table that has these batches, oldest first.
pub(crate) fn history(batches: &[Batch]) -> Result<Arc<dyn TableProvider>> {
    let each = || batches.iter();
    let text = |values: Vec<Option<&str>>| Arc::new(StringArray::from(values)) as ArrayRef;
    let number = |values: Vec<i64>| Arc::new(Int64Array::from(values)) as ArrayRef;
    let ids: Vec<Option<&str>> = each().map(|batch| Some(batch.id.as_str())).collect();
    let parents: Vec<Option<&str>> = std::iter::once(None)
        .chain(ids.iter().copied())
        .take(ids.len())
        .collect();
    let made: Vec<i64> = each().map(|batch| batch.updated.millis()).collect();
    let last = batches.len().checked_sub(1);
    let rows = RecordBatch::try_from_iter_with_nullable([
        (
            "snapshot_generation",
            number((0..batches.len() as i64).collect()),
            false,
        ),
        (
            "made_current_at",
            Arc::new(TimestampMillisecondArray::from(made).with_timezone("UTC")) as ArrayRef,
            false,
        ),
        ("snapshot_id", text(ids), false),
        ("parent_id", text(parents), true),
        (
            "is_current_ancestor",
            Arc::new(BooleanArray::from(vec![true; batches.len()])) as ArrayRef,
            false,
        ),
        (
            "is_current",
            Arc::new(
                (0..batches.len())
                    .map(|i| Some(Some(i) == last))
                    .collect::<BooleanArray>(),
            ) as ArrayRef,
            false,
        ),
        (
            "output_record_count",
            number(
                each()
                    .map(|batch| sum(batch, |file| file.rows.unwrap_or(0)))
                    .collect(),
            ),
            false,
        ),
        (
            "output_byte_size",
            number(each().map(|batch| sum(batch, |file| file.length)).collect()),
            false,
        ),
    ])?;
    let schema = rows.schema();
    Ok(Arc::new(MemTable::try_new(schema, vec![vec![rows]])?))
}

fn sum(batch: &Batch, of: impl Fn(&profile_export::store::BatchFile) -> u64) -> i64 {
    batch.files.iter().map(of).sum::<u64>() as i64
}
