//! Queries that can give no row, since nothing is in a table that they read.

use std::collections::HashSet;
use std::convert::Infallible;
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Cte, DataType, Expr, GroupByExpr, Ident, Join, JoinOperator, ObjectName, ObjectNamePart, Query,
    SelectItem, SetExpr, Statement, TableFactor, Value, Visit, VisitMut as _, Visitor, VisitorMut,
};

use super::super::tables;
use super::build::cast;

/// Aggregates of PostgreSQL's that DataFusion need not know.
const POSTGRESQL: &[&str] = &[
    "any_value",
    "array_agg",
    "avg",
    "bit_and",
    "bit_or",
    "bit_xor",
    "bool_and",
    "bool_or",
    "corr",
    "count",
    "covar_pop",
    "covar_samp",
    "cume_dist",
    "dense_rank",
    "every",
    "json_agg",
    "json_object_agg",
    "jsonb_agg",
    "jsonb_object_agg",
    "max",
    "min",
    "mode",
    "percent_rank",
    "percentile_cont",
    "percentile_disc",
    "range_agg",
    "range_intersect_agg",
    "rank",
    "string_agg",
    "sum",
    "xmlagg",
];

/// Which functions make one value of many rows.
pub(in super::super) struct Aggregates(HashSet<String>);

impl Aggregates {
    /// PostgreSQL's and others.
    pub(in super::super) fn with(others: impl IntoIterator<Item = String>) -> Self {
        let own = POSTGRESQL.iter().map(|name| (*name).to_owned());
        let others = others.into_iter().map(|name| name.to_lowercase());
        Self(own.chain(others).collect())
    }

    fn is_one(&self, expr: &Expr) -> bool {
        let Expr::Function(function) = expr else {
            return false;
        };
        let name = function.name.0.last().and_then(ObjectNamePart::as_ident);
        let Some(name) = name.map(|name| name.value.to_lowercase()) else {
            return false;
        };
        let families = ["regr_", "stddev", "var_", "variance"];
        self.0.contains(&name) || families.iter().any(|family| name.starts_with(family))
    }

    /// Whether one stands in an expression, but not in a query within it.
    pub(super) fn is_in(&self, expr: &Expr) -> bool {
        struct Look<'a>(&'a Aggregates, usize);
        impl Visitor for Look<'_> {
            type Break = ();

            fn pre_visit_query(&mut self, _: &Query) -> ControlFlow<()> {
                self.1 += 1;
                ControlFlow::Continue(())
            }

            fn post_visit_query(&mut self, _: &Query) -> ControlFlow<()> {
                self.1 -= 1;
                ControlFlow::Continue(())
            }

            fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
                match self.1 == 0 && self.0.is_one(expr) {
                    true => ControlFlow::Break(()),
                    false => ControlFlow::Continue(()),
                }
            }
        }
        expr.visit(&mut Look(self, 0)).is_break()
    }
}

/// Those that any PostgreSQL has.
pub(super) fn postgresql() -> Aggregates {
    Aggregates::with([])
}

/// Makes the queries that give no row such that say so: what else they say need not be understood. Whether there was
/// one.
pub(in super::super) fn nothing(statement: &mut Statement, aggregates: &Aggregates) -> bool {
    let mut names = Names(HashSet::new());
    let ControlFlow::Continue(()) = statement.visit(&mut names);
    let mut found = Found {
        nothing: Nothing {
            aggregates,
            own: names.0,
        },
        any: false,
    };
    let ControlFlow::Continue(()) = statement.visit(&mut found);
    found.any
}

/// The names that statements give to queries: tables that are called so are these.
struct Names(HashSet<String>);

impl VisitorMut for Names {
    type Break = Infallible;

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<Infallible> {
        let tables: &[Cte] = query.with.as_ref().map_or(&[], |with| &with.cte_tables);
        self.0
            .extend(tables.iter().map(|table| plain(&table.alias.name)));
        ControlFlow::Continue(())
    }
}

struct Found<'a> {
    nothing: Nothing<'a>,
    any: bool,
}

impl VisitorMut for Found<'_> {
    type Break = Infallible;

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<Infallible> {
        self.any |= self.nothing.empty(query);
        ControlFlow::Continue(())
    }
}

struct Nothing<'a> {
    aggregates: &'a Aggregates,
    own: HashSet<String>,
}

