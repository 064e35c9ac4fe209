//! What an export in shards reads is settled, and pinned.

use std::sync::Arc;
use std::time::Duration;

use catalog::new_id;
use decode::Progress;
use export::{ExportRequest, RequestError};
use store::Store;
use writer::WriterOptions;
use xdm::Timestamp;

use super::plan::{ShardPlan, plan_pinned};
use crate::error::Result;
use crate::evaluation::evaluate_for;
use crate::names::{with_ids, with_target};

/// How an export is planned.
#[derive(Clone, Debug)]
pub struct PlanOptions {
    /// How many shards there are, at least one.
    pub shards: usize,
    /// Profiles of more identities are left out, where the merge policy has an identity graph.
    pub max_identities: Option<u32>,
    /// How files are written.
    pub writer: WriterOptions,
    /// How long the store keeps what the plan reads, if nobody ends it sooner; [`PlanOptions::WEEK`] will mostly do.
    pub keep_for: Duration,
}

impl PlanOptions {
    /// Seven days.
    pub const WEEK: Duration = Duration::from_secs(7 * 24 * 60 * 60);
    /// How many shards there may be: each is an entry of the plan, and a folder.
    pub const MOST_SHARDS: usize = 100_000;
    /// The longest time: a plan that is forgotten must not keep runs for ever.
    pub const YEAR: Duration = Duration::from_secs(366 * 24 * 60 * 60);
}

/// Plans an export of a store, as it is now: segments are evaluated first, where the request asks for that. The store keeps
/// what the plan reads until the plan is committed or aborted, or that time is over.
///
/// # Errors
/// A request that can't be done as asked, or not in shards; a damaged store; the catalog can't be written.
pub fn plan_shards(
    store: &Store,
    request: &ExportRequest,
    options: &PlanOptions,
    progress: &Arc<Progress>,
) -> Result<ShardPlan> {
    if !(1..=PlanOptions::MOST_SHARDS).contains(&options.shards) {
        let problem = format!(
            "found {}; allowed is 1 or more, up to {}",
            options.shards,
            PlanOptions::MOST_SHARDS
        );
        return Err(RequestError::new("shards", problem).into());
    }
    if options.keep_for > PlanOptions::YEAR {
        let problem = format!(
            "found {} s; allowed are {} at the most, a year",
            options.keep_for.as_secs(),
            PlanOptions::YEAR.as_secs()
        );
        return Err(RequestError::new("keep_for", problem).into());
    }
    let request = with_target(store, &with_ids(store.catalog(), request)?)?;
    crate::jobs::check_target(store.catalog(), &request.destination.dataset_id)?;
    evaluate_for(store, &request, progress)?;
    let (id, created) = (new_id(), Timestamp::now());
    let keep_for = i64::try_from(options.keep_for.as_millis()).unwrap_or(i64::MAX);
    let expires = Timestamp::from_millis(created.millis().saturating_add(keep_for));
    let pin = store.catalog().pin_plan(&id, expires)?;
    let times = (id.clone(), created, expires);
    let planned = plan_pinned(store, (&request, pin.generation), options, times, progress);
    if planned.is_err() {
        // What can't be let go of now ends by itself.
        let _ = store.catalog().unpin_plan(&id);
    }
    planned
}
