//! Texts that are kept for queries: `/data/foundation/query/query-templates`.

use axum::Json;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use profile_export::queries::{
    QueryTemplate, TemplateBody, create_query_template, delete_query_template, query_template,
    query_templates, replace_query_template,
};
use profile_export::xdm::Timestamp;
use serde_json::{Value, json};

use crate::auth::{ReadAccess, WriteAccess};
use crate::body::JsonBody;
use crate::path::Path;
use crate::problem::Answer;
use crate::query::Query;
use crate::query_lists::{Listed, Listing};
use crate::query_schemas::{QueryAccepted, QueryTemplateObject, QueryTemplatePage};
use crate::query_service::accepted;
use crate::schemas::Problems;

const PATH: &str = "/data/foundation/query/query-templates";

impl Listed for QueryTemplate {
    fn times(&self) -> (i64, i64) {
        (self.created, self.updated)
    }

    fn id(&self) -> &str {
        &self.id
    }

    fn property(&self, name: &str) -> Option<Vec<String>> {
        Some(vec![match name {
            "name" => self.name.clone(),
            "userId" => self.user_id.clone(),
            "lastUpdatedBy" => self.last_updated_by.clone(),
            _ => return None,
        }])
    }
}

/// List query templates, newest first
#[utoipa::path(
    get, path = "/data/foundation/query/query-templates", tag = "Query service",
    params(
        ("orderby" = Option<String>, Query, description = "created or updated, with + or - before it"),
        ("limit" = Option<u32>, Query, description = "Templates on a page, at the most 1000 [default: 50]", minimum = 1),
        ("start" = Option<String>, Query, description = "Where the page begins: what a link has, or a time"),
        ("property" = Option<String>, Query, description = "Conditions on name, userId and lastUpdatedBy, comma-separated"),
    ),
    responses((status = 200, description = "A page of templates", body = QueryTemplatePage), Problems),
)]
pub(crate) async fn list_templates(caller: ReadAccess, query: Query) -> Answer<Json<Value>> {
    let listing = Listing::of(&query, 50, &["name", "userId", "lastUpdatedBy"])?;
    let all = caller.on_store(|store| Ok(query_templates(store)?)).await?;
    Ok(Json(listing.page((PATH, "templates"), all, shown)))
}

/// Keep a text for queries
#[utoipa::path(
    post, path = "/data/foundation/query/query-templates", tag = "Query service", request_body = TemplateBody,
    responses((status = 202, description = "The template", body = QueryTemplateObject), Problems),
)]
pub(crate) async fn create_template(
    caller: WriteAccess,
    JsonBody(body): JsonBody<TemplateBody>,
) -> Answer<impl IntoResponse> {
    let user = caller.user().to_owned();
    let made = caller.on_store(move |store| Ok(create_query_template(store, body, &user)?));
    Ok((StatusCode::ACCEPTED, Json(shown(&made.await?))))
}

/// Show a query template
#[utoipa::path(
    get, path = "/data/foundation/query/query-templates/{id}", tag = "Query service",
    params(("id" = String, Path, description = "The template's ID")),
    responses((status = 200, description = "The template", body = QueryTemplateObject), Problems),
)]
pub(crate) async fn get_template(
    caller: ReadAccess,
    Path(id): Path<String>,
) -> Answer<Json<Value>> {
    let found = caller.on_store(move |store| Ok(query_template(store, &id)?));
    Ok(Json(shown(&found.await?)))
}

/// Put another text in a template's place
#[utoipa::path(
    put, path = "/data/foundation/query/query-templates/{id}", tag = "Query service", request_body = TemplateBody,
    params(("id" = String, Path, description = "The template's ID")),
    responses((status = 202, description = "The template", body = QueryTemplateObject), Problems),
)]
pub(crate) async fn replace_template(
    caller: WriteAccess,
    Path(id): Path<String>,
    JsonBody(body): JsonBody<TemplateBody>,
) -> Answer<impl IntoResponse> {
    let user = caller.user().to_owned();
    let made = caller.on_store(move |store| Ok(replace_query_template(store, &id, body, &user)?));
    Ok((StatusCode::ACCEPTED, Json(shown(&made.await?))))
}

/// Forget a query template; the queries that were created from it stay
#[utoipa::path(
    delete, path = "/data/foundation/query/query-templates/{id}", tag = "Query service",
    params(("id" = String, Path, description = "The template's ID")),
    responses((status = 202, description = "It is gone", body = QueryAccepted), Problems),
)]
pub(crate) async fn delete_template(
    caller: WriteAccess,
    Path(id): Path<String>,
) -> Answer<impl IntoResponse> {
    let deleted = caller.on_store(move |store| Ok(delete_query_template(store, &id)?));
    deleted.await?;
    Ok(accepted("Query template deleted"))
}

fn shown(template: &QueryTemplate) -> Value {
    let path = format!("{PATH}/{}", template.id);
    let mut shown = json!({
        "id": template.id,
        "name": template.name,
        "sql": template.sql,
        "userId": template.user_id,
        "lastUpdatedBy": template.last_updated_by,
        "client": "API",
        "created": Timestamp::from_millis(template.created).to_string(),
        "updated": Timestamp::from_millis(template.updated).to_string(),
        "version": template.version,
        "_links": {
            "self": {"href": path, "method": "GET"},
            "update": {"href": path, "method": "PUT"},
            "delete": {"href": path, "method": "DELETE"},
        },
    });
    if let Some(description) = &template.description {
        shown["description"] = json!(description);
    }
    if let Some(parameters) = &template.query_parameters {
        shown["queryParameters"] = json!(parameters);
    }
    shown
}
