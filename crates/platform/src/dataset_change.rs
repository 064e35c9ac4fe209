use export::RequestError;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use xdm::{Dataset, Timestamp};

use crate::dataset_body::{FileDescription, SchemaRefBody};

/// The body of the platform's `PATCH /dataSets/{id}` by fields, and of `PUT`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = DatasetChangeRequest))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DatasetChange {
    /// Unique within its sandbox.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(nullable = false, pattern = r"\S"))]
    pub name: Option<String>,
    /// For people.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub description: Option<String>,
    /// Labels: all of them.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub tags: Option<Map<String, Value>>,
    /// How its files are kept.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub file_description: Option<FileDescription>,
    /// The schema that it was created on, which stays.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub schema_ref: Option<SchemaRefBody>,
    /// ACTIVE.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub state: Option<String>,
    /// Read and ignored, as newer versions of the platform do.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub aspect: Option<String>,
    /// Read and ignored: where its files are listed follows from its ID.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub files: Option<String>,
}

impl DatasetChange {
    /// Makes the change: of the fields that it names, or where it `replaces` the whole, of those that it lacks, too.
    ///
    /// # Errors
    /// A replacement without a name; another schema or state.
    pub fn apply(
        self,
        dataset: &mut Dataset,
        replaces: bool,
        now: Timestamp,
    ) -> Result<(), RequestError> {
        let refuse = |path: &str, problem: String| Err(RequestError::new(path, problem));
        match self.name {
            Some(name) if name.trim().is_empty() => {
                return refuse("name", "found \"\"; a dataset needs a name".to_owned());
            }
            Some(name) => dataset.name = name,
            None if replaces => return refuse("name", "missing".to_owned()),
            None => {}
        }
        if let Some(state) = self.state.filter(|state| state != "ACTIVE") {
            return refuse(
                "state",
                format!("found {state:?}; datasets here are ACTIVE"),
            );
        }
        if let Some(wanted) = self.schema_ref {
            let known = dataset.schema_ref.as_ref();
            let known = known.and_then(|known| known["id"].as_str());
            let known = known.unwrap_or(dataset.class.union_id());
            if wanted.id != known {
                return refuse(
                    "schemaRef.id",
                    format!(
                        "found {:?}; the schema of a dataset stays, here {known:?}",
                        wanted.id
                    ),
                );
            }
        }
        if self.tags.is_some() || replaces {
            dataset.tags = self.tags.unwrap_or_default();
        }
        if self.description.is_some() || replaces {
            dataset.description = self.description;
        }
        match self.file_description {
            Some(description) => dataset.file_description = Some(json!(description)),
            None if replaces => {
                dataset.file_description = Some(Dataset::default_file_description())
            }
            None => {}
        }
        dataset.updated = Some(now.millis());
        Ok(())
    }
}
