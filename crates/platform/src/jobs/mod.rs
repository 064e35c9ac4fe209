//! The life of an export job: created, run by exactly one process, finished, failed or cancelled.

mod batch_names;
mod cancel;
mod create;
mod delete;
mod goal;
mod list;
mod name_template;
mod object;
mod retry;
mod run;
mod since;
mod staging;
mod watch;

pub use batch_names::BatchNames;
pub(crate) use batch_names::{NamedExport, PARTITION, batch_of};
pub use cancel::{CancelOutcome, cancel_job};
pub use create::{check_target, create_job};
pub(crate) use create::{create_waiting, ensure_target, plan_job};
pub use delete::{Keep, delete_job, forget_job, forget_jobs, jobs_to_forget};
pub(crate) use goal::{PREFIX, make_locked, sweep_goal};
pub use list::{JobLink, JobList, JobPage, JobPageInfo, list_jobs};
pub use name_template::NameTemplate;
pub use object::{
    Job, JobBatch, JobDestination, JobError, JobGateway, JobMetrics, JobSegment, JobTime,
    LargeProfile, LargeProfiles,
};
pub use retry::retry_job;
pub use run::{ExportedBatch, FinishedJob, RunOptions, run_job, run_request, what_it_said};
pub(crate) use run::{MOST_REPEATED, batch_file, run_shards, stated};
pub use since::JobChanges;
pub(crate) use since::without_earlier_jobs;
pub use staging::sweep;
pub(crate) use watch::while_looking;
pub use watch::{JobProgress, get_job, job_progress};
