//! Columns of Arrow batches, taken in as a whole where the builder is of the array's form, and cell by
//! cell where it is not: what comes out is the same.

use arrow::array::{
    Array, ArrowPrimitiveType, AsArray, BinaryArray, BinaryViewArray, LargeBinaryArray,
    LargeStringArray, ListArray, MapArray, StringArray, StringViewArray,
};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{
    DataType, Date32Type, Field, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type,
    Int64Type, TimeUnit, TimestampMicrosecondType, UInt8Type, UInt16Type, UInt32Type,
};
use bumpalo::Bump;
use xdm::FieldType;

use crate::arrow_cell::{ArrowCell, text_of};
use crate::column_builder::{ColumnBuilder, ColumnValues, offset};
use crate::distinct::Distinct;
use crate::numbers::integer;
use crate::progress::Progress;
use crate::selection::ColumnTerms;
use crate::text::TextBuilder;
use crate::value::{Kind, RecordError};

/// So many cells are taken in between two looks at whether the work is to stop.
const CELLS_BETWEEN_QUESTIONS: usize = 1024;

/// A column of a batch, or of what is in one.
#[derive(Clone, Copy)]
pub(crate) struct ArrowColumn<'a> {
    pub(crate) field: &'a Field,
    pub(crate) array: &'a dyn Array,
    /// Which rows are part of a value at all: a null object's fields may hold anything.
    pub(crate) shown: Option<&'a NullBuffer>,
    pub(crate) reading: Reading<'a>,
}

/// What reading takes beside the column.
#[derive(Clone, Copy)]
pub(crate) struct Reading<'a> {
    /// For values that are not in the arrays as such.
    pub(crate) made: &'a Bump,
    pub(crate) progress: &'a Progress,
}

impl<'a> ArrowColumn<'a> {
    /// The column of what is in this one's values.
    pub(crate) fn inner<'b>(
        self,
        field: &'b Field,
        array: &'b dyn Array,
        shown: Option<&'b NullBuffer>,
    ) -> ArrowColumn<'b>
    where
        'a: 'b,
    {
        ArrowColumn {
            field,
            array,
            shown,
            reading: self.reading,
        }
    }
}

impl ColumnBuilder {
    /// Appends all rows of a column; after an error what is held is a part of them.
    pub(crate) fn append_column(&mut self, column: ArrowColumn<'_>) -> Result<(), RecordError> {
        let array = column.array;
        let nulls = NullBuffer::union(array.nulls(), column.shown);
        let nulls = nulls.as_ref();
        let (row, terms) = (self.len(), &self.terms);
        match (&mut self.values, array.data_type()) {
            (ColumnValues::Boolean(bits), DataType::Boolean) => {
                let values = array.as_boolean().values();
                match nulls {
                    None => values.iter().for_each(|bit| bits.append(bit)),
                    Some(nulls) => values
                        .iter()
                        .zip(nulls)
                        .for_each(|(bit, valid)| bits.append(valid && bit)),
                }
            }
            (ColumnValues::Integer { values, ty }, integers)
                if integers.is_integer() && *integers != DataType::UInt64 =>
            {
                let mut to = |value| an_integer(ty, terms, value);
                match integers {
                    DataType::Int8 => extend::<Int8Type, _>(values, array, nulls, |v| to(v.into())),
                    DataType::Int16 => {
                        extend::<Int16Type, _>(values, array, nulls, |v| to(v.into()))
                    }
                    DataType::Int32 => {
                        extend::<Int32Type, _>(values, array, nulls, |v| to(v.into()))
                    }
                    DataType::UInt8 => {
                        extend::<UInt8Type, _>(values, array, nulls, |v| to(v.into()))
                    }
                    DataType::UInt16 => {
                        extend::<UInt16Type, _>(values, array, nulls, |v| to(v.into()))
                    }
                    DataType::UInt32 => {
                        extend::<UInt32Type, _>(values, array, nulls, |v| to(v.into()))
                    }
                    _ => extend::<Int64Type, _>(values, array, nulls, to),
                }?;
            }
            (ColumnValues::Double(values), DataType::Float64) => {
                extend::<Float64Type, _>(values, array, nulls, Ok)?;
            }
            (ColumnValues::Double(values), DataType::Float32) => {
                extend::<Float32Type, _>(values, array, nulls, |v| Ok(v.into()))?;
            }
            (ColumnValues::Date(values), DataType::Date32) => {
                extend::<Date32Type, _>(values, array, nulls, Ok)?;
            }
            (ColumnValues::DateTime(values), DataType::Timestamp(TimeUnit::Microsecond, _)) => {
                extend::<TimestampMicrosecondType, _>(values, array, nulls, Ok)?;
            }
            (ColumnValues::Text(text, form), _) if let Some(texts) = Texts::of(array) => {
                texts.each(array.len(), nulls, |value| match value {
                    None => text.push_empty(1),
                    Some(value) => {
                        if text.push(value) {
                            form.note(value, terms);
                        }
                    }
                })?;
            }
            (ColumnValues::List(offsets, items), DataType::List(field))
                if !hides_items(array.as_list::<i32>().value_offsets(), nulls) =>
            {
                extend_list(offsets, items, column, field)?;
            }
            (ColumnValues::Map(offsets, keys, values), DataType::Map(..))
                if !hides_items(array.as_map().value_offsets(), nulls)
                    && has_plain_keys(array.as_map()) =>
            {
                extend_map(offsets, keys, values, column)?;
            }
            (ColumnValues::Object(object), DataType::Struct(_)) => {
                let columns = object.columns_of(array.as_struct(), nulls);
                let Some(columns) = columns else {
                    return self.append_cells(column, nulls);
                };
                object.append_columns(row, column, nulls, &columns)?;
            }
            _ => return self.append_cells(column, nulls),
        }
        match nulls {
            None => self.nulls.append_n_non_nulls(array.len()),
            Some(nulls) => self.nulls.append_buffer(nulls),
        }
        Ok(())
    }