impl Nothing<'_> {
    /// Whether a table has never a row.
    fn is_table(&self, name: &ObjectName) -> bool {
        let parts = name.0.iter().map(ObjectNamePart::as_ident);
        let parts: Option<Vec<String>> = parts.map(|part| part.map(plain)).collect();
        match parts.as_deref() {
            Some([name]) => !self.own.contains(name) && tables::is_empty("pg_catalog", name),
            Some([schema, name]) => tables::is_empty(schema, name),
            _ => false,
        }
    }

    /// Whether FROM has a table that is always empty, where no rows of others make up for it.
    fn is_from(&self, query: &Query) -> bool {
        let SetExpr::Select(select) = &*query.body else {
            return false;
        };
        let empty = |factor: &TableFactor| match factor {
            TableFactor::Table {
                name, args: None, ..
            } => self.is_table(name),
            TableFactor::Derived { subquery, .. } => self.columns(subquery).is_some(),
            _ => false,
        };
        select.from.iter().any(|from| {
            let joins = from.joins.iter().filter(|join| {
                matches!(
                    join.join_operator,
                    JoinOperator::Join(_) | JoinOperator::Inner(_) | JoinOperator::CrossJoin(_)
                )
            });
            let outer = |join: &Join| {
                matches!(
                    join.join_operator,
                    JoinOperator::Right(_)
                        | JoinOperator::RightOuter(_)
                        | JoinOperator::FullOuter(_)
                )
            };
            let mut joined = joins.map(|join| &join.relation);
            let first = empty(&from.relation) || joined.any(empty);
            first && !from.joins.iter().any(outer)
        })
    }

    /// Makes a query that gives no row one that says so; whether it was one.
    fn empty(&self, query: &mut Query) -> bool {
        let Some(columns) = self.columns(query) else {
            return false;
        };
        let SetExpr::Select(select) = &mut *query.body else {
            return false;
        };
        select.projection = columns;
        select.distinct = None;
        select.from.clear();
        select.group_by = GroupByExpr::Expressions(Vec::new(), Vec::new());
        select.having = None;
        select.selection = Some(Expr::Value(Value::Boolean(false).into()));
        query.order_by = None;
        query.limit_clause = None;
        true
    }

    /// The columns of a query that can give no row, all of them null; `None` for one that can, or whose columns aren't
    /// told.
    fn columns(&self, query: &Query) -> Option<Vec<SelectItem>> {
        if query.with.is_some() || !self.is_from(query) {
            return None;
        }
        let SetExpr::Select(select) = &*query.body else {
            return None;
        };
        // One group of no rows is a row, unless the groups are told.
        let groups = matches!(&select.group_by, GroupByExpr::Expressions(by, _) if !by.is_empty());
        let is_group = |expr: &Expr| !groups && self.aggregates.is_in(expr);
        if select.having.is_some() && !groups {
            return None;
        }
        let column = |item: &SelectItem| {
            let (value, name) = match item {
                SelectItem::ExprWithAlias { expr, alias } => (expr, alias.clone()),
                SelectItem::UnnamedExpr(expr) => (expr, Ident::with_quote('"', named(expr))),
                _ => return None,
            };
            (!is_group(value)).then(|| SelectItem::ExprWithAlias {
                expr: cast(Expr::Value(Value::Null.into()), DataType::Text),
                alias: name,
            })
        };
        select.projection.iter().map(column).collect()
    }
}

/// A name as PostgreSQL knows it.
fn plain(name: &Ident) -> String {
    match name.quote_style {
        None => name.value.to_lowercase(),
        Some(_) => name.value.clone(),
    }
}

pub(super) fn is_nothing(query: &Query) -> bool {
    let SetExpr::Select(select) = &*query.body else {
        return false;
    };
    let is_false =
        |expr: &Expr| matches!(expr, Expr::Value(value) if value.value == Value::Boolean(false));
    select.from.is_empty() && select.selection.as_ref().is_some_and(is_false)
}

/// What PostgreSQL calls a column that has no alias.
pub(super) fn named(expr: &Expr) -> String {
    match expr {
        Expr::Identifier(name) => name.value.clone(),
        Expr::CompoundIdentifier(names) => names
            .last()
            .map_or_else(String::new, |name| name.value.clone()),
        Expr::Function(function) => {
            let last = function.name.0.last();
            last.map_or_else(String::new, |name| {
                name.to_string().trim_matches('"').to_lowercase()
            })
        }
        Expr::Cast { expr, .. } | Expr::Nested(expr) => named(expr),
        Expr::Case { .. } => "case".to_owned(),
        _ => "?column?".to_owned(),
    }
}
