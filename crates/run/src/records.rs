use std::ops::Range;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::DataType;

use crate::error::Result;
use crate::ipc::IpcFile;
use crate::pack::{BlockCache, PackFile, prototype_of};
use crate::system;

/// Where the records of a run are.
pub(crate) enum Records {
    /// In a packed file: columns are read and unpacked when they are asked for.
    Packed(PackFile),
    /// In a mapped file of the first format: columns are checked when they are asked for.
    Mapped(IpcFile, Vec<RecordBatch>),
    /// In memory alone.
    Memory(Vec<RecordBatch>),
}

impl Records {
    /// How many rows each batch has.
    pub(crate) fn batch_rows(&self) -> Result<Vec<usize>> {
        match self {
            Self::Packed(file) => file.batch_rows("records"),
            Self::Mapped(_, batches) | Self::Memory(batches) => {
                Ok(batches.iter().map(RecordBatch::num_rows).collect())
            }
        }
    }

    /// A column of a batch, or a field of its records, with those parts alone that `target` has, checked: of all rows where
    /// none are said, else by blocks that are kept. `None` where the run lacks it.
    pub(crate) fn column(
        &self,
        batch: usize,
        path: &[&str],
        target: &DataType,
        rows: Option<(Range<usize>, &BlockCache)>,
    ) -> Result<Option<ArrayRef>> {
        let (batches, file) = match self {
            Self::Packed(file) => {
                return file.column("records", batch, path, Some(target), rows);
            }
            Self::Mapped(file, batches) => (batches, Some(file)),
            Self::Memory(batches) => (batches, None),
        };
        let array = batches.get(batch).and_then(|batch| pick(batch, path));
        if let (Some(file), Some(array)) = (file, &array) {
            file.check(array, Some(target))?;
        }
        Ok(match (array, rows) {
            (Some(array), Some((rows, _))) => Some(array.slice(rows.start, rows.len())),
            (array, _) => array,
        })
    }

    /// The type that a column, or a field of the records, is kept as; `None` where the run lacks it.
    pub(crate) fn kept_type(&self, path: &[&str]) -> Result<Option<DataType>> {
        match self {
            Self::Packed(file) => file.kept_type("records", path),
            Self::Mapped(_, batches) | Self::Memory(batches) => {
                let column = batches.first().and_then(|batch| pick(batch, path));
                Ok(column.map(|column| column.data_type().clone()))
            }
        }
    }

    /// A column of one row that has the type of the one asked for, and its dictionaries.
    pub(crate) fn prototype(&self, path: &[&str], target: &DataType) -> Result<Option<ArrayRef>> {
        match self {
            Self::Packed(file) => file.prototype("records", path, target),
            Self::Mapped(..) | Self::Memory(_) => {
                let column = self.column(0, path, target, None)?;
                column
                    .map(|column| prototype_of(&column, Some(target)))
                    .transpose()
            }
        }
    }

    /// A batch with all its columns, checked.
    pub(crate) fn batch(&self, number: usize) -> Result<RecordBatch> {
        let found = match self {
            Self::Packed(file) => return file.batch("records", number),
            Self::Mapped(file, batches) => {
                let batch = batches.get(number);
                for column in batch.iter().flat_map(|batch| batch.columns()) {
                    file.check(column, None)?;
                }
                batch
            }
            Self::Memory(batches) => batches.get(number),
        };
        match found {
            Some(batch) => Ok(batch.clone()),
            None => unreachable!("batches are numbered below their count"),
        }
    }
}

fn pick(batch: &RecordBatch, path: &[&str]) -> Option<ArrayRef> {
    match path {
        [column] => batch.column_by_name(column).cloned(),
        [column, field] => {
            let record = batch.column_by_name(column)?.as_struct_opt()?;
            record.column_by_name(field).cloned()
        }
        _ => unreachable!("a column, or a field of {}", system::RECORD),
    }
}
