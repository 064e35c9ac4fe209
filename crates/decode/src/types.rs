//! Types at a field path.

use xdm::{FieldType, Fields};

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
