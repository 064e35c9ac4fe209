use std::collections::VecDeque;

use crate::error::Problem;
use crate::{Error, Span};

/// A word, a value or a mark of a text.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Token {
    /// A bare name: also each of the language's words, which are told by where they stand.
    Name(String),
    /// A name in backquotes, which is never a word of the language.
    Quoted(String),
    String(String),
    /// Without a sign, so that the lowest integer can be read, too.
    Integer(u64),
    Double(f64),
    /// `$1`.
    Parameter(u32),
    Mark(&'static str),
    End,
}

/// The longer ones first.
const MARKS: [&str; 24] = [
    "=>", "!=", "<=", ">=", "=", "<", ">", "(", ")", "[", "]", "{", "}", ",", ":", ".", "+", "-",
    "*", "/", "%", "!", "^", "@",
];

/// What other languages write, and what is right here.
const FOREIGN: [(&str, &str); 7] = [
    ("==", "PQL compares with a single \"=\""),
    ("<>", "PQL writes \"!=\""),
    ("&&", "PQL writes \"and\""),
    ("||", "PQL writes \"or\""),
    ("'", "PQL has double quotes only, as in \"CA\""),
    ("//", "PQL has no comments"),
    ("/*", "PQL has no comments"),
];

/// Reads tokens as they are asked for, so that a long text of nothing costs nothing.
pub(crate) struct Lexer<'a> {
    text: &'a str,
    at: usize,
    ahead: VecDeque<(Token, Span)>,
}

