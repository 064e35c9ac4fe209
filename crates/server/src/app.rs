use std::sync::Arc;

use profile_export::store::{Scope, Store};

use crate::metrics::Metrics;
use crate::problem::{Answer, Problem};
use crate::queue::Queue;
use crate::settings::Settings;
use crate::stores::Stores;
use crate::tokens::Tokens;

/// What all requests share.
pub(crate) struct App {
    pub(crate) settings: Settings,
    pub(crate) stores: Stores,
    pub(crate) tokens: Option<Tokens>,
    pub(crate) queue: Queue,
    pub(crate) metrics: Metrics,
    /// One for each request that is worked on.
    pub(crate) permits: tokio::sync::Semaphore,
    /// The API's description, as JSON.
    pub(crate) openapi: String,
}

impl App {
    /// Does blocking work on the store in a scope, away from the threads that move bytes.
    pub(crate) async fn on_store<T: Send + 'static>(
        self: &Arc<Self>,
        scope: &Scope,
        work: impl FnOnce(&Store) -> Answer<T> + Send + 'static,
    ) -> Answer<T> {
        let (app, scope) = (Arc::clone(self), scope.clone());
        self.blocking(move || work(&*app.stores.get(&scope)?)).await
    }

    /// Does blocking work.
    pub(crate) async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Answer<T> + Send + 'static,
    ) -> Answer<T> {
        match tokio::task::spawn_blocking(work).await {
            Ok(answer) => answer,
            Err(panic) => Err(Problem::internal(&panic)),
        }
    }
}
