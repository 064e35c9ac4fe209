//! Lists.

use std::collections::HashSet;
use std::sync::Arc;

use datafusion::arrow::array::{
    Array as _, ArrayRef, AsArray as _, BooleanArray, Int64Array, ListArray, StringArray,
    UInt64Array, new_empty_array, new_null_array,
};
use datafusion::arrow::buffer::{NullBuffer, OffsetBuffer};
use datafusion::arrow::compute::kernels::zip::zip;
use datafusion::arrow::compute::{self, SortOptions, interleave, take};
use datafusion::arrow::datatypes::DataType;
use datafusion::arrow::row::{RowConverter, Rows, SortField};
use datafusion::common::{Result, exec_err};

use super::access::span;
use super::text::{longs, strings, textual};
use super::{Asked, Called, Row, cast, plain, plain_type, timestamp};

pub(super) const FUNCTIONS: &[Row] = &[
    ("spark_array", array_type, array),
    ("spark_coalesce", coalesce_type, coalesce),
    ("spark_case", case_type, case),
    ("spark_array_contains", contains_type, array_contains),
    ("spark_any", any_type, any),
    ("spark_array_position", position_type, array_position),
    ("spark_array_distinct", comparable_list_type, array_distinct),
    ("spark_array_join", join_type, array_join),
    ("spark_array_max", element_type, array_max),
    ("spark_array_min", element_type, array_min),
    ("spark_sort_array", sort_type, sort_array),
    ("spark_flatten", flatten_type, flatten),
    ("spark_slice", slice_type, slice),
    ("spark_list", list_type, list_or_empty),
];

fn element_of<'t>(asked: &'t Asked<'_>, number: usize) -> Result<&'t DataType> {
    match asked.of(number)? {
        DataType::List(element) => Ok(element.data_type()),
        _ => asked.refused("a list"),
    }
}

fn sortable(data_type: &DataType) -> bool {
    !matches!(data_type, DataType::Map(..))
        && RowConverter::supports_fields(&[SortField::new(data_type.clone())])
}

/// A type that all arguments can have: their own, or that of the widest number.
pub(super) fn common(asked: &Asked<'_>, types: &[DataType]) -> Result<DataType> {
    let mut widest = DataType::Null;
    for one in types {
        widest = match (&widest, one) {
            (DataType::Null, other) | (other, DataType::Null) => other.clone(),
            (a, b) if a.equals_datatype(b) => a.clone(),
            // `array()`
            (DataType::List(a), other @ DataType::List(_))
            | (other @ DataType::List(_), DataType::List(a))
                if *a.data_type() == DataType::Null =>
            {
                other.clone()
            }
            (DataType::Utf8, other) | (other, DataType::Utf8) if textual(other) => DataType::Utf8,
            (a, b) if a.is_integer() && b.is_integer() => DataType::Int64,
            (a, b) if a.is_numeric() && b.is_numeric() => DataType::Float64,
            (DataType::Date32, DataType::Timestamp(..))
            | (DataType::Timestamp(..), DataType::Date32) => timestamp(),
            _ => return asked.refused("values of one type"),
        };
    }
    Ok(widest)
}

/// The values as that common type.
pub(super) fn unified(array: &ArrayRef, to: &DataType) -> Result<ArrayRef> {
    if array.data_type() == to {
        return Ok(Arc::clone(array));
    }
    // Names within lists and maps are no matter; and lists of nothing are those of anything.
    if array.data_type().equals_datatype(to) || matches!(array.data_type(), DataType::List(_)) {
        return Ok(compute::cast(array, to)?);
    }
    cast::to(array, to)
}

fn coalesce_type(asked: &Asked<'_>) -> Result<DataType> {
    common(asked, asked.types)
}

/// The first that is no null.
fn coalesce(called: &Called<'_>) -> Result<ArrayRef> {
    let mut values = new_null_array(called.data_type, called.rows);
    for array in called.args.iter().rev() {
        let array = unified(array, called.data_type)?;
        values = zip(&compute::is_not_null(&array)?, &array, &values)?;
    }
    Ok(values)
}

