//! Arrays as blocks: each array, its children behind it in their order, is a node (its length and nulls) and
//! one block for each of its buffers.
//!
//! | type | blocks |
//! |---|---|
//! | `Null` | none |
//! | `Boolean` | validity, bits |
//! | integers, `Float64`, `Date32`, `Timestamp` | validity, integers |
//! | `FixedSizeBinary(16)` | validity, bytes |
//! | `Utf8` | validity, integers (the length of each), bytes |
//! | `Dictionary(Int32, Utf8)` | validity, integers (the keys) |
//! | `List` | validity, integers (the length of each); its items |
//! | `Map` | validity, integers (the length of each); its keys, its values |
//! | `Struct` | validity; its fields |
//!
//! The validity's block is empty where there is no null.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, BooleanArray, DictionaryArray,
    FixedSizeBinaryArray, ListArray, MapArray, NullArray, PrimitiveArray, StringArray, StructArray,
};
use arrow::buffer::{BooleanBuffer, Buffer, NullBuffer, OffsetBuffer};
use arrow::datatypes::{
    DataType, Date32Type, Field, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, TimeUnit,
    TimestampMicrosecondType, UInt32Type, UInt64Type,
};
use arrow::error::ArrowError;

use super::block::{self, Integer};

/// How long an array is, and how many nulls it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Node {
    pub(super) length: u32,
    pub(super) nulls: u32,
}

/// Arrays in blocks.
#[derive(Default)]
pub(super) struct Encoded {
    pub(super) nodes: Vec<Node>,
    pub(super) blocks: Vec<Vec<u8>>,
}

impl Encoded {
    /// Adds an array.
    ///
    /// # Errors
    /// A type that runs don't have; more rows than 32 bits count.
    pub(super) fn add(&mut self, array: &dyn Array) -> Result<(), ArrowError> {
        let count = |n: usize| {
            u32::try_from(n)
                .map_err(|_| ArrowError::InvalidArgumentError(format!("{n} rows in a run")))
        };
        self.nodes.push(Node {
            length: count(array.len())?,
            nulls: count(array.null_count())?,
        });
        if *array.data_type() == DataType::Null {
            return Ok(());
        }
        self.blocks.push(match array.nulls() {
            Some(nulls) if nulls.null_count() > 0 => block::of_bytes(&bits(nulls.inner())),
            _ => Vec::new(),
        });
        match array.data_type() {
            DataType::Boolean => {
                let values = bits(array.as_boolean().values());
                self.blocks.push(block::of_bytes(&values));
            }
            DataType::Int8 => self.integers::<Int8Type>(array),
            DataType::Int16 => self.integers::<Int16Type>(array),
            DataType::Int32 => self.integers::<Int32Type>(array),
            DataType::Int64 => self.integers::<Int64Type>(array),
            DataType::UInt32 => self.integers::<UInt32Type>(array),
            DataType::UInt64 => self.integers::<UInt64Type>(array),
            DataType::Float64 => self.integers::<Float64Type>(array),
            DataType::Date32 => self.integers::<Date32Type>(array),
            DataType::Timestamp(TimeUnit::Microsecond, _) => {
                self.integers::<TimestampMicrosecondType>(array);
            }
            DataType::FixedSizeBinary(16) => {
                let keys = array.as_fixed_size_binary();
                self.blocks.push(block::of_random_bytes(keys.value_data()));
            }
            DataType::Utf8 => {
                let text = array.as_string::<i32>();
                self.lengths(text.offsets());
                self.blocks
                    .push(block::of_bytes(within(text.offsets(), text.value_data())));
            }
            DataType::Dictionary(..) => {
                let keys = array.as_dictionary::<Int32Type>().keys();
                self.blocks.push(block::of_integers::<i32>(keys.values()));
            }
            DataType::List(_) => {
                let lists = array.as_list::<i32>();
                self.lengths(lists.offsets());
                let (start, length) = bounds(lists.offsets());
                self.add(&lists.values().slice(start, length))?;
            }
            DataType::Map(..) => {
                let maps = array.as_map();
                self.lengths(maps.offsets());
                let (start, length) = bounds(maps.offsets());
                self.add(&maps.keys().slice(start, length))?;
                self.add(&maps.values().slice(start, length))?;
            }
            DataType::Struct(_) => {
                for column in array.as_struct().columns() {
                    self.add(column)?;
                }
            }
            other => return Err(no_type(other)),
        }
        Ok(())
    }

