use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, FixedSizeBinaryArray, RecordBatch, UInt64Array};
use arrow::buffer::Buffer;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use gather::{Child, Column, RowRef};
use membership::{MembershipBuilder, MembershipIndex};
use rayon::prelude::*;
use xdm::{Class, Fields};

use crate::error::{AtPath, Result};
use crate::pack::{PackWriter, PackedBatch};
use crate::read::PACKED;
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
pub(crate) struct RowTaker {
    pub(crate) column: Column,
    /// The columns of the records' table: the identity stands in the table of persons, once.
    kept: Vec<usize>,
}

impl RowTaker {
    fn new(run: &RunRows<'_>) -> Result<Self> {
        let column = Column::new(&run_type(run.types), run.sources)?;
        Ok(Self::of(column))
    }

    /// Takes rows out of a column of a run's type.
    pub(crate) fn of(column: Column) -> Self {
        let column = column.without_missing_in(system::RECORD);
        let kept = match column.data_type() {
            DataType::Struct(fields) => fields
                .iter()
                .enumerate()
                .filter(|(_, f)| f.name() != system::NAMESPACE && f.name() != system::ID)
                .map(|(i, _)| i)
                .collect(),
            other => unreachable!("the type of a run's rows is a struct, not {other}"),
        };
        Self { column, kept }
    }

    /// The batches of some of the rows, taken in parallel.
    pub(crate) fn batches(&self, rows: &[(u128, RowRef)]) -> Result<Vec<RecordBatch>> {
        rows.par_chunks(BATCH_ROWS)
            .map(|rows| {
                let rows: Vec<RowRef> = rows.iter().map(|(_, at)| *at).collect();
                let whole = self.column.interleave(&rows)?;
                let batch = RecordBatch::from(whole.as_struct()).project(&self.kept)?;
                Ok(system::without_repeats(&batch)?)
            })
            .collect()
    }

    /// A batch without rows, which has the types and dictionaries of all.
    pub(crate) fn like(&self) -> Result<RecordBatch> {
        let none = self.column.interleave(&[])?;
        Ok(RecordBatch::from(none.as_struct()).project(&self.kept)?)
    }
}

/// The tables of a run that stays in memory.
pub(crate) struct RunTables {
    pub(crate) persons: RecordBatch,
    pub(crate) records: Vec<RecordBatch>,
    /// Who is in which segment, of a profile run.
    pub(crate) membership: Option<MembershipIndex>,
    /// The digests of the events' `_id`s of an event run.
    pub(crate) ids: Option<RecordBatch>,
}

impl RunTables {
    pub(crate) fn new(run: &RunRows<'_>) -> Result<Self> {
        let taker = RowTaker::new(run)?;
        let records = taker.batches(run.rows)?;
        let memberships: Vec<ArrayRef> = records.iter().filter_map(memberships).collect();
        Ok(Self {
            persons: persons_batch(&taker.column, run.rows)?,
            records,
            membership: match run.class {
                Class::Profile => Some(MembershipIndex::from_columns(&memberships)?),
                Class::Event => None,
            },
            ids: match run.class {
                Class::Profile => None,
                Class::Event => Some(ids_batch(run.ids)?),
            },
        })
    }
}

/// A file that was written and is perhaps not on the disk yet.
#[must_use]
pub struct Unsynced {
    path: PathBuf,
    file: File,
    folder: PathBuf,
}

impl Unsynced {
    /// Waits until all of it is on the disk.
    ///
    /// # Errors
    /// The system can't say that it is.
    pub fn sync(self) -> Result<()> {
        self.file.sync_all().at(self.path)?;
        sync_folder(&self.folder)
    }
}

/// Writes a run's file into a new folder, a few batches at a time.
pub(crate) fn write_run(folder: &Path, run: &RunRows<'_>) -> Result<(RunFiles, Unsynced)> {
    let taker = RowTaker::new(run)?;
    let mut writer = RunWriter::create(folder, run.class, &taker.like()?)?;
    let (wrote, persons) = rayon::join(
        || write_records(&mut writer, run, &taker),
        || persons_batch(&taker.column, run.rows),
    );
    wrote?;
    writer.finish(&persons?, run.ids)
}

