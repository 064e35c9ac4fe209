//! Segment definitions: `/data/core/ups/segment/definitions`.

use axum::Json;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use profile_export::platform::{expression_of, segment, segments};
use serde_json::{Value, json};

use crate::auth::{ReadAccess, WriteAccess};
use crate::body::{Ids, JsonBody};
use crate::children;
use crate::definitions::{Order, create, remove, replace};
use crate::path::Path;
use crate::problem::{Answer, if_there};
use crate::query::Query;
use crate::schemas::{BulkResults, Looked, Problems, SegmentObject, SegmentPage};

const PATH: &str = "/data/core/ups/segment/definitions";
/// What is escaped in an ID that is part of a path.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');
/// The platform's page of definitions.
const USUAL_PAGE: u32 = 100;

/// The ways to evaluate a definition, and the parameters that ask for those that say so of themselves.
const METHODS: [(&str, &str); 3] = [
    ("batch", "evaluationInfo.batch.enabled"),
    ("continuous", "evaluationInfo.continuous.enabled"),
    ("synchronous", "evaluationInfo.synchronous.enabled"),
];

/// List segment definitions
#[utoipa::path(
    get, path = "/data/core/ups/segment/definitions", tag = "Segment definitions",
    params(
        ("limit" = Option<u32>, Query, description = "Definitions on a page, 100 by default", minimum = 1),
        ("page" = Option<u32>, Query, description = "The page's number, from 0; a page behind the last has no definitions"),
        ("start" = Option<u32>, Query, description = "How many are left out before the first page"),
        ("sort" = Option<String>, Query, description = "A property of the definitions, with :asc or :desc; creationTime:desc by default"),
        ("evaluationInfo.batch.enabled" = Option<bool>, Query, description = "Only those that are evaluated in batches, or that are not; one that says nothing is"),
        ("evaluationInfo.continuous.enabled" = Option<bool>, Query, description = "Only those that say so of themselves, or that do not"),
        ("evaluationInfo.synchronous.enabled" = Option<bool>, Query, description = "Only those that say so of themselves, or that do not"),
    ),
    responses((status = 200, description = "A page of definitions", body = SegmentPage), Problems),
)]
pub(crate) async fn list_segments(caller: ReadAccess, query: Query) -> Answer<Json<Value>> {
    let limit = query.number("limit", 1, u32::MAX)?.unwrap_or(USUAL_PAGE) as usize;
    let page = query.number("page", 0, u32::MAX)?.unwrap_or(0) as usize;
    let start = query.number("start", 0, u32::MAX)?.unwrap_or(0) as usize;
    let mut all = caller
        .on_store(|store| Ok(segments(store.catalog())?))
        .await?;
    let order = Order::sort(query.get("sort"), &mut all)?;
    for (method, parameter) in METHODS {
        if let Some(wanted) = query.flag(parameter)? {
            all.retain(|segment| is_evaluated(segment, method) == wanted);
        }
    }
    let total = all.len();
    let shown: Vec<Value> = all
        .into_iter()
        .skip(page.saturating_mul(limit).saturating_add(start))
        .take(limit)
        .collect();
    Ok(Json(json!({
        "page": {
            "totalCount": total,
            "totalPages": total.div_ceil(limit),
            "pageOffset": page,
            "pageSize": shown.len(),
            "limit": limit,
            "sortField": order.property,
            "sort": order.direction(),
        },
        "segments": shown,
        "link": {},
    })))
}

/// Whether a definition says that it is evaluated in this way. One that names no way at all is evaluated in batches.
fn is_evaluated(segment: &Value, method: &str) -> bool {
    let info = segment.get("evaluationInfo");
    let says = |method: &str| info.and_then(|info| info.get(method)?.get("enabled"));
    let says_nothing = METHODS.iter().all(|(one, _)| says(one).is_none());
    says(method) == Some(&json!(true)) || (method == "batch" && says_nothing)
}

/// Create a segment definition
#[utoipa::path(
    post, path = "/data/core/ups/segment/definitions", tag = "Segment definitions",
    request_body = SegmentObject,
    responses((status = 200, description = "The definition", body = SegmentObject,
        headers(("X-Location" = String, description = "Its path"))), Problems),
)]
pub(crate) async fn create_segment(
    caller: WriteAccess,
    JsonBody(body): JsonBody<Value>,
) -> Answer<impl IntoResponse> {
    let made = caller.on_store(move |store| create(store, body));
    Ok(located(made.await?))
}

