use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Int8Array, RecordBatch, StringArray, TimestampMicrosecondArray,
    UInt32Array, UInt64Array,
};
use arrow::datatypes::{
    DataType, Field, Int8Type, Schema, TimeUnit, TimestampMicrosecondType, UInt32Type, UInt64Type,
};
use arrow::error::ArrowError;
use xdm::Timestamp;

use crate::{MembershipBuilder, Status};

/// The memberships of some records, by segment: an inverted index, cheap to clone.
///
/// Within one record a segment has one membership: where two spellings of its namespace both name
/// it, the first one stands.
#[derive(Clone, Debug)]
pub struct MembershipIndex {
    pub(crate) namespaces: StringArray,
    pub(crate) segments: StringArray,
    /// Where each segment's postings begin; one more than there are segments.
    pub(crate) starts: Arc<[u64]>,
    pub(crate) rows: UInt32Array,
    pub(crate) statuses: Int8Array,
    pub(crate) times: TimestampMicrosecondArray,
}

/// The postings of one segment.
#[derive(Clone, Copy, Debug)]
pub struct PostingList<'a> {
    /// The namespace's code, in lower case.
    pub namespace: &'a str,
    /// The segment's ID.
    pub id: &'a str,
    index: &'a MembershipIndex,
    start: usize,
    end: usize,
}

/// One membership of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Posting {
    /// The record's row.
    pub row: u32,
    /// What it says.
    pub status: Status,
    /// When the person qualified.
    pub qualified: Option<Timestamp>,
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
    pub fn segments(&self) -> impl Iterator<Item = PostingList<'_>> {
        (0..self.segments.len()).map(|i| self.segment(i))
    }

    /// The `i`th segment by namespace and ID.
    ///
    /// # Panics
    /// Beyond the last one.
    #[must_use]
    pub fn segment(&self, i: usize) -> PostingList<'_> {
        // There is one start more than segments: both constructors see to it.
        let bounds = self.starts.get(i..i + 2).and_then(|b| b.first_chunk::<2>());
        let [start, end] = *bounds.expect("a segment of this index");
        PostingList {
            namespace: self.namespaces.value(i),
            id: self.segments.value(i),
            index: self,
            start: start as usize,
            end: end as usize,
        }
    }

    /// The index as two tables: segments (`namespace`, `segment`, `firstEntry`) and postings (`row`,
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
        let postings = RecordBatch::try_new(
            Arc::new(Self::postings_schema()),
            vec![
                Arc::new(self.rows.clone()),
                Arc::new(self.statuses.clone()),
                Arc::new(self.times.clone()),
            ],
        )?;
        Ok((segments, postings))
    }

    /// The index of the tables that [`MembershipIndex::to_batches`] made.
    ///
    /// # Errors
    /// Tables of another shape.
    pub fn from_batches(
        segments: &RecordBatch,
        postings: &RecordBatch,
    ) -> Result<Self, ArrowError> {
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
        starts.push(postings.num_rows() as u64);
        // A posting before the first segment's would be nobody's.
        if starts.first() != Some(&0) || !starts.is_sorted() {
            return Err(wrong());
        }
        Ok(Self {
            namespaces: text(column(segments, 0)?)?,
            segments: text(column(segments, 1)?)?,
            starts: starts.into(),
            rows: column(postings, 0)?
                .as_primitive_opt::<UInt32Type>()
                .ok_or_else(wrong)?
                .clone(),
            statuses: column(postings, 1)?
                .as_primitive_opt::<Int8Type>()
                .ok_or_else(wrong)?
                .clone(),
            times: column(postings, 2)?
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

    fn postings_schema() -> Schema {
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

impl<'a> PostingList<'a> {
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
    pub fn postings(&self) -> impl Iterator<Item = Posting> + use<'a> {
        let segment = *self;
        (segment.start..segment.end).map(move |i| segment.posting(i))
    }

    /// The membership of one record, if it has one.
    #[must_use]
    pub fn of_row(&self, row: u32) -> Option<Posting> {
        let rows = self.index.rows.values().get(self.start..self.end)?;
        let at = rows.binary_search(&row).ok()?;
        Some(self.posting(self.start + at))
    }

    fn posting(&self, i: usize) -> Posting {
        let index = self.index;
        Posting {
            row: index.rows.value(i),
            status: Status::from_code(index.statuses.value(i)),
            qualified: (index.times.is_valid(i))
                .then(|| Timestamp::from_micros(index.times.value(i))),
        }
    }
}

#[cfg(test)]
mod tests;
