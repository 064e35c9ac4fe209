//! Profiles by an identity: what an export has of them.

use std::sync::Arc;

use profile_export::export::{Export, Plan, Progress, UnionSchemas};
use profile_export::platform::{Lookup, Lookups, identity_namespaces, merge_policies};
use profile_export::request::ExportRequest;
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
            .find(
                &scratch.store,
                &lookup,
                &Identity { namespace, id },
                &Progress::default(),
            )
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
        // What is kept from before the step counts no more: records that were read, indexes of links, open runs.
        for (namespace, id) in linked_identities(step) {
            let _ = find(&namespace, &id);
        }
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

/// The identities in the maps of the records that a step loads.
fn linked_identities(step: &Step) -> Vec<(String, String)> {
    let Step::Load(_, records) = step else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for record in records {
        for (namespace, items) in record["identityMap"].as_object().into_iter().flatten() {
            let items = items.as_array().into_iter().flatten();
            let ids = items.filter_map(|item| item["id"].as_str());
            found.extend(ids.map(|id| (namespace.clone(), id.to_owned())));
        }
    }
    found
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
            .find(
                &scratch.store,
                &lookup,
                &Identity { namespace, id },
                &Progress::default(),
            )
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
                        let found = lookups
                            .find(&store, &Lookup::default(), &identity, &Progress::default())
                            .unwrap();
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
        .find(store, &Lookup::default(), &identity, &Progress::default())
        .unwrap()
        .unwrap();
    assert_eq!(found.row["name"], "next 9");
}

/// What is there of an identity that records link comes and goes with these records, whatever was kept of earlier states.
#[test]
fn an_index_of_links_tells_of_the_store_as_it_is() {
    let scratch = Scratch::new();
    scratch.dataset(PROFILES[0], Class::Profile, json!({}));
    let person = |n: u32, email: &str| json!({"identityMap": {"CRMID": [{"id": n.to_string(), "primary": true}], "Email": [{"id": email}]}, "n": n});
    let lookups = Lookups::default();
    let lookup = Lookup {
        merge_policy: Some("timestampOrdered-pdg-mp".to_owned()),
        ..Lookup::default()
    };
    let of = |id: &str| {
        let identity = Identity {
            namespace: "email".to_owned(),
            id: id.to_owned(),
        };
        let found = lookups.find(&scratch.store, &lookup, &identity, &Progress::default());
        found.unwrap().map(|found| found.row["n"].as_u64().unwrap())
    };
    let records: Vec<Value> = (0..9_000)
        .map(|n| person(n, &format!("{n}@x.org")))
        .collect();
    scratch.load(PROFILES[0], &records).unwrap();
    assert_eq!((of("8999@x.org"), of("a@x.org")), (Some(8_999), None));
    scratch
        .load(PROFILES[0], &[person(8_999, "a@x.org")])
        .unwrap();
    assert_eq!((of("8999@x.org"), of("a@x.org")), (None, Some(8_999)));
    assert_eq!(of("4500@x.org"), Some(4_500));
    scratch.delete(&Identity {
        namespace: "CRMID".to_owned(),
        id: "4500".to_owned(),
    });
    assert_eq!((of("4500@x.org"), of("4501@x.org")), (None, Some(4_501)));
    scratch.store.compact().unwrap();
    assert_eq!((of("4500@x.org"), of("4501@x.org")), (None, Some(4_501)));
    assert_eq!((of("8999@x.org"), of("a@x.org")), (None, Some(8_999)));
}

/// A look-up that nobody waits for stops while the graph is made, and the next one is not the worse for it.
#[test]
fn a_graph_that_nobody_waits_for_is_given_up() {
    let scratch = Scratch::new();
    scratch.dataset(PROFILES[0], Class::Profile, json!({}));
    let record = json!({"identityMap": {"CRMID": [{"id": "1", "primary": true}], "Email": [{"id": "a@x.org"}]}, "n": 1});
    scratch.load(PROFILES[0], &[record]).unwrap();
    let lookups = Lookups::default();
    let lookup = Lookup {
        merge_policy: Some("timestampOrdered-pdg-mp".to_owned()),
        ..Lookup::default()
    };
    let identity = Identity {
        namespace: "CRMID".to_owned(),
        id: "1".to_owned(),
    };
    let find = |progress: &Progress| lookups.find(&scratch.store, &lookup, &identity, progress);
    let progress = Progress::default();
    progress.cancel();
    assert!(find(&progress).unwrap_err().is_cancelled());
    assert_eq!(find(&Progress::default()).unwrap().unwrap().row["n"], 1);
    // An export's, too.
    let snapshot = scratch.store.snapshot(None).unwrap();
    let unions = UnionSchemas::from(&snapshot);
    let policy = merge_policies(scratch.store.catalog()).unwrap();
    let policy = policy
        .into_iter()
        .find(|policy| policy.id == "timestampOrdered-pdg-mp");
    let plan = Plan::new(&ExportRequest::default(), policy.unwrap(), &unions).unwrap();
    let error = Export::watched(&snapshot, &plan, Arc::new(progress)).err();
    assert!(error.unwrap().is_cancelled());
}

/// Runs that a store still has are not opened anew, and the codes of namespaces are looked for once.
#[test]
fn what_look_ups_have_open_stays_open() {
    let scratch = Scratch::new();
    scratch.dataset(PROFILES[0], Class::Profile, json!({}));
    let person = |id: &str, code: &str| json!({"identityMap": {code: [{"id": id, "primary": true}]}, "n": id});
    scratch.load(PROFILES[0], &[person("a", "Own")]).unwrap();
    let first = scratch.store.snapshot_after(None).unwrap();
    scratch.load(PROFILES[0], &[person("b", "Other")]).unwrap();
    let second = scratch.store.snapshot_after(Some(&first)).unwrap();
    assert!(Arc::ptr_eq(&first.runs[0], &second.runs[0]));
    assert_eq!(second.runs.len(), 2);

    let lookups = Lookups::default();
    let codes = || {
        let all = identity_namespaces(&scratch.store, &lookups).unwrap();
        let custom = all.into_iter().filter(|one| one.custom);
        let mut codes: Vec<String> = custom.map(|one| one.code).collect();
        codes.sort();
        codes
    };
    assert_eq!(codes(), ["Other", "Own"]);
    let runs = scratch.folder.path().join("store/runs");
    let aside = scratch.folder.path().join("aside");
    std::fs::rename(&runs, &aside).unwrap();
    assert_eq!(codes(), ["Other", "Own"]);
    std::fs::rename(&aside, &runs).unwrap();
    scratch.load(PROFILES[0], &[person("c", "Third")]).unwrap();
    assert_eq!(codes(), ["Other", "Own", "Third"]);
}