/// Conditions and values in turn, and the value where none holds.
fn case_type(asked: &Asked<'_>) -> Result<DataType> {
    let (pairs, otherwise) = asked.types.as_chunks::<2>();
    let mut values = Vec::with_capacity(pairs.len() + 1);
    for [condition, value] in pairs {
        if !matches!(condition, DataType::Boolean | DataType::Null) {
            return asked.refused("conditions");
        }
        values.push(value.clone());
    }
    values.extend_from_slice(otherwise);
    common(asked, &values)
}

/// The value behind the first condition that holds. Plans have a CASE instead, which asks no more than it must
/// (`operators`).
fn case(called: &Called<'_>) -> Result<ArrayRef> {
    let (pairs, otherwise) = called.args.as_chunks::<2>();
    let mut values = match otherwise {
        [value] => unified(value, called.data_type)?,
        _ => new_null_array(called.data_type, called.rows),
    };
    for [condition, value] in pairs.iter().rev() {
        let condition = cast::to(condition, &DataType::Boolean)?;
        let holds = compute::prep_null_mask_filter(condition.as_boolean());
        values = zip(&holds, &unified(value, called.data_type)?, &values)?;
    }
    Ok(values)
}

fn array_type(asked: &Asked<'_>) -> Result<DataType> {
    Ok(super::list(common(asked, asked.types)?))
}

fn contains_type(asked: &Asked<'_>) -> Result<DataType> {
    let element = plain_type(element_of(asked, 0)?);
    common(asked, &[element.clone(), asked.of(1)?.clone()])?;
    if sortable(&element) {
        Ok(DataType::Boolean)
    } else {
        asked.refused("a list of what can be compared")
    }
}

fn any_type(asked: &Asked<'_>) -> Result<DataType> {
    let types = [plain_type(element_of(asked, 0)?), asked.of(1)?.clone()];
    if !types.contains(&DataType::Utf8) || !types.iter().all(textual) {
        return contains_type(asked);
    }
    Ok(DataType::Boolean)
}

fn position_type(asked: &Asked<'_>) -> Result<DataType> {
    contains_type(asked)?;
    Ok(DataType::Int64)
}

fn comparable_list_type(asked: &Asked<'_>) -> Result<DataType> {
    if sortable(element_of(asked, 0)?) {
        asked.of(0).cloned()
    } else {
        asked.refused("a list of what can be compared")
    }
}

fn sort_type(asked: &Asked<'_>) -> Result<DataType> {
    let way = asked
        .types
        .get(1)
        .is_none_or(|way| *way == DataType::Boolean);
    if way {
        comparable_list_type(asked)
    } else {
        asked.refused("a list, and whether it is sorted upwards")
    }
}

fn element_type(asked: &Asked<'_>) -> Result<DataType> {
    let element = element_of(asked, 0)?;
    if sortable(element) {
        Ok(element.clone())
    } else {
        asked.refused("a list of what can be compared")
    }
}

fn join_type(asked: &Asked<'_>) -> Result<DataType> {
    let fine =
        textual(&plain_type(element_of(asked, 0)?)) && asked.types.iter().skip(1).all(textual);
    if fine {
        Ok(DataType::Utf8)
    } else {
        asked.refused("a list of texts and what stands between them")
    }
}

fn flatten_type(asked: &Asked<'_>) -> Result<DataType> {
    match element_of(asked, 0)? {
        inner @ DataType::List(_) => Ok(inner.clone()),
        _ => asked.refused("a list of lists"),
    }
}

fn slice_type(asked: &Asked<'_>) -> Result<DataType> {
    element_of(asked, 0)?;
    if asked.types.iter().skip(1).all(DataType::is_integer) {
        asked.of(0).cloned()
    } else {
        asked.refused("a list and two numbers")
    }
}

fn list_type(asked: &Asked<'_>) -> Result<DataType> {
    element_of(asked, 0)?;
    asked.of(0).cloned()
}

