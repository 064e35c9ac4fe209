//! The files of batches: `/data/foundation/export`.

use std::io::SeekFrom;
use std::path::PathBuf;

use axum::Json;
use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use headers::{ETag, HeaderMapExt, IfNoneMatch, IfRange};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use profile_export::store::{Batch, BatchFile, Store};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncSeekExt};
use tokio_util::io::ReaderStream;

use crate::auth::ReadAccess;
use crate::batches::find;
use crate::path::Path;
use crate::problem::{Answer, Problem};
use crate::query::Query;
use crate::schemas::{BatchFiles, ParquetFile, Problems};

const ROOT: &str = "/data/foundation/export";
/// The platform's default page.
const PAGE: u32 = 100;

/// List the files of a batch
#[utoipa::path(
    get, path = "/data/foundation/export/batches/{id}/files", tag = "Data access",
    params(
        ("id" = String, Path, description = "The batch's ID"),
        ("limit" = Option<u32>, Query, description = "Files on a page, at the most and by default 100", minimum = 1),
        ("start" = Option<u32>, Query, description = "How many are left out before the first"),
    ),
    responses((status = 200, description = "A page of files", body = BatchFiles), Problems),
)]
pub(crate) async fn list_batch_files(
    caller: ReadAccess,
    Path(id): Path<String>,
    query: Query,
) -> Answer<Json<Value>> {
    let batch = caller.on_store(move |store| find(store, &id)).await?;
    let created = batch.created.millis().to_string();
    let files = (1..=files_of(&batch).len()).map(|number| {
        let id = format!("{}-{number}", batch.id);
        json!({
            "dataSetFileId": id,
            "dataSetViewId": batch.dataset(),
            "version": "1.0.0",
            "created": created,
            "updated": created,
            "isValid": true,
            "_links": {"self": {"href": format!("{ROOT}/files/{id}")}},
        })
    });
    page_of(files.collect(), &query)
}

/// List the files that a batch could not read: always none, since a batch is loaded whole or not at all
#[utoipa::path(
    get, path = "/data/foundation/export/batches/{id}/failed", tag = "Data access",
    params(
        ("id" = String, Path, description = "The batch's ID"),
        ("limit" = Option<u32>, Query, description = "Files on a page, at the most and by default 100", minimum = 1),
        ("start" = Option<u32>, Query, description = "How many are left out before the first"),
    ),
    responses((status = 200, description = "An empty page", body = BatchFiles), Problems),
)]
pub(crate) async fn list_failed_files(
    caller: ReadAccess,
    Path(id): Path<String>,
    query: Query,
) -> Answer<Json<Value>> {
    caller.on_store(move |store| find(store, &id)).await?;
    page_of(Vec::new(), &query)
}

/// List what a batch says of its files besides: always nothing, since a batch is loaded whole or not at all
///
/// Why one failed stands in the batch itself.
#[utoipa::path(
    get, path = "/data/foundation/export/batches/{id}/meta", tag = "Data access",
    params(
        ("id" = String, Path, description = "The batch's ID"),
        ("path" = Option<String>, Query, description = "A file of the list"),
        ("limit" = Option<u32>, Query, description = "Files on a page, at the most and by default 100", minimum = 1),
        ("start" = Option<u32>, Query, description = "How many are left out before the first"),
    ),
    responses((status = 200, description = "An empty page", body = BatchFiles), Problems),
)]
pub(crate) async fn list_meta_files(
    caller: ReadAccess,
    Path(id): Path<String>,
    query: Query,
) -> Answer<Json<Value>> {
    let batch = caller.on_store(move |store| find(store, &id)).await?;
    if let Some(path) = query.get("path") {
        return Err(Problem::not_found(format!(
            "batch {} has no file {path:?} beside its own: a batch is loaded whole or not at all, and its errors stand \
             in the batch",
            batch.id
        )));
    }
    page_of(Vec::new(), &query)
}

/// Show or download a file of a batch
///
/// Without `path` a list with the file's name and length; with it, the file's bytes, or a range of them.
#[utoipa::path(
    method(get, head), path = "/data/foundation/export/files/{fileId}", tag = "Data access",
    params(
        ("fileId" = String, Path, description = "The file's dataSetFileId"),
        ("path" = Option<String>, Query, description = "The file's name"),
        ("limit" = Option<u32>, Query, description = "Files on the list, at the most and by default 100", minimum = 1),
        ("start" = Option<u32>, Query, description = "How many are left out before the first"),
        ("Range" = Option<String>, Header, description = "Which bytes, such as bytes=0-99"),
    ),
    responses(
        (status = 200, description = "The list, or the file", content(
            (BatchFiles = "application/json"),
            (ParquetFile = "application/vnd.apache.parquet"),
        )),
        (status = 206, description = "A part of the file", body = ParquetFile, content_type = "application/vnd.apache.parquet"),
        (status = 304, description = "The client has the file already"),
        (status = 416, description = "The file has no such bytes"),
        Problems,
    ),
)]
pub(crate) async fn get_file(
    caller: ReadAccess,
    Path(file_id): Path<String>,
    query: Query,
    headers: HeaderMap,
) -> Answer {
    let id = file_id.clone();
    let file = caller
        .on_store(move |store| stored_file(store, &id))
        .await?;
    match query.get("path") {
        None => {
            let name = utf8_percent_encode(&file.name, NON_ALPHANUMERIC).to_string();
            let entry = json!({
                "name": file.name,
                "length": file.length.to_string(),
                "_links": {"self": {"href": format!("{ROOT}/files/{file_id}?path={name}")}},
            });
            Ok(page_of(vec![entry], &query)?.into_response())
        }
        Some(path) if path == file.name => download(file, &headers).await,
        Some(path) => Err(Problem::not_found(format!(
            "file {file_id} has no path {path:?}; it has {:?}",
            file.name
        ))),
    }
}

