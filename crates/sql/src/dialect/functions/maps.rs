//! Maps. Two entries of one key are an error where a map is made, as in Spark.

use std::collections::HashSet;
use std::sync::Arc;

use datafusion::arrow::array::{
    Array as _, ArrayRef, AsArray as _, BooleanArray, ListArray, MapArray, StructArray, UInt64Array,
};
use datafusion::arrow::buffer::{NullBuffer, OffsetBuffer};
use datafusion::arrow::compute::{self, interleave, take};
use datafusion::arrow::datatypes::{DataType, Field, Fields};
use datafusion::arrow::row::{RowConverter, SortField};
use datafusion::common::{Result, exec_err};

use super::access::{entry_types, span};
use super::lists::{common, unified};
use super::{Asked, Called, Row, cast, plain, plain_type};

pub(super) const FUNCTIONS: &[Row] = &[
    ("spark_map", map_type, map),
    ("spark_map_keys", keys_type, map_keys),
    ("spark_map_values", values_type, map_values),
    ("spark_map_entries", entries_type, map_entries),
    (
        "spark_map_from_entries",
        from_entries_type,
        map_from_entries,
    ),
    ("spark_map_from_arrays", from_arrays_type, map_from_arrays),
    ("spark_map_concat", concat_type, map_concat),
    (
        "spark_map_contains_key",
        contains_key_type,
        map_contains_key,
    ),
];

fn types(asked: &Asked<'_>, number: usize) -> Result<(DataType, DataType)> {
    match asked.of(number)? {
        DataType::Map(entries, _) => entry_types(entries),
        _ => asked.refused("a map"),
    }
}

fn of_types(key: DataType, value: DataType) -> DataType {
    let entries = Fields::from(vec![
        Field::new("key", key, false),
        Field::new("value", value, true),
    ]);
    DataType::Map(
        Arc::new(Field::new("entries", DataType::Struct(entries), false)),
        false,
    )
}

fn map_type(asked: &Asked<'_>) -> Result<DataType> {
    if !asked.types.len().is_multiple_of(2) || asked.types.is_empty() {
        return asked.refused("keys and values in turn");
    }
    let (keys, values): (Vec<_>, Vec<_>) = asked
        .types
        .chunks(2)
        .map(|pair| (pair[0].clone(), pair[1].clone()))
        .unzip();
    let key = common(asked, &keys)?;
    if matches!(key, DataType::Map(..) | DataType::Null) {
        return asked.refused("keys that can be compared");
    }
    Ok(of_types(key, common(asked, &values)?))
}

fn keys_type(asked: &Asked<'_>) -> Result<DataType> {
    Ok(super::list(types(asked, 0)?.0))
}

fn values_type(asked: &Asked<'_>) -> Result<DataType> {
    Ok(super::list(types(asked, 0)?.1))
}

fn entries_type(asked: &Asked<'_>) -> Result<DataType> {
    let (key, value) = types(asked, 0)?;
    let fields = Fields::from(vec![
        Field::new("key", key, true),
        Field::new("value", value, true),
    ]);
    Ok(super::list(DataType::Struct(fields)))
}

fn from_entries_type(asked: &Asked<'_>) -> Result<DataType> {
    if let DataType::List(element) = asked.of(0)?
        && let DataType::Struct(fields) = element.data_type()
        && let [key, value] = fields.iter().collect::<Vec<_>>().as_slice()
    {
        return Ok(of_types(key.data_type().clone(), value.data_type().clone()));
    }
    asked.refused("a list of pairs")
}

fn from_arrays_type(asked: &Asked<'_>) -> Result<DataType> {
    match (asked.of(0)?, asked.of(1)?) {
        (DataType::List(key), DataType::List(value)) => {
            Ok(of_types(key.data_type().clone(), value.data_type().clone()))
        }
        _ => asked.refused("two lists"),
    }
}

