use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Int8Array, RecordBatch, StringArray, TimestampMicrosecondArray,
    UInt32Array, UInt64Array,
};
use arrow::datatypes::{
    DataType, Field, Int8Type, Schema, TimeUnit, TimestampMicrosecondType, UInt32Type, UInt64Type,
};
use arrow::error::ArrowError;
use gather::{Child, Column, RowRef};
use hashbrown::HashMap;
use xdm::Class;

use crate::Status;

/// The memberships of some records, by segment.
///
/// Within one record a segment has one membership: where two spellings of its namespace both name
/// it, the first one stands.
#[derive(Clone, Debug)]
pub struct MembershipIndex {
    namespaces: StringArray,
    segments: StringArray,
    /// Where each segment's entries begin; one more than there are segments.
    starts: Vec<u64>,
    rows: UInt32Array,
    statuses: Int8Array,
    times: TimestampMicrosecondArray,
}

/// One segment of an index.
#[derive(Clone, Copy, Debug)]
pub struct Segment<'a> {
    /// The namespace's code, in lower case.
    pub namespace: &'a str,
    /// The segment's ID.
    pub id: &'a str,
    index: &'a MembershipIndex,
    start: usize,
    end: usize,
}

/// One membership.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The record's row.
    pub row: u32,
    /// What it says.
    pub status: Status,
    /// When the person qualified: microseconds since 1970.
    pub qualified: Option<i64>,
}

/// Builds a [`MembershipIndex`] from a column that comes in stretches.
#[derive(Default)]
pub struct MembershipBuilder {
    rows: u32,
    /// The number of each segment, by its namespace as it is written and its ID.
    known: HashMap<String, HashMap<String, usize>>,
    segments: Vec<((String, String), Vec<Entry>)>,
}

impl MembershipIndex {
    /// Indexes `segmentMembership` columns, given as consecutive stretches of the records.
    ///
    /// # Errors
    /// A column that is no map of maps of objects.
    pub fn from_columns(columns: &[ArrayRef]) -> Result<Self, ArrowError> {
        let mut builder = MembershipBuilder::default();
        for column in columns {
            builder.add(column)?;
        }
        Ok(builder.finish())
    }

    /// All segments, by namespace and ID.
    pub fn segments(&self) -> impl Iterator<Item = Segment<'_>> {
        (0..self.segments.len()).map(|i| self.segment(i))
    }

    /// The entries of a segment in each of its namespaces, or in the one given.
    pub fn find(&self, id: &str, namespace: Option<&str>) -> impl Iterator<Item = Segment<'_>> {
        self.segments().filter(move |segment| {
            segment.id == id
                && namespace.is_none_or(|ns| segment.namespace.eq_ignore_ascii_case(ns))
        })
    }

    fn segment(&self, i: usize) -> Segment<'_> {
        let start = |i: usize| self.starts.get(i).map_or(0, |s| *s as usize);
        Segment {
            namespace: self.namespaces.value(i),
            id: self.segments.value(i),
            index: self,
            start: start(i),
            end: start(i + 1),
        }
    }

    /// The index as two tables: segments (`namespace`, `segment`, `firstEntry`) and entries (`row`,
    /// `status`, `lastQualificationTime`).
    ///
    /// # Errors
    /// None that a whole index can cause.
    pub fn to_batches(&self) -> Result<(RecordBatch, RecordBatch), ArrowError> {
        let segments = RecordBatch::try_new(
            Arc::new(Self::segments_schema()),
            vec![
                Arc::new(self.namespaces.clone()),
                Arc::new(self.segments.clone()),
                Arc::new(UInt64Array::from_iter_values(
                    self.starts.iter().copied().take(self.segments.len()),
                )),
            ],
        )?;
        let entries = RecordBatch::try_new(
            Arc::new(Self::entries_schema()),
            vec![
                Arc::new(self.rows.clone()),
                Arc::new(self.statuses.clone()),
                Arc::new(self.times.clone()),
            ],
        )?;
        Ok((segments, entries))
    }

    /// The index of the tables that [`MembershipIndex::to_batches`] made.
    ///
    /// # Errors
    /// Tables of another shape.
    pub fn from_batches(segments: &RecordBatch, entries: &RecordBatch) -> Result<Self, ArrowError> {
        let wrong = || ArrowError::SchemaError("not the tables of a membership index".to_owned());
        let column =
            |batch: &RecordBatch, i: usize| batch.columns().get(i).cloned().ok_or_else(wrong);
        let text = |array: ArrayRef| array.as_string_opt::<i32>().cloned().ok_or_else(wrong);
        let first = column(segments, 2)?;
        let mut starts: Vec<u64> = first
            .as_primitive_opt::<UInt64Type>()
            .ok_or_else(wrong)?
            .values()
            .to_vec();
        starts.push(entries.num_rows() as u64);
        if !starts.is_sorted() {
            return Err(wrong());
        }
        Ok(Self {
            namespaces: text(column(segments, 0)?)?,
            segments: text(column(segments, 1)?)?,
            starts,
            rows: column(entries, 0)?
                .as_primitive_opt::<UInt32Type>()
                .ok_or_else(wrong)?
                .clone(),
            statuses: column(entries, 1)?
                .as_primitive_opt::<Int8Type>()
                .ok_or_else(wrong)?
                .clone(),
            times: column(entries, 2)?
                .as_primitive_opt::<TimestampMicrosecondType>()
                .ok_or_else(wrong)?
                .clone(),
        })
    }

    fn segments_schema() -> Schema {
        Schema::new(vec![
            Field::new("namespace", DataType::Utf8, false),
            Field::new("segment", DataType::Utf8, false),
            Field::new("firstEntry", DataType::UInt64, false),
        ])
    }

    fn entries_schema() -> Schema {
        Schema::new(vec![
            Field::new("row", DataType::UInt32, false),
            Field::new("status", DataType::Int8, false),
            Field::new(
                "lastQualificationTime",
                DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
                true,
            ),
        ])
    }
}

