//! Loading one dataset: inputs are read in chunks, decoded in parallel, and written as runs.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread::JoinHandle;

use decode::{
    ChunkSink, Decoded, IdentifiedRows, Input, InputChunk, MOST_FIELDS, Progress, ReadOptions,
    RecordSpans, RecordSpec, decode_until, read_chunks,
};
use rayon::prelude::*;
use run::{Run, RunBuilder, RunFiles};
use xdm::{Class, Dataset, Fields, Namespaces};

use crate::LoadReport;
use crate::error::{Result, StoreError};
use crate::rejects::Rejects;

/// Where the records of a load go.
pub(crate) struct LoadTarget<'a> {
    pub(crate) dataset: &'a Dataset,
    pub(crate) spec: RecordSpec,
    pub(crate) first_sequence: u64,
}

/// How runs are written.
pub(crate) struct LoadSettings<'a> {
    /// Folder for the new runs; each gets a name from this function.
    pub(crate) runs: &'a Path,
    pub(crate) durable: bool,
    pub(crate) read: &'a ReadOptions,
    pub(crate) run_bytes: usize,
    pub(crate) progress: &'a Progress,
}

/// What a load wrote.
pub(crate) struct LoadedRuns {
    /// Folder names and files of the new runs.
    pub(crate) runs: Vec<(String, RunFiles)>,
    /// The runs of the dataset that were opened for the events that they have.
    pub(crate) opened: Vec<Arc<Run>>,
    pub(crate) report: LoadReport,
}

/// A load whose inputs are all decoded; the last of its runs may still have to be written.
pub(crate) struct PendingLoad<'a> {
    writer: RunWriter<'a>,
    last: Option<FullRun>,
    pub(crate) types: Fields,
    /// The namespaces that are keys of its records' maps, as they were spelled first.
    pub(crate) map_keys: Vec<String>,
    pub(crate) next_sequence: u64,
    read: u64,
    bad: u64,
}

/// The records of a run to be, their types, and its name.
type FullRun = (RunBuilder, Fields, String);

/// Loads inputs into new runs, which no catalog names yet. An event that one of the dataset's `earlier`
/// runs has is dropped.
///
/// The last run is left to [`PendingLoad::finish`], so that the next dataset can be decoded meanwhile.
pub(crate) fn load<'a>(
    inputs: &[Input],
    target: &LoadTarget<'_>,
    earlier: Vec<Arc<Run>>,
    settings: &'a LoadSettings<'a>,
    rejects: &mut Rejects,
    mut run_name: impl FnMut() -> String,
) -> Result<PendingLoad<'a>> {
    let (give_back, used) = channel();
    let mut state = ChunkDecoder {
        types: target.spec.types.clone(),
        map_keys: Namespaces::default(),
        give_back,
        sequence: target.first_sequence,
        next_line: 1,
        report: LoadReport::default(),
        decoded: VecDeque::new(),
        rejects,
        target,
        settings,
    };
    let mut writer = RunWriter {
        dataset: target.dataset.id.clone(),
        class: target.dataset.class,
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
        let (sender, mut receiver) = sync_channel::<decode::Result<InputChunk>>(window);
        let mut sink = ChunkSender {
            chunks: sender,
            used,
            open: true,
        };
        scope.spawn(move || {
            for input in inputs {
                if let Err(error) = read_chunks(input, settings.read, settings.progress, &mut sink)
                {
                    let _ = sink.chunks.send(Err(error));
                    return;
                }
                // Once nobody listens any more, nothing is read any more.
                if !sink.open {
                    return;
                }
            }
        });
        // While the records of one run are written, those of the next are decoded.
        let mut last: Option<FullRun> = None;
        loop {
            let (wrote, filled) = rayon::join(
                || last.take().map_or(Ok(()), |run| writer.write(run)),
                || state.fill(&mut receiver, window),
            );
            wrote?;
            match filled? {
                None => return Ok::<_, StoreError>(None),
                Some((builder, types, more)) => {
                    last = Some((builder, types, run_name()));
                    if !more {
                        return Ok(last);
                    }
                }
            }
        }
    })?;
    Ok(PendingLoad {
        last,
        types: target.spec.exported_types(&state.types),
        map_keys: state.map_keys.codes().to_vec(),
        next_sequence: state.sequence,
        read: state.report.read,
        bad: state.report.bad,
        writer,
    })
}

impl PendingLoad<'_> {
    /// Writes what is left and waits until all of it is on the disk.
    pub(crate) fn finish(mut self) -> Result<LoadedRuns> {
        if let Some(last) = self.last.take() {
            self.writer.write(last)?;
        }
        for syncing in self.writer.syncing {
            let synced = syncing.join();
            synced.map_err(|_| StoreError::Internal("the thread that syncs a run"))??;
        }
        Ok(LoadedRuns {
            runs: self.writer.runs,
            opened: self.writer.opened,
            report: LoadReport {
                read: self.read,
                bad: self.bad,
                ..self.writer.report
            },
        })
    }
}

/// The reader's end of the channels.
struct ChunkSender {
    chunks: SyncSender<decode::Result<InputChunk>>,
    used: Receiver<Vec<u8>>,
    open: bool,
}

impl ChunkSink for ChunkSender {
    fn send(&mut self, chunk: InputChunk) -> bool {
        self.open = self.chunks.send(Ok(chunk)).is_ok();
        self.open
    }

    fn buffer(&mut self) -> Vec<u8> {
        self.used.try_recv().unwrap_or_default()
    }
}

