//! Values as texts. Times have a fraction of at least one digit, as on the platform; numbers with a point are written as
//! Java does, and booleans as PostgreSQL does.

use std::io::Write as _;

use chrono::{DateTime, Datelike as _, NaiveDate, Timelike as _};

pub(super) fn boolean(value: bool, out: &mut Vec<u8>) {
    out.push(if value { b't' } else { b'f' });
}

pub(super) fn whole(value: impl std::fmt::Display, out: &mut Vec<u8>) {
    // A vector takes everything.
    let _ = write!(out, "{value}");
}

/// Of days since 1970. What chrono has no date for is null to PostgreSQL's clients, too.
pub(super) fn date(days: i32, out: &mut Vec<u8>) -> Option<()> {
    let date = NaiveDate::from_epoch_days(days)?;
    year_month_day(date, out);
    era(date, out);
    Some(())
}

/// Of microseconds since 1970, in UTC.
pub(super) fn timestamp(micros: i64, out: &mut Vec<u8>) -> Option<()> {
    let moment = DateTime::from_timestamp_micros(micros)?.naive_utc();
    year_month_day(moment.date(), out);
    out.push(b' ');
    clock(
        moment.hour(),
        moment.minute(),
        moment.second(),
        moment.nanosecond() / 1000,
        out,
    );
    era(moment.date(), out);
    Some(())
}

/// Of microseconds since midnight.
pub(super) fn time(micros: i64, out: &mut Vec<u8>) {
    let seconds = micros.div_euclid(1_000_000) as u32;
    clock(
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60,
        micros.rem_euclid(1_000_000) as u32,
        out,
    );
}

fn year_month_day(date: NaiveDate, out: &mut Vec<u8>) {
    // The year before the year 1 is 1 BC.
    let year = match date.year() {
        year if year > 0 => year,
        year => 1 - year,
    };
    let _ = write!(out, "{year:04}-{:02}-{:02}", date.month(), date.day());
}

fn era(date: NaiveDate, out: &mut Vec<u8>) {
    if date.year() <= 0 {
        out.extend(b" BC");
    }
}

fn clock(hour: u32, minute: u32, second: u32, micros: u32, out: &mut Vec<u8>) {
    let _ = write!(out, "{hour:02}:{minute:02}:{second:02}.");
    let digits = format!("{micros:06}");
    let kept = digits.trim_end_matches('0');
    out.extend(if kept.is_empty() { "0" } else { kept }.bytes());
}

/// Bytes in hexadecimal digits.
pub(super) fn bytes(value: &[u8], out: &mut Vec<u8>) {
    out.extend(b"\\x");
    out.extend(hex::encode(value).bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(of: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        of(&mut out);
        String::from_utf8(out).expect("a text")
    }

    #[test]
    fn times_have_as_many_digits_as_they_need_and_one_at_least() {
        let of = |micros| text(|out| timestamp(micros, out).expect("a time"));
        assert_eq!(of(0), "1970-01-01 00:00:00.0");
        assert_eq!(of(1_662_148_034_120_000), "2022-09-02 19:47:14.12");
        assert_eq!(of(-1), "1969-12-31 23:59:59.999999");
        assert_eq!(of(-62_198_755_200_000_000), "0002-01-01 00:00:00.0 BC");
        assert!(timestamp(i64::MAX, &mut Vec::new()).is_none());
    }

    #[test]
    fn dates_clocks_and_bytes() {
        assert_eq!(text(|out| date(19_237, out).expect("a date")), "2022-09-02");
        assert_eq!(text(|out| time(86_399_999_000, out)), "23:59:59.999");
        assert_eq!(text(|out| bytes(&[0, 0xab], out)), "\\x00ab");
        assert!(date(i32::MAX, &mut Vec::new()).is_none());
    }
}
