//! Somebody who is erased, and the proof that nothing is left.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::sync::Arc;

use profile_export::export::Progress;
use profile_export::jobs::{JobPage, RunOptions, cancel_job, create_job, list_jobs, run_job};
use profile_export::platform::erase;
use profile_export::request::ExportRequest;
use profile_export::store::{Scope, Sought, Store};
use profile_export::xdm::{Class, Identity};
use serde_json::{Value, json};

use crate::beside_erasure::erase_of;
use crate::deletion::{CRM, durable, email, everything, holding, person, scratch};
use crate::frozen::{copy, frozen};
use crate::scratch::request;

/// A value of a record that was replaced long ago may still be in a dictionary, with no row that has it: an erasure
/// writes such runs anew, too.
#[test]
fn an_erasure_takes_what_no_row_has() {
    let scratch = scratch();
    let old = |email: &str| json!({"identityMap": {"CRMID": [{"id": "1", "primary": true}]}, "contact": email});
    let mut people: Vec<Value> = (0..100)
        .map(|n| person(&format!("p{n}@x.org"), "Oslo"))
        .collect();
    people
        .iter_mut()
        .for_each(|person| person["contact"] = json!("none"));
    people.push(old("ann@x.org"));
    scratch.load(CRM, &people).unwrap();
    scratch.load(CRM, &[old("none")]).unwrap();
    scratch.store.compact().unwrap();
    let held = holding(&scratch.store, "ann@x.org");
    assert_eq!(
        held.len(),
        1,
        "the test needs a dictionary with a value that no row has"
    );
    let before = everything(&scratch);
    let erased = erase_of(&scratch, &email("ann@x.org"));
    assert!(erased.remaining.is_gone(), "{erased:?}");
    assert_eq!(erased.profile.datasets, []);
    assert_eq!(everything(&scratch), before);
}

/// A field that is no identity may hold the id, too: whose record that is nobody knows, so it stays and is named.
#[test]
fn an_erasure_names_what_it_can_not_clean() {
    let scratch = scratch();
    let note = json!({"identityMap": {"CRMID": [{"id": "7", "primary": true}]}, "note": "wrote to ann@x.org."});
    scratch
        .load(CRM, &[note, person("ann@x.org", "Oslo")])
        .unwrap();
    let erased = erase_of(&scratch, &email("ann@x.org"));
    assert_eq!(erased.profile.datasets[0].records, 1);
    assert_eq!(erased.remaining.holding.len(), 1);
    assert!(!erased.remaining.is_gone());
}

/// Batches with the id go, and jobs that name it; others stay.
#[test]
fn an_erasure_takes_export_batches_and_what_they_had_of_whom() {
    let scratch = scratch();
    scratch
        .load(
            CRM,
            &[person("ann@x.org", "Oslo"), person("bob@x.org", "Rome")],
        )
        .unwrap();
    let of = |more: Value| scratch.run(&request(more)).unwrap();
    let first = of(json!({}));
    let since = of(json!({"sinceJob": "last"}));
    let cities = of(json!({"fields": "city"}));
    assert!(!holding(&scratch.store, "ann@x.org").is_empty());
    let erased = erase_of(&scratch, &email("ann@x.org"));
    assert!(erased.remaining.is_gone(), "{:?}", erased.remaining);
    let ids: BTreeSet<String> = erased.batches.into_iter().collect();
    let expected = [&first, &since].map(|job| job.batches[0].id.clone());
    assert_eq!(ids, expected.into_iter().collect());
    assert!(cities.batches[0].folder.exists());
    assert_eq!(everything(&scratch).len(), 1);
}

/// A job reads the store as it was when it was created: a deletion is in the next.
#[test]
fn a_job_that_waits_reads_what_was_there() {
    let scratch = scratch();
    scratch
        .load(
            CRM,
            &[person("ann@x.org", "Oslo"), person("bob@x.org", "Rome")],
        )
        .unwrap();
    let wanted = ExportRequest::from_json(request(json!({})).to_string().as_bytes()).unwrap();
    let waiting = create_job(&scratch.store, &wanted).unwrap();
    let erased = erase_of(&scratch, &email("ann@x.org"));
    assert_eq!(erased.open_jobs, [waiting.id]);
    assert!(!erased.remaining.is_gone(), "the job's run is on the disk");
    assert_eq!(everything(&scratch).len(), 1);
    let finished = run_job(
        &scratch.store,
        waiting.id,
        &RunOptions::default(),
        &Arc::default(),
    );
    assert_eq!(finished.unwrap().profiles, 2);
    // The same once more ends it.
    let erased = erase_of(&scratch, &email("ann@x.org"));
    assert_eq!(erased.batches.len(), 1);
    assert!(erased.remaining.is_gone(), "{:?}", erased.remaining);
}

