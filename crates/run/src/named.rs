//! Which records name an identity in their identity maps.

use std::sync::Arc;

use arrow::datatypes::DataType;
use gather::{Child, Column, RowRef};
use rayon::prelude::*;
use xdm::{FieldType, Fields, IDENTITY_MAP, PersonKey};

use crate::error::Result;
use crate::read::Run;
use crate::row_index::{entry, row_of, with_prefix};

impl Run {
    /// The rows of all records that have an identity in their identity map, whatever the case of its namespace, and of those
    /// whose own it is; in order. Few others may be among them: who must know looks at the records.
    ///
    /// Other than what records link, this is all that stands in the maps: ids that are nobody's, such as `anonymous`, and
    /// what stands there alone beside an identity of a declared path. The first question reads the maps of all records.
    ///
    /// # Errors
    /// A damaged file.
    pub fn rows_naming(&self, key: PersonKey) -> Result<Vec<u32>> {
        let Some(index) = self.name_index().get(|| self.named().map(Some))? else {
            unreachable!("nobody cancels it");
        };
        let named = index[with_prefix(&index, key)].iter();
        let mut rows: Vec<u32> = named.map(|entry| row_of(*entry)).collect();
        if let Some(person) = self.find(key) {
            rows.extend(self.rows_of(person));
        }
        rows.sort_unstable();
        rows.dedup();
        Ok(rows)
    }

    /// The entries of all identities that stand in records' maps, but those of the records' persons.
    fn named(&self) -> Result<Vec<u64>> {
        let ty = ids_by_namespace();
        let batches = (0..self.batch_count() as u32).into_par_iter();
        let named = batches.map(|batch| {
            let Some(array) = self.batch_field(batch, IDENTITY_MAP, &ty)? else {
                return Ok(Vec::new());
            };
            let rows = array.len() as u32;
            let map = Column::new(&ty, &[Some(Arc::clone(&array))])?;
            let first = Self::first_row(batch);
            let mut entries = Vec::new();
            for row in 0..rows {
                let person = self.person(self.person_of_row(first + row));
                each_identity(&map, RowRef::new(0, row), |namespace, id| {
                    let key = PersonKey::of(namespace, id);
                    if key != person {
                        entries.push(entry(key, first + row));
                    }
                });
            }
            Ok(entries)
        });
        let named: Vec<Vec<u64>> = named.collect::<Result<_>>()?;
        Ok(named.concat())
    }
}

/// Of an identity map what is asked for: namespaces and ids.
fn ids_by_namespace() -> DataType {
    let mut identity = Fields::default();
    identity.insert("id", FieldType::String);
    let list = FieldType::List(Box::new(FieldType::Object(identity)));
    FieldType::Map(Box::new(list)).data_type()
}

fn each_identity<'a>(map: &'a Column, at: RowRef, mut take: impl FnMut(&'a str, &'a str)) {
    let Child::Map(namespaces, lists) = map.child() else {
        return;
    };
    let Child::List(items) = lists.child() else {
        return;
    };
    let Child::Struct(_, [ids]) = items.child() else {
        return;
    };
    for entry in map.range(at) {
        let Some(namespace) = namespaces.text(entry) else {
            continue;
        };
        for item in lists.range(entry) {
            if let Some(id) = ids.text(item) {
                take(namespace, id);
            }
        }
    }
}
