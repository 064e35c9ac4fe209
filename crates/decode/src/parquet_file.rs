//! Parquet files, read in chunks.
//!
//! Nothing of a file is believed before it was looked at: [`footer`] and [`pages`] keep from the parquet crate
//! what would abort the process, [`schema`] refuses columns that no XDM field can hold, and [`slices`] cuts
//! batches by bytes, so that memory does not depend on how well a file was packed.

pub(crate) mod budget;
#[cfg(test)]
mod crafted;
mod delta;
mod footer;
mod int96;
mod page_header;
mod pages;
mod record_sizes;
mod schema;
#[cfg(test)]
mod tests;
mod thrift;
mod unbounded;

use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

use arrow::array::{Array, RecordBatchReader, StructArray};
use parquet::arrow::arrow_reader::ParquetRecordBatchReader;
use parquet::basic::Compression;
use parquet::file::metadata::{ParquetMetaData, RowGroupMetaData};
use parquet::file::reader::ChunkReader;

use self::budget::Budget;
use self::pages::CheckedRowGroups;

use crate::arrow_types::Unmapped;
use crate::chunk::{ChunkContent, ChunkSink, InputChunk};
use crate::error::{Error, Result};
use crate::slices::slices;

/// Rows that are converted in one go, at most.
const CHUNK_ROWS: u64 = 4096;
/// Bytes that are converted in one go, where they are more than one row: as many as of NDJSON.
const CHUNK_BYTES: u64 = 2 << 20;
/// The most bytes that a file's rows may have, on average.
const LARGEST_ROWS: u64 = 64 << 20;

/// Whether a file begins like a Parquet file, encrypted or not.
pub(crate) fn is_parquet(start: &[u8]) -> bool {
    matches!(start, [b'P', b'A', b'R', b'1' | b'E', ..])
}

/// Whether a file is one by its name.
pub(crate) fn is_name(path: &Path) -> bool {
    let ending = path.extension();
    ending.is_some_and(|ending| ending.eq_ignore_ascii_case("parquet"))
}

/// Reads a file and hands over its chunks in order, as long as they are wanted.
pub(crate) fn read(
    file: impl ChunkReader + 'static,
    name: &Arc<str>,
    sink: &mut dyn ChunkSink,
) -> Result<()> {
    // The parquet crate has panicked on damaged bytes before.
    let guarded = catch_unwind(AssertUnwindSafe(|| {
        read_checked(Arc::new(file), name, sink)
    }));
    guarded
        .unwrap_or_else(|panic| Err(unreadable(reason(panic.as_ref()))))
        .map_err(|problem| Error::Input {
            name: name.to_string(),
            problem: problem.0,
        })
}

fn read_checked(
    file: Arc<impl ChunkReader + 'static>,
    name: &Arc<str>,
    sink: &mut dyn ChunkSink,
) -> Result<(), Problem> {
    let metadata = Arc::new(footer::read_footer(&*file)?);
    check_codecs(&metadata)?;
    let parts = parts(metadata.row_groups())?;
    let schema = schema::read_as(metadata.file_metadata())?;
    let budget = Arc::new(Budget::of_file(file.len()));
    let checked = |row_groups, batch| CheckedRowGroups {
        file: Arc::clone(&file),
        metadata: Arc::clone(&metadata),
        row_groups,
        batch,
        budget: Arc::clone(&budget),
    };
    let all = checked((0..metadata.num_row_groups()).collect(), int96::BATCH);
    int96::check_int96(&all, &schema.int96)?;
    let mut starts_input = true;
    let mut rows = 0;
    for Part { batch, row_groups } in parts {
        let row_groups = checked(row_groups, batch);
        let mut reader = ParquetRecordBatchReader::try_new_with_row_groups(
            &schema.levels,
            &row_groups,
            batch,
            None,
        )
        .map_err(unreadable)?;
        if *reader.schema().fields() != schema.fields {
            return Err(unreadable("its columns are not those of its Arrow schema"));
        }
        loop {
            budget.begin_batch();
            let Some(batch) = reader.next() else {
                break;
            };
            let batch = StructArray::from(batch.map_err(unreadable)?);
            rows += batch.len() as u64;
            for slice in slices(&batch, CHUNK_BYTES) {
                let chunk = InputChunk {
                    file: name.clone(),
                    starts_input,
                    content: ChunkContent::Batch(slice),
                };
                if !sink.send(chunk) {
                    return Ok(());
                }
                starts_input = false;
            }
        }
    }
    check_rows(&metadata, rows)
}

