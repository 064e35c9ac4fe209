use std::io::Write;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use parquet::arrow::ArrowSchemaConverter;
use parquet::arrow::arrow_writer::{
    ArrowColumnChunk, ArrowColumnWriter, ArrowLeafColumn, ArrowRowGroupWriterFactory,
    compute_leaves,
};
use parquet::errors::{ParquetError, Result as ParquetResult};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::writer::SerializedFileWriter;
use rayon::prelude::*;

use crate::digest::DigestWriter;
use crate::encoding::encode_leaves;
use crate::file_writer::Written;
use crate::options::{Encodings, WriterOptions};

/// Writes rows as one Parquet file into anything that takes bytes.
///
/// Row groups are encoded in parallel on rayon's current threads; what comes out depends on the rows
/// and the options alone.
///
/// ```
/// use std::sync::Arc;
/// use arrow::array::{ArrayRef, Int64Array, RecordBatch};
/// use profile_export_writer::{ParquetWriter, WriterOptions};
///
/// let points: ArrayRef = Arc::new(Int64Array::from(vec![1, 2, 3]));
/// let rows = RecordBatch::try_from_iter([("points", points)]).unwrap();
/// let mut writer = ParquetWriter::new(Vec::new(), &rows.schema(), &WriterOptions::default()).unwrap();
/// writer.push(rows).unwrap();
/// let (bytes, written) = writer.finish().unwrap();
/// assert_eq!((written.rows, written.length), (3, bytes.len() as u64));
/// ```
pub struct ParquetWriter<W: Write + Send> {
    writer: SerializedFileWriter<DigestWriter<W>>,
    factory: ArrowRowGroupWriterFactory,
    schema: SchemaRef,
    row_group_rows: usize,
    row_group_bytes: usize,
    /// Rows of the next row group.
    buffered: Vec<RecordBatch>,
    buffered_rows: usize,
    buffered_bytes: usize,
    rows: u64,
}

impl<W: Write + Send> ParquetWriter<W> {
    /// Begins a file of this schema.
    ///
    /// # Errors
    /// A schema that Parquet can't hold, a sink that takes no bytes.
    pub fn new(sink: W, schema: &SchemaRef, options: &WriterOptions) -> ParquetResult<Self> {
        let metadata = options
            .metadata
            .iter()
            .map(|(key, value)| KeyValue::new(key.clone(), value.clone()))
            .collect();
        // The Arrow schema is left out of the file: dictionaries are how we hold text, not what
        // readers should see.
        let descriptor = ArrowSchemaConverter::new()
            .schema_root("schema")
            .convert(schema)?;
        let properties = WriterProperties::builder()
            .set_compression(options.codec.compression()?)
            .set_statistics_enabled(EnabledStatistics::Page)
            .set_created_by(concat!("profile-export ", env!("CARGO_PKG_VERSION")).to_owned())
            .set_key_value_metadata(Some(metadata));
        let properties = match options.encodings {
            Encodings::Compact => encode_leaves(properties, &descriptor, schema),
            Encodings::Dictionary => properties,
            Encodings::Plain => properties.set_dictionary_enabled(false),
        };
        let writer = SerializedFileWriter::new(
            DigestWriter::new(sink),
            descriptor.root_schema_ptr(),
            Arc::new(properties.build()),
        )?;
        Ok(Self {
            factory: ArrowRowGroupWriterFactory::new(&writer, schema.clone()),
            writer,
            schema: schema.clone(),
            row_group_rows: options.row_group_rows.max(1),
            row_group_bytes: options.row_group_bytes,
            buffered: Vec::new(),
            buffered_rows: 0,
            buffered_bytes: 0,
            rows: 0,
        })
    }

    /// Adds rows; full row groups are written.
    ///
    /// # Errors
    /// A column that is not of the schema's type, a sink that takes no bytes.
    pub fn push(&mut self, mut batch: RecordBatch) -> ParquetResult<()> {
        self.check(&batch)?;
        while self.buffered_rows + batch.num_rows() > self.row_group_rows {
            let room = self.row_group_rows - self.buffered_rows;
            self.buffer(batch.slice(0, room));
            batch = batch.slice(room, batch.num_rows() - room);
            self.write_group()?;
        }
        self.buffer(batch);
        if self.buffered_bytes >= self.row_group_bytes || self.buffered_rows == self.row_group_rows
        {
            self.write_group()?;
        }
        Ok(())
    }

    fn buffer(&mut self, batch: RecordBatch) {
        if batch.num_rows() > 0 {
            self.rows += batch.num_rows() as u64;
            self.buffered_rows += batch.num_rows();
            self.buffered_bytes += slice_bytes(&batch);
            self.buffered.push(batch);
        }
    }

    /// Columns are taken by their place, so each must be the schema's.
    fn check(&self, batch: &RecordBatch) -> ParquetResult<()> {
        let schema = batch.schema();
        let same = schema.fields().len() == self.schema.fields().len()
            && std::iter::zip(schema.fields(), self.schema.fields())
                .all(|(a, b)| a.name() == b.name() && a.data_type() == b.data_type());
        if same {
            return Ok(());
        }
        Err(ParquetError::General(format!(
            "rows of {schema} do not fit a file of {}",
            self.schema
        )))
    }

    /// How many rows were added.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.rows
    }

    fn write_group(&mut self) -> ParquetResult<()> {
        let batches = std::mem::take(&mut self.buffered);
        (self.buffered_rows, self.buffered_bytes) = (0, 0);
        if batches.is_empty() {
            return Ok(());
        }
        self.encode_group(&batches)
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

    /// Writes what is buffered and the footer; gives the sink back, and says what went into it.
    ///
    /// # Errors
    /// A sink that takes no bytes.
    pub fn finish(mut self) -> ParquetResult<(W, Written)> {
        self.write_group()?;
        let (mut sink, length, digest) = self.writer.into_inner()?.finish();
        // What a buffer still holds may be what its sink does not take.
        sink.flush()?;
        let rows = self.rows;
        let written = Written {
            length,
            rows,
            digest,
        };
        Ok((sink, written))
    }
}

/// What the rows of a batch take, however large the buffers are that it shares with others.
pub(crate) fn slice_bytes(batch: &RecordBatch) -> usize {
    let columns = batch.columns().iter();
    columns
        // An array that can't tell is one whose buffers are its own.
        .map(|column| {
            (column.to_data().get_slice_memory_size()).unwrap_or(column.get_array_memory_size())
        })
        .sum()
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

#[cfg(test)]
mod tests;
