//! What `history_meta` tells of a table.

use std::sync::Arc;

use datafusion::catalog::{MemTable, TableProvider};
use datafusion::error::Result;
use profile_export::store::{Batch, BatchFile};

use crate::columns::{boolean, moment, number, table, text};

/// The snapshots of a table that has these batches, oldest first.
pub(crate) fn history(batches: &[Batch]) -> Result<Arc<dyn TableProvider>> {
    let each = || batches.iter();
    let ids = || each().map(|batch| Some(batch.id.clone()));
    // The first has none before it.
    let parents = std::iter::once(None).chain(ids()).take(batches.len());
    let places = || 0..batches.len();
    let rows = |batch| sum(batch, |file| file.rows.unwrap_or(0));
    let bytes = |batch| sum(batch, |file| file.length);
    let rows = table([
        number("snapshot_generation", places().map(|i| Some(i as i64))),
        moment(
            "made_current_at",
            each().map(|batch| Some(batch.updated.millis())),
        ),
        text("snapshot_id", ids()),
        text("parent_id", parents),
        boolean("is_current_ancestor", each().map(|_| Some(true))),
        boolean("is_current", places().map(|i| Some(i + 1 == batches.len()))),
        number("output_record_count", each().map(|batch| Some(rows(batch)))),
        number("output_byte_size", each().map(|batch| Some(bytes(batch)))),
    ])?;
    let schema = rows.schema();
    Ok(Arc::new(MemTable::try_new(schema, vec![vec![rows]])?))
}

fn sum(batch: &Batch, of: impl Fn(&BatchFile) -> u64) -> i64 {
    batch.files.iter().map(of).sum::<u64>() as i64
}
