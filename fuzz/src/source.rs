//! A source file as a load reads it: Parquet or JSON, plain or compressed.

use std::cell::Cell;
use std::fs;
use std::io::Write;
use std::panic::{self, PanicHookInfo};
use std::path::Path;
use std::sync::LazyLock;
use std::thread;

use decode::{
    ChunkSink, Input, InputChunk, JsonForm, Progress, ReadOptions, RecordSpans, RecordSpec, decode,
    read_chunks,
};
use flate2::Compression;
use flate2::write::GzEncoder;
use tempfile::TempDir;
use xdm::{Class, Fields};

use crate::json::spec;

/// As much stack as the threads have that read and decode.
const STACK: usize = 2 << 20;

thread_local! {
    /// Whether this thread is where the decoder lets nothing escape of what other crates panic about.
    static IS_GUARDED: Cell<bool> = const { Cell::new(false) };
}

/// Lets panics pass that the decoder turns into errors: those of other crates about damaged Parquet. Every other
/// ends the process as the fuzzer has it.
pub fn let_guarded_panics_pass() {
    let end = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        if !IS_GUARDED.get() || is_ours(info) {
            end(info);
        }
    }));
}

fn is_ours(info: &PanicHookInfo<'_>) -> bool {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .map(|root| root.join("crates"));
    match (info.location(), crates) {
        (Some(at), Some(crates)) => Path::new(at.file()).starts_with(crates),
        _ => true,
    }
}

/// How bytes are read: what the first one says. A digit stands for what its value does.
#[derive(Clone, Copy, Debug)]
struct Choice(u8);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Packing {
    None,
    Gzip,
    Zstd,
}

impl Choice {
    /// Bit 0: events, not profiles. Bit 1: a schema is declared.
    fn spec(self) -> RecordSpec {
        let class = match self.0 & 1 {
            0 => Class::Profile,
            _ => Class::Event,
        };
        spec(class, self.0 & 2 != 0)
    }

    /// Bits 2 and 3: the bytes are packed before they are read.
    fn packing(self) -> Packing {
        match self.0 >> 2 & 3 {
            1 => Packing::Gzip,
            2 => Packing::Zstd,
            _ => Packing::None,
        }
    }

    /// Bits 4 and 5.
    fn json_form(self) -> JsonForm {
        match self.0 >> 4 & 3 {
            1 => JsonForm::Lines,
            2 => JsonForm::Documents,
            _ => JsonForm::Noticed,
        }
    }

    /// Bit 6: chunks and lines are short.
    fn options(self) -> ReadOptions {
        let usual = ReadOptions {
            json_form: self.json_form(),
            ..ReadOptions::default()
        };
        match self.0 & 64 {
            0 => usual,
            _ => ReadOptions {
                chunk_bytes: 40,
                max_line: 300,
                ..usual
            },
        }
    }
}

static FOLDER: LazyLock<TempDir> = LazyLock::new(|| TempDir::new().expect("a folder"));

/// Reads a file and decodes it. The first byte says how.
///
/// # Panics
/// Something does not hold: the decoder panics, or what is read of lines depends on how they are cut into chunks.
pub fn check(input: &[u8]) {
    let Some((choice, bytes)) = input.split_first() else {
        return;
    };
    let choice = Choice(*choice);
    let path = FOLDER.path().join("source");
    fs::write(&path, packed(choice.packing(), bytes)).expect("room");
    let input = Input::File(path);
    let read = |options: ReadOptions| {
        thread::scope(|scope| {
            let thread = thread::Builder::new().stack_size(STACK);
            let reading = thread.spawn_scoped(scope, || Loaded::read(&input, choice, &options));
            reading.expect("a thread").join().expect("no panic")
        })
    };
    let whole = read(choice.options());
    if choice.json_form() == JsonForm::Lines && !bytes.starts_with(b"PAR") {
        let cut = read(ReadOptions {
            chunk_bytes: 1,
            ..choice.options()
        });
        assert_eq!(cut, whole, "what is read depends on chunks");
    }
}

fn packed(packing: Packing, bytes: &[u8]) -> Vec<u8> {
    match packing {
        Packing::None => bytes.to_vec(),
        Packing::Gzip => {
            let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
            packed.write_all(bytes).expect("memory");
            packed.finish().expect("memory")
        }
        Packing::Zstd => zstd::encode_all(bytes, 1).expect("memory"),
    }
}

/// What came of a file.
#[derive(Debug, PartialEq)]
struct Loaded {
    records: usize,
    good: usize,
    /// The line of each bad record, and what is wrong with it.
    bad: Vec<(u64, String)>,
    types: Fields,
    /// Why there is no more.
    error: Option<String>,
}

impl Loaded {
    fn read(input: &Input, choice: Choice, options: &ReadOptions) -> Self {
        let spec = choice.spec();
        let types = spec.types.clone();
        let mut loading = Loading {
            spec,
            next_line: 1,
            loaded: Self {
                records: 0,
                good: 0,
                bad: Vec::new(),
                types,
                error: None,
            },
        };
        IS_GUARDED.set(true);
        let read = read_chunks(input, options, &Progress::default(), &mut loading);
        IS_GUARDED.set(false);
        let next_line = loading.next_line;
        let mut loaded = loading.loaded;
        if let Err(error) = read {
            loaded.error = Some(error.at_line(next_line).to_string());
        }
        loaded
    }
}

/// Decodes chunk by chunk, as a load does.
struct Loading {
    spec: RecordSpec,
    next_line: u64,
    loaded: Loaded,
}

impl ChunkSink for Loading {
    fn send(&mut self, chunk: InputChunk) -> bool {
        IS_GUARDED.set(false);
        let goes_on = self.decode(&chunk);
        IS_GUARDED.set(true);
        goes_on
    }

    fn buffer(&mut self) -> Vec<u8> {
        Vec::new()
    }
}

impl Loading {
    fn decode(&mut self, chunk: &InputChunk) -> bool {
        let mut records = RecordSpans::new(chunk);
        self.next_line = records.begin_at(self.next_line);
        let loaded = &mut self.loaded;
        let decoded = match decode(&records, &self.spec, &loaded.types, loaded.records as u64) {
            Ok(decoded) => decoded,
            Err(error) => {
                loaded.error = Some(error.to_string());
                return false;
            }
        };
        let good = decoded.rows.keys.len();
        assert_eq!(good + decoded.bad.len(), records.len());
        loaded.records += records.len();
        loaded.good += good;
        loaded
            .bad
            .extend((decoded.bad.iter()).map(|bad| (bad.line, bad.error.to_string())));
        let conflict = loaded.types.unite(&decoded.types);
        conflict.expect("types that begin with those before");
        assert_eq!(loaded.types, decoded.types, "types that are united already");
        true
    }
}
