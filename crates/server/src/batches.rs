//! Batches: `/data/foundation/catalog/batches`.

use axum::Json;
use profile_export::platform::{delete_batch, revert_incoming};
use profile_export::store::{
    Batch, BatchError, BatchFilter, BatchProperty, BatchQuery, BatchStatus, Scope, Store,
};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::auth::{ReadAccess, WriteAccess};
use crate::catalog_query::{Choice, order, page, some, tags, time};
use crate::local::delete;
use crate::path::Path;
use crate::problem::{Answer, Problem, cut};
use crate::query::Query;
use crate::schemas::{CatalogObjects, Problems};

/// What lists of batches are sorted by.
const ORDERS: [(&str, BatchProperty); 3] = [
    ("created", BatchProperty::Created),
    ("updated", BatchProperty::Updated),
    ("status", BatchProperty::Status),
];

/// List batches, newest first
#[utoipa::path(
    get, path = "/data/foundation/catalog/batches", tag = "Catalog",
    params(
        ("batch" = Option<String>, Query, description = "Only the one with this ID"),
        ("dataSet" = Option<String>, Query, description = "Only those of the dataset with this ID"),
        ("status" = Option<String>, Query, description = "Only those in this state, or in one of several, comma-separated"),
        ("created" = Option<String>, Query, description = "Only those made at this moment, in milliseconds since 1970"),
        ("createdAfter" = Option<String>, Query, description = "Only those made later than this"),
        ("createdBefore" = Option<String>, Query, description = "Only those made earlier than this"),
        ("updated" = Option<String>, Query, description = "Only those last changed at this moment"),
        ("startAfter" = Option<String>, Query, description = "Only those whose work began later than this"),
        ("startBefore" = Option<String>, Query, description = "Only those whose work began earlier than this"),
        ("endAfter" = Option<String>, Query, description = "Only those whose work ended later than this"),
        ("endBefore" = Option<String>, Query, description = "Only those whose work ended earlier than this"),
        ("tags" = Option<String>, Query, description = "Only those with these labels: name:value, comma-separated, * for any text"),
        ("limit" = Option<u32>, Query, description = "Batches on a page, at the most 100, 20 by default", minimum = 1),
        ("start" = Option<u32>, Query, description = "How many are left out before the first"),
        ("orderBy" = Option<String>, Query, description = "created, updated or status, with asc: or desc: before each, comma-separated"),
        ("properties" = Option<String>, Query, description = "Only these properties, comma-separated"),
    ),
    responses((status = 200, description = "Batches by ID", body = CatalogObjects), Problems),
)]
pub(crate) async fn list_batches(caller: ReadAccess, query: Query) -> Answer<Json<Value>> {
    let (limit, start) = page(&query)?;
    let wanted = BatchQuery {
        limit: Some(limit),
        start,
        dataset: None,
        filters: filters(&query)?,
        order: order(&query, &ORDERS)?,
    };
    let properties = query.text("properties");
    let objects = caller
        .on_store(move |store| {
            let batches = store.catalog().batches(&wanted)?.into_iter();
            Ok(by_id(
                batches,
                store.catalog().scope(),
                properties.as_deref(),
            ))
        })
        .await?;
    Ok(Json(objects))
}

/// Batches by their IDs, with these of their properties, or all.
fn by_id(batches: impl Iterator<Item = Batch>, scope: &Scope, properties: Option<&str>) -> Value {
    let objects: Map<String, Value> = batches
        .map(|batch| (batch.id.clone(), some(object(batch, scope), properties)))
        .collect();
    Value::Object(objects)
}

