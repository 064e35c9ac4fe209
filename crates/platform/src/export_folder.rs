//! Exporting a source folder without a store of one's own.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use decode::Progress;
use export::ExportRequest;
use store::{FileLock, LoadOptions, LoadReport, Scope, Store, StoreError, sweep_folder};
use xdm::{Class, FieldPath};

use crate::error::Result;
use crate::folder::SourceFolder;
use crate::jobs::{FinishedJob, RunOptions, create_job, ensure_target, run_job};

/// What the temporary stores beside the exports are called.
const PREFIX: &str = ".profile-export-";
/// After this long a temporary store without a lock is not about to get one.
const LONGEST_START: Duration = Duration::from_secs(3600);

/// How a source folder is exported.
#[derive(Clone, Debug)]
pub struct FolderExport<'a> {
    /// What is exported.
    pub request: &'a ExportRequest,
    /// The folder that the batches are published in; the temporary store lies in it, too.
    pub out: &'a Path,
    /// How its records are loaded.
    pub load: LoadOptions,
    /// Rows after which a batch's next file begins.
    pub max_rows_per_file: Option<usize>,
}

/// Loads a source folder into a temporary store, exports from it, and throws it away.
///
/// # Errors
/// As loading and running a job.
pub fn export_folder(
    source: &SourceFolder,
    options: &FolderExport<'_>,
    progress: &Arc<Progress>,
) -> Result<(LoadReport, FinishedJob)> {
    let (out, request) = (options.out, options.request);
    fs::create_dir_all(out).map_err(StoreError::io(out))?;
    sweep_temporary(out);
    let folder = tempfile::Builder::new()
        .prefix(PREFIX)
        .tempdir_in(out)
        .map_err(StoreError::io(out))?;
    let lock = folder.path().join("lock");
    let _lock = FileLock::acquire(&lock).map_err(StoreError::io(&lock))?;
    let store = Store::open_temporary(folder.path(), Scope::default())?;
    let wanted = |class| wanted_fields(request, class);
    let report = source.load_fields(&store, wanted, &options.load, progress)?;
    ensure_target(&store, request)?;
    let job = create_job(&store, request)?;
    let run = RunOptions {
        out: Some(out.to_owned()),
        max_rows_per_file: options.max_rows_per_file,
        ..RunOptions::default()
    };
    let finished = run_job(&store, job.id, &run, progress)?;
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

/// Deletes the temporary stores of processes that are gone. What can't be deleted is in nobody's way.
fn sweep_temporary(out: &Path) {
    let _ = sweep_folder(out, |name| {
        if !name.starts_with(PREFIX) {
            return Ok(false);
        }
        let lock = out.join(name).join("lock");
        // One without a lock is being made now, or is of a process that died before it had one.
        if !lock.exists() {
            let made = fs::metadata(out.join(name)).and_then(|m| m.modified());
            let age = made.ok().and_then(|made| made.elapsed().ok());
            return Ok(age.is_some_and(|age| age > LONGEST_START));
        }
        Ok(FileLock::try_acquire(&lock)
            .map_err(StoreError::io(&lock))?
            .is_some())
    });
}
