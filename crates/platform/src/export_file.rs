//! Exports that are no jobs: into one file, into sinks of the caller's, or nowhere, to see what there would be.

use std::fs::{File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use catalog::{BatchFile, new_id};
use decode::{Phase, Progress};
use export::{BatchCounts, Export, ExportRequest, Plan, UnionSchemas, json_values};
use merge::MergePolicy;
use serde_json::Value;
use store::{Store, StoreError};
use tempfile::{Builder, NamedTempFile};
use writer::{WriterOptions, Written};
use xdm::Timestamp;

use crate::error::{Error, Result};
use crate::evaluation::evaluate_for;
use crate::export_folder::Temporary;
use crate::jobs::{BatchNames, NamedExport, RunOptions, sweep_goal};
use crate::manifest::{ManifestBatch, ManifestFile};
use crate::names::{segment_names, with_ids};
use crate::resolve::{PolicyChoice, choose_policy};

/// Makes a file, which must not be there yet unless it is replaced: it is there whole or not at all.
///
/// # Errors
/// A file that exists, a full disk; that of `write`.
pub fn whole_file<T, E: From<Error>>(
    path: &Path,
    replaces: bool,
    write: impl FnOnce(&File) -> Result<T, E>,
) -> Result<T, E> {
    let file = begun(path, replaces)?;
    let made = write(file.1.as_file())?;
    ended(path, replaces, file)?;
    Ok(made)
}

fn begun(path: &Path, replaces: bool) -> Result<(Temporary, NamedTempFile)> {
    if !replaces && path.symlink_metadata().is_ok() {
        return Err(Error::out(path, "it exists; give another name"));
    }
    let folder = folder_of(path);
    // What one leaves that is killed, the next one clears.
    sweep_goal(folder);
    let temporary = Temporary::create_in(folder)?;
    // With the rights that all exports get, not with those of a temporary file.
    let file = Builder::new()
        .permissions(Permissions::from_mode(0o666))
        .tempfile_in(&temporary.folder)
        .map_err(StoreError::io(folder))?;
    Ok((temporary, file))
}

fn ended(path: &Path, replaces: bool, (_kept, file): (Temporary, NamedTempFile)) -> Result<()> {
    file.as_file().sync_all().map_err(StoreError::io(path))?;
    match replaces {
        true => file.persist(path),
        false => file.persist_noclobber(path),
    }
    .map_err(|e| StoreError::io(path)(e.error))?;
    Ok(run::sync_folder(folder_of(path)).map_err(StoreError::from)?)
}

fn folder_of(path: &Path) -> &Path {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty());
    folder.unwrap_or(Path::new("."))
}

/// An export that stands in no catalog.
#[derive(Clone)]
pub struct Prepared {
    /// The request, with IDs where it had names.
    pub request: ExportRequest,
    /// The merge policy that it uses.
    pub policy: MergePolicy,
    /// Why it is that one.
    pub choice: PolicyChoice,
    /// The state of the store that it reads.
    pub generation: i64,
    /// What its segments are called, in the order of the request.
    pub segment_names: Vec<String>,
    /// Its rows.
    pub export: Export,
}

/// A batch of an export that is no job, before it is written.
#[derive(Clone, Debug)]
pub struct PlannedBatch {
    /// Its ID.
    pub id: String,
    /// Where its only file is, from the folder or address of the export on.
    pub path: String,
}

/// What a batch has, or would have.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Its rows and events.
    pub counts: BatchCounts,
    /// The length of its file in bytes.
    pub bytes: u64,
}

impl Prepared {
    /// Prepares the export that a request asks for, of the store as it is now. Its destination is not looked at.
    ///
    /// # Errors
    /// A request that can't be done as asked, a damaged store.
    pub fn new(
        store: &Store,
        request: &ExportRequest,
        max_identities: Option<u32>,
        progress: &Arc<Progress>,
    ) -> Result<Self> {
        let request = with_ids(store.catalog(), request)?;
        Self::by_ids(store, (request, None), max_identities, progress)
    }

