use arrow::array::{TimestampMillisecondArray, UInt64Array};
use serde_json::{Value, json};
use xdm::{FieldType, testing};

use super::*;
use crate::RowRef;

/// The rows of one source of a type, read as a target.
fn read(target: &FieldType, ty: &FieldType, rows: &[Value]) -> Result<Vec<Value>, ArrowError> {
    read_array(target, testing::array(ty, rows))
}

fn read_array(target: &FieldType, source: ArrayRef) -> Result<Vec<Value>, ArrowError> {
    let rows: Vec<RowRef> = (0..source.len() as u32)
        .map(|row| RowRef::new(0, row))
        .collect();
    let column = Column::new(&target.data_type(), &[Some(source)])?;
    Ok(testing::values(&column.interleave(&rows)?))
}

const INTEGERS: [FieldType; 4] = [
    FieldType::Byte,
    FieldType::Short,
    FieldType::Int,
    testing::LONG,
];

#[test]
fn integers_widen_to_larger_ones_and_to_floats() {
    let rows = [json!(-128), json!(null), json!(127)];
    for (i, narrow) in INTEGERS.iter().enumerate() {
        for wide in &INTEGERS[i..] {
            assert_eq!(
                read(wide, narrow, &rows).expect("widens"),
                rows,
                "{narrow} to {wide}"
            );
        }
        let floats = read(&FieldType::Double, narrow, &rows).expect("widens");
        assert_eq!(floats, [json!(-128.0), json!(null), json!(127.0)]);
    }
    let nested = |ty| testing::list(testing::map(testing::object([("n", ty)])));
    let rows = [json!([{"a": {"n": 1}}])];
    let widened = read(&nested(testing::LONG), &nested(FieldType::Byte), &rows);
    assert_eq!(widened.expect("widens"), rows);
}

#[test]
fn an_integer_that_does_not_fit_the_target_is_refused() {
    let rows = [json!(300)];
    read(&FieldType::Byte, &testing::LONG, &rows).expect_err("300 is no byte");
    let large: ArrayRef = Arc::new(UInt64Array::from(vec![u64::MAX]));
    read_array(&testing::LONG, large).expect_err("2^64 - 1 is no long");
}

#[test]
fn fields_of_which_only_nulls_are_known_read_as_any_type() {
    let of = |ty: FieldType| testing::object([("a", ty.clone()), ("b", testing::list(ty))]);
    let rows = [
        json!({"a": null, "b": [null, null]}),
        json!(null),
        json!({"a": null, "b": []}),
    ];
    for ty in [
        FieldType::String,
        testing::LONG,
        testing::map(FieldType::Date),
    ] {
        let values = read(&of(ty), &of(FieldType::Unknown), &rows);
        assert_eq!(values.expect("nulls"), rows);
    }
    let nulls = read(&testing::LONG, &FieldType::Unknown, &[json!(null)]);
    assert_eq!(nulls.expect("nulls"), [json!(null)]);
}

#[test]
fn fields_of_objects_are_found_by_name() {
    let target = testing::object([("a", testing::LONG), ("b", FieldType::String)]);
    let source = testing::object([("c", FieldType::Boolean), ("b", FieldType::String)]);
    let values = read(&target, &source, &[json!({"c": true, "b": "x"})]);
    assert_eq!(values.expect("an object"), [json!({"a": null, "b": "x"})]);
}

#[test]
fn a_type_that_cant_be_read_as_the_target_is_an_error() {
    let text = || testing::list(FieldType::String);
    for (target, found, value) in [
        (testing::LONG, FieldType::String, json!("1")),
        (testing::LONG, FieldType::Double, json!(1.5)),
        (FieldType::String, testing::LONG, json!(1)),
        (FieldType::Boolean, testing::LONG, json!(1)),
        (FieldType::DateTime, testing::LONG, json!(1)),
        (text(), FieldType::String, json!("a")),
        (text(), testing::list(testing::LONG), json!([1])),
        (
            testing::map(FieldType::String),
            testing::object([("a", FieldType::String)]),
            json!({"a": "b"}),
        ),
        (
            testing::object([("a", FieldType::String)]),
            testing::map(FieldType::String),
            json!({"a": "b"}),
        ),
    ] {
        let source = testing::array(&found, &[value]);
        let error = read_array(&target, source)
            .expect_err("another type")
            .to_string();
        assert!(
            error.contains("can't be read"),
            "{target} from {found}: {error}"
        );
    }
    let millis = DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into()));
    let times = TimestampMillisecondArray::from(vec![1]).with_timezone("UTC");
    let times: ArrayRef = Arc::new(times);
    read_array(&FieldType::DateTime, times.clone()).expect_err("micros");
    let error = Column::new(&millis, &[Some(times)]);
    assert!(error.is_err_and(|e| e.to_string().contains("no type of an XDM field")));
}
