use std::future::Future;
use std::sync::Arc;

use axum::body::{Body, BodyDataStream, Bytes};
use axum::extract::{FromRequest, Request};
use axum::http::StatusCode;
use export::read_json;
use futures_util::StreamExt;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::problem::{Answer, Problem};

/// A whole JSON body, not longer than the settings allow, that came in time.
pub(crate) struct JsonBody<T>(pub(crate) T);

impl<T: for<'de> Deserialize<'de>> FromRequest<Arc<App>> for JsonBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &Arc<App>) -> Answer<Self> {
        let limit = app.settings.max_body as u64;
        Ok(Self(read_json(&whole(request, app, limit).await?)?))
    }
}

/// Forms have a few words, and come from whoever has no token yet.
const MOST_OF_FORM: u64 = 8 * 1024;

/// The names and values of a form, which may be empty.
pub(crate) struct FormBody(pub(crate) Vec<(String, String)>);

impl FromRequest<Arc<App>> for FormBody {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &Arc<App>) -> Answer<Self> {
        let body = whole(request, app, MOST_OF_FORM).await?;
        Ok(Self(form_urlencoded::parse(&body).into_owned().collect()))
    }
}

/// A body, not longer than so many bytes, that came in time.
async fn whole(request: Request, app: &App, limit: u64) -> Answer<Vec<u8>> {
    let mut pieces = Pieces::new(request.into_body(), "body", limit);
    let reading = async {
        let mut body = Vec::new();
        while let Some(piece) = pieces.next().await? {
            body.extend_from_slice(&piece);
        }
        Ok::<_, Problem>(body)
    };
    in_time(app, reading).await?
}

/// A file that is uploaded, piece by piece, as far as it is not longer than the settings allow and its
/// sender does not fall silent.
pub(crate) struct Upload<'a> {
    app: &'a App,
    pieces: Pieces,
}

impl<'a> Upload<'a> {
    /// Of at the most `limit` bytes.
    pub(crate) fn new(app: &'a App, body: Body, limit: u64) -> Self {
        let pieces = Pieces::new(body, "file", limit);
        Self { app, pieces }
    }

    pub(crate) async fn next(&mut self) -> Answer<Option<Bytes>> {
        in_time(self.app, self.pieces.next()).await?
    }
}

/// A body piece by piece, up to a limit.
struct Pieces {
    body: BodyDataStream,
    /// What it is called.
    name: &'static str,
    limit: u64,
    left: u64,
}

impl Pieces {
    fn new(body: Body, name: &'static str, limit: u64) -> Self {
        Self {
            body: body.into_data_stream(),
            name,
            limit,
            left: limit,
        }
    }

    async fn next(&mut self) -> Answer<Option<Bytes>> {
        let Self { name, limit, .. } = *self;
        let Some(piece) = self.body.next().await else {
            return Ok(None);
        };
        let piece = piece
            .map_err(|_| Problem::bad_request(format!("the {name} broke off before its end")))?;
        self.left = self.left.checked_sub(piece.len() as u64).ok_or_else(|| {
            Problem::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                format!("the {name} is larger than {limit} bytes"),
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

/// The IDs of a `bulk-get`.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = BulkGet)]
pub(crate) struct Ids {
    #[schema(inline)]
    ids: Vec<Id>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Id {
    id: String,
}

impl Ids {
    /// Those that are wanted.
    pub(crate) fn all(&self) -> impl Iterator<Item = &str> {
        self.ids.iter().map(|one| one.id.as_str())
    }
}
