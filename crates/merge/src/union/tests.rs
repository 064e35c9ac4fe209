use serde_json::{Value, json};
use xdm::{FieldType, testing};

use crate::{Groups, merge};

use super::*;

mod large;

/// A field of profiles, each given by the values of its fragments, best first; as text, in which the
/// order of keys counts.
fn merged(name: &str, ty: &FieldType, profiles: &[&[Value]]) -> Vec<String> {
    let source = testing::array(ty, &profiles.concat());
    let column = Column::new(&ty.data_type(), &[Some(source)]).expect("a column");
    let mut rows = (0..).map(|row| RowRef::new(0, row));
    let mut groups = Groups::default();
    for profile in profiles {
        groups.push(rows.by_ref().take(profile.len()));
    }
    let fields = merge(&[(name, &column)], &groups).expect("merged fields");
    assert_eq!(fields[0].1.data_type(), column.data_type());
    testing::values(&fields[0].1)
        .iter()
        .map(Value::to_string)
        .collect()
}

fn texts(values: &[Value]) -> Vec<String> {
    values.iter().map(Value::to_string).collect()
}

fn identity_map_type() -> FieldType {
    let identity = testing::object([("id", FieldType::String), ("primary", FieldType::Boolean)]);
    testing::map(testing::list(identity))
}

fn segment_type() -> FieldType {
    testing::map(testing::map(testing::object([(
        "status",
        FieldType::String,
    )])))
}

#[test]
fn the_lists_of_identity_maps_are_united_in_the_order_of_priority() {
    let profile = [
        json!({"Email": [{"id": "b", "primary": true}, {"id": "a", "primary": null}]}),
        json!({"CRM": [{"id": "b", "primary": null}], "Email": [{"id": "c", "primary": null}]}),
    ];
    let expected = json!({
        "Email": [
            {"id": "b", "primary": true},
            {"id": "a", "primary": null},
            {"id": "c", "primary": null},
        ],
        "CRM": [{"id": "b", "primary": null}],
    });
    assert_eq!(
        merged("identityMap", &identity_map_type(), &[&profile]),
        texts(&[expected])
    );
}

#[test]
fn of_two_entries_for_one_identity_the_one_with_priority_stands() {
    let profile = [
        json!({"Email": [{"id": "a", "primary": false}, {"id": "a", "primary": null}]}),
        json!({"EMAIL": [{"id": "a", "primary": true}, {"id": "A", "primary": true}]}),
    ];
    let expected = json!({"Email": [{"id": "a", "primary": false}, {"id": "A", "primary": true}]});
    assert_eq!(
        merged("identityMap", &identity_map_type(), &[&profile]),
        texts(&[expected])
    );
}

#[test]
fn memberships_are_united_by_namespace_and_segment_and_the_best_entry_stands() {
    let profiles: [&[Value]; 2] = [
        &[
            json!({"UPS": {"b": {"status": "exited"}}}),
            json!({"aam": {"b": {"status": null}}, "ups": {
                "a": {"status": "existing"},
                "b": {"status": "realized"},
            }}),
        ],
        &[json!({"ups": {"c": {"status": "exited"}}, "Ups": {"c": {"status": "realized"}}})],
    ];
    let expected = [
        json!({
            "UPS": {"b": {"status": "exited"}, "a": {"status": "existing"}},
            "aam": {"b": {"status": null}},
        }),
        json!({"ups": {"c": {"status": "exited"}}}),
    ];
    assert_eq!(
        merged("segmentMembership", &segment_type(), &profiles),
        texts(&expected)
    );
}

#[test]
fn a_list_of_identities_is_united_by_the_code_of_the_namespace_and_the_id() {
    let code = testing::object([("code", FieldType::String)]);
    let identity = testing::object([
        ("id", FieldType::String),
        ("namespace", code),
        ("from", FieldType::String),
    ]);
    let of = |code: &str, id, from| json!({"id": id, "namespace": {"code": code}, "from": from});
    let without = |from| json!({"id": null, "namespace": null, "from": from});
    let profile = [
        json!([of("Email", "a", "x"), null, without("x")]),
        json!(null),
        json!([
            of("EMAIL", "a", "y"),
            of("Email", "A", "y"),
            of("CRM", "a", "y"),
            without("y")
        ]),
    ];
    let expected = json!([
        of("Email", "a", "x"),
        without("x"),
        of("Email", "A", "y"),
        of("CRM", "a", "y"),
        without("y"),
    ]);
    assert_eq!(
        merged("identities", &testing::list(identity), &[&profile]),
        texts(&[expected])
    );
}

#[test]
fn a_profile_without_a_map_has_null_and_one_of_empty_maps_an_empty_one() {
    let profiles: [&[Value]; 4] = [
        &[json!(null), json!(null)],
        &[json!(null), json!({})],
        &[],
        &[json!({})],
    ];
    let expected = ["null", "{}", "null", "{}"];
    assert_eq!(
        merged("identityMap", &identity_map_type(), &profiles),
        expected
    );
    assert_eq!(
        merged("segmentMembership", &segment_type(), &profiles),
        expected
    );
}

#[test]
fn the_lists_of_one_profile_do_not_reach_into_the_next() {
    let map = |id: &str| json!({"Email": [{"id": id, "primary": null}]});
    let rows = [map("a"), map("a"), map("b"), map("a")];
    let profiles = [&rows[..2], &rows[2..3], &rows[3..]];
    assert_eq!(
        merged("identityMap", &identity_map_type(), &profiles),
        texts(&rows[1..])
    );
}

#[test]
fn a_field_of_the_name_that_has_another_type_is_merged_like_any_other() {
    let profile = [json!({"a": 1}), json!({"b": 2})];
    let map = testing::map(testing::LONG);
    for name in ["identityMap", "segmentMembership", "identities"] {
        assert_eq!(merged(name, &map, &[&profile]), [r#"{"a":1}"#]);
    }
    let list = testing::list(FieldType::String);
    let texts = merged("identities", &list, &[&[json!(["a"]), json!(["b"])]]);
    assert_eq!(texts, [r#"["a"]"#]);
    let united = merged(
        "anyOther",
        &identity_map_type(),
        &[&[json!({}), json!({"A": []})]],
    );
    assert_eq!(united, ["{}"]);
}
