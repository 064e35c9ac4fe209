//! What every fault begins with: a store, a source folder, a request, and what can be seen of them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use profile_export::arrow::array::RecordBatch;
use profile_export::export::{Export, Plan, UnionSchemas};
use profile_export::jobs::{JobPage, JobStatus, list_jobs, sweep};
use profile_export::request::{ExportRequest, MergePolicy};
use profile_export::store::{BatchQuery, Scope, Store};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::program::program;

pub const CRM: &str = "00000000000000000000000a";
pub const VISITS: &str = "00000000000000000000000b";
pub const TARGET: &str = "00000000000000000000000c";

/// A folder in memory where there is one: thousands of stores are made and synced.
fn folder() -> TempDir {
    let memory = Path::new("/dev/shm");
    let made = match memory.is_dir() {
        true => TempDir::new_in(memory),
        false => TempDir::new(),
    };
    made.unwrap()
}

/// A folder with a store of two datasets, each of two runs, and one batch; and files to go on with.
pub struct Ground {
    folder: TempDir,
}

impl Ground {
    pub fn new() -> Self {
        let ground = Self { folder: folder() };
        let source = ground.path("source");
        let dataset =
            |id: &str, name: &str, class: &str| json!({"id": id, "name": name, "class": class});
        write(
            &source.join("crm/dataset.json"),
            &[dataset(CRM, "crm", "profile")],
        );
        write(&source.join("crm/a.ndjson"), &people(0..40, "first"));
        write(
            &source.join("visits/dataset.json"),
            &[dataset(VISITS, "visits", "event")],
        );
        write(&source.join("visits/a.ndjson"), &visits(0..60));
        write(&ground.path("more.ndjson"), &people(30..70, "later"));
        let request = json!({"schema": {"name": "_xdm.context.profile"}, "additionalFields": {"eventList": {}},
                             "destination": {"datasetId": TARGET}});
        write(&ground.path("request.json"), &[request]);

        let schema = json!({"id": "https://ns.adobe.com/xdm/context/profile__union"});
        let target = json!({"id": TARGET, "name": "target", "schemaRef": schema});
        write(&ground.path("target.json"), &[target]);
        let second = [
            ("crm", people(20..50, "second")),
            ("visits", visits(50..90)),
        ];
        for (name, records) in &second {
            write(&ground.path(&format!("{name}.ndjson")), records);
        }
        ground.succeeds(&["ingest", "--from", "source"]);
        for (name, _) in second {
            ground.succeeds(&["ingest", "--dataset", name, &format!("{name}.ndjson")]);
        }
        ground.make_target();
        ground.succeeds(&["run", "request.json"]);
        ground
    }

    /// Exports are written into a dataset of the union schema, which has an ID of the catalog's choice.
    fn make_target(&self) {
        use profile_export::xdm::Dataset;
        let dataset = Dataset::target(TARGET, "target");
        self.store().catalog().create_dataset(dataset).unwrap();
    }

    /// The same in a folder of its own.
    pub fn copy(&self) -> Self {
        let copy = Self { folder: folder() };
        copy_all(self.folder.path(), copy.folder.path());
        copy
    }

    pub fn root(&self) -> &Path {
        self.folder.path()
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The program at work on the store, with paths as seen from the folder.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = program();
        command
            .args(arguments)
            .args(["--quiet", "--threads", "2"])
            .current_dir(self.root())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let has_no_store = arguments[0] == "run" && arguments.contains(&"--from");
        if !has_no_store {
            command.args(["--store", "store"]);
        }
        command
    }

    pub fn succeeds(&self, arguments: &[&str]) {
        let output = self.command(arguments).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {output:?}");
    }

    pub fn store(&self) -> Store {
        Store::open(self.path("store"), Scope::default()).unwrap()
    }

    /// How many runs a dataset has.
    pub fn runs(&self, dataset: &str) -> u64 {
        let stats = self.store().stats().unwrap();
        let mut datasets = stats.datasets.iter();
        datasets.find(|found| found.id == dataset).unwrap().runs
    }

    /// The batches that jobs wrote.
    pub fn batches(&self) -> Vec<String> {
        let batches = self.store().catalog().batches(&BatchQuery::default());
        batches
            .unwrap()
            .into_iter()
            .filter(|b| !b.came_in())
            .map(|b| b.id)
            .collect()
    }
}

/// What can be seen of a store and of what was exported out of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// The rows of an export of everything.
    pub rows: Vec<String>,
    /// The datasets' names.
    pub datasets: Vec<String>,
    /// How many batches jobs have written.
    pub batches: usize,
    /// How many jobs say that they succeeded.
    pub succeeded: usize,
    /// The files of each batch in `out`.
    pub out: Vec<Vec<String>>,
}

