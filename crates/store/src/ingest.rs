use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use catalog::{Catalog, Kind, NewRun, RunChange};
use decode::{Input, Phase, Progress, ReadOptions, RecordSpec};
use run::Run;
use xdm::{Class, Dataset, Fields, Namespaces, Timestamp};

use crate::Store;
use crate::error::{Result, StoreError};
use crate::load::{LoadSettings, LoadTarget, PendingLoad, load};
use crate::rejects::Rejects;

/// One dataset's share of a load.
#[derive(Clone, Debug)]
pub struct DatasetInputs {
    /// The dataset's ID.
    pub dataset: String,
    /// What is loaded, in order.
    pub inputs: Vec<Input>,
    /// When the records came in, if not now and no field says so.
    pub ingested_at: Option<Timestamp>,
    /// The top-level fields that are stored, beside those that every export needs; all where it is
    /// missing. For stores that are thrown away after one export.
    pub keep: Option<Vec<String>>,
}

/// How records are loaded.
#[derive(Clone, Debug)]
pub struct LoadOptions {
    /// What becomes of bad records.
    pub on_bad_record: OnBadRecord,
    /// The moment of the load: the ingest timestamp where nothing else gives one.
    pub now: Timestamp,
    /// How inputs are read.
    pub read: ReadOptions,
    /// Bytes of columns after which a run is written. A load holds twice as much: while one run is written the
    /// records of the next are decoded.
    pub run_bytes: usize,
    /// Whether runs are merged behind the load where there are many of a size. For stores that are thrown away it
    /// isn't worth it.
    pub merge: bool,
}

/// What becomes of a bad record.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum OnBadRecord {
    /// The whole load fails and the store stays as it was.
    #[default]
    Fail,
    /// The record goes to this file, with its dataset, file, line and reason; the good ones load. Where
    /// all records of a dataset are bad, the load fails all the same.
    Skip {
        /// NDJSON, written anew when the first bad record turns up.
        rejects: PathBuf,
        /// How many bad records are too many.
        limit: BadRecordLimit,
    },
}

/// How many of a load's records may be bad.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum BadRecordLimit {
    /// All but one of each dataset.
    #[default]
    None,
    /// So many.
    Records(u64),
    /// So many of a hundred.
    Percent(f64),
}

impl BadRecordLimit {
    fn allows(self, report: &LoadReport) -> bool {
        match self {
            Self::None => true,
            Self::Records(most) => report.bad <= most,
            Self::Percent(most) => report.bad as f64 * 100.0 <= most * report.read as f64,
        }
    }
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
    /// The places in the store that the records got.
    pub sequences: Range<u64>,
    /// Runs that were merged into larger ones behind it, see [`LoadOptions::merge`].
    pub merged: u64,
    /// Why runs that should have been merged were not. The load holds all the same, and the next one tries again.
    pub not_merged: Option<String>,
}

impl DatasetInputs {
    /// Everything in these inputs, which came in now or when a field says so.
    #[must_use]
    pub fn new(dataset: &str, inputs: Vec<Input>) -> Self {
        Self {
            dataset: dataset.to_owned(),
            inputs,
            ingested_at: None,
            keep: None,
        }
    }
}

impl Default for LoadOptions {
    fn default() -> Self {
        Self {
            on_bad_record: OnBadRecord::default(),
            now: Timestamp::now(),
            read: ReadOptions::default(),
            run_bytes: 80 << 20,
            merge: true,
        }
    }
}

impl Store {
    /// Loads records into datasets, all of them or none.
    ///
    /// # Errors
    /// A bad record (unless they are skipped), an unreadable input, an unknown dataset, a full disk;
    /// then the store is as before.
    pub fn ingest(
        &self,
        loads: &[DatasetInputs],
        options: &LoadOptions,
        progress: &Progress,
    ) -> Result<LoadReport> {
        self.ingest_with(loads, options, progress, |_| Ok(()))
    }

