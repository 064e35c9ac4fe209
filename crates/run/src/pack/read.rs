use std::collections::HashMap;
use std::fs::File;
use std::io::ErrorKind;
use std::num::NonZero;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use arrow::array::{Array, ArrayRef, AsArray, FixedSizeBinaryArray, RecordBatch, StringArray};
use arrow::buffer::Buffer;
use arrow::datatypes::{DataType, Schema, SchemaRef};
use arrow::ipc::{convert::fb_to_schema, root_as_schema};
use bytes::Bytes;
use decode::Progress;
use rayon::prelude::*;
use rustix::fs::{Advice, fadvise};
use xxhash_rust::xxh3::xxh3_64;

use super::arrays::{Blocks, Node, Place, blocks_of, decode};
use super::block::{self, Block, HEAD_OF_BYTES};
use super::cache::BlockCache;
use super::prototype::prototype;
use super::root::{BatchEntry, Directory, Extent, MAGIC, Root, TRAILER};
use crate::FileChecksum;
use crate::error::{AtPath, Error, Result};
use crate::map::MappedFile;

/// A packed file: what is asked for is read, checked and unpacked, and nothing else is.
pub(crate) struct PackFile {
    /// That of no other file that this process opened, be it the same once more.
    number: u64,
    path: PathBuf,
    file: File,
    map: MappedFile,
    length: u64,
    /// Where its root begins.
    root_at: u64,
    tables: HashMap<String, Table>,
}

/// A table of a packed file.
struct Table {
    schema: SchemaRef,
    schema_extent: Extent,
    dictionaries: Vec<Batch>,
    batches: Vec<Batch>,
    /// The values of the dictionaries that were asked for.
    values: Vec<OnceLock<StringArray>>,
}

struct Batch {
    entry: BatchEntry,
    directory: OnceLock<Directory>,
}

impl PackFile {
    /// Opens a file of a run's folder.
    ///
    /// # Errors
    /// A file that is missing or not as the catalog says.
    pub(crate) fn open(folder: &Path, known: &FileChecksum) -> Result<Self> {
        let path = folder.join(&known.name);
        let file = File::open(&path).at(&path)?;
        let length = file.metadata().at(&path)?.len();
        static OPENED: AtomicU64 = AtomicU64::new(0);
        let mut opened = Self {
            number: OPENED.fetch_add(1, Ordering::Relaxed),
            map: MappedFile::open(&file).at(&path)?.without_reading_ahead(),
            path,
            file,
            length,
            root_at: 0,
            tables: HashMap::new(),
        };
        if length != known.length {
            return Err(opened.damaged(&format!(
                "it has {length} bytes, the catalog says {}",
                known.length
            )));
        }
        if opened.bytes(0, MAGIC.len() as u64)? != MAGIC {
            return Err(opened.damaged("it does not begin as a packed file does"));
        }
        // What is read is what is asked for: reading ahead would bring leaves that nobody wants.
        advise(&opened.file, 0, 0, Advice::Random);
        let root = opened.root(&known.digest)?;
        for table in root.tables {
            let schema = opened.extent(table.schema)?;
            let schema = root_as_schema(&schema)
                .map(fb_to_schema)
                .map_err(|error| opened.damaged(&error.to_string()))?;
            let batches = |entries: Vec<BatchEntry>| -> Vec<Batch> {
                let entries = entries.into_iter();
                entries
                    .map(|entry| Batch {
                        entry,
                        directory: OnceLock::new(),
                    })
                    .collect()
            };
            let read = Table {
                schema: Arc::new(schema),
                schema_extent: table.schema,
                values: table.dictionaries.iter().map(|_| OnceLock::new()).collect(),
                dictionaries: batches(table.dictionaries),
                batches: batches(table.batches),
            };
            opened.tables.insert(table.name, read);
        }
        Ok(opened)
    }

