use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use catalog::{BatchFile, BatchQuery};
use xxhash_rust::xxh3::Xxh3;

use crate::Store;
use crate::error::Result;

impl Store {
    /// Checks every byte of every file that the catalog names: the runs' and the batches'.
    ///
    /// Returns what is wrong, an empty list where all is well.
    ///
    /// # Errors
    /// The catalog can't be read.
    pub fn verify(&self) -> Result<Vec<String>> {
        let mut problems = Vec::new();
        let generation = self.catalog().generation()?;
        for run in self.catalog().runs(generation)? {
            let damage = run.files.verify(&self.layout().run(&run.folder));
            problems.extend(damage.iter().map(ToString::to_string));
        }
        for batch in self.catalog().batches(&BatchQuery::default())? {
            // The files of one that came in are gone when it is loaded.
            if batch.came_in() {
                continue;
            }
            let folder = self.batch_folder(&batch);
            for file in &batch.files {
                problems.extend(verify_file(&folder.join(&file.name), file));
            }
        }
        Ok(problems)
    }
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
