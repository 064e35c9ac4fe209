use serde_json::{Value, json};
use xdm::{segment_membership, testing};

use super::*;

const BOTH: [Status; 2] = [Status::Realized, Status::Existing];

fn index(rows: &[Value]) -> MembershipIndex {
    let column = testing::array(&segment_membership(), rows);
    MembershipIndex::from_columns(&[column]).expect("memberships")
}

fn segment(namespace: Option<&str>, id: &str, statuses: &[Status]) -> SegmentFilter {
    SegmentFilter {
        id: id.to_owned(),
        namespace: namespace.map(str::to_owned),
        statuses: statuses.to_vec(),
    }
}

fn of_segments<const N: usize>(segments: [SegmentFilter; N]) -> MembershipFilter {
    MembershipFilter {
        segments: segments.into(),
        ..MembershipFilter::default()
    }
}

fn window(from: Option<i64>, to: Option<i64>) -> MembershipFilter {
    MembershipFilter {
        qualified_from: from.map(Timestamp::from_micros),
        qualified_to: to.map(Timestamp::from_micros),
        ..MembershipFilter::default()
    }
}

/// The rows of one source that match, each a profile of its own.
fn matching(filter: &MembershipFilter, rows: &[Value]) -> Vec<u32> {
    let index = index(rows);
    let matches = filter.scan(vec![Some(index)]);
    let taken = (0..rows.len() as u32).filter(|row| matches.takes(&[RowRef::new(0, *row)]));
    let taken: Vec<u32> = taken.collect();
    let candidates: Vec<u32> = matches.candidate_rows(0).collect();
    assert_eq!(
        candidates, taken,
        "a profile of one fragment matches where its fragment does"
    );
    taken
}

fn with_status(id: &str, status: &str) -> Value {
    json!({"ups": {id: {"status": status}}})
}

#[test]
fn the_window_takes_in_both_of_its_ends() {
    let at = |micros: i64| {
        let time = Timestamp::from_micros(micros).to_string();
        json!({"ups": {"a": {"lastQualificationTime": time}}})
    };
    let rows = [at(9), at(10), at(15), at(20), at(21)];
    assert_eq!(matching(&window(Some(10), Some(20)), &rows), [1, 2, 3]);
    assert_eq!(matching(&window(Some(10), None), &rows), [1, 2, 3, 4]);
    assert_eq!(matching(&window(None, Some(20)), &rows), [0, 1, 2, 3]);
}

#[test]
fn a_membership_without_a_time_matches_no_window() {
    let rows = [with_status("a", "realized")];
    assert_eq!(matching(&window(None, None), &rows), [0]);
    assert_eq!(
        matching(&window(Some(i64::MIN), None), &rows),
        [] as [u32; 0]
    );
    assert_eq!(
        matching(&window(None, Some(i64::MAX)), &rows),
        [] as [u32; 0]
    );
}

#[test]
fn the_window_is_of_the_membership_that_matches_the_segment() {
    let rows = [json!({"ups": {
        "a": {"lastQualificationTime": "1970-01-01T00:00:00Z"},
        "b": {"lastQualificationTime": "1970-01-01T00:00:01Z"},
    }})];
    for (id, matches) in [("a", true), ("b", false)] {
        let filter = MembershipFilter {
            segments: vec![segment(None, id, &BOTH)],
            ..window(Some(0), Some(0))
        };
        assert_eq!(!matching(&filter, &rows).is_empty(), matches, "{id}");
    }
}

#[test]
fn one_of_the_segments_is_enough_with_a_status_that_is_named() {
    let rows = [
        with_status("a", "realized"),
        with_status("a", "existing"),
        with_status("a", "exited"),
        with_status("a", "a word that XDM does not know"),
        with_status("b", "exited"),
        with_status("b", "realized"),
        json!(null),
    ];
    let existing = segment(None, "a", &[Status::Existing]);
    assert_eq!(matching(&of_segments([existing.clone()]), &rows), [1]);
    let left = segment(None, "b", &[Status::Exited]);
    assert_eq!(matching(&of_segments([existing, left]), &rows), [1, 4]);
    let all = segment(None, "a", &Status::NAMED);
    assert_eq!(matching(&of_segments([all]), &rows), [0, 1, 2]);
}

#[test]
fn without_segments_any_membership_that_lasts_matches() {
    let rows = [
        with_status("a", "realized"),
        with_status("b", "existing"),
        with_status("a", "exited"),
        with_status("a", "a word that XDM does not know"),
        json!({"aam": {"c": {}}}),
        json!({}),
    ];
    assert_eq!(matching(&window(None, None), &rows), [0, 1, 4]);
}

#[test]
fn a_segment_is_of_any_namespace_or_of_one_in_any_case() {
    let rows = [
        json!({"ups": {"a": {}}}),
        json!({"AAM": {"a": {}}}),
        json!({"UPS": {"A": {}}}),
    ];
    let of = |namespace| of_segments([segment(namespace, "a", &BOTH)]);
    assert_eq!(matching(&of(None), &rows), [0, 1]);
    assert_eq!(matching(&of(Some("Ups")), &rows), [0]);
    assert_eq!(matching(&of(Some("aam")), &rows), [1]);
    assert_eq!(matching(&of(Some("ecid")), &rows), [] as [u32; 0]);
}

#[test]
fn the_membership_of_a_better_fragment_overrules_those_after_it() {
    let first = index(&[
        with_status("a", "exited"),
        json!({"aam": {"a": {"status": "exited"}}}),
    ]);
    let second = index(&[json!(null), with_status("a", "realized")]);
    let filter = of_segments([segment(None, "a", &BOTH)]);
    let matches = filter.scan(vec![Some(first), Some(second), None]);
    let [exited, of_aam] = [0, 1].map(|row| RowRef::new(0, row));
    let [none, realized] = [0, 1].map(|row| RowRef::new(1, row));
    let without = RowRef::new(2, 0);
    assert!(matches.takes(&[realized, exited]));
    assert!(!matches.takes(&[exited, realized]));
    assert!(!matches.takes(&[none, exited, without, realized]));
    assert!(matches.takes(&[none, without, realized]));
    assert!(
        matches.takes(&[of_aam, realized]),
        "another namespace is another segment"
    );
    assert!(!matches.takes(&[none, without]));
    assert!(!matches.takes(&[]));
    assert_eq!(matches.candidate_rows(1).collect::<Vec<_>>(), [1]);
    assert_eq!(matches.candidate_rows(2).count(), 0);
}

#[test]
fn a_row_of_several_matching_segments_is_one_candidate() {
    let rows = [
        json!({"ups": {"b": {}, "a": {}}, "aam": {"a": {}}}),
        with_status("a", "existing"),
    ];
    let twice = [segment(None, "a", &BOTH), segment(Some("ups"), "a", &BOTH)];
    assert_eq!(matching(&of_segments(twice), &rows), [0, 1]);
    assert_eq!(matching(&window(None, None), &rows), [0, 1]);
}
