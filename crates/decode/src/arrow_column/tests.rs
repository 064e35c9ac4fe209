//! Batches taken in column by column, beside the same ones record by record.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, DictionaryArray, Int32Array, ListArray, MapArray, RecordBatch,
    StringArray, StructArray,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType, FieldRef, TimeUnit};
use proptest::collection::{btree_map, vec};
use proptest::option::weighted;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};
use xdm::{Class, FieldType, Fields, testing};

use super::*;
use crate::chunk::InputChunk;
use crate::record_builder::RecordBuilder;
use crate::selection::FieldSelection;
use crate::types::with_types_of_batch;

/// The columns' types and the records that came of a batch.
type Taken = Result<(Fields, StructArray), RecordError>;

/// What a batch becomes beside known types: row by row, and by columns, unless it is not taken so.
fn taken(batch: &StructArray, union: &Fields, kept: &FieldSelection) -> (Taken, Option<Taken>) {
    let chunk = InputChunk::of_batch("b", RecordBatch::from(batch.clone()));
    let types = with_types_of_batch(union, &chunk).expect("types of columns");
    let builder = || RecordBuilder::new(Class::Profile, &types, kept.clone());
    let finished = |builder: RecordBuilder| (builder.types(), builder.finish().expect("records"));
    let made = Bump::new();
    let mut by_rows = builder();
    let rows = (0..batch.len())
        .try_for_each(|row| by_rows.append(ArrowCell::record(batch, row, &made)))
        .map(|()| finished(by_rows));
    let progress = Progress::default();
    let reading = Reading {
        made: &made,
        progress: &progress,
    };
    let mut by_columns = builder();
    let columns = match by_columns.append_batch(batch, reading) {
        Ok(false) => None,
        Ok(true) => Some(Ok(finished(by_columns))),
        Err(error) => Some(Err(error)),
    };
    (rows, columns)
}

/// Holds both ways against each other; says whether the batch was taken in by columns.
fn agree(batch: &StructArray, union: &Fields, kept: &FieldSelection) -> bool {
    let (rows, columns) = taken(batch, union, kept);
    let Some(columns) = columns else {
        return false;
    };
    match (rows, columns) {
        (Ok(rows), Ok(columns)) => assert_eq!(rows, columns),
        (Err(_), Err(_)) => {}
        (rows, columns) => panic!("row by row {rows:?}, by columns {columns:?}"),
    }
    true
}

fn record_type() -> Fields {
    let item = testing::object([("id", FieldType::String), ("of", testing::LONG)]);
    let inner = testing::object([("x", FieldType::String), ("on", FieldType::Date)]);
    let object = testing::object([
        ("name", FieldType::String),
        ("inner", inner.clone()),
        ("numbers", testing::list(testing::LONG)),
    ]);
    testing::fields([
        ("flag", FieldType::Boolean),
        ("count", testing::LONG),
        ("share", FieldType::Double),
        ("text", FieldType::String),
        ("at", FieldType::DateTime),
        ("object", object),
        ("lists", testing::list(testing::list(FieldType::String))),
        ("items", testing::list(item)),
        ("map", testing::map(testing::map(inner))),
    ])
}

fn value_of(ty: &FieldType) -> BoxedStrategy<Value> {
    let some: BoxedStrategy<Value> = match ty {
        FieldType::Boolean => any::<bool>().prop_map(|b| json!(b)).boxed(),
        FieldType::Double => (-9..9).prop_map(|n| json!(f64::from(n) / 4.0)).boxed(),
        FieldType::Date => select(vec!["2024-02-29", "1969-12-31"])
            .prop_map(|d| json!(d))
            .boxed(),
        FieldType::DateTime => select(vec!["2024-02-29T01:02:03.000004Z", "1969-12-31T00:00:00Z"])
            .prop_map(|d| json!(d))
            .boxed(),
        FieldType::List(item) => vec(value_of(item), 0..4).prop_map(Value::Array).boxed(),
        FieldType::Map(value) => btree_map("[ab]?", value_of(value), 0..3)
            .prop_map(|map| map.into_iter().collect())
            .boxed(),
        FieldType::Object(fields) => {
            let fields: Vec<_> = (fields.iter())
                .map(|(name, ty)| (Just(name.to_owned()), value_of(ty)))
                .collect();
            fields
                .prop_map(|fields| fields.into_iter().collect())
                .boxed()
        }
        FieldType::String => select(vec!["", "a", "2024-02-29", "a text that is no short one"])
            .prop_map(|t| json!(t))
            .boxed(),
        _ => select(vec![0, -7, 1 << 40, (1 << 53) + 1])
            .prop_map(|n: i64| json!(n))
            .boxed(),
    };
    weighted(0.8, some)
        .prop_map(Option::unwrap_or_default)
        .boxed()
}

