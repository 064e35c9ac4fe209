//! Edge projections: which fields of a profile are asked for under a name, and the edges that the platform would send them
//! to. There are no edges here; a projection is read where its store is.

use std::cmp::Reverse;

use catalog::{Catalog, Document, DocumentKind, Kind, new_uuid};
use export::RequestError;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use store::Store;
use xdm::{Class, FieldPath, Timestamp, nearest};

use crate::error::Result;

/// How long an edge keeps what it was sent, in seconds, where nobody says.
const USUAL_TTL: u32 = 3600;
/// What it may be: ten minutes, as the platform's older documents have it, to the ninety days of its newer ones.
const TTLS: std::ops::RangeInclusive<u32> = 600..=90 * 86_400;
/// The longest name of a projection, and of a data center, in bytes.
const LONGEST_NAME: usize = 200;

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
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "UPPERCASE")]
pub enum DestinationKind {
    /// An edge.
    Edge,
}

/// When edges get what a projection has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "UPPERCASE")]
pub enum ReplicationPolicy {
    /// Before anybody asks.
    Proactive,
    /// When somebody asks.
    #[default]
    Reactive,
}

/// The body of the platform's `POST /config/destinations`, and of `PUT`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = ProjectionDestinationRequest))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DestinationBody {
    /// EDGE.
    #[serde(rename = "type")]
    #[cfg_attr(feature = "openapi", schema(inline))]
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
    #[cfg_attr(feature = "openapi", schema(nullable = false, inline))]
    pub replication_policy: Option<ReplicationPolicy>,
    /// Of a change: the version that is replaced.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub current_version: Option<i64>,
}

/// Fields of profiles under a name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Projection {
    /// A UUID.
    pub id: String,
    /// Unique among those of its schema class.
    pub name: String,
    /// The fields: a list of paths as `fields` of a request is one, parentheses among them.
    pub selector: String,
    /// The class, such as `_xdm.context.profile`.
    pub schema_name: String,
    /// A destination's ID.
    pub destination_id: String,
    /// From 1, one more with each change.
    pub version: i64,
    /// When it was made, in milliseconds since 1970.
    #[serde(default)]
    pub created: i64,
}

/// The body of the platform's `POST /config/projections`, and of `PUT`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = ProjectionRequest))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ProjectionBody {
    /// Comma-separated field paths, such as person(name,gender),workEmail.
    pub selector: String,
    /// Unique among those of its schema class.
    pub name: String,
    /// A destination's ID.
    pub destination_id: String,
    /// Of a change: the version that is replaced.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub current_version: Option<i64>,
}

/// What is kept in the catalog under an ID and a version.
trait Kept: Serialize + DeserializeOwned {
    const DOCUMENT: DocumentKind;
    const KIND: Kind;

