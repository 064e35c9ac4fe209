//! `CREATE TABLE … AS`, `INSERT INTO` and `DROP TABLE` of datasets.

use std::fmt;
use std::sync::Arc;

use arrow::datatypes::{Fields, Schema};
use datafusion::dataframe::DataFrame;
use futures_util::stream::AbortHandle;
use profile_export::export::Progress;
use profile_export::platform::{
    self, Container, ErrorKind, Registry, ResourceKind, Rows, RowsTarget, TableNames, WrittenRows,
    ad_hoc_dataset, load_rows, write_rows,
};
use profile_export::store::{DecodeError, Store, StoreError};
use profile_export::xdm::{Class, Dataset, FieldPath, Timestamp};

use crate::dialect::{Code, Error, Query};
use crate::rows::{Failure, QueryRows};
use crate::session_tables::SessionTables;
use crate::shape::{Shape, as_records, as_table, check_types, stored_fields, unique};
use crate::store_tables::Target as TableKind;
use crate::tables::{Snapshots, Tables};
use crate::writing::Writing;

/// What a statement wrote into the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// Whether it made the dataset, rather than adding to it.
    pub is_new: bool,
    /// The dataset's ID.
    pub dataset: String,
    /// The batch that has the rows; none where there was no row.
    pub batch: Option<String>,
    /// How many rows are new in it.
    pub rows: u64,
    /// How many are not: events that were there already, records that a later one of the same statement replaces.
    pub dropped: u64,
}

/// As PostgreSQL says it.
impl fmt::Display for Written {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.is_new {
            true => write!(f, "SELECT {}", self.rows),
            false => write!(f, "INSERT 0 {}", self.rows),
        }
    }
}

/// A dataset that is made of a query's rows.
#[derive(Clone, Copy, Debug)]
pub struct NewDataset<'a> {
    /// Its name.
    pub name: &'a str,
    /// For people.
    pub description: Option<&'a str>,
    /// The schema that it is made on, by its title, `$id` or `meta:altId`; one of its own where it is missing.
    pub schema: Option<&'a str>,
}

impl NewDataset<'_> {
    /// The table that it will be, where nobody has that.
    pub(crate) fn table(&self) -> String {
        let alone = Dataset::new("", self.name, Class::Profile);
        TableNames::of(&[]).of_dataset(&alone).to_lowercase()
    }
}

/// Where a query's rows go, and which columns they have there.
pub(crate) enum Goal {
    /// A new dataset, with a schema of its own made of the query's columns.
    NewAdHoc {
        name: String,
        description: Option<String>,
    },
    /// A new one on a schema of the registry, whose fields have these names.
    NewRecords {
        dataset: Box<Dataset>,
        known: Vec<String>,
    },
    /// Records, with the fields of the table there is. Others may come with them where the dataset declares none.
    Records {
        dataset: Box<Dataset>,
        known: Vec<String>,
        columns: Vec<String>,
    },
    /// Rows that are no records, with the columns of the table there is.
    AdHoc {
        dataset: Box<Dataset>,
        table: Fields,
        columns: Vec<String>,
    },
}

/// A table that is to be made, by the options of WITH.
///
/// # Errors
/// An option that isn't known, or has another value than it may; a schema that there isn't.
pub(crate) fn new_dataset(
    store: &Store,
    name: &str,
    options: &[(String, String)],
) -> Result<Goal, Error> {
    let (mut schema, mut is_profile) = (None, false);
    for (option, value) in options {
        match (option.as_str(), value.to_ascii_lowercase().as_str()) {
            ("schema", _) => schema = Some(value),
            // Each row is checked, whatever is said.
            ("rowvalidation", "true" | "false") => {}
            ("label", "profile") => is_profile = true,
            ("rowvalidation", _) => return Err(invalid(option, value, "'true' or 'false'")),
            ("label", _) => return Err(invalid(option, value, "'PROFILE'")),
            _ => return Err(Error::unsupported(format!("WITH ({option} = …)"))),
        }
    }
    if is_profile && schema.is_none() {
        return Err(Error::new(
            Code::InvalidValue,
            "label: records of profiles need a schema that says whose they are: WITH (schema = …, label = 'PROFILE')",
        ));
    }
    let new = NewDataset {
        name,
        description: None,
        schema: schema.map(String::as_str),
    };
    on_schema(store, &new)
}

fn invalid(option: &str, value: &str, allowed: &str) -> Error {
    Error::new(
        Code::InvalidValue,
        format!("{option}: found {value:?}; allowed is {allowed}"),
    )
}

