use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::{
    Class, FieldPath, FieldType, Fields, PathError, SchemaError, Timestamp, epoch_millis,
    fields_from_json_schema,
};

/// A dataset: what `dataset.json` of a source folder says, with what the platform's API adds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Dataset {
    /// 24 lower-case hex digits; given out where it is empty.
    #[serde(default)]
    pub id: String,
    /// Unique within its sandbox.
    pub name: String,
    /// The class of its records; a dataset of the profile union schema is a target of exports.
    pub class: Class,
    /// Where the primary identity stands, as `path=Namespace`, if not in `identityMap`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub primary_identity: Option<String>,
    /// The path of the field that holds the ingest timestamp.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ingested_at_field: Option<String>,
    /// The XDM schema, as JSON Schema.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<Value>,
    /// Of a dataset whose rows are no records of a class: what they have, as JSON Schema. Its batches are files of rows,
    /// and nothing of them is part of profiles.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ad_hoc: Option<Value>,
    /// Paths of objects whose keys are data.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub maps: Vec<String>,
    /// Ids that stand for nobody, beside those that never do, such as `n/a`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub placeholder_identities: Vec<String>,
    /// The `$id` of the schema that it is created on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema_ref: Option<Value>,
    /// How its files are kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file_description: Option<Value>,
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Labels.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub tags: Map<String, Value>,
    /// When it was made; in JSON milliseconds since 1970.
    #[serde(default, with = "epoch_millis")]
    pub created: Timestamp,
    /// When its description last changed, in milliseconds since 1970; missing where it never did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub updated: Option<i64>,
}

/// Labels by which the platform decides what becomes of a dataset's records, each with what becomes of them here whatever it
/// says.
const LABELS_NOT_DONE: [(&str, &str, &str); 3] = [
    (
        "unifiedProfile",
        "enabled:false",
        "records of every dataset are part of profiles, unless a merge policy with dataSetPrecedence leaves it out",
    ),
    (
        "unifiedProfile",
        "isUpsert:true",
        "a record replaces the earlier one of its identity as a whole",
    ),
    (
        "unifiedIdentity",
        "enabled:false",
        "identities of every dataset are part of the graph",
    ),
];

/// A primary identity that stands at a declared path, in a fixed namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrimaryIdentity {
    /// The path of a string field.
    pub path: FieldPath,
    /// The namespace's code.
    pub namespace: String,
}

/// What is wrong with a dataset's description.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DatasetError {
    /// The ID is no ID.
    #[error("dataset ID {0:?}: expected 24 lower-case hex digits")]
    Id(String),
    /// It has no name.
    #[error("a dataset needs a name")]
    NoName,
    /// `primaryIdentity` is no path with a namespace.
    #[error(
        "dataset {dataset}: primary identity {text:?}: expected a path and a namespace, such as \
         personalEmail.address=Email"
    )]
    PrimaryIdentity {
        /// The dataset's name.
        dataset: String,
        /// What was found.
        text: String,
    },
    /// A text that should be a field path is none.
    #[error("dataset {dataset}: {source}")]
    Path {
        /// The dataset's name.
        dataset: String,
        /// What is wrong with the path.
        source: PathError,
    },
    /// The schema can't be read.
    #[error("dataset {dataset}: {source}")]
    Schema {
        /// The dataset's name.
        dataset: String,
        /// What is wrong with it.
        source: SchemaError,
    },
}

impl Dataset {
    /// Checks all that the description says by itself.
    ///
    /// # Errors
    /// The first thing that is wrong with it.
    pub fn check(&self) -> Result<(), DatasetError> {
        if !Self::is_id(&self.id) {
            return Err(DatasetError::Id(self.id.clone()));
        }
        if self.name.trim().is_empty() {
            return Err(DatasetError::NoName);
        }
        self.primary()?;
        self.ingest_field()?;
        self.declared_fields()?;
        self.ad_hoc_fields()?;
        Ok(())
    }

