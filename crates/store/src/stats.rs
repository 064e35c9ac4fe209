use std::collections::BTreeMap;
use std::sync::Arc;

use catalog::RunRecord;
use run::Run;
use serde::Serialize;
use xdm::{Class, PersonKey};

use crate::Store;
use crate::error::Result;
use crate::tiers::{length, tiers};

/// Figures of a store.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Stats {
    /// The number of the newest change.
    pub generation: i64,
    /// How many runs hold the records.
    pub runs: u64,
    /// The length of the runs' files together.
    pub bytes: u64,
    /// Each dataset's share.
    pub datasets: Vec<DatasetStats>,
}

/// Figures of a dataset.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DatasetStats {
    /// The dataset's ID.
    pub id: String,
    /// Its name.
    pub name: String,
    /// `profile` or `event`.
    pub class: String,
    /// How many runs it has.
    pub runs: u64,
    /// Records in them; replaced fragments count until a merge takes them out.
    pub records: u64,
    /// The length of their files together.
    pub bytes: u64,
    /// What the columns take in memory, uncompressed; `None` where a run is of a version that did not count it.
    pub unpacked_bytes: Option<u64>,
    /// Layers, which are runs or what one merge wrote, by their tier.
    pub tiers: Vec<TierStats>,
    /// Fragments that later ones replace, which [`Store::stats_in_full`] counts.
    pub replaced: Option<u64>,
    /// About how many bytes a compaction would take away: the share of the replaced fragments.
    pub savings: Option<u64>,
}

/// Layers of about one size: each tier's are up to eight times as large as those of the one before.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TierStats {
    /// Its number; the layers of tier 0 have less than 16 KiB.
    pub tier: u32,
    /// How many layers it has.
    pub layers: u64,
    /// The length of their files together.
    pub bytes: u64,
}

impl Store {
    /// Figures of the store.
    ///
    /// # Errors
    /// The catalog can't be read.
    pub fn stats(&self) -> Result<Stats> {
        self.undisturbed(|generation| self.stats_at(generation))
    }

    fn stats_at(&self, generation: i64) -> Result<Stats> {
        let mut by_dataset = self.runs_by_dataset(generation)?;
        let mut stats = Stats {
            generation,
            ..Stats::default()
        };
        for dataset in self.catalog().datasets()? {
            // One without records has no runs.
            let runs = by_dataset.remove(&dataset.id).unwrap_or_default();
            let sum = |f: fn(&RunRecord) -> u64| runs.iter().map(f).sum();
            let figures = DatasetStats {
                class: dataset.class.word().to_owned(),
                id: dataset.id,
                name: dataset.name,
                runs: runs.len() as u64,
                records: sum(|run| run.files.records),
                bytes: sum(|run| run.files.length()),
                unpacked_bytes: runs.iter().map(|run| run.files.unpacked()).sum(),
                tiers: tier_stats(&runs),
                replaced: None,
                savings: None,
            };
            stats.runs += figures.runs;
            stats.bytes += figures.bytes;
            stats.datasets.push(figures);
        }
        Ok(stats)
    }

    /// The same, with what a compaction would take away: the keys of all persons are read for it.
    ///
    /// # Errors
    /// The catalog can't be read, a run is damaged.
    pub fn stats_in_full(&self) -> Result<Stats> {
        let (mut stats, snapshot) = self.undisturbed(|generation| {
            let snapshot = self.snapshot(Some(generation))?;
            Ok((self.stats_at(generation)?, snapshot))
        })?;
        for dataset in &mut stats.datasets {
            let runs: Vec<&Arc<Run>> = (snapshot.runs.iter())
                .filter(|run| run.dataset == dataset.id)
                .collect();
            let replaced = replaced(&runs);
            let share = u128::from(dataset.bytes) * u128::from(replaced);
            dataset.replaced = Some(replaced);
            // Without records nothing is replaced.
            dataset.savings = Some((share / u128::from(dataset.records.max(1))) as u64);
        }
        Ok(stats)
    }

    /// The runs of each dataset, by its ID.
    pub(crate) fn runs_by_dataset(
        &self,
        generation: i64,
    ) -> Result<BTreeMap<String, Vec<RunRecord>>> {
        let mut by_dataset: BTreeMap<String, Vec<RunRecord>> = BTreeMap::new();
        for run in self.catalog().runs(generation)? {
            let runs = by_dataset.entry(run.dataset.id.clone()).or_default();
            runs.push(run);
        }
        Ok(by_dataset)
    }
}

fn tier_stats(runs: &[RunRecord]) -> Vec<TierStats> {
    let tiers = tiers(runs).into_iter();
    tiers
        .map(|(tier, layers)| TierStats {
            tier,
            layers: layers.len() as u64,
            bytes: layers.iter().map(|layer| length(layer)).sum(),
        })
        .collect()
}

/// How many fragments of a dataset have a later one of the same person in another run: all but one of each person's.
fn replaced(runs: &[&Arc<Run>]) -> u64 {
    // The persons are counted part by part: by the first byte of their keys.
    let mut replaced = 0;
    for first_byte in 0..=u8::MAX {
        let mut keys: Vec<PersonKey> = Vec::new();
        for run in runs.iter().filter(|run| run.class == Class::Profile) {
            let bound = |byte: u8| run.lower_bound(PersonKey(u128::from(byte) << 120));
            let end = first_byte.checked_add(1).map_or(run.persons(), bound);
            keys.extend((bound(first_byte)..end).map(|person| run.person(person)));
        }
        let all = keys.len();
        keys.sort_unstable();
        keys.dedup();
        replaced += (all - keys.len()) as u64;
    }
    replaced
}