    /// Opens a file that no catalog knows: what its root is was not checked.
    ///
    /// # Errors
    /// A file that is missing or no packed one.
    pub(crate) fn open_unknown(path: &Path) -> Result<Self> {
        let damaged = |problem: &str| Error::Damaged {
            path: path.to_owned(),
            problem: problem.to_owned(),
        };
        let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
            return Err(damaged("it is no file of a folder"));
        };
        let file = File::open(path).at(path)?;
        let length = file.metadata().at(path)?.len();
        let mut trailer = [0; TRAILER];
        let trailer_at = length.checked_sub(TRAILER as u64);
        let trailer_at = trailer_at.ok_or_else(|| damaged("it is too short"))?;
        file.read_exact_at(&mut trailer, trailer_at).at(path)?;
        let root_length =
            (trailer.first_chunk::<8>()).map_or(0, |bytes| u64::from_le_bytes(*bytes));
        let root_at = trailer_at.checked_sub(root_length);
        let root_at = root_at.ok_or_else(|| damaged("its root is longer than it"))?;
        let mut root = vec![0; (length - root_at) as usize];
        file.read_exact_at(&mut root, root_at).at(path)?;
        let known = FileChecksum {
            name: name.to_string_lossy().into_owned(),
            length,
            digest: format!("{:032x}", xdm::digest128(&root)),
        };
        Self::open(folder, &known)
    }

    /// The names of its tables.
    pub(crate) fn tables(&self) -> impl Iterator<Item = &str> {
        self.tables.keys().map(String::as_str)
    }

    /// The values of a table's dictionaries.
    ///
    /// # Errors
    /// A damaged file.
    pub(crate) fn dictionaries(&self, table: &str) -> Result<Vec<ArrayRef>> {
        let of = self.table(table)?;
        let numbers = 0..of.dictionaries.len();
        numbers
            .map(|number| Ok(Arc::new(self.dictionary(of, number)?) as ArrayRef))
            .collect()
    }

    /// The root, whose digest the catalog knows.
    fn root(&mut self, digest: &str) -> Result<Root> {
        let short = "it is too short";
        let trailer_at = self.length.checked_sub(TRAILER as u64);
        let trailer_at = trailer_at.ok_or_else(|| self.damaged(short))?;
        let trailer = self.bytes(trailer_at, TRAILER as u64)?;
        let Some((length, magic)) = trailer.split_first_chunk::<8>() else {
            return Err(self.damaged(short));
        };
        if magic != MAGIC {
            return Err(self.damaged("it does not end as a packed file does"));
        }
        let root_at = trailer_at.checked_sub(u64::from_le_bytes(*length));
        self.root_at = root_at.ok_or_else(|| self.damaged("its root is longer than it"))?;
        let bytes = self.bytes(self.root_at, self.length - self.root_at)?;
        if format!("{:032x}", xdm::digest128(&bytes)) != digest {
            return Err(self.damaged("its root is not the one that the catalog knows"));
        }
        let json = bytes.get(..bytes.len() - TRAILER).unwrap_or_default();
        serde_json::from_slice(json).map_err(|error| self.damaged(&format!("its root: {error}")))
    }

    fn table(&self, name: &str) -> Result<&Table> {
        let table = self.tables.get(name);
        table.ok_or_else(|| self.damaged(&format!("it has no table {name}")))
    }

    /// The columns of a table.
    ///
    /// # Errors
    /// There is no such table.
    pub(crate) fn schema(&self, table: &str) -> Result<&SchemaRef> {
        Ok(&self.table(table)?.schema)
    }

    /// How many rows each batch of a table has.
    ///
    /// # Errors
    /// There is no such table; a batch that no memory holds.
    pub(crate) fn batch_rows(&self, table: &str) -> Result<Vec<usize>> {
        let batches = self.table(table)?.batches.iter();
        batches
            .map(|batch| {
                usize::try_from(batch.entry.rows).map_err(|_| self.damaged("a batch without end"))
            })
            .collect()
    }

    /// A part of a column of a batch, with those parts alone that `target` has: a path of one name is a column,
    /// one of two a field of a column of objects; of all rows where none are said, else by blocks that are kept. `None` where
    /// there is none.
    ///
    /// # Errors
    /// A damaged file.
    pub(crate) fn column(
        &self,
        table: &str,
        batch: usize,
        path: &[&str],
        target: Option<&DataType>,
        rows: Option<(Range<usize>, &BlockCache)>,
    ) -> Result<Option<ArrayRef>> {
        let of = self.table(table)?;
        let Some((place, ty)) = place_of(&of.schema, path) else {
            return Ok(None);
        };
        let (rows, kept) = rows.unzip();
        let blocks = BatchBlocks {
            kept,
            ..self.blocks(of, batch)?
        };
        let expected = match &rows {
            Some(rows) => Some(rows.len() as u64),
            None => of.batches.get(batch).map(|batch| batch.entry.rows),
        };
        let column = decode(&blocks, place, ty, target, rows)?;
        if expected != Some(column.len() as u64) {
            return Err(self.damaged("a column of other rows than its batch"));
        }
        Ok(Some(column))
    }

    /// The type that a column is kept as; `None` where the table lacks it.
    ///
    /// # Errors
    /// A damaged file.
    pub(crate) fn kept_type(&self, table: &str, path: &[&str]) -> Result<Option<DataType>> {
        let of = self.table(table)?;
        Ok(place_of(&of.schema, path).map(|(_, ty)| ty.clone()))
    }

    /// A column of one row that has the type of the column of a path, and its dictionaries.
    ///
    /// # Errors
    /// A damaged file.
    pub(crate) fn prototype(
        &self,
        table: &str,
        path: &[&str],
        target: &DataType,
    ) -> Result<Option<ArrayRef>> {
        let of = self.table(table)?;
        let Some((place, ty)) = place_of(&of.schema, path) else {
            return Ok(None);
        };
        let none = Directory::default();
        let blocks = BatchBlocks {
            file: self,
            table: Some(of),
            directory: &none,
            kept: None,
        };
        prototype(&blocks, place, ty, Some(target)).map(Some)
    }

    /// All columns of a batch.
    ///
    /// # Errors
    /// A damaged file.
    pub(crate) fn batch(&self, table: &str, batch: usize) -> Result<RecordBatch> {
        let of = self.table(table)?;
        let blocks = self.blocks(of, batch)?;
        if let [first, .., last] = &blocks.directory.blocks[..] {
            let end = last.at + last.length;
            advise(&self.file, first.at, end - first.at, Advice::WillNeed);
        }
        let mut place = Place::default();
        let mut columns = Vec::new();
        for field in of.schema.fields() {
            columns.push(decode(&blocks, place, field.data_type(), None, None)?);
            place = place.behind(field.data_type());
        }
        let read = RecordBatch::try_new(of.schema.clone(), columns)?;
        let rows = of.batches.get(batch).map(|batch| batch.entry.rows);
        if rows != Some(read.num_rows() as u64) {
            return Err(self.damaged("a batch of other rows than its root says"));
        }
        Ok(read)
    }

    /// A table of one batch as that; an empty one where it has none.
    ///
    /// # Errors
    /// A damaged file.
    pub(crate) fn single_batch(&self, table: &str) -> Result<RecordBatch> {
        match self.table(table)?.batches.len() {
            0 => Ok(RecordBatch::new_empty(self.schema(table)?.clone())),
            _ => self.batch(table, 0),
        }
    }

    /// The first column of a table's only batch: keys, which are read in place.
    ///
    /// # Errors
    /// A damaged file.
    pub(crate) fn keys(&self, table: &str) -> Result<FixedSizeBinaryArray> {
        let of = self.table(table)?;
        let is_keys = |ty: &DataType| *ty == DataType::FixedSizeBinary(16);
        if !of
            .schema
            .fields()
            .first()
            .is_some_and(|f| is_keys(f.data_type()))
        {
            return Err(self.damaged("a table without keys"));
        }
        if of.batches.is_empty() {
            return Ok(FixedSizeBinaryArray::try_new(16, Buffer::from(&[]), None)?);
        }
        let blocks = self.blocks(of, 0)?;
        let extent = blocks.extent(Place::default().values())?;
        let (start, end) = (extent.at as usize, (extent.at + extent.length) as usize);
        advise(&self.file, extent.at, extent.length, Advice::WillNeed);
        let whole = Bytes::from_owner(self.map.clone());
        if whole.get(start..end).map(xxh3_64) != Some(extent.digest) {
            return Err(self.damaged(&format!("bytes {start} to {end} have changed")));
        }
        let keys = whole.slice((start + HEAD_OF_BYTES).min(end)..end);
        Ok(FixedSizeBinaryArray::try_new(16, Buffer::from(keys), None)?)
    }

    /// The file's map, in which its keys are.
    pub(crate) fn map(&self) -> MappedFile {
        self.map.clone()
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Checks every byte.
    ///
    /// # Errors
    /// Bytes that have changed, or that nothing accounts for.
    pub(crate) fn check_all(&self, progress: &Progress) -> Result<()> {
        let mut parts = vec![(0, MAGIC.len() as u64)];
        for table in self.tables.values() {
            self.extent(table.schema_extent)?;
            parts.push((table.schema_extent.at, table.schema_extent.length));
            progress.add_bytes(table.schema_extent.length);
            let batches = table.dictionaries.iter().chain(&table.batches);
            for batch in batches {
                if progress.is_cancelled() {
                    return Ok(());
                }
                let directory = self.directory(batch)?;
                directory
                    .blocks
                    .par_iter()
                    .try_for_each(|block| self.extent(*block).map(drop))?;
                let blocks: u64 = directory.blocks.iter().map(|block| block.length).sum();
                parts.push((batch.entry.at, blocks));
                parts.push((batch.entry.directory.at, batch.entry.directory.length));
                progress.add_bytes(blocks + batch.entry.directory.length);
            }
        }
        // The root, with what is behind it, was checked when the file was opened.
        progress.add_bytes(self.length - self.root_at + MAGIC.len() as u64);
        parts.sort_unstable();
        let mut end = 0;
        for (at, length) in parts {
            if at != end {
                return Err(self.damaged(&format!("nothing accounts for its bytes {end} to {at}")));
            }
            end += length;
        }
        if end != self.root_at {
            return Err(self.damaged(&format!("nothing accounts for its bytes from {end} on")));
        }
        Ok(())
    }

    /// Has the system read a part of columns of some batches before they are asked for, as in
    /// [`PackFile::column`].
    ///
    /// # Errors
    /// A damaged file.
    pub(crate) fn will_need(
        &self,
        table: &str,
        batches: &[u32],
        columns: &[(&[&str], &DataType)],
    ) -> Result<()> {
        let of = self.table(table)?;
        let wanted = batches
            .iter()
            .filter_map(|batch| of.batches.get(*batch as usize));
        let unknown = wanted
            .clone()
            .filter(|batch| batch.directory.get().is_none());
        for batch in unknown {
            let Extent { at, length, .. } = batch.entry.directory;
            advise(&self.file, at, length, Advice::WillNeed);
        }
        let places: Vec<_> = columns
            .iter()
            .filter_map(|(path, target)| {
                let (place, ty) = place_of(&of.schema, path)?;
                Some((place, ty, *target))
            })
            .collect();
        for batch in wanted {
            let blocks = &self.directory(batch)?.blocks;
            let mut extents: Vec<(u64, u64)> = Vec::new();
            for (place, ty, target) in &places {
                blocks_of(*place, ty, Some(target), &mut |number| {
                    if let Some(block) = blocks.get(number) {
                        extents.push((block.at, block.length));
                    }
                });
            }
            extents.sort_unstable();
            let mut extents = extents.into_iter();
            let Some(mut at_hand) = extents.next() else {
                continue;
            };
            for (at, length) in extents {
                let end = at_hand.0 + at_hand.1;
                // A small gap is read faster than left out.
                if at <= end + GAP {
                    at_hand.1 = at + length - at_hand.0;
                } else {
                    advise(&self.file, at_hand.0, at_hand.1, Advice::WillNeed);
                    at_hand = (at, length);
                }
            }
            advise(&self.file, at_hand.0, at_hand.1, Advice::WillNeed);
        }
        Ok(())
    }

    fn directory<'a>(&self, batch: &'a Batch) -> Result<&'a Directory> {
        if let Some(directory) = batch.directory.get() {
            return Ok(directory);
        }
        let block = self.extent(batch.entry.directory)?;
        let directory = Directory::from_block(block, batch.entry.at);
        let directory = directory.map_err(|problem| self.damaged(problem))?;
        Ok(batch.directory.get_or_init(|| directory))
    }

    fn blocks<'a>(&'a self, table: &'a Table, batch: usize) -> Result<BatchBlocks<'a>> {
        let batch = table.batches.get(batch);
        let batch = batch.ok_or_else(|| self.damaged("a batch that it does not have"))?;
        Ok(BatchBlocks {
            file: self,
            table: Some(table),
            directory: self.directory(batch)?,
            kept: None,
        })
    }

    fn dictionary(&self, table: &Table, number: usize) -> Result<StringArray> {
        let missing = || self.damaged("a dictionary that it does not have");
        let (values, batch) = (table.values.get(number), table.dictionaries.get(number));
        let (values, batch) = values.zip(batch).ok_or_else(missing)?;
        if let Some(values) = values.get() {
            return Ok(values.clone());
        }
        let blocks = BatchBlocks {
            file: self,
            table: None,
            directory: self.directory(batch)?,
            kept: None,
        };
        let read = decode(&blocks, Place::default(), &DataType::Utf8, None, None)?;
        // All batches have the same values: who unites dictionaries knows them by their place in memory.
        Ok(values
            .get_or_init(|| read.as_string::<i32>().clone())
            .clone())
    }

    /// Bytes of the file that have a digest, checked.
    fn extent(&self, extent: Extent) -> Result<Vec<u8>> {
        let bytes = self.bytes(extent.at, extent.length)?;
        if xxh3_64(&bytes) != extent.digest {
            let end = extent.at + extent.length;
            return Err(self.damaged(&format!("bytes {} to {end} have changed", extent.at)));
        }
        Ok(bytes)
    }

    fn bytes(&self, at: u64, length: u64) -> Result<Vec<u8>> {
        let end = at.checked_add(length);
        if end.is_none_or(|end| end > self.length) {
            return Err(self.damaged("something reaches beyond its end"));
        }
        let mut bytes = vec![0; length as usize];
        match self.file.read_exact_at(&mut bytes, at) {
            Ok(()) => Ok(bytes),
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => {
                Err(self.damaged("it was cut while it was in use"))
            }
            Err(error) => Err(error).at(&self.path),
        }
    }

    fn damaged(&self, problem: &str) -> Error {
        Error::Damaged {
            path: self.path.clone(),
            problem: problem.to_owned(),
        }
    }
}

