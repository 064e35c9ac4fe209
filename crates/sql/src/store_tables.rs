//! The tables of a store.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use arrow::datatypes::Fields;
use datafusion::catalog::TableProvider;
use datafusion::error::{DataFusionError, Result};
use profile_export::platform::{TableNames, ad_hoc_columns, merge_policies};
use profile_export::request::MergePolicy;
use profile_export::store::{Batch, BatchFilter, BatchProperty, BatchQuery, Store};
use profile_export::xdm::Dataset;
use profile_export_datafusion::BatchTable;

use crate::dialect::{Code, Error};
use crate::history::history;
use crate::kept::{Kept, State};
use crate::system::SystemTable;
use crate::tables::{Snapshot, Snapshots, Tables};

/// The table of merged profiles by the default merge policy; by another, its ID stands behind it.
pub const PROFILES: &str = "profile_snapshot_export";

/// The tables of one sandbox of a store, as it is when each is first asked for.
///
/// | name | rows |
/// |---|---|
/// | that of a dataset (`adobe/pqs/table`) | its records; of one that exports write into, the rows of all its batches, each a snapshot |
/// | `profile_snapshot_export`, `profile_snapshot_export_POLICY` | merged profiles, by the default merge policy and by each |
/// | `system_jobs`, `system_batches`, `system_segments`, `system_merge_policies`, `system_datasets` | what the catalog knows |
/// | `adwh_dim_merge_policies`, `adwh_dim_namespaces` | what clients read of the platform's accelerated store |
pub struct StoreTables {
    store: Arc<Store>,
    known: BTreeMap<String, Source>,
    datasets: Vec<Dataset>,
    kept: Arc<Kept>,
    state: OnceLock<Arc<State>>,
    batches: Mutex<BTreeMap<String, Arc<Vec<Batch>>>>,
}

/// The table of each dataset, in lower case: no two are one. The oldest dataset first.
pub(crate) fn table_names(datasets: &[Dataset]) -> Vec<(String, &Dataset)> {
    let names = TableNames::of(datasets);
    let named = datasets.iter().rev();
    let named = named.map(|dataset| (names.of_dataset(dataset).to_lowercase(), dataset));
    named.collect()
}

/// The name, with a number behind it where that is taken.
fn not_taken(plain: String, known: &BTreeMap<String, Source>) -> String {
    let numbered = (2..).map(|n| format!("{plain}_{n}"));
    let mut names = std::iter::once(plain.clone()).chain(numbered);
    let free = names.find(|name| !known.contains_key(name));
    free.unwrap_or_else(|| unreachable!("there are more numbers than tables"))
}

/// What a table is of.
#[derive(Clone, Debug)]
enum Source {
    /// Merged profiles.
    Profiles(Box<MergePolicy>),
    /// The records of a dataset.
    Records(String),
    /// What exports or statements wrote into a dataset.
    Batches(String),
    /// What the catalog knows.
    System(SystemTable),
}

/// What rows would be written into, or dropped.
#[derive(Clone, Debug)]
pub(crate) enum Target {
    /// A dataset of records.
    Records(Dataset),
    /// One whose rows are no records.
    AdHoc(Dataset),
    /// One that exports write into.
    Exports(Dataset),
    /// No dataset.
    Other,
}

/// A table by its name, and what it is of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableInfo {
    /// Its name.
    pub name: String,
    /// The dataset's ID, if it is of one.
    pub dataset: Option<String>,
    /// What its rows are.
    pub description: String,
}

impl StoreTables {
    /// The tables of a store's sandbox.
    ///
    /// # Errors
    /// The catalog can't be read.
    pub fn new(store: Arc<Store>) -> Result<Self> {
        Self::keeping(store, Arc::default())
    }

