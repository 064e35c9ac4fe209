use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use arrow::datatypes::SchemaRef;
use decode::Progress;
use filter::MembershipMatches;
use run::{BlockCache, Snapshot};
use xdm::nearest;

use xdm::PersonKey;

use crate::chunks::{Chunks, Selection, Watched};
use crate::components::Profile;
use crate::dedupe::{Kept, no_shard};
use crate::directory::{Directory, Lookups};
use crate::error::Result;
use crate::graph::{Graph, GraphReport};
use crate::people::People;
use crate::pipeline::Pipeline;
use crate::plan::Plan;
use crate::shard::Shard;
use crate::sources::Sources;

/// How many unknown segments are compared with those that are known.
const MOST_COMPARED: usize = 10;

/// A segment that no record names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownSegment {
    /// Its ID.
    pub id: String,
    /// Its namespace, where the request says one.
    pub namespace: Option<String>,
    /// What may be meant: the namespace, in lower case, and ID of a segment that records name.
    pub near: Option<(String, String)>,
}

/// A plan over a snapshot, ready to stream rows. Cheap to clone, and shared between threads.
#[derive(Clone)]
pub struct Export {
    shared: Arc<Shared>,
    progress: Arc<Progress>,
    keeps_dictionaries: bool,
}

struct Shared {
    pipeline: Arc<Pipeline>,
    graph: Option<Arc<Graph>>,
    /// What says which profiles are nobody's duplicate.
    first_pass: Option<Arc<Pipeline>>,
    /// Chunks that are made ahead, of all batches and shards together.
    ahead: Arc<AtomicUsize>,
    /// The people that batches look up.
    lookups: Lookups,
}

/// One batch of an export, or a shard of it.
#[derive(Clone)]
pub struct ExportBatch {
    export: Export,
    number: usize,
    shard: Shard,
    /// The persons whose profiles there are alone, if these are said.
    persons: Option<Arc<[PersonKey]>>,
}

impl Export {
    /// Prepares the columns of an export. The snapshot's runs are kept open as long as it lives.
    ///
    /// # Errors
    /// A damaged run; a plan whose union schemas are not the snapshot's.
    pub fn new(snapshot: &Snapshot, plan: &Plan) -> Result<Self> {
        Self::watched(snapshot, plan, Arc::default())
    }

    /// The same, which counts rows in `progress`, and stops when that is cancelled: its preparation, too.
    ///
    /// # Errors
    /// As for [`Export::new`]; it was cancelled.
    pub fn watched(snapshot: &Snapshot, plan: &Plan, progress: Arc<Progress>) -> Result<Self> {
        let span = tracing::info_span!("prepare export", generation = snapshot.generation);
        let _span = span.enter();
        let pipeline = Pipeline::new(snapshot, plan)?;
        let graph = Graph::of(plan, pipeline.sources(), &progress)?;
        let first_pass = match &plan.deduplication {
            None => None,
            Some(deduplication) => {
                let first = Pipeline::new(snapshot, deduplication.first_pass())?;
                if let Some(graph) = &graph {
                    graph.keeps(first.sources());
                }
                Some(Arc::new(first))
            }
        };
        Ok(Self {
            shared: Arc::new(Shared {
                pipeline: Arc::new(pipeline),
                graph: graph.map(Arc::new),
                first_pass,
                ahead: Arc::default(),
                lookups: Lookups::default(),
            }),
            progress,
            keeps_dictionaries: false,
        })
    }

    /// Counts rows in `progress`, and stops when that is cancelled.
    #[must_use]
    pub fn with_progress(self, progress: Arc<Progress>) -> Self {
        Self { progress, ..self }
    }

    /// For look-ups: rows are read alone. The identity graph of another one is taken where this plan needs the same.
    pub(crate) fn for_look_ups(
        snapshot: &Snapshot,
        plan: &Plan,
        other: Option<&Self>,
        blocks: &Arc<BlockCache>,
        progress: &Progress,
    ) -> Result<Self> {
        let others = other.and_then(|other| other.shared.graph.as_ref());
        let graph = match others.filter(|graph| graph.is_of(plan)) {
            Some(graph) => Some(Arc::clone(graph)),
            // What is read for the graph is let go of with these.
            None => Graph::of(plan, &Sources::new(snapshot, plan), progress)?.map(Arc::new),
        };
        Ok(Self {
            shared: Arc::new(Shared {
                pipeline: Arc::new(Pipeline::for_look_ups(snapshot, plan, Arc::clone(blocks))?),
                graph,
                first_pass: None,
                ahead: Arc::default(),
                lookups: Lookups::default(),
            }),
            progress: Arc::default(),
            keeps_dictionaries: false,
        })
    }

