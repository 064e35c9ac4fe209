//! Packed files: the second format of runs.
//!
//! A packed file has tables, a table has batches of rows, and each buffer of each array of a batch is a
//! block that is compressed, checked and read by itself.

mod arrays;
mod block;
mod cache;
mod planes;
mod prototype;
mod read;
mod root;
mod write;

pub use cache::BlockCache;
pub(crate) use prototype::prototype_of;
pub(crate) use read::PackFile;
pub(crate) use root::MAGIC;
pub(crate) use write::{PackWriter, PackedBatch};
