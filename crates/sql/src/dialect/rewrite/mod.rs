//! A statement of the platform's dialect as one that DataFusion plans: every name is found here, among the
//! columns that relations have, and replaced by a name that is unique in the statement.
//!
//! A subquery in FROM, a common table expression and the rows of a generator are planned first, and stand in the
//! statement as relations of their own. So the columns of whatever stands in FROM are known when the names of a
//! SELECT are looked up; what depends on the types of expressions is left to functions that DataFusion asks for
//! their type (`functions`), and to `operators`.

mod any;
mod build;
mod calls;
mod expr;
mod from;
mod generators;
mod items;
mod paths;
mod select;
mod subqueries;

use std::collections::HashMap;

use datafusion::execution::context::SessionState;
use datafusion::logical_expr::LogicalPlan;
use datafusion::sql::sqlparser::ast::{
    self, Expr, LimitClause, OrderBy, OrderByExpr, OrderByKind, SetExpr, SetOperator,
    SetQuantifier, Spanned as _, Value,
};

use super::error::{Code, Error};
use super::provider::Provider;
use super::scope::{Column, Relation, Scope, quoted, same};
use super::set_operations;
use super::size::check_plan;
use crate::Tables;

/// A column that a query gives.
#[derive(Clone, Debug)]
pub(super) struct Output {
    /// As users see it.
    pub name: String,
    /// As the plan calls it.
    pub internal: String,
}

/// Rewrites one statement.
pub(super) struct Rewriter<'a> {
    tables: &'a dyn Tables,
    provider: Provider<'a>,
    /// Common table expressions that are in force, by name in lower case; the innermost last.
    with: Vec<HashMap<String, Relation>>,
    /// Of subqueries within each other.
    depth: usize,
}

/// How deep subqueries may lie in each other; each takes a planner of its own.
const DEPTH: usize = 24;

impl<'a> Rewriter<'a> {
    pub(super) fn new(tables: &'a dyn Tables, state: &'a SessionState) -> Self {
        Self {
            tables,
            provider: Provider::new(state),
            with: Vec::new(),
            depth: 0,
        }
    }

    /// The plan of a query that stands alone, and what its columns are called.
    pub(super) fn plan(&mut self, query: ast::Query) -> Result<(LogicalPlan, Vec<Output>), Error> {
        let (query, outputs) = self.query(query, None)?;
        // What looks at these rows must know their types.
        let plan = self.provider.plan(query)?;
        check_plan(&plan)?;
        Ok((set_operations::unified(plan)?, outputs))
    }

    /// A query as a relation: planned, and known to the provider.
    fn derived(&mut self, query: ast::Query, name: Option<String>) -> Result<Relation, Error> {
        let (plan, outputs) = self.plan(query)?;
        self.relation(plan, outputs, name)
    }

    fn relation(
        &mut self,
        plan: LogicalPlan,
        outputs: Vec<Output>,
        name: Option<String>,
    ) -> Result<Relation, Error> {
        let fields = plan.schema().fields();
        if fields.len() != outputs.len() {
            return Err(Error::new(
                Code::System,
                "a plan has other columns than its query",
            ));
        }
        let columns = outputs
            .into_iter()
            .zip(fields)
            .map(|(output, field)| Column {
                name: output.name,
                internal: output.internal,
                data_type: field.data_type().clone(),
                hidden: false,
                united: None,
            })
            .collect();
        let internal = self
            .provider
            .add_plan(name.as_deref().unwrap_or("query"), plan);
        Ok(Relation {
            name,
            internal,
            columns,
        })
    }

    /// A query whose names are replaced, with the scope around it if it may look there.
    fn query(
        &mut self,
        query: ast::Query,
        outer: Option<&Scope<'_>>,
    ) -> Result<(ast::Query, Vec<Output>), Error> {
        if self.depth == DEPTH {
            let message = format!("queries lie more than {DEPTH} deep in each other");
            return Err(Error::new(Code::TooComplex, message));
        }
        self.depth += 1;
        let result = stacker::maybe_grow(RED_ZONE, STACK, || self.query_here(query, outer));
        self.depth -= 1;
        result
    }

