//! Batches that come in: created, given files, completed, then loaded by whoever runs the queue.
//!
//! A batch's files wait in a folder of the store under names of our own making; what their senders
//! call them stands in the catalog alone.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use catalog::{
    Batch, BatchError, BatchFile, BatchMetrics, BatchStatus, FileFormat, InputFormat, new_id,
};
use decode::{Input, Progress};
use export::RequestError;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use store::{
    DatasetInputs, JsonForm, LoadOptions, LoadReport, ReadOptions, Store, StoreError, sweep_folder,
};
use xdm::{Timestamp, digest128};

use crate::error::{Error, Result};

/// The body of the platform's `POST /import/batches`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = IncomingRequest))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct IncomingBody {
    /// The dataset that the records are loaded into.
    pub dataset_id: String,
    /// What its files are.
    pub input_format: InputFormat,
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

impl IncomingBody {
    /// Reads a body.
    ///
    /// # Errors
    /// As [`export::read_json`] says.
    pub fn from_json(text: &[u8]) -> Result<Self, RequestError> {
        export::read_json(text)
    }

    /// Creates the batch, in status `loading`.
    ///
    /// # Errors
    /// An unknown dataset, a share of bad records that can't be allowed.
    pub fn create(self, store: &Store) -> Result<Batch> {
        let refuse = |path: &str, problem: String| Err(RequestError::new(path, problem).into());
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
        let now = Timestamp::now();
        let batch = Batch {
            id: new_id(),
            status: BatchStatus::Loading,
            ims_org: catalog.scope().org.clone(),
            related_objects: Batch::of_dataset(&dataset.id),
            job_id: None,
            input_format: Some(self.input_format),
            tags: Some(self.tags.unwrap_or_default()),
            created: now,
            updated: now,
            version: Some("1.0.0".to_owned()),
            metrics: BatchMetrics::default(),
            errors: Some(Vec::new()),
            files: Vec::new(),
            completed: None,
            folder: None,
        };
        catalog.create_batch(&batch)?;
        Ok(batch)
    }
}

/// A batch that comes in and takes files.
pub struct Incoming<'a> {
    store: &'a Store,
    batch: Batch,
}

impl<'a> Incoming<'a> {
    /// The batch with this ID.
    ///
    /// # Errors
    /// There is none, or it takes no more files.
    pub fn open(store: &'a Store, id: &str) -> Result<Self> {
        let batch = store
            .catalog()
            .change_batch::<Error>(id, BatchStatus::Loading, |_| Ok(()))?;
        Ok(Self { store, batch })
    }

    /// The dataset that it is loaded into.
    #[must_use]
    pub fn dataset(&self) -> &str {
        self.batch.dataset()
    }

    /// Begins to take a file of this name; one of the same name that is there is replaced when the
    /// new one is whole.
    ///
    /// # Errors
    /// The file can't be made.
    pub fn begin_file(&self, name: &str) -> Result<IncomingFile> {
        let folder = self.store.layout().incoming_batch(&self.batch.id);
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
        self.change(BatchStatus::Loading, |batch| {
            fs::rename(&file.part, &file.path).map_err(io(&file.path))?;
            batch.files.retain(|known| known.name != file.name);
            batch.files.push(BatchFile {
                name: file.name.clone(),
                length: file.length,
                rows: None,
                digest: None,
            });
            batch.files.sort_by(|a, b| a.name.cmp(&b.name));
            Ok(())
        })
    }

    /// Ends the taking of files: the batch waits to be loaded.
    ///
    /// # Errors
    /// The batch was ended meanwhile.
    pub fn complete(self) -> Result<()> {
        self.change(BatchStatus::Staged, |batch| {
            batch.completed = Some(Timestamp::now().millis());
            Ok(())
        })
    }

    /// Gives the batch up, with its files.
    ///
    /// # Errors
    /// The batch was ended meanwhile.
    pub fn abort(self) -> Result<()> {
        self.change(BatchStatus::Aborted, |_| Ok(()))?;
        remove_files(self.store, &self.batch.id);
        Ok(())
    }

