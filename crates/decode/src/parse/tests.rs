use std::sync::Arc;

use arrow::array::{
    ArrayRef, AsArray, Int64Array, RecordBatch, StringArray, Time64MicrosecondArray,
};
use arrow::datatypes::DataType;
use xdm::{Class, Dataset, FieldType, PersonKey, Timestamp};

use super::*;

mod bad;

fn spec() -> RecordSpec {
    let mut dataset = Dataset::new("0000000000000000000000a1", "crm", Class::Profile);
    dataset.primary_identity = Some("k=Email".to_owned());
    let union = Class::Profile.standard_fields();
    RecordSpec::new(&dataset, &union, Timestamp::now()).expect("a description")
}

fn decoded(columns: Vec<(&str, ArrayRef)>, spec: &RecordSpec) -> crate::Result<Decoded> {
    let batch = RecordBatch::try_from_iter(columns).expect("a batch");
    let chunk = InputChunk::of_batch("crm", batch);
    decode(&RecordSpans::new(&chunk), spec, &spec.types, 0)
}

#[test]
fn columns_leave_their_types_where_a_record_is_good() {
    let spec = spec();
    let numbers: ArrayRef = Arc::new(Int64Array::from(vec![None, Some(1)]));
    let names = |names: Vec<Option<&str>>| Arc::new(StringArray::from(names)) as ArrayRef;
    let columns = |keys| vec![("k", names(keys)), ("v", Arc::clone(&numbers))];
    let one_is_good = decoded(columns(vec![Some("a"), None]), &spec).expect("decoded");
    assert_eq!(one_is_good.bad.len(), 1);
    assert!(matches!(
        one_is_good.types.get("v"),
        Some(FieldType::Long { .. })
    ));
    let all_are_bad = decoded(columns(vec![None, None]), &spec).expect("decoded");
    assert_eq!(all_are_bad.bad.len(), 2);
    assert_eq!(all_are_bad.types, spec.types);
}

#[test]
fn a_column_that_no_field_holds_is_an_error_of_the_whole_input() {
    let times: ArrayRef = Arc::new(Time64MicrosecondArray::from(vec![1]));
    let keys: ArrayRef = Arc::new(StringArray::from(vec!["a"]));
    let error = decoded(vec![("k", keys), ("t", times)], &spec())
        .err()
        .expect("an error");
    assert!(matches!(error, crate::Error::Input { .. }));
    assert!(
        error
            .to_string()
            .starts_with("crm: column t has the type Time64(µs)"),
        "{error}"
    );
}

fn decoded_lines(lines: &[&str]) -> Decoded {
    let mut dataset = Dataset::new("5b020a27e7040801dedba61a", "crm", Class::Profile);
    dataset.primary_identity = Some("id=ID".to_owned());
    let union = Class::Profile.standard_fields();
    let spec = RecordSpec::new(&dataset, &union, Timestamp::default()).expect("a dataset");
    let chunk = InputChunk::of_lines("records", lines.join("\n").into_bytes());
    decode(&RecordSpans::new(&chunk), &spec, &spec.types, 0).expect("few records")
}

fn only_error(line: &str) -> String {
    let bad = decoded_lines(&[line]).bad;
    let [bad] = bad.as_slice() else {
        panic!("{line} is not bad");
    };
    bad.error.to_string()
}

#[test]
fn what_a_field_means_does_not_depend_on_bad_records_or_on_later_ones() {
    let good = [
        r#"{"id":"a","segments":[{"segmentID":{"_id":"s"}}]}"#,
        r#"{"id":"b","segments":["own"]}"#,
        r#"{"id":"c"}"#,
    ];
    let alone = decoded_lines(&good);
    assert_eq!(alone.rows.keys.len(), 3);
    for bad in ["{", r#"{"id":null}"#] {
        let [a, b, c] = good;
        let beside = decoded_lines(&[a, b, bad, c]);
        let lines: Vec<u64> = beside.bad.iter().map(|bad| bad.line).collect();
        assert_eq!(lines, [3]);
        assert_eq!(beside.rows.records, alone.rows.records);
        assert_eq!(beside.types, alone.types);
    }
}

#[test]
fn a_repo_that_is_null_has_no_other_part() {
    for line in [
        r#"{"id":"a","_repo":null,"repo:path":"x"}"#,
        r#"{"id":"a","repo:path":"x","_repo":null}"#,
    ] {
        assert_eq!(only_error(line), "_repo: appears twice in one object");
    }
}

#[test]
fn a_membership_keeps_what_is_called_segment_id_further_inside() {
    let decoded = decoded_lines(&[
        r#"{"id":"a","segments":[{"segmentID":{"_id":"s"},"more":{"segmentID":"t"}}]}"#,
    ]);
    let FieldType::Map(of_namespace) = decoded.types.get("segmentMembership").expect("a map")
    else {
        panic!("memberships are a map");
    };
    let FieldType::Map(of_segment) = &**of_namespace else {
        panic!("memberships are a map of maps");
    };
    let FieldType::Object(membership) = &**of_segment else {
        panic!("a membership is an object");
    };
    assert_eq!(membership.get("segmentID"), None);
    let text = FieldType::Text {
        date_times: false,
        dates: false,
    };
    let inner: Fields = [("segmentID".to_owned(), text)].into_iter().collect();
    assert_eq!(membership.get("more"), Some(&FieldType::Object(inner)));
}

