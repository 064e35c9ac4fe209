use std::fs::File;
use std::io::{self, BufReader, Cursor, Read, Seek};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{RecordBatch, StructArray};
use bytes::Bytes;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use crate::Progress;
use crate::error::{AtPath, Result, StoreError};

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
        let refused = |e: String| StoreError::Refused(format!("{pattern}: {e}"));
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
pub(super) struct Chunk {
    pub(super) file: Arc<str>,
    /// The line (or row) of the first record, counted from 1.
    pub(super) first_line: u64,
    pub(super) records: ChunkRecords,
}

pub(super) enum ChunkRecords {
    /// Whole lines of NDJSON.
    Lines(Vec<u8>),
    Batch(StructArray),
}

/// Takes chunks and gives buffers.
pub(super) trait ChunkSink {
    /// Hands over a chunk; says whether more are wanted.
    fn send(&mut self, chunk: Chunk) -> bool;

    /// An empty buffer, one that was used before if there is one: fresh memory costs more than
    /// reading into it.
    fn buffer(&mut self) -> Vec<u8>;
}

/// Reads an input and hands over its chunks in order, as long as they are wanted.
pub(super) fn read_chunks(
    input: &Input,
    progress: &Progress,
    sink: &mut dyn ChunkSink,
) -> Result<()> {
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
    let io_error = |source| StoreError::Io {
        path: PathBuf::from(&**name),
        source,
    };
    let mut magic = [0; 4];
    let n = read_up_to(&mut stream, &mut magic).map_err(io_error)?;
    let start = magic.get(..n).unwrap_or_default().to_vec();
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
    let mut first_line = 1;
    let mut carried: Vec<u8> = Vec::new();
    loop {
        let mut bytes = sink.buffer();
        bytes.reserve(CHUNK_BYTES + carried.len());
        bytes.append(&mut carried);
        let before = bytes.len();
        let n = (&mut stream)
            .take(CHUNK_BYTES as u64)
            .read_to_end(&mut bytes)?;
        if n > 0 {
            // Only what is new can hold a line's end.
            let new = bytes.get(before..).unwrap_or_default();
            match memchr::memrchr(b'\n', new) {
                Some(end) => carried = bytes.split_off(before + end + 1),
                None => {
                    carried = bytes;
                    continue;
                }
            }
        }
        if first_line == 1 && bytes.starts_with(b"\xef\xbb\xbf") {
            bytes.drain(..3);
        }
        if !bytes.is_empty() {
            let lines = memchr::memchr_iter(b'\n', &bytes).count() as u64;
            let chunk = Chunk {
                file: name.clone(),
                first_line,
                records: ChunkRecords::Lines(bytes),
            };
            if !sink.send(chunk) {
                return Ok(());
            }
            first_line += lines;
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
        let mut first_line = 1;
        for batch in reader {
            let batch: RecordBatch = batch.map_err(|e| e.to_string())?;
            let rows = batch.num_rows() as u64;
            let chunk = Chunk {
                file: name.clone(),
                first_line,
                records: ChunkRecords::Batch(batch.into()),
            };
            if !sink.send(chunk) {
                break;
            }
            first_line += rows;
        }
        Ok(())
    }));
    guarded
        .unwrap_or_else(|_| Err("the reader gave up".to_owned()))
        .map_err(|e: String| StoreError::Refused(format!("{name}: not readable as Parquet: {e}")))
}

fn read_up_to(stream: &mut dyn Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut n = 0;
    while let Some(rest) = buffer.get_mut(n..).filter(|rest| !rest.is_empty()) {
        match stream.read(rest)? {
            0 => break,
            read => n += read,
        }
    }
    Ok(n)
}
