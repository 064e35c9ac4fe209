//! Which records bear an identity.

use arrow::array::{Array, AsArray};
use arrow::datatypes::DataType;
use gather::{Column, RowRef};
use rayon::prelude::*;
use xdm::{IDENTITY_MAP, Identity, PersonKey};

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

    /// The rows of a batch whose `identityMap` has one of the identities.
    fn rows_of_map(&self, batch: u32, identities: &[Identity]) -> Result<Vec<u32>> {
        let ty = xdm::identity_map().data_type();
        let Some(map) = self.batch_field(batch, IDENTITY_MAP, &ty)? else {
            return Ok(Vec::new());
        };
        if map.data_type() == &DataType::Null {
            return Ok(Vec::new());
        }
        let map = map.as_map_opt().ok_or_else(wrong_table)?;
        let lists = map.values().as_list_opt::<i32>();
        // A run without a single item has none of their parts.
        let Some(lists) = lists else {
            return Ok(Vec::new());
        };
        let items = lists.values().as_struct_opt();
        let Some(ids) = items.and_then(|items| items.column_by_name("id")) else {
            return Ok(Vec::new());
        };
        let ids = Column::new(&DataType::Utf8, &[Some(ids.clone())])?;
        let namespaces = Column::new(&DataType::Utf8, &[Some(map.keys().clone())])?;
        let mut rows = Vec::new();
        for item in 0..lists.values().len() as u32 {
            let Some(id) = ids.text(RowRef::new(0, item)) else {
                continue;
            };
            if !identities.iter().any(|wanted| wanted.id == id) {
                continue;
            }
            let entry = holder(lists.value_offsets(), item);
            let namespace = namespaces.text(RowRef::new(0, entry));
            let is_wanted = identities.iter().any(|wanted| {
                wanted.id == id
                    && namespace.is_some_and(|it| it.eq_ignore_ascii_case(&wanted.namespace))
            });
            if is_wanted {
                rows.push(Self::first_row(batch) + holder(map.value_offsets(), entry));
            }
        }
        Ok(rows)
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
