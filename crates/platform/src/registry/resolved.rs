//! What a declared schema refers to, put in its place.

use export::RequestError;
use serde_json::{Map, Value};
use xdm::{Class, nearest};

use super::generated::class_of;
use super::{Registry, Resource, ResourceKind};
use crate::error::Result;

/// The most references out of one schema: each brings all fields of what it names.
const MOST_REFERENCES: usize = 1000;
/// The most fields that they bring together: as many as a schema has.
const MOST_PROPERTIES: usize = 100_000;

/// How much more may be brought.
struct Left {
    references: usize,
    properties: usize,
}

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
    let mut left = Left {
        references: MOST_REFERENCES,
        properties: MOST_PROPERTIES,
    };
    replace(&mut whole, "", registry, &mut left)?;
    Ok((class, whole))
}

/// Puts the fields of what is referred to in the place of the reference. Those within the schema stay.
fn replace(value: &mut Value, path: &str, registry: &Registry, left: &mut Left) -> Result<()> {
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
                left.references = left.references.checked_sub(1).ok_or_else(|| {
                    let problem =
                        format!("more than {MOST_REFERENCES} references lead out of the schema");
                    RequestError::new(path, problem)
                })?;
                let found = named(id, &below("$ref"), registry)?;
                // Before they take memory.
                let properties = left.properties.checked_sub(found.fields.leaves());
                left.properties = properties.ok_or_else(|| {
                    let problem = format!(
                        "what the schema refers to has more than {MOST_PROPERTIES} fields together"
                    );
                    RequestError::new(path, problem)
                })?;
                *value = found.properties();
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

/// What a reference out of a schema names.
fn named<'a>(id: &str, path: &str, registry: &'a Registry) -> Result<&'a Resource> {
    let may_be_named = |kind| {
        matches!(
            kind,
            ResourceKind::Classes | ResourceKind::FieldGroups | ResourceKind::DataTypes
        )
    };
    if let Some(found) = registry.get(id).filter(|found| may_be_named(found.kind)) {
        return Ok(found);
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

#[cfg(test)]
mod tests {
    use serde_json::json;
    use xdm::{FieldType, Fields};

    use super::super::generated::standard;
    use super::*;

    #[test]
    fn what_references_bring_is_counted_before_it_is_made() {
        let mut resources = standard();
        let mut fields = Fields::default();
        for i in 0..1000 {
            fields.insert(&format!("f{i}"), FieldType::String);
        }
        let group = Resource {
            id: "https://ns.adobe.com/acme/mixins/large".to_owned(),
            kind: ResourceKind::FieldGroups,
            fields,
            ..resources[0].clone()
        };
        let reference = json!({"$ref": group.id});
        resources.push(group);
        let registry = Registry {
            tenant: "acme".to_owned(),
            resources,
        };
        let of = |references: usize| {
            let properties = (0..references).map(|i| (format!("p{i}"), reference.clone()));
            let properties: Map<String, Value> = properties.collect();
            let body =
                json!({"allOf": [{"$ref": Class::Profile.class_id()}], "properties": properties});
            resolved(body.as_object().expect("an object"), &registry).map(|_| ())
        };
        of(90).expect("so many may be");
        let refused = of(100).expect_err("with those of the class too many");
        assert!(
            refused.to_string().contains("more than 100000 fields"),
            "{refused}"
        );
    }
}
