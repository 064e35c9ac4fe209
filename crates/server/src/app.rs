use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use profile_export::platform::{Lookups, Resource};
use profile_export::store::{Scope, Store};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinError;

use crate::elsewhere::Inhabited;
use crate::local::CountedAudiences;
use crate::metrics::Metrics;
use crate::nowhere::KnownPaths;
use crate::parameters::Parameters;
use crate::preview_list::Previews;
use crate::problem::{Answer, Problem};
use crate::profile_reports::ProfileReports;
use crate::queue::Queue;
use crate::settings::Settings;
use crate::stores::Stores;
use crate::token_file::TokenFile;

/// What all requests share.
pub(crate) struct App {
    pub(crate) settings: Settings,
    pub(crate) stores: Arc<Stores>,
    pub(crate) tokens: Option<Arc<TokenFile>>,
    pub(crate) queue: Queue,
    pub(crate) metrics: Metrics,
    /// One for each piece of work on a store. Who waits for a body, or sends one, needs none.
    pub(crate) permits: Arc<Semaphore>,
    /// Deletions wait for each other: one that waits for a load or an evaluation must not keep the permits of others.
    pub(crate) deleting: Arc<tokio::sync::Mutex<()>>,
    /// What was counted of audiences, for as long as it holds.
    pub(crate) audiences: Mutex<CountedAudiences>,
    /// Expressions whose people are looked for.
    pub(crate) previews: Previews,
    /// Profiles that are looked up, prepared.
    pub(crate) lookups: Lookups,
    /// What profiles are made of, for as long as it holds.
    pub(crate) reports: ProfileReports,
    /// What the schema registry has beside what is always there.
    pub(crate) schemas: Vec<Resource>,
    /// What queries may say.
    pub(crate) parameters: Parameters,
    /// The organisations and sandboxes that are known to have something.
    pub(crate) inhabited: Inhabited,
    /// Which paths there are.
    pub(crate) paths: KnownPaths,
    /// The API's description, as JSON.
    pub(crate) openapi: String,
}

impl App {
    pub(crate) fn counted_audiences(&self) -> MutexGuard<'_, CountedAudiences> {
        self.audiences
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Does blocking work on the store in a scope, away from the threads that move bytes. What is too
    /// much at a time waits.
    pub(crate) async fn on_store<T: Send + 'static>(
        self: &Arc<Self>,
        scope: &Scope,
        work: impl FnOnce(&Store) -> Answer<T> + Send + 'static,
    ) -> Answer<T> {
        let permit = self.permit().await?;
        let (app, scope) = (Arc::clone(self), scope.clone());
        self.blocking(move || {
            // Until the work is done, whether or not its client still waits.
            let _permit = permit;
            work(&*app.stores.get(&scope)?)
        })
        .await
    }

    async fn permit(&self) -> Answer<OwnedSemaphorePermit> {
        let permit = Arc::clone(&self.permits).acquire_owned();
        match tokio::time::timeout(self.settings.request_timeout, permit).await {
            Ok(permit) => permit.map_err(|closed| Problem::internal(&closed)),
            Err(_) => Err(Problem::busy("too many requests at a time")),
        }
    }

    /// Does blocking work, however much there is.
    pub(crate) async fn blocking<T: Send + 'static, E: From<JoinError> + Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, E> + Send + 'static,
    ) -> Result<T, E> {
        tokio::task::spawn_blocking(work).await?
    }
}
