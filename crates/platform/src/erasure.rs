//! Deleting what is known of somebody: their records, or all that a store holds of them.

use std::collections::BTreeMap;
use std::path::PathBuf;

use catalog::{Batch, BatchQuery, JobQuery, PinnedPlan, Scope};
use decode::Progress;
use export::RequestError;
use merge::IdentityGraphType;
use serde::Serialize;
use store::{
    DeletedRecords, GoneReport, RecordSelection, Sought, Store, StoreError, remove_folder,
};
use xdm::{Class, Identity, is_identity};

use crate::access::{Lookup, Lookups};
use crate::error::Result;
use crate::jobs::{Job, forget_job, sweep};
use crate::policies::named_policy;

/// Records that were deleted of somebody.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DeletedProfile {
    /// The identities whose records they were.
    pub identities: Vec<String>,
    /// The records by dataset.
    pub datasets: Vec<DeletedRecords>,
    /// How many runs were written anew.
    pub runs: u64,
}

/// Deletes the records that bear an identity, as the primary one or in `identityMap`, of one class or of both. With a
/// merge policy that has an identity graph those of all the profile's identities go.
///
/// # Errors
/// An id that is nobody's, a merge policy that there isn't, a damaged store, a full disk; then nothing is deleted.
pub fn delete_profile(
    store: &Store,
    identity: &Identity,
    class: Option<Class>,
    merge_policy: Option<&str>,
    progress: &Progress,
) -> Result<DeletedProfile> {
    // What an evaluation read before would be loaded behind it.
    let _evaluation = store.lock_evaluations(progress)?;
    let identities = linked(store, identity, merge_policy, progress)?;
    delete_of(store, &identities, class, &[], progress)
}

/// What an erasure tells while it is at work, of what nobody knows any more should it be broken off.
#[derive(Clone, Copy, Debug)]
pub enum Told<'a> {
    /// Whose records go, and with a merge policy the other identities that these bear, which are looked for, too.
    Identities(&'a [Identity]),
    /// Files of a job that were given out and hold an id, or may: the job is forgotten next, and with it where they are.
    GivenOut(i64, &'a [String]),
}

/// A job of another organisation or sandbox.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OtherJob {
    /// Its ID.
    pub id: i64,
    /// Its organisation.
    pub org: String,
    /// Its sandbox.
    pub sandbox: String,
}

/// What an erasure took, and what it could not take.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Erasure {
    /// The records.
    #[serde(flatten)]
    pub profile: DeletedProfile,
    /// The IDs of the export batches that held one of the ids: they are deleted, files and states.
    pub batches: Vec<String>,
    /// The finished jobs whose objects held one: they are forgotten.
    pub jobs: Vec<i64>,
    /// Files of batches that were given out and hold one: they are not the store's, and stay.
    pub given_out: Vec<PathBuf>,
    /// Files that were given out and can't be read, and why: whether they hold one is not known.
    pub given_out_unread: Vec<String>,
    /// Files that were given out and are not there to be looked at, each with its batch; of a batch that has none left
    /// its folder.
    pub moved: Vec<String>,
    /// What of the store's files holds one still, or can't be looked at; and what of the erasure failed behind the
    /// records.
    pub remaining: GoneReport,
    /// Jobs that wait or run and read the store as it was before.
    pub open_jobs: Vec<i64>,
    /// Those of other organisations and sandboxes, which keep the old runs on the disk.
    pub other_jobs: Vec<OtherJob>,
    /// Plans of exports in shards, of any organisation and sandbox, that keep them, too.
    pub plans: Vec<PinnedPlan>,
}

