//! What a statement can read: tables under names without case, at a snapshot.

use std::fmt;
use std::sync::Arc;

use datafusion::catalog::TableProvider;
use datafusion::error::Result;

/// One end of a range of snapshots. A snapshot is a batch of a table.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Snapshot {
    /// The snapshot of this ID.
    Id(String),
    /// Before the oldest one.
    Head,
    /// The newest one.
    Tail,
}

/// Which snapshots of a table a statement reads (`t SNAPSHOT SINCE 'n'`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum Snapshots {
    /// All of them.
    #[default]
    All,
    /// What came after that one.
    Since(Snapshot),
    /// What was there at that one, itself included.
    AsOf(Snapshot),
    /// What came after the first, up to the second, itself included.
    Between(Snapshot, Snapshot),
}

/// The tables that statements can name.
pub trait Tables: fmt::Debug + Send + Sync {
    /// All names, in lower case, in order.
    fn names(&self) -> Vec<String>;

    /// The table of that name in lower case; `None` where there is none.
    ///
    /// # Errors
    ///
    /// It can't be read, or has no snapshots (or not these).
    fn table(&self, name: &str, snapshots: &Snapshots) -> Result<Option<Arc<dyn TableProvider>>>;

    /// The snapshots of that table, oldest first: `history_meta('t')` (columns `snapshot_id`, `parent_id`,
    /// `is_current` and what else is known); `None` where there is no such table.
    ///
    /// # Errors
    ///
    /// It can't be read, or has no snapshots.
    fn history(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>>;
}
