//! A row for each identity of a namespace.

use std::collections::HashSet;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray, StructArray, UInt32Array};
use arrow::compute::{cast, take_record_batch};
use arrow::datatypes::{DataType, SchemaRef};

use crate::error::Result;

/// The column with a row's identity.
pub(crate) const IDENTITY: &str = "identity";
/// What the rows of a batch may take: offsets of lists and texts have 31 bits.
pub(crate) const MOST_BYTES: u64 = 1 << 30;

/// The rows of the profiles that have one, each as often as its profile has identities of a namespace, with the identity
/// in a column before the others. `identity_map` is that of every profile; `copies` says which have a row, and then how
/// many each has. At least one batch, and as many as it takes for none to have more than `most` bytes, but for a single row.
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
    most: u64,
) -> Result<Vec<RecordBatch>> {
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
    let part = |bounds: Range<usize>| {
        let numbers = UInt32Array::from(numbers[bounds.clone()].to_vec());
        let each = take_record_batch(rows, &numbers)?;
        let identities: ArrayRef = Arc::new(StringArray::from_iter_values(&identities[bounds]));
        let columns = [identities].into_iter();
        let columns = columns.chain(each.columns().iter().cloned());
        Ok(RecordBatch::try_new(schema.clone(), columns.collect())?)
    };
    parts(rows, &numbers, &identities, most)
        .into_iter()
        .map(part)
        .collect()
}

/// Where the rows are cut: nowhere, mostly.
fn parts(rows: &RecordBatch, numbers: &[u32], ids: &[String], most: u64) -> Vec<Range<usize>> {
    let (mut parts, mut start, mut sum) = (Vec::new(), 0, 0);
    // No row takes more than all of them do together.
    let all = rows.get_array_memory_size() as u64;
    let texts: u64 = ids.iter().map(|id| id.len() as u64).sum();
    if all.saturating_mul(numbers.len() as u64) + texts > most {
        let bytes = bytes_of_rows(&StructArray::from(rows.clone()));
        for (at, (number, id)) in numbers.iter().zip(ids).enumerate() {
            let own = bytes[*number as usize] + id.len() as u64;
            if sum + own > most && at > start {
                parts.push(start..at);
                (start, sum) = (at, 0);
            }
            sum += own;
        }
    }
    parts.push(start..numbers.len());
    parts
}

/// What each row counts in the offsets of lists and texts, and a little for the rest.
fn bytes_of_rows(array: &dyn Array) -> Vec<u64> {
    let of_items = |items: &dyn Array, offsets: &[i32]| -> Vec<u64> {
        let items = bytes_of_rows(items);
        let sum = |ends: &[i32]| match ends {
            [start, end] => items[*start as usize..*end as usize].iter().sum::<u64>() + 4,
            _ => 0,
        };
        offsets.windows(2).map(sum).collect()
    };
    match array.data_type() {
        DataType::Struct(_) => {
            let mut bytes = vec![1; array.len()];
            for column in array.as_struct().columns() {
                for (sum, own) in bytes.iter_mut().zip(bytes_of_rows(column.as_ref())) {
                    *sum += own;
                }
            }
            bytes
        }
        DataType::List(_) => {
            let list = array.as_list::<i32>();
            of_items(list.values(), list.value_offsets())
        }
        DataType::Map(..) => {
            let map = array.as_map();
            of_items(map.entries(), map.value_offsets())
        }
        DataType::Utf8 => {
            let ends = array.as_string::<i32>().value_offsets().windows(2);
            ends.map(|ends| match ends {
                [start, end] => 4 + (end - start) as u64,
                _ => 0,
            })
            .collect()
        }
        _ => vec![8; array.len()],
    }
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

#[cfg(test)]
mod tests {
    use arrow::compute::concat_batches;
    use arrow::datatypes::{Field, Schema};
    use serde_json::json;
    use xdm::{FieldType, identity_map, testing};

    use super::*;

    #[test]
    fn rows_that_are_too_many_for_a_batch_become_several() {
        let tags = testing::list(FieldType::String);
        let rows = RecordBatch::try_from_iter([
            (
                "name",
                testing::array(
                    &FieldType::String,
                    &[json!("Ann"), json!("Bob"), json!(null)],
                ),
            ),
            (
                "tags",
                testing::array(
                    &tags,
                    &[json!(["x", "y"]), json!([]), json!(["z".repeat(90)])],
                ),
            ),
        ])
        .expect("rows");
        let of = |ids: &[&str]| {
            let ids: Vec<_> = ids.iter().map(|id| json!({"id": id})).collect();
            json!({"Email": ids})
        };
        let maps = [
            of(&["a", "b", "c"]),
            json!({"ECID": [{"id": "7"}]}),
            of(&["d", "e"]),
        ];
        let maps = testing::array(&identity_map(), &maps);
        let fields = rows.schema().fields().iter().cloned().collect::<Vec<_>>();
        let own = [Arc::new(Field::new(IDENTITY, DataType::Utf8, true))];
        let schema = Arc::new(Schema::new([&own[..], &fields].concat()));
        let made = |most| {
            let mut copies = [1, 1, 1];
            let made = by_identity(&rows, &maps, "email", &schema, &mut copies, most);
            assert_eq!(copies, [3, 0, 2]);
            made.expect("batches")
        };
        let [whole] = &made(MOST_BYTES)[..] else {
            panic!("more than one batch")
        };
        assert_eq!(whole.num_rows(), 5);
        for (most, expected) in [(1, vec![1, 1, 1, 1, 1]), (120, vec![3, 1, 1])] {
            let parts = made(most);
            let counts: Vec<usize> = parts.iter().map(RecordBatch::num_rows).collect();
            assert_eq!(counts, expected, "{most}");
            assert_eq!(&concat_batches(&schema, &parts).expect("one"), whole);
        }
        // Where nobody has an identity there is a batch of no rows.
        let mut copies = [1, 1, 1];
        let none = by_identity(&rows, &maps, "Phone", &schema, &mut copies, 1).expect("a batch");
        assert_eq!((none.len(), none[0].num_rows()), (1, 0));
    }
}
