//! The scheduler: looks which schedules are due, and creates their jobs, which the workers then run.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use profile_export::platform::{ScheduleRun, due_schedules, run_schedule};
use profile_export::store::Scope;
use profile_export::xdm::Timestamp;

use crate::app::App;
use crate::retry::Retry;
use crate::work::WorkError;

/// How often it looks: due times are whole seconds.
const LOOK: Duration = Duration::from_millis(500);

/// Creates the jobs of schedules until the queue is stopped. What came due while no server ran is found by the first look.
pub(crate) async fn run_schedules(app: Arc<App>) {
    let (mut looking, mut running) = (Retry::default(), HashMap::<String, Retry>::new());
    while !app.queue.is_stopping() {
        if looking.is_due() {
            let shared = Arc::clone(&app);
            let due: Result<_, WorkError> = app
                .blocking(move || Ok(due_schedules(&*shared.stores.any()?, Timestamp::now())?))
                .await;
            let due = looking
                .note("looking for schedules", due)
                .unwrap_or_default();
            running.retain(|id, _| due.iter().any(|(_, due)| due == id));
            for (scope, id) in due {
                let running = running.entry(id.clone()).or_default();
                if running.is_due() && !app.queue.is_stopping() {
                    let run = create_job(&app, scope, id.clone()).await;
                    running.note(&format!("schedule {id}"), run);
                }
            }
        }
        let _ = tokio::time::timeout(LOOK, app.queue.scheduler.notified()).await;
    }
}

async fn create_job(app: &Arc<App>, scope: Scope, id: String) -> Result<(), WorkError> {
    let (shared, schedule) = (Arc::clone(app), id.clone());
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
