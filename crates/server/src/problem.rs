use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use profile_export::platform::{Error, ErrorKind};
use profile_export::request::RequestError;
use profile_export::store::{CatalogError, StoreError};
use serde_json::json;
use tokio::task::JoinError;

/// An answer that says what went wrong, in the platform's form.
#[derive(Debug)]
pub(crate) struct Problem {
    pub(crate) status: StatusCode,
    pub(crate) title: &'static str,
    pub(crate) detail: String,
    /// The code of docs/errors.md, where there is one.
    pub(crate) code: Option<&'static str>,
}

/// An answer, or what went wrong.
pub(crate) type Answer<T = Response> = Result<T, Problem>;

impl Problem {
    pub(crate) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self {
            status,
            title: status.canonical_reason().unwrap_or("Error"),
            detail: detail.into(),
            code: None,
        }
    }

    pub(crate) fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, detail)
    }

    pub(crate) fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, detail)
    }

    pub(crate) fn conflict(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, detail)
    }

    /// Nothing was done; the client may send the request again.
    pub(crate) fn busy(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, detail)
    }

    /// Something broke; what exactly is for the log, not for the client.
    pub(crate) fn internal(error: &dyn std::fmt::Display) -> Self {
        tracing::error!(%error, "a request failed");
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "the server could not do this; its log says why",
        )
    }
}

impl From<RequestError> for Problem {
    fn from(error: RequestError) -> Self {
        Self {
            code: Some(ErrorKind::BadRequest.code()),
            ..Self::bad_request(format!("{}: {}", error.path, error.problem))
        }
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let code = Some(error.code());
        let problem = match (error.kind(), error) {
            (_, Error::Request(error)) => error.into(),
            (ErrorKind::BadRequest, error) => Self::bad_request(error.to_string()),
            (ErrorKind::NotFound, error) => Self::not_found(error.to_string()),
            (ErrorKind::Conflict | ErrorKind::BadInput | ErrorKind::InvalidDataset, error) => {
                Self::conflict(error.to_string())
            }
            // Nobody waits for it any more, or it took too long.
            (ErrorKind::Cancelled, _) => Self::busy("it was given up"),
            // Everything else may name files of the server: damage, a newer format, a full disk.
            (_, error) => Self::internal(&error),
        };
        Self { code, ..problem }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        Error::from(error).into()
    }
}

impl From<CatalogError> for Problem {
    fn from(error: CatalogError) -> Self {
        Error::from(error).into()
    }
}

impl From<profile_export::export::Error> for Problem {
    fn from(error: profile_export::export::Error) -> Self {
        Error::from(error).into()
    }
}

impl From<JoinError> for Problem {
    fn from(panic: JoinError) -> Self {
        Self::internal(&panic)
    }
}

/// What was found; `None` where there is no such thing. That it could not be looked for is an error.
pub(crate) fn if_there<T>(found: Result<T, Error>) -> Result<Option<T>, Error> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// The longest text of an error that is told, in bytes: a text may repeat what a client sent.
const LONGEST_TEXT: usize = 2000;

/// A text as far as it is told.
pub(crate) fn cut(mut text: String) -> String {
    if text.len() > LONGEST_TEXT {
        let length = text.len();
        text.truncate(text.floor_char_boundary(LONGEST_TEXT));
        text.push_str(&format!("… ({length} bytes in all)"));
    }
    text
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut body = json!({
            "status": self.status.as_u16(),
            "title": self.title,
            "detail": cut(self.detail),
        });
        if let Some(code) = self.code {
            body["code"] = json!(code);
        }
        let mut response = (self.status, Json(body)).into_response();
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        match self.status {
            StatusCode::SERVICE_UNAVAILABLE => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
            }
            StatusCode::UNAUTHORIZED => {
                headers.insert(
                    header::WWW_AUTHENTICATE,
                    HeaderValue::from_static("Bearer realm=\"profile-export\""),
                );
            }
            _ => {}
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use profile_export::store::RunError;

    use super::*;

    #[test]
    fn files_of_the_server_are_not_told() {
        let path = std::path::PathBuf::from("/srv/store/runs/1");
        let damaged = RunError::Damaged {
            path: path.clone(),
            problem: "a digest".to_owned(),
        };
        let newer = RunError::NewerFormat {
            path: path.clone(),
            found: 9,
            known: 1,
        };
        let full = StoreError::io(&path)(std::io::Error::other("no space"));
        for error in [full, damaged.into(), newer.into()] {
            let problem = Problem::from(error);
            assert_eq!(problem.status, StatusCode::INTERNAL_SERVER_ERROR);
            assert!(!problem.detail.contains("/srv"), "{}", problem.detail);
        }
    }
}
