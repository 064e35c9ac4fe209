//! What keeps a store's data where a commit, a catalog or a source folder fails.

use std::fs;
use std::path::Path;

use profile_export::platform::{SourceFolder, merge_policies, segments};
use profile_export::store::{Scope, Store};
use profile_export::xdm::Class;
use rusqlite::Connection;
use serde_json::{Value, json};

use crate::scratch::{Scratch, request};

const CRM: &str = "0000000000000000000000a1";
const WEB: &str = "0000000000000000000000a2";

fn person(id: &str) -> Value {
    json!({"identityMap": {"Email": [{"id": id}]}, "x": 1})
}

fn folders(store: &Store, name: &str) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(store.layout().root().join(name))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn with_crm() -> Scratch {
    let scratch = Scratch::new();
    scratch.dataset(CRM, Class::Profile, json!({}));
    scratch.load(CRM, &[person("a")]).unwrap();
    scratch
}

fn people(scratch: &Scratch) -> usize {
    scratch.rows(&request(json!({"fields": "x"}))).len()
}

/// A catalog in which no run can be added, as on a disk that fails.
fn break_catalog(store: &Store) -> Connection {
    let catalog = Connection::open(store.layout().catalog()).unwrap();
    catalog
        .execute_batch(
            "CREATE TRIGGER broken BEFORE INSERT ON runs BEGIN SELECT RAISE(ABORT, 'broken'); END",
        )
        .unwrap();
    catalog
}

#[test]
fn after_a_commit_that_fails_the_files_stay_until_one_holds() {
    let scratch = with_crm();
    scratch.load(CRM, &[person("b")]).unwrap();
    let before = folders(&scratch.store, "runs");
    let catalog = break_catalog(&scratch.store);
    scratch.load(CRM, &[person("c")]).unwrap_err();
    // SQLite's journal may bring the commit back: then the catalog names the new run.
    assert_eq!(folders(&scratch.store, "runs").len(), before.len() + 1);
    scratch.store.compact().map(drop).unwrap_err();
    assert_eq!(folders(&scratch.store, "runs").len(), before.len() + 1);
    catalog.execute_batch("DROP TRIGGER broken").unwrap();
    scratch.load(CRM, &[person("d")]).unwrap();
    assert_eq!(folders(&scratch.store, "runs").len(), before.len() + 1);
    assert_eq!(people(&scratch), 3);
    scratch.store.compact().unwrap();
    assert_eq!(folders(&scratch.store, "runs").len(), 1);
    assert_eq!(people(&scratch), 3);
}

#[test]
fn nothing_is_swept_while_a_run_is_missing() {
    let scratch = with_crm();
    scratch.load(CRM, &[person("z")]).unwrap();
    let layout = scratch.store.layout();
    let name = folders(&scratch.store, "runs").remove(0);
    let away = scratch.folder.path().join("away");
    fs::rename(layout.run(&name), &away).unwrap();
    fs::create_dir(layout.run("stray")).unwrap();
    scratch.load(CRM, &[person("b")]).unwrap_err();
    scratch.store.compact().map(drop).unwrap_err();
    assert!(layout.run("stray").exists());
    fs::rename(&away, layout.run(&name)).unwrap();
    scratch.load(CRM, &[person("b")]).unwrap();
    assert_eq!(people(&scratch), 3);
    assert!(!layout.run("stray").exists());
}

