//! Loads, as Python says them.

use std::path::PathBuf;

use platform::{Error, InputDataset};
use profile_export::export::Progress;
use profile_export::request::RequestError;
use profile_export::store::{
    BadRecordLimit, Batches, DatasetInputs, Input, LoadOptions, LoadReport, OnBadRecord, Store,
};
use profile_export::xdm::{Class, Timestamp};
use pyo3::prelude::*;

use crate::capsule::reader_of;
use crate::errors::Result;
use crate::sources::Sources;

/// What becomes of bad records: a dict of Python's.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub(crate) struct BadRecords {
    /// Where they go; without it the load fails.
    rejects: Option<PathBuf>,
    most: Option<u64>,
    most_percent: Option<f64>,
}

impl BadRecords {
    pub(crate) fn options(self) -> LoadOptions {
        let limit = match (self.most, self.most_percent) {
            (Some(most), _) => BadRecordLimit::Records(most),
            (None, Some(percent)) => BadRecordLimit::Percent(percent),
            (None, None) => BadRecordLimit::None,
        };
        LoadOptions {
            on_bad_record: match self.rejects {
                None => OnBadRecord::Fail,
                Some(rejects) => OnBadRecord::Skip { rejects, limit },
            },
            ..LoadOptions::default()
        }
    }
}

/// The dataset that records go into: a dict of Python's.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub(crate) struct Target {
    name: String,
    class: Option<String>,
    primary_identity: Option<String>,
    ingested_at_field: Option<String>,
    /// JSON text.
    schema: Option<String>,
    ingested_at: Option<String>,
}

/// Records and where they go, read from what Python said.
pub(crate) struct Load {
    dataset: InputDataset,
    inputs: Vec<Input>,
    ingested_at: Option<Timestamp>,
}

impl Load {
    /// Of files, by their names or globs.
    pub(crate) fn of_files(target: Target, files: &[String]) -> Result<Self> {
        let mut inputs = Vec::new();
        for file in files {
            inputs.extend(Input::expand(file).map_err(Error::from)?);
        }
        Self::new(target, inputs)
    }

    /// Of Arrow data of Python's, which messages call after what it is; it becomes one of the sources.
    pub(crate) fn of_data(
        target: Target,
        data: &Bound<'_, PyAny>,
        sources: &mut Sources,
    ) -> Result<Self> {
        let class = data.get_type();
        let module = class.module()?.to_string();
        let package = module.split('.').next().unwrap_or(&module);
        let name = format!("{package}.{}", class.qualname()?);
        let batches = Batches::new(&name, sources.stand_in(reader_of(data)?));
        Self::new(target, vec![Input::Batches(batches)])
    }

    fn new(target: Target, inputs: Vec<Input>) -> Result<Self> {
        let schema = target.schema.as_deref().map(serde_json::from_str);
        let schema = schema
            .transpose()
            .map_err(|error| RequestError::new("schema", error.to_string()))?;
        Ok(Self {
            dataset: InputDataset {
                name: target.name,
                class: target.class.as_deref().map(class_of).transpose()?,
                primary_identity: target.primary_identity,
                ingested_at_field: target.ingested_at_field,
                schema,
            },
            inputs,
            ingested_at: moment("ingested_at", target.ingested_at.as_deref())?,
        })
    }

    /// How many bytes there are to be read, 0 where it is not known.
    pub(crate) fn length(&self) -> u64 {
        self.inputs.iter().map(Input::length).sum()
    }

    /// Loads them; the dataset is made with the load where there is none.
    pub(crate) fn load(
        self,
        store: &Store,
        options: &LoadOptions,
        progress: &Progress,
    ) -> Result<LoadReport, Error> {
        let dataset = self.dataset.find(store.catalog())?;
        let load = DatasetInputs {
            ingested_at: self.ingested_at,
            ..DatasetInputs::new(&dataset.id, self.inputs)
        };
        store.ingest_with(&[load], options, progress, |catalog| {
            if catalog.dataset(&dataset.id)?.is_none() {
                catalog.create_dataset(dataset.clone())?;
            }
            Ok(())
        })
    }
}

/// A class by its word.
pub(crate) fn class_of(word: &str) -> Result<Class, RequestError> {
    let known = Class::ALL.into_iter().find(|class| class.word() == word);
    known.ok_or_else(|| {
        RequestError::new("class", format!("found {word:?}; allowed: profile, event"))
    })
}

/// A timestamp that Python gave as text.
pub(crate) fn moment(path: &str, text: Option<&str>) -> Result<Option<Timestamp>, RequestError> {
    let read = |text: &str| {
        let wrong = || {
            let problem =
                format!("found {text:?}; allowed is an RFC 3339 timestamp with an offset");
            RequestError::new(path, problem)
        };
        Timestamp::parse(text).ok_or_else(wrong)
    };
    text.map(read).transpose()
}
