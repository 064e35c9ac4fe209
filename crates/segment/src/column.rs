//! Values of all rows of a frame.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Int64Array, ListArray, UInt32Array, new_null_array,
};
use arrow::buffer::NullBuffer;
use arrow::compute::{cast, nullif, take};
use arrow::datatypes::{DataType, Int32Type, Int64Type, TimeUnit, TimestampMicrosecondType};
use pql::Type;

use crate::error::{Error, Result};

/// Values of all rows of a frame. Cheap to clone.
///
/// Objects, lists and maps stay in the arrays that they came in, with the numbers of the rows that are meant: what is
/// not looked at is never copied.
#[derive(Clone, Debug)]
pub(crate) enum Column {
    /// One value for every row: an array of one.
    Constant(ArrayRef),
    /// Rows of an array.
    Rows(Rows),
    /// Lists whose items lie in a column of their own, without nulls and without gaps.
    Lists(Lists),
    /// Objects that an expression makes, and where there are none.
    Record(Vec<(String, Column)>, Option<NullBuffer>),
}

/// Rows of an array.
#[derive(Clone, Debug)]
pub(crate) struct Rows {
    array: ArrayRef,
    /// The number of each row in the array; null where it is null. None where the rows are the array's.
    at: Option<UInt32Array>,
}

/// Lists of a column's items: the n-th from the n-th offset to the next one.
#[derive(Clone, Debug)]
pub(crate) struct Lists {
    pub(crate) offsets: Arc<[u32]>,
    /// A list that is null has no item.
    pub(crate) nulls: Option<NullBuffer>,
    pub(crate) items: Box<Column>,
}

impl Column {
    pub(crate) fn of(array: ArrayRef) -> Self {
        Self::Rows(Rows { array, at: None })
    }

    /// These rows of it; null where a number is.
    pub(crate) fn gather(&self, numbers: &UInt32Array) -> Result<Self> {
        Ok(match self {
            Self::Constant(_) if numbers.null_count() == 0 => self.clone(),
            Self::Constant(value) => Self::Rows(Rows {
                array: value.clone(),
                at: Some(numbers.unary(|_| 0)),
            }),
            Self::Rows(rows) => Self::Rows(Rows {
                array: rows.array.clone(),
                at: Some(match &rows.at {
                    None => numbers.clone(),
                    Some(at) => taken(at, numbers)?,
                }),
            }),
            Self::Lists(lists) => {
                let is_there = |row: &usize| {
                    lists
                        .nulls
                        .as_ref()
                        .is_none_or(|nulls| nulls.is_valid(*row))
                };
                let rows = numbers
                    .iter()
                    .map(|number| number.map(|number| number as usize));
                let ranges = rows.map(|row| row.filter(is_there).map(|row| lists.range(row)));
                let (offsets, items, nulls) = laid_out(ranges, None);
                Self::Lists(Lists {
                    offsets,
                    nulls: Some(nulls),
                    items: Box::new(lists.items.gather(&items)?),
                })
            }
            Self::Record(members, nulls) => {
                let is_there = |at: u32| {
                    nulls
                        .as_ref()
                        .is_none_or(|nulls| nulls.is_valid(at as usize))
                };
                let valid = numbers.iter().map(|at| at.is_some_and(is_there)).collect();
                let members = members.iter();
                let gathered =
                    members.map(|(name, column)| Ok((name.clone(), column.gather(numbers)?)));
                Self::Record(gathered.collect::<Result<_>>()?, Some(valid))
            }
        })
    }

    /// The field of objects that these names lead to.
    pub(crate) fn field(&self, names: &[String]) -> Result<Self> {
        let Some((name, rest)) = names.split_first() else {
            return Ok(self.clone());
        };
        match self {
            Self::Record(members, _) => {
                let member = members.iter().find(|(known, _)| known == name);
                let (_, member) = member.ok_or_else(|| Error::lacking(name))?;
                member.field(rest)
            }
            Self::Rows(rows) => {
                let object = rows
                    .array
                    .as_struct_opt()
                    .ok_or_else(|| Error::lacking(name))?;
                let child = object
                    .column_by_name(name)
                    .ok_or_else(|| Error::lacking(name))?;
                let array = match object.nulls() {
                    Some(nulls) if nulls.null_count() > 0 => with_nulls(child, nulls)?,
                    _ => child.clone(),
                };
                let at = rows.at.clone();
                Self::Rows(Rows { array, at }).field(rest)
            }
            Self::Constant(_) | Self::Lists(_) => Err(Error::lacking(name)),
        }
    }