    /// The declared primary identity.
    ///
    /// # Errors
    /// A text that is not `path=Namespace`.
    pub fn primary(&self) -> Result<Option<PrimaryIdentity>, DatasetError> {
        let Some(text) = &self.primary_identity else {
            return Ok(None);
        };
        let (path, namespace) = text
            .rsplit_once('=')
            .filter(|(_, namespace)| !namespace.trim().is_empty())
            .ok_or_else(|| DatasetError::PrimaryIdentity {
                dataset: self.name.clone(),
                text: text.clone(),
            })?;
        Ok(Some(PrimaryIdentity {
            path: self.path(path)?,
            namespace: namespace.trim().to_owned(),
        }))
    }

    /// The path of the ingest timestamp's field.
    ///
    /// # Errors
    /// A text that is no field path.
    pub fn ingest_field(&self) -> Result<Option<FieldPath>, DatasetError> {
        self.ingested_at_field
            .as_deref()
            .map(|text| self.path(text))
            .transpose()
    }

    fn path(&self, text: &str) -> Result<FieldPath, DatasetError> {
        FieldPath::parse(text).map_err(|source| DatasetError::Path {
            dataset: self.name.clone(),
            source,
        })
    }

    /// The fields that its schema declares, and its maps.
    ///
    /// # Errors
    /// A schema that can't be read.
    pub fn declared_fields(&self) -> Result<Fields, DatasetError> {
        let mut fields = self.fields_of(self.schema.as_ref())?;
        for path in &self.maps {
            let path = self.path(path)?;
            fields.set_at(&path, FieldType::Map(Box::new(FieldType::Unknown)));
        }
        Ok(fields)
    }

    /// What the rows of an ad hoc dataset have; nothing of any other.
    ///
    /// # Errors
    /// A schema that can't be read.
    pub fn ad_hoc_fields(&self) -> Result<Fields, DatasetError> {
        self.fields_of(self.ad_hoc.as_ref())
    }

    fn fields_of(&self, schema: Option<&Value>) -> Result<Fields, DatasetError> {
        let Some(schema) = schema else {
            return Ok(Fields::default());
        };
        fields_from_json_schema(schema).map_err(|source| DatasetError::Schema {
            dataset: self.name.clone(),
            source,
        })
    }

    /// Why exports can't write into it, if they can't.
    #[must_use]
    pub fn why_no_target(&self) -> Option<String> {
        let schema = self.schema_ref.as_ref().and_then(|r| r.get("id"));
        let union = Class::Profile.union_id();
        if schema.and_then(Value::as_str) != Some(union) {
            return Some(format!(
                "dataset {} ({:?}) has the schema {}; an export writes to a dataset of {union}",
                self.id,
                self.name,
                schema.unwrap_or(&Value::Null)
            ));
        }
        let persisted = self
            .file_description
            .as_ref()
            .and_then(|f| f.get("persisted"));
        if persisted != Some(&Value::Bool(true)) {
            return Some(format!(
                "dataset {} ({:?}) has fileDescription.persisted {}; an export needs true",
                self.id,
                self.name,
                persisted.unwrap_or(&Value::Null)
            ));
        }
        let format = self.file_description.as_ref().and_then(|f| f.get("format"));
        if format.is_some_and(|format| format != "parquet") {
            return Some(format!(
                "dataset {} ({:?}) has fileDescription.format {}; an export writes \"parquet\"",
                self.id,
                self.name,
                format.unwrap_or(&Value::Null)
            ));
        }
        None
    }

    /// Why nothing can be loaded into it, if nothing can.
    #[must_use]
    pub fn why_no_input(&self) -> Option<String> {
        if self.id == Self::EVALUATED_MEMBERSHIPS {
            return Some(format!(
                "dataset {} ({:?}) has what evaluations of segments find; load memberships into one of your own",
                self.id, self.name
            ));
        }
        if self.ad_hoc.is_some() {
            return Some(format!(
                "dataset {} ({:?}) has rows that are no records of profiles or events; INSERT INTO adds rows to it",
                self.id, self.name
            ));
        }
        let has = |(name, value): (&str, &str)| match self.tags.get(name) {
            Some(Value::Array(texts)) => texts.iter().any(|text| text == value),
            Some(text) => text == value,
            None => false,
        };
        let (label, _, what_is) = LABELS_NOT_DONE
            .into_iter()
            .map(|(name, value, what_is)| ((name, value), has((name, value)), what_is))
            .find(|(_, is_there, _)| *is_there)?;
        Some(format!(
            "dataset {} ({:?}) has the label {}: {}, which can't be done here: {what_is}; take the label away",
            self.id, self.name, label.0, label.1
        ))
    }

