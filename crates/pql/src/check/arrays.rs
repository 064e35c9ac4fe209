//! Arrays and maps.

use super::lift::{any, each_of};
use super::{Checker, Fallible, Scope, at, boolean, lift};
use crate::error::Problem;
use crate::schema::Type;
use crate::syntax::Node;
use crate::typed::{Aggregate, Term, Value};
use crate::{Function, Span};

impl Checker<'_> {
    /// Several values as an array of the first one's type.
    pub(super) fn list(&mut self, items: &[Node]) -> Fallible<Value> {
        let mut values = Vec::with_capacity(items.len());
        let mut ty = Type::String;
        for (at_item, node) in items.iter().enumerate() {
            let value = self.value(node)?;
            if let Type::Array(_) | Type::Map(_) | Type::Object(_) = value.ty {
                let problem = Problem::types(value.ty.to_string(), "a single value in an array");
                return Err(at(node.span(), problem));
            }
            if at_item == 0 {
                ty = value.ty.clone();
            }
            let is_number = ty.is_number() && value.ty.is_number();
            if value.ty != ty && !is_number {
                let problem = Problem::types(value.ty.to_string(), format!("{ty}, as before it,"));
                return Err(at(node.span(), problem));
            }
            values.push(value);
        }
        if values.iter().any(|v| v.ty == Type::Double) {
            ty = Type::Double;
            values = values.into_iter().map(super::coerce::to_double).collect();
        }
        Ok(Value::new(Term::List(values), Type::array_of(ty)))
    }

    /// A node that must be an array.
    pub(super) fn array(&mut self, node: &Node) -> Fallible<Value> {
        let value = self.value(node)?;
        match value.ty {
            Type::Array(_) => Ok(value),
            Type::Map(_) => {
                let problem = Problem::types("a map", "an array; a map has .values() and .keys()");
                Err(at(node.span(), problem))
            }
            ty => {
                let problem = Problem::types(ty.to_string(), "an array");
                Err(at(node.span(), problem))
            }
        }
    }

    /// What comes out of a node that is about an array's items.
    pub(super) fn about_items<T>(
        &mut self,
        list: &Value,
        inner: impl FnOnce(&mut Self) -> Fallible<T>,
    ) -> Fallible<T> {
        self.within(Scope::Item(item_type(list)), inner)
    }

    pub(super) fn filter(&mut self, source: &Node, condition: &Node) -> Fallible<Value> {
        let source = self.array(source)?;
        let condition = self.about_items(&source, |checker| checker.condition(condition))?;
        let ty = source.ty.clone();
        Ok(Value::new(Term::Filter(source, condition), ty))
    }

    pub(super) fn exists(
        &mut self,
        source: &Node,
        condition: &Node,
        span: Span,
    ) -> Fallible<Value> {
        let source = self.array(source)?;
        let mut condition = self.about_items(&source, |checker| checker.condition(condition))?;
        condition.span = span;
        Ok(boolean(any(source, condition)))
    }

    pub(super) fn head(&mut self, node: &Node) -> Fallible<Value> {
        let list = self.array(node)?;
        let ty = item_type(&list);
        Ok(Value::new(Term::Head(list), ty))
    }

    pub(super) fn top(
        &mut self,
        source: &Node,
        key: &Node,
        count: &Node,
        highest: bool,
    ) -> Fallible<Value> {
        let source = self.array(source)?;
        let key_value = self.about_items(&source, |checker| checker.value(key))?;
        if !key_value.ty.is_number() && !key_value.ty.is_time() {
            let problem =
                Problem::types(key_value.ty.to_string(), "a number or a time to order by");
            return Err(at(key.span(), problem));
        }
        let Some(count) = super::integer_of(count).and_then(|n| u64::try_from(n).ok()) else {
            let problem = Problem::found("something else", "how many items, in digits,");
            return Err(at(count.span(), problem));
        };
        let ty = source.ty.clone();
        let top = Term::Top {
            source,
            key: key_value,
            count,
            highest,
        };
        Ok(Value::new(top, ty))
    }

    pub(super) fn count(&mut self, node: &Node) -> Fallible<Value> {
        let list = self.array(node)?;
        Ok(Value::new(
            Term::Aggregate(Aggregate::Count, list),
            Type::Integer,
        ))
    }

    /// `a.sum(e)`, `a.sum()`.
    pub(super) fn aggregate(
        &mut self,
        function: Function,
        source: &Node,
        value: Option<&Node>,
    ) -> Fallible<Value> {
        let source_value = self.array(source)?;
        let list = match value {
            None => source_value,
            Some(node) => {
                let body = self.about_items(&source_value, |checker| checker.value(node))?;
                each_of(source_value, body)
            }
        };
        aggregated(function, list, value.unwrap_or(source).span())
    }

    /// `m.get("k")`.
    pub(super) fn get(&mut self, map: &Node, key: &Node, span: Span) -> Fallible<Value> {
        let key_value = self.value(key)?;
        if key_value.ty != Type::String {
            let problem = Problem::types(key_value.ty.to_string(), "a map's key, a String,");
            return Err(at(key.span(), problem));
        }
        let operands = vec![self.value(map)?, key_value];
        lift::function(operands, span, |operands| {
            let mut operands = operands.into_iter();
            match (operands.next(), operands.next()) {
                (Some(map), Some(key)) => {
                    let ty = map_value(&map.ty)?;
                    Ok(Value::new(Term::Get(map, key), ty))
                }
                _ => Err(Problem::too_large()),
            }
        })
    }

    /// `m.keys()`, `m.values()`.
    pub(super) fn map_items(&mut self, function: Function, node: &Node) -> Fallible<Value> {
        let value = self.value(node)?;
        lift::each(value, |map| {
            let ty = map_value(&map.ty)?;
            Ok(match function {
                Function::Keys => Value::new(Term::Keys(map), Type::array_of(Type::String)),
                _ => Value::new(Term::Values(map), Type::array_of(ty)),
            })
        })
        .map_err(|problem| at(node.span(), problem))
    }
}

fn map_value(ty: &Type) -> Result<Type, Problem> {
    match ty {
        Type::Map(value) => Ok((**value).clone()),
        ty => Err(Problem::types(ty.to_string(), "a map")),
    }
}

/// The type of an array's items.
pub(super) fn item_type(list: &Value) -> Type {
    match &list.ty {
        Type::Array(item) => (**item).clone(),
        ty => ty.clone(),
    }
}

/// A sum and the like of an array's items.
pub(super) fn aggregated(function: Function, list: Value, span: Span) -> Fallible<Value> {
    let item = item_type(&list);
    let (aggregate, takes_times) = match function {
        Function::Average => (Aggregate::Average, false),
        Function::Min => (Aggregate::Min, true),
        Function::Max => (Aggregate::Max, true),
        _ => (Aggregate::Sum, false),
    };
    if !(item.is_number() || takes_times && item.is_time()) {
        let problem = Problem::types(item.to_string(), "numbers");
        return Err(at(span, problem));
    }
    let ty = match aggregate {
        Aggregate::Average => Type::Double,
        _ => item,
    };
    Ok(Value::new(Term::Aggregate(aggregate, list), ty))
}
