use rusqlite::{OptionalExtension, Row, params};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use xdm::{Class, FieldPath, Fields, fields_from_json_schema};

use super::Catalog;
use crate::error::{Result, StoreError};
use crate::load::PrimaryIdentity;

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
    /// The `$id` of the schema that it is created on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema_ref: Option<Value>,
    /// How its files are kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file_description: Option<Value>,
    /// When it was made: milliseconds since 1970.
    #[serde(default)]
    pub created: i64,
}

impl Dataset {
    /// The declared primary identity.
    ///
    /// # Errors
    /// A text that is not `path=Namespace`.
    pub fn primary(&self) -> Result<Option<PrimaryIdentity>> {
        let Some(text) = &self.primary_identity else {
            return Ok(None);
        };
        let refused = |problem: String| {
            StoreError::Refused(format!(
                "dataset {}: primary identity {text:?}: {problem}",
                self.name
            ))
        };
        let (path, namespace) = text
            .rsplit_once('=')
            .filter(|(_, namespace)| !namespace.trim().is_empty())
            .ok_or_else(|| {
                refused(
                    "expected a path and a namespace, such as personalEmail.address=Email"
                        .to_owned(),
                )
            })?;
        Ok(Some(PrimaryIdentity {
            path: FieldPath::parse(path).map_err(|e| refused(e.to_string()))?,
            namespace: namespace.trim().to_owned(),
        }))
    }

    /// The path of the ingest timestamp's field.
    ///
    /// # Errors
    /// A text that is no field path.
    pub fn ingest_field(&self) -> Result<Option<FieldPath>> {
        self.ingested_at_field
            .as_deref()
            .map(FieldPath::parse)
            .transpose()
            .map_err(|e| StoreError::Refused(format!("dataset {}: {e}", self.name)))
    }

    /// The fields that its schema declares.
    ///
    /// # Errors
    /// A schema that can't be read.
    pub fn declared_fields(&self) -> Result<Fields> {
        match &self.schema {
            None => Ok(Fields::default()),
            Some(schema) => fields_from_json_schema(schema)
                .map_err(|e| StoreError::Refused(format!("dataset {}: {e}", self.name))),
        }
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
        None
    }

    /// A dataset of the profile union schema that exports can write into.
    #[must_use]
    pub fn target(id: &str, name: &str) -> Self {
        Self {
            id: id.to_owned(),
            name: name.to_owned(),
            class: Class::Profile,
            primary_identity: None,
            ingested_at_field: None,
            schema: None,
            schema_ref: Some(json!({
                "id": Class::Profile.union_id(),
                "contentType": "application/vnd.adobe.xed+json;version=1",
            })),
            file_description: Some(Self::default_file_description()),
            created: 0,
        }
    }

    /// What a dataset gets that is created without a `fileDescription`.
    #[must_use]
    pub fn default_file_description() -> Value {
        json!({"persisted": true, "containerFormat": "parquet", "format": "parquet"})
    }

    /// Whether a text is a dataset's ID: 24 lower-case hex digits.
    #[must_use]
    pub fn is_id(text: &str) -> bool {
        text.len() == 24 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
    }
}

impl Catalog {
    /// Adds a dataset; an empty ID is given out.
    ///
    /// # Errors
    /// A malformed or taken ID, a taken name, a schema that can't be read or that contradicts the
    /// union schema.
    pub fn create_dataset(&self, mut dataset: Dataset) -> Result<Dataset> {
        if dataset.id.is_empty() {
            dataset.id = super::jobs::new_id();
        }
        if !Dataset::is_id(&dataset.id) {
            return Err(StoreError::Refused(format!(
                "dataset ID {:?}: expected 24 lower-case hex digits",
                dataset.id
            )));
        }
        if dataset.name.trim().is_empty() {
            return Err(StoreError::Refused("a dataset needs a name".to_owned()));
        }
        dataset.primary()?;
        dataset.ingest_field()?;
        let mut union = self.union(dataset.class, None)?;
        union.unite(&dataset.declared_fields()?).map_err(|e| {
            StoreError::Refused(format!("the schema of dataset {}: {e}", dataset.name))
        })?;
        self.write(|t| {
            let taken: Option<(String, String)> = t
                .query_row(
                    "SELECT id, name FROM datasets
                     WHERE org = ?1 AND sandbox = ?2 AND deleted = 0 AND (id = ?3 OR name = ?4)",
                    params![self.scope.org, self.scope.sandbox, dataset.id, dataset.name],
                    |row| Ok((row.get(0)?, row.get(1)?)),
                )
                .optional()?;
            if let Some((id, name)) = taken {
                return Err(StoreError::Refused(if id == dataset.id {
                    format!("dataset ID {id} is taken")
                } else {
                    format!("dataset name {name:?} is taken by dataset {id}; names are unique")
                }));
            }
            // A deleted dataset's row stays for the jobs that still read it; its ID may come back.
            t.execute(
                "INSERT INTO datasets (org, sandbox, id, name, created, body)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)
                 ON CONFLICT (org, sandbox, id) DO UPDATE
                 SET name = ?4, created = ?5, body = ?6, deleted = 0",
                params![
                    self.scope.org,
                    self.scope.sandbox,
                    dataset.id,
                    dataset.name,
                    dataset.created,
                    json!(dataset).to_string(),
                ],
            )?;
            Ok(())
        })?;
        Ok(dataset)
    }

