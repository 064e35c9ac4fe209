//! Arrays where one value is wanted: a test holds if it holds for an item, a function gives an array of results.

use super::coerce::to_condition;
use super::{at, boolean};
use crate::error::Problem;
use crate::schema::Type;
use crate::span::Span;
use crate::typed::{Condition, Term, Test, Value, shift};

type Built<T> = Result<T, Problem>;

/// An array taken apart: what is gone over, from the outside inwards, and the item in the middle.
struct Opened {
    sources: Vec<Value>,
    item: Value,
}

/// Goes over an array, and over the arrays in it.
fn open(mut value: Value) -> Opened {
    let mut sources = Vec::new();
    while let Type::Array(item) = value.ty {
        match *value.term {
            // What each item gives is known: the item itself is in sight.
            Term::Each(source, body) => {
                sources.push(source);
                value = body;
            }
            term => {
                sources.push(Value::new(term, Type::Array(item.clone())));
                value = Value::new(Term::Scope(0), *item);
            }
        }
    }
    Opened {
        sources,
        item: value,
    }
}

/// A test of single values: for the operands that are arrays (and may be), of any of their items.
///
/// An operand with `false` beside it is taken as it is.
pub(super) fn test(
    operands: Vec<(Value, bool)>,
    span: Span,
    build: impl FnOnce(Vec<Value>) -> Built<Test>,
) -> Result<Value, Box<(Span, Problem)>> {
    let (sources, operands) = open_all(operands);
    let test = build(operands).map_err(|problem| at(span, problem))?;
    let mut condition = Condition::new(test, span);
    for source in sources.into_iter().rev() {
        condition = any(source, condition);
    }
    Ok(boolean(condition))
}

/// A function of single values: with an array for one of them, an array of what it gives.
pub(super) fn function(
    operands: Vec<Value>,
    span: Span,
    build: impl FnOnce(Vec<Value>) -> Built<Value>,
) -> Result<Value, Box<(Span, Problem)>> {
    let arrays = operands.iter().filter(|v| matches!(v.ty, Type::Array(_)));
    if arrays.count() > 1 {
        let problem = Problem::types("two arrays", "an array and a single value");
        return Err(at(span, problem));
    }
    let operands = operands.into_iter().map(|value| (value, true)).collect();
    let (sources, operands) = open_all(operands);
    let value = build(operands).map_err(|problem| at(span, problem))?;
    Ok(wrap(sources, value))
}

/// A value of each item of an array, or of the one value there is.
pub(super) fn each(value: Value, build: impl FnOnce(Value) -> Built<Value>) -> Built<Value> {
    let opened = open(value);
    Ok(wrap(opened.sources, build(opened.item)?))
}

fn wrap(sources: Vec<Value>, mut value: Value) -> Value {
    for source in sources.into_iter().rev() {
        value = each_of(source, value);
    }
    value
}

/// An `Each`, whose items are those of its bodies where they are arrays.
pub(super) fn each_of(source: Value, body: Value) -> Value {
    let ty = match &body.ty {
        Type::Array(_) => body.ty.clone(),
        ty => Type::array_of(ty.clone()),
    };
    Value::new(Term::Each(source, body), ty)
}

fn open_all(operands: Vec<(Value, bool)>) -> (Vec<Value>, Vec<Value>) {
    let mut sources: Vec<Value> = Vec::new();
    let mut done: Vec<Value> = Vec::new();
    for (operand, may_open) in operands {
        // What was opened before it lies around it now.
        let operand = shift(operand, u32::try_from(sources.len()).unwrap_or(u32::MAX));
        if !may_open {
            done.push(operand);
            continue;
        }
        let opened = open(operand);
        let more = u32::try_from(opened.sources.len()).unwrap_or(u32::MAX);
        done = done.into_iter().map(|value| shift(value, more)).collect();
        done.push(opened.item);
        sources.extend(opened.sources);
    }
    (sources, done)
}

/// Whether a condition holds for any item. A filter of the items is a part of the condition.
pub(super) fn any(source: Value, condition: Condition) -> Condition {
    let span = condition.span;
    if let Test::Constant(true) = *condition.test {
        return some(source, span);
    }
    match *source.term {
        Term::Filter(source, filter) => any(source, both(filter, condition)),
        term => {
            let source = Value::new(term, source.ty);
            Condition::new(Test::Any(source, condition), span)
        }
    }
}

/// Whether there is any item.
pub(super) fn some(list: Value, span: Span) -> Condition {
    match *list.term {
        Term::Filter(source, filter) => any(source, filter),
        Term::Each(source, body) => {
            let condition = present(body, span);
            any(source, condition)
        }
        term => Condition::new(Test::NotEmpty(Value::new(term, list.ty)), span),
    }
}

/// Whether a value gives an item.
fn present(value: Value, span: Span) -> Condition {
    match (&*value.term, &value.ty) {
        (_, Type::Array(_)) => some(value, span),
        (Term::Record(_) | Term::Scope(_), _) => Condition::new(Test::Constant(true), span),
        _ => Condition::new(Test::Defined(value), span),
    }
}

/// The conjunction of two conditions, flat.
pub(super) fn both(first: Condition, second: Condition) -> Condition {
    let span = first.span.to(second.span);
    let mut all = Vec::new();
    for condition in [first, second] {
        match *condition.test {
            Test::And(conditions) => all.extend(conditions),
            Test::Constant(true) => {}
            test => all.push(Condition::new(test, condition.span)),
        }
    }
    if all.len() < 2
        && let Some(only) = all.pop()
    {
        return only;
    }
    let test = if all.is_empty() {
        Test::Constant(true)
    } else {
        Test::And(all)
    };
    Condition::new(test, span)
}

/// The items of an array, or the one value as an array.
pub(super) fn as_list(value: Value) -> Value {
    match value.ty {
        Type::Array(_) => value,
        ref ty => {
            let ty = Type::array_of(ty.clone());
            Value::new(Term::List(vec![value]), ty)
        }
    }
}

/// The opposite of a condition.
pub(super) fn opposite(condition: Condition) -> Condition {
    let span = condition.span;
    Condition::new(Test::Not(condition), span)
}

/// Whether a value is there: as a condition, but a Boolean need not be true.
pub(super) fn is_there(value: Value, span: Span) -> Condition {
    match value.ty {
        Type::Boolean => match *value.term {
            Term::Test(_) => Condition::new(Test::Constant(true), span),
            term => Condition::new(Test::Defined(Value::new(term, value.ty)), span),
        },
        _ => to_condition(value, span),
    }
}
