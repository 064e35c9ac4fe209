//! Merge policies: `/data/core/ups/config/mergePolicies`.

use axum::Json;
use axum::http::StatusCode;
use profile_export::platform::{
    delete_merge_policy, merge_policies, merge_policy, put_merge_policy,
};
use profile_export::request::MergePolicy;
use profile_export::store::Scope;
use profile_export::xdm::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::auth::{ReadAccess, WriteAccess};
use crate::body::{Ids, JsonBody};
use crate::path::Path;
use crate::problem::{Answer, Problem, if_there};
use crate::query::Query;
use crate::schemas::{
    BulkResults, MergePolicyObject, MergePolicyPage, MergePolicyRequest, PatchRequest, Problems,
};

/// The platform's default page, and ours at the most.
const USUAL_PAGE: u32 = 20;
const LARGEST_PAGE: u32 = 1000;

/// List merge policies, each in its newest version
#[utoipa::path(
    get, path = "/data/core/ups/config/mergePolicies", tag = "Merge policies",
    params(
        ("limit" = Option<u32>, Query, description = "Policies on a page, at the most 1000, 20 by default", minimum = 1),
        ("start" = Option<u32>, Query, description = "How many are left out before the first"),
        ("orderBy" = Option<String>, Query, description = "name, +name or -name"),
        ("default" = Option<bool>, Query, description = "Only those that are, or are not, a default"),
        ("isActiveOnEdge" = Option<bool>, Query, description = "None is active on an edge here"),
        ("schema.name" = Option<String>, Query, description = "Only those of this class"),
        ("identityGraph.type" = Option<String>, Query, description = "Only those with this identity graph"),
        ("attributeMerge.type" = Option<String>, Query, description = "Only those that merge this way"),
        ("version" = Option<u32>, Query, description = "Only those whose newest version is this one"),
    ),
    responses((status = 200, description = "A page of merge policies", body = MergePolicyPage), Problems),
)]
pub(crate) async fn list_merge_policies(caller: ReadAccess, query: Query) -> Answer<Json<Value>> {
    let limit = query.number("limit", 1, LARGEST_PAGE)?;
    let limit = limit.unwrap_or(USUAL_PAGE) as usize;
    let start = query.number("start", 0, u32::MAX)?.unwrap_or(0) as usize;
    let default = query.flag("default")?;
    let on_edge = query.flag("isActiveOnEdge")?;
    let version = query.number("version", 0, u32::MAX)?;
    let order = query.text("orderBy");
    let descending = match order.as_deref() {
        None => None,
        Some("name" | "+name") => Some(false),
        Some("-name") => Some(true),
        Some(other) => {
            return Err(Problem::bad_request(format!(
                "orderBy: found {other:?}; allowed are name, +name and -name"
            )));
        }
    };
    let mut policies = caller
        .on_store(|store| Ok(merge_policies(store.catalog())?))
        .await?;
    policies.retain(|policy| {
        default.is_none_or(|default| policy.default == default)
            && on_edge != Some(true)
            && version.is_none_or(|version| policy.version == i64::from(version))
    });
    let mut objects: Vec<Value> = policies.iter().map(|p| object(p, caller.scope())).collect();
    for (name, path) in [
        ("schema.name", "/schema/name"),
        ("identityGraph.type", "/identityGraph/type"),
        ("attributeMerge.type", "/attributeMerge/type"),
    ] {
        if let Some(wanted) = query.get(name) {
            objects.retain(|o| o.pointer(path).and_then(Value::as_str) == Some(wanted));
        }
    }
    if let Some(descending) = descending {
        let name = |o: &Value| o.get("name").and_then(Value::as_str).map(str::to_owned);
        objects.sort_by_cached_key(name);
        if descending {
            objects.reverse();
        }
    }
    let total = objects.len();
    let children: Vec<Value> = objects.into_iter().skip(start).take(limit).collect();
    let next = start.saturating_add(children.len());
    let href = if next < total && !children.is_empty() {
        let order = order.map_or(String::new(), |order| {
            let order: String = form_urlencoded::byte_serialize(order.as_bytes()).collect();
            format!("&orderBy={order}")
        });
        let filters: String = [
            "default",
            "isActiveOnEdge",
            "schema.name",
            "identityGraph.type",
            "attributeMerge.type",
            "version",
        ]
        .iter()
        .filter_map(|name| {
            let value: String =
                form_urlencoded::byte_serialize(query.get(name)?.as_bytes()).collect();
            Some(format!("&{name}={value}"))
        })
        .collect();
        format!("/config/mergePolicies?start={next}&limit={limit}{order}{filters}")
    } else {
        String::new()
    };
    Ok(Json(json!({
        "_page": {"totalCount": total, "pageSize": children.len()},
        "children": children,
        "_links": {"next": {"href": href}},
    })))
}

