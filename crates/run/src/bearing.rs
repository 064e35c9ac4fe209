//! Which records bear an identity.

use arrow::array::{Array, AsArray};
use arrow::datatypes::DataType;
use gather::{Column, RowRef};
use rayon::prelude::*;
use xdm::{IDENTITY_MAP, Identity, PersonKey, is_identity};

use crate::error::Result;
use crate::read::{Run, wrong_table};

impl Run {
    /// The rows of the records that bear one of some identities: as the primary one, or anywhere in `identityMap`. The
    /// ASCII case of namespaces does not count. Sorted.
    ///
    /// # Errors
    /// A damaged file.
    pub fn rows_bearing(&self, identities: &[Identity]) -> Result<Vec<u32>> {
        let batches = (0..self.batch_count() as u32).into_par_iter();
        let in_maps: Vec<Vec<u32>> = batches
            .map(|batch| self.rows_of_map(batch, identities))
            .collect::<Result<_>>()?;
        let keys = identities
            .iter()
            .map(|it| PersonKey::of(&it.namespace, &it.id));
        let persons = keys.filter_map(|key| self.find(key));
        let mut rows: Vec<u32> = persons.flat_map(|person| self.rows_of(person)).collect();
        rows.extend(in_maps.into_iter().flatten());
        rows.sort_unstable();
        rows.dedup();
        Ok(rows)
    }

    /// The identities in the `identityMap` of the rows that [`Run::rows_bearing`] gives, but for those that are
    /// placeholders.
    ///
    /// # Errors
    /// A damaged run.
    pub fn identities_beside(
        &self,
        identities: &[Identity],
        placeholders: &[String],
    ) -> Result<Vec<Identity>> {
        let rows = self.rows_bearing(identities)?;
        let mut found = Vec::new();
        for batch in 0..self.batch_count() as u32 {
            let first = Self::first_row(batch);
            let behind = Self::first_row(batch + 1);
            let from = rows.partition_point(|row| *row < first);
            if rows.get(from).is_none_or(|row| *row >= behind) {
                continue;
            }
            let each = |row: u32, namespace: &str, id: &str| {
                if rows.binary_search(&row).is_ok() {
                    found.push(Identity {
                        namespace: namespace.to_owned(),
                        id: id.to_owned(),
                    });
                }
            };
            self.each_of_map(batch, |id| is_identity(id, placeholders), each)?;
        }
        Ok(found)
    }

    /// The rows of a batch whose `identityMap` has one of the identities.
    fn rows_of_map(&self, batch: u32, identities: &[Identity]) -> Result<Vec<u32>> {
        let mut rows = Vec::new();
        let is_wanted = |id: &str| identities.iter().any(|wanted| wanted.id == id);
        self.each_of_map(batch, is_wanted, |row, namespace, id| {
            let is_it =
                |it: &Identity| it.id == id && namespace.eq_ignore_ascii_case(&it.namespace);
            if identities.iter().any(is_it) {
                rows.push(row);
            }
        })?;
        Ok(rows)
    }

    /// Hands the row, the namespace and the id of each item of a batch's `identityMap` to `each`, where the id is wanted:
    /// whose it is is looked up for those alone.
    fn each_of_map(
        &self,
        batch: u32,
        is_wanted: impl Fn(&str) -> bool,
        mut each: impl FnMut(u32, &str, &str),
    ) -> Result<()> {
        let ty = xdm::identity_map().data_type();
        let Some(map) = self.batch_field(batch, IDENTITY_MAP, &ty)? else {
            return Ok(());
        };
        if map.data_type() == &DataType::Null {
            return Ok(());
        }
        let map = map.as_map_opt().ok_or_else(wrong_table)?;
        let lists = map.values().as_list_opt::<i32>();
        // A run without a single item has none of their parts.
        let Some(lists) = lists else {
            return Ok(());
        };
        let items = lists.values().as_struct_opt();
        let Some(ids) = items.and_then(|items| items.column_by_name("id")) else {
            return Ok(());
        };
        let ids = Column::new(&DataType::Utf8, &[Some(ids.clone())])?;
        let namespaces = Column::new(&DataType::Utf8, &[Some(map.keys().clone())])?;
        for item in 0..lists.values().len() as u32 {
            let Some(id) = ids.text(RowRef::new(0, item)).filter(|id| is_wanted(id)) else {
                continue;
            };
            let entry = holder(lists.value_offsets(), item);
            if let Some(namespace) = namespaces.text(RowRef::new(0, entry)) {
                let row = Self::first_row(batch) + holder(map.value_offsets(), entry);
                each(row, namespace, id);
            }
        }
        Ok(())
    }
}

/// The row whose stretch of items has this one.
fn holder(offsets: &[i32], item: u32) -> u32 {
    let behind = offsets.partition_point(|offset| *offset as u32 <= item);
    behind.saturating_sub(1) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_is_held_by_the_last_row_that_begins_at_or_before_it() {
        // Rows of 2, 0, 0, 3 and 1 items.
        let offsets = [0, 2, 2, 2, 5, 6];
        let holders = [0, 1, 2, 3, 4, 5].map(|item| holder(&offsets, item));
        assert_eq!(holders, [0, 0, 3, 3, 3, 4]);
    }
}
