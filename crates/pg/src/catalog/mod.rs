//! What PostgreSQL's clients ask its catalog: which tables there are, of which columns and types.
//!
//! Such statements are PostgreSQL's own SQL and none of the platform's dialect, so they are planned apart from it: over
//! real tables (`tables.rs`) of what the session knows (`facts.rs`), by DataFusion, behind a pass that puts into its
//! words what it can't say (`rewrite.rs`). What can't be planned is refused; nothing is answered by its looks.

mod empty;
mod facts;
mod functions;
mod only_one;
mod privileges;
mod rewrite;
mod rows;
mod sheet;
mod tables;
#[cfg(test)]
mod tests;
mod types;

use std::fmt;
use std::future::{Future as _, poll_fn};
use std::pin::pin;
use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::datatypes::{Field, Schema as ArrowSchema, SchemaRef};
use datafusion::catalog::{
    CatalogProvider, MemTable, MemoryCatalogProvider, SchemaProvider, TableProvider,
};
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::logical_expr::ScalarUDF;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use datafusion::prelude::{SessionConfig, SessionContext};
use datafusion::sql::parser::Statement as DataFusionStatement;
use datafusion::sql::sqlparser::ast::Statement;
use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::parser::{Parser, ParserError};
use datafusion::sql::sqlparser::tokenizer::Tokenizer;
use futures_util::StreamExt as _;
use sql::Memory;
use sql::dialect::{NESTING, Parameter, check_size, on_a_long_stack, put_parameters};

use crate::refusal::{Problem, Refusal, SYNTAX, TOO_COMPLEX};
use crate::split::Piece;

pub(crate) use facts::{About, Facts};
use only_one::OnlyOne;

/// A statement that asks the catalog.
#[derive(Clone, Debug)]
pub(crate) struct Asked(Box<Statement>);

/// One that is planned.
#[derive(Clone)]
pub(crate) struct Planned {
    run: Arc<dyn ExecutionPlan>,
    schema: SchemaRef,
    context: SessionContext,
    /// What its columns are called, where the plan has to call them otherwise.
    names: Option<Vec<String>>,
}

impl fmt::Debug for Planned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.run.fmt(f)
    }
}

/// Whether a statement is one for the catalog: it names one of its schemas, tables or functions.
pub(crate) fn concerns(piece: &Piece) -> bool {
    let is_query =
        piece.begins(&["select"]) || piece.begins(&["with"]) || piece.begins(&["values"]);
    let named = |word: &String| {
        let word = word.as_str();
        matches!(word, "pg_catalog" | "information_schema")
            || (word.starts_with("pg_") && tables::names("pg_catalog").contains(&word))
    };
    let called = |word: &String| functions::is_known(word);
    // Words that are called without brackets may be columns, too.
    let alone = !piece.words.iter().any(|word| word == "from");
    let words = || piece.words.iter();
    is_query
        && (words().any(named) || piece.calls.iter().any(called) || (alone && words().any(called)))
}

impl Asked {
    /// # Errors
    ///
    /// It is no SQL of PostgreSQL's, or no query.
    pub(crate) fn of(piece: &Piece) -> std::result::Result<Self, Refusal> {
        let text = rewrite::escaped(&piece.text);
        let tokens = Tokenizer::new(&PostgreSqlDialect {}, &text)
            .tokenize_with_location()
            .map_err(|error| Refusal::new(SYNTAX, error.to_string()))?;
        check_size(&tokens)?;
        let parsed = Parser::new(&PostgreSqlDialect {})
            .with_recursion_limit(NESTING)
            .with_tokens_with_locations(tokens)
            .parse_statements();
        let mut statements = parsed.map_err(|error| match error {
            ParserError::RecursionLimitExceeded => {
                let message = format!("the statement is nested more than {NESTING} deep");
                Refusal::new(TOO_COMPLEX, message)
            }
            error => Refusal::new(SYNTAX, error.to_string()),
        })?;
        match (statements.pop(), statements.is_empty()) {
            (Some(statement @ Statement::Query(_)), true) => Ok(Self(Box::new(statement))),
            _ => Err(Refusal::unsupported("Anything but a query of the catalog")),
        }
    }

    /// The same with values for its parameters.
    pub(crate) fn with_parameters(
        &self,
        values: &[Parameter],
    ) -> std::result::Result<Self, Refusal> {
        let mut statement = self.0.clone();
        put_parameters(&mut statement, values)?;
        Ok(Self(statement))
    }

    /// Plans it over what there is.
    ///
    /// # Errors
    ///
    /// It names what isn't there, or says what can't be said.
    pub(crate) async fn plan(
        &self,
        facts: Facts,
        memory: &Memory,
    ) -> std::result::Result<Planned, Problem> {
        let mut planning = pin!(self.planned(facts, memory));
        poll_fn(|context| on_a_long_stack(|| planning.as_mut().poll(context))).await
    }

