//! Loading: inputs are read in chunks, parsed in parallel into columns, and written as runs.

mod flush;
mod input;
mod memory;
mod parse;
mod rejects;
mod system;

use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};

use rayon::prelude::*;
use xdm::{Class, FieldPath, FieldType, Fields};

pub use input::Input;
pub use memory::DatasetBatches;

use crate::Progress;
use crate::error::{Result, StoreError};
use crate::record::Kept;
use crate::run::{Run, RunFiles, write_run};
use flush::Accumulator;
use input::{Chunk, ChunkRecords, ChunkSink, read_chunks};
use parse::{Parsed, Records, exported_types, parse};
use rejects::Rejects;
use system::set_type;

/// A primary identity that stands at a declared path, in a fixed namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrimaryIdentity {
    /// The path of a string field.
    pub path: FieldPath,
    /// The namespace's code.
    pub namespace: String,
}

/// What becomes of a bad record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum OnBadRecord {
    /// The whole load fails and the store stays as it was.
    #[default]
    Fail,
    /// The record goes to this file, with the file, line and reason; the good ones load.
    Skip {
        /// NDJSON, written anew when the first bad record turns up.
        rejects: PathBuf,
    },
}

/// Where the records of a load go.
pub(crate) struct LoadTarget<'a> {
    pub(crate) class: Class,
    pub(crate) primary_identity: Option<PrimaryIdentity>,
    /// The ingest timestamp, where no field gives it: microseconds since 1970.
    pub(crate) ingested_at: i64,
    pub(crate) ingested_at_field: Option<FieldPath>,
    /// The union schema of the class, with what the dataset declares.
    pub(crate) types: Fields,
    /// The top-level fields that are stored; all where it is missing. The others are checked, and are
    /// part of the union schema, all the same.
    pub(crate) keep: Option<&'a [String]>,
    /// The dataset's runs so far: an event that they have is dropped.
    pub(crate) earlier: Vec<&'a Run>,
    pub(crate) first_sequence: u64,
}

impl LoadTarget<'_> {
    /// The fields whose values are looked at: those that are stored, and those that the system columns
    /// are made of.
    fn kept(&self) -> Kept {
        let Some(keep) = self.keep else {
            return Kept::All;
        };
        let system = ["identityMap", "_id", "timestamp", "extSourceSystemAudit"];
        let primary = self.primary_identity.as_ref().map(|primary| &primary.path);
        let paths = primary.into_iter().chain(&self.ingested_at_field);
        let firsts = paths.filter_map(|path| path.parts().first().cloned());
        let names = keep.iter().cloned().chain(system.map(str::to_owned));
        Kept::Only(names.chain(firsts).collect())
    }
}

/// How runs are written.
pub(crate) struct LoadSettings<'a> {
    pub(crate) on_bad_record: &'a OnBadRecord,
    /// Folder for the new runs; each gets a name from this function.
    pub(crate) runs: &'a Path,
    pub(crate) durable: bool,
    pub(crate) progress: &'a Progress,
}

/// What a load wrote.
pub(crate) struct Loaded {
    /// Folder names and files of the new runs.
    pub(crate) runs: Vec<(String, RunFiles)>,
    pub(crate) types: Fields,
    pub(crate) next_sequence: u64,
    pub(crate) report: LoadReport,
}

/// What a load did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LoadReport {
    /// Records read, bad ones among them.
    pub read: u64,
    /// Fragments or events that are new in the store.
    pub loaded: u64,
    /// Records that a later one of the same load replaces, and events that were there already.
    pub dropped: u64,
    /// Bad records, skipped.
    pub bad: u64,
}

/// Loads inputs into new runs, which no catalog names yet.
pub(crate) fn load(
    inputs: &[Input],
    target: &LoadTarget<'_>,
    settings: &LoadSettings<'_>,
    mut run_name: impl FnMut() -> String,
) -> Result<Loaded> {
    let mut types = target.types.clone();
    if let Some(path) = &target.ingested_at_field {
        set_type(&mut types, path, FieldType::DateTime);
    }
    let (give_back, used) = channel();
    let mut state = State {
        types,
        give_back,
        sequence: target.first_sequence,
        report: LoadReport::default(),
        rejects: Rejects::new(settings.on_bad_record),
        target,
        settings,
    };
    let mut written = Written {
        target,
        settings,
        report: LoadReport::default(),
        runs: Vec::new(),
        opened: Vec::new(),
    };
    let window = 4 * rayon::current_num_threads();
    std::thread::scope(|scope| {
        // Made in here, so that after an error the receiver is gone before the reader is waited for.
        let (sender, mut receiver) = sync_channel::<Result<Chunk>>(window);
        let mut sink = Sink {
            chunks: sender,
            used,
            open: true,
        };
        scope.spawn(move || {
            for input in inputs {
                if let Err(error) = read_chunks(input, settings.progress, &mut sink) {
                    let _ = sink.chunks.send(Err(error));
                    return;
                }
                // Once nobody listens any more, nothing is read any more.
                if !sink.open {
                    return;
                }
            }
        });
        // While the records of one run are written, those of the next are parsed.
        let mut full = state.fill(&mut receiver, window)?;
        while let Some((accumulator, types)) = full.take() {
            let name = run_name();
            let (wrote, filled) = rayon::join(
                || written.write(accumulator, &types, name),
                || state.fill(&mut receiver, window),
            );
            wrote?;
            full = filled?;
        }
        Ok::<_, StoreError>(())
    })?;
    state.rejects.finish()?;
    Ok(Loaded {
        types: exported_types(&state.types, target),
        runs: written.runs,
        next_sequence: state.sequence,
        report: LoadReport {
            read: state.report.read,
            bad: state.report.bad,
            ..written.report
        },
    })
}