/// A definition with its path in a header.
fn located(definition: Value) -> impl IntoResponse {
    let id = definition.get("id").and_then(Value::as_str);
    let id = utf8_percent_encode(id.unwrap_or_default(), ESCAPED);
    ([("x-location", format!("{PATH}/{id}"))], Json(definition))
}

/// Replace a segment definition: the whole of it, as the platform has it
#[utoipa::path(
    patch, path = "/data/core/ups/segment/definitions/{id}", tag = "Segment definitions",
    params(("id" = String, Path, description = "The segment's ID")),
    request_body = SegmentObject,
    responses((status = 200, description = "The definition", body = SegmentObject,
        headers(("X-Location" = String, description = "Its path"))), Problems),
)]
pub(crate) async fn patch_segment(
    caller: WriteAccess,
    Path(id): Path<String>,
    JsonBody(body): JsonBody<Value>,
) -> Answer<impl IntoResponse> {
    let made = caller.on_store(move |store| replace(store, &id, body));
    Ok(located(made.await?))
}

/// Delete a segment definition; the memberships of profiles stay
#[utoipa::path(
    delete, path = "/data/core/ups/segment/definitions/{id}", tag = "Segment definitions",
    params(("id" = String, Path, description = "The segment's ID")),
    responses((status = 200, description = "It is gone", body = Looked), Problems),
)]
pub(crate) async fn remove_segment(
    caller: WriteAccess,
    Path(id): Path<String>,
) -> Answer<Json<Value>> {
    let gone = caller
        .on_store(move |store| {
            remove(store, &id)?;
            Ok(json!({"status": true, "message": format!("deleted segment {id}")}))
        })
        .await?;
    Ok(Json(gone))
}

/// Show several segment definitions; those that there are not are named
#[utoipa::path(
    post, path = "/data/core/ups/segment/definitions/bulk-get", tag = "Segment definitions",
    request_body = Ids,
    responses((status = 207, description = "Definitions by ID", body = BulkResults), Problems),
)]
pub(crate) async fn bulk_get_segments(
    caller: ReadAccess,
    JsonBody(wanted): JsonBody<Ids>,
) -> Answer<(StatusCode, Json<Value>)> {
    let found = caller
        .on_store(move |store| {
            children::by_ids(&wanted, ("UPAPI-113000-404", "segment"), |id| {
                Ok(if_there(segment(store.catalog(), id))?)
            })
        })
        .await?;
    Ok((StatusCode::MULTI_STATUS, Json(found)))
}

/// Say a definition's expression in the other form: text as JSON, JSON as text
#[utoipa::path(
    post, path = "/data/core/ups/segment/conversion", tag = "Segment definitions",
    request_body = SegmentObject,
    responses((status = 200, description = "The definition with its expression in the other form", body = SegmentObject), Problems),
)]
pub(crate) async fn convert_segment(
    caller: ReadAccess,
    JsonBody(mut body): JsonBody<Value>,
) -> Answer<Json<Value>> {
    let scope = caller.scope().clone();
    let converted = caller
        .on_store(move |_| {
            let expression = expression_of(&body)?;
            let is_json = body.pointer("/expression/format") == Some(&json!("pql/json"));
            let (format, value) = match is_json {
                true => ("pql/text", expression.to_text()),
                false => ("pql/json", expression.to_json().to_string()),
            };
            body["expression"] = json!({"type": "PQL", "format": format, "value": value});
            body["imsOrgId"] = json!(scope.org);
            Ok(body)
        })
        .await?;
    Ok(Json(converted))
}

/// Show a segment definition
#[utoipa::path(
    get, path = "/data/core/ups/segment/definitions/{id}", tag = "Segment definitions",
    params(("id" = String, Path, description = "The segment's ID")),
    responses((status = 200, description = "The definition", body = SegmentObject), Problems),
)]
pub(crate) async fn get_segment(caller: ReadAccess, Path(id): Path<String>) -> Answer<Json<Value>> {
    let found = caller
        .on_store(move |store| Ok(segment(store.catalog(), &id)?))
        .await?;
    Ok(Json(found))
}