    fn id(&self) -> &str;
    fn created(&self) -> i64;
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

impl Kept for Projection {
    const DOCUMENT: DocumentKind = DocumentKind::Projection;
    const KIND: Kind = Kind::Projection;

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

/// All projections, the latest first.
///
/// # Errors
/// The catalog can't be read.
pub fn projections(store: &Store) -> Result<Vec<Projection>> {
    all(store.catalog())
}

/// A projection.
///
/// # Errors
/// There is no such projection.
pub fn projection(store: &Store, id: &str) -> Result<Projection> {
    one(store.catalog(), id)
}

/// The projection of profiles with this name.
///
/// # Errors
/// There is no such projection; the error names one that is called like it.
pub fn named_projection(store: &Store, name: &str) -> Result<Projection> {
    let mut all = projections(store)?;
    all.retain(|one| one.schema_name == Class::Profile.schema_name());
    if let Some(at) = all.iter().position(|one| one.name == name) {
        return Ok(all.swap_remove(at));
    }
    let names: Vec<&str> = all.iter().map(|one| one.name.as_str()).collect();
    let near = nearest(name, names.iter().copied());
    let hint = match (near.first(), names.is_empty()) {
        (Some(near), _) => format!("; did you mean {near:?}?"),
        (None, true) => "; there are none".to_owned(),
        (None, false) => String::new(),
    };
    Err(catalog::Error::NotFound {
        kind: Kind::Projection,
        id: name.to_owned(),
        hint,
    }
    .into())
}

/// Creates a projection of a schema class, or replaces the one with this ID.
///
/// # Errors
/// A selector that is none; a name that is taken; an unknown destination; there is no such projection, or it has another
/// version than the body says. Fields that nobody has are told when the projection is read: they may come.
pub fn put_projection(
    store: &Store,
    place: Place<'_>,
    body: ProjectionBody,
    now: Timestamp,
) -> Result<Projection> {
    let refuse = |path: &str, problem: String| Err(RequestError::new(path, problem).into());
    if !is_name(&body.name) {
        let problem = format!("a name has 1 to {LONGEST_NAME} bytes");
        return refuse("name", problem);
    }
    match FieldPath::parse_list(&body.selector) {
        Ok(paths) if paths.is_empty() => {
            return refuse("selector", "found \"\"; it names fields".to_owned());
        }
        Ok(_) => {}
        Err(error) => return refuse("selector", error.to_string()),
    }
    store.catalog().atomically(|catalog| {
        let known = match place {
            Place::Id(id) => Some(one::<Projection>(catalog, id)?),
            Place::Schema(_) => None,
        };
        let schema_name = match (place, &known) {
            (Place::Schema(name), _) => name.to_owned(),
            (Place::Id(_), Some(known)) => known.schema_name.clone(),
            (Place::Id(id), None) => {
                return Err(catalog::Error::not_found(Kind::Projection, id).into());
            }
        };
        let own = known.as_ref().map(|known| known.id.clone());
        let others = all::<Projection>(catalog)?.into_iter();
        let mut others = others.filter(|one| Some(&one.id) != own.as_ref());
        if others.any(|one| one.name == body.name && one.schema_name == schema_name) {
            let problem = format!(
                "a projection of {schema_name} is called {:?} already",
                body.name
            );
            return Err(catalog::Error::Conflict(problem).into());
        }
        let destination = &body.destination_id;
        if catalog
            .document(DocumentKind::ProjectionDestination, destination, None)?
            .is_none()
        {
            let problem = format!("no destination {destination:?}; create it first");
            return Err(RequestError::new("destinationId", problem).into());
        }
        let version = known.as_ref().map(|known| known.version);
        let projection = Projection {
            version: next_version(version, body.current_version)?,
            created: known.as_ref().map_or(now.millis(), |known| known.created),
            id: own.unwrap_or_else(new_uuid),
            name: body.name,
            selector: body.selector,
            schema_name,
            destination_id: body.destination_id,
        };
        put(catalog, &projection)?;
        Ok(projection)
    })
}

/// Where a projection is put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place<'a> {
    /// Among those of a schema class, as a new one.
    Schema(&'a str),
    /// In the place of the one with this ID.
    Id(&'a str),
}

/// Deletes a projection.
///
/// # Errors
/// There is no such projection.
pub fn delete_projection(store: &Store, id: &str) -> Result<()> {
    delete::<Projection>(store.catalog(), id)
}

fn is_name(name: &str) -> bool {
    !name.trim().is_empty() && name.len() <= LONGEST_NAME
}

/// The version behind the one that is replaced, where that is the one that the sender knows.
fn next_version(known: Option<i64>, said: Option<i64>) -> Result<i64> {
    match (known, said) {
        (Some(known), Some(said)) if known != said => {
            let problem = format!("currentVersion: found {said}; the newest is {known}");
            Err(catalog::Error::Conflict(problem).into())
        }
        (known, _) => Ok(known.unwrap_or(0) + 1),
    }
}

fn all<T: Kept>(catalog: &Catalog) -> Result<Vec<T>> {
    let documents = catalog.documents(T::DOCUMENT)?;
    let mut all: Vec<T> = documents.iter().map(read).collect::<Result<_>>()?;
    all.sort_by_key(|one| Reverse(one.created()));
    Ok(all)
}

fn one<T: Kept>(catalog: &Catalog, id: &str) -> Result<T> {
    let document = catalog.document(T::DOCUMENT, id, None)?;
    let document = document.ok_or_else(|| catalog::Error::not_found(T::KIND, id))?;
    read(&document)
}

fn put<T: Kept>(catalog: &Catalog, one: &T) -> Result<()> {
    let document = Document::of(one).map_err(|error| damaged::<T>(one.id(), &error))?;
    // Nobody asks for an earlier version of it.
    Ok(catalog.put_document(T::DOCUMENT, one.id(), 1, &document)?)
}

fn delete<T: Kept>(catalog: &Catalog, id: &str) -> Result<()> {
    match catalog.delete_document(T::DOCUMENT, id)? {
        true => Ok(()),
        false => Err(catalog::Error::not_found(T::KIND, id).into()),
    }
}

fn read<T: Kept>(document: &Document) -> Result<T> {
    document.read().map_err(|error| {
        let id = document.value()["id"].as_str().unwrap_or("without an ID");
        damaged::<T>(id, &error).into()
    })
}

fn damaged<T: Kept>(id: &str, problem: &serde_json::Error) -> catalog::Error {
    catalog::Error::Damaged {
        kind: T::KIND,
        id: id.to_owned(),
        problem: problem.to_string(),
    }
}
