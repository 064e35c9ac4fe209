//! The workers: export jobs are run and incoming batches loaded in the background.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use profile_export::export::Progress;
use profile_export::jobs::{JobStatus, RunOptions, forget_jobs, run_job, sweep};
use profile_export::platform::{Error, ErrorKind, load_incoming, run_segment_job, run_system_job};
use profile_export::queries::{
    QueryEnd, QueryProblem, QueryState, SqlQuery, begin_query, end_query,
};
use profile_export::store::{Batch, BatchStatus, Scope, Store};
use store::FileLock;
use tokio::sync::Semaphore;

use crate::app::App;
use crate::queue::Line;
use crate::retry::Retry;
use crate::sql_runner::SqlRunner;
use crate::work::{WorkError, on_a_thread, what_it_said};

/// How often the catalog is looked at for what other programs put there.
const LOOK: Duration = Duration::from_millis(500);
/// How often the jobs of programs that are gone are looked for.
const SWEEP: Duration = Duration::from_secs(10);

/// Runs export jobs, so many side by side, until the queue is stopped.
///
/// What runs keeps `lock`, the store's, even where the server ends without it.
pub(crate) async fn run_jobs(app: Arc<App>, lock: Arc<FileLock>) {
    let workers = Arc::new(Semaphore::new(app.settings.workers));
    let (mut looking, mut sweeping) = (Retry::default(), Retry::default());
    let mut swept = Instant::now();
    loop {
        let Ok(worker) = Arc::clone(&workers).acquire_owned().await else {
            return;
        };
        if app.queue.is_stopping() {
            return;
        }
        if swept.elapsed() > SWEEP && sweeping.is_due() {
            swept = Instant::now();
            sweep_jobs(&app, &mut sweeping).await;
        }
        let Some((scope, id)) = next_job(&app, &mut looking).await else {
            app.queue.jobs.wait(LOOK).await;
            continue;
        };
        let progress = app.queue.jobs.begin(&scope, &id);
        let (app, lock) = (Arc::clone(&app), Arc::clone(&lock));
        tokio::spawn(async move {
            let shared = Arc::clone(&app);
            let work = move || {
                let _lock = lock;
                run(&shared, &scope, id, &progress)
            };
            let result = on_a_thread(work).await;
            app.queue.jobs.end(&id, result);
            drop(worker);
            app.queue.jobs.wake();
        });
    }
}

async fn sweep_jobs(app: &Arc<App>, sweeping: &mut Retry) {
    let shared = Arc::clone(app);
    let swept: Result<_, WorkError> = app
        .blocking(move || Ok(sweep(&*shared.stores.any()?)?))
        .await;
    sweeping.note("sweeping jobs", swept);
}

/// The job that is to begin next: sandboxes take turns, each with its oldest.
async fn next_job(app: &Arc<App>, looking: &mut Retry) -> Option<(Scope, i64)> {
    if !looking.is_due() {
        return None;
    }
    let shared = Arc::clone(app);
    let waiting: Result<_, WorkError> = app
        .blocking(move || {
            // All that were begun here may still say that they wait, and be of one sandbox.
            let limit = u32::try_from(shared.queue.jobs.count() + 1).unwrap_or(u32::MAX);
            Ok(shared.stores.any()?.catalog().waiting_jobs(limit)?)
        })
        .await;
    app.queue
        .jobs
        .next(looking.note("looking for jobs", waiting)?)
}

fn run(app: &App, scope: &Scope, id: i64, progress: &Arc<Progress>) -> Result<(), WorkError> {
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
            forget_older(app, &store);
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
        Err(error) => {
            let job = store.catalog().job(id)?;
            if job.is_some_and(|job| job.status == JobStatus::New) {
                return Err(error.into());
            }
            // Another program runs it, or somebody cancelled it before it began.
            tracing::info!(job = id, %error, "job left to others");
            Ok(())
        }
    }
}

/// Forgets the finished jobs that are not kept. What can't be forgotten now is so behind the next job.
fn forget_older(app: &App, store: &Store) {
    let Some(keep) = &app.settings.keep else {
        return;
    };
    match forget_jobs(store, keep) {
        Ok(forgotten) => {
            for job in forgotten {
                tracing::info!(job = job.id, "older job forgotten");
            }
        }
        Err(error) => tracing::warn!(%error, "older jobs could not be forgotten"),
    }
}

/// What waits, by ID and whose it is.
type Waiting = Vec<(Scope, String)>;

/// Work that is done one piece after the other.
struct OneByOne {
    line: fn(&App) -> &Line<String>,
    /// What is done where that fails, as it is told.
    looking: &'static str,
    /// What waits, of all sandboxes.
    waiting: fn(&Store) -> Result<Waiting, WorkError>,
    work: fn(&App, &Scope, &str, &Arc<Progress>) -> Result<(), WorkError>,
}

