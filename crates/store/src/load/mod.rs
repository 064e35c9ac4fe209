//! Loading: inputs are read in chunks, parsed in parallel into columns, and written as runs.

mod flush;
mod input;
mod memory;
mod parse;
mod rejects;
mod system;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread::JoinHandle;

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
    pub(crate) dataset: &'a str,
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
    /// The runs of the dataset that were opened for the events that they have.
    pub(crate) opened: Vec<Arc<Run>>,
    pub(crate) report: LoadReport,
}

/// A load whose inputs are all parsed; the last of its runs may still have to be written.
pub(crate) struct Loading<'a> {
    written: Written<'a>,
    last: Option<FullRun>,
    pub(crate) types: Fields,
    pub(crate) next_sequence: u64,
    read: u64,
    bad: u64,
}

/// The records of a run to be, their types, and its name.
type FullRun = (Accumulator, Fields, String);

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

/// Loads inputs into new runs, which no catalog names yet. An event that one of the dataset's `earlier`
/// runs has is dropped.
///
/// The last run is left to [`Loading::finish`], so that the next dataset can be parsed meanwhile.
pub(crate) fn load<'a>(
    inputs: &[Input],
    target: &LoadTarget<'_>,
    earlier: Vec<Arc<Run>>,
    settings: &'a LoadSettings<'a>,
    mut run_name: impl FnMut() -> String,
) -> Result<Loading<'a>> {
    let mut types = target.types.clone();
    if let Some(path) = &target.ingested_at_field {
        set_type(&mut types, path, FieldType::DateTime);
    }
    let (give_back, used) = channel();
    let mut state = State {
        types,
        give_back,
        sequence: target.first_sequence,
        next_line: 1,
        report: LoadReport::default(),
        rejects: Rejects::new(settings.on_bad_record),
        target,
        settings,
    };
    let mut written = Written {
        dataset: target.dataset.to_owned(),
        class: target.class,
        earlier,
        settings,
        report: LoadReport::default(),
        runs: Vec::new(),
        opened: Vec::new(),
        syncing: Vec::new(),
    };
    let window = 4 * rayon::current_num_threads();
    let last = std::thread::scope(|scope| {
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
        let mut last: Option<FullRun> = None;
        loop {
            let (wrote, filled) = rayon::join(
                || last.take().map_or(Ok(()), |run| written.write(run)),
                || state.fill(&mut receiver, window),
            );
            wrote?;
            match filled? {
                None => return Ok::<_, StoreError>(None),
                Some((accumulator, types)) => {
                    let is_whole = !accumulator.is_full();
                    last = Some((accumulator, types, run_name()));
                    if is_whole {
                        return Ok(last);
                    }
                }
            }
        }
    })?;
    state.rejects.finish()?;
    Ok(Loading {
        last,
        types: exported_types(&state.types, target),
        next_sequence: state.sequence,
        read: state.report.read,
        bad: state.report.bad,
        written,
    })
}

impl Loading<'_> {
    /// Writes what is left and waits until all of it is on the disk.
    pub(crate) fn finish(mut self) -> Result<Loaded> {
        if let Some(last) = self.last.take() {
            self.written.write(last)?;
        }
        for syncing in self.written.syncing {
            syncing
                .join()
                .unwrap_or_else(|_| Err(StoreError::Refused("syncing a run gave up".to_owned())))?;
        }
        Ok(Loaded {
            runs: self.written.runs,
            opened: self.written.opened,
            report: LoadReport {
                read: self.read,
                bad: self.bad,
                ..self.written.report
            },
        })
    }
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
        self.used.try_recv().unwrap_or_default()
    }
}

/// What was parsed so far.
struct State<'a> {
    types: Fields,
    /// Where buffers go that have been parsed.
    give_back: Sender<Vec<u8>>,
    sequence: u64,
    /// The line behind the last chunk's.
    next_line: u64,
    report: LoadReport,
    rejects: Rejects,
    target: &'a LoadTarget<'a>,
    settings: &'a LoadSettings<'a>,
}

/// What was written so far.
struct Written<'a> {
    dataset: String,
    class: Class,
    earlier: Vec<Arc<Run>>,
    settings: &'a LoadSettings<'a>,
    report: LoadReport,
    runs: Vec<(String, RunFiles)>,
    /// The runs of this load, for the events that they have.
    opened: Vec<Arc<Run>>,
    /// Threads that wait for the disk, which would keep one that computes from its work.
    syncing: Vec<JoinHandle<Result<()>>>,
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
            // As many as keep all threads busy are waited for; more only if they are there.
            let few = rayon::current_num_threads();
            let chunks: Vec<Chunk> = (receiver.iter().take(few))
                .chain(receiver.try_iter().take(window - few))
                .collect::<Result<_>>()?;
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
        let mut records: Vec<Records<'_>> = chunks.par_iter().map(Records::new).collect();
        let mut starts = Vec::with_capacity(records.len());
        for records in &mut records {
            self.next_line = records.begin_at(self.next_line);
            starts.push(self.sequence);
            self.sequence += records.len() as u64;
        }
        let records: Vec<(Records<'_>, u64)> = records.into_iter().zip(starts).collect();
        let parsed: Vec<Parsed> = records
            .par_iter()
            .with_max_len(1)
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
    fn write(&mut self, (accumulator, types, name): FullRun) -> Result<()> {
        let class = self.class;
        let earlier: Vec<&Run> = self
            .earlier
            .iter()
            .chain(&self.opened)
            .map(|r| &**r)
            .collect();
        let folder = self.settings.runs.join(&name);
        let read = accumulator.rows() as u64;
        let written =
            accumulator.into_run(class, &types, &earlier, |run| write_run(&folder, run))?;
        let loaded = written.as_ref().map_or(0, |(files, _)| files.records);
        self.report.loaded += loaded;
        self.report.dropped += read - loaded;
        if let Some((files, unsynced)) = written {
            if self.settings.durable {
                self.syncing.push(std::thread::spawn(|| unsynced.sync()));
            }
            if class == Class::Event {
                let run = Run::open(&folder, &self.dataset, class, &files)?;
                self.opened.push(Arc::new(run));
            }
            self.runs.push((name, files));
        }
        Ok(())
    }
}