#[test]
fn a_catalog_that_is_lost_is_no_new_store() {
    let scratch = with_crm();
    let _ = people(&scratch);
    let root = scratch.store.layout().root().to_owned();
    let catalog = scratch.store.layout().catalog();
    let open = || Store::open(&root, Scope::default()).map(drop);
    let before = (
        folders(&scratch.store, "runs"),
        folders(&scratch.store, "batches"),
    );
    let saved = scratch.folder.path().join("saved.sqlite");
    Connection::open(&catalog)
        .unwrap()
        .execute("VACUUM INTO ?1", [saved.to_str().unwrap()])
        .unwrap();
    let Scratch {
        folder: _folder,
        store,
        ..
    } = scratch;
    drop(store);
    for ending in ["-wal", "-shm"] {
        let _ = fs::remove_file(root.join(format!("catalog.sqlite{ending}")));
    }
    for lose in [
        (|path: &Path| fs::write(path, "")) as fn(&Path) -> std::io::Result<()>,
        |path| fs::remove_file(path),
    ] {
        lose(&catalog).unwrap();
        let error = open().unwrap_err().to_string();
        assert!(error.contains("missing or empty"), "{error}");
    }
    fs::copy(&saved, &catalog).unwrap();
    let store = Store::open(&root, Scope::default()).unwrap();
    let after = (folders(&store, "runs"), folders(&store, "batches"));
    assert_eq!(after, before);
}

#[test]
fn a_dataset_that_is_deleted_while_it_is_loaded_stays_deleted() {
    let scratch = with_crm();
    scratch.dataset(WEB, Class::Profile, json!({}));
    let other = Store::open_temporary(scratch.store.layout().root(), Scope::default()).unwrap();
    let catalog = Connection::open(scratch.store.layout().catalog()).unwrap();
    // At the moment of the commit, as if it had been in the queue before.
    catalog
        .execute_batch(&format!(
            "CREATE TRIGGER late AFTER UPDATE ON counters WHEN NEW.name = 'sequence' BEGIN
               UPDATE datasets SET deleted = 1 WHERE id = '{WEB}'; END"
        ))
        .unwrap();
    let error = scratch.load(WEB, &[person("b")]).unwrap_err().to_string();
    assert!(error.contains("was deleted meanwhile"), "{error}");
    catalog.execute_batch("DROP TRIGGER late").unwrap();
    assert_eq!(people(&scratch), 1);
    drop(other);
}

fn source() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let crm = folder.path().join("crm");
    fs::create_dir(&crm).unwrap();
    let body = json!({"id": CRM, "name": "crm", "class": "profile"});
    fs::write(crm.join("dataset.json"), body.to_string()).unwrap();
    fs::write(crm.join("a.ndjson"), format!("{}\n", person("a"))).unwrap();
    folder
}

#[test]
fn a_list_in_the_place_of_an_object_is_refused_in_every_file_of_a_source_folder() {
    for (file, text) in [
        ("crm/dataset.json", json!([CRM, "crm", "profile"])),
        ("merge-policies.json", json!([["a"]])),
        (
            "merge-policies.json",
            json!({"id": "a", "identityGraph": ["pdg"]}),
        ),
        ("segments.json", json!([["a"]])),
    ] {
        let folder = source();
        fs::write(folder.path().join(file), text.to_string()).unwrap();
        let refused = people_of(folder.path()).unwrap_err();
        assert!(
            refused.contains(file) && refused.contains("object"),
            "{refused}"
        );
    }
}

fn people_of(folder: &Path) -> Result<usize, String> {
    let source = SourceFolder::open(folder).map_err(|e| e.to_string())?;
    let scratch = Scratch::new();
    source
        .load(&scratch.store, &Default::default(), &Default::default())
        .map_err(|e| e.to_string())?;
    Ok(people(&scratch))
}

