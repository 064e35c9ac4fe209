//! Of lists and maps alike: how many elements they have.

use std::sync::Arc;

use datafusion::arrow::array::StructArray;
use datafusion::arrow::array::{Array as _, ArrayRef, AsArray as _, Int32Array};
use datafusion::arrow::datatypes::{DataType, Field, Fields};
use datafusion::common::{Result, exec_err};

use super::access::span;
use super::{Asked, Called, Row};

pub(super) const FUNCTIONS: &[Row] = &[
    ("spark_size", size_type, size),
    ("spark_array_size", size_type, array_size),
    ("spark_named_struct", struct_type, named_struct),
];

fn size_type(asked: &Asked<'_>) -> Result<DataType> {
    match asked.of(0)? {
        DataType::List(_) | DataType::Map(..) => Ok(DataType::Int32),
        _ => asked.refused("a list or a map"),
    }
}

/// Offsets of the elements of the rows of a list or a map.
pub(super) fn offsets(array: &ArrayRef) -> Result<&[i32]> {
    match array.data_type() {
        DataType::List(_) => Ok(array.as_list::<i32>().value_offsets()),
        DataType::Map(..) => Ok(array.as_map().value_offsets()),
        other => exec_err!("{other} is no list and no map"),
    }
}

fn sizes(called: &Called<'_>, of_null: Option<i32>) -> Result<ArrayRef> {
    let array = called.arg(0)?;
    let offsets = offsets(array)?;
    let values: Int32Array = (0..array.len())
        .map(|row| {
            if array.is_null(row) {
                of_null
            } else {
                i32::try_from(span(offsets, row).len()).ok()
            }
        })
        .collect();
    Ok(Arc::new(values))
}

/// -1 of null, as Spark's with ANSI off.
fn size(called: &Called<'_>) -> Result<ArrayRef> {
    sizes(called, Some(-1))
}

fn array_size(called: &Called<'_>) -> Result<ArrayRef> {
    sizes(called, None)
}

/// Names, which are constants, and values in turn.
fn struct_type(asked: &Asked<'_>) -> Result<DataType> {
    let mut fields = Vec::new();
    for number in (0..asked.types.len()).step_by(2) {
        let Some(name) = asked.text(number) else {
            return asked.refused("names and values in turn");
        };
        fields.push(Field::new(name, asked.of(number + 1)?.clone(), true));
    }
    Ok(DataType::Struct(Fields::from(fields)))
}

fn named_struct(called: &Called<'_>) -> Result<ArrayRef> {
    let DataType::Struct(fields) = called.data_type else {
        return exec_err!("{} gives structs", called.name);
    };
    let columns = called.args.iter().skip(1).step_by(2).cloned().collect();
    Ok(Arc::new(StructArray::try_new_with_length(
        fields.clone(),
        columns,
        None,
        called.rows,
    )?))
}
