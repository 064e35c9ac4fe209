use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use catalog::{BatchFile, new_id};
use decode::Progress;
use export::{BatchCounts, ExportRequest, RequestError};
use serde::{Deserialize, Serialize};
use store::{StoreError, make_folder, remove_folder};
use writer::WriterOptions;

use super::plan::{PROGRAM, ShardPlan, Versioned, shard_folder};
use crate::address::check_out;
use crate::error::{Error, Result};
use crate::jobs::{LargeProfiles, MOST_REPEATED, stated};
use crate::manifest::{Manifest, write_whole};

/// What says that an attempt is finished.
pub(crate) const SHARD_MANIFEST: &str = "shard.json";
/// The version of its form.
const VERSION: u32 = 1;
/// How long the name of an attempt may be.
const LONGEST_NAME: usize = 64;

/// What an attempt at a shard has written.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ShardManifest {
    version: u32,
    /// The version of the program that made it.
    program: String,
    /// The plan.
    pub plan: String,
    plan_digest: String,
    /// The number of the shard, counted from 0.
    pub shard: usize,
    /// What whoever made it calls the attempt.
    pub attempt: String,
    /// Its file of each batch, in the order of the request's segments.
    pub batches: Vec<ShardFile>,
    /// What stands out in the identity graph, which is the same for all shards.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) large_profiles: Option<LargeProfiles>,
}

/// A batch's file of one shard.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ShardFile {
    /// Its name, in the folder of the attempt.
    pub name: String,
    /// Its rows.
    pub rows: u64,
    /// Its length in bytes.
    pub bytes: u64,
    /// The XXH3-128 digest of its bytes.
    pub digest: String,
    /// What is in it.
    pub counts: BatchCounts,
}

/// Makes a shard of a plan, in a hidden folder of its own below the folder of the export: the same shard may be tried any
/// number of times, also at once. `store` is the store's folder as this machine sees it, if that is another one than the
/// plan's. rayon's current threads do the work.
///
/// # Errors
/// There is no such shard; the store does not have the plan's runs any more; the plan was committed or aborted meanwhile; a
/// full disk; `progress` was cancelled. Then nothing of the attempt is left.
pub fn run_shard(
    plan: &ShardPlan,
    number: usize,
    attempt: &str,
    (store, out): (Option<&Path>, &Path),
    progress: &Arc<Progress>,
) -> Result<ShardManifest> {
    let shard = plan.shard(number)?;
    check_name(attempt)?;
    check_out(out, Some(store.unwrap_or(&plan.store)))?;
    make_folder(out)?;
    check_open(plan, out)?;
    let export = plan.export(store, progress)?.with_dictionaries();
    let folder = plan.staging(out).join(shard_folder(number));
    let own = Attempt(Some(folder.join(format!("{attempt}-{}", new_id()))));
    let Some(at) = own.0.as_deref() else {
        unreachable!("it was made with a folder");
    };
    make_folder(at)?;
    let metadata = Metadata::new(plan)?;
    let write = || -> Result<Vec<ShardFile>> {
        let mut files = Vec::new();
        for (batch_number, batch) in export.batches().enumerate() {
            let name = file_name(plan, batch_number);
            let path = at.join(&name);
            let options = metadata.options(plan, batch_number)?;
            let file = File::create_new(&path).map_err(StoreError::io(&path))?;
            let (file, written, counts) = batch.in_shard(shard).write_to(file, &path, &options)?;
            file.sync_all().map_err(StoreError::io(&path))?;
            progress.add_bytes(written.length);
            files.push(ShardFile {
                name,
                rows: written.rows,
                bytes: written.length,
                digest: BatchFile::digest_text(written.digest),
                counts,
            });
        }
        Ok(files)
    };
    let finish = || -> Result<ShardManifest> {
        let manifest = ShardManifest {
            version: VERSION,
            program: PROGRAM.to_owned(),
            plan: plan.id.clone(),
            plan_digest: plan.digest.clone(),
            shard: number,
            attempt: attempt.to_owned(),
            batches: write()?,
            large_profiles: export.graph_report().and_then(LargeProfiles::of),
        };
        let text = serde_json::to_vec(&manifest).map_err(|e| Error::Panic(e.to_string()))?;
        progress.check()?;
        write_whole(at, SHARD_MANIFEST, &text)?;
        Ok(manifest)
    };
    let made = finish();
    if made.is_err() && !at.exists() {
        return Err(ended(plan));
    }
    let made = made?;
    // One that comes behind the commit would be left there for good.
    if let Err(error) = check_open(plan, out) {
        drop(own);
        let _ = fs::remove_dir(&folder);
        let _ = fs::remove_dir(plan.staging(out));
        return Err(error);
    }
    own.keep();
    Ok(made)
}

/// The folder of an attempt, which goes where it does not come to its end.
struct Attempt(Option<PathBuf>);

impl Attempt {
    fn keep(mut self) {
        self.0 = None;
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        if let Some(folder) = &self.0 {
            // What can't be removed now has no manifest, and goes with the plan.
            let _ = remove_folder(folder);
        }
    }
}

/// What the file of a batch is called, in the folder of an attempt.
fn file_name(plan: &ShardPlan, batch: usize) -> String {
    format!("batch-{batch:05}.{}", plan.writer.format.ending())
}

