//! The life of an export job: created, run by exactly one process, finished, failed or cancelled.

mod control;
mod create;
mod object;
mod run;
mod staging;
mod watch;

pub use control::{CancelOutcome, JobPage, cancel_job, list_jobs};
pub use create::create_job;
pub(crate) use create::ensure_target;
pub use object::now_millis;
pub(crate) use object::set;
pub use run::{Finished, RunOptions, run_job};
pub use staging::sweep;
pub use watch::{JobProgress, job_progress, show_job};
