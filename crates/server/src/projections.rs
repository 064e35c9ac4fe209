//! Edge projections: `/data/core/ups/config/destinations` and `/data/core/ups/config/projections`, and profiles read by the
//! name of one.

use std::sync::Arc;

use axum::Json;
use axum::http::StatusCode;
use profile_export::platform::{
    DestinationBody, Lookup, Place, Projection, ProjectionBody, ProjectionDestination,
    delete_projection, delete_projection_destination, named_projection, projection,
    projection_destination, projection_destinations, projections, put_projection,
    put_projection_destination, xid_of,
};
use profile_export::xdm::{Class, Timestamp};
use serde::Serialize;
use serde_json::{Value, json};

use crate::auth::{ReadAccess, WriteAccess};
use crate::body::JsonBody;
use crate::entities::profile;
use crate::entity_body::identity;
use crate::local::look;
use crate::path::Path;
use crate::problem::{Answer, Problem};
use crate::projection_schemas::{
    DestinationList, DestinationObject, ProjectionList, ProjectionObject,
};
use crate::query::Query;
use crate::schemas::{Entities, Problems};

const DESTINATIONS: &str = "/data/core/ups/config/destinations";
const PROJECTIONS: &str = "/data/core/ups/config/projections";

/// List the destinations of projections, newest first
#[utoipa::path(
    get, path = "/data/core/ups/config/destinations", tag = "Edge projections",
    responses((status = 200, description = "The destinations", body = DestinationList), Problems),
)]
pub(crate) async fn list_destinations(caller: ReadAccess) -> Answer<Json<Value>> {
    let all = caller
        .on_store(|store| Ok(projection_destinations(store)?))
        .await?;
    let all = all.iter().map(|one| {
        let mut shown = shown(one)?;
        shown["_links"] = json!({"self": link(DESTINATIONS, &one.id)});
        Ok(shown)
    });
    let all: Vec<Value> = all.collect::<Answer<_>>()?;
    Ok(Json(listed(DESTINATIONS, "projectionDestinations", all)))
}

/// Create a destination: it is kept and told, and nothing is sent there
#[utoipa::path(
    post, path = "/data/core/ups/config/destinations", tag = "Edge projections", request_body = DestinationBody,
    responses((status = 200, description = "The destination", body = DestinationObject), Problems),
)]
pub(crate) async fn create_destination(
    caller: WriteAccess,
    JsonBody(body): JsonBody<DestinationBody>,
) -> Answer<Json<Value>> {
    put_destination(caller, None, body).await
}

/// Show a destination
#[utoipa::path(
    get, path = "/data/core/ups/config/destinations/{id}", tag = "Edge projections",
    params(("id" = String, Path, description = "The destination's ID")),
    responses((status = 200, description = "The destination", body = DestinationObject), Problems),
)]
pub(crate) async fn get_destination(
    caller: ReadAccess,
    Path(id): Path<String>,
) -> Answer<Json<Value>> {
    let found = caller.on_store(move |store| Ok(projection_destination(store, &id)?));
    with_self(&found.await?).map(Json)
}

/// Replace a destination
#[utoipa::path(
    put, path = "/data/core/ups/config/destinations/{id}", tag = "Edge projections",
    params(("id" = String, Path, description = "The destination's ID")),
    request_body = DestinationBody,
    responses((status = 200, description = "The destination in its next version", body = DestinationObject), Problems),
)]
pub(crate) async fn replace_destination(
    caller: WriteAccess,
    Path(id): Path<String>,
    JsonBody(body): JsonBody<DestinationBody>,
) -> Answer<Json<Value>> {
    put_destination(caller, Some(id), body).await
}

