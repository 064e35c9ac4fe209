//! A store in a folder that goes away, and short ways to use it.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use profile_export::export::Progress;
use profile_export::jobs::{FinishedJob, RunOptions, create_job, run_job};
use profile_export::platform::{DeletedProfile, Result, delete_profile};
use profile_export::request::ExportRequest;
use profile_export::store::{
    DatasetInputs, Input, LoadOptions, LoadReport, OnBadRecord, Scope, Store,
};
use profile_export::xdm::{Class, Dataset, Identity, Timestamp};
use serde_json::{Value, json};
use tempfile::TempDir;

pub const TARGET: &str = "00000000000000000000aaaa";

pub struct Scratch {
    pub folder: TempDir,
    pub store: Store,
    files: std::cell::Cell<usize>,
}

impl Scratch {
    pub fn new() -> Self {
        Self::with(|store| store)
    }

    /// With a store that `prepare` prepares.
    pub fn with(prepare: impl FnOnce(Store) -> Store) -> Self {
        let folder = TempDir::new().unwrap();
        let store = Store::open_temporary(folder.path().join("store"), Scope::default()).unwrap();
        let store = prepare(store);
        store
            .catalog()
            .create_dataset(Dataset::target(TARGET, "target"))
            .unwrap();
        Self {
            folder,
            store,
            files: 0.into(),
        }
    }

    pub fn dataset(&self, id: &str, class: Class, more: Value) {
        let mut body = json!({"id": id, "name": format!("dataset {id}"), "class": class});
        for (key, value) in more.as_object().unwrap() {
            body[key] = value.clone();
        }
        let dataset = serde_json::from_value(body).unwrap();
        self.store.catalog().create_dataset(dataset).unwrap();
    }

    /// A new file with this text.
    pub fn file(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let number = self.files.get();
        self.files.set(number + 1);
        let path = self.folder.path().join(format!("{number}-{name}"));
        fs::write(&path, text).unwrap();
        path
    }

    pub fn load(&self, dataset: &str, records: &[Value]) -> Result<LoadReport> {
        let text: String = records.iter().map(|r| format!("{r}\n")).collect();
        self.load_text(dataset, text, &OnBadRecord::Fail)
    }

    pub fn load_text(
        &self,
        dataset: &str,
        text: impl AsRef<[u8]>,
        on_bad: &OnBadRecord,
    ) -> Result<LoadReport> {
        let file = Input::File(self.file("records.ndjson", text));
        let load = DatasetInputs::new(dataset, vec![file]);
        let options = LoadOptions {
            on_bad_record: on_bad.clone(),
            now: Timestamp::from_millis(1_000),
            ..LoadOptions::default()
        };
        Ok(self.store.ingest(&[load], &options, &Progress::default())?)
    }

    /// Deletes the records that bear an identity.
    pub fn delete(&self, identity: &Identity) -> DeletedProfile {
        delete_profile(&self.store, identity, None, None, &Progress::default()).unwrap()
    }

    pub fn run(&self, request: &Value) -> Result<FinishedJob> {
        let request = ExportRequest::from_json(request.to_string().as_bytes())?;
        let job = create_job(&self.store, &request)?;
        run_job(&self.store, job.id, &RunOptions::default(), &Arc::default())
    }

    /// The rows of each batch.
    pub fn export(&self, request: &Value) -> Vec<Vec<Value>> {
        batches(&self.run(request).unwrap())
    }

    /// The rows of the only batch.
    pub fn rows(&self, request: &Value) -> Vec<Value> {
        let mut batches = self.export(request);
        assert_eq!(batches.len(), 1);
        batches.remove(0)
    }
}

/// The rows of each batch of a job.
pub fn batches(finished: &FinishedJob) -> Vec<Vec<Value>> {
    let mut batches = Vec::new();
    for batch in &finished.batches {
        let paths = batch.files.iter().map(|file| batch.folder.join(&file.name));
        batches.push(
            paths
                .flat_map(|path| crate::readback::rows(&path))
                .collect(),
        );
    }
    batches
}

/// A request with what every request has.
pub fn request(more: Value) -> Value {
    let mut body = json!({
        "schema": {"name": "_xdm.context.profile"},
        "destination": {"datasetId": TARGET},
    });
    for (key, value) in more.as_object().unwrap() {
        body[key] = value.clone();
    }
    body
}

/// Rows in an order that does not depend on the store's.
pub fn sorted(mut rows: Vec<Value>) -> Vec<String> {
    rows.sort_by_key(canonical);
    rows.iter().map(canonical).collect()
}

/// JSON text with sorted keys.
fn canonical(value: &Value) -> String {
    match value {
        Value::Object(object) => {
            let mut entries: Vec<String> = object
                .iter()
                .map(|(key, value)| format!("{key:?}:{}", canonical(value)))
                .collect();
            entries.sort();
            format!("{{{}}}", entries.join(","))
        }
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(canonical).collect();
            format!("[{}]", items.join(","))
        }
        other => other.to_string(),
    }
}
