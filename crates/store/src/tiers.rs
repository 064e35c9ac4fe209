//! Which runs of a dataset are merged by themselves.
//!
//! Runs that one merge wrote have different persons: together they are a *layer*, which an export reads like one
//! run. Layers of about one size make a *tier*; where a tier is full, its layers become one of the next. So a dataset
//! of n bytes has some layers for each factor of eight in n, and each byte is written once for each tier that it
//! passes.

use std::collections::BTreeMap;
use std::iter;

use catalog::RunRecord;

/// Layers of less are in the first tier.
const FIRST_TIER: u64 = 16 << 10;
/// How much larger the layers of the next tier are, and how many layers a tier has when it is full.
const GROWTH: u64 = 8;
/// The tier of the runs that a long load writes (8 to 64 MiB), which may have more: a merge behind each first load of
/// a million people would cost half as much as the load, and save its exports little.
const LOADED_TIER: u32 = 4;
const MOST_LOADED: usize = 32;

/// The part of a run's folder name that tells its layer.
fn layer_of(folder: &str) -> &str {
    match folder
        .split_once("-c")
        .and_then(|(_, name)| name.split_once('-'))
    {
        Some((_, part)) => folder.strip_suffix(part).unwrap_or(folder),
        None => folder,
    }
}

/// The name of the folder of a part of a layer: `number` tells it from others of the same change of the store.
pub(crate) fn folder_name(generation: i64, number: usize, part: usize) -> String {
    format!("{generation:08}-c{number:03}-{part:04}")
}

/// The name of the folder of what a change of the store leaves of a run: in the run's layer, where it was part of one.
/// `number` tells the run from others that are changed with it.
pub(crate) fn folder_name_of_rest(
    folder: &str,
    generation: i64,
    number: usize,
    part: usize,
) -> String {
    match layer_of(folder) {
        // A layer of one run needs no name of its own.
        layer if layer == folder => folder_name(generation, number, part),
        layer => format!("{layer}{generation:08}.{number:03}.{part:04}"),
    }
}

/// The layers of a dataset's runs.
pub(crate) fn layers(runs: &[RunRecord]) -> Vec<Vec<&RunRecord>> {
    let mut layers: BTreeMap<&str, Vec<&RunRecord>> = BTreeMap::new();
    for run in runs {
        layers.entry(layer_of(&run.folder)).or_default().push(run);
    }
    layers.into_values().collect()
}

/// The tier of a layer of so many bytes.
fn tier(bytes: u64) -> u32 {
    let ends = iter::successors(Some(FIRST_TIER), |end| end.checked_mul(GROWTH));
    ends.take_while(|end| bytes >= *end).count() as u32
}

/// The length of a layer's files together, in bytes.
pub(crate) fn length(layer: &[&RunRecord]) -> u64 {
    layer.iter().map(|run| run.files.length()).sum()
}

/// The layers of a dataset's runs by their tiers.
pub(crate) fn tiers(runs: &[RunRecord]) -> BTreeMap<u32, Vec<Vec<&RunRecord>>> {
    let mut tiers: BTreeMap<u32, Vec<Vec<&RunRecord>>> = BTreeMap::new();
    for layer in layers(runs) {
        tiers.entry(tier(length(&layer))).or_default().push(layer);
    }
    tiers
}

/// The runs of a dataset that are to become one layer now, those of the smallest full tier; `None` where no tier is
/// full.
pub(crate) fn due(runs: &[RunRecord]) -> Option<Vec<RunRecord>> {
    let is_full = |tier: u32, layers: &[Vec<&RunRecord>]| match tier {
        LOADED_TIER => layers.len() >= MOST_LOADED,
        _ => layers.len() >= GROWTH as usize,
    };
    let (_, full) = tiers(runs)
        .into_iter()
        .find(|(tier, layers)| is_full(*tier, layers))?;
    // A merge has some batches of each run at hand, so not of any number.
    let layers = full.into_iter().take(MOST_LOADED);
    Some(layers.flatten().cloned().collect())
}

#[cfg(test)]
mod tests {
    use run::{FileChecksum, RunFiles};
    use xdm::{Class, Dataset};

    use super::*;

