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
    /// All of a dataset that were loaded before there was a place.
    OfDataset {
        /// The dataset's ID.
        dataset: &'a str,
        /// The place of the first record that stays.
        before: u64,
    },
}

/// Which rows of a run go.
pub(super) enum Rows {
    /// All: none is listed, nor read.
    All,
    /// These.
    These(BTreeSet<u32>),
}

impl Rows {
    /// How many they are, of a run.
    pub(super) fn count(&self, run: &Run) -> u64 {
        match self {
            Self::All => run.rows() as u64,
            Self::These(rows) => rows.len() as u64,
        }
    }
}

impl RecordSelection<'_> {
    /// Whether it may take records of a dataset: of others no run is opened.
    pub(super) fn concerns(&self, id: &str, of: Class) -> bool {
        match self {
            Self::Bearing { class, .. } => class.is_none_or(|class| class == of),
            Self::Loaded { dataset, .. } | Self::OfDataset { dataset, .. } => *dataset == id,
        }
    }

    /// The rows of each run of a dataset that go: those that are selected, and the fragments that a selected one had
    /// replaced. `next_sequence` is the place that the next record gets.
    pub(super) fn rows(
        &self,
        dataset: &Dataset,
        runs: &[Run],
        next_sequence: u64,
        progress: &Progress,
    ) -> Result<Vec<Rows>> {
        if let Self::OfDataset { before, .. } = self {
            let mut rows = Vec::with_capacity(runs.len());
            for run in runs {
                progress.check()?;
                let is_whole = next_sequence <= *before || is_whole(run, *before)?;
                rows.push(match is_whole {
                    true => Rows::All,
                    false => Rows::These(placed(run, &(0..*before))?),
                });
            }
            // What they had replaced was loaded before them.
            runs.iter().try_for_each(Run::check_whole)?;
            return Ok(rows);
        }
        let mut rows = Vec::with_capacity(runs.len());
        for run in runs {
            progress.check()?;
            rows.push(self.selected(dataset, run)?);
        }
        if dataset.class == Class::Profile {
            add_replaced(runs, &mut rows)?;
        }
        runs.iter().try_for_each(Run::check_whole)?;
        Ok(rows.into_iter().map(Rows::These).collect())
    }

    fn selected(&self, dataset: &Dataset, run: &Run) -> Result<BTreeSet<u32>> {
        match self {
            Self::Bearing { identities, .. } => {
                let placeholders = &dataset.placeholder_identities;
                let identities = identities.iter();
                let identities = identities.filter(|it| is_identity(&it.id, placeholders));
                let identities: Vec<Identity> = identities.cloned().collect();
                Ok(run.rows_bearing(&identities)?.into_iter().collect())
            }
            Self::Loaded { sequences, .. } => placed(run, sequences),
            Self::OfDataset { before, .. } => placed(run, &(0..*before)),
        }
    }
}

/// The rows that have these places in the store.
fn placed(run: &Run, sequences: &Range<u64>) -> Result<BTreeSet<u32>> {
    let mut rows = BTreeSet::new();
    for batch in 0..run.batch_count() as u32 {
        let found = run.batch_times(batch)?.sequences;
        let found = (Run::first_row(batch)..).zip(found.iter());
        let found = found.filter(|(_, sequence)| sequences.contains(sequence));
        rows.extend(found.map(|(row, _)| row));
        run.release();
    }
    Ok(rows)
}

/// Whether all of a run was loaded before a place was given out.
fn is_whole(run: &Run, before: u64) -> Result<bool> {
    for batch in 0..run.batch_count() as u32 {
        let times = run.batch_times(batch)?;
        if times.sequences.iter().any(|sequence| *sequence >= before) {
            return Ok(false);
        }
        run.release();
    }
    Ok(true)
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
