use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::Path;

use catalog::{Batch, BatchFile};
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
    /// organisations and sandboxes, those of earlier states too that jobs still read.
    ///
    /// # Errors
    /// The catalog can't be read.
    pub fn verify(&self) -> Result<Verified> {
        let mut found = Verified {
            problems: self.catalog().verify()?,
            moved: Vec::new(),
        };
        for (folder, files) in self.catalog().all_runs()? {
            let damage = files.verify(&self.layout().run(&folder));
            // A compaction may have taken it away meanwhile.
            if !damage.is_empty() && self.catalog().run_folders()?.contains(&folder) {
                let damage = damage.iter().map(ToString::to_string);
                found.problems.extend(damage);
            }
        }
        for batch in self.catalog().all_published()? {
            self.verify_batch(&batch, &mut found)?;
        }
        Ok(found)
    }

    fn verify_batch(&self, batch: &Batch, found: &mut Verified) -> Result<()> {
        let folder = self.batch_folder(batch);
        if batch.folder.is_some() && is_gone(&folder) {
            found
                .moved
                .push(format!("batch {}: {}", batch.id, folder.display()));
            return Ok(());
        }
        let problems: Vec<String> = (batch.files.iter())
            .filter_map(|file| verify_file(&folder.join(&file.name), file))
            .collect();
        // It may have been deleted meanwhile.
        if !problems.is_empty() && self.catalog().all_batch_ids()?.contains(&batch.id) {
            found.problems.extend(problems);
        }
        Ok(())
    }
}

fn is_gone(path: &Path) -> bool {
    path.metadata()
        .is_err_and(|error| error.kind() == ErrorKind::NotFound)
}

fn verify_file(path: &Path, known: &BatchFile) -> Option<String> {
    let Some(expected) = &known.digest else {
        return Some(format!(
            "{}: the catalog has no digest of it",
            path.display()
        ));
    };
    match digest(path) {
        Ok(found) if BatchFile::digest_text(found) == *expected => None,
        Ok(_) => Some(format!("{} is damaged: its digest differs", path.display())),
        Err(error) => Some(format!("{}: {error}", path.display())),
    }
}

/// The XXH3-128 digest of a file, read piece by piece.
fn digest(path: &Path) -> io::Result<u128> {
    let mut file = File::open(path)?;
    let mut digest = Box::new(Xxh3::new());
    let mut buffer = vec![0; 1 << 18];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(digest.digest128()),
            Ok(n) => digest.update(buffer.get(..n).unwrap_or(&buffer)),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
