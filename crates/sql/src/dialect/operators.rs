//! Operators between values of types that differ, as Spark's with ANSI off.

use std::sync::Arc;

use datafusion::arrow::datatypes::DataType;
use datafusion::common::tree_node::{Transformed, TreeNode as _};
use datafusion::common::{DFSchema, Result};
use datafusion::error::DataFusionError;
use datafusion::logical_expr::expr::{InList, InSubquery, ScalarFunction};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawBinaryExpr};
use datafusion::logical_expr::{Case, Expr, ExprSchemable as _, LogicalPlan, lit};
use datafusion::sql::sqlparser::ast::BinaryOperator;

use super::error::{Code, Error};
use super::{functions, set_operations};

/// Kinds of types between which casts are made.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Family {
    Text,
    Whole,
    Float,
    Boolean,
    Date,
    Timestamp,
    Null,
    Interval,
    Map,
    Other,
}

pub(super) fn family(data_type: &DataType) -> Family {
    match data_type {
        DataType::Dictionary(_, values) => family(values),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Family::Text,
        DataType::Boolean => Family::Boolean,
        DataType::Date32 | DataType::Date64 => Family::Date,
        DataType::Timestamp(..) => Family::Timestamp,
        DataType::Null => Family::Null,
        DataType::Interval(_) | DataType::Duration(_) => Family::Interval,
        DataType::Map(..) => Family::Map,
        number if number.is_integer() => Family::Whole,
        number if number.is_numeric() => Family::Float,
        _ => Family::Other,
    }
}

/// A call of a function of ours.
fn call(name: &str, arguments: Vec<Expr>) -> Result<Expr> {
    match functions::scalar(name) {
        Some(function) => Ok(Expr::ScalarFunction(ScalarFunction::new_udf(
            function, arguments,
        ))),
        None => Err(Error::new(Code::System, format!("there is no function {name}")).into()),
    }
}

pub(super) fn cast(expr: Expr, target: &str) -> Result<Expr> {
    call("spark_cast", vec![expr, lit(target)])
}

/// What DataFusion's planner asks for each operator.
#[derive(Debug)]
struct Operators;

impl ExprPlanner for Operators {
    fn plan_binary_op(
        &self,
        raw: RawBinaryExpr,
        schema: &DFSchema,
    ) -> Result<PlannerResult<RawBinaryExpr>> {
        use BinaryOperator as Op;
        let RawBinaryExpr { op, left, right } = raw;
        if op == BinaryOperator::StringConcat {
            return Ok(PlannerResult::Planned(concatenated(left, right)?));
        }
        let types = (left.get_type(schema)?, right.get_type(schema)?);
        let families = (family(&types.0), family(&types.1));
        let function = match op {
            Op::Gt | Op::Lt | Op::GtEq | Op::LtEq | Op::Eq | Op::NotEq | Op::Spaceship => {
                let (left, right) = comparable(left, right, &types)?;
                return Ok(PlannerResult::Original(RawBinaryExpr { op, left, right }));
            }
            Op::And | Op::Or => {
                return Ok(PlannerResult::Original(RawBinaryExpr { op, left, right }));
            }
            Op::Divide => "spark_divide",
            Op::MyIntegerDivide => "spark_div",
            Op::Modulo => "spark_modulo",
            Op::Plus | Op::Minus | Op::Multiply => {
                return match families {
                    (Family::Date, Family::Whole) if op == Op::Plus => Ok(PlannerResult::Planned(
                        call("spark_date_add", vec![left, right])?,
                    )),
                    (Family::Whole, Family::Date) if op == Op::Plus => Ok(PlannerResult::Planned(
                        call("spark_date_add", vec![right, left])?,
                    )),
                    (Family::Date, Family::Whole) if op == Op::Minus => Ok(PlannerResult::Planned(
                        call("spark_date_sub", vec![left, right])?,
                    )),
                    (Family::Timestamp, Family::Interval) if op != Op::Multiply => {
                        Ok(PlannerResult::Original(RawBinaryExpr { op, left, right }))
                    }
                    (Family::Interval, Family::Timestamp) if op == Op::Plus => {
                        Ok(PlannerResult::Original(RawBinaryExpr { op, left, right }))
                    }
                    _ => {
                        let left = number(left, families.0, &op)?;
                        let right = number(right, families.1, &op)?;
                        Ok(PlannerResult::Original(RawBinaryExpr { op, left, right }))
                    }
                };
            }
            other => return Err(Error::unsupported(format!("The operator {other}")).into()),
        };
        Ok(PlannerResult::Planned(call(function, vec![left, right])?))
    }
}

