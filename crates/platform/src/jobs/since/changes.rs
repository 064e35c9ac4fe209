//! The rows of a batch, beside those that an earlier one had.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, RecordBatch, StringArray, StructArray, UInt32Array, new_null_array,
};
use arrow::compute::{cast, take_record_batch};
use arrow::datatypes::{DataType, SchemaRef};
use arrow::error::ArrowError;
use export::{BatchCounts, PersonRows, row_digests};
use writer::Syncs;
use xdm::{PersonKey, TIME_SERIES_EVENTS};

use super::state::{Known, StateWriter};
use super::{JobChanges, identity_fields};
use crate::error::Result;

/// So many rows of those who are gone are made at once.
const AT_ONCE: usize = 4096;

/// What becomes of the profiles of a batch.
pub(super) struct BatchChanges<'a> {
    schema: &'a SchemaRef,
    known: Known,
    state: StateWriter,
    /// Those of whom there is no row yet who left.
    missing: HashSet<PersonKey>,
    counts: BatchCounts,
    changes: JobChanges,
}

/// Rows that are told: the number of each, what became of it, and whose it is.
#[derive(Default)]
struct Told {
    rows: Vec<u32>,
    changes: Vec<&'static str>,
    identities: Vec<(String, String)>,
}

impl Told {
    fn push(&mut self, row: usize, change: &'static str, (namespace, id): (&str, &str)) {
        self.rows.push(row as u32);
        self.changes.push(change);
        self.identities.push((namespace.to_owned(), id.to_owned()));
    }
}

impl<'a> BatchChanges<'a> {
    pub(super) fn new(schema: &'a SchemaRef, known: Known, state: StateWriter) -> Self {
        Self {
            schema,
            known,
            state,
            missing: HashSet::new(),
            counts: BatchCounts::default(),
            changes: JobChanges::default(),
        }
    }

    /// Of some rows with their persons those that are new or other than before.
    pub(super) fn take(&mut self, rows: &RecordBatch) -> Result<RecordBatch> {
        let (rows, persons) = PersonRows::split(rows)?;
        let digests = row_digests(&rows)?;
        let mut told = Told::default();
        let mut identities = Vec::with_capacity(rows.num_rows());
        for (row, ((namespace, id), digest)) in primary(&persons).zip(&digests).enumerate() {
            let known = self.known.find(PersonKey::of(namespace, id));
            let (change, count, namespace) = match known {
                None => (Some("entered"), &mut self.changes.entered, namespace),
                Some((before, spelled)) if before != *digest => {
                    (Some("changed"), &mut self.changes.changed, spelled)
                }
                Some((_, spelled)) => (None, &mut self.changes.unchanged, spelled),
            };
            *count += 1;
            identities.push((namespace, id));
            if let Some(change) = change {
                told.push(row, change, (namespace, id));
            }
        }
        self.state.push(&identities, &digests)?;
        self.told(&rows, &told)
    }

    /// Those that the earlier batch had and this has not.
    pub(super) fn missing(&mut self) -> Vec<PersonKey> {
        let missing = self.known.missing();
        self.changes.left = missing.len() as u64;
        self.missing.extend(&missing);
        missing
    }

    /// Of rows of profiles with the missing persons those that are still theirs, and not of somebody whom they became
    /// one with.
    pub(super) fn take_left(&mut self, rows: &RecordBatch) -> Result<RecordBatch> {
        let (rows, persons) = PersonRows::split(rows)?;
        let mut told = Told::default();
        for (row, (namespace, id)) in primary(&persons).enumerate() {
            let key = PersonKey::of(namespace, id);
            if self.missing.remove(&key) {
                let known = self.known.find(key);
                let namespace = known.map_or(namespace, |(_, spelled)| spelled);
                told.push(row, "left", (namespace, id));
            }
        }
        self.told(&rows, &told)
    }

