//! The runs that an export reads, as the sources of its columns.

use std::sync::Arc;

use arrow::buffer::ScalarBuffer;
use filter::MembershipFilter;
use gather::{Dictionaries, RowRef};
use membership::MembershipIndex;
use merge::{IdentityGraphType, Precedence};
use rayon::prelude::*;
use run::{BlockCache, RecordTimes, Run, Snapshot};
use xdm::{Class, Dataset};

use crate::cache::Cache;
use crate::columns::{BatchFields, BatchRef, Set};
use crate::error::Result;
use crate::plan::Plan;
use crate::times::Times;

/// What unpacked columns may take that no chunk at work needs: the next batch may.
const ROOM: usize = 48 << 20;

/// The runs of a snapshot, with each one's part in the merge policy.
pub(crate) struct Sources {
    pub(crate) all: Vec<Source>,
    pub(crate) precedence: Precedence,
    pub(crate) dictionaries: Dictionaries,
    /// By the set, source and batch.
    pub(crate) fields: Cache<(Set, u32, u32), BatchFields>,
    times: Cache<BatchRef, RecordTimes>,
    ingest_times: Cache<BatchRef, ScalarBuffer<i64>>,
    /// Unpacked blocks, where rows are read alone, without those beside them: for look-ups.
    pub(crate) blocks: Option<Arc<BlockCache>>,
}

pub(crate) struct Source {
    pub(crate) run: Arc<Run>,
    /// What its dataset is called.
    pub(crate) dataset: String,
    /// The dataset's place in the policy; `None` where its fragments take no part.
    pub(crate) rank: Option<u32>,
    /// Whether its events are collected.
    pub(crate) takes_events: bool,
}

impl Source {
    /// Whether its records become part of profiles.
    pub(crate) fn takes_part(&self) -> bool {
        self.has_fragments() || self.takes_events
    }

    /// Whether its records are fragments of profiles, of evaluated memberships at least.
    pub(crate) fn has_fragments(&self) -> bool {
        self.rank.is_some() || self.is_evaluated()
    }

    /// Whether it has memberships that an evaluation of segments made.
    pub(crate) fn is_evaluated(&self) -> bool {
        is_evaluated(&self.run)
    }
}

fn is_evaluated(run: &Run) -> bool {
    run.dataset == Dataset::EVALUATED_MEMBERSHIPS
}

impl Sources {
    /// The runs that take part in a plan; all, where it groups persons by the identity graph.
    pub(crate) fn new(snapshot: &Snapshot, plan: &Plan) -> Self {
        let policy = &plan.policy;
        let datasets = snapshot
            .datasets
            .iter()
            .map(|dataset| (dataset.id.as_str(), dataset.class == Class::Event));
        let precedence = Precedence::new(policy, datasets);
        let wants_events = plan.events.is_some() || plan.profiles.empty_profiles;
        let has_graph = policy.identity_graph.kind != IdentityGraphType::None;
        let runs = snapshot.runs.iter().filter(|run| match run.class {
            _ if is_evaluated(run) => plan.reads_memberships(),
            Class::Profile => true,
            Class::Event => has_graph || wants_events,
        });
        let all = runs
            .map(|run| Source {
                rank: match run.class {
                    _ if is_evaluated(run) => None,
                    Class::Profile => precedence.rank(&run.dataset),
                    Class::Event => None,
                },
                dataset: (snapshot.datasets.iter())
                    .find(|dataset| dataset.id == run.dataset)
                    .map_or_else(|| run.dataset.clone(), |dataset| dataset.name.clone()),
                takes_events: run.class == Class::Event && precedence.takes_events(&run.dataset),
                run: Arc::clone(run),
            })
            .collect();
        let kept = rayon::current_num_threads() as u64;
        Self {
            all,
            precedence,
            dictionaries: Dictionaries::default(),
            fields: Cache::new(kept, ROOM),
            times: Cache::new(kept, ROOM),
            ingest_times: Cache::new(kept, ROOM),
            blocks: None,
        }
    }

    /// The same for look-ups: what one reads is nothing to the next, so that rows are read alone, and blocks alone are kept,
    /// as far as there is room.
    pub(crate) fn for_look_ups(self, blocks: Arc<BlockCache>) -> Self {
        Self {
            dictionaries: Dictionaries::plain(),
            blocks: Some(blocks),
            ..self
        }
    }

    /// All but those of evaluated memberships: who has nothing else is nobody.
    pub(crate) fn of_data(&self) -> impl Iterator<Item = &Source> {
        self.all.iter().filter(|source| !source.is_evaluated())
    }

    /// The source that a row is in.
    pub(crate) fn of(&self, at: RowRef) -> &Source {
        &self.all[at.source as usize]
    }

    /// Keeps what was read for a chunk for all others.
    pub(crate) fn keep_all(&self) {
        self.fields.keep_all();
        self.times.keep_all();
        self.ingest_times.keep_all();
    }

    /// Says that another chunk begins.
    pub(crate) fn begin_chunk(&self) {
        self.fields.begin_chunk();
        self.times.begin_chunk();
        self.ingest_times.begin_chunk();
    }

    /// When the records of a batch came.
    pub(crate) fn batch_times(&self, (source, batch): BatchRef) -> Result<Arc<RecordTimes>> {
        let run = &self.all[source as usize].run;
        self.times
            .get((source, batch), || Ok(run.batch_times(batch)?))
    }

    /// When the records of a batch came in: that alone.
    pub(crate) fn batch_ingest_times(
        &self,
        (source, batch): BatchRef,
    ) -> Result<Arc<ScalarBuffer<i64>>> {
        let run = &self.all[source as usize].run;
        self.ingest_times
            .get((source, batch), || Ok(run.batch_ingest_times(batch)?))
    }

    /// Whether no later record of its dataset and identity replaces the record in a row of a source.
    pub(crate) fn is_live(&self, number: usize, row: u32, times: &mut Times<'_>) -> Result<bool> {
        let own = &self.all[number];
        if own.run.class == Class::Event {
            return Ok(true);
        }
        let rivals = self.all.iter().enumerate().filter(|(i, rival)| {
            *i != number
                && rival.run.class == Class::Profile
                && rival.run.dataset == own.run.dataset
        });
        let key = own.run.person(own.run.person_of_row(row));
        for (i, rival) in rivals {
            if let Some(person) = rival.run.find(key) {
                let at = RowRef::new(i as u32, rival.run.rows_of(person).start);
                if times.recency(at)? > times.recency(RowRef::new(number as u32, row))? {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    /// Lets go of the memory that what was read so far takes.
    pub(crate) fn release(&self) {
        self.all.iter().for_each(|source| source.run.release());
    }

    /// Says no where a file was cut, or could not be read, while it was in use.
    pub(crate) fn check_whole(&self) -> Result<()> {
        for source in &self.all {
            source.run.check_whole()?;
        }
        Ok(())
    }

    /// Who is in the segments that a filter looks at, by source; `None` where a source takes no part.
    pub(crate) fn indexes(
        &self,
        filter: &MembershipFilter,
    ) -> Result<Vec<Option<MembershipIndex>>> {
        self.all
            .par_iter()
            .map(|source| match source.has_fragments() {
                true => Ok(source
                    .run
                    .members(|namespace, id| filter.looks_at(namespace, id))?),
                false => Ok(None),
            })
            .collect()
    }
}
