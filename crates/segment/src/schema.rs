//! The union schemas as the language sees them.

use pql::{Fields, Schema, Type};
use xdm::FieldType;

/// The schema that expressions over these union schemas are checked against.
#[must_use]
pub fn schema_of(profile: &xdm::Fields, event: &xdm::Fields) -> Schema {
    Schema {
        profile: fields_of(profile),
        event: fields_of(event),
    }
}

fn fields_of(fields: &xdm::Fields) -> Fields {
    // An object of which no field was ever seen is nothing that rows can hold.
    let seen = fields.iter().filter(|(_, ty)| !matches!(ty, FieldType::Object(inner) if fields_of(inner).iter().next().is_none()));
    Fields::new(seen.map(|(name, ty)| (name, type_of(ty))))
}

fn type_of(ty: &FieldType) -> Type {
    match ty {
        FieldType::Unknown | FieldType::String | FieldType::Text { .. } => Type::String,
        FieldType::Boolean => Type::Boolean,
        FieldType::Byte | FieldType::Short | FieldType::Int | FieldType::Long { .. } => {
            Type::Integer
        }
        FieldType::Double => Type::Double,
        FieldType::Date => Type::Date,
        FieldType::DateTime => Type::Timestamp,
        FieldType::List(item) => Type::array_of(type_of(item)),
        FieldType::Map(value) => Type::map_of(type_of(value)),
        FieldType::Object(fields) => Type::Object(fields_of(fields)),
    }
}
