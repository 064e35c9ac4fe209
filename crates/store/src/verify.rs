use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::Path;

use catalog::{Batch, BatchFile};
use decode::{Phase, Progress};
use xxhash_rust::xxh3::Xxh3;

use crate::Store;
use crate::error::Result;

/// What a look at every byte found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verified {
    /// What is not as it was written.
    pub problems: Vec<String>,
    /// Batches outside the store that are gone: their owners may have moved or deleted them.
    pub moved: Vec<String>,
}

impl Store {
    /// Checks the catalog and every byte of every file that it names: the runs' and the batches', of all
    /// organisations and sandboxes, those of earlier states too that jobs still read. What is in memory does not grow
    /// with the files.
    ///
    /// # Errors
    /// The catalog can't be read.
    pub fn verify(&self) -> Result<Verified> {
        self.verify_with(&Progress::default())
    }

    /// The same, counting in `progress` the bytes that were looked at.
    ///
    /// # Errors
    /// The catalog can't be read; `progress` was cancelled.
    pub fn verify_with(&self, progress: &Progress) -> Result<Verified> {
        progress.begin(Phase::Verify);
        let mut found = Verified {
            problems: self.catalog().verify()?,
            moved: Vec::new(),
        };
        for (folder, files) in self.catalog().all_runs()? {
            let damage = files.verify(&self.layout().run(&folder), progress);
            progress.check()?;
            // A compaction may have taken it away meanwhile.
            if !damage.is_empty() && self.catalog().run_folders()?.contains(&folder) {
                let damage = damage.iter().map(ToString::to_string);
                found.problems.extend(damage);
            }
        }
        for batch in self.catalog().all_published()? {
            self.verify_batch(&batch, &mut found, progress)?;
        }
        Ok(found)
    }

    /// How many bytes [`Store::verify_with`] looks at, where nothing is missing but batches outside of the store.
    ///
    /// # Errors
    /// The catalog can't be read.
    pub fn bytes_to_verify(&self) -> Result<u64> {
        let runs = self.catalog().all_runs()?;
        let runs: u64 = runs.iter().map(|(_, files)| files.length()).sum();
        let mut batches = self.catalog().all_published()?;
        batches.retain(|batch| !self.is_moved(batch));
        let files = batches.iter().flat_map(|batch| &batch.files);
        Ok(runs + files.map(|file| file.length).sum::<u64>())
    }

    fn verify_batch(&self, batch: &Batch, found: &mut Verified, progress: &Progress) -> Result<()> {
        let folder = self.batch_folder(batch);
        if self.is_moved(batch) {
            found
                .moved
                .push(format!("batch {}: {}", batch.id, folder.display()));
            return Ok(());
        }
        let mut problems = Vec::new();
        for file in &batch.files {
            problems.extend(verify_file(&folder.join(&file.name), file, progress));
            progress.check()?;
        }
        // It may have been deleted meanwhile.
        if !problems.is_empty() && self.catalog().all_batch_ids()?.contains(&batch.id) {
            found.problems.extend(problems);
        }
        Ok(())
    }

    /// Whether it is not in the store, nor where its job was told to put it.
    fn is_moved(&self, batch: &Batch) -> bool {
        let is_gone = |path: &Path| {
            let metadata = path.metadata();
            metadata.is_err_and(|error| error.kind() == ErrorKind::NotFound)
        };
        match &batch.among {
            // Its folder is there for others, too.
            Some(folder) => (batch.files.iter()).all(|file| is_gone(&folder.join(&file.name))),
            None => batch.folder.as_deref().is_some_and(is_gone),
        }
    }
}

/// What is wrong with a file whose digest is known: nothing, where it is as it was written.
#[must_use]
pub fn verify_file(path: &Path, known: &BatchFile, progress: &Progress) -> Option<String> {
    let Some(expected) = &known.digest else {
        return Some(format!(
            "{}: the catalog has no digest of it",
            path.display()
        ));
    };
    match digest(path, progress) {
        Ok(found) if BatchFile::digest_text(found) == *expected => None,
        Ok(_) => Some(format!("{} is damaged: its digest differs", path.display())),
        Err(error) => Some(format!("{}: {error}", path.display())),
    }
}

/// The XXH3-128 digest of a file, read piece by piece; of a part of it where `progress` is cancelled.
fn digest(path: &Path, progress: &Progress) -> io::Result<u128> {
    let mut file = File::open(path)?;
    let mut digest = Box::new(Xxh3::new());
    let mut buffer = vec![0; 1 << 18];
    while !progress.is_cancelled() {
        match file.read(&mut buffer) {
            Ok(0) => break,
            Ok(n) => {
                digest.update(buffer.get(..n).unwrap_or(&buffer));
                progress.add_bytes(n as u64);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(digest.digest128())
}
