//! Source folders: one folder per dataset, with its data files and a `dataset.json`.

use std::fs;
use std::path::{Path, PathBuf};

use decode::{Input, Progress};
use export::read_json;
use store::{DatasetInputs, LoadOptions, LoadReport, Store};
use xdm::{Class, Dataset, Timestamp};

use crate::error::{Error, Result};
use crate::policies::{merge_policies, put_merge_policy, read_merge_policies};
use crate::segments::{put_segment, read_segments};

/// A source folder, read but not loaded.
#[derive(Clone, Debug)]
pub struct SourceFolder {
    datasets: Vec<(Dataset, Vec<Input>)>,
    merge_policies: Option<PathBuf>,
    segments: Option<PathBuf>,
}

impl SourceFolder {
    /// Reads what a folder holds: `NAME/dataset.json` with data files beside it, for each dataset,
    /// and `merge-policies.json` and `segments.json`, where they are there.
    ///
    /// # Errors
    /// A folder without datasets, a `dataset.json` that can't be read.
    pub fn open(folder: &Path) -> Result<Self> {
        let error = |path: &Path, problem: String| Error::Source {
            path: path.to_owned(),
            problem,
        };
        let mut datasets = Vec::new();
        for entry in sorted_entries(folder)? {
            let description = entry.join("dataset.json");
            if !description.is_file() {
                continue;
            }
            let text = fs::read(&description).map_err(|e| error(&description, e.to_string()))?;
            let dataset: Dataset =
                read_json(&text).map_err(|e| error(&description, e.to_string()))?;
            if dataset.id.is_empty() {
                return Err(error(&description, "\"id\" is missing".to_owned()));
            }
            let inputs = sorted_entries(&entry)?
                .into_iter()
                .filter(|path| is_data(path))
                .map(Input::File)
                .collect();
            datasets.push((dataset, inputs));
        }
        if datasets.is_empty() {
            return Err(error(
                folder,
                "no source folder: no folder in it has a dataset.json".to_owned(),
            ));
        }
        let optional = |name: &str| Some(folder.join(name)).filter(|path| path.is_file());
        Ok(Self {
            datasets,
            merge_policies: optional("merge-policies.json"),
            segments: optional("segments.json"),
        })
    }

    /// The length of all its data files together, in bytes.
    #[must_use]
    pub fn length(&self) -> u64 {
        let inputs = self.datasets.iter().flat_map(|(_, inputs)| inputs);
        inputs.map(Input::length).sum()
    }

    /// Loads it into a store: datasets that are new are made, merge policies and segments kept.
    ///
    /// # Errors
    /// As [`Store::ingest`], or a policy or segment that is refused.
    pub fn load(
        &self,
        store: &Store,
        options: &LoadOptions,
        progress: &Progress,
    ) -> Result<LoadReport> {
        self.load_fields(store, |_| None, options, progress)
    }

    /// Loads it into a store of which only the top-level fields that `keep` gives for a class are
    /// wanted.
    pub(crate) fn load_fields(
        &self,
        store: &Store,
        keep: impl Fn(Class) -> Option<Vec<String>>,
        options: &LoadOptions,
        progress: &Progress,
    ) -> Result<LoadReport> {
        let catalog = store.catalog();
        let mut loads = Vec::new();
        for (dataset, inputs) in &self.datasets {
            match catalog.dataset(&dataset.id)? {
                Some(known) if known.class != dataset.class => {
                    return Err(catalog::Error::Conflict(format!(
                        "dataset {} is there already, as one of the class {}",
                        dataset.id,
                        known.class.word()
                    ))
                    .into());
                }
                Some(_) => {}
                None => {
                    let mut dataset = dataset.clone();
                    dataset.created = options.now;
                    catalog.create_dataset(dataset)?;
                }
            }
            loads.push(DatasetInputs {
                keep: keep(dataset.class),
                ..DatasetInputs::new(&dataset.id, inputs.clone())
            });
        }
        if let Some(path) = &self.merge_policies {
            let error = |problem: String| in_file(path, problem);
            let text = fs::read(path).map_err(|e| error(e.to_string()))?;
            for policy in read_merge_policies(&text).map_err(|e| error(e.to_string()))? {
                put_unless_same(store, policy, options.now).map_err(|e| error(e.to_string()))?;
            }
        }
        if let Some(path) = &self.segments {
            let error = |problem: String| in_file(path, problem);
            let text = fs::read(path).map_err(|e| error(e.to_string()))?;
            for segment in read_segments(&text).map_err(|e| error(e.to_string()))? {
                put_segment(catalog, segment).map_err(|e| error(e.to_string()))?;
            }
        }
        Ok(store.ingest(&loads, options, progress)?)
    }
}

fn in_file(path: &Path, problem: String) -> Error {
    Error::Source {
        path: path.to_owned(),
        problem,
    }
}

/// Keeps a policy, unless the newest version of it says the same: loading a folder twice makes no
/// second version.
fn put_unless_same(store: &Store, policy: merge::MergePolicy, now: Timestamp) -> Result<()> {
    let known = merge_policies(store.catalog())?
        .into_iter()
        .find(|known| known.id == policy.id);
    let same = known.is_some_and(|known| {
        merge::MergePolicy {
            version: known.version,
            update_epoch: known.update_epoch,
            ..policy.clone()
        } == known
    });
    if !same {
        put_merge_policy(store.catalog(), policy, now)?;
    }
    Ok(())
}

fn sorted_entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let error = |e: std::io::Error| Error::Source {
        path: folder.to_owned(),
        problem: e.to_string(),
    };
    let mut entries = fs::read_dir(folder)
        .map_err(error)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<Vec<_>, _>>()
        .map_err(error)?;
    entries.sort();
    Ok(entries)
}

fn is_data(path: &Path) -> bool {
    let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
        return false;
    };
    let name = name.strip_suffix(".gz").unwrap_or(name);
    let name = name.strip_suffix(".zst").unwrap_or(name);
    let endings = [".ndjson", ".jsonl", ".json", ".parquet"];
    !name.starts_with(['.', '_'])
        && name != "dataset.json"
        && endings.iter().any(|ending| name.ends_with(ending))
}