    /// The same for a request that has IDs already, so that nothing that it asks for is a name, of the store as it was at
    /// a generation, or is.
    ///
    /// # Errors
    /// As for [`Prepared::new`].
    pub(crate) fn by_ids(
        store: &Store,
        (request, generation): (ExportRequest, Option<i64>),
        max_identities: Option<u32>,
        progress: &Arc<Progress>,
    ) -> Result<Self> {
        let (policy, choice) = choose_policy(store.catalog(), &request)?;
        progress.begin(Phase::Prepare);
        let snapshot = store.snapshot(generation)?;
        let plan = Plan::new(
            &request.evaluated(),
            policy.clone(),
            &UnionSchemas::from(&snapshot),
        )?;
        let plan = Plan {
            max_identities,
            ..plan
        };
        let export = Export::watched(&snapshot, &plan, Arc::clone(progress))?;
        progress.begin(Phase::Export);
        Ok(Self {
            export,
            generation: snapshot.generation,
            segment_names: segment_names(store.catalog(), &request)?,
            request,
            policy,
            choice,
        })
    }

    /// The same for an export that is made: its segments are evaluated first, if the request asks for that.
    ///
    /// # Errors
    /// As for [`Prepared::new`]; a segment that can't be evaluated.
    pub fn to_write(
        store: &Store,
        request: &ExportRequest,
        max_identities: Option<u32>,
        progress: &Arc<Progress>,
    ) -> Result<Self> {
        evaluate_for(store, &with_ids(store.catalog(), request)?, progress)?;
        Self::new(store, request, max_identities, progress)
    }

    /// Why it uses the merge policy that it does, in words.
    #[must_use]
    pub fn why_policy(&self) -> String {
        match &self.choice {
            PolicyChoice::Asked => "the request names it".to_owned(),
            PolicyChoice::OfSegment(id) => {
                let wanted = self.request.filter.as_ref();
                let wanted = wanted.and_then(|filter| filter.segments.as_deref());
                let mut named = std::iter::zip(wanted.unwrap_or_default(), &self.segment_names);
                let name = named.find(|(segment, _)| segment.segment_id == *id);
                let name = name.map_or(id, |(_, name)| name);
                format!("the definition of the segment {name:?} names it")
            }
            PolicyChoice::Default => {
                "the default, as neither the request nor a segment's definition names one"
                    .to_owned()
            }
        }
    }

    /// Makes all rows and keeps none: how many each batch has, where it does not matter how long its file would be.
    ///
    /// # Errors
    /// A damaged store; `progress` was cancelled.
    pub fn counts(&self) -> Result<Vec<BatchCounts>> {
        let export = self.export.clone().with_dictionaries();
        let counts = export.batches().map(|batch| {
            let mut chunks = batch.chunks();
            for chunk in &mut chunks {
                chunk?;
            }
            Ok(chunks.counts().clone())
        });
        counts.collect()
    }

    /// Makes all rows and keeps none: what each batch would have.
    ///
    /// # Errors
    /// A damaged store; `progress` was cancelled.
    pub fn outcomes(&self, options: &WriterOptions) -> Result<Vec<Outcome>> {
        let numbers = 0..self.export.batch_count();
        let outcome = |number| {
            let written = self.write_one(number, io::sink(), Path::new("nowhere"), options);
            written.map(|(_, _, outcome)| outcome)
        };
        numbers.map(outcome).collect()
    }

    /// Where each batch will be, by these names, as one file each.
    ///
    /// # Errors
    /// A template by which two files would have one name, or that says nothing here.
    pub fn planned(
        &self,
        out: &Path,
        names: &BatchNames,
        options: &WriterOptions,
    ) -> Result<Vec<PlannedBatch>> {
        let ids: Vec<String> = (0..self.export.batch_count()).map(|_| new_id()).collect();
        let places = names.places(&self.named(options), &ids);
        let places = places.map_err(|problem| Error::out(out, problem))?;
        let planned = ids.into_iter().zip(places);
        let planned = planned.map(|(id, place)| PlannedBatch {
            id,
            path: place.file(0),
        });
        Ok(planned.collect())
    }

    /// Refuses names that the batches of a job, or of an export that is none, could not have in a folder.
    ///
    /// # Errors
    /// As for [`Prepared::planned`].
    pub fn check_names(&self, out: &Path, run: &RunOptions, is_job: bool) -> Result<()> {
        let export = NamedExport {
            // Any will do.
            job: is_job.then_some(0),
            has_many_files: run.max_rows_per_file.is_some(),
            ..self.named(&run.writer)
        };
        let ids: Vec<String> = (0..self.export.batch_count()).map(|_| new_id()).collect();
        let places = run.names.places(&export, &ids);
        places.map(drop).map_err(|problem| Error::out(out, problem))
    }

    fn named<'a>(&'a self, options: &'a WriterOptions) -> NamedExport<'a> {
        NamedExport {
            request: &self.request,
            segment_names: &self.segment_names,
            begun: Timestamp::now(),
            job: None,
            format: &options.format,
            has_many_files: false,
        }
    }

