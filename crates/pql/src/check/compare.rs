//! Comparisons, and what is in arrays.

use super::coerce::{alike, to_double, to_type};
use super::lift::{self, as_list};
use super::{Checker, Fallible, at};
use crate::error::Problem;
use crate::schema::Type;
use crate::syntax::{Comparison, Node};
use crate::typed::{Condition, Moment, SetTest, Term, Test, Value, Window};
use crate::{Function, Span};

impl Checker<'_> {
    pub(super) fn compare(
        &mut self,
        comparison: Comparison,
        left: &Node,
        right: &Node,
        span: Span,
    ) -> Fallible<Value> {
        let operands = vec![(self.value(left)?, true), (self.value(right)?, true)];
        lift::test(operands, span, |operands| match pair(operands) {
            Some((left, right)) => compared(comparison, left, right, span),
            None => Ok(Test::Constant(false)),
        })
    }

    /// `v in a`, and `a.includes(v)`.
    pub(super) fn member(
        &mut self,
        value: &Node,
        list: &Node,
        negated: bool,
        span: Span,
    ) -> Fallible<Value> {
        let value = self.value(value)?;
        let list = as_list(self.value(list)?);
        lift::test(
            vec![(value, true), (list, false)],
            span,
            |operands| match pair(operands) {
                Some((value, list)) => {
                    let (value, list) = items_alike(value, list)?;
                    Ok(Test::In {
                        value,
                        list,
                        negated,
                    })
                }
                None => Ok(Test::Constant(false)),
            },
        )
    }

    pub(super) fn sets(
        &mut self,
        test: SetTest,
        nodes: (&Node, &Node),
        span: Span,
    ) -> Fallible<Value> {
        let (left, right) = self.two_arrays(nodes)?;
        let condition = Condition::new(Test::Sets(test, left, right), span);
        Ok(super::boolean(condition))
    }

    pub(super) fn intersection(&mut self, nodes: (&Node, &Node)) -> Fallible<Value> {
        let (left, right) = self.two_arrays(nodes)?;
        let ty = left.ty.clone();
        Ok(Value::new(Term::Intersection(left, right), ty))
    }

    /// An array and another one of its type; for the second, a single value does.
    fn two_arrays(&mut self, (left, right): (&Node, &Node)) -> Fallible<(Value, Value)> {
        let first = self.array(left)?;
        let second = as_list(self.value(right)?);
        let Type::Array(item) = &first.ty else {
            return Ok((first, second));
        };
        scalar(item).map_err(|problem| at(left.span(), problem))?;
        let item = (**item).clone();
        let second = items_as(second, &item).map_err(|problem| at(right.span(), problem))?;
        // Doubles on one side make Doubles of the other.
        match (&second.ty, &item) {
            (Type::Array(other), Type::Integer) if **other == Type::Double => {
                let first = items_as(first, &Type::Double);
                Ok((first.map_err(|problem| at(left.span(), problem))?, second))
            }
            _ => Ok((first, second)),
        }
    }

    /// The items of an array, each once.
    pub(super) fn distinct(&mut self, node: &Node) -> Fallible<Value> {
        let list = self.array(node)?;
        if let Type::Array(item) = &list.ty {
            scalar(item).map_err(|problem| at(node.span(), problem))?;
        }
        let ty = list.ty.clone();
        Ok(Value::new(Term::Distinct(list), ty))
    }
}

fn pair(operands: Vec<Value>) -> Option<(Value, Value)> {
    let mut operands = operands.into_iter();
    Some((operands.next()?, operands.next()?))
}

/// What can be held against others: neither an object nor a map.
fn scalar(ty: &Type) -> Result<(), Problem> {
    match ty {
        Type::Object(_) | Type::Map(_) | Type::Array(_) => {
            Err(Problem::types(ty.to_string(), "a single value"))
        }
        _ => Ok(()),
    }
}

