//! A run without some of its records.

use std::collections::BTreeSet;
use std::path::PathBuf;

use arrow::array::{ArrayRef, BooleanArray};
use arrow::compute::filter;
use gather::{Dictionaries, UsedValues};
use xdm::{Class, Fields};

use crate::error::{Error, Result};
use crate::fold::{FoldedRows, fold_rows, with_identities};
use crate::read::Run;
use crate::write::Unsynced;
use crate::{RunFiles, RunLimit};

/// Writes a run without some of its rows, into the folders that `folder` names by their numbers: none where no row is
/// left, several where those left are more than `limit` allows. Nothing of the rows that are left out is in what is
/// written: dictionaries, the index of memberships and the digests of events are those of the rows that stay. `go_on`
/// is asked between stretches of persons.
///
/// The run is read twice.
///
/// # Errors
/// A damaged run, a full disk; what `go_on` returns.
pub fn without<E: From<Error>>(
    run: Run,
    rows: &BTreeSet<u32>,
    class: Class,
    types: &Fields,
    limit: RunLimit,
    folder: impl Fn(usize) -> PathBuf,
    go_on: impl Fn() -> Result<(), E>,
) -> Result<Vec<(RunFiles, Unsynced)>, E> {
    let mut used = UsedValues::default();
    for number in 0..run.batch_count() as u32 {
        go_on()?;
        used.note(&kept_rows(&run, number, rows)?);
        run.release();
    }
    let folded = FoldedRows {
        dictionaries: &Dictionaries::of_used(used),
        is_left_out: &|row| rows.contains(&row),
    };
    fold_rows(&[run], &folded, class, types, limit, folder, go_on)
}

/// The rows of a batch that stay, with the columns of their identities.
fn kept_rows(run: &Run, number: u32, left_out: &BTreeSet<u32>) -> Result<ArrayRef> {
    let batch = with_identities(run, number)?;
    let first = Run::first_row(number);
    let last = first + batch.len() as u32;
    if left_out.range(first..last).next().is_none() {
        return Ok(batch);
    }
    let kept: BooleanArray = (first..last)
        .map(|row| Some(!left_out.contains(&row)))
        .collect();
    Ok(filter(&batch, &kept)?)
}