    /// A dataset of records of a class, with all else open.
    #[must_use]
    pub fn new(id: &str, name: &str, class: Class) -> Self {
        Self {
            id: id.to_owned(),
            name: name.to_owned(),
            class,
            primary_identity: None,
            ingested_at_field: None,
            schema: None,
            ad_hoc: None,
            maps: Vec::new(),
            placeholder_identities: Vec::new(),
            schema_ref: None,
            file_description: None,
            description: None,
            tags: Map::new(),
            created: Timestamp::default(),
            updated: None,
        }
    }

    /// A dataset of the profile union schema that exports can write into.
    #[must_use]
    pub fn target(id: &str, name: &str) -> Self {
        Self {
            schema_ref: Some(json!({
                "id": Class::Profile.union_id(),
                "contentType": "application/vnd.adobe.xed+json;version=1",
            })),
            file_description: Some(Self::default_file_description()),
            ..Self::new(id, name, Class::Profile)
        }
    }

    /// What a dataset gets that is created without a `fileDescription`.
    #[must_use]
    pub fn default_file_description() -> Value {
        json!({"persisted": true, "containerFormat": "parquet", "format": "parquet"})
    }

    /// The ID of the dataset that segment evaluations write memberships into: one in each sandbox.
    pub const EVALUATED_MEMBERSHIPS: &str = "70726f2d7365676d656e7473";

    /// The dataset that segment evaluations write memberships into: one fragment for each primary identity. Its
    /// fragments take part under every merge policy, but in memberships alone.
    #[must_use]
    pub fn evaluated_memberships() -> Self {
        let name = "Segment memberships, evaluated";
        let description =
            "Made by the evaluation of segments: whoever deletes it takes back all of them.";
        Self {
            description: Some(description.to_owned()),
            ..Self::new(Self::EVALUATED_MEMBERSHIPS, name, Class::Profile)
        }
    }

    /// Whether a text is a dataset's ID: 24 lower-case hex digits.
    #[must_use]
    pub fn is_id(text: &str) -> bool {
        text.len() == 24 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dataset(primary_identity: &str) -> Dataset {
        Dataset {
            primary_identity: Some(primary_identity.to_owned()),
            ..Dataset::new("5b020a27e7040801dedba61a", "crm", Class::Profile)
        }
    }

    #[test]
    fn a_primary_identity_is_a_path_and_a_namespace_behind_its_last_equals_sign() {
        let primary = dataset("\"a=b\".c = Email").primary();
        let primary = primary.expect("one").expect("one");
        assert_eq!(primary.path.parts(), ["a=b", "c"]);
        assert_eq!(primary.namespace, "Email");
        for wrong in ["personalEmail.address", "personalEmail.address= ", "=Email"] {
            dataset(wrong).primary().expect_err(wrong);
        }
    }

    #[test]
    fn only_a_persisted_dataset_of_the_profile_union_is_a_target() {
        let mut target = Dataset::target("5b020a27e7040801dedba61a", "exports");
        assert_eq!(target.why_no_target(), None);
        target.file_description = Some(json!({"persisted": false}));
        let problem = target.why_no_target().expect("no target");
        assert!(problem.contains("persisted false"), "{problem}");
        target.file_description = Some(json!({"persisted": true, "format": "json"}));
        let problem = target.why_no_target().expect("no target");
        assert!(problem.contains("\"json\""), "{problem}");
        assert!(dataset("a=b").why_no_target().is_some());
    }

    #[test]
    fn its_time_is_milliseconds_in_json() {
        let mut dataset = dataset("a=b");
        dataset.created = Timestamp::from_millis(5);
        assert_eq!(json!(dataset)["created"], 5);
    }
}
