//! Time zones by the names that Java knows.

use std::str::FromStr as _;

use chrono::{DateTime, NaiveDateTime, Offset as _, TimeDelta, TimeZone as _};
use datafusion::arrow::array::timezone::Tz;

/// A zone, with its rules or at a fixed distance from UTC.
#[derive(Clone, Copy, Debug)]
pub(super) enum Zone {
    Ruled(Tz),
    /// Seconds east.
    Fixed(i32),
}

impl Zone {
    /// `Europe/Berlin`, `UTC`, `+02:00`, `GMT+2`, or one of the short names: Java's of three letters, and those of
    /// the Americas' summer times, which the platform's pages use.
    pub(super) fn named(name: &str) -> Option<Self> {
        if let "Z" | "UTC" | "GMT" | "UT" = name {
            return Some(Self::Fixed(0));
        }
        let offset = ["UTC", "GMT", "UT", ""]
            .iter()
            .find_map(|prefix| name.strip_prefix(prefix).and_then(offset));
        if let Some(seconds) = offset {
            return Some(Self::Fixed(seconds));
        }
        let name = match name {
            "EST" => return Some(Self::Fixed(-5 * 3600)),
            "MST" => return Some(Self::Fixed(-7 * 3600)),
            "HST" => return Some(Self::Fixed(-10 * 3600)),
            "EDT" => return Some(Self::Fixed(-4 * 3600)),
            "CDT" => return Some(Self::Fixed(-5 * 3600)),
            "MDT" => return Some(Self::Fixed(-6 * 3600)),
            "PDT" => return Some(Self::Fixed(-7 * 3600)),
            "CST" => "America/Chicago",
            "PST" => "America/Los_Angeles",
            "AST" => "America/Anchorage",
            "CNT" => "America/St_Johns",
            "BST" => "Asia/Dhaka",
            "IST" => "Asia/Kolkata",
            "JST" => "Asia/Tokyo",
            "CTT" => "Asia/Shanghai",
            "ECT" => "Europe/Paris",
            "EAT" => "Africa/Addis_Ababa",
            "AET" => "Australia/Sydney",
            "ACT" => "Australia/Darwin",
            "NST" => "Pacific/Auckland",
            other => other,
        };
        Tz::from_str(name).ok().map(Self::Ruled)
    }

    /// The microseconds of UTC as a clock there shows them.
    pub(super) fn local(self, micros: i64) -> Option<i64> {
        let seconds = match self {
            Self::Fixed(seconds) => seconds,
            Self::Ruled(zone) => {
                let time = DateTime::from_timestamp_micros(micros)?.naive_utc();
                zone.offset_from_utc_datetime(&time).fix().local_minus_utc()
            }
        };
        micros.checked_add(i64::from(seconds) * 1_000_000)
    }

    /// What a clock there shows, in UTC: of two moments the earlier, in a gap an hour that is not there is shifted
    /// by the gap, as in Java.
    pub(super) fn to_utc(self, micros: i64) -> Option<i64> {
        let seconds = match self {
            Self::Fixed(seconds) => seconds,
            Self::Ruled(zone) => {
                let time = DateTime::from_timestamp_micros(micros)?.naive_utc();
                match zone.offset_from_local_datetime(&time).earliest() {
                    Some(offset) => offset.fix().local_minus_utc(),
                    None => before_gap(zone, time)?,
                }
            }
        };
        micros.checked_sub(i64::from(seconds) * 1_000_000)
    }
}

/// The distance that was in force before the gap that a time lies in.
fn before_gap(zone: Tz, time: NaiveDateTime) -> Option<i32> {
    let before = time.checked_sub_signed(TimeDelta::hours(3))?;
    zone.offset_from_local_datetime(&before)
        .latest()
        .map(|offset| offset.fix().local_minus_utc())
}

/// `+2`, `+02`, `+02:00`, `-0330` in seconds.
fn offset(text: &str) -> Option<i32> {
    let (sign, rest) = match text.split_at_checked(1)? {
        ("+", rest) => (1, rest),
        ("-", rest) => (-1, rest),
        _ => return None,
    };
    let (hours, minutes) = match rest.split_once(':') {
        Some(parts) => parts,
        None if rest.len() == 4 => rest.split_at_checked(2)?,
        None => (rest, "0"),
    };
    let digits = |text: &str| {
        let fine = (1..=2).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
        fine.then(|| text.parse::<i32>().ok()).flatten()
    };
    let (hours, minutes) = (digits(hours)?, digits(minutes)?);
    (hours <= 18 && minutes < 60).then_some(sign * (hours * 3600 + minutes * 60))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones_have_the_names_that_java_knows() {
        let noon = 1_540_468_800_000_000; // 2018-10-25 12:00 UTC
        let hours = |name: &str| {
            Zone::named(name)
                .and_then(|zone| zone.local(noon))
                .map(|there| (there - noon) / 3_600_000_000)
        };
        assert_eq!(hours("EDT"), Some(-4));
        assert_eq!(hours("EST"), Some(-5));
        assert_eq!(hours("America/New_York"), Some(-4));
        assert_eq!(hours("+02:00"), Some(2));
        assert_eq!(hours("GMT+2"), Some(2));
        assert_eq!(hours("Europe/Berlin"), Some(2));
        assert_eq!(hours("Nowhere"), None);
    }

    #[test]
    fn a_time_that_a_clock_skips_is_shifted() {
        let zone = Zone::named("Europe/Berlin").expect("a zone");
        // 2018-03-25 02:30 is not there: 03:30 summer time, 01:30 UTC.
        let there = super::super::java_time::timestamp("2018-03-25 02:30:00").expect("a time");
        let utc = super::super::java_time::timestamp("2018-03-25 01:30:00");
        assert_eq!(zone.to_utc(there), utc);
    }
}