/// What was decoded so far.
struct ChunkDecoder<'a> {
    types: Fields,
    map_keys: Namespaces,
    /// Where buffers go that have been decoded.
    give_back: Sender<Vec<u8>>,
    sequence: u64,
    /// The line behind the last chunk's.
    next_line: u64,
    report: LoadReport,
    /// What waits for its run: the records of chunks, each with the types that are known behind it.
    decoded: VecDeque<(IdentifiedRows, Fields)>,
    rejects: &'a mut Rejects,
    target: &'a LoadTarget<'a>,
    settings: &'a LoadSettings<'a>,
}

/// What was written so far.
struct RunWriter<'a> {
    dataset: String,
    class: Class,
    earlier: Vec<Arc<Run>>,
    settings: &'a LoadSettings<'a>,
    report: LoadReport,
    runs: Vec<(String, RunFiles)>,
    /// The runs of this load, for the events that they have.
    opened: Vec<Arc<Run>>,
    /// Threads that wait for the disk, which would keep one that computes from its work.
    syncing: Vec<JoinHandle<run::Result<()>>>,
}

impl ChunkDecoder<'_> {
    /// Decodes until there is enough for a run, or no more; returns the records with their types, and
    /// whether there may be more.
    fn fill(
        &mut self,
        receiver: &mut Receiver<decode::Result<InputChunk>>,
        window: usize,
    ) -> Result<Option<(RunBuilder, Fields, bool)>> {
        let mut builder = RunBuilder::default();
        let mut types = None;
        let is_whole = loop {
            if let Some((rows, known)) = self.decoded.pop_front() {
                builder.push(rows)?;
                let types = types.insert(self.target.spec.stored_types(&known));
                if builder.is_full(types, self.settings.run_bytes) {
                    break false;
                }
                continue;
            }
            // As many as keep all threads busy are waited for; more only if they are there.
            let few = rayon::current_num_threads();
            let received =
                (receiver.iter().take(few)).chain(receiver.try_iter().take(window - few));
            let (mut chunks, mut error) = (Vec::new(), None);
            for chunk in received {
                match chunk {
                    Ok(chunk) => chunks.push(chunk),
                    Err(reason) => {
                        error = Some(reason);
                        break;
                    }
                }
            }
            if let Some(error) = error {
                // What came before it may have an earlier error.
                self.take_in(&chunks)?;
                return Err(error.at_line(self.next_line).into());
            }
            if chunks.is_empty() {
                break true;
            }
            self.settings.progress.check()?;
            self.take_in(&chunks)?;
            for chunk in chunks {
                if let Some(buffer) = chunk.into_buffer() {
                    // A reader that is done needs none.
                    let _ = self.give_back.send(buffer);
                }
            }
        };
        Ok(types
            .filter(|_| builder.rows() > 0)
            .map(|types| (builder, types, !is_whole)))
    }

    fn take_in(&mut self, chunks: &[InputChunk]) -> Result<()> {
        let (target, progress) = (self.target, self.settings.progress);
        let mut records: Vec<RecordSpans<'_>> = chunks.par_iter().map(RecordSpans::new).collect();
        let mut starts = Vec::with_capacity(records.len());
        for records in &mut records {
            self.next_line = records.begin_at(self.next_line);
            starts.push(self.sequence);
            self.sequence += records.len() as u64;
        }
        let records: Vec<(RecordSpans<'_>, u64)> = records.into_iter().zip(starts).collect();
        let decoded: Vec<Decoded> = records
            .par_iter()
            .with_max_len(1)
            .map(|(records, start)| {
                decode_until(records, &target.spec, &self.types, *start, progress)
            })
            .collect::<decode::Result<_>>()?;
        for ((chunk, (records, start)), decoded) in chunks.iter().zip(&records).zip(decoded) {
            let mut united = self.types.clone();
            let decoded = match united.unite(&decoded.types) {
                Ok(()) if decoded.bad.is_empty() && !self.has_too_many_fields(&united) => decoded,
                // Its types disagree with those of the chunks before it, which were decoded at the
                // same time, or an object gets too many fields with theirs; or a record is bad that is
                // good by the types that stand by now.
                _ => {
                    let decoded =
                        decode_until(records, &target.spec, &self.types, *start, progress)?;
                    united = self.types.clone();
                    united.unite(&decoded.types).map_err(|conflict| {
                        decode::Error::TypeConflict {
                            dataset: target.dataset.name.clone(),
                            conflict,
                        }
                    })?;
                    decoded
                }
            };
            self.types = united;
            for code in &decoded.rows.map_keys {
                self.map_keys.add(code);
            }
            self.report.read += records.len() as u64;
            for bad in &decoded.bad {
                self.report.bad += 1;
                self.rejects.push(target.dataset, &chunk.file, bad)?;
            }
            self.settings.progress.add_rows(records.len() as u64);
            self.decoded.push_back((decoded.rows, self.types.clone()));
        }
        Ok(())
    }
}

impl ChunkDecoder<'_> {
    /// Whether new fields make an object larger than one may be.
    fn has_too_many_fields(&self, united: &Fields) -> bool {
        united.most_in_an_object() > MOST_FIELDS && *united != self.types
    }
}

impl RunWriter<'_> {
    /// Writes records as a run, unless the dataset has them all already.
    fn write(&mut self, (builder, types, name): FullRun) -> Result<()> {
        let class = self.class;
        let earlier: Vec<&Run> = self
            .earlier
            .iter()
            .chain(&self.opened)
            .map(|r| &**r)
            .collect();
        let folder = self.settings.runs.join(&name);
        let read = builder.rows() as u64;
        let written = builder.write(class, &types, &earlier, &folder)?;
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
