//! A step of a path: `struct.field`, `list[0]`, `list.field`, `map['key']`, `map.key`.

use std::sync::Arc;

use datafusion::arrow::array::{
    Array as _, ArrayRef, AsArray as _, BooleanArray, Datum, Int64Array, ListArray, MapArray,
    Scalar, StructArray, UInt64Array, new_empty_array,
};
use datafusion::arrow::compute::kernels::cmp;
use datafusion::arrow::compute::{is_null, nullif, take};
use datafusion::arrow::datatypes::{DataType, Field, Fields, Int64Type};
use datafusion::common::{Result, exec_err};

use super::super::error::{Code, Error};
use super::super::scope::same;
use super::{Asked, Called, Row, cast, list, plain, plain_type};

pub(super) const FUNCTIONS: &[Row] = &[
    ("spark_get", get_type, get),
    ("spark_element_at", element_at_type, element_at),
    ("spark_array_get", array_get_type, get),
];

fn get_type(asked: &Asked<'_>) -> Result<DataType> {
    let key = asked.of(1)?;
    match asked.of(0)? {
        DataType::Struct(fields) => match asked.text(1) {
            Some(name) => Ok(fields[position(fields, name)?].data_type().clone()),
            None => asked.refused("the name of a field where it is asked of a struct"),
        },
        DataType::List(element) => match (element.data_type(), asked.text(1)) {
            (DataType::Struct(fields), Some(name)) => {
                Ok(list(fields[position(fields, name)?].data_type().clone()))
            }
            _ if key.is_integer() || *key == DataType::Null => Ok(element.data_type().clone()),
            _ => asked.refused("a number where it is asked of a list"),
        },
        DataType::Map(entries, _) => {
            let (of_key, value) = entry_types(entries)?;
            if keyed(&of_key, key) {
                return Ok(value);
            }
            asked.refused("a key of the map's type where it is asked of a map")
        }
        DataType::Null => Ok(DataType::Null),
        _ => asked.refused("a struct, a list or a map, and what is asked of it"),
    }
}

fn array_get_type(asked: &Asked<'_>) -> Result<DataType> {
    match (asked.of(0)?, asked.of(1)?) {
        (DataType::List(element), index) if index.is_integer() => Ok(element.data_type().clone()),
        _ => asked.refused("a list and a number"),
    }
}

fn element_at_type(asked: &Asked<'_>) -> Result<DataType> {
    match asked.of(0)? {
        DataType::Map(entries, _) => {
            let (key, value) = entry_types(entries)?;
            if keyed(&key, asked.of(1)?) {
                Ok(value)
            } else {
                asked.refused("a key of the map's type")
            }
        }
        DataType::List(element) if asked.of(1)?.is_integer() => Ok(element.data_type().clone()),
        _ => asked.refused("a map and a key, or a list and a number from 1 on"),
    }
}

/// Whether a map of such keys can be asked for such a value; numbers are spelled where keys are texts.
fn keyed(of: &DataType, key: &DataType) -> bool {
    let of = plain_type(of);
    of == *key
        || *key == DataType::Null
        || of.is_integer() && key.is_integer()
        || of == DataType::Utf8 && key.is_integer()
}

/// Types of the keys and values of a map.
pub(super) fn entry_types(entries: &Field) -> Result<(DataType, DataType)> {
    match entries.data_type() {
        DataType::Struct(fields) => match fields.iter().collect::<Vec<_>>().as_slice() {
            [key, value] => Ok((key.data_type().clone(), value.data_type().clone())),
            _ => exec_err!("a map's entries are pairs"),
        },
        _ => exec_err!("a map's entries are structs"),
    }
}

/// The field of that name: as it is spelled, else without case.
fn position(fields: &Fields, name: &str) -> Result<usize> {
    if let Some((at, _)) = fields.find(name) {
        return Ok(at);
    }
    let found: Vec<_> = fields
        .iter()
        .enumerate()
        .filter(|(_, field)| same(field.name(), name))
        .map(|(at, _)| at)
        .collect();
    match found.as_slice() {
        [at] => Ok(*at),
        [] => {
            let names: Vec<_> = fields.iter().map(|field| field.name().as_str()).collect();
            let message = format!("there is no field {name}: there are {}", names.join(", "));
            Err(Error::new(Code::UndefinedColumn, message).into())
        }
        several => {
            let names: Vec<_> = several
                .iter()
                .map(|&at| fields[at].name().as_str())
                .collect();
            let message = format!(
                "the field {name} is ambiguous: it may be {}",
                names.join(" or ")
            );
            Err(Error::new(Code::AmbiguousColumn, message).into())
        }
    }
}