/// A dataset that is to be made.
///
/// # Errors
/// There is no such schema, or it is not for that.
pub(crate) fn on_schema(store: &Store, new: &NewDataset<'_>) -> Result<Goal, Error> {
    let Some(wanted) = new.schema else {
        return Ok(Goal::NewAdHoc {
            name: new.name.to_owned(),
            description: new.description.map(str::to_owned),
        });
    };
    let registry = Registry::of(store, &[]).map_err(refused)?;
    let schemas = registry.list(Container::Tenant, ResourceKind::Schemas);
    let mut found = schemas.filter(|one| {
        one.id == wanted || one.alt_id() == wanted || one.title.eq_ignore_ascii_case(wanted)
    });
    let unknown = |problem: String| Error::new(Code::UndefinedObject, format!("schema: {problem}"));
    let one = found.next().ok_or_else(|| {
        unknown(format!(
            "there is none of the title, $id or meta:altId {wanted:?}"
        ))
    })?;
    if let Some(other) = found.next() {
        return Err(unknown(format!(
            "{} and {} have the title {wanted:?}; name one by its $id",
            one.id, other.id
        )));
    }
    let Some(class) = one.class else {
        return Err(unknown(format!(
            "{wanted:?} was made for the rows of one dataset; INSERT INTO adds rows to that"
        )));
    };
    let said = registry.said_by_datasets(store, one).map_err(refused)?;
    let (schema, primary_identity) = match said {
        Some((schema, primary)) => (Some(schema), primary),
        None => (None, None),
    };
    let made = Dataset {
        schema,
        primary_identity,
        schema_ref: Some(serde_json::json!({
            "id": one.id,
            "contentType": "application/vnd.adobe.xed+json;version=1",
        })),
        file_description: Some(Dataset::default_file_description()),
        description: new.description.map(str::to_owned),
        created: Timestamp::now(),
        ..Dataset::new(&profile_export::store::new_id(), new.name, class)
    };
    Ok(Goal::NewRecords {
        dataset: Box::new(made),
        known: one.fields.iter().map(|(name, _)| name.to_owned()).collect(),
    })
}

/// The table that rows are to be added to.
///
/// # Errors
/// There is none, or it takes no rows; a query without names for its columns.
pub(crate) fn insert_target(
    tables: &SessionTables,
    name: &str,
    columns: &[String],
    query: &Query,
) -> Result<Goal, Error> {
    let no_rows = |why: &str| {
        let message = format!("INSERT INTO {name}: {why}");
        Err(Error::new(Code::WrongObject, message))
    };
    if tables.own.contains_key(name) {
        return no_rows("a temporary table keeps the rows that it was made with");
    }
    if tables.views.iter().any(|(known, _)| known == name) {
        return no_rows("it is a view");
    }
    let undefined = || Error::new(Code::UndefinedTable, format!("there is no table {name:?}"));
    let target = tables.store.target(name)?.ok_or_else(undefined)?;
    let table = || -> Result<Fields, Error> {
        let table = tables.store.table(name, &Snapshots::All)?;
        Ok(table.ok_or_else(undefined)?.schema().fields().clone())
    };
    let mut columns = columns.to_vec();
    match target {
        TableKind::Other => no_rows("it shows what the store has, and takes no rows"),
        TableKind::Exports(_) => no_rows("exports write into it, and nothing else does"),
        TableKind::AdHoc(dataset) => {
            let table = table()?;
            if columns.is_empty() && query.is_values() {
                columns = table.iter().map(|field| field.name().clone()).collect();
            }
            Ok(Goal::AdHoc {
                dataset: Box::new(dataset),
                table,
                columns,
            })
        }
        TableKind::Records(dataset) => {
            if columns.is_empty() && query.is_values() {
                let message =
                    format!("name the columns of VALUES: INSERT INTO {name} (…) VALUES …");
                return Err(Error::new(Code::Syntax, message));
            }
            let mut known: Vec<String> =
                table()?.iter().map(|field| field.name().clone()).collect();
            // Tables don't show it, as it is no part of the record.
            let ingested = dataset.ingested_at_field.as_deref().map(FieldPath::parse);
            if let Some(Ok(path)) = ingested {
                known.extend(path.parts().first().cloned());
            }
            Ok(Goal::Records {
                dataset: Box::new(dataset),
                known,
                columns,
            })
        }
    }
}

impl Goal {
    /// Writes a query's rows: all of them, or none.
    ///
    /// # Errors
    /// A column that the goal can't take, a row that is no record, what the query itself meets; then nothing is written.
    pub(crate) async fn fill(
        self,
        store: &Arc<Store>,
        frame: DataFrame,
        writing: &Writing,
    ) -> Result<Written, Error> {
        let query = frame.schema().inner().fields().clone();
        let (shape, job) = self.job(store, &query)?;
        let (is_new, failure) = (job.is_new, Failure::default());
        let threads = frame.task_ctx().session_config().target_partitions();
        let rows = frame.execute_stream().await?;
        let (rows, abort) = QueryRows::new(rows, shape, failure.clone());
        let progress = Arc::new(Progress::default());
        let _end = writing.begin(Arc::clone(&progress), abort);
        let store = Arc::clone(store);
        let work = move || job.run(&store, Box::new(rows), threads, &progress);
        let written = aside(work).await?;
        match (written, failure.take()) {
            (Ok(written), _) => Ok(Written {
                is_new,
                dataset: written.dataset,
                batch: written.batch,
                rows: written.rows,
                dropped: written.dropped,
            }),
            (Err(_), Some(error)) => Err(error),
            // Made by somebody else meanwhile.
            (Err(error), None) if is_new && error.code == Code::WrongState => {
                Err(Error::new(Code::DuplicateTable, error.message))
            }
            (Err(error), None) => Err(error),
        }
    }

