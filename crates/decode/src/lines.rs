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
    // To read nothing would be the end.
    let step = options.chunk_bytes.max(1);
    let mut bytes = sink.buffer();
    // How many of them are of lines whose end has not come yet. A long line grows where it stands.
    let mut begun = 0;
    loop {
        // What the buffer held is overwritten: to clear it would cost as much as to read.
        bytes.resize(bytes.len().max(begun + step), 0);
        let n = read_up_to(&mut stream, &mut bytes[begun..begun + step]).map_err(|reason| {
            Error::Io {
                path: PathBuf::from(&**name),
                reason,
            }
        })?;
        let read = begun + n;
        // Only what is new can hold a line's end; the last line needs none.
        let end = match n {
            0 => read,
            _ => memchr::memrchr(b'\n', &bytes[begun..read]).map_or(0, |end| begun + end + 1),
        };
        begun = read - end;
        let long = long_line(&bytes[..end], options.max_line);
        let fit = long.unwrap_or(end);
        if fit > 0 {
            let mut next = sink.buffer();
            next.resize(next.len().max(begun), 0);
            next[..begun].copy_from_slice(&bytes[end..read]);
            let mut lines = std::mem::replace(&mut bytes, next);
            lines.truncate(fit);
            let chunk = InputChunk {
                file: name.clone(),
                starts_input,
                content: ChunkContent::Lines(lines),
            };
            if !sink.send(chunk) {
                return Ok(());
            }
            starts_input = false;
        }
        if long.is_some() || begun > options.max_line {
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
    struct Taken {
        chunks: Vec<Vec<u8>>,
        buffers: usize,
    }

    impl ChunkSink for Taken {
        fn send(&mut self, chunk: InputChunk) -> bool {
            self.chunks.extend(chunk.into_buffer());
            true
        }

        fn buffer(&mut self) -> Vec<u8> {
            self.buffers += 1;
            b"what was there before".to_vec()
        }
    }

    fn taken(text: &[u8], chunk_bytes: usize) -> Taken {
        let options = ReadOptions {
            chunk_bytes,
            ..ReadOptions::default()
        };
        let mut taken = Taken::default();
        read_lines(text, &"test".into(), &options, &mut taken).expect("lines");
        taken
    }

    #[test]
    fn chunks_are_whole_lines_however_long_those_are() {
        let text = b"a\n\nbcd\nthis one is longer\ne\nthe last line has no end";
        for chunk_bytes in 1..=text.len() + 1 {
            let chunks = taken(text, chunk_bytes).chunks;
            assert_eq!(chunks.concat(), text, "{chunk_bytes}");
            let (last, others) = chunks.split_last().expect("chunks");
            assert!(others.iter().all(|chunk| chunk.ends_with(b"\n")));
            assert!(last.ends_with(b"end"));
        }
        assert!(taken(b"", 8).chunks.is_empty());
        assert_eq!(taken(b"a\n", 8).chunks, [b"a\n"]);
    }

    #[test]
    fn a_long_line_is_not_moved_for_each_piece_of_it() {
        let text = [vec![b'x'; 1000], b"\n".to_vec()].concat();
        assert_eq!(taken(&text, 1).buffers, 2);
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
            let lines = String::from_utf8(taken.chunks.concat());
            (lines.expect("UTF-8"), read.is_ok())
        };
        for chunk_bytes in [1, 3, 8, 12, 25, 1_000] {
            for end in ["", "\n", "\nb\n"] {
                let fits = format!("a\n0123456789{end}");
                assert_eq!(read(&fits, chunk_bytes), (fits, true), "{chunk_bytes}");
                let long = format!("a\n0123456789-{end}");
                let before = "a\n".to_owned();
                assert_eq!(read(&long, chunk_bytes), (before, false), "{chunk_bytes}");
            }
        }
    }
}
