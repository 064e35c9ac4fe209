//! The schema registry: `/data/foundation/schemaregistry`, made from what the store has and what somebody declared.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::IntoResponse;
use export::read_value;
use profile_export::platform::{
    Container, Registry, Resource, ResourceKind, change_schema, create_schema, delete_schema,
    descriptors, replace_schema,
};
use profile_export::store::Store;
use profile_export::xdm::Timestamp;
use serde_json::{Map, Value, json};

use crate::auth::{ReadAccess, WriteAccess};
use crate::body::JsonBody;
use crate::catalog_query::some;
use crate::json_patch::Change;
use crate::nowhere;
use crate::path::Path;
use crate::problem::{Answer, Problem};
use crate::query::Query;
use crate::registry_form::Form;
use crate::registry_list::{Listing, Page};
use crate::registry_schemas::{
    RegistryObject, RegistryPage, RegistryPatch, RegistryResources, RegistrySchema, RegistryStats,
};
use crate::schemas::Problems;

pub(crate) const PATH: &str = "/data/foundation/schemaregistry";
/// How many resources stats name.
const RECENT: usize = 10;
/// The members of resources.
const MEMBERS: [&str; 19] = [
    "$id",
    "meta:altId",
    "meta:resourceType",
    "version",
    "title",
    "type",
    "description",
    "meta:xdmType",
    "meta:containerId",
    "meta:abstract",
    "meta:extensible",
    "meta:extends",
    "meta:registryMetadata",
    "meta:intendedToExtend",
    "meta:class",
    "meta:immutableTags",
    "allOf",
    "definitions",
    "properties",
];
/// The members of a schema that a JSON Patch may change.
const CHANGEABLE: [&str; 3] = ["title", "description", "meta:immutableTags"];

/// Show the organisation's ID and what its registry has
#[utoipa::path(
    get, path = "/data/foundation/schemaregistry/stats", tag = "Schema registry",
    responses((status = 200, description = "Counts, and what was made and changed last", body = RegistryStats), Problems),
)]
pub(crate) async fn get_stats(caller: ReadAccess) -> Answer<Json<Value>> {
    let shown = on_registry(&caller, |store, registry| {
        let of_kind = |kind| registry.list(Container::Tenant, kind).count();
        let mut own: Vec<&Resource> = (registry.resources.iter())
            .filter(|one| one.container == Container::Tenant && one.created > 0)
            .collect();
        own.sort_by_key(|one| std::cmp::Reverse(one.created));
        let created: Vec<Value> = own.iter().take(RECENT).map(|one| one.recent()).collect();
        own.sort_by_key(|one| std::cmp::Reverse(one.updated));
        let updated: Vec<Value> = own.iter().take(RECENT).map(|one| one.recent()).collect();
        let mut usage: Map<String, Value> = Map::new();
        for class in registry.list(Container::Global, ResourceKind::Classes) {
            let schemas = registry.list(Container::Tenant, ResourceKind::Schemas);
            let schemas = schemas.filter(|schema| schema.class == class.class);
            usage.insert(class.id.clone(), schemas.map(Resource::named).collect());
        }
        Ok(json!({
            "imsOrg": store.catalog().scope().org,
            "tenantId": registry.tenant,
            "counts": {
                "schemas": of_kind(ResourceKind::Schemas),
                "mixins": of_kind(ResourceKind::FieldGroups),
                "datatypes": of_kind(ResourceKind::DataTypes),
                "classes": of_kind(ResourceKind::Classes),
                "unions": of_kind(ResourceKind::Unions),
            },
            "recentlyCreatedResources": created,
            "recentlyUpdatedResources": updated,
            "classUsage": usage,
        }))
    });
    Ok(Json(shown.await?))
}