    fn integers<T: ArrowPrimitiveType<Native: Integer>>(&mut self, array: &dyn Array) {
        let values = array.as_primitive::<T>().values();
        self.blocks.push(block::of_integers(values));
    }

    fn lengths(&mut self, offsets: &OffsetBuffer<i32>) {
        let lengths: Vec<i32> = offsets.lengths().map(|length| length as i32).collect();
        self.blocks.push(block::of_integers(&lengths));
    }
}

fn bits(bits: &BooleanBuffer) -> Vec<u8> {
    let bits = bits.sliced();
    bits.as_slice().to_vec()
}

fn bounds(offsets: &OffsetBuffer<i32>) -> (usize, usize) {
    match (offsets.first(), offsets.last()) {
        (Some(first), Some(last)) => (*first as usize, (last - first) as usize),
        _ => (0, 0),
    }
}

fn within<'a>(offsets: &OffsetBuffer<i32>, data: &'a [u8]) -> &'a [u8] {
    let (start, length) = bounds(offsets);
    data.get(start..start + length).unwrap_or_default()
}

pub(super) fn no_type(ty: &DataType) -> ArrowError {
    ArrowError::SchemaError(format!("{ty} is no type of a run"))
}

/// Where a batch's nodes and blocks come from.
pub(super) trait Blocks {
    /// The nodes of all arrays.
    fn nodes(&self) -> &[Node];
    /// The bytes of a block, checked.
    fn block(&self, number: usize) -> crate::Result<Vec<u8>>;
    /// The values of a dictionary: they are numbered in the order of the columns that have one.
    fn dictionary(&self, number: usize) -> crate::Result<StringArray>;
    /// The error of a file that is damaged.
    fn damaged(&self, problem: &str) -> crate::Error;
}

/// The place of an array among a batch's.
#[derive(Clone, Copy, Default)]
pub(super) struct Place {
    node: usize,
    block: usize,
    dictionary: usize,
}

impl Place {
    /// The place behind the array of this type that is here.
    pub(super) fn behind(self, ty: &DataType) -> Self {
        match ty {
            DataType::Null => self.within(0),
            DataType::Utf8 => self.within(3),
            DataType::Dictionary(..) => Self {
                dictionary: self.dictionary + 1,
                ..self.within(2)
            },
            DataType::List(item) => self.within(2).behind(item.data_type()),
            DataType::Map(entries, _) => match entries.data_type() {
                DataType::Struct(parts) => behind_all(self.within(2), parts),
                _ => self.within(2),
            },
            DataType::Struct(fields) => behind_all(self.within(1), fields),
            _ => self.within(2),
        }
    }

    /// The place of the first child of the array that is here, which has so many blocks of its own.
    pub(super) fn within(self, blocks: usize) -> Self {
        Self {
            node: self.node + 1,
            block: self.block + blocks,
            ..self
        }
    }

    /// The number of the dictionary of the first column from here on that has one.
    pub(super) fn dictionary(self) -> usize {
        self.dictionary
    }

    /// The place of the array's second block: its values, where it has a validity and values.
    pub(super) fn values(self) -> usize {
        self.block + 1
    }
}

