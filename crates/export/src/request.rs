use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use xdm::nearest;

use crate::map_keys::MapKeys;
use crate::since_job::SinceJob;
use crate::strict::Strict;

/// The body of `POST /export/jobs`, as the platform defines it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = ExportJobRequest))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ExportRequest {
    /// Comma-separated field paths; all fields where it is missing or blank.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub fields: Option<String>,
    /// Which merge policy; where it is missing, the one that the segments' definitions name, else the
    /// default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub merge_policy: Option<MergePolicyRef>,
    /// Which profiles; all but empty ones where it is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub filter: Option<FilterRequest>,
    /// Events; none where it is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub additional_fields: Option<AdditionalFields>,
    /// Paths of fields without which a profile is left out, as the platform's file destinations know them; each must
    /// be among the fields. An addition of ours to the platform's body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub mandatory_fields: Option<Vec<String>>,
    /// Of the profiles of a batch that have the same values of these, one stays: that whose membership was qualified
    /// last. Each is the path of a field with a single value, or `identityMap.` and a namespace, for its first identity.
    /// An addition of ours, as the platform's file destinations know it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub deduplication_keys: Option<Vec<String>>,
    /// A namespace: each profile becomes a row for each of its identities of that, in the column `identity`; one that
    /// has none is left out. An addition of ours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub row_per_identity: Option<String>,
    /// An earlier job of the same request: a row for each profile that entered, changed or left since, with the columns
    /// `change` and `primaryIdentity` before the fields. An addition of ours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(schema_with = described::since_job, required = false))]
    pub since_job: Option<SinceJob>,
    /// How namespaces are spelled as keys of maps: `one-spelling` where it is missing, or `as-is`. An addition of ours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub map_keys: Option<MapKeys>,
    /// Where the batches go.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub destination: Destination,
    /// The class that is exported.
    pub schema: SchemaRef,
    /// Whether segments are evaluated first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub evaluation_info: Option<EvaluationInfo>,
}

/// Names a merge policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MergePolicyRef {
    /// Its ID.
    pub id: String,
    /// Its version; the newest where it is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub version: Option<i64>,
}

/// Which profiles are exported: all that is given must hold.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FilterRequest {
    /// One of these segments.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub segments: Option<Vec<SegmentRequest>>,
    /// When the matching membership was qualified.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub segment_qualification_time: Option<TimeWindow>,
    /// The merged profile was updated strictly later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false, format = DateTime))]
    pub from_ingest_timestamp: Option<String>,
    /// Profiles that have events alone are exported too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub empty_profiles: Option<bool>,
}

/// One segment of a filter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SegmentRequest {
    /// Its ID.
    pub segment_id: String,
    /// Its namespace; any where it is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub segment_ns: Option<String>,
    /// The statuses that count; realized and existing where it is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(schema_with = described::statuses))]
    pub status: Option<Vec<String>>,
}

/// A span of time, both ends included.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TimeWindow {
    /// Its first moment; open where it is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false, format = DateTime))]
    pub start_time: Option<String>,
    /// Its last moment; open where it is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false, format = DateTime))]
    pub end_time: Option<String>,
}

/// What is exported beside the profiles' own fields.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AdditionalFields {
    /// The profiles' events.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub event_list: Option<EventList>,
}

/// Which events, and which of their fields.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EventList {
    /// Comma-separated field paths; all fields where it is missing or blank.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub fields: Option<String>,
    /// Which events; all where it is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub filter: Option<EventFilterRequest>,
}

/// Which events are exported, by when they were ingested.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EventFilterRequest {
    /// Strictly later than this.
    #[serde(
        default,
        alias = "fromTimestamp",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(feature = "openapi", schema(nullable = false, format = DateTime))]
    pub from_ingest_timestamp: Option<String>,
    /// Not later than this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false, format = DateTime))]
    pub to_ingest_timestamp: Option<String>,
}

/// Where the batches go.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Destination {
    /// The dataset that they are written to; also spelled `dataSetId`. Empty where the caller says it otherwise.
    #[serde(alias = "dataSetId", default, skip_serializing_if = "String::is_empty")]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub dataset_id: String,
    /// One batch for each segment of the filter instead of one in all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub segment_per_batch: Option<bool>,
}

/// Names the exported class.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct SchemaRef {
    /// `_xdm.context.profile`.
    #[cfg_attr(feature = "openapi", schema(schema_with = described::profile))]
    pub name: String,
}

/// Whether segments are evaluated first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct EvaluationInfo {
    /// Whether those of the filter are, all where it names none, before the export reads who is in them.
    #[serde(default)]
    pub segmentation: bool,
}

/// Why a request is refused: the JSON path and what is wrong there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("bad request: {path}: {problem}")]
pub struct RequestError {
    /// Such as `filter.segments[0].status`; `.` is the whole body.
    pub path: String,
    /// What was found and what is allowed.
    pub problem: String,
}

impl Default for SchemaRef {
    fn default() -> Self {
        Self {
            name: xdm::Class::Profile.schema_name().to_owned(),
        }
    }
}

impl RequestError {
    /// The error of a path.
    pub fn new(path: impl Into<String>, problem: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            problem: problem.into(),
        }
    }
}

