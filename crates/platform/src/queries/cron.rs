//! Times as the query service writes them: the five fields of cron, in UTC, or a word.

use chrono::{DateTime, Utc};
use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use export::RequestError;
use xdm::Timestamp;

/// When something is due.
pub(super) enum Cadence {
    /// Once, at its beginning.
    Once,
    /// At times.
    Times(Box<Cron>),
}

impl Cadence {
    /// Reads a schedule's text.
    ///
    /// # Errors
    /// It is none.
    pub(super) fn parse(text: &str) -> Result<Self, RequestError> {
        let refused = |problem: &str| {
            RequestError::new("schedule.schedule", format!("found {text:?}; {problem}"))
        };
        let fields = match text.trim() {
            "@once" => return Ok(Self::Once),
            "@hourly" => "0 * * * *",
            "@daily" => "0 0 * * *",
            "@weekly" => "0 0 * * 0",
            "@monthly" => "0 0 1 * *",
            "@yearly" => "0 0 1 1 *",
            other if other.starts_with('@') => {
                return Err(refused(
                    "words are @once, @hourly, @daily, @weekly, @monthly and @yearly",
                ));
            }
            other => other,
        };
        if fields.split_whitespace().count() != 5 || fields.contains(['+', '?']) {
            return Err(refused(
                "allowed are five fields: minutes, hours, day of month, month, day of week (0 is Sunday), in UTC",
            ));
        }
        let parser = CronParser::builder()
            .seconds(Seconds::Disallowed)
            .year(Year::Disallowed)
            .build();
        let cron = parser
            .parse(fields)
            .map_err(|error| refused(&error.to_string()))?;
        Ok(Self::Times(Box::new(cron)))
    }

    /// The latest time behind `after` that is not after `now`, of those from `start` on.
    pub(super) fn due(
        &self,
        start: Timestamp,
        after: Timestamp,
        now: Timestamp,
    ) -> Option<Timestamp> {
        let found = match self {
            Self::Once => Some(start).filter(|start| *start <= now),
            Self::Times(cron) => {
                let now: DateTime<Utc> = DateTime::from_timestamp(now.seconds(), 0)?;
                cron.find_previous_occurrence(&now, true)
                    .ok()
                    .map(Timestamp::from)
            }
        };
        found.filter(|time| *time > after && *time >= start)
    }

    /// Whether there is ever a time.
    pub(super) fn comes(&self, now: Timestamp) -> bool {
        match self {
            Self::Once => true,
            Self::Times(cron) => DateTime::from_timestamp(now.seconds(), 0)
                .is_some_and(|now: DateTime<Utc>| cron.find_next_occurrence(&now, false).is_ok()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).expect("a time")
    }

    #[test]
    fn the_latest_time_that_has_come_is_due_once() {
        let due = |text: &str, start: &str, after: &str, now: &str| {
            let cadence = Cadence::parse(text).expect("times");
            cadence.due(at(start), at(after), at(now))
        };
        let (start, now) = ("2026-11-01T00:00:00Z", "2026-11-29T12:31:10Z");
        for (text, right) in [
            ("30 * * * *", "2026-11-29T12:30:00Z"),
            ("@hourly", "2026-11-29T12:00:00Z"),
            ("@daily", "2026-11-29T00:00:00Z"),
            // A Sunday.
            ("@weekly", "2026-11-29T00:00:00Z"),
            ("@monthly", "2026-11-01T00:00:00Z"),
            ("0 6 * * 1-5", "2026-11-27T06:00:00Z"),
            ("@once", start),
        ] {
            assert_eq!(
                due(text, start, "2026-10-31T00:00:00Z", now),
                Some(at(right)),
                "{text}"
            );
            assert_eq!(due(text, start, right, now), None, "{text}");
        }
        assert_eq!(due("@yearly", start, "2025-01-01T00:00:00Z", now), None);
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "",
            "@minutely",
            "* * * *",
            "0 * * * * ?",
            "61 * * * *",
            "0 0 * * MON+1",
        ] {
            let refused = Cadence::parse(text).err().expect(text);
            assert_eq!(refused.path, "schedule.schedule");
        }
    }
}
