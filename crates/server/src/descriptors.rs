//! Descriptors of the schema registry: `/data/foundation/schemaregistry/tenant/descriptors`.

use axum::Json;
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use profile_export::platform::{
    create_descriptor, delete_descriptor, descriptor, descriptors, replace_descriptor,
};
use profile_export::xdm::Timestamp;
use serde_json::{Value, json};

use crate::auth::{ReadAccess, WriteAccess};
use crate::body::JsonBody;
use crate::path::Path;
use crate::problem::{Answer, Problem};
use crate::query::Query;
use crate::registry::{PATH, on_registry, paged};
use crate::registry_form::Form;
use crate::registry_list::Listing;
use crate::registry_schemas::{
    DescriptorBody, DescriptorList, DescriptorObject, DescriptorReference,
};
use crate::schemas::Problems;

/// The members of descriptors.
const MEMBERS: [&str; 17] = [
    "@id",
    "@type",
    "version",
    "imsOrg",
    "xdm:sourceSchema",
    "xdm:sourceVersion",
    "xdm:sourceProperty",
    "xdm:namespace",
    "xdm:property",
    "xdm:isPrimary",
    "xdm:title",
    "xdm:description",
    "xdm:note",
    "xdm:excludeMetaEnum",
    "meta:enum",
    "xdm:labels",
    "xdm:label",
];

/// List what is said of the fields of schemas
///
/// By type, or with the form v2 in a list, of which pages may be asked for. Whose primary identity a dataset's description says is told, too.
#[utoipa::path(
    get, path = "/data/foundation/schemaregistry/tenant/descriptors", tag = "Schema registry",
    params(
        ("property" = Option<Vec<String>>, Query, description = "A member that is there, or compares: @type==xdm:descriptorIdentity; several by commas"),
        ("orderby" = Option<String>, Query, description = "Members to sort by, comma-separated, with - for downwards"),
        ("start" = Option<String>, Query, description = "Where the page begins, as _page.next of the one before says"),
        ("limit" = Option<u32>, Query, description = "How many on a page, at the most 500; all that there are where neither this nor start is said. In the form v2 alone", minimum = 1),
    ),
    responses((status = 200, description = "The descriptors", body = DescriptorList), Problems),
)]
pub(crate) async fn list_descriptors(
    caller: ReadAccess,
    headers: HeaderMap,
    query: Query,
) -> Answer<Json<Value>> {
    let form = Form::of(&headers);
    let listing = Listing::of(&query, &MEMBERS)?;
    if !form.is_v2 && listing.is_of_page() {
        return Err(Problem::bad_request(
            "limit, start: lists by type have no pages; ask for application/vnd.adobe.xdm-v2+json in Accept to have some",
        ));
    }
    // Clients such as aepp take what they get for all that there is.
    let listing = listing.whole();
    let listed = on_registry(&caller, move |store, registry| {
        let all = descriptors(store, registry)?;
        let all = all.into_iter().map(|one| (one.clone(), one)).collect();
        let page = listing.page(all, "@id")?;
        let shown = |one: &Value| match (form.is_id, form.is_link) {
            (true, _) => one["@id"].clone(),
            (false, true) => json!(format!(
                "{PATH}/tenant/descriptors/{}",
                one["@id"].as_str().unwrap_or_default()
            )),
            (false, false) => one.clone(),
        };
        if form.is_v2 {
            let results = page.items.iter().map(shown).collect();
            let path = format!("{PATH}/tenant/descriptors");
            return Ok(paged(results, &page, &path));
        }
        let mut by_type = json!({});
        for one in &page.items {
            let kind = one["@type"].as_str().unwrap_or_default();
            match by_type[kind].as_array_mut() {
                Some(known) => known.push(shown(one)),
                None => by_type[kind] = json!([shown(one)]),
            }
        }
        Ok(by_type)
    });
    Ok(Json(listed.await?))
}

/// Show a descriptor
#[utoipa::path(
    get, path = "/data/foundation/schemaregistry/tenant/descriptors/{id}", tag = "Schema registry",
    params(("id" = String, Path, description = "Its @id")),
    responses((status = 200, description = "The descriptor", body = DescriptorObject), Problems),
)]
pub(crate) async fn get_descriptor(
    caller: ReadAccess,
    Path(id): Path<String>,
) -> Answer<Json<Value>> {
    let found = on_registry(&caller, move |store, registry| {
        Ok(descriptor(store, registry, &id)?)
    });
    Ok(Json(found.await?))
}

/// Say something of a schema's field
///
/// What is said to be the primary identity is read as that of the records that are loaded from then on into the datasets which are
/// created on the schema; it is refused where a dataset has records with another.
#[utoipa::path(
    post, path = "/data/foundation/schemaregistry/tenant/descriptors", tag = "Schema registry",
    request_body = DescriptorBody,
    responses((status = 201, description = "The descriptor", body = DescriptorObject), Problems),
)]
pub(crate) async fn make_descriptor(
    caller: WriteAccess,
    JsonBody(body): JsonBody<Value>,
) -> Answer<impl IntoResponse> {
    let made = on_registry(&caller, move |store, registry| {
        Ok(create_descriptor(store, registry, body, Timestamp::now())?)
    });
    Ok((StatusCode::CREATED, Json(made.await?)))
}

/// Say something else of a schema's field
#[utoipa::path(
    put, path = "/data/foundation/schemaregistry/tenant/descriptors/{id}", tag = "Schema registry",
    params(("id" = String, Path, description = "Its @id")),
    request_body = DescriptorBody,
    responses((status = 201, description = "Its @id", body = DescriptorReference), Problems),
)]
pub(crate) async fn put_descriptor(
    caller: WriteAccess,
    Path(id): Path<String>,
    JsonBody(body): JsonBody<Value>,
) -> Answer<impl IntoResponse> {
    let made = on_registry(&caller, move |store, registry| {
        Ok(replace_descriptor(
            store,
            registry,
            &id,
            body,
            Timestamp::now(),
        )?)
    });
    Ok((
        StatusCode::CREATED,
        Json(json!({"@id": made.await?["@id"]})),
    ))
}

/// Take a descriptor away
#[utoipa::path(
    delete, path = "/data/foundation/schemaregistry/tenant/descriptors/{id}", tag = "Schema registry",
    params(("id" = String, Path, description = "Its @id")),
    responses((status = 204, description = "It is gone"), Problems),
)]
pub(crate) async fn remove_descriptor(
    caller: WriteAccess,
    Path(id): Path<String>,
) -> Answer<StatusCode> {
    let gone = on_registry(&caller, move |store, registry| {
        Ok(delete_descriptor(store, registry, &id, Timestamp::now())?)
    });
    gone.await?;
    Ok(StatusCode::NO_CONTENT)
}
