//! What is in a file of a store, by what its first bytes say.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::Path;

use catalog::Catalog;
use decode::{ChunkSink, Input, InputChunk, Progress, ReadOptions, read_chunks};

use run::Leaf;

use super::{Held, Sought, in_leaf};
use crate::Store;

const SQLITE: &[u8] = b"SQLite format 3\0";
/// How much of a file is looked at, as its bytes are, at a time.
const PIECE: usize = 1 << 20;

/// Whether a file holds a value, or why that is not known.
type Found = Result<Held, String>;

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
            return Ok(self.in_name(path, values));
        }
        let (mut held, begin) = raw(path, values, progress).map_err(|error| said(&error))?;
        if held == Held::Yes {
            return Ok(held);
        }
        held = held.max(self.in_name(path, values));
        let mut look = |leaf: Leaf<'_>| {
            if held < Held::Yes {
                held = held.max(in_leaf(values, leaf));
            }
        };
        if begin.starts_with(SQLITE) {
            let mut look = |_: &str, text: &str| look(Leaf::Text(text));
            let looked = match path == self.layout().catalog() {
                true => self.catalog().each_text(&mut look),
                false => Catalog::each_text_of_copy(path, &mut look),
            };
            looked.map_err(|error| said(&error))?;
        } else if !run::each_leaf_of_file(path, &mut look).map_err(|error| said(&error))?
            && self.has_records(path)
        {
            let options = ReadOptions {
                max_line: usize::MAX,
                ..ReadOptions::default()
            };
            let input = Input::File(path.to_owned());
            let mut sink = Leaves { look: &mut look };
            let read = read_chunks(&input, &options, &Progress::default(), &mut sink);
            read.map_err(|error| said(&error))?;
        }
        Ok(held)
    }

    /// Whether the name of a file, or of a folder of the store that it is in, holds a value.
    fn in_name(&self, path: &Path, values: &[Sought]) -> Held {
        let name = path.strip_prefix(self.layout().root()).unwrap_or(path);
        let name = name.to_string_lossy();
        // A short one would be found in any number.
        let values = values.iter().filter(|value| value.is_found_raw());
        (values.map(|value| value.in_text(&name)).max()).unwrap_or_default()
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

/// Looks at the texts and integers of chunks.
struct Leaves<'a> {
    look: &'a mut dyn FnMut(Leaf<'_>),
}

impl ChunkSink for Leaves<'_> {
    fn send(&mut self, chunk: InputChunk) -> bool {
        chunk.each_leaf(self.look);
        true
    }

    fn buffer(&mut self) -> Vec<u8> {
        Vec::new()
    }
}

/// Looks at a file's bytes as they are; says how they begin, too.
fn raw(path: &Path, values: &[Sought], progress: &Progress) -> std::io::Result<(Held, Vec<u8>)> {
    let mut held = Held::No;
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
        for value in values {
            held = held.max(value.in_bytes(&bytes, is_first, n == 0));
        }
        if n == 0 || held == Held::Yes || progress.is_cancelled() {
            return Ok((held, std::mem::take(begin)));
        }
        is_first = is_first && bytes.len() <= kept;
        bytes.drain(..bytes.len().saturating_sub(kept));
    }
}
