use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

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
    root: Root,
}

/// A batch of rows, ready to be written.
pub(crate) struct PackedBatch {
    rows: u64,
    encoded: Encoded,
    digests: Vec<u64>,
}

impl PackedBatch {
    /// Packs a batch.
    ///
    /// # Errors
    /// A column of a type that runs don't have.
    pub(crate) fn new(batch: &RecordBatch) -> Result<Self, ArrowError> {
        Self::of_columns(batch.num_rows(), batch.columns())
    }

    fn of_columns(rows: usize, columns: &[ArrayRef]) -> Result<Self, ArrowError> {
        let mut encoded = Encoded::default();
        for column in columns {
            encoded.add(column)?;
        }
        Ok(Self {
            rows: rows as u64,
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
            root: Root::default(),
        };
        writer.put(MAGIC)?;
        Ok(writer)
    }

    /// Begins a table. `like` is a batch of its columns: it has their types and their dictionaries.
    ///
    /// # Errors
    /// A full disk.
    pub(crate) fn table(&mut self, name: &str, like: &RecordBatch) -> Result<()> {
        let mut tracker = DictionaryTracker::new(true);
        let mut encoder = IpcSchemaEncoder::new().with_dictionary_tracker(&mut tracker);
        let schema = encoder.schema_to_fb(&like.schema());
        let schema = self.extent(schema.finished_data())?;
        let mut dictionaries = Vec::new();
        for column in like.columns() {
            add_dictionaries(column, &mut dictionaries);
        }
        let dictionaries = dictionaries
            .into_iter()
            .map(|values| self.put_batch(PackedBatch::of_columns(values.len(), &[values])?))
            .collect::<Result<_>>()?;
        self.root.tables.push(TableEntry {
            name: name.to_owned(),
            schema,
            dictionaries,
            batches: Vec::new(),
        });
        Ok(())
    }

    /// Adds a batch to the table that was begun last.
    ///
    /// # Errors
    /// A full disk.
    pub(crate) fn batch(&mut self, batch: PackedBatch) -> Result<()> {
        let entry = self.put_batch(batch)?;
        match self.root.tables.last_mut() {
            Some(table) => table.batches.push(entry),
            None => unreachable!("a table is begun before its batches"),
        }
        Ok(())
    }

    /// Ends the file, which is perhaps not on the disk yet.
    ///
    /// # Errors
    /// A full disk.
    pub(crate) fn finish(mut self) -> Result<(File, FileChecksum)> {
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
        Ok((file, checksum))
    }

    fn put_batch(&mut self, batch: PackedBatch) -> Result<BatchEntry> {
        let at = self.at;
        for block in &batch.encoded.blocks {
            self.put(block)?;
        }
        let directory = Directory::to_block(&batch.encoded, &batch.digests);
        Ok(BatchEntry {
            rows: batch.rows,
            at,
            directory: self.extent(&directory)?,
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
fn add_dictionaries(array: &ArrayRef, values: &mut Vec<ArrayRef>) {
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
