//! Dates and times that clients bind: what is none is refused here, where a cast would make it null.

use chrono::format::{ParseError, ParseErrorKind};
use chrono::{Datelike, Duration, NaiveDate, NaiveDateTime, NaiveTime};

use crate::refusal::Refusal;

/// What is written otherwise.
const NO_MOMENT: &str = "22007";
/// A day or a time of day that there isn't, or that this dialect has not.
const NO_SUCH_MOMENT: &str = "22008";

/// A date as the dialect writes it, of a text.
///
/// # Errors
///
/// It is none of the years 1 to 9999.
pub(super) fn date(text: &str) -> Result<String, Refusal> {
    date_text(Some(day(text, text)?))
}

/// The same of a day, where there is one.
pub(super) fn date_text(date: Option<NaiveDate>) -> Result<String, Refusal> {
    match date.filter(|date| (1..=9999).contains(&date.year())) {
        Some(date) => Ok(date.format("%Y-%m-%d").to_string()),
        None => Err(none(NO_SUCH_MOMENT, "date of the years 1 to 9999", "")),
    }
}

/// A moment as the dialect writes it, in UTC, of a text. A zone in it counts where the type is one with a zone.
///
/// # Errors
///
/// It is none of the years 1 to 9999, or has a zone that is no difference from UTC.
pub(super) fn timestamp(text: &str, zoned: bool) -> Result<String, Refusal> {
    let (day_text, rest) = match text.find(['T', ' ']) {
        Some(at) => (&text[..at], text[at + 1..].trim()),
        None => (text, "00:00"),
    };
    let end = rest.find(|one: char| !matches!(one, '0'..='9' | ':' | '.'));
    let (time_text, zone) = rest.split_at(end.unwrap_or(rest.len()));
    let form = match time_text.matches(':').count() {
        1 => "%H:%M",
        _ => "%H:%M:%S%.f",
    };
    let time = NaiveTime::parse_from_str(time_text, form).map_err(|error| told(error, text))?;
    // A leap second is one in no column.
    if chrono::Timelike::nanosecond(&time) >= 1_000_000_000 {
        return Err(none(NO_SUCH_MOMENT, "timestamp", text));
    }
    let offset = offset(zone.trim()).ok_or_else(|| none(NO_MOMENT, "timestamp", text))?;
    let moment = day(day_text, text)?.and_time(time);
    let moment = match zoned {
        true => moment.checked_sub_signed(offset),
        false => Some(moment),
    };
    // To the nearest microsecond, as PostgreSQL.
    let moment = moment.and_then(|moment| moment.checked_add_signed(Duration::nanoseconds(500)));
    timestamp_text(moment)
}

/// The same of a moment, where there is one.
pub(super) fn timestamp_text(moment: Option<NaiveDateTime>) -> Result<String, Refusal> {
    match moment.filter(|moment| (1..=9999).contains(&moment.year())) {
        Some(moment) => Ok(moment.format("%Y-%m-%d %H:%M:%S%.6f").to_string()),
        None => Err(none(NO_SUCH_MOMENT, "timestamp of the years 1 to 9999", "")),
    }
}

fn day(text: &str, all: &str) -> Result<NaiveDate, Refusal> {
    NaiveDate::parse_from_str(text, "%Y-%m-%d").map_err(|error| told(error, all))
}

/// `Z`, `UTC`, `+01`, `-0930`, `+01:00:00`; nothing is UTC.
fn offset(zone: &str) -> Option<Duration> {
    if ["", "Z", "UTC", "GMT"].contains(&zone.to_uppercase().as_str()) {
        return Some(Duration::zero());
    }
    let (sign, rest) = match zone.split_at_checked(1)? {
        ("+", rest) => (1, rest),
        ("-", rest) => (-1, rest),
        _ => return None,
    };
    let digits: String = rest.split(':').collect();
    let is_whole =
        matches!(digits.len(), 2 | 4 | 6) && digits.bytes().all(|one| one.is_ascii_digit());
    let part = |at: usize| {
        digits
            .get(at..at + 2)
            .map_or(Some(0), |two| two.parse::<i64>().ok())
    };
    let (hours, minutes, seconds) = (part(0)?, part(2)?, part(4)?);
    let is_one = is_whole && hours < 16 && minutes < 60 && seconds < 60;
    is_one.then(|| Duration::seconds(sign * (hours * 3600 + minutes * 60 + seconds)))
}

fn told(error: ParseError, text: &str) -> Refusal {
    let code = match error.kind() {
        ParseErrorKind::OutOfRange | ParseErrorKind::Impossible => NO_SUCH_MOMENT,
        _ => NO_MOMENT,
    };
    none(code, "date or time", text)
}

fn none(code: &'static str, what: &str, text: &str) -> Refusal {
    let message = match text {
        "" => format!("a parameter is no {what}"),
        text => format!("a parameter is no {what}: {text:?}"),
    };
    Refusal::new(code, message)
        .with_hint("2024-02-29, 2024-02-29 12:34:56.789, 2024-02-29T12:34:56+01:00")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_in_all_their_spellings() {
        for (text, zoned, wanted) in [
            ("2024-02-29", true, "2024-02-29 00:00:00.000000"),
            ("2024-02-29 12:34", true, "2024-02-29 12:34:00.000000"),
            (
                "2024-02-29 12:34:56.789",
                false,
                "2024-02-29 12:34:56.789000",
            ),
            ("2024-02-29T12:34:56Z", true, "2024-02-29 12:34:56.000000"),
            ("2024-02-29 12:34:56+01", true, "2024-02-29 11:34:56.000000"),
            (
                "2024-02-29 12:34:56 -09:30",
                true,
                "2024-02-29 22:04:56.000000",
            ),
            // A type without a zone passes over one, as in PostgreSQL.
            (
                "2024-02-29 12:34:56+01",
                false,
                "2024-02-29 12:34:56.000000",
            ),
            (
                "2024-02-29 12:34:56.9999996",
                false,
                "2024-02-29 12:34:57.000000",
            ),
        ] {
            assert_eq!(timestamp(text, zoned).as_deref(), Ok(wanted), "{text}");
        }
        assert_eq!(date("2024-02-29").as_deref(), Ok("2024-02-29"));
    }

    #[test]
    fn what_is_no_moment_is_refused() {
        for (text, code) in [
            ("yesterday", NO_MOMENT),
            ("", NO_MOMENT),
            ("2024-02-30", NO_SUCH_MOMENT),
            ("2024-13-01", NO_SUCH_MOMENT),
            ("12024-01-01", NO_MOMENT),
            ("0000-01-01", NO_SUCH_MOMENT),
            ("infinity", NO_MOMENT),
        ] {
            assert_eq!(
                date(text).map_err(|refusal| refusal.code),
                Err(code),
                "{text}"
            );
            assert_eq!(
                timestamp(text, true).map_err(|refusal| refusal.code),
                Err(code),
                "{text}"
            );
        }
        for (text, code) in [
            ("2024-02-29 25:00", NO_SUCH_MOMENT),
            ("2024-02-29 23:59:60", NO_SUCH_MOMENT),
            ("2024-02-29 12:34:56 Europe/Berlin", NO_MOMENT),
            ("2024-02-29 12:34:56+9", NO_MOMENT),
            ("2024-02-29 ä", NO_MOMENT),
        ] {
            assert_eq!(
                timestamp(text, true).map_err(|refusal| refusal.code),
                Err(code),
                "{text}"
            );
        }
        assert!(date_text(None).is_err() && timestamp_text(None).is_err());
    }
}
