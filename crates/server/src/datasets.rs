//! Datasets: `/data/foundation/catalog/dataSets`.

use std::collections::HashMap;

use axum::Json;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use profile_export::platform::{self, DatasetBody, TABLE_LABEL, TableNames, own_table};
use profile_export::store::{BatchQuery, Store};
use profile_export::xdm::{Class, Dataset, Timestamp};
use serde_json::{Map, Value, json};

use crate::auth::{ReadAccess, WriteAccess};
use crate::body::JsonBody;
use crate::catalog_query::{Choice, has_tag, order, page, some, tags, time};
use crate::path::Path;
use crate::problem::{Answer, Problem};
use crate::query::Query;
use crate::schemas::{CatalogObjects, ObjectReferences, Problems};
use crate::table_names::check_own_table;

/// Create a dataset
#[utoipa::path(
    post, path = "/data/foundation/catalog/dataSets", tag = "Catalog",
    params(
        ("requestDataSource" = Option<bool>, Query, description = "Read and ignored: there are no data sources here"),
    ),
    request_body = DatasetBody,
    responses((status = 201, description = "A list with the dataset's reference", body = ObjectReferences), Problems),
)]
pub(crate) async fn create_dataset(
    caller: WriteAccess,
    query: Query,
    JsonBody(body): JsonBody<DatasetBody>,
) -> Answer<impl IntoResponse> {
    query.flag("requestDataSource")?;
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
            store.catalog().atomically(|catalog| {
                check_own_table(&catalog.datasets()?, &dataset)?;
                Ok::<_, Problem>(platform::create_dataset(catalog, dataset)?)
            })
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
        ("name" = Option<String>, Query, description = "Only the one of this name, or of several names, comma-separated"),
        ("state" = Option<String>, Query, description = "Only those in this state; all are ACTIVE"),
        ("created" = Option<String>, Query, description = "Only those made at this moment, in milliseconds since 1970"),
        ("createdAfter" = Option<String>, Query, description = "Only those made later than this"),
        ("createdBefore" = Option<String>, Query, description = "Only those made earlier than this"),
        ("tags" = Option<String>, Query, description = "Only those with these labels: name:value, comma-separated, * for any text"),
        ("orderBy" = Option<String>, Query, description = "name, created or updated, with asc: or desc: before each, comma-separated"),
        ("properties" = Option<String>, Query, description = "Only these properties, comma-separated"),
    ),
    responses((status = 200, description = "Datasets by ID", body = CatalogObjects), Problems),
)]
pub(crate) async fn list_datasets(caller: ReadAccess, query: Query) -> Answer<Json<Value>> {
    let (limit, start) = page(&query)?;
    let filter = Filter::of(&query)?;
    let order = order(
        &query,
        &[
            ("name", Order::Name),
            ("created", Order::Created),
            ("updated", Order::Updated),
        ],
    )?;
    let properties = query.text("properties");
    let objects = caller
        .on_store(move |store| {
            let mut objects = Map::new();
            let mut datasets = store.catalog().datasets()?;
            let tables = TableNames::of(&datasets);
            datasets.retain(|dataset| filter.takes(dataset, &tables));
            // What is the same in all of the order comes by ID.
            if !order.is_empty() {
                datasets.sort_by(|a, b| a.id.cmp(&b.id));
            }
            for (by, down) in order.iter().rev() {
                datasets.sort_by(|a, b| {
                    let order = match by {
                        Order::Name => a.name.cmp(&b.name),
                        Order::Created => a.created.cmp(&b.created),
                        Order::Updated => updated(a).cmp(&updated(b)),
                    };
                    if *down { order.reverse() } else { order }
                });
            }
            let wanted = counted(store, datasets)?.into_iter();
            for (dataset, rows) in wanted.skip(start as usize).take(limit as usize) {
                let object = some(
                    object(store, &dataset, rows, &tables)?,
                    properties.as_deref(),
                );
                objects.insert(dataset.id, object);
            }
            Ok(Value::Object(objects))
        })
        .await?;
    Ok(Json(objects))
}

/// What datasets are sorted by.
#[derive(Clone, Copy)]
enum Order {
    Name,
    Created,
    Updated,
}

/// When a dataset's description last changed, in milliseconds since 1970.
fn updated(dataset: &Dataset) -> i64 {
    dataset.updated.unwrap_or_else(|| dataset.created.millis())
}

/// The state that every dataset is in.
const STATE: &str = "ACTIVE";

/// Which datasets a list shows: all that is given must hold.
struct Filter {
    name: Option<Choice>,
    state: Option<Choice>,
    created: Option<Choice>,
    after: Option<i64>,
    before: Option<i64>,
    tags: Vec<(String, String)>,
}

