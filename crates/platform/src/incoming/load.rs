use std::fs::File;
use std::io::Read;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::{Duration, Instant};

use catalog::{Batch, BatchError, BatchFile, BatchMetrics, BatchStatus, FileFormat};
use decode::{Input, Progress};
use store::{DatasetInputs, JsonForm, LoadOptions, LoadReport, ReadOptions, Store, StoreError};
use xdm::Timestamp;

use super::{file_path, io, move_in, move_to, remove_files};
use crate::error::{Error, ErrorKind, Result};
use crate::jobs::what_it_said;

/// Loads a batch whose files are complete; its status says how it ended. Does nothing where somebody
/// else loads it.
///
/// # Errors
/// The catalog can't be read or written. What is wrong with the batch's records is told in the batch.
pub fn load_incoming(store: &Store, id: &str, progress: &Progress) -> Result<()> {
    let (staged, processing) = (BatchStatus::Staged, BatchStatus::Processing);
    let batch = match move_to(store, id, staged, processing, |_| Ok(())) {
        Ok(batch) => batch,
        // Somebody else loads it, or it is gone with its dataset.
        Err(error) if is_elsewhere(&error) => return Ok(()),
        Err(error) => return Err(error),
    };
    let started = Timestamp::now();
    let load = AssertUnwindSafe(|| load(store, &batch, started, progress));
    let loaded =
        catch_unwind(load).unwrap_or_else(|panic| Err(Error::Panic(what_it_said(&*panic))));
    if let Err(error) = loaded {
        tell(progress, || {
            tell_failure(store, id, started, progress, &error)
        })?;
    }
    // The files stay as long as the load may be begun again.
    match store.catalog().batch(id)? {
        Some(batch) if batch.status == staged => {}
        _ => remove_files(store, id),
    }
    Ok(())
}

/// Whether a batch is not in the state that was expected, or gone.
fn is_elsewhere(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Conflict | ErrorKind::NotFound)
}

/// Loads the batch's records and says so in it, all at once: it is never told as failed where its
/// records are in, nor the other way round, whatever becomes of the process or the disk.
fn load(store: &Store, batch: &Batch, started: Timestamp, progress: &Progress) -> Result<()> {
    let (inputs, names) = inputs(store, batch)?;
    let options = load_options(batch);
    let (processing, success) = (BatchStatus::Processing, BatchStatus::Success);
    let loaded = store.ingest_and_tell(&[inputs], &options, progress, |catalog, done| {
        let Some(done) = done else {
            return Ok(());
        };
        if done.read == 0 {
            return Err(Error::EmptyBatch(
                "none of its files has a record".to_owned(),
            ));
        }
        move_in(catalog, &batch.id, processing, success, |batch| {
            batch.metrics = metrics(started, done);
            batch.sequences = Some([done.sequences.start, done.sequences.end]);
            Ok(())
        })?;
        Ok(())
    });
    let report = loaded.map_err(|error| with_sent_name(error, &names))?;
    if let Some(reason) = report.not_merged {
        tracing::warn!(
            batch = batch.id,
            reason,
            "loaded, but runs could not be merged; the next load tries again"
        );
    }
    Ok(())
}

/// What a batch says of its load.
pub(crate) fn metrics(started: Timestamp, done: &LoadReport) -> BatchMetrics {
    BatchMetrics {
        records_read: Some(done.read),
        records_written: Some(done.loaded),
        records_failed: Some(done.bad),
        events_written: None,
        start_time: Some(started.millis()),
        end_time: Some(Timestamp::now().millis()),
    }
}

