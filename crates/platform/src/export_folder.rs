//! Exporting a source folder without a store of one's own.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use catalog::new_id;
use decode::Progress;
use export::ExportRequest;
use store::{FileLock, LoadOptions, LoadReport, Scope, Store, StoreError, make_folder};
use xdm::{Class, FieldPath};

use crate::address::check_out;
use crate::error::Result;
use crate::folder::SourceFolder;
use crate::jobs::{
    FinishedJob, PREFIX, RunOptions, ensure_target, make_locked, run_request, sweep_goal,
    without_earlier_jobs,
};
use crate::names::{with_ids, with_target};

/// How a source folder is exported.
#[derive(Clone, Debug)]
pub struct FolderExport<'a> {
    /// What is exported.
    pub request: &'a ExportRequest,
    /// The folder that the batches are published in; the temporary store lies in it, too.
    pub out: &'a Path,
    /// How its records are loaded.
    pub load: LoadOptions,
    /// How the job is run; it publishes in `out`.
    pub run: RunOptions,
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
    let out = options.out;
    check_out(out, None)?;
    without_earlier_jobs(options.request)?;
    make_folder(out)?;
    let with = SourceOptions {
        request: options.request,
        beside: out,
        load: &options.load,
    };
    with_source(source, &with, progress, |store| {
        let request = with_target(store, &with_ids(store.catalog(), options.request)?)?;
        ensure_target(store, &request)?;
        let run = RunOptions {
            out: Some(out.to_owned()),
            ..options.run.clone()
        };
        run_request(store, &request, &run, progress)
    })
}

/// How a source folder becomes a store for one use.
#[derive(Clone, Debug)]
pub struct SourceOptions<'a> {
    /// What is asked of it: nothing else is loaded.
    pub request: &'a ExportRequest,
    /// The folder that the temporary store lies in.
    pub beside: &'a Path,
    /// How its records are loaded.
    pub load: &'a LoadOptions,
}

/// Loads a source folder into a temporary store, which is thrown away after its use.
///
/// # Errors
/// As loading; what `f` returns.
pub fn with_source<T>(
    source: &SourceFolder,
    options: &SourceOptions<'_>,
    progress: &Arc<Progress>,
    f: impl FnOnce(&Store) -> Result<T>,
) -> Result<(LoadReport, T)> {
    sweep_goal(options.beside);
    let temporary = Temporary::create_in(options.beside)?;
    let store = Store::open_temporary(&temporary.folder, Scope::default())?;
    let wanted = |class| wanted_fields(options.request, class);
    let load = LoadOptions {
        merge: false,
        ..options.load.clone()
    };
    let report = source.load_fields(&store, wanted, &load, progress)?;
    Ok((report, f(&store)?))
}

/// The top-level fields of a class that a request asks for or looks at; `None` where it asks for all.
fn wanted_fields(request: &ExportRequest, class: Class) -> Option<Vec<String>> {
    if request.evaluates_segments() {
        // Expressions may read any: definitions come with what is loaded.
        return None;
    }
    let filter = request.filter.as_ref();
    let (fields, looked_at) = match class {
        Class::Profile => {
            let by_membership = filter
                .is_some_and(|f| f.segments.is_some() || f.segment_qualification_time.is_some());
            let fields = request.fields.as_deref();
            let has_keys = request.deduplication_keys.is_some();
            let is_unique = by_membership || has_keys;
            let mut looked_at = Vec::from_iter(is_unique.then(|| "segmentMembership".to_owned()));
            if request.row_per_identity.is_some() {
                looked_at.push("identityMap".to_owned());
            }
            let keys = request.deduplication_keys.iter().flatten();
            looked_at.extend(keys.filter_map(|key| first_part(&FieldPath::parse(key).ok()?)));
            (fields, looked_at)
        }
        Class::Event => {
            // The row of an empty profile says whose it is by its events.
            let is_empty = filter.is_some_and(|f| f.empty_profiles == Some(true));
            let identities = Vec::from_iter(is_empty.then(|| "identityMap".to_owned()));
            let additional = request.additional_fields.as_ref();
            match additional.and_then(|a| a.event_list.as_ref()) {
                None => return Some(identities),
                Some(list) => (list.fields.as_deref(), identities),
            }
        }
    };
    // A list that can't be read is refused when the job is created.
    let paths = FieldPath::parse_list(fields.unwrap_or_default()).unwrap_or_default();
    let firsts = paths.iter().filter_map(first_part);
    (!paths.is_empty()).then(|| firsts.chain(looked_at).collect())
}

/// The top-level field that a path is in.
fn first_part(path: &FieldPath) -> Option<String> {
    path.parts().first().cloned()
}

/// A folder that is thrown away, with its lock; it goes when this is dropped.
pub(crate) struct Temporary {
    pub(crate) folder: PathBuf,
    _lock: FileLock,
}

impl Temporary {
    pub(crate) fn create_in(out: &Path) -> Result<Self> {
        // An absolute path: a process may change its folder meanwhile.
        let out = fs::canonicalize(out).map_err(StoreError::io(out))?;
        let folder = out.join(format!("{PREFIX}{}", new_id()));
        let lock = make_locked(&folder)?;
        Ok(Self {
            folder,
            _lock: lock,
        })
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // What can't be removed now is swept at the next export to the folder.
        let _ = fs::remove_dir_all(&self.folder);
    }
}
