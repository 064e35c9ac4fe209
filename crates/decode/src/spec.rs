use std::sync::Arc;

use hashbrown::HashSet;
use xdm::{Class, Dataset, FieldPath, FieldType, Fields, PrimaryIdentity, Timestamp};

use crate::selection::FieldSelection;
use crate::types::remove_type;
use crate::{Error, Result};

/// How the records of a dataset are read.
#[derive(Clone, Debug)]
pub struct RecordSpec {
    /// Their class.
    pub class: Class,
    /// Where the primary identity stands, if not in `identityMap`.
    pub primary_identity: Option<PrimaryIdentity>,
    /// The ingest timestamp, where no field gives it.
    pub ingested_at: Timestamp,
    /// The field that gives the ingest timestamp.
    pub ingested_at_field: Option<FieldPath>,
    /// Ids of the dataset's that stand for nobody.
    pub placeholders: Arc<[String]>,
    /// The union schema of the class, with what the dataset declares and the field of the ingest
    /// timestamp.
    pub types: Fields,
    /// The top-level fields that are stored; all where it is missing. The others are checked, and are
    /// part of the union schema, all the same.
    pub keep: Option<Vec<String>>,
}

impl RecordSpec {
    /// How a dataset's records are read where its class has this union schema.
    ///
    /// # Errors
    /// A description that is wrong, or that contradicts the union schema.
    pub fn new(dataset: &Dataset, union: &Fields, ingested_at: Timestamp) -> Result<Self> {
        let mut types = union.clone();
        types
            .unite(&dataset.declared_fields()?)
            .map_err(|conflict| Error::TypeConflict {
                dataset: dataset.name.clone(),
                conflict,
            })?;
        let ingested_at_field = dataset.ingest_field()?;
        if let Some(path) = &ingested_at_field {
            types.set_at(path, FieldType::DateTime);
        }
        Ok(Self {
            class: dataset.class,
            primary_identity: dataset.primary()?,
            ingested_at,
            ingested_at_field,
            placeholders: dataset.placeholder_identities.as_slice().into(),
            types,
            keep: None,
        })
    }

    /// The fields whose values are looked at: those that are stored, and those that identities are
    /// made of.
    pub(crate) fn selection(&self) -> FieldSelection {
        let Some(keep) = &self.keep else {
            return FieldSelection::All;
        };
        let system = ["identityMap", "_id", "timestamp", "extSourceSystemAudit"];
        let primary = self.primary_identity.as_ref().map(|primary| &primary.path);
        let paths = primary.into_iter().chain(&self.ingested_at_field);
        let firsts = paths.filter_map(|path| path.parts().first().cloned());
        let names = keep.iter().cloned().chain(system.map(str::to_owned));
        FieldSelection::Only(Arc::new(names.chain(firsts).collect()))
    }

    /// The types of the columns that are stored of decoded records.
    #[must_use]
    pub fn stored_types(&self, types: &Fields) -> Fields {
        let mut types = self.exported_types(types);
        if let Some(keep) = &self.keep {
            let keep: HashSet<&str> = keep.iter().map(String::as_str).collect();
            types.retain(|name| keep.contains(name));
        }
        types
    }

    /// The types of decoded records without the field that gave the ingest timestamps.
    #[must_use]
    pub fn exported_types(&self, types: &Fields) -> Fields {
        let mut types = types.clone();
        if let Some(path) = &self.ingested_at_field {
            remove_type(&mut types, path.parts());
        }
        types
    }
}
