//! Fields of profiles under a name.

use catalog::{DocumentKind, Kind, new_uuid};
use export::RequestError;
use serde::{Deserialize, Serialize};
use store::Store;
use xdm::{Class, FieldPath, Timestamp, nearest};

use super::names::{LONGEST_NAME, is_name, next_version};
use crate::error::Result;
use crate::kept::{Kept, all, delete, one, put};

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