/// Tells `f` the numbers of the blocks that [`decode`] reads.
pub(super) fn blocks_of(
    place: Place,
    ty: &DataType,
    target: Option<&DataType>,
    f: &mut impl FnMut(usize),
) {
    let part = |target: &DataType, name: &str| match target {
        DataType::Struct(fields) => fields
            .find(name)
            .map(|(_, field)| field.data_type().clone()),
        _ => None,
    };
    let (own, children): (usize, &[_]) = match ty {
        DataType::Struct(fields) => (1, fields),
        DataType::Map(entries, _) if let DataType::Struct(parts) = entries.data_type() => {
            (2, parts)
        }
        DataType::List(item) => (2, std::slice::from_ref(item)),
        _ => {
            let end = place.behind(ty).block;
            (place.block..end).for_each(f);
            return;
        }
    };
    (place.block..place.block + own).for_each(&mut *f);
    let mut inner = place.within(own);
    for child in children {
        let wanted = match (ty, target) {
            (DataType::Struct(_), Some(target @ DataType::Struct(_))) => {
                part(target, child.name()).map(Some)
            }
            (DataType::Map(..), Some(DataType::Map(entries, _))) => {
                Some(part(entries.data_type(), child.name()))
            }
            (DataType::List(_), Some(DataType::List(item))) => Some(Some(item.data_type().clone())),
            _ => Some(None),
        };
        if let Some(wanted) = wanted {
            blocks_of(inner, child.data_type(), wanted.as_ref(), f);
        }
        inner = inner.behind(child.data_type());
    }
}

fn behind_all(place: Place, fields: &arrow::datatypes::Fields) -> Place {
    fields
        .iter()
        .fold(place, |place, field| place.behind(field.data_type()))
}

/// Reads the array of a type at a place, with those parts alone that `target` has.
pub(super) fn decode(
    blocks: &impl Blocks,
    place: Place,
    ty: &DataType,
    target: Option<&DataType>,
) -> crate::Result<ArrayRef> {
    Reader { blocks }.array(place, ty, target)
}

struct Reader<'a, B> {
    blocks: &'a B,
}

