//! Which rows of a dataset's runs a deletion takes.

use std::collections::{BTreeSet, HashMap};
use std::ops::Range;

use decode::Progress;
use run::{RecordTimes, Run};
use xdm::{Class, Dataset, Identity, PersonKey, Recency, is_identity};

use crate::error::Result;

/// Which records are deleted.
#[derive(Clone, Debug)]
pub enum RecordSelection<'a> {
    /// Those that bear one of these identities, as the primary one or anywhere in `identityMap`: of datasets of one
    /// class, or of all. A placeholder of a dataset is no identity there.
    Bearing {
        /// The identities.
        identities: &'a [Identity],
        /// The class; both where it is missing.
        class: Option<Class>,
    },
    /// Those of a dataset that have these places in the store, such as one load gave out.
    Loaded {
        /// The dataset's ID.
        dataset: &'a str,
        /// The places.
        sequences: Range<u64>,
    },
    /// All of a dataset.
    OfDataset(&'a str),
}

impl RecordSelection<'_> {
    /// The rows of each run that go: those that are selected, and the fragments that a selected one had replaced.
    pub(super) fn rows(
        &self,
        dataset: &Dataset,
        runs: &[Run],
        progress: &Progress,
    ) -> Result<Vec<BTreeSet<u32>>> {
        let mut rows = Vec::with_capacity(runs.len());
        for run in runs {
            progress.check()?;
            rows.push(self.selected(dataset, run)?);
        }
        if dataset.class == Class::Profile {
            add_replaced(runs, &mut rows)?;
        }
        runs.iter().try_for_each(Run::check_whole)?;
        Ok(rows)
    }

    fn selected(&self, dataset: &Dataset, run: &Run) -> Result<BTreeSet<u32>> {
        Ok(match self {
            Self::Bearing { identities, class } => {
                if class.is_some_and(|class| class != dataset.class) {
                    return Ok(BTreeSet::new());
                }
                let placeholders = &dataset.placeholder_identities;
                let identities = identities.iter();
                let identities = identities.filter(|it| is_identity(&it.id, placeholders));
                let identities: Vec<Identity> = identities.cloned().collect();
                run.rows_bearing(&identities)?.into_iter().collect()
            }
            Self::Loaded { dataset: id, .. } | Self::OfDataset(id) if *id != dataset.id => {
                BTreeSet::new()
            }
            Self::OfDataset(_) => (0..run.rows() as u32).collect(),
            Self::Loaded { sequences, .. } => {
                let mut rows = BTreeSet::new();
                for batch in 0..run.batch_count() as u32 {
                    let found = run.batch_times(batch)?.sequences;
                    let found = (Run::first_row(batch)..).zip(found.iter());
                    let found = found.filter(|(_, sequence)| sequences.contains(sequence));
                    rows.extend(found.map(|(row, _)| row));
                    run.release();
                }
                rows
            }
        })
    }
}

/// Adds the fragments that a selected one had replaced: with it gone they would be read again, but where a merge of runs
/// has taken them away already.
fn add_replaced(runs: &[Run], rows: &mut [BTreeSet<u32>]) -> Result<()> {
    let mut persons: Vec<PersonKey> = Vec::new();
    for (run, rows) in runs.iter().zip(rows.iter()) {
        persons.extend(rows.iter().map(|row| run.person(run.person_of_row(*row))));
    }
    persons.sort_unstable();
    persons.dedup();
    // The latest fragment of each, and whether that goes.
    let mut latest: HashMap<PersonKey, (Recency, bool)> = HashMap::new();
    for (run, rows) in runs.iter().zip(rows.iter()) {
        let mut at_hand: Option<(u32, RecordTimes)> = None;
        for (key, person) in run.find_all(&persons) {
            for row in run.rows_of(person) {
                let (batch, at) = Run::locate(row);
                let times = match at_hand.take() {
                    Some((number, times)) if number == batch => times,
                    _ => run.batch_times(batch)?,
                };
                let recency = Recency {
                    ingested: times.ingested[at as usize],
                    sequence: times.sequences[at as usize],
                };
                let found = (recency, rows.contains(&row));
                let known = latest.entry(key).or_insert(found);
                if known.0 < found.0 {
                    *known = found;
                }
                at_hand = Some((batch, times));
            }
        }
    }
    persons.retain(|key| latest.get(key).is_some_and(|(_, goes)| *goes));
    for (run, rows) in runs.iter().zip(rows) {
        for (_, person) in run.find_all(&persons) {
            rows.extend(run.rows_of(person));
        }
    }
    Ok(())
}
