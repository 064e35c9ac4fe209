//! People as record batches.

use std::io::Cursor;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{
    DataType, Field, FieldRef, Fields as ArrowFields, Schema as ArrowSchema, TimeUnit,
};
use arrow::json::ReaderBuilder;
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
