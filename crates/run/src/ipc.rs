//! Mapped Arrow IPC files whose bytes are checked before they are used.
//!
//! A page is checked the first time something on it is asked for, so that opening a store reads next
//! to nothing, and damaged bytes are an error rather than a wrong answer.

use std::fs::File;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use arrow::array::{Array, ArrayData, ArrayRef, RecordBatch};
use arrow::buffer::Buffer;
use arrow::datatypes::{DataType, Schema, SchemaRef};
use arrow::ipc::reader::{FileDecoder, read_footer_length};
use arrow::ipc::{Block, MetadataVersion, convert::fb_to_schema, root_as_footer};
use bytes::Bytes;
use decode::Progress;
use rayon::prelude::*;
use xxhash_rust::xxh3::xxh3_64;

use crate::error::{AtPath, Error, Result};
use crate::map::{MappedFile, unvalidated_decoder};
use crate::pages::{FileChecksum, PAGE, checksum_path};

/// So many bytes are in memory when a whole file is checked.
const AT_ONCE: usize = PAGE << 9;

/// An Arrow IPC file, mapped, whose bytes are checked before they are used.
pub(crate) struct IpcFile {
    path: PathBuf,
    map: MappedFile,
    buffer: Buffer,
    /// The checksum of each page.
    pages: Vec<u64>,
    checked: Vec<AtomicBool>,
    schema: SchemaRef,
    decoder: FileDecoder,
    blocks: Vec<Block>,
}

impl IpcFile {
    /// Opens a file of a run's folder.
    ///
    /// # Errors
    /// A file that is missing or not as the catalog and the page checksums say.
    pub(crate) fn open(folder: &Path, known: &FileChecksum) -> Result<Self> {
        let path = folder.join(&known.name);
        let damaged = |problem: &str| Error::Damaged {
            path: path.clone(),
            problem: problem.to_owned(),
        };
        let checksum_path = checksum_path(&path);
        let list = std::fs::read(&checksum_path).at(&checksum_path)?;
        if format!("{:032x}", xdm::digest128(&list)) != known.digest {
            return Err(damaged(
                "its page checksums are not those that the catalog knows",
            ));
        }
        let pages: Vec<u64> = list
            .as_chunks::<8>()
            .0
            .iter()
            .map(|bytes| u64::from_le_bytes(*bytes))
            .collect();
        let file = File::open(&path).at(&path)?;
        let length = file.metadata().at(&path)?.len();
        if length != known.length {
            return Err(damaged(&format!(
                "it has {length} bytes, the catalog says {}",
                known.length
            )));
        }
        let map = MappedFile::open(&file).at(&path)?;
        let empty = SchemaRef::new(Schema::empty());
        let mut opened = Self {
            checked: pages.iter().map(|_| AtomicBool::new(false)).collect(),
            pages,
            buffer: Buffer::from(Bytes::from_owner(map.clone())),
            map,
            decoder: unvalidated_decoder(empty.clone(), MetadataVersion::V5),
            schema: empty,
            blocks: Vec::new(),
            path: path.clone(),
        };
        let end = opened.buffer.len();
        let trailer: [u8; 10] = opened
            .checked_slice(end.saturating_sub(10)..end)?
            .as_slice()
            .try_into()
            .map_err(|_| damaged("it is too short"))?;
        let footer_length = read_footer_length(trailer)?;
        let footer_start = end
            .checked_sub(10 + footer_length)
            .ok_or_else(|| damaged("its footer is longer than it"))?;
        let footer_bytes = opened.checked_slice(footer_start..end - 10)?;
        let footer = root_as_footer(&footer_bytes).map_err(|e| damaged(&e.to_string()))?;
        let schema = footer.schema().ok_or_else(|| damaged("no schema"))?;
        opened.schema = SchemaRef::new(fb_to_schema(schema));
        let mut decoder = unvalidated_decoder(opened.schema.clone(), footer.version());
        for block in footer.dictionaries().iter().flatten() {
            let data = opened.block(block, true)?;
            decoder.read_dictionary(block, &data)?;
        }
        opened.decoder = decoder;
        opened.blocks = footer.recordBatches().iter().flatten().copied().collect();
        Ok(opened)
    }

    /// All batches, their buffers unchecked: check what you use with [`IpcFile::check`].
    pub(crate) fn batches(&self) -> Result<Vec<RecordBatch>> {
        self.blocks
            .iter()
            .map(|block| {
                let data = self.block(block, false)?;
                self.decoder
                    .read_record_batch(block, &data)?
                    .ok_or_else(|| self.damaged("a block without a batch"))
            })
            .collect()
    }

    /// The one batch of a small file, checked; an empty one where the file has none.
    pub(crate) fn single_batch(&self) -> Result<RecordBatch> {
        let Some(batch) = self.batches()?.into_iter().next() else {
            return Ok(RecordBatch::new_empty(self.schema.clone()));
        };
        for column in batch.columns() {
            self.check(column, None)?;
        }
        Ok(batch)
    }

