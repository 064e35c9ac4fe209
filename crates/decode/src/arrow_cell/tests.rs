use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::*;
use arrow::buffer::OffsetBuffer;
use arrow::compute::cast;
use arrow::datatypes::UInt16Type;

use super::*;
use crate::arrow_types::UUID;

const DAY: i64 = MILLIS_OF_DAY;

fn field(data_type: &DataType) -> Field {
    Field::new("v", data_type.clone(), true)
}

/// What the cells of a column hold, as text.
fn cells_of(field: Field, array: ArrayRef) -> Vec<String> {
    let rows = array.len();
    let batch = StructArray::new(vec![field].into(), vec![array], None);
    let made = Bump::new();
    let record = |row| ArrowCell::record(&batch, row, &made);
    let column = batch.column(0).as_ref();
    let cell = |row| record(row).child(&batch.fields()[0], column, row);
    (0..rows).map(|row| text_of(cell(row))).collect()
}

fn cells(array: impl Array + 'static) -> Vec<String> {
    cells_of(field(array.data_type()), Arc::new(array))
}

fn text_of(cell: ArrowCell<'_>) -> String {
    match cell.kind() {
        Err(error) => error.to_string(),
        Ok(Kind::List) => {
            let mut items = Vec::new();
            let collected = cell.items(&mut |item| {
                items.push(text_of(item));
                Ok(())
            });
            collected.expect("items");
            format!("[{}]", items.join(","))
        }
        Ok(Kind::Object | Kind::Map) => {
            let mut entries = cell.entries().expect("entries");
            let mut texts = Vec::new();
            while let Some((Key::Named(key), value)) = entries.next(b"").expect("an entry") {
                texts.push(format!("{key}:{}", text_of(value)));
            }
            format!("{{{}}}", texts.join(","))
        }
        Ok(Kind::Date(days)) => format!("day {days}"),
        Ok(Kind::DateTime(micros)) => format!("{micros} µs"),
        Ok(Kind::Text(text)) => text.to_owned(),
        Ok(kind) => kind.to_string(),
    }
}

#[test]
fn bytes_are_text_where_they_are_utf_8() {
    let good: &[u8] = "Oslo ⛵".as_bytes();
    let bytes = [Some(good), None, Some(b"\xff")];
    let expected = [
        "Oslo ⛵",
        "null",
        "1 bytes that are no UTF-8 text (near byte 0)",
    ];
    assert_eq!(cells(BinaryArray::from_iter(bytes)), expected);
    assert_eq!(cells(LargeBinaryArray::from_iter(bytes)), expected);
    assert_eq!(cells(BinaryViewArray::from_iter(bytes)), expected);
    let fixed = FixedSizeBinaryArray::try_from_iter([b"DE", b"\xd8\x00"].into_iter());
    let expected = ["DE", "2 bytes that are no UTF-8 text (near byte 0)"];
    assert_eq!(cells(fixed.expect("two bytes each")), expected);
}

#[test]
fn a_text_longer_than_a_line_of_json_may_be_is_refused() {
    let text = "x".repeat(LONGEST_TEXT + 1);
    let texts = cells(StringArray::from(vec![&text[1..], &text]));
    assert_eq!(texts[0].len(), LONGEST_TEXT);
    assert_eq!(
        texts[1],
        "a text of 16777217 bytes; the longest one that is taken has 16777216"
    );
}

#[test]
fn uuids_are_text_in_whatever_stands_around_them() {
    let bytes: Vec<u8> = (0..16).map(|i| i * 17).collect();
    let uuid = "00112233-4455-6677-8899-aabbccddeeff";
    let uuids = FixedSizeBinaryArray::try_from_iter([bytes].into_iter()).expect("16 bytes");
    let extension = HashMap::from([("ARROW:extension:name".to_owned(), UUID.to_owned())]);
    let of = |data_type: &DataType| field(data_type).with_metadata(extension.clone());
    let column = of(uuids.data_type());
    assert_eq!(cells_of(column.clone(), Arc::new(uuids.clone())), [uuid]);

    let offsets = OffsetBuffer::from_lengths([1]);
    let list = ListArray::new(
        Arc::new(column.clone()),
        offsets,
        Arc::new(uuids.clone()),
        None,
    );
    assert_eq!(cells(list), [format!("[{uuid}]")]);

    let object = StructArray::new(vec![column].into(), vec![Arc::new(uuids.clone())], None);
    assert_eq!(cells(object), [format!("{{v:{uuid}}}")]);

    let keys = Int8Array::from(vec![Some(0), None, Some(0)]);
    let dictionary = DictionaryArray::new(keys, Arc::new(uuids));
    let column = of(dictionary.data_type());
    assert_eq!(cells_of(column, Arc::new(dictionary)), [uuid, "null", uuid]);
}

