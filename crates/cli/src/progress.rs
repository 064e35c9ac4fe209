use std::io::{IsTerminal, stderr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use profile_export::export::Progress;

use crate::args::Arguments;
use crate::interrupt::{Work, at_work};

/// Shows how far the work is while it goes on, and lets Ctrl-C cancel it.
pub struct Watch {
    pub progress: Arc<Progress>,
    done: Arc<AtomicBool>,
    watcher: Option<JoinHandle<()>>,
}

impl Watch {
    /// Begins to watch; `total` is the number of bytes to be read, 0 where it is not known.
    pub fn start(arguments: &Arguments, total: u64) -> Self {
        let progress = Arc::new(Progress::default());
        at_work(Some(Work {
            progress: progress.clone(),
            patience: None,
        }));
        let done = Arc::new(AtomicBool::new(false));
        let shown = stderr().is_terminal() && !arguments.quiet && !arguments.is_for_machines();
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

    /// The same for work whose input may never end: asked to stop it gets this long, then the process ends. That
    /// must leave nothing visible behind.
    pub fn ending_within(self, patience: Duration) -> Self {
        at_work(Some(Work {
            progress: self.progress.clone(),
            patience: Some(patience),
        }));
        self
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        at_work(None);
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
        // Not all work has rows.
        if at.rows > 0 {
            let rate = at.rows as f64 / bar.elapsed().as_secs_f64().max(0.001);
            bar.set_message(format!("{} rows, {rate:.0} rows/s", at.rows));
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    bar.finish_and_clear();
}
