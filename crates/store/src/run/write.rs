use std::fs::File;
use std::io::BufWriter;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, FixedSizeBinaryArray, RecordBatch, StructArray, UInt64Array,
};
use arrow::buffer::Buffer;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use arrow::error::ArrowError;
use arrow::ipc::writer::FileWriter;
use gather::{Child, Column, RowRef};
use membership::MembershipIndex;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use xdm::{Class, FieldType, Fields};

use super::{BATCH_ROWS, FileSeal, system};
use crate::error::{AtPath, Result};

/// The files of a run as the catalog knows them.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct RunFiles {
    pub(crate) files: Vec<FileSeal>,
    pub(crate) persons: u64,
    pub(crate) records: u64,
}

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

/// The tables of a run, before they are files.
pub(crate) struct RunTables {
    pub(crate) persons: RecordBatch,
    pub(crate) records: Vec<RecordBatch>,
    records_schema: SchemaRef,
    /// Segments and members of a profile run.
    pub(crate) membership: Option<(RecordBatch, RecordBatch)>,
    /// The digests of the events' `_id`s of an event run.
    pub(crate) ids: Option<RecordBatch>,
}

impl RunTables {
    /// Gathers the rows of a run, in parallel.
    pub(crate) fn new(run: &RunRows<'_>) -> Result<Self> {
        let column = Column::new(&run_type(run.types), run.sources)?;
        let batches: Vec<StructArray> = run
            .rows
            .par_chunks(BATCH_ROWS)
            .map(|rows| {
                let rows: Vec<RowRef> = rows.iter().map(|(_, at)| *at).collect();
                Ok(column.gather(&rows)?.as_struct().clone())
            })
            .collect::<Result<_>>()?;
        // The identity stands in the table of persons, once.
        let kept: Vec<usize> = match column.data_type() {
            DataType::Struct(fields) => fields
                .iter()
                .enumerate()
                .filter(|(_, f)| f.name() != system::NAMESPACE && f.name() != system::ID)
                .map(|(i, _)| i)
                .collect(),
            _ => Vec::new(),
        };
        let (membership, ids) = match run.class {
            Class::Profile => {
                let columns: Vec<ArrayRef> = batches
                    .iter()
                    .filter_map(|batch| {
                        let record = batch.column_by_name(system::RECORD)?.as_struct();
                        record.column_by_name("segmentMembership").cloned()
                    })
                    .collect();
                let tables = MembershipIndex::from_columns(&columns)?.to_batches()?;
                (Some(tables), None)
            }
            Class::Event => {
                let ids = keys_array(run.ids.iter().copied())?;
                let batch = RecordBatch::try_from_iter([("id", Arc::new(ids) as ArrayRef)])?;
                (None, Some(batch))
            }
        };
        Ok(Self {
            persons: persons_batch(&column, run.rows)?,
            records_schema: schema_of(&column, &kept),
            records: batches
                .iter()
                .map(|batch| RecordBatch::from(batch).project(&kept))
                .collect::<Result<_, ArrowError>>()?,
            membership,
            ids,
        })
    }

    /// Writes the tables into a new folder; they are synced where `durable`.
    pub(crate) fn write(self, folder: &Path, durable: bool) -> Result<RunFiles> {
        let (persons, records) = (
            self.persons.num_rows() as u64,
            self.records.iter().map(|b| b.num_rows() as u64).sum(),
        );
        let mut tables = vec![
            ("persons.arrow", self.persons.schema(), vec![self.persons]),
            ("records.arrow", self.records_schema, self.records),
        ];
        if let Some((segments, members)) = self.membership {
            tables.push(("segments.arrow", segments.schema(), vec![segments]));
            tables.push(("members.arrow", members.schema(), vec![members]));
        }
        if let Some(ids) = self.ids {
            tables.push(("ids.arrow", ids.schema(), vec![ids]));
        }
        std::fs::create_dir_all(folder).at(folder)?;
        let files = tables
            .into_par_iter()
            .map(|(name, schema, batches)| {
                write_table(&folder.join(name), &schema, &batches, durable)?;
                let seal = FileSeal::write(folder, name)?;
                if durable {
                    let path = folder.join(format!("{name}.seal"));
                    File::open(&path).and_then(|f| f.sync_all()).at(&path)?;
                }
                Ok(seal)
            })
            .collect::<Result<Vec<_>>>()?;
        if durable {
            sync_folder(folder)?;
        }
        Ok(RunFiles {
            files,
            persons,
            records,
        })
    }
}

/// Makes the names in a folder durable.
pub(crate) fn sync_folder(folder: &Path) -> Result<()> {
    File::open(folder).and_then(|f| f.sync_all()).at(folder)
}

fn write_table(
    path: &Path,
    schema: &SchemaRef,
    batches: &[RecordBatch],
    durable: bool,
) -> Result<()> {
    let file = File::create_new(path).at(path)?;
    let mut writer = FileWriter::try_new(BufWriter::with_capacity(1 << 20, file), schema)?;
    for batch in batches {
        writer.write(batch)?;
    }
    writer.finish()?;
    let file = writer
        .into_inner()?
        .into_inner()
        .map_err(std::io::IntoInnerError::into_error)
        .at(path)?;
    if durable {
        file.sync_all().at(path)?;
    }
    Ok(())
}

/// The type of a run's rows: system columns and the record.
pub(crate) fn run_type(types: &Fields) -> DataType {
    let micros = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    DataType::Struct(
        vec![
            Field::new(system::NAMESPACE, DataType::Utf8, false),
            Field::new(system::ID, DataType::Utf8, false),
            Field::new(system::INGESTED_AT, micros.clone(), false),
            Field::new(system::SEQUENCE, DataType::UInt64, false),
            Field::new(system::UPDATED_AT, micros, false),
            Field::new(
                system::LINKS,
                xdm::list_of(DataType::FixedSizeBinary(16)),
                true,
            ),
            Field::new(
                system::RECORD,
                FieldType::Object(types.clone()).stored_type(),
                false,
            ),
        ]
        .into(),
    )
}

fn schema_of(column: &Column, columns: &[usize]) -> SchemaRef {
    let fields: Vec<_> = match column.data_type() {
        DataType::Struct(fields) => columns
            .iter()
            .filter_map(|i| fields.get(*i).cloned())
            .collect(),
        _ => Vec::new(),
    };
    SchemaRef::new(Schema::new(fields))
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
            identity.push((field, column.gather(&at)?));
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
