//! Arrays from JSON and back, so that tests can say in one line what they put in and get out.
//!
//! Behind the feature `testing`: for tests and examples, never for records.
//!
//! ```
//! use profile_export_xdm::{FieldType, testing};
//! use serde_json::json;
//!
//! let tags = testing::list(FieldType::String);
//! let rows = [json!(["a", null]), json!([]), json!(null)];
//! assert_eq!(testing::values(&testing::array(&tags, &rows)), rows);
//! ```

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Float64Array, Int64Array, ListArray, MapArray,
    NullArray, StringArray, StructArray,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::compute::cast;
use arrow::datatypes::{
    DataType, Date32Type, Field, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    TimestampMicrosecondType, UInt64Type,
};
use arrow::temporal_conversions::date32_to_datetime;
use serde_json::{Map, Value, json};

use crate::{FieldType, Fields, Timestamp, parse_date};

/// A 64-bit integer that no schema declares.
pub const LONG: FieldType = FieldType::Long {
    declared: false,
    wide: false,
};

/// The type of a list of these.
#[must_use]
pub fn list(item: FieldType) -> FieldType {
    FieldType::List(Box::new(item))
}

/// The type of a map with these values.
#[must_use]
pub fn map(value: FieldType) -> FieldType {
    FieldType::Map(Box::new(value))
}

/// These fields, in this order.
#[must_use]
pub fn fields<const N: usize>(fields: [(&str, FieldType); N]) -> Fields {
    let owned = fields.map(|(name, ty)| (name.to_owned(), ty));
    owned.into_iter().collect()
}

/// The type of an object with these fields.
#[must_use]
pub fn object<const N: usize>(fields: [(&str, FieldType); N]) -> FieldType {
    FieldType::Object(self::fields(fields))
}

/// An array of the type's [`FieldType::stored_type`]: one row a value, days and moments as text.
///
/// # Panics
/// A value that is not of the type.
#[must_use]
pub fn array(ty: &FieldType, rows: &[Value]) -> ArrayRef {
    let integers = || each(rows, Value::as_i64).collect::<Int64Array>();
    let array: ArrayRef = match ty {
        FieldType::Unknown => {
            assert!(rows.iter().all(Value::is_null), "only nulls: {rows:?}");
            Arc::new(NullArray::new(rows.len()))
        }
        FieldType::Boolean => Arc::new(each(rows, Value::as_bool).collect::<BooleanArray>()),
        FieldType::Byte | FieldType::Short | FieldType::Int | FieldType::Long { .. } => {
            let array = cast(&integers(), &ty.stored_type()).expect("integers");
            assert_eq!(array.null_count(), integers().null_count(), "{rows:?}");
            array
        }
        FieldType::Double => Arc::new(each(rows, Value::as_f64).collect::<Float64Array>()),
        FieldType::String | FieldType::Text { .. } => {
            Arc::new(each(rows, Value::as_str).collect::<StringArray>())
        }
        FieldType::Date => {
            let days = each(rows, |v| parse_date(v.as_str()?));
            Arc::new(days.collect::<arrow::array::Date32Array>())
        }
        FieldType::DateTime => {
            let moments = each(rows, |v| Timestamp::parse(v.as_str()?));
            let micros = moments.map(|t| t.map(Timestamp::micros));
            let micros = micros.collect::<arrow::array::TimestampMicrosecondArray>();
            Arc::new(micros.with_timezone("UTC"))
        }
        FieldType::List(item) => {
            let lists: Vec<_> = each(rows, Value::as_array).collect();
            let items: Vec<Value> = lists.iter().flatten().copied().flatten().cloned().collect();
            let items = self::array(item, &items);
            let DataType::List(element) = crate::list_of(items.data_type().clone()) else {
                unreachable!("list_of makes a list");
            };
            let lengths = lists.iter().map(|l| l.map_or(0, Vec::len));
            let offsets = OffsetBuffer::from_lengths(lengths);
            Arc::new(ListArray::new(element, offsets, items, nulls(rows)))
        }
        FieldType::Map(value) => {
            let maps: Vec<_> = each(rows, Value::as_object).collect();
            let (keys, values): (Vec<&str>, Vec<Value>) = maps
                .iter()
                .flatten()
                .flat_map(|map| map.iter().map(|(key, value)| (key.as_str(), value.clone())))
                .unzip();
            let keys: ArrayRef = Arc::new(StringArray::from(keys));
            let values = self::array(value, &values);
            let DataType::Map(entries, _) = crate::map_of(values.data_type().clone()) else {
                unreachable!("map_of makes a map");
            };
            let DataType::Struct(parts) = entries.data_type() else {
                unreachable!("a map has entries");
            };
            let pairs = StructArray::new(parts.clone(), vec![keys, values], None);
            let offsets = OffsetBuffer::from_lengths(maps.iter().map(|m| m.map_or(0, Map::len)));
            Arc::new(MapArray::new(entries, offsets, pairs, nulls(rows), false))
        }
        FieldType::Object(fields) => {
            let objects: Vec<_> = each(rows, Value::as_object).collect();
            for name in objects.iter().flatten().flat_map(|object| object.keys()) {
                assert!(fields.get(name).is_some(), "the type has no field {name}");
            }
            let (names, columns): (Vec<Field>, Vec<ArrayRef>) = fields
                .iter()
                .map(|(name, ty)| {
                    let part = |object: &Option<&Map<String, Value>>| {
                        object
                            .and_then(|o| o.get(name))
                            .cloned()
                            .unwrap_or_default()
                    };
                    let parts: Vec<Value> = objects.iter().map(part).collect();
                    let column = self::array(ty, &parts);
                    (Field::new(name, column.data_type().clone(), true), column)
                })
                .unzip();
            let length = rows.len();
            let array =
                StructArray::try_new_with_length(names.into(), columns, nulls(rows), length);
            Arc::new(array.expect("an object"))
        }
    };
    array
}

