use std::cmp::Ordering;
use std::collections::HashSet;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, Int32Array, Int64Array, UInt32Array};
use arrow::buffer::{BooleanBuffer, NullBuffer};
use arrow::compute::concat;
use arrow::datatypes::{Float64Type, Int32Type, Int64Type};
use arrow::row::{RowConverter, Rows, SortField};
use pql::Type;
use pql::typed::{Aggregate, Condition, SetTest, Value};

use super::{Evaluator, numbers, valid};
use crate::column::{Column, Lists};
use crate::error::{Error, Result};

impl<'a> Evaluator<'a> {
    pub(super) fn not_empty(&mut self, value: &'a Value) -> Result<BooleanBuffer> {
        let lists = match value.ty {
            Type::Map(_) => self.value(value)?.entries()?.0,
            _ => self.lists(value)?,
        };
        Ok(lists.ranges().map(|items| !items.is_empty()).collect())
    }

    /// Several values as a list of each row; those that are null are no items.
    pub(super) fn list(&mut self, items: &'a [Value], ty: &Type) -> Result<Column> {
        let rows = self.rows();
        let item = item_type(ty)?;
        let mut columns = Vec::with_capacity(items.len());
        for value in items {
            columns.push(self.value(value)?.flat(item, rows)?);
        }
        let nulls: Vec<_> = columns
            .iter()
            .map(|column| column.logical_nulls())
            .collect();
        let Some(first) = columns.first() else {
            return Ok(Column::Lists(Lists {
                offsets: vec![0; rows + 1].into(),
                nulls: None,
                items: Box::new(Column::of(Arc::new(Int64Array::from(Vec::<i64>::new())))),
            }));
        };
        let all = match columns.len() {
            1 => first.clone(),
            _ => concat(&columns.iter().map(|column| &**column).collect::<Vec<_>>())?,
        };
        let (mut offsets, mut order) = (vec![0u32], Vec::new());
        for row in 0..rows {
            for (number, nulls) in nulls.iter().enumerate() {
                if nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row)) {
                    order.push((number * rows + row) as u32);
                }
            }
            offsets.push(order.len() as u32);
        }
        Ok(Column::Lists(Lists {
            offsets: offsets.into(),
            nulls: None,
            items: Box::new(Column::of(all).gather(&UInt32Array::from(order))?),
        }))
    }

    /// Lists with those of their items that may meet a condition, and where they do.
    fn of_items(
        &mut self,
        source: &'a Value,
        condition: &'a Condition,
    ) -> Result<(Lists, BooleanBuffer)> {
        match self.pairs(source, condition)? {
            Some(pairs) => Ok(pairs),
            None => self.of_all_items(source, condition),
        }
    }

    /// Lists, and where a condition holds of their items.
    fn of_all_items(
        &mut self,
        source: &'a Value,
        condition: &'a Condition,
    ) -> Result<(Lists, BooleanBuffer)> {
        let lists = self.lists(source)?;
        let holds = self.about(source, &lists, |inner| inner.condition(condition))?;
        Ok((lists, holds))
    }

    pub(super) fn any(
        &mut self,
        source: &'a Value,
        condition: &'a Condition,
    ) -> Result<BooleanBuffer> {
        let (lists, holds) = self.of_items(source, condition)?;
        Ok(lists
            .ranges()
            .map(|items| holds.slice(items.start, items.len()).count_set_bits() > 0)
            .collect())
    }

    pub(super) fn all(
        &mut self,
        source: &'a Value,
        condition: &'a Condition,
    ) -> Result<BooleanBuffer> {
        let (lists, holds) = self.of_all_items(source, condition)?;
        let all = |items: Range<usize>| {
            holds.slice(items.start, items.len()).count_set_bits() == items.len()
        };
        Ok(lists.ranges().map(all).collect())
    }

    pub(super) fn filter(&mut self, source: &'a Value, condition: &'a Condition) -> Result<Column> {
        let (lists, holds) = self.of_items(source, condition)?;
        let kept = |items: Range<usize>| {
            items
                .filter(|item| holds.value(*item))
                .map(|item| item as u32)
                .collect()
        };
        Ok(Column::Lists(lists.with_items(kept)?))
    }

    pub(super) fn each(&mut self, source: &'a Value, body: &'a Value) -> Result<Column> {
        let lists = self.lists(source)?;
        let (column, nulls) = self.about(source, &lists, |inner| {
            let column = inner.value(body)?;
            let nulls = column.nulls(inner.rows())?;
            Ok((column, nulls))
        })?;
        let total = lists.total();
        if let Type::Array(_) = body.ty {
            self.frames.check(column.items(None))?;
            let inner = column.lists(total)?;
            let ends: Option<Vec<u32>> = lists
                .offsets
                .iter()
                .map(|at| inner.offsets.get(*at as usize).copied())
                .collect();
            return Ok(Column::Lists(Lists {
                offsets: ends.ok_or_else(|| Error::lacking("a list's end"))?.into(),
                nulls: lists.nulls.clone(),
                items: inner.items,
            }));
        }
        let column = match column {
            Column::Constant(_) => Column::of(column.flat(&body.ty, total)?),
            column => column,
        };
        let values = Lists {
            items: Box::new(column),
            ..lists
        };
        match nulls.filter(|nulls| nulls.null_count() > 0) {
            None => Ok(Column::Lists(values)),
            Some(nulls) => Ok(Column::Lists(values.with_items(|items| {
                items
                    .filter(|item| nulls.is_valid(*item))
                    .map(|item| item as u32)
                    .collect()
            })?)),
        }
    }

    pub(super) fn head(&mut self, source: &'a Value) -> Result<Column> {
        let lists = self.lists(source)?;
        let first = numbers(
            lists
                .ranges()
                .map(|items| (!items.is_empty()).then_some(items.start as u32)),
        );
        lists.items.gather(&first)
    }

    pub(super) fn top(
        &mut self,
        source: &'a Value,
        key: &'a Value,
        count: u64,
        highest: bool,
    ) -> Result<Column> {
        let lists = self.lists(source)?;
        let keys = self.about(source, &lists, |inner| inner.flat(key))?;
        let keys = Numbers::of(&keys)?;
        let taken = |items: Range<usize>| {
            let mut known: Vec<usize> = items.filter(|item| keys.is_valid(*item)).collect();
            known.sort_by(|a, b| match highest {
                true => keys.order(*b, *a),
                false => keys.order(*a, *b),
            });
            let most = usize::try_from(count).unwrap_or(usize::MAX);
            known
                .into_iter()
                .take(most)
                .map(|item| item as u32)
                .collect()
        };
        Ok(Column::Lists(lists.with_items(taken)?))
    }

    pub(super) fn distinct(&mut self, source: &'a Value) -> Result<Column> {
        let lists = self.lists(source)?;
        let items = Items::of(&[(&lists, &source.ty)])?;
        let once = |range: Range<usize>| {
            let mut seen = HashSet::new();
            range
                .filter(|item| seen.insert(items.key(0, *item)))
                .map(|item| item as u32)
                .collect()
        };
        Ok(Column::Lists(lists.with_items(once)?))
    }

    pub(super) fn intersection(&mut self, left: &'a Value, right: &'a Value) -> Result<Column> {
        let (one, other) = (self.lists(left)?, self.lists(right)?);
        let items = Items::of(&[(&one, &left.ty), (&other, &right.ty)])?;
        let (mut offsets, mut common) = (vec![0u32], Vec::new());
        for (own, others) in one.ranges().zip(other.ranges()) {
            let others: HashSet<&[u8]> = others.map(|item| items.key(1, item)).collect();
            let mut seen = HashSet::new();
            let both = own.filter(|item| {
                let key = items.key(0, *item);
                others.contains(key) && seen.insert(key)
            });
            common.extend(both.map(|item| item as u32));
            offsets.push(common.len() as u32);
        }
        let nulls: NullBuffer = offsets
            .windows(2)
            .map(|ends| ends.first() != ends.last())
            .collect();
        Ok(Column::Lists(Lists {
            offsets: offsets.into(),
            nulls: Some(nulls),
            items: Box::new(one.items.gather(&UInt32Array::from(common))?),
        }))
    }

    pub(super) fn sets(
        &mut self,
        test: SetTest,
        left: &'a Value,
        right: &'a Value,
    ) -> Result<BooleanBuffer> {
        let (one, other) = (self.lists(left)?, self.lists(right)?);
        let items = Items::of(&[(&one, &left.ty), (&other, &right.ty)])?;
        let holds = one.ranges().zip(other.ranges()).map(|(own, others)| {
            let keys = |list: usize, range: Range<usize>| range.map(move |item| (list, item));
            let set = |list: usize, range: Range<usize>| -> HashSet<&[u8]> {
                keys(list, range)
                    .map(|(list, item)| items.key(list, item))
                    .collect()
            };
            match test {
                SetTest::Intersects => !set(0, own).is_disjoint(&set(1, others)),
                SetTest::SubsetOf => set(0, own).is_subset(&set(1, others)),
                SetTest::SupersetOf => set(0, own).is_superset(&set(1, others)),
            }
        });
        let holds: BooleanBuffer = holds.collect();
        let both = NullBuffer::union(one.nulls.as_ref(), other.nulls.as_ref());
        Ok(&holds & &valid(both, one.len()))
    }

    pub(super) fn get(&mut self, map: &'a Value, key: &'a Value) -> Result<Column> {
        let rows = self.rows();
        let (keys, values) = self.value(map)?.entries()?;
        let known = keys.items.flat(&Type::String, keys.total())?;
        let known = known.as_string::<i32>();
        let wanted = self.value(key)?.flat(&Type::String, rows)?;
        let wanted = wanted.as_string::<i32>();
        let entries = keys.ranges().enumerate().map(|(row, mut entries)| {
            let wanted = wanted.is_valid(row).then(|| wanted.value(row))?;
            let found = entries.find(|entry| known.value(*entry) == wanted);
            found.map(|entry| entry as u32)
        });
        values.items.gather(&numbers(entries))
    }

    pub(super) fn aggregate(
        &mut self,
        aggregate: Aggregate,
        list: &'a Value,
        ty: &Type,
    ) -> Result<Column> {
        let lists = self.lists(list)?;
        if aggregate == Aggregate::Count {
            let counts = lists.ranges().map(|items| items.len() as i64);
            return Ok(Column::of(Arc::new(Int64Array::from_iter_values(counts))));
        }
        let items = lists.items.flat(item_type(&list.ty)?, lists.total())?;
        let values = Numbers::of(&items)?;
        let finite = |value: f64| Some(value).filter(|value| value.is_finite());
        let doubles = |of: &dyn Fn(Range<usize>) -> Option<f64>| -> ArrayRef {
            Arc::new(lists.ranges().map(of).collect::<Float64Array>())
        };
        let array: ArrayRef = match aggregate {
            Aggregate::Sum if *ty == Type::Integer => {
                let sum = |items: Range<usize>| {
                    items
                        .into_iter()
                        .try_fold(0i64, |sum, item| sum.checked_add(values.whole(item)))
                };
                Arc::new(lists.ranges().map(sum).collect::<Int64Array>())
            }
            Aggregate::Sum => doubles(&|items| finite(items.map(|item| values.double(item)).sum())),
            Aggregate::Average => doubles(&|items| {
                let count = items.len();
                let sum: f64 = items.map(|item| values.double(item)).sum();
                finite(sum / count as f64)
            }),
            // Of equal ones the first, and the last, as iterators have it: they are equal.
            Aggregate::Min | Aggregate::Max | Aggregate::Count => {
                let best = lists.ranges().map(|items| {
                    let items = items.into_iter();
                    let best = match aggregate {
                        Aggregate::Max => items.max_by(|a, b| values.order(*a, *b)),
                        _ => items.min_by(|a, b| values.order(*a, *b)),
                    };
                    best.map(|item| item as u32)
                });
                return Column::of(items.clone()).gather(&numbers(best));
            }
        };
        Ok(Column::of(array))
    }
}

