//! Queries that run by themselves: `/data/foundation/query/queries`, and where clients of PostgreSQL connect.

use axum::Json;
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use headers::authorization::{Authorization, Bearer};
use headers::{HeaderMapExt, Host};
use profile_export::queries::{
    QueryBody, QueryState, SqlQuery, cancel_query, create_query, queries, query, soft_delete_query,
};
use profile_export::store::Store;
use profile_export::xdm::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::auth::{ReadAccess, WriteAccess};
use crate::body::JsonBody;
use crate::path::Path;
use crate::problem::{Answer, Problem};
use crate::query::Query;
use crate::query_lists::{Listed, Listing};
use crate::query_schemas::{ConnectionParameters, QueryAccepted, QueryObject, QueryPage};
use crate::schemas::Problems;

const PATH: &str = "/data/foundation/query/queries";
/// The properties that lists can be filtered by.
const PROPERTIES: [&str; 9] = [
    "created",
    "updated",
    "state",
    "id",
    "sql",
    "referenced_datasets",
    "scheduleId",
    "templateId",
    "userId",
];

impl Listed for SqlQuery {
    fn times(&self) -> (i64, i64) {
        (self.created, self.updated)
    }

    fn id(&self) -> &str {
        &self.id
    }

    fn property(&self, name: &str) -> Option<Vec<String>> {
        Some(match name {
            "created" => vec![Timestamp::from_millis(self.created).to_string()],
            "updated" => vec![Timestamp::from_millis(self.updated).to_string()],
            "state" => vec![self.state.word().to_owned()],
            "id" => vec![self.id.clone()],
            "sql" => vec![self.final_sql.clone()],
            "referenced_datasets" => self.dataset.iter().cloned().collect(),
            "scheduleId" => self.schedule_id.iter().cloned().collect(),
            "templateId" => self.request.template_id.iter().cloned().collect(),
            "userId" => vec![self.user_id.clone()],
            _ => return None,
        })
    }
}

/// List queries, newest first
#[utoipa::path(
    get, path = "/data/foundation/query/queries", tag = "Query service",
    params(
        ("orderby" = Option<String>, Query, description = "created or updated, with + or - before it"),
        ("limit" = Option<u32>, Query, description = "Queries on a page, at the most 1000 [default: 20]", minimum = 1),
        ("start" = Option<String>, Query, description = "Where the page begins: what a link has, or a time"),
        ("property" = Option<String>, Query, description = "Conditions such as state==SUCCESS, comma-separated"),
        ("excludeSoftDeleted" = Option<bool>, Query, description = "Without those that were deleted [default: true]"),
        ("excludeHidden" = Option<bool>, Query, description = "Has no effect: none is hidden"),
        ("isPrevLink" = Option<bool>, Query, description = "Only false: there are no links back"),
    ),
    responses((status = 200, description = "A page of queries", body = QueryPage), Problems),
)]
pub(crate) async fn list_queries(caller: ReadAccess, query: Query) -> Answer<Json<Value>> {
    let listing = Listing::of(&query, 20, &PROPERTIES)?;
    query.flag("excludeHidden")?;
    let without_deleted = query.flag("excludeSoftDeleted")?.unwrap_or(true);
    let mut all = caller.on_store(|store| Ok(queries(store)?)).await?;
    all.retain(|query| !(without_deleted && query.soft_deleted));
    Ok(Json(listing.page((PATH, "queries"), all, shown)))
}

/// Create a query, which runs by itself
///
/// Its rows are written into the dataset that `ctasParameters` or `insertIntoParameters` name, or that its statement does;
/// of others their number is told.
#[utoipa::path(
    post, path = "/data/foundation/query/queries", tag = "Query service", request_body = QueryBody,
    responses((status = 202, description = "The query, which waits", body = QueryObject), Problems),
)]
pub(crate) async fn create(
    caller: WriteAccess,
    JsonBody(body): JsonBody<QueryBody>,
) -> Answer<impl IntoResponse> {
    let user = caller.user().to_owned();
    let most = caller.app().settings.max_waiting_jobs;
    let made = caller.on_store(move |store| {
        check_room(store, most)?;
        Ok(create_query(store, body, &user)?)
    });
    let made = made.await?;
    caller.app().queue.wake();
    Ok((StatusCode::ACCEPTED, Json(shown(&made))))
}

/// Refuses one more query where enough of them wait.
pub(crate) fn check_room(store: &Store, most: u32) -> Answer<()> {
    let waiting = store
        .catalog()
        .count_queries_in(QueryState::Submitted.word())?;
    match waiting < most {
        true => Ok(()),
        false => Err(Problem::busy(format!(
            "{waiting} queries of this sandbox wait already"
        ))),
    }
}

/// Show a query
#[utoipa::path(
    get, path = "/data/foundation/query/queries/{id}", tag = "Query service",
    params(("id" = String, Path, description = "The query's ID")),
    responses((status = 200, description = "The query", body = QueryObject), Problems),
)]
pub(crate) async fn get_query(caller: ReadAccess, Path(id): Path<String>) -> Answer<Json<Value>> {
    let found = caller.on_store(move |store| Ok(query(store, &id)?)).await?;
    Ok(Json(shown(&found)))
}

