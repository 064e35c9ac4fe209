//! One statement after the other over the tables of a store.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrow::array::{AsArray, RecordBatch};
use datafusion::catalog::{MemTable, TableProvider};
use datafusion::dataframe::DataFrame;
use datafusion::datasource::ViewTable;
use datafusion::error::Result as DataFusionResult;
use datafusion::execution::memory_pool::FairSpillPool;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::execution::{SendableRecordBatchStream, SessionState};
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::prelude::{SessionConfig, SessionContext};
use profile_export::store::Store;

use crate::columns::{table, text};
use crate::dialect::{self, Code, Error, Query, Statement};
use crate::store_tables::{StoreTables, TableInfo, no_snapshots};
use crate::tables::{Snapshots, Tables};

/// How many views a session may have: each may name those before it, and all are planned for the last.
const MOST_VIEWS: usize = 100;

/// How statements run.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// On how many threads; one a core where it is missing.
    pub partitions: Option<usize>,
    /// How much memory sorts, joins and groups may take, in bytes; what does not fit goes to temporary files.
    pub memory: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            partitions: None,
            memory: 1 << 30,
        }
    }
}

/// What a statement gave.
pub enum Outcome {
    /// Rows, as they are made.
    Rows(SendableRecordBatchStream),
    /// It is done; the word for it is PostgreSQL's.
    Done(&'static str),
}

/// Statements of one user, over one sandbox of a store.
///
/// Views, temporary tables, prepared statements and settings are the session's own, and gone with it. Each statement
/// reads the store as it is when it begins.
pub struct Session {
    store: Arc<Store>,
    context: SessionContext,
    own: Mutex<Own>,
}

#[derive(Default)]
struct Own {
    /// In the order in which they were made: each may see those before it.
    views: Vec<(String, Query)>,
    tables: BTreeMap<String, Arc<dyn TableProvider>>,
    prepared: BTreeMap<String, Query>,
}

impl Session {
    /// A session over a store.
    ///
    /// # Errors
    /// There is no place for temporary files.
    pub fn new(store: Arc<Store>, options: &Options) -> Result<Self, Error> {
        let mut config = SessionConfig::new();
        if let Some(partitions) = options.partitions {
            config = config.with_target_partitions(partitions);
        }
        let pool = FairSpillPool::new(options.memory);
        let runtime = RuntimeEnvBuilder::new()
            .with_memory_pool(Arc::new(pool))
            .build_arc()?;
        let context = SessionContext::new_with_config_rt(config, runtime);
        Ok(Self {
            store,
            context,
            own: Mutex::default(),
        })
    }

    /// The statements of a text.
    ///
    /// # Errors
    /// It is no SQL, or something that the dialect does not have.
    pub fn parse(&self, text: &str) -> Result<Vec<Statement>, Error> {
        dialect::parse(text)
    }

    /// Runs a statement: to its end, or up to its first rows.
    ///
    /// # Errors
    /// A table, column or function that there isn't, something that this dialect does not have, a damaged store.
    pub async fn run(&self, statement: &Statement) -> Result<Outcome, Error> {
        match statement {
            Statement::Query(query) => self.rows(self.plan(query)?).await,
            Statement::Explain { analyze, query } => {
                let frame = self.frame(self.plan(query)?).explain(false, *analyze)?;
                Ok(of_rows(plan_lines(&frame.collect().await?)?))
            }
            Statement::ShowTables => self.tables(),
            Statement::ShowViews => self.views(),
            Statement::CreateView {
                name,
                or_replace,
                columns,
                query,
            } => self.create_view(name, *or_replace, columns, query),
            Statement::CreateTable {
                name,
                temporary: true,
                if_not_exists,
                options,
                query,
            } => {
                if !options.is_empty() {
                    return Err(unsupported("WITH in CREATE TEMP TABLE"));
                }
                self.create_table(name, *if_not_exists, query).await
            }
            Statement::CreateTable { .. } => Err(unsupported(
                "CREATE TABLE that keeps its rows (CREATE TEMP TABLE keeps them for the session)",
            )),
            Statement::Insert { .. } => Err(unsupported("INSERT INTO")),
            Statement::Drop {
                view,
                names,
                if_exists,
            } => self.drop(*view, names, *if_exists),
            Statement::Prepare { name, query } => {
                match self.own().prepared.entry(name.clone()) {
                    Entry::Vacant(entry) => drop(entry.insert(query.clone())),
                    Entry::Occupied(_) => {
                        return Err(Error::new(
                            Code::DuplicateName,
                            format!("there is a prepared statement {name:?} already"),
                        ));
                    }
                }
                Ok(Outcome::Done("PREPARE"))
            }
            Statement::Execute { name, parameters } => {
                let query = self.own().prepared.get(name).cloned();
                let query = query.ok_or_else(|| not_prepared(name))?;
                let query = query.with_parameters(parameters)?;
                self.rows(self.plan(&query)?).await
            }
            Statement::Deallocate(name) => {
                let mut own = self.own();
                match name {
                    None => own.prepared.clear(),
                    Some(name) => drop(
                        own.prepared
                            .remove(name)
                            .ok_or_else(|| not_prepared(name))?,
                    ),
                }
                Ok(Outcome::Done("DEALLOCATE"))
            }
            // Nothing is written that could be taken back: what clients send around their queries.
            Statement::Begin => Ok(Outcome::Done("BEGIN")),
            Statement::Commit => Ok(Outcome::Done("COMMIT")),
            Statement::Rollback => Ok(Outcome::Done("ROLLBACK")),
            Statement::Show(name) => Err(unsupported(&format!("SHOW {name}"))),
            Statement::Set { name, .. } => Err(unsupported(&format!("SET {name}"))),
            Statement::Declare { .. } | Statement::Fetch { .. } | Statement::Close(_) => {
                Err(unsupported("Cursors"))
            }
        }
    }

