//! Evaluates segments and writes who is in them: all of it, or nothing.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use catalog::Catalog;
use decode::{Input, Progress};
use export::{ExportRequest, RequestError, ToldPersons};
use merge::MergePolicy;
use run::Snapshot;
use segment::{Segment, schema_of};
use serde_json::Value;
use store::{DatasetInputs, LoadOptions, Store};
use xdm::{Dataset, PersonKey, Timestamp};

use super::changes::{Evaluated, Found, FoundPerson, Names, SegmentCounts};
use super::definitions::{expression_of, has_expression, policy_of_segment};
use super::job::{SegmentJob, SegmentJobTarget, evaluate_segments};
use super::pass::{Audience, Columns, Pass};
use super::spool::Spool;
use crate::error::{Error, Result};
use crate::jobs::while_looking;
use crate::policies::named_policy;
use crate::segments::{policy_of, segments};

/// What an evaluation found.
#[derive(Clone, Debug, Default)]
pub(super) struct Outcome {
    /// For each definition.
    pub(super) counts: Vec<SegmentCounts>,
    /// All profiles, by the merge policy that made them.
    pub(super) profiles: BTreeMap<String, u64>,
    /// Those of them with a general opt-out.
    pub(super) opted_out: BTreeMap<String, u64>,
}

/// What is to be evaluated, and when.
pub(super) struct Evaluation<'a> {
    pub(super) store: &'a Store,
    /// The definitions: objects with an `id` and an `expression`.
    pub(super) definitions: &'a [Value],
    pub(super) now: Timestamp,
    pub(super) progress: &'a Arc<Progress>,
}

/// The definitions of one merge policy, by their numbers.
type OfPolicy = (MergePolicy, Vec<usize>);

impl Evaluation<'_> {
    /// Evaluates, and loads what is found together with the change of the catalog that `end` makes.
    pub(super) fn run(&self, end: impl Fn(&Catalog, &Outcome) -> Result<()>) -> Result<Outcome> {
        let mut spool = Spool::new(self.store)?;
        let done = self.evaluate(&mut spool, end);
        // What can't be deleted now is at the next evaluation: it is no failure of this one.
        let _ = spool.delete();
        done
    }

    fn evaluate(
        &self,
        spool: &mut Spool,
        end: impl Fn(&Catalog, &Outcome) -> Result<()>,
    ) -> Result<Outcome> {
        let dataset = self
            .store
            .catalog()
            .dataset(Dataset::EVALUATED_MEMBERSHIPS)?;
        let snapshot = self.store.snapshot(None)?;
        let outcome = self.find(&snapshot, spool)?;
        self.load(spool, (dataset, after_all(&snapshot)?), &outcome, end)?;
        Ok(outcome)
    }

    fn find(&self, snapshot: &Snapshot, spool: &mut Spool) -> Result<Outcome> {
        let catalog = self.store.catalog();
        let schema = schema_of(&snapshot.profile_union, &snapshot.event_union);
        // What has no expression any more is never evaluated again.
        let known = segments(catalog)?;
        let known = known.iter().filter(|one| has_expression(one));
        let mut names = Names::new(known.filter_map(id_of));
        let (mut audiences, mut numbers) = (Vec::new(), Vec::new());
        let mut of_policies: Vec<OfPolicy> = Vec::new();
        for (i, definition) in self.definitions.iter().enumerate() {
            let id = id_of(definition).ok_or_else(|| {
                RequestError::new("id", "missing: a segment that is evaluated has one")
            })?;
            let refused = |problem: String| {
                Error::Request(RequestError::new(format!("segment {id}"), problem))
            };
            let expression =
                expression_of(definition).map_err(|error| refused(error.to_string()))?;
            let checked = expression.check(&schema);
            let checked = checked.map_err(|error| refused(error.to_string()))?;
            let segment = Segment::new(id.clone(), checked);
            audiences.push(Audience::of_definition(segment, definition));
            numbers.push(names.number(id));
            let version = definition
                .pointer("/mergePolicy/version")
                .and_then(Value::as_i64);
            let policy = match (policy_of(definition), version) {
                (Some(id), Some(_)) => named_policy(catalog, id, version, "mergePolicy")?,
                _ => policy_of_segment(catalog, None, Some(definition))?,
            };
            match of_policies.iter_mut().find(|(other, _)| *other == policy) {
                Some((_, own)) => own.push(i),
                None => of_policies.push((policy, vec![i])),
            }
        }
        let mut outcome = Outcome {
            counts: vec![SegmentCounts::default(); self.definitions.len()],
            ..Outcome::default()
        };
        // What passes before the last one found, each by its own merge policy.
        let mut found = Found::new();
        let last = of_policies.len().saturating_sub(1);
        for (pass, (policy, own)) in of_policies.into_iter().enumerate() {
            let evaluated = Evaluated {
                names: &names,
                segments: &own.iter().map(|i| numbers[*i]).collect::<Vec<_>>(),
                now: self.now,
            };
            let columns = Columns {
                identities: true,
                event_keys: false,
                persons: ToldPersons::Memberships,
            };
            let id = policy.id.clone();
            let audiences = own.iter().map(|i| audiences[*i].clone()).collect();
            let (store, now, progress) = (self.store, self.now, self.progress);
            let one = Pass::new(store, snapshot, policy, audiences, now, columns, progress)?;
            let results = Mutex::new(PassResults::default());
            let sink = Mutex::new(&mut *spool);
            one.run(|chunk| {
                let changes = evaluated.changes(&chunk, &found)?;
                let mut results = results.lock().unwrap_or_else(PoisonError::into_inner);
                results.profiles += chunk.rows.num_rows() as u64;
                results.opted_out += chunk.opted_out;
                results.counts.resize(own.len(), SegmentCounts::default());
                for (total, counts) in results.counts.iter_mut().zip(&changes.counts) {
                    total.add(counts);
                }
                if pass < last {
                    results.found.extend(by_key(changes.persons));
                    return Ok(true);
                }
                if !found.is_empty() {
                    let written = changes.persons.iter().map(key_of);
                    results.written.extend(written);
                }
                drop(results);
                let mut sink = sink.lock().unwrap_or_else(PoisonError::into_inner);
                sink.push(&changes.persons, &names)?;
                Ok(true)
            })?;
            let results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
            for (i, counts) in own.iter().zip(results.counts) {
                outcome.counts[*i] = counts;
            }
            outcome.profiles.insert(id.clone(), results.profiles);
            outcome.opted_out.insert(id, results.opted_out);
            found.extend(results.found);
            found.retain(|key, _| !results.written.contains(key));
        }
        let rest: Vec<FoundPerson> = found.into_values().collect();
        for some in rest.chunks(4096) {
            spool.push(some, &names)?;
        }
        Ok(outcome)
    }

    fn load(
        &self,
        spool: &mut Spool,
        (before, written_at): (Option<Dataset>, Timestamp),
        outcome: &Outcome,
        end: impl Fn(&Catalog, &Outcome) -> Result<()>,
    ) -> Result<()> {
        let made = |dataset: &Option<Dataset>| dataset.as_ref().map(|dataset| dataset.created);
        let as_before = |catalog: &Catalog| {
            let found = catalog.dataset(Dataset::EVALUATED_MEMBERSHIPS)?;
            if made(&found) != made(&before) {
                let problem = "the memberships that the evaluation began with were deleted meanwhile: evaluate again";
                return Err(catalog::Error::Conflict(problem.to_owned()).into());
            }
            Ok::<_, Error>(found)
        };
        let Some(file) = spool.finish()? else {
            return self.store.catalog().atomically(|catalog| {
                as_before(catalog)?;
                end(catalog, outcome)
            });
        };
        let mut inputs =
            DatasetInputs::new(Dataset::EVALUATED_MEMBERSHIPS, vec![Input::File(file)]);
        inputs.ingested_at = Some(written_at);
        let change = |catalog: &Catalog, report: Option<&store::LoadReport>| {
            if as_before(catalog)?.is_none() {
                let mut dataset = Dataset::evaluated_memberships();
                dataset.created = written_at;
                if catalog.dataset(&dataset.name)?.is_some() {
                    // Somebody has a dataset of that name.
                    dataset.name = format!("{} ({})", dataset.name, dataset.id);
                }
                catalog.create_dataset(dataset)?;
            }
            match report {
                None => Ok(()),
                Some(_) => end(catalog, outcome),
            }
        };
        let options = LoadOptions::default();
        let store = self.store;
        store.ingest_and_tell(&[inputs], &options, self.progress, change)?;
        Ok(())
    }
}

