//! The columns that a run has beside its records.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, RecordBatch, StructArray, TimestampMicrosecondArray, UInt64Array,
};
use arrow::datatypes::{DataType, Field, TimeUnit, TimestampMicrosecondType};
use arrow::error::ArrowError;
use decode::IdentifiedRows;
use xdm::{FieldType, Fields};

use crate::read::wrong_table;

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
            Field::new(UPDATED_AT, micros, true),
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
        .map(|(name, array)| {
            let is_nullable = [LINKS, UPDATED_AT].contains(name);
            Field::new(*name, array.data_type().clone(), is_nullable)
        })
        .collect();
    let arrays = columns.into_iter().map(|(_, array)| array).collect();
    StructArray::try_new_with_length(fields.into(), arrays, None, rows.keys.len())
}

/// The batch without times of update that are those of ingest: most are.
pub(crate) fn without_repeats(batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    let times = |name: &str| {
        let column = batch.column_by_name(name);
        column.and_then(|c| c.as_primitive_opt::<TimestampMicrosecondType>())
    };
    let (Some(ingested), Some(updated)) = (times(INGESTED_AT), times(UPDATED_AT)) else {
        return Err(wrong_table());
    };
    let others = ingested.values().iter().zip(updated.iter());
    let others = others.map(|(ingested, updated)| updated.filter(|at| at != ingested));
    let others = others
        .collect::<TimestampMicrosecondArray>()
        .with_timezone("UTC");
    let (at, _) = batch
        .schema_ref()
        .column_with_name(UPDATED_AT)
        .ok_or_else(wrong_table)?;
    let mut columns = batch.columns().to_vec();
    columns.splice(at..=at, [Arc::new(others) as ArrayRef]);
    RecordBatch::try_new(batch.schema(), columns)
}

fn micros(values: &[i64]) -> ArrayRef {
    Arc::new(TimestampMicrosecondArray::from(values.to_vec()).with_timezone("UTC"))
}
