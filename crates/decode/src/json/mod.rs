//! JSON, read straight into columns.
//!
//! There is no tree and no tape between the text and the columns: a [`JsonValue`] is a place in the
//! text, and who walks it says which key probably comes next, so that the many keys that all records
//! share are compared in place and not looked for. What a text means is serde_json's say: the tests
//! hold the two against each other.

mod number;
#[cfg(test)]
mod tests;
mod text;

use std::cell::Cell;

use bumpalo::Bump;

use crate::progress::Progress;
use crate::value::{Key, Kind, ObjectEntries, RecordError, Value};

/// After so many bytes it is asked whether the work is to stop: some milliseconds, of a record that may
/// be as long as a file.
const BYTES_BETWEEN_QUESTIONS: usize = 1 << 20;

/// How deep a record may nest.
const DEEPEST: u8 = 128;

/// Reads documents; keeps the memory that they take for those that follow.
#[derive(Default)]
pub(crate) struct JsonParser {
    unescaped: Bump,
}

impl JsonParser {
    /// Hands each of the documents, given as ranges of `text` without a line's end in them, to `f`
    /// with its number.
    ///
    /// A document turns out to be broken only when it is walked, to its end with
    /// [`JsonValue::end`]. Where the work is to stop, the document at hand is bad, whatever it says.
    pub(crate) fn parse_all<E>(
        &mut self,
        text: &[u8],
        progress: &Progress,
        documents: impl Iterator<Item = (usize, usize)>,
        mut f: impl FnMut(usize, Result<JsonValue<'_, '_>, RecordError>) -> Result<(), E>,
    ) -> Result<(), E> {
        for (number, (start, end)) in documents.enumerate() {
            self.unescaped.reset();
            let bytes = text.get(start..end).unwrap_or_default();
            match simdutf8::compat::from_utf8(bytes) {
                Ok(text) => {
                    let reader = Reader {
                        text,
                        at: Cell::new(0),
                        depth: Cell::new(0),
                        unescaped: &self.unescaped,
                        progress,
                        next_question: Cell::new(BYTES_BETWEEN_QUESTIONS),
                    };
                    let root = JsonValue {
                        start: reader.behind_space(0),
                        reader: &reader,
                    };
                    f(number, Ok(root))?;
                }
                Err(error) => f(
                    number,
                    Err(RecordError::new(format!(
                        "invalid UTF-8 (near byte {})",
                        error.valid_up_to()
                    ))),
                )?,
            }
        }
        Ok(())
    }
}

/// A document and how far it has been read.
struct Reader<'t> {
    text: &'t str,
    at: Cell<usize>,
    /// How many containers are open.
    depth: Cell<u8>,
    unescaped: &'t Bump,
    progress: &'t Progress,
    /// Where it is asked next whether to stop.
    next_question: Cell<usize>,
}

impl<'t> Reader<'t> {
    /// Errs where the work is to stop; asks only now and then.
    #[inline(always)]
    fn go_on(&self, at: usize) -> Result<(), RecordError> {
        if at < self.next_question.get() {
            return Ok(());
        }
        self.ask(at)
    }

    #[cold]
    fn ask(&self, at: usize) -> Result<(), RecordError> {
        self.next_question.set(at + BYTES_BETWEEN_QUESTIONS);
        match self.progress.is_cancelled() {
            true => Err(RecordError::stopped()),
            false => Ok(()),
        }
    }

    /// The byte at a place; a line's end, which is not in the text, at its end.
    #[inline]
    fn byte(&self, at: usize) -> u8 {
        self.text.as_bytes().get(at).copied().unwrap_or(b'\n')
    }

    /// The next place without white space.
    #[inline]
    fn behind_space(&self, mut at: usize) -> usize {
        while matches!(self.byte(at), b' ' | b'\t' | b'\r') {
            at += 1;
        }
        at
    }

    /// The error of a place where `expected` should be.
    #[cold]
    fn unexpected(&self, at: usize, expected: &str) -> RecordError {
        let found = match self.text.get(at..).and_then(|t| t.chars().next()) {
            None => return self.broken(at, "it ends too early"),
            Some(found) => found,
        };
        self.broken(at, &format!("expected {expected}, found {found:?}"))
    }

    #[cold]
    fn broken(&self, at: usize, problem: &str) -> RecordError {
        RecordError::new(format!("broken JSON: {problem} (near byte {at})"))
    }

    /// Steps out of a container whose end is at a place.
    #[inline]
    fn close(&self, at: usize) {
        self.depth.set(self.depth.get().saturating_sub(1));
        self.at.set(at + 1);
    }

