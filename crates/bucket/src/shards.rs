//! Exports in shards whose place is in a bucket.
//!
//! An attempt uploads below a name of its own, `.plan-…/shard-…/ATTEMPT/`, its manifest last. The commit copies the objects of
//! one attempt of each shard to the names that readers know, within the store, then comes the manifest of the export, then
//! `_SUCCESS`. So whoever reads all that is there by a pattern never sees an attempt's rows: its objects are neither below
//! `batchId=…` nor called `*.parquet`.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use catalog::Error as CatalogError;
use decode::{Phase, Progress};
use platform::{
    Committed, Error, FoundFile, GatheredBatch, IfExists, MANIFEST, Manifest, ManifestExport,
    Outcome, Result, ShardManifest, ShardPlace, ShardPlan, abort_without_job, commit_without_job,
    keep_plan_in, run_shard_in,
};
use store::{Store, StoreError};

use crate::connection::Connection;
use crate::output::{BucketOutput, WrittenBatches};
use crate::upload::Upload;

/// The longest object that is copied at once: S3 takes no longer one.
const LONGEST: u64 = 5_000_000_000;
/// The object whose absence says that an attempt was removed while it was made.
const BEGUN: &str = "begun";

/// Makes a shard of a plan below an address, as [`run_shard`](platform::run_shard) does in a folder.
///
/// # Errors
/// As there; the object store takes no more.
pub fn run_shard(
    plan: &ShardPlan,
    number: usize,
    attempt: &str,
    (store, address): (Option<&Path>, &str),
    progress: &Arc<Progress>,
) -> Result<ShardManifest> {
    let place = BucketPlace::open(address)?;
    run_shard_in(plan, (number, attempt), store, &place, progress)
}

/// Keeps a plan beside the attempts at its shards.
///
/// # Errors
/// The object store takes nothing.
pub fn keep_plan(plan: &ShardPlan, address: &str) -> Result<()> {
    keep_plan_in(plan, &BucketPlace::open(address)?)
}

/// Shows the export of a plan whose shards are all made below an address. It is no job. One that was broken off is done
/// again.
///
/// # Errors
/// As for [`commit_without_job`], and for [`BucketOutput::write`].
pub fn commit_plan(
    store: &Store,
    plan: &ShardPlan,
    (address, if_exists): (&str, IfExists),
    progress: &Progress,
) -> Result<Committed<WrittenBatches>> {
    let place = BucketPlace::open(address)?;
    let connection = || Arc::clone(&place.connection);
    let show = |batches| {
        let is_own = |batch: &str| ShardPlan::has_batch(&plan.id, batch);
        let output = BucketOutput::look(connection(), if_exists, is_own)?;
        place.show((plan, &output), batches, progress)
    };
    let complete = || BucketOutput::complete(connection(), if_exists, &plan.id);
    commit_without_job(store, plan, &place, progress, show, complete)
}

/// Gives the plan with this ID up, whose shards were made below an address. Says whether there was something to give up.
///
/// # Errors
/// As for [`abort_without_job`].
pub fn abort_pinned(store: &Store, id: &str, address: &str) -> Result<bool> {
    let place = BucketPlace::open(address)?;
    abort_without_job(store, id, &place, || {
        let is_own = |name: &String| {
            Manifest::batch_of(name).is_some_and(|batch| ShardPlan::has_batch(id, batch))
        };
        let names = place.connection.names()?;
        let shown: Vec<_> = names.iter().filter(|name| is_own(name)).collect();
        for name in &shown {
            place.connection.delete_below(name)?;
        }
        match shown.is_empty() {
            true => Ok(()),
            false => BucketOutput::say_again(Arc::clone(&place.connection)),
        }
    })
}

/// What attempts left below an address behind a commit, where something is there.
///
/// # Errors
/// It can't be looked at.
pub fn left_at(plan: &ShardPlan, address: &str) -> Result<Option<String>> {
    let connection = Connection::open(address)?;
    let left = plan.left_below();
    let is_there = !connection.objects_below(&left)?.is_empty();
    Ok(is_there.then(|| format!("{}/{left}", connection.address())))
}

/// A place in a bucket.
struct BucketPlace {
    connection: Arc<Connection>,
    address: PathBuf,
}

impl BucketPlace {
    fn open(address: &str) -> Result<Self> {
        let connection = Connection::open(address)?;
        Ok(Self {
            address: PathBuf::from(connection.address()),
            connection: Arc::new(connection),
        })
    }

