//! Descriptors: what is said of a schema's fields. An identity descriptor says which of them has the primary identity of the
//! records, which is `primaryIdentity` of the datasets that are created on the schema.

use std::collections::HashMap;

use catalog::{Catalog, Document, DocumentKind, Kind, new_id};
use export::RequestError;
use serde_json::{Value, json};
use store::Store;
use xdm::{Dataset, Timestamp, quote_part};

use super::descriptor_body::{checked, parts_of, problem_of_field};
use super::generated::schema_of;
use super::{Registry, Resource};
use crate::error::Result;

/// The type of descriptors that say which field has an identity.
pub(super) const IDENTITY_DESCRIPTOR: &str = "xdm:descriptorIdentity";

/// The datasets whose own descriptions say what a descriptor says: they keep it without that. Kept, and not told.
const OWN: &str = "datasets";

/// All descriptors: those that somebody made, and one for each dataset whose description says where its primary identity is.
///
/// # Errors
/// The catalog can't be read.
pub fn descriptors(store: &Store, registry: &Registry) -> Result<Vec<Value>> {
    let catalog = store.catalog();
    let mut all = made(catalog)?;
    for dataset in catalog.datasets()?.iter().rev() {
        let schema = schema_of(dataset, &registry.tenant);
        let is_said = all.iter().any(|one| is_primary_of(one, &schema));
        if let Some(primary) = dataset.primary().map_err(catalog::Error::from)?
            && !is_said
        {
            let path: String = (primary.path.parts().iter())
                .map(|part| format!("/{}", part.replace('~', "~0").replace('/', "~1")))
                .collect();
            all.push(json!({
                "@id": dataset.id,
                "@type": IDENTITY_DESCRIPTOR,
                "xdm:sourceSchema": schema,
                "xdm:sourceVersion": 1,
                "xdm:sourceProperty": path,
                "xdm:namespace": primary.namespace,
                "xdm:property": "xdm:code",
                "xdm:isPrimary": true,
                "version": "1",
            }));
        }
    }
    for one in &mut all {
        one["imsOrg"] = json!(catalog.scope().org);
    }
    Ok(all)
}

/// The descriptor with this `@id`.
///
/// # Errors
/// There is none.
pub fn descriptor(store: &Store, registry: &Registry, id: &str) -> Result<Value> {
    let found = descriptors(store, registry)?.into_iter();
    let mut found = found.filter(|one| one["@id"] == id);
    let found = found.next();
    found.ok_or_else(|| catalog::Error::not_found(Kind::Descriptor, id).into())
}

/// Makes a descriptor. One of a primary identity becomes that of the datasets that are created on its schema.
///
/// # Errors
/// A type or a member that isn't understood; no such schema, field or namespace; an identity that is not primary; a schema
/// that has a primary identity already; a dataset whose records have another.
pub fn create_descriptor(
    store: &Store,
    registry: &Registry,
    body: Value,
    now: Timestamp,
) -> Result<Value> {
    put(store, registry, None, body, now)
}

/// Puts a descriptor in the place of one that somebody made.
///
/// # Errors
/// As for [`create_descriptor`]; there is no such descriptor, or it is about another schema or of another type.
pub fn replace_descriptor(
    store: &Store,
    registry: &Registry,
    id: &str,
    body: Value,
    now: Timestamp,
) -> Result<Value> {
    put(store, registry, Some(id), body, now)
}

/// Takes a descriptor away that somebody made; datasets of its schema have their identities in `identityMap` then.
///
/// # Errors
/// There is no such descriptor, or a dataset's description says it; a dataset has records by it.
pub fn delete_descriptor(
    store: &Store,
    registry: &Registry,
    id: &str,
    now: Timestamp,
) -> Result<()> {
    store.catalog().atomically(|catalog| {
        let records = records_by_dataset(store)?;
        let known = find(catalog, registry, id)?;
        if let Some(schema) = known["xdm:sourceSchema"].as_str()
            && is_primary_of(&known, schema)
        {
            set_primary(
                catalog,
                registry,
                &records,
                (schema, Some(&known), None),
                now,
            )?;
        }
        catalog.delete_document(DocumentKind::Descriptor, id)?;
        Ok(())
    })
}

