use std::fs::File;
use std::io::Write;
use std::path::Path;

use writer::{BatchWriter, FileWriter, WriteError, WriterOptions, Written};

use crate::counts::BatchCounts;
use crate::error::Result;
use crate::export::ExportBatch;

impl ExportBatch {
    /// Writes the rows as one file into anything that takes bytes, which errors call so; gives it back.
    ///
    /// # Errors
    /// As for the rows, and a sink that takes no bytes.
    pub fn write_to<W: Write + Send>(
        &self,
        sink: W,
        name: &Path,
        options: &WriterOptions,
    ) -> Result<(W, Written, BatchCounts)> {
        let in_sink = |source| WriteError::in_file(name, source);
        let mut writer = FileWriter::new(sink, &self.schema(), options).map_err(in_sink)?;
        let mut chunks = self.chunks();
        for rows in &mut chunks {
            writer.push(rows?).map_err(in_sink)?;
        }
        let (sink, written) = writer.finish().map_err(in_sink)?;
        Ok((sink, written, chunks.counts().clone()))
    }

    /// Writes the rows as one file, which must not be there yet, and syncs it to the disk.
    ///
    /// # Errors
    /// As for the rows; the file exists, or the disk is full. Then no file is left.
    pub fn write_file(
        &self,
        path: &Path,
        options: &WriterOptions,
    ) -> Result<(Written, BatchCounts)> {
        let io = |source| WriteError::Io {
            path: path.to_owned(),
            source,
        };
        let file = File::create_new(path).map_err(io)?;
        let written = self.write_to(file, path, options).and_then(|written| {
            let (file, written, counts) = written;
            file.sync_all().map_err(io)?;
            Ok((written, counts))
        });
        if written.is_err() {
            // The first error is the one to tell; half a file must not be taken for a whole one.
            let _ = std::fs::remove_file(path);
        }
        written
    }

    /// Writes the rows into a batch's files.
    ///
    /// # Errors
    /// As for the rows, and a full disk.
    pub fn write_into(&self, writer: &mut BatchWriter) -> Result<BatchCounts> {
        let mut chunks = self.chunks();
        for rows in &mut chunks {
            writer.write(rows?)?;
        }
        Ok(chunks.counts().clone())
    }
}
