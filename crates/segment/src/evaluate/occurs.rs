use arrow::array::AsArray;
use arrow::buffer::BooleanBuffer;
use arrow::datatypes::{Int32Type, Int64Type};
use pql::Type;
use pql::typed::{Moment, Side, Value, Window};

use super::Evaluator;
use crate::column::Column;
use crate::error::Result;
use crate::windows::{Bounds, DAY, Span, calendar, day, point};

/// One of all rows, or one of each.
pub(super) enum Each<T> {
    Same(Option<T>),
    Own(Vec<Option<T>>),
}

impl<T: Copy> Each<T> {
    pub(super) fn at(&self, row: usize) -> Option<T> {
        match self {
            Self::Same(one) => *one,
            Self::Own(all) => all.get(row).copied().flatten(),
        }
    }

    fn with<U: Copy, V>(&self, other: &Each<U>, rows: usize, f: impl Fn(T, U) -> V) -> Each<V> {
        match (self, other) {
            (Self::Same(one), Each::Same(other)) => {
                Each::Same((*one).zip(*other).map(|(one, other)| f(one, other)))
            }
            _ => {
                let own = (0..rows).map(|row| Some(f(self.at(row)?, other.at(row)?)));
                Each::Own(own.collect())
            }
        }
    }

    fn map<V>(&self, f: impl Fn(T) -> V) -> Each<V> {
        match self {
            Self::Same(one) => Each::Same((*one).map(f)),
            Self::Own(all) => Each::Own(all.iter().map(|one| (*one).map(&f)).collect()),
        }
    }
}

impl<'a> Evaluator<'a> {
    /// What a window takes, for each row.
    pub(super) fn bounds(&mut self, window: &'a Window) -> Result<Each<Bounds>> {
        let rows = self.rows();
        Ok(match window {
            Window::On(moment) => self.stretch(moment)?.map(Bounds::within),
            Window::Between(from, to) => {
                let (from, to) = (self.stretch(from)?, self.stretch(to)?);
                from.with(&to, rows, |from, to| Bounds::within((from.0, to.1)))
            }
            Window::Beyond(side, moment) => {
                let moment = self.counted_from(moment)?;
                moment.map(|(start, end)| {
                    Bounds::within(match side {
                        Side::Before => (i64::MIN, start),
                        Side::After => (end, i64::MAX),
                    })
                })
            }
            Window::Within {
                comparison,
                count,
                unit,
                side,
                moment,
            } => {
                let moment = self.counted_from(moment)?;
                let count = self.millis(count)?;
                moment.with(&count, rows, |moment, count| {
                    Bounds::far(*comparison, count, *unit, *side, moment)
                })
            }
        })
    }

    pub(super) fn occurs(&mut self, time: &'a Value, window: &'a Window) -> Result<BooleanBuffer> {
        let rows = self.rows();
        let bounds = self.bounds(window)?;
        Ok(match (self.millis(time)?, bounds) {
            (Each::Own(times), Each::Same(Some(bounds))) => times
                .iter()
                .map(|time| time.is_some_and(|time| bounds.takes(time)))
                .collect(),
            (_, Each::Same(None)) => BooleanBuffer::new_unset(rows),
            (times, bounds) => BooleanBuffer::collect_bool(rows, |row| {
                times
                    .at(row)
                    .zip(bounds.at(row))
                    .is_some_and(|(time, bounds)| bounds.takes(time))
            }),
        })
    }

    /// Whole numbers, or moments in milliseconds: days by their first.
    fn millis(&mut self, value: &'a Value) -> Result<Each<i64>> {
        let rows = self.rows();
        let column = self.value(value)?;
        let (count, is_same) = match &column {
            Column::Constant(_) => (1, true),
            _ => (rows, false),
        };
        let array = column.flat(&value.ty, count)?;
        let all: Vec<Option<i64>> = match value.ty {
            Type::Date => {
                let days = array.as_primitive::<Int32Type>().iter();
                days.map(|days| days.map(|days| i64::from(days) * DAY))
                    .collect()
            }
            _ => array.as_primitive::<Int64Type>().iter().collect(),
        };
        Ok(match is_same {
            true => Each::Same(all.first().copied().flatten()),
            false => Each::Own(all),
        })
    }

    /// A day of the evaluation counts from its first millisecond.
    fn counted_from(&mut self, moment: &'a Moment) -> Result<Each<Span>> {
        let stretch = self.stretch(moment)?;
        Ok(match moment {
            Moment::Day(_) => stretch.map(|(start, _)| point(start)),
            _ => stretch,
        })
    }

    fn stretch(&mut self, moment: &'a Moment) -> Result<Each<Span>> {
        Ok(match moment {
            Moment::Now => Each::Same(Some(point(self.now))),
            Moment::Day(offset) => {
                let today = self.now.div_euclid(DAY);
                Each::Same(Some(day(today + i64::from(*offset))))
            }
            Moment::Calendar(offset, unit) => {
                Each::Same(Some(calendar(self.now, i64::from(*offset), *unit)))
            }
            Moment::Time(value) => {
                let is_day = value.ty == Type::Date;
                self.millis(value)?.map(|time| match is_day {
                    true => day(time.div_euclid(DAY)),
                    false => point(time),
                })
            }
        })
    }
}
