//! Profiles by an identity: what an export has of them.

use std::sync::Arc;

use profile_export::platform::{Lookup, Lookups};
use profile_export::store::{Scope, Store};
use profile_export::xdm::{Class, Identity};
use serde_json::{Value, json};

use crate::generate::{Case, EVALUATED, PROFILES, Step, case, runner, store_of};
use crate::reference::{plain_record, tells};
use crate::scratch::{Scratch, batches, request, sorted};

const FIELDS: &str = "identityMap, person, score, tags, segmentMembership";

#[test]
fn a_profile_that_is_looked_up_is_the_row_that_an_export_has() {
    runner(60, 2_000)
        .run(&case(), |case| {
            check(&case);
            Ok(())
        })
        .unwrap();
}

fn check(case: &Case) {
    let scratch = store_of(case);
    let lookups = Lookups::default();
    let lookup = Lookup {
        fields: Some(FIELDS.to_owned()),
        event_fields: None,
        merge_policy: Some("generated".to_owned()),
    };
    let find = |namespace: &str, id: &str| {
        let (namespace, id) = (namespace.to_owned(), id.to_owned());
        lookups
            .find(&scratch.store, &lookup, &Identity { namespace, id })
            .unwrap()
    };
    let plain = |row: Value| sorted(vec![without_nulls(plain_record(&row))]);
    for step in &case.steps {
        match step {
            Step::Load(dataset, _) if *dataset == EVALUATED || *dataset == PROFILES[2] => continue,
            Step::Load(dataset, records) => drop(scratch.load(dataset, records).unwrap()),
            Step::Delete(identity) => drop(scratch.delete(identity)),
            Step::Compact => drop(scratch.store.compact().unwrap()),
        }
        // What is kept from before the step counts no more.
        let _ = find("ECID", "all");
    }
    let all = request(
        json!({"fields": FIELDS, "mergePolicy": {"id": "generated"}, "sinceJob": "last",
        "filter": {"emptyProfiles": true}}),
    );
    let job = scratch.run(&all).unwrap();
    let is_joined = case.policy["identityGraph"]["type"] == "pdg";
    for mut row in batches(&job).remove(0) {
        let object = row.as_object_mut().unwrap();
        object.shift_remove("change").unwrap();
        let own = object.shift_remove("primaryIdentity").unwrap();
        let code = own["namespace"]["code"].as_str().unwrap().to_owned();
        let id = own["id"].as_str().unwrap().to_owned();
        let expected = sorted(vec![without_nulls(row.clone())]);
        let found = find(&code.to_uppercase(), &id).unwrap();
        assert_eq!(plain(found.row), expected, "{code}:{id}");
        assert!(!found.datasets.is_empty() && !found.identities.is_empty());
        if !is_joined {
            continue;
        }
        for (code, items) in row["identityMap"].as_object().into_iter().flatten() {
            for item in items.as_array().unwrap() {
                let Some(id) = item["id"].as_str().filter(|id| tells(id)) else {
                    continue;
                };
                let found = find(code, id).unwrap_or_else(|| panic!("{code}:{id} of {row}"));
                assert_eq!(plain(found.row), expected, "{code}:{id}");
            }
        }
    }
    assert!(find("ECID", "nobody").is_none());
}

pub fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(object) => {
            let kept = object.into_iter().filter(|(_, value)| !value.is_null());
            kept.map(|(key, value)| (key, without_nulls(value)))
                .collect()
        }
        Value::Array(items) => items.into_iter().map(without_nulls).collect(),
        other => other,
    }
}

/// By a graph, an identity is that of live records, also where these don't link their own primary one.
#[test]
fn an_identity_is_whose_live_records_link_it() {
    let scratch = Scratch::new();
    scratch.dataset(PROFILES[0], Class::Profile, json!({}));
    scratch.dataset(
        PROFILES[1],
        Class::Profile,
        json!({"primaryIdentity": "key=Key"}),
    );
    let person = |email: &str| json!({"identityMap": {"CRMID": [{"id": "1", "primary": true}], "Email": [{"id": email}]}, "name": "one"});
    scratch.load(PROFILES[0], &[person("old@x.org")]).unwrap();
    scratch.load(PROFILES[0], &[person("new@x.org")]).unwrap();
    // It links a device with an address, and neither with whose it is.
    let odd = json!({"key": "k", "name": "odd",
        "identityMap": {"ECID": [{"id": "7"}], "Email": [{"id": "new@x.org"}]}});
    scratch.load(PROFILES[1], &[odd]).unwrap();
    let lookup = Lookup {
        merge_policy: Some("timestampOrdered-pdg-mp".to_owned()),
        ..Lookup::default()
    };
    let lookups = Lookups::default();
    let name = |namespace: &str, id: &str| {
        let (namespace, id) = (namespace.to_owned(), id.to_owned());
        let found = lookups
            .find(&scratch.store, &lookup, &Identity { namespace, id })
            .unwrap();
        found.map(|found| found.row["name"].as_str().unwrap().to_owned())
    };
    for compacted in [false, true] {
        if compacted {
            scratch.store.compact().unwrap();
        }
        assert_eq!(name("Email", "new@x.org").as_deref(), Some("one"));
        assert_eq!(name("Email", "old@x.org"), None);
        assert_eq!(name("ECID", "7").as_deref(), Some("one"));
        assert_eq!(name("Key", "k").as_deref(), Some("odd"));
    }
}

#[test]
fn many_look_up_at_once_while_records_come_in() {
    let scratch = Scratch::new();
    scratch.dataset(PROFILES[0], Class::Profile, json!({}));
    let person = |name: &str| json!({"identityMap": {"Email": [{"id": "a@x.org", "primary": true}]}, "name": name});
    scratch.load(PROFILES[0], &[person("first")]).unwrap();
    let lookups = Arc::new(Lookups::default());
    let store = &scratch.store;
    let identity = Identity {
        namespace: "Email".to_owned(),
        id: "a@x.org".to_owned(),
    };
    std::thread::scope(|scope| {
        let readers: Vec<_> = (0..2)
            .map(|_| {
                let (lookups, identity, folder) = (
                    Arc::clone(&lookups),
                    identity.clone(),
                    scratch.folder.path(),
                );
                scope.spawn(move || {
                    let store = Store::open_temporary(folder.join("store"), Scope::default());
                    let store = store.unwrap();
                    for _ in 0..50 {
                        let found = lookups.find(&store, &Lookup::default(), &identity).unwrap();
                        assert!(found.unwrap().row["name"].is_string());
                    }
                })
            })
            .collect();
        for n in 0..10 {
            scratch
                .load(PROFILES[0], &[person(&format!("next {n}"))])
                .unwrap();
        }
        readers
            .into_iter()
            .for_each(|reader| reader.join().unwrap());
    });
    let found = lookups
        .find(store, &Lookup::default(), &identity)
        .unwrap()
        .unwrap();
    assert_eq!(found.row["name"], "next 9");
}
