use catalog::FileFormat;
use export::RequestError;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use xdm::{Class, Dataset};

/// The body of the platform's `POST /dataSets`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = DatasetRequest))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DatasetBody {
    /// Unique within its sandbox.
    #[cfg_attr(feature = "openapi", schema(pattern = r"\S"))]
    pub name: String,
    /// The schema that it is created on.
    pub schema_ref: SchemaRefBody,
    /// How its files are kept; persisted Parquet where it is missing.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub file_description: Option<FileDescription>,
    /// Read and ignored, as newer versions of the platform do.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub aspect: Option<String>,
    /// Labels.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub tags: Option<Map<String, Value>>,
    /// For people.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub description: Option<String>,
}

/// Names a schema.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SchemaRefBody {
    /// The schema's `$id`.
    pub id: String,
    /// The form of the schema.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub content_type: Option<String>,
}

/// How a dataset's files are kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FileDescription {
    /// Whether they are kept at all.
    #[serde(default)]
    pub persisted: bool,
    /// The same as `format`.
    #[serde(default = "parquet")]
    #[cfg_attr(feature = "openapi", schema(schema_with = described::format))]
    pub container_format: FileFormat,
    /// What the files are that come in; what an export writes is Parquet.
    #[serde(default = "parquet")]
    #[cfg_attr(feature = "openapi", schema(schema_with = described::format))]
    pub format: FileFormat,
}

fn parquet() -> FileFormat {
    FileFormat::Parquet
}

/// What the types above can't say of their values.
#[cfg(feature = "openapi")]
mod described {
    use utoipa::openapi::{Object, ObjectBuilder, Type};

    pub(super) fn format() -> Object {
        let word = ObjectBuilder::new().schema_type(Type::String);
        word.enum_values(Some(["json", "parquet"])).build()
    }
}

impl DatasetBody {
    /// Reads a body.
    ///
    /// # Errors
    /// As [`export::read_json`] says.
    pub fn from_json(text: &[u8]) -> Result<Self, RequestError> {
        export::read_json(text)
    }

    /// The dataset that it describes. Its schema's `$id` tells the class: experience events where it
    /// says so, profiles else.
    #[must_use]
    pub fn into_dataset(self) -> Dataset {
        let id = self.schema_ref.id.to_ascii_lowercase();
        let class = Class::from_union_id(&self.schema_ref.id).unwrap_or_else(|| {
            if id.contains("experienceevent") {
                Class::Event
            } else {
                Class::Profile
            }
        });
        let mut dataset = Dataset::target("", &self.name);
        dataset.class = class;
        dataset.description = self.description;
        dataset.tags = self.tags.unwrap_or_default();
        dataset.schema_ref = Some(serde_json::json!(self.schema_ref));
        if let Some(description) = self.file_description {
            dataset.file_description = Some(serde_json::json!(description));
        }
        dataset
    }
}