    /// The columns that are written, and who writes them.
    fn job(self, store: &Store, query: &Fields) -> Result<(Shape, Job), Error> {
        match self {
            Self::NewAdHoc { name, description } => {
                unique(query.iter().map(|field| field.name().as_str()))?;
                let schema = Arc::new(Schema::new(stored_fields(query)));
                check_types(&schema)?;
                let dataset = ad_hoc_dataset(store, &name, &schema).map_err(refused)?;
                let dataset = Dataset {
                    description,
                    ..dataset
                };
                let sources = (0..query.len()).map(Some).collect();
                let job = Job {
                    dataset: Box::new(dataset),
                    is_new: true,
                    of_records: false,
                };
                Ok((Shape { schema, sources }, job))
            }
            Self::AdHoc {
                dataset,
                table,
                columns,
            } => {
                let shape = as_table(query, &table, &columns)?;
                check_types(&shape.schema)?;
                let job = Job {
                    dataset,
                    is_new: false,
                    of_records: false,
                };
                Ok((shape, job))
            }
            Self::NewRecords { dataset, known } => {
                let shape = as_records(query, &known, &[], false)?;
                let job = Job {
                    dataset,
                    is_new: true,
                    of_records: true,
                };
                Ok((shape, job))
            }
            Self::Records {
                dataset,
                known,
                columns,
            } => {
                let shape = as_records(query, &known, &columns, dataset.schema.is_none())?;
                let job = Job {
                    dataset,
                    is_new: false,
                    of_records: true,
                };
                Ok((shape, job))
            }
        }
    }
}

/// Who writes.
struct Job {
    dataset: Box<Dataset>,
    is_new: bool,
    of_records: bool,
}

impl Job {
    fn run(
        self,
        store: &Store,
        rows: Rows,
        threads: usize,
        progress: &Progress,
    ) -> Result<WrittenRows, Error> {
        let target = match self.is_new {
            true => RowsTarget::New(&self.dataset),
            false => RowsTarget::Known(&self.dataset),
        };
        if !self.of_records {
            return write_rows(store, target, rows, progress).map_err(refused);
        }
        // A load waits for its rows on a thread of the pool that it works on; what makes these must not need that one.
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        let pool = pool.map_err(|error| Error::new(Code::System, error.to_string()))?;
        let loaded = pool.install(|| load_rows(store, target, rows, progress));
        loaded.map_err(refused)
    }
}

/// Deletes datasets as HTTP does: all of them, or none.
///
/// # Errors
/// One is gone, or exports wrote into it.
pub(crate) async fn drop_datasets(
    store: &Arc<Store>,
    ids: Vec<String>,
    writing: &Writing,
) -> Result<(), Error> {
    // It takes a moment, and is not stopped.
    let _end = writing.begin(Arc::default(), AbortHandle::new_pair().0);
    let store = Arc::clone(store);
    let dropped = aside(move || store.delete_datasets(&ids)).await?;
    dropped.map_err(|error| refused(error.into()))
}

/// Does what waits for the disk on a thread that nobody else waits for.
pub(crate) async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Error> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|panic| Error::new(Code::System, panic.to_string()))
}

/// Why something could not be written, in SQL's words.
fn refused(error: platform::Error) -> Error {
    let kind = error.kind();
    let (code, message) = match error {
        platform::Error::Store(StoreError::Decode(DecodeError::BadRecord {
            line,
            problem,
            ..
        })) => (
            Code::BadRow,
            format!("row {line}: {problem}; nothing is written"),
        ),
        platform::Error::Store(StoreError::Decode(DecodeError::Input { problem, .. })) => {
            (Code::DatatypeMismatch, problem)
        }
        platform::Error::Request(error) => (Code::WrongObject, error.problem),
        error => {
            let code = match kind {
                ErrorKind::NotFound => Code::UndefinedTable,
                ErrorKind::Conflict => Code::WrongState,
                ErrorKind::BadInput | ErrorKind::InvalidDataset => Code::DatatypeMismatch,
                ErrorKind::Cancelled => Code::Cancelled,
                _ => Code::System,
            };
            (code, error.to_string())
        }
    };
    Error::new(code, message)
}
