//! Audiences: `/data/core/ups/audiences`. They are the segment definitions under another face.

use std::collections::BTreeMap;

use axum::Json;
use axum::http::StatusCode;
use profile_export::platform::{asked_segments, segment, segments};
use profile_export::store::Store;
use profile_export::xdm::Class;
use serde_json::{Value, json};

use crate::auth::{ReadAccess, WriteAccess};
use crate::body::JsonBody;
use crate::definitions::{self, Order, create, remove, replace};
use crate::json_patch::Change;
use crate::path::Path;
use crate::problem::{Answer, Problem};
use crate::query::Query;
use crate::schemas::{AudienceObject, AudiencePage, AudiencePatch, Problems};

/// What an audience is here: the others, which come from elsewhere, there are not.
pub(crate) const SEGMENT_DEFINITION: &str = "SegmentDefinition";
pub(crate) const ORIGIN: &str = "REAL_TIME_CUSTOMER_PROFILE";
pub(crate) const NAMESPACE: &str = "AEPSegments";
/// The states that a definition may have; those in others would not be evaluated, and here they are.
const STATES: [&str; 2] = ["published", "draft"];
/// What the server says of an audience, beside what it says of a definition: no patch changes it.
const GENERATED: [&str; 7] = [
    "id",
    "audienceId",
    "type",
    "originName",
    "namespace",
    "dependencies",
    "dependents",
];

/// The platform's page of audiences.
const USUAL_PAGE: u32 = 100;

/// List audiences
#[utoipa::path(
    get, path = "/data/core/ups/audiences", tag = "Audiences",
    params(
        ("start" = Option<u32>, Query, description = "How many are left out before the first"),
        ("limit" = Option<u32>, Query, description = "Audiences on a page, 100 by default", minimum = 1),
        ("sort" = Option<String>, Query, description = "A property of the audiences, with :asc or :desc; creationTime:desc by default"),
        ("property" = Option<String>, Query, description = "Only those in which a property has a value: audienceId==ID, expression.type==PQL"),
        ("name" = Option<String>, Query, description = "Only those whose name has this in it, in any case"),
        ("description" = Option<String>, Query, description = "Only those whose description has this in it, in any case"),
        ("entityType" = Option<String>, Query, description = "_xdm.context.profile: audiences are of people"),
    ),
    responses((status = 200, description = "A page of audiences", body = AudiencePage), Problems),
)]
pub(crate) async fn list_audiences(caller: ReadAccess, query: Query) -> Answer<Json<Value>> {
    let start = query.number("start", 0, u32::MAX)?.unwrap_or(0) as usize;
    let limit = query.number("limit", 1, u32::MAX)?.unwrap_or(USUAL_PAGE) as usize;
    let class = Class::Profile.schema_name();
    if let Some(other) = query.get("entityType").filter(|it| *it != class) {
        return Err(Problem::bad_request(format!(
            "entityType: found {other:?}; allowed is {class:?}"
        )));
    }
    let property = query.get("property").map(wanted_property).transpose()?;
    let mut all = caller
        .on_store(|store| {
            let links = Links::of(store)?;
            let all = segments(store.catalog())?.into_iter();
            Ok(all.map(|one| links.audience(one)).collect::<Vec<_>>())
        })
        .await?;
    let order = Order::sort(query.get("sort"), &mut all)?;
    for name in ["name", "description"] {
        if let Some(part) = query.get(name) {
            let part = part.to_lowercase();
            all.retain(|one| {
                let text = one.get(name).and_then(Value::as_str);
                text.is_some_and(|text| text.to_lowercase().contains(&part))
            });
        }
    }
    if let Some((pointer, value)) = property {
        all.retain(|one| {
            one.pointer(&pointer)
                .is_some_and(|found| says(found, &value))
        });
    }
    let total = all.len();
    let children: Vec<Value> = all.into_iter().skip(start).take(limit).collect();
    let next = start.saturating_add(children.len());
    let mut page = json!({
        "totalCount": total,
        "totalPages": total.div_ceil(limit),
        "pageSize": children.len(),
        "limit": limit,
        "start": start,
        "sortField": order.property,
        "sort": order.direction(),
    });
    let mut link = json!({});
    // Clients go on for as long as there is a next page.
    if next < total && !children.is_empty() {
        page["next"] = json!(next);
        link["href"] = json!(address(&query, next, limit));
    }
    Ok(Json(json!({
        "children": children,
        "_page": page,
        "_links": {"next": link},
    })))
}

