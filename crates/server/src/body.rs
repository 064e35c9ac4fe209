use std::future::Future;
use std::sync::Arc;

use axum::body::{Body, BodyDataStream, Bytes};
use axum::extract::{FromRequest, Request};
use axum::http::StatusCode;
use export::read_json;
use futures_util::StreamExt;
use serde::Deserialize;

use crate::app::App;
use crate::problem::{Answer, Problem};

/// A whole JSON body, not longer than the settings allow, that came in time.
pub(crate) struct JsonBody<T>(pub(crate) T);

impl<T: for<'de> Deserialize<'de>> FromRequest<Arc<App>> for JsonBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &Arc<App>) -> Answer<Self> {
        let limit = app.settings.max_body;
        let reading = axum::body::to_bytes(request.into_body(), limit);
        let body = in_time(app, reading).await?.map_err(|_| {
            Problem::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                format!("the body broke off or is larger than {limit} bytes"),
            )
        })?;
        Ok(Self(read_json(&body)?))
    }
}

/// A body piece by piece, as far as it is not longer than the settings allow and its sender does not
/// fall silent.
pub(crate) struct Pieces {
    body: BodyDataStream,
    left: u64,
}

impl Pieces {
    pub(crate) fn new(app: &App, body: Body) -> Self {
        Self {
            body: body.into_data_stream(),
            left: app.settings.max_upload,
        }
    }

    pub(crate) async fn next(&mut self, app: &App) -> Answer<Option<Bytes>> {
        let Some(piece) = in_time(app, self.body.next()).await? else {
            return Ok(None);
        };
        let piece = piece.map_err(|_| Problem::bad_request("the body broke off before its end"))?;
        self.left = self.left.checked_sub(piece.len() as u64).ok_or_else(|| {
            Problem::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                format!("the file is larger than {} bytes", app.settings.max_upload),
            )
        })?;
        Ok(Some(piece))
    }
}

async fn in_time<T>(app: &App, reading: impl Future<Output = T>) -> Answer<T> {
    let limit = app.settings.request_timeout;
    tokio::time::timeout(limit, reading).await.map_err(|_| {
        Problem::new(
            StatusCode::REQUEST_TIMEOUT,
            format!("the body did not come within {} s", limit.as_secs()),
        )
    })
}
