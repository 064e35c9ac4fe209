//! Which profiles and events an export takes.
//!
//! Membership is decided on the membership indexes of the fragments' sources, never on the records:
//! [`MembershipFilter::scan`] finds the fragments that could make a profile match, and
//! [`MembershipMatches::takes`] decides for a whole profile, where another fragment may overrule.

mod events;
mod membership;
mod profiles;

pub use events::EventFilter;
pub use membership::{MembershipFilter, MembershipMatches, SegmentFilter};
pub use profiles::ProfileFilter;
