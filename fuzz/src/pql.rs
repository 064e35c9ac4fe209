//! Segment expressions: as text, as JSON, and against a schema.

use pql::{Expression, Fields, Schema, Type};
use serde_json::Value;

/// Reads an expression, and holds its forms against each other.
pub fn check(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    // What begins with a brace is JSON.
    let Ok(expression) = Expression::from_json(&Value::String(text.to_owned())) else {
        return;
    };
    let canonical = expression.to_text();
    // Brackets make a text longer, and a tree near the limits may not fit.
    if let Ok(again) = Expression::parse(&canonical) {
        assert_eq!(again, expression);
        assert_eq!(again.to_text(), canonical);
    } else {
        assert!(canonical.len() > 1000);
    }
    if let Ok(again) = Expression::from_json(&expression.to_json()) {
        assert_eq!(again, expression);
    } else {
        assert!(canonical.len() > 1000);
    }
    if let Ok(checked) = expression.check(&schema()) {
        assert_eq!(checked.clone(), checked);
        let _ = checked.columns();
    }
    let _ = expression.check_value(&schema());
}

/// Some fields of each type, with names short enough to be found.
fn schema() -> Schema {
    let item = Type::object_of([("s", Type::String), ("n", Type::Integer)]);
    let profile = Fields::new([
        ("s", Type::String),
        ("n", Type::Integer),
        ("d", Type::Double),
        ("b", Type::Boolean),
        ("t", Type::Timestamp),
        ("y", Type::Date),
        ("a", Type::array_of(item.clone())),
        ("l", Type::array_of(Type::String)),
        ("m", Type::map_of(item.clone())),
        ("o", item.clone()),
        ("_t", Type::object_of([("x", Type::Integer)])),
    ]);
    let event = Fields::new([
        ("_id", Type::String),
        ("timestamp", Type::Timestamp),
        ("s", Type::String),
        ("a", Type::array_of(item)),
    ]);
    Schema { profile, event }
}
