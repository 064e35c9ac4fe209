use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::RecordBatch;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use crate::chunk::{ChunkContent, ChunkSink, InputChunk};
use crate::error::{Error, Result};

/// Rows of Parquet that are converted in one go.
const CHUNK_ROWS: usize = 4096;

/// Where records come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// A file, NDJSON or Parquet, plain or compressed with gzip or zstd: its first bytes tell.
    File(PathBuf),
    /// Standard input.
    Stdin,
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
        }
    }

    /// The length of a file in bytes; 0 where it is not known.
    #[must_use]
    pub fn length(&self) -> u64 {
        match self {
            Self::File(path) => path.metadata().map_or(0, |m| m.len()),
            Self::Stdin => 0,
        }
    }
}

pub(crate) fn read_parquet(
    file: impl parquet::file::reader::ChunkReader + 'static,
    name: &Arc<str>,
    sink: &mut dyn ChunkSink,
) -> Result<()> {
    // The reader has panicked on damaged bytes before.
    let guarded = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let reader = ParquetRecordBatchReaderBuilder::try_new(file)
            .and_then(|builder| builder.with_batch_size(CHUNK_ROWS).build())
            .map_err(|e| e.to_string())?;
        let mut starts_input = true;
        for batch in reader {
            let batch: RecordBatch = batch.map_err(|e| e.to_string())?;
            let chunk = InputChunk {
                file: name.clone(),
                starts_input,
                content: ChunkContent::Batch(batch.into()),
            };
            if !sink.send(chunk) {
                break;
            }
            starts_input = false;
        }
        Ok(())
    }));
    guarded
        .unwrap_or_else(|_| Err("the reader gave up".to_owned()))
        .map_err(|e: String| Error::Input {
            name: name.to_string(),
            problem: format!("not readable as Parquet: {e}"),
        })
}
