//! What segments and datasets are called, where people would read IDs.

use std::collections::HashMap;

use profile_export::platform::segments;
use profile_export::store::Store;
use serde_json::Value;

use crate::failure::Failure;

/// The names of a store's segments and datasets.
#[derive(Default)]
pub struct Names {
    segments: HashMap<String, String>,
    datasets: HashMap<String, String>,
}

impl Names {
    pub fn of(store: &Store) -> Result<Self, Failure> {
        let mut names = Self::default();
        for segment in segments(store.catalog())? {
            let text = |name: &str| segment.get(name).and_then(Value::as_str);
            if let (Some(id), Some(name)) = (text("id"), text("name"))
                && !name.is_empty()
            {
                names.segments.insert(id.to_owned(), name.to_owned());
            }
        }
        for dataset in store.catalog().datasets()? {
            names.datasets.insert(dataset.id, dataset.name);
        }
        Ok(names)
    }

    /// The name of a segment; its ID where none is known.
    pub fn segment<'a>(&'a self, id: &'a str) -> &'a str {
        self.segments.get(id).map_or(id, String::as_str)
    }

    /// The name of a dataset; its ID where there is none any more.
    pub fn dataset<'a>(&'a self, id: &'a str) -> &'a str {
        self.datasets.get(id).map_or(id, String::as_str)
    }
}
