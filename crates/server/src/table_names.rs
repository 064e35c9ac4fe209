//! Under which names the platform's query service knows datasets: what may not be changed.

use profile_export::platform::{TABLE_LABEL, TableNames, own_table};
use profile_export::xdm::Dataset;

use crate::problem::{Answer, Problem};

/// Checks that the table which a dataset's own label names is that of no other one, by a label or by its name.
///
/// # Errors
/// Another one of `datasets`, which are those before the change, has it.
pub(crate) fn check_own_table(datasets: &[Dataset], changed: &Dataset) -> Answer<()> {
    let Some(table) = own_table(changed) else {
        return Ok(());
    };
    let tables = TableNames::of(datasets);
    let mut others = datasets.iter().filter(|other| other.id != changed.id);
    let wanted = table.to_lowercase();
    let other = others.find(|other| tables.of_dataset(other).to_lowercase() == wanted);
    match other {
        Some(other) => Err(Problem::conflict(format!(
            "tags: {TABLE_LABEL} is {table:?}, which is the table of dataset {}; no two datasets are one table",
            other.id
        ))),
        None => Ok(()),
    }
}
