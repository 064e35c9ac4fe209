//! Mapped files whose bytes are checked before they are used.
//!
//! A file's seal is the list of the XXH3-64 digests of its pages of 64 KiB, in a file beside it; the
//! catalog holds the file's length and the seal's own digest. A page is checked the first time
//! something on it is asked for, so that opening a store reads next to nothing, and damaged bytes
//! are an error rather than a wrong answer.

use std::fs::File;
use std::io::Write;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arrow::array::{Array, ArrayData, ArrayRef, RecordBatch};
use arrow::buffer::Buffer;
use arrow::datatypes::{DataType, SchemaRef};
use arrow::ipc::reader::{FileDecoder, read_footer_length};
use arrow::ipc::{Block, convert::fb_to_schema, root_as_footer};
use bytes::Bytes;
use memmap2::{Mmap, UncheckedAdvice};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

use crate::error::{AtPath, Result, StoreError};

const PAGE: usize = 1 << 16;

/// What the catalog knows of a file.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct FileSeal {
    pub(crate) name: String,
    pub(crate) length: u64,
    /// The digest of the seal's bytes.
    pub(crate) digest: String,
}

/// A writer that seals what goes through it.
pub(crate) struct Sealing<W> {
    inner: W,
    page: Box<Xxh3>,
    in_page: usize,
    length: u64,
    seal: Vec<u8>,
}

impl<W: Write> Sealing<W> {
    pub(crate) fn new(inner: W) -> Self {
        Self {
            inner,
            page: Box::new(Xxh3::new()),
            in_page: 0,
            length: 0,
            seal: Vec::new(),
        }
    }

    fn end_page(&mut self) {
        self.seal.extend(self.page.digest().to_le_bytes());
        self.page.reset();
        self.in_page = 0;
    }

    /// The writer beneath, the seal of all that was written, and the file beside it that has the seal.
    pub(crate) fn finish(mut self, path: &Path) -> Result<(W, FileSeal, PathBuf)> {
        if self.in_page > 0 {
            self.end_page();
        }
        let seal_path = seal_path(path);
        std::fs::write(&seal_path, &self.seal).at(&seal_path)?;
        let name = path.file_name().unwrap_or_default();
        let seal = FileSeal {
            name: name.to_string_lossy().into_owned(),
            length: self.length,
            digest: format!("{:032x}", xdm::digest128(&self.seal)),
        };
        Ok((self.inner, seal, seal_path))
    }
}

impl<W: Write> Write for Sealing<W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let n = self.inner.write(bytes)?;
        let mut rest = bytes.get(..n).unwrap_or_default();
        self.length += n as u64;
        while !rest.is_empty() {
            let (now, later) = rest.split_at(rest.len().min(PAGE - self.in_page));
            self.page.update(now);
            self.in_page += now.len();
            rest = later;
            if self.in_page == PAGE {
                self.end_page();
            }
        }
        Ok(n)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.inner.flush()
    }
}

fn seal_path(path: &Path) -> PathBuf {
    path.with_extension("arrow.seal")
}

/// A mapped file.
#[derive(Clone)]
pub(crate) struct Mapped(Arc<Mmap>);

impl AsRef<[u8]> for Mapped {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Mapped {
    /// Maps a file for reading.
    #[expect(unsafe_code, reason = "mapping a file is unsafe by nature")]
    fn of(file: &File) -> std::io::Result<Self> {
        // SAFETY: the store's files are written once and then only ever unlinked, which leaves a map
        // intact. Another program that writes into a store's folder breaks the store's terms; what it
        // damages before we look is caught by the seal.
        unsafe { Mmap::map(file) }.map(|map| Self(Arc::new(map)))
    }

    /// Lets go of the memory that the file's pages take in this process; they stay in the system's
    /// cache and come back when they are looked at.
    pub(crate) fn release(&self) {
        self.release_range(0..self.0.len());
    }

    #[expect(
        unsafe_code,
        reason = "advising to drop pages is unsafe for maps that were written to"
    )]
    fn release_range(&self, range: Range<usize>) {
        // SAFETY: this is a shared map of a file that is only read: a page that is dropped is read from
        // the file again.
        let released = unsafe {
            self.0
                .unchecked_advise_range(UncheckedAdvice::DontNeed, range.start, range.len())
        };
        // Where that can't be done, memory is merely not saved.
        drop(released);
    }
}

/// A sealed Arrow IPC file, mapped.
pub(crate) struct SealedFile {
    path: PathBuf,
    map: Mapped,
    buffer: Buffer,
    seal: Vec<u64>,
    checked: Vec<AtomicBool>,
    schema: SchemaRef,
    decoder: FileDecoder,
    blocks: Vec<Block>,
}