/// A list of places in `values` for each row, as lists of that type; `None` is null.
fn taken(
    data_type: &DataType,
    values: &ArrayRef,
    rows: Vec<Option<Vec<usize>>>,
) -> Result<ArrayRef> {
    let DataType::List(element) = data_type else {
        return exec_err!("{data_type} is no list");
    };
    let nulls: NullBuffer = rows.iter().map(Option::is_some).collect();
    let lengths = rows.iter().map(|row| row.as_ref().map_or(0, Vec::len));
    let offsets = OffsetBuffer::from_lengths(lengths);
    let places: UInt64Array = rows
        .into_iter()
        .flatten()
        .flatten()
        .map(|place| u64::try_from(place).ok())
        .collect();
    Ok(Arc::new(ListArray::try_new(
        Arc::clone(element),
        offsets,
        take(values, &places, None)?,
        Some(nulls),
    )?))
}

/// Places of the elements of each row that is no null.
fn places(lists: &ListArray) -> impl Iterator<Item = Option<std::ops::Range<usize>>> + '_ {
    (0..lists.len()).map(|row| {
        lists
            .is_valid(row)
            .then(|| span(lists.value_offsets(), row))
    })
}

fn array(called: &Called<'_>) -> Result<ArrayRef> {
    let DataType::List(element) = called.data_type else {
        return exec_err!("{} gives a list", called.name);
    };
    let width = called.args.len();
    let offsets = OffsetBuffer::from_lengths(std::iter::repeat_n(width, called.rows));
    let columns = called
        .args
        .iter()
        .map(|array| unified(array, element.data_type()))
        .collect::<Result<Vec<_>>>()?;
    let values = if columns.is_empty() {
        new_empty_array(element.data_type())
    } else {
        let columns: Vec<_> = columns.iter().map(|column| column.as_ref()).collect();
        let order: Vec<_> = (0..called.rows)
            .flat_map(|row| (0..width).map(move |column| (column, row)))
            .collect();
        interleave(&columns, &order)?
    };
    Ok(Arc::new(ListArray::try_new(
        Arc::clone(element),
        offsets,
        values,
        None,
    )?))
}

fn rows_of(values: &ArrayRef, order: SortOptions) -> Result<Rows> {
    let converter = RowConverter::new(vec![SortField::new_with_options(
        values.data_type().clone(),
        order,
    )])?;
    Ok(converter.convert_columns(&[Arc::clone(values)])?)
}

/// What a text is compared as with a value of another type.
#[derive(Clone, Copy, PartialEq)]
enum Mixed {
    /// Both are texts.
    Texts,
    /// The text is a value of the other's type, as `=` has it.
    Values,
}

/// Elements and wanted values as one type that compares.
fn search(called: &Called<'_>, mixed: Mixed) -> Result<(ArrayRef, ArrayRef)> {
    let lists = called.arg(0)?.as_list::<i32>();
    let values = plain(lists.values())?;
    let wanted = called.arg(1)?;
    let to = match (values.data_type(), wanted.data_type()) {
        (a, b) if a == b || *b == DataType::Null => a.clone(),
        (DataType::Null, b) => b.clone(),
        (DataType::Utf8, other) | (other, DataType::Utf8) if mixed == Mixed::Values => {
            other.clone()
        }
        (DataType::Utf8, _) | (_, DataType::Utf8) => DataType::Utf8,
        (a, b) if a.is_integer() && b.is_integer() => DataType::Int64,
        (a, b) if a.is_numeric() && b.is_numeric() => DataType::Float64,
        (DataType::Date32, DataType::Timestamp(..))
        | (DataType::Timestamp(..), DataType::Date32) => timestamp(),
        (a, b) => return exec_err!("{a} and {b} can't be compared"),
    };
    Ok((unified(&values, &to)?, unified(wanted, &to)?))
}

/// Whether each row's list has its value, and where from 1 on; null where it hasn't and has nulls.
fn found(called: &Called<'_>, mixed: Mixed) -> Result<Vec<Option<(bool, i64)>>> {
    let (values, wanted) = search(called, mixed)?;
    let converter = RowConverter::new(vec![SortField::new(values.data_type().clone())])?;
    let elements = converter.convert_columns(&[Arc::clone(&values)])?;
    let keys = converter.convert_columns(&[Arc::clone(&wanted)])?;
    Ok(places(called.arg(0)?.as_list::<i32>())
        .enumerate()
        .map(|(row, places)| {
            let places = places?;
            if wanted.is_null(row) {
                return None;
            }
            let key = keys.row(row);
            let nulls = places.clone().any(|at| values.is_null(at));
            match places
                .clone()
                .position(|at| values.is_valid(at) && elements.row(at) == key)
            {
                Some(at) => Some((true, i64::try_from(at).unwrap_or(i64::MAX - 1) + 1)),
                None => Some((false, if nulls { -1 } else { 0 })),
            }
        })
        .collect())
}

