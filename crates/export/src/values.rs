//! Rows as JSON values, for what is looked at row by row.

use arrow::array::RecordBatch;
use arrow::error::ArrowError;
use serde_json::{Deserializer, Map, Value};
use writer::json_rows;

use crate::error::Result;

/// The rows as JSON objects, as an NDJSON file has them.
///
/// # Errors
/// A type that JSON has no form for.
pub fn json_values(rows: &RecordBatch) -> Result<Vec<Value>> {
    let lines = json_rows(rows)?;
    let values = Deserializer::from_slice(&lines).into_iter();
    let values = values.collect::<serde_json::Result<_>>();
    Ok(values.map_err(|error| ArrowError::JsonError(error.to_string()))?)
}

/// The leaves of a row by their paths, with dots between. A list is a leaf; an object without a field has none.
#[must_use]
pub fn leaves(row: &Value) -> Map<String, Value> {
    fn add(value: &Value, path: &str, found: &mut Map<String, Value>) {
        match value {
            Value::Object(fields) => {
                for (name, value) in fields {
                    let path = match path {
                        "" => name.clone(),
                        path => format!("{path}.{name}"),
                    };
                    add(value, &path, found);
                }
            }
            leaf => {
                found.insert(path.to_owned(), leaf.clone());
            }
        }
    }
    let mut found = Map::new();
    add(row, "", &mut found);
    found
}
