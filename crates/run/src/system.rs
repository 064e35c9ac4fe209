//! The columns that a run has beside its records.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, StructArray, TimestampMicrosecondArray, UInt64Array};
use arrow::datatypes::{DataType, Field, TimeUnit};
use arrow::error::ArrowError;
use decode::IdentifiedRows;
use xdm::{FieldType, Fields};

pub(crate) const NAMESPACE: &str = "namespace";
pub(crate) const ID: &str = "id";
pub(crate) const INGESTED_AT: &str = "ingestedAt";
pub(crate) const SEQUENCE: &str = "sequence";
pub(crate) const UPDATED_AT: &str = "updatedAt";
pub(crate) const LINKS: &str = "links";
pub(crate) const RECORD: &str = "record";

/// The type of a run's rows: system columns and the record.
pub(crate) fn run_type(types: &Fields) -> DataType {
    let micros = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    DataType::Struct(
        vec![
            Field::new(NAMESPACE, DataType::Utf8, false),
            Field::new(ID, DataType::Utf8, false),
            Field::new(INGESTED_AT, micros.clone(), false),
            Field::new(SEQUENCE, DataType::UInt64, false),
            Field::new(UPDATED_AT, micros, false),
            Field::new(LINKS, xdm::list_of(DataType::FixedSizeBinary(16)), true),
            Field::new(
                RECORD,
                FieldType::Object(types.clone()).stored_type(),
                false,
            ),
        ]
        .into(),
    )
}

/// Decoded records as rows of a run.
pub(crate) fn system_columns(rows: &IdentifiedRows) -> Result<StructArray, ArrowError> {
    let columns: Vec<(&str, ArrayRef)> = vec![
        (NAMESPACE, rows.namespaces.clone()),
        (ID, rows.ids.clone()),
        (INGESTED_AT, micros(&rows.ingested)),
        (
            SEQUENCE,
            Arc::new(UInt64Array::from(rows.sequences.clone())),
        ),
        (UPDATED_AT, micros(&rows.updated)),
        (LINKS, rows.links.clone()),
        (RECORD, Arc::new(rows.records.clone())),
    ];
    let fields: Vec<Field> = columns
        .iter()
        .map(|(name, array)| Field::new(*name, array.data_type().clone(), *name == LINKS))
        .collect();
    let arrays = columns.into_iter().map(|(_, array)| array).collect();
    StructArray::try_new_with_length(fields.into(), arrays, None, rows.keys.len())
}

fn micros(values: &[i64]) -> ArrayRef {
    Arc::new(TimestampMicrosecondArray::from(values.to_vec()).with_timezone("UTC"))
}
