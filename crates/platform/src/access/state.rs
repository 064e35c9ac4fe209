//! What look-ups of one sandbox share, as long as the store stays as it is.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use decode::Progress;
use export::{
    AdditionalFields, BlockCache, EventList, ExportRequest, FilterRequest, Plan, ProfileReader,
    UnionSchemas,
};
use merge::{IdentityGraphType, MergePolicy};
use run::Snapshot;
use store::{Scope, Store, StoreError};

use super::Lookup;
use crate::error::Result;

/// How many prepared look-ups are kept of a sandbox: each holds the columns that it reads.
const MOST: usize = 8;

/// The store as it was at one generation, and what was prepared for look-ups in it.
pub(super) struct State {
    pub(super) scope: Scope,
    pub(super) snapshot: Snapshot,
    unions: UnionSchemas,
    blocks: Arc<BlockCache>,
    readers: Mutex<Readers>,
    /// Held by who prepares one: others that want the same find it then.
    preparing: Mutex<()>,
    /// The codes of namespaces, once they were asked for.
    namespaces: Mutex<Option<Arc<[String]>>>,
}

/// Look-ups that are prepared.
#[derive(Default)]
struct Readers {
    /// The one that was used last in front.
    kept: VecDeque<(MergePolicy, Lookup, ProfileReader)>,
    /// The latest that has an identity graph, which the next take from it.
    with_graph: Option<ProfileReader>,
}

impl State {
    /// The store as it is. Runs that an earlier state has open are taken from that.
    pub(super) fn open(
        store: &Store,
        earlier: Option<&Self>,
        blocks: &Arc<BlockCache>,
    ) -> Result<Self> {
        let known = earlier.map(|earlier| &earlier.snapshot);
        let snapshot = store.snapshot_after(known)?;
        Ok(Self {
            scope: store.catalog().scope().clone(),
            unions: UnionSchemas::from(&snapshot),
            snapshot,
            blocks: Arc::clone(blocks),
            readers: Mutex::default(),
            preparing: Mutex::default(),
            namespaces: Mutex::default(),
        })
    }

    /// Whether it is the state of a sandbox at a generation.
    pub(super) fn is_of(&self, scope: &Scope, generation: i64) -> bool {
        self.snapshot.generation == generation && self.scope == *scope
    }

    /// What is prepared to look something up by a policy.
    pub(super) fn reader(&self, policy: MergePolicy, lookup: &Lookup) -> Result<ProfileReader> {
        if let Some(reader) = self.kept(&policy, lookup) {
            return Ok(reader);
        }
        let _preparing = self
            .preparing
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(reader) = self.kept(&policy, lookup) {
            return Ok(reader);
        }
        let has_graph = policy.identity_graph.kind != IdentityGraphType::None;
        let plan = self.plan(policy.clone(), lookup)?;
        let other = self.readers().with_graph.clone();
        let (snapshot, blocks) = (&self.snapshot, &self.blocks);
        // What is made is everybody's. Where it takes longer than who asked first has patience, the next one has it.
        let to_its_end = Progress::default();
        let reader = ProfileReader::new(snapshot, &plan, other.as_ref(), blocks, &to_its_end)?;
        let mut readers = self.readers();
        if has_graph {
            readers.with_graph = Some(reader.clone());
        }
        readers
            .kept
            .push_front((policy, lookup.clone(), reader.clone()));
        readers.kept.truncate(MOST);
        Ok(reader)
    }

    /// The export whose row a profile is.
    pub(super) fn plan(&self, policy: MergePolicy, lookup: &Lookup) -> Result<Plan> {
        Ok(Plan::new(&request_of(lookup), policy, &self.unions)?)
    }

    /// The codes of the namespaces that identities of records have.
    pub(super) fn namespaces_of_records(&self) -> Result<Arc<[String]>> {
        let mut kept = self
            .namespaces
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(codes) = &*kept {
            return Ok(Arc::clone(codes));
        }
        let snapshot = &self.snapshot;
        let mut found = Vec::new();
        for run in &snapshot.runs {
            found.extend(run.identity_map_keys().map_err(StoreError::from)?);
        }
        // One that stands at a declared path stands in no map.
        let has_run = |id: &str| snapshot.runs.iter().any(|run| run.dataset == id);
        for dataset in snapshot.datasets.iter().filter(|one| has_run(&one.id)) {
            let primary = dataset.primary().map_err(catalog::Error::from)?;
            found.extend(primary.map(|primary| primary.namespace));
        }
        let spelled = found.iter().map(|code| snapshot.namespaces.spelled(code));
        let mut codes: Vec<String> = spelled.map(str::to_owned).collect();
        codes.sort_unstable();
        codes.dedup();
        Ok(Arc::clone(kept.insert(codes.into())))
    }

    fn kept(&self, policy: &MergePolicy, lookup: &Lookup) -> Option<ProfileReader> {
        let kept = &mut self.readers().kept;
        let at = kept
            .iter()
            .position(|(of, what, _)| of == policy && what == lookup)?;
        let found = kept.remove(at)?;
        let reader = found.2.clone();
        kept.push_front(found);
        Some(reader)
    }

    fn readers(&self) -> MutexGuard<'_, Readers> {
        self.readers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn request_of(lookup: &Lookup) -> ExportRequest {
    let some = |fields: &String| Some(fields.clone()).filter(|fields| !fields.trim().is_empty());
    ExportRequest {
        fields: lookup.fields.as_ref().and_then(some),
        filter: Some(FilterRequest {
            empty_profiles: Some(true),
            ..FilterRequest::default()
        }),
        additional_fields: lookup.event_fields.as_ref().map(|fields| AdditionalFields {
            event_list: Some(EventList {
                fields: some(fields),
                filter: None,
            }),
        }),
        ..ExportRequest::default()
    }
}
