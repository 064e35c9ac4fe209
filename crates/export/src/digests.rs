//! What rows say, in a number each: to find those that say something else than before.

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::buffer::OffsetBuffer;
use arrow::compute::cast;
use arrow::datatypes::{
    DataType, Date32Type, Float64Type, Int64Type, TimeUnit, TimestampMicrosecondType,
};
use arrow::error::ArrowError;
use xdm::digest128;

use crate::error::Result;

/// What a null item of a list or a map's null value counts for.
const NULL: u64 = 0x6e75_6c6c;

/// A digest of each row.
///
/// Rows that say the same have the same one, however they are held: text in dictionaries or not, fields and a map's
/// entries in any order. A null field counts like one that is not there, and an integer like the float of the same value,
/// so that a union schema that grows changes nobody. Two rows that differ have the same digest with a chance of 1 in
/// 2^64.
///
/// # Errors
/// A column of a type that no export has.
pub fn row_digests(rows: &RecordBatch) -> Result<Vec<u64>> {
    let schema = rows.schema();
    let names = schema.fields().iter().map(|field| field.name().as_str());
    Ok(of_fields(names.zip(rows.columns()), rows.num_rows())?)
}

/// The digests of objects with these fields.
fn of_fields<'a>(
    fields: impl Iterator<Item = (&'a str, &'a ArrayRef)>,
    length: usize,
) -> Result<Vec<u64>, ArrowError> {
    let mut digests = vec![0_u64; length];
    for (name, column) in fields {
        let name = of_bytes(name.as_bytes());
        for (digest, value) in digests.iter_mut().zip(of_values(column)?) {
            if let Some(value) = value {
                *digest = digest.wrapping_add(of_pair(name, value));
            }
        }
    }
    Ok(digests)
}

/// The digests of values; of nulls none.
fn of_values(array: &ArrayRef) -> Result<Vec<Option<u64>>, ArrowError> {
    let digests: Vec<Option<u64>> = match array.data_type() {
        DataType::Null => vec![None; array.len()],
        DataType::Dictionary(_, _) => {
            let dictionary = array.as_any_dictionary();
            if dictionary.values().is_empty() {
                return Ok(vec![None; array.len()]);
            }
            let of_distinct = of_values(dictionary.values())?;
            let keys = dictionary.normalized_keys();
            let keys = keys
                .into_iter()
                .map(|key| of_distinct.get(key).copied().flatten());
            valid(array, keys)
        }
        DataType::Utf8 => {
            let texts = array.as_string::<i32>().iter();
            texts
                .map(|text| text.map(|text| of_bytes(text.as_bytes())))
                .collect()
        }
        DataType::Boolean => {
            let values = array.as_boolean().iter();
            values
                .map(|value| value.map(|value| of_bytes(&[u8::from(value)])))
                .collect()
        }
        DataType::Int8 | DataType::Int16 | DataType::Int32 => {
            of_values(&cast(array, &DataType::Int64)?)?
        }
        DataType::Int64 => {
            let values = array.as_primitive::<Int64Type>().iter();
            values.map(|value| value.map(of_integer)).collect()
        }
        DataType::Float64 => {
            let values = array.as_primitive::<Float64Type>().iter();
            values.map(|value| value.map(of_float)).collect()
        }
        DataType::Date32 => {
            let values = array.as_primitive::<Date32Type>().iter();
            let of_day = |day: i32| of_pair(1, i64::from(day).cast_unsigned());
            values.map(|value| value.map(of_day)).collect()
        }
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            let values = array.as_primitive::<TimestampMicrosecondType>().iter();
            let of_moment = |micros: i64| of_pair(2, micros.cast_unsigned());
            values.map(|value| value.map(of_moment)).collect()
        }
        DataType::Struct(fields) => {
            let names = fields.iter().map(|field| field.name().as_str());
            let object = array.as_struct();
            let digests = of_fields(names.zip(object.columns()), array.len())?;
            valid(array, digests.into_iter().map(Some))
        }
        DataType::List(_) => {
            let list = array.as_list::<i32>();
            let items = of_values(list.values())?;
            let digest = |items: &[Option<u64>]| {
                let items = items.iter().map(|item| item.unwrap_or(NULL));
                items.fold(of_bytes(b"list"), of_pair)
            };
            valid(
                array,
                slices(list.offsets(), &items).map(|items| Some(digest(items))),
            )
        }
        DataType::Map(_, _) => {
            let map = array.as_map();
            let (keys, values) = (of_values(map.keys())?, of_values(map.values())?);
            let entries: Vec<u64> = std::iter::zip(keys, values)
                .map(|(key, value)| of_pair(key.unwrap_or(NULL), value.unwrap_or(NULL)))
                .collect();
            let digest = |entries: &[u64]| {
                entries
                    .iter()
                    .fold(of_bytes(b"map"), |all, entry| all.wrapping_add(*entry))
            };
            valid(
                array,
                slices(map.offsets(), &entries).map(|entries| Some(digest(entries))),
            )
        }
        other => {
            return Err(ArrowError::NotYetImplemented(format!(
                "a digest of values of type {other}"
            )));
        }
    };
    Ok(digests)
}

