//! The file beside the batches of a folder that says what they are, and when they are all there.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Component, Path, PathBuf};

use arrow::datatypes::Schema;
use catalog::BatchFile;
use decode::{Phase, Progress};
use export::ExportRequest;
use merge::MergePolicy;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::{StoreError, verify_file};
use xdm::Timestamp;

use crate::error::{Error, Result};
use crate::export_file::Prepared;
use crate::jobs::{FinishedJob, PARTITION, batch_of};
use crate::sharded::ShardPlan;

/// The manifest's name: what begins so is no data for Spark, pyarrow and others.
pub const MANIFEST: &str = "_manifest.json";
/// Says that everything that the manifest names is there, to whoever looks for no more than that.
pub const SUCCESS: &str = "_SUCCESS";
/// The version of its form.
const VERSION: u32 = 1;

/// What becomes of exports that are there already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IfExists {
    /// They stay, and the new one is not made.
    #[default]
    Fail,
    /// They go when the new one is there.
    Replace,
    /// They stay beside the new one.
    Append,
}

/// What a folder of exports holds: `_manifest.json`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    /// The version of this form.
    pub version: u32,
    /// The exports, in the order in which they came.
    pub exports: Vec<ManifestExport>,
}

/// An export that succeeded.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ManifestExport {
    /// Its job in the store; none where it was exported without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job_id: Option<i64>,
    /// The plan whose shards it was made of, where it was made of shards.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan_id: Option<String>,
    /// When it was finished: RFC 3339, UTC.
    pub finished: String,
    /// The store's generation that it is from.
    pub generation: i64,
    /// The request, as the job has it.
    pub request: Value,
    /// The merge policy that it used.
    pub merge_policy: Value,
    /// The XXH3-128 digest of the names and types of its columns, in order: exports of one digest fit together.
    pub schema_digest: String,
    /// Profiles in all batches.
    pub profiles: u64,
    /// Events in all profiles.
    pub events: u64,
    /// The batches, in the order of the request's segments.
    pub batches: Vec<ManifestBatch>,
}

/// A batch of an export.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ManifestBatch {
    /// Its ID.
    pub id: String,
    /// The segment that it is of, where each has a batch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub segment_id: Option<String>,
    /// The namespace of the segment, where the request names one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub segment_ns: Option<String>,
    /// Its profiles.
    pub profiles: u64,
    /// Their events.
    pub events: u64,
    /// Its files.
    pub files: Vec<ManifestFile>,
}

/// A file of a batch.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ManifestFile {
    /// Where it is, from the manifest's folder on.
    pub path: String,
    /// How many rows it has.
    pub rows: u64,
    /// Its length in bytes.
    pub bytes: u64,
    /// The XXH3-128 digest of its bytes, as the catalog writes it.
    pub digest: String,
}

impl Manifest {
    /// One of nothing.
    #[must_use]
    pub fn empty() -> Self {
        Self {
            version: VERSION,
            exports: Vec::new(),
        }
    }

    /// The manifest of a folder, if it has one.
    ///
    /// # Errors
    /// It can't be read, is none, or of a newer program.
    pub fn read(folder: &Path) -> Result<Option<Self>> {
        let path = folder.join(MANIFEST);
        let text = match fs::read(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            text => text.map_err(StoreError::io(&path))?,
        };
        let manifest = Self::from_json(&text).map_err(|problem| Error::out(&path, problem))?;
        Ok(Some(manifest))
    }

    /// A manifest's text.
    ///
    /// # Errors
    /// It is none, or of a newer program; in words, without where it is.
    pub fn from_json(text: &[u8]) -> Result<Self, String> {
        let manifest: Self = serde_json::from_slice(text)
            .map_err(|error| format!("no manifest of an export: {error}"))?;
        match manifest.version {
            VERSION => Ok(manifest),
            newer => Err(format!("a manifest of version {newer}, of another program")),
        }
    }

    /// Its text.
    ///
    /// # Errors
    /// A mistake of ours.
    pub fn to_json(&self) -> Result<Vec<u8>> {
        serde_json::to_vec_pretty(self).map_err(|e| Error::Panic(e.to_string()))
    }

    /// Puts it into a folder whose batches are on the disk: whole or not at all.
    pub(crate) fn write(&self, folder: &Path) -> Result<()> {
        write_whole(folder, MANIFEST, &self.to_json()?)
    }