/// What lies between blocks that are wanted is read with them up to so many bytes.
const GAP: u64 = 16 << 10;

/// Tells the system what is read next; where it does not want to know, reading takes longer.
fn advise(file: &File, at: u64, length: u64, advice: Advice) {
    let _ = fadvise(file, at, NonZero::new(length), advice);
}

/// Where the column of a path is, and its type.
fn place_of<'a>(schema: &'a Schema, path: &[&str]) -> Option<(Place, &'a DataType)> {
    let (first, rest) = path.split_first()?;
    let find = |place: Place, fields: &'a arrow::datatypes::Fields, name: &str| {
        let (at, field) = fields.find(name)?;
        let before = fields.iter().take(at);
        let place = before.fold(place, |place, field| place.behind(field.data_type()));
        Some((place, field.data_type()))
    };
    let found = find(Place::default(), schema.fields(), first)?;
    rest.iter().try_fold(found, |(place, ty), name| match ty {
        DataType::Struct(fields) => find(place.within(1), fields, name),
        _ => None,
    })
}

struct BatchBlocks<'a> {
    file: &'a PackFile,
    /// None for the values of a dictionary.
    table: Option<&'a Table>,
    directory: &'a Directory,
    /// Where unpacked blocks are kept, if they are.
    kept: Option<&'a BlockCache>,
}