/// The reader's end of the channels.
struct Sink {
    chunks: SyncSender<Result<Chunk>>,
    used: Receiver<Vec<u8>>,
    open: bool,
}

impl ChunkSink for Sink {
    fn send(&mut self, chunk: Chunk) -> bool {
        self.open = self.chunks.send(Ok(chunk)).is_ok();
        self.open
    }

    fn buffer(&mut self) -> Vec<u8> {
        let mut buffer = self.used.try_recv().unwrap_or_default();
        buffer.clear();
        buffer
    }
}

/// What was parsed so far.
struct State<'a> {
    types: Fields,
    /// Where buffers go that have been parsed.
    give_back: Sender<Vec<u8>>,
    sequence: u64,
    report: LoadReport,
    rejects: Rejects,
    target: &'a LoadTarget<'a>,
    settings: &'a LoadSettings<'a>,
}

/// What was written so far.
struct Written<'a> {
    target: &'a LoadTarget<'a>,
    settings: &'a LoadSettings<'a>,
    report: LoadReport,
    runs: Vec<(String, RunFiles)>,
    /// The runs of this load, for the events that they have.
    opened: Vec<Run>,
}

impl State<'_> {
    /// Parses until there is enough for a run, or no more; returns the records with their types.
    fn fill(
        &mut self,
        receiver: &mut Receiver<Result<Chunk>>,
        window: usize,
    ) -> Result<Option<(Accumulator, Fields)>> {
        let mut accumulator = Accumulator::default();
        while !accumulator.is_full() {
            let chunks: Vec<Chunk> = receiver.iter().take(window).collect::<Result<_>>()?;
            if chunks.is_empty() {
                break;
            }
            self.settings.progress.check()?;
            self.take_in(&chunks, &mut accumulator)?;
            for chunk in chunks {
                if let ChunkRecords::Lines(buffer) = chunk.records {
                    // A reader that is done needs none.
                    let _ = self.give_back.send(buffer);
                }
            }
        }
        let mut types = exported_types(&self.types, self.target);
        if let Some(keep) = self.target.keep {
            types.retain(|name| keep.iter().any(|kept| kept == name));
        }
        Ok((accumulator.rows() > 0).then_some((accumulator, types)))
    }

    fn take_in(&mut self, chunks: &[Chunk], accumulator: &mut Accumulator) -> Result<()> {
        let target = self.target;
        let mut first = self.sequence;
        let records: Vec<(Records<'_>, u64)> = chunks
            .iter()
            .map(|chunk| {
                let records = Records::new(chunk);
                let start = first;
                first += records.len() as u64;
                (records, start)
            })
            .collect();
        self.sequence = first;
        let parsed: Vec<Parsed> = records
            .par_iter()
            .map(|(records, start)| Ok(parse(records, target, &self.types, *start)?))
            .collect::<Result<_>>()?;
        for ((chunk, (records, start)), parsed) in chunks.iter().zip(&records).zip(parsed) {
            let mut united = self.types.clone();
            let parsed = match united.unite(&parsed.types) {
                Ok(()) if parsed.bad.is_empty() => parsed,
                // Its types disagree with those of the chunks before it, which were parsed at the
                // same time; or a record is bad that is good by the types that stand by now.
                _ => {
                    let parsed = parse(records, target, &self.types, *start)?;
                    united = self.types.clone();
                    united
                        .unite(&parsed.types)
                        .map_err(|e| StoreError::Refused(e.to_string()))?;
                    parsed
                }
            };
            self.types = united;
            self.report.read += records.len() as u64;
            for bad in &parsed.bad {
                self.report.bad += 1;
                self.rejects.push(&chunk.file, bad)?;
            }
            self.settings.progress.add_rows(records.len() as u64);
            accumulator.push(parsed.keyed);
        }
        Ok(())
    }
}

impl Written<'_> {
    /// Writes records as a run, unless the dataset has them all already.
    fn write(&mut self, accumulator: Accumulator, types: &Fields, name: String) -> Result<()> {
        let class = self.target.class;
        let earlier: Vec<&Run> = self
            .target
            .earlier
            .iter()
            .copied()
            .chain(&self.opened)
            .collect();
        let folder = self.settings.runs.join(&name);
        let read = accumulator.rows() as u64;
        let files = accumulator.into_run(class, types, &earlier, |run| {
            write_run(&folder, run, self.settings.durable)
        })?;
        let loaded = files.as_ref().map_or(0, |files| files.records);
        self.report.loaded += loaded;
        self.report.dropped += read - loaded;
        if let Some(files) = files {
            if class == Class::Event {
                self.opened.push(Run::open(&folder, "", class, &files)?);
            }
            self.runs.push((name, files));
        }
        Ok(())
    }
}
