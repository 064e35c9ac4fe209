//! Schemas that somebody declared.

use std::collections::BTreeSet;

use catalog::{Catalog, Document, DocumentKind, Kind, new_id};
use decode::MOST_FIELDS;
use export::RequestError;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use store::Store;
use xdm::{Class, Dataset, Fields, Timestamp, fields_from_json_schema};

use super::descriptors::{check_identities, primary_of};
use super::generated::{UNION, own_schema, text};
use super::resolved::resolved;
use super::resource::{Container, Resource, ResourceKind};
use super::{NAMESPACE, Registry};
use crate::error::Result;

/// What a schema has that somebody says; members that begin with `meta:` follow from it, all but `meta:immutableTags`.
const MEMBERS: [&str; 11] = [
    "$id",
    "$schema",
    "title",
    "description",
    "type",
    "allOf",
    "definitions",
    "properties",
    "required",
    "imsOrg",
    "version",
];
/// Where its fields come from.
const CONTENT: [&str; 3] = ["allOf", "definitions", "properties"];
const TAGS: &str = "meta:immutableTags";

/// A declared schema, as the catalog keeps it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct DeclaredSchema {
    id: String,
    title: String,
    description: String,
    class: Class,
    tags: Vec<String>,
    /// As it was said.
    content: Map<String, Value>,
    /// The same with all that it refers to.
    resolved: Value,
    version: i64,
    created: i64,
    updated: i64,
}

/// Declares a schema: a body as the platform's `POST /tenant/schemas` has it.
///
/// # Errors
/// A member or a reference that isn't understood, with its path; no class; fields that contradict the union of the class; a
/// `$id` that is taken.
pub fn create_schema(
    store: &Store,
    registry: &Registry,
    body: Value,
    now: Timestamp,
) -> Result<Resource> {
    let body = checked(body)?;
    let id = match text(&body, "$id") {
        Some(id) => id.to_owned(),
        None => format!("{NAMESPACE}{}/schemas/{}", registry.tenant, new_id()),
    };
    store.catalog().atomically(|catalog| {
        let made = made(catalog, registry, id, &body, (1, now, now))?;
        let shown = resource(&made)?;
        let declared = all(catalog)?;
        let mut others = registry.resources.iter().chain(&declared);
        if let Some(other) = others.find(|one| is_taken(&shown, one)) {
            let problem = format!(
                "$id: {:?} (meta:altId {:?}) is there already, as {:?}",
                made.id,
                shown.alt_id(),
                other.id
            );
            return Err(catalog::Error::Conflict(problem).into());
        }
        put(catalog, &made)?;
        Ok(shown)
    })
}

/// Whether one of the names of a resource is one of another's: it would hide it, or be hidden.
fn is_taken(resource: &Resource, other: &Resource) -> bool {
    let other = [other.id.clone(), other.alt_id()];
    other.contains(&resource.id) || other.contains(&resource.alt_id())
}

/// Declares a schema anew that no dataset is created on.
///
/// # Errors
/// As for [`create_schema`]; there is no such declared schema, or datasets are created on it; an identity descriptor is about
/// a field that it would not have.
pub fn replace_schema(
    store: &Store,
    registry: &Registry,
    id: &str,
    body: Value,
    now: Timestamp,
) -> Result<Resource> {
    let body = checked(body)?;
    store.catalog().atomically(|catalog| {
        let known = find(catalog, registry, id)?;
        if let Some(other) = text(&body, "$id").filter(|said| *said != known.id) {
            let problem = format!(
                "found {other:?}; the ID of a schema stays, here {:?}",
                known.id
            );
            return Err(RequestError::new("$id", problem).into());
        }
        let version = (
            known.version + 1,
            Timestamp::from_millis(known.created),
            now,
        );
        let mut made = made(catalog, registry, known.id, &body, version)?;
        if known.tags.iter().any(|tag| tag == UNION) {
            made.tags = known.tags;
        }
        check_unused(catalog, &made.id, "its fields stay")?;
        let shown = resource(&made)?;
        check_identities(catalog, &shown)?;
        put(catalog, &made)?;
        Ok(shown)
    })
}

/// Changes what is said of a declared schema: title, description and tags, which `change` sees as members of an object. Its
/// fields stay.
///
/// # Errors
/// There is no such declared schema; `change` errs; another tag than `union`, or that is taken away.
pub fn change_schema<E: From<crate::Error> + From<catalog::Error>>(
    store: &Store,
    registry: &Registry,
    id: &str,
    now: Timestamp,
    change: impl FnOnce(&mut Value) -> Result<(), E>,
) -> Result<Resource, E> {
    store.catalog().atomically(|catalog| {
        let known = find(catalog, registry, id)?;
        let mut said = Map::new();
        said.insert("title".to_owned(), known.title.clone().into());
        said.insert("description".to_owned(), known.description.clone().into());
        if !known.tags.is_empty() {
            said.insert(TAGS.to_owned(), known.tags.clone().into());
        }
        let mut said = Value::Object(said);
        change(&mut said)?;
        let changed = said.as_object().cloned().unwrap_or_else(Map::new);
        let tags = tags_of(&changed)?;
        if known.tags.iter().any(|tag| !tags.contains(tag)) {
            let problem = "the tag union stays: records are part of it";
            return Err(crate::Error::from(RequestError::new(TAGS, problem)).into());
        }
        let changed = DeclaredSchema {
            title: title_of(&changed)?,
            description: text(&changed, "description").unwrap_or("").to_owned(),
            tags,
            version: known.version + 1,
            updated: now.millis(),
            ..known
        };
        put(catalog, &changed)?;
        Ok(resource(&changed)?)
    })
}

