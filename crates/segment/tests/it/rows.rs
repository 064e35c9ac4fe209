//! People as record batches.

use std::io::Cursor;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, ListArray, RecordBatch, StructArray};
use arrow::datatypes::{
    DataType, Field, FieldRef, Fields as ArrowFields, Schema as ArrowSchema, TimeUnit,
};
use arrow::json::ReaderBuilder;
use profile_export_pql::typed::{Column, Columns};
use profile_export_pql::{Fields, Schema, Type};
use profile_export_segment::EVENTS;
use serde_json::{Value, json};

/// People as `{"profile": …, "events": […], "segments": […]}`, as an export streams them.
pub fn rows(people: &[Value], schema: &Schema) -> RecordBatch {
    let event = Type::Object(schema.event.clone());
    let mut fields = arrow_fields(&schema.profile).to_vec();
    fields.push(field(EVENTS, &Type::array_of(event.clone())));
    let arrow = Arc::new(ArrowSchema::new(fields));
    let mut text = String::new();
    for person in people {
        let mut row = plain(&person["profile"], &Type::Object(schema.profile.clone()));
        row[EVENTS] = plain(&person["events"], &Type::array_of(event.clone()));
        text.push_str(&format!("{row}\n"));
    }
    let mut reader = ReaderBuilder::new(arrow)
        .with_batch_size(people.len().max(1))
        .build(Cursor::new(text))
        .unwrap();
    reader.next().unwrap().unwrap()
}

/// The value with every moment as a text, which is what the reader takes.
fn plain(value: &Value, ty: &Type) -> Value {
    match (value, ty) {
        (Value::Null, _) => Value::Null,
        (value, Type::Timestamp) => match value.as_i64() {
            Some(millis) => json!(
                chrono::DateTime::from_timestamp_millis(millis)
                    .unwrap()
                    .to_rfc3339()
            ),
            None => value.clone(),
        },
        (Value::Array(items), Type::Array(item)) => {
            items.iter().map(|value| plain(value, item)).collect()
        }
        (Value::Object(members), Type::Map(value)) => members
            .iter()
            .map(|(name, own)| (name.clone(), plain(own, value)))
            .collect(),
        (Value::Object(members), Type::Object(fields)) => (members.iter())
            .map(|(name, own)| (name.clone(), plain(own, fields.get(name).unwrap())))
            .collect(),
        (value, _) => value.clone(),
    }
}

fn arrow_fields(fields: &Fields) -> ArrowFields {
    fields.iter().map(|(name, ty)| field(name, ty)).collect()
}

fn field(name: &str, ty: &Type) -> FieldRef {
    Arc::new(Field::new(name, arrow_type(ty), true))
}

fn arrow_type(ty: &Type) -> DataType {
    match ty {
        Type::String => DataType::Utf8,
        Type::Boolean => DataType::Boolean,
        Type::Integer => DataType::Int64,
        Type::Double => DataType::Float64,
        Type::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, Some("+00:00".into())),
        Type::Date => DataType::Date32,
        Type::Array(item) => DataType::List(field("element", item)),
        Type::Map(value) => {
            let key = Arc::new(Field::new("key", DataType::Utf8, false));
            let entry = ArrowFields::from(vec![key, field("value", value)]);
            DataType::Map(
                Arc::new(Field::new("key_value", DataType::Struct(entry), false)),
                false,
            )
        }
        Type::Object(fields) => DataType::Struct(arrow_fields(fields)),
    }
}

/// The rows with those columns alone that an expression reads, as an evaluation over a store asks for them.
pub fn pruned(rows: &RecordBatch, read: &Columns) -> RecordBatch {
    let of_events = read.events.as_ref().map(|events| paths(events));
    let of_profiles = paths(&read.profile);
    let (mut fields, mut columns) = (Vec::new(), Vec::new());
    for (field, column) in rows.schema().fields().iter().zip(rows.columns()) {
        let kept = match field.name() == EVENTS {
            true => of_events.clone(),
            false => within(&of_profiles, field.name()),
        };
        if let Some(paths) = kept {
            let column = kept_of(column, &paths);
            fields.push(Field::new(field.name(), column.data_type().clone(), true));
            columns.push(column);
        }
    }
    if columns.is_empty() {
        // Rows have a column at least.
        return rows.project(&[0]).unwrap();
    }
    RecordBatch::try_new(Arc::new(ArrowSchema::new(fields)), columns).unwrap()
}

/// A path, and whether only the shape of what is there is read.
type Path<'a> = (&'a [String], bool);

fn paths(columns: &[Column]) -> Vec<Path<'_>> {
    let paths = columns.iter();
    paths.map(|one| (&one.path[..], one.only_shape)).collect()
}

/// The rest of the paths that go on by this name.
fn within<'a>(paths: &[Path<'a>], name: &str) -> Option<Vec<Path<'a>>> {
    let rest: Vec<Path<'a>> = (paths.iter())
        .filter_map(|(path, only_shape)| match path {
            [first, rest @ ..] if first == name => Some((rest, *only_shape)),
            [] if !only_shape => Some((&[][..], false)),
            _ => None,
        })
        .collect();
    (!rest.is_empty()).then_some(rest)
}

fn kept_of(array: &ArrayRef, paths: &[Path<'_>]) -> ArrayRef {
    match array.data_type() {
        DataType::List(_) => {
            let lists = array.as_list::<i32>();
            let items = kept_of(lists.values(), paths);
            let item = Arc::new(Field::new("element", items.data_type().clone(), true));
            Arc::new(ListArray::new(
                item,
                lists.offsets().clone(),
                items,
                lists.nulls().cloned(),
            ))
        }
        DataType::Struct(_) => {
            let object = array.as_struct();
            let children = || object.fields().iter().zip(object.columns());
            let kept = children().filter_map(|(field, column)| {
                let column = kept_of(column, &within(paths, field.name())?);
                Some((field.name().clone(), column))
            });
            let mut kept: Vec<(String, ArrayRef)> = kept.collect();
            if kept.is_empty() {
                // Any field tells whether there is an object.
                let first = children().next().unwrap();
                kept.push((first.0.name().clone(), Arc::clone(first.1)));
            }
            let (fields, columns): (Vec<Field>, Vec<ArrayRef>) = kept
                .into_iter()
                .map(|(name, column)| (Field::new(name, column.data_type().clone(), true), column))
                .unzip();
            Arc::new(StructArray::new(
                fields.into(),
                columns,
                object.nulls().cloned(),
            ))
        }
        _ => Arc::clone(array),
    }
}
