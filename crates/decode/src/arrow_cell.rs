#[cfg(test)]
mod tests;

use std::ops::Range;

use arrow::array::{Array, AsArray, GenericListArray, OffsetSizeTrait, StructArray};
use arrow::datatypes::{
    DataType, Date32Type, Date64Type, Decimal32Type, Decimal64Type, Decimal128Type, Decimal256Type,
    Field, Float16Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    RunEndIndexType, TimeUnit, TimestampMicrosecondType, TimestampMillisecondType,
    TimestampNanosecondType, TimestampSecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
    i256,
};
use bumpalo::Bump;

use crate::arrow_types::is_uuid;
use crate::decimal::Decimal;
use crate::value::{Key, Kind, ObjectEntries, RecordError, Value};

/// The longest text that a cell may hold: as much as a line of JSON.
const LONGEST_TEXT: usize = 16 << 20;

const MILLIS_OF_DAY: i64 = 86_400_000;

/// A cell of an Arrow array, as a record's value: how Parquet input comes in.
#[derive(Clone, Copy)]
pub(crate) struct ArrowCell<'a> {
    array: &'a dyn Array,
    row: usize,
    /// Whether the array's bytes are UUIDs.
    is_uuid: bool,
    /// For values that are not in the array as such.
    made: &'a Bump,
}

impl<'a> ArrowCell<'a> {
    /// A row of a batch of records. What has to be made from its cells is put into `made`.
    pub(crate) fn record(batch: &'a StructArray, row: usize, made: &'a Bump) -> Self {
        Self {
            array: batch,
            row,
            is_uuid: false,
            made,
        }
    }

    /// A row of a column. What has to be made from it is put into `made`.
    pub(crate) fn of(field: &Field, array: &'a dyn Array, row: usize, made: &'a Bump) -> Self {
        Self {
            array,
            row,
            is_uuid: is_uuid(field),
            made,
        }
    }

    /// A cell of an array in this cell's, whose field is `field`.
    fn child(self, field: &Field, array: &'a dyn Array, row: usize) -> Self {
        Self::of(field, array, row, self.made)
    }

    /// The cell that has the value, behind dictionaries and runs; none where there is no value.
    fn resolved(self) -> Option<Self> {
        let mut cell = self;
        loop {
            let (array, row) = (cell.array, cell.row);
            if array.is_null(row) {
                return None;
            }
            (cell.array, cell.row) = match array.data_type() {
                DataType::Null => return None,
                DataType::Dictionary(..) => {
                    let dictionary = array.as_any_dictionary();
                    let key = key_of(dictionary.keys(), row);
                    (dictionary.values().as_ref(), key)
                }
                DataType::RunEndEncoded(ends, _) => match ends.data_type() {
                    DataType::Int16 => run_of::<Int16Type>(array, row),
                    DataType::Int32 => run_of::<Int32Type>(array, row),
                    _ => run_of::<Int64Type>(array, row),
                },
                _ => return Some(cell),
            };
        }
    }

    /// The rows of a list's items, with their field and array.
    fn list(self) -> Option<(&'a Field, &'a dyn Array, Range<usize>)> {
        let (a, i) = (self.array, self.row);
        let (item, values, rows) = match a.data_type() {
            DataType::List(item) => (item, a.as_list::<i32>().values(), range::<i32>(a, i)),
            DataType::LargeList(item) => (item, a.as_list::<i64>().values(), range::<i64>(a, i)),
            DataType::FixedSizeList(item, _) => {
                let list = a.as_fixed_size_list();
                (
                    item,
                    list.values(),
                    from(list.value_offset(i), list.value_length()),
                )
            }
            DataType::ListView(item) => {
                let list = a.as_list_view::<i32>();
                (
                    item,
                    list.values(),
                    from(list.value_offset(i), list.value_size(i)),
                )
            }
            DataType::LargeListView(item) => {
                let list = a.as_list_view::<i64>();
                (
                    item,
                    list.values(),
                    from(list.value_offset(i), list.value_size(i)),
                )
            }
            _ => return None,
        };
        Some((item, values.as_ref(), rows))
    }

    /// A UUID in its usual form: hexadecimal digits, lower case, in groups of 8, 4, 4, 4, 12.
    fn uuid(self, bytes: &[u8]) -> Kind<'a> {
        let mut text = String::with_capacity(36);
        for (i, byte) in bytes.iter().enumerate() {
            if matches!(i, 4 | 6 | 8 | 10) {
                text.push('-');
            }
            for digit in [byte >> 4, byte & 15] {
                text.push(char::from(b"0123456789abcdef"[usize::from(digit)]));
            }
        }
        Kind::Text(self.made.alloc_str(&text))
    }

    fn decimal(self, unscaled: impl Into<i256>, scale: i8) -> Kind<'a> {
        Kind::Decimal(self.made.alloc(Decimal::new(unscaled.into(), scale)))
    }
}