impl Seen {
    /// What the next who opens the store sees; it must be sound.
    pub fn of(ground: &Ground) -> Self {
        let mut seen = Self {
            out: published(&ground.path("out")),
            ..Self::default()
        };
        if !ground.path("store/catalog.sqlite").exists() {
            return seen;
        }
        let store = ground.store();
        sweep(&store).unwrap();
        assert_eq!(store.verify().unwrap().problems, [] as [&str; 0]);
        let catalog = store.catalog();
        seen.rows = rows(&store).unwrap();
        seen.datasets = catalog
            .datasets()
            .unwrap()
            .into_iter()
            .map(|d| d.name)
            .collect();
        seen.datasets.sort();
        let batches = catalog.batches(&BatchQuery::default()).unwrap();
        seen.batches = batches.iter().filter(|batch| !batch.came_in()).count();
        let jobs = list_jobs(&store, &JobPage::default()).unwrap().records;
        let is = |status| jobs.iter().filter(|job| job.status == status).count();
        assert_eq!(is(JobStatus::Processing), 0, "a dead job was left");
        seen.succeeded = is(JobStatus::Succeeded);
        let known: Vec<&str> = batches.iter().map(|batch| batch.id.as_str()).collect();
        for name in names(&ground.path("store/batches")) {
            assert!(
                known.contains(&name.as_str()),
                "batch {name} is in no catalog"
            );
        }
        assert_eq!(names(&ground.path("store/staging")), [] as [&str; 0]);
        seen
    }
}

/// All rows of an export of everything, as text; or why they can't be had.
pub fn rows(store: &Store) -> Result<Vec<String>, String> {
    let body = json!({"schema": {"name": "_xdm.context.profile"}, "additionalFields": {"eventList": {}},
                      "destination": {"datasetId": TARGET}});
    let request = ExportRequest::from_json(body.to_string().as_bytes()).unwrap();
    let snapshot = store.snapshot(None).map_err(|e| e.to_string())?;
    let policy = MergePolicy::built_in()[0].clone();
    let plan = Plan::new(&request, policy, &UnionSchemas::from(&snapshot)).unwrap();
    let export = Export::new(&snapshot, &plan).map_err(|e| e.to_string())?;
    let mut rows = Vec::new();
    for chunk in export.batch(0).chunks() {
        rows.extend(texts(&chunk.map_err(|e| e.to_string())?));
    }
    Ok(rows)
}

fn texts(batch: &RecordBatch) -> Vec<String> {
    let row = |n| {
        let cells = batch
            .columns()
            .iter()
            .map(|column| format!("{:?}", column.slice(n, 1)));
        cells.collect::<Vec<_>>().join("|")
    };
    (0..batch.num_rows()).map(row).collect()
}

/// The names in a folder; none where there is no folder.
pub fn names(folder: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}

/// The batches that are visible in a folder; names that begin with a dot are hidden.
fn published(out: &Path) -> Vec<Vec<String>> {
    let visible = names(out).into_iter().filter(|name| !name.starts_with('.'));
    visible.map(|name| names(&out.join(name))).collect()
}

fn people(numbers: std::ops::Range<u32>, version: &str) -> Vec<Value> {
    let person = |n| {
        json!({"_id": format!("p{n}"), "version": version, "n": n,
               "identityMap": {"Email": [{"id": format!("p{n}@example.com"), "primary": true}]}})
    };
    numbers.map(person).collect()
}

fn visits(numbers: std::ops::Range<u32>) -> Vec<Value> {
    let visit = |n| {
        json!({"_id": format!("v{n}"), "timestamp": "2026-01-02T03:04:05Z", "page": format!("/{n}"),
               "identityMap": {"Email": [{"id": format!("p{}@example.com", n % 45), "primary": true}]}})
    };
    numbers.map(visit).collect()
}

pub fn write(path: &Path, values: &[Value]) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let lines: Vec<String> = values.iter().map(|value| format!("{value}\n")).collect();
    fs::write(path, lines.concat()).unwrap();
}

fn copy_all(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            fs::create_dir(&target).unwrap();
            copy_all(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), &target).unwrap();
        }
    }
}

/// What all tests copy: made by the first, gone with the last that has it.
pub fn shared() -> Arc<Ground> {
    static GROUND: Mutex<Weak<Ground>> = Mutex::new(Weak::new());
    // A test that could not make it says so itself.
    let mut shared = GROUND.lock().unwrap_or_else(PoisonError::into_inner);
    shared.upgrade().unwrap_or_else(|| {
        let made = Arc::new(Ground::new());
        *shared = Arc::downgrade(&made);
        made
    })
}
