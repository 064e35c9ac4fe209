//! Fields of rows by their paths.

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::buffer::{BooleanBuffer, NullBuffer};
use xdm::FieldPath;

/// A field's values, and where it, or an object that it is in, is null.
pub(crate) fn field(
    rows: &RecordBatch,
    path: &FieldPath,
) -> (Option<ArrayRef>, Option<NullBuffer>) {
    let mut nulls = None;
    let mut parts = path.parts().iter();
    let mut column = parts.next().and_then(|part| rows.column_by_name(part));
    while let Some(array) = column {
        nulls = NullBuffer::union(nulls.as_ref(), array.logical_nulls().as_ref());
        column = match (parts.next(), array.as_struct_opt()) {
            (None, _) => return (Some(array.clone()), nulls),
            (Some(part), Some(object)) => object.column_by_name(part),
            (Some(_), None) => None,
        };
    }
    (None, nulls)
}

/// The rows that have all of these fields; `None` where none is mandatory.
pub(crate) fn complete(rows: &RecordBatch, mandatory: &[FieldPath]) -> Option<BooleanBuffer> {
    if mandatory.is_empty() {
        return None;
    }
    let nulls = mandatory.iter().map(|path| field(rows, path).1);
    let nulls = nulls.fold(None, |all, own| {
        NullBuffer::union(all.as_ref(), own.as_ref())
    });
    let all = BooleanBuffer::new_set(rows.num_rows());
    Some(nulls.map_or(all, NullBuffer::into_inner))
}
