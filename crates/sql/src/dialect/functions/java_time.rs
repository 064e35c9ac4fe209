//! Dates and times as texts, the way Spark reads and writes them; all of them in UTC.

use chrono::{DateTime, Datelike as _, NaiveDate, TimeDelta, Timelike as _};

use super::cast::trimmed;

/// Microseconds.
pub(super) const DAY: i64 = 86_400_000_000;

const EPOCH: NaiveDate = match NaiveDate::from_ymd_opt(1970, 1, 1) {
    Some(day) => day,
    None => NaiveDate::MIN,
};

/// The day of a number of days since 1970.
pub(super) fn day(days: i32) -> Option<NaiveDate> {
    EPOCH.checked_add_signed(TimeDelta::days(i64::from(days)))
}

/// Days since 1970.
pub(super) fn days(day: NaiveDate) -> Option<i32> {
    i32::try_from((day - EPOCH).num_days()).ok()
}

/// `2018`, `2018-1`, `2018-01-05`, and behind a whole date whatever follows a blank or `T`; days since 1970.
pub(super) fn date(text: &str) -> Option<i32> {
    let text = trimmed(text);
    let (date, whole) = match text.split_once([' ', 'T']) {
        Some((date, _)) => (date, true),
        None => (text, false),
    };
    let (year, month, day, parts) = parts(date)?;
    if whole && parts < 3 {
        return None;
    }
    days(NaiveDate::from_ymd_opt(year, month, day)?)
}

fn parts(date: &str) -> Option<(i32, u32, u32, usize)> {
    let mut all = date.split('-');
    let year = number(all.next()?, 4, 4)?;
    let month = all.next().map_or(Some(1), |text| number(text, 1, 2))?;
    let day = all.next().map_or(Some(1), |text| number(text, 1, 2))?;
    if all.next().is_some() {
        return None;
    }
    let parts = date.split('-').count();
    Some((i32::try_from(year).ok()?, month, day, parts))
}

/// Whether that is a time to Spark and none here: a clock without a date, which is today's, or a year with a sign or
/// more than four digits.
pub(super) fn unread(text: &str) -> bool {
    let text = trimmed(text);
    let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    let clock = text.strip_prefix('T').unwrap_or(text);
    let hour = digits(clock);
    if (1..=2).contains(&hour) && (clock[hour..].starts_with(':') || clock.len() < text.len()) {
        return true;
    }
    let year = text.strip_prefix(['+', '-']).unwrap_or(text);
    let many = digits(year);
    let long = (5..=7).contains(&many) || many == 4 && year.len() < text.len();
    long && matches!(year.as_bytes().get(many), None | Some(b'-'))
}

fn number(text: &str, least: usize, most: usize) -> Option<u32> {
    let digits =
        (least..=most).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

/// A date as [`date`] reads it, and behind it a time like `9:05`, `09:05:30.123`, a zone behind that like `Z`,
/// `+02:00` or a name; microseconds.
pub(super) fn timestamp(text: &str) -> Option<i64> {
    let text = trimmed(text);
    let Some((date, time)) = text.split_once([' ', 'T']) else {
        return i64::from(self::date(text)?).checked_mul(DAY);
    };
    let (year, month, day, parts) = parts(date)?;
    if parts < 3 {
        return None;
    }
    let day = NaiveDate::from_ymd_opt(year, month, day)?;
    let end = time
        .find(|c: char| !(c.is_ascii_digit() || c == ':' || c == '.'))
        .unwrap_or(time.len());
    let (time, zone) = time.split_at(end);
    let (clock, fraction) = match time.split_once('.') {
        Some((clock, fraction)) => (clock, Some(fraction)),
        None => (time, None),
    };
    let mut clock = clock.split(':');
    let hour = number(clock.next()?, 1, 2)?;
    let minute = clock.next().map_or(Some(0), |text| number(text, 1, 2))?;
    let seconds = clock.next();
    let second = seconds.map_or(Some(0), |text| number(text, 1, 2))?;
    if clock.next().is_some() || fraction.is_some() && seconds.is_none() {
        return None;
    }
    let micros = match fraction {
        None => 0,
        Some(fraction) => {
            if !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
                return None;
            }
            let six: String = fraction
                .chars()
                .chain(std::iter::repeat('0'))
                .take(6)
                .collect();
            six.parse().ok()?
        }
    };
    let local = day.and_hms_micro_opt(hour, minute, second, micros)?;
    match zone.trim() {
        "" => Some(local.and_utc().timestamp_micros()),
        zone => super::zones::Zone::named(zone)?.to_utc(local.and_utc().timestamp_micros()),
    }
}

/// `2018-10-25 10:32:08.866`, without zeros at the end of the fraction.
pub(super) fn timestamp_text(micros: i64) -> Option<String> {
    let time = DateTime::from_timestamp_micros(micros)?.naive_utc();
    let mut text = format!(
        "{} {:02}:{:02}:{:02}",
        spelled(time.date()),
        time.hour(),
        time.minute(),
        time.second(),
    );
    let fraction = micros.rem_euclid(1_000_000);
    if fraction != 0 {
        let digits = format!("{fraction:06}");
        text.push('.');
        text.push_str(digits.trim_end_matches('0'));
    }
    Some(text)
}

/// `2018-10-25`
pub(super) fn date_text(days: i32) -> Option<String> {
    day(days).map(spelled)
}

fn spelled(day: NaiveDate) -> String {
    format!("{:04}-{:02}-{:02}", day.year(), day.month(), day.day())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_and_times_are_read_as_spark_reads_them() {
        assert_eq!(date("1970-01-02"), Some(1));
        assert_eq!(date("1970-1-2"), Some(1));
        assert_eq!(date("1971"), Some(365));
        assert_eq!(date("1970-01-02T10:00:00Z"), Some(1));
        assert_eq!(date("02.01.1970"), None);
        assert_eq!(date("1970-13-01"), None);
        assert_eq!(timestamp("1970-01-02"), Some(DAY));
        assert_eq!(timestamp("1970-01-01 00:00:01.5"), Some(1_500_000));
        assert_eq!(timestamp("1970-01-01T01:00:00+01:00"), Some(0));
        assert_eq!(timestamp("1970-01-01T00:00:00Z"), Some(0));
        assert_eq!(timestamp("1970-01-01 1:2:3"), Some(3_723_000_000));
        assert_eq!(timestamp("yesterday"), None);
        for text in [
            "10:11:12",
            "T10",
            " 1:2",
            "12018-10-25",
            "+2018-10-25",
            "20181",
        ] {
            assert!(unread(text), "{text}");
        }
        for text in ["2018", "2018-10-25 10:11:12", "20181025", "10", "-1", ""] {
            assert!(!unread(text), "{text}");
        }
        assert_eq!(
            timestamp_text(-1).as_deref(),
            Some("1969-12-31 23:59:59.999999")
        );
        assert_eq!(
            timestamp_text(1_540_463_528_866_000).as_deref(),
            Some("2018-10-25 10:32:08.866")
        );
    }
}
