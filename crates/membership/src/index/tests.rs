use serde_json::{Value, json};
use xdm::{FieldType, segment_membership, testing};

use super::*;

fn column(rows: &[Value]) -> ArrayRef {
    testing::array(&segment_membership(), rows)
}

fn index(rows: &[Value]) -> MembershipIndex {
    MembershipIndex::from_columns(&[column(rows)]).expect("memberships")
}

/// Each segment as `namespace/id`, with row, status and time of its postings.
fn shown(index: &MembershipIndex) -> Vec<(String, Vec<String>)> {
    let posting = |p: Posting| match p.qualified {
        Some(time) => format!("{} {} {time}", p.row, p.status),
        None => format!("{} {}", p.row, p.status),
    };
    let segment = |list: PostingList<'_>| {
        let name = format!("{}/{}", list.namespace, list.id);
        (name, list.postings().map(posting).collect())
    };
    index.segments().map(segment).collect()
}

fn segment(name: &str, postings: &[&str]) -> (String, Vec<String>) {
    let postings = postings.iter().map(|p| (*p).to_owned()).collect();
    (name.to_owned(), postings)
}

#[test]
fn columns_in_a_row_are_turned_around_into_sorted_segments() {
    let time = "2024-01-02T03:04:05.000006Z";
    let first = column(&[
        json!({"ups": {"b": {"status": "exited"}, "a": {"status": "existing"}}}),
        json!({}),
    ]);
    let second = column(&[json!({
        "ups": {"a": {"status": "realized", "lastQualificationTime": time}},
        "aam": {"z": {"status": "realized"}},
    })]);
    let index = MembershipIndex::from_columns(&[first, second]).expect("memberships");
    let expected = [
        segment("aam/z", &["2 realized"]),
        segment("ups/a", &["0 existing", &format!("2 realized {time}")]),
        segment("ups/b", &["0 exited"]),
    ];
    assert_eq!(shown(&index), expected);
    let lengths: Vec<usize> = index.segments().map(|s| s.len()).collect();
    assert_eq!(lengths, [1, 2, 1]);
}

#[test]
fn a_namespace_in_any_case_is_one_and_segments_are_compared_exactly() {
    let index = index(&[
        json!({"UPS": {"a": {}}}),
        json!({"ups": {"a": {}, "A": {}}}),
        json!({"Ups": {"a": {}}}),
    ]);
    let expected = [
        segment("ups/A", &["1 realized"]),
        segment("ups/a", &["0 realized", "1 realized", "2 realized"]),
    ];
    assert_eq!(shown(&index), expected);
}

#[test]
fn within_a_record_the_first_spelling_of_a_namespace_stands() {
    let index = index(&[
        json!({"Ups": {"a": {"status": "exited"}}, "ups": {"a": {"status": "realized"}}}),
        json!({"ups": {"a": {"status": "existing"}}, "Ups": {"a": {"status": "exited"}}}),
    ]);
    assert_eq!(
        shown(&index),
        [segment("ups/a", &["0 exited", "1 existing"])]
    );
}

#[test]
fn nulls_are_rows_without_memberships() {
    let nulls = testing::array(&FieldType::Unknown, &[json!(null), json!(null)]);
    let some = column(&[
        json!(null),
        json!({"ups": null}),
        json!({"ups": {"a": null}}),
        json!({"ups": {"a": {"status": null}}}),
    ]);
    let index = MembershipIndex::from_columns(&[nulls, some]).expect("memberships");
    assert_eq!(shown(&index), [segment("ups/a", &["5 realized"])]);
}

#[test]
fn the_membership_of_a_row_is_found_in_its_segment_alone() {
    let index = index(&[
        json!({"ups": {"b": {"status": "exited"}}}),
        json!(null),
        json!({"ups": {"a": {}, "b": {"status": "existing"}}}),
    ]);
    let status = |list: usize, row| index.segment(list).of_row(row).map(|p| p.status);
    assert_eq!(
        [0, 1, 2, 3].map(|row| status(0, row)),
        [None, None, Some(Status::Realized), None]
    );
    assert_eq!(
        [0, 1, 2, 3].map(|row| status(1, row)),
        [Some(Status::Exited), None, Some(Status::Existing), None]
    );
}

#[test]
fn an_index_comes_back_from_its_tables() {
    let index = index(&[
        json!({"ups": {"a": {"lastQualificationTime": "1969-12-31T23:59:59.5Z"}}}),
        json!({"aam": {"b": {"status": "sleeping"}}, "ups": {"a": {"status": "exited"}}}),
    ]);
    let (segments, postings) = index.to_batches().expect("tables");
    let back = MembershipIndex::from_batches(&segments, &postings).expect("an index");
    assert_eq!(shown(&back), shown(&index));
    assert_eq!(shown(&back).len(), 2);

    let (segments, postings) = MembershipIndex::from_columns(&[])
        .and_then(|empty| empty.to_batches())
        .expect("tables");
    let back = MembershipIndex::from_batches(&segments, &postings).expect("an empty index");
    assert_eq!(back.segments().count(), 0);
}

#[test]
fn tables_that_are_no_index_are_refused() {
    let index = index(&[
        json!({"ups": {"a": {}, "b": {}}}),
        json!({"ups": {"a": {}}}),
    ]);
    let (segments, postings) = index.to_batches().expect("tables");
    let with_starts = |starts: &[u64]| {
        let mut columns = segments.columns().to_vec();
        columns[2] = Arc::new(UInt64Array::from(starts.to_vec()));
        RecordBatch::try_new(segments.schema(), columns).expect("a table")
    };
    let read = |segments: &RecordBatch, postings: &RecordBatch| {
        MembershipIndex::from_batches(segments, postings).is_ok()
    };
    assert!(read(&with_starts(&[0, 2]), &postings));
    assert!(!read(&with_starts(&[2, 0]), &postings));
    assert!(!read(&with_starts(&[0, 4]), &postings));
    assert!(!read(&postings, &segments));
    assert!(!read(&segments, &segments));
    assert!(!read(
        &segments.project(&[0, 1]).expect("a table"),
        &postings
    ));
    assert!(!read(
        &segments,
        &postings.project(&[0, 1]).expect("a table")
    ));
}

#[test]
fn a_column_that_is_no_map_of_maps_of_objects_is_refused() {
    let text = FieldType::String;
    for (ty, value) in [
        (text.clone(), json!("a")),
        (testing::map(text.clone()), json!({"a": "b"})),
        (
            testing::map(testing::list(text.clone())),
            json!({"a": ["b"]}),
        ),
        (testing::map(testing::map(text)), json!({"a": {"b": "c"}})),
    ] {
        let column = testing::array(&ty, &[value]);
        assert!(
            MembershipIndex::from_columns(&[column]).is_err(),
            "{:?}",
            ty.data_type()
        );
    }
}