    /// Loads records together with other changes of the catalog, such as to make their datasets: all of
    /// it holds, or nothing. `change` is called twice: before the load, to be taken back, and at its end.
    ///
    /// # Errors
    /// As for [`Store::ingest`]; what `change` returns; a dataset's primary identity or schema is another at the end of the load.
    pub fn ingest_with<E: From<StoreError> + From<catalog::Error>>(
        &self,
        loads: &[DatasetInputs],
        options: &LoadOptions,
        progress: &Progress,
        change: impl Fn(&Catalog) -> Result<(), E>,
    ) -> Result<LoadReport, E> {
        self.ingest_and_tell(loads, options, progress, |catalog, _| change(catalog))
    }

    /// The same for changes that depend on what the load did: `change` gets it at the load's end, and
    /// nothing before it.
    ///
    /// # Errors
    /// As for [`Store::ingest_with`].
    pub fn ingest_and_tell<E: From<StoreError> + From<catalog::Error>>(
        &self,
        loads: &[DatasetInputs],
        options: &LoadOptions,
        progress: &Progress,
        change: impl Fn(&Catalog, Option<&LoadReport>) -> Result<(), E>,
    ) -> Result<LoadReport, E> {
        let lock = self.lock_runs(progress)?;
        let datasets: Vec<Dataset> = self.catalog().rehearse(|catalog| {
            change(catalog, None)?;
            let dataset = |part: &DatasetInputs| {
                let found = catalog.dataset(&part.dataset)?;
                found.ok_or_else(|| catalog::Error::not_found(Kind::Dataset, &part.dataset))
            };
            Ok::<_, E>(loads.iter().map(dataset).collect::<Result<_, _>>()?)
        })?;
        let parts: Vec<_> = loads.iter().zip(datasets).collect();
        progress.begin(Phase::Load);
        let written = self.write_runs(&parts, options, progress);
        let written = written.inspect_err(|_| {
            // What was written is swept now, or at the next load where even that fails.
            let _ = self.sweep_runs(&lock);
        })?;
        // Where this fails the runs stay: it may hold all the same, see `Catalog::change_runs`.
        self.catalog().atomically(|catalog| {
            change(catalog, Some(&written.report))?;
            for (_, dataset) in &parts {
                check_unchanged(catalog, dataset)?;
            }
            catalog.change_runs(&RunChange {
                added: &written.added,
                removed: &[],
                unions: &written.unions,
                namespaces: &written.namespaces,
                next_sequence: written.next_sequence,
            })?;
            Ok::<_, E>(())
        })?;
        let mut report = written.report;
        if options.merge {
            match self.merge_tiers(&lock, progress) {
                Ok(merged) => report.merged = merged,
                Err(reason) => report.not_merged = Some(reason.to_string()),
            }
        }
        self.back_up();
        Ok(report)
    }

