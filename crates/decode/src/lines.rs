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
        if carried.len() > options.max_line {
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

/// What is wrong with a line, or a document, that is too long.
pub(crate) fn too_long(max: usize) -> String {
    format!(
        "longer than {} MiB; a record is an object a line, and --max-line allows longer ones",
        max >> 20
    )
}
