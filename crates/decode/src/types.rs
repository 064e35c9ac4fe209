//! The types that the columns of batches give to fields, and types at a field path.

use arrow::array::StructArray;
use arrow::datatypes::Schema;
use xdm::{Dataset, FieldType, Fields, Spelling, spelling, standard_child};

use crate::arrow_types::{Unmapped, type_of};
use crate::chunk::{ChunkContent, InputChunk};

/// Takes the field at a path out again; an object stays even when it becomes empty.
pub(crate) fn remove_type(fields: &mut Fields, parts: &[String]) {
    match parts {
        [] => {}
        [last] => {
            fields.remove(last);
        }
        [first, rest @ ..] => {
            if let Some(FieldType::Object(inner)) = fields.get(first) {
                let mut inner = inner.clone();
                remove_type(&mut inner, rest);
                fields.insert(first, FieldType::Object(inner));
            }
        }
    }
}

/// A Parquet file's columns have types even where all their values are null.
pub(crate) fn with_types_of_batch(types: &Fields, chunk: &InputChunk) -> crate::Result<Fields> {
    let mut types = types.clone();
    if let ChunkContent::Batch(batch) = &chunk.content {
        add_types_of(&mut types, batch).map_err(|unmapped| crate::Error::Input {
            name: chunk.file.to_string(),
            problem: unmapped.to_string(),
        })?;
    }
    Ok(types)
}

fn add_types_of(types: &mut Fields, batch: &StructArray) -> Result<(), Unmapped> {
    for field in batch.fields() {
        let ty = type_of(field)?;
        if let Spelling::Field(name) = spelling(field.name())
            && types.get(name).is_none()
            && !matches!(
                name,
                "segments" | "segmentMembership" | "extSourceSystemAudit"
            )
        {
            types.insert(name, column_type(name, ty));
        }
    }
    Ok(())
}

/// The type of a column, maps where XDM says that keys are data.
fn column_type(name: &str, ty: FieldType) -> FieldType {
    match normalised(ty) {
        FieldType::Object(fields) => FieldType::Object(
            fields
                .iter()
                .map(|(child, ty)| {
                    let standard = standard_child(name, child);
                    (child.to_owned(), standard.unwrap_or_else(|| ty.clone()))
                })
                .collect(),
        ),
        other => other,
    }
}

/// The type with XDM's prefixes taken from the names of its fields.
fn normalised(ty: FieldType) -> FieldType {
    match ty {
        FieldType::Object(fields) => {
            let mut plain = Fields::default();
            for (name, ty) in fields.iter() {
                if let Spelling::Field(name) = spelling(name) {
                    plain.insert(name, normalised(ty.clone()));
                }
            }
            FieldType::Object(plain)
        }
        FieldType::List(item) => FieldType::List(Box::new(normalised(*item))),
        FieldType::Map(value) => FieldType::Map(Box::new(normalised(*value))),
        other => other,
    }
}

/// The fields of records that come in batches of an Arrow schema.
///
/// # Errors
/// A column whose type no XDM field has.
pub fn fields_of(dataset: &Dataset, schema: &Schema) -> crate::Result<Fields> {
    let ingest_field = dataset.ingest_field()?;
    let mut fields = Fields::default();
    for field in schema.fields() {
        let ty = type_of(field).map_err(|unmapped| crate::Error::Input {
            name: dataset.name.clone(),
            problem: unmapped.to_string(),
        })?;
        if let Spelling::Field(name) = spelling(field.name()) {
            let standard = dataset.class.standard_type(name);
            fields.insert(name, standard.unwrap_or_else(|| column_type(name, ty)));
        }
    }
    if let Some(path) = ingest_field {
        remove_type(&mut fields, path.parts());
    }
    Ok(fields)
}
