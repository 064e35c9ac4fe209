//! Who is in a segment, by its expression: asked, or written as memberships.

mod changes;
mod definitions;
mod estimate;
mod evaluate;
mod explain;
mod job;
mod pass;
mod spool;
mod standing;

pub use definitions::{
    check_definition, expression_of, expression_schema, has_expression, misfit, policy_of_segment,
};
pub use estimate::{Estimate, estimate, estimate_by_namespace, first_members, overlap};
pub(crate) use evaluate::{evaluate_for, id_of};
pub use explain::{ExplainedPart, SegmentExplanation, StoredMembership, explain_segment};
pub(crate) use job::create_scheduled_job;
pub use job::{
    SegmentJob, SegmentJobMetrics, SegmentJobSegment, SegmentJobTarget, create_segment_job,
    delete_segment_job, evaluate_segments, run_segment_job, segment_job, segment_jobs,
};
pub use pass::Audience;