/// What becomes of a query.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = QueryChange)]
pub(crate) struct Change {
    op: Operation,
}

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = QueryOperation)]
enum Operation {
    Cancel,
    SoftDelete,
}

/// Cancel a query, or leave one that has ended out of lists
#[utoipa::path(
    patch, path = "/data/foundation/query/queries/{id}", tag = "Query service", request_body = Change,
    params(("id" = String, Path, description = "The query's ID")),
    responses((status = 202, description = "It will be so", body = QueryAccepted), Problems),
)]
pub(crate) async fn change_query(
    caller: WriteAccess,
    Path(id): Path<String>,
    JsonBody(change): JsonBody<Change>,
) -> Answer<impl IntoResponse> {
    let message = match change.op {
        Operation::Cancel => {
            cancel(&caller, id).await?;
            "Query cancel request received"
        }
        Operation::SoftDelete => {
            let deleted = caller.on_store(move |store| Ok(soft_delete_query(store, &id)?));
            deleted.await?;
            "Query soft delete request received"
        }
    };
    Ok(accepted(message))
}

/// Tells whoever runs a query to stop.
pub(crate) async fn cancel(caller: &WriteAccess, id: String) -> Answer<()> {
    let name = id.clone();
    let cancelled = caller.on_store(move |store| Ok(cancel_query(store, &name)?));
    cancelled.await?;
    caller.app().queue.queries.cancel_one(&id);
    Ok(())
}

/// Leave a query that has ended out of lists
#[utoipa::path(
    delete, path = "/data/foundation/query/queries/{id}", tag = "Query service",
    params(("id" = String, Path, description = "The query's ID")),
    responses((status = 202, description = "It is left out", body = QueryAccepted), Problems),
)]
pub(crate) async fn delete_query(
    caller: WriteAccess,
    Path(id): Path<String>,
) -> Answer<impl IntoResponse> {
    let deleted = caller.on_store(move |store| Ok(soft_delete_query(store, &id)?));
    deleted.await?;
    Ok(accepted("Query soft delete request received"))
}

pub(crate) fn accepted(message: &str) -> (StatusCode, Json<Value>) {
    let status = StatusCode::ACCEPTED;
    (
        status,
        Json(json!({"message": message, "statusCode": status.as_u16()})),
    )
}

/// Show where clients of PostgreSQL connect
#[utoipa::path(
    get, path = "/data/foundation/query/connection_parameters", tag = "Query service",
    responses((status = 200, description = "Host, port, database, user and password", body = ConnectionParameters), Problems),
)]
pub(crate) async fn connection_parameters(
    caller: ReadAccess,
    headers: HeaderMap,
) -> Answer<Json<Value>> {
    let Some(front) = caller.app().settings.postgres.get() else {
        return Err(Problem::not_found(
            "this server has no PostgreSQL front: serve --sql ADDRESS starts one",
        ));
    };
    let bearer = headers.typed_get::<Authorization<Bearer>>();
    let token = bearer.as_ref().map_or("", Authorization::token);
    let scope = caller.scope();
    // All addresses of a machine are none that clients know: theirs is the one at which they are answered.
    let asked = headers.typed_get::<Host>();
    let host = match asked.filter(|_| front.ip().is_unspecified()) {
        Some(host) => host.hostname().trim_matches(['[', ']']).to_owned(),
        None => front.ip().to_string(),
    };
    Ok(Json(json!({
        "username": scope.org,
        "dbName": format!("{}:all", scope.sandbox),
        "host": host,
        "websocketHost": host,
        "port": front.port(),
        "token": token,
        "compressedToken": token,
        "version": 1,
    })))
}

/// A query as clients see it.
pub(crate) fn shown(query: &SqlQuery) -> Value {
    let path = format!("{PATH}/{}", query.id);
    let change =
        |op: &str| json!({"href": path, "method": "PATCH", "body": json!({"op": op}).to_string()});
    let datasets = query
        .dataset
        .iter()
        .map(|id| json!({"id": id, "href": format!("/data/foundation/catalog/dataSets/{id}")}));
    let request = json!(query.request);
    let mut shown = json!({
        "id": query.id,
        "request": request,
        "sql": query.final_sql,
        "state": query.state,
        "rowCount": query.row_count,
        "errors": query.errors,
        "isCTAS": query.is_ctas,
        "isInsertInto": query.is_insert_into,
        "version": query.version,
        "elapsedTime": query.elapsed_time,
        "created": Timestamp::from_millis(query.created).to_string(),
        "updated": Timestamp::from_millis(query.updated).to_string(),
        "client": "API",
        "userId": query.user_id,
        "isSoftDeleted": query.soft_deleted,
        "_links": {
            "self": {"href": path, "method": "GET"},
            "soft_delete": change("soft_delete"),
            "cancel": change("cancel"),
            "referenced_datasets": datasets.collect::<Vec<_>>(),
        },
    });
    if let Some(id) = &query.schedule_id {
        shown["scheduleId"] = json!(id);
    }
    if let Some(id) = &query.request.template_id {
        shown["templateId"] = json!(id);
    }
    shown
}