    fn own(&self) -> MutexGuard<'_, Own> {
        self.own.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn plan(&self, query: &Query) -> Result<LogicalPlan, Error> {
        self.tables_now()?.plan(query)
    }

    fn frame(&self, plan: LogicalPlan) -> DataFrame {
        DataFrame::new(self.context.state(), plan)
    }

    async fn rows(&self, plan: LogicalPlan) -> Result<Outcome, Error> {
        Ok(Outcome::Rows(self.frame(plan).execute_stream().await?))
    }

    /// The tables as the store is now, with the session's own before them.
    fn tables_now(&self) -> Result<SessionTables, Error> {
        let own = self.own();
        Ok(SessionTables {
            store: Arc::new(StoreTables::new(Arc::clone(&self.store))?),
            own: own.tables.clone(),
            views: own.views.clone(),
            state: Arc::new(self.context.state()),
        })
    }

    fn create_view(
        &self,
        name: &str,
        or_replace: bool,
        columns: &[String],
        query: &Query,
    ) -> Result<Outcome, Error> {
        if !columns.is_empty() {
            return Err(unsupported("Columns in CREATE VIEW (name them by AS)"));
        }
        let mut tables = self.tables_now()?;
        let own = tables.views.iter().position(|(known, _)| known == name);
        let is_taken = tables.names().iter().any(|known| known == name);
        if is_taken && !(own.is_some() && or_replace) {
            return Err(taken(name));
        }
        if tables.views.len() >= MOST_VIEWS {
            return Err(Error::new(
                Code::TooComplex,
                format!("a session has {MOST_VIEWS} views at the most"),
            ));
        }
        // What can't be planned is no view; and each sees those alone that were made before it.
        tables.views.truncate(own.unwrap_or(tables.views.len()));
        tables.plan(query)?;
        let mut all = self.own();
        match all.views.iter_mut().find(|(known, _)| known == name) {
            Some((_, view)) => *view = query.clone(),
            None => all.views.push((name.to_owned(), query.clone())),
        }
        Ok(Outcome::Done("CREATE VIEW"))
    }

    async fn create_table(
        &self,
        name: &str,
        if_not_exists: bool,
        query: &Query,
    ) -> Result<Outcome, Error> {
        let tables = self.tables_now()?;
        if tables.names().iter().any(|known| known == name) {
            return match if_not_exists {
                true => Ok(Outcome::Done("CREATE TABLE")),
                false => Err(taken(name)),
            };
        }
        let frame = self.frame(tables.plan(query)?);
        let schema = frame.schema().inner().clone();
        let rows = frame.collect_partitioned().await?;
        let table = MemTable::try_new(schema, rows)?;
        let table: Arc<dyn TableProvider> = Arc::new(table);
        self.own().tables.insert(name.to_owned(), table);
        Ok(Outcome::Done("CREATE TABLE"))
    }

    fn drop(&self, view: bool, names: &[String], if_exists: bool) -> Result<Outcome, Error> {
        let mut own = self.own();
        let missing = names.iter().find(|name| match view {
            true => !own.views.iter().any(|(known, _)| known == *name),
            false => !own.tables.contains_key(*name),
        });
        if let Some(name) = missing.filter(|_| !if_exists) {
            let what = if view { "view" } else { "temporary table" };
            return Err(Error::new(
                Code::UndefinedTable,
                format!(
                    "this session has no {what} {name:?}; what the store has is not dropped by SQL"
                ),
            ));
        }
        match view {
            true => own.views.retain(|(known, _)| !names.contains(known)),
            false => own.tables.retain(|known, _| !names.contains(known)),
        }
        Ok(Outcome::Done(if view { "DROP VIEW" } else { "DROP TABLE" }))
    }