pub(super) fn item_type(ty: &Type) -> Result<&Type> {
    match ty {
        Type::Array(item) => Ok(item),
        ty => Err(Error::shape(ty)),
    }
}

/// Items of lists by keys that are equal where they are.
pub(super) struct Items(Vec<Rows>);

impl Items {
    pub(super) fn of(lists: &[(&Lists, &Type)]) -> Result<Self> {
        let mut columns = Vec::with_capacity(lists.len());
        for (lists, ty) in lists {
            columns.push(lists.items.flat(item_type(ty)?, lists.total())?);
        }
        let Some(first) = columns.first() else {
            return Ok(Self(Vec::new()));
        };
        let converter = RowConverter::new(vec![SortField::new(first.data_type().clone())])?;
        let rows = columns.iter().map(|column| match column.len() {
            // Of no item there is no type, either.
            0 => Ok(converter.empty_rows(0, 0)),
            _ => Ok(converter.convert_columns(std::slice::from_ref(column))?),
        });
        Ok(Self(rows.collect::<Result<_>>()?))
    }

    pub(super) fn key(&self, list: usize, item: usize) -> &[u8] {
        // The numbers are those of the lists that it was made of.
        self.0.get(list).map_or(&[], |rows| rows.row(item).data())
    }
}

/// Numbers and times in order.
pub(super) enum Numbers<'n> {
    Whole(&'n Int64Array),
    Days(&'n Int32Array),
    Doubles(&'n Float64Array),
}

impl<'n> Numbers<'n> {
    pub(super) fn of(array: &'n ArrayRef) -> Result<Self> {
        let whole = array.as_primitive_opt::<Int64Type>().map(Self::Whole);
        let days = || array.as_primitive_opt::<Int32Type>().map(Self::Days);
        let doubles = || array.as_primitive_opt::<Float64Type>().map(Self::Doubles);
        whole
            .or_else(days)
            .or_else(doubles)
            .ok_or_else(|| Error::lacking("a number"))
    }

    pub(super) fn is_valid(&self, at: usize) -> bool {
        match self {
            Self::Whole(array) => array.is_valid(at),
            Self::Days(array) => array.is_valid(at),
            Self::Doubles(array) => array.is_valid(at),
        }
    }

    pub(super) fn whole(&self, at: usize) -> i64 {
        match self {
            Self::Whole(array) => array.value(at),
            Self::Days(array) => i64::from(array.value(at)),
            Self::Doubles(array) => array.value(at) as i64,
        }
    }

    fn double(&self, at: usize) -> f64 {
        match self {
            Self::Doubles(array) => array.value(at),
            other => other.whole(at) as f64,
        }
    }

    fn order(&self, a: usize, b: usize) -> Ordering {
        match self {
            Self::Doubles(array) => array.value(a).total_cmp(&array.value(b)),
            other => other.whole(a).cmp(&other.whole(b)),
        }
    }
}
