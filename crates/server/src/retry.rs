use std::fmt::Display;
use std::time::{Duration, Instant};

/// How long work rests that failed; each time that it fails again, twice as long.
const SHORTEST: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_secs(30);

/// When work that fails is tried again, ever more seldom, and what of it has been told.
#[derive(Debug, Default)]
pub(crate) struct Retry {
    failure: Option<Failure>,
}

#[derive(Debug)]
struct Failure {
    problem: String,
    pause: Duration,
    since: Instant,
}

impl Retry {
    /// Whether the work may be begun.
    pub(crate) fn is_due(&self) -> bool {
        let failure = self.failure.as_ref();
        failure.is_none_or(|failure| failure.since.elapsed() >= failure.pause)
    }

    /// Notes how the work ended, and returns what it made.
    pub(crate) fn note<T>(&mut self, work: &str, result: Result<T, impl Display>) -> Option<T> {
        match result {
            Ok(made) => {
                if self.failure.take().is_some() {
                    tracing::info!(work, "works again");
                }
                Some(made)
            }
            Err(problem) => {
                self.failed(work, problem);
                None
            }
        }
    }

    /// Notes that the work failed. Tells why, unless that is what was told the last time.
    pub(crate) fn failed(&mut self, work: impl Display, problem: impl Display) {
        let problem = problem.to_string();
        let earlier = self.failure.take();
        let pause = earlier
            .as_ref()
            .map_or(SHORTEST, |earlier| earlier.pause * 2);
        let pause = pause.min(LONGEST);
        let pause_ms = pause.as_secs_f64() * 1000.0;
        if earlier.is_some_and(|earlier| earlier.problem == problem) {
            tracing::debug!(%work, error = problem, pause_ms, "failed again");
        } else {
            tracing::warn!(%work, error = problem, pause_ms, "failed; will be tried again");
        }
        self.failure = Some(Failure {
            problem,
            pause,
            since: Instant::now(),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_keeps_failing_rests_twice_as_long_up_to_a_limit() {
        let mut retry = Retry::default();
        assert!(retry.is_due());
        let pauses: Vec<u128> = (0..9)
            .map(|i| {
                // What fails in another way fails all the same.
                retry.failed("work", i / 2);
                assert!(!retry.is_due());
                let failure = retry.failure.as_ref();
                failure.expect("a failure").pause.as_millis()
            })
            .collect();
        assert_eq!(
            pauses,
            [500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000]
        );
        assert_eq!(retry.note("work", Ok::<_, String>(7)), Some(7));
        assert!(retry.is_due());
        retry.failed("work", "anew");
        let pause = retry.failure.map(|failure| failure.pause);
        assert_eq!(pause, Some(SHORTEST));
    }

    #[test]
    fn what_has_rested_is_due() {
        let mut retry = Retry::default();
        retry.failed("work", "once");
        std::thread::sleep(SHORTEST);
        assert!(retry.is_due());
    }
}