fn get(called: &Called<'_>) -> Result<ArrayRef> {
    if called.rows == 0 {
        // The name of a field is that of no row then.
        return Ok(new_empty_array(called.data_type));
    }
    let (base, key) = (called.arg(0)?, called.arg(1)?);
    match base.data_type() {
        DataType::Struct(_) => field(base.as_struct(), &name(key)?),
        DataType::List(_) if *key.data_type() == DataType::Utf8 => {
            let lists = base.as_list::<i32>();
            let values = field(lists.values().as_struct(), &name(key)?)?;
            let element = Arc::new(Field::new_list_field(values.data_type().clone(), true));
            Ok(Arc::new(ListArray::try_new(
                element,
                lists.offsets().clone(),
                values,
                lists.nulls().cloned(),
            )?))
        }
        DataType::List(_) => element(base.as_list::<i32>(), key, |index, length| {
            usize::try_from(index).ok().filter(|index| *index < length)
        }),
        DataType::Map(..) => value(base.as_map(), key),
        _ => Ok(datafusion::arrow::array::new_null_array(
            called.data_type,
            called.rows,
        )),
    }
}

fn element_at(called: &Called<'_>) -> Result<ArrayRef> {
    let (base, key) = (called.arg(0)?, called.arg(1)?);
    match base.data_type() {
        DataType::Map(..) => value(base.as_map(), key),
        _ => {
            let indexes = indexes(key)?;
            if indexes.iter().any(|index| index == Some(0)) {
                return exec_err!("element_at(list, 0): the first element is 1, the last one -1");
            }
            element(base.as_list::<i32>(), key, |index, length| {
                let from_end = i64::try_from(length).ok()? + index;
                let index = if index < 0 { from_end } else { index - 1 };
                usize::try_from(index).ok().filter(|index| *index < length)
            })
        }
    }
}

/// The name that is asked for: it is the same in all rows.
fn name(key: &ArrayRef) -> Result<String> {
    match key.as_string_opt::<i32>() {
        Some(names) => Ok(names.value(0).to_owned()),
        None => exec_err!("a field's name is a text"),
    }
}

/// A field of structs: null where the struct is.
fn field(structs: &StructArray, name: &str) -> Result<ArrayRef> {
    let column = structs.column(position(structs.fields(), name)?);
    if structs.null_count() == 0 {
        return Ok(Arc::clone(column));
    }
    Ok(nullif(column, &is_null(structs)?)?)
}

fn indexes(key: &ArrayRef) -> Result<Int64Array> {
    let key = datafusion::arrow::compute::cast(key, &DataType::Int64)?;
    Ok(key.as_primitive::<Int64Type>().clone())
}

/// The element of each list at the place that `at` says, from an index and a length; else null.
fn element(
    lists: &ListArray,
    key: &ArrayRef,
    at: impl Fn(i64, usize) -> Option<usize>,
) -> Result<ArrayRef> {
    let keys = indexes(key)?;
    let offsets = lists.value_offsets();
    let places: UInt64Array = (0..lists.len())
        .map(|row| {
            if lists.is_null(row) || keys.is_null(row) {
                return None;
            }
            let start = usize::try_from(offsets[row]).ok()?;
            let end = usize::try_from(offsets[row + 1]).ok()?;
            at(keys.value(row), end - start).and_then(|at| u64::try_from(start + at).ok())
        })
        .collect();
    Ok(take(lists.values(), &places, None)?)
}

/// The value of each map under its key; of keys that are there twice, the first.
fn value(maps: &MapArray, key: &ArrayRef) -> Result<ArrayRef> {
    let keys = plain(maps.keys())?;
    let key = cast::to(key, keys.data_type())?;
    let offsets = maps.value_offsets();
    let wanted = if let Some(constant) = constant(&key) {
        if constant.is_null(0) {
            return Ok(datafusion::arrow::array::new_null_array(
                maps.values().data_type(),
                maps.len(),
            ));
        }
        equal(&keys, &Scalar::new(constant))?
    } else {
        let mut rows = vec![None; keys.len()];
        for row in 0..maps.len() {
            for entry in span(offsets, row) {
                rows[entry] = u64::try_from(row).ok();
            }
        }
        equal(&keys, &take(&key, &UInt64Array::from(rows), None)?)?
    };
    let places: UInt64Array = (0..maps.len())
        .map(|row| {
            if maps.is_null(row) {
                return None;
            }
            span(offsets, row)
                .find(|&entry| wanted.is_valid(entry) && wanted.value(entry))
                .and_then(|entry| u64::try_from(entry).ok())
        })
        .collect();
    Ok(take(maps.values(), &places, None)?)
}

/// The places of a row's elements among all.
pub(super) fn span(offsets: &[i32], row: usize) -> std::ops::Range<usize> {
    let at = |place: usize| usize::try_from(offsets[place]).unwrap_or(0);
    at(row)..at(row + 1)
}

fn equal(keys: &ArrayRef, key: &dyn Datum) -> Result<BooleanArray> {
    Ok(cmp::eq(keys, key)?)
}

/// The one value that all rows have, as an array of one, if they are seen to have one.
fn constant(array: &ArrayRef) -> Option<ArrayRef> {
    let first = array.slice(0, 1.min(array.len()));
    if first.is_empty() || first.is_null(0) && array.null_count() < array.len() {
        return None;
    }
    if first.is_null(0) {
        return Some(first);
    }
    if array.null_count() > 0 {
        return None;
    }
    let same = cmp::eq(array, &Scalar::new(Arc::clone(&first))).ok()?;
    (same.true_count() == array.len()).then_some(first)
}
