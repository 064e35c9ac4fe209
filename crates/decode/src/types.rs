//! Types at a field path.

use xdm::{FieldPath, FieldType, Fields};

/// Sets the type at a path, making the objects on the way.
pub(crate) fn set_type(fields: &mut Fields, path: &FieldPath, ty: FieldType) {
    fn set(fields: &mut Fields, parts: &[String], ty: FieldType) {
        match parts {
            [] => {}
            [last] => fields.insert(last, ty),
            [first, rest @ ..] => {
                let mut inner = match fields.get(first) {
                    Some(FieldType::Object(inner)) => inner.clone(),
                    _ => Fields::default(),
                };
                set(&mut inner, rest, ty);
                fields.insert(first, FieldType::Object(inner));
            }
        }
    }
    set(fields, path.parts(), ty);
}

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
