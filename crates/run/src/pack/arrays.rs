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

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, BooleanArray, DictionaryArray,
    FixedSizeBinaryArray, ListArray, MapArray, NullArray, PrimitiveArray, StringArray, StructArray,
};
use arrow::buffer::{BooleanBuffer, Buffer, NullBuffer, OffsetBuffer};
use arrow::datatypes::{
    DataType, Date32Type, Field, FieldRef, Fields, Float64Type, Int8Type, Int16Type, Int32Type,
    Int64Type, TimeUnit, TimestampMicrosecondType, UInt32Type, UInt64Type,
};
use arrow::error::ArrowError;

use super::block::{self, Block};
use super::planes::Integer;

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
    /// The bytes of the buffers that are in them.
    pub(super) unpacked: u64,
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
        match array.nulls() {
            Some(nulls) if nulls.null_count() > 0 => self.bytes(&bits(nulls.inner())),
            _ => self.blocks.push(Vec::new()),
        }
        match array.data_type() {
            DataType::Boolean => self.bytes(&bits(array.as_boolean().values())),
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
                let keys = array.as_fixed_size_binary().value_data();
                self.push(keys, block::of_random_bytes(keys));
            }
            DataType::Utf8 => {
                let text = array.as_string::<i32>();
                self.lengths(text.offsets());
                self.bytes(within(text.offsets(), text.value_data()));
            }
            DataType::Dictionary(..) => {
                let keys = array.as_dictionary::<Int32Type>().keys().values();
                self.push::<i32>(keys, block::of_integers::<i32>(keys));
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
        self.push(values, block::of_integers(values));
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.push(bytes, block::of_bytes(bytes));
    }

    /// Adds the block of a buffer.
    fn push<T>(&mut self, buffer: &[T], block: Vec<u8>) {
        self.unpacked += size_of_val(buffer) as u64;
        self.blocks.push(block);
    }

    fn lengths(&mut self, offsets: &OffsetBuffer<i32>) {
        let lengths: Vec<i32> = offsets.lengths().map(|length| length as i32).collect();
        self.push(&lengths, block::of_integers(&lengths));
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

fn no_type(ty: &DataType) -> ArrowError {
    ArrowError::SchemaError(format!("{ty} is no type of a run"))
}

/// Where a batch's nodes and blocks come from.
pub(super) trait Blocks {
    /// The nodes of all arrays.
    fn nodes(&self) -> &[Node];
    /// A block, checked.
    fn block(&self, number: usize) -> crate::Result<Block>;
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

/// A child of an array: its place, its field, and which parts of it are wanted.
pub(super) type Child<'a> = (Place, &'a FieldRef, Option<&'a DataType>);

/// The children of the array of a type at a place of which `target` has something, in their order: all, where it says
/// nothing of them. A map's are its keys and values: the entries have no node of their own.
pub(super) fn parts<'a>(
    place: Place,
    ty: &'a DataType,
    target: Option<&'a DataType>,
) -> Vec<Child<'a>> {
    let (own, children): (usize, &[FieldRef]) = match ty {
        DataType::Struct(fields) => (1, fields),
        DataType::Map(entries, _) if let DataType::Struct(parts) = entries.data_type() => {
            (2, parts)
        }
        DataType::List(item) => (2, std::slice::from_ref(item)),
        _ => return Vec::new(),
    };
    let named = |fields: &'a DataType, name: &str| match fields {
        DataType::Struct(fields) => fields.find(name).map(|(_, field)| field.data_type()),
        _ => None,
    };
    let mut inner = place.within(own);
    let mut parts = Vec::with_capacity(children.len());
    for child in children {
        let wanted = match (ty, target) {
            (DataType::Struct(_), Some(target @ DataType::Struct(_))) => {
                named(target, child.name()).map(Some)
            }
            (DataType::Map(..), Some(DataType::Map(entries, _))) => {
                Some(named(entries.data_type(), child.name()))
            }
            (DataType::List(_), Some(DataType::List(item))) => Some(Some(item.data_type())),
            _ => Some(None),
        };
        parts.extend(wanted.map(|wanted| (inner, child, wanted)));
        inner = inner.behind(child.data_type());
    }
    parts
}

/// The fields of a type whose parts became these columns.
pub(super) fn fields_as<'a>(
    parts: impl IntoIterator<Item = &'a Child<'a>>,
    columns: &[ArrayRef],
) -> Fields {
    let parts = parts.into_iter().zip(columns);
    parts
        .map(|((_, field, _), column)| {
            Field::clone(field).with_data_type(column.data_type().clone())
        })
        .collect()
}