    /// Leaves text in dictionaries (`Dictionary(Int32, Utf8)`) where the store holds it so, which is
    /// quicker to make and to encode. Which fields that are depends on the data, so shards and
    /// partitions may differ in it.
    #[must_use]
    pub fn with_dictionaries(self) -> Self {
        Self {
            keeps_dictionaries: true,
            ..self
        }
    }

    /// The schema of all rows: the plan's, unless dictionaries are kept.
    #[must_use]
    pub fn schema(&self) -> SchemaRef {
        let pipeline = &self.shared.pipeline;
        if self.keeps_dictionaries {
            pipeline.schema().clone()
        } else {
            pipeline.plan().schema()
        }
    }

    /// What stands out in the identity graph, if the policy has one.
    #[must_use]
    pub fn graph_report(&self) -> Option<&GraphReport> {
        self.graph().map(Graph::report)
    }

    /// The segments of the plan that no record names, whatever the status: their IDs, and for some the nearest one
    /// that a record names. Mostly such an ID is mistyped.
    ///
    /// # Errors
    /// A damaged run.
    pub fn unknown_segments(&self) -> Result<Vec<UnknownSegment>> {
        let batches = &self.shared.pipeline.plan().batches;
        if batches.iter().all(|batch| batch.segments.is_empty()) {
            return Ok(Vec::new());
        }
        let mut known: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for source in &self.shared.pipeline.sources().all {
            for (namespace, id) in source.run.segments()? {
                known.entry(id).or_default().insert(namespace);
            }
        }
        let mut told = BTreeSet::new();
        let mut unknown = Vec::new();
        for segment in batches.iter().flat_map(|batch| &batch.segments) {
            let namespaces = known.get(&segment.id[..]);
            let mut others = namespaces.into_iter().flatten();
            let is_known = others.any(|namespace| segment.names(namespace, &segment.id));
            if is_known || !told.insert((&segment.id, &segment.namespace)) {
                continue;
            }
            let near = match namespaces {
                Some(others) => others.first().map(|other| (*other, &segment.id[..])),
                // Where there are many they are hardly all mistyped, and each is compared with all.
                None if unknown.len() >= MOST_COMPARED => None,
                None => {
                    let near = nearest(&segment.id, known.keys().copied());
                    let near = near
                        .first()
                        .and_then(|near| Some((known.get(near)?, *near)));
                    near.and_then(|(namespaces, near)| Some((*namespaces.first()?, near)))
                }
            };
            unknown.push(UnknownSegment {
                id: segment.id.clone(),
                namespace: segment.namespace.clone(),
                near: near.map(|(namespace, id)| (namespace.to_owned(), id.to_owned())),
            });
        }
        Ok(unknown)
    }

    /// The shard of the profile of a primary identity alone, whatever the namespace's case; `None` where the identity graph
    /// leaves it out. It is empty where no record has that identity.
    #[must_use]
    pub fn shard_of(&self, namespace: &str, id: &str) -> Option<Shard> {
        let key = PersonKey::of(namespace, id);
        let key = match self.graph().map(|graph| graph.profile(key)) {
            None | Some(Profile::Alone) => key,
            Some(Profile::Joined(members)) => *members.first()?,
            Some(Profile::LeftOut) => return None,
        };
        Some(Shard {
            first: key,
            last: key,
        })
    }

    pub(crate) fn pipeline(&self) -> &Pipeline {
        &self.shared.pipeline
    }

    pub(crate) fn progress(&self) -> &Progress {
        &self.progress
    }

    pub(crate) fn graph(&self) -> Option<&Graph> {
        self.shared.graph.as_deref()
    }

    /// Everybody in the sources, whatever the filters say.
    pub(crate) fn everybody(&self) -> People {
        self.everybody_in(Shard::ALL)
    }

    fn everybody_in(&self, shard: Shard) -> People {
        let sources = self.pipeline().sources();
        match self.graph() {
            None => People::everybody(sources, shard),
            Some(graph) => graph.everybody(sources, shard),
        }
    }

    /// How many batches there are: one, or one for each segment.
    #[must_use]
    pub fn batch_count(&self) -> usize {
        self.shared.pipeline.plan().batches.len()
    }

    /// The batch with this number, counted from 0.
    ///
    /// # Panics
    /// There is no such batch.
    #[must_use]
    pub fn batch(&self, number: usize) -> ExportBatch {
        assert!(number < self.batch_count(), "no batch {number}");
        ExportBatch {
            export: self.clone(),
            number,
            shard: Shard::ALL,
            persons: None,
        }
    }