/// Show a merge policy
#[utoipa::path(
    get, path = "/data/core/ups/config/mergePolicies/{id}", tag = "Merge policies",
    params(
        ("id" = String, Path, description = "The policy's ID"),
        ("version" = Option<u32>, Query, description = "A version of it instead of the newest"),
    ),
    responses((status = 200, description = "The merge policy", body = MergePolicyObject), Problems),
)]
pub(crate) async fn get_merge_policy(
    caller: ReadAccess,
    Path(id): Path<String>,
    query: Query,
) -> Answer<Json<Value>> {
    let version = query.number("version", 0, u32::MAX)?.map(i64::from);
    let policy = caller
        .on_store(move |store| Ok(merge_policy(store.catalog(), &id, version)?))
        .await?;
    Ok(Json(object(&policy, caller.scope())))
}

/// Create a merge policy
#[utoipa::path(
    post, path = "/data/core/ups/config/mergePolicies", tag = "Merge policies",
    request_body = MergePolicyRequest,
    responses((status = 200, description = "The merge policy", body = MergePolicyObject), Problems),
)]
pub(crate) async fn create_merge_policy(
    caller: WriteAccess,
    JsonBody(body): JsonBody<Value>,
) -> Answer<Json<Value>> {
    let policy = policy_of(body)?;
    let made = caller
        .on_store(move |store| {
            let catalog = store.catalog();
            if !policy.id.is_empty() && if_there(merge_policy(catalog, &policy.id, None))?.is_some()
            {
                return Err(Problem::conflict(format!(
                    "id: there is a merge policy {:?} already; PUT makes a new version",
                    policy.id
                )));
            }
            Ok(put_merge_policy(catalog, policy, Timestamp::now())?)
        })
        .await?;
    Ok(Json(object(&made, caller.scope())))
}

/// Replace a merge policy by a new version
#[utoipa::path(
    put, path = "/data/core/ups/config/mergePolicies/{id}", tag = "Merge policies",
    params(("id" = String, Path, description = "The policy's ID")),
    request_body = MergePolicyRequest,
    responses((status = 200, description = "The new version", body = MergePolicyObject), Problems),
)]
pub(crate) async fn replace_merge_policy(
    caller: WriteAccess,
    Path(id): Path<String>,
    JsonBody(body): JsonBody<Value>,
) -> Answer<Json<Value>> {
    let mut policy = policy_of(body)?;
    if !policy.id.is_empty() && policy.id != id {
        return Err(Problem::bad_request(format!(
            "id: found {:?}; allowed is {id:?}, or none",
            policy.id
        )));
    }
    policy.id = id;
    let made = caller
        .on_store(move |store| {
            merge_policy(store.catalog(), &policy.id, None)?;
            Ok(put_merge_policy(store.catalog(), policy, Timestamp::now())?)
        })
        .await?;
    Ok(Json(object(&made, caller.scope())))
}

/// One change of a `PATCH`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Change {
    op: String,
    path: String,
    #[serde(default)]
    value: Value,
}

/// Change parts of a merge policy, which makes a new version
#[utoipa::path(
    patch, path = "/data/core/ups/config/mergePolicies/{id}", tag = "Merge policies",
    params(("id" = String, Path, description = "The policy's ID")),
    request_body = PatchRequest,
    responses((status = 200, description = "The new version", body = MergePolicyObject), Problems),
)]
pub(crate) async fn patch_merge_policy(
    caller: WriteAccess,
    Path(id): Path<String>,
    JsonBody(changes): JsonBody<Vec<Change>>,
) -> Answer<Json<Value>> {
    let made = caller
        .on_store(move |store| {
            let catalog = store.catalog();
            let policy = merge_policy(catalog, &id, None)?;
            let mut body = json!(policy);
            for (i, change) in changes.iter().enumerate() {
                apply(&mut body, change, i)?;
            }
            Ok(put_merge_policy(
                catalog,
                policy_of(body)?,
                Timestamp::now(),
            )?)
        })
        .await?;
    Ok(Json(object(&made, caller.scope())))
}

