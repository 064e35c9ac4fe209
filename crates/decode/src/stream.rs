//! From an input to its chunks: what the first bytes say decides how it is read.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read, Seek};
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use flate2::bufread::GzDecoder;

use crate::chunk::ChunkSink;
use crate::documents::{is_documents, read_documents};
use crate::error::{AtPath, Error, Result};
use crate::input::Input;
use crate::lines::read_lines;
use crate::parquet_file::budget::most_of;
use crate::parquet_file::{self, is_parquet};
use crate::progress::Progress;

/// The largest window that a zstd frame may ask for, as a power of two: zstd's own limit, 2 GiB.
const LARGEST_WINDOW: u32 = 31;

/// What is read of a whole file at a time.
const PIECE: u64 = 8 << 20;

/// How inputs are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadOptions {
    /// How JSON stands in a file.
    pub json_form: JsonForm,
    /// The longest line, or document, in bytes.
    pub max_line: usize,
    /// Bytes of JSON that are decoded in one go, more where a record is longer.
    pub chunk_bytes: usize,
}

/// How JSON stands in a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum JsonForm {
    /// As its beginning says.
    #[default]
    Noticed,
    /// An object a line (NDJSON).
    Lines,
    /// Objects over any lines, one after the other or in lists.
    Documents,
}

impl Default for ReadOptions {
    fn default() -> Self {
        Self {
            json_form: JsonForm::default(),
            max_line: 16 << 20,
            chunk_bytes: 2 << 20,
        }
    }
}

/// Reads an input and hands over its chunks in order, as long as they are wanted.
///
/// # Errors
/// An input that can't be read, or is not what its first bytes say; a line that is too long.
pub fn read_chunks(
    input: &Input,
    options: &ReadOptions,
    progress: &Progress,
    sink: &mut dyn ChunkSink,
) -> Result<()> {
    let name: Arc<str> = input.name().into();
    let read = Cell::new(0);
    let reading = Reading {
        name: &name,
        options,
        read: &read,
    };
    let stream: Box<dyn Read> = match input {
        Input::Batches(batches) => return batches.read(progress, sink),
        Input::Stdin => Box::new(io::stdin().lock()),
        Input::File(path) => {
            let mut file = File::open(path).at(path)?;
            // A pipe can't be read twice.
            if file.metadata().at(path)?.is_file() {
                let mut magic = [0; 4];
                let n = read_up_to(&mut file, &mut magic).at(path)?;
                file.rewind().at(path)?;
                // An empty file says nothing; its name may.
                if is_parquet(&magic[..n]) || (n == 0 && parquet_file::is_name(path)) {
                    return parquet_file::read(file, &name, sink);
                }
            }
            Box::new(file)
        }
    };
    let counted = Counted {
        inner: stream,
        progress,
        read: &read,
    };
    let read = reading.read(Box::new(counted), false, sink);
    read.map_err(|error| match progress.check() {
        Ok(()) => error,
        Err(cancelled) => cancelled,
    })
}

struct Counted<'a, R> {
    inner: R,
    progress: &'a Progress,
    /// How many bytes of this input were read.
    read: &'a Cell<u64>,
}

impl<R: Read> Read for Counted<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.progress.is_cancelled() {
            return Err(io::Error::other("cancelled"));
        }
        let n = self.inner.read(buffer)?;
        self.progress.add_bytes(n as u64);
        self.read.set(self.read.get() + n as u64);
        Ok(n)
    }
}

/// An input being read.
struct Reading<'a> {
    name: &'a Arc<str>,
    options: &'a ReadOptions,
    /// How many bytes of the input were read, packed as they are.
    read: &'a Cell<u64>,
}

