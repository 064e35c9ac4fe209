use memchr::memmem::Finder;
use serde_json::Value;

/// In bytes that are no text of ours, values of fewer bytes than this are not looked for: chance has them.
const SHORTEST_RAW: usize = 4;

/// Values of fewer bytes than this, and those without a digit that are no address, are common: a year, a number of a
/// few digits, a name. As words they stand in texts that are of nobody, or of others.
const SHORTEST_DISTINCT: usize = 8;
/// What stands between the fields of a line.
const BETWEEN_FIELDS: &[u8] = b",;|\t\"\r\n";

/// Whether something holds a value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Held {
    /// It does not.
    #[default]
    No,
    /// It has what may be the value of somebody, or a word or a number like any other.
    Mentioned,
    /// It does.
    Yes,
}

/// A value that is looked for, such as the id of an identity.
///
/// It is *distinct* where it is an address, or has eight bytes or more with a digit among them; all others are common. A
/// text holds a distinct value where it is the value, or has it as a word: no letter, digit or `_` stands right before or
/// behind it. Of an address, a value with `@`, neither do `.`, `+`, `-` and `%` with more of the address: `jo.ann@x.org`
/// and `ann@x.org.uk` don't hold `ann@x.org`. A common value is held by texts alone that are the value, a field of a line or
/// a string of JSON among them, or the value behind its namespace, `CRMID:2018`; a text with the word mentions it, where it has
/// four bytes or more. An integer that is equal holds a distinct value, and mentions a common one. Upper and lower case are
/// different.
pub struct Sought {
    value: String,
    finder: Finder<'static>,
    number: Option<i64>,
    is_distinct: bool,
}

impl Sought {
    /// Looks for a value.
    #[must_use]
    pub fn new(value: &str) -> Self {
        let has_digit = value.bytes().any(|byte| byte.is_ascii_digit());
        let is_long = value.len() >= SHORTEST_DISTINCT && has_digit;
        let is_address = value.len() >= SHORTEST_RAW && value.contains('@');
        Self {
            value: value.to_owned(),
            finder: Finder::new(value).into_owned(),
            number: value.parse().ok(),
            is_distinct: is_long || is_address,
        }
    }

    /// The value.
    #[must_use]
    pub fn value(&self) -> &str {
        &self.value
    }

    /// Whether it is looked for as a word, and in bytes that are no text of ours.
    pub(crate) fn is_found_raw(&self) -> bool {
        self.value.len() >= SHORTEST_RAW
    }

    /// What holds it as a word.
    fn as_word(&self) -> Held {
        match (self.is_distinct, self.is_found_raw()) {
            (true, _) => Held::Yes,
            (false, true) => Held::Mentioned,
            (false, false) => Held::No,
        }
    }

    /// Whether a text holds it, or, where that is JSON, one of its strings does.
    #[must_use]
    pub fn is_in(&self, text: &str) -> bool {
        self.in_text(text) == Held::Yes
    }

    /// Whether a text holds it, or mentions it.
    #[must_use]
    pub(crate) fn in_text(&self, text: &str) -> Held {
        if text == self.value {
            return Held::Yes;
        }
        let bytes = text.as_bytes();
        let mut words = self.finder.find_iter(bytes);
        let is_word = words.any(|at| self.is_word(bytes, at));
        if is_word && self.is_distinct {
            return Held::Yes;
        }
        let may_be_json = text.starts_with(['{', '[', '"']);
        if may_be_json
            && (is_word || text.contains('\\'))
            && let Ok(value) = serde_json::from_str(text)
        {
            return self.in_json(&value);
        }
        match is_word {
            true if self.is_field(bytes) => Held::Yes,
            true => self.as_word(),
            false => Held::No,
        }
    }

    /// Whether an integer of a row is it.
    #[must_use]
    pub(crate) fn in_integer(&self, integer: i64) -> Held {
        match self.number == Some(integer) {
            true if self.is_distinct => Held::Yes,
            true => Held::Mentioned,
            false => Held::No,
        }
    }