    /// All batches in order.
    pub fn batches(&self) -> impl Iterator<Item = ExportBatch> + '_ {
        (0..self.batch_count()).map(|number| self.batch(number))
    }
}

impl ExportBatch {
    /// Only the profiles of a shard. The shards of a plan one after the other are the whole batch.
    #[must_use]
    pub fn in_shard(self, shard: Shard) -> Self {
        Self { shard, ..self }
    }

    /// Only the profiles that these persons are, or are part of.
    #[must_use]
    pub fn of_persons(self, mut persons: Vec<PersonKey>) -> Self {
        persons.sort_unstable();
        persons.dedup();
        Self {
            persons: Some(persons.into()),
            ..self
        }
    }

    /// The schema of all rows.
    #[must_use]
    pub fn schema(&self) -> SchemaRef {
        self.export.schema()
    }

    /// Streams the rows in the order of their persons' keys. A few chunks are made ahead, in parallel
    /// on rayon's current threads, while the caller is at work on those before them.
    #[must_use]
    pub fn chunks(&self) -> Chunks {
        let Shared {
            pipeline,
            first_pass,
            ..
        } = &*self.export.shared;
        let parts = pipeline.plan().batches.len() * (1 + usize::from(first_pass.is_some()));
        let watched = |counts_rows| Watched {
            progress: Arc::clone(&self.export.progress),
            parts,
            counts_rows,
        };
        let selected = self.unique(watched(false)).and_then(|unique| {
            Ok(Selection {
                unique,
                ..self.selected(pipeline)?
            })
        });
        let plain = (!self.export.keeps_dictionaries).then(|| self.schema());
        Chunks::new(
            Arc::clone(pipeline),
            selected,
            plain,
            watched(true),
            Arc::clone(&self.export.shared.ahead),
        )
    }

    /// Which profiles are nobody's duplicate, where that is asked for.
    fn unique(&self, watched: Watched) -> Result<Option<Kept>> {
        let shared = &*self.export.shared;
        let plan = shared.pipeline.plan();
        let (Some(deduplication), Some(first)) = (&plan.deduplication, &shared.first_pass) else {
            return Ok(None);
        };
        if self.shard != Shard::ALL {
            return Err(no_shard().into());
        }
        let rows = Chunks::new(
            Arc::clone(first),
            self.selected(first),
            Some(first.plan().schema()),
            watched,
            Arc::clone(&shared.ahead),
        );
        let membership = &plan.batches[self.number];
        Ok(Some(deduplication.kept(
            rows,
            membership,
            &plan.mandatory,
        )?))
    }

    /// The profiles of this batch, for a pipeline of this export. Both passes of one cut them into the same chunks: by
    /// the sources of the export itself, whatever the first pass reads.
    fn selected(&self, pipeline: &Pipeline) -> Result<Selection> {
        let shared = &*self.export.shared;
        let membership = &pipeline.plan().batches[self.number];
        let matches = |pipeline: &Pipeline| -> Result<Option<MembershipMatches>> {
            Ok(match membership.is_open() {
                true => None,
                false => Some(membership.scan(pipeline.sources().indexes(membership)?)),
            })
        };
        let own = &*shared.pipeline;
        let of_own = matches(own)?;
        let matching = match (&self.persons, &of_own) {
            (Some(persons), _) => Some(persons.to_vec()),
            (None, Some(matches)) => Some(own.matching(matches)),
            (None, None) => None,
        };
        let people = match (matching, &shared.graph) {
            (None, _) => self.export.everybody_in(self.shard),
            (Some(keys), None) => People::of_keys(keys, own.sources(), self.shard),
            (Some(keys), Some(graph)) => graph.of_keys(&keys, own.sources(), self.shard),
        };
        let people = match self.directory_for(&people)? {
            Some(directory) => people.listed(&directory),
            None => people,
        };
        Ok(Selection {
            people,
            matches: match std::ptr::eq(own, pipeline) {
                true => of_own,
                false => matches(pipeline)?,
            },
            unique: None,
        })
    }

    /// The directory that people of this batch are looked up in, where batches ask for many together. The passes of a
    /// deduplication read other sources, but the same chunks of people.
    fn directory_for(&self, people: &People) -> Result<Option<Arc<Directory>>> {
        let shared = &*self.export.shared;
        let is_whole = self.shard == Shard::ALL && self.persons.is_none();
        let (Some(known), true, None) = (people.known(), is_whole, &shared.first_pass) else {
            return Ok(None);
        };
        if self.export.batch_count() == 1 {
            return Ok(None);
        }
        let sources = shared.pipeline.sources();
        let everybody = || self.export.everybody();
        let progress = &self.export.progress;
        shared.lookups.count(known, everybody, sources, progress)
    }
}
