use std::collections::BTreeSet;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, FixedSizeBinaryArray, ListArray, PrimitiveArray,
    RecordBatch, StructArray,
};
use arrow::buffer::ScalarBuffer;
use arrow::datatypes::{DataType, Field, TimestampMicrosecondType, UInt64Type};
use arrow::error::ArrowError;
use gather::{Column, RowRef};
use membership::MembershipIndex;
use rayon::prelude::*;
use xdm::{Class, Fields, IDENTITY_MAP, PersonKey, SEGMENT_MEMBERSHIP};

use crate::error::{Error, Result};
use crate::ipc::IpcFile;
use crate::keys::{SortedIds, keys_of};
use crate::map::MappedFile;
use crate::members::Members;
use crate::pack::{BlockCache, PackFile};
use crate::pages::FileChecksum;
use crate::persons::{Persons, text_of};
use crate::records::Records;
use crate::row_index::RowIndex;
use crate::system::run_type;
use crate::write::RunTables;
use crate::{BATCH_ROWS, FIRST_BATCH_ROWS, RunFiles, system};

/// One run, opened.
pub struct Run {
    /// The dataset that its records belong to.
    pub dataset: String,
    /// Their class.
    pub class: Class,
    persons: Persons,
    records: Records,
    maps: Vec<(PathBuf, MappedFile)>,
    batches: usize,
    rows: usize,
    members: Option<Members>,
    event_ids: EventIds,
    links: RowIndex,
    named: RowIndex,
    /// Where it is, and what the catalog says of its files; `None` in memory.
    place: Option<(PathBuf, RunFiles)>,
}

/// Where the digests of a run's event `_id`s are. Only loads ask for them, so exports leave them be.
enum EventIds {
    None,
    /// In the packed file of the records.
    Packed,
    File(PathBuf, FileChecksum),
    Memory(FixedSizeBinaryArray),
}

/// A field of the records of one run, batch by batch.
pub struct FieldBatches {
    /// One array for each batch of the run; `None` where the run lacks the field.
    pub batches: Vec<Option<ArrayRef>>,
}

/// When the records of a batch came, and in which order: a value for each row.
pub struct RecordTimes {
    /// When each came into the store: microseconds since 1970.
    pub ingested: ScalarBuffer<i64>,
    /// By what time each fragment competes with others: its custom timestamp, else its ingest time.
    pub updated: ScalarBuffer<i64>,
    /// Each one's place in the store.
    pub sequences: ScalarBuffer<u64>,
}

impl Run {
    /// Opens the run in a folder.
    ///
    /// # Errors
    /// A file that is missing or not as the catalog says, a format of a newer program.
    pub fn open(folder: &Path, dataset: &str, class: Class, files: &RunFiles) -> Result<Self> {
        files.check_format(folder)?;
        let known = |name: &str| -> Result<&FileChecksum> {
            let known = files.files.iter().find(|file| file.name == name);
            known.ok_or_else(|| Error::Damaged {
                path: folder.join(name),
                problem: "the catalog does not know it".to_owned(),
            })
        };
        let mut run = if files.format == 1 {
            Self::open_first(folder, dataset, class, &known)?
        } else {
            Self::open_packed(folder, dataset, class, known(PACKED)?)?
        };
        run.place = Some((folder.to_owned(), files.clone()));
        // What was checked is not looked at before long, and there may be many runs.
        run.release();
        Ok(run)
    }