/// Tells `f` the numbers of the blocks that [`decode`] reads.
pub(super) fn blocks_of(
    place: Place,
    ty: &DataType,
    target: Option<&DataType>,
    f: &mut impl FnMut(usize),
) {
    let first_part = match ty {
        DataType::Struct(_) => place.within(1),
        DataType::Map(..) | DataType::List(_) => place.within(2),
        _ => place.behind(ty),
    };
    (place.block..first_part.block).for_each(&mut *f);
    for (place, field, wanted) in parts(place, ty, target) {
        blocks_of(place, field.data_type(), wanted, f);
    }
}

fn behind_all(place: Place, fields: &Fields) -> Place {
    fields
        .iter()
        .fold(place, |place, field| place.behind(field.data_type()))
}

/// Reads rows of the array of a type at a place, all where none are said, with those parts alone that `target` has.
pub(super) fn decode(
    blocks: &impl Blocks,
    place: Place,
    ty: &DataType,
    target: Option<&DataType>,
    rows: Option<Range<usize>>,
) -> crate::Result<ArrayRef> {
    let reader = Reader { blocks };
    let rows = match rows {
        Some(rows) => rows,
        None => 0..reader.node(place)?.length as usize,
    };
    reader.array(place, ty, target, rows)
}

/// An array of lists, maps or objects of these parts.
pub(super) fn nested(
    ty: &DataType,
    fields: Fields,
    mut columns: Vec<ArrayRef>,
    offsets: Option<OffsetBuffer<i32>>,
    nulls: Option<NullBuffer>,
    length: usize,
) -> Result<ArrayRef, ArrowError> {
    Ok(match (ty, offsets) {
        (DataType::List(_), Some(offsets)) => match (fields.first(), columns.pop()) {
            (Some(item), Some(items)) => {
                Arc::new(ListArray::try_new(item.clone(), offsets, items, nulls)?)
            }
            _ => return Err(no_type(ty)),
        },
        (DataType::Map(entries, sorted), Some(offsets)) => {
            let pairs = StructArray::try_new(fields, columns, None)?;
            let entries = Field::clone(entries).with_data_type(pairs.data_type().clone());
            let entries = Arc::new(entries);
            Arc::new(MapArray::try_new(entries, offsets, pairs, nulls, *sorted)?)
        }
        _ => Arc::new(StructArray::try_new_with_length(
            fields, columns, nulls, length,
        )?),
    })
}

struct Reader<'a, B> {
    blocks: &'a B,
}