impl OneByOne {
    /// Does what waits until the queue is stopped.
    ///
    /// What runs keeps `lock`, as above.
    async fn run(self, app: Arc<App>, lock: Arc<FileLock>) {
        let mut looking = Retry::default();
        while !app.queue.is_stopping() {
            let line = (self.line)(&app);
            let Some((scope, id)) = self.next(&app, &mut looking).await else {
                line.wait(LOOK).await;
                continue;
            };
            let progress = line.begin(&scope, &id);
            let (shared, lock, name) = (Arc::clone(&app), Arc::clone(&lock), id.clone());
            let work = self.work;
            let result = on_a_thread(move || {
                let _lock = lock;
                work(&shared, &scope, &name, &progress)
            });
            line.end(&id, result.await);
        }
    }

    /// What is to be done next, in the same way as of jobs.
    async fn next(&self, app: &Arc<App>, looking: &mut Retry) -> Option<(Scope, String)> {
        if !looking.is_due() {
            return None;
        }
        let (shared, waiting) = (Arc::clone(app), self.waiting);
        let waiting: Result<_, WorkError> =
            app.blocking(move || waiting(&*shared.stores.any()?)).await;
        (self.line)(app).next(looking.note(self.looking, waiting)?)
    }
}

/// Runs segment jobs, one after the other, until the queue is stopped.
pub(crate) async fn run_segment_jobs(app: Arc<App>, lock: Arc<FileLock>) {
    let jobs = OneByOne {
        line: |app| &app.queue.segment_jobs,
        looking: "looking for segment jobs",
        waiting: |store| Ok(store.catalog().waiting_segment_jobs()?),
        work: evaluate,
    };
    jobs.run(app, lock).await;
}

fn evaluate(app: &App, scope: &Scope, id: &str, progress: &Arc<Progress>) -> Result<(), WorkError> {
    let store = app.stores.get(scope)?;
    let job = match run_segment_job(&store, id, progress) {
        Ok(job) => job,
        // Another program runs it, or somebody cancelled it before it began.
        Err(error) if matches!(error.kind(), ErrorKind::Conflict | ErrorKind::NotFound) => {
            tracing::info!(job = id, %error, "segment job left to others");
            return Ok(());
        }
        Err(error) => return Err(error.into()),
    };
    let error = job.errors.first().map(|error| error.msg.as_str());
    tracing::info!(job = id, status = %job.status, error, "segment job ended");
    Ok(())
}

/// Does system jobs, one after the other, until the queue is stopped: also those that were left behind.
pub(crate) async fn run_system_jobs(app: Arc<App>, lock: Arc<FileLock>) {
    let jobs = OneByOne {
        line: |app| &app.queue.system_jobs,
        looking: "looking for system jobs",
        waiting: |store| Ok(store.catalog().open_system_jobs()?),
        work: delete,
    };
    jobs.run(app, lock).await;
}

