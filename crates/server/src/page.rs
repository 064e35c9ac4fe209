//! The page: files in the program itself, which use the API like any client.

use std::sync::Arc;

use axum::Router;
use axum::http::header;
use axum::response::IntoResponse;
use axum::routing::get;

use crate::app::App;

/// Routes, media types and texts.
macro_rules! files {
    ($($path:literal, $kind:literal, $file:literal;)*) => {
        pub(crate) fn routes() -> Router<Arc<App>> {
            Router::new()$(.route($path, file($kind, include_str!(concat!("page/", $file)))))*
        }
    };
}

files! {
    "/", "text/html; charset=utf-8", "index.html";
    "/page/page.css", "text/css; charset=utf-8", "page.css";
    "/page/page.js", "text/javascript; charset=utf-8", "page.js";
    "/page/base.js", "text/javascript; charset=utf-8", "base.js";
    "/page/exports.js", "text/javascript; charset=utf-8", "exports.js";
    "/page/job.js", "text/javascript; charset=utf-8", "job.js";
    "/page/new.js", "text/javascript; charset=utf-8", "new.js";
    "/page/audiences.js", "text/javascript; charset=utf-8", "audiences.js";
    "/page/expression.js", "text/javascript; charset=utf-8", "expression.js";
    "/page/person.js", "text/javascript; charset=utf-8", "person.js";
    "/page/data.js", "text/javascript; charset=utf-8", "data.js";
}

fn file(kind: &'static str, text: &'static str) -> axum::routing::MethodRouter<Arc<App>> {
    get(async move || {
        let policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
                      img-src 'self' data:; form-action 'none'; frame-ancestors 'none'; base-uri 'none'";
        (
            [
                (header::CONTENT_TYPE, kind),
                (header::CONTENT_SECURITY_POLICY, policy),
                (header::CACHE_CONTROL, "no-cache"),
            ],
            text,
        )
            .into_response()
    })
}
