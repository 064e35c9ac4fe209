use arrow::datatypes::Schema;
use xdm::{Class, Dataset, Fields, Namespaces};

use crate::error::Result;

/// The union schemas of both classes: the fields of all their datasets, and how namespaces are spelled in them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnionSchemas {
    /// Of the profile datasets.
    pub profile: Fields,
    /// Of the event datasets.
    pub event: Fields,
    /// How namespaces are spelled as keys of maps; those that are not here as the records at hand bring them first. Who
    /// exports records part by part gives those of all parts.
    pub namespaces: Namespaces,
}

impl UnionSchemas {
    /// The union schemas of datasets whose records come in batches of these Arrow schemas.
    ///
    /// # Errors
    /// An Arrow type that no XDM field has, or two types of a field that nothing holds both of.
    pub fn of<'a>(datasets: impl IntoIterator<Item = (&'a Dataset, &'a Schema)>) -> Result<Self> {
        let mut unions = Self::default();
        for (dataset, schema) in datasets {
            let conflict = |conflict| decode::Error::TypeConflict {
                dataset: dataset.name.clone(),
                conflict,
            };
            let union = unions.of_class_mut(dataset.class);
            let declared = dataset.declared_fields().map_err(decode::Error::from)?;
            union.unite(&declared).map_err(conflict)?;
            let found = decode::fields_of(dataset, schema)?;
            union.unite(&found).map_err(conflict)?;
        }
        Ok(unions)
    }

    /// The union schema of a class.
    #[must_use]
    pub fn of_class(&self, class: Class) -> &Fields {
        match class {
            Class::Profile => &self.profile,
            Class::Event => &self.event,
        }
    }

    fn of_class_mut(&mut self, class: Class) -> &mut Fields {
        match class {
            Class::Profile => &mut self.profile,
            Class::Event => &mut self.event,
        }
    }
}

impl Default for UnionSchemas {
    /// The fields that the classes have before any dataset adds its own.
    fn default() -> Self {
        let [profile, event] = Class::ALL.map(Class::standard_fields);
        Self {
            profile,
            event,
            namespaces: Namespaces::default(),
        }
    }
}

impl From<&run::Snapshot> for UnionSchemas {
    fn from(snapshot: &run::Snapshot) -> Self {
        Self {
            profile: snapshot.profile_union.clone(),
            event: snapshot.event_union.clone(),
            namespaces: snapshot.namespaces.clone(),
        }
    }
}