    /// Copies the objects of attempts to their names, and shows them.
    fn show(
        &self,
        (plan, output): (&ShardPlan, &BucketOutput),
        batches: Vec<GatheredBatch>,
        progress: &Progress,
    ) -> Result<WrittenBatches> {
        output.begin()?;
        progress.begin(Phase::Publish);
        let paths = |one: &GatheredBatch| {
            let paths = one.batch.files.iter().map(|file| file.path.clone());
            paths.collect::<Vec<_>>()
        };
        let made: Vec<String> = batches.iter().flat_map(paths).collect();
        let copied = self.copy(&batches, progress);
        if let Err(error) = copied {
            return Err(output.take_back(&made, error));
        }
        let named = batches.iter().map(|one| one.batch.clone()).collect();
        let export = match ManifestExport::of_plan(plan, named) {
            Ok(export) => export,
            Err(error) => return Err(output.take_back(&made, error)),
        };
        let has_one_form = output.show(export, &made)?;
        let outcome = |one: GatheredBatch| {
            let bytes = one.batch.files.iter().map(|file| file.bytes).sum();
            let counts = one.counts;
            (one.batch, Outcome { counts, bytes })
        };
        Ok(WrittenBatches {
            batches: batches.into_iter().map(outcome).collect(),
            has_one_form,
        })
    }

    /// Copies the objects of attempts to their names, and looks whether they are there.
    fn copy(&self, batches: &[GatheredBatch], progress: &Progress) -> Result<()> {
        let of_batch = |one: &GatheredBatch| {
            let targets = one.batch.files.iter().map(|file| file.path.clone());
            let sources = one.sources.iter().cloned();
            sources.zip(targets).collect::<Vec<_>>()
        };
        let copies: Vec<_> = batches.iter().flat_map(of_batch).collect();
        self.connection.copy(&copies, || Ok(progress.check()?))?;
        for GatheredBatch { batch, .. } in batches {
            let Some(folder) = batch
                .files
                .first()
                .and_then(|file| file.path.split('/').next())
            else {
                continue;
            };
            let there = self.connection.objects_below(folder)?;
            for file in &batch.files {
                if there.get(&file.path) != Some(&file.bytes) {
                    let path = self.address.join(&file.path);
                    let reason = io::Error::other(format!(
                        "it was copied there with {} bytes, and has {:?}",
                        file.bytes,
                        there.get(&file.path)
                    ));
                    return Err(StoreError::Io { path, reason }.into());
                }
            }
        }
        Ok(())
    }
}

impl ShardPlace for BucketPlace {
    type Sink = ShardUpload;

    fn address(&self) -> &Path {
        &self.address
    }

    fn manifest(&self) -> Result<Option<Manifest>> {
        let Some((text, _)) = self.connection.get(MANIFEST)? else {
            return Ok(None);
        };
        let manifest = Manifest::from_json(&text).map_err(|problem| Error::Out {
            path: self.address.join(MANIFEST),
            problem,
        })?;
        Ok(Some(manifest))
    }

    /// Keys need no folders: an object says that this one is there.
    fn begin(&self, below: &str) -> Result<()> {
        self.put(below, BEGUN, &[])
    }

    fn is_lost(&self, below: &str) -> Result<bool> {
        Ok(!self.connection.has(&format!("{below}/{BEGUN}"))?)
    }

    fn create(&self, name: &str) -> io::Result<ShardUpload> {
        Ok(ShardUpload {
            upload: self.connection.upload(name)?,
            length: 0,
        })
    }

    fn close(&self, sink: ShardUpload) -> io::Result<()> {
        sink.upload.close()
    }

    fn put(&self, below: &str, name: &str, bytes: &[u8]) -> Result<()> {
        let bytes = Bytes::copy_from_slice(bytes);
        self.connection.put(&format!("{below}/{name}"), bytes)
    }

    fn get(&self, name: &str) -> Result<Vec<u8>> {
        let gone = || CatalogError::Conflict(format!("{name} is not there any more"));
        let (bytes, _) = self.connection.get(name)?.ok_or_else(gone)?;
        Ok(bytes.to_vec())
    }

    fn files(&self, below: &str) -> Result<BTreeMap<String, FoundFile>> {
        let found = self.connection.objects_below(below)?.into_iter();
        Ok(found
            .map(|(name, length)| (name, FoundFile::Plain(length)))
            .collect())
    }

    fn remove(&self, below: &str) -> Result<()> {
        self.connection.delete_below(below)?;
        // What an attempt put behind the listing, which then did not see yet that it is lost.
        self.connection.delete_below(below)
    }

    fn remove_late(&self, attempt: &str) {
        let _ = self.remove(attempt);
    }
}

/// The upload of a shard's file.
struct ShardUpload {
    upload: Upload,
    length: u64,
}

impl Write for ShardUpload {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let length = self.length + bytes.len() as u64;
        if length > LONGEST {
            return Err(io::Error::other(format!(
                "more than {LONGEST} bytes, and no longer object is copied at once; plan more shards"
            )));
        }
        let written = self.upload.write(bytes)?;
        self.length += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.upload.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use object_store::memory::InMemory;
    use object_store::path::Path;

    use super::*;

    #[test]
    fn a_file_that_could_not_be_copied_is_refused() {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let mut sink = ShardUpload {
            upload: Upload::new(
                Arc::new(InMemory::new()),
                Path::from("batch"),
                Arc::new(runtime),
            ),
            length: LONGEST - 3,
        };
        sink.write_all(b"abc").expect("as long as may be");
        let refused = sink.write_all(b"d").expect_err("too long");
        assert!(refused.to_string().contains("more shards"), "{refused}");
    }
}
