//! UNION, INTERSECT, EXCEPT and VALUES of columns whose types differ.

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNode as _};
use datafusion::common::{Column, DFSchema, Result};
use datafusion::error::DataFusionError;
use datafusion::logical_expr::{Expr, ExprSchemable as _, LogicalPlan, LogicalPlanBuilder, Union};

use super::error::{Code, Error};
use super::operators::{Family, cast, family};

/// UNION: its columns get a type that all queries' can be cast to, as in Spark. The rows of these queries go nowhere
/// but out.
pub(super) fn unified(plan: LogicalPlan) -> Result<LogicalPlan> {
    match plan {
        LogicalPlan::Union(union) => {
            let inputs = union
                .inputs
                .into_iter()
                .map(|input| unified(Arc::unwrap_or_clone(input)))
                .collect::<Result<Vec<_>>>()?;
            unioned(inputs)
        }
        LogicalPlan::Sort(_) | LogicalPlan::Limit(_) | LogicalPlan::Distinct(_) => plan
            .map_children(|child| unified(child).map(Transformed::yes))?
            .data
            .recompute_schema(),
        other => Ok(other),
    }
}

fn unioned(inputs: Vec<LogicalPlan>) -> Result<LogicalPlan> {
    let width = inputs.first().map_or(0, |one| one.schema().fields().len());
    let mut targets = Vec::with_capacity(width);
    for place in 0..width {
        let all: Vec<_> = inputs
            .iter()
            .map(|input| family(input.schema().field(place).data_type()))
            .collect();
        targets.push(wider(&all)?);
    }
    let inputs = inputs
        .into_iter()
        .map(|input| {
            let columns: Vec<_> = input.schema().iter().map(Column::from).collect();
            let cast = columns.into_iter().zip(&targets).map(|(column, target)| {
                let Some(target) = target else {
                    return Ok(Expr::Column(column));
                };
                let (relation, name) = (column.relation.clone(), column.name.clone());
                Ok(cast(Expr::Column(column), target)?.alias_qualified(relation, name))
            });
            let cast = cast.collect::<Result<Vec<_>>>()?;
            if targets.iter().all(Option::is_none) {
                return Ok(Arc::new(input));
            }
            Ok(Arc::new(
                LogicalPlanBuilder::from(input).project(cast)?.build()?,
            ))
        })
        .collect::<Result<Vec<_>>>()?;
    Ok(LogicalPlan::Union(Union::try_new_with_loose_types(inputs)?))
}

/// The type that values of such types are cast to where they stand in one column; none where they needn't be.
fn wider(families: &[Family]) -> Result<Option<&'static str>> {
    use Family as F;
    let known: Vec<F> = families
        .iter()
        .copied()
        .filter(|one| *one != F::Null)
        .collect();
    let all = |of: &[F]| known.iter().all(|one| of.contains(one));
    if known.iter().all(|one| *one == known[0]) {
        Ok(None)
    } else if all(&[F::Whole, F::Float]) {
        Ok(Some("double"))
    } else if all(&[F::Date, F::Timestamp]) {
        Ok(Some("timestamp"))
    } else if all(&[F::Text, F::Whole, F::Float, F::Date, F::Timestamp]) {
        Ok(Some("string"))
    } else {
        let message = "the columns of UNION, INTERSECT, EXCEPT and VALUES are of types that differ";
        Err(Error::new(Code::DatatypeMismatch, message).into())
    }
}

/// Refuses what DataFusion would cast to other texts than Spark does, or compare in another way.
pub(super) fn one_family(node: &LogicalPlan) -> Result<()> {
    let alike = |families: &[Family]| {
        match wider(families)? {
        Some("string") => Err(Error::unsupported(
            "INTERSECT, EXCEPT, VALUES and UNION within expressions of texts and other types (cast them)",
        )
        .into()),
        _ => Ok::<_, DataFusionError>(()),
    }
    };
    match node {
        LogicalPlan::Union(union) => {
            for place in 0..union.schema.fields().len() {
                let all: Vec<_> = union
                    .inputs
                    .iter()
                    .map(|input| family(input.schema().field(place).data_type()))
                    .collect();
                alike(&all)?;
            }
        }
        LogicalPlan::Join(join) => {
            for (left, right) in &join.on {
                let left = left.get_type(join.left.schema())?;
                let right = right.get_type(join.right.schema())?;
                alike(&[family(&left), family(&right)])?;
            }
        }
        LogicalPlan::Values(values) => {
            for (value, field) in values
                .values
                .iter()
                .flat_map(|row| row.iter().zip(values.schema.fields()))
            {
                if let Expr::Cast(cast) = value {
                    let own = cast.expr.get_type(&DFSchema::empty())?;
                    alike(&[family(&own), family(field.data_type())])?;
                }
            }
        }
        _ => {}
    }
    Ok(())
}
