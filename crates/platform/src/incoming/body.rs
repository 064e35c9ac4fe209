use catalog::{Batch, BatchStatus, FileFormat, InputFormat};
use export::RequestError;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use store::Store;
use xdm::Dataset;

use crate::error::Result;

/// The body of the platform's `POST /import/batches`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = IncomingRequest))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct IncomingBody {
    /// The dataset that the records are loaded into.
    pub dataset_id: String,
    /// What its files are; where it is missing, what the dataset's `fileDescription` says, else Parquet.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub input_format: Option<InputFormat>,
    /// Labels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub tags: Option<Map<String, Value>>,
    /// Read and ignored: a bad record is always told with its file, line and reason.
    #[serde(default)]
    pub enable_error_diagnostics: bool,
    /// The platform's way to replace batches; it can't be done here, see below.
    #[serde(default, skip_serializing)]
    #[cfg_attr(feature = "openapi", schema(ignore))]
    pub replay: Option<Value>,
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
        if self.replay.is_some() {
            let problem = "batches can't be replaced at one stroke: take the earlier ones back (action=REVERT) and send a \
                           new one, or send the right records, of which each replaces the one of its identity";
            return refuse("replay", problem.to_owned());
        }
        let catalog = store.catalog();
        let dataset = catalog.dataset(&self.dataset_id)?;
        let Some(dataset) = dataset.filter(|d| d.id == self.dataset_id) else {
            let problem = format!("no dataset {:?}; create it first", self.dataset_id);
            return refuse("datasetId", problem);
        };
        if let Some(problem) = dataset.why_no_input() {
            return refuse("datasetId", problem);
        }
        let input_format = self.input_format.unwrap_or_else(|| InputFormat {
            format: usual_format(&dataset),
            is_multi_line_json: false,
        });
        let batch = Batch {
            input_format: Some(input_format),
            tags: Some(self.tags.unwrap_or_default()),
            ..Batch::of_no_job(&catalog.scope().org, &dataset.id, BatchStatus::Loading)
        };
        catalog.create_batch(&batch)?;
        Ok(batch)
    }
}

/// What a dataset's files are where a batch does not say it.
fn usual_format(dataset: &Dataset) -> FileFormat {
    let format = dataset
        .file_description
        .as_ref()
        .and_then(|d| d.get("format"));
    match format.and_then(Value::as_str) {
        Some("json") => FileFormat::Json,
        _ => FileFormat::Parquet,
    }
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
