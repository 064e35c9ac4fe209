//! What statements write: records by a load like any other, and rows that are no records as files of a batch.

mod ad_hoc;
mod records;
mod staging;

use arrow::array::RecordBatchReader;
use catalog::{Catalog, Kind};
use xdm::Dataset;

pub use ad_hoc::{ad_hoc_columns, ad_hoc_dataset, write_rows};
pub use records::load_rows;
pub(crate) use staging::live_batches;

use crate::error::Result;
use crate::registry::create_dataset;
use crate::table_names::TableNames;

/// Rows as they are made.
pub type Rows = Box<dyn RecordBatchReader + Send>;

/// Where a statement's rows go.
#[derive(Clone, Copy, Debug)]
pub enum RowsTarget<'a> {
    /// A dataset that there is.
    Known(&'a Dataset),
    /// One that is made with them: both are there, or neither.
    New(&'a Dataset),
}

/// What a statement wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrittenRows {
    /// The dataset's ID.
    pub dataset: String,
    /// The batch; none where there was no row.
    pub batch: Option<String>,
    /// How many rows are new in the dataset.
    pub rows: u64,
    /// How many are not in it: events that were there already, records that a later one of the same statement replaces.
    pub dropped: u64,
}

impl RowsTarget<'_> {
    fn dataset(&self) -> &Dataset {
        match self {
            Self::Known(dataset) | Self::New(dataset) => dataset,
        }
    }

    /// Makes the dataset, or looks whether it is still there.
    fn settle(&self, catalog: &Catalog) -> Result<()> {
        match self {
            Self::New(dataset) => {
                // Others may have made one since the statement began.
                let table =
                    |names: &TableNames, one: &Dataset| names.of_dataset(one).to_lowercase();
                let own = table(&TableNames::of(&[]), dataset);
                let known = catalog.datasets()?;
                let names = TableNames::of(&known);
                if let Some(other) = known.iter().find(|one| table(&names, one) == own) {
                    let problem = format!(
                        "there is a table {own:?} already, that of dataset {}",
                        other.id
                    );
                    return Err(catalog::Error::Conflict(problem).into());
                }
                create_dataset(catalog, (*dataset).clone()).map(drop)
            }
            Self::Known(dataset) => match catalog.dataset(&dataset.id)? {
                Some(found) if found.id == dataset.id => Ok(()),
                _ => Err(catalog::Error::not_found(Kind::Dataset, &dataset.id).into()),
            },
        }
    }
}