impl ExportRequest {
    /// Reads a request.
    ///
    /// # Errors
    /// Broken JSON, a missing, unknown or mistyped property; the error names its path and, for an
    /// unknown one, the nearest known name.
    pub fn from_json(text: &[u8]) -> Result<Self, RequestError> {
        read_json(text)
    }

    /// Whether segments are to be evaluated before: `evaluationInfo.segmentation`.
    #[must_use]
    pub fn evaluates_segments(&self) -> bool {
        self.evaluation_info
            .as_ref()
            .is_some_and(|info| info.segmentation)
    }

    /// What is left to do when its segments are evaluated.
    #[must_use]
    pub fn evaluated(&self) -> Self {
        Self {
            evaluation_info: None,
            ..self.clone()
        }
    }

    /// What is left to do where a job compares its rows with those of an earlier one.
    #[must_use]
    pub fn at_once(&self) -> Self {
        Self {
            since_job: None,
            ..self.clone()
        }
    }

    /// The segment of the batch with this number, where each has a batch.
    #[must_use]
    pub fn batch_segment(&self, number: usize) -> Option<&SegmentRequest> {
        let segments = self.filter.as_ref()?.segments.as_ref()?;
        let has_own = self.destination.segment_per_batch == Some(true);
        segments.get(number).filter(|_| has_own)
    }
}

/// Reads a JSON body, with errors as users want them. Where an object is expected a list is refused, and
/// so is a property that comes twice.
///
/// # Errors
/// As [`ExportRequest::from_json`] says.
pub fn read_json<T: DeserializeOwned>(text: &[u8]) -> Result<T, RequestError> {
    let mut deserializer = serde_json::Deserializer::from_slice(text);
    let value = read_with_path(&mut deserializer)?;
    deserializer
        .end()
        .map_err(|e| RequestError::new(".", e.to_string()))?;
    Ok(value)
}

/// Reads a body that is JSON already, with the same errors.
///
/// # Errors
/// As [`ExportRequest::from_json`] says.
pub fn read_value<T: DeserializeOwned>(value: Value) -> Result<T, RequestError> {
    read_with_path(value)
}

fn read_with_path<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<T, RequestError> {
    serde_path_to_error::deserialize(Strict(deserializer)).map_err(|error| {
        let path = error.path().to_string();
        explain(&path, &error.into_inner().to_string())
    })
}

/// Turns serde's message into ours: an unknown property gets its nearest known name.
fn explain(path: &str, message: &str) -> RequestError {
    let Some(rest) = message.strip_prefix("unknown field `") else {
        return RequestError::new(path, message);
    };
    let mut quoted = rest.split('`').step_by(2);
    let found = quoted.next().unwrap_or_default();
    // "name`, expected one of `a`, `b` at line 1 column 2": every second piece is a name.
    let known: Vec<&str> = rest.split('`').skip(2).step_by(2).collect();
    let near = match nearest(found, known.iter().copied()).first() {
        Some(name) => format!("; did you mean {name:?}?"),
        None => String::new(),
    };
    RequestError::new(
        path,
        format!(
            "unknown property {found:?}{near} (allowed: {})",
            known.join(", ")
        ),
    )
}

/// What the types above can't say of their values.
#[cfg(feature = "openapi")]
mod described {
    use membership::Status;
    use utoipa::openapi::{Array, Object, ObjectBuilder, OneOfBuilder, Schema, Type};
    use xdm::Class;

    pub(super) fn statuses() -> Array {
        let names = Status::NAMED.map(|status| status.to_string());
        let item = ObjectBuilder::new().schema_type(Type::String);
        Array::new(item.enum_values(Some(names)))
    }

    pub(super) fn since_job() -> Schema {
        let last = ObjectBuilder::new().schema_type(Type::String);
        let id = ObjectBuilder::new().schema_type(Type::Integer);
        let either = OneOfBuilder::new().item(last.enum_values(Some(["last"])));
        Schema::OneOf(either.item(id.minimum(Some(1))).build())
    }

    pub(super) fn profile() -> Object {
        let name = ObjectBuilder::new().schema_type(Type::String);
        name.enum_values(Some([Class::Profile.schema_name()]))
            .build()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> String {
        ExportRequest::from_json(text.as_bytes())
            .expect_err("refused")
            .to_string()
    }

    #[test]
    fn an_unknown_property_is_named_with_its_path_and_its_neighbour() {
        let text = r#"{"schema": {"name": "x"}, "destination": {"datasetId": "d"},
                       "filter": {"segments": [{"segmentID": "a"}]}}"#;
        let message = refusal(text);
        assert!(message.contains("filter.segments[0]"), "{message}");
        assert!(
            message.contains(r#"did you mean "segmentId"?"#),
            "{message}"
        );
    }

    #[test]
    fn a_mistyped_property_is_named_with_what_was_found() {
        let text = r#"{"schema": {"name": "x"}, "destination": {"datasetId": "d", "segmentPerBatch": "yes"}}"#;
        let message = refusal(text);
        assert!(message.contains("destination.segmentPerBatch"), "{message}");
        assert!(message.contains("expected a boolean"), "{message}");
    }

    #[test]
    fn both_spellings_of_the_dataset_are_read() {
        let text = r#"{"schema": {"name": "x"}, "destination": {"dataSetId": "d"}}"#;
        let request = ExportRequest::from_json(text.as_bytes()).expect("a request");
        assert_eq!(request.destination.dataset_id, "d");
    }
}