    /// Opens a run of the first format.
    fn open_first<'a>(
        folder: &Path,
        dataset: &str,
        class: Class,
        known: &impl Fn(&str) -> Result<&'a FileChecksum>,
    ) -> Result<Self> {
        let mut maps = Vec::new();
        let mut open = |name: &str| -> Result<IpcFile> {
            let file = IpcFile::open(folder, known(name)?)?;
            maps.push((folder.join(name), file.map()));
            Ok(file)
        };
        let records = open("records.arrow")?;
        let batches = in_parts(&records.batches()?)?;
        let (members, event_ids) = match class {
            Class::Profile => {
                let segments = open("segments.arrow")?.single_batch()?;
                let members = open("members.arrow")?.single_batch()?;
                let index = MembershipIndex::from_batches(&segments, &members)?;
                (Some(Members::Whole(Box::new(index))), EventIds::None)
            }
            Class::Event => {
                let ids = known("ids.arrow")?.clone();
                (None, EventIds::File(folder.to_owned(), ids))
            }
        };
        let persons = Persons::of_table(&open("persons.arrow")?.single_batch()?)?;
        let records = Records::Mapped(records, batches);
        let parts = (persons, records, members, event_ids);
        let run = Self::from_parts(dataset, class, parts)?;
        Ok(Self { maps, ..run })
    }

    fn open_packed(
        folder: &Path,
        dataset: &str,
        class: Class,
        known: &FileChecksum,
    ) -> Result<Self> {
        let file = PackFile::open(folder, known)?;
        let rows = file.batch_rows("records")?.iter().sum();
        let persons = Persons::of_file(&file, rows)?;
        let (members, event_ids) = match class {
            Class::Profile => (Some(Members::of_file(&file)?), EventIds::None),
            Class::Event => (None, EventIds::Packed),
        };
        let maps = vec![(file.path().to_owned(), file.map())];
        let parts = (persons, Records::Packed(file), members, event_ids);
        let run = Self::from_parts(dataset, class, parts)?;
        Ok(Self { maps, ..run })
    }

    /// A run that is in memory alone.
    pub(crate) fn in_memory(dataset: &str, class: Class, tables: RunTables) -> Result<Self> {
        let ids = match &tables.ids {
            Some(batch) => EventIds::Memory(keys_of(batch, "id")?),
            None => EventIds::None,
        };
        let persons = Persons::of_table(&tables.persons)?;
        let records = Records::Memory(tables.records);
        let members = (tables.membership).map(|index| Members::Whole(Box::new(index)));
        Self::from_parts(dataset, class, (persons, records, members, ids))
    }

    fn from_parts(
        dataset: &str,
        class: Class,
        (mut persons, records, members, event_ids): (Persons, Records, Option<Members>, EventIds),
    ) -> Result<Self> {
        let batches = records.batch_rows()?;
        let rows = batches.iter().sum();
        if !are_full(batches.iter().copied(), BATCH_ROWS) || !persons.fit(rows) {
            return Err(wrong_table().into());
        }
        Ok(Self {
            dataset: dataset.to_owned(),
            class,
            persons,
            batches: batches.len(),
            records,
            maps: Vec::new(),
            rows,
            members,
            event_ids,
            links: RowIndex::default(),
            named: RowIndex::default(),
            place: None,
        })
    }

    /// Whether this is the run in a folder with these files. Their digests are those of all that is in them.
    #[must_use]
    pub fn is_of(&self, folder: &Path, files: &RunFiles) -> bool {
        (self.place.as_ref()).is_some_and(|(own, known)| own == folder && known == files)
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
        self.persons.key(i)
    }

    /// The namespace of the `i`th person.
    ///
    /// # Errors
    /// A damaged file.
    ///
    /// # Panics
    /// Beyond the last person.
    pub fn namespace(&self, i: usize) -> Result<&str> {
        Ok(text_of(self.persons.namespaces(&self.records)?, i))
    }

    /// The namespace and id of the `i`th person.
    ///
    /// # Errors
    /// A damaged file.
    ///
    /// # Panics
    /// Beyond the last person.
    pub fn identity(&self, i: usize) -> Result<(&str, &str)> {
        let id = text_of(self.persons.ids(&self.records)?, i);
        Ok((self.namespace(i)?, id))
    }

    /// The rows of the `i`th person's records.
    ///
    /// # Panics
    /// Beyond the last person.
    #[must_use]
    pub fn rows_of(&self, i: usize) -> Range<u32> {
        self.persons.rows_of(i, self.rows)
    }

    /// The index of the first person whose key is not below `key`.
    #[must_use]
    pub fn lower_bound(&self, key: PersonKey) -> usize {
        self.persons.lower_bound(key)
    }

    /// Of sorted keys, those that persons of the run have, each with the person's index.
    pub fn find_all<'a>(
        &'a self,
        keys: &'a [PersonKey],
    ) -> impl Iterator<Item = (PersonKey, usize)> + 'a {
        let mut from = match keys.first() {
            Some(first) => self.lower_bound(*first),
            None => 0,
        };
        keys.iter().filter_map(move |key| {
            // Neighbours are near each other.
            from = self.persons.lower_bound_from(from, *key);
            (from < self.persons() && self.person(from) == *key).then_some((*key, from))
        })
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
        self.persons.of_row(row)
    }

    /// A field of the records, with those parts alone that `target` names, checked.
    ///
    /// # Errors
    /// A damaged file.
    pub fn record_field(&self, name: &str, target: &DataType) -> Result<FieldBatches> {
        self.field_batches(&[system::RECORD, name], target)
    }

    fn field_batches(&self, path: &[&str], target: &DataType) -> Result<FieldBatches> {
        let batches = (0..self.batches).into_par_iter();
        let batches = batches
            .map(|batch| self.records.column(batch, path, target, None))
            .collect::<Result<_>>()?;
        Ok(FieldBatches { batches })
    }

    /// A field of the records of one batch, with those parts alone that `target` names, checked; `None` where the
    /// run lacks it.
    ///
    /// # Errors
    /// A damaged file.
    ///
    /// # Panics
    /// There is no such batch.
    pub fn batch_field(
        &self,
        batch: u32,
        name: &str,
        target: &DataType,
    ) -> Result<Option<ArrayRef>> {
        assert!((batch as usize) < self.batches, "no batch {batch}");
        let path = [system::RECORD, name];
        self.records.column(batch as usize, &path, target, None)
    }

    /// The same of rows of one batch alone, counted there: what lies before them and behind is not made an array of.
    /// Blocks are unpacked unless they are kept, and are kept then.
    ///
    /// # Errors
    /// A damaged file.
    ///
    /// # Panics
    /// There is no such batch, or it has fewer rows.
    pub fn field_of_rows(
        &self,
        batch: u32,
        rows: Range<u32>,
        name: &str,
        target: &DataType,
        kept: &BlockCache,
    ) -> Result<Option<ArrayRef>> {
        let rows = self.within(batch, rows);
        let path = [system::RECORD, name];
        self.records
            .column(batch as usize, &path, target, Some((rows, kept)))
    }

    /// Rows of a batch, which has them.
    fn within(&self, batch: u32, rows: Range<u32>) -> Range<usize> {
        let first = batch as usize * BATCH_ROWS;
        let has = self.rows.saturating_sub(first).min(BATCH_ROWS);
        let rows = rows.start as usize..rows.end as usize;
        assert!(rows.end <= has, "no rows {rows:?} of batch {batch}");
        rows
    }

    /// Has the system read fields of some batches before they are asked for.
    ///
    /// # Errors
    /// A damaged file.
    pub fn will_need(&self, batches: &[u32], fields: &[(String, DataType)]) -> Result<()> {
        let Records::Packed(file) = &self.records else {
            return Ok(());
        };
        let paths: Vec<[&str; 2]> = fields
            .iter()
            .map(|(name, _)| [system::RECORD, name])
            .collect();
        let columns: Vec<(&[&str], &DataType)> = std::iter::zip(&paths, fields)
            .map(|(path, (_, ty))| (&path[..], ty))
            .collect();
        file.will_need("records", batches, &columns)
    }

    /// An array that has the type of a field's arrays and their dictionaries; its values mean nothing.
    ///
    /// # Errors
    /// A damaged file.
    pub fn field_prototype(&self, name: &str, target: &DataType) -> Result<Option<ArrayRef>> {
        self.records.prototype(&[system::RECORD, name], target)
    }

    /// The type that a field of the records is kept as, of which nothing is read; `None` where the run lacks the field.
    ///
    /// # Errors
    /// A damaged file.
    pub fn kept_type(&self, name: &str) -> Result<Option<DataType>> {
        self.records.kept_type(&[system::RECORD, name])
    }

    /// The spellings of namespaces that are keys of the records' maps, in the order of bytes.
    ///
    /// # Errors
    /// A damaged file.
    pub fn map_keys(&self) -> Result<BTreeSet<String>> {
        let mut found = self.identity_map_keys()?;
        let memberships = xdm::segment_membership().data_type();
        found.extend(self.keys_of(SEGMENT_MEMBERSHIP, &memberships)?);
        Ok(found)
    }

    /// The same of identity maps alone: the namespaces of identities, without those of memberships.
    ///
    /// # Errors
    /// A damaged file.
    pub fn identity_map_keys(&self) -> Result<BTreeSet<String>> {
        self.keys_of(IDENTITY_MAP, &xdm::identity_map().data_type())
    }

    /// The keys of a field that is a map; none where it is none.
    fn keys_of(&self, name: &str, ty: &DataType) -> Result<BTreeSet<String>> {
        let mut found = BTreeSet::new();
        let prototype = self.field_prototype(name, ty)?;
        let Some(map) = prototype.as_ref().and_then(|one| one.as_map_opt()) else {
            return Ok(found);
        };
        if let Some(dictionary) = map.keys().as_any_dictionary_opt() {
            found.extend(texts(dictionary.values()));
            return Ok(found);
        }
        for batch in 0..self.batch_count() as u32 {
            let array = self.batch_field(batch, name, ty)?;
            let map = array.as_ref().and_then(|array| array.as_map_opt());
            found.extend(map.into_iter().flat_map(|map| texts(map.keys())));
        }
        Ok(found)
    }

    /// When the records of a batch came.
    ///
    /// # Errors
    /// A damaged file.
    ///
    /// # Panics
    /// There is no such batch.
    pub fn batch_times(&self, batch: u32) -> Result<RecordTimes> {
        assert!((batch as usize) < self.batches, "no batch {batch}");
        self.times(batch, None)
    }

    /// When the records in rows of one batch came, counted there.
    ///
    /// # Errors
    /// A damaged file.
    ///
    /// # Panics
    /// There is no such batch, or it has fewer rows.
    pub fn times_of_rows(
        &self,
        batch: u32,
        rows: Range<u32>,
        kept: &BlockCache,
    ) -> Result<RecordTimes> {
        let rows = self.within(batch, rows);
        self.times(batch, Some((rows, kept)))
    }

    fn times(&self, batch: u32, rows: Option<(Range<usize>, &BlockCache)>) -> Result<RecordTimes> {
        let column = |name: &str| {
            let ty = &DataType::Null;
            self.records
                .column(batch as usize, &[name], ty, rows.clone())
        };
        let ingested = numbers::<TimestampMicrosecondType>(column(system::INGESTED_AT)?)?;
        let updated = numbers::<TimestampMicrosecondType>(column(system::UPDATED_AT)?)?;
        let updated = match updated.null_count() {
            0 => updated.values().clone(),
            n if n == updated.len() => ingested.values().clone(),
            _ => {
                let both = ingested.values().iter().zip(&updated);
                both.map(|(ingested, updated)| updated.unwrap_or(*ingested))
                    .collect()
            }
        };
        let sequences = numbers::<UInt64Type>(column(system::SEQUENCE)?)?;
        Ok(RecordTimes {
            ingested: ingested.values().clone(),
            updated,
            sequences: sequences.values().clone(),
        })
    }

    /// When the records of a batch came into the store: microseconds since 1970.
    ///
    /// # Errors
    /// A damaged file.
    ///
    /// # Panics
    /// There is no such batch.
    pub fn batch_ingest_times(&self, batch: u32) -> Result<ScalarBuffer<i64>> {
        assert!((batch as usize) < self.batches, "no batch {batch}");
        let path = [system::INGESTED_AT];
        let column = self
            .records
            .column(batch as usize, &path, &DataType::Null, None)?;
        Ok(numbers::<TimestampMicrosecondType>(column)?
            .values()
            .clone())
    }

    /// When the events of a batch happened: microseconds since 1970.
    pub(crate) fn batch_event_times(&self, batch: u32) -> Result<ScalarBuffer<i64>> {
        let ty = xdm::FieldType::DateTime.data_type();
        let column = self.batch_field(batch, "timestamp", &ty)?;
        Ok(numbers::<TimestampMicrosecondType>(column)?
            .values()
            .clone())
    }

    /// The identities that each record of a batch links: a list of 16-byte keys for each row.
    ///
    /// # Errors
    /// A damaged file.
    ///
    /// # Panics
    /// There is no such batch.
    pub fn batch_links(&self, batch: u32) -> Result<ListArray> {
        assert!((batch as usize) < self.batches, "no batch {batch}");
        let ty = xdm::list_of(DataType::FixedSizeBinary(16));
        let column = self
            .records
            .column(batch as usize, &[system::LINKS], &ty, None)?;
        let links = column.as_ref().and_then(|c| c.as_list_opt::<i32>());
        Ok(links.cloned().ok_or_else(wrong_table)?)
    }

    /// The place of the index of links, which is made when it is asked for.
    pub(crate) fn link_index(&self) -> &RowIndex {
        &self.links
    }

    /// The same of the index of identity maps.
    pub(crate) fn name_index(&self) -> &RowIndex {
        &self.named
    }

    /// Who is in those segments that `is_wanted` says of, by namespace (in lower case) and ID; `None` for a run of
    /// events.
    ///
    /// # Errors
    /// A damaged file.
    pub fn members(
        &self,
        is_wanted: impl Fn(&str, &str) -> bool,
    ) -> Result<Option<MembershipIndex>> {
        let members = self.members.as_ref();
        members
            .map(|members| members.of_segments(&self.records, is_wanted))
            .transpose()
    }

    /// The namespaces (in lower case) and IDs of the segments that records here have memberships in.
    ///
    /// # Errors
    /// A damaged file.
    pub fn segments(&self) -> Result<Vec<(&str, &str)>> {
        let members = self.members.as_ref();
        members.map_or_else(|| Ok(Vec::new()), Members::segments)
    }

    /// The digests of the events' `_id`s.
    pub(crate) fn event_ids(&self) -> Result<SortedIds> {
        Ok(SortedIds(match (&self.event_ids, &self.records) {
            (EventIds::None, _) => FixedSizeBinaryArray::new_null(16, 0),
            (EventIds::Memory(ids), _) => ids.clone(),
            (EventIds::File(folder, checksum), _) => {
                let batch = IpcFile::open(folder, checksum)?.single_batch()?;
                keys_of(&batch, "id")?
            }
            (EventIds::Packed, Records::Packed(file)) => file.keys("ids")?,
            (EventIds::Packed, _) => unreachable!("a packed run has its records in the same file"),
        }))
    }

    /// The identities of all persons: namespaces and ids.
    pub(crate) fn identities(&self) -> Result<[(&'static str, &Column); 2]> {
        Ok([
            (system::NAMESPACE, self.persons.namespaces(&self.records)?),
            (system::ID, self.persons.ids(&self.records)?),
        ])
    }

    /// A row of a run of its kind, with its types and dictionaries: identity, system columns and record.
    pub(crate) fn prototype(&self, types: &Fields) -> Result<ArrayRef> {
        let DataType::Struct(fields) = run_type(types) else {
            unreachable!("a run's rows are objects");
        };
        let (mut kept, mut columns) = (Vec::new(), Vec::new());
        let identities = self.identities()?;
        for field in &fields {
            let own = identities.iter().find(|(name, _)| name == field.name());
            let column = match own {
                Some((_, column)) => Some(column.interleave(&[RowRef::new(0, 0)])?),
                None => self.records.prototype(&[field.name()], field.data_type())?,
            };
            if let Some(column) = column {
                let ty = column.data_type().clone();
                kept.push(Arc::new(Field::clone(field).with_data_type(ty)));
                columns.push(column);
            }
        }
        Ok(Arc::new(StructArray::try_new(kept.into(), columns, None)?))
    }

    /// A batch of records with all columns, checked, for compaction.
    pub(crate) fn whole_batch(&self, number: u32) -> Result<RecordBatch> {
        self.records.batch(number as usize)
    }

    /// Where a record lies: its batch and its row there.
    #[inline]
    #[must_use]
    pub fn locate(row: u32) -> (u32, u32) {
        (row / BATCH_ROWS as u32, row % BATCH_ROWS as u32)
    }

    /// The row of a batch's first record.
    #[must_use]
    pub fn first_row(batch: u32) -> u32 {
        batch * BATCH_ROWS as u32
    }

    /// How many batches the records are in.
    #[must_use]
    pub fn batch_count(&self) -> usize {
        self.batches
    }
}

