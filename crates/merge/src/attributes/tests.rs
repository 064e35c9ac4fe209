use std::cell::Cell;

use arrow::array::AsArray;
use serde_json::{Value, json};
use xdm::{FieldType, testing};

use super::*;
use crate::Error;

/// One field of profiles, each given by the values of its fragments, best first.
fn merged(ty: &FieldType, profiles: &[&[Value]]) -> Vec<Value> {
    let source = testing::array(ty, &profiles.concat());
    merged_array(
        &source,
        &profiles.iter().map(|p| p.len()).collect::<Vec<_>>(),
    )
}

fn merged_array(source: &ArrayRef, lengths: &[usize]) -> Vec<Value> {
    let column = Column::new(source.data_type(), &[Some(source.clone())]).expect("a column");
    let mut rows = (0..).map(|row| RowRef::new(0, row));
    let mut groups = Groups::default();
    for length in lengths {
        groups.push(rows.by_ref().take(*length));
    }
    let mut fields = merge(&[("field", &column)], &groups).expect("merged fields");
    let (name, array) = fields.pop().expect("one field");
    assert_eq!(
        (name.as_str(), array.data_type()),
        ("field", column.data_type())
    );
    testing::values(&array)
}

#[test]
fn the_first_value_that_is_not_null_wins() {
    let profiles: [&[Value]; 4] = [
        &[json!(null), json!(""), json!("later")],
        &[json!("only")],
        &[json!(null), json!(null)],
        &[],
    ];
    let expected = [json!(""), json!("only"), json!(null), json!(null)];
    assert_eq!(merged(&FieldType::String, &profiles), expected);
}

#[test]
fn objects_are_walked_into_leaf_by_leaf() {
    let name = testing::object([("first", FieldType::String), ("last", FieldType::String)]);
    let person = testing::object([("name", name), ("age", testing::LONG)]);
    let profiles: [&[Value]; 3] = [
        &[
            json!({"name": {"first": "Ann", "last": null}, "age": null}),
            json!(null),
            json!({"name": {"first": "Anna", "last": "Lee"}, "age": null}),
            json!({"name": null, "age": 7}),
        ],
        &[json!({"name": null, "age": null}), json!(null)],
        &[json!(null), json!(null)],
    ];
    let expected = [
        json!({"name": {"first": "Ann", "last": "Lee"}, "age": 7}),
        json!({"name": null, "age": null}),
        json!(null),
    ];
    assert_eq!(merged(&person, &profiles), expected);
}

#[test]
fn a_list_or_a_map_is_one_leaf_even_an_empty_one() {
    let lists = testing::list(testing::object([
        ("a", testing::LONG),
        ("b", testing::LONG),
    ]));
    let item = json!([{"a": 1, "b": null}]);
    let profiles: [&[Value]; 2] = [
        &[json!(null), item.clone(), json!([{"a": 2, "b": 2}])],
        &[json!([]), item.clone()],
    ];
    assert_eq!(merged(&lists, &profiles), [item, json!([])]);

    let maps = testing::map(testing::LONG);
    let profiles: [&[Value]; 2] = [
        &[json!(null), json!({"a": null}), json!({"a": 1, "b": 2})],
        &[json!({}), json!({"c": 3})],
    ];
    assert_eq!(merged(&maps, &profiles), [json!({"a": null}), json!({})]);
}

#[test]
fn profiles_of_one_fragment_take_its_rows_as_they_are() {
    let person = testing::object([
        ("age", testing::LONG),
        ("tags", testing::list(testing::LONG)),
    ]);
    let rows = [json!({"age": 1, "tags": []}), json!(null)];
    let merged = merged(&person, &[&rows[..1], &[], &rows[1..]]);
    assert_eq!(merged, [rows[0].clone(), json!(null), json!(null)]);
}

#[test]
fn fragments_of_several_sources_compete_with_one_another() {
    let sources = [
        Some(testing::array(&testing::LONG, &[json!(1), json!(null)])),
        None,
        Some(testing::array(&FieldType::Int, &[json!(30)])),
    ];
    let points = Column::new(&testing::LONG.data_type(), &sources).expect("a column");
    let mut groups = Groups::default();
    groups.push([
        RowRef::new(1, 0),
        RowRef::new(0, 1),
        RowRef::new(2, 0),
        RowRef::new(0, 0),
    ]);
    let fields = merge(&[("points", &points), ("again", &points)], &groups).expect("fields");
    let names: Vec<&str> = fields.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["points", "again"]);
    assert_eq!(testing::values(&fields[0].1), [json!(30)]);
}

#[test]
fn what_lies_under_a_null_object_is_no_value() {
    let person = testing::object([("age", testing::LONG)]);
    let rows = testing::array(&person, &[json!({"age": 1}), json!({"age": 2})]);
    let (fields, columns, _) = rows.as_struct().clone().into_parts();
    let nulls = NullBuffer::from(vec![false, true]);
    let source: ArrayRef = Arc::new(StructArray::new(fields, columns, Some(nulls)));
    assert_eq!(merged_array(&source, &[2]), [json!({"age": 2})]);
}

#[test]
fn a_merge_that_is_to_stop_ends_before_the_next_leaf() {
    let person = testing::object([("a", testing::LONG), ("b", testing::LONG)]);
    let source = testing::array(&person, &[json!({"a": 1}), json!({"b": 2})]);
    let column = Column::new(&person.data_type(), &[Some(source)]).expect("a column");
    let mut groups = Groups::default();
    groups.push([RowRef::new(0, 0), RowRef::new(0, 1)]);
    let merge_for = |answers: usize| {
        let asked = Cell::new(0);
        let is_to_stop = || asked.replace(asked.get() + 1) == answers;
        let merged = merge_until(&[("person", &column)], &groups, &is_to_stop);
        (merged, asked.get())
    };
    for answers in 0..3 {
        let (merged, asked) = merge_for(answers);
        assert!(matches!(merged, Err(Error::Stopped)), "{merged:?}");
        assert_eq!(asked, answers + 1);
    }
    let (merged, asked) = merge_for(3);
    let merged = merged.expect("merged fields");
    assert_eq!(testing::values(&merged[0].1), [json!({"a": 1, "b": 2})]);
    assert_eq!(asked, 3, "once for the object and each of its leaves");
}
