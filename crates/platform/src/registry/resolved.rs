//! What a declared schema refers to, put in its place.

use export::RequestError;
use serde_json::{Map, Value};
use xdm::{Class, nearest};

use super::generated::class_of;
use super::{Registry, ResourceKind};
use crate::error::Result;

/// The most references out of one schema: each brings all fields of what it names.
const MOST_REFERENCES: usize = 1000;

/// A declared schema whose references lead out of it no more, and its class.
///
/// # Errors
/// A reference to what there isn't, named with its place; none of the two classes, or both.
pub(super) fn resolved(body: &Map<String, Value>, registry: &Registry) -> Result<(Class, Value)> {
    let mut classes: Vec<Class> = Vec::new();
    let parts = body.get("allOf").and_then(Value::as_array);
    for part in parts.into_iter().flatten() {
        let class = part["$ref"].as_str().and_then(class_of);
        classes.extend(class.filter(|class| !classes.contains(class)));
    }
    let [class] = classes[..] else {
        let known = Class::ALL.map(Class::class_id).join(" and ");
        let problem = format!(
            "found {} classes; it names one class, known are {known}",
            classes.len()
        );
        return Err(RequestError::new("allOf", problem).into());
    };
    let mut whole = Value::Object(body.clone());
    let mut left = MOST_REFERENCES;
    replace(&mut whole, "", registry, &mut left)?;
    Ok((class, whole))
}

/// Puts the fields of what is referred to in the place of the reference. Those within the schema stay.
fn replace(value: &mut Value, path: &str, registry: &Registry, left: &mut usize) -> Result<()> {
    let below = |name: &str| match path {
        "" => name.to_owned(),
        path => format!("{path}.{name}"),
    };
    match value {
        Value::Array(items) => {
            for (i, item) in items.iter_mut().enumerate() {
                replace(item, &format!("{path}[{i}]"), registry, left)?;
            }
        }
        Value::Object(object) => {
            if let Some(id) = object.get("$ref").and_then(Value::as_str)
                && !id.starts_with('#')
            {
                *left = left.checked_sub(1).ok_or_else(|| {
                    let problem =
                        format!("more than {MOST_REFERENCES} references lead out of the schema");
                    RequestError::new(path, problem)
                })?;
                *value = fields_of(id, &below("$ref"), registry)?;
                return Ok(());
            }
            for (name, inner) in object.iter_mut() {
                replace(inner, &below(name), registry, left)?;
            }
        }
        _ => {}
    }
    Ok(())
}

fn fields_of(id: &str, path: &str, registry: &Registry) -> Result<Value> {
    let may_be_named = |kind| {
        matches!(
            kind,
            ResourceKind::Classes | ResourceKind::FieldGroups | ResourceKind::DataTypes
        )
    };
    if let Some(found) = registry.get(id).filter(|found| may_be_named(found.kind)) {
        return Ok(found.properties());
    }
    let known = registry
        .resources
        .iter()
        .filter(|one| may_be_named(one.kind));
    let known: Vec<&str> = known.map(|one| one.id.as_str()).collect();
    let near = match nearest(id, known.iter().copied()).first() {
        Some(near) => format!("; did you mean {near:?}?"),
        None => String::new(),
    };
    let problem = format!(
        "found {id:?}, which is no class, field group or data type here{near}; bring its fields in definitions, and refer to \
         them by \"#/definitions/…\""
    );
    Err(RequestError::new(path, problem).into())
}
