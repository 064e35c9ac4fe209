//! Records that are deleted, and what is left of them: nothing.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use profile_export::export::{Export, Plan, Progress, Snapshot, UnionSchemas};
use profile_export::jobs::create_job;
use profile_export::platform::delete_profile;
use profile_export::request::{ExportRequest, MergePolicy};
use profile_export::store::{RecordSelection, RunLimit, Scope, Sought, Store};
use profile_export::xdm::{Class, Identity};
use serde_json::{Value, json};

use crate::beside_erasure::erase_of;
use crate::scratch::{Scratch, request, sorted};

pub const CRM: &str = "5b020a27e7040801dedba61a";
const VISITS: &str = "5b020a27e7040801dedba61b";

pub fn scratch() -> Scratch {
    with_datasets(Scratch::new())
}

pub fn with_datasets(scratch: Scratch) -> Scratch {
    scratch.dataset(CRM, Class::Profile, json!({}));
    scratch.dataset(VISITS, Class::Event, json!({}));
    scratch
}

pub fn email(id: &str) -> Identity {
    Identity {
        namespace: "Email".to_owned(),
        id: id.to_owned(),
    }
}

pub fn person(id: &str, city: &str) -> Value {
    json!({"identityMap": {"Email": [{"id": id, "primary": true}]}, "city": city})
}

pub fn visit(id: &str, whose: &str) -> Value {
    json!({"identityMap": {"Email": [{"id": whose}]}, "_id": id, "timestamp": "2020-01-01T00:00:00Z"})
}

pub fn everything(scratch: &Scratch) -> Vec<String> {
    let filter = json!({"emptyProfiles": true});
    sorted(scratch.rows(&request(
        json!({"filter": filter, "additionalFields": {"eventList": {}}}),
    )))
}

/// The files of the store that hold a text, by their names in it.
pub fn holding(store: &Store, text: &str) -> BTreeSet<String> {
    let found = store
        .verify_gone(&[Sought::new(text)], &Progress::default())
        .unwrap();
    assert!(found.unread.is_empty(), "{found:?}");
    let root = store.layout().root();
    let names = found.holding.iter();
    let name = |path: &Path| path.strip_prefix(root).unwrap().display().to_string();
    names.map(|path| name(path)).collect()
}

/// What no row has any more is in no dictionary of the run either, nor an event's digest among those that are known.
#[test]
fn a_run_without_some_rows_has_nothing_of_them() {
    let scratch = scratch();
    let people = ["ann", "bob", "cid"].map(|name| {
        let place = if name == "bob" { "Bergen" } else { "Oslo" };
        let mut person = person(&format!("{name}@x.org"), place);
        person["tags"] = json!(["member", name]);
        person["segmentMembership"] =
            json!({"ups": {format!("only {name}"): {"status": "realized"}}});
        person
    });
    let mut others: Vec<Value> = (0..200)
        .map(|n| person(&format!("person{n}@x.org"), "Oslo"))
        .collect();
    others.extend(people);
    scratch.load(CRM, &others).unwrap();
    let visits = [
        visit("visit one", "bob@x.org"),
        visit("visit two", "ann@x.org"),
    ];
    scratch.load(VISITS, &visits).unwrap();
    assert_eq!(holding(&scratch.store, "Bergen").len(), 1);
    assert_eq!(holding(&scratch.store, "bob@x.org").len(), 2);

    let deleted = scratch.delete(&email("bob@x.org"));
    let counts: Vec<(&str, u64)> = (deleted.datasets.iter())
        .map(|dataset| (dataset.dataset_id.as_str(), dataset.records))
        .collect();
    assert_eq!(counts, [(CRM, 1), (VISITS, 1)]);
    assert_eq!(deleted.runs, 2);
    for gone in ["bob@x.org", "Bergen", "bob", "only bob", "visit one"] {
        assert_eq!(holding(&scratch.store, gone), BTreeSet::new(), "{gone}");
    }
    for kept in ["ann@x.org", "only ann", "member", "visit two"] {
        assert!(!holding(&scratch.store, kept).is_empty(), "{kept}");
    }
    assert_eq!(everything(&scratch).len(), 202);
    assert_eq!(scratch.store.verify().unwrap(), Default::default());

    // New data of the same person is data like any other, the same events too.
    assert_eq!(scratch.load(VISITS, &visits).unwrap().loaded, 1);
    assert_eq!(everything(&scratch).len(), 203);
}

