use std::path::{Path, PathBuf};

use arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, FixedSizeBinaryArray, RecordBatch, UInt64Array,
};
use arrow::buffer::ScalarBuffer;
use arrow::datatypes::{ArrowNativeType, DataType, TimestampMicrosecondType, UInt64Type};
use arrow::error::ArrowError;
use gather::{Column, RowRef};
use membership::MembershipIndex;
use xdm::{Class, PersonKey};

use crate::error::{Error, Result};
use crate::ipc::IpcFile;
use crate::keys::{SortedIds, key_at, lower_bound};
use crate::map::MappedFile;
use crate::pages::FileChecksum;
use crate::write::RunTables;
use crate::{BATCH_ROWS, FORMAT, RunFiles, system};

/// One run, opened.
pub struct Run {
    /// The dataset that its records belong to.
    pub dataset: String,
    /// Their class.
    pub class: Class,
    persons: FixedSizeBinaryArray,
    namespaces: Column,
    ids: Column,
    firsts: UInt64Array,
    /// The file of the records, which checks what is read; none for a run in memory.
    records: Option<IpcFile>,
    maps: Vec<(PathBuf, MappedFile)>,
    batches: Vec<RecordBatch>,
    rows: usize,
    members: Option<MembershipIndex>,
    event_ids: EventIds,
}

/// Persons, record batches, segments and members, event IDs.
type Tables<'a> = (
    &'a RecordBatch,
    Vec<RecordBatch>,
    Option<(RecordBatch, RecordBatch)>,
    EventIds,
);

/// Where the digests of a run's event `_id`s are. Only loads ask for them, so exports leave the file be.
enum EventIds {
    None,
    File(PathBuf, FileChecksum),
    Memory(FixedSizeBinaryArray),
}

/// A field of the records of one run, batch by batch.
pub struct FieldBatches {
    /// One array for each batch of the run; `None` where the run lacks the field.
    pub batches: Vec<Option<ArrayRef>>,
}

/// One number for each record of a run, where the file has it.
pub struct RowValues<T: ArrowNativeType> {
    batches: Vec<ScalarBuffer<T>>,
}

impl<T: ArrowNativeType> RowValues<T> {
    /// The number of a row.
    ///
    /// # Panics
    /// Beyond the last row. Rows come from the tables of the same run, which were checked against each
    /// other when it was opened.
    #[inline]
    #[must_use]
    pub fn get(&self, row: u32) -> T {
        let (batch, in_batch) = Run::locate(row);
        let values = self.batches.get(batch as usize);
        match values.and_then(|values| values.get(in_batch as usize)) {
            Some(value) => *value,
            None => panic!("row {row} is beyond the run's last"),
        }
    }
}

impl Run {
    /// Opens the run in a folder.
    ///
    /// # Errors
    /// A file that is missing or not as the catalog says, a format of a newer program.
    pub fn open(folder: &Path, dataset: &str, class: Class, files: &RunFiles) -> Result<Self> {
        if files.format > FORMAT {
            return Err(Error::NewerFormat {
                path: folder.to_owned(),
                found: files.format,
                known: FORMAT,
            });
        }
        let known = |name: &str| -> Result<&FileChecksum> {
            let known = files.files.iter().find(|file| file.name == name);
            known.ok_or_else(|| Error::Damaged {
                path: folder.join(name),
                problem: "the catalog does not know it".to_owned(),
            })
        };
        let mut maps = Vec::new();
        let mut open = |name: &str| -> Result<IpcFile> {
            let file = IpcFile::open(folder, known(name)?)?;
            maps.push((folder.join(name), file.map()));
            Ok(file)
        };
        let records = open("records.arrow")?;
        let batches = records.batches()?;
        let (membership, ids) = match class {
            Class::Profile => {
                let segments = open("segments.arrow")?.single_batch()?;
                let members = open("members.arrow")?.single_batch()?;
                (Some((segments, members)), EventIds::None)
            }
            Class::Event => {
                let ids = known("ids.arrow")?.clone();
                (None, EventIds::File(folder.to_owned(), ids))
            }
        };
        let persons = open("persons.arrow")?.single_batch()?;
        let tables = (&persons, batches, membership, ids);
        let run = Self::from_tables(dataset, class, tables, Some(records))?;
        let run = Self { maps, ..run };
        // What was checked is not looked at before long, and there may be many runs.
        run.release();
        Ok(run)
    }

    /// A run that is in memory alone.
    pub(crate) fn in_memory(dataset: &str, class: Class, tables: RunTables) -> Result<Self> {
        let ids = match &tables.ids {
            Some(batch) => EventIds::Memory(keys_of(batch, "id")?),
            None => EventIds::None,
        };
        let parts = (&tables.persons, tables.records, tables.membership, ids);
        Self::from_tables(dataset, class, parts, None)
    }

