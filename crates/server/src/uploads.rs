//! Large files of batches that come in: begun, sent in parts, completed.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::IntoResponse;

use crate::app::App;
use crate::auth::{ReadAccess, WriteAccess};
use crate::body::Upload;
use crate::import::{check_name, open_for};
use crate::path::Path;
use crate::problem::{Answer, Problem};
use crate::query::Query;
use crate::schemas::{Problems, UploadedFile};

/// Whether a file is whole, as the drafts of resumable uploads say it.
const UPLOAD_COMPLETE: HeaderName = HeaderName::from_static("upload-complete");

/// Begin to send a file in parts, or complete it
#[utoipa::path(
    post, path = "/data/foundation/import/batches/{id}/datasets/{datasetId}/files/{name}", tag = "Batch ingestion",
    params(
        ("id" = String, Path, description = "The batch's ID"),
        ("datasetId" = String, Path, description = "Its dataset's ID"),
        ("name" = String, Path, description = "What the file is called"),
        ("action" = String, Query, description = "INITIALIZE, which drops what was sent of it, or COMPLETE"),
    ),
    responses((status = 201, description = "It takes parts now, or is part of the batch"), Problems),
)]
pub(crate) async fn begin_or_end_file(
    caller: WriteAccess,
    Path((id, dataset, name)): Path<(String, String, String)>,
    query: Query,
) -> Answer<StatusCode> {
    check_name(&name)?;
    let begins = match query.get("action") {
        Some(action) if action.eq_ignore_ascii_case("INITIALIZE") => true,
        Some(action) if action.eq_ignore_ascii_case("COMPLETE") => false,
        other => {
            return Err(Problem::bad_request(format!(
                "action: found {}; allowed are INITIALIZE and COMPLETE",
                other.map_or("none".to_owned(), |action| format!("{action:?}"))
            )));
        }
    };
    caller
        .on_store(move |store| {
            let incoming = open_for(store, &id, &dataset)?;
            match begins {
                true => incoming.begin_parts(&name)?,
                false => incoming.finish_parts(&name)?,
            }
            Ok(())
        })
        .await?;
    Ok(StatusCode::CREATED)
}

/// Send a part of a file
///
/// Parts come one behind the other; one that is sent again takes the place of what it was.
#[utoipa::path(
    patch, path = "/data/foundation/import/batches/{id}/datasets/{datasetId}/files/{name}", tag = "Batch ingestion",
    params(
        ("id" = String, Path, description = "The batch's ID"),
        ("datasetId" = String, Path, description = "Its dataset's ID"),
        ("name" = String, Path, description = "What the file is called"),
        ("Content-Range" = String, Header, description = "Which bytes these are, such as bytes 0-99/200"),
    ),
    request_body(content = UploadedFile, content_type = "application/octet-stream"),
    responses((status = 200, description = "The part is there"), Problems),
)]
pub(crate) async fn upload_part(
    caller: WriteAccess,
    State(app): State<Arc<App>>,
    Path((id, dataset, name)): Path<(String, String, String)>,
    headers: HeaderMap,
    body: Body,
) -> Answer<StatusCode> {
    check_name(&name)?;
    let range = Range::of(&headers)?;
    let most = app.settings.max_upload;
    let limit = most.saturating_sub(range.first);
    if range.end > most || range.total.is_some_and(|total| total > most) {
        return Err(Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            format!("the file is larger than {most} bytes"),
        ));
    }
    let mut part = caller
        .on_store(move |store| {
            let incoming = open_for(store, &id, &dataset)?;
            Ok(incoming.begin_part(&name, range.first, range.total)?)
        })
        .await?;
    let mut upload = Upload::new(&app, body, limit);
    while let Some(piece) = upload.next().await? {
        part.write(&piece)?;
    }
    caller
        .on_store(move |_| Ok(part.finish(range.end)?))
        .await?;
    Ok(StatusCode::OK)
}

/// Say how far a file is: the length of what is there, and whether it is part of the batch
#[utoipa::path(
    head, path = "/data/foundation/import/batches/{id}/datasets/{datasetId}/files/{name}", tag = "Batch ingestion",
    params(
        ("id" = String, Path, description = "The batch's ID"),
        ("datasetId" = String, Path, description = "Its dataset's ID"),
        ("name" = String, Path, description = "What the file is called"),
    ),
    responses(
        (status = 200, description = "Content-Length has the bytes that are there, Upload-Complete ?1 or ?0"),
        Problems,
    ),
)]
pub(crate) async fn show_upload(
    caller: ReadAccess,
    Path((id, dataset, name)): Path<(String, String, String)>,
) -> Answer<impl IntoResponse> {
    let status = caller
        .on_store(move |store| {
            let status = open_for(store, &id, &dataset)?.upload_status(&name)?;
            status.ok_or_else(|| Problem::not_found(format!("batch {id} has no file {name:?}")))
        })
        .await?;
    let is_whole = if status.is_whole { "?1" } else { "?0" };
    Ok([
        (header::CONTENT_LENGTH, HeaderValue::from(status.length)),
        (UPLOAD_COMPLETE, HeaderValue::from_static(is_whole)),
    ])
}

/// The bytes that a part is: `bytes 0-99/200`, where `/200` may be `/*` or missing.
#[derive(Clone, Copy)]
struct Range {
    first: u64,
    /// Behind the last.
    end: u64,
    total: Option<u64>,
}

impl Range {
    fn of(headers: &HeaderMap) -> Answer<Self> {
        let text = headers.get(header::CONTENT_RANGE);
        let text = text.map_or("", |text| text.to_str().unwrap_or_default());
        Self::parse(text).ok_or_else(|| {
            Problem::bad_request(format!(
                "Content-Range: found {text:?}; expected the bytes of the part, such as bytes 0-99/200"
            ))
        })
    }

    fn parse(text: &str) -> Option<Self> {
        let number = |text: &str| {
            let is_plain = text.bytes().all(|byte| byte.is_ascii_digit());
            text.parse::<u64>().ok().filter(|_| is_plain)
        };
        let range = text.strip_prefix("bytes ")?.trim();
        let (range, total) = range.split_once('/').unwrap_or((range, "*"));
        let (first, last) = range.split_once('-')?;
        let (first, end) = (number(first)?, number(last)?.checked_add(1)?);
        let total = match total {
            "*" => None,
            total => Some(number(total)?),
        };
        let fits = first < end && total.is_none_or(|total| end <= total);
        fits.then_some(Self { first, end, total })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_one_of_bytes_that_fit() {
        let parsed = |text| Range::parse(text).map(|range| (range.first, range.end, range.total));
        assert_eq!(parsed("bytes 0-99/200"), Some((0, 100, Some(200))));
        assert_eq!(parsed("bytes 100-199/*"), Some((100, 200, None)));
        assert_eq!(parsed("bytes 5-5"), Some((5, 6, None)));
        for wrong in [
            "",
            "0-99",
            "bytes",
            "bytes 9-0",
            "bytes 0-200/200",
            "bytes -5",
            "bytes +1-5",
            "items 0-9",
            "bytes 0-18446744073709551615",
        ] {
            assert_eq!(parsed(wrong), None, "{wrong}");
        }
    }
}
