//! Where the batches of a job will be.

use export::ExportRequest;
use store::Store;
use xdm::Timestamp;

use super::RunOptions;
use crate::error::{Error, Result};
use crate::jobs::batch_names::{BatchNames, BatchPlace, NamedExport};
use crate::jobs::goal::sweep_goal;
use crate::names::segment_names;

/// Refuses names that can't be given, or are taken, before there is a job.
pub(super) fn check_names(
    store: &Store,
    request: &ExportRequest,
    options: &RunOptions,
) -> Result<()> {
    let count = match request.destination.segment_per_batch {
        Some(true) => (request.filter.as_ref())
            .and_then(|filter| filter.segments.as_ref())
            .map_or(0, Vec::len),
        _ => 1,
    };
    if let (Some(out), BatchNames::Template(_)) = (&options.out, &options.names) {
        // What a killed job left there takes no name.
        sweep_goal(out);
    }
    // Batches get their IDs with the job.
    let ids: Vec<String> = (0..count).map(|number| format!("{number:024}")).collect();
    places(store, request, options, (0, Timestamp::now()), &ids).map(drop)
}

/// Where the batches of a job will be, which has this ID and was created then; nothing else is there.
pub(super) fn places(
    store: &Store,
    request: &ExportRequest,
    options: &RunOptions,
    (job, created): (i64, Timestamp),
    ids: &[String],
) -> Result<Vec<BatchPlace>> {
    let (out, names) = match &options.out {
        Some(out) => (out.clone(), &options.names),
        None => (store.layout().batches(), &BatchNames::Ids),
    };
    let segment_names = match names {
        BatchNames::Template(_) => segment_names(store.catalog(), request)?,
        _ => Vec::new(),
    };
    let export = NamedExport {
        request,
        segment_names: &segment_names,
        begun: created,
        job: store.is_durable().then_some(job),
        format: &options.writer.format,
        has_many_files: options.max_rows_per_file.is_some(),
    };
    let places = names.places(&export, ids);
    let places = places.map_err(|problem| Error::out(&out, problem))?;
    if let BatchNames::Template(_) = names {
        let taken = places.iter().map(|place| place.file(0));
        let mut taken = taken.filter(|name| !options.replaces.contains(name));
        if let Some(name) = taken.find(|name| out.join(name).symlink_metadata().is_ok()) {
            return Err(Error::out(
                &out.join(name),
                "it exists; --if-exists replace, or a template with {date}, {time} or {batch.id}",
            ));
        }
    }
    Ok(places)
}
