//! Parquet files as JSON rows: what an export is compared by.
//!
//! Null fields of structs are left out, so that `{}` is a struct of nulls and an absent field a null
//! one; maps become objects that keep their null values; timestamps become `{"µs": n}`, dates
//! `{"day": n}`; all numbers are floats.

use std::fs::File;
use std::path::Path;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::*;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::{Map, Value, json};

pub fn rows(path: &Path) -> Vec<Value> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(path).unwrap())
        .unwrap()
        .build()
        .unwrap();
    let mut rows = Vec::new();
    for batch in reader {
        let batch: RecordBatch = batch.unwrap();
        for row in 0..batch.num_rows() {
            let mut object = Map::new();
            for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
                let value = cell(column.as_ref(), row);
                if !value.is_null() {
                    object.insert(field.name().clone(), value);
                }
            }
            rows.push(Value::Object(object));
        }
    }
    rows
}

fn cell(array: &dyn Array, row: usize) -> Value {
    if array.is_null(row) {
        return Value::Null;
    }
    match array.data_type() {
        DataType::Boolean => json!(array.as_boolean().value(row)),
        DataType::Int8 => json!(f64::from(array.as_primitive::<Int8Type>().value(row))),
        DataType::Int16 => json!(f64::from(array.as_primitive::<Int16Type>().value(row))),
        DataType::Int32 => json!(f64::from(array.as_primitive::<Int32Type>().value(row))),
        DataType::Int64 => json!(array.as_primitive::<Int64Type>().value(row) as f64),
        DataType::Float64 => json!(array.as_primitive::<Float64Type>().value(row)),
        DataType::Utf8 => json!(array.as_string::<i32>().value(row)),
        DataType::Date32 => json!({"day": array.as_primitive::<Date32Type>().value(row)}),
        DataType::Timestamp(TimeUnit::Microsecond, Some(zone)) => {
            assert_eq!(zone.as_ref(), "UTC");
            json!({"µs": array.as_primitive::<TimestampMicrosecondType>().value(row)})
        }
        DataType::List(_) => {
            let items = array.as_list::<i32>().value(row);
            (0..items.len()).map(|i| cell(items.as_ref(), i)).collect()
        }
        DataType::Struct(fields) => {
            let mut object = Map::new();
            for (field, column) in fields.iter().zip(array.as_struct().columns()) {
                let value = cell(column.as_ref(), row);
                if !value.is_null() {
                    object.insert(field.name().clone(), value);
                }
            }
            Value::Object(object)
        }
        DataType::Map(..) => {
            let entries = array.as_map().value(row);
            let (keys, values) = (entries.column(0), entries.column(1));
            let mut object = Map::new();
            for i in 0..entries.len() {
                let key = keys.as_string::<i32>().value(i).to_owned();
                let before = object.insert(key, cell(values.as_ref(), i));
                assert!(before.is_none(), "a key twice in a map");
            }
            Value::Object(object)
        }
        other => panic!("an export with a column of type {other}"),
    }
}
