use std::fs::File;
use std::io::{self, BufReader, Cursor, Read, Seek};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{RecordBatch, StructArray};
use bytes::Bytes;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use crate::error::{AtPath, Error, Result};
use crate::progress::Progress;

/// Bytes of NDJSON that are parsed in one go.
const CHUNK_BYTES: usize = 2 << 20;
/// Rows of Parquet that are converted in one go.
const CHUNK_ROWS: usize = 4096;

/// Where records come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// A file, NDJSON or Parquet, plain or compressed with gzip or zstd: its first bytes tell.
    File(PathBuf),
    /// Standard input.
    Stdin,
}

impl Input {
    /// The inputs that a file name, a glob or `-` stands for, in the order of their names.
    ///
    /// # Errors
    /// A name or glob that no file answers to.
    pub fn expand(pattern: &str) -> Result<Vec<Self>> {
        if pattern == "-" {
            return Ok(vec![Self::Stdin]);
        }
        if Path::new(pattern).is_file() {
            return Ok(vec![Self::File(pattern.into())]);
        }
        let refused = |problem: String| Error::Input {
            name: pattern.to_owned(),
            problem,
        };
        let mut files: Vec<PathBuf> = glob::glob(pattern)
            .map_err(|e| refused(e.to_string()))?
            .filter_map(|found| found.ok().filter(|path| path.is_file()))
            .collect();
        files.sort();
        if files.is_empty() {
            return Err(refused("no such file".to_owned()));
        }
        Ok(files.into_iter().map(Self::File).collect())
    }

    /// The input's name in messages.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::Stdin => "standard input".to_owned(),
        }
    }

    /// The length of a file in bytes; 0 where it is not known.
    #[must_use]
    pub fn length(&self) -> u64 {
        match self {
            Self::File(path) => path.metadata().map_or(0, |m| m.len()),
            Self::Stdin => 0,
        }
    }
}

/// Some consecutive records of an input.
pub struct InputChunk {
    /// What the input is called in messages.
    pub file: Arc<str>,
    /// Whether it is its input's first.
    pub(crate) starts_input: bool,
    pub(crate) content: ChunkContent,
}

pub(crate) enum ChunkContent {
    /// Whole lines of NDJSON.
    Lines(Vec<u8>),
    Batch(StructArray),
}

impl InputChunk {
    /// The rows of a record batch; its rows count on from those of the chunk before it.
    #[must_use]
    pub fn of_batch(name: &str, batch: RecordBatch) -> Self {
        Self {
            file: name.into(),
            starts_input: false,
            content: ChunkContent::Batch(batch.into()),
        }
    }

    /// Whole lines of NDJSON, an input of their own.
    #[must_use]
    pub fn of_lines(name: &str, lines: Vec<u8>) -> Self {
        Self {
            file: name.into(),
            starts_input: true,
            content: ChunkContent::Lines(lines),
        }
    }

    /// The buffer of its text, for use again.
    #[must_use]
    pub fn into_buffer(self) -> Option<Vec<u8>> {
        match self.content {
            ChunkContent::Lines(buffer) => Some(buffer),
            ChunkContent::Batch(_) => None,
        }
    }
}

/// Takes chunks and gives buffers.
pub trait ChunkSink {
    /// Hands over a chunk; says whether more are wanted.
    fn send(&mut self, chunk: InputChunk) -> bool;

    /// A buffer, one that was used before if there is one, with what it held: fresh memory costs more
    /// than reading into it.
    fn buffer(&mut self) -> Vec<u8>;
}

/// Reads an input and hands over its chunks in order, as long as they are wanted.
///
/// # Errors
/// An input that can't be read, or is not what its first bytes say.
pub fn read_chunks(input: &Input, progress: &Progress, sink: &mut dyn ChunkSink) -> Result<()> {
    let name: Arc<str> = input.name().into();
    match input {
        Input::File(path) => {
            let mut file = File::open(path).at(path)?;
            let mut magic = [0; 4];
            let n = read_up_to(&mut file, &mut magic).at(path)?;
            file.rewind().at(path)?;
            if magic.get(..n) == Some(b"PAR1") {
                return read_parquet(file, &name, sink);
            }
            let counted = Counted {
                inner: file,
                progress,
            };
            read_stream(Box::new(counted), &name, sink)
        }
        Input::Stdin => read_stream(
            Box::new(Counted {
                inner: io::stdin().lock(),
                progress,
            }),
            &name,
            sink,
        ),
    }
}