/// So many calls of a chain are within each other, as they are written: `GROUP BY a || b` finds its part of `a || b || c`.
const NESTED: usize = 16;

/// `a || b`, and of a long chain `a || b || c` as one call: each within each other asks all those in it for their types, ever
/// again.
fn concatenated(left: Expr, right: Expr) -> Result<Expr> {
    match left {
        Expr::ScalarFunction(mut call) if nested(&call) >= NESTED => {
            call.args.push(right);
            Ok(Expr::ScalarFunction(call))
        }
        left => call("spark_concat", vec![left, right]),
    }
}

/// How many calls of `||` are within each other.
fn nested(call: &ScalarFunction) -> usize {
    let within = |call: &ScalarFunction| match call.args.first() {
        Some(Expr::ScalarFunction(within)) => nested(within),
        _ => 0,
    };
    match call.name() {
        "spark_concat" => 1 + within(call),
        _ => 0,
    }
}

/// An operand of arithmetic; a text is the number that it spells.
fn number(expr: Expr, family: Family, op: &BinaryOperator) -> Result<Expr> {
    match family {
        Family::Whole | Family::Float => Ok(expr),
        Family::Text | Family::Null => cast(expr, "double"),
        other => {
            let other = format!("{other:?}").to_lowercase();
            let message =
                format!("{op} takes numbers, not a {other} (dates: date_add, date_sub, datediff)");
            Err(Error::new(Code::DatatypeMismatch, message).into())
        }
    }
}

/// Two values as types that compare: a text as what it is compared with.
fn comparable(left: Expr, right: Expr, types: &(DataType, DataType)) -> Result<(Expr, Expr)> {
    use Family as F;
    let of = (family(&types.0), family(&types.1));
    Ok(match of {
        (F::Map, _) | (_, F::Map) => {
            return Err(Error::new(Code::DatatypeMismatch, "maps can't be compared").into());
        }
        (a, b) if a == b => (left, right),
        (F::Null, _) | (_, F::Null) | (F::Whole, F::Float) | (F::Float, F::Whole) => (left, right),
        (F::Text, _) => (as_type(left, &types.1)?, right),
        (_, F::Text) => (left, as_type(right, &types.0)?),
        (F::Date, F::Timestamp) => (cast(left, "timestamp")?, right),
        (F::Timestamp, F::Date) => (left, cast(right, "timestamp")?),
        (a, b) => {
            let (a, b) = (
                format!("{a:?}").to_lowercase(),
                format!("{b:?}").to_lowercase(),
            );
            let message = format!("a {a} and a {b} can't be compared");
            return Err(Error::new(Code::DatatypeMismatch, message).into());
        }
    })
}

/// A text as a value of that type.
fn as_type(text: Expr, data_type: &DataType) -> Result<Expr> {
    let target = match data_type {
        DataType::Boolean => "boolean",
        DataType::Int8 | DataType::UInt8 => "tinyint",
        DataType::Int16 | DataType::UInt16 => "smallint",
        DataType::Int32 => "int",
        DataType::Date32 | DataType::Date64 => "date",
        DataType::Timestamp(..) => "timestamp",
        DataType::Float32 => "float",
        DataType::Utf8 => "string",
        whole if whole.is_integer() => "bigint",
        number if number.is_numeric() => "double",
        other => {
            let message = format!("a text and a {other} can't be compared");
            return Err(Error::new(Code::DatatypeMismatch, message).into());
        }
    };
    cast(text, target)
}

/// `IN`: all are compared as one type, a text if one of them is a text.
pub(super) fn membership(plan: LogicalPlan) -> Result<LogicalPlan> {
    let plan = plan.transform_up_with_subqueries(|node| {
        set_operations::one_family(&node)?;
        let mut schema = DFSchema::empty();
        for input in node.inputs() {
            schema.merge(input.schema());
        }
        if let LogicalPlan::TableScan(_) = &node {
            schema.merge(node.schema());
        }
        let names = NamePreserver::new(&node);
        node.map_expressions(|expr| {
            let name = names.save(&expr);
            let done = expr.transform_up(|expr| match expr {
                Expr::ScalarFunction(call) if call.name() == "spark_case" => case(call, &schema),
                other => in_list(other, &schema),
            })?;
            Ok(done.update_data(|expr| name.restore(expr)))
        })
    })?;
    Ok(plan.data)
}