#[test]
fn a_source_folder_that_does_not_load_changes_nothing() {
    let policy = json!({"id": "mine", "name": "mine", "default": true,
                        "schema": {"name": "_xdm.context.profile"}, "identityGraph": {"type": "pdg"},
                        "attributeMerge": {"type": "timestampOrdered"}});
    let broken: [(&str, String); 3] = [
        ("crm/b.ndjson", "{broken\n".to_owned()),
        ("merge-policies.json", "[{\"id\": 1}]".to_owned()),
        (
            "segments.json",
            json!([{"id": "s", "mergePolicyId": "nobody's"}]).to_string(),
        ),
    ];
    for (name, text) in broken {
        let folder = source();
        let path = folder.path().join("merge-policies.json");
        fs::write(&path, json!([policy]).to_string()).unwrap();
        fs::write(
            folder.path().join("segments.json"),
            r#"[{"id": "s", "name": "s"}]"#,
        )
        .unwrap();
        let kept = fs::read(folder.path().join(name)).ok();
        fs::write(folder.path().join(name), text).unwrap();
        let scratch = Scratch::new();
        let load = || {
            let source = SourceFolder::open(folder.path()).unwrap();
            source.load(&scratch.store, &Default::default(), &Default::default())
        };
        let before = scratch.store.catalog().generation().unwrap();
        load().map(drop).unwrap_err();
        let catalog = scratch.store.catalog();
        assert_eq!(catalog.generation().unwrap(), before, "{name}");
        assert!(catalog.dataset(CRM).unwrap().is_none(), "{name}");
        let ids: Vec<String> = (merge_policies(catalog).unwrap().iter())
            .map(|policy| policy.id.clone())
            .collect();
        assert!(!ids.contains(&"mine".to_owned()), "{name}");
        assert!(segments(catalog).unwrap().is_empty(), "{name}");
        assert!(folders(&scratch.store, "runs").is_empty(), "{name}");
        match kept {
            Some(bytes) => fs::write(folder.path().join(name), bytes).unwrap(),
            None => fs::remove_file(folder.path().join(name)).unwrap(),
        }
        load().unwrap();
        assert_eq!(people(&scratch), 1);
    }
}

#[test]
fn data_files_are_found_whatever_their_case_and_in_folders_below() {
    let folder = source();
    let crm = folder.path().join("crm");
    fs::create_dir_all(crm.join("2026/11")).unwrap();
    for (name, id) in [
        ("B.JSONL", "b"),
        ("c.jsonlines", "c"),
        ("d.Json", "d"),
        ("2026/e.ndjson", "e"),
        ("2026/11/f.ndjson", "f"),
    ] {
        fs::write(crm.join(name), format!("{}\n", person(id))).unwrap();
    }
    let zstd = zstd::encode_all(format!("{}\n", person("g")).as_bytes(), 1).unwrap();
    fs::write(crm.join("g.ndjson.ZSTD"), zstd).unwrap();
    fs::write(crm.join("_SUCCESS"), "").unwrap();
    fs::write(crm.join(".a.ndjson.crc"), "crc").unwrap();
    assert_eq!(people_of(folder.path()), Ok(7));
}

#[test]
fn what_is_no_data_beside_a_dataset_is_an_error() {
    for name in [
        "notes.txt",
        "a.csv",
        "a.ndjson.bz2",
        "below/dataset.json",
        "day=1/a.ndjson",
    ] {
        let folder = source();
        let path = folder.path().join("crm").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, format!("{}\n", person("b"))).unwrap();
        let error = people_of(folder.path()).unwrap_err();
        let first = name.split('/').next().unwrap();
        assert!(error.contains(first), "{error}");
    }
}

#[cfg(unix)]
#[test]
fn a_link_to_nowhere_is_an_error_wherever_it_stands() {
    for name in [
        "crm/b.ndjson",
        "web",
        "merge-policies.json",
        "segments.json",
    ] {
        let folder = source();
        std::os::unix::fs::symlink("nowhere", folder.path().join(name)).unwrap();
        let error = people_of(folder.path()).unwrap_err();
        assert!(error.contains(name), "{error}");
    }
    let folder = source();
    fs::create_dir(folder.path().join("web")).unwrap();
    std::os::unix::fs::symlink("nowhere", folder.path().join("web/dataset.json")).unwrap();
    people_of(folder.path()).unwrap_err();
}

#[test]
fn what_is_no_dataset_is_told() {
    let folder = source();
    fs::write(folder.path().join("README.md"), "").unwrap();
    fs::create_dir(folder.path().join("web")).unwrap();
    fs::create_dir(folder.path().join("_old")).unwrap();
    let source = SourceFolder::open(folder.path()).unwrap();
    let names: Vec<_> = (source.passed_over().iter())
        .map(|path| path.file_name().unwrap())
        .collect();
    assert_eq!(names, ["README.md", "web"]);
}