    fn literal(&self, at: usize, word: &str, kind: Kind<'static>) -> Result<Kind<'t>, RecordError> {
        let rest = self.text.as_bytes().get(at..).unwrap_or_default();
        if !rest.starts_with(word.as_bytes()) {
            return Err(self.unexpected(at, "a value"));
        }
        self.at.set(at + word.len());
        Ok(kind)
    }
}

/// A value: where it begins.
#[derive(Clone, Copy)]
pub(crate) struct JsonValue<'r, 't> {
    reader: &'r Reader<'t>,
    start: usize,
}

impl JsonValue<'_, '_> {
    /// Says whether there is nothing behind the value, which has been walked.
    pub(crate) fn end(self) -> Result<(), RecordError> {
        let at = self.reader.behind_space(self.reader.at.get());
        if at == self.reader.text.len() {
            Ok(())
        } else {
            Err(self.reader.unexpected(at, "nothing more"))
        }
    }

    /// Steps into a container.
    #[inline]
    fn open(self) -> Result<(), RecordError> {
        let depth = self.reader.depth.get();
        if depth >= DEEPEST {
            return Err(RecordError::new(format!(
                "nested deeper than {DEEPEST} levels"
            )));
        }
        self.reader.depth.set(depth + 1);
        self.reader.at.set(self.start + 1);
        Ok(())
    }
}

impl<'r, 't> Value<'t> for JsonValue<'r, 't> {
    type Entries = JsonEntries<'r, 't>;

    #[inline(always)]
    fn kind(self) -> Result<Kind<'t>, RecordError> {
        let (reader, at) = (self.reader, self.start);
        match reader.byte(at) {
            b'"' => reader.string(at).map(Kind::Text),
            b'{' => Ok(Kind::Object),
            b'[' => Ok(Kind::List),
            b'-' | b'0'..=b'9' => reader.number(at),
            b't' => reader.literal(at, "true", Kind::Boolean(true)),
            b'f' => reader.literal(at, "false", Kind::Boolean(false)),
            b'n' => reader.literal(at, "null", Kind::Null),
            _ => Err(reader.unexpected(at, "a value")),
        }
    }

    #[inline]
    fn items(self, f: &mut impl FnMut(Self) -> Result<(), RecordError>) -> Result<(), RecordError> {
        let reader = self.reader;
        if reader.byte(self.start) != b'[' {
            return self.skip();
        }
        self.open()?;
        let mut at = reader.behind_space(self.start + 1);
        if reader.byte(at) == b']' {
            reader.close(at);
            return Ok(());
        }
        loop {
            reader.go_on(at)?;
            f(JsonValue { reader, start: at })?;
            at = reader.behind_space(reader.at.get());
            match reader.byte(at) {
                b',' => at = reader.behind_space(at + 1),
                b']' => {
                    reader.close(at);
                    return Ok(());
                }
                _ => return Err(reader.unexpected(at, "a comma or the list's end")),
            }
        }
    }

    #[inline]
    fn entries(self) -> Result<JsonEntries<'r, 't>, RecordError> {
        let is_open = self.reader.byte(self.start) == b'{';
        if is_open {
            self.open()?;
        } else {
            self.skip()?;
        }
        Ok(JsonEntries {
            reader: self.reader,
            is_open,
            is_first: true,
        })
    }

    fn skip(self) -> Result<(), RecordError> {
        match self.kind()? {
            Kind::List => self.items(&mut |item| item.skip()),
            Kind::Object => {
                let mut entries = self.entries()?;
                while let Some((_, value)) = entries.next(b"")? {
                    value.skip()?;
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

/// The entries of an object that are still to come.
pub(crate) struct JsonEntries<'r, 't> {
    reader: &'r Reader<'t>,
    is_open: bool,
    is_first: bool,
}

impl<'r, 't> ObjectEntries<'t> for JsonEntries<'r, 't> {
    type Value = JsonValue<'r, 't>;

    #[inline(always)]
    fn next(&mut self, likely: &[u8]) -> Result<Option<(Key<'t>, JsonValue<'r, 't>)>, RecordError> {
        let reader = self.reader;
        if !self.is_open {
            return Ok(None);
        }
        let mut at = reader.behind_space(reader.at.get());
        reader.go_on(at)?;
        match (reader.byte(at), self.is_first) {
            (b'}', _) => {
                reader.close(at);
                self.is_open = false;
                return Ok(None);
            }
            (_, true) => self.is_first = false,
            (b',', false) => at = reader.behind_space(at + 1),
            _ => return Err(reader.unexpected(at, "a comma or the object's end")),
        }
        let key = if text::is_at(reader.text.as_bytes(), at, likely) {
            at += likely.len();
            Key::Likely
        } else if reader.byte(at) == b'"' {
            let name = reader.string(at)?;
            at = reader.at.get();
            Key::Named(name)
        } else {
            return Err(reader.unexpected(at, "a field's name"));
        };
        at = reader.behind_space(at);
        if reader.byte(at) != b':' {
            return Err(reader.unexpected(at, "a colon"));
        }
        let start = reader.behind_space(at + 1);
        Ok(Some((key, JsonValue { reader, start })))
    }
}
