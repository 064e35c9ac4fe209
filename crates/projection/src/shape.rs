//! What Parquet can hold of a type, and what readers can tell apart.

use xdm::{FieldPath, FieldType, Fields};

use crate::ProjectionError;

/// The type without objects that have no fields, or `None` where nothing is left of it.
pub(crate) fn solid(ty: &FieldType) -> Option<FieldType> {
    Some(match ty {
        FieldType::Object(fields) => FieldType::Object(solid_fields(fields)?),
        FieldType::List(item) => FieldType::List(Box::new(solid(item)?)),
        FieldType::Map(value) => FieldType::Map(Box::new(solid(value)?)),
        other => other.clone(),
    })
}

pub(crate) fn solid_fields(fields: &Fields) -> Option<Fields> {
    let solid: Fields = fields
        .iter()
        .filter_map(|(name, ty)| Some((name.to_owned(), solid(ty)?)))
        .collect();
    (!solid.is_empty()).then_some(solid)
}

/// Refuses fields of one object whose names differ only in case.
pub(crate) fn check_case(
    fields: &Fields,
    parents: &mut Vec<String>,
) -> Result<(), ProjectionError> {
    let mut known: Vec<(String, &str)> = Vec::new();
    for (name, ty) in fields.iter() {
        let folded = name.to_lowercase();
        let path = |name: &str| {
            FieldPath::from_parts(parents.iter().cloned().chain([name.to_owned()])).to_string()
        };
        if let Some((_, other)) = known.iter().find(|(known, _)| *known == folded) {
            return Err(ProjectionError::CaseConflict {
                first: path(other),
                second: path(name),
            });
        }
        known.push((folded, name));
        let mut inner = ty;
        while let FieldType::List(next) | FieldType::Map(next) = inner {
            inner = next;
        }
        if let FieldType::Object(inner) = inner {
            parents.push(name.to_owned());
            check_case(inner, parents)?;
            parents.pop();
        }
    }
    Ok(())
}
