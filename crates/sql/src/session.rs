//! One statement after the other over the tables of a store.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use datafusion::catalog::{MemTable, TableProvider};
use datafusion::dataframe::DataFrame;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::logical_expr::LogicalPlan;
use datafusion::prelude::{SessionConfig, SessionContext};
use profile_export::store::Store;

use crate::answers::{self, of_rows, plan_lines};
use crate::cursors::Cursors;
use crate::dialect::{self, Code, Error, Query, Statement};
use crate::kept::Kept;
use crate::memory::{Held, Memory};
use crate::session_tables::SessionTables;
use crate::settings::Settings;
use crate::store_tables::{StoreTables, TableInfo, Target};
use crate::tables::Tables;
use crate::transaction::Transaction;
use crate::write::{self, NewDataset, Written};
use crate::writing::Writing;

/// How many views a session may have: each may name those before it, and all are planned for the last.
const MOST_VIEWS: usize = 100;

/// How statements run.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// On how many threads; one a core where it is missing.
    pub partitions: Option<usize>,
    /// How much memory sorts, joins and groups may take, in bytes; what does not fit goes to temporary files.
    pub memory: usize,
    /// Whether statements that change the store are refused (42501). What is the session's own may change.
    pub read_only: bool,
    /// Whether tables have no objects: each of their fields is a column then, called by its path.
    pub flatten: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            partitions: None,
            memory: 1 << 30,
            read_only: false,
            flatten: false,
        }
    }
}

/// What a statement gave.
pub enum Outcome {
    /// Rows, as they are made.
    Rows(SendableRecordBatchStream),
    /// It is done; the word for it is PostgreSQL's.
    Done(&'static str),
    /// Rows were written into the store; its text is PostgreSQL's word for that.
    Written(Written),
}

/// Statements of one user, over one sandbox of a store.
///
/// Views, temporary tables, prepared statements and settings are the session's own, and gone with it. Each statement
/// reads the store as it is when it begins.
pub struct Session {
    store: Arc<Store>,
    kept: Arc<Kept>,
    context: SessionContext,
    read_only: bool,
    flatten: bool,
    own: Mutex<Own>,
    writing: Writing,
}

#[derive(Default)]
pub(crate) struct Own {
    /// In the order in which they were made: each may see those before it.
    pub(crate) views: Vec<(String, Query)>,
    tables: BTreeMap<String, Arc<dyn TableProvider>>,
    /// What the rows of these take, by the same names.
    held: BTreeMap<String, Held>,
    pub(crate) prepared: BTreeMap<String, Query>,
    pub(crate) cursors: Cursors,
    settings: Settings,
    transaction: Transaction,
}

impl Session {
    /// A session over a store.
    ///
    /// # Errors
    /// There is no place for temporary files.
    pub fn new(store: Arc<Store>, options: &Options) -> Result<Self, Error> {
        let memory = Memory::new(options.memory)?;
        Ok(Self::sharing(store, options, &memory))
    }

    /// A session that shares memory with others, whatever its options say of that.
    #[must_use]
    pub fn sharing(store: Arc<Store>, options: &Options, memory: &Memory) -> Self {
        let mut config = SessionConfig::new();
        if let Some(partitions) = options.partitions {
            config = config.with_target_partitions(partitions);
        }
        Self {
            store,
            kept: Arc::clone(memory.kept()),
            context: memory.context(config),
            read_only: options.read_only,
            flatten: options.flatten,
            own: Mutex::default(),
            writing: Writing::default(),
        }
    }

