use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

use crate::problem::{Answer, Problem};

/// The parameters of a request's path. One that is no text is told in the form of all problems, where
/// axum's own extractor answers in plain text.
pub(crate) struct Path<T>(pub(crate) T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Answer<Self> {
        let path = axum::extract::Path::from_request_parts(parts, state).await;
        let axum::extract::Path(parameters) =
            path.map_err(|refused| Problem::new(refused.status(), refused.body_text()))?;
        Ok(Self(parameters))
    }
}