    /// The same, by what is kept of stores.
    pub(crate) fn keeping(store: Arc<Store>, kept: Arc<Kept>) -> Result<Self> {
        let catalog = store.catalog();
        let datasets = catalog.datasets().map_err(external)?;
        let mut known = BTreeMap::new();
        for (name, dataset) in table_names(&datasets) {
            known.insert(name, source_of(dataset));
        }
        for policy in merge_policies(catalog).map_err(external)? {
            // A dataset has its name for good, and there may be one that is called so.
            if policy.default {
                let source = Source::Profiles(Box::new(policy.clone()));
                known.entry(PROFILES.to_owned()).or_insert(source);
            }
            let plain = format!("{PROFILES}_{}", policy.id.replace('-', "_").to_lowercase());
            let name = not_taken(plain, &known);
            known.insert(name, Source::Profiles(Box::new(policy)));
        }
        for table in SystemTable::ALL {
            let source = Source::System(table);
            known.entry(table.name().to_owned()).or_insert(source);
        }
        Ok(Self {
            store,
            known,
            datasets,
            kept,
            state: OnceLock::new(),
            batches: Mutex::default(),
        })
    }

    /// All tables, by name.
    #[must_use]
    pub fn list(&self) -> Vec<TableInfo> {
        let all = self.known.iter().map(|(name, source)| TableInfo {
            name: name.clone(),
            dataset: match source {
                Source::Records(id) | Source::Batches(id) => Some(id.clone()),
                Source::Profiles(_) | Source::System(_) => None,
            },
            description: match source {
                Source::Records(_) => "records as they came in".to_owned(),
                Source::Batches(_) => {
                    "rows of all batches that exports or statements wrote".to_owned()
                }
                Source::Profiles(policy) => {
                    format!("merged profiles, by merge policy {:?}", policy.name)
                }
                Source::System(table) => table.description().to_owned(),
            },
        });
        all.collect()
    }

    /// What a table is to who writes; `None` where there is none.
    pub(crate) fn target(&self, name: &str) -> Result<Option<Target>> {
        let Some(source) = self.known.get(name) else {
            return Ok(None);
        };
        let (Source::Records(id) | Source::Batches(id)) = source else {
            return Ok(Some(Target::Other));
        };
        let found = self.store.catalog().dataset(id).map_err(external)?;
        // It may have been deleted since.
        Ok(found
            .filter(|found| found.id == *id)
            .map(|dataset| match source {
                Source::Records(_) => Target::Records(dataset),
                _ if dataset.ad_hoc.is_some() => Target::AdHoc(dataset),
                _ => Target::Exports(dataset),
            }))
    }

    /// One state of the store for all tables of a session's statement.
    fn state(&self) -> Result<&State> {
        if let Some(state) = self.state.get() {
            return Ok(state);
        }
        let state = self.kept.now(&self.store, &self.datasets)?;
        Ok(self.state.get_or_init(|| state))
    }

    /// The batches that exports or statements wrote into a dataset, in the order in which they became visible: the same for all of a
    /// statement.
    fn batches(&self, dataset: &str) -> Result<Arc<Vec<Batch>>> {
        let mut kept = self.batches.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(batches) = kept.get(dataset) {
            return Ok(Arc::clone(batches));
        }
        let query = BatchQuery {
            dataset: Some(dataset.to_owned()),
            filters: vec![BatchFilter::Is(
                BatchProperty::Status,
                vec!["success".to_owned()],
            )],
            order: vec![(BatchProperty::Entered, false)],
            ..BatchQuery::default()
        };
        let mut batches = self.store.catalog().batches(&query).map_err(external)?;
        batches.retain(|batch| !batch.came_in());
        let batches = Arc::new(batches);
        kept.insert(dataset.to_owned(), Arc::clone(&batches));
        Ok(batches)
    }

