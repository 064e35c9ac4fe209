//! Expressions.

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, CaseWhen, CastKind, CeilFloorKind, DataType, Expr, NamedWindowDefinition,
    Spanned as _, TrimWhereField, UnaryOperator, Value,
};

use super::super::error::{Code, Error};
use super::super::functions::Target;
use super::super::scope::{Scope, same};
use super::{RED_ZONE, Rewriter, STACK, build, paths};

/// A name that an item of SELECT was given.
#[derive(Clone, Debug)]
pub(super) struct Alias {
    pub name: String,
    pub expr: Expr,
}

/// Where an expression stands, and what it can name there.
#[derive(Clone)]
pub(super) struct Place<'s> {
    pub scope: &'s Scope<'s>,
    pub aliases: Vec<Alias>,
    /// In HAVING and ORDER BY an alias goes before a column of the same name.
    pub aliases_first: bool,
    /// Parameters of the lambdas around, the innermost last: as written, and as DataFusion gets them.
    pub parameters: Vec<(String, String)>,
    pub windows: &'s [NamedWindowDefinition],
}

impl<'s> Place<'s> {
    pub(super) fn of(scope: &'s Scope<'s>) -> Self {
        Self {
            scope,
            aliases: Vec::new(),
            aliases_first: false,
            parameters: Vec::new(),
            windows: &[],
        }
    }

    /// What that alias stands for, if it stands for one thing.
    pub(super) fn alias(&self, name: &str) -> Option<Expr> {
        let mut found = self.aliases.iter().filter(|alias| same(&alias.name, name));
        let alias = found.next()?;
        if found.any(|other| other.expr != alias.expr) {
            return None;
        }
        Some(match &alias.expr {
            expr @ (Expr::Identifier(_)
            | Expr::CompoundIdentifier(_)
            | Expr::Value(_)
            | Expr::Function(_)) => expr.clone(),
            expr => Expr::Nested(Box::new(expr.clone())),
        })
    }
}

