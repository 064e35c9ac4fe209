//! Access tokens, as the platform's identity management gives them to clients: `/ims/token/v2` and `/ims/token/v3`.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::app::App;
use crate::body::FormBody;
use crate::problem::Answer;
use crate::query::Query;
use crate::schemas::{AccessToken, TokenProblems, TokenRequest};
use crate::token_file::TokenFile;

/// What anybody gets where there is no token file.
const ANYBODY: &str = "local";
/// For how long clients may keep a token, in seconds: a day, less one. It holds as long as its file has it.
const EXPIRES: u32 = 86_399;

/// Get an access token
///
/// With a token file the client's secret is a token of it, which is also what the client gets; without one anybody gets
/// one. The parameters stand in a form or in the query.
#[utoipa::path(
    post, path = "/ims/token/v3", tag = "Tokens", request_body(content = TokenRequest, content_type = "application/x-www-form-urlencoded"),
    params(
        ("grant_type" = Option<String>, Query, description = "client_credentials"),
        ("client_id" = Option<String>, Query, description = "Any"),
        ("client_secret" = Option<String>, Query, description = "A token of the token file"),
        ("scope" = Option<String>, Query, description = "It says nothing here"),
    ),
    responses((status = 200, description = "The token", body = AccessToken), TokenProblems),
    security(())
)]
pub(crate) async fn token_v3(state: State<Arc<App>>, query: Query, form: FormBody) -> Answer {
    token(&state, &query, form)
}

/// Get an access token, as older clients ask for it
#[utoipa::path(
    post, path = "/ims/token/v2", tag = "Tokens", request_body(content = TokenRequest, content_type = "application/x-www-form-urlencoded"),
    params(
        ("grant_type" = Option<String>, Query, description = "client_credentials"),
        ("client_id" = Option<String>, Query, description = "Any"),
        ("client_secret" = Option<String>, Query, description = "A token of the token file"),
        ("scope" = Option<String>, Query, description = "It says nothing here"),
    ),
    responses((status = 200, description = "The token", body = AccessToken), TokenProblems),
    security(())
)]
pub(crate) async fn token_v2(state: State<Arc<App>>, query: Query, form: FormBody) -> Answer {
    token(&state, &query, form)
}

fn token(app: &App, query: &Query, FormBody(form): FormBody) -> Answer {
    let mut said_in_form: HashMap<String, String> = HashMap::new();
    for (name, value) in form {
        // As of a query, the first that says something counts.
        said_in_form.entry(name).or_insert(value);
    }
    let said = |name: &str| {
        let in_form = said_in_form
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty());
        in_form.or_else(|| query.get(name))
    };
    match said("grant_type") {
        Some("client_credentials") => {}
        Some(_) => return Ok(refused(StatusCode::BAD_REQUEST, "unsupported_grant_type")),
        None => return Ok(refused(StatusCode::BAD_REQUEST, "invalid_request")),
    }
    if said("client_id").is_none() {
        return Ok(refused(StatusCode::BAD_REQUEST, "invalid_request"));
    }
    let token = match (&app.tokens, said("client_secret")) {
        (None, _) => ANYBODY,
        (Some(file), Some(secret)) if is_known(file, secret) => secret,
        (Some(_), _) => return Ok(refused(StatusCode::UNAUTHORIZED, "invalid_client")),
    };
    let given = json!({"access_token": token, "token_type": "bearer", "expires_in": EXPIRES});
    Ok((no_store(), Json(given)).into_response())
}

fn is_known(file: &TokenFile, secret: &str) -> bool {
    file.tokens().find(secret).is_some()
}

/// The answer of OAuth 2 (RFC 6749, section 5.2).
fn refused(status: StatusCode, error: &str) -> Response {
    let description = match error {
        "unsupported_grant_type" => "grant_type: allowed is client_credentials",
        "invalid_client" => "client_secret: it is no token of this server's token file",
        _ => "grant_type=client_credentials and client_id are needed, in a form or in the query",
    };
    let body = json!({"error": error, "error_description": description});
    (status, no_store(), Json(body)).into_response()
}

fn no_store() -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers
}