    /// Deletes a dataset with its records; jobs that were created before still read them.
    ///
    /// # Errors
    /// There is no such dataset, or batches were written to it.
    pub fn delete_dataset(&self, id: &str) -> Result<()> {
        self.write(|t| {
            let scope = params![self.scope.org, self.scope.sandbox, id];
            let batches: i64 = t.query_row(
                "SELECT count(*) FROM batches
                 WHERE org = ?1 AND sandbox = ?2 AND dataset = ?3 AND job IS NOT NULL",
                scope,
                |row| row.get(0),
            )?;
            if batches > 0 {
                return Err(StoreError::Refused(format!(
                    "dataset {id} holds {batches} batches; delete them first"
                )));
            }
            let deleted = t.execute(
                "UPDATE datasets SET deleted = 1
                 WHERE org = ?1 AND sandbox = ?2 AND id = ?3 AND deleted = 0",
                scope,
            )?;
            if deleted == 0 {
                return Err(StoreError::Refused(format!("no dataset {id:?}")));
            }
            t.execute(
                "DELETE FROM batches WHERE org = ?1 AND sandbox = ?2 AND dataset = ?3",
                scope,
            )?;
            t.execute(
                "UPDATE counters SET value = value + 1 WHERE name = 'generation'",
                [],
            )?;
            t.execute(
                "UPDATE runs SET removed = (SELECT value FROM counters WHERE name = 'generation')
                 WHERE org = ?1 AND sandbox = ?2 AND dataset = ?3 AND removed IS NULL",
                scope,
            )?;
            Ok(())
        })
    }

    /// All datasets, newest first.
    ///
    /// # Errors
    /// The catalog can't be read.
    pub fn datasets(&self) -> Result<Vec<Dataset>> {
        self.select_datasets(false)
    }

    /// All datasets and the deleted ones too, which an earlier job may still read.
    pub(crate) fn datasets_ever(&self) -> Result<Vec<Dataset>> {
        self.select_datasets(true)
    }

    fn select_datasets(&self, deleted_too: bool) -> Result<Vec<Dataset>> {
        let connection = self.connection();
        let mut statement = connection.prepare(
            "SELECT body FROM datasets WHERE org = ?1 AND sandbox = ?2 AND deleted <= ?3
             ORDER BY created DESC, id",
        )?;
        let rows = statement.query_map(
            params![self.scope.org, self.scope.sandbox, deleted_too],
            body,
        )?;
        rows.collect::<Result<_, _>>().map_err(Into::into)
    }

    /// The dataset with this ID or this name.
    ///
    /// # Errors
    /// The catalog can't be read.
    pub fn dataset(&self, id_or_name: &str) -> Result<Option<Dataset>> {
        Ok(self
            .connection()
            .query_row(
                "SELECT body FROM datasets
                 WHERE org = ?1 AND sandbox = ?2 AND deleted = 0 AND (id = ?3 OR name = ?3)
                 ORDER BY id = ?3 DESC LIMIT 1",
                params![self.scope.org, self.scope.sandbox, id_or_name],
                body,
            )
            .optional()?)
    }
}

/// Reads a column of JSON.
pub(super) fn body<T: for<'de> Deserialize<'de>>(row: &Row<'_>) -> rusqlite::Result<T> {
    let text: String = row.get(0)?;
    serde_json::from_str(&text).map_err(|e| {
        rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Text, Box::new(e))
    })
}
