//! One export by many machines: a plan that says all that a shard needs, shards that are made wherever there is a core, and
//! a commit that shows them all at once.
//!
//! Whoever makes a shard reads the plan and the files of the runs that it names, and never the catalog: these files do not
//! change, so a shared folder does. An attempt at a shard writes into a folder of its own, hidden in the folder of the
//! export, and its manifest last; so one that dies, comes twice or late is never seen. The commit takes one finished attempt
//! of each shard, and is a job: its files are links to those of the attempts, so a commit that dies can be done again.
//!
//! A place that is no folder ([`ShardPlace`]) has the same attempts below the same names; what its commit shows is no job.

mod attempt;
mod commit;
mod finished;
mod place;
mod plan;
mod planning;
mod without_job;

pub use attempt::{ShardFile, ShardManifest, run_shard, run_shard_in};
pub use commit::{abort_pinned, abort_plan, commit_plan};
pub use finished::FinishedShards;
pub use place::{FoundFile, ShardPlace};
pub use plan::ShardPlan;
pub use planning::{PlanOptions, plan_shards};
pub use without_job::{
    Committed, GatheredBatch, abort_without_job, commit_without_job, keep_plan, keep_plan_in,
};