impl SealedFile {
    /// Opens a file of a run's folder.
    ///
    /// # Errors
    /// A file that is missing or not as the catalog and the seal say.
    #[expect(unsafe_code, reason = "skipping what the seal has checked already")]
    pub(crate) fn open(folder: &Path, known: &FileSeal) -> Result<Self> {
        let path = folder.join(&known.name);
        let damaged = |problem: &str| StoreError::Damaged {
            path: path.clone(),
            problem: problem.to_owned(),
        };
        let seal_path = seal_path(&path);
        let seal = std::fs::read(&seal_path).at(&seal_path)?;
        if format!("{:032x}", xdm::digest128(&seal)) != known.digest {
            return Err(damaged("its seal is not the one that the catalog knows"));
        }
        let file = File::open(&path).at(&path)?;
        let length = file.metadata().at(&path)?.len();
        if length != known.length {
            return Err(damaged(&format!(
                "it has {length} bytes, the catalog says {}",
                known.length
            )));
        }
        let map = Mapped::of(&file).at(&path)?;
        let buffer = Buffer::from(Bytes::from_owner(map.clone()));
        let seal: Vec<u64> = seal
            .as_chunks::<8>()
            .0
            .iter()
            .map(|bytes| u64::from_le_bytes(*bytes))
            .collect();
        let mut sealed = Self {
            checked: seal.iter().map(|_| AtomicBool::new(false)).collect(),
            seal,
            map,
            buffer,
            schema: SchemaRef::new(arrow::datatypes::Schema::empty()),
            decoder: FileDecoder::new(
                SchemaRef::new(arrow::datatypes::Schema::empty()),
                arrow::ipc::MetadataVersion::V5,
            ),
            blocks: Vec::new(),
            path: path.clone(),
        };
        let end = sealed.buffer.len();
        let trailer: [u8; 10] = sealed
            .checked_slice(end.saturating_sub(10)..end)?
            .as_slice()
            .try_into()
            .map_err(|_| damaged("it is too short"))?;
        let footer_length = read_footer_length(trailer)?;
        let footer_start = end
            .checked_sub(10 + footer_length)
            .ok_or_else(|| damaged("its footer is longer than it"))?;
        let footer_bytes = sealed.checked_slice(footer_start..end - 10)?;
        let footer = root_as_footer(&footer_bytes).map_err(|e| damaged(&e.to_string()))?;
        let schema = footer.schema().ok_or_else(|| damaged("no schema"))?;
        sealed.schema = SchemaRef::new(fb_to_schema(schema));
        // SAFETY: every byte that the decoder or an array of ours reads is checked against the seal
        // first, so it is what our writer wrote, and that was a valid array.
        let mut decoder = unsafe {
            FileDecoder::new(sealed.schema.clone(), footer.version())
                .with_require_alignment(true)
                .with_skip_validation(true)
        };
        for block in footer.dictionaries().iter().flatten() {
            let data = sealed.block(block, true)?;
            decoder.read_dictionary(block, &data)?;
        }
        sealed.decoder = decoder;
        sealed.blocks = footer.recordBatches().iter().flatten().copied().collect();
        Ok(sealed)
    }

    /// All batches, their buffers unchecked: check what you use with [`SealedFile::check`].
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
        if buffer.is_empty() || start >= self.buffer.len() {
            return Ok(());
        }
        let range = start..(start + buffer.len()).min(self.buffer.len());
        self.check_range(range.clone())?;
        // It may be long until the values are looked at, and the columns of a store are larger than
        // memory should be. Whole pages of the seal were read, and the system brings some of what is
        // around them along.
        let start = (range.start / PAGE * PAGE).saturating_sub(PAGE);
        let end = (range.end.next_multiple_of(PAGE) + PAGE).min(self.buffer.len());
        self.map.release_range(start..end);
        Ok(())
    }

    /// The file's map.
    pub(crate) fn map(&self) -> Mapped {
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
            let (Some(checked), Some(expected)) = (self.checked.get(page), self.seal.get(page))
            else {
                return Err(self.damaged("it is longer than its seal"));
            };
            if checked.load(Ordering::Relaxed) {
                continue;
            }
            let start = page * PAGE;
            let end = (start + PAGE).min(self.buffer.len());
            let bytes = self.buffer.as_slice().get(start..end).unwrap_or_default();
            if xxh3_64(bytes) != *expected {
                return Err(self.damaged(&format!("bytes {start} to {end} have changed")));
            }
            checked.store(true, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Checks every byte.
    pub(crate) fn check_all(&self) -> Result<()> {
        (0..self.buffer.len().div_ceil(PAGE))
            .into_par_iter()
            .try_for_each(|page| self.check_range(page * PAGE..page * PAGE + 1))
    }

    fn damaged(&self, problem: &str) -> StoreError {
        StoreError::Damaged {
            path: self.path.clone(),
            problem: problem.to_owned(),
        }
    }
}
