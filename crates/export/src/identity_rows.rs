//! A row for each identity of a namespace.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray, UInt32Array};
use arrow::compute::{cast, take_record_batch};
use arrow::datatypes::{DataType, SchemaRef};

use crate::error::Result;

/// The column with a row's identity.
pub(crate) const IDENTITY: &str = "identity";

/// The rows of the profiles that have one, each as often as its profile has identities of a namespace, with the identity
/// in a column before the others. `identity_map` is that of every profile; `copies` says which have a row, and then how
/// many each has.
///
/// ```text
/// identityMap                     name         identity  name
/// {Email: [a@b.org, c@d.org]}     Ann    ->    a@b.org   Ann
/// {ECID: [7]}                     Bob          c@d.org   Ann
/// ```
pub(crate) fn by_identity(
    rows: &RecordBatch,
    identity_map: &ArrayRef,
    namespace: &str,
    schema: &SchemaRef,
    copies: &mut [u32],
) -> Result<RecordBatch> {
    // The row of each profile that has one.
    let mut next = 0;
    let places: Vec<Option<u32>> = (copies.iter())
        .map(|has_row| {
            let place = (*has_row > 0).then_some(next);
            next += has_row;
            place
        })
        .collect();
    copies.fill(0);
    let (mut numbers, mut identities) = (Vec::new(), Vec::new());
    for (profile, id) in ids_in(identity_map, namespace)? {
        if let (Some(Some(place)), Some(copies)) = (places.get(profile), copies.get_mut(profile)) {
            numbers.push(*place);
            identities.push(id);
            *copies += 1;
        }
    }
    let each = take_record_batch(rows, &UInt32Array::from(numbers))?;
    let identities: ArrayRef = Arc::new(StringArray::from(identities));
    let columns = [identities]
        .into_iter()
        .chain(each.columns().iter().cloned());
    Ok(RecordBatch::try_new(schema.clone(), columns.collect())?)
}

/// The identities of a namespace, whatever the case of its code, in merged identity maps: rows and ids, in order. One
/// that is there twice comes once.
pub(crate) fn ids_in(identity_map: &ArrayRef, namespace: &str) -> Result<Vec<(usize, String)>> {
    let mut found = Vec::new();
    let map = identity_map.as_map();
    let namespaces = text(map.keys())?;
    let lists = map.values().as_list::<i32>();
    let Some(ids) = lists.values().as_struct().column_by_name("id") else {
        // No identity of the store has any.
        return Ok(found);
    };
    let ids = text(ids)?;
    let offsets = map.value_offsets();
    for (row, ends) in offsets.windows(2).enumerate() {
        let &[start, end] = ends else { continue };
        if map.is_null(row) {
            continue;
        }
        let mut seen = HashSet::new();
        for at in start as usize..end as usize {
            if !namespaces.value(at).eq_ignore_ascii_case(namespace) || lists.is_null(at) {
                continue;
            }
            let list = lists.value_offsets();
            let end = |at: usize| list.get(at).map_or(0, |end| *end as usize);
            for item in end(at)..end(at + 1) {
                if ids.is_valid(item) && seen.insert(ids.value(item)) {
                    found.push((row, ids.value(item).to_owned()));
                }
            }
        }
    }
    Ok(found)
}

/// Text, whether it is in a dictionary or not.
pub(crate) fn text(array: &ArrayRef) -> Result<StringArray> {
    Ok(cast(array, &DataType::Utf8)?.as_string::<i32>().clone())
}
