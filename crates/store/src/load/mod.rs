//! Loading: inputs are read in chunks, parsed in parallel into columns, and written as runs.

mod flush;
mod input;
mod memory;
mod parse;
mod rejects;
mod system;

use std::path::{Path, PathBuf};
use std::sync::mpsc::sync_channel;

use rayon::prelude::*;
use xdm::{Class, FieldPath, FieldType, Fields};

pub use input::Input;
pub use memory::DatasetBatches;

use crate::Progress;
use crate::error::{Result, StoreError};
use crate::run::{Run, RunFiles};
use flush::Accumulator;
use input::{Chunk, read_chunks};
use parse::{Bad, Parsed, Records, exported_types, parse};
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
    /// The dataset's runs so far: an event that they have is dropped.
    pub(crate) earlier: Vec<&'a Run>,
    pub(crate) first_sequence: u64,
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
    let mut state = State {
        types,
        sequence: target.first_sequence,
        report: LoadReport::default(),
        rejects: Rejects::new(settings.on_bad_record),
        accumulator: Accumulator::default(),
        loaded: Vec::new(),
        new_runs: Vec::new(),
    };
    let window = 4 * rayon::current_num_threads();
    std::thread::scope(|scope| {
        // Made in here, so that after an error the receiver is gone before the reader is waited for.
        let (sender, receiver) = sync_channel::<Result<Chunk>>(window);
        scope.spawn(move || {
            for input in inputs {
                // Once nobody listens any more, nothing is read any more.
                let mut open = true;
                let result = read_chunks(input, settings.progress, &mut |chunk| {
                    open = sender.send(Ok(chunk)).is_ok();
                    open
                });
                if let Err(error) = result {
                    let _ = sender.send(Err(error));
                    return;
                }
                if !open {
                    return;
                }
            }
        });
        loop {
            let chunks: Vec<Chunk> = receiver.iter().take(window).collect::<Result<_>>()?;
            if chunks.is_empty() {
                return Ok(());
            }
            settings.progress.check()?;
            state.take_in(&chunks, target, settings, &mut run_name)?;
        }
    })
    .and_then(|()| state.flush(target, settings, &mut run_name))?;
    state.rejects.finish()?;
    Ok(Loaded {
        types: exported_types(&state.types, target),
        runs: state.loaded,
        next_sequence: state.sequence,
        report: state.report,
    })
}

struct State {
    types: Fields,
    sequence: u64,
    report: LoadReport,
    rejects: Rejects,
    accumulator: Accumulator,
    loaded: Vec<(String, RunFiles)>,
    /// The runs of this load, for the events that they have.
    new_runs: Vec<Run>,
}

impl State {
    fn take_in(
        &mut self,
        chunks: &[Chunk],
        target: &LoadTarget<'_>,
        settings: &LoadSettings<'_>,
        run_name: &mut impl FnMut() -> String,
    ) -> Result<()> {
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
                self.reject(chunk, bad)?;
            }
            settings.progress.add_rows(records.len() as u64);
            self.accumulator.push(parsed.keyed);
            if self.accumulator.is_full() {
                self.flush(target, settings, run_name)?;
            }
        }
        Ok(())
    }

    fn reject(&mut self, chunk: &Chunk, bad: &Bad) -> Result<()> {
        self.report.bad += 1;
        self.rejects.push(&chunk.file, bad)
    }

    fn flush(
        &mut self,
        target: &LoadTarget<'_>,
        settings: &LoadSettings<'_>,
        run_name: &mut impl FnMut() -> String,
    ) -> Result<()> {
        let accumulator = std::mem::take(&mut self.accumulator);
        let earlier: Vec<&Run> = target
            .earlier
            .iter()
            .copied()
            .chain(&self.new_runs)
            .collect();
        let types = exported_types(&self.types, target);
        let name = run_name();
        let folder = settings.runs.join(&name);
        let read = accumulator.rows() as u64;
        let tables = accumulator.into_tables(target.class, &types, &earlier)?;
        let Some(tables) = tables else {
            self.report.dropped += read;
            return Ok(());
        };
        let files = tables.write(&folder, settings.durable)?;
        self.report.loaded += files.records;
        self.report.dropped += read - files.records;
        if target.class == Class::Event {
            self.new_runs
                .push(Run::open(&folder, "", target.class, &files)?);
        }
        self.loaded.push((name, files));
        Ok(())
    }
}