impl Rewriter<'_> {
    /// The expression over DataFusion's names.
    pub(super) fn expr(&mut self, expr: Expr, place: &mut Place<'_>) -> Result<Expr, Error> {
        stacker::maybe_grow(RED_ZONE, STACK, || self.expr_here(expr, place))
    }

    fn boxed(&mut self, expr: Expr, place: &mut Place<'_>) -> Result<Box<Expr>, Error> {
        Ok(Box::new(self.expr(expr, place)?))
    }

    pub(super) fn all(
        &mut self,
        all: Vec<Expr>,
        place: &mut Place<'_>,
    ) -> Result<Vec<Expr>, Error> {
        all.into_iter().map(|expr| self.expr(expr, place)).collect()
    }

    fn expr_here(&mut self, expr: Expr, place: &mut Place<'_>) -> Result<Expr, Error> {
        Ok(match expr {
            Expr::Identifier(_)
            | Expr::CompoundIdentifier(_)
            | Expr::CompoundFieldAccess { .. } => self.path(expr, place)?,
            Expr::Value(value) => match &value.value {
                Value::Number(_, false)
                | Value::SingleQuotedString(_)
                | Value::Boolean(_)
                | Value::Null => Expr::Value(value),
                Value::Placeholder(name) => {
                    let message = format!("there is no value for the parameter {name}");
                    return Err(Error::new(Code::Syntax, message).at(value.span));
                }
                other => {
                    return Err(Error::unsupported(format!("The literal {other}")).at(value.span));
                }
            },
            Expr::Nested(inner) => Expr::Nested(self.boxed(*inner, place)?),
            Expr::IsNull(inner) => Expr::IsNull(self.boxed(*inner, place)?),
            Expr::IsNotNull(inner) => Expr::IsNotNull(self.boxed(*inner, place)?),
            Expr::IsTrue(inner) => Expr::IsTrue(self.boxed(*inner, place)?),
            Expr::IsNotTrue(inner) => Expr::IsNotTrue(self.boxed(*inner, place)?),
            Expr::IsFalse(inner) => Expr::IsFalse(self.boxed(*inner, place)?),
            Expr::IsNotFalse(inner) => Expr::IsNotFalse(self.boxed(*inner, place)?),
            Expr::IsUnknown(inner) => Expr::IsUnknown(self.boxed(*inner, place)?),
            Expr::IsNotUnknown(inner) => Expr::IsNotUnknown(self.boxed(*inner, place)?),
            Expr::IsNotDistinctFrom(left, right) => {
                let (left, right) = (self.expr(*left, place)?, self.expr(*right, place)?);
                build::binary(left, BinaryOperator::Spaceship, right)
            }
            Expr::IsDistinctFrom(left, right) => {
                let (left, right) = (self.expr(*left, place)?, self.expr(*right, place)?);
                build::not(build::binary(left, BinaryOperator::Spaceship, right))
            }
            Expr::BinaryOp { left, op, right } => {
                let (left, right) = (self.expr(*left, place)?, self.expr(*right, place)?);
                build::binary(left, known(op)?, right)
            }
            Expr::UnaryOp { op, expr } => match op {
                UnaryOperator::Not | UnaryOperator::BangNot => Expr::UnaryOp {
                    op: UnaryOperator::Not,
                    expr: self.boxed(*expr, place)?,
                },
                UnaryOperator::Minus => match self.expr(*expr, place)? {
                    number @ Expr::Value(_) => Expr::UnaryOp {
                        op: UnaryOperator::Minus,
                        expr: Box::new(number),
                    },
                    other => build::binary(build::number(0), BinaryOperator::Minus, other),
                },
                UnaryOperator::Plus => self.expr(*expr, place)?,
                other => return Err(Error::unsupported(format!("The operator {other}"))),
            },
            Expr::Between {
                expr,
                negated,
                low,
                high,
            } => {
                let expr = self.expr(*expr, place)?;
                let (low, high) = (self.expr(*low, place)?, self.expr(*high, place)?);
                let from = build::binary(expr.clone(), BinaryOperator::GtEq, low);
                let to = build::binary(expr, BinaryOperator::LtEq, high);
                let between = Expr::Nested(Box::new(build::binary(from, BinaryOperator::And, to)));
                if negated {
                    build::not(between)
                } else {
                    between
                }
            }
            Expr::InList {
                expr,
                list,
                negated,
            } => Expr::InList {
                expr: self.boxed(*expr, place)?,
                list: self.all(list, place)?,
                negated,
            },
            Expr::AnyOp {
                left,
                compare_op: BinaryOperator::Eq,
                right,
                ..
            } if !matches!(*right, Expr::Subquery(_)) => self.any(*left, *right, false, place)?,
            Expr::AllOp {
                left,
                compare_op: BinaryOperator::NotEq,
                right,
            } if !matches!(*right, Expr::Subquery(_)) => self.any(*left, *right, true, place)?,
            Expr::InSubquery { .. } => {
                return Err(Error::unsupported(
                    "IN (SELECT …) but as a condition of WHERE, with AND between it and others",
                ));
            }
            Expr::Exists { subquery, negated } => {
                let (subquery, _) = self.subquery(*subquery, place.scope)?;
                Expr::Exists {
                    subquery: Box::new(subquery),
                    negated,
                }
            }
            Expr::Subquery(query) => {
                let (query, outputs) = self.query(*query, Some(place.scope))?;
                if outputs.len() != 1 {
                    let message = format!(
                        "a subquery that is a value has one column, not {}",
                        outputs.len()
                    );
                    return Err(Error::new(Code::Syntax, message));
                }
                Expr::Subquery(Box::new(query))
            }
            Expr::Like {
                negated,
                any: false,
                expr,
                pattern,
                escape_char,
            } => {
                let (expr, pattern) = (self.text(*expr, place)?, self.text(*pattern, place)?);
                Expr::Like {
                    negated,
                    any: false,
                    expr,
                    pattern,
                    escape_char,
                }
            }
            Expr::ILike {
                negated,
                any: false,
                expr,
                pattern,
                escape_char,
            } => {
                let (expr, pattern) = (self.text(*expr, place)?, self.text(*pattern, place)?);
                Expr::ILike {
                    negated,
                    any: false,
                    expr,
                    pattern,
                    escape_char,
                }
            }
            Expr::RLike {
                negated,
                expr,
                pattern,
                ..
            } => {
                let arguments = self.all(vec![*expr, *pattern], place)?;
                let found = build::call("spark_rlike", arguments);
                if negated { build::not(found) } else { found }
            }
            Expr::Case {
                operand,
                conditions,
                else_result,
                ..
            } => {
                let operand = match operand {
                    Some(operand) => Some(self.expr(*operand, place)?),
                    None => None,
                };
                let mut branches = Vec::with_capacity(conditions.len() * 2 + 1);
                for CaseWhen { condition, result } in conditions {
                    let condition = self.expr(condition, place)?;
                    let condition = match &operand {
                        Some(operand) => {
                            build::binary(operand.clone(), BinaryOperator::Eq, condition)
                        }
                        None => condition,
                    };
                    branches.push(condition);
                    branches.push(self.expr(result, place)?);
                }
                if let Some(result) = else_result {
                    branches.push(self.expr(*result, place)?);
                }
                build::call("spark_case", branches)
            }
            Expr::Cast {
                kind: CastKind::Cast | CastKind::DoubleColon | CastKind::TryCast,
                expr,
                data_type,
                format: None,
                ..
            } => {
                let target = target(&data_type)?;
                let expr = self.expr(*expr, place)?;
                build::call("spark_cast", vec![expr, build::text(target.name())])
            }
            Expr::TypedString(typed) => {
                let target = target(&typed.data_type)?;
                let Value::SingleQuotedString(text) = &typed.value.value else {
                    return Err(Error::unsupported(format!("The literal {typed}")));
                };
                if !target.takes(text) {
                    let message = format!("'{text}' is no {}", target.name());
                    return Err(Error::new(Code::DatatypeMismatch, message).at(typed.value.span));
                }
                build::call(
                    "spark_cast",
                    vec![build::text(text.clone()), build::text(target.name())],
                )
            }
            Expr::Interval(interval) => {
                if matches!(*interval.value, Expr::Value(_)) {
                    Expr::Interval(interval)
                } else {
                    return Err(Error::unsupported(format!(
                        "{interval} (only of a literal)"
                    )));
                }
            }
            Expr::Function(function) => self.call(function, place)?,
            Expr::Extract { field, expr, .. } => {
                let name = field.to_string().to_lowercase();
                if name == "second" {
                    // Spark's is a decimal with the fraction.
                    return Err(Error::unsupported(
                        "EXTRACT(SECOND …) (second(…) is the whole one)",
                    ));
                }
                self.named(&name, vec![*expr], place)?
            }
            Expr::Ceil {
                expr,
                field: CeilFloorKind::DateTimeField(unit),
            } if plain(&unit) => self.named("ceil", vec![*expr], place)?,
            Expr::Floor {
                expr,
                field: CeilFloorKind::DateTimeField(unit),
            } if plain(&unit) => self.named("floor", vec![*expr], place)?,
            Expr::Position { expr, r#in } => self.named("locate", vec![*expr, *r#in], place)?,
            Expr::Substring {
                expr,
                substring_from: Some(from),
                substring_for,
                ..
            } => {
                let arguments = [*expr, *from]
                    .into_iter()
                    .chain(substring_for.map(|length| *length))
                    .collect();
                self.named("substring", arguments, place)?
            }
            Expr::Trim {
                expr,
                trim_where,
                trim_what,
                trim_characters: None,
            } => {
                let name = match trim_where {
                    None | Some(TrimWhereField::Both) => "spark_trim",
                    Some(TrimWhereField::Leading) => "spark_ltrim",
                    Some(TrimWhereField::Trailing) => "spark_rtrim",
                };
                let arguments = std::iter::once(*expr)
                    .chain(trim_what.map(|what| *what))
                    .collect();
                build::call(name, self.all(arguments, place)?)
            }
            Expr::Struct { values, fields } if fields.is_empty() => {
                self.structure(values, place)?
            }
            Expr::Array(array) => {
                let elements = self.all(array.elem, place)?;
                build::call("spark_array", elements)
            }
            Expr::Tuple(values) if values.len() > 1 => self.structure(values, place)?,
            Expr::Lambda(lambda) => {
                let message = format!("{lambda} stands where no function takes it");
                return Err(Error::new(Code::Syntax, message));
            }
            other => {
                let span = other.span();
                return Err(Error::unsupported(format!("{other}")).at(span));
            }
        })
    }

    /// `LIKE` is of texts: what is none becomes one.
    fn text(&mut self, expr: Expr, place: &mut Place<'_>) -> Result<Box<Expr>, Error> {
        let expr = self.expr(expr, place)?;
        Ok(Box::new(match expr {
            literal @ Expr::Value(_) => literal,
            other => build::call("spark_text", vec![other]),
        }))
    }

    /// `struct(a, b AS c)`
    fn structure(&mut self, values: Vec<Expr>, place: &mut Place<'_>) -> Result<Expr, Error> {
        let mut arguments = Vec::with_capacity(values.len() * 2);
        for (number, value) in values.into_iter().enumerate() {
            let (name, value) = match value {
                Expr::Named { expr, name } => (name.value, *expr),
                value => match paths::last_name(&value) {
                    Some(name) => (name.to_owned(), value),
                    None => (format!("col{}", number + 1), value),
                },
            };
            arguments.push(build::text(name));
            arguments.push(self.expr(value, place)?);
        }
        Ok(build::call("spark_named_struct", arguments))
    }
}

/// No unit and no scale.
fn plain(unit: &datafusion::sql::sqlparser::ast::DateTimeField) -> bool {
    *unit == datafusion::sql::sqlparser::ast::DateTimeField::NoDateTime
}

/// The operators that `operators` knows.
fn known(op: BinaryOperator) -> Result<BinaryOperator, Error> {
    use BinaryOperator as Op;
    match op {
        Op::Plus
        | Op::Minus
        | Op::Multiply
        | Op::Divide
        | Op::Modulo
        | Op::MyIntegerDivide
        | Op::StringConcat
        | Op::Gt
        | Op::Lt
        | Op::GtEq
        | Op::LtEq
        | Op::Eq
        | Op::NotEq
        | Op::Spaceship
        | Op::And
        | Op::Or => Ok(op),
        other => Err(Error::unsupported(format!("The operator {other}"))),
    }
}

/// The type that a cast names.
fn target(data_type: &DataType) -> Result<Target, Error> {
    let name = data_type.to_string().to_lowercase();
    Target::named(&name)
        .ok_or_else(|| Error::unsupported(format!("The type {data_type} in a cast")))
}
