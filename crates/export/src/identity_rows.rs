//! A row for each identity of a namespace.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray, UInt32Array};
use arrow::compute::{cast, take_record_batch};
use arrow::datatypes::{DataType, SchemaRef};

use crate::error::Result;

/// The column with a row's identity.
pub(crate) const IDENTITY: &str = "identity";

/// The rows, each as often as it has identities of a namespace, with the identity in a column before the others, and
/// which row each is from.
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
) -> Result<(RecordBatch, Vec<u32>)> {
    let (numbers, ids): (Vec<u32>, Vec<String>) = ids_in(identity_map, namespace)?
        .into_iter()
        .map(|(row, id)| (row as u32, id))
        .unzip();
    let each = take_record_batch(rows, &UInt32Array::from(numbers.clone()))?;
    let identities: ArrayRef = Arc::new(StringArray::from(ids));
    let columns = [identities]
        .into_iter()
        .chain(each.columns().iter().cloned());
    let rows = RecordBatch::try_new(schema.clone(), columns.collect())?;
    Ok((rows, numbers))
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
        let first = found.len();
        for at in start as usize..end as usize {
            if !namespaces.value(at).eq_ignore_ascii_case(namespace) || lists.is_null(at) {
                continue;
            }
            let list = lists.value_offsets();
            let end = |at: usize| list.get(at).map_or(0, |end| *end as usize);
            for item in end(at)..end(at + 1) {
                let is_new = |id: &str| found[first..].iter().all(|(_, known)| known != id);
                if ids.is_valid(item) && is_new(ids.value(item)) {
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
