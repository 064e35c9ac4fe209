//! What nobody declared: classes, and what the store's records have.

use std::collections::BTreeMap;

use arrow::datatypes::DataType;
use run::Snapshot;
use serde_json::{Map, Value};
use store::Store;
use xdm::{Class, Dataset, FieldType, Fields, IDENTITY_MAP, identity_map, segment_membership};

use super::resource::{Container, Resource, ResourceKind};
use super::{NAMESPACE, declared};
use crate::error::Result;

const RECORD: &str = "https://ns.adobe.com/xdm/data/record";
const TIME_SERIES: &str = "https://ns.adobe.com/xdm/data/time-series";
const IDENTITIES: &str = "https://ns.adobe.com/xdm/context/identitymap";
const IDENTITY_ITEM: &str = "https://ns.adobe.com/xdm/context/identityitem";
const MEMBERSHIP_ITEM: &str = "https://ns.adobe.com/xdm/context/segmentmembershipitem";
/// What all records here are part of.
pub(super) const UNION: &str = "union";

/// The platform's own, as far as the store knows their fields.
pub(super) fn standard() -> Vec<Resource> {
    let one = Resource::global;
    let mut of_events = Fields::default();
    for (name, ty) in Class::Event.standard_fields().iter() {
        if name != IDENTITY_MAP {
            of_events.insert(name, ty.clone());
        }
    }
    let identities = [(IDENTITY_MAP.to_owned(), identity_map())].into_iter();
    let class = |class: Class, behavior: &str| Resource {
        class: Some(class),
        references: vec![behavior.to_owned()],
        ..one(
            class.class_id(),
            ResourceKind::Classes,
            class_title(class),
            class.standard_fields(),
        )
    };
    vec![
        one(
            RECORD,
            ResourceKind::Behaviors,
            "Record Schema",
            Fields::default(),
        ),
        one(
            TIME_SERIES,
            ResourceKind::Behaviors,
            "Time-series Schema",
            of_events,
        ),
        class(Class::Profile, RECORD),
        class(Class::Event, TIME_SERIES),
        one(
            IDENTITIES,
            ResourceKind::FieldGroups,
            "IdentityMap",
            identities.collect(),
        ),
        one(
            IDENTITY_ITEM,
            ResourceKind::DataTypes,
            "Identity item",
            innermost(identity_map()),
        ),
        one(
            MEMBERSHIP_ITEM,
            ResourceKind::DataTypes,
            "Segment Membership Item",
            innermost(segment_membership()),
        ),
    ]
}

/// What the platform calls a class.
fn class_title(class: Class) -> &'static str {
    match class {
        Class::Profile => "XDM Individual Profile",
        Class::Event => "XDM ExperienceEvent",
    }
}

/// The object in a type's lists and maps.
fn innermost(ty: FieldType) -> Fields {
    match ty {
        FieldType::List(inner) | FieldType::Map(inner) => innermost(*inner),
        FieldType::Object(fields) => fields,
        _ => Fields::default(),
    }
}

/// The unions, and the schemas and field groups of datasets that have fields and no declared schema.
pub(super) fn of_store(store: &Store, tenant: &str) -> Result<Vec<Resource>> {
    let snapshot = store.snapshot(None)?;
    let datasets = store.catalog().datasets()?;
    let mut all = Vec::new();
    for class in Class::ALL {
        all.push(union(class, &snapshot, &datasets)?);
    }
    let declared = declared::ids(store.catalog())?;
    let mut by_schema: BTreeMap<String, Vec<&Dataset>> = BTreeMap::new();
    // The oldest first: it gives the schema its title.
    for dataset in datasets.iter().rev() {
        let id = schema_of(dataset, tenant);
        if dataset.ad_hoc.is_some() {
            all.push(ad_hoc_schema(id, dataset)?);
        } else if dataset.id != Dataset::EVALUATED_MEMBERSHIPS && !declared.contains(&id) {
            by_schema.entry(id).or_default().push(dataset);
        }
    }
    for (id, datasets) in by_schema {
        let mut fields = Fields::default();
        for dataset in &datasets {
            unite(&mut fields, &own_fields(dataset, &snapshot)?);
        }
        let names_schema = datasets.iter().any(|dataset| own_schema(dataset).is_some());
        if !fields.is_empty() || names_schema {
            all.extend(schema(id, &datasets, &fields, tenant));
        }
    }
    Ok(all)
}