    /// Where it is null, of so many rows.
    pub(crate) fn nulls(&self, rows: usize) -> Result<Option<NullBuffer>> {
        Ok(match self {
            Self::Constant(value) if value.is_null(0) => Some(NullBuffer::new_null(rows)),
            Self::Constant(_) => None,
            Self::Record(_, nulls) => nulls.clone(),
            Self::Lists(lists) => lists.nulls.clone(),
            Self::Rows(Rows { array, at: None }) => array.logical_nulls(),
            Self::Rows(Rows {
                array,
                at: Some(at),
            }) => match array.logical_nulls() {
                None => at.nulls().cloned(),
                Some(nulls) => {
                    let valid = at
                        .iter()
                        .map(|at| at.is_some_and(|at| nulls.is_valid(at as usize)));
                    Some(valid.collect())
                }
            },
        })
    }

    /// Single values in the array of their type: text as Utf8, whole numbers and milliseconds of moments as Int64,
    /// others as Float64, days as Int32.
    pub(crate) fn flat(&self, ty: &Type, rows: usize) -> Result<ArrayRef> {
        match self {
            Self::Constant(value) => {
                let numbers = UInt32Array::from(vec![0; rows]);
                Ok(take(value, &numbers, None)?)
            }
            Self::Rows(rows) => canonical(&rows.array()?, ty),
            Self::Lists(_) | Self::Record(..) => Err(Error::shape(ty)),
        }
    }

    /// The rows as an array of what they came in.
    pub(crate) fn array(&self, rows: usize) -> Result<ArrayRef> {
        match self {
            Self::Rows(rows) => rows.array(),
            Self::Constant(value) if value.is_null(0) => {
                Ok(new_null_array(value.data_type(), rows))
            }
            Self::Constant(_) | Self::Lists(_) | Self::Record(..) => {
                Err(Error::lacking("an object of the data"))
            }
        }
    }

    /// The array, and the numbers of the rows in it, where its text is in a dictionary.
    pub(crate) fn dictionary(
        &self,
    ) -> Option<(
        &arrow::array::DictionaryArray<Int32Type>,
        Option<&UInt32Array>,
    )> {
        match self {
            Self::Rows(Rows { array, at }) => Some((array.as_dictionary_opt()?, at.as_ref())),
            _ => None,
        }
    }

    /// How many items its lists have of these rows, or of all.
    pub(crate) fn items(&self, numbers: Option<&UInt32Array>) -> u64 {
        let length = |row: usize| match self {
            Self::Lists(lists) => lists.range(row).len() as u64,
            Self::Rows(Rows { array, at }) => {
                let lists = array.as_list_opt::<i32>();
                let range = lists.and_then(|lists| {
                    range_of(lists.value_offsets(), lists.nulls(), at.as_ref(), row)
                });
                range.map_or(0, |items| items.len() as u64)
            }
            Self::Constant(_) | Self::Record(..) => 0,
        };
        match (numbers, self) {
            (Some(numbers), _) => numbers
                .iter()
                .flatten()
                .map(|row| length(row as usize))
                .sum(),
            (None, Self::Lists(lists)) => lists.total() as u64,
            (None, Self::Rows(Rows { array, at })) => {
                let rows = at.as_ref().map_or(array.len(), Array::len);
                (0..rows).map(length).sum()
            }
            (None, _) => 0,
        }
    }

    /// The lists of so many rows.
    pub(crate) fn lists(&self, rows: usize) -> Result<Lists> {
        match self {
            Self::Lists(lists) => Ok(lists.clone()),
            Self::Rows(Rows { array, at }) => {
                let lists = array
                    .as_list_opt::<i32>()
                    .ok_or_else(|| Error::lacking("a list"))?;
                of_arrow(lists, at.as_ref())
            }
            Self::Constant(value) if value.is_null(0) => Ok(Lists {
                offsets: vec![0; rows + 1].into(),
                nulls: Some(NullBuffer::new_null(rows)),
                items: Box::new(self.clone()),
            }),
            Self::Constant(_) | Self::Record(..) => Err(Error::lacking("a list")),
        }
    }

