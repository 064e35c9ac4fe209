//! Source folders: one folder per dataset, with its data files and a `dataset.json`.

use std::fs;
use std::path::{Path, PathBuf};

use store::{Dataset, DatasetInputs, Input, LoadReport, OnBadRecord, Progress, Store, StoreError};

use xdm::Class;

use crate::documents::{put_merge_policy, put_segment, read_list};
use crate::error::{Error, Result};
use crate::request::read_json;

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
    /// `now` is microseconds since 1970.
    ///
    /// # Errors
    /// As [`Store::ingest`], or a policy or segment that is refused.
    pub fn load(
        &self,
        store: &Store,
        on_bad_record: &OnBadRecord,
        now: i64,
        progress: &Progress,
    ) -> Result<LoadReport> {
        self.load_fields(store, |_| None, on_bad_record, now, progress)
    }

    /// Loads it into a store of which only the top-level fields that `keep` gives for a class are
    /// wanted.
    pub(crate) fn load_fields(
        &self,
        store: &Store,
        keep: impl Fn(Class) -> Option<Vec<String>>,
        on_bad_record: &OnBadRecord,
        now: i64,
        progress: &Progress,
    ) -> Result<LoadReport> {
        let catalog = store.catalog();
        let mut loads = Vec::new();
        for (dataset, inputs) in &self.datasets {
            match catalog.dataset(&dataset.id)? {
                Some(known) if known.class != dataset.class => {
                    return Err(StoreError::Refused(format!(
                        "dataset {} is there already, as one of the class {}",
                        dataset.id,
                        known.class.word()
                    ))
                    .into());
                }
                Some(_) => {}
                None => {
                    let mut dataset = dataset.clone();
                    dataset.created = now / 1000;
                    catalog.create_dataset(dataset)?;
                }
            }
            loads.push(DatasetInputs {
                dataset: dataset.id.clone(),
                inputs: inputs.clone(),
                ingested_at: None,
                keep: keep(dataset.class),
            });
        }
        for (path, is_policy) in [(&self.merge_policies, true), (&self.segments, false)] {
            let Some(path) = path else { continue };
            let error = |problem: String| Error::Source {
                path: path.clone(),
                problem,
            };
            let text = fs::read(path).map_err(|e| error(e.to_string()))?;
            for body in read_list(&text).map_err(|e| error(e.to_string()))? {
                let put = if is_policy {
                    read_json(body.to_string().as_bytes())
                        .map_err(Error::from)
                        .and_then(|policy| put_unless_same(store, policy, now))
                } else {
                    put_segment(catalog, body).map(|_| ())
                };
                put.map_err(|e| error(e.to_string()))?;
            }
        }
        Ok(store.ingest(&loads, on_bad_record, now, progress)?)
    }
}

/// Keeps a policy, unless the newest version of it says the same: loading a folder twice makes no
/// second version.
fn put_unless_same(store: &Store, policy: merge::MergePolicy, now: i64) -> Result<()> {
    let known = crate::documents::merge_policies(store.catalog())?
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
        put_merge_policy(store.catalog(), policy, now / 1000)?;
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
