use std::future::Future;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use axum::response::Response;
use profile_export::jobs::sweep;
use profile_export::platform::{Lookups, schemas_of_folder, sweep_incoming};
use profile_export::queries::{QueryState, fail_left_query};
use profile_export::store::{Store, StoreError};
use store::FileLock;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, oneshot};
use tokio::task::JoinSet;

use crate::app::App;
use crate::elsewhere::Inhabited;
use crate::exposure::{Door, Exposed};
use crate::gate::Gate;
use crate::metrics::Metrics;
use crate::nowhere::KnownPaths;
use crate::parameters::Parameters;
use crate::preview_list::Previews;
use crate::profile_reports::ProfileReports;
use crate::queue::Queue;
use crate::scheduler::run_schedules;
use crate::settings::Settings;
use crate::stores::Stores;
use crate::token_file::{TokenFile, watch_tokens};
use crate::tokens::TokenError;
use crate::workers::{load_batches, run_jobs, run_queries, run_segment_jobs, run_system_jobs};
use crate::{listen, routes};

/// Why a server can't start, or stopped by itself.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServerError {
    /// The store can't be opened.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The store could not be swept of what a crash left.
    #[error(transparent)]
    Platform(#[from] profile_export::platform::Error),
    /// The token file can't be used.
    #[error(transparent)]
    Tokens(#[from] TokenError),
    /// The address can't be listened on.
    #[error("{address}: {reason}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The operating system's reason.
        reason: std::io::Error,
    },
    /// Other machines reach the address, and it is not kept well enough for that.
    #[error(transparent)]
    Exposed(#[from] Exposed),
    /// The description of the API can't be written down.
    #[error("the description of the API: {0}; this is a mistake of the program")]
    Description(serde_json::Error),
    /// What works off the queue broke off.
    #[error("what works off the queue broke off: {0}; this is a mistake of the program")]
    Worker(String),
    /// Another server works on the store.
    #[error("{0} is served by another process already")]
    Busy(std::path::PathBuf),
}

/// A server that has its port and its store.
pub struct Server {
    app: Arc<App>,
    router: Router,
    listener: TcpListener,
    address: SocketAddr,
    /// Held as long as it works: one server a store works off its queue.
    lock: Arc<FileLock>,
}

impl Server {
    /// Opens the store, cleans up after a crash, and takes the port.
    ///
    /// # Errors
    /// Whatever keeps a server from starting.
    pub async fn bind(settings: Settings) -> Result<Self, ServerError> {
        let door = Door {
            is_open: settings.token_file.is_none(),
            has_tls: false,
            // Many have a proxy of their own in front; the log warns.
            allow_clear_text: true,
        };
        door.check(settings.listen)?;
        let tokens = settings
            .token_file
            .as_deref()
            .map(TokenFile::open)
            .transpose()?
            .map(Arc::new);
        let schemas = match &settings.schemas {
            Some(folder) => schemas_of_folder(folder)?,
            None => Vec::new(),
        };
        let stores = Arc::new(Stores::new(settings.store.clone()));
        let store = stores.any()?;
        let lock = lock(&store, &settings.store)?;
        sweep(&store)?;
        sweep_incoming(&store)?;
        let address = settings.listen;
        let failed = |reason| ServerError::Listen { address, reason };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        if settings.sql.is_some() {
            let ran = store.catalog().queries_in(QueryState::InProgress.word());
            for (scope, id) in ran.map_err(StoreError::from)? {
                fail_left_query(&*stores.get(&scope)?, &id)?;
            }
        }
        let (api, description) = routes::api(settings.sql.is_some());
        let app = Arc::new(App {
            permits: Arc::new(Semaphore::new(settings.max_requests)),
            deleting: Arc::default(),
            settings,
            stores,
            tokens,
            queue: Queue::default(),
            metrics: Metrics::default(),
            audiences: Mutex::default(),
            previews: Previews::default(),
            lookups: Lookups::default(),
            reports: ProfileReports::default(),
            schemas,
            parameters: Parameters::of(&description),
            inhabited: Inhabited::default(),
            paths: KnownPaths::of(&description),
            openapi: description
                .to_pretty_json()
                .map_err(ServerError::Description)?,
        });
        Ok(Self {
            router: routes::all(Arc::clone(&app), api),
            app,
            listener,
            address,
            lock: Arc::new(lock),
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Whether everybody on this machine may come in.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.app.tokens.is_none()
    }

    /// Another door to the same store, as long as this server runs.
    #[must_use]
    pub fn gate(&self) -> Gate {
        Gate::of(Arc::clone(&self.app.stores), self.app.tokens.clone())
    }

    /// Answers one request as if it had come over a connection. What it leaves to the queue waits there until
    /// the server runs.
    pub async fn answer(&self, request: Request<Body>) -> Response {
        listen::answer(self.router.clone(), request).await
    }

    /// Answers requests and works off the queue until `stop`; then it answers the requests that it has,
    /// and lets jobs finish within the grace of its settings before it cancels them. What waits goes on
    /// waiting. What does not end even then is left behind; the next server begins it again.
    ///
    /// # Errors
    /// What works off the queue broke off; what goes wrong with a request or a job is told there.
    pub async fn run(self, stop: impl Future<Output = ()>) -> Result<(), ServerError> {
        let mut workers = JoinSet::new();
        workers.spawn(run_jobs(Arc::clone(&self.app), Arc::clone(&self.lock)));
        workers.spawn(load_batches(Arc::clone(&self.app), Arc::clone(&self.lock)));
        workers.spawn(run_segment_jobs(
            Arc::clone(&self.app),
            Arc::clone(&self.lock),
        ));
        workers.spawn(run_system_jobs(
            Arc::clone(&self.app),
            Arc::clone(&self.lock),
        ));
        workers.spawn(run_queries(Arc::clone(&self.app), Arc::clone(&self.lock)));
        workers.spawn(run_schedules(Arc::clone(&self.app)));
        if self.app.tokens.is_some() {
            workers.spawn(watch_tokens(Arc::clone(&self.app)));
        }
        self.run_beside(workers, stop).await
    }

    /// Runs as long as its workers do.
    async fn run_beside(
        self,
        mut workers: JoinSet<()>,
        stop: impl Future<Output = ()>,
    ) -> Result<(), ServerError> {
        let app = self.app;
        let mut result = Ok(());
        let (stopped, told) = oneshot::channel();
        let stop = async {
            tokio::select! {
                () = stop => tracing::info!("stopping"),
                ended = workers.join_next() => {
                    let problem = match ended {
                        Some(Err(panic)) => panic.to_string(),
                        Some(Ok(())) | None => "it ended by itself".to_owned(),
                    };
                    tracing::error!(problem, "what works off the queue broke off; stopping");
                    result = Err(ServerError::Worker(problem));
                }
            }
            app.queue.stop();
            app.previews.stop();
            let _ = stopped.send(());
        };
        let listening = listen::serve(Arc::clone(&app), self.listener, self.router, stop);
        let winding_down = async {
            let _ = told.await;
            wind_down(&app).await
        };
        let ((), is_idle) = tokio::join!(listening, winding_down);
        if is_idle {
            while let Some(ended) = workers.join_next().await {
                result = result.and(ended.map_err(|panic| ServerError::Worker(panic.to_string())));
            }
        } else {
            tracing::warn!(running = app.queue.running(), "leaving what still runs");
        }
        tracing::info!("stopped");
        result
    }
}

/// How long what is cancelled may take to end.
const LAST_STEPS: Duration = Duration::from_secs(10);

/// Waits for what runs, and cancels it when the grace is over; says whether nothing runs any more.
async fn wind_down(app: &App) -> bool {
    let is_idle = async |limit: Duration| {
        let end = tokio::time::Instant::now() + limit;
        while app.queue.running() > 0 && tokio::time::Instant::now() < end {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        app.queue.running() == 0
    };
    if is_idle(app.settings.grace).await {
        return true;
    }
    tracing::warn!(running = app.queue.running(), "cancelling what still runs");
    app.queue.cancel();
    is_idle(LAST_STEPS).await
}

fn lock(store: &Store, folder: &Path) -> Result<FileLock, ServerError> {
    let path = store.layout().serve_lock();
    match FileLock::try_acquire(&path).map_err(StoreError::io(&path))? {
        Some(lock) => Ok(lock),
        None => Err(ServerError::Busy(folder.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_worker_that_broke_off_ends_the_server() {
        let folder = tempfile::tempdir().expect("a folder");
        let settings = Settings::new(folder.path(), ([127, 0, 0, 1], 0).into());
        let server = Server::bind(settings).await.expect("a server");
        let mut workers = JoinSet::new();
        workers.spawn(load_batches(
            Arc::clone(&server.app),
            Arc::clone(&server.lock),
        ));
        workers.spawn(async { panic!("a mistake") });
        let ended = server.run_beside(workers, std::future::pending()).await;
        let told = ended.expect_err("nobody stopped it").to_string();
        assert!(told.contains("a mistake"), "{told}");
    }
}
