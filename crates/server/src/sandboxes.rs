//! The sandboxes of an organisation: `/data/foundation/sandbox-management`, read only. There is one as soon as something
//! is kept in it, or somebody asks in it.

use axum::Json;
use serde_json::{Value, json};
use xdm::digest128;

use crate::auth::ReadAccess;
use crate::path::Path;
use crate::problem::{Answer, Problem};
use crate::query::Query;
use crate::schemas::{Problems, SandboxObject, SandboxPage, SandboxTypes};

const PATH: &str = "/data/foundation/sandbox-management/sandboxes";
/// What the platform calls an organisation's own sandbox.
const DEFAULT: &str = "prod";
const PRODUCTION: &str = "production";
const DEVELOPMENT: &str = "development";

/// List the sandboxes that the caller may use
#[utoipa::path(
    get, path = "/data/foundation/sandbox-management", tag = "Sandboxes",
    responses((status = 200, description = "The sandboxes, by their names", body = SandboxPage), Problems),
)]
pub(crate) async fn list_own_sandboxes(caller: ReadAccess) -> Answer<Json<Value>> {
    let all = names(&caller).await?;
    Ok(Json(page(&caller.scope().org, (&all, all.len()), &all)))
}

/// List the sandboxes of the organisation, as far as the caller may use them
#[utoipa::path(
    get, path = "/data/foundation/sandbox-management/sandboxes", tag = "Sandboxes",
    params(
        ("limit" = Option<u32>, Query, description = "Sandboxes on a page; all by default", minimum = 1),
        ("offset" = Option<u32>, Query, description = "How many are left out before the first"),
    ),
    responses((status = 200, description = "A page of sandboxes, by their names", body = SandboxPage), Problems),
)]
pub(crate) async fn list_sandboxes(caller: ReadAccess, query: Query) -> Answer<Json<Value>> {
    let limit = query.number("limit", 1, u32::MAX)?.unwrap_or(u32::MAX) as usize;
    let offset = query.number("offset", 0, u32::MAX)?.unwrap_or(0) as usize;
    let all = names(&caller).await?;
    let shown: Vec<String> = all.iter().skip(offset).take(limit).cloned().collect();
    let mut listed = page(
        &caller.scope().org,
        (&shown, limit.min(all.len().max(1))),
        &all,
    );
    let next = offset.saturating_add(limit);
    if next < all.len() {
        let href = format!("{PATH}?limit={limit}&offset={next}");
        listed["_links"]["next"] = json!({"href": href, "templated": false});
    }
    Ok(Json(listed))
}

/// Show a sandbox
#[utoipa::path(
    get, path = "/data/foundation/sandbox-management/sandboxes/{name}", tag = "Sandboxes",
    params(("name" = String, Path, description = "Its name")),
    responses((status = 200, description = "The sandbox", body = SandboxObject), Problems),
)]
pub(crate) async fn get_sandbox(
    caller: ReadAccess,
    Path(name): Path<String>,
) -> Answer<Json<Value>> {
    match names(&caller).await?.contains(&name) {
        true => Ok(Json(sandbox(&caller.scope().org, &name))),
        false => Err(Problem::not_found(format!("no sandbox {name:?}"))),
    }
}

/// List the types of sandboxes
#[utoipa::path(
    get, path = "/data/foundation/sandbox-management/sandboxTypes", tag = "Sandboxes",
    responses((status = 200, description = "The types", body = SandboxTypes), Problems),
)]
pub(crate) async fn list_sandbox_types(_caller: ReadAccess) -> Json<Value> {
    Json(json!({"sandboxTypes": [PRODUCTION, DEVELOPMENT]}))
}

/// The sandboxes of the caller's organisation that it may use: its own, and those that have something.
async fn names(caller: &ReadAccess) -> Answer<Vec<String>> {
    let own = caller.scope().clone();
    let scopes = caller
        .on_store(|store| Ok(store.catalog().scopes()?))
        .await?;
    let of_org = scopes.into_iter().filter(|scope| scope.org == own.org);
    let may_use = of_org
        .map(|scope| scope.sandbox)
        .filter(|sandbox| caller.may_use(sandbox));
    let mut names: Vec<String> = may_use.chain([own.sandbox]).collect();
    names.sort();
    names.dedup();
    Ok(names)
}

fn page(org: &str, (shown, limit): (&[String], usize), all: &[String]) -> Value {
    let sandboxes: Vec<Value> = shown.iter().map(|name| sandbox(org, name)).collect();
    json!({
        "sandboxes": sandboxes,
        "_page": {"limit": limit, "count": shown.len(), "total": all.len()},
        "_links": {"page": {"href": format!("{PATH}?limit={{limit}}&offset={{offset}}"), "templated": true}},
    })
}

fn sandbox(org: &str, name: &str) -> Value {
    let is_default = name == DEFAULT;
    json!({
        "id": id(org, name),
        "name": name,
        "title": name,
        "state": "active",
        "type": if is_default { PRODUCTION } else { DEVELOPMENT },
        "region": "local",
        "isDefault": is_default,
    })
}

/// In the form of a UUID, as clients expect it; the same for the same sandbox, whatever store it is in.
fn id(org: &str, name: &str) -> String {
    let digits = format!("{:032x}", digest128(format!("{org}\0{name}").as_bytes()));
    let parts = [0..8, 8..12, 12..16, 16..20, 20..32];
    parts.map(|part| &digits[part]).join("-")
}