/// List what the registry has of a kind
///
/// The platform's own (global) and the organisation's (tenant): schemas, unions, classes, behaviors, fieldgroups and datatypes.
/// Accept says in which form; every one of the platform's is understood.
#[utoipa::path(
    get, path = "/data/foundation/schemaregistry/{container}/{kind}", tag = "Schema registry",
    params(
        ("container" = String, Path, description = "global or tenant"),
        ("kind" = String, Path, description = "schemas, unions, classes, behaviors, fieldgroups (also mixins) or datatypes"),
        ("property" = Option<Vec<String>>, Query, description = "A member that is there, or compares: meta:immutableTags==union; several by commas"),
        ("properties" = Option<String>, Query, description = "Only these members, comma-separated"),
        ("orderby" = Option<String>, Query, description = "Members to sort by, comma-separated, with - for downwards"),
        ("start" = Option<String>, Query, description = "Where the page begins, as _page.next of the one before says"),
        ("limit" = Option<u32>, Query, description = "How many on a page, at the most 500, 300 by default", minimum = 1),
    ),
    responses((status = 200, description = "A page", body = RegistryPage), Problems),
)]
pub(crate) async fn list_resources(
    caller: ReadAccess,
    Path((container, kind)): Path<(String, String)>,
    headers: HeaderMap,
    query: Query,
    uri: Uri,
) -> Answer<Json<Value>> {
    let (container, kind) = place(&caller, &container, &kind, uri).await?;
    let form = Form::of(&headers);
    let listing = Listing::of(&query, &MEMBERS)?;
    let properties = query.text("properties");
    let path = format!("{PATH}/{}/{}", container.word(), kind.word());
    let listed = on_registry(&caller, move |store, registry| {
        let said = descriptors_of(store, registry, form)?;
        // Members are asked for whether or not the form shows them.
        let plain = Form::of(&HeaderMap::new()).resource;
        let objects = registry.list(container, kind);
        let objects = objects.map(|one| (one.shown(plain), one)).collect();
        let page = listing.page(objects, "$id")?;
        let shown = page.items.iter().map(|one| form.shown(one, &said));
        let shown = shown.map(|one| some(one, properties.as_deref()));
        Ok(paged(shown.collect(), &page, &path))
    });
    Ok(Json(listed.await?))
}

/// A page as all lists of the registry have it.
pub(crate) fn paged<T>(results: Vec<Value>, page: &Page<T>, path: &str) -> Value {
    let mut links = json!({"global_schemas": {"href": format!("{PATH}/global/schemas")}});
    if let Some(query) = &page.next_query {
        links["next"] = json!({"href": format!("{path}?{query}")});
    }
    json!({"results": results, "_page": page.page, "_links": links})
}

/// Show a schema, a union, a class, a behavior, a field group or a data type
#[utoipa::path(
    get, path = "/data/foundation/schemaregistry/{container}/{kind}/{id}", tag = "Schema registry",
    params(
        ("container" = String, Path, description = "global or tenant"),
        ("kind" = String, Path, description = "schemas, unions, classes, behaviors, fieldgroups (also mixins) or datatypes"),
        ("id" = String, Path, description = "Its $id, encoded, or its meta:altId"),
    ),
    responses((status = 200, description = "It, in the form that Accept says", body = RegistryObject), Problems),
)]
pub(crate) async fn get_resource(
    caller: ReadAccess,
    Path((container, kind, id)): Path<(String, String, String)>,
    headers: HeaderMap,
    uri: Uri,
) -> Answer<Json<Value>> {
    let (container, kind) = place(&caller, &container, &kind, uri).await?;
    let form = Form::of(&headers);
    let shown = on_registry(&caller, move |store, registry| {
        let said = descriptors_of(store, registry, form)?;
        Ok(form.shown(registry.find(container, kind, &id)?, &said))
    });
    Ok(Json(shown.await?))
}

