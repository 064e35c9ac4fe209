//! SQL in the dialect of the platform's Query Service over a profile store.
//!
//! A [`Session`] runs statements over the tables of a store, see [`StoreTables`]; the [`dialect`] by itself plans them over
//! any [`Tables`].

mod columns;
pub mod dialect;
mod history;
mod session;
mod store_tables;
mod system;
mod tables;

pub use session::{Options, Outcome, Session};
pub use store_tables::{PROFILES, StoreTables, TableInfo};
pub use tables::{Snapshot, Snapshots, Tables};
