//! JSON documents over several lines, one after the other or in lists: each is put on a line of its own,
//! and read like NDJSON from there.

use std::io::Read;
use std::path::PathBuf;
use std::sync::Arc;

use crate::chunk::{ChunkContent, ChunkSink, InputChunk};
use crate::error::{Error, Result};
use crate::lines::too_long;
use crate::stream::{ReadOptions, read_up_to};

const MARK: &[u8] = b"\xef\xbb\xbf";

/// Whether a file that begins so holds documents rather than lines: a list; an object whose first line is
/// not its end, unless the next line begins one (then the first is a broken record); an object with another
/// one behind it in the same line.
pub(crate) fn is_documents(start: &[u8]) -> bool {
    let start = start.strip_prefix(MARK).unwrap_or(start).trim_ascii_start();
    match start.first() {
        Some(b'[') => true,
        Some(b'{') => {
            let mut scanner = Scanner::default();
            for (i, byte) in start.iter().enumerate() {
                match scanner.step(*byte) {
                    Step::Ends => {
                        let rest = start[i + 1..].split(|b| *b == b'\n').next();
                        return rest.is_some_and(|rest| rest.trim_ascii_start().starts_with(b"{"));
                    }
                    _ if *byte == b'\n' => {
                        return !start[i + 1..].trim_ascii_start().starts_with(b"{");
                    }
                    _ => {}
                }
            }
            false
        }
        _ => false,
    }
}

/// Reads documents in chunks.
pub(crate) fn read_documents(
    mut stream: impl Read,
    name: &Arc<str>,
    options: &ReadOptions,
    sink: &mut dyn ChunkSink,
) -> Result<()> {
    let mut splitter = Splitter {
        scanner: Scanner::default(),
        text: Vec::new(),
        lines: Vec::new(),
        begun: None,
        line: 1,
        place: Place::Outside,
        max: options.max_line,
    };
    let mut starts_input = true;
    let mut buffer = vec![0; 1 << 18];
    let refused = |(line, problem): (u64, String)| Error::BadRecord {
        file: name.to_string(),
        line,
        problem,
    };
    loop {
        let n = read_up_to(&mut stream, &mut buffer).map_err(|reason| Error::Io {
            path: PathBuf::from(&**name),
            reason,
        })?;
        for byte in &buffer[..n] {
            splitter.take(*byte).map_err(refused)?;
        }
        splitter.check_length().map_err(refused)?;
        if n == 0 {
            splitter.finish().map_err(refused)?;
        }
        let is_full = splitter.text.len() >= options.chunk_bytes || n == 0;
        if is_full && let Some(content) = splitter.chunk(sink.buffer()) {
            let chunk = InputChunk {
                file: name.clone(),
                starts_input,
                content,
            };
            if !sink.send(chunk) {
                return Ok(());
            }
            starts_input = false;
        }
        if n == 0 {
            return Ok(());
        }
    }
}

/// Cuts a text into documents.
struct Splitter {
    scanner: Scanner,
    /// Documents, a line each.
    text: Vec<u8>,
    /// The line of the input where each of them ends.
    lines: Vec<u64>,
    /// Where the document at hand begins: its line, and its place in `text`.
    begun: Option<(u64, usize)>,
    line: u64,
    place: Place,
    /// The longest document, in bytes.
    max: usize,
}

/// Where between two documents a byte stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Of any list.
    Outside,
    ListBegun,
    AfterComma,
    AfterItem,
}

impl Splitter {
    fn take(&mut self, byte: u8) -> Result<(), (u64, String)> {
        if byte == b'\n' {
            self.line += 1;
        }
        if self.begun.is_none() {
            return self.take_between(byte);
        }
        let is_bare = self.scanner.depth == 0 && !self.scanner.in_string;
        if is_bare && matches!(byte, b',' | b']' | b' ' | b'\t' | b'\r' | b'\n') {
            // A number or a word, which its surroundings end; it is for the reader to refuse.
            self.end()?;
            return self.take_between(byte);
        }
        match byte {
            // JSON has no line's end in a string; the reader must see that something is there.
            b'\n' if self.scanner.in_string => self.text.push(b'\x0b'),
            b'\n' => self.text.push(b' '),
            _ => self.text.push(byte),
        }
        if self.scanner.step(byte) == Step::Ends {
            self.end()?;
        }
        Ok(())
    }

    fn take_between(&mut self, byte: u8) -> Result<(), (u64, String)> {
        let unexpected = |what: &str| Err((self.line, format!("broken JSON: {what}")));
        match byte {
            b' ' | b'\t' | b'\r' | b'\n' => {}
            // Of a byte order mark, where files were put together.
            0xef | 0xbb | 0xbf => {}
            b'[' if self.place == Place::Outside => self.place = Place::ListBegun,
            b',' if self.place == Place::AfterItem => self.place = Place::AfterComma,
            b']' if matches!(self.place, Place::ListBegun | Place::AfterItem) => {
                self.place = Place::Outside;
            }
            b',' => return unexpected("a comma without a record before it"),
            b']' => return unexpected("a list's end where none should be"),
            _ if self.place == Place::AfterItem => {
                return unexpected("no comma between two items of a list");
            }
            _ => {
                self.begun = Some((self.line, self.text.len()));
                self.text.push(byte);
                if self.scanner.step(byte) == Step::Ends {
                    self.end()?;
                }
            }
        }
        Ok(())
    }

    /// Refuses the document at hand where it is too long.
    fn check_length(&self) -> Result<(), (u64, String)> {
        match self.begun {
            Some((line, at)) if self.text.len() - at > self.max => Err((line, too_long(self.max))),
            _ => Ok(()),
        }
    }

