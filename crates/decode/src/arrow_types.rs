//! Which XDM type holds the values of an Arrow type, and which Arrow types none does.

use std::fmt;

use arrow::datatypes::{DataType, Field};
use xdm::{FieldType, Fields, quote_part};

/// How deep a record may nest, as in JSON: the record, and what is in it.
const DEEPEST: usize = 128;

/// The extension of a FixedSizeBinary(16) that is a UUID. Source: Arrow's canonical extension types.
pub(crate) const UUID: &str = "arrow.uuid";

/// Why a column can't be read at all.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Unmapped {
    /// Its name, and those of the fields in it down to the one that no type holds, from the end.
    path: Vec<String>,
    problem: String,
}

impl Unmapped {
    pub(crate) fn new(problem: impl Into<String>) -> Self {
        Self {
            path: Vec::new(),
            problem: problem.into(),
        }
    }

    /// A type that no XDM field has.
    pub(crate) fn of(data_type: impl fmt::Display) -> Self {
        Self::new(format!(
            "has the type {data_type}, which no XDM field has; cast it to a string or a number"
        ))
    }

    /// The same, seen from the column or struct that has the field `name`.
    pub(crate) fn under(mut self, name: &str) -> Self {
        self.path.push(quote_part(name));
        self
    }
}

impl fmt::Display for Unmapped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path: Vec<&str> = self.path.iter().rev().map(String::as_str).collect();
        write!(f, "column {} {}", path.join("."), self.problem)
    }
}

/// The type of an XDM field that holds a column's values.
pub(crate) fn type_of(field: &Field) -> Result<FieldType, Unmapped> {
    field_type(field, 1)
}

/// Whether a field's values are UUIDs in 16 bytes.
pub(crate) fn is_uuid(field: &Field) -> bool {
    let data_type = match field.data_type() {
        DataType::Dictionary(_, values) => values,
        DataType::RunEndEncoded(_, values) => values.data_type(),
        other => other,
    };
    matches!(data_type, DataType::FixedSizeBinary(16)) && field.extension_type_name() == Some(UUID)
}

fn field_type(field: &Field, depth: usize) -> Result<FieldType, Unmapped> {
    type_within(field.data_type(), depth).map_err(|e| e.under(field.name()))
}

/// The type of values that are `depth` containers deep.
fn type_within(data_type: &DataType, depth: usize) -> Result<FieldType, Unmapped> {
    if depth >= DEEPEST && data_type.is_nested() {
        return Err(Unmapped::new(format!(
            "is nested more than {DEEPEST} levels deep"
        )));
    }
    Ok(match data_type {
        DataType::Null => FieldType::Unknown,
        DataType::Boolean => FieldType::Boolean,
        DataType::Int8
        | DataType::Int16
        | DataType::Int32
        | DataType::Int64
        | DataType::UInt8
        | DataType::UInt16
        | DataType::UInt32
        | DataType::UInt64 => long(),
        DataType::Decimal32(_, scale)
        | DataType::Decimal64(_, scale)
        | DataType::Decimal128(_, scale)
        | DataType::Decimal256(_, scale) => match scale {
            ..=0 => long(),
            1.. => FieldType::Double,
        },
        DataType::Float16 | DataType::Float32 | DataType::Float64 => FieldType::Double,
        DataType::Utf8
        | DataType::LargeUtf8
        | DataType::Utf8View
        | DataType::Binary
        | DataType::LargeBinary
        | DataType::BinaryView
        | DataType::FixedSizeBinary(_) => FieldType::TEXT,
        DataType::Date32 | DataType::Date64 => FieldType::Date,
        DataType::Timestamp(..) => FieldType::DateTime,
        DataType::Dictionary(_, values) => type_within(values, depth)?,
        DataType::RunEndEncoded(_, values) => type_within(values.data_type(), depth)?,
        DataType::List(item)
        | DataType::LargeList(item)
        | DataType::FixedSizeList(item, _)
        | DataType::ListView(item)
        | DataType::LargeListView(item) => {
            FieldType::List(Box::new(type_within(item.data_type(), depth + 1)?))
        }
        DataType::Map(entries, _) => FieldType::Map(Box::new(map_value(entries, depth + 1)?)),
        DataType::Struct(fields) => FieldType::Object(
            fields
                .iter()
                .map(|field| Ok((field.name().clone(), field_type(field, depth + 1)?)))
                .collect::<Result<Fields, Unmapped>>()?,
        ),
        DataType::Time32(_)
        | DataType::Time64(_)
        | DataType::Duration(_)
        | DataType::Interval(_)
        | DataType::Union(..) => return Err(Unmapped::of(data_type)),
    })
}

fn map_value(entries: &Field, depth: usize) -> Result<FieldType, Unmapped> {
    let DataType::Struct(parts) = entries.data_type() else {
        return Err(Unmapped::of("of a map without entries"));
    };
    let [key, value] = parts.as_ref() else {
        return Err(Unmapped::of("of a map without keys and values"));
    };
    if type_within(key.data_type(), depth)? != FieldType::TEXT {
        return Err(Unmapped::new(format!(
            "is a map with keys of the type {}; a map's keys are strings",
            key.data_type()
        )));
    }
    type_within(value.data_type(), depth)
}

fn long() -> FieldType {
    FieldType::Long {
        declared: false,
        wide: false,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::datatypes::TimeUnit;

    use super::*;

    fn list_of(item: DataType) -> DataType {
        DataType::List(Arc::new(Field::new("element", item, true)))
    }

    fn map_of(key: DataType, value: DataType) -> DataType {
        let parts = vec![
            Field::new("key", key, false),
            Field::new("value", value, true),
        ];
        let entries = Field::new("key_value", DataType::Struct(parts.into()), false);
        DataType::Map(Arc::new(entries), false)
    }

    fn refused(data_type: DataType) -> String {
        let column = Field::new("a", data_type, true);
        type_of(&column).expect_err("no type").to_string()
    }

    #[test]
    fn a_type_that_no_field_has_is_refused_by_its_path() {
        let time = DataType::Time64(TimeUnit::Microsecond);
        let inner = DataType::Struct(vec![Field::new("b.c", time, true)].into());
        let map = map_of(DataType::Utf8, list_of(inner));
        assert_eq!(
            refused(map),
            "column a.\"b.c\" has the type Time64(µs), which no XDM field has; cast it to a string or a number"
        );
        assert!(refused(DataType::Duration(TimeUnit::Second)).contains("Duration(s)"));
    }

    #[test]
    fn keys_of_maps_are_text_in_any_form() {
        let text = [
            DataType::Utf8,
            DataType::BinaryView,
            DataType::Dictionary(Box::new(DataType::Int8), Box::new(DataType::LargeUtf8)),
        ];
        for key in text {
            let map = Field::new("a", map_of(key, DataType::Int8), true);
            assert_eq!(type_of(&map), Ok(FieldType::Map(Box::new(long()))));
        }
        assert_eq!(
            refused(map_of(DataType::Int32, DataType::Utf8)),
            "column a is a map with keys of the type Int32; a map's keys are strings"
        );
    }

    #[test]
    fn nesting_ends_where_it_does_in_json() {
        let nested = |levels| (0..levels).fold(DataType::Utf8, |item, _| list_of(item));
        assert!(type_of(&Field::new("a", nested(127), true)).is_ok());
        assert_eq!(
            refused(nested(128)),
            "column a is nested more than 128 levels deep"
        );
    }
}