fn union(class: Class, snapshot: &Snapshot, datasets: &[Dataset]) -> Result<Resource> {
    let mut fields = snapshot.union(class).clone();
    unite(&mut fields, &class.standard_fields());
    for dataset in datasets.iter().filter(|dataset| dataset.class == class) {
        unite(&mut fields, &declared_by(dataset)?);
    }
    let fields = known(&fields);
    Ok(Resource {
        id: class.union_id().to_owned(),
        kind: ResourceKind::Unions,
        container: Container::Tenant,
        title: class_title(class).to_owned(),
        description: format!("All fields of {}", class.class_id()),
        class: Some(class),
        references: vec![class.class_id().to_owned()],
        declared: Map::new(),
        tags: vec![UNION.to_owned()],
        fields,
        version: 1,
        created: 0,
        updated: 0,
    })
}

/// The schema of a dataset whose rows are no records: of no class, and part of no union.
fn ad_hoc_schema(id: String, dataset: &Dataset) -> Result<Resource> {
    Ok(Resource {
        id,
        kind: ResourceKind::Schemas,
        container: Container::Tenant,
        title: dataset.name.clone(),
        description: format!("What the rows of {} have", dataset.name),
        class: None,
        references: Vec::new(),
        declared: Map::new(),
        tags: Vec::new(),
        fields: dataset.ad_hoc_fields().map_err(catalog::Error::from)?,
        version: 1,
        created: dataset.created.millis(),
        updated: dataset.updated.unwrap_or(dataset.created.millis()),
    })
}

/// The schema of some datasets, and the field group that has what they have beside the class.
fn schema(id: String, datasets: &[&Dataset], own: &Fields, tenant: &str) -> Vec<Resource> {
    let Some(first) = datasets.first() else {
        return Vec::new();
    };
    let class = first.class;
    let mut fields = class.standard_fields();
    let mut others = own.clone();
    others.retain(|name| fields.get(name).is_none());
    unite(&mut fields, own);
    let updated = datasets.iter().map(|dataset| {
        let made = dataset.created.millis();
        dataset.updated.map_or(made, |updated| updated.max(made))
    });
    let names: Vec<&str> = datasets.iter().map(|dataset| &*dataset.name).collect();
    let mut made = Resource {
        id,
        kind: ResourceKind::Schemas,
        container: Container::Tenant,
        title: first.name.clone(),
        description: format!("What the records of {} have", names.join(", ")),
        class: Some(class),
        references: vec![class.class_id().to_owned()],
        declared: Map::new(),
        tags: vec![UNION.to_owned()],
        fields,
        version: 1,
        created: first.created.millis(),
        updated: updated.max().unwrap_or(0),
    };
    if others.is_empty() {
        return vec![made];
    }
    let group = Resource {
        id: format!("{NAMESPACE}{tenant}/mixins/{}", first.id),
        kind: ResourceKind::FieldGroups,
        title: format!("{}: fields", first.name),
        references: Vec::new(),
        tags: Vec::new(),
        fields: others,
        ..made.clone()
    };
    made.references.push(group.id.clone());
    vec![made, group]
}

/// The `$id` of the schema that a dataset is created on, unless that is a union's or another of what is always there.
pub(super) fn own_schema(dataset: &Dataset) -> Option<&str> {
    let id = dataset.schema_ref.as_ref().and_then(|of| of["id"].as_str());
    id.filter(|id| Class::from_union_id(id).is_none() && !is_standard(id))
}

/// Whether a `$id` is that of one of [`standard`].
fn is_standard(id: &str) -> bool {
    const OTHERS: [&str; 5] = [
        RECORD,
        TIME_SERIES,
        IDENTITIES,
        IDENTITY_ITEM,
        MEMBERSHIP_ITEM,
    ];
    class_of(id).is_some() || OTHERS.contains(&id)
}

