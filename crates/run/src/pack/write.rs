use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Int32Type};
use arrow::error::ArrowError;
use arrow::ipc::convert::IpcSchemaEncoder;
use arrow::ipc::writer::DictionaryTracker;
use xxhash_rust::xxh3::xxh3_64;

use super::arrays::Encoded;
use super::root::{BatchEntry, Directory, Extent, MAGIC, Root, TableEntry};
use crate::FileChecksum;
use crate::error::{AtPath, Result};

/// Writes a packed file, table by table.
pub(crate) struct PackWriter {
    path: PathBuf,
    file: BufWriter<File>,
    at: u64,
    /// The bytes of the buffers so far.
    unpacked: u64,
    root: Root,
    /// What the table that was begun last has: dictionaries and batches, each with its directory to be.
    dictionaries: Vec<Pending>,
    batches: Vec<Pending>,
    /// The values of those dictionaries.
    values: Vec<ArrayRef>,
}

/// A batch whose blocks are written.
struct Pending {
    rows: u64,
    at: u64,
    directory: Vec<u8>,
}

/// A batch of rows, ready to be written.
pub(crate) struct PackedBatch {
    rows: u64,
    encoded: Encoded,
    digests: Vec<u64>,
    dictionaries: Vec<ArrayRef>,
}

impl PackedBatch {
    /// Packs a batch.
    ///
    /// # Errors
    /// A column of a type that runs don't have.
    pub(crate) fn new(batch: &RecordBatch) -> Result<Self, ArrowError> {
        Self::of_columns(batch.num_rows(), batch.columns())
    }

    /// How many rows it has.
    pub(crate) fn rows(&self) -> u64 {
        self.rows
    }

    fn of_columns(rows: usize, columns: &[ArrayRef]) -> Result<Self, ArrowError> {
        let mut encoded = Encoded::default();
        for column in columns {
            encoded.add(column)?;
        }
        let mut dictionaries = Vec::new();
        for column in columns {
            add_dictionaries(column, &mut dictionaries);
        }
        Ok(Self {
            rows: rows as u64,
            dictionaries,
            digests: encoded.blocks.iter().map(|block| xxh3_64(block)).collect(),
            encoded,
        })
    }
}

impl PackWriter {
    /// Begins a new file.
    ///
    /// # Errors
    /// It can't be made.
    pub(crate) fn create(path: &Path) -> Result<Self> {
        let file = File::create_new(path).at(path)?;
        let mut writer = Self {
            path: path.to_owned(),
            file: BufWriter::with_capacity(1 << 20, file),
            at: 0,
            unpacked: 0,
            root: Root::default(),
            dictionaries: Vec::new(),
            batches: Vec::new(),
            values: Vec::new(),
        };
        writer.put(MAGIC)?;
        Ok(writer)
    }

    /// Begins a table. `like` is a batch of its columns: it has their types and their dictionaries.
    ///
    /// # Errors
    /// A full disk.
    pub(crate) fn table(&mut self, name: &str, like: &RecordBatch) -> Result<()> {
        self.end_table()?;
        let mut tracker = DictionaryTracker::new(true);
        let mut encoder = IpcSchemaEncoder::new().with_dictionary_tracker(&mut tracker);
        let schema = encoder.schema_to_fb(&like.schema());
        let schema = self.extent(schema.finished_data())?;
        let mut dictionaries = Vec::new();
        for column in like.columns() {
            add_dictionaries(column, &mut dictionaries);
        }
        for values in &dictionaries {
            let values = PackedBatch::of_columns(values.len(), std::slice::from_ref(values))?;
            let dictionary = self.put_batch(values)?;
            self.dictionaries.push(dictionary);
        }
        self.values = dictionaries;
        self.root.tables.push(TableEntry {
            name: name.to_owned(),
            schema,
            dictionaries: Vec::new(),
            batches: Vec::new(),
        });
        Ok(())
    }

