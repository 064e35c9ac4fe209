//! Tables without objects: each of their fields is a column, called by its path (`?FLATTEN` of the platform).

use std::sync::Arc;

use arrow::datatypes::{DataType, Fields};
use datafusion::catalog::TableProvider;
use datafusion::datasource::ViewTable;
use datafusion::error::Result;
use datafusion::execution::SessionState;

use crate::dialect::{self, Error, Statement};
use crate::tables::{Snapshots, Tables};

/// The table without objects. Lists and maps stay as they are, with what is in them.
///
/// # Errors
/// Two columns would have one name.
pub(crate) fn flattened(
    table: Arc<dyn TableProvider>,
    state: &SessionState,
) -> Result<Arc<dyn TableProvider>> {
    let schema = table.schema();
    let mut fields = schema.fields().iter();
    if !fields.any(|field| matches!(field.data_type(), DataType::Struct(_))) {
        return Ok(table);
    }
    let mut items = Vec::new();
    leaves(schema.fields(), &mut Vec::new(), &mut |path| {
        let written: Vec<_> = path.iter().map(|name| quoted(name)).collect();
        items.push(format!(
            "{} AS {}",
            written.join("."),
            quoted(&path.join("."))
        ));
    });
    let text = format!("SELECT {} FROM {NAME}", items.join(", "));
    let query = match dialect::parse(&text)?.pop() {
        Some(Statement::Query(query)) => query,
        _ => return Err(Error::unsupported(text).into()),
    };
    let plan = dialect::plan(&query, &Only(table), state)?;
    Ok(Arc::new(ViewTable::new(plan, None)))
}

/// Each path that leads to no object.
fn leaves<'f>(fields: &'f Fields, path: &mut Vec<&'f str>, found: &mut impl FnMut(&[&str])) {
    for field in fields {
        path.push(field.name());
        match field.data_type() {
            DataType::Struct(fields) => leaves(fields, path, found),
            _ => found(path),
        }
        path.pop();
    }
}

fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// What the table is called among itself.
const NAME: &str = "nested";

/// One table and no other.
#[derive(Debug)]
struct Only(Arc<dyn TableProvider>);

impl Tables for Only {
    fn names(&self) -> Vec<String> {
        vec![NAME.to_owned()]
    }

    fn table(&self, _: &str, _: &Snapshots) -> Result<Option<Arc<dyn TableProvider>>> {
        Ok(Some(Arc::clone(&self.0)))
    }

    fn history(&self, _: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        Ok(None)
    }
}
