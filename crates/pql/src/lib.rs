//! PQL, the language of segment expressions: text, JSON, types; no Arrow, and no evaluation.
//!
//! An [`Expression`] is read from text or from JSON, printed as either, and [checked](Expression::check) against a
//! [`Schema`]. What comes out is a tree of [`typed`] nodes for evaluators: names are gone, coercions and the mapping
//! of paths over arrays are written out, and equal conditions are equal nodes. `docs/pql.md` has the language with
//! every decision.
//!
//! ```
//! use profile_export_pql::{Expression, Schema, Fields, Type};
//!
//! let address = Type::object_of([("countryISO", Type::String)]);
//! let schema = Schema {
//!     profile: Fields::new([("homeAddress", address)]),
//!     event: Fields::new([("eventType", Type::String), ("timestamp", Type::Timestamp)]),
//! };
//! let segment = Expression::parse(
//!     r#"homeAddress.countryISO = "US" and xEvent[eventType = "download"].count() > 5"#,
//! )?;
//! let checked = segment.check(&schema)?;
//! assert_eq!(checked.columns().profile[0].path, ["homeAddress", "countryISO"]);
//!
//! // The same by another spelling, and as JSON.
//! let spelled = "$1.homeAddress.countryISO = \"US\" AND (select X from xEvent where X.eventType = \"download\").count() > 5";
//! let spelled = Expression::parse(spelled)?;
//! assert_eq!(spelled.check(&schema)?.condition(), checked.condition());
//! assert_eq!(Expression::from_json(&segment.to_json())?, segment);
//!
//! let error = Expression::parse("homeAdress.countryISO = \"US\"")?.check(&schema).unwrap_err();
//! assert_eq!(
//!     error.to_string(),
//!     "line 1, column 1: found the field \"homeAdress\", which the profile doesn't have; did you mean \"homeAddress\"?",
//! );
//! # Ok::<(), profile_export_pql::Error>(())
//! ```

#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod check;
mod checked;
mod error;
mod expression;
mod function;
mod json;
mod lexer;
mod parse;
mod print;
mod schema;
mod span;
pub mod syntax;
pub mod typed;

pub use checked::{Checked, CheckedValue};
pub use error::{Error, Place, Problem};
pub use expression::Expression;
pub use function::Function;
pub use schema::{Fields, Schema, Type};
pub use span::Span;

/// The longest text, in bytes.
pub const MAX_TEXT: usize = 1 << 20;

/// The most levels of an expression; each name of a path is one.
pub const MAX_DEPTH: u32 = 256;

/// The most nodes of an expression.
pub const MAX_NODES: usize = 1 << 18;
