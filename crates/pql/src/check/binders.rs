//! Binders: `select`, `exists`, `forall`, `sum … over`, `let`, CHAIN.

use super::arrays::{aggregated, item_type};
use super::lift::{any, both, each_of, is_there};
use super::{Checker, Fallible, Let, MAX_LET_DEPTH, Scope, at, boolean};
use crate::error::Problem;
use crate::schema::Type;
use crate::syntax::{Comparison, Literal, Name, Node, Quantifier, Range};
use crate::typed::{self, Aggregate, Condition, Step, Term, Test, Value, Window, weigh};
use crate::{Function, Span};

impl Checker<'_> {
    pub(super) fn quantified(
        &mut self,
        quantifier: Quantifier,
        ranges: &[Range],
        span: Span,
    ) -> Fallible<Value> {
        match quantifier {
            Quantifier::Forall => Ok(boolean(self.all(ranges, span)?)),
            Quantifier::Exists => {
                let list = self.select(ranges)?;
                let mut condition = self.checked_condition(list, span);
                condition.span = span;
                Ok(boolean(condition))
            }
            Quantifier::Select => self.select(ranges),
        }
    }

    fn select(&mut self, ranges: &[Range]) -> Fallible<Value> {
        match ranges {
            [only] => self.range(only),
            _ => {
                let names: Vec<&str> = ranges.iter().map(|r| r.variable.text.as_str()).collect();
                self.nested(ranges, &mut |checker| Ok(checker.record(&names)))
            }
        }
    }

    /// The items of a range that meet its condition.
    fn range(&mut self, range: &Range) -> Fallible<Value> {
        let source = self.array(&range.source)?;
        let Some(condition) = &range.condition else {
            return Ok(source);
        };
        let condition = self.as_variable(range, &source, |checker| checker.condition(condition))?;
        let ty = source.ty.clone();
        Ok(Value::new(Term::Filter(source, condition), ty))
    }

    fn as_variable<T>(
        &mut self,
        range: &Range,
        source: &Value,
        inner: impl FnOnce(&mut Self) -> Fallible<T>,
    ) -> Fallible<T> {
        let scope = Scope::Variable(range.variable.text.clone(), item_type(source));
        self.within(scope, inner)
    }

    /// A value for all that the ranges take, within all their variables.
    fn nested(
        &mut self,
        ranges: &[Range],
        body: &mut dyn FnMut(&mut Self) -> Fallible<Value>,
    ) -> Fallible<Value> {
        let Some((range, rest)) = ranges.split_first() else {
            return body(self);
        };
        let source = self.range(range)?;
        let body = self.as_variable(range, &source, |checker| checker.nested(rest, body))?;
        Ok(each_of(source, body))
    }

    /// The variables as an object; the last one is the innermost.
    fn record(&self, names: &[&str]) -> Value {
        let mut members = Vec::new();
        let inner = self.scopes.iter().rev().filter_map(|scope| match scope {
            Scope::Variable(_, ty) => Some(ty),
            Scope::Item(_) | Scope::Let(_) => None,
        });
        for ((level, name), ty) in (0..).zip(names.iter().rev()).zip(inner) {
            let value = Value::new(Term::Scope(level), ty.clone());
            members.push(((*name).to_owned(), value));
        }
        members.reverse();
        let types = members.iter().map(|(name, v)| (name.clone(), v.ty.clone()));
        let ty = Type::object_of(types);
        Value::new(Term::Record(members), ty)
    }

    /// Each item meets its own condition, and for it all the ranges further inside hold.
    fn all(&mut self, ranges: &[Range], span: Span) -> Fallible<Condition> {
        let Some((range, rest)) = ranges.split_first() else {
            return Ok(Condition::new(Test::Constant(true), span));
        };
        let source = self.array(&range.source)?;
        let condition = self.as_variable(range, &source, |checker| {
            let inner = checker.all(rest, span)?;
            Ok(match &range.condition {
                Some(own) => both(checker.condition(own)?, inner),
                None => inner,
            })
        })?;
        Ok(match *condition.test {
            Test::Constant(true) => condition,
            _ => Condition::new(Test::All(source, condition), span),
        })
    }

    /// `sum E over V from …`.
    pub(super) fn over(
        &mut self,
        function: Function,
        value: &Node,
        ranges: &[Range],
    ) -> Fallible<Value> {
        let list = self.nested(ranges, &mut |checker| checker.value(value))?;
        aggregated(function, list, value.span())
    }

    /// `let S = (…) in (…)`: what it stands for takes the place of the variable.
    pub(super) fn binding(&mut self, name: &Name, value: &Node, body: &Node) -> Fallible<Value> {
        let span = value.span();
        let value = self.value(value)?;
        let (parts, levels) = weigh(&value);
        if levels > MAX_LET_DEPTH {
            return Err(at(span, Problem::too_deep()));
        }
        let scope = Scope::Let(Box::new(Let {
            name: name.text.clone(),
            depth: self.depth(),
            value,
            parts,
        }));
        self.within(scope, |checker| checker.value(body))
    }

    pub(super) fn chain(
        &mut self,
        source: &Node,
        order: &Node,
        steps: &[crate::syntax::Step],
        span: Span,
    ) -> Fallible<Value> {
        let source = self.array(source)?;
        let by_time = is_timestamp_of_events(&source, order);
        let order_span = order.span();
        let order = self.about_items(&source, |checker| {
            let order = checker.value(order)?;
            super::times::time(Some(order)).map_err(|problem| at(order_span, problem))
        })?;
        let mut checked = Vec::with_capacity(steps.len());
        for step in steps {
            let mut step = self.about_items(&source, |checker| checker.step(step, &order))?;
            if !by_time {
                let there = is_there(order.clone(), order_span);
                step.condition = both(there, step.condition);
            }
            checked.push(step);
        }
        let condition = match (checked.pop(), checked.is_empty()) {
            (Some(only), true) => single(source, only, span),
            (last, _) => {
                checked.extend(last);
                let chain = Test::Chain {
                    source,
                    order: (!by_time).then_some(order),
                    steps: checked,
                };
                Condition::new(chain, span)
            }
        };
        Ok(boolean(condition))
    }

    fn step(&mut self, step: &crate::syntax::Step, order: &Value) -> Fallible<Step> {
        let mut condition = self.condition(&step.what)?;
        if let Some(more) = &step.condition {
            let more = self.condition(more)?;
            condition = both(condition, more);
        }
        if let Some(window) = &step.window {
            let span = step.label.span;
            let when = self.window(order.clone(), window, span)?;
            condition = both(condition, self.checked_condition(when, span));
        }
        let count = match &step.count {
            None => 1,
            Some(node) => match super::integer_of(node).and_then(|n| u64::try_from(n).ok()) {
                Some(count) if count > 0 => count,
                _ => {
                    let problem = Problem::found(
                        "another COUNT",
                        "the least number of times, in digits, from 1 on,",
                    );
                    return Err(at(node.span(), problem));
                }
            },
        };
        Ok(Step { condition, count })
    }
}

