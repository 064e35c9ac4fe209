//! The engine against the reference, row by row.

use std::fs;
use std::sync::Arc;

use profile_export::jobs::{FolderExport, RunOptions, export_folder};
use profile_export::platform::{SourceFolder, put_merge_policy};
use profile_export::request::{ExportRequest, MergePolicy};
use profile_export::store::{LoadOptions, RunLimit};
use profile_export::xdm::{Class, Timestamp};
use serde_json::{Value, json};

use crate::generate::{Case, EVALUATED, EVENTS, PROFILES, Step, case, runner};
use crate::reference::Reference;
use crate::scratch::{Scratch, TARGET, batches, sorted};

#[test]
fn an_export_is_what_the_reference_says() {
    runner(300, 10_000)
        .run(&case(), |case| {
            check(&case);
            Ok(())
        })
        .unwrap();
}

fn check(case: &Case) {
    let scratch = Scratch::new();
    let mut reference = Reference::default();
    let source = scratch.folder.path().join("source");
    let describe = |id: &str, class: Class, more: &Value| {
        let mut description = json!({"id": id, "name": format!("dataset {id}"), "class": class});
        for (key, value) in more.as_object().unwrap() {
            description[key] = value.clone();
        }
        fs::create_dir_all(source.join(id)).unwrap();
        fs::write(
            source.join(id).join("dataset.json"),
            description.to_string(),
        )
        .unwrap();
        fs::write(source.join(id).join("none.ndjson"), "").unwrap();
    };
    for id in PROFILES {
        let declares = id == PROFILES[2];
        let mut more = json!({"ingestedAtField": "ingestedAt"});
        if declares {
            more["primaryIdentity"] = json!("email.address=Email");
            more["schema"] = json!({"type": "object", "properties": {
                "email": {"type": "object", "properties": {"address": {"type": "string"}}},
                "person": {"type": "object", "properties": {"name": {"type": "object", "properties": {
                    "first": {"type": "string"}}}}},
                "scores": {"meta:xdmType": "map", "additionalProperties": {"type": "number"}},
            }});
        }
        describe(id, Class::Profile, &more);
        scratch.dataset(id, Class::Profile, more);
        reference.dataset(id, false, declares.then_some(("email.address", "Email")));
    }
    let more = json!({"ingestedAtField": "ingestedAt"});
    scratch.dataset(EVALUATED, Class::Profile, more);
    reference.dataset(EVALUATED, false, None);
    for id in EVENTS {
        let more = json!({"ingestedAtField": "ingestedAt"});
        describe(id, Class::Event, &more);
        scratch.dataset(id, Class::Event, more);
        reference.dataset(id, true, None);
    }
    // So that the declared fields are in the union schema whatever the case loads.
    scratch.load(PROFILES[2], &[]).unwrap();
    let policy: MergePolicy = serde_json::from_value(case.policy.clone()).unwrap();
    put_merge_policy(scratch.store.catalog(), policy, Timestamp::default()).unwrap();
    for (number, step) in case.steps.iter().enumerate() {
        match step {
            Step::Load(dataset, records) => {
                if *dataset != EVALUATED {
                    let file = source.join(dataset).join(format!("{number:03}.ndjson"));
                    let lines: String =
                        records.iter().map(|record| format!("{record}\n")).collect();
                    fs::write(file, lines).unwrap();
                }
                scratch.load(dataset, records).unwrap();
                reference.load(dataset, records);
            }
            Step::Delete(identity) => {
                scratch.delete(identity);
                reference.delete(&identity.namespace, &identity.id);
            }
            Step::Compact => {
                scratch.store.compact().unwrap();
            }
        }
    }
    let expected: Vec<Vec<String>> = reference
        .export(&case.request, &case.policy)
        .into_iter()
        .map(sorted)
        .collect();
    let found: Vec<Vec<String>> = scratch
        .export(&case.request)
        .into_iter()
        .map(sorted)
        .collect();
    assert_eq!(found, expected);

    if case.steps.len().is_multiple_of(2) {
        let policy = case.policy["id"].as_str().unwrap();
        crate::explain::check(&scratch.store, &case.request, policy);
    }
    if case.steps.len().is_multiple_of(3) {
        check_tiers(case, &scratch, &expected);
    }

    // What a store evaluated, or deleted, is in no folder of sources.
    let is_of_store = |step: &Step| matches!(step, Step::Load(EVALUATED, _) | Step::Delete(_));
    if case.steps.iter().any(is_of_store) {
        return;
    }
    // The same without a store, where only what the request looks at is kept, and datasets come one after the other.
    let loads = case.steps.iter().filter_map(|step| match step {
        Step::Load(dataset, records) => Some((*dataset, records)),
        Step::Delete(_) | Step::Compact => None,
    });
    let mut loads: Vec<_> = loads.collect();
    loads.sort_by_key(|(dataset, _)| *dataset);
    reference.spell_by(loads.into_iter().flat_map(|(_, records)| records));
    let expected = reference.export(&case.request, &case.policy);
    let expected: Vec<Vec<String>> = expected.into_iter().map(sorted).collect();
    fs::write(
        source.join("merge-policies.json"),
        json!([case.policy]).to_string(),
    )
    .unwrap();
    let request = ExportRequest::from_json(case.request.to_string().as_bytes()).unwrap();
    let source = SourceFolder::open(&source).unwrap();
    let options = FolderExport {
        request: &request,
        out: &scratch.folder.path().join("out"),
        load: LoadOptions::default(),
        run: RunOptions::default(),
    };
    let exported = export_folder(&source, &options, &Arc::default());
    let found: Vec<Vec<String>> = batches(&exported.unwrap().1)
        .into_iter()
        .map(sorted)
        .collect();
    assert_eq!(found, expected);
}

/// The same where each record comes by itself, so that runs are merged by themselves, into layers of many small ones.
fn check_tiers(case: &Case, whole: &Scratch, expected: &[Vec<String>]) {
    let tiny = RunLimit {
        persons: 2,
        records: 3,
    };
    let tiers = Scratch::with(|store| store.with_run_limit(tiny));
    for dataset in whole.store.catalog().datasets().unwrap() {
        if dataset.id != TARGET {
            tiers.store.catalog().create_dataset(dataset).unwrap();
        }
    }
    tiers.load(PROFILES[2], &[]).unwrap();
    let policy: MergePolicy = serde_json::from_value(case.policy.clone()).unwrap();
    put_merge_policy(tiers.store.catalog(), policy, Timestamp::default()).unwrap();
    for step in &case.steps {
        match step {
            Step::Load(dataset, records) => {
                for record in records {
                    tiers.load(dataset, std::slice::from_ref(record)).unwrap();
                }
            }
            Step::Delete(identity) => drop(tiers.delete(identity)),
            Step::Compact => {}
        }
    }
    let found: Vec<Vec<String>> = tiers
        .export(&case.request)
        .into_iter()
        .map(sorted)
        .collect();
    assert_eq!(found, *expected);
}