/// The primary identity that the descriptors of a schema say, as a dataset has it.
pub(super) fn primary_of(catalog: &Catalog, schema: &str) -> Result<Option<String>> {
    let mut all = made(catalog)?.into_iter();
    let found = all.find(|one| is_primary_of(one, schema));
    found.as_ref().map(primary_text).transpose()
}

/// Checks that a schema has the fields that its identity descriptors are about.
pub(super) fn check_identities(catalog: &Catalog, schema: &Resource) -> Result<()> {
    for one in made(catalog)? {
        if !is_primary_of(&one, &schema.id) {
            continue;
        }
        let property = one["xdm:sourceProperty"].as_str().unwrap_or_default();
        let parts = parts_of(property).ok_or_else(damaged)?;
        if let Some(problem) = problem_of_field(schema, property, &parts) {
            let problem = format!("descriptor {}: {problem}", one["@id"]);
            return Err(catalog::Error::Conflict(problem).into());
        }
    }
    Ok(())
}

/// Forgets the descriptors of a schema that goes.
pub(super) fn forget_of(catalog: &Catalog, schema: &str) -> Result<()> {
    for one in made(catalog)? {
        if let (true, Some(id)) = (one["xdm:sourceSchema"] == schema, one["@id"].as_str()) {
            catalog.delete_document(DocumentKind::Descriptor, id)?;
        }
    }
    Ok(())
}

/// Those that somebody made.
fn made(catalog: &Catalog) -> Result<Vec<Value>> {
    let documents = catalog.documents(DocumentKind::Descriptor)?;
    let all = documents.iter().map(|one| shown(one.value().clone()));
    Ok(all.collect())
}

/// One as it is told.
fn shown(mut descriptor: Value) -> Value {
    if let Value::Object(members) = &mut descriptor {
        members.shift_remove(OWN);
    }
    descriptor
}

fn is_primary_of(descriptor: &Value, schema: &str) -> bool {
    descriptor["@type"] == IDENTITY_DESCRIPTOR && descriptor["xdm:sourceSchema"] == schema
}

/// One that somebody made.
fn find(catalog: &Catalog, registry: &Registry, id: &str) -> Result<Value> {
    if let Some(found) = catalog.document(DocumentKind::Descriptor, id, None)? {
        return Ok(found.value().clone());
    }
    let datasets = catalog.datasets()?;
    let of_dataset = datasets
        .iter()
        .find(|one| one.id == id && one.primary_identity.is_some());
    Err(match of_dataset {
        Some(dataset) => catalog::Error::Conflict(format!(
            "the description of dataset {:?} says where its primary identity is ({}): it stays",
            dataset.name,
            schema_of(dataset, &registry.tenant)
        )),
        None => catalog::Error::not_found(Kind::Descriptor, id),
    }
    .into())
}

