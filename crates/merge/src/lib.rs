//! Merging: which fragments make a profile, and whose value wins.
//!
//! A [`MergePolicy`] orders a profile's fragments; [`merge`] then goes leaf by leaf through the
//! columns that are asked for, finds each profile's winning row, and gathers:
//!
//! ```text
//!   profile   fragments, best first     name           points
//!   0         (0,4) (2,1)               (0,4) "Ann"    (2,1) 30      ← (0,4) has no points
//!   1         (1,0)                     (1,0) "Bob"    null
//! ```

mod attributes;
mod groups;
mod policy;
mod priority;
mod union;

pub use attributes::{MergedFields, merge};
pub use groups::Groups;
pub use policy::{
    AttributeMerge, AttributeMergeType, IdentityGraph, IdentityGraphType, MergePolicy,
    PolicyProblem, SchemaName,
};
pub use priority::{Fragment, Precedence};
