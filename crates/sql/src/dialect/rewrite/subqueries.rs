//! `IN (SELECT …)` and `EXISTS (SELECT …)`, where DataFusion's joins for them answer as Spark does. It loses nulls of
//! IN that is a value, and makes a row of no rows for aggregates that look at the query around them.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    self, BinaryOperator, Expr, GroupByExpr, SetExpr, Visit, Visitor,
};

use super::super::error::Error;
use super::super::scope::Scope;
use super::expr::Place;
use super::{RED_ZONE, Rewriter, STACK, build, calls};

impl Rewriter<'_> {
    /// A condition of WHERE: IN (SELECT …) is known in it where all of it must be true.
    pub(super) fn condition(&mut self, expr: Expr, place: &mut Place<'_>) -> Result<Expr, Error> {
        stacker::maybe_grow(RED_ZONE, STACK, || match expr {
            Expr::BinaryOp {
                left,
                op: BinaryOperator::And,
                right,
            } => Ok(build::binary(
                self.condition(*left, place)?,
                BinaryOperator::And,
                self.condition(*right, place)?,
            )),
            Expr::Nested(inner) => Ok(Expr::Nested(Box::new(self.condition(*inner, place)?))),
            Expr::InSubquery {
                expr,
                subquery,
                negated,
            } => self.membership(*expr, *subquery, negated, place),
            other => self.expr(other, place),
        })
    }

    fn membership(
        &mut self,
        expr: Expr,
        subquery: ast::Query,
        negated: bool,
        place: &mut Place<'_>,
    ) -> Result<Expr, Error> {
        let expr = self.expr(expr, place)?;
        let (subquery, correlated) = self.subquery(subquery, place.scope)?;
        if negated {
            if correlated {
                return Err(Error::unsupported(
                    "NOT IN (SELECT …) of columns of the query around it (NOT EXISTS is known)",
                ));
            }
            let around = place.scope.outer;
            if !names(&expr, |name| has(place.scope, name))
                || around.is_some_and(|around| names(&expr, |name| reaches(around, name)))
            {
                return Err(Error::unsupported(
                    "NOT IN (SELECT …) of anything but columns of its own query",
                ));
            }
        }
        Ok(Expr::InSubquery {
            expr: Box::new(expr),
            subquery: Box::new(subquery),
            negated,
        })
    }

    /// The query of EXISTS or IN, and whether it names columns of those around it.
    pub(super) fn subquery(
        &mut self,
        query: ast::Query,
        scope: &Scope<'_>,
    ) -> Result<(ast::Query, bool), Error> {
        let whole = aggregated(&query.body);
        let (query, _) = self.query(query, Some(scope))?;
        let correlated = names(&query, |name| reaches(scope, name));
        if whole && correlated {
            return Err(Error::unsupported(
                "EXISTS and IN (SELECT …) with aggregates without GROUP BY over columns of the query around them",
            ));
        }
        Ok((query, correlated))
    }
}

/// Whether a query gives one row of whatever rows there are.
fn aggregated(body: &SetExpr) -> bool {
    match body {
        SetExpr::Select(select) => {
            let grouped = match &select.group_by {
                GroupByExpr::All(_) => true,
                GroupByExpr::Expressions(all, _) => !all.is_empty(),
            };
            !grouped && (select.having.is_some() || select.projection.iter().any(calls::aggregates))
        }
        SetExpr::Query(query) => aggregated(&query.body),
        SetExpr::SetOperation { left, right, .. } => aggregated(left) || aggregated(right),
        _ => false,
    }
}

/// Whether a relation of that scope is called so in the plan.
fn has(scope: &Scope<'_>, internal: &str) -> bool {
    scope
        .relations
        .iter()
        .any(|relation| relation.internal == internal)
}

/// The same of that scope and those around it.
fn reaches(scope: &Scope<'_>, internal: &str) -> bool {
    has(scope, internal) || scope.outer.is_some_and(|outer| reaches(outer, internal))
}

/// Whether something rewritten names a column of such a relation.
fn names(of: &impl Visit, wanted: impl Fn(&str) -> bool) -> bool {
    struct Names<F>(F);
    impl<F: Fn(&str) -> bool> Visitor for Names<F> {
        type Break = ();

        fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
            match expr {
                Expr::CompoundIdentifier(parts)
                    if parts.first().is_some_and(|first| (self.0)(&first.value)) =>
                {
                    ControlFlow::Break(())
                }
                _ => ControlFlow::Continue(()),
            }
        }
    }
    of.visit(&mut Names(wanted)).is_break()
}