/// Declare a schema
///
/// Its fields are those of one of the two classes, of field groups and data types of the registry, and what it brings in
/// definitions and properties.
#[utoipa::path(
    post, path = "/data/foundation/schemaregistry/{container}/{kind}", tag = "Schema registry",
    params(
        ("container" = String, Path, description = "tenant"),
        ("kind" = String, Path, description = "schemas"),
    ),
    request_body = RegistrySchema,
    responses((status = 201, description = "The schema", body = RegistryObject), Problems),
)]
pub(crate) async fn declare(
    caller: WriteAccess,
    Path((container, kind)): Path<(String, String)>,
    headers: HeaderMap,
    uri: Uri,
    JsonBody(body): JsonBody<Value>,
) -> Answer<impl IntoResponse> {
    check_declarable(place(&caller, &container, &kind, uri).await?)?;
    let form = Form::of(&headers);
    let made = on_registry(&caller, move |store, registry| {
        let made = create_schema(store, registry, body, Timestamp::now())?;
        Ok(form.shown(&made, &[]))
    });
    Ok((StatusCode::CREATED, Json(made.await?)))
}

/// Declare a schema anew that no dataset is created on
#[utoipa::path(
    put, path = "/data/foundation/schemaregistry/{container}/{kind}/{id}", tag = "Schema registry",
    params(
        ("container" = String, Path, description = "tenant"),
        ("kind" = String, Path, description = "schemas"),
        ("id" = String, Path, description = "Its $id, encoded, or its meta:altId"),
    ),
    request_body = RegistrySchema,
    responses((status = 200, description = "The schema", body = RegistryObject), Problems),
)]
pub(crate) async fn replace(
    caller: WriteAccess,
    Path((container, kind, id)): Path<(String, String, String)>,
    headers: HeaderMap,
    uri: Uri,
    JsonBody(body): JsonBody<Value>,
) -> Answer<Json<Value>> {
    check_declarable(place(&caller, &container, &kind, uri).await?)?;
    let form = Form::of(&headers);
    let made = on_registry(&caller, move |store, registry| {
        let made = replace_schema(store, registry, &id, body, Timestamp::now())?;
        Ok(form.shown(&made, &[]))
    });
    Ok(Json(made.await?))
}

/// Change a declared schema's title, description or tags
#[utoipa::path(
    patch, path = "/data/foundation/schemaregistry/{container}/{kind}/{id}", tag = "Schema registry",
    params(
        ("container" = String, Path, description = "tenant"),
        ("kind" = String, Path, description = "schemas"),
        ("id" = String, Path, description = "Its $id, encoded, or its meta:altId"),
    ),
    request_body = RegistryPatch,
    responses((status = 200, description = "The schema", body = RegistryObject), Problems),
)]
pub(crate) async fn patch(
    caller: WriteAccess,
    Path((container, kind, id)): Path<(String, String, String)>,
    headers: HeaderMap,
    uri: Uri,
    JsonBody(body): JsonBody<Value>,
) -> Answer<Json<Value>> {
    check_declarable(place(&caller, &container, &kind, uri).await?)?;
    let form = Form::of(&headers);
    let changed = on_registry(&caller, move |store, registry| {
        let changes: Vec<Change> = read_value(body)?;
        let now = Timestamp::now();
        let changed = change_schema(store, registry, &id, now, |said| patched(said, &changes))?;
        Ok(form.shown(&changed, &[]))
    });
    Ok(Json(changed.await?))
}

fn patched(said: &mut Value, changes: &[Change]) -> Answer<()> {
    for (i, change) in changes.iter().enumerate() {
        let member = change.member();
        if !CHANGEABLE.contains(&member.as_str()) {
            return Err(Problem::bad_request(format!(
                "[{i}].path: found {member:?}; what can be changed is {}: the fields of a schema stay, as records may have them",
                CHANGEABLE.join(", ")
            )));
        }
        change.apply(said)?;
    }
    Ok(())
}

