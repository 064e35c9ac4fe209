//! What a body says of a schema's field, checked: all of it is understood.

use catalog::Catalog;
use export::RequestError;
use serde_json::{Map, Value, json};
use store::Store;
use xdm::{FieldType, Fields, Spelling, nearest, spelling};

use super::declared::current;
use super::descriptors::IDENTITY_DESCRIPTOR;
use super::generated::text;
use super::{Registry, Resource, ResourceKind};
use crate::access::Lookups;
use crate::error::Result;
use crate::namespaces::{IdentityNamespace, identity_namespaces};

/// Types that are kept and told, and change nothing; each with what it says beside where.
const TOLD: [(&str, &[&str]); 3] = [
    (
        "xdm:alternateDisplayInfo",
        &[
            "xdm:title",
            "xdm:description",
            "xdm:note",
            "xdm:excludeMetaEnum",
            "meta:enum",
        ],
    ),
    ("xdm:descriptorDeprecated", &[]),
    ("xdm:descriptorLabel", &["xdm:labels", "xdm:label"]),
];
/// What every descriptor says.
const WHERE: [&str; 4] = [
    "@type",
    "xdm:sourceSchema",
    "xdm:sourceVersion",
    "xdm:sourceProperty",
];
const OF_IDENTITY: [&str; 3] = ["xdm:namespace", "xdm:property", "xdm:isPrimary"];
/// What an answer has, so that it may be sent back.
const OF_ANSWERS: [&str; 3] = ["@id", "imsOrg", "version"];

/// Checks a body: all that it says is understood, and fits the schema as `catalog` has it.
pub(super) fn checked(
    store: &Store,
    catalog: &Catalog,
    registry: &Registry,
    body: Value,
) -> Result<Value> {
    let refuse = |path: &str, problem: String| Err(RequestError::new(path, problem).into());
    let Value::Object(mut body) = body else {
        return refuse("body", "expected a descriptor, an object".to_owned());
    };
    let kind = text(&body, "@type").unwrap_or_default().to_owned();
    let told = TOLD.iter().find(|(known, _)| *known == kind);
    let own: &[&str] = match told {
        Some((_, own)) => own,
        None if kind == IDENTITY_DESCRIPTOR => &OF_IDENTITY,
        None => {
            let known: Vec<&str> = TOLD.iter().map(|(known, _)| *known).collect();
            let problem = format!(
                "found {kind:?}; allowed are {IDENTITY_DESCRIPTOR}, and to be told alone {}",
                known.join(", ")
            );
            return refuse("@type", problem);
        }
    };
    for name in OF_ANSWERS {
        body.shift_remove(name);
    }
    for name in body.keys() {
        let name = name.as_str();
        if !WHERE.contains(&name) && !own.contains(&name) {
            let known: Vec<&str> = WHERE.iter().chain(own).copied().collect();
            return refuse(name, format!("unknown; a {kind} has {}", known.join(", ")));
        }
    }
    let schema = text(&body, "xdm:sourceSchema").unwrap_or_default();
    let Some(found) = current(catalog, registry, schema)? else {
        let schemas = registry.resources.iter();
        let schemas = schemas.filter(|one| one.kind == ResourceKind::Schemas);
        let near = nearest(schema, schemas.map(|one| one.id.as_str()));
        let near = near.first().map(|near| format!("; did you mean {near:?}?"));
        let problem = format!(
            "found {schema:?}, which is no schema here{}",
            near.unwrap_or_default()
        );
        return refuse("xdm:sourceSchema", problem);
    };
    let id = found.id.clone();
    let property = text(&body, "xdm:sourceProperty").unwrap_or_default();
    let Some(parts) = parts_of(property) else {
        let problem = format!(
            "found {property:?}; allowed is the path of a field, such as \"/personalEmail/address\""
        );
        return refuse("xdm:sourceProperty", problem);
    };
    if kind == IDENTITY_DESCRIPTOR {
        if let Some(problem) = problem_of_field(&found, property, &parts) {
            return refuse("xdm:sourceProperty", problem);
        }
        check_identity(&mut body, &identity_namespaces(store, &Lookups::default())?)?;
    }
    body.insert("xdm:sourceSchema".to_owned(), json!(id));
    body.entry("xdm:sourceVersion").or_insert(json!(1));
    Ok(Value::Object(body))
}

