//! Java's regular expressions in Rust's words; what the two read in other ways is refused.

use ::regex::Regex;

use super::super::error::{Code, Error};

/// An expression that is compiled, and what the functions must know of it.
#[derive(Debug)]
pub(super) struct Java {
    pub regex: Regex,
    /// Where a `$` stands: ours takes the line break in front of the end along, Java's doesn't.
    pub end: End,
}

/// Where an expression has a `$`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    None,
    /// In no group.
    Outside,
    InGroup,
}

/// Java's lines end at more than Rust's `.` stops at.
const DOT: &str = r"[^\n\r\u{85}\u{2028}\u{2029}]";
const LAST: &str = r"(?:(?:\r\n|[\n\r\u{85}\u{2028}\u{2029}])?\z)";

/// # Errors
///
/// What isn't known, by name.
pub(super) fn compiled(pattern: &str) -> Result<Java, Error> {
    let mut reader = Reader {
        pattern,
        rest: pattern,
        out: String::with_capacity(pattern.len()),
        in_class: 0,
        groups: 0,
        dot_is_all: false,
        end: End::None,
    };
    reader.read()?;
    match Regex::new(&reader.out) {
        Ok(regex) => Ok(Java {
            regex,
            end: reader.end,
        }),
        Err(error) => {
            let last = error.to_string();
            let last = last.lines().last().unwrap_or_default();
            Err(reader.refused(last.trim_start_matches("error: ")))
        }
    }
}

struct Reader<'p> {
    pattern: &'p str,
    rest: &'p str,
    out: String,
    /// How many brackets are open.
    in_class: usize,
    /// How many groups are open.
    groups: usize,
    /// `(?s)` goes in front of all.
    dot_is_all: bool,
    end: End,
}

impl Reader<'_> {
    fn refused(&self, why: impl std::fmt::Display) -> Error {
        Error::new(
            Code::NotSupported,
            format!("the regular expression {}: {why}", self.pattern),
        )
    }

    fn next(&mut self) -> Option<char> {
        let mut characters = self.rest.chars();
        let one = characters.next();
        self.rest = characters.as_str();
        one
    }

    fn read(&mut self) -> Result<(), Error> {
        while let Some(one) = self.next() {
            let quantifier = matches!(one, '*' | '+' | '?' | '}') && self.in_class == 0;
            if quantifier && self.rest.starts_with('+') {
                return Err(self.refused(format!("{one}+ (a possessive quantifier)")));
            }
            match one {
                '\\' => self.escape()?,
                '[' => {
                    if self.in_class > 0 && self.rest.starts_with(':') {
                        return Err(self.refused("[: within a class"));
                    }
                    self.in_class += 1;
                    self.out.push('[');
                }
                ']' => {
                    self.in_class = self.in_class.saturating_sub(1);
                    self.out.push(']');
                }
                '-' | '~' if self.in_class > 0 && self.rest.starts_with(one) => {
                    return Err(self.refused(format!("{one}{one} within a class")));
                }
                '(' if self.in_class == 0 => self.group()?,
                ')' if self.in_class == 0 => {
                    self.groups = self.groups.saturating_sub(1);
                    self.out.push(')');
                }
                // Without its flag it is the end, or what stands before a line break at the end.
                '$' if self.in_class == 0 => {
                    self.end = if self.groups > 0 || self.end == End::InGroup {
                        End::InGroup
                    } else {
                        End::Outside
                    };
                    self.out.push_str(LAST);
                }
                '.' if self.in_class == 0 && !self.dot_is_all => self.out.push_str(DOT),
                other => self.out.push(other),
            }
        }
        Ok(())
    }

    /// Java's classes are of ASCII where Rust's are of all writing.
    fn escape(&mut self) -> Result<(), Error> {
        let Some(one) = self.next() else {
            self.out.push('\\');
            return Ok(());
        };
        match one {
            'd' => self.out.push_str("[0-9]"),
            'D' => self.out.push_str("[^0-9]"),
            'w' => self.out.push_str("[a-zA-Z0-9_]"),
            'W' => self.out.push_str("[^a-zA-Z0-9_]"),
            's' => self.out.push_str(r"[ \t\n\x0B\f\r]"),
            'S' => self.out.push_str(r"[^ \t\n\x0B\f\r]"),
            'b' | 'B' if self.in_class == 0 && !self.rest.starts_with('{') => {
                self.out.push_str("(?-u:\\");
                self.out.push(one);
                self.out.push(')');
            }
            'b' | 'B' | '<' | '>' | 'v' | 'U' => {
                return Err(self.refused(format!("\\{one}")));
            }
            'p' | 'P' => {
                // General categories are the same; other names are of ASCII in Java and of all writing in Rust.
                let name = match self.rest.strip_prefix('{') {
                    Some(rest) => rest.split('}').next().unwrap_or(rest),
                    None => self.rest.get(..1).unwrap_or_default(),
                };
                if name.is_empty() || name.len() > 2 {
                    return Err(self.refused(format!("\\{one}{{{name}}}")));
                }
                self.out.push('\\');
                self.out.push(one);
            }
            other => {
                self.out.push('\\');
                self.out.push(other);
            }
        }
        Ok(())
    }

    fn group(&mut self) -> Result<(), Error> {
        self.groups += 1;
        self.out.push('(');
        let Some(rest) = self.rest.strip_prefix('?') else {
            return Ok(());
        };
        if rest.starts_with('P') {
            return Err(self.refused("(?P"));
        }
        let end = rest.find(|one: char| !(one.is_ascii_alphabetic() || one == '-'));
        let Some(end) = end.filter(|end| *end > 0) else {
            return Ok(());
        };
        let (flags, rest) = rest.split_at(end);
        let whole = rest.starts_with(')');
        if whole {
            // The flags are a group of their own, which ends with them.
            self.groups -= 1;
            self.rest = &rest[1..];
            self.out.push('?');
            self.out.push_str(flags);
            self.out.push(')');
        }
        for flag in flags.chars() {
            match flag {
                'i' if self.pattern.is_ascii() => {}
                's' if whole && self.out == format!("(?{flags})") && !flags.contains('-') => {
                    self.dot_is_all = true;
                }
                '-' => {}
                other => {
                    return Err(self.refused(format!(
                        "the flag {other} (known are i, of ASCII, and s in front of all)"
                    )));
                }
            }
        }
        Ok(())
    }
}
