//! Gathering rows of many sources into one array: the kernel under loading, merging and projecting.
//!
//! A [`Column`] is one field of the union schema as it lies in several record batches (the
//! *sources*), some of which may lack it, know it as a narrower type, or hold its text in a
//! dictionary. [`Column::interleave`] picks rows by [`RowRef`]:
//!
//! ```text
//!   source 0   source 1    rows                 interleaved
//!   ┌───┐      ┌───┐
//!   │ a │      │ x │       (1,0) (0,1) NULL      ┌───┬───┬──────┐
//!   │ b │      │ y │                        →    │ x │ b │ null │
//!   └───┘      └───┘                             └───┴───┴──────┘
//! ```
//!
//! ```
//! use std::sync::Arc;
//! use arrow::array::{ArrayRef, AsArray, StringArray};
//! use arrow::datatypes::DataType;
//! use profile_export_gather::{Column, RowRef};
//!
//! let a: ArrayRef = Arc::new(StringArray::from(vec!["a", "b"]));
//! let x: ArrayRef = Arc::new(StringArray::from(vec!["x", "y"]));
//! let column = Column::new(&DataType::Utf8, &[Some(a), Some(x)]).unwrap();
//! let rows = [RowRef::new(1, 0), RowRef::new(0, 1), RowRef::NULL];
//! let interleaved = column.interleave(&rows).unwrap();
//! assert_eq!(interleaved.as_string::<i32>(), &StringArray::from(vec![Some("x"), Some("b"), None]));
//! ```

mod column;
mod dictionaries;
mod kernel;
mod leaves;
mod moments;
mod prepare;
mod rows;
mod text;
mod used;

pub use column::{Child, Column};
pub use dictionaries::Dictionaries;
pub use leaves::{Leaf, LeafWalk};
pub use rows::RowRef;
pub use used::UsedValues;