    fn tables(&self) -> Result<Outcome, Error> {
        let mut all = StoreTables::new(Arc::clone(&self.store))?.list();
        let own = self.own();
        let told = |name: &String, description: &str| TableInfo {
            name: name.clone(),
            dataset: None,
            description: description.to_owned(),
        };
        let tables = own.tables.keys();
        all.extend(tables.map(|name| told(name, "temporary table of this session")));
        let views = own.views.iter();
        all.extend(views.map(|(name, _)| told(name, "view of this session")));
        all.sort_by(|a, b| a.name.cmp(&b.name));
        let each = || all.iter();
        Ok(of_rows(table([
            text("name", each().map(|one| Some(one.name.clone()))),
            text("dataSetId", each().map(|one| one.dataset.clone())),
            text(
                "description",
                each().map(|one| Some(one.description.clone())),
            ),
        ])?))
    }

    fn views(&self) -> Result<Outcome, Error> {
        let own = self.own();
        let each = || own.views.iter();
        Ok(of_rows(table([
            text("name", each().map(|(name, _)| Some(name.clone()))),
            text(
                "definition",
                each().map(|(_, query)| Some(query.to_string())),
            ),
        ])?))
    }
}

fn of_rows(rows: RecordBatch) -> Outcome {
    let schema = rows.schema();
    let rows = futures_util::stream::iter([Ok(rows)]);
    Outcome::Rows(Box::pin(RecordBatchStreamAdapter::new(schema, rows)))
}

fn unsupported(what: &str) -> Error {
    Error::new(Code::NotSupported, format!("{what}: not supported"))
}

fn taken(name: &str) -> Error {
    Error::new(
        Code::DuplicateTable,
        format!("there is a table or view {name:?} already"),
    )
}

fn not_prepared(name: &str) -> Error {
    Error::new(
        Code::UndefinedName,
        format!("there is no prepared statement {name:?}"),
    )
}

/// The lines of a plan, as PostgreSQL shows one.
fn plan_lines(explained: &[RecordBatch]) -> Result<RecordBatch, Error> {
    let mut lines = Vec::new();
    for batch in explained {
        // Which plan, and its text.
        let [kinds, plans] = [0, 1].map(|i| batch.column(i).as_string_opt::<i32>());
        for (kind, plan) in kinds.into_iter().flatten().zip(plans.into_iter().flatten()) {
            lines.push(kind.unwrap_or_default().replace('_', " "));
            let plan = plan.unwrap_or_default().lines();
            lines.extend(plan.map(|line| format!("  {line}")));
        }
    }
    Ok(table([text("QUERY PLAN", lines.into_iter().map(Some))])?)
}

/// The session's own tables and views before the tables of the store.
#[derive(Clone)]
struct SessionTables {
    store: Arc<StoreTables>,
    own: BTreeMap<String, Arc<dyn TableProvider>>,
    views: Vec<(String, Query)>,
    state: Arc<SessionState>,
}

impl fmt::Debug for SessionTables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionTables")
            .field("store", &self.store)
            .finish_non_exhaustive()
    }
}

impl SessionTables {
    fn plan(&self, query: &Query) -> Result<LogicalPlan, Error> {
        dialect::plan(query, self, &self.state)
    }

    fn view(&self, name: &str) -> DataFusionResult<Option<Arc<dyn TableProvider>>> {
        let Some(at) = self.views.iter().position(|(known, _)| known == name) else {
            return Ok(None);
        };
        let mut before = self.clone();
        before.views.truncate(at);
        let query = &self.views[at].1;
        let plan = before.plan(query)?;
        Ok(Some(Arc::new(ViewTable::new(
            plan,
            Some(query.to_string()),
        ))))
    }
}

impl Tables for SessionTables {
    fn names(&self) -> Vec<String> {
        let mut names = self.store.names();
        names.extend(self.own.keys().cloned());
        names.extend(self.views.iter().map(|(name, _)| name.clone()));
        names.sort();
        names
    }

    fn table(
        &self,
        name: &str,
        snapshots: &Snapshots,
    ) -> DataFusionResult<Option<Arc<dyn TableProvider>>> {
        let own = match self.own.get(name) {
            Some(own) => Some(Arc::clone(own)),
            None => self.view(name)?,
        };
        match own {
            None => self.store.table(name, snapshots),
            Some(own) if *snapshots == Snapshots::All => Ok(Some(own)),
            Some(_) => Err(no_snapshots(name)),
        }
    }

    fn history(&self, name: &str) -> DataFusionResult<Option<Arc<dyn TableProvider>>> {
        let is_own = self.own.contains_key(name) || self.views.iter().any(|(own, _)| own == name);
        match is_own {
            true => Err(no_snapshots(name)),
            false => self.store.history(name),
        }
    }
}