fn concat_type(asked: &Asked<'_>) -> Result<DataType> {
    let (key, value) = types(asked, 0)?;
    for number in 1..asked.types.len() {
        if types(asked, number)? != (key.clone(), value.clone()) {
            return asked.refused("maps of one type");
        }
    }
    Ok(of_types(key, value))
}

fn contains_key_type(asked: &Asked<'_>) -> Result<DataType> {
    let key = plain_type(&types(asked, 0)?.0);
    common(asked, &[key, asked.of(1)?.clone()])?;
    Ok(DataType::Boolean)
}

/// Maps of the entries of each row; `None` is null.
fn made(
    called: &Called<'_>,
    keys: &ArrayRef,
    values: &ArrayRef,
    rows: Vec<Option<Vec<(usize, usize)>>>,
) -> Result<ArrayRef> {
    let DataType::Map(entries, _) = called.data_type else {
        return exec_err!("{} gives a map", called.name);
    };
    let DataType::Struct(fields) = entries.data_type() else {
        return exec_err!("a map's entries are structs");
    };
    let converter = RowConverter::new(vec![SortField::new(keys.data_type().clone())])?;
    let order = converter.convert_columns(&[Arc::clone(keys)])?;
    for row in rows.iter().flatten() {
        let mut seen = HashSet::new();
        for &(key, _) in row {
            if keys.is_null(key) {
                return exec_err!("{}: a key is null", called.name);
            }
            if !seen.insert(order.row(key)) {
                return exec_err!("{}: a key is there twice", called.name);
            }
        }
    }
    let nulls: NullBuffer = rows.iter().map(Option::is_some).collect();
    let offsets =
        OffsetBuffer::from_lengths(rows.iter().map(|row| row.as_ref().map_or(0, Vec::len)));
    let places = |of: fn(&(usize, usize)) -> usize| -> UInt64Array {
        rows.iter()
            .flatten()
            .flatten()
            .map(|pair| u64::try_from(of(pair)).ok())
            .collect()
    };
    let keys = take(keys, &places(|pair| pair.0), None)?;
    let values = take(values, &places(|pair| pair.1), None)?;
    let columns = StructArray::try_new(fields.clone(), vec![keys, values], None)?;
    Ok(Arc::new(MapArray::try_new(
        Arc::clone(entries),
        offsets,
        columns,
        Some(nulls),
        false,
    )?))
}

fn map(called: &Called<'_>) -> Result<ArrayRef> {
    let DataType::Map(entries, _) = called.data_type else {
        return exec_err!("{} gives a map", called.name);
    };
    let (key, value) = entry_types(entries)?;
    let mut columns = Vec::with_capacity(called.args.len());
    for (number, array) in called.args.iter().enumerate() {
        columns.push(unified(array, if number % 2 == 0 { &key } else { &value })?);
    }
    let pairs = columns.len() / 2;
    let together = |from: usize| -> Result<ArrayRef> {
        let columns: Vec<_> = columns
            .iter()
            .skip(from)
            .step_by(2)
            .map(|column| column.as_ref())
            .collect();
        let order: Vec<_> = (0..called.rows)
            .flat_map(|row| (0..pairs).map(move |pair| (pair, row)))
            .collect();
        Ok(interleave(&columns, &order)?)
    };
    let (keys, values) = (together(0)?, together(1)?);
    let rows = (0..called.rows)
        .map(|row| {
            Some(
                (row * pairs..(row + 1) * pairs)
                    .map(|at| (at, at))
                    .collect(),
            )
        })
        .collect();
    made(called, &keys, &values, rows)
}

fn list_of(called: &Called<'_>, values: ArrayRef, base: &MapArray) -> Result<ArrayRef> {
    let DataType::List(element) = called.data_type else {
        return exec_err!("{} gives a list", called.name);
    };
    Ok(Arc::new(ListArray::try_new(
        Arc::clone(element),
        base.offsets().clone(),
        values,
        base.nulls().cloned(),
    )?))
}

