use arrow::array::AsArray;
use serde_json::{Value, json};
use xdm::{FieldType, testing};

use super::*;

/// Rows of two sources; what is interleaved has the type that the column says.
fn interleaved(ty: &FieldType, sources: &[Option<ArrayRef>], rows: &[RowRef]) -> Vec<Value> {
    let column = Column::new(&ty.data_type(), sources).expect("a column");
    let array = column.interleave(rows).expect("an array");
    assert_eq!(array.data_type(), &ty.data_type());
    assert_eq!(column.data_type(), &ty.data_type());
    testing::values(&array)
}

fn rows(rows: impl IntoIterator<Item = (u32, u32)>) -> Vec<RowRef> {
    rows.into_iter().map(|(s, r)| RowRef::new(s, r)).collect()
}

#[test]
fn every_type_interleaves_values_and_nulls_in_the_order_of_the_rows() {
    let person = testing::object([("name", FieldType::String), ("age", FieldType::Int)]);
    for (ty, one, other) in [
        (FieldType::Boolean, json!(true), json!(false)),
        (FieldType::Byte, json!(-128), json!(127)),
        (FieldType::Short, json!(-32768), json!(32767)),
        (FieldType::Int, json!(i32::MIN), json!(i32::MAX)),
        (testing::LONG, json!(i64::MIN), json!(i64::MAX)),
        (FieldType::Double, json!(-0.5), json!(1e300)),
        (FieldType::String, json!(""), json!("é")),
        (FieldType::Date, json!("1969-12-31"), json!("2024-02-29")),
        (
            FieldType::DateTime,
            json!("0001-01-01T00:00:00Z"),
            json!("2024-02-29T01:02:03.000004Z"),
        ),
        (
            testing::list(FieldType::String),
            json!(["a", null]),
            json!([]),
        ),
        (
            testing::map(testing::LONG),
            json!({"b": 1, "a": null}),
            json!({}),
        ),
        (
            person,
            json!({"name": "Ann", "age": null}),
            json!({"name": null, "age": 3}),
        ),
    ] {
        let first = testing::array(&ty, &[one.clone(), json!(null)]);
        let second = testing::array(&ty, std::slice::from_ref(&other));
        let picked = rows([(1, 0), (0, 1), (0, 0), (1, 0)]);
        let values = interleaved(&ty, &[Some(first), Some(second)], &picked);
        assert_eq!(values, [other.clone(), json!(null), one, other], "{ty}");
    }
}

#[test]
fn keys_of_16_bytes_interleave() {
    let keys = |keys: &[Option<[u8; 16]>]| -> ArrayRef {
        let keys = FixedSizeBinaryArray::try_from_sparse_iter_with_size(keys.iter().copied(), 16);
        Arc::new(keys.expect("keys"))
    };
    let sources = [
        Some(keys(&[Some([1; 16]), None])),
        Some(keys(&[Some([2; 16])])),
    ];
    let column = Column::new(&DataType::FixedSizeBinary(16), &sources).expect("a column");
    let array = column.interleave(&rows([(1, 0), (0, 1), (0, 0)]));
    assert_eq!(
        &array.expect("keys"),
        &keys(&[Some([2; 16]), None, Some([1; 16])])
    );
}

#[test]
fn a_null_row_interleaves_as_null_though_no_source_has_one() {
    for (ty, value) in [
        (testing::LONG, json!(1)),
        (FieldType::Boolean, json!(true)),
        (FieldType::String, json!("a")),
        (testing::list(testing::LONG), json!([1])),
        (testing::object([("a", testing::LONG)]), json!({"a": 1})),
    ] {
        let source = testing::array(&ty, std::slice::from_ref(&value));
        let picked = [RowRef::NULL, RowRef::new(0, 0)];
        assert_eq!(
            interleaved(&ty, &[Some(source)], &picked),
            [json!(null), value],
            "{ty}"
        );
    }
}

#[test]
fn a_source_without_the_field_gives_nulls() {
    let ty = testing::object([("tags", testing::list(FieldType::String))]);
    let value = json!({"tags": ["a"]});
    let source = testing::array(&ty, std::slice::from_ref(&value));
    let picked = rows([(0, 5), (1, 0)]);
    assert_eq!(
        interleaved(&ty, &[None, Some(source)], &picked),
        [json!(null), value]
    );
    assert_eq!(
        interleaved(&ty, &[None, None], &picked),
        [json!(null), json!(null)]
    );
    assert_eq!(interleaved(&ty, &[], &[]), [] as [Value; 0]);
}

#[test]
fn null_and_empty_and_of_null_are_three_values() {
    let list = [json!(null), json!([]), json!([null])];
    let map = [json!(null), json!({}), json!({"a": null})];
    let object = [json!(null), json!({"a": null}), json!({"a": []})];
    let texts = testing::list(FieldType::String);
    for (ty, values) in [
        (texts.clone(), list),
        (testing::map(FieldType::String), map),
        (testing::object([("a", texts)]), object),
    ] {
        let source = testing::array(&ty, &values);
        assert_eq!(
            interleaved(&ty, &[Some(source)], &rows([(0, 0), (0, 1), (0, 2)])),
            values
        );
    }
}

#[test]
fn rows_count_from_where_a_sliced_source_begins() {
    for (ty, values) in [
        (
            FieldType::Boolean,
            [json!(null), json!(true), json!(null), json!(true)],
        ),
        (
            FieldType::String,
            [json!("a"), json!("b"), json!(null), json!("d")],
        ),
        (
            testing::list(testing::LONG),
            [json!([1, 2]), json!([3]), json!(null), json!([4])],
        ),
        (
            testing::map(testing::LONG),
            [json!({"a": 1}), json!({"b": 2}), json!(null), json!({})],
        ),
    ] {
        let object = testing::object([("in", ty.clone())]);
        let outer = values.clone().map(|value| json!({"in": value}));
        let picked = rows([(0, 2), (0, 1), (0, 0)]);
        for (ty, v) in [(ty, values), (object, outer)] {
            let source = testing::array(&ty, &v).slice(1, 3);
            let expected = [&v[3], &v[2], &v[1]].map(Value::clone);
            assert_eq!(interleaved(&ty, &[Some(source)], &picked), expected, "{ty}");
        }
    }
}

#[test]
fn items_that_lie_under_a_null_list_stay_behind() {
    let texts = testing::list(FieldType::String);
    let lists = testing::array(&texts, &[json!(["hidden"]), json!(["a"])]);
    let (item, offsets, items, _) = lists.as_list::<i32>().clone().into_parts();
    let nulls = NullBuffer::from(vec![false, true]);
    let source: ArrayRef = Arc::new(ListArray::new(item, offsets, items, Some(nulls)));
    let column = Column::new(&texts.data_type(), &[Some(source)]).expect("a column");
    assert_eq!(column.range(RowRef::new(0, 0)).len(), 0);
    let array = column.interleave(&rows([(0, 0), (0, 1)])).expect("lists");
    assert_eq!(
        testing::values(array.as_list::<i32>().values()),
        [json!("a")]
    );
}
