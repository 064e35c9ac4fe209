//! Conditions and values of all rows of a chunk.
//!
//! A condition is a bitmap without validity: PQL has two truth values, and only values may be null.

mod arithmetic;
mod chain;
mod contained;
mod lists;
mod occurs;
mod pairs;
mod texts;

use std::collections::HashMap;
use std::sync::Arc;

pub(crate) use texts::Patterns;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Datum, Int32Array, Int64Array, Scalar, UInt32Array,
    new_null_array,
};
use arrow::buffer::{BooleanBuffer, NullBuffer};
use arrow::compute::concat;
use arrow::compute::kernels::{cmp, zip::zip};
use pql::Type;
use pql::typed::{Comparison, Condition, Literal, Term, Test, Value};

use crate::column::{Column, data_type};
use crate::error::{Error, Result};
use crate::frame::Frames;

/// Evaluates the expressions of a job for a chunk of profiles. What several of them ask is worked out once.
pub(crate) struct Evaluator<'a> {
    /// Milliseconds since 1970.
    now: i64,
    frames: Frames,
    /// The events of each profile.
    events: Column,
    /// Who is in the segments that were evaluated before.
    members: &'a HashMap<String, BooleanBuffer>,
    patterns: &'a Patterns,
    /// The list that the only frame within that of the profiles is made of; beyond, nothing is kept.
    source: Option<&'a Value>,
    conditions: HashMap<(Option<&'a Value>, &'a Condition), BooleanBuffer>,
    values: HashMap<(Option<&'a Value>, &'a Value), Column>,
}

impl<'a> Evaluator<'a> {
    pub(crate) fn new(
        now: i64,
        frames: Frames,
        events: Column,
        members: &'a HashMap<String, BooleanBuffer>,
        patterns: &'a Patterns,
    ) -> Self {
        Self {
            now,
            frames,
            events,
            members,
            patterns,
            source: None,
            conditions: HashMap::new(),
            values: HashMap::new(),
        }
    }

    fn rows(&self) -> usize {
        self.frames.rows()
    }

    /// Where a condition holds.
    pub(crate) fn condition(&mut self, condition: &'a Condition) -> Result<BooleanBuffer> {
        let key = (self.source, condition);
        let is_kept = self.frames.depth() < 2;
        if is_kept && let Some(known) = self.conditions.get(&key) {
            return Ok(known.clone());
        }
        let holds = self.test(&condition.test)?;
        if is_kept {
            self.conditions.insert(key, holds.clone());
        }
        Ok(holds)
    }

    fn test(&mut self, test: &'a Test) -> Result<BooleanBuffer> {
        let rows = self.rows();
        let same = |value: bool| match value {
            true => BooleanBuffer::new_set(rows),
            false => BooleanBuffer::new_unset(rows),
        };
        Ok(match test {
            Test::Constant(value) => same(*value),
            Test::And(all) => {
                let mut holds = same(true);
                for condition in all {
                    holds = &holds & &self.condition(condition)?;
                    if holds.count_set_bits() == 0 {
                        break;
                    }
                }
                holds
            }
            Test::Or(all) => {
                let mut holds = same(false);
                for condition in all {
                    holds = &holds | &self.condition(condition)?;
                    if holds.count_set_bits() == rows {
                        break;
                    }
                }
                holds
            }
            Test::Not(condition) => !&self.condition(condition)?,
            Test::Holds(value) => bits(self.flat(value)?.as_boolean()),
            Test::Defined(value) => valid(self.value(value)?.nulls(rows)?, rows),
            Test::NotEmpty(value) => self.not_empty(value)?,
            Test::Compare(comparison, left, right) => self.compare(*comparison, left, right)?,
            Test::In {
                value,
                list,
                negated,
            } => self.is_in(value, list, *negated)?,
            Test::Text {
                test,
                negated,
                value,
                with,
                case_sensitive,
            } => self.text_test(*test, *negated, (value, with), *case_sensitive)?,
            Test::Like(value, pattern) => self.like(value, pattern)?,
            Test::Matches(value, pattern) => self.matches(value, pattern)?,
            Test::Sets(test, left, right) => self.sets(*test, left, right)?,
            Test::Occurs(time, window) => self.occurs(time, window)?,
            Test::Any(source, condition) => self.any(source, condition)?,
            Test::All(source, condition) => self.all(source, condition)?,
            Test::Chain {
                source,
                order,
                steps,
            } => self.chain(source, order.as_ref(), steps)?,
            Test::InSegment(id) => {
                let members = self.members.get(id);
                let members = members.ok_or_else(|| Error::lacking(&format!("segment {id}")))?;
                match self.frames.rows_at(0)? {
                    None => members.clone(),
                    Some(at) => at
                        .values()
                        .iter()
                        .map(|at| members.value(*at as usize))
                        .collect(),
                }
            }
        })
    }

