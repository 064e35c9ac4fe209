//! The cells of a batch of rows.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, BooleanArray, Date32Array, Float32Array, Float64Array,
    Int16Array, Int32Array, Int64Array, RecordBatch, StringArray, StringViewArray,
    Time64MicrosecondArray, TimestampMicrosecondArray, UInt32Array,
};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{
    DataType, Date32Type, Float32Type, Float64Type, Int16Type, Int32Type, Int64Type,
    Time64MicrosecondType, TimeUnit, TimestampMicrosecondType, UInt32Type,
};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use sql::{double_text, float_text, json_texts};

use super::{Nested, Pg, binary, nested, text};
use crate::refusal::{OUT_OF_RANGE, Problem, Refusal};

/// A batch of rows whose cells can be written.
pub(crate) struct Cells {
    columns: Vec<(Values, bool)>,
    rows: usize,
}

/// The values of a column, of as few types as there are ways to write them.
enum Values {
    Bool(BooleanArray),
    Int2(Int16Array),
    Int4(Int32Array),
    Int8(Int64Array),
    Oid(UInt32Array),
    Float4(Float32Array),
    Float8(Float64Array),
    Text(StringArray),
    View(StringViewArray),
    Bytes(BinaryArray),
    Date(Date32Array),
    Time(Time64MicrosecondArray),
    Timestamp(TimestampMicrosecondArray),
    /// As texts.
    Numeric(StringArray),
}

impl Cells {
    /// The cells of rows; `binary` says which columns are written so.
    ///
    /// # Errors
    ///
    /// A value is out of the range of the type that it is sent in.
    pub(crate) fn new(
        rows: &RecordBatch,
        binary: impl Iterator<Item = bool>,
        style: Nested,
    ) -> Result<Self, Problem> {
        let columns = rows.columns().iter().zip(binary);
        let columns =
            columns.map(|(column, binary)| Ok::<_, Problem>((Values::of(column, style)?, binary)));
        Ok(Self {
            columns: columns.collect::<Result<_, _>>()?,
            rows: rows.num_rows(),
        })
    }

    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    pub(crate) fn columns(&self) -> usize {
        self.columns.len()
    }

    pub(crate) fn is_null(&self, row: usize, column: usize) -> bool {
        self.columns[column].0.array().is_null(row)
    }

    /// Writes the value of a cell, which is not null.
    pub(crate) fn write(
        &self,
        row: usize,
        column: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), Refusal> {
        let (values, is_binary) = &self.columns[column];
        match is_binary {
            true => values.binary(row, out),
            false => values.text(row, out),
        }
    }

    /// Writes a row with the length in front of each value; -1 is null.
    pub(crate) fn row(&self, row: usize, out: &mut Vec<u8>) -> Result<(), Refusal> {
        out.extend((self.columns.len() as u16).to_be_bytes());
        for column in 0..self.columns.len() {
            if self.is_null(row, column) {
                out.extend((-1_i32).to_be_bytes());
                continue;
            }
            let start = out.len();
            out.extend([0; 4]);
            self.write(row, column, out)?;
            let length = (out.len() - start - 4) as u32;
            out[start..start + 4].copy_from_slice(&length.to_be_bytes());
        }
        Ok(())
    }
}

/// Values that are in no range are an error, not a null.
const STRICT: CastOptions<'static> = CastOptions {
    safe: false,
    format_options: FormatOptions::new(),
};