/// Forget a declared schema that no dataset is created on
#[utoipa::path(
    delete, path = "/data/foundation/schemaregistry/{container}/{kind}/{id}", tag = "Schema registry",
    params(
        ("container" = String, Path, description = "tenant"),
        ("kind" = String, Path, description = "schemas"),
        ("id" = String, Path, description = "Its $id, encoded, or its meta:altId"),
    ),
    responses((status = 204, description = "It is forgotten"), Problems),
)]
pub(crate) async fn forget(
    caller: WriteAccess,
    Path((container, kind, id)): Path<(String, String, String)>,
    uri: Uri,
) -> Answer<StatusCode> {
    check_declarable(place(&caller, &container, &kind, uri).await?)?;
    let forgotten = on_registry(&caller, move |store, registry| {
        Ok(delete_schema(store, registry, &id)?)
    });
    forgotten.await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Show a record of a schema, with a value in each field
#[utoipa::path(
    get, path = "/data/foundation/schemaregistry/rpc/sampledata/{id}", tag = "Schema registry",
    params(("id" = String, Path, description = "The $id, encoded, or the meta:altId of a schema, a union, a class, a field group or a data type")),
    responses((status = 200, description = "The record", body = RegistryObject), Problems),
)]
pub(crate) async fn get_sample(caller: ReadAccess, Path(id): Path<String>) -> Answer<Json<Value>> {
    let shown = on_registry(&caller, move |_, registry| {
        Ok(known(registry, &id)?.sample())
    });
    Ok(Json(shown.await?))
}

/// Show a resource, behind those of the organisation that it refers to
#[utoipa::path(
    get, path = "/data/foundation/schemaregistry/rpc/export/{id}", tag = "Schema registry",
    params(("id" = String, Path, description = "The $id, encoded, or the meta:altId")),
    responses((status = 200, description = "The resources, each behind those that it needs", body = RegistryResources), Problems),
)]
pub(crate) async fn export_resource(
    caller: ReadAccess,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Answer<Json<Value>> {
    let form = Form::of(&headers);
    let shown = on_registry(&caller, move |_, registry| {
        let resource = known(registry, &id)?;
        let needed = resource.references.iter().filter_map(|id| registry.get(id));
        let needed = needed.filter(|one| one.container == Container::Tenant);
        let all = needed.chain([resource]);
        Ok(all.map(|one| form.shown(one, &[])).collect())
    });
    Ok(Json(shown.await?))
}

fn known<'a>(registry: &'a Registry, id: &str) -> Answer<&'a Resource> {
    let found = registry.get(id);
    found.ok_or_else(|| Problem::not_found(format!("no resource of the schema registry {id:?}")))
}

/// Works on a store with its registry.
pub(crate) async fn on_registry<T: Send + 'static>(
    caller: &ReadAccess,
    work: impl FnOnce(&Store, &Registry) -> Answer<T> + Send + 'static,
) -> Answer<T> {
    let app = Arc::clone(caller.app());
    let worked = caller.on_store(move |store| work(store, &Registry::of(store, &app.schemas)?));
    worked.await
}

/// The descriptors, where the form shows them.
fn descriptors_of(store: &Store, registry: &Registry, form: Form) -> Answer<Vec<Value>> {
    match form.has_descriptors {
        true => Ok(descriptors(store, registry)?),
        false => Ok(Vec::new()),
    }
}

/// What a path is about.
async fn place(
    caller: &ReadAccess,
    container: &str,
    kind: &str,
    uri: Uri,
) -> Answer<(Container, ResourceKind)> {
    // The older name.
    let kind = if kind == "mixins" {
        "fieldgroups"
    } else {
        kind
    };
    let container = Container::ALL
        .into_iter()
        .find(|one| one.word() == container);
    let kind = ResourceKind::ALL.into_iter().find(|one| one.word() == kind);
    match container.zip(kind) {
        Some(place) => Ok(place),
        None => Err(nowhere::answer(State(Arc::clone(caller.app())), uri).await),
    }
}

/// Only schemas of the organisation are declared.
fn check_declarable((container, kind): (Container, ResourceKind)) -> Answer<()> {
    match (container, kind) {
        (Container::Tenant, ResourceKind::Schemas) => Ok(()),
        (container, kind) => Err(Problem::bad_request(format!(
            "{}/{} are made from what the store has; what can be declared are tenant/schemas, with fields of their own in \
             definitions or properties",
            container.word(),
            kind.word()
        ))),
    }
}