impl BatchBlocks<'_> {
    fn extent(&self, number: usize) -> Result<Extent> {
        let extent = self.directory.blocks.get(number).copied();
        extent.ok_or_else(|| self.file.damaged("a batch with too few blocks"))
    }
}

impl Blocks for BatchBlocks<'_> {
    fn nodes(&self) -> &[Node] {
        &self.directory.nodes
    }

    fn block(&self, number: usize) -> Result<Block> {
        let extent = self.extent(number)?;
        let Some(kept) = self.kept else {
            return Ok(Block::Read(self.file.extent(extent)?));
        };
        let id = (self.file.number, extent.at);
        if let Some(block) = kept.get(id) {
            return Ok(Block::Kept(block));
        }
        let block = block::plain(self.file.extent(extent)?);
        let block: Arc<[u8]> = block.map_err(|problem| self.file.damaged(problem))?.into();
        kept.put(id, Arc::clone(&block));
        Ok(Block::Kept(block))
    }

    fn dictionary(&self, number: usize) -> Result<StringArray> {
        match self.table {
            Some(table) => self.file.dictionary(table, number),
            None => Err(self.file.damaged("a dictionary of a dictionary")),
        }
    }

    fn damaged(&self, problem: &str) -> Error {
        self.file.damaged(problem)
    }
}
