//! Which profiles and events an export takes.
//!
//! Membership is decided on the membership indexes of the fragments' sources, never on the records:
//! [`MembershipFilter::scan`] finds the fragments that could make a profile match, and
//! [`MembershipMatches::takes`] decides for a whole profile, where another fragment may overrule.
//!
//! ```
//! use gather::RowRef;
//! use membership::{MembershipIndex, Status};
//! use profile_export_filter::{MembershipFilter, SegmentFilter};
//! use serde_json::json;
//! use xdm::{segment_membership, testing};
//!
//! let column = testing::array(&segment_membership(), &[
//!     json!({"ups": {"buyers": {"status": "realized"}}}),
//!     json!({"ups": {"buyers": {"status": "exited"}}}),
//! ]);
//! let index = MembershipIndex::from_columns(&[column]).unwrap();
//! let filter = MembershipFilter {
//!     segments: vec![SegmentFilter {
//!         id: "buyers".to_owned(),
//!         namespace: None,
//!         statuses: vec![Status::Realized, Status::Existing],
//!     }],
//!     ..MembershipFilter::default()
//! };
//! let matches = filter.scan(vec![Some(index)]);
//! assert_eq!(matches.candidate_rows(0).collect::<Vec<_>>(), [0]);
//!
//! // A profile of both fragments: the better one's membership stands.
//! let [bought, left] = [RowRef::new(0, 0), RowRef::new(0, 1)];
//! assert!(matches.takes(&[bought, left]));
//! assert!(!matches.takes(&[left, bought]));
//! ```

mod events;
mod membership;
mod profiles;

pub use events::EventFilter;
pub use membership::{MembershipFilter, MembershipMatches, MembershipVerdict, SegmentFilter};
pub use profiles::ProfileFilter;
