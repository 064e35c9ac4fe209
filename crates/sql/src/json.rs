//! Values as JSON.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch, StringArray};
use arrow::datatypes::{Field, Schema};
use arrow::error::ArrowError;
use profile_export::export::json_rows;

/// The values of a column as files of JSON have them: objects leave out what is null.
///
/// # Errors
///
/// JSON has no such values.
pub fn json_texts(column: &ArrayRef) -> Result<StringArray, ArrowError> {
    let field = Field::new("", column.data_type().clone(), true);
    let alone = RecordBatch::try_new(Arc::new(Schema::new(vec![field])), vec![column.clone()])?;
    let lines = json_rows(&alone)?;
    let lines = std::str::from_utf8(&lines)
        .map_err(|error| ArrowError::JsonError(format!("rows that are no UTF-8: {error}")))?;
    // A null is left out of its object.
    let value = |line: &str| {
        line.strip_prefix("{\"\":")
            .and_then(|rest| rest.strip_suffix('}'))
            .map(str::to_owned)
    };
    let texts: StringArray = lines.lines().map(value).collect();
    match texts.len() == column.len() {
        true => Ok(texts),
        false => Err(ArrowError::JsonError(format!(
            "{} values gave {} lines",
            column.len(),
            texts.len()
        ))),
    }
}
