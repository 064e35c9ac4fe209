//! Batches that come in: created, given files, completed, then loaded by whoever runs the queue.
//!
//! A batch's files wait in a folder of the store under names of our own making; what their senders
//! call them stands in the catalog alone.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Deserializer, Map, Value, json};
use store::{
    BatchRecord, DatasetInputs, Input, LoadReport, OnBadRecord, Progress, Store, StoreError, new_id,
};
use xdm::digest128;

use crate::error::{Error, Result};
use crate::job::{now_millis, set};
use crate::request::RequestError;

/// The body of the platform's `POST /import/batches`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = IncomingRequest))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct IncomingBody {
    /// The dataset that the records are loaded into.
    pub dataset_id: String,
    /// What its files are.
    pub input_format: IncomingFormat,
    /// Labels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub tags: Option<Map<String, Value>>,
    /// Read and ignored: a bad record is always told with its file, line and reason.
    #[serde(default)]
    pub enable_error_diagnostics: bool,
    /// Only 0 can be done: a batch loads whole or not at all.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(schema_with = described::percentage))]
    pub partial_ingestion_percentage: f64,
}

/// What the files of a batch that comes in are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct IncomingFormat {
    /// `json` or `parquet`.
    #[cfg_attr(feature = "openapi", schema(schema_with = described::format))]
    pub format: String,
    /// For `json`: objects over several lines, or lists of objects, instead of an object a line.
    #[serde(default)]
    pub is_multi_line_json: bool,
}

impl IncomingBody {
    /// Creates the batch, in status `loading`.
    ///
    /// # Errors
    /// An unknown dataset, a format that there isn't.
    pub fn create(self, store: &Store) -> Result<BatchRecord> {
        let refuse = |path: &str, problem: String| Err(RequestError::new(path, problem).into());
        if !["json", "parquet"].contains(&self.input_format.format.as_str()) {
            let found = &self.input_format.format;
            return refuse(
                "inputFormat.format",
                format!("found {found:?}; allowed are \"json\" and \"parquet\""),
            );
        }
        if self.partial_ingestion_percentage != 0.0 {
            return refuse(
                "partialIngestionPercentage",
                "only 0 is allowed: a batch loads whole or not at all".to_owned(),
            );
        }
        let catalog = store.catalog();
        let dataset = catalog.dataset(&self.dataset_id)?;
        let Some(dataset) = dataset.filter(|d| d.id == self.dataset_id) else {
            let problem = format!("no dataset {:?}; create it first", self.dataset_id);
            return refuse("datasetId", problem);
        };
        let (id, now) = (new_id(), now_millis());
        let batch = BatchRecord {
            body: json!({
                "id": id,
                "status": "loading",
                "imsOrg": catalog.scope().org,
                "relatedObjects": [{"type": "dataSet", "id": dataset.id}],
                "inputFormat": self.input_format,
                "tags": self.tags.unwrap_or_default(),
                "created": now,
                "updated": now,
                "version": "1.0.0",
                "metrics": {},
                "errors": [],
                "files": [],
            }),
            id,
            dataset: dataset.id,
            status: "loading".to_owned(),
        };
        catalog.create_batch(&batch, now)?;
        Ok(batch)
    }
}

/// A batch that comes in and takes files.
pub struct Incoming<'a> {
    store: &'a Store,
    batch: BatchRecord,
}

impl<'a> Incoming<'a> {
    /// The batch with this ID.
    ///
    /// # Errors
    /// There is none, or it takes no more files.
    pub fn open(store: &'a Store, id: &str) -> Result<Self> {
        let batch = store.catalog().change_batch(id, "loading", |_| Ok(()))?;
        Ok(Self { store, batch })
    }

    /// The dataset that it is loaded into.
    #[must_use]
    pub fn dataset(&self) -> &str {
        &self.batch.dataset
    }

    /// Begins to take a file of this name; one of the same name that is there is replaced when the
    /// new one is whole.
    ///
    /// # Errors
    /// The file can't be made.
    pub fn begin_file(&self, name: &str) -> Result<IncomingFile> {
        let folder = self.store.incoming_folder().join(&self.batch.id);
        fs::create_dir_all(&folder).map_err(io(&folder))?;
        let path = file_path(&folder, name);
        let part = folder.join(format!("{}.part", new_id()));
        let file = File::create_new(&part).map_err(io(&part))?;
        Ok(IncomingFile {
            name: name.to_owned(),
            part,
            path,
            file,
            length: 0,
        })
    }

