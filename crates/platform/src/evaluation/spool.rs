//! What an evaluation found, in a file until it is loaded: as records of the dataset of evaluated memberships.

use std::fs::{self, File};
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, BooleanArray, ListArray, MapArray, RecordBatch, StringArray, StructArray,
    TimestampMicrosecondArray,
};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef};
use arrow::error::ArrowError;
use store::Store;
use writer::{FileWriter, WriterOptions};
use xdm::{IDENTITY_MAP, SEGMENT_MEMBERSHIP, SEGMENT_NAMESPACE};

use super::changes::{FoundPerson, Names};
use crate::error::{Error, Result};

/// Records on their way into the store. The folder is the evaluation's as long as it holds the lock.
pub(super) struct Spool {
    folder: PathBuf,
    file: Option<FileWriter<BufWriter<File>>>,
}

impl Spool {
    /// An empty one. What an evaluation left that was killed is deleted.
    pub(super) fn new(store: &Store) -> Result<Self> {
        let spool = Self {
            folder: store.layout().evaluation(),
            file: None,
        };
        spool.delete()?;
        fs::create_dir_all(&spool.folder).map_err(|reason| io(&spool.folder, reason))?;
        Ok(spool)
    }

    /// Adds persons with all of their memberships.
    pub(super) fn push(&mut self, persons: &[FoundPerson], names: &Names) -> Result<()> {
        if persons.is_empty() {
            return Ok(());
        }
        let rows = records(persons, names).map_err(export::Error::from)?;
        let file = match &mut self.file {
            Some(file) => file,
            none => {
                let path = self.folder.join("found.parquet");
                let file = File::create(&path).map_err(|reason| io(&path, reason))?;
                let options = WriterOptions::default();
                let writer = FileWriter::new(BufWriter::new(file), &rows.schema(), &options);
                none.insert(writer.map_err(|error| encode(&path, error))?)
            }
        };
        file.push(rows).map_err(|error| encode(&self.folder, error))
    }

    /// The finished file; `None` where nothing was found.
    pub(super) fn finish(&mut self) -> Result<Option<PathBuf>> {
        let Some(file) = self.file.take() else {
            return Ok(None);
        };
        let (sink, _) = file.finish().map_err(|error| encode(&self.folder, error))?;
        sink.into_inner()
            .map_err(|error| io(&self.folder, error.into_error()))?;
        Ok(Some(self.folder.join("found.parquet")))
    }

    /// Deletes it.
    pub(super) fn delete(&self) -> Result<()> {
        match fs::remove_dir_all(&self.folder) {
            Err(reason) if reason.kind() != std::io::ErrorKind::NotFound => {
                Err(io(&self.folder, reason))
            }
            _ => Ok(()),
        }
    }
}

fn io(path: &Path, reason: std::io::Error) -> Error {
    let path = path.to_owned();
    Error::Store(store::StoreError::Io { path, reason })
}

fn encode(path: &Path, error: writer::EncodeError) -> Error {
    Error::Write(writer::WriteError::in_file(path, error))
}

/// A record for each person: its identity and its memberships.
fn records(persons: &[FoundPerson], names: &Names) -> Result<RecordBatch, ArrowError> {
    let one_each = || OffsetBuffer::<i32>::from_repeated_length(1, persons.len());
    let identities = to_struct(vec![
        ("id", text(persons.iter().map(|one| &*one.id))),
        (
            "primary",
            Arc::new(BooleanArray::from(vec![true; persons.len()])),
        ),
    ])?;
    let item = Field::new_list_field(identities.data_type().clone(), true);
    let lists = ListArray::try_new(item.into(), one_each(), Arc::new(identities), None)?;
    let keys = text(persons.iter().map(|one| &*one.namespace));
    let identity_map = to_map(one_each(), keys, Arc::new(lists))?;
    let entries = || persons.iter().flat_map(|one| &one.entries);
    let ids = entries().map(|(number, _)| names.ids[*number as usize].as_str());
    let statuses: Vec<String> = entries().map(|(_, one)| one.status.to_string()).collect();
    let times = entries().map(|(_, one)| one.qualified.map(|time| time.micros()));
    let times: TimestampMicrosecondArray = times.collect();
    let standings = to_struct(vec![
        ("status", text(statuses.iter().map(String::as_str))),
        (
            "lastQualificationTime",
            Arc::new(times.with_timezone("UTC")),
        ),
    ])?;
    let lengths = persons.iter().map(|one| one.entries.len());
    let of_person = OffsetBuffer::<i32>::from_lengths(lengths);
    let inner = to_map(of_person, text(ids), Arc::new(standings))?;
    let keys = text(persons.iter().map(|_| SEGMENT_NAMESPACE));
    let memberships = to_map(one_each(), keys, Arc::new(inner))?;
    let columns: [ArrayRef; 2] = [Arc::new(identity_map), Arc::new(memberships)];
    let names = [IDENTITY_MAP, SEGMENT_MEMBERSHIP];
    let fields = std::iter::zip(names, &columns)
        .map(|(name, column)| Field::new(name, column.data_type().clone(), true));
    let schema: SchemaRef = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    RecordBatch::try_new(schema, columns.to_vec())
}

fn text<'a>(texts: impl Iterator<Item = &'a str>) -> ArrayRef {
    let texts: Vec<&str> = texts.collect();
    Arc::new(StringArray::from_iter_values(texts))
}

fn to_struct(columns: Vec<(&str, ArrayRef)>) -> Result<StructArray, ArrowError> {
    let fields = columns
        .iter()
        .map(|(name, column)| Field::new(*name, column.data_type().clone(), true));
    let fields: Fields = fields.collect();
    let arrays = columns.into_iter().map(|(_, column)| column).collect();
    StructArray::try_new(fields, arrays, None)
}

fn to_map(
    ends: OffsetBuffer<i32>,
    keys: ArrayRef,
    values: ArrayRef,
) -> Result<MapArray, ArrowError> {
    let fields: Fields = vec![
        Field::new("key", DataType::Utf8, false),
        Field::new("value", values.data_type().clone(), true),
    ]
    .into();
    let entries = StructArray::try_new(fields.clone(), vec![keys, values], None)?;
    let field = Field::new("entries", DataType::Struct(fields), false);
    MapArray::try_new(field.into(), ends, entries, None, false)
}
