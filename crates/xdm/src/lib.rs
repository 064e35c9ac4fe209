//! The vocabulary of Profile Export: identities, timestamps, field paths and the types of XDM fields.
//!
//! Nothing here does I/O. Every other crate speaks in these words.
//!
//! ```
//! use profile_export_xdm::{FieldPath, PersonKey};
//!
//! // Namespaces compare without regard to ASCII case, ids exactly.
//! assert_eq!(PersonKey::of("Email", "ann@example.com"), PersonKey::of("EMAIL", "ann@example.com"));
//! assert_ne!(PersonKey::of("Email", "ann@example.com"), PersonKey::of("Email", "Ann@example.com"));
//!
//! let paths = FieldPath::parse_list("identities.id, personalEmail.address").unwrap();
//! assert_eq!(paths[1].parts(), ["personalEmail", "address"]);
//! ```

mod class;
mod dataset;
mod identity;
mod json_schema;
mod namespaces;
mod nearest;
mod path;
mod recency;
mod schema;
mod spelling;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
mod time;
mod types;

pub use class::{
    Class, IDENTITY_MAP, SEGMENT_MEMBERSHIP, SEGMENT_NAMESPACE, TIME_SERIES_EVENTS, identity_map,
    segment_membership, standard_child,
};
pub use dataset::{Dataset, DatasetError, PrimaryIdentity};
pub use identity::{Identity, PersonKey, digest128, is_identity};
pub use json_schema::{
    FieldNames, flat_json_schema_properties, json_schema_properties, sample_record,
};
pub use namespaces::Namespaces;
pub use nearest::nearest;
pub use path::{FieldPath, PathError, quote_part};
pub use recency::Recency;
pub use schema::{SchemaError, fields_from_json_schema};
pub use spelling::{Spelling, spelling};
pub use time::{Timestamp, epoch_millis, parse_date};
pub use types::{FieldType, Fields, TypeConflict, list_of, map_of};