    /// Says that all is there.
    pub(crate) fn say(folder: &Path) -> Result<()> {
        let success = folder.join(SUCCESS);
        File::create(&success).map_err(StoreError::io(&success))?;
        Ok(run::sync_folder(folder).map_err(StoreError::from)?)
    }

    /// Whether it is said that all is there.
    pub(crate) fn is_said(folder: &Path) -> bool {
        folder.join(SUCCESS).is_file()
    }

    /// Takes away what says that all is there.
    pub(crate) fn unsay(folder: &Path) -> Result<()> {
        let success = folder.join(SUCCESS);
        match fs::remove_file(&success) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(StoreError::io(&success)(error).into())
            }
            _ => Ok(()),
        }
    }

    /// Whether a name in a folder is of the manifest.
    #[must_use]
    pub fn is_name(name: &str) -> bool {
        name == MANIFEST
            || name == SUCCESS
            || name.strip_prefix('.') == Some(&format!("{MANIFEST}.new"))
    }

    /// The ID of the batch whose folder is called so.
    #[must_use]
    pub fn batch_of(name: &str) -> Option<&str> {
        batch_of(name)
    }

    /// What stays of it where a further export comes: itself, if that may come where there are things called so, the
    /// names of a folder or the first parts of the keys below an address.
    ///
    /// # Errors
    /// In words: something is there that no export wrote; there are exports, and `if_exists` says that there may be
    /// none; it and what is there differ.
    pub fn admit(self, names: &[String], if_exists: IfExists) -> Result<Self, String> {
        let firsts = self
            .spread_files()
            .filter_map(|path| path.split('/').next());
        let spread: BTreeSet<String> = firsts.map(str::to_owned).collect();
        let mut batches = Vec::new();
        for name in names {
            if name.starts_with('.') || Self::is_name(name) || spread.contains(name) {
                continue;
            }
            match batch_of(name) {
                Some(id) => batches.push(id),
                None => {
                    return Err(format!(
                        "it has {name:?}, which no export wrote there; give an empty place, or a new name"
                    ));
                }
            }
        }
        if if_exists == IfExists::Fail && !(batches.is_empty() && self.exports.is_empty()) {
            return Err(format!(
                "it has {} batches already; --if-exists replace or append, or give another place",
                batches.len().max(self.batches().count())
            ));
        }
        if if_exists != IfExists::Append {
            return Ok(self);
        }
        if let Some(gone) = spread.iter().find(|name| !names.contains(name)) {
            return Err(format!(
                "its manifest names {gone:?}, which is not there any more; --if-exists replace, or give another place"
            ));
        }
        let is_gone =
            |batch: &&ManifestBatch| batch.has_own_folder() && !batches.contains(&&*batch.id);
        if let Some(gone) = self.batches().find(is_gone) {
            return Err(format!(
                "its manifest names {PARTITION}{}, which is not there any more; --if-exists replace, or give another \
                 place",
                gone.id
            ));
        }
        let named = |id: &&&str| self.batches().any(|batch| batch.id == **id);
        match batches.iter().find(|id| !named(id)) {
            Some(id) => Err(format!(
                "{PARTITION}{id} is in no manifest: an export ended before it was whole; delete it, or \
                 --if-exists replace"
            )),
            None => Ok(self),
        }
    }

    /// Whether all its exports have the same columns and format.
    #[must_use]
    pub fn has_one_form(&self) -> bool {
        let files = self.batches().flat_map(|batch| &batch.files);
        let endings: BTreeSet<String> = files.map(|file| ending_of(&file.path)).collect();
        let digests: BTreeSet<&str> = (self.exports.iter())
            .map(|export| &*export.schema_digest)
            .collect();
        digests.len() < 2 && endings.len() < 2
    }

    /// The files of batches that have no folders of their own, from the manifest's folder on.
    pub fn spread_files(&self) -> impl Iterator<Item = &str> {
        let batches = self.batches().filter(|batch| !batch.has_own_folder());
        let files = batches.flat_map(|batch| &batch.files);
        files.map(|file| &*file.path)
    }

    /// The export that was made of the shards of this plan.
    #[must_use]
    pub fn of_plan(&self, plan: &str) -> Option<&ManifestExport> {
        let mut exports = self.exports.iter();
        exports.find(|export| export.plan_id.as_deref() == Some(plan))
    }

    /// What is to stay of it where the export of a plan replaces all others, and broke off behind its manifest; `None` where
    /// others came behind that had come to its end.
    ///
    /// # Errors
    /// In words: others came behind it, and what it replaces is named still.
    pub fn alone(&self, plan: &str) -> Result<Option<Self>, String> {
        let is_own = |export: &ManifestExport| export.plan_id.as_deref() == Some(plan);
        match self.exports.iter().position(is_own) {
            Some(at) if at + 1 == self.exports.len() => Ok(Some(Self {
                version: self.version,
                exports: self.exports[at..].to_vec(),
            })),
            Some(0) | None => Ok(None),
            Some(_) => Err(format!(
                "its manifest names exports before and behind that of plan {plan}, so they can't be told from what that \
                 replaces; --if-exists append keeps them all"
            )),
        }
    }

    /// The batches of all exports.
    pub fn batches(&self) -> impl Iterator<Item = &ManifestBatch> {
        self.exports.iter().flat_map(|export| &export.batches)
    }

    /// Compares a folder with it, every byte: what is wrong, a line each. Neither store nor catalog is needed.
    ///
    /// # Errors
    /// `progress` was cancelled.
    pub fn verify(&self, folder: &Path, progress: &Progress) -> Result<Vec<String>> {
        progress.begin(Phase::Verify);
        let mut problems = Vec::new();
        let mut named = BTreeSet::new();
        for file in self.batches().flat_map(|batch| &batch.files) {
            let inside = Path::new(&file.path);
            if !is_inside(&file.path) {
                problems.push(format!("{}: not in the manifest's folder", file.path));
                continue;
            }
            named.insert(inside.to_owned());
            let known = BatchFile {
                name: file.path.clone(),
                length: file.bytes,
                rows: Some(file.rows),
                digest: Some(file.digest.clone()),
            };
            problems.extend(verify_file(&folder.join(inside), &known, progress));
            progress.check()?;
        }
        match others(folder, folder, &named) {
            Ok(more) => problems.extend(more),
            Err(error) => problems.push(format!("{}: {error}", folder.display())),
        }
        if !folder.join(SUCCESS).exists() {
            problems.push(format!("{}: missing", folder.join(SUCCESS).display()));
        }
        Ok(problems)
    }
}