#[test]
fn a_membership_names_one_segment() {
    let error =
        only_error(r#"{"id":"a","segments":[{"segmentID":{"_id":"s"},"segmentID":{"_id":"t"}}]}"#);
    assert_eq!(error, "segmentID: appears twice in one object");
}

/// The keys of a map, the identities of a record and the members of a list of memberships are all found to
/// be there once, however many there are.
#[test]
fn what_comes_twice_among_many_is_noticed() {
    let many = 1000;
    let twice = |item: &dyn Fn(usize) -> String| {
        let items = (0..many).map(item).chain([item(many / 2)]);
        items.collect::<Vec<_>>().join(",")
    };
    let keys = twice(&|n| format!(r#""n{n}":[]"#));
    assert_eq!(
        only_error(&format!(r#"{{"id":"a","identityMap":{{{keys}}}}}"#)),
        "identityMap.n500: appears twice in one object"
    );
    let fields = twice(&|n| format!(r#""n{n}":1"#));
    assert_eq!(
        only_error(&format!(r#"{{"id":"a","o":{{{fields}}}}}"#)),
        "o.n500: appears twice in one object"
    );
    for other in ["ups", "UPS"] {
        let code = |n: usize| if n == many / 2 { other } else { "ups" };
        let entries = twice(&|n| {
            let code = code(n);
            format!(r#"{{"segmentID":{{"_id":"s{n}","namespace":{{"code":"{code}"}}}}}}"#)
        });
        assert_eq!(
            only_error(&format!(r#"{{"id":"a","segments":[{entries}]}}"#)),
            "segments: segment s500 appears twice"
        );
    }
}

#[test]
fn a_namespace_of_memberships_is_one_in_any_case_however_many_there_are() {
    let entry = |code: String, id: &str| {
        format!(r#"{{"segmentID":{{"_id":"{id}","namespace":{{"code":"{code}"}}}}}}"#)
    };
    let first = (0..100).map(|n| entry(format!("Name{n}"), "a"));
    let second = (0..100).map(|n| entry(format!("nAME{n}"), "b"));
    let entries: Vec<String> = first.chain(second).collect();
    let line = format!(r#"{{"id":"x","segments":[{}]}}"#, entries.join(","));
    let decoded = decoded_lines(&[&line]);
    let column = (decoded.rows.records).column_by_name("segmentMembership");
    let maps = column.expect("memberships").as_map();
    let keys = arrow::compute::cast(maps.keys(), &DataType::Utf8).expect("text");
    let keys: Vec<&str> = keys.as_string::<i32>().iter().flatten().collect();
    let expected: Vec<String> = (0..100).map(|n| format!("Name{n}")).collect();
    assert_eq!(keys, expected);
    assert_eq!(
        maps.values().as_map().value_offsets(),
        (0..=200).step_by(2).collect::<Vec<_>>()
    );
}

#[test]
fn a_records_identities_are_linked_once_each_however_many_there_are() {
    let item = |n: usize| format!(r#"{{"id":"i{n}"}}"#);
    for (unique, expected) in [(1, 0), (2, 2), (1000, 1000)] {
        let items: Vec<String> = (0..unique).chain(0..unique).map(item).collect();
        let map = format!(r#"{{"Email":[{}]}}"#, items.join(","));
        let line = format!(r#"{{"id":"a","identityMap":{map}}}"#);
        let links = decoded_lines(&[&line]).rows.links;
        let links = links.as_list::<i32>().value(0);
        let links = links.as_fixed_size_binary();
        let keys = (0..unique).map(|n| PersonKey::of("Email", &format!("i{n}")).to_bytes());
        let keys: Vec<_> = keys.take(expected).collect();
        let found: Vec<&[u8]> = links.iter().flatten().collect();
        assert_eq!(found, keys);
    }
}

/// Cancelled while one record is read: the question is asked within it.
#[test]
fn one_long_record_hears_that_it_is_to_stop() {
    let items = vec![r#""some text""#; 1 << 18].join(",");
    let map: Vec<String> = (0..1 << 18).map(|n| format!(r#""k{n}":[]"#)).collect();
    for line in [
        format!(r#"{{"id":"a","l":[{items}]}}"#),
        format!(r#"{{"id":"a","identityMap":{{{}}}}}"#, map.join(",")),
    ] {
        let spec = spec();
        let chunk = InputChunk::of_lines("records", line.into_bytes());
        let records = RecordSpans::new(&chunk);
        let progress = Progress::default();
        let ChunkContent::Lines(text) = &chunk.content else {
            unreachable!("lines");
        };
        let mut columns = RecordBuilder::new(spec.class, &spec.types, spec.selection());
        let read = JsonParser::default().parse_all(
            text,
            &progress,
            records.lines.iter().copied(),
            |_, record| {
                progress.cancel();
                columns.append(record?)
            },
        );
        let error = read.expect_err("stopped").to_string();
        assert!(
            error.ends_with(&RecordError::stopped().to_string()),
            "{error}"
        );
        let stopped = decode_until(&records, &spec, &spec.types, 0, &progress);
        assert!(matches!(stopped, Err(crate::Error::Cancelled)));
    }
}

#[test]
fn records_that_are_all_bad_hear_that_they_are_to_stop() {
    let spec = spec();
    let chunk = InputChunk::of_lines("records", b"{}\n{}\n".to_vec());
    let progress = Progress::default();
    progress.cancel();
    let stopped = decode_until(&RecordSpans::new(&chunk), &spec, &spec.types, 0, &progress);
    assert!(matches!(stopped, Err(crate::Error::Cancelled)));
}
