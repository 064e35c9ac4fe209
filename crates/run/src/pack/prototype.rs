use std::sync::Arc;

use arrow::array::{
    Array, ArrayData, ArrayRef, AsArray, DictionaryArray, Int32Array, StringArray, make_array,
    new_null_array,
};
use arrow::buffer::{Buffer, OffsetBuffer};
use arrow::datatypes::DataType;
use arrow::error::ArrowError;

use super::arrays::{Blocks, Node, Place, fields_as, nested, parts};
use super::block::Block;
use super::write::add_dictionaries;

/// An array of one row that has the type of the column at a place, and its dictionaries, with those parts alone
/// that `target` has. All its parts have a value, so that none counts as missing, but those of type Null.
pub(super) fn prototype(
    blocks: &impl Blocks,
    place: Place,
    ty: &DataType,
    target: Option<&DataType>,
) -> crate::Result<ArrayRef> {
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
        DataType::List(_) | DataType::Map(..) | DataType::Struct(_) => {
            let parts = parts(place, ty, target);
            let columns = parts.iter();
            let columns = columns
                .map(|(place, field, wanted)| prototype(blocks, *place, field.data_type(), *wanted))
                .collect::<crate::Result<Vec<_>>>()?;
            let one = match ty {
                DataType::Struct(_) => None,
                _ => Some(OffsetBuffer::from_lengths([1])),
            };
            nested(ty, fields_as(&parts, &columns), columns, one, None, 1)?
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

    fn block(&self, _: usize) -> crate::Result<Block> {
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
