//! Profiles of many fragments, beside what comparing each item with all before it makes of them.

use std::cell::Cell;
use std::sync::Arc;

use arrow::array::{AsArray, StringArray};
use arrow::buffer::OffsetBuffer;
use proptest::collection::{btree_map, vec};
use proptest::option::weighted;
use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use crate::merge_until;
use crate::union::lookup::MOST_SCANNED;

/// What `identityMap` becomes; each identity is known by its `id`.
fn united_identity_map(fragments: &[Value]) -> Value {
    let mut entries: Vec<(&str, Vec<&Value>)> = Vec::new();
    let maps = || fragments.iter().filter_map(Value::as_object);
    for (namespace, items) in maps().flatten() {
        let Some(items) = items.as_array() else {
            continue;
        };
        let at = place_of(&mut entries, namespace);
        for item in items.iter().filter(|item| !item.is_null()) {
            let known = &mut entries[at].1;
            if item["id"].is_null() || known.iter().all(|other| other["id"] != item["id"]) {
                known.push(item);
            }
        }
    }
    match maps().next() {
        Some(_) => object(entries.iter().map(|(key, items)| (*key, json!(items)))),
        None => Value::Null,
    }
}

/// What `segmentMembership` becomes.
fn united_memberships(fragments: &[Value]) -> Value {
    let mut entries: Vec<(&str, Vec<(&str, &Value)>)> = Vec::new();
    let maps = || fragments.iter().filter_map(Value::as_object);
    for (namespace, segments) in maps().flatten() {
        let Some(segments) = segments.as_object() else {
            continue;
        };
        let at = place_of(&mut entries, namespace);
        for (segment, membership) in segments.iter().filter(|(_, one)| !one.is_null()) {
            let known = &mut entries[at].1;
            if known.iter().all(|(other, _)| other != segment) {
                known.push((segment, membership));
            }
        }
    }
    let members = |of: &[(&str, &Value)]| object(of.iter().map(|(key, one)| (*key, json!(one))));
    match maps().next() {
        Some(_) => object(entries.iter().map(|(key, of)| (*key, members(of)))),
        None => Value::Null,
    }
}

/// What `identities` becomes.
fn united_identities(fragments: &[Value]) -> Value {
    let mut known: Vec<&Value> = Vec::new();
    let lists = || fragments.iter().filter_map(Value::as_array);
    for item in lists().flatten().filter(|item| !item.is_null()) {
        let is_same = |other: &&Value| {
            let [one, other] = [item, other].map(|i| (i["namespace"]["code"].as_str(), &i["id"]));
            match (one, other) {
                ((Some(code), id), (Some(other_code), other_id)) => {
                    !id.is_null() && id == other_id && code.eq_ignore_ascii_case(other_code)
                }
                _ => false,
            }
        };
        if !known.iter().any(is_same) {
            known.push(item);
        }
    }
    match lists().next() {
        Some(_) => json!(known),
        None => Value::Null,
    }
}

/// Where the entry of a namespace is, which is added where there is none.
fn place_of<'a, T>(entries: &mut Vec<(&'a str, Vec<T>)>, namespace: &'a str) -> usize {
    let known = entries
        .iter()
        .position(|(known, _)| known.eq_ignore_ascii_case(namespace));
    known.unwrap_or_else(|| {
        entries.push((namespace, Vec::new()));
        entries.len() - 1
    })
}

fn object(entries: impl Iterator<Item = (impl Into<String>, Value)>) -> Value {
    let entries = entries.map(|(key, value)| (key.into(), value));
    Value::Object(entries.collect())
}

fn identities_type() -> FieldType {
    let code = testing::object([("code", FieldType::String)]);
    testing::list(testing::object([
        ("id", FieldType::String),
        ("namespace", code),
        ("from", testing::LONG),
    ]))
}