impl<B: Blocks> Reader<'_, B> {
    fn array(
        &self,
        place: Place,
        ty: &DataType,
        target: Option<&DataType>,
    ) -> crate::Result<ArrayRef> {
        let node = self.blocks.nodes().get(place.node).copied();
        let node = node.ok_or_else(|| self.blocks.damaged("a batch with too few arrays"))?;
        let length = node.length as usize;
        if *ty == DataType::Null {
            return Ok(Arc::new(NullArray::new(length)));
        }
        let nulls = match node.nulls {
            0 => None,
            _ => Some(NullBuffer::new(self.bits(place.block, length)?)),
        };
        Ok(match ty {
            DataType::Boolean => {
                let values = self.bits(place.block + 1, length)?;
                Arc::new(BooleanArray::new(values, nulls))
            }
            DataType::Int8 => self.integers::<Int8Type>(place, nulls, ty)?,
            DataType::Int16 => self.integers::<Int16Type>(place, nulls, ty)?,
            DataType::Int32 => self.integers::<Int32Type>(place, nulls, ty)?,
            DataType::Int64 => self.integers::<Int64Type>(place, nulls, ty)?,
            DataType::UInt32 => self.integers::<UInt32Type>(place, nulls, ty)?,
            DataType::UInt64 => self.integers::<UInt64Type>(place, nulls, ty)?,
            DataType::Float64 => self.integers::<Float64Type>(place, nulls, ty)?,
            DataType::Date32 => self.integers::<Date32Type>(place, nulls, ty)?,
            DataType::Timestamp(TimeUnit::Microsecond, _) => {
                self.integers::<TimestampMicrosecondType>(place, nulls, ty)?
            }
            DataType::FixedSizeBinary(16) => {
                let bytes = Buffer::from_vec(self.bytes(place.block + 1)?);
                Arc::new(FixedSizeBinaryArray::try_new(16, bytes, nulls)?)
            }
            DataType::Utf8 => {
                let offsets = self.offsets(place.block + 1)?;
                let bytes = Buffer::from_vec(self.bytes(place.block + 2)?);
                Arc::new(StringArray::try_new(offsets, bytes, nulls)?)
            }
            DataType::Dictionary(..) => {
                let keys = self.numbers::<i32>(place.block + 1)?;
                let keys = PrimitiveArray::<Int32Type>::try_new(keys.into(), nulls)?;
                let values: ArrayRef = Arc::new(self.blocks.dictionary(place.dictionary)?);
                Arc::new(DictionaryArray::try_new(keys, values)?)
            }
            DataType::List(item) => {
                let offsets = self.offsets(place.block + 1)?;
                let wanted = match target {
                    Some(DataType::List(wanted)) => Some(wanted.data_type()),
                    _ => None,
                };
                let inner = place.within(2);
                let items = self.array(inner, item.data_type(), wanted)?;
                let item = Field::clone(item).with_data_type(items.data_type().clone());
                Arc::new(ListArray::try_new(Arc::new(item), offsets, items, nulls)?)
            }
            DataType::Map(entries, sorted) => {
                let DataType::Struct(parts) = entries.data_type() else {
                    return Err(no_type(ty).into());
                };
                let [key, value] = parts.as_ref() else {
                    return Err(no_type(ty).into());
                };
                let wanted = match target {
                    Some(DataType::Map(wanted, _)) => match wanted.data_type() {
                        DataType::Struct(parts) => parts.get(1).map(|part| part.data_type()),
                        _ => None,
                    },
                    _ => None,
                };
                let offsets = self.offsets(place.block + 1)?;
                let inner = place.within(2);
                let keys = self.array(inner, key.data_type(), None)?;
                let inner = inner.behind(key.data_type());
                let values = self.array(inner, value.data_type(), wanted)?;
                let value = Field::clone(value).with_data_type(values.data_type().clone());
                let fields = vec![key.clone(), Arc::new(value)];
                let pairs = StructArray::try_new(fields.into(), vec![keys, values], None)?;
                let entries = Field::clone(entries).with_data_type(pairs.data_type().clone());
                Arc::new(MapArray::try_new(
                    Arc::new(entries),
                    offsets,
                    pairs,
                    nulls,
                    *sorted,
                )?)
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
                        let column = self.array(inner, field.data_type(), wanted)?;
                        let data_type = column.data_type().clone();
                        kept.push(Arc::new(Field::clone(field).with_data_type(data_type)));
                        columns.push(column);
                    }
                    inner = inner.behind(field.data_type());
                }
                Arc::new(StructArray::try_new_with_length(
                    kept.into(),
                    columns,
                    nulls,
                    length,
                )?)
            }
            other => return Err(no_type(other).into()),
        })
    }

    fn integers<T: ArrowPrimitiveType<Native: Integer>>(
        &self,
        place: Place,
        nulls: Option<NullBuffer>,
        ty: &DataType,
    ) -> crate::Result<ArrayRef> {
        let values = self.numbers::<T::Native>(place.block + 1)?;
        let array = PrimitiveArray::<T>::try_new(values.into(), nulls)?;
        Ok(Arc::new(array.with_data_type(ty.clone())))
    }

    fn numbers<T: Integer>(&self, number: usize) -> crate::Result<Vec<T>> {
        let numbers = block::integers(&self.blocks.block(number)?);
        numbers.map_err(|problem| self.blocks.damaged(problem))
    }

    fn bytes(&self, number: usize) -> crate::Result<Vec<u8>> {
        let bytes = block::bytes(self.blocks.block(number)?);
        bytes.map_err(|problem| self.blocks.damaged(problem))
    }

    fn bits(&self, number: usize, length: usize) -> crate::Result<BooleanBuffer> {
        let bytes = self.bytes(number)?;
        if bytes.len() < length.div_ceil(8) {
            return Err(self.blocks.damaged("fewer bits than rows"));
        }
        Ok(BooleanBuffer::new(Buffer::from_vec(bytes), 0, length))
    }

    fn offsets(&self, number: usize) -> crate::Result<OffsetBuffer<i32>> {
        let lengths = self.numbers::<i32>(number)?;
        let mut end = 0i32;
        let mut offsets = Vec::with_capacity(lengths.len() + 1);
        offsets.push(0);
        for length in lengths {
            let next = end.checked_add(length).filter(|next| *next >= end);
            end = next.ok_or_else(|| self.blocks.damaged("lengths that add up to too much"))?;
            offsets.push(end);
        }
        Ok(OffsetBuffer::new(offsets.into()))
    }
}
