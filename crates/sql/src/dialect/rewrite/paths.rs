//! Paths: `p.identityMap['ECID'][0].id` as a column and the steps from it.

use datafusion::sql::sqlparser::ast::{AccessExpr, Expr, Ident, Spanned as _, Subscript, Value};

use super::super::error::{Code, Error};
use super::super::scope::{Scope, quoted, same};
use super::expr::Place;
use super::{Rewriter, build};

/// A step of a path.
enum Step {
    Name(Ident),
    Key(Box<Expr>),
}

/// Where a path begins.
enum Root {
    Names(Vec<Ident>),
    Expr(Box<Expr>),
}

/// The name that a column has without an alias, if its expression is a path of names: the last of them.
pub(super) fn last_name(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Identifier(name) => Some(&name.value),
        Expr::CompoundIdentifier(names) => names.last().map(|name| name.value.as_str()),
        Expr::CompoundFieldAccess { root, access_chain } => {
            last_name(root)?;
            let dots = access_chain
                .iter()
                .all(|access| matches!(access, AccessExpr::Dot(Expr::Identifier(_))));
            match access_chain.last() {
                Some(AccessExpr::Dot(Expr::Identifier(name))) if dots => Some(&name.value),
                _ => None,
            }
        }
        Expr::Nested(inner) => last_name(inner),
        _ => None,
    }
}

/// The name that a column has without an alias: of a path its last name, also within a cast; else the expression's
/// text without quotes, as in Spark.
pub(super) fn name(expr: &Expr) -> String {
    let of = match expr {
        Expr::Cast { expr, .. } => last_name(expr),
        other => last_name(other),
    };
    match of {
        Some(name) => name.to_owned(),
        None => expr.to_string().replace('\'', ""),
    }
}

impl Rewriter<'_> {
    /// A path as calls of the function that takes a step.
    pub(super) fn path(&mut self, expr: Expr, place: &mut Place<'_>) -> Result<Expr, Error> {
        let (root, steps) = split(expr)?;
        let (mut base, rest) = match root {
            Root::Expr(expr) => (self.expr(*expr, place)?, Vec::new()),
            Root::Names(names) => resolve(names, place)?,
        };
        for step in rest.into_iter().map(Step::Name).chain(steps) {
            let key = match step {
                Step::Name(name) => build::text(name.value),
                Step::Key(key) => self.expr(*key, place)?,
            };
            base = build::call("spark_get", vec![base, key]);
        }
        Ok(base)
    }
}

/// The root of a path and its steps; names in a row at its beginning are the root.
fn split(expr: Expr) -> Result<(Root, Vec<Step>), Error> {
    match expr {
        Expr::Identifier(name) => Ok((Root::Names(vec![name]), Vec::new())),
        Expr::CompoundIdentifier(names) => Ok((Root::Names(names), Vec::new())),
        Expr::CompoundFieldAccess { root, access_chain } => {
            let (mut root, mut steps) = match *root {
                root @ (Expr::Identifier(_) | Expr::CompoundIdentifier(_)) => split(root)?,
                root => (Root::Expr(Box::new(root)), Vec::new()),
            };
            for access in access_chain {
                match (step(access)?, &mut root) {
                    (Step::Name(name), Root::Names(names)) if steps.is_empty() => names.push(name),
                    (step, _) => steps.push(step),
                }
            }
            Ok((root, steps))
        }
        other => Ok((Root::Expr(Box::new(other)), Vec::new())),
    }
}

fn step(access: AccessExpr) -> Result<Step, Error> {
    match access {
        AccessExpr::Dot(Expr::Identifier(name)) => Ok(Step::Name(name)),
        AccessExpr::Dot(Expr::Value(value)) => match value.value {
            Value::SingleQuotedString(text) => Ok(Step::Name(quoted(&text))),
            other => Err(Error::new(
                Code::Syntax,
                format!(".{other}: a name stands behind a dot"),
            )
            .at(value.span)),
        },
        AccessExpr::Dot(other) => Err(Error::new(
            Code::Syntax,
            format!(".{other}: a name stands behind a dot"),
        )
        .at(other.span())),
        AccessExpr::Subscript(Subscript::Index { index }) => Ok(Step::Key(Box::new(index))),
        AccessExpr::Subscript(Subscript::Slice { .. }) => Err(Error::unsupported(
            "A slice [a:b] (slice(list, start, length) is the function)",
        )),
    }
}

/// What the first names mean, and the names behind: a lambda's parameter, a column, an alias of the same SELECT,
/// a column of a SELECT around it, in this order.
fn resolve(names: Vec<Ident>, place: &mut Place<'_>) -> Result<(Expr, Vec<Ident>), Error> {
    let Some(first) = names.first() else {
        return Err(Error::new(Code::System, "a path without a name"));
    };
    let behind = |parts: usize| names.iter().skip(parts).cloned().collect::<Vec<_>>();
    if let Some((_, internal)) = place
        .parameters
        .iter()
        .rev()
        .find(|(name, _)| same(name, &first.value))
    {
        return Ok((Expr::Identifier(quoted(internal)), behind(1)));
    }
    if place.aliases_first
        && let Some(expr) = place.alias(&first.value)
    {
        return Ok((expr, behind(1)));
    }
    if let Some(found) = place.scope.own(&names)? {
        return Ok((found.relation.reference(found.column), behind(found.parts)));
    }
    if let Some(expr) = place.alias(&first.value) {
        return Ok((expr, behind(1)));
    }
    let mut around = place.scope.outer;
    while let Some(scope) = around {
        if let Some(found) = scope.own(&names)? {
            return Ok((found.relation.reference(found.column), behind(found.parts)));
        }
        around = scope.outer;
    }
    // "commerce.order.priceTotal", as the columns of a flattened database are called.
    if first.quote_style.is_some() && first.value.contains('.') {
        let mut parts: Vec<Ident> = first.value.split('.').map(quoted).collect();
        parts.extend(behind(1));
        if let Some(found) = place.scope.own(&parts)? {
            let rest = parts.iter().skip(found.parts).cloned().collect();
            return Ok((found.relation.reference(found.column), rest));
        }
    }
    Err(unknown(&names, first, place.scope))
}

fn unknown(names: &[Ident], first: &Ident, scope: &Scope<'_>) -> Error {
    let written: Vec<_> = names.iter().map(|name| name.value.as_str()).collect();
    let mut columns: Vec<_> = scope.all_names().collect();
    columns.sort_unstable();
    columns.dedup();
    let there = match columns.as_slice() {
        [] => "nothing stands in FROM".to_owned(),
        some if some.len() > 40 => format!(
            "{} and {} more are there",
            some[..40].join(", "),
            some.len() - 40
        ),
        some => format!("{} are there", some.join(", ")),
    };
    Error::new(
        Code::UndefinedColumn,
        format!("there is no column {}: {there}", written.join(".")),
    )
    .at(first.span)
}
