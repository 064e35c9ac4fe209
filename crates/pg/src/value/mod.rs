//! Arrow's values as PostgreSQL's: which type a column is told to have, and its values in text and in binary.

mod binary;
mod cells;
mod list;
mod moment;
mod nested;
mod parameter;
mod text;
mod types;

pub(crate) use cells::Cells;
pub(crate) use list::{TEXTS, most_items};
pub(crate) use parameter::{expression, unbound};
pub(crate) use types::{Pg, columns, modifier};

/// How lists, maps and objects are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Nested {
    /// As the platform does.
    Platform,
    /// As JSON.
    Json,
}