/// The values at which an array is not null.
fn valid(array: &ArrayRef, digests: impl Iterator<Item = Option<u64>>) -> Vec<Option<u64>> {
    let digests = digests.enumerate();
    digests
        .map(|(row, digest)| digest.filter(|_| array.is_valid(row)))
        .collect()
}

/// The items of each list.
fn slices<'a, T>(offsets: &'a OffsetBuffer<i32>, items: &'a [T]) -> impl Iterator<Item = &'a [T]> {
    let bounds = offsets.windows(2);
    bounds.map(|bounds| {
        items
            .get(bounds[0] as usize..bounds[1] as usize)
            .unwrap_or_default()
    })
}

fn of_bytes(bytes: &[u8]) -> u64 {
    digest128(bytes) as u64
}

fn of_pair(a: u64, b: u64) -> u64 {
    let mut both = [0; 16];
    both[..8].copy_from_slice(&a.to_le_bytes());
    both[8..].copy_from_slice(&b.to_le_bytes());
    of_bytes(&both)
}

fn of_integer(value: i64) -> u64 {
    let float = value as f64;
    // Compared as wider integers: the largest float of an i64 is beyond it.
    match float as i128 == i128::from(value) {
        true => of_float(float),
        false => of_pair(3, value.cast_unsigned()),
    }
}

fn of_float(value: f64) -> u64 {
    // Zero is zero, whatever its sign.
    of_pair(4, (value + 0.0).to_bits())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{
        Float64Array, Int64Array, ListArray, MapBuilder, StringArray, StringBuilder,
    };
    use arrow::datatypes::Int32Type;

    use super::*;

    fn digests(columns: Vec<(&str, ArrayRef)>) -> Vec<u64> {
        row_digests(&RecordBatch::try_from_iter(columns).expect("columns")).expect("digests")
    }

    fn texts(texts: &[Option<&str>]) -> ArrayRef {
        Arc::new(StringArray::from(texts.to_vec()))
    }

    #[test]
    fn rows_that_say_the_same_have_one_digest_however_they_are_held() {
        let names = texts(&[Some("ann"), None, Some("ann"), Some("bob")]);
        let points: ArrayRef = Arc::new(Int64Array::from(vec![Some(1), None, Some(1), Some(1)]));
        let plain = digests(vec![("name", names.clone()), ("points", points)]);
        assert_eq!(plain[0], plain[2]);
        assert!(plain[0] != plain[3] && plain[0] != plain[1]);
        let ty = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
        let packed = cast(&names, &ty).expect("a dictionary");
        let floats: ArrayRef = Arc::new(Float64Array::from(vec![
            Some(1.0),
            None,
            Some(1.0),
            Some(1.0),
        ]));
        let nothing = texts(&[None; 4]);
        let other = digests(vec![("new", nothing), ("points", floats), ("name", packed)]);
        assert_eq!(plain, other);
    }

    #[test]
    fn where_a_value_stands_counts() {
        let one = digests(vec![("a", texts(&[Some("x")])), ("b", texts(&[None]))]);
        let other = digests(vec![("a", texts(&[None])), ("b", texts(&[Some("x")]))]);
        assert_ne!(one, other);
        let lists: Vec<Option<Vec<Option<i32>>>> = vec![
            Some(vec![Some(1), Some(2)]),
            Some(vec![Some(2), Some(1)]),
            Some(vec![Some(1), Some(2), None]),
            Some(vec![]),
            None,
        ];
        let lists: ArrayRef = Arc::new(ListArray::from_iter_primitive::<Int32Type, _, _>(lists));
        let mut all = digests(vec![("a", lists)]);
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 5);
    }

    #[test]
    fn the_order_of_a_maps_entries_does_not_count() {
        let mut maps = MapBuilder::new(None, StringBuilder::new(), StringBuilder::new());
        for entries in [
            [("a", "x"), ("b", "y")],
            [("b", "y"), ("a", "x")],
            [("a", "y"), ("b", "x")],
        ] {
            for (key, value) in entries {
                maps.keys().append_value(key);
                maps.values().append_value(value);
            }
            maps.append(true).expect("a map");
        }
        let maps: ArrayRef = Arc::new(maps.finish());
        let all = digests(vec![("map", maps)]);
        assert_eq!(all[0], all[1]);
        assert_ne!(all[0], all[2]);
    }

    #[test]
    fn integers_that_no_float_holds_are_told_apart() {
        let values: ArrayRef = Arc::new(Int64Array::from(vec![
            9_007_199_254_740_992,
            9_007_199_254_740_993,
            i64::MAX,
            i64::MAX - 1,
        ]));
        let mut all = digests(vec![("n", values)]);
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 4);
    }
}