    /// Adds a batch to the table that was begun last.
    ///
    /// # Errors
    /// A full disk.
    ///
    /// # Panics
    /// Its dictionaries are not the table's, by which it will be read.
    pub(crate) fn batch(&mut self, batch: PackedBatch) -> Result<()> {
        let is_same = |(a, b): (&ArrayRef, &ArrayRef)| Arc::ptr_eq(a, b) || a == b;
        assert!(
            batch.dictionaries.len() == self.values.len()
                && std::iter::zip(&batch.dictionaries, &self.values).all(is_same),
            "a batch with other dictionaries than its table's"
        );
        let batch = self.put_batch(batch)?;
        self.batches.push(batch);
        Ok(())
    }

    /// Writes the directories of the table that was begun last: they lie together, so that a reader who needs some
    /// of each batch has them at once.
    fn end_table(&mut self) -> Result<()> {
        let dictionaries = std::mem::take(&mut self.dictionaries);
        let batches = std::mem::take(&mut self.batches);
        let dictionaries = self.put_directories(dictionaries)?;
        let batches = self.put_directories(batches)?;
        if let Some(table) = self.root.tables.last_mut() {
            table.dictionaries = dictionaries;
            table.batches = batches;
        }
        Ok(())
    }

    fn put_directories(&mut self, pending: Vec<Pending>) -> Result<Vec<BatchEntry>> {
        let pending = pending.into_iter();
        pending
            .map(|batch| {
                Ok(BatchEntry {
                    rows: batch.rows,
                    at: batch.at,
                    directory: self.extent(&batch.directory)?,
                })
            })
            .collect()
    }

    /// Ends the file, which is perhaps not on the disk yet; returns it with the bytes that its buffers were before
    /// they were packed.
    ///
    /// # Errors
    /// A full disk.
    pub(crate) fn finish(mut self) -> Result<(File, FileChecksum, u64)> {
        self.end_table()?;
        let mut root = serde_json::to_vec(&self.root)
            .map_err(|error| ArrowError::ExternalError(Box::new(error)))?;
        root.extend((root.len() as u64).to_le_bytes());
        root.extend(MAGIC);
        self.put(&root)?;
        let path = &self.path;
        let file = self.file.into_inner();
        let file = file.map_err(std::io::IntoInnerError::into_error).at(path)?;
        let name = path.file_name().unwrap_or(path.as_os_str());
        let checksum = FileChecksum {
            name: name.to_string_lossy().into_owned(),
            length: self.at,
            digest: format!("{:032x}", xdm::digest128(&root)),
        };
        Ok((file, checksum, self.unpacked))
    }

    fn put_batch(&mut self, batch: PackedBatch) -> Result<Pending> {
        let at = self.at;
        self.unpacked += batch.encoded.unpacked;
        for block in &batch.encoded.blocks {
            self.put(block)?;
        }
        Ok(Pending {
            rows: batch.rows,
            at,
            directory: Directory::to_block(&batch.encoded, &batch.digests),
        })
    }

    fn extent(&mut self, bytes: &[u8]) -> Result<Extent> {
        let at = self.at;
        self.put(bytes)?;
        Ok(Extent {
            at,
            length: bytes.len() as u64,
            digest: xxh3_64(bytes),
        })
    }

    fn put(&mut self, bytes: &[u8]) -> Result<()> {
        self.file.write_all(bytes).at(&self.path)?;
        self.at += bytes.len() as u64;
        Ok(())
    }
}

/// The values of all dictionaries of a column, in the order of their places.
pub(super) fn add_dictionaries(array: &ArrayRef, values: &mut Vec<ArrayRef>) {
    match array.data_type() {
        DataType::Dictionary(..) => {
            values.push(array.as_dictionary::<Int32Type>().values().clone());
        }
        DataType::Struct(_) => {
            for column in array.as_struct().columns() {
                add_dictionaries(column, values);
            }
        }
        DataType::List(_) => add_dictionaries(array.as_list::<i32>().values(), values),
        DataType::Map(..) => {
            let map = array.as_map();
            add_dictionaries(map.keys(), values);
            add_dictionaries(map.values(), values);
        }
        _ => {}
    }
}
