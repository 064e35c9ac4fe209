use std::fs::File;
use std::path::Path;

use arrow::error::ArrowError;
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::StreamWriter;
use catalog::{Batch, BatchStatus};
use decode::{Input, Progress};
use export::RequestError;
use store::{Batches, DatasetInputs, LoadOptions, Store, StoreError};
use xdm::Timestamp;

use super::staging::RowsStaging;
use super::{Rows, RowsTarget, WrittenRows};
use crate::error::{Error, Result};
use crate::incoming::metrics;
use crate::jobs::sweep;

/// What messages call a statement's rows.
const NAME: &str = "rows";

/// Loads rows as the records of a dataset: a column for each top-level field, all rows or none. With them a batch is in the
/// catalog, as if it had come in.
///
/// # Errors
/// A row that is no record of the dataset's, told by its number; the dataset takes no records; as for [`Store::ingest`].
pub fn load_rows(
    store: &Store,
    target: RowsTarget<'_>,
    rows: Rows,
    progress: &Progress,
) -> Result<WrittenRows> {
    let dataset = target.dataset();
    if let Some(problem) = dataset.why_no_input() {
        return Err(RequestError::new("dataset", problem).into());
    }
    sweep(store)?;
    let started = Timestamp::now();
    let batch = Batch::of_no_job(
        &store.catalog().scope().org,
        &dataset.id,
        BatchStatus::Success,
    );
    // What a query gives comes in now, unless it says otherwise.
    let field = dataset.ingest_field().map_err(decode::Error::from)?;
    let field = field.and_then(|path| path.parts().first().cloned());
    let says_when = field.is_some_and(|name| rows.schema().index_of(&name).is_ok());
    // A load keeps other loads from the store until its end, however long its rows take; so they are there when it begins.
    let staging = RowsStaging::create(store, &batch.id)?;
    let rows = staged(&staging.folder.join("rows.arrow"), rows, progress)?;
    let inputs = DatasetInputs {
        ingested_at: (!says_when).then_some(started),
        ..DatasetInputs::new(&dataset.id, vec![Input::Batches(Batches::new(NAME, rows))])
    };
    let options = LoadOptions {
        now: started,
        ..LoadOptions::default()
    };
    let report = store.ingest_and_tell(&[inputs], &options, progress, |catalog, done| {
        target.settle(catalog)?;
        let Some(done) = done.filter(|done| done.read > 0) else {
            return Ok(());
        };
        Ok::<_, crate::Error>(catalog.create_batch(&Batch {
            metrics: metrics(started, done),
            sequences: Some([done.sequences.start, done.sequences.end]),
            ..batch.clone()
        })?)
    })?;
    if let Some(reason) = report.not_merged {
        tracing::warn!(
            batch = batch.id,
            reason,
            "loaded, but runs could not be merged; the next load tries again"
        );
    }
    Ok(WrittenRows {
        dataset: dataset.id.clone(),
        batch: (report.read > 0).then_some(batch.id),
        rows: report.loaded,
        dropped: report.dropped,
    })
}

/// Writes rows into a file, and reads them from there.
fn staged(path: &Path, rows: Rows, progress: &Progress) -> Result<Rows> {
    let failed = |error: ArrowError| match error {
        ArrowError::IoError(_, reason) => StoreError::io(path)(reason).into(),
        error => Error::from(decode::Error::from(error)),
    };
    let file = File::create_new(path).map_err(StoreError::io(path))?;
    let mut writer = StreamWriter::try_new_buffered(file, &rows.schema()).map_err(failed)?;
    for rows in rows {
        progress.check()?;
        let rows = rows.map_err(decode::Error::from)?;
        writer.write(&rows).map_err(failed)?;
    }
    writer.finish().map_err(failed)?;
    drop(writer);
    let file = File::open(path).map_err(StoreError::io(path))?;
    let read = StreamReader::try_new_buffered(file, None).map_err(failed)?;
    Ok(Box::new(read))
}
