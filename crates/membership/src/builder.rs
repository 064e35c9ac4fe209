use arrow::array::{ArrayRef, Int8Array, StringArray, TimestampMicrosecondArray, UInt32Array};
use arrow::error::ArrowError;
use gather::{Child, Column, RowRef};
use hashbrown::HashMap;
use xdm::{Timestamp, segment_membership};

use crate::Status;
use crate::index::{MembershipIndex, Posting};

/// Builds a [`MembershipIndex`] from a column that comes in stretches.
#[derive(Default)]
pub struct MembershipBuilder {
    rows: u32,
    /// The number of each segment, by its namespace as it is written and its ID.
    spelled: HashMap<String, HashMap<String, usize>>,
    /// The same by its namespace in lower case.
    folded: HashMap<(String, String), usize>,
    segments: Vec<((String, String), Vec<Posting>)>,
}

impl MembershipBuilder {
    /// Adds the next records' column.
    ///
    /// # Errors
    /// A column that is no map of maps of objects.
    pub fn add(&mut self, column: &ArrayRef) -> Result<(), ArrowError> {
        let first_row = self.rows;
        self.rows += column.len() as u32;
        let rows = column.len() as u32;
        let ty = segment_membership().data_type();
        let column = Column::new(&ty, &[Some(column.clone())])?;
        // A column that has the field nowhere (it is all null) has no shape, and no memberships.
        let Child::Map(namespaces, inner) = column.child() else {
            return Ok(());
        };
        let not_nested = || ArrowError::SchemaError(format!("{ty} is no map of maps of objects"));
        let Child::Map(ids, memberships) = inner.child() else {
            return Err(not_nested());
        };
        let Child::Struct(_, [statuses, times, ..]) = memberships.child() else {
            return Err(not_nested());
        };
        for row in 0..rows {
            for at in column.range(RowRef::new(0, row)) {
                let namespace = namespaces.text(at).ok_or_else(null_key)?;
                for at in inner.range(at) {
                    if !memberships.is_valid(at) {
                        continue;
                    }
                    let posting = Posting {
                        row: first_row + row,
                        status: Status::of(statuses.text(at)),
                        qualified: times.micros(at).map(Timestamp::from_micros),
                    };
                    self.push(namespace, ids.text(at).ok_or_else(null_key)?, posting);
                }
            }
        }
        Ok(())
    }

    fn push(&mut self, namespace: &str, id: &str, posting: Posting) {
        let known = self.spelled.get(namespace).and_then(|ids| ids.get(id));
        let at = match known {
            Some(at) => *at,
            None => self.segment(namespace, id),
        };
        if let Some((_, postings)) = self.segments.get_mut(at)
            && postings.last().is_none_or(|last| last.row != posting.row)
        {
            postings.push(posting);
        }
    }

    /// The number of a segment whose namespace was not written so before.
    fn segment(&mut self, namespace: &str, id: &str) -> usize {
        let key = (namespace.to_ascii_lowercase(), id.to_owned());
        let at = *self.folded.entry(key).or_insert_with_key(|key| {
            self.segments.push((key.clone(), Vec::new()));
            self.segments.len() - 1
        });
        let ids = self.spelled.entry(namespace.to_owned()).or_default();
        ids.insert(id.to_owned(), at);
        at
    }

    /// The index of all that was added.
    #[must_use]
    pub fn finish(mut self) -> MembershipIndex {
        self.segments.sort_by(|a, b| a.0.cmp(&b.0));
        let mut starts = vec![0];
        let mut total = 0;
        for (_, postings) in &self.segments {
            total += postings.len() as u64;
            starts.push(total);
        }
        let all = || self.segments.iter().flat_map(|(_, postings)| postings);
        MembershipIndex {
            namespaces: StringArray::from_iter_values(self.segments.iter().map(|(k, _)| &k.0)),
            segments: StringArray::from_iter_values(self.segments.iter().map(|(k, _)| &k.1)),
            starts: starts.into(),
            rows: UInt32Array::from_iter_values(all().map(|p| p.row)),
            statuses: Int8Array::from_iter_values(all().map(|p| p.status.code())),
            times: all()
                .map(|p| p.qualified.map(Timestamp::micros))
                .collect::<TimestampMicrosecondArray>()
                .with_timezone("UTC"),
        }
    }
}

fn null_key() -> ArrowError {
    ArrowError::SchemaError("a map with a null key".to_owned())
}