    /// Whether statements that change the store are refused.
    #[must_use]
    pub fn is_read_only(&self) -> bool {
        self.read_only
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
            Statement::Query(query) => Ok(Outcome::Rows(self.rows(self.plan(query)?).await?)),
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
            Statement::CreateTable {
                name,
                temporary: false,
                if_not_exists,
                options,
                query,
            } => {
                self.check_writable("CREATE TABLE")?;
                let tables = self.tables_now()?;
                if is_taken(&tables, name, *if_not_exists)? {
                    return Ok(Outcome::Done("CREATE TABLE"));
                }
                let target = write::new_dataset(&self.store, name, options)?;
                let frame = self.frame(tables.plan(query)?);
                let written = target.fill(&self.store, frame, &self.writing).await?;
                self.note(|| format!("CREATE TABLE {name}"));
                Ok(Outcome::Written(written))
            }
            Statement::Insert {
                table,
                columns,
                query,
            } => {
                self.check_writable("INSERT")?;
                let tables = self.tables_now()?;
                let target = write::insert_target(&tables, table, columns, query)?;
                let frame = self.frame(tables.plan(query)?);
                let written = target.fill(&self.store, frame, &self.writing).await?;
                self.note(|| format!("INSERT INTO {table}"));
                Ok(Outcome::Written(written))
            }
            Statement::Drop {
                view: true,
                names,
                if_exists,
            } => self.drop_views(names, *if_exists),
            Statement::Drop {
                view: false,
                names,
                if_exists,
            } => self.drop_tables(names, *if_exists).await,
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
                Ok(Outcome::Rows(self.rows(self.plan(&query)?).await?))
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
            // What clients send around their queries.
            Statement::Begin => {
                self.own().transaction.begin();
                Ok(Outcome::Done("BEGIN"))
            }
            Statement::Commit => {
                let mut own = self.own();
                own.transaction.commit();
                own.cursors.close(None)?;
                Ok(Outcome::Done("COMMIT"))
            }
            Statement::Rollback => {
                let mut own = self.own();
                own.cursors.close(None)?;
                own.transaction.rollback()?;
                Ok(Outcome::Done("ROLLBACK"))
            }
            Statement::Show(name) => self.show(name),
            Statement::Set { name, value } => {
                self.own().settings.set_silently(name, value.as_deref())?;
                Ok(Outcome::Done("SET"))
            }
            Statement::Declare { cursor, query } => {
                self.own().cursors.check_free(cursor)?;
                let rows = self.frame(self.plan(query)?).execute_stream().await?;
                self.own().cursors.open(cursor, rows)?;
                Ok(Outcome::Done("DECLARE CURSOR"))
            }
            Statement::Fetch { cursor, rows } => {
                Ok(Outcome::Rows(self.own().cursors.fetch(cursor, *rows)?))
            }
            Statement::Close(cursor) => {
                self.own().cursors.close(cursor.as_deref())?;
                Ok(Outcome::Done("CLOSE CURSOR"))
            }
        }
    }

    /// How many statements wrote into the store since BEGIN; none is taken back.
    #[must_use]
    pub fn written(&self) -> usize {
        self.own().transaction.count()
    }

    fn show(&self, name: &str) -> Result<Outcome, Error> {
        let own = self.own();
        match name {
            "all" => Ok(of_rows(answers::settings(&own.settings)?)),
            name => {
                let value = own.settings.get(name)?;
                Ok(of_rows(answers::setting(name, value)?))
            }
        }
    }

    /// Makes a dataset of a query's rows: `CREATE TABLE … AS` for who has a name for it that is no table's.
    ///
    /// # Errors
    /// There is such a table already; as for the statement.
    pub async fn create_dataset(
        &self,
        new: &NewDataset<'_>,
        query: &Query,
    ) -> Result<Written, Error> {
        self.check_writable("CREATE TABLE")?;
        let tables = self.tables_now()?;
        is_taken(&tables, &new.table(), false)?;
        let goal = write::on_schema(&self.store, new)?;
        let frame = self.frame(tables.plan(query)?);
        goal.fill(&self.store, frame, &self.writing).await
    }

    /// Tells the statement that writes to stop, if one does. Whoever waits for it goes on waiting: it ends soon, with an error
    /// (57014) where nothing is written, or as if nobody had stopped it where all is. `false` where nothing is written now,
    /// and nobody needs to wait.
    pub fn cancel_write(&self) -> bool {
        self.writing.cancel()
    }

    fn note(&self, statement: impl FnOnce() -> String) {
        self.own().transaction.note(statement);
    }

    fn check_writable(&self, what: &str) -> Result<(), Error> {
        match self.read_only {
            false => Ok(()),
            true => Err(Error::new(
                Code::NotAllowed,
                format!("{what}: this session may only read"),
            )),
        }
    }

    pub(crate) fn own(&self) -> MutexGuard<'_, Own> {
        self.own.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn plan(&self, query: &Query) -> Result<LogicalPlan, Error> {
        self.tables_now()?.plan(query)
    }

    fn frame(&self, plan: LogicalPlan) -> DataFrame {
        DataFrame::new(self.context.state(), plan)
    }

    pub(crate) async fn rows(&self, plan: LogicalPlan) -> Result<SendableRecordBatchStream, Error> {
        Ok(self.frame(plan).execute_stream().await?)
    }

    fn store_tables(&self) -> Result<StoreTables, Error> {
        let (store, kept) = (Arc::clone(&self.store), Arc::clone(&self.kept));
        Ok(StoreTables::keeping(store, kept)?)
    }

