use arrow::array::{Array, ArrayRef, AsArray, Int32Array, StringArray};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, Int32Type};
use hashbrown::HashMap;

use crate::dictionaries::{Place, place};

/// Which values of dictionaries rows have: what they don't is left out of the union of
/// [`Dictionaries::of_used`](crate::Dictionaries::of_used).
#[derive(Default)]
pub struct UsedValues {
    /// By where the values are in memory; they are kept, so that they stay there.
    known: HashMap<Place, (StringArray, Vec<bool>)>,
}

impl UsedValues {
    /// Notes the values that the rows of an array have, in all its parts.
    pub fn note(&mut self, array: &ArrayRef) {
        self.note_under(array, None);
    }

    /// The same for a field of objects, which are null where `parent` says so: what lies under a null object is
    /// no value.
    fn note_under(&mut self, array: &ArrayRef, parent: Option<&NullBuffer>) {
        match array.data_type() {
            DataType::Dictionary(..) => {
                let dictionary = array.as_dictionary::<Int32Type>();
                if let Some(values) = dictionary.values().as_string_opt::<i32>() {
                    let nulls = NullBuffer::union(dictionary.keys().nulls(), parent);
                    self.note_keys(dictionary.keys(), values, nulls.as_ref());
                }
            }
            DataType::Struct(_) => {
                let nulls = NullBuffer::union(array.nulls(), parent);
                for column in array.as_struct().columns() {
                    self.note_under(column, nulls.as_ref());
                }
            }
            DataType::List(_) => self.note_under(array.as_list::<i32>().values(), None),
            DataType::Map(..) => {
                let map = array.as_map();
                self.note_under(map.keys(), None);
                self.note_under(map.values(), None);
            }
            _ => {}
        }
    }

    fn note_keys(&mut self, keys: &Int32Array, values: &StringArray, nulls: Option<&NullBuffer>) {
        let (_, used) = self
            .known
            .entry(place(values))
            .or_insert_with(|| (values.clone(), vec![false; values.len()]));
        for (row, key) in keys.values().iter().enumerate() {
            if nulls.is_none_or(|nulls| nulls.is_valid(row))
                && let Some(used) = usize::try_from(*key).ok().and_then(|key| used.get_mut(key))
            {
                *used = true;
            }
        }
    }

    /// Whether a row has the value; of a dictionary that was never seen all count as used.
    pub(crate) fn has(&self, values: &StringArray, at: usize) -> bool {
        let known = self.known.get(&place(values));
        known.is_none_or(|(_, used)| used.get(at).copied().unwrap_or(true))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{DictionaryArray, ListArray, StructArray};
    use arrow::buffer::OffsetBuffer;
    use arrow::datatypes::Field;

    use super::*;

    fn dictionary(keys: Vec<Option<i32>>, values: &StringArray) -> ArrayRef {
        let values = Arc::new(values.clone());
        Arc::new(DictionaryArray::<Int32Type>::new(
            Int32Array::from(keys),
            values,
        ))
    }

    fn used(array: &ArrayRef, values: &StringArray) -> Vec<bool> {
        let mut used = UsedValues::default();
        used.note(array);
        (0..values.len()).map(|at| used.has(values, at)).collect()
    }

    #[test]
    fn values_of_rows_are_used_and_those_under_nulls_are_not() {
        let values = StringArray::from(vec!["a", "b", "c"]);
        let plain = dictionary(vec![Some(2), None, Some(2)], &values);
        assert_eq!(used(&plain, &values), [false, false, true]);
        // A null object may have anything below it.
        let field = Field::new("text", plain.data_type().clone(), true);
        let column = dictionary(vec![Some(0), Some(1), Some(2)], &values);
        let nulls = NullBuffer::from(vec![true, false, true]);
        let objects = StructArray::new(vec![field].into(), vec![column], Some(nulls));
        assert_eq!(
            used(&(Arc::new(objects) as ArrayRef), &values),
            [true, false, true]
        );
    }

    #[test]
    fn items_of_lists_are_used_and_a_dictionary_that_was_never_seen_is_kept() {
        let values = StringArray::from(vec!["a", "b"]);
        let items = dictionary(vec![Some(1), Some(1)], &values);
        let field = Arc::new(Field::new("element", items.data_type().clone(), true));
        let lists = ListArray::new(field, OffsetBuffer::from_lengths([2, 0]), items, None);
        assert_eq!(used(&(Arc::new(lists) as ArrayRef), &values), [false, true]);
        let others = StringArray::from(vec!["c"]);
        assert!(UsedValues::default().has(&others, 0));
    }
}
