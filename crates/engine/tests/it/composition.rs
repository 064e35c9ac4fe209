//! What profiles are made of, against the reference.

use std::collections::BTreeSet;
use std::sync::Arc;

use profile_export::export::{Composition, Export, Plan, Progress, UnionSchemas};
use profile_export::platform::{NamedSegment, UNSTITCHED_DAYS, profile_report};
use profile_export::request::{ExportRequest, MergePolicy};
use profile_export::xdm::{Class, Timestamp};
use serde_json::{Value, json};

use crate::generate::{Case, EVALUATED, EVENTS, PROFILES, Step, case, runner};
use crate::reference::{Reference, micros, plain_record};
use crate::scratch::{Scratch, TARGET, request};

/// Within the minute of the generated moments, at its beginning and behind it.
const SINCE: [&str; 4] = [
    "2020-01-01T12:00:00Z",
    "2020-01-01T12:00:07.250001Z",
    "2020-01-01T12:00:15Z",
    "2020-01-01T12:01:00Z",
];

/// An export of identities by a merge policy.
fn export(scratch: &Scratch, policy: &Value, fields: &str) -> Export {
    let policy: MergePolicy = serde_json::from_value(policy.clone()).unwrap();
    let snapshot = scratch.store.snapshot(None).unwrap();
    let unions = UnionSchemas::from(&snapshot);
    // The segments of a filter have no say in it.
    let request: ExportRequest = serde_json::from_value(request(json!({"fields": fields,
        "filter": {"emptyProfiles": true}})))
    .unwrap();
    let plan = Plan::new(&request, policy, &unions).unwrap();
    Export::new(&snapshot, &plan).unwrap()
}

fn composition(scratch: &Scratch, policy: &Value, progress: &Arc<Progress>) -> Composition {
    let export = export(scratch, policy, "identityMap");
    let since = SINCE.map(|text| Timestamp::from_micros(micros(text)));
    let export = export.with_progress(Arc::clone(progress));
    export.composition(&since).unwrap()
}

#[test]
fn profiles_are_made_of_what_the_reference_says() {
    runner(60, 5_000)
        .run(&case(), |case| {
            check(&case);
            Ok(())
        })
        .unwrap();
}

fn check(case: &Case) {
    let scratch = Scratch::new();
    let mut reference = Reference::default();
    for id in PROFILES {
        let declares = id == PROFILES[2];
        let mut more = json!({"ingestedAtField": "ingestedAt"});
        if declares {
            more["primaryIdentity"] = json!("email.address=Email");
        }
        scratch.dataset(id, Class::Profile, more);
        reference.dataset(id, false, declares.then_some(("email.address", "Email")));
    }
    let more = json!({"ingestedAtField": "ingestedAt"});
    scratch.dataset(EVALUATED, Class::Profile, more.clone());
    reference.dataset(EVALUATED, false, None);
    for id in EVENTS {
        scratch.dataset(id, Class::Event, more.clone());
        reference.dataset(id, true, None);
    }
    for step in &case.steps {
        match step {
            Step::Load(dataset, records) => {
                scratch.load(dataset, records).unwrap();
                reference.load(dataset, records);
            }
            Step::Delete(identity) => {
                scratch.delete(identity);
                reference.delete(&identity.namespace, &identity.id);
            }
            Step::Compact => drop(scratch.store.compact().unwrap()),
        }
    }
    let since = SINCE.map(micros);
    assert_eq!(
        composition(&scratch, &case.policy, &Arc::default()),
        reference.composition(&case.policy, &since)
    );
    let unions = scratch.store.snapshot(None).unwrap().profile_union;
    if unions.get("segmentMembership").is_some() {
        let export = export(&scratch, &case.policy, "segmentMembership");
        check_members(&export, &reference, case);
    }
}

/// The members of segments are those that an export of a batch for each status has.
fn check_members(export: &Export, reference: &Reference, case: &Case) {
    let mut named: BTreeSet<NamedSegment> = BTreeSet::new();
    let loaded = case.steps.iter().filter_map(|step| match step {
        Step::Load(_, records) => Some(records),
        Step::Delete(_) | Step::Compact => None,
    });
    for record in loaded.flatten().map(plain_record) {
        for (namespace, segments) in record["segmentMembership"]
            .as_object()
            .into_iter()
            .flatten()
        {
            let ids = segments.as_object().into_iter().flatten().map(|(id, _)| id);
            named.extend(ids.map(|id| (namespace.to_ascii_lowercase(), id.clone())));
        }
    }
    let found = export.members().unwrap();
    let unnamed = found.keys().find(|segment| !named.contains(segment));
    assert_eq!(unnamed, None);
    for (number, status) in ["realized", "existing", "exited"].iter().enumerate() {
        let segments: Vec<Value> = (named.iter())
            .map(|(namespace, id)| json!({"segmentId": id, "segmentNs": namespace, "status": [status]}))
            .collect();
        if segments.is_empty() {
            continue;
        }
        let request = request(
            json!({"fields": "identityMap", "filter": {"segments": segments},
            "destination": {"datasetId": TARGET, "segmentPerBatch": true}}),
        );
        let expected = reference.export(&request, &case.policy);
        for (segment, rows) in named.iter().zip(&expected) {
            let members = found.get(segment).copied().unwrap_or_default();
            let counts = [members.realized, members.existing, members.exited];
            assert_eq!(counts[number], rows.len() as u64, "{segment:?} {status}");
        }
    }
}

