use std::io::Read;
use std::path::PathBuf;
use std::sync::Arc;

use crate::chunk::{ChunkContent, ChunkSink, InputChunk};
use crate::error::{Error, Result};
use crate::stream::{ReadOptions, read_up_to};

/// Reads NDJSON in chunks of whole lines.
pub(crate) fn read_lines(
    mut stream: impl Read,
    name: &Arc<str>,
    options: &ReadOptions,
    sink: &mut dyn ChunkSink,
) -> Result<()> {
    let mut starts_input = true;
    let mut carried: Vec<u8> = Vec::new();
    // To read nothing would be the end.
    let step = options.chunk_bytes.max(1);
    loop {
        // What the buffer held is overwritten: to clear it would cost as much as to read.
        let mut bytes = sink.buffer();
        let before = carried.len();
        bytes.resize(bytes.len().max(before + step), 0);
        let (start, rest) = bytes.split_at_mut(before);
        start.copy_from_slice(&carried);
        let n = read_up_to(&mut stream, &mut rest[..step]).map_err(|reason| Error::Io {
            path: PathBuf::from(&**name),
            reason,
        })?;
        bytes.truncate(before + n);
        carried.clear();
        if n > 0 {
            // Only what is new can hold a line's end.
            let new = &bytes[before..];
            let end = memchr::memrchr(b'\n', new).map_or(0, |end| before + end + 1);
            carried.extend_from_slice(&bytes[end..]);
            bytes.truncate(end);
        }
        let long = long_line(&bytes, options.max_line);
        bytes.truncate(long.unwrap_or(bytes.len()));
        if !bytes.is_empty() {
            let chunk = InputChunk {
                file: name.clone(),
                starts_input,
                content: ChunkContent::Lines(bytes),
            };
            if !sink.send(chunk) {
                return Ok(());
            }
            starts_input = false;
        }
        if long.is_some() || carried.len() > options.max_line {
            return Err(Error::LongLine {
                file: name.to_string(),
                starts_input,
                problem: too_long(options.max_line),
            });
        }
        if n == 0 {
            return Ok(());
        }
    }
}

/// Where the first of some lines begins that is too long.
fn long_line(lines: &[u8], max: usize) -> Option<usize> {
    // Mostly they are not even together.
    if lines.len() <= max {
        return None;
    }
    let mut start = 0;
    for end in memchr::memchr_iter(b'\n', lines).chain([lines.len()]) {
        if end - start > max {
            return Some(start);
        }
        start = end + 1;
    }
    None
}

/// What is wrong with a line, or a document, that is too long.
pub(crate) fn too_long(max: usize) -> String {
    format!(
        "longer than {} MiB; a record is an object a line, and --max-line allows longer ones",
        max >> 20
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Taken(Vec<u8>);

    impl ChunkSink for Taken {
        fn send(&mut self, chunk: InputChunk) -> bool {
            if let ChunkContent::Lines(lines) = chunk.content {
                self.0.extend(lines);
            }
            true
        }

        fn buffer(&mut self) -> Vec<u8> {
            Vec::new()
        }
    }

    #[test]
    fn a_line_is_too_long_wherever_it_stands_among_chunks() {
        let read = |text: &str, chunk_bytes| {
            let options = ReadOptions {
                max_line: 10,
                chunk_bytes,
                ..ReadOptions::default()
            };
            let mut taken = Taken::default();
            let read = read_lines(text.as_bytes(), &"test".into(), &options, &mut taken);
            (String::from_utf8(taken.0).expect("UTF-8"), read.is_ok())
        };
        for chunk_bytes in [1, 3, 8, 12, 25, 1_000] {
            for end in ["", "\n", "\nb\n"] {
                let fits = format!("a\n0123456789{end}");
                assert_eq!(read(&fits, chunk_bytes), (fits, true), "{chunk_bytes}");
                let long = format!("a\n0123456789-{end}");
                assert_eq!(
                    read(&long, chunk_bytes),
                    ("a\n".to_owned(), false),
                    "{chunk_bytes}"
                );
            }
        }
    }
}
