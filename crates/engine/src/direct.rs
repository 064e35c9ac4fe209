//! Exporting a source folder without a store of one's own.

use std::fs::{self, File};
use std::path::Path;

use store::{LoadReport, OnBadRecord, Progress, Scope, Store, StoreError};

use xdm::{Class, FieldPath};

use crate::error::{Error, Result};
use crate::folder::SourceFolder;
use crate::job::{Finished, RunOptions, create_job, ensure_target, run_job};
use crate::request::ExportRequest;

/// What the temporary stores beside the exports are called.
const PREFIX: &str = ".profile-export-";

/// Loads a source folder into a temporary store under `out`, exports from it, and throws it away.
///
/// `now` is microseconds since 1970.
///
/// # Errors
/// As loading and running a job.
pub fn export_folder(
    request: &ExportRequest,
    source: &SourceFolder,
    out: &Path,
    on_bad_record: &OnBadRecord,
    max_rows_per_file: Option<usize>,
    now: i64,
    progress: &Progress,
) -> Result<(LoadReport, Finished)> {
    let io = |source: std::io::Error| {
        Error::from(StoreError::Io {
            path: out.to_owned(),
            source,
        })
    };
    fs::create_dir_all(out).map_err(io)?;
    sweep_temporary(out);
    let folder = tempfile::Builder::new()
        .prefix(PREFIX)
        .tempdir_in(out)
        .map_err(io)?;
    let lock = File::create(folder.path().join("lock")).map_err(io)?;
    lock.lock().map_err(io)?;
    let store = Store::open_temporary(folder.path(), Scope::default())?;
    let report = source.load_fields(
        &store,
        |class| wanted_fields(request, class),
        on_bad_record,
        now,
        progress,
    )?;
    ensure_target(&store, request)?;
    let job = create_job(&store, request)?;
    let options = RunOptions {
        out: Some(out.to_owned()),
        max_rows_per_file,
    };
    let finished = run_job(&store, &job, &options, progress)?;
    Ok((report, finished))
}

/// The top-level fields of a class that a request asks for or looks at; `None` where it asks for all.
fn wanted_fields(request: &ExportRequest, class: Class) -> Option<Vec<String>> {
    let filter = request.filter.as_ref();
    let (fields, looked_at) = match class {
        Class::Profile => {
            let by_membership = filter
                .is_some_and(|f| f.segments.is_some() || f.segment_qualification_time.is_some());
            let fields = request.fields.as_deref();
            (fields, by_membership.then_some("segmentMembership"))
        }
        Class::Event => {
            // The row of an empty profile says whose it is by its events.
            let identities = filter
                .is_some_and(|f| f.empty_profiles == Some(true))
                .then_some("identityMap");
            let additional = request.additional_fields.as_ref();
            match additional.and_then(|a| a.event_list.as_ref()) {
                None => return Some(identities.map(str::to_owned).into_iter().collect()),
                Some(list) => (list.fields.as_deref(), identities),
            }
        }
    };
    // A list that can't be read is refused when the job is created.
    let paths = FieldPath::parse_list(fields.unwrap_or_default()).unwrap_or_default();
    let firsts = paths
        .iter()
        .filter_map(|path| path.parts().first().cloned());
    (!paths.is_empty()).then(|| firsts.chain(looked_at.map(str::to_owned)).collect())
}

/// Deletes the temporary stores of processes that are gone.
fn sweep_temporary(out: &Path) {
    let Ok(entries) = fs::read_dir(out) else {
        return;
    };
    for entry in entries.flatten() {
        let ours = entry.file_name().to_string_lossy().starts_with(PREFIX);
        let lock = File::open(entry.path().join("lock"));
        if ours && lock.is_ok_and(|lock| lock.try_lock().is_ok()) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}
