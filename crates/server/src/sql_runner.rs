use std::fmt;
use std::sync::Arc;

use profile_export::export::Progress;
use profile_export::queries::{QueryEnd, QueryWork};
use profile_export::store::Store;

/// What runs statements of SQL for a server: a program that has SQL hands one over, see [`Settings`](crate::Settings).
pub trait SqlRunner: fmt::Debug + Send + Sync {
    /// Runs statements to their end, or until `progress` is cancelled. It is called on a thread that may wait.
    fn run(&self, store: &Arc<Store>, work: &QueryWork, progress: &Progress) -> QueryEnd;
}