    fn query_here(
        &mut self,
        mut query: ast::Query,
        outer: Option<&Scope<'_>>,
    ) -> Result<(ast::Query, Vec<Output>), Error> {
        let clauses = [
            (query.fetch.is_some(), "FETCH FIRST"),
            (!query.locks.is_empty(), "FOR UPDATE"),
            (query.for_clause.is_some(), "FOR XML/JSON"),
            (query.settings.is_some(), "SETTINGS"),
            (query.format_clause.is_some(), "FORMAT"),
            (!query.pipe_operators.is_empty(), "|>"),
        ];
        refuse(&clauses)?;
        let levels = self.with.len();
        if let Some(with) = query.with.take() {
            self.common_tables(with)?;
        }
        let order = match query.order_by.take() {
            None => Vec::new(),
            Some(OrderBy {
                kind: OrderByKind::Expressions(expressions),
                interpolate: None,
            }) => expressions,
            Some(_) => return Err(Error::unsupported("ORDER BY ALL")),
        };
        let (body, order, outputs) = match *query.body {
            SetExpr::Select(select) => {
                let (select, order, outputs) = self.select(*select, order, outer)?;
                (SetExpr::Select(Box::new(select)), order, outputs)
            }
            body => {
                let (body, outputs) = self.set_expression(body, outer)?;
                let order = order
                    .into_iter()
                    .map(|one| by_output(one, &outputs))
                    .collect::<Result<_, _>>()?;
                (body, order, outputs)
            }
        };
        query.body = Box::new(body);
        query.order_by = (!order.is_empty()).then_some(OrderBy {
            kind: OrderByKind::Expressions(order),
            interpolate: None,
        });
        query.limit_clause = match query.limit_clause.take() {
            Some(clause) => limit(clause)?,
            None => None,
        };
        self.with.truncate(levels);
        Ok((query, outputs))
    }

    fn common_tables(&mut self, with: ast::With) -> Result<(), Error> {
        if with.recursive {
            return Err(Error::unsupported("WITH RECURSIVE"));
        }
        self.with.push(HashMap::new());
        for table in with.cte_tables {
            let name = table.alias.name.value.clone();
            let mut relation = self.derived(*table.query, Some(name.clone()))?;
            from::rename(&mut relation, &table.alias)?;
            if let Some(level) = self.with.last_mut()
                && level.insert(name.to_lowercase(), relation).is_some()
            {
                let message = format!("WITH has two queries named {name}");
                return Err(Error::new(Code::Syntax, message).at(table.alias.name.span));
            }
        }
        Ok(())
    }

    fn set_expression(
        &mut self,
        body: SetExpr,
        outer: Option<&Scope<'_>>,
    ) -> Result<(SetExpr, Vec<Output>), Error> {
        match body {
            SetExpr::Select(select) => {
                let (select, _, outputs) = self.select(*select, Vec::new(), outer)?;
                Ok((SetExpr::Select(Box::new(select)), outputs))
            }
            SetExpr::Query(query) => {
                let (query, outputs) = self.query(*query, outer)?;
                Ok((SetExpr::Query(Box::new(query)), outputs))
            }
            SetExpr::SetOperation {
                op,
                set_quantifier,
                left,
                right,
            } => {
                let op = set_operator(op, set_quantifier)?;
                let (left, outputs) =
                    stacker::maybe_grow(RED_ZONE, STACK, || self.set_expression(*left, outer))?;
                let (right, others) =
                    stacker::maybe_grow(RED_ZONE, STACK, || self.set_expression(*right, outer))?;
                if outputs.len() != others.len() {
                    let message = format!(
                        "{op} of queries with {} and {} columns: they must have as many",
                        outputs.len(),
                        others.len(),
                    );
                    return Err(Error::new(Code::Syntax, message));
                }
                let (left, right) = (Box::new(left), Box::new(right));
                Ok((
                    SetExpr::SetOperation {
                        op,
                        set_quantifier,
                        left,
                        right,
                    },
                    outputs,
                ))
            }
            SetExpr::Values(mut values) => {
                let scope = Scope {
                    relations: Vec::new(),
                    outer,
                };
                let mut width = 0;
                for row in &mut values.rows {
                    width = row.content.len();
                    for value in &mut row.content {
                        let written = std::mem::replace(value, build::null());
                        *value = self.expr(written, &mut expr::Place::of(&scope))?;
                    }
                }
                let outputs = (1..=width)
                    .map(|number| Output {
                        name: format!("col{number}"),
                        internal: format!("column{number}"),
                    })
                    .collect();
                Ok((SetExpr::Values(values), outputs))
            }
            other => Err(Error::unsupported(format!("{other} as a query"))),
        }
    }
}

