//! The dialect of the platform's Query Service, over DataFusion: Spark's SQL in PostgreSQL's clothes.
//!
//! [`parse`] makes statements of a text; [`plan`] makes a plan of a query, over tables that it asks [`Tables`] for.
//! What isn't known is refused by name, with the platform's code: no statement gets another answer than the
//! platform's without a word. What differs all the same stands in `DIALECT.md`.

mod error;
mod functions;
mod limits;
mod list_text;
mod operators;
mod parse;
mod provider;
mod rewrite;
mod scope;
mod set_operations;
mod size;
mod statement;
mod tokens;

use std::collections::HashSet;
use std::sync::Arc;

use datafusion::common::Column;
use datafusion::execution::context::SessionState;
use datafusion::logical_expr::{Expr, HigherOrderUDF, LogicalPlan, LogicalPlanBuilder};

pub use error::{Code, Error, Position};
pub use functions::{double_text, float_text};
pub use limits::QueryLimits;
pub use list_text::list_items;
pub use size::{NESTING, check_size};
pub use statement::{Parameter, Query, Statement, put_parameters};

use crate::Tables;
use rewrite::{Output, Rewriter};

/// The statements of a text, with `;` between them.
///
/// # Errors
///
/// The text is none of the dialect, or a statement is of a kind that isn't known here.
pub fn parse(sql: &str) -> Result<Vec<Statement>, Error> {
    parse::statements(sql)?
        .into_iter()
        .map(Statement::of)
        .collect()
}

/// The plan of a query. Its columns are called as the statement says, in the statement's case; two may have one
/// name.
///
/// # Errors
///
/// It names what isn't there, or asks for what isn't known here or can't be had of the types that are there.
pub fn plan(
    query: &Query,
    tables: &dyn Tables,
    state: &SessionState,
) -> Result<LogicalPlan, Error> {
    // A chain of operators is as deep as it is long, and not all that walks down it looks after the stack.
    on_a_long_stack(|| {
        let (plan, outputs) = Rewriter::new(tables, state).plan((*query.0).clone())?;
        named(operators::membership(plan)?, &outputs)
    })
}

/// The function of `exists(list, x -> …)`.
pub(crate) fn exists() -> Option<Arc<HigherOrderUDF>> {
    functions::higher_order("spark_exists")
}

/// Does what walks down trees: a plan's making, which looks not everywhere after the stack.
pub fn on_a_long_stack<T>(work: impl FnOnce() -> T) -> T {
    stacker::grow(STACK, work)
}

/// In bytes.
const STACK: usize = 32 << 20;

/// A plan whose columns have the names that users see.
fn named(plan: LogicalPlan, outputs: &[Output]) -> Result<LogicalPlan, Error> {
    let unique: HashSet<&str> = outputs.iter().map(|output| output.name.as_str()).collect();
    let projection = outputs.iter().enumerate().map(|(number, output)| {
        let column = Expr::Column(Column::from_name(&output.internal));
        if unique.len() == outputs.len() {
            column.alias(&output.name)
        } else {
            // Two columns of one name are two to DataFusion if they are of different relations.
            column.alias_qualified(Some(format!("{}", number + 1)), &output.name)
        }
    });
    Ok(LogicalPlanBuilder::from(plan)
        .project(projection.collect::<Vec<_>>())?
        .build()?)
}

/// A field of an object, as `object.field` is planned.
pub(crate) fn field_of(object: Expr, field: Expr) -> Result<Expr, Error> {
    let get = functions::scalar("spark_get");
    let get = get.ok_or_else(|| Error::new(Code::System, "there is no function spark_get"))?;
    Ok(get.call(vec![object, field]))
}
