//! Texts of PostgreSQL's: their escapes, patterns and lists.

use datafusion::sql::sqlparser::ast::{Expr, Value};
use sql::dialect::list_items;

use super::build::text;

/// Texts with escapes are written so that PostgreSQL's parser reads these, too: here all texts have them.
pub(in super::super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(['\'', '"']) {
        let (before, from) = rest.split_at(start);
        out.push_str(before);
        let length = length(from);
        let (quoted, behind) = from.split_at(length);
        if quoted.starts_with('\'') && quoted.contains('\\') {
            out.push('E');
        }
        out.push_str(quoted);
        rest = behind;
    }
    out.push_str(rest);
    out
}

/// Of what begins with a quote, in bytes. Twice the quote is two such texts beside each other, which is all the same.
fn length(text: &str) -> usize {
    let quote = text.chars().next();
    let mut escaped = false;
    for (at, one) in text.char_indices().skip(1) {
        match one {
            _ if escaped => escaped = false,
            '\\' if quote == Some('\'') => escaped = true,
            one if Some(one) == quote => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// Makes the escapes of a pattern backslashes, wherever a part of it is written.
pub(super) fn with_backslashes(pattern: &mut Expr, escape: char) {
    match pattern {
        Expr::BinaryOp { left, right, .. } => {
            with_backslashes(left, escape);
            with_backslashes(right, escape);
        }
        Expr::Nested(inner) | Expr::Cast { expr: inner, .. } => with_backslashes(inner, escape),
        Expr::Value(value) => {
            if let Value::SingleQuotedString(written) | Value::EscapedStringLiteral(written) =
                &mut value.value
            {
                let mut out = String::new();
                let mut characters = written.chars();
                while let Some(one) = characters.next() {
                    match one {
                        one if one == escape => {
                            out.push('\\');
                            out.extend(characters.next());
                        }
                        '\\' => out.push_str("\\\\"),
                        one => out.push(one),
                    }
                }
                *written = out;
            }
        }
        _ => {}
    }
}

/// The items of `'{a,b}'`.
pub(super) fn listed(array: &Expr) -> Option<Vec<Expr>> {
    let value = match array {
        Expr::Value(value) => &value.value,
        Expr::Nested(inner) | Expr::Cast { expr: inner, .. } => return listed(inner),
        _ => return None,
    };
    let (Value::SingleQuotedString(written) | Value::EscapedStringLiteral(written)) = value else {
        return None;
    };
    let items = list_items(written).ok()?;
    let item = |item: Option<String>| {
        item.map_or_else(|| Expr::Value(Value::Null.into()), |item| text(&item))
    };
    Some(items.into_iter().map(item).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_with_escapes_are_marked_and_names_are_not() {
        assert_eq!(
            escaped(r#"SELECT 'a\n', "b\", 'c''d' "#),
            r#"SELECT E'a\n', "b\", 'c''d' "#
        );
        assert_eq!(escaped(r"'a\'b' 'c'"), r"E'a\'b' 'c'");
        assert_eq!(escaped("'open"), "'open");
    }
}
