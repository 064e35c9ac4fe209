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

/// Whether two texts, mostly short, are the same: short ones are compared without a call.
#[inline]
fn is_same(a: &[u8], b: &[u8]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    match (
        (a.first_chunk::<8>(), a.last_chunk::<8>()),
        (b.first_chunk::<8>(), b.last_chunk::<8>()),
    ) {
        ((Some(a_head), Some(a_tail)), (Some(b_head), Some(b_tail))) if a.len() <= 16 => {
            a_head == b_head && a_tail == b_tail
        }
        ((None, _), _) => std::iter::zip(a, b).all(|(a, b)| a == b),
        _ => a == b,
    }
}