fn delete(app: &App, scope: &Scope, id: &str, progress: &Arc<Progress>) -> Result<(), WorkError> {
    let store = app.stores.get(scope)?;
    match run_system_job(&store, id, progress) {
        Ok(job) => {
            let metrics = job.metrics.as_deref();
            tracing::info!(job = id, status = ?job.status, metrics, "system job ended");
            Ok(())
        }
        // Somebody forgot it meanwhile, or the server stops.
        Err(error) if error.kind() == ErrorKind::NotFound || error.is_cancelled() => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Runs queries, so many side by side, until the queue is stopped: where there is something that runs them.
pub(crate) async fn run_queries(app: Arc<App>, lock: Arc<FileLock>) {
    let Some(sql) = app.settings.sql.clone() else {
        // Those that wait go on waiting.
        while !app.queue.is_stopping() {
            app.queue.queries.wait(LOOK).await;
        }
        return;
    };
    let workers = Arc::new(Semaphore::new(app.settings.workers));
    let mut looking = Retry::default();
    loop {
        let Ok(worker) = Arc::clone(&workers).acquire_owned().await else {
            return;
        };
        if app.queue.is_stopping() {
            return;
        }
        let Some((scope, id)) = next_query(&app, &mut looking).await else {
            app.queue.queries.wait(LOOK).await;
            continue;
        };
        let progress = app.queue.queries.begin(&scope, &id);
        let (app, lock, sql) = (Arc::clone(&app), Arc::clone(&lock), Arc::clone(&sql));
        tokio::spawn(async move {
            let (shared, name) = (Arc::clone(&app), id.clone());
            let work = move || {
                let _lock = lock;
                run_query(&shared, &*sql, &scope, &name, &progress)
            };
            let result = on_a_thread(work).await;
            app.queue.queries.end(&id, result);
            drop(worker);
            app.queue.queries.wake();
        });
    }
}

async fn next_query(app: &Arc<App>, looking: &mut Retry) -> Option<(Scope, String)> {
    if !looking.is_due() {
        return None;
    }
    let shared = Arc::clone(app);
    let waiting: Result<_, WorkError> = app
        .blocking(move || {
            let waits = QueryState::Submitted.word();
            Ok(shared.stores.any()?.catalog().queries_in(waits)?)
        })
        .await;
    app.queue
        .queries
        .next(looking.note("looking for queries", waiting)?)
}

fn run_query(
    app: &App,
    sql: &dyn SqlRunner,
    scope: &Scope,
    id: &str,
    progress: &Progress,
) -> Result<(), WorkError> {
    let store = app.stores.get(scope)?;
    let work = match begin_query(&store, id) {
        Ok(work) => work,
        // Somebody cancelled it meanwhile, or what it names is gone, which it says.
        Err(error) if error.kind().told_outside().is_none() => {
            tracing::info!(query = id, %error, "query not run");
            return Ok(());
        }
        Err(error) => return Err(error.into()),
    };
    let begun = Instant::now();
    let run = AssertUnwindSafe(|| sql.run(&store, &work, progress));
    let end = catch_unwind(run).unwrap_or_else(|panic| {
        tracing::error!(
            query = id,
            problem = what_it_said(&*panic),
            "a query broke off; this is a mistake of the program"
        );
        let said = "the program made a mistake; the server's log says which";
        QueryEnd::failed(QueryProblem::new("XX000", said))
    });
    let took = i64::try_from(begun.elapsed().as_millis()).unwrap_or(i64::MAX);
    let ended = note_end(app, &store, id, took, &end)?;
    let error = ended.errors.first().map(|error| error.message.as_str());
    let (state, rows) = (ended.state.word(), ended.row_count);
    tracing::info!(query = id, state, rows, error, "query ended");
    Ok(())
}

/// Notes how a query ended, until that is noted: nobody else would, and it would seem to run for ever.
fn note_end(
    app: &App,
    store: &Store,
    id: &str,
    took: i64,
    end: &QueryEnd,
) -> Result<SqlQuery, Error> {
    let mut noting = Retry::default();
    loop {
        let error = match end_query(store, id, took, end.clone()) {
            // Somebody else did.
            Err(error) if error.kind().told_outside().is_some() => error,
            noted => return noted,
        };
        // What is left then is found by the next server.
        if app.queue.is_stopping() {
            return Err(error);
        }
        noting.failed(format_args!("noting the end of query {id}"), error);
        while !noting.is_due() && !app.queue.is_stopping() {
            std::thread::sleep(LOOK);
        }
    }
}

/// Loads incoming batches, one after the other, until the queue is stopped.
pub(crate) async fn load_batches(app: Arc<App>, lock: Arc<FileLock>) {
    let batches = OneByOne {
        line: |app| &app.queue.batches,
        looking: "looking for batches",
        waiting: |store| Ok(store.catalog().incoming_batches(BatchStatus::Staged)?),
        work: load,
    };
    batches.run(app, lock).await;
}

fn load(app: &App, scope: &Scope, id: &str, progress: &Arc<Progress>) -> Result<(), WorkError> {
    let store = app.stores.get(scope)?;
    load_incoming(&store, id, progress)?;
    let mut staged = store
        .catalog()
        .incoming_batches(BatchStatus::Staged)?
        .into_iter();
    if staged.any(|(_, staged)| staged == id) {
        if progress.is_cancelled() {
            tracing::info!(batch = id, "batch put back in line");
            return Ok(());
        }
        return Err(WorkError::NothingDone);
    }
    match store.catalog().batch(id)? {
        Some(batch) if batch.status == BatchStatus::Success => {
            let records = batch.metrics.records_written;
            tracing::info!(batch = id, records, "batch loaded");
        }
        Some(batch) if batch.status == BatchStatus::Failed => {
            let error = why_it_failed(&batch);
            tracing::warn!(batch = id, error, "batch failed");
        }
        other => {
            let status = other.map(|batch| batch.status.word());
            tracing::info!(batch = id, status, "batch left to others");
        }
    }
    Ok(())
}

/// What went wrong, in the words that are for who runs the store.
fn why_it_failed(batch: &Batch) -> Option<&str> {
    let error = batch.errors.as_ref()?.first()?;
    Some(error.cause.as_ref().unwrap_or(&error.description))
}
