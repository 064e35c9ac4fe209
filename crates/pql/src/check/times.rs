//! `occurs`, `date` and their windows.

use chrono::NaiveDate;

use super::binders::window_test;
use super::coerce::{day_value, time_of, to_type};
use super::{Checker, Fallible, at, integer_of, lift};
use crate::Span;
use crate::error::{Problem, shown};
use crate::schema::Type;
use crate::syntax::{self, Kind, Literal, Node};
use crate::typed::{Moment, Term, Value, Window};

impl Checker<'_> {
    pub(super) fn occurs(
        &mut self,
        time: &Node,
        window: &syntax::Window,
        span: Span,
    ) -> Fallible<Value> {
        let value = self.value(time)?;
        // Told here, where the place is the time's and not the whole condition's.
        lift::each(value.clone(), |item| self::time(Some(item)))
            .map_err(|problem| at(time.span(), problem))?;
        self.window(value, window, span)
    }

    /// Whether a time is in a window; of arrays of times, whether any is.
    pub(super) fn window(
        &mut self,
        value: Value,
        window: &syntax::Window,
        span: Span,
    ) -> Fallible<Value> {
        let mut operands = vec![(value, true)];
        match window {
            syntax::Window::Within { count, moment, .. } => {
                operands.push((self.number_of_units(count)?, false));
                operands.extend(self.moment(moment)?);
            }
            syntax::Window::Beyond(_, moment) | syntax::Window::On(moment) => {
                operands.extend(self.moment(moment)?);
            }
            syntax::Window::Between(from, to) => {
                operands.extend(self.moment(from)?);
                operands.extend(self.moment(to)?);
            }
        }
        lift::test(operands, span, |operands| {
            let mut operands = operands.into_iter();
            let time = self::time(operands.next())?;
            let window = match window {
                syntax::Window::Within {
                    comparison,
                    unit,
                    side,
                    moment,
                    ..
                } => Window::Within {
                    comparison: *comparison,
                    count: operands.next().ok_or_else(Problem::too_large)?,
                    unit: *unit,
                    side: *side,
                    moment: moment_of(moment, &mut operands)?,
                },
                syntax::Window::Beyond(side, moment) => {
                    Window::Beyond(*side, moment_of(moment, &mut operands)?)
                }
                syntax::Window::On(moment) => Window::On(moment_of(moment, &mut operands)?),
                syntax::Window::Between(from, to) => Window::Between(
                    moment_of(from, &mut operands)?,
                    moment_of(to, &mut operands)?,
                ),
            };
            Ok(window_test(time, window))
        })
    }

    fn number_of_units(&mut self, node: &Node) -> Fallible<Value> {
        if integer_of(node).is_some_and(|count| count < 0) {
            let problem = Problem::found("a negative number of units", "one from 0 on");
            return Err(at(node.span(), problem));
        }
        let value = self.value(node)?;
        match value.ty {
            Type::Integer => Ok(value),
            ty => {
                let problem = Problem::types(ty.to_string(), "a whole number of units");
                Err(at(node.span(), problem))
            }
        }
    }

    /// The value that a moment needs, if it needs one.
    fn moment(&mut self, moment: &syntax::Moment) -> Fallible<Option<(Value, bool)>> {
        let syntax::Moment::Time(node) = moment else {
            return Ok(None);
        };
        let value = match node.kind() {
            Kind::Literal(Literal::String(text)) => time_of(text).ok_or_else(|| {
                let problem = Problem::found(
                    format!("{:?}", shown(text)),
                    "a time, such as \"2024-02-29\" or \"2024-02-29T12:00:00Z\",",
                );
                at(node.span(), problem)
            })?,
            _ => self.value(node)?,
        };
        lift::each(value.clone(), |item| time(Some(item)))
            .map_err(|problem| at(node.span(), problem))?;
        Ok(Some((value, true)))
    }

    /// `date(2020, 3, 14)`.
    pub(super) fn date(
        &mut self,
        year: &Node,
        month: &Node,
        day: &Node,
        span: Span,
    ) -> Fallible<Value> {
        if let (Some(y), Some(m), Some(d)) = (integer_of(year), integer_of(month), integer_of(day))
        {
            let date = i32::try_from(y)
                .ok()
                .zip(u32::try_from(m).ok().zip(u32::try_from(d).ok()))
                .and_then(|(y, (m, d))| NaiveDate::from_ymd_opt(y, m, d));
            return date.map(day_value).ok_or_else(|| {
                let problem = Problem::found(
                    format!("date({y}, {m}, {d}), which no calendar has"),
                    "a year, a month and a day of the month",
                );
                at(span, problem)
            });
        }
        let mut parts = Vec::new();
        for node in [year, month, day] {
            let value = self.value(node)?;
            if value.ty != Type::Integer {
                let problem = Problem::types(value.ty.to_string(), "an Integer in date(…)");
                return Err(at(node.span(), problem));
            }
            parts.push(value);
        }
        match <[Value; 3]>::try_from(parts) {
            Ok([year, month, day]) => Ok(Value::new(Term::Date(year, month, day), Type::Date)),
            Err(_) => Err(at(span, Problem::too_large())),
        }
    }
}

/// A value that is a time, or a number of milliseconds.
pub(super) fn time(value: Option<Value>) -> Result<Value, Problem> {
    match value {
        Some(value) if value.ty.is_time() => Ok(value),
        Some(value) if value.ty == Type::Integer => to_type(value, &Type::Timestamp),
        Some(value) => Err(Problem::types(
            value.ty.to_string(),
            "a Timestamp or a Date",
        )),
        None => Err(Problem::types("nothing", "a Timestamp or a Date")),
    }
}

fn moment_of(
    moment: &syntax::Moment,
    operands: &mut impl Iterator<Item = Value>,
) -> Result<Moment, Problem> {
    Ok(match moment {
        syntax::Moment::Now => Moment::Now,
        syntax::Moment::Day(offset) => Moment::Day(*offset),
        syntax::Moment::Calendar(offset, unit) => Moment::Calendar(*offset, *unit),
        syntax::Moment::Time(_) => Moment::Time(time(operands.next())?),
    })
}