fn array_contains(called: &Called<'_>) -> Result<ArrayRef> {
    let found = found(called, Mixed::Texts)?;
    Ok(Arc::new(BooleanArray::from_iter(
        found.into_iter().map(known),
    )))
}

/// Whether it is there, where that is known.
fn known(found: Option<(bool, i64)>) -> Option<bool> {
    match found? {
        (false, -1) => None,
        (found, _) => Some(found),
    }
}

/// `value = ANY (list)`: nothing is in an empty list, not even a null.
fn any(called: &Called<'_>) -> Result<ArrayRef> {
    let found = found(called, Mixed::Values)?;
    let places = places(called.arg(0)?.as_list::<i32>());
    let values = places.zip(found).map(|(places, found)| match places? {
        places if places.is_empty() => Some(false),
        _ => known(found),
    });
    Ok(Arc::new(BooleanArray::from_iter(values)))
}

/// 0 where it isn't.
fn array_position(called: &Called<'_>) -> Result<ArrayRef> {
    let values: Int64Array = found(called, Mixed::Texts)?
        .into_iter()
        .map(|found| found.map(|(_, at)| at.max(0)))
        .collect();
    Ok(Arc::new(values))
}

fn array_distinct(called: &Called<'_>) -> Result<ArrayRef> {
    let lists = called.arg(0)?.as_list::<i32>();
    let elements = rows_of(lists.values(), SortOptions::default())?;
    let rows = places(lists)
        .map(|places| {
            let mut seen = HashSet::new();
            Some(
                places?
                    .filter(|&at| seen.insert(elements.row(at)))
                    .collect(),
            )
        })
        .collect();
    taken(called.data_type, lists.values(), rows)
}

/// Nulls first upwards, last downwards.
fn sort_array(called: &Called<'_>) -> Result<ArrayRef> {
    let lists = called.arg(0)?.as_list::<i32>();
    let order = |descending| SortOptions {
        descending,
        nulls_first: !descending,
    };
    let up = rows_of(lists.values(), order(false))?;
    let down = rows_of(lists.values(), order(true))?;
    let ways = match called.args.get(1) {
        Some(way) => way.as_boolean().iter().collect(),
        None => vec![Some(true); called.rows],
    };
    let rows = places(lists)
        .zip(ways)
        .map(|(places, way)| {
            let mut places: Vec<usize> = places?.collect();
            let by = if way? { &up } else { &down };
            places.sort_by_key(|&at| by.row(at));
            Some(places)
        })
        .collect();
    taken(called.data_type, lists.values(), rows)
}

fn extreme(called: &Called<'_>, greatest: bool) -> Result<ArrayRef> {
    let lists = called.arg(0)?.as_list::<i32>();
    let values = lists.values();
    let order = rows_of(values, SortOptions::default())?;
    let places: UInt64Array = places(lists)
        .map(|places| {
            let places = places?.filter(|&at| values.is_valid(at));
            let at = if greatest {
                places.max_by_key(|&at| order.row(at))
            } else {
                places.min_by_key(|&at| order.row(at))
            };
            u64::try_from(at?).ok()
        })
        .collect();
    Ok(take(values, &places, None)?)
}

fn array_max(called: &Called<'_>) -> Result<ArrayRef> {
    extreme(called, true)
}

fn array_min(called: &Called<'_>) -> Result<ArrayRef> {
    extreme(called, false)
}

/// Nulls are left out unless there is a text for them.
fn array_join(called: &Called<'_>) -> Result<ArrayRef> {
    let lists = called.arg(0)?.as_list::<i32>();
    let elements = cast::to(&plain(lists.values())?, &DataType::Utf8)?;
    let elements = elements.as_string::<i32>();
    let separators = strings(called, 1)?;
    let of_null = if called.args.len() > 2 {
        Some(strings(called, 2)?)
    } else {
        None
    };
    let values: StringArray = places(lists)
        .enumerate()
        .map(|(row, places)| {
            let places = places?;
            if separators.is_null(row) {
                return None;
            }
            let instead = match &of_null {
                None => None,
                Some(texts) if texts.is_null(row) => return None,
                Some(texts) => Some(texts.value(row)),
            };
            let texts: Vec<&str> = places
                .filter_map(|at| {
                    if elements.is_null(at) {
                        instead
                    } else {
                        Some(elements.value(at))
                    }
                })
                .collect();
            Some(texts.join(separators.value(row)))
        })
        .collect();
    Ok(Arc::new(values))
}