    fn change(&self, to: BatchStatus, change: impl FnOnce(&mut Batch) -> Result<()>) -> Result<()> {
        move_to(self.store, &self.batch.id, BatchStatus::Loading, to, change)?;
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
    let (staged, processing) = (BatchStatus::Staged, BatchStatus::Processing);
    let batch = match move_to(store, id, staged, processing, |_| Ok(())) {
        Ok(batch) => batch,
        // Somebody else loads it, or it is gone with its dataset.
        Err(Error::Store(StoreError::Catalog(
            catalog::Error::Conflict(_) | catalog::Error::NotFound { .. },
        ))) => return Ok(()),
        Err(error) => return Err(error),
    };
    let started = Timestamp::now();
    let loaded = load(store, &batch, progress);
    let (status, read, written, failed) = match &loaded {
        Ok(report) => (BatchStatus::Success, report.read, report.loaded, 0),
        // Asked to stop: whoever runs the queue next begins again.
        Err(error) if error.is_cancelled() => (BatchStatus::Staged, 0, 0, 0),
        Err(_) => (BatchStatus::Failed, progress.snapshot().rows, 0, 1),
    };
    let told = move_to(store, id, processing, status, |batch| {
        batch.metrics = BatchMetrics {
            records_read: Some(read),
            records_written: Some(written),
            records_failed: Some(failed),
            events_written: None,
            start_time: Some(started.millis()),
            end_time: Some(Timestamp::now().millis()),
        };
        if let Err(error) = &loaded
            && status == BatchStatus::Failed
        {
            batch.errors = Some(vec![BatchError {
                code: error.code().to_owned(),
                description: error.to_string(),
            }]);
        }
        Ok(())
    });
    match told {
        // The files stay as long as the catalog does not say how it ended: the load is begun again.
        Ok(batch) if batch.status != BatchStatus::Staged => remove_files(store, id),
        Ok(_) => {}
        // Its dataset was deleted meanwhile, and the batch went with it.
        Err(_) if store.catalog().batch(id)?.is_none() => remove_files(store, id),
        Err(error) => return Err(error),
    }
    Ok(())
}

fn load(store: &Store, batch: &Batch, progress: &Progress) -> Result<LoadReport> {
    let folder = store.layout().incoming_batch(&batch.id);
    let Some(format) = &batch.input_format else {
        let problem = format!("batch {} says nothing of its files' format", batch.id);
        return Err(catalog::Error::Conflict(problem).into());
    };
    let is_parquet = format.format == FileFormat::Parquet;
    let mut names = Vec::new();
    let mut inputs = Vec::new();
    for BatchFile { name, .. } in &batch.files {
        let path = file_path(&folder, name);
        if starts_like_parquet(&path)? != is_parquet {
            let wanted = if is_parquet { "Parquet" } else { "JSON" };
            return Err(decode::Error::Input {
                name: name.clone(),
                problem: format!("is no {wanted} file"),
            }
            .into());
        }
        names.push((path.display().to_string(), name.as_str()));
        inputs.push(Input::File(path));
    }
    let options = LoadOptions {
        // The moment of completion, however often a load is begun again.
        now: (batch.completed).map_or_else(Timestamp::now, Timestamp::from_millis),
        read: ReadOptions {
            json_form: match format.is_multi_line_json {
                true => JsonForm::Documents,
                false => JsonForm::Lines,
            },
            ..ReadOptions::default()
        },
        ..LoadOptions::default()
    };
    let inputs = DatasetInputs::new(batch.dataset(), inputs);
    store
        .ingest(&[inputs], &options, progress)
        .map_err(|error| Error::from(with_sent_name(error, &names)))
}

/// Errors name files as their senders do.
fn with_sent_name(error: StoreError, names: &[(String, &str)]) -> StoreError {
    let sent = |name: String| {
        let known = names.iter().find(|(path, _)| *path == name);
        known.map_or(name, |(_, sent)| (*sent).to_owned())
    };
    match error {
        StoreError::Decode(decode::Error::BadRecord {
            file,
            line,
            problem,
        }) => decode::Error::BadRecord {
            file: sent(file),
            line,
            problem,
        }
        .into(),
        StoreError::Decode(decode::Error::Input { name, problem }) => decode::Error::Input {
            name: sent(name),
            problem,
        }
        .into(),
        StoreError::Decode(decode::Error::Io { path, reason }) => decode::Error::Io {
            path: sent(path.display().to_string()).into(),
            reason,
        }
        .into(),
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

/// Puts the batches whose loading broke off back in line, in any organisation and sandbox, and deletes
/// the files that no batch needs. For whoever runs the queue, when it begins.
///
/// # Errors
/// The catalog can't be read or written.
pub fn sweep_incoming(store: &Store) -> Result<()> {
    let catalog = store.catalog();
    catalog.restage_batches()?;
    let mut wanted = HashSet::new();
    for status in [BatchStatus::Loading, BatchStatus::Staged] {
        let batches = catalog.incoming_batches(status)?;
        wanted.extend(batches.into_iter().map(|(_, id)| id));
    }
    Ok(sweep_folder(&store.layout().incoming(), |id| {
        Ok(!wanted.contains(id))
    })?)
}

fn move_to(
    store: &Store,
    id: &str,
    from: BatchStatus,
    to: BatchStatus,
    change: impl FnOnce(&mut Batch) -> Result<()>,
) -> Result<Batch> {
    store.catalog().change_batch(id, from, |batch| {
        batch.status = to;
        batch.updated = Timestamp::now();
        change(batch)
    })
}

fn remove_files(store: &Store, id: &str) {
    // What can't be removed now is swept at the next start.
    let _ = fs::remove_dir_all(store.layout().incoming_batch(id));
}

/// Where a file that its sender calls `name` lies: the name is a digest, so nothing from outside is a
/// path of ours.
fn file_path(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{:032x}", digest128(name.as_bytes())))
}

fn io(path: &Path) -> impl FnOnce(std::io::Error) -> StoreError + use<> {
    StoreError::io(path)
}

/// What the types above can't say of their values.
#[cfg(feature = "openapi")]
mod described {
    use utoipa::openapi::{Object, ObjectBuilder, Type};

    pub(super) fn percentage() -> Object {
        let number = ObjectBuilder::new().schema_type(Type::Number);
        number.enum_values(Some([0])).build()
    }
}
