//! Times as Quartz writes them: seconds, minutes, hours, day of month, month, day of week and, where there is one, the
//! year. Days of the week are 1 (Sunday) to 7; all times are UTC.

use chrono::{DateTime, Utc};
use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use export::RequestError;
use xdm::Timestamp;

/// The fields, and what may stand in them beside lists, ranges, `*` and steps.
const FIELDS: [(&str, &str); 7] = [
    ("seconds", "0-59"),
    ("minutes", "0-59"),
    ("hours", "0-23"),
    ("day of month", "1-31, L, LW, 15W and ?"),
    ("month", "1-12 and JAN-DEC"),
    ("day of week", "1-7 (1 is Sunday), SUN-SAT, 6L, 6#3 and ?"),
    ("year", "1970-2099"),
];
const DAY_OF_MONTH: usize = 3;
const DAY_OF_WEEK: usize = 5;
const YEAR: usize = 6;

/// When something is due.
pub(super) struct Times(Cron);

impl Times {
    /// Reads a schedule's text.
    ///
    /// # Errors
    /// It is none of Quartz's; the error names the field.
    pub(super) fn parse(text: &str) -> Result<Self, RequestError> {
        let refused =
            |problem: String| RequestError::new("schedule", format!("found {text:?}; {problem}"));
        let mut fields: Vec<String> = text.split_whitespace().map(str::to_uppercase).collect();
        if !matches!(fields.len(), 6 | 7) {
            return Err(refused(format!(
                "it has {} fields; allowed are 6 or 7: seconds, minutes, hours, day of month, month, day of week, and \
                 the year",
                fields.len()
            )));
        }
        fields.resize(FIELDS.len(), "*".to_owned());
        for (i, (field, (name, allowed))) in fields.iter_mut().zip(FIELDS).enumerate() {
            if !is_field(i, field) {
                return Err(refused(format!(
                    "its {name} is {field:?}; allowed are {allowed}, with commas, ranges, * and steps"
                )));
            }
            adapt(i, field);
        }
        let says_nothing = |i: usize| fields.get(i).is_some_and(|day| day == "*" || day == "?");
        if !says_nothing(DAY_OF_MONTH) && !says_nothing(DAY_OF_WEEK) {
            let problem = "it has a day of month and a day of week; one of them has to be ?";
            return Err(refused(problem.to_owned()));
        }
        let cron = parser().parse(&fields.join(" "));
        cron.map(Self).map_err(|error| refused(error.to_string()))
    }

    /// The latest time that is not after `now`.
    pub(super) fn last(&self, now: Timestamp) -> Option<Timestamp> {
        let found = self.0.find_previous_occurrence(&second(now)?, true);
        found.ok().map(Timestamp::from)
    }

    /// The first time after `now`.
    pub(super) fn next(&self, now: Timestamp) -> Option<Timestamp> {
        let found = self.0.find_next_occurrence(&second(now)?, false);
        found.ok().map(Timestamp::from)
    }
}

fn second(time: Timestamp) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp(time.seconds(), 0)
}

fn parser() -> CronParser {
    CronParser::builder()
        .seconds(Seconds::Required)
        .year(Year::Required)
        .alternative_weekdays(true)
        // 0/10 is every tenth from 0.
        .sloppy_ranges(true)
        .build()
}

/// Whether a field is one by itself, beside others that take everything.
fn is_field(i: usize, field: &str) -> bool {
    // croner passes over empty items, and has a + and nicknames (@) of its own.
    if field.split(',').any(str::is_empty) || field.contains(['+', '@']) {
        return false;
    }
    let mut fields = ["*"; FIELDS.len()];
    if let Some(place) = fields.get_mut(i) {
        *place = field;
    }
    parser().parse(&fields.join(" ")).is_ok()
}