impl<'a> Segment<'a> {
    /// How many records have a membership of the segment, of whatever status.
    #[must_use]
    pub fn len(&self) -> usize {
        self.end - self.start
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The memberships in the order of their rows.
    pub fn entries(&self) -> impl Iterator<Item = Entry> + use<'a> {
        let segment = *self;
        (segment.start..segment.end).map(move |i| segment.entry(i))
    }

    /// The membership of one record, if it has one.
    #[must_use]
    pub fn of_row(&self, row: u32) -> Option<Entry> {
        let rows = self.index.rows.values().get(self.start..self.end)?;
        let at = rows.binary_search(&row).ok()?;
        Some(self.entry(self.start + at))
    }

    fn entry(&self, i: usize) -> Entry {
        let index = self.index;
        Entry {
            row: index.rows.value(i),
            status: Status::from_code(index.statuses.value(i)),
            qualified: index.times.is_valid(i).then(|| index.times.value(i)),
        }
    }
}

impl MembershipBuilder {
    /// Adds the next records' column.
    ///
    /// # Errors
    /// A column that is no map of maps of objects.
    pub fn add(&mut self, column: &ArrayRef) -> Result<(), ArrowError> {
        let first_row = self.rows;
        self.rows += column.len() as u32;
        let Some(ty) = Class::Profile.standard_type("segmentMembership") else {
            return Ok(());
        };
        let rows = column.len() as u32;
        let column = Column::new(&ty.data_type(), &[Some(column.clone())])?;
        let Child::Map(namespaces, inner) = column.child() else {
            return Ok(());
        };
        let Child::Map(ids, memberships) = inner.child() else {
            return Ok(());
        };
        let Child::Struct(_, parts) = memberships.child() else {
            return Ok(());
        };
        let [statuses, times, ..] = parts else {
            return Ok(());
        };
        for row in 0..rows {
            for at in column.range(RowRef::new(0, row)) {
                let namespace = namespaces.text(at).unwrap_or_default();
                for at in inner.range(at) {
                    if !memberships.is_valid(at) {
                        continue;
                    }
                    let entry = Entry {
                        row: first_row + row,
                        status: Status::of(statuses.text(at)),
                        qualified: times.micros(at),
                    };
                    self.push(namespace, ids.text(at).unwrap_or_default(), entry);
                }
            }
        }
        Ok(())
    }

    fn push(&mut self, namespace: &str, id: &str, entry: Entry) {
        let known = self.known.get(namespace).and_then(|ids| ids.get(id));
        let at = match known {
            Some(at) => *at,
            None => self.segment(namespace, id),
        };
        if let Some((_, entries)) = self.segments.get_mut(at)
            && entries.last().is_none_or(|last| last.row != entry.row)
        {
            entries.push(entry);
        }
    }

    /// The number of a segment whose namespace was not written so before.
    fn segment(&mut self, namespace: &str, id: &str) -> usize {
        let key = (namespace.to_ascii_lowercase(), id.to_owned());
        let known = self.segments.iter().position(|(known, _)| *known == key);
        let at = known.unwrap_or_else(|| {
            self.segments.push((key, Vec::new()));
            self.segments.len() - 1
        });
        let ids = self.known.entry(namespace.to_owned()).or_default();
        ids.insert(id.to_owned(), at);
        at
    }

    /// The index of all that was added.
    #[must_use]
    pub fn finish(mut self) -> MembershipIndex {
        self.segments.sort_by(|a, b| a.0.cmp(&b.0));
        let mut starts = vec![0];
        let mut total = 0;
        for (_, entries) in &self.segments {
            total += entries.len() as u64;
            starts.push(total);
        }
        let all = || self.segments.iter().flat_map(|(_, entries)| entries);
        MembershipIndex {
            namespaces: StringArray::from_iter_values(self.segments.iter().map(|(k, _)| &k.0)),
            segments: StringArray::from_iter_values(self.segments.iter().map(|(k, _)| &k.1)),
            starts,
            rows: UInt32Array::from_iter_values(all().map(|e| e.row)),
            statuses: Int8Array::from_iter_values(all().map(|e| e.status.code())),
            times: all()
                .map(|e| e.qualified)
                .collect::<TimestampMicrosecondArray>()
                .with_timezone("UTC"),
        }
    }
}