/// Of so many names: few make duplicates, many make long lists.
fn name(stem: &'static str, of: usize) -> impl Strategy<Value = String> + Clone {
    (0..of, select(vec![false, true])).prop_map(move |(n, is_upper)| {
        let name = format!("{stem}{n}");
        if is_upper { name.to_uppercase() } else { name }
    })
}

/// How many names there are to choose from.
fn variety() -> impl Strategy<Value = usize> {
    select(vec![1, 3, MOST_SCANNED, 4 * MOST_SCANNED])
}

fn or_null(values: impl Strategy<Value = Value>) -> impl Strategy<Value = Value> {
    weighted(0.9, values).prop_map(Option::unwrap_or_default)
}

fn map_of(
    keys: impl Strategy<Value = String>,
    values: impl Strategy<Value = Value>,
    most: usize,
) -> impl Strategy<Value = Value> {
    let map = btree_map(keys, or_null(values), 0..most);
    map.prop_map(|map| object(map.into_iter()))
}

/// Some profiles: the fragments of each, of which `fragment` makes one from the numbers of names.
fn profiles<S: Strategy<Value = Value> + 'static>(
    fragment: impl Fn(usize, usize) -> S + Clone + 'static,
) -> impl Strategy<Value = Vec<Vec<Value>>> {
    let profile = (variety(), variety())
        .prop_flat_map(move |(namespaces, ids)| vec(or_null(fragment(namespaces, ids)), 0..12));
    vec(profile, 1..4)
}

fn identity_maps() -> impl Strategy<Value = Vec<Vec<Value>>> {
    profiles(|namespaces, ids| {
        let identity = (weighted(0.9, name("id", ids)), any::<bool>())
            .prop_map(|(id, primary)| json!({"id": id, "primary": primary}));
        let list = vec(or_null(identity), 0..2 * MOST_SCANNED).prop_map(Value::Array);
        map_of(name("ns", namespaces), list, 6)
    })
}

fn memberships() -> impl Strategy<Value = Vec<Vec<Value>>> {
    profiles(|namespaces, segments| {
        let membership = select(vec!["realized", "exited"]).prop_map(|s| json!({"status": s}));
        let segments = map_of(name("segment", segments), membership, 2 * MOST_SCANNED);
        map_of(name("ns", namespaces), segments, 6)
    })
}

fn identities() -> impl Strategy<Value = Vec<Vec<Value>>> {
    profiles(|namespaces, ids| {
        let code = weighted(0.9, name("ns", namespaces));
        let identity = (code, weighted(0.9, name("id", ids)), 0..100).prop_map(
            |(code, id, from)| json!({"id": id, "namespace": {"code": code}, "from": from}),
        );
        vec(or_null(identity), 0..2 * MOST_SCANNED).prop_map(Value::Array)
    })
}

fn hold(
    field: &str,
    ty: &FieldType,
    profiles: &[Vec<Value>],
    united: fn(&[Value]) -> Value,
) -> Result<(), TestCaseError> {
    let fragments: Vec<&[Value]> = profiles.iter().map(Vec::as_slice).collect();
    let expected: Vec<Value> = profiles.iter().map(|profile| united(profile)).collect();
    prop_assert_eq!(merged(field, ty, &fragments), texts(&expected));
    Ok(())
}

proptest! {
    #[test]
    fn identity_maps_are_what_comparing_each_with_all_makes(profiles in identity_maps()) {
        hold("identityMap", &identity_map_type(), &profiles, united_identity_map)?;
    }

    #[test]
    fn memberships_are_what_comparing_each_with_all_makes(profiles in memberships()) {
        hold("segmentMembership", &segment_type(), &profiles, united_memberships)?;
    }

    #[test]
    fn lists_of_identities_are_what_comparing_each_with_all_makes(profiles in identities()) {
        hold("identities", &identities_type(), &profiles, united_identities)?;
    }
}

