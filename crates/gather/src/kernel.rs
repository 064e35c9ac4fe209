use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, BooleanArray, FixedSizeBinaryArray, ListArray, MapArray,
    PrimitiveArray, StructArray, new_null_array,
};
use arrow::buffer::{BooleanBuffer, MutableBuffer, NullBuffer, OffsetBuffer};
use arrow::datatypes::DataType;
use arrow::error::ArrowError;

use crate::column::{Column, Sources, Validity, Values, bounds};
use crate::rows::RowRef;

impl Column {
    /// An array of `rows.len()` values: the rows named, null where a row is null or its source
    /// lacks the field.
    ///
    /// # Errors
    /// Text or list items beyond the 2³¹ that one array's offsets can count.
    pub fn interleave(&self, rows: &[RowRef]) -> Result<ArrayRef, ArrowError> {
        let nulls = self.nulls(rows);
        Ok(match &self.values {
            Values::Missing => new_null_array(&self.data_type, rows.len()),
            Values::Boolean(sources) => {
                let bits = BooleanBuffer::collect_bool(rows.len(), |i| {
                    rows.get(i).is_some_and(|at| {
                        source(sources, *at).is_some_and(|a| a.values().value(at.row as usize))
                    })
                });
                Arc::new(BooleanArray::new(bits, nulls))
            }
            Values::Int8(sources) => primitive(sources, rows, nulls, &self.data_type),
            Values::Int16(sources) => primitive(sources, rows, nulls, &self.data_type),
            Values::Int32(sources) => primitive(sources, rows, nulls, &self.data_type),
            Values::Int64(sources) => primitive(sources, rows, nulls, &self.data_type),
            Values::UInt64(sources) => primitive(sources, rows, nulls, &self.data_type),
            Values::Float64(sources) => primitive(sources, rows, nulls, &self.data_type),
            Values::Date32(sources) => primitive(sources, rows, nulls, &self.data_type),
            Values::Timestamp(sources) => primitive(sources, rows, nulls, &self.data_type),
            Values::Bytes16(sources) => {
                let mut bytes = MutableBuffer::with_capacity(rows.len() * 16);
                for at in rows {
                    match source(sources, *at) {
                        Some(a) => bytes.extend_from_slice(a.value(at.row as usize)),
                        None => bytes.extend_from_slice(&[0u8; 16]),
                    }
                }
                Arc::new(FixedSizeBinaryArray::try_new(16, bytes.into(), nulls)?)
            }
            Values::Text(text) => text.interleave(rows, nulls)?,
            Values::Struct(fields, columns) => {
                let columns = columns
                    .iter()
                    .map(|column| column.interleave(rows))
                    .collect::<Result<Vec<_>, _>>()?;
                Arc::new(StructArray::try_new_with_length(
                    fields.clone(),
                    columns,
                    nulls,
                    rows.len(),
                )?)
            }
            Values::List(item, offsets, items) => {
                let (offsets, inner) = expand(offsets, rows, nulls.as_ref())?;
                let values = items.interleave(&inner)?;
                Arc::new(ListArray::try_new(item.clone(), offsets, values, nulls)?)
            }
            Values::Map(entries, offsets, columns) => {
                let (offsets, inner) = expand(offsets, rows, nulls.as_ref())?;
                let parts = vec![columns.0.interleave(&inner)?, columns.1.interleave(&inner)?];
                let DataType::Struct(fields) = entries.data_type() else {
                    return Err(ArrowError::SchemaError("a map without entries".to_owned()));
                };
                let struct_array = StructArray::try_new(fields.clone(), parts, None)?;
                Arc::new(MapArray::try_new(
                    entries.clone(),
                    offsets,
                    struct_array,
                    nulls,
                    false,
                )?)
            }
        })
    }

    fn nulls(&self, rows: &[RowRef]) -> Option<NullBuffer> {
        let all_sources_full = self.validity.iter().all(|v| matches!(v, Validity::All));
        if all_sources_full && !rows.iter().any(|at| at.is_null()) {
            return None;
        }
        let bits = BooleanBuffer::collect_bool(rows.len(), |i| {
            rows.get(i).is_some_and(|at| self.is_valid(*at))
        });
        Some(NullBuffer::new(bits)).filter(|nulls| nulls.null_count() > 0)
    }
}

#[inline]
fn source<A: Array>(sources: &Sources<A>, at: RowRef) -> Option<&A> {
    sources
        .get(at.source as usize)
        .and_then(Option::as_ref)
        .filter(|a| (at.row as usize) < a.len())
}

fn primitive<T: ArrowPrimitiveType>(
    sources: &Sources<PrimitiveArray<T>>,
    rows: &[RowRef],
    nulls: Option<NullBuffer>,
    data_type: &DataType,
) -> ArrayRef {
    let slices: Vec<&[T::Native]> = sources
        .iter()
        .map(|s| s.as_ref().map_or(&[][..], |a| a.values().as_ref()))
        .collect();
    let values: Vec<T::Native> = rows
        .iter()
        .map(|at| {
            slices
                .get(at.source as usize)
                .and_then(|s| s.get(at.row as usize))
                .copied()
                // A null row, or one of a source that lacks the field: its value is masked.
                .unwrap_or_default()
        })
        .collect();
    Arc::new(PrimitiveArray::<T>::new(values.into(), nulls).with_data_type(data_type.clone()))
}

/// The offsets of the gathered lists and the rows of their items.
fn expand(
    sources: &Sources<OffsetBuffer<i32>>,
    rows: &[RowRef],
    nulls: Option<&NullBuffer>,
) -> Result<(OffsetBuffer<i32>, Vec<RowRef>), ArrowError> {
    let mut offsets = Vec::with_capacity(rows.len() + 1);
    offsets.push(0i32);
    let mut inner = Vec::new();
    for (i, at) in rows.iter().enumerate() {
        if !nulls.is_some_and(|n| n.is_null(i))
            && let Some(Some(source)) = sources.get(at.source as usize)
        {
            let (start, end) = bounds(source, at.row);
            inner.extend((start..end).map(|row| RowRef::new(at.source, row)));
        }
        let length = inner.len();
        offsets.push(i32::try_from(length).map_err(|_| ArrowError::OffsetOverflowError(length))?);
    }
    Ok((OffsetBuffer::new(offsets.into()), inner))
}

#[cfg(test)]
mod tests;
