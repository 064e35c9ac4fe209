//! Types made fit: values as conditions, one side of a comparison as the other's type.

use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime};

use super::{constant, lift};
use crate::Span;
use crate::error::{Problem, shown};
use crate::schema::Type;
use crate::syntax::Literal;
use crate::typed::{Condition, Term, Test, Value};

/// A value where something true or false is wanted: a Boolean by its value, an array or a map if it has an item,
/// everything else if it is there.
pub(super) fn to_condition(value: Value, span: Span) -> Condition {
    let Value { term, ty } = value;
    match (*term, &ty) {
        (Term::Test(condition), _) => condition,
        (Term::Constant(Literal::Boolean(value)), _) => Condition::new(Test::Constant(value), span),
        (Term::Constant(_) | Term::Profile | Term::Record(_), _) => {
            Condition::new(Test::Constant(true), span)
        }
        (term, Type::Boolean) => Condition::new(Test::Holds(Value::new(term, ty)), span),
        (term, Type::Array(_)) => lift::some(Value::new(term, ty), span),
        (term, Type::Map(_)) => Condition::new(Test::NotEmpty(Value::new(term, ty)), span),
        (term, _) => Condition::new(Test::Defined(Value::new(term, ty)), span),
    }
}

/// Two single values of one type, the right one coerced to the left one's; of numbers, both are Doubles if one is.
pub(super) fn alike(left: Value, right: Value) -> Result<(Value, Value), Problem> {
    match (&left.ty, &right.ty) {
        (Type::Integer, Type::Double) => Ok((to_double(left), right)),
        (Type::Double, Type::Integer) => Ok((left, to_double(right))),
        // A text that is a fraction makes Doubles of both.
        (Type::Integer, Type::String) => {
            let right = to_type(right, &Type::Integer)?;
            match right.ty {
                Type::Double => Ok((to_double(left), right)),
                _ => Ok((left, right)),
            }
        }
        _ => {
            let right = to_type(right, &left.ty)?;
            Ok((left, right))
        }
    }
}

pub(super) fn to_double(value: Value) -> Value {
    match (&*value.term, &value.ty) {
        (_, Type::Double) => value,
        (Term::Constant(Literal::Integer(integer)), _) => {
            constant(Literal::Double(*integer as f64))
        }
        _ => cast(value, Type::Double),
    }
}

fn cast(value: Value, ty: Type) -> Value {
    Value::new(Term::Cast(value), ty)
}

/// A single value as a type. A literal that can't be one is a problem, data that can't be is null.
pub(super) fn to_type(value: Value, ty: &Type) -> Result<Value, Problem> {
    if value.ty == *ty {
        return Ok(value);
    }
    if let Term::Constant(literal) = &*value.term {
        return literal_as(literal, ty).ok_or_else(|| {
            let shown = match literal {
                Literal::String(text) => format!("{:?}", shown(text)),
                Literal::Boolean(value) => value.to_string(),
                Literal::Integer(value) => value.to_string(),
                Literal::Double(value) => value.to_string(),
            };
            Problem::types(shown, wanted(ty))
        });
    }
    match (&value.ty, ty) {
        (Type::Integer, Type::Double)
        | (Type::Integer | Type::Boolean, Type::String)
        | (
            Type::String,
            Type::Integer | Type::Double | Type::Boolean | Type::Timestamp | Type::Date,
        )
        | (Type::Integer, Type::Timestamp)
        | (Type::Timestamp, Type::Date) => Ok(cast(value, ty.clone())),
        _ => Err(Problem::types(value.ty.to_string(), wanted(ty))),
    }
}

fn wanted(ty: &Type) -> String {
    match ty {
        Type::Timestamp => {
            "a Timestamp, such as \"2024-02-29T12:00:00Z\" or milliseconds since 1970,".to_owned()
        }
        Type::Date => "a Date, such as \"2024-02-29\"".to_owned(),
        ty => ty.to_string(),
    }
}

fn literal_as(literal: &Literal, ty: &Type) -> Option<Value> {
    let literal = match (literal, ty) {
        (Literal::String(text), Type::Integer) => match text.trim().parse() {
            Ok(value) => Literal::Integer(value),
            Err(_) => Literal::Double(finite(text)?),
        },
        (Literal::String(text), Type::Double) => Literal::Double(finite(text)?),
        (Literal::String(text), Type::Boolean) => match text.to_ascii_lowercase().as_str() {
            "true" => Literal::Boolean(true),
            "false" => Literal::Boolean(false),
            _ => return None,
        },
        (Literal::String(text), Type::Timestamp | Type::Date) => {
            let time = time_of(text)?;
            return match (&time.ty, ty) {
                (Type::Date, Type::Timestamp) | (Type::Timestamp, Type::Timestamp) => Some(time),
                (Type::Date, Type::Date) => Some(time),
                _ => None,
            };
        }
        (Literal::Integer(value), Type::Timestamp) => {
            // Some 262,000 years either way.
            DateTime::from_timestamp_millis(*value)?;
            return Some(Value::new(Term::Timestamp(*value), Type::Timestamp));
        }
        (Literal::Integer(value), Type::Double) => Literal::Double(*value as f64),
        (Literal::Integer(value), Type::String) => Literal::String(value.to_string()),
        (Literal::Double(value), Type::String) => Literal::String(value.to_string()),
        (Literal::Boolean(value), Type::String) => Literal::String(value.to_string()),
        _ => return None,
    };
    Some(constant(literal))
}

fn finite(text: &str) -> Option<f64> {
    text.trim().parse().ok().filter(|v: &f64| v.is_finite())
}

/// A time that is written out: a day, or a moment, which is UTC's if no offset is there.
pub(super) fn time_of(text: &str) -> Option<Value> {
    let text = text.trim();
    if let Ok(day) = NaiveDate::parse_from_str(text, "%Y-%m-%d") {
        return Some(day_value(day));
    }
    if let Ok(moment) = DateTime::parse_from_rfc3339(text) {
        let millis = moment.timestamp_millis();
        return Some(Value::new(Term::Timestamp(millis), Type::Timestamp));
    }
    let moment = NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f").ok()?;
    let millis = moment.and_utc().timestamp_millis();
    Some(Value::new(Term::Timestamp(millis), Type::Timestamp))
}

pub(super) fn day_value(day: NaiveDate) -> Value {
    // The first of January 1970 is day 719,163 of the Common Era.
    let days = day.num_days_from_ce() - 719_163;
    Value::new(Term::Day(days), Type::Date)
}