    /// The values of all rows.
    pub(crate) fn value(&mut self, value: &'a Value) -> Result<Column> {
        let key = (self.source, value);
        let is_kept = self.frames.depth() < 2 && is_work(&value.term);
        if is_kept && let Some(known) = self.values.get(&key) {
            return Ok(known.clone());
        }
        let column = self.term(value)?;
        if is_kept {
            self.values.insert(key, column.clone());
        }
        Ok(column)
    }

    fn term(&mut self, value: &'a Value) -> Result<Column> {
        let ty = &value.ty;
        Ok(match &*value.term {
            Term::Constant(literal) => Column::Constant(constant(literal)),
            Term::Timestamp(millis) => Column::Constant(Arc::new(Int64Array::from(vec![*millis]))),
            Term::Day(days) => Column::Constant(Arc::new(Int32Array::from(vec![*days]))),
            Term::Now => Column::Constant(Arc::new(Int64Array::from(vec![self.now]))),
            Term::Profile => self.frames.scope(self.frames.depth())?,
            Term::Events => self.frames.inwards(self.events.clone(), 0)?,
            Term::Scope(level) => self.frames.scope(*level as usize)?,
            Term::Field(object, names) => self.value(object)?.field(names)?,
            Term::Record(members) => {
                let mut columns = Vec::with_capacity(members.len());
                for (name, value) in members {
                    columns.push((name.clone(), self.value(value)?));
                }
                Column::Record(columns, None)
            }
            Term::List(items) => self.list(items, ty)?,
            Term::Filter(source, condition) => self.filter(source, condition)?,
            Term::Each(source, body) => self.each(source, body)?,
            Term::Head(source) => self.head(source)?,
            Term::Top {
                source,
                key,
                count,
                highest,
            } => self.top(source, key, *count, *highest)?,
            Term::Distinct(source) => self.distinct(source)?,
            Term::Intersection(left, right) => self.intersection(left, right)?,
            Term::Aggregate(aggregate, list) => self.aggregate(*aggregate, list, ty)?,
            Term::Get(map, key) => self.get(map, key)?,
            Term::Keys(map) => Column::Lists(self.value(map)?.entries()?.0),
            Term::Values(map) => Column::Lists(self.value(map)?.entries()?.1),
            Term::Arithmetic(arithmetic, left, right) => {
                self.arithmetic(*arithmetic, left, right, ty)?
            }
            Term::Negate(value) => self.negate(value)?,
            Term::If(condition, one, other) => self.either(condition, one, other, ty)?,
            Term::Test(condition) => {
                let holds = BooleanArray::new(self.condition(condition)?, None);
                Column::of(Arc::new(holds))
            }
            Term::RegexGroup(text, pattern, group) => self.regex_group(text, pattern, *group)?,
            Term::Part(part, time) => self.part(*part, time)?,
            Term::Date(year, month, day) => self.date([year, month, day])?,
            Term::Cast(inner) => self.cast(inner, ty)?,
        })
    }

    /// Single values in the array of their type.
    fn flat(&mut self, value: &'a Value) -> Result<ArrayRef> {
        let rows = self.rows();
        self.value(value)?.flat(&value.ty, rows)
    }

    fn compare(
        &mut self,
        comparison: Comparison,
        left: &'a Value,
        right: &'a Value,
    ) -> Result<BooleanBuffer> {
        let rows = self.rows();
        let (one, other) = (self.value(left)?, self.value(right)?);
        let by = |one: &dyn Datum, other: &dyn Datum| match comparison {
            Comparison::Equal => cmp::eq(one, other),
            Comparison::NotEqual => cmp::neq(one, other),
            Comparison::Less => cmp::lt(one, other),
            Comparison::LessOrEqual => cmp::lt_eq(one, other),
            Comparison::Greater => cmp::gt(one, other),
            Comparison::GreaterOrEqual => cmp::gt_eq(one, other),
        };
        if let (Type::String, Column::Constant(text)) = (&left.ty, &other)
            && let Some(holds) = texts::of_dictionary(&one, |values| {
                Ok(bits(&by(&values, &Scalar::new(text.clone()))?))
            })?
        {
            return Ok(holds);
        }
        let holds = match (&one, &other) {
            (Column::Constant(one), Column::Constant(other)) => {
                let holds = bits(&by(one, other)?);
                return Ok(match holds.value(0) {
                    true => BooleanBuffer::new_set(rows),
                    false => BooleanBuffer::new_unset(rows),
                });
            }
            (Column::Constant(one), other) => {
                by(&Scalar::new(one.clone()), &other.flat(&right.ty, rows)?)?
            }
            (one, Column::Constant(other)) => {
                by(&one.flat(&left.ty, rows)?, &Scalar::new(other.clone()))?
            }
            (one, other) => by(&one.flat(&left.ty, rows)?, &other.flat(&right.ty, rows)?)?,
        };
        Ok(bits(&holds))
    }

