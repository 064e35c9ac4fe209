//! Rows as texts, a cell a value.

use profile_export::arrow::array::{Array, ArrayRef, RecordBatch};
use profile_export::arrow::datatypes::{DataType, Schema};
use profile_export::arrow::util::display::{ArrayFormatter, FormatOptions};
use sql::json_texts;

use crate::failure::Failure;

/// Some rows of a statement, or why there are no more.
pub(super) type Rows = Result<RecordBatch, Failure>;

/// What the columns are called.
pub(super) fn names(schema: &Schema) -> Vec<String> {
    let fields = schema.fields().iter();
    fields.map(|field| field.name().clone()).collect()
}

/// The cells of each row: nothing for null, JSON for what is nested, numbers with all their digits.
pub(super) fn cells(batch: &RecordBatch) -> Result<Vec<Vec<String>>, Failure> {
    let columns = batch.columns().iter().map(texts);
    let mut columns: Vec<_> = columns.collect::<Result<_, _>>()?;
    let row = |row: usize| {
        let cells = columns.iter_mut();
        cells
            .map(|column| std::mem::take(&mut column[row]))
            .collect()
    };
    Ok((0..batch.num_rows()).map(row).collect())
}

fn texts(column: &ArrayRef) -> Result<Vec<String>, Failure> {
    let failed = |error: &dyn std::fmt::Display| Failure::failed(format!("showing rows: {error}"));
    // Times look as they do in JSON.
    if !column.data_type().is_nested() && !is_time(column.data_type()) {
        let options = FormatOptions::new();
        let formatter = ArrayFormatter::try_new(column, &options).map_err(|e| failed(&e))?;
        let text = |row| formatter.value(row).try_to_string();
        let texts = (0..column.len()).map(text).collect::<Result<_, _>>();
        return texts.map_err(|error| failed(&error));
    }
    let texts = json_texts(column).map_err(|e| failed(&e))?;
    let texts = texts.iter().map(|text| text.unwrap_or_default().to_owned());
    Ok(match is_time(column.data_type()) {
        true => texts
            .map(|text| text.trim_matches('"').to_owned())
            .collect(),
        false => texts.collect(),
    })
}

fn is_time(ty: &DataType) -> bool {
    matches!(
        ty,
        DataType::Timestamp(..) | DataType::Date32 | DataType::Date64
    )
}
