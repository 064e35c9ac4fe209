use std::io;
use std::path::{Path, PathBuf};

use crate::batches::Batches;
use crate::error::{Error, Result};

/// Where records come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// A file, NDJSON or Parquet, plain or compressed with gzip or zstd: its first bytes tell.
    File(PathBuf),
    /// Standard input.
    Stdin,
    /// Record batches of the caller's own.
    Batches(Batches),
}

impl Input {
    /// The inputs that a file name, a glob or `-` stands for, in the order of their names.
    ///
    /// # Errors
    /// A name or glob that no file answers to.
    pub fn expand(pattern: &str) -> Result<Vec<Self>> {
        if pattern == "-" {
            return Ok(vec![Self::Stdin]);
        }
        let io = |path: &Path, reason| Error::Io {
            path: path.to_owned(),
            reason,
        };
        let refused = |problem: &str| Error::Input {
            name: pattern.to_owned(),
            problem: problem.to_owned(),
        };
        // A file of just that name comes before a glob, whatever characters it has.
        match Path::new(pattern).metadata() {
            Ok(found) if found.is_dir() => {
                return Err(refused(
                    "it is a folder; name its files, or load a source folder with --from",
                ));
            }
            Ok(_) => return Ok(vec![Self::File(pattern.into())]),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(io(Path::new(pattern), error)),
        }
        let found = glob::glob(pattern).map_err(|_| refused("no such file"))?;
        let mut files = Vec::new();
        for path in found {
            let path = path.map_err(|e| {
                let at = e.path().to_owned();
                io(&at, e.into())
            })?;
            let metadata = path.metadata().map_err(|e| io(&path, e))?;
            if !metadata.is_dir() {
                files.push(path);
            }
        }
        files.sort();
        if files.is_empty() {
            return Err(refused("no such file"));
        }
        Ok(files.into_iter().map(Self::File).collect())
    }

    /// The input's name in messages.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::Stdin => "standard input".to_owned(),
            Self::Batches(batches) => batches.name().to_owned(),
        }
    }

    /// The length of a file in bytes; 0 where it is not known.
    #[must_use]
    pub fn length(&self) -> u64 {
        match self {
            Self::File(path) => path.metadata().map_or(0, |m| m.len()),
            Self::Stdin | Self::Batches(_) => 0,
        }
    }
}
