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
    /// The namespaces of their primary identities, once they were asked for.
    namespaces: OnceLock<Column>,
    /// The ids of these: many exports never ask for them, and they are most of what identities take.
    ids: OnceLock<Column>,
}

impl Persons {
    /// The table of persons, whole.
    pub(crate) fn of_table(table: &RecordBatch) -> Result<Self> {
        let column = |name: &str| table.column_by_name(name).cloned();
        Ok(Self {
            keys: keys_of(table, "person")?,
            firsts: Some(firsts(column("firstRecord").as_ref())?),
            namespaces: OnceLock::from(text_column(column(system::NAMESPACE))?),
            ids: OnceLock::from(text_column(column(system::ID))?),
        })
    }

    /// The table of persons of a packed file of so many records.
    pub(crate) fn of_file(file: &PackFile, rows: usize) -> Result<Self> {
        let keys = file.keys("persons")?;
        if file.batch_rows("persons")?.iter().sum::<usize>() != keys.len() {
            return Err(wrong_table().into());
        }
        let firsts = match keys.len() == rows {
            // One record each: their numbers are those of the rows.
            true => None,
            false => {
                let column = file.column("persons", 0, &["firstRecord"], None, None)?;
                Some(firsts(column.as_ref())?)
            }
        };
        Ok(Self {
            keys,
            firsts,
            namespaces: OnceLock::new(),
            ids: OnceLock::new(),
        })
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether so many records are theirs: every person has one, and every record a person.
    pub(crate) fn fit(&mut self, rows: usize) -> bool {
        let Some(firsts) = self.firsts.as_deref() else {
            return rows == self.len();
        };
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

    /// The namespaces of their identities, from the file that has the records.
    pub(crate) fn namespaces(&self, records: &Records) -> Result<&Column> {
        read_once(&self.namespaces, records, system::NAMESPACE)
    }

    /// The ids of their identities, from the file that has the records.
    pub(crate) fn ids(&self, records: &Records) -> Result<&Column> {
        read_once(&self.ids, records, system::ID)
    }
}

fn read_once<'a>(
    column: &'a OnceLock<Column>,
    records: &Records,
    name: &str,
) -> Result<&'a Column> {
    if let Some(column) = column.get() {
        return Ok(column);
    }
    let Records::Packed(file) = records else {
        unreachable!("only packed runs leave identities for later");
    };
    let read = text_column(file.column("persons", 0, &[name], None, None)?)?;
    Ok(column.get_or_init(|| read))
}

fn text_column(column: Option<ArrayRef>) -> Result<Column> {
    Ok(Column::new(&DataType::Utf8, &[column])?)
}

/// The text of a person.
///
/// # Panics
/// Beyond the last person.
pub(crate) fn text_of(column: &Column, person: usize) -> &str {
    match column.text(RowRef::new(0, person as u32)) {
        Some(text) => text,
        None => panic!("person {person} is beyond the run's last"),
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