impl Values {
    fn of(column: &ArrayRef, style: Nested) -> Result<Self, Problem> {
        let ty = column.data_type();
        let cast = |ty: &DataType| match column.data_type() == ty {
            true => Ok(Arc::clone(column)),
            false => cast_with_options(column, ty, &STRICT),
        };
        if ty.is_nested() {
            return Ok(Self::Text(match style {
                Nested::Platform => nested::texts(column)?,
                Nested::Json => json_texts(column)?,
            }));
        }
        Ok(match Pg::of(ty) {
            Pg::Bool => Self::Bool(column.as_boolean().clone()),
            Pg::Int2 => Self::Int2(cast(&DataType::Int16)?.as_primitive::<Int16Type>().clone()),
            Pg::Int4 => Self::Int4(cast(&DataType::Int32)?.as_primitive::<Int32Type>().clone()),
            Pg::Int8 => Self::Int8(cast(&DataType::Int64)?.as_primitive::<Int64Type>().clone()),
            Pg::Oid => Self::Oid(column.as_primitive::<UInt32Type>().clone()),
            Pg::Float4 => Self::Float4(
                cast(&DataType::Float32)?
                    .as_primitive::<Float32Type>()
                    .clone(),
            ),
            Pg::Float8 => Self::Float8(column.as_primitive::<Float64Type>().clone()),
            Pg::Bytea => Self::Bytes(cast(&DataType::Binary)?.as_binary::<i32>().clone()),
            Pg::Date => Self::Date(
                cast(&DataType::Date32)?
                    .as_primitive::<Date32Type>()
                    .clone(),
            ),
            Pg::Time => {
                let micros = cast(&DataType::Time64(TimeUnit::Microsecond))?;
                Self::Time(micros.as_primitive::<Time64MicrosecondType>().clone())
            }
            Pg::Timestamp => {
                let zone = match ty {
                    DataType::Timestamp(_, zone) => zone.clone(),
                    _ => None,
                };
                let micros = cast(&DataType::Timestamp(TimeUnit::Microsecond, zone))?;
                Self::Timestamp(micros.as_primitive::<TimestampMicrosecondType>().clone())
            }
            Pg::Numeric => Self::Numeric(cast(&DataType::Utf8)?.as_string::<i32>().clone()),
            Pg::Text => match ty {
                DataType::Utf8View => Self::View(column.as_string_view().clone()),
                DataType::Utf8
                | DataType::LargeUtf8
                | DataType::Dictionary(..)
                | DataType::RunEndEncoded(..)
                | DataType::Null => Self::Text(cast(&DataType::Utf8)?.as_string::<i32>().clone()),
                _ => Self::Text(shown(column)?),
            },
        })
    }

    fn array(&self) -> &dyn Array {
        match self {
            Self::Bool(values) => values,
            Self::Int2(values) => values,
            Self::Int4(values) => values,
            Self::Int8(values) => values,
            Self::Oid(values) => values,
            Self::Float4(values) => values,
            Self::Float8(values) => values,
            Self::Text(values) | Self::Numeric(values) => values,
            Self::View(values) => values,
            Self::Bytes(values) => values,
            Self::Date(values) => values,
            Self::Time(values) => values,
            Self::Timestamp(values) => values,
        }
    }

    fn text(&self, row: usize, out: &mut Vec<u8>) -> Result<(), Refusal> {
        match self {
            Self::Bool(values) => text::boolean(values.value(row), out),
            Self::Int2(values) => text::whole(values.value(row), out),
            Self::Int4(values) => text::whole(values.value(row), out),
            Self::Int8(values) => text::whole(values.value(row), out),
            Self::Oid(values) => text::whole(values.value(row), out),
            Self::Float4(values) => out.extend(float_text(values.value(row)).bytes()),
            Self::Float8(values) => out.extend(double_text(values.value(row)).bytes()),
            Self::Text(values) | Self::Numeric(values) => {
                out.extend_from_slice(values.value(row).as_bytes());
            }
            Self::View(values) => out.extend_from_slice(values.value(row).as_bytes()),
            Self::Bytes(values) => text::bytes(values.value(row), out),
            Self::Date(values) => {
                let days = values.value(row);
                text::date(days, out).ok_or_else(|| out_of_range("date", days.into()))?;
            }
            Self::Time(values) => text::time(values.value(row), out),
            Self::Timestamp(values) => {
                let micros = values.value(row);
                text::timestamp(micros, out).ok_or_else(|| out_of_range("timestamp", micros))?;
            }
        }
        Ok(())
    }

    fn binary(&self, row: usize, out: &mut Vec<u8>) -> Result<(), Refusal> {
        match self {
            Self::Bool(values) => out.push(u8::from(values.value(row))),
            Self::Int2(values) => out.extend(values.value(row).to_be_bytes()),
            Self::Int4(values) => out.extend(values.value(row).to_be_bytes()),
            Self::Int8(values) => out.extend(values.value(row).to_be_bytes()),
            Self::Oid(values) => out.extend(values.value(row).to_be_bytes()),
            Self::Float4(values) => out.extend(values.value(row).to_be_bytes()),
            Self::Float8(values) => out.extend(values.value(row).to_be_bytes()),
            Self::Text(values) => out.extend_from_slice(values.value(row).as_bytes()),
            Self::View(values) => out.extend_from_slice(values.value(row).as_bytes()),
            Self::Bytes(values) => out.extend_from_slice(values.value(row)),
            Self::Numeric(values) => binary::numeric(values.value(row), out),
            Self::Date(values) => {
                let days = values.value(row);
                let own = days.checked_sub(binary::DAYS);
                let own = own.ok_or_else(|| out_of_range("date", days.into()))?;
                out.extend(own.to_be_bytes());
            }
            Self::Time(values) => out.extend(values.value(row).to_be_bytes()),
            Self::Timestamp(values) => {
                let micros = values.value(row);
                let own = micros.checked_sub(binary::MICROS);
                let own = own.ok_or_else(|| out_of_range("timestamp", micros))?;
                out.extend(own.to_be_bytes());
            }
        }
        Ok(())
    }
}