/// A record bears each identity of its map, whatever is primary, in any spelling of the namespace.
#[test]
fn records_that_bear_the_identity_beside_a_primary_one_go() {
    let scratch = scratch();
    let beside = json!({"identityMap": {"CRMID": [{"id": "1", "primary": true}],
        "EMAIL": [{"id": "other@x.org"}, {"id": "ann@x.org"}]}});
    let other = json!({"identityMap": {"CRMID": [{"id": "2", "primary": true}], "Phone": [{"id": "ann@x.org"}]}});
    scratch
        .load(CRM, &[beside, other, person("Ann@x.org", "Oslo")])
        .unwrap();
    let deleted = scratch.delete(&email("ann@x.org"));
    assert_eq!(deleted.datasets[0].records, 1);
    assert_eq!(everything(&scratch).len(), 2);
}

/// What a record had replaced does not come back when it goes, whether a merge of runs has come between or not.
#[test]
fn a_replaced_fragment_does_not_come_back() {
    for compacts in [false, true] {
        let scratch = scratch();
        let named = |city: &str, ids: Value| json!({"identityMap": {"CRMID": [{"id": "1", "primary": true}], "Email": ids}, "city": city});
        scratch
            .load(CRM, &[named("Oslo", json!([])), person("b@x.org", "Rome")])
            .unwrap();
        scratch
            .load(CRM, &[named("Bergen", json!([{"id": "ann@x.org"}]))])
            .unwrap();
        if compacts {
            scratch.store.compact().unwrap();
        }
        scratch.delete(&email("ann@x.org"));
        assert_eq!(everything(&scratch).len(), 1, "{compacts}");
        assert_eq!(holding(&scratch.store, "Oslo"), BTreeSet::new());
        // The other way round, what is live stays.
        scratch
            .load(CRM, &[named("Bergen", json!([{"id": "ann@x.org"}]))])
            .unwrap();
        scratch.load(CRM, &[named("Paris", json!([]))]).unwrap();
        if compacts {
            scratch.store.compact().unwrap();
        }
        scratch.delete(&email("ann@x.org"));
        assert_eq!(everything(&scratch).len(), 2, "{compacts}");
    }
}

/// By a merge policy with an identity graph all of a profile's records go, without one those of the identity alone.
#[test]
fn linked_identities_go_where_that_is_asked() {
    for (policy, left) in [(None, 2), (Some("timestampOrdered-pdg-mp"), 1)] {
        let scratch = scratch();
        let linked = json!({"identityMap": {"CRMID": [{"id": "C1", "primary": true}], "ECID": [{"id": "E1"}]}});
        let device =
            json!({"identityMap": {"ECID": [{"id": "E1", "primary": true}]}, "city": "Oslo"});
        scratch
            .load(CRM, &[linked, device, person("bob@x.org", "Rome")])
            .unwrap();
        let identity = Identity {
            namespace: "CRMID".to_owned(),
            id: "C1".to_owned(),
        };
        let deleted = delete_profile(
            &scratch.store,
            &identity,
            None,
            policy,
            &Progress::default(),
        )
        .unwrap();
        assert_eq!(deleted.identities.len(), 1 + usize::from(policy.is_some()));
        assert_eq!(everything(&scratch).len(), left, "{policy:?}");
    }
}

