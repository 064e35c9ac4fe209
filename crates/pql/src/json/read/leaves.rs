use serde_json::Value;

use super::{Fallible, Members, Reader, describe, node};
use crate::MAX_DEPTH;
use crate::error::Problem;
use crate::syntax::{Kind, Literal, Node, Root};

impl Reader {
    pub(super) fn literal(&mut self, members: &Members) -> Fallible<Node> {
        let wanted = match members.get("literalType") {
            None | Some(Value::Null) => String::new(),
            Some(value) => self.string(value)?.to_lowercase(),
        };
        if wanted == "xdmobject" {
            return match members.get("value").and_then(Value::as_str) {
                Some("profile") => Ok(node(Kind::Root(Root::Profile))),
                _ => Err(self.found("another XDMObject", "\"profile\"")),
            };
        }
        if members.get("value").is_none_or(Value::is_null) {
            return Err(self.error(Problem::refused(
                "found a literal of null",
                "PQL has no null; apply isNull or isNotNull",
            )));
        }
        self.member(members, "value", |reader, value| match value {
            Value::Array(_) if wanted.is_empty() || wanted == "list" || wanted == "array" => {
                let items = reader.array(value, |reader, value| reader.scalar("", value))?;
                Ok(node(Kind::List(items)))
            }
            value => reader.scalar(&wanted, value),
        })
    }

    /// A value of a literal type, taken loosely: integers come as strings, too.
    pub(super) fn scalar(&self, wanted: &str, value: &Value) -> Fallible<Node> {
        let text = |value: &Value| match value {
            Value::String(text) => Some(text.clone()),
            Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
            _ => None,
        };
        let double = |value: &Value| match value {
            Value::String(text) => text.parse().ok().filter(|v: &f64| v.is_finite()),
            value => value.as_f64(),
        };
        let literal = match (wanted, value) {
            ("", Value::String(text)) => Some(Literal::String(text.clone())),
            ("", Value::Bool(value)) => Some(Literal::Boolean(*value)),
            ("", Value::Number(number)) => match number.as_i64() {
                Some(value) => Some(Literal::Integer(value)),
                None if number.is_f64() => number.as_f64().map(Literal::Double),
                None => None,
            },
            ("string" | "date" | "datetime" | "timestamp", value) => {
                text(value).map(Literal::String)
            }
            ("boolean" | "bool", Value::Bool(value)) => Some(Literal::Boolean(*value)),
            ("boolean" | "bool", Value::String(text)) => text.parse().ok().map(Literal::Boolean),
            ("integer" | "int" | "long" | "short" | "byte", value) => {
                loose_integer(value).map(Literal::Integer)
            }
            ("double" | "float" | "number" | "decimal", value) => {
                double(value).map(Literal::Double)
            }
            _ => None,
        };
        match literal {
            Some(literal) => Ok(node(Kind::Literal(literal))),
            None if wanted.is_empty() => {
                Err(self.found(describe(value), "a string, a Boolean or a number"))
            }
            None => Err(self.found(
                format!("{} as a literal of type {wanted:?}", describe(value)),
                "a String, a Boolean, an Integer, a Double or a List",
            )),
        }
    }

    pub(super) fn parameter(&mut self, members: &Members) -> Fallible<Node> {
        match members.get("position").and_then(loose_integer) {
            Some(1) => Ok(node(Kind::Root(Root::Profile))),
            _ => Err(self.found(
                "a parameterReference to something else",
                "position 1, the profile,",
            )),
        }
    }

    pub(super) fn item(&mut self, members: &Members) -> Fallible<Node> {
        let level = members.get("level").and_then(loose_integer);
        match level.and_then(|level| u32::try_from(level).ok()) {
            Some(level) if level <= MAX_DEPTH => Ok(node(Kind::Root(Root::Item(level)))),
            _ => Err(self.found(
                "an itemReference of no level",
                "a level: 0 for the item itself, 1 for the one around it,",
            )),
        }
    }
}

fn loose_integer(value: &Value) -> Option<i64> {
    match value {
        Value::String(text) => text.trim().parse().ok(),
        value => value.as_i64(),
    }
}