    fn in_json(&self, value: &Value) -> Held {
        match value {
            Value::String(text) => self.in_text(text),
            Value::Array(items) => {
                let items = items.iter().map(|item| self.in_json(item));
                items.max().unwrap_or_default()
            }
            Value::Object(members) => {
                let members = members
                    .iter()
                    .map(|(key, value)| self.in_text(key).max(self.in_json(value)));
                members.max().unwrap_or_default()
            }
            // The catalog is full of numbers of a few digits.
            Value::Number(number) if self.is_found_raw() => {
                let number = number.as_i64();
                number.map_or(Held::No, |number| self.in_integer(number))
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => Held::No,
        }
    }

    /// Whether it is a field of a line, or stands behind its namespace.
    fn is_field(&self, bytes: &[u8]) -> bool {
        let is_between = |byte: &u8| BETWEEN_FIELDS.contains(byte);
        self.finder.find_iter(bytes).any(|at| {
            let before = bytes.get(..at).unwrap_or_default();
            let behind = bytes.get(at + self.value.len()..).unwrap_or_default();
            let begins = match before {
                [namespace @ .., b':'] => {
                    let of_name = |byte: &u8| is_of_word(*byte) || *byte == b'-';
                    !namespace.is_empty() && namespace.iter().all(of_name)
                }
                before => before.last().is_none_or(is_between),
            };
            begins && behind.first().is_none_or(is_between)
        })
    }

    /// Whether bytes hold it: a part of a file's, which begins or ends with these where `is_first` and `is_last` say so.
    /// Parts share so many bytes that one of them has what is before and behind the value, two bytes each.
    pub(crate) fn in_bytes(&self, bytes: &[u8], is_first: bool, is_last: bool) -> Held {
        let is_there = self.is_found_raw()
            && self.finder.find_iter(bytes).any(|at| {
                (is_first || at >= 2)
                    && (is_last || at + self.value.len() + 2 <= bytes.len())
                    && self.is_word(bytes, at)
            });
        match is_there {
            true => self.as_word(),
            false => Held::No,
        }
    }

    /// Whether the value at a place stands by itself.
    fn is_word(&self, bytes: &[u8], at: usize) -> bool {
        let is_address = self.value.contains('@');
        let behind = bytes.get(at + self.value.len()..).unwrap_or_default();
        let before = bytes.get(..at).unwrap_or_default();
        let is_more_behind = match behind {
            [b'.' | b'-', next, ..] if is_address => next.is_ascii_alphanumeric(),
            [next, ..] => is_of_word(*next),
            [] => false,
        };
        let is_more_before = match before {
            [.., first, b'.' | b'+' | b'-' | b'%'] if is_address => is_of_word(*first),
            [.., last] => is_of_word(*last),
            [] => false,
        };
        !is_more_behind && !is_more_before
    }
}

fn is_of_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_holds_a_value_as_a_word() {
        let sought = Sought::new("ann@x.org");
        for text in [
            "ann@x.org",
            "mailto:ann@x.org",
            "write to ann@x.org.",
            "<ann@x.org>",
            r#"{"id":"ann@x.org"}"#,
            r#"{"id":"ann\u0040x.org"}"#,
            r#"{"a":"{\"b\":\"ann\\u0040x.org\"}"}"#,
            "-ann@x.org",
        ] {
            assert!(sought.is_in(text), "{text}");
        }
        for text in [
            "joann@x.org",
            "jo.ann@x.org",
            "jo+ann@x.org",
            "ann@x.org.uk",
            "ann@x.organ",
            "Ann@x.org",
            "éann@x.org",
            "",
        ] {
            assert!(!sought.is_in(text), "{text}");
        }
    }

    #[test]
    fn a_short_value_is_a_whole_string() {
        let sought = Sought::new("7");
        assert!(sought.is_in("7") && sought.is_in(r#"{"id":["7"]}"#));
        assert!(!sought.is_in("gate 7") && !sought.is_in(r#"{"id":7}"#));
        assert_eq!(sought.in_text("gate 7"), Held::No);
        assert!(sought.in_bytes(b"\0 7 \0", true, true) == Held::No);
    }

    #[test]
    fn a_common_value_is_held_where_it_stands_alone_and_mentioned_where_it_is_a_word() {
        let sought = Sought::new("2018");
        let of = |text: &str| sought.in_text(text);
        for text in [
            "2018",
            "CRMID:2018",
            "1;2018;x",
            r#"a,"2018",b"#,
            r#"{"id":"2018"}"#,
            r#"["\u0032018"]"#,
            r#"{"id":"CRMID:2018"}"#,
        ] {
            assert_eq!(of(text), Held::Yes, "{text}");
        }
        for text in [
            "since 2018",
            "2018-01-01",
            r#"{"year":2018}"#,
            r#"{"x":"in 2018, or"}"#,
            "since: 2018",
        ] {
            assert_eq!(of(text), Held::Mentioned, "{text}");
        }
        assert_eq!(of("12018"), Held::No);
        assert_eq!(sought.in_integer(2018), Held::Mentioned);
        for common in ["Oslo", "Margaret", "1234567"] {
            assert_eq!(
                Sought::new(common).in_text(&format!("of {common}")),
                Held::Mentioned
            );
        }
        let distinct = Sought::new("40012345");
        assert_eq!(distinct.in_integer(40_012_345), Held::Yes);
        assert_eq!(distinct.in_integer(40_012_346), Held::No);
        assert!(distinct.is_in("no. 40012345") && distinct.is_in(r#"{"id":40012345}"#));
    }

    #[test]
    fn what_is_before_and_behind_a_part_of_a_file_decides() {
        let is_in_bytes = |sought: &Sought, bytes: &[u8], is_first, is_last| {
            sought.in_bytes(bytes, is_first, is_last) == Held::Mentioned
        };
        let sought = Sought::new("4711-a");
        assert!(is_in_bytes(&sought, b"4711-a", true, true));
        assert!(!is_in_bytes(&sought, b"\x01 4711-a", true, false));
        assert!(is_in_bytes(&sought, b"\x01 4711-a\"}", false, false));
        assert!(!is_in_bytes(&sought, b"\x01 4711-ab}", false, true));
        assert!(!is_in_bytes(&sought, b"4711-a\"}", false, true));
    }
}