fn page_of(files: Vec<Value>, query: &Query) -> Answer<Json<Value>> {
    let limit = query.number("limit", 1, PAGE)?.unwrap_or(PAGE);
    let start = query.number("start", 0, u32::MAX)?.unwrap_or(0);
    let data: Vec<Value> = files
        .into_iter()
        .skip(start as usize)
        .take(limit as usize)
        .collect();
    let count = data.len();
    Ok(Json(
        json!({"data": data, "_page": {"limit": limit, "count": count}}),
    ))
}

/// The files that a job wrote; those that came in are kept no longer than it takes to load them.
fn files_of(batch: &Batch) -> &[BatchFile] {
    if batch.came_in() { &[] } else { &batch.files }
}

/// A file as the catalog knows it.
struct StoredFile {
    name: String,
    path: PathBuf,
    length: u64,
    digest: String,
}

/// The file with this ID: its batch's ID and its number in it. The path comes from the catalog alone.
fn stored_file(store: &Store, file_id: &str) -> Answer<StoredFile> {
    let none = || Problem::not_found(format!("no file {file_id:?}"));
    let (batch, number) = file_id.rsplit_once('-').ok_or_else(none)?;
    let batch = store.catalog().batch(batch)?.ok_or_else(none)?;
    let number: usize = number.parse().map_err(|_| none())?;
    let file = number
        .checked_sub(1)
        .and_then(|i| files_of(&batch).get(i))
        .ok_or_else(none)?;
    let digest = file.digest.clone();
    Ok(StoredFile {
        name: file.name.clone(),
        path: store.batch_folder(&batch).join(&file.name),
        length: file.length,
        digest: digest.ok_or_else(|| Problem::internal(&"a file without a digest"))?,
    })
}

async fn download(file: StoredFile, headers: &HeaderMap) -> Answer {
    let tag = format!("\"{}\"", file.digest.replace(':', "-"));
    let etag: ETag = tag.parse().map_err(|_| Problem::internal(&tag))?;
    let mut answer = Response::new(Body::empty());
    let about = answer.headers_mut();
    about.typed_insert(etag.clone());
    about.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    // A batch never changes.
    about.insert(
        header::CACHE_CONTROL,
        HeaderValue::from_static("private, max-age=31536000, immutable"),
    );
    let known = headers.typed_get::<IfNoneMatch>();
    if known.is_some_and(|known| !known.precondition_passes(&etag)) {
        *answer.status_mut() = StatusCode::NOT_MODIFIED;
        return Ok(answer);
    }
    let is_same = headers
        .typed_get::<IfRange>()
        .is_none_or(|wanted| !wanted.is_modified(Some(&etag), None));
    let range = headers.get(header::RANGE).filter(|_| is_same);
    let (first, length) = match wanted(range, file.length) {
        Wanted::All => (0, file.length),
        Wanted::Nothing => {
            *answer.status_mut() = StatusCode::RANGE_NOT_SATISFIABLE;
            let all = format!("bytes */{}", file.length);
            insert(&mut answer, header::CONTENT_RANGE, &all)?;
            return Ok(answer);
        }
        Wanted::Bytes(first, last) => {
            *answer.status_mut() = StatusCode::PARTIAL_CONTENT;
            let part = format!("bytes {first}-{last}/{}", file.length);
            insert(&mut answer, header::CONTENT_RANGE, &part)?;
            (first, last - first + 1)
        }
    };
    insert(&mut answer, header::CONTENT_LENGTH, &length.to_string())?;
    insert(
        &mut answer,
        header::CONTENT_TYPE,
        "application/vnd.apache.parquet",
    )?;
    let mut bytes = tokio::fs::File::open(&file.path)
        .await
        .map_err(|e| Problem::internal(&format!("{}: {e}", file.path.display())))?;
    bytes
        .seek(SeekFrom::Start(first))
        .await
        .map_err(|e| Problem::internal(&e))?;
    *answer.body_mut() =
        Body::from_stream(ReaderStream::with_capacity(bytes.take(length), 1 << 16));
    Ok(answer)
}

fn insert(answer: &mut Response, name: header::HeaderName, value: &str) -> Answer<()> {
    let value = HeaderValue::from_str(value).map_err(|e| Problem::internal(&e))?;
    answer.headers_mut().insert(name, value);
    Ok(())
}

/// What a range header asks for.
enum Wanted {
    /// All, since it says nothing of use or asks for several parts: HTTP allows that.
    All,
    /// From the first to the last of these bytes.
    Bytes(u64, u64),
    /// Bytes that the file does not have.
    Nothing,
}

fn wanted(range: Option<&HeaderValue>, length: u64) -> Wanted {
    let text = range.and_then(|range| range.to_str().ok());
    let Some(Ok(ranges)) = text.map(http_range_header::parse_range_header) else {
        return Wanted::All;
    };
    match ranges.validate(length).as_deref() {
        Ok([range]) => Wanted::Bytes(*range.start(), *range.end()),
        Ok(_) => Wanted::All,
        Err(_) => Wanted::Nothing,
    }
}