/// Why a field of a schema can't have an identity, if it can't.
pub(super) fn problem_of_field(
    schema: &Resource,
    property: &str,
    parts: &[String],
) -> Option<String> {
    let is_declared = !schema.declared.is_empty();
    match field_at(&schema.fields, parts) {
        Some(FieldType::String | FieldType::Text { .. } | FieldType::Unknown) => None,
        Some(other) => Some(format!("{property:?} is {other}; an identity is a string")),
        None if is_declared => Some(format!("schema {} has no field {property:?}", schema.id)),
        // Records may bring it.
        None => None,
    }
}

/// Checks what an identity descriptor says of the identity; its namespace becomes a code.
fn check_identity(body: &mut Map<String, Value>, namespaces: &[IdentityNamespace]) -> Result<()> {
    let refuse = |path: &str, problem: String| Err(RequestError::new(path, problem).into());
    if body.get("xdm:isPrimary") != Some(&Value::Bool(true)) {
        let found = body.get("xdm:isPrimary").cloned().unwrap_or_default();
        let problem = format!(
            "found {found}; allowed is true: identities of a record beside its primary one stand in its identityMap here"
        );
        return refuse("xdm:isPrimary", problem);
    }
    let namespace = body.get("xdm:namespace").cloned().unwrap_or_default();
    let code = match (text(body, "xdm:property").unwrap_or("xdm:code"), &namespace) {
        ("xdm:code", Value::String(code)) => {
            let is_code = !code.is_empty() && code.len() <= 100;
            let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
            (is_code && code.chars().all(is_plain)).then(|| code.clone())
        }
        ("xdm:id", number) => {
            let number = number.as_u64().or_else(|| number.as_str()?.parse().ok());
            let known = namespaces
                .iter()
                .find(|one| Some(u64::from(one.id)) == number);
            known.map(|known| known.code.clone())
        }
        ("xdm:code", _) => None,
        (other, _) => {
            let problem = format!("found {other:?}; allowed are xdm:code and xdm:id");
            return refuse("xdm:property", problem);
        }
    };
    let Some(code) = code else {
        let problem = format!(
            "found {namespace}; allowed is the code of a namespace, or with xdm:property xdm:id its number \
             (/data/core/idnamespace/identities lists them)"
        );
        return refuse("xdm:namespace", problem);
    };
    body.insert("xdm:namespace".to_owned(), json!(code));
    body.insert("xdm:property".to_owned(), json!("xdm:code"));
    Ok(())
}

/// The names on the way to a field: `/xdm:personalEmail/xdm:address` is that of `personalEmail.address`.
pub(super) fn parts_of(property: &str) -> Option<Vec<String>> {
    let mut parts = Vec::new();
    for part in property.strip_prefix('/')?.split('/') {
        let part = part.replace("~1", "/").replace("~0", "~");
        // Behind a list there are several.
        if part.is_empty() || part.contains('*') {
            return None;
        }
        match spelling(&part) {
            Spelling::Field(name) => parts.push(name.to_owned()),
            Spelling::Repo(name) => parts.extend(["_repo".to_owned(), name.to_owned()]),
        }
    }
    Some(parts)
}

fn field_at<'a>(fields: &'a Fields, parts: &[String]) -> Option<&'a FieldType> {
    let (first, rest) = parts.split_first()?;
    match (fields.get(first)?, rest) {
        (found, []) => Some(found),
        (FieldType::Object(fields), rest) => field_at(fields, rest),
        (_, _) => None,
    }
}