    async fn planned(
        &self,
        facts: Facts,
        memory: &Memory,
    ) -> std::result::Result<Planned, Problem> {
        let facts = Arc::new(facts);
        let context = context(&facts, memory)?;
        let refused = match planned(self.0.clone(), &facts, &context).await {
            Ok(planned) => return Ok(planned),
            Err(problem) => problem,
        };
        // A name that isn't there is none of anybody's. What else can't be planned may be about nothing.
        let is_name = matches!(
            &refused,
            Problem::Refused(refusal) if ["42P01", "42703", "42704"].contains(&refusal.code)
        );
        let mut statement = self.0.clone();
        let state = context.state();
        let known = rewrite::Aggregates::with(state.aggregate_functions().keys().cloned());
        if is_name || !rewrite::nothing(&mut statement, &known) {
            return Err(refused);
        }
        planned(statement, &facts, &context)
            .await
            .map_err(|_| refused)
    }
}

impl Planned {
    pub(crate) fn schema(&self) -> SchemaRef {
        let schema = &self.schema;
        let Some(names) = &self.names else {
            return Arc::clone(schema);
        };
        let fields = schema.fields().iter().zip(names);
        let fields = fields.map(|(field, name)| Field::clone(field).with_name(name));
        Arc::new(ArrowSchema::new(fields.collect::<Vec<_>>()))
    }

    pub(crate) fn rows(self) -> Result<SendableRecordBatchStream> {
        let schema = self.schema();
        let rows = execute_stream(self.run, self.context.task_ctx())?;
        let own = Arc::clone(&schema);
        let rows = rows.map(move |rows| {
            let rows = rows?;
            let options = RecordBatchOptions::new().with_row_count(Some(rows.num_rows()));
            let columns = rows.columns().to_vec();
            Ok(RecordBatch::try_new_with_options(
                Arc::clone(&own),
                columns,
                &options,
            )?)
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, rows)))
    }
}

async fn planned(
    mut statement: Box<Statement>,
    facts: &Arc<Facts>,
    context: &SessionContext,
) -> std::result::Result<Planned, Problem> {
    rewrite::rewrite(&mut statement, facts)?;
    let names = rewrite::distinct(&mut statement);
    let statement = DataFusionStatement::Statement(statement);
    let state = context.state();
    let plan = state
        .statement_to_plan(statement)
        .await
        .map_err(unplanned)?;
    let schema = Arc::clone(plan.schema().inner());
    let run = state.create_physical_plan(&plan).await.map_err(unplanned)?;
    Ok(Planned {
        run,
        schema,
        context: context.clone(),
        names,
    })
}

/// DataFusion tells all that it can't plan in one kind of error.
fn unplanned(error: DataFusionError) -> Problem {
    let message = error.strip_backtrace();
    let code = match message.as_str() {
        told if told.contains("table '") && told.contains("not found") => "42P01",
        told if told.contains("Invalid function") => "42883",
        _ => return error.into(),
    };
    Refusal::new(code, message).into()
}

fn context(facts: &Arc<Facts>, memory: &Memory) -> Result<SessionContext> {
    let config = SessionConfig::new()
        .with_default_catalog_and_schema("catalog", "pg_catalog")
        .with_create_default_catalog_and_schema(false)
        // As all texts here are, so that a plan's rows are of the types that it tells.
        .set_bool("datafusion.sql_parser.map_string_types_to_utf8view", false)
        // Small tables: threads would cost more than they bring.
        .with_target_partitions(1);
    let context = memory.context(config);
    for name in BOUNDLESS {
        context.deregister_udf(name);
        context.deregister_udtf(name);
    }
    let catalog = MemoryCatalogProvider::new();
    for name in ["pg_catalog", "information_schema"] {
        let schema = Schema {
            name,
            facts: Arc::clone(facts),
        };
        catalog.register_schema(name, Arc::new(schema))?;
    }
    context.register_catalog("catalog", Arc::new(catalog));
    for function in functions::all(facts) {
        context.register_udf(function);
    }
    context.register_udf(ScalarUDF::new_from_impl(OnlyOne::new()));
    Ok(context)
}

/// Functions of DataFusion's that make values of any size at once, which nothing counts; no client's catalog needs them.
const BOUNDLESS: [&str; 10] = [
    "array_repeat",
    "array_resize",
    "gen_series",
    "generate_series",
    "list_repeat",
    "list_resize",
    "lpad",
    "range",
    "repeat",
    "rpad",
];

/// A schema of the catalog, whose tables are made when they are named.
struct Schema {
    name: &'static str,
    facts: Arc<Facts>,
}

impl fmt::Debug for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

#[async_trait::async_trait]
impl SchemaProvider for Schema {
    fn table_names(&self) -> Vec<String> {
        tables::names(self.name)
            .into_iter()
            .map(str::to_owned)
            .collect()
    }

    async fn table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>, DataFusionError> {
        let Some(rows) = tables::table(self.name, name, &self.facts) else {
            return Ok(None);
        };
        let rows = rows?;
        let table = MemTable::try_new(rows.schema(), vec![vec![rows]])?;
        Ok(Some(Arc::new(table)))
    }

    fn table_exist(&self, name: &str) -> bool {
        tables::names(self.name).contains(&name)
    }
}
