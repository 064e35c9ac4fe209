//! What look-ups by identity need, kept for the next.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use datafusion::error::Result;
use profile_export::export::{BlockCache, Plan, ProfileReader, Progress, Snapshot};
use profile_export::xdm::Identity;

use crate::error::external;

/// How many bytes of unpacked blocks a table keeps that has them for itself.
const BLOCKS: usize = 32 << 20;
/// For how many sets of columns look-ups are prepared.
const MOST: usize = 8;

/// Does what may take a while: tables are asked for their plans on threads that others wait for, too.
pub(crate) async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(external)?
}

/// Room for the blocks of one table.
pub(crate) fn blocks() -> Arc<BlockCache> {
    Arc::new(BlockCache::new(BLOCKS))
}

/// Look-ups of one table of profiles that are prepared, by the numbers of its columns. The one that was used last is in front.
pub(crate) struct ProfileLookUps {
    readers: Mutex<VecDeque<(Vec<usize>, ProfileReader)>>,
    blocks: Arc<BlockCache>,
}

impl Default for ProfileLookUps {
    fn default() -> Self {
        Self::new(&blocks())
    }
}

impl ProfileLookUps {
    pub(crate) fn new(blocks: &Arc<BlockCache>) -> Self {
        Self {
            readers: Mutex::default(),
            blocks: Arc::clone(blocks),
        }
    }

    /// What is prepared for these columns of the table's snapshot, or is prepared now by a plan.
    pub(crate) fn reader(
        &self,
        snapshot: &Snapshot,
        columns: &[usize],
        plan: impl FnOnce() -> Result<Plan>,
    ) -> Result<ProfileReader> {
        // Who prepares one has others wait: they may want the same, or the identity graph that is made for it.
        let mut readers = self.readers.lock().unwrap_or_else(PoisonError::into_inner);
        let known = readers.iter().position(|(own, _)| own == columns);
        let found = match known.and_then(|at| readers.remove(at)) {
            Some(found) => found,
            None => {
                let other = readers.front().map(|(_, reader)| reader);
                let progress = Progress::default();
                let reader = ProfileReader::new(snapshot, &plan()?, other, &self.blocks, &progress);
                (columns.to_vec(), reader.map_err(external)?)
            }
        };
        let reader = found.1.clone();
        readers.push_front(found);
        readers.truncate(MOST);
        Ok(reader)
    }
}

/// Identities that a statement fixes, as `EXPLAIN` shows them.
#[derive(Clone)]
pub(crate) struct Identities(pub(crate) Vec<Identity>);

/// How many of them are shown.
const SHOWN: usize = 3;

impl fmt::Display for Identities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.0.iter().take(SHOWN).map(Identity::to_string);
        let shown: Vec<String> = shown.collect();
        write!(f, "[{}", shown.join(", "))?;
        match self.0.len().checked_sub(SHOWN) {
            None | Some(0) => write!(f, "]"),
            Some(more) => write!(f, ", {more} more]"),
        }
    }
}

impl fmt::Debug for Identities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