/// How a batch may look that says the same or less.
#[derive(Clone, Debug)]
struct Look {
    text: DataType,
    integer: DataType,
    time: TimeUnit,
    /// Rows that are null though there is something in them: those of each number that this divides.
    hidden: usize,
    /// How many rows are cut off at the beginning.
    cut: usize,
}

fn looks() -> impl Strategy<Value = Look> {
    let integer = vec![
        DataType::Int64,
        DataType::Int8,
        DataType::Int32,
        DataType::UInt16,
        DataType::UInt64,
    ];
    let key = || Box::new(DataType::Int32);
    let text = vec![
        DataType::Utf8,
        DataType::LargeUtf8,
        DataType::Utf8View,
        DataType::Binary,
        DataType::BinaryView,
        DataType::Dictionary(key(), Box::new(DataType::Utf8)),
    ];
    let time = select(vec![
        TimeUnit::Microsecond,
        TimeUnit::Nanosecond,
        TimeUnit::Second,
    ]);
    let of = (select(text), select(integer), time, 2..9_usize, 0..3_usize);
    of.prop_map(|(text, integer, time, hidden, cut)| Look {
        text,
        integer,
        time,
        hidden,
        cut,
    })
}

/// The array as the look has it.
fn looking(array: &ArrayRef, look: &Look, is_hidden: bool) -> ArrayRef {
    let shown: NullBuffer = (0..array.len())
        .map(|row| !(row + 1).is_multiple_of(look.hidden))
        .collect();
    let nulls = match is_hidden {
        true => NullBuffer::union(array.nulls(), Some(&shown)),
        false => array.nulls().cloned(),
    };
    let typed = |field: &FieldRef, array: &ArrayRef| {
        Arc::new(
            field
                .as_ref()
                .clone()
                .with_data_type(array.data_type().clone()),
        )
    };
    match array.data_type() {
        DataType::Utf8 => cast(array, &look.text).expect("texts"),
        DataType::Int64 => {
            // What does not fit becomes null.
            cast(array, &look.integer).expect("integers")
        }
        DataType::Timestamp(..) => {
            cast(array, &DataType::Timestamp(look.time, Some("UTC".into()))).expect("times")
        }
        DataType::Struct(fields) => {
            let columns: Vec<ArrayRef> = (array.as_struct().columns().iter())
                .map(|column| looking(column, look, true))
                .collect();
            let fields = fields
                .iter()
                .zip(&columns)
                .map(|(field, column)| typed(field, column));
            let fields = fields.collect::<Vec<_>>().into();
            Arc::new(StructArray::new(fields, columns, nulls))
        }
        DataType::List(field) => {
            let list = array.as_list::<i32>();
            let items = looking(list.values(), look, true);
            Arc::new(ListArray::new(
                typed(field, &items),
                list.offsets().clone(),
                items,
                nulls,
            ))
        }
        DataType::Map(entries, _) => {
            let map = array.as_map();
            let (key_field, value_field) = map.entries_fields();
            let (key_field, value_field) =
                (Arc::new(key_field.clone()), Arc::new(value_field.clone()));
            let keys = looking(map.keys(), look, false);
            let values = looking(map.values(), look, true);
            let fields = vec![typed(&key_field, &keys), typed(&value_field, &values)];
            let pairs = StructArray::new(fields.into(), vec![keys, values], None);
            let entries = entries
                .as_ref()
                .clone()
                .with_data_type(pairs.data_type().clone());
            Arc::new(MapArray::new(
                Arc::new(entries),
                map.offsets().clone(),
                pairs,
                nulls,
                false,
            ))
        }
        _ => Arc::clone(array),
    }
}

/// What else may be known of the fields: nothing, all in another order, some, others.
fn unions() -> impl Strategy<Value = Fields> {
    let reversed = || {
        let mut fields: Vec<_> = record_type()
            .iter()
            .map(|(n, t)| (n.to_owned(), t.clone()))
            .collect();
        fields.reverse();
        fields.into_iter().collect::<Fields>()
    };
    let inner = testing::object([("on", FieldType::TEXT)]);
    let some = testing::fields([
        ("more", testing::LONG),
        (
            "object",
            testing::object([("inner", inner), ("extra", FieldType::Double)]),
        ),
        ("map", testing::map(FieldType::Unknown)),
    ]);
    let others = testing::fields([
        ("count", FieldType::Double),
        ("share", testing::LONG),
        ("text", FieldType::TEXT),
        ("at", FieldType::TEXT),
        ("object", testing::map(FieldType::Unknown)),
    ]);
    let narrow = testing::fields([("count", FieldType::Int), ("text", FieldType::Date)]);
    select(vec![Fields::default(), reversed(), some, others, narrow])
}