/// Refuses a file that has other rows than it says: the parquet crate ends where the pages do.
fn check_rows(metadata: &ParquetMetaData, found: u64) -> Result<(), Problem> {
    let groups = metadata.row_groups().iter();
    let of_groups = groups.map(|group| i128::from(group.num_rows())).sum();
    let of_file = i128::from(metadata.file_metadata().num_rows());
    for (rows, whose) in [(of_groups, "its row groups"), (of_file, "it")] {
        if rows != i128::from(found) {
            return Err(unreadable(format!(
                "its pages have {found} rows, {whose} should have {rows}; is it whole?"
            )));
        }
    }
    Ok(())
}

/// Consecutive row groups that are read in batches of one size.
#[derive(Debug, PartialEq, Eq)]
struct Part {
    batch: usize,
    row_groups: Vec<usize>,
}

/// Decides how many rows are read at once: as many as the pages of a batch make one chunk.
///
/// Texts that many rows share count once here, as they are in memory once.
fn parts(row_groups: &[RowGroupMetaData]) -> Result<Vec<Part>, Problem> {
    let mut parts: Vec<Part> = Vec::new();
    for (number, group) in row_groups.iter().enumerate() {
        let rows = u64::try_from(group.num_rows()).unwrap_or(0).max(1);
        let row = bytes_of(group) / rows;
        if row > LARGEST_ROWS {
            return Err(Problem(format!(
                "its records unfold to {} MiB each; the most that is taken is {} MiB",
                row >> 20,
                LARGEST_ROWS >> 20
            )));
        }
        let fit = (CHUNK_BYTES / row.max(1)).clamp(1, CHUNK_ROWS);
        // Powers of two, so that row groups which differ a little are read as one.
        let batch = 1 << fit.ilog2();
        match parts.last_mut() {
            Some(part) if part.batch == batch => part.row_groups.push(number),
            _ => parts.push(Part {
                batch,
                row_groups: vec![number],
            }),
        }
    }
    Ok(parts)
}

/// About as many bytes as a row group's pages and arrays take, by its own account.
fn bytes_of(group: &RowGroupMetaData) -> u64 {
    let of_columns = group.columns().iter().map(|column| {
        let bytes = u64::try_from(column.uncompressed_size()).unwrap_or(0);
        let values = u64::try_from(column.num_values()).unwrap_or(0);
        bytes.max(values.saturating_mul(8))
    });
    of_columns.fold(0, u64::saturating_add)
}

/// Refuses codecs that are not built in.
fn check_codecs(metadata: &ParquetMetaData) -> Result<(), Problem> {
    for column in metadata
        .row_groups()
        .iter()
        .flat_map(RowGroupMetaData::columns)
    {
        let codec = match column.compression() {
            Compression::BROTLI(_) => "Brotli",
            Compression::LZO => "LZO",
            _ => continue,
        };
        return Err(Problem(format!(
            "column {} is compressed with {codec}, which is not read; use zstd, Snappy, gzip or LZ4",
            column.column_path().string()
        )));
    }
    Ok(())
}

/// What is wrong with a file, in whole words.
#[derive(Debug)]
struct Problem(String);

fn unreadable(reason: impl fmt::Display) -> Problem {
    let reason = reason.to_string();
    // Errors that went through the parquet crate's and arrow's.
    let reason = reason.trim_start_matches("Parquet argument error: ");
    let reason = reason.trim_start_matches("Parquet error: ");
    Problem(format!("not readable as Parquet: {reason}"))
}

impl From<Unmapped> for Problem {
    fn from(unmapped: Unmapped) -> Self {
        Self(unmapped.to_string())
    }
}

/// What a panic said.
fn reason(panic: &(dyn Any + Send)) -> String {
    let said = panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned());
    match said {
        Some(said) => format!("the reader gave up: {said}"),
        None => "the reader gave up".to_owned(),
    }
}