/// Stores of earlier releases, with runs of the first format.
#[test]
fn records_of_older_stores_are_deleted_too() {
    for version in ["v1", "v2"] {
        let folder = tempfile::TempDir::new().unwrap();
        let home = folder.path().join("store");
        copy(&frozen().join(version).join("store"), &home);
        let store = Store::open(&home, Scope::default()).unwrap();
        let snapshot = store.snapshot(None).unwrap();
        let run = snapshot
            .runs
            .iter()
            .find(|run| run.class == Class::Profile)
            .unwrap();
        let (namespace, id) = run.identity(0).unwrap();
        let identity = Identity {
            namespace: namespace.to_owned(),
            id: id.to_owned(),
        };
        assert!(!holding(&store, &identity.id).is_empty(), "{version}");
        // One has a job that waits, and would read what is erased.
        let waiting = JobPage {
            status: Some("NEW".to_owned()),
            ..JobPage::default()
        };
        for job in list_jobs(&store, &waiting).unwrap().records {
            cancel_job(&store, job.id).unwrap();
        }
        let erased = erase(&store, &identity, None, |_| {}, &Progress::default()).unwrap();
        assert!(!erased.profile.datasets.is_empty());
        assert!(
            erased.remaining.is_gone(),
            "{version}: {:?}",
            erased.remaining
        );
        assert_eq!(store.verify().unwrap().problems, Vec::<String>::new());
    }
}

/// What rows of the catalog said before is in no page of its file, its journal, or a copy.
#[test]
fn an_erasure_takes_what_the_catalog_said() {
    let scratch = durable();
    scratch.load(CRM, &[person("bob@x.org", "Rome")]).unwrap();
    let named = json!({"filter": {"segments": [{"segmentId": "ann@x.org"}]}});
    let job = scratch.run(&request(named)).unwrap();
    scratch.load(CRM, &[person("cid@x.org", "Rome")]).unwrap();
    let held = holding(&scratch.store, "ann@x.org");
    let is_copy = |name: &String| name.starts_with("backups/");
    assert!(
        held.iter().any(is_copy) && !held.iter().all(is_copy),
        "{held:?}"
    );
    let erased = erase(
        &scratch.store,
        &email("ann@x.org"),
        None,
        |_| {},
        &Progress::default(),
    );
    let erased = erased.unwrap();
    assert_eq!(erased.jobs, [job.job.id]);
    assert!(erased.remaining.is_gone(), "{:?}", erased.remaining);
    assert_eq!(scratch.store.verify().unwrap(), Default::default());
    // There is a copy to go back to, which is of now.
    let copies = fs::read_dir(scratch.store.layout().backups()).unwrap();
    assert_eq!(copies.count(), 1);
}

/// Files of any kind are looked into: unpacked, with escapes, and as the bytes that they are; those that can't be read are
/// named, since nobody knows what they hold.
#[test]
fn every_kind_of_file_is_looked_into() {
    let scratch = scratch();
    let layout = scratch.store.layout();
    let folder = layout.incoming_batch("5b020a27e7040801dedba61f");
    fs::create_dir_all(folder.join("ann@x.org")).unwrap();
    let escaped = br#"{"id": "bob"}
{"id": "ann\u0040x.org"}"#;
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(escaped).unwrap();
    let zipped = packed.finish().unwrap();
    let frame = zstd::encode_all(&b"id\nann@x.org\n"[..], 1).unwrap();
    let across = [vec![b' '; (1 << 20) - 4], b"ann@x.org ".to_vec()].concat();
    let files: [(&str, &[u8], bool); 9] = [
        ("escaped", escaped, true),
        ("zipped", &zipped, true),
        ("frame", &frame, true),
        ("csv", b"1;ann@x.org;2", true),
        ("bytes", b"\0\x01ann@x.org\0", true),
        ("across", &across, true),
        ("ann@x.org/empty", b"", true),
        ("other", b"joann@x.org, ann@x.org.uk, Ann@x.org", false),
        ("nothing", b"", false),
    ];
    for (name, bytes, _) in &files {
        fs::write(folder.join(name), bytes).unwrap();
    }
    let expected = files.iter().filter(|(.., holds)| *holds);
    let expected = expected.map(|(name, ..)| format!("incoming/5b020a27e7040801dedba61f/{name}"));
    assert_eq!(holding(&scratch.store, "ann@x.org"), expected.collect());

    let cut = zipped.get(..zipped.len() / 2).unwrap();
    fs::write(folder.join("cut"), cut).unwrap();
    let values = [Sought::new("ann@x.org")];
    let found = scratch
        .store
        .verify_gone(&values, &Progress::default())
        .unwrap();
    assert_eq!(found.unread.len(), 1, "{found:?}");
    assert!(found.unread[0].contains("cut") && !found.is_gone());
}