/// The rows of an array as JSON; objects have their null fields too.
///
/// # Panics
/// A type that no field of ours has.
#[must_use]
pub fn values(array: &dyn Array) -> Vec<Value> {
    (0..array.len()).map(|row| value(array, row)).collect()
}

fn value(array: &dyn Array, row: usize) -> Value {
    if array.is_null(row) {
        return Value::Null;
    }
    match array.data_type() {
        DataType::Null => Value::Null,
        DataType::Boolean => json!(array.as_boolean().value(row)),
        DataType::Int8 => json!(array.as_primitive::<Int8Type>().value(row)),
        DataType::Int16 => json!(array.as_primitive::<Int16Type>().value(row)),
        DataType::Int32 => json!(array.as_primitive::<Int32Type>().value(row)),
        DataType::Int64 => json!(array.as_primitive::<Int64Type>().value(row)),
        DataType::UInt64 => json!(array.as_primitive::<UInt64Type>().value(row)),
        DataType::Float64 => json!(array.as_primitive::<Float64Type>().value(row)),
        DataType::Utf8 => json!(array.as_string::<i32>().value(row)),
        DataType::Date32 => {
            let day = date32_to_datetime(array.as_primitive::<Date32Type>().value(row));
            json!(day.expect("a day").date().to_string())
        }
        DataType::Timestamp(..) => {
            let micros = array.as_primitive::<TimestampMicrosecondType>().value(row);
            json!(Timestamp::from_micros(micros).to_string())
        }
        DataType::Dictionary(..) => {
            let dictionary = array.as_dictionary::<Int32Type>();
            let key = dictionary.key(row).expect("a row that is not null");
            value(dictionary.values(), key)
        }
        DataType::List(_) => Value::Array(values(&array.as_list::<i32>().value(row))),
        DataType::Map(..) => {
            let entries = array.as_map().value(row);
            let keys = entries.column(0).clone();
            let keys = values(&keys).into_iter().map(|key| match key {
                Value::String(key) => key,
                other => panic!("no key of a map: {other}"),
            });
            Value::Object(keys.zip(values(entries.column(1))).collect())
        }
        DataType::Struct(_) => {
            let object = array.as_struct();
            let parts = object.column_names().into_iter().zip(object.columns());
            let parts = parts.map(|(name, part)| (name.to_owned(), value(part, row)));
            Value::Object(parts.collect())
        }
        other => panic!("{other} is no type of an XDM field"),
    }
}

/// What `read` makes of each value; `None` for null.
fn each<'a, T>(
    rows: &'a [Value],
    read: impl Fn(&'a Value) -> Option<T> + 'a,
) -> impl Iterator<Item = Option<T>> + 'a {
    rows.iter().map(move |value| match value {
        Value::Null => None,
        value => Some(read(value).unwrap_or_else(|| panic!("not of the type: {value}"))),
    })
}

fn nulls(rows: &[Value]) -> Option<NullBuffer> {
    let nulls: NullBuffer = rows.iter().map(|value| !value.is_null()).collect();
    Some(nulls).filter(|nulls| nulls.null_count() > 0)
}
