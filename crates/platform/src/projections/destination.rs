//! Where edge projections would go.

use catalog::{DocumentKind, Kind, new_uuid};
use export::RequestError;
use serde::{Deserialize, Serialize};
use store::Store;
use xdm::Timestamp;

use super::names::{is_name, next_version};
use super::projection::Projection;
use crate::error::Result;
use crate::kept::{Kept, all, delete, one, put};

/// How long an edge keeps what it was sent, in seconds, where nobody says.
const USUAL_TTL: u32 = 3600;
/// What it may be: ten minutes, as the platform's older documents have it, to the ninety days of its newer ones.
const TTLS: std::ops::RangeInclusive<u32> = 600..=90 * 86_400;
/// A destination of projections. What it says is kept and told: nothing is sent anywhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProjectionDestination {
    /// A UUID.
    pub id: String,
    /// Always `EDGE`.
    #[serde(rename = "type")]
    pub kind: DestinationKind,
    /// The edges, such as `VA6`.
    pub data_centers: Vec<String>,
    /// How long they keep it, in seconds.
    pub ttl: u32,
    /// When they get it.
    pub replication_policy: ReplicationPolicy,
    /// From 1, one more with each change.
    pub version: i64,
    /// When it was made, in milliseconds since 1970.
    #[serde(default)]
    pub created: i64,
}

/// Types of destinations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum DestinationKind {
    /// An edge.
    Edge,
}

/// When edges get what a projection has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum ReplicationPolicy {
    /// Before anybody asks.
    Proactive,
    /// When somebody asks.
    #[default]
    Reactive,
}

/// What the types below can't say of their values: the derive says of a described enum that it is an object, too.
#[cfg(feature = "openapi")]
mod described {
    use utoipa::openapi::{Object, ObjectBuilder, Type};

    pub(super) fn kind() -> Object {
        word(&["EDGE"])
    }

    pub(super) fn policy() -> Object {
        word(&["PROACTIVE", "REACTIVE"])
    }

    fn word(words: &[&str]) -> Object {
        let word = ObjectBuilder::new().schema_type(Type::String);
        word.enum_values(Some(words.iter().copied())).build()
    }
}

/// The body of the platform's `POST /config/destinations`, and of `PUT`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = ProjectionDestinationRequest))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DestinationBody {
    /// EDGE.
    #[serde(rename = "type")]
    #[cfg_attr(feature = "openapi", schema(schema_with = described::kind))]
    pub kind: DestinationKind,
    /// The edges, such as VA6: at least one.
    #[cfg_attr(feature = "openapi", schema(min_items = 1))]
    pub data_centers: Vec<String>,
    /// How long they keep it, in seconds: 3600 where it is missing.
    #[serde(default)]
    #[cfg_attr(
        feature = "openapi",
        schema(nullable = false, minimum = 600, maximum = 7776000)
    )]
    pub ttl: Option<u32>,
    /// When they get it: REACTIVE where it is missing.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(schema_with = described::policy))]
    pub replication_policy: Option<ReplicationPolicy>,
    /// Of a change: the version that is replaced.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub current_version: Option<i64>,
}

impl Kept for ProjectionDestination {
    const DOCUMENT: DocumentKind = DocumentKind::ProjectionDestination;
    const KIND: Kind = Kind::ProjectionDestination;

    fn id(&self) -> &str {
        &self.id
    }

    fn created(&self) -> i64 {
        self.created
    }
}

/// All destinations, the latest first.
///
/// # Errors
/// The catalog can't be read.
pub fn projection_destinations(store: &Store) -> Result<Vec<ProjectionDestination>> {
    all(store.catalog())
}

/// A destination.
///
/// # Errors
/// There is no such destination.
pub fn projection_destination(store: &Store, id: &str) -> Result<ProjectionDestination> {
    one(store.catalog(), id)
}

/// Creates a destination, or replaces the one with this ID.
///
/// # Errors
/// A body that contradicts itself; there is no such destination, or it has another version than the body says.
pub fn put_projection_destination(
    store: &Store,
    id: Option<&str>,
    body: DestinationBody,
    now: Timestamp,
) -> Result<ProjectionDestination> {
    let ttl = body.ttl.unwrap_or(USUAL_TTL);
    if !TTLS.contains(&ttl) {
        let problem = format!(
            "found {ttl}; allowed are {} to {}",
            TTLS.start(),
            TTLS.end()
        );
        return Err(RequestError::new("ttl", problem).into());
    }
    let is_name = |name: &String| is_name(name);
    if body.data_centers.is_empty() || !body.data_centers.iter().all(is_name) {
        let problem = "allowed are names of edges, at least one".to_owned();
        return Err(RequestError::new("dataCenters", problem).into());
    }
    store.catalog().atomically(|catalog| {
        let known = id
            .map(|id| one::<ProjectionDestination>(catalog, id))
            .transpose()?;
        let versions = known.as_ref().map(|known| known.version);
        let destination = ProjectionDestination {
            version: next_version(versions, body.current_version)?,
            created: known.as_ref().map_or(now.millis(), |known| known.created),
            id: known.map_or_else(new_uuid, |known| known.id),
            kind: body.kind,
            data_centers: body.data_centers,
            ttl,
            replication_policy: body.replication_policy.unwrap_or_default(),
        };
        put(catalog, &destination)?;
        Ok(destination)
    })
}

/// Deletes a destination.
///
/// # Errors
/// There is no such destination, or a projection names it.
pub fn delete_projection_destination(store: &Store, id: &str) -> Result<()> {
    store.catalog().atomically(|catalog| {
        let users = all::<Projection>(catalog)?.into_iter();
        let mut users = users.filter(|projection| projection.destination_id == id);
        if let Some(user) = users.next() {
            let problem = format!(
                "projection {:?} names destination {id}; delete it first",
                user.name
            );
            return Err(catalog::Error::Conflict(problem).into());
        }
        delete::<ProjectionDestination>(catalog, id)
    })
}