    fn batch_table(&self, dataset: &str, snapshots: &Snapshots) -> Result<BatchTable> {
        if self
            .state()?
            .snapshot
            .runs
            .iter()
            .any(|run| run.dataset == dataset)
        {
            return Err(refused(
                Code::NotSupported,
                format!(
                    "dataset {dataset} has records that were loaded beside what exports wrote, and no table has both"
                ),
            ));
        }
        let batches = self.batches(dataset)?;
        let chosen = chosen(&batches, snapshots)?;
        let mut files = Vec::new();
        for batch in &batches[chosen] {
            let folder = self.store.batch_folder(batch);
            let mut others = batch
                .files
                .iter()
                .filter(|file| !file.name.ends_with(".parquet"));
            if let Some(other) = others.next() {
                return Err(refused(
                    Code::NotSupported,
                    format!(
                        "{} of batch {} is no Parquet, and statements read no other files; SNAPSHOT says which batches \
                         are read",
                        other.name, batch.id
                    ),
                ));
            }
            files.extend(batch.files.iter().map(|file| folder.join(&file.name)));
        }
        let dataset = self.store.catalog().dataset(dataset).map_err(external)?;
        let columns = dataset.as_ref().map(ad_hoc_columns).transpose();
        let columns = columns.map_err(external)?.flatten();
        let fields = columns.map_or_else(Fields::empty, |columns| columns.fields().clone());
        BatchTable::with_fields(fields, &files)
    }
}

fn source_of(dataset: &Dataset) -> Source {
    match dataset.why_no_target() {
        _ if dataset.ad_hoc.is_some() => Source::Batches(dataset.id.clone()),
        None => Source::Batches(dataset.id.clone()),
        Some(_) => Source::Records(dataset.id.clone()),
    }
}

/// Which of the batches, oldest first, a statement reads.
fn chosen(batches: &[Batch], snapshots: &Snapshots) -> Result<std::ops::Range<usize>> {
    // How many batches there are up to a snapshot, itself included.
    let up_to = |snapshot: &Snapshot| match snapshot {
        Snapshot::Head => Ok(0),
        Snapshot::Tail => Ok(batches.len()),
        Snapshot::Id(id) => match batches.iter().position(|batch| batch.id == *id) {
            Some(at) => Ok(at + 1),
            None => Err(refused(
                Code::UndefinedTable,
                format!(
                    "there is no snapshot {id:?}; SELECT * FROM (SELECT history_meta('TABLE')) lists those there are"
                ),
            )),
        },
    };
    let range = match snapshots {
        Snapshots::All => 0..batches.len(),
        Snapshots::Since(first) => up_to(first)?..batches.len(),
        Snapshots::AsOf(last) => 0..up_to(last)?,
        Snapshots::Between(first, last) => up_to(first)?..up_to(last)?,
    };
    match range.start <= range.end {
        true => Ok(range),
        false => Err(refused(
            Code::Syntax,
            "SNAPSHOT BETWEEN: the first snapshot is later than the second".to_owned(),
        )),
    }
}

impl fmt::Debug for StoreTables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreTables")
            .field("known", &self.known)
            .finish_non_exhaustive()
    }
}

impl Tables for StoreTables {
    fn names(&self) -> Vec<String> {
        self.known.keys().cloned().collect()
    }

    fn table(&self, name: &str, snapshots: &Snapshots) -> Result<Option<Arc<dyn TableProvider>>> {
        let Some(source) = self.known.get(name) else {
            return Ok(None);
        };
        if *snapshots != Snapshots::All && !matches!(source, Source::Batches(_)) {
            return Err(no_snapshots(name));
        }
        Ok(Some(match source {
            Source::Profiles(policy) => self.state()?.profiles(policy)?,
            Source::Records(dataset) => self.state()?.records(dataset)?,
            Source::Batches(dataset) => Arc::new(self.batch_table(dataset, snapshots)?),
            Source::System(table) => table.provider(&self.store)?,
        }))
    }

    fn history(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        match self.known.get(name) {
            None => Ok(None),
            Some(Source::Batches(dataset)) => Ok(Some(history(&self.batches(dataset)?)?)),
            Some(_) => Err(no_snapshots(name)),
        }
    }
}

pub(crate) fn no_snapshots(name: &str) -> DataFusionError {
    refused(
        Code::NotSupported,
        format!(
            "table {name} has no snapshots: those have the tables of datasets that exports or statements write files into, one a batch"
        ),
    )
}

fn refused(code: Code, message: String) -> DataFusionError {
    Error::new(code, message).into()
}

pub(crate) fn external(error: impl std::error::Error + Send + Sync + 'static) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}
