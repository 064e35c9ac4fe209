//! Batches cut by the bytes of their rows.

use arrow::array::{Array, AsArray, OffsetSizeTrait, StructArray};
use arrow::datatypes::DataType;

/// What a value of a fixed width is counted as.
const WIDTH: u64 = 8;

/// Cuts a batch into slices of whole rows that hold no more than so many bytes, or one row.
///
/// Bytes are counted as if each row had its own, also where many rows share one text.
pub(crate) fn slices(batch: &StructArray, most: u64) -> Vec<StructArray> {
    let mut sizes = vec![0; batch.len()];
    add_sizes(batch, &mut sizes);
    let mut slices = Vec::new();
    let (mut start, mut bytes) = (0, 0_u64);
    for (row, size) in sizes.into_iter().enumerate() {
        if row > start && bytes.saturating_add(size) > most {
            slices.push(batch.slice(start, row - start));
            (start, bytes) = (row, 0);
        }
        bytes = bytes.saturating_add(size);
    }
    if start < batch.len() {
        slices.push(batch.slice(start, batch.len() - start));
    }
    slices
}

/// Adds the size of each value to those of its row: `sizes` has one for each row of the array.
///
/// ```text
///   values ["a", "bcd"]  offsets [0, 0, 2]   →   sizes [+0, +4]
/// ```
fn add_sizes(array: &dyn Array, sizes: &mut [u64]) {
    match array.data_type() {
        DataType::BinaryView | DataType::Utf8View => {
            let views = match array.as_binary_view_opt() {
                Some(array) => array.views(),
                None => array.as_string_view().views(),
            };
            for (size, view) in sizes.iter_mut().zip(views.iter()) {
                // A view's low half begins with its length.
                *size += u64::from(*view as u32) + WIDTH;
            }
        }
        DataType::Utf8 | DataType::Binary => add_lengths::<i32>(array, sizes),
        DataType::LargeUtf8 | DataType::LargeBinary => add_lengths::<i64>(array, sizes),
        DataType::Dictionary(..) => {
            let dictionary = array.as_any_dictionary();
            let mut of_values = vec![0; dictionary.values().len()];
            add_sizes(dictionary.values().as_ref(), &mut of_values);
            // The keys of an array of nulls alone stand for no value.
            if !of_values.is_empty() {
                for (size, key) in sizes.iter_mut().zip(dictionary.normalized_keys()) {
                    *size += of_values[key];
                }
            }
        }
        DataType::FixedSizeBinary(width) => {
            let width = u64::from(width.unsigned_abs());
            sizes.iter_mut().for_each(|size| *size += width);
        }
        DataType::Struct(_) => {
            for column in array.as_struct().columns() {
                add_sizes(column.as_ref(), sizes);
            }
        }
        DataType::Map(..) => {
            let map = array.as_map();
            add_lists(sizes, map.entries(), map.value_offsets());
        }
        DataType::List(_) => {
            let list = array.as_list::<i32>();
            add_lists(sizes, list.values().as_ref(), list.value_offsets());
        }
        DataType::LargeList(_) => {
            let list = array.as_list::<i64>();
            add_lists(sizes, list.values().as_ref(), list.value_offsets());
        }
        DataType::ListView(_) => {
            let list = array.as_list_view::<i32>();
            let ends = sums(list.values().as_ref());
            let starts = list.offsets().iter().zip(list.sizes().iter());
            add_ranges(sizes, &ends, starts.map(|(at, n)| (*at, at + n)));
        }
        DataType::LargeListView(_) => {
            let list = array.as_list_view::<i64>();
            let ends = sums(list.values().as_ref());
            let starts = list.offsets().iter().zip(list.sizes().iter());
            add_ranges(sizes, &ends, starts.map(|(at, n)| (*at, at + n)));
        }
        DataType::FixedSizeList(_, length) => {
            let list = array.as_fixed_size_list();
            let ends = sums(list.values().as_ref());
            let starts = (0..array.len()).map(|row| list.value_offset(row));
            add_ranges(sizes, &ends, starts.map(|at| (at, at + length)));
        }
        _ => sizes.iter_mut().for_each(|size| *size += WIDTH),
    }
}

/// Adds the bytes of each text of an array with offsets of this width.
fn add_lengths<O: OffsetSizeTrait>(array: &dyn Array, sizes: &mut [u64]) {
    let offsets = match array.as_string_opt::<O>() {
        Some(array) => array.value_offsets(),
        None => array.as_binary::<O>().value_offsets(),
    };
    for (size, pair) in sizes.iter_mut().zip(offsets.windows(2)) {
        *size += (pair[1] - pair[0]).as_usize() as u64 + WIDTH;
    }
}

/// The size of all values before each, and of all.
fn sums(values: &dyn Array) -> Vec<u64> {
    let mut sizes = vec![0; values.len() + 1];
    if let Some((_, sizes)) = sizes.split_first_mut() {
        add_sizes(values, sizes);
    }
    let mut sum = 0;
    for size in &mut sizes {
        sum += *size;
        *size = sum;
    }
    sizes
}

