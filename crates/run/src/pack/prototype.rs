use std::sync::Arc;

use arrow::array::{
    Array, ArrayData, ArrayRef, AsArray, DictionaryArray, Int32Array, ListArray, MapArray,
    StringArray, StructArray, make_array, new_null_array,
};
use arrow::buffer::{Buffer, OffsetBuffer};
use arrow::datatypes::{DataType, Field};
use arrow::error::ArrowError;

use super::arrays::{Blocks, Node, Place, no_type};
use super::write::add_dictionaries;

/// An array of one row that has the type of the column at a place, and its dictionaries, with those parts alone
/// that `target` has. All its parts have a value, so that none counts as missing, but those of type Null.
pub(super) fn prototype(
    blocks: &impl Blocks,
    place: Place,
    ty: &DataType,
    target: Option<&DataType>,
) -> crate::Result<ArrayRef> {
    let one = || OffsetBuffer::from_lengths([1]);
    Ok(match ty {
        DataType::Utf8 => Arc::new(StringArray::from(vec![match target {
            Some(DataType::Timestamp(..)) => "1970-01-01T00:00:00Z",
            Some(DataType::Date32) => "1970-01-01",
            _ => "",
        }])),
        DataType::Dictionary(..) => {
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
        DataType::Null => new_null_array(ty, 1),
        // A number that is 0, a bit, a key: sixteen bytes hold any.
        ty => {
            let data = ArrayData::builder(ty.clone()).len(1);
            make_array(data.add_buffer(Buffer::from(&[0u8; 16])).build()?)
        }
    })
}

/// The same of a column that is in memory.
pub(crate) fn prototype_of(
    column: &ArrayRef,
    target: Option<&DataType>,
) -> crate::Result<ArrayRef> {
    let mut dictionaries = Vec::new();
    add_dictionaries(column, &mut dictionaries);
    prototype(
        &InMemory(dictionaries),
        Place::default(),
        column.data_type(),
        target,
    )
}

/// The dictionaries of a column.
struct InMemory(Vec<ArrayRef>);

impl Blocks for InMemory {
    fn nodes(&self) -> &[Node] {
        &[]
    }

    fn block(&self, _: usize) -> crate::Result<Vec<u8>> {
        Err(self.damaged("a prototype has no blocks"))
    }

    fn dictionary(&self, number: usize) -> crate::Result<StringArray> {
        let values = self
            .0
            .get(number)
            .and_then(|values| values.as_string_opt::<i32>());
        values
            .cloned()
            .ok_or_else(|| self.damaged("a dictionary of no text"))
    }

    fn damaged(&self, problem: &str) -> crate::Error {
        ArrowError::SchemaError(problem.to_owned()).into()
    }
}
