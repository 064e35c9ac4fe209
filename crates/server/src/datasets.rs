//! Datasets: `/data/foundation/catalog/dataSets`.

use std::collections::HashMap;

use axum::Json;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use profile_export::platform::DatasetBody;
use profile_export::store::{BatchQuery, Store};
use profile_export::xdm::{Class, Dataset, Timestamp};
use serde_json::{Map, Value, json};

use crate::auth::{ReadAccess, WriteAccess};
use crate::body::JsonBody;
use crate::path::Path;
use crate::problem::{Answer, Problem};
use crate::query::Query;
use crate::schemas::{CatalogObjects, ObjectReferences, Problems};

/// The platform's default and largest page.
const USUAL_PAGE: u32 = 20;
const LARGEST_PAGE: u32 = 100;

/// Create a dataset
#[utoipa::path(
    post, path = "/data/foundation/catalog/dataSets", tag = "Catalog",
    request_body = DatasetBody,
    responses((status = 201, description = "A list with the dataset's reference", body = ObjectReferences), Problems),
)]
pub(crate) async fn create_dataset(
    caller: WriteAccess,
    JsonBody(body): JsonBody<DatasetBody>,
) -> Answer<impl IntoResponse> {
    if body.name.trim().is_empty() {
        return Err(Problem::bad_request(
            "name: found \"\"; a dataset needs a name",
        ));
    }
    let made = caller
        .on_store(move |store| {
            let dataset = Dataset {
                created: Timestamp::now(),
                ..body.into_dataset()
            };
            Ok(store.catalog().create_dataset(dataset)?)
        })
        .await?;
    Ok((StatusCode::CREATED, Json(reference(&made.id))))
}

/// List datasets, newest first
#[utoipa::path(
    get, path = "/data/foundation/catalog/dataSets", tag = "Catalog",
    params(
        ("limit" = Option<u32>, Query, description = "Datasets on a page, at the most 100, 20 by default", minimum = 1),
        ("start" = Option<u32>, Query, description = "How many are left out before the first"),
        ("name" = Option<String>, Query, description = "Only the one of this name"),
        ("properties" = Option<String>, Query, description = "Only these properties, comma-separated"),
    ),
    responses((status = 200, description = "Datasets by ID", body = CatalogObjects), Problems),
)]
pub(crate) async fn list_datasets(caller: ReadAccess, query: Query) -> Answer<Json<Value>> {
    let (limit, start) = page(&query)?;
    let (name, properties) = (query.text("name"), query.text("properties"));
    let objects = caller
        .on_store(move |store| {
            let mut objects = Map::new();
            let mut datasets = store.catalog().datasets()?;
            datasets.retain(|d| name.as_ref().is_none_or(|name| d.name == *name));
            let wanted = counted(store, datasets)?.into_iter();
            for (dataset, rows) in wanted.skip(start as usize).take(limit as usize) {
                let object = some(object(store, &dataset, rows)?, properties.as_deref());
                objects.insert(dataset.id, object);
            }
            Ok(Value::Object(objects))
        })
        .await?;
    Ok(Json(objects))
}

/// Show a dataset
#[utoipa::path(
    get, path = "/data/foundation/catalog/dataSets/{id}", tag = "Catalog",
    params(
        ("id" = String, Path, description = "The dataset's ID"),
        ("properties" = Option<String>, Query, description = "Only these properties, comma-separated"),
    ),
    responses((status = 200, description = "The dataset under its ID", body = CatalogObjects), Problems),
)]
pub(crate) async fn get_dataset(
    caller: ReadAccess,
    Path(id): Path<String>,
    query: Query,
) -> Answer<Json<Value>> {
    let properties = query.text("properties");
    let object = caller
        .on_store(move |store| {
            let found = counted(store, vec![find(store, &id)?])?.pop();
            let (dataset, rows) = found.ok_or_else(|| no_dataset(&id))?;
            let object = some(object(store, &dataset, rows)?, properties.as_deref());
            Ok(json!({dataset.id: object}))
        })
        .await?;
    Ok(Json(object))
}

/// Delete a dataset with its records
#[utoipa::path(
    delete, path = "/data/foundation/catalog/dataSets/{id}", tag = "Catalog",
    params(("id" = String, Path, description = "The dataset's ID")),
    responses((status = 200, description = "A list with the dataset's reference", body = ObjectReferences), Problems),
)]
pub(crate) async fn delete_dataset(
    caller: WriteAccess,
    Path(id): Path<String>,
) -> Answer<Json<Value>> {
    let deleted = caller
        .on_store(move |store| {
            let dataset = find(store, &id)?;
            store.delete_dataset(&dataset.id)?;
            Ok(reference(&dataset.id))
        })
        .await?;
    Ok(Json(deleted))
}