/// Adds to each row what the values of its list take; `values` may have many more, of rows around these.
fn add_lists<O: OffsetSizeTrait>(sizes: &mut [u64], values: &dyn Array, offsets: &[O]) {
    let [first, .., last] = offsets else {
        return;
    };
    let start = first.as_usize();
    let ends = sums(&*values.slice(start, last.as_usize() - start));
    let of_first = |at: O| at - *first;
    let ranges = offsets
        .windows(2)
        .map(|pair| (of_first(pair[0]), of_first(pair[1])));
    add_ranges(sizes, &ends, ranges);
}

/// Adds to each row what the values of its range take.
fn add_ranges<O: OffsetSizeTrait>(
    sizes: &mut [u64],
    sums: &[u64],
    ranges: impl Iterator<Item = (O, O)>,
) {
    for (size, (start, end)) in sizes.iter_mut().zip(ranges) {
        *size += sums[end.as_usize()] - sums[start.as_usize()] + WIDTH;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{
        ArrayRef, BinaryViewArray, BooleanArray, DictionaryArray, FixedSizeListArray, Int64Array,
        LargeBinaryArray, ListArray, ListViewArray, MapArray, StringArray,
    };
    use arrow::buffer::{OffsetBuffer, ScalarBuffer};
    use arrow::datatypes::{Field, Int8Type};

    use super::*;

    fn batch(columns: Vec<(&str, ArrayRef)>) -> StructArray {
        StructArray::try_from(columns).expect("columns")
    }

    fn sizes(array: ArrayRef) -> Vec<u64> {
        let mut sizes = vec![0; array.len()];
        add_sizes(&array, &mut sizes);
        sizes
    }

    fn texts(lengths: &[usize]) -> ArrayRef {
        let texts = lengths.iter().map(|n| vec![b'x'; *n]);
        Arc::new(BinaryViewArray::from_iter_values(texts))
    }

    #[test]
    fn slices_are_whole_rows_and_small_where_rows_are() {
        let batch = batch(vec![("t", texts(&[1, 2, 100, 3, 4, 5]))]);
        let lengths =
            |most| -> Vec<usize> { slices(&batch, most).iter().map(Array::len).collect() };
        assert_eq!(lengths(1_000), [6]);
        assert_eq!(lengths(30), [2, 1, 2, 1]);
        assert_eq!(lengths(0), [1; 6]);
        assert_eq!(slices(&batch.slice(0, 0), 30).len(), 0);
    }

    #[test]
    fn texts_count_in_every_form() {
        let words = ["a", "", "word"];
        let sliced = StringArray::from_iter_values(words).slice(1, 2);
        assert_eq!(sizes(Arc::new(sliced)), [8, 12]);
        let shared = DictionaryArray::<Int8Type>::from_iter([Some("word"), None, Some("word")]);
        assert_eq!(sizes(Arc::new(shared)), [12, 12, 12]);
        let nobody = DictionaryArray::<Int8Type>::from_iter([None::<&str>]);
        assert_eq!(sizes(Arc::new(nobody)), [0]);
        let large = LargeBinaryArray::from_iter_values(words);
        assert_eq!(sizes(Arc::new(large)), [9, 8, 12]);
    }

    #[test]
    fn what_is_nested_counts_where_it_stands() {
        let item =
            |array: &ArrayRef| Arc::new(Field::new("element", array.data_type().clone(), true));
        let five = texts(&[10, 20, 30, 40, 50]);
        let offsets = || OffsetBuffer::new(ScalarBuffer::from(vec![1, 1, 3, 4]));
        let list = ListArray::new(item(&five), offsets(), five.clone(), None);
        let expected = [8, 20 + 30 + 24, 40 + 16];
        assert_eq!(sizes(Arc::new(list.clone())), expected);
        assert_eq!(sizes(Arc::new(list.slice(1, 2))), expected[1..]);

        let starts = ScalarBuffer::from(vec![4, 0, 1]);
        let lengths = ScalarBuffer::from(vec![0, 2, 1]);
        let views = ListViewArray::new(item(&five), starts, lengths, five.clone(), None);
        assert_eq!(sizes(Arc::new(views)), [8, 10 + 20 + 24, 20 + 16]);

        let four = five.slice(1, 4);
        let pairs = FixedSizeListArray::new(item(&four), 2, four, None);
        assert_eq!(sizes(Arc::new(pairs.slice(1, 1))), [40 + 50 + 24]);

        let numbers: ArrayRef = Arc::new(Int64Array::from(vec![1, 2, 3, 4, 5]));
        let entries = batch(vec![("key", five), ("value", numbers)]);
        let field = Field::new("key_value", entries.data_type().clone(), false);
        let map = MapArray::new(Arc::new(field), offsets(), entries, None, false);
        assert_eq!(sizes(Arc::new(map)), [8, 20 + 30 + 2 * 16 + 8, 40 + 24]);

        let flags: ArrayRef = Arc::new(BooleanArray::from(vec![true, false, true]));
        let nested = batch(vec![("a", flags), ("b", Arc::new(list))]);
        assert_eq!(sizes(Arc::new(nested)), expected.map(|size| size + 8));
    }
}
