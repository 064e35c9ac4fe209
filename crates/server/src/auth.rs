//! The four headers that every request to the API carries.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use headers::HeaderMapExt;
use headers::authorization::{Authorization, Bearer};
use profile_export::store::{Scope, Store};

use crate::app::App;
use crate::gate::{Denied, LONGEST_NAME};
use crate::problem::{Answer, Problem, cut};
use crate::token_file::TokenFile;
use crate::tokens::{Rights, Token};

/// The right to see the data of an organisation and a sandbox.
pub(crate) struct ReadAccess {
    app: Arc<App>,
    scope: Scope,
    /// The caller's, where a token file says who may come in.
    token: Option<Token>,
}

/// The right to change them, too.
pub(crate) struct WriteAccess(ReadAccess);

impl ReadAccess {
    pub(crate) async fn on_store<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Store) -> Answer<T> + Send + 'static,
    ) -> Answer<T> {
        match self.app.on_store(&self.scope, work).await {
            Err(problem) => Err(self.told_of_scopes(problem).await),
            done => done,
        }
    }

    /// Says in a problem why nothing is found, where that is why.
    async fn told_of_scopes(&self, mut problem: Problem) -> Problem {
        let is_missing = [StatusCode::BAD_REQUEST, StatusCode::NOT_FOUND].contains(&problem.status);
        if is_missing && let Some(told) = self.app.told_elsewhere(&self.scope).await {
            problem.detail = cut(problem.detail);
            problem.detail.push_str(&format!(" ({told})"));
        }
        problem
    }

    pub(crate) fn app(&self) -> &Arc<App> {
        &self.app
    }

    pub(crate) fn scope(&self) -> &Scope {
        &self.scope
    }

    /// Who asks: the name of the caller's token, where there are tokens.
    pub(crate) fn user(&self) -> &str {
        self.token.as_ref().map_or("local", |token| &token.name)
    }

    /// Whether the caller's token is good for a sandbox of its organisation.
    pub(crate) fn may_use(&self, sandbox: &str) -> bool {
        self.token
            .as_ref()
            .is_none_or(|token| token.is_for_sandbox(sandbox))
    }
}

impl std::ops::Deref for WriteAccess {
    type Target = ReadAccess;

    fn deref(&self) -> &ReadAccess {
        &self.0
    }
}

impl FromRequestParts<Arc<App>> for ReadAccess {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Answer<Self> {
        let (scope, token) = check(&parts.headers, app)?;
        app.parameters.check(parts)?;
        let app = Arc::clone(app);
        Ok(Self { app, scope, token })
    }
}

impl FromRequestParts<Arc<App>> for WriteAccess {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Answer<Self> {
        let (scope, token) = check(&parts.headers, app)?;
        if token
            .as_ref()
            .is_some_and(|token| token.rights != Rights::Write)
        {
            return Err(Problem::new(
                StatusCode::FORBIDDEN,
                "Authorization: this token may only read",
            ));
        }
        app.parameters.check(parts)?;
        let app = Arc::clone(app);
        Ok(Self(ReadAccess { app, scope, token }))
    }
}

/// Whose request it is. What stands in front of the server may have looked at the other of two.
const ONCE: [&str; 4] = [
    "authorization",
    "x-api-key",
    "x-gw-ims-org-id",
    "x-sandbox-name",
];

fn check(headers: &HeaderMap, app: &App) -> Answer<(Scope, Option<Token>)> {
    for name in ONCE {
        if headers.get_all(name).iter().nth(1).is_some() {
            return Err(Problem::bad_request(format!(
                "{name}: found more than one; a request has one"
            )));
        }
    }
    let bearer = headers.typed_get::<Authorization<Bearer>>();
    let bearer = bearer.filter(|bearer| !bearer.token().is_empty());
    let bearer = bearer.ok_or_else(|| {
        Problem::new(
            StatusCode::UNAUTHORIZED,
            "Authorization: missing or malformed; expected Bearer and a token",
        )
    })?;
    let tokens = app.tokens.as_deref().map(TokenFile::tokens);
    let known = match &tokens {
        None => None,
        Some(tokens) => Some(tokens.find(bearer.token()).ok_or_else(|| {
            Problem::new(StatusCode::UNAUTHORIZED, "Authorization: unknown token")
        })?),
    };
    text(headers, "x-api-key").map_err(|problem| Problem::new(StatusCode::FORBIDDEN, problem))?;
    let name = |header: &str| {
        let name = text(headers, header).map_err(Problem::bad_request)?;
        if name.len() > LONGEST_NAME {
            return Err(Problem::bad_request(format!(
                "{header}: longer than {LONGEST_NAME} bytes"
            )));
        }
        Ok(name.to_owned())
    };
    let org = name("x-gw-ims-org-id")?;
    let sandbox = name("x-sandbox-name")?;
    let Some(known) = known else {
        return Ok((Scope { org, sandbox }, None));
    };
    let scope = Scope { org, sandbox };
    known.check(&scope).map_err(|denied| {
        let header = match denied {
            Denied::Organisation(_) => "x-gw-ims-org-id",
            _ => "x-sandbox-name",
        };
        Problem::new(StatusCode::FORBIDDEN, format!("{header}: {denied}"))
    })?;
    tracing::debug!(token = known.name, "signed in");
    Ok((scope, Some(known.clone())))
}

/// What a header says.
///
/// # Errors
/// It is missing, empty, or not in ASCII; the error says which.
fn text<'a>(headers: &'a HeaderMap, name: &str) -> Result<&'a str, String> {
    let value = headers.get(name).map(HeaderValue::to_str);
    let value = value.transpose().map_err(|_| {
        format!("{name}: found other bytes than printable ASCII; allowed are those alone")
    })?;
    let value = value.map(str::trim).filter(|value| !value.is_empty());
    value.ok_or_else(|| format!("{name}: missing or empty"))
}
