//! Java's patterns of dates and times, as far as they are known here.

use std::iter::Peekable;
use std::str::Chars;

use chrono::{Datelike as _, NaiveDate, NaiveDateTime, Timelike as _};

use super::super::error::{Code, Error};
use super::zones::Zone;

/// A pattern, read once.
#[derive(Clone, Debug)]
pub(super) struct Pattern(Vec<Part>);

#[derive(Clone, Debug, PartialEq)]
enum Part {
    /// A letter, and how often it stands there.
    Field(char, usize),
    Text(String),
}

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const DAYS: [&str; 7] = [
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
    "Sunday",
];

impl Pattern {
    /// # Errors
    ///
    /// A letter that isn't known, by name.
    pub(super) fn new(pattern: &str) -> Result<Self, Error> {
        let mut parts: Vec<Part> = Vec::new();
        let mut characters = pattern.chars().peekable();
        while let Some(one) = characters.next() {
            match one {
                '\'' => {
                    let Some(text) = literal(&mut characters) else {
                        let message = format!("the pattern '{pattern}' ends within a text");
                        return Err(Error::new(Code::NotSupported, message));
                    };
                    parts.push(Part::Text(text));
                }
                letter if letter.is_ascii_alphabetic() => {
                    let mut count = 1;
                    while characters.peek() == Some(&letter) {
                        characters.next();
                        count += 1;
                    }
                    if !known(letter, count) {
                        let letters = String::from(letter).repeat(count);
                        return Err(Error::unsupported(format!(
                            "{letters} in the pattern '{pattern}'"
                        )));
                    }
                    parts.push(Part::Field(letter, count));
                }
                '[' | ']' | '#' | '{' | '}' => {
                    return Err(Error::unsupported(format!(
                        "{one} in the pattern '{pattern}'"
                    )));
                }
                other => parts.push(Part::Text(other.to_string())),
            }
        }
        Ok(Self(parts))
    }

    /// A time of UTC as a text.
    pub(super) fn format(&self, time: NaiveDateTime) -> String {
        let mut out = String::new();
        for part in &self.0 {
            match part {
                Part::Text(text) => out.push_str(text),
                Part::Field(letter, count) => field(&mut out, *letter, *count, time),
            }
        }
        out
    }

    /// Microseconds of UTC; `None` for a text that isn't of the pattern. What the pattern doesn't name is that of
    /// 1970-01-01 00:00.
    ///
    /// # Errors
    ///
    /// A letter that can't be read, by name.
    pub(super) fn parse(&self, text: &str) -> Result<Option<i64>, Error> {
        let unreadable = self.0.iter().find_map(|part| match part {
            Part::Field(letter @ ('E' | 'D' | 'Q' | 'q'), _) => Some(*letter),
            _ => None,
        });
        match unreadable {
            Some(letter) => Err(Error::new(
                Code::NotSupported,
                format!("a text can't be read by the pattern letter {letter}"),
            )),
            None if self.has('H') && self.has('a') => Err(Error::new(
                Code::NotSupported,
                "a text can't be read by the pattern letters H and a together (h goes with a)",
            )),
            None => Ok(self.read(text)),
        }
    }

    fn has(&self, letter: char) -> bool {
        self.0
            .iter()
            .any(|part| matches!(part, Part::Field(own, _) if *own == letter))
    }

    fn read(&self, text: &str) -> Option<i64> {
        let (mut year, mut month, mut day) = (1970, 1, 1);
        let (mut hour, mut minute, mut second, mut micros) = (None, 0, 0, 0);
        let (mut half, mut zone) = (None, None);
        let mut rest = text;
        for (number, part) in self.0.iter().enumerate() {
            let (letter, count) = match part {
                Part::Text(wanted) => {
                    rest = rest.strip_prefix(wanted.as_str())?;
                    continue;
                }
                Part::Field(letter, count) => (*letter, *count),
            };
            // Fields that touch have the width that the pattern gives.
            let touched = matches!(
                self.0.get(number + 1),
                Some(Part::Field('y' | 'M' | 'd' | 'H' | 'h' | 'm' | 's', _))
            );
            match letter {
                'y' | 'u' => {
                    let most = if touched || count == 2 {
                        count
                    } else {
                        4.max(count)
                    };
                    let value = digits(&mut rest, count, most)?;
                    year = i32::try_from(if count == 2 { 2000 + value } else { value }).ok()?;
                }
                'M' | 'L' if count > 2 => month = named(&mut rest, &MONTHS, count > 3)?,
                'S' => {
                    let before = rest.len();
                    let value = digits(&mut rest, 1, count)?;
                    let read = u32::try_from(before - rest.len()).ok()?;
                    micros = if read <= 6 {
                        value * 10_u32.pow(6 - read)
                    } else {
                        value / 10_u32.pow(read - 6)
                    };
                }
                'a' => {
                    let word = rest.get(..2)?.to_ascii_uppercase();
                    rest = rest.get(2..)?;
                    half = Some(match word.as_str() {
                        "AM" => 0,
                        "PM" => 12,
                        _ => return None,
                    });
                }
                'X' | 'x' | 'Z' | 'z' | 'V' => {
                    let end = rest.find(' ').unwrap_or(rest.len());
                    zone = Some(Zone::named(&rest[..end])?);
                    rest = &rest[end..];
                }
                _ => {
                    let most = if count == 1 && !touched { 2 } else { count };
                    let value = digits(&mut rest, count, most)?;
                    match letter {
                        'M' | 'L' => month = value,
                        'd' => day = value,
                        'H' => hour = Some(value),
                        'h' if (1..=12).contains(&value) => hour = Some(value % 12),
                        'm' => minute = value,
                        's' => second = value,
                        _ => return None,
                    }
                }
            }
        }
        if !rest.is_empty() {
            return None;
        }
        let hour = hour.unwrap_or(0) + half.unwrap_or(0);
        let local = NaiveDate::from_ymd_opt(year, month, day)?
            .and_hms_micro_opt(hour, minute, second, micros)?;
        let local = local.and_utc().timestamp_micros();
        match zone {
            None => Some(local),
            Some(zone) => zone.to_utc(local),
        }
    }
}

