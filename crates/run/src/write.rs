use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, FixedSizeBinaryArray, RecordBatch, UInt64Array};
use arrow::buffer::Buffer;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::ipc::writer::FileWriter;
use gather::{Child, Column, RowRef};
use membership::{MembershipBuilder, MembershipIndex};
use rayon::prelude::*;
use xdm::{Class, Fields};

use crate::error::{AtPath, Result};
use crate::pages::{ChecksumWriter, FileChecksum};
use crate::system::{self, run_type};
use crate::{BATCH_ROWS, FORMAT, RunFiles};

/// The rows of a run to be: struct arrays of the system columns and the record, and which
/// of their rows go where.
pub(crate) struct RunRows<'a> {
    pub(crate) class: Class,
    pub(crate) types: &'a Fields,
    pub(crate) sources: &'a [Option<ArrayRef>],
    /// Person and row, in the order of the file.
    pub(crate) rows: &'a [(u128, RowRef)],
    /// Sorted digests of the events' `_id`s.
    pub(crate) ids: &'a [u128],
}

/// Takes the rows of a run out of its sources, batch by batch.
struct RowTaker {
    column: Column,
    /// The columns of the records' table: the identity stands in the table of persons, once.
    kept: Vec<usize>,
}

impl RowTaker {
    fn new(run: &RunRows<'_>) -> Result<Self> {
        let column = Column::new(&run_type(run.types), run.sources)?;
        let kept = match column.data_type() {
            DataType::Struct(fields) => fields
                .iter()
                .enumerate()
                .filter(|(_, f)| f.name() != system::NAMESPACE && f.name() != system::ID)
                .map(|(i, _)| i)
                .collect(),
            other => unreachable!("the type of a run's rows is a struct, not {other}"),
        };
        Ok(Self { column, kept })
    }

    /// The batches of some of the rows, taken in parallel, each with its memberships.
    fn batches(&self, rows: &[(u128, RowRef)]) -> Result<Vec<(RecordBatch, Option<ArrayRef>)>> {
        rows.par_chunks(BATCH_ROWS)
            .map(|rows| {
                let rows: Vec<RowRef> = rows.iter().map(|(_, at)| *at).collect();
                let whole = self.column.interleave(&rows)?;
                let whole = whole.as_struct();
                let record = whole.column_by_name(system::RECORD).map(|r| r.as_struct());
                let memberships = record.and_then(|r| r.column_by_name("segmentMembership"));
                let batch = RecordBatch::from(whole).project(&self.kept)?;
                Ok((batch, memberships.cloned()))
            })
            .collect()
    }

    fn schema(&self) -> SchemaRef {
        let fields: Vec<_> = match self.column.data_type() {
            DataType::Struct(fields) => self
                .kept
                .iter()
                .filter_map(|i| fields.get(*i).cloned())
                .collect(),
            other => unreachable!("the type of a run's rows is a struct, not {other}"),
        };
        SchemaRef::new(Schema::new(fields))
    }
}

/// The tables of a run that stays in memory.
pub(crate) struct RunTables {
    pub(crate) persons: RecordBatch,
    pub(crate) records: Vec<RecordBatch>,
    /// Segments and members of a profile run.
    pub(crate) membership: Option<(RecordBatch, RecordBatch)>,
    /// The digests of the events' `_id`s of an event run.
    pub(crate) ids: Option<RecordBatch>,
}

impl RunTables {
    pub(crate) fn new(run: &RunRows<'_>) -> Result<Self> {
        let taker = RowTaker::new(run)?;
        let (records, memberships): (Vec<_>, Vec<_>) = taker.batches(run.rows)?.into_iter().unzip();
        let memberships: Vec<ArrayRef> = memberships.into_iter().flatten().collect();
        Ok(Self {
            persons: persons_batch(&taker.column, run.rows)?,
            records,
            membership: match run.class {
                Class::Profile => Some(MembershipIndex::from_columns(&memberships)?.to_batches()?),
                Class::Event => None,
            },
            ids: match run.class {
                Class::Profile => None,
                Class::Event => Some(ids_batch(run.ids)?),
            },
        })
    }
}

/// Files that were written and are perhaps not on the disk yet.
#[must_use]
pub struct Unsynced {
    files: Vec<(PathBuf, File)>,
    folder: PathBuf,
}

impl Unsynced {
    /// Waits until all of it is on the disk.
    ///
    /// # Errors
    /// The system can't say that it is.
    pub fn sync(self) -> Result<()> {
        for (path, file) in self.files {
            file.sync_all().at(path)?;
        }
        sync_folder(&self.folder)
    }
}