/// Says in a batch why it is not loaded. One that was stopped waits for whoever runs the queue next.
fn tell_failure(
    store: &Store,
    id: &str,
    started: Timestamp,
    progress: &Progress,
    error: &Error,
) -> Result<()> {
    let to = if error.is_cancelled() {
        BatchStatus::Staged
    } else {
        BatchStatus::Failed
    };
    let told = move_to(store, id, BatchStatus::Processing, to, |batch| {
        if to == BatchStatus::Failed {
            batch.metrics = metrics(
                started,
                &LoadReport {
                    read: progress.snapshot().rows,
                    bad: u64::from(error.kind() == ErrorKind::BadRecord),
                    ..LoadReport::default()
                },
            );
            batch.errors = Some(vec![batch_error(error)]);
        }
        Ok(())
    });
    match told {
        Ok(_) => Ok(()),
        // Its commit held although it was told to have failed, or its dataset was deleted meanwhile and
        // the batch went with it.
        Err(error) if is_elsewhere(&error) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Why a batch failed, in words for who sent it: no file of this machine is named in them.
fn batch_error(error: &Error) -> BatchError {
    let text = error.to_string();
    let (description, cause) = match error.kind().told_outside() {
        Some(description) if !is_of_sent_file(error) => (description.to_owned(), Some(text)),
        _ => (text, None),
    };
    BatchError {
        code: error.code().to_owned(),
        description,
        cause,
    }
}

/// Whether an error is about a file as its sender calls it.
fn is_of_sent_file(error: &Error) -> bool {
    matches!(
        error,
        Error::Store(StoreError::Decode(decode::Error::Io { .. }))
    )
}

/// How long it is waited until what could not be told is told again; twice as long each time.
const SHORTEST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// Tells how a load ended, again and again: the batch would be taken for one that is being loaded.
fn tell(progress: &Progress, mut telling: impl FnMut() -> Result<()>) -> Result<()> {
    let mut pause = SHORTEST_PAUSE;
    loop {
        let Err(error) = telling() else {
            return Ok(());
        };
        if pause == SHORTEST_PAUSE {
            tracing::warn!(%error, "how a load ended can't be told; will be tried again");
        }
        let again = Instant::now() + pause;
        while Instant::now() < again {
            if progress.is_cancelled() {
                return Err(error);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// A batch's files, and what their senders call each.
type Sent<'a> = (DatasetInputs, Vec<(String, &'a str)>);

fn inputs<'a>(store: &Store, batch: &'a Batch) -> Result<Sent<'a>> {
    let Some(format) = &batch.input_format else {
        let problem = format!("batch {} says nothing of its files' format", batch.id);
        return Err(catalog::Error::Conflict(problem).into());
    };
    let is_parquet = format.format == FileFormat::Parquet;
    let folder = store.layout().incoming_batch(&batch.id);
    if batch.files.is_empty() {
        return Err(Error::EmptyBatch("it has no file".to_owned()));
    }
    let mut names = Vec::new();
    let mut inputs = Vec::new();
    for BatchFile { name, length, .. } in &batch.files {
        if *length == 0 {
            return Err(Error::EmptyBatch(format!("{name} has no bytes")));
        }
        let path = file_path(&folder, name);
        if starts_like_parquet(&path)? != is_parquet {
            let wanted = if is_parquet { "Parquet" } else { "JSON" };
            return Err(decode::Error::Input {
                name: name.clone(),
                problem: format!("is no {wanted} file"),
            }
            .into());
        }
        names.push((path.display().to_string(), name.as_str()));
        inputs.push(Input::File(path));
    }
    Ok((DatasetInputs::new(batch.dataset(), inputs), names))
}

fn load_options(batch: &Batch) -> LoadOptions {
    let json_form = match &batch.input_format {
        Some(format) if format.is_multi_line_json => JsonForm::Documents,
        _ => JsonForm::Lines,
    };
    LoadOptions {
        // The moment of completion, however often a load is begun again.
        now: (batch.completed).map_or_else(Timestamp::now, Timestamp::from_millis),
        read: ReadOptions {
            json_form,
            ..ReadOptions::default()
        },
        ..LoadOptions::default()
    }
}

/// Errors name files as their senders do.
fn with_sent_name(error: Error, names: &[(String, &str)]) -> Error {
    let sent = |name: String| {
        let known = names.iter().find(|(path, _)| *path == name);
        known.map_or(name, |(_, sent)| (*sent).to_owned())
    };
    let Error::Store(StoreError::Decode(error)) = error else {
        return error;
    };
    match error {
        decode::Error::BadRecord {
            file,
            line,
            problem,
        } => decode::Error::BadRecord {
            file: sent(file),
            line,
            problem,
        },
        decode::Error::Input { name, problem } => decode::Error::Input {
            name: sent(name),
            problem,
        },
        decode::Error::Io { path, reason } => decode::Error::Io {
            path: sent(path.display().to_string()).into(),
            reason,
        },
        other => other,
    }
    .into()
}

fn starts_like_parquet(path: &Path) -> Result<bool> {
    let mut magic = Vec::new();
    let file = File::open(path).map_err(io(path))?;
    file.take(4).read_to_end(&mut magic).map_err(io(path))?;
    Ok(magic == b"PAR1")
}