/// Delete a merge policy with all its versions
#[utoipa::path(
    delete, path = "/data/core/ups/config/mergePolicies/{id}", tag = "Merge policies",
    params(("id" = String, Path, description = "The policy's ID")),
    responses((status = 200, description = "It is gone"), Problems),
)]
pub(crate) async fn remove_merge_policy(
    caller: WriteAccess,
    Path(id): Path<String>,
) -> Answer<StatusCode> {
    caller
        .on_store(move |store| {
            merge_policy(store.catalog(), &id, None)?;
            Ok(delete_merge_policy(store.catalog(), &id)?)
        })
        .await?;
    Ok(StatusCode::OK)
}

/// Show several merge policies; those that there are not are left out
#[utoipa::path(
    post, path = "/data/core/ups/config/mergePolicies/bulk-get", tag = "Merge policies",
    request_body = Ids,
    responses((status = 207, description = "Merge policies by ID", body = BulkResults), Problems),
)]
pub(crate) async fn bulk_get_merge_policies(
    caller: ReadAccess,
    JsonBody(wanted): JsonBody<Ids>,
) -> Answer<(StatusCode, Json<Value>)> {
    let policies = caller
        .on_store(|store| Ok(merge_policies(store.catalog())?))
        .await?;
    let results: Map<String, Value> = policies
        .iter()
        .filter(|policy| wanted.all().any(|wanted| wanted == policy.id))
        .map(|policy| (policy.id.clone(), object(policy, caller.scope())))
        .collect();
    Ok((StatusCode::MULTI_STATUS, Json(json!({"results": results}))))
}

/// What an answer has beside the policy itself. A client that sends an answer back sends it, too.
const SERVER_ONLY: [&str; 4] = ["imsOrgId", "sandbox", "isActiveOnEdge", "updateEpoch"];

fn policy_of(mut body: Value) -> Answer<MergePolicy> {
    if let Some(object) = body.as_object_mut() {
        if let Some(value) = object.get("isActiveOnEdge")
            && *value != json!(false)
            && *value != json!("false")
        {
            return Err(Problem::bad_request(format!(
                "isActiveOnEdge: found {value}; there is no edge here, so only false is allowed"
            )));
        }
        object.retain(|name, _| !SERVER_ONLY.contains(&name.as_str()));
    }
    Ok(export::read_value(body)?)
}

/// A merge policy in the platform's form.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown<'a> {
    ims_org_id: &'a str,
    sandbox: Sandbox<'a>,
    is_active_on_edge: bool,
    #[serde(flatten)]
    policy: &'a MergePolicy,
}

/// A sandbox in the platform's form.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Sandbox<'a> {
    sandbox_id: &'a str,
    sandbox_name: &'a str,
    #[serde(rename = "type")]
    kind: &'a str,
    default: bool,
}

impl<'a> Sandbox<'a> {
    pub(crate) fn of(scope: &'a Scope) -> Self {
        Self {
            sandbox_id: &scope.sandbox,
            sandbox_name: &scope.sandbox,
            kind: "production",
            default: scope.sandbox == "prod",
        }
    }
}

fn object(policy: &MergePolicy, scope: &Scope) -> Value {
    json!(Shown {
        ims_org_id: &scope.org,
        sandbox: Sandbox::of(scope),
        is_active_on_edge: false,
        policy,
    })
}

/// The paths that a change may name; the platform writes them with dots.
pub(crate) const CHANGEABLE: [&str; 7] = [
    "/name",
    "/schema.name",
    "/identityGraph.type",
    "/attributeMerge.type",
    "/attributeMerge.order",
    "/default",
    "/isActiveOnEdge",
];

fn apply(body: &mut Value, change: &Change, i: usize) -> Answer<()> {
    let refuse =
        |part: &str, problem: String| Err(Problem::bad_request(format!("[{i}].{part}: {problem}")));
    let path = format!("/{}", change.path.trim_start_matches('/').replace('/', "."));
    if !CHANGEABLE.contains(&path.as_str()) {
        return refuse(
            "path",
            format!(
                "found {:?}; allowed are {}",
                change.path,
                CHANGEABLE.join(", ")
            ),
        );
    }
    let value = match change.op.as_str() {
        "add" | "replace" => change.value.clone(),
        "remove" if path == "/attributeMerge.order" => json!([]),
        other => {
            return refuse(
                "op",
                format!("found {other:?}; allowed are add and replace"),
            );
        }
    };
    let mut place = body;
    for name in path.trim_start_matches('/').split('.') {
        let Some(object) = place.as_object_mut() else {
            return refuse("path", format!("{:?} leads nowhere", change.path));
        };
        place = object.entry(name).or_insert(Value::Null);
    }
    *place = value;
    Ok(())
}