fn put(
    store: &Store,
    registry: &Registry,
    replaced: Option<&str>,
    body: Value,
    now: Timestamp,
) -> Result<Value> {
    store.catalog().atomically(|catalog| {
        let checked = checked(store, catalog, registry, body)?;
        let schema = checked["xdm:sourceSchema"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        let records = records_by_dataset(store)?;
        let known = replaced.map(|id| find(catalog, registry, id)).transpose()?;
        if let Some(known) = &known {
            for name in ["@type", "xdm:sourceSchema"] {
                if known[name] != checked[name] {
                    let problem = format!("found {}; it stays, here {}", checked[name], known[name]);
                    return Err(RequestError::new(name, problem).into());
                }
            }
        }
        let is_primary = is_primary_of(&checked, &schema);
        let mut others = made(catalog)?.into_iter();
        if let Some(other) = others.find(|one| {
            is_primary && is_primary_of(one, &schema) && one["@id"].as_str() != replaced
        }) {
            let problem = format!(
                "schema {schema} has its primary identity at {}, by descriptor {}; a schema has one",
                other["xdm:sourceProperty"], other["@id"]
            );
            return Err(catalog::Error::Conflict(problem).into());
        }
        let id = replaced.map_or_else(new_id, str::to_owned);
        let mut made = checked;
        if is_primary {
            let primary = primary_text(&made)?;
            let change = (&*schema, known.as_ref(), Some(&*primary));
            made[OWN] = json!(set_primary(catalog, registry, &records, change, now)?);
        }
        made["@id"] = json!(id);
        made["version"] = json!("1");
        catalog.put_document(DocumentKind::Descriptor, &id, 1, &Document::from(made.clone()))?;
        made["imsOrg"] = json!(catalog.scope().org);
        Ok(shown(made))
    })
}

/// How many records each dataset has. What the store says within a transaction of its catalog is what holds: no load ends
/// meanwhile, and one that began before ends with a conflict where it read by another primary identity.
fn records_by_dataset(store: &Store) -> Result<HashMap<String, u64>> {
    let datasets = store.stats()?.datasets.into_iter();
    Ok(datasets.map(|of| (of.id, of.records)).collect())
}

/// Says where the primary identity of the datasets of a schema is: what is loaded next is read by it. `known` is the descriptor
/// that said it before. Those of which it is the own description that says so are told.
fn set_primary(
    catalog: &Catalog,
    registry: &Registry,
    records: &HashMap<String, u64>,
    (schema, known, primary): (&str, Option<&Value>, Option<&str>),
    now: Timestamp,
) -> Result<Vec<String>> {
    let said = known.map(primary_text).transpose()?;
    let own_before = known.and_then(|known| known[OWN].as_array());
    let mut own = Vec::new();
    for dataset in catalog.datasets()? {
        if schema_of(&dataset, &registry.tenant) != schema {
            continue;
        }
        let is_own = !is_primary(&dataset, said.as_deref())?
            || said.is_none()
            || own_before.is_some_and(|own| own.iter().any(|id| *id == dataset.id));
        if is_primary(&dataset, primary)? {
            if is_own {
                own.push(dataset.id);
            }
            continue;
        }
        if is_own && primary.is_none() {
            continue;
        }
        if let Some(count) = records.get(&dataset.id).filter(|count| **count > 0) {
            let says = |primary: Option<&str>| primary.unwrap_or("identityMap").to_owned();
            return Err(catalog::Error::Conflict(format!(
                "dataset {} ({:?}) has {count} records whose primary identity is that of {}; by this descriptor it would be {}",
                dataset.id,
                dataset.name,
                says(dataset.primary_identity.as_deref()),
                says(primary)
            ))
            .into());
        }
        catalog.change_dataset(&dataset.id, |dataset: &mut Dataset| {
            dataset.primary_identity = primary.map(str::to_owned);
            dataset.updated = Some(now.millis());
            Ok::<_, crate::Error>(())
        })?;
    }
    Ok(own)
}

/// Whether a text says the primary identity that a dataset has, however the two are spelled.
fn is_primary(dataset: &Dataset, text: Option<&str>) -> Result<bool> {
    let said = Dataset {
        primary_identity: text.map(str::to_owned),
        ..dataset.clone()
    };
    let both = [dataset, &said].map(|one| one.primary().map_err(catalog::Error::from));
    let [has, said] = both;
    Ok(match (has?, said?) {
        (None, None) => true,
        (Some(has), Some(said)) => {
            has.path == said.path && has.namespace.eq_ignore_ascii_case(&said.namespace)
        }
        _ => false,
    })
}

/// What a dataset says of the primary identity that a descriptor describes.
fn primary_text(descriptor: &Value) -> Result<String> {
    let property = descriptor["xdm:sourceProperty"].as_str();
    let parts = property.and_then(parts_of);
    let (Some(parts), Some(namespace)) = (parts, descriptor["xdm:namespace"].as_str()) else {
        return Err(damaged().into());
    };
    let path: Vec<String> = parts.iter().map(|part| quote_part(part)).collect();
    Ok(format!("{}={namespace}", path.join(".")))
}

fn damaged() -> catalog::Error {
    catalog::Error::Conflict("a descriptor is not as it was written".to_owned())
}