    /// The tables as the store is now, with the session's own before them.
    pub(crate) fn tables_now(&self) -> Result<SessionTables, Error> {
        let own = self.own();
        Ok(SessionTables {
            store: Arc::new(self.store_tables()?),
            own: own.tables.clone(),
            views: own.views.clone(),
            state: Arc::new(self.context.state()),
            flatten: self.flatten,
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
        if own.is_none() && tables.views.len() >= MOST_VIEWS {
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
        if is_taken(&tables, name, if_not_exists)? {
            return Ok(Outcome::Done("CREATE TABLE"));
        }
        let frame = self.frame(tables.plan(query)?);
        let schema = frame.schema().inner().clone();
        let pool = &self.context.runtime_env().memory_pool;
        let held = Held::new(&format!("the temporary table {name:?}"), pool, 0)?;
        let streams = frame.execute_stream_partitioned().await?;
        let (rows, held) = held.of(streams).await?;
        let table = MemTable::try_new(schema, rows)?;
        let table: Arc<dyn TableProvider> = Arc::new(table);
        let mut own = self.own();
        own.tables.insert(name.to_owned(), table);
        own.held.insert(name.to_owned(), held);
        Ok(Outcome::Done("CREATE TABLE"))
    }

    fn drop_views(&self, names: &[String], if_exists: bool) -> Result<Outcome, Error> {
        let mut own = self.own();
        let is_there = |name: &&String| own.views.iter().any(|(known, _)| known == *name);
        match names.iter().find(|name| !is_there(name)) {
            Some(name) if !if_exists => Err(Error::new(
                Code::UndefinedTable,
                format!("this session has no view {name:?}"),
            )),
            _ => {
                own.views.retain(|(known, _)| !names.contains(known));
                Ok(Outcome::Done("DROP VIEW"))
            }
        }
    }

    /// Drops tables of the session, and datasets as HTTP deletes them: all of them, where all can be dropped.
    async fn drop_tables(&self, names: &[String], if_exists: bool) -> Result<Outcome, Error> {
        let tables = self.tables_now()?;
        let (mut own, mut datasets) = (Vec::new(), Vec::new());
        for name in names {
            if tables.own.contains_key(name) {
                own.push(name);
            } else if tables.views.iter().any(|(known, _)| known == name) {
                let message = format!("{name:?} is a view; DROP VIEW drops it");
                return Err(Error::new(Code::WrongObject, message));
            } else {
                match tables.store.target(name)? {
                    Some(Target::Records(one) | Target::AdHoc(one) | Target::Exports(one)) => {
                        self.check_writable("DROP TABLE")?;
                        datasets.push(one.id);
                    }
                    Some(Target::Other) => {
                        let message = format!("{name:?} is no dataset, and is always there");
                        return Err(Error::new(Code::NotAllowed, message));
                    }
                    None if if_exists => {}
                    None => {
                        let message = format!("there is no table {name:?}");
                        return Err(Error::new(Code::UndefinedTable, message));
                    }
                }
            }
        }
        if !datasets.is_empty() {
            write::drop_datasets(&self.store, datasets, &self.writing).await?;
            self.note(|| format!("DROP TABLE {}", names.join(", ")));
        }
        let mut all = self.own();
        all.tables.retain(|known, _| !own.contains(&known));
        all.held.retain(|known, _| !own.contains(&known));
        Ok(Outcome::Done("DROP TABLE"))
    }

    /// The tables and views that statements can name, by name.
    pub(crate) fn all_tables(&self) -> Result<Vec<TableInfo>, Error> {
        let mut all = self.store_tables()?.list();
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
        Ok(all)
    }

    fn tables(&self) -> Result<Outcome, Error> {
        Ok(of_rows(answers::tables(&self.all_tables()?)?))
    }

    fn views(&self) -> Result<Outcome, Error> {
        Ok(of_rows(answers::views(&self.own().views)?))
    }
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

/// Whether a table is not made as there is one of its name, which is fine.
fn is_taken(tables: &SessionTables, name: &str, if_not_exists: bool) -> Result<bool, Error> {
    match tables.names().iter().any(|known| known == name) {
        true if !if_not_exists => Err(taken(name)),
        is_there => Ok(is_there),
    }
}

pub(crate) fn not_prepared(name: &str) -> Error {
    Error::new(
        Code::UndefinedName,
        format!("there is no prepared statement {name:?}"),
    )
}
