//! A statement of PostgreSQL's as one that DataFusion plans.
//!
//! | PostgreSQL | DataFusion |
//! |---|---|
//! | `pg_catalog.f(x)`, `x OPERATOR(pg_catalog.~) y` | `f(x)`, `x ~ y` |
//! | `x COLLATE c` | `x`: there is one collation |
//! | `'t'::regclass`, `'int4'::regtype` | the number of the table, of the type |
//! | `x::regclass`, `x::regtype` | their names |
//! | `x::oid`, `x::name`, `x::"char"` | casts to numbers, to texts |
//! | `ARRAY(SELECT x …)` | `(SELECT array_agg(x) …)` |
//! | `(SELECT x …)` | `only_one((SELECT array_agg(x) …))`: more than one is an error when it is there |
//! | `(SELECT x FROM t …)`, `EXISTS (…)` of a table that is always empty | `NULL`, `false` |
//! | a query over a table that is always empty | `SELECT NULL … WHERE false`, with the names of its columns |
//! | `x = ANY('{a,b}')`, `x <> ALL('{a,b}')` | `x IN ('a', 'b')`, `x NOT IN ('a', 'b')` |
//! | `pg_get_keywords()` | `pg_get_keywords` |
//! | `generate_series(1, array_upper(current_schemas(…), 1))` | `(VALUES (1) …)` |
//! | `x = ANY (SELECT …)`, `x <> ALL (SELECT …)` | `x IN (SELECT …)`, `x NOT IN (SELECT …)` |
//! | `current_schema` | `current_schema()` |
//! | `typinput <> 0` | `typinput <> '-'`: functions are told by their names |
//! | `x LIKE 'a/_' ESCAPE '/'` | `x LIKE 'a\_'` |

mod build;
mod columns;
mod nothing;
mod subqueries;
mod table_functions;
mod texts;

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, CastKind, DataType, Expr, FunctionArguments, ObjectName, ObjectNamePart,
    Statement, TableFactor, Value, VisitMut as _, VisitorMut,
};

use super::facts::Facts;
use super::functions::{is_known, type_of};
use crate::refusal::Refusal;
use build::{call, cast, number, text};
pub(super) use columns::distinct;
use nothing::is_nothing;
pub(super) use nothing::{Aggregates, nothing};
use subqueries::{gathered, quantified, single};
use table_functions::called;
pub(super) use texts::escaped;
use texts::{listed, with_backslashes};

/// Rewrites a statement.
///
/// # Errors
///
/// It names a table or type by a text that is none, or a type that isn't known.
pub(super) fn rewrite(statement: &mut Statement, facts: &Facts) -> Result<(), Refusal> {
    match statement.visit(&mut Rewriter(facts)) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(refusal) => Err(refusal),
    }
}

struct Rewriter<'a>(&'a Facts);

impl VisitorMut for Rewriter<'_> {
    type Break = Refusal;

    fn post_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<Refusal> {
        match factor {
            TableFactor::Function { name, .. } => bare(name),
            TableFactor::Table {
                name,
                args: Some(_),
                ..
            } => bare(name),
            _ => {}
        }
        called(factor);
        ControlFlow::Continue(())
    }

    /// What stands for many rows is taken for itself before it can be taken for a value.
    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Refusal> {
        quantified(expr)
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Refusal> {
        let written = std::mem::replace(expr, Expr::Value(Value::Null.into()));
        match self.expr(written) {
            Ok(new) => {
                *expr = new;
                ControlFlow::Continue(())
            }
            Err(refusal) => ControlFlow::Break(refusal),
        }
    }
}