#[test]
fn dictionaries_and_runs_are_their_values() {
    let texts = StringArray::from(vec![Some("b"), None, Some("a"), Some("a"), None]);
    let expected = ["b", "null", "a", "a", "null"];
    for key in [
        DataType::Int8,
        DataType::Int16,
        DataType::Int32,
        DataType::Int64,
        DataType::UInt8,
        DataType::UInt16,
        DataType::UInt32,
        DataType::UInt64,
    ] {
        let ty = DataType::Dictionary(Box::new(key), Box::new(DataType::Utf8));
        let dictionary = cast(&texts, &ty).expect("a dictionary");
        assert_eq!(cells_of(field(&ty), dictionary), expected, "{ty}");
    }
    // A key that is there, to a value that is none.
    let keys = PrimitiveArray::<UInt16Type>::from(vec![1, 0]);
    let dictionary = DictionaryArray::new(keys, Arc::new(texts.slice(0, 2)));
    assert_eq!(cells(dictionary), ["null", "b"]);

    let values = StringArray::from(vec![Some("x"), None]);
    let runs = RunArray::try_new(&Int32Array::from(vec![2, 3]), &values).expect("runs");
    assert_eq!(cells(runs.slice(1, 2)), ["x", "null"]);
    let wide = RunArray::try_new(&Int64Array::from(vec![2, 3]), &values).expect("runs");
    assert_eq!(cells(wide), ["x", "x", "null"]);
    let narrow = RunArray::try_new(&Int16Array::from(vec![1, 2]), &values).expect("runs");
    assert_eq!(cells(narrow), ["x", "null"]);

    // What is in a dictionary may have items.
    let lists = [Some(vec![Some(1), None]), Some(vec![])];
    let lists = ListArray::from_iter_primitive::<Int8Type, _, _>(lists);
    let keys = Int32Array::from(vec![1, 0, 0]);
    let dictionary = DictionaryArray::new(keys, Arc::new(lists));
    let list = "[the number 1,null]";
    assert_eq!(cells(dictionary), ["[]", list, list]);
}

#[test]
fn lists_of_every_layout_have_their_items() {
    let items = || Some(vec![Some(7), Some(8)]);
    let rows = [items(), None, items()];
    let expected = [
        "[the number 7,the number 8]",
        "null",
        "[the number 7,the number 8]",
    ];
    let list = ListArray::from_iter_primitive::<Int64Type, _, _>(rows.clone());
    let large = LargeListArray::from_iter_primitive::<Int64Type, _, _>(rows.clone());
    let fixed = FixedSizeListArray::from_iter_primitive::<Int64Type, _, _>(rows, 2);
    assert_eq!(cells(ListViewArray::from(list.clone())), expected);
    assert_eq!(cells(LargeListViewArray::from(large.clone())), expected);
    assert_eq!(cells(list.slice(1, 2)), expected[1..]);
    assert_eq!(cells(large.slice(1, 2)), expected[1..]);
    assert_eq!(cells(fixed.slice(1, 2)), expected[1..]);
}

#[test]
fn maps_take_keys_that_are_text_in_any_form() {
    let keys: ArrayRef = Arc::new(BinaryViewArray::from_iter_values([b"x", b"y"]));
    let values: ArrayRef = Arc::new(BooleanArray::from(vec![Some(true), None]));
    let entries = StructArray::try_from(vec![("key", keys), ("value", values)]);
    let entries = entries.expect("entries");
    let of_entries = Field::new("key_value", entries.data_type().clone(), false);
    let offsets = OffsetBuffer::from_lengths([0, 2]);
    let map = MapArray::new(Arc::new(of_entries), offsets, entries, None, false);
    assert_eq!(cells(map), ["{}", "{x:the boolean true,y:null}"]);
}

#[test]
fn numbers_keep_their_value() {
    let halves = Float16Array::from_iter_values(
        [0.5_f32, -65504.0].map(|x| x.to_string().parse().expect("a half")),
    );
    assert_eq!(cells(halves), ["the number 0.5", "the number -65504"]);
    let decimals = Decimal64Array::from(vec![-5, 1234]);
    let decimals = decimals.with_precision_and_scale(6, 3).expect("a decimal");
    assert_eq!(cells(decimals), ["the decimal -0.005", "the decimal 1.234"]);
    assert_eq!(
        cells(UInt64Array::from(vec![u64::MAX])),
        ["the number 18446744073709551615"]
    );
    assert_eq!(cells(NullArray::new(1)), ["null"]);
}

#[test]
fn dates_in_milliseconds_are_whole_days_in_range() {
    let most = DAY * i64::from(i32::MAX);
    let dates = Date64Array::from(vec![0, -3 * DAY, most, most + DAY, DAY - 1, -1]);
    let texts = cells(dates);
    assert_eq!(texts[..3], ["day 0", "day -3", "day 2147483647"]);
    assert!(
        texts[3].contains("beyond what dates can be"),
        "{}",
        texts[3]
    );
    assert!(texts[4..].iter().all(|text| text.contains("no whole day")));
}

#[test]
fn timestamps_become_microseconds_or_are_refused() {
    assert_eq!(cells(TimestampSecondArray::from(vec![-1])), ["-1000000 µs"]);
    assert_eq!(cells(TimestampMillisecondArray::from(vec![1])), ["1000 µs"]);
    assert_eq!(
        cells(TimestampMicrosecondArray::from(vec![i64::MIN])),
        [format!("{} µs", i64::MIN)]
    );
    // As in text, digits past the sixth are cut off, whatever the year.
    let nanos = TimestampNanosecondArray::from(vec![1_999, -1, -1_000, i64::MIN]);
    assert_eq!(
        cells(nanos),
        ["1 µs", "-1 µs", "-1 µs", "-9223372036854776 µs"]
    );
    let beyond = "which is beyond what microseconds hold";
    let seconds = TimestampSecondArray::from(vec![i64::MAX / 1_000_000 + 1]);
    assert!(cells(seconds)[0].ends_with(beyond));
    let millis = TimestampMillisecondArray::from(vec![i64::MIN / 1_000 - 1]);
    assert!(cells(millis)[0].ends_with(beyond));
}
