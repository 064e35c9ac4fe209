use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::PathBuf;

use serde_json::json;

use super::OnBadRecord;
use super::parse::Bad;
use crate::error::{AtPath, Result, StoreError};

/// What is done with bad records: an error, or a line each in the rejects file.
pub(super) struct Rejects {
    path: Option<PathBuf>,
    file: Option<BufWriter<File>>,
}

impl Rejects {
    pub(super) fn new(on_bad_record: &OnBadRecord) -> Self {
        Self {
            path: match on_bad_record {
                OnBadRecord::Fail => None,
                OnBadRecord::Skip { rejects } => Some(rejects.clone()),
            },
            file: None,
        }
    }

    pub(super) fn push(&mut self, file: &str, bad: &Bad) -> Result<()> {
        let Some(path) = &self.path else {
            return Err(StoreError::BadRecord {
                file: file.to_owned(),
                line: bad.line,
                problem: bad.error.to_string(),
            });
        };
        let out = match &mut self.file {
            Some(out) => out,
            None => self
                .file
                .insert(BufWriter::new(File::create(path).at(path)?)),
        };
        let line = json!({
            "file": file,
            "line": bad.line,
            "reason": bad.error.to_string(),
            "record": bad.text,
        });
        writeln!(out, "{line}").at(path)
    }

    pub(super) fn finish(self) -> Result<()> {
        match (self.file, self.path) {
            (Some(mut out), Some(path)) => out.flush().at(path),
            _ => Ok(()),
        }
    }
}
