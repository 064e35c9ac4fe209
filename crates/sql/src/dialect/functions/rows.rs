//! Generators: a list or a map as a list of structs, whose fields are the columns of the rows to be.

use std::sync::Arc;

use datafusion::arrow::array::{
    Array as _, ArrayRef, AsArray as _, Int32Array, ListArray, StructArray,
};
use datafusion::arrow::buffer::OffsetBuffer;
use datafusion::arrow::datatypes::{DataType, Field, Fields};
use datafusion::common::{Result, exec_err};

use super::access::{entry_types, span};
use super::{Asked, Called, Row};

pub(super) const FUNCTIONS: &[Row] = &[
    ("spark_explode", explode_type, explode),
    ("spark_posexplode", posexplode_type, posexplode),
    ("spark_inline", inline_type, inline),
];

fn explode_type(asked: &Asked<'_>) -> Result<DataType> {
    rows(asked, false)
}

fn posexplode_type(asked: &Asked<'_>) -> Result<DataType> {
    rows(asked, true)
}

fn rows(asked: &Asked<'_>, position: bool) -> Result<DataType> {
    let mut fields = Vec::new();
    if position {
        fields.push(Field::new("pos", DataType::Int32, true));
    }
    match asked.of(0)? {
        DataType::List(element) => {
            fields.push(Field::new("col", element.data_type().clone(), true))
        }
        DataType::Map(entries, _) => {
            let (key, value) = entry_types(entries)?;
            fields.push(Field::new("key", key, true));
            fields.push(Field::new("value", value, true));
        }
        _ => return asked.refused("a list or a map"),
    }
    Ok(super::list(DataType::Struct(fields.into())))
}

fn inline_type(asked: &Asked<'_>) -> Result<DataType> {
    match asked.of(0)? {
        DataType::List(element) => match element.data_type() {
            DataType::Struct(fields) => Ok(super::list(DataType::Struct(nullable(fields)))),
            _ => asked.refused("a list of structs"),
        },
        _ => asked.refused("a list of structs"),
    }
}

fn nullable(fields: &Fields) -> Fields {
    fields
        .iter()
        .map(|field| Field::new(field.name(), field.data_type().clone(), true))
        .collect()
}

fn explode(called: &Called<'_>) -> Result<ArrayRef> {
    structs(called, false)
}

fn posexplode(called: &Called<'_>) -> Result<ArrayRef> {
    structs(called, true)
}

fn inline(called: &Called<'_>) -> Result<ArrayRef> {
    let lists = called.arg(0)?.as_list::<i32>();
    let elements = lists.values().as_struct();
    let columns = elements.columns().to_vec();
    let elements = StructArray::try_new(
        nullable(elements.fields()),
        columns,
        elements.nulls().cloned(),
    )?;
    build(
        called,
        lists.offsets().clone(),
        Arc::new(elements),
        called.arg(0)?,
    )
}

fn structs(called: &Called<'_>, position: bool) -> Result<ArrayRef> {
    let base = called.arg(0)?;
    let (offsets, columns) = match base.data_type() {
        DataType::List(_) => {
            let lists = base.as_list::<i32>();
            (lists.offsets().clone(), vec![Arc::clone(lists.values())])
        }
        DataType::Map(..) => {
            let maps = base.as_map();
            (
                maps.offsets().clone(),
                vec![Arc::clone(maps.keys()), Arc::clone(maps.values())],
            )
        }
        _ => return exec_err!("{} takes a list or a map", called.name),
    };
    let DataType::List(element) = called.data_type else {
        return exec_err!("{} gives a list", called.name);
    };
    let DataType::Struct(fields) = element.data_type() else {
        return exec_err!("{} gives structs", called.name);
    };
    let mut all = Vec::with_capacity(fields.len());
    if position {
        let length = columns.first().map_or(0, |column| column.len());
        let mut positions = vec![0; length];
        for row in 0..base.len() {
            for (position, place) in (0..).zip(span(&offsets, row)) {
                positions[place] = position;
            }
        }
        all.push(Arc::new(Int32Array::from(positions)) as ArrayRef);
    }
    all.extend(columns);
    let elements = StructArray::try_new(fields.clone(), all, None)?;
    build(called, offsets, Arc::new(elements), base)
}

fn build(
    called: &Called<'_>,
    offsets: OffsetBuffer<i32>,
    elements: ArrayRef,
    base: &ArrayRef,
) -> Result<ArrayRef> {
    let DataType::List(element) = called.data_type else {
        return exec_err!("{} gives a list", called.name);
    };
    Ok(Arc::new(ListArray::try_new(
        Arc::clone(element),
        offsets,
        elements,
        base.nulls().cloned(),
    )?))
}
