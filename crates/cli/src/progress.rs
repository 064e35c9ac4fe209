use std::io::{IsTerminal, stderr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use profile_export::export::Progress;

use crate::args::Arguments;

/// The work that Ctrl-C cancels.
static CURRENT: Mutex<Option<Arc<Progress>>> = Mutex::new(None);

fn current() -> MutexGuard<'static, Option<Arc<Progress>>> {
    CURRENT.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Shows how far the work is while it goes on, and cancels it at Ctrl-C.
pub struct Watch {
    pub progress: Arc<Progress>,
    done: Arc<AtomicBool>,
    watcher: Option<JoinHandle<()>>,
}

impl Watch {
    /// Begins to watch; `total` is the number of bytes to be read, 0 where it is not known.
    pub fn start(arguments: &Arguments, total: u64) -> Self {
        let progress = Arc::new(Progress::default());
        *current() = Some(progress.clone());
        // A second handler can't be set, and one is enough: it cancels whatever is at work.
        let _ = ctrlc::set_handler(|| {
            if let Some(progress) = current().as_ref() {
                progress.cancel();
            }
        });
        let done = Arc::new(AtomicBool::new(false));
        let shown = stderr().is_terminal() && !arguments.quiet && !arguments.json;
        let watcher = shown.then(|| {
            let (progress, done) = (progress.clone(), done.clone());
            std::thread::spawn(move || show(&progress, &done, total))
        });
        Self {
            progress,
            done,
            watcher,
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.done.store(true, Ordering::Relaxed);
        if let Some(watcher) = self.watcher.take() {
            let _ = watcher.join();
        }
    }
}

fn show(progress: &Progress, done: &AtomicBool, total: u64) {
    let (bar, template) = if total > 0 {
        (
            ProgressBar::new(total),
            "{bar:30} {bytes}/{total_bytes} {bytes_per_sec} {msg}",
        )
    } else {
        (ProgressBar::new_spinner(), "{spinner} {elapsed} {msg}")
    };
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    while !done.load(Ordering::Relaxed) {
        let at = progress.snapshot();
        bar.set_position(at.bytes);
        let rate = at.rows as f64 / bar.elapsed().as_secs_f64().max(0.001);
        bar.set_message(format!("{} rows, {rate:.0} rows/s", at.rows));
        std::thread::sleep(Duration::from_millis(50));
    }
    bar.finish_and_clear();
}

/// Says something to the user, unless they want silence.
pub fn say(arguments: &Arguments, text: &str) {
    if !arguments.quiet && !arguments.json {
        eprintln!("{text}");
    }
}
