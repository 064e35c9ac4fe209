//! What a batch had of whom: the primary identity and the digest of each profile's row.

use std::cell::Cell;
use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{BufWriter, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef};
use bytes::Bytes;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use store::{Store, StoreError, make_folder};
use writer::{FileWriter, Syncs, WriterOptions};
use xdm::{PersonKey, digest128};

use crate::error::{Error, Result};

/// The namespace and the id of a primary identity.
pub(super) type Identity = (String, String);

fn schema() -> SchemaRef {
    let field = |name, ty| Field::new(name, ty, false);
    Arc::new(Schema::new(vec![
        field("namespace", DataType::Utf8),
        field("id", DataType::Utf8),
        field("digest", DataType::Int64),
    ]))
}

/// What the file is called while it is written; later by the digest of its bytes, which those that are read must have.
const UNFINISHED: &str = "unfinished";

/// Whether there is what a batch had.
///
/// # Errors
/// It can't be looked at.
pub(super) fn has_state(store: &Store, batch: &str) -> Result<bool> {
    Ok(find(&store.layout().state(batch))?.is_some())
}

/// The finished file of a folder, and the digest of its bytes.
fn find(folder: &Path) -> Result<Option<(PathBuf, u128)>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        entries => entries.map_err(StoreError::io(folder))?,
    };
    for entry in entries {
        let path = entry.map_err(StoreError::io(folder))?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        let digest = name.and_then(|name| name.strip_suffix(".parquet"));
        if let Some(digest) = digest.and_then(|digits| u128::from_str_radix(digits, 16).ok()) {
            return Ok(Some((path, digest)));
        }
    }
    Ok(None)
}

/// Writes what a batch has. Its folder is the batch's: swept as long as the catalog does not name that.
pub(super) struct StateWriter {
    folder: PathBuf,
    file: FileWriter<BufWriter<File>>,
}

impl StateWriter {
    pub(super) fn create(store: &Store, batch: &str) -> Result<Self> {
        let folder = store.layout().state(batch);
        make_folder(&folder)?;
        let path = folder.join(UNFINISHED);
        let file = File::create_new(&path).map_err(StoreError::io(&path))?;
        let options = WriterOptions::default();
        let file = FileWriter::new(BufWriter::new(file), &schema(), &options);
        let file = file.map_err(|error| writer::WriteError::in_file(&path, error))?;
        Ok(Self { folder, file })
    }

    /// Adds profiles.
    pub(super) fn push(&mut self, identities: &[(&str, &str)], digests: &[u64]) -> Result<()> {
        let texts = |texts: Vec<&str>| -> ArrayRef { Arc::new(StringArray::from(texts)) };
        let digests = digests.iter().map(|digest| digest.cast_signed());
        let columns: Vec<ArrayRef> = vec![
            texts(identities.iter().map(|(namespace, _)| *namespace).collect()),
            texts(identities.iter().map(|(_, id)| *id).collect()),
            Arc::new(Int64Array::from_iter_values(digests)),
        ];
        let rows = RecordBatch::try_new(schema(), columns).map_err(export::Error::from)?;
        let pushed = self.file.push(rows);
        Ok(pushed.map_err(|error| writer::WriteError::in_file(&self.folder, error))?)
    }

    /// Ends the file, and hands it over to be synced.
    pub(super) fn finish(self, syncs: Option<&Syncs>) -> Result<()> {
        let unfinished = self.folder.join(UNFINISHED);
        let finished = self.file.finish();
        let (file, written) =
            finished.map_err(|error| writer::WriteError::in_file(&unfinished, error))?;
        let file = file
            .into_inner()
            .map_err(|error| StoreError::io(&unfinished)(error.into_error()))?;
        let path = self.folder.join(format!("{:032x}.parquet", written.digest));
        fs::rename(&unfinished, &path).map_err(StoreError::io(&path))?;
        if let Some(syncs) = syncs {
            syncs.file(file, path);
            syncs.path(self.folder);
        }
        Ok(())
    }
}

