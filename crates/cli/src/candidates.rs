//! What a shell may offer for values: what the store has.

use std::env;
use std::ffi::OsString;
use std::path::PathBuf;

use clap_complete::engine::CompletionCandidate;
use profile_export::jobs::{JobPage, list_jobs};
use profile_export::platform::{merge_policies, segments as list_segments};
use profile_export::store::{Scope, Store};
use serde_json::Value;

use crate::settings::Settings;

/// Jobs that are offered.
const MOST_JOBS: u32 = 50;

/// Segments by their IDs, with their names; those that records name without a definition, too.
pub fn segments() -> Vec<CompletionCandidate> {
    from_store(|store| {
        let mut known: Vec<(String, String)> = Vec::new();
        for segment in list_segments(store.catalog()).ok()? {
            let text = |name: &str| {
                segment
                    .get(name)
                    .and_then(Value::as_str)
                    .unwrap_or_default()
            };
            known.push((text("id").to_owned(), text("name").to_owned()));
        }
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

/// The statuses of memberships.
pub fn statuses() -> Vec<CompletionCandidate> {
    let words = ["realized", "existing", "exited"];
    words.into_iter().map(CompletionCandidate::new).collect()
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