/// List the newest batch of each dataset
#[utoipa::path(
    get, path = "/data/foundation/catalog/lastBatches", tag = "Catalog",
    params(
        ("dataSetId" = Option<String>, Query, description = "Only that of the dataset with this ID, or of several, comma-separated"),
        ("dataSet" = Option<String>, Query, description = "The same"),
        ("lastBatchStatus" = Option<String>, Query, description = "Only those in this state, or in one of several, comma-separated"),
        ("created" = Option<String>, Query, description = "Only those made at this moment, in milliseconds since 1970"),
        ("limit" = Option<u32>, Query, description = "Batches on a page, at the most 100, 20 by default", minimum = 1),
        ("start" = Option<u32>, Query, description = "How many are left out before the first"),
        ("orderBy" = Option<String>, Query, description = "created, updated or status, with asc: or desc: before each, comma-separated; newest first by default"),
        ("properties" = Option<String>, Query, description = "Only these properties, comma-separated"),
    ),
    responses((status = 200, description = "Batches by ID", body = CatalogObjects), Problems),
)]
pub(crate) async fn list_last_batches(caller: ReadAccess, query: Query) -> Answer<Json<Value>> {
    let (limit, start) = page(&query)?;
    let names = ["dataSetId", "dataSet"];
    for name in names {
        query.filter(name)?;
    }
    let of = query.by_any_name(&names)?.map(Choice::parse);
    let state = Choice::of(&query, "lastBatchStatus")?
        .map(|choice| known_states("lastBatchStatus", choice))
        .transpose()?;
    let created = Choice::of_times(&query, "created")?;
    let order = order(&query, &ORDERS)?;
    let properties = query.text("properties");
    let objects = caller
        .on_store(move |store| {
            let catalog = store.catalog();
            let mut newest = Vec::new();
            for dataset in catalog.datasets()? {
                if of.as_ref().is_none_or(|of| of.takes(&dataset.id)) {
                    newest.extend(catalog.batches(&BatchQuery {
                        limit: Some(1),
                        dataset: Some(dataset.id),
                        ..BatchQuery::default()
                    })?);
                }
            }
            newest.retain(|batch| {
                let takes = |choice: &Option<Choice>, value: &str| {
                    choice.as_ref().is_none_or(|choice| choice.takes(value))
                };
                takes(&state, batch.status.word())
                    && takes(&created, &batch.created.millis().to_string())
            });
            newest.sort_by(|a, b| (b.created, &b.id).cmp(&(a.created, &a.id)));
            for (by, down) in order.iter().rev() {
                newest.sort_by(|a, b| {
                    let order = match by {
                        BatchProperty::Updated => a.updated.cmp(&b.updated),
                        BatchProperty::Status => a.status.word().cmp(b.status.word()),
                        _ => a.created.cmp(&b.created),
                    };
                    if *down { order.reverse() } else { order }
                });
            }
            let shown = newest.into_iter().skip(start as usize).take(limit as usize);
            Ok(by_id(shown, catalog.scope(), properties.as_deref()))
        })
        .await?;
    Ok(Json(objects))
}

/// Show a batch
#[utoipa::path(
    get, path = "/data/foundation/catalog/batches/{id}", tag = "Catalog",
    params(
        ("id" = String, Path, description = "The batch's ID"),
        ("properties" = Option<String>, Query, description = "Only these properties, comma-separated"),
    ),
    responses((status = 200, description = "The batch under its ID", body = CatalogObjects), Problems),
)]
pub(crate) async fn get_batch(
    caller: ReadAccess,
    Path(id): Path<String>,
    query: Query,
) -> Answer<Json<Value>> {
    let properties = query.text("properties");
    let object = caller
        .on_store(move |store| {
            let object = object(find(store, &id)?, store.catalog().scope());
            Ok(json!({id: some(object, properties.as_deref())}))
        })
        .await?;
    Ok(Json(object))
}

/// Delete a batch: what a job wrote with its files, what came in with its records
///
/// Both are gone when this answers. What the fragments of a batch that came in had replaced does not come back.
#[utoipa::path(
    delete, path = "/data/foundation/catalog/batches/{id}", tag = "Catalog",
    params(("id" = String, Path, description = "The batch's ID")),
    responses((status = 200, description = "The batch is gone", body = Vec<String>), Problems),
)]
pub(crate) async fn remove_batch(
    caller: WriteAccess,
    Path(id): Path<String>,
) -> Answer<Json<Value>> {
    let deleted = delete(&caller, move |store, progress| {
        let batch = find(store, &id)?;
        if batch.came_in() {
            revert_incoming(store, &id, progress)?;
        } else if batch.outside().is_some() {
            return Err(Problem::conflict(format!(
                "batch {id} lies outside of the store, in a folder of whoever ran its job; profile-export batches delete \
                 deletes it there"
            )));
        } else {
            delete_batch(store, &id)?;
        }
        Ok(json!([format!("@/batches/{id}")]))
    });
    deleted.await.map(Json)
}