    /// Writes the runs of a load, of which the catalog does not know yet.
    fn write_runs(
        &self,
        parts: &[(&DatasetInputs, Dataset)],
        options: &LoadOptions,
        progress: &Progress,
    ) -> Result<WrittenRuns> {
        let snapshot = self.snapshot(None)?;
        // A program that did not note them may have loaded before.
        let mut namespaces = match snapshot.namespaces.codes() {
            [] => snapshot.namespaces_of_runs()?,
            _ => snapshot.namespaces.clone(),
        };
        let mut unions = [snapshot.profile_union, snapshot.event_union];
        let first_sequence = self.catalog().next_sequence()?;
        let mut next_sequence = first_sequence;
        let runs_folder = self.layout().runs();
        let settings = LoadSettings {
            runs: &runs_folder,
            durable: self.is_durable(),
            read: &options.read,
            run_bytes: options.run_bytes,
            progress,
        };
        let mut rejects = Rejects::new(&options.on_bad_record);
        let mut new_runs = NewRuns {
            known: snapshot.runs,
            added: Vec::new(),
            report: LoadReport::default(),
        };
        // The last run of one dataset is written while the next dataset is parsed.
        let mut last: Option<(String, PendingLoad<'_>)> = None;
        for (i, (part, dataset)) in parts.iter().enumerate() {
            if last.as_ref().is_some_and(|(id, _)| *id == dataset.id) {
                // Its events are known to this one.
                new_runs.finish(last.take())?;
            }
            let union = match dataset.class {
                Class::Profile => &mut unions[0],
                Class::Event => &mut unions[1],
            };
            let ingested_at = part.ingested_at.unwrap_or(options.now);
            let mut spec = RecordSpec::new(dataset, union, ingested_at)?;
            if part.ingested_at.is_some() {
                spec.ingested_at_field = None;
            }
            spec.keep = part.keep.clone().map(|mut keep| {
                if dataset.class == Class::Event {
                    // What events are ordered by.
                    keep.extend(["_id".to_owned(), "timestamp".to_owned()]);
                }
                keep
            });
            let target = LoadTarget {
                dataset,
                spec,
                first_sequence: next_sequence,
            };
            let known = new_runs
                .known
                .iter()
                .filter(|run| run.dataset == dataset.id);
            let known: Vec<Arc<Run>> = known.cloned().collect();
            let mut count = 0;
            let (finished, loading) = rayon::join(
                || new_runs.finish(last.take()),
                || {
                    load(
                        &part.inputs,
                        &target,
                        known,
                        &settings,
                        &mut rejects,
                        || {
                            count += 1;
                            format!("{:08}-{i:03}-{count:04}", snapshot.generation + 1)
                        },
                    )
                },
            );
            finished?;
            let loading = loading?;
            next_sequence = loading.next_sequence;
            *union = loading.types.clone();
            for code in &loading.map_keys {
                namespaces.add(code);
            }
            last = Some((dataset.id.clone(), loading));
        }
        new_runs.finish(last)?;
        progress.check()?;
        if self.is_durable() {
            run::sync_folder(&runs_folder)?;
        }
        let [profile, event] = unions;
        rejects.finish()?;
        if let OnBadRecord::Skip { limit, .. } = &options.on_bad_record
            && !limit.allows(&new_runs.report)
        {
            return Err(StoreError::TooManyBad {
                bad: new_runs.report.bad,
                read: new_runs.report.read,
            });
        }
        Ok(WrittenRuns {
            added: new_runs.added,
            unions: [(Class::Profile, profile), (Class::Event, event)],
            namespaces,
            next_sequence,
            report: LoadReport {
                sequences: first_sequence..next_sequence,
                ..new_runs.report
            },
        })
    }
}

/// Checks that records were read by what a dataset says now: loads hold the lock of the runs, and whoever describes datasets does
/// not wait for it.
fn check_unchanged(catalog: &Catalog, read_by: &Dataset) -> Result<(), catalog::Error> {
    // One that was deleted is told by the change of the runs.
    let Some(now) = catalog.dataset(&read_by.id)? else {
        return Ok(());
    };
    let changed = if now.primary_identity != read_by.primary_identity {
        "primary identity"
    } else if now.schema != read_by.schema {
        "schema"
    } else {
        return Ok(());
    };
    Err(catalog::Error::Conflict(format!(
        "the {changed} of dataset {} ({:?}) was changed while its records were read; nothing is loaded, load them again",
        now.id, now.name
    )))
}

/// The runs of a load, on the disk.
struct WrittenRuns {
    added: Vec<NewRun>,
    unions: [(Class, Fields); 2],
    namespaces: Namespaces,
    next_sequence: u64,
    report: LoadReport,
}

/// The runs of an ingest so far.
struct NewRuns {
    /// All runs whose events later parts of the ingest must know.
    known: Vec<Arc<Run>>,
    added: Vec<NewRun>,
    report: LoadReport,
}

impl NewRuns {
    /// Ends the load of a dataset.
    fn finish(&mut self, last: Option<(String, PendingLoad<'_>)>) -> Result<()> {
        let Some((dataset, loading)) = last else {
            return Ok(());
        };
        let loaded = loading.finish()?;
        let (bad, read) = (loaded.report.bad, loaded.report.read);
        if bad > 0 && bad == read {
            return Err(StoreError::TooManyBad { bad, read });
        }
        self.report.read += loaded.report.read;
        self.report.loaded += loaded.report.loaded;
        self.report.dropped += loaded.report.dropped;
        self.report.bad += loaded.report.bad;
        self.known.extend(loaded.opened);
        let runs = loaded.runs.into_iter();
        self.added.extend(runs.map(|(folder, files)| NewRun {
            dataset: dataset.clone(),
            folder,
            files,
        }));
        Ok(())
    }
}
