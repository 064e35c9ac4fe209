use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, ListArray, MapArray, StructArray};
use arrow::buffer::OffsetBuffer;
use arrow::compute::filter;
use arrow::datatypes::{DataType, Field};
use arrow::error::ArrowError;
use gather::{Column, RowRef};
use xdm::{FieldType, Fields};

use crate::Projection;
use crate::projection::Keep;

impl Projection {
    /// Reduces merged fields to what is asked for: the columns of the output, one by one.
    ///
    /// # Errors
    /// Fields of other types than [`Projection::needed`] says.
    pub fn apply(
        &self,
        fields: Vec<(String, ArrayRef)>,
    ) -> Result<Vec<(String, ArrayRef)>, ArrowError> {
        fields
            .into_iter()
            .map(|(name, array)| {
                let keep = self.keep.of_field(&name);
                let array = match self.output().get(&name) {
                    Some(ty) => reduce(&array, keep, ty)?,
                    None => array,
                };
                Ok((name, array))
            })
            .collect()
    }
}

impl Keep {
    fn of_field(&self, name: &str) -> &Self {
        match self {
            Self::Fields(kept) => kept
                .iter()
                .find(|(kept, _)| kept == name)
                .map_or(&Self::All, |(_, keep)| keep),
            _ => &Self::All,
        }
    }
}

/// The parts of an array that the output type has, of maps the kept keys alone.
fn reduce(array: &ArrayRef, keep: &Keep, ty: &FieldType) -> Result<ArrayRef, ArrowError> {
    Ok(match (array.data_type(), ty) {
        (DataType::Struct(_), FieldType::Object(fields)) => {
            Arc::new(reduce_struct(array.as_struct(), keep, fields)?)
        }
        (DataType::List(_), FieldType::List(item)) => {
            let list = array.as_list::<i32>();
            let items = reduce(list.values(), keep, item)?;
            Arc::new(ListArray::try_new(
                Arc::new(Field::new("element", items.data_type().clone(), true)),
                list.offsets().clone(),
                items,
                list.nulls().cloned(),
            )?)
        }
        (DataType::Map(..), FieldType::Map(value)) => reduce_map(array.as_map(), keep, value)?,
        _ => array.clone(),
    })
}

fn reduce_struct(
    array: &StructArray,
    keep: &Keep,
    fields: &Fields,
) -> Result<StructArray, ArrowError> {
    let mut names = Vec::new();
    let mut arrays = Vec::new();
    for (name, ty) in fields.iter() {
        let column = array.column_by_name(name).ok_or_else(|| {
            ArrowError::SchemaError(format!("the merged field has no part {name}"))
        })?;
        let reduced = reduce(column, keep.of_field(name), ty)?;
        names.push(Field::new(name, reduced.data_type().clone(), true));
        arrays.push(reduced);
    }
    StructArray::try_new_with_length(names.into(), arrays, array.nulls().cloned(), array.len())
}

fn reduce_map(map: &MapArray, keep: &Keep, ty: &FieldType) -> Result<ArrayRef, ArrowError> {
    let (mut keys, mut values) = (map.keys().clone(), map.values().clone());
    let mut offsets = map.offsets().clone();
    let mut inner = &Keep::All;
    if let Keep::Keys {
        keys: wanted,
        fold,
        value,
    } = keep
    {
        inner = value;
        let column = Column::new(&DataType::Utf8, &[Some(keys.clone())])?;
        let kept: Vec<bool> = (0..keys.len() as u32)
            .map(|row| {
                // A map's keys are never null.
                let key = column.text(RowRef::new(0, row)).unwrap_or_default();
                wanted
                    .iter()
                    .any(|wanted| wanted == key || (*fold && wanted.eq_ignore_ascii_case(key)))
            })
            .collect();
        let mut counts = vec![0usize; map.len()];
        for (count, range) in counts.iter_mut().zip(offsets.windows(2)) {
            if let [start, end] = *range {
                let entries = &kept[start as usize..end as usize];
                *count = entries.iter().filter(|kept| **kept).count();
            }
        }
        // Entries before the first offset or after the last belong to no row.
        let first = offsets.first().map_or(0, |o| *o as usize);
        let last = offsets.last().map_or(0, |o| *o as usize);
        let mask: Vec<bool> = kept
            .iter()
            .enumerate()
            .map(|(i, kept)| *kept && (first..last).contains(&i))
            .collect();
        let mask = BooleanArray::from(mask);
        keys = filter(&keys, &mask)?;
        values = filter(&values, &mask)?;
        offsets = OffsetBuffer::from_lengths(counts);
    }
    let values = reduce(&values, inner, ty)?;
    let parts = vec![
        Field::new("key", keys.data_type().clone(), false),
        Field::new("value", values.data_type().clone(), true),
    ];
    let entries = StructArray::try_new(parts.clone().into(), vec![keys, values], None)?;
    Ok(Arc::new(MapArray::try_new(
        Arc::new(Field::new(
            "key_value",
            DataType::Struct(parts.into()),
            false,
        )),
        offsets,
        entries,
        map.nulls().cloned(),
        false,
    )?))
}

#[cfg(test)]
mod tests;
