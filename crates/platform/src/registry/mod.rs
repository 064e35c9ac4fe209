//! The platform's schema registry over a store: what its records have, as schemas, and what somebody declared.
//!
//! Classes, behaviors and what these use are always there. Unions, and a schema with a field group for each dataset that has
//! fields, are made from the store whenever they are asked for; declared schemas and descriptors are kept in the catalog.

mod declared;
mod descriptor_body;
mod descriptors;
mod folder;
mod generated;
mod resolved;
mod resource;

pub use declared::{change_schema, create_dataset, create_schema, delete_schema, replace_schema};
pub use descriptors::{
    create_descriptor, delete_descriptor, descriptor, descriptors, replace_descriptor,
};
pub use folder::schemas_of_folder;
pub use resource::{Container, Resource, ResourceForm, ResourceKind};

use catalog::Kind;
use serde_json::{Value, json};
use store::Store;
use xdm::{FieldNames, json_schema_properties};

use crate::error::Result;

/// What begins the `$id` of everything of the platform's, and of an organisation's here.
const NAMESPACE: &str = "https://ns.adobe.com/";

/// Everything that the registry of an organisation and a sandbox has.
pub struct Registry {
    /// What begins the IDs of the organisation's own things.
    pub tenant: String,
    /// All of it.
    pub resources: Vec<Resource>,
}

impl Registry {
    /// Reads which fields the store's records have. `shared` are others of the platform's than those that are always there.
    ///
    /// # Errors
    /// The catalog can't be read, a damaged run.
    pub fn of(store: &Store, shared: &[Resource]) -> Result<Self> {
        let tenant = tenant_of(&store.catalog().scope().org);
        let mut resources = generated::standard();
        resources.extend_from_slice(shared);
        resources.extend(generated::of_store(store, &tenant)?);
        resources.extend(declared::all(store.catalog())?);
        resources.sort_by(|a, b| (&a.title, &a.id).cmp(&(&b.title, &b.id)));
        Ok(Self { tenant, resources })
    }

    /// What has this `$id` or `meta:altId`.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<&Resource> {
        let mut all = self.resources.iter();
        all.find(|one| one.id == id || one.alt_id() == id)
    }

    /// Those of a kind that a container has. The schemas of an organisation are also found by the IDs of its unions, but
    /// listed without them.
    pub fn list(
        &self,
        container: Container,
        kind: ResourceKind,
    ) -> impl Iterator<Item = &Resource> {
        let all = self.resources.iter();
        all.filter(move |one| one.container == container && one.kind == kind)
    }

    /// What a dataset says of its records that is made on a schema, so that they are checked as those of others on it are: its
    /// fields as JSON Schema, and its primary identity. `None` for a declared one, which says so itself.
    ///
    /// # Errors
    /// The catalog can't be read.
    pub fn said_by_datasets(
        &self,
        store: &Store,
        schema: &Resource,
    ) -> Result<Option<(Value, Option<String>)>> {
        if !schema.declared.is_empty() {
            return Ok(None);
        }
        let properties = json_schema_properties(&schema.fields, FieldNames::Plain);
        let fields = json!({"type": "object", "properties": Value::Object(properties)});
        let primary = generated::primary_of_datasets(store, &self.tenant, &schema.id)?;
        Ok(Some((fields, primary)))
    }

    /// What has this `$id` or `meta:altId` among those of a kind that a container has; unions are schemas, too.
    ///
    /// # Errors
    /// There is none.
    pub fn find(&self, container: Container, kind: ResourceKind, id: &str) -> Result<&Resource> {
        let is_of_kind = |one: &&Resource| {
            one.container == container
                && (one.kind == kind
                    || (kind, one.kind) == (ResourceKind::Schemas, ResourceKind::Unions))
        };
        let found = self.get(id).filter(is_of_kind);
        found.ok_or_else(|| catalog::Error::not_found(Kind::Schema, id).into())
    }
}

/// The `$id` of a schema of an organisation's own.
pub(crate) fn tenant_schema(store: &Store, id: &str) -> String {
    let tenant = tenant_of(&store.catalog().scope().org);
    format!("{NAMESPACE}{tenant}/schemas/{id}")
}

/// The ID of an organisation: the letters and digits before its `@`, in lower case.
fn tenant_of(org: &str) -> String {
    let name = org.split('@').next().unwrap_or(org);
    let plain = name.chars().filter(char::is_ascii_alphanumeric);
    let plain = plain.collect::<String>().to_ascii_lowercase();
    match plain.is_empty() {
        true => "tenant".to_owned(),
        false => plain,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_organisation_is_known_by_the_letters_before_its_at_sign() {
        assert_eq!(tenant_of("local@AdobeOrg"), "local");
        assert_eq!(tenant_of("AC-ME 7"), "acme7");
        assert_eq!(tenant_of("@"), "tenant");
    }
}
