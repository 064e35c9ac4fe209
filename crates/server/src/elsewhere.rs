//! Who asks for an organisation or a sandbox that has nothing is told which have something: there, a list is empty and an ID
//! leads nowhere, and nothing else says why. Not where a token file says who may know.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::Response;
use profile_export::store::Scope;

use crate::app::App;

/// How many organisations and sandboxes are named.
const MOST_NAMED: usize = 5;

/// The scopes that are known to have something, so that the catalog is asked for others alone.
#[derive(Default)]
pub(crate) struct Inhabited(Mutex<HashSet<Scope>>);

impl App {
    /// What to tell who asks in a scope; `None` where it has something, where nothing has, and where that can't be looked up.
    pub(crate) async fn told_elsewhere(self: &Arc<Self>, scope: &Scope) -> Option<String> {
        let known = |app: &Self| {
            let known = app.inhabited.0.lock();
            known
                .unwrap_or_else(PoisonError::into_inner)
                .contains(scope)
        };
        if self.tokens.is_some() || known(self) {
            return None;
        }
        let scopes = self.on_store(scope, |store| Ok(store.catalog().scopes()?));
        let scopes = scopes.await.ok()?;
        if scopes.contains(scope) {
            let mut known = self
                .inhabited
                .0
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            known.insert(scope.clone());
            return None;
        }
        if scopes.is_empty() {
            return None;
        }
        let named = scopes.iter().take(MOST_NAMED);
        let named = named.map(|known| format!("{} {}", known.org, known.sandbox));
        let others = if scopes.len() > MOST_NAMED {
            " and others"
        } else {
            ""
        };
        Some(format!(
            "nothing is kept for x-gw-ims-org-id {:?} and x-sandbox-name {:?}; there is something for {}{others}",
            scope.org,
            scope.sandbox,
            named.collect::<Vec<_>>().join(", "),
        ))
    }
}

/// Whose list a request asks for, if it asks for one.
pub(crate) fn scope_of_list(method: &Method, route: &str, headers: &HeaderMap) -> Option<Scope> {
    let text = |name: &str| Some(headers.get(name)?.to_str().ok()?.trim().to_owned());
    let is_list = *method == Method::GET && route.starts_with("/data/") && !route.contains('{');
    is_list.then_some(())?;
    Some(Scope {
        org: text("x-gw-ims-org-id")?,
        sandbox: text("x-sandbox-name")?,
    })
}

/// Tells it in a header of a list, which has no other place for it.
pub(crate) async fn warn(app: &Arc<App>, scope: &Scope, response: &mut Response) {
    if response.status() != StatusCode::OK {
        return;
    }
    let Some(told) = app.told_elsewhere(scope).await else {
        return;
    };
    let text = told.replace(['"', '\\'], "'");
    // A name that no header can have is left out with the rest.
    if let Ok(text) = HeaderValue::from_str(&format!("299 profile-export \"{text}\"")) {
        response.headers_mut().insert(header::WARNING, text);
    }
}
