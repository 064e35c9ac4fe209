use std::any::Any;
use std::thread::Builder;

use profile_export::platform::Error;
use profile_export::store::{CatalogError, StoreError};
use tokio::sync::oneshot;
use tokio::task::JoinError;

use crate::tokens::TokenError;

/// Why work of the queue could not be done.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WorkError {
    /// What the work itself says.
    #[error(transparent)]
    Platform(#[from] Error),
    /// The token file can't be read.
    #[error(transparent)]
    Tokens(#[from] TokenError),
    /// Nothing was done, and nothing said why.
    #[error("it still waits to be loaded")]
    NothingDone,
    /// The system gave no thread.
    #[error("a thread: {0}")]
    Thread(std::io::Error),
    /// The program made a mistake.
    #[error("it broke off: {0}; this is a mistake of the program")]
    Panic(String),
}

impl From<StoreError> for WorkError {
    fn from(error: StoreError) -> Self {
        Self::Platform(error.into())
    }
}

impl From<CatalogError> for WorkError {
    fn from(error: CatalogError) -> Self {
        Self::Platform(error.into())
    }
}

impl From<JoinError> for WorkError {
    fn from(error: JoinError) -> Self {
        Self::Panic(error.to_string())
    }
}

/// Does long work on a thread of its own, which may be left behind: a runtime waits for all that its
/// blocking threads do before it ends.
pub(crate) async fn on_a_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, WorkError> + Send + 'static,
) -> Result<T, WorkError> {
    let (done, result) = oneshot::channel();
    let thread = Builder::new().spawn(move || {
        // Where the server has stopped, nobody waits.
        let _ = done.send(work());
    });
    let thread = thread.map_err(WorkError::Thread)?;
    match result.await {
        Ok(result) => result,
        // Its end of the channel is gone: a panic, which is over by now.
        Err(gone) => Err(WorkError::Panic(match thread.join() {
            Err(panic) => what_it_said(&*panic).to_owned(),
            Ok(()) => gone.to_string(),
        })),
    }
}

/// The message of a panic.
pub(crate) fn what_it_said(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("a panic without a text")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn work_that_panics_is_an_error_that_says_so() {
        let done = on_a_thread(|| Ok(7)).await;
        assert_eq!(done.expect("done"), 7);
        let broken: Result<(), _> = on_a_thread(|| panic!("{} of them", 7)).await;
        let told = broken.expect_err("a panic").to_string();
        assert!(told.contains("7 of them"), "{told}");
    }
}
