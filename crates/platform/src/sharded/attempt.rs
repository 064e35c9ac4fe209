use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use catalog::{BatchFile, new_id};
use decode::Progress;
use export::{BatchCounts, ExportRequest, RequestError};
use serde::{Deserialize, Serialize};
use store::StoreError;
use writer::WriterOptions;

use super::place::{FolderPlace, FoundFile, ShardPlace};
use super::plan::{PROGRAM, ShardPlan, Versioned, shard_folder};
use crate::error::{Error, Result};
use crate::jobs::{LargeProfiles, MOST_REPEATED, stated};

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
    let place = FolderPlace::checked(out, store.unwrap_or(&plan.store))?;
    run_shard_in(plan, (number, attempt), store, &place, progress)
}

/// The same in any place: the shard with this number, by an attempt that is called so.
///
/// # Errors
/// As for [`run_shard`].
pub fn run_shard_in(
    plan: &ShardPlan,
    (number, attempt): (usize, &str),
    store: Option<&Path>,
    place: &impl ShardPlace,
    progress: &Arc<Progress>,
) -> Result<ShardManifest> {
    let shard = plan.shard(number)?;
    check_name(attempt)?;
    check_open(plan, place)?;
    let export = plan.export(store, progress)?.with_dictionaries();
    let name = format!("{}/{attempt}-{}", shard_folder(&plan.id, number), new_id());
    place.begin(&name)?;
    let own = Attempt {
        place,
        name: Some(&name),
    };
    let metadata = Metadata::new(plan)?;
    let write = || -> Result<Vec<ShardFile>> {
        let mut files = Vec::new();
        for (batch_number, batch) in export.batches().enumerate() {
            let file = file_name(batch_number);
            let inside = format!("{name}/{file}");
            let path = place.address().join(&inside);
            let options = metadata.options(plan, batch_number)?;
            let sink = place.create(&inside).map_err(StoreError::io(&path))?;
            let (sink, written, counts) = batch.in_shard(shard).write_to(sink, &path, &options)?;
            place.close(sink).map_err(StoreError::io(&path))?;
            progress.add_bytes(written.length);
            files.push(ShardFile {
                name: file,
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
        place.put(&name, SHARD_MANIFEST, &text)?;
        Ok(manifest)
    };
    let made = finish();
    let is_lost = place.is_lost(&name);
    if let Ok(true) = is_lost {
        return Err(ended(plan));
    }
    let made = made?;
    is_lost?;
    // One that comes behind the commit would be left there for good.
    if let Err(error) = check_open(plan, place) {
        own.keep();
        place.remove_late(&name);
        return Err(error);
    }
    own.keep();
    Ok(made)
}

/// What an attempt puts, which goes where it does not come to its end.
struct Attempt<'a, P: ShardPlace> {
    place: &'a P,
    name: Option<&'a str>,
}

impl<P: ShardPlace> Attempt<'_, P> {
    fn keep(mut self) {
        self.name = None;
    }
}

impl<P: ShardPlace> Drop for Attempt<'_, P> {
    fn drop(&mut self) {
        if let Some(name) = self.name {
            // What can't be removed now has no manifest, and goes with the plan.
            let _ = self.place.remove(name);
        }
    }
}

/// What the file of a batch is called, where an attempt put it. No pattern that takes Parquet files, text or tables by their
/// names takes it, whether it looks into hidden folders or not.
fn file_name(batch: usize) -> String {
    format!("batch-{batch:05}.shard")
}

/// Refuses a plan whose export is there already.
fn check_open(plan: &ShardPlan, place: &impl ShardPlace) -> Result<()> {
    match has_plan(place, &plan.id)? {
        true => Err(ended(plan)),
        false => Ok(()),
    }
}

/// Whether a manifest says that the export of a plan is there.
pub(super) fn has_plan(place: &impl ShardPlace, plan: &str) -> Result<bool> {
    let manifest = place.manifest()?;
    Ok(manifest.is_some_and(|manifest| manifest.of_plan(plan).is_some()))
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
    /// The manifest of an attempt, of whose folder these are the files; `None` where it is not finished.
    ///
    /// # Errors
    /// It is none, of another program, or of another plan or shard than it lies with; its files are not as it says.
    pub(super) fn read(
        (place, attempt): (&impl ShardPlace, &str),
        files: &BTreeMap<String, FoundFile>,
        (plan, number): (&ShardPlan, usize),
    ) -> Result<Option<Self>> {
        let inside = format!("{attempt}/{SHARD_MANIFEST}");
        let path = place.address().join(&inside);
        if !files.contains_key(&inside) {
            return Ok(None);
        }
        let text = place.get(&inside)?;
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
            let name = file_name(batch);
            if file.name != name {
                return Err(refused(format!(
                    "found file {:?} of batch {batch}, which is called {name}",
                    file.name
                )));
            }
            let name = format!("{attempt}/{name}");
            file.check(&place.address().join(&name), files.get(&name).copied())?;
        }
        Ok(Some(manifest))
    }
}

impl ShardFile {
    /// Refuses a file that is not as this says.
    pub(crate) fn check(&self, path: &Path, found: Option<FoundFile>) -> Result<()> {
        let problem = match found {
            Some(FoundFile::Plain(length)) if length == self.bytes => return Ok(()),
            Some(FoundFile::Plain(length)) => format!(
                "it has {length} bytes, and its manifest says {}",
                self.bytes
            ),
            Some(FoundFile::Other) => "no file, where an attempt wrote one".to_owned(),
            None => "it is not there, where an attempt wrote it".to_owned(),
        };
        Err(Error::out(
            path,
            format!("{problem}: delete the folder that it is in, and make the shard again"),
        ))
    }
}