/// Says in croner's words what Quartz means.
fn adapt(i: usize, field: &mut String) {
    // The last day of a week is its seventh.
    if i == DAY_OF_WEEK && field == "L" {
        "7".clone_into(field);
    }
    // Every second year counts from 1970, not from 1.
    if i == YEAR
        && let Some(step) = field.strip_prefix("*/").or_else(|| field.strip_prefix('/'))
    {
        *field = format!("1970-2099/{step}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).expect("a time")
    }

    fn next(text: &str, now: &str) -> Timestamp {
        let times = Times::parse(text).expect("times");
        times.next(at(now)).expect("it is due some time")
    }

    #[test]
    fn times_are_those_of_quartz_in_utc() {
        // 2026-11-29 is a Sunday.
        for (text, right) in [
            ("0 0 2 * * ?", "2026-11-30T02:00:00Z"),
            ("0 0 2 ? * *", "2026-11-30T02:00:00Z"),
            ("0 0 2 * * *", "2026-11-30T02:00:00Z"),
            ("* * * * * ?", "2026-11-29T12:00:01Z"),
            ("0/20 * * * * ?", "2026-11-29T12:00:20Z"),
            ("0 */7 * * * ?", "2026-11-29T12:07:00Z"),
            ("30 15 10 1/1 * ? *", "2026-11-30T10:15:30Z"),
            ("0 0 2 ? * 1", "2026-12-06T02:00:00Z"),
            ("0 0 2 ? * SUN", "2026-12-06T02:00:00Z"),
            ("0 0 2 ? * 2", "2026-11-30T02:00:00Z"),
            ("0 0 2 ? * mon-fri", "2026-11-30T02:00:00Z"),
            ("0 0 2 ? * 7", "2026-12-05T02:00:00Z"),
            ("0 0 2 ? * L", "2026-12-05T02:00:00Z"),
            ("0 0 2 ? * */2", "2026-12-01T02:00:00Z"),
            ("0 0 2 ? * 6L", "2026-12-25T02:00:00Z"),
            ("0 0 2 ? * 6#3", "2026-12-18T02:00:00Z"),
            ("0 0 2 L * ?", "2026-11-30T02:00:00Z"),
            // The last of January 2027 is a Sunday, the fifteenth of May a Saturday.
            ("0 0 2 LW JAN ?", "2027-01-29T02:00:00Z"),
            ("0 0 2 15W 5 ?", "2027-05-14T02:00:00Z"),
            ("0 0 0 1 1 ? */2", "2028-01-01T00:00:00Z"),
            ("0 0 0 29 2 ?", "2028-02-29T00:00:00Z"),
            ("0 0 0 1 1 ? 2099", "2099-01-01T00:00:00Z"),
        ] {
            assert_eq!(next(text, "2026-11-29T12:00:00Z"), at(right), "{text}");
        }
        // No day is longer or shorter than another.
        let daily = Times::parse("0 30 2 * * ?").expect("times");
        let mut now = at("2026-01-01T02:30:00Z");
        for _ in 0..365 {
            let then = daily.next(now).expect("another day");
            assert_eq!(then.seconds() - now.seconds(), 86_400);
            now = then;
        }
    }

    #[test]
    fn the_last_time_is_now_or_before_it() {
        let times = Times::parse("0 0 2 * * ?").expect("times");
        for (now, right) in [
            ("2026-11-29T02:00:00Z", "2026-11-29T02:00:00Z"),
            ("2026-11-29T02:00:00.999Z", "2026-11-29T02:00:00Z"),
            ("2026-11-29T01:59:59.999Z", "2026-11-28T02:00:00Z"),
        ] {
            assert_eq!(times.last(at(now)), Some(at(right)), "{now}");
        }
        let later = Times::parse("0 0 0 1 1 ? 2030").expect("times");
        assert_eq!(later.last(at("2026-11-29T02:00:00Z")), None);
    }

    #[test]
    fn what_quartz_does_not_know_is_refused_by_the_fields_name() {
        for (text, says) in [
            ("", "it has 0 fields"),
            ("0 2 * * *", "it has 5 fields"),
            ("@daily", "it has 1 fields"),
            ("0 0 2 * * ? * *", "it has 8 fields"),
            ("60 0 2 * * ?", "its seconds is \"60\""),
            ("0 -1 2 * * ?", "its minutes is \"-1\""),
            ("0 0 24 * * ?", "its hours is \"24\""),
            ("0 0 ? * * ?", "its hours is \"?\""),
            ("0 0 2 32 * ?", "its day of month is \"32\""),
            ("0 0 2 0 * ?", "its day of month is \"0\""),
            ("0 0 2 1, * ?", "its day of month is \"1,\""),
            ("0 0 2 * 13 ?", "its month is \"13\""),
            ("0 0 2 ? * 8", "its day of week is \"8\""),
            ("0 0 2 ? * 0", "its day of week is \"0\""),
            ("0 0 2 ? * +2", "its day of week is \"+2\""),
            ("0 0 2 ? * 6#6", "its day of week is \"6#6\""),
            ("0 0 2 * * ? next", "its year is \"NEXT\""),
            ("0 0 2 1 * MON", "a day of month and a day of week"),
        ] {
            let error = Times::parse(text).err().expect(text);
            assert_eq!(error.path, "schedule");
            assert!(error.problem.contains(says), "{text}: {}", error.problem);
        }
    }

    #[test]
    fn no_text_breaks_the_parser() {
        // Every text of so many fields out of these.
        let pieces = [
            "*", "?", "L", "W", "#", "/", "-", ",", "1-0/0", "99999", "\u{130}", "5#", "1/65535",
        ];
        for a in pieces {
            for b in pieces {
                for i in 0..FIELDS.len() {
                    let field = format!("{a}{b}");
                    let mut fields = ["*"; FIELDS.len()];
                    fields[i] = &field;
                    if let Ok(times) = Times::parse(&fields.join(" ")) {
                        let now = at("2026-11-29T12:00:00Z");
                        let _ = (times.next(now), times.last(now));
                    }
                }
            }
        }
    }
}