/// Puts a file into a folder, in the place of one that is there: whole or not at all, and on the disk.
pub(crate) fn write_whole(folder: &Path, name: &str, text: &[u8]) -> Result<()> {
    let at = |path: &Path| StoreError::io(path);
    let new = folder.join(format!(".{name}.new"));
    let mut file = File::create(&new).map_err(at(&new))?;
    file.write_all(text).map_err(at(&new))?;
    file.sync_all().map_err(at(&new))?;
    let path = folder.join(name);
    fs::rename(&new, &path).map_err(at(&path))?;
    Ok(run::sync_folder(folder).map_err(StoreError::from)?)
}

/// Whether a path stays below the folder that it begins in.
pub(crate) fn is_inside(path: &str) -> bool {
    let mut parts = Path::new(path).components();
    parts.all(|part| matches!(part, Component::Normal(_)))
}

/// The files that the manifest does not name, and that readers of the folder would take for a part of it: what begins
/// with a dot or an underscore they pass over.
fn others(folder: &Path, at: &Path, named: &BTreeSet<PathBuf>) -> std::io::Result<Vec<String>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(at)? {
        let entry = entry?;
        let path = entry.path();
        if entry.file_name().to_string_lossy().starts_with(['.', '_']) {
            continue;
        }
        let inside = path.strip_prefix(folder).unwrap_or(&path);
        if path.is_dir() {
            found.extend(others(folder, &path, named)?);
        } else if !named.contains(inside) {
            found.push(format!("{}: not in the manifest", path.display()));
        }
    }
    found.sort();
    Ok(found)
}

impl ManifestBatch {
    /// The batch of an export with this number, which has this ID and nothing yet.
    pub(crate) fn begun(request: &ExportRequest, number: usize, id: String) -> Self {
        let segment = request.batch_segment(number);
        Self {
            id,
            segment_id: segment.map(|segment| segment.segment_id.clone()),
            segment_ns: segment.and_then(|segment| segment.segment_ns.clone()),
            profiles: 0,
            events: 0,
            files: Vec::new(),
        }
    }