impl<'a> Value<'a> for ArrowCell<'a> {
    type Entries = CellEntries<'a>;

    fn kind(self) -> Result<Kind<'a>, RecordError> {
        let Some(cell) = self.resolved() else {
            return Ok(Kind::Null);
        };
        let (a, i) = (cell.array, cell.row);
        Ok(match a.data_type() {
            DataType::Boolean => Kind::Boolean(a.as_boolean().value(i)),
            DataType::Int8 => Kind::Integer(a.as_primitive::<Int8Type>().value(i).into()),
            DataType::Int16 => Kind::Integer(a.as_primitive::<Int16Type>().value(i).into()),
            DataType::Int32 => Kind::Integer(a.as_primitive::<Int32Type>().value(i).into()),
            DataType::Int64 => Kind::Integer(a.as_primitive::<Int64Type>().value(i)),
            DataType::UInt8 => Kind::Integer(a.as_primitive::<UInt8Type>().value(i).into()),
            DataType::UInt16 => Kind::Integer(a.as_primitive::<UInt16Type>().value(i).into()),
            DataType::UInt32 => Kind::Integer(a.as_primitive::<UInt32Type>().value(i).into()),
            DataType::UInt64 => {
                let value = a.as_primitive::<UInt64Type>().value(i);
                i64::try_from(value).map_or(Kind::Large(value), Kind::Integer)
            }
            DataType::Float16 => Kind::Float(a.as_primitive::<Float16Type>().value(i).into()),
            DataType::Float32 => Kind::Float(a.as_primitive::<Float32Type>().value(i).into()),
            DataType::Float64 => Kind::Float(a.as_primitive::<Float64Type>().value(i)),
            DataType::Decimal32(_, scale) => {
                cell.decimal(a.as_primitive::<Decimal32Type>().value(i), *scale)
            }
            DataType::Decimal64(_, scale) => {
                cell.decimal(a.as_primitive::<Decimal64Type>().value(i), *scale)
            }
            DataType::Decimal128(_, scale) => {
                cell.decimal(a.as_primitive::<Decimal128Type>().value(i), *scale)
            }
            DataType::Decimal256(_, scale) => {
                cell.decimal(a.as_primitive::<Decimal256Type>().value(i), *scale)
            }
            DataType::Utf8 => text(a.as_string::<i32>().value(i).as_bytes())?,
            DataType::LargeUtf8 => text(a.as_string::<i64>().value(i).as_bytes())?,
            DataType::Utf8View => text(a.as_string_view().value(i).as_bytes())?,
            DataType::Binary => text(a.as_binary::<i32>().value(i))?,
            DataType::LargeBinary => text(a.as_binary::<i64>().value(i))?,
            DataType::BinaryView => text(a.as_binary_view().value(i))?,
            DataType::FixedSizeBinary(_) => {
                let bytes = a.as_fixed_size_binary().value(i);
                match cell.is_uuid {
                    true => cell.uuid(bytes),
                    false => text(bytes)?,
                }
            }
            DataType::Date32 => Kind::Date(a.as_primitive::<Date32Type>().value(i)),
            DataType::Date64 => Kind::Date(day_of(a.as_primitive::<Date64Type>().value(i))?),
            // A timestamp without a time zone counts as UTC.
            DataType::Timestamp(unit, _) => {
                let value = match unit {
                    TimeUnit::Second => a.as_primitive::<TimestampSecondType>().value(i),
                    TimeUnit::Millisecond => a.as_primitive::<TimestampMillisecondType>().value(i),
                    TimeUnit::Microsecond => a.as_primitive::<TimestampMicrosecondType>().value(i),
                    TimeUnit::Nanosecond => a.as_primitive::<TimestampNanosecondType>().value(i),
                };
                Kind::DateTime(micros_of(value, *unit)?)
            }
            DataType::List(_)
            | DataType::LargeList(_)
            | DataType::FixedSizeList(..)
            | DataType::ListView(_)
            | DataType::LargeListView(_) => Kind::List,
            DataType::Struct(_) => Kind::Object,
            DataType::Map(..) => Kind::Map,
            // Columns of other types were refused before.
            other => {
                return Err(RecordError::new(format!(
                    "a value of the type {other}, which no XDM field has"
                )));
            }
        })
    }

    fn items(self, f: &mut impl FnMut(Self) -> Result<(), RecordError>) -> Result<(), RecordError> {
        let Some(cell) = self.resolved() else {
            return Ok(());
        };
        let Some((field, values, mut rows)) = cell.list() else {
            return Ok(());
        };
        rows.try_for_each(|row| f(cell.child(field, values, row)))
    }

    fn entries(self) -> Result<CellEntries<'a>, RecordError> {
        let Some(object) = self.resolved() else {
            return Ok(CellEntries {
                object: self,
                rows: 0..0,
            });
        };
        let rows = match object.array.as_map_opt() {
            Some(map) => {
                let offsets = map.value_offsets();
                from_to(offsets[object.row], offsets[object.row + 1])
            }
            None => 0..object.array.as_struct_opt().map_or(0, |s| s.num_columns()),
        };
        Ok(CellEntries { object, rows })
    }

    fn skip(self) -> Result<(), RecordError> {
        Ok(())
    }
}

