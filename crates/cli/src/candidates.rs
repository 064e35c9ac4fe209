//! What a shell may offer for values: what the store has.

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use clap_complete::engine::CompletionCandidate;
use profile_export::export::UnionSchemas;
use profile_export::jobs::{JobPage, JobStatus, list_jobs};
use profile_export::platform::{merge_policies, segments as list_segments};
use profile_export::store::{Batch, BatchQuery, Scope, Store};
use profile_export::xdm::{FieldType, Fields, quote_part};
use serde_json::Value;

use crate::settings::Settings;

/// Jobs that are offered.
const MOST_JOBS: u32 = 50;
/// Batches that are offered.
const MOST_BATCHES: u32 = 50;
/// The namespace of evaluated segments.
const EVALUATED: &str = "ups";

/// Segments by their IDs, with their names; those that records name without a definition, too.
pub fn segments() -> Vec<CompletionCandidate> {
    from_store(|store| {
        let mut known: Vec<(String, String)> = defined(store)?.collect();
        for run in store.snapshot(None).ok()?.runs {
            for (namespace, id) in run.segments().ok()? {
                if !known.iter().any(|(known, _)| known == id) {
                    known.push((id.to_owned(), format!("a segment of {namespace}")));
                }
            }
        }
        Some(known)
    })
}

/// Definitions by their IDs, with their names.
fn defined(store: &Store) -> Option<impl Iterator<Item = (String, String)>> {
    let segments = list_segments(store.catalog()).ok()?.into_iter();
    Some(segments.map(|segment| {
        let text = |name: &str| segment.get(name).and_then(Value::as_str);
        let text = |name: &str| text(name).unwrap_or_default().to_owned();
        (text("id"), text("name"))
    }))
}

/// What may be got, replaced or deleted: segments that are defined, or merge policies, whichever the line is about.
pub fn documents() -> Vec<CompletionCandidate> {
    let mut words = env::args_os();
    match words.find(|word| word == "segments" || word == "merge-policies") {
        Some(word) if word == "merge-policies" => policies(),
        _ => from_store(|store| Some(defined(store)?.collect())),
    }
}

/// The namespaces of segments that records name, and that of evaluated ones.
pub fn segment_namespaces() -> Vec<CompletionCandidate> {
    from_store(|store| {
        let mut known = BTreeSet::from([EVALUATED.to_owned()]);
        for run in store.snapshot(None).ok()?.runs {
            let segments = run.segments().ok()?;
            known.extend(
                segments
                    .into_iter()
                    .map(|(namespace, _)| namespace.to_owned()),
            );
        }
        Some(known.into_iter().map(without_help).collect())
    })
}

/// Fields of profiles, a level at a time: the last of a list with commas between.
pub fn fields(typed: &OsStr) -> Vec<CompletionCandidate> {
    paths(typed, |unions| unions.profile)
}

/// Fields of events, in the same way.
pub fn event_fields(typed: &OsStr) -> Vec<CompletionCandidate> {
    paths(typed, |unions| unions.event)
}

fn paths(typed: &OsStr, of: fn(UnionSchemas) -> Fields) -> Vec<CompletionCandidate> {
    let Some(typed) = typed.to_str() else {
        return Vec::new();
    };
    let (before, last) = typed.split_at(typed.rfind(',').map_or(0, |comma| comma + 1));
    from_store(|store| {
        let fields = of(UnionSchemas::from(&store.snapshot(None).ok()?));
        let mut found = Vec::new();
        add_next_level(&fields, "", last, &mut found);
        let found = found.into_iter();
        Some(
            found
                .map(|(path, help)| (format!("{before}{path}"), help))
                .collect(),
        )
    })
}

/// The paths that begin as it is typed, and of what is typed whole what is in it.
fn add_next_level(fields: &Fields, parent: &str, typed: &str, found: &mut Vec<(String, String)>) {
    for (name, ty) in fields.iter() {
        let path = format!("{parent}{}", quote_part(name));
        let inner = inside(ty);
        if path.starts_with(typed) {
            let help = if inner.is_some() { "object" } else { "" };
            found.push((path, help.to_owned()));
        } else if let Some(inner) = inner
            && typed
                .strip_prefix(&path)
                .is_some_and(|rest| rest.starts_with('.'))
        {
            add_next_level(inner, &format!("{path}."), typed, found);
        }
    }
}

/// The fields of an object, or of those in a list.
fn inside(ty: &FieldType) -> Option<&Fields> {
    match ty {
        FieldType::Object(fields) => Some(fields),
        FieldType::List(item) => inside(item),
        _ => None,
    }
}

/// Organisations that have something.
pub fn orgs() -> Vec<CompletionCandidate> {
    from_store(|store| {
        let scopes = store.catalog().scopes().ok()?.into_iter();
        let orgs: BTreeSet<String> = scopes.map(|scope| scope.org).collect();
        Some(orgs.into_iter().map(without_help).collect())
    })
}

