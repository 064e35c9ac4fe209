//! What one statement leaves for the next: open runs, and the tables over them.

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use datafusion::catalog::TableProvider;
use datafusion::error::Result;
use profile_export::export::{BlockCache, Snapshot};
use profile_export::request::MergePolicy;
use profile_export::store::{Scope, Store};
use profile_export::xdm::Dataset;
use profile_export_datafusion::{DatasetTable, ProfileTable};

use crate::store_tables::external;

/// Of how many sandboxes something is kept.
const MOST: usize = 8;
/// How many bytes of unpacked blocks are kept of all.
const BLOCKS: usize = 128 << 20;

/// The states in which sandboxes were read last, the one that was used last in front.
pub(crate) struct Kept {
    states: Mutex<VecDeque<(Place, Arc<State>)>>,
    blocks: Arc<BlockCache>,
}

impl Default for Kept {
    fn default() -> Self {
        Self {
            states: Mutex::default(),
            blocks: Arc::new(BlockCache::new(BLOCKS)),
        }
    }
}

/// Where a sandbox is.
#[derive(Clone, PartialEq, Eq)]
struct Place {
    store: PathBuf,
    scope: Scope,
}

/// A sandbox of a store as it is for a statement.
pub(crate) struct State {
    pub(crate) snapshot: Snapshot,
    /// Its datasets, of which some may change while the runs do not.
    datasets: Vec<Dataset>,
    tables: Mutex<Tables>,
    blocks: Arc<BlockCache>,
}

#[derive(Default)]
struct Tables {
    profiles: Vec<(MergePolicy, Arc<ProfileTable>)>,
    datasets: BTreeMap<String, Arc<DatasetTable>>,
}

impl Kept {
    /// The state of a store's sandbox, which has these datasets now: the one that is kept, where nothing has changed since.
    pub(crate) fn now(&self, store: &Store, datasets: &[Dataset]) -> Result<Arc<State>> {
        let place = Place {
            store: store.layout().root().to_owned(),
            scope: store.catalog().scope().clone(),
        };
        let earlier = self.take(&place);
        let generation = store.catalog().generation().map_err(external)?;
        let state = match earlier {
            Some(earlier) if earlier.is_of(generation, datasets) => earlier,
            earlier => {
                let known = earlier.as_deref().map(|state| &state.snapshot);
                let state = State {
                    snapshot: store.snapshot_after(known).map_err(external)?,
                    datasets: datasets.to_vec(),
                    tables: Mutex::default(),
                    blocks: Arc::clone(&self.blocks),
                };
                // What was read of what it was like before is nobody's any more: it may be deleted.
                self.blocks.clear();
                Arc::new(state)
            }
        };
        let mut states = self.states();
        states.retain(|(other, _)| *other != place);
        states.push_front((place, Arc::clone(&state)));
        states.truncate(MOST);
        Ok(state)
    }

    fn take(&self, place: &Place) -> Option<Arc<State>> {
        let states = self.states();
        let found = states.iter().find(|(own, _)| own == place);
        found.map(|(_, state)| Arc::clone(state))
    }

    fn states(&self) -> MutexGuard<'_, VecDeque<(Place, Arc<State>)>> {
        self.states.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn is_of(&self, generation: i64, datasets: &[Dataset]) -> bool {
        let is_whole = || {
            self.snapshot
                .runs
                .iter()
                .all(|run| run.check_whole().is_ok())
        };
        self.snapshot.generation == generation && self.datasets == datasets && is_whole()
    }

    /// The merged profiles by a policy.
    pub(crate) fn profiles(&self, policy: &MergePolicy) -> Result<Arc<dyn TableProvider>> {
        let mut tables = self.tables();
        if let Some((_, table)) = tables.profiles.iter().find(|(own, _)| own == policy) {
            return Ok(Arc::clone(table) as Arc<dyn TableProvider>);
        }
        let table = ProfileTable::new(&self.snapshot, policy.clone())?.sharing(&self.blocks);
        let table = Arc::new(table);
        // Of a policy that has changed nobody asks for what it was.
        tables.profiles.retain(|(own, _)| own.id != policy.id);
        tables.profiles.push((policy.clone(), Arc::clone(&table)));
        Ok(table)
    }

    /// The records of a dataset.
    pub(crate) fn records(&self, dataset: &str) -> Result<Arc<dyn TableProvider>> {
        let mut tables = self.tables();
        if let Some(table) = tables.datasets.get(dataset) {
            return Ok(Arc::clone(table) as Arc<dyn TableProvider>);
        }
        let table = DatasetTable::new(&self.snapshot, dataset)?.sharing(&self.blocks);
        let table = Arc::new(table);
        (tables.datasets).insert(dataset.to_owned(), Arc::clone(&table));
        Ok(table)
    }

    fn tables(&self) -> MutexGuard<'_, Tables> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
