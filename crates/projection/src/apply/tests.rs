use serde_json::{Value, json};
use xdm::testing::{self, LONG, fields, list, map, object};
use xdm::{FieldPath, identity_map, segment_membership};

use super::*;

fn projection(paths: &str, union: &Fields) -> Projection {
    let paths = FieldPath::parse_list(paths).expect("paths");
    Projection::new(&paths, union).expect("a projection")
}

/// What becomes of the one field of the union schema.
fn applied(paths: &str, ty: &FieldType, rows: ArrayRef) -> Vec<Value> {
    let name = paths.split('.').next().expect("a field");
    let projection = projection(paths, &fields([(name, ty.clone())]));
    let merged = vec![(name.to_owned(), rows)];
    let (_, array) = projection.apply(merged).expect("reduced").remove(0);
    let output = projection.output().get(name).expect("the field");
    assert_eq!(array.data_type(), &output.data_type());
    testing::values(&array)
}

#[test]
fn objects_and_lists_keep_their_nulls_without_the_parts_that_are_not_asked_for() {
    let item = object([("sku", FieldType::String), ("price", LONG)]);
    let order = object([("items", list(item)), ("id", LONG)]);
    let rows = [
        json!({"items": [{"sku": "a", "price": 1}, null, {"sku": null, "price": 2}], "id": 1}),
        json!({"items": null, "id": 2}),
        json!(null),
        json!({"items": [], "id": 3}),
    ];
    let expected = [
        json!({"items": [{"sku": "a"}, null, {"sku": null}]}),
        json!({"items": null}),
        json!(null),
        json!({"items": []}),
    ];
    let array = testing::array(&order, &rows);
    assert_eq!(applied("order.items.sku", &order, array.clone()), expected);
    assert_eq!(
        applied("order.items.sku", &order, array.slice(1, 3)),
        expected[1..]
    );
}

#[test]
fn the_key_of_a_namespace_is_kept_in_any_case_as_it_is_spelled() {
    let identity = |id| json!([{"id": id, "authenticatedState": null, "primary": true}]);
    let rows = [
        json!({"Email": identity("a"), "CRM": identity("b"), "EMAIL": identity("c")}),
        json!({"CRM": identity("d")}),
        json!(null),
        json!({"eMail": null}),
    ];
    let array = testing::array(&identity_map(), &rows);
    let ids = [
        json!({"Email": [{"id": "a"}], "EMAIL": [{"id": "c"}]}),
        json!({}),
        json!(null),
        json!({"eMail": null}),
    ];
    assert_eq!(applied("identityMap.email.id", &identity_map(), array), ids);
}

#[test]
fn keys_other_than_namespaces_are_compared_exactly() {
    let scores = map(LONG);
    let rows = [json!({"a": 1, "A": 2, "b": 3})];
    assert_eq!(
        applied("scores.a", &scores, testing::array(&scores, &rows)),
        [json!({"a": 1})]
    );

    let status =
        |status| json!({"status": status, "lastQualificationTime": null, "validUntil": null});
    let rows = [json!({"UPS": {"s": status("exited"), "S": status("realized")}, "aam": {}})];
    let memberships = testing::array(&segment_membership(), &rows);
    let expected = [json!({"UPS": {"s": {"status": "exited"}}})];
    let path = "segmentMembership.ups.s.status";
    assert_eq!(applied(path, &segment_membership(), memberships), expected);
}

#[test]
fn of_a_sliced_map_the_rows_of_the_slice_are_kept() {
    let scores = map(object([("home", LONG), ("away", LONG)]));
    let score = |n| json!({"home": n, "away": null});
    let rows = [
        json!({"a": score(1), "b": score(2)}),
        json!({"b": score(3), "a": score(4)}),
        json!(null),
        json!({"a": null}),
        json!({"a": score(5)}),
    ];
    let array = testing::array(&scores, &rows).slice(1, 3);
    let expected = [json!({"a": {"home": 4}}), json!(null), json!({"a": null})];
    assert_eq!(applied("scores.a.home", &scores, array.clone()), expected);
    assert_eq!(applied("scores", &scores, array), rows[1..4]);
}

#[test]
fn entries_that_lie_under_a_null_map_stay_with_it() {
    let scores = map(LONG);
    let rows = testing::array(&scores, &[json!({"a": 1}), json!({"a": 2, "b": 3})]);
    let (entries, offsets, pairs, _, _) = rows.as_map().clone().into_parts();
    let nulls = Some(vec![false, true].into());
    let array: ArrayRef = Arc::new(MapArray::new(entries, offsets, pairs, nulls, false));
    assert_eq!(
        applied("scores.a", &scores, array),
        [json!(null), json!({"a": 2})]
    );
}

#[test]
fn a_field_beside_the_projection_is_passed_on_and_one_that_lacks_a_part_is_an_error() {
    let union = fields([("person", object([("age", LONG), ("zip", LONG)]))]);
    let projection = projection("person.age", &union);
    let events = testing::array(&list(LONG), &[json!([1])]);
    let passed = projection.apply(vec![("timeSeriesEvents".to_owned(), events.clone())]);
    assert_eq!(
        passed.expect("passed on"),
        [("timeSeriesEvents".to_owned(), events)]
    );

    let person = testing::array(&object([("zip", LONG)]), &[json!({"zip": 1})]);
    let error = projection.apply(vec![("person".to_owned(), person)]);
    assert!(
        error
            .expect_err("no age")
            .to_string()
            .contains("has no part age")
    );
}