/// Delete a destination that no projection names
#[utoipa::path(
    delete, path = "/data/core/ups/config/destinations/{id}", tag = "Edge projections",
    params(("id" = String, Path, description = "The destination's ID")),
    responses((status = 204, description = "It is gone"), Problems),
)]
pub(crate) async fn remove_destination(
    caller: WriteAccess,
    Path(id): Path<String>,
) -> Answer<StatusCode> {
    caller
        .on_store(move |store| Ok(delete_projection_destination(store, &id)?))
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// List projections, newest first
#[utoipa::path(
    get, path = "/data/core/ups/config/projections", tag = "Edge projections",
    params(
        ("schemaName" = Option<String>, Query, description = "Only those of this schema class, such as _xdm.context.profile"),
        ("name" = Option<String>, Query, description = "With schemaName: only the one of this name"),
    ),
    responses((status = 200, description = "The projections, each with its destination", body = ProjectionList), Problems),
)]
pub(crate) async fn list_projections(caller: ReadAccess, query: Query) -> Answer<Json<Value>> {
    let (schema, name) = (query.text("schemaName"), query.text("name"));
    if name.is_some() && schema.is_none() {
        return Err(Problem::bad_request(
            "name: a name is unique in its schema class alone, so schemaName goes with it",
        ));
    }
    let (all, destinations) = caller
        .on_store(|store| Ok((projections(store)?, projection_destinations(store)?)))
        .await?;
    let wanted = all.iter().filter(|one| {
        schema
            .as_ref()
            .is_none_or(|schema| *schema == one.schema_name)
            && name.as_ref().is_none_or(|name| *name == one.name)
    });
    let all: Vec<Value> = wanted
        .map(|one| {
            let of_it = destinations.iter().find(|d| d.id == one.destination_id);
            let mut shown = shown(one)?;
            shown["_links"] = json!({
                "destination": link(DESTINATIONS, &one.destination_id),
                "self": link(PROJECTIONS, &one.id),
            });
            shown["_embedded"] = json!({"destination": of_it.map(with_self).transpose()?});
            Ok(shown)
        })
        .collect::<Answer<_>>()?;
    Ok(Json(listed(PROJECTIONS, "projectionConfigs", all)))
}

/// Create a projection of a schema class
#[utoipa::path(
    post, path = "/data/core/ups/config/projections", tag = "Edge projections", request_body = ProjectionBody,
    params(("schemaName" = String, Query, description = "The schema class: _xdm.context.profile")),
    responses((status = 200, description = "The projection", body = ProjectionObject), Problems),
)]
pub(crate) async fn create_projection(
    caller: WriteAccess,
    query: Query,
    JsonBody(body): JsonBody<ProjectionBody>,
) -> Answer<Json<Value>> {
    let schema = Class::Profile.schema_name();
    match query.get("schemaName") {
        Some(name) if name == schema => {}
        other => {
            return Err(Problem::bad_request(format!(
                "schemaName: found {other:?}; allowed is {schema}, whose profiles are read by projections"
            )));
        }
    }
    let made = caller.on_store(move |store| {
        Ok(put_projection(
            store,
            Place::Schema(schema),
            body,
            Timestamp::now(),
        )?)
    });
    projection_with_self(&made.await?).map(Json)
}

/// Show a projection
#[utoipa::path(
    get, path = "/data/core/ups/config/projections/{id}", tag = "Edge projections",
    params(("id" = String, Path, description = "The projection's ID")),
    responses((status = 200, description = "The projection", body = ProjectionObject), Problems),
)]
pub(crate) async fn get_projection(
    caller: ReadAccess,
    Path(id): Path<String>,
) -> Answer<Json<Value>> {
    let found = caller.on_store(move |store| Ok(projection(store, &id)?));
    projection_with_self(&found.await?).map(Json)
}

