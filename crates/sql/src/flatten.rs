//! Tables without objects: each of their fields is a column, called by its path (`?FLATTEN` of the platform).

use std::sync::Arc;

use arrow::datatypes::{DataType, Field};
use datafusion::catalog::TableProvider;
use datafusion::common::Column;
use datafusion::datasource::{ViewTable, provider_as_source};
use datafusion::error::Result;
use datafusion::logical_expr::{Expr, LogicalPlanBuilder, lit};

use crate::dialect::field_of;

/// The table without objects. Lists and maps stay as they are, with what is in them.
///
/// # Errors
/// Two columns would have one name.
pub(crate) fn flattened(table: Arc<dyn TableProvider>) -> Result<Arc<dyn TableProvider>> {
    let schema = table.schema();
    let mut fields = schema.fields().iter();
    if !fields.any(|field| matches!(field.data_type(), DataType::Struct(_))) {
        return Ok(table);
    }
    let mut columns = Vec::new();
    for field in schema.fields() {
        let own = Expr::Column(Column::new(Some(NAME), field.name()));
        leaves(field, own, field.name().clone(), &mut columns)?;
    }
    let plan = LogicalPlanBuilder::scan(NAME, provider_as_source(table), None)?
        .project(columns)?
        .build()?;
    Ok(Arc::new(ViewTable::new(plan, None)))
}

/// What the table is called among itself.
const NAME: &str = "nested";

/// The fields that are no objects, by their paths.
fn leaves(field: &Field, value: Expr, path: String, found: &mut Vec<Expr>) -> Result<()> {
    let DataType::Struct(fields) = field.data_type() else {
        found.push(value.alias(path));
        return Ok(());
    };
    for field in fields {
        let own = field_of(value.clone(), lit(field.name().as_str()))?;
        leaves(field, own, format!("{path}.{}", field.name()), found)?;
    }
    Ok(())
}