/// A text in quotes, of which the first is behind us. Two quotes in a row are one that is meant, within others too.
fn literal(characters: &mut Peekable<Chars<'_>>) -> Option<String> {
    if characters.next_if_eq(&'\'').is_some() {
        return Some("'".to_owned());
    }
    let mut text = String::new();
    loop {
        match characters.next()? {
            '\'' if characters.next_if_eq(&'\'').is_none() => return Some(text),
            one => text.push(one),
        }
    }
}

fn known(letter: char, count: usize) -> bool {
    match letter {
        'y' | 'u' => matches!(count, 1 | 2 | 4),
        'M' | 'L' | 'E' => count <= 4,
        'd' | 'H' | 'h' | 'm' | 's' => count <= 2,
        'D' => count <= 3,
        'S' => count <= 9,
        'a' => count == 1,
        'Q' | 'q' => count <= 2,
        'X' | 'x' | 'Z' => count <= 3,
        'z' | 'V' => count <= 3,
        _ => false,
    }
}

fn field(out: &mut String, letter: char, count: usize, time: NaiveDateTime) {
    let number = |out: &mut String, value: i64| out.push_str(&format!("{value:0count$}"));
    let name =
        |out: &mut String, name: &str| out.push_str(if count > 3 { name } else { &name[..3] });
    match letter {
        'y' | 'u' if count == 2 => out.push_str(&format!("{:02}", time.year().rem_euclid(100))),
        'y' | 'u' => number(out, i64::from(time.year())),
        'M' | 'L' if count > 2 => name(out, MONTHS[time.month0() as usize]),
        'M' | 'L' => number(out, i64::from(time.month())),
        'E' => name(out, DAYS[time.weekday().num_days_from_monday() as usize]),
        'd' => number(out, i64::from(time.day())),
        'D' => number(out, i64::from(time.ordinal())),
        'Q' | 'q' => number(out, i64::from(time.month0() / 3 + 1)),
        'H' => number(out, i64::from(time.hour())),
        'h' => number(out, i64::from((time.hour() + 11) % 12 + 1)),
        'm' => number(out, i64::from(time.minute())),
        's' => number(out, i64::from(time.second())),
        'S' => {
            let nanos = format!("{:09}", time.nanosecond());
            out.push_str(&nanos[..count.min(9)]);
        }
        'a' => out.push_str(if time.hour() < 12 { "AM" } else { "PM" }),
        'X' => out.push('Z'),
        'x' => out.push_str(match count {
            1 => "+00",
            2 => "+0000",
            _ => "+00:00",
        }),
        'Z' => out.push_str("+0000"),
        _ => out.push_str("UTC"),
    }
}

fn digits(rest: &mut &str, least: usize, most: usize) -> Option<u32> {
    let length = rest
        .bytes()
        .take(most)
        .take_while(u8::is_ascii_digit)
        .count();
    if length < least {
        return None;
    }
    let (digits, behind) = rest.split_at(length);
    *rest = behind;
    digits.parse().ok()
}

fn named(rest: &mut &str, names: &[&str], whole: bool) -> Option<u32> {
    for (number, name) in (1..).zip(names) {
        let name = if whole { name } else { &name[..3] };
        if let Some(start) = rest.get(..name.len())
            && start.eq_ignore_ascii_case(name)
        {
            *rest = &rest[name.len()..];
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_write_and_read() {
        let time = NaiveDate::from_ymd_opt(2018, 10, 5)
            .and_then(|day| day.and_hms_milli_opt(15, 4, 9, 250))
            .expect("a time");
        let cases = [
            ("yyyy-MM-dd", "2018-10-05"),
            ("dd.MM.yy HH:mm:ss.SSS", "05.10.18 15:04:09.250"),
            ("EEE, d MMM yyyy h:mm a", "Fri, 5 Oct 2018 3:04 PM"),
            ("EEEE MMMM", "Friday October"),
            ("yyyy-MM-dd'T'HH:mm:ssXXX", "2018-10-05T15:04:09Z"),
            ("D Q", "278 4"),
            ("h 'o''clock' ''", "3 o'clock '"),
        ];
        for (pattern, text) in cases {
            assert_eq!(Pattern::new(pattern).expect("a pattern").format(time), text);
        }
        let read = |pattern: &str, text: &str| {
            Pattern::new(pattern)
                .expect("a pattern")
                .parse(text)
                .expect("readable")
        };
        assert_eq!(read("dd/MM/yyyy", "02/01/1970"), Some(86_400_000_000));
        assert_eq!(read("yyyyMMdd", "19700102"), Some(86_400_000_000));
        assert_eq!(
            read("yyyy-MM-dd h:mm a", "1970-01-01 1:00 PM"),
            Some(13 * 3_600_000_000)
        );
        assert_eq!(read("dd/MM/yyyy", "1970-01-02"), None);
        assert_eq!(read("dd/MM/yyyy", "31/02/1970"), None);
        assert_eq!(read("s.SSS", "1.5"), Some(1_500_000));
        assert_eq!(read("s.SSS", "1.25"), Some(1_250_000));
        assert!(Pattern::new("YYYY").is_err());
        assert!(Pattern::new("yyyy 'T").is_err());
        let both = Pattern::new("HH:mm a").expect("a pattern");
        assert!(both.parse("10:00 PM").is_err());
        assert_eq!(both.format(time), "15:04 PM");
    }
}
