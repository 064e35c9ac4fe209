//! Segment definitions: `/data/core/ups/segment/definitions`.

use std::cmp::Ordering;

use axum::Json;
use profile_export::platform::{put_segment, segment, segments};
use serde_json::{Value, json};

use crate::auth::{ReadAccess, WriteAccess};
use crate::body::JsonBody;
use crate::path::Path;
use crate::problem::{Answer, Problem, if_there};
use crate::query::Query;
use crate::schemas::{Problems, SegmentObject, SegmentPage};

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
            Ok(put_segment(store.catalog(), body)?)
        })
        .await?;
    Ok(Json(made))
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
