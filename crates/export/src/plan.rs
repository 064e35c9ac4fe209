//! From a request to a plan: every refusal happens here, before the first output byte.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use filter::{EventFilter, MembershipFilter, ProfileFilter, SegmentFilter};
use membership::Status;
use merge::MergePolicy;
use projection::Projection;
use xdm::{
    Class, FieldPath, FieldType, Fields, IDENTITY_MAP, SEGMENT_MEMBERSHIP, TIME_SERIES_EVENTS,
    Timestamp, list_of,
};

use crate::dedupe::{Deduplication, no_shard};
use crate::error::Result;
use crate::identity_rows::IDENTITY;
use crate::map_keys::MapKeys;
use crate::persons::{ToldPersons, person_fields};
use crate::request::{EventList, ExportRequest, RequestError, SegmentRequest};
use crate::shard::Shard;
use crate::unions::UnionSchemas;

/// What an export does, checked.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Whose values win, and which identities are one person.
    pub policy: MergePolicy,
    /// Which profiles, their memberships aside.
    pub profiles: ProfileFilter,
    /// Which memberships, for each batch.
    pub batches: Vec<MembershipFilter>,
    /// Which fields.
    pub projection: Projection,
    /// Which events with which fields, if any.
    pub events: Option<EventPlan>,
    /// Fields without which a profile is left out.
    pub mandatory: Vec<FieldPath>,
    /// How profiles of one key become one, if they do.
    pub deduplication: Option<Box<Deduplication>>,
    /// The namespace that has a row for each identity, if one has.
    pub row_per_identity: Option<IdentityRows>,
    /// How namespaces are spelled as keys of maps.
    pub map_keys: MapKeys,
    /// Profiles of more identities are left out, where the policy has an identity graph.
    pub max_identities: Option<u32>,
    /// What rows end with of the persons that each profile is, see [`PersonRows`](crate::PersonRows).
    pub persons: ToldPersons,
}

/// A row for each identity of a namespace.
#[derive(Clone, Debug)]
pub struct IdentityRows {
    /// The namespace, whatever its case.
    pub namespace: String,
    /// The type of identity maps in the union schema.
    pub(crate) identity_map: FieldType,
}

/// What an export does with events.
#[derive(Clone, Debug)]
pub struct EventPlan {
    /// Which events.
    pub filter: EventFilter,
    /// Which of their fields.
    pub projection: Projection,
}