fn map_keys(called: &Called<'_>) -> Result<ArrayRef> {
    let base = called.arg(0)?.as_map();
    list_of(called, Arc::clone(base.keys()), base)
}

fn map_values(called: &Called<'_>) -> Result<ArrayRef> {
    let base = called.arg(0)?.as_map();
    list_of(called, Arc::clone(base.values()), base)
}

fn map_entries(called: &Called<'_>) -> Result<ArrayRef> {
    let base = called.arg(0)?.as_map();
    let DataType::List(element) = called.data_type else {
        return exec_err!("{} gives a list", called.name);
    };
    let DataType::Struct(fields) = element.data_type() else {
        return exec_err!("entries are structs");
    };
    let columns = vec![Arc::clone(base.keys()), Arc::clone(base.values())];
    let entries = StructArray::try_new(fields.clone(), columns, None)?;
    list_of(called, Arc::new(entries), base)
}

/// Null where an entry is.
fn map_from_entries(called: &Called<'_>) -> Result<ArrayRef> {
    let lists = called.arg(0)?.as_list::<i32>();
    let entries = lists.values().as_struct();
    let rows = (0..lists.len())
        .map(|row| {
            let places = span(lists.value_offsets(), row);
            let fine = lists.is_valid(row) && places.clone().all(|at| entries.is_valid(at));
            fine.then(|| places.map(|at| (at, at)).collect())
        })
        .collect();
    made(called, entries.column(0), entries.column(1), rows)
}

fn map_from_arrays(called: &Called<'_>) -> Result<ArrayRef> {
    let (keys, values) = (
        called.arg(0)?.as_list::<i32>(),
        called.arg(1)?.as_list::<i32>(),
    );
    let mut rows = Vec::with_capacity(called.rows);
    for row in 0..called.rows {
        if keys.is_null(row) || values.is_null(row) {
            rows.push(None);
            continue;
        }
        let (of_keys, of_values) = (
            span(keys.value_offsets(), row),
            span(values.value_offsets(), row),
        );
        if of_keys.len() != of_values.len() {
            return exec_err!(
                "map_from_arrays: {} keys and {} values",
                of_keys.len(),
                of_values.len()
            );
        }
        rows.push(Some(of_keys.zip(of_values).collect()));
    }
    made(called, keys.values(), values.values(), rows)
}

fn map_concat(called: &Called<'_>) -> Result<ArrayRef> {
    let all: Vec<&MapArray> = called.args.iter().map(|array| array.as_map()).collect();
    let keys: Vec<_> = all.iter().map(|map| map.keys().as_ref()).collect();
    let values: Vec<_> = all.iter().map(|map| map.values().as_ref()).collect();
    let (keys, values) = (compute::concat(&keys)?, compute::concat(&values)?);
    let rows = (0..called.rows)
        .map(|row| {
            let mut places = Vec::new();
            let mut begin = 0;
            for map in &all {
                if map.is_null(row) {
                    return None;
                }
                places.extend(span(map.value_offsets(), row).map(|at| (at + begin, at + begin)));
                begin += map.keys().len();
            }
            Some(places)
        })
        .collect();
    made(called, &keys, &values, rows)
}

fn map_contains_key(called: &Called<'_>) -> Result<ArrayRef> {
    let maps = called.arg(0)?.as_map();
    let keys = plain(maps.keys())?;
    let wanted = cast::to(called.arg(1)?, keys.data_type())?;
    let converter = RowConverter::new(vec![SortField::new(keys.data_type().clone())])?;
    let there = converter.convert_columns(&[keys])?;
    let rows = converter.convert_columns(&[Arc::clone(&wanted)])?;
    let values: BooleanArray = (0..called.rows)
        .map(|row| {
            if maps.is_null(row) || wanted.is_null(row) {
                return None;
            }
            Some(span(maps.value_offsets(), row).any(|at| there.row(at) == rows.row(row)))
        })
        .collect();
    Ok(Arc::new(values))
}