    /// The entries of maps: their offsets, where there is no map, their keys and their values; those that are null are
    /// none.
    pub(crate) fn entries(&self) -> Result<(Lists, Lists)> {
        let Self::Rows(Rows { array, at }) = self else {
            return Err(Error::lacking("a map"));
        };
        let map = array.as_map_opt().ok_or_else(|| Error::lacking("a map"))?;
        let values = map.values();
        let absent = values.logical_nulls();
        let count = at.as_ref().map_or(map.len(), Array::len);
        let ranges =
            (0..count).map(|row| range_of(map.value_offsets(), map.nulls(), at.as_ref(), row));
        let (offsets, entries, nulls) = laid_out(ranges, absent.as_ref());
        let lists = |array: &ArrayRef| Lists {
            offsets: Arc::clone(&offsets),
            nulls: Some(nulls.clone()),
            items: Box::new(Self::Rows(Rows {
                array: array.clone(),
                at: Some(entries.clone()),
            })),
        };
        Ok((lists(map.keys()), lists(values)))
    }
}

impl Rows {
    fn array(&self) -> Result<ArrayRef> {
        Ok(match &self.at {
            None => self.array.clone(),
            Some(at) => take(&self.array, at, None)?,
        })
    }
}

impl Lists {
    pub(crate) fn len(&self) -> usize {
        self.offsets.len() - 1
    }

    /// How many items there are in all lists.
    pub(crate) fn total(&self) -> usize {
        self.offsets.last().map_or(0, |end| *end as usize)
    }

    pub(crate) fn range(&self, row: usize) -> Range<usize> {
        match self.offsets.get(row..row + 2) {
            Some(&[start, end]) => start as usize..end as usize,
            _ => 0..0,
        }
    }

    pub(crate) fn ranges(&self) -> impl Iterator<Item = Range<usize>> {
        self.offsets.windows(2).map(|ends| match ends {
            &[start, end] => start as usize..end as usize,
            _ => 0..0,
        })
    }

    /// These lists, and behind them others, whose items together lie in an array.
    pub(crate) fn and(&self, others: &Self, items: ArrayRef) -> Self {
        let first = self.total() as u32;
        let ends = others.offsets.iter().skip(1).map(|end| first + end);
        let valid =
            |lists: &Self, row: usize| lists.nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row));
        let own = (0..self.len()).map(|row| valid(self, row));
        let nulls = own.chain((0..others.len()).map(|row| valid(others, row)));
        Self {
            offsets: self.offsets.iter().copied().chain(ends).collect(),
            nulls: Some(nulls.collect()),
            items: Box::new(Column::of(items)),
        }
    }

    /// The row that each item is of.
    pub(crate) fn parents(&self) -> UInt32Array {
        let rows = self.ranges().enumerate();
        UInt32Array::from_iter_values(rows.flat_map(|(row, items)| items.map(move |_| row as u32)))
    }

    /// The lists with these of their items, in this order within each.
    pub(crate) fn with_items(&self, kept: impl Fn(Range<usize>) -> Vec<u32>) -> Result<Self> {
        let (mut offsets, mut items) = (vec![0u32], Vec::new());
        for range in self.ranges() {
            items.extend(kept(range));
            offsets.push(items.len() as u32);
        }
        Ok(Self {
            offsets: offsets.into(),
            nulls: self.nulls.clone(),
            items: Box::new(self.items.gather(&UInt32Array::from(items))?),
        })
    }
}

/// The items of a row of lists or maps: of the row that `at` has in its place, if it is given.
fn range_of(
    ends: &[i32],
    nulls: Option<&NullBuffer>,
    at: Option<&UInt32Array>,
    row: usize,
) -> Option<Range<usize>> {
    let row = match at {
        None => row,
        Some(at) => at.is_valid(row).then(|| at.value(row) as usize)?,
    };
    let is_there = nulls.is_none_or(|nulls| nulls.is_valid(row));
    match ends.get(row..row + 2).filter(|_| is_there)? {
        &[start, end] => Some(start as usize..end as usize),
        _ => None,
    }
}