/// Writes a run's files into a new folder, a few batches at a time.
pub(crate) fn write_run(folder: &Path, run: &RunRows<'_>) -> Result<(RunFiles, Unsynced)> {
    let taker = RowTaker::new(run)?;
    std::fs::create_dir_all(folder).at(folder)?;
    let (records, persons) = rayon::join(
        || write_records(&folder.join("records.arrow"), run, &taker),
        || persons_batch(&taker.column, run.rows),
    );
    let ((records, members), persons) = (records?, persons?);
    let person_count = persons.num_rows() as u64;
    let mut small = vec![("persons.arrow", persons)];
    match run.class {
        Class::Profile => {
            let (segments, members) = members.finish().to_batches()?;
            small.push(("segments.arrow", segments));
            small.push(("members.arrow", members));
        }
        Class::Event => small.push(("ids.arrow", ids_batch(run.ids)?)),
    }
    let mut tables = vec![records];
    for (name, batch) in small {
        let mut table = Table::create(&folder.join(name), &batch.schema())?;
        table.write(&batch)?;
        tables.push(table);
    }
    let mut files = Vec::new();
    let mut unsynced = Unsynced {
        files: Vec::new(),
        folder: folder.to_owned(),
    };
    for table in tables {
        files.push(table.finish(&mut unsynced)?);
    }
    let run_files = RunFiles {
        format: FORMAT,
        files,
        persons: person_count,
        records: run.rows.len() as u64,
    };
    Ok((run_files, unsynced))
}

/// Writes a run's records: some batches are taken while those before them are written.
fn write_records(
    path: &Path,
    run: &RunRows<'_>,
    taker: &RowTaker,
) -> Result<(Table, MembershipBuilder)> {
    let mut members = MembershipBuilder::default();
    let mut table = Table::create(path, &taker.schema())?;
    let mut write = |batches: Vec<(RecordBatch, Option<ArrayRef>)>| -> Result<()> {
        for (batch, memberships) in batches {
            if let (Class::Profile, Some(memberships)) = (run.class, memberships) {
                members.add(&memberships)?;
            }
            table.write(&batch)?;
        }
        Ok(())
    };
    let mut ready = Vec::new();
    for rows in run.rows.chunks(BATCH_ROWS * rayon::current_num_threads()) {
        let (wrote, taken) =
            rayon::join(|| write(std::mem::take(&mut ready)), || taker.batches(rows));
        wrote?;
        ready = taken?;
    }
    write(ready)?;
    Ok((table, members))
}

/// A table's file being written, with the checksums of its pages.
struct Table {
    path: PathBuf,
    writer: FileWriter<BufWriter<ChecksumWriter<File>>>,
}

impl Table {
    fn create(path: &Path, schema: &Schema) -> Result<Self> {
        let file = ChecksumWriter::new(File::create_new(path).at(path)?);
        let buffered = BufWriter::with_capacity(1 << 20, file);
        Ok(Self {
            path: path.to_owned(),
            writer: FileWriter::try_new(buffered, schema).at(path)?,
        })
    }

    fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        self.writer.write(batch).at(&self.path)
    }

    fn finish(mut self, unsynced: &mut Unsynced) -> Result<FileChecksum> {
        let path = &self.path;
        self.writer.finish().at(path)?;
        let checked = self.writer.into_inner().at(path)?.into_inner();
        let checked = checked
            .map_err(std::io::IntoInnerError::into_error)
            .at(path)?;
        let (file, checksum, checksum_path) = checked.finish(path)?;
        let checksum_file = File::open(&checksum_path).at(&checksum_path)?;
        unsynced.files.push((self.path, file));
        unsynced.files.push((checksum_path, checksum_file));
        Ok(checksum)
    }
}

fn ids_batch(ids: &[u128]) -> Result<RecordBatch> {
    let ids: ArrayRef = Arc::new(keys_array(ids.iter().copied())?);
    Ok(RecordBatch::try_from_iter([("id", ids)])?)
}

/// Makes the names in a folder durable.
///
/// # Errors
/// The system can't say that they are.
pub fn sync_folder(folder: &Path) -> Result<()> {
    File::open(folder).and_then(|f| f.sync_all()).at(folder)
}

/// One row a person: key, identity and first record.
fn persons_batch(column: &Column, rows: &[(u128, RowRef)]) -> Result<RecordBatch, ArrowError> {
    let mut firsts = Vec::new();
    let mut keys = Vec::new();
    let mut at = Vec::new();
    for (i, (key, row)) in rows.iter().enumerate() {
        if keys.last() != Some(key) {
            keys.push(*key);
            firsts.push(i as u64);
            at.push(*row);
        }
    }
    let mut identity = Vec::new();
    if let Child::Struct(fields, columns) = column.child() {
        for (field, column) in fields.iter().zip(columns).take(2) {
            let field = Field::new(field.name(), column.data_type().clone(), false);
            identity.push((field, column.interleave(&at)?));
        }
    }
    let person = keys_array(keys.into_iter())?;
    let mut fields = vec![Field::new("person", person.data_type().clone(), false)];
    let mut columns: Vec<ArrayRef> = vec![Arc::new(person)];
    for (field, array) in identity {
        fields.push(field);
        columns.push(array);
    }
    fields.push(Field::new("firstRecord", DataType::UInt64, false));
    columns.push(Arc::new(UInt64Array::from(firsts)));
    RecordBatch::try_new(SchemaRef::new(Schema::new(fields)), columns)
}

fn keys_array(
    keys: impl ExactSizeIterator<Item = u128>,
) -> Result<FixedSizeBinaryArray, ArrowError> {
    let mut bytes = Vec::with_capacity(keys.len() * 16);
    for key in keys {
        bytes.extend_from_slice(&key.to_be_bytes());
    }
    FixedSizeBinaryArray::try_new(16, Buffer::from_vec(bytes), None)
}