/// `spark_case`, whose type was asked for, as a CASE whose values have that type.
fn case(call: ScalarFunction, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let wanted = Expr::ScalarFunction(call.clone()).get_type(schema)?;
    let value = |value: Expr| {
        let own = value.get_type(schema)?;
        Ok::<_, DataFusionError>(Box::new(if own == wanted || own == DataType::Null {
            value
        } else if functions::plain_type(&own).equals_datatype(&wanted) {
            self::call("spark_same", vec![value])?
        } else if let DataType::List(_) = wanted {
            value.cast_to(&wanted, schema)?
        } else {
            as_type(value, &wanted)?
        }))
    };
    let mut rest = call.args.into_iter();
    let mut branches = Vec::new();
    let mut otherwise = None;
    while let Some(first) = rest.next() {
        match rest.next() {
            Some(second) => branches.push((Box::new(first), value(second)?)),
            None => otherwise = Some(value(first)?),
        }
    }
    Ok(Transformed::yes(Expr::Case(Case::new(
        None, branches, otherwise,
    ))))
}

/// A value and the list it is looked for in; behind ANY and ALL texts are values of the other's type.
fn sought(value: Expr, list: Vec<Expr>, schema: &DFSchema) -> Result<(Expr, Vec<Expr>)> {
    let value = match value {
        Expr::ScalarFunction(mut call) if call.name() == "spark_sought" => call.args.remove(0),
        other => return Ok((other, list)),
    };
    let own = value.get_type(schema)?;
    let mut types = Vec::with_capacity(list.len());
    for one in &list {
        types.push(one.get_type(schema)?);
    }
    let mut known = types.iter().filter(|one| family(one) != Family::Null);
    Ok(match family(&own) {
        Family::Null => (value, list),
        Family::Text => match known.next() {
            Some(first) if known.all(|one| family(one) == family(first)) => {
                match family(first) == Family::Text {
                    true => (value, list),
                    false => (as_type(value, first)?, list),
                }
            }
            _ => (value, list),
        },
        _ => {
            let list = list.into_iter().zip(&types);
            let list = list.map(|(one, is)| match family(is) == Family::Text {
                true => as_type(one, &own),
                false => Ok(one),
            });
            (value, list.collect::<Result<_>>()?)
        }
    })
}

fn in_list(expr: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    match expr {
        Expr::InList(InList {
            expr,
            list,
            negated,
        }) => {
            let (expr, list) = sought(*expr, list, schema)?;
            let types = std::iter::once(&expr)
                .chain(&list)
                .map(|one| Ok(family(&one.get_type(schema)?)))
                .collect::<Result<Vec<_>>>()?;
            let known: Vec<Family> = types
                .iter()
                .copied()
                .filter(|one| *one != Family::Null)
                .collect();
            let alike = known.iter().all(|one| {
                *one == known[0]
                    || matches!(
                        (*one, known[0]),
                        (Family::Whole, Family::Float) | (Family::Float, Family::Whole)
                    )
            });
            if alike && known.first() != Some(&Family::Map) {
                return Ok(Transformed::yes(Expr::InList(InList {
                    expr: Box::new(expr),
                    list,
                    negated,
                })));
            }
            let plain = known
                .iter()
                .all(|one| !matches!(one, Family::Map | Family::Other | Family::Interval));
            let common = if plain && known.contains(&Family::Text) {
                "string"
            } else if known
                .iter()
                .all(|one| matches!(one, Family::Date | Family::Timestamp))
            {
                "timestamp"
            } else {
                let message = "the values of IN are of types that can't be compared";
                return Err(Error::new(Code::DatatypeMismatch, message).into());
            };
            let list = list
                .into_iter()
                .map(|one| cast(one, common))
                .collect::<Result<_>>()?;
            let expr = Box::new(cast(expr, common)?);
            Ok(Transformed::yes(Expr::InList(InList {
                expr,
                list,
                negated,
            })))
        }
        Expr::InSubquery(InSubquery {
            expr,
            subquery,
            negated,
        }) => {
            let ours = family(&expr.get_type(schema)?);
            let theirs = subquery
                .subquery
                .schema()
                .fields()
                .first()
                .map(|field| family(field.data_type()));
            let alike = theirs.is_some_and(|theirs| {
                theirs == ours
                    || theirs == Family::Null
                    || ours == Family::Null
                    || matches!(
                        (ours, theirs),
                        (Family::Whole, Family::Float) | (Family::Float, Family::Whole)
                    )
            });
            if !alike || ours == Family::Map {
                let message =
                    "IN (SELECT …) compares values of types that differ: cast one of them";
                return Err(Error::new(Code::DatatypeMismatch, message).into());
            }
            Ok(Transformed::no(Expr::InSubquery(InSubquery {
                expr,
                subquery,
                negated,
            })))
        }
        other => Ok(Transformed::no(other)),
    }
}

/// What DataFusion is to ask.
pub(super) fn planners() -> Vec<Arc<dyn ExprPlanner>> {
    vec![Arc::new(Operators)]
}