impl Rewriter<'_> {
    fn expr(&self, expr: Expr) -> Result<Expr, Refusal> {
        Ok(match expr {
            Expr::Collate { expr, .. } => *expr,
            Expr::BinaryOp {
                left,
                op,
                mut right,
            } => {
                if is_function_column(&left) && right.to_string() == "0" {
                    right = Box::new(text("-"));
                }
                Expr::BinaryOp {
                    left,
                    op: operator(op)?,
                    right,
                }
            }
            Expr::Like {
                negated,
                any,
                expr,
                mut pattern,
                escape_char: Some(escape),
            } => {
                let escape = match &escape.value {
                    Value::SingleQuotedString(text) | Value::EscapedStringLiteral(text) => {
                        text.chars().next()
                    }
                    _ => None,
                };
                let escape =
                    escape.ok_or_else(|| Refusal::unsupported("LIKE with such an ESCAPE"))?;
                with_backslashes(&mut pattern, escape);
                Expr::Like {
                    negated,
                    any,
                    expr,
                    pattern,
                    escape_char: None,
                }
            }
            Expr::AnyOp { right, .. } if is_null(&right) => {
                cast(Expr::Value(Value::Null.into()), DataType::Boolean)
            }
            Expr::AnyOp {
                left,
                compare_op: BinaryOperator::Eq,
                right,
                is_some,
            } => match listed(&right) {
                Some(list) => Expr::InList {
                    expr: left,
                    list,
                    negated: false,
                },
                None => Expr::AnyOp {
                    left,
                    compare_op: BinaryOperator::Eq,
                    right,
                    is_some,
                },
            },
            Expr::AllOp {
                left,
                compare_op: BinaryOperator::NotEq,
                right,
            } => match listed(&right) {
                Some(list) => Expr::InList {
                    expr: left,
                    list,
                    negated: true,
                },
                None => Expr::AllOp {
                    left,
                    compare_op: BinaryOperator::NotEq,
                    right,
                },
            },
            Expr::Exists { subquery, negated } if is_nothing(&subquery) => {
                Expr::Value(Value::Boolean(negated).into())
            }
            Expr::Cast {
                kind: CastKind::Cast | CastKind::DoubleColon,
                expr,
                data_type,
                ..
            } => self.cast(*expr, data_type)?,
            Expr::Function(mut function) => {
                bare(&mut function.name);
                match function.args {
                    FunctionArguments::Subquery(query) => {
                        Expr::Subquery(Box::new(gathered(*query)?))
                    }
                    // Words that are called without brackets.
                    FunctionArguments::None => call(&function.name.to_string(), Vec::new()),
                    _ => Expr::Function(function),
                }
            }
            Expr::Identifier(name)
                if name.quote_style.is_none() && is_word(&name.value.to_lowercase()) =>
            {
                call(&name.value.to_lowercase(), Vec::new())
            }
            Expr::Subquery(query) if is_nothing(&query) => Expr::Value(Value::Null.into()),
            Expr::Subquery(query) => single(*query),
            other => other,
        })
    }

    fn cast(&self, expr: Expr, ty: DataType) -> Result<Expr, Refusal> {
        let name = match &ty {
            DataType::Regclass => "regclass".to_owned(),
            DataType::Custom(name, arguments) if arguments.is_empty() => {
                let last = name.0.last().map(ToString::to_string);
                let last = last.map(|last| last.trim_matches('"').to_lowercase());
                last.unwrap_or_else(|| name.to_string())
            }
            _ => return Ok(cast(expr, ty)),
        };
        let written = match &expr {
            Expr::Value(value) => match &value.value {
                Value::SingleQuotedString(text) | Value::EscapedStringLiteral(text) => Some(text),
                _ => None,
            },
            _ => None,
        };
        if let ("regclass" | "regtype", Some(Ok(oid))) =
            (name.as_str(), written.map(|text| text.parse()))
        {
            return Ok(number(oid));
        }
        Ok(match (name.as_str(), written) {
            ("regclass", Some(text)) => match self.catalogued(text).or_else(|| self.0.oid_of(text))
            {
                Some(oid) => number(oid),
                None => {
                    let message = format!("there is no table {text:?}");
                    return Err(Refusal::new("42P01", message));
                }
            },
            ("regtype", Some(text)) => match type_of(self.0, text) {
                Some(oid) => number(oid),
                None => return Err(Refusal::new("42704", format!("there is no type {text:?}"))),
            },
            ("regclass", None) => call("regclass_text", vec![expr]),
            ("regtype", None) => call("regtype_text", vec![expr]),
            ("regproc", Some(name)) => text(name.trim_start_matches("pg_catalog.")),
            (
                "regproc" | "regprocedure" | "name" | "char" | "bpchar" | "text" | "varchar"
                | "cstring",
                _,
            ) => cast(expr, DataType::Text),
            ("oid" | "xid", _) => cast(expr, DataType::IntUnsigned(None)),
            ("int2" | "smallint", _) => cast(expr, DataType::SmallInt(None)),
            ("int4" | "integer" | "int", _) => cast(expr, DataType::Integer(None)),
            ("int8" | "bigint", _) => cast(expr, DataType::BigInt(None)),
            ("bool" | "boolean", _) => cast(expr, DataType::Boolean),
            // Whoever plans it says what it isn't, unless it falls away before.
            _ => cast(expr, ty),
        })
    }

    /// The catalog's own tables that clients name by number.
    fn catalogued(&self, name: &str) -> Option<u32> {
        match name.strip_prefix("pg_catalog.").unwrap_or(name) {
            "pg_class" => Some(1259),
            "pg_type" => Some(1247),
            "pg_attribute" => Some(1249),
            "pg_proc" => Some(1255),
            "pg_namespace" => Some(2615),
            "pg_database" => Some(1262),
            "pg_constraint" => Some(2606),
            "pg_trigger" => Some(2620),
            _ => None,
        }
    }
}