/// The list with the same conditions from another place on.
fn address(query: &Query, start: usize, limit: usize) -> String {
    let mut parameters = form_urlencoded::Serializer::new(String::new());
    parameters.append_pair("start", &start.to_string());
    parameters.append_pair("limit", &limit.to_string());
    for name in ["sort", "property", "name", "description", "entityType"] {
        if let Some(value) = query.get(name) {
            parameters.append_pair(name, value);
        }
    }
    format!("/audiences?{}", parameters.finish())
}

/// Reads `path.to.property==value`, the path as a JSON pointer.
fn wanted_property(text: &str) -> Answer<(String, String)> {
    let parts = text.split_once("==");
    let parts = parts
        .filter(|(path, _)| !path.is_empty() && !path.contains(['=', '!', '~', '<', '>', '/']));
    let (path, value) = parts.ok_or_else(|| {
        Problem::bad_request(format!(
            "property: found {text:?}; allowed is PROPERTY==VALUE, such as audienceId==ID"
        ))
    })?;
    let pointer = path.split('.').map(|name| format!("/{}", name.trim()));
    Ok((pointer.collect(), value.trim().to_owned()))
}

fn says(found: &Value, value: &str) -> bool {
    match found {
        Value::String(text) => text == value,
        other => serde_json::from_str::<Value>(value).is_ok_and(|value| value == *other),
    }
}

/// Show an audience
#[utoipa::path(
    get, path = "/data/core/ups/audiences/{id}", tag = "Audiences",
    params(("id" = String, Path, description = "The audience's ID")),
    responses((status = 200, description = "The audience", body = AudienceObject), Problems),
)]
pub(crate) async fn get_audience(
    caller: ReadAccess,
    Path(id): Path<String>,
) -> Answer<Json<Value>> {
    let found = caller.on_store(move |store| {
        let definition = segment(store.catalog(), &id)?;
        Ok(Links::of(store)?.audience(definition))
    });
    Ok(Json(found.await?))
}

/// Create an audience: a segment definition
#[utoipa::path(
    post, path = "/data/core/ups/audiences", tag = "Audiences",
    request_body = AudienceObject,
    responses((status = 201, description = "The audience", body = AudienceObject), Problems),
)]
pub(crate) async fn create_audience(
    caller: WriteAccess,
    JsonBody(body): JsonBody<Value>,
) -> Answer<(StatusCode, Json<Value>)> {
    let made = caller.on_store(move |store| {
        let made = create(store, definition_of(body)?)?;
        Ok(Links::of(store)?.audience(made))
    });
    Ok((StatusCode::CREATED, Json(made.await?)))
}

/// Replace an audience: the whole of it
#[utoipa::path(
    put, path = "/data/core/ups/audiences/{id}", tag = "Audiences",
    params(("id" = String, Path, description = "The audience's ID")),
    request_body = AudienceObject,
    responses((status = 201, description = "The audience", body = AudienceObject), Problems),
)]
pub(crate) async fn replace_audience(
    caller: WriteAccess,
    Path(id): Path<String>,
    JsonBody(body): JsonBody<Value>,
) -> Answer<(StatusCode, Json<Value>)> {
    let made = caller.on_store(move |store| {
        let made = replace(store, &id, definition_of(body)?)?;
        Ok(Links::of(store)?.audience(made))
    });
    Ok((StatusCode::CREATED, Json(made.await?)))
}

