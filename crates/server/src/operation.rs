//! What operators ask for: whether it lives, how much it does, what it can do.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use serde_json::{Value, json};

use crate::app::App;
use crate::problem::Answer;

/// Whether the server works: 200 where its catalog answers
pub(crate) async fn health(State(app): State<Arc<App>>) -> Answer<Json<Value>> {
    let shared = Arc::clone(&app);
    app.blocking(move || Answer::Ok(shared.stores.any()?.catalog().count_waiting_jobs()?))
        .await?;
    Ok(Json(
        json!({"status": "up", "version": env!("CARGO_PKG_VERSION")}),
    ))
}

/// Counts and times in Prometheus' text form.
pub(crate) async fn metrics(State(app): State<Arc<App>>) -> Answer<impl IntoResponse> {
    let shared = Arc::clone(&app);
    let jobs = app
        .blocking(move || Answer::Ok(shared.stores.any()?.catalog().count_jobs()?))
        .await?;
    let text = app.metrics.render(&jobs)?;
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    Ok(([(header::CONTENT_TYPE, kind)], text))
}

pub(crate) async fn openapi(State(app): State<Arc<App>>) -> impl IntoResponse {
    let kind = [(header::CONTENT_TYPE, "application/json")];
    (kind, app.openapi.clone())
}
