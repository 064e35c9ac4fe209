use std::fmt;
use std::time::SystemTime;

use chrono::{DateTime, NaiveDate, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};

/// A moment: microseconds since 1970-01-01T00:00:00Z, the precision at which everything is compared.
///
/// The one type of time in the engine; [`From`] takes those of the standard library and of chrono.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The moment of the call, by the system's clock.
    #[must_use]
    pub fn now() -> Self {
        Utc::now().into()
    }

    /// So many microseconds after 1970.
    #[must_use]
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// So many milliseconds after 1970; the last moment there is where they are more than fit.
    #[must_use]
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis.saturating_mul(1_000))
    }

    /// Microseconds since 1970.
    #[inline]
    #[must_use]
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// Whole milliseconds since 1970.
    #[must_use]
    pub const fn millis(self) -> i64 {
        self.0.div_euclid(1_000)
    }

    /// Whole seconds since 1970.
    #[must_use]
    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// Reads an RFC 3339 timestamp with an offset.
    ///
    /// Digits past the sixth are cut off. `None` where the text is anything else, a timestamp without
    /// an offset and a leap second among them.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        parse_micros(text.as_bytes()).map(Self)
    }
}

impl fmt::Display for Timestamp {
    /// RFC 3339 in UTC, with as many decimals (0, 3 or 6) as it needs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match DateTime::from_timestamp_micros(self.0) {
            Some(time) => f.write_str(&time.to_rfc3339_opts(SecondsFormat::AutoSi, true)),
            None => write!(f, "{} µs since 1970", self.0),
        }
    }
}

impl From<DateTime<Utc>> for Timestamp {
    fn from(time: DateTime<Utc>) -> Self {
        Self(time.timestamp_micros())
    }
}

impl From<SystemTime> for Timestamp {
    fn from(time: SystemTime) -> Self {
        DateTime::<Utc>::from(time).into()
    }
}

/// A [`Timestamp`] in JSON as the platform writes times: milliseconds since 1970.
pub mod epoch_millis {
    use serde::{Deserialize, Deserializer, Serializer};

    use super::Timestamp;

    /// Writes whole milliseconds.
    ///
    /// # Errors
    /// The serializer's.
    pub fn serialize<S: Serializer>(time: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_i64(time.millis())
    }

    /// Reads milliseconds.
    ///
    /// # Errors
    /// Anything but an integer.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
        i64::deserialize(deserializer).map(Timestamp::from_millis)
    }
}

fn parse_micros(bytes: &[u8]) -> Option<i64> {
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
    let date = NaiveDate::from_ymd_opt(year, month, day)?;
    Some(date.to_epoch_days())
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
            let expected = DateTime::parse_from_rfc3339(text).map(|t| t.to_utc().into());
            assert_eq!(Timestamp::parse(text), expected.ok(), "{text}");
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
            assert_eq!(Timestamp::parse(text), None, "{text}");
        }
    }

    #[test]
    fn writes_what_it_reads() {
        let text = "2018-10-25T20:22:04.000250Z";
        let time = Timestamp::parse(text).expect("a timestamp");
        assert_eq!(time.to_string(), text);
    }

    #[test]
    fn millis_and_seconds_are_whole_ones_before_the_moment() {
        let time = Timestamp::from_micros(-1);
        assert_eq!((time.millis(), time.seconds()), (-1, -1));
        assert_eq!(Timestamp::from_millis(i64::MAX).micros(), i64::MAX);
    }
}
