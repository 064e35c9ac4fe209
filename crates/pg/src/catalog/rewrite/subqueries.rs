//! Queries within expressions.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, DuplicateTreatment, Expr, FunctionArgumentClause, FunctionArguments,
    GroupByExpr, OrderBy, OrderByKind, Query, SelectItem, SetExpr, Value,
};

use super::build::{call, function};
use super::nothing;
use crate::refusal::Refusal;

/// `x = ANY (SELECT …)` as `x IN (SELECT …)`, and `x <> ALL (SELECT …)` as its opposite.
pub(super) fn quantified(expr: &mut Expr) -> ControlFlow<Refusal> {
    let negated = match &*expr {
        Expr::AnyOp {
            compare_op, right, ..
        }
        | Expr::AllOp {
            compare_op, right, ..
        } if matches!(**right, Expr::Subquery(_)) => match (compare_op, &*expr) {
            (BinaryOperator::Eq, Expr::AnyOp { .. }) => false,
            (BinaryOperator::NotEq, Expr::AllOp { .. }) => true,
            (op, _) => {
                let what = format!("{op} ANY or ALL (SELECT …) in the catalog");
                return ControlFlow::Break(Refusal::unsupported(what));
            }
        },
        _ => return ControlFlow::Continue(()),
    };
    let null = Expr::Value(Value::Null.into());
    match std::mem::replace(expr, null) {
        Expr::AnyOp { left, right, .. } | Expr::AllOp { left, right, .. } => {
            if let Expr::Subquery(subquery) = *right {
                *expr = Expr::InSubquery {
                    expr: left,
                    subquery,
                    negated,
                };
            }
        }
        other => *expr = other,
    }
    ControlFlow::Continue(())
}

/// Whether it is a value of all rows together; a query within it has rows of its own.
fn aggregates_itself(value: &Expr) -> bool {
    nothing::postgresql().is_in(value)
}

/// `ARRAY(SELECT x … ORDER BY y)` is the list of what it gives.
pub(super) fn gathered(mut query: Query) -> Result<Query, Refusal> {
    let order = match query.order_by.take() {
        None => Vec::new(),
        Some(OrderBy {
            kind: OrderByKind::Expressions(order),
            ..
        }) => order,
        Some(_) => return Err(Refusal::unsupported("ORDER BY ALL in ARRAY(SELECT …)")),
    };
    match projection(&mut query) {
        Some(value) => {
            let written = std::mem::replace(value, Expr::Value(Value::Null.into()));
            let mut aggregate = function("array_agg", vec![written]);
            if let FunctionArguments::List(list) = &mut aggregate.args
                && !order.is_empty()
            {
                list.clauses.push(FunctionArgumentClause::OrderBy(order));
            }
            *value = Expr::Function(aggregate);
            Ok(query)
        }
        None => Err(Refusal::unsupported("ARRAY of such a query")),
    }
}

/// A query that stands for a value: that of its one row.
pub(super) fn single(mut query: Query) -> Expr {
    let is_limited = query.limit_clause.is_some() || query.fetch.is_some();
    let is_one = match projection(&mut query) {
        Some(value) => aggregates_itself(value),
        None => true,
    };
    if is_limited || is_one {
        return Expr::Subquery(Box::new(query));
    }
    // In which order there is one row is all the same.
    query.order_by = None;
    let is_distinct = match &mut *query.body {
        SetExpr::Select(select) => select.distinct.take().is_some(),
        _ => false,
    };
    if let Some(value) = projection(&mut query) {
        let written = std::mem::replace(value, Expr::Value(Value::Null.into()));
        let mut list = function("array_agg", vec![written]);
        if let FunctionArguments::List(list) = &mut list.args
            && is_distinct
        {
            list.duplicate_treatment = Some(DuplicateTreatment::Distinct);
        }
        *value = Expr::Function(list);
    }
    call("only_one", vec![Expr::Subquery(Box::new(query))])
}

/// The one value that a plain SELECT gives.
fn projection(query: &mut Query) -> Option<&mut Expr> {
    let SetExpr::Select(select) = &mut *query.body else {
        return None;
    };
    let is_plain = matches!(&select.group_by, GroupByExpr::Expressions(by, _) if by.is_empty())
        && select.having.is_none()
        && !select.from.is_empty();
    match select.projection.as_mut_slice() {
        [SelectItem::UnnamedExpr(value) | SelectItem::ExprWithAlias { expr: value, .. }]
            if is_plain =>
        {
            Some(value)
        }
        _ => None,
    }
}
