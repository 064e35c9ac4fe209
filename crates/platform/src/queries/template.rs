use catalog::{DocumentKind, Kind, new_uuid};
use export::RequestError;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use store::Store;
use xdm::Timestamp;

use super::body::check_text;
use crate::error::Result;
use crate::kept::{Kept, all, delete, next_moment, one, put};

/// A statement that is kept for queries.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct QueryTemplate {
    /// A UUID.
    pub id: String,
    /// Its text, with `$name` for parameters.
    pub sql: String,
    /// What it is called.
    pub name: String,
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// What stands for parameters where a query does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query_parameters: Option<Map<String, Value>>,
    /// Who made it.
    pub user_id: String,
    /// Who changed it last.
    pub last_updated_by: String,
    /// When it was made: milliseconds since 1970.
    pub created: i64,
    /// When it last changed.
    pub updated: i64,
    /// From 1, one more with each change.
    pub version: i64,
}

/// What is said of a template: the body of the platform's `POST /query/query-templates`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = QueryTemplateRequest))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TemplateBody {
    /// The text.
    pub sql: String,
    /// What it is called.
    pub name: String,
    /// For people.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub description: Option<String>,
    /// What stands for parameters where a query does not say.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub query_parameters: Option<Map<String, Value>>,
}

impl Kept for QueryTemplate {
    const DOCUMENT: DocumentKind = DocumentKind::QueryTemplate;
    const KIND: Kind = Kind::QueryTemplate;

    fn id(&self) -> &str {
        &self.id
    }

    fn created(&self) -> i64 {
        self.created
    }
}

/// Keeps a template.
///
/// # Errors
/// It has no text or no name.
pub fn create_query_template(
    store: &Store,
    body: TemplateBody,
    user: &str,
) -> Result<QueryTemplate> {
    check(&body)?;
    store.catalog().atomically(|catalog| {
        let newest = next_moment::<QueryTemplate>(catalog)?;
        let now = Timestamp::now().millis().max(newest);
        let template = QueryTemplate {
            id: new_uuid(),
            sql: body.sql,
            name: body.name,
            description: body.description,
            query_parameters: body.query_parameters,
            user_id: user.to_owned(),
            last_updated_by: user.to_owned(),
            created: now,
            updated: now,
            version: 1,
        };
        put(catalog, &template)?;
        Ok(template)
    })
}

/// Puts another in a template's place.
///
/// # Errors
/// There is none of that ID; it has no text or no name.
pub fn replace_query_template(
    store: &Store,
    id: &str,
    body: TemplateBody,
    user: &str,
) -> Result<QueryTemplate> {
    check(&body)?;
    store.catalog().atomically(|catalog| {
        let known: QueryTemplate = one(catalog, id)?;
        let template = QueryTemplate {
            sql: body.sql,
            name: body.name,
            description: body.description,
            query_parameters: body.query_parameters,
            last_updated_by: user.to_owned(),
            updated: Timestamp::now().millis(),
            version: known.version + 1,
            ..known
        };
        put(catalog, &template)?;
        Ok(template)
    })
}

fn check(body: &TemplateBody) -> Result<(), RequestError> {
    check_text(&body.sql)?;
    match body.name.trim().is_empty() {
        true => Err(RequestError::new(
            "name",
            "found \"\"; a template needs a name",
        )),
        false => Ok(()),
    }
}

/// All templates, the newest first.
///
/// # Errors
/// The catalog can't be read.
pub fn query_templates(store: &Store) -> Result<Vec<QueryTemplate>> {
    all(store.catalog())
}

/// A template.
///
/// # Errors
/// There is none.
pub fn query_template(store: &Store, id: &str) -> Result<QueryTemplate> {
    one(store.catalog(), id)
}

/// Forgets a template. Queries that were created from it stay.
///
/// # Errors
/// There is none.
pub fn delete_query_template(store: &Store, id: &str) -> Result<()> {
    delete::<QueryTemplate>(store.catalog(), id)
}
