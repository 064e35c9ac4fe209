//! Rows as CSV: a column for each leaf, named by its path.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::io::Write;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, Field, FieldRef, Fields, SchemaRef};
use arrow::error::ArrowError;
use arrow::json::writer::{EncoderOptions, NullableEncoder, make_encoder};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use parquet::errors::{ParquetError, Result as EncodeResult};

use super::json_rows::with_offsets;
use crate::format::CsvOptions;

/// How rows of a schema become lines.
pub(super) struct CsvRows {
    options: CsvOptions,
    /// Names of all columns in order.
    names: Vec<String>,
}

/// A column of rows.
struct Leaf {
    field: FieldRef,
    array: ArrayRef,
    /// Where it, or an object that it is in, is null.
    nulls: Option<NullBuffer>,
}

/// Makes the text of a column's values.
enum Cells<'a> {
    /// Of one value.
    Plain(ArrayFormatter<'a>),
    /// Of lists and maps: JSON.
    Json(NullableEncoder<'a>),
}

impl CsvRows {
    pub(super) fn new(schema: &SchemaRef, options: &CsvOptions) -> EncodeResult<Self> {
        let mut names = Vec::new();
        paths(schema.fields(), "", &mut names);
        for (path, header) in &options.headers {
            let at = names.iter().position(|name| name == path);
            let at = at.ok_or_else(|| {
                let known = names.join(", ");
                ParquetError::General(format!(
                    "no column {path:?} to call {header:?}; there are {known}"
                ))
            })?;
            if let Some(name) = names.get_mut(at) {
                name.clone_from(header);
            }
        }
        let mut seen = BTreeSet::new();
        if let Some(twice) = names.iter().find(|name| !seen.insert(name.as_str())) {
            return Err(ParquetError::General(format!(
                "two columns would be called {twice:?}"
            )));
        }
        Ok(Self {
            options: options.clone(),
            names,
        })
    }

    pub(super) fn header(&self) -> Vec<u8> {
        let mut line = Vec::new();
        for (i, name) in self.names.iter().enumerate() {
            self.add(name.as_bytes(), i, &mut line);
        }
        line.push(b'\n');
        line
    }

    /// The lines of some rows.
    pub(super) fn encode(&self, rows: &RecordBatch) -> Result<Vec<u8>, ArrowError> {
        let rows = with_offsets(rows)?;
        let mut leaves = Vec::new();
        for (field, array) in rows.schema_ref().fields().iter().zip(rows.columns()) {
            leaves_of(field, array, None, &mut leaves);
        }
        let plain = FormatOptions::new();
        let json = EncoderOptions::default();
        let mut columns = leaves
            .iter()
            .map(|leaf| Ok((leaf, Cells::of(leaf, &plain, &json)?)))
            .collect::<Result<Vec<_>, ArrowError>>()?;
        let mut lines = Vec::new();
        let mut cell = Vec::new();
        for row in 0..rows.num_rows() {
            for (i, (leaf, cells)) in columns.iter_mut().enumerate() {
                cell.clear();
                if leaf.nulls.as_ref().is_some_and(|nulls| nulls.is_null(row)) {
                    cell.extend_from_slice(self.options.null.as_bytes());
                } else {
                    cells.write(row, &mut cell)?;
                }
                self.add(&cell, i, &mut lines);
            }
            lines.push(b'\n');
        }
        Ok(lines)
    }

    /// Adds the `i`th value of a line, quoted where it could be taken for something else. The crate csv leaves
    /// backslashes alone where they are what escapes.
    fn add(&self, value: &[u8], i: usize, lines: &mut Vec<u8>) {
        let CsvOptions {
            delimiter,
            escapes_with_backslash: backslash,
            ..
        } = self.options;
        if i > 0 {
            lines.push(delimiter);
        }
        let acts = |byte: &u8| {
            *byte == delimiter || b"\"\r\n".contains(byte) || (backslash && *byte == b'\\')
        };
        // A line without a character would be none.
        let is_line = value.is_empty() && self.names.len() == 1;
        if !is_line && !value.iter().any(acts) {
            lines.extend_from_slice(value);
            return;
        }
        lines.push(b'"');
        for byte in value {
            match (byte, backslash) {
                (b'"' | b'\\', true) => lines.push(b'\\'),
                (b'"', false) => lines.push(b'"'),
                _ => {}
            }
            lines.push(*byte);
        }
        lines.push(b'"');
    }
}

impl<'a> Cells<'a> {
    fn of(
        leaf: &'a Leaf,
        plain: &FormatOptions<'a>,
        json: &'a EncoderOptions,
    ) -> Result<Self, ArrowError> {
        Ok(match leaf.field.data_type() {
            DataType::List(_) | DataType::Map(..) => {
                Self::Json(make_encoder(&leaf.field, &leaf.array, json)?)
            }
            _ => Self::Plain(ArrayFormatter::try_new(&leaf.array, plain)?),
        })
    }

    fn write(&mut self, row: usize, cell: &mut Vec<u8>) -> Result<(), ArrowError> {
        match self {
            Self::Plain(formatter) => Ok(write!(cell, "{}", formatter.value(row))?),
            Self::Json(encoder) => {
                encoder.encode(row, cell);
                Ok(())
            }
        }
    }
}

fn path_of<'a>(before: &str, field: &'a Field) -> Cow<'a, str> {
    match before {
        "" => Cow::Borrowed(field.name()),
        before => Cow::Owned(format!("{before}.{}", field.name())),
    }
}

fn paths(fields: &Fields, before: &str, paths_of_all: &mut Vec<String>) {
    for field in fields {
        let path = path_of(before, field);
        match field.data_type() {
            DataType::Struct(fields) => paths(fields, &path, paths_of_all),
            _ => paths_of_all.push(path.into_owned()),
        }
    }
}

fn leaves_of(
    field: &FieldRef,
    array: &ArrayRef,
    above: Option<&NullBuffer>,
    leaves: &mut Vec<Leaf>,
) {
    let nulls = NullBuffer::union(above, array.logical_nulls().as_ref());
    match array.as_struct_opt() {
        Some(object) => {
            for (field, array) in object.fields().iter().zip(object.columns()) {
                leaves_of(field, array, nulls.as_ref(), leaves);
            }
        }
        None => leaves.push(Leaf {
            field: field.clone(),
            array: array.clone(),
            nulls,
        }),
    }
}
