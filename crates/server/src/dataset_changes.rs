//! Changes of datasets: `PATCH` and `PUT` of `/data/foundation/catalog/dataSets/{id}`.

use axum::Json;
use export::read_value;
use profile_export::platform::{DatasetChange, TableNames, own_table};
use profile_export::store::Store;
use profile_export::xdm::{Dataset, Timestamp};
use serde_json::{Map, Value, json};

use crate::auth::WriteAccess;
use crate::body::JsonBody;
use crate::datasets::{counted, find, given_labels, labels, reference};
use crate::json_patch::Change;
use crate::path::Path;
use crate::problem::{Answer, Problem};
use crate::schemas::{DatasetPatch, ObjectReferences, Problems};
use crate::table_names::check_own_table;

/// The members of a dataset that a JSON Patch may change.
const CHANGEABLE: [&str; 4] = ["name", "description", "tags", "fileDescription"];

/// Replace what is said of a dataset; its records, its ID and its schema stay
#[utoipa::path(
    put, path = "/data/foundation/catalog/dataSets/{id}", tag = "Catalog",
    params(("id" = String, Path, description = "The dataset's ID")),
    request_body = DatasetChange,
    responses((status = 200, description = "A list with the dataset's reference", body = ObjectReferences), Problems),
)]
pub(crate) async fn replace_dataset(
    caller: WriteAccess,
    Path(id): Path<String>,
    JsonBody(change): JsonBody<DatasetChange>,
) -> Answer<Json<Value>> {
    let changed = caller.on_store(move |store| put(store, &id, |_| Ok((change, true))));
    Ok(Json(changed.await?))
}

/// Change fields of a dataset, by their new values or as JSON Patch
#[utoipa::path(
    patch, path = "/data/foundation/catalog/dataSets/{id}", tag = "Catalog",
    params(("id" = String, Path, description = "The dataset's ID")),
    request_body(content((DatasetChange = "application/json"), (DatasetPatch = "application/json-patch+json"))),
    responses((status = 200, description = "A list with the dataset's reference", body = ObjectReferences), Problems),
)]
pub(crate) async fn patch_dataset(
    caller: WriteAccess,
    Path(id): Path<String>,
    JsonBody(body): JsonBody<Value>,
) -> Answer<Json<Value>> {
    patch(caller, id, body).await
}

/// Change fields of a dataset: the same at the platform's second version of the path
#[utoipa::path(
    patch, path = "/data/foundation/catalog/v2/dataSets/{id}", tag = "Catalog",
    params(("id" = String, Path, description = "The dataset's ID")),
    request_body(content((DatasetChange = "application/json"), (DatasetPatch = "application/json-patch+json"))),
    responses((status = 200, description = "A list with the dataset's reference", body = ObjectReferences), Problems),
)]
pub(crate) async fn patch_dataset_v2(
    caller: WriteAccess,
    Path(id): Path<String>,
    JsonBody(body): JsonBody<Value>,
) -> Answer<Json<Value>> {
    patch(caller, id, body).await
}

async fn patch(caller: WriteAccess, id: String, body: Value) -> Answer<Json<Value>> {
    let changed = caller.on_store(move |store| match body {
        Value::Array(_) => {
            let changes: Vec<Change> = read_value(body)?;
            let tables = TableNames::of(&store.catalog().datasets()?);
            put(store, &id, |dataset| {
                Ok((patched(dataset, &changes, &tables)?, true))
            })
        }
        fields => {
            let change: DatasetChange = read_value(fields)?;
            put(store, &id, |_| Ok((change, false)))
        }
    });
    Ok(Json(changed.await?))
}

/// Changes a dataset, as a whole or in some fields.
fn put(
    store: &Store,
    id: &str,
    change: impl FnOnce(&Dataset) -> Answer<(DatasetChange, bool)>,
) -> Answer<Value> {
    // By its ID alone.
    let known = counted(store, vec![find(store, id)?])?;
    let has_records = known.iter().any(|(_, rows)| *rows > 0);
    store.catalog().atomically(|catalog| {
        let datasets = catalog.datasets()?;
        let changed = catalog.change_dataset(id, |dataset| {
            let was_open = dataset.why_no_input().is_none();
            let table = own_table(dataset);
            let (change, replaces) = change(dataset)?;
            change.apply(dataset, replaces, Timestamp::now())?;
            // What stands there since before this was looked at keeps nobody from other changes.
            if own_table(dataset) != table {
                check_own_table(&datasets, dataset)?;
            }
            match dataset.why_no_input() {
                // Its records are what they are.
                Some(problem) if has_records && was_open => Err(Problem::conflict(problem)),
                _ => Ok(()),
            }
        })?;
        Ok(reference(&changed.id))
    })
}

/// What a dataset is behind the changes of a JSON Patch. These see it as it is shown, with the labels that it was given.
fn patched(dataset: &Dataset, changes: &[Change], tables: &TableNames) -> Answer<DatasetChange> {
    let mut document = json!({
        "name": dataset.name,
        "tags": labels(dataset, tables),
        "fileDescription": dataset.file_description.clone().unwrap_or_else(Dataset::default_file_description),
    });
    if let Some(description) = &dataset.description {
        document["description"] = json!(description);
    }
    for (i, change) in changes.iter().enumerate() {
        let member = change.member();
        if !CHANGEABLE.contains(&member.as_str()) {
            return Err(Problem::bad_request(format!(
                "[{i}].path: found {member:?}; what can be changed is {}",
                CHANGEABLE.join(", ")
            )));
        }
        change.apply(&mut document)?;
    }
    let mut change: DatasetChange = read_value(document)?;
    let tags: &mut Map<String, Value> = change.tags.get_or_insert_default();
    for (name, given) in given_labels(dataset, tables) {
        if !dataset.tags.contains_key(name) && tags.get(name) == Some(&given) {
            tags.shift_remove(name);
        }
    }
    Ok(change)
}
