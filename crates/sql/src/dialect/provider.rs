//! What DataFusion's planner asks for: relations that a rewritten statement names, and functions.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::sync::Arc;

use datafusion::arrow::datatypes::DataType;
use datafusion::catalog::TableProvider;
use datafusion::catalog::view::ViewTable;
use datafusion::common::{Result, TableReference, config::ConfigOptions, plan_err};
use datafusion::datasource::provider_as_source;
use datafusion::execution::context::SessionState;
use datafusion::logical_expr::planner::{ContextProvider, ExprPlanner};
use datafusion::logical_expr::{
    AggregateUDF, HigherOrderUDF, LogicalPlan, ScalarUDF, TableSource, WindowUDF,
};
use datafusion::sql::planner::{ParserOptions, SqlToRel};
use datafusion::sql::sqlparser::ast;

use super::functions;
use super::operators;

/// Relations and functions of one statement.
pub(super) struct Provider<'a> {
    state: &'a SessionState,
    sources: RefCell<HashMap<String, Arc<dyn TableSource>>>,
    names: Cell<usize>,
    planners: Vec<Arc<dyn ExprPlanner>>,
}

impl<'a> Provider<'a> {
    pub(super) fn new(state: &'a SessionState) -> Self {
        Self {
            state,
            sources: RefCell::default(),
            names: Cell::new(0),
            planners: operators::planners(),
        }
    }

    /// A name that nothing else in the statement has.
    pub(super) fn unique(&self, name: &str) -> String {
        let number = self.names.get();
        self.names.set(number + 1);
        format!("{name}#{number}")
    }

    /// Lets the rewritten statement name that table; says how.
    pub(super) fn add(&self, name: &str, table: Arc<dyn TableProvider>) -> String {
        let name = self.unique(name);
        self.sources
            .borrow_mut()
            .insert(name.clone(), provider_as_source(table));
        name
    }

    /// The same for the rows of a plan.
    pub(super) fn add_plan(&self, name: &str, plan: LogicalPlan) -> String {
        self.add(name, Arc::new(ViewTable::new(plan, None)))
    }

    /// Plans a rewritten query.
    pub(super) fn plan(&self, query: ast::Query) -> Result<LogicalPlan> {
        let options = ParserOptions::new()
            .with_enable_ident_normalization(false)
            .with_map_string_types_to_utf8view(false);
        SqlToRel::new_with_options(self, options)
            .sql_statement_to_plan(ast::Statement::Query(Box::new(query)))
    }
}

impl ContextProvider for Provider<'_> {
    fn get_table_source(&self, name: TableReference) -> Result<Arc<dyn TableSource>> {
        match self.sources.borrow().get(name.table()) {
            Some(source) => Ok(Arc::clone(source)),
            None => plan_err!("there is no relation {name}"),
        }
    }

    fn get_expr_planners(&self) -> &[Arc<dyn ExprPlanner>] {
        &self.planners
    }

    fn get_function_meta(&self, name: &str) -> Option<Arc<ScalarUDF>> {
        functions::scalar(name).or_else(|| self.state.scalar_functions().get(name).cloned())
    }

    fn get_higher_order_meta(&self, name: &str) -> Option<Arc<HigherOrderUDF>> {
        functions::higher_order(name)
    }

    fn get_aggregate_meta(&self, name: &str) -> Option<Arc<AggregateUDF>> {
        self.state.aggregate_functions().get(name).cloned()
    }

    fn get_window_meta(&self, name: &str) -> Option<Arc<WindowUDF>> {
        self.state.window_functions().get(name).cloned()
    }

    fn get_variable_type(&self, _: &[String]) -> Option<DataType> {
        None
    }

    fn options(&self) -> &ConfigOptions {
        self.state.config_options()
    }

    fn udf_names(&self) -> Vec<String> {
        Vec::new()
    }

    fn higher_order_function_names(&self) -> Vec<String> {
        Vec::new()
    }

    fn udaf_names(&self) -> Vec<String> {
        Vec::new()
    }

    fn udwf_names(&self) -> Vec<String> {
        Vec::new()
    }
}
