use std::hash::BuildHasher;

use arrow::array::{ArrayRef, Int8Array, StringArray, TimestampMicrosecondArray, UInt32Array};
use arrow::error::ArrowError;
use gather::{Child, Column, RowRef};
use hashbrown::hash_table::Entry;
use hashbrown::{DefaultHashBuilder, HashMap, HashTable};
use xdm::{Timestamp, segment_membership};

use crate::Status;
use crate::index::{MembershipIndex, Posting};

/// Builds a [`MembershipIndex`] from a column that comes in stretches.
#[derive(Default)]
pub struct MembershipBuilder {
    rows: u32,
    /// The number of each namespace as it is written; those that differ only in case have one number.
    spelled: HashMap<String, usize>,
    /// The same in lower case.
    folded: HashMap<String, usize>,
    segments: Vec<Segment>,
    /// The segments' places, by their namespaces' numbers and their IDs.
    places: HashTable<usize>,
    hasher: DefaultHashBuilder,
}

struct Segment {
    namespace: usize,
    id: Box<str>,
    postings: Vec<Posting>,
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
                let namespace = self.namespace(namespace);
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

    /// The number of a namespace.
    fn namespace(&mut self, written: &str) -> usize {
        if let Some(number) = self.spelled.get(written) {
            return *number;
        }
        let next = self.folded.len();
        let folded = self.folded.entry(written.to_ascii_lowercase());
        let number = *folded.or_insert(next);
        self.spelled.insert(written.to_owned(), number);
        number
    }

    fn push(&mut self, namespace: usize, id: &str, posting: Posting) {
        let Self {
            segments,
            places,
            hasher,
            ..
        } = self;
        let is_it = |at: &usize| {
            let found = segments.get(*at);
            found.is_some_and(|it| it.namespace == namespace && *it.id == *id)
        };
        let hash_at = |at: &usize| {
            let segment = segments.get(*at);
            hasher.hash_one(segment.map(|it| (it.namespace, &*it.id)))
        };
        let hash = hasher.hash_one(Some((namespace, id)));
        let at = match places.entry(hash, is_it, hash_at) {
            Entry::Occupied(known) => *known.get(),
            Entry::Vacant(new) => {
                new.insert(segments.len());
                segments.push(Segment {
                    namespace,
                    id: id.into(),
                    postings: Vec::new(),
                });
                segments.len() - 1
            }
        };
        if let Some(Segment { postings, .. }) = segments.get_mut(at)
            && postings.last().is_none_or(|last| last.row != posting.row)
        {
            postings.push(posting);
        }
    }

    /// The index of all that was added.
    #[must_use]
    pub fn finish(self) -> MembershipIndex {
        let mut names: Vec<(String, usize)> = self.folded.into_iter().collect();
        names.sort_unstable();
        // Where each namespace stands among the names in order, by its number.
        let mut ranks = vec![0; names.len()];
        for (rank, (_, number)) in names.iter().enumerate() {
            ranks[*number] = rank;
        }
        let mut segments: Vec<(usize, Box<str>, Vec<Posting>)> = self
            .segments
            .into_iter()
            .map(|segment| (ranks[segment.namespace], segment.id, segment.postings))
            .collect();
        segments.sort_unstable_by(|a, b| (a.0, &a.1).cmp(&(b.0, &b.1)));
        let mut starts = vec![0];
        let mut total = 0;
        for (_, _, postings) in &segments {
            total += postings.len() as u64;
            starts.push(total);
        }
        let all = || segments.iter().flat_map(|(_, _, postings)| postings);
        let namespaces = segments.iter().map(|(rank, ..)| &names[*rank].0);
        MembershipIndex {
            namespaces: StringArray::from_iter_values(namespaces),
            segments: StringArray::from_iter_values(segments.iter().map(|(_, id, _)| id)),
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::{Value, json};
    use xdm::testing;

    use super::*;

    #[test]
    fn many_segments_of_many_namespaces_are_each_found_again() {
        let written = |row: usize, n: usize| match (row + n).is_multiple_of(2) {
            true => format!("Name{}", n % 50),
            false => format!("nAME{}", n % 50),
        };
        let (mut rows, mut expected) = (Vec::new(), BTreeMap::<_, Vec<u32>>::new());
        for row in 0..4 {
            let mut namespaces: BTreeMap<String, BTreeMap<String, Value>> = BTreeMap::new();
            for n in (0..2000).filter(|n| n % 3 != row) {
                let id = format!("Id{}", n / 50);
                let namespace = namespaces.entry(written(row, n)).or_default();
                namespace.insert(id.clone(), json!({}));
                let postings = expected.entry((format!("name{}", n % 50), id)).or_default();
                postings.push(row as u32);
            }
            rows.push(json!(namespaces));
        }
        let mut builder = MembershipBuilder::default();
        for stretch in rows.chunks(3) {
            let column = testing::array(&segment_membership(), stretch);
            builder.add(&column).expect("memberships");
        }
        let index = builder.finish();
        let found: Vec<_> = index
            .segments()
            .map(|list| {
                let name = (list.namespace.to_owned(), list.id.to_owned());
                (name, list.postings().map(|p| p.row).collect::<Vec<_>>())
            })
            .collect();
        assert_eq!(found, expected.into_iter().collect::<Vec<_>>());
    }
}