fn numbers<T: ArrowPrimitiveType>(
    column: Option<ArrayRef>,
) -> Result<PrimitiveArray<T>, ArrowError> {
    let column = column.as_ref().and_then(|c| c.as_primitive_opt::<T>());
    column.cloned().ok_or_else(wrong_table)
}

/// The batches of the first format in parts of as many rows as batches have today.
fn in_parts(batches: &[RecordBatch]) -> Result<Vec<RecordBatch>> {
    if !are_full(batches.iter().map(RecordBatch::num_rows), FIRST_BATCH_ROWS) {
        return Err(wrong_table().into());
    }
    let parts = batches.iter().flat_map(|batch| {
        let starts = (0..batch.num_rows()).step_by(BATCH_ROWS);
        starts.map(|start| batch.slice(start, BATCH_ROWS.min(batch.num_rows() - start)))
    });
    Ok(parts.collect())
}

/// Whether a row's number says in which batch it is: all but the last have so many rows.
fn are_full(batches: impl DoubleEndedIterator<Item = usize>, full: usize) -> bool {
    let mut from_last = batches.rev();
    from_last.next().is_none_or(|last| last <= full) && from_last.all(|rows| rows == full)
}

pub(crate) fn wrong_table() -> ArrowError {
    ArrowError::SchemaError("a run's table without its columns".to_owned())
}

/// The file of a packed run.
pub(crate) const PACKED: &str = "run.pack";

/// The texts of an array of text.
fn texts(array: &ArrayRef) -> Vec<String> {
    let texts = array.as_string_opt::<i32>();
    let texts = texts.into_iter().flat_map(|texts| texts.iter().flatten());
    texts.map(str::to_owned).collect()
}
