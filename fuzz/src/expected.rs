//! What a document's columns must hold.

use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, StructArray};
use arrow::datatypes::{
    DataType, Date32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    TimestampMicrosecondType,
};
use xdm::{Spelling, Timestamp, parse_date, spelling};

use crate::tree::Tree;

/// A value that is expected: of the document, or put together from parts of it.
pub enum Expected<'a> {
    Value(&'a Tree),
    Fields(Fields<'a>),
    Map(Vec<(&'a str, Expected<'a>)>),
}

type Fields<'a> = Vec<(&'a str, Expected<'a>)>;

/// What a record must become; `None` where it must be refused. It may have a field `segments` of its own.
pub fn record(tree: &Tree, has_own_segments: bool) -> Option<Expected<'_>> {
    let Tree::Object(entries) = tree else {
        return None;
    };
    let mut plain = Vec::new();
    let mut memberships = Vec::new();
    for (key, value) in entries {
        match (spelling(key), value) {
            (Spelling::Field("segmentMembership"), Tree::List(list)) => memberships.push(list),
            (Spelling::Field("segments"), Tree::List(list))
                if !has_own_segments && name_segments(list) =>
            {
                // An empty one says nothing.
                if !list.is_empty() {
                    memberships.push(list);
                }
            }
            (spelled, _) => plain.push((spelled, value)),
        }
    }
    let mut fields = fields(plain);
    for list in memberships {
        fields.push(("segmentMembership", membership_map(list)?));
    }
    Some(Expected::Fields(fields))
}

/// The fields of an object: those of `_repo` come as an object, as `repo:` keys, or as both.
fn fields<'a>(entries: impl IntoIterator<Item = (Spelling<'a>, &'a Tree)>) -> Fields<'a> {
    let mut fields = Vec::new();
    let mut repo = Vec::new();
    for (spelled, value) in entries {
        match (spelled, value) {
            (Spelling::Repo(name), _) => repo.push((Spelling::Field(name), value)),
            (Spelling::Field("_repo"), Tree::Object(inner)) => {
                repo.extend(inner.iter().map(|(key, value)| {
                    let (Spelling::Field(name) | Spelling::Repo(name)) = spelling(key);
                    (Spelling::Field(name), value)
                }))
            }
            (Spelling::Field(name), _) => fields.push((name, Expected::Value(value))),
        }
    }
    if !repo.is_empty() {
        fields.push(("_repo", Expected::Fields(self::fields(repo))));
    }
    fields
}

fn spelled(entries: &[(String, Tree)]) -> impl Iterator<Item = (Spelling<'_>, &Tree)> {
    entries.iter().map(|(key, value)| (spelling(key), value))
}

fn field<'a>(tree: &'a Tree, name: &str) -> Option<&'a Tree> {
    let Tree::Object(entries) = tree else {
        return None;
    };
    spelled(entries)
        .find(|(key, _)| *key == Spelling::Field(name))
        .map(|(_, value)| value)
}

fn name_segments(list: &[Tree]) -> bool {
    list.iter().all(|entry| field(entry, "segmentID").is_some())
}

