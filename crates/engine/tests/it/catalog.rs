//! The catalog: damage in it is noticed, another store's is refused, and there is a way back.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use profile_export::export::Progress;
use profile_export::jobs::{JobPage, RunOptions, create_job, list_jobs, run_job};
use profile_export::platform::merge_policies;
use profile_export::request::ExportRequest;
use profile_export::store::{
    BatchQuery, DatasetInputs, Input, LoadOptions, Scope, Store, Verified,
};
use profile_export::xdm::{Class, Dataset, Timestamp};
use serde_json::json;
use tempfile::TempDir;

use crate::scratch::{batches, request, sorted};

const CRM: &str = "0000000000000000000000a1";
const TARGET: &str = "0000000000000000000000ff";

fn open(folder: &Path) -> profile_export::store::Result<Store> {
    Store::open(folder, Scope::default())
}

/// Loads a record of a person.
fn load(folder: &Path, id: &str) {
    let store = open(folder).unwrap();
    let text = json!({"identityMap": {"Email": [{"id": id}]}, "name": id}).to_string();
    let path = folder.with_extension("ndjson");
    fs::write(&path, text).unwrap();
    let inputs = DatasetInputs::new(CRM, vec![Input::File(path)]);
    let options = LoadOptions {
        now: Timestamp::from_millis(1_000),
        ..LoadOptions::default()
    };
    store
        .ingest(&[inputs], &options, &Progress::default())
        .unwrap();
}

fn made(folder: &Path, ids: &[&str]) {
    let store = open(folder).unwrap();
    let catalog = store.catalog();
    catalog
        .create_dataset(Dataset::new(CRM, "crm", Class::Profile))
        .unwrap();
    catalog
        .create_dataset(Dataset::target(TARGET, "target"))
        .unwrap();
    for id in ids {
        load(folder, id);
    }
}

/// The names of all persons, by a job of the store.
fn exported(store: &Store) -> profile_export::platform::Result<Vec<String>> {
    let body = request(json!({"destination": {"datasetId": TARGET}, "fields": "name"}));
    let request = ExportRequest::from_json(body.to_string().as_bytes())?;
    let job = create_job(store, &request)?;
    let finished = run_job(store, job.id, &RunOptions::default(), &Arc::default())?;
    Ok(sorted(batches(&finished).remove(0)))
}

/// Everything else that the catalog tells.
fn told(store: &Store) -> profile_export::platform::Result<String> {
    let jobs = list_jobs(store, &JobPage::default())?;
    let policies = merge_policies(store.catalog())?;
    let batches = store.catalog().batches(&BatchQuery::default())?;
    let datasets = store.catalog().datasets()?;
    Ok(format!("{jobs:?} {policies:?} {batches:?} {datasets:?}"))
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &to),
            false => drop(fs::copy(entry.path(), to).unwrap()),
        }
    }
}

#[test]
fn a_bit_that_turns_in_the_catalog_is_noticed_or_changes_nothing() {
    let folder = TempDir::new().unwrap();
    let whole = folder.path().join("whole");
    made(&whole, &["a", "b"]);
    let (rows, before) = {
        let store = open(&whole).unwrap();
        (exported(&store).unwrap(), told(&store).unwrap())
    };
    let catalog = fs::read(whole.join("catalog.sqlite")).unwrap();
    let (step, mut noticed) = match std::env::var_os("PROFILE_EXPORT_DEEP_TESTS") {
        Some(_) => (97, 0),
        None => (701, 0),
    };
    for at in (0..catalog.len()).step_by(step) {
        let damaged = folder.path().join("damaged");
        copy(&whole, &damaged);
        let mut bytes = catalog.clone();
        bytes[at] ^= 1 << (at % 8);
        fs::write(damaged.join("catalog.sqlite"), bytes).unwrap();
        let Ok(store) = open(&damaged) else {
            noticed += 1;
            fs::remove_dir_all(&damaged).unwrap();
            continue;
        };
        let is_noticed = store.verify().ok() != Some(Verified::default());
        noticed += usize::from(is_noticed);
        if let Ok(found) = told(&store) {
            assert!(is_noticed || found == before, "byte {at}: lists changed");
        }
        if let Ok(found) = exported(&store) {
            assert_eq!(found, rows, "byte {at}: an export changed");
        }
        drop(store);
        fs::remove_dir_all(&damaged).unwrap();
    }
    assert!(noticed > 0, "no damage was noticed at all");
}

