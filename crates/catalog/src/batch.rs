use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use xdm::{Timestamp, epoch_millis};

use crate::{BatchStatus, new_id};

/// A batch in the platform's JSON: what a job that succeeded wrote, or what came in to be loaded.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Batch {
    /// 24 hex digits, given out when the job, or the batch, was created.
    pub id: String,
    /// Its state.
    pub status: BatchStatus,
    /// The organisation.
    pub ims_org: String,
    /// The dataset that it was written to, or is loaded into.
    pub related_objects: Vec<RelatedObject>,
    /// The job that wrote it; none where it came in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job_id: Option<i64>,
    /// Whether a statement wrote its files, which are rows of an ad hoc dataset.
    #[serde(default, skip_serializing_if = "is_false")]
    pub written: bool,
    /// What the files are that came in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_format: Option<InputFormat>,
    /// Labels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tags: Option<Map<String, Value>>,
    /// When it was made.
    #[serde(with = "epoch_millis")]
    pub created: Timestamp,
    /// When it was last changed.
    #[serde(with = "epoch_millis")]
    pub updated: Timestamp,
    /// The version of the platform's form.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Its figures.
    #[serde(default)]
    pub metrics: BatchMetrics,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub errors: Option<Vec<BatchError>>,
    /// Its files.
    #[serde(default)]
    pub files: Vec<BatchFile>,
    /// The files that come in parts and are not whole yet.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub uploads: Vec<Upload>,
    /// When its sender said that it is complete: milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completed: Option<i64>,
    /// The places in the store that its records got when they were loaded, from the first to behind the last; none where
    /// it is not loaded, or was by a program that did not note them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sequences: Option<[u64; 2]>,
    /// How often a process ended while it loaded the batch, and left it behind.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub broken_off: u32,
    /// The folder that its files lie in, if not in the store; it has nothing else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folder: Option<PathBuf>,
    /// The folder that its files lie below, among others: where they were named by a template. Not in `folder`, which
    /// goes as a whole when the batch does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub among: Option<PathBuf>,
}

fn is_false(flag: &bool) -> bool {
    !flag
}

fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// A file that comes in parts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Upload {
    /// What its sender calls it.
    pub name: String,
    /// How long it will be, where its parts say so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<u64>,
}

/// Something that a batch belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RelatedObject {
    /// Always `dataSet`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its ID.
    pub id: String,
}

/// What the files of a batch that comes in are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct InputFormat {
    /// JSON or Parquet.
    #[cfg_attr(feature = "openapi", schema(schema_with = described_format))]
    pub format: FileFormat,
    /// For JSON: objects over several lines, or lists of objects, instead of an object a line.
    #[serde(default)]
    pub is_multi_line_json: bool,
}

/// Inlined by hand: the derive says of a described enum that it is an object, too.
#[cfg(feature = "openapi")]
fn described_format() -> utoipa::openapi::schema::Object {
    utoipa::openapi::schema::ObjectBuilder::new()
        .schema_type(utoipa::openapi::schema::Type::String)
        .enum_values(Some(["json", "parquet"]))
        .description(Some("JSON or Parquet."))
        .build()
}

/// Formats of files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum FileFormat {
    /// JSON, an object a line or several.
    Json,
    /// Parquet.
    Parquet,
}

/// Figures of a batch, each where it is known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct BatchMetrics {
    /// Records in its files.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub records_read: Option<u64>,
    /// Rows that a job wrote, or records that are new in the store.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub records_written: Option<u64>,
    /// Records that could not be loaded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub records_failed: Option<u64>,
    /// Events in the rows that a job wrote.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub events_written: Option<u64>,
    /// When the work began: milliseconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_time: Option<i64>,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_time: Option<i64>,
}

/// Why a batch failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchError {
    /// A stable code; docs/errors.md lists them.
    pub code: String,
    /// What went wrong, for who sent the batch.
    pub description: String,
    /// What went wrong here, for who runs the store: it may name files of this machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
}

/// A file of a batch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchFile {
    /// Its name within the batch; of one that came in, what its sender calls it.
    pub name: String,
    /// Its length in bytes.
    pub length: u64,
    /// How many rows a job wrote into it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<u64>,
    /// The digest of the bytes that a job wrote: `xxh3-128:` and 32 hex digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
}

impl Batch {
    /// A batch of no job, which has nothing yet.
    #[must_use]
    pub fn of_no_job(org: &str, dataset: &str, status: BatchStatus) -> Self {
        let now = Timestamp::now();
        Self {
            id: new_id(),
            status,
            ims_org: org.to_owned(),
            related_objects: Self::of_dataset(dataset),
            job_id: None,
            written: false,
            input_format: None,
            tags: Some(Map::new()),
            created: now,
            updated: now,
            version: Some("1.0.0".to_owned()),
            metrics: BatchMetrics::default(),
            errors: Some(Vec::new()),
            files: Vec::new(),
            completed: None,
            sequences: None,
            uploads: Vec::new(),
            broken_off: 0,
            folder: None,
            among: None,
        }
    }

    /// Whether it came in, rather than being what a job or a statement wrote: its records are part of the store's, and it
    /// has no files of its own.
    #[must_use]
    pub fn came_in(&self) -> bool {
        self.job_id.is_none() && !self.written
    }

    /// The folder outside of the store that its files are in, or below, if they are.
    #[must_use]
    pub fn outside(&self) -> Option<&Path> {
        self.folder.as_deref().or(self.among.as_deref())
    }

    /// The ID of the dataset that it belongs to; empty where it says none.
    #[must_use]
    pub fn dataset(&self) -> &str {
        let dataset = self.related_objects.first();
        dataset.map_or("", |object| &object.id)
    }

    /// What its `relatedObjects` say of a dataset.
    #[must_use]
    pub fn of_dataset(id: &str) -> Vec<RelatedObject> {
        vec![RelatedObject {
            kind: "dataSet".to_owned(),
            id: id.to_owned(),
        }]
    }
}

impl BatchFile {
    /// The digest as text.
    #[must_use]
    pub fn digest_text(digest: u128) -> String {
        format!("xxh3-128:{digest:032x}")
    }

    /// The digest of a text; `None` where it is none.
    #[must_use]
    pub fn digest_of_text(text: &str) -> Option<u128> {
        let digits = text
            .strip_prefix("xxh3-128:")
            .filter(|digits| digits.len() == 32)?;
        u128::from_str_radix(digits, 16).ok()
    }
}
