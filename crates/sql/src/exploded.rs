//! What a condition on the rows of `explode` says of the lists that they are made of.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field};
use datafusion::common::tree_node::{Transformed, TreeNode as _};
use datafusion::common::{Column, DFSchema, Result, ScalarValue};
use datafusion::logical_expr::expr::{HigherOrderFunction, Lambda, LambdaVariable};
use datafusion::logical_expr::utils::split_conjunction;
use datafusion::logical_expr::{
    Expr, ExprSchemable as _, LogicalPlan, TableProviderFilterPushDown, TableScan, Unnest,
};
use datafusion::optimizer::{ApplyOrder, OptimizerConfig, OptimizerRule};

use crate::dialect;

/// The parameter of the lambda that is made of a condition.
const ELEMENT: &str = "element";

/// Tells tables what `WHERE` asks of the rows of `explode(list)` and `inline(list)`: that `exists(list, …)` holds of the rows
/// that they are made of. It stands beside the filters that a table takes in, and is nobody's else: what the rows must be is
/// decided where they are.
#[derive(Debug)]
pub(crate) struct Exploded;

impl OptimizerRule for Exploded {
    fn name(&self) -> &'static str {
        "exploded"
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        Some(ApplyOrder::TopDown)
    }

    fn rewrite(
        &self,
        plan: LogicalPlan,
        _: &dyn OptimizerConfig,
    ) -> Result<Transformed<LogicalPlan>> {
        let LogicalPlan::Filter(filter) = &plan else {
            return Ok(Transformed::no(plan));
        };
        let conditions = split_conjunction(&filter.predicate).into_iter();
        let told = conditions.map(
            |condition| match of_rows(&filter.input, condition.clone())? {
                None => Ok(None),
                Some((unnest, condition)) => below(unnest, condition),
            },
        );
        let told: Vec<Expr> = told
            .collect::<Result<Vec<_>>>()?
            .into_iter()
            .flatten()
            .collect();
        match told.is_empty() {
            true => Ok(Transformed::no(plan)),
            false => plan.map_children(|child| Ok(Transformed::yes(with_filters(child, &told)?))),
        }
    }
}

/// The generator whose rows come to a condition one by one, and what the condition is over these.
fn of_rows(plan: &LogicalPlan, condition: Expr) -> Result<Option<(&Unnest, Expr)>> {
    match (plan, step(plan, &condition)?) {
        (LogicalPlan::Unnest(unnest), _) => Ok(Some((unnest, condition))),
        (_, Some((below, condition))) => of_rows(below, condition),
        _ => Ok(None),
    }
}

/// What a condition on the rows of a generator says of the table below; `None` where that is nothing, or known there.
fn below(unnest: &Unnest, condition: Expr) -> Result<Option<Expr>> {
    let [(number, list)] = &unnest.list_type_columns[..] else {
        return Ok(None);
    };
    let is_own = condition.column_refs() == HashSet::from([&list.output_column]);
    if !is_own || list.depth != 1 {
        return Ok(None);
    }
    let (qualifier, field) = unnest.input.schema().qualified_field(*number);
    let column = Expr::Column(Column::new(qualifier.cloned(), field.name()));
    let Some((scan, made)) = made_of(&unnest.input, column)? else {
        return Ok(None);
    };
    let Expr::ScalarFunction(call) = &made else {
        return Ok(None);
    };
    let (name, [argument]) = (call.name(), &call.args[..]) else {
        return Ok(None);
    };
    let DataType::List(element) = argument.get_type(scan.projected_schema.as_ref())? else {
        return Ok(None);
    };
    let Some(body) = of_element(condition, &list.output_column, name, &element)? else {
        return Ok(None);
    };
    let Some(exists) = dialect::exists() else {
        return Ok(None);
    };
    let lambda = Expr::Lambda(Lambda::new(vec![ELEMENT.to_owned()], body));
    let exists = HigherOrderFunction::new(exists, vec![argument.clone(), lambda]);
    let exists = Expr::HigherOrderFunction(exists);
    let takes = scan.source.supports_filters_pushdown(&[&exists])?;
    let is_told = scan.filters.contains(&exists);
    let is_taken = takes == [TableProviderFilterPushDown::Inexact];
    Ok((is_taken && !is_told).then_some(exists))
}

