use arrow::datatypes::{DataType, Schema};
use parquet::basic::Encoding;
use parquet::file::properties::WriterPropertiesBuilder;
use parquet::schema::types::SchemaDescriptor;

/// Chooses the encoding of each leaf by how its values come: what repeats is in a dictionary already, so
/// text that is not, and fractions, would only overflow one; times are near each other, and their
/// differences take fewer bits.
pub(crate) fn encode_leaves(
    mut properties: WriterPropertiesBuilder,
    descriptor: &SchemaDescriptor,
    schema: &Schema,
) -> WriterPropertiesBuilder {
    let mut types = Vec::new();
    for field in schema.fields() {
        add_leaves(field.data_type(), &mut types);
    }
    for (column, ty) in descriptor.columns().iter().zip(types) {
        let path = column.path().clone();
        properties = match ty {
            DataType::Timestamp(..) => properties
                .set_column_dictionary_enabled(path.clone(), false)
                .set_column_encoding(path, Encoding::DELTA_BINARY_PACKED),
            DataType::Utf8 | DataType::Float64 => {
                properties.set_column_dictionary_enabled(path, false)
            }
            _ => properties,
        };
    }
    properties
}

/// The types of the leaves, in the order of Parquet's columns.
fn add_leaves<'a>(ty: &'a DataType, leaves: &mut Vec<&'a DataType>) {
    match ty {
        DataType::Struct(fields) => {
            for field in fields {
                add_leaves(field.data_type(), leaves);
            }
        }
        DataType::List(inner) | DataType::Map(inner, _) => add_leaves(inner.data_type(), leaves),
        leaf => leaves.push(leaf),
    }
}
