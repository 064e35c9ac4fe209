//! Who is in which segment: the rows of a `segmentMembership` column, turned around.
//!
//! A record says which segments its person is in; an export asks which records a segment has. A
//! [`MembershipIndex`] is made once from the column (by the store when it loads, or by whoever
//! drives the engine over batches of its own) and answers that without the column:
//!
//! ```text
//!   row   segmentMembership                      segment      postings
//!   0     ups: buyers                            ups/buyers   0 realized, 2 exited
//!   1     null                              →    ups/vips     2 existing
//!   2     ups: buyers (exited), vips
//!         (existing)
//! ```
//!
//! ```
//! use profile_export_membership::{MembershipIndex, Status};
//! use serde_json::json;
//! use xdm::{segment_membership, testing};
//!
//! let column = testing::array(&segment_membership(), &[
//!     json!({"UPS": {"buyers": {}}}),
//!     json!(null),
//!     json!({"ups": {"buyers": {"status": "exited"}, "vips": {"status": "existing"}}}),
//! ]);
//! let index = MembershipIndex::from_columns(&[column]).unwrap();
//! let buyers = index.segment(0);
//! assert_eq!((buyers.namespace, buyers.id, buyers.len()), ("ups", "buyers", 2));
//! let found: Vec<_> = buyers.postings().map(|posting| (posting.row, posting.status)).collect();
//! assert_eq!(found, [(0, Status::Realized), (2, Status::Exited)]);
//! ```

mod builder;
mod index;
mod status;

pub use builder::MembershipBuilder;
pub use index::{MembershipIndex, Posting, PostingList};
pub use status::Status;
