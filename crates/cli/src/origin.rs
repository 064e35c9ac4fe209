//! Where an export's records come from, and how it is done.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use profile_export::export::Progress;
use profile_export::jobs::{
    FinishedJob, FolderExport, Keep, RunOptions, export_folder, run_request,
};
use profile_export::platform::{
    Error, Prepared, SourceOptions, check_out, check_target, with_ids, with_source, with_target,
};
use profile_export::request::ExportRequest;
use profile_export::store::Store;

use crate::args::{Arguments, LoadArgs, LookArgs, OriginArgs};
use crate::failure::Failure;
use crate::keep::forget_older;
use crate::loading::{load_options, open_source, say_loaded};
use crate::message::say;
use crate::names::Names;
use crate::progress::Watch;
use crate::settings::Settings;
use crate::stores::open;

/// How long an export that reads its source itself may take to stop. What one leaves that is killed, the next
/// export to the folder clears.
const PATIENCE: Duration = Duration::from_secs(5);

/// How an export is prepared: [`Prepared::new`] where it is only looked at, [`Prepared::to_write`] where it is made.
pub type Prepare =
    fn(&Store, &ExportRequest, Option<u32>, &Arc<Progress>) -> Result<Prepared, Error>;

/// A store, or a source folder.
pub enum Origin {
    Store(PathBuf),
    Source(PathBuf),
}

impl Origin {
    /// The store, if it is one.
    pub fn store(&self) -> Option<&Path> {
        match self {
            Self::Store(store) => Some(store),
            Self::Source(_) => None,
        }
    }

    /// What the arguments say; without any the store that the environment or the settings name.
    pub fn of(settings: &Settings, arguments: &OriginArgs) -> Result<Self, Failure> {
        match (&arguments.store, &arguments.from) {
            (Some(store), _) => Ok(Self::Store(store.clone())),
            (None, Some(from)) => Ok(Self::Source(from.clone())),
            (None, None) => match settings.store() {
                Some(store) => Ok(Self::Store(store)),
                None => Err(Failure::usage(
                    "where from? give --store DIR (or PROFILE_EXPORT_STORE), or --from DIR",
                )),
            },
        }
    }
}

/// An export to be done.
pub struct Work<'a> {
    pub origin: Origin,
    pub loading: &'a LoadArgs,
    /// How it is done; `out` is where, if not in the store.
    pub run: RunOptions,
    /// What is kept in the store behind it, if not all.
    pub keep: Option<Keep>,
}

impl<'a> Work<'a> {
    /// One that is looked at and not done.
    pub fn to_look(settings: &Settings, look: &'a LookArgs) -> Result<Self, Failure> {
        Ok(Self {
            origin: Origin::of(settings, &look.origin)?,
            loading: &look.loading,
            run: RunOptions {
                max_identities: look.audience.max_identities,
                ..RunOptions::default()
            },
            keep: None,
        })
    }

    /// Does it as a job; returns how that ended, and how many records were rejected.
    pub fn job(
        &self,
        arguments: &Arguments,
        request: &ExportRequest,
    ) -> Result<(Result<FinishedJob, Error>, u64), Failure> {
        match (&self.origin, self.run.out.as_deref()) {
            (Origin::Store(store), out) => {
                if let Some(out) = out {
                    check_out(out, Some(store))?;
                }
                let store = open(arguments, store)?;
                let request = with_target(&store, &with_ids(store.catalog(), request)?)?;
                let watch = Watch::start(arguments, 0);
                let ended = run_request(&store, &request, &self.run, &watch.progress);
                drop(watch);
                Ok((ended, 0))
            }
            (Origin::Source(_), None) => Err(Failure::usage("where to? give --out with --from")),
            (Origin::Source(from), Some(out)) => {
                check_out(out, None)?;
                let source = open_source(arguments, from)?;
                let watch = Watch::start(arguments, source.length()).ending_within(PATIENCE);
                let options = FolderExport {
                    request,
                    out,
                    load: load_options(self.loading),
                    run: self.run.clone(),
                };
                let exported = export_folder(&source, &options, &watch.progress);
                drop(watch);
                Ok(match exported {
                    Ok((report, finished)) => {
                        say_loaded(arguments, &report, self.loading);
                        (Ok(finished), report.bad)
                    }
                    Err(error) => (Err(error), 0),
                })
            }
        }
    }

    /// What the store calls its segments and datasets; of a source folder's nothing is known behind the export.
    pub fn names(&self, arguments: &Arguments) -> Result<Names, Failure> {
        match &self.origin {
            Origin::Store(store) => Names::of(&open(arguments, store)?),
            Origin::Source(_) => Ok(Names::default()),
        }
    }

    /// Forgets jobs that are older than are to be kept: behind a job that did all that was asked of it.
    pub fn forget_older(&self, arguments: &Arguments) -> Result<(), Failure> {
        if let (Origin::Store(store), Some(_)) = (&self.origin, self.keep) {
            forget_older(arguments, &open(arguments, store)?, self.keep);
        }
        Ok(())
    }

    /// Refuses a target dataset that a job would refuse.
    pub fn check_target(
        &self,
        arguments: &Arguments,
        request: &ExportRequest,
    ) -> Result<(), Failure> {
        if let Origin::Store(store) = &self.origin
            && !request.destination.dataset_id.is_empty()
        {
            let store = open(arguments, store)?;
            let request = with_ids(store.catalog(), request)?;
            check_target(store.catalog(), &request.destination.dataset_id)?;
        }
        Ok(())
    }

    /// Prepares an export that is only looked at: nothing is evaluated for it, and that is said.
    pub fn looked_at<T>(
        &self,
        arguments: &Arguments,
        request: &ExportRequest,
        f: impl FnOnce(&Prepared) -> Result<T, Error>,
    ) -> Result<(T, u64), Failure> {
        if request.evaluates_segments() {
            say(
                arguments,
                "segments are not evaluated where nothing is written: memberships are shown as they stand",
            );
        }
        self.prepared(arguments, request, Prepared::new, f)
    }

    /// Prepares it without a job and does `f` with it; returns that, and how many records were rejected.
    pub fn prepared<T>(
        &self,
        arguments: &Arguments,
        request: &ExportRequest,
        prepare: Prepare,
        f: impl FnOnce(&Prepared) -> Result<T, Error>,
    ) -> Result<(T, u64), Failure> {
        match &self.origin {
            Origin::Store(store) => {
                let store = open(arguments, store)?;
                let watch = Watch::start(arguments, 0);
                let prepared = prepare(&store, request, self.run.max_identities, &watch.progress)?;
                Ok((f(&prepared)?, 0))
            }
            Origin::Source(from) => {
                let source = open_source(arguments, from)?;
                let watch = Watch::start(arguments, source.length()).ending_within(PATIENCE);
                let beside = self.run.out.as_deref().and_then(Path::parent);
                let beside = beside.filter(|folder| !folder.as_os_str().is_empty());
                let temporary = std::env::temp_dir();
                let options = SourceOptions {
                    request,
                    beside: match self.run.out {
                        Some(_) => beside.unwrap_or(Path::new(".")),
                        None => &temporary,
                    },
                    load: &load_options(self.loading),
                };
                let done = with_source(&source, &options, &watch.progress, |store| {
                    f(&prepare(
                        store,
                        request,
                        self.run.max_identities,
                        &watch.progress,
                    )?)
                });
                drop(watch);
                let (report, done) = done?;
                say_loaded(arguments, &report, self.loading);
                Ok((done, report.bad))
            }
        }
    }
}