    /// Writes each batch as one file into the sink that `open` gives for the place of that file, such as
    /// `batchId=…/segmentId=…/part-00000.parquet`; `close` ends a sink when its file is whole. Returns what a manifest
    /// says of them, in the order of the request's segments, and their counts.
    ///
    /// # Errors
    /// That of the first sink that takes no more; a damaged store; the progress was cancelled.
    pub fn write_batches<W: Write + Send>(
        &self,
        planned: Vec<PlannedBatch>,
        options: &WriterOptions,
        mut open: impl FnMut(&str) -> io::Result<W>,
        mut close: impl FnMut(W) -> io::Result<()>,
    ) -> Result<Vec<(ManifestBatch, Outcome)>> {
        let mut made = Vec::new();
        for (number, PlannedBatch { id, path }) in planned.into_iter().enumerate() {
            let mut batch = ManifestBatch::begun(&self.request, number, id);
            let sink = open(&path).map_err(StoreError::io(Path::new(&path)))?;
            let (sink, written, outcome) =
                self.write_one(number, sink, Path::new(&path), options)?;
            close(sink).map_err(StoreError::io(Path::new(&path)))?;
            batch.profiles = outcome.counts.profiles;
            batch.events = outcome.counts.events;
            batch.files.push(ManifestFile {
                path,
                rows: written.rows,
                bytes: written.length,
                digest: BatchFile::digest_text(written.digest),
            });
            made.push((batch, outcome));
        }
        Ok(made)
    }

    /// The first rows, at the most so many, as JSON objects; no more are made than are near.
    ///
    /// # Errors
    /// A damaged store; `progress` was cancelled.
    pub fn first_rows(&self, most: usize) -> Result<Vec<Value>> {
        let mut rows = Vec::new();
        for batch in self.export.batches() {
            for chunk in batch.chunks() {
                let chunk = chunk?;
                let chunk = chunk.slice(0, chunk.num_rows().min(most - rows.len()));
                rows.extend(json_values(&chunk)?);
                if rows.len() == most {
                    return Ok(rows);
                }
            }
        }
        Ok(rows)
    }

    /// Writes the only batch as a file, which must not be there yet unless it is replaced. It is there whole or not
    /// at all.
    ///
    /// # Errors
    /// Several batches, a file that exists, a full disk, a damaged store; `progress` was cancelled.
    pub fn write_file(
        &self,
        path: &Path,
        replaces: bool,
        options: &WriterOptions,
    ) -> Result<Outcome> {
        self.check_single(path)?;
        whole_file(path, replaces, |file| {
            Ok(self.write_one(0, file, path, options)?.2)
        })
    }

    /// Writes the only batch into anything that takes bytes, which is called so in errors. What it took of an
    /// export that fails is no file.
    ///
    /// # Errors
    /// Several batches, a sink that takes no more, a damaged store; `progress` was cancelled.
    pub fn write_to(
        &self,
        sink: impl Write + Send,
        name: &Path,
        options: &WriterOptions,
    ) -> Result<Outcome> {
        self.check_single(name)?;
        Ok(self.write_one(0, sink, name, options)?.2)
    }

    fn write_one<W: Write + Send>(
        &self,
        number: usize,
        sink: W,
        name: &Path,
        options: &WriterOptions,
    ) -> Result<(W, Written, Outcome)> {
        let batch = self.export.clone().with_dictionaries().batch(number);
        let (sink, written, counts) = batch.write_to(sink, name, &self.options(options)?)?;
        let outcome = Outcome {
            counts,
            bytes: written.length,
        };
        Ok((sink, written, outcome))
    }

    fn check_single(&self, path: &Path) -> Result<()> {
        match self.export.batch_count() {
            1 => Ok(()),
            _ => {
                let problem = "one file, where each segment has a batch; give a folder";
                Err(Error::out(path, problem))
            }
        }
    }

    /// How files are written, with what they say of themselves, as those of jobs do.
    fn options(&self, options: &WriterOptions) -> Result<WriterOptions> {
        let text = |text: serde_json::Result<String>| text.map_err(|e| Error::Panic(e.to_string()));
        let metadata = [
            ("request", text(serde_json::to_string(&self.request))?),
            ("mergePolicy", text(serde_json::to_string(&self.policy))?),
            ("generation", self.generation.to_string()),
        ];
        let metadata = metadata.map(|(name, value)| (format!("profile-export.{name}"), value));
        Ok(WriterOptions {
            metadata: metadata.to_vec(),
            ..options.clone()
        })
    }
}
