//! What is in a file of a store, by what its first bytes say.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::Path;

use catalog::Catalog;
use decode::{ChunkSink, Input, InputChunk, Progress, ReadOptions, read_chunks};

use super::Sought;
use crate::Store;

const SQLITE: &[u8] = b"SQLite format 3\0";
/// How much of a file is looked at, as its bytes are, at a time.
const PIECE: usize = 1 << 20;

/// Whether a file holds a value, or why that is not known.
type Found = Result<bool, String>;

impl Store {
    /// Whether a file of the store holds one of some values.
    pub(super) fn look_at(&self, path: &Path, values: &[Sought], progress: &Progress) -> Found {
        let said = |error: &dyn std::fmt::Display| {
            let error = error.to_string();
            let name = path.display().to_string();
            match error.contains(&name) {
                true => error,
                false => format!("{name}: {error}"),
            }
        };
        // What a link leads to is no file of the store; its name is all that it holds.
        if path.is_symlink() {
            return Ok(self.name_holds(path, values));
        }
        let begin = raw(path, values, progress).map_err(|error| said(&error))?;
        let begin = match begin {
            Raw::Holds => return Ok(true),
            Raw::Begins(begin) => begin,
        };
        let mut holds = self.name_holds(path, values);
        let mut look = |text: &str| holds = holds || values.iter().any(|value| value.is_in(text));
        if begin.starts_with(SQLITE) {
            let mut look = |_: &str, text: &str| look(text);
            let looked = match path == self.layout().catalog() {
                true => self.catalog().each_text(&mut look),
                false => Catalog::each_text_of_copy(path, &mut look),
            };
            looked.map_err(|error| said(&error))?;
        } else if !run::each_text_of_file(path, &mut look).map_err(|error| said(&error))?
            && self.has_records(path)
        {
            let options = ReadOptions {
                max_line: usize::MAX,
                ..ReadOptions::default()
            };
            let input = Input::File(path.to_owned());
            let mut sink = Texts { look: &mut look };
            let read = read_chunks(&input, &options, &Progress::default(), &mut sink);
            read.map_err(|error| said(&error))?;
        }
        Ok(holds)
    }

    /// Whether the name of a file, or of a folder of the store that it is in, holds a value.
    fn name_holds(&self, path: &Path, values: &[Sought]) -> bool {
        let name = path.strip_prefix(self.layout().root()).unwrap_or(path);
        let name = name.to_string_lossy();
        // A short one would be found in any number.
        (values.iter()).any(|value| value.is_found_raw() && value.is_in(&name))
    }

    /// Whether a file may be one of records or rows, which is unpacked and read: those in the store's own folder, of runs
    /// and of copies are not.
    fn has_records(&self, path: &Path) -> bool {
        let layout = self.layout();
        let is_lock = path.extension().is_some_and(|ending| ending == "lock");
        let is_own = path.parent() == Some(layout.root())
            || path.starts_with(layout.runs())
            || path.starts_with(layout.backups());
        !is_lock && !is_own
    }
}

/// Looks at the texts of chunks.
struct Texts<'a> {
    look: &'a mut dyn FnMut(&str),
}

impl ChunkSink for Texts<'_> {
    fn send(&mut self, chunk: InputChunk) -> bool {
        chunk.each_text(self.look);
        true
    }

    fn buffer(&mut self) -> Vec<u8> {
        Vec::new()
    }
}

/// What a file's bytes say.
enum Raw {
    Holds,
    /// It begins with these, and has no value as it is.
    Begins(Vec<u8>),
}

/// Looks at a file's bytes as they are.
fn raw(path: &Path, values: &[Sought], progress: &Progress) -> std::io::Result<Raw> {
    let mut file = File::open(path)?;
    let longest = values.iter().map(|value| value.value().len()).max();
    // A value at the end of a piece is found whole in the next, with what is before and behind it.
    let kept = longest.unwrap_or(0) + 4;
    let mut bytes = Vec::new();
    let mut begin = None;
    let mut is_first = true;
    let mut piece = vec![0; PIECE];
    loop {
        let n = match file.read(&mut piece) {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            read => read?,
        };
        progress.add_bytes(n as u64);
        bytes.extend_from_slice(piece.get(..n).unwrap_or_default());
        let begin = begin.get_or_insert_with(|| bytes.get(..64).unwrap_or(&bytes).to_vec());
        if (values.iter()).any(|value| value.is_in_bytes(&bytes, is_first, n == 0)) {
            return Ok(Raw::Holds);
        }
        if n == 0 || progress.is_cancelled() {
            return Ok(Raw::Begins(std::mem::take(begin)));
        }
        is_first = is_first && bytes.len() <= kept;
        bytes.drain(..bytes.len().saturating_sub(kept));
    }
}
