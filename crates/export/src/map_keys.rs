//! Namespaces as keys of maps: in one spelling, or as each record has them.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, MapArray, StringArray, StructArray};
use arrow::datatypes::Int32Type;
use gather::{Column, RowRef};
use merge::{Groups, MergedFields};
use run::Snapshot;
use serde::{Deserialize, Serialize};
use xdm::{IDENTITY_MAP, Namespaces, SEGMENT_MEMBERSHIP};

use crate::error::{Error, Result};
use crate::identity_rows::text;

/// How namespaces are spelled as keys of maps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case")]
pub enum MapKeys {
    /// Each in one way: standard ones as the platform does, others as they were first loaded.
    #[default]
    OneSpelling,
    /// As the records have them: a profile's as its fragment with priority does.
    AsIs,
}

/// How the namespaces of a snapshot are spelled. A store that was last loaded by a program which did not note it has
/// those of its oldest run that has them; of several there, the first in the order of bytes.
pub(crate) fn namespaces_of(snapshot: &Snapshot) -> Result<Namespaces> {
    if !snapshot.namespaces.codes().is_empty() {
        return Ok(snapshot.namespaces.clone());
    }
    Ok(snapshot.namespaces_of_runs()?)
}

/// Fields of merged profiles with their namespaces spelled so.
pub(crate) fn spelled(fields: MergedFields, namespaces: &Namespaces) -> Result<MergedFields> {
    let fields = fields.into_iter();
    let fields = fields.map(|(name, array)| {
        let array = match has_namespaces(&name) {
            true => respelled(&array, namespaces)?.unwrap_or(array),
            false => array,
        };
        Ok((name, array))
    });
    fields.collect()
}

/// The same of records that are not merged: where one has a namespace in two spellings, their entries are united.
pub(crate) fn spelled_alone(fields: MergedFields, namespaces: &Namespaces) -> Result<MergedFields> {
    let fields = fields.into_iter();
    let fields = fields.map(|(name, array)| {
        let Some(other) = respelled(&array, namespaces)?.filter(|_| has_namespaces(&name)) else {
            return Ok((name, array));
        };
        let other = united_where_twice(&name, other)?;
        Ok((name, other))
    });
    fields.collect()
}

fn has_namespaces(name: &str) -> bool {
    name == IDENTITY_MAP || name == SEGMENT_MEMBERSHIP
}

/// A map with other keys; `None` where all are right, which is the rule.
fn respelled(array: &ArrayRef, namespaces: &Namespaces) -> Result<Option<ArrayRef>> {
    let Some(map) = array.as_map_opt() else {
        return Ok(None);
    };
    let keys = map.keys();
    let other: Option<ArrayRef> = match keys.as_dictionary_opt::<Int32Type>() {
        Some(dictionary) => {
            let values = dictionary.values().as_string_opt::<i32>();
            let values = values.and_then(|values| replaced(values, namespaces));
            values.map(|values| Arc::new(dictionary.with_values(Arc::new(values))) as ArrayRef)
        }
        None => {
            let values = keys.as_string_opt::<i32>();
            let values = values.and_then(|values| replaced(values, namespaces));
            values.map(|values| Arc::new(values) as ArrayRef)
        }
    };
    let Some(keys) = other else { return Ok(None) };
    let (entries, offsets, pairs, nulls, ordered) = map.clone().into_parts();
    let (parts, columns, _) = pairs.into_parts();
    let values = columns.into_iter().skip(1);
    let columns = [keys].into_iter().chain(values).collect();
    let pairs = StructArray::try_new(parts, columns, None)?;
    let map = MapArray::try_new(entries, offsets, pairs, nulls, ordered)?;
    Ok(Some(Arc::new(map)))
}

/// The texts where one is spelled otherwise.
fn replaced(texts: &StringArray, namespaces: &Namespaces) -> Option<StringArray> {
    let is_other = |text: Option<&str>| text.is_some_and(|text| namespaces.spelled(text) != text);
    let spelled = |text: Option<&'_ str>| text.map(|text| namespaces.spelled(text).to_owned());
    (texts.iter().any(is_other)).then(|| texts.iter().map(spelled).collect())
}

/// The maps, of which those that have a key twice are united with themselves, as a profile's are; the others stay, so that
/// what becomes of a record does not depend on those beside it.
fn united_where_twice(name: &str, array: ArrayRef) -> Result<ArrayRef> {
    let map = array.as_map();
    let keys = text(map.keys())?;
    let twice = map.value_offsets().windows(2).map(|ends| {
        let [start, end] = ends else { return false };
        let entries = *start as usize..*end as usize;
        (entries.clone())
            .any(|at| (entries.start..at).any(|before| keys.value(before) == keys.value(at)))
    });
    let twice: Vec<bool> = twice.collect();
    if !twice.contains(&true) {
        return Ok(array);
    }
    let (ty, rows) = (array.data_type().clone(), 0..array.len() as u32);
    let column = Column::new(&ty, &[Some(array.clone())])?;
    let mut groups = Groups::default();
    rows.clone()
        .for_each(|row| groups.push([RowRef::new(0, row)]));
    let merged = merge::merge(&[(name, &column)], &groups).map_err(|error| match error {
        merge::Error::Arrow(error) => Error::from(error),
        merge::Error::Stopped => decode::Error::Cancelled.into(),
    })?;
    let united = merged.into_iter().next().map(|(_, united)| united);
    let both = Column::new(&ty, &[Some(array), united])?;
    let rows = rows.zip(twice);
    let rows: Vec<RowRef> = rows
        .map(|(row, twice)| RowRef::new(u32::from(twice), row))
        .collect();
    Ok(both.interleave(&rows)?)
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use xdm::{identity_map, testing};

    use super::*;

    fn namespaces() -> Namespaces {
        ["crmId", "email"].iter().collect()
    }

    fn of(rows: &[serde_json::Value]) -> MergedFields {
        let array = testing::array(&identity_map(), rows);
        vec![(IDENTITY_MAP.to_owned(), array)]
    }

    fn values(fields: &MergedFields) -> Vec<serde_json::Value> {
        testing::values(&fields[0].1)
    }

    #[test]
    fn keys_get_the_spelling_that_came_first() {
        let one = json!([{"id": "7", "authenticatedState": null, "primary": null}]);
        let rows = [
            json!({"CRMID": one, "EMAIL": one}),
            json!(null),
            json!({"x": one}),
        ];
        let expected = [
            json!({"crmId": one, "Email": one}),
            json!(null),
            json!({"x": one}),
        ];
        let alike = spelled(of(&rows), &namespaces()).expect("maps");
        assert_eq!(values(&alike), expected);
        let right = of(&expected);
        let before = right[0].1.as_map().keys().to_data().buffers()[1].as_ptr();
        let same = spelled(right, &namespaces()).expect("maps");
        assert_eq!(
            same[0].1.as_map().keys().to_data().buffers()[1].as_ptr(),
            before
        );
    }

    #[test]
    fn two_spellings_in_one_record_become_one_entry() {
        let one = |id: &str| json!({"id": id, "authenticatedState": null, "primary": null});
        let rows = [
            json!({"CRMID": [one("7")], "ECID": [one("1")], "crmid": [one("8"), one("7")]}),
            json!({"crmId": [one("9"), one("9")]}),
        ];
        let alone = spelled_alone(of(&rows), &namespaces()).expect("maps");
        let expected = [
            json!({"crmId": [one("7"), one("8")], "ECID": [one("1")]}),
            json!({"crmId": [one("9"), one("9")]}),
        ];
        assert_eq!(values(&alone), expected);
    }
}