/// Offsets for lists of these ranges, the numbers of their items, without those that are absent, and which lists there
/// are.
fn laid_out(
    ranges: impl Iterator<Item = Option<Range<usize>>>,
    absent: Option<&NullBuffer>,
) -> (Arc<[u32]>, UInt32Array, NullBuffer) {
    let is_there = |item: &usize| absent.is_none_or(|nulls| nulls.is_valid(*item));
    let (mut offsets, mut numbers, mut valid) = (vec![0u32], Vec::new(), Vec::new());
    for range in ranges {
        valid.push(range.is_some());
        let items = range.into_iter().flatten().filter(is_there);
        numbers.extend(items.map(|item| item as u32));
        offsets.push(numbers.len() as u32);
    }
    (
        offsets.into(),
        UInt32Array::from(numbers),
        NullBuffer::from(valid),
    )
}

fn of_arrow(lists: &ListArray, at: Option<&UInt32Array>) -> Result<Lists> {
    let ends = lists.value_offsets();
    let values = lists.values();
    let absent = values
        .logical_nulls()
        .filter(|nulls| nulls.null_count() > 0);
    let has_no_gap = lists.nulls().is_none_or(|nulls| {
        let mut rows = ends.windows(2).zip(nulls.iter());
        rows.all(|(ends, is_valid)| is_valid || ends.first() == ends.last())
    });
    if let (None, None, true, Some(first), Some(last)) =
        (at, &absent, has_no_gap, ends.first(), ends.last())
    {
        let offsets: Vec<u32> = ends.iter().map(|end| (end - first) as u32).collect();
        return Ok(Lists {
            offsets: offsets.into(),
            nulls: lists.nulls().cloned(),
            items: Box::new(Column::of(
                values.slice(*first as usize, (last - first) as usize),
            )),
        });
    }
    let count = at.map_or(lists.len(), Array::len);
    let ranges = (0..count).map(|row| range_of(ends, lists.nulls(), at, row));
    let (offsets, numbers, nulls) = laid_out(ranges, absent.as_ref());
    Ok(Lists {
        offsets,
        nulls: Some(nulls),
        items: Box::new(Column::Rows(Rows {
            array: values.clone(),
            at: Some(numbers),
        })),
    })
}

pub(crate) fn taken(numbers: &UInt32Array, at: &UInt32Array) -> Result<UInt32Array> {
    Ok(take(numbers, at, None)?.as_primitive().clone())
}

/// An array that is null where an object is, too, that it is a field of.
fn with_nulls(array: &ArrayRef, nulls: &NullBuffer) -> Result<ArrayRef> {
    let is_null = BooleanArray::new(!nulls.inner(), None);
    Ok(nullif(array, &is_null)?)
}

fn canonical(array: &ArrayRef, ty: &Type) -> Result<ArrayRef> {
    if *array.data_type() == DataType::Null {
        return Ok(new_null_array(&data_type(ty)?, array.len()));
    }
    match (ty, array.data_type()) {
        (Type::Timestamp, DataType::Timestamp(unit, zone)) => {
            let micros = match unit {
                TimeUnit::Microsecond => array.clone(),
                _ => cast(
                    array,
                    &DataType::Timestamp(TimeUnit::Microsecond, zone.clone()),
                )?,
            };
            let micros = micros.as_primitive::<TimestampMicrosecondType>();
            let millis: Int64Array =
                micros.unary::<_, Int64Type>(|micros| micros.div_euclid(1_000));
            Ok(Arc::new(millis))
        }
        (Type::Double, _) => {
            let doubles = cast(array, &DataType::Float64)?;
            let doubles = doubles.as_primitive::<arrow::datatypes::Float64Type>();
            // There is one zero.
            let doubles: arrow::array::Float64Array = doubles.unary(|value| value + 0.0);
            Ok(Arc::new(doubles))
        }
        (ty, known) => {
            let wanted = data_type(ty)?;
            match *known == wanted {
                true => Ok(array.clone()),
                false => Ok(cast(array, &wanted)?),
            }
        }
    }
}

/// The type of an array of single values.
pub(crate) fn data_type(ty: &Type) -> Result<DataType> {
    Ok(match ty {
        Type::String => DataType::Utf8,
        Type::Boolean => DataType::Boolean,
        Type::Integer | Type::Timestamp => DataType::Int64,
        Type::Double => DataType::Float64,
        Type::Date => DataType::Int32,
        Type::Array(_) | Type::Map(_) | Type::Object(_) => return Err(Error::shape(ty)),
    })
}
