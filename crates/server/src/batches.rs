//! Batches: `/data/foundation/catalog/batches`.

use axum::Json;
use profile_export::store::{Batch, BatchQuery, Store};
use serde_json::{Map, Value, json};

use crate::auth::ReadAccess;
use crate::datasets::{page, some};
use crate::path::Path;
use crate::problem::{Answer, Problem};
use crate::query::Query;
use crate::schemas::{CatalogObjects, Problems};

/// List batches, newest first
#[utoipa::path(
    get, path = "/data/foundation/catalog/batches", tag = "Catalog",
    params(
        ("dataSet" = Option<String>, Query, description = "Only those of the dataset with this ID"),
        ("limit" = Option<u32>, Query, description = "Batches on a page, at the most 100, 20 by default", minimum = 1),
        ("start" = Option<u32>, Query, description = "How many are left out before the first"),
        ("orderBy" = Option<String>, Query, description = "desc:created or asc:created"),
        ("properties" = Option<String>, Query, description = "Only these properties, comma-separated"),
    ),
    responses((status = 200, description = "Batches by ID", body = CatalogObjects), Problems),
)]
pub(crate) async fn list_batches(caller: ReadAccess, query: Query) -> Answer<Json<Value>> {
    let (limit, start) = page(&query)?;
    let oldest_first = match query.get("orderBy") {
        None | Some("desc:created" | "-created") => false,
        Some("asc:created" | "created" | "+created") => true,
        Some(other) => {
            return Err(Problem::bad_request(format!(
                "orderBy: found {other:?}; allowed are desc:created and asc:created"
            )));
        }
    };
    let wanted = BatchQuery {
        limit: Some(limit),
        start,
        dataset: query.text("dataSet"),
        oldest_first,
    };
    let properties = query.text("properties");
    let objects = caller
        .on_store(move |store| {
            let batches = store.catalog().batches(&wanted)?.into_iter();
            let objects: Map<String, Value> = batches
                .map(|batch| {
                    let id = batch.id.clone();
                    (id, some(json!(shown(batch)), properties.as_deref()))
                })
                .collect();
            Ok(Value::Object(objects))
        })
        .await?;
    Ok(Json(objects))
}

/// Show a batch
#[utoipa::path(
    get, path = "/data/foundation/catalog/batches/{id}", tag = "Catalog",
    params(("id" = String, Path, description = "The batch's ID")),
    responses((status = 200, description = "The batch under its ID", body = CatalogObjects), Problems),
)]
pub(crate) async fn get_batch(caller: ReadAccess, Path(id): Path<String>) -> Answer<Json<Value>> {
    let object = caller
        .on_store(move |store| {
            let batch = find(store, &id)?;
            Ok(json!({id: shown(batch)}))
        })
        .await?;
    Ok(Json(object))
}

pub(crate) fn find(store: &Store, id: &str) -> Answer<Batch> {
    let found = store.catalog().batch(id)?;
    found.ok_or_else(|| Problem::not_found(format!("no batch {id:?}")))
}

/// A batch in the platform's form; where its files lie is nobody's business outside.
fn shown(batch: Batch) -> Batch {
    Batch {
        version: Some(batch.version.unwrap_or_else(|| "1.0.0".to_owned())),
        tags: Some(batch.tags.unwrap_or_default()),
        errors: Some(batch.errors.unwrap_or_default()),
        folder: None,
        ..batch
    }
}