/// The operator as DataFusion knows it.
fn set_operator(op: SetOperator, quantifier: SetQuantifier) -> Result<SetOperator, Error> {
    match (op, quantifier) {
        (_, SetQuantifier::ByName | SetQuantifier::AllByName | SetQuantifier::DistinctByName) => {
            Err(Error::unsupported(format!("{op} {quantifier}")))
        }
        // DataFusion's would give all rows of the left that the right has, or has not.
        (SetOperator::Except | SetOperator::Minus | SetOperator::Intersect, SetQuantifier::All) => {
            Err(Error::unsupported(format!("{op} ALL")))
        }
        (SetOperator::Minus, _) => Ok(SetOperator::Except),
        (op, _) => Ok(op),
    }
}

/// ORDER BY behind a set operation: a column's name or number.
fn by_output(mut order: OrderByExpr, outputs: &[Output]) -> Result<OrderByExpr, Error> {
    let found = match &order.expr {
        Expr::Identifier(name) => outputs
            .iter()
            .find(|output| same(&output.name, &name.value)),
        Expr::Value(value) => Some(numbered(value, outputs)?),
        _ => None,
    };
    let Some(found) = found else {
        let message = format!(
            "{}: behind UNION and its like, only columns of the result can be sorted by",
            order.expr
        );
        return Err(Error::new(Code::UndefinedColumn, message).at(order.expr.span()));
    };
    order.expr = Expr::Identifier(quoted(&found.internal));
    select::nulls(&mut order);
    Ok(order)
}

/// The output that `ORDER BY 2` means.
fn numbered<'o, T>(value: &ast::ValueWithSpan, outputs: &'o [T]) -> Result<&'o T, Error> {
    let number = match &value.value {
        Value::Number(digits, _) => digits.parse::<usize>().ok(),
        _ => None,
    };
    number
        .and_then(|number| outputs.get(number.checked_sub(1)?))
        .ok_or_else(|| {
            let message = format!(
                "{value} is the number of no column: there are {}",
                outputs.len()
            );
            Error::new(Code::Syntax, message).at(value.span)
        })
}

/// `LIMIT 0` and `LIMIT ALL` are no limit.
fn limit(clause: LimitClause) -> Result<Option<LimitClause>, Error> {
    let LimitClause::LimitOffset {
        limit,
        offset,
        limit_by,
    } = clause
    else {
        return Err(Error::unsupported("LIMIT with two numbers"));
    };
    if !limit_by.is_empty() {
        return Err(Error::unsupported("LIMIT BY"));
    }
    let limit = match limit {
        None => None,
        Some(limit) => (whole(&limit, "LIMIT")? != 0).then_some(limit),
    };
    if let Some(offset) = &offset {
        whole(&offset.value, "OFFSET")?;
    }
    Ok(
        (limit.is_some() || offset.is_some()).then_some(LimitClause::LimitOffset {
            limit,
            offset,
            limit_by,
        }),
    )
}

/// A number of rows as an expression.
pub(super) fn number(rows: usize) -> Expr {
    Expr::Value(Value::Number(rows.to_string(), false).into())
}

/// A number of rows that is written as such.
pub(super) fn whole(expr: &Expr, clause: &str) -> Result<usize, Error> {
    let number = match expr {
        Expr::Value(value) => match &value.value {
            Value::Number(digits, _) => digits.parse().ok(),
            _ => None,
        },
        _ => None,
    };
    number.ok_or_else(|| {
        Error::unsupported(format!("{clause} {expr} (only a whole number)")).at(expr.span())
    })
}

/// Refuses the first clause that is there.
fn refuse(clauses: &[(bool, &str)]) -> Result<(), Error> {
    match clauses.iter().find(|(there, _)| *there) {
        Some((_, clause)) => Err(Error::unsupported(clause)),
        None => Ok(()),
    }
}

/// A chain of operators is as deep as it is long: where less than this is left of the stack …
const RED_ZONE: usize = 256 * 1024;
/// … this much more is taken.
const STACK: usize = 4 * 1024 * 1024;