/// Sandboxes that have something: those of the organisation that the line names, if it names one.
pub fn sandboxes() -> Vec<CompletionCandidate> {
    from_store(|store| {
        let org = flag("org").and_then(|word| word.into_string().ok());
        let scopes = store.catalog().scopes().ok()?.into_iter();
        let scopes = scopes.filter(|scope| org.as_ref().is_none_or(|org| scope.org == *org));
        let found: BTreeMap<String, String> =
            scopes.map(|scope| (scope.sandbox, scope.org)).collect();
        Some(found.into_iter().collect())
    })
}

/// Batches by their IDs, newest first.
pub fn batches() -> Vec<CompletionCandidate> {
    from_store(|store| {
        let query = BatchQuery {
            limit: Some(MOST_BATCHES),
            ..BatchQuery::default()
        };
        let batches = store.catalog().batches(&query).ok()?.into_iter();
        let told = |batch: &Batch| format!("{}, {}", batch.status, batch.created);
        Some(
            batches
                .map(|batch| (batch.id.clone(), told(&batch)))
                .collect(),
        )
    })
}

/// Datasets by their names.
pub fn datasets() -> Vec<CompletionCandidate> {
    from_store(|store| {
        let datasets = store.catalog().datasets().ok()?;
        Some(
            datasets
                .into_iter()
                .map(|dataset| (dataset.name, dataset.id))
                .collect(),
        )
    })
}

/// Merge policies by their IDs.
pub fn policies() -> Vec<CompletionCandidate> {
    from_store(|store| {
        let policies = merge_policies(store.catalog()).ok()?;
        Some(
            policies
                .into_iter()
                .map(|policy| (policy.id, policy.name))
                .collect(),
        )
    })
}

/// The newest jobs.
pub fn jobs() -> Vec<CompletionCandidate> {
    from_store(|store| {
        let page = JobPage {
            limit: Some(MOST_JOBS),
            ..JobPage::default()
        };
        let jobs = list_jobs(store, &page).ok()?.records;
        let told =
            |status: &dyn std::fmt::Display, at: &dyn std::fmt::Display| format!("{status}, {at}");
        let jobs = jobs.iter();
        Some(
            jobs.map(|job| (job.id.to_string(), told(&job.status, &job.creation_time)))
                .collect(),
        )
    })
}

/// The newest jobs, and the word for the latest of the same request.
pub fn since_jobs() -> Vec<CompletionCandidate> {
    let last = CompletionCandidate::new("last");
    let last = last.help(Some("the newest that succeeded".into()));
    std::iter::once(last).chain(jobs()).collect()
}

/// The states of jobs.
pub fn job_statuses() -> Vec<CompletionCandidate> {
    let words = JobStatus::ALL.iter().map(|status| status.word());
    words.map(CompletionCandidate::new).collect()
}

/// What jobs are sorted by.
pub fn job_orders() -> Vec<CompletionCandidate> {
    let words = [
        "createdTime:asc",
        "createdTime:desc",
        "updateTime:asc",
        "updateTime:desc",
    ];
    words.into_iter().map(CompletionCandidate::new).collect()
}

/// The statuses of memberships.
pub fn statuses() -> Vec<CompletionCandidate> {
    let words = ["realized", "existing", "exited"];
    words.into_iter().map(CompletionCandidate::new).collect()
}

fn without_help(word: String) -> (String, String) {
    (word, String::new())
}

/// Where there is no store, or it can't be read, nothing is offered: a shell has no place for errors.
fn from_store(
    known: impl FnOnce(&Store) -> Option<Vec<(String, String)>>,
) -> Vec<CompletionCandidate> {
    let settings = Settings::load().unwrap_or_default();
    let store = flag("store")
        .map(PathBuf::from)
        .or_else(|| settings.store());
    let Some(folder) = store.filter(|store| store.join("catalog.sqlite").is_file()) else {
        return Vec::new();
    };
    let of = settings.scope();
    let text = |name: &str| flag(name).and_then(|word| word.into_string().ok());
    let scope = Scope {
        org: text("org").unwrap_or(of.org),
        sandbox: text("sandbox").unwrap_or(of.sandbox),
    };
    let store = Store::open(folder, scope).ok();
    let known = store.and_then(|store| known(&store)).unwrap_or_default();
    let known = known.into_iter().map(|(word, help)| {
        CompletionCandidate::new(word).help((!help.is_empty()).then(|| help.into()))
    });
    known.collect()
}

/// The value of an option in the line that is being completed.
fn flag(name: &str) -> Option<OsString> {
    let mut words = env::args_os();
    let long = format!("--{name}");
    while let Some(word) = words.next() {
        if word == *long {
            return words.next();
        }
        let with_value = word
            .to_str()
            .and_then(|word| word.strip_prefix(&long)?.strip_prefix('='));
        if let Some(value) = with_value {
            return Some(value.into());
        }
    }
    None
}