    fn either(
        &mut self,
        condition: &'a Condition,
        one: &'a Value,
        other: &'a Value,
        ty: &Type,
    ) -> Result<Column> {
        let rows = self.rows();
        let holds = self.condition(condition)?;
        let (one, other) = (self.value(one)?, self.value(other)?);
        if let Ok(wanted) = data_type(ty) {
            let flat = |column: &Column| match column {
                Column::Constant(value) if value.is_null(0) => Ok(new_null_array(&wanted, rows)),
                column => column.flat(ty, rows),
            };
            let mask = BooleanArray::new(holds, None);
            return Ok(Column::of(zip(&mask, &flat(&one)?, &flat(&other)?)?));
        }
        // The rows of one, and behind them those of the other.
        let both = match ty {
            Type::Array(item) => {
                let (one, other) = (one.lists(rows)?, other.lists(rows)?);
                let items = [&one, &other].map(|lists| lists.items.flat(item, lists.total()));
                let [first, second] = items;
                Column::Lists(one.and(&other, concat(&[&*first?, &*second?])?))
            }
            _ => {
                let (one, other) = (one.array(rows)?, other.array(rows)?);
                if one.data_type() != other.data_type() {
                    return Err(Error::refused(format!(
                        "if(…) gives {ty} of one place or of another; ask for a field of each: if(c, a.x, b.x)"
                    )));
                }
                Column::of(concat(&[&*one, &*other])?)
            }
        };
        let place = |row: usize| Some((if holds.value(row) { row } else { rows + row }) as u32);
        both.gather(&numbers((0..rows).map(place)))
    }

    /// Does something about the items of lists.
    fn about<T>(
        &mut self,
        source: &'a Value,
        lists: &crate::column::Lists,
        inner: impl FnOnce(&mut Self) -> Result<T>,
    ) -> Result<T> {
        self.frames.push((*lists.items).clone(), lists.parents());
        let around = self.source;
        if self.frames.depth() == 1 {
            self.source = Some(source);
        }
        let done = inner(self);
        self.frames.pop();
        self.source = around;
        done
    }

    /// Does something about the profiles, whatever is around.
    fn about_profiles<T>(&mut self, work: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        let (inner, around) = (self.frames.leave(), self.source.take());
        let done = work(self);
        self.frames.restore(inner);
        self.source = around;
        done
    }

    fn lists(&mut self, value: &'a Value) -> Result<crate::column::Lists> {
        let rows = self.rows();
        let column = self.value(value)?;
        self.frames.check(column.items(None))?;
        column.lists(rows)
    }
}

/// Whether it is quicker to keep it than to do it again.
fn is_work(term: &Term) -> bool {
    !matches!(
        term,
        Term::Constant(_)
            | Term::Timestamp(_)
            | Term::Day(_)
            | Term::Now
            | Term::Profile
            | Term::Scope(_)
    )
}

fn constant(literal: &Literal) -> ArrayRef {
    match literal {
        Literal::String(text) => Arc::new(arrow::array::StringArray::from(vec![text.as_str()])),
        Literal::Boolean(value) => Arc::new(BooleanArray::from(vec![*value])),
        Literal::Integer(value) => Arc::new(Int64Array::from(vec![*value])),
        Literal::Double(value) => Arc::new(arrow::array::Float64Array::from(vec![*value + 0.0])),
    }
}

/// Where a Boolean is true; null is not.
fn bits(array: &BooleanArray) -> BooleanBuffer {
    match array.nulls() {
        None => array.values().clone(),
        Some(nulls) => array.values() & nulls.inner(),
    }
}

fn valid(nulls: Option<NullBuffer>, rows: usize) -> BooleanBuffer {
    nulls.map_or_else(|| BooleanBuffer::new_set(rows), NullBuffer::into_inner)
}

/// A number of a row for each row: what a gather takes.
fn numbers(all: impl Iterator<Item = Option<u32>>) -> UInt32Array {
    all.collect()
}