/// The page that a catalog's query asks for: at the most how many, and after how many.
pub(crate) fn page(query: &Query) -> Answer<(u32, u32)> {
    let limit = query.number("limit", 1, LARGEST_PAGE)?;
    let start = query.number("start", 0, u32::MAX)?;
    Ok((limit.unwrap_or(USUAL_PAGE), start.unwrap_or(0)))
}

/// The properties of an object that a query asks for; all where it does not say.
pub(crate) fn some(mut object: Value, properties: Option<&str>) -> Value {
    if let (Some(properties), Value::Object(object)) = (properties, &mut object) {
        let wanted: Vec<&str> = properties.split(',').map(str::trim).collect();
        object.retain(|name, _| wanted.contains(&name.as_str()));
    }
    object
}

fn reference(id: &str) -> Value {
    json!([format!("@/dataSets/{id}")])
}

fn find(store: &Store, id: &str) -> Answer<Dataset> {
    let found = store.catalog().dataset(id)?.filter(|d| d.id == id);
    found.ok_or_else(|| no_dataset(id))
}

fn no_dataset(id: &str) -> Problem {
    Problem::not_found(format!("no dataset {id:?}"))
}

/// Datasets, each with the number of its records. The figures are read after the datasets, so one that
/// they lack was deleted meanwhile, and is left out.
fn counted(store: &Store, datasets: Vec<Dataset>) -> Answer<Vec<(Dataset, u64)>> {
    let figures = store.stats()?.datasets.into_iter();
    let rows: HashMap<String, u64> = figures.map(|of| (of.id, of.records)).collect();
    let with_rows = |dataset: Dataset| rows.get(&dataset.id).map(|rows| (dataset, *rows));
    Ok(datasets.into_iter().filter_map(with_rows).collect())
}

/// A dataset in the platform's form, with its number of records besides.
fn object(store: &Store, dataset: &Dataset, rows: u64) -> Answer<Value> {
    let catalog = store.catalog();
    let newest = catalog.batches(&BatchQuery {
        limit: Some(1),
        dataset: Some(dataset.id.clone()),
        ..BatchQuery::default()
    })?;
    let behavior = match dataset.class {
        Class::Profile => "record",
        Class::Event => "time-series",
    };
    let schema_ref = dataset.schema_ref.clone().unwrap_or_else(|| {
        json!({
            "id": dataset.class.union_id(),
            "contentType": "application/vnd.adobe.xed+json;version=1",
        })
    });
    let mut object = json!({
        "name": dataset.name,
        "imsOrg": catalog.scope().org,
        "sandboxId": catalog.scope().sandbox,
        "tags": {"adobe/pqs/table": [table_name(&dataset.name)], "unifiedProfile": ["enabled:true"]},
        "classification": {"dataBehavior": behavior, "managedBy": "CUSTOMER"},
        "state": "ACTIVE",
        "version": "1.0.0",
        "created": dataset.created.millis(),
        "updated": dataset.created.millis(),
        "viewId": dataset.id,
        "files": format!("@/dataSets/{0}/views/{0}/files", dataset.id),
        "schemaRef": schema_ref,
        "rows": rows,
        "fileDescription": dataset.file_description.clone().unwrap_or_else(Dataset::default_file_description),
    });
    if let (Some(batch), Some(object)) = (newest.first(), object.as_object_mut()) {
        object.insert("lastBatchId".to_owned(), json!(batch.id));
        object.insert("lastBatchStatus".to_owned(), json!(batch.status));
    }
    Ok(object)
}

/// The name under which the platform's query service knows a dataset.
fn table_name(name: &str) -> String {
    let fit = |c: char| {
        if c.is_alphanumeric() {
            c.to_ascii_lowercase()
        } else {
            '_'
        }
    };
    name.chars().map(fit).collect()
}

#[cfg(test)]
mod tests {
    use profile_export::store::Scope;

    use super::*;

    #[test]
    fn a_dataset_that_was_deleted_meanwhile_is_not_told_as_an_empty_one() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Store::open(folder.path(), Scope::default()).expect("a store");
        let make = |name: &str| {
            let body = json!({"name": name, "schemaRef": {"id": "https://ns.adobe.com/acme/x"}});
            let body: DatasetBody = serde_json::from_value(body).expect("a body");
            let made = store.catalog().create_dataset(body.into_dataset());
            made.expect("a dataset")
        };
        let read = vec![make("goes"), make("stays")];
        let deleted = store.delete_dataset(&read[0].id);
        deleted.expect("deleted");
        let stays = read[1].id.clone();
        let counted = counted(&store, read).expect("the figures");
        let counted: Vec<_> = counted.into_iter().map(|(d, rows)| (d.id, rows)).collect();
        assert_eq!(counted, [(stays, 0)]);
    }
}
