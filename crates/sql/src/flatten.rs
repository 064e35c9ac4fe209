//! Tables without objects: each of their fields is a column, called by its path (`?FLATTEN` of the platform).

use std::collections::HashSet;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field};
use datafusion::catalog::TableProvider;
use datafusion::common::Column;
use datafusion::datasource::{ViewTable, provider_as_source};
use datafusion::error::Result;
use datafusion::logical_expr::{Expr, LogicalPlanBuilder, lit};

use crate::dialect::{Code, Error, field_of};

/// The table without objects. Lists and maps stay as they are, with what is in them.
///
/// # Errors
/// Two columns would have one name (42701).
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
    let mut known = HashSet::new();
    if let Some((path, _)) = columns.iter().find(|(path, _)| !known.insert(path)) {
        let message =
            format!("two fields have the path {path:?}, which is one column without objects");
        return Err(Error::new(Code::DuplicateColumn, message).into());
    }
    let columns = columns.into_iter().map(|(path, value)| value.alias(path));
    let plan = LogicalPlanBuilder::scan(NAME, provider_as_source(table), None)?
        .project(columns)?
        .build()?;
    Ok(Arc::new(ViewTable::new(plan, None)))
}

/// What the table is called among itself.
const NAME: &str = "nested";

/// The fields that are no objects, by their paths.
fn leaves(field: &Field, value: Expr, path: String, found: &mut Vec<(String, Expr)>) -> Result<()> {
    let DataType::Struct(fields) = field.data_type() else {
        found.push((path, value));
        return Ok(());
    };
    for field in fields {
        let own = field_of(value.clone(), lit(field.name().as_str()))?;
        leaves(field, own, format!("{path}.{}", field.name()), found)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::Schema;
    use datafusion::datasource::empty::EmptyTable;

    use super::*;

    #[test]
    fn two_fields_of_one_path_are_refused() {
        let leaf = |name: &str| Field::new(name, DataType::Utf8, true);
        let object = Field::new("a", DataType::Struct(vec![leaf("b")].into()), true);
        let of = |fields: Vec<Field>| {
            flattened(Arc::new(EmptyTable::new(Arc::new(Schema::new(fields)))))
        };
        let table = of(vec![object.clone(), leaf("b")]).expect("two columns");
        let names: Vec<_> = table
            .schema()
            .fields()
            .iter()
            .map(|one| one.name().clone())
            .collect();
        assert_eq!(names, ["a.b", "b"]);
        let error = Error::from(of(vec![leaf("a.b"), object]).expect_err("one path twice"));
        assert_eq!(error.code, Code::DuplicateColumn);
        assert!(error.message.contains("a.b"), "{error}");
    }
}