impl Plan {
    /// Checks a request against the union schemas of profiles and events.
    ///
    /// # Errors
    /// A [`RequestError`] that names the JSON path, what was found and what is allowed.
    pub fn new(
        request: &ExportRequest,
        policy: MergePolicy,
        unions: &UnionSchemas,
    ) -> Result<Self> {
        if request.schema.name != Class::Profile.schema_name() {
            return Err(RequestError::new(
                "schema.name",
                format!(
                    "found {:?}; allowed is {:?}",
                    request.schema.name,
                    Class::Profile.schema_name()
                ),
            )
            .into());
        }
        if request.evaluates_segments() {
            return Err(RequestError::new(
                "evaluationInfo.segmentation",
                "found true, but only a store's jobs evaluate segments; an export by itself has the memberships that \
                 the profiles carry: give false or leave it out",
            )
            .into());
        }
        if request.since_job.is_some() {
            return Err(RequestError::new(
                "sinceJob",
                "only a store's jobs know what earlier ones had: export into the store or to a folder, or leave it out",
            )
            .into());
        }
        let filter = request.filter.clone().unwrap_or_default();
        let segments = segments(filter.segments.as_deref().unwrap_or_default())?;
        let window = filter.segment_qualification_time.unwrap_or_default();
        let window_path = "filter.segmentQualificationTime";
        let membership = MembershipFilter {
            qualified_from: moment(
                window.start_time.as_ref(),
                &format!("{window_path}.startTime"),
            )?,
            qualified_to: moment(window.end_time.as_ref(), &format!("{window_path}.endTime"))?,
            segments,
        };
        if let (Some(from), Some(to)) = (membership.qualified_from, membership.qualified_to)
            && from > to
        {
            return Err(RequestError::new(window_path, "startTime is later than endTime").into());
        }
        let batches = if request.destination.segment_per_batch == Some(true) {
            if membership.segments.is_empty() {
                return Err(RequestError::new(
                    "destination.segmentPerBatch",
                    "found true, but filter.segments names no segment; name some or give false",
                )
                .into());
            }
            // By field: a copy of the whole filter for each of thousands of segments has them all.
            let each = membership.segments.iter().map(|segment| MembershipFilter {
                segments: vec![segment.clone()],
                qualified_from: membership.qualified_from,
                qualified_to: membership.qualified_to,
            });
            each.collect()
        } else {
            vec![membership]
        };
        let events = match request
            .additional_fields
            .as_ref()
            .and_then(|a| a.event_list.as_ref())
        {
            None => None,
            Some(list) => Some(events(list, &unions.event)?),
        };
        let projection = projection(request.fields.as_deref(), "fields", &unions.profile)?;
        if events.is_some() && projection.output().get(TIME_SERIES_EVENTS).is_some() {
            return Err(RequestError::new(
                "additionalFields.eventList",
                format!(
                    "the events would be the column {TIME_SERIES_EVENTS}, which is a field of the profiles, too; name other \
                     fields in fields, or leave the events out"
                ),
            )
            .into());
        }
        let mandatory = mandatory(
            request.mandatory_fields.as_deref().unwrap_or_default(),
            projection.output(),
        )?;
        let row_per_identity = match &request.row_per_identity {
            None => None,
            Some(namespace) => Some(row_per_identity(namespace, &projection, &unions.profile)?),
        };
        let mut plan = Self {
            policy,
            mandatory,
            deduplication: None,
            row_per_identity,
            profiles: ProfileFilter {
                from_ingest: moment(
                    filter.from_ingest_timestamp.as_ref(),
                    "filter.fromIngestTimestamp",
                )?,
                empty_profiles: filter.empty_profiles.unwrap_or(false),
            },
            batches,
            projection,
            events,
            map_keys: request.map_keys.unwrap_or_default(),
            max_identities: None,
            persons: ToldPersons::None,
        };
        if let Some(keys) = request
            .deduplication_keys
            .as_ref()
            .filter(|keys| !keys.is_empty())
        {
            let deduplication = Deduplication::new(keys, &plan, &unions.profile)?;
            plan.deduplication = Some(Box::new(deduplication));
        }
        Ok(plan)
    }
}

impl Plan {
    /// The schema of the rows: the identity where each has a row, the union schemas' types in their order, and the
    /// events behind them.
    #[must_use]
    pub fn schema(&self) -> SchemaRef {
        let fields = arrow_fields(self.projection.output());
        let events = self.events.as_ref().map(|events| {
            let event = DataType::Struct(arrow_fields(events.projection.output()).into());
            Field::new(TIME_SERIES_EVENTS, list_of(event), true)
        });
        let identity = (self.row_per_identity.as_ref()).map(|_| identity_field());
        let persons = person_fields(self.persons);
        let fields = identity.into_iter().chain(fields).chain(events);
        Arc::new(Schema::new(fields.chain(persons).collect::<Vec<_>>()))
    }

    /// Whether it looks at who is in which segment.
    pub(crate) fn reads_memberships(&self) -> bool {
        self.persons != ToldPersons::None
            || self.projection.needed().get(SEGMENT_MEMBERSHIP).is_some()
            || self.batches.iter().any(|filter| !filter.is_open())
    }

    /// The plan cut into `n` ranges of keys, which can be exported by themselves, by other processes
    /// too: one after the other they are the export, whatever order they are made in.
    ///
    /// # Errors
    /// Several of a plan that deduplicates: which profile stays takes a look at all of them.
    pub fn shards(&self, n: usize) -> Result<Vec<Shard>> {
        match self.deduplication {
            Some(_) if n > 1 => Err(no_shard().into()),
            _ => Ok(Shard::split(n)),
        }
    }
}

fn arrow_fields(fields: &Fields) -> Vec<Field> {
    fields
        .iter()
        .map(|(name, ty)| Field::new(name, ty.data_type(), true))
        .collect()
}

