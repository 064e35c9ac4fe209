use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StructArray};
use gather::{Leaf, LeafWalk};

/// Some consecutive records of an input.
pub struct InputChunk {
    /// What the input is called in messages.
    pub file: Arc<str>,
    /// Whether it is its input's first.
    pub(crate) starts_input: bool,
    pub(crate) content: ChunkContent,
}

pub(crate) enum ChunkContent {
    /// Whole lines of NDJSON.
    Lines(Vec<u8>),
    /// Documents over several lines, each put on one, with the line of its input where it ends.
    Documents(Vec<u8>, Vec<u64>),
    Batch(StructArray),
}

impl InputChunk {
    /// The rows of a record batch; its rows count on from those of the chunk before it.
    #[must_use]
    pub fn of_batch(name: &str, batch: RecordBatch) -> Self {
        Self {
            file: name.into(),
            starts_input: false,
            content: ChunkContent::Batch(batch.into()),
        }
    }

    /// Whole lines of NDJSON, an input of their own.
    #[must_use]
    pub fn of_lines(name: &str, lines: Vec<u8>) -> Self {
        Self {
            file: name.into(),
            starts_input: true,
            content: ChunkContent::Lines(lines),
        }
    }

    /// Hands every text and integer of its records to `look`: of JSON each line as it stands, escapes and all.
    pub fn each_leaf(&self, look: &mut dyn FnMut(Leaf<'_>)) {
        match &self.content {
            ChunkContent::Lines(lines) | ChunkContent::Documents(lines, _) => {
                for line in lines.split(|byte| *byte == b'\n') {
                    look(Leaf::Text(&String::from_utf8_lossy(line)));
                }
            }
            ChunkContent::Batch(rows) => {
                let rows: ArrayRef = Arc::new(rows.clone());
                LeafWalk::default().walk(&rows, look);
            }
        }
    }

    /// The buffer of its text, for use again.
    #[must_use]
    pub fn into_buffer(self) -> Option<Vec<u8>> {
        match self.content {
            ChunkContent::Lines(buffer) | ChunkContent::Documents(buffer, _) => Some(buffer),
            ChunkContent::Batch(_) => None,
        }
    }
}

/// Takes chunks and gives buffers.
pub trait ChunkSink {
    /// Hands over a chunk; says whether more are wanted.
    fn send(&mut self, chunk: InputChunk) -> bool;

    /// A buffer, one that was used before if there is one, with what it held: fresh memory costs more
    /// than reading into it.
    fn buffer(&mut self) -> Vec<u8>;
}
