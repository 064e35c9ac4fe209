//! The workers: export jobs are run and incoming batches loaded in the background.

use std::sync::Arc;
use std::time::Duration;

use profile_export::export::Progress;
use profile_export::jobs::{JobStatus, RunOptions, run_job, sweep};
use profile_export::platform::{Error, load_incoming};
use profile_export::store::{BatchStatus, Scope};
use tokio::sync::Semaphore;

use crate::app::App;
use crate::problem::{Answer, Problem};
use crate::queue::Work;

/// How often the catalog is looked at for what other programs put there.
const LOOK: Duration = Duration::from_millis(500);
/// How often the jobs of programs that are gone are looked for.
const SWEEP: Duration = Duration::from_secs(10);

/// Runs export jobs, so many side by side, until the queue is stopped.
pub(crate) async fn run_jobs(app: Arc<App>) {
    let workers = Arc::new(Semaphore::new(app.settings.workers));
    let mut swept = tokio::time::Instant::now();
    loop {
        let Ok(worker) = Arc::clone(&workers).acquire_owned().await else {
            return;
        };
        if app.queue.is_stopping() {
            return;
        }
        if swept.elapsed() > SWEEP {
            swept = tokio::time::Instant::now();
            let shared = Arc::clone(&app);
            let result = app
                .blocking(move || Ok(sweep(&*shared.stores.any()?)?))
                .await;
            log(result);
        }
        let Some((scope, id)) = next_job(&app).await else {
            let _ = tokio::time::timeout(LOOK, app.queue.jobs.notified()).await;
            continue;
        };
        let work = Work::Job(id);
        let progress = app.queue.begin(work.clone());
        let app = Arc::clone(&app);
        tokio::spawn(async move {
            let shared = Arc::clone(&app);
            let result = app
                .blocking(move || run(&shared, &scope, id, &progress))
                .await;
            if result.is_err() {
                // It could not even be begun: not at once again.
                tokio::time::sleep(LOOK).await;
            }
            log(result);
            app.queue.end(&work);
            drop(worker);
            app.queue.jobs.notify_one();
        });
    }
}

/// The oldest job that waits and that nobody here has begun.
async fn next_job(app: &Arc<App>) -> Option<(Scope, i64)> {
    let shared = Arc::clone(app);
    let waiting = app
        .blocking(move || {
            // As many as run already may still say that they wait.
            let limit = u32::try_from(shared.queue.count() + 1).unwrap_or(u32::MAX);
            let waiting = shared.stores.any()?.catalog().waiting_jobs(limit)?;
            let mut new = waiting.into_iter();
            Ok(new.find(|(_, id)| !shared.queue.has(&Work::Job(*id))))
        })
        .await;
    log(waiting).flatten()
}

fn run(app: &App, scope: &Scope, id: i64, progress: &Arc<Progress>) -> Answer<()> {
    let store = app.stores.get(scope)?;
    app.metrics.running.inc();
    let result = run_job(&store, id, &RunOptions::default(), progress);
    app.metrics.running.dec();
    match result {
        Ok(finished) => {
            app.metrics
                .count_ended(JobStatus::Succeeded, finished.profiles);
            let (profiles, events) = (finished.profiles, finished.events);
            tracing::info!(job = id, profiles, events, "job succeeded");
            Ok(())
        }
        Err(error) if error.is_cancelled() => {
            app.metrics.count_ended(JobStatus::Cancelled, 0);
            tracing::info!(job = id, "job cancelled");
            Ok(())
        }
        Err(Error::JobFailed { message, .. }) => {
            app.metrics.count_ended(JobStatus::Failed, 0);
            tracing::warn!(job = id, error = message, "job failed");
            Ok(())
        }
        // Another program runs it, or somebody cancelled it before it began.
        Err(_)
            if store
                .catalog()
                .job(id)?
                .is_none_or(|job| job.status != JobStatus::New) =>
        {
            Ok(())
        }
        Err(error) => Err(Problem::internal(&error)),
    }
}

/// Loads incoming batches, one after the other, until the queue is stopped.
pub(crate) async fn load_batches(app: Arc<App>) {
    while !app.queue.is_stopping() {
        let shared = Arc::clone(&app);
        let staged = app
            .blocking(move || {
                Ok(shared
                    .stores
                    .any()?
                    .catalog()
                    .incoming_batches(BatchStatus::Staged)?)
            })
            .await;
        let Some((scope, id)) = log(staged).and_then(|staged| staged.into_iter().next()) else {
            let _ = tokio::time::timeout(LOOK, app.queue.batches.notified()).await;
            continue;
        };
        let work = Work::Batch(id.clone());
        let progress = app.queue.begin(work.clone());
        let shared = Arc::clone(&app);
        let name = id.clone();
        let result = app
            .blocking(move || {
                let store = shared.stores.get(&scope)?;
                load_incoming(&store, &name, &progress)?;
                Ok(store.catalog().batch(&name)?.map(|batch| batch.status))
            })
            .await;
        app.queue.end(&work);
        match log(result) {
            Some(status) => {
                let status = status.map(BatchStatus::word);
                tracing::info!(batch = id, status, "batch loaded");
            }
            None => tokio::time::sleep(LOOK).await,
        }
    }
}

/// Problems of the queue were logged where they arose; there is nobody else to tell.
fn log<T>(result: Answer<T>) -> Option<T> {
    result.ok()
}