#[test]
fn namespaces_keep_the_spelling_with_priority_however_many_there_are() {
    let many = 3 * MOST_SCANNED;
    let entry = |name: String, id: &str| json!({name: [{"id": id, "primary": null}]});
    let mut profile: Vec<Value> = (0..many)
        .map(|n| entry(format!("Name{n}"), "first"))
        .collect();
    profile.extend((0..many).map(|n| entry(format!("nAME{n}"), "second")));
    let both = json!([{"id": "first", "primary": null}, {"id": "second", "primary": null}]);
    let expected = object((0..many).map(|n| (format!("Name{n}"), both.clone())));
    assert_eq!(
        merged("identityMap", &identity_map_type(), &[&profile]),
        texts(&[expected])
    );
}

#[test]
fn ascii_alone_has_no_case_in_namespaces_and_ids_have_it_however_many_there_are() {
    let filler = |n: usize| format!("filler{n}");
    let names = || (0..2 * MOST_SCANNED).map(filler);
    let segments = |keys: &[&str]| {
        let keys = names().chain(keys.iter().map(|key| (*key).to_owned()));
        let status = || json!({"status": null});
        json!({"ups": object(keys.map(|key| (key, status())))})
    };
    assert_eq!(
        merged(
            "segmentMembership",
            &segment_type(),
            &[&[segments(&["a"]), segments(&["A", "a"])]]
        ),
        texts(&[segments(&["a", "A"])])
    );

    let namespaces = |keys: &[&str]| {
        let keys = names().chain(keys.iter().map(|key| (*key).to_owned()));
        object(keys.map(|key| (key, json!([{"id": "x", "primary": null}]))))
    };
    assert_eq!(
        merged(
            "identityMap",
            &identity_map_type(),
            &[&[namespaces(&["Ä"]), namespaces(&["ä"])]]
        ),
        texts(&[namespaces(&["Ä", "ä"])])
    );
}

#[test]
fn items_without_an_identity_all_stay_and_null_ones_all_go_however_many_there_are() {
    let many = 3 * MOST_SCANNED;
    let without = |n: usize| json!({"id": null, "primary": n.is_multiple_of(2)});
    let with = |n: usize| json!({"id": format!("id{n}"), "primary": null});
    let list =
        |item: &dyn Fn(usize) -> Value| json!({"A": (0..many).map(item).collect::<Vec<_>>()});
    let profile = [
        list(&with),
        list(&|_| json!(null)),
        list(&without),
        list(&with),
        json!({"A": null}),
    ];
    let all: Vec<Value> = (0..many).map(with).chain((0..many).map(without)).collect();
    assert_eq!(
        merged("identityMap", &identity_map_type(), &[&profile]),
        texts(&[json!({"A": all})])
    );

    let of = |code: Option<&str>, id: Option<usize>, from: usize| {
        let id = id.map(|id| id.to_string());
        json!({"id": id, "namespace": {"code": code}, "from": from})
    };
    let identified = |from: usize| (0..many).map(move |n| of(Some("A"), Some(n), from));
    let nameless = |from: usize| (0..many).map(move |n| of(None, Some(n), from));
    let idless = |from: usize| (0..many).map(move |_| of(Some("A"), None, from));
    let fragment = |from| -> Vec<Value> {
        let nulls = (0..many).map(|_| json!(null));
        let some = nulls.chain(identified(from));
        some.chain(nameless(from)).chain(idless(from)).collect()
    };
    let first = identified(1).chain(nameless(1)).chain(idless(1));
    let expected: Vec<Value> = first.chain(nameless(2)).chain(idless(2)).collect();
    assert_eq!(
        merged(
            "identities",
            &identities_type(),
            &[&[json!(fragment(1)), json!(null), json!(fragment(2))]]
        ),
        texts(&[json!(expected)])
    );
}

