//! One type for what files of different jobs call by one name.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Fields};

/// The fields of both, in the order of the first and then of the second. Any of them may be null.
///
/// # Errors
/// What is wrong, where a field has two types that nothing holds both of.
pub(crate) fn united_fields(first: &Fields, second: &Fields) -> Result<Fields, String> {
    let mut all: Vec<Arc<Field>> = Vec::new();
    for field in first {
        let ty = match second.find(field.name()) {
            None => plain(field.data_type()),
            Some((_, other)) => united(field.data_type(), other.data_type())
                .map_err(|problem| format!("field {}{problem}", field.name()))?,
        };
        all.push(Arc::new(Field::new(field.name(), ty, true)));
    }
    let others = second
        .iter()
        .filter(|field| first.find(field.name()).is_none());
    all.extend(
        others.map(|field| Arc::new(Field::new(field.name(), plain(field.data_type()), true))),
    );
    Ok(all.into())
}

/// A type that holds the values of both: numbers widen, objects have the fields of both. The problem begins with the path
/// below the field.
fn united(first: &DataType, second: &DataType) -> Result<DataType, String> {
    use DataType::{Dictionary, Float32, Float64, Int8, Int16, Int32, Int64, List, Map, Struct};
    Ok(match (first, second) {
        (Dictionary(_, value), other) | (other, Dictionary(_, value)) => united(value, other)?,
        (Struct(first), Struct(second)) => Struct(
            united_fields(first, second).map_err(|problem| problem.replacen("field ", ".", 1))?,
        ),
        (List(first), List(second)) => {
            let item = united(first.data_type(), second.data_type())?;
            List(Arc::new(Field::new(first.name(), item, true)))
        }
        (Map(first, sorted), Map(second, _)) => {
            let (key, value) = entry(first);
            let (_, other) = entry(second);
            map(
                first,
                (key, &united(value.data_type(), other.data_type())?),
                *sorted,
            )
        }
        (Int8 | Int16 | Int32 | Int64, Int8 | Int16 | Int32 | Int64) if first != second => Int64,
        (Int8 | Int16 | Int32 | Int64 | Float32, Float32 | Float64)
        | (Float32 | Float64, Int8 | Int16 | Int32 | Int64 | Float32)
            if first != second =>
        {
            Float64
        }
        (first, second) if plain(first) == plain(second) => plain(first),
        (first, second) => return Err(format!(": {second}, where other files have {first}")),
    })
}

/// A type with its text without dictionaries, of which any part may be null.
fn plain(ty: &DataType) -> DataType {
    let all = |field: &Arc<Field>| {
        let ty = plain(field.data_type());
        Arc::new(Field::new(field.name(), ty, true))
    };
    match ty {
        DataType::Dictionary(_, value) => plain(value),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(all).collect()),
        DataType::List(item) => DataType::List(all(item)),
        DataType::Map(entries, sorted) => {
            let (key, value) = entry(entries);
            map(entries, (key, &plain(value.data_type())), *sorted)
        }
        other => other.clone(),
    }
}

fn entry(entries: &Field) -> (&Field, &Field) {
    let DataType::Struct(both) = entries.data_type() else {
        unreachable!("a map's entries are objects");
    };
    match &both[..] {
        [key, value] => (key, value),
        _ => unreachable!("a map's entries are keys and values"),
    }
}

/// A map's keys are never null.
fn map(entries: &Field, (key, value): (&Field, &DataType), sorted: bool) -> DataType {
    let key = Field::new(key.name(), plain(key.data_type()), false);
    let value = Field::new(entry(entries).1.name(), value.clone(), true);
    let both = DataType::Struct(vec![Arc::new(key), Arc::new(value)].into());
    DataType::Map(Arc::new(Field::new(entries.name(), both, false)), sorted)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(ty: DataType) -> Fields {
        vec![Field::new("a", ty, false)].into()
    }

    #[test]
    fn what_one_type_holds_is_one_field() {
        let text = || DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
        let object = |names: &[&str]| {
            let all = names.iter().map(|name| Field::new(*name, text(), true));
            DataType::Struct(all.collect())
        };
        let of_map = |value: DataType| {
            let key = Field::new("key", DataType::Utf8, false);
            let both = DataType::Struct(vec![key, Field::new("value", value, true)].into());
            DataType::Map(Arc::new(Field::new("entries", both, false)), false)
        };
        let list = |item: DataType| DataType::List(Arc::new(Field::new("item", item, true)));
        let plain_object = |names: &[&str]| {
            let all = names
                .iter()
                .map(|name| Field::new(*name, DataType::Utf8, true));
            DataType::Struct(all.collect())
        };
        for (first, second, both) in [
            (text(), DataType::Utf8, DataType::Utf8),
            (DataType::Int64, DataType::Float64, DataType::Float64),
            (DataType::Int32, DataType::Int64, DataType::Int64),
            (
                object(&["x"]),
                object(&["y", "x"]),
                plain_object(&["x", "y"]),
            ),
            (
                of_map(object(&["x"])),
                of_map(object(&["y"])),
                of_map(plain_object(&["x", "y"])),
            ),
            (
                list(DataType::Int32),
                list(DataType::Float64),
                list(DataType::Float64),
            ),
        ] {
            let united = united_fields(&fields(first.clone()), &fields(second.clone()));
            let expected: Fields = vec![Field::new("a", both, true)].into();
            assert_eq!(united, Ok(expected), "{first} {second}");
        }
        let problem = united_fields(&fields(object(&["x"])), &fields(DataType::Utf8));
        assert!(problem.is_err_and(|problem| problem.starts_with("field a: ")));
        let nested = |ty| fields(DataType::Struct(fields(ty)));
        let problem = united_fields(&nested(DataType::Utf8), &nested(DataType::Int64));
        assert!(problem.is_err_and(|problem| problem.starts_with("field a.a: ")));
    }
}