/// A chain of one step needs no order.
fn single(source: Value, step: Step, span: Span) -> Condition {
    let mut condition = if step.count == 1 {
        any(source, step.condition)
    } else {
        let ty = source.ty.clone();
        let taken = Value::new(Term::Filter(source, step.condition), ty);
        let count = Value::new(Term::Aggregate(Aggregate::Count, taken), Type::Integer);
        let least = i64::try_from(step.count).unwrap_or(i64::MAX);
        let least = super::constant(Literal::Integer(least));
        Condition::new(
            Test::Compare(Comparison::GreaterOrEqual, count, least),
            span,
        )
    };
    condition.span = span;
    condition
}

/// Whether the order is what events have anyway, every one of them.
fn is_timestamp_of_events(source: &Value, order: &Node) -> bool {
    let mut events = source;
    while let Term::Filter(inner, _) = &*events.term {
        events = inner;
    }
    matches!(*events.term, Term::Events)
        && matches!(order.kind(), crate::syntax::Kind::Fields(root, names)
            if matches!(root.kind(), crate::syntax::Kind::Root(crate::syntax::Root::Item(0)))
                && names.iter().map(|n| n.text.as_str()).eq(["timestamp"]))
}

/// A window whose time has been checked.
pub(super) fn window_test(time: Value, window: Window) -> typed::Test {
    Test::Occurs(time, window)
}
