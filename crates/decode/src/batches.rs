//! Record batches of the caller's own as an input.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{Array, RecordBatchReader, StructArray};
use arrow::error::ArrowError;

use crate::chunk::{ChunkContent, ChunkSink, InputChunk};
use crate::error::{Error, Result};
use crate::progress::Progress;
use crate::slices::slices;

/// Rows that are decoded in one go, at most: as many as of a file of Parquet.
const CHUNK_ROWS: usize = 4096;
/// Bytes that are decoded in one go, where they are more than one row: as many as of NDJSON.
const CHUNK_BYTES: u64 = 2 << 20;

/// Record batches, read once: a column for each top-level XDM field, a row a record.
///
/// Clones share the reader, so whichever is read first has the records, and the others are refused.
#[derive(Clone)]
pub struct Batches {
    name: Arc<str>,
    reader: Arc<Mutex<Option<Reader>>>,
}

type Reader = Box<dyn RecordBatchReader + Send>;

impl Batches {
    /// The batches of a reader, which messages call `name`. They are asked for one after the other, on a thread of the
    /// load, as far as there is room for them.
    #[must_use]
    pub fn new(name: &str, reader: Box<dyn RecordBatchReader + Send>) -> Self {
        Self {
            name: name.into(),
            reader: Arc::new(Mutex::new(Some(reader))),
        }
    }

    /// What messages call them.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Hands over the rows in order, as long as they are wanted.
    pub(crate) fn read(&self, progress: &Progress, sink: &mut dyn ChunkSink) -> Result<()> {
        let taken = self
            .reader
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let reader = taken.ok_or_else(|| self.refused("it was read before; give it anew"))?;
        let mut starts_input = true;
        for batch in reader {
            progress.check()?;
            let batch = batch.map_err(|error| self.refused(&said(&error)))?;
            let batch = StructArray::from(batch);
            for start in (0..batch.len()).step_by(CHUNK_ROWS) {
                let rows = batch.slice(start, CHUNK_ROWS.min(batch.len() - start));
                for slice in slices(&rows, CHUNK_BYTES) {
                    let chunk = InputChunk {
                        file: Arc::clone(&self.name),
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
        Ok(())
    }

    fn refused(&self, problem: &str) -> Error {
        Error::Input {
            name: self.name.to_string(),
            problem: problem.to_owned(),
        }
    }
}

/// What the reader's other side said, without the name that arrow gives to the interface between the two.
fn said(error: &ArrowError) -> String {
    match error {
        ArrowError::CDataInterface(said) => said.clone(),
        other => other.to_string(),
    }
}

impl PartialEq for Batches {
    /// Whether they are the same ones: what a reader has is not known before it is read.
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.reader, &other.reader)
    }
}

impl Eq for Batches {}

impl fmt::Debug for Batches {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batches")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{ArrayRef, Int64Array, RecordBatch, RecordBatchIterator};
    use arrow::datatypes::SchemaRef;

    use super::*;
    use crate::parse::RecordSpans;

    #[derive(Default)]
    struct Seen(Vec<InputChunk>);

    impl ChunkSink for Seen {
        fn send(&mut self, chunk: InputChunk) -> bool {
            self.0.push(chunk);
            true
        }

        fn buffer(&mut self) -> Vec<u8> {
            Vec::new()
        }
    }

    fn batch(rows: i64) -> RecordBatch {
        let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(0..rows));
        RecordBatch::try_from_iter([("n", numbers)]).expect("a batch")
    }

    fn reader(batches: Vec<Result<RecordBatch, ArrowError>>) -> Reader {
        let schema: SchemaRef = batch(0).schema();
        Box::new(RecordBatchIterator::new(batches, schema))
    }

    #[test]
    fn rows_are_counted_over_all_batches_and_come_in_chunks() {
        let batches = Batches::new("rows", reader(vec![Ok(batch(5000)), Ok(batch(3))]));
        let mut seen = Seen::default();
        let read = batches.read(&Progress::default(), &mut seen);
        read.expect("read");
        let (mut line, mut lengths) = (1, Vec::new());
        for chunk in &seen.0 {
            let mut records = RecordSpans::new(chunk);
            line = records.begin_at(line);
            lengths.push(records.len());
        }
        assert_eq!(lengths, [4096, 904, 3]);
        assert_eq!(line, 5004);
    }

    #[test]
    fn they_are_read_once_and_what_the_reader_says_is_told() {
        let broken = ArrowError::CDataInterface("the other side is gone".to_owned());
        let batches = Batches::new("rows", reader(vec![Ok(batch(1)), Err(broken)]));
        let read = |batches: &Batches| {
            let read = batches.read(&Progress::default(), &mut Seen::default());
            read.expect_err("refused").to_string()
        };
        assert_eq!(read(&batches.clone()), "rows: the other side is gone");
        assert_eq!(read(&batches), "rows: it was read before; give it anew");
    }
}