/// Forgets a declared schema that no dataset is created on, with its descriptors.
///
/// # Errors
/// There is no such declared schema, or datasets are created on it.
pub fn delete_schema(store: &Store, registry: &Registry, id: &str) -> Result<()> {
    store.catalog().atomically(|catalog| {
        let known = find(catalog, registry, id)?;
        check_unused(catalog, &known.id, "it stays")?;
        super::descriptors::forget_of(catalog, &known.id)?;
        catalog.delete_document(DocumentKind::Schema, &known.id)?;
        Ok(())
    })
}

/// Makes a dataset that a body describes, with the class, the fields and the primary identity of the declared schema that it is
/// created on; as it is where that is none.
///
/// # Errors
/// As for [`Catalog::create_dataset`].
pub fn create_dataset(catalog: &Catalog, dataset: Dataset) -> Result<Dataset> {
    let Some(id) = own_schema(&dataset) else {
        return Ok(catalog.create_dataset(dataset)?);
    };
    let schema = document(catalog, id)?;
    let primary_identity = match &dataset.primary_identity {
        Some(own) => Some(own.clone()),
        None => primary_of(catalog, id)?,
    };
    let (class, schema) = match schema {
        Some(declared) => (
            declared.class,
            dataset.schema.clone().or(Some(declared.resolved)),
        ),
        None => (dataset.class, dataset.schema.clone()),
    };
    Ok(catalog.create_dataset(Dataset {
        class,
        schema,
        primary_identity,
        ..dataset
    })?)
}

/// All of them, as resources.
pub(super) fn all(catalog: &Catalog) -> Result<Vec<Resource>> {
    let documents = catalog.documents(DocumentKind::Schema)?;
    let all = documents.iter().map(|document| resource(&read(document)?));
    all.collect()
}

/// A schema as it is now: a declared one may be another than when the registry was read, or gone.
pub(super) fn current(
    catalog: &Catalog,
    registry: &Registry,
    id: &str,
) -> Result<Option<Resource>> {
    let known = registry.get(id);
    let Some(known) = known.filter(|known| known.kind == ResourceKind::Schemas) else {
        return Ok(None);
    };
    if known.declared.is_empty() {
        return Ok(Some(known.clone()));
    }
    let declared = document(catalog, &known.id)?;
    declared.as_ref().map(resource).transpose()
}

/// Their `$id`s.
pub(super) fn ids(catalog: &Catalog) -> Result<BTreeSet<String>> {
    let documents = catalog.documents(DocumentKind::Schema)?;
    let ids = documents.iter().map(|document| Ok(read(document)?.id));
    ids.collect()
}

/// Checks the members of a body.
fn checked(body: Value) -> Result<Map<String, Value>> {
    let Value::Object(body) = body else {
        return Err(RequestError::new("body", "expected a schema, an object").into());
    };
    for (name, value) in &body {
        if !MEMBERS.contains(&name.as_str()) && !name.starts_with("meta:") {
            let problem = format!("unknown; a schema has {}", MEMBERS.join(", "));
            return Err(RequestError::new(name, problem).into());
        }
        let (is_right, expected) = match name.as_str() {
            "$id" => (
                value
                    .as_str()
                    .is_some_and(|id| id.starts_with("https://") && id.len() <= 500),
                "a URI that begins with https://",
            ),
            "type" => (value == "object", "\"object\""),
            "description" => (value.is_string(), "a text"),
            "allOf" | "required" => (value.is_array(), "a list"),
            "definitions" | "properties" => (value.is_object(), "an object"),
            _ => (true, ""),
        };
        if !is_right {
            let problem = format!("found {value}; allowed is {expected}");
            return Err(RequestError::new(name, problem).into());
        }
    }
    Ok(body)
}