/// Erases somebody from a store: their records as [`delete_profile`] does; the export batches that hold the id, with
/// what later jobs would be told since them, and finished jobs that name it; what was read back of all that in the
/// catalog's file, in its journal and copies. Then every file of the store is looked at.
///
/// An erasure that was broken off is ended by the next one of the same identities.
///
/// # Errors
/// As for [`delete_profile`]; `progress` was cancelled. What remains or failed behind the records is no error:
/// [`Erasure::remaining`] says it, beside all that was done.
pub fn erase(
    store: &Store,
    identity: &Identity,
    merge_policy: Option<&str>,
    mut tell: impl FnMut(Told<'_>),
    progress: &Progress,
) -> Result<Erasure> {
    // As above; what one left behind that was killed goes, too.
    let _evaluation = store.lock_evaluations(progress)?;
    sweep(store)?;
    remove_folder(&store.layout().evaluation())?;
    let identities = linked(store, identity, merge_policy, progress)?;
    // Whoever asks for the whole profile asks for what it was linked by, too, which may be nobody's primary identity.
    let mut sought = identities.clone();
    if has_graph(store, merge_policy)? {
        let beside = store.identities_beside(&identities, progress)?.into_iter();
        sought.extend(beside.filter(|it| !is_among(&identities, it)));
    }
    tell(Told::Identities(&sought));
    let values: Vec<Sought> = sought.iter().map(|it| Sought::new(&it.id)).collect();
    let profile = delete_of(store, &identities, None, &values, progress)?;
    let mut erasure = Erasure {
        profile,
        batches: Vec::new(),
        jobs: Vec::new(),
        given_out: Vec::new(),
        given_out_unread: Vec::new(),
        moved: Vec::new(),
        remaining: GoneReport::default(),
        open_jobs: Vec::new(),
        other_jobs: Vec::new(),
        plans: Vec::new(),
    };
    // The records are gone: what fails now must not hide what was done, nor keep the rest from being done.
    let mut outside = BTreeMap::new();
    let taken = erasure.take_batches(store, &values, &mut outside, progress);
    erasure.note("export batches can't all be deleted", taken)?;
    let taken = erasure.take_jobs(store, &values, &outside, &mut tell);
    erasure.note("jobs can't all be forgotten", taken)?;
    let named = erasure.name_readers(store);
    erasure.note("who reads the store as it was can't be told", named)?;
    let purged = store.purge_catalog();
    erasure.note(
        "the catalog's file can't be written anew",
        purged.map_err(Into::into),
    )?;
    match store.verify_gone(&values, progress) {
        Ok(found) => {
            let failed = std::mem::replace(&mut erasure.remaining, found).unread;
            erasure.remaining.unread.extend(failed);
        }
        Err(error) => erasure.note("the store's files can't be looked at", Err(error.into()))?,
    }
    Ok(erasure)
}

/// By jobs the files of theirs that lie outside of the store, and hold a value or may.
type Outside = BTreeMap<i64, Vec<String>>;

impl Erasure {
    /// Notes what failed; that somebody cancelled is no failure.
    fn note(&mut self, what: &str, done: Result<()>) -> Result<()> {
        match done {
            Err(error) if !error.is_cancelled() => {
                self.remaining.unread.push(format!("{what}: {error}"));
                Ok(())
            }
            done => done,
        }
    }

    /// Deletes the batches of jobs that hold a value.
    fn take_batches(
        &mut self,
        store: &Store,
        values: &[Sought],
        outside: &mut Outside,
        progress: &Progress,
    ) -> Result<()> {
        let batches = store.catalog().batches(&BatchQuery::default())?;
        for batch in batches.into_iter().filter(|batch| !batch.came_in()) {
            let folder = store.batch_folder(&batch);
            let files = batch.files.iter().map(|file| folder.join(&file.name));
            let files: Vec<PathBuf> = files.collect();
            if batch.outside().is_some() {
                let told = self.look_outside(store, &batch, files, values, progress)?;
                if let Some(job) = batch.job_id.filter(|_| !told.is_empty()) {
                    outside.entry(job).or_default().extend(told);
                }
                // What it had of whom is the store's all the same.
                self.take_state(store, &batch, values, progress)?;
                continue;
            }
            let found = store.look_for(values, files, progress)?;
            let holds = !found.holding.is_empty() || found_in_text(&batch, values);
            if holds || self.state_holds(store, &batch, values, progress)? {
                store.delete_batch(&batch.id)?;
                remove_folder(&store.layout().state(&batch.id))?;
                self.batches.push(batch.id);
            }
        }
        Ok(())
    }

    /// Looks at the files of a batch that was given out; returns those that hold a value, or may.
    fn look_outside(
        &mut self,
        store: &Store,
        batch: &Batch,
        files: Vec<PathBuf>,
        values: &[Sought],
        progress: &Progress,
    ) -> Result<Vec<String>> {
        let (mut there, mut missing, mut told) = (Vec::new(), Vec::new(), Vec::new());
        for file in files {
            match file.try_exists() {
                Ok(true) => there.push(file),
                Ok(false) => missing.push(format!("batch {}: {}", batch.id, file.display())),
                Err(error) => told.push(format!("{}: {error}", file.display())),
            }
        }
        if there.is_empty() && told.is_empty() {
            let folder = store.batch_folder(batch);
            missing = vec![format!("batch {}: {}", batch.id, folder.display())];
        }
        let found = store.look_for(values, there, progress)?;
        told.extend(found.unread);
        self.given_out_unread.extend(told.iter().cloned());
        told.extend(missing.iter().cloned());
        self.moved.extend(missing);
        told.extend(found.holding.iter().map(|file| file.display().to_string()));
        self.given_out.extend(found.holding);
        Ok(told)
    }

    /// Deletes what a batch outside of the store had of whom, where that holds a value.
    fn take_state(
        &self,
        store: &Store,
        batch: &Batch,
        values: &[Sought],
        progress: &Progress,
    ) -> Result<()> {
        if self.state_holds(store, batch, values, progress)? {
            remove_folder(&store.layout().state(&batch.id))?;
        }
        Ok(())
    }

    fn state_holds(
        &self,
        store: &Store,
        batch: &Batch,
        values: &[Sought],
        progress: &Progress,
    ) -> Result<bool> {
        let folder = store.layout().state(&batch.id);
        let Ok(entries) = folder.read_dir() else {
            return Ok(false);
        };
        let files = entries.map(|entry| Ok(entry?.path()));
        let files: std::io::Result<Vec<PathBuf>> = files.collect();
        let files = files.map_err(StoreError::io(&folder))?;
        Ok(!(store.look_for(values, files, progress)?.holding).is_empty())
    }

    /// Names who reads the store as it was before, and keeps the old runs on the disk.
    fn name_readers(&mut self, store: &Store) -> Result<()> {
        let catalog = store.catalog();
        let generation = catalog.generation()?;
        for (Scope { org, sandbox }, id) in catalog.open_jobs_before(generation)? {
            let own = catalog.scope();
            if (&own.org, &own.sandbox) == (&org, &sandbox) {
                self.open_jobs.push(id);
            } else {
                self.other_jobs.push(OtherJob { id, org, sandbox });
            }
        }
        self.plans = catalog.plans_before(generation)?;
        Ok(())
    }

    /// Forgets the finished jobs that hold a value.
    fn take_jobs(
        &mut self,
        store: &Store,
        values: &[Sought],
        outside: &Outside,
        tell: &mut impl FnMut(Told<'_>),
    ) -> Result<()> {
        for record in store.catalog().jobs(&JobQuery::default())? {
            if !record.status.is_final() {
                continue;
            }
            let job = Job::of(&record)?;
            let texts = [&record.body, &record.request, &record.policy];
            let texts = texts.map(|document| serde_json::to_string(document.value()));
            let holds = |text: &String| values.iter().any(|value| value.is_in(text));
            if texts.iter().flatten().any(holds) {
                if let Some(files) = outside.get(&job.id) {
                    tell(Told::GivenOut(job.id, files));
                }
                forget_job(store, &job)?;
                self.jobs.push(job.id);
            }
        }
        Ok(())
    }
}

fn found_in_text(batch: &Batch, values: &[Sought]) -> bool {
    let text = serde_json::to_string(batch);
    text.is_ok_and(|text| values.iter().any(|value| value.is_in(&text)))
}

fn delete_of(
    store: &Store,
    identities: &[Identity],
    class: Option<Class>,
    values: &[Sought],
    progress: &Progress,
) -> Result<DeletedProfile> {
    let selection = RecordSelection::Bearing { identities, class };
    let deleted = store.delete_records(&selection, values, progress)?;
    Ok(DeletedProfile {
        identities: identities.iter().map(ToString::to_string).collect(),
        datasets: deleted.datasets,
        runs: deleted.runs,
    })
}

/// The identity, and with a merge policy that has an identity graph the primary ones of the whole profile.
fn linked(
    store: &Store,
    identity: &Identity,
    merge_policy: Option<&str>,
    progress: &Progress,
) -> Result<Vec<Identity>> {
    if !is_identity(&identity.id, &[]) {
        let problem = format!(
            "found {identity}: {:?} is a placeholder, nobody's id",
            identity.id
        );
        return Err(RequestError::new("identity", problem).into());
    }
    let mut identities = vec![identity.clone()];
    let Some(policy) = merge_policy else {
        return Ok(identities);
    };
    let lookup = Lookup {
        merge_policy: Some(policy.to_owned()),
        ..Lookup::default()
    };
    let found = Lookups::default().find(store, &lookup, identity, progress)?;
    for (namespace, id) in found.into_iter().flat_map(|found| found.identities) {
        let identity = Identity { namespace, id };
        if !is_among(&identities, &identity) {
            identities.push(identity);
        }
    }
    Ok(identities)
}

fn has_graph(store: &Store, merge_policy: Option<&str>) -> Result<bool> {
    let Some(id) = merge_policy else {
        return Ok(false);
    };
    let policy = named_policy(store.catalog(), id, None, "mergePolicyId")?;
    Ok(policy.identity_graph.kind != IdentityGraphType::None)
}

fn is_among(identities: &[Identity], one: &Identity) -> bool {
    let is_it =
        |it: &Identity| it.id == one.id && it.namespace.eq_ignore_ascii_case(&one.namespace);
    identities.iter().any(is_it)
}
