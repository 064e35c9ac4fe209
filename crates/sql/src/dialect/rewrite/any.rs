//! `x = ANY (list)` and `x <> ALL (list)`, as PostgreSQL's clients say `IN` of a list that is one value.

use datafusion::sql::sqlparser::ast::{Expr, Value};

use super::super::error::Error;
use super::super::list_text::list_items;
use super::expr::Place;
use super::{Rewriter, build};

impl Rewriter<'_> {
    /// Whether a value is in a list (`negated`: in no place of it). As in PostgreSQL nothing is in an empty list, not even a
    /// null; and a text is compared as a value of the other's type, as by `=` and unlike `IN` (`operators`).
    pub(super) fn any(
        &mut self,
        value: Expr,
        list: Expr,
        negated: bool,
        place: &mut Place<'_>,
    ) -> Result<Expr, Error> {
        let value = self.expr(value, place)?;
        let found = match items(list)? {
            Ok(items) if items.is_empty() => return Ok(build::boolean(negated)),
            Ok(items) => {
                return Ok(Expr::InList {
                    expr: Box::new(build::call("spark_sought", vec![value])),
                    list: self.all(items, place)?,
                    negated,
                });
            }
            Err(list) => {
                let list = self.expr(list, place)?;
                build::call("spark_any", vec![list, value])
            }
        };
        Ok(match negated {
            true => build::not(found),
            false => found,
        })
    }
}

/// The items of a list that is written down, as `ARRAY[a, b]` or in PostgreSQL's text; or the list itself.
fn items(list: Expr) -> Result<Result<Vec<Expr>, Expr>, Error> {
    Ok(match list {
        Expr::Nested(inner) => items(*inner)?,
        Expr::Array(array) => Ok(array.elem),
        Expr::Value(value) => match &value.value {
            Value::SingleQuotedString(text) => {
                let item = |item: Option<String>| item.map_or_else(build::null, build::text);
                let items = list_items(text).map_err(|error| error.at(value.span))?;
                Ok(items.into_iter().map(item).collect())
            }
            _ => Err(Expr::Value(value)),
        },
        other => Err(other),
    })
}
