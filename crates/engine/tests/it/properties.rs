//! The engine against the reference, row by row.

use profile_export::{Class, MergePolicy, put_merge_policy};
use proptest::test_runner::{Config, TestRunner};
use serde_json::json;

use crate::generate::{Case, EVENTS, PROFILES, Step, case};
use crate::reference::Reference;
use crate::scratch::{Scratch, sorted};

/// Set to run thousands of cases instead of some hundreds.
const DEEP: &str = "PROFILE_EXPORT_DEEP_TESTS";

#[test]
fn an_export_is_what_the_reference_says() {
    let cases = if std::env::var_os(DEEP).is_some() {
        10_000
    } else {
        300
    };
    let config = Config {
        cases,
        failure_persistence: None,
        ..Config::default()
    };
    TestRunner::new(config)
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
            more["schema"] = json!({"type": "object", "properties": {
                "email": {"type": "object", "properties": {"address": {"type": "string"}}},
                "person": {"type": "object", "properties": {"name": {"type": "object", "properties": {
                    "first": {"type": "string"}}}}},
                "scores": {"meta:xdmType": "map", "additionalProperties": {"type": "number"}},
            }});
        }
        scratch.dataset(id, Class::Profile, more);
        reference.dataset(id, false, declares.then_some(("email.address", "Email")));
    }
    for id in EVENTS {
        let more = json!({"ingestedAtField": "ingestedAt"});
        scratch.dataset(id, Class::Event, more);
        reference.dataset(id, true, None);
    }
    // So that the declared fields are in the union schema whatever the case loads.
    scratch.load(PROFILES[2], &[]).unwrap();
    let policy: MergePolicy = serde_json::from_value(case.policy.clone()).unwrap();
    put_merge_policy(scratch.store.catalog(), policy, 0).unwrap();
    for step in &case.steps {
        match step {
            Step::Load(dataset, records) => {
                scratch.load(dataset, records).unwrap();
                reference.load(dataset, records);
            }
            Step::Compact => {
                scratch.store.compact().unwrap();
            }
        }
    }
    let found = scratch.export(&case.request);
    let expected = reference.export(&case.request, &case.policy);
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.into_iter().zip(expected) {
        assert_eq!(sorted(found), sorted(expected));
    }
}
