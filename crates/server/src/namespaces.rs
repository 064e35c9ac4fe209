//! Namespaces of identities: `/data/core/idnamespace`.

use std::sync::Arc;

use axum::Json;
use profile_export::platform::{
    IdentityNamespace, Lookups, NamespaceBody, create_identity_namespace, identity_namespaces,
    replace_identity_namespace,
};
use profile_export::store::Store;
use profile_export::xdm::Timestamp;

use crate::auth::{ReadAccess, WriteAccess};
use crate::body::JsonBody;
use crate::identity_schemas::{NamespaceList, NamespaceObject};
use crate::path::Path;
use crate::problem::{Answer, Problem};
use crate::schemas::Problems;

/// List the namespaces of identities: standard ones, those that records have, and described ones
#[utoipa::path(
    get, path = "/data/core/idnamespace/identities", tag = "Identities",
    responses((status = 200, description = "The namespaces, by their numbers", body = NamespaceList), Problems),
)]
pub(crate) async fn list_namespaces(caller: ReadAccess) -> Answer<Json<Vec<IdentityNamespace>>> {
    Ok(Json(all(&caller).await?))
}

/// List the namespaces that are an organisation's own, or of another organisation the standard ones
#[utoipa::path(
    get, path = "/data/core/idnamespace/orgs/{org}/identities", tag = "Identities",
    params(("org" = String, Path, description = "The organisation; of another than the caller's, its shared ones: the standard ones")),
    responses((status = 200, description = "The namespaces, by their numbers", body = NamespaceList), Problems),
)]
pub(crate) async fn list_namespaces_of_org(
    caller: ReadAccess,
    Path(org): Path<String>,
) -> Answer<Json<Vec<IdentityNamespace>>> {
    let mut found = all(&caller).await?;
    if caller.scope().org != org {
        found.retain(|namespace| !namespace.custom);
    }
    Ok(Json(found))
}

/// Show a namespace
#[utoipa::path(
    get, path = "/data/core/idnamespace/identities/{id}", tag = "Identities",
    params(("id" = String, Path, description = "Its number, or its code in any case")),
    responses((status = 200, description = "The namespace", body = NamespaceObject), Problems),
)]
pub(crate) async fn get_namespace(
    caller: ReadAccess,
    Path(id): Path<String>,
) -> Answer<Json<IdentityNamespace>> {
    let app = Arc::clone(caller.app());
    let found = caller
        .on_store(move |store| find(store, &app.lookups, &id))
        .await?;
    Ok(Json(found))
}

/// Describe a namespace of one's own
#[utoipa::path(
    post, path = "/data/core/idnamespace/identities", tag = "Identities", request_body = NamespaceBody,
    responses((status = 200, description = "The namespace", body = NamespaceObject), Problems),
)]
pub(crate) async fn create_namespace(
    caller: WriteAccess,
    JsonBody(body): JsonBody<NamespaceBody>,
) -> Answer<Json<IdentityNamespace>> {
    let made =
        caller.on_store(move |store| Ok(create_identity_namespace(store, body, Timestamp::now())?));
    Ok(Json(made.await?))
}

/// Describe a namespace anew; its code stays
#[utoipa::path(
    put, path = "/data/core/idnamespace/identities/{id}", tag = "Identities",
    params(("id" = String, Path, description = "Its number, or its code in any case")),
    request_body = NamespaceBody,
    responses((status = 200, description = "The namespace", body = NamespaceObject), Problems),
)]
pub(crate) async fn replace_namespace(
    caller: WriteAccess,
    Path(id): Path<String>,
    JsonBody(body): JsonBody<NamespaceBody>,
) -> Answer<Json<IdentityNamespace>> {
    let app = Arc::clone(caller.app());
    let made = caller.on_store(move |store| {
        let known = find(store, &app.lookups, &id)?;
        Ok(replace_identity_namespace(
            store,
            &app.lookups,
            known.id,
            body,
            Timestamp::now(),
        )?)
    });
    Ok(Json(made.await?))
}

async fn all(caller: &ReadAccess) -> Answer<Vec<IdentityNamespace>> {
    let app = Arc::clone(caller.app());
    caller
        .on_store(move |store| Ok(identity_namespaces(store, &app.lookups)?))
        .await
}

fn find(store: &Store, lookups: &Lookups, id: &str) -> Answer<IdentityNamespace> {
    let all = identity_namespaces(store, lookups)?;
    by_id(&all, id)
        .cloned()
        .ok_or_else(|| Problem::not_found(format!("no identity namespace {id:?}")))
}

/// The namespace of a number or a code.
fn by_id<'a>(all: &'a [IdentityNamespace], id: &str) -> Option<&'a IdentityNamespace> {
    let number = id.parse().ok();
    let by_code = |one: &&IdentityNamespace| one.code.eq_ignore_ascii_case(id);
    let by_number = |one: &&IdentityNamespace| Some(one.id) == number;
    all.iter()
        .find(by_number)
        .or_else(|| all.iter().find(by_code))
}