    /// Whether its files are in a folder of its own, and not among others, where a template put them.
    #[must_use]
    pub fn has_own_folder(&self) -> bool {
        let is_in = |file: &ManifestFile| {
            let first = file.path.split('/').next().and_then(batch_of);
            first == Some(&self.id)
        };
        self.files.iter().all(is_in)
    }
}

/// What the name of a file ends with: its format, and how it is compressed.
fn ending_of(path: &str) -> String {
    let mut ends: Vec<&str> = path.rsplit('.').take(2).collect();
    if !matches!(ends[..], ["gz" | "zst", _]) {
        ends.truncate(1);
    }
    ends.join(".")
}

impl ManifestExport {
    /// What a finished job wrote into a folder.
    pub(crate) fn of(finished: &FinishedJob, has_job: bool) -> Result<Self> {
        let job = &finished.job;
        let segments = job.destination.batches.as_ref();
        let batches = finished.batches.iter().enumerate().map(|(number, batch)| {
            let segment = segments.and_then(|segments| segments.get(number));
            let files = batch.files.iter().map(|file| ManifestFile {
                path: batch.path_of(file),
                rows: file.rows,
                bytes: file.length,
                digest: BatchFile::digest_text(file.digest),
            });
            ManifestBatch {
                id: batch.id.clone(),
                segment_id: segment.map(|segment| segment.segment_id.clone()),
                segment_ns: segment.and_then(|segment| segment.segment_ns.clone()),
                profiles: batch.counts.profiles,
                events: batch.counts.events,
                files: files.collect(),
            }
        });
        let what = Exported {
            request: &finished.request,
            policy: &finished.policy,
            generation: finished.generation,
            schema: &finished.schema,
        };
        Ok(Self {
            plan_id: finished.plan.clone(),
            ..Self::new(has_job.then_some(job.id), &what, batches.collect())?
        })
    }

    /// What an export that is no job wrote.
    ///
    /// # Errors
    /// A mistake of ours.
    pub fn of_prepared(prepared: &Prepared, batches: Vec<ManifestBatch>) -> Result<Self> {
        let what = Exported {
            request: &prepared.request,
            policy: &prepared.policy,
            generation: prepared.generation,
            schema: &prepared.export.schema(),
        };
        Self::new(None, &what, batches)
    }

    /// What the shards of a plan made where that is no job.
    ///
    /// # Errors
    /// As for [`ShardPlan::schema`].
    pub fn of_plan(plan: &ShardPlan, batches: Vec<ManifestBatch>) -> Result<Self> {
        let what = Exported {
            request: &plan.request,
            policy: &plan.merge_policy,
            generation: plan.generation,
            schema: &*plan.schema()?,
        };
        Ok(Self {
            plan_id: Some(plan.id.clone()),
            ..Self::new(None, &what, batches)?
        })
    }

    fn new(job_id: Option<i64>, what: &Exported<'_>, batches: Vec<ManifestBatch>) -> Result<Self> {
        let json =
            |value: serde_json::Result<Value>| value.map_err(|e| Error::Panic(e.to_string()));
        Ok(Self {
            job_id,
            plan_id: None,
            finished: Timestamp::now().to_string(),
            generation: what.generation,
            request: json(serde_json::to_value(what.request))?,
            merge_policy: json(serde_json::to_value(what.policy))?,
            schema_digest: schema_digest(what.schema),
            profiles: batches.iter().map(|batch| batch.profiles).sum(),
            events: batches.iter().map(|batch| batch.events).sum(),
            batches,
        })
    }
}

/// The digest of the names and types of columns, in order.
pub(crate) fn schema_digest(schema: &Schema) -> String {
    let mut columns = String::new();
    for field in schema.fields() {
        columns.push_str(&format!("{}: {}\n", field.name(), field.data_type()));
    }
    BatchFile::digest_text(xdm::digest128(columns.as_bytes()))
}

/// What was exported.
struct Exported<'a> {
    request: &'a ExportRequest,
    policy: &'a MergePolicy,
    generation: i64,
    schema: &'a Schema,
}