/// What stands for nobody is refused, and what does in one dataset alone takes nothing there.
#[test]
fn a_placeholder_takes_nobody() {
    let scratch = Scratch::new();
    scratch.dataset(
        CRM,
        Class::Profile,
        json!({"placeholderIdentities": ["n/a"]}),
    );
    let record =
        json!({"identityMap": {"CRMID": [{"id": "1", "primary": true}], "Email": [{"id": "n/a"}]}});
    scratch.load(CRM, &[record]).unwrap();
    assert_eq!(scratch.delete(&email("N/A")).datasets, []);
    let refused = delete_profile(
        &scratch.store,
        &email("null"),
        None,
        None,
        &Progress::default(),
    );
    assert!(refused.unwrap_err().to_string().contains("placeholder"));
}

/// Layers stay layers: what is left of a run is a part of the layer that the run was of.
#[test]
fn many_deletions_leave_one_layer() {
    let limit = RunLimit {
        persons: 10,
        records: 60,
    };
    let scratch = with_datasets(Scratch::with(|store| store.with_run_limit(limit)));
    let people: Vec<Value> = (0..50)
        .map(|n| person(&format!("p{n}@x.org"), "Oslo"))
        .collect();
    scratch.load(CRM, &people).unwrap();
    scratch.load(CRM, &people[..1]).unwrap();
    scratch.store.compact().unwrap();
    for n in 0..40 {
        assert_eq!(scratch.delete(&email(&format!("p{n}@x.org"))).runs, 1);
    }
    let stats = scratch.store.stats().unwrap();
    let crm = stats
        .datasets
        .iter()
        .find(|dataset| dataset.id == CRM)
        .unwrap();
    assert_eq!(crm.tiers.iter().map(|tier| tier.layers).sum::<u64>(), 1);
    assert_eq!((crm.records, everything(&scratch).len()), (10, 10));
    assert_eq!(scratch.store.verify().unwrap(), Default::default());
}

/// The records of one load, by their places in the store.
#[test]
fn the_records_of_one_load_go_by_their_places() {
    let scratch = scratch();
    scratch.load(VISITS, &[visit("one", "ann@x.org")]).unwrap();
    let first = scratch.store.catalog().next_sequence().unwrap();
    scratch
        .load(
            VISITS,
            &[visit("two", "ann@x.org"), visit("three", "bob@x.org")],
        )
        .unwrap();
    let next = scratch.store.catalog().next_sequence().unwrap();
    scratch.load(VISITS, &[visit("four", "cid@x.org")]).unwrap();
    scratch.store.compact().unwrap();
    let selection = RecordSelection::Loaded {
        dataset: VISITS,
        sequences: first..next,
    };
    let deleted = scratch
        .store
        .delete_records(&selection, &[], &Progress::default())
        .unwrap();
    assert_eq!(deleted.records(), 2);
    assert_eq!(holding(&scratch.store, "three"), BTreeSet::new());
    assert_eq!(everything(&scratch).len(), 2);
}

/// Who began to read before a deletion reads the old runs to the end.
#[test]
fn a_reader_from_before_a_deletion_reads_on() {
    let scratch = scratch();
    scratch
        .load(
            CRM,
            &[person("ann@x.org", "Oslo"), person("bob@x.org", "Rome")],
        )
        .unwrap();
    let wanted = ExportRequest::from_json(request(json!({})).to_string().as_bytes()).unwrap();
    let [policy, _] = MergePolicy::built_in();
    let rows = |snapshot: &Snapshot| -> usize {
        let plan = Plan::new(&wanted, policy.clone(), &UnionSchemas::from(snapshot)).unwrap();
        let export = Export::new(snapshot, &plan).unwrap();
        let chunks = export.batch(0).chunks();
        chunks.map(|rows| rows.unwrap().num_rows()).sum()
    };
    let before = scratch.store.snapshot(None).unwrap();
    let erased = erase_of(&scratch, &email("ann@x.org"));
    assert!(erased.remaining.is_gone());
    assert_eq!(rows(&before), 2);
    assert_eq!(rows(&scratch.store.snapshot(None).unwrap()), 1);
}

