//! Ctrl-C and SIGTERM: work that can end in order is asked to, everything else ends at once.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use profile_export::export::Progress;
use tokio::signal::unix::{SignalKind, signal};

use crate::failure::INTERRUPTED;
use crate::progress;

/// The work that is asked to stop, and how long it may take to.
static CURRENT: Mutex<Option<Work>> = Mutex::new(None);

pub struct Work {
    pub progress: Arc<Progress>,
    /// After this long the process ends without it, which must leave nothing behind. The work may wait for
    /// input that does not come.
    pub patience: Option<Duration>,
}

fn current() -> MutexGuard<'static, Option<Work>> {
    CURRENT.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Says what is at work now.
pub fn at_work(work: Option<Work>) {
    *current() = work;
}

/// Begins to listen to signals.
pub fn listen() -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()?;
    let (mut interrupt, mut terminate) = {
        let _inside = runtime.enter();
        (
            signal(SignalKind::interrupt())?,
            signal(SignalKind::terminate())?,
        )
    };
    std::thread::spawn(move || {
        runtime.block_on(async {
            loop {
                tokio::select! {
                    _ = interrupt.recv() => stop(),
                    _ = terminate.recv() => stop(),
                }
            }
        });
    });
    Ok(())
}

fn stop() {
    let work = current();
    let Some(work) = work.as_ref() else {
        std::process::exit(INTERRUPTED.into());
    };
    if work.progress.is_cancelled() {
        // Asked for the second time.
        progress::clear();
        std::process::exit(INTERRUPTED.into());
    }
    work.progress.cancel();
    if let Some(patience) = work.patience {
        std::thread::spawn(move || {
            std::thread::sleep(patience);
            progress::clear();
            std::process::exit(INTERRUPTED.into());
        });
    }
}