/// The table that rows come from one by one, and what an expression over the rows is over that.
fn made_of(plan: &LogicalPlan, of: Expr) -> Result<Option<(&TableScan, Expr)>> {
    match plan {
        // Of rows that are limited there others would be.
        LogicalPlan::TableScan(scan) => Ok(scan.fetch.is_none().then_some((scan, of))),
        LogicalPlan::Unnest(unnest) => {
            let mut own = unnest.list_type_columns.iter();
            let columns = of.column_refs();
            match own.any(|(_, list)| columns.contains(&list.output_column))
                || !unnest.struct_type_columns.is_empty()
            {
                true => Ok(None),
                false => made_of(&unnest.input, of),
            }
        }
        plan => match step(plan, &of)? {
            Some((below, of)) => made_of(below, of),
            None => Ok(None),
        },
    }
}

/// The plan below one that has its rows, no more and in no other order, and what an expression is over that.
fn step<'a>(plan: &'a LogicalPlan, of: &Expr) -> Result<Option<(&'a LogicalPlan, Expr)>> {
    match plan {
        LogicalPlan::Filter(filter) => Ok(Some((&filter.input, of.clone()))),
        LogicalPlan::Projection(projection) => {
            let of = with_columns(of.clone(), &projection.schema, |number| {
                projection.expr[number].clone().unalias_nested().data
            })?;
            Ok(Some((&projection.input, of)))
        }
        LogicalPlan::SubqueryAlias(alias) => {
            let inner = alias.input.schema();
            let of = with_columns(of.clone(), &alias.schema, |number| {
                let (qualifier, field) = inner.qualified_field(number);
                Expr::Column(Column::new(qualifier.cloned(), field.name()))
            })?;
            Ok(Some((&alias.input, of)))
        }
        _ => Ok(None),
    }
}

/// An expression with other ones for columns of a schema, by their numbers there.
fn with_columns(of: Expr, schema: &DFSchema, other: impl Fn(usize) -> Expr) -> Result<Expr> {
    let changed = of.transform_up(|part| match part {
        Expr::Column(column) => {
            let number = schema.index_of_column(&column)?;
            Ok(Transformed::yes(other(number)))
        }
        part => Ok(Transformed::no(part)),
    });
    Ok(changed?.data)
}

/// A condition on a generator's row as one on the element that it is made of; `None` where it asks for more.
fn of_element(
    condition: Expr,
    row: &Column,
    generator: &str,
    element: &Arc<Field>,
) -> Result<Option<Expr>> {
    let variable = || {
        let field = Field::new(ELEMENT, element.data_type().clone(), true);
        let variable = LambdaVariable::new(ELEMENT.to_owned(), Some(Arc::new(field)));
        Transformed::yes(Expr::LambdaVariable(variable))
    };
    let is_row = |part: &Expr| matches!(part, Expr::Column(column) if column == row);
    let body = condition.transform_down(|part| match (&part, generator) {
        (part, "spark_inline") if is_row(part) => Ok(variable()),
        (Expr::ScalarFunction(call), "spark_explode" | "spark_posexplode")
            if call.name() == "spark_get"
                && call.args.first().is_some_and(is_row)
                && matches!(call.args.get(1), Some(Expr::Literal(ScalarValue::Utf8(Some(name)), _)) if name == "col") =>
        {
            Ok(variable())
        }
        _ => Ok(Transformed::no(part)),
    })?;
    Ok(body.data.column_refs().is_empty().then_some(body.data))
}

/// The plan with these filters beside the others of the one table below.
fn with_filters(plan: LogicalPlan, filters: &[Expr]) -> Result<LogicalPlan> {
    match plan {
        LogicalPlan::TableScan(mut scan) => {
            scan.filters.extend(filters.iter().cloned());
            Ok(LogicalPlan::TableScan(scan))
        }
        plan => {
            let plan =
                plan.map_children(|child| Ok(Transformed::yes(with_filters(child, filters)?)));
            Ok(plan?.data)
        }
    }
}
