//! The scheduler: looks which schedules are due, and creates their jobs and queries, which the workers then run.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use profile_export::platform::{Error, ScheduleRun, due_schedules, run_schedule};
use profile_export::queries::{due_query_schedules, run_query_schedule};
use profile_export::store::{Scope, Store};
use profile_export::xdm::Timestamp;

use crate::app::App;
use crate::retry::Retry;
use crate::work::WorkError;

/// How often it looks: due times are whole seconds.
const LOOK: Duration = Duration::from_millis(500);

/// Creates the jobs of schedules until the queue is stopped. What came due while no server ran is found by the first look.
pub(crate) async fn run_schedules(app: Arc<App>) {
    let [mut jobs, mut queries] = ["schedule", "query schedule"].map(Line::new);
    while !app.queue.is_stopping() {
        jobs.create(&app, due_schedules, create_job).await;
        if app.settings.sql.is_some() {
            queries
                .create(&app, due_query_schedules, create_query)
                .await;
        }
        let _ = tokio::time::timeout(LOOK, app.queue.scheduler.notified()).await;
    }
}

/// Schedules that are due, each with its sandbox.
type Due = Vec<(Scope, String)>;

/// Schedules of one kind, and which of them failed.
struct Line {
    /// What one is called.
    name: &'static str,
    looking: Retry,
    each: HashMap<String, Retry>,
}

impl Line {
    fn new(name: &'static str) -> Self {
        Self {
            name,
            looking: Retry::default(),
            each: HashMap::new(),
        }
    }

    /// Creates what is due: one that fails keeps no other one back.
    async fn create<F: Future<Output = Result<(), WorkError>>>(
        &mut self,
        app: &Arc<App>,
        due: fn(&Store, Timestamp) -> Result<Due, Error>,
        create: fn(Arc<App>, Scope, String) -> F,
    ) {
        if !self.looking.is_due() {
            return;
        }
        let shared = Arc::clone(app);
        let found: Result<_, WorkError> = app
            .blocking(move || Ok(due(&*shared.stores.any()?, Timestamp::now())?))
            .await;
        let looking = format!("looking for what a {} creates", self.name);
        let found = self.looking.note(&looking, found).unwrap_or_default();
        self.each
            .retain(|id, _| found.iter().any(|(_, due)| due == id));
        for (scope, id) in found {
            let retry = self.each.entry(id.clone()).or_default();
            if retry.is_due() && !app.queue.is_stopping() {
                let created = create(Arc::clone(app), scope, id.clone()).await;
                retry.note(&format!("{} {id}", self.name), created);
            }
        }
    }
}

/// Creates the query of a schedule that is due.
async fn create_query(app: Arc<App>, scope: Scope, id: String) -> Result<(), WorkError> {
    let (shared, schedule) = (Arc::clone(&app), id.clone());
    let made = app.blocking(move || {
        let store = shared.stores.get(&scope)?;
        Ok::<_, WorkError>(run_query_schedule(&store, &schedule, Timestamp::now())?)
    });
    if let Some(query) = made.await? {
        tracing::info!(schedule = id, query = query.id, "scheduled query created");
        app.queue.wake();
    }
    Ok(())
}

async fn create_job(app: Arc<App>, scope: Scope, id: String) -> Result<(), WorkError> {
    let (shared, schedule) = (Arc::clone(&app), id.clone());
    let run = app.blocking(move || {
        let store = shared.stores.get(&scope)?;
        Ok::<_, WorkError>(run_schedule(&store, &schedule, Timestamp::now())?)
    });
    match run.await? {
        ScheduleRun::Created(job) => {
            tracing::info!(schedule = id, %job, "scheduled job created");
            app.queue.wake();
        }
        ScheduleRun::Refused(error) => {
            tracing::warn!(schedule = id, %error, "no job could be created; the schedule goes on at its next time");
        }
        ScheduleRun::Nothing => {}
    }
    Ok(())
}
