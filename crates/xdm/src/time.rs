use chrono::{DateTime, SecondsFormat};

/// Reads an RFC 3339 timestamp with an offset.
///
/// Returns microseconds since 1970-01-01T00:00:00Z; digits past the sixth are cut off, since the
/// contract compares at microsecond precision. `None` where the text is anything else, a timestamp
/// without an offset and a leap second among them.
#[must_use]
pub fn parse_rfc3339(text: &str) -> Option<i64> {
    let bytes = text.as_bytes();
    let (date, rest) = bytes.split_at_checked(10)?;
    let days = i64::from(days_of(date)?);
    let (clock, mut rest) = rest.split_at_checked(9)?;
    let [t, h1, h2, b':', m1, m2, b':', s1, s2] = *clock else {
        return None;
    };
    if !matches!(t, b'T' | b't' | b' ') {
        return None;
    }
    let (hour, minute, second) = (pair(h1, h2)?, pair(m1, m2)?, pair(s1, s2)?);
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let mut micros = 0;
    if let Some(fraction) = rest.strip_prefix(b".") {
        let digits = fraction.iter().take_while(|b| b.is_ascii_digit()).count();
        if digits == 0 {
            return None;
        }
        let mut unit = 100_000;
        for digit in fraction.iter().take(digits.min(6)) {
            micros += i64::from(digit - b'0') * unit;
            unit /= 10;
        }
        rest = fraction.get(digits..)?;
    }
    let offset = match *rest {
        [b'Z' | b'z'] => 0,
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => {
            let (hours, minutes) = (pair(h1, h2)?, pair(m1, m2)?);
            if hours > 23 || minutes > 59 {
                return None;
            }
            let seconds = i64::from(hours * 3600 + minutes * 60);
            if sign == b'+' { seconds } else { -seconds }
        }
        _ => return None,
    };
    let seconds = days * 86_400 + i64::from(hour * 3600 + minute * 60 + second) - offset;
    Some(seconds * 1_000_000 + micros)
}

/// Reads a date `YYYY-MM-DD` as days since 1970-01-01.
#[must_use]
pub fn parse_date(text: &str) -> Option<i32> {
    days_of(text.as_bytes())
}

/// Writes microseconds since 1970 as RFC 3339 in UTC, with as many decimals (0, 3 or 6) as they need.
#[must_use]
pub fn format_rfc3339(micros: i64) -> String {
    match DateTime::from_timestamp_micros(micros) {
        Some(time) => time.to_rfc3339_opts(SecondsFormat::AutoSi, true),
        None => format!("{micros} µs since 1970"),
    }
}

fn pair(tens: u8, ones: u8) -> Option<u32> {
    (tens.is_ascii_digit() && ones.is_ascii_digit())
        .then(|| u32::from(tens - b'0') * 10 + u32::from(ones - b'0'))
}

/// Days since 1970-01-01 of `YYYY-MM-DD` in the proleptic Gregorian calendar.
fn days_of(date: &[u8]) -> Option<i32> {
    let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = *date else {
        return None;
    };
    let year = i32::try_from(pair(y1, y2)? * 100 + pair(y3, y4)?).ok()?;
    let (month, day) = (pair(m1, m2)?, pair(d1, d2)?);
    let leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    let length = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 => 28 + u32::from(leap),
        _ => return None,
    };
    if day == 0 || day > length {
        return None;
    }
    // Count in years that begin in March, so that the leap day is a year's last.
    let (month, day) = (i32::try_from(month).ok()?, i32::try_from(day).ok()?);
    let shifted = if month <= 2 { year - 1 } else { year };
    let era = shifted.div_euclid(400);
    let year_of_era = shifted.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    Some(era * 146_097 + day_of_era - 719_468)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_chrono() {
        for text in [
            "1970-01-01T00:00:00Z",
            "2018-10-25T13:22:04-07:00",
            "2000-02-29T23:59:59.999999+14:00",
            "0001-01-01T00:00:00.5Z",
            "9999-12-31T23:59:59.123456789Z",
            "1969-12-31T23:59:59.25-00:30",
            "2024-02-29t00:00:00z",
        ] {
            let expected = DateTime::parse_from_rfc3339(text).map(|t| t.timestamp_micros());
            assert_eq!(parse_rfc3339(text), expected.ok(), "{text}");
        }
    }

    #[test]
    fn refuses_what_is_no_timestamp() {
        for text in [
            "",
            "2018-10-25",
            "2018-10-25T13:22:04",
            "2018-10-25T13:22Z",
            "2018-02-29T00:00:00Z",
            "2018-13-01T00:00:00Z",
            "2018-10-25T24:00:00Z",
            "2018-10-25T13:22:60Z",
            "2018-10-25T13:22:04.Z",
            "2018-10-25T13:22:04+0700",
            "2018-10-25T13:22:04Zx",
            "２018-10-25T13:22:04Z",
        ] {
            assert_eq!(parse_rfc3339(text), None, "{text}");
        }
    }

    #[test]
    fn writes_what_it_reads() {
        let text = "2018-10-25T20:22:04.000250Z";
        assert_eq!(
            format_rfc3339(parse_rfc3339(text).expect("a timestamp")),
            text
        );
    }
}
