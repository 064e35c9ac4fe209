//! Exports that go by themselves when newer ones are there.

use profile_export::jobs::{Keep, forget_jobs};
use profile_export::store::Store;

use crate::args::{Arguments, KeepArgs};
use crate::message::say;
use crate::output::count;

impl KeepArgs {
    /// What is kept after each job, if not all of it.
    pub fn keep(&self) -> Option<Keep> {
        let keep = Keep {
            last: self.keep_last.unwrap_or_default(),
            daily: self.keep_daily.unwrap_or_default(),
        };
        (keep != Keep::default()).then_some(keep)
    }
}

/// Forgets what is not kept, behind a job that succeeded. That job is what its caller came for: where this fails, it is
/// told and nothing else.
pub fn forget_older(arguments: &Arguments, store: &Store, keep: Option<Keep>) {
    let Some(keep) = keep else { return };
    match forget_jobs(store, &keep) {
        Ok(forgotten) if forgotten.is_empty() => {}
        Ok(forgotten) => say(
            arguments,
            &format!(
                "{} older jobs are forgotten: --keep-last {} --keep-daily {}",
                count(forgotten.len() as u64),
                keep.last,
                keep.daily
            ),
        ),
        Err(error) => say(
            arguments,
            &format!(
                "warning: older jobs could not be forgotten: {error}; store forget tries again"
            ),
        ),
    }
}
