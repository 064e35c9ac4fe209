use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, DictionaryArray, Int32Array, ListArray, MapArray, StringArray, StructArray,
    new_null_array,
};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field};

use super::arrays::{Blocks, Place, no_type};

/// An array of one row that has the type of the column at a place, and its dictionaries, with those parts alone
/// that `target` has: text has a value, so that it counts as text, anything else is null.
pub(super) fn prototype(
    blocks: &impl Blocks,
    place: Place,
    ty: &DataType,
    target: Option<&DataType>,
) -> crate::Result<ArrayRef> {
    let one = || OffsetBuffer::from_lengths([1]);
    Ok(match ty {
        // Text that is to be read as moments would have to be one.
        DataType::Utf8 if target.is_none_or(|target| *target == DataType::Utf8) => {
            Arc::new(StringArray::from(vec![""]))
        }
        DataType::Dictionary(..) if target.is_none_or(|target| *target == DataType::Utf8) => {
            let values: ArrayRef = Arc::new(blocks.dictionary(place.dictionary())?);
            let keys = Int32Array::from(vec![(!values.is_empty()).then_some(0)]);
            Arc::new(DictionaryArray::try_new(keys, values)?)
        }
        DataType::Struct(fields) => {
            let mut inner = place.within(1);
            let (mut kept, mut columns) = (Vec::new(), Vec::new());
            for field in fields {
                let wanted = match target {
                    Some(DataType::Struct(wanted)) => {
                        wanted.find(field.name()).map(|(_, f)| Some(f.data_type()))
                    }
                    _ => Some(None),
                };
                if let Some(wanted) = wanted {
                    let column = prototype(blocks, inner, field.data_type(), wanted)?;
                    let ty = column.data_type().clone();
                    kept.push(Arc::new(Field::clone(field).with_data_type(ty)));
                    columns.push(column);
                }
                inner = inner.behind(field.data_type());
            }
            Arc::new(StructArray::try_new_with_length(
                kept.into(),
                columns,
                None,
                1,
            )?)
        }
        DataType::List(item) => {
            let wanted = match target {
                Some(DataType::List(wanted)) => Some(wanted.data_type()),
                _ => None,
            };
            let items = prototype(blocks, place.within(2), item.data_type(), wanted)?;
            let item = Field::clone(item).with_data_type(items.data_type().clone());
            Arc::new(ListArray::try_new(Arc::new(item), one(), items, None)?)
        }
        DataType::Map(entries, sorted) => {
            let DataType::Struct(parts) = entries.data_type() else {
                return Err(no_type(ty).into());
            };
            let wanted = match target {
                Some(DataType::Map(wanted, _)) => Some(wanted.data_type()),
                _ => None,
            };
            // The entries have no node of their own.
            let mut inner = place.within(2);
            let mut columns = Vec::new();
            for part in parts {
                let wanted = match wanted {
                    Some(DataType::Struct(wanted)) => {
                        wanted.find(part.name()).map(|(_, f)| f.data_type())
                    }
                    _ => None,
                };
                columns.push(prototype(blocks, inner, part.data_type(), wanted)?);
                inner = inner.behind(part.data_type());
            }
            let parts = std::iter::zip(parts, &columns).map(|(part, column)| {
                Field::clone(part).with_data_type(column.data_type().clone())
            });
            let pairs = StructArray::try_new(parts.collect(), columns, None)?;
            let entries = Field::clone(entries).with_data_type(pairs.data_type().clone());
            Arc::new(MapArray::try_new(
                Arc::new(entries),
                one(),
                pairs,
                None,
                *sorted,
            )?)
        }
        ty => new_null_array(ty, 1),
    })
}
