//! SQL in the dialect of the platform's Query Service over a profile store.
//!
//! A [`Session`] runs statements over the tables of a store, see [`StoreTables`]; the [`dialect`] by itself plans them over
//! any [`Tables`].

mod accelerated;
mod answers;
mod columns;
mod cooperative;
mod cursors;
pub mod dialect;
mod exact;
mod exploded;
mod flatten;
mod history;
mod json;
mod kept;
mod memory;
mod planned;
mod rows;
mod session;
mod session_tables;
mod settings;
mod shape;
mod store_tables;
mod system;
mod tables;
mod transaction;
mod write;
mod writing;

pub use dialect::{double_text, float_text};
pub use json::json_texts;
pub use memory::{Held, Memory};
pub use planned::{Planned, Relation};
pub use session::{Options, Outcome, Session};
pub use settings::{Changed, Settings, VERSION};
pub use store_tables::{PROFILES, StoreTables, TableInfo};
pub use tables::{Snapshot, Snapshots, Tables};
pub use write::{NewDataset, Written};