    fn append_cells(
        &mut self,
        column: ArrowColumn<'_>,
        nulls: Option<&NullBuffer>,
    ) -> Result<(), RecordError> {
        let Reading { made, progress } = column.reading;
        for row in 0..column.array.len() {
            if row.is_multiple_of(CELLS_BETWEEN_QUESTIONS) && progress.is_cancelled() {
                return Err(RecordError::stopped());
            }
            if nulls.is_none_or(|nulls| nulls.is_valid(row)) {
                self.append(ArrowCell::of(column.field, column.array, row, made))?;
            } else {
                self.append_nulls(1);
            }
        }
        Ok(())
    }
}

/// The integer that a column of a type takes.
fn an_integer(ty: &mut FieldType, terms: &ColumnTerms, value: i64) -> Result<i64, RecordError> {
    integer(ty, Kind::Integer(value), terms).map(|taken| taken.unwrap_or(value))
}

/// Appends what `to` makes of the values; what is null is zero, whatever the array has there.
fn extend<T: ArrowPrimitiveType, V: Default>(
    values: &mut Vec<V>,
    array: &dyn Array,
    nulls: Option<&NullBuffer>,
    mut to: impl FnMut(T::Native) -> Result<V, RecordError>,
) -> Result<(), RecordError> {
    let native = array.as_primitive::<T>().values();
    values.reserve(native.len());
    for (row, value) in native.iter().enumerate() {
        values.push(match nulls.is_none_or(|nulls| nulls.is_valid(row)) {
            true => to(*value)?,
            false => V::default(),
        });
    }
    Ok(())
}

/// Whether a null row has items all the same, which are nobody's.
fn hides_items(offsets: &[i32], nulls: Option<&NullBuffer>) -> bool {
    let has_items = |row: usize| offsets.get(row) != offsets.get(row + 1);
    nulls.is_some_and(|nulls| (0..nulls.len()).any(|row| nulls.is_null(row) && has_items(row)))
}

fn extend_list(
    offsets: &mut Vec<i32>,
    items: &mut ColumnBuilder,
    column: ArrowColumn<'_>,
    field: &Field,
) -> Result<(), RecordError> {
    let list: &ListArray = column.array.as_list();
    let starts = list.value_offsets();
    let values = (list.values()).slice(starts[0] as usize, length_of(starts));
    extend_offsets(offsets, items.len(), starts)?;
    items.append_column(column.inner(field, values.as_ref(), None))
}

