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
//!
//! ```
//! use gather::{Column, RowRef};
//! use profile_export_merge::{Groups, merge};
//! use serde_json::json;
//! use xdm::{FieldType, testing};
//!
//! let name = testing::array(&FieldType::String, &[json!("Ann"), json!("Anna"), json!("Bob")]);
//! let points = testing::array(&testing::LONG, &[json!(null), json!(30), json!(null)]);
//! let [name, points] = [name, points]
//!     .map(|source| Column::new(&source.data_type().clone(), &[Some(source)]).unwrap());
//!
//! let mut profiles = Groups::default();
//! profiles.push([RowRef::new(0, 0), RowRef::new(0, 1)]);
//! profiles.push([RowRef::new(0, 2)]);
//! let merged = merge(&[("name", &name), ("points", &points)], &profiles).unwrap();
//! assert_eq!(testing::values(&merged[0].1), [json!("Ann"), json!("Bob")]);
//! assert_eq!(testing::values(&merged[1].1), [json!(30), json!(null)]);
//! ```

mod attributes;
mod error;
mod groups;
mod policy;
mod priority;
mod stop;
mod union;

pub use attributes::{MergedFields, merge, merge_until};
pub use error::{Error, Result};
pub use groups::Groups;
pub use policy::{
    AttributeMerge, AttributeMergeType, IdentityGraph, IdentityGraphType, MergePolicy,
    PolicyProblem, SchemaName,
};
pub use priority::{Fragment, Precedence};