    /// Checks the buffers of an array of this file, of those parts alone that `target` has.
    pub(crate) fn check(&self, array: &ArrayRef, target: Option<&DataType>) -> Result<()> {
        self.check_data(&array.to_data(), target)
    }

    fn check_data(&self, data: &ArrayData, target: Option<&DataType>) -> Result<()> {
        if let Some(nulls) = data.nulls() {
            self.check_buffer(nulls.buffer())?;
        }
        for buffer in data.buffers() {
            self.check_buffer(buffer)?;
        }
        match (data.data_type(), target) {
            (DataType::Struct(fields), Some(DataType::Struct(wanted))) => {
                for (field, child) in fields.iter().zip(data.child_data()) {
                    if let Some((_, wanted)) = wanted.find(field.name()) {
                        self.check_data(child, Some(wanted.data_type()))?;
                    }
                }
            }
            (DataType::List(_), Some(DataType::List(wanted)))
            | (DataType::Map(..), Some(DataType::Map(wanted, _))) => {
                for child in data.child_data() {
                    self.check_data(child, Some(wanted.data_type()))?;
                }
            }
            // A dictionary's values were checked when they were decoded.
            (DataType::Dictionary(..), _) => {}
            _ => {
                for child in data.child_data() {
                    self.check_data(child, None)?;
                }
            }
        }
        Ok(())
    }

    fn check_buffer(&self, buffer: &Buffer) -> Result<()> {
        let base = self.buffer.as_ptr() as usize;
        let start = (buffer.as_ptr() as usize).wrapping_sub(base);
        // An empty buffer may point anywhere.
        if buffer.is_empty() {
            return Ok(());
        }
        let range = start..start + buffer.len();
        if range.end > self.buffer.len() {
            return Err(self.damaged("an array reaches beyond it"));
        }
        self.check_range(range.clone())?;
        // It may be long until the values are looked at, and the columns of a store are larger than
        // memory should be. Whole pages were read, and the system brings some of what is
        // around them along.
        let start = (range.start / PAGE * PAGE).saturating_sub(PAGE);
        let end = (range.end.next_multiple_of(PAGE) + PAGE).min(self.buffer.len());
        self.map.release_range(start..end);
        Ok(())
    }

    /// The file's map.
    pub(crate) fn map(&self) -> MappedFile {
        self.map.clone()
    }

    fn block(&self, block: &Block, whole: bool) -> Result<Buffer> {
        let size = |length: i64| {
            usize::try_from(length).map_err(|_| self.damaged("a block of negative size"))
        };
        let start = size(block.offset())?;
        let head = size(block.metaDataLength().into())?;
        let end = start + head + size(block.bodyLength())?;
        if end > self.buffer.len() {
            return Err(self.damaged("a block beyond its end"));
        }
        self.check_range(start..if whole { end } else { start + head })?;
        Ok(self.buffer.slice_with_length(start, end - start))
    }

    fn checked_slice(&self, range: Range<usize>) -> Result<Buffer> {
        self.check_range(range.clone())?;
        Ok(self.buffer.slice_with_length(range.start, range.len()))
    }

    fn check_range(&self, range: Range<usize>) -> Result<()> {
        for page in range.start / PAGE..range.end.div_ceil(PAGE) {
            let (Some(checked), Some(expected)) = (self.checked.get(page), self.pages.get(page))
            else {
                return Err(self.damaged("it is longer than its page checksums"));
            };
            if checked.load(Ordering::Relaxed) {
                continue;
            }
            let start = page * PAGE;
            let end = (start + PAGE).min(self.buffer.len());
            let bytes = (self.buffer.as_slice().get(start..end))
                .ok_or_else(|| self.damaged("it has fewer pages than checksums"))?;
            if xxh3_64(bytes) != *expected {
                return Err(self.damaged(&format!("bytes {start} to {end} have changed")));
            }
            checked.store(true, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Checks every byte, and lets go of what is checked.
    pub(crate) fn check_all(&self, progress: &Progress) -> Result<()> {
        let length = self.buffer.len();
        for start in (0..length).step_by(AT_ONCE) {
            let end = (start + AT_ONCE).min(length);
            if progress.is_cancelled() {
                return Ok(());
            }
            (start / PAGE..end.div_ceil(PAGE))
                .into_par_iter()
                .try_for_each(|page| self.check_range(page * PAGE..page * PAGE + 1))?;
            self.map.release_range(start..end);
            progress.add_bytes((end - start) as u64);
        }
        Ok(())
    }

    fn damaged(&self, problem: &str) -> Error {
        Error::Damaged {
            path: self.path.clone(),
            problem: problem.to_owned(),
        }
    }
}