fn segments(requests: &[SegmentRequest]) -> Result<Vec<SegmentFilter>, RequestError> {
    requests
        .iter()
        .enumerate()
        .map(|(i, request)| {
            let path = format!("filter.segments[{i}]");
            if request.segment_id.is_empty() {
                return Err(RequestError::new(
                    format!("{path}.segmentId"),
                    "found an empty string; allowed is a segment's ID",
                ));
            }
            Ok(SegmentFilter {
                id: request.segment_id.clone(),
                namespace: request.segment_ns.clone(),
                statuses: statuses(request.status.as_deref(), &path)?,
            })
        })
        .collect()
}

fn statuses(words: Option<&[String]>, path: &str) -> Result<Vec<Status>, RequestError> {
    let words = words.unwrap_or_default();
    if words.is_empty() {
        return Ok(vec![Status::Realized, Status::Existing]);
    }
    words
        .iter()
        .enumerate()
        .map(|(i, word)| {
            Status::NAMED
                .into_iter()
                .find(|status| status.to_string() == *word)
                .ok_or_else(|| {
                    RequestError::new(
                        format!("{path}.status[{i}]"),
                        format!("found {word:?}; allowed are realized, existing, exited"),
                    )
                })
        })
        .collect()
}

fn moment(text: Option<&String>, path: &str) -> Result<Option<Timestamp>, RequestError> {
    text.map(|text| {
        Timestamp::parse(text).ok_or_else(|| {
            RequestError::new(
                path,
                format!(
                    "found {text:?}; allowed is an RFC 3339 timestamp with an offset, such as \
                     2018-10-25T13:22:04-07:00"
                ),
            )
        })
    })
    .transpose()
}

fn events(list: &EventList, union: &Fields) -> Result<EventPlan> {
    let path = "additionalFields.eventList";
    let filter = list.filter.clone().unwrap_or_default();
    Ok(EventPlan {
        filter: EventFilter {
            from_ingest: moment(
                filter.from_ingest_timestamp.as_ref(),
                &format!("{path}.filter.fromIngestTimestamp"),
            )?,
            to_ingest: moment(
                filter.to_ingest_timestamp.as_ref(),
                &format!("{path}.filter.toIngestTimestamp"),
            )?,
        },
        projection: projection(list.fields.as_deref(), &format!("{path}.fields"), union)?,
    })
}

/// Paths of fields that are exported; what is in lists and maps is no field of a profile.
fn mandatory(fields: &[String], exported: &Fields) -> Result<Vec<FieldPath>, RequestError> {
    let paths = fields.iter().enumerate().map(|(i, text)| {
        let refused = |problem: String| RequestError::new(format!("mandatoryFields[{i}]"), problem);
        let path = FieldPath::parse(text).map_err(|error| refused(error.to_string()))?;
        let mut among = Some(exported);
        for part in path.parts() {
            let found = among.and_then(|fields| fields.get(part));
            let found = found.ok_or_else(|| {
                refused(format!(
                    "found {text:?}, which is not among the exported fields; name it in fields, too"
                ))
            })?;
            among = match found {
                FieldType::Object(fields) => Some(fields),
                _ => None,
            };
        }
        Ok(path)
    });
    paths.collect()
}

/// The column of the identities, where each has a row.
pub(crate) fn identity_field() -> Field {
    Field::new(IDENTITY, DataType::Utf8, true)
}

fn row_per_identity(
    namespace: &str,
    projection: &Projection,
    union: &Fields,
) -> Result<IdentityRows, RequestError> {
    let refused = |problem: &str| Err(RequestError::new("rowPerIdentity", problem));
    if namespace.trim().is_empty() {
        return refused("found an empty string; allowed is a namespace's code, such as Email");
    }
    if projection.output().get(IDENTITY).is_some() {
        return refused(
            "the identities would be the column identity, which is a field of the profiles, too; name other fields in \
             fields",
        );
    }
    match union.get(IDENTITY_MAP) {
        Some(identity_map) => Ok(IdentityRows {
            namespace: namespace.to_owned(),
            identity_map: identity_map.clone(),
        }),
        None => refused("no record has an identityMap"),
    }
}

fn projection(fields: Option<&str>, path: &str, union: &Fields) -> Result<Projection> {
    let paths = FieldPath::parse_list(fields.unwrap_or_default())
        .map_err(|e| RequestError::new(path, e.to_string()))?;
    Projection::new(&paths, union).map_err(|e| (path, e).into())
}