/// Writes a run's records: some batches are taken while those before them are written.
fn write_records(writer: &mut RunWriter, run: &RunRows<'_>, taker: &RowTaker) -> Result<()> {
    let mut ready = Vec::new();
    for rows in run.rows.chunks(BATCH_ROWS * rayon::current_num_threads()) {
        let (wrote, taken) = rayon::join(
            || writer.write(std::mem::take(&mut ready)),
            || pack(&taker.batches(rows)?),
        );
        wrote?;
        ready = taken?;
    }
    writer.write(ready)
}

/// A batch that is packed, with its memberships.
pub(crate) type Packed = (PackedBatch, Option<ArrayRef>);

/// Packs batches with their memberships, in parallel.
pub(crate) fn pack(batches: &[RecordBatch]) -> Result<Vec<Packed>> {
    let batches = batches.par_iter();
    batches
        .map(|batch| Ok((PackedBatch::new(batch)?, memberships(batch))))
        .collect()
}

/// The memberships of a batch of records, if they have any.
fn memberships(batch: &RecordBatch) -> Option<ArrayRef> {
    let record = batch.column_by_name(system::RECORD)?.as_struct_opt()?;
    record.column_by_name("segmentMembership").cloned()
}

/// A run's file that is being written.
pub(crate) struct RunWriter {
    class: Class,
    folder: PathBuf,
    path: PathBuf,
    file: PackWriter,
    members: MembershipBuilder,
    records: u64,
}

impl RunWriter {
    /// Begins a run in a new folder; `like` is a batch of its records' types and dictionaries.
    pub(crate) fn create(folder: &Path, class: Class, like: &RecordBatch) -> Result<Self> {
        std::fs::create_dir_all(folder).at(folder)?;
        let path = folder.join(PACKED);
        let mut file = PackWriter::create(&path)?;
        file.table("records", like)?;
        Ok(Self {
            class,
            folder: folder.to_owned(),
            path,
            file,
            members: MembershipBuilder::default(),
            records: 0,
        })
    }

    /// Adds batches of records, with their memberships: all full but the run's last.
    pub(crate) fn write(&mut self, batches: Vec<Packed>) -> Result<()> {
        for (batch, memberships) in batches {
            if let (Class::Profile, Some(memberships)) = (self.class, memberships) {
                self.members.add(&memberships)?;
            }
            self.records += batch.rows();
            if self.records > u64::from(u32::MAX) {
                // Rows are numbered in 32 bits.
                let problem = format!("{} records in one run", self.records);
                return Err(ArrowError::InvalidArgumentError(problem).into());
            }
            self.file.batch(batch)?;
        }
        Ok(())
    }

    /// Ends it with the table of persons and the sorted digests of events.
    pub(crate) fn finish(
        mut self,
        persons: &RecordBatch,
        ids: &[u128],
    ) -> Result<(RunFiles, Unsynced)> {
        self.table("persons", persons)?;
        match self.class {
            Class::Profile => {
                let (segments, members) =
                    std::mem::take(&mut self.members).finish().to_batches()?;
                self.table("segments", &segments)?;
                self.file.table("members", &members)?;
                let starts: Vec<usize> = (0..members.num_rows()).step_by(BATCH_ROWS).collect();
                let packed: Vec<PackedBatch> = starts
                    .into_par_iter()
                    .map(|start| {
                        let rows = BATCH_ROWS.min(members.num_rows() - start);
                        PackedBatch::new(&members.slice(start, rows))
                    })
                    .collect::<Result<_, _>>()?;
                packed
                    .into_iter()
                    .try_for_each(|batch| self.file.batch(batch))?;
            }
            Class::Event => self.table("ids", &ids_batch(ids)?)?,
        }
        let (file, checksum, unpacked) = self.file.finish()?;
        let run_files = RunFiles {
            format: FORMAT,
            files: vec![checksum],
            unpacked: Some(unpacked),
            persons: persons.num_rows() as u64,
            records: self.records,
        };
        let unsynced = Unsynced {
            path: self.path,
            file,
            folder: self.folder,
        };
        Ok((run_files, unsynced))
    }

    /// Writes a table of one batch.
    fn table(&mut self, name: &str, batch: &RecordBatch) -> Result<()> {
        self.file.table(name, batch)?;
        self.file.batch(PackedBatch::new(batch)?)
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
pub(crate) fn persons_batch(
    column: &Column,
    rows: &[(u128, RowRef)],
) -> Result<RecordBatch, ArrowError> {
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
