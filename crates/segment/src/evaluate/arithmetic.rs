use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Float64Array, Int32Array, Int64Array, StringArray,
};
use arrow::datatypes::{Float64Type, Int64Type};
use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, NaiveTime};
use pql::Type;
use pql::typed::{Arithmetic, Part, Value};

use super::Evaluator;
use super::lists::Numbers;
use crate::column::Column;
use crate::error::{Error, Result};
use crate::windows::{DAY, date_time};

/// The first of January 1970, counted from the first day of the Common Era.
const EPOCH: i32 = 719_163;

impl<'a> Evaluator<'a> {
    pub(super) fn arithmetic(
        &mut self,
        arithmetic: Arithmetic,
        left: &'a Value,
        right: &'a Value,
        ty: &Type,
    ) -> Result<Column> {
        let (left, right) = (self.flat(left)?, self.flat(right)?);
        let array: ArrayRef = match ty {
            Type::Integer => {
                let pairs = left
                    .as_primitive::<Int64Type>()
                    .iter()
                    .zip(right.as_primitive::<Int64Type>());
                let whole = pairs.map(|(a, b)| {
                    let (a, b) = (a?, b?);
                    match arithmetic {
                        Arithmetic::Add => a.checked_add(b),
                        Arithmetic::Subtract => a.checked_sub(b),
                        Arithmetic::Multiply => a.checked_mul(b),
                        Arithmetic::Remainder => a.checked_rem(b),
                        Arithmetic::Divide => a.checked_div(b),
                    }
                });
                Arc::new(whole.collect::<Int64Array>())
            }
            _ => {
                let pairs = left
                    .as_primitive::<Float64Type>()
                    .iter()
                    .zip(right.as_primitive::<Float64Type>());
                let doubles = pairs.map(|(a, b)| {
                    let (a, b) = (a?, b?);
                    let value = match arithmetic {
                        Arithmetic::Add => a + b,
                        Arithmetic::Subtract => a - b,
                        Arithmetic::Multiply => a * b,
                        Arithmetic::Divide => a / b,
                        Arithmetic::Remainder => a % b,
                    };
                    value.is_finite().then_some(value)
                });
                Arc::new(doubles.collect::<Float64Array>())
            }
        };
        Ok(Column::of(array))
    }

    pub(super) fn negate(&mut self, value: &'a Value) -> Result<Column> {
        let values = self.flat(value)?;
        let array: ArrayRef = match values.as_primitive_opt::<Int64Type>() {
            Some(whole) => Arc::new(
                whole
                    .iter()
                    .map(|value| value?.checked_neg())
                    .collect::<Int64Array>(),
            ),
            None => Arc::new(
                values
                    .as_primitive::<Float64Type>()
                    .unary::<_, Float64Type>(|value| -value),
            ),
        };
        Ok(Column::of(array))
    }

    pub(super) fn part(&mut self, part: Part, time: &'a Value) -> Result<Column> {
        let times = self.flat(time)?;
        let values = Numbers::of(&times)?;
        let unit = if time.ty == Type::Date { DAY } else { 1 };
        let parts = (0..times.len()).map(|row| {
            let millis = values
                .is_valid(row)
                .then(|| values.whole(row).saturating_mul(unit))?;
            let day = date_time(millis).date_naive();
            Some(match part {
                Part::Year => i64::from(day.year()),
                Part::Month => i64::from(day.month()),
                Part::DayOfMonth => i64::from(day.day()),
            })
        });
        Ok(Column::of(Arc::new(parts.collect::<Int64Array>())))
    }

    pub(super) fn date(&mut self, [year, month, day]: [&'a Value; 3]) -> Result<Column> {
        let parts = [self.flat(year)?, self.flat(month)?, self.flat(day)?];
        let [years, months, days] = parts
            .each_ref()
            .map(|part| part.as_primitive::<Int64Type>());
        let dates = years
            .iter()
            .zip(months)
            .zip(days)
            .map(|((year, month), day)| {
                let (year, month) = (year?.try_into().ok()?, month?.try_into().ok()?);
                let date = NaiveDate::from_ymd_opt(year, month, day?.try_into().ok()?)?;
                Some(date.num_days_from_ce() - EPOCH)
            });
        Ok(Column::of(Arc::new(dates.collect::<Int32Array>())))
    }

    pub(super) fn cast(&mut self, inner: &'a Value, ty: &Type) -> Result<Column> {
        let values = self.flat(inner)?;
        let texts = || values.as_string::<i32>().iter();
        let whole = || values.as_primitive::<Int64Type>().iter();
        let array: ArrayRef = match (&inner.ty, ty) {
            (Type::Integer, Type::Double) => Arc::new(
                whole()
                    .map(|value| Some(value? as f64))
                    .collect::<Float64Array>(),
            ),
            (Type::Integer, Type::String) => Arc::new(
                whole()
                    .map(|value| Some(value?.to_string()))
                    .collect::<StringArray>(),
            ),
            (Type::Boolean, Type::String) => {
                let values = values.as_boolean().iter();
                Arc::new(
                    values
                        .map(|value| Some(value?.to_string()))
                        .collect::<StringArray>(),
                )
            }
            (Type::String, Type::Integer) => Arc::new(
                texts()
                    .map(|text| text?.trim().parse().ok())
                    .collect::<Int64Array>(),
            ),
            (Type::String, Type::Double) => {
                let parsed = texts().map(|text| {
                    text?
                        .trim()
                        .parse()
                        .ok()
                        .filter(|value: &f64| value.is_finite())
                });
                Arc::new(
                    parsed
                        .map(|value| Some(value? + 0.0))
                        .collect::<Float64Array>(),
                )
            }
            (Type::String, Type::Boolean) => {
                let words = texts().map(|text| match text?.to_ascii_lowercase().as_str() {
                    "true" => Some(true),
                    "false" => Some(false),
                    _ => None,
                });
                Arc::new(words.collect::<BooleanArray>())
            }
            (Type::String, Type::Timestamp) => {
                let times = texts().map(|text| moment_of(text?));
                Arc::new(times.collect::<Int64Array>())
            }
            (Type::String, Type::Date) => {
                let days = texts()
                    .map(|text| Some(text?.parse::<NaiveDate>().ok()?.num_days_from_ce() - EPOCH));
                Arc::new(days.collect::<Int32Array>())
            }
            (Type::Integer, Type::Timestamp) => {
                let times = whole().map(|millis| {
                    DateTime::from_timestamp_millis(millis?).map(|time| time.timestamp_millis())
                });
                Arc::new(times.collect::<Int64Array>())
            }
            (Type::Timestamp, Type::Date) => {
                let days = whole().map(|millis| i32::try_from(millis?.div_euclid(DAY)).ok());
                Arc::new(days.collect::<Int32Array>())
            }
            (from, to) => return Err(Error::refused(format!("{from} can't become {to}"))),
        };
        Ok(Column::of(array))
    }
}

/// A moment, UTC's if no offset is there, or the first one of a day: as in literals.
fn moment_of(text: &str) -> Option<i64> {
    let text = text.trim();
    if let Ok(moment) = DateTime::parse_from_rfc3339(text) {
        return Some(moment.timestamp_millis());
    }
    let moment = NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f").ok();
    let day = || Some(text.parse::<NaiveDate>().ok()?.and_time(NaiveTime::MIN));
    Some(moment.or_else(day)?.and_utc().timestamp_millis())
}
