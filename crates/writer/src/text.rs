//! Rows as text: encoded in parallel, compressed and written in order.

mod csv_rows;
mod json_rows;

use std::io::{self, Write};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use flate2::write::GzEncoder;
use parquet::errors::{ParquetError, Result as EncodeResult};
use rayon::prelude::*;
use zstd::stream::write::Encoder as ZstdEncoder;

use self::csv_rows::CsvRows;
pub use self::json_rows::json_rows;
use crate::digest::DigestWriter;
use crate::file_writer::Written;
use crate::format::{Compression, Format};
use crate::parquet_writer::slice_bytes;

/// Rows that one thread encodes at a time.
const PIECE: usize = 1024;
/// Rows are encoded when there are so many …
const MOST_ROWS: usize = 1 << 14;
/// … or so many bytes of Arrow data: the text of them is in memory until it is written.
const MOST_BYTES: usize = 32 << 20;

/// Writes one text file.
pub(crate) struct TextWriter<W: Write> {
    sink: Sink<DigestWriter<W>>,
    encoder: RowEncoder,
    buffered: Vec<RecordBatch>,
    buffered_rows: usize,
    buffered_bytes: usize,
    rows: u64,
}

enum RowEncoder {
    Json,
    Csv(CsvRows),
}

impl<W: Write> TextWriter<W> {
    pub(crate) fn new(sink: W, schema: &SchemaRef, format: &Format) -> EncodeResult<Self> {
        let sink = DigestWriter::new(sink);
        let (compression, encoder) = match format {
            Format::Ndjson(compression) => (*compression, RowEncoder::Json),
            Format::Csv(compression, options) => (
                *compression,
                RowEncoder::Csv(CsvRows::new(schema, options)?),
            ),
            Format::Parquet => unreachable!("Parquet has a writer of its own"),
        };
        let mut sink = Sink::new(sink, compression).map_err(external)?;
        if let RowEncoder::Csv(rows) = &encoder {
            sink.write_all(&rows.header()).map_err(external)?;
        }
        Ok(Self {
            sink,
            encoder,
            buffered: Vec::new(),
            buffered_rows: 0,
            buffered_bytes: 0,
            rows: 0,
        })
    }

    pub(crate) fn rows(&self) -> u64 {
        self.rows
    }

    pub(crate) fn push(&mut self, rows: RecordBatch) -> EncodeResult<()> {
        self.rows += rows.num_rows() as u64;
        self.buffered_rows += rows.num_rows();
        self.buffered_bytes += slice_bytes(&rows);
        self.buffered.push(rows);
        if self.buffered_rows >= MOST_ROWS || self.buffered_bytes >= MOST_BYTES {
            self.encode()?;
        }
        Ok(())
    }

    fn encode(&mut self) -> EncodeResult<()> {
        let batches = std::mem::take(&mut self.buffered);
        (self.buffered_rows, self.buffered_bytes) = (0, 0);
        let pieces = batches.iter().flat_map(|rows| {
            let starts = (0..rows.num_rows()).step_by(PIECE);
            starts.map(|start| rows.slice(start, PIECE.min(rows.num_rows() - start)))
        });
        let pieces: Vec<RecordBatch> = pieces.collect();
        let texts = pieces
            .into_par_iter()
            .with_max_len(1)
            .map(|rows| match &self.encoder {
                RowEncoder::Json => Ok(json_rows(&rows)?),
                RowEncoder::Csv(encoder) => Ok(encoder.encode(&rows)?),
            })
            .collect::<EncodeResult<Vec<Vec<u8>>>>()?;
        texts
            .iter()
            .try_for_each(|text| self.sink.write_all(text))
            .map_err(external)
    }

    pub(crate) fn finish(mut self) -> EncodeResult<(W, Written)> {
        self.encode()?;
        let (mut sink, length, digest) = self.sink.finish().map_err(external)?.finish();
        sink.flush().map_err(external)?;
        let written = Written {
            length,
            rows: self.rows,
            digest,
        };
        Ok((sink, written))
    }
}

/// Bytes on their way into a file.
enum Sink<W: Write> {
    Plain(W),
    Gzip(GzEncoder<W>),
    Zstd(ZstdEncoder<'static, W>),
}

impl<W: Write> Sink<W> {
    fn new(sink: W, compression: Compression) -> io::Result<Self> {
        Ok(match compression {
            Compression::None => Self::Plain(sink),
            Compression::Gzip => Self::Gzip(GzEncoder::new(sink, flate2::Compression::default())),
            Compression::Zstd => {
                let mut encoder = ZstdEncoder::new(sink, zstd::DEFAULT_COMPRESSION_LEVEL)?;
                // A reader notices where a file was damaged.
                encoder.include_checksum(true)?;
                Self::Zstd(encoder)
            }
        })
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Plain(sink) => sink.write_all(bytes),
            Self::Gzip(sink) => sink.write_all(bytes),
            Self::Zstd(sink) => sink.write_all(bytes),
        }
    }

    fn finish(self) -> io::Result<W> {
        match self {
            Self::Plain(sink) => Ok(sink),
            Self::Gzip(sink) => sink.finish(),
            Self::Zstd(sink) => sink.finish(),
        }
    }
}

fn external(error: io::Error) -> ParquetError {
    ParquetError::External(Box::new(error))
}

#[cfg(test)]
mod tests;