/// Refuses a plan whose export is there already.
fn check_open(plan: &ShardPlan, out: &Path) -> Result<()> {
    let manifest = Manifest::read(out)?;
    match manifest.is_some_and(|manifest| manifest.has_plan(&plan.id)) {
        true => Err(ended(plan)),
        false => Ok(()),
    }
}

fn ended(plan: &ShardPlan) -> Error {
    let text = format!(
        "plan {} was committed or aborted meanwhile: this attempt comes too late, and leaves nothing",
        plan.id
    );
    catalog::Error::Conflict(text).into()
}

/// Names that come from outside become names of folders.
fn check_name(attempt: &str) -> Result<()> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || ['-', '_', '.'].contains(&c);
    let fits = (1..=LONGEST_NAME).contains(&attempt.len());
    match fits && attempt.chars().all(is_plain) && !attempt.starts_with('.') {
        true => Ok(()),
        false => Err(RequestError::new(
            "attempt",
            format!(
                "found {attempt:?}; allowed are 1 to {LONGEST_NAME} ASCII letters, digits, -, _ and ., not in the first place"
            ),
        )
        .into()),
    }
}

/// What the files of a plan say of themselves.
struct Metadata {
    policy: String,
    /// The request without the segments, where each has a batch.
    request: ExportRequest,
}

impl Metadata {
    fn new(plan: &ShardPlan) -> Result<Self> {
        let mut request = plan.request.clone();
        if request.destination.segment_per_batch == Some(true)
            && let Some(filter) = &mut request.filter
        {
            filter.segments = None;
        }
        Ok(Self {
            policy: text(&plan.merge_policy)?,
            request,
        })
    }

    /// How the file of a batch is written: it names its own segment alone.
    fn options(&self, plan: &ShardPlan, batch: usize) -> Result<WriterOptions> {
        let mut request = self.request.clone();
        if let Some(segment) = plan.request.batch_segment(batch)
            && let Some(filter) = &mut request.filter
        {
            filter.segments = Some(vec![segment.clone()]);
        }
        let metadata = [
            ("request", text(&request)?),
            ("planId", plan.id.clone()),
            ("mergePolicy", self.policy.clone()),
            ("generation", plan.generation.to_string()),
        ];
        Ok(WriterOptions {
            metadata: stated(metadata, MOST_REPEATED),
            ..plan.writer.clone()
        })
    }
}

fn text(value: &impl Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(|error| Error::Panic(error.to_string()))
}

impl ShardManifest {
    /// The manifest of an attempt; `None` where it is not finished.
    ///
    /// # Errors
    /// It is none, of another program, or of another plan or shard than it lies with; its files are not as it says.
    pub(crate) fn read(attempt: &Path, plan: &ShardPlan, number: usize) -> Result<Option<Self>> {
        let path = attempt.join(SHARD_MANIFEST);
        let text = match fs::read(&path) {
            // Nor is a file that somebody put beside the attempts.
            Err(error)
                if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) =>
            {
                return Ok(None);
            }
            text => text.map_err(StoreError::io(&path))?,
        };
        let refused = |problem: String| {
            Error::out(
                &path,
                format!("{problem}: delete its folder, and make the shard again"),
            )
        };
        let none = |error| refused(format!("no manifest of a shard: {error}"));
        let Versioned { version, program } = serde_json::from_slice(&text).map_err(none)?;
        if version != VERSION || program != PROGRAM {
            return Err(refused(format!(
                "made by version {program:?} of this program, and this is {PROGRAM}"
            )));
        }
        let manifest: Self = serde_json::from_slice(&text).map_err(none)?;
        if manifest.plan != plan.id
            || manifest.plan_digest != plan.digest
            || manifest.shard != number
        {
            return Err(refused(format!(
                "it is of plan {}, shard {}, and lies with plan {}, shard {number}",
                manifest.plan, manifest.shard, plan.id
            )));
        }
        let batches = plan.batch_count()?;
        if manifest.batches.len() != batches {
            return Err(refused(format!(
                "it has {} batches, and the plan has {batches}",
                manifest.batches.len()
            )));
        }
        for (batch, file) in manifest.batches.iter().enumerate() {
            // Any other name could be a file of somebody's, somewhere else.
            let name = file_name(plan, batch);
            if file.name != name {
                return Err(refused(format!(
                    "found file {:?} of batch {batch}, which is called {name}",
                    file.name
                )));
            }
            file.check(&attempt.join(name))?;
        }
        Ok(Some(manifest))
    }
}

impl ShardFile {
    /// Refuses a file that is not as this says.
    pub(crate) fn check(&self, path: &Path) -> Result<()> {
        let found = fs::symlink_metadata(path).map_err(StoreError::io(path))?;
        let problem = match found.is_file() {
            true if found.len() == self.bytes => return Ok(()),
            true => format!(
                "it has {} bytes, and its manifest says {}",
                found.len(),
                self.bytes
            ),
            // A link would show whatever it points to.
            false => "no file, where an attempt wrote one".to_owned(),
        };
        Err(Error::out(
            path,
            format!("{problem}: delete the folder that it is in, and make the shard again"),
        ))
    }
}
