//! Which fields an export has, and in what shape.
//!
//! A [`Projection`] is made once from the request's paths and the union schema; it says which fields
//! must be read ([`Projection::needed`]), what comes out ([`Projection::output`]) and how the one
//! becomes the other ([`Projection::apply`]).
//!
//! ```
//! use profile_export_projection::Projection;
//! use serde_json::json;
//! use xdm::{FieldPath, FieldType, testing};
//!
//! let name = testing::object([("first", FieldType::String), ("last", FieldType::String)]);
//! let person = testing::object([("name", name), ("age", testing::LONG)]);
//! let union = testing::fields([("_id", FieldType::String), ("person", person)]);
//!
//! let paths = FieldPath::parse_list("person.name.last").unwrap();
//! let projection = Projection::new(&paths, &union).unwrap();
//! let needed = projection.needed().get("person").unwrap();
//! let merged = testing::array(needed, &[json!({"name": {"last": "Lee"}}), json!(null)]);
//! let output = projection.apply(vec![("person".to_owned(), merged)]).unwrap();
//! assert_eq!(testing::values(&output[0].1), [json!({"name": {"last": "Lee"}}), json!(null)]);
//!
//! let wrong = FieldPath::parse_list("person.nmae").unwrap();
//! let error = Projection::new(&wrong, &union).unwrap_err();
//! assert!(error.to_string().ends_with("did you mean person.name?"));
//! ```

mod apply;
mod error;
mod events;
mod projection;
mod shape;

pub use error::ProjectionError;
pub use events::event_lists;
pub use projection::Projection;