struct Counted<'a, R> {
    inner: R,
    progress: &'a Progress,
}

impl<R: Read> Read for Counted<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buffer)?;
        self.progress.add_bytes(n as u64);
        Ok(n)
    }
}

fn read_stream(
    mut stream: Box<dyn Read + '_>,
    name: &Arc<str>,
    sink: &mut dyn ChunkSink,
) -> Result<()> {
    let io_error = |reason| Error::Io {
        path: PathBuf::from(&**name),
        reason,
    };
    let mut magic = [0; 4];
    let n = read_up_to(&mut stream, &mut magic).map_err(io_error)?;
    let start = magic[..n].to_vec();
    let stream = Cursor::new(start.clone()).chain(stream);
    match start.as_slice() {
        [0x1f, 0x8b, ..] => read_stream(
            Box::new(BufReader::with_capacity(
                1 << 18,
                flate2::read::MultiGzDecoder::new(stream),
            )),
            name,
            sink,
        ),
        [0x28, 0xb5, 0x2f, 0xfd] => {
            let decoder = zstd::Decoder::new(stream).map_err(io_error)?;
            read_stream(Box::new(decoder), name, sink)
        }
        b"PAR1" => {
            let mut bytes = Vec::new();
            let mut stream = stream;
            stream.read_to_end(&mut bytes).map_err(io_error)?;
            read_parquet(Bytes::from(bytes), name, sink)
        }
        _ => read_lines(stream, name, sink).map_err(io_error),
    }
}

fn read_lines(mut stream: impl Read, name: &Arc<str>, sink: &mut dyn ChunkSink) -> io::Result<()> {
    let mut starts_input = true;
    let mut carried: Vec<u8> = Vec::new();
    loop {
        // What the buffer held is overwritten: to clear it would cost as much as to read.
        let mut bytes = sink.buffer();
        let before = carried.len();
        bytes.resize(bytes.len().max(before + CHUNK_BYTES), 0);
        let (start, rest) = bytes.split_at_mut(before);
        start.copy_from_slice(&carried);
        let room = &mut rest[..CHUNK_BYTES];
        let n = read_up_to(&mut stream, room)?;
        bytes.truncate(before + n);
        carried.clear();
        if n > 0 {
            // Only what is new can hold a line's end.
            let new = &bytes[before..];
            let end = memchr::memrchr(b'\n', new).map_or(0, |end| before + end + 1);
            carried.extend_from_slice(&bytes[end..]);
            bytes.truncate(end);
        }
        if starts_input && bytes.starts_with(b"\xef\xbb\xbf") {
            bytes.drain(..3);
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
        if n == 0 {
            return Ok(());
        }
    }
}

fn read_parquet(
    file: impl parquet::file::reader::ChunkReader + 'static,
    name: &Arc<str>,
    sink: &mut dyn ChunkSink,
) -> Result<()> {
    // The reader has panicked on damaged bytes before.
    let guarded = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let reader = ParquetRecordBatchReaderBuilder::try_new(file)
            .and_then(|builder| builder.with_batch_size(CHUNK_ROWS).build())
            .map_err(|e| e.to_string())?;
        let mut starts_input = true;
        for batch in reader {
            let batch: RecordBatch = batch.map_err(|e| e.to_string())?;
            let chunk = InputChunk {
                file: name.clone(),
                starts_input,
                content: ChunkContent::Batch(batch.into()),
            };
            if !sink.send(chunk) {
                break;
            }
            starts_input = false;
        }
        Ok(())
    }));
    guarded
        .unwrap_or_else(|_| Err("the reader gave up".to_owned()))
        .map_err(|e: String| Error::Input {
            name: name.to_string(),
            problem: format!("not readable as Parquet: {e}"),
        })
}

fn read_up_to(stream: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
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
