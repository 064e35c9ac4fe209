//! The runs that an export reads, as the sources of its columns.

use arrow::array::ArrayRef;
use arrow::datatypes::DataType;
use filter::MembershipFilter;
use gather::{Column, RowRef};
use membership::MembershipIndex;
use merge::{IdentityGraphType, Precedence};
use rayon::prelude::*;
use run::{RowValues, Run, Snapshot};
use std::sync::Arc;
use xdm::{Class, Fields, Recency, Timestamp};

use crate::error::Result;
use crate::plan::Plan;

/// The runs of a snapshot, with each one's part in the merge policy.
pub(crate) struct Sources {
    pub(crate) all: Vec<Source>,
    pub(crate) precedence: Precedence,
}

pub(crate) struct Source {
    pub(crate) run: Arc<Run>,
    /// The dataset's place in the policy; `None` where its fragments take no part.
    pub(crate) rank: Option<u32>,
    /// Whether its events are collected.
    pub(crate) takes_events: bool,
    ingested: RowValues<i64>,
    updated: RowValues<i64>,
    sequences: RowValues<u64>,
    /// The number of its first batch among the batches of all sources of its class.
    first_batch: u32,
}

impl Source {
    /// How late a record is.
    pub(crate) fn recency(&self, row: u32) -> Recency {
        Recency {
            ingested: self.ingested.get(row),
            sequence: self.sequences.get(row),
        }
    }

    /// When a record came in.
    pub(crate) fn ingested(&self, row: u32) -> Timestamp {
        Timestamp::from_micros(self.ingested.get(row))
    }

    /// By what time a fragment competes with others.
    pub(crate) fn updated(&self, row: u32) -> Timestamp {
        Timestamp::from_micros(self.updated.get(row))
    }
}

impl Sources {
    /// The runs that take part in a plan; all, where it groups persons by the identity graph.
    pub(crate) fn new(snapshot: &Snapshot, plan: &Plan) -> Result<Self> {
        let policy = &plan.policy;
        let datasets = snapshot
            .datasets
            .iter()
            .map(|dataset| (dataset.id.as_str(), dataset.class == Class::Event));
        let precedence = Precedence::new(policy, datasets);
        let wants_events = plan.events.is_some() || plan.profiles.empty_profiles;
        let has_graph = policy.identity_graph.kind != IdentityGraphType::None;
        let runs: Vec<&Arc<Run>> = snapshot
            .runs
            .iter()
            .filter(|run| has_graph || wants_events || run.class == Class::Profile)
            .collect();
        let values = runs
            .par_iter()
            .map(|run| {
                Ok::<_, run::Error>((run.ingest_times()?, run.update_times()?, run.sequences()?))
            })
            .collect::<Result<Vec<_>, _>>()?;
        let mut next_batch = [0u32; 2];
        let all = std::iter::zip(runs, values)
            .map(|(run, (ingested, updated, sequences))| {
                let next = &mut next_batch[usize::from(run.class == Class::Event)];
                let first_batch = *next;
                *next += run.batch_count() as u32;
                Source {
                    rank: match run.class {
                        Class::Profile => precedence.rank(&run.dataset),
                        Class::Event => None,
                    },
                    takes_events: run.class == Class::Event
                        && precedence.takes_events(&run.dataset),
                    ingested,
                    updated,
                    sequences,
                    first_batch,
                    run: Arc::clone(run),
                }
            })
            .collect();
        Ok(Self { all, precedence })
    }

    /// The source that a row is in.
    pub(crate) fn of(&self, at: RowRef) -> &Source {
        &self.all[at.source as usize]
    }

    /// Whether no later record of its dataset and identity replaces the record in a row of a source.
    pub(crate) fn is_live(&self, number: usize, row: u32) -> bool {
        let own = &self.all[number];
        if own.run.class == Class::Event {
            return true;
        }
        let key = own.run.person(own.run.person_of_row(row));
        let recency = own.recency(row);
        self.all
            .iter()
            .enumerate()
            .filter(|(i, rival)| {
                *i != number
                    && rival.run.class == Class::Profile
                    && rival.run.dataset == own.run.dataset
            })
            .filter_map(|(_, rival)| Some((rival, rival.run.find(key)?)))
            .all(|(rival, person)| rival.recency(rival.run.rows_of(person).start) <= recency)
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
            .map(|source| match source.rank {
                Some(_) => Ok(source
                    .run
                    .members(|namespace, id| filter.looks_at(namespace, id))?),
                None => Ok(None),
            })
            .collect()
    }

    /// Turns a row of a source into a row of that source's batch.
    #[inline]
    pub(crate) fn in_batch(&self, at: RowRef) -> RowRef {
        let (batch, row) = Run::locate(at.row);
        RowRef::new(self.of(at).first_batch + batch, row)
    }

    /// The columns of top-level fields over the batches of all sources of a class.
    pub(crate) fn columns(&self, class: Class, fields: &Fields) -> Result<Vec<(String, Column)>> {
        fields
            .iter()
            .collect::<Vec<_>>()
            .into_par_iter()
            .map(|(name, ty)| {
                let ty = ty.data_type();
                let arrays = self.arrays(class, name, &ty)?;
                Ok((name.to_owned(), Column::new(&ty, &arrays)?))
            })
            .collect()
    }

    /// A field's arrays in the batches of all sources of a class; `None` where a source that takes
    /// no part stands.
    pub(crate) fn arrays(
        &self,
        class: Class,
        name: &str,
        ty: &DataType,
    ) -> Result<Vec<Option<ArrayRef>>> {
        let mut arrays = Vec::new();
        for source in self.all.iter().filter(|s| s.run.class == class) {
            if source.rank.is_some() || source.takes_events {
                arrays.extend(source.run.record_field(name, ty)?.batches);
                source.run.release();
            } else {
                arrays.extend(vec![None; source.run.batch_count()]);
            }
        }
        Ok(arrays)
    }
}