/// Replace a projection; its schema class stays
#[utoipa::path(
    put, path = "/data/core/ups/config/projections/{id}", tag = "Edge projections",
    params(("id" = String, Path, description = "The projection's ID")),
    request_body = ProjectionBody,
    responses((status = 200, description = "The projection in its next version", body = ProjectionObject), Problems),
)]
pub(crate) async fn replace_projection(
    caller: WriteAccess,
    Path(id): Path<String>,
    JsonBody(body): JsonBody<ProjectionBody>,
) -> Answer<Json<Value>> {
    let made = caller.on_store(move |store| {
        Ok(put_projection(
            store,
            Place::Id(&id),
            body,
            Timestamp::now(),
        )?)
    });
    projection_with_self(&made.await?).map(Json)
}

/// Delete a projection
#[utoipa::path(
    delete, path = "/data/core/ups/config/projections/{id}", tag = "Edge projections",
    params(("id" = String, Path, description = "The projection's ID")),
    responses((status = 204, description = "It is gone"), Problems),
)]
pub(crate) async fn remove_projection(
    caller: WriteAccess,
    Path(id): Path<String>,
) -> Answer<StatusCode> {
    caller
        .on_store(move |store| Ok(delete_projection(store, &id)?))
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Look up a profile with the fields of a projection
///
/// A path of this server's own: the platform's public API has none that reads a projection by its name. The answer is that
/// of `/access/entities`.
#[utoipa::path(
    get, path = "/data/core/ups/access/projections/{name}", tag = "Edge projections",
    params(
        ("name" = String, Path, description = "The projection's name"),
        ("entityId" = String, Query, description = "An id of the namespace entityIdNS, or an XID"),
        ("entityIdNS" = Option<String>, Query, description = "A namespace's code"),
        ("mergePolicyId" = Option<String>, Query, description = "A merge policy; the default where it is missing"),
    ),
    responses((status = 200, description = "The profile by its XID", body = Entities), Problems),
)]
pub(crate) async fn read_projection(
    caller: ReadAccess,
    Path(name): Path<String>,
    query: Query,
) -> Answer<Json<Value>> {
    let identity = identity("entityId", query.get("entityId"), query.get("entityIdNS"))?;
    let merge_policy = query.text("mergePolicyId");
    let app = Arc::clone(caller.app());
    let answer = look(&caller, move |store, progress| {
        let lookup = Lookup {
            fields: Some(named_projection(store, &name)?.selector),
            event_fields: None,
            merge_policy,
        };
        let found = app.lookups.find(store, &lookup, &identity, progress)?;
        Ok(json!({xid_of(&identity): profile(&identity, found)}))
    });
    answer.await.map(Json)
}

async fn put_destination(
    caller: WriteAccess,
    id: Option<String>,
    body: DestinationBody,
) -> Answer<Json<Value>> {
    let made = caller.on_store(move |store| {
        Ok(put_projection_destination(
            store,
            id.as_deref(),
            body,
            Timestamp::now(),
        )?)
    });
    with_self(&made.await?).map(Json)
}

/// A list in the form of the documents, HAL.
fn listed(path: &str, name: &str, all: Vec<Value>) -> Value {
    json!({
        "_links": {"self": {"href": path, "templated": false}},
        "_embedded": {name: all},
    })
}

/// A single object has its own link at the top, where one of a list has `_links`.
fn with_self(destination: &ProjectionDestination) -> Answer<Value> {
    let mut shown = shown(destination)?;
    shown["self"] = link(DESTINATIONS, &destination.id);
    Ok(shown)
}

fn projection_with_self(projection: &Projection) -> Answer<Value> {
    let mut shown = shown(projection)?;
    shown["self"] = link(PROJECTIONS, &projection.id);
    shown["destination"] = link(DESTINATIONS, &projection.destination_id);
    Ok(shown)
}

fn shown(object: &impl Serialize) -> Answer<Value> {
    let mut shown = serde_json::to_value(object).map_err(|error| Problem::internal(&error))?;
    if let Some(object) = shown.as_object_mut() {
        // What orders lists is no part of the documents' form.
        object.shift_remove("created");
    }
    Ok(shown)
}

fn link(path: &str, id: &str) -> Value {
    json!({"href": format!("{path}/{id}"), "templated": false})
}
