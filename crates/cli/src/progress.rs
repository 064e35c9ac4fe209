use std::io::{IsTerminal, Write, stderr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use profile_export::export::{Phase, Progress, ProgressSnapshot};
use serde_json::{Value, json};

use crate::args::Arguments;
use crate::interrupt::{Work, at_work};
use crate::message::tell;
use crate::output::count;

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
        let watcher = form(arguments).map(|form| {
            let (progress, done) = (progress.clone(), done.clone());
            std::thread::spawn(move || show(form, &progress, &done, total))
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

/// How often a line is written where nobody looks at a bar.
const LINES: Duration = Duration::from_secs(5);

/// How far work of a known length is: what is told of it.
struct At {
    snapshot: ProgressSnapshot,
    /// Rows of this phase.
    rows: u64,
    /// Between 0 and 1, where it is known.
    done: Option<f64>,
    since: Duration,
}

impl At {
    fn new(snapshot: ProgressSnapshot, before: u64, total: u64, since: Duration) -> Self {
        let done = match (snapshot.phase, total) {
            (Phase::Load | Phase::Verify, 1..) => Some(snapshot.bytes as f64 / total as f64),
            (Phase::Export | Phase::Merge, _) => Some(f64::from(snapshot.millionths) / 1e6),
            _ => None,
        };
        Self {
            snapshot,
            rows: snapshot.rows.saturating_sub(before),
            // Inputs may grow while they are read.
            done: done.map(|done| done.min(1.0)),
            since,
        }
    }

    fn rate(&self) -> f64 {
        self.rows as f64 / self.since.as_secs_f64().max(0.001)
    }

    /// How long the phase takes on, by what it took so far.
    fn left(&self) -> Option<Duration> {
        let done = self.done.filter(|done| *done > 0.02)?;
        Some(self.since.mul_f64((1.0 - done) / done))
    }

    fn text(&self) -> String {
        let mut text = self.snapshot.phase.to_string();
        if let Some(done) = self.done {
            text.push_str(&format!(" {:.0} %", (done * 100.0).floor()));
        }
        // Not all work has rows.
        if self.rows > 0 {
            let rate = count(self.rate() as u64);
            text.push_str(&format!(", {} rows, {rate} rows/s", count(self.rows)));
        }
        if let Some(left) = self.left() {
            text.push_str(&format!(", {} s left", left.as_secs().max(1)));
        }
        text
    }

    fn json(&self) -> Value {
        json!({"phase": self.snapshot.phase.to_string(), "done": self.done, "rows": self.rows,
               "bytes": self.snapshot.bytes, "rowsPerSecond": self.rate() as u64,
               "secondsLeft": self.left().map(|left| left.as_secs())})
    }
}

/// Tells how far the work is until it is done: a bar on a terminal, else a line now and then.
fn show(form: Form, progress: &Progress, done: &AtomicBool, total: u64) {
    let bar = ProgressBar::new(1000);
    if form != Form::Bar {
        bar.set_draw_target(ProgressDrawTarget::hidden());
    }
    let styles = ["{bar:30} {msg}", "{spinner} {msg}"].map(ProgressStyle::with_template);
    let (mut phase, mut begun, mut told) = (Phase::Begin, Instant::now(), Instant::now());
    let mut before = 0;
    while !done.load(Ordering::Relaxed) {
        let snapshot = progress.snapshot();
        if snapshot.phase != phase {
            (phase, begun, before) = (snapshot.phase, Instant::now(), snapshot.rows);
        }
        let at = At::new(snapshot, before, total, begun.elapsed());
        match form {
            Form::Bar => {
                let [with_share, without] = &styles;
                let style = if at.done.is_some() {
                    with_share
                } else {
                    without
                };
                if let Ok(style) = style {
                    bar.set_style(style.clone());
                }
                bar.set_position((at.done.unwrap_or_default() * 1000.0) as u64);
                bar.set_message(at.text());
            }
            Form::Lines | Form::Json if told.elapsed() >= LINES => {
                told = Instant::now();
                match form {
                    Form::Json => tell(&at.json().to_string()),
                    _ => tell(&at.text()),
                }
            }
            Form::Lines | Form::Json => {}
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    bar.finish_and_clear();
}

/// How the work is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Bar,
    Lines,
    Json,
}

fn form(arguments: &Arguments) -> Option<Form> {
    match (arguments.quiet || arguments.json, arguments.jsonl) {
        (true, _) => None,
        (false, true) => Some(Form::Json),
        (false, false) if stderr().is_terminal() => Some(Form::Bar),
        (false, false) => Some(Form::Lines),
    }
}

/// Takes a bar off the terminal of a process that ends at once.
pub fn clear() {
    if stderr().is_terminal() {
        let _ = stderr().write_all(b"\r\x1b[2K");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_phase_share_rows_rate_and_what_is_left_and_never_more_than_all() {
        let progress = Progress::default();
        let at = |before, total, since| {
            At::new(
                progress.snapshot(),
                before,
                total,
                Duration::from_secs(since),
            )
        };
        let text = |total, since| at(0, total, since).text();
        assert_eq!(text(0, 1), "beginning");
        progress.begin(Phase::Load);
        progress.add_bytes(250);
        progress.add_rows(2000);
        assert_eq!(
            text(1000, 10),
            "loading 25 %, 2,000 rows, 200 rows/s, 30 s left"
        );
        progress.add_bytes(10_000);
        assert_eq!(
            text(1000, 10),
            "loading 100 %, 2,000 rows, 200 rows/s, 1 s left"
        );
        progress.begin(Phase::Export);
        progress.add_share(0.5);
        progress.add_rows(100);
        let at = at(2_000, 1000, 2);
        assert_eq!(at.text(), "exporting 50 %, 100 rows, 50 rows/s, 2 s left");
        assert_eq!(at.json()["done"], 0.5);
    }
}
