use std::io::Write;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use parquet::errors::Result as EncodeResult;

use crate::format::Format;
use crate::options::WriterOptions;
use crate::parquet_writer::ParquetWriter;
use crate::text::TextWriter;

/// What a finished file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written {
    /// Its length in bytes.
    pub length: u64,
    /// How many rows it has.
    pub rows: u64,
    /// The XXH3-128 digest of its bytes.
    pub digest: u128,
}

/// Writes rows as one file of any format into a sink.
pub struct FileWriter<W: Write + Send>(Inner<W>);

enum Inner<W: Write + Send> {
    Parquet(Box<ParquetWriter<W>>),
    Text(Box<TextWriter<W>>),
}

impl<W: Write + Send> FileWriter<W> {
    /// Begins a file of this schema.
    ///
    /// # Errors
    /// A schema that the format can't hold, headers for columns that it has not, a sink that takes no bytes.
    pub fn new(sink: W, schema: &SchemaRef, options: &WriterOptions) -> EncodeResult<Self> {
        Ok(Self(match &options.format {
            Format::Parquet => Inner::Parquet(Box::new(ParquetWriter::new(sink, schema, options)?)),
            text => Inner::Text(Box::new(TextWriter::new(sink, schema, text)?)),
        }))
    }

    /// Adds rows.
    ///
    /// # Errors
    /// A column that is not of the schema's type, a sink that takes no bytes.
    pub fn push(&mut self, rows: RecordBatch) -> EncodeResult<()> {
        match &mut self.0 {
            Inner::Parquet(writer) => writer.push(rows),
            Inner::Text(writer) => writer.push(rows),
        }
    }

    /// How many rows were added.
    #[must_use]
    pub fn rows(&self) -> u64 {
        match &self.0 {
            Inner::Parquet(writer) => writer.rows(),
            Inner::Text(writer) => writer.rows(),
        }
    }

    /// Writes what is left; gives the sink back, and says what went into it.
    ///
    /// # Errors
    /// A sink that takes no bytes.
    pub fn finish(self) -> EncodeResult<(W, Written)> {
        match self.0 {
            Inner::Parquet(writer) => writer.finish(),
            Inner::Text(writer) => writer.finish(),
        }
    }
}