    fn run(id: i64, folder: &str, length: u64) -> RunRecord {
        RunRecord {
            id,
            dataset: Dataset::new("5b020a27e7040801dedba61a", "crm", Class::Profile),
            folder: folder.to_owned(),
            files: RunFiles {
                format: 2,
                files: vec![FileChecksum {
                    name: "run.pack".to_owned(),
                    length,
                    digest: String::new(),
                }],
                unpacked: None,
                persons: 1,
                records: 1,
            },
        }
    }

    #[test]
    fn parts_of_one_merge_are_a_layer_and_runs_of_a_load_are_not() {
        let names = [
            folder_name(12, 0, 0),
            folder_name(12, 0, 1),
            folder_name(12, 1, 0),
            "00000012-000-0001".to_owned(),
            "00000012-000-0002".to_owned(),
            // As earlier versions named what a compaction wrote.
            "00000011-c000".to_owned(),
        ];
        let runs: Vec<_> = (0..).zip(&names).map(|(i, name)| run(i, name, 1)).collect();
        let mut sizes: Vec<usize> = layers(&runs).iter().map(Vec::len).collect();
        sizes.sort_unstable();
        assert_eq!(sizes, [1, 1, 1, 1, 2]);
    }

    #[test]
    fn what_is_left_of_a_run_stays_in_its_layer() {
        let of = |folder: &str| folder_name_of_rest(folder, 34, 2, 0);
        let part = folder_name(12, 0, 7);
        let rest = of(&part);
        assert!(rest != part && layer_of(&rest) == layer_of(&part));
        assert_eq!(layer_of(&of(&rest)), layer_of(&part));
        assert_eq!(of("00000012-000-0001"), folder_name(34, 2, 0));
    }

    #[test]
    fn tiers_grow_eightfold() {
        let sizes = [0, 16 << 10, 128 << 10, 1 << 20, 8 << 20, 64 << 20, u64::MAX];
        assert_eq!(sizes.map(tier), [0, 1, 2, 3, 4, 5, 17]);
    }

    #[test]
    fn the_smallest_full_tier_is_due() {
        let of = |sizes: &[u64]| -> Vec<RunRecord> {
            let runs = (0..).zip(sizes);
            runs.map(|(i, size)| run(i, &format!("{i:08}-000-0001"), *size))
                .collect()
        };
        assert!(due(&of(&[1; 7])).is_none());
        let ids =
            |runs: &[RunRecord]| due(runs).map(|due| due.iter().map(|r| r.id).collect::<Vec<_>>());
        assert_eq!(ids(&of(&[1; 8])), Some((0..8).collect()));
        // Others are left alone, be they larger or smaller.
        let mixed: Vec<u64> = [20 << 10; 8]
            .into_iter()
            .chain([1; 7])
            .chain([1 << 20; 7])
            .collect();
        assert_eq!(ids(&of(&mixed)), Some((0..8).collect()));
        // What a long load writes waits longer.
        assert!(due(&of(&[20 << 20; 31])).is_none());
        assert_eq!(ids(&of(&[20 << 20; 40])).map(|due| due.len()), Some(32));
    }

    /// Years of nights: how many layers there are at most, and how often each byte is written.
    #[test]
    fn nights_leave_few_layers_and_write_each_byte_a_few_times() {
        for night in [40 << 10, 2 << 20, 30 << 20] {
            let mut runs: Vec<RunRecord> = Vec::new();
            let (mut written, mut loaded, mut most) = (0, 0, 0);
            for generation in 0..1000 {
                loaded += night;
                written += night;
                runs.push(run(generation, &format!("{generation:08}-000-0001"), night));
                while let Some(merged) = due(&runs) {
                    let ids: Vec<i64> = merged.iter().map(|r| r.id).collect();
                    let bytes: u64 = merged.iter().map(|r| r.files.length()).sum();
                    written += bytes;
                    runs.retain(|r| !ids.contains(&r.id));
                    let id = 10_000 + generation * 10 + runs.len() as i64;
                    runs.push(run(id, &folder_name(generation, 0, 0), bytes));
                }
                most = most.max(runs.len());
            }
            let times = written as f64 / loaded as f64;
            assert!(times < 5.0, "{night}: each byte is written {times} times");
            assert!(most <= 60, "{night}: {most} runs");
        }
    }
}