/// Maps of our own making hold a segment once; those of others are taken as they are.
#[test]
fn a_segment_that_one_map_has_twice_competes_with_those_of_other_maps_alone() {
    for (unique, kept) in [(1, 6), (3 * MOST_SCANNED, 3 * MOST_SCANNED + 5)] {
        let mut first: Vec<String> = (0..unique).map(|n| n.to_string()).collect();
        first.extend(["0", "0", "0"].map(str::to_owned));
        let second = ["0", "another", "another"].map(str::to_owned);
        let column = column_of_memberships(&[&first, &second]);
        let mut groups = Groups::default();
        groups.push([RowRef::new(0, 0), RowRef::new(0, 1)]);
        let fields = merge(&[("segmentMembership", &column)], &groups).expect("merged fields");
        let inner = fields[0].1.as_map().values().as_map().clone();
        assert_eq!(
            inner.keys().as_string::<i32>().iter().flatten().count(),
            kept
        );
    }
}

/// A row a list of segments, all under one namespace.
fn column_of_memberships(rows: &[&[String]]) -> Column {
    let ty = segment_type().data_type();
    let DataType::Map(entries, _) = &ty else {
        unreachable!("a map");
    };
    let DataType::Struct(parts) = entries.data_type() else {
        unreachable!("entries");
    };
    let DataType::Map(inner_entries, _) = parts[1].data_type() else {
        unreachable!("a map in the map");
    };
    let DataType::Struct(inner_parts) = inner_entries.data_type() else {
        unreachable!("entries");
    };
    let segments: Vec<&String> = rows.iter().copied().flatten().collect();
    let status = testing::object([("status", FieldType::String)]);
    let statuses = vec![json!({"status": "realized"}); segments.len()];
    let statuses = testing::array(&status, &statuses);
    let map = |entries: &FieldRef, parts: &arrow::datatypes::Fields, lengths, keys, values| {
        let keys: ArrayRef = Arc::new(StringArray::from_iter_values::<&str, Vec<&str>>(keys));
        let pairs = StructArray::new(parts.clone(), vec![keys, values], None);
        let offsets = OffsetBuffer::from_lengths::<Vec<usize>>(lengths);
        MapArray::new(entries.clone(), offsets, pairs, None, false)
    };
    let keys = segments.iter().map(|s| s.as_str()).collect();
    let lengths = rows.iter().map(|row| row.len()).collect();
    let inner = map(inner_entries, inner_parts, lengths, keys, statuses);
    let (names, ones) = (vec!["ups"; rows.len()], vec![1; rows.len()]);
    let outer: ArrayRef = Arc::new(map(entries, parts, ones, names, Arc::new(inner)));
    Column::new(&ty, &[Some(outer)]).expect("a column")
}

#[test]
fn the_union_of_one_long_profile_hears_that_it_is_to_stop() {
    let many = 0..10_000;
    let identity = |n: usize| json!({"id": n.to_string(), "namespace": {"code": "A"}});
    let item = |n: usize| json!({"id": n.to_string(), "primary": null});
    let segments = object(
        many.clone()
            .map(|n| (n.to_string(), json!({"status": null}))),
    );
    let namespaces = object(many.clone().map(|n| (n.to_string(), json!([]))));
    let items: Vec<Value> = many.clone().map(item).collect();
    let identities: Vec<Value> = many.map(identity).collect();
    for (field, ty, value) in [
        ("identities", identities_type(), json!(identities)),
        ("identityMap", identity_map_type(), json!({"A": items})),
        ("identityMap", identity_map_type(), namespaces),
        (
            "segmentMembership",
            segment_type(),
            json!({"ups": segments}),
        ),
    ] {
        let source = testing::array(&ty, &[value]);
        let column = Column::new(&ty.data_type(), &[Some(source)]).expect("a column");
        let mut groups = Groups::default();
        groups.push([RowRef::new(0, 0)]);
        let asked = Cell::new(0);
        let is_to_stop = || asked.replace(asked.get() + 1) == 2;
        let merged = merge_until(&[(field, &column)], &groups, &is_to_stop);
        assert!(matches!(merged, Err(Error::Stopped)), "{field}");
        assert_eq!(asked.get(), 3, "{field}");
    }
}
