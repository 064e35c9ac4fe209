//! Source folders: one folder per dataset, with its data files and a `dataset.json`.

use std::fs;
use std::path::{Path, PathBuf};

use catalog::Catalog;
use decode::{Input, Progress};
use export::{RequestError, read_json};
use store::{DatasetInputs, LoadOptions, LoadReport, Store};
use xdm::{Class, Dataset, Timestamp};

use crate::error::{Error, Result};
use crate::policies::{merge_policies, put_merge_policy, read_merge_policies};
use crate::registry::create_dataset;
use crate::segments::{load_segment, read_segments};

/// A source folder, read but not loaded.
#[derive(Clone, Debug)]
pub struct SourceFolder {
    datasets: Vec<(Dataset, Vec<Input>)>,
    merge_policies: Option<PathBuf>,
    segments: Option<PathBuf>,
    passed_over: Vec<PathBuf>,
}

const DESCRIPTION: &str = "dataset.json";

impl SourceFolder {
    /// Reads what a folder holds: `NAME/dataset.json` with data files beside it and in folders below, for
    /// each dataset, and `merge-policies.json` and `segments.json`, where they are there. Names that begin
    /// with `.` or `_` are not looked at.
    ///
    /// # Errors
    /// A folder without datasets, a `dataset.json` that can't be read, a file or folder that can't be looked
    /// at, and what is no data file beside a `dataset.json`.
    pub fn open(folder: &Path) -> Result<Self> {
        let mut found = Self {
            datasets: Vec::new(),
            merge_policies: None,
            segments: None,
            passed_over: Vec::new(),
        };
        for entry in sorted_entries(folder)? {
            if !entry.is_folder {
                match entry.name.as_str() {
                    "merge-policies.json" => found.merge_policies = Some(entry.path),
                    "segments.json" => found.segments = Some(entry.path),
                    _ => found.passed_over.push(entry.path),
                }
                continue;
            }
            let entries = sorted_entries(&entry.path)?;
            let (descriptions, others): (Vec<_>, Vec<_>) =
                (entries.into_iter()).partition(|entry| entry.name == DESCRIPTION);
            let Some(description) = descriptions.first() else {
                found.passed_over.push(entry.path);
                continue;
            };
            let path = &description.path;
            let text = fs::read(path).map_err(|e| in_file(path, e.to_string()))?;
            let dataset: Dataset = read_json(&text).map_err(|e| in_file(path, e.to_string()))?;
            if let Some(problem) = dataset.why_no_input() {
                return Err(in_file(path, problem));
            }
            if dataset.id.is_empty() {
                return Err(in_file(path, "\"id\" is missing".to_owned()));
            }
            let mut inputs = Vec::new();
            add_data(others, &mut inputs)?;
            found.datasets.push((dataset, inputs));
        }
        if found.datasets.is_empty() {
            return Err(in_file(
                folder,
                "no source folder: no folder in it has a dataset.json".to_owned(),
            ));
        }
        Ok(found)
    }

    /// Files, and folders without a `dataset.json`, that are no part of it.
    #[must_use]
    pub fn passed_over(&self) -> &[PathBuf] {
        &self.passed_over
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
    /// As [`Store::ingest`], or a policy or segment that is refused; then the store is as before.
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
        let loads: Vec<DatasetInputs> = (self.datasets.iter())
            .map(|(dataset, inputs)| DatasetInputs {
                keep: keep(dataset.class),
                ..DatasetInputs::new(&dataset.id, inputs.clone())
            })
            .collect();
        let policies = read_list(self.merge_policies.as_deref(), read_merge_policies)?;
        let segments = read_list(self.segments.as_deref(), read_segments)?;
        store.ingest_with(&loads, options, progress, |catalog| {
            for (dataset, _) in &self.datasets {
                make_dataset(catalog, dataset, options.now)?;
            }
            for (path, policy) in &policies {
                let put = put_unless_same(catalog, policy.clone(), options.now);
                put.map_err(|e| in_file(path, e.to_string()))?;
            }
            for (path, segment) in &segments {
                let put = load_segment(catalog, segment.clone());
                put.map_err(|e| in_file(path, e.to_string()))?;
            }
            Ok(())
        })
    }
}