/// The entries of a cell of a struct array (a range of its columns) or map array (of its entries).
pub(crate) struct CellEntries<'a> {
    object: ArrowCell<'a>,
    rows: Range<usize>,
}

impl<'a> ObjectEntries<'a> for CellEntries<'a> {
    type Value = ArrowCell<'a>;

    fn next(&mut self, _: &[u8]) -> Result<Option<(Key<'a>, ArrowCell<'a>)>, RecordError> {
        let ArrowCell { array, row, .. } = self.object;
        for i in self.rows.by_ref() {
            if let Some(map) = array.as_map_opt() {
                let (keys, values) = map.entries_fields();
                let key = self.object.child(keys, map.keys().as_ref(), i);
                let value = self.object.child(values, map.values().as_ref(), i);
                return match key.kind()? {
                    Kind::Text(key) => Ok(Some((Key::Named(key), value))),
                    other => Err(RecordError::new(format!(
                        "a map's keys are strings, not {other}"
                    ))),
                };
            }
            let object = array.as_struct();
            // A struct has all its fields in every row, so a null says "not there".
            if let (Some(field), Some(column)) = (object.fields().get(i), object.columns().get(i))
                && !column.is_null(row)
            {
                let value = self.object.child(field, column.as_ref(), row);
                return Ok(Some((Key::Named(field.name()), value)));
            }
        }
        Ok(None)
    }
}

fn text(bytes: &[u8]) -> Result<Kind<'_>, RecordError> {
    text_of(bytes).map(Kind::Text)
}

/// The text that bytes are.
pub(crate) fn text_of(bytes: &[u8]) -> Result<&str, RecordError> {
    if bytes.len() > LONGEST_TEXT {
        return Err(RecordError::new(format!(
            "a text of {} bytes; the longest one that is taken has {LONGEST_TEXT}",
            bytes.len()
        )));
    }
    simdutf8::compat::from_utf8(bytes).map_err(|error| {
        RecordError::new(format!(
            "{} bytes that are no UTF-8 text (near byte {})",
            bytes.len(),
            error.valid_up_to()
        ))
    })
}

/// The place of a key's value in its dictionary.
fn key_of(keys: &dyn Array, row: usize) -> usize {
    match keys.data_type() {
        DataType::Int8 => keys.as_primitive::<Int8Type>().value(row) as usize,
        DataType::Int16 => keys.as_primitive::<Int16Type>().value(row) as usize,
        DataType::Int32 => keys.as_primitive::<Int32Type>().value(row) as usize,
        DataType::Int64 => keys.as_primitive::<Int64Type>().value(row) as usize,
        DataType::UInt8 => keys.as_primitive::<UInt8Type>().value(row) as usize,
        DataType::UInt16 => keys.as_primitive::<UInt16Type>().value(row) as usize,
        DataType::UInt32 => keys.as_primitive::<UInt32Type>().value(row) as usize,
        DataType::UInt64 => keys.as_primitive::<UInt64Type>().value(row) as usize,
        other => unreachable!("a dictionary with keys of the type {other}"),
    }
}

/// The values of runs, and which of them a row has.
fn run_of<R: RunEndIndexType>(array: &dyn Array, row: usize) -> (&dyn Array, usize) {
    let runs = array.as_run::<R>();
    (runs.values().as_ref(), runs.get_physical_index(row))
}

fn range<O: OffsetSizeTrait>(list: &dyn Array, row: usize) -> Range<usize> {
    let list: &GenericListArray<O> = list.as_list();
    from_to(list.value_offsets()[row], list.value_offsets()[row + 1])
}

/// Arrow's offsets and lengths are never negative.
fn from_to<O: OffsetSizeTrait>(start: O, end: O) -> Range<usize> {
    start.as_usize()..end.as_usize()
}

fn from<O: OffsetSizeTrait>(start: O, length: O) -> Range<usize> {
    from_to(start, start + length)
}

/// The day of so many milliseconds after 1970.
fn day_of(millis: i64) -> Result<i32, RecordError> {
    if millis % MILLIS_OF_DAY != 0 {
        return Err(RecordError::new(format!(
            "a date of {millis} ms since 1970, which is no whole day"
        )));
    }
    i32::try_from(millis / MILLIS_OF_DAY).map_err(|_| {
        RecordError::new(format!(
            "a date of {millis} ms since 1970, which is beyond what dates can be"
        ))
    })
}

/// Microseconds since 1970; what is less than one is cut off, as it is in text.
fn micros_of(value: i64, unit: TimeUnit) -> Result<i64, RecordError> {
    let (micros, unit) = match unit {
        TimeUnit::Second => (value.checked_mul(1_000_000), "s"),
        TimeUnit::Millisecond => (value.checked_mul(1_000), "ms"),
        TimeUnit::Microsecond => (Some(value), "µs"),
        TimeUnit::Nanosecond => (Some(value.div_euclid(1_000)), "ns"),
    };
    micros.ok_or_else(|| {
        RecordError::new(format!(
            "a timestamp of {value} {unit} since 1970, which is beyond what microseconds hold"
        ))
    })
}