/// More than are looked at together.
#[test]
fn all_of_many_profiles_are_counted() {
    let scratch = Scratch::new();
    scratch.dataset(PROFILES[0], Class::Profile, json!({}));
    scratch.dataset(PROFILES[1], Class::Profile, json!({}));
    let person = |i: u32, namespace: &str| json!({"identityMap": {namespace: [{"id": i.to_string(), "primary": true}]}});
    let first: Vec<Value> = (0..9_000).map(|i| person(i, "Email")).collect();
    let second: Vec<Value> = (0..3_000)
        .map(|i| person(3 * i, if i % 3 == 0 { "ECID" } else { "email" }))
        .collect();
    scratch.load(PROFILES[0], &first).unwrap();
    scratch.load(PROFILES[1], &second).unwrap();
    let report = profile_report(&scratch.store, Timestamp::now(), &Arc::default()).unwrap();
    let found = report.composition;
    assert_eq!(
        (found.profiles, found.fragments, found.events),
        (10_000, 12_000, 0)
    );
    let count = |ids: &[&str]| {
        let ids: Vec<String> = ids.iter().map(|id| (*id).to_owned()).collect();
        found.by_datasets[&ids]
    };
    assert_eq!(count(&[PROFILES[0]]), 7_000);
    assert_eq!(count(&[PROFILES[1]]), 1_000);
    assert_eq!(count(&PROFILES[..2]), 2_000);
    assert_eq!(found.fragments_by_namespace["email"], 11_000);
    assert_eq!(found.unstitched[0].profiles, 8_000);
}

#[test]
fn a_report_holds_until_records_the_policy_or_the_day_are_others() {
    let scratch = Scratch::new();
    scratch.dataset(PROFILES[0], Class::Profile, json!({}));
    let of = |id: &str| json!({"identityMap": {"Email": [{"id": id, "primary": true}]}});
    scratch.load(PROFILES[0], &[of("a"), of("b")]).unwrap();
    let catalog = scratch.store.catalog();
    let now = Timestamp::from_micros(micros("2026-05-01T23:00:00Z"));
    let report = profile_report(&scratch.store, now, &Arc::default()).unwrap();
    assert_eq!(report.composition.profiles, 2);
    let of_days: Vec<u64> = (report.composition.unstitched.iter())
        .map(|of_days| of_days.profiles)
        .collect();
    assert_eq!(of_days, [2; UNSTITCHED_DAYS.len()]);
    assert!(report.holds(catalog, now).unwrap());
    let later = Timestamp::from_micros(micros("2026-05-02T00:00:00Z"));
    assert!(!report.holds(catalog, later).unwrap());
    scratch.load(PROFILES[0], &[of("c")]).unwrap();
    assert!(!report.holds(catalog, now).unwrap());
}

#[test]
fn a_count_that_is_cancelled_ends_as_that() {
    let scratch = Scratch::new();
    scratch.dataset(PROFILES[0], Class::Profile, json!({}));
    let record = json!({"identityMap": {"Email": [{"id": "a", "primary": true}]}});
    scratch.load(PROFILES[0], &[record]).unwrap();
    let progress = Arc::new(Progress::default());
    progress.cancel();
    let error = profile_report(&scratch.store, Timestamp::now(), &progress).unwrap_err();
    assert!(error.is_cancelled(), "{error}");
}

/// It takes long where there are many records, and comes before the first of them is counted.
#[test]
fn an_identity_graph_is_not_made_for_work_that_was_cancelled() {
    let scratch = Scratch::new();
    scratch.dataset(PROFILES[0], Class::Profile, json!({}));
    let record =
        json!({"identityMap": {"Email": [{"id": "a", "primary": true}], "ECID": [{"id": "7"}]}});
    scratch.load(PROFILES[0], &[record]).unwrap();
    let snapshot = scratch.store.snapshot(None).unwrap();
    let policy = json!({"name": "p", "schema": {"name": "_xdm.context.profile"}, "default": true,
        "attributeMerge": {"type": "timestampOrdered"}, "identityGraph": {"type": "pdg"}});
    let policy: MergePolicy = serde_json::from_value(policy).unwrap();
    let request: ExportRequest = serde_json::from_value(request(json!({}))).unwrap();
    let plan = Plan::new(&request, policy, &UnionSchemas::from(&snapshot)).unwrap();
    let progress = Arc::new(Progress::default());
    assert!(Export::watched(&snapshot, &plan, Arc::clone(&progress)).is_ok());
    progress.cancel();
    let refused = Export::watched(&snapshot, &plan, progress).err();
    assert!(refused.is_some_and(|error| error.is_cancelled()));
}