    /// Makes a whole file part of the batch.
    ///
    /// # Errors
    /// The file can't be synced; the batch was ended meanwhile.
    pub fn finish_file(&self, file: IncomingFile) -> Result<()> {
        file.file.sync_all().map_err(io(&file.part))?;
        self.change("loading", |batch| {
            fs::rename(&file.part, &file.path).map_err(io(&file.path))?;
            if let Some(Value::Array(files)) = batch.body.get_mut("files") {
                files.retain(|known| name_of(known) != file.name);
                files.push(json!({"name": file.name, "length": file.length}));
                files.sort_by(|a, b| name_of(a).cmp(name_of(b)));
            }
            Ok(())
        })
    }

    /// Ends the taking of files: the batch waits to be loaded.
    ///
    /// # Errors
    /// The batch was ended meanwhile.
    pub fn complete(self) -> Result<()> {
        self.change("staged", |batch| {
            set(&mut batch.body, "completed", json!(now_millis()));
            Ok(())
        })
    }

    /// Gives the batch up, with its files.
    ///
    /// # Errors
    /// The batch was ended meanwhile.
    pub fn abort(self) -> Result<()> {
        self.change("aborted", |_| Ok(()))?;
        remove_files(self.store, &self.batch.id);
        Ok(())
    }

    fn change(
        &self,
        to: &str,
        change: impl FnOnce(&mut BatchRecord) -> store::Result<()>,
    ) -> Result<()> {
        move_to(self.store, &self.batch.id, "loading", to, change)?;
        Ok(())
    }
}

/// A file on its way into a batch.
pub struct IncomingFile {
    name: String,
    part: PathBuf,
    path: PathBuf,
    file: File,
    length: u64,
}

impl IncomingFile {
    /// Adds bytes.
    ///
    /// # Errors
    /// The file can't be written.
    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.file.write_all(bytes).map_err(io(&self.part))?;
        self.length += bytes.len() as u64;
        Ok(())
    }
}

impl Drop for IncomingFile {
    fn drop(&mut self) {
        // Gone where the file is whole; else its sender broke off.
        let _ = fs::remove_file(&self.part);
    }
}

/// Loads a batch whose files are complete; its status says how it ended. Does nothing where somebody
/// else loads it.
///
/// # Errors
/// The catalog can't be read or written. What is wrong with the batch's records is told in the batch.
pub fn load_incoming(store: &Store, id: &str, progress: &Progress) -> Result<()> {
    let Ok(batch) = move_to(store, id, "staged", "processing", |_| Ok(())) else {
        return Ok(());
    };
    let started = now_millis();
    let loaded = load(store, &batch, progress);
    let (status, read, written, failed) = match &loaded {
        Ok(report) => ("success", report.read, report.loaded, 0),
        // Asked to stop: whoever runs the queue next begins again.
        Err(error) if error.is_cancelled() => ("staged", 0, 0, 0),
        Err(_) => ("failed", progress.rows(), 0, 1),
    };
    let told = move_to(store, id, "processing", status, |batch| {
        let metrics = json!({
            "recordsRead": read,
            "recordsWritten": written,
            "recordsFailed": failed,
            "startTime": started,
            "endTime": now_millis(),
        });
        set(&mut batch.body, "metrics", metrics);
        if let Err(error) = &loaded
            && status == "failed"
        {
            let message = error.to_string();
            let errors = json!([{"code": error.code(), "description": message}]);
            set(&mut batch.body, "errors", errors);
        }
        Ok(())
    });
    if status != "staged" {
        remove_files(store, id);
    }
    match told {
        // Its dataset was deleted meanwhile, and the batch went with it.
        Err(_) if store.catalog().batch(id)?.is_none() => Ok(()),
        told => told.map(|_| ()),
    }
}

fn load(store: &Store, batch: &BatchRecord, progress: &Progress) -> Result<LoadReport> {
    let folder = store.incoming_folder().join(&batch.id);
    let text = |path: &str| batch.body.pointer(path).and_then(Value::as_str);
    let is_parquet = text("/inputFormat/format") == Some("parquet");
    let multi_line = batch.body.pointer("/inputFormat/isMultiLineJson") == Some(&json!(true));
    let files = batch.body.get("files").and_then(Value::as_array);
    let mut names = Vec::new();
    let mut inputs = Vec::new();
    for file in files.into_iter().flatten() {
        let name = name_of(file);
        let mut path = file_path(&folder, name);
        if multi_line && !is_parquet {
            path = one_a_line(&path, name)?;
        }
        if starts_like_parquet(&path)? != is_parquet {
            let wanted = if is_parquet { "Parquet" } else { "JSON" };
            return Err(StoreError::Refused(format!("{name}: is no {wanted} file")).into());
        }
        names.push((path.display().to_string(), name));
        inputs.push(Input::File(path));
    }
    let inputs = DatasetInputs {
        dataset: batch.dataset.clone(),
        inputs,
        ingested_at: None,
        keep: None,
    };
    // The moment of completion, however often a load is begun again.
    let completed = batch.body.get("completed").and_then(Value::as_i64);
    let now = completed.unwrap_or_else(now_millis) * 1000;
    store
        .ingest(&[inputs], &OnBadRecord::Fail, now, progress)
        .map_err(|error| Error::from(with_sent_name(error, &names)))
}

