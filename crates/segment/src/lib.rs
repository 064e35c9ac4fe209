//! Who is in a segment: expressions of PQL over Arrow record batches of profiles and their events.
//!
//! Rows come as an export streams them: a column for each field of the profile, and the events of each profile as a
//! list in [`EVENTS`]. An [`Evaluation`] says for each chunk of them who is in which of its segments. Conditions are
//! bitmaps over all rows of a chunk; the items of lists are rows of a frame of their own, so that a condition about
//! events is worked out once for all events of all profiles. What several segments ask is worked out once.
//!
//! ```
//! use std::sync::Arc;
//!
//! use arrow::array::{Int64Array, RecordBatch, StringArray};
//! use pql::{Fields, Schema, Type};
//! use profile_export_segment::{Evaluation, Segment};
//! use xdm::Timestamp;
//!
//! let schema = Schema {
//!     profile: Fields::new([("country", Type::String), ("points", Type::Integer)]),
//!     event: Fields::default(),
//! };
//! let rows = RecordBatch::try_from_iter([
//!     ("country", Arc::new(StringArray::from(vec![Some("US"), None, Some("CA")])) as _),
//!     ("points", Arc::new(Int64Array::from(vec![10, 20, 30])) as _),
//! ])?;
//! let american = Segment::parse("american", r#"country = "US""#, &schema)?;
//! let other = Segment::parse("other", r#"not inSegment("american") and points > 15"#, &schema)?;
//! let members = Evaluation::new(vec![other, american], Timestamp::now())?.members(&rows)?;
//! assert_eq!(members[0].iter().collect::<Vec<_>>(), [false, true, true]);
//! assert_eq!(members[1].iter().collect::<Vec<_>>(), [true, false, false]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod column;
mod error;
mod evaluate;
mod frame;
mod schema;
mod segment;
mod windows;

pub use error::{Error, Result};
pub use schema::schema_of;
pub use segment::{EVENTS, Evaluation, Segment};
