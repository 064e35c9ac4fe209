//! What a statement will give, before it runs: for clients that ask for the columns first.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::logical_expr::LogicalPlan;

use crate::dialect::{Error, Query, Statement};
use crate::session::{Session, not_prepared};
use crate::store_tables::TableInfo;
use crate::tables::{Snapshots, Tables as _};

/// A query that is ready to run, over the store as it was when it was planned.
#[derive(Clone, Debug)]
pub struct Planned(LogicalPlan);

impl Planned {
    /// The columns of its rows.
    #[must_use]
    pub fn schema(&self) -> SchemaRef {
        Arc::clone(self.0.schema().inner())
    }
}

impl Session {
    /// Plans a query, and runs nothing.
    ///
    /// # Errors
    /// A table, column or function that there isn't, something that this dialect does not have, a damaged store.
    pub fn planned(&self, query: &Query) -> Result<Planned, Error> {
        self.plan(query).map(Planned)
    }

    /// Runs what is planned, up to its first rows.
    ///
    /// # Errors
    /// A damaged store.
    pub async fn rows_of(&self, planned: Planned) -> Result<SendableRecordBatchStream, Error> {
        self.rows(planned.0).await
    }

    /// The columns that a statement gives when it runs; `None` for one that gives no rows. Nothing runs.
    ///
    /// # Errors
    /// As those of [`Session::run`].
    pub fn columns(&self, statement: &Statement) -> Result<Option<SchemaRef>, Error> {
        Ok(Some(match statement {
            Statement::Query(query) => self.planned(query)?.schema(),
            Statement::Explain { .. } => of_texts(&["QUERY PLAN"]),
            Statement::ShowTables => of_texts(&["name", "dataSetId", "description"]),
            Statement::ShowViews => of_texts(&["name", "definition"]),
            Statement::Execute { name, parameters } => {
                let query = self.own().prepared.get(name).cloned();
                let query = query.ok_or_else(|| not_prepared(name))?;
                self.planned(&query.with_parameters(parameters)?)?.schema()
            }
            Statement::Fetch { cursor, .. } => self.own().cursors.schema(cursor)?,
            _ => return Ok(None),
        }))
    }
}

/// A table or view, and its columns.
#[derive(Clone, Debug)]
pub struct Relation {
    /// Its name.
    pub name: String,
    /// What its rows are.
    pub description: String,
    /// The query that a view shows.
    pub view: Option<String>,
    /// Its columns; `None` where they can't be told now, as those of a table whose files are damaged.
    pub columns: Option<SchemaRef>,
}

impl Session {
    /// The tables and views that statements of this session can name, by name.
    ///
    /// # Errors
    /// A damaged store.
    pub fn relations(&self) -> Result<Vec<Relation>, Error> {
        let tables = self.tables_now()?;
        let views: Vec<(String, String)> = {
            let own = self.own();
            let views = own.views.iter();
            views
                .map(|(name, query)| (name.clone(), query.to_string()))
                .collect()
        };
        let relation = |info: TableInfo| {
            let columns = match tables.table(&info.name, &Snapshots::All) {
                Ok(table) => table.map(|table| table.schema()),
                // What is wrong with it is said to whoever reads it.
                Err(_) => None,
            };
            let mut views = views.iter();
            let view = views.find(|(name, _)| *name == info.name);
            Relation {
                view: view.map(|(_, query)| query.clone()),
                name: info.name,
                description: info.description,
                columns,
            }
        };
        Ok(self.all_tables()?.into_iter().map(relation).collect())
    }
}

fn of_texts(names: &[&str]) -> SchemaRef {
    let field = |name: &&str| Field::new(*name, DataType::Utf8, true);
    Arc::new(Schema::new(names.iter().map(field).collect::<Vec<_>>()))
}
