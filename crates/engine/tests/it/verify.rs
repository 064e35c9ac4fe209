//! A look at every byte of a store: how far it is, and that it stops when it is asked to.

use std::fs;

use profile_export::export::Progress;
use profile_export::store::{Scope, Store, Verified};
use profile_export::xdm::Class;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::frozen;
use crate::scratch::{Scratch, request};

const CRM: &str = "0000000000000000000000a1";

/// What the catalog names: runs, and the files of batches.
fn named(store: &Store) -> u64 {
    let stats = store.stats().unwrap();
    let batches = store.catalog().all_published().unwrap();
    let files = batches.iter().flat_map(|batch| &batch.files);
    stats.bytes + files.map(|file| file.length).sum::<u64>()
}

fn with_batches() -> Scratch {
    let scratch = Scratch::new();
    scratch.dataset(CRM, Class::Profile, json!({}));
    let person = |n: u32| json!({"identityMap": {"Email": [{"id": format!("p{n}")}]}, "x": n});
    let people: Vec<Value> = (0..2_000).map(person).collect();
    for part in people.chunks(700) {
        scratch.load(CRM, part).unwrap();
    }
    for _ in 0..2 {
        scratch.run(&request(json!({}))).unwrap();
    }
    scratch
}

#[test]
fn each_byte_that_is_looked_at_counts_once() {
    let scratch = with_batches();
    let folder = TempDir::new().unwrap();
    frozen::copy(&frozen::frozen().join("v1/store"), folder.path());
    let old = Store::open(folder.path(), Scope::default()).unwrap();
    for store in [&scratch.store, &old] {
        let progress = Progress::default();
        let found = store.verify_with(&progress).unwrap();
        assert_eq!(found, Verified::default());
        let all = store.bytes_to_verify().unwrap();
        assert_eq!(progress.snapshot().bytes, all);
        // Jobs may still read runs that were replaced.
        assert!(all >= named(store));
    }
}

#[test]
fn a_look_that_is_asked_to_stop_says_nothing_of_the_store() {
    let scratch = with_batches();
    let layout = scratch.store.layout();
    for entry in fs::read_dir(layout.batches()).unwrap() {
        let file = entry.unwrap().path().join("part-00000.parquet");
        fs::write(file, "something else").unwrap();
    }
    let progress = Progress::default();
    assert_eq!(
        scratch.store.verify_with(&progress).unwrap().problems.len(),
        2
    );
    progress.cancel();
    let error = scratch.store.verify_with(&progress).unwrap_err();
    assert!(error.is_cancelled(), "{error}");
}
