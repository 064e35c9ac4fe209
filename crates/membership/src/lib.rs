//! Who is in which segment: the rows of a `segmentMembership` column, turned around.
//!
//! A record says which segments its person is in; an export asks which records a segment has. A
//! [`MembershipIndex`] is made once from the column (by the store when it loads, or by whoever
//! drives the engine over batches of its own) and answers that without the column.

mod index;
mod status;

pub use index::{MembershipBuilder, MembershipIndex, Posting, PostingList};
pub use status::Status;