    fn from_tables(
        dataset: &str,
        class: Class,
        (persons, batches, membership, ids): Tables<'_>,
        records: Option<IpcFile>,
    ) -> Result<Self> {
        let text = |name: &str| -> Result<Column> {
            let column = persons.column_by_name(name).cloned();
            Ok(Column::new(&DataType::Utf8, &[column])?)
        };
        let firsts = persons
            .column_by_name("firstRecord")
            .and_then(|c| c.as_primitive_opt::<UInt64Type>())
            .ok_or_else(wrong_table)?;
        let rows = batches.iter().map(RecordBatch::num_rows).sum();
        if !are_full(&batches) {
            return Err(wrong_table().into());
        }
        // Every person has a record, and every record a person.
        let firsts_fit = match firsts.values().as_ref() {
            [] => rows == 0,
            values @ ([first, .., last] | [first @ last]) => {
                *first == 0
                    && *last < rows as u64
                    && values.windows(2).all(|pair| pair.first() < pair.last())
            }
        };
        if !firsts_fit {
            return Err(wrong_table().into());
        }
        Ok(Self {
            dataset: dataset.to_owned(),
            class,
            namespaces: text(system::NAMESPACE)?,
            ids: text(system::ID)?,
            firsts: firsts.clone(),
            persons: keys_of(persons, "person")?,
            rows,
            records,
            maps: Vec::new(),
            batches,
            members: membership
                .map(|(segments, members)| MembershipIndex::from_batches(&segments, &members))
                .transpose()?,
            event_ids: ids,
        })
    }

    /// Lets go of the memory that what was read so far takes; it is read again where it is needed.
    pub fn release(&self) {
        for (_, map) in &self.maps {
            map.release();
        }
    }

    /// Whether all that was read of it so far is what its files have: who made something of it asks this before
    /// anybody else sees that.
    ///
    /// # Errors
    /// A file was cut, or can't be read, since it was opened.
    pub fn check_whole(&self) -> Result<()> {
        match self.maps.iter().find(|(_, map)| !map.is_whole()) {
            None => Ok(()),
            Some((path, _)) => Err(Error::Damaged {
                path: path.clone(),
                problem: "it was cut, or can't be read, while it was in use".to_owned(),
            }),
        }
    }

    /// How many persons have records here.
    #[must_use]
    pub fn persons(&self) -> usize {
        self.persons.len()
    }

    /// How many records there are.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The key of the `i`th person; persons are sorted by it.
    ///
    /// # Panics
    /// Beyond the last person.
    #[inline]
    #[must_use]
    pub fn person(&self, i: usize) -> PersonKey {
        key_at(&self.persons, i)
    }

    /// The namespace and id of the `i`th person.
    ///
    /// # Panics
    /// Beyond the last person.
    #[must_use]
    pub fn identity(&self, i: usize) -> (&str, &str) {
        let at = RowRef::new(0, i as u32);
        match (self.namespaces.text(at), self.ids.text(at)) {
            (Some(namespace), Some(id)) => (namespace, id),
            _ => panic!("person {i} is beyond the run's last"),
        }
    }

    /// The rows of the `i`th person's records.
    ///
    /// # Panics
    /// Beyond the last person.
    #[must_use]
    pub fn rows_of(&self, i: usize) -> std::ops::Range<u32> {
        let start = self.firsts.value(i);
        let end = self.firsts.values().get(i + 1).copied();
        start as u32..end.unwrap_or(self.rows as u64) as u32
    }

    /// The index of the first person whose key is not below `key`.
    #[must_use]
    pub fn lower_bound(&self, key: PersonKey) -> usize {
        lower_bound(&self.persons, key.0)
    }

    /// The index of the person with this key, if the run has records of them.
    #[must_use]
    pub fn find(&self, key: PersonKey) -> Option<usize> {
        let person = self.lower_bound(key);
        (person < self.persons() && self.person(person) == key).then_some(person)
    }

    /// Which person the record in row `row` belongs to.
    #[must_use]
    pub fn person_of_row(&self, row: u32) -> usize {
        let firsts = self.firsts.values();
        firsts.partition_point(|first| *first <= u64::from(row)) - 1
    }

    /// A field of the records, with those parts alone that `target` names, checked.
    ///
    /// # Errors
    /// A damaged file.
    pub fn record_field(&self, name: &str, target: &DataType) -> Result<FieldBatches> {
        self.checked(target, |batch| {
            let record = batch.column_by_name(system::RECORD)?.as_struct_opt()?;
            record.column_by_name(name).cloned()
        })
    }

    /// A system column of the records.
    pub(crate) fn system_column(&self, name: &str, target: &DataType) -> Result<FieldBatches> {
        self.checked(target, |batch| batch.column_by_name(name).cloned())
    }