/// A moment behind all that earlier evaluations wrote, whatever the clock says: what is found now stands.
fn after_all(snapshot: &Snapshot) -> Result<Timestamp> {
    let mut latest = Timestamp::now();
    let runs = snapshot.runs.iter();
    for run in runs.filter(|run| run.dataset == Dataset::EVALUATED_MEMBERSHIPS) {
        for batch in 0..run.batch_count() as u32 {
            let times = run.batch_ingest_times(batch).map_err(export::Error::from)?;
            let last = times.iter().copied().max().unwrap_or(i64::MIN);
            latest = latest.max(Timestamp::from_micros(last.saturating_add(1)));
        }
    }
    Ok(latest)
}

#[derive(Default)]
struct PassResults {
    profiles: u64,
    opted_out: u64,
    counts: Vec<SegmentCounts>,
    found: Found,
    /// Of those that were found before, who was written now.
    written: HashSet<PersonKey>,
}

fn key_of(person: &FoundPerson) -> PersonKey {
    PersonKey::of(&person.namespace, &person.id)
}

fn by_key(persons: Vec<FoundPerson>) -> impl Iterator<Item = (PersonKey, FoundPerson)> {
    persons.into_iter().map(|person| (key_of(&person), person))
}

pub(crate) fn id_of(definition: &Value) -> Option<String> {
    let id = definition.get("id")?.as_str()?;
    Some(id.to_owned())
}

/// Evaluates the segments of an export's filter, all where it names none, if the request asks for it
/// (`evaluationInfo.segmentation`).
///
/// # Errors
/// A segment that has no definition, or one that can't be evaluated; then no membership has changed.
pub(crate) fn evaluate_for(
    store: &Store,
    request: &ExportRequest,
    progress: &Arc<Progress>,
) -> Result<Option<SegmentJob>> {
    if !request.evaluates_segments() {
        return Ok(None);
    }
    let target = SegmentJobTarget::of_request(request);
    // What it counts is not the export's.
    let own = Arc::new(Progress::default());
    let look = || {
        if progress.is_cancelled() {
            own.cancel();
        }
    };
    let work = || evaluate_segments(store, &target, Timestamp::now(), &own);
    while_looking(look, work).map(Some)
}
