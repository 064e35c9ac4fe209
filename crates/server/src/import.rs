//! Batch ingestion: `/data/foundation/import/batches`.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::IntoResponse;
use profile_export::platform::{
    Error, Incoming, IncomingBody, abort_incoming, complete_incoming, revert_incoming,
};
use profile_export::store::{Batch, Store};
use serde_json::Value;

use crate::app::App;
use crate::auth::{ReadAccess, WriteAccess};
use crate::batches::object;
use crate::body::{JsonBody, Upload};
use crate::local::{delete, look};
use crate::path::Path;
use crate::problem::{Answer, Problem};
use crate::query::Query;
use crate::schemas::{IncomingBatch, Problems, UploadedFile};

/// The longest name of a file, in bytes.
const LONGEST_NAME: usize = 1024;

/// Begin a batch
#[utoipa::path(
    post, path = "/data/foundation/import/batches", tag = "Batch ingestion",
    request_body = IncomingBody,
    responses((status = 201, description = "The batch, which takes files now", body = IncomingBatch), Problems),
)]
pub(crate) async fn create_incoming_batch(
    caller: WriteAccess,
    JsonBody(body): JsonBody<IncomingBody>,
) -> Answer<impl IntoResponse> {
    let batch = caller
        .on_store(move |store| Ok(object(body.create(store)?, store.catalog().scope())))
        .await?;
    Ok((StatusCode::CREATED, Json(batch)))
}

/// Give a batch a file
#[utoipa::path(
    put, path = "/data/foundation/import/batches/{id}/datasets/{datasetId}/files/{name}", tag = "Batch ingestion",
    params(
        ("id" = String, Path, description = "The batch's ID"),
        ("datasetId" = String, Path, description = "Its dataset's ID"),
        ("name" = String, Path, description = "What the file is called; one of the same name is replaced"),
    ),
    request_body(content = UploadedFile, content_type = "application/octet-stream"),
    responses((status = 200, description = "The file is part of the batch"), Problems),
)]
pub(crate) async fn upload_file(
    caller: WriteAccess,
    State(app): State<Arc<App>>,
    Path((id, dataset, name)): Path<(String, String, String)>,
    headers: HeaderMap,
    body: Body,
) -> Answer<StatusCode> {
    if headers.contains_key(header::CONTENT_RANGE) {
        return Err(Problem::bad_request(
            "Content-Range: PUT sends a file whole; parts are sent by PATCH, behind POST with action=INITIALIZE",
        ));
    }
    check_name(&name)?;
    let batch = id.clone();
    let mut file = caller
        .on_store(move |store| Ok(open_for(store, &batch, &dataset)?.begin_file(&name)?))
        .await?;
    // Writing to the page cache: quicker than handing each piece to another thread.
    let mut upload = Upload::new(&app, body, app.settings.max_upload);
    while let Some(piece) = upload.next().await? {
        file.write(&piece)?;
    }
    caller
        .on_store(move |store| Ok(open(store, &id)?.finish_file(file)?))
        .await?;
    Ok(StatusCode::OK)
}

/// End a batch: load it, give it up, or take its records back
///
/// What a batch that is taken back brought is gone when this answers, and so is the batch; what its fragments had replaced
/// does not come back.
#[utoipa::path(
    post, path = "/data/foundation/import/batches/{id}", tag = "Batch ingestion",
    params(
        ("id" = String, Path, description = "The batch's ID"),
        ("action" = String, Query, description = "COMPLETE, ABORT, or REVERT"),
    ),
    responses((status = 200, description = "It will be loaded, is given up, or gone"), Problems),
)]
pub(crate) async fn end_incoming_batch(
    caller: WriteAccess,
    Path(id): Path<String>,
    query: Query,
) -> Answer<StatusCode> {
    let end: fn(&Store, &str) -> Result<(), Error> = match query.get("action") {
        Some(action) if action.eq_ignore_ascii_case("COMPLETE") => complete_incoming,
        Some(action) if action.eq_ignore_ascii_case("ABORT") => abort_incoming,
        Some(action) if action.eq_ignore_ascii_case("REVERT") => {
            let reverted = delete(&caller, move |store, progress| {
                incoming(store, &id)?;
                Ok(revert_incoming(store, &id, progress)?)
            });
            reverted.await?;
            caller.app().queue.wake();
            return Ok(StatusCode::OK);
        }
        other => {
            return Err(Problem::bad_request(format!(
                "action: found {}; allowed are COMPLETE, ABORT and REVERT",
                other.map_or("none".to_owned(), |action| format!("{action:?}"))
            )));
        }
    };
    let ended = look(&caller, move |store, _| {
        incoming(store, &id)?;
        Ok(end(store, &id)?)
    });
    ended.await?;
    caller.app().queue.wake();
    Ok(StatusCode::OK)
}

/// Show a batch that comes in
#[utoipa::path(
    get, path = "/data/foundation/import/batches/{id}", tag = "Batch ingestion",
    params(("id" = String, Path, description = "The batch's ID")),
    responses((status = 200, description = "The batch", body = IncomingBatch), Problems),
)]
pub(crate) async fn get_incoming_batch(
    caller: ReadAccess,
    Path(id): Path<String>,
) -> Answer<Json<Value>> {
    let batch = caller
        .on_store(move |store| Ok(object(incoming(store, &id)?, store.catalog().scope())))
        .await?;
    Ok(Json(batch))
}

pub(crate) fn check_name(name: &str) -> Answer<()> {
    match name.len() > LONGEST_NAME {
        true => Err(Problem::bad_request(format!(
            "name: longer than {LONGEST_NAME} bytes"
        ))),
        false => Ok(()),
    }
}

/// A batch that takes files, as long as it is this dataset's.
pub(crate) fn open_for<'a>(store: &'a Store, id: &str, dataset: &str) -> Answer<Incoming<'a>> {
    let incoming = open(store, id)?;
    match incoming.dataset() == dataset {
        true => Ok(incoming),
        false => Err(Problem::not_found(format!(
            "batch {id} is for dataset {}, not for {dataset:?}",
            incoming.dataset()
        ))),
    }
}

fn open<'a>(store: &'a Store, id: &str) -> Answer<Incoming<'a>> {
    incoming(store, id)?;
    Ok(Incoming::open(store, id)?)
}

fn incoming(store: &Store, id: &str) -> Answer<Batch> {
    let found = store.catalog().batch(id)?;
    let found = found.filter(Batch::came_in);
    found.ok_or_else(|| Problem::not_found(format!("no batch {id:?} that comes in")))
}