fn extend_map(
    offsets: &mut Vec<i32>,
    keys: &mut TextBuilder,
    values: &mut ColumnBuilder,
    column: ArrowColumn<'_>,
) -> Result<(), RecordError> {
    let map = column.array.as_map();
    let starts = map.value_offsets();
    let (first, length) = (starts[0] as usize, length_of(starts));
    let map_values = map.values().slice(first, length);
    let keys_of_map = map.keys().slice(first, length);
    let mut texts = Vec::with_capacity(length);
    if let Some(all) = Texts::of(keys_of_map.as_ref()) {
        all.each(length, None, |key| texts.extend(key))?;
    }
    for ends in starts.windows(2) {
        let row = (ends[0] - starts[0]) as usize..(ends[1] - starts[0]) as usize;
        let mut known = Distinct::default();
        for key in texts.get(row).unwrap_or_default() {
            if !known.insert(*key) {
                return Err(RecordError::twice(key));
            }
            keys.push(key);
        }
    }
    extend_offsets(offsets, values.len(), starts)?;
    let (_, field) = map.entries_fields();
    values.append_column(column.inner(field, map_values.as_ref(), None))
}

/// Whether a map's keys are texts, and all there.
fn has_plain_keys(map: &MapArray) -> bool {
    map.keys().null_count() == 0 && Texts::of(map.keys().as_ref()).is_some()
}

/// An array of texts, or of bytes that are to be such.
enum Texts<'a> {
    Utf8(&'a StringArray),
    LargeUtf8(&'a LargeStringArray),
    Utf8View(&'a StringViewArray),
    Binary(&'a BinaryArray),
    LargeBinary(&'a LargeBinaryArray),
    BinaryView(&'a BinaryViewArray),
}

impl<'a> Texts<'a> {
    fn of(array: &'a dyn Array) -> Option<Self> {
        Some(match array.data_type() {
            DataType::Utf8 => Self::Utf8(array.as_string()),
            DataType::LargeUtf8 => Self::LargeUtf8(array.as_string()),
            DataType::Utf8View => Self::Utf8View(array.as_string_view()),
            DataType::Binary => Self::Binary(array.as_binary()),
            DataType::LargeBinary => Self::LargeBinary(array.as_binary()),
            DataType::BinaryView => Self::BinaryView(array.as_binary_view()),
            _ => return None,
        })
    }

    /// Hands the text of each row to `f`, or none where it is null.
    fn each(
        &self,
        rows: usize,
        nulls: Option<&NullBuffer>,
        mut f: impl FnMut(Option<&'a str>),
    ) -> Result<(), RecordError> {
        for row in 0..rows {
            if nulls.is_some_and(|nulls| nulls.is_null(row)) {
                f(None);
                continue;
            }
            let bytes = match *self {
                Self::Utf8(array) => array.value(row).as_bytes(),
                Self::LargeUtf8(array) => array.value(row).as_bytes(),
                Self::Utf8View(array) => array.value(row).as_bytes(),
                Self::Binary(array) => array.value(row),
                Self::LargeBinary(array) => array.value(row),
                Self::BinaryView(array) => array.value(row),
            };
            f(Some(text_of(bytes)?));
        }
        Ok(())
    }
}

/// How many items lists of these offsets have. There is always one offset, and none is less than the one
/// before.
fn length_of(starts: &[i32]) -> usize {
    (starts[starts.len() - 1] - starts[0]) as usize
}

/// Appends where lists end whose items come behind the `before` that are there.
fn extend_offsets(
    offsets: &mut Vec<i32>,
    before: usize,
    starts: &[i32],
) -> Result<(), RecordError> {
    // The last is the greatest.
    offset(before + length_of(starts))?;
    let before = offset(before)?;
    offsets.extend(starts.iter().skip(1).map(|end| before + (end - starts[0])));
    Ok(())
}

#[cfg(test)]
mod tests;
