use std::fs::{self, File};
use std::io::{BufWriter, ErrorKind, Write};
use std::path::PathBuf;

use decode::BadRecord;
use serde_json::json;
use xdm::Dataset;

use crate::OnBadRecord;
use crate::error::{AtPath, Result};

/// What is done with the bad records of all datasets of a load: an error, or a line each in the rejects
/// file.
pub(crate) struct Rejects {
    path: Option<PathBuf>,
    file: Option<BufWriter<File>>,
}

impl Rejects {
    pub(crate) fn new(on_bad_record: &OnBadRecord) -> Self {
        Self {
            path: match on_bad_record {
                OnBadRecord::Fail => None,
                OnBadRecord::Skip { rejects, .. } => Some(rejects.clone()),
            },
            file: None,
        }
    }

    pub(crate) fn push(&mut self, dataset: &Dataset, file: &str, bad: &BadRecord) -> Result<()> {
        let Some(path) = self.path.as_ref().filter(|_| !bad.error.is_fatal()) else {
            return Err(decode::Error::BadRecord {
                file: file.to_owned(),
                line: bad.line,
                problem: bad.error.to_string(),
            }
            .into());
        };
        let out = match &mut self.file {
            Some(out) => out,
            None => self
                .file
                .insert(BufWriter::new(File::create(path).at(path)?)),
        };
        let line = json!({
            "dataset": dataset.name,
            "file": file,
            "line": bad.line,
            "reason": bad.error.to_string(),
            "record": bad.text,
        });
        writeln!(out, "{line}").at(path)
    }

    /// Ends the file. Where there was no bad record, one that an earlier load left goes: it would speak
    /// of that load.
    pub(crate) fn finish(self) -> Result<()> {
        match (self.file, self.path) {
            (Some(mut out), Some(path)) => out.flush().at(path),
            (None, Some(path)) => match fs::remove_file(&path) {
                Err(error) if error.kind() != ErrorKind::NotFound => Err(error).at(path),
                _ => Ok(()),
            },
            _ => Ok(()),
        }
    }
}