/// The documents of a file, each with the file's path.
fn read_list<T>(
    path: Option<&Path>,
    read: impl Fn(&[u8]) -> Result<Vec<T>, RequestError>,
) -> Result<Vec<(&Path, T)>> {
    let Some(path) = path else {
        return Ok(Vec::new());
    };
    let text = fs::read(path).map_err(|e| in_file(path, e.to_string()))?;
    let list = read(&text).map_err(|e| in_file(path, e.to_string()))?;
    Ok(list.into_iter().map(|one| (path, one)).collect())
}

/// Makes a dataset, unless it is there.
fn make_dataset(catalog: &Catalog, dataset: &Dataset, now: Timestamp) -> Result<()> {
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
            let made = create_dataset(
                catalog,
                Dataset {
                    created: now,
                    ..dataset.clone()
                },
            )?;
            if made.class != dataset.class {
                return Err(catalog::Error::Conflict(format!(
                    "dataset {} is of the class {}, and the schema that it is created on of the class {}",
                    dataset.id,
                    dataset.class.word(),
                    made.class.word()
                ))
                .into());
            }
        }
    }
    Ok(())
}

fn in_file(path: &Path, problem: String) -> Error {
    Error::Source {
        path: path.to_owned(),
        problem,
    }
}

/// Keeps a policy, unless the newest version of it says the same: loading a folder twice makes no
/// second version.
fn put_unless_same(catalog: &Catalog, policy: merge::MergePolicy, now: Timestamp) -> Result<()> {
    let known = merge_policies(catalog)?
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
        put_merge_policy(catalog, policy, now)?;
    }
    Ok(())
}

/// A file or folder; what a link points to counts.
struct Entry {
    path: PathBuf,
    name: String,
    is_folder: bool,
}

/// What is in a folder, in the order of its names.
fn sorted_entries(folder: &Path) -> Result<Vec<Entry>> {
    let error = |path: &Path| {
        let path = path.to_owned();
        move |e: std::io::Error| in_file(&path, e.to_string())
    };
    let mut entries = Vec::new();
    for entry in fs::read_dir(folder).map_err(error(folder))? {
        let entry = entry.map_err(error(folder))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with(['.', '_']) {
            continue;
        }
        let path = entry.path();
        let is_folder = fs::metadata(&path).map_err(error(&path))?.is_dir();
        entries.push(Entry {
            path,
            name,
            is_folder,
        });
    }
    entries.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(entries)
}

/// Adds the data files among what is beside a `dataset.json`, and in folders below.
fn add_data(entries: Vec<Entry>, inputs: &mut Vec<Input>) -> Result<()> {
    for entry in entries {
        let refused = |problem: &str| Err(in_file(&entry.path, problem.to_owned()));
        if entry.is_folder {
            if entry.name.contains('=') {
                return refused(
                    "a partition's folder; the column in its name is in no record: write the files with it",
                );
            }
            add_data(sorted_entries(&entry.path)?, inputs)?;
        } else if entry.name == DESCRIPTION {
            return refused("a dataset's folder is directly in the source folder");
        } else if is_data(&entry.name) {
            inputs.push(Input::File(entry.path));
        } else {
            return refused(
                "no data file (.json, .jsonl, .jsonlines, .ndjson, .parquet; each with .gz or .zst behind \
                 it, too); what is not to be loaded has a name that begins with . or _",
            );
        }
    }
    Ok(())
}

fn is_data(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let packings = [".gz", ".gzip", ".zst", ".zstd"];
    let unpacked = packings.iter().find_map(|ending| name.strip_suffix(ending));
    let name = unpacked.unwrap_or(&name);
    let endings = [".ndjson", ".jsonl", ".jsonlines", ".json", ".parquet"];
    endings.iter().any(|ending| name.ends_with(ending))
}