/// What an earlier batch had, by the keys of its profiles.
#[derive(Default)]
pub(super) struct Known {
    path: PathBuf,
    bytes: Bytes,
    /// In the order of the keys, with the number of each one's namespace.
    digests: Vec<(PersonKey, u64, u32)>,
    /// As they were told before: a namespace may come in another case, and who follows changes goes by its text.
    namespaces: Vec<String>,
    /// Which of them were found again.
    found: Vec<Cell<bool>>,
}

impl Known {
    pub(super) fn read(store: &Store, batch: &str) -> Result<Self> {
        let folder = store.layout().state(batch);
        let Some((path, digest)) = find(&folder)? else {
            let problem = "what the batch had is gone".to_owned();
            return Err(StoreError::Run(run::Error::Damaged {
                path: folder,
                problem,
            })
            .into());
        };
        let bytes = fs::read(&path).map_err(StoreError::io(&path))?;
        let mut known = Self {
            path,
            bytes: Bytes::from(bytes),
            ..Self::default()
        };
        if digest128(&known.bytes) != digest {
            return Err(known.damaged("its bytes are others than were written".to_owned()));
        }
        let (mut digests, mut namespaces) = (Vec::new(), Vec::<String>::new());
        known.each(|(namespace, id), digest| {
            let number = namespaces.iter().position(|known| known == namespace);
            let number = number.unwrap_or_else(|| {
                namespaces.push(namespace.to_owned());
                namespaces.len() - 1
            });
            digests.push((PersonKey::of(namespace, id), digest, number as u32));
        })?;
        digests.sort_unstable();
        known.namespaces = namespaces;
        known.found = vec![Cell::new(false); digests.len()];
        known.digests = digests;
        Ok(known)
    }

    fn damaged(&self, problem: String) -> Error {
        let path = self.path.clone();
        StoreError::Run(run::Error::Damaged { path, problem }).into()
    }

    /// Hands out each profile of the file.
    fn each(&self, mut take: impl FnMut((&str, &str), u64)) -> Result<()> {
        let builder = ParquetRecordBatchReaderBuilder::try_new(self.bytes.clone());
        let reader = builder.and_then(|builder| builder.build());
        for rows in reader.map_err(|error| self.damaged(error.to_string()))? {
            let rows = rows.map_err(|error| self.damaged(error.to_string()))?;
            let [namespaces, ids, digests] = rows.columns() else {
                return Err(self.damaged("it has other columns than those of a state".to_owned()));
            };
            let columns = (
                namespaces.as_string_opt::<i32>(),
                ids.as_string_opt::<i32>(),
                digests.as_primitive_opt::<Int64Type>(),
            );
            let (Some(namespaces), Some(ids), Some(digests)) = columns else {
                return Err(self.damaged("it has other types than those of a state".to_owned()));
            };
            for row in 0..rows.num_rows() {
                let identity = (namespaces.value(row), ids.value(row));
                take(identity, digests.value(row).cast_unsigned());
            }
        }
        Ok(())
    }

    /// What a profile had, if it was there, and how its namespace was spelled; it is found again.
    pub(super) fn find(&self, key: PersonKey) -> Option<(u64, &str)> {
        let at = self.digests.binary_search_by_key(&key, |(key, ..)| *key);
        let at = at.ok()?;
        self.found.get(at)?.set(true);
        let (_, digest, namespace) = self.digests.get(at)?;
        Some((*digest, self.namespaces.get(*namespace as usize)?))
    }

    /// The profiles that were not found again, in the order of their keys.
    pub(super) fn missing(&self) -> Vec<PersonKey> {
        let all = self.digests.iter().zip(&self.found);
        all.filter(|(_, found)| !found.get())
            .map(|((key, ..), _)| *key)
            .collect()
    }

    /// The identities of these.
    pub(super) fn identities(&self, keys: &HashSet<PersonKey>) -> Result<Vec<Identity>> {
        let mut identities = Vec::new();
        if keys.is_empty() {
            return Ok(identities);
        }
        self.each(|(namespace, id), _| {
            if keys.contains(&PersonKey::of(namespace, id)) {
                identities.push((namespace.to_owned(), id.to_owned()));
            }
        })?;
        Ok(identities)
    }
}