/// Functions that are called by their name alone.
fn is_word(name: &str) -> bool {
    matches!(
        name,
        "current_schema" | "current_catalog" | "current_user" | "session_user" | "current_role"
    )
}

/// The name without the schema in front of it.
fn bare(name: &mut ObjectName) {
    if let [schema, _] = name.0.as_slice()
        && schema.to_string().eq_ignore_ascii_case("pg_catalog")
    {
        name.0.remove(0);
    }
    // DataFusion's functions are called in lower case, and quoted names are not made so.
    if let [ObjectNamePart::Identifier(own)] = name.0.as_mut_slice()
        && is_known(&own.value.to_lowercase())
    {
        own.value = own.value.to_lowercase();
    }
}

fn operator(op: BinaryOperator) -> Result<BinaryOperator, Refusal> {
    let BinaryOperator::PGCustomBinaryOperator(parts) = &op else {
        return Ok(op);
    };
    Ok(match parts.last().map(String::as_str) {
        Some("~") => BinaryOperator::PGRegexMatch,
        Some("~*") => BinaryOperator::PGRegexIMatch,
        Some("!~") => BinaryOperator::PGRegexNotMatch,
        Some("!~*") => BinaryOperator::PGRegexNotIMatch,
        Some("=") => BinaryOperator::Eq,
        Some("<>") => BinaryOperator::NotEq,
        Some("~~") => BinaryOperator::PGLikeMatch,
        Some("!~~") => BinaryOperator::PGNotLikeMatch,
        Some("||") => BinaryOperator::StringConcat,
        _ => return Err(Refusal::unsupported(format!("The operator {op}"))),
    })
}

/// Columns that are functions, which are told here by their names.
fn is_function_column(expr: &Expr) -> bool {
    let name = match expr {
        Expr::Identifier(name) => Some(name),
        Expr::CompoundIdentifier(names) => names.last(),
        _ => None,
    };
    let known = [
        "typinput",
        "typoutput",
        "typreceive",
        "typsend",
        "typmodin",
        "typmodout",
        "typanalyze",
    ];
    name.is_some_and(|name| known.contains(&name.value.as_str()))
}

fn is_null(expr: &Expr) -> bool {
    match expr {
        Expr::Value(value) => value.value == Value::Null,
        Expr::Nested(inner) | Expr::Cast { expr: inner, .. } => is_null(inner),
        _ => false,
    }
}