/// Null where one of the lists within is.
fn flatten(called: &Called<'_>) -> Result<ArrayRef> {
    let lists = called.arg(0)?.as_list::<i32>();
    let inner = lists.values().as_list::<i32>();
    let rows = places(lists)
        .map(|places| {
            let mut all = Vec::new();
            for at in places? {
                if inner.is_null(at) {
                    return None;
                }
                all.extend(span(inner.value_offsets(), at));
            }
            Some(all)
        })
        .collect();
    taken(called.data_type, inner.values(), rows)
}

/// From the place that is given (1 is the first, -1 the last), as many.
fn slice(called: &Called<'_>) -> Result<ArrayRef> {
    let lists = called.arg(0)?.as_list::<i32>();
    let (starts, lengths) = (longs(called, 1)?, longs(called, 2)?);
    if starts.contains(&Some(0)) {
        return exec_err!("slice: the first element is 1, the last one -1");
    }
    if lengths.iter().flatten().any(|length| *length < 0) {
        return exec_err!("slice: a length is not below 0");
    }
    let rows = places(lists)
        .zip(starts.into_iter().zip(lengths))
        .map(|(places, (start, length))| {
            let (places, start, length) = (places?, start?, usize::try_from(length?).ok()?);
            let skip = if start > 0 {
                start - 1
            } else {
                i64::try_from(places.len()).ok()? + start
            };
            let Ok(skip) = usize::try_from(skip) else {
                return Some(Vec::new());
            };
            Some(places.skip(skip).take(length).collect())
        })
        .collect();
    taken(called.data_type, lists.values(), rows)
}

fn list_or_empty(called: &Called<'_>) -> Result<ArrayRef> {
    let array = called.arg(0)?;
    let DataType::List(element) = called.data_type else {
        return exec_err!("{} gives a list", called.name);
    };
    let lists = array.as_list::<i32>();
    let rows: Vec<_> = places(lists)
        .map(|places| places.map_or(0..0, |places| places))
        .collect();
    let offsets = OffsetBuffer::from_lengths(rows.iter().map(|places| places.len()));
    let order: UInt64Array = rows
        .into_iter()
        .flatten()
        .map(|place| u64::try_from(place).ok())
        .collect();
    Ok(Arc::new(ListArray::try_new(
        Arc::clone(element),
        offsets,
        take(lists.values(), &order, None)?,
        None,
    )?))
}

/// One list behind the other; null where one is.
pub(super) fn concat(called: &Called<'_>) -> Result<ArrayRef> {
    let all = called
        .args
        .iter()
        .map(|array| unified(array, called.data_type))
        .collect::<Result<Vec<_>>>()?;
    let all: Vec<&ListArray> = all.iter().map(|array| array.as_list::<i32>()).collect();
    let values: Vec<_> = all.iter().map(|lists| lists.values().as_ref()).collect();
    let together = compute::concat(&values)?;
    let mut begins = vec![0];
    for lists in &all {
        begins.push(begins[begins.len() - 1] + lists.values().len());
    }
    let rows = (0..called.rows)
        .map(|row| {
            let mut places = Vec::new();
            for (lists, begin) in all.iter().zip(&begins) {
                if lists.is_null(row) {
                    return None;
                }
                places.extend(span(lists.value_offsets(), row).map(|at| at + begin));
            }
            Some(places)
        })
        .collect();
    taken(called.data_type, &together, rows)
}

pub(super) fn reverse(called: &Called<'_>) -> Result<ArrayRef> {
    let lists = called.arg(0)?.as_list::<i32>();
    let rows = places(lists)
        .map(|places| Some(places?.rev().collect()))
        .collect();
    taken(called.data_type, lists.values(), rows)
}