#[test]
fn the_catalog_of_another_store_is_refused() {
    let folder = TempDir::new().unwrap();
    let (one, other) = (folder.path().join("one"), folder.path().join("other"));
    made(&one, &["a"]);
    made(&other, &["b"]);
    fs::copy(other.join("catalog.sqlite"), one.join("catalog.sqlite")).unwrap();
    let error = open(&one).err().expect("refused");
    assert!(
        error.to_string().contains("not that of this store"),
        "{error}"
    );
    assert_eq!(
        fs::read_dir(one.join("runs")).unwrap().count(),
        1,
        "nothing is swept"
    );
}

#[test]
fn a_catalog_that_is_lost_or_damaged_is_brought_back_as_it_was_after_the_last_load() {
    for damage in ["removed", "emptied", "overwritten"] {
        let folder = TempDir::new().unwrap();
        let store = folder.path().join("store");
        made(&store, &["a", "b"]);
        let rows = exported(&open(&store).unwrap()).unwrap();
        let catalog = store.join("catalog.sqlite");
        match damage {
            "removed" => fs::remove_file(&catalog).unwrap(),
            "emptied" => fs::write(&catalog, "").unwrap(),
            _ => fs::write(&catalog, "nothing that a database begins with ".repeat(300)).unwrap(),
        }
        assert!(open(&store).is_err(), "{damage}");
        let restored = Store::restore(&store).unwrap();
        // The job's batch is younger than the copy.
        assert_eq!((restored.runs, restored.batches), (0, 1), "{damage}");
        let store = open(&store).unwrap();
        assert_eq!(exported(&store).unwrap(), rows, "{damage}");
        assert_eq!(store.verify().unwrap(), Verified::default(), "{damage}");
        assert!(restored.set_aside.join("batches").is_dir());
    }
}

#[test]
fn a_copy_that_is_damaged_or_lacks_runs_is_passed_over_and_what_it_does_not_name_is_kept() {
    let folder = TempDir::new().unwrap();
    let store = folder.path().join("store");
    made(&store, &["a"]);
    let rows = exported(&open(&store).unwrap()).unwrap();
    load(&store, "b");
    let newest = store.join("backups/catalog-00000002.sqlite");
    fs::write(&newest, "damaged").unwrap();
    let restored = Store::restore(&store).unwrap();
    assert_eq!(
        (restored.generation, restored.runs, restored.batches),
        (1, 1, 1)
    );
    assert_eq!(exported(&open(&store).unwrap()).unwrap(), rows);
    assert_eq!(
        fs::read_dir(restored.set_aside.join("runs"))
            .unwrap()
            .count(),
        1
    );
    fs::remove_dir_all(store.join("runs")).unwrap();
    fs::create_dir(store.join("runs")).unwrap();
    let error = Store::restore(&store).unwrap_err();
    assert!(
        error.to_string().contains("no copy of the catalog"),
        "{error}"
    );
}

#[test]
fn no_copy_brings_a_deleted_dataset_back() {
    let folder = TempDir::new().unwrap();
    let store = folder.path().join("store");
    made(&store, &["a", "b"]);
    open(&store).unwrap().delete_dataset(CRM).unwrap();
    fs::remove_file(store.join("catalog.sqlite")).unwrap();
    Store::restore(&store).unwrap();
    let store = open(&store).unwrap();
    assert!(store.catalog().dataset(CRM).unwrap().is_none());
    assert!(store.snapshot(None).unwrap().runs.is_empty());
}

#[test]
fn all_organisations_and_sandboxes_are_verified_and_batches_that_others_moved_are_told_apart() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("store");
    made(&path, &["a"]);
    let elsewhere = Scope {
        org: "another".to_owned(),
        ..Scope::default()
    };
    let run = fs::read_dir(path.join("runs"))
        .unwrap()
        .next()
        .unwrap()
        .unwrap();
    for file in fs::read_dir(run.path()).unwrap() {
        let file = file.unwrap().path();
        let mut bytes = fs::read(&file).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(file, bytes).unwrap();
    }
    let store = Store::open(&path, elsewhere).unwrap();
    assert!(!store.verify().unwrap().problems.is_empty());
}
