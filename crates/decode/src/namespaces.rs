//! The namespaces that are keys of records' maps.

use arrow::array::{Array, AsArray, MapArray, StructArray};
use arrow::datatypes::Int32Type;
use hashbrown::HashSet;
use xdm::{IDENTITY_MAP, SEGMENT_MEMBERSHIP};

/// Each spelling of a namespace once, in the order in which records bring them: in one record those of `identityMap`
/// before those of `segmentMembership`. How many records there are at once makes no difference.
pub(crate) fn namespaces_of(records: &StructArray) -> Vec<String> {
    let mut found: Vec<(usize, usize, &str)> = Vec::new();
    for (number, name) in [IDENTITY_MAP, SEGMENT_MEMBERSHIP].iter().enumerate() {
        if let Some(map) = records
            .column_by_name(name)
            .and_then(|column| column.as_map_opt())
        {
            found.extend(firsts(map).into_iter().map(|(row, key)| (row, number, key)));
        }
    }
    // Stable, so that keys of one map stay in order.
    found.sort_by_key(|(row, number, _)| (*row, *number));
    let mut known = HashSet::new();
    found.retain(|(_, _, key)| known.insert(*key));
    found.into_iter().map(|(.., key)| key.to_owned()).collect()
}

/// The first row of each key.
fn firsts(map: &MapArray) -> Vec<(usize, &str)> {
    let mut firsts = Vec::new();
    let entries = |row: usize| -> std::ops::Range<usize> {
        let ends = map.value_offsets().get(row..row + 2);
        match ends {
            Some([start, end]) if map.is_valid(row) => *start as usize..*end as usize,
            _ => 0..0,
        }
    };
    if let Some(keys) = map.keys().as_dictionary_opt::<Int32Type>() {
        let Some(values) = keys.values().as_string_opt::<i32>() else {
            return firsts;
        };
        let mut seen = vec![false; values.len()];
        for row in 0..map.len() {
            for entry in entries(row) {
                let Some(key) = keys.key(entry) else { continue };
                if let Some(seen) = seen.get_mut(key).filter(|seen| !**seen) {
                    *seen = true;
                    firsts.push((row, values.value(key)));
                }
            }
        }
    } else if let Some(keys) = map.keys().as_string_opt::<i32>() {
        let mut seen = HashSet::new();
        for row in 0..map.len() {
            for entry in entries(row) {
                if seen.insert(keys.value(entry)) {
                    firsts.push((row, keys.value(entry)));
                }
            }
        }
    }
    firsts
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, MapBuilder, StringBuilder};
    use arrow::datatypes::{DataType, Field, Fields};

    use super::*;

    fn map(rows: &[&[&str]], in_dictionary: bool) -> ArrayRef {
        let mut builder = MapBuilder::new(None, StringBuilder::new(), StringBuilder::new());
        for row in rows {
            for key in *row {
                builder.keys().append_value(key);
                builder.values().append_value("");
            }
            builder.append(true).expect("a row");
        }
        let map = builder.finish();
        if !in_dictionary {
            return Arc::new(map);
        }
        let ty = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
        let keys = arrow::compute::cast(map.keys(), &ty).expect("a dictionary");
        let parts = Fields::from(vec![
            Field::new("key", ty, false),
            Field::new("value", DataType::Utf8, true),
        ]);
        let pairs = StructArray::new(parts.clone(), vec![keys, map.values().clone()], None);
        let entries = Field::new("entries", DataType::Struct(parts), false);
        let offsets = map.offsets().clone();
        Arc::new(MapArray::new(
            Arc::new(entries),
            offsets,
            pairs,
            None,
            false,
        ))
    }

    #[test]
    fn spellings_come_in_the_order_of_records_and_of_the_two_maps() {
        for in_dictionary in [true, false] {
            let identities = map(&[&["Foo"], &["Email", "bar"], &["foo"]], in_dictionary);
            let memberships = map(&[&[], &["AAM", "Bar"], &["ups"]], in_dictionary);
            let records = StructArray::from(vec![
                (field(SEGMENT_MEMBERSHIP, &memberships), memberships),
                (field(IDENTITY_MAP, &identities), identities),
            ]);
            let expected = ["Foo", "Email", "bar", "AAM", "Bar", "foo", "ups"];
            assert_eq!(namespaces_of(&records), expected, "{in_dictionary}");
            // The same, record by record.
            let each = (0..3).flat_map(|row| namespaces_of(&records.slice(row, 1)));
            assert_eq!(each.collect::<Vec<_>>(), expected);
        }
    }

    fn field(name: &str, array: &ArrayRef) -> Arc<Field> {
        Arc::new(Field::new(name, array.data_type().clone(), true))
    }
}