/// Loads, merges, compactions, deletions and readers at the same time: nobody errs, and who was deleted stays so.
#[test]
fn deletions_beside_loads_and_readers_take_whom_they_name_alone() {
    const NIGHTS: usize = 40;
    let scratch = scratch();
    let root = scratch.store.layout().root().to_owned();
    let loaded = AtomicUsize::new(0);
    let open = || Store::open(&root, Scope::default()).unwrap();
    let is_done = || loaded.load(Ordering::Acquire) == NIGHTS;
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let store = open();
            let mut next = 0;
            while next < NIGHTS {
                if next < loaded.load(Ordering::Acquire) {
                    let who = email(&format!("gone{next}@x.org"));
                    let deleted = delete_profile(&store, &who, None, None, &Progress::default());
                    assert_eq!(deleted.unwrap().datasets.len(), 2, "{who}");
                    next += 1;
                }
            }
        });
        scope.spawn(|| {
            let store = open();
            while !is_done() {
                store.compact().unwrap();
            }
        });
        scope.spawn(|| {
            let store = open();
            while !is_done() {
                let stays = loaded.load(Ordering::Acquire);
                let snapshot = store.snapshot(None).unwrap();
                let runs = snapshot.runs.iter();
                let people = runs.filter(|run| run.class == Class::Profile);
                let people: usize = people.map(|run| run.persons()).sum();
                assert!(people >= stays, "{people} of {stays}");
            }
        });
        for night in 0..NIGHTS {
            let [stays, gone] = ["stays", "gone"].map(|name| format!("{name}{night}@x.org"));
            let [first, second] = [format!("a{night}"), format!("b{night}")];
            let people = [person(&stays, "Oslo"), person(&gone, "Rome")];
            let visits = [visit(&first, &gone), visit(&second, &stays)];
            scratch.load(CRM, &people).unwrap();
            scratch.load(VISITS, &visits).unwrap();
            loaded.fetch_add(1, Ordering::Release);
        }
    });
    let rows = everything(&scratch);
    assert_eq!(rows.len(), NIGHTS);
    assert!(!rows.iter().any(|row| row.contains("gone")), "{rows:?}");
    assert_eq!(scratch.store.verify().unwrap(), Default::default());
}

/// A store that is synced, and whose catalog has copies.
pub fn durable() -> Scratch {
    with_datasets(Scratch::with(|store| {
        let root = store.layout().root().to_owned();
        drop(store);
        fs::remove_dir_all(&root).unwrap();
        Store::open(root, Scope::default()).unwrap()
    }))
}

/// No copy of the catalog brings deleted records back, though a job that waits keeps their runs.
#[test]
fn nothing_is_restored_that_was_deleted() {
    let scratch = durable();
    let ground = [person("ann@x.org", "Oslo"), person("bob@x.org", "Rome")];
    scratch.load(CRM, &ground).unwrap();
    let wanted = ExportRequest::from_json(request(json!({})).to_string().as_bytes()).unwrap();
    create_job(&scratch.store, &wanted).unwrap();
    assert_eq!(scratch.delete(&email("ann@x.org")).datasets.len(), 1);
    let root = scratch.store.layout().root().to_owned();
    // There is one copy, of behind the deletion, and none of before.
    let copies = fs::read_dir(scratch.store.layout().backups()).unwrap();
    let copies: Vec<_> = copies.map(|copy| copy.unwrap().path()).collect();
    assert_eq!(copies.len(), 1, "{copies:?}");
    fs::write(root.join("catalog.sqlite"), "lost").unwrap();
    let restored = Store::restore(&root).unwrap();
    assert_eq!(restored.generation, 2);
    let store = Store::open(&root, Scope::default()).unwrap();
    let people = store.snapshot(None).unwrap();
    let people: Vec<(&str, &str)> = (people.runs.iter())
        .map(|run| run.identity(0).unwrap())
        .collect();
    assert_eq!(people, [("Email", "bob@x.org")]);
}