/// Errors name files as their senders do.
fn with_sent_name(error: StoreError, names: &[(String, &str)]) -> StoreError {
    match error {
        StoreError::BadRecord {
            file,
            line,
            problem,
        } => {
            let sent = names.iter().find(|(path, _)| *path == file);
            StoreError::BadRecord {
                file: sent.map_or(file, |(_, name)| (*name).to_owned()),
                line,
                problem,
            }
        }
        other => other,
    }
}

fn starts_like_parquet(path: &Path) -> Result<bool> {
    use std::io::Read;
    let mut magic = Vec::new();
    let file = File::open(path).map_err(io(path))?;
    file.take(4).read_to_end(&mut magic).map_err(io(path))?;
    Ok(magic == b"PAR1")
}

/// Writes objects that stand over several lines, or in lists, an object a line.
fn one_a_line(path: &Path, name: &str) -> Result<PathBuf> {
    let text = fs::read(path).map_err(io(path))?;
    let target = path.with_extension("lines");
    let mut out = std::io::BufWriter::new(File::create(&target).map_err(io(&target))?);
    for value in Deserializer::from_slice(&text).into_iter::<Value>() {
        let value = value.map_err(|error| StoreError::BadRecord {
            file: name.to_owned(),
            line: error.line() as u64,
            problem: error.to_string(),
        })?;
        let records = match value {
            Value::Array(list) => list,
            one => vec![one],
        };
        for record in records {
            writeln!(out, "{record}").map_err(io(&target))?;
        }
    }
    out.flush().map_err(io(&target))?;
    Ok(target)
}

/// Puts the batches whose loading broke off back in line, in any organisation and sandbox, and deletes
/// the files that no batch needs. For whoever runs the queue, when it begins.
///
/// # Errors
/// The catalog can't be read or written.
pub fn sweep_incoming(store: &Store) -> Result<()> {
    let catalog = store.catalog();
    catalog.restage_batches()?;
    let mut wanted = Vec::new();
    for status in ["loading", "staged"] {
        let batches = catalog.incoming_batches(status)?;
        wanted.extend(batches.into_iter().map(|(_, id)| id));
    }
    let folder = store.incoming_folder();
    for entry in fs::read_dir(&folder).map_err(io(&folder))? {
        let entry = entry.map_err(io(&folder))?;
        let id = entry.file_name().to_string_lossy().into_owned();
        if !wanted.contains(&id) {
            remove_files(store, &id);
        }
    }
    Ok(())
}

fn move_to(
    store: &Store,
    id: &str,
    from: &str,
    to: &str,
    change: impl FnOnce(&mut BatchRecord) -> store::Result<()>,
) -> Result<BatchRecord> {
    Ok(store.catalog().change_batch(id, from, |batch| {
        batch.status = to.to_owned();
        set(&mut batch.body, "status", json!(to));
        set(&mut batch.body, "updated", json!(now_millis()));
        change(batch)
    })?)
}

fn remove_files(store: &Store, id: &str) {
    let _ = fs::remove_dir_all(store.incoming_folder().join(id));
}

/// Where a file that its sender calls `name` lies: the name is a digest, so nothing from outside is a
/// path of ours.
fn file_path(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{:032x}", digest128(name.as_bytes())))
}

fn name_of(file: &Value) -> &str {
    file.get("name").and_then(Value::as_str).unwrap_or_default()
}

fn io(path: &Path) -> impl FnOnce(std::io::Error) -> StoreError {
    let path = path.to_owned();
    move |source| StoreError::Io { path, source }
}

/// What the types above can't say of their values.
#[cfg(feature = "openapi")]
mod described {
    use utoipa::openapi::{Object, ObjectBuilder, Type};

    pub(super) fn format() -> Object {
        let name = ObjectBuilder::new().schema_type(Type::String);
        name.enum_values(Some(["json", "parquet"])).build()
    }

    pub(super) fn percentage() -> Object {
        let number = ObjectBuilder::new().schema_type(Type::Number);
        number.enum_values(Some([0])).build()
    }
}
