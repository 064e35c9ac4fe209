//! From a record's values to typed columns.

mod arrow_value;
mod columns;
mod json;
mod numbers;
mod segments;
mod text;
mod value;

pub(crate) use arrow_value::{ArrowValue, type_of};
pub(crate) use columns::{Columns, Kept};
pub(crate) use json::{JsonParser, JsonValue};
pub(crate) use text::TextBuilder;
pub(crate) use value::{Entries, Key, Kind, RecordError, Value};