impl<'a> Lexer<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self {
            text,
            at: 0,
            ahead: VecDeque::new(),
        }
    }

    pub(crate) fn text(&self) -> &'a str {
        self.text
    }

    pub(crate) fn next(&mut self) -> Result<(Token, Span), Box<Error>> {
        match self.ahead.pop_front() {
            Some(token) => Ok(token),
            None => self.read(),
        }
    }

    /// The token that comes `further` after the next one.
    pub(crate) fn peek(&mut self, further: usize) -> Result<&(Token, Span), Box<Error>> {
        while self.ahead.len() <= further {
            let token = self.read()?;
            self.ahead.push_back(token);
        }
        match self.ahead.get(further) {
            Some(token) => Ok(token),
            None => Err(self.error(self.at, self.at, Problem::too_long())),
        }
    }

    fn error(&self, start: usize, end: usize, problem: Problem) -> Box<Error> {
        Box::new(Error::in_text(self.text, Span::new(start, end), problem))
    }

    fn rest(&self, at: usize) -> &'a str {
        self.text.get(at..).unwrap_or_default()
    }

    fn read(&mut self) -> Result<(Token, Span), Box<Error>> {
        let rest = self.rest(self.at);
        let trimmed = rest.trim_start();
        let start = self.text.len() - trimmed.len();
        let Some(first) = trimmed.chars().next() else {
            self.at = start;
            return Ok((Token::End, Span::new(start, start)));
        };
        let (token, length) = match first {
            '"' => self.string(start)?,
            '`' => self.quoted(start)?,
            '$' => self.parameter(start)?,
            '0'..='9' => self.number(start)?,
            '.' if trimmed.chars().nth(1).is_some_and(|c| c.is_ascii_digit()) => {
                self.number(start)?
            }
            c if is_name_start(c) => {
                let end = trimmed.find(|c| !is_name_part(c)).unwrap_or(trimmed.len());
                let name = trimmed.get(..end).unwrap_or_default();
                if name == "xdm" && trimmed.get(end..).is_some_and(|r| r.starts_with(':')) {
                    let problem = Problem::found(
                        "the prefix \"xdm:\"",
                        "the field's name without it, as PQL has no prefixes,",
                    );
                    return Err(self.error(start, start + end + 1, problem));
                }
                (Token::Name(name.to_owned()), end)
            }
            _ => self.mark(start, first)?,
        };
        self.at = start + length;
        Ok((token, Span::new(start, self.at)))
    }

    fn mark(&self, start: usize, first: char) -> Result<(Token, usize), Box<Error>> {
        let rest = self.rest(start);
        let end = start + first.len_utf8();
        for (foreign, instead) in FOREIGN {
            if rest.starts_with(foreign) {
                let problem = Problem::refused(format!("found {foreign:?}"), instead);
                return Err(self.error(start, start + foreign.len(), problem));
            }
        }
        if "\u{201c}\u{201d}\u{201e}\u{2018}\u{2019}\u{201a}\u{ab}\u{bb}".contains(first) {
            let problem = Problem::refused(
                format!("found the typographic quote {first}"),
                "PQL has straight double quotes only, as in \"CA\"",
            );
            return Err(self.error(start, end, problem));
        }
        match MARKS.into_iter().find(|mark| rest.starts_with(mark)) {
            Some(mark) => Ok((Token::Mark(mark), mark.len())),
            None => {
                let problem = Problem::found(
                    format!("the character {first:?}"),
                    "a name, a value or an operator",
                );
                Err(self.error(start, end, problem))
            }
        }
    }

    fn parameter(&self, start: usize) -> Result<(Token, usize), Box<Error>> {
        let digits = self.rest(start + 1);
        let end = digits
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(digits.len());
        match digits.get(..end).and_then(|d| d.parse().ok()) {
            Some(number) => Ok((Token::Parameter(number), 1 + end)),
            None => {
                let problem = Problem::found("a \"$\"", "$1, the profile,");
                Err(self.error(start, start + 1, problem))
            }
        }
    }

    fn quoted(&self, start: usize) -> Result<(Token, usize), Box<Error>> {
        let mut name = String::new();
        let mut rest = self.rest(start + 1);
        while let Some((before, after)) = rest.split_once('`') {
            name.push_str(before);
            match after.strip_prefix('`') {
                Some(more) => {
                    name.push('`');
                    rest = more;
                }
                None if name.is_empty() => {
                    let problem = Problem::found("an empty name", "a field's name");
                    return Err(self.error(start, start + 2, problem));
                }
                None => return Ok((Token::Quoted(name), self.text.len() - after.len() - start)),
            }
        }
        let problem = Problem::Open {
            what: "a name in backquotes",
            with: "`",
        };
        Err(self.error(start, self.text.len(), problem))
    }

    fn number(&self, start: usize) -> Result<(Token, usize), Box<Error>> {
        let rest = self.rest(start).as_bytes();
        let digits = |mut at: usize| {
            while rest.get(at).is_some_and(u8::is_ascii_digit) {
                at += 1;
            }
            at
        };
        let mut end = digits(0);
        let mut is_double = false;
        if rest.get(end) == Some(&b'.') && rest.get(end + 1).is_some_and(u8::is_ascii_digit) {
            is_double = true;
            end = digits(end + 1);
        }
        if matches!(rest.get(end), Some(b'e' | b'E')) {
            let sign = usize::from(matches!(rest.get(end + 1), Some(b'+' | b'-')));
            if rest.get(end + 1 + sign).is_some_and(u8::is_ascii_digit) {
                is_double = true;
                end = digits(end + 1 + sign);
            }
        }
        let text = self.rest(start).get(..end).unwrap_or_default();
        if let Some(c) = self.rest(start + end).chars().next()
            && is_name_start(c)
        {
            let problem = Problem::found(
                format!("{c:?} right after the number {text}"),
                "a blank or an operator",
            );
            return Err(self.error(start + end, start + end + c.len_utf8(), problem));
        }
        let token = if is_double {
            let value = text.parse::<f64>().ok().filter(|v| v.is_finite());
            value.map(Token::Double)
        } else {
            text.parse().ok().map(Token::Integer)
        };
        match token {
            Some(token) => Ok((token, end)),
            None => {
                let wanted = if is_double {
                    "a double below 1.8E308"
                } else {
                    "an integer of 64 bits"
                };
                let shown: String = text.chars().take(40).collect();
                let problem = Problem::found(format!("the number {shown}"), wanted);
                Err(self.error(start, start + end, problem))
            }
        }
    }

    fn string(&self, start: usize) -> Result<(Token, usize), Box<Error>> {
        let mut value = String::new();
        let rest = self.rest(start + 1);
        let mut chars = rest.char_indices();
        while let Some((at, c)) = chars.next() {
            match c {
                '"' => return Ok((Token::String(value), 1 + at + 1)),
                '\\' => match chars.next() {
                    Some((_, 'n')) => value.push('\n'),
                    Some((_, 't')) => value.push('\t'),
                    Some((_, 'r')) => value.push('\r'),
                    Some((_, 'f')) => value.push('\u{c}'),
                    Some((_, c @ ('"' | '\\' | '/' | '\''))) => value.push(c),
                    Some((_, 'u')) => {
                        let from = at + 2;
                        let (c, length) = self.unicode(start + 1 + at, rest.get(from..))?;
                        value.push(c);
                        // All of them are ASCII.
                        chars.nth(length - 1);
                    }
                    // A regular expression's `\w` with a single backslash, as older texts have it; `\b` is a
                    // word's end in one, and nobody asks for a backspace.
                    Some((_, c)) => value.extend(['\\', c]),
                    None => break,
                },
                c => value.push(c),
            }
        }
        let problem = Problem::Open {
            what: "a string",
            with: "a double quote",
        };
        Err(self.error(start, self.text.len(), problem))
    }

    /// The character of `\uXXXX`, or of two of them, and how long it is after the `u`.
    fn unicode(&self, at: usize, rest: Option<&str>) -> Result<(char, usize), Box<Error>> {
        let hex = |from: usize| {
            let digits = rest?.get(from..from + 4)?;
            let plain = digits.bytes().all(|b| b.is_ascii_hexdigit());
            plain
                .then(|| u32::from_str_radix(digits, 16).ok())
                .flatten()
        };
        let found = match hex(0) {
            Some(high @ 0xd800..=0xdbff) => {
                let second = rest.and_then(|r| r.get(4..6)) == Some("\\u");
                match hex(6).filter(|low| second && (0xdc00..=0xdfff).contains(low)) {
                    Some(low) => {
                        let code = 0x1_0000 + ((high - 0xd800) << 10) + (low - 0xdc00);
                        char::from_u32(code).map(|c| (c, 10))
                    }
                    None => None,
                }
            }
            Some(code) => char::from_u32(code).map(|c| (c, 4)),
            None => None,
        };
        found.ok_or_else(|| {
            let problem = Problem::found(
                "an incomplete \\u",
                "\\u with the four hexadecimal digits of a character",
            );
            self.error(at, at + 2, problem)
        })
    }
}

pub(crate) fn is_name_start(c: char) -> bool {
    c.is_alphabetic() || c == '_'
}

pub(crate) fn is_name_part(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}
