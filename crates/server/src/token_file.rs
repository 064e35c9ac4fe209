use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use crate::app::App;
use crate::retry::Retry;
use crate::tokens::{TokenError, Tokens};
use crate::work::WorkError;

/// How often the file is looked at.
pub(crate) const LOOK: Duration = Duration::from_millis(200);

/// The file of those who may come in, as it was when it was last read.
pub(crate) struct TokenFile {
    path: PathBuf,
    read: RwLock<(Arc<Tokens>, Stamp)>,
}

/// What tells a file that was changed from one that was not: another file in its place, another length, or
/// another time.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Stamp {
    inode: u64,
    length: u64,
    modified: (i64, i64),
}

impl Stamp {
    fn of(path: &Path) -> io::Result<Self> {
        let file = fs::metadata(path)?;
        Ok(Self {
            inode: file.ino(),
            length: file.len(),
            modified: (file.mtime(), file.mtime_nsec()),
        })
    }
}

impl TokenFile {
    pub(crate) fn open(path: &Path) -> Result<Self, TokenError> {
        Ok(Self {
            path: path.to_owned(),
            read: RwLock::new(read(path)?),
        })
    }

    /// Those who may come in.
    pub(crate) fn tokens(&self) -> Arc<Tokens> {
        let read = self.read.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&read.0)
    }

    /// Reads the file again if it was changed; says whether it was. One that can't be read changes nothing.
    pub(crate) fn refresh(&self) -> Result<bool, TokenError> {
        let stamp =
            Stamp::of(&self.path).map_err(|e| TokenError::new(&self.path, e.to_string()))?;
        let known = self.read.read().unwrap_or_else(PoisonError::into_inner).1;
        if stamp == known {
            return Ok(false);
        }
        let new = read(&self.path)?;
        *self.read.write().unwrap_or_else(PoisonError::into_inner) = new;
        Ok(true)
    }
}

/// The stamp is older than what is read, so that a change in between is seen the next time.
fn read(path: &Path) -> Result<(Arc<Tokens>, Stamp), TokenError> {
    let stamp = Stamp::of(path).map_err(|e| TokenError::new(path, e.to_string()))?;
    Ok((Arc::new(Tokens::read(path)?), stamp))
}

/// Looks for changes of the token file until the queue is stopped. While the file can't be read those who
/// could come in still can.
pub(crate) async fn watch_tokens(app: Arc<App>) {
    let mut reading = Retry::default();
    while !app.queue.is_stopping() {
        tokio::time::sleep(LOOK).await;
        if !reading.is_due() {
            continue;
        }
        let shared = Arc::clone(&app);
        let changed: Result<bool, WorkError> = app
            .blocking(move || match &shared.tokens {
                Some(file) => Ok(file.refresh()?),
                None => Ok(false),
            })
            .await;
        if reading.note("reading the token file", changed) == Some(true) {
            tracing::info!("the token file was changed and is read anew");
        }
    }
}