    fn checked(
        &self,
        target: &DataType,
        pick: impl Fn(&RecordBatch) -> Option<ArrayRef>,
    ) -> Result<FieldBatches> {
        let batches = self
            .batches
            .iter()
            .map(|batch| {
                let array = pick(batch);
                if let (Some(array), Some(file)) = (&array, &self.records) {
                    file.check(array, Some(target))?;
                }
                Ok(array)
            })
            .collect::<Result<_>>()?;
        Ok(FieldBatches { batches })
    }

    /// When each record came into the store: microseconds since 1970.
    ///
    /// # Errors
    /// A damaged file.
    pub fn ingest_times(&self) -> Result<RowValues<i64>> {
        self.values::<TimestampMicrosecondType>(system::INGESTED_AT)
    }

    /// By what time each fragment competes with others: its custom timestamp, else its ingest time.
    ///
    /// # Errors
    /// A damaged file.
    pub fn update_times(&self) -> Result<RowValues<i64>> {
        self.values::<TimestampMicrosecondType>(system::UPDATED_AT)
    }

    /// Each record's place in the store.
    ///
    /// # Errors
    /// A damaged file.
    pub fn sequences(&self) -> Result<RowValues<u64>> {
        self.values::<UInt64Type>(system::SEQUENCE)
    }

    /// When each event happened.
    pub(crate) fn event_times(&self) -> Result<RowValues<i64>> {
        let ty = xdm::FieldType::DateTime.data_type();
        let column = self.record_field("timestamp", &ty)?;
        Self::numbers::<TimestampMicrosecondType>(&column)
    }

    fn values<T: ArrowPrimitiveType>(&self, name: &str) -> Result<RowValues<T::Native>> {
        Self::numbers::<T>(&self.system_column(name, &DataType::Null)?)
    }

    fn numbers<T: ArrowPrimitiveType>(column: &FieldBatches) -> Result<RowValues<T::Native>> {
        let batches = column
            .batches
            .iter()
            .map(|batch| {
                let values = batch.as_ref().and_then(|b| b.as_primitive_opt::<T>());
                values.map(|a| a.values().clone()).ok_or_else(wrong_table)
            })
            .collect::<Result<_, _>>()?;
        Ok(RowValues { batches })
    }

    /// The identities that each record's identity map links: for each batch a list of 16-byte keys.
    ///
    /// # Errors
    /// A damaged file.
    pub fn links(&self) -> Result<FieldBatches> {
        let ty = xdm::list_of(DataType::FixedSizeBinary(16));
        self.system_column(system::LINKS, &ty)
    }

    /// Who is in which segment; `None` for a run of events.
    #[must_use]
    pub fn members(&self) -> Option<&MembershipIndex> {
        self.members.as_ref()
    }

    /// The digests of the events' `_id`s.
    pub(crate) fn event_ids(&self) -> Result<SortedIds> {
        Ok(SortedIds(match &self.event_ids {
            EventIds::None => FixedSizeBinaryArray::new_null(16, 0),
            EventIds::Memory(ids) => ids.clone(),
            EventIds::File(folder, checksum) => {
                let batch = IpcFile::open(folder, checksum)?.single_batch()?;
                keys_of(&batch, "id")?
            }
        }))
    }

    /// The system columns and records of all batches as struct arrays, for compaction.
    pub(crate) fn whole(&self) -> Result<Vec<RecordBatch>> {
        if let Some(file) = &self.records {
            file.check_all()?;
        }
        Ok(self.batches.clone())
    }

    pub(crate) fn identity_column(&self) -> (&Column, &Column) {
        (&self.namespaces, &self.ids)
    }

    /// Where a record lies: its batch and its row there.
    #[inline]
    #[must_use]
    pub fn locate(row: u32) -> (u32, u32) {
        (row / BATCH_ROWS as u32, row % BATCH_ROWS as u32)
    }

    /// How many batches the records are in.
    #[must_use]
    pub fn batch_count(&self) -> usize {
        self.batches.len()
    }
}

fn keys_of(batch: &RecordBatch, name: &str) -> Result<FixedSizeBinaryArray, ArrowError> {
    let column = batch.column_by_name(name);
    let keys = column.and_then(|c| c.as_fixed_size_binary_opt());
    keys.cloned().ok_or_else(wrong_table)
}

/// Whether a row's number says in which batch it is: all but the last have as many rows.
fn are_full(batches: &[RecordBatch]) -> bool {
    batches.split_last().is_none_or(|(last, others)| {
        last.num_rows() <= BATCH_ROWS && others.iter().all(|b| b.num_rows() == BATCH_ROWS)
    })
}

fn wrong_table() -> ArrowError {
    ArrowError::SchemaError("a run's table without its columns".to_owned())
}