fn compared(
    comparison: Comparison,
    left: Value,
    right: Value,
    span: Span,
) -> Result<Test, Problem> {
    let equality = matches!(comparison, Comparison::Equal | Comparison::NotEqual);
    if let (Type::Object(_), Type::Object(_)) = (&left.ty, &right.ty) {
        return match (equality, id_of(left), id_of(right)) {
            (true, Some(left), Some(right)) => Ok(Test::Compare(comparison, left, right)),
            _ => Err(Problem::types(
                "two objects",
                "single values, or = and != of objects with an _id",
            )),
        };
    }
    scalar(&left.ty)?;
    scalar(&right.ty)?;
    if !equality && (left.ty.is_time() || right.ty.is_time()) {
        return Err(Problem::found(
            format!("{:?} of times", comparison.symbol()),
            "occurs, as in \"x occurs before y\",",
        ));
    }
    // A moment is equal to a day if it is within it.
    if let (Type::Timestamp, Type::Date) = (&left.ty, &right.ty) {
        return Ok(on_day(comparison, left, right, span));
    }
    let (left, right) = alike(left, right)?;
    if let (Type::Timestamp, Type::Date) = (&left.ty, &right.ty) {
        return Ok(on_day(comparison, left, right, span));
    }
    if !equality && !left.ty.is_number() {
        return Err(Problem::types(
            left.ty.to_string(),
            format!("a number before {:?}", comparison.symbol()),
        ));
    }
    Ok(Test::Compare(comparison, left, right))
}

fn on_day(comparison: Comparison, time: Value, day: Value, span: Span) -> Test {
    let window = Window::On(Moment::Time(day.clone()));
    let within = Test::Occurs(time.clone(), window);
    match comparison {
        Comparison::NotEqual => Test::And(vec![
            lift::is_there(time, span),
            lift::is_there(day, span),
            lift::opposite(Condition::new(within, span)),
        ]),
        _ => within,
    }
}

fn id_of(object: Value) -> Option<Value> {
    let Type::Object(fields) = &object.ty else {
        return None;
    };
    let ty = fields.get("_id").filter(|ty| **ty == Type::String)?.clone();
    let term = match *object.term {
        Term::Field(root, mut path) => {
            path.push("_id".to_owned());
            Term::Field(root, path)
        }
        term => Term::Field(Value::new(term, object.ty), vec!["_id".to_owned()]),
    };
    Some(Value::new(term, ty))
}

/// A value and an array whose items are of its type.
fn items_alike(value: Value, list: Value) -> Result<(Value, Value), Problem> {
    scalar(&value.ty)?;
    let list = items_as(list, &value.ty)?;
    match (&value.ty, &list.ty) {
        (Type::Integer, Type::Array(item)) if **item == Type::Double => {
            Ok((to_double(value), list))
        }
        _ => Ok((value, list)),
    }
}

/// An array with items of a type; where an Integer is wanted and there are Doubles, they stay.
fn items_as(list: Value, ty: &Type) -> Result<Value, Problem> {
    let Value { term, ty: list_ty } = list;
    match *term {
        Term::List(items) => {
            let mut coerced = Vec::with_capacity(items.len());
            for item in items {
                coerced.push(item_as(item, ty)?);
            }
            let mut ty = ty.clone();
            if ty == Type::Integer && coerced.iter().any(|item| item.ty == Type::Double) {
                ty = Type::Double;
                coerced = coerced.into_iter().map(to_double).collect();
            }
            Ok(Value::new(Term::List(coerced), Type::array_of(ty)))
        }
        term => {
            let list = Value::new(term, list_ty);
            let Type::Array(item) = &list.ty else {
                return Err(Problem::types(list.ty.to_string(), "an array"));
            };
            if **item == *ty || (*ty == Type::Integer && **item == Type::Double) {
                return Ok(list);
            }
            lift::each(list, |item| item_as(item, ty))
        }
    }
}

fn item_as(item: Value, ty: &Type) -> Result<Value, Problem> {
    match (&item.ty, ty) {
        (Type::Double, Type::Integer) => Ok(item),
        _ => {
            let item = to_type(item, ty)?;
            // A text may be a day where a moment is wanted; being within it is no equality.
            if (&item.ty, ty) == (&Type::Date, &Type::Timestamp) {
                return Err(Problem::types("a day", "a Timestamp, with its time of day"));
            }
            Ok(item)
        }
    }
}

impl Function {
    pub(super) fn comparison(self) -> Option<Comparison> {
        match self {
            Self::Equal => Some(Comparison::Equal),
            Self::NotEqual => Some(Comparison::NotEqual),
            Self::Less => Some(Comparison::Less),
            Self::LessOrEqual => Some(Comparison::LessOrEqual),
            Self::Greater => Some(Comparison::Greater),
            Self::GreaterOrEqual => Some(Comparison::GreaterOrEqual),
            _ => None,
        }
    }
}
