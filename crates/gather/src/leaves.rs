use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, StringArray};
use arrow::datatypes::{
    DataType, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type, UInt32Type,
    UInt64Type,
};
use hashbrown::HashMap;

use crate::dictionaries::{Place, place};

/// A value of an array that has no parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leaf<'a> {
    /// A text, or bytes that are one.
    Text(&'a str),
    /// An integer; none of those of 64 bits without a sign that are larger than these.
    Integer(i64),
}

/// Walks all texts and integers of arrays: map keys, whole dictionaries whether a row has the value or not, what lies under nulls,
/// and binary values that are text; of integers those alone that rows have. A dictionary that several arrays share is walked once.
#[derive(Default)]
pub struct LeafWalk {
    /// The dictionaries so far, by where their values are in memory; they are kept, so that they stay there.
    walked: HashMap<Place, StringArray>,
}

impl LeafWalk {
    /// Hands every text and integer of an array to `look`.
    pub fn walk(&mut self, array: &ArrayRef, look: &mut dyn FnMut(Leaf<'_>)) {
        match array.data_type() {
            DataType::Utf8 => of_strings(array.as_string::<i32>(), look),
            DataType::LargeUtf8 => {
                let texts = array.as_string::<i64>();
                (0..texts.len()).for_each(|row| look(Leaf::Text(texts.value(row))));
            }
            DataType::Utf8View => {
                let texts = array.as_string_view();
                (0..texts.len()).for_each(|row| look(Leaf::Text(texts.value(row))));
            }
            DataType::Binary => {
                let values = array.as_binary::<i32>();
                (0..values.len()).for_each(|row| bytes(values.value(row), look));
            }
            DataType::LargeBinary => {
                let values = array.as_binary::<i64>();
                (0..values.len()).for_each(|row| bytes(values.value(row), look));
            }
            DataType::BinaryView => {
                let values = array.as_binary_view();
                (0..values.len()).for_each(|row| bytes(values.value(row), look));
            }
            DataType::FixedSizeBinary(_) => {
                let values = array.as_fixed_size_binary();
                (0..values.len()).for_each(|row| bytes(values.value(row), look));
            }
            DataType::Dictionary(..) => {
                if let Some(dictionary) = array.as_any_dictionary_opt() {
                    self.walk_dictionary(dictionary.values(), look);
                }
            }
            DataType::Struct(_) => {
                for column in array.as_struct().columns() {
                    self.walk(column, look);
                }
            }
            DataType::List(_) => self.walk(array.as_list::<i32>().values(), look),
            DataType::LargeList(_) => self.walk(array.as_list::<i64>().values(), look),
            DataType::FixedSizeList(..) => self.walk(array.as_fixed_size_list().values(), look),
            DataType::Map(..) => {
                let map = array.as_map();
                self.walk(map.keys(), look);
                self.walk(map.values(), look);
            }
            DataType::Int8 => of_integers::<Int8Type>(array, look),
            DataType::Int16 => of_integers::<Int16Type>(array, look),
            DataType::Int32 => of_integers::<Int32Type>(array, look),
            DataType::Int64 => of_integers::<Int64Type>(array, look),
            DataType::UInt8 => of_integers::<UInt8Type>(array, look),
            DataType::UInt16 => of_integers::<UInt16Type>(array, look),
            DataType::UInt32 => of_integers::<UInt32Type>(array, look),
            DataType::UInt64 => of_integers::<UInt64Type>(array, look),
            // Other numbers, moments and bits are no ids.
            _ => {}
        }
    }

    fn walk_dictionary(&mut self, values: &ArrayRef, look: &mut dyn FnMut(Leaf<'_>)) {
        match values.as_string_opt::<i32>() {
            Some(texts) => {
                if self.walked.insert(place(texts), texts.clone()).is_none() {
                    of_strings(texts, look);
                }
            }
            None => self.walk(values, look),
        }
    }
}

fn of_strings(texts: &StringArray, look: &mut dyn FnMut(Leaf<'_>)) {
    (0..texts.len()).for_each(|row| look(Leaf::Text(texts.value(row))));
}

fn of_integers<T: ArrowPrimitiveType>(array: &ArrayRef, look: &mut dyn FnMut(Leaf<'_>))
where
    T::Native: TryInto<i64>,
{
    for value in array.as_primitive::<T>().iter().flatten() {
        if let Ok(value) = value.try_into() {
            look(Leaf::Integer(value));
        }
    }
}

fn bytes(value: &[u8], look: &mut dyn FnMut(Leaf<'_>)) {
    if let Ok(text) = std::str::from_utf8(value) {
        look(Leaf::Text(text));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{DictionaryArray, Int32Array, StructArray};
    use arrow::datatypes::{Field, Int32Type};

    use super::*;

    fn told(leaf: Leaf<'_>) -> String {
        match leaf {
            Leaf::Text(text) => text.to_owned(),
            Leaf::Integer(number) => number.to_string(),
        }
    }

    #[test]
    fn texts_of_all_parts_are_walked_those_that_no_row_has_too_and_a_dictionary_once() {
        let values = StringArray::from(vec!["used", "unused"]);
        let keys = Int32Array::from(vec![0, 0]);
        let dictionary = DictionaryArray::<Int32Type>::new(keys, Arc::new(values));
        let plain = StringArray::from(vec![Some("plain"), None]);
        let numbers = Int32Array::from(vec![Some(7), None]);
        let columns: Vec<ArrayRef> = vec![Arc::new(dictionary), Arc::new(plain), Arc::new(numbers)];
        let fields: Vec<Field> = (columns.iter().enumerate())
            .map(|(i, column)| Field::new(i.to_string(), column.data_type().clone(), true))
            .collect();
        let object = StructArray::new(fields.into(), columns, None);
        let mut found = Vec::new();
        let object: ArrayRef = Arc::new(object);
        let mut walk = LeafWalk::default();
        walk.walk(&object, &mut |leaf| found.push(told(leaf)));
        walk.walk(&object, &mut |leaf| found.push(told(leaf)));
        assert_eq!(
            found,
            ["used", "unused", "plain", "", "7", "plain", "", "7"]
        );
    }
}