fn made(
    catalog: &Catalog,
    registry: &Registry,
    id: String,
    body: &Map<String, Value>,
    (version, created, updated): (i64, Timestamp, Timestamp),
) -> Result<DeclaredSchema> {
    let mut content = Map::new();
    for name in CONTENT {
        if let Some(value) = body.get(name) {
            content.insert(name.to_owned(), value.clone());
        }
    }
    let (class, resolved) = resolved(&content, registry)?;
    let made = DeclaredSchema {
        id,
        title: title_of(body)?,
        description: text(body, "description").unwrap_or("").to_owned(),
        class,
        tags: tags_of(body)?,
        content,
        resolved,
        version,
        created: created.millis(),
        updated: updated.millis(),
    };
    let own = fields(&made)?;
    let most = own.most_in_an_object();
    if most > MOST_FIELDS {
        let problem = format!(
            "an object of it has {most} fields; an object has at the most {MOST_FIELDS}, as records have"
        );
        return Err(RequestError::new("schema", problem).into());
    }
    // A dataset of it could not be made.
    let mut union = catalog.union(class, None)?;
    union
        .unite(&own)
        .map_err(|conflict| catalog::Error::TypeConflict {
            dataset: format!("of schema {:?}", made.title),
            conflict,
        })?;
    Ok(made)
}

fn title_of(body: &Map<String, Value>) -> Result<String> {
    match text(body, "title").filter(|title| !title.trim().is_empty()) {
        Some(title) => Ok(title.to_owned()),
        None => Err(RequestError::new("title", "missing; a schema needs a title").into()),
    }
}

fn tags_of(body: &Map<String, Value>) -> Result<Vec<String>> {
    let Some(tags) = body.get(TAGS) else {
        return Ok(Vec::new());
    };
    match tags
        .as_array()
        .filter(|tags| tags.iter().all(|tag| tag == UNION))
    {
        Some(tags) if tags.is_empty() => Ok(Vec::new()),
        Some(_) => Ok(vec![UNION.to_owned()]),
        None => {
            let problem = format!("found {tags}; allowed is [\"{UNION}\"]");
            Err(RequestError::new(TAGS, problem).into())
        }
    }
}

fn fields(schema: &DeclaredSchema) -> Result<Fields> {
    let fields = fields_from_json_schema(&schema.resolved);
    Ok(fields.map_err(|error| RequestError::new(error.path, error.problem))?)
}

fn resource(schema: &DeclaredSchema) -> Result<Resource> {
    let parts = schema.content.get("allOf").and_then(Value::as_array);
    let references = parts.into_iter().flatten().filter_map(|part| {
        let id = part["$ref"].as_str()?;
        (!id.starts_with('#')).then(|| id.to_owned())
    });
    Ok(Resource {
        id: schema.id.clone(),
        kind: ResourceKind::Schemas,
        container: Container::Tenant,
        title: schema.title.clone(),
        description: schema.description.clone(),
        class: Some(schema.class),
        references: references.collect(),
        declared: schema.content.clone(),
        tags: schema.tags.clone(),
        fields: fields(schema)?,
        version: schema.version,
        created: schema.created,
        updated: schema.updated,
    })
}

fn document(catalog: &Catalog, id: &str) -> Result<Option<DeclaredSchema>> {
    let document = catalog.document(DocumentKind::Schema, id, None)?;
    document.as_ref().map(read).transpose()
}

/// A declared schema by its `$id` or `meta:altId`.
fn find(catalog: &Catalog, registry: &Registry, id: &str) -> Result<DeclaredSchema> {
    let known = registry.get(id);
    let known = known.ok_or_else(|| catalog::Error::not_found(Kind::Schema, id))?;
    let declared = document(catalog, &known.id)?;
    declared.ok_or_else(|| {
        if !known.declared.is_empty() {
            // It went when the registry was read already.
            return catalog::Error::not_found(Kind::Schema, id).into();
        }
        let problem = format!(
            "{} is made from what the store has: nobody declared it, and it can't be changed",
            known.id
        );
        catalog::Error::Conflict(problem).into()
    })
}

fn check_unused(catalog: &Catalog, id: &str, what: &str) -> Result<()> {
    let datasets = catalog.datasets()?;
    match datasets
        .iter()
        .find(|dataset| own_schema(dataset) == Some(id))
    {
        None => Ok(()),
        Some(dataset) => {
            let problem = format!(
                "dataset {} ({:?}) is created on schema {id}: {what}",
                dataset.id, dataset.name
            );
            Err(catalog::Error::Conflict(problem).into())
        }
    }
}

fn put(catalog: &Catalog, schema: &DeclaredSchema) -> Result<()> {
    let document = Document::of(schema).map_err(|error| damaged(&schema.id, &error))?;
    // Nobody asks for an earlier version of it.
    Ok(catalog.put_document(DocumentKind::Schema, &schema.id, 1, &document)?)
}

fn read(document: &Document) -> Result<DeclaredSchema> {
    document.read().map_err(|error| {
        let id = document.value()["id"].as_str().unwrap_or("without an ID");
        damaged(id, &error).into()
    })
}

fn damaged(id: &str, problem: &serde_json::Error) -> catalog::Error {
    catalog::Error::Damaged {
        kind: Kind::Schema,
        id: id.to_owned(),
        problem: problem.to_string(),
    }
}