pub(crate) fn find(store: &Store, id: &str) -> Answer<Batch> {
    let found = store.catalog().batch(id)?;
    found.ok_or_else(|| Problem::not_found(format!("no batch {id:?}")))
}

/// A batch in the platform's form.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown<'a> {
    sandbox_id: &'a str,
    external_id: &'a str,
    #[serde(flatten)]
    batch: &'a Batch,
}

/// A batch in the platform's form; where its files lie is nobody's business outside.
pub(crate) fn object(batch: Batch, scope: &Scope) -> Value {
    let told = |error: BatchError| BatchError {
        description: cut(error.description),
        cause: None,
        ..error
    };
    let errors = batch.errors.unwrap_or_default();
    let batch = Batch {
        version: Some(batch.version.unwrap_or_else(|| "1.0.0".to_owned())),
        tags: Some(batch.tags.unwrap_or_default()),
        errors: Some(errors.into_iter().map(told).collect()),
        sequences: None,
        uploads: Vec::new(),
        broken_off: 0,
        written: false,
        folder: None,
        among: None,
        ..batch
    };
    json!(Shown {
        sandbox_id: &scope.sandbox,
        external_id: &batch.id,
        batch: &batch,
    })
}

/// What the query's filters ask for: all must hold.
fn filters(query: &Query) -> Answer<Vec<BatchFilter>> {
    use BatchProperty::{Created, Dataset, Ended, Id, Started, Status, Updated};
    let states = Choice::of(query, "status")?
        .map(|choice| known_states("status", choice))
        .transpose()?;
    let choices = [
        (Id, Choice::of(query, "batch")?),
        (Dataset, Choice::of(query, "dataSet")?),
        (Status, states),
        (Created, Choice::of_times(query, "created")?),
        (Updated, Choice::of_times(query, "updated")?),
    ];
    let mut filters = Vec::new();
    for (property, choice) in choices {
        filters.extend(choice.map(|choice| match choice.is_inverted {
            false => BatchFilter::Is(property, choice.values),
            true => BatchFilter::IsNot(property, choice.values),
        }));
    }
    for (property, after, before) in [
        (Created, "createdAfter", "createdBefore"),
        (Started, "startAfter", "startBefore"),
        (Ended, "endAfter", "endBefore"),
    ] {
        filters.extend(time(query, after)?.map(|time| BatchFilter::Above(property, time)));
        filters.extend(time(query, before)?.map(|time| BatchFilter::Below(property, time)));
    }
    let tags = tags(query)?.into_iter();
    filters.extend(tags.map(|(name, like)| BatchFilter::Tag(name, like)));
    Ok(filters)
}

/// States of the platform's batches that no batch here is ever in.
const STATES_ELSEWHERE: [&str; 10] = [
    "abandoned",
    "archived",
    "deleted",
    "inactive",
    "loaded",
    "queued",
    "retained",
    "retrying",
    "staging",
    "stalled",
];

/// The platform has two words for success and for failure.
fn known_states(name: &str, mut choice: Choice) -> Answer<Choice> {
    for word in &mut choice.values {
        *word = word.to_ascii_lowercase();
        let own = match word.as_str() {
            "active" => "success",
            "failure" => "failed",
            other => other,
        };
        if BatchStatus::of(own).is_none() && !STATES_ELSEWHERE.contains(&own) {
            let known: Vec<&str> = BatchStatus::ALL.iter().map(|state| state.word()).collect();
            return Err(Problem::bad_request(format!(
                "{name}: found {word:?}; batches here are {}",
                known.join(", ")
            )));
        }
        *word = own.to_owned();
    }
    Ok(choice)
}
