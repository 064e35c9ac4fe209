//! Segment definitions: `/data/core/ups/segment/definitions`.

use std::cmp::Ordering;

use axum::Json;
use axum::http::StatusCode;
use profile_export::platform::{
    check_definition, delete_segment, dependent_of, expression_of, put_segment, segment, segments,
};
use serde_json::{Map, Value, json};

use crate::auth::{ReadAccess, WriteAccess};
use crate::body::{Ids, JsonBody};
use crate::path::Path;
use crate::problem::{Answer, Problem, if_there};
use crate::query::Query;
use crate::schemas::{BulkResults, Looked, Problems, SegmentObject, SegmentPage};

/// List segment definitions
#[utoipa::path(
    get, path = "/data/core/ups/segment/definitions", tag = "Segment definitions",
    params(
        ("limit" = Option<u32>, Query, description = "Definitions on a page; all where it is missing", minimum = 1),
        ("page" = Option<u32>, Query, description = "The page's number, from 0"),
        ("start" = Option<u32>, Query, description = "How many are left out before the first page"),
        ("sort" = Option<String>, Query, description = "A property of the definitions, with :asc or :desc"),
        ("evaluationInfo.continuous.enabled" = Option<bool>, Query, description = "Only those that say so of themselves, or that do not"),
    ),
    responses((status = 200, description = "A page of definitions", body = SegmentPage), Problems),
)]
pub(crate) async fn list_segments(caller: ReadAccess, query: Query) -> Answer<Json<Value>> {
    let limit = query.number("limit", 1, u32::MAX)?;
    let page = query.number("page", 0, u32::MAX)?.unwrap_or(0) as usize;
    let start = query.number("start", 0, u32::MAX)?.unwrap_or(0) as usize;
    let continuous = query.flag("evaluationInfo.continuous.enabled")?;
    let mut all = caller
        .on_store(|store| Ok(segments(store.catalog())?))
        .await?;
    if let Some(order) = query.get("sort") {
        sort(&mut all, order)?;
    }
    all.retain(|segment| {
        let says = segment.pointer("/evaluationInfo/continuous/enabled");
        continuous.is_none_or(|wanted| (says == Some(&json!(true))) == wanted)
    });
    let total = all.len();
    let size = limit.map_or(total.max(1), |limit| limit as usize);
    let shown: Vec<Value> = all
        .into_iter()
        .skip(page.saturating_mul(size).saturating_add(start))
        .take(size)
        .collect();
    Ok(Json(json!({
        "page": {
            "totalCount": total,
            "totalPages": total.div_ceil(size),
            "pageOffset": page,
            "pageSize": shown.len(),
        },
        "segments": shown,
        "link": {},
    })))
}

/// Sorts definitions by `property:asc` or `property:desc`; those that lack it come last.
fn sort(segments: &mut [Value], order: &str) -> Answer<()> {
    let refuse = |allowed: &str| {
        Err(Problem::bad_request(format!(
            "sort: found {order:?}; {allowed}"
        )))
    };
    let (property, is_down) = match order.rsplit_once(':') {
        None => (order, false),
        Some((property, "asc")) => (property, false),
        Some((property, "desc")) => (property, true),
        Some(_) => return refuse("allowed is a property with :asc or :desc behind it"),
    };
    if !segments.is_empty() && segments.iter().all(|s| s.get(property).is_none()) {
        return refuse("no definition has that property");
    }
    segments.sort_by(|a, b| match (a.get(property), b.get(property)) {
        (Some(a), Some(b)) if is_down => compare(b, a),
        (Some(a), Some(b)) => compare(a, b),
        (a, b) => b.is_some().cmp(&a.is_some()),
    });
    Ok(())
}

/// Numbers by their size and before all else, which is sorted as text.
fn compare(a: &Value, b: &Value) -> Ordering {
    let text = |value: &Value| value.as_str().map_or(value.to_string(), str::to_owned);
    match (a.as_f64(), b.as_f64()) {
        (Some(a), Some(b)) => a.total_cmp(&b),
        (None, None) => text(a).cmp(&text(b)),
        (a, b) => b.is_some().cmp(&a.is_some()),
    }
}

/// Create a segment definition
#[utoipa::path(
    post, path = "/data/core/ups/segment/definitions", tag = "Segment definitions",
    request_body = SegmentObject,
    responses((status = 200, description = "The definition", body = SegmentObject), Problems),
)]
pub(crate) async fn create_segment(
    caller: WriteAccess,
    JsonBody(body): JsonBody<Value>,
) -> Answer<Json<Value>> {
    let made = caller
        .on_store(move |store| {
            // An ID that is no text is refused below, with everything else that is no definition.
            if let Some(id) = body.get("id").and_then(Value::as_str)
                && if_there(segment(store.catalog(), id))?.is_some()
            {
                return Err(Problem::conflict(format!(
                    "id: there is a segment definition {id:?} already"
                )));
            }
            check_definition(&body)?;
            Ok(put_segment(store.catalog(), body)?)
        })
        .await?;
    Ok(Json(made))
}

/// Replace a segment definition: the whole of it, as the platform has it
#[utoipa::path(
    patch, path = "/data/core/ups/segment/definitions/{id}", tag = "Segment definitions",
    params(("id" = String, Path, description = "The segment's ID")),
    request_body = SegmentObject,
    responses((status = 200, description = "The definition", body = SegmentObject), Problems),
)]
pub(crate) async fn patch_segment(
    caller: WriteAccess,
    Path(id): Path<String>,
    JsonBody(mut body): JsonBody<Value>,
) -> Answer<Json<Value>> {
    let made = caller
        .on_store(move |store| {
            segment(store.catalog(), &id)?;
            if let Some(object) = body.as_object_mut() {
                let own = object.entry("id").or_insert_with(|| json!(id));
                if *own != json!(id) {
                    return Err(Problem::bad_request(format!(
                        "id: found {own}; allowed is {id:?}, or none"
                    )));
                }
            }
            check_definition(&body)?;
            Ok(put_segment(store.catalog(), body)?)
        })
        .await?;
    Ok(Json(made))
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
            segment(store.catalog(), &id)?;
            if let Some(dependent) = dependent_of(store.catalog(), &id)? {
                return Err(Problem::conflict(format!(
                    "the segment {dependent:?} asks for {id:?} by inSegment; delete or change that one first"
                )));
            }
            delete_segment(store.catalog(), &id)?;
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
            let (mut results, mut missing) = (Map::new(), Vec::new());
            for id in wanted.all() {
                match if_there(segment(store.catalog(), id))? {
                    Some(definition) => drop(results.insert(id.to_owned(), definition)),
                    None => missing.push(json!({"code": "UPAPI-113000-404", "message": format!("no segment {id:?}")})),
                }
            }
            let mut found = json!({"results": results});
            if !missing.is_empty() {
                found["errors"] = json!({"404": missing});
            }
            Ok(found)
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
