use std::ops::Range;

use arrow::array::{Array, AsArray};
use arrow::datatypes::{
    DataType, Date32Type, Date64Type, Decimal128Type, Float32Type, Float64Type, Int8Type,
    Int16Type, Int32Type, Int64Type, TimeUnit, TimestampMicrosecondType, TimestampMillisecondType,
    TimestampNanosecondType, TimestampSecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use xdm::{FieldType, Fields};

use crate::value::{Key, Kind, ObjectEntries, RecordError, Value};

/// A cell of an Arrow array, as a record's value: how Parquet input comes in.
#[derive(Clone, Copy)]
pub(crate) struct ArrowCell<'a> {
    array: &'a dyn Array,
    row: usize,
}

impl<'a> ArrowCell<'a> {
    pub(crate) fn new(array: &'a dyn Array, row: usize) -> Self {
        Self { array, row }
    }

    fn what(self) -> Kind<'a> {
        let (a, i) = (self.array, self.row);
        if a.is_null(i) {
            return Kind::Null;
        }
        match a.data_type() {
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
            DataType::Float32 => Kind::Float(a.as_primitive::<Float32Type>().value(i).into()),
            DataType::Float64 => Kind::Float(a.as_primitive::<Float64Type>().value(i)),
            DataType::Decimal128(_, scale) => {
                let value = a.as_primitive::<Decimal128Type>().value(i);
                match (scale, i64::try_from(value)) {
                    (0, Ok(value)) => Kind::Integer(value),
                    _ => Kind::Float(value as f64 / 10f64.powi((*scale).into())),
                }
            }
            DataType::Utf8 => Kind::Text(a.as_string::<i32>().value(i)),
            DataType::LargeUtf8 => Kind::Text(a.as_string::<i64>().value(i)),
            DataType::Utf8View => Kind::Text(a.as_string_view().value(i)),
            DataType::Dictionary(..) => {
                let dictionary = a.as_any_dictionary();
                let key = dictionary.normalized_keys().get(i).copied().unwrap_or(0);
                ArrowCell::new(dictionary.values().as_ref(), key).what()
            }
            DataType::Date32 => Kind::Date(a.as_primitive::<Date32Type>().value(i)),
            DataType::Date64 => {
                let days = a
                    .as_primitive::<Date64Type>()
                    .value(i)
                    .div_euclid(86_400_000);
                i32::try_from(days).map_or(Kind::Null, Kind::Date)
            }
            // A timestamp without a time zone counts as UTC.
            DataType::Timestamp(unit, _) => match unit {
                TimeUnit::Second => a
                    .as_primitive::<TimestampSecondType>()
                    .value(i)
                    .checked_mul(1_000_000),
                TimeUnit::Millisecond => a
                    .as_primitive::<TimestampMillisecondType>()
                    .value(i)
                    .checked_mul(1_000),
                TimeUnit::Microsecond => {
                    Some(a.as_primitive::<TimestampMicrosecondType>().value(i))
                }
                TimeUnit::Nanosecond => Some(
                    a.as_primitive::<TimestampNanosecondType>()
                        .value(i)
                        .div_euclid(1_000),
                ),
            }
            .map_or(Kind::Null, Kind::DateTime),
            DataType::List(_) | DataType::LargeList(_) | DataType::FixedSizeList(..) => Kind::List,
            DataType::Struct(_) => Kind::Object,
            DataType::Map(..) => Kind::Map,
            _ => Kind::Null,
        }
    }
}

impl<'a> Value<'a> for ArrowCell<'a> {
    type Entries = CellEntries<'a>;

    fn kind(self) -> Result<Kind<'a>, RecordError> {
        Ok(self.what())
    }

    fn items(self, f: &mut impl FnMut(Self) -> Result<(), RecordError>) -> Result<(), RecordError> {
        let (values, start, end) = match self.array.data_type() {
            DataType::List(_) => {
                let list = self.array.as_list::<i32>();
                let offsets = list.value_offsets();
                let at = |i: usize| offsets[i] as usize;
                (list.values(), at(self.row), at(self.row + 1))
            }
            DataType::LargeList(_) => {
                let list = self.array.as_list::<i64>();
                let offsets = list.value_offsets();
                let at = |i: usize| offsets[i] as usize;
                (list.values(), at(self.row), at(self.row + 1))
            }
            DataType::FixedSizeList(_, size) => {
                let list = self.array.as_fixed_size_list();
                // Arrow's sizes are never negative.
                let size = *size as usize;
                (list.values(), self.row * size, (self.row + 1) * size)
            }
            _ => return Ok(()),
        };
        (start..end).try_for_each(|row| f(ArrowCell::new(values.as_ref(), row)))
    }

    fn entries(self) -> Result<CellEntries<'a>, RecordError> {
        let rows = match self.array.as_map_opt() {
            Some(map) => {
                let at = |i: usize| map.value_offsets()[i] as usize;
                at(self.row)..at(self.row + 1)
            }
            None => 0..self.array.as_struct_opt().map_or(0, |s| s.num_columns()),
        };
        Ok(CellEntries { value: self, rows })
    }

    fn skip(self) -> Result<(), RecordError> {
        Ok(())
    }
}

/// The entries of a cell of a struct array (a range of its columns) or map array (of its entries).
pub(crate) struct CellEntries<'a> {
    value: ArrowCell<'a>,
    rows: Range<usize>,
}

impl<'a> ObjectEntries<'a> for CellEntries<'a> {
    type Value = ArrowCell<'a>;

    fn next(&mut self, _: &[u8]) -> Result<Option<(Key<'a>, ArrowCell<'a>)>, RecordError> {
        let ArrowCell { array, row } = self.value;
        for i in self.rows.by_ref() {
            if let Some(map) = array.as_map_opt() {
                return match ArrowCell::new(map.keys().as_ref(), i).what() {
                    Kind::Text(key) => Ok(Some((
                        Key::Named(key),
                        ArrowCell::new(map.values().as_ref(), i),
                    ))),
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
                let value = ArrowCell::new(column.as_ref(), row);
                return Ok(Some((Key::Named(field.name()), value)));
            }
        }
        Ok(None)
    }
}

/// The type of an XDM field that holds values of an Arrow type, or `None` where there is none.
pub(crate) fn type_of(data_type: &DataType) -> Option<FieldType> {
    Some(match data_type {
        DataType::Null => FieldType::Unknown,
        DataType::Boolean => FieldType::Boolean,
        DataType::Decimal128(_, 0) => long(),
        DataType::Float32 | DataType::Float64 | DataType::Decimal128(..) => FieldType::Double,
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => FieldType::String,
        DataType::Dictionary(_, values) => type_of(values)?,
        DataType::Date32 | DataType::Date64 => FieldType::Date,
        DataType::Timestamp(..) => FieldType::DateTime,
        DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _) => {
            FieldType::List(Box::new(type_of(item.data_type())?))
        }
        DataType::Map(entries, _) => match entries.data_type() {
            DataType::Struct(parts) => {
                FieldType::Map(Box::new(type_of(parts.get(1)?.data_type())?))
            }
            _ => return None,
        },
        DataType::Struct(fields) => FieldType::Object(
            fields
                .iter()
                .map(|field| Some((field.name().clone(), type_of(field.data_type())?)))
                .collect::<Option<Fields>>()?,
        ),
        integer if integer.is_integer() => long(),
        _ => return None,
    })
}

fn long() -> FieldType {
    FieldType::Long {
        declared: false,
        wide: false,
    }
}