/// What PostgreSQL has no type for, as Arrow shows it.
fn shown(column: &ArrayRef) -> Result<StringArray, Problem> {
    let options = FormatOptions::new();
    let formatter = ArrayFormatter::try_new(column, &options)?;
    let text = |row| match column.is_null(row) {
        true => Ok(None),
        false => formatter.value(row).try_to_string().map(Some),
    };
    Ok((0..column.len()).map(text).collect::<Result<_, _>>()?)
}

fn out_of_range(what: &str, value: i64) -> Refusal {
    Refusal::new(
        OUT_OF_RANGE,
        format!("a {what} is out of range: {value} since 1970"),
    )
}

#[cfg(test)]
mod tests {
    use arrow::array::{
        Decimal128Array, DictionaryArray, NullArray, TimestampMillisecondArray, UInt64Array,
    };
    use arrow::datatypes::Int32Type as Key;

    use super::*;

    fn cells(column: ArrayRef, binary: bool) -> Result<Vec<Option<Vec<u8>>>, Problem> {
        let rows = RecordBatch::try_from_iter_with_nullable([("c", column, true)])?;
        let cells = Cells::new(&rows, std::iter::once(binary), Nested::Platform)?;
        let cell = |row| {
            if cells.is_null(row, 0) {
                return Ok(None);
            }
            let mut out = Vec::new();
            cells.write(row, 0, &mut out)?;
            Ok(Some(out))
        };
        (0..cells.rows()).map(cell).collect()
    }

    fn texts(column: ArrayRef) -> Vec<Option<String>> {
        let cells = cells(column, false).expect("cells");
        let text = |bytes| String::from_utf8(bytes).expect("a text");
        cells.into_iter().map(|cell| cell.map(text)).collect()
    }

    #[test]
    fn values_are_written_as_texts() {
        let some = |text: &str| Some(text.to_owned());
        let times = TimestampMillisecondArray::from(vec![Some(1_500), None]).with_timezone("UTC");
        assert_eq!(
            texts(Arc::new(times)),
            [some("1970-01-01 00:00:01.5"), None]
        );
        let booleans = BooleanArray::from(vec![true, false]);
        assert_eq!(texts(Arc::new(booleans)), [some("t"), some("f")]);
        let doubles = Float64Array::from(vec![1.0, 0.1, 1e10, f64::NAN]);
        assert_eq!(
            texts(Arc::new(doubles)),
            ["1.0", "0.1", "1.0E10", "NaN"].map(some)
        );
        let words: DictionaryArray<Key> = [Some("a"), None].into_iter().collect();
        assert_eq!(texts(Arc::new(words)), [some("a"), None]);
        assert_eq!(texts(Arc::new(NullArray::new(1))), [None]);
        let decimals = Decimal128Array::from(vec![1250])
            .with_precision_and_scale(10, 2)
            .expect("a scale");
        assert_eq!(texts(Arc::new(decimals)), [some("12.50")]);
    }

    #[test]
    fn values_are_written_in_binary() {
        let times = TimestampMillisecondArray::from(vec![946_684_800_001]);
        let found = cells(Arc::new(times), true).expect("cells");
        assert_eq!(found, [Some(1000_i64.to_be_bytes().to_vec())]);
        let days = Date32Array::from(vec![10_956]);
        let found = cells(Arc::new(days), true).expect("cells");
        assert_eq!(found, [Some((-1_i32).to_be_bytes().to_vec())]);
    }

    #[test]
    fn a_number_that_does_not_fit_is_an_error_and_no_null() {
        assert!(cells(Arc::new(UInt64Array::from(vec![u64::MAX])), false).is_err());
        let micros = TimestampMicrosecondArray::from(vec![i64::MIN]);
        assert!(cells(Arc::new(micros), true).is_err());
    }
}
