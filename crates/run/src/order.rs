use arrow::array::{ArrayRef, AsArray};
use arrow::datatypes::DataType;
use gather::{Column, RowRef};
use rayon::prelude::*;
use xdm::{Class, Recency};

use crate::error::Result;
use crate::system;

/// A record that may go into a run.
#[derive(Clone, Copy)]
pub(crate) struct RunEntry {
    pub(crate) person: u128,
    /// Ingest time of a fragment, event time of an event.
    pub(crate) time: i64,
    pub(crate) sequence: u64,
    pub(crate) at: RowRef,
}

impl RunEntry {
    /// How late a fragment is.
    fn recency(&self) -> Recency {
        Recency {
            ingested: self.time,
            sequence: self.sequence,
        }
    }
}

/// Puts records of one dataset in the order of a run: by person, events then by time and `_id`. Of
/// each person's fragments only the latest stays. Returns persons and rows.
pub(crate) fn in_run_order(
    class: Class,
    mut entries: Vec<RunEntry>,
    sources: &[Option<ArrayRef>],
) -> Result<Vec<(u128, RowRef)>> {
    match class {
        Class::Profile => {
            entries.par_sort_unstable_by_key(|e| (e.person, e.recency()));
            Ok(entries
                .chunk_by(|a, b| a.person == b.person)
                .filter_map(|of_person| of_person.last())
                .map(|latest| (latest.person, latest.at))
                .collect())
        }
        Class::Event => {
            entries.par_sort_unstable_by_key(|e| (e.person, e.time, e.sequence));
            order_ties_by_id(&mut entries, sources)?;
            Ok(entries.iter().map(|e| (e.person, e.at)).collect())
        }
    }
}

/// Sorts events of one person and time by their `_id`.
fn order_ties_by_id(entries: &mut [RunEntry], sources: &[Option<ArrayRef>]) -> Result<()> {
    let ids: Vec<Option<ArrayRef>> = sources
        .iter()
        .map(|source| {
            let record = source
                .as_ref()?
                .as_struct()
                .column_by_name(system::RECORD)?;
            record.as_struct().column_by_name("_id").cloned()
        })
        .collect();
    let ids = Column::new(&DataType::Utf8, &ids)?;
    for tied in entries.chunk_by_mut(|a, b| (a.person, a.time) == (b.person, b.time)) {
        if tied.len() > 1 {
            tied.sort_by(|a, b| ids.text(a.at).cmp(&ids.text(b.at)));
        }
    }
    Ok(())
}
