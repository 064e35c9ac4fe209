//! Rows as JSON.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, FieldRef, Schema};
use arrow::error::ArrowError;
use arrow::json::LineDelimitedWriter;

/// The rows as JSON objects, a line each. Fields that are null are left out, maps are objects, times are RFC 3339 in
/// UTC; a number that is none (NaN) or infinite is null, since JSON has no other word for it.
///
/// # Errors
/// A type that JSON has no form for.
pub fn json_rows(rows: &RecordBatch) -> Result<Vec<u8>, ArrowError> {
    let mut writer = LineDelimitedWriter::new(Vec::new());
    writer.write(&with_offsets(rows)?)?;
    writer.finish()?;
    Ok(writer.into_inner())
}

/// Rows whose moments have an offset for the zone, since names of zones can't be written without a table of all, and
/// whose maps have keys in plain text.
pub(super) fn with_offsets(rows: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    let columns: Vec<ArrayRef> = (rows.columns().iter())
        .map(|column| cast(column, &with_offset(column.data_type())))
        .collect::<Result<_, _>>()?;
    let fields = rows.schema_ref().fields().iter().zip(&columns);
    let fields = fields
        .map(|(field, column)| Field::clone(field).with_data_type(column.data_type().clone()));
    let schema = Schema::new(fields.collect::<Vec<_>>());
    let options = RecordBatchOptions::new().with_row_count(Some(rows.num_rows()));
    RecordBatch::try_new_with_options(Arc::new(schema), columns, &options)
}

fn with_offset(ty: &DataType) -> DataType {
    let field = |field: &FieldRef| {
        let ty = with_offset(field.data_type());
        Arc::new(Field::clone(field).with_data_type(ty))
    };
    match ty {
        DataType::Timestamp(unit, Some(_)) => DataType::Timestamp(*unit, Some("+00:00".into())),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(field).collect()),
        DataType::List(item) => DataType::List(field(item)),
        DataType::Map(entry, is_sorted) => {
            let DataType::Struct(fields) = with_offset(entry.data_type()) else {
                unreachable!("a map's entries are structs");
            };
            let fields = fields
                .iter()
                .enumerate()
                .map(|(i, field)| match field.data_type() {
                    DataType::Dictionary(_, key) if i == 0 => {
                        Arc::new(Field::clone(field).with_data_type(DataType::clone(key)))
                    }
                    _ => field.clone(),
                });
            let entry = Field::clone(entry).with_data_type(DataType::Struct(fields.collect()));
            DataType::Map(Arc::new(entry), *is_sorted)
        }
        other => other.clone(),
    }
}