proptest! {
    #[test]
    fn columns_become_what_their_rows_become(
        rows in vec(value_of(&FieldType::Object(record_type())), 3..12),
        look in looks(),
        union in unions(),
        is_kept in any::<bool>(),
    ) {
        let rows: Vec<Value> = rows.into_iter().map(|row| match row {
            Value::Null => json!({}),
            row => row,
        }).collect();
        let array = testing::array(&FieldType::Object(record_type()), &rows);
        let array = looking(&array, &look, false);
        let (fields, columns, _) = array.as_struct().clone().into_parts();
        let batch = StructArray::new(fields, columns, None).slice(look.cut, rows.len() - look.cut);
        let kept = match is_kept {
            true => FieldSelection::All,
            false => FieldSelection::Nothing,
        };
        prop_assert!(agree(&batch, &union, &kept));
    }
}

fn batch_of(columns: Vec<(&str, ArrayRef)>) -> StructArray {
    RecordBatch::try_from_iter(columns).expect("a batch").into()
}

fn texts(texts: &[Option<&str>]) -> ArrayRef {
    Arc::new(StringArray::from(texts.to_vec()))
}

#[test]
fn columns_that_only_a_row_tells_apart_are_read_by_rows() {
    let (first, second) = (texts(&[Some("a"), None]), texts(&[None, Some("b")]));
    let list = testing::array(
        &testing::list(FieldType::String),
        &[json!(["a"]), json!(null)],
    );
    for columns in [
        vec![("name", first.clone()), ("xdm:name", second.clone())],
        vec![("repo:path", first.clone()), ("repo:name", second)],
        vec![("_repo", first)],
        vec![("segments", list)],
    ] {
        let names: Vec<&str> = columns.iter().map(|(name, _)| *name).collect();
        let batch = batch_of(columns.clone());
        assert!(
            !agree(&batch, &Fields::default(), &FieldSelection::All),
            "{names:?}"
        );
    }
}

#[test]
fn a_key_that_comes_twice_in_a_row_is_bad_and_one_in_two_rows_is_not() {
    let map = testing::array(
        &testing::map(testing::LONG),
        &[json!({"a": 1, "b": 2}), json!({"a": 3})],
    );
    let map = map.as_map().clone();
    assert!(agree(
        &batch_of(vec![("m", Arc::new(map.clone()))]),
        &Fields::default(),
        &FieldSelection::All
    ));
    let (field, _, entries, _, is_sorted) = map.into_parts();
    let offsets = arrow::buffer::OffsetBuffer::from_lengths([3]);
    let one: ArrayRef = Arc::new(MapArray::new(field, offsets, entries, None, is_sorted));
    let (rows, columns) = taken(
        &batch_of(vec![("m", one)]),
        &Fields::default(),
        &FieldSelection::All,
    );
    let error = rows.expect_err("twice");
    assert_eq!(error.to_string(), "m.a: appears twice in one object");
    assert_eq!(columns, Some(Err(error)));
}

#[test]
fn values_of_a_dictionary_that_are_null_are_null() {
    let values = Arc::new(StringArray::from(vec![Some("a"), None]));
    let keys = Int32Array::from(vec![Some(0), Some(1), None]);
    let column: ArrayRef = Arc::new(DictionaryArray::new(keys, values));
    assert!(agree(
        &batch_of(vec![("t", column)]),
        &Fields::default(),
        &FieldSelection::All
    ));
}

#[test]
fn a_column_that_is_read_cell_by_cell_hears_that_it_is_to_stop() {
    let column = cast(
        &texts(&[Some("a")]),
        &DataType::Dictionary(Box::new(DataType::Int8), Box::new(DataType::Utf8)),
    );
    let batch = batch_of(vec![("t", column.expect("a dictionary"))]);
    let types = testing::fields([("t", FieldType::TEXT)]);
    let mut columns = RecordBuilder::new(Class::Profile, &types, FieldSelection::All);
    let (made, progress) = (Bump::new(), Progress::default());
    progress.cancel();
    let reading = Reading {
        made: &made,
        progress: &progress,
    };
    let stopped = columns.append_batch(&batch, reading).expect_err("stopped");
    assert_eq!(stopped, RecordError::stopped().under("t"));
}