impl Reading<'_> {
    /// Reads a stream. What is compressed is unpacked once: nobody packs twice, and a small file that is
    /// packed a thousand times would take the process down.
    fn read(
        &self,
        mut stream: Box<dyn Read + '_>,
        is_unpacked: bool,
        sink: &mut dyn ChunkSink,
    ) -> Result<()> {
        let mut magic = [0; 4];
        let n = read_up_to(&mut stream, &mut magic).map_err(|e| self.io(e))?;
        let start = magic[..n].to_vec();
        let stream = Cursor::new(start.clone()).chain(stream);
        let packing = match start.as_slice() {
            [0x1f, 0x8b, ..] => Some(Packing::Gzip),
            // A frame, or one that is to be skipped: pzstd begins with such.
            [0x28, 0xb5, 0x2f, 0xfd] | [0x50..=0x5f, 0x2a, 0x4d, 0x18] => Some(Packing::Zstd),
            _ => None,
        };
        match packing {
            Some(_) if is_unpacked => Err(Error::Input {
                name: self.name.to_string(),
                problem: "it is compressed twice; unpack it once".to_owned(),
            }),
            Some(Packing::Gzip) => self.read(Box::new(Gzip::new(stream)), true, sink),
            Some(Packing::Zstd) => {
                let mut decoder = zstd::Decoder::new(stream).map_err(|e| self.io(e))?;
                (decoder.window_log_max(LARGEST_WINDOW)).map_err(|e| self.io(e))?;
                self.read(Box::new(decoder), true, sink)
            }
            None if is_parquet(&start) => {
                let bytes = self.read_whole(stream, is_unpacked)?;
                parquet_file::read(bytes, self.name, sink)
            }
            None => self.read_json(stream, sink),
        }
    }

    /// A whole file, whose end must be known before its beginning. One that was packed may not be larger than what
    /// a file that is not packed may unfold to.
    fn read_whole(&self, mut stream: impl Read, is_unpacked: bool) -> Result<Bytes> {
        let mut bytes = Vec::new();
        loop {
            let mut piece = stream.by_ref().take(PIECE);
            let n = piece.read_to_end(&mut bytes).map_err(|e| self.io(e))?;
            if n == 0 {
                return Ok(bytes.into());
            }
            let most = most_of(self.read.get());
            if is_unpacked && bytes.len() as u64 > most {
                return Err(Error::Input {
                    name: self.name.to_string(),
                    problem: format!(
                        "Parquet that unfolds to more than {} MiB when it is unpacked; give the file itself, \
                         whose columns can be compressed",
                        most >> 20
                    ),
                });
            }
        }
    }

    fn read_json(&self, mut stream: impl Read, sink: &mut dyn ChunkSink) -> Result<()> {
        let mut start = Vec::new();
        if self.options.json_form == JsonForm::Noticed {
            start.resize(self.options.chunk_bytes, 0);
            let n = read_up_to(&mut stream, &mut start).map_err(|e| self.io(e))?;
            start.truncate(n);
        }
        let documents = match self.options.json_form {
            JsonForm::Noticed => is_documents(&start),
            JsonForm::Lines => false,
            JsonForm::Documents => true,
        };
        let stream = Cursor::new(start).chain(stream);
        if documents {
            read_documents(stream, self.name, self.options, sink)
        } else {
            read_lines(stream, self.name, self.options, sink)
        }
    }

    fn io(&self, reason: io::Error) -> Error {
        Error::Io {
            path: PathBuf::from(&**self.name),
            reason,
        }
    }
}

enum Packing {
    Gzip,
    Zstd,
}

/// The members of a gzip file, one after the other. Zeros behind the last one are padding, as gzip itself
/// takes them.
struct Gzip<R: Read> {
    /// None behind the last member.
    member: Option<GzDecoder<BufReader<R>>>,
}

impl<R: Read> Gzip<R> {
    fn new(stream: R) -> Self {
        let stream = BufReader::with_capacity(1 << 18, stream);
        Self {
            member: Some(GzDecoder::new(stream)),
        }
    }
}

impl<R: Read> Read for Gzip<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while let Some(member) = &mut self.member {
            let n = member.read(buffer)?;
            if n > 0 || buffer.is_empty() {
                return Ok(n);
            }
            let mut rest = match self.member.take() {
                Some(member) => member.into_inner(),
                None => break,
            };
            if !ends_in_zeros(&mut rest)? {
                self.member = Some(GzDecoder::new(rest));
            }
        }
        Ok(0)
    }
}

/// Whether there is nothing more but zeros, which are read.
fn ends_in_zeros(stream: &mut impl BufRead) -> io::Result<bool> {
    loop {
        let bytes = match stream.fill_buf() {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        if bytes.is_empty() {
            return Ok(true);
        }
        let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
        let is_all = zeros == bytes.len();
        stream.consume(zeros);
        if !is_all {
            return Ok(false);
        }
    }
}

/// Fills a buffer as far as there is something to read.
pub(crate) fn read_up_to(stream: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut n = 0;
    while let Some(rest) = buffer.get_mut(n..).filter(|rest| !rest.is_empty()) {
        match stream.read(rest) {
            Ok(0) => break,
            Ok(read) => n += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(n)
}
