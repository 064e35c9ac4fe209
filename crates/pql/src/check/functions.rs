//! Which rule each function goes by.

use super::coerce::{alike, to_condition, to_double};
use super::{Checker, Fallible, at, boolean, for_attributes, lift};
use crate::error::Problem;
use crate::schema::Type;
use crate::syntax::{Kind, Literal, Node};
use crate::typed::{Arithmetic, Condition, Part, SetTest, Term, Test, Value};
use crate::{Function, Span};

impl Checker<'_> {
    pub(super) fn apply(
        &mut self,
        function: Function,
        arguments: &[Node],
        span: Span,
    ) -> Fallible<Value> {
        match arguments {
            [] => Ok(part(function, Value::new(Term::Now, Type::Timestamp))),
            [only] => self.apply_one(function, only, span),
            [first, second] => self.apply_two(function, first, second, span),
            [first, second, third] if function == Function::If => {
                self.choice(first, second, third, span)
            }
            [first, second, third] if function == Function::Date => {
                self.date(first, second, third, span)
            }
            [first, second, third] if function == Function::RegexGroup => {
                self.regex_group(first, second, third, span)
            }
            [source, key, count] if function == Function::TopN || function == Function::BottomN => {
                self.top(source, key, count, function == Function::TopN)
            }
            arguments => match function {
                Function::And | Function::Or => self.logical(function, arguments, span),
                _ => self.text_test(function, arguments, span),
            },
        }
    }

    fn logical(&mut self, function: Function, nodes: &[Node], span: Span) -> Fallible<Value> {
        let all = self.conditions(nodes)?;
        let test = match function {
            Function::And => Test::And(all),
            _ => Test::Or(all),
        };
        Ok(boolean(Condition::new(test, span)))
    }

    fn apply_one(&mut self, function: Function, node: &Node, span: Span) -> Fallible<Value> {
        match function {
            Function::Not => {
                let inner = self.condition(node)?;
                Ok(boolean(Condition::new(Test::Not(inner), span)))
            }
            Function::Negate => {
                let value = self.value(node)?;
                lift::function(vec![value], span, |operands| {
                    let value = number(operands)?;
                    let ty = value.ty.clone();
                    Ok(Value::new(Term::Negate(value), ty))
                })
            }
            Function::InSegment => match node.kind() {
                Kind::Literal(Literal::String(id)) => {
                    self.segments.push(id.clone());
                    let test = Test::InSegment(id.clone());
                    Ok(boolean(Condition::new(test, span)))
                }
                _ => {
                    let problem = Problem::found("no string", "a segment's ID in quotes");
                    Err(at(node.span(), problem))
                }
            },
            Function::IsNotNull | Function::IsNull => {
                let value = self.value(node)?;
                let there = lift::is_there(value, span);
                Ok(boolean(match function {
                    Function::IsNull => lift::opposite(there),
                    _ => there,
                }))
            }
            Function::GetMonth | Function::GetYear | Function::GetDayOfMonth => {
                let value = self.value(node)?;
                lift::function(vec![value], node.span(), |operands| {
                    let time = super::times::time(operands.into_iter().next())?;
                    Ok(part(function, time))
                })
            }
            Function::Keys | Function::Values => self.map_items(function, node),
            Function::Distinct => self.distinct(node),
            Function::Head => self.head(node),
            Function::Count => self.count(node),
            _ => self.aggregate(function, node, None),
        }
    }

    fn apply_two(
        &mut self,
        function: Function,
        first: &Node,
        second: &Node,
        span: Span,
    ) -> Fallible<Value> {
        if let Some(comparison) = function.comparison() {
            return self.compare(comparison, first, second, span);
        }
        match function {
            Function::And | Function::Or => {
                let all = vec![self.condition(first)?, self.condition(second)?];
                let test = match function {
                    Function::And => Test::And(all),
                    _ => Test::Or(all),
                };
                Ok(boolean(Condition::new(test, span)))
            }
            Function::Add => self.arithmetic(Arithmetic::Add, first, second, span),
            Function::Subtract => self.arithmetic(Arithmetic::Subtract, first, second, span),
            Function::Multiply => self.arithmetic(Arithmetic::Multiply, first, second, span),
            Function::Divide => self.arithmetic(Arithmetic::Divide, first, second, span),
            Function::Remainder => self.arithmetic(Arithmetic::Remainder, first, second, span),
            Function::In => self.member(first, second, false, span),
            Function::NotIn => self.member(first, second, true, span),
            Function::Includes => self.includes(first, second, span),
            Function::Like => self.like(first, second, span),
            Function::Matches => self.matches(first, second, span),
            Function::Intersects => self.sets(SetTest::Intersects, (first, second), span),
            Function::SubsetOf => self.sets(SetTest::SubsetOf, (first, second), span),
            Function::SupersetOf => self.sets(SetTest::SupersetOf, (first, second), span),
            Function::Intersection => self.intersection((first, second)),
            Function::Get => self.get(first, second, span),
            Function::Filter => self.filter(first, second),
            Function::Exists => self.exists(first, second, span),
            Function::Sum | Function::Average | Function::Min | Function::Max => {
                self.aggregate(function, first, Some(second))
            }
            Function::GroupBy | Function::Map | Function::MapEntry => {
                Err(for_attributes(span, function.name()))
            }
            _ => self.text_test(function, &[first.clone(), second.clone()], span),
        }
    }

    /// `a.includes(v)`, which needs an array.
    fn includes(&mut self, list: &Node, value: &Node, span: Span) -> Fallible<Value> {
        self.array(list)?;
        self.member(value, list, false, span)
    }

    fn arithmetic(
        &mut self,
        arithmetic: Arithmetic,
        left: &Node,
        right: &Node,
        span: Span,
    ) -> Fallible<Value> {
        let operands = vec![self.value(left)?, self.value(right)?];
        lift::function(operands, span, |operands| {
            let mut operands = operands.into_iter();
            let (Some(left), Some(right)) = (operands.next(), operands.next()) else {
                return Err(Problem::too_large());
            };
            let left = number(vec![left])?;
            let (left, right) = alike(left, right)?;
            number(vec![right.clone()])?;
            let (left, right) = match arithmetic {
                Arithmetic::Divide => (to_double(left), to_double(right)),
                _ => (left, right),
            };
            let ty = left.ty.clone();
            Ok(Value::new(Term::Arithmetic(arithmetic, left, right), ty))
        })
    }

    /// `if(c, a, b)`.
    fn choice(&mut self, test: &Node, one: &Node, other: &Node, span: Span) -> Fallible<Value> {
        let test = self.condition(test)?;
        let one = self.value(one)?;
        let other_value = self.value(other)?;
        if one.ty == other_value.ty {
            let ty = one.ty.clone();
            return Ok(Value::new(Term::If(test, one, other_value), ty));
        }
        let (one, other) = alike(one, other_value).map_err(|problem| at(other.span(), problem))?;
        if one.ty != other.ty {
            let problem = Problem::types(other.ty.to_string(), one.ty.to_string());
            return Err(at(span, problem));
        }
        let ty = one.ty.clone();
        Ok(Value::new(Term::If(test, one, other), ty))
    }

    /// A value as a condition, of a node that has been checked.
    pub(super) fn checked_condition(&self, value: Value, span: Span) -> Condition {
        to_condition(value, span)
    }
}

fn number(operands: Vec<Value>) -> Result<Value, Problem> {
    match operands.into_iter().next() {
        Some(value) if value.ty.is_number() => Ok(value),
        Some(value) => Err(Problem::types(value.ty.to_string(), "a number")),
        None => Err(Problem::types("nothing", "a number")),
    }
}

fn part(function: Function, time: Value) -> Value {
    let part = match function {
        Function::GetMonth | Function::CurrentMonth => Part::Month,
        Function::GetDayOfMonth | Function::CurrentDayOfMonth => Part::DayOfMonth,
        _ => Part::Year,
    };
    Value::new(Term::Part(part, time), Type::Integer)
}
