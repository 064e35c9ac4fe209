use memchr::memmem::Finder;
use serde_json::Value;

/// In bytes that are no text of ours, values of fewer bytes than this are not looked for: chance has them.
const SHORTEST_RAW: usize = 4;

/// A value that is looked for, such as the id of an identity.
///
/// A text holds it where it is the value, or has it as a word: no letter, digit or `_` stands right before or behind it.
/// Of an address, a value with `@`, neither do `.`, `+`, `-` and `%` with more of the address: `jo.ann@x.org` and
/// `ann@x.org.uk` don't hold `ann@x.org`. A value of less than four bytes is held by texts alone that are the value.
/// Upper and lower case are different.
pub struct Sought {
    value: String,
    finder: Finder<'static>,
}

impl Sought {
    /// Looks for a value.
    #[must_use]
    pub fn new(value: &str) -> Self {
        Self {
            value: value.to_owned(),
            finder: Finder::new(value).into_owned(),
        }
    }

    /// The value.
    #[must_use]
    pub fn value(&self) -> &str {
        &self.value
    }

    /// Whether it is looked for in bytes that are no text of ours.
    pub(crate) fn is_found_raw(&self) -> bool {
        self.value.len() >= SHORTEST_RAW
    }

    /// Whether a text holds it, or, where that is JSON with escapes, one of its strings does.
    #[must_use]
    pub fn is_in(&self, text: &str) -> bool {
        if text == self.value || self.is_within(text.as_bytes()) {
            return true;
        }
        // What stands in JSON as it is was found above, but for one that is too short to be a word.
        let may_be_json = text.starts_with(['{', '[', '"']);
        let may_differ = text.contains('\\') || !self.is_found_raw();
        if !may_be_json || !may_differ {
            return false;
        }
        serde_json::from_str(text).is_ok_and(|value| self.is_in_json(&value))
    }

    fn is_in_json(&self, value: &Value) -> bool {
        match value {
            Value::String(text) => self.is_in(text),
            Value::Array(items) => items.iter().any(|item| self.is_in_json(item)),
            Value::Object(members) => members
                .iter()
                .any(|(key, value)| self.is_in(key) || self.is_in_json(value)),
            Value::Null | Value::Bool(_) | Value::Number(_) => false,
        }
    }

    fn is_within(&self, bytes: &[u8]) -> bool {
        self.is_found_raw()
            && self
                .finder
                .find_iter(bytes)
                .any(|at| self.is_word(bytes, at))
    }

    /// Whether bytes hold it: a part of a file's, which begins or ends with these where `is_first` and `is_last` say so.
    /// Parts share so many bytes that one of them has what is before and behind the value, two bytes each.
    pub(crate) fn is_in_bytes(&self, bytes: &[u8], is_first: bool, is_last: bool) -> bool {
        self.is_found_raw()
            && self.finder.find_iter(bytes).any(|at| {
                (is_first || at >= 2)
                    && (is_last || at + self.value.len() + 2 <= bytes.len())
                    && self.is_word(bytes, at)
            })
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
        assert!(!sought.is_in_bytes(b"\0 7 \0", true, true));
    }

    #[test]
    fn what_is_before_and_behind_a_part_of_a_file_decides() {
        let sought = Sought::new("4711-a");
        assert!(sought.is_in_bytes(b"4711-a", true, true));
        assert!(!sought.is_in_bytes(b"\x01 4711-a", true, false));
        assert!(sought.is_in_bytes(b"\x01 4711-a\"}", false, false));
        assert!(!sought.is_in_bytes(b"\x01 4711-ab}", false, true));
        assert!(!sought.is_in_bytes(b"4711-a\"}", false, true));
    }
}