    /// Hands out rows of those of whom there is no profile any more: nothing but who they were.
    pub(super) fn take_gone(
        &mut self,
        mut take: impl FnMut(RecordBatch) -> Result<()>,
    ) -> Result<()> {
        let identities = self.known.identities(&self.missing)?;
        for some in identities.chunks(AT_ONCE) {
            let fields = self.schema.fields().iter().skip(2);
            let columns = fields.map(|field| new_null_array(field.data_type(), some.len()));
            let told = Told {
                rows: (0..some.len() as u32).collect(),
                changes: vec!["left"; some.len()],
                identities: some.to_vec(),
            };
            take(self.columns(columns.collect(), &told)?)?;
        }
        Ok(())
    }

    /// How many rows there are, and of what. What this batch had is kept, on its way to the disk.
    pub(super) fn finish(self, syncs: Option<&Syncs>) -> Result<(BatchCounts, JobChanges)> {
        self.state.finish(syncs)?;
        Ok((self.counts, self.changes))
    }

    fn told(&mut self, rows: &RecordBatch, told: &Told) -> Result<RecordBatch> {
        let rows = take_record_batch(rows, &UInt32Array::from(told.rows.clone()));
        let rows = rows.map_err(export::Error::from)?;
        self.columns(rows.columns().to_vec(), told)
    }

    /// Rows of these fields, and what became of them before those.
    fn columns(&mut self, fields: Vec<ArrayRef>, told: &Told) -> Result<RecordBatch> {
        let rows = self
            .record_batch(fields, told)
            .map_err(export::Error::from)?;
        self.count(&rows, told);
        Ok(rows)
    }

    fn record_batch(&self, fields: Vec<ArrayRef>, told: &Told) -> Result<RecordBatch, ArrowError> {
        let texts = |texts: Vec<&str>| -> ArrayRef { Arc::new(StringArray::from(texts)) };
        let (namespaces, ids): (Vec<&str>, Vec<&str>) = (told.identities.iter())
            .map(|(namespace, id)| (namespace.as_str(), id.as_str()))
            .unzip();
        let identity = identity_fields();
        let [namespace, _] = &identity[..] else {
            unreachable!("two fields are an identity");
        };
        let DataType::Struct(code) = namespace.data_type() else {
            unreachable!("a namespace is an object");
        };
        let codes = texts(namespaces);
        let namespaces: ArrayRef = Arc::new(StructArray::try_new(code.clone(), vec![codes], None)?);
        let ids = texts(ids);
        let identities = StructArray::try_new(identity, vec![namespaces, ids], None)?;
        let own: [ArrayRef; 2] = [texts(told.changes.clone()), Arc::new(identities)];
        let all = own.into_iter().chain(fields).zip(self.schema.fields());
        // Of those who left other text may be in dictionaries.
        let columns = all.map(
            |(column, field)| match column.data_type() == field.data_type() {
                true => Ok(column),
                false => cast(&column, field.data_type()),
            },
        );
        RecordBatch::try_new(Arc::clone(self.schema), columns.collect::<Result<_, _>>()?)
    }

    fn count(&mut self, rows: &RecordBatch, told: &Told) {
        self.counts.profiles += rows.num_rows() as u64;
        for (namespace, _) in &told.identities {
            let count = self.counts.by_namespace.entry(namespace.clone());
            *count.or_default() += 1;
        }
        let events = rows
            .column_by_name(TIME_SERIES_EVENTS)
            .and_then(|column| column.as_list_opt::<i32>());
        if let Some(events) = events {
            let lists = (0..events.len()).filter(|row| events.is_valid(*row));
            self.counts.events += lists
                .map(|row| events.value_length(row) as u64)
                .sum::<u64>();
        }
    }
}

/// The primary identity of each profile: that of its first person.
fn primary(persons: &PersonRows) -> impl Iterator<Item = (&str, &str)> {
    persons.of_profiles().map(|own| {
        assert!(!own.is_empty(), "a profile is somebody");
        let first = own.start;
        (persons.namespaces.value(first), persons.ids.value(first))
    })
}