impl Filter {
    fn of(query: &Query) -> Answer<Self> {
        let mut name = Choice::of(query, "name")?;
        if let (Some(name), Some(text)) = (&mut name, query.text("name")) {
            // A name may have a comma in it.
            name.values.push(text);
        }
        Ok(Self {
            name,
            state: Choice::of(query, "state")?,
            created: Choice::of_times(query, "created")?,
            after: time(query, "createdAfter")?,
            before: time(query, "createdBefore")?,
            tags: tags(query)?,
        })
    }

    fn takes(&self, dataset: &Dataset, tables: &TableNames) -> bool {
        let takes = |choice: &Option<Choice>, value: &str| {
            choice.as_ref().is_none_or(|choice| choice.takes(value))
        };
        let created = dataset.created.millis();
        let labels = labels(dataset, tables);
        takes(&self.name, &dataset.name)
            && takes(&self.state, STATE)
            && takes(&self.created, &created.to_string())
            && self.after.is_none_or(|after| created > after)
            && self.before.is_none_or(|before| created < before)
            && (self.tags.iter()).all(|(name, like)| has_tag(&labels, name, like))
    }
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
            let tables = TableNames::of(&store.catalog().datasets()?);
            let object = object(store, &dataset, rows, &tables)?;
            let object = some(object, properties.as_deref());
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

pub(crate) fn reference(id: &str) -> Value {
    json!([format!("@/dataSets/{id}")])
}

pub(crate) fn find(store: &Store, id: &str) -> Answer<Dataset> {
    let found = store.catalog().dataset(id)?.filter(|d| d.id == id);
    found.ok_or_else(|| no_dataset(id))
}

fn no_dataset(id: &str) -> Problem {
    Problem::not_found(format!("no dataset {id:?}"))
}

/// Datasets, each with the number of its records. The figures are read after the datasets, so one that
/// they lack was deleted meanwhile, and is left out.
pub(crate) fn counted(store: &Store, datasets: Vec<Dataset>) -> Answer<Vec<(Dataset, u64)>> {
    let figures = store.stats()?.datasets.into_iter();
    let rows: HashMap<String, u64> = figures.map(|of| (of.id, of.records)).collect();
    let with_rows = |dataset: Dataset| rows.get(&dataset.id).map(|rows| (dataset, *rows));
    Ok(datasets.into_iter().filter_map(with_rows).collect())
}

/// A dataset in the platform's form, with its number of records besides.
fn object(store: &Store, dataset: &Dataset, rows: u64, tables: &TableNames) -> Answer<Value> {
    let catalog = store.catalog();
    let newest = catalog.batches(&BatchQuery {
        limit: Some(1),
        dataset: Some(dataset.id.clone()),
        ..BatchQuery::default()
    })?;
    let behavior = match dataset.class {
        _ if dataset.ad_hoc.is_some() => "adhoc",
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
        "tags": labels(dataset, tables),
        "classification": {"dataBehavior": behavior, "managedBy": "CUSTOMER"},
        "state": STATE,
        "version": "1.0.0",
        "created": dataset.created.millis(),
        "updated": updated(dataset),
        "viewId": dataset.id,
        "files": format!("@/dataSets/{0}/views/{0}/files", dataset.id),
        "schemaRef": schema_ref,
        "rows": rows,
        "fileDescription": dataset.file_description.clone().unwrap_or_else(Dataset::default_file_description),
    });
    if let Some(object) = object.as_object_mut() {
        if let Some(description) = &dataset.description {
            object.insert("description".to_owned(), json!(description));
        }
        if let Some(batch) = newest.first() {
            object.insert("lastBatchId".to_owned(), json!(batch.id));
            object.insert("lastBatchStatus".to_owned(), json!(batch.status));
        }
    }
    Ok(object)
}

/// A dataset's own labels, with those that the platform gives each. Of two datasets whose labels name one table, which may
/// not be made any more, the later one is shown with the table that it has.
pub(crate) fn labels(dataset: &Dataset, tables: &TableNames) -> Map<String, Value> {
    let mut labels = dataset.tags.clone();
    for (name, value) in given_labels(dataset, tables) {
        labels.entry(name).or_insert(value);
    }
    let table = tables.of_dataset(dataset);
    if own_table(dataset).is_some_and(|own| own != table) {
        labels.insert(TABLE_LABEL.to_owned(), json!([table]));
    }
    labels
}

/// The labels that the platform gives a dataset which says nothing of them.
pub(crate) fn given_labels(dataset: &Dataset, tables: &TableNames) -> Vec<(&'static str, Value)> {
    let mut labels = vec![(TABLE_LABEL, json!([tables.of_dataset(dataset)]))];
    // Rows that are no records are part of no profile.
    if dataset.ad_hoc.is_none() {
        labels.push(("unifiedProfile", json!(["enabled:true"])));
    }
    labels
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
