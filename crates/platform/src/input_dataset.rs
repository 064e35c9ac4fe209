//! The dataset that records are loaded into by its name: found, or to be made.

use catalog::{Catalog, new_id};
use export::RequestError;
use serde_json::Value;
use xdm::{Class, Dataset, Timestamp};

use crate::error::Result;

/// What a caller says of the dataset that records go into. What is not said is as the dataset was made, or open.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct InputDataset {
    /// Its name or ID.
    pub name: String,
    /// The class of its records; profile where it is made and nothing is said.
    pub class: Option<Class>,
    /// Where the primary identity stands, as `path=Namespace`.
    pub primary_identity: Option<String>,
    /// The path of the field that holds the ingest timestamp.
    pub ingested_at_field: Option<String>,
    /// The XDM schema, as JSON Schema.
    pub schema: Option<Value>,
}

impl InputDataset {
    /// The dataset of that name or ID; where there is none, what is to be made together with the load.
    ///
    /// # Errors
    /// A dataset that takes no records, or was made with something else than is said: the path is that of the property
    /// in `dataset.json`, and `name`.
    pub fn find(&self, catalog: &Catalog) -> Result<Dataset> {
        let Some(known) = catalog.dataset(&self.name)? else {
            return Ok(Dataset {
                primary_identity: self.primary_identity.clone(),
                ingested_at_field: self.ingested_at_field.clone(),
                schema: self.schema.clone(),
                created: Timestamp::now(),
                ..Dataset::new(&new_id(), &self.name, self.class.unwrap_or(Class::Profile))
            });
        };
        if let Some(problem) = known.why_no_input() {
            return Err(RequestError::new("name", problem).into());
        }
        if let Some((path, with)) = self.difference(&known) {
            let problem = format!("dataset {:?} was made with {with}, which stays", self.name);
            return Err(RequestError::new(path, problem).into());
        }
        Ok(known)
    }

    /// The property that is said otherwise, and with what the dataset was made.
    fn difference<'a>(&self, known: &'a Dataset) -> Option<(&'static str, &'a str)> {
        if self.schema.is_some() && self.schema != known.schema {
            let with = if known.schema.is_some() {
                "another"
            } else {
                "none"
            };
            return Some(("schema", with));
        }
        if self.class.is_some_and(|class| class != known.class) {
            return Some(("class", known.class.word()));
        }
        let texts = [
            (
                "primaryIdentity",
                &self.primary_identity,
                &known.primary_identity,
            ),
            (
                "ingestedAtField",
                &self.ingested_at_field,
                &known.ingested_at_field,
            ),
        ];
        texts
            .into_iter()
            .find(|(_, said, is)| said.is_some() && said != is)
            .map(|(path, _, is)| (path, is.as_deref().unwrap_or("none")))
    }
}