/// The `$id` of a dataset's schema: one of its own where it names none.
pub(super) fn schema_of(dataset: &Dataset, tenant: &str) -> String {
    match own_schema(dataset) {
        Some(id) => id.to_owned(),
        None => format!("{NAMESPACE}{tenant}/schemas/{}", dataset.id),
    }
}

/// The primary identity of the oldest dataset that has one and this schema.
pub(super) fn primary_of_datasets(
    store: &Store,
    tenant: &str,
    schema: &str,
) -> Result<Option<String>> {
    let datasets = store.catalog().datasets()?;
    let mut oldest_first = datasets.into_iter().rev();
    Ok(
        oldest_first.find_map(|dataset| match schema_of(&dataset, tenant) == schema {
            true => dataset.primary_identity,
            false => None,
        }),
    )
}

/// The fields that a dataset declares, or that its records have.
fn own_fields(dataset: &Dataset, snapshot: &Snapshot) -> Result<Fields> {
    let mut own = declared_by(dataset)?;
    let union = snapshot.union(dataset.class);
    for run in snapshot.runs.iter().filter(|run| run.dataset == dataset.id) {
        for (name, ty) in union.iter() {
            let found = run.kept_type(name).map_err(store::StoreError::from)?;
            if let Some(ty) = found.and_then(|found| part(ty, &found)) {
                unite(&mut own, &[(name.to_owned(), ty)].into_iter().collect());
            }
        }
    }
    Ok(known(&own))
}

/// Those of fields that have a type: of others no record has a value, and no schema says what it would be.
fn known(fields: &Fields) -> Fields {
    let known = fields.iter();
    let known = known.filter_map(|(name, ty)| Some((name.to_owned(), known_type(ty)?)));
    known.collect()
}

fn known_type(ty: &FieldType) -> Option<FieldType> {
    Some(match ty {
        FieldType::Unknown => return None,
        FieldType::List(item) => FieldType::List(Box::new(known_type(item)?)),
        FieldType::Map(value) => FieldType::Map(Box::new(known_type(value)?)),
        FieldType::Object(fields) => FieldType::Object(known(fields)),
        ty => ty.clone(),
    })
}

fn declared_by(dataset: &Dataset) -> Result<Fields> {
    Ok(dataset.declared_fields().map_err(catalog::Error::from)?)
}

/// What of a type's fields a run has, which keeps them as that Arrow type; `None` where nobody has a value.
fn part(ty: &FieldType, found: &DataType) -> Option<FieldType> {
    Some(match (ty, found) {
        (_, DataType::Null) => return None,
        (FieldType::Object(fields), DataType::Struct(found)) => {
            let own = fields.iter().filter_map(|(name, ty)| {
                let (_, found) = found.find(name)?;
                Some((name.to_owned(), part(ty, found.data_type())?))
            });
            FieldType::Object(own.collect())
        }
        (FieldType::List(item), DataType::List(found)) => {
            let own = part(item, found.data_type());
            FieldType::List(Box::new(own.unwrap_or(FieldType::Unknown)))
        }
        (FieldType::Map(value), DataType::Map(entries, _)) => {
            let own = match entries.data_type() {
                DataType::Struct(parts) => parts
                    .get(1)
                    .and_then(|found| part(value, found.data_type())),
                _ => None,
            };
            FieldType::Map(Box::new(own.unwrap_or(FieldType::Unknown)))
        }
        (ty, _) => ty.clone(),
    })
}

/// Adds fields to others. All have the types of one union, or were held against it, so that they agree; where a declared one
/// is wider than what the union has so far, that stays.
fn unite(fields: &mut Fields, more: &Fields) {
    for (name, ty) in more.iter() {
        match fields.get(name).cloned() {
            Some(mut known) => {
                if known.unite(ty).is_ok() {
                    fields.insert(name, known);
                }
            }
            None => fields.insert(name, ty.clone()),
        }
    }
}

/// Whether a `$id` is that of a class, by the class.
pub(super) fn class_of(id: &str) -> Option<Class> {
    Class::ALL.into_iter().find(|class| class.class_id() == id)
}

/// A property of a JSON object that is a text.
pub(super) fn text<'a>(object: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    object.get(name).and_then(Value::as_str)
}
