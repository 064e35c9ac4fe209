//! Small tables, told by a line: `oid:o relname:t relkind:t`.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Float32Array, Int16Array, Int16Builder, Int32Array, Int64Array,
    ListBuilder, RecordBatch, RecordBatchOptions, StringArray, StringBuilder, UInt32Array,
};
use arrow::datatypes::{Field, Schema};
use arrow::error::ArrowError;

/// A value of a row.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Cell {
    Text(String),
    Number(i64),
    Bool(bool),
    Null,
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<u32> for Cell {
    fn from(number: u32) -> Self {
        Self::Number(number.into())
    }
}

impl From<i32> for Cell {
    fn from(number: i32) -> Self {
        Self::Number(number.into())
    }
}

impl From<bool> for Cell {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl<T: Into<Self>> From<Option<T>> for Cell {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, T::into)
    }
}

/// A row's values by the names of their columns; the others are 0, false, or null.
pub(super) type Row = Vec<(&'static str, Cell)>;

/// A table of these columns and rows. Behind a column's name stands its type: `o` a number of a thing, `t` text, `b`
/// boolean, `s`, `i`, `l` whole numbers of 2, 4, 8 bytes, `f` a number with a point, `a` a list of texts, `v` a list of
/// numbers.
pub(super) fn sheet(columns: &str, rows: &[Row]) -> Result<RecordBatch, ArrowError> {
    let mut fields = Vec::new();
    let mut arrays: Vec<ArrayRef> = Vec::new();
    for column in columns.split_whitespace() {
        let Some((name, ty)) = column.split_once(':') else {
            return Err(ArrowError::SchemaError(format!(
                "{column}: a column without a type"
            )));
        };
        let cells = || {
            rows.iter().map(move |row| {
                let own = row.iter().find(|(own, _)| *own == name);
                own.map(|(_, cell)| cell)
            })
        };
        let array = array(name, ty, cells)?;
        fields.push(Field::new(name, array.data_type().clone(), true));
        arrays.push(array);
    }
    if let Some((name, _)) = rows
        .iter()
        .flatten()
        .find(|(name, _)| !fields.iter().any(|field| field.name() == name))
    {
        return Err(ArrowError::SchemaError(format!(
            "there is no column {name}"
        )));
    }
    let options = RecordBatchOptions::new().with_row_count(Some(rows.len()));
    RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), arrays, &options)
}

fn array<'a, I: Iterator<Item = Option<&'a Cell>>>(
    name: &str,
    ty: &str,
    cells: impl Fn() -> I,
) -> Result<ArrayRef, ArrowError> {
    let wrong = |cell: &Cell| ArrowError::SchemaError(format!("{name}: {cell:?} is none of {ty}"));
    let numbers = || {
        cells().map(|cell| match cell {
            None => Ok(Some(0)),
            Some(Cell::Null) => Ok(None),
            Some(Cell::Number(number)) => Ok(Some(*number)),
            Some(other) => Err(wrong(other)),
        })
    };
    // What doesn't fit is none of the numbers that are written here.
    let narrow = |number: i64| ArrowError::SchemaError(format!("{name}: {number} is too large"));
    macro_rules! whole {
        ($array:ty, $native:ty) => {{
            let all: Vec<Option<$native>> = numbers()
                .map(|number| {
                    let Some(number) = number? else {
                        return Ok(None);
                    };
                    <$native>::try_from(number)
                        .map(Some)
                        .map_err(|_| narrow(number))
                })
                .collect::<Result<_, ArrowError>>()?;
            Ok(Arc::new(<$array>::from(all)) as ArrayRef)
        }};
    }
    match ty {
        "o" => whole!(UInt32Array, u32),
        "s" => whole!(Int16Array, i16),
        "i" => whole!(Int32Array, i32),
        "l" => whole!(Int64Array, i64),
        "f" => {
            let all =
                numbers().map(|number| number.map(|number| number.map(|number| number as f32)));
            Ok(Arc::new(all.collect::<Result<Float32Array, _>>()?))
        }
        "b" => {
            let all = cells().map(|cell| match cell {
                None => Ok(Some(false)),
                Some(Cell::Null) => Ok(None),
                Some(Cell::Bool(value)) => Ok(Some(*value)),
                Some(other) => Err(wrong(other)),
            });
            Ok(Arc::new(all.collect::<Result<BooleanArray, _>>()?))
        }
        "t" => {
            let all = cells().map(|cell| match cell {
                None | Some(Cell::Null) => Ok(None),
                Some(Cell::Text(text)) => Ok(Some(text.as_str())),
                Some(other) => Err(wrong(other)),
            });
            Ok(Arc::new(all.collect::<Result<StringArray, _>>()?))
        }
        // No row has one yet.
        "a" => {
            let mut lists = ListBuilder::new(StringBuilder::new());
            cells().for_each(|_| lists.append_null());
            Ok(Arc::new(lists.finish()))
        }
        "v" => {
            let mut lists = ListBuilder::new(Int16Builder::new());
            cells().for_each(|_| lists.append_null());
            Ok(Arc::new(lists.finish()))
        }
        other => Err(ArrowError::SchemaError(format!(
            "{name}: {other} is no type"
        ))),
    }
}
