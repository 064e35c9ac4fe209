use std::sync::OnceLock;

use arrow::array::{Array, ArrayRef, AsArray, FixedSizeBinaryArray, RecordBatch};
use arrow::datatypes::{DataType, UInt64Type};
use gather::{Column, RowRef};
use xdm::PersonKey;

use crate::error::Result;
use crate::keys::{key_at, keys_of, lower_bound, lower_bound_from};
use crate::pack::PackFile;
use crate::read::wrong_table;
use crate::records::Records;
use crate::system;

/// Whose records a run has.
pub(crate) struct Persons {
    keys: FixedSizeBinaryArray,
    /// The first record of each; `None` where each has one.
    firsts: Option<Vec<u32>>,
    /// Their identities, once they were asked for.
    identities: OnceLock<Identities>,
}

/// The primary identities of a run's persons.
pub(crate) struct Identities {
    namespaces: Column,
    ids: Column,
}

impl Persons {
    /// The table of persons, whole.
    pub(crate) fn of_table(table: &RecordBatch) -> Result<Self> {
        let column = |name: &str| table.column_by_name(name).cloned();
        let identities = Identities::new(column(system::NAMESPACE), column(system::ID))?;
        Ok(Self {
            keys: keys_of(table, "person")?,
            firsts: Some(firsts(column("firstRecord").as_ref())?),
            identities: OnceLock::from(identities),
        })
    }

    /// The table of persons of a packed file.
    pub(crate) fn of_file(file: &PackFile) -> Result<Self> {
        let first = file.column("persons", 0, &["firstRecord"], None, None)?;
        Ok(Self {
            keys: file.keys("persons")?,
            firsts: Some(firsts(first.as_ref())?),
            identities: OnceLock::new(),
        })
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether so many records are theirs: every person has one, and every record a person.
    pub(crate) fn fit(&mut self, rows: usize) -> bool {
        let firsts = self.firsts.as_deref().unwrap_or_default();
        let do_fit = match firsts {
            [] => rows == 0,
            [first, .., last] | [first @ last] => {
                *first == 0 && (*last as usize) < rows && firsts.is_sorted_by(|a, b| a < b)
            }
        };
        let do_fit = do_fit && firsts.len() == self.len();
        if rows == self.len() {
            // One record each: their numbers are those of the rows.
            self.firsts = None;
        }
        do_fit
    }

    #[inline]
    pub(crate) fn key(&self, i: usize) -> PersonKey {
        key_at(&self.keys, i)
    }

    pub(crate) fn lower_bound(&self, key: PersonKey) -> usize {
        lower_bound(&self.keys, key.0)
    }

    pub(crate) fn lower_bound_from(&self, start: usize, key: PersonKey) -> usize {
        lower_bound_from(&self.keys, start, key.0)
    }

    /// The rows of a person's records, of so many in all.
    pub(crate) fn rows_of(&self, i: usize, rows: usize) -> std::ops::Range<u32> {
        match &self.firsts {
            None => i as u32..i as u32 + 1,
            Some(firsts) => firsts[i]..firsts.get(i + 1).copied().unwrap_or(rows as u32),
        }
    }

    /// Whose record is in a row.
    pub(crate) fn of_row(&self, row: u32) -> usize {
        match &self.firsts {
            None => row as usize,
            Some(firsts) => firsts.partition_point(|first| *first <= row) - 1,
        }
    }

    /// Their identities, from the file that has the records.
    pub(crate) fn identities(&self, records: &Records) -> Result<&Identities> {
        if let Some(identities) = self.identities.get() {
            return Ok(identities);
        }
        let Records::Packed(file) = records else {
            unreachable!("only packed runs leave identities for later");
        };
        let column = |name: &str| file.column("persons", 0, &[name], None, None);
        let read = Identities::new(column(system::NAMESPACE)?, column(system::ID)?)?;
        Ok(self.identities.get_or_init(|| read))
    }
}

impl Identities {
    fn new(namespaces: Option<ArrayRef>, ids: Option<ArrayRef>) -> Result<Self> {
        let text = |column: Option<ArrayRef>| Column::new(&DataType::Utf8, &[column]);
        Ok(Self {
            namespaces: text(namespaces)?,
            ids: text(ids)?,
        })
    }

    /// # Panics
    /// Beyond the last person.
    pub(crate) fn namespace(&self, i: usize) -> &str {
        text(&self.namespaces, i)
    }

    /// # Panics
    /// Beyond the last person.
    pub(crate) fn id(&self, i: usize) -> &str {
        text(&self.ids, i)
    }

    /// Namespaces and ids.
    pub(crate) fn columns(&self) -> [(&'static str, &Column); 2] {
        [
            (system::NAMESPACE, &self.namespaces),
            (system::ID, &self.ids),
        ]
    }
}

fn text(column: &Column, i: usize) -> &str {
    match column.text(RowRef::new(0, i as u32)) {
        Some(text) => text,
        None => panic!("person {i} is beyond the run's last"),
    }
}

/// The rows of the first records.
fn firsts(column: Option<&ArrayRef>) -> Result<Vec<u32>> {
    let firsts = column.and_then(|c| c.as_primitive_opt::<UInt64Type>());
    let firsts = firsts.ok_or_else(wrong_table)?.values().iter();
    let firsts = firsts.map(|first| u32::try_from(*first));
    Ok(firsts
        .collect::<Result<_, _>>()
        .map_err(|_| wrong_table())?)
}