/// The older array form of memberships as a map by namespace and segment.
fn membership_map(list: &[Tree]) -> Option<Expected<'_>> {
    let mut namespaces: Vec<(&str, Vec<(&str, Expected<'_>)>)> = Vec::new();
    for entry in list {
        let segment = field(entry, "segmentID")?;
        let Tree::Text(id) = field(segment, "_id")? else {
            return None;
        };
        let code = match field(segment, "namespace").and_then(|namespace| field(namespace, "code"))
        {
            Some(Tree::Text(code)) => code,
            _ => "ups",
        };
        let Tree::Object(entries) = entry else {
            return None;
        };
        let others = spelled(entries).filter(|(key, _)| *key != Spelling::Field("segmentID"));
        let membership = Expected::Fields(fields(others));
        let same = |(known, _): &&mut (&str, _)| known.eq_ignore_ascii_case(code);
        match namespaces.iter_mut().find(same) {
            Some((_, members)) => members.push((id, membership)),
            None => namespaces.push((code, vec![(id, membership)])),
        }
    }
    let maps = namespaces
        .into_iter()
        .map(|(code, members)| (code, Expected::Map(members)));
    Some(Expected::Map(maps.collect()))
}

/// Whether a row of a column holds what is expected.
pub fn is_same(array: &ArrayRef, row: usize, expected: &Expected<'_>) -> bool {
    is_same_in(array, row, expected, 0)
}

/// `maps` is how many maps the column stands in, one directly in the other.
fn is_same_in(array: &ArrayRef, row: usize, expected: &Expected<'_>, maps: usize) -> bool {
    let is_null = *array.data_type() == DataType::Null || array.is_null(row);
    if is_null || matches!(expected, Expected::Value(Tree::Null)) {
        return is_null && matches!(expected, Expected::Value(Tree::Null));
    }
    match (array.data_type(), expected) {
        (DataType::Struct(_), Expected::Fields(fields)) => {
            has_fields(array.as_struct(), row, fields, maps)
        }
        (DataType::Struct(_), Expected::Value(Tree::Object(entries))) => {
            has_fields(array.as_struct(), row, &fields(spelled(entries)), maps)
        }
        (DataType::Map(..), Expected::Map(entries)) => has_entries(array, row, entries, maps),
        (DataType::Map(..), Expected::Value(Tree::Object(entries))) => {
            let entries = entries
                .iter()
                .map(|(key, value)| (key.as_str(), Expected::Value(value)));
            has_entries(array, row, &entries.collect::<Vec<_>>(), maps)
        }
        (DataType::List(_), Expected::Value(Tree::List(expected))) => {
            let items = array.as_list::<i32>().value(row);
            let same = |(i, item)| is_same_in(&items, i, &Expected::Value(item), 0);
            items.len() == expected.len() && expected.iter().enumerate().all(same)
        }
        (_, Expected::Value(tree)) => is_same_scalar(array, row, tree),
        _ => false,
    }
}

fn has_fields(
    object: &StructArray,
    row: usize,
    fields: &[(&str, Expected<'_>)],
    maps: usize,
) -> bool {
    let is_membership = maps >= 2 && object.column_by_name("lastQualificationTime").is_some();
    // The older form of memberships says it so.
    let renamed = |name| match name {
        "timestamp" if is_membership => "lastQualificationTime",
        other => other,
    };
    let mut seen = Vec::new();
    for (name, expected) in fields {
        let name = renamed(*name);
        let Some(column) = object.column_by_name(name) else {
            return false;
        };
        if seen.contains(&name) || !is_same_in(column, row, expected, 0) {
            return false;
        }
        seen.push(name);
    }
    let mut others = object.fields().iter().zip(object.columns());
    others.all(|(field, column)| {
        seen.contains(&field.name().as_str())
            || is_same_in(column, row, &Expected::Value(&Tree::Null), 0)
    })
}

fn has_entries(map: &ArrayRef, row: usize, expected: &[(&str, Expected<'_>)], maps: usize) -> bool {
    let entries = map.as_map().value(row);
    let [keys, values] = entries.columns() else {
        return false;
    };
    let is_new = |i: usize, key: &str| expected.iter().take(i).all(|(other, _)| *other != key);
    let same = |(i, (key, value)): (usize, &(&str, Expected<'_>))| {
        is_new(i, key)
            && text(keys, i).as_deref() == Some(*key)
            && is_same_in(values, i, value, maps + 1)
    };
    entries.len() == expected.len() && expected.iter().enumerate().all(same)
}

fn is_same_scalar(array: &ArrayRef, row: usize, tree: &Tree) -> bool {
    match (array.data_type(), tree) {
        (DataType::Boolean, Tree::Boolean(b)) => array.as_boolean().value(row) == *b,
        (DataType::Int8, _) => is_integer(value::<Int8Type>(array, row).into(), tree),
        (DataType::Int16, _) => is_integer(value::<Int16Type>(array, row).into(), tree),
        (DataType::Int32, _) => is_integer(value::<Int32Type>(array, row).into(), tree),
        (DataType::Int64, _) => is_integer(value::<Int64Type>(array, row).into(), tree),
        (DataType::Float64, Tree::Float(x)) => value::<Float64Type>(array, row) == *x,
        // An integer beside fractions must not lose a digit.
        (DataType::Float64, Tree::Integer(i)) => value::<Float64Type>(array, row) as i128 == *i,
        (DataType::Date32, Tree::Text(text)) => {
            parse_date(text) == Some(value::<Date32Type>(array, row))
        }
        (DataType::Timestamp(..), Tree::Text(text)) => {
            let micros = value::<TimestampMicrosecondType>(array, row);
            Timestamp::parse(text) == Some(Timestamp::from_micros(micros))
        }
        (DataType::Utf8 | DataType::Dictionary(..), Tree::Text(expected)) => {
            text(array, row).as_deref() == Some(expected)
        }
        _ => false,
    }
}

/// JSON knows one kind of number: 5.0 is an integer where a schema asks for one.
fn is_integer(found: i128, tree: &Tree) -> bool {
    match tree {
        Tree::Integer(i) => found == *i,
        Tree::Float(x) => found as f64 == *x && found.unsigned_abs() <= 1 << 53,
        _ => false,
    }
}

fn value<T: ArrowPrimitiveType>(array: &ArrayRef, row: usize) -> T::Native {
    array.as_primitive::<T>().value(row)
}

fn text(array: &ArrayRef, row: usize) -> Option<String> {
    if let Some(plain) = array.as_string_opt::<i32>() {
        return Some(plain.value(row).to_owned());
    }
    let dictionary = array.as_dictionary_opt::<arrow::datatypes::Int32Type>()?;
    let key = dictionary.key(row)?;
    Some(dictionary.values().as_string::<i32>().value(key).to_owned())
}
