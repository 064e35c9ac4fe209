use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use parquet::arrow::ArrowSchemaConverter;
use parquet::arrow::arrow_writer::{
    ArrowColumnChunk, ArrowColumnWriter, ArrowLeafColumn, ArrowRowGroupWriterFactory,
    compute_leaves,
};
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::{ParquetError, Result as ParquetResult};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::writer::SerializedFileWriter;
use rayon::prelude::*;

use crate::encoding::encode_leaves;
use crate::error::{AtPath, Result};
use crate::sink::Sink;

/// A row group ends after this many rows …
const GROUP_ROWS: usize = 1 << 16;
/// … or this many bytes of Arrow data.
const GROUP_BYTES: usize = 128 << 20;

/// How files are written.
#[derive(Clone, Debug)]
pub struct FileOptions {
    /// Key-value metadata of each file.
    pub metadata: Vec<(String, String)>,
    /// Rows after which a next file begins.
    pub max_rows_per_file: Option<usize>,
    /// The level of zstd's compression.
    pub zstd_level: i32,
}

/// A finished file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileInfo {
    /// Its name within the batch.
    pub name: String,
    /// Its length in bytes.
    pub length: u64,
    /// How many rows it has.
    pub rows: u64,
    /// The XXH3-128 digest of its bytes.
    pub digest: u128,
}

/// One Parquet file being written.
pub(crate) struct ParquetFile {
    path: PathBuf,
    writer: SerializedFileWriter<Sink>,
    factory: ArrowRowGroupWriterFactory,
    schema: SchemaRef,
    waiting: Vec<RecordBatch>,
    waiting_rows: usize,
    waiting_bytes: usize,
    rows: u64,
}

impl ParquetFile {
    pub(crate) fn create(path: &Path, schema: &SchemaRef, options: &FileOptions) -> Result<Self> {
        let metadata = options
            .metadata
            .iter()
            .map(|(key, value)| KeyValue::new(key.clone(), value.clone()))
            .collect();
        let level = ZstdLevel::try_new(options.zstd_level).at(path)?;
        // The Arrow schema is left out of the file: dictionaries are how we hold text, not what
        // readers should see.
        let descriptor = ArrowSchemaConverter::new()
            .schema_root("schema")
            .convert(schema)
            .at(path)?;
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(level))
            .set_statistics_enabled(EnabledStatistics::Page)
            .set_created_by(concat!("profile-export ", env!("CARGO_PKG_VERSION")).to_owned())
            .set_key_value_metadata(Some(metadata));
        let properties = encode_leaves(properties, &descriptor, schema).build();
        let file = File::create_new(path).at(path)?;
        let writer = SerializedFileWriter::new(
            Sink::new(file),
            descriptor.root_schema_ptr(),
            Arc::new(properties),
        )
        .at(path)?;
        Ok(Self {
            path: path.to_owned(),
            factory: ArrowRowGroupWriterFactory::new(&writer, schema.clone()),
            writer,
            schema: schema.clone(),
            waiting: Vec::new(),
            waiting_rows: 0,
            waiting_bytes: 0,
            rows: 0,
        })
    }

    /// Adds rows; full row groups are written.
    pub(crate) fn push(&mut self, mut batch: RecordBatch) -> Result<()> {
        while self.waiting_rows + batch.num_rows() > GROUP_ROWS {
            let room = GROUP_ROWS - self.waiting_rows;
            self.wait(batch.slice(0, room));
            batch = batch.slice(room, batch.num_rows() - room);
            self.write_group()?;
        }
        self.wait(batch);
        if self.waiting_bytes >= GROUP_BYTES || self.waiting_rows == GROUP_ROWS {
            self.write_group()?;
        }
        Ok(())
    }

    fn wait(&mut self, batch: RecordBatch) {
        if batch.num_rows() > 0 {
            self.rows += batch.num_rows() as u64;
            self.waiting_rows += batch.num_rows();
            self.waiting_bytes += batch.get_array_memory_size();
            self.waiting.push(batch);
        }
    }

    /// How many rows were added.
    pub(crate) fn rows(&self) -> u64 {
        self.rows
    }

    fn write_group(&mut self) -> Result<()> {
        let batches = std::mem::take(&mut self.waiting);
        (self.waiting_rows, self.waiting_bytes) = (0, 0);
        if batches.is_empty() {
            return Ok(());
        }
        self.encode_group(&batches).at(&self.path)
    }

    fn encode_group(&mut self, batches: &[RecordBatch]) -> ParquetResult<()> {
        let index = self.writer.flushed_row_groups().len();
        let writers = self.factory.create_column_writers(index)?;
        // For each top-level column, the pieces of its leaves: one a batch.
        let leaves: Vec<Vec<Vec<ArrowLeafColumn>>> = (0..self.schema.fields().len())
            .into_par_iter()
            .with_max_len(1)
            .map(|i| pieces_of_leaves(&self.schema, batches, i))
            .collect::<ParquetResult<_>>()?;
        let chunks = writers
            .into_iter()
            .zip(leaves.into_iter().flatten())
            .collect::<Vec<_>>()
            .into_par_iter()
            .with_max_len(1)
            .map(|(writer, pieces)| encode_leaf(writer, &pieces))
            .collect::<ParquetResult<Vec<_>>>()?;
        let mut group = self.writer.next_row_group()?;
        for chunk in chunks {
            chunk.append_to_row_group(&mut group)?;
        }
        group.close()?;
        Ok(())
    }

    /// Writes what waits and the footer, and syncs where `durable`; says what the file became.
    pub(crate) fn finish(mut self, name: &str, durable: bool) -> Result<FileInfo> {
        self.write_group()?;
        let path = self.path;
        let (file, length, digest) = self.writer.into_inner().at(&path)?.finish();
        if durable {
            file.sync_all().at(&path)?;
        }
        Ok(FileInfo {
            name: name.to_owned(),
            length,
            rows: self.rows,
            digest,
        })
    }
}

fn pieces_of_leaves(
    schema: &SchemaRef,
    batches: &[RecordBatch],
    column: usize,
) -> ParquetResult<Vec<Vec<ArrowLeafColumn>>> {
    // One column may have nearly all of the values: its batches are worked on side by side.
    let by_batch = batches
        .par_iter()
        .with_max_len(1)
        .map(|batch| compute_leaves(schema.field(column), batch.column(column)))
        .collect::<ParquetResult<Vec<_>>>()?;
    let mut leaves: Vec<Vec<ArrowLeafColumn>> = Vec::new();
    for pieces in by_batch {
        leaves.resize_with(pieces.len(), Vec::new);
        for (leaf, piece) in leaves.iter_mut().zip(pieces) {
            leaf.push(piece);
        }
    }
    Ok(leaves)
}

fn encode_leaf(
    mut writer: ArrowColumnWriter,
    pieces: &[ArrowLeafColumn],
) -> ParquetResult<ArrowColumnChunk> {
    for piece in pieces {
        writer.write(piece)?;
    }
    writer
        .close()
        .map_err(|e| ParquetError::General(format!("column not encoded: {e}")))
}
