//! From what users have to typed columns: bytes or Arrow arrays in, columns and bad records out.
//!
//! An [`Input`] is read in chunks ([`read_chunks`]); each chunk is decoded by itself
//! ([`decode`]) into [`IdentifiedRows`]: the records as one struct array, beside what the store must
//! know of each (whose it is, when it came, what it links). A record that can't be read is a
//! [`BadRecord`] and leaves no trace, not even in the types.
//!
//! ```text
//!   file ─ gzip, zstd ─┬─ lines of JSON ──┐
//!                      └─ Parquet batches ─┴─ RecordBuilder ─ struct array ─ identities
//!   record batches of the caller's ────────┘
//! ```
//!
//! ```
//! use std::sync::Arc;
//! use arrow::array::{ArrayRef, RecordBatch, StringArray};
//! use profile_export_decode::{InputChunk, RecordSpec, RecordSpans, decode};
//! use xdm::{Class, Dataset, Timestamp};
//!
//! let email: ArrayRef = Arc::new(StringArray::from(vec![Some("ann@example.com"), None]));
//! let batch = RecordBatch::try_from_iter([("email", email)]).unwrap();
//! let mut dataset = Dataset::new("5b020a27e7040801dedba61a", "crm", Class::Profile);
//! dataset.primary_identity = Some("email=Email".to_owned());
//!
//! let spec = RecordSpec::new(&dataset, &Class::Profile.standard_fields(), Timestamp::now()).unwrap();
//! let chunk = InputChunk::of_batch("crm", batch);
//! let decoded = decode(&RecordSpans::new(&chunk), &spec, &spec.types, 0).unwrap();
//! assert_eq!(decoded.rows.keys.len(), 1);
//! assert_eq!(decoded.bad[0].line, 2);
//! ```

mod arrow_cell;
mod arrow_column;
mod arrow_types;
mod batches;
mod chunk;
mod column_builder;
mod decimal;
mod distinct;
mod documents;
mod error;
mod field_order;
mod identify;
mod input;
mod json;
mod lines;
mod namespaces;
mod numbers;
mod object_builder;
mod parquet_file;
mod parse;
mod placeholders;
mod progress;
mod record_builder;
mod segments;
mod selection;
mod slices;
mod spec;
mod stream;
mod text;
mod text_form;
mod types;
mod value;

pub use batches::Batches;
pub use chunk::{ChunkSink, InputChunk};
pub use error::{Error, Result};
pub use identify::IdentifiedRows;
pub use input::Input;
pub use object_builder::MOST_FIELDS;
pub use parse::{BadRecord, Decoded, RecordSpans, decode, decode_until};
pub use progress::{Phase, Progress, Snapshot as ProgressSnapshot};
pub use spec::RecordSpec;
pub use stream::{JsonForm, ReadOptions, read_chunks};
pub use types::fields_of;
pub use value::RecordError;

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