impl<B: Blocks> Reader<'_, B> {
    fn node(&self, place: Place) -> crate::Result<Node> {
        let node = self.blocks.nodes().get(place.node).copied();
        node.ok_or_else(|| self.blocks.damaged("a batch with too few arrays"))
    }

    fn array(
        &self,
        place: Place,
        ty: &DataType,
        target: Option<&DataType>,
        rows: Range<usize>,
    ) -> crate::Result<ArrayRef> {
        let node = self.node(place)?;
        let part = Part {
            place,
            length: node.length as usize,
            rows,
        };
        if part.rows.end > part.length {
            return Err(self.blocks.damaged("an array with too few rows"));
        }
        let count = part.rows.len();
        if *ty == DataType::Null {
            return Ok(Arc::new(NullArray::new(count)));
        }
        let nulls = match node.nulls {
            0 => None,
            _ => Some(NullBuffer::new(self.bits(place.block, &part)?)),
        };
        Ok(match ty {
            DataType::Boolean => {
                let values = self.bits(place.block + 1, &part)?;
                Arc::new(BooleanArray::new(values, nulls))
            }
            DataType::Int8 => self.integers::<Int8Type>(&part, nulls, ty)?,
            DataType::Int16 => self.integers::<Int16Type>(&part, nulls, ty)?,
            DataType::Int32 => self.integers::<Int32Type>(&part, nulls, ty)?,
            DataType::Int64 => self.integers::<Int64Type>(&part, nulls, ty)?,
            DataType::UInt32 => self.integers::<UInt32Type>(&part, nulls, ty)?,
            DataType::UInt64 => self.integers::<UInt64Type>(&part, nulls, ty)?,
            DataType::Float64 => self.integers::<Float64Type>(&part, nulls, ty)?,
            DataType::Date32 => self.integers::<Date32Type>(&part, nulls, ty)?,
            DataType::Timestamp(TimeUnit::Microsecond, _) => {
                self.integers::<TimestampMicrosecondType>(&part, nulls, ty)?
            }
            DataType::FixedSizeBinary(16) => {
                let wanted = part.rows.start * 16..part.rows.end * 16;
                let bytes = Buffer::from_vec(self.bytes(place.block + 1, wanted)?);
                Arc::new(FixedSizeBinaryArray::try_new(16, bytes, nulls)?)
            }
            DataType::Utf8 => {
                let (offsets, within) = self.offsets(&part)?;
                let bytes = Buffer::from_vec(self.bytes(place.block + 2, within)?);
                Arc::new(StringArray::try_new(offsets, bytes, nulls)?)
            }
            DataType::Dictionary(..) => {
                let keys = self.numbers::<i32>(&part, part.rows.clone())?;
                let keys = PrimitiveArray::<Int32Type>::try_new(keys.into(), nulls)?;
                let values: ArrayRef = Arc::new(self.blocks.dictionary(place.dictionary)?);
                Arc::new(DictionaryArray::try_new(keys, values)?)
            }
            DataType::List(_) | DataType::Map(..) | DataType::Struct(_) => {
                let (offsets, within) = match ty {
                    DataType::Struct(_) => (None, part.rows.clone()),
                    _ => {
                        let (offsets, within) = self.offsets(&part)?;
                        (Some(offsets), within)
                    }
                };
                let children = parts(place, ty, target);
                let columns = children.iter();
                let columns = columns
                    .map(|(place, field, wanted)| {
                        self.array(*place, field.data_type(), *wanted, within.clone())
                    })
                    .collect::<crate::Result<Vec<_>>>()?;
                let fields = fields_as(&children, &columns);
                nested(ty, fields, columns, offsets, nulls, count)?
            }
            other => return Err(no_type(other).into()),
        })
    }

    fn integers<T: ArrowPrimitiveType<Native: Integer>>(
        &self,
        part: &Part,
        nulls: Option<NullBuffer>,
        ty: &DataType,
    ) -> crate::Result<ArrayRef> {
        let values = self.numbers::<T::Native>(part, part.rows.clone())?;
        let array = PrimitiveArray::<T>::try_new(values.into(), nulls)?;
        Ok(Arc::new(array.with_data_type(ty.clone())))
    }

    /// Numbers of the array's second block.
    fn numbers<T: Integer>(&self, part: &Part, wanted: Range<usize>) -> crate::Result<Vec<T>> {
        let block = self.blocks.block(part.place.block + 1)?;
        let numbers = block::integers(block.as_ref(), part.length, wanted);
        numbers.map_err(|problem| self.blocks.damaged(problem))
    }

    fn bytes(&self, number: usize, wanted: Range<usize>) -> crate::Result<Vec<u8>> {
        let bytes = block::bytes(self.blocks.block(number)?, wanted);
        bytes.map_err(|problem| self.blocks.damaged(problem))
    }

    fn bits(&self, number: usize, part: &Part) -> crate::Result<BooleanBuffer> {
        let wanted = part.rows.start / 8..part.rows.end.div_ceil(8);
        let bytes = Buffer::from_vec(self.bytes(number, wanted)?);
        Ok(BooleanBuffer::new(
            bytes,
            part.rows.start % 8,
            part.rows.len(),
        ))
    }

    /// The offsets of rows by the lengths of all, counted from the first row; and where what they have lies in the child, or
    /// among the bytes.
    fn offsets(&self, part: &Part) -> crate::Result<(OffsetBuffer<i32>, Range<usize>)> {
        // What lies before the rows says where they begin.
        let lengths = self.numbers::<i32>(part, 0..part.rows.end)?;
        let (before, own) = lengths.split_at(part.rows.start);
        let too_much = || self.blocks.damaged("lengths that add up to too much");
        let behind = |end: i32, length: &i32| {
            let next = end.checked_add(*length).filter(|next| *next >= end);
            next.ok_or_else(too_much)
        };
        let start = before.iter().try_fold(0, behind)?;
        let mut end = 0;
        let mut offsets = Vec::with_capacity(own.len() + 1);
        offsets.push(0);
        for length in own {
            end = behind(end, length)?;
            offsets.push(end);
        }
        let within = start as usize..start.checked_add(end).ok_or_else(too_much)? as usize;
        Ok((OffsetBuffer::new(offsets.into()), within))
    }
}

/// Rows of an array that has so many.
struct Part {
    place: Place,
    length: usize,
    rows: Range<usize>,
}