    fn end(&mut self) -> Result<(), (u64, String)> {
        self.check_length()?;
        self.text.push(b'\n');
        self.lines.push(self.line);
        self.begun = None;
        self.scanner = Scanner::default();
        if self.place != Place::Outside {
            self.place = Place::AfterItem;
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<(), (u64, String)> {
        if let Some((line, _)) = self.begun {
            if self.scanner.depth > 0 || self.scanner.in_string {
                return Err((
                    line,
                    "broken JSON: what begins here does not end".to_owned(),
                ));
            }
            self.end()?;
        }
        if self.place != Place::Outside {
            return Err((self.line, "broken JSON: the list does not end".to_owned()));
        }
        Ok(())
    }

    /// The documents that are whole; `buffer` takes the place of theirs.
    fn chunk(&mut self, mut buffer: Vec<u8>) -> Option<ChunkContent> {
        if self.lines.is_empty() {
            return None;
        }
        buffer.clear();
        if let Some((_, at)) = &mut self.begun {
            buffer.extend(self.text.drain(*at..));
            *at = 0;
        }
        let text = std::mem::replace(&mut self.text, buffer);
        Some(ChunkContent::Documents(
            text,
            std::mem::take(&mut self.lines),
        ))
    }
}

/// Where in a document a byte stands.
#[derive(Default)]
struct Scanner {
    depth: u32,
    in_string: bool,
    escaped: bool,
}

#[derive(PartialEq, Eq)]
enum Step {
    GoesOn,
    /// The container that began the document ends here.
    Ends,
}

impl Scanner {
    fn step(&mut self, byte: u8) -> Step {
        if self.in_string {
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' => self.escaped = true,
                b'"' => self.in_string = false,
                _ => {}
            }
            return Step::GoesOn;
        }
        match byte {
            b'"' => self.in_string = true,
            b'{' | b'[' => self.depth += 1,
            b'}' | b']' => {
                self.depth = self.depth.saturating_sub(1);
                if self.depth == 0 {
                    return Step::Ends;
                }
            }
            _ => {}
        }
        Step::GoesOn
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Taken(Vec<(String, Vec<u64>)>);

    impl ChunkSink for Taken {
        fn send(&mut self, chunk: InputChunk) -> bool {
            let ChunkContent::Documents(text, lines) = chunk.content else {
                return false;
            };
            self.0
                .push((String::from_utf8(text).expect("UTF-8"), lines));
            true
        }

        fn buffer(&mut self) -> Vec<u8> {
            Vec::new()
        }
    }

    fn split(text: &str) -> Result<(String, Vec<u64>)> {
        let mut taken = Taken::default();
        let options = ReadOptions {
            max_line: 1 << 20,
            ..ReadOptions::default()
        };
        read_documents(text.as_bytes(), &"test".into(), &options, &mut taken)?;
        Ok(taken.0.into_iter().next().unwrap_or_default())
    }

    #[test]
    fn lists_indented_documents_and_ones_side_by_side_become_lines() {
        for text in [
            "[{\"a\":\n\"}\\\"]\"},\n{\"b\":[1,\n2]}]",
            "{\"a\":\n\"}\\\"]\"}\n{\"b\":[1,\n2]}",
            "{\"a\":\n\"}\\\"]\"}{\"b\":\n[1,2]}",
        ] {
            let (found, lines) = split(text).expect("documents");
            let tight: String = found.chars().filter(|c| *c != ' ').collect();
            assert_eq!(tight, "{\"a\":\"}\\\"]\"}\n{\"b\":[1,2]}\n", "{text}");
            assert_eq!(lines.len(), 2);
        }
        assert_eq!(split("[{},\n{}\n, {}]").expect("documents").1, [1, 2, 3]);
        assert_eq!(split(" [ ] ").expect("none").1, [] as [u64; 0]);
    }

    #[test]
    fn what_is_no_record_is_left_to_the_reader_and_what_is_no_list_is_refused() {
        assert_eq!(split("[1, {}, tru]").expect("documents").0, "1\n{}\ntru\n");
        for wrong in [
            "[{},,{}]", "[{}{}]", "[{},]", "{}]", ",{}", "[{}", "{\"a\":", "[\"a]",
        ] {
            split(wrong).expect_err(wrong);
        }
    }

    #[test]
    fn a_document_is_too_long_wherever_it_ends() {
        for (text, fits) in [
            ("[{},\n{\"a\":12}]", true),
            ("[{},\n{\"a\":123}]", false),
            ("[{},\n{\"a\":1234", false),
        ] {
            let options = ReadOptions {
                max_line: 8,
                ..ReadOptions::default()
            };
            let mut taken = Taken::default();
            let read = read_documents(text.as_bytes(), &"test".into(), &options, &mut taken);
            let told = read.err().map(|error| error.to_string());
            let is_long = |told: &String| told.starts_with("test, line 2: longer than");
            assert_eq!(told.as_ref().is_some_and(is_long), !fits, "{told:?}");
        }
    }

    #[test]
    fn the_beginning_tells_documents_from_lines() {
        let documents = ["[", "\u{feff} [{}]", "{\n \"a\": 1}", "{}{}", "{} {}\n{}"];
        for text in documents {
            assert!(is_documents(text.as_bytes()), "{text}");
        }
        let lines = [
            "",
            "{}",
            "{}\n{}",
            "{\"a\":\n{\"a\":1}",
            "x\n[",
            "{\"a\":\"}{\"}\n",
        ];
        for text in lines {
            assert!(!is_documents(text.as_bytes()), "{text}");
        }
    }
}
