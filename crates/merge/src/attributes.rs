use std::sync::Arc;

use arrow::array::{Array, ArrayRef, StructArray};
use arrow::buffer::{BooleanBuffer, NullBuffer};
use arrow::datatypes::{DataType, Field};
use gather::{Child, Column, RowRef};

use crate::error::Result;
use crate::stop::Stop;
use crate::{Groups, union};

/// Merged fields of some profiles: names and arrays of one value a profile.
pub type MergedFields = Vec<(String, ArrayRef)>;

/// Merges top-level fields of fragments, attribute by attribute.
///
/// `fields` are columns over the sources that `groups` point into; each profile's rows are in the
/// order of the merge policy, best first. Objects are walked into; the value at each leaf is the
/// first that is not null; a list or map is one leaf, but for `identityMap`, `identities` and
/// `segmentMembership`, which are united.
///
/// # Errors
/// [`Error::Arrow`](crate::Error::Arrow): an array grows past what its offsets can count.
pub fn merge(fields: &[(&str, &Column)], groups: &Groups) -> Result<MergedFields> {
    merge_until(fields, groups, &|| false)
}

/// [`merge`] that can be interrupted: it asks `is_to_stop` before each leaf and, where items are
/// united, every few thousand of them.
///
/// # Errors
/// Those of [`merge`], and [`Error::Stopped`](crate::Error::Stopped) once `is_to_stop` says so.
pub fn merge_until(
    fields: &[(&str, &Column)],
    groups: &Groups,
    is_to_stop: &dyn Fn() -> bool,
) -> Result<MergedFields> {
    let mut stop = Stop::new(is_to_stop);
    let single = single_rows(groups);
    fields
        .iter()
        .map(|(name, column)| {
            let array = match union::kind(name, column) {
                Some(kind) => union::merge(kind, column, groups, &mut stop)?,
                None => merge_column(column, groups, single.as_deref(), &stop)?,
            };
            Ok(((*name).to_owned(), array))
        })
        .collect()
}

/// Each profile's only row, where none has more than one: then nothing competes.
fn single_rows(groups: &Groups) -> Option<Vec<RowRef>> {
    groups
        .iter()
        .map(|rows| match rows {
            [] => Some(RowRef::NULL),
            [only] => Some(*only),
            _ => None,
        })
        .collect()
}

fn merge_column(
    column: &Column,
    groups: &Groups,
    single: Option<&[RowRef]>,
    stop: &Stop<'_>,
) -> Result<ArrayRef> {
    stop.check()?;
    if let Some(rows) = single {
        return Ok(column.interleave(rows)?);
    }
    let Child::Struct(fields, columns) = column.child() else {
        let winners: Vec<RowRef> = groups.iter().map(|rows| column.first_valid(rows)).collect();
        return Ok(column.interleave(&winners)?);
    };
    let children = columns
        .iter()
        .map(|child| merge_column(child, groups, None, stop))
        .collect::<Result<Vec<_>>>()?;
    let valid: Vec<bool> = groups
        .iter()
        .map(|rows| rows.iter().any(|at| column.is_valid(*at)))
        .collect();
    let nulls = NullBuffer::new(BooleanBuffer::from(valid));
    let fields = fields
        .iter()
        .zip(&children)
        .map(|(field, child)| retyped(field, child.data_type()))
        .collect::<Vec<_>>();
    Ok(Arc::new(StructArray::try_new_with_length(
        fields.into(),
        children,
        Some(nulls).filter(|nulls| nulls.null_count() > 0),
        groups.len(),
    )?))
}

pub(crate) fn retyped(field: &Field, data_type: &DataType) -> Field {
    field.clone().with_data_type(data_type.clone())
}

#[cfg(test)]
mod tests;