/// Change parts of an audience, all of them or none
#[utoipa::path(
    patch, path = "/data/core/ups/audiences/{id}", tag = "Audiences",
    params(("id" = String, Path, description = "The audience's ID")),
    request_body = AudiencePatch,
    responses((status = 201, description = "The audience", body = AudienceObject), Problems),
)]
pub(crate) async fn patch_audience(
    caller: WriteAccess,
    Path(id): Path<String>,
    JsonBody(changes): JsonBody<Vec<Change>>,
) -> Answer<(StatusCode, Json<Value>)> {
    let made = caller.on_store(move |store| {
        let mut audience = Links::of(store)?.audience(segment(store.catalog(), &id)?);
        for (i, change) in changes.iter().enumerate() {
            let in_change = |problem: Problem| Problem {
                detail: format!("[{i}].{}", problem.detail),
                ..problem
            };
            let member = change.member();
            let mut generated = GENERATED.iter().chain(&definitions::GENERATED);
            if generated.any(|name| *name == member) {
                let problem = format!("path: {member} is what the server says; nobody changes it");
                return Err(in_change(Problem::bad_request(problem)));
            }
            change.apply(&mut audience).map_err(in_change)?;
        }
        let made = replace(store, &id, definition_of(audience)?)?;
        Ok(Links::of(store)?.audience(made))
    });
    Ok((StatusCode::CREATED, Json(made.await?)))
}

/// Delete an audience; the memberships of profiles stay
#[utoipa::path(
    delete, path = "/data/core/ups/audiences/{id}", tag = "Audiences",
    params(("id" = String, Path, description = "The audience's ID")),
    responses((status = 204, description = "It is gone"), Problems),
)]
pub(crate) async fn remove_audience(
    caller: WriteAccess,
    Path(id): Path<String>,
) -> Answer<StatusCode> {
    caller.on_store(move |store| remove(store, &id)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The definition that an audience's body is: without what the server says of it.
///
/// # Errors
/// An audience of another kind, which there is none of here.
fn definition_of(mut body: Value) -> Answer<Value> {
    let Some(object) = body.as_object_mut() else {
        return Ok(body);
    };
    for (name, only) in [
        ("type", SEGMENT_DEFINITION),
        ("originName", ORIGIN),
        ("namespace", NAMESPACE),
    ] {
        if let Some(found) = object.shift_remove(name)
            && found != only
        {
            return Err(Problem::bad_request(format!(
                "{name}: found {found}; allowed is {only:?}, since audiences from elsewhere are not kept"
            )));
        }
    }
    if let Some(state) = object.get("lifecycleState") {
        match state.as_str() {
            Some("published") => drop(object.shift_remove("lifecycleState")),
            Some(other) if STATES.contains(&other) => {}
            _ => {
                let [first, second] = STATES;
                return Err(Problem::bad_request(format!(
                    "lifecycleState: found {state}; allowed are {first} and {second}"
                )));
            }
        }
    }
    if let Some(own) = object.shift_remove("audienceId") {
        let id = object.entry("id").or_insert_with(|| own.clone());
        if *id != own {
            return Err(Problem::bad_request(format!(
                "audienceId: found {own}; allowed is {id}, as id says, or none"
            )));
        }
    }
    for derived in ["dependencies", "dependents"] {
        object.shift_remove(derived);
    }
    Ok(body)
}

/// Which definitions ask for which, by `inSegment`.
struct Links {
    dependencies: BTreeMap<String, Vec<String>>,
    dependents: BTreeMap<String, Vec<String>>,
}

impl Links {
    fn of(store: &Store) -> Answer<Self> {
        let dependencies = asked_segments(store.catalog())?;
        let mut dependents: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (id, asked) in &dependencies {
            for asked in asked {
                dependents
                    .entry(asked.clone())
                    .or_default()
                    .push(id.clone());
            }
        }
        Ok(Self {
            dependencies,
            dependents,
        })
    }

    /// A definition as an audience.
    fn audience(&self, mut definition: Value) -> Value {
        let id = definition.get("id").cloned().unwrap_or(Value::Null);
        let of = |links: &BTreeMap<String, Vec<String>>| {
            let ids = id.as_str().and_then(|id| links.get(id));
            json!(ids.map_or(&[][..], Vec::as_slice))
        };
        let own = [
            ("audienceId", id.clone()),
            ("type", json!(SEGMENT_DEFINITION)),
            ("originName", json!(ORIGIN)),
            ("namespace", json!(NAMESPACE)),
            ("dependencies", of(&self.dependencies)),
            ("dependents", of(&self.dependents)),
        ];
        if let Some(object) = definition.as_object_mut() {
            let state = object.entry("lifecycleState");
            state.or_insert_with(|| json!("published"));
            object.extend(own.map(|(name, value)| (name.to_owned(), value)));
        }
        definition
    }
}
