//! Small tables, made column by column.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Int64Array, RecordBatch, StringArray, TimestampMillisecondArray,
};
use datafusion::error::Result;

/// A column by its name.
pub(crate) type Column = (&'static str, ArrayRef, bool);

pub(crate) fn text(name: &'static str, values: impl Iterator<Item = Option<String>>) -> Column {
    (name, Arc::new(values.collect::<StringArray>()), true)
}

pub(crate) fn number(name: &'static str, values: impl Iterator<Item = Option<i64>>) -> Column {
    (name, Arc::new(values.collect::<Int64Array>()), true)
}

pub(crate) fn boolean(name: &'static str, values: impl Iterator<Item = Option<bool>>) -> Column {
    (name, Arc::new(values.collect::<BooleanArray>()), true)
}

/// Of milliseconds since 1970.
pub(crate) fn moment(name: &'static str, values: impl Iterator<Item = Option<i64>>) -> Column {
    let values: TimestampMillisecondArray = values.collect();
    (name, Arc::new(values.with_timezone("UTC")), true)
}

pub(crate) fn table<const N: usize>(columns: [Column; N]) -> Result<RecordBatch> {
    Ok(RecordBatch::try_from_iter_with_nullable(columns)?)
}
